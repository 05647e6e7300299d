/* detect/deep/learner_test.c -- training learns, stops where it should, leaves spoilt windows out, and gives the same bits again.
 * SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/rng.h"
#include "detect/deep/learner.h"
#include "nn/layers.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { STEPS = 2000, WINDOW = 16 };

typedef struct pupil {
    tcsi_net *net;
    tcsi_plan *plan;
    tcsi_node_id loss, output;
} pupil;

/* A narrow dense network that gives windows of one channel back. */
static pupil pupil_make(void)
{
    pupil p;
    assert_ok(tcsi_net_create(7, &p.net, test_err));
    tcsi_node_id x = tcsi_nn_input(p.net, WINDOW, 1), target = tcsi_nn_input(p.net, WINDOW, 1), h;
    tcsi_net_scope(p.net, "in");
    h = tcsi_nn_dense(p.net, tcsi_nn_flatten(p.net, x), &(tcsi_dense_options){ .units = 3, .activation = TCSI_ACTIVATION_TANH });
    tcsi_net_scope(p.net, "out");
    p.output = tcsi_nn_unflatten(p.net, tcsi_nn_dense(p.net, h, &(tcsi_dense_options){ .units = WINDOW }), WINDOW);
    p.loss = tcsi_nn_loss_squared(p.net, p.output, target);
    assert_ok(tcsi_net_finish(p.net, test_err));
    assert_ok(tcsi_plan_create(&(tcsi_plan_options){ .net = p.net, .batch = TCSI_LEARNER_BATCH, .has_loss = true, .loss = p.loss }, &p.plan,
                               test_err));
    return p;
}

static void pupil_end(pupil *p)
{
    tcsi_plan_destroy(p->plan);
    tcsi_net_destroy(p->net);
}

static tcsi_learner learner_of(const pupil *p)
{
    return (tcsi_learner){ .net = p->net, .plan = p->plan, .loss = p->loss, .epochs = 60, .rate = 1e-2, .seed = 3 };
}

static tcsi_lesson lesson_of(const float *values, size_t count)
{
    return (tcsi_lesson){ .inputs = values, .targets = values, .step_count = count, .input_channels = 1, .target_channels = 1,
                          .window = WINDOW };
}

static void make_wave(float *values)
{
    for (size_t t = 0; t < STEPS; t++) values[t] = (float)sin(0.4 * (double)t);
}

/* Mean loss of a plan's batch of windows from `first` on. */
static double loss_at(const pupil *p, const float *values, size_t first)
{
    float batch[TCSI_LEARNER_BATCH * WINDOW];
    size_t starts[TCSI_LEARNER_BATCH];
    const tcsi_lesson lesson = lesson_of(values, STEPS);
    for (size_t b = 0; b < TCSI_LEARNER_BATCH; b++) starts[b] = first + b;
    tcsi_lesson_gather(&lesson, starts, TCSI_LEARNER_BATCH, batch, NULL);
    const tcsi_run run = { .inputs = { batch, batch, batch }, .batch = TCSI_LEARNER_BATCH };
    tcsi_plan_forward(p->plan, NULL, &run);
    return tcsi_plan_loss(p->plan, &run);
}

static void test_learns_and_repeats(void **state)
{
    (void)state;
    static float values[STEPS];
    make_wave(values);
    pupil p = pupil_make();
    const tcsi_learner learner = learner_of(&p);
    const tcsi_lesson lesson = lesson_of(values, STEPS);
    double before = loss_at(&p, values, 100);
    assert_ok(tcsi_learner_run(&learner, &lesson, NULL, NULL, test_err));
    double after = loss_at(&p, values, 100);
    assert_true(after < 0.05 && after < before / 5);
    float *first = TCSI_NEW_ARRAY(float, p.net->weight_count);
    memcpy(first, p.net->weights.values, p.net->weight_count * sizeof(float));
    tcsi_pool *pool;
    assert_ok(tcsi_pool_create(3, &pool, test_err));
    tcsi_net_start(p.net);
    assert_ok(tcsi_learner_run(&learner, &lesson, pool, NULL, test_err));
    assert_memory_equal(first, p.net->weights.values, p.net->weight_count * sizeof(float));
    tcsi_pool_destroy(pool);
    tcsi_free(first);
    pupil_end(&p);
}

