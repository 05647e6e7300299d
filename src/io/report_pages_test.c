/* What an episode's page draws, read back from its JSON: courses to a screen's precision, gaps, spikes, shares, similar rows. */
#include "io/report_pages.h"

#include "base/alloc.h"
#include "base/buffer.h"
#include "base/file.h"
#include "base/json.h"
#include "test.h"

#include <math.h>

enum { CHANNELS = 3 };

typedef struct fixture {
    tcsi_frame *frame;
    tcsi_report_episode episode;
    tcsi_report_reason reason;
    tcsi_report report;
    double *numbers;
    tcsi_buffer text;
    tcsi_arena arena;
    const tcsi_json_value *page;
} fixture;

/* An episode of `length` rows in the middle of three times as many, of which all are drawn; channel 1 carries it. */
static void fixture_make(fixture *f, size_t length)
{
    const size_t rows = 3 * length;
    *f = (fixture){ 0 };
    assert_ok(tcsi_frame_create(CHANNELS, rows, false, false, &f->frame, test_err));
    f->frame->row_count = rows;
    f->numbers = TCSI_NEW_ZEROS(double, 4 * rows + length * CHANNELS);
    assert_non_null(f->numbers);
    for (size_t c = 0; c < CHANNELS; c++)
        for (size_t t = 0; t < rows; t++) tcsi_frame_column(f->frame, c)[t] = 100 * (double)c + sin((double)t);
    for (size_t t = 0; t < rows; t++) {
        f->numbers[t] = 100;
        f->numbers[rows + t] = 98;
        f->numbers[2 * rows + t] = 102;
        f->numbers[3 * rows + t] = 101;
    }
    f->reason = (tcsi_report_reason){ .advice = "less of </script>", .source = "parts", .view_end = rows, .story_count = 1,
                                      .has_change = true, .change_begin = length, .change_end = 2 * length, .changed_channel_count = 1,
                                      .trial_count = 9, .score_before = 8, .score_after = 2, .threshold = 4 };
    f->reason.stories[0] = (tcsi_report_story){ .channel = 1, .share = 0.75, .kind = "spike", .value = 109, .expected = NAN, .low = 98,
                                                .high = 102, .expecteds = f->numbers, .lows = f->numbers + rows,
                                                .highs = f->numbers + 2 * rows, .instead = f->numbers + 3 * rows };
    f->episode = (tcsi_report_episode){ .row_begin = length, .row_end = 2 * length, .row_peak = length, .reason = &f->reason };
    f->report = (tcsi_report){ .frame = f->frame, .episodes = &f->episode, .episode_count = 1 };
    tcsi_buffer_init(&f->text, (size_t)1 << 26);
    tcsi_arena_init(&f->arena, (size_t)1 << 26);
}

static void fixture_end(fixture *f)
{
    tcsi_arena_deinit(&f->arena);
    tcsi_buffer_deinit(&f->text);
    tcsi_frame_destroy(f->frame);
    tcsi_free(f->numbers);
}

static void write_page(fixture *f)
{
    char path[64];
    snprintf(path, sizeof path, "report-pages-%ld.html", (long)getpid());
    FILE *stream = fopen(path, "w");
    assert_non_null(stream);
    assert_ok(tcsi_report_pages_write(&f->report, f->report.episode_count, stream, test_err));
    assert_int_equal(fclose(stream), 0);
    tcsi_buffer_clear(&f->text);
    assert_ok(tcsi_file_read(path, &f->text, test_err));
    unlink(path);
}

/* Writes it and reads the JSON. */
static void read_page(fixture *f)
{
    static const char open[] = "<script type=\"application/json\" id=\"data-episode-0\">";
    write_page(f);
    assert_int_equal(strncmp(f->text.data, open, sizeof open - 1), 0);
    const char *begin = f->text.data + sizeof open - 1, *end = strstr(begin, "</script>");
    assert_non_null(end);
    assert_string_equal(end, "</script>\n"); /* the only one */
    tcsi_arena_reset(&f->arena);
    assert_ok(tcsi_json_parse(begin, (size_t)(end - begin), &f->arena, &f->page, test_err));
}

static const tcsi_json_value *story_of(const fixture *f) { return &tcsi_json_get(f->page, "stories")->items[0]; }

