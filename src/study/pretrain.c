/* SPDX-License-Identifier: Apache-2.0 */
#include "study/pretrain.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/rng.h"
#include "detect/ensemble/experts.h"
#include "metrics/curve.h"
#include "nn/layers.h"
#include "nn/train.h"
#include "series/period.h"
#include "simulate/series.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

enum {
    SCORES = TCSI_EXPERT_PART_COUNT + 1, /* the parts and what they are fused to */
    CHANNELS = TCSI_BLOCKS_OF_VALUES + TCSI_BLOCKS_A_SCORE * SCORES,
    FUSED = CHANNELS - TCSI_BLOCKS_A_SCORE, /* channel */
    HELD_OUT = 11,                       /* one series in so many */
    SEGMENTS = 160,
    BATCH = 16,
    WINDOW = TCSI_JUDGE_WINDOW,
    CHECKPOINT_ROUNDS = 20,
    CHECKPOINT_SIZE_MAX = 1 << 28,
};
static const double RATE = 3e-3, DECAY = 1e-2, AVERAGE_DECAY = 0.999, LOSS_DECAY = 0.99;
static const double LEFT_OUT_VALUES = 0.1, LEFT_OUT_SCORES = 0.3, MISLED = 0.6, AROUND_EVENT = 0.7;

/* ---- what is learned from ---- */

typedef struct example {
    tcsi_blocks blocks; /* block_count 0: a series without a visible event */
    float *targets;     /* (U): 1 within events, 0 outside, NaN for blocks that are half and half */
    size_t *rare, rare_count; /* blocks within events */
} example;

struct tcsi_pretrain_set {
    uint64_t seed;
    example *examples;
    size_t count;
};

size_t tcsi_pretrain_channel_count(tcsi_judge_view view)
{
    return tcsi_judge_channels_of(view, CHANNELS).count;
}

static void example_deinit(example *one)
{
    tcsi_blocks_deinit(&one->blocks);
    tcsi_free(one->targets);
    tcsi_free(one->rare);
    *one = (example){ 0 };
}

static tcs_status set_targets(example *one, const uint8_t *labels, tcs_error *err)
{
    const tcsi_blocks *blocks = &one->blocks;
    one->targets = TCSI_NEW_ARRAY(float, blocks->block_count);
    one->rare = TCSI_NEW_ARRAY(size_t, blocks->block_count);
    if (!one->targets || !one->rare) return tcsi_fail_memory(err, "targets of blocks");
    for (size_t u = 0; u < blocks->block_count; u++) {
        size_t row = u * blocks->factor, rows = 0, labelled = 0;
        for (; row < blocks->row_count && rows < blocks->factor; row++, rows++) labelled += labels[row] == 1;
        one->targets[u] = 2 * labelled >= rows ? 1 : labelled == 0 ? 0 : NAN;
        if (2 * labelled >= rows) one->rare[one->rare_count++] = u;
    }
    return TCS_OK;
}

static tcs_status make_blocks(example *one, const tcsi_series_simulation *simulation, tcs_error *err)
{
    const double *x = tcsi_frame_column(simulation->frame, 0);
    const size_t rows = simulation->frame->row_count;
    tcsi_experts_options options = { .train_row_count = simulation->train_row_count, .segment_count = SEGMENTS };
    double *scores = TCSI_NEW_ARRAY(double, rows * SCORES);
    tcs_status status = scores ? tcsi_period_find_or(x, rows, TCSI_EXPERTS_PERIOD_DEFAULT, &options.period, err)
                               : tcsi_fail_memory(err, "scores of a simulated series");
    if (status == TCS_OK) status = tcsi_experts_parts(x, rows, &options, scores, err);
    if (status == TCS_OK) status = tcsi_experts_fuse(scores, rows, &options, scores + TCSI_EXPERT_PART_COUNT * rows, NULL, err);
    if (status == TCS_OK) status = tcsi_blocks_init(x, rows, options.period, scores, SCORES, &one->blocks, err);
    tcsi_free(scores);
    return status;
}

