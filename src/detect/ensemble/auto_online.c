/* detect/ensemble/auto_online.c -- the online ensemble: what `--mode online` runs unless told otherwise.
 *
 * Every channel that varies is scored by ten causal members (detect/ensemble/causal.h): nearest neighbours among the channel's
 * own past at four spans, and what a recursive regression did not foresee at three.  With several channels
 *     m = (highest + mean of the channels' scores) / 2
 * and, when at least two of them vary and JOINT_ROWS_MIN rows were trained on, the channels are looked at together by
 * channel_break, whose score U is above 0 where they move unlike anything in held-out training rows:
 *     g = exp(2 clip(U, -1, 3)),     score = m g where m > 0, else m / g.
 * U also is the row's evidence: with a joint member the default decision is U > 0, a threshold that held-out rows set.
 * With one channel the policy calibrates the score on the stream itself, and the evidence is value_gap's, the fast layer's one
 * alarm per rise: what a suite that counts single alarms (NAB) is shown.
 *
 * Choices were made on simulated series and on half of the public ones; nothing is tuned to the series at hand but its period,
 * taken from the training rows.  There is no smoothing: a row's score is its own.
 * Finds: unusual shapes, levels, noise, broken rhythms, broken relations between channels, on rows that follow a period of a
 * few to 300 rows.  For plain metrics without structure value_gap is quicker and at least as good; a single new value is found
 * best there.
 * Each member also says how rare the row is in its own past (voices.h), and the score's uncertainty is its deviation over the ensembles
 * that lack one member: neither decides anything.
 * A channel's missing value leaves that channel out of the row: its own time stands still.
 * Cost per channel: microseconds a row, 1 MB.  SPDX-License-Identifier: Apache-2.0 */
#include "detect/detector.h"

#include "base/alloc.h"
#include "detect/ensemble/causal_set.h"
#include "detect/ensemble/channel_break.h"
#include "detect/ensemble/voices.h"

#include <math.h>
#include <string.h>

extern const tcsi_detector_info tcsi_detector_value_gap; /* fast/value_gap.c */

enum { JOINT_ROWS_MIN = 100, MEMBERS = TCSI_CAUSAL_MEMBERS + 1, JOINT = TCSI_CAUSAL_MEMBERS };

static const double JOINT_SLOPE = 2, JOINT_LOW = -1, JOINT_HIGH = 3;
static const double JOINT_STEPS = 8; /* of a voice's first bins, in U */

typedef struct options {
    size_t segment_count;
} options;

typedef struct auto_online {
    tcsi_detector base;
    options options;
    tcsi_causal_set set;   /* the channels looked at; empty before fit */
    tcsi_detector *partner; /* channel_break over several channels, value_gap with one; NULL: not in play */
    double *parts;         /* (looked at) scores of the last row, 0 where not positive or missing */
    double *joint_parts;   /* (C) scratch */
    double evidence;       /* U of the last row */
    tcsi_voice *voices;    /* (MEMBERS) of the causal members, each at the highest of its channels, and the joint one */
    float said[MEMBERS];   /* p-values of the last row's members, NaN: silent */
    float *score_said;     /* (T,MEMBERS) of the frame last scored, NULL before */
    float *score_parts;    /* (T,C) contributions of the frame last scored, NULL before */
    size_t score_row_count;
} auto_online;

/* ---- life ---- */

static tcs_status init(tcsi_detector *base, tcs_error *err)
{
    (void)base;
    (void)err;
    return TCS_OK;
}

static void release(auto_online *self)
{
    tcsi_causal_set_deinit(&self->set);
    tcsi_free(self->parts);
    tcsi_free(self->joint_parts);
    tcsi_free(self->score_parts);
    tcsi_free(self->score_said);
    tcsi_free(self->voices);
    tcsi_detector_destroy(self->partner);
    *self = (auto_online){ .base = self->base, .options = self->options };
}

static void deinit(tcsi_detector *base)
{
    release((auto_online *)base);
}

/* Room beside the set, whose channels are known. */
static tcs_status allocate_parts(auto_online *self, tcs_error *err)
{
    self->parts = TCSI_NEW_ZEROS(double, self->set.count);
    self->joint_parts = TCSI_NEW_ZEROS(double, self->base.channel_count);
    self->voices = TCSI_NEW_ZEROS(tcsi_voice, MEMBERS);
    for (size_t k = 0; k < MEMBERS; k++) self->said[k] = NAN;
    return self->parts && self->joint_parts && self->voices ? TCS_OK : tcsi_fail_memory(err, "auto_online");
}

/* ---- fitting ---- */

/* The detector whose word is the evidence. */
static const tcsi_detector_info *partner_info(const auto_online *self)
{
    return self->base.channel_count > 1 ? &tcsi_detector_channel_break : &tcsi_detector_value_gap;
}

