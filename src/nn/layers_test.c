/* nn/layers_test.c -- what is special to single layers, beyond what nn/op_test.c and nn/golden_test.c ask of all: batch norm's shards and
 * running statistics, dropout's rate and randomness, attention's shares, indices that are none, and what is refused.
 * SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/rng.h"
#include "nn/layers.h"
#include "nn/ops.h"
#include "nn/plan.h"
#include "nn/stream.h"

static tcsi_net *new_net(void)
{
    tcsi_net *net = NULL;
    assert_ok(tcsi_net_create(1, &net, test_err));
    return net;
}

static void fill(float *values, size_t count, double offset, double deviation, uint64_t stream)
{
    tcsi_rng rng = tcsi_rng_make(7, stream);
    for (size_t i = 0; i < count; i++) values[i] = (float)(offset + deviation * tcsi_rng_normal(&rng));
}

static tcsi_plan *new_plan(tcsi_net *net, size_t batch, tcsi_node_id output)
{
    tcsi_plan *plan = NULL;
    assert_ok(tcsi_plan_create(&(tcsi_plan_options){ .net = net, .batch = batch, .outputs = &output, .output_count = 1 }, &plan, test_err));
    return plan;
}

static float *state_of(const tcsi_net *net, const char *name)
{
    const tcsi_weight *weight = tcsi_net_find(net, name);
    assert_non_null(weight);
    assert_true(weight->is_state);
    return tcsi_net_values(net, weight);
}

/* ---- batch norm ---- */

enum { NORM_ROWS = 23, NORM_STEPS = 3, NORM_CHANNELS = 5, NORM_COUNT = NORM_ROWS * NORM_STEPS * NORM_CHANNELS };

typedef struct norm_result {
    float y[NORM_COUNT], dx[NORM_COUNT], dgain[NORM_CHANNELS], dshift[NORM_CHANNELS], mean[NORM_CHANNELS], variance[NORM_CHANNELS];
} norm_result;

/* One batch, forward and backward, cut into shards of `rows` rows as a plan would cut it, each phase by each shard. */
static void run_norm(tcsi_isa isa, size_t rows, const float *x, const float *dy, norm_result *ret_result)
{
    tcsi_net *net = new_net();
    tcsi_node_id input = tcsi_nn_input(net, NORM_STEPS, NORM_CHANNELS);
    tcsi_net_scope(net, "norm");
    const tcsi_node *node = NULL;
    tcsi_node_id id = tcsi_nn_batch_norm(net, input, &(tcsi_batch_norm_options){ 0 });
    assert_ok(tcsi_net_finish(net, test_err));
    node = tcsi_net_node(net, id);
    float *gain = tcsi_net_values(net, tcsi_net_find(net, "norm.gain")), *shift = tcsi_net_values(net, tcsi_net_find(net, "norm.shift"));
    fill(gain, NORM_CHANNELS, 1, 0.3, 50);
    fill(shift, NORM_CHANNELS, 0, 1, 51);
    size_t shard_count = (NORM_ROWS + rows - 1) / rows, row = NORM_STEPS * NORM_CHANNELS;
    double *shared = calloc(shard_count * node->shared_count, sizeof *shared);
    float *scratch = malloc(node->op->scratch_count(net, node, rows) * sizeof *scratch), dy_copy[NORM_COUNT];
    memset(ret_result, 0, sizeof *ret_result);
    memcpy(dy_copy, dy, sizeof dy_copy);
    for (size_t pass = 0; pass < 4; pass++) /* forward in two phases, backward in two */
        for (size_t s = 0; s < shard_count; s++) {
            size_t begin = s * rows, count = begin + rows < NORM_ROWS ? rows : NORM_ROWS - begin;
            tcsi_op_call call = { .net = net, .node = node, .isa = isa, .batch = count, .row_begin = begin, .batch_total = NORM_ROWS,
                                  .length = NORM_STEPS, .phase = pass % 2, .shard = s, .shard_count = shard_count, .is_training = true,
                                  .x = { x + begin * row }, .y = ret_result->y + begin * row, .dy = dy_copy + begin * row,
                                  .dx = { ret_result->dx + begin * row }, .w = { gain, shift },
                                  .dw = { ret_result->dgain, ret_result->dshift },
                                  .state = { NULL, NULL, state_of(net, "norm.mean"), state_of(net, "norm.variance") },
                                  .scratch = scratch, .shared = shared };
            if (pass < 2) node->op->forward(&call);
            else node->op->backward(&call);
        }
    memcpy(ret_result->mean, state_of(net, "norm.mean"), sizeof ret_result->mean);
    memcpy(ret_result->variance, state_of(net, "norm.variance"), sizeof ret_result->variance);
    free(shared);
    free(scratch);
    tcsi_net_destroy(net);
}

