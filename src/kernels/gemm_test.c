/* Every tier of the matrix product against its definition (gemm_ref.c), bit for bit: fused for avx2 and avx512, twice rounded for
 * portable.  In bfloat16 against the same definition over operands that were rounded before; sums that were flushed to zero on their way
 * may be off by as much as was flushed.  Operands end (or begin) at a page that cannot be read, the gaps between rows hold NaN, and what
 * surrounds C must stay.
 * SPDX-License-Identifier: Apache-2.0 */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "bfloat16.h"
#include "fence.h"

#include "kernels/gemm_tier.h"

/* ---- one product ---- */

typedef struct setting {
    size_t m, n, k;
    bool a_transposed, b_transposed, accumulate, has_bias, has_residual, residual_is_c, at_end;
    size_t taps, tap_gap, a_gap, b_gap, c_gap; /* taps overlap or leave gaps: tap_stride = channels + tap_gap - 1 */
    tcsi_activation activation;
    fence_values values;
    tcsi_precision precision;
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
                          .accumulate = s->accumulate, .precision = s->precision };
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

/* An operand as the specification sees it. */
static float *as_rounded(const fence *f, tcsi_precision precision)
{
    float *values = calloc(f->count + 1, sizeof(float));
    for (size_t i = 0; i < f->count; i++) values[i] = precision == TCSI_PRECISION_SINGLE ? f->data[i] : bfloat16_of(f->data[i]);
    return values;
}

/* The same product by the specification, into a copy of C as it was. */
static float *expected(const operands *o, bool is_fused)
{
    float *c = calloc(o->c.count + 1, sizeof(float));
    float *a = as_rounded(&o->a, o->gemm.precision), *b = as_rounded(&o->b, o->gemm.precision);
    memcpy(c, o->before, o->c.count * sizeof(float));
    tcsi_gemm gemm = o->gemm;
    if (gemm.residual == gemm.c) gemm.residual = c;
    gemm.a = a;
    gemm.b = b;
    gemm.c = c;
    tcsi_gemm_ref(&gemm, is_fused);
    free(a);
    free(b);
    return c;
}

static bool is_fused_activation(tcsi_activation activation)
{
    return activation == TCSI_ACTIVATION_NONE || activation == TCSI_ACTIVATION_RELU;
}

static bool is_right(const setting *s, float found, float wanted)
{
    if (fence_same(found, wanted)) return true;
    if (!is_fused_activation(s->activation)) return fabsf(found - wanted) <= 1e-6f * fabsf(wanted) + 1e-30f;
    return s->precision != TCSI_PRECISION_SINGLE && fabsf(found - wanted) <= (float)(s->k + 1) * FLT_MIN;
}

static void check_in(const setting *s)
{
    for (int isa = 0; isa < TCSI_ISA_COUNT; isa++) {
        if (!tcsi_isa_supported((tcsi_isa)isa)) continue;
        operands o = operands_make(s);
        float *wanted = expected(&o, isa != TCSI_ISA_PORTABLE);
        tcsi_gemm_run((tcsi_isa)isa, NULL, &o.gemm);
        for (size_t i = 0; i < o.c.count; i++) { /* gaps between rows among them: both hold what was there */
            if (!is_right(s, o.c.data[i], wanted[i]))
                fail_msg("%s%s, %zu x %zu x %zu%s%s, %zu taps, %s%s%s, activation %d, values %d: row %zu, column %zu: %a, expected %a",
                         tcsi_isa_name((tcsi_isa)isa), s->precision == TCSI_PRECISION_SINGLE ? "" : ", bfloat16", s->m,
                         s->k, s->n, s->a_transposed ? " A'" : "", s->b_transposed ? " B'" : "",
                         s->taps, s->accumulate ? "accumulate " : "", s->has_residual ? "residual " : "",
                         s->residual_is_c ? "residual is C" : "", (int)s->activation, (int)s->values, i / (s->n + s->c_gap),
                         i % (s->n + s->c_gap), (double)o.c.data[i], (double)wanted[i]);
        }
        free(wanted);
        operands_free(&o);
    }
}

static const tcsi_precision precisions[] = { TCSI_PRECISION_SINGLE, TCSI_PRECISION_BFLOAT16 };