static tcs_status example_init(example *one, uint64_t seed, uint64_t stream, tcs_error *err)
{
    const tcsi_series_options options = { .seed = seed, .stream = stream, .kind = TCSI_EVENT_ANY, .family = TCSI_FAMILY_ANY,
                                          .scenario = stream % 8 ? TCSI_SCENARIO_WIDE : TCSI_SCENARIO_ANY };
    tcsi_series_simulation simulation;
    tcs_status status = tcsi_series_simulate(&options, &simulation, err);
    if (status != TCS_OK) return status;
    if (simulation.event_count > 0) {
        status = make_blocks(one, &simulation, err);
        if (status == TCS_OK) status = set_targets(one, simulation.frame->labels, err);
        if (status != TCS_OK || one->rare_count == 0) example_deinit(one);
    }
    tcsi_series_simulation_deinit(&simulation);
    return status;
}

typedef struct making {
    tcsi_pretrain_set *set;
    size_t first;
    tcs_status statuses[64];
    tcs_error errors[64];
} making;

static void make_one(void *context, size_t task, size_t worker)
{
    making *m = context;
    const size_t at = m->first + task;
    (void)worker;
    m->statuses[task] = example_init(&m->set->examples[at], m->set->seed, at, &m->errors[task]);
}

tcs_status tcsi_pretrain_set_create(uint64_t seed, size_t series_count, tcsi_pool *pool, const tcsi_progress *progress,
                                    tcsi_pretrain_set **ret_set, tcs_error *err)
{
    tcsi_pretrain_set *set = TCSI_NEW(tcsi_pretrain_set);
    making m = { .set = set };
    if (set) *set = (tcsi_pretrain_set){ .seed = seed, .examples = TCSI_NEW_ZEROS(example, series_count), .count = series_count };
    tcs_status status = set && set->examples ? TCS_OK : tcsi_fail_memory(err, "simulated series");
    for (; m.first < series_count && status == TCS_OK; m.first += TCS_COUNT(m.statuses)) {
        const size_t left = series_count - m.first, count = left < TCS_COUNT(m.statuses) ? left : TCS_COUNT(m.statuses);
        tcsi_pool_run(pool, count, make_one, &m);
        for (size_t k = 0; k < count && status == TCS_OK; k++)
            if ((status = m.statuses[k]) != TCS_OK) *err = m.errors[k];
        if (status == TCS_OK) status = tcsi_progress_report(progress, (double)(m.first + count) / (double)series_count, err);
    }
    if (status == TCS_OK) *ret_set = set;
    else tcsi_pretrain_set_destroy(set);
    return status;
}

void tcsi_pretrain_set_destroy(tcsi_pretrain_set *set)
{
    if (!set) return;
    for (size_t k = 0; k < set->count && set->examples; k++) example_deinit(&set->examples[k]);
    tcsi_free(set->examples);
    tcsi_free(set);
}

/* ---- learning ---- */

typedef struct training {
    const tcsi_pretrain_set *set;
    const tcsi_pretrain_options *options;
    tcsi_judge_channels channels;
    double left_out;             /* share of channels that a row is without */
    tcsi_floats inputs, targets; /* a batch */
    tcsi_plan *plan;
    tcsi_trainer *trainer;
    double loss;                 /* running mean */
} training;

