/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/deep/learner.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "series/stats.h"

#include <math.h>
#include <string.h>

enum {
    BATCH = TCSI_LEARNER_BATCH,
    STEP_COUNT_MAX = 3000,
    PARTS_A_WINDOW = 4,       /* an epoch draws as many windows as would cover everything so often */
    HELD_OUT_SHARE = 5,       /* one window in so many */
    HELD_OUT_WINDOWS_MIN = 8, /* in windows without overlap: fewer say too little */
    ROUND_COUNT = 20,         /* of looking at the held-out windows */
    PATIENCE = 6,
    HELD_OUT_BATCHES = 4,
    EVENT_SHARE = 4,          /* one window in so many lies in a labelled event, as many beside one */
};

/* ---- windows ---- */

size_t tcsi_lesson_window_count(const tcsi_lesson *lesson)
{
    return lesson->step_count < lesson->window ? 0 : lesson->step_count - lesson->window + 1;
}

void tcsi_lesson_gather(const tcsi_lesson *lesson, const size_t *starts, size_t count, float *ret_inputs, float *ret_targets)
{
    const size_t inputs = lesson->window * lesson->input_channels, targets = lesson->window * lesson->target_channels;
    for (size_t b = 0; b < count; b++) {
        memcpy(ret_inputs + b * inputs, lesson->inputs + starts[b] * lesson->input_channels, inputs * sizeof(float));
        if (ret_targets)
            memcpy(ret_targets + b * targets, lesson->targets + starts[b] * lesson->target_channels, targets * sizeof(float));
    }
}

/* ---- one training ---- */

typedef struct training {
    const tcsi_learner *learner;
    const tcsi_lesson *lesson;
    tcsi_pool *pool;
    size_t train_count, held_begin, held_count; /* windows */
    size_t step_count, round_steps;
    tcsi_floats inputs, targets;                /* a batch */
    float third[BATCH];                         /* input of a net that has one: labels, or what adversaries are told */
    double *losses, *known, limit;              /* (train_count): of each window when it was last drawn, NaN: never; scratch */
    tcsi_trainer *trainer, *rival;              /* the second: NULL without one */
    tcsi_early_stop stop;
} training;

static void split(training *t)
{
    const size_t count = tcsi_lesson_window_count(t->lesson), window = t->lesson->window, held = count / HELD_OUT_SHARE;
    const bool is_long = t->lesson->event_count == 0 && !t->learner->rival && count / window >= HELD_OUT_WINDOWS_MIN && held > window;
    t->train_count = is_long ? count - held : count;
    t->held_begin = is_long ? t->train_count + window - 1 : 0;
    t->held_count = is_long ? count - t->held_begin : 0;
}

static void plan_steps(training *t)
{
    const size_t drawn = 1 + (t->train_count - 1) * PARTS_A_WINDOW / t->lesson->window, epochs = t->learner->epochs;
    const size_t wanted = (tcsi_size_product(drawn, epochs) - 1) / BATCH + 1, least = epochs < STEP_COUNT_MAX ? epochs : STEP_COUNT_MAX;
    t->step_count = wanted < least ? least : wanted < STEP_COUNT_MAX ? wanted : STEP_COUNT_MAX;
    t->round_steps = (t->step_count - 1) / ROUND_COUNT + 1;
}

static void deinit(training *t)
{
    tcsi_early_stop_deinit(&t->stop);
    tcsi_trainer_destroy(t->trainer);
    tcsi_trainer_destroy(t->rival);
    tcsi_free(t->losses);
    tcsi_free(t->known);
    tcsi_floats_deinit(&t->inputs);
    tcsi_floats_deinit(&t->targets);
}

static tcs_status init(training *t, tcs_error *err)
{
    const tcsi_lesson *lesson = t->lesson;
    const tcsi_train_options options = { .schedule = TCSI_SCHEDULE_ONE_CYCLE, .rate = t->learner->rate, .step_count = t->step_count,
                                         .decay = 1e-4, .clip_norm = 1 };
    t->losses = TCSI_NEW_ARRAY(double, t->train_count);
    t->known = TCSI_NEW_ARRAY(double, t->train_count);
    t->limit = INFINITY;
    if (!t->losses || !t->known || !tcsi_floats_init(&t->inputs, BATCH * lesson->window * lesson->input_channels) ||
        !tcsi_floats_init(&t->targets, BATCH * lesson->window * lesson->target_channels))
        return tcsi_fail_memory(err, "training");
    for (size_t i = 0; i < t->train_count; i++) t->losses[i] = NAN;
    tcs_status status = tcsi_trainer_create(t->learner->net, &options, &t->trainer, err);
    if (status == TCS_OK && t->learner->rival) status = tcsi_trainer_create(t->learner->net, &options, &t->rival, err);
    return status == TCS_OK ? tcsi_early_stop_init(&t->stop, t->learner->net, PATIENCE, err) : status;
}