static void check(const setting *s)
{
    for (size_t i = 0; i < TCS_COUNT(precisions); i++) {
        setting one = *s;
        one.precision = precisions[i];
        check_in(&one);
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
    setting s = { .m = 37, .n = 75, .k = 130, .taps = 1, .has_bias = true };
    for (int number = 0; number < 2 * TCSI_ISA_COUNT; number++) {
        const int isa = number / 2;
        if (!tcsi_isa_supported((tcsi_isa)isa)) continue;
        s.precision = precisions[number % 2];
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
        for (unsigned bits = 0; bits < 32; bits++)
            for (size_t t = 0; t < TCS_COUNT(threads); t++) {
                setting s = { .m = sizes[i][0], .n = sizes[i][1], .k = sizes[i][2], .taps = 1, .a_transposed = bits & 1, .tap_gap = 5,
                              .b_transposed = bits & 2, .residual_is_c = bits & 4, .activation = TCSI_ACTIVATION_RELU, .at_end = true,
                              .precision = precisions[bits / 16] };
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

/* What one operand becomes, as A and as B. */
static void test_rounding(void **state)
{
    (void)state;
    static const uint32_t found[][2] = {
        { 0x3f800000, 0x3f800000 }, { 0x3f808000, 0x3f800000 } /* a tie goes to even */, { 0x3f818000, 0x3f820000 },
        { 0x3f808001, 0x3f810000 }, { 0xbf807fff, 0xbf800000 }, { 0x3fffffff, 0x40000000 }, { 0x7f7f7fff, 0x7f7f0000 },
        { 0x7f7f8000, 0x7f800000 }, { 0xff7fffff, 0xff800000 }, { 0x7f800000, 0x7f800000 }, { 0x00800000, 0x00800000 },
        { 0x007fffff, 0 }, { 0x00000001, 0 },
    };
    for (int isa = 0; isa < TCSI_ISA_COUNT; isa++)
        for (size_t i = 0; i < TCS_COUNT(found) && tcsi_isa_supported((tcsi_isa)isa); i++) {
            float x, wanted, c[2];
            const float one = 1;
            memcpy(&x, &found[i][0], sizeof x);
            memcpy(&wanted, &found[i][1], sizeof wanted);
            tcsi_gemm gemm = { .m = 1, .n = 1, .k = 1, .a = &x, .b = &one, .a_stride = 1, .b_stride = 1, .c = &c[0], .c_stride = 1,
                               .precision = TCSI_PRECISION_BFLOAT16 };
            tcsi_gemm_run((tcsi_isa)isa, NULL, &gemm);
            gemm.a = &one, gemm.b = &x, gemm.c = &c[1];
            tcsi_gemm_run((tcsi_isa)isa, NULL, &gemm);
            assert_true(fence_same(c[0], wanted) && fence_same(c[1], wanted));
            assert_true(fence_same(bfloat16_of(x), wanted));
            static const uint32_t nan_bits = 0x7f800001; /* only lower bits, which are cut off */
            memcpy(&x, &nan_bits, sizeof x);
            tcsi_gemm_run((tcsi_isa)isa, NULL, &gemm);
            assert_true(isnan(c[1]));
        }
}

/* How far from the exact product: two roundings of 2^-9 a term, and those of the sum. */
static void test_rounding_error(void **state)
{
    (void)state;
    const setting s = { .m = 21, .n = 70, .k = 700, .taps = 1, .has_bias = true, .precision = TCSI_PRECISION_BFLOAT16 };
    for (int isa = 0; isa < TCSI_ISA_COUNT; isa++) {
        if (!tcsi_isa_supported((tcsi_isa)isa)) continue;
        operands o = operands_make(&s);
        tcsi_gemm_run((tcsi_isa)isa, NULL, &o.gemm);
        for (size_t i = 0; i < s.m * s.n; i++) {
            double exact = (double)o.bias.data[i % s.n], rounded = exact, size = fabs(exact);
            for (size_t p = 0; p < s.k; p++) {
                const float a = o.a.data[i / s.n * s.k + p], b = o.b.data[p * s.n + i % s.n];
                exact += (double)a * (double)b;
                rounded += (double)bfloat16_of(a) * (double)bfloat16_of(b);
                size += fabs((double)a * (double)b);
            }
            assert_true(fabs((double)o.c.data[i] - exact) <= (ldexp(1.01, -8) + ldexp((double)s.k, -24)) * size);
            assert_true(fabs((double)o.c.data[i] - rounded) <= ldexp((double)s.k, -24) * size);
        }
        operands_free(&o);
    }
}

TCS_TEST_MAIN(cmocka_unit_test(test_shapes), cmocka_unit_test(test_cuts), cmocka_unit_test(test_activations),
              cmocka_unit_test(test_nothing), cmocka_unit_test(test_alone), cmocka_unit_test(test_threads),
              cmocka_unit_test(test_rounding), cmocka_unit_test(test_rounding_error))
