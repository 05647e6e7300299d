/* nn/loss_test.c -- what losses answer at the edges: missing targets, numbers without end, rows that do not count, batches of one row;
 * and that each does what it is for.  Values and gradients in general are compared with PyTorch in golden_test.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "nn/layers.h"
#include "nn/train.h"
#include "nn_cases.h"

enum { ROWS_MAX = 64 };

/* A net of inputs and a loss on them, and what one run gave. */
typedef struct probe {
    tcsi_net *net;
    tcsi_plan *plan;
    const float *losses;
    double mean;
} probe;

static tcsi_net *new_net(void)
{
    tcsi_net *net = NULL;
    assert_ok(tcsi_net_create(1, &net, test_err));
    return net;
}

static probe probe_of(tcsi_net *net, tcsi_node_id loss, const tcsi_run *run)
{
    probe p = { .net = net };
    if (!net->is_finished) assert_ok(tcsi_net_finish(net, test_err));
    tcsi_plan_options options = { .net = net, .batch = run->batch, .has_loss = true, .loss = loss, .input_gradients = true };
    assert_ok(tcsi_plan_create(&options, &p.plan, test_err));
    p.mean = tcsi_plan_backward(p.plan, NULL, run);
    p.losses = tcsi_plan_values(p.plan, loss);
    return p;
}

static const float *gradient_of(const probe *p, tcsi_node_id input)
{
    return tcsi_plan_input_gradients(p->plan, input);
}

static void probe_deinit(probe *p)
{
    tcsi_plan_destroy(p->plan);
    tcsi_net_destroy(p->net);
}

/* ---- predicted distributions ---- */

/* Row 0 has no target, row 1 one of two, row 2 that one alone twice. */
static void test_missing_targets_are_left_out(void **state)
{
    (void)state;
    static const float targets[3 * 2] = { NAN, NAN, 0.7f, NAN, 0.7f, 0.7f };
    for (size_t kind = 0; kind < 6; kind++) {
        float values[3 * 6];
        tcsi_net *net = new_net();
        size_t blocks = kind == 1 || kind == 2 ? 3 : kind == 0 ? 2 : 1;
        tcsi_node_id x = tcsi_nn_input(net, 1, 2 * blocks), target = tcsi_nn_input(net, 1, 2), loss = TCSI_NODE_NONE;
        for (size_t i = 0; i < 3 * 2 * blocks; i++) values[i] = i / 2 % blocks == 0 ? 0.2f : 0.5f + (float)(i / 2 % blocks);
        if (kind == 0) loss = tcsi_nn_loss_gaussian(net, x, target);
        if (kind == 1) loss = tcsi_nn_loss_student(net, x, target, 0);
        if (kind == 2) loss = tcsi_nn_loss_quantile(net, x, target, &(tcsi_quantiles){ 3, { 0.1f, 0.5f, 0.9f } });
        if (kind == 3) loss = tcsi_nn_loss_logits(net, x, target);
        if (kind == 4) loss = tcsi_nn_loss_focal(net, x, target, &(tcsi_focal_options){ .gamma = 2 });
        if (kind == 5) loss = tcsi_nn_loss_deviation(net, x, target, &(tcsi_deviation_options){ 0 });
        probe p = probe_of(net, loss, &(tcsi_run){ .inputs = { values, targets }, .batch = 3 });
        assert_true(p.losses[0] == 0);
        assert_true(p.losses[1] != 0 && p.losses[1] == p.losses[2]);
        for (size_t i = 0; i < 2 * blocks; i++) {
            const float *gradient = gradient_of(&p, x);
            assert_true(gradient[i] == 0);
            if (i % 2 == 1) assert_true(gradient[2 * blocks + i] == 0);
            else assert_near((double)gradient[2 * blocks + i], (double)(gradient[4 * blocks + i] + gradient[4 * blocks + i + 1]), 1e-7);
        }
        probe_deinit(&p);
    }
}

/* Beyond its limits a log variance counts as the limit, and only a gradient that leads back passes. */
static void test_log_variances_stay_in_range(void **state)
{
    (void)state;
    /* mean and log variance: too small and right; too small and wrong; too large */
    static const float values[3 * 2] = { 1, -40, 1, -40, 1, 60 }, targets[3] = { 1, 3, 1 };
    tcsi_net *net = new_net();
    tcsi_node_id x = tcsi_nn_input(net, 1, 2), target = tcsi_nn_input(net, 1, 1), loss = tcsi_nn_loss_gaussian(net, x, target);
    probe p = probe_of(net, loss, &(tcsi_run){ .inputs = { values, targets }, .batch = 3 });
    const float *gradient = gradient_of(&p, x);
    double low = (double)TCSI_NN_LOG_VARIANCE_MIN, precision = exp(-low);
    assert_near((double)p.losses[0], low / 2, 1e-6);
    assert_near((double)p.losses[1] / (low / 2 + 2 * precision), 1, 1e-5);
    assert_near((double)p.losses[2], (double)TCSI_NN_LOG_VARIANCE_MAX / 2, 1e-6);
    assert_true(gradient[1] == 0);                            /* would only make it smaller still */
    assert_near((double)gradient[3] * 3 / ((1 - 4 * precision) / 2), 1, 1e-5);
    assert_near((double)gradient[5], 0.5 / 3, 1e-6);
    probe_deinit(&p);

    net = new_net();
    x = tcsi_nn_input(net, 1, 2);
    loss = tcsi_nn_loss_divergence(net, x);
    p = probe_of(net, loss, &(tcsi_run){ .inputs = { values }, .batch = 3 });
    gradient = gradient_of(&p, x);
    assert_near((double)p.losses[0], (1 + exp(low) - 1 - low) / 2, 1e-5);
    assert_near((double)p.losses[2] / ((exp(20) - 20) / 2), 1, 1e-5);
    assert_true(gradient[1] < 0 && gradient[5] > 0);          /* both lead back */
    probe_deinit(&p);
}

