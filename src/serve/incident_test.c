/* SPDX-License-Identifier: Apache-2.0 */
/* A fleet of simulated hosts: which episodes are told as one, and which are not. */
#include "test.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "serve/incident.h"

enum { HOSTS = 30, METRICS = 10, SERIES = HOSTS * METRICS };
static const int64_t START_NS = INT64_C(1700000000000000000);
static const double DAY_S = 86400;

/* Series "m3{host="h7",job="node",mode="idle"}": number 7 * METRICS + 3. */
typedef struct world {
    tcsi_directory directory;
    tcsi_incidents incidents;
    uint64_t sequence;
    size_t opened, merged, over; /* incidents, as settle saw them */
    uint32_t largest;
} world;

static tcsi_key key_of(uint32_t number, char text[3][16])
{
    tcsi_key key;
    snprintf(text[0], 16, "m%u", number % METRICS);
    snprintf(text[1], 16, "h%u", number / METRICS);
    tcsi_key_begin(&key);
    (void)tcsi_key_add(&key, TCSI_KEY_METRIC, strlen(TCSI_KEY_METRIC), text[0], strlen(text[0]));
    (void)tcsi_key_add(&key, "host", 4, text[1], strlen(text[1]));
    (void)tcsi_key_add(&key, "job", 3, "node", 4);
    (void)tcsi_key_add(&key, "mode", 4, "idle", 4);
    assert_int_equal(tcsi_key_finish(&key), TCSI_KEY_NONE);
    return key;
}

static void incidents_init(tcsi_incidents *incidents, double alarms_a_day)
{
    const tcsi_coincidence_options options = tcsi_coincidence_options_default(alarms_a_day / DAY_S);
    tcsi_incidents_init(incidents, &options);
}

static void world_init(world *w, double alarms_a_day)
{
    *w = (world){ .sequence = SERIES };
    assert_ok(tcsi_directory_init(&w->directory, SERIES, test_err));
    for (uint32_t i = 0; i < SERIES; i++) {
        char text[3][16];
        const tcsi_key key = key_of(i, text);
        const tcsi_directory_source source = { .time_ns = START_NS, .sequence = i + 1 };
        uint32_t series;
        bool is_new;
        assert_ok(tcsi_directory_resolve(&w->directory, tcsi_key_fingerprint(&key), &key, &source, &series, &is_new, test_err));
        assert_true(series == i && is_new);
    }
    incidents_init(&w->incidents, alarms_a_day);
}

static void world_deinit(world *w)
{
    tcsi_incidents_deinit(&w->incidents);
    tcsi_directory_deinit(&w->directory);
}

/* Everything that changed was told; the next record comes. */
static void settle(world *w)
{
    for (size_t i = 0; i < w->incidents.count; i++) {
        const tcsi_incident *incident = w->incidents.items[i];
        if (!incident->is_changed) continue;
        w->merged += incident->merged_into != 0;
        w->over += incident->open_count == 0 && !incident->merged_into;
        if (incident->series_count > w->largest) w->largest = incident->series_count;
    }
    w->opened = w->incidents.serial;
    assert_ok(tcsi_incidents_settle(&w->incidents, &w->directory, w->sequence, test_err));
}

static uint64_t change(world *w, uint32_t number, tcsi_live_kind kind, tcsi_live_state state, double begin_s, double now_s, double severity)
{
    char text[3][16], sentence[TCSI_SENTENCE_SIZE];
    const tcsi_key key = key_of(number, text);
    const tcsi_live_event event = { .sequence = ++w->sequence, .number = number, .kind = (uint8_t)kind, .state = (uint8_t)state,
                                    .episode = { .begin_ns = START_NS + (int64_t)(begin_s * 1e9) }, .severity = severity,
                                    .time_ns = START_NS + (int64_t)(now_s * 1e9), .received_ns = START_NS + (int64_t)(now_s * 1e9),
                                    .cadence_s = 1 };
    uint64_t serial;
    snprintf(sentence, sizeof sentence, "series %u moved", number);
    assert_ok(tcsi_incidents_update(&w->incidents, &w->directory, &key, &event, sentence, &serial, test_err));
    return serial;
}

static uint64_t begin(world *w, uint32_t number, double begin_s, double severity)
{
    return change(w, number, TCSI_LIVE_ANOMALY, TCSI_LIVE_CONFIRMED, begin_s, begin_s, severity);
}

static void end(world *w, uint32_t number, double begin_s, double end_s)
{
    (void)change(w, number, TCSI_LIVE_ANOMALY, TCSI_LIVE_RESOLVED, begin_s, end_s, 50);
}

