/* What a network says is punished where it breaks what must hold: gradients against finite differences, of all that a step holds and of
 * what is trained alone; networks that learned with the penalty say what breaks less, those without constraints the same to the bit as
 * ever; units of channels change nothing; bits for any number of threads, saved or not. */
#include "detect.h"

#include "base/log.h"
#include "detect/deep/forecaster.h"
#include "detect/deep/reconstruction.h"

enum { CHANNELS = 3, ROWS = 1600, K = 3 };

/* ---- a little physics: a = 2 b, a b <= c + 30, dc/dt = (a - 20) / 2, of channels in units of their own ---- */

typedef struct physics {
    double factors[CHANNELS]; /* of a channel's value, to what is meant */
    double tolerances[K];
} physics;

static size_t physics_room(const void *context, size_t step_count)
{
    (void)context;
    return CHANNELS * step_count;
}

static void physics_evaluate(const void *context, const tcsi_pace *pace, const double *values, double *ret_residuals, double *room)
{
    const physics *p = context;
    const size_t w = pace->step_count;
    const double seconds = pace->row_seconds * (double)pace->rows_a_step;
    for (size_t c = 0; c < CHANNELS; c++)
        for (size_t t = 0; t < w; t++) room[c * w + t] = values[c * w + t] * p->factors[c];
    const double *a = room, *b = room + w, *c = room + 2 * w;
    for (size_t t = 0; t < w; t++) {
        ret_residuals[t] = (a[t] - 2 * b[t]) / p->tolerances[0];
        ret_residuals[w + t] = (a[t] * b[t] - c[t] - 30) / p->tolerances[1];
        ret_residuals[2 * w + t] = t == 0 ? NAN : ((c[t] - c[t - 1]) / seconds - (a[t] - 20) / 2) / p->tolerances[2];
    }
}

static void physics_pull(const void *context, const tcsi_pace *pace, const double *slopes, double *ret_slopes, double *room)
{
    const physics *p = context;
    const size_t w = pace->step_count;
    const double seconds = pace->row_seconds * (double)pace->rows_a_step, *a = room, *b = room + w;
    memset(ret_slopes, 0, CHANNELS * w * sizeof *ret_slopes);
    for (size_t t = 0; t < w; t++) {
        const double s0 = slopes[t] / p->tolerances[0], s1 = slopes[w + t] / p->tolerances[1];
        const double s2 = t == 0 ? 0 : slopes[2 * w + t] / p->tolerances[2];
        ret_slopes[t] += s0 + s1 * b[t] - s2 / 2;
        ret_slopes[w + t] += -2 * s0 + s1 * a[t];
        ret_slopes[2 * w + t] += -s1 + s2 / seconds;
        if (t > 0) ret_slopes[2 * w + t - 1] -= s2 / seconds;
    }
    for (size_t c = 0; c < CHANNELS; c++)
        for (size_t t = 0; t < w; t++) ret_slopes[c * w + t] *= p->factors[c];
}

static const int sides[K] = { 0, 1, 0 };
static const physics plain = { { 1, 1, 1 }, { 0.2, 5, 0.5 } };

static tcsi_constraints constraints_of(const physics *p)
{
    return (tcsi_constraints){ .context = p, .channel_count = CHANNELS, .count = K, .sides = sides, .seal = 7, .cost = 20,
                               .room = physics_room, .evaluate = physics_evaluate, .pull = physics_pull };
}

/* Rows ten seconds apart.  The meter of b reads 0.4 too much in half of them, so that what was read breaks a = 2 b. */
static tcsi_frame *rows(const double *factors)
{
    tcsi_frame *frame;
    tcsi_rng rng = tcsi_rng_make(3, 0);
    assert_ok(tcsi_frame_create(CHANNELS, ROWS, true, false, &frame, test_err));
    for (size_t t = 0; t < ROWS; t++) {
        const double wave = sin(0.2 * (double)t), a = 20 + 2 * wave + 0.1 * tcsi_rng_normal(&rng);
        const double row[CHANNELS] = { a / factors[0], (a / 2 + (t / 40 % 2 ? 0.4 : 0) + 0.05 * tcsi_rng_normal(&rng)) / factors[1],
                                       (200 - 50 * cos(0.2 * (double)t) + tcsi_rng_normal(&rng)) / factors[2] };
        assert_ok(tcsi_frame_append(frame, row, (int64_t)t * 10000000000, 0, test_err));
    }
    return frame;
}

