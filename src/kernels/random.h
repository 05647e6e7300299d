/* kernels/random.h -- many random numbers at once: base/rng.h's Philox4x32-10, many blocks in parallel.
 * Element i of stream `stream` under `seed` is a pure function of (seed, stream, first + i), the same bits in every tier. */
#ifndef TCS_KERNELS_RANDOM_H
#define TCS_KERNELS_RANDOM_H

#include "base/status.h"
#include "kernels/isa.h"

typedef struct tcsi_random_span {
    uint64_t seed, stream, first; /* first: index of the first element; a multiple of 4 */
    size_t count;
} tcsi_random_span;

void tcsi_random_uniform(tcsi_isa isa, const tcsi_random_span *span, float *ret_values); /* [0, 1), 24 bits */
void tcsi_random_normal(tcsi_isa isa, const tcsi_random_span *span, float *ret_values);  /* Box-Muller */
/* 0 with probability rate, else 1 / (1 - rate). */
void tcsi_random_dropout(tcsi_isa isa, const tcsi_random_span *span, float rate, float *ret_mask);

#endif
