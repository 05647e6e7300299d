/* kernels/leaky.c -- prepares windows and segments of the leaky join, and its reference tier in plain C, the specification of
 * the fast ones.  SPDX-License-Identifier: Apache-2.0 */
#include "kernels/leaky_tier.h"

#include <math.h>
#include <string.h>

static const double VARIANCE_MIN = 1e-12;

tcsi_leaky_rule tcsi_leaky_rule_make(size_t window, double time_constant)
{
    TCS_ASSERT(window >= 1 && window <= TCSI_LEAKY_WINDOW_MAX && time_constant > 0);
    tcsi_leaky_rule rule = { .window = window, .decay = exp(-1 / time_constant) };
    for (size_t k = 0; k < window; k++) {
        rule.weights[k] = pow(rule.decay, (double)(window - 1 - k));
        rule.sum += rule.weights[k];
    }
    rule.decay_window = pow(rule.decay, (double)window);
    return rule;
}

void tcsi_leaky_moments(const tcsi_leaky_rule *rule, const double *values, double *ret_mean, double *ret_variance)
{
    double sum = 0, square_sum = 0;
    for (size_t k = 0; k < rule->window; k++) sum += rule->weights[k] * values[k];
    const double mean = sum / rule->sum;
    for (size_t k = 0; k < rule->window; k++) square_sum += rule->weights[k] * (values[k] - mean) * (values[k] - mean);
    *ret_mean = mean;
    *ret_variance = fmax(square_sum / rule->sum, VARIANCE_MIN);
}

void tcsi_leaky_segment_fill(const tcsi_leaky_rule *rule, tcsi_leaky_segment *segment, const double *past, const double *newest)
{
    const size_t w = rule->window;
    const double scale = -2 / rule->sum;
    double scaled[TCSI_LEAKY_WINDOW_MAX];
    memset(segment, 0, sizeof *segment);
    memcpy(segment->values, past, (TCSI_LEAKY_STARTS + w - 1) * sizeof *past);
    for (size_t k = 0; k < w; k++) {
        segment->weighted[k] = scale * rule->weights[k] * past[k];
        scaled[k] = scale * rule->weights[k] * newest[k];
    }
    for (size_t o = 0; o < TCSI_LEAKY_STARTS; o++) {
        tcsi_leaky_moments(rule, past + o, &segment->mean[o], &segment->energy[o]);
        for (size_t k = 0; k < w; k++) segment->q[o] += scaled[k] * past[o + k];
    }
}

/* ---- one row ---- */

enum { WIDE = 8 }; /* values taken at once, so that compilers find the loops they know how to widen */

static double least(double a, double b)
{
    return a < b ? a : b;
}

static double first_q(const double *weighted, const double *values)
{
    double sums[WIDE] = { 0 }, sum = 0;
    for (size_t k = 0; k < TCSI_LEAKY_WINDOW_MAX; k += WIDE)
        for (size_t l = 0; l < WIDE; l++) sums[l] += weighted[k + l] * values[k + l];
    for (size_t l = 0; l < WIDE; l++) sum += sums[l];
    return sum;
}

/* q of every start but the first, from the highest down, because q[o - 1] must still be the row before's. */
static void advance(const tcsi_leaky_step *step, tcsi_leaky_segment *one)
{
    const double *entering = one->values + step->window - 1;
    double next[WIDE];
    for (size_t o = TCSI_LEAKY_STARTS - WIDE; o > 0; o -= WIDE) {
        const double *q = one->q + o - 1, *leaving = one->values + o - 1;
        for (size_t l = 0; l < WIDE; l++)
            next[l] = step->entering * entering[o + l] + (step->leaving * leaving[l] + step->decay * q[l]);
        memcpy(one->q + o, next, sizeof next);
    }
    for (size_t o = WIDE; o-- > 1;)
        one->q[o] = step->entering * entering[o] + (step->leaving * one->values[o - 1] + step->decay * one->q[o - 1]);
}

void tcsi_leaky_tier_ref(const tcsi_leaky_step *step, tcsi_leaky_segment *segments, size_t segment_count, double *ret_centred,
                         double *ret_raw)
{
    double centred[WIDE], raw[WIDE];
    for (size_t l = 0; l < WIDE; l++) centred[l] = raw[l] = INFINITY;
    for (size_t s = 0; s < segment_count; s++) {
        tcsi_leaky_segment *one = &segments[s];
        advance(step, one);
        one->q[0] = first_q(one->weighted, step->values);
        for (size_t o = 0; o < TCSI_LEAKY_STARTS; o += WIDE) {
            const double *mean = one->mean + o, *energy = one->energy + o, *q = one->q + o;
            for (size_t l = 0; l < WIDE; l++) {
                double distance = mean[l] * step->mean_twice + (q[l] + energy[l]), shift = step->mean - mean[l];
                centred[l] = least(distance, centred[l]);
                raw[l] = least(distance + shift * shift, raw[l]);
            }
        }
    }
    for (size_t l = 1; l < WIDE; l++) {
        centred[0] = least(centred[l], centred[0]);
        raw[0] = least(raw[l], raw[0]);
    }
    *ret_centred = centred[0];
    *ret_raw = raw[0];
}

static tcsi_leaky_tier tier_for(tcsi_isa isa)
{
    TCS_ASSERT(tcsi_isa_supported(isa));
#if defined(__x86_64__)
    if (isa == TCSI_ISA_AVX512) return tcsi_leaky_tier_avx512;
    if (isa == TCSI_ISA_AVX2) return tcsi_leaky_tier_avx2;
#endif
    return tcsi_leaky_tier_ref;
}

void tcsi_leaky_push(tcsi_isa isa, const tcsi_leaky_rule *rule, const tcsi_leaky_row *row, tcsi_leaky_segment *segments,
                     size_t segment_count, double *ret_centred, double *ret_raw)
{
    const double scale = -2 / rule->sum;
    tcsi_leaky_step step = { .window = rule->window, .values = row->values, .decay = rule->decay, .mean = row->mean,
                             .leaving = -scale * rule->decay_window * row->leaving, .entering = scale * row->values[rule->window - 1],
                             .mean_twice = 2 * row->mean };
    tier_for(isa)(&step, segments, segment_count, ret_centred, ret_raw);
}
