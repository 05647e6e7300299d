/* bench/kernels_peers.h -- the libraries that kernels_bench.c compares with: OpenBLAS and oneDNN, each only where the build found it. */
#ifndef TCS_BENCH_KERNELS_PEERS_H
#define TCS_BENCH_KERNELS_PEERS_H

#include "kernels/conv.h"

/* C = A B; no taps, bias, residual or activation. */
typedef struct peer_library {
    const char *name;
    void (*multiply)(const tcsi_gemm *gemm);
} peer_library;

enum { PEER_COUNT_MAX = 2 };

size_t peer_libraries(peer_library *ret_libraries); /* at most PEER_COUNT_MAX */
void peer_threads_set(size_t count);

/* oneDNN's product of operands that it rounds to bfloat16 first, as ours does; the result in single precision. */
typedef struct peer_rounded peer_rounded;
peer_rounded *peer_rounded_create(const tcsi_gemm *gemm); /* NULL: not possible */
void peer_rounded_run(peer_rounded *peer);
void peer_rounded_destroy(peer_rounded *peer);

typedef enum conv_pass { CONV_FORWARD, CONV_INPUT_GRADIENT, CONV_WEIGHT_GRADIENT } conv_pass;
enum { CONV_PASS_COUNT = 3 };

/* One pass of oneDNN's convolution, with weights in the layout it likes best; forward with bias and relu, the weights' gradient with the
 * bias'.  Gradients are written, not added. */
typedef struct peer_conv peer_conv;
typedef struct peer_conv_arrays {
    float *x, *w, *bias, *y; /* forward reads x, w, bias; the gradients read y as dy and write x, or w and bias */
} peer_conv_arrays;

peer_conv *peer_conv_create(conv_pass pass, const tcsi_conv *conv, size_t batch, const peer_conv_arrays *arrays); /* NULL: not possible */
void peer_conv_run(peer_conv *peer);
void peer_conv_finish(peer_conv *peer); /* brings the weights' gradient back into arrays->w */
void peer_conv_destroy(peer_conv *peer);

#endif
