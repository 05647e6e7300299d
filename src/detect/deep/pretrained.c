/* detect/deep/pretrained.c -- rare events as networks know them that saw thousands of simulated series, and never this one.
 *
 * judges.h, on the parts of the offline experts' score (detect/ensemble/experts.h) or on the values alone.  Nothing is learned here, so a
 * series of a few periods is enough.
 * Source: a detector trained on synthetic series and used as it is, as in V. Ekambaram et al., "TSPulse", 2025; network and training:
 * judge.h, study/pretrain.h.
 * Finds: spikes, shifts, changed shapes, noise, pauses.  Misses: details shorter than a sixteenth of the period, and on values alone what
 * only a long memory of this series can tell.  SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "detect/deep/judges.h"
#include "detect/ensemble/experts.h"
#include "detect/window/offline.h"

typedef struct options {
    size_t window;
    bool scores;
} options;

typedef struct pretrained {
    tcsi_detector base;
    options options;
    tcsi_judges *judges;
    size_t train_row_count; /* of fit; 0: not fitted */
    size_t window;          /* of the series last scored */
} pretrained;

enum { SCORES = TCSI_EXPERT_PART_COUNT + 1, SEGMENTS = 160, TRAIN_SHARE = 5 };

static size_t score_count(const pretrained *self)
{
    return self->options.scores ? SCORES : 0;
}

static tcs_status init(tcsi_detector *base, tcs_error *err)
{
    pretrained *self = (pretrained *)base;
    return tcsi_judges_create(self->options.scores ? TCSI_JUDGE_SCORES : TCSI_JUDGE_VALUES, score_count(self), &self->judges, err);
}

static void deinit(tcsi_detector *base)
{
    tcsi_judges_destroy(((pretrained *)base)->judges);
}

static tcs_status fit(tcsi_detector *base, const tcsi_frame *train, tcs_error *err)
{
    (void)err;
    ((pretrained *)base)->train_row_count = train->row_count;
    return TCS_OK;
}

static tcs_status find_scores(const pretrained *self, const tcsi_offline *offline, double *ret_scores, tcs_error *err)
{
    const size_t rows = offline->row_count, train = self->train_row_count ? self->train_row_count : rows / TRAIN_SHARE;
    const tcsi_experts_options experts = { .period = offline->window, .train_row_count = train < rows ? train : rows,
                                           .segment_count = SEGMENTS, .pool = self->base.pool };
    tcs_status status = tcsi_experts_parts(offline->z, rows, &experts, ret_scores, err);
    return status == TCS_OK ? tcsi_experts_fuse(ret_scores, rows, &experts, ret_scores + TCSI_EXPERT_PART_COUNT * rows, NULL, err)
                            : status;
}

/* ret_rows: (T); scores: (S,T), work space. */
static tcs_status judge_rows(pretrained *self, const tcsi_offline *offline, double *scores, double *ret_rows, tcs_error *err)
{
    tcsi_blocks blocks = { 0 };
    tcs_status status = self->options.scores ? find_scores(self, offline, scores, err) : TCS_OK;
    if (status == TCS_OK)
        status = tcsi_blocks_init(offline->z, offline->row_count, offline->window, scores, score_count(self), &blocks, err);
    if (status == TCS_OK) status = tcsi_judges_score(self->judges, &blocks, offline->window, self->base.pool, ret_rows, err);
    tcsi_blocks_deinit(&blocks);
    return status;
}

static tcs_status score(tcsi_detector *base, const tcsi_frame *frame, tcs_score *ret_scores, tcs_error *err)
{
    pretrained *self = (pretrained *)base;
    tcsi_offline offline = { 0 };
    size_t total;
    if (frame->row_count == 0) return TCS_OK;
    tcs_status status = tcsi_offline_begin(frame, self->options.window, NULL, &offline, err);
    if (status != TCS_OK) return status;
    self->window = offline.window;
    double *memory = tcsi_multiply(offline.row_count, 1 + score_count(self), &total) ? TCSI_NEW_ARRAY(double, total) : NULL;
    if (!memory) status = tcsi_fail_memory(err, "scores");
    if (status == TCS_OK) status = judge_rows(self, &offline, memory + offline.row_count, memory, err);
    if (status == TCS_OK) tcsi_offline_scores(&offline, memory, ret_scores);
    tcsi_free(memory);
    tcsi_offline_end(&offline);
    return status;
}

static size_t horizon(const tcsi_detector *base)
{
    return ((const pretrained *)base)->window;
}

static void persist(tcsi_detector *base, tcsi_codec *codec)
{
    tcsi_codec_tag(codec, "PRED");
    tcsi_codec_size(codec, &((pretrained *)base)->train_row_count, SIZE_MAX / 4);
}

/* Blocks, what the judges need, and vectors: of ours, of experts and joins. */
static size_t size_max(const tcsi_detector *base, size_t row_count)
{
    enum { EXPERT_VECTORS = 40, PADDING = 1024 };
    const pretrained *self = (const pretrained *)base;
    const size_t vectors = 1 + score_count(self) + (self->options.scores ? EXPERT_VECTORS + 4 * tcsi_pool_thread_count(base->pool) : 0);
    const size_t size = tcsi_size_sum(sizeof *self, tcsi_offline_size_max(row_count));
    return tcsi_size_sum(tcsi_size_sum(size, tcsi_size_product(tcsi_size_sum(row_count, PADDING), vectors * sizeof(double))),
                         tcsi_size_sum(tcsi_judges_size_max(self->judges, row_count), tcsi_blocks_size_max(row_count, score_count(self))));
}

static const tcsi_parameter parameters[] = {
    TCSI_COUNT(window, 0, 0, 1e6, "rows that belong together; 0: the period"),
    TCSI_BOOL(scores, 1, "look at the parts of the offline experts' score; otherwise at the values alone"),
};

static const tcsi_detector_ops ops = {
    .init = init, .deinit = deinit, .fit = fit, .score = score, .horizon = horizon, .persist = persist, .size_max = size_max,
};

const tcsi_detector_info tcsi_detector_pretrained = {
    .name = "pretrained",
    .title = "networks trained on simulated series",
    .paper = "training on synthetic series alone: V. Ekambaram et al.: TSPulse. 2025; residual convolutions: S. Bai, J. Kolter, V. Koltun: "
             "An empirical evaluation of generic convolutional and recurrent networks for sequence modeling. 2018",
    .summary = "Networks that were trained on thousands of simulated series with known events, and come with the library. Nothing is "
               "learned from the series at hand, so a few periods are enough. Finds spikes, shifts, changed shapes, noise, pauses; knows "
               "nothing that is special to this series. Channels are judged one by one.",
    .traits = TCSI_TRAIT_OFFLINE | TCSI_TRAIT_DEEP | TCSI_TRAIT_RELATIVE,
    .instance_size = sizeof(pretrained),
    .options_offset = offsetof(pretrained, options),
    .parameters = parameters,
    .parameter_count = TCS_COUNT(parameters),
    .ops = &ops,
};
