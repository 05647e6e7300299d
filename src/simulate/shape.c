/* simulate/shape.c -- templates, repetition and noise.
 * Stable autoregressions are drawn by their roots: complex pairs a exp(+-iw) with a in 0.5..0.99, real roots in -0.3..0.98; the
 * coefficients are the product of their factors, so that stationarity holds by construction (Box & Jenkins).  Student's t is a
 * normal over the root of a mean of squares of normals.  SPDX-License-Identifier: Apache-2.0 */
#include "simulate/shape.h"

#include "series/moving.h"
#include "series/stats.h"

#include <math.h>
#include <string.h>

#define PI 3.14159265358979323846

enum { BURN_IN = 200, ORDER_MAX = 4 };

void tcsi_shape_standardize(double *values, size_t count)
{
    tcsi_moments m = tcsi_moments_of(values, count);
    double deviation = sqrt(m.variance);
    double factor = deviation > 1e-9 ? 1 / deviation : 1;
    for (size_t i = 0; i < count; i++) values[i] = (values[i] - m.mean) * factor;
}

void tcsi_shape_smooth(double *values, size_t count, size_t width, double *scratch)
{
    size_t half = (width + 1) / 2;
    if (width < 2) return;
    tcsi_moving_mean(values, count, half, scratch);
    tcsi_moving_mean(scratch, count, half | 1, values);
}

static void harmonics(tcsi_rng *rng, double *ret, size_t count)
{
    size_t last = 1 + tcsi_rng_below(rng, 6);
    memset(ret, 0, count * sizeof *ret);
    for (size_t k = 1; k <= last; k++) {
        double amplitude = tcsi_rng_normal(rng) / pow((double)k, tcsi_rng_range(rng, 0.5, 1.5)), phase = tcsi_rng_range(rng, 0, 2 * PI);
        for (size_t i = 0; i < count; i++) ret[i] += amplitude * sin(2 * PI * (double)k * (double)i / (double)count + phase);
    }
}

static void bumps(tcsi_rng *rng, double *ret, size_t count)
{
    size_t bump_count = 2 + tcsi_rng_below(rng, 5);
    memset(ret, 0, count * sizeof *ret);
    for (size_t k = 0; k < bump_count; k++) {
        double center = tcsi_rng_uniform(rng), width = pow(10, tcsi_rng_range(rng, -2, -0.8)), height = tcsi_rng_normal(rng);
        if (tcsi_rng_uniform(rng) < 0.3) height *= 3;
        for (size_t i = 0; i < count; i++) {
            double distance = (double)i / (double)count - center;
            distance -= floor(distance + 0.5); /* on a circle */
            ret[i] += height * exp(-0.5 * distance * distance / (width * width));
        }
    }
}

static void curve(tcsi_rng *rng, double *ret, size_t count, double *scratch)
{
    double level = 0;
    for (size_t i = 0; i < count; i++) ret[i] = level += tcsi_rng_normal(rng);
    tcsi_shape_smooth(ret, count, count / (4 + tcsi_rng_below(rng, 16)), scratch);
    double first = ret[0], step = (ret[count - 1] - ret[0]) / (double)(count - 1);
    for (size_t i = 0; i < count; i++) ret[i] -= first + step * (double)i; /* its ends meet */
}

static void duty(tcsi_rng *rng, double *ret, size_t count, double *scratch)
{
    size_t piece_count = 1 + tcsi_rng_below(rng, 3);
    memset(ret, 0, count * sizeof *ret);
    for (size_t k = 0; k < piece_count; k++) {
        size_t begin = tcsi_rng_below(rng, count), length = 1 + (size_t)((double)count * tcsi_rng_range(rng, 0.1, 0.6));
        double height = tcsi_rng_normal(rng);
        for (size_t i = 0; i < length; i++) ret[(begin + i) % count] += height;
    }
    if (tcsi_rng_uniform(rng) < 0.5) tcsi_shape_smooth(ret, count, count / 20, scratch);
}

static void wedge(tcsi_rng *rng, double *ret, size_t count)
{
    double corner = tcsi_rng_range(rng, 0.1, 0.9), power = tcsi_rng_range(rng, 0.5, 2);
    for (size_t i = 0; i < count; i++) ret[i] = pow(fabs((double)i / (double)count - corner), power);
}

