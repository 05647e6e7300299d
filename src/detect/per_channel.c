/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/per_channel.h"

#include "base/alloc.h"

#include <string.h>

typedef struct per_channel {
    tcsi_detector base;
    tcsi_detector **children; /* (C) */
    double *parts;            /* (C) scores of the last pushed row */
    double *score_parts;      /* (C,T) scores of the frame last scored, NULL before */
    size_t score_row_count;
} per_channel;

static tcs_status init(tcsi_detector *base, tcs_error *err)
{
    per_channel *self = (per_channel *)base;
    self->children = TCSI_NEW_ZEROS(tcsi_detector *, base->channel_count);
    self->parts = TCSI_NEW_ZEROS(double, base->channel_count);
    return self->children && self->parts ? TCS_OK : tcsi_fail_memory(err, "detectors, one per channel");
}

static void deinit(tcsi_detector *base)
{
    per_channel *self = (per_channel *)base;
    for (size_t c = 0; self->children && c < base->channel_count; c++) tcsi_detector_destroy(self->children[c]);
    tcsi_free(self->children);
    tcsi_free(self->parts);
    tcsi_free(self->score_parts);
}

tcs_status tcsi_per_channel_create(const tcsi_detector_info *child, const tcsi_detector_setup *setup,
                                   tcsi_detector **ret_detector, tcs_error *err)
{
    tcsi_detector_setup own = { .channel_count = setup->channel_count, .seed = setup->seed, .pool = setup->pool };
    tcsi_detector *base;
    tcs_status status = tcsi_detector_create(&tcsi_detector_per_channel, &own, &base, err);
    if (status != TCS_OK) return status;
    per_channel *self = (per_channel *)base;
    for (size_t c = 0; c < setup->channel_count && status == TCS_OK; c++) {
        tcsi_detector_setup one = *setup;
        one.channel_count = 1;
        one.constraints = NULL; /* they are between channels */
        one.seed = setup->seed + c;
        status = tcsi_detector_create(child, &one, &self->children[c], err);
    }
    if (status != TCS_OK) {
        tcsi_detector_destroy(base);
        return status;
    }
    *ret_detector = base;
    return TCS_OK;
}

/* Channel c of frame as a frame of its own, sharing memory. */
static tcsi_frame channel_view(const tcsi_frame *frame, size_t c)
{
    tcsi_frame view = tcsi_frame_view(frame, 0, frame->row_count);
    view.channel_count = 1;
    view.values = tcsi_frame_column(frame, c);
    view.channels = &frame->channels[c];
    return view;
}

static tcs_status fit(tcsi_detector *base, const tcsi_frame *train, tcs_error *err)
{
    per_channel *self = (per_channel *)base;
    tcs_status status = TCS_OK;
    for (size_t c = 0; c < base->channel_count && status == TCS_OK; c++) {
        tcsi_frame view = channel_view(train, c);
        status = tcsi_detector_fit(self->children[c], &view, err);
    }
    return status;
}

static void reset(tcsi_detector *base)
{
    per_channel *self = (per_channel *)base;
    for (size_t c = 0; c < base->channel_count; c++) tcsi_detector_reset(self->children[c]);
}

/* READY beats WARMUP beats MISSING; among READY ones the highest value wins. */
static bool outranks(const tcs_score *a, const tcs_score *b)
{
    static const int rank[] = { [TCS_SCORE_MISSING] = 0, [TCS_SCORE_WARMUP] = 1, [TCS_SCORE_READY] = 2 };
    return rank[a->state] != rank[b->state] ? rank[a->state] > rank[b->state] : a->value > b->value;
}

static void push(tcsi_detector *base, const tcsi_row *row, tcs_score *ret_score)
{
    per_channel *self = (per_channel *)base;
    *ret_score = (tcs_score){ .state = TCS_SCORE_MISSING };
    for (size_t c = 0; c < base->channel_count; c++) {
        tcsi_row one = { .sequence = row->sequence, .time_ns = row->time_ns, .values = &row->values[c] };
        tcs_score score;
        tcsi_detector_push(self->children[c], &one, &score);
        self->parts[c] = score.state == TCS_SCORE_READY && score.value > 0 ? score.value : 0;
        if (c == 0 || outranks(&score, ret_score)) *ret_score = score;
    }
}

typedef struct score_job {
    per_channel *self;
    const tcsi_frame *frame;
    tcs_score *scores; /* (C,T) */
    tcs_status *statuses;
    tcs_error *errors;
} score_job;

static void score_channel(void *context, size_t c, size_t worker_index)
{
    score_job *job = context;
    (void)worker_index;
    tcsi_frame view = channel_view(job->frame, c);
    job->statuses[c] = tcsi_detector_score(job->self->children[c], &view, job->scores + c * job->frame->row_count, &job->errors[c]);
}

static void merge_channels(per_channel *self, const tcsi_frame *frame, const tcs_score *scores, tcs_score *ret_scores)
{
    for (size_t t = 0; t < frame->row_count; t++)
        for (size_t c = 0; c < frame->channel_count; c++) {
            const tcs_score *score = &scores[c * frame->row_count + t];
            self->score_parts[c * frame->row_count + t] = score->state == TCS_SCORE_READY && score->value > 0 ? score->value : 0;
            if (c == 0 || outranks(score, &ret_scores[t])) ret_scores[t] = *score;
        }
}

