/* nn/net_test.c -- building: the first error sticks and says what was expected, weights are named, shared, and start the same
 * whatever stands around them.  SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "nn/layers.h"
#include "nn/ops.h"
#include "nn/plan.h"

static tcsi_net *new_net(void)
{
    tcsi_net *net = NULL;
    assert_ok(tcsi_net_create(1, &net, test_err));
    return net;
}

static void expect_refusal(tcsi_net *net, tcs_status expected, const char *words)
{
    tcs_error err = { 0 };
    assert_int_equal(tcsi_net_finish(net, &err), expected);
    if (!strstr(err.text, words)) print_error("got: %s\n", err.text);
    assert_non_null(strstr(err.text, words));
    tcsi_net_destroy(net);
}

static void test_the_first_error_sticks(void **state)
{
    (void)state;
    tcsi_net *net = new_net();
    tcsi_node_id x = tcsi_nn_input(net, 4, 3);
    tcsi_node_id bad = tcsi_nn_dense(net, x, &(tcsi_dense_options){ .units = 0 });
    assert_int_equal(bad, TCSI_NODE_NONE);
    assert_int_equal(tcsi_nn_conv(net, bad, &(tcsi_conv_options){ .kernel = 3 }), TCSI_NODE_NONE);
    expect_refusal(net, TCS_E_INVALID, "dense: needs 1 or more units");
}

static void test_shapes_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    tcsi_net *net = new_net();
    tcsi_node_id x = tcsi_nn_input(net, 4, 3), other = tcsi_nn_input(net, 4, 2);
    (void)tcsi_nn_loss_squared(net, x, other);
    expect_refusal(net, TCS_E_INVALID, "a prediction of 4 steps and 3 channels against a target of 4 and 2");

    net = new_net();
    x = tcsi_nn_input(net, 4, 3);
    (void)tcsi_nn_conv(net, x, &(tcsi_conv_options){ .channels = 2, .kernel = 5, .padding = TCSI_PADDING_VALID });
    expect_refusal(net, TCS_E_INVALID, "4 steps are too few for a window of 5");

    net = new_net();
    x = tcsi_nn_input(net, 4, 3);
    (void)tcsi_nn_dense_residual(net, x, x, &(tcsi_dense_options){ .units = 2 });
    expect_refusal(net, TCS_E_INVALID, "expected 4 and 2");

    net = new_net();
    (void)tcsi_nn_input(net, 0, 3);
    expect_refusal(net, TCS_E_INVALID, "an output of 0 steps");

    net = new_net();
    (void)tcsi_nn_input(net, (size_t)1 << 40, (size_t)1 << 40);
    expect_refusal(net, TCS_E_INVALID, "values at most");

    net = new_net();
    (void)tcsi_nn_dense(net, 7, &(tcsi_dense_options){ .units = 2 });
    expect_refusal(net, TCS_E_INVALID, "no node of this net");
}

static void test_weights_too_large_are_refused(void **state)
{
    (void)state;
    tcsi_net *net = new_net();
    tcsi_node_id x = tcsi_nn_input(net, 1, 1000000);
    (void)tcsi_nn_dense(net, x, &(tcsi_dense_options){ .units = 1000000 });
    expect_refusal(net, TCS_E_INVALID, "larger than");
}

static void test_names_and_layout(void **state)
{
    (void)state;
    tcsi_net *net = new_net();
    tcsi_node_id x = tcsi_nn_input(net, 4, 3);
    tcsi_net_scope(net, "encoder.%d", 0);
    x = tcsi_nn_conv(net, x, &(tcsi_conv_options){ .channels = 5, .kernel = 2 });
    tcsi_net_scope(net, "head");
    (void)tcsi_nn_dense(net, x, &(tcsi_dense_options){ .units = 7 });
    assert_ok(tcsi_net_finish(net, test_err));
    const tcsi_weight *weight = tcsi_net_find(net, "encoder.0.weight"), *bias = tcsi_net_find(net, "head.bias");
    assert_non_null(weight);
    assert_non_null(bias);
    assert_int_equal(weight->count, 2 * 3 * 5);
    assert_int_equal(weight->dim_count, 3);
    assert_int_equal(bias->count, 7);
    assert_int_equal(bias->offset % TCSI_FLOATS_BORDER, 0);
    assert_int_equal((uintptr_t)net->weights.values % 64, 0);
    assert_int_equal(tcsi_net_trained_count(net), 30 + 5 + 35 + 7);
    assert_null(tcsi_net_find(net, "tail.bias"));
    tcsi_net_destroy(net);
}

static void test_a_name_taken_is_refused(void **state)
{
    (void)state;
    tcsi_net *net = new_net();
    tcsi_net_scope(net, "same");
    tcsi_node_id x = tcsi_nn_input(net, 4, 3);
    x = tcsi_nn_dense(net, x, &(tcsi_dense_options){ .units = 3 });
    (void)tcsi_nn_dense(net, x, &(tcsi_dense_options){ .units = 3 });
    expect_refusal(net, TCS_E_INVALID, "same.weight is taken");
}

static void test_sharing(void **state)
{
    (void)state;
    tcsi_net *net = new_net();
    tcsi_node_id x = tcsi_nn_input(net, 4, 3), h = tcsi_nn_dense(net, x, &(tcsi_dense_options){ .units = 3 });
    tcsi_node_id again = tcsi_net_share(net, h, &h, 1);
    assert_ok(tcsi_net_finish(net, test_err));
    assert_int_equal(tcsi_net_node(net, again)->weights[0], tcsi_net_node(net, h)->weights[0]);
    assert_int_equal(net->tensor_count, 2);
    tcsi_net_destroy(net);

    net = new_net();
    x = tcsi_nn_input(net, 4, 3);
    h = tcsi_nn_dense(net, x, &(tcsi_dense_options){ .units = 5 });
    (void)tcsi_net_share(net, h, &h, 1);
    expect_refusal(net, TCS_E_INVALID, "whose weights it shares");
}

static void test_start_values(void **state)
{
    (void)state;
    tcsi_net *a = new_net(), *b = new_net();
    tcsi_node_id x = tcsi_nn_input(a, 1, 100);
    (void)tcsi_nn_dense(a, x, &(tcsi_dense_options){ .units = 50 });
    assert_ok(tcsi_net_finish(a, test_err));
    x = tcsi_nn_input(b, 1, 100);
    x = tcsi_nn_dense(b, x, &(tcsi_dense_options){ .units = 50 });
    (void)tcsi_nn_dense(b, x, &(tcsi_dense_options){ .units = 3 });
    assert_ok(tcsi_net_finish(b, test_err));
    assert_memory_equal(a->weights.values, b->weights.values, 5000 * sizeof(float)); /* whatever follows */
    double sum = 0, squares = 0;
    for (size_t i = 0; i < 5000; i++) {
        double value = (double)a->weights.values[i];
        assert_true(fabs(value) <= 0.1);
        sum += value;
        squares += value * value;
    }
    assert_true(fabs(sum / 5000) < 0.003 && fabs(sqrt(squares / 5000) - 0.1 / sqrt(3)) < 0.002);
    a->weights.values[0] = 9;
    tcsi_net_start(a);
    assert_memory_equal(a->weights.values, b->weights.values, 5000 * sizeof(float));
    tcsi_net_destroy(a);
    tcsi_net_destroy(b);
}

