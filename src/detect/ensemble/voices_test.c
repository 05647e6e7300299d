/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/rng.h"
#include "detect/ensemble/voices.h"
#include "detect/registry.h"
#include "series/frame.h"

enum { ROWS = 4000 };

/* Whatever the member's distribution, no more than t of its values get p <= t, and not much fewer. */
static void test_p_values_are_valid(void **state)
{
    (void)state;
    static tcsi_voice voice;
    static const double levels[] = { 0.5, 0.1, 0.01 };
    for (int kind = 0; kind < 3; kind++) {
        tcsi_rng rng = tcsi_rng_make(5, (uint64_t)kind);
        size_t below[3] = { 0 };
        enum { N = 100000 };
        memset(&voice, 0, sizeof voice);
        for (size_t t = 0; t < N; t++) {
            const double x = tcsi_rng_normal(&rng), value = kind == 0 ? fabs(x) : kind == 1 ? exp(3 * fabs(x)) : 1e8 * x * x;
            const double p = tcsi_voice_push(&voice, value);
            assert_true(p > 0 && p <= 1);
            for (size_t i = 0; i < 3; i++) below[i] += p <= levels[i];
        }
        for (size_t i = 0; i < 3; i++) {
            const double share = (double)below[i] / N / levels[i];
            assert_true(share < 1.1 && share > 0.7);
        }
    }
}

static void test_higher_values_are_rarer(void **state)
{
    (void)state;
    static tcsi_voice voice, asked;
    tcsi_rng rng = tcsi_rng_make(6, 0);
    memset(&voice, 0, sizeof voice);
    for (size_t t = 0; t < 999; t++) (void)tcsi_voice_push(&voice, 10 * tcsi_rng_exponential(&rng));
    double last = 1;
    for (double value = -2; value < 1e12; value = value < 1 ? value + 0.1 : 1.1 * value) {
        asked = voice;
        const double p = tcsi_voice_push(&asked, value);
        assert_true(p <= last);
        last = p;
    }
    assert_near(1.0 / 1000, last, 1e-15);
    asked = voice;
    assert_near(1, tcsi_voice_push(&asked, -1e300), 1e-15);
    assert_near(1.0 / 1000, tcsi_voice_push(&voice, INFINITY), 1e-15);
    assert_near(2.0 / 1001, tcsi_voice_push(&voice, INFINITY), 1e-15); /* equal to one of them */
}

static void test_ranks_of_a_frame(void **state)
{
    (void)state;
    const double values[5] = { 3, -1, 3, 0, 7 };
    const float expected[5] = { 0.6f, 1, 0.6f, 0.8f, 0.2f };
    float p[5];
    double scratch[5];
    tcsi_voice_rank(values, 5, p, scratch);
    assert_memory_equal(expected, p, sizeof p);
    assert_near(0, tcsi_voices_deviation(values, 1), 0);
    assert_near(2, tcsi_voices_deviation((double[]){ 1, 5 }, 2), 1e-15);
}

/* A jump that every member sees is one that they agree about, online and offline; in a normal row they do not. */
static void check_detector(const char *name, size_t channel_count)
{
    const tcsi_detector_setup setup = { .channel_count = channel_count };
    tcsi_rng rng = tcsi_rng_make(7, channel_count);
    tcsi_frame *frame;
    tcsi_detector *detector;
    static tcs_score scores[ROWS];
    assert_ok(tcsi_frame_create(channel_count, 0, false, false, &frame, test_err));
    for (size_t t = 0; t < ROWS; t++) {
        double values[2];
        for (size_t c = 0; c < channel_count; c++)
            values[c] = sin((double)t / 8 + (double)c) + 0.1 * tcsi_rng_normal(&rng) + (t >= 3500 && t < 3520 ? 6 : 0);
        assert_ok(tcsi_frame_append(frame, values, 0, 0, test_err));
    }
    const tcsi_frame train = tcsi_frame_view(frame, 0, 800);
    assert_ok(tcsi_detector_create(tcsi_registry_find(name), &setup, &detector, test_err));
    assert_ok(tcsi_detector_fit(detector, &train, test_err));
    assert_ok(tcsi_detector_score(detector, frame, scores, test_err));
    size_t most = 0, normal = 0, spoken = 0, count = 0;
    for (size_t t = 1000; t < ROWS; t++) {
        float said[TCSI_MEMBER_COUNT_MAX];
        size_t rare = 0;
        count = tcsi_detector_members(detector, t, said);
        for (size_t k = 0; k < count; k++) rare += said[k] <= 0.01f;
        if (t >= 3500 && t < 3520 && rare > most) most = rare;
        if (t < 3400) normal += rare;
        if (t < 3400) spoken += count;
    }
    print_message("# %s, %zu channels: %zu of %zu members, %.4f of what they say of normal rows\n", name, channel_count, most, count,
                  (double)normal / (double)spoken);
    assert_true(count >= 2 && 2 * most > count);
    assert_true((double)normal / (double)spoken < 0.02);
    for (size_t t = 0; t < ROWS; t++) assert_true(isfinite(scores[t].uncertainty) && scores[t].uncertainty >= 0);
    assert_true(scores[3505].uncertainty > 0);
    tcsi_detector_destroy(detector);
    tcsi_frame_destroy(frame);
}

static void test_members_agree_about_what_all_see(void **state)
{
    (void)state;
    for (size_t channels = 1; channels <= 2; channels++) {
        check_detector("auto_online", channels);
        check_detector("auto_classic", channels);
    }
}

TCS_TEST_MAIN(cmocka_unit_test(test_p_values_are_valid), cmocka_unit_test(test_higher_values_are_rarer),
              cmocka_unit_test(test_ranks_of_a_frame), cmocka_unit_test(test_members_agree_about_what_all_see))