/* What does not fit into a float is infinite, not NaN. */
static void test_losses_too_large_are_infinite(void **state)
{
    (void)state;
    static const float values[2] = { 0, 0 }, targets[1] = { 1e30f };
    tcsi_net *net = new_net();
    tcsi_node_id x = tcsi_nn_input(net, 1, 2), target = tcsi_nn_input(net, 1, 1), loss = tcsi_nn_loss_gaussian(net, x, target);
    probe p = probe_of(net, loss, &(tcsi_run){ .inputs = { values, targets }, .batch = 1 });
    assert_true(p.losses[0] == INFINITY);
    probe_deinit(&p);
}

/* One degree of freedom is Cauchy's distribution, two have a closed form, very many are the normal one. */
static void test_student_against_closed_forms(void **state)
{
    (void)state;
    static const float degrees[3] = { 1, 2, TCSI_NN_DEGREES_MAX }, targets[4] = { 0.3f, -2, 40, 0 };
    float values[4 * 3];
    for (size_t k = 0; k < 3; k++) {
        tcsi_net *net = new_net();
        tcsi_node_id x = tcsi_nn_input(net, 1, 3), target = tcsi_nn_input(net, 1, 1), loss = tcsi_nn_loss_student(net, x, target, 0);
        for (size_t b = 0; b < 4; b++) memcpy(values + 3 * b, (float[]){ 0.1f, 1.5f, degrees[k] }, 3 * sizeof(float));
        probe p = probe_of(net, loss, &(tcsi_run){ .inputs = { values, targets }, .batch = 4 });
        for (size_t b = 0; b < 4; b++) {
            double z = ((double)targets[b] - (double)0.1f) / 1.5, pi = 3.14159265358979323846;
            double expected = k == 0   ? log(pi * 1.5 * (1 + z * z))
                              : k == 1 ? log(1.5 * 2 * sqrt(2)) + 1.5 * log1p(z * z / 2)
                                       : log(1.5) + log(2 * pi) / 2 + z * z / 2;
            assert_near((double)p.losses[b] / expected, 1, 2e-6);
        }
        probe_deinit(&p);
    }
}

/* An outlier pulls less the farther it is; a scale of 0 and below counts as the least one, and is pushed up by an error. */
static void test_student_is_robust(void **state)
{
    (void)state;
    static const float values[4 * 2] = { 0, 1, 0, 1, 0, 0, 0, -1 }, targets[4] = { 10, 1e20f, 1, 1 };
    tcsi_net *net = new_net();
    tcsi_node_id x = tcsi_nn_input(net, 1, 2), target = tcsi_nn_input(net, 1, 1), loss = tcsi_nn_loss_student(net, x, target, 3);
    probe p = probe_of(net, loss, &(tcsi_run){ .inputs = { values, targets }, .batch = 4 });
    const float *gradient = gradient_of(&p, x);
    assert_true(isfinite(p.losses[1]) && fabsf(gradient[2]) < fabsf(gradient[0]));
    assert_true(p.losses[2] == p.losses[3] && gradient[5] < 0 && gradient[5] == gradient[7]);
    probe_deinit(&p);
}

/* What minimizes the pinball loss on a sample are its quantiles. */
static void test_quantile_loss_finds_quantiles(void **state)
{
    (void)state;
    enum { COUNT = 999 };
    static float zeros[COUNT], targets[COUNT];
    tcsi_net *net = new_net();
    tcsi_plan *plan;
    tcsi_trainer *trainer;
    tcsi_node_id x = tcsi_nn_input(net, 1, 1), target = tcsi_nn_input(net, 1, 1);
    tcsi_node_id y = tcsi_nn_quantile_head(net, x, &(tcsi_quantile_head_options){ .units = 1, .quantile_count = 3 });
    tcsi_node_id loss = tcsi_nn_loss_quantile(net, y, target, &(tcsi_quantiles){ 3, { 0.1f, 0.5f, 0.9f } });
    for (size_t i = 0; i < COUNT; i++) targets[(i * 631) % COUNT] = (float)exp((double)i / COUNT * 4); /* skewed, in no order */
    assert_ok(tcsi_net_finish(net, test_err));
    tcsi_plan_options options = { .net = net, .batch = COUNT, .outputs = &y, .output_count = 1, .has_loss = true, .loss = loss };
    assert_ok(tcsi_plan_create(&options, &plan, test_err));
    tcsi_train_options training = { .rate = 0.3, .schedule = TCSI_SCHEDULE_COSINE, .step_count = 1500 };
    assert_ok(tcsi_trainer_create(net, &training, &trainer, test_err));
    tcsi_run run = { .inputs = { zeros, targets }, .batch = COUNT };
    for (size_t i = 0; i < 1500; i++) (void)tcsi_trainer_step(trainer, plan, NULL, &run);
    tcsi_plan_forward(plan, NULL, &run);
    for (size_t q = 0; q < 3; q++)
        assert_near((double)tcsi_plan_values(plan, y)[q] / exp((double[]){ 0.1, 0.5, 0.9 }[q] * 4), 1, 0.02);
    tcsi_trainer_destroy(trainer);
    tcsi_plan_destroy(plan);
    tcsi_net_destroy(net);
}

