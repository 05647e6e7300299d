/* nn/probabilistic_test.c -- layers that draw, weights that are distributions, maps that can be undone: that they draw what they say and
 * learn what they are for.  SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "kernels/random.h"
#include "nn/layers.h"
#include "nn/train.h"
#include "nn_cases.h"

static tcsi_net *new_net(void)
{
    tcsi_net *net = NULL;
    assert_ok(tcsi_net_create(1, &net, test_err));
    return net;
}

/* A plan for some outputs and, unless it is TCSI_NODE_NONE, a loss. */
static tcsi_plan *plan_of(tcsi_net *net, size_t batch, const tcsi_node_id *outputs, size_t output_count, tcsi_node_id loss)
{
    tcsi_plan *plan = NULL;
    tcsi_plan_options options = { .net = net, .batch = batch, .outputs = outputs, .output_count = output_count,
                                  .has_loss = loss != TCSI_NODE_NONE, .loss = loss };
    if (!net->is_finished) assert_ok(tcsi_net_finish(net, test_err));
    assert_ok(tcsi_plan_create(&options, &plan, test_err));
    return plan;
}

/* Trains on the run for some steps with a rate that falls to 0. */
static void train(tcsi_net *net, tcsi_plan *plan, tcsi_run *run, double rate, uint64_t step_count)
{
    tcsi_trainer *trainer;
    tcsi_train_options options = { .rate = rate, .schedule = TCSI_SCHEDULE_COSINE, .step_count = step_count };
    assert_ok(tcsi_trainer_create(net, &options, &trainer, test_err));
    for (run->step = 0; run->step < step_count; run->step++) (void)tcsi_trainer_step(trainer, plan, NULL, run);
    tcsi_trainer_destroy(trainer);
}

static double mean_of(const float *values, size_t count, size_t stride)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += (double)values[i * stride];
    return sum / (double)count;
}

static double deviation_of(const float *values, size_t count, size_t stride)
{
    double mean = mean_of(values, count, stride), sum = 0;
    for (size_t i = 0; i < count; i++) sum += ((double)values[i * stride] - mean) * ((double)values[i * stride] - mean);
    return sqrt(sum / (double)count);
}

/* ---- draws ---- */

/* Rows of [mean, log variance] = [3, log 4] twice: draws about 3 with deviation 2, without correlation, others in the next step. */
static void test_samples_have_their_moments(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    static float values[COUNT * 4], first[COUNT * 2];
    tcsi_net *net = new_net();
    tcsi_node_id x = tcsi_nn_input(net, 1, 4), z = tcsi_nn_sample(net, x);
    tcsi_plan *plan = plan_of(net, COUNT, &z, 1, TCSI_NODE_NONE);
    for (size_t i = 0; i < COUNT * 4; i++) values[i] = i % 4 < 2 ? 3 : logf(4);
    tcsi_run run = { .inputs = { values }, .batch = COUNT, .is_stochastic = true, .seed = 3 };
    tcsi_plan_forward(plan, NULL, &run);
    memcpy(first, tcsi_plan_values(plan, z), sizeof first);
    double product = 0;
    for (size_t i = 0; i < COUNT; i++) product += ((double)first[2 * i] - 3) * ((double)first[2 * i + 1] - 3) / 4 / COUNT;
    for (size_t c = 0; c < 2; c++) {
        assert_near(mean_of(first + c, COUNT, 2), 3, 0.06);      /* four standard errors */
        assert_near(deviation_of(first + c, COUNT, 2), 2, 0.04);
    }
    assert_true(fabs(product) < 0.03);
    tcsi_plan_forward(plan, NULL, &run);
    assert_memory_equal(first, tcsi_plan_values(plan, z), sizeof first);
    run.step++;
    tcsi_plan_forward(plan, NULL, &run);
    for (size_t i = 0; i < COUNT; i++) assert_true(first[2 * i] != tcsi_plan_values(plan, z)[2 * i]);
    run.is_stochastic = false;
    tcsi_plan_forward(plan, NULL, &run);
    for (size_t i = 0; i < 2 * COUNT; i++) assert_true(tcsi_plan_values(plan, z)[i] == 3);
    tcsi_plan_destroy(plan);
    tcsi_net_destroy(net);
}

/* Noise belongs to the row's place in the batch, not to how the plan cuts it: a longer batch begins with the same draws, and no later
 * row, of whatever shard, repeats those of the first. */
