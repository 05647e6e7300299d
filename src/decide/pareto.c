/* SPDX-License-Identifier: Apache-2.0 */
#include "decide/pareto.h"

#include <math.h>
#include <string.h>

enum { POINT_MAX = 512, FIT_MIN = 3, CHECK_MIN = 20, HALVINGS = 60 };

static const double SHAPE_LOW = -0.4, SHAPE_HIGH = 0.6, SHAPE_MEAN = 0.05, SHAPE_DEVIATION = 0.25;
static const double SCALE_SPAN = 0.7;     /* of the logarithm of scale / mean excess, to both sides */
static const double WEIGHT_MIN = 1e-6;    /* lighter atoms are left out */
static const double ASIDE_CHANCE = 0.001; /* of so many excesses so far out */
static const double SURVIVAL_MIN = 1e-300;

/* log P(X > excess) of one generalized Pareto distribution, -inf beyond its end. */
static double log_survival(double excess, double scale, double shape)
{
    if (fabs(shape) < 1e-9) return -excess / scale;
    const double z = 1 + shape * excess / scale;
    return z > 0 ? -log(z) / shape : -INFINITY;
}

/* What is known of shape and scale from excesses (count) and from `beyond` others of which only is known that they are above the last one.
 * They are in units of the highest excess. */
static void find_posterior(const double *excesses, size_t count, size_t beyond, tcsi_pareto *ret_pareto)
{
    double logs[TCSI_PARETO_ATOMS], best = -INFINITY, sum = 0, mean = 0;
    for (size_t i = 0; i < count; i++) mean += excesses[i];
    mean = fmax((mean + (double)beyond * excesses[count - 1]) / (double)count, 1e-9);
    for (int at = 0; at < TCSI_PARETO_ATOMS; at++) {
        const int a = at / TCSI_PARETO_SCALES, b = at % TCSI_PARETO_SCALES;
        const double shape = SHAPE_LOW + (SHAPE_HIGH - SHAPE_LOW) * a / (TCSI_PARETO_SHAPES - 1);
        const double scale = mean * (1 - shape) * exp(SCALE_SPAN * (2.0 * b / (TCSI_PARETO_SCALES - 1) - 1));
        const double off = (shape - SHAPE_MEAN) / SHAPE_DEVIATION;
        double sum_survival = 0;
        for (size_t i = 0; i < count; i++) sum_survival += log_survival(excesses[i], scale, shape);
        /* log density = log survival * (1 + shape) - log scale */
        logs[at] = -0.5 * off * off + sum_survival * (1 + shape) - (double)count * log(scale);
        if (beyond > 0) logs[at] += (double)beyond * log_survival(excesses[count - 1], scale, shape);
        ret_pareto->scales[at] = scale;
        ret_pareto->shapes[at] = shape;
        best = fmax(best, logs[at]);
    }
    for (int at = 0; at < TCSI_PARETO_ATOMS; at++) sum += ret_pareto->weights[at] = exp(logs[at] - best);
    for (int at = 0; at < TCSI_PARETO_ATOMS; at++) ret_pareto->weights[at] /= sum;
    ret_pareto->count = TCSI_PARETO_ATOMS;
}

/* Chance that at least `count` of `total` excesses above `from` are above `to`: the mean over the posterior of Chernoff's bound on the
 * binomial tail. */
static double chance_of(const tcsi_pareto *pareto, double from, double to, size_t count, size_t total)
{
    const double share = (double)count / (double)total;
    double chance = 0;
    for (size_t i = 0; i < pareto->count; i++) {
        const double scale = pareto->scales[i], shape = pareto->shapes[i];
        const double r = exp(log_survival(to, scale, shape) - log_survival(from, scale, shape));
        if (r >= share) chance += pareto->weights[i];
        else if (r > 0) {
            const double rest = share < 1 ? (1 - share) * log((1 - share) / (1 - r)) : 0;
            chance += pareto->weights[i] * exp(-(double)total * (share * log(share / r) + rest));
        }
    }
    return chance;
}

/* How many of excesses (count) the lower three quarters can explain. */
static size_t count_plausible(const double *excesses, size_t count, tcsi_pareto *scratch)
{
    const size_t core = count - count / 4;
    if (count < CHECK_MIN) return count;
    find_posterior(excesses, core, count - core, scratch);
    for (size_t i = core; i < count; i++)
        if (chance_of(scratch, excesses[core - 1], excesses[i], count - i, count - core) < ASIDE_CHANCE) return i;
    return count;
}