static void test_quantiles_do_not_cross(void **state)
{
    (void)state;
    float values[ROWS_MAX * 3];
    tcsi_net *net = new_net();
    tcsi_plan *plan;
    tcsi_node_id x = tcsi_nn_input(net, 1, 3);
    tcsi_node_id y = tcsi_nn_quantile_head(net, x, &(tcsi_quantile_head_options){ .units = 2, .quantile_count = 4 });
    assert_ok(tcsi_net_finish(net, test_err));
    assert_ok(tcsi_plan_create(&(tcsi_plan_options){ .net = net, .batch = ROWS_MAX, .outputs = &y, .output_count = 1 }, &plan, test_err));
    nn_fill_values(NN_FILL_NORMAL, 1, TCS_COUNT(values), values);
    for (size_t i = 0; i < TCS_COUNT(values); i++) values[i] *= 1000;
    tcsi_plan_forward(plan, NULL, &(tcsi_run){ .inputs = { values }, .batch = ROWS_MAX });
    for (size_t b = 0; b < ROWS_MAX; b++)
        for (size_t i = 2; i < 8; i++) assert_true(tcsi_plan_values(plan, y)[8 * b + i] >= tcsi_plan_values(plan, y)[8 * b + i - 2]);
    tcsi_plan_destroy(plan);
    tcsi_net_destroy(net);
}

/* ---- scores and labels ---- */

static void test_logits_without_end(void **state)
{
    (void)state;
    static const float logits[8] = { 1e4f, -1e4f, INFINITY, -INFINITY, 1e4f, -1e4f, INFINITY, -INFINITY };
    static const float targets[8] = { 1, 0, 1, 0, 0, 1, 0, 1 }; /* four right, four wrong */
    for (size_t k = 0; k < 3; k++) {
        tcsi_net *net = new_net();
        tcsi_node_id x = tcsi_nn_input(net, 1, 1), target = tcsi_nn_input(net, 1, 1);
        tcsi_node_id loss = tcsi_nn_loss_focal(net, x, target, &(tcsi_focal_options){ .gamma = (float[]){ 0, 2, 0.5f }[k] });
        probe p = probe_of(net, loss, &(tcsi_run){ .inputs = { logits, targets }, .batch = 8 });
        for (size_t b = 0; b < 4; b++) assert_true(p.losses[b] == 0 && gradient_of(&p, x)[b] == 0);
        for (size_t b = 4; b < 8; b++) {
            assert_true(p.losses[b] == fabsf(logits[b]));
            assert_near((double)gradient_of(&p, x)[b], targets[b] > 0 ? -0.125 : 0.125, 1e-7);
        }
        probe_deinit(&p);
    }
}

static void test_a_logit_that_is_no_number_shows(void **state)
{
    (void)state;
    static const float logits[1] = { NAN }, targets[1] = { 1 };
    for (size_t k = 0; k < 2; k++) {
        tcsi_net *net = new_net();
        tcsi_node_id x = tcsi_nn_input(net, 1, 1), target = tcsi_nn_input(net, 1, 1);
        tcsi_node_id loss = tcsi_nn_loss_focal(net, x, target, &(tcsi_focal_options){ .gamma = (float)(2 * k) });
        probe p = probe_of(net, loss, &(tcsi_run){ .inputs = { logits, targets }, .batch = 1 });
        assert_true(isnan(p.losses[0]));
        probe_deinit(&p);
    }
}

/* A tolerant loss has an end, 1 / q, and hardly pulls where it is all wrong. */
static void test_a_tolerant_loss_has_an_end(void **state)
{
    (void)state;
    static const float logits[5] = { 1e4f, -1e4f, INFINITY, 30, 0 }, targets[5] = { 0, 0, 1, 0, 1 };
    tcsi_net *net = new_net();
    tcsi_node_id x = tcsi_nn_input(net, 1, 1), target = tcsi_nn_input(net, 1, 1);
    tcsi_node_id loss = tcsi_nn_loss_focal(net, x, target, &(tcsi_focal_options){ .tolerance = 0.5f });
    probe p = probe_of(net, loss, &(tcsi_run){ .inputs = { logits, targets }, .batch = 5 });
    assert_true(p.losses[0] == 2 && p.losses[1] == 0 && p.losses[2] == 0);
    assert_near((double)p.losses[3], 2 * (1 - exp(-15)), 1e-6);
    assert_near((double)p.losses[4], 2 * (1 - sqrt(0.5)), 1e-6);
    for (size_t b = 0; b < 3; b++) assert_true(gradient_of(&p, x)[b] == 0);
    assert_near((double)gradient_of(&p, x)[3], exp(-15) / 5, 1e-9);
    assert_near((double)gradient_of(&p, x)[4], -0.5 * sqrt(0.5) / 5, 1e-7);
    probe_deinit(&p);
}