/* Does the partner gate the score and set the alarm?  The novelty of single values only stands beside it. */
static bool partner_decides(const auto_online *self)
{
    return self->partner && self->base.channel_count > 1;
}

static tcs_status fit_partner(auto_online *self, const tcsi_frame *train, tcs_error *err)
{
    tcsi_detector_setup setup = { .channel_count = self->base.channel_count, .seed = self->base.seed, .pool = self->base.pool };
    tcs_status status = tcsi_detector_create(partner_info(self), &setup, &self->partner, err);
    return status == TCS_OK ? tcsi_detector_fit(self->partner, train, err) : status;
}

static tcs_status fit(tcsi_detector *base, const tcsi_frame *train, tcs_error *err)
{
    auto_online *self = (auto_online *)base;
    size_t varying_count = 0;
    release(self);
    tcs_status status = tcsi_causal_set_fit(&self->set, train, self->options.segment_count, &varying_count, err);
    if (status == TCS_OK) status = allocate_parts(self, err);
    bool joint = varying_count >= 2 && train->row_count >= JOINT_ROWS_MIN;
    if (status == TCS_OK && (joint || base->channel_count == 1)) status = fit_partner(self, train, err);
    if (status != TCS_OK) release(self);
    return status;
}

static void reset(tcsi_detector *base)
{
    auto_online *self = (auto_online *)base;
    tcsi_causal_set_reset(&self->set);
    if (self->partner) tcsi_detector_reset(self->partner);
    if (self->parts) memset(self->parts, 0, self->set.count * sizeof *self->parts);
    if (self->voices) memset(self->voices, 0, MEMBERS * sizeof *self->voices);
    for (size_t k = 0; k < MEMBERS; k++) self->said[k] = NAN;
    self->evidence = 0;
}

/* ---- one row ---- */

/* What is known of a row's score before the joint member gates it. */
typedef struct judgement {
    double score;                         /* of all causal members */
    double without[TCSI_CAUSAL_MEMBERS];  /* of all but one */
    double members[TCSI_CAUSAL_MEMBERS];  /* the highest of the channels */
    bool any, ready;                      /* a channel is present; one of them knows enough to speak */
} judgement;

/* (highest + mean) / 2 of the channels present, of all members and of all but one. */
static judgement judge_channels(auto_online *self, const double *values)
{
    enum { M = TCSI_CAUSAL_MEMBERS };
    double sums[M + 1] = { 0 }, highest[M + 1];
    judgement out = { .any = false };
    size_t count = 0;
    for (size_t k = 0; k <= M; k++) highest[k] = -INFINITY;
    for (size_t k = 0; k < M; k++) out.members[k] = -INFINITY;
    for (size_t i = 0; i < self->set.count; i++) {
        tcsi_causal *channel = &self->set.members[i];
        const double value = values[self->set.channels[i]];
        tcsi_causal_said said;
        self->parts[i] = 0;
        if (!tcsi_value_ok(value)) continue;
        out.ready = out.ready || channel->seen_count >= tcsi_causal_quiet_count(channel);
        const double score = tcsi_causal_push(channel, value, &said);
        self->parts[i] = fmax(score, 0);
        for (size_t k = 0; k <= M; k++) {
            const double one = k < M ? said.without[k] : score;
            highest[k] = fmax(highest[k], one);
            sums[k] += one;
        }
        for (size_t k = 0; k < M; k++) out.members[k] = fmax(out.members[k], said.members[k]);
        count++;
    }
    out.any = count > 0;
    for (size_t k = 0; k <= M && out.any; k++) *(k < M ? &out.without[k] : &out.score) = (highest[k] + sums[k] / (double)count) / 2;
    return out;
}

static double gated(double score, double gain)
{
    return score > 0 ? score * gain : score / gain;
}

/* Each member's word, and how far the score moves when one of them is left out.  The joint member is not: without its gate the score has
 * another scale, and is no equally good model of the same thing. */
static float hear_members(auto_online *self, const judgement *judged, double gain, bool joint_told)
{
    double without[TCSI_CAUSAL_MEMBERS];
    for (size_t k = 0; k < TCSI_CAUSAL_MEMBERS; k++) {
        self->said[k] = (float)tcsi_voice_push(&self->voices[k], judged->members[k]);
        without[k] = gated(judged->without[k], gain);
    }
    if (joint_told) self->said[JOINT] = (float)tcsi_voice_push(&self->voices[JOINT], JOINT_STEPS * (self->evidence - JOINT_LOW));
    return (float)fmin(tcsi_voices_deviation(without, TCSI_CAUSAL_MEMBERS), 1e30);
}

