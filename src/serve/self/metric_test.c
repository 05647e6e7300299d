/* Metrics: exact sums from many threads, both formats line by line, a checker of our own and the one that comes with Prometheus. */
#include "test.h"

#include "base/alloc.h"
#include "serve/self/metric.h"

#include <pthread.h>

enum { JOBS, OPEN, HEAT, TOOK, ROW_COUNT };

static const tcsi_metric_row rows[ROW_COUNT] = {
    [JOBS] = { .name = "test_jobs_total", .kind = TCSI_METRIC_COUNTER, .labels = { "kind", "code" }, .help = "Jobs,\nby \"kind\" \\." },
    [OPEN] = { .name = "test_open", .kind = TCSI_METRIC_LEVEL, .help = "Open." },
    [HEAT] = { .name = "test_heat_celsius", .kind = TCSI_METRIC_GAUGE, .unit = "celsius", .help = "Heat." },
    [TOOK] = { .name = "test_took_seconds", .kind = TCSI_METRIC_HISTOGRAM, .unit = "seconds", .labels = { "kind" }, .scale = 1e-9,
               .bounds = { 1000000, 1000000000, 5000000000 }, .help = "Took." },
};

typedef struct fixture {
    tcsi_metrics *metrics;
    size_t first;
} fixture;

static fixture begin(size_t cells)
{
    fixture f = { 0 };
    assert_ok(tcsi_metrics_create(cells, &f.metrics, test_err));
    assert_ok(tcsi_metrics_add(f.metrics, rows, ROW_COUNT, &f.first, test_err));
    return f;
}

static tcsi_metric get(fixture f, size_t row, const char *a, const char *b)
{
    return tcsi_metrics_get(f.metrics, f.first + row, (const char *const[]){ a, b });
}

static void fill(fixture f)
{
    tcsi_metric_add(get(f, JOBS, "a\"b\\c\nd", "200"), 3);
    tcsi_metric_add(get(f, JOBS, "plain", "500"), 1);
    tcsi_metric_move(get(f, OPEN, NULL, NULL), 5);
    tcsi_metric_move(get(f, OPEN, NULL, NULL), -7);
    tcsi_metric_set(get(f, HEAT, NULL, NULL), 21.5);
    static const uint64_t took[] = { 0, 1000000, 1000001, 1000000000, 6000000000 };
    for (size_t i = 0; i < TCS_COUNT(took); i++) tcsi_metric_observe(get(f, TOOK, "x", NULL), took[i]);
}

static void test_text(void **state)
{
    (void)state;
    static const char *const expected[] = {
        "# HELP tocsin_metrics_refused_total Series that found no room and are not counted.\n# TYPE tocsin_metrics_refused_total counter\n"
        "tocsin_metrics_refused_total 0\n"
        "# HELP test_jobs_total Jobs,\\nby \"kind\" \\\\.\n# TYPE test_jobs_total counter\n"
        "test_jobs_total{kind=\"a\\\"b\\\\c\\nd\",code=\"200\"} 3\ntest_jobs_total{kind=\"plain\",code=\"500\"} 1\n"
        "# HELP test_open Open.\n# TYPE test_open gauge\ntest_open -2\n"
        "# HELP test_heat_celsius Heat.\n# TYPE test_heat_celsius gauge\ntest_heat_celsius 21.5\n"
        "# HELP test_took_seconds Took.\n# TYPE test_took_seconds histogram\n"
        "test_took_seconds_bucket{kind=\"x\",le=\"0.001\"} 2\ntest_took_seconds_bucket{kind=\"x\",le=\"1\"} 4\n"
        "test_took_seconds_bucket{kind=\"x\",le=\"5\"} 4\ntest_took_seconds_bucket{kind=\"x\",le=\"+Inf\"} 5\n"
        "test_took_seconds_sum{kind=\"x\"} 7.002000001\ntest_took_seconds_count{kind=\"x\"} 5\n",
        "# HELP tocsin_metrics_refused Series that found no room and are not counted.\n# TYPE tocsin_metrics_refused counter\n"
        "tocsin_metrics_refused_total 0\n"
        "# HELP test_jobs Jobs,\\nby \\\"kind\\\" \\\\.\n# TYPE test_jobs counter\n"
        "test_jobs_total{kind=\"a\\\"b\\\\c\\nd\",code=\"200\"} 3\ntest_jobs_total{kind=\"plain\",code=\"500\"} 1\n"
        "# HELP test_open Open.\n# TYPE test_open gauge\ntest_open -2\n"
        "# HELP test_heat_celsius Heat.\n# TYPE test_heat_celsius gauge\n# UNIT test_heat_celsius celsius\ntest_heat_celsius 21.5\n"
        "# HELP test_took_seconds Took.\n# TYPE test_took_seconds histogram\n# UNIT test_took_seconds seconds\n"
        "test_took_seconds_bucket{kind=\"x\",le=\"0.001\"} 2\ntest_took_seconds_bucket{kind=\"x\",le=\"1.0\"} 4\n"
        "test_took_seconds_bucket{kind=\"x\",le=\"5.0\"} 4\ntest_took_seconds_bucket{kind=\"x\",le=\"+Inf\"} 5\n"
        "test_took_seconds_sum{kind=\"x\"} 7.002000001\ntest_took_seconds_count{kind=\"x\"} 5\n# EOF\n",
    };
    fixture f = begin(0);
    fill(f);
    for (int e = 0; e < TCSI_EXPOSITION_COUNT; e++) {
        tcsi_buffer out;
        tcsi_buffer_init(&out, 1 << 16);
        assert_ok(tcsi_metrics_write(f.metrics, (tcsi_exposition)e, &out, test_err));
        assert_string_equal(out.data, expected[e]);
        tcsi_buffer_deinit(&out);
    }
    tcsi_metrics_destroy(f.metrics);
}

