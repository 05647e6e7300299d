/* kernels/math_test.c -- exp, log and their relatives in every tier against libm in double, over the whole range of floats.
 * Every STRIDE-th bit pattern is tried, and all near the places where something changes; TOCSIN_TEST_EXHAUSTIVE=1 tries all 2^32 (half
 * an hour) and prints the worst errors.  A unit in the last place is that of the true value, of the least denormal below that.
 * SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "kernels/vector.h"

enum { BLOCK = 4096, STRIDE = 4099, NEAR = 2000 };

static float from_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static uint32_t to_bits(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* ---- the functions and what they may be off ---- */

static double exact_sigmoid(double x)
{
    return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x));
}

static double exact_softplus(double x)
{
    return isnan(x) ? x : fmax(x, 0) + log1p(exp(-fabs(x)));
}

static double exact_gelu(double x)
{
    return x == -INFINITY ? -0.0 : x * (erfc(-x * 0.70710678118654752440) / 2);
}

static double exact_relu(double x)
{
    return x < 0 ? 0 : x;
}

static double exact_square(double x)
{
    return x * x;
}

typedef struct function_case {
    const char *name;
    tcsi_unary function;
    double (*exact)(double x);
    double ulp_fused, ulp_portable; /* largest allowed error */
} function_case;

static const function_case cases[] = {
    { "exp", TCSI_UNARY_EXP, exp, 1.1, 1.1 },
    { "log", TCSI_UNARY_LOG, log, 0.9, 0.9 },
    { "tanh", TCSI_UNARY_TANH, tanh, 2.7, 2.7 },
    { "sigmoid", TCSI_UNARY_SIGMOID, exact_sigmoid, 2.6, 2.6 },
    { "softplus", TCSI_UNARY_SOFTPLUS, exact_softplus, 3.9, 3.9 },
    { "gelu", TCSI_UNARY_GELU, exact_gelu, 3.9, 3.9 },
    { "relu", TCSI_UNARY_RELU, exact_relu, 0, 0 },
    { "square", TCSI_UNARY_SQUARE, exact_square, 0.5, 0.5 },
    { "sqrt", TCSI_UNARY_SQRT, sqrt, 0.5, 0.5 },
    { "abs", TCSI_UNARY_ABS, fabs, 0, 0 },
};

/* ---- comparing ---- */

/* Infinity counts as 2^128, the float that would come after the largest. */
static double ulp_error(double exact, float actual)
{
    if (isnan(exact) || isnan(actual)) return isnan(exact) && isnan(actual) ? 0 : INFINITY;
    double e = fmax(-0x1p128, fmin(0x1p128, exact)), a = fmax(-0x1p128, fmin(0x1p128, (double)actual));
    int exponent;
    (void)frexp(e, &exponent);
    return fabs(a - e) / ldexp(1, (exponent < -125 ? -125 : exponent > 128 ? 128 : exponent) - 24);
}

typedef struct worst_error {
    double error;
    float x;
} worst_error;

/* The count floats of block x through one function in every tier. */
static void check_block(const function_case *c, const float *x, size_t count, worst_error *worst)
{
    static double exact[BLOCK];
    static float y[TCSI_ISA_COUNT][BLOCK];
    for (size_t i = 0; i < count; i++) exact[i] = c->exact((double)x[i]);
    for (int isa = 0; isa < TCSI_ISA_COUNT; isa++) {
        if (!tcsi_isa_supported((tcsi_isa)isa)) continue;
        tcsi_vector_unary((tcsi_isa)isa, c->function, count, x, y[isa]);
        for (size_t i = 0; i < count; i++) {
            double error = ulp_error(exact[i], y[isa][i]), allowed = isa == TCSI_ISA_PORTABLE ? c->ulp_portable : c->ulp_fused;
            if (error > worst[isa].error) worst[isa] = (worst_error){ error, x[i] };
            if (!(error <= allowed))
                fail_msg("%s, %s: f(%a) is %a, off by %g units in the last place, allowed %g", c->name, tcsi_isa_name((tcsi_isa)isa),
                         (double)x[i], (double)y[isa][i], error, allowed);
        }
    }
    if (!tcsi_isa_supported(TCSI_ISA_AVX512)) return;
    for (size_t i = 0; i < count; i++)
        if (to_bits(y[TCSI_ISA_AVX2][i]) != to_bits(y[TCSI_ISA_AVX512][i]) && !isnan(exact[i]))
            fail_msg("%s: f(%a) is %a in avx2 and %a in avx512", c->name, (double)x[i], (double)y[TCSI_ISA_AVX2][i],
                     (double)y[TCSI_ISA_AVX512][i]);
}

static void check_range(const function_case *c, uint64_t begin, uint64_t end, uint64_t stride, worst_error *worst)
{
    static float x[BLOCK];
    size_t count = 0;
    for (uint64_t bits = begin; bits < end; bits += stride) {
        x[count++] = from_bits((uint32_t)bits);
        if (count < BLOCK && bits + stride < end) continue;
        check_block(c, x, count, worst);
        count = 0;
    }
}

/* ---- the tests ---- */

static void test_accuracy(void **state)
{
    (void)state;
    /* Zero, the least normal, one, infinity; where exp ends below and above; where log changes its exponent; where tails end. */
    const float near[] = { 0, 0x1p-126f, 1, 2, INFINITY, 88.72284f, 103.97208f, 87.33655f, 0.70710678f, 1.4142135f, 10, 9.010913f, 16.6355f,
                           0.34657359f, 14.5f, 15, 13.2f, 0x1p-24f, 0.5f };
    const bool exhaustive = getenv("TOCSIN_TEST_EXHAUSTIVE") != NULL;
    for (size_t f = 0; f < TCS_COUNT(cases); f++) {
        worst_error worst[TCSI_ISA_COUNT] = { 0 };
        check_range(&cases[f], 0, (uint64_t)1 << 32, exhaustive ? 1 : test_is_small() ? 97 * STRIDE : STRIDE, worst);
        for (size_t i = 0; i < TCS_COUNT(near); i++)
            for (int negative = 0; negative < 2; negative++) {
                uint64_t middle = to_bits(negative ? -near[i] : near[i]), begin = middle > NEAR ? middle - NEAR : 0;
                check_range(&cases[f], begin, middle + NEAR < (uint64_t)1 << 32 ? middle + NEAR : (uint64_t)1 << 32, 1, worst);
            }
        for (int isa = 0; exhaustive && isa < TCSI_ISA_COUNT; isa++)
            print_message("# %-9s %-9s %.3f at %a\n", cases[f].name, tcsi_isa_name((tcsi_isa)isa), worst[isa].error, (double)worst[isa].x);
    }
}

TCS_TEST_MAIN(cmocka_unit_test(test_accuracy))
