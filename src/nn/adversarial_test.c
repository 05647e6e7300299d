/* nn/adversarial_test.c -- adversaries take turns: one net, a group of weights and a plan for each, and neither moves the other's.
 *
 * I. Goodfellow et al., "Generative adversarial nets", 2014, with the generator's loss that does not saturate, and a critic that learns
 * four times as fast (M. Heusel et al. 2017).  What is learned: numbers about -1 and about 2, as many of each.
 * SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/rng.h"
#include "nn/layers.h"
#include "nn/train.h"

enum { BATCH = 64, NOISE = 2, UNITS = 16, ASKED = 4000 };
enum { GENERATOR, CRITIC }; /* groups */

typedef struct game {
    tcsi_net *net;
    tcsi_node_id made;                 /* what the generator makes of noise */
    tcsi_plan *plans[2], *made_plan;
    tcsi_trainer *trainers[2];
    tcsi_rng rng;
    float real[BATCH], noise[BATCH * NOISE];
} game;

static tcsi_node_id dense(tcsi_net *net, tcsi_node_id x, size_t units, tcsi_activation activation)
{
    return tcsi_nn_dense(net, x, &(tcsi_dense_options){ .units = units, .activation = activation });
}

/* The critic's logit of what was made, by the weights with which it judges what is real. */
static tcsi_node_id judge_alike(tcsi_net *net, const tcsi_node_id *layers, size_t count, tcsi_node_id x)
{
    for (size_t i = 0; i < count; i++) x = tcsi_net_share(net, layers[i], &x, 1);
    return x;
}

static void game_init(game *g, uint64_t step_count)
{
    tcsi_node_id critic[3], losses[2];
    *g = (game){ .rng = tcsi_rng_make(9, 9) };
    assert_ok(tcsi_net_create(1, &g->net, test_err));
    tcsi_node_id real = tcsi_nn_input(g->net, 1, 1), noise = tcsi_nn_input(g->net, 1, NOISE);
    tcsi_net_group(g->net, GENERATOR);
    tcsi_node_id h = dense(g->net, noise, UNITS, TCSI_ACTIVATION_TANH);
    g->made = dense(g->net, dense(g->net, h, UNITS, TCSI_ACTIVATION_TANH), 1, TCSI_ACTIVATION_NONE);
    tcsi_net_group(g->net, CRITIC);
    critic[0] = dense(g->net, real, UNITS, TCSI_ACTIVATION_RELU);
    critic[1] = dense(g->net, critic[0], UNITS, TCSI_ACTIVATION_RELU);
    critic[2] = dense(g->net, critic[1], 1, TCSI_ACTIVATION_NONE);
    tcsi_node_id judged = judge_alike(g->net, critic, 3, g->made);
    losses[0] = tcsi_nn_loss_logits_all(g->net, critic[2], 1);
    losses[1] = tcsi_nn_loss_logits_all(g->net, judged, 0);
    tcsi_node_id by_group[2] = { tcsi_nn_loss_logits_all(g->net, judged, 1), tcsi_nn_loss_sum(g->net, losses, (float[]){ 1, 1 }, 2) };
    assert_ok(tcsi_net_finish(g->net, test_err));
    for (size_t k = 0; k < 2; k++) {
        tcsi_plan_options options = { .net = g->net, .batch = BATCH, .has_loss = true, .loss = by_group[k], .groups = (uint64_t)1 << k };
        tcsi_train_options training = { .rate = k == CRITIC ? 8e-3 : 2e-3, .beta1 = 0.5, .schedule = TCSI_SCHEDULE_COSINE,
                                        .step_count = step_count };
        assert_ok(tcsi_plan_create(&options, &g->plans[k], test_err));
        assert_ok(tcsi_trainer_create(g->net, &training, &g->trainers[k], test_err));
    }
    tcsi_plan_options options = { .net = g->net, .batch = ASKED, .outputs = &g->made, .output_count = 1 };
    assert_ok(tcsi_plan_create(&options, &g->made_plan, test_err));
}

static void game_deinit(game *g)
{
    for (size_t k = 0; k < 2; k++) {
        tcsi_plan_destroy(g->plans[k]);
        tcsi_trainer_destroy(g->trainers[k]);
    }
    tcsi_plan_destroy(g->made_plan);
    tcsi_net_destroy(g->net);
}

static float draw_real(tcsi_rng *rng)
{
    return (float)((tcsi_rng_uniform(rng) < 0.5 ? -1 : 2) + 0.5 * tcsi_rng_normal(rng));
}

/* One adversary's turn, on new rows. */
static void take_turn(game *g, size_t group)
{
    for (size_t i = 0; i < BATCH; i++) g->real[i] = draw_real(&g->rng);
    for (size_t i = 0; i < BATCH * NOISE; i++) g->noise[i] = (float)tcsi_rng_normal(&g->rng);
    tcsi_run run = { .inputs = { g->real, g->noise }, .batch = BATCH, .is_training = true };
    (void)tcsi_trainer_step(g->trainers[group], g->plans[group], NULL, &run);
}

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* How far what is made must be moved to lie as real numbers do: the mean distance of both in order (Wasserstein). */
static double distance(game *g, double *ret_share_low)
{
    static float real[ASKED], noise[ASKED * NOISE], made[ASKED];
    tcsi_rng rng = tcsi_rng_make(1, 2);
    double sum = 0, low = 0;
    for (size_t i = 0; i < ASKED; i++) real[i] = draw_real(&rng);
    for (size_t i = 0; i < ASKED * NOISE; i++) noise[i] = (float)tcsi_rng_normal(&rng);
    tcsi_plan_forward(g->made_plan, NULL, &(tcsi_run){ .inputs = { real, noise }, .batch = ASKED });
    memcpy(made, tcsi_plan_values(g->made_plan, g->made), sizeof made);
    qsort(real, ASKED, sizeof *real, by_value);
    qsort(made, ASKED, sizeof *made, by_value);
    for (size_t i = 0; i < ASKED; i++) {
        sum += fabs((double)real[i] - (double)made[i]);
        low += made[i] < 0.5f;
    }
    *ret_share_low = low / ASKED;
    return sum / ASKED;
}

static void test_each_moves_its_own_weights(void **state)
{
    (void)state;
    game g;
    game_init(&g, 10);
    size_t size = g.net->weight_count * sizeof(float);
    float *before = malloc(size);
    for (size_t turn = 0; turn < 4; turn++) {
        memcpy(before, g.net->weights.values, size);
        take_turn(&g, turn % 2);
        for (size_t i = 0; i < g.net->tensor_count; i++) {
            const tcsi_weight *weight = &g.net->tensors[i];
            bool moved = memcmp(before + weight->offset, g.net->weights.values + weight->offset, weight->count * sizeof(float)) != 0;
            assert_int_equal(moved, weight->group == turn % 2);
        }
    }
    free(before);
    game_deinit(&g);
}

static void test_a_generator_learns_two_modes(void **state)
{
    (void)state;
    game g;
    double low, start;
    uint64_t step_count = test_is_small() ? 20 : 2000;
    game_init(&g, step_count);
    start = distance(&g, &low);
    assert_true(start > 1);
    for (uint64_t i = 0; i < step_count; i++) {
        take_turn(&g, CRITIC);
        take_turn(&g, GENERATOR);
    }
    double end = distance(&g, &low);
    if (!test_is_small()) {
        assert_true(end < 0.3);
        assert_true(low > 0.3 && low < 0.7);
    }
    game_deinit(&g);
}

TCS_TEST_MAIN(cmocka_unit_test(test_each_moves_its_own_weights), cmocka_unit_test(test_a_generator_learns_two_modes))
