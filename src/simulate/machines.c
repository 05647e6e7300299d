/* simulate/machines.c -- normal behaviour of machines and services that no clock drives, and mixtures of families.
 *
 * What the families of normal.c lack is what alarms falsely in plants: rest and work, counters that start over, controllers that switch,
 * jobs that come when they like.  A mixture joins two families, so that the number of behaviours grows with its square.
 * Counts: D. Knuth, The Art of Computer Programming, volume 2, section 3.4.1, multiplication of uniforms.
 * Cost: O(n) per series.  SPDX-License-Identifier: Apache-2.0 */
#include "simulate/generator.h"

#include "series/stats.h"

#include <string.h>

/* How long one state lasts: regular with jitter, or without memory. */
static size_t duration(tcsi_generator *g, double usual, double jitter)
{
    const double rows = jitter < 1 ? usual * (1 + jitter * tcsi_rng_normal(g->rng)) : usual * tcsi_rng_exponential(g->rng);
    return rows < 1 ? 1 : rows > (double)g->count ? g->count : (size_t)rows;
}

static double draw_jitter(tcsi_generator *g)
{
    return tcsi_generator_chance(g, 0.4) ? 1 : tcsi_generator_uniform(g, 0, 0.2);
}

/* Rest and work in turns; at work a shape of its own and more noise. */
void tcsi_family_work(tcsi_generator *g)
{
    const double jitter = draw_jitter(g), unrest = tcsi_generator_uniform(g, 0, 0.3), swing = tcsi_generator_uniform(g, 0, 0.5);
    const double work = tcsi_generator_uniform(g, 0.3, 3) * (double)g->period, rest = tcsi_generator_uniform(g, 0.3, 3) * (double)g->period;
    const size_t shape_period = (size_t)fmax(4, (double)g->period * tcsi_generator_uniform(g, 0.1, 0.5));
    tcsi_generator_repeat(g, TCSI_SHAPE_ANY, shape_period, 0.02, 0.05, g->wave);
    bool at_work = tcsi_generator_chance(g, 0.5);
    for (size_t row = 0; row < g->count; at_work = !at_work) {
        const size_t end = tcsi_generator_smaller(g->count, row + duration(g, at_work ? work : rest, jitter));
        for (; row < end; row++) g->x[row] = at_work ? 2 + swing * g->wave[row] + unrest * tcsi_rng_normal(g->rng) : 0;
    }
    if (tcsi_generator_chance(g, 0.5))
        tcsi_shape_smooth(g->x, g->count, tcsi_generator_pick(g, 2, 4 + g->period / 4), g->scratch);
    g->noise *= 0.3;
}

static double poisson(tcsi_generator *g, double rate)
{
    if (rate > 30) return fmax(0, floor(rate + sqrt(rate) * tcsi_rng_normal(g->rng) + 0.5));
    const double limit = exp(-rate);
    double product = tcsi_rng_uniform(g->rng), count = 0;
    for (; product > limit; count++) product *= tcsi_rng_uniform(g->rng);
    return count;
}

void tcsi_family_counts(tcsi_generator *g)
{
    const double rate = tcsi_generator_log_uniform(g, 0.05, 100), swing = tcsi_generator_uniform(g, 0, 1);
    const double memory = tcsi_generator_uniform(g, 0, 0.3);
    tcsi_generator_repeat(g, TCSI_SHAPE_HARMONICS, g->period, 0, 0, g->x);
    tcsi_shape_autoregression(g->rng, 1, g->wave, g->count);
    for (size_t i = 0; i < g->count; i++) g->x[i] = poisson(g, rate * exp(fmin(swing * g->x[i] + memory * g->wave[i], 4)));
    g->noise = 0;
}

/* Fills with a slope that wanders, empties at a limit or after a while: tanks, batteries, memory, disks. */
void tcsi_family_sawtooth(tcsi_generator *g)
{
    const double unrest = tcsi_generator_uniform(g, 0, 1), fall = tcsi_generator_chance(g, 0.5) ? 1 : tcsi_generator_uniform(g, 0.02, 0.5);
    const double limit_jitter = tcsi_generator_uniform(g, 0, 0.2), sign = tcsi_generator_chance(g, 0.5) ? 1 : -1;
    const double slope = 1 / (double)g->period;
    double level = tcsi_rng_uniform(g->rng), limit = 1;
    bool falls = false;
    for (size_t i = 0; i < g->count; i++) {
        g->x[i] = sign * level;
        level += falls ? -fall : slope * (1 + unrest * tcsi_rng_normal(g->rng));
        if (!falls && level >= limit) {
            falls = true;
        } else if (falls && level <= 0) {
            falls = false;
            level = 0;
            limit = fmax(0.2, 1 + limit_jitter * tcsi_rng_normal(g->rng));
        }
    }
    g->noise *= 0.3;
}

/* A heater that switches between two limits; what it works against wanders over many cycles. */
void tcsi_family_control(tcsi_generator *g)
{
    const double up = 4 / (double)g->period * tcsi_generator_uniform(g, 0.5, 2);
    const double down = 4 / (double)g->period * tcsi_generator_uniform(g, 0.5, 2);
    const double load = tcsi_generator_uniform(g, 0, 0.6);
    const size_t slow = g->period * tcsi_generator_pick(g, 4, 20);
    double level = 0;
    bool is_on = true;
    tcsi_generator_repeat(g, TCSI_SHAPE_HARMONICS, tcsi_generator_smaller(slow, 4000), 0, 0, g->wave);
    for (size_t i = 0; i < g->count; i++) {
        const double wind = 1 + load * tanh(g->wave[i]);
        level += is_on ? up / wind : -down * wind;
        if (is_on ? level >= 1 : level <= 0) is_on = !is_on;
        g->x[i] = level;
    }
    g->noise *= 0.3;
}

