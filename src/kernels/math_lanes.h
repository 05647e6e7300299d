/* kernels/math_lanes.h -- exp, log and what is made of them, on a register of floats; included once per tier after floats_TIER.h.
 *
 * The method of W. J. Cody and W. Waite, "Software Manual for the Elementary Functions" (1980): reduce the argument to a small interval
 * with a constant in two parts, evaluate a polynomial there, put the result back together.  The polynomials are our own:
 * tools/fit_polynomials.py fits them to the relative error (least squares with C. L. Lawson's weights, which end near the minimax) and
 * rounds the coefficients to float one by one, fitting the others again.
 *
 * Every tier does the same operations in the same order; avx2 and avx512 round a multiply-add once and give the same bits, portable
 * rounds twice.  No table, no branch, no state; NaN, infinities and denormals come out as libm's do.  Worst errors in units in the last
 * place (rounding alone is 0.5), of exp and log over all 2^32 floats, of the others over every seventh; kernels/math_test.c finds them
 * with TOCSIN_TEST_EXHAUSTIVE=1:
 *
 *                       exp   log   tanh  sigmoid  softplus  gelu
 *     avx2, avx512      1.04  0.86  2.6   2.4      3.6       3.6
 *     portable          1.01  0.87  2.6   2.4      3.6       3.8 */
#ifndef TCS_KERNELS_MATH_LANES_H
#define TCS_KERNELS_MATH_LANES_H

INLINE floats floats_abs(floats a)
{
    return ints_as_floats(ints_and(floats_as_ints(a), ints_set(INT32_MAX)));
}

INLINE floats floats_minus_abs(floats a)
{
    return ints_as_floats(ints_or(floats_as_ints(a), ints_set(INT32_MIN)));
}

INLINE floats floats_with_sign(floats a, floats sign) /* a >= 0 */
{
    return ints_as_floats(ints_or(floats_as_ints(a), ints_and(floats_as_ints(sign), ints_set(INT32_MIN))));
}

INLINE floats floats_relu(floats a)
{
    return floats_max(floats_set(0), a); /* in this order NaN stays NaN */
}

/* ---- exp ---- */

/* x = n log 2 + r. */
typedef struct exponent {
    floats n, expm1_r; /* n a whole number; exp(r) - 1, |r| <= log 2 / 2 */
} exponent;

/* exp(r) - 1 = r + r^2 q(r), to 1.4e-8 of itself. */
INLINE floats expm1_reduced(floats r)
{
    floats q = floats_set(0x1.6b7cbap-10f);
    q = floats_fma(q, r, floats_set(0x1.12268ap-7f));
    q = floats_fma(q, r, floats_set(0x1.55570ep-5f));
    q = floats_fma(q, r, floats_set(0x1.5554b2p-3f));
    q = floats_fma(q, r, floats_set(0x1.fffffep-2f));
    return floats_fma(floats_mul(r, r), q, r);
}

/* n for x.  Adding 1.5 2^23 rounds to a whole number. */
INLINE floats whole_exponent(floats x)
{
    const floats whole = floats_set(0x1.8p23f);
    return floats_sub(floats_fma(x, floats_set(0x1.715476p+0f), whole), whole);
}

/* x - n log 2, where log 2 = 355/512 - 2.1219444e-4, so that n times the first part is exact. */
INLINE floats less_exponent(floats x, floats n)
{
    return floats_fma(n, floats_set(0x1.bd0106p-13f), floats_fma(n, floats_set(-0x1.63p-1f), x));
}

INLINE exponent exponent_of(floats x)
{
    floats n = whole_exponent(x);
    return (exponent){ n, expm1_reduced(less_exponent(x, n)) };
}

/* Of high + low, |low| much smaller. */
INLINE exponent exponent_of_sum(floats high, floats low)
{
    floats n = whole_exponent(floats_add(high, low));
    return (exponent){ n, expm1_reduced(floats_add(less_exponent(high, n), low)) };
}

INLINE floats exp_from(exponent e)
{
    return floats_scale(floats_add(floats_set(1), e.expm1_r), e.n);
}

