/* kernels/cells_lanes.h -- what the loops over lanes share; included once per tier by cells_TIER.c after floats_TIER.h.
 *
 * EACH runs a statement over count elements, n of them from i on at a time: n is LANES, a constant, but for the last few.  load and store
 * take that n, so that every element goes through the same operations wherever it stands, and nothing beyond the end is touched. */
#ifndef TCS_KERNELS_CELLS_LANES_H
#define TCS_KERNELS_CELLS_LANES_H

#include "kernels/cells_tier.h"
#include "kernels/unroll.h"

#define UNROLL TCSI_UNROLL(16)

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

/* Sums of floats that were just computed, where a rounding more or less does not matter: EACH_SUM, but four registers 16 elements apart are
 * added as floats first, which leaves a quarter of the conversions.  The statement leaves what is to be summed in `term`. */
#define EACH_TERM(i, n, term, sum, count, ...)                                                         \
    do {                                                                                               \
        const size_t each_total = (count), each_whole = each_total / (4 * SUM_PARTS) * (4 * SUM_PARTS); \
        for (size_t each_group = 0; each_group < each_whole; each_group += 4 * SUM_PARTS)              \
            UNROLL for (size_t each_r = 0; each_r < SUM_REGISTERS; each_r++) {                         \
                floats each_term[4];                                                                   \
                const size_t n = LANES;                                                                \
                UNROLL for (size_t each_k = 0; each_k < 4; each_k++) {                                 \
                    const size_t i = each_group + each_k * SUM_PARTS + each_r * LANES;                 \
                    floats term;                                                                       \
                    __VA_ARGS__                                                                        \
                    each_term[each_k] = term;                                                          \
                }                                                                                      \
                floats each_sum = floats_add(floats_add(each_term[0], each_term[1]), floats_add(each_term[2], each_term[3])); \
                (sum).part[each_r] = doubles_add((sum).part[each_r], doubles_from(each_sum));          \
            }                                                                                          \
        EACH_SUM(each_rest, n, each_r, each_total - each_whole, {                                      \
            const size_t i = each_whole + each_rest;                                                   \
            floats term;                                                                               \
            __VA_ARGS__                                                                                \
            (sum).part[each_r] = doubles_add((sum).part[each_r], doubles_part(doubles_from(term), n)); \
        });                                                                                            \
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
