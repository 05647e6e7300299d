/* nn/train_test.c -- training: it learns, repeats itself to the bit for any number of threads and after an interruption, allocates
 * nothing, and answers bad options and bad gradients.  SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/alloc.h"
#include "nn/layers.h"
#include "nn/train.h"
#include "nn_cases.h"

enum { ROWS = 256, STEPS = 12, CHANNELS = 6 };

typedef struct fixture {
    tcsi_net *net;
    tcsi_plan *plan;
    tcsi_trainer *trainer;
    tcsi_run run;
    float *x;
} fixture;

/* An autoencoder of sequences: convolutions down to 2 channels and back. */
static void fixture_init(fixture *f, const tcsi_train_options *options)
{
    assert_ok(tcsi_net_create(3, &f->net, test_err));
    tcsi_node_id x = tcsi_nn_input(f->net, STEPS, CHANNELS);
    tcsi_node_id h = tcsi_nn_conv(f->net, x, &(tcsi_conv_options){ .channels = 16, .kernel = 3, .activation = TCSI_ACTIVATION_TANH });
    h = tcsi_nn_dense(f->net, h, &(tcsi_dense_options){ .units = 2 });
    h = tcsi_nn_conv(f->net, h, &(tcsi_conv_options){ .channels = 16, .kernel = 3, .activation = TCSI_ACTIVATION_RELU });
    tcsi_node_id y = tcsi_nn_dense(f->net, h, &(tcsi_dense_options){ .units = CHANNELS });
    tcsi_node_id loss = tcsi_nn_loss_squared(f->net, y, x);
    assert_ok(tcsi_net_finish(f->net, test_err));
    assert_ok(tcsi_plan_create(&(tcsi_plan_options){ .net = f->net, .batch = ROWS, .has_loss = true, .loss = loss }, &f->plan, test_err));
    assert_ok(tcsi_trainer_create(f->net, options, &f->trainer, test_err));
    f->x = malloc(ROWS * STEPS * CHANNELS * sizeof(float));
    for (size_t i = 0; i < ROWS * STEPS * CHANNELS; i++) { /* two hidden waves in six channels */
        size_t b = i / (STEPS * CHANNELS), t = i / CHANNELS % STEPS, c = i % CHANNELS;
        f->x[i] = (float)(sin(0.4 * (double)(t + 3 * b)) * (double)(c + 1) / 6 + cos(0.9 * (double)(t + b)) * (double)(6 - c) / 6);
    }
    f->run = (tcsi_run){ .inputs = { f->x }, .batch = ROWS, .is_training = true, .is_stochastic = true, .seed = 1 };
}

static void fixture_deinit(fixture *f)
{
    free(f->x);
    tcsi_trainer_destroy(f->trainer);
    tcsi_plan_destroy(f->plan);
    tcsi_net_destroy(f->net);
}

static double train(fixture *f, tcsi_pool *pool, size_t steps)
{
    double loss = 0;
    for (size_t i = 0; i < steps; i++) {
        f->run.step = tcsi_trainer_step_number(f->trainer);
        loss = tcsi_trainer_step(f->trainer, f->plan, pool, &f->run);
    }
    return loss;
}

static const tcsi_train_options adam = { .rate = 1e-2, .decay = 1e-4, .clip_norm = 1, .schedule = TCSI_SCHEDULE_ONE_CYCLE,
                                         .step_count = 300, .average_decay = 0.9 };

static void test_it_learns(void **state)
{
    (void)state;
    const tcsi_train_options sgd = { .optimizer = TCSI_OPTIMIZER_SGD, .rate = 0.1, .momentum = 0.9, .nesterov = true, .clip_norm = 1 };
    const tcsi_train_options *all[] = { &adam, &sgd };
    for (size_t k = 0; k < 2; k++) {
        fixture f;
        fixture_init(&f, all[k]);
        double first = train(&f, NULL, 1), last = train(&f, NULL, 299);
        assert_true(last < first / 20);
        fixture_deinit(&f);
    }
}

