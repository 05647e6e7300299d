/* kernels/optimize_test.c -- ten steps of each update against PyTorch's, and any cut of a block against the whole.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels.h"

#include "kernels/optimize.h"

enum { STEPS = 10, LONG = 75 };

static void test_adamw_golden(void **state)
{
    (void)state;
    EACH_ISA(isa) {
        size_t count;
        float *weights = golden_floats("optimizer", "weights", &count), *gradients = golden_floats("optimizer", "gradients", NULL);
        float *moment1 = guarded(count), *moment2 = guarded(count);
        for (uint64_t step = 1; step <= STEPS; step++) {
            const tcsi_adamw rule = { .rate = 1e-2, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8, .decay = 0.05, .gradient_scale = 0.5,
                                      .step = step };
            float *gradient = gradients + (step - 1) * count;
            for (size_t i = 0; i < count; i++) gradient[i] *= 2; /* the scale halves them again */
            tcsi_adamw_step(isa, &rule, count, gradient, weights, moment1, moment2);
        }
        assert_golden("optimizer", "adamw", isa, count, weights, 1e-6);
        guarded_release();
    }
}

static void test_sgd_golden(void **state)
{
    (void)state;
    const struct {
        const char *name;
        tcsi_sgd rule;
    } cases[] = {
        { "sgd", { .rate = 1e-2, .gradient_scale = 1 } },
        { "momentum", { .rate = 1e-2, .momentum = 0.9, .decay = 0.05, .gradient_scale = 1 } },
        { "nesterov", { .rate = 1e-2, .momentum = 0.9, .decay = 0.05, .gradient_scale = 1, .nesterov = true } },
    };
    EACH_ISA(isa)
        for (size_t k = 0; k < TCS_COUNT(cases); k++) {
            size_t count;
            float *weights = golden_floats("optimizer", "weights", &count), *gradients = golden_floats("optimizer", "gradients", NULL);
            float *velocity = guarded(count);
            for (size_t step = 0; step < STEPS; step++)
                tcsi_sgd_step(isa, &cases[k].rule, count, gradients + step * count, weights, velocity);
            assert_golden("optimizer", cases[k].name, isa, count, weights, 1e-6);
            guarded_release();
        }
}

/* A block may be cut anywhere. */
static void test_cuts(void **state)
{
    (void)state;
    tcsi_rng rng = tcsi_rng_make(1, 0);
    const tcsi_adamw adamw = { .rate = 1e-3, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8, .decay = 0.01, .gradient_scale = 1, .step = 7 };
    const tcsi_sgd sgd = { .rate = 1e-3, .momentum = 0.9, .decay = 0.01, .gradient_scale = 1, .nesterov = true };
    EACH_ISA(isa)
        for (size_t cut = 0; cut <= LONG; cut++) {
            float *gradient = guarded_random(&rng, LONG, 1), *w = guarded_random(&rng, LONG, 1), *m = guarded_random(&rng, LONG, 1);
            float *v = guarded_random(&rng, LONG, 1), *w_cut, *m_cut, *v_cut;
            for (size_t i = 0; i < LONG; i++) v[i] *= v[i];
            w_cut = guarded_copy(LONG, w);
            m_cut = guarded_copy(LONG, m);
            v_cut = guarded_copy(LONG, v);
            tcsi_adamw_step(isa, &adamw, LONG, gradient, w, m, v);
            tcsi_sgd_step(isa, &sgd, LONG, gradient, w, m);
            tcsi_adamw_step(isa, &adamw, cut, gradient, w_cut, m_cut, v_cut);
            tcsi_adamw_step(isa, &adamw, LONG - cut, gradient + cut, w_cut + cut, m_cut + cut, v_cut + cut);
            tcsi_sgd_step(isa, &sgd, cut, gradient, w_cut, m_cut);
            tcsi_sgd_step(isa, &sgd, LONG - cut, gradient + cut, w_cut + cut, m_cut + cut);
            assert_same_bits("weights", isa, LONG, w, w_cut);
            assert_same_bits("first moment", isa, LONG, m, m_cut);
            assert_same_bits("second moment", isa, LONG, v, v_cut);
            guarded_release();
        }
}

TCS_TEST_MAIN(cmocka_unit_test(test_adamw_golden), cmocka_unit_test(test_sgd_golden), cmocka_unit_test(test_cuts))