/* exp - 1 for |n| < 127 */
INLINE floats expm1_from(exponent e)
{
    floats power = floats_scale(floats_set(1), e.n);
    return floats_fma(e.expm1_r, power, floats_sub(power, floats_set(1)));
}

/* Below -104 exp is 0, above 89 infinite; the operands' order lets NaN through. */
INLINE floats floats_exp(floats x)
{
    x = floats_max(floats_set(-104), floats_min(floats_set(89), x));
    return exp_from(exponent_of(x));
}

/* exp(-|x|) */
INLINE floats exp_decay(floats x)
{
    return exp_from(exponent_of(floats_max(floats_set(-104), floats_minus_abs(x))));
}

/* 1 / (1 + e) or e / (1 + e), with e = exp(-|x|), which cannot overflow. */
INLINE floats floats_sigmoid(floats x)
{
    const floats one = floats_set(1);
    floats e = exp_decay(x);
    return floats_div(floats_select(floats_less(x, floats_set(0)), e, one), floats_add(one, e));
}

/* With m = exp(2|x|) - 1:  tanh |x| = m / (m + 2).  Beyond 10 it is 1. */
INLINE floats floats_tanh(floats x)
{
    floats a = floats_min(floats_set(10), floats_abs(x));
    floats m = expm1_from(exponent_of(floats_add(a, a)));
    return floats_with_sign(floats_div(m, floats_add(m, floats_set(2))), x);
}

/* 1 - exp(-y), y >= 0: the slope of softplus by its value.  Beyond 40 it is 1. */
INLINE floats floats_one_less_exp_minus(floats y)
{
    return floats_sub(floats_set(0), expm1_from(exponent_of(floats_max(floats_set(-40), floats_minus_abs(y)))));
}

/* max(x, 0) + log(1 + e), e = exp(-|x|); with s = e / (2 + e), log(1 + e) = 2 artanh s = s q(s^2), to 6.9e-9 of itself. */
INLINE floats floats_softplus(floats x)
{
    floats e = exp_decay(x), s = floats_div(e, floats_add(floats_set(2), e)), z = floats_mul(s, s);
    floats q = floats_set(0x1.231f7cp-2f);
    q = floats_fma(q, z, floats_set(0x1.1dd37ap-2f));
    q = floats_fma(q, z, floats_set(0x1.99e0eap-2f));
    q = floats_fma(q, z, floats_set(0x1.5554ep-1f));
    q = floats_fma(q, z, floats_set(2));
    return floats_fma(s, q, floats_relu(x));
}

/* ---- log ---- */

/* log(1 + f) = f - f^2 / 2 + f^3 q(f), to 5.9e-9 of itself; sqrt(1/2) <= 1 + f <= sqrt(2). */
INLINE floats log1p_cubic(floats f)
{
    floats q = floats_set(-0x1.38d512p-4f);
    q = floats_fma(q, f, floats_set(0x1.056a46p-3f));
    q = floats_fma(q, f, floats_set(-0x1.0d85aep-3f));
    q = floats_fma(q, f, floats_set(0x1.22d7d2p-3f));
    q = floats_fma(q, f, floats_set(-0x1.54720ap-3f));
    q = floats_fma(q, f, floats_set(0x1.99a026p-3f));
    q = floats_fma(q, f, floats_set(-0x1.000228p-2f));
    return floats_fma(q, f, floats_set(0x1.555554p-2f));
}

/* x = 2^n (1 + f); 0x3f3504f3 is sqrt(1/2).  Denormals are multiplied by 2^23 first. */
INLINE floats floats_log(floats x)
{
    mask small = floats_less(x, floats_set(0x1p-126f));
    ints bits = floats_as_ints(floats_select(small, floats_mul(x, floats_set(0x1p23f)), x));
    ints exponents = ints_shift_right(ints_sub(bits, ints_set(0x3f3504f3)), 23);
    floats f = floats_sub(ints_as_floats(ints_sub(bits, ints_shift_left(exponents, 23))), floats_set(1));
    floats n = floats_sub(ints_to_floats(exponents), floats_select(small, floats_set(23), floats_set(0))), square = floats_mul(f, f);
    floats low = floats_fma(n, floats_set(-0x1.bd0106p-13f), floats_mul(floats_mul(f, square), log1p_cubic(f)));
    low = floats_fma(square, floats_set(-0.5f), low);
    floats y = floats_fma(n, floats_set(0x1.63p-1f), floats_add(f, low));
    floats outside = floats_select(floats_equal(x, floats_set(0)), floats_set(-INFINITY), floats_set(NAN));
    y = floats_select(floats_less(floats_set(0), x), y, outside);
    return floats_select(floats_equal(x, floats_set(INFINITY)), x, y);
}

