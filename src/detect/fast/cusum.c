/* detect/fast/cusum.c -- standardized two-sided cumulative sums: small shifts that last.
 *
 * E. S. Page, "Continuous inspection schemes", Biometrika 41(1/2), 1954, section 4, on standardized rows z = (x - center)/spread:
 *     up = max(0, up + z - slack);   down = max(0, down - z - slack);   score = max(up, down)
 * A shift of d deviations adds d - slack a row, so that slack is half of the smallest shift worth finding.
 *
 * Center and spread are median and median absolute deviation of the first (or the fitted) rows.  z is clipped, so that
 * one outlier adds no more than a few ordinary rows.  The sums stop at a ceiling: once an event is certain, more
 * certainty would only delay the way back.  The center follows the data very slowly (at most alpha spreads a row); a
 * shift that holds the ceiling for patience_count rows is the new normal, and the detector starts again from it, as
 * Page's scheme does after each action.
 *
 * Invariants: 0 <= up, down <= ceiling.  Cost: O(1), a division.  SPDX-License-Identifier: Apache-2.0 */
#include "detect/detector.h"
#include "detect/fast/robust.h"

#include <math.h>

typedef struct options {
    double slack, ceiling, clip, alpha, spread_min;
    size_t warmup_count, patience_count;
} options;

typedef struct cusum_state {
    bool started;
    uint64_t ceiling_run;
    double center, spread; /* spread > 0 once started */
    double up, down;
} cusum_state;

typedef struct cusum {
    tcsi_detector base;
    options options;
    cusum_state now, learned;
    tcsi_first_rows first;
} cusum;

static void reset(tcsi_detector *base)
{
    cusum *self = (cusum *)base;
    self->now = self->learned;
    self->first.count = 0;
}

static tcs_status init(tcsi_detector *base, tcs_error *err)
{
    cusum *self = (cusum *)base;
    return tcsi_first_rows_init(&self->first, self->options.warmup_count, err);
}

static void deinit(tcsi_detector *base)
{
    tcsi_first_rows_deinit(&((cusum *)base)->first);
}

static void start(cusum *self)
{
    double center, spread;
    tcsi_robust_center(self->first.values, self->first.count, &center, &spread);
    self->now = (cusum_state){ .started = true, .center = center, .spread = tcsi_robust_floor(spread, self->options.spread_min, center) };
    self->first.count = 0;
}

static double clamp(double value, double limit)
{
    return fmax(-limit, fmin(limit, value));
}

static void push(tcsi_detector *base, const tcsi_row *row, tcs_score *ret_score)
{
    cusum *self = (cusum *)base;
    const options *opt = &self->options;
    cusum_state *now = &self->now;
    double value = row->values[0];
    if (ret_score->state == TCS_SCORE_MISSING) return;
    if (!now->started) {
        if (tcsi_first_rows_add(&self->first, value)) start(self);
        return;
    }
    double z = clamp((value - now->center) / now->spread, opt->clip);
    now->up = fmin(opt->ceiling, fmax(0.0, now->up + z - opt->slack));
    now->down = fmin(opt->ceiling, fmax(0.0, now->down - z - opt->slack));
    now->center += opt->alpha * now->spread * clamp(z, 1.0);
    *ret_score = (tcs_score){ .state = TCS_SCORE_READY, .value = fmax(now->up, now->down) };

    now->ceiling_run = ret_score->value >= opt->ceiling ? now->ceiling_run + 1 : 0;
    if (now->ceiling_run >= opt->patience_count) *now = (cusum_state){ 0 };
}

static tcs_status fit(tcsi_detector *base, const tcsi_frame *train, tcs_error *err)
{
    cusum *self = (cusum *)base;
    self->learned = (cusum_state){ 0 };
    tcs_status status = tcsi_detector_push_all(base, train, NULL, err);
    if (!self->now.started && self->first.count >= 2) start(self);
    self->learned = self->now;
    self->learned.up = self->learned.down = 0;
    self->learned.ceiling_run = 0;
    reset(base);
    return status;
}

static bool state_ok(const cusum_state *state, const options *opt)
{
    bool scaled = !state->started || (state->spread >= 1e-150 && isfinite(state->spread));
    return scaled && fabs(state->center) <= 2 * TCS_VALUE_MAX
        && state->up >= 0 && state->up <= opt->ceiling && state->down >= 0 && state->down <= opt->ceiling;
}

static void persist_state(cusum *self, cusum_state *state, tcsi_codec *codec)
{
    tcsi_codec_bool(codec, &state->started);
    tcsi_codec_u64(codec, &state->ceiling_run);
    tcsi_codec_f64(codec, &state->center);
    tcsi_codec_f64(codec, &state->spread);
    tcsi_codec_f64(codec, &state->up);
    tcsi_codec_f64(codec, &state->down);
    if (tcsi_codec_loading(codec) && !state_ok(state, &self->options)) tcsi_codec_refuse(codec, "a sum or reference out of range");
}

static void persist(tcsi_detector *base, tcsi_codec *codec)
{
    cusum *self = (cusum *)base;
    tcsi_codec_tag(codec, "CUSM");
    persist_state(self, &self->now, codec);
    persist_state(self, &self->learned, codec);
    tcsi_first_rows_persist(&self->first, codec);
}

static size_t size_max(const tcsi_detector *base, size_t row_count)
{
    (void)row_count;
    return sizeof(cusum) + ((const cusum *)base)->first.capacity * sizeof(double);
}

static const tcsi_parameter parameters[] = {
    TCSI_REAL(slack, 0.5, 0, 100, "Page's k: half the smallest shift worth finding, in deviations"),
    TCSI_REAL(ceiling, 50, 1, 1e9, "highest sum, and so highest score"),
    TCSI_REAL(clip, 6, 0.5, 1e9, "distance from the center at most, in deviations"),
    TCSI_REAL(alpha, 0.001, 0, 1, "how far the center follows a row at most, in deviations"),
    TCSI_REAL(spread_min, 0, 0, 1e100, "floor of the deviation, in units of the data"),
    TCSI_COUNT(warmup_count, 50, 2, 100000, "rows the reference is taken from"),
    TCSI_COUNT(patience_count, 200, 1, 1e9, "rows at the ceiling after which the shift is the new normal"),
};

static const tcsi_detector_ops ops = {
    .init = init, .deinit = deinit, .fit = fit, .reset = reset, .push = push, .persist = persist, .size_max = size_max,
};

const tcsi_detector_info tcsi_detector_cusum = {
    .name = "cusum",
    .title = "two-sided cumulative sums on a robust reference",
    .paper = "E. S. Page: Continuous inspection schemes. Biometrika 41(1/2), 1954, section 4",
    .summary = "Adds up standardized distances from a robust reference, less a slack, on both sides. Finds small shifts that "
               "last, within a few rows; a single spike counts little; season looks like a shift. O(1) a row.",
    .traits = TCSI_TRAIT_STREAMING,
    .instance_size = sizeof(cusum),
    .options_offset = offsetof(cusum, options),
    .parameters = parameters,
    .parameter_count = TCS_COUNT(parameters),
    .ops = &ops,
};