static void test_plans_refuse_nonsense(void **state)
{
    (void)state;
    tcsi_net *net = new_net();
    tcsi_plan *plan = NULL;
    tcs_error err;
    tcsi_node_id x = tcsi_nn_input(net, 4, 3), y = tcsi_nn_dense(net, x, &(tcsi_dense_options){ .units = 2 }), none = 99;
    assert_ok(tcsi_net_finish(net, test_err));
    const tcsi_plan_options bad[] = {
        { .net = net, .batch = 0, .outputs = &y, .output_count = 1 },
        { .net = net, .batch = 1, .outputs = &none, .output_count = 1 },
        { .net = net, .batch = 1, .outputs = &x, .output_count = 1 },
        { .net = net, .batch = 1, .has_loss = true, .loss = y },
    };
    const tcsi_plan_options huge = { .net = net, .batch = (size_t)1 << 40, .outputs = &y, .output_count = 1 };
    for (size_t i = 0; i < TCS_COUNT(bad); i++) assert_int_equal(tcsi_plan_create(&bad[i], &plan, &err), TCS_E_INVALID);
    assert_int_equal(tcsi_plan_create(&huge, &plan, &err), TCS_E_LIMIT);
    assert_null(plan);
    tcsi_net_destroy(net);
}

/* Groups: a plan trains its own and leaves the other's gradients at zero. */
static void test_groups(void **state)
{
    (void)state;
    tcsi_net *net = new_net();
    tcsi_plan *plan;
    float values[2 * 3] = { 1, 2, 3, -1, 0, 1 }, targets[2] = { 1, 2 };
    tcsi_node_id x = tcsi_nn_input(net, 1, 3), target = tcsi_nn_input(net, 1, 1);
    tcsi_node_id h = tcsi_nn_dense(net, x, &(tcsi_dense_options){ .units = 4, .activation = TCSI_ACTIVATION_TANH });
    tcsi_net_group(net, 1);
    tcsi_node_id y = tcsi_nn_dense(net, h, &(tcsi_dense_options){ .units = 1 });
    tcsi_node_id loss = tcsi_nn_loss_squared(net, y, target);
    assert_ok(tcsi_net_finish(net, test_err));
    for (uint64_t groups = 1; groups <= 2; groups++) {
        tcsi_plan_options options = { .net = net, .batch = 2, .has_loss = true, .loss = loss, .groups = groups };
        assert_ok(tcsi_plan_create(&options, &plan, test_err));
        (void)tcsi_plan_backward(plan, NULL, &(tcsi_run){ .inputs = { values, targets }, .batch = 2 });
        for (size_t i = 0; i < net->tensor_count; i++) {
            const tcsi_weight *weight = &net->tensors[i];
            double sum = 0;
            for (size_t k = 0; k < weight->count; k++) sum += fabs((double)tcsi_plan_gradients(plan)[weight->offset + k]);
            assert_int_equal(sum > 0, groups >> weight->group & 1);
        }
        tcsi_plan_destroy(plan);
    }
    tcsi_net_destroy(net);
}

