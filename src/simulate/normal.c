/* simulate/normal.c -- normal behaviour in ten families; machines.c has those of machines and mixtures.
 *
 * The families were chosen to cover what monitored things do rather than what is easy to write down: exact clocks, hearts,
 * machines with a changing speed, telemetry that follows commands, web traffic, drifting sensors, chaotic processes, weeks of
 * days.  After the family come the same three steps for all: standardize; a trend or slow wander in some; noise in most, white,
 * coloured or heavy-tailed, between 0.6 % and 50 % of the signal, in some larger where the series is high, or low.
 * Sources: E. Lorenz, "Deterministic nonperiodic flow", 1963; O. Roessler, "An equation for continuous chaos", 1976.
 * Cost: O(n) per series.  SPDX-License-Identifier: Apache-2.0 */
#include "simulate/generator.h"

#include "base/text.h"
#include "series/stats.h"
#include "simulate/shape.h"

#include <math.h>
#include <string.h>

/* Templates reach 8 periods of at most 600 rows, whatever the series' length. */
enum { TEMPLATE_ROOM = 4864, MOTIF_MAX = 3, ORDER_COUNT_MAX = 7, LEVEL_MAX = 4, STATE_CLIP = 100 };

size_t tcsi_normal_work_count(size_t count)
{
    return 4 * (count + TEMPLATE_ROOM);
}

/* count values of one template of length template_count, repeated. */
void tcsi_generator_repeat(tcsi_generator *g, tcsi_shape_kind kind, size_t template_count, double jitter, double amplitude, double *ret)
{
    tcsi_shape_template(g->rng, kind, g->shape, template_count, g->scratch);
    tcsi_shape_cycles cycles = { .templates = g->shape, .template_count = template_count, .jitter = jitter, .amplitude = amplitude };
    tcsi_shape_repeat(g->rng, &cycles, ret, g->count);
}

void tcsi_generator_walk(tcsi_generator *g, double step, double *ret)
{
    double level = 0;
    for (size_t i = 0; i < g->count; i++) ret[i] = level += step * tcsi_rng_normal(g->rng);
}

void tcsi_family_seasonal(tcsi_generator *g)
{
    tcsi_generator_repeat(g, TCSI_SHAPE_ANY, g->period, 0, 0, g->x);
    if (tcsi_generator_chance(g, 0.6)) {
        double depth = tcsi_generator_uniform(g, 0, 0.5);
        tcsi_generator_repeat(g, TCSI_SHAPE_ANY, g->period * tcsi_generator_pick(g, 3, 8), 0, 0, g->wave);
        for (size_t i = 0; i < g->count; i++) g->x[i] *= 1 + depth * g->wave[i];
    }
    if (tcsi_generator_chance(g, 0.4)) {
        double height = tcsi_generator_uniform(g, 0.1, 1);
        tcsi_generator_repeat(g, TCSI_SHAPE_ANY, g->period * tcsi_generator_pick(g, 3, 8), 0, 0, g->wave);
        for (size_t i = 0; i < g->count; i++) g->x[i] += height * g->wave[i];
    }
}

void tcsi_family_bumps(tcsi_generator *g)
{
    double jitter = tcsi_generator_uniform(g, 0, 0.08), amplitude = tcsi_generator_uniform(g, 0, 0.12);
    tcsi_generator_repeat(g, TCSI_SHAPE_BUMPS, g->period, jitter, amplitude, g->x);
}

void tcsi_family_quasi_periodic(tcsi_generator *g)
{
    double jitter = tcsi_generator_uniform(g, 0, 0.08), amplitude = tcsi_generator_uniform(g, 0, 0.15);
    double depth = tcsi_generator_uniform(g, 0, 0.3);
    tcsi_generator_repeat(g, TCSI_SHAPE_ANY, g->period, jitter, amplitude, g->x);
    for (size_t i = 0; i < g->count; i++) g->wave[i] = tcsi_rng_normal(g->rng);
    tcsi_shape_smooth(g->wave, g->count, tcsi_generator_smaller(g->count / 3, 4 * g->period), g->scratch);
    tcsi_shape_standardize(g->wave, g->count);
    for (size_t i = 0; i < g->count; i++) g->x[i] *= 1 + depth * g->wave[i];
}

void tcsi_family_autoregressive(tcsi_generator *g)
{
    tcsi_shape_autoregression(g->rng, 0, g->x, g->count);
    g->noise *= 0.1;
}

