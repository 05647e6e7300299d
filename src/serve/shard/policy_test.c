/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/rng.h"
#include "serve/shard/live.h"

static const char rules[] =
    "{\"within_s\":60,\"policies\":[{\"match\":[\"job=\\\"pump\\\"\",\"unit!=\\\"1\\\"\"],\"absence\":\"off\",\"stuck\":40,"
    "\"stale\":\"confirm\"},"
    "{\"match\":[\"job=~\\\"pu.*\\\"\"],\"absence\":30,\"anomaly\":\"off\"}]}";

static void make_key(tcsi_key *key, const char *job, const char *unit)
{
    tcsi_key_begin(key);
    (void)tcsi_key_add(key, TCSI_KEY_METRIC, strlen(TCSI_KEY_METRIC), "m", 1);
    if (*job) (void)tcsi_key_add(key, "job", 3, job, strlen(job));
    (void)tcsi_key_add(key, "unit", 4, unit, strlen(unit));
    assert_int_equal(tcsi_key_finish(key), TCSI_KEY_NONE);
}

static void test_the_first_that_matches(void **state)
{
    (void)state;
    static const struct { const char *job, *unit; uint8_t place; } cases[] = {
        { "pump", "2", 1 }, { "pump", "1", 2 }, { "pull", "2", 2 }, { "fan", "2", 0 }, { "", "2", 0 },
    };
    tcsi_policies policies;
    assert_ok(tcsi_policies_init(&policies, rules, strlen(rules), test_err));
    for (size_t i = 0; i < TCS_COUNT(cases); i++) {
        tcsi_key key;
        make_key(&key, cases[i].job, cases[i].unit);
        assert_int_equal(tcsi_policies_find(&policies, &key), cases[i].place);
    }
    assert_true(tcsi_policies_get(&policies, 1)->presence.stale_s == 0 && isnan(tcsi_policies_get(&policies, 2)->presence.stale_s));
    assert_true(isinf(tcsi_policies_get(&policies, 1)->presence.absence_s) && tcsi_policies_get(&policies, 1)->presence.stuck_s == 40);
    assert_true(isnan(tcsi_policies_get(&policies, 1)->presence.late_s) && isinf(tcsi_policies_get(&policies, 2)->anomaly_s));
    assert_true(isnan(tcsi_policies_get(&policies, 0)->presence.absence_s) && isnan(tcsi_policies_get(&policies, 0)->anomaly_s));
    tcsi_policies_deinit(&policies);
}

static void test_what_is_no_rule(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "", "[", "{\"policies\":1}", "{\"policies\":[1]}", "{\"policies\":[{}]}", "{\"policies\":[{\"match\":[1]}]}",
        "{\"policies\":[{\"match\":[\"nonsense\"]}]}", "{\"policies\":[{\"match\":[],\"absence\":-1}]}",
        "{\"policies\":[{\"match\":[],\"cadence\":60}]}", "{\"policies\":[{\"match\":[\"a=b\"],\"absence\":\"maybe\"}]}",
        "{\"policies\":[{\"match\":[],\"absence\":\"confirm\"}]}", "{\"policies\":[{\"match\":[],\"stale\":0}]}",
        "{\"policies\":[{\"match\":[],\"budget_weight\":0}]}", "{\"policies\":[{\"match\":[],\"budget_weight\":101}]}",
        "{\"policies\":[{\"match\":[],\"budget_weight\":\"off\"}]}",
        "{\"policies\":[{\"match\":[],\"low\":\"off\"}]}", "{\"policies\":[{\"match\":[],\"high\":null}]}",
        "{\"policies\":[{\"match\":[],\"high\":\"10\"}]}", "{\"policies\":[{\"match\":[],\"low\":NaN}]}",
        "{\"policies\":[{\"match\":[],\"low\":1e999}]}", "{\"policies\":[{\"match\":[],\"low\":2,\"high\":2}]}",
        "{\"policies\":[{\"match\":[],\"high\":-1,\"low\":0}]}",
    };
    for (size_t i = 0; i < TCS_COUNT(texts); i++) {
        tcsi_policies policies;
        tcs_error err = { 0 };
        assert_true(tcsi_policies_init(&policies, texts[i], strlen(texts[i]), &err) != TCS_OK && strlen(err.text) > 5);
    }
}