/* Also with a level of ten thousand deviations, where sums of squares in single precision would have no digit left. */
static void test_batch_norm_over_shards_equals_over_one(void **state)
{
    (void)state;
    static const double offsets[] = { 0, 1e4 };
    for (tcsi_isa isa = TCSI_ISA_PORTABLE; (int)isa < TCSI_ISA_COUNT; isa++)
        for (size_t k = 0; k < TCS_COUNT(offsets) && tcsi_isa_supported(isa); k++) {
            float x[NORM_COUNT], dy[NORM_COUNT];
            static norm_result whole, cut;
            fill(x, NORM_COUNT, offsets[k], 1, 1);
            fill(dy, NORM_COUNT, 0, 1, 2);
            run_norm(isa, NORM_ROWS, x, dy, &whole);
            for (size_t rows = 1; rows < NORM_ROWS; rows += 3) {
                run_norm(isa, rows, x, dy, &cut);
                for (size_t i = 0; i < NORM_COUNT; i++) {
                    assert_near((double)whole.y[i], (double)cut.y[i], 1e-6);
                    assert_near((double)whole.dx[i], (double)cut.dx[i], 1e-6);
                }
                for (size_t c = 0; c < NORM_CHANNELS; c++) {
                    assert_near((double)whole.dgain[c], (double)cut.dgain[c], 1e-5);
                    assert_near((double)whole.dshift[c], (double)cut.dshift[c], 1e-5);
                    assert_near((double)whole.mean[c], (double)cut.mean[c], 1e-7);
                    assert_near((double)whole.variance[c], (double)cut.variance[c], 1e-6);
                }
            }
            for (size_t c = 0; c < NORM_CHANNELS; c++) { /* and both are the definition's */
                double mean = 0, variance = 0;
                for (size_t r = c; r < NORM_COUNT; r += NORM_CHANNELS) mean += (double)x[r] / (NORM_ROWS * NORM_STEPS);
                for (size_t r = c; r < NORM_COUNT; r += NORM_CHANNELS) variance += ((double)x[r] - mean) * ((double)x[r] - mean);
                assert_near(0.1 * mean, (double)whole.mean[c], 1e-6);
                assert_near(0.9 + 0.1 * variance / (NORM_ROWS * NORM_STEPS - 1), (double)whole.variance[c], 1e-6);
            }
        }
}

/* A net of nothing but batch norm of two channels, two rows at most. */
typedef struct norm_net {
    tcsi_net *net;
    tcsi_plan *plan;
    tcsi_node_id y;
    float *mean, *variance;
} norm_net;

static norm_net new_norm_net(void)
{
    norm_net self = { .net = new_net() };
    tcsi_node_id x = tcsi_nn_input(self.net, 1, 2);
    tcsi_net_scope(self.net, "norm");
    self.y = tcsi_nn_batch_norm(self.net, x, &(tcsi_batch_norm_options){ .momentum = 0.5 });
    assert_ok(tcsi_net_finish(self.net, test_err));
    self.plan = new_plan(self.net, 2, self.y);
    self.mean = state_of(self.net, "norm.mean");
    self.variance = state_of(self.net, "norm.variance");
    return self;
}

static void drop_norm_net(norm_net *self)
{
    tcsi_plan_destroy(self->plan);
    tcsi_net_destroy(self->net);
}

static void test_running_statistics(void **state)
{
    (void)state;
    norm_net self = new_norm_net();
    const float x[] = { 1, 10, 3, 30 };
    tcsi_run run = { .inputs = { x }, .batch = 2, .is_training = true };
    tcsi_plan_forward(self.plan, NULL, &run); /* means 2 and 20, unbiased variances 2 and 200 */
    assert_near(1, (double)self.mean[0], 1e-6);
    assert_near(10, (double)self.mean[1], 1e-6);
    assert_near(1.5, (double)self.variance[0], 1e-6);
    assert_near(100.5, (double)self.variance[1], 1e-6);
    run.is_training = false;
    tcsi_plan_forward(self.plan, NULL, &run); /* scoring uses them and leaves them */
    assert_near((1 - 1) / sqrt(1.5 + 1e-5), (double)tcsi_plan_values(self.plan, self.y)[0], 1e-6);
    assert_near((30 - 10) / sqrt(100.5 + 1e-5), (double)tcsi_plan_values(self.plan, self.y)[3], 1e-6);
    assert_near(1, (double)self.mean[0], 1e-6);
    assert_near(1.5, (double)self.variance[0], 1e-6);
    drop_norm_net(&self);
}

static void test_running_statistics_survive_bad_batches(void **state)
{
    (void)state;
    norm_net self = new_norm_net();
    const float bad[] = { 1, NAN, 3, 4 }, infinite[] = { INFINITY, 1, 2, 3 }, huge[] = { 3e38f, 0, -3e38f, 0 }, one[] = { 4, 8 };
    const float *batches[] = { bad, infinite, huge };
    for (size_t k = 0; k < TCS_COUNT(batches); k++) {
        tcsi_plan_forward(self.plan, NULL, &(tcsi_run){ .inputs = { batches[k] }, .batch = 2, .is_training = true });
        for (size_t c = 0; c < 2; c++) assert_true(isfinite(self.mean[c]) && isfinite(self.variance[c]));
    }
    float before = self.variance[0], mean = self.mean[0];
    tcsi_plan_forward(self.plan, NULL, &(tcsi_run){ .inputs = { one }, .batch = 1, .is_training = true });
    assert_near(mean / 2 + 2, (double)self.mean[0], 1e-6); /* a single value has no variance */
    assert_true(self.variance[0] == before);
    drop_norm_net(&self);
}

