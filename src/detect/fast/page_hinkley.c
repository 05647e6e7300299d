/* detect/fast/page_hinkley.c -- the Page-Hinkley test: has the mean moved away from what it was since the start?
 *
 * E. S. Page, "Continuous inspection schemes", Biometrika 41(1/2), 1954; D. Hinkley, "Inference about the change-point from
 * cumulative sum tests", Biometrika 58(3), 1971; in the two-sided form with forgetting of H. Mouss, D. Mouss, N. Mouss,
 * L. Sefouhi, "Test of Page-Hinkley, an approach for fault detection in an agro-alimentary production system", ASCC 2004:
 *     mean over all rows since the start, x_t among them;   d = x_t - mean
 *     rise = alpha rise + d - delta,   fall = alpha fall + d + delta
 *     score = max(rise - min rise, max fall - fall)
 * Unlike cusum the reference is the running mean itself, so that no target is needed.  Once the score has passed
 * `threshold` the change is accepted: the test starts anew with the next row, and answers WARMUP until warmup_count rows of the
 * new level are in.
 *
 * With standardize (the default) rows are first brought to the median and spread of the first rows and clipped, so that
 * delta and threshold mean deviations.  Without, it is the test of the River library, number by number.
 *
 * Cost: O(1), a division.  SPDX-License-Identifier: Apache-2.0 */
#include "detect/detector.h"
#include "detect/fast/robust.h"

#include <math.h>

typedef struct options {
    double delta, threshold, alpha, clip;
    size_t warmup_count;
    bool standardize;
} options;

typedef struct test_state {
    bool started, changed;
    uint64_t count;        /* rows since the last change */
    double center, spread; /* of the first rows, or 0 and 1 */
    double mean, rise, rise_min, fall, fall_max;
} test_state;

typedef struct page_hinkley {
    tcsi_detector base;
    options options;
    test_state now, learned;
    tcsi_first_rows first;
} page_hinkley;

static void reset(tcsi_detector *base)
{
    page_hinkley *self = (page_hinkley *)base;
    self->now = self->learned;
    self->first.count = 0;
}

static tcs_status init(tcsi_detector *base, tcs_error *err)
{
    page_hinkley *self = (page_hinkley *)base;
    return tcsi_first_rows_init(&self->first, self->options.warmup_count, err);
}

static void deinit(tcsi_detector *base)
{
    tcsi_first_rows_deinit(&((page_hinkley *)base)->first);
}

static void forget_sums(test_state *now)
{
    *now = (test_state){ .started = now->started, .center = now->center, .spread = now->spread };
}

/* One step of the test; returns its statistic. */
static double advance(page_hinkley *self, double value)
{
    const options *opt = &self->options;
    test_state *now = &self->now;
    if (now->changed) forget_sums(now);
    double z = (value - now->center) / now->spread;
    if (opt->standardize) z = fmax(-opt->clip, fmin(opt->clip, z));
    now->count++;
    now->mean += (z - now->mean) / (double)now->count;
    double deviation = z - now->mean;
    now->rise = opt->alpha * now->rise + deviation - opt->delta;
    now->fall = opt->alpha * now->fall + deviation + opt->delta;
    if (now->count == 1 || now->rise < now->rise_min) now->rise_min = now->rise;
    if (now->count == 1 || now->fall > now->fall_max) now->fall_max = now->fall;
    double statistic = fmax(now->rise - now->rise_min, now->fall_max - now->fall);
    now->changed = now->count >= opt->warmup_count && statistic > opt->threshold;
    return statistic;
}

/* The held rows set the scale, and are the first rows of the test. */
static void start(page_hinkley *self)
{
    double sorted_center, sorted_spread;
    size_t count = self->first.count;
    self->now.started = true;
    self->now.center = 0;
    self->now.spread = 1;
    for (size_t t = 0; !self->options.standardize && t < count; t++) (void)advance(self, self->first.values[t]);
    if (self->options.standardize) {
        /* Sorting loses the order, which the sums of rows without a change do not need: only the mean is kept. */
        tcsi_robust_center(self->first.values, count, &sorted_center, &sorted_spread);
        self->now.center = sorted_center;
        self->now.spread = tcsi_robust_floor(sorted_spread, 0, sorted_center);
        self->now.count = count;
    }
    self->first.count = 0;
}