static void test_limits(void **state)
{
    (void)state;
    static const char text[] = "{\"policies\":[{\"match\":[],\"low\":-2.5},{\"match\":[],\"high\":0},"
                               "{\"match\":[],\"high\":1e3,\"low\":-1}]}";
    static const double limits[][2] = { { NAN, NAN }, { -2.5, NAN }, { NAN, 0 }, { -1, 1000 } };
    tcsi_policies policies;
    assert_ok(tcsi_policies_init(&policies, text, strlen(text), test_err));
    for (uint8_t i = 0; i < TCS_COUNT(limits); i++) {
        const tcsi_limits *it = &tcsi_policies_get(&policies, i)->limits;
        assert_true(isnan(limits[i][0]) ? isnan(it->low) : it->low == limits[i][0]);
        assert_true(isnan(limits[i][1]) ? isnan(it->high) : it->high == limits[i][1]);
    }
    tcsi_policies_deinit(&policies);
}

/* ---- in the live series ---- */

enum { UNITS = 12 };
static const int64_t START_NS = INT64_C(1700000000000000000), SECOND_NS = INT64_C(1000000000);

typedef struct heard {
    size_t absences, stucks, anomalies;
    tcsi_buffer parts[1 + TCSI_CELL_COUNT];
} heard;

static void on_tell(void *self, const tcsi_live_news *news)
{
    heard *h = self;
    for (size_t i = 0; i < news->event_count; i++) {
        const bool is_begin = news->events[i].state == TCSI_LIVE_CONFIRMED;
        h->absences += is_begin && news->events[i].kind == TCSI_LIVE_ABSENCE;
        h->stucks += is_begin && news->events[i].kind == TCSI_LIVE_STUCK;
        h->anomalies += is_begin && news->events[i].kind == TCSI_LIVE_ANOMALY;
    }
}

static void on_keep(void *self, const tcsi_live_snapshot *snapshot)
{
    heard *h = self;
    for (size_t i = 0; i < snapshot->part_count; i++) {
        tcsi_buffer_clear(&h->parts[i]);
        assert_ok(tcsi_buffer_append(&h->parts[i], snapshot->parts[i].data, snapshot->parts[i].size, test_err));
    }
}

static tcsi_live *create(heard *h)
{
    const tcsi_live_options options = { .thread_count = 3, .series_count_max = 100, .alarms_per_s = 0.01, .tell = on_tell, .keep = on_keep,
                                        .self = h, .arrival = tcsi_arrival_limits_default() };
    tcsi_live *live;
    assert_ok(tcsi_live_create(&options, &live, test_err));
    return live;
}

static void act(tcsi_live *live, uint64_t sequence, const char *document)
{
    tcsi_json_writer writer;
    tcsi_buffer bytes;
    const tcsi_action action = { .kind = TCSI_ACTION_SETTING, .id = "s", .who = "w", .role = "admin", .object = TCSI_SETTING_RULES,
                                 .document = document };
    tcsi_buffer_init(&bytes, 1 << 16);
    tcsi_json_writer_init(&writer, &bytes, false);
    tcsi_action_write(&action, &writer);
    assert_ok(tcsi_json_finish(&writer, test_err));
    assert_ok(tcsi_live_act(live, sequence, START_NS, bytes.data, bytes.size, test_err));
    tcsi_buffer_deinit(&bytes);
}

/* A second: a row of each pump, but from silent_s on, and a tick; the same value from stuck_s on. */
static void second(tcsi_live *live, int64_t s, int64_t stuck_s, int64_t silent_s)
{
    tcsi_batch batch;
    tcsi_batch_init(&batch, NULL);
    tcsi_batch_clear(&batch);
    for (int i = 0; i < UNITS && s < silent_s; i++) {
        tcsi_rng rng = tcsi_rng_make((uint64_t)i, (uint64_t)s);
        char unit[8];
        tcsi_key key;
        snprintf(unit, sizeof unit, "%d", i);
        make_key(&key, "pump", unit);
        assert_ok(tcsi_batch_point(&batch, &key, TCSI_SERIES_GAUGE, START_NS + s * SECOND_NS, s >= stuck_s ? 7 : tcsi_rng_normal(&rng),
                                   test_err));
    }
    assert_ok(tcsi_live_admit(live, batch.sample_count, test_err));
    assert_ok(tcsi_live_apply(live, 2 * (uint64_t)s + 10, START_NS + s * SECOND_NS, &batch, test_err));
    assert_ok(tcsi_live_tick(live, 2 * (uint64_t)s + 11, START_NS + s * SECOND_NS, test_err));
    tcsi_batch_deinit(&batch);
}

