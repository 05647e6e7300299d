/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/deep/network.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "nn/layers.h"
#include "nn/train.h"

#include <math.h>
#include <string.h>

enum { STEPS = TCSI_LAST_ROWS - 1, CHANNELS = 16, BLOCKS = 4, KERNEL = 3, STRETCH = TCSI_DEEP_STRETCH };

static const float DEGREES = 4;
static const double CLIP_NORM = 1, DECAY = 1e-4, SURPRISE_MAX = 1e6;

/* ---- the network ---- */

static tcsi_node_id convolve(tcsi_net *net, size_t block, const char *part, tcsi_node_id x, tcsi_node_id residual)
{
    const tcsi_conv_options conv = { .channels = CHANNELS, .kernel = KERNEL, .dilation = (size_t)1 << block, .padding = TCSI_PADDING_CAUSAL,
                                     .activation = TCSI_ACTIVATION_RELU };
    tcsi_net_scope(net, "block.%zu.%s", block, part);
    return residual == TCSI_NODE_NONE ? tcsi_nn_conv(net, x, &conv) : tcsi_nn_conv_residual(net, x, residual, &conv);
}

tcs_status tcsi_deep_network_init(tcsi_deep_network *network, uint64_t seed, tcs_error *err)
{
    *network = (tcsi_deep_network){ 0 };
    const tcs_status status = tcsi_net_create(seed, &network->net, err);
    if (status != TCS_OK) return status;
    tcsi_net *net = network->net;
    const tcsi_node_id x = tcsi_nn_input(net, STEPS, 1), target = tcsi_nn_input(net, STEPS, 1);
    tcsi_net_scope(net, "in");
    tcsi_node_id h = tcsi_nn_dense(net, x, &(tcsi_dense_options){ .units = CHANNELS });
    for (size_t i = 0; i < BLOCKS; i++) h = convolve(net, i, "second", convolve(net, i, "first", h, TCSI_NODE_NONE), h);
    tcsi_net_scope(net, "head");
    network->output = tcsi_nn_student_head(net, h, &(tcsi_student_head_options){ .units = 1 });
    network->loss = tcsi_nn_loss_student(net, network->output, target, DEGREES);
    return tcsi_net_finish(net, err);
}

void tcsi_deep_network_deinit(tcsi_deep_network *network)
{
    tcsi_net_destroy(network->net);
    *network = (tcsi_deep_network){ 0 };
}

/* Rows but the last, and rows but the first: what is read, and what is to be said. */
static void read_window(const int16_t *rows, float *ret_input, float *ret_target)
{
    float values[TCSI_LAST_ROWS];
    tcsi_last_rows_read(rows, TCSI_LAST_ROWS, values);
    memcpy(ret_input, values, STEPS * sizeof *values);
    memcpy(ret_target, values + 1, STEPS * sizeof *values);
}

/* ---- training ---- */

static tcs_status run_steps(tcsi_trainer *trainer, tcsi_plan *plan, float *batch, const int16_t *windows, size_t count,
                            const tcsi_deep_training *training, tcs_error *err)
{
    float *inputs = batch, *targets = batch + TCSI_DEEP_BATCH * STEPS;
    for (size_t step = 0; step < training->step_count; step++) {
        tcsi_rng rng = tcsi_rng_make(training->seed, step);
        for (size_t i = 0; i < TCSI_DEEP_BATCH; i++)
            read_window(windows + tcsi_rng_below(&rng, count) * TCSI_LAST_ROWS, inputs + i * STEPS, targets + i * STEPS);
        const tcsi_run run = { .inputs = { inputs, targets }, .batch = TCSI_DEEP_BATCH, .is_training = true, .seed = training->seed,
                               .step = step };
        (void)tcsi_trainer_step(trainer, plan, NULL, &run);
        if (training->go_on && !training->go_on(training->self, step)) return tcsi_fail(err, TCS_E_CANCELLED, "training was ended");
    }
    return TCS_OK;
}

tcs_status tcsi_deep_network_train(tcsi_deep_network *network, const int16_t *windows, size_t count, const tcsi_deep_training *training,
                                   tcs_error *err)
{
    tcsi_plan *plan = NULL;
    tcsi_trainer *trainer = NULL;
    const tcsi_plan_options plan_options = { .net = network->net, .batch = TCSI_DEEP_BATCH, .has_loss = true, .loss = network->loss };
    const tcsi_train_options train_options = { .schedule = TCSI_SCHEDULE_ONE_CYCLE, .rate = training->rate,
                                               .step_count = training->step_count, .decay = DECAY, .clip_norm = CLIP_NORM };
    float *batch = TCSI_NEW_ARRAY(float, 2 * TCSI_DEEP_BATCH * STEPS);
    tcs_status status = batch ? tcsi_plan_create(&plan_options, &plan, err) : tcsi_fail_memory(err, "training");
    if (status == TCS_OK) status = tcsi_trainer_create(network->net, &train_options, &trainer, err);
    if (status == TCS_OK) status = run_steps(trainer, plan, batch, windows, count, training, err);
    if (status == TCS_OK) status = tcsi_net_check_finite(network->net, err);
    tcsi_trainer_destroy(trainer);
    tcsi_plan_destroy(plan);
    tcsi_free(batch);
    return status;
}

