/* detect/fast/residual_chart.c -- residual_chart.h says what it computes; here also as a detector of one channel.
 * Cost: O(1), four square roots and four divisions.  SPDX-License-Identifier: Apache-2.0 */
#include "detect/fast/residual_chart.h"

#include "base/bounds.h"
#include "detect/detector.h"
#include "detect/fast/robust.h"

#include <math.h>

#define ALPHA 0.02
#define CLIP 3.0
static const double RHO_MAX = 0.99, REACH_ROWS = 4000, REACH_RISE = 2, REACH_PART = 0.1;
enum { WARMUP = 16, PATIENCE = 50, COUNT_MAX = 1 << 30 };
#define REACH_MIN 1e-36F
#define REACHES_FOLLOW (UINT32_C(1) << 31) /* in a saved state, beside the run; those of before there were any do not have it */

const tcsi_residual_chart_options tcsi_residual_chart_defaults = {
    .alpha = ALPHA, .clip = CLIP, .warmup_count = WARMUP, .patience_count = PATIENCE,
};

static double rho_of(const tcsi_residual_chart *chart)
{
    const double rho = chart->variance > 0 ? (double)chart->covariance / (double)chart->variance : 0;
    return tcsi_at_most(tcsi_at_least(rho, 0), RHO_MAX);
}

/* The least deviation, of values that have been so far away. */
static double spread_of(float square, float reach)
{
    return tcsi_at_least(sqrt((double)square), REACH_PART * (double)reach);
}

void tcsi_residual_chart_expect(const tcsi_residual_chart *chart, double *ret_value, double *ret_deviation)
{
    *ret_value = chart->level + rho_of(chart) * (chart->last - chart->level);
    *ret_deviation = spread_of(chart->residual_square, chart->rest_reach);
}

double tcsi_residual_chart_distance(const tcsi_residual_chart *chart, double value)
{
    if (chart->count == 0) return NAN;
    return (value - chart->level) / tcsi_robust_floor(spread_of(chart->variance, chart->reach), 0, chart->level);
}

static double clipped(double difference, double limit)
{
    return tcsi_at_most(tcsi_at_least(difference, -limit), limit);
}

/* A float's variance, whatever the values: one that does not fit is the largest, one that is nothing is 0. */
static float as_variance(double value)
{
    return value < 1e38 ? (float)value : 1e38F;
}

tcsi_residual_parts tcsi_residual_chart_parts(const tcsi_residual_chart *chart, const tcsi_residual_chart_options *options, double value)
{
    const double drift = rho_of(chart) * (chart->last - chart->level), step = value - chart->level, rest = step - drift;
    const double spread = tcsi_robust_floor(spread_of(chart->variance, chart->reach), options->spread_min, chart->level);
    const double rest_spread =
        tcsi_robust_floor(spread_of(chart->residual_square, chart->rest_reach), options->spread_min, chart->level);
    const bool has_spread = chart->variance > 0 || chart->reach > 0;
    return (tcsi_residual_parts){ .level = chart->level, .forecast = chart->level + drift, .spread = spread, .rest_spread = rest_spread,
                                  .step = step, .rest = rest, .by_level = fabs(step) / spread, .by_forecast = fabs(rest) / rest_spread,
                                  .most = has_spread ? INFINITY : sqrt((double)chart->count),
                                  .is_ready = chart->count >= options->warmup_count };
}

double tcsi_residual_parts_score(const tcsi_residual_parts *parts)
{
    return tcsi_at_most(tcsi_at_least(parts->by_level, parts->by_forecast), parts->most);
}

/* Where neither deviation nor reach was anything, the first step says what they are. */
static float next_reach(float reach, float square, double step)
{
    const double most = REACH_RISE * tcsi_at_least((double)reach, sqrt((double)square));
    const double far = most > 0 ? tcsi_at_most(fabs(step), most) : fabs(step);
    return (float)tcsi_at_most(tcsi_at_least((double)reach, far), 1e38);
}

