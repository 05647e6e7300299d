/* Every tier of the matrix product against its definition (gemm_ref.c), bit for bit: fused for avx2 and avx512, twice rounded for
 * portable.  Operands end (or begin) at a page that cannot be read, the gaps between rows hold NaN, and what surrounds C must stay.
 * SPDX-License-Identifier: Apache-2.0 */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "fence.h"

#include "kernels/gemm_tier.h"

/* ---- one product ---- */

typedef struct setting {
    size_t m, n, k;
    bool a_transposed, b_transposed, accumulate, has_bias, has_residual, residual_is_c, at_end;
    size_t taps, tap_gap, a_gap, b_gap, c_gap; /* taps overlap or leave gaps: tap_stride = channels + tap_gap - 1 */
    tcsi_activation activation;
    fence_values values;
} setting;

typedef struct operands {
    tcsi_gemm gemm;
    fence a, b, c, bias, residual;
    float *before; /* C as it was */
} operands;

static size_t extent(size_t rows, size_t columns, size_t stride)
{
    return rows && columns ? (rows - 1) * stride + columns : 0;
}

static operands operands_make(const setting *s)
{
    tcsi_rng rng = tcsi_rng_make(11, s->m * 1000003 + s->n * 1009 + s->k * 31 + s->taps);
    const size_t a_rows = s->a_transposed ? s->k : s->m, inner = s->a_transposed ? s->m : s->k;
    const size_t channels = inner / s->taps, tap_stride = channels + s->tap_gap - (s->tap_gap > 0);
    const size_t reach = s->taps > 1 ? (s->taps - 1) * tap_stride + channels : inner; /* floats of a row of A, from the first on */
    const size_t a_stride = reach + s->a_gap, b_rows = s->b_transposed ? s->n : s->k, b_columns = s->b_transposed ? s->k : s->n;
    operands o = { .a = fence_make(extent(a_rows, reach, a_stride), s->at_end),
                   .b = fence_make(extent(b_rows, b_columns, b_columns + s->b_gap), s->at_end),
                   .c = fence_make(extent(s->m, s->n, s->n + s->c_gap), s->at_end),
                   .bias = fence_make(s->n, s->at_end),
                   .residual = fence_make(extent(s->m, s->n, s->n + s->c_gap), s->at_end) };
    fence_fill(&o.a, a_rows, reach, a_stride, s->values, &rng);
    fence_fill(&o.b, b_rows, b_columns, b_columns + s->b_gap, s->values, &rng);
    fence_fill(&o.c, s->m, s->n, s->n + s->c_gap, s->values, &rng);
    fence_fill(&o.bias, 1, s->n, s->n, s->values, &rng);
    fence_fill(&o.residual, s->m, s->n, s->n + s->c_gap, s->values, &rng);
    o.gemm = (tcsi_gemm){ .m = s->m, .n = s->n, .k = s->k, .a = o.a.data, .b = o.b.data, .a_stride = a_stride,
                          .b_stride = b_columns + s->b_gap, .a_transposed = s->a_transposed, .b_transposed = s->b_transposed,
                          .tap_count = s->taps, .tap_stride = tap_stride, .c = o.c.data, .c_stride = s->n + s->c_gap,
                          .accumulate = s->accumulate };
    if (!s->accumulate) {
        o.gemm.bias = s->has_bias ? o.bias.data : NULL;
        o.gemm.residual = s->residual_is_c ? o.c.data : s->has_residual ? o.residual.data : NULL;
        o.gemm.residual_stride = s->n + s->c_gap;
        o.gemm.activation = s->activation;
    }
    o.before = calloc(o.c.count + 1, sizeof(float));
    memcpy(o.before, o.c.data, o.c.count * sizeof(float));
    return o;
}

static void operands_free(operands *o)
{
    fence *all[] = { &o->a, &o->b, &o->c, &o->bias, &o->residual };
    for (size_t i = 0; i < TCS_COUNT(all); i++) fence_free(all[i]);
    free(o->before);
}

/* The same product by the specification, into a copy of C as it was. */
static float *expected(const operands *o, bool is_fused)
{
    float *c = calloc(o->c.count + 1, sizeof(float));
    memcpy(c, o->before, o->c.count * sizeof(float));
    tcsi_gemm gemm = o->gemm;
    if (gemm.residual == gemm.c) gemm.residual = c;
    gemm.c = c;
    tcsi_gemm_ref(&gemm, is_fused);
    return c;
}

static bool is_fused_activation(tcsi_activation activation)
{
    return activation == TCSI_ACTIVATION_NONE || activation == TCSI_ACTIVATION_RELU;
}

