/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "decide/cohort.h"
#include "detect/fast/residual_chart.h"

enum { MEMBERS = 300 };

/* Scores as detectors give them: distances in deviations that nobody got quite right, of rows that depend on each other. */
typedef struct source {
    tcsi_rng rng;
    double scale, memory, freedom, at; /* freedom: of Student's t; 0: normal */
} source;

static double draw(source *s)
{
    double z = tcsi_rng_normal(&s->rng);
    if (s->freedom > 0) { /* Student's t by a chi-square of whole degrees, in deviations */
        double sum = 0;
        for (int i = 0; i < (int)s->freedom; i++) {
            const double n = tcsi_rng_normal(&s->rng);
            sum += n * n;
        }
        z *= sqrt((s->freedom - 2) / sum);
    }
    s->at = s->memory * s->at + sqrt(1 - s->memory * s->memory) * z;
    return s->scale * fabs(s->at);
}

static void make_sources(source *sources, uint64_t seed, double freedom, double memory)
{
    tcsi_rng rng = tcsi_rng_make(seed, 0);
    for (size_t i = 0; i < MEMBERS; i++)
        sources[i] = (source){ .rng = tcsi_rng_make(seed, i + 1), .scale = exp(0.5 * tcsi_rng_normal(&rng)), .freedom = freedom,
                               .memory = memory * tcsi_rng_uniform(&rng) };
}

typedef struct fleet {
    tcsi_cohort cohort;
    tcsi_cohort_member members[MEMBERS];
    source sources[MEMBERS];
} fleet;

static void fleet_init(fleet *f, double rate, uint64_t seed, double freedom, double memory)
{
    *f = (fleet){ 0 };
    assert_ok(tcsi_cohort_init(&f->cohort, rate, 4, test_err));
    make_sources(f->sources, seed, freedom, memory);
}

static bool push(fleet *f, size_t member, double score)
{
    tcsi_cohort_verdict verdict;
    assert_ok(tcsi_cohort_push(&f->cohort, &f->members[member], score, &verdict, test_err));
    return verdict.is_opening;
}

/* Whole rounds of all members; returns the alarms. */
static size_t run(fleet *f, size_t round_count)
{
    size_t alarms = 0;
    for (size_t t = 0; t < round_count; t++)
        for (size_t i = 0; i < MEMBERS; i++) alarms += push(f, i, draw(&f->sources[i]));
    return alarms;
}

/* False alarms promised and raised, young and later, for light and heavy tails, with and without memory. */
static void test_the_rate_is_kept(void **state)
{
    (void)state;
    static const struct { double freedom, memory; } cases[] = { { 0, 0 }, { 0, 0.95 }, { 5, 0 }, { 5, 0.9 } };
    static fleet f;
    const size_t rounds = test_is_small() ? 1000 : 6000;
    const double rate = 100.0 / ((double)rounds * MEMBERS);
    for (size_t k = 0; k < TCS_COUNT(cases); k++) {
        fleet_init(&f, rate, 10 + k, cases[k].freedom, cases[k].memory);
        const size_t young = run(&f, rounds / 4), later = run(&f, rounds);
        print_message("# freedom %g memory %g: %zu alarms while young (promised 25), %zu later (promised 100)\n", cases[k].freedom,
                      cases[k].memory, young, later);
        assert_true(young <= 60);
        assert_in_range(later, 50, 150);
        tcsi_cohort_deinit(&f.cohort);
    }
}

/* Cohorts of `size` members that know nothing of each other, as in a small installation: an event of one row every `every` rows (0: none),
 * each `growth` times as large as the one before it.  Alarms, and events that raised one. */
static void run_small(size_t cohort_count, size_t size, size_t rows, size_t every, double growth, double rate, double freedom,
                      size_t *ret_alarms, size_t *ret_seen)
{
    static fleet f;
    *ret_alarms = *ret_seen = 0;
    for (size_t c = 0; c < cohort_count; c++) {
        fleet_init(&f, rate, 100 + c, freedom, 0.9);
        for (size_t t = 0; t < rows; t++) {
            for (size_t i = 0; i < size; i++) {
                const bool is_event = every && t && (t + 37 * i) % every == 0;
                const double step = every ? (double)((t + 37 * i) / every) : 0, event = 10 * f.sources[i].scale * pow(growth, step - 1);
                const bool is_told = push(&f, i, draw(&f.sources[i]) + (is_event ? event : 0));
                *ret_alarms += is_told;
                *ret_seen += is_told && is_event;
            }
        }
        tcsi_cohort_deinit(&f.cohort);
    }
}