static tcs_status training_init(training *t, const tcsi_judge *judge, tcs_error *err)
{
    const tcsi_plan_options plan = { .net = judge->net, .batch = BATCH, .has_loss = true, .loss = judge->loss };
    const tcsi_train_options train = { .schedule = TCSI_SCHEDULE_COSINE, .rate = RATE, .step_count = t->options->step_count,
                                       .decay = DECAY, .clip_norm = 1, .average_decay = AVERAGE_DECAY };
    t->channels = tcsi_judge_channels_of(t->options->view, CHANNELS);
    t->left_out = t->channels.begin == 0 && t->channels.count == TCSI_BLOCKS_OF_VALUES ? LEFT_OUT_VALUES : LEFT_OUT_SCORES;
    if (!tcsi_floats_init(&t->inputs, BATCH * WINDOW * t->channels.count) || !tcsi_floats_init(&t->targets, BATCH * WINDOW))
        return tcsi_fail_memory(err, "training");
    tcs_status status = tcsi_plan_create(&plan, &t->plan, err);
    return status == TCS_OK ? tcsi_trainer_create(judge->net, &train, &t->trainer, err) : status;
}

static void training_deinit(training *t)
{
    tcsi_trainer_destroy(t->trainer);
    tcsi_plan_destroy(t->plan);
    tcsi_floats_deinit(&t->inputs);
    tcsi_floats_deinit(&t->targets);
}

/* A series that may be learned from, with an event. */
static const example *draw_example(const tcsi_pretrain_set *set, tcsi_rng *rng)
{
    const example *one = NULL;
    while (!one || one->rare_count == 0) {
        const size_t at = tcsi_rng_below(rng, set->count);
        one = at % HELD_OUT == 0 ? NULL : &set->examples[at];
    }
    return one;
}

static size_t draw_begin(const example *one, tcsi_rng *rng)
{
    const size_t count = one->blocks.block_count;
    if (count <= WINDOW) return 0;
    if (tcsi_rng_uniform(rng) >= AROUND_EVENT) return tcsi_rng_below(rng, count - WINDOW + 1);
    const size_t event = one->rare[tcsi_rng_below(rng, one->rare_count)], before = tcsi_rng_below(rng, WINDOW);
    const size_t begin = event > before ? event - before : 0;
    return begin < count - WINDOW ? begin : count - WINDOW;
}

/* Scores that say nothing: some, drawn at random, are taken from another series.  Whoever judges by one score alone is wrong then. */
static void mislead(training *t, tcsi_rng *rng, float *inputs, size_t length)
{
    const size_t all = t->channels.begin + t->channels.count;
    for (size_t c = TCSI_BLOCKS_OF_VALUES; c < all; c += TCSI_BLOCKS_A_SCORE) {
        if (tcsi_rng_uniform(rng) >= MISLED) continue;
        const example *other = draw_example(t->set, rng);
        const size_t count = other->blocks.block_count, begin = tcsi_rng_below(rng, count);
        for (size_t u = 0; u < length; u++)
            memcpy(inputs + u * t->channels.count + c - t->channels.begin,
                   other->blocks.values.values + (begin + u) % count * CHANNELS + c, TCSI_BLOCKS_A_SCORE * sizeof(float));
    }
}

/* Row b of the batch: a stretch of a series, zeros where it is too short. */
static void draw_row(training *t, tcsi_rng *rng, size_t b)
{
    const example *one = draw_example(t->set, rng);
    const tcsi_blocks *blocks = &one->blocks;
    const size_t begin = draw_begin(one, rng), left = blocks->block_count - begin, length = left < WINDOW ? left : WINDOW;
    const bool backwards = tcsi_rng_uniform(rng) < 0.5;
    float factors[CHANNELS], *inputs = t->inputs.values + b * WINDOW * t->channels.count, *targets = t->targets.values + b * WINDOW;
    for (size_t c = 0; c < t->channels.count; c++) factors[c] = tcsi_rng_uniform(rng) < t->left_out ? 0 : (float)(1 / (1 - t->left_out));
    for (size_t u = 0; u < WINDOW; u++) {
        const size_t at = begin + (backwards ? length - 1 - u : u);
        const bool is_there = u < length;
        const float *values = blocks->values.values + (is_there ? at * CHANNELS : 0) + t->channels.begin;
        for (size_t c = 0; c < t->channels.count; c++) inputs[u * t->channels.count + c] = is_there ? factors[c] * values[c] : 0;
        targets[u] = is_there ? one->targets[at] : NAN;
    }
    if (t->channels.begin + t->channels.count > TCSI_BLOCKS_OF_VALUES) mislead(t, rng, inputs, length);
}

