/* detect/deep/contrastive_test.c -- what the contrastive encoder is for: a cycle of another shape, as large as the others, in simulated
 * series of several families; a channel that leaves the others, which training has to find in noise; too little to learn from.
 * SPDX-License-Identifier: Apache-2.0 */
#include "detect.h"

#include "simulate/series.h"

/* Area under the ROC curve after the training rows. */
static double area(const tcsi_series_options *options)
{
    tcsi_series_simulation simulation;
    assert_ok(tcsi_series_simulate(options, &simulation, test_err));
    const size_t row_count = simulation.frame->row_count;
    tcs_score *scores = TCSI_NEW_ARRAY(tcs_score, row_count);
    double *labels = TCSI_NEW_ZEROS(double, row_count);
    const tcsi_frame train = tcsi_frame_view(simulation.frame, 0, simulation.train_row_count);
    tcsi_detector *detector = detect_create("contrastive", 1, NULL, 0);
    assert_true(scores && labels && simulation.event_count > 0);
    for (size_t i = 0; i < simulation.event_count; i++)
        for (size_t t = simulation.events[i].onset; t < simulation.events[i].end; t++) labels[t] = 1;
    assert_ok(tcsi_detector_fit(detector, &train, test_err));
    assert_ok(tcsi_detector_score(detector, simulation.frame, scores, test_err));
    const double found = detect_auc(scores, labels, simulation.train_row_count, row_count);
    tcsi_detector_destroy(detector);
    tcsi_free(scores);
    tcsi_free(labels);
    tcsi_series_simulation_deinit(&simulation);
    return found;
}

enum { SERIES_EACH = 2, ROWS = 2000 };
static const tcsi_family families[] = { TCSI_FAMILY_SEASONAL, TCSI_FAMILY_BUMPS, TCSI_FAMILY_QUASI_PERIODIC };

static double mean_area(void)
{
    double sum = 0;
    const size_t each = test_is_small() ? 1 : SERIES_EACH;
    for (size_t f = 0; f < TCS_COUNT(families); f++)
        for (size_t i = 0; i < each; i++) {
            const tcsi_series_options options = { .seed = 7, .stream = i, .scenario = TCSI_SCENARIO_MIXED, .family = families[f],
                                                  .kind = TCSI_EVENT_SHAPE, .row_count = ROWS };
            sum += area(&options);
        }
    return sum / (double)(each * TCS_COUNT(families));
}

static void test_finds_another_shape(void **state)
{
    (void)state;
    const double found = mean_area();
    print_message("# area under the ROC curve %.4f\n", found);
    if (!(found > 0.95)) fail_msg("area under the ROC curve %.3f", found);
}

/* ---- what training is worth ---- */

enum { CHANNELS = 8, RHYTHMS = 4, BEGIN = 1500, END = 1560 };

/* Channels that mix two rhythms, noise as large as they; while the event lasts, one of them has the other sign, in its usual range. */
static void make_plant(uint64_t seed, double (*columns)[ROWS], double *labels)
{
    tcsi_rng rng = tcsi_rng_make(seed, 0);
    double weights[CHANNELS][RHYTHMS];
    for (size_t c = 0; c < CHANNELS; c++)
        for (size_t i = 0; i < RHYTHMS; i++) weights[c][i] = tcsi_rng_normal(&rng);
    for (size_t t = 0; t < ROWS; t++) {
        const double fast = 0.2 * (double)t, slow = 0.07 * (double)t, rhythms[RHYTHMS] = { sin(fast), cos(fast), sin(slow), cos(slow) };
        labels[t] = t >= BEGIN && t < END;
        for (size_t c = 0; c < CHANNELS; c++) {
            double value = 0;
            for (size_t i = 0; i < RHYTHMS; i++) value += weights[c][i] * rhythms[i];
            columns[c][t] = (c == 2 && labels[t] > 0 ? -value : value) + 2 * tcsi_rng_normal(&rng);
        }
    }
}

static double plant_area(const tcsi_parameter_value *parameters, size_t parameter_count)
{
    static double columns[CHANNELS][ROWS], labels[ROWS];
    static tcs_score scores[ROWS];
    const double *pointers[CHANNELS];
    const uint64_t seed_count = test_is_small() ? 1 : 3;
    double sum = 0;
    for (size_t c = 0; c < CHANNELS; c++) pointers[c] = columns[c];
    for (uint64_t seed = 0; seed < seed_count; seed++) {
        make_plant(seed, columns, labels);
        tcsi_frame *frame = detect_frame(pointers, CHANNELS, ROWS), train = tcsi_frame_view(frame, 0, ROWS / 2);
        tcsi_detector *detector = detect_create("contrastive", CHANNELS, parameters, parameter_count);
        assert_ok(tcsi_detector_fit(detector, &train, test_err));
        assert_ok(tcsi_detector_score(detector, frame, scores, test_err));
        sum += detect_auc(scores, labels, ROWS / 2, ROWS);
        tcsi_detector_destroy(detector);
        tcsi_frame_destroy(frame);
    }
    return sum / (double)seed_count;
}

/* With one channel an encoder as it was drawn is as good (docs/internals/deep.md); here it sees mostly noise. */
static void test_training_finds_a_broken_relation(void **state)
{
    (void)state;
    const tcsi_parameter_value untrained = { "rate", 1e-12 };
    const double learned = plant_area(NULL, 0), drawn = plant_area(&untrained, 1);
    print_message("# area under the ROC curve %.4f, untrained %.4f\n", learned, drawn);
    if (!(learned > 0.85)) fail_msg("area under the ROC curve %.3f", learned);
    if (!(learned > drawn + 0.1)) fail_msg("area under the ROC curve %.3f, of the untrained encoder %.3f", learned, drawn);
}

/* ---- too little to learn from ---- */

static void test_says_when_there_is_too_little(void **state)
{
    (void)state;
    static double column[ROWS];
    static tcs_score scores[ROWS];
    const double *pointers[] = { column };
    tcs_error err = { 0 };
    for (size_t t = 0; t < ROWS; t++) column[t] = sin(0.3 * (double)t);
    tcsi_frame *frame = detect_frame(pointers, 1, ROWS), few = tcsi_frame_view(frame, 0, 20);
    tcsi_detector *detector = detect_create("contrastive", 1, NULL, 0);
    assert_int_equal(TCS_E_INVALID, tcsi_detector_fit(detector, &few, &err));
    assert_non_null(strstr(err.text, "20 training rows"));
    assert_ok(tcsi_detector_score(detector, &few, scores, test_err));
    for (size_t t = 0; t < few.row_count; t++) assert_int_equal(TCS_SCORE_WARMUP, scores[t].state);
    assert_ok(tcsi_detector_fit(detector, frame, test_err)); /* a refused fit does no harm */
    assert_ok(tcsi_detector_score(detector, frame, scores, test_err));
    assert_int_equal(TCS_SCORE_READY, scores[ROWS / 2].state);
    tcsi_detector_destroy(detector);
    tcsi_frame_destroy(frame);
}

TCS_TEST_MAIN(cmocka_unit_test(test_finds_another_shape), cmocka_unit_test(test_training_finds_a_broken_relation),
              cmocka_unit_test(test_says_when_there_is_too_little))