/* A target made by trained weights: the loss moves what is compared with it, never the target.  A second loss runs backward first
 * and leaves its numbers in the memory that buffers share. */
static void test_targets_get_no_gradient(void **state)
{
    (void)state;
    tcsi_net *net = new_net();
    tcsi_plan *plan;
    float values[2 * 3] = { 1, 2, 3, -1, 0, 1 }, zeros[2] = { 0, 0 };
    tcsi_node_id x = tcsi_nn_input(net, 1, 3), zero = tcsi_nn_input(net, 1, 1);
    tcsi_node_id target = tcsi_nn_dense(net, x, &(tcsi_dense_options){ .units = 4 });
    tcsi_net_group(net, 1);
    tcsi_node_id y = tcsi_nn_dense(net, x, &(tcsi_dense_options){ .units = 4 });
    tcsi_node_id loss = tcsi_nn_loss_absolute(net, tcsi_nn_loss_squared(net, y, target), zero);
    assert_ok(tcsi_net_finish(net, test_err));
    for (uint64_t groups = 0; groups <= 2; groups++) {
        tcsi_plan_options options = { .net = net, .batch = 2, .has_loss = true, .loss = loss, .groups = groups };
        assert_ok(tcsi_plan_create(&options, &plan, test_err));
        assert_true(tcsi_plan_backward(plan, NULL, &(tcsi_run){ .inputs = { values, zeros }, .batch = 2 }) > 0);
        for (size_t i = 0; i < net->tensor_count; i++) {
            const tcsi_weight *weight = &net->tensors[i];
            double sum = 0;
            for (size_t k = 0; k < weight->count; k++) sum += fabs((double)tcsi_plan_gradients(plan)[weight->offset + k]);
            assert_int_equal(sum > 0, weight->group == 1 && groups != 1);
        }
        tcsi_plan_destroy(plan);
    }
    tcsi_net_destroy(net);
}

TCS_TEST_MAIN(cmocka_unit_test(test_the_first_error_sticks), cmocka_unit_test(test_shapes_that_do_not_fit_are_refused),
              cmocka_unit_test(test_weights_too_large_are_refused), cmocka_unit_test(test_names_and_layout),
              cmocka_unit_test(test_a_name_taken_is_refused), cmocka_unit_test(test_sharing), cmocka_unit_test(test_start_values),
              cmocka_unit_test(test_plans_refuse_nonsense), cmocka_unit_test(test_groups), cmocka_unit_test(test_targets_get_no_gradient))