/* Without the peaks of alarms, tails of lone series with heavy tails raise half as many again as they may. */
static void test_the_rate_is_kept_by_small_cohorts(void **state)
{
    (void)state;
    static const struct { size_t size; double freedom; } cases[] = { { 1, 0 }, { 1, 5 }, { 30, 5 } };
    const size_t cohorts = test_is_small() ? 20 : 100, rows = 20000;
    for (size_t k = 0; k < TCS_COUNT(cases); k++) {
        size_t alarms, seen;
        run_small(cohorts / cases[k].size + 1, cases[k].size, rows, 0, 1, 1e-4, cases[k].freedom, &alarms, &seen);
        const double promised = 1e-4 * (double)((cohorts / cases[k].size + 1) * cases[k].size * rows);
        print_message("# cohorts of %zu, freedom %g: %zu alarms, promised %.0f\n", cases[k].size, cases[k].freedom, alarms, promised);
        assert_true((double)alarms < 1.3 * promised);
    }
}

/* One event does not hide those after it, though they are larger: of a series by itself, and of ten that share a tail. */
static void test_later_events_are_seen(void **state)
{
    (void)state;
    static const struct { size_t size, every; double growth, rate; } cases[] = { { 1, 600, 1.1, 1e-4 }, { 10, 3000, 1.2, 1e-5 } };
    for (size_t k = 0; k < TCS_COUNT(cases); k++) {
        size_t alarms, seen;
        const size_t cohorts = 40 / cases[k].size, events = cohorts * cases[k].size * 5;
        run_small(cohorts, cases[k].size, 5 * cases[k].every + 1, cases[k].every, cases[k].growth, cases[k].rate, 0, &alarms, &seen);
        print_message("# cohorts of %zu: %zu of %zu events, and %zu other alarms\n", cases[k].size, seen, events, alarms - seen);
        assert_true(seen > 9 * events / 10);
    }
}

/* An event of eight times what is usual is seen in nearly every series, though their scales differ tenfold. */
static void test_events_are_seen(void **state)
{
    (void)state;
    static fleet f;
    size_t seen = 0;
    fleet_init(&f, 1e-5, 3, 0, 0.9);
    (void)run(&f, 1500);
    for (size_t i = 0; i < MEMBERS; i++) seen += push(&f, i, 8 * 2.33 * f.sources[i].scale);
    assert_true((double)seen > 0.98 * MEMBERS);
    tcsi_cohort_deinit(&f.cohort);
}

/* Series that hold still, and some that do not: what begins to move is one alarm at most, none where nothing is known of how far noise
 * goes, and does not stay one; and an event of those that vary is told after eighty rows. */
static void test_what_holds_still_is_no_tail(void **state)
{
    (void)state;
    static const size_t sizes[] = { 8, 50 };
    for (size_t k = 0; k < 2 * TCS_COUNT(sizes); k++) {
        const size_t size = sizes[k / 2], varying = k % 2 ? size / 4 : 0;
        tcsi_cohort cohort;
        tcsi_cohort_member members[50] = { 0 };
        tcsi_residual_chart charts[50] = { 0 };
        tcsi_rng rng = tcsi_rng_make(31, k);
        size_t moves = 0, events = 0, other = 0, open = 0;
        assert_ok(tcsi_cohort_init(&cohort, 1e-5, 4, test_err));
        for (size_t t = 0; t < 400; t++)
            for (size_t i = 0; i < size; i++) {
                const bool is_event = i < varying && t == 80;
                double value = i < varying ? tcsi_rng_normal(&rng) + (is_event ? 1000 : 0) : 7;
                if (i == size - 1 && t >= 70) value += (double)tcsi_rng_below(&rng, 3);
                const double score = tcsi_residual_chart_push(&charts[i], &tcsi_residual_chart_defaults, value);
                tcsi_cohort_verdict verdict = { .height = 0 };
                if (!isnan(score)) assert_ok(tcsi_cohort_push(&cohort, &members[i], score, &verdict, test_err));
                *(is_event ? &events : i == size - 1 ? &moves : &other) += verdict.is_opening;
                open += t > 200 && members[i].open_for > 0;
            }
        print_message("# %zu series, of which %zu vary: %zu events, %zu first moves, %zu others\n", size, varying, events, moves, other);
        assert_true(events == varying && moves <= (varying > 0) && other == 0 && open == 0);
        tcsi_cohort_deinit(&cohort);
    }
}

