/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "serve/history/pack.h"

enum { SERIES = 6, ROWS_MAX = 20000 };
static const int64_t START_NS = INT64_C(1700000000000000000), SECOND_NS = INT64_C(1000000000);

/* Everything that was given away, in order. */
typedef struct taken {
    tcsi_reel_row rows[ROWS_MAX];
    size_t count, give_count;
} taken;

static void take(void *self, size_t index, tcsi_reel_rows *rows)
{
    taken *t = self;
    assert_int_equal(index, 1);
    assert_true(t->count + rows->count <= ROWS_MAX && rows->count > 0);
    memcpy(t->rows + t->count, rows->items, rows->count * sizeof *rows->items);
    t->count += rows->count;
    t->give_count++;
}

static void reel_begin(tcsi_reel *reel, taken *t, double rows_per_s, size_t capacity)
{
    *t = (taken){ .count = 0 };
    tcsi_reel_init(reel, &(tcsi_reel_options){ .rows_per_s = rows_per_s, .give = take, .self = t, .index = 1, .reel_count = 8,
                                               .capacity = capacity });
}

static bool collect(void *context, const tcsi_reel_row *row)
{
    taken *t = context;
    t->rows[t->count++] = *row;
    return true;
}

/* Row t of a series: beyond doubt its own. */
static tcsi_reel_judged judged_at(uint32_t series, size_t t)
{
    tcsi_rng rng = tcsi_rng_make(series + 1, t);
    const double value = 1e9 * series + tcsi_rng_normal(&rng), expected = value - tcsi_rng_normal(&rng);
    return (tcsi_reel_judged){ START_NS + (int64_t)t * SECOND_NS, value, expected, 0.5 + tcsi_rng_uniform(&rng),
                               t < 3 ? (double)NAN : fabs(tcsi_rng_normal(&rng)) };
}

static void assert_row(const tcsi_reel_row *row, const tcsi_reel_judged *judged)
{
    const tcsi_chronicle_row read = tcsi_chronicle_row_of(row);
    assert_true(read.time_ns == judged->time_ns && read.value == judged->value && read.low == judged->value && read.high == judged->value);
    assert_int_equal(read.count, 1);
    assert_true(isnan(read.score) == isnan(judged->score) && isnan(read.expected) == isnan(judged->score));
    if (isnan(judged->score)) return;
    const double residual = fabs(judged->value - judged->expected);
    assert_true(fabs(read.expected - judged->expected) <= residual * TCSI_REEL_PRECISION + 1e-6); /* 1e-6: doubles at 5e9 */
    assert_true(fabs(read.deviation - judged->deviation) <= judged->deviation * TCSI_REEL_PRECISION);
    assert_true(fabs(read.score - judged->score) <= judged->score * TCSI_REEL_PRECISION);
}

/* Rows alone: each comes out as it went in, on the reel and given away, and per series in order. */
static void test_rows_alone(void **state)
{
    (void)state;
    static taken given, found;
    tcsi_reel reel;
    reel_begin(&reel, &given, 1000, 100);
    for (size_t t = 0; t < 95; t++) {
        for (uint32_t s = 0; s < SERIES; s++) {
            const tcsi_reel_judged row = judged_at(s, t);
            tcsi_reel_push(&reel, s, s, &row);
        }
        tcsi_reel_tick(&reel, START_NS + (int64_t)t * SECOND_NS, SERIES, SERIES);
    }
    assert_int_equal(given.count, 500); /* 570 rows, a hundred a reel */
    assert_int_equal(reel.row_count, 570);
    assert_int_equal(reel.merged_count + reel.lost_count, 0);
    for (uint32_t s = 0; s < SERIES; s++) {
        size_t t = 0;
        for (size_t i = 0; i < given.count; i++) {
            if (given.rows[i].number != s) continue;
            const tcsi_reel_judged row = judged_at(s, t++);
            assert_row(&given.rows[i], &row);
        }
        found.count = 0;
        assert_ok(tcsi_reel_list(&reel, s, INT64_MIN, INT64_MAX, collect, &found, test_err));
        for (size_t i = 0; i < found.count; i++) {
            const tcsi_reel_judged row = judged_at(s, t++);
            assert_row(&found.rows[i], &row);
        }
        assert_int_equal(t, 95);
        found.count = 0; /* the newest alone */
        assert_ok(tcsi_reel_list(&reel, s, START_NS + 93 * SECOND_NS, INT64_MAX, collect, &found, test_err));
        assert_int_equal(found.count, 2);
        found.count = 0;
        assert_ok(tcsi_reel_list(&reel, s, START_NS + 92 * SECOND_NS, START_NS + 93 * SECOND_NS, collect, &found, test_err));
        assert_true(found.count == 2 && found.rows[1].time_ns == START_NS + 93 * SECOND_NS);
        found.count = 0;
        assert_ok(tcsi_reel_list(&reel, s, INT64_MIN, START_NS, collect, &found, test_err));
        assert_int_equal(found.count, 0);
    }
    tcsi_reel_deinit(&reel);
}

