/* detect/fast/pot.c -- see pot.h.
 *
 * Fit.  S. Grimshaw, "Computing maximum likelihood estimates for the generalized Pareto distribution", Technometrics 35(2),
 * 1993, as used by A. Siffer et al., "Anomaly detection in streams with extreme value theory", KDD 2017, section 3.3: every
 * stationary point of the likelihood has x = shape/scale with u(x) v(x) = 1,
 *     u(x) = mean 1/(1 + x y),   v(x) = 1 + mean log(1 + x y),   then shape = v(x) - 1, scale = shape / x,
 * so that two variables become one.  Roots are looked for between -1/max y and 0, and between 0 and 2 (mean - min) / min^2; the one of
 * the highest likelihood wins, the exponential distribution (x = 0) among them.  Excesses are first divided by
 * their mean, so that units do not matter.
 *
 * Below the threshold the model says nothing; there the score falls linearly to 0 at the median, which keeps the order
 * of rows and meets the tail's score at the threshold.
 *
 * A fit costs some 100 passes over the kept excesses.  It is due once the tail has a quarter of new ones, which makes it
 * cheap per row however many are kept.  SPDX-License-Identifier: Apache-2.0 */
#include "detect/fast/pot.h"

#include "base/alloc.h"
#include "series/stats.h"

#include <math.h>
#include <string.h>

enum { GRID_COUNT = 24, BISECTION_COUNT = 48, PRODUCT_COUNT = 8 };

static const double SCORE_MAX = 300;       /* beyond the end of a bounded tail */
static const double LEARNED_RISK = 0.01;   /* alarms are learned as if they were so much rarer than risk */

/* ---- the fit ---- */

/* mean log(1 + x y) and mean 1/(1 + x y): logarithms of products of eight, whose factors lie far from overflow. */
static double mean_log(const double *y, size_t count, double x, double *ret_mean_inverse)
{
    double logs = 0, inverses = 0;
    for (size_t begin = 0; begin < count; begin += PRODUCT_COUNT) {
        double product = 1;
        size_t end = begin + PRODUCT_COUNT < count ? begin + PRODUCT_COUNT : count;
        for (size_t i = begin; i < end; i++) {
            double factor = 1 + x * y[i];
            product *= factor;
            inverses += 1 / factor;
        }
        logs += log(product);
    }
    *ret_mean_inverse = inverses / (double)count;
    return logs / (double)count;
}

static double grimshaw(const double *y, size_t count, double x)
{
    double inverse, v = 1 + mean_log(y, count, x, &inverse);
    return inverse * v - 1;
}

static double bisect(const double *y, size_t count, double low, double high, double at_low)
{
    for (size_t i = 0; i < BISECTION_COUNT && high - low > 1e-12 * (fabs(low) + fabs(high)); i++) {
        double middle = 0.5 * (low + high), value = grimshaw(y, count, middle);
        if ((value > 0) == (at_low > 0)) low = middle;
        else high = middle;
    }
    return 0.5 * (low + high);
}

/* Mean log likelihood at the stationary point x; the exponential's, for x = 0 and mean 1, is -1. */
static double likelihood(const double *y, size_t count, double x, tcsi_gpd *ret_gpd)
{
    double ignored, shape = mean_log(y, count, x, &ignored);
    *ret_gpd = (tcsi_gpd){ shape, shape / x };
    return -log(ret_gpd->scale) - shape - 1;
}

/* Roots between neighbours of a grid, all of one sign and ordered away from 0. */
static void search(const double *y, size_t count, const double *grid, size_t grid_count, double *best, tcsi_gpd *gpd)
{
    double at_left = grimshaw(y, count, grid[0]);
    for (size_t i = 1; i < grid_count; i++) {
        double left = grid[i - 1], right = grid[i], at_right = grimshaw(y, count, right);
        if ((at_left > 0) != (at_right > 0)) {
            bool up = left < right;
            double x = bisect(y, count, up ? left : right, up ? right : left, up ? at_left : at_right);
            tcsi_gpd found;
            double value = likelihood(y, count, x, &found);
            if (value > *best && found.scale > 0 && isfinite(found.scale)) {
                *best = value;
                *gpd = found;
            }
        }
        at_left = at_right;
    }
}

