/* detect/fast/holt_winters.c -- robust exponential smoothing with trend and season: how wrong was the forecast?
 *
 * S. Gelper, R. Fried, C. Croux, "Robust forecasting with exponential and Holt-Winters smoothing", Journal of Forecasting
 * 29(3), 2010; the additive form.  With r the error of the one-step forecast level + trend + season:
 *     spread^2 = ((1 - d) + d rho(r / spread)) spread^2            equation 12, rho: bounded biweight, E rho = 1
 *     y*       = forecast + psi(r / spread) spread                 equation 9, psi: Huber's, clipped at +-k
 *     level    = a (y* - season) + (1 - a)(level + trend)
 *     trend    = b (level - level before) + (1 - b) trend
 *     season   = g (y* - level) + (1 - g) season                   of this phase
 * so that an outlier moves nothing by more than k spreads.  The score is |r| / spread, with both from before the row.
 *
 * Start: section 3.4 of the paper asks for a robust fit of line and season to the first rows.  Here: slope from the median of
 * differences over a whole number of periods, level and season from medians of what is left, spread from their median
 * absolute deviation.  Linear in the rows held.
 *
 * The period is an option; at 0, fit looks for one in the training rows (series/period.h), and without fit or period there is
 * no season.  A missing row moves time on: level by trend, and the phase.
 * Clipping must not blind it: after patience_count clipped rows on end rows are taken as they are (the level jumps), and when that
 * does not help for as long again, the spread grows to fit.
 *
 * Cost: O(1), a division and a square root; memory 2 period + the rows held.  SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "detect/detector.h"
#include "detect/fast/robust.h"
#include "series/period.h"
#include "series/stats.h"

#include <math.h>
#include <string.h>

enum { PERIODS_HELD = 3, PERIODS_IN_FIT = 6 };

static const double CLIP = 2;       /* k of psi and rho, in spreads */
static const double RHO_MAX = 2.52; /* makes E rho(z) = 1 for normal z at k = 2 */

typedef struct options {
    double alpha, beta, gamma, delta, spread_min;
    size_t period, period_max, warmup_count, patience_count;
} options;

typedef struct smooth_state {
    bool started;
    size_t period;  /* 0: no season */
    size_t phase;   /* of the next row */
    double level, trend, spread;
    uint64_t clipped_run;
} smooth_state;

typedef struct holt_winters {
    tcsi_detector base;
    options options;
    smooth_state now, learned;
    double *season, *season_learned; /* (season_capacity) */
    double *held;                    /* (held_capacity) first rows, NaN = missing; then as many again for scratch */
    size_t season_capacity, held_capacity, held_count;
} holt_winters;

/* ---- the start ---- */

/* Median of the usable values among count, copied to scratch; otherwise when there are none. */
static double median_or(const double *values, size_t count, double *scratch, double otherwise)
{
    double median = tcsi_median(values, count, scratch);
    return tcsi_value_ok(median) ? median : otherwise;
}

/* Median of (y[t + span] - y[t]) / span. */
static double slope_of(const double *y, size_t count, size_t span, double *scratch)
{
    size_t used = 0;
    if (span == 0 || span >= count) return 0;
    for (size_t t = 0; t + span < count; t++) {
        double difference = y[t + span] / (double)span - y[t] / (double)span;
        if (tcsi_value_ok(difference)) scratch[used++] = difference;
    }
    tcsi_sort(scratch, used);
    return used > 0 ? scratch[used / 2] : 0;
}

static double line_at(const smooth_state *now, size_t count, size_t t)
{
    return now->level - now->trend * (double)(count - 1 - t);
}

/* Medians by phase of y less the line, centered. */
static void start_season(holt_winters *self, const double *y, size_t count, double *scratch)
{
    size_t period = self->now.period;
    double mean = 0;
    for (size_t phase = 0; phase < period; phase++) {
        size_t used = 0;
        for (size_t t = phase; t < count; t += period)
            if (tcsi_value_ok(y[t])) scratch[used++] = y[t] - line_at(&self->now, count, t);
        tcsi_sort(scratch, used);
        self->season[phase] = used > 0 ? 0.5 * scratch[(used - 1) / 2] + 0.5 * scratch[used / 2] : 0;
        mean += self->season[phase] / (double)period;
    }
    for (size_t phase = 0; phase < period; phase++) self->season[phase] -= mean;
    self->now.level += mean;
}

