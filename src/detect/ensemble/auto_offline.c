/* detect/ensemble/auto_offline.c -- what `tocsin detect` runs on a series when nobody chose a detector.
 *
 * One channel: the four experts of experts.h at the scale of its own period, and the networks of deep_members.h beside them
 * (auto_classic: the experts alone).  Several channels: those that take more than
 * ten different values are joined (mean and maximum of their plain ensembles, each standardized), and channel_break adds
 * what shows only between channels.  A frame of switches and commands falls back to the channels with the most values; of
 * several, the first leads, because telemetry stands before the commands that drive it.
 * Missing values are bridged by straight lines first; a row without any value scores MISSING.
 * The training prefix is the rows given to fit, or the first fifth.
 * Sources: experts.h, channel_break.h.  Cost: see there; linear in rows and channels.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "detect/ensemble/auto_offline.h"
#include "detect/ensemble/channel_break.h"
#include "detect/ensemble/deep_members.h"
#include "detect/ensemble/experts.h"
#include "detect/ensemble/voices.h"
#include "series/moving.h"
#include "series/period.h"
#include "series/stats.h"

#include <math.h>
#include <string.h>

enum {
    DISTINCT_MIN = 10,          /* a continuous channel takes more different values than this */
    SEGMENTS_ONE = 160,
    SEGMENTS_MANY = 80,
    JOINT_TRAIN_ROWS_MIN = 100,
    JOINT_LEAD = 10,            /* rows by which the joint score trails the event: its window */
    MEMBERS = TCSI_EXPERT_COUNT + TCSI_DEEP_MEMBER_COUNT, /* at most */
};
static const double JOINT_WEIGHT = 4, JOINT_LOW = -1, JOINT_HIGH = 3, FALLBACK_MAX_WEIGHT = 0.25;

typedef tcsi_auto_offline auto_offline;
typedef tcsi_auto_offline_options options;

static tcs_status init(tcsi_detector *base, tcs_error *err)
{
    auto_offline *self = (auto_offline *)base;
    return base->info->traits & TCSI_TRAIT_DEEP ? tcsi_deep_members_create(self->options.epochs, base->pool, &self->members, err) : TCS_OK;
}

static void deinit(tcsi_detector *base)
{
    auto_offline *self = (auto_offline *)base;
    tcsi_deep_members_destroy(self->members);
    tcsi_free(self->said);
    tcsi_free(self->parts);
}

static tcs_status fit(tcsi_detector *base, const tcsi_frame *train, tcs_error *err)
{
    (void)err;
    ((auto_offline *)base)->train_row_count = train->row_count;
    return TCS_OK;
}

/* Column c with straight lines across missing values, constant beyond the first and last present one; 0 when none is. */
static void bridge(const double *column, size_t row_count, double *ret_values)
{
    size_t last = SIZE_MAX;
    for (size_t t = 0; t < row_count; t++) {
        if (!tcsi_value_ok(column[t])) continue;
        ret_values[t] = column[t];
        size_t from = last == SIZE_MAX ? 0 : last + 1;
        for (size_t k = from; k < t; k++) {
            double share = last == SIZE_MAX ? 1 : (double)(k - last) / (double)(t - last);
            ret_values[k] = last == SIZE_MAX ? column[t] : column[last] * (1 - share) + column[t] * share;
        }
        last = t;
    }
    for (size_t k = last == SIZE_MAX ? 0 : last + 1; k < row_count; k++) ret_values[k] = last == SIZE_MAX ? 0 : column[last];
}

typedef struct scoring {
    auto_offline *self;
    const tcsi_frame *frame;
    size_t train_row_count, period;
    size_t channels_done, channels_wanted;
    double *column, *one, *sum, *highest, *scratch; /* (T) */
    double *members;        /* (MEMBERS,T) what each member says; of those that are added, as much as it adds */
    double means[MEMBERS];  /* of each member over the frame */
    double member_unit;     /* of the score, in those of the experts, which are then the first members; 0: there are none */
    double *memory;
} scoring;