/* One that alarms every 100 scores, however far: it becomes quiet, and the others are judged as without it. */
static void test_one_series_neither_floods_nor_spoils(void **state)
{
    (void)state;
    static fleet f, without;
    size_t told = 0, rises = 0;
    fleet_init(&f, 1e-5, 4, 0, 0.5);
    fleet_init(&without, 1e-5, 4, 0, 0.5);
    for (size_t t = 0; t < 10000; t++) {
        for (size_t i = 0; i < 60; i++) {
            const double score = draw(&f.sources[i]);
            const bool is_rise = i == 0 && t % 100 == 99;
            const bool is_told = push(&f, i, is_rise ? 1e100 : score);
            if (i == 0) told += is_told;
            rises += is_rise;
            (void)push(&without, i, score);
        }
    }
    assert_int_equal(rises, 100);
    assert_in_range(told, 5, 30);
    assert_near(without.cohort.threshold, f.cohort.threshold, 0.15);
    tcsi_cohort_deinit(&f.cohort);
    tcsi_cohort_deinit(&without.cohort);
}

/* A series without a past is judged by what the others taught. */
static void test_a_new_series_is_judged_at_once(void **state)
{
    (void)state;
    static fleet f;
    tcsi_cohort_verdict verdict;
    fleet_init(&f, 1e-5, 5, 0, 0);
    for (size_t i = 0; i < MEMBERS; i++) f.sources[i].scale = 1;
    assert_false(push(&f, 0, 1e6)); /* nothing is known yet: nothing alarms */
    (void)run(&f, 300);
    tcsi_cohort_member fresh = { 0 }, other = { 0 };
    assert_ok(tcsi_cohort_push(&f.cohort, &fresh, 20, &verdict, test_err));
    assert_true(verdict.is_opening && tcsi_cohort_p_value(&f.cohort, verdict.height) < 1e-4);
    assert_ok(tcsi_cohort_push(&f.cohort, &other, 1, &verdict, test_err));
    assert_true(!verdict.is_unusual && tcsi_cohort_p_value(&f.cohort, verdict.height) > 0.1);
    tcsi_cohort_deinit(&f.cohort);
}

/* A thousand scores of one moment, all alike, are not a past: nothing alarms before there were thirty moments. */
static void test_one_moment_is_no_past(void **state)
{
    (void)state;
    static fleet f;
    size_t alarms = 0;
    fleet_init(&f, 1e-6, 9, 0, 0);
    for (size_t t = 0; t < 30; t++)
        for (size_t i = 0; i < MEMBERS; i++) alarms += push(&f, i, 1 + sin(0.4 * (double)t) + 1e-3 * draw(&f.sources[i]));
    assert_int_equal(alarms, 0);
    tcsi_cohort_deinit(&f.cohort);
}

/* An alarm opens once, lasts, and closes; the state that lasts becomes usual. */
static void test_an_alarm_opens_and_closes(void **state)
{
    (void)state;
    static fleet f;
    size_t opened = 0, closed = 0;
    fleet_init(&f, 1e-5, 6, 0, 0);
    (void)run(&f, 200);
    for (size_t t = 0; t < 400; t++) {
        tcsi_cohort_verdict verdict;
        const double score = draw(&f.sources[0]) * (t < 30 ? 20 : 1);
        assert_ok(tcsi_cohort_push(&f.cohort, &f.members[0], score, &verdict, test_err));
        opened += verdict.is_opening;
        closed += verdict.is_closing;
        if (verdict.is_closing) assert_true(t >= 30 && t < 60);
    }
    assert_int_equal(opened, 1);
    assert_int_equal(closed, 1);
    const float usual = f.members[1].usual;
    for (size_t t = 0; t < 4000; t++) (void)push(&f, 1, 20 * draw(&f.sources[1]));
    assert_true(f.members[1].usual > 10 * usual);
    tcsi_cohort_deinit(&f.cohort);
}