/* Level at the last of count rows y, trend, season, spread; scratch: (count). */
static void start(holt_winters *self, const double *y, size_t count, double *scratch)
{
    smooth_state *now = &self->now;
    size_t period = now->period, span = period > 0 ? count / 2 / period * period : count / 2, used = 0;
    double center = 0, spread = 0;
    if (period > 0 && span == 0) span = period;
    now->trend = slope_of(y, count, span, scratch);
    now->level = median_or(y, count, scratch, 0) + now->trend * 0.5 * (double)(count - 1);
    start_season(self, y, count, scratch);
    for (size_t t = 0; t < count; t++)
        if (tcsi_value_ok(y[t])) scratch[used++] = y[t] - line_at(now, count, t) - (period > 0 ? self->season[t % period] : 0);
    if (used > 0) tcsi_robust_center(scratch, used, &center, &spread);
    now->level += center;
    now->spread = tcsi_robust_floor(spread, self->options.spread_min, now->level);
    now->phase = period > 0 ? count % period : 0;
    now->clipped_run = 0;
    now->started = true;
}

/* ---- one row ---- */

static double rho(double z)
{
    double q = z * z / (CLIP * CLIP);
    return q >= 1 ? RHO_MAX : RHO_MAX * (1 - (1 - q) * (1 - q) * (1 - q));
}

static void next_phase(smooth_state *now)
{
    now->phase = now->phase + 1 < now->period ? now->phase + 1 : 0;
}

static void pass_missing(smooth_state *now)
{
    double level = now->level + now->trend;
    if (fabs(level) <= TCS_VALUE_MAX) now->level = level;
    next_phase(now);
}

static void absorb(holt_winters *self, double forecast, double error, double season)
{
    const options *opt = &self->options;
    smooth_state *now = &self->now;
    double z = error / now->spread, level_before = now->level, gain = opt->alpha;
    bool far = !(fabs(z) <= CLIP);
    now->clipped_run = far ? now->clipped_run + 1 : 0;
    bool accepted = now->clipped_run > opt->patience_count;
    if (now->clipped_run > 2 * opt->patience_count + 1) now->spread = fmax(now->spread, fabs(error) / CLIP);
    now->spread *= sqrt(1 - opt->delta + opt->delta * rho(z));
    if (accepted) gain = 1;
    else if (far) error = copysign(CLIP * now->spread, error);

    double cleaned = forecast + error;
    now->level = gain * (cleaned - season) + (1 - gain) * (now->level + now->trend);
    if (!accepted) now->trend = opt->beta * (now->level - level_before) + (1 - opt->beta) * now->trend;
    if (now->period > 0 && !accepted) self->season[now->phase] = opt->gamma * (cleaned - now->level) + (1 - opt->gamma) * season;
    now->spread = fmin(now->spread, TCS_VALUE_MAX);
    next_phase(now);
}

/* ---- the detector ---- */

static void reset(tcsi_detector *base)
{
    holt_winters *self = (holt_winters *)base;
    self->held_count = 0;
    self->now = self->learned.started ? self->learned : (smooth_state){ .period = self->options.period };
    memcpy(self->season, self->season_learned, self->season_capacity * sizeof *self->season);
}

static tcs_status init(tcsi_detector *base, tcs_error *err)
{
    holt_winters *self = (holt_winters *)base;
    const options *opt = &self->options;
    self->season_capacity = opt->period > 0 ? opt->period : opt->period_max;
    self->held_capacity = opt->warmup_count > PERIODS_HELD * opt->period ? opt->warmup_count : PERIODS_HELD * opt->period;
    self->season = TCSI_NEW_ZEROS(double, self->season_capacity);
    self->season_learned = TCSI_NEW_ZEROS(double, self->season_capacity);
    self->held = TCSI_NEW_ZEROS(double, 2 * self->held_capacity);
    if (!self->season || !self->season_learned || !self->held) return tcsi_fail_memory(err, "a season");
    reset(base);
    return TCS_OK;
}

static void deinit(tcsi_detector *base)
{
    holt_winters *self = (holt_winters *)base;
    tcsi_free(self->season);
    tcsi_free(self->season_learned);
    tcsi_free(self->held);
}

