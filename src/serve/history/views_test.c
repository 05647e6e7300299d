/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "serve/history/views.h"

static tcsi_directory directory;

static void add_series(const char *text, tcsi_arena *arena)
{
    tcsi_key key;
    uint32_t number;
    bool is_new;
    assert_ok(tcsi_key_parse(text, strlen(text), arena, &key, test_err));
    assert_ok(tcsi_directory_resolve(&directory, tcsi_key_fingerprint(&key), &key, TCSI_SERIES_GAUGE, 1, &number, &is_new, test_err));
    assert_true(is_new);
}

typedef struct listed {
    char text[2000];
    size_t left; /* to be given */
} listed;

static bool list(void *context, uint32_t number, tcsi_view view, const tcsi_key *key)
{
    listed *l = context;
    tcsi_buffer name;
    (void)view;
    tcsi_buffer_init(&name, 4096);
    assert_ok(tcsi_key_print(key, &name, test_err));
    snprintf(l->text + strlen(l->text), sizeof l->text - strlen(l->text), "%u %s\n", number, name.data);
    tcsi_buffer_deinit(&name);
    return --l->left > 0;
}

static const char *selected(const char *const *queries, size_t count, size_t limit)
{
    static listed l;
    tcsi_selector selectors[4];
    tcsi_arena arena;
    l = (listed){ .left = limit };
    tcsi_arena_init(&arena, 1 << 22);
    for (size_t i = 0; i < count; i++) assert_ok(tcsi_selector_parse(queries[i], strlen(queries[i]), &arena, &selectors[i], test_err));
    assert_ok(tcsi_views_select(&directory, selectors, count, list, &l, test_err));
    tcsi_arena_deinit(&arena);
    return l.text;
}

static const char *selected_by(const char *query) { return selected(&query, 1, 100); }

static void test_what_is_selected(void **state)
{
    (void)state;
    tcsi_arena arena;
    static const char *const several[] = { "load", "{a=\"1\"}", "yhat{metric=\"load\"}" };
    tcsi_arena_init(&arena, 1 << 20);
    assert_ok(tcsi_directory_init(&directory, 100, test_err));
    add_series("load{a=\"1\"}", &arena);
    add_series("temp{metric=\"C\"}", &arena);
    add_series("{a=\"2\"}", &arena);
    assert_string_equal(selected_by("load"), "0 load{a=\"1\"}\n");
    assert_string_equal(selected_by("anomaly_score"), "0 anomaly_score{a=\"1\",metric=\"load\"}\n"
                                                      "1 anomaly_score{exported_metric=\"C\",metric=\"temp\"}\n2 anomaly_score{a=\"2\"}\n");
    assert_string_equal(selected_by("yhat_upper{metric=\"temp\"}"), "1 yhat_upper{exported_metric=\"C\",metric=\"temp\"}\n");
    assert_string_equal(selected_by("{__name__=~\"yhat_l.*\",a=~\".\"}"), "0 yhat_lower{a=\"1\",metric=\"load\"}\n2 yhat_lower{a=\"2\"}\n");
    assert_string_equal(selected_by("{a=\"2\"}"), "2 {a=\"2\"}\n2 anomaly_score{a=\"2\"}\n2 yhat{a=\"2\"}\n2 yhat_lower{a=\"2\"}\n"
                                                  "2 yhat_upper{a=\"2\"}\n");
    assert_string_equal(selected_by("{metric=\"C\"}"), "1 temp{metric=\"C\"}\n");
    assert_string_equal(selected(several, 3, 3), "0 load{a=\"1\"}\n0 anomaly_score{a=\"1\",metric=\"load\"}\n"
                                                 "0 yhat{a=\"1\",metric=\"load\"}\n");
    tcsi_directory_deinit(&directory);
    tcsi_arena_deinit(&arena);
}

static void test_values(void **state)
{
    (void)state;
    const tcsi_chronicle_row row = { .value = 5, .expected = 4, .deviation = 0.5, .score = 2, .count = 1 };
    const tcsi_chronicle_row unscored = { .value = 5, .expected = NAN, .deviation = NAN, .score = NAN, .count = 1 };
    static const double expected[TCSI_VIEW_COUNT] = { 5, 2, 4, 2.5, 5.5 };
    for (int view = 0; view < TCSI_VIEW_COUNT; view++) {
        assert_true(tcsi_view_value((tcsi_view)view, &row) == expected[view]);
        assert_true(isnan(tcsi_view_value((tcsi_view)view, &unscored)) == (view != TCSI_VIEW_VALUE));
    }
}

TCS_TEST_MAIN(cmocka_unit_test(test_what_is_selected), cmocka_unit_test(test_values))
