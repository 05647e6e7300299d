/* The curve of p-values: counted at its own places, right of rounding, of the rows that it is said to be of. */
#include "io/report_calibration.h"

#include "series/frame.h"
#include "test.h"

#include <math.h>

enum { ROWS = 20000 };

typedef struct fixture {
    tcsi_frame *frame;
    tcs_score scores[ROWS];
    tcsi_report report;
} fixture;

static fixture *fixture_make(bool has_labels)
{
    static fixture f;
    f = (fixture){ .frame = NULL };
    assert_ok(tcsi_frame_create(1, ROWS, false, has_labels, &f.frame, test_err));
    f.frame->row_count = ROWS;
    for (size_t t = 0; has_labels && t < ROWS; t++) f.frame->labels[t] = 0;
    f.report = (tcsi_report){ .frame = f.frame, .scores = f.scores };
    return &f;
}

static void test_uniform_lies_on_the_diagonal(void **state)
{
    (void)state;
    fixture *f = fixture_make(false);
    tcsi_report_p_curve curve;
    for (size_t t = 0; t < ROWS; t++) f->scores[t] = (tcs_score){ .state = TCS_SCORE_READY, .p_value = (double)(t + 1) / ROWS };
    tcsi_report_p_curve_make(&f->report, false, &curve);
    assert_int_equal(curve.row_count, ROWS);
    assert_true(curve.at[0] == 1 && curve.share[0] == 1);
    for (size_t k = 0; k < TCSI_REPORT_P_COUNT; k++) /* (t + 1) / ROWS <= at: exactly so many */
        assert_near(curve.share[k], floor(curve.at[k] * ROWS + 1e-9) / ROWS, 1e-12);
    tcsi_frame_destroy(f->frame);
}

/* Every value of the grid belongs to its own place, whatever log10 rounds to; its neighbours in doubles to the places beside it. */
static void test_edges(void **state)
{
    (void)state;
    fixture *f = fixture_make(false);
    tcsi_report_p_curve curve;
    for (size_t k = 0; k < TCSI_REPORT_P_COUNT; k++) {
        const double at = pow(10, -(double)k / 10), around[] = { nextafter(at, 0), at, nextafter(at, 2) };
        for (size_t i = 0; i < 3; i++) f->scores[3 * k + i] = (tcs_score){ .state = TCS_SCORE_READY, .p_value = fmin(around[i], 1) };
    }
    tcsi_report_p_curve_make(&f->report, false, &curve);
    assert_int_equal(curve.row_count, 3 * TCSI_REPORT_P_COUNT);
    for (size_t k = 1; k < TCSI_REPORT_P_COUNT; k++) /* those of later places and two of its own */
        assert_near(curve.share[k] * (double)curve.row_count, 3.0 * (double)(TCSI_REPORT_P_COUNT - 1 - k) + 2, 1e-6);
    f->scores[0].p_value = 1e-300; /* beyond the last place */
    tcsi_report_p_curve_make(&f->report, false, &curve);
    assert_near(curve.share[TCSI_REPORT_P_COUNT - 1] * (double)curve.row_count, 3, 1e-6);
    tcsi_frame_destroy(f->frame);
}

static void test_counts_only_what_it_is_of(void **state)
{
    (void)state;
    fixture *f = fixture_make(true);
    tcsi_report_p_curve curve;
    f->scores[0] = (tcs_score){ .state = TCS_SCORE_READY, .p_value = 1e-6 };
    f->scores[1] = (tcs_score){ .state = TCS_SCORE_READY, .p_value = 0.5 };
    f->scores[2] = (tcs_score){ .state = TCS_SCORE_READY, .p_value = 0 };       /* before there was a reference */
    f->scores[3] = (tcs_score){ .state = TCS_SCORE_READY, .p_value = NAN };
    f->scores[4] = (tcs_score){ .state = TCS_SCORE_WARMUP, .p_value = 0.1 };
    f->frame->labels[0] = 1;
    tcsi_report_p_curve_make(&f->report, false, &curve);
    assert_int_equal(curve.row_count, 2);
    assert_true(curve.share[60] == 0.5 && curve.share[61] == 0);
    tcsi_report_p_curve_make(&f->report, true, &curve);
    assert_int_equal(curve.row_count, 1);
    assert_true(curve.share[0] == 1 && curve.share[60] == 0);
    f->scores[0].state = f->scores[1].state = TCS_SCORE_MISSING;
    tcsi_report_p_curve_make(&f->report, false, &curve);
    assert_int_equal(curve.row_count, 0);
    assert_true(isnan(curve.share[0]));
    tcsi_frame_destroy(f->frame);
}

/* The JSON of it: bins without rows are left out, and what is not there is null. */
static void test_json(void **state)
{
    (void)state;
    fixture *f = fixture_make(true);
    tcsi_buffer json;
    tcsi_json_writer writer;
    for (int with_bins = 0; with_bins < 2; with_bins++) {
        if (with_bins) {
            f->report.reliability = (tcsi_report_reliability){ .bin_count = 3, .ece = 0.25, .brier = 0.125 };
            f->report.reliability.bins[0].row_count = 7;
            f->report.reliability.bins[0].share = 0.5;
        }
        tcsi_buffer_init(&json, 1 << 20);
        tcsi_json_writer_init(&writer, &json, false);
        tcsi_json_begin_object(&writer);
        tcsi_report_calibration_put(&writer, &f->report);
        tcsi_json_end_object(&writer);
        assert_ok(tcsi_json_finish(&writer, test_err));
        assert_non_null(strstr(json.data, with_bins ? "\"reliability\":{\"ece\":0.25,\"brier\":0.125,\"bins\":[[7,0,0.5]]}"
                                                    : "\"reliability\":null"));
        assert_non_null(strstr(json.data, "\"unlabelled\":["));
        tcsi_buffer_deinit(&json);
    }
    tcsi_frame_destroy(f->frame);
}

TCS_TEST_MAIN(cmocka_unit_test(test_uniform_lies_on_the_diagonal),
              cmocka_unit_test(test_edges),
              cmocka_unit_test(test_counts_only_what_it_is_of),
              cmocka_unit_test(test_json))