/* excesses in units of their mean */
static tcsi_gpd fit_scaled(const double *y, size_t count)
{
    double least = y[0], most = y[0], best = -1;
    tcsi_gpd gpd = { 0, 1 };
    for (size_t i = 1; i < count; i++) {
        least = fmin(least, y[i]);
        most = fmax(most, y[i]);
    }
    if (count < 3 || most - least < 1e-9) return gpd;
    /* A bounded tail may end right behind the largest excess: the grid is fine there. */
    static const double parts[] = { 1e-4, 1e-3, 0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.96, 0.99, 0.999, 0.99999 };
    double negative[TCS_COUNT(parts)], positive[GRID_COUNT + 1];
    for (size_t i = 0; i < TCS_COUNT(parts); i++) negative[i] = -parts[i] / most;
    search(y, count, negative, TCS_COUNT(parts), &best, &gpd);
    double highest = fmax(1e-3 / most, fmin(2 * (1 - least) / (least * least), 1e12));
    double ratio = pow(highest * most / 1e-4, 1.0 / GRID_COUNT);
    for (size_t i = 0; i <= GRID_COUNT; i++) positive[i] = i == 0 ? 1e-4 / most : positive[i - 1] * ratio;
    search(y, count, positive, GRID_COUNT + 1, &best, &gpd);
    return gpd;
}

tcsi_gpd tcsi_gpd_fit(const double *excesses, size_t count)
{
    enum { HELD_MAX = 4096 };
    double scaled[HELD_MAX], mean = 0;
    TCS_ASSERT(count > 0 && count <= HELD_MAX);
    for (size_t i = 0; i < count; i++) mean += excesses[i] / (double)count;
    for (size_t i = 0; i < count; i++) scaled[i] = fmax(excesses[i] / mean, 1e-12);
    tcsi_gpd gpd = fit_scaled(scaled, count);
    gpd.scale *= mean;
    return gpd;
}

double tcsi_gpd_surprise(const tcsi_gpd *gpd, double excess)
{
    double x = excess / gpd->scale;
    if (fabs(gpd->shape) < 1e-9) return x / log(10.0);
    double inside = 1 + gpd->shape * x;
    return inside > 0 ? log10(inside) / gpd->shape : INFINITY;
}

/* ---- one tail ---- */

static void refit(tcsi_pot_tail *tail)
{
    if (tail->count > 0) tail->gpd = tcsi_gpd_fit(tail->excesses, tail->count);
    tail->unfitted_count = 0;
}

static void keep_excess(tcsi_pot_tail *tail, double excess, size_t capacity)
{
    tail->excesses[tail->next] = excess;
    tail->next = (tail->next + 1) % capacity;
    if (tail->count < capacity) tail->count++;
    tail->unfitted_count++;
    tail->peak_weight += 1;
}

/* sorted: the first rows, ascending, with their signs turned for the lower tail. */
static void start_tail(tcsi_pot_tail *tail, const double *sorted, size_t count, const tcsi_pot_options *options)
{
    double center = 0.5 * sorted[(count - 1) / 2] + 0.5 * sorted[count / 2];
    double at = options->level * (double)(count - 1);
    size_t below = (size_t)at, above = below + 1 < count ? below + 1 : below;
    double threshold = sorted[below] + (at - (double)below) * (sorted[above] - sorted[below]);
    double least = fmax(1e-12 * fabs(threshold), 1e-150); /* a tail of equal values has some width all the same */
    *tail = (tcsi_pot_tail){ .excesses = tail->excesses, .center = center, .threshold = threshold, .gpd = { 0, least } };
    for (size_t i = 0; i < count; i++)
        if (sorted[i] - threshold > 0) keep_excess(tail, sorted[i] - threshold, options->peak_count_max);
    tail->row_weight = (double)count;
    refit(tail);
    tail->gpd.scale = fmax(tail->gpd.scale, least);
}

