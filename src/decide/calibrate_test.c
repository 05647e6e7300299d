/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "decide/calibrate.h"
#include "golden.h"

enum { N = 4000 };

/* tests/golden/decide/calibrate.py: scikit-learn's isotonic and logistic regressions. */
static void test_agrees_with_scikit_learn(void **state)
{
    (void)state;
    static golden_table table;
    golden_read("tests/golden/decide/calibrate.csv", &table);
    static const struct { tcsi_calibrator_kind kind; const char *column; double tolerance; bool weighted; } cases[] = {
        { TCSI_CALIBRATOR_PLATT, "platt", 1e-8, false }, { TCSI_CALIBRATOR_PLATT, "platt_w", 1e-8, true },
        { TCSI_CALIBRATOR_PLATT, "sigmoid", 2e-3, false }, { TCSI_CALIBRATOR_PLATT, "sigmoid_w", 2e-3, true },
        { TCSI_CALIBRATOR_BETA, "beta", 1e-8, false }, { TCSI_CALIBRATOR_BETA, "beta_w", 1e-8, true },
        { TCSI_CALIBRATOR_ISOTONIC, "isotonic", 1e-12, false }, { TCSI_CALIBRATOR_ISOTONIC, "isotonic_w", 1e-12, true },
    };
    uint8_t labels[GOLDEN_ROW_COUNT_MAX];
    for (size_t i = 0; i < table.row_count; i++) labels[i] = golden_column(&table, "label")[i] > 0;
    for (size_t c = 0; c < TCS_COUNT(cases); c++) {
        const double *p = golden_column(&table, "p"), *expected = golden_column(&table, cases[c].column);
        const tcsi_calibrate_rows rows = { .values = p, .labels = labels, .count = table.row_count, .is_p_value = true,
                                           .weights = cases[c].weighted ? golden_column(&table, "weight") : NULL };
        tcsi_calibrator calibrator;
        assert_ok(tcsi_calibrator_fit(cases[c].kind, &rows, &calibrator, test_err));
        const double margin = calibrator.margin;
        for (size_t i = 0; i < table.row_count; i++)
            assert_near(fmin(fmax(expected[i], margin), 1 - margin), tcsi_calibrator_probability(&calibrator, p[i]), cases[c].tolerance);
        tcsi_calibrator_deinit(&calibrator);
    }
}

static void test_isotonic_by_hand(void **state)
{
    (void)state;
    static const double x[] = { 3, 1, 2, 2, 4, 5 }, y[] = { 0, 0, 1, 0, 1, 1 }, w[] = { 2, 1, 1, 1, 1, 0 };
    tcsi_isotonic fitted;
    assert_ok(tcsi_isotonic_fit(x, y, w, 6, &fitted, test_err));
    /* x = 2 twice: 1/2 of weight 2; x = 3: 0 of weight 2; together 1/4 over [2, 3]; x = 5 weighs nothing */
    assert_int_equal(fitted.count, 4);
    assert_near(0, tcsi_isotonic_at(&fitted, -9), 1e-15);
    assert_near(0.125, tcsi_isotonic_at(&fitted, 1.5), 1e-15);
    assert_near(0.25, tcsi_isotonic_at(&fitted, 2.7), 1e-15);
    assert_near(1, tcsi_isotonic_at(&fitted, 99), 1e-15);
    tcsi_isotonic_deinit(&fitted);
    static const double none[] = { 0, 0 };
    assert_int_equal(tcsi_isotonic_fit(x, y, none, 2, &fitted, NULL), TCS_E_INVALID);
}

/* Rows whose probability is known: ln(P / (1 - P)) = a ln(1 - p) - b ln p + c. */
static void draw(uint64_t seed, double a, double b, double c, double *ret_p, double *ret_truth, uint8_t *ret_labels)
{
    tcsi_rng rng = tcsi_rng_make(seed, 0);
    for (size_t i = 0; i < N; i++) {
        const double p = 1 - tcsi_rng_uniform(&rng);
        ret_p[i] = p;
        ret_truth[i] = 1 / (1 + exp(-(a * log1p(-fmin(p, 1 - 1e-16)) - b * log(p) + c)));
        ret_labels[i] = tcsi_rng_uniform(&rng) < ret_truth[i];
    }
}