/* ---- gradients ---- */

enum { STEPS = 10, SKIPPED = 2, ASKED = STEPS - SKIPPED, PARTS = 3, TAUGHT = 2, WIDE = PARTS * CHANNELS + 2, BATCH = 4 };
static const tcsi_penalty_form form_of_net = { STEPS, SKIPPED, PARTS, CHANNELS };

/* A penalty that has learned, of a net that is nothing but its input. */
typedef struct bench {
    tcsi_constraints constraints;
    tcsi_penalty penalty;
    tcsi_net *net;
    tcsi_plan *plan;
    float x[BATCH * STEPS * WIDE], weights[BATCH];
    tcsi_run run;
} bench;

static void bench_init(bench *b)
{
    tcsi_sequence_form form = { 0 };
    tcsi_sequence sequence = { 0 };
    const tcsi_sequence_wish wish = { .window_row_count = 2 * STEPS, .steps = STEPS };
    tcsi_frame *frame = rows(plain.factors);
    tcsi_rng rng = tcsi_rng_make(4, 0);
    b->constraints = constraints_of(&plain);
    assert_ok(tcsi_penalty_init(&b->penalty, &b->constraints, 1, &form_of_net, test_err));
    assert_ok(tcsi_net_create(1, &b->net, test_err));
    const tcsi_node_id x = tcsi_nn_input(b->net, STEPS, WIDE);
    const tcsi_node_id data = tcsi_nn_loss_squared(b->net, tcsi_nn_slice(b->net, x, 0, 1), tcsi_nn_slice(b->net, x, 0, 1));
    const tcsi_node_id loss = tcsi_penalty_join(&b->penalty, b->net, data, x, 3);
    assert_ok(tcsi_net_finish(b->net, test_err));
    const tcsi_plan_options options = { .net = b->net, .batch = BATCH, .has_loss = true, .loss = loss, .input_gradients = true };
    assert_ok(tcsi_plan_create(&options, &b->plan, test_err));
    assert_ok(tcsi_sequence_form_learn(frame, &wish, &form, test_err));
    assert_ok(tcsi_sequence_init(frame, &form, &sequence, test_err));
    assert_ok(tcsi_penalty_learn(&b->penalty, &sequence, &form, frame->times_ns, TAUGHT, test_err));
    for (size_t i = 0; i < BATCH * STEPS * WIDE; i++) b->x[i] = (float)tcsi_rng_normal(&rng);
    for (size_t i = 0; i < BATCH; i++) b->weights[i] = (float)i;
    b->run = (tcsi_run){ .inputs = { b->x }, .batch = BATCH, .row_weights = b->weights, .is_training = true };
    tcsi_sequence_deinit(&sequence);
    tcsi_sequence_form_deinit(&form);
    tcsi_frame_destroy(frame);
}

static void bench_deinit(bench *b)
{
    tcsi_plan_destroy(b->plan);
    tcsi_net_destroy(b->net);
    tcsi_penalty_deinit(&b->penalty);
}

static double loss_at(bench *b, float *x, double value)
{
    const float before = *x;
    *x = (float)value;
    tcsi_plan_forward(b->plan, NULL, &b->run);
    *x = before;
    return tcsi_plan_loss(b->plan, &b->run);
}

