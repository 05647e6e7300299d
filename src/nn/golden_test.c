/* nn/golden_test.c -- every case of tests/support/nn_cases.h against the same net in PyTorch, in every tier: output, loss, gradients, the
 * weights after ten steps of AdamW and what the net then scores.
 *
 * Tolerances, of the largest number of a block: 1e-5 for values and gradients.  After ten steps 1e-4: Adam divides a gradient by its
 * own size, so the smallest gradients move a weight as far as the largest, with their larger relative error.
 * SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "nn/train.h"
#include "nn_golden.h"

static const double TOLERANCE = 1e-5, TOLERANCE_TRAINED = 1e-4;

#define EACH_ISA(isa) for (tcsi_isa isa = TCSI_ISA_PORTABLE; (int)isa < TCSI_ISA_COUNT; isa++) if (tcsi_isa_supported(isa))

static void check_gradients(const nn_case *one, const nn_bench *bench, const tcsi_plan *plan)
{
    for (size_t i = 0; i < bench->net->tensor_count; i++) {
        const tcsi_weight *weight = &bench->net->tensors[i];
        if (!weight->is_state)
            nn_golden_compare(one, "gradient", weight->name, tcsi_plan_gradients(plan) + weight->offset, weight->count, TOLERANCE);
    }
    for (size_t n = 0, k = 0; n < bench->net->node_count; n++) {
        char name[32], block[64];
        if (!(bench->net->nodes[n].op->traits & TCSI_OP_INPUT)) continue;
        snprintf(name, sizeof name, "input%zu", k);
        snprintf(block, sizeof block, "gradient.%s", name);
        if (nn_golden_has(one, block)) /* an index has none, nor has a target */
            nn_golden_compare(one, "gradient", name, tcsi_plan_input_gradients(plan, (tcsi_node_id)n), bench->run.batch * bench->counts[k],
                              TOLERANCE);
        k++;
    }
}

static void test_values_and_gradients(void **state)
{
    (void)state;
    EACH_ISA(isa) for (size_t k = 0; k < TCS_COUNT(nn_cases); k++) {
        const nn_case *one = &nn_cases[k];
        nn_bench bench;
        tcsi_plan *plan;
        nn_golden_init(&bench, one);
        assert_ok(nn_bench_plan(&bench, isa, &plan, test_err));
        float loss = (float)tcsi_plan_backward(plan, NULL, &bench.run);
        nn_golden_compare_output(one, "output", &bench, plan, TOLERANCE);
        nn_golden_compare(one, "loss", NULL, &loss, 1, TOLERANCE);
        check_gradients(one, &bench, plan);
        tcsi_plan_destroy(plan);
        nn_bench_deinit(&bench);
    }
}

static void test_ten_steps(void **state)
{
    (void)state;
    EACH_ISA(isa) for (size_t k = 0; k < TCS_COUNT(nn_cases); k++) {
        const nn_case *one = &nn_cases[k];
        nn_bench bench;
        tcsi_plan *plan;
        tcsi_trainer *trainer;
        nn_golden_init(&bench, one);
        assert_ok(nn_bench_plan(&bench, isa, &plan, test_err));
        tcsi_train_options options = { .rate = 1e-2, .decay = 1e-2, .epsilon = nn_golden_number(one, "epsilon") };
        assert_ok(tcsi_trainer_create(bench.net, &options, &trainer, test_err));
        for (size_t i = 0; i < 10; i++) (void)tcsi_trainer_step(trainer, plan, NULL, &bench.run);
        for (size_t i = 0; i < bench.net->tensor_count; i++) {
            const tcsi_weight *weight = &bench.net->tensors[i];
            nn_golden_compare(one, "after", weight->name, tcsi_net_values(bench.net, weight), weight->count, TOLERANCE_TRAINED);
        }
        bench.run.is_training = false;
        tcsi_plan_forward(plan, NULL, &bench.run);
        nn_golden_compare_output(one, "scored", &bench, plan, TOLERANCE_TRAINED);
        tcsi_trainer_destroy(trainer);
        tcsi_plan_destroy(plan);
        nn_bench_deinit(&bench);
    }
}

TCS_TEST_MAIN(cmocka_unit_test(test_values_and_gradients), cmocka_unit_test(test_ten_steps))