static double value_at(const tcsi_json_value *course, const char *key, size_t i)
{
    const tcsi_json_value *list = tcsi_json_get(course, key);
    assert_non_null(list);
    assert_true(i < list->item_count);
    if (list->items[i].type == TCSI_JSON_NULL) return NAN;
    return tcsi_json_get(course, "floor")->number + tcsi_json_get(course, "step")->number * list->items[i].number;
}

static void test_values_come_back(void **state)
{
    (void)state;
    fixture f;
    fixture_make(&f, 20);
    double *x = tcsi_frame_column(f.frame, 1);
    x[31] = 109;
    x[40] = NAN;
    read_page(&f);
    assert_int_equal(tcsi_json_get(f.page, "stride")->number, 1);
    assert_null(tcsi_json_get(story_of(&f), "most")); /* one value a bucket */
    const double fine = 11.0 / 20000; /* 98 to 109 */
    for (size_t t = 0; t < 60; t++) {
        if (t == 40) assert_true(isnan(value_at(story_of(&f), "least", t)));
        else assert_near(value_at(story_of(&f), "least", t), x[t], fine);
        assert_near(value_at(story_of(&f), "lows", t), 98, fine);
        assert_near(value_at(story_of(&f), "highs", t), 102, fine);
        if (t < 20 || t >= 40) assert_true(isnan(value_at(story_of(&f), "instead", t)));
        else assert_near(value_at(story_of(&f), "instead", t), 101, fine);
    }
    assert_string_equal(tcsi_json_get(story_of(&f), "kind")->text, "spike");
    assert_int_equal(tcsi_json_get(story_of(&f), "expected")->type, TCSI_JSON_NULL);
    const tcsi_json_value *change = tcsi_json_get(f.page, "change");
    assert_int_equal(tcsi_json_get(change, "found")->type, TCSI_JSON_TRUE);
    assert_string_equal(tcsi_json_get(change, "words")->text, "less of </script>");
    fixture_end(&f);
}

/* 30,000 rows in 240 buckets: the page stays small, a spike and a dip of one row each survive. */
static void test_long_episodes_stay_small(void **state)
{
    (void)state;
    fixture f;
    fixture_make(&f, 10000);
    tcsi_frame_column(f.frame, 1)[12345] = 500;
    tcsi_frame_column(f.frame, 1)[12346] = -500;
    read_page(&f);
    const double stride = tcsi_json_get(f.page, "stride")->number;
    assert_true(stride == 125);
    assert_int_equal(tcsi_json_get(story_of(&f), "least")->item_count, 240);
    assert_near(value_at(story_of(&f), "most", 12345 / 125), 500, 0.1);
    assert_near(value_at(story_of(&f), "least", 12345 / 125), -500, 0.1);
    assert_true(f.text.size < 20000);
    fixture_end(&f);
}

/* Channels by their sum, those with nothing left out; buckets add up. */
static void test_shares(void **state)
{
    (void)state;
    for (size_t length = 10; length <= 1000; length *= 100) {
        fixture f;
        fixture_make(&f, length);
        double *shares = f.numbers + 4 * 3 * length;
        for (size_t t = 0; t < length; t++) {
            shares[t * CHANNELS] = t < length / 2 ? 1 : 0;
            shares[t * CHANNELS + 2] = 4;
        }
        f.reason.shares = shares;
        read_page(&f);
        const tcsi_json_value *heat = tcsi_json_get(f.page, "heat"), *rows = tcsi_json_get(heat, "rows");
        assert_int_equal(rows->item_count, 2);
        assert_int_equal(tcsi_json_get(&rows->items[0], "index")->number, 2);
        assert_int_equal(tcsi_json_get(&rows->items[1], "index")->number, 0);
        const tcsi_json_value *first = tcsi_json_get(&rows->items[0], "cells"), *second = tcsi_json_get(&rows->items[1], "cells");
        assert_int_equal(first->item_count, length == 10 ? 10 : 143); /* 1000 rows, 7 a bucket */
        assert_int_equal(first->items[1].number, 255);
        assert_int_equal(second->items[1].number, 64);
        assert_int_equal(second->items[second->item_count - 1].number, 0);
        for (size_t i = 0; i < length * CHANNELS; i++) shares[i] = 0; /* nobody carries it */
        read_page(&f);
        assert_null(tcsi_json_get(f.page, "heat"));
        fixture_end(&f);
    }
}

