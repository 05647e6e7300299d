/* kernels/cells_lanes.h -- what the loops over lanes share; included once per tier by cells_TIER.c after floats_TIER.h.
 *
 * EACH runs a statement over count elements, n of them from i on at a time: n is LANES, a constant, but for the last few.  load and store
 * take that n, so that every element goes through the same operations wherever it stands, and nothing beyond the end is touched. */
#ifndef TCS_KERNELS_CELLS_LANES_H
#define TCS_KERNELS_CELLS_LANES_H

#include "kernels/cells_tier.h"

#if defined(__clang__)
#define UNROLL
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

#define EACH(i, n, count, ...)                                                    \
    do {                                                                          \
        const size_t each_count = (count);                                        \
        size_t i = 0;                                                             \
        for (const size_t n = LANES; i + LANES <= each_count; i += LANES) __VA_ARGS__ \
        if (i < each_count) {                                                     \
            const size_t n = each_count - i;                                      \
            __VA_ARGS__                                                           \
        }                                                                         \
    } while (0)

INLINE floats load(const float *p, size_t n)
{
    return n == LANES ? floats_load(p) : floats_load_part(p, n);
}

INLINE void store(float *p, floats a, size_t n)
{
    if (n == LANES) floats_store(p, a);
    else floats_store_part(p, a, n);
}

INLINE void store_ints(uint32_t *p, ints a, size_t n)
{
    if (n == LANES) ints_store(p, a);
    else ints_store_part(p, a, n);
}

INLINE doubles doubles_part(doubles a, size_t n)
{
    return n == LANES ? a : doubles_first(a, n);
}

/* Sums of doubles run in SUM_PARTS chains, element i in chain i % SUM_PARTS, which are then added in halves: the same bits in every
 * tier, whose registers hold 4, 8 or 16 of the chains. */
enum { SUM_PARTS = 16, SUM_REGISTERS = SUM_PARTS / LANES };

typedef struct chains {
    doubles part[SUM_REGISTERS];
} chains;

INLINE chains chains_zero(void)
{
    chains s;
    UNROLL for (size_t r = 0; r < SUM_REGISTERS; r++) s.part[r] = doubles_set(0);
    return s;
}

INLINE double chains_total(chains s)
{
    UNROLL for (size_t half = SUM_REGISTERS / 2; half > 0; half /= 2)
        UNROLL for (size_t r = 0; r < half; r++) s.part[r] = doubles_add(s.part[r], s.part[r + half]);
    return doubles_across(s.part[0]);
}

/* EACH for sums: r is the register of sums that lanes i .. i + n - 1 belong to. */
#define EACH_SUM(i, n, r, count, ...)                                                               \
    do {                                                                                            \
        const size_t each_count = (count);                                                          \
        size_t each_begin = 0;                                                                      \
        for (const size_t n = LANES; each_begin + SUM_PARTS <= each_count; each_begin += SUM_PARTS) \
            UNROLL for (size_t r = 0; r < SUM_REGISTERS; r++) {                                     \
                const size_t i = each_begin + r * LANES;                                            \
                __VA_ARGS__                                                                         \
            }                                                                                       \
        UNROLL for (size_t r = 0; r < SUM_REGISTERS; r++) {                                         \
            const size_t i = each_begin + r * LANES;                                                \
            if (i >= each_count) break;                                                             \
            const size_t n = each_count - i < LANES ? each_count - i : LANES;                       \
            __VA_ARGS__                                                                             \
        }                                                                                           \
    } while (0)

/* The table of a tier, whose file includes all of the *_lanes.h files. */
#define CELLS_OPS                                                                                                 \
    {                                                                                                             \
        .unary = vector_unary, .unary_backward = vector_unary_backward,                                           \
        .activate_backward = vector_activate_backward, .add = vector_add, .multiply = vector_multiply,            \
        .axpy = vector_axpy, .scale = vector_scale, .sum = vector_sum, .dot = vector_dot, .max = vector_max,      \
        .sum_rows = vector_sum_rows, .random_uniform = random_uniform, .random_normal = random_normal,            \
        .random_dropout = random_dropout, .adamw_step = adamw_step, .sgd_step = sgd_step, .pool_mean = pool_mean, \
        .pool_max = pool_max, .layer_norm_forward = layer_norm_forward,                                           \
        .layer_norm_backward = layer_norm_backward, .batch_norm_sums = batch_norm_sums,                           \
        .batch_norm_apply = batch_norm_apply, .batch_norm_backward_sums = batch_norm_backward_sums,               \
        .batch_norm_backward_apply = batch_norm_backward_apply, .softmax_forward = softmax_forward,               \
        .softmax_backward = softmax_backward, .transpose = transpose, .attention_softmax = attention_softmax,     \
        .attention_softmax_backward = attention_softmax_backward, .attention_triangle = attention_triangle,       \
        .lstm_step = lstm_step, .lstm_step_backward = lstm_step_backward, .gru_step = gru_step,                   \
        .gru_step_backward = gru_step_backward                                                                    \
    }

#endif