static void test_the_best_kind_is_chosen(void **state)
{
    (void)state;
    static double p[N], truth[N];
    static uint8_t labels[N];
    tcsi_calibrator calibrator;
    const tcsi_calibrate_rows rows = { .values = p, .labels = labels, .count = N, .is_p_value = true };
    draw(1, 0, 1.2, -2.5, p, truth, labels); /* Platt is right, beta learns one number more */
    assert_ok(tcsi_calibrator_choose(&rows, &calibrator, test_err));
    assert_true(calibrator.kind == TCSI_CALIBRATOR_PLATT || calibrator.kind == TCSI_CALIBRATOR_BETA);
    double worst = 0;
    for (size_t i = 0; i < N; i++) worst = fmax(worst, fabs(truth[i] - tcsi_calibrator_probability(&calibrator, p[i])));
    assert_true(worst < 0.06);
    tcsi_calibrator_deinit(&calibrator);

    draw(2, 3, 0.2, 1, p, truth, labels); /* beta is right, Platt far off */
    assert_ok(tcsi_calibrator_choose(&rows, &calibrator, test_err));
    assert_int_equal(calibrator.kind, TCSI_CALIBRATOR_BETA);
    assert_true(calibrator.log_losses[TCSI_CALIBRATOR_BETA] < calibrator.log_losses[TCSI_CALIBRATOR_PLATT]);
    tcsi_calibrator_deinit(&calibrator);

    tcsi_rng rng = tcsi_rng_make(3, 0);
    for (size_t i = 0; i < N; i++) /* steps: neither is right */
        labels[i] = tcsi_rng_uniform(&rng) < (p[i] < 0.1 ? 0.95 : p[i] < 0.6 ? 0.5 : 0.02);
    assert_ok(tcsi_calibrator_choose(&rows, &calibrator, test_err));
    assert_int_equal(calibrator.kind, TCSI_CALIBRATOR_ISOTONIC);
    tcsi_calibrator_deinit(&calibrator);
}

static void test_probability_never_falls_with_the_score(void **state)
{
    (void)state;
    static double p[N], truth[N];
    static uint8_t labels[N];
    draw(4, 0.5, 0.8, -1, p, truth, labels);
    for (size_t i = 0; i < N; i++) labels[i] = !labels[i]; /* scores that mislead */
    const tcsi_calibrate_rows rows = { .values = p, .labels = labels, .count = N, .is_p_value = true };
    for (int kind = TCSI_CALIBRATOR_PRIOR; kind < TCSI_CALIBRATOR_COUNT; kind++) {
        tcsi_calibrator calibrator = tcsi_calibrator_assume(0.01);
        if (kind != TCSI_CALIBRATOR_PRIOR) assert_ok(tcsi_calibrator_fit((tcsi_calibrator_kind)kind, &rows, &calibrator, test_err));
        double last = 0;
        for (double q = 1; q >= 1e-12; q *= 0.9) {
            const double probability = tcsi_calibrator_probability(&calibrator, q);
            assert_true(probability >= last && probability > 0 && probability < 1);
            last = probability;
        }
        assert_true(tcsi_calibrator_probability(&calibrator, 0) >= last && tcsi_calibrator_probability(&calibrator, 1) > 0);
        assert_true(isnan(tcsi_calibrator_probability(&calibrator, NAN)));
        tcsi_calibrator_deinit(&calibrator);
    }
}

/* Sellke, Bayarri, Berger 2001, table 1: with equal prior odds p = 0.05 leaves the hypothesis at least 0.289, 0.01 at least 0.111. */
static void test_assumed_prior_by_the_paper(void **state)
{
    (void)state;
    const tcsi_calibrator even = tcsi_calibrator_assume(0.5), rare = tcsi_calibrator_assume(0.001);
    assert_near(1 - 0.289, tcsi_calibrator_probability(&even, 0.05), 6e-4);
    assert_near(1 - 0.111, tcsi_calibrator_probability(&even, 0.01), 6e-4);
    assert_near(0.001, tcsi_calibrator_probability(&rare, 0.9), 1e-15); /* nothing unusual: the prior */
    assert_near(0.001, tcsi_calibrator_probability(&rare, exp(-1)), 1e-12);
    assert_true(tcsi_calibrator_probability(&rare, 1e-9) > 0.99);
}

static void test_one_class_few_rows_and_what_can_be_told_apart(void **state)
{
    (void)state;
    static const double p[] = { 0.5, 0.01, 0.9, NAN, 0.02, 0.7 };
    static const uint8_t normal[6] = { 0 }, both[6] = { 0, 1, 0, 1, 1, 0 }, anomalous[6] = { 1, 1, 1, 1, 1, 1 };
    tcsi_calibrate_rows rows = { .values = p, .labels = normal, .count = 6, .is_p_value = true };
    tcsi_calibrator calibrator;
    assert_ok(tcsi_calibrator_choose(&rows, &calibrator, test_err));
    assert_int_equal(calibrator.kind, TCSI_CALIBRATOR_PLATT);
    assert_near(1.0 / 7, tcsi_calibrator_probability(&calibrator, 0.01), 1e-6);
    rows.labels = anomalous;
    assert_ok(tcsi_calibrator_choose(&rows, &calibrator, test_err));
    assert_near(6.0 / 7, tcsi_calibrator_probability(&calibrator, 0.9), 1e-6);
    rows.labels = both;
    for (int kind = TCSI_CALIBRATOR_PLATT; kind < TCSI_CALIBRATOR_COUNT; kind++) {
        assert_ok(tcsi_calibrator_fit((tcsi_calibrator_kind)kind, &rows, &calibrator, test_err));
        const double high = tcsi_calibrator_probability(&calibrator, 0.001), low = tcsi_calibrator_probability(&calibrator, 1);
        assert_true(high > 0.5 && high < 1 && low < 0.5 && low > 0);
        tcsi_calibrator_deinit(&calibrator);
    }
    rows.count = 1;
    assert_ok(tcsi_calibrator_choose(&rows, &calibrator, test_err));
    rows.count = 0;
    assert_int_equal(tcsi_calibrator_choose(&rows, &calibrator, NULL), TCS_E_INVALID);
    static const double wrong[] = { 0.5, 1.5 };
    tcs_error err = { 0 };
    rows.values = wrong;
    rows.count = 2;
    assert_int_equal(tcsi_calibrator_choose(&rows, &calibrator, &err), TCS_E_INVALID);
    assert_non_null(strstr(err.text, "row 1"));
}