/* Cells are told in 255ths of the highest; a map of nothing is none. */
static void test_maps(void **state)
{
    (void)state;
    const size_t rows[] = { 20, 25 }, begins[] = { 0, 4, 8 }, ends[] = { 4, 8, 10 };
    double cells[] = { 0.2, 0.8, 0, 0.4, 0.4, 0.2 };
    fixture f;
    fixture_make(&f, 20);
    read_page(&f);
    assert_null(tcsi_json_get(f.page, "map"));
    f.reason.map = (tcsi_report_map){ .kind = "attention", .rows = rows, .begins = begins, .ends = ends, .row_count = 2, .column_count = 3,
                                      .cells = cells };
    read_page(&f);
    const tcsi_json_value *map = tcsi_json_get(f.page, "map"), *lines = tcsi_json_get(map, "rows");
    assert_string_equal(tcsi_json_get(map, "kind")->text, "attention");
    assert_near(0.8, tcsi_json_get(map, "highest")->number, 1e-12);
    assert_int_equal(tcsi_json_get(map, "begins")->items[2].number, 8);
    assert_int_equal(tcsi_json_get(map, "ends")->items[2].number, 10);
    assert_int_equal(lines->item_count, 2);
    assert_int_equal(tcsi_json_get(&lines->items[1], "row")->number, 25);
    const double expected[] = { 64, 255, 0, 128, 128, 64 };
    for (size_t i = 0; i < 6; i++) assert_int_equal(tcsi_json_get(&lines->items[i / 3], "cells")->items[i % 3].number, expected[i]);
    memset(cells, 0, sizeof cells);
    read_page(&f);
    assert_null(tcsi_json_get(f.page, "map"));
    fixture_end(&f);
}

static void test_similar_rows(void **state)
{
    (void)state;
    fixture f;
    fixture_make(&f, 20);
    read_page(&f);
    assert_int_equal(tcsi_json_get(f.page, "beside")->item_count, 0);
    f.reason.likenesses[0] = (tcsi_report_likeness){ .row_begin = 2, .row_end = 10, .rank = 7, .label = "valve </script>",
                                                     .labelled_by = "labelled", .raw = 1.5, .shape = 0.5 };
    f.reason.likenesses[1] = (tcsi_report_likeness){ .row_begin = 56, .row_end = 60, .rank = SIZE_MAX, .raw = 2.5, .shape = NAN };
    f.reason.likeness_count = 2;
    read_page(&f);
    const tcsi_json_value *beside = tcsi_json_get(f.page, "beside");
    assert_int_equal(beside->item_count, 3);
    assert_string_equal(tcsi_json_get(&beside->items[0], "what")->text, "this");
    assert_int_equal(tcsi_json_get(&beside->items[0], "from")->number, 14); /* a quarter and a row before it */
    assert_int_equal(tcsi_json_get(&beside->items[1], "rank")->number, 7);
    assert_int_equal(tcsi_json_get(&beside->items[1], "from")->number, 0);
    assert_string_equal(tcsi_json_get(&beside->items[1], "label")->text, "valve </script>");
    assert_string_equal(tcsi_json_get(&beside->items[1], "labelled")->text, "labelled");
    assert_null(tcsi_json_get(&beside->items[2], "rank"));
    assert_null(tcsi_json_get(&beside->items[2], "label"));
    assert_int_equal(tcsi_json_get(&beside->items[2], "to")->number, 60); /* where rows end */
    assert_int_equal(tcsi_json_get(&beside->items[2], "shape")->type, TCSI_JSON_NULL);
    const tcsi_json_value *course = &tcsi_json_get(&beside->items[1], "channels")->items[0];
    assert_near(value_at(course, "least", 5), tcsi_frame_column(f.frame, 1)[5], 1e-3);
    fixture_end(&f);
}

