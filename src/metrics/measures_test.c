/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/rng.h"
#include "metrics/measures.h"

/* ---- golden vectors ---- */

typedef struct document {
    tcsi_buffer text;
    tcsi_arena arena;
    const tcsi_json_value *root;
} document;

static void document_open(document *d, const char *path)
{
    tcsi_buffer_init(&d->text, (size_t)1 << 28);
    tcsi_arena_init(&d->arena, 0);
    assert_ok(tcsi_file_read(path, &d->text, test_err));
    assert_ok(tcsi_json_parse(d->text.data, d->text.size, &d->arena, &d->root, test_err));
}

static void document_close(document *d)
{
    tcsi_buffer_deinit(&d->text);
    tcsi_arena_deinit(&d->arena);
}

static double *numbers(const tcsi_json_value *array)
{
    double *values = malloc((array->item_count + 1) * sizeof *values);
    for (size_t i = 0; i < array->item_count; i++)
        values[i] = array->items[i].type == TCSI_JSON_NUMBER ? array->items[i].number : NAN;
    return values;
}

static uint8_t *labels_of(const tcsi_json_value *events, size_t row_count)
{
    uint8_t *labels = calloc(row_count, 1);
    for (size_t k = 0; k < events->item_count; k++)
        for (size_t i = (size_t)events->items[k].items[0].number; i < (size_t)events->items[k].items[1].number; i++) labels[i] = 1;
    return labels;
}

static const char *const suite_names[][2] = {
    { "AUC-PR", "auc_pr" }, { "AUC-ROC", "auc_roc" }, { "VUS-PR", "vus_pr" }, { "VUS-ROC", "vus_roc" }, { "Standard-F1", "f1" },
    { "PA-F1", "f1_point_adjusted" }, { "Event-based-F1", "f1_event" }, { "R-based-F1", "f1_range" }, { "Affiliation-F", "f1_affiliation" },
};

static void test_published_values(void **state)
{
    (void)state;
    const char *path = test_shared("golden/metrics.json");
    if (!path) skip();
    document d;
    document_open(&d, path);
    const tcsi_json_value *cases = tcsi_json_get(d.root, "cases");
    assert_int_equal(cases->item_count, 12);
    for (size_t c = 0; c < cases->item_count; c++) {
        const tcsi_json_value *one = &cases->items[c];
        size_t n = (size_t)tcsi_json_get(one, "n")->number;
        double *scores = numbers(tcsi_json_get(one, "scores"));
        uint8_t *labels = labels_of(tcsi_json_get(one, "events"), n);
        tcsi_measures_options options = tcsi_measures_options_default();
        options.window = (size_t)tcsi_json_get(one, "window")->number;
        tcsi_measures m;
        assert_ok(tcsi_measures_compute(scores, labels, n, &options, &m, test_err));
        const tcsi_json_value *expected = tcsi_json_get(one, "metrics");
        assert_int_equal(expected->item_count, TCS_COUNT(suite_names));
        for (size_t i = 0; i < TCS_COUNT(suite_names); i++) {
            double want = tcsi_json_get(expected, suite_names[i][0])->number;
            double got = tcsi_measure_get(&m, tcsi_measure_find(suite_names[i][1]));
            if (fabs(want - got) > 1e-9 * fabs(want)) 
                print_message("case %s, %s: %.17g, expected %.17g\n", tcsi_json_get(one, "name")->text, suite_names[i][1], got, want);
            assert_true(fabs(want - got) <= 1e-9 * fabs(want));
        }
        free(scores);
        free(labels);
    }
    document_close(&d);
}

/* Optional numbers of a case: NULL when absent. */
static double *optional_numbers(const tcsi_json_value *one, const char *key)
{
    const tcsi_json_value *array = tcsi_json_get(one, key);
    return array ? numbers(array) : NULL;
}

static double optional_number(const tcsi_json_value *one, const char *key, double otherwise)
{
    const tcsi_json_value *value = tcsi_json_get(one, key);
    return value ? value->number : otherwise;
}

