/* nn/precision_test.c -- networks whose products are in bfloat16 learn what those in single precision learn and score alike.
 * Everything else about them (bits, threads, allocations, gradients) stands with all operations in op_test.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/rng.h"
#include "nn/layers.h"
#include "nn/train.h"

enum { ROWS = 256, LENGTH = 32, FEATURES = 16, SINGLE = 0, ROUNDED = 1 };

typedef struct fixture {
    tcsi_net *net;
    tcsi_node_id y, loss;
    tcsi_plan *train;
    tcsi_trainer *trainer;
    float losses[ROWS]; /* of each row, after training */
} fixture;

typedef tcsi_node_id (*build)(tcsi_net *net, tcsi_node_id x);

static tcsi_node_id build_autoencoder(tcsi_net *net, tcsi_node_id x)
{
    static const size_t units[] = { 32, 4, 32, FEATURES };
    for (size_t i = 0; i < TCS_COUNT(units); i++) {
        tcsi_activation activation = i + 1 < TCS_COUNT(units) ? TCSI_ACTIVATION_RELU : TCSI_ACTIVATION_NONE;
        x = tcsi_nn_dense(net, x, &(tcsi_dense_options){ .units = units[i], .activation = activation });
    }
    return x;
}

static tcsi_node_id build_encoder(tcsi_net *net, tcsi_node_id x)
{
    static const size_t channels[] = { 16, 32, 16 }, kernels[] = { 7, 5, 3 };
    for (size_t i = 0; i < TCS_COUNT(channels); i++)
        x = tcsi_nn_conv(net, x, &(tcsi_conv_options){ .channels = channels[i], .kernel = kernels[i], .padding = TCSI_PADDING_SAME,
                                                       .activation = TCSI_ACTIVATION_RELU });
    return tcsi_nn_dense(net, tcsi_nn_global_mean(net, x), &(tcsi_dense_options){ .units = 2 });
}

static void fixture_init(fixture *f, build make, tcsi_shape in, tcsi_precision precision)
{
    assert_ok(tcsi_net_create(4, &f->net, test_err));
    f->y = make(f->net, tcsi_nn_input(f->net, in.length, in.channels));
    tcsi_shape out = tcsi_net_shape(f->net, f->y);
    f->loss = tcsi_nn_loss_squared(f->net, f->y, tcsi_nn_input(f->net, out.length, out.channels));
    assert_ok(tcsi_net_finish(f->net, test_err));
    assert_ok(tcsi_plan_create(&(tcsi_plan_options){ .net = f->net, .batch = ROWS, .has_loss = true, .loss = f->loss,
                                                     .precision = precision }, &f->train, test_err));
    assert_ok(tcsi_trainer_create(f->net, &(tcsi_train_options){ .rate = 3e-3 }, &f->trainer, test_err));
}

static void fixture_deinit(fixture *f)
{
    tcsi_trainer_destroy(f->trainer);
    tcsi_plan_destroy(f->train);
    tcsi_net_destroy(f->net);
}

static double mean_of(const float *values)
{
    double sum = 0;
    for (size_t i = 0; i < ROWS; i++) sum += (double)values[i];
    return sum / ROWS;
}

static double correlation(const float *a, const float *b)
{
    double aa = 0, ab = 0, bb = 0;
    for (size_t i = 0; i < ROWS; i++) {
        const double x = (double)a[i] - mean_of(a), y = (double)b[i] - mean_of(b);
        aa += x * x, ab += x * y, bb += y * y;
    }
    return ab / sqrt(aa * bb);
}

/* Trains twice from the same weights on the same rows. */
static void compare_training(build make, tcsi_shape in, const float *x, const float *target)
{
    fixture both[2];
    double first = 0;
    tcsi_run run = { .inputs = { x, target }, .batch = ROWS, .is_training = true };
    for (int p = SINGLE; p <= ROUNDED; p++) {
        fixture *f = &both[p];
        fixture_init(f, make, in, p == ROUNDED ? TCSI_PRECISION_BFLOAT16 : TCSI_PRECISION_SINGLE);
        first = tcsi_trainer_step(f->trainer, f->train, NULL, &run);
        for (size_t i = 1; i < 300; i++) (void)tcsi_trainer_step(f->trainer, f->train, NULL, &run);
        tcsi_plan_forward(f->train, NULL, &run);
        memcpy(f->losses, tcsi_plan_values(f->train, f->loss), sizeof f->losses);
        assert_int_equal(tcsi_trainer_skipped(f->trainer), 0);
    }
    const double single = mean_of(both[SINGLE].losses), rounded = mean_of(both[ROUNDED].losses);
    assert_true(single < first / 5);
    assert_true(fabs(rounded - single) <= 0.05 * single);
    assert_true(correlation(both[SINGLE].losses, both[ROUNDED].losses) >= 0.98);
    assert_true(memcmp(both[SINGLE].losses, both[ROUNDED].losses, sizeof both[SINGLE].losses) != 0); /* something was rounded */
    for (int p = SINGLE; p <= ROUNDED; p++) fixture_deinit(&both[p]);
}

/* Rows on a curve in 16 dimensions, with noise; their own targets. */
static void test_autoencoder(void **state)
{
    (void)state;
    static float x[ROWS * FEATURES];
    tcsi_rng rng = tcsi_rng_make(6, 0);
    for (size_t i = 0; i < TCS_COUNT(x); i++) {
        const double at = (double)(i / FEATURES) / ROWS, feature = (double)(i % FEATURES);
        x[i] = (float)(sin(6 * at + feature) + cos(11 * at - 0.5 * feature) + 0.1 * tcsi_rng_normal(&rng));
    }
    compare_training(build_autoencoder, (tcsi_shape){ 1, FEATURES }, x, x);
}

/* Waves in noise; targets: their frequency and their size. */
static void test_encoder(void **state)
{
    (void)state;
    static float x[ROWS * LENGTH], target[ROWS * 2];
    tcsi_rng rng = tcsi_rng_make(7, 0);
    for (size_t b = 0; b < ROWS; b++) {
        const double frequency = tcsi_rng_range(&rng, 0.2, 1.5), size = tcsi_rng_range(&rng, 0.5, 2);
        for (size_t t = 0; t < LENGTH; t++)
            x[b * LENGTH + t] = (float)(size * sin(frequency * (double)t + (double)b) + 0.1 * tcsi_rng_normal(&rng));
        target[2 * b] = (float)frequency;
        target[2 * b + 1] = (float)size;
    }
    compare_training(build_encoder, (tcsi_shape){ LENGTH, 1 }, x, target);
}

TCS_TEST_MAIN(cmocka_unit_test(test_autoencoder), cmocka_unit_test(test_encoder))
