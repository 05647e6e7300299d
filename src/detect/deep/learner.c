/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/deep/learner.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/rng.h"
#include "detect/deep/chances.h"
#include "series/stats.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    BATCH = TCSI_LEARNER_BATCH,
    STEP_COUNT_MAX = 3000,
    PARTS_A_WINDOW = 4,       /* an epoch draws as many windows as would cover everything so often */
    HELD_OUT_SHARE = 5,       /* one window in so many */
    HELD_OUT_WINDOWS_MIN = 8, /* in windows without overlap: fewer say too little */
    ROUND_COUNT = 20,         /* of looking at the held-out windows */
    PATIENCE = 6,
    HELD_OUT_BATCHES = 4,
    EVENT_SHARE = TCSI_LEARNER_EVENT_SHARE,
};

/* ---- windows ---- */

size_t tcsi_lesson_window_count(const tcsi_lesson *lesson)
{
    return lesson->step_count < lesson->window ? 0 : lesson->step_count - lesson->window + 1;
}

size_t tcsi_lesson_held_begin(const tcsi_lesson *lesson)
{
    const size_t count = tcsi_lesson_window_count(lesson), window = lesson->window, held = count / HELD_OUT_SHARE;
    return count / window >= HELD_OUT_WINDOWS_MIN && held > window ? count - held + window - 1 : 0;
}

void tcsi_lesson_gather(const tcsi_lesson *lesson, const size_t *starts, size_t count, float *ret_inputs, float *ret_targets)
{
    const size_t inputs = lesson->window * lesson->input_channels, targets = lesson->window * lesson->target_channels;
    for (size_t b = 0; b < count; b++) {
        const size_t start = lesson->order ? lesson->order[starts[b]] : starts[b];
        memcpy(ret_inputs + b * inputs, lesson->inputs + start * lesson->input_channels, inputs * sizeof(float));
        if (ret_targets) memcpy(ret_targets + b * targets, lesson->targets + start * lesson->target_channels, targets * sizeof(float));
    }
}

/* ---- one training ---- */

/* Windows of one part of the lesson. */
typedef struct part {
    size_t begin, train_count, held_begin, held_count;
} part;

enum { UNLABELLED, LABELLED, KIND_COUNT };

typedef struct training {
    const tcsi_learner *learner;
    const tcsi_lesson *lesson;
    tcsi_pool *pool;
    part *parts;                                /* (part_count) */
    size_t part_count;
    size_t train_count, loss_count;             /* windows that are learned from; all up to the last of those */
    size_t holding_count;                       /* parts that hold out any */
    size_t step_count, round_steps;
    tcsi_floats inputs, targets;                /* a batch */
    float third[BATCH];                         /* input of a net that has one: labels, or what adversaries are told */
    double *known;                              /* (loss_count): scratch */
    int64_t begin_ns, saved_ns;
    char *path;                                 /* of the file; NULL: none */
    uint64_t key;                               /* of the file: what is trained on what, and how */
    tcsi_trainer *trainer, *rival;              /* the second: NULL without one */
    tcsi_early_stop stop;
    /* What the file holds besides those two: */
    double *losses;                             /* (loss_count): of each window when it was last drawn, NaN: never */
    double *limits;                             /* (part_count,KIND_COUNT): above which windows of a kind weigh nothing */
    double round_loss;                          /* summed over the steps of this round */
    size_t step;                                /* done */
    bool was_finite, is_over;
    tcsi_learning_point points[ROUND_COUNT];
    size_t point_count;
} training;

static part part_of(const training *t, size_t begin, size_t end)
{
    tcsi_lesson lesson = *t->lesson;
    lesson.step_count = end - begin;
    const size_t count = tcsi_lesson_window_count(&lesson);
    const size_t held_begin = lesson.event_count == 0 && !t->learner->rival ? tcsi_lesson_held_begin(&lesson) : 0;
    return (part){ .begin = begin, .train_count = held_begin > 0 ? held_begin + 1 - lesson.window : count,
                   .held_begin = begin + held_begin, .held_count = held_begin > 0 ? count - held_begin : 0 };
}