static double tail_mass(const tcsi_pot_tail *tail)
{
    return fmin(fmax(tail->peak_weight, 0.5) / tail->row_weight, 1.0);
}

static double tail_score(const tcsi_pot_tail *tail, double x)
{
    double at_threshold = -log10(tail_mass(tail));
    if (x > tail->threshold) return fmin(at_threshold + tcsi_gpd_surprise(&tail->gpd, x - tail->threshold), SCORE_MAX);
    if (x <= tail->center) return 0;
    return at_threshold * ((x - tail->center) / (tail->threshold - tail->center));
}

/* The excess whose probability is risk: the paper's z_q less the threshold, equation 1. */
static double excess_of_risk(const tcsi_pot_tail *tail, double risk)
{
    double ratio = tail_mass(tail) / risk, shape = tail->gpd.shape;
    if (ratio <= 1) return 0;
    return fabs(shape) < 1e-9 ? tail->gpd.scale * log(ratio) : tail->gpd.scale * expm1(shape * log(ratio)) / shape;
}

/* What is learned is limited, but not left out.  The paper leaves alarms out; each then makes the tail lighter and the next
 * alarm likelier, and with a bounded memory the alarms of ordinary rows multiply (measured: sevenfold). */
static void tail_learn(tcsi_pot_tail *tail, double x, const tcsi_pot_options *options)
{
    size_t capacity = options->peak_count_max;
    double excess = fmin(x - tail->threshold, excess_of_risk(tail, LEARNED_RISK * options->risk));
    tail->row_weight += 1;
    if (!(excess > 0)) return;
    keep_excess(tail, excess, capacity);
    if (tail->peak_weight > 2.0 * (double)capacity) {
        tail->peak_weight *= 0.5;
        tail->row_weight *= 0.5;
    }
    if (4 * tail->unfitted_count < tail->count) return;
    double least = fmax(1e-12 * fabs(tail->threshold), 1e-150);
    refit(tail);
    tail->gpd.scale = fmax(tail->gpd.scale, least);
}

/* ---- both ---- */

tcs_status tcsi_pot_init(tcsi_pot *pot, const tcsi_pot_options *options, tcs_error *err)
{
    *pot = (tcsi_pot){ .options = options };
    tcs_status status = tcsi_first_rows_init(&pot->first, options->warmup_count, err);
    for (size_t i = 0; i < 2; i++) pot->tails[i].excesses = TCSI_NEW_ZEROS(double, options->peak_count_max);
    if (status == TCS_OK && (!pot->tails[0].excesses || !pot->tails[1].excesses)) status = tcsi_fail_memory(err, "excesses of a tail");
    return status;
}

void tcsi_pot_deinit(tcsi_pot *pot)
{
    tcsi_first_rows_deinit(&pot->first);
    tcsi_free(pot->tails[0].excesses);
    tcsi_free(pot->tails[1].excesses);
}

void tcsi_pot_reset(tcsi_pot *pot)
{
    for (size_t i = 0; i < 2; i++) pot->tails[i] = (tcsi_pot_tail){ .excesses = pot->tails[i].excesses };
    pot->first.count = 0;
    pot->alarm_run = 0;
    pot->is_started = false;
}

void tcsi_pot_start(tcsi_pot *pot)
{
    double *rows = pot->first.values;
    size_t count = pot->first.count;
    if (count < 2) return;
    tcsi_sort(rows, count);
    start_tail(&pot->tails[0], rows, count, pot->options);
    for (size_t i = 0; i < count / 2; i++) {
        double row = rows[i];
        rows[i] = rows[count - 1 - i];
        rows[count - 1 - i] = row;
    }
    for (size_t i = 0; i < count; i++) rows[i] = -rows[i];
    start_tail(&pot->tails[1], rows, count, pot->options);
    pot->first.count = 0;
    pot->is_started = true;
}