/* Nothing in the end: a float that is next to nothing would be slow, and stay. */
static float forget(float reach)
{
    const float kept = (float)(1 - 1 / REACH_ROWS) * reach;
    return kept > REACH_MIN ? kept : 0;
}

/* A row that is far away says how far values go; those that follow it there say that once more, and no more. */
static void keep_reach(tcsi_residual_chart *chart, bool is_first_far, const tcsi_residual_parts *parts)
{
    chart->reach = forget(chart->reach);
    chart->rest_reach = forget(chart->rest_reach);
    if (!is_first_far) return;
    chart->reach = next_reach(chart->reach, chart->variance, parts->step);
    chart->rest_reach = next_reach(chart->rest_reach, chart->residual_square, parts->rest);
}

double tcsi_residual_chart_push(tcsi_residual_chart *chart, const tcsi_residual_chart_options *options, double value)
{
    if (chart->count == 0) {
        *chart = (tcsi_residual_chart){ .level = value, .last = value, .count = 1 };
        return NAN;
    }
    const tcsi_residual_parts parts = tcsi_residual_chart_parts(chart, options, value);
    const double step = parts.step, rest = parts.rest, spread = parts.spread, rest_spread = parts.rest_spread;
    const double score = tcsi_residual_parts_score(&parts);
    const bool is_ready = parts.is_ready;
    const double alpha = tcsi_at_least(options->alpha, 1 / (double)(chart->count + 1));
    double absorbed = step, absorbed_rest = rest;
    const bool is_far = is_ready && (fabs(step) > options->clip * spread || fabs(rest) > options->clip * rest_spread);
    keep_reach(chart, is_far && chart->clipped_run == 0, &parts);
    chart->clipped_run = is_far ? chart->clipped_run + (chart->clipped_run < COUNT_MAX) : 0;
    if (is_far && chart->clipped_run <= options->patience_count) {
        absorbed = clipped(step, options->clip * spread);
        absorbed_rest = clipped(rest, options->clip * rest_spread);
    }
    chart->level += alpha * absorbed;
    chart->variance = as_variance((1 - alpha) * ((double)chart->variance + alpha * absorbed * absorbed));
    chart->covariance = (float)clipped((1 - alpha) * (double)chart->covariance + alpha * absorbed * (double)chart->step_last, 1e38);
    chart->residual_square = as_variance((1 - alpha) * (double)chart->residual_square + alpha * absorbed_rest * absorbed_rest);
    chart->step_last = (float)clipped(absorbed, 1e38);
    chart->last = value;
    if (chart->count < COUNT_MAX) chart->count++;
    return is_ready ? score : NAN;
}

static bool is_sound(const tcsi_residual_chart *chart)
{
    return fabs(chart->level) <= 2 * TCS_VALUE_MAX && fabs(chart->last) <= TCS_VALUE_MAX && chart->variance >= 0 &&
           chart->variance <= 1e38F && fabsf(chart->covariance) <= 1e38F && chart->residual_square >= 0 &&
           chart->residual_square <= 1e38F && fabsf(chart->step_last) <= 1e38F && chart->count <= COUNT_MAX &&
           chart->clipped_run <= COUNT_MAX && chart->reach >= 0 && chart->reach <= 1e38F && chart->rest_reach >= 0 &&
           chart->rest_reach <= 1e38F;
}

void tcsi_residual_chart_persist(tcsi_residual_chart *chart, tcsi_codec *codec)
{
    tcsi_codec_f64(codec, &chart->level);
    tcsi_codec_f64(codec, &chart->last);
    tcsi_codec_f32(codec, &chart->variance);
    tcsi_codec_f32(codec, &chart->covariance);
    tcsi_codec_f32(codec, &chart->residual_square);
    tcsi_codec_f32(codec, &chart->step_last);
    tcsi_codec_u32(codec, &chart->count);
    uint32_t run = chart->clipped_run | REACHES_FOLLOW;
    tcsi_codec_u32(codec, &run);
    chart->clipped_run = run & ~REACHES_FOLLOW;
    if (run & REACHES_FOLLOW) {
        tcsi_codec_f32(codec, &chart->reach);
        tcsi_codec_f32(codec, &chart->rest_reach);
    }
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    if (!is_sound(chart)) tcsi_codec_refuse(codec, "a chart out of range");
}

