/* SPDX-License-Identifier: Apache-2.0 */
#include "decide/pareto.h"

#include <math.h>
#include <string.h>

enum { FIT_MIN = 3, CHECK_MIN = 20 };

static const double SHAPE_LOW = -0.4, SHAPE_HIGH = 1.0;
static const double SCALE_SPAN = 0.7;     /* of the logarithm of scale / mean excess, to both sides */
static const double WEIGHT_MIN = 1e-6;    /* lighter atoms are left out */
static const double ASIDE_CHANCE = 1e-4;  /* of so many excesses so far out */
static const double SURVIVAL_MIN = 1e-300;
static const double QUANTILE_PRECISION = 1e-9;

/* excesses: (count) ascending. */
static tcsi_excesses summarize(const double *excesses, size_t count)
{
    tcsi_excesses p = { .total = (double)count, .highest = excesses[count - 1] };
    const size_t top = count <= TCSI_PARETO_POINTS ? count : TCSI_PARETO_TOPS, rest = count - top;
    for (size_t g = 0; rest > 0 && g < TCSI_PARETO_GROUPS; g++) {
        const size_t begin = g * rest / TCSI_PARETO_GROUPS, end = (g + 1) * rest / TCSI_PARETO_GROUPS;
        double sum = 0;
        for (size_t i = begin; i < end; i++) sum += excesses[i];
        p.counts[p.count] = (double)(end - begin);
        p.values[p.count++] = fmin(fmax(sum / (double)(end - begin), excesses[begin]), excesses[end - 1]); /* equal ones stay equal */
    }
    for (size_t i = rest; i < count; i++) {
        p.counts[p.count] = 1;
        p.values[p.count++] = excesses[i];
    }
    return p;
}

double tcsi_pareto_log_survival(double excess, double scale, double shape)
{
    if (fabs(shape) < 1e-9) return -excess / scale;
    const double z = 1 + shape * excess / scale;
    return z > 0 ? -log(z) / shape : -INFINITY;
}

/* What is known of shape and scale from excesses, and from `beyond` others of which only is known that they are above the highest. */
static void find_posterior(const tcsi_excesses *p, size_t beyond, const tcsi_pareto_prior *prior, tcsi_pareto *ret_pareto)
{
    double logs[TCSI_PARETO_ATOMS], best = -INFINITY, sum = 0, mean = 0;
    for (size_t i = 0; i < p->count; i++) mean += p->counts[i] * p->values[i];
    mean = fmax((mean + (double)beyond * p->highest) / p->total, 1e-9 * p->highest);
    for (int at = 0; at < TCSI_PARETO_ATOMS; at++) {
        const int a = at / TCSI_PARETO_SCALES, b = at % TCSI_PARETO_SCALES;
        const double shape = SHAPE_LOW + (SHAPE_HIGH - SHAPE_LOW) * a / (TCSI_PARETO_SHAPES - 1);
        const double scale = mean * fmax(1 - shape, 0.2) * exp(SCALE_SPAN * (2.0 * b / (TCSI_PARETO_SCALES - 1) - 1));
        const double off = (shape - prior->mean) / prior->deviation;
        double sum_survival = 0;
        for (size_t i = 0; i < p->count; i++) sum_survival += p->counts[i] * tcsi_pareto_log_survival(p->values[i], scale, shape);
        /* log density = log survival * (1 + shape) - log scale */
        logs[at] = -0.5 * off * off + sum_survival * (1 + shape) - p->total * log(scale);
        if (beyond > 0) logs[at] += (double)beyond * tcsi_pareto_log_survival(p->highest, scale, shape);
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
        const double r = exp(tcsi_pareto_log_survival(to, scale, shape) - tcsi_pareto_log_survival(from, scale, shape));
        if (r >= share) chance += pareto->weights[i];
        else if (r > 0) {
            const double rest = share < 1 ? (1 - share) * log((1 - share) / (1 - r)) : 0;
            chance += pareto->weights[i] * exp(-(double)total * (share * log(share / r) + rest));
        }
    }
    return chance;
}