static tcs_status scoring_init(scoring *s, auto_offline *self, const tcsi_frame *frame, tcs_error *err)
{
    double **vectors[] = { &s->column, &s->one, &s->sum, &s->highest, &s->scratch };
    size_t n = frame->row_count, total, cells;
    *s = (scoring){ .self = self, .frame = frame };
    s->train_row_count = self->train_row_count ? self->train_row_count : n / 5;
    if (s->train_row_count > n) s->train_row_count = n;
    if (tcsi_multiply(n, TCS_COUNT(vectors) + MEMBERS, &total)) s->memory = TCSI_NEW_ZEROS(double, total);
    if (!s->memory) return tcsi_fail_memory(err, "scores");
    for (size_t i = 0; i < TCS_COUNT(vectors); i++) *vectors[i] = s->memory + i * n;
    s->members = s->memory + TCS_COUNT(vectors) * n;
    tcsi_free(self->said);
    tcsi_free(self->parts);
    self->said = self->parts = NULL;
    self->member_count = 0;
    self->row_count = n;
    if (frame->channel_count == 1) return TCS_OK;
    if (tcsi_multiply(n, frame->channel_count, &cells)) self->parts = TCSI_NEW_ZEROS(float, cells);
    return self->parts ? TCS_OK : tcsi_fail_memory(err, "channel scores");
}

/* L: of the first column, unless it is given. */
static tcs_status find_period(scoring *s, size_t period_default, tcs_error *err)
{
    if (s->self->options.period > 0) {
        s->period = s->self->options.period;
        return TCS_OK;
    }
    bridge(tcsi_frame_column(s->frame, 0), s->frame->row_count, s->column);
    return tcsi_period_find_or(s->column, s->frame->row_count, period_default, &s->period, err);
}

static void remember_part(scoring *s, size_t channel, const double *scores)
{
    float *part = s->self->parts ? s->self->parts + channel * s->frame->row_count : NULL;
    for (size_t t = 0; part && t < s->frame->row_count; t++) part[t] = scores[t] > 0 ? (float)fmin(scores[t], 1e30) : 0;
}

/* The expert score of one channel into s->one. */
static tcs_status score_channel(scoring *s, size_t channel, size_t segment_count, bool plain, tcs_error *err)
{
    tcsi_experts_options expert = { .period = s->period, .train_row_count = s->train_row_count, .segment_count = segment_count,
                                    .pool = s->self->base.pool };
    bridge(tcsi_frame_column(s->frame, channel), s->frame->row_count, s->column);
    tcs_status status = plain ? tcsi_experts_plain(s->column, s->frame->row_count, &expert, s->one, err)
                              : tcsi_experts_score(s->column, s->frame->row_count, &expert, s->one, s->members, err);
    if (status != TCS_OK) return status;
    remember_part(s, channel, s->one);
    s->channels_done++;
    return tcsi_progress_report(s->self->base.progress, 0.99 * (double)s->channels_done / (double)s->channels_wanted, err);
}

/* Different values of a channel, counted no further than count_max. */
static size_t distinct(const tcsi_frame *frame, size_t channel, size_t count_max)
{
    return tcsi_distinct_count(tcsi_frame_column(frame, channel), frame->row_count, count_max);
}

/* No continuous channel: those with the most values; the first of them leads, the highest adds a quarter. */
static tcs_status score_switches(scoring *s, tcs_error *err)
{
    size_t n = s->frame->row_count, most = 0;
    bool first = true;
    tcs_status status = find_period(s, TCSI_EXPERTS_PERIOD_DEFAULT, err);
    for (size_t c = 0; c < s->frame->channel_count; c++) {
        size_t count = distinct(s->frame, c, DISTINCT_MIN);
        if (count > most) most = count;
    }
    for (size_t c = 0; c < s->frame->channel_count && status == TCS_OK; c++) {
        if (distinct(s->frame, c, DISTINCT_MIN) < most) continue;
        status = score_channel(s, c, SEGMENTS_MANY, false, err);
        for (size_t t = 0; t < n && status == TCS_OK; t++) {
            if (first) s->sum[t] = s->highest[t] = s->one[t];
            else s->highest[t] = fmax(s->highest[t], s->one[t]);
        }
        first = false;
    }
    for (size_t t = 0; t < n; t++) s->sum[t] += FALLBACK_MAX_WEIGHT * s->highest[t];
    return status;
}