/* Rows 0 and 1 are called yes, 2 to 4 nothing, 5 neither, 6 does not count: by hand, and what happens without either kind. */
static void test_unlabelled_rows_by_hand(void **state)
{
    (void)state;
    static const float as_yes[7] = { 1, 2, 8, 8, 8, 8, 8 }, as_no[7] = { 0.5f, 1, 3, 4, 5, 9, INFINITY };
    static const float labels[7] = { 1, 1, 0, 0, 0, NAN, 1 }, none[7] = { 0 }, weights[7] = { 1, 1, 1, 1, 1, 1, 0 };
    tcsi_net *net = new_net();
    tcsi_node_id yes = tcsi_nn_input(net, 1, 1), no = tcsi_nn_input(net, 1, 1), label = tcsi_nn_input(net, 1, 1);
    tcsi_node_id loss = tcsi_nn_loss_unlabelled(net, yes, no, label);
    assert_ok(tcsi_net_finish(net, test_err));
    tcsi_nn_unlabelled_set_share(net, loss, 0.25f);
    tcsi_run run = { .inputs = { as_yes, as_no, labels }, .batch = 7, .row_weights = weights };
    probe p = probe_of(net, loss, &run);
    /* 0.25 * 3/2 / 0.75 = 0.5 of what yes costs as no is taken away; 1 / 0.75 of the others'. */
    const double expected[6] = { 1 - 0.25, 2 - 0.5, 4, 16.0 / 3, 20.0 / 3, 0 };
    for (size_t b = 0; b < 6; b++) assert_near((double)p.losses[b], expected[b], 1e-5);
    assert_near((double)gradient_of(&p, yes)[0] * 6, 1, 1e-6);
    assert_near((double)gradient_of(&p, no)[1] * 6, -0.5, 1e-6);
    assert_near((double)gradient_of(&p, no)[2] * 6, 4.0 / 3, 1e-6);
    assert_true(gradient_of(&p, yes)[2] == 0 && gradient_of(&p, no)[5] == 0);
    run.inputs[2] = none;
    (void)tcsi_plan_backward(p.plan, NULL, &run);
    for (size_t b = 0; b < 6; b++) assert_true(p.losses[b] == as_no[b]);
    probe_deinit(&p);
}

/* Training a constant on rows of which a tenth are yes: the logit becomes that of a tenth; adjusted, that of one half. */
static void test_logit_adjustment_balances(void **state)
{
    (void)state;
    static float zeros[100], targets[100];
    for (size_t i = 0; i < 10; i++) targets[i] = 1;
    for (size_t k = 0; k < 2; k++) {
        tcsi_net *net = new_net();
        tcsi_plan *plan;
        tcsi_trainer *trainer;
        tcsi_node_id x = tcsi_nn_input(net, 1, 1), target = tcsi_nn_input(net, 1, 1);
        tcsi_node_id y = tcsi_nn_dense(net, x, &(tcsi_dense_options){ .units = 1 });
        tcsi_node_id loss = tcsi_nn_loss_focal(net, y, target, &(tcsi_focal_options){ .base_rate = k ? 0.1f : 0 });
        assert_ok(tcsi_net_finish(net, test_err));
        assert_ok(tcsi_plan_create(&(tcsi_plan_options){ .net = net, .batch = 100, .has_loss = true, .loss = loss }, &plan, test_err));
        assert_ok(tcsi_trainer_create(net, &(tcsi_train_options){ .rate = 0.05 }, &trainer, test_err));
        for (size_t i = 0; i < 500; i++)
            (void)tcsi_trainer_step(trainer, plan, NULL, &(tcsi_run){ .inputs = { zeros, targets }, .batch = 100 });
        assert_near((double)tcsi_net_values(net, tcsi_net_find(net, "dense2.bias"))[0], k ? 0 : log(0.1 / 0.9), 0.01);
        tcsi_trainer_destroy(trainer);
        tcsi_plan_destroy(plan);
        tcsi_net_destroy(net);
    }
}

/* The reference is drawn once a run: one for all rows of all shards, another in the next step, about 0 and 1. */
static void test_deviation_draws_one_reference_a_run(void **state)
{
    (void)state;
    enum { COUNT = 400 };
    static float scores[COUNT * 1000], labels[COUNT * 1000];
    tcsi_net *net = new_net();
    tcsi_node_id x = tcsi_nn_input(net, 1000, 1), label = tcsi_nn_input(net, 1000, 1);
    tcsi_node_id loss = tcsi_nn_loss_deviation(net, x, label, &(tcsi_deviation_options){ 0 });
    for (size_t i = 0; i < TCS_COUNT(scores); i++) scores[i] = 2;
    tcsi_run run = { .inputs = { scores, labels }, .batch = COUNT, .is_stochastic = true, .seed = 7 };
    probe p = probe_of(net, loss, &run);
    float first = p.losses[0];
    for (size_t b = 1; b < COUNT; b++) assert_true(p.losses[b] == first);
    assert_true(first != 2 && fabsf(first - 2) < 0.1f);
    run.step = 1;
    (void)tcsi_plan_backward(p.plan, NULL, &run);
    assert_true(p.losses[0] != first && fabsf(p.losses[0] - 2) < 0.1f);
    run.is_stochastic = false;
    (void)tcsi_plan_backward(p.plan, NULL, &run);
    assert_true(p.losses[0] == 2);
    for (size_t i = 0; i < TCS_COUNT(labels); i++) labels[i] = 1;
    (void)tcsi_plan_backward(p.plan, NULL, &run);
    assert_true(p.losses[0] == 3);
    probe_deinit(&p);
}