/* A twelfth of the steps are a loud wave of another kind: with trimming it is not learned, without it is. */
static void test_spoilt_windows_are_left_out(void **state)
{
    (void)state;
    static float values[STEPS];
    double loud[2];
    make_wave(values);
    for (size_t t = 600; t < 760; t++) values[t] = (float)(4 * sin(1.3 * (double)t));
    for (size_t i = 0; i < 2; i++) {
        pupil p = pupil_make();
        tcsi_learner learner = learner_of(&p);
        const tcsi_lesson lesson = lesson_of(values, STEPS);
        learner.trim = i ? 0.2 : 0;
        assert_ok(tcsi_learner_run(&learner, &lesson, NULL, NULL, test_err));
        loud[i] = loss_at(&p, values, 640) / loss_at(&p, values, 100);
        pupil_end(&p);
    }
    assert_true(loud[1] > 5 * loud[0]);
}

/* ---- labels ---- */

/* A network of one number, which labels are to be. */
static pupil reader_make(void)
{
    pupil p;
    assert_ok(tcsi_net_create(7, &p.net, test_err));
    tcsi_node_id x = tcsi_nn_input(p.net, WINDOW, 1), target = tcsi_nn_input(p.net, WINDOW, 1), label = tcsi_nn_input(p.net, 1, 1), h;
    (void)target;
    tcsi_net_scope(p.net, "in");
    h = tcsi_nn_dense(p.net, tcsi_nn_flatten(p.net, x), &(tcsi_dense_options){ .units = 8, .activation = TCSI_ACTIVATION_TANH });
    tcsi_net_scope(p.net, "out");
    p.output = tcsi_nn_dense(p.net, h, &(tcsi_dense_options){ .units = 1 });
    p.loss = tcsi_nn_loss_squared(p.net, p.output, label);
    assert_ok(tcsi_net_finish(p.net, test_err));
    assert_ok(tcsi_plan_create(&(tcsi_plan_options){ .net = p.net, .batch = TCSI_LEARNER_BATCH, .has_loss = true, .loss = p.loss,
                                                     .outputs = &p.output, .output_count = 1 }, &p.plan, test_err));
    return p;
}

enum { EVENT_LENGTH = 60 };

/* A wave with stretches of another one at 300, 600, ... 1500. */
static void make_events(float *values)
{
    make_wave(values);
    for (size_t begin = 300; begin <= 1500; begin += 300)
        for (size_t t = begin; t < begin + EVENT_LENGTH; t++) values[t] = (float)sin(0.9 * (double)t);
}

/* What the network says at a window after learning that stretches at these rows are events. */
static double answer_at(const size_t *events, size_t event_count, double missed, double doubted, size_t epochs, size_t window)
{
    static float values[STEPS], labels[STEPS - WINDOW + 1];
    tcsi_event_windows found[8];
    make_events(values);
    for (size_t i = 0; i < TCS_COUNT(labels); i++) labels[i] = 0;
    for (size_t k = 0; k < event_count; k++) {
        found[k] = (tcsi_event_windows){ events[k], events[k] + EVENT_LENGTH - WINDOW };
        for (size_t i = found[k].begin; i < found[k].end; i++) labels[i] = 1;
    }
    pupil p = reader_make();
    tcsi_learner learner = learner_of(&p);
    learner.epochs = epochs;
    tcsi_lesson lesson = lesson_of(values, STEPS);
    lesson.labels = labels;
    lesson.events = found;
    lesson.event_count = event_count;
    lesson.missed = missed;
    lesson.doubted = doubted;
    assert_ok(tcsi_learner_run(&learner, &lesson, NULL, NULL, test_err));
    (void)loss_at(&p, values, window);
    const double answer = (double)tcsi_plan_values(p.plan, p.output)[0];
    pupil_end(&p);
    return answer;
}

