/* Figures: found again in any order, rates, limits, failing memory, and both texts.  SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/alloc.h"
#include "serve/collect/figures.h"

static tcsi_figure_label label(const char *text)
{
    return (tcsi_figure_label){ text, strlen(text) };
}

static void set_disk(tcsi_figures *figures, const char *device, double reads)
{
    const tcsi_figure_label device_label = label(device);
    tcsi_figures_set(figures, TCSI_FIGURE_DISK_READS, &device_label, reads);
}

static double rate_of(const tcsi_figures *figures, const char *name)
{
    const tcsi_figure *figure = tcsi_figures_find(figures, name);
    assert_non_null(figure);
    return tcsi_figure_rate(figures, figure);
}

static void test_rates(void **state)
{
    static const char a[] = "node_disk_reads_completed_total{device=\"a\"}", b[] = "node_disk_reads_completed_total{device=\"b\"}";
    tcsi_figures figures;
    (void)state;
    tcsi_figures_init(&figures);
    tcsi_figures_begin(&figures, 1000000000);
    set_disk(&figures, "a", 10);
    set_disk(&figures, "b", 5);
    assert_true(isnan(rate_of(&figures, a))); /* one value is no growth */
    tcsi_figures_begin(&figures, 1500000000);
    set_disk(&figures, "b", 5); /* another order than before */
    set_disk(&figures, "a", 13);
    assert_int_equal(figures.count, 2);
    assert_near(6, rate_of(&figures, a), 0);
    assert_near(0, rate_of(&figures, b), 0);
    tcsi_figures_begin(&figures, 2500000000);
    set_disk(&figures, "a", 12); /* fell: it began anew */
    assert_true(isnan(rate_of(&figures, a)));
    assert_null(tcsi_figures_find(&figures, b)); /* absent, not zero */
    tcsi_figures_begin(&figures, 3500000000);
    set_disk(&figures, "a", 14);
    set_disk(&figures, "b", 9); /* back after a tick without: nobody knows when it grew */
    assert_near(2, rate_of(&figures, a), 0);
    assert_true(isnan(rate_of(&figures, b)));
    tcsi_figures_begin(&figures, 3500000000); /* no time has passed */
    set_disk(&figures, "a", 15);
    assert_true(isnan(rate_of(&figures, a)));
    tcsi_figures_deinit(&figures);
}

static void test_twice_in_a_tick(void **state)
{
    tcsi_figures figures;
    (void)state;
    tcsi_figures_init(&figures);
    tcsi_figures_begin(&figures, 0);
    set_disk(&figures, "a", 1);
    tcsi_figures_begin(&figures, 1000000000);
    set_disk(&figures, "a", 50);
    set_disk(&figures, "a", 3);
    assert_near(2, rate_of(&figures, "node_disk_reads_completed_total{device=\"a\"}"), 0);
    tcsi_figures_deinit(&figures);
}

static void test_limits(void **state)
{
    char text[TCSI_FIGURE_LABEL_SIZE_MAX + 2];
    tcsi_figures figures;
    (void)state;
    tcsi_figures_init(&figures);
    tcsi_figures_begin(&figures, 0);
    memset(text, 'x', sizeof text);
    tcsi_figures_set(&figures, TCSI_FIGURE_DISK_READS, &(tcsi_figure_label){ text, sizeof text - 1 }, 1);
    tcsi_figures_set(&figures, TCSI_FIGURE_DISK_READS, &(tcsi_figure_label){ "a\0b", 3 }, 1);
    assert_int_equal(figures.count, 0);
    tcsi_figures_set(&figures, TCSI_FIGURE_DISK_READS, &(tcsi_figure_label){ "a", 1 }, 1);
    tcsi_figures_set(&figures, TCSI_FIGURE_DISK_READS, &(tcsi_figure_label){ "a\0bcdefghijklmnopqrstuvwxyz0123456789", 38 }, 1);
    assert_int_equal(figures.count, 1);
    assert_int_equal(figures.refused_count, 3);
    for (int i = 0; i < TCSI_FIGURE_COUNT_MAX + 10; i++) {
        int length = snprintf(text, sizeof text, "%d", i);
        tcsi_figures_set(&figures, TCSI_FIGURE_DISK_READS, &(tcsi_figure_label){ text, (size_t)length }, i);
    }
    assert_int_equal(figures.count, TCSI_FIGURE_COUNT_MAX);
    assert_int_equal(figures.refused_count, 14);
    assert_near(77, tcsi_figures_find(&figures, "node_disk_reads_completed_total{device=\"77\"}")->value, 0);
    tcsi_figures_deinit(&figures);
}

static void test_texts(void **state)
{
    tcsi_figures figures;
    tcsi_buffer text;
    (void)state;
    tcsi_figures_init(&figures);
    tcsi_buffer_init(&text, 1 << 16);
    tcsi_figures_begin(&figures, 0);
    set_disk(&figures, "a\"\\\n", 100);
    tcsi_figures_set(&figures, TCSI_FIGURE_LOAD1, NULL, 0.25);
    tcsi_figures_begin(&figures, 2000000000);
    set_disk(&figures, "a\"\\\n", 103);
    tcsi_figures_set(&figures, TCSI_FIGURE_LOAD1, NULL, 0.5);
    assert_ok(tcsi_figures_write_row(&figures, INT64_C(1700000000500000000), false, &text, test_err));
    assert_string_equal(text.data, "{\"time\":\"2023-11-14T22:13:20.5Z\",\"rate(node_disk_reads_completed_total{device=\\\"a"
                                   "\\\\\\\"\\\\\\\\\\\\n\\\"})\":1.5,\"node_load1\":0.5}\n");
    tcsi_buffer_clear(&text);
    assert_ok(tcsi_figures_write_row(&figures, 0, true, &text, test_err));
    assert_non_null(strstr(text.data, ":103,\"node_load1\":0.5}\n"));
    tcsi_buffer_clear(&text);
    assert_ok(tcsi_figures_write_exposition(&figures, &text, test_err));
    assert_string_equal(text.data, "# HELP node_load1 Load, average of 1 minute.\n# TYPE node_load1 gauge\nnode_load1 0.5\n"
                                   "# HELP node_disk_reads_completed_total Reads completed.\n"
                                   "# TYPE node_disk_reads_completed_total counter\n"
                                   "node_disk_reads_completed_total{device=\"a\\\"\\\\\\n\"} 103\n");
    tcsi_buffer_deinit(&text);
    tcsi_figures_deinit(&figures);
}

static void test_failing_memory(void **state)
{
    (void)state;
    for (size_t fail = 1;; fail++) {
        tcsi_figures figures;
        char device[8];
        tcsi_alloc_trace_begin();
        tcsi_alloc_trace_fail_at(fail);
        tcsi_figures_init(&figures);
        tcsi_figures_begin(&figures, 0);
        for (int i = 0; i < 300; i++) { /* past the first growth */
            snprintf(device, sizeof device, "%d", i);
            set_disk(&figures, device, i);
        }
        const uint64_t refused = figures.refused_count;
        assert_int_equal(figures.count + refused, 300);
        tcsi_figures_deinit(&figures);
        assert_int_equal(tcsi_alloc_trace_stats().live_count, 0);
        tcsi_alloc_trace_end();
        if (refused == 0) break;
    }
}

TCS_TEST_MAIN(cmocka_unit_test(test_rates), cmocka_unit_test(test_twice_in_a_tick), cmocka_unit_test(test_limits),
              cmocka_unit_test(test_texts), cmocka_unit_test(test_failing_memory))