static void push(tcsi_detector *base, const tcsi_row *row, tcs_score *ret_score)
{
    auto_online *self = (auto_online *)base;
    double gain = 1;
    bool told = false;
    judgement judged = judge_channels(self, row->values);
    self->evidence = 0;
    for (size_t k = 0; k < MEMBERS; k++) self->said[k] = NAN;
    if (self->partner) {
        tcs_score joint;
        tcsi_detector_push(self->partner, row, &joint);
        told = joint.state == TCS_SCORE_READY;
        self->evidence = told ? joint.value : 0;
        told = told && partner_decides(self);
        gain = told ? exp(JOINT_SLOPE * fmin(fmax(joint.value, JOINT_LOW), JOINT_HIGH)) : 1;
        judged.ready = judged.ready || told;
    }
    *ret_score = (tcs_score){ .state = !judged.any ? TCS_SCORE_MISSING : judged.ready ? TCS_SCORE_READY : TCS_SCORE_WARMUP };
    if (ret_score->state != TCS_SCORE_READY) return;
    ret_score->value = gated(judged.score, gain);
    ret_score->uncertainty = hear_members(self, &judged, gain, told);
    ret_score->evidence = self->evidence;
}

/* Shares of the channels' own scores, and where the joint member alarms as much again by its shares. */
static void contribute(const tcsi_detector *base, double *ret_parts)
{
    const auto_online *self = (const auto_online *)base;
    double own_sum = 0, joint_sum = 0;
    memset(ret_parts, 0, base->channel_count * sizeof *ret_parts);
    for (size_t i = 0; i < self->set.count; i++) own_sum += self->parts[i];
    for (size_t i = 0; i < self->set.count && own_sum > 0; i++) ret_parts[self->set.channels[i]] = self->parts[i] / own_sum;
    if (!partner_decides(self) || !(self->evidence > 0) || !tcsi_detector_contribute(self->partner, self->joint_parts)) return;
    for (size_t c = 0; c < base->channel_count; c++) joint_sum += self->joint_parts[c];
    for (size_t c = 0; c < base->channel_count && joint_sum > 0; c++) ret_parts[c] += self->joint_parts[c] / joint_sum;
}

/* ---- a whole frame: rows are pushed, and what each channel contributed is kept ---- */

static tcs_status score(tcsi_detector *base, const tcsi_frame *frame, tcs_score *ret_scores, tcs_error *err)
{
    auto_online *self = (auto_online *)base;
    const size_t n = base->channel_count;
    size_t cells;
    tcsi_free(self->score_parts);
    tcsi_free(self->score_said);
    self->score_parts = tcsi_multiply(frame->row_count, n, &cells) ? TCSI_NEW_ARRAY(float, cells) : NULL;
    self->score_said = tcsi_multiply(frame->row_count, MEMBERS, &cells) ? TCSI_NEW_ARRAY(float, cells) : NULL;
    self->score_row_count = self->score_parts && self->score_said ? frame->row_count : 0;
    double *values = TCSI_NEW_ARRAY(double, n), *parts = TCSI_NEW_ARRAY(double, n);
    tcs_status status = values && parts && self->score_row_count == frame->row_count ? TCS_OK : tcsi_fail_memory(err, "contributions");
    reset(base);
    for (size_t t = 0; status == TCS_OK && t < frame->row_count; t++) {
        tcsi_row row = { .sequence = t, .time_ns = frame->times_ns ? frame->times_ns[t] : 0, .values = values };
        tcsi_frame_row(frame, t, values);
        push(base, &row, &ret_scores[t]);
        contribute(base, parts);
        for (size_t c = 0; c < n; c++) self->score_parts[t * n + c] = (float)parts[c];
        memcpy(self->score_said + t * MEMBERS, self->said, sizeof self->said);
    }
    tcsi_free(values);
    tcsi_free(parts);
    return status;
}

static void contribute_span(const tcsi_detector *base, size_t row_begin, size_t row_end, double *ret_parts)
{
    const auto_online *self = (const auto_online *)base;
    const size_t n = base->channel_count;
    memset(ret_parts, 0, n * sizeof *ret_parts);
    for (size_t t = row_begin; t < row_end && t < self->score_row_count; t++)
        for (size_t c = 0; c < n; c++) ret_parts[c] += (double)self->score_parts[t * n + c];
}

static size_t members(const tcsi_detector *base, size_t row, float *ret_p_values)
{
    const auto_online *self = (const auto_online *)base;
    const size_t count = partner_decides(self) ? MEMBERS : TCSI_CAUSAL_MEMBERS; /* the partner of one channel is not in the score */
    if (row != TCSI_ROW_LAST && row >= self->score_row_count) return 0;
    memcpy(ret_p_values, row == TCSI_ROW_LAST ? self->said : self->score_said + row * MEMBERS, count * sizeof *ret_p_values);
    return count;
}

