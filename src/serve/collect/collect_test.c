/* The reader: files kept open, absent ones stated, nothing allocated after the first ticks.  SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/alloc.h"
#include "serve/collect/collect.h"

#include <sys/stat.h>

static void make_folder(const char *root, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", root, name);
    assert_int_equal(mkdir(path, 0700), 0);
}

static void put_file(const char *root, const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", root, name);
    FILE *stream = fopen(path, "w");
    assert_non_null(stream);
    fputs(text, stream);
    fclose(stream);
}

static void remove_all(const char *root)
{
    static const char *const names[] = { "stat", "loadavg", "self/mountinfo", "pressure/cpu", "self", "pressure", "net", "" };
    char path[512];
    for (size_t i = 0; i < TCS_COUNT(names); i++) {
        snprintf(path, sizeof path, "%s/%s", root, names[i]);
        (void)remove(path);
    }
}

static void test_absent_and_back(void **state)
{
    char root[] = "/tmp/tocsin-collect-XXXXXX", names[256];
    tcsi_collector *collector = NULL;
    (void)state;
    assert_non_null(mkdtemp(root));
    make_folder(root, "self");
    make_folder(root, "pressure");
    make_folder(root, "net");
    put_file(root, "stat", "cpu  1 2 3 4 5 6 7 8\n");
    put_file(root, "self/mountinfo", "27 1 254:0 / / rw - ext4 /dev/x rw\n28 1 254:1 / /nowhere/at/all rw - ext4 /dev/y rw\n");
    const tcsi_collector_options options = { .proc = root, .only = "stat,filesystem,pressure_cpu,netdev" };
    assert_ok(tcsi_collector_create(&options, &collector, test_err));
    const tcsi_figures *figures = tcsi_collector_tick(collector);
    assert_non_null(tcsi_figures_find(figures, "node_filesystem_size_bytes{device=\"/dev/x\",fstype=\"ext4\",mountpoint=\"/\"}"));
    assert_int_equal(tcsi_collector_absent(collector, names, sizeof names), 2);
    assert_string_equal(names, "netdev, pressure_cpu");
    assert_near(0, tcsi_figures_find(figures, "node_scrape_collector_success{collector=\"pressure_cpu\"}")->value, 0);
    put_file(root, "pressure/cpu", "some avg10=0 avg60=0 avg300=0 total=5000000\n");
    figures = tcsi_collector_tick(collector);
    assert_near(5, tcsi_figures_find(figures, "node_pressure_cpu_waiting_seconds_total")->value, 1e-12);
    assert_int_equal(tcsi_collector_absent(collector, names, 4), 1); /* a name that does not fit is cut */
    assert_string_equal(names, "net");
    put_file(root, "stat", "cpu  101 2 3 4 5 6 7 8\n"); /* the open file is read anew from its beginning */
    figures = tcsi_collector_tick(collector);
    assert_near(101.0 / (double)sysconf(_SC_CLK_TCK), tcsi_figures_find(figures, "node_cpu_seconds_total{mode=\"user\"}")->value, 1e-12);
    tcsi_collector_destroy(collector);
    remove_all(root);
}

static void test_large_file(void **state)
{
    char root[] = "/tmp/tocsin-collect-XXXXXX", line[64];
    tcsi_collector *collector = NULL;
    (void)state;
    assert_non_null(mkdtemp(root));
    char *text = calloc(1, 1 << 19);
    assert_non_null(text);
    size_t used = 0;
    for (int i = 0; i < 4000; i++) { /* of 4,000 cores: 250 KiB, more than is read at once */
        int length = snprintf(line, sizeof line, "cpu%d %d 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n", i, i);
        memcpy(text + used, line, (size_t)length);
        used += (size_t)length;
    }
    put_file(root, "stat", text);
    free(text);
    const tcsi_collector_options options = { .proc = root, .only = "stat", .per_core = true };
    assert_ok(tcsi_collector_create(&options, &collector, test_err));
    const tcsi_figures *figures = tcsi_collector_tick(collector);
    assert_int_equal(figures->count, 4000 * 8 + 1);
    assert_int_equal(figures->refused_count, 0);
    assert_near(39.99, tcsi_figures_find(figures, "node_cpu_seconds_total{cpu=\"3999\",mode=\"user\"}")->value *
                           (double)sysconf(_SC_CLK_TCK) / 100, 1e-9);
    tcsi_collector_destroy(collector);
    remove_all(root);
}

static void test_no_allocation_per_tick(void **state)
{
    tcsi_collector *collector = NULL;
    tcsi_buffer text;
    (void)state;
    tcsi_alloc_trace_begin();
    tcsi_buffer_init(&text, 1 << 24);
    assert_ok(tcsi_collector_create(&(tcsi_collector_options){ .only = "stat,loadavg,meminfo,vmstat,filefd,pressure_cpu" }, &collector,
        test_err));
    for (int i = 0; i < 12; i++) {
        tcsi_buffer_clear(&text);
        const size_t before = tcsi_alloc_trace_stats().total_count;
        assert_ok(tcsi_figures_write_row(tcsi_collector_tick(collector), i, false, &text, test_err));
        if (i > 2) assert_int_equal(tcsi_alloc_trace_stats().total_count, before);
    }
    tcsi_collector_destroy(collector);
    tcsi_buffer_deinit(&text);
    assert_int_equal(tcsi_alloc_trace_stats().live_count, 0);
    tcsi_alloc_trace_end();
}

static void test_failing_memory(void **state)
{
    (void)state;
    for (size_t fail = 1;; fail++) {
        tcsi_collector *collector = NULL;
        tcs_error err;
        tcsi_alloc_trace_begin();
        tcsi_alloc_trace_fail_at(fail);
        tcs_status status = tcsi_collector_create(&(tcsi_collector_options){ .only = "stat" }, &collector, &err);
        if (status == TCS_OK) (void)tcsi_collector_tick(collector);
        tcsi_collector_destroy(collector);
        const size_t total = tcsi_alloc_trace_stats().total_count;
        assert_true(status == TCS_OK || status == TCS_E_MEMORY);
        assert_int_equal(tcsi_alloc_trace_stats().live_count, 0);
        tcsi_alloc_trace_end();
        if (total < fail) break;
    }
}

static void test_wrong_options(void **state)
{
    tcsi_collector *collector = NULL;
    tcs_error err;
    int64_t ns = 0;
    (void)state;
    assert_int_equal(tcsi_collector_create(&(tcsi_collector_options){ .only = "stat,mem" }, &collector, &err), TCS_E_INVALID);
    assert_non_null(strstr(err.text, "no figures 'mem', did you mean meminfo"));
    assert_int_equal(tcsi_collector_create(&(tcsi_collector_options){ .only = "" }, &collector, &err), TCS_E_INVALID);
    assert_null(collector);
    assert_ok(tcsi_collector_interval("500ms", &ns, test_err));
    assert_int_equal(ns, 500000000);
    static const char *const wrong[] = { "", "1", "0s", "50ms", "2h", "-1s", "1s1", "s", "nan" };
    for (size_t i = 0; i < TCS_COUNT(wrong); i++) assert_int_equal(tcsi_collector_interval(wrong[i], &ns, &err), TCS_E_INVALID);
}

TCS_TEST_MAIN(cmocka_unit_test(test_absent_and_back), cmocka_unit_test(test_large_file), cmocka_unit_test(test_no_allocation_per_tick),
              cmocka_unit_test(test_failing_memory), cmocka_unit_test(test_wrong_options))