/* The loss that only `trim` of the remembered ones exceed; none while less than half are known. */
static double trim_limit(const training *t)
{
    const size_t known = tcsi_present_copy(t->losses, t->train_count, t->known), left_out = (size_t)(t->learner->trim * (double)known);
    return known < t->train_count / 2 || left_out == 0 ? INFINITY : tcsi_select(t->known, known, known - 1 - left_out);
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

static size_t draw_window(const training *t, size_t b, tcsi_rng *rng)
{
    if (t->lesson->event_count > 0 && b < 2 * BATCH / EVENT_SHARE) return draw_event(t, b >= BATCH / EVENT_SHARE, rng);
    return tcsi_rng_below(rng, t->train_count);
}

static void fill_third(training *t, const size_t *starts, size_t step)
{
    const float share = (float)(1 - t->learner->rivalry * (double)step / (double)t->step_count);
    for (size_t b = 0; b < BATCH; b++) t->third[b] = t->lesson->labels ? t->lesson->labels[starts[b]] : share;
}

static bool take_step(training *t, size_t step)
{
    tcsi_rng rng = tcsi_rng_make(t->learner->seed, step);
    size_t starts[BATCH];
    float weights[BATCH];
    for (size_t b = 0; b < BATCH; b++) {
        starts[b] = draw_window(t, b, &rng);
        weights[b] = t->losses[starts[b]] > t->limit ? 0.0f : 1.0f;
    }
    tcsi_lesson_gather(t->lesson, starts, BATCH, t->inputs.values, t->targets.values);
    fill_third(t, starts, step);
    const tcsi_run run = { .inputs = { t->inputs.values, t->targets.values, t->third }, .batch = BATCH, .row_weights = weights,
                           .is_training = true, .is_stochastic = true, .seed = t->learner->seed, .step = step };
    double loss = tcsi_trainer_step(t->trainer, t->learner->plan, t->pool, &run);
    const float *rows = tcsi_plan_values(t->learner->plan, t->learner->loss);
    for (size_t b = 0; b < BATCH; b++) t->losses[starts[b]] = rows[b];
    if (t->rival) loss += tcsi_trainer_step(t->rival, t->learner->rival, t->pool, &run);
    return isfinite(loss);
}

/* Mean loss of windows spread evenly over those held out. */
static double held_out_loss(training *t)
{
    double sum = 0;
    size_t number = 0;
    for (size_t k = 0; k < HELD_OUT_BATCHES; k++) {
        size_t starts[BATCH];
        for (size_t b = 0; b < BATCH; b++, number++)
            starts[b] = t->held_begin + number * (t->held_count - 1) / (HELD_OUT_BATCHES * BATCH - 1);
        tcsi_lesson_gather(t->lesson, starts, BATCH, t->inputs.values, t->targets.values);
        fill_third(t, starts, 0);
        const tcsi_run run = { .inputs = { t->inputs.values, t->targets.values, t->third }, .batch = BATCH, .seed = t->learner->seed };
        tcsi_plan_forward(t->learner->plan, t->pool, &run);
        sum += tcsi_plan_loss(t->learner->plan, &run);
    }
    return sum / HELD_OUT_BATCHES;
}

static tcs_status take_steps(training *t, const tcsi_progress *progress, tcs_error *err)
{
    bool goes_on = true, was_finite = false;
    tcs_status status = TCS_OK;
    for (size_t step = 0; step < t->step_count && goes_on && status == TCS_OK; step++) {
        was_finite |= take_step(t, step);
        if ((step + 1) % t->round_steps > 0) continue;
        if (t->lesson->event_count == 0) t->limit = trim_limit(t);
        if (t->held_count > 0) goes_on = tcsi_early_stop_push(&t->stop, held_out_loss(t));
        status = tcsi_progress_report(progress, (double)(step + 1) / (double)t->step_count, err);
    }
    if (status == TCS_OK && !was_finite) return tcsi_fail(err, TCS_E_INVALID, "training never gave a finite loss");
    if (status == TCS_OK) tcsi_early_stop_restore(&t->stop);
    return status;
}

tcs_status tcsi_learner_run(const tcsi_learner *learner, const tcsi_lesson *lesson, tcsi_pool *pool, const tcsi_progress *progress,
                            tcs_error *err)
{
    training t = { .learner = learner, .lesson = lesson, .pool = pool };
    if (tcsi_lesson_window_count(lesson) == 0)
        return tcsi_fail(err, TCS_E_INVALID, "%zu steps of training: expected a window of %zu at least", lesson->step_count,
                         lesson->window);
    split(&t);
    plan_steps(&t);
    tcs_status status = init(&t, err);
    if (status == TCS_OK) status = take_steps(&t, progress, err);
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