/* Rules hold from their record on, for the series that are there and for those that come; they are saved; and others replace them. */
static void test_rules_in_the_journal(void **state)
{
    (void)state;
    heard h = { .absences = 0 };
    for (size_t i = 0; i < TCS_COUNT(h.parts); i++) tcsi_buffer_init(&h.parts[i], 1 << 24);
    tcsi_live *live = create(&h);
    for (int64_t s = 0; s < 20; s++) second(live, s, 1000, 1000);
    act(live, 50, rules);
    for (int64_t s = 21; s < 300; s++) second(live, s, 1000, 1000);
    assert_ok(tcsi_live_save(live, test_err));
    tcsi_live_settle(live);
    for (int64_t s = 300; s < 400; s++) second(live, s, 300, 350);
    tcsi_live_settle(live);
    const heard first = h;
    assert_int_equal(first.stucks, UNITS); /* the pumps but one after 40 s, the other one by what is learned */
    assert_int_equal(first.absences, 1);   /* of unit 1 alone, after 30 s */
    tcsi_live_destroy(live);
    h.absences = h.stucks = h.anomalies = 0;
    live = create(&h); /* from the snapshot */
    assert_ok(tcsi_live_load(live, h.parts, TCS_COUNT(h.parts), test_err));
    for (int64_t s = 300; s < 400; s++) second(live, s, 300, 350);
    tcsi_live_settle(live);
    assert_true(h.stucks == first.stucks && h.absences == first.absences);
    act(live, 2 * 400 + 9, "{}"); /* all of it is learned again */
    for (int64_t s = 400; s < 450; s++) second(live, s, 300, 350);
    tcsi_live_settle(live);
    assert_int_equal(h.absences, UNITS);
    tcsi_live_destroy(live);
    for (size_t i = 0; i < TCS_COUNT(h.parts); i++) tcsi_buffer_deinit(&h.parts[i]);
}

/* ---- parts of the budget ---- */

enum { GROUPS = 3, FLEET = 1200 };
static const struct { const char *job; size_t end; double weight; } groups[GROUPS] = {
    { "big", 200, 4 }, { "small", 600, 0.25 }, { "fan", FLEET, 1 } };
static const char weights[] = "{\"policies\":[{\"match\":[\"job=\\\"big\\\"\"],\"budget_weight\":4},"
                              "{\"match\":[\"job=\\\"small\\\"\"],\"budget_weight\":0.25}]}";

typedef struct fleet_heard {
    heard heard; /* what is kept */
    size_t opened[GROUPS];
} fleet_heard;

static size_t group_of(uint32_t number)
{
    size_t group = 0;
    while (number >= groups[group].end) group++;
    return group;
}

static void on_fleet_tell(void *self, const tcsi_live_news *news)
{
    fleet_heard *h = self;
    for (size_t i = 0; i < news->event_count; i++)
        if (news->events[i].kind == TCSI_LIVE_ANOMALY && news->events[i].state == TCSI_LIVE_SUSPECTED)
            h->opened[group_of(news->events[i].number)]++;
}

static tcsi_live *create_fleet(fleet_heard *h, size_t threads, double alarms_per_s)
{
    const tcsi_live_options options = { .thread_count = threads, .series_count_max = FLEET, .alarms_per_s = alarms_per_s,
                                        .tell = on_fleet_tell, .keep = on_keep, .self = h, .arrival = tcsi_arrival_limits_default() };
    tcsi_live *live;
    assert_ok(tcsi_live_create(&options, &live, test_err));
    return live;
}

/* Nothing happens to any of them: each alarm is one of chance. */
static void run_fleet(tcsi_live *live, int64_t begin_s, int64_t end_s)
{
    tcsi_batch batch;
    tcsi_batch_init(&batch, NULL);
    for (int64_t s = begin_s; s < end_s; s++) {
        tcsi_batch_clear(&batch);
        for (uint32_t i = 0; i < FLEET; i++) {
            tcsi_rng rng = tcsi_rng_make(1000 + i, (uint64_t)s);
            char unit[16];
            tcsi_key key;
            snprintf(unit, sizeof unit, "%u", (unsigned)i);
            make_key(&key, groups[group_of(i)].job, unit);
            assert_ok(tcsi_batch_point(&batch, &key, TCSI_SERIES_GAUGE, START_NS + s * SECOND_NS, tcsi_rng_normal(&rng), test_err));
        }
        assert_ok(tcsi_live_admit(live, batch.sample_count, test_err));
        assert_ok(tcsi_live_apply(live, 2 * (uint64_t)s + 10, START_NS + s * SECOND_NS, &batch, test_err));
        assert_ok(tcsi_live_tick(live, 2 * (uint64_t)s + 11, START_NS + s * SECOND_NS, test_err));
        if (s % 64 == 0) tcsi_live_settle(live);
    }
    tcsi_live_settle(live);
    tcsi_batch_deinit(&batch);
}

static void save_fleet(tcsi_live *live)
{
    assert_ok(tcsi_live_save(live, test_err));
    tcsi_live_settle(live);
}

typedef struct allowance {
    double per_s; /* alarms of chance */
} allowance;