static void check(const setting *s)
{
    for (int isa = 0; isa < TCSI_ISA_COUNT; isa++) {
        if (!tcsi_isa_supported((tcsi_isa)isa)) continue;
        operands o = operands_make(s);
        float *wanted = expected(&o, isa != TCSI_ISA_PORTABLE);
        tcsi_gemm_run((tcsi_isa)isa, NULL, &o.gemm);
        for (size_t i = 0; i < o.c.count; i++) { /* gaps between rows among them: both hold what was there */
            bool right = fence_same(o.c.data[i], wanted[i]);
            if (!right && !is_fused_activation(s->activation)) right = fabsf(o.c.data[i] - wanted[i]) <= 1e-6f * fabsf(wanted[i]) + 1e-30f;
            if (!right)
                fail_msg("%s, %zu x %zu x %zu%s%s, %zu taps, %s%s%s, activation %d, values %d: row %zu, column %zu: %a, expected %a",
                         tcsi_isa_name((tcsi_isa)isa), s->m, s->k, s->n, s->a_transposed ? " A'" : "", s->b_transposed ? " B'" : "",
                         s->taps, s->accumulate ? "accumulate " : "", s->has_residual ? "residual " : "",
                         s->residual_is_c ? "residual is C" : "", (int)s->activation, (int)s->values, i / (s->n + s->c_gap),
                         i % (s->n + s->c_gap), (double)o.c.data[i], (double)wanted[i]);
        }
        free(wanted);
        operands_free(&o);
    }
}

/* What a setting's number says about everything but sizes. */
static setting variation(size_t number, size_t m, size_t n, size_t k)
{
    tcsi_rng rng = tcsi_rng_make(3, number);
    setting s = { .m = m, .n = n, .k = k, .taps = 1, .tap_gap = 1 };
#define COIN (tcsi_rng_uniform(&rng) < 0.5)
    s.a_transposed = COIN, s.b_transposed = COIN, s.has_bias = COIN, s.at_end = COIN;
    s.accumulate = COIN && COIN;
    s.has_residual = !s.accumulate && COIN;
    s.residual_is_c = !s.accumulate && COIN && COIN;
    s.activation = !s.accumulate && COIN ? TCSI_ACTIVATION_RELU : TCSI_ACTIVATION_NONE;
    if (COIN) s.a_gap = (size_t)(tcsi_rng_uniform(&rng) * 20), s.b_gap = (size_t)(tcsi_rng_uniform(&rng) * 20);
    if (COIN) s.c_gap = (size_t)(tcsi_rng_uniform(&rng) * 70);
    s.values = COIN ? FENCE_ORDINARY : COIN ? FENCE_WHOLE_RANGE : FENCE_SPECIAL;
    size_t inner = s.a_transposed ? m : k;
    if (COIN && inner > 1)
        for (size_t taps = 2; taps <= 7 && s.taps == 1; taps++)
            if (inner % taps == 0) s.taps = taps;
    s.tap_gap = (size_t)(tcsi_rng_uniform(&rng) * 3) * 4; /* overlapping, dense or apart */
#undef COIN
    if (s.tap_gap == 0 && inner / s.taps > 1) s.tap_gap = 1;
    return s;
}

static void test_shapes(void **state)
{
    (void)state;
    static const size_t ms[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 17, 30, 53 };
    static const size_t ns[] = { 1, 2, 3, 4, 5, 7, 8, 9, 11, 12, 15, 16, 17, 24, 25, 31, 32, 33, 40, 47, 48, 49, 63, 64, 65, 79, 96, 100,
                                 129, 140 };
    static const size_t ks[] = { 0, 1, 2, 3, 6, 8, 16, 21, 64 };
    size_t number = 0, step = test_is_small() ? 7 : 1;
    for (size_t i = 0; i < TCS_COUNT(ms); i++)
        for (size_t j = 0; j < TCS_COUNT(ns); j++)
            for (size_t l = 0; l < TCS_COUNT(ks); l++, number++) {
                if (number % step) continue;
                setting s = variation(number, ms[i], ns[j], ks[l]);
                check(&s);
            }
}

/* Every combination of transposes, taps and fused operations, on sizes that are cut into several stretches, rows and strips. */
static void test_cuts(void **state)
{
    (void)state;
    static const size_t sizes[][3] = { { 50, 70, 300 }, { 6, 20, 2100 }, { 250, 9, 60 }, { 1, 150, 1030 }, { 26, 130, 516 } };
    for (size_t i = 0; i < TCS_COUNT(sizes); i++)
        for (unsigned bits = 0; bits < 64; bits++) {
            if (test_is_small() && (bits + i) % 5) continue;
            setting s = { .m = sizes[i][0], .n = sizes[i][1], .k = sizes[i][2], .taps = 1, .tap_gap = 1, .at_end = true, .a_gap = 3,
                          .a_transposed = bits & 1, .b_transposed = bits & 2, .has_bias = bits & 4, .residual_is_c = bits & 8,
                          .activation = bits & 16 ? TCSI_ACTIVATION_RELU : TCSI_ACTIVATION_NONE };
            if (bits & 32) s.taps = (s.a_transposed ? s.m : s.k) % 3 ? 2 : 3, s.tap_gap = 9;
            if ((s.a_transposed ? s.m : s.k) % s.taps) continue;
            check(&s);
        }
}