static void compare_case(const tcsi_json_value *one)
{
    size_t n = (size_t)tcsi_json_get(one, "n")->number;
    double *scores = numbers(tcsi_json_get(one, "scores"));
    uint8_t *labels = labels_of(tcsi_json_get(one, "events"), n), *flags = NULL;
    double *decisions = optional_numbers(one, "decisions"), *probabilities = optional_numbers(one, "probabilities");
    double *p_values = optional_numbers(one, "p_values"), *lows = optional_numbers(one, "lows");
    double *values = optional_numbers(one, "values"), *highs = optional_numbers(one, "highs");
    if (decisions) {
        flags = malloc(n);
        for (size_t i = 0; i < n; i++) flags[i] = decisions[i] != 0.0;
    }
    tcsi_measures_options options = tcsi_measures_options_default();
    options.window = (size_t)tcsi_json_get(one, "window")->number;
    options.located_tolerance = (size_t)tcsi_json_get(one, "tolerance")->number;
    options.threshold = optional_number(one, "threshold", NAN);
    options.row_seconds = optional_number(one, "row_seconds", 0.0);
    options.decisions = flags;
    options.probabilities = probabilities;
    options.p_values = p_values;
    options.values = values;
    options.lows = lows;
    options.highs = highs;
    tcsi_measures m;
    assert_ok(tcsi_measures_compute(scores, labels, n, &options, &m, test_err));
    const tcsi_json_value *expected = tcsi_json_get(one, "measures");
    for (size_t i = 0; i < tcsi_measure_count; i++) {
        const tcsi_json_value *value = tcsi_json_get(expected, tcsi_measure_table[i].key);
        if (!value && tcsi_measure_table[i].offset == offsetof(tcsi_measures, threshold)) continue; /* scikit-learn's has its own scale */
        double want = value && value->type == TCSI_JSON_NUMBER ? value->number : NAN, got = tcsi_measure_get(&m, &tcsi_measure_table[i]);
        if (!(fabs(want - got) <= 1e-11 * fmax(1.0, fabs(want))) && !(isnan(want) && isnan(got)))
            print_message("case %s, %s: %.17g, expected %.17g\n", tcsi_json_get(one, "name")->text, tcsi_measure_table[i].key, got, want);
        assert_near(want, got, 1e-11);
    }
    free(scores);
    free(labels);
    free(flags);
    free(decisions);
    free(probabilities);
    free(p_values);
    free(values);
    free(lows);
    free(highs);
}

static void test_golden_vectors(void **state)
{
    (void)state;
    document d;
    document_open(&d, test_source("tests/golden/metrics/measures.json"));
    const tcsi_json_value *cases = tcsi_json_get(d.root, "cases");
    assert_int_equal(cases->item_count, 21);
    for (size_t c = 0; c < cases->item_count; c++) compare_case(&cases->items[c]);
    document_close(&d);
}

/* ---- laws ---- */

enum { ROWS = 600 };

typedef struct series {
    double scores[ROWS];
    uint8_t labels[ROWS];
} series;

static void random_series(uint64_t seed, double lift, series *ret)
{
    tcsi_rng rng = tcsi_rng_make(seed, 0);
    bool inside = false;
    for (size_t i = 0; i < ROWS; i++) {
        inside = tcsi_rng_uniform(&rng) < (inside ? 0.9 : 0.01);
        ret->labels[i] = inside;
        ret->scores[i] = tcsi_rng_normal(&rng) + (inside ? lift : 0.0);
    }
    ret->labels[ROWS / 2] = 1;
}

static tcsi_measures measure(const series *s, const tcsi_measures_options *options)
{
    tcsi_measures m = { 0 };
    assert_ok(tcsi_measures_compute(s->scores, s->labels, ROWS, options, &m, test_err));
    return m;
}

/* Every value of the table; the keys in except (one text, separated by blanks) may differ. */
static void assert_same_measures(const tcsi_measures *a, const tcsi_measures *b, double tolerance, const char *except)
{
    for (size_t i = 0; i < tcsi_measure_count; i++) {
        double x = tcsi_measure_get(a, &tcsi_measure_table[i]), y = tcsi_measure_get(b, &tcsi_measure_table[i]);
        const char *found = strstr(except, tcsi_measure_table[i].key);
        if (found && strchr(" ", found[strlen(tcsi_measure_table[i].key)])) continue;
        if (fabs(x - y) > tolerance) print_message("%s\n", tcsi_measure_table[i].key);
        assert_near(x, y, tolerance);
    }
}