static void push(tcsi_detector *base, const tcsi_row *row, tcs_score *ret_score)
{
    holt_winters *self = (holt_winters *)base;
    smooth_state *now = &self->now;
    double value = row->values[0];
    bool usable = ret_score->state != TCS_SCORE_MISSING;
    if (!now->started) {
        if (self->held_count == 0 && !usable) return; /* nothing to hold before the first value */
        self->held[self->held_count++] = usable ? value : NAN;
        if (self->held_count < self->held_capacity) return;
        start(self, self->held, self->held_count, self->held + self->held_capacity);
        self->held_count = 0;
        return;
    }
    if (!usable) {
        pass_missing(now);
        return;
    }
    double season = now->period > 0 ? self->season[now->phase] : 0, forecast = now->level + now->trend + season;
    now->spread = tcsi_robust_floor(now->spread, self->options.spread_min, now->level);
    double error = value - forecast;
    *ret_score = (tcs_score){ .state = TCS_SCORE_READY, .value = fmin(fabs(error) / now->spread, 1e300) };
    absorb(self, forecast, error, season);
}

/* The strongest period of the training rows that is no longer than allowed and seen often enough; 0 when there is none. */
static tcs_status find_period(const holt_winters *self, const tcsi_frame *train, size_t *ret_period, tcs_error *err)
{
    tcsi_period found;
    size_t count = 0, seen = train->row_count / PERIODS_HELD, longest = seen < self->season_capacity ? seen : self->season_capacity;
    *ret_period = self->options.period;
    if (self->options.period > 0 || longest < 2) return TCS_OK;
    tcs_status status = tcsi_periods_find(train->values, train->row_count, longest, &found, 1, &count, err);
    if (status == TCS_OK && count > 0) *ret_period = (size_t)lround(found.period);
    if (*ret_period > self->season_capacity || *ret_period < 2) *ret_period = self->options.period;
    return status;
}

/* Starts from the first rows, then runs over the rest. */
static tcs_status fit(tcsi_detector *base, const tcsi_frame *train, tcs_error *err)
{
    holt_winters *self = (holt_winters *)base;
    size_t period = 0, first = 0;
    self->learned = (smooth_state){ 0 };
    memset(self->season_learned, 0, self->season_capacity * sizeof *self->season);
    while (first < train->row_count && !tcsi_value_ok(train->values[first])) first++;
    size_t usable_count = train->row_count - first;
    double *scratch = TCSI_NEW_ARRAY(double, usable_count);
    if (!scratch) return tcsi_fail_memory(err, "training rows");
    tcs_status status = find_period(self, train, &period, err);
    reset(base);
    if (status == TCS_OK && usable_count >= 2) {
        size_t count = PERIODS_IN_FIT * period > self->options.warmup_count ? PERIODS_IN_FIT * period : self->options.warmup_count;
        if (count > usable_count) count = usable_count;
        self->now = (smooth_state){ .period = period };
        start(self, train->values + first, count, scratch);
        double trend = self->now.trend, level = self->now.level - trend * (double)(first + count);
        for (size_t t = first + count; t < train->row_count; t++) {
            tcs_score ignored;
            tcsi_detector_push(base, &(tcsi_row){ .values = &train->values[t] }, &ignored);
        }
        self->learned = self->now;
        /* The stream begins with the first training row: phase, level and trend as of there, season and spread as of the end. */
        self->learned.phase = period > 0 ? (period - first % period) % period : 0;
        self->learned.level = level;
        self->learned.trend = trend;
        self->learned.clipped_run = 0;
        memcpy(self->season_learned, self->season, self->season_capacity * sizeof *self->season);
    }
    reset(base);
    tcsi_free(scratch);
    return status;
}

/* One row ahead; the bands are those of normal errors. */
static bool forecast(const tcsi_detector *base, size_t channel, size_t index, tcsi_forecast *ret_forecast)
{
    static const double normal[TCSI_FORECAST_LEVEL_COUNT] = { 0.67448975, 1.28155157, 1.64485363, 1.95996398 };
    const smooth_state *now = &((const holt_winters *)base)->now;
    (void)channel;
    if (!now->started || index > 0) return false;
    const double median = now->level + now->trend + (now->period > 0 ? ((const holt_winters *)base)->season[now->phase] : 0);
    *ret_forecast = (tcsi_forecast){ .ahead = 1, .median = median, .noise = now->spread };
    for (size_t i = 0; i < TCSI_FORECAST_LEVEL_COUNT; i++) {
        ret_forecast->low[i] = median - normal[i] * now->spread;
        ret_forecast->high[i] = median + normal[i] * now->spread;
    }
    return true;
}