static void test_gradients_are_those_of_finite_differences(void **state)
{
    (void)state;
    bench b;
    bench_init(&b);
    (void)tcsi_plan_backward(b.plan, NULL, &b.run);
    float gradients[BATCH * STEPS * WIDE];
    memcpy(gradients, tcsi_plan_input_gradients(b.plan, 0), sizeof gradients);
    double signal = 0, error = 0;
    for (size_t i = 0; i < BATCH * STEPS * WIDE; i++) {
        float *x = &b.x[i];
        const double step = 0.01, slope = (loss_at(&b, x, (double)*x + step) - loss_at(&b, x, (double)*x - step)) / (2 * step);
        const bool is_asked = i / WIDE % STEPS >= SKIPPED, is_weighed = i >= STEPS * WIDE; /* the first row weighs nothing */
        const bool is_taught = i % WIDE < TAUGHT * CHANNELS && is_asked && is_weighed;
        if (!is_taught) assert_near(0, (double)gradients[i], 0);
        error += (slope - (double)gradients[i]) * (slope - (double)gradients[i]);
        signal += slope * slope;
    }
    assert_true(signal > 1e-3);
    assert_true(sqrt(error / signal) < 2e-3);
    bench_deinit(&b);
}

/* Two rows of one step: by hand, of channels in deviations. */
static void test_the_loss_is_what_it_says(void **state)
{
    (void)state;
    bench b;
    bench_init(&b);
    const tcsi_penalty *p = &b.penalty;
    assert_int_equal(p->pace.rows_a_step, 2);
    assert_near(10, p->pace.row_seconds, 0);
    /* a = 2 b: a and b each move by a deviation. */
    assert_near(hypot(p->scales[0].spread, 2 * p->scales[1].spread) / 0.2, p->units[0], 1e-12);
    /* dc/dt over 20 seconds: c alone in one of two steps; a. */
    assert_near(hypot(sqrt(2) * p->scales[2].spread / 20, p->scales[0].spread / 2) / 0.5, p->units[2], 1e-12);
    double expected = 0;
    const size_t row = 2;
    for (size_t part = 0; part < TAUGHT; part++) {
        double values[CHANNELS][ASKED], residuals[K][ASKED], room[CHANNELS * ASKED];
        for (size_t c = 0; c < CHANNELS; c++)
            for (size_t t = 0; t < ASKED; t++)
                values[c][t] = p->scales[c].center +
                               p->scales[c].spread * (double)b.x[(row * STEPS + SKIPPED + t) * WIDE + part * CHANNELS + c];
        physics_evaluate(&plain, &p->pace, values[0], residuals[0], room);
        for (size_t k = 0; k < K; k++)
            for (size_t t = k == 2; t < ASKED; t++) {
                const double size = k == 1 ? residuals[k][t] : fabs(residuals[k][t]), d = fmax(0, size - 1) / p->units[k];
                expected += 2 * (sqrt(1 + d * d) - 1) / (double)(K * TAUGHT * (ASKED - (k == 2)));
            }
    }
    memset(b.weights, 0, sizeof b.weights);
    b.weights[row] = 1;
    tcsi_plan_forward(b.plan, NULL, &b.run);
    assert_near(3 * expected, tcsi_plan_loss(b.plan, &b.run), 1e-6);
    bench_deinit(&b);
}

/* The mean of a channel over four steps is 20 ± 0.5: all of them move it four times as far as one, and twice as far as each by itself. */
enum { SPAN = 4 };

static void mean_evaluate(const void *context, const tcsi_pace *pace, const double *values, double *ret_residuals, double *room)
{
    (void)context;
    (void)room;
    for (size_t t = 0; t < pace->step_count; t++) {
        ret_residuals[t] = t + 1 < SPAN ? NAN : -20 / 0.5;
        for (size_t i = 0; t + 1 >= SPAN && i < SPAN; i++) ret_residuals[t] += values[t - i] / SPAN / 0.5;
    }
}

static void mean_pull(const void *context, const tcsi_pace *pace, const double *slopes, double *ret_slopes, double *room)
{
    (void)context;
    (void)room;
    memset(ret_slopes, 0, CHANNELS * pace->step_count * sizeof *ret_slopes);
    for (size_t t = SPAN - 1; t < pace->step_count; t++)
        for (size_t i = 0; i < SPAN; i++) ret_slopes[t - i] += slopes[t] / SPAN / 0.5;
}