void tcsi_family_regimes(tcsi_generator *g)
{
    double levels[LEVEL_MAX];
    size_t durations[LEVEL_MAX], level_count = tcsi_generator_pick(g, 2, LEVEL_MAX + 1), row = 0;
    bool cyclic = tcsi_generator_chance(g, 0.6);
    for (size_t k = 0; k < level_count; k++) {
        levels[k] = tcsi_rng_normal(g->rng);
        durations[k] = tcsi_generator_pick(g, g->period / 3 + 2, g->period + 4);
    }
    for (size_t k = 0; row < g->count; k++) {
        double length = cyclic ? (double)durations[k % level_count] * (1 + 0.03 * tcsi_rng_normal(g->rng))
                               : (double)g->period * tcsi_rng_exponential(g->rng) + 3;
        double level = levels[cyclic ? k % level_count : tcsi_rng_below(g->rng, level_count)];
        size_t end = tcsi_generator_smaller(g->count, row + (size_t)fmax(2, length));
        for (; row < end; row++) g->x[row] = level;
    }
    if (tcsi_generator_chance(g, 0.5)) tcsi_shape_smooth(g->x, g->count, tcsi_generator_pick(g, 2, 4 + g->period / 6), g->scratch);
    if (tcsi_generator_chance(g, 0.5)) g->noise *= 0.1;
}

void tcsi_family_traffic(tcsi_generator *g)
{
    double swing = tcsi_generator_uniform(g, 0.2, 1), memory = tcsi_generator_uniform(g, 0.02, 0.3);
    tcsi_generator_repeat(g, TCSI_SHAPE_HARMONICS, g->period, 0, 0, g->x);
    tcsi_shape_autoregression(g->rng, 1, g->wave, g->count);
    double heavy = tcsi_generator_chance(g, 0.5) ? tcsi_generator_uniform(g, 0.02, 0.2) : 0;
    for (size_t i = 0; i < g->count; i++) {
        double burst = heavy > 0 ? heavy * tcsi_shape_student(g->rng, 4) : 0;
        g->x[i] = exp(swing * g->x[i] + memory * g->wave[i] + fmin(fmax(burst, -5), 5));
    }
    g->noise *= 0.3;
}

void tcsi_family_walk(tcsi_generator *g)
{
    tcsi_generator_walk(g, 1, g->x);
    tcsi_shape_smooth(g->x, g->count, tcsi_generator_pick(g, 1, 2 + g->period / 3), g->scratch);
    if (tcsi_generator_chance(g, 0.7)) {
        memcpy(g->wave, g->x, g->count * sizeof *g->x);
        tcsi_shape_smooth(g->wave, g->count, tcsi_generator_smaller(g->count / 4, 6 * g->period), g->scratch);
        for (size_t i = 0; i < g->count; i++) g->x[i] -= g->wave[i];
    }
    g->noise *= 0.2;
}

static void derivative(bool lorenz, const double s[3], double ret[3])
{
    ret[0] = lorenz ? 10 * (s[1] - s[0]) : -s[1] - s[2];
    ret[1] = lorenz ? s[0] * (28 - s[2]) - s[1] : s[0] + 0.2 * s[1];
    ret[2] = lorenz ? s[0] * s[1] - 8.0 / 3 * s[2] : 0.2 + s[2] * (s[0] - 5.7);
}

/* One midpoint step, clipped: a large step must not run away. */
static void advance(bool lorenz, double s[3], double dt)
{
    double slope[3], middle[3];
    derivative(lorenz, s, slope);
    for (int k = 0; k < 3; k++) middle[k] = s[k] + 0.5 * dt * slope[k];
    derivative(lorenz, middle, slope);
    for (int k = 0; k < 3; k++) s[k] = fmin(fmax(s[k] + dt * slope[k], -STATE_CLIP), STATE_CLIP);
}

void tcsi_family_chaos(tcsi_generator *g)
{
    enum { SETTLE = 300, SUBSTEPS = 4 };
    bool lorenz = tcsi_generator_chance(g, 0.5);
    double dt = (lorenz ? 0.75 : 6.0) / (double)g->period / SUBSTEPS, s[3];
    for (int k = 0; k < 3; k++) s[k] = 1 + tcsi_rng_normal(g->rng);
    for (size_t i = 0; i < g->count + SETTLE; i++) {
        for (int k = 0; k < SUBSTEPS; k++) advance(lorenz, s, dt);
        if (i >= SETTLE) g->x[i - SETTLE] = s[0];
    }
    g->noise *= 0.1;
}