static void test_what_belongs_together(void **state)
{
    (void)state;
    world w;
    world_init(&w, 100);
    const uint64_t first = begin(&w, 0, 1000, 60);
    assert_true(begin(&w, 1, 1060, 60) == first);  /* a minute later on the same host */
    const uint64_t other = begin(&w, 55, 1130, 60); /* on another one */
    assert_true(other != first);
    assert_true(begin(&w, 255, 1131, 60) == other); /* anywhere, but at once */
    assert_true(begin(&w, 2, 1300, 60) != first);   /* on the same host, too late */
    assert_true(change(&w, 2, TCSI_LIVE_STUCK, TCSI_LIVE_CONFIRMED, 1310, 1340, 50) == 3); /* the series itself */
    world_deinit(&w);
    world_init(&w, 0.1); /* where chance is rarer, what is farther apart belongs together */
    const uint64_t rare = begin(&w, 0, 1000, 60);
    assert_true(begin(&w, 55, 1100, 60) == rare);
    assert_true(begin(&w, 155, 1225, 60) != rare); /* but never beyond group_within */
    world_deinit(&w);
}

static void test_from_its_first_episode_to_its_last(void **state)
{
    (void)state;
    char summary[TCSI_SENTENCE_SIZE];
    world w;
    world_init(&w, 100);
    const uint64_t serial = change(&w, 3, TCSI_LIVE_ANOMALY, TCSI_LIVE_SUSPECTED, 500, 500, 52);
    const tcsi_incident *incident = tcsi_incidents_get(&w.incidents, serial);
    assert_true(incident->state == TCSI_LIVE_SUSPECTED && incident->series_count == 1 && incident->open_count == 1);
    char id[TCSI_INCIDENT_ID_SIZE];
    memcpy(id, incident->id, sizeof id);
    tcsi_incident_summary(&w.incidents, incident, summary);
    assert_string_equal(summary, "series 3 moved");
    settle(&w);
    assert_true(change(&w, 4, TCSI_LIVE_ANOMALY, TCSI_LIVE_SUSPECTED, 510, 510, 58) == serial);
    assert_true(change(&w, 4, TCSI_LIVE_ANOMALY, TCSI_LIVE_CONFIRMED, 510, 512, 71) == serial);
    assert_true(incident->state == TCSI_LIVE_CONFIRMED && incident->severity == 71);
    tcsi_incident_summary(&w.incidents, incident, summary);
    assert_string_equal(summary, "2 series of host=\"h0\", job=\"node\" at once; most of all: series 4 moved");
    assert_true(change(&w, 13, TCSI_LIVE_ANOMALY, TCSI_LIVE_SUSPECTED, 511, 512, 51) == serial); /* another host */
    tcsi_incident_summary(&w.incidents, incident, summary);
    assert_string_equal(summary, "3 series of job=\"node\" at once; most of all: series 4 moved");
    (void)change(&w, 3, TCSI_LIVE_ANOMALY, TCSI_LIVE_DISMISSED, 500, 515, 52);
    (void)change(&w, 13, TCSI_LIVE_ANOMALY, TCSI_LIVE_DISMISSED, 511, 516, 51);
    settle(&w);
    assert_true(tcsi_incidents_get(&w.incidents, serial)->open_count == 1);
    end(&w, 4, 510, 520);
    incident = tcsi_incidents_get(&w.incidents, serial);
    assert_true(incident->state == TCSI_LIVE_RESOLVED && incident->end_ns == START_NS + INT64_C(520000000000));
    assert_string_equal(incident->id, id);
    settle(&w);
    assert_null(tcsi_incidents_get(&w.incidents, serial));
    assert_true(change(&w, 3, TCSI_LIVE_ANOMALY, TCSI_LIVE_DISMISSED, 500, 530, 52) == 0); /* of nothing that is open */
    assert_true(change(&w, 9, TCSI_LIVE_ANOMALY, TCSI_LIVE_SUSPECTED, 600, 600, 52) == serial + 1);
    (void)change(&w, 9, TCSI_LIVE_ANOMALY, TCSI_LIVE_DISMISSED, 600, 601, 52);
    assert_true(tcsi_incidents_get(&w.incidents, serial + 1)->state == TCSI_LIVE_DISMISSED);
    world_deinit(&w);
}