/* Only 3 of 100 windows are events: they would be lost, were they not drawn more often. */
static void test_few_labels_are_seen_often(void **state)
{
    (void)state;
    static float values[STEPS], labels[STEPS - WINDOW + 1];
    double answers[2];
    make_wave(values);
    for (size_t t = 600; t < 660; t++) values[t] = (float)sin(0.9 * (double)t);
    for (size_t i = 0; i < TCS_COUNT(labels); i++) labels[i] = i >= 600 && i < 660 - WINDOW;
    const tcsi_event_windows event = { 600, 660 - WINDOW };
    for (size_t i = 0; i < 2; i++) {
        pupil p = reader_make();
        tcsi_learner learner = learner_of(&p);
        learner.epochs = 20;
        tcsi_lesson lesson = lesson_of(values, STEPS);
        lesson.labels = labels;
        lesson.events = &event;
        lesson.event_count = i;
        assert_ok(tcsi_learner_run(&learner, &lesson, NULL, NULL, test_err));
        (void)loss_at(&p, values, 610);
        answers[i] = (double)tcsi_plan_values(p.plan, p.output)[0];
        pupil_end(&p);
    }
    assert_true(answers[1] > answers[0] + 0.1);
}

/* Two of five events are labelled: the others teach the contrary, unless what looks most like an event is left out. */
static void test_events_that_nobody_noticed_are_left_out(void **state)
{
    (void)state;
    static const size_t events[] = { 300, 900 };
    const double told = answer_at(events, 2, 0, 0, 60, 1510), left_out = answer_at(events, 2, 0.1, 0, 60, 1510);
    if (!(left_out > told + 0.1)) fail_msg("an event that nobody noticed is %.3g, left out %.3g", told, left_out);
}

/* A label on nothing among four right ones: less is learned from it when it may be doubted. */
static void test_labels_that_are_wrong_are_left_out(void **state)
{
    (void)state;
    static const size_t events[] = { 300, 600, 900, 1200, 1700 };
    const double told = answer_at(events, 5, 0, 0, 60, 1710), doubted = answer_at(events, 5, 0, 0.25, 60, 1710);
    if (!(doubted < told - 0.1)) fail_msg("a wrong label makes %.3g of nothing, doubted %.3g", told, doubted);
}

/* ---- parts ---- */

static bool stop_at(void *context, double share)
{
    return share < *(const double *)context;
}

static void remove_file(const char *path)
{
    (void)!unlink(path);
}

/* Trains a fresh pupil on values cut into parts, or on all of them as one. */
static pupil taught(const float *values, size_t count, const size_t *ends, size_t part_count, double trim)
{
    pupil p = pupil_make();
    tcsi_learner learner = learner_of(&p);
    tcsi_lesson lesson = lesson_of(values, count);
    learner.trim = trim;
    learner.epochs = 200;
    lesson.part_ends = ends;
    lesson.part_count = part_count;
    assert_ok(tcsi_learner_run(&learner, &lesson, NULL, NULL, test_err));
    return p;
}

/* The mean loss of the windows that begin in [begin, end), 64 of them at most. */
static double loss_between(const pupil *p, const float *values, size_t begin, size_t end)
{
    float batch[TCSI_LEARNER_BATCH * WINDOW];
    size_t starts[TCSI_LEARNER_BATCH];
    const size_t count = end - begin < TCSI_LEARNER_BATCH ? end - begin : TCSI_LEARNER_BATCH;
    const tcsi_lesson lesson = lesson_of(values, STEPS);
    for (size_t b = 0; b < count; b++) starts[b] = begin + b;
    tcsi_lesson_gather(&lesson, starts, count, batch, NULL);
    const tcsi_run run = { .inputs = { batch, batch }, .batch = count };
    tcsi_plan_forward(p->plan, NULL, &run);
    return tcsi_plan_loss(p->plan, &run);
}