void tcsi_family_motifs(tcsi_generator *g)
{
    size_t order[ORDER_COUNT_MAX], motif_count = tcsi_generator_pick(g, 2, MOTIF_MAX + 1);
    size_t order_count = tcsi_generator_pick(g, 3, ORDER_COUNT_MAX + 1);
    for (size_t k = 0; k < motif_count; k++)
        tcsi_shape_template(g->rng, TCSI_SHAPE_ANY, g->shape + k * g->period, g->period, g->scratch);
    for (size_t k = 0; k < order_count; k++) order[k] = tcsi_rng_below(g->rng, motif_count);
    tcsi_shape_cycles cycles = { .templates = g->shape, .template_count = g->period, .order = order, .order_count = order_count,
                                 .jitter = tcsi_generator_uniform(g, 0, 0.03), .amplitude = tcsi_generator_uniform(g, 0, 0.08) };
    tcsi_shape_repeat(g->rng, &cycles, g->x, g->count);
}

/* One day from the template: scaled, shifted, half of the days with a wander of their own; weekends lower. */
static void service_day(tcsi_generator *g, const double *day, size_t day_count, bool weekend, double *ret)
{
    double factor = 1 + 0.08 * tcsi_rng_normal(g->rng), shift = 0.1 * tcsi_rng_normal(g->rng), level = 0;
    double wander = tcsi_generator_chance(g, 0.5) ? 0.15 / sqrt((double)day_count) : 0;
    for (size_t i = 0; i < day_count; i++) {
        level += wander * tcsi_rng_normal(g->rng);
        ret[i] = factor * day[i] + shift;
        g->wave[i] = level;
    }
    tcsi_shape_smooth(g->wave, day_count, day_count / 10, g->scratch);
    for (size_t i = 0; i < day_count; i++) ret[i] = (ret[i] + g->wave[i]) * (weekend ? 0.7 : 1) - (weekend ? 0.1 : 0);
}

static void service_noise(tcsi_generator *g)
{
    double size = pow(10, tcsi_generator_uniform(g, -2, -0.5)), mean = 0;
    bool coloured = tcsi_generator_chance(g, 0.5), heavy = tcsi_generator_chance(g, 0.3), proportional = tcsi_generator_chance(g, 0.6);
    if (coloured) tcsi_shape_autoregression(g->rng, 1, g->wave, g->count);
    for (size_t i = 0; i < g->count; i++) mean += exp(0.5 * g->x[i]) / (double)g->count;
    for (size_t i = 0; i < g->count; i++) {
        double one = coloured ? g->wave[i] : heavy ? tcsi_shape_student(g->rng, 4) : tcsi_rng_normal(g->rng);
        g->x[i] += size * one * (proportional ? exp(0.5 * g->x[i]) / mean : 1);
    }
}

/* Short periodic jobs on top. */
static void service_jobs(tcsi_generator *g)
{
    size_t every = tcsi_generator_pick(g, 20, 150), width = tcsi_generator_pick(g, 1, every / 5 > 2 ? every / 5 : 2);
    double height = tcsi_generator_uniform(g, 0.1, 1);
    for (size_t i = 0; i < g->count; i++)
        if (i % every < width) g->x[i] += height * (1 + 0.1 * tcsi_rng_normal(g->rng));
}

void tcsi_family_service(tcsi_generator *g)
{
    static const tcsi_shape_kind kinds[] = { TCSI_SHAPE_HARMONICS, TCSI_SHAPE_CURVE, TCSI_SHAPE_CURVE, TCSI_SHAPE_WEDGE };
    size_t day_count = (size_t)((double)g->count / tcsi_generator_uniform(g, 4, 13));
    if (day_count < 8) day_count = 8;
    bool weeks = g->count / day_count > 8;
    double *day = g->shape, *one = g->shape + day_count; /* two days: at most half of count + room */
    tcsi_shape_template(g->rng, kinds[tcsi_generator_pick(g, 0, TCS_COUNT(kinds))], day, day_count, g->scratch);
    tcsi_shape_smooth(day, day_count, day_count / tcsi_generator_pick(g, 8, 40), g->scratch);
    size_t skip = tcsi_generator_pick(g, 0, day_count), filled = 0;
    for (size_t k = 0; filled < g->count; k++, skip = 0) {
        service_day(g, day, day_count, weeks && k % 7 >= 5, one);
        size_t take = tcsi_generator_smaller(day_count - skip, g->count - filled);
        memcpy(g->x + filled, one + skip, take * sizeof *one);
        filled += take;
    }
    tcsi_shape_smooth(g->x, g->count, day_count / 60, g->scratch);
    tcsi_shape_standardize(g->x, g->count);
    service_noise(g);
    if (tcsi_generator_chance(g, 0.3)) service_jobs(g);
    if (tcsi_generator_chance(g, 0.3)) {
        double power = tcsi_generator_uniform(g, 0.3, 0.8);
        for (size_t i = 0; i < g->count; i++) g->x[i] = exp(power * fmin(g->x[i], 20));
    }
    g->noise = 0; /* it has its own */
}