static void test_samples_do_not_depend_on_the_batch(void **state)
{
    (void)state;
    enum { COUNT = 3000, STEPS = 33, SMALL = 7 };
    static float values[COUNT * STEPS * 2];
    tcsi_net *net = new_net();
    tcsi_node_id x = tcsi_nn_input(net, STEPS, 2), z = tcsi_nn_sample(net, x);
    tcsi_plan *large = plan_of(net, COUNT, &z, 1, TCSI_NODE_NONE), *small = plan_of(net, SMALL, &z, 1, TCSI_NODE_NONE);
    tcsi_run run = { .inputs = { values }, .batch = COUNT, .is_stochastic = true, .seed = 3 };
    tcsi_plan_forward(large, NULL, &run);
    run.batch = SMALL;
    tcsi_plan_forward(small, NULL, &run);
    const float *drawn = tcsi_plan_values(large, z);
    assert_memory_equal(drawn, tcsi_plan_values(small, z), SMALL * STEPS * sizeof(float));
    for (size_t b = 1; b < COUNT; b++) assert_memory_not_equal(drawn, drawn + b * STEPS, STEPS * sizeof(float));
    tcsi_plan_destroy(large);
    tcsi_plan_destroy(small);
    tcsi_net_destroy(net);
}

/* Noise whose size grows with x: the head learns how large it is where. */
static void test_a_gaussian_head_learns_spread(void **state)
{
    (void)state;
    enum { COUNT = 2000 };
    static float x_values[COUNT], targets[COUNT];
    tcsi_rng rng = tcsi_rng_make(1, 1);
    for (size_t i = 0; i < COUNT; i++) {
        x_values[i] = (float)tcsi_rng_range(&rng, -1, 1);
        targets[i] = (float)(2 * (double)x_values[i] + exp((double)x_values[i]) * tcsi_rng_normal(&rng));
    }
    tcsi_net *net = new_net();
    tcsi_node_id x = tcsi_nn_input(net, 1, 1), target = tcsi_nn_input(net, 1, 1);
    tcsi_node_id y = tcsi_nn_gaussian_head(net, x, &(tcsi_gaussian_head_options){ .units = 1 });
    tcsi_plan *plan = plan_of(net, COUNT, &y, 1, tcsi_nn_loss_gaussian(net, y, target));
    tcsi_run run = { .inputs = { x_values, targets }, .batch = COUNT };
    train(net, plan, &run, 0.05, 400);
    const float *weight = tcsi_net_values(net, tcsi_net_find(net, "dense2.weight"));
    const float *bias = tcsi_net_values(net, tcsi_net_find(net, "dense2.bias"));
    assert_near((double)weight[0], 2, 0.15);
    assert_near((double)weight[1], 2, 0.2); /* log variance 2 x */
    assert_near((double)bias[0], 0, 0.1);
    assert_near((double)bias[1], 0, 0.1);
    tcsi_plan_destroy(plan);
    tcsi_net_destroy(net);
}

/* ---- weights that are distributions ---- */

/* One draw for all rows, all shards and all nodes that share the weights; another in the next step; its moments. */
static void test_bayes_draws_weights_once_a_run(void **state)
{
    (void)state;
    enum { COUNT = 4000, RUNS = 4000 };
    static float ones[COUNT], drawn[RUNS];
    tcsi_net *net = new_net();
    tcsi_node_id x = tcsi_nn_input(net, 1, 1);
    tcsi_node_id y = tcsi_nn_bayes(net, x, &(tcsi_bayes_options){ .units = 1, .without_bias = true, .start_deviation = 0.5f });
    tcsi_node_id outputs[] = { y, tcsi_net_share(net, y, &x, 1) };
    tcsi_plan *plan = plan_of(net, COUNT, outputs, 2, TCSI_NODE_NONE);
    float mean = net->weights.values[0];
    for (size_t i = 0; i < COUNT; i++) ones[i] = 1;
    tcsi_run run = { .inputs = { ones }, .batch = COUNT, .is_stochastic = true, .seed = 5 };
    tcsi_plan_forward(plan, NULL, &run);
    for (size_t i = 0; i < COUNT; i++) {
        assert_true(tcsi_plan_values(plan, y)[i] == tcsi_plan_values(plan, y)[0]);
        assert_true(tcsi_plan_values(plan, outputs[1])[i] == tcsi_plan_values(plan, y)[0]);
    }
    run.batch = 1;
    for (run.step = 0; run.step < RUNS; run.step++) {
        tcsi_plan_forward(plan, NULL, &run);
        drawn[run.step] = tcsi_plan_values(plan, y)[0];
    }
    assert_near(mean_of(drawn, RUNS, 1), (double)mean, 0.03);
    assert_near(deviation_of(drawn, RUNS, 1), 0.5, 0.025);
    run.is_stochastic = false;
    tcsi_plan_forward(plan, NULL, &run);
    assert_true(tcsi_plan_values(plan, y)[0] == mean);
    tcsi_plan_destroy(plan);
    tcsi_net_destroy(net);
}