/* Nothing usable, the widest and the narrowest that doubles allow: numbers, or null. */
static void test_extreme_values(void **state)
{
    (void)state;
    static const double pairs[][2] = { { NAN, INFINITY }, { -1e150, 1e150 }, { 0, 4.9406564584124654e-324 }, { 5, 5 }, { 1e308, -1e308 } };
    for (size_t i = 0; i < TCS_COUNT(pairs); i++) {
        fixture f;
        fixture_make(&f, 10);
        for (size_t t = 0; t < 30; t++) tcsi_frame_column(f.frame, 1)[t] = pairs[i][t % 2];
        f.reason.stories[0] = (tcsi_report_story){ .channel = 1, .share = NAN };
        read_page(&f);
        for (size_t t = 0; t < 30; t++) {
            const double back = value_at(story_of(&f), "least", t);
            if (!(fabs(pairs[i][t % 2]) <= TCS_VALUE_MAX)) assert_true(isnan(back));
            else assert_true(fabs(back - pairs[i][t % 2]) <= fabs(pairs[i][0] - pairs[i][1]) / 20000 + 1e-300);
        }
        assert_null(tcsi_json_get(story_of(&f), "lows"));
        assert_null(tcsi_json_get(story_of(&f), "instead"));
        fixture_end(&f);
    }
}

static void test_only_the_first_with_a_reason(void **state)
{
    (void)state;
    fixture f;
    fixture_make(&f, 10);
    static tcsi_report_episode many[TCSI_REPORT_PAGE_COUNT_MAX + 3];
    for (size_t i = 0; i < TCS_COUNT(many); i++) many[i] = f.episode;
    many[2].reason = NULL;
    f.report.episodes = many;
    f.report.episode_count = TCS_COUNT(many);
    write_page(&f);
    size_t count = 0;
    for (const char *at = f.text.data; (at = strstr(at, "id=\"data-episode-")); at++) count++;
    assert_int_equal(count, TCSI_REPORT_PAGE_COUNT_MAX - 1);
    assert_null(strstr(f.text.data, "id=\"data-episode-2\""));
    fixture_end(&f);
}

/* Sixty-four pages of eight long courses would be too much: as many as fit are there, each whole. */
static void test_all_pages_stay_small(void **state)
{
    (void)state;
    fixture f;
    fixture_make(&f, 10000);
    for (size_t i = 1; i < TCSI_REPORT_STORY_COUNT_MAX; i++) f.reason.stories[i] = f.reason.stories[0];
    f.reason.story_count = TCSI_REPORT_STORY_COUNT_MAX;
    static tcsi_report_episode many[TCSI_REPORT_PAGE_COUNT_MAX];
    for (size_t i = 0; i < TCS_COUNT(many); i++) many[i] = f.episode;
    f.report.episodes = many;
    f.report.episode_count = TCS_COUNT(many);
    write_page(&f);
    size_t open = 0, closed = 0;
    for (const char *at = f.text.data; (at = strstr(at, "id=\"data-episode-")); at++) open++;
    for (const char *at = f.text.data; (at = strstr(at, "\"beside\":[]}</script>\n")); at++) closed++;
    assert_true(open == closed && open > 1 && open < TCS_COUNT(many));
    assert_true(f.text.size > TCSI_REPORT_PAGES_SIZE_MAX / 2 && f.text.size < TCSI_REPORT_PAGES_SIZE_MAX + 100 * TCS_COUNT(many));
    fixture_end(&f);
}

static void test_failing_allocations(void **state)
{
    (void)state;
    fixture f;
    fixture_make(&f, 50);
    f.reason.shares = f.numbers;
    FILE *stream = fopen("/dev/null", "w");
    assert_non_null(stream);
    tcs_status status = TCS_E_MEMORY;
    for (size_t n = 1; status != TCS_OK; n++) {
        tcs_error err = { 0 };
        assert_true(n < 50);
        tcsi_alloc_trace_begin();
        tcsi_alloc_trace_fail_at(n);
        status = tcsi_report_pages_write(&f.report, 1, stream, &err);
        assert_int_equal(tcsi_alloc_trace_stats().live_count, 0);
        tcsi_alloc_trace_end();
        assert_true(status == TCS_OK || status == TCS_E_MEMORY);
        assert_true(status != TCS_OK || n > 2);
    }
    assert_int_equal(fclose(stream), 0);
    fixture_end(&f);
}

TCS_TEST_MAIN(cmocka_unit_test(test_values_come_back),
              cmocka_unit_test(test_long_episodes_stay_small),
              cmocka_unit_test(test_shares),
              cmocka_unit_test(test_maps), cmocka_unit_test(test_similar_rows),
              cmocka_unit_test(test_extreme_values),
              cmocka_unit_test(test_only_the_first_with_a_reason),
              cmocka_unit_test(test_all_pages_stay_small),
              cmocka_unit_test(test_failing_allocations))
