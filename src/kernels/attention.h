/* kernels/attention.h -- scaled dot-product attention with several heads (Vaswani et al. 2017, equation 1), forward and backward.
 *
 * qkv (B,T,3D): queries, keys, values side by side, as one dense layer gives them; head h owns columns [h D/H, (h+1) D/H) of each.
 * y (B,T,D) = softmax(q k' / sqrt(D/H)) v per head, heads side by side.  causal: a row sees itself and earlier rows only.
 * weights (B,H,T,T) is kept for backward, and is what an explanation shows.  Threads: no state; cut by b. */
#ifndef TCS_KERNELS_ATTENTION_H
#define TCS_KERNELS_ATTENTION_H

#include "base/status.h"
#include "kernels/isa.h"

typedef struct tcsi_attention {
    size_t length, width, head_count; /* T, D, H; H divides D */
    bool causal;
} tcsi_attention;

size_t tcsi_attention_scratch_count(const tcsi_attention *attention);
void tcsi_attention_forward(tcsi_isa isa, const tcsi_attention *attention, size_t batch, const float *qkv, float *y, float *weights,
                            float *scratch);
/* dqkv: += with accumulate, else =. */
void tcsi_attention_backward(tcsi_isa isa, const tcsi_attention *attention, size_t batch, const float *qkv, const float *weights,
                             const float *dy, bool accumulate, float *dqkv, float *scratch);
/* The newest row of a causal sequence alone, with that row's bits: y (D) from its query (D) and count keys and values side by side
 * (count,2D), its own last.  scratch: (count) floats. */
void tcsi_attention_step(tcsi_isa isa, const tcsi_attention *attention, size_t count, const float *query, const float *keys_values,
                         float *y, float *scratch);

#endif
