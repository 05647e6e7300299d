/* detect/deep/fleet_test.c -- what a fleet teaches reaches a new series, and only what it should.  That bits, files and memory are in
 * order is for contract_test.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include "detect.h"

#include "base/log.h"
#include "detect/deep/window_net.h"
#include "simulate/fleet.h"

#include <stdlib.h>
#include <unistd.h>

enum { SERIES = 24, KINDS = 6, ROWS = 2000, KNOWN_ROWS = 200, SEEDS = 6, SEEDS_FEW = 2 };

/* The last one is new: its first rows are calm. */
typedef struct scene {
    tcsi_frame *frames[SERIES + 1];
    double facts[SERIES + 1][KINDS];
    tcsi_fleet fleet;
    tcsi_frame known; /* view */
} scene;

static void scene_init(scene *s, uint64_t seed, size_t programs, bool has_foreign_events)
{
    const tcsi_machine_options options = { .seed = seed, .kind_count = has_foreign_events ? KINDS : 1, .program_count = programs,
                                           .channel_count = 1, .row_count = ROWS, .calm_row_count = KNOWN_ROWS, .event_count = 5,
                                           .has_foreign_events = has_foreign_events };
    size_t period;
    for (size_t i = 0; i <= SERIES; i++) {
        assert_ok(tcsi_machine_simulate(&options, i, &s->frames[i], &period, test_err));
        for (size_t k = 0; k < KINDS; k++) s->facts[i][k] = i % KINDS == k;
    }
    s->fleet = (tcsi_fleet){ .series = (const tcsi_frame *const *)s->frames, .series_count = has_foreign_events ? SERIES : SERIES / 3 };
    s->known = tcsi_frame_view(s->frames[SERIES], 0, KNOWN_ROWS);
}

static void scene_deinit(scene *s)
{
    for (size_t i = 0; i <= SERIES; i++) tcsi_frame_destroy(s->frames[i]);
}

/* Area under the ROC curve over the rows of the new series that were not known. */
static double auc_of(const scene *s, tcsi_detector *detector)
{
    static tcs_score scores[ROWS];
    static double labels[ROWS];
    assert_ok(tcsi_detector_fit(detector, &s->known, test_err));
    assert_ok(tcsi_detector_score(detector, s->frames[SERIES], scores, test_err));
    for (size_t t = 0; t < ROWS; t++) labels[t] = s->frames[SERIES]->labels[t];
    return detect_auc(scores, labels, KNOWN_ROWS, ROWS);
}

/* Two hundred rows hold a part of what a machine does; those of the others hold all of it. */
static void test_a_fleet_knows_what_a_short_history_does_not(void **state)
{
    (void)state;
    static const char *const names[] = { "autoencoder", "tcn_forecaster" };
    for (size_t i = 0; i < (test_is_small() ? 1 : TCS_COUNT(names)); i++) {
        const size_t seeds = i == 0 ? SEEDS : SEEDS_FEW;
        double alone = 0, adapted = 0;
        for (size_t seed = 0; seed < seeds; seed++) {
            scene s;
            scene_init(&s, 70 + seed, 4, false);
            tcsi_detector *single = detect_create(names[i], 1, NULL, 0), *of_fleet = detect_create(names[i], 1, NULL, 0);
            assert_ok(tcsi_detector_fit_fleet(of_fleet, &s.fleet, test_err));
            alone += auc_of(&s, single) / (double)seeds;
            adapted += auc_of(&s, of_fleet) / (double)seeds;
            tcsi_detector_destroy(single);
            tcsi_detector_destroy(of_fleet);
            scene_deinit(&s);
        }
        print_message("# %s: area under the ROC curve %.3f alone, %.3f adapted\n", names[i], alone, adapted);
        assert_true(adapted > alone + 0.04);
    }
}

/* What is ordinary for one kind is an event for another. */
static void test_facts_say_what_is_ordinary_for_whom(void **state)
{
    (void)state;
    double without = 0, with = 0;
    for (size_t seed = 0; seed < SEEDS; seed++) {
        scene s;
        const tcsi_parameter_value parameter = { "facts", KINDS };
        scene_init(&s, 90 + seed, 1, true);
        tcsi_detector *blind = detect_create("autoencoder", 1, NULL, 0), *told = detect_create("autoencoder", 1, &parameter, 1);
        assert_ok(tcsi_detector_fit_fleet(blind, &s.fleet, test_err));
        s.fleet.facts = s.facts[0];
        s.fleet.fact_count = KINDS;
        assert_ok(tcsi_detector_fit_fleet(told, &s.fleet, test_err));
        assert_ok(tcsi_detector_describe(told, s.facts[SERIES], KINDS, test_err));
        without += auc_of(&s, blind) / SEEDS;
        with += auc_of(&s, told) / SEEDS;
        tcsi_detector_destroy(blind);
        tcsi_detector_destroy(told);
        scene_deinit(&s);
    }
    print_message("# area under the ROC curve %.3f without facts, %.3f with\n", without, with);
    assert_true(with > without + 0.01);
}