static tcs_status score(tcsi_detector *base, const tcsi_frame *frame, tcs_score *ret_scores, tcs_error *err)
{
    per_channel *self = (per_channel *)base;
    size_t cell_count;
    if (!tcsi_multiply(frame->row_count, frame->channel_count, &cell_count)) return tcsi_fail_memory(err, "scores per channel");
    score_job job = { self, frame, TCSI_NEW_ARRAY(tcs_score, cell_count), TCSI_NEW_ZEROS(tcs_status, frame->channel_count),
                      TCSI_NEW_ZEROS(tcs_error, frame->channel_count) };
    tcsi_free(self->score_parts);
    self->score_parts = TCSI_NEW_ARRAY(double, cell_count);
    self->score_row_count = frame->row_count;
    tcs_status status = TCS_OK;
    if (!job.scores || !job.statuses || !job.errors || !self->score_parts) {
        status = tcsi_fail_memory(err, "scores per channel");
    } else {
        /* The children may use the pool themselves; a pool runs one thing at a time, so channels are scored in order. */
        tcsi_pool_run(NULL, frame->channel_count, score_channel, &job);
        for (size_t c = 0; c < frame->channel_count && status == TCS_OK; c++) {
            status = job.statuses[c];
            if (status != TCS_OK && err) *err = job.errors[c];
        }
        if (status == TCS_OK) merge_channels(self, frame, job.scores, ret_scores);
    }
    tcsi_free(job.scores);
    tcsi_free(job.statuses);
    tcsi_free(job.errors);
    return status;
}

static void contribute(const tcsi_detector *base, double *ret_parts)
{
    const per_channel *self = (const per_channel *)base;
    memcpy(ret_parts, self->parts, base->channel_count * sizeof *ret_parts);
}

static void contribute_span(const tcsi_detector *base, size_t row_begin, size_t row_end, double *ret_parts)
{
    const per_channel *self = (const per_channel *)base;
    for (size_t c = 0; c < base->channel_count; c++) {
        ret_parts[c] = 0;
        for (size_t t = row_begin; self->score_parts && t < row_end && t < self->score_row_count; t++) {
            double part = self->score_parts[c * self->score_row_count + t];
            if (part > ret_parts[c]) ret_parts[c] = part;
        }
    }
}

static bool forecast(const tcsi_detector *base, size_t channel, size_t index, tcsi_forecast *ret_forecast)
{
    return tcsi_detector_forecast(((const per_channel *)base)->children[channel], 0, index, ret_forecast);
}

static void persist(tcsi_detector *base, tcsi_codec *codec)
{
    per_channel *self = (per_channel *)base;
    for (size_t c = 0; c < base->channel_count && tcsi_codec_status(codec) == TCS_OK; c++) {
        tcsi_buffer bytes;
        size_t size = 0;
        tcsi_buffer_init(&bytes, SIZE_MAX / 2);
        if (!tcsi_codec_loading(codec)) {
            codec->status = tcsi_detector_save(self->children[c], &bytes, codec->err);
            size = bytes.size;
            tcsi_codec_size(codec, &size, SIZE_MAX / 2);
            tcsi_codec_bytes(codec, bytes.data, size);
        } else {
            tcsi_codec_size(codec, &size, codec->in_size);
            if (tcsi_codec_status(codec) == TCS_OK && size > codec->in_size) tcsi_codec_refuse(codec, "a channel that ends early");
            if (tcsi_codec_status(codec) == TCS_OK) {
                codec->status = tcsi_detector_load(codec->in, size, base->pool, &self->children[c], codec->err);
                codec->in += size;
                codec->in_size -= size;
            }
            if (tcsi_codec_status(codec) == TCS_OK && self->children[c]->channel_count != 1) tcsi_codec_refuse(codec, "a nested channel");
        }
        tcsi_buffer_deinit(&bytes);
    }
}

static size_t size_max(const tcsi_detector *base, size_t row_count)
{
    const per_channel *self = (const per_channel *)base;
    size_t size = sizeof *self, scored = row_count * base->channel_count;
    for (size_t c = 0; c < base->channel_count; c++) size += tcsi_detector_size_max(self->children[c], row_count) + 16;
    return size + scored * (sizeof(tcs_score) + sizeof(double)) + base->channel_count * (sizeof(tcs_error) + 64);
}

static const tcsi_detector_ops ops = {
    .init = init, .deinit = deinit, .fit = fit, .reset = reset, .push = push, .score = score,
    .contribute = contribute, .contribute_span = contribute_span, .forecast = forecast, .persist = persist, .size_max = size_max,
};

/* Not in the registry: nobody asks for it by name.  Its traits are what any child allows. */
const tcsi_detector_info tcsi_detector_per_channel = {
    .name = "per_channel", .title = "one detector per channel", .paper = "",
    .summary = "", .traits = TCSI_TRAIT_STREAMING | TCSI_TRAIT_OFFLINE | TCSI_TRAIT_MULTIVARIATE,
    .instance_size = sizeof(per_channel), .ops = &ops,
};