static void assert_table_range(const tcsi_measures *m)
{
    for (size_t i = 0; i < tcsi_measure_count; i++) {
        double value = tcsi_measure_get(m, &tcsi_measure_table[i]);
        if (isnan(value)) continue;
        if (value < tcsi_measure_table[i].low - 1e-9 || value > tcsi_measure_table[i].high + 1e-9)
            print_message("%s = %g\n", tcsi_measure_table[i].key, value);
        assert_true(value >= tcsi_measure_table[i].low - 1e-9 && value <= tcsi_measure_table[i].high + 1e-9);
    }
}

static void test_scale_changes_nothing(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 10; seed++) {
        series s, scaled, bent;
        random_series(seed, 1.0, &s);
        scaled = bent = s;
        for (size_t i = 0; i < ROWS; i++) scaled.scores[i] = s.scores[i] * 0x1p-300; /* exact */
        for (size_t i = 0; i < ROWS; i++) bent.scores[i] = sinh(s.scores[i]);
        tcsi_measures m = measure(&s, NULL), m_scaled = measure(&scaled, NULL), m_bent = measure(&bent, NULL);
        assert_same_measures(&m, &m_scaled, 0.0, "threshold ");
        /* a grid of evenly spaced thresholds feels a bend, as stated in grid.h; ranks do not */
        assert_same_measures(&m, &m_bent, 0.0, "threshold f1_point_adjusted f1_event f1_range f1_affiliation ");
        assert_table_range(&m);
    }
}

/* Rows that tie may come in any order: the measures over rows see only how many of each kind share a score. */
static void test_order_within_ties_changes_nothing(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 10; seed++) {
        series s, swapped;
        random_series(seed, 1.0, &s);
        for (size_t i = 0; i < ROWS; i++) s.scores[i] = floor(s.scores[i]);
        swapped = s;
        for (size_t turn = 0; turn < 2000; turn++) { /* swaps the labels of two rows with one score */
            tcsi_rng rng = tcsi_rng_make(seed, 1 + turn);
            size_t i = tcsi_rng_below(&rng, ROWS), k = tcsi_rng_below(&rng, ROWS);
            if (s.scores[i] != s.scores[k]) continue;
            uint8_t label = swapped.labels[i];
            swapped.labels[i] = swapped.labels[k];
            swapped.labels[k] = label;
        }
        assert_memory_not_equal(s.labels, swapped.labels, sizeof s.labels);
        tcsi_measures a = measure(&s, NULL), b = measure(&swapped, NULL);
        assert_near(a.auc_pr, b.auc_pr, 0.0);
        assert_near(a.auc_roc, b.auc_roc, 0.0);
        assert_near(a.f1, b.f1, 0.0);
        assert_near(a.precision_at_k, b.precision_at_k, 0.0);
    }
}

static void test_a_perfect_score(void **state)
{
    (void)state;
    series s;
    random_series(3, 0.0, &s);
    for (size_t i = 0; i < ROWS; i++) s.scores[i] = s.labels[i];
    s.labels[0] = 0; /* point adjustment never reaches row 0 */
    s.scores[0] = 0.0;
    tcsi_measures_options options = tcsi_measures_options_default();
    options.row_seconds = 60.0;
    options.probabilities = s.scores;
    tcsi_measures m = measure(&s, &options);
    const char *const ones[] = { "vus_pr", "vus_roc", "auc_pr", "auc_roc", "f1_event", "f1_range", "f1_affiliation", "f1_point_adjusted",
                                 "precision", "recall", "event_recall", "precision_at_k", "located" };
    for (size_t i = 0; i < TCS_COUNT(ones); i++) assert_near(1.0, tcsi_measure_get(&m, tcsi_measure_find(ones[i])), 1e-9);
    assert_near(2.0 / 2.00001, m.f1, 1e-12); /* 1e-5 in its denominator */
    const char *const zeros[] = { "far", "mar", "false_alarms", "false_alarms_per_day", "detect_delay_rows", "detect_delay_rows_median",
                                  "detect_delay_seconds", "cost", "brier", "ece" };
    for (size_t i = 0; i < TCS_COUNT(zeros); i++) assert_near(0.0, tcsi_measure_get(&m, tcsi_measure_find(zeros[i])), 0.0);
    assert_near(100.0, m.nab_standard, 1e-9);
    assert_true(m.is_best_case);
}