/* Jobs on a flat line: one shape, heights and pauses of their own. */
void tcsi_family_pulses(tcsi_generator *g)
{
    const size_t width = tcsi_generator_pick(g, 1, 2 + g->period / 4);
    const double jitter = draw_jitter(g), spread = tcsi_generator_uniform(g, 0, 0.5), pause = (double)g->period;
    const bool is_square = width < 4 || tcsi_generator_chance(g, 0.3);
    if (!is_square) tcsi_shape_template(g->rng, TCSI_SHAPE_BUMPS, g->shape, width, g->scratch);
    memset(g->x, 0, g->count * sizeof *g->x);
    for (size_t row = duration(g, pause, jitter); row < g->count; row += width + duration(g, pause, jitter)) {
        const double height = exp(spread * tcsi_rng_normal(g->rng));
        for (size_t i = 0; i < width && row + i < g->count; i++) g->x[row + i] = height * (is_square ? 1 : g->shape[i]);
    }
    g->noise *= 0.2;
}

/* Set points, deployments, stocks: a level holds, then another. */
void tcsi_family_steps(tcsi_generator *g)
{
    const double hold = (double)g->period * tcsi_generator_log_uniform(g, 0.3, 10), pull = tcsi_generator_uniform(g, 0, 1);
    const double jitter = draw_jitter(g);
    double level = 0;
    for (size_t row = 0; row < g->count;) {
        const size_t end = tcsi_generator_smaller(g->count, row + duration(g, hold, jitter));
        for (; row < end; row++) g->x[row] = level;
        level = pull * level + tcsi_rng_normal(g->rng);
    }
    if (tcsi_generator_chance(g, 0.3)) tcsi_shape_smooth(g->x, g->count, tcsi_generator_pick(g, 2, 4 + g->period / 4), g->scratch);
    if (tcsi_generator_chance(g, 0.5)) g->noise *= 0.1;
}

/* ---- mixtures ---- */

/* Through a curve that bends or folds what is large. */
static void distort(tcsi_generator *g)
{
    const size_t how = tcsi_generator_pick(g, 0, 5);
    const double size = tcsi_generator_uniform(g, 0.5, 2);
    for (size_t i = 0; i < g->count; i++) {
        const double x = size * g->x[i];
        g->x[i] = how == 0 ? tanh(x) : how == 1 ? fabs(x) : how == 2 ? exp(fmin(x, 6)) : how == 3 ? fmax(x, 0) : x * fabs(x);
    }
}

/* Time runs faster and slower: the series is read at a clock of its own. */
static void warp(tcsi_generator *g)
{
    const double depth = tcsi_generator_uniform(g, 0.05, 0.4);
    tcsi_generator_walk(g, 1, g->wave);
    tcsi_shape_smooth(g->wave, g->count, tcsi_generator_smaller(g->count / 3, 8 * g->period), g->scratch);
    tcsi_shape_standardize(g->wave, g->count);
    double total = 0;
    for (size_t i = 0; i < g->count; i++) total += g->wave[i] = exp(depth * tanh(g->wave[i]));
    const double speed = (double)(g->count - 1) / total;
    double at = 0;
    memcpy(g->scratch, g->x, g->count * sizeof *g->x);
    for (size_t i = 0; i < g->count; i++) {
        const size_t left = tcsi_generator_smaller((size_t)at, g->count - 1), right = tcsi_generator_smaller(left + 1, g->count - 1);
        g->x[i] = g->scratch[left] + (at - (double)left) * (g->scratch[right] - g->scratch[left]);
        at += speed * g->wave[i];
    }
}

static tcsi_family draw_member(tcsi_generator *g)
{
    const tcsi_family drawn = (tcsi_family)tcsi_generator_pick(g, 0, TCSI_FAMILY_COUNT);
    return drawn == TCSI_FAMILY_MIXTURE ? TCSI_FAMILY_SEASONAL : drawn;
}

void tcsi_family_mixture(tcsi_generator *g)
{
    const size_t how = tcsi_generator_pick(g, 0, 4), period = g->period;
    const double weight = tcsi_generator_log_uniform(g, 0.1, 2);
    tcsi_generator_run(g, draw_member(g));
    memcpy(g->other, g->x, g->count * sizeof *g->x);
    if (how < 3) {
        g->period = tcsi_generator_smaller(tcsi_generator_pick(g, period / 3 + 4, 3 * period + 5), 280);
        tcsi_generator_run(g, draw_member(g));
        g->period = period;
    }
    for (size_t i = 0; i < g->count; i++) {
        const double a = g->other[i], b = g->x[i];
        g->x[i] = how == 0 ? a + weight * b : how == 1 ? a * (1 + 0.5 * tanh(b)) : how == 2 ? (b > 0.3 ? a : weight * b) : a;
    }
    if (how == 3 || tcsi_generator_chance(g, 0.3)) distort(g);
    if (tcsi_generator_chance(g, 0.3)) warp(g);
}