/* The head's weights move, all others stay as the fleet taught them. */
static void test_only_the_head_adapts(void **state)
{
    (void)state;
    static const char *const names[] = { "autoencoder", "conv_autoencoder", "vae", "gru_autoencoder", "gru_vae" };
    scene s;
    scene_init(&s, 5, 1, false);
    for (size_t i = 0; i < TCS_COUNT(names); i++) {
        const tcsi_parameter_value parameter = { "epochs", 3 };
        tcsi_detector *detector = detect_create(names[i], 1, &parameter, 1);
        const tcsi_window_net *self = (const tcsi_window_net *)detector;
        assert_ok(tcsi_detector_fit_fleet(detector, &s.fleet, test_err));
        assert_ok(tcsi_detector_fit(detector, &s.known, test_err));
        size_t moved = 0;
        for (size_t w = 0; w < self->net->tensor_count; w++) {
            const tcsi_weight *weight = &self->net->tensors[w];
            const size_t size = weight->count * sizeof(float);
            if (weight->is_state) continue;
            const bool same = memcmp(self->net->weights.values + weight->offset, self->fleet.weights.values + weight->offset, size) == 0;
            if (!same && weight->group != TCSI_HEAD_GROUP) fail_msg("%s: '%s' was not to be trained", names[i], weight->name);
            moved += !same;
        }
        assert_true(moved > 0 && moved <= 2); /* weight and bias of one layer */
        tcsi_detector_destroy(detector);
    }
    scene_deinit(&s);
}

static void count_left_out(void *context, tcsi_log_level level, const char *id, const char *text)
{
    (void)level;
    if (strcmp(id, "FLEET-LEFT-OUT") != 0) return;
    (*(size_t *)context)++;
    assert_non_null(strstr(text, "series 3 of 8: 40 rows"));
}

/* A series too short to learn from is left out, and named; a new one too short to show its period takes that of the fleet. */
static void test_short_series(void **state)
{
    (void)state;
    size_t count = 0;
    scene s;
    scene_init(&s, 5, 1, false);
    const tcsi_frame whole = *s.frames[2];
    tcsi_detector *detector = detect_create("autoencoder", 1, NULL, 0), *single = detect_create("autoencoder", 1, NULL, 0);
    s.frames[2]->row_count = 40;
    tcsi_log_set(count_left_out, &count, TCSI_LOG_INFO);
    assert_ok(tcsi_detector_fit_fleet(detector, &s.fleet, test_err));
    tcsi_log_set(NULL, NULL, TCSI_LOG_ERROR);
    assert_int_equal(1, count);
    *s.frames[2] = whole;
    assert_ok(tcsi_detector_fit(single, s.frames[0], test_err));
    const size_t period = tcsi_detector_horizon(single);
    assert_ok(tcsi_detector_fit(single, &s.known, test_err));
    assert_ok(tcsi_detector_fit(detector, &s.known, test_err));
    assert_int_equal(KNOWN_ROWS / 8, tcsi_detector_horizon(single));
    assert_true(tcsi_detector_horizon(detector) > period * 3 / 4 && tcsi_detector_horizon(detector) < period * 4 / 3);
    tcs_error err = { 0 };
    const tcsi_frame few = tcsi_frame_view(s.frames[SERIES], 0, 50);
    assert_int_equal(TCS_E_INVALID, tcsi_detector_fit(detector, &few, &err));
    assert_non_null(strstr(err.text, "50 steps to adapt to"));
    tcsi_detector_destroy(detector);
    tcsi_detector_destroy(single);
    scene_deinit(&s);
}

static bool stop_at(void *context, double share)
{
    return share < *(const double *)context;
}

/* Stopped while it learns and taken up again, with members, it ends with the bits of one that never stopped; adapting leaves the file
 * alone. */
static void test_a_fleet_is_taken_up_again(void **state)
{
    (void)state;
    static const char *const names[] = { "autoencoder", "gru_forecaster" };
    static tcs_score expected[ROWS], scores[ROWS];
    static tcsi_training training;
    char path[] = "/tmp/tocsin-fleet-test-XXXXXX", second[64];
    scene s;
    scene_init(&s, 5, 1, false);
    close(mkstemp(path));
    snprintf(second, sizeof second, "%s.1", path);
    for (size_t i = 0; i < TCS_COUNT(names); i++) {
        const tcsi_parameter_value parameters[] = { { "epochs", 20 }, { "members", 2 } };
        (void)!unlink(path);
        (void)!unlink(second);
        for (size_t run = 0; run < 3; run++) { /* without a file; stopped; taken up */
            double stop = run == 1 ? 0.4 : 2;
            tcs_error err = { 0 };
            const tcsi_detector_info *info;
            const tcsi_progress progress = { stop_at, &stop };
            training = (tcsi_training){ .checkpoint = run > 0 ? path : NULL };
            const tcsi_detector_setup setup = { .channel_count = 1, .seed = 1, .parameters = parameters, .parameter_count = 2,
                                                .progress = &progress, .training = &training };
            tcsi_detector *detector;
            assert_ok(tcsi_registry_get(names[i], &info, test_err));
            assert_ok(tcsi_detector_create(info, &setup, &detector, test_err));
            assert_int_equal(run == 1 ? TCS_E_CANCELLED : TCS_OK, tcsi_detector_fit_fleet(detector, &s.fleet, &err));
            if (run != 1) {
                const size_t points = training.point_count;
                assert_ok(tcsi_detector_fit(detector, &s.known, test_err));
                assert_true(points > 0 && training.point_count == points);
                assert_ok(tcsi_detector_score(detector, s.frames[SERIES], run == 0 ? expected : scores, test_err));
            }
            tcsi_detector_destroy(detector);
        }
        detect_assert_same(expected, scores, 0, ROWS);
    }
    (void)!unlink(path);
    (void)!unlink(second);
    scene_deinit(&s);
}

TCS_TEST_MAIN(cmocka_unit_test(test_a_fleet_knows_what_a_short_history_does_not),
              cmocka_unit_test(test_facts_say_what_is_ordinary_for_whom),
              cmocka_unit_test(test_only_the_head_adapts),
              cmocka_unit_test(test_short_series),
              cmocka_unit_test(test_a_fleet_is_taken_up_again))