/* What a series told before, and is over, takes nothing away from what belongs to it now. */
static void test_what_is_over_holds_nobody_back(void **state)
{
    (void)state;
    world w;
    world_init(&w, 100);
    const uint64_t before = begin(&w, 0, 990, 60), other = begin(&w, 55, 990, 60);
    assert_true(other == before);
    end(&w, 0, 990, 994);
    end(&w, 55, 990, 994);
    settle(&w);
    const uint64_t serial = begin(&w, 1, 1000, 60);
    assert_true(serial != before && begin(&w, 0, 1000, 60) == serial && begin(&w, 2, 1000, 60) == serial);
    assert_true(begin(&w, 55, 1003, 60) == serial);
    world_deinit(&w);
}

/* Two that began apart are one, as a third shows: the later one goes into the earlier one. */
static void test_two_become_one(void **state)
{
    (void)state;
    world w;
    world_init(&w, 100);
    const uint64_t first = begin(&w, 0, 1000, 60), second = begin(&w, 50, 1080, 65);
    assert_true(first != second);
    settle(&w);
    assert_true(begin(&w, 100, 1081, 60) == second);
    assert_true(begin(&w, 110, 1082, 60) == second);
    assert_true(begin(&w, 1, 1083, 60) == second || tcsi_incidents_get(&w.incidents, first)->merged_into == 0);
    const tcsi_incident *one = tcsi_incidents_get(&w.incidents, first), *two = tcsi_incidents_get(&w.incidents, second);
    assert_true(one != two); /* nothing says so yet */
    world_deinit(&w);
    world_init(&w, 1000); /* so much chance that two near ones are none, and four are */
    uint64_t last = 0;
    for (uint32_t i = 0; i < 6; i++) last = begin(&w, 50 * i, 1000 + 4 * i, 60);
    assert_true(last == 1 && w.incidents.serial > 1);
    for (uint64_t serial = 1; serial <= w.incidents.serial; serial++)
        assert_true(tcsi_incidents_get(&w.incidents, serial)->serial == 1);
    one = tcsi_incidents_get(&w.incidents, 1);
    assert_true(one->series_count == 6 && one->open_count == 6);
    settle(&w);
    assert_int_equal(w.incidents.count, 1);
    for (uint32_t i = 0; i < 6; i++) end(&w, 50 * i, 1000 + 4 * i, 1100);
    assert_true(tcsi_incidents_get(&w.incidents, 1)->state == TCSI_LIVE_RESOLVED);
    world_deinit(&w);
}

/* ---- figures ---- */

static double exponential(tcsi_rng *rng, double mean) { return -mean * log(1 - tcsi_rng_uniform(rng)); }

/* Alarms of chance at the budget's rate, each some seconds long: how many are told as one with another? */
static void test_chance_is_rarely_merged(void **state)
{
    (void)state;
    static const double budgets[] = { 1, 100, 1000 };
    enum { ALARMS = 5000 };
    for (size_t i = 0; i < TCS_COUNT(budgets); i++) {
        tcsi_rng rng = tcsi_rng_make(20, i);
        world w;
        world_init(&w, budgets[i]);
        double now_s = 0;
        for (int k = 0; k < ALARMS; k++) {
            uint32_t number = (uint32_t)tcsi_rng_below(&rng, SERIES);
            while (w.incidents.first_count > number && w.incidents.first[number]) number = (uint32_t)tcsi_rng_below(&rng, SERIES);
            now_s += exponential(&rng, DAY_S / budgets[i]);
            (void)begin(&w, number, floor(now_s), 60);
            settle(&w);
            if (k % 50 == 49) { /* some last for long: what is open is open */
                for (uint32_t n = 0; n < SERIES; n++)
                    if (w.incidents.first_count > n && w.incidents.first[n]) end(&w, n, now_s, now_s + 5);
                settle(&w);
            }
        }
        const double share = 1 - (double)(w.opened - w.merged) / ALARMS;
        print_message("# independent alarms, %g a day: %.1f %% told with another one\n", budgets[i], 100 * share);
        assert_true(share < 0.09);
        world_deinit(&w);
    }
}