/* Not training, the statistics are constants: dx = dy gain / sqrt(variance + epsilon), and nothing moves. */
static void test_gradients_of_a_batch_norm_at_rest(void **state)
{
    (void)state;
    tcsi_net *net = new_net();
    tcsi_plan *plan;
    tcsi_node_id x = tcsi_nn_input(net, 1, 2), target = tcsi_nn_input(net, 1, 2);
    tcsi_net_scope(net, "norm");
    tcsi_node_id y = tcsi_nn_batch_norm(net, x, &(tcsi_batch_norm_options){ 0 }), loss = tcsi_nn_loss_squared(net, y, target);
    assert_ok(tcsi_net_finish(net, test_err));
    float *mean = state_of(net, "norm.mean"), *variance = state_of(net, "norm.variance");
    float *gain = tcsi_net_values(net, tcsi_net_find(net, "norm.gain"));
    mean[1] = 2, variance[1] = 4, gain[1] = 3;
    const float values[] = { 1, 6, -1, 0 }, targets[] = { 0, 2, 0, 1 };
    tcsi_run run = { .inputs = { values, targets }, .batch = 2 };
    assert_ok(tcsi_plan_create(&(tcsi_plan_options){ .net = net, .batch = 2, .has_loss = true, .loss = loss, .input_gradients = true },
                               &plan, test_err));
    (void)tcsi_plan_backward(plan, NULL, &run);
    const float *dx = tcsi_plan_input_gradients(plan, x), *dgain = tcsi_plan_gradients(plan) + tcsi_net_find(net, "norm.gain")->offset;
    /* normalized 2 and -1, y 6 and -3, dy = 2 (y - target) / 4 = 2 and -2 */
    assert_near(2 * 3 / 2.0, (double)dx[1], 1e-5);
    assert_near(-2 * 3 / 2.0, (double)dx[3], 1e-5);
    assert_near(2 * 2 + 2 * 1, (double)dgain[1], 1e-5);
    assert_true(mean[1] == 2 && variance[1] == 4);
    tcsi_plan_destroy(plan);
    tcsi_net_destroy(net);
}

/* ---- dropout ---- */

enum { DROP_STEPS = 7, DROP_CHANNELS = 9, DROP_ROWS = 2000, DROP_ROW = DROP_STEPS * DROP_CHANNELS };

/* Two dropouts of the same ones, one after another in the net but not on each other. */
static tcsi_net *dropout_net(float rate, tcsi_node_id *ret_first, tcsi_node_id *ret_second)
{
    tcsi_net *net = new_net();
    tcsi_node_id x = tcsi_nn_input(net, DROP_STEPS, DROP_CHANNELS);
    *ret_first = tcsi_nn_dropout(net, x, rate);
    *ret_second = tcsi_nn_dropout(net, x, rate);
    assert_ok(tcsi_net_finish(net, test_err));
    return net;
}

static void run_dropout(tcsi_net *net, tcsi_node_id output, size_t batch, const float *x, uint64_t step, bool is_stochastic,
                        float *ret_values)
{
    tcsi_plan *plan = new_plan(net, batch, output);
    tcsi_plan_forward(plan, NULL, &(tcsi_run){ .inputs = { x }, .batch = batch, .is_stochastic = is_stochastic, .seed = 3, .step = step });
    memcpy(ret_values, tcsi_plan_values(plan, output), batch * DROP_ROW * sizeof *ret_values);
    tcsi_plan_destroy(plan);
}

static size_t count_different(const float *a, const float *b)
{
    size_t different = 0;
    for (size_t i = 0; i < DROP_ROWS * DROP_ROW; i++) different += a[i] != b[i];
    return different;
}

static void test_dropout_rate_scale_and_streams(void **state)
{
    (void)state;
    const size_t count = DROP_ROWS * DROP_ROW;
    float *x = malloc(count * sizeof *x), *y = malloc(count * sizeof *y), *other = malloc(count * sizeof *other);
    static const float rates[] = { 0, 0.1f, 0.5f, 0.9f };
    for (size_t i = 0; i < count; i++) x[i] = 1;
    for (size_t k = 0; k < TCS_COUNT(rates); k++) {
        tcsi_node_id first, second;
        double rate = (double)rates[k], dropped = 0;
        tcsi_net *net = dropout_net(rates[k], &first, &second);
        run_dropout(net, first, DROP_ROWS, x, 1, true, y);
        for (size_t i = 0; i < count; i++) {
            if (y[i] == 0) dropped += 1;
            else assert_near(1 / (1 - rate), (double)y[i], 1e-6);
        }
        assert_true(fabs(dropped / (double)count - rate) <= 5 * sqrt(rate * (1 - rate) / (double)count));
        double expected = 2 * rate * (1 - rate) * (double)count; /* how often two independent draws differ */
        run_dropout(net, first, DROP_ROWS, x, 2, true, other); /* another step */
        assert_true(fabs((double)count_different(y, other) - expected) <= 5 * sqrt(expected));
        run_dropout(net, second, DROP_ROWS, x, 1, true, other); /* another node */
        assert_true(fabs((double)count_different(y, other) - expected) <= 5 * sqrt(expected));
        run_dropout(net, first, DROP_ROWS, x, 1, false, other); /* not drawing */
        assert_memory_equal(x, other, count * sizeof *x);
        tcsi_net_destroy(net);
    }
    free(x);
    free(y);
    free(other);
}