/* Where every part is one window long, only those windows are learned; without parts, those in between are learned as well. */
static void test_no_window_crosses_parts(void **state)
{
    (void)state;
    static float values[STEPS];
    const size_t ends[] = { WINDOW, 2 * WINDOW };
    double odds[2];
    for (size_t t = 0; t < 2 * WINDOW; t++) values[t] = t < WINDOW ? 1 : -1;
    for (size_t i = 0; i < 2; i++) {
        pupil p = taught(values, 2 * WINDOW, i ? ends : NULL, 2, 0);
        const double inside = loss_between(&p, values, 0, 1) + loss_between(&p, values, WINDOW, WINDOW + 1);
        odds[i] = loss_between(&p, values, 1, WINDOW) / inside;
        pupil_end(&p);
    }
    print_message("# windows across parts are %.3g times as hard; as one lesson, %.3g times\n", odds[1], odds[0]);
    assert_true(odds[1] > 100 && odds[0] < 10);
}

/* A part of 60 steps beside one of 1,900: as one lesson it is hardly ever seen. */
static void test_parts_are_seen_alike(void **state)
{
    (void)state;
    enum { SHORT = 60 };
    static float values[STEPS];
    const size_t ends[] = { SHORT, STEPS };
    double losses[2];
    tcsi_rng rng = tcsi_rng_make(9, 1);
    for (size_t t = 0; t < STEPS; t++)
        values[t] = t < SHORT ? (float)(2 * sin(0.9 * (double)t)) : (float)(sin(0.4 * (double)t) + 0.5 * tcsi_rng_normal(&rng));
    for (size_t i = 0; i < 2; i++) {
        pupil p = taught(values, STEPS, i ? ends : NULL, 2, 0.05);
        losses[i] = loss_between(&p, values, 0, SHORT - WINDOW);
        pupil_end(&p);
    }
    assert_true(losses[1] < 0.5 * losses[0]);
}

/* One part in eight is loud.  Leaving out the worst fifth of everything leaves it out, the worst fifth of each part does not. */
static void test_a_loud_part_is_not_left_out(void **state)
{
    (void)state;
    enum { PARTS = 8 };
    static float values[STEPS];
    size_t ends[PARTS];
    double losses[2];
    for (size_t p = 0; p < PARTS; p++) ends[p] = (p + 1) * STEPS / PARTS;
    for (size_t t = 0; t < STEPS; t++) values[t] = (float)(t < ends[0] ? 4 * sin(1.3 * (double)t) : sin(0.4 * (double)t));
    for (size_t i = 0; i < 2; i++) {
        pupil p = taught(values, STEPS, i ? ends : NULL, PARTS, 0.2);
        losses[i] = loss_between(&p, values, 0, 64);
        pupil_end(&p);
    }
    assert_true(losses[1] < 0.3 * losses[0]);
}

/* Interrupted and taken up, in another process or not, parts or not: the same bits. */
static void test_parts_go_on_after_an_interruption(void **state)
{
    (void)state;
    static float values[STEPS];
    static tcsi_training training;
    char path[] = "/tmp/tocsin-learner-test-XXXXXX";
    const size_t ends[] = { 700, 1100, STEPS };
    close(mkstemp(path));
    make_wave(values);
    for (size_t t = 700; t < 1100; t++) values[t] *= 3;
    pupil whole = taught(values, STEPS, ends, 3, 0.1), p = pupil_make();
    tcsi_learner learner = learner_of(&p);
    tcsi_lesson lesson = lesson_of(values, STEPS);
    learner.trim = 0.1;
    learner.epochs = 200;
    learner.training = &training;
    lesson.part_ends = ends;
    lesson.part_count = 3;
    remove_file(path);
    for (size_t k = 0; k < 2; k++) {
        double stop = k == 0 ? 0.4 : 2;
        tcs_error err = { 0 };
        const tcsi_progress progress = { stop_at, &stop };
        training = (tcsi_training){ .checkpoint = path };
        tcsi_net_start(p.net);
        assert_int_equal(k == 0 ? TCS_E_CANCELLED : TCS_OK, tcsi_learner_run(&learner, &lesson, NULL, &progress, &err));
    }
    assert_memory_equal(whole.net->weights.values, p.net->weights.values, p.net->weight_count * sizeof(float));
    remove_file(path);
    pupil_end(&whole);
    pupil_end(&p);
}