/* The divergence is 0 at the prior, and pulls there. */
static void test_bayes_divergence(void **state)
{
    (void)state;
    float values[3] = { 1, 2, 3 };
    tcsi_net *net = new_net();
    tcsi_node_id x = tcsi_nn_input(net, 1, 3), y = tcsi_nn_bayes(net, x, &(tcsi_bayes_options){ .units = 400, .start_deviation = 2 });
    tcsi_node_id loss = tcsi_nn_loss_bayes(net, y, 2);
    tcsi_plan *plan = plan_of(net, 1, NULL, 0, loss);
    tcsi_run run = { .inputs = { values }, .batch = 1 };
    double start = tcsi_plan_backward(plan, NULL, &run), expected = 0;
    for (size_t i = 0; i < net->tensor_count / 2; i++)
        for (size_t k = 0; k < net->tensors[i].count; k++) expected += pow((double)tcsi_net_values(net, &net->tensors[i])[k], 2) / 8;
    assert_near(start / expected, 1, 1e-5);
    train(net, plan, &run, 0.05, 300);
    assert_near(tcsi_plan_backward(plan, NULL, &run), 0, 1e-3);
    tcsi_plan_destroy(plan);
    tcsi_net_destroy(net);
}

/* A straight line through noisy points: here the true posterior of slope and offset is known (C. Bishop, "Pattern recognition and machine
 * learning", section 3.3), and on points that are symmetric about 0 it has no correlation, so that it is among those that are learned. */
static void test_bayes_learns_the_posterior(void **state)
{
    (void)state;
    enum { COUNT = 40 };
    float x_values[COUNT], targets[COUNT];
    double noise = 0.5, prior = 2, squares = 0, products = 0, sum = 0;
    tcsi_rng rng = tcsi_rng_make(1, 1);
    for (size_t i = 0; i < COUNT; i++) {
        double at = (double)i / (COUNT - 1) - 0.5;
        x_values[i] = (float)at;
        targets[i] = (float)(3 * at - 1 + noise * tcsi_rng_normal(&rng));
        squares += at * at;
        products += at * (double)targets[i];
        sum += (double)targets[i];
    }
    tcsi_net *net = new_net();
    tcsi_node_id x = tcsi_nn_input(net, 1, 1), target = tcsi_nn_input(net, 1, 1);
    tcsi_node_id y = tcsi_nn_bayes(net, x, &(tcsi_bayes_options){ .units = 1 });
    tcsi_node_id losses[] = { tcsi_nn_loss_squared(net, y, target), tcsi_nn_loss_bayes(net, y, (float)prior) };
    float share = (float)(2 * noise * noise / COUNT); /* everything times twice the noise's variance */
    tcsi_plan *plan = plan_of(net, COUNT, NULL, 0, tcsi_nn_loss_sum(net, losses, (float[]){ 1, share }, 2));
    tcsi_run run = { .inputs = { x_values, targets }, .batch = COUNT, .is_stochastic = true };
    train(net, plan, &run, 0.02, 12000);
    double precisions[2] = { squares / (noise * noise) + 1 / (prior * prior), COUNT / (noise * noise) + 1 / (prior * prior) };
    double means[2] = { products / (noise * noise) / precisions[0], sum / (noise * noise) / precisions[1] };
    for (size_t i = 0; i < 2; i++) {
        const char *names[2][2] = { { "bayes2.weight", "bayes2.weight_rho" }, { "bayes2.bias", "bayes2.bias_rho" } };
        double mean = (double)tcsi_net_values(net, tcsi_net_find(net, names[i][0]))[0];
        double deviation = log1p(exp((double)tcsi_net_values(net, tcsi_net_find(net, names[i][1]))[0]));
        assert_near(mean, means[i], 0.1 / sqrt(precisions[i]) + 0.01);
        assert_near(deviation * sqrt(precisions[i]), 1, 0.05);
    }
    tcsi_plan_destroy(plan);
    tcsi_net_destroy(net);
}

/* ---- flows ---- */

/* Rows of a bent cloud: x1 normal with deviation 1, x2 = x1^2 / 2 + normal with deviation 0.4. */
static void fill_bent(tcsi_rng *rng, size_t count, float *x)
{
    for (size_t i = 0; i < count; i++) {
        double first = tcsi_rng_normal(rng);
        x[2 * i] = (float)first;
        x[2 * i + 1] = (float)(first * first / 2 + 0.4 * tcsi_rng_normal(rng));
    }
}