void tcsi_shape_template(tcsi_rng *rng, tcsi_shape_kind kind, double *ret, size_t count, double *scratch)
{
    TCS_ASSERT(count >= 2);
    if (kind == TCSI_SHAPE_ANY) kind = (tcsi_shape_kind)tcsi_rng_below(rng, TCSI_SHAPE_KIND_COUNT);
    switch (kind) {
    case TCSI_SHAPE_HARMONICS: harmonics(rng, ret, count); break;
    case TCSI_SHAPE_BUMPS: bumps(rng, ret, count); break;
    case TCSI_SHAPE_CURVE: curve(rng, ret, count, scratch); break;
    case TCSI_SHAPE_DUTY: duty(rng, ret, count, scratch); break;
    default: wedge(rng, ret, count); break;
    }
    tcsi_shape_standardize(ret, count);
}

void tcsi_shape_repeat(tcsi_rng *rng, const tcsi_shape_cycles *cycles, double *ret, size_t count)
{
    size_t m = cycles->template_count, filled = 0, skip = tcsi_rng_below(rng, m);
    for (size_t cycle = 0; filled < count; cycle++) {
        const double *one = cycles->templates + (cycles->order ? cycles->order[cycle % cycles->order_count] * m : 0);
        double length = floor((double)m * (1 + cycles->jitter * tcsi_rng_normal(rng)) + 0.5);
        size_t stretched = length < 4 ? 4 : (size_t)length;
        double factor = 1 + cycles->amplitude * tcsi_rng_normal(rng);
        for (size_t i = 0; i < stretched && filled < count; i++) {
            if (skip > 0) {
                skip--;
                continue;
            }
            double at = (double)i * (double)m / (double)stretched;
            size_t left = (size_t)at, right = left + 1 < m ? left + 1 : 0;
            ret[filled++] = factor * (one[left] + (at - (double)left) * (one[right] - one[left]));
        }
    }
}

/* Multiplies a polynomial in the lag by 1 + b L + c L^2. */
static void multiply_factor(double *coefficients, size_t degree, double b, double c)
{
    for (size_t k = degree + 1; k-- > 0;) {
        if (k + 2 <= ORDER_MAX) coefficients[k + 2] += c * coefficients[k];
        if (k + 1 <= ORDER_MAX) coefficients[k + 1] += b * coefficients[k];
    }
}

double tcsi_shape_student(tcsi_rng *rng, int degrees)
{
    double value = tcsi_rng_normal(rng), squares = 0;
    for (int k = 0; k < degrees; k++) {
        double one = tcsi_rng_normal(rng);
        squares += one * one;
    }
    return value / sqrt(fmax(squares / degrees, 1e-12));
}

void tcsi_shape_autoregression(tcsi_rng *rng, size_t order, double *ret, size_t count)
{
    double coefficients[ORDER_MAX + 1] = { 1 }, past[ORDER_MAX] = { 0 };
    if (order == 0) order = 1 + tcsi_rng_below(rng, ORDER_MAX);
    TCS_ASSERT(order <= ORDER_MAX);
    for (size_t degree = 0; degree < order;) {
        if (order - degree >= 2 && tcsi_rng_uniform(rng) < 0.6) {
            double modulus = tcsi_rng_range(rng, 0.5, 0.99), angle = tcsi_rng_range(rng, 0.05, 2.5);
            multiply_factor(coefficients, degree, -2 * modulus * cos(angle), modulus * modulus);
            degree += 2;
        } else {
            multiply_factor(coefficients, degree, -tcsi_rng_range(rng, -0.3, 0.98), 0);
            degree += 1;
        }
    }
    bool heavy = tcsi_rng_uniform(rng) >= 0.7;
    for (size_t t = 0; t < count + BURN_IN; t++) {
        double value = heavy ? tcsi_shape_student(rng, 4) : tcsi_rng_normal(rng);
        for (size_t k = 0; k < order; k++) value -= coefficients[k + 1] * past[k];
        memmove(past + 1, past, (ORDER_MAX - 1) * sizeof *past);
        past[0] = value;
        if (t >= BURN_IN) ret[t - BURN_IN] = value;
    }
    tcsi_shape_standardize(ret, count);
}
