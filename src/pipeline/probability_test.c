/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "pipeline/pipeline.h"

enum { N = 6000 };

/* A level that jumps in labelled rows: blocks of 30, in the last fifth twice as often as before. */
static tcsi_frame *make_frame(uint64_t seed, bool with_labels)
{
    tcsi_rng rng = tcsi_rng_make(seed, 0);
    tcsi_frame *frame;
    assert_ok(tcsi_frame_create(1, N, false, with_labels, &frame, test_err));
    for (size_t t = 0; t < N; t++) {
        const size_t every = t < N * 4 / 5 ? 600 : 300;
        const bool label = t % every < 30 && t >= every;
        const double value = tcsi_rng_normal(&rng) + (label ? 6 : 0);
        assert_ok(tcsi_frame_append(frame, &value, 0, label, test_err));
    }
    return frame;
}

static tcsi_detection *score(tcsi_pipeline *pipeline, const tcsi_frame *frame)
{
    tcsi_detection *detection;
    const tcsi_pipeline_run run = { .thread_count = 1 };
    assert_ok(tcsi_pipeline_score(pipeline, frame, &run, &detection, test_err));
    return detection;
}

/* Share of anomalous rows, and mean probability, over rows of one kind. */
static double mean_probability(const tcsi_detection *detection, bool of_anomalous)
{
    double sum = 0, count = 0;
    for (size_t t = 0; t < detection->frame->row_count; t++) {
        const double p = tcsi_probability_of(&detection->calibrator, &detection->scores[t]);
        if (isnan(p) || (detection->frame->labels[t] != 0) != of_anomalous) continue;
        assert_true(p > 0 && p < 1);
        sum += p;
        count++;
    }
    return sum / count;
}

static void test_a_pipeline_learns_from_labels_it_held_back(void **state)
{
    (void)state;
    static const tcs_mode modes[] = { TCS_MODE_OFFLINE, TCS_MODE_ONLINE };
    for (size_t m = 0; m < 2; m++) {
        const tcsi_detect_options options = { .mode = modes[m], .detector = "ewma", .thread_count = 1 };
        tcsi_frame *frame = make_frame(1, true), *plain = make_frame(1, false), *later = make_frame(2, true);
        tcsi_pipeline *told, *untold, *loaded;
        tcsi_buffer bytes;
        assert_ok(tcsi_pipeline_fit(frame, &options, &told, test_err));
        assert_ok(tcsi_pipeline_fit(plain, &options, &untold, test_err));
        assert_true(told->calibrator.kind != TCSI_CALIBRATOR_PRIOR && untold->calibrator.kind == TCSI_CALIBRATOR_PRIOR);
        assert_near(told->calibrator.prior, 0.055, 0.006); /* of the whole frame, not of the rows held back (0.1) */
        tcsi_buffer_init(&bytes, SIZE_MAX);
        assert_ok(tcsi_pipeline_save(told, &bytes, test_err));
        assert_ok(tcsi_pipeline_load(bytes.data, bytes.size, "bundle", &loaded, test_err));
        tcsi_detection *by_told = score(told, later), *by_untold = score(untold, later), *by_loaded = score(loaded, later);
        assert_true(mean_probability(by_told, true) > 3 * mean_probability(by_told, false));
        for (size_t t = 0; t < N; t++) { /* labels change probabilities and nothing else */
            assert_memory_equal(&by_told->scores[t], &by_untold->scores[t], sizeof by_told->scores[t]);
            assert_true(by_told->decision.anomaly[t] == by_untold->decision.anomaly[t]);
            const double p = tcsi_probability_of(&by_told->calibrator, &by_told->scores[t]);
            const double q = tcsi_probability_of(&by_loaded->calibrator, &by_loaded->scores[t]);
            assert_true(p == q || (isnan(p) && isnan(q)));
        }
        tcsi_detection_destroy(by_told);
        tcsi_detection_destroy(by_untold);
        tcsi_detection_destroy(by_loaded);
        tcsi_pipeline_destroy(told);
        tcsi_pipeline_destroy(untold);
        tcsi_pipeline_destroy(loaded);
        tcsi_buffer_deinit(&bytes);
        tcsi_frame_destroy(frame);
        tcsi_frame_destroy(plain);
        tcsi_frame_destroy(later);
    }
}

static void test_a_detection_learns_from_named_rows_only(void **state)
{
    (void)state;
    tcsi_frame *frame = make_frame(3, true);
    tcsi_detect_options options = { .mode = TCS_MODE_OFFLINE, .detector = "ewma", .thread_count = 1, .anomaly_share = 0.2 };
    static const struct { size_t train_row_count; bool learns; } cases[] = { { 0, false }, { 500, false }, { 3000, true } };
    for (size_t c = 0; c < TCS_COUNT(cases); c++) { /* the first 500 rows hold no event */
        tcsi_detection *detection;
        options.train_row_count = cases[c].train_row_count;
        assert_ok(tcsi_detect(frame, &options, &detection, test_err));
        assert_true((detection->calibrator.kind != TCSI_CALIBRATOR_PRIOR) == cases[c].learns);
        if (!cases[c].learns) assert_near(0.2, detection->calibrator.prior, 1e-15);
        tcsi_detection_destroy(detection);
    }
    tcsi_detection *detection;
    options.anomaly_share = 1;
    assert_int_equal(tcsi_detect(frame, &options, &detection, NULL), TCS_E_INVALID);
    tcsi_frame_destroy(frame);
}

TCS_TEST_MAIN(cmocka_unit_test(test_a_pipeline_learns_from_labels_it_held_back),
              cmocka_unit_test(test_a_detection_learns_from_named_rows_only))