/* Adds the joint member: its causal score, brought forward by its window, clipped and smoothed. */
static tcs_status add_joint(scoring *s, const size_t *channels, size_t channel_count, tcs_error *err)
{
    size_t n = s->frame->row_count, smooth = 1;
    tcsi_frame *chosen = NULL;
    tcsi_detector *joint = NULL;
    static const tcsi_parameter_value joint_parameters[] = { { "smoothing", 10 }, { "margin", 0 } };
    tcsi_detector_setup setup = { .channel_count = channel_count, .seed = s->self->base.seed, .parameters = joint_parameters,
                                  .parameter_count = TCS_COUNT(joint_parameters) };
    tcs_score *scores = TCSI_NEW_ARRAY(tcs_score, n);
    tcs_status status = scores ? tcsi_frame_select(s->frame, channels, channel_count, &chosen, err) : tcsi_fail_memory(err, "joint scores");
    if (status == TCS_OK) status = tcsi_detector_create(&tcsi_detector_channel_break, &setup, &joint, err);
    if (status == TCS_OK) {
        tcsi_frame train = tcsi_frame_view(chosen, 0, s->train_row_count);
        status = tcsi_detector_fit(joint, &train, err);
    }
    if (status == TCS_OK) status = tcsi_detector_score(joint, chosen, scores, err);
    for (size_t t = 0; t < n && status == TCS_OK; t++) {
        double u = scores[t + JOINT_LEAD < n ? t + JOINT_LEAD : n - 1].value;
        s->one[t] = u > JOINT_HIGH ? JOINT_HIGH : u > JOINT_LOW ? u : JOINT_LOW;
    }
    if (status == TCS_OK) {
        bridge(tcsi_frame_column(s->frame, 0), n, s->column);
        status = tcsi_period_find_or(s->column, n, TCSI_EXPERTS_PERIOD_DEFAULT, &smooth, err);
    }
    if (status == TCS_OK) tcsi_moving_mean(s->one, n, smooth, s->scratch);
    for (size_t t = 0; t < n && status == TCS_OK; t++) {
        s->members[2 * n + t] = JOINT_WEIGHT * s->scratch[t];
        s->sum[t] += s->members[2 * n + t];
    }
    s->self->member_count += status == TCS_OK;
    tcsi_detector_destroy(joint);
    tcsi_frame_destroy(chosen);
    tcsi_free(scores);
    return status;
}

/* One channel: the experts, and the networks beside them. */
static tcs_status score_one(scoring *s, size_t channel, tcs_error *err)
{
    const size_t n = s->frame->row_count;
    size_t deep_count = 0;
    tcs_status status = find_period(s, TCSI_EXPERTS_PERIOD_DEFAULT, err);
    if (status == TCS_OK) status = score_channel(s, channel, SEGMENTS_ONE, false, err);
    if (status != TCS_OK) return status;
    memcpy(s->sum, s->one, n * sizeof *s->sum);
    s->member_unit = s->self->members ? fmax(tcsi_deviation(s->sum, n), 1e-9) : 1;
    const tcsi_deep_members_series series = { .x = s->column, .row_count = n, .train_row_count = s->train_row_count, .period = s->period };
    if (s->self->members)
        status = tcsi_deep_members_add(s->self->members, &series, s->sum, s->members + TCSI_EXPERT_COUNT * n, &deep_count, err);
    if (status == TCS_OK) s->self->member_count = TCSI_EXPERT_COUNT + deep_count;
    return status;
}

static tcs_status score_many(scoring *s, const size_t *channels, size_t channel_count, tcs_error *err)
{
    size_t n = s->frame->row_count;
    tcs_status status = find_period(s, TCSI_PERIOD_DEFAULT, err);
    for (size_t i = 0; i < channel_count && status == TCS_OK; i++) {
        status = score_channel(s, channels[i], SEGMENTS_MANY, true, err);
        for (size_t t = 0; t < n && status == TCS_OK; t++) {
            s->sum[t] += s->one[t] / (double)channel_count;
            s->highest[t] = i == 0 ? s->one[t] : fmax(s->highest[t], s->one[t]);
        }
    }
    if (status != TCS_OK) return status;
    tcsi_standardize(s->sum, n);
    tcsi_standardize(s->highest, n);
    memcpy(s->members, s->sum, n * sizeof *s->sum);
    memcpy(s->members + n, s->highest, n * sizeof *s->sum);
    s->self->member_count = 2;
    for (size_t t = 0; t < n; t++) s->sum[t] += s->highest[t];
    return s->train_row_count >= JOINT_TRAIN_ROWS_MIN ? add_joint(s, channels, channel_count, err) : TCS_OK;
}