static void test_sphere_center_and_radius(void **state)
{
    (void)state;
    static const float z[3 * 2] = { 1, -0.05f, 3, 0, 2, 0.02f }, rows[2 * 2] = { 2, -0.1f, 5, -0.1f };
    tcsi_net *net = new_net();
    tcsi_node_id x = tcsi_nn_input(net, 1, 2), sphere = tcsi_nn_sphere(net, x), loss = tcsi_nn_loss_soft_boundary(net, sphere, 0.25f);
    assert_ok(tcsi_net_finish(net, test_err));
    tcsi_nn_sphere_set_center(net, sphere, 3, z); /* 2, and -0.01 that is moved away from 0 */
    tcsi_nn_sphere_set_radius(net, loss, 2);
    probe p = probe_of(net, loss, &(tcsi_run){ .inputs = { rows }, .batch = 2 });
    assert_true(p.losses[0] == 4);
    assert_near((double)p.losses[1], 4 + (9 - 4) / 0.25, 1e-5);
    const float *gradient = gradient_of(&p, x);
    assert_true(gradient[0] == 0 && gradient[1] == 0 && gradient[3] == 0);
    assert_near((double)gradient[2], 2 * 3 / 0.25 / 2, 1e-5);
    assert_int_equal(tcsi_net_trained_count(net), 0);
    probe_deinit(&p);
}

static void test_sphere_labels(void **state)
{
    (void)state;
    static const float rows[5] = { 2, 2, 2, 2, 0 }, labels[5] = { 0, 1, -1, NAN, -1 };
    tcsi_net *net = new_net();
    tcsi_node_id x = tcsi_nn_input(net, 1, 1), label = tcsi_nn_input(net, 1, 1);
    tcsi_node_id loss = tcsi_nn_loss_sphere_labels(net, tcsi_nn_sphere(net, x), label, 3);
    probe p = probe_of(net, loss, &(tcsi_run){ .inputs = { rows, labels }, .batch = 5 });
    const float *gradient = gradient_of(&p, x);
    assert_near((double)p.losses[0], 4, 1e-6);
    assert_near((double)p.losses[1], 12, 1e-5);
    assert_near((double)p.losses[2], 0.75, 1e-5);
    assert_true(gradient[0] > 0 && gradient[1] > 0 && gradient[2] < 0); /* anomalies are pushed away */
    assert_true(p.losses[3] == 0 && gradient[3] == 0);
    assert_near((double)p.losses[4] / 3e6, 1, 1e-5);                     /* in the centre: large, not infinite */
    assert_true(isfinite(gradient[4]));
    probe_deinit(&p);
}

/* ---- rows among each other ---- */

/* a (B,1,4) and b, and InfoNCE or the farthest in batch on them. */
static tcsi_node_id pair_loss(tcsi_net *net, bool is_infonce, tcsi_node_id *ret_a, tcsi_node_id *ret_b)
{
    *ret_a = tcsi_nn_input(net, 1, 4);
    *ret_b = tcsi_nn_input(net, 1, 4);
    return is_infonce ? tcsi_nn_loss_infonce(net, *ret_a, *ret_b, 0) : tcsi_nn_loss_farthest(net, *ret_a, *ret_b, 3);
}

static void test_a_row_alone_has_loss_zero(void **state)
{
    (void)state;
    static const float values[8] = { 1, 2, 3, 4, -1, 0, 2, 5 };
    for (size_t k = 0; k < 2; k++) {
        tcsi_net *net = new_net();
        tcsi_node_id a, b, loss = pair_loss(net, k == 0, &a, &b);
        probe p = probe_of(net, loss, &(tcsi_run){ .inputs = { values, values + 4 }, .batch = 1 });
        assert_true(p.losses[0] == 0);
        for (size_t i = 0; i < 4; i++) assert_true(gradient_of(&p, a)[i] == 0 && gradient_of(&p, b)[i] == 0);
        probe_deinit(&p);
    }
}

/* Row 2 of weight 0, whatever it holds: the others answer as if it were not there, and it gets no gradient. */
static void test_rows_of_weight_zero_are_nobodys_partner(void **state)
{
    (void)state;
    enum { COUNT = 5, LEFT_OUT = 2 };
    float a_values[COUNT * 4], b_values[COUNT * 4], weights[COUNT] = { 1, 2, 0, 0.5f, 1 };
    static const float poison[] = { NAN, INFINITY, 1e38f, 0 };
    for (size_t k = 0; k < 2; k++) for (size_t i = 0; i < TCS_COUNT(poison); i++) {
        nn_fill_values(NN_FILL_NORMAL, 1, COUNT * 4, a_values);
        nn_fill_values(NN_FILL_NORMAL, 2, COUNT * 4, b_values);
        for (size_t c = 0; c < 4; c++) a_values[4 * LEFT_OUT + c] = b_values[4 * LEFT_OUT + c] = poison[i];
        tcsi_net *net = new_net(), *fewer = new_net();
        tcsi_node_id a, b, loss = pair_loss(net, k == 0, &a, &b);
        probe p = probe_of(net, loss, &(tcsi_run){ .inputs = { a_values, b_values }, .batch = COUNT, .row_weights = weights });
        loss = pair_loss(fewer, k == 0, &a, &b);
        for (size_t c = 4 * LEFT_OUT; c < 4 * (COUNT - 1); c++) {
            a_values[c] = a_values[c + 4];
            b_values[c] = b_values[c + 4];
        }
        memmove(weights + LEFT_OUT, weights + LEFT_OUT + 1, 2 * sizeof(float));
        probe q = probe_of(fewer, loss, &(tcsi_run){ .inputs = { a_values, b_values }, .batch = COUNT - 1, .row_weights = weights });
        assert_near(p.mean, q.mean, 1e-6);
        for (size_t c = 0; c < 4 * COUNT; c++) {
            size_t other = c / 4 < LEFT_OUT ? c : c - 4;
            if (c / 4 == LEFT_OUT) assert_true(gradient_of(&p, a)[c] == 0 && gradient_of(&p, b)[c] == 0);
            if (c / 4 == LEFT_OUT) continue;
            assert_near((double)gradient_of(&p, a)[c], (double)gradient_of(&q, a)[other], 1e-6);
            assert_near((double)gradient_of(&p, b)[c], (double)gradient_of(&q, b)[other], 1e-6);
        }
        memcpy(weights, (float[]){ 1, 2, 0, 0.5f, 1 }, sizeof weights);
        probe_deinit(&p);
        probe_deinit(&q);
    }
}