static void save(fleet *f, tcsi_buffer *bytes)
{
    tcs_error err;
    tcsi_buffer_clear(bytes);
    tcsi_codec codec = tcsi_codec_save(bytes, &err);
    tcsi_cohort_persist(&f->cohort, &codec);
    for (size_t i = 0; i < MEMBERS; i++) tcsi_cohort_member_persist(&f->members[i], &codec);
    assert_int_equal(tcsi_codec_status(&codec), TCS_OK);
}

static tcs_status load(fleet *f, const void *bytes, size_t size)
{
    tcs_error err;
    tcsi_codec codec = tcsi_codec_load(bytes, size, &err);
    tcsi_cohort_persist(&f->cohort, &codec);
    for (size_t i = 0; i < MEMBERS; i++) tcsi_cohort_member_persist(&f->members[i], &codec);
    return tcsi_codec_status(&codec);
}

/* Series that move together, and reach farther from row to row as they settle: nobody is told of all of them at once, and still of what is
 * far beyond. */
static void test_a_fleet_in_step_does_not_flood(void **state)
{
    (void)state;
    enum { TOGETHER = 1500, ROUNDS = 400 };
    static tcsi_cohort_member members[TOGETHER];
    tcsi_cohort cohort;
    tcsi_cohort_verdict verdict;
    size_t opened = 0, found = 0;
    memset(members, 0, sizeof members);
    assert_ok(tcsi_cohort_init(&cohort, 1e-10, 4, test_err));
    for (size_t t = 0; t < ROUNDS; t++)
        for (size_t i = 0; i < TOGETHER; i++) {
            const bool is_event = t % 100 == 50 && i == t;
            const double score = (2 - exp(-(double)t / 100)) * fabs(sin(0.4 * (double)t + 17 * (double)i));
            assert_ok(tcsi_cohort_push(&cohort, &members[i], is_event ? 60 : score, &verdict, test_err));
            opened += verdict.is_opening && !is_event;
            found += verdict.is_opening && is_event;
        }
    assert_int_equal(opened, 0);
    assert_int_equal(found, 4);
    tcsi_cohort_deinit(&cohort);
}

static void test_saved_and_loaded_goes_on_alike(void **state)
{
    (void)state;
    static fleet f, again;
    tcsi_buffer before, after, damaged;
    tcsi_buffer_init(&before, 1 << 22);
    tcsi_buffer_init(&after, 1 << 22);
    tcsi_buffer_init(&damaged, 1 << 22);
    fleet_init(&f, 1e-4, 7, 4, 0.5);
    (void)run(&f, 300);
    save(&f, &before);
    fleet_init(&again, 0.5, 0, 0, 0);
    assert_int_equal(load(&again, before.data, before.size), TCS_OK);
    memcpy(again.sources, f.sources, sizeof f.sources);
    assert_int_equal(run(&f, 300), run(&again, 300));
    save(&f, &before);
    save(&again, &after);
    assert_int_equal(before.size, after.size);
    assert_memory_equal(before.data, after.data, before.size);
    tcsi_cohort_deinit(&again.cohort);
    /* One saved before it was known of how many rounds a fit was. */
    enum { ROUNDS_AT = 56, ROUNDS_SIZE = 12 };
    save(&f, &before);
    assert_ok(tcsi_buffer_append(&damaged, "COH3", 4, test_err));
    assert_ok(tcsi_buffer_append(&damaged, before.data + 4, ROUNDS_AT - 4, test_err));
    assert_ok(tcsi_buffer_append(&damaged, before.data + ROUNDS_AT + ROUNDS_SIZE, before.size - ROUNDS_AT - ROUNDS_SIZE, test_err));
    fleet_init(&again, 0.5, 0, 0, 0);
    assert_int_equal(load(&again, damaged.data, damaged.size), TCS_OK);
    assert_true(f.cohort.fit_rounds < f.cohort.rounds);
    f.cohort.fit_rounds = f.cohort.rounds;
    f.cohort.fit_crowd = 1; /* 300 series */
    save(&f, &before);
    save(&again, &after);
    assert_int_equal(before.size, after.size);
    assert_memory_equal(before.data, after.data, before.size);
    tcsi_cohort_deinit(&again.cohort);
    tcsi_rng rng = tcsi_rng_make(8, 0);
    for (int i = 0; i < 300; i++) { /* refused, or something that can be used */
        tcsi_buffer_clear(&damaged);
        assert_ok(tcsi_buffer_append(&damaged, before.data, before.size, test_err));
        const size_t at = tcsi_rng_below(&rng, i % 2 ? 400 : before.size);
        damaged.data[at] = (char)(damaged.data[at] ^ 1 << tcsi_rng_below(&rng, 8));
        fleet_init(&again, 0.5, 0, 0, 0);
        if (load(&again, damaged.data, i % 5 ? damaged.size : at) == TCS_OK) (void)run(&again, 2);
        tcsi_cohort_deinit(&again.cohort);
    }
    tcsi_cohort_deinit(&f.cohort);
    tcsi_buffer_deinit(&before);
    tcsi_buffer_deinit(&after);
    tcsi_buffer_deinit(&damaged);
}