/* ---- the normal distribution ---- */

/* For a = |x|:  Phi(-a) = exp(-a^2 / 2) t q, where t = 1 / (1 + 5/8 a) and q changes little. */
typedef struct normal_tail {
    floats a, a_t, u, q;
    exponent density; /* of exp(-a^2 / 2) */
} normal_tail;

/* a^2 is z^2, exact because z has 12 bits, and (a - z)(a + z): exp would magnify the rounding of a square.  q is a polynomial in
 * u = 2 t - 1 = 1 - 5/4 a t, to 1.6e-8 of itself up to a = 14.6, beyond which the density is 0.  With 5/8 it is flat enough for the
 * rounding of t to pass unmagnified; a quotient of two polynomials in a, of positive coefficients, was a unit worse. */
INLINE normal_tail normal_tail_of(floats x)
{
    const floats minus_half = floats_set(-0.5f);
    floats a = floats_min(floats_set(15), floats_abs(x)), z = ints_as_floats(ints_and(floats_as_ints(a), ints_set(-4096)));
    floats rest = floats_mul(floats_sub(a, z), floats_add(a, z));
    exponent density = exponent_of_sum(floats_mul(floats_mul(z, z), minus_half), floats_mul(rest, minus_half));
    floats a_t = floats_div(a, floats_fma(a, floats_set(0.625f), floats_set(1)));
    floats u = floats_fma(a_t, floats_set(-1.25f), floats_set(1));
    floats q = floats_set(-0x1.dbfb74p-16f);
    q = floats_fma(q, u, floats_set(0x1.88f6f4p-13f));
    q = floats_fma(q, u, floats_set(-0x1.537facp-12f));
    q = floats_fma(q, u, floats_set(-0x1.2afae8p-13f));
    q = floats_fma(q, u, floats_set(0x1.6c847ep-10f));
    q = floats_fma(q, u, floats_set(-0x1.25b954p-9f));
    q = floats_fma(q, u, floats_set(-0x1.e898e4p-12f));
    q = floats_fma(q, u, floats_set(0x1.426974p-7f));
    q = floats_fma(q, u, floats_set(-0x1.070af4p-6f));
    q = floats_fma(q, u, floats_set(-0x1.bceb92p-6f));
    q = floats_fma(q, u, floats_set(0x1.206034p-3f));
    q = floats_fma(q, u, floats_set(0x1.93a5a8p-2f));
    return (normal_tail){ a, a_t, u, q, density };
}

/* factor exp(-a^2 / 2), with one rounding less than exp and a product. */
INLINE floats times_density(floats factor, exponent density)
{
    return floats_scale(floats_fma(factor, density.expm1_r, factor), density.n);
}

/* x Phi(x): -a Phi(-a) below 0, a - a Phi(-a) above. */
INLINE floats floats_gelu(floats x)
{
    normal_tail tail = normal_tail_of(x);
    floats part = times_density(floats_mul(floats_with_sign(tail.a_t, x), tail.q), tail.density);
    return floats_select(floats_less(x, floats_set(0)), part, floats_sub(x, part));
}

/* Phi(x) + x phi(x): exp(-a^2 / 2) (t q - a / sqrt(2 pi)) below 0, 1 less that above. */
INLINE floats floats_gelu_slope(floats x)
{
    normal_tail tail = normal_tail_of(x);
    floats ratio = floats_mul(tail.q, floats_fma(tail.u, floats_set(0.5f), floats_set(0.5f)));
    floats part = times_density(floats_fma(tail.a, floats_set(-0x1.988454p-2f), ratio), tail.density);
    return floats_select(floats_less(x, floats_set(0)), part, floats_sub(floats_set(1), part));
}

#endif