/* Common events of 300 series, and alarms of chance between them: what is told. */
static void test_fleets_in_step(void **state)
{
    (void)state;
    enum { EVENTS = 50 };
    static const double budgets[] = { 1, 100 }, spreads[] = { 0, 1, 15, 60 };
    for (size_t b = 0; b < TCS_COUNT(budgets); b++)
        for (size_t s = 0; s < TCS_COUNT(spreads); s++) {
            tcsi_rng rng = tcsi_rng_make(21, s);
            world w;
            size_t incidents = 0;
            world_init(&w, budgets[b]);
            for (int event = 0; event < EVENTS; event++) {
                const double at_s = 3600 * (event + 1);
                double begins[SERIES];
                for (uint32_t n = 0; n < SERIES; n++) begins[n] = at_s + floor(spreads[s] * tcsi_rng_uniform(&rng));
                for (double t = at_s; t <= at_s + spreads[s]; t++) {
                    for (uint32_t n = 0; n < SERIES; n++)
                        if (begins[n] == t) (void)change(&w, n, TCSI_LIVE_ANOMALY, TCSI_LIVE_SUSPECTED, t, t, 55);
                    settle(&w);
                }
                incidents += w.incidents.count;
                for (uint32_t n = 0; n < SERIES; n++) end(&w, n, begins[n], at_s + 100);
                settle(&w);
            }
            print_message("# 300 series within %g s of each other, budget %g a day: %.2f incidents an event, the largest of %u series\n",
                          spreads[s], budgets[b], (double)incidents / EVENTS, w.largest);
            assert_true(w.largest == SERIES && incidents <= EVENTS + EVENTS / 10);
            world_deinit(&w);
        }
}

/* ---- saved form ---- */

static void save(world *w, tcsi_buffer *bytes)
{
    tcs_error err;
    tcsi_buffer_clear(bytes);
    tcsi_codec codec = tcsi_codec_save(bytes, &err);
    tcsi_incidents_persist(&w->incidents, &w->directory, &codec);
    assert_int_equal(tcsi_codec_status(&codec), TCS_OK);
}

static tcs_status load(world *w, const void *bytes, size_t size)
{
    tcs_error err = { 0 };
    incidents_init(&w->incidents, 100);
    tcsi_codec codec = tcsi_codec_load(bytes, size, &err);
    tcsi_incidents_persist(&w->incidents, &w->directory, &codec);
    assert_true(tcsi_codec_status(&codec) == TCS_OK || strlen(err.text) > 5);
    return tcsi_codec_status(&codec);
}

static void live(world *w, tcsi_rng *rng, double from_s)
{
    for (int i = 0; i < 40; i++) {
        const uint32_t number = (uint32_t)tcsi_rng_below(rng, SERIES);
        const tcsi_live_kind kind = (tcsi_live_kind)tcsi_rng_below(rng, TCSI_LIVE_KIND_COUNT);
        const tcsi_live_state what = (tcsi_live_state)tcsi_rng_below(rng, TCSI_LIVE_STATE_COUNT);
        (void)change(w, number, kind, what, from_s + i * 10, from_s + i * 10, 50 + (double)tcsi_rng_below(rng, 50));
        if (i % 3 == 0) settle(w);
    }
    settle(w);
}

static void test_saved_and_loaded(void **state)
{
    (void)state;
    world w, again;
    tcsi_buffer before, after;
    tcsi_buffer_init(&before, 1 << 22);
    tcsi_buffer_init(&after, 1 << 22);
    tcsi_rng rng = tcsi_rng_make(22, 0);
    world_init(&w, 100);
    for (int round = 0; round < 20; round++) {
        live(&w, &rng, 500 * round);
        save(&w, &before);
        again = w;
        assert_int_equal(load(&again, before.data, before.size), TCS_OK);
        tcsi_rng ahead = rng;
        live(&again, &ahead, 500 * round + 450);
        ahead = rng;
        live(&w, &ahead, 500 * round + 450);
        save(&w, &before);
        save(&again, &after);
        assert_int_equal(before.size, after.size);
        assert_memory_equal(before.data, after.data, before.size);
        tcsi_incidents_deinit(&again.incidents);
    }
    for (int i = 0; i < 2000; i++) {
        const size_t at = tcsi_rng_below(&rng, before.size);
        const char kept = before.data[at];
        before.data[at] = (char)(kept ^ 1 << tcsi_rng_below(&rng, 8));
        again = w;
        tcsi_rng ahead = rng;
        if (load(&again, before.data, i % 4 ? before.size : at) == TCS_OK) live(&again, &ahead, 20000);
        tcsi_incidents_deinit(&again.incidents);
        before.data[at] = kept;
    }
    world_deinit(&w);
    tcsi_buffer_deinit(&before);
    tcsi_buffer_deinit(&after);
}

TCS_TEST_MAIN(cmocka_unit_test(test_what_belongs_together), cmocka_unit_test(test_from_its_first_episode_to_its_last),
              cmocka_unit_test(test_what_is_over_holds_nobody_back), cmocka_unit_test(test_two_become_one),
              cmocka_unit_test(test_chance_is_rarely_merged), cmocka_unit_test(test_fleets_in_step),
              cmocka_unit_test(test_saved_and_loaded))