/* What a row draws depends on its place in the batch, not on how many rows stand around it in its shard. */
static void test_dropout_does_not_depend_on_the_cut(void **state)
{
    (void)state;
    enum { ROWS = 20 };
    tcsi_node_id first, second;
    tcsi_net *net = dropout_net(0.3f, &first, &second);
    float x[ROWS * DROP_ROW], whole[ROWS * DROP_ROW], cut[ROWS * DROP_ROW], mask[ROWS * DROP_ROW];
    fill(x, ROWS * DROP_ROW, 0, 1, 3);
    run_dropout(net, first, ROWS, x, 4, true, whole);
    for (size_t rows = 1; rows < ROWS; rows += 3) {
        for (size_t begin = 0; begin < ROWS; begin += rows) {
            tcsi_op_call call = { .net = net, .node = tcsi_net_node(net, first), .isa = tcsi_isa_current(), .row_begin = begin,
                                  .batch = begin + rows < ROWS ? rows : ROWS - begin, .batch_total = ROWS, .length = DROP_STEPS,
                                  .is_stochastic = true, .seed = 3, .step = 4, .x = { x + begin * DROP_ROW },
                                  .y = cut + begin * DROP_ROW, .saved = mask };
            call.node->op->forward(&call);
        }
        assert_memory_equal(whole, cut, sizeof whole);
    }
    tcsi_net_destroy(net);
}

/* ---- attention ---- */

enum { LOOK_STEPS = 6, LOOK_WIDTH = 4, LOOK_HEADS = 2, LOOK_ROWS = 300 };

static void test_attention_shares(void **state)
{
    (void)state;
    float *x = malloc(LOOK_ROWS * LOOK_STEPS * LOOK_WIDTH * sizeof *x);
    fill(x, LOOK_ROWS * LOOK_STEPS * LOOK_WIDTH, 0, 2, 4);
    for (size_t causal = 0; causal < 2; causal++) {
        tcsi_net *net = new_net();
        tcsi_plan *plan;
        tcsi_node_id attention, input = tcsi_nn_input(net, LOOK_STEPS, LOOK_WIDTH);
        tcsi_node_id y = tcsi_nn_self_attention(net, input, &(tcsi_attention_options){ .head_count = LOOK_HEADS, .is_causal = causal },
                                                &attention);
        y = tcsi_nn_mean(net, y);
        assert_ok(tcsi_net_finish(net, test_err));
        assert_ok(tcsi_plan_create(&(tcsi_plan_options){ .net = net, .batch = LOOK_ROWS, .outputs = &y, .output_count = 1,
                                                         .kept = &attention, .kept_count = 1 }, &plan, test_err));
        tcsi_plan_forward(plan, NULL, &(tcsi_run){ .inputs = { x }, .batch = LOOK_ROWS });
        const float *share = tcsi_plan_saved(plan, attention);
        double largest = 0;
        for (size_t line = 0; line < LOOK_ROWS * LOOK_HEADS * LOOK_STEPS; line++, share += LOOK_STEPS) {
            double sum = 0;
            for (size_t k = 0; k < LOOK_STEPS; k++) {
                sum += (double)share[k];
                assert_true(share[k] >= 0);
                if (causal && k > line % LOOK_STEPS) assert_true(share[k] == 0);
                else largest = fmax(largest, (double)share[k]);
            }
            assert_near(1, sum, 1e-6);
        }
        assert_true(largest > 0.5); /* they are no plain means */
        tcsi_plan_destroy(plan);
        tcsi_net_destroy(net);
    }
    free(x);
}

/* Steps after t change nothing at t: to the bit. */
static void test_causal_attention_does_not_look_ahead(void **state)
{
    (void)state;
    tcsi_net *net = new_net();
    tcsi_node_id x = tcsi_nn_input(net, LOOK_STEPS, LOOK_WIDTH);
    tcsi_node_id y = tcsi_nn_transformer(net, x, &(tcsi_transformer_options){ .head_count = LOOK_HEADS, .is_causal = true }, NULL);
    assert_ok(tcsi_net_finish(net, test_err));
    tcsi_plan *plan = new_plan(net, 1, y);
    float values[LOOK_STEPS * LOOK_WIDTH], before[LOOK_STEPS * LOOK_WIDTH];
    fill(values, LOOK_STEPS * LOOK_WIDTH, 0, 1, 5);
    for (size_t t = 1; t < LOOK_STEPS; t++) {
        tcsi_plan_forward(plan, NULL, &(tcsi_run){ .inputs = { values }, .batch = 1 });
        memcpy(before, tcsi_plan_values(plan, y), sizeof before);
        for (size_t i = t * LOOK_WIDTH; i < LOOK_STEPS * LOOK_WIDTH; i++) values[i] += 1.5f;
        tcsi_plan_forward(plan, NULL, &(tcsi_run){ .inputs = { values }, .batch = 1 });
        assert_memory_equal(before, tcsi_plan_values(plan, y), t * LOOK_WIDTH * sizeof(float));
        assert_memory_not_equal(before + t * LOOK_WIDTH, tcsi_plan_values(plan, y) + t * LOOK_WIDTH, LOOK_WIDTH * sizeof(float));
    }
    tcsi_plan_destroy(plan);
    tcsi_net_destroy(net);
}