/* More than may be kept: rows of one step are one, with their mean, extremes and greatest score. */
static void test_rows_merged(void **state)
{
    (void)state;
    static taken given;
    tcsi_reel reel;
    reel_begin(&reel, &given, 1, 64);
    tcsi_reel_tick(&reel, START_NS, SERIES, SERIES); /* six rows a second, one may be kept: steps of 10 s */
    assert_int_equal(reel.step_ns, 10 * SECOND_NS);
    for (size_t t = 0; t < 400; t++)
        for (uint32_t s = 0; s < SERIES; s++) {
            const tcsi_reel_judged row = judged_at(s, t);
            tcsi_reel_push(&reel, s, s, &row);
        }
    assert_int_equal(reel.merged_count, SERIES * 360);
    for (size_t i = 0; i < given.count; i++) {
        const tcsi_chronicle_row row = tcsi_chronicle_row_of(&given.rows[i]);
        const size_t first = (size_t)((row.time_ns - START_NS) / SECOND_NS);
        double sum = 0, low = INFINITY, high = -INFINITY, score = 0;
        assert_true(first % 10 == 0 && row.count == 10);
        for (size_t t = first; t < first + 10; t++) {
            const tcsi_reel_judged one = judged_at(given.rows[i].number, t);
            sum += one.value;
            low = fmin(low, one.value);
            high = fmax(high, one.value);
            score = fmax(score, one.score);
        }
        assert_near(sum / 10, row.value, 1e-15);
        assert_true(row.low <= low && row.low >= low - 0.01 && row.high >= high && row.high <= high + 0.01);
        assert_near(score, row.score, TCSI_REEL_PRECISION);
    }
    assert_true(given.count >= 192);
    tcsi_reel_tick(&reel, START_NS, SERIES, 0.5); /* few again: alone again, and what is open ends with the next row */
    assert_int_equal(reel.step_ns, 0);
    const tcsi_reel_judged row = judged_at(0, 400);
    tcsi_reel_push(&reel, 0, 0, &row);
    assert_int_equal(reel.pieces[0][0].count, 0);
    tcsi_reel_deinit(&reel);
}

/* So many series that a reel has four rows of each: blocks would be written all the time, and steps are long instead. */
static void test_a_million_series(void **state)
{
    (void)state;
    static taken given;
    tcsi_reel reel;
    reel_begin(&reel, &given, 10000.0 / 8, 0);
    tcsi_reel_tick(&reel, START_NS, 125000, 125000 / 60.0);
    assert_int_equal(reel.step_ns, 600 * SECOND_NS);
    assert_true(125000 / 600.0 / TCSI_REEL_ROWS_A_SERIES <= 500.0 / 8); /* blocks a second of this reel */
    reel_begin(&reel, &given, 10000.0 / 8, 0);
    tcsi_reel_tick(&reel, START_NS, 125, 125); /* a thousand, each second: all alone */
    assert_int_equal(reel.step_ns, 0);
    tcsi_reel_deinit(&reel);
}

/* An old reel is given away however little is on it; none is empty. */
static void test_age(void **state)
{
    (void)state;
    static taken given;
    tcsi_reel reel;
    reel_begin(&reel, &given, 1000, 0);
    const tcsi_reel_judged row = judged_at(0, 0);
    tcsi_reel_push(&reel, 0, 0, &row);
    for (int64_t s = 0; s < 3600; s += 10) tcsi_reel_tick(&reel, START_NS + s * SECOND_NS, 1, 1);
    assert_int_equal(given.give_count, 1); /* the second of eight: its first hour began 450 s ago */
    for (int64_t s = 3600; s < 3 * 3600; s += 10) tcsi_reel_tick(&reel, START_NS + s * SECOND_NS, 1, 1);
    assert_int_equal(given.give_count, 1);
    tcsi_reel_deinit(&reel);
}

/* Saved and loaded it goes on as if nothing had been; a damaged one is refused, a reel that keeps nothing forgets it. */
enum { PIECE_LAST, PIECE_SERIES, PIECE_ROWS };

static void push_at(tcsi_reel *reel, uint32_t place, size_t t)
{
    const tcsi_reel_judged row = judged_at(place, t);
    tcsi_reel_push(reel, place, place, &row);
}