static tcs_status split(training *t, tcs_error *err)
{
    t->part_count = t->lesson->part_ends ? t->lesson->part_count : 1;
    t->parts = TCSI_NEW_ARRAY(part, t->part_count);
    t->limits = TCSI_NEW_ARRAY(double, t->part_count * KIND_COUNT);
    if (!t->parts || !t->limits) return tcsi_fail_memory(err, "training");
    for (size_t p = 0, begin = 0; p < t->part_count; p++) {
        const size_t end = t->lesson->part_ends ? t->lesson->part_ends[p] : t->lesson->step_count;
        t->parts[p] = part_of(t, begin, end);
        for (size_t k = 0; k < KIND_COUNT; k++) t->limits[p * KIND_COUNT + k] = INFINITY;
        t->train_count += t->parts[p].train_count;
        t->holding_count += t->parts[p].held_count > 0;
        t->loss_count = begin + t->parts[p].train_count;
        begin = end;
    }
    return TCS_OK;
}

static void plan_steps(training *t)
{
    const size_t window = t->lesson->window, parts = window < PARTS_A_WINDOW ? window : PARTS_A_WINDOW;
    const size_t drawn = 1 + (t->train_count - 1) * parts / window, epochs = t->learner->epochs;
    const size_t wanted = (tcsi_size_product(drawn, epochs) - 1) / BATCH + 1, least = epochs < STEP_COUNT_MAX ? epochs : STEP_COUNT_MAX;
    t->step_count = wanted < least ? least : wanted < STEP_COUNT_MAX ? wanted : STEP_COUNT_MAX;
    const double rival = t->learner->rival ? tcsi_plan_cost(t->learner->rival) : 0;
    const double a_step = TCSI_LEARNER_STEP + (tcsi_plan_cost(t->learner->plan) + rival) / TCSI_LEARNER_RATE;
    const double allowed = t->learner->budget / a_step;
    if (t->learner->budget > 0 && allowed < (double)t->step_count) t->step_count = allowed < 1 ? 1 : (size_t)allowed;
    if (t->learner->step_count > 0 && t->learner->step_count < t->step_count) t->step_count = t->learner->step_count;
    t->round_steps = (t->step_count - 1) / ROUND_COUNT + 1;
}

static void deinit(training *t)
{
    tcsi_early_stop_deinit(&t->stop);
    tcsi_trainer_destroy(t->trainer);
    tcsi_trainer_destroy(t->rival);
    tcsi_free(t->parts);
    tcsi_free(t->losses);
    tcsi_free(t->limits);
    tcsi_free(t->known);
    tcsi_free(t->path);
    tcsi_floats_deinit(&t->inputs);
    tcsi_floats_deinit(&t->targets);
}

static tcs_status init(training *t, tcs_error *err)
{
    const tcsi_lesson *lesson = t->lesson;
    const tcsi_schedule schedule = t->learner->step_count > 0 ? TCSI_SCHEDULE_CONSTANT : TCSI_SCHEDULE_ONE_CYCLE;
    const tcsi_train_options options = { .schedule = schedule, .rate = t->learner->rate, .step_count = t->step_count,
                                         .decay = 1e-4, .clip_norm = 1 };
    t->losses = TCSI_NEW_ARRAY(double, t->loss_count);
    t->known = TCSI_NEW_ARRAY(double, t->loss_count);
    t->begin_ns = t->saved_ns = tcsi_clock_monotonic_ns();
    if (!t->losses || !t->known || !tcsi_floats_init(&t->inputs, BATCH * lesson->window * lesson->input_channels) ||
        !tcsi_floats_init(&t->targets, BATCH * lesson->window * lesson->target_channels))
        return tcsi_fail_memory(err, "training");
    for (size_t i = 0; i < t->loss_count; i++) t->losses[i] = NAN;
    tcs_status status = tcsi_trainer_create(t->learner->net, &options, &t->trainer, err);
    if (status == TCS_OK && t->learner->rival) status = tcsi_trainer_create(t->learner->net, &options, &t->rival, err);
    return status == TCS_OK ? tcsi_early_stop_init(&t->stop, t->learner->net, PATIENCE, err) : status;
}

/* ---- the file: "TCSL", version, key, state, seal ---- */

enum { FILE_VERSION = 2, SEAL_SIZE = 8, SAVE_PAUSE_S = 1, SLACK_S = 1 };