/* The first fit: 100 scores, and 30 of the oldest series. */
static void test_when_it_judges_first(void **state)
{
    (void)state;
    static const struct { size_t size, rounds; } cases[] = { { 1, 100 }, { 3, 34 }, { 10, 30 } };
    for (size_t k = 0; k < TCS_COUNT(cases); k++) {
        tcsi_cohort cohort;
        tcsi_cohort_member members[10] = { 0 };
        tcsi_cohort_verdict verdict;
        size_t rounds = 0;
        assert_ok(tcsi_cohort_init(&cohort, 1e-5, 4, test_err));
        for (; isinf(cohort.threshold); rounds++)
            for (size_t i = 0; i < cases[k].size; i++) assert_ok(tcsi_cohort_push(&cohort, &members[i], 1, &verdict, test_err));
        assert_int_equal(rounds, cases[k].rounds);
        tcsi_cohort_deinit(&cohort);
    }
}

/* A scale of before there was a least one. */
static void test_older_members(void **state)
{
    (void)state;
    tcsi_cohort_member old = { .usual = 0.01F, .bar = 1, .count = 5000 }, member = { 0 };
    tcsi_buffer bytes;
    tcs_error err;
    tcsi_buffer_init(&bytes, 4096);
    tcsi_codec codec = tcsi_codec_save(&bytes, &err);
    tcsi_cohort_member_persist(&old, &codec);
    codec = tcsi_codec_load(bytes.data, bytes.size, &err);
    tcsi_cohort_member_persist(&member, &codec);
    assert_int_equal(tcsi_codec_status(&codec), TCS_OK);
    assert_true(member.usual == 1 && member.count == 5000);
    tcsi_buffer_deinit(&bytes);
}

static void test_size_is_declared(void **state)
{
    (void)state;
    assert_int_equal(sizeof(tcsi_cohort_member), 20);
}

TCS_TEST_MAIN(cmocka_unit_test(test_the_rate_is_kept), cmocka_unit_test(test_the_rate_is_kept_by_small_cohorts),
              cmocka_unit_test(test_events_are_seen), cmocka_unit_test(test_later_events_are_seen),
              cmocka_unit_test(test_what_holds_still_is_no_tail),
              cmocka_unit_test(test_one_series_neither_floods_nor_spoils), cmocka_unit_test(test_a_new_series_is_judged_at_once),
              cmocka_unit_test(test_one_moment_is_no_past), cmocka_unit_test(test_an_alarm_opens_and_closes),
              cmocka_unit_test(test_a_fleet_in_step_does_not_flood), cmocka_unit_test(test_saved_and_loaded_goes_on_alike),
              cmocka_unit_test(test_when_it_judges_first),
              cmocka_unit_test(test_older_members), cmocka_unit_test(test_size_is_declared))