static void test_no_row_counts(void **state)
{
    (void)state;
    static const float values[8] = { 1, 2, 3, 4, -1, 0, 2, 5 }, weights[2] = { 0, 0 };
    for (size_t k = 0; k < 2; k++) {
        tcsi_net *net = new_net();
        tcsi_node_id a, b, loss = pair_loss(net, k == 0, &a, &b);
        probe p = probe_of(net, loss, &(tcsi_run){ .inputs = { values, values }, .batch = 2, .row_weights = weights });
        assert_true(p.mean == 0);
        for (size_t i = 0; i < 8; i++) assert_true(gradient_of(&p, a)[i] == 0 && gradient_of(&p, b)[i] == 0);
        probe_deinit(&p);
    }
}

/* Vectors without a direction, equal ones, and ones whose squares do not fit into a float. */
static void test_directions_at_the_edges(void **state)
{
    (void)state;
    for (size_t k = 0; k < 2; k++) for (size_t i = 0; i < 3; i++) {
        float values[3 * 4];
        for (size_t c = 0; c < TCS_COUNT(values); c++) values[c] = (float[]){ 0, 1, 1e30f }[i];
        tcsi_net *net = new_net();
        tcsi_node_id a, b, loss = pair_loss(net, k == 0, &a, &b);
        probe p = probe_of(net, loss, &(tcsi_run){ .inputs = { values, values }, .batch = 3 });
        for (size_t r = 0; r < 3; r++) assert_near((double)p.losses[r], k == 0 ? log(3) : 3, 1e-5); /* nobody can be told apart */
        for (size_t c = 0; c < TCS_COUNT(values); c++) {
            assert_near((double)gradient_of(&p, a)[c], 0, 1e-6);
            assert_near((double)gradient_of(&p, b)[c], 0, 1e-6);
        }
        probe_deinit(&p);
    }
}

/* Four anchors, 0 opposite to 2 and 1 to 3. */
static void test_the_farthest_is_the_negative(void **state)
{
    (void)state;
    static const float anchors[4 * 4] = { 1, 0, 0, 0, 0, 2, 0, 0, -1, 0, 0, 0, 0, -3, 0, 0 };
    static const float positives[4 * 4] = { 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, -1, 0, 0 };
    tcsi_net *net = new_net();
    tcsi_node_id a = tcsi_nn_input(net, 1, 4), b = tcsi_nn_input(net, 1, 4), loss = tcsi_nn_loss_farthest(net, a, b, 2.5f);
    probe p = probe_of(net, loss, &(tcsi_run){ .inputs = { anchors, positives }, .batch = 4 });
    assert_near((double)p.losses[0], 2.5 + 0 - 2, 1e-6); /* opposite: distance 2 */
    assert_near((double)p.losses[1], 2.5 + 0 - 2, 1e-6);
    assert_near((double)p.losses[2], 2.5 + 1 - 2, 1e-6); /* its positive at a right angle */
    assert_near((double)p.losses[3], 2.5 + 0 - 2, 1e-6);
    probe_deinit(&p);

    net = new_net(); /* the default margin: 0.5, and far enough is no loss */
    a = tcsi_nn_input(net, 1, 4);
    b = tcsi_nn_input(net, 1, 4);
    loss = tcsi_nn_loss_farthest(net, a, b, 0);
    p = probe_of(net, loss, &(tcsi_run){ .inputs = { anchors, anchors }, .batch = 4 });
    for (size_t r = 0; r < 4; r++) assert_true(p.losses[r] == 0);
    for (size_t c = 0; c < 16; c++) assert_true(gradient_of(&p, a)[c] == 0);
    probe_deinit(&p);
}

static void test_equal_farthest_rows(void **state)
{
    (void)state;
    static const float anchors[3 * 2] = { 1, 0, 0, 1, 0, -1 }; /* 1 and 2 are equally far from 0 */
    tcsi_net *net = new_net();
    tcsi_node_id a = tcsi_nn_input(net, 1, 2), b = tcsi_nn_input(net, 1, 2), loss = tcsi_nn_loss_farthest(net, a, b, 2);
    static const float weights[3] = { 1, 1e-30f, 1e-30f };
    probe p = probe_of(net, loss, &(tcsi_run){ .inputs = { anchors, anchors }, .batch = 3, .row_weights = weights });
    assert_true(gradient_of(&p, a)[2] != 0); /* the lower of the two is pushed away */
    assert_near((double)gradient_of(&p, a)[4], 0, 1e-20);
    probe_deinit(&p);
}