/* ---- scores ---- */

tcs_status tcsi_deep_scorer_init(tcsi_deep_scorer *scorer, const tcsi_deep_network *network, tcs_error *err)
{
    *scorer = (tcsi_deep_scorer){ .network = network };
    const tcsi_plan_options options = { .net = network->net, .batch = TCSI_DEEP_BATCH, .outputs = &network->output, .output_count = 1 };
    scorer->inputs = TCSI_NEW_ARRAY(float, 2 * TCSI_DEEP_BATCH * STEPS);
    if (!scorer->inputs) return tcsi_fail_memory(err, "scores");
    scorer->targets = scorer->inputs + TCSI_DEEP_BATCH * STEPS;
    return tcsi_plan_create(&options, &scorer->plan, err);
}

void tcsi_deep_scorer_deinit(tcsi_deep_scorer *scorer)
{
    tcsi_plan_destroy(scorer->plan);
    tcsi_free(scorer->inputs);
    *scorer = (tcsi_deep_scorer){ 0 };
}

/* said: (STEPS, [location, scale]).  Of all rows but the first. */
static void find_surprises(const float *said, const float *target, double ret_surprises[STEPS])
{
    for (size_t t = 0; t < STEPS; t++) {
        const double z = ((double)target[t] - (double)said[2 * t]) / (double)said[2 * t + 1];
        const double surprise = 2.5 * log1p(z * z / 4);
        ret_surprises[t] = isnan(surprise) ? SURPRISE_MAX : fmin(surprise, SURPRISE_MAX);
    }
}

void tcsi_deep_scorer_expect(tcsi_deep_scorer *scorer, const int16_t *window, tcsi_deep_expectation ret[TCSI_LAST_ROWS])
{
    read_window(window, scorer->inputs, scorer->targets);
    const tcsi_run run = { .inputs = { scorer->inputs, scorer->targets }, .batch = 1 };
    tcsi_plan_forward(scorer->plan, NULL, &run);
    const float *said = tcsi_plan_values(scorer->plan, scorer->network->output);
    ret[0] = (tcsi_deep_expectation){ .row = window[0] };
    for (size_t t = 0; t < STEPS; t++) {
        const double z = ((double)scorer->targets[t] - (double)said[2 * t]) / (double)said[2 * t + 1];
        ret[t + 1] = (tcsi_deep_expectation){ .row = tcsi_last_rows_write((double)said[2 * t]), .distance = isnan(z) ? INFINITY : z };
    }
}

static double strangeness(const double surprises[STEPS])
{
    double stretch = 0;
    for (size_t t = STEPS - STRETCH; t < STEPS; t++) stretch += surprises[t] / STRETCH;
    return fmax(surprises[STEPS - 1], stretch * sqrt(STRETCH));
}

static void run_batch(tcsi_deep_scorer *scorer, const int16_t *windows, size_t count, double *ret_scores, double *ret_features)
{
    for (size_t i = 0; i < count; i++)
        read_window(windows + i * TCSI_LAST_ROWS, scorer->inputs + i * STEPS, scorer->targets + i * STEPS);
    const tcsi_run run = { .inputs = { scorer->inputs, scorer->targets }, .batch = count };
    tcsi_plan_forward(scorer->plan, NULL, &run);
    const float *said = tcsi_plan_values(scorer->plan, scorer->network->output);
    for (size_t i = 0; i < count; i++) {
        double surprises[STEPS];
        float rows[TCSI_LAST_ROWS];
        find_surprises(said + i * 2 * STEPS, scorer->targets + i * STEPS, surprises);
        ret_scores[i] = strangeness(surprises);
        if (!ret_features) continue;
        tcsi_last_rows_read(windows + i * TCSI_LAST_ROWS, TCSI_LAST_ROWS, rows);
        tcsi_deep_features(rows, surprises, ret_scores[i], ret_features + i * TCSI_DEEP_FEATURES);
    }
}

void tcsi_deep_scorer_run(tcsi_deep_scorer *scorer, const int16_t *windows, size_t count, double *ret_scores, double *ret_features)
{
    for (size_t begin = 0; begin < count; begin += TCSI_DEEP_BATCH) {
        const size_t batch = count - begin < TCSI_DEEP_BATCH ? count - begin : TCSI_DEEP_BATCH;
        run_batch(scorer, windows + begin * TCSI_LAST_ROWS, batch, ret_scores + begin,
                  ret_features ? ret_features + begin * TCSI_DEEP_FEATURES : NULL);
    }
}