static void push(tcsi_detector *base, const tcsi_row *row, tcs_score *ret_score)
{
    page_hinkley *self = (page_hinkley *)base;
    double value = row->values[0];
    if (ret_score->state == TCS_SCORE_MISSING) return;
    if (!self->now.started) {
        if (tcsi_first_rows_add(&self->first, value)) start(self);
        return;
    }
    double statistic = advance(self, value);
    if (self->now.count >= self->options.warmup_count) *ret_score = (tcs_score){ .state = TCS_SCORE_READY, .value = statistic };
}

static tcs_status fit(tcsi_detector *base, const tcsi_frame *train, tcs_error *err)
{
    page_hinkley *self = (page_hinkley *)base;
    self->learned = (test_state){ 0 };
    tcs_status status = tcsi_detector_push_all(base, train, NULL, err);
    if (!self->now.started && self->first.count >= 2) start(self);
    self->learned = self->now;
    reset(base);
    return status;
}

static bool state_ok(const test_state *state)
{
    double limit = 1e200, sums = fabs(state->mean) + fabs(state->rise) + fabs(state->rise_min) + fabs(state->fall) + fabs(state->fall_max);
    bool scaled = !state->started || (state->spread >= 1e-150 && state->spread <= limit);
    return scaled && sums <= limit && fabs(state->center) <= TCS_VALUE_MAX;
}

static void persist_state(test_state *state, tcsi_codec *codec)
{
    double *numbers[] = { &state->center, &state->spread, &state->mean, &state->rise, &state->rise_min, &state->fall, &state->fall_max };
    tcsi_codec_bool(codec, &state->started);
    tcsi_codec_bool(codec, &state->changed);
    tcsi_codec_u64(codec, &state->count);
    for (size_t i = 0; i < TCS_COUNT(numbers); i++) tcsi_codec_f64(codec, numbers[i]);
    if (tcsi_codec_loading(codec) && !state_ok(state)) tcsi_codec_refuse(codec, "a sum or reference out of range");
}

static void persist(tcsi_detector *base, tcsi_codec *codec)
{
    page_hinkley *self = (page_hinkley *)base;
    tcsi_codec_tag(codec, "PGHK");
    persist_state(&self->now, codec);
    persist_state(&self->learned, codec);
    tcsi_first_rows_persist(&self->first, codec);
}

static size_t size_max(const tcsi_detector *base, size_t row_count)
{
    (void)row_count;
    return sizeof(page_hinkley) + ((const page_hinkley *)base)->first.capacity * sizeof(double);
}

static const tcsi_parameter parameters[] = {
    TCSI_REAL(delta, 0.005, 0, 1e6, "change that does not count, in deviations"),
    TCSI_REAL(threshold, 50, 0, 1e150, "score at which the change is accepted and the test starts anew"),
    TCSI_REAL(alpha, 0.9999, 0, 1, "forgetting factor of the sums"),
    TCSI_REAL(clip, 6, 0.5, 1e9, "with standardize: distance from the median at most, in deviations"),
    TCSI_COUNT(warmup_count, 30, 2, 100000, "rows before the first score, and after a change"),
    TCSI_BOOL(standardize, 1, "bring rows to median 0 and deviation 1 first"),
};

static const tcsi_detector_ops ops = {
    .init = init, .deinit = deinit, .fit = fit, .reset = reset, .push = push, .persist = persist, .size_max = size_max,
};

const tcsi_detector_info tcsi_detector_page_hinkley = {
    .name = "page_hinkley",
    .title = "Page-Hinkley test for a change of the mean",
    .paper = "E. S. Page: Continuous inspection schemes. Biometrika 41(1/2), 1954; two-sided with forgetting: H. Mouss et al.: Test of "
             "Page-Hinkley, an approach for fault detection in an agro-alimentary production system. ASCC 2004",
    .summary = "Adds up distances from the running mean and compares with the least sum so far. Finds a lasting change of the mean, "
               "then starts anew from the new level; misses spikes. O(1) a row.",
    .traits = TCSI_TRAIT_STREAMING,
    .instance_size = sizeof(page_hinkley),
    .options_offset = offsetof(page_hinkley, options),
    .parameters = parameters,
    .parameter_count = TCS_COUNT(parameters),
    .ops = &ops,
};