static void test_threads_give_the_same_weights(void **state)
{
    (void)state;
    fixture reference;
    fixture_init(&reference, &adam);
    (void)train(&reference, NULL, 30);
    for (size_t threads = 1; threads <= 4; threads *= 2) {
        tcsi_pool *pool;
        fixture f;
        assert_ok(tcsi_pool_create(threads, &pool, test_err));
        fixture_init(&f, &adam);
        (void)train(&f, pool, 30);
        assert_memory_equal(f.net->weights.values, reference.net->weights.values, f.net->weight_count * sizeof(float));
        fixture_deinit(&f);
        tcsi_pool_destroy(pool);
    }
    fixture_deinit(&reference);
}

static void test_interrupted_training_continues(void **state)
{
    (void)state;
    fixture whole, first, second;
    tcsi_buffer saved;
    tcs_error err;
    fixture_init(&whole, &adam);
    fixture_init(&first, &adam);
    fixture_init(&second, &adam);
    (void)train(&whole, NULL, 40);
    (void)train(&first, NULL, 17);
    tcsi_buffer_init(&saved, (size_t)1 << 24);
    tcsi_codec codec = tcsi_codec_save(&saved, &err);
    tcsi_trainer_persist(first.trainer, &codec);
    assert_int_equal(tcsi_codec_status(&codec), TCS_OK);
    codec = tcsi_codec_load(saved.data, saved.size, &err);
    tcsi_trainer_persist(second.trainer, &codec);
    assert_int_equal(tcsi_codec_status(&codec), TCS_OK);
    (void)train(&second, NULL, 23);
    assert_memory_equal(whole.net->weights.values, second.net->weights.values, whole.net->weight_count * sizeof(float));
    codec = tcsi_codec_load(saved.data, saved.size / 2, &err);
    tcsi_trainer_persist(second.trainer, &codec);
    assert_int_not_equal(tcsi_codec_status(&codec), TCS_OK);
    tcsi_buffer_deinit(&saved);
    fixture_deinit(&whole);
    fixture_deinit(&first);
    fixture_deinit(&second);
}

static void test_steps_allocate_nothing(void **state)
{
    (void)state;
    fixture f;
    tcsi_alloc_trace_begin();
    fixture_init(&f, &adam);
    size_t before = tcsi_alloc_trace_stats().total_count;
    (void)train(&f, NULL, 5);
    assert_int_equal(tcsi_alloc_trace_stats().total_count, before);
    fixture_deinit(&f);
    assert_int_equal(tcsi_alloc_trace_stats().live_count, 0);
    tcsi_alloc_trace_end();
}

/* 101,208 weights, 10,000 steps: not one allocation after the plan stands. */
static void test_a_long_training_allocates_nothing(void **state)
{
    (void)state;
    enum { WIDTH = 224, BATCH = 16 };
    const size_t steps = test_is_small() ? 100 : 10000;
    tcsi_net *net;
    tcsi_plan *plan;
    tcsi_trainer *trainer;
    static float x[BATCH * WIDTH];
    for (size_t i = 0; i < BATCH * WIDTH; i++) x[i] = (float)sin(0.1 * (double)i);
    tcsi_alloc_trace_begin();
    assert_ok(tcsi_net_create(1, &net, test_err));
    tcsi_node_id in = tcsi_nn_input(net, 1, WIDTH);
    tcsi_node_id h = tcsi_nn_dense(net, in, &(tcsi_dense_options){ .units = WIDTH, .activation = TCSI_ACTIVATION_RELU });
    tcsi_node_id loss = tcsi_nn_loss_squared(net, tcsi_nn_dense(net, h, &(tcsi_dense_options){ .units = WIDTH }), in);
    assert_ok(tcsi_net_finish(net, test_err));
    assert_true(tcsi_net_trained_count(net) >= 100000);
    assert_ok(tcsi_plan_create(&(tcsi_plan_options){ .net = net, .batch = BATCH, .has_loss = true, .loss = loss }, &plan, test_err));
    assert_ok(tcsi_trainer_create(net, &(tcsi_train_options){ .rate = 1e-3 }, &trainer, test_err));
    tcsi_alloc_stats before = tcsi_alloc_trace_stats();
    double first = 0, last = 0;
    for (size_t i = 0; i < steps; i++) {
        last = tcsi_trainer_step(trainer, plan, NULL, &(tcsi_run){ .inputs = { x }, .batch = BATCH, .is_training = true, .step = i });
        if (i == 0) first = last;
    }
    tcsi_alloc_stats after = tcsi_alloc_trace_stats();
    assert_int_equal(after.total_count, before.total_count);
    assert_int_equal(after.peak_size, before.peak_size);
    assert_true(last < first / 10);
    tcsi_trainer_destroy(trainer);
    tcsi_plan_destroy(plan);
    tcsi_net_destroy(net);
    assert_int_equal(tcsi_alloc_trace_stats().live_count, 0);
    tcsi_alloc_trace_end();
}