/* Later by k rows: the delay says so, the rest gets worse or stays. */
static void test_shifting_the_alarms(void **state)
{
    (void)state;
    static series s;
    memset(&s, 0, sizeof s);
    for (size_t i = 200; i < 240; i++) s.labels[i] = 1;
    double last = 2.0;
    for (size_t shift = 0; shift < 50; shift += 7) {
        uint8_t flags[ROWS] = { 0 };
        for (size_t i = 200 + shift; i < 240 + shift; i++) flags[i] = 1;
        int64_t times[ROWS];
        for (size_t i = 0; i < ROWS; i++) times[i] = (int64_t)i * 10000000000;
        tcsi_measures_options options = tcsi_measures_options_default();
        options.decisions = flags;
        options.times_ns = times;
        tcsi_measures m = measure(&s, &options);
        assert_false(m.is_best_case);
        assert_true(isnan(m.threshold));
        assert_true(m.f1_affiliation < last);
        last = m.f1_affiliation;
        if (shift < 40) {
            assert_near((double)shift, m.detect_delay_rows, 0.0);
            assert_near(10.0 * (double)shift, m.detect_delay_seconds, 1e-9);
            assert_near(0.0, m.false_alarms, 0.0);
            assert_near((double)(40 - shift) / 40.0, m.f1, 1e-12);
        } else {
            assert_true(isnan(m.detect_delay_rows));
            assert_near(1.0 / (6000.0 / 86400.0), m.false_alarms_per_day, 1e-9);
            assert_near(10.0 + 1.0, m.cost, 0.0);
        }
    }
}

static void test_backward_and_equal_times(void **state)
{
    (void)state;
    series s;
    random_series(1, 3.0, &s);
    int64_t times[ROWS];
    for (size_t i = 0; i < ROWS; i++) times[i] = (int64_t)(i % 7 == 0 ? i / 2 : i) * 1000000000;
    tcsi_measures_options options = tcsi_measures_options_default();
    options.times_ns = times;
    tcsi_measures m = measure(&s, &options);
    assert_true(m.detect_delay_seconds >= 0.0);
    assert_true(isfinite(m.false_alarms_per_day));
    for (size_t i = 0; i < ROWS; i++) times[i] = i % 2 ? INT64_MAX : INT64_MIN; /* the span is no int64 */
    m = measure(&s, &options);
    assert_true(isfinite(m.false_alarms_per_day) && m.detect_delay_seconds >= 0.0);
    for (size_t i = 0; i < ROWS; i++) times[i] = 5;
    m = measure(&s, &options);
    assert_true(isnan(m.false_alarms_per_day)); /* all at once: no day to divide by */
}

static void test_located(void **state)
{
    (void)state;
    static series s;
    memset(&s, 0, sizeof s);
    for (size_t i = 300; i < 310; i++) s.labels[i] = 1;
    const struct {
        size_t row;
        double located;
    } cases[] = { { 305, 1 }, { 200, 1 }, { 199, 0 }, { 409, 1 }, { 410, 0 }, { 599, 0 } };
    for (size_t c = 0; c < TCS_COUNT(cases); c++) {
        for (size_t i = 0; i < ROWS; i++) s.scores[i] = i == cases[c].row ? 2.0 : 1.0;
        assert_near(cases[c].located, measure(&s, NULL).located, 0.0);
    }
    for (size_t i = 0; i < ROWS; i++) s.scores[i] = i == 305 || i == 100; /* several highest: the first one answers */
    assert_near(0.0, measure(&s, NULL).located, 0.0);
}