static void persist_state(const holt_winters *self, smooth_state *state, tcsi_codec *codec)
{
    tcsi_codec_bool(codec, &state->started);
    tcsi_codec_size(codec, &state->period, self->season_capacity);
    tcsi_codec_size(codec, &state->phase, self->season_capacity);
    tcsi_codec_f64(codec, &state->level);
    tcsi_codec_f64(codec, &state->trend);
    tcsi_codec_f64(codec, &state->spread);
    tcsi_codec_u64(codec, &state->clipped_run);
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    bool ok = fabs(state->level) <= 1e200 && fabs(state->trend) <= 1e200 && state->spread >= 0 && state->spread <= 1e200;
    if (!ok || (state->phase > 0 && state->phase >= state->period)) tcsi_codec_refuse(codec, "a level or phase out of range");
}

static void persist(tcsi_detector *base, tcsi_codec *codec)
{
    holt_winters *self = (holt_winters *)base;
    tcsi_codec_tag(codec, "HOLT");
    persist_state(self, &self->now, codec);
    persist_state(self, &self->learned, codec);
    tcsi_codec_size(codec, &self->held_count, self->held_capacity - 1);
    if (tcsi_codec_status(codec) != TCS_OK) return;
    tcsi_codec_f64s(codec, self->held, self->held_count);
    tcsi_codec_f64s(codec, self->season, self->season_capacity);
    tcsi_codec_f64s(codec, self->season_learned, self->season_capacity);
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    bool ok = true;
    for (size_t i = 0; i < self->season_capacity; i++) ok = ok && fabs(self->season[i]) <= 1e200 && fabs(self->season_learned[i]) <= 1e200;
    for (size_t i = 0; i < self->held_count; i++) ok = ok && (isnan(self->held[i]) || fabs(self->held[i]) <= TCS_VALUE_MAX);
    if (!ok) tcsi_codec_refuse(codec, "a season or held row out of range");
}

static size_t size_max(const tcsi_detector *base, size_t row_count)
{
    const holt_winters *self = (const holt_winters *)base;
    (void)row_count;
    return sizeof *self + (2 * self->season_capacity + 2 * self->held_capacity) * sizeof(double);
}

static const tcsi_parameter parameters[] = {
    TCSI_REAL(alpha, 0.1, 0, 1, "weight of the newest row in the level"),
    TCSI_REAL(beta, 0.01, 0, 1, "weight of the newest step in the trend"),
    TCSI_REAL(gamma, 0.1, 0, 1, "weight of the newest row in its phase of the season"),
    TCSI_REAL(delta, 0.02, 0, 1, "weight of the newest error in the spread"),
    TCSI_REAL(spread_min, 0, 0, 1e100, "floor of the spread, in units of the data"),
    TCSI_COUNT(period, 0, 0, 100000, "rows in a season; 0: fit finds it, without fit there is none"),
    TCSI_COUNT(period_max, 400, 2, 100000, "longest season that fit may find, in rows"),
    TCSI_COUNT(warmup_count, 50, 4, 100000, "rows held for the start; three seasons at least"),
    TCSI_COUNT(patience_count, 50, 0, 1e9, "clipped rows on end after which they are the new normal"),
};

static const tcsi_detector_ops ops = {
    .init = init, .deinit = deinit, .fit = fit, .reset = reset, .push = push, .forecast = forecast, .persist = persist,
    .size_max = size_max,
};

const tcsi_detector_info tcsi_detector_holt_winters = {
    .name = "holt_winters",
    .title = "robust Holt-Winters smoothing",
    .paper = "S. Gelper, R. Fried, C. Croux: Robust forecasting with exponential and Holt-Winters smoothing. Journal of Forecasting "
             "29(3), 2010, additive form",
    .summary = "Error of a one-step forecast by level, trend and season, in robust spreads. Finds values that are ordinary in themselves "
               "but wrong for their time; outliers leave the model as it was. Needs the period, or fit to find it. O(1) a row.",
    .traits = TCSI_TRAIT_STREAMING | TCSI_TRAIT_FORECAST,
    .instance_size = sizeof(holt_winters),
    .options_offset = offsetof(holt_winters, options),
    .parameters = parameters,
    .parameter_count = TCS_COUNT(parameters),
    .ops = &ops,
};