/* Many models at once, one a task: the weights of each are those it gets alone. */
static void train_one(void *context, size_t task, size_t worker)
{
    fixture *all = context;
    (void)worker;
    (void)train(&all[task], NULL, 10 + task);
}

static void test_models_side_by_side_on_threads(void **state)
{
    (void)state;
    enum { MODELS = 5 };
    fixture together[MODELS], alone[MODELS];
    tcsi_pool *pool;
    assert_ok(tcsi_pool_create(4, &pool, test_err));
    for (size_t i = 0; i < MODELS; i++) {
        fixture_init(&together[i], &adam);
        fixture_init(&alone[i], &adam);
        (void)train(&alone[i], NULL, 10 + i);
    }
    tcsi_pool_run(pool, MODELS, train_one, together);
    for (size_t i = 0; i < MODELS; i++) {
        assert_memory_equal(together[i].net->weights.values, alone[i].net->weights.values, alone[i].net->weight_count * sizeof(float));
        fixture_deinit(&together[i]);
        fixture_deinit(&alone[i]);
    }
    tcsi_pool_destroy(pool);
}

static void test_a_gradient_that_is_not_finite_changes_nothing(void **state)
{
    (void)state;
    fixture f;
    fixture_init(&f, &adam);
    (void)train(&f, NULL, 2);
    size_t size = f.net->weight_count * sizeof(float);
    float *before = malloc(size);
    memcpy(before, f.net->weights.values, size);
    f.x[5] = INFINITY;
    (void)train(&f, NULL, 1);
    assert_memory_equal(before, f.net->weights.values, size);
    assert_int_equal(tcsi_trainer_skipped(f.trainer), 1);
    assert_int_equal(tcsi_trainer_step_number(f.trainer), 3);
    free(before);
    fixture_deinit(&f);
}

/* torch.optim.lr_scheduler.OneCycleLR(max_lr=1, total_steps=100) and CosineAnnealingLR(T_max=100, eta_min=0.1), torch 2.15 */
static void test_schedules(void **state)
{
    (void)state;
    static const struct { size_t step; double one_cycle, cosine; } expected[] = {
        { 0, 0.04, 1 }, { 10, 0.295163948, 0.977975432 }, { 29, 1, 0.825808174 },
        { 60, 0.58928009, 0.410942353 }, { 99, 4e-6, 0.100222048 } };
    fixture cycle, cosine;
    fixture_init(&cycle, &(tcsi_train_options){ .rate = 1, .schedule = TCSI_SCHEDULE_ONE_CYCLE, .step_count = 100 });
    fixture_init(&cosine, &(tcsi_train_options){ .rate = 1, .rate_end = 0.1, .schedule = TCSI_SCHEDULE_COSINE, .step_count = 100 });
    cycle.run.batch = cosine.run.batch = 1;
    for (size_t i = 0, step = 0; i < TCS_COUNT(expected); i++) {
        for (; step < expected[i].step; step++) {
            (void)train(&cycle, NULL, 1);
            (void)train(&cosine, NULL, 1);
        }
        assert_near(expected[i].one_cycle, tcsi_trainer_rate(cycle.trainer), 1e-6);
        assert_near(expected[i].cosine, tcsi_trainer_rate(cosine.trainer), 1e-6);
    }
    fixture_deinit(&cycle);
    fixture_deinit(&cosine);
}