static void test_activations(void **state)
{
    (void)state;
    for (int activation = 0; activation < TCSI_ACTIVATION_COUNT; activation++)
        for (size_t n = 1; n < 40; n += 6) {
            setting s = { .m = 9, .n = n, .k = 11, .taps = 1, .has_bias = true, .has_residual = true, .c_gap = 2, .at_end = true,
                          .activation = (tcsi_activation)activation, .values = n % 4 == 1 ? FENCE_SPECIAL : FENCE_ORDINARY };
            check(&s);
        }
}

static void test_nothing(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits < 8; bits++) {
        setting s = { .m = bits & 1 ? 0 : 5, .n = bits & 2 ? 0 : 21, .k = bits & 4 ? 0 : 7, .taps = 1, .has_bias = true,
                      .has_residual = true, .at_end = true, .activation = TCSI_ACTIVATION_RELU };
        check(&s);
        s.a_transposed = s.b_transposed = true;
        check(&s);
    }
}

/* Each row, and each column, of a product by itself. */
static void test_alone(void **state)
{
    (void)state;
    const setting s = { .m = 37, .n = 75, .k = 130, .taps = 1, .has_bias = true };
    for (int isa = 0; isa < TCSI_ISA_COUNT; isa++) {
        if (!tcsi_isa_supported((tcsi_isa)isa)) continue;
        operands o = operands_make(&s);
        float alone[75];
        tcsi_gemm_run((tcsi_isa)isa, NULL, &o.gemm);
        for (size_t i = 0; i < s.m; i++) {
            tcsi_gemm row = o.gemm;
            row.m = 1, row.a += i * row.a_stride, row.c = alone;
            tcsi_gemm_run((tcsi_isa)isa, NULL, &row);
            assert_memory_equal(alone, o.c.data + i * s.n, s.n * sizeof(float));
        }
        for (size_t j = 0; j < s.n; j++) {
            tcsi_gemm column = o.gemm;
            column.n = 1, column.b += j, column.bias += j, column.c = alone, column.c_stride = 1;
            tcsi_gemm_run((tcsi_isa)isa, NULL, &column);
            for (size_t i = 0; i < s.m; i++) assert_true(fence_same(alone[i], o.c.data[i * s.n + j]));
        }
        operands_free(&o);
    }
}

/* Large enough to be cut for a pool, which changes no bit. */
static void test_threads(void **state)
{
    (void)state;
    static const size_t sizes[][3] = { { 500, 70, 130 }, { 90, 40, 2000 }, { 7, 700, 400 }, { 1, 1900, 600 } };
    static const size_t threads[] = { 1, 2, 4 };
    for (size_t i = 0; i < TCS_COUNT(sizes); i++)
        for (unsigned bits = 0; bits < 16; bits++)
            for (size_t t = 0; t < TCS_COUNT(threads); t++) {
                setting s = { .m = sizes[i][0], .n = sizes[i][1], .k = sizes[i][2], .taps = 1, .a_transposed = bits & 1, .tap_gap = 5,
                              .b_transposed = bits & 2, .residual_is_c = bits & 4, .activation = TCSI_ACTIVATION_RELU, .at_end = true };
                if (bits & 8) s.taps = 2;
                if ((s.a_transposed ? s.m : s.k) % s.taps || (test_is_small() && bits % 5)) continue;
                tcsi_pool *pool = NULL;
                operands one = operands_make(&s), many = operands_make(&s);
                assert_ok(tcsi_pool_create(threads[t], &pool, test_err));
                tcsi_gemm_run(tcsi_isa_current(), NULL, &one.gemm);
                tcsi_gemm_run(tcsi_isa_current(), pool, &many.gemm);
                assert_memory_equal(one.c.data, many.c.data, one.c.count * sizeof(float));
                tcsi_pool_destroy(pool);
                operands_free(&one);
                operands_free(&many);
            }
}

TCS_TEST_MAIN(cmocka_unit_test(test_shapes), cmocka_unit_test(test_cuts), cmocka_unit_test(test_activations),
              cmocka_unit_test(test_nothing), cmocka_unit_test(test_alone), cmocka_unit_test(test_threads))