static void test_steps_move_together_or_apart(void **state)
{
    (void)state;
    tcsi_constraints constraints = constraints_of(&plain);
    tcsi_penalty penalty;
    tcsi_sequence_form form = { 0 };
    tcsi_sequence sequence = { 0 };
    const tcsi_sequence_wish wish = { .window_row_count = STEPS, .steps = STEPS };
    tcsi_frame *frame = rows(plain.factors);
    constraints.count = 1;
    constraints.evaluate = mean_evaluate;
    constraints.pull = mean_pull;
    assert_ok(tcsi_penalty_init(&penalty, &constraints, 1, &form_of_net, test_err));
    assert_ok(tcsi_sequence_form_learn(frame, &wish, &form, test_err));
    assert_ok(tcsi_sequence_init(frame, &form, &sequence, test_err));
    assert_ok(tcsi_penalty_learn(&penalty, &sequence, &form, frame->times_ns, 1, test_err));
    assert_near(form.scales[0].spread / 0.5, penalty.units[0], 1e-12);
    tcsi_penalty_deinit(&penalty);
    tcsi_sequence_deinit(&sequence);
    tcsi_sequence_form_deinit(&form);
    tcsi_frame_destroy(frame);
}

/* ---- detectors ---- */

static const char *const names[] = { "autoencoder", "tcn_forecaster", "gru_autoencoder" };

static tcsi_detector *make(const char *name, double weight, const tcsi_constraints *constraints, tcsi_pool *pool)
{
    const bool is_forecaster = strstr(name, "forecaster") != NULL;
    const tcsi_parameter_value parameters[] = { { "steps", 32 }, { "epochs", 30 }, { "penalty", weight }, { "members", 2 },
                                                { "window", 64 } };
    const tcsi_detector_setup setup = { .channel_count = CHANNELS, .seed = 1, .pool = pool, .constraints = constraints,
                                        .parameters = parameters, .parameter_count = TCS_COUNT(parameters) - is_forecaster };
    const tcsi_detector_info *info;
    tcsi_detector *detector;
    assert_ok(tcsi_registry_get(name, &info, test_err));
    assert_ok(tcsi_detector_create(info, &setup, &detector, test_err));
    return detector;
}

typedef struct breaking {
    const tcsi_window_net *net;
    double sum, count;
} breaking;

static void add_windows(void *context, const size_t *starts, size_t count, const float *outputs)
{
    breaking *b = context;
    const tcsi_scale *scales = b->net->form.scales;
    (void)starts;
    for (size_t i = 0; i < count * b->net->options.steps; i++) {
        const float *y = outputs + i * CHANNELS;
        b->sum += fabs(scales[0].center + scales[0].spread * (double)y[0] - 2 * (scales[1].center + scales[1].spread * (double)y[1]));
        b->count++;
    }
}

/* Mean |a - 2 b| of what a fitted detector says of frame's values. */
static double breaking_of(tcsi_detector *detector, const tcsi_frame *frame)
{
    breaking b = { .net = (const tcsi_window_net *)detector };
    double row[CHANNELS];
    if (!(detector->info->traits & TCSI_TRAIT_FORECAST)) {
        tcsi_sequence sequence;
        assert_ok(tcsi_sequence_init(frame, &b.net->form, &sequence, test_err));
        const tcsi_lesson lesson = tcsi_window_net_lesson(b.net, &sequence);
        tcsi_window_net_take((tcsi_window_net *)detector, 0);
        assert_ok(tcsi_window_net_sweep((tcsi_window_net *)detector, &lesson, 8, add_windows, &b, test_err));
        tcsi_sequence_deinit(&sequence);
        return b.sum / b.count;
    }
    for (size_t t = 0; t < frame->row_count; t++) {
        tcs_score score;
        tcsi_frame_row(frame, t, row);
        tcsi_detector_push(detector, &(tcsi_row){ .sequence = t, .values = row }, &score);
        for (size_t h = 0; t > 100 && h < TCSI_HORIZON_COUNT; h++) {
            tcsi_forecast a, of_b;
            assert_true(tcsi_detector_forecast(detector, 0, h, &a) && tcsi_detector_forecast(detector, 1, h, &of_b));
            b.sum += fabs(a.median - 2 * of_b.median);
            b.count++;
        }
    }
    return b.sum / b.count;
}