/* Beyond its T steps a stream of one causal attention answers as the window of the last T steps would at its end. */
static void test_a_stream_of_attention_moves_its_window(void **state)
{
    (void)state;
    enum { ROWS = 3 * LOOK_STEPS + 1 };
    tcsi_net *net = new_net();
    tcsi_stream_net *stream;
    tcsi_node_id x = tcsi_nn_input(net, LOOK_STEPS, LOOK_WIDTH);
    tcsi_node_id y = tcsi_nn_self_attention(net, x, &(tcsi_attention_options){ .head_count = LOOK_HEADS, .is_causal = true }, NULL);
    y = tcsi_nn_last(net, y);
    assert_ok(tcsi_net_finish(net, test_err));
    assert_ok(tcsi_stream_net_create(net, y, &stream, test_err));
    tcsi_plan *plan = new_plan(net, 1, y);
    float values[ROWS * LOOK_WIDTH];
    fill(values, ROWS * LOOK_WIDTH, 0, 1, 6);
    for (size_t t = 0; t < ROWS; t++) {
        const float *got = tcsi_stream_net_push(stream, values + t * LOOK_WIDTH);
        if (t + 1 < LOOK_STEPS) continue;
        tcsi_plan_forward(plan, NULL, &(tcsi_run){ .inputs = { values + (t + 1 - LOOK_STEPS) * LOOK_WIDTH }, .batch = 1 });
        assert_memory_equal(got, tcsi_plan_values(plan, y), LOOK_WIDTH * sizeof *got);
    }
    tcsi_plan_destroy(plan);
    tcsi_stream_net_destroy(stream);
    tcsi_net_destroy(net);
}

/* ---- kinds ---- */

static void test_an_index_that_is_none(void **state)
{
    (void)state;
    static const float bad[] = { NAN, -1, -0.5f, 0.5f, 5, 1e30f, -1e30f, INFINITY, -INFINITY, 4294967296.0f };
    tcsi_net *net = new_net();
    tcsi_plan *plan;
    tcs_error err;
    tcsi_node_id x = tcsi_nn_input(net, 2, 3), target = tcsi_nn_input(net, 2, 4);
    tcsi_node_id y = tcsi_nn_embedding(net, x, &(tcsi_embedding_options){ .count = 5, .units = 4, .channel = 1 });
    tcsi_node_id loss = tcsi_nn_loss_squared(net, y, target);
    assert_ok(tcsi_net_finish(net, test_err));
    assert_ok(tcsi_plan_create(&(tcsi_plan_options){ .net = net, .batch = 2, .has_loss = true, .loss = loss, .outputs = &y,
                                                     .output_count = 1 }, &plan, test_err));
    float values[] = { 9, 0, 9, 9, 4, 9, 9, 1, 9, 9, 3, 9 }, targets[16] = { 0 };
    tcsi_run run = { .inputs = { values, targets }, .batch = 2 };
    assert_ok(tcsi_plan_check(plan, &run, test_err));
    (void)tcsi_plan_backward(plan, NULL, &run);
    for (size_t i = 0; i < 16; i++) assert_true(isfinite(tcsi_plan_values(plan, y)[i]));
    for (size_t k = 0; k < TCS_COUNT(bad); k++) {
        values[7] = bad[k];
        assert_int_equal(tcsi_plan_check(plan, &run, &err), TCS_E_INVALID);
        assert_non_null(strstr(err.text, "row 1, step 0, channel 1 is "));
        assert_non_null(strstr(err.text, "expected a whole number of 0 to 4"));
        (void)tcsi_plan_backward(plan, NULL, &run); /* unchecked: visible, and inside the table */
        for (size_t i = 0; i < 16; i++) assert_int_equal(isnan(tcsi_plan_values(plan, y)[i]) != 0, i / 4 == 2);
        for (size_t i = 0; i < 5 * 4; i++) assert_true(isfinite(tcsi_plan_gradients(plan)[i]));
    }
    tcsi_plan_destroy(plan);
    tcsi_net_destroy(net);
}

/* ---- gradients that stop, scales that come back, positions that go on ---- */

static void test_nothing_passes_a_detached_node(void **state)
{
    (void)state;
    tcsi_net *net = new_net();
    tcsi_plan *plan;
    tcsi_node_id x = tcsi_nn_input(net, 1, 3), target = tcsi_nn_input(net, 1, 2);
    tcsi_net_scope(net, "behind");
    tcsi_node_id h = tcsi_nn_dense(net, x, &(tcsi_dense_options){ .units = 3 });
    tcsi_net_scope(net, "before");
    tcsi_node_id y = tcsi_nn_dense(net, tcsi_nn_detach(net, h), &(tcsi_dense_options){ .units = 2 });
    tcsi_node_id loss = tcsi_nn_loss_squared(net, y, target);
    assert_ok(tcsi_net_finish(net, test_err));
    assert_ok(tcsi_plan_create(&(tcsi_plan_options){ .net = net, .batch = 1, .has_loss = true, .loss = loss }, &plan, test_err));
    assert_true(tcsi_plan_backward(plan, NULL, &(tcsi_run){ .inputs = { (float[]){ 1, 2, 3 }, (float[]){ 9, 9 } }, .batch = 1 }) > 0);
    for (size_t i = 0; i < net->tensor_count; i++) {
        double sum = 0;
        const tcsi_weight *weight = &net->tensors[i];
        for (size_t k = 0; k < weight->count; k++) sum += fabs((double)tcsi_plan_gradients(plan)[weight->offset + k]);
        assert_int_equal(sum > 0, strncmp(weight->name, "before", 6) == 0);
    }
    tcsi_plan_destroy(plan);
    tcsi_net_destroy(net);
}