/* Evenly spaced order statistics stand for many. */
static size_t thin(double *excesses, size_t count)
{
    if (count <= POINT_MAX) return count;
    for (size_t i = 0; i < POINT_MAX; i++) excesses[i] = excesses[(2 * i + 1) * count / (2 * POINT_MAX)];
    return POINT_MAX;
}

static void leave_out_light_atoms(tcsi_pareto *pareto)
{
    size_t kept = 0;
    double sum = 0;
    for (size_t i = 0; i < pareto->count; i++) {
        if (pareto->weights[i] < WEIGHT_MIN) continue;
        pareto->weights[kept] = pareto->weights[i];
        pareto->scales[kept] = pareto->scales[i];
        pareto->shapes[kept++] = pareto->shapes[i];
        sum += pareto->weights[i];
    }
    pareto->count = kept;
    for (size_t i = 0; i < kept; i++) pareto->weights[i] /= sum;
}

size_t tcsi_pareto_fit(double *excesses, size_t count, double otherwise, double floor, tcsi_pareto *ret_pareto)
{
    const double unit = count > 0 ? excesses[count - 1] : 0;
    size_t kept = count;
    *ret_pareto = (tcsi_pareto){ .count = 1, .weights = { 1 }, .scales = { fmax(otherwise, floor) } };
    if (count < FIT_MIN || !(unit > floor)) return kept;
    for (size_t i = 0; i < count; i++) excesses[i] /= unit;
    kept = count_plausible(excesses, count, ret_pareto);
    find_posterior(excesses, thin(excesses, kept), 0, ret_pareto);
    leave_out_light_atoms(ret_pareto);
    for (size_t i = 0; i < ret_pareto->count; i++) ret_pareto->scales[i] = fmax(ret_pareto->scales[i] * unit, floor);
    return kept;
}

double tcsi_pareto_survival(const tcsi_pareto *pareto, double excess)
{
    double chance = 0;
    if (!(excess > 0)) return 1;
    for (size_t i = 0; i < pareto->count; i++)
        chance += pareto->weights[i] * exp(log_survival(excess, pareto->scales[i], pareto->shapes[i]));
    return fmin(fmax(chance, SURVIVAL_MIN), 1);
}

double tcsi_pareto_quantile(const tcsi_pareto *pareto, double p)
{
    double low = 0, high = pareto->scales[0];
    while (tcsi_pareto_survival(pareto, high) > p && high < 1e300) {
        low = high;
        high *= 2;
    }
    for (int i = 0; i < HALVINGS; i++) {
        const double middle = low + 0.5 * (high - low);
        if (tcsi_pareto_survival(pareto, middle) > p) low = middle;
        else high = middle;
    }
    return high;
}

static double mean_of(const tcsi_pareto *pareto, const double *values)
{
    double mean = 0;
    for (size_t i = 0; i < pareto->count; i++) mean += pareto->weights[i] * values[i];
    return mean;
}

double tcsi_pareto_shape(const tcsi_pareto *pareto) { return mean_of(pareto, pareto->shapes); }
double tcsi_pareto_scale(const tcsi_pareto *pareto) { return mean_of(pareto, pareto->scales); }

void tcsi_pareto_persist(tcsi_pareto *pareto, tcsi_codec *codec)
{
    tcsi_codec_size(codec, &pareto->count, TCSI_PARETO_ATOMS);
    if (tcsi_codec_status(codec) != TCS_OK) return;
    tcsi_codec_f64s(codec, pareto->weights, pareto->count);
    tcsi_codec_f64s(codec, pareto->scales, pareto->count);
    tcsi_codec_f64s(codec, pareto->shapes, pareto->count);
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    double sum = 0;
    bool is_sound = pareto->count > 0;
    for (size_t i = 0; i < pareto->count; i++) {
        is_sound &= pareto->weights[i] >= 0 && pareto->scales[i] > 0 && isfinite(pareto->scales[i]);
        is_sound &= pareto->shapes[i] >= SHAPE_LOW && pareto->shapes[i] <= SHAPE_HIGH;
        sum += pareto->weights[i];
    }
    if (!is_sound || !(fabs(sum - 1) < 1e-6)) tcsi_codec_refuse(codec, "a tail that no scores can have");
}