/* How many of excesses (count) the lower three quarters can explain. */
static size_t count_plausible(const double *excesses, size_t count, const tcsi_pareto_prior *prior, tcsi_pareto *scratch)
{
    const size_t core = count - count / 4;
    if (count < CHECK_MIN || !(excesses[core - 1] > 0)) return count;
    const tcsi_excesses p = summarize(excesses, core);
    find_posterior(&p, count - core, prior, scratch);
    for (size_t i = core; i < count; i++)
        if (chance_of(scratch, excesses[core - 1], excesses[i], count - i, count - core) < ASIDE_CHANCE) return i;
    return count;
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

size_t tcsi_pareto_fit(const double *excesses, size_t count, const tcsi_pareto_prior *prior, double otherwise, double floor,
                       tcsi_pareto *ret_pareto)
{
    size_t kept = count;
    *ret_pareto = (tcsi_pareto){ .count = 1, .weights = { 1 }, .scales = { fmax(otherwise, floor) } };
    if (count < FIT_MIN || !(excesses[count - 1] > floor)) return kept;
    if (prior->may_hold_anomalies) kept = count_plausible(excesses, count, prior, ret_pareto);
    const tcsi_excesses p = summarize(excesses, kept);
    find_posterior(&p, 0, prior, ret_pareto);
    leave_out_light_atoms(ret_pareto);
    ret_pareto->seen = p;
    for (size_t i = 0; i < ret_pareto->count; i++) ret_pareto->scales[i] = fmax(ret_pareto->scales[i], floor);
    return kept;
}

double tcsi_pareto_survival(const tcsi_pareto *pareto, double excess)
{
    double chance = 0;
    if (!(excess > 0)) return 1;
    for (size_t i = 0; i < pareto->count; i++)
        chance += pareto->weights[i] * exp(tcsi_pareto_log_survival(excess, pareto->scales[i], pareto->shapes[i]));
    return fmin(fmax(chance, SURVIVAL_MIN), 1);
}

double tcsi_pareto_quantile(const tcsi_pareto *pareto, double p)
{
    double low = 0, high = pareto->scales[0];
    while (tcsi_pareto_survival(pareto, high) > p && high < 1e300) {
        low = high;
        high *= 2;
    }
    while (high - low > QUANTILE_PRECISION * high) {
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

static void persist_seen(tcsi_excesses *seen, tcsi_codec *codec)
{
    bool is_sound = true;
    tcsi_codec_size(codec, &seen->count, TCSI_PARETO_POINTS);
    if (tcsi_codec_status(codec) != TCS_OK) return;
    tcsi_codec_f64s(codec, seen->values, seen->count);
    tcsi_codec_f64s(codec, seen->counts, seen->count);
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    seen->total = 0;
    for (size_t i = 0; i < seen->count; i++) {
        is_sound &= isfinite(seen->values[i]) && seen->values[i] >= 0 && seen->counts[i] >= 1 && isfinite(seen->counts[i]);
        is_sound &= i == 0 || seen->values[i] >= seen->values[i - 1];
        seen->total += seen->counts[i];
    }
    if (seen->count > 0) seen->highest = seen->values[seen->count - 1];
    if (!is_sound || (seen->count > 0 && !(seen->highest > 0))) tcsi_codec_refuse(codec, "excesses that no scores can have");
}

void tcsi_pareto_persist(tcsi_pareto *pareto, tcsi_codec *codec)
{
    tcsi_codec_size(codec, &pareto->count, TCSI_PARETO_ATOMS);
    if (tcsi_codec_status(codec) != TCS_OK) return;
    tcsi_codec_f64s(codec, pareto->weights, pareto->count);
    tcsi_codec_f64s(codec, pareto->scales, pareto->count);
    tcsi_codec_f64s(codec, pareto->shapes, pareto->count);
    persist_seen(&pareto->seen, codec);
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