/* Scores on any scale: shift and unit change nothing. */
static void test_scores_of_any_scale(void **state)
{
    (void)state;
    static double scores[N], moved[N];
    static uint8_t labels[N];
    tcsi_rng rng = tcsi_rng_make(6, 0);
    for (size_t i = 0; i < N; i++) {
        labels[i] = tcsi_rng_uniform(&rng) < 0.1;
        scores[i] = tcsi_rng_normal(&rng) + 2 * labels[i];
        moved[i] = 1e6 + 1e-3 * scores[i];
    }
    tcsi_calibrate_rows rows = { .values = scores, .labels = labels, .count = N };
    tcsi_calibrator plain, shifted;
    assert_ok(tcsi_calibrator_choose(&rows, &plain, test_err));
    rows.values = moved;
    assert_ok(tcsi_calibrator_choose(&rows, &shifted, test_err));
    assert_true(isnan(plain.log_losses[TCSI_CALIBRATOR_BETA]));
    assert_int_equal(plain.kind, shifted.kind);
    for (size_t i = 0; i < N; i += 50)
        assert_near(tcsi_calibrator_probability(&plain, scores[i]), tcsi_calibrator_probability(&shifted, moved[i]), 1e-5);
    tcsi_calibrator_deinit(&plain);
    tcsi_calibrator_deinit(&shifted);
}

static void test_saved_and_loaded_and_out_of_memory(void **state)
{
    (void)state;
    static double p[N], truth[N];
    static uint8_t labels[N];
    tcs_error err = { 0 };
    draw(7, 1, 1, -1, p, truth, labels);
    const tcsi_calibrate_rows rows = { .values = p, .labels = labels, .count = 200, .is_p_value = true };
    for (int kind = TCSI_CALIBRATOR_PLATT; kind < TCSI_CALIBRATOR_COUNT; kind++) {
        tcsi_calibrator kept, loaded = { 0 };
        tcsi_buffer out;
        assert_ok(tcsi_calibrator_fit((tcsi_calibrator_kind)kind, &rows, &kept, test_err));
        tcsi_buffer_init(&out, 1 << 20);
        tcsi_codec save = tcsi_codec_save(&out, &err);
        tcsi_calibrator_persist(&kept, &save);
        for (size_t size = 0; size <= out.size; size++) {
            tcsi_codec load = tcsi_codec_load(out.data, size, &err);
            tcsi_calibrator_deinit(&loaded);
            tcsi_calibrator_persist(&loaded, &load);
            assert_int_equal(tcsi_codec_status(&load), size < out.size ? TCS_E_FORMAT : TCS_OK);
        }
        for (size_t i = 0; i < N; i++)
            assert_true(tcsi_calibrator_probability(&kept, p[i]) == tcsi_calibrator_probability(&loaded, p[i]));
        tcsi_buffer_deinit(&out);
        tcsi_calibrator_deinit(&kept);
        tcsi_calibrator_deinit(&loaded);
    }
    tcs_status status = TCS_E_MEMORY;
    for (size_t at = 1; status != TCS_OK; at++) {
        tcsi_calibrator calibrator = { 0 };
        tcsi_alloc_trace_begin();
        tcsi_alloc_trace_fail_at(at);
        status = tcsi_calibrator_choose(&rows, &calibrator, &err);
        assert_true(status == TCS_OK || status == TCS_E_MEMORY);
        tcsi_calibrator_deinit(&calibrator);
        assert_int_equal(tcsi_alloc_trace_stats().live_count, 0);
        tcsi_alloc_trace_end();
    }
}

TCS_TEST_MAIN(cmocka_unit_test(test_agrees_with_scikit_learn), cmocka_unit_test(test_isotonic_by_hand),
              cmocka_unit_test(test_the_best_kind_is_chosen), cmocka_unit_test(test_probability_never_falls_with_the_score),
              cmocka_unit_test(test_assumed_prior_by_the_paper), cmocka_unit_test(test_one_class_few_rows_and_what_can_be_told_apart),
              cmocka_unit_test(test_scores_of_any_scale), cmocka_unit_test(test_saved_and_loaded_and_out_of_memory))