static void put_piece(tcsi_codec *codec, uint32_t piece)
{
    tcsi_codec_u32(codec, &piece);
}

static void save_series(tcsi_reel *reel, uint32_t place, tcsi_codec *codec)
{
    put_piece(codec, PIECE_SERIES);
    put_piece(codec, place);
    tcsi_reel_persist_series(reel, place, codec);
}

static void load(tcsi_reel *reel, tcsi_codec *codec)
{
    uint32_t piece = PIECE_LAST, place = 0;
    tcsi_reel_load(reel, codec);
    do {
        tcsi_codec_u32(codec, &piece);
        if (piece == PIECE_SERIES) {
            tcsi_codec_u32(codec, &place);
            tcsi_reel_persist_series(reel, place, codec);
        } else if (piece == PIECE_ROWS) tcsi_reel_load_rows(reel, codec);
    } while (piece != PIECE_LAST && tcsi_codec_status(codec) == TCS_OK);
    tcsi_reel_loaded(reel, codec);
}

/* Rows are pushed while it is saved, each series just before its first one; enough of them that the reel is given away. */
static void test_saved_beside_pushes(void **state)
{
    (void)state;
    static taken one, two;
    tcsi_reel reel, again;
    tcsi_buffer saved;
    tcs_error failure;
    for (size_t rows_at_once = 1; rows_at_once <= 64; rows_at_once *= 8) {
        reel_begin(&reel, &one, 1, 100);
        tcsi_reel_tick(&reel, START_NS, SERIES, SERIES);
        for (size_t t = 0; t < 207; t++)
            for (uint32_t s = 0; s < SERIES; s++) push_at(&reel, s, t);
        tcsi_buffer_init(&saved, 1 << 20);
        tcsi_codec codec = tcsi_codec_save(&saved, &failure);
        tcsi_reel_save(&reel, PIECE_ROWS, &codec);
        assert_true(reel.rows.count > 0);
        one.count = 0;
        for (size_t t = 207; t < 1000; t++)
            for (uint32_t s = 0; s < SERIES; s++) {
                if (t == 207) save_series(&reel, s, &codec);
                (void)tcsi_reel_save_rows(&reel, t == 207 ? rows_at_once : 0);
                push_at(&reel, s, t);
            }
        assert_true(one.count >= 400); /* it was given away, and wrote what was left before that */
        assert_false(tcsi_reel_save_rows(&reel, 0));
        put_piece(&codec, PIECE_LAST);
        assert_int_equal(tcsi_codec_status(&codec), TCS_OK);
        reel_begin(&again, &two, 1, 100);
        two.count = 0;
        codec = tcsi_codec_load(saved.data, saved.size, &failure);
        load(&again, &codec);
        assert_int_equal(tcsi_codec_status(&codec), TCS_OK);
        for (size_t t = 207; t < 1000; t++)
            for (uint32_t s = 0; s < SERIES; s++) push_at(&again, s, t);
        assert_int_equal(one.count, two.count);
        assert_memory_equal(one.rows, two.rows, one.count * sizeof *one.rows);
        tcsi_reel_deinit(&again);
        tcsi_reel_deinit(&reel);
        tcsi_buffer_deinit(&saved);
    }
}

static void test_saved_and_loaded(void **state)
{
    (void)state;
    static taken one, two;
    tcsi_reel reel, again;
    tcsi_buffer saved;
    tcs_error failure;
    reel_begin(&reel, &one, 1, 100);
    tcsi_reel_tick(&reel, START_NS, SERIES, SERIES);
    for (size_t t = 0; t < 207; t++)
        for (uint32_t s = 0; s < SERIES; s++) {
            const tcsi_reel_judged row = judged_at(s, t);
            tcsi_reel_push(&reel, s, s, &row);
        }
    tcsi_buffer_init(&saved, 1 << 20);
    tcsi_codec codec = tcsi_codec_save(&saved, &failure);
    tcsi_reel_save(&reel, PIECE_ROWS, &codec);
    for (uint32_t s = 0; s < SERIES; s++) save_series(&reel, s, &codec);
    while (tcsi_reel_save_rows(&reel, 100)) {}
    put_piece(&codec, PIECE_LAST);
    assert_int_equal(tcsi_codec_status(&codec), TCS_OK);
    reel_begin(&again, &two, 1, 100);
    codec = tcsi_codec_load(saved.data, saved.size, &failure);
    load(&again, &codec);
    assert_int_equal(tcsi_codec_status(&codec), TCS_OK);
    one.count = 0;
    for (size_t t = 207; t < 1000; t++)
        for (uint32_t s = 0; s < SERIES; s++) {
            const tcsi_reel_judged row = judged_at(s, t);
            tcsi_reel_push(&reel, s, s, &row);
            tcsi_reel_push(&again, s, s, &row);
        }
    assert_true(one.count >= 400 && one.count == two.count);
    assert_memory_equal(one.rows, two.rows, one.count * sizeof *one.rows);
    tcsi_reel_deinit(&again);
    for (size_t size = 0; size < saved.size; size += 7) { /* cut short anywhere */
        reel_begin(&again, &two, 1, 100);
        codec = tcsi_codec_load(saved.data, size, &failure);
        load(&again, &codec);
        assert_int_equal(tcsi_codec_status(&codec), TCS_E_FORMAT);
        tcsi_reel_deinit(&again);
    }
    reel_begin(&again, &two, 0, 0);
    codec = tcsi_codec_load(saved.data, saved.size, &failure);
    load(&again, &codec);
    assert_int_equal(tcsi_codec_status(&codec), TCS_OK);
    assert_int_equal(again.rows.count, 0);
    tcsi_reel_deinit(&again);
    tcsi_reel_deinit(&reel);
    tcsi_buffer_deinit(&saved);
}