static void test_the_average_follows(void **state)
{
    (void)state;
    fixture f;
    fixture_init(&f, &(tcsi_train_options){ .rate = 1e-2, .average_decay = 0.5 });
    float start = f.net->weights.values[0], average = start;
    for (size_t i = 0; i < 5; i++) {
        (void)train(&f, NULL, 1);
        average += 0.5f * (f.net->weights.values[0] - average);
    }
    float last = f.net->weights.values[0];
    tcsi_trainer_swap_average(f.trainer);
    assert_near((double)average, (double)f.net->weights.values[0], 1e-6);
    tcsi_trainer_swap_average(f.trainer);
    assert_true(f.net->weights.values[0] == last);
    fixture_deinit(&f);
}

static void test_early_stop(void **state)
{
    (void)state;
    fixture f;
    tcsi_early_stop stop;
    fixture_init(&f, &adam);
    assert_ok(tcsi_early_stop_init(&stop, f.net, 2, test_err));
    assert_true(tcsi_early_stop_push(&stop, NAN)); /* no improvement, waits */
    f.net->weights.values[0] = 1;
    assert_true(tcsi_early_stop_push(&stop, 3));
    f.net->weights.values[0] = 2;
    assert_true(tcsi_early_stop_push(&stop, 2));
    f.net->weights.values[0] = 3;
    assert_true(tcsi_early_stop_push(&stop, 2));
    assert_false(tcsi_early_stop_push(&stop, 2.5));
    tcsi_early_stop_restore(&stop);
    assert_true(f.net->weights.values[0] == 2);
    tcsi_early_stop_deinit(&stop);
    fixture_deinit(&f);
}

static void test_bad_options_are_refused(void **state)
{
    (void)state;
    static const tcsi_train_options bad[] = {
        { .rate = -1 }, { .rate = NAN }, { .beta1 = 1 }, { .beta2 = -0.1 }, { .epsilon = NAN }, { .decay = -1 }, { .clip_norm = NAN },
        { .momentum = 1 }, { .average_decay = 1 }, { .schedule = TCSI_SCHEDULE_COSINE }, { .rate_end = INFINITY },
    };
    fixture f;
    fixture_init(&f, &adam);
    for (size_t i = 0; i < TCS_COUNT(bad); i++) {
        tcsi_trainer *trainer = NULL;
        tcs_error err = { 0 };
        assert_int_equal(tcsi_trainer_create(f.net, &bad[i], &trainer, &err), TCS_E_INVALID);
        assert_null(trainer);
        assert_true(strstr(err.text, "training: needs") || strstr(err.text, "schedule"));
    }
    fixture_deinit(&f);
}

TCS_TEST_MAIN(cmocka_unit_test(test_it_learns), cmocka_unit_test(test_threads_give_the_same_weights),
              cmocka_unit_test(test_models_side_by_side_on_threads), cmocka_unit_test(test_interrupted_training_continues),
              cmocka_unit_test(test_steps_allocate_nothing), cmocka_unit_test(test_a_long_training_allocates_nothing),
              cmocka_unit_test(test_a_gradient_that_is_not_finite_changes_nothing), cmocka_unit_test(test_schedules),
              cmocka_unit_test(test_the_average_follows), cmocka_unit_test(test_early_stop), cmocka_unit_test(test_bad_options_are_refused))