/* ---- adapting ---- */

/* Goes on from what was learned.  A step far too large is not kept where rows are held out that tell. */
static void test_adapting_never_harms_held_out_rows(void **state)
{
    (void)state;
    static float values[STEPS];
    make_wave(values);
    pupil p = taught(values, STEPS, NULL, 1, 0);
    tcsi_learner learner = learner_of(&p);
    const tcsi_lesson lesson = lesson_of(values, STEPS);
    float *before = TCSI_NEW_ARRAY(float, p.net->weight_count);
    memcpy(before, p.net->weights.values, p.net->weight_count * sizeof(float));
    learner.step_count = 40;
    learner.rate = 1;
    assert_ok(tcsi_learner_run(&learner, &lesson, NULL, NULL, test_err));
    assert_memory_equal(before, p.net->weights.values, p.net->weight_count * sizeof(float));
    for (size_t t = 0; t < STEPS; t++) values[t] = (float)sin(0.45 * (double)t); /* a little other than what it knows */
    const double first = loss_at(&p, values, 100);
    learner.rate = 1e-3;
    assert_ok(tcsi_learner_run(&learner, &lesson, NULL, NULL, test_err));
    assert_true(loss_at(&p, values, 100) < 0.9 * first);
    tcsi_free(before);
    pupil_end(&p);
}

static void test_refuses_what_is_too_short(void **state)
{
    (void)state;
    float values[WINDOW - 1] = { 0 };
    tcs_error err = { 0 };
    pupil p = pupil_make();
    const tcsi_learner learner = learner_of(&p);
    const tcsi_lesson lesson = lesson_of(values, WINDOW - 1);
    assert_int_equal(TCS_E_INVALID, tcsi_learner_run(&learner, &lesson, NULL, NULL, &err));
    assert_non_null(strstr(err.text, "15 steps"));
    pupil_end(&p);
}

static bool stop_at_half(void *context, double share)
{
    double *last = context;
    assert_true(share >= *last && share <= 1);
    *last = share;
    return share < 0.5;
}

static void test_stops_on_request(void **state)
{
    (void)state;
    static float values[STEPS];
    double last = 0;
    tcs_error err = { 0 };
    make_wave(values);
    pupil p = pupil_make();
    const tcsi_learner learner = learner_of(&p);
    const tcsi_lesson lesson = lesson_of(values, STEPS);
    const tcsi_progress progress = { stop_at_half, &last };
    assert_int_equal(TCS_E_CANCELLED, tcsi_learner_run(&learner, &lesson, NULL, &progress, &err));
    assert_true(last >= 0.5 && last < 0.6);
    pupil_end(&p);
}

/* ---- budgets ---- */

static tcsi_training *trained(pupil *p, double budget)
{
    static float values[STEPS];
    static tcsi_training training;
    make_wave(values);
    tcsi_learner learner = learner_of(p);
    const tcsi_lesson lesson = lesson_of(values, STEPS);
    training = (tcsi_training){ .checkpoint = NULL };
    learner.training = &training;
    learner.budget = budget;
    tcsi_net_start(p->net);
    assert_ok(tcsi_learner_run(&learner, &lesson, NULL, NULL, test_err));
    return &training;
}

static uint64_t last_step(const tcsi_training *training)
{
    assert_true(training->point_count > 0);
    return training->points[training->point_count - 1].step;
}

/* The clock is not asked how much a budget allows: the same steps, the same bits, on any machine. */
static void test_a_budget_is_a_number_of_steps(void **state)
{
    (void)state;
    pupil p = pupil_make();
    const double a_step = TCSI_LEARNER_STEP + tcsi_plan_cost(p.plan) / TCSI_LEARNER_RATE;
    assert_int_equal(40, last_step(trained(&p, 40.5 * a_step)));
    float first = p.net->weights.values[0];
    assert_int_equal(40, last_step(trained(&p, 40.5 * a_step)));
    assert_memory_equal(&first, p.net->weights.values, sizeof first);
    assert_int_equal(1, last_step(trained(&p, 1e-9)));
    assert_true(last_step(trained(&p, 1000)) > 100);
    pupil_end(&p);
}