/* ---- what it says of itself ---- */

static double threshold(const tcsi_detector *base)
{
    const auto_online *self = (const auto_online *)base;
    return partner_decides(self) ? tcsi_detector_threshold(self->partner) : NAN;
}

static size_t horizon(const tcsi_detector *base)
{
    return tcsi_causal_set_period_max(&((const auto_online *)base)->set);
}

static size_t size_max(const tcsi_detector *base, size_t row_count)
{
    const auto_online *self = (const auto_online *)base;
    const size_t n = base->channel_count;
    size_t partner = self->partner ? tcsi_detector_size_max(self->partner, 0) : 0;
    size_t scored = row_count > 0 ? row_count * (n + MEMBERS) * sizeof(float) + 2 * n * sizeof(double) : 0;
    return sizeof *self + tcsi_causal_set_size(n, self->options.segment_count) + 2 * n * sizeof(double) + MEMBERS * sizeof(tcsi_voice)
           + partner + scored;
}

static void persist_partner(auto_online *self, tcsi_codec *codec)
{
    bool has_partner = self->partner != NULL;
    tcsi_codec_bool(codec, &has_partner);
    if (!has_partner || tcsi_codec_status(codec) != TCS_OK) return;
    if (tcsi_codec_loading(codec)) {
        tcsi_detector_setup setup = { .channel_count = self->base.channel_count, .seed = self->base.seed, .pool = self->base.pool };
        codec->status = tcsi_detector_create(partner_info(self), &setup, &self->partner, codec->err);
        if (codec->status != TCS_OK) return;
        self->partner->is_fitted = true;
    }
    self->partner->info->ops->persist(self->partner, codec);
}

static void persist(tcsi_detector *base, tcsi_codec *codec)
{
    auto_online *self = (auto_online *)base;
    tcsi_codec_tag(codec, "ONLI");
    tcsi_causal_set_persist(&self->set, base->channel_count, self->options.segment_count, codec);
    if (tcsi_codec_status(codec) != TCS_OK) return;
    if (self->set.count == 0) {
        if (tcsi_codec_loading(codec) && base->is_fitted) tcsi_codec_refuse(codec, "a fitted detector without channels");
        return;
    }
    if (tcsi_codec_loading(codec)) codec->status = allocate_parts(self, codec->err);
    for (size_t k = 0; k < MEMBERS && tcsi_codec_status(codec) == TCS_OK; k++) tcsi_voice_persist(&self->voices[k], codec);
    if (tcsi_codec_status(codec) == TCS_OK) tcsi_codec_f32s(codec, self->said, MEMBERS);
    if (tcsi_codec_status(codec) == TCS_OK) persist_partner(self, codec);
}

static const tcsi_parameter parameters[] = {
    { "segment_count", TCSI_PARAMETER_COUNT, offsetof(options, segment_count), 80, 1, TCSI_LEAKY_SEGMENT_LIMIT_MAX,
      "stretches of 64 windows of the past kept to compare with, per channel and span" },
};

static const tcsi_detector_ops ops = {
    .init = init, .deinit = deinit, .fit = fit, .reset = reset, .push = push, .score = score, .contribute = contribute,
    .contribute_span = contribute_span, .members = members, .threshold = threshold, .horizon = horizon,
    .persist = persist, .size_max = size_max,
};

const tcsi_detector_info tcsi_detector_auto_online = {
    .name = "auto_online",
    .title = "the online ensemble",
    .paper = "Y. Zhu et al.: Matrix Profile II. ICDM 2016 (joins along diagonals, here with fading weights); L. Ljung: System "
             "Identification, 1999, section 11.2 (recursive residuals); joint member: see channel_break",
    .summary = "Causal joins of each channel with its own past at four spans and recursive residuals at three, each judged by its own "
               "history and added up; with several channels, a joint member that alarms by a threshold from held-out training rows. "
               "For series with rhythm and structure; for plain metrics value_gap is quicker. Microseconds a row and 1 MB per channel; of "
               "more than 256 channels that vary, 256 evenly chosen ones are looked at.",
    .traits = TCSI_TRAIT_STREAMING | TCSI_TRAIT_TRAINED | TCSI_TRAIT_MULTIVARIATE | TCSI_TRAIT_EVIDENCE |
              TCSI_TRAIT_UNCERTAINTY,
    .channel_count_max = TCSI_CAUSAL_CHANNEL_COUNT_MAX,
    .instance_size = sizeof(auto_online),
    .options_offset = offsetof(auto_online, options),
    .parameters = parameters,
    .parameter_count = TCS_COUNT(parameters),
    .ops = &ops,
};