/* What the training is of: data, options and the weights it begins with, whose number and names say the net's form. */
static uint64_t key_of(const training *t)
{
    const tcsi_lesson *l = t->lesson;
    const tcsi_learner *learner = t->learner;
    const double options[] = { learner->rate, learner->trim, (double)t->step_count, (double)l->step_count, (double)l->input_channels,
                               (double)l->target_channels, (double)l->window, (double)l->event_count, learner->rivalry,
                               l->missed, l->doubted };
    uint64_t key = tcsi_seal(TCSI_SEAL_BEGIN, &learner->seed, sizeof learner->seed);
    key = tcsi_seal(key, options, sizeof options);
    if (learner->key != 0) key = tcsi_seal(key, &learner->key, sizeof learner->key);
    key = tcsi_seal(key, l->inputs, l->step_count * l->input_channels * sizeof(float));
    for (size_t i = 0; i < l->step_count * l->target_channels; i++) { /* not every NaN is of the same bits */
        const float target = isnan(l->targets[i]) ? 1e30f : l->targets[i];
        key = tcsi_seal(key, &target, sizeof target);
    }
    for (size_t p = 0; l->part_ends && p < l->part_count; p++) {
        const uint64_t end = l->part_ends[p];
        key = tcsi_seal(key, &end, sizeof end);
    }
    if (l->labels) key = tcsi_seal(key, l->labels, tcsi_lesson_window_count(l) * sizeof *l->labels);
    if (l->chances) key = tcsi_seal(key, l->chances, tcsi_lesson_window_count(l) * sizeof *l->chances);
    for (size_t k = 0; k < l->event_count; k++) {
        const uint64_t event[] = { l->events[k].begin, l->events[k].end };
        key = tcsi_seal(key, event, sizeof event);
    }
    return tcsi_seal(key, learner->net->weights.values, learner->net->weight_count * sizeof(float));
}

static void persist_point(tcsi_learning_point *point, tcsi_codec *codec)
{
    tcsi_codec_u64(codec, &point->member);
    tcsi_codec_u64(codec, &point->step);
    tcsi_codec_f64(codec, &point->train_loss);
    tcsi_codec_f64(codec, &point->held_loss);
}

static void persist(training *t, tcsi_codec *codec)
{
    tcsi_trainer_persist(t->trainer, codec);
    if (t->rival) tcsi_trainer_persist(t->rival, codec);
    tcsi_early_stop_persist(&t->stop, codec);
    tcsi_codec_f64s(codec, t->losses, t->loss_count);
    tcsi_codec_f64s(codec, t->limits, t->part_count * KIND_COUNT);
    tcsi_codec_f64(codec, &t->round_loss);
    tcsi_codec_size(codec, &t->step, t->step_count);
    tcsi_codec_bool(codec, &t->was_finite);
    tcsi_codec_bool(codec, &t->is_over);
    tcsi_codec_size(codec, &t->point_count, ROUND_COUNT);
    for (size_t i = 0; i < t->point_count && tcsi_codec_status(codec) == TCS_OK; i++) persist_point(&t->points[i], codec);
}

static void persist_head(tcsi_codec *codec, uint64_t *key)
{
    uint32_t version = FILE_VERSION;
    tcsi_codec_tag(codec, "TCSL");
    tcsi_codec_u32(codec, &version);
    if (version != FILE_VERSION) tcsi_codec_refuse(codec, "another version of a checkpoint");
    tcsi_codec_u64(codec, key);
}

static tcs_status save(training *t, tcs_error *err)
{
    tcsi_buffer bytes;
    if (!t->path) return TCS_OK;
    tcsi_buffer_init(&bytes, SIZE_MAX / 2);
    tcsi_codec codec = tcsi_codec_save(&bytes, err);
    persist_head(&codec, &t->key);
    persist(t, &codec);
    tcs_status status = tcsi_codec_status(&codec);
    if (status == TCS_OK) {
        uint64_t seal = tcsi_seal(TCSI_SEAL_BEGIN, bytes.data, bytes.size);
        tcsi_codec_u64(&codec, &seal);
        status = tcsi_codec_status(&codec);
    }
    if (status == TCS_OK) status = tcsi_file_write(t->path, bytes.data, bytes.size, err);
    t->saved_ns = tcsi_clock_monotonic_ns();
    tcsi_buffer_deinit(&bytes);
    return status;
}