static void test_given_threshold_is_the_same_as_its_decisions(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 10; seed++) {
        series s;
        random_series(seed, 1.5, &s);
        s.scores[17] = NAN;
        s.scores[18] = INFINITY;
        uint8_t flags[ROWS];
        for (size_t i = 0; i < ROWS; i++) flags[i] = s.scores[i] >= 1.0;
        tcsi_measures_options by_threshold = tcsi_measures_options_default(), by_flags = by_threshold;
        by_threshold.threshold = 1.0;
        by_flags.decisions = flags;
        tcsi_measures a = measure(&s, &by_threshold), b = measure(&s, &by_flags), best = measure(&s, NULL);
        assert_same_measures(&a, &b, 0.0, "threshold ");
        assert_true(a.f1 <= best.f1 + 1e-5 && a.nab_standard <= best.nab_standard + 1e-9); /* the best case is the best */
        by_threshold.threshold = best.threshold;
        assert_near(best.precision, measure(&s, &by_threshold).precision, 0.0);
        assert_near(best.detect_delay_rows, measure(&s, &by_threshold).detect_delay_rows, 0.0);
    }
}

/* ---- hostile input ---- */

static const double nasty[] = { NAN, INFINITY, -INFINITY, 0.0, -0.0, 1e308, -1e308, 5e-324, -5e-324, 1.0, 1.0 + 0x1p-52, -1.0 };

static void test_hostile_input(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 400; seed++) {
        tcsi_rng rng = tcsi_rng_make(seed, 1);
        size_t n = 1 + tcsi_rng_below(&rng, seed < 200 ? 4 : 60), kinds = 1 + tcsi_rng_below(&rng, TCS_COUNT(nasty));
        double scores[64], stated[64];
        uint8_t labels[64];
        int64_t times[64];
        size_t label_kind = tcsi_rng_below(&rng, 4); /* all 0, all 1, mixed */
        for (size_t i = 0; i < n; i++) {
            scores[i] = nasty[tcsi_rng_below(&rng, kinds)];
            labels[i] = label_kind == 0 ? 0 : label_kind == 1 ? 255 : (uint8_t)tcsi_rng_below(&rng, 2);
            stated[i] = i % 3 ? tcsi_rng_uniform(&rng) : NAN;
            times[i] = (int64_t)tcsi_rng_u64(&rng);
        }
        tcsi_measures_options options = tcsi_measures_options_default();
        options.window = tcsi_rng_below(&rng, 150);
        options.times_ns = seed % 2 ? times : NULL;
        options.probabilities = options.p_values = stated;
        if (seed % 3 == 1) options.threshold = nasty[tcsi_rng_below(&rng, TCS_COUNT(nasty))];
        tcsi_measures m;
        assert_ok(tcsi_measures_compute(scores, labels, n, &options, &m, test_err));
        assert_table_range(&m);
        if (m.positive_count > 0) {
            assert_false(isnan(m.vus_pr) || isnan(m.auc_pr) || isnan(m.f1) || isnan(m.f1_affiliation) || isnan(m.located));
            assert_true(m.positive_count == n || !(isnan(m.vus_roc) || isnan(m.auc_roc) || isnan(m.far)));
        } else {
            assert_true(isnan(m.vus_pr) && isnan(m.auc_roc) && isnan(m.f1) && isnan(m.recall) && isnan(m.nab_standard));
        }
    }
}

static void assert_refused(tcs_status expected, const tcsi_measures_options *options, size_t row_count, const char *word)
{
    series s;
    random_series(1, 1.0, &s);
    tcsi_measures m = { .row_count = 12345 };
    tcs_error err = { 0 };
    assert_int_equal(tcsi_measures_compute(s.scores, s.labels, row_count, options, &m, &err), expected);
    assert_int_equal(m.row_count, 12345);
    assert_non_null(strstr(err.text, word));
}

static void test_refused_options(void **state)
{
    (void)state;
    tcsi_measures_options o = tcsi_measures_options_default();
    uint8_t flags[ROWS] = { 0 };
    double stated[ROWS] = { 0 };
    assert_refused(TCS_E_INVALID, NULL, 0, "no rows");
    o.window = 10001;
    assert_refused(TCS_E_LIMIT, &o, ROWS, "10001");
    o = tcsi_measures_options_default();
    o.decisions = flags;
    o.threshold = 0.0;
    assert_refused(TCS_E_INVALID, &o, ROWS, "one of them");
    o = tcsi_measures_options_default();
    o.cost_miss = -1.0;
    assert_refused(TCS_E_INVALID, &o, ROWS, "-1");
    o.cost_miss = NAN;
    assert_refused(TCS_E_INVALID, &o, ROWS, "nan");
    o = tcsi_measures_options_default();
    o.row_seconds = INFINITY;
    assert_refused(TCS_E_INVALID, &o, ROWS, "inf");
    o = tcsi_measures_options_default();
    o.probabilities = stated;
    stated[41] = 1.5;
    assert_refused(TCS_E_INVALID, &o, ROWS, "row 41");
    o.probabilities = NULL;
    o.p_values = stated;
    stated[41] = -0.1;
    assert_refused(TCS_E_INVALID, &o, ROWS, "row 41");
}