static void take_step(training *t)
{
    const uint64_t step = tcsi_trainer_step_number(t->trainer);
    for (size_t b = 0; b < BATCH; b++) {
        tcsi_rng rng = tcsi_rng_make(t->options->seed, step * BATCH + b);
        draw_row(t, &rng, b);
    }
    const tcsi_run run = { .inputs = { t->inputs.values, t->targets.values }, .batch = BATCH, .is_training = true, .is_stochastic = true,
                           .seed = t->options->seed, .step = step };
    const double loss = tcsi_trainer_step(t->trainer, t->plan, t->options->pool, &run);
    t->loss = step == 0 ? loss : LOSS_DECAY * t->loss + (1 - LOSS_DECAY) * loss;
}

/* ---- checkpoints ---- */

static void persist(training *t, tcsi_codec *codec)
{
    const tcsi_pretrain_options *own = t->options;
    const uint64_t wanted[] = { t->set->seed, t->set->count, own->seed, own->step_count, own->view };
    tcsi_codec_tag(codec, "PRET");
    for (size_t i = 0; i < TCS_COUNT(wanted); i++) {
        uint64_t field = wanted[i];
        tcsi_codec_u64(codec, &field);
        if (field != wanted[i]) tcsi_codec_refuse(codec, "an option of the training");
    }
    tcsi_codec_f64(codec, &t->loss);
    tcsi_trainer_persist(t->trainer, codec);
}

static tcs_status save(training *t, tcs_error *err)
{
    tcsi_buffer out;
    if (!t->options->checkpoint) return TCS_OK;
    tcsi_buffer_init(&out, CHECKPOINT_SIZE_MAX);
    tcsi_codec codec = tcsi_codec_save(&out, err);
    persist(t, &codec);
    tcs_status status = tcsi_codec_status(&codec);
    if (status == TCS_OK) status = tcsi_file_write(t->options->checkpoint, out.data, out.size, err);
    tcsi_buffer_deinit(&out);
    return status;
}

/* Goes on where the checkpoint was written; from the beginning when there is none. */
static tcs_status restore(training *t, tcs_error *err)
{
    tcsi_buffer in;
    if (!t->options->checkpoint || access(t->options->checkpoint, F_OK) != 0) return TCS_OK;
    tcsi_buffer_init(&in, CHECKPOINT_SIZE_MAX);
    tcs_status status = tcsi_file_read(t->options->checkpoint, &in, err);
    if (status == TCS_OK) {
        tcsi_codec codec = tcsi_codec_load(in.data, in.size, err);
        persist(t, &codec);
        status = tcsi_codec_status(&codec);
        if (status != TCS_OK) tcsi_fail_prefix(err, "%s", t->options->checkpoint);
    }
    tcsi_buffer_deinit(&in);
    return status;
}

static tcs_status take_steps(training *t, tcs_error *err)
{
    tcs_status status = restore(t, err);
    while (status == TCS_OK && tcsi_trainer_step_number(t->trainer) < t->options->step_count) {
        take_step(t);
        const size_t done = (size_t)tcsi_trainer_step_number(t->trainer);
        if (done % TCSI_PRETRAIN_ROUND > 0 && done < t->options->step_count) continue;
        const bool goes_on = !t->options->report || t->options->report(t->options->context, done, t->loss);
        if (!goes_on || done % (CHECKPOINT_ROUNDS * TCSI_PRETRAIN_ROUND) == 0 || done == t->options->step_count) status = save(t, err);
        if (status == TCS_OK && !goes_on)
            status = tcsi_fail(err, TCS_E_CANCELLED, "stopped on request after %zu of %zu steps", done, t->options->step_count);
    }
    if (status == TCS_OK) tcsi_trainer_swap_average(t->trainer);
    return status;
}