static tcs_status take_up(training *t, const tcsi_buffer *bytes, tcs_error *err)
{
    const char *what = "no checkpoint of a training; name another file";
    tcsi_codec codec = tcsi_codec_load(bytes->data, bytes->size, NULL);
    uint64_t key = 0, seal = 0;
    persist_head(&codec, &key);
    if (tcsi_codec_status(&codec) != TCS_OK || codec.in_size < SEAL_SIZE) return tcsi_fail(err, TCS_E_FORMAT, "%s: %s", t->path, what);
    if (key != t->key) {
        tcsi_log(TCSI_LOG_INFO, "LEARN-CHECKPOINT-OTHER", "%s: of other data or options; training begins anew", t->path);
        return TCS_OK;
    }
    tcsi_codec end = tcsi_codec_load(bytes->data + bytes->size - SEAL_SIZE, SEAL_SIZE, NULL);
    tcsi_codec_u64(&end, &seal);
    codec.in_size -= SEAL_SIZE;
    if (seal != tcsi_seal(TCSI_SEAL_BEGIN, bytes->data, bytes->size - SEAL_SIZE)) tcsi_codec_refuse(&codec, "a damaged checkpoint");
    persist(t, &codec);
    if (tcsi_codec_status(&codec) != TCS_OK || codec.in_size > 0)
        return tcsi_fail(err, TCS_E_FORMAT, "%s: a damaged checkpoint; remove it to begin anew", t->path);
    tcsi_log(TCSI_LOG_INFO, "LEARN-CHECKPOINT", "%s: training goes on from step %zu of %zu", t->path, t->step, t->step_count);
    return TCS_OK;
}

static tcs_status resume(training *t, tcs_error *err)
{
    const char *path = t->learner->training ? t->learner->training->checkpoint : NULL;
    tcsi_buffer bytes;
    if (!path) return TCS_OK;
    const size_t size = strlen(path) + 32;
    t->path = TCSI_NEW_ARRAY(char, size);
    if (!t->path) return tcsi_fail_memory(err, "the name of a file");
    if (t->learner->member == 0) snprintf(t->path, size, "%s", path);
    else snprintf(t->path, size, "%s.%zu", path, t->learner->member);
    t->key = key_of(t);
    if (access(t->path, F_OK) != 0) return TCS_OK;
    tcsi_buffer_init(&bytes, SIZE_MAX / 2);
    tcs_status status = tcsi_file_read(t->path, &bytes, err);
    if (status == TCS_OK) status = take_up(t, &bytes, err);
    tcsi_buffer_deinit(&bytes);
    return status;
}

/* ---- steps ---- */

/* Which limit a window's loss is held against: that of windows with label 0, or without labels, or that of events; -1: of none. */
static int kind_of(const training *t, size_t window)
{
    const float label = t->lesson->labels ? t->lesson->labels[window] : 0;
    return label == 0 ? UNLABELLED : fabsf(label) == 1 ? LABELLED : -1;
}

/* The loss that only a share of those remembered of a part's windows of a kind exceed; none while less than half are known. */
static double limit_of(const training *t, const part *p, int kind, double share)
{
    size_t count = 0, known = 0;
    for (size_t i = p->begin; i < p->begin + p->train_count; i++) {
        if (kind_of(t, i) != kind) continue;
        count++;
        if (!isnan(t->losses[i])) t->known[known++] = t->losses[i];
    }
    const size_t left_out = (size_t)(share * (double)known);
    return known < count / 2 || left_out == 0 ? INFINITY : tcsi_select(t->known, known, known - 1 - left_out);
}

static void find_limits(training *t)
{
    const bool has_events = t->lesson->event_count > 0;
    for (size_t p = 0; p < t->part_count; p++) {
        double *limits = t->limits + p * KIND_COUNT;
        limits[UNLABELLED] = limit_of(t, &t->parts[p], UNLABELLED, has_events ? t->lesson->missed : t->learner->trim);
        if (has_events) limits[LABELLED] = limit_of(t, &t->parts[p], LABELLED, t->lesson->doubted);
    }
}

/* Inside an event, or less than a window beside one. */
static size_t draw_event(const training *t, bool is_beside, tcsi_rng *rng)
{
    const tcsi_event_windows *event = &t->lesson->events[tcsi_rng_below(rng, t->lesson->event_count)];
    const size_t margin = t->lesson->window, before = event->begin < margin ? event->begin : margin;
    const size_t after = t->train_count - event->end < margin ? t->train_count - event->end : margin;
    if (!is_beside || before + after == 0) return event->begin + tcsi_rng_below(rng, event->end - event->begin);
    const size_t at = tcsi_rng_below(rng, before + after);
    return at < before ? event->begin - before + at : event->end + at - before;
}