static void test_what_networks_say_breaks_less(void **state)
{
    (void)state;
    const tcsi_constraints constraints = constraints_of(&plain);
    tcsi_frame *frame = rows(plain.factors);
    for (size_t i = 0; i < TCS_COUNT(names); i++) {
        double said[2];
        for (size_t k = 0; k < 2; k++) {
            tcsi_detector *detector = make(names[i], k == 1 ? 30 : 0, &constraints, NULL);
            assert_ok(tcsi_detector_fit(detector, frame, test_err));
            said[k] = breaking_of(detector, frame);
            tcsi_detector_destroy(detector);
        }
        print_message("%s: breaks a = 2 b by %.3f without, %.3f with\n", names[i], said[0], said[1]);
        if (!(said[0] > 0.3 && said[1] < 0.7 * said[0])) fail_msg("%s: %.3f without, %.3f with", names[i], said[0], said[1]);
    }
    tcsi_frame_destroy(frame);
}

static void scores_of(tcsi_detector *detector, const tcsi_frame *frame, tcs_score *ret_scores)
{
    assert_ok(tcsi_detector_fit(detector, frame, test_err));
    assert_ok(tcsi_detector_score(detector, frame, ret_scores, test_err));
}

static void test_without_constraints_or_weight_bits_are_as_ever(void **state)
{
    (void)state;
    static tcs_score scores[4][ROWS];
    const tcsi_constraints constraints = constraints_of(&plain);
    tcsi_frame *frame = rows(plain.factors);
    for (size_t i = 0; i < 2; i++) {
        for (size_t k = 0; k < 4; k++) { /* neither, a weight, constraints, both */
            tcsi_detector *detector = make(names[i], k % 2 ? 1 : 0, k >= 2 ? &constraints : NULL, NULL);
            scores_of(detector, frame, scores[k]);
            tcsi_detector_destroy(detector);
        }
        detect_assert_same(scores[0], scores[1], 0, ROWS);
        detect_assert_same(scores[0], scores[2], 0, ROWS);
        size_t others = 0;
        for (size_t t = 0; t < ROWS; t++) others += scores[0][t].value != scores[3][t].value;
        assert_true(others > ROWS / 2);
    }
    tcsi_frame_destroy(frame);
}

static void test_threads_and_saving_change_no_bit(void **state)
{
    (void)state;
    static tcs_score scores[3][ROWS];
    const tcsi_constraints constraints = constraints_of(&plain);
    tcsi_frame *frame = rows(plain.factors);
    tcsi_pool *pool;
    assert_ok(tcsi_pool_create(3, &pool, test_err));
    for (size_t i = 0; i < 2; i++) {
        tcsi_detector *one = make(names[i], 1, &constraints, NULL), *many = make(names[i], 1, &constraints, pool), *loaded;
        tcsi_buffer bytes, again;
        scores_of(one, frame, scores[0]);
        scores_of(many, frame, scores[1]);
        tcsi_buffer_init(&bytes, SIZE_MAX);
        tcsi_buffer_init(&again, SIZE_MAX);
        assert_ok(tcsi_detector_save(one, &bytes, test_err));
        assert_ok(tcsi_detector_load(bytes.data, bytes.size, NULL, &loaded, test_err)); /* which knows of no constraints */
        assert_ok(tcsi_detector_save(loaded, &again, test_err));
        assert_int_equal(bytes.size, again.size);
        assert_memory_equal(bytes.data, again.data, bytes.size);
        assert_ok(tcsi_detector_score(loaded, frame, scores[2], test_err));
        detect_assert_same(scores[0], scores[1], 0, ROWS);
        detect_assert_same(scores[0], scores[2], 0, ROWS);
        tcsi_buffer_deinit(&bytes);
        tcsi_buffer_deinit(&again);
        tcsi_detector_destroy(one);
        tcsi_detector_destroy(many);
        tcsi_detector_destroy(loaded);
    }
    tcsi_pool_destroy(pool);
    tcsi_frame_destroy(frame);
}