static int64_t slow_clock(void *context)
{
    int64_t *now_ns = context;
    return *now_ns += INT64_C(1000000000); /* a second each time it is looked at */
}

static void count_warning(void *context, tcsi_log_level level, const char *id, const char *text)
{
    (void)text;
    *(size_t *)context += level == TCSI_LOG_WARNING && strcmp(id, "LEARN-BUDGET") == 0;
}

static void test_a_slow_machine_ends_early_and_says_so(void **state)
{
    (void)state;
    int64_t now_ns = 0;
    size_t warnings = 0;
    pupil p = pupil_make();
    const uint64_t planned = last_step(trained(&p, 10));
    tcsi_clock_set(&(tcsi_clock){ slow_clock, slow_clock, &now_ns });
    tcsi_log_set(count_warning, &warnings, TCSI_LOG_WARNING);
    const uint64_t done = last_step(trained(&p, 10));
    tcsi_log_set(NULL, NULL, TCSI_LOG_ERROR);
    tcsi_clock_set(NULL);
    assert_true(done <= 10 * TCSI_LEARNER_PATIENCE + 2 && done < planned / 2);
    assert_int_equal(1, warnings);
    pupil_end(&p);
}

static void test_curve_tells_how_it_went(void **state)
{
    (void)state;
    pupil p = pupil_make();
    const tcsi_training *training = trained(&p, 0);
    for (size_t i = 1; i < training->point_count; i++) assert_true(training->points[i].step > training->points[i - 1].step);
    const tcsi_learning_point *first = &training->points[0], *last = &training->points[training->point_count - 1];
    assert_true(last->train_loss < first->train_loss / 2 && last->held_loss < first->held_loss / 2);
    pupil_end(&p);
}

/* ---- interruptions ---- */

/* Stopped at several points, also more than once, it ends with the bits of one that never stopped. */
static void test_goes_on_after_interruptions(void **state)
{
    (void)state;
    static const double stops[][3] = { { 0.04, 2, 2 }, { 0.5, 2, 2 }, { 0.3, 0.6, 2 }, { 0.05, 0.1, 0.7 }, { 0.9, 2, 2 } };
    static float values[STEPS];
    static tcsi_training whole, part;
    char path[] = "/tmp/tocsin-learner-test-XXXXXX";
    close(mkstemp(path));
    make_wave(values);
    for (size_t t = 600; t < 760; t++) values[t] = (float)(4 * sin(1.3 * (double)t)); /* so that windows are left out */
    pupil p = pupil_make();
    tcsi_learner learner = learner_of(&p);
    const tcsi_lesson lesson = lesson_of(values, STEPS);
    learner.trim = 0.1;
    learner.training = &whole;
    assert_ok(tcsi_learner_run(&learner, &lesson, NULL, NULL, test_err));
    float *expected = TCSI_NEW_ARRAY(float, p.net->weight_count);
    memcpy(expected, p.net->weights.values, p.net->weight_count * sizeof(float));
    learner.training = &part;
    for (size_t i = 0; i < TCS_COUNT(stops); i++) {
        size_t cancelled = 0;
        remove_file(path);
        for (size_t k = 0; k < 4; k++) {
            double stop = k < 3 ? stops[i][k] : 2;
            tcs_error err = { 0 };
            const tcsi_progress progress = { stop_at, &stop };
            part = (tcsi_training){ .checkpoint = path };
            tcsi_net_start(p.net);
            const tcs_status status = tcsi_learner_run(&learner, &lesson, NULL, &progress, &err);
            assert_int_equal(stop < 1 ? TCS_E_CANCELLED : TCS_OK, status);
            cancelled += status == TCS_E_CANCELLED;
        }
        assert_true(cancelled > 0);
        assert_memory_equal(expected, p.net->weights.values, p.net->weight_count * sizeof(float));
        assert_int_equal(whole.point_count, part.point_count);
        assert_memory_equal(whole.points, part.points, whole.point_count * sizeof *whole.points);
    }
    remove_file(path);
    tcsi_free(expected);
    pupil_end(&p);
}