/* The way a frame takes: one channel, several continuous ones, or only switches.  The score ends in s->sum. */
static tcs_status score_frame(scoring *s, tcs_error *err)
{
    size_t *channels = TCSI_NEW_ARRAY(size_t, s->frame->channel_count), count = 0;
    if (!channels) return tcsi_fail_memory(err, "channels");
    for (size_t c = 0; c < s->frame->channel_count; c++)
        if (distinct(s->frame, c, DISTINCT_MIN + 1) > DISTINCT_MIN) channels[count++] = c;
    s->channels_wanted = count > 0 ? count : s->frame->channel_count;
    tcs_status status;
    if (s->frame->channel_count > 1 && count > 1) {
        status = score_many(s, channels, count, err);
    } else if (s->frame->channel_count > 1 && count == 0) {
        status = score_switches(s, err);
    } else {
        status = score_one(s, count ? channels[0] : 0, err);
    }
    tcsi_free(channels);
    return status;
}

/* ---- members ---- */

/* log(sum of exp) of all experts but one, made up to as many. */
static double soft_maximum_without(const double *experts, size_t n, size_t t, size_t left_out)
{
    double highest = -INFINITY, sum = 0;
    for (size_t k = 0; k < TCSI_EXPERT_COUNT; k++)
        if (k != left_out) highest = fmax(highest, experts[k * n + t]);
    for (size_t k = 0; k < TCSI_EXPERT_COUNT; k++)
        if (k != left_out) sum += exp(experts[k * n + t] - highest);
    return highest + log(sum * TCSI_EXPERT_COUNT / (TCSI_EXPERT_COUNT - 1));
}

/* The deviation of a row's score over the ensembles that lack one member: of what is added, one that has it as it is on average. */
static float doubt_of(const scoring *s, size_t t)
{
    const size_t n = s->frame->row_count, count = s->self->member_count, experts = s->member_unit > 0 ? TCSI_EXPERT_COUNT : 0;
    double without[MEMBERS];
    for (size_t k = 0; k < count; k++)
        without[k] = k >= experts ? s->means[k] - s->members[k * n + t]
                                  : (soft_maximum_without(s->members, n, t, k) - s->one[t]) / s->member_unit;
    return (float)fmin(tcsi_voices_deviation(without, count), 1e30);
}

static tcs_status hear_members(scoring *s, tcs_error *err)
{
    auto_offline *self = s->self;
    const size_t n = s->frame->row_count;
    size_t total;
    if (self->member_count == 0) return TCS_OK;
    if (tcsi_multiply(n, self->member_count, &total)) self->said = TCSI_NEW_ARRAY(float, total);
    if (!self->said) return tcsi_fail_memory(err, "what members say");
    for (size_t k = 0; k < self->member_count; k++) {
        tcsi_voice_rank(s->members + k * n, n, self->said + k * n, s->scratch);
        s->means[k] = tcsi_mean(s->members + k * n, n);
    }
    return TCS_OK;
}

static size_t members(const tcsi_detector *base, size_t row, float *ret_p_values)
{
    const auto_offline *self = (const auto_offline *)base;
    if (!self->said || row >= self->row_count) return 0;
    for (size_t k = 0; k < self->member_count; k++) ret_p_values[k] = self->said[k * self->row_count + row];
    return self->member_count;
}

static bool row_is_missing(const tcsi_frame *frame, size_t t)
{
    for (size_t c = 0; c < frame->channel_count; c++)
        if (tcsi_value_ok(frame->values[c * frame->stride + t])) return false;
    return true;
}