/* A window of part number *ret_part. */
static size_t draw_window(const training *t, size_t b, tcsi_rng *rng, size_t *ret_part)
{
    *ret_part = t->part_count > 1 ? tcsi_rng_below(rng, t->part_count) : 0;
    if (t->lesson->event_count > 0 && b < 2 * BATCH / EVENT_SHARE) return draw_event(t, b >= BATCH / EVENT_SHARE, rng);
    const part *p = &t->parts[*ret_part];
    const double *chances = t->lesson->chances;
    return p->begin + (chances ? tcsi_chances_at(chances, p->train_count, tcsi_rng_uniform(rng)) : tcsi_rng_below(rng, p->train_count));
}

static void fill_third(training *t, const size_t *starts, size_t step)
{
    const float share = (float)(1 - t->learner->rivalry * (double)step / (double)t->step_count);
    for (size_t b = 0; b < BATCH; b++) t->third[b] = t->lesson->labels ? t->lesson->labels[starts[b]] : share;
}

static bool is_left_out(const training *t, size_t part_number, size_t window)
{
    const int kind = kind_of(t, window);
    return kind >= 0 && t->losses[window] > t->limits[part_number * KIND_COUNT + (size_t)kind];
}

static void take_step(training *t)
{
    tcsi_rng rng = tcsi_rng_make(t->learner->seed, t->step);
    size_t starts[BATCH];
    float weights[BATCH];
    for (size_t b = 0; b < BATCH; b++) {
        size_t drawn;
        starts[b] = draw_window(t, b, &rng, &drawn);
        weights[b] = is_left_out(t, drawn, starts[b]) ? 0.0f : 1.0f;
    }
    tcsi_lesson_gather(t->lesson, starts, BATCH, t->inputs.values, t->targets.values);
    fill_third(t, starts, t->step);
    const tcsi_run run = { .inputs = { t->inputs.values, t->targets.values, t->third }, .batch = BATCH, .row_weights = weights,
                           .is_training = true, .is_stochastic = true, .seed = t->learner->seed, .step = t->step };
    double loss = tcsi_trainer_step(t->trainer, t->learner->plan, t->pool, &run);
    const float *rows = tcsi_plan_values(t->learner->plan, t->learner->loss);
    for (size_t b = 0; b < BATCH; b++) t->losses[starts[b]] = rows[b];
    if (t->rival) loss += tcsi_trainer_step(t->rival, t->learner->rival, t->pool, &run);
    t->was_finite |= isfinite(loss);
    t->round_loss += loss;
    t->step++;
}

/* One of count windows spread evenly over those held out: in turns over the parts that hold out any, and over the windows of each. */
static size_t held_out_window(const training *t, size_t number, size_t count)
{
    const size_t place = t->holding_count > count ? number * t->holding_count / count : number % t->holding_count;
    const size_t turn = number / t->holding_count, last = (count - 1) / t->holding_count;
    size_t p = 0, seen = t->parts[0].held_count > 0;
    while (seen <= place) seen += t->parts[++p].held_count > 0;
    return t->parts[p].held_begin + (last > 0 ? turn * (t->parts[p].held_count - 1) / last : t->parts[p].held_count / 2);
}

/* Mean loss of windows spread evenly over those held out. */
static double held_out_loss(training *t)
{
    double sum = 0;
    size_t number = 0;
    for (size_t k = 0; k < HELD_OUT_BATCHES; k++) {
        size_t starts[BATCH];
        for (size_t b = 0; b < BATCH; b++, number++)
            starts[b] = held_out_window(t, number, HELD_OUT_BATCHES * BATCH);
        tcsi_lesson_gather(t->lesson, starts, BATCH, t->inputs.values, t->targets.values);
        fill_third(t, starts, 0);
        const tcsi_run run = { .inputs = { t->inputs.values, t->targets.values, t->third }, .batch = BATCH, .seed = t->learner->seed };
        tcsi_plan_forward(t->learner->plan, t->pool, &run);
        sum += tcsi_plan_loss(t->learner->plan, &run);
    }
    return sum / HELD_OUT_BATCHES;
}

