/* detect/deep/contrastive_test.c -- what the contrastive encoder is for: a cycle of another shape, as large as the others, in simulated
 * series of several families, better than an encoder that was not trained; two channels that part; too little to learn from.
 * SPDX-License-Identifier: Apache-2.0 */
#include "detect.h"

#include "simulate/series.h"

/* Area under the ROC curve of events of one kind, after the training rows. */
static double area(const tcsi_series_options *options, const tcsi_parameter_value *parameters, size_t parameter_count)
{
    tcsi_series_simulation simulation;
    assert_ok(tcsi_series_simulate(options, &simulation, test_err));
    const size_t row_count = simulation.frame->row_count;
    tcs_score *scores = TCSI_NEW_ARRAY(tcs_score, row_count);
    double *labels = TCSI_NEW_ZEROS(double, row_count);
    const tcsi_frame train = tcsi_frame_view(simulation.frame, 0, simulation.train_row_count);
    tcsi_detector *detector = detect_create("contrastive", 1, parameters, parameter_count);
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

static double mean_area(tcsi_event_kind kind, const tcsi_parameter_value *parameters, size_t parameter_count)
{
    double sum = 0;
    const size_t each = test_is_small() ? 1 : SERIES_EACH;
    for (size_t f = 0; f < TCS_COUNT(families); f++)
        for (size_t i = 0; i < each; i++) {
            const tcsi_series_options options = { .seed = 7, .stream = i, .scenario = TCSI_SCENARIO_MIXED, .family = families[f],
                                                  .kind = kind, .row_count = ROWS };
            sum += area(&options, parameters, parameter_count);
        }
    return sum / (double)(each * TCS_COUNT(families));
}

/* An encoder as it was drawn, with norms that know the data, is good at this already: learning adds a little (0.990 against 0.987). */
static void test_finds_another_shape(void **state)
{
    (void)state;
    const tcsi_parameter_value untrained = { "rate", 1e-12 };
    const double learned = mean_area(TCSI_EVENT_SHAPE, NULL, 0), drawn = mean_area(TCSI_EVENT_SHAPE, &untrained, 1);
    print_message("# area under the ROC curve %.4f, untrained %.4f\n", learned, drawn);
    if (!(learned > 0.95)) fail_msg("area under the ROC curve %.3f", learned);
    if (!test_is_small() && !(learned > drawn)) fail_msg("area %.4f, of the untrained encoder %.4f", learned, drawn);
}

/* Two channels that follow one rhythm; while the event lasts, the second runs on its own. */
static void test_finds_a_broken_relation(void **state)
{
    (void)state;
    enum { BEGIN = 1500, END = 1560 };
    static double columns[2][ROWS], labels[ROWS];
    static tcs_score scores[ROWS];
    tcsi_rng rng = tcsi_rng_make(3, 0);
    for (size_t t = 0; t < ROWS; t++) {
        const double phase = 0.2 * (double)t;
        labels[t] = t >= BEGIN && t < END;
        columns[0][t] = 10 + sin(phase) + 0.05 * tcsi_rng_normal(&rng);
        columns[1][t] = 1e3 * (cos(phase + (labels[t] > 0 ? 2.5 : 0)) + 0.05 * tcsi_rng_normal(&rng));
    }
    const double *pointers[] = { columns[0], columns[1] };
    tcsi_frame *frame = detect_frame(pointers, 2, ROWS), train = tcsi_frame_view(frame, 0, ROWS / 2);
    tcsi_detector *detector = detect_create("contrastive", 2, NULL, 0);
    assert_ok(tcsi_detector_fit(detector, &train, test_err));
    assert_ok(tcsi_detector_score(detector, frame, scores, test_err));
    const double found = detect_auc(scores, labels, ROWS / 2, ROWS);
    if (!(found > 0.9)) fail_msg("area under the ROC curve %.3f", found);
    tcsi_detector_destroy(detector);
    tcsi_frame_destroy(frame);
}

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

TCS_TEST_MAIN(cmocka_unit_test(test_finds_another_shape), cmocka_unit_test(test_finds_a_broken_relation),
              cmocka_unit_test(test_says_when_there_is_too_little))