static tcs_status score(tcsi_detector *base, const tcsi_frame *frame, tcs_score *ret_scores, tcs_error *err)
{
    auto_offline *self = (auto_offline *)base;
    scoring s;
    if (frame->row_count == 0) return TCS_OK;
    tcs_status status = scoring_init(&s, self, frame, err);
    if (status == TCS_OK) status = score_frame(&s, err);
    if (status == TCS_OK) status = hear_members(&s, err);
    self->period = s.period;
    for (size_t t = 0; t < frame->row_count && status == TCS_OK; t++) {
        bool missing = row_is_missing(frame, t);
        ret_scores[t] = (tcs_score){ .state = missing ? TCS_SCORE_MISSING : TCS_SCORE_READY, .value = missing ? 0 : s.sum[t],
                                     .uncertainty = missing ? 0 : doubt_of(&s, t) };
    }
    tcsi_free(s.memory);
    return status;
}

static void contribute_span(const tcsi_detector *base, size_t row_begin, size_t row_end, double *ret_parts)
{
    const auto_offline *self = (const auto_offline *)base;
    for (size_t c = 0; c < base->channel_count; c++) {
        double sum = 0;
        for (size_t t = row_begin; self->parts && t < row_end && t < self->row_count; t++) sum += self->parts[c * self->row_count + t];
        ret_parts[c] = sum;
    }
}

static size_t horizon(const tcsi_detector *base)
{
    return ((const auto_offline *)base)->period;
}

static void persist(tcsi_detector *base, tcsi_codec *codec)
{
    auto_offline *self = (auto_offline *)base;
    tcsi_codec_tag(codec, "AUOF");
    tcsi_codec_size(codec, &self->train_row_count, SIZE_MAX / 4);
    tcsi_codec_size(codec, &self->period, SIZE_MAX / 4);
}

/* Vectors of the frame, the experts' and the joins' workspaces, and what is kept per channel. */
static size_t size_max(const tcsi_detector *base, size_t row_count)
{
    const auto_offline *self = (const auto_offline *)base;
    const size_t deep = self->members ? tcsi_deep_members_size_max(self->members, row_count) : 0;
    size_t n = row_count + 1024, channels = base->channel_count, threads = tcsi_pool_thread_count(base->pool);
    size_t one = n * (5 + 2 * MEMBERS + 7 + 4 + 12 + 14 + 24) + n * 4 * threads, model = 64 * channels * channels * 16 + 100000;
    return sizeof(auto_offline) + one * sizeof(double) + n * channels * (sizeof(float) + 6 * sizeof(double)) + model * sizeof(double)
           + n * sizeof(tcs_score) + deep;
}

static const tcsi_parameter parameters[] = {
    TCSI_AUTO_OFFLINE_PERIOD,
    TCSI_COUNT(epochs, 0, 0, 100000, "training steps of the contrastive encoder, of 64 patches each; 0: its default"),
};

const tcsi_detector_ops tcsi_auto_offline_ops = {
    .init = init, .deinit = deinit, .fit = fit, .score = score, .contribute_span = contribute_span, .members = members, .horizon = horizon,
    .persist = persist, .size_max = size_max,
};

const tcsi_detector_info tcsi_detector_auto_offline = {
    .name = "auto_offline",
    .title = "the offline ensemble",
    .paper = "joins: C.-C. M. Yeh et al.: Matrix profile I. ICDM 2016, on sampled segments; combination: C. C. Aggarwal, S. Sathe: "
             "Outlier Ensembles, 2017, section 5",
    .summary = "What `auto` means when looking back over a whole series: sampled joins at three scales, a robust autoregression and "
               "window features, fused by a soft maximum; with one channel also networks, one trained on the series and four on simulated "
               "ones; with several, breaks between them. No labels; weak on chaotic series and on events that cover much of the series.",
    .traits = TCSI_TRAIT_OFFLINE | TCSI_TRAIT_MULTIVARIATE | TCSI_TRAIT_DEEP | TCSI_TRAIT_RELATIVE |
              TCSI_TRAIT_UNCERTAINTY,
    .instance_size = sizeof(tcsi_auto_offline),
    .options_offset = offsetof(tcsi_auto_offline, options),
    .parameters = parameters,
    .parameter_count = TCS_COUNT(parameters),
    .ops = &tcsi_auto_offline_ops,
};