/* After a round: which windows are left out, whether going on is of use, what is told and kept. */
static tcs_status end_round(training *t, const tcsi_progress *progress, tcs_error *err)
{
    const double held_loss = t->holding_count > 0 ? held_out_loss(t) : NAN;
    find_limits(t);
    if (t->holding_count > 0 && !tcsi_early_stop_push(&t->stop, held_loss)) t->is_over = true;
    if (t->point_count < ROUND_COUNT)
        t->points[t->point_count++] = (tcsi_learning_point){ .member = t->learner->member, .step = t->step, .held_loss = held_loss,
                                                          .train_loss = t->round_loss / (double)t->round_steps };
    t->round_loss = 0;
    const double share = t->is_over ? 1 : (double)t->step / (double)t->step_count;
    tcs_status status = tcsi_progress_report(progress, share, err), saved = TCS_OK;
    const bool is_due = tcsi_clock_monotonic_ns() - t->saved_ns >= SAVE_PAUSE_S * INT64_C(1000000000);
    if (status != TCS_OK || is_due) saved = save(t, err);
    return saved == TCS_OK ? status : saved;
}

static bool is_out_of_time(const training *t)
{
    const double seconds = (double)(tcsi_clock_monotonic_ns() - t->begin_ns) * 1e-9;
    if (!(t->learner->budget > 0) || seconds < TCSI_LEARNER_PATIENCE * t->learner->budget + SLACK_S) return false;
    tcsi_log(TCSI_LOG_WARNING, "LEARN-BUDGET", "training ended after %zu of %zu steps: %.1f s, %d times the budget; this machine is slower "
             "than assumed, and another run may end elsewhere", t->step, t->step_count, seconds, TCSI_LEARNER_PATIENCE);
    return true;
}

static tcs_status take_steps(training *t, const tcsi_progress *progress, tcs_error *err)
{
    tcs_status status = TCS_OK;
    if (t->learner->step_count > 0 && t->holding_count > 0) (void)tcsi_early_stop_push(&t->stop, held_out_loss(t));
    while (t->step < t->step_count && !t->is_over && status == TCS_OK) {
        take_step(t);
        if (t->step % t->round_steps == 0) status = end_round(t, progress, err);
        if (is_out_of_time(t)) break;
    }
    if (status != TCS_OK) return status;
    if (!t->was_finite) return tcsi_fail(err, TCS_E_INVALID, "training never gave a finite loss");
    status = save(t, err);
    tcsi_early_stop_restore(&t->stop);
    return status;
}

static void tell_curve(const training *t)
{
    tcsi_training *to = t->learner->training;
    for (size_t i = 0; to && i < t->point_count && to->point_count < TCSI_CURVE_POINT_MAX; i++)
        to->points[to->point_count++] = t->points[i];
}

uint64_t tcsi_learner_seed(uint64_t seed, size_t member)
{
    return seed + member * 0x9e3779b97f4a7c15u; /* 2^64 over the golden ratio: neighbouring seeds keep apart */
}

tcs_status tcsi_learner_run(const tcsi_learner *learner, const tcsi_lesson *lesson, tcsi_pool *pool, const tcsi_progress *progress,
                            tcs_error *err)
{
    training t = { .learner = learner, .lesson = lesson, .pool = pool };
    if (tcsi_lesson_window_count(lesson) == 0)
        return tcsi_fail(err, TCS_E_INVALID, "%zu steps of training: expected a window of %zu at least", lesson->step_count,
                         lesson->window);
    tcs_status status = split(&t, err);
    if (status == TCS_OK) {
        plan_steps(&t);
        status = init(&t, err);
    }
    if (status == TCS_OK) status = resume(&t, err);
    if (status == TCS_OK) status = take_steps(&t, progress, err);
    if (status == TCS_OK) tell_curve(&t);
    deinit(&t);
    return status;
}

size_t tcsi_learner_size_max(const tcsi_net *net, size_t step_count, size_t window, size_t input_channels, size_t target_channels)
{
    enum { COPIES = 8, BORDERS = 4096 }; /* moments, the best weights, what the trainer keeps besides */
    size_t weights = tcsi_size_product(net->weight_count + net->state_count, COPIES * sizeof(float));
    size_t batch = tcsi_size_product(tcsi_size_product(window, tcsi_size_sum(input_channels, target_channels)), BATCH * sizeof(float));
    return tcsi_size_sum(tcsi_size_sum(weights, batch), tcsi_size_sum(tcsi_size_product(step_count, 2 * sizeof(double)), BORDERS));
}