/* Values and the gradients behind the node are as without it, those before it of the other sign. */
static void test_an_opposed_gradient_comes_back_turned(void **state)
{
    (void)state;
    enum { COUNT = 64 };
    float gradients[2][COUNT];
    double losses[2];
    for (size_t opposed = 0; opposed < 2; opposed++) {
        tcsi_net *net = new_net();
        tcsi_plan *plan;
        tcsi_node_id x = tcsi_nn_input(net, 1, 3), target = tcsi_nn_input(net, 1, 2);
        tcsi_net_scope(net, "before");
        tcsi_node_id h = tcsi_nn_dense(net, x, &(tcsi_dense_options){ .units = 3 });
        tcsi_net_scope(net, "behind");
        tcsi_node_id y = tcsi_nn_dense(net, opposed ? tcsi_nn_oppose(net, h) : h, &(tcsi_dense_options){ .units = 2 });
        tcsi_node_id loss = tcsi_nn_loss_squared(net, y, target);
        assert_ok(tcsi_net_finish(net, test_err));
        assert_true(net->weight_count <= COUNT);
        assert_ok(tcsi_plan_create(&(tcsi_plan_options){ .net = net, .batch = 1, .has_loss = true, .loss = loss }, &plan, test_err));
        losses[opposed] = tcsi_plan_backward(plan, NULL, &(tcsi_run){ .inputs = { (float[]){ 1, 2, 3 }, (float[]){ 9, 9 } }, .batch = 1 });
        memcpy(gradients[opposed], tcsi_plan_gradients(plan), net->weight_count * sizeof(float));
        for (size_t i = 0; opposed && i < net->tensor_count; i++) {
            const tcsi_weight *weight = &net->tensors[i];
            const float sign = strncmp(weight->name, "before", 6) == 0 ? -1 : 1;
            for (size_t k = weight->offset; k < weight->offset + weight->count; k++)
                assert_near((double)(sign * gradients[0][k]), (double)gradients[1][k], 0);
        }
        tcsi_plan_destroy(plan);
        tcsi_net_destroy(net);
    }
    assert_true(losses[0] > 0 && gradients[0][0] != 0);
    assert_near(losses[0], losses[1], 0);
}

static void test_instance_norm_comes_back(void **state)
{
    (void)state;
    enum { STEPS = 40, CHANNELS = 3 };
    tcsi_net *net = new_net();
    tcsi_node_id statistics, x = tcsi_nn_input(net, STEPS, CHANNELS), norm = tcsi_nn_instance_norm(net, x, &statistics);
    tcsi_node_id y = tcsi_nn_instance_denorm(net, norm, norm);
    assert_ok(tcsi_net_finish(net, test_err));
    assert_int_equal(tcsi_net_trained_count(net), 2 * CHANNELS);
    float values[STEPS * CHANNELS];
    for (size_t c = 0; c < CHANNELS; c++)
        for (size_t t = 0; t < STEPS; t++) values[t * CHANNELS + c] = (float)(pow(100, (double)c) * (3 + sin((double)t)));
    for (size_t t = 0; t < STEPS; t++) values[t * CHANNELS] = 7; /* a constant has no deviation */
    fill(net->weights.values, CHANNELS, 1, 0.1, 8);
    tcsi_node_id outputs[] = { norm, y };
    tcsi_plan *plan;
    assert_ok(tcsi_plan_create(&(tcsi_plan_options){ .net = net, .batch = 1, .outputs = outputs, .output_count = 2 }, &plan, test_err));
    tcsi_plan_forward(plan, NULL, &(tcsi_run){ .inputs = { values }, .batch = 1 });
    for (size_t i = 0; i < STEPS * CHANNELS; i++) {
        assert_near((double)values[i], (double)tcsi_plan_values(plan, y)[i], 1e-5);
        assert_true(fabsf(tcsi_plan_values(plan, norm)[i]) < 3);
    }
    tcsi_plan_destroy(plan);
    tcsi_net_destroy(net);
}

static void test_streamed_positions_beyond_the_window(void **state)
{
    (void)state;
    enum { STEPS = 4, CHANNELS = 3 };
    for (size_t learned = 0; learned < 2; learned++) {
        tcsi_net *net = new_net(), *wide = new_net();
        tcsi_stream_net *stream;
        tcsi_node_id x = tcsi_nn_input(net, STEPS, CHANNELS), all = tcsi_nn_input(wide, 3 * STEPS, CHANNELS);
        tcsi_node_id y = learned ? tcsi_nn_position_learned(net, x) : tcsi_nn_position_sinusoidal(net, x);
        all = tcsi_nn_position_sinusoidal(wide, all);
        assert_ok(tcsi_net_finish(net, test_err));
        assert_ok(tcsi_net_finish(wide, test_err));
        assert_ok(tcsi_stream_net_create(net, y, &stream, test_err));
        tcsi_plan *plan = new_plan(wide, 1, all);
        float zeros[3 * STEPS * CHANNELS] = { 0 };
        tcsi_plan_forward(plan, NULL, &(tcsi_run){ .inputs = { zeros }, .batch = 1 });
        for (size_t t = 0; t < 3 * STEPS; t++) {
            const float *got = tcsi_stream_net_push(stream, zeros);
            const float *expected = tcsi_plan_values(plan, all) + t * CHANNELS;
            if (learned) expected = net->weights.values + (t < STEPS ? t : STEPS - 1) * CHANNELS;
            assert_memory_equal(got, expected, CHANNELS * sizeof *got);
        }
        tcsi_plan_destroy(plan);
        tcsi_stream_net_destroy(stream);
        tcsi_net_destroy(net);
        tcsi_net_destroy(wide);
    }
}