tcsi_pot_outcome tcsi_pot_push(tcsi_pot *pot, double x, double *ret_score)
{
    const tcsi_pot_options *options = pot->options;
    if (!pot->is_started) {
        if (tcsi_first_rows_add(&pot->first, x)) tcsi_pot_start(pot);
        return TCSI_POT_WARMUP;
    }
    double score = tail_score(&pot->tails[0], x);
    if (options->two_sided) score = fmax(score, tail_score(&pot->tails[1], -x));
    *ret_score = score;
    bool is_alarm = score > -log10(options->risk);
    pot->alarm_run = is_alarm ? pot->alarm_run + 1 : 0;
    if (pot->alarm_run >= options->patience_count) {
        tcsi_pot_reset(pot);
        return TCSI_POT_RESTART;
    }
    tail_learn(&pot->tails[0], x, options);
    if (options->two_sided) tail_learn(&pot->tails[1], -x, options);
    return is_alarm ? TCSI_POT_ALARM : TCSI_POT_NORMAL;
}

void tcsi_pot_copy(tcsi_pot *to, const tcsi_pot *from)
{
    for (size_t i = 0; i < 2; i++) {
        double *excesses = to->tails[i].excesses;
        to->tails[i] = from->tails[i];
        to->tails[i].excesses = excesses;
        memcpy(excesses, from->tails[i].excesses, from->options->peak_count_max * sizeof *excesses);
    }
    to->alarm_run = from->alarm_run;
    to->is_started = from->is_started;
    to->first.count = 0;
}

static bool tail_ok(const tcsi_pot_tail *tail, bool is_started)
{
    bool ok = fabs(tail->center) <= 1e200 && fabs(tail->threshold) <= 1e200 && tail->center <= tail->threshold;
    ok = ok && tail->peak_weight >= 0 && tail->peak_weight <= 1e18 && tail->row_weight >= 0 && tail->row_weight <= 1e300;
    ok = ok && fabs(tail->gpd.shape) <= 1e6 && tail->gpd.scale >= 0 && tail->gpd.scale <= 1e300;
    for (size_t i = 0; i < tail->count; i++) ok = ok && tail->excesses[i] > 0 && tail->excesses[i] <= 1e200;
    return ok && (!is_started || (tail->row_weight > 0 && tail->gpd.scale > 0));
}

static void persist_tail(tcsi_pot *pot, tcsi_pot_tail *tail, tcsi_codec *codec)
{
    size_t capacity = pot->options->peak_count_max;
    double *numbers[] = { &tail->center, &tail->threshold, &tail->peak_weight, &tail->row_weight, &tail->gpd.shape, &tail->gpd.scale };
    tcsi_codec_size(codec, &tail->count, capacity);
    tcsi_codec_size(codec, &tail->next, capacity - 1);
    tcsi_codec_size(codec, &tail->unfitted_count, capacity);
    for (size_t i = 0; i < TCS_COUNT(numbers); i++) tcsi_codec_f64(codec, numbers[i]);
    if (tcsi_codec_status(codec) == TCS_OK) tcsi_codec_f64s(codec, tail->excesses, tail->count);
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    if (!tail_ok(tail, pot->is_started)) tcsi_codec_refuse(codec, "a tail out of range");
}

void tcsi_pot_persist(tcsi_pot *pot, tcsi_codec *codec)
{
    tcsi_codec_bool(codec, &pot->is_started);
    tcsi_codec_size(codec, &pot->alarm_run, SIZE_MAX / 2);
    tcsi_first_rows_persist(&pot->first, codec);
    for (size_t i = 0; i < 2; i++) persist_tail(pot, &pot->tails[i], codec);
}

size_t tcsi_pot_size(const tcsi_pot_options *options)
{
    return (options->warmup_count + 2 * options->peak_count_max) * sizeof(double);
}
