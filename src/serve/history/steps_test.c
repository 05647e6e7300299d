/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/rng.h"
#include "serve/history/steps.h"

enum { MAX = 4000 };
static const int64_t SECOND_NS = INT64_C(1000000000);

typedef struct given {
    int64_t times_ns[MAX];
    double values[MAX];
    size_t count;
} given;

static void give(void *context, int64_t time_ns, double value)
{
    given *g = context;
    assert_true(g->count < MAX);
    g->times_ns[g->count] = time_ns;
    g->values[g->count++] = value;
}

static tcsi_steps steps_for(given *g, int64_t begin_ns, int64_t end_ns, int64_t step_ns)
{
    tcsi_steps steps = { .begin_ns = begin_ns, .end_ns = end_ns, .step_ns = step_ns, .give = give, .context = g };
    g->count = 0;
    tcsi_steps_begin(&steps);
    return steps;
}

/* Against the definition: at each step the newest of the five minutes before, by looking at all. */
static void test_as_defined(void **state)
{
    (void)state;
    static given g;
    static int64_t times[MAX];
    for (uint64_t seed = 1; seed <= 50; seed++) {
        tcsi_rng rng = tcsi_rng_make(seed, 0);
        const size_t count = (size_t)(400 * tcsi_rng_uniform(&rng));
        const int64_t step = 1 + (int64_t)(tcsi_rng_uniform(&rng) * (double)(200 * SECOND_NS));
        int64_t at = -1000 * SECOND_NS;
        tcsi_steps steps = steps_for(&g, 0, 20000 * SECOND_NS - (int64_t)seed, step < 10 * SECOND_NS ? 10 * SECOND_NS : step);
        for (size_t i = 0; i < count; i++) {
            times[i] = at += 1 + (int64_t)(tcsi_rng_uniform(&rng) * (double)((i % 50 ? 100 : 2000) * SECOND_NS));
            tcsi_steps_push(&steps, times[i], i % 17 ? (double)i : (double)NAN);
        }
        tcsi_steps_end(&steps);
        size_t k = 0;
        for (int64_t t = 0; t <= steps.end_ns; t += steps.step_ns) {
            double newest = NAN;
            for (size_t i = 0; i < count; i++)
                if (i % 17 && times[i] <= t && times[i] > t - TCSI_STEPS_LOOKBACK_NS) newest = (double)i;
            if (isnan(newest)) continue;
            assert_true(k < g.count && g.times_ns[k] == t && g.values[k] == newest);
            k++;
        }
        assert_int_equal(k, g.count);
    }
}

static void test_edges(void **state)
{
    (void)state;
    static given g;
    tcsi_steps steps = steps_for(&g, 0, 0, 1); /* one moment */
    tcsi_steps_push(&steps, -TCSI_STEPS_LOOKBACK_NS, 1);
    tcsi_steps_end(&steps);
    assert_int_equal(g.count, 0); /* five minutes old to the ns is too old */
    steps = steps_for(&g, 0, 0, 1);
    tcsi_steps_push(&steps, -TCSI_STEPS_LOOKBACK_NS + 1, 1);
    tcsi_steps_push(&steps, 1, 2); /* later than asked for */
    tcsi_steps_end(&steps);
    assert_true(g.count == 1 && g.values[0] == 1);
    steps = steps_for(&g, INT64_MAX - 5, INT64_MAX, 3); /* nothing overflows */
    tcsi_steps_push(&steps, INT64_MAX - 6, 7);
    tcsi_steps_end(&steps);
    assert_true(g.count == 2 && g.times_ns[1] == INT64_MAX - 2);
    steps = steps_for(&g, INT64_MIN, INT64_MIN + 4, 2);
    tcsi_steps_push(&steps, INT64_MIN, 7);
    tcsi_steps_end(&steps);
    assert_int_equal(g.count, 3);
}

TCS_TEST_MAIN(cmocka_unit_test(test_as_defined), cmocka_unit_test(test_edges))