/* ---- names and refusals ---- */

static void test_the_names_of_a_block(void **state)
{
    (void)state;
    static const char *const names[] = { "block.attention.in.weight", "block.attention.in.bias", "block.attention.out.weight",
                                         "block.attention.out.bias", "block.norm1.gain", "block.norm1.shift", "block.feed1.weight",
                                         "block.feed1.bias", "block.feed2.weight", "block.feed2.bias", "block.norm2.gain",
                                         "block.norm2.shift", "block.weight", "block.bias" };
    tcsi_net *net = new_net();
    tcsi_node_id x = tcsi_nn_input(net, 5, 4);
    tcsi_net_scope(net, "block");
    x = tcsi_nn_transformer(net, x, &(tcsi_transformer_options){ .head_count = 2, .dropout = 0.1f }, NULL);
    x = tcsi_nn_dense(net, x, &(tcsi_dense_options){ .units = 1 }); /* the scope is the caller's again */
    assert_ok(tcsi_net_finish(net, test_err));
    assert_int_equal(net->tensor_count, TCS_COUNT(names));
    for (size_t i = 0; i < TCS_COUNT(names); i++) assert_non_null(tcsi_net_find(net, names[i]));
    assert_int_equal(tcsi_net_find(net, "block.feed1.weight")->count, 4 * 16);
    tcsi_net_destroy(net);
}

/* The node, on inputs x (B,6,4) and other (B,5,3), is refused with these words. */
#define REFUSED(node, words)                                                                  \
    do {                                                                                      \
        tcs_error err = { 0 };                                                                \
        tcsi_net *net = new_net();                                                            \
        tcsi_node_id x = tcsi_nn_input(net, 6, 4), other = tcsi_nn_input(net, 5, 3);          \
        (void)other;                                                                          \
        assert_int_equal((node), TCSI_NODE_NONE);                                             \
        assert_int_equal(tcsi_net_finish(net, &err), TCS_E_INVALID);                          \
        if (!strstr(err.text, words)) fail_msg("%s says: %s", #node, err.text);               \
        tcsi_net_destroy(net);                                                                \
    } while (0)

static void test_shapes_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    tcsi_node_id statistics;
    REFUSED(tcsi_nn_add(net, x, other), "add: 6 steps and 4 channels with 5 and 3, expected the same");
    REFUSED(tcsi_nn_concat(net, ((tcsi_node_id[]){ x, other }), 2), "input 1 has 5 steps, expected 6");
    REFUSED(tcsi_nn_slice(net, x, SIZE_MAX, 2), "2 of them, of 4");
    REFUSED(tcsi_nn_slice(net, x, 1, 0), "slice: an output of 6 steps and 0 channels");
    REFUSED(tcsi_nn_steps(net, x, 5, 2), "steps: from 5 on, 2 of them, of 6");
    REFUSED(tcsi_nn_repeat(net, x, 2), "repeat: needs an input of 1 step, got 6");
    REFUSED(tcsi_nn_reshape(net, x, SIZE_MAX / 2, 4), "are not as many numbers as 6 and 4");
    REFUSED(tcsi_nn_unflatten(net, x, 0), "are not as many numbers as 6 and 4");
    REFUSED(tcsi_nn_unflatten(net, x, 5), "are not as many numbers as 6 and 4");
    REFUSED(tcsi_nn_pool(net, x, &(tcsi_pool_options){ .window = 7 }), "6 steps are too few for a window of 7");
    REFUSED(tcsi_nn_instance_denorm(net, other, tcsi_nn_instance_norm(net, x, &statistics)), "4 channels, expected 2 and 3");
    REFUSED(tcsi_nn_self_attention(net, x, &(tcsi_attention_options){ .head_count = 3 }, NULL), "12 channels for 3 heads");
    REFUSED(tcsi_nn_transformer(net, x, &(tcsi_transformer_options){ 0 }, NULL), "12 channels for 0 heads");
    REFUSED(tcsi_nn_attention(net, x, &(tcsi_attention_options){ .head_count = 1 }), "4 channels for 1 heads");
    tcsi_dense_options two = { .units = 2 };
    REFUSED(tcsi_net_add_tied(net, tcsi_nn_dense(net, other, &two), &tcsi_op_dense, &x, 1, &two), "an input of another form");
    REFUSED(tcsi_net_add_tied(net, tcsi_nn_position_learned(net, x), &tcsi_op_lstm, &x, 1, &(size_t){ 4 }), "an input of another form");
    REFUSED(tcsi_net_add_tied(net, tcsi_nn_scale(net, x, 2), &tcsi_op_position_learned, &x, 1, NULL), "has more weights than the scale");
}