/* Channels in other units, by powers of two so that nothing is rounded, and constraints that know it: the same to the bit. */
static void test_units_change_nothing(void **state)
{
    (void)state;
    static tcs_score scores[2][ROWS];
    const physics other = { { 1024, 0.03125, 4 }, { 0.2, 5, 0.5 } };
    const tcsi_constraints constraints[] = { constraints_of(&plain), constraints_of(&other) };
    for (size_t k = 0; k < 2; k++) {
        tcsi_frame *frame = rows(k == 0 ? plain.factors : other.factors);
        tcsi_detector *detector = make("autoencoder", 1, &constraints[k], NULL);
        scores_of(detector, frame, scores[k]);
        tcsi_detector_destroy(detector);
        tcsi_frame_destroy(frame);
    }
    detect_assert_same(scores[0], scores[1], 0, ROWS);
}

static void test_another_weight_is_another_training(void **state)
{
    (void)state;
    tcsi_constraints constraints = constraints_of(&plain);
    tcsi_penalty none = { 0 }, some;
    assert_ok(tcsi_penalty_init(&some, &constraints, 1, &form_of_net, test_err));
    const uint64_t key = tcsi_penalty_key(&some, 1);
    assert_true(tcsi_penalty_key(&none, 1) == 0 && key != 0 && key != tcsi_penalty_key(&some, 2));
    constraints.seal++;
    assert_true(key != tcsi_penalty_key(&some, 1));
    tcsi_penalty_deinit(&some);
}

/* A window that is all NaN to the constraints, and one that nothing moves. */
static void physics_nothing(const void *context, const tcsi_pace *pace, const double *values, double *ret_residuals, double *room)
{
    (void)context;
    (void)values;
    (void)room;
    for (size_t i = 0; i < K * pace->step_count; i++) ret_residuals[i] = i < pace->step_count ? NAN : i % 2 ? INFINITY : 1e300;
}

static void physics_nowhere(const void *context, const tcsi_pace *pace, const double *slopes, double *ret_slopes, double *room)
{
    (void)context;
    (void)slopes;
    (void)room;
    memset(ret_slopes, 0, CHANNELS * pace->step_count * sizeof *ret_slopes);
}

static void count_silent(void *context, tcsi_log_level level, const char *id, const char *text)
{
    (void)level;
    if (strcmp(id, "LEARN-PENALTY") == 0 && strstr(text, "3 of 3 constraints")) (*(size_t *)context)++;
}

static void test_what_cannot_be_told_changes_nothing(void **state)
{
    (void)state;
    size_t silent = 0;
    static tcs_score scores[2][ROWS];
    tcsi_constraints constraints = constraints_of(&plain);
    tcsi_frame *frame = rows(plain.factors);
    constraints.evaluate = physics_nothing;
    constraints.pull = physics_nowhere;
    tcsi_log_set(count_silent, &silent, TCSI_LOG_INFO);
    for (size_t k = 0; k < 2; k++) {
        tcsi_detector *detector = make("autoencoder", 1, k == 0 ? NULL : &constraints, NULL);
        scores_of(detector, frame, scores[k]);
        assert_int_equal(silent, k);
        tcsi_detector_destroy(detector);
    }
    tcsi_log_set(NULL, NULL, TCSI_LOG_ERROR);
    detect_assert_same(scores[0], scores[1], 0, ROWS);
    tcsi_frame_destroy(frame);
}