/* ---- as a detector ---- */

typedef tcsi_residual_chart_options options;

typedef struct residual_chart {
    tcsi_detector base;
    options options;
    tcsi_residual_chart now, learned; /* reset returns to learned: blank, or as fit left it */
} residual_chart;

static void reset(tcsi_detector *base)
{
    residual_chart *self = (residual_chart *)base;
    self->now = self->learned;
}

static void push(tcsi_detector *base, const tcsi_row *row, tcs_score *ret_score)
{
    residual_chart *self = (residual_chart *)base;
    if (ret_score->state == TCS_SCORE_MISSING) return;
    const double score = tcsi_residual_chart_push(&self->now, &self->options, row->values[0]);
    if (!isnan(score)) *ret_score = (tcs_score){ .state = TCS_SCORE_READY, .value = score };
}

static tcs_status fit(tcsi_detector *base, const tcsi_frame *train, tcs_error *err)
{
    residual_chart *self = (residual_chart *)base;
    self->learned = (tcsi_residual_chart){ 0 };
    const tcs_status status = tcsi_detector_push_all(base, train, NULL, err);
    self->learned = self->now;
    return status;
}

static void persist(tcsi_detector *base, tcsi_codec *codec)
{
    residual_chart *self = (residual_chart *)base;
    tcsi_codec_tag(codec, "RCHT");
    tcsi_residual_chart_persist(&self->now, codec);
    tcsi_residual_chart_persist(&self->learned, codec);
}

static size_t size_max(const tcsi_detector *base, size_t row_count)
{
    (void)base;
    (void)row_count;
    return sizeof(residual_chart);
}

static const tcsi_parameter parameters[] = {
    TCSI_REAL(alpha, ALPHA, 1e-6, 1, "weight of the newest row in mean and variances"),
    TCSI_REAL(clip, CLIP, 0.5, 1e6, "absorbed distance from what was expected at most, in deviations"),
    TCSI_REAL(spread_min, 0, 0, 1e100, "floor of the deviations, in units of the data"),
    TCSI_COUNT(warmup_count, WARMUP, 2, 100000, "rows before the first score"),
    TCSI_COUNT(patience_count, PATIENCE, 0, 1e9, "clipped rows on end after which they count as the new normal"),
};

static const tcsi_detector_ops ops = { .fit = fit, .reset = reset, .push = push, .persist = persist, .size_max = size_max };

const tcsi_detector_info tcsi_detector_residual_chart = {
    .name = "residual_chart",
    .title = "control chart of residuals for autocorrelated rows",
    .paper = "L. Alwan, H. Roberts: Time-series modeling for statistical process control. Journal of Business & Economic Statistics 6(1), "
             "1988; D. Montgomery, C. Mastrangelo: Some statistical process control methods for autocorrelated data. Journal of Quality "
             "Technology 23(3), 1991",
    .summary = "What a row brings beyond the forecast of an autoregressive model of order one, and how far it is from the weighted mean, "
               "each in its own deviations, or in what else values have done; the larger counts. Finds jumps and shifts in rows that "
               "depend on each other; misses seasonal shapes. 48 bytes of state, O(1) a row: the first look at a million series.",
    .traits = TCSI_TRAIT_STREAMING,
    .instance_size = sizeof(residual_chart),
    .options_offset = offsetof(residual_chart, options),
    .parameters = parameters,
    .parameter_count = TCS_COUNT(parameters),
    .ops = &ops,
};