static void test_triplets_of_equal_rows(void **state)
{
    (void)state;
    static const float values[4] = { 1, 2, 3, 4 };
    tcsi_net *net = new_net();
    tcsi_node_id a = tcsi_nn_input(net, 1, 4), b = tcsi_nn_input(net, 1, 4), c = tcsi_nn_input(net, 1, 4);
    tcsi_node_id loss = tcsi_nn_loss_triplet(net, a, b, c, 0);
    probe p = probe_of(net, loss, &(tcsi_run){ .inputs = { values, values, values }, .batch = 1 });
    assert_true(p.losses[0] == 1);
    for (size_t i = 0; i < 4; i++) assert_true(isfinite(gradient_of(&p, a)[i]) && isfinite(gradient_of(&p, b)[i]));
    probe_deinit(&p);
}

/* ---- several at once ---- */

static void test_a_coefficient_of_zero_leaves_a_loss_out(void **state)
{
    (void)state;
    static const float values[2] = { NAN, 3 }, targets[1] = { 1 };
    tcsi_net *net = new_net();
    tcsi_node_id bad = tcsi_nn_input(net, 1, 1), x = tcsi_nn_input(net, 1, 1), target = tcsi_nn_input(net, 1, 1);
    tcsi_node_id losses[] = { tcsi_nn_loss_squared(net, bad, target), tcsi_nn_loss_squared(net, x, target) };
    tcsi_node_id loss = tcsi_nn_loss_sum(net, losses, (float[]){ 0, 0.5f }, 2);
    probe p = probe_of(net, loss, &(tcsi_run){ .inputs = { values, values + 1, targets }, .batch = 1 });
    assert_true(p.losses[0] == 2);
    probe_deinit(&p);
}

/* ---- refusals ---- */

typedef struct refusal {
    const char *words;
    tcsi_node_id (*build)(tcsi_net *net, tcsi_node_id one, tcsi_node_id two, tcsi_node_id wide);
} refusal;

#define REFUSAL(name, expression) \
    static tcsi_node_id name(tcsi_net *net, tcsi_node_id one, tcsi_node_id two, tcsi_node_id wide) \
    { \
        (void)one, (void)two, (void)wide; \
        return expression; \
    }
REFUSAL(gaussian_odd, tcsi_nn_loss_gaussian(net, wide, one))
REFUSAL(divergence_odd, tcsi_nn_loss_divergence(net, wide))
REFUSAL(sample_odd, tcsi_nn_sample(net, one))
REFUSAL(student_degrees, tcsi_nn_loss_student(net, two, one, 0.01f))
REFUSAL(student_channels, tcsi_nn_loss_student(net, two, one, 0))
REFUSAL(quantile_none, tcsi_nn_loss_quantile(net, one, one, &(tcsi_quantiles){ 0 }))
REFUSAL(quantile_level, tcsi_nn_loss_quantile(net, one, one, &(tcsi_quantiles){ 1, { 1 } }))
REFUSAL(quantile_channels, tcsi_nn_loss_quantile(net, one, one, &(tcsi_quantiles){ 2, { 0.1f, 0.9f } }))
REFUSAL(head_units, tcsi_nn_gaussian_head(net, one, &(tcsi_gaussian_head_options){ 0 }))
REFUSAL(logits_target, tcsi_nn_loss_logits_all(net, one, 1.5f))
REFUSAL(logits_shape, tcsi_nn_loss_logits(net, one, two))
REFUSAL(focal_gamma, tcsi_nn_loss_focal(net, one, one, &(tcsi_focal_options){ .gamma = NAN }))
REFUSAL(focal_rate, tcsi_nn_loss_focal(net, one, one, &(tcsi_focal_options){ .base_rate = 1 }))
REFUSAL(focal_tolerance, tcsi_nn_loss_focal(net, one, one, &(tcsi_focal_options){ .tolerance = 2 }))
REFUSAL(unlabelled_shape, tcsi_nn_loss_unlabelled(net, one, two, one))
REFUSAL(deviation_count, tcsi_nn_loss_deviation(net, one, one, &(tcsi_deviation_options){ .reference_count = 1 }))
REFUSAL(boundary_nu, tcsi_nn_loss_soft_boundary(net, one, 0))
REFUSAL(boundary_shape, tcsi_nn_loss_soft_boundary(net, two, 0.5f))
REFUSAL(labels_shape, tcsi_nn_loss_sphere_labels(net, one, two, 1))
REFUSAL(infonce_temperature, tcsi_nn_loss_infonce(net, one, one, -1))
REFUSAL(infonce_shape, tcsi_nn_loss_infonce(net, one, two, 1))
REFUSAL(farthest_margin, tcsi_nn_loss_farthest(net, one, one, NAN))
REFUSAL(triplet_shape, tcsi_nn_loss_triplet(net, one, one, two, 1))
REFUSAL(sum_shape, tcsi_nn_loss_sum(net, &two, (float[]){ 1 }, 1))
REFUSAL(sum_coefficient, tcsi_nn_loss_sum(net, &one, (float[]){ INFINITY }, 1))
REFUSAL(sum_count, tcsi_nn_loss_sum(net, &one, (float[]){ 1 }, 0))
REFUSAL(bayes_units, tcsi_nn_bayes(net, one, &(tcsi_bayes_options){ 0 }))
REFUSAL(bayes_deviation, tcsi_nn_bayes(net, one, &(tcsi_bayes_options){ .units = 1, .start_deviation = -1 }))
REFUSAL(bayes_prior, tcsi_nn_loss_bayes(net, tcsi_nn_bayes(net, one, &(tcsi_bayes_options){ .units = 1 }), -1))
REFUSAL(coupling_shape, tcsi_nn_coupling(net, wide, two, 1))
REFUSAL(coupling_bound, tcsi_nn_coupling(net, two, two, 0))
REFUSAL(log_det_before, tcsi_nn_log_det(net, two, two, 1))
REFUSAL(flow_log_det, tcsi_nn_loss_flow(net, two, two))