tcs_status tcsi_pretrain_run(const tcsi_pretrain_set *set, const tcsi_pretrain_options *options, const tcsi_judge *judge, tcs_error *err)
{
    training t = { .set = set, .options = options };
    size_t usable = 0;
    for (size_t k = 0; k < set->count; k++) usable += k % HELD_OUT > 0 && set->examples[k].rare_count > 0;
    if (usable == 0) return tcsi_fail(err, TCS_E_INVALID, "none of %zu simulated series has an event to learn from", set->count);
    tcs_status status = training_init(&t, judge, err);
    if (status == TCS_OK) status = take_steps(&t, err);
    training_deinit(&t);
    return status;
}

/* ---- judging ---- */

static tcs_status average_precision(const double *scores, const example *one, uint8_t *labels, double *ret_precision, tcs_error *err)
{
    tcsi_ranking ranking = { 0 };
    tcsi_curve curve = { 0 };
    for (size_t u = 0; u < one->blocks.block_count; u++) labels[u] = one->targets[u] >= 0.5f;
    tcs_status status = tcsi_ranking_init(scores, one->blocks.block_count, &ranking, err);
    if (status == TCS_OK) status = tcsi_curve_init(&ranking, labels, &curve, err);
    if (status == TCS_OK) *ret_precision = tcsi_curve_auc_pr(&curve);
    tcsi_curve_deinit(&curve);
    tcsi_ranking_deinit(&ranking);
    return status;
}

static tcs_status judge_one(const example *one, tcsi_plan *plan, const tcsi_judge *judge, tcsi_judge_view view, tcsi_pool *pool,
                            tcsi_pretrain_quality *quality, tcs_error *err)
{
    const size_t count = one->blocks.block_count;
    double *judged = TCSI_NEW_ARRAY(double, count), *fused = TCSI_NEW_ARRAY(double, count), of_judge = 0, of_experts = 0;
    uint8_t *labels = TCSI_NEW_ARRAY(uint8_t, count);
    tcs_status status = judged && fused && labels ? TCS_OK : tcsi_fail_memory(err, "judged blocks");
    for (size_t u = 0; u < count && status == TCS_OK; u++) fused[u] = (double)one->blocks.values.values[u * CHANNELS + FUSED];
    if (status == TCS_OK) status = tcsi_judge_run(plan, BATCH, judge->s, &one->blocks, view, pool, judged, err);
    if (status == TCS_OK) status = average_precision(judged, one, labels, &of_judge, err);
    if (status == TCS_OK) status = average_precision(fused, one, labels, &of_experts, err);
    quality->judge += of_judge;
    quality->experts += of_experts;
    quality->series_count++;
    tcsi_free(judged);
    tcsi_free(fused);
    tcsi_free(labels);
    return status;
}

tcs_status tcsi_pretrain_judge(const tcsi_pretrain_set *set, const tcsi_judge *judge, tcsi_judge_view view, tcsi_pool *pool,
                               tcsi_pretrain_quality *ret_quality, tcs_error *err)
{
    tcsi_plan *plan = NULL;
    const tcsi_plan_options options = { .net = judge->net, .batch = BATCH, .outputs = &judge->s, .output_count = 1 };
    *ret_quality = (tcsi_pretrain_quality){ 0 };
    tcs_status status = tcsi_plan_create(&options, &plan, err);
    for (size_t k = 0; k < set->count && status == TCS_OK; k += HELD_OUT)
        if (set->examples[k].rare_count > 0) status = judge_one(&set->examples[k], plan, judge, view, pool, ret_quality, err);
    tcsi_plan_destroy(plan);
    ret_quality->judge /= (double)ret_quality->series_count;
    ret_quality->experts /= (double)ret_quality->series_count;
    return status;
}