static void look_allowed(void *context, const tcsi_cell *cell, const tcsi_live_series *series)
{
    ((allowance *)context)->per_s = tcsi_taught_allowed(cell, series) * tcsi_presence_rate(&series->presence);
}

/* What all series may raise is the budget, and those of a group have the same part, whichever cell they are in; rates follow by 2 %. */
static void assert_parts(tcsi_live *live, double alarms_per_s, double weight_sum)
{
    double sum = 0;
    for (uint32_t i = 0; i < FLEET; i++) {
        allowance it;
        assert_true(tcsi_live_ask(live, i, look_allowed, &it));
        assert_near(1, it.per_s / (alarms_per_s * groups[group_of(i)].weight / weight_sum), 0.05);
        sum += it.per_s;
    }
    assert_near(1, sum / alarms_per_s, 0.03);
}

/* The alarms of chance in each group are near its part, the whole budget is what it was, and all is even again without weights. */
static void test_each_has_its_part_of_the_budget(void **state)
{
    (void)state;
    const int64_t rows = test_is_small() ? 500 : 2000;
    const double promised = 0.15 * (double)rows, alarms_per_s = promised / (double)rows, near = test_is_small() ? 0.2 : 0.08;
    static fleet_heard h, again;
    h = again = (fleet_heard){ .opened = { 0 } };
    for (size_t i = 0; i < TCS_COUNT(h.heard.parts); i++) tcsi_buffer_init(&h.heard.parts[i], 1 << 26);
    for (size_t i = 0; i < TCS_COUNT(h.heard.parts); i++) tcsi_buffer_init(&again.heard.parts[i], 1 << 26);
    tcsi_live *live = create_fleet(&h, 3, alarms_per_s);
    act(live, 5, weights);
    run_fleet(live, 0, rows / 2);
    save_fleet(live);
    tcsi_live *loaded = create_fleet(&again, 1, alarms_per_s); /* stopped, and on one thread */
    assert_ok(tcsi_live_load(loaded, h.heard.parts, TCS_COUNT(h.heard.parts), test_err));
    memcpy(again.opened, h.opened, sizeof h.opened);
    run_fleet(live, rows / 2, rows);
    run_fleet(loaded, rows / 2, rows);
    save_fleet(live);
    save_fleet(loaded);
    for (size_t i = 0; i < TCS_COUNT(h.heard.parts); i++) {
        assert_int_equal(h.heard.parts[i].size, again.heard.parts[i].size);
        assert_memory_equal(h.heard.parts[i].data, again.heard.parts[i].data, h.heard.parts[i].size);
    }
    double sum = 0, weight_sum = 0;
    for (size_t g = 0; g < GROUPS; g++) {
        assert_int_equal(h.opened[g], again.opened[g]);
        sum += (double)h.opened[g];
        weight_sum += groups[g].weight * (double)(groups[g].end - (g ? groups[g - 1].end : 0));
    }
    assert_parts(live, alarms_per_s, weight_sum);
    assert_parts(loaded, alarms_per_s, weight_sum);
    for (size_t g = 0; g < GROUPS; g++) {
        const double part = groups[g].weight * (double)(groups[g].end - (g ? groups[g - 1].end : 0)) / weight_sum;
        print_message("# %s: %zu alarms of chance, promised %.0f; a part of %.3f, of %.3f\n", groups[g].job, h.opened[g], part * promised,
                      (double)h.opened[g] / sum, part);
        assert_true(fabs((double)h.opened[g] / sum - part) < near);
    }
    print_message("# all: %.0f alarms of chance, promised %.0f\n", sum, promised);
    assert_true(sum > 0.5 * promised && sum < 1.3 * promised);
    act(live, 2 * (uint64_t)rows + 9, "{}");
    h.opened[0] = h.opened[1] = h.opened[2] = 0;
    run_fleet(live, rows, 2 * rows);
    sum = (double)(h.opened[0] + h.opened[1] + h.opened[2]);
    print_message("# without: %zu, %zu and %zu alarms\n", h.opened[0], h.opened[1], h.opened[2]);
    assert_true((double)h.opened[0] < sum / 4 && (double)h.opened[2] > 0.4 * sum); /* the big ones have bars still */
    tcsi_live_destroy(live);
    tcsi_live_destroy(loaded);
    for (size_t i = 0; i < TCS_COUNT(h.heard.parts); i++) {
        tcsi_buffer_deinit(&h.heard.parts[i]);
        tcsi_buffer_deinit(&again.heard.parts[i]);
    }
}

TCS_TEST_MAIN(cmocka_unit_test(test_the_first_that_matches), cmocka_unit_test(test_what_is_no_rule), cmocka_unit_test(test_limits),
              cmocka_unit_test(test_rules_in_the_journal), cmocka_unit_test(test_each_has_its_part_of_the_budget))