static void test_memory_runs_out(void **state)
{
    (void)state;
    const tcsi_constraints constraints = constraints_of(&plain);
    const tcsi_parameter_value parameters[] = { { "steps", 16 }, { "epochs", 1 }, { "penalty", 1 }, { "hidden", 4 } };
    tcsi_frame *frame = rows(plain.factors), few = tcsi_frame_view(frame, 0, 64);
    const tcsi_detector_info *info;
    for (size_t d = 0; d < 2; d++) {
        tcs_status status = TCS_E_MEMORY;
        const tcsi_detector_setup setup = { .channel_count = CHANNELS, .seed = 1, .constraints = &constraints, .parameters = parameters,
                                            .parameter_count = TCS_COUNT(parameters) };
        assert_ok(tcsi_registry_get(names[d], &info, test_err));
        for (size_t at = 1; at < 1000 && status != TCS_OK; at++) {
            tcs_error err;
            tcsi_detector *detector = NULL;
            tcsi_alloc_trace_begin();
            tcsi_alloc_trace_fail_at(at);
            status = tcsi_detector_create(info, &setup, &detector, &err);
            if (status == TCS_OK) status = tcsi_detector_fit(detector, &few, &err);
            tcsi_detector_destroy(detector);
            assert_int_equal(tcsi_alloc_trace_stats().live_count, 0);
            tcsi_alloc_trace_end();
            if (status != TCS_OK) assert_int_equal(status, TCS_E_MEMORY);
        }
        assert_int_equal(status, TCS_OK);
    }
    tcsi_frame_destroy(frame);
}

/* What an instance says that it will hold at most, it holds at most, while it learns with constraints too. */
static void test_memory_is_as_told(void **state)
{
    (void)state;
    const tcsi_constraints constraints = constraints_of(&plain);
    tcsi_frame *frame = rows(plain.factors);
    for (size_t d = 0; d < 2; d++) {
        static tcs_score scores[ROWS];
        tcsi_alloc_trace_begin();
        tcsi_detector *detector = make(names[d], 1, &constraints, NULL);
        assert_ok(tcsi_detector_fit(detector, frame, test_err));
        assert_ok(tcsi_detector_score(detector, frame, scores, test_err));
        assert_true(tcsi_alloc_trace_stats().peak_size <= tcsi_detector_size_max(detector, ROWS));
        tcsi_detector_destroy(detector);
        tcsi_alloc_trace_end();
    }
    tcsi_frame_destroy(frame);
}

static void test_a_fleet_has_none(void **state)
{
    (void)state;
    const tcsi_constraints constraints = constraints_of(&plain);
    tcsi_frame *frame = rows(plain.factors);
    const tcsi_frame *const series[] = { frame };
    tcsi_detector *detector = make("autoencoder", 1, &constraints, NULL);
    tcs_error err;
    assert_int_equal(tcsi_detector_fit_fleet(detector, &(tcsi_fleet){ .series = series, .series_count = 1 }, &err), TCS_E_INVALID);
    assert_non_null(strstr(err.text, "of one series"));
    tcsi_detector_destroy(detector);
    tcsi_frame_destroy(frame);
}

TCS_TEST_MAIN(cmocka_unit_test(test_gradients_are_those_of_finite_differences), cmocka_unit_test(test_the_loss_is_what_it_says),
              cmocka_unit_test(test_steps_move_together_or_apart),
              cmocka_unit_test(test_what_networks_say_breaks_less), cmocka_unit_test(test_without_constraints_or_weight_bits_are_as_ever),
              cmocka_unit_test(test_threads_and_saving_change_no_bit), cmocka_unit_test(test_units_change_nothing),
              cmocka_unit_test(test_another_weight_is_another_training), cmocka_unit_test(test_what_cannot_be_told_changes_nothing),
              cmocka_unit_test(test_memory_runs_out), cmocka_unit_test(test_memory_is_as_told), cmocka_unit_test(test_a_fleet_has_none))