/* Through a coupling and back with the same parameters; the log determinant of the way back is the opposite. */
static void test_couplings_can_be_undone(void **state)
{
    (void)state;
    enum { COUNT = 500, STEPS = 3, CHANNELS = 5, MOVED = 3 };
    static float values[COUNT * STEPS * CHANNELS];
    tcsi_net *net = new_net();
    tcsi_node_id x = tcsi_nn_input(net, STEPS, CHANNELS), kept = tcsi_nn_slice(net, x, 0, CHANNELS - MOVED);
    tcsi_node_id h = tcsi_nn_dense(net, kept, &(tcsi_dense_options){ .units = 2 * MOVED });
    tcsi_node_id y = tcsi_nn_coupling(net, x, h, 2);
    tcsi_node_id again = tcsi_nn_slice(net, y, 0, CHANNELS - MOVED);
    tcsi_node_id outputs[] = { y, tcsi_nn_coupling_inverse(net, y, tcsi_net_share(net, h, &again, 1), 2) };
    tcsi_plan *plan = plan_of(net, COUNT, outputs, 2, TCSI_NODE_NONE);
    nn_fill_values(NN_FILL_NORMAL, 4, TCS_COUNT(values), values);
    for (size_t i = 0; i < TCS_COUNT(values); i++) values[i] *= 3; /* scales near their bound */
    tcsi_plan_forward(plan, NULL, &(tcsi_run){ .inputs = { values }, .batch = COUNT });
    double moved = 0;
    for (size_t i = 0; i < TCS_COUNT(values); i++) {
        moved = fmax(moved, fabs((double)tcsi_plan_values(plan, y)[i] - (double)values[i]));
        assert_near((double)tcsi_plan_values(plan, outputs[1])[i], (double)values[i], 2e-5);
    }
    assert_true(moved > 5);
    tcsi_plan_destroy(plan);
    tcsi_net_destroy(net);
}

/* The mean of -log density on new rows comes close to the cloud's entropy, and cannot be less: a wrong determinant would be. */
static void test_a_flow_learns_a_density(void **state)
{
    (void)state;
    enum { COUNT = 256, ASKED = 20000 };
    static float values[ASKED * 2];
    double entropy = log(2 * 3.14159265358979323846 * exp(1) * 0.4); /* of two normal distributions, as x1^2 / 2 only shifts */
    uint64_t step_count = test_is_small() ? 20 : 1500;
    tcsi_rng rng = tcsi_rng_make(1, 1);
    tcsi_net *net = new_net();
    tcsi_trainer *trainer;
    tcsi_net_scope(net, "flow");
    tcsi_node_id x = tcsi_nn_input(net, 1, 2), log_det, z = tcsi_nn_flow(net, x, &(tcsi_flow_options){ .hidden = 16 }, &log_det);
    tcsi_node_id loss = tcsi_nn_loss_flow(net, z, log_det);
    tcsi_plan *plan = plan_of(net, COUNT, NULL, 0, loss), *large = plan_of(net, ASKED, NULL, 0, loss);
    assert_non_null(tcsi_net_find(net, "flow.3.parameters.bias"));
    tcsi_train_options options = { .rate = 0.01, .schedule = TCSI_SCHEDULE_COSINE, .step_count = step_count };
    assert_ok(tcsi_trainer_create(net, &options, &trainer, test_err));
    tcsi_run run = { .inputs = { values }, .batch = COUNT };
    for (uint64_t i = 0; i < step_count; i++) {
        fill_bent(&rng, COUNT, values);
        (void)tcsi_trainer_step(trainer, plan, NULL, &run);
    }
    fill_bent(&rng, ASKED, values);
    run.batch = ASKED;
    tcsi_plan_forward(large, NULL, &run);
    double found = tcsi_plan_loss(large, &run);
    assert_true(found > entropy - 0.025); /* three standard errors of the mean */
    if (!test_is_small()) assert_true(found < entropy + 0.05);
    tcsi_trainer_destroy(trainer);
    tcsi_plan_destroy(plan);
    tcsi_plan_destroy(large);
    tcsi_net_destroy(net);
}

TCS_TEST_MAIN(cmocka_unit_test(test_samples_have_their_moments), cmocka_unit_test(test_samples_do_not_depend_on_the_batch),
              cmocka_unit_test(test_a_gaussian_head_learns_spread), cmocka_unit_test(test_bayes_draws_weights_once_a_run),
              cmocka_unit_test(test_bayes_divergence), cmocka_unit_test(test_bayes_learns_the_posterior),
              cmocka_unit_test(test_couplings_can_be_undone), cmocka_unit_test(test_a_flow_learns_a_density))