/* promtool, where the distribution's Prometheus is installed. */
static void test_promtool(void **state)
{
    (void)state;
    if (system("command -v promtool > /dev/null 2>&1") != 0) skip();
    fixture f = begin(0);
    fill(f);
    tcsi_buffer out;
    tcsi_buffer_init(&out, 1 << 16);
    assert_ok(tcsi_metrics_write(f.metrics, TCSI_EXPOSITION_TEXT, &out, test_err));
    FILE *tool = popen("promtool check metrics > /dev/null", "w");
    assert_non_null(tool);
    fwrite(out.data, 1, out.size, tool);
    assert_int_equal(pclose(tool), 0);
    tcsi_buffer_deinit(&out);
    tcsi_metrics_destroy(f.metrics);
}

static void *count(void *context)
{
    const tcsi_metric *handles = context;
    for (int i = 0; i < 100000; i++) {
        tcsi_metric_add(handles[0], 1);
        tcsi_metric_move(handles[1], i % 2 ? -3 : 3);
        tcsi_metric_observe(handles[2], (uint64_t)i);
    }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    enum { THREADS = 24 }; /* more than slots */
    fixture f = begin(0);
    pthread_t threads[THREADS];
    tcsi_metric handles[] = { get(f, JOBS, "a", "b"), get(f, OPEN, NULL, NULL), get(f, TOOK, "x", NULL) };
    for (int t = 0; t < THREADS; t++) pthread_create(&threads[t], NULL, count, handles);
    double before = 0;
    for (int i = 0; i < 100; i++) { /* meanwhile: never back */
        double now = tcsi_metric_value(handles[0]);
        assert_true(now >= before);
        before = now;
    }
    for (int t = 0; t < THREADS; t++) pthread_join(threads[t], NULL);
    assert_near(THREADS * 100000.0, tcsi_metric_value(handles[0]), 0);
    assert_near(0, tcsi_metric_value(handles[1]), 0);
    assert_near(THREADS * 100000.0, tcsi_metric_value(handles[2]), 0);
    tcsi_metrics_destroy(f.metrics);
}

static double forty_two(void *context)
{
    return *(const double *)context;
}

static void test_handles(void **state)
{
    (void)state;
    fixture f = begin(40);
    double value = 42;
    size_t again;
    assert_int_equal(get(f, JOBS, "a", "b").cell, get(f, JOBS, "a", "b").cell);
    assert_int_not_equal(get(f, JOBS, "a", "b").cell, get(f, JOBS, "a", "c").cell);
    tcsi_metric heat = get(f, HEAT, NULL, NULL);
    tcsi_metric_bind(heat, forty_two, &value);
    assert_near(42, tcsi_metric_value(heat), 0);
    assert_ok(tcsi_metrics_add(f.metrics, rows, ROW_COUNT, &again, test_err)); /* a table that is known */
    assert_int_equal(again, f.first);
    char name[16];
    for (int i = 0; i < 60; i++) { /* more than there are cells */
        snprintf(name, sizeof name, "%d", i);
        tcsi_metric_add(get(f, JOBS, "many", name), 1);
    }
    tcsi_metric refused = tcsi_metrics_get(f.metrics, 0, NULL);
    assert_true(tcsi_metric_value(refused) > 20 && tcsi_metric_value(refused) < 60);
    tcsi_metric none = tcsi_metrics_get(NULL, 3, NULL); /* where nobody keeps metrics */
    tcsi_metric_add(none, 1);
    tcsi_metric_observe(none, 1);
    tcsi_metric_set(none, 1);
    assert_near(0, tcsi_metric_value(none), 0);
    tcsi_metrics_destroy(f.metrics);
}

static void test_failing_allocations(void **state)
{
    (void)state;
    bool done = false;
    for (size_t fail_at = 1; !done; fail_at++) {
        tcs_error err = { 0 };
        fixture f = { 0 };
        tcsi_buffer out;
        tcsi_alloc_trace_begin();
        tcsi_alloc_trace_fail_at(fail_at);
        tcsi_buffer_init(&out, 1 << 16);
        tcs_status status = tcsi_metrics_create(64, &f.metrics, &err);
        if (status == TCS_OK) status = tcsi_metrics_add(f.metrics, rows, ROW_COUNT, &f.first, &err);
        bool kept = status == TCS_OK && get(f, JOBS, "a", "b").metrics;
        if (status == TCS_OK) status = tcsi_metrics_write(f.metrics, TCSI_EXPOSITION_TEXT, &out, &err);
        assert_true(status == TCS_OK || status == TCS_E_MEMORY);
        done = kept && status == TCS_OK;
        tcsi_buffer_deinit(&out);
        tcsi_metrics_destroy(f.metrics);
        assert_int_equal(tcsi_alloc_trace_stats().live_count, 0);
        tcsi_alloc_trace_end();
    }
}

TCS_TEST_MAIN(cmocka_unit_test(test_text), cmocka_unit_test(test_promtool), cmocka_unit_test(test_threads), cmocka_unit_test(test_handles),
              cmocka_unit_test(test_failing_allocations))