static void test_options_out_of_range_are_refused(void **state)
{
    (void)state;
    const tcsi_embedding_options channel = { .count = 2, .units = 2, .channel = 4 }, count = { .count = (size_t)1 << 25, .units = 2 };
    const tcsi_conv_options no_kernel = { .channels = 2 }, stride = { .channels = 2, .kernel = 3, .stride = SIZE_MAX / 2 };
    const tcsi_conv_options dilation = { .channels = 2, .kernel = 3, .dilation = SIZE_MAX / 2 };
    const tcsi_conv_options deep = { .channels = 3, .kernel = 1, .is_depthwise = true };
    REFUSED(tcsi_nn_dropout(net, x, 1), "a rate in [0, 1), got 1");
    REFUSED(tcsi_nn_dropout(net, x, (float)NAN), "a rate in [0, 1), got");
    REFUSED(tcsi_nn_layer_norm(net, x, &(tcsi_layer_norm_options){ .epsilon = -1 }), "epsilon in [0, 1], got -1");
    REFUSED(tcsi_nn_batch_norm(net, x, &(tcsi_batch_norm_options){ .momentum = 2 }), "momentum in [0, 1]");
    REFUSED(tcsi_nn_lstm(net, x, 0), "lstm: 0 hidden units");
    REFUSED(tcsi_nn_gru(net, x, SIZE_MAX), "gru: ");
    REFUSED(tcsi_nn_time2vec(net, x, 0), "1 or more units");
    REFUSED(tcsi_nn_time2vec(net, x, SIZE_MAX), "1 or more units");
    REFUSED(tcsi_nn_embedding(net, tcsi_nn_scale(net, x, 1), &channel), "needs an input of the net, got a scale");
    REFUSED(tcsi_nn_embedding(net, x, &channel), "channel 4 of 4");
    REFUSED(tcsi_nn_embedding(net, x, &count), "1 to 16777216 kinds");
    REFUSED(tcsi_nn_conv_transposed(net, x, &no_kernel), "a kernel and channels of 1 or more");
    REFUSED(tcsi_nn_conv_transposed(net, x, &deep), "depthwise: 4");
    REFUSED(tcsi_nn_conv_transposed(net, x, &stride), "are too large");
    REFUSED(tcsi_nn_conv_transposed(net, x, &dilation), "are too large");
}

static void test_what_needs_the_window_is_not_streamed(void **state)
{
    (void)state;
    tcsi_net *net = new_net();
    tcsi_node_id x = tcsi_nn_input(net, 6, 3), statistics;
    const tcsi_node_id all[] = {
        tcsi_nn_global_mean(net, x), tcsi_nn_pool(net, x, &(tcsi_pool_options){ .window = 2, .stride = 1 }), tcsi_nn_flatten(net, x),
        tcsi_nn_mean(net, x), tcsi_nn_repeat(net, tcsi_nn_last(net, x), 6), tcsi_nn_steps(net, x, 0, 5),
        tcsi_nn_instance_norm(net, x, &statistics), tcsi_nn_attention(net, x, &(tcsi_attention_options){ .head_count = 1 }),
    };
    assert_ok(tcsi_net_finish(net, test_err));
    for (size_t k = 0; k < TCS_COUNT(all); k++) {
        tcsi_stream_net *stream = NULL;
        tcs_error err;
        assert_int_equal(tcsi_stream_net_create(net, all[k], &stream, &err), TCS_E_UNSUPPORTED);
        assert_null(stream);
    }
    tcsi_net_destroy(net);
}

static void test_a_plan_keeps_only_what_is_saved(void **state)
{
    (void)state;
    tcsi_net *net = new_net();
    tcsi_plan *plan = NULL;
    tcs_error err;
    tcsi_node_id x = tcsi_nn_input(net, 6, 3), kept[] = { tcsi_nn_scale(net, x, 2), 9 };
    assert_ok(tcsi_net_finish(net, test_err));
    for (size_t k = 0; k < TCS_COUNT(kept); k++) {
        tcsi_plan_options options = { .net = net, .batch = 1, .kept = &kept[k], .kept_count = 1 };
        assert_int_equal(tcsi_plan_create(&options, &plan, &err), TCS_E_INVALID);
        assert_non_null(strstr(err.text, "kept node 0 of a plan saves nothing"));
    }
    tcsi_net_destroy(net);
}

TCS_TEST_MAIN(cmocka_unit_test(test_batch_norm_over_shards_equals_over_one), cmocka_unit_test(test_running_statistics),
              cmocka_unit_test(test_running_statistics_survive_bad_batches),
              cmocka_unit_test(test_gradients_of_a_batch_norm_at_rest), cmocka_unit_test(test_dropout_rate_scale_and_streams),
              cmocka_unit_test(test_dropout_does_not_depend_on_the_cut), cmocka_unit_test(test_attention_shares),
              cmocka_unit_test(test_causal_attention_does_not_look_ahead), cmocka_unit_test(test_a_stream_of_attention_moves_its_window),
              cmocka_unit_test(test_an_index_that_is_none), cmocka_unit_test(test_nothing_passes_a_detached_node),
              cmocka_unit_test(test_an_opposed_gradient_comes_back_turned),
              cmocka_unit_test(test_instance_norm_comes_back), cmocka_unit_test(test_streamed_positions_beyond_the_window),
              cmocka_unit_test(test_the_names_of_a_block), cmocka_unit_test(test_shapes_that_do_not_fit_are_refused),
              cmocka_unit_test(test_options_out_of_range_are_refused),
              cmocka_unit_test(test_what_needs_the_window_is_not_streamed), cmocka_unit_test(test_a_plan_keeps_only_what_is_saved))