static void test_nonsense_is_refused(void **state)
{
    (void)state;
    static const refusal refusals[] = {
        { "loss_gaussian: 1 steps and 3 channels", gaussian_odd }, { "an even number, got 3", divergence_odd },
        { "an even number, got 1", sample_odd }, { "needs degrees of freedom in 0.1", student_degrees },
        { "2 channels, 3 for each of a target of 1 and 1", student_channels }, { "needs 1 to 15 levels, got 0", quantile_none },
        { "needs levels above 0 and below 1, got 1", quantile_level }, { "1 channels, 2 for each", quantile_channels },
        { "dense: needs 1 or more units", head_units }, { "needs a target in [0, 1], got 1.5", logits_target },
        { "against a target of 1 and 2", logits_shape }, { "needs gamma in [0, 100]", focal_gamma },
        { "needs base_rate in [0, 1)", focal_rate }, { "needs a tolerance in [0, 1], got 2", focal_tolerance },
        { "1 steps and 2 channels in input 1", unlabelled_shape },
        { "2 to 1000000 reference scores, got 0 and 1", deviation_count }, { "needs nu above 0", boundary_nu },
        { "needs one distance a row, got 1 steps and 2 channels", boundary_shape }, { "needs one label a row", labels_shape },
        { "needs a temperature in [0.001, 1e6]", infonce_temperature }, { "and one of 1 and 2", infonce_shape },
        { "needs a margin in [0, 1e6], got nan", farthest_margin }, { "and input 2 of 1 and 2", triplet_shape },
        { "expected one value a row", sum_shape }, { "coefficient 0 is not finite", sum_coefficient }, { "needs 1 to 4 inputs", sum_count },
        { "bayes: needs 1 or more units", bayes_units }, { "needs a start_deviation in [0, 1000]", bayes_deviation },
        { "needs a prior deviation", bayes_prior }, { "expected 1 and 4", coupling_shape }, { "needs a bound above 0", coupling_bound },
        { "needs one value a row to add to", log_det_before }, { "needs one log determinant a row", flow_log_det },
    };
    for (size_t i = 0; i < TCS_COUNT(refusals); i++) {
        tcs_error err = { 0 };
        tcsi_net *net = new_net();
        tcsi_node_id one = tcsi_nn_input(net, 1, 1), two = tcsi_nn_input(net, 1, 2), wide = tcsi_nn_input(net, 1, 3);
        assert_int_equal(refusals[i].build(net, one, two, wide), TCSI_NODE_NONE);
        assert_int_equal(tcsi_net_finish(net, &err), TCS_E_INVALID);
        if (!strstr(err.text, refusals[i].words)) print_error("refusal %zu got: %s\n", i, err.text);
        assert_non_null(strstr(err.text, refusals[i].words));
        tcsi_net_destroy(net);
    }
}

TCS_TEST_MAIN(cmocka_unit_test(test_missing_targets_are_left_out), cmocka_unit_test(test_log_variances_stay_in_range),
              cmocka_unit_test(test_losses_too_large_are_infinite), cmocka_unit_test(test_student_against_closed_forms),
              cmocka_unit_test(test_student_is_robust), cmocka_unit_test(test_quantile_loss_finds_quantiles),
              cmocka_unit_test(test_quantiles_do_not_cross), cmocka_unit_test(test_logits_without_end),
              cmocka_unit_test(test_a_logit_that_is_no_number_shows), cmocka_unit_test(test_a_tolerant_loss_has_an_end),
              cmocka_unit_test(test_unlabelled_rows_by_hand), cmocka_unit_test(test_logit_adjustment_balances),
              cmocka_unit_test(test_deviation_draws_one_reference_a_run), cmocka_unit_test(test_sphere_center_and_radius),
              cmocka_unit_test(test_sphere_labels), cmocka_unit_test(test_a_row_alone_has_loss_zero),
              cmocka_unit_test(test_rows_of_weight_zero_are_nobodys_partner), cmocka_unit_test(test_no_row_counts),
              cmocka_unit_test(test_directions_at_the_edges), cmocka_unit_test(test_the_farthest_is_the_negative),
              cmocka_unit_test(test_equal_farthest_rows), cmocka_unit_test(test_triplets_of_equal_rows),
              cmocka_unit_test(test_a_coefficient_of_zero_leaves_a_loss_out), cmocka_unit_test(test_nonsense_is_refused))