static const struct {
    const char *name;
    double share;
    void (*simulate)(tcsi_generator *g);
} families[TCSI_FAMILY_COUNT] = {
#define X(family, function, name, share) { name, share, tcsi_family_##function },
    TCSI_FAMILY_LIST(X)
#undef X
};

const char *tcsi_family_name(tcsi_family family)
{
    return (size_t)family < TCSI_FAMILY_COUNT ? families[family].name : "any";
}

bool tcsi_family_by_name(const char *name, tcsi_family *ret_family)
{
    for (size_t k = 0; k < TCSI_FAMILY_COUNT; k++)
        if (tcsi_text_equal_nocase(name, families[k].name)) {
            *ret_family = (tcsi_family)k;
            return true;
        }
    return false;
}

tcsi_family tcsi_family_draw(tcsi_rng *rng)
{
    double at = tcsi_rng_uniform(rng);
    for (size_t k = 0; k < TCSI_FAMILY_COUNT; k++) {
        at -= families[k].share;
        if (at < 0) return (tcsi_family)k;
    }
    return TCSI_FAMILY_SEASONAL;
}

static void add_trend(tcsi_generator *g)
{
    double which = tcsi_rng_uniform(g->rng);
    if (which < 0.15) {
        double rise = 2 * tcsi_rng_normal(g->rng) / (double)(g->count - 1);
        for (size_t i = 0; i < g->count; i++) g->x[i] += rise * (double)i;
    } else if (which < 0.35) {
        double height = tcsi_generator_uniform(g, 0.1, 0.7);
        tcsi_generator_walk(g, 3 / sqrt((double)g->count), g->wave);
        tcsi_shape_smooth(g->wave, g->count, 3 * g->period, g->scratch);
        for (size_t i = 0; i < g->count; i++) g->x[i] += height * g->wave[i];
    }
}

static void add_noise(tcsi_generator *g)
{
    double which = tcsi_rng_uniform(g->rng);
    if (g->noise == 0 || !tcsi_generator_chance(g, 0.8)) return;
    if (which >= 0.7 && which < 0.88) tcsi_shape_autoregression(g->rng, 1, g->wave, g->count);
    const double tide = tcsi_generator_chance(g, 0.4) ? tcsi_generator_uniform(g, -1.5, 1.5) : 0; /* noise that follows the level */
    for (size_t i = 0; i < g->count; i++) {
        const double height = exp(tide * tanh(g->x[i]));
        double one = which < 0.7 ? tcsi_rng_normal(g->rng) : which < 0.88 ? g->wave[i] : tcsi_shape_student(g->rng, 3);
        g->x[i] += g->noise * height * one;
    }
}

void tcsi_generator_run(tcsi_generator *g, tcsi_family family)
{
    families[family].simulate(g);
    tcsi_shape_standardize(g->x, g->count);
}

tcsi_family tcsi_normal_simulate(tcsi_rng *rng, tcsi_family family, size_t period, double *ret, size_t count, double *work)
{
    TCS_ASSERT(period >= 4 && period <= 600 && count >= 64);
    size_t room = count + TEMPLATE_ROOM;
    tcsi_generator g = { .rng = rng, .count = count, .period = period, .x = ret,
                    .wave = work, .shape = work + room, .scratch = work + 2 * room, .other = work + 3 * room };
    if (family == TCSI_FAMILY_ANY) family = tcsi_family_draw(rng);
    g.noise = pow(10, tcsi_generator_uniform(&g, -2.2, -0.3));
    tcsi_generator_run(&g, family);
    if (family != TCSI_FAMILY_SERVICE) add_trend(&g);
    add_noise(&g);
    return family;
}