static void test_files_of_others_are_left_alone(void **state)
{
    (void)state;
    static float values[STEPS];
    static tcsi_training training;
    static const char letter[] = "Dear Sir or Madam, this is no checkpoint at all.";
    char path[] = "/tmp/tocsin-learner-test-XXXXXX";
    tcs_error err = { 0 };
    tcsi_buffer bytes;
    close(mkstemp(path));
    make_wave(values);
    pupil p = pupil_make();
    tcsi_learner learner = learner_of(&p);
    const tcsi_lesson lesson = lesson_of(values, STEPS);
    learner.training = &training;
    training = (tcsi_training){ .checkpoint = path };
    assert_ok(tcsi_file_write(path, letter, sizeof letter, test_err));
    assert_int_equal(TCS_E_FORMAT, tcsi_learner_run(&learner, &lesson, NULL, NULL, &err));
    assert_non_null(strstr(err.text, path));
    tcsi_buffer_init(&bytes, 1 << 24);
    assert_ok(tcsi_file_read(path, &bytes, test_err));
    assert_memory_equal(letter, bytes.data, sizeof letter);
    remove_file(path);
    assert_ok(tcsi_learner_run(&learner, &lesson, NULL, NULL, test_err));
    bytes.size = 0;
    assert_ok(tcsi_file_read(path, &bytes, test_err));
    for (size_t i = 0; i < 40; i++) { /* damaged anywhere behind the head: refused */
        const size_t at = 16 + i * (bytes.size - 17) / 39;
        bytes.data[at] = (char)(bytes.data[at] ^ 4);
        assert_ok(tcsi_file_write(path, bytes.data, bytes.size, test_err));
        tcsi_net_start(p.net);
        assert_int_equal(TCS_E_FORMAT, tcsi_learner_run(&learner, &lesson, NULL, NULL, &err));
        bytes.data[at] = (char)(bytes.data[at] ^ 4);
    }
    assert_ok(tcsi_file_write(path, bytes.data, bytes.size, test_err));
    learner.seed++; /* another training: begins anew, and the file is its own then */
    training = (tcsi_training){ .checkpoint = path };
    tcsi_net_start(p.net);
    assert_ok(tcsi_learner_run(&learner, &lesson, NULL, NULL, test_err));
    float first = p.net->weights.values[0];
    learner.training = NULL;
    tcsi_net_start(p.net);
    assert_ok(tcsi_learner_run(&learner, &lesson, NULL, NULL, test_err));
    assert_memory_equal(&first, p.net->weights.values, sizeof first);
    tcsi_buffer_deinit(&bytes);
    remove_file(path);
    pupil_end(&p);
}

TCS_TEST_MAIN(cmocka_unit_test(test_learns_and_repeats),
              cmocka_unit_test(test_spoilt_windows_are_left_out),
              cmocka_unit_test(test_few_labels_are_seen_often),
              cmocka_unit_test(test_events_that_nobody_noticed_are_left_out), cmocka_unit_test(test_labels_that_are_wrong_are_left_out),
              cmocka_unit_test(test_no_window_crosses_parts),
              cmocka_unit_test(test_parts_are_seen_alike),
              cmocka_unit_test(test_a_loud_part_is_not_left_out),
              cmocka_unit_test(test_parts_go_on_after_an_interruption),
              cmocka_unit_test(test_adapting_never_harms_held_out_rows),
              cmocka_unit_test(test_refuses_what_is_too_short),
              cmocka_unit_test(test_stops_on_request),
              cmocka_unit_test(test_a_budget_is_a_number_of_steps),
              cmocka_unit_test(test_a_slow_machine_ends_early_and_says_so),
              cmocka_unit_test(test_curve_tells_how_it_went),
              cmocka_unit_test(test_goes_on_after_interruptions),
              cmocka_unit_test(test_files_of_others_are_left_alone))