static void test_failing_allocations(void **state)
{
    (void)state;
    series s;
    random_series(2, 1.0, &s);
    uint8_t flags[ROWS] = { 1, 1, 0, 1 };
    tcsi_measures_options best = tcsi_measures_options_default(), decided = best;
    best.window = 20;
    best.probabilities = best.p_values = (double[ROWS]){ 0.5 };
    decided.window = 20;
    decided.decisions = flags;
    const tcsi_measures_options *const both[] = { &best, &decided };
    for (size_t c = 0; c < TCS_COUNT(both); c++) {
        for (size_t at = 1;; at++) {
            tcsi_measures m = { .row_count = 12345 };
            tcs_error err;
            tcsi_alloc_trace_begin();
            tcsi_alloc_trace_fail_at(at);
            tcs_status status = tcsi_measures_compute(s.scores, s.labels, ROWS, both[c], &m, &err);
            size_t live = tcsi_alloc_trace_stats().live_count;
            tcsi_alloc_trace_end();
            assert_int_equal(live, 0);
            if (status == TCS_OK) break;
            assert_int_equal(status, TCS_E_MEMORY);
            assert_int_equal(m.row_count, 12345);
            assert_true(at < 1000);
        }
    }
}

/* ---- the table ---- */

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < tcsi_measure_count; i++) {
        const tcsi_measure_info *info = &tcsi_measure_table[i];
        assert_ptr_equal(tcsi_measure_find(info->key), info);
        assert_true(info->low < info->high);
        assert_true(strlen(info->title) > 0 && strlen(info->help) > 10);
        assert_true(info->help[strlen(info->help) - 1] != '.');
        for (size_t k = 0; k < i; k++) assert_true(tcsi_measure_table[k].offset != info->offset);
    }
    assert_null(tcsi_measure_find("vus"));
}

static void test_json(void **state)
{
    (void)state;
    series s;
    random_series(4, 1.0, &s);
    tcsi_measures m = measure(&s, NULL);
    tcsi_buffer text;
    tcsi_buffer_init(&text, 1 << 20);
    tcsi_json_writer writer;
    tcsi_json_writer_init(&writer, &text, false);
    tcsi_json_begin_object(&writer);
    tcsi_measures_write(&m, &writer);
    tcsi_json_end_object(&writer);
    assert_ok(tcsi_json_finish(&writer, test_err));
    tcsi_arena arena;
    tcsi_arena_init(&arena, 0);
    const tcsi_json_value *root;
    assert_ok(tcsi_json_parse(text.data, text.size, &arena, &root, test_err));
    assert_int_equal(root->item_count, tcsi_measure_count);
    assert_true(tcsi_json_get(root, "vus_pr")->number == m.vus_pr);
    assert_true(tcsi_json_get(root, "brier")->type == TCSI_JSON_NULL);
    tcsi_arena_deinit(&arena);
    tcsi_buffer_deinit(&text);
}

TCS_TEST_MAIN(cmocka_unit_test(test_published_values), cmocka_unit_test(test_golden_vectors), cmocka_unit_test(test_scale_changes_nothing),
              cmocka_unit_test(test_order_within_ties_changes_nothing), cmocka_unit_test(test_a_perfect_score),
              cmocka_unit_test(test_shifting_the_alarms), cmocka_unit_test(test_backward_and_equal_times), cmocka_unit_test(test_located),
              cmocka_unit_test(test_given_threshold_is_the_same_as_its_decisions), cmocka_unit_test(test_hostile_input),
              cmocka_unit_test(test_refused_options), cmocka_unit_test(test_failing_allocations), cmocka_unit_test(test_table),
              cmocka_unit_test(test_json))