/* Nothing is allocated for a row once the reel has grown; without memory rows are counted, and the rest goes on. */
static void test_memory(void **state)
{
    (void)state;
    static taken given;
    tcsi_reel reel;
    tcsi_alloc_trace_begin();
    reel_begin(&reel, &given, 1e6, 2000);
    for (size_t t = 0; t < 6000; t++) {
        const tcsi_reel_judged row = judged_at(0, t);
        tcsi_reel_push(&reel, 0, 0, &row);
        if (t == 1999) tcsi_alloc_trace_fail_at(1);
    }
    assert_int_equal(reel.lost_count, 0);
    assert_int_equal(given.count, 4000);
    tcsi_reel_deinit(&reel);
    tcsi_alloc_trace_end();
    tcsi_alloc_trace_begin();
    tcsi_alloc_trace_fail_at(1);
    reel_begin(&reel, &given, 1e6, 2000);
    const tcsi_reel_judged row = judged_at(0, 0);
    tcsi_reel_push(&reel, 0, 0, &row);
    assert_int_equal(reel.lost_count, 1);
    tcsi_alloc_trace_end();
}

/* A block gives back what was packed, bit for bit; bytes that are none are refused. */
static void test_packed(void **state)
{
    (void)state;
    static tcsi_pack pack, back;
    tcsi_buffer bytes;
    tcs_error failure;
    tcsi_buffer_init(&bytes, 1 << 20);
    for (int is_merged = 0; is_merged < 2; is_merged++) {
        tcsi_buffer_clear(&bytes);
        tcsi_pack_begin(&pack);
        for (size_t t = 0; t < 1000; t++) {
            const tcsi_reel_judged judged = judged_at(2, t);
            const tcsi_reel_row row = { .time_ns = judged.time_ns, .value = judged.value,
                                        .residual = (float)(judged.value - judged.expected),
                                        .deviation = (float)judged.deviation, .score = (float)judged.score, .below = is_merged ? 0.25f : 0,
                                        .above = is_merged ? (float)t : 0, .count = is_merged ? (uint32_t)t + 1 : 1 };
            tcsi_pack_add(&pack, &row);
        }
        assert_ok(tcsi_pack_encode(&pack, &bytes, test_err));
        assert_ok(tcsi_pack_decode(&back, bytes.data, bytes.size, test_err));
        assert_int_equal(back.count, 1000);
        for (size_t i = 0; i < 1000; i++) {
            const tcsi_chronicle_row a = tcsi_pack_row(&pack, i), b = tcsi_pack_row(&back, i);
            assert_true(a.time_ns == b.time_ns && a.value == b.value && a.low == b.low && a.high == b.high && a.count == b.count);
            assert_memory_equal(&a.expected, &b.expected, 3 * sizeof a.expected);
        }
    }
    for (size_t size = 0; size + 1 < bytes.size; size += 97)
        assert_int_equal(tcsi_pack_decode(&back, bytes.data, size, &failure), TCS_E_FORMAT);
    tcsi_buffer_deinit(&bytes);
}

TCS_TEST_MAIN(cmocka_unit_test(test_rows_alone), cmocka_unit_test(test_rows_merged), cmocka_unit_test(test_a_million_series),
              cmocka_unit_test(test_age), cmocka_unit_test(test_saved_and_loaded), cmocka_unit_test(test_saved_beside_pushes),
              cmocka_unit_test(test_memory),
              cmocka_unit_test(test_packed))
