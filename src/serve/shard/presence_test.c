/* SPDX-License-Identifier: Apache-2.0 */
/* Senders of many kinds, simulated: what each of the five events costs in false alarms, and how soon it is told. */
#include "test.h"

#include "base/rng.h"
#include "serve/ingest/arrival.h"
#include "serve/shard/presence.h"

static const int64_t START_NS = INT64_C(1700000000000000000);

/* One series as a cell has it, and what was told of it. */
typedef struct world {
    tcsi_presence presence;
    tcsi_presence_policy policy;
    tcsi_presence_watch watch;
    tcsi_arrival arrival;
    tcsi_arrival_limits limits;
    tcsi_rng rng;
    double last;
    bool has_last;
    double now_s, tick_s;                /* since the start; the next tick */
    double service_s;                    /* what the service's clock is off by */
    size_t opened[TCSI_LIVE_KIND_COUNT], over[TCSI_LIVE_KIND_COUNT];
    double opened_s[TCSI_LIVE_KIND_COUNT], begin_s[TCSI_LIVE_KIND_COUNT]; /* the last one: when told, and since when */
    struct tcsi_presence_item item[TCSI_LIVE_KIND_COUNT];
    tcsi_live_state state[TCSI_LIVE_KIND_COUNT];
} world;

static int64_t at(double seconds) { return START_NS + (int64_t)(seconds * 1e9); }

static void world_init(world *w, uint64_t seed)
{
    *w = (world){ .policy = tcsi_presence_policy_auto, .limits = tcsi_arrival_limits_default(), .rng = tcsi_rng_make(seed, 0) };
    tcsi_arrival_begin(&w->arrival);
}

static void hear(world *w, const tcsi_presence_news *news)
{
    for (size_t i = 0; i < news->count; i++) {
        const struct tcsi_presence_item *item = &news->items[i];
        const bool is_over = item->state == TCSI_LIVE_RESOLVED || item->state == TCSI_LIVE_DISMISSED;
        w->state[item->kind] = item->state;
        w->item[item->kind] = *item;
        if (is_over) w->over[item->kind]++;
        else w->opened[item->kind]++;
        if (!is_over) w->opened_s[item->kind] = w->now_s;
        w->begin_s[item->kind] = (double)(item->begin_ns - START_NS) * 1e-9;
    }
}

/* Time goes on; the service looks at a series every eight seconds. */
static void pass(world *w, double until_s)
{
    for (; w->tick_s <= until_s; w->tick_s++) {
        tcsi_presence_news news = { .count = 0 };
        w->now_s = w->tick_s;
        tcsi_presence_look(&w->watch, at(w->tick_s + w->service_s));
        if ((long)w->tick_s % 8 == 0) tcsi_presence_tick(&w->presence, &w->policy, &w->watch, w->arrival.newest_ns[0], &news);
        hear(w, &news);
    }
    w->now_s = until_s;
}

/* A row that is received now. */
static tcsi_outcome push(world *w, double stamp_s, double value)
{
    tcsi_presence_news news = { .count = 0 };
    tcsi_presence_row row = { .time_ns = at(stamp_s), .receive_ns = at(w->now_s + w->service_s), .newest_ns = w->arrival.newest_ns[0] };
    row.outcome = tcsi_arrival_push(&w->arrival, &w->limits, row.time_ns, row.receive_ns);
    const bool is_new = row.outcome == TCSI_OUTCOME_ACCEPTED;
    if (is_new && isnan(value)) row.outcome = TCSI_OUTCOME_STALE;
    tcsi_presence_push(&w->presence, &w->policy, &row, &news);
    if (is_new && !isnan(value)) {
        tcsi_presence_value(&w->presence, &w->policy, &row, value, w->last, w->has_last, &news);
        w->last = value;
        w->has_last = true;
    }
    hear(w, &news);
    return row.outcome;
}

static size_t opened_all(const world *w)
{
    size_t sum = 0;
    for (size_t k = 0; k < TCSI_LIVE_KIND_COUNT; k++) sum += w->opened[k];
    return sum;
}

/* ---- senders: each lives until until_s, from where it is ---- */

static double exponential(world *w, double mean) { return -mean * log(1 - tcsi_rng_uniform(&w->rng)); }
static double number(world *w) { return tcsi_rng_normal(&w->rng); }

/* A row a step; received a little later, more or less. */
static void regular(world *w, double until_s, double step_s, double jitter_s)
{
    while (w->now_s + step_s < until_s) {
        const double stamp_s = w->now_s + step_s;
        pass(w, stamp_s);
        (void)push(w, stamp_s - jitter_s * tcsi_rng_uniform(&w->rng), number(w));
    }
    pass(w, until_s);
}

static void irregular(world *w, double until_s, double mean_s)
{
    for (;;) {
        const double stamp_s = w->now_s + exponential(w, mean_s);
        if (stamp_s >= until_s) break;
        pass(w, stamp_s);
        (void)push(w, stamp_s, number(w));
    }
    pass(w, until_s);
}

/* Steps whose logarithm is normal: some are thirty times as long as others. */
static void wild(world *w, double until_s, double median_s)
{
    for (;;) {
        const double stamp_s = w->now_s + median_s * exp(number(w));
        if (stamp_s >= until_s) break;
        pass(w, stamp_s);
        (void)push(w, stamp_s, number(w));
    }
    pass(w, until_s);
}

/* Rows of a second, sent each minute in three requests. */
static void batch(world *w, double until_s)
{
    double stamp_s = floor(w->now_s);
    while (w->now_s + 60 < until_s) {
        const double burst_s = w->now_s + 59 + 2 * tcsi_rng_uniform(&w->rng);
        for (int part = 0; part < 3; part++) {
            pass(w, burst_s + 0.02 * part);
            const double to_s = floor(burst_s) - 20 * (2 - part);
            for (; stamp_s < to_s; stamp_s++) (void)push(w, stamp_s, number(w));
        }
    }
    pass(w, until_s);
}

/* One row in ten is lost, and now and then a hundred on end. */
static void gappy(world *w, double until_s, double step_s)
{
    while (w->now_s + step_s < until_s) {
        const double stamp_s = w->now_s + step_s;
        pass(w, stamp_s);
        if (tcsi_rng_uniform(&w->rng) > 0.1) (void)push(w, stamp_s, number(w));
    }
    pass(w, until_s);
}

/* Hundreds of rows 0.2 s apart, and then nothing for a while. */
static void bursts(world *w, double until_s)
{
    while (w->now_s < until_s - 100) {
        const int count = 20 + (int)tcsi_rng_below(&w->rng, 200);
        for (int i = 0; i < count; i++) {
            pass(w, w->now_s + 0.2);
            (void)push(w, w->now_s, number(w));
        }
        pass(w, w->now_s + 5 + 40 * tcsi_rng_uniform(&w->rng));
    }
    pass(w, until_s);
}

/* A pipeline that takes from nothing to a minute. */
static void slow_pipeline(world *w, double until_s, double step_s)
{
    while (w->now_s + step_s < until_s) {
        const double stamp_s = w->now_s + step_s;
        pass(w, stamp_s);
        (void)push(w, stamp_s - 60 * tcsi_rng_uniform(&w->rng), number(w));
    }
    pass(w, until_s);
}

/* Two states, left with that chance. */
static void switching(world *w, double until_s, double chance)
{
    double value = 0;
    while (w->now_s + 1 < until_s) {
        pass(w, w->now_s + 1);
        if (tcsi_rng_uniform(&w->rng) < chance) value = 1 - value;
        (void)push(w, w->now_s, value);
    }
}

/* A slow process, in steps of one. */
static void coarse(world *w, double until_s)
{
    double x = 0;
    while (w->now_s + 1 < until_s) {
        pass(w, w->now_s + 1);
        x = 0.995 * x + 0.1 * number(w);
        (void)push(w, w->now_s, nearbyint(x));
    }
}

/* By day a row a second, by night one a minute: ten times a day, so that a test sees many. */
static void by_night(world *w, double until_s)
{
    while (w->now_s < until_s - 10000) {
        regular(w, w->now_s + 4000, 1, 0.05);
        regular(w, w->now_s + 4000, 60, 0.05);
    }
    pass(w, until_s);
}

enum { SENDERS = 12, SEEDS = 20 };
static const double DAY_S = 86400;

static void send(world *w, int sender, double until_s)
{
    switch (sender) {
    case 0: regular(w, until_s, 1, 0.3); break;
    case 1: regular(w, until_s, 15, 5); break;
    case 2: irregular(w, until_s, 3); break;
    case 3: wild(w, until_s, 2); break;
    case 4: batch(w, until_s); break;
    case 5: gappy(w, until_s, 1); break;
    case 6: bursts(w, until_s); break;
    case 7: slow_pipeline(w, until_s, 2); break;
    case 8: switching(w, until_s, 0.3); break;
    case 9: switching(w, until_s, 0.01); break;
    case 10: coarse(w, until_s); break;
    default: by_night(w, until_s); break;
    }
}

/* A day of each, twenty times.  The bounds are what was measured, with some room. */
static void test_false_alarms(void **state)
{
    (void)state;
    static const char *const names[SENDERS] = { "regular, 1 s", "regular, 15 s, jitter 5 s", "irregular, mean 3 s", "wild, median 2 s",
                                                "batches of a minute", "one row in ten lost", "bursts", "lag 0 to 60 s", "switches often",
                                                "switches rarely", "coarse", "two cadences in turn" };
    /* A sender of bursts is missed once before its pauses are known, one that slows down sixtyfold a few times. */
    static const size_t absences_max[SENDERS] = { 0, 0, 0, 3, 0, 0, 2 * SEEDS, 0, 0, 0, 0, 5 * SEEDS };
    for (int sender = 0; sender < SENDERS; sender++) {
        size_t opened[TCSI_LIVE_KIND_COUNT] = { 0 };
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            world w;
            world_init(&w, 100 * (uint64_t)sender + seed);
            send(&w, sender, DAY_S);
            for (size_t k = 0; k < TCSI_LIVE_KIND_COUNT; k++) opened[k] += w.opened[k];
        }
        print_message("# %-26s %d days: absence %zu, stuck %zu, stale %zu, late %zu, cadence %zu\n", names[sender], SEEDS,
                      opened[TCSI_LIVE_ABSENCE], opened[TCSI_LIVE_STUCK], opened[TCSI_LIVE_STALE], opened[TCSI_LIVE_LATE],
                      opened[TCSI_LIVE_CADENCE]);
        assert_true(opened[TCSI_LIVE_ABSENCE] <= absences_max[sender]);
        assert_int_equal(opened[TCSI_LIVE_STUCK] + opened[TCSI_LIVE_STALE] + opened[TCSI_LIVE_LATE], 0);
        assert_true(opened[TCSI_LIVE_CADENCE] <= (sender == SENDERS - 1 ? 2 * SEEDS : 0)); /* what comes in turn is told twice */
    }
}

/* ---- how soon ---- */

static void assert_quiet_but(const world *w, tcsi_live_kind kind)
{
    assert_int_equal(opened_all(w), w->opened[kind]);
    assert_int_equal(w->opened[kind], 1);
}

/* Nothing comes any more: told within five steps and the eight seconds between two looks; of a batch within three of them. */
static void test_absence_onset(void **state)
{
    (void)state;
    static const struct { int sender; double step_s, limit_s; } cases[] = { { 0, 1, 14 }, { 1, 15, 84 }, { 4, 60, 192 }, { 5, 1, 30 } };
    for (size_t i = 0; i < TCS_COUNT(cases); i++) {
        double worst_s = 0;
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            world w;
            world_init(&w, seed);
            send(&w, cases[i].sender, 7200);
            const double last_s = (double)(w.presence.received_ns - START_NS) * 1e-9;
            pass(&w, 9000);
            assert_quiet_but(&w, TCSI_LIVE_ABSENCE);
            assert_int_equal(w.item[TCSI_LIVE_ABSENCE].begin_ns, w.arrival.newest_ns[0]);
            worst_s = fmax(worst_s, w.opened_s[TCSI_LIVE_ABSENCE] - last_s);
            (void)push(&w, w.now_s, 0);
            assert_int_equal(w.over[TCSI_LIVE_ABSENCE], 1);
            assert_int_equal(w.state[TCSI_LIVE_ABSENCE], TCSI_LIVE_RESOLVED);
        }
        print_message("# absence, step %g s: told after %.0f s at most\n", cases[i].step_s, worst_s);
        assert_true(worst_s <= cases[i].limit_s);
    }
}

/* A sender that was away for ten minutes comes back with all it has, ten rows a second, oldest first. */
static void test_a_backlog_is_late(void **state)
{
    (void)state;
    world w;
    world_init(&w, 1);
    regular(&w, 7200, 1, 0.1);
    pass(&w, 7800);
    assert_int_equal(w.opened[TCSI_LIVE_ABSENCE], 1);
    double stamp_s = 7200;
    while (stamp_s < w.now_s) {
        pass(&w, w.now_s + 0.1);
        (void)push(&w, stamp_s++, number(&w));
    }
    assert_int_equal(w.over[TCSI_LIVE_ABSENCE], 1);
    assert_int_equal(w.opened[TCSI_LIVE_LATE], 1);
    assert_true(w.opened_s[TCSI_LIVE_LATE] < 7800 + 26);
    assert_true(w.item[TCSI_LIVE_LATE].usual < 3); /* it is not learned, or slowly */
    regular(&w, 12000, 1, 0.1);
    assert_int_equal(w.over[TCSI_LIVE_LATE], 1);
    assert_int_equal(opened_all(&w), 2);
}

/* Every row comes, each a little later than the one before it. */
static void test_a_growing_lag_is_late(void **state)
{
    (void)state;
    static const double growths[] = { 0.01, 0.1, 1 };
    for (size_t i = 0; i < TCS_COUNT(growths); i++) {
        world w;
        world_init(&w, 2);
        regular(&w, 7200, 1, 0.3);
        double stamp_s = w.now_s;
        while (w.now_s < 20000 && !w.opened[TCSI_LIVE_LATE]) {
            pass(&w, w.now_s + 1 + growths[i]);
            (void)push(&w, stamp_s++, number(&w));
        }
        print_message("# lag that grows by %g s each second: told after %.0f s, at a lag of %.0f s\n", growths[i],
                      w.opened_s[TCSI_LIVE_LATE] - 7200, w.item[TCSI_LIVE_LATE].value);
        assert_quiet_but(&w, TCSI_LIVE_LATE);
        assert_true(w.opened_s[TCSI_LIVE_LATE] - 7200 <= 40 + 25 / growths[i]);
    }
}

/* The sender's clock is set back an hour, as where one stamps in local time when summer ends: its rows are refused, and that is told as
 * what it is.  Set ahead likewise. */
static void test_a_clock_that_jumps(void **state)
{
    (void)state;
    for (int direction = -1; direction <= 1; direction += 2) {
        world w;
        world_init(&w, 3);
        regular(&w, 7200, 1, 0.1);
        size_t refused = 0;
        while (w.now_s < 14000) {
            pass(&w, w.now_s + 1);
            const tcsi_outcome outcome = push(&w, w.now_s + direction * 3600, number(&w));
            refused += outcome == TCSI_OUTCOME_TOO_OLD || outcome == TCSI_OUTCOME_TOO_FAR_AHEAD;
        }
        assert_true(refused > 3000);
        assert_int_equal(w.opened[TCSI_LIVE_LATE], 1);
        assert_int_equal(w.opened[TCSI_LIVE_ABSENCE], 0);
        assert_true(w.opened_s[TCSI_LIVE_LATE] < 7200 + 26);
        assert_true(fabs(w.item[TCSI_LIVE_LATE].value + direction * 3600) < 60 || w.over[TCSI_LIVE_LATE]);
        assert_true(w.begin_s[TCSI_LIVE_LATE] >= 7200 && w.begin_s[TCSI_LIVE_LATE] < 7210);
    }
}

/* The service's own clock jumps, or it was away: nobody is missed for that, and afterwards everybody is as before. */
static void test_the_services_own_absence(void **state)
{
    (void)state;
    static const double jumps[] = { 3600, -3600 };
    for (size_t i = 0; i < TCS_COUNT(jumps); i++) {
        world w;
        world_init(&w, 4);
        regular(&w, 7200, 1, 0.1);
        w.service_s = jumps[i];
        pass(&w, 7202);
        assert_int_equal(opened_all(&w), 0);
        pass(&w, 7230); /* silent in truth */
        assert_quiet_but(&w, TCSI_LIVE_ABSENCE);
    }
    world w;
    world_init(&w, 5);
    regular(&w, 7200, 1, 0.1);
    w.tick_s = 8000; /* killed, and started again */
    w.now_s = 8000;
    pass(&w, 8001);
    (void)push(&w, 8001, 1);
    regular(&w, 9000, 1, 0.1);
    assert_int_equal(opened_all(&w), 0);
}

static void test_cadence_onset(void **state)
{
    (void)state;
    static const double steps[][2] = { { 1, 10 }, { 10, 1 }, { 15, 60 }, { 60, 15 }, { 1, 2 }, { 10, 5 } };
    for (size_t i = 0; i < TCS_COUNT(steps); i++) {
        const double old_s = steps[i][0], new_s = steps[i][1], begin_s = 1000 * old_s;
        world w;
        world_init(&w, 6);
        regular(&w, begin_s, old_s, 0.1 * old_s);
        assert_int_equal(opened_all(&w), 0);
        regular(&w, begin_s + 100 * new_s, new_s, 0.1 * fmin(old_s, new_s));
        assert_int_equal(w.opened[TCSI_LIVE_CADENCE], 1);
        const double told = (w.opened_s[TCSI_LIVE_CADENCE] - begin_s) / new_s;
        print_message("# cadence %g s to %g s: told after %.0f steps, as every %.2g s; %zu absences\n", old_s, new_s, told,
                      w.item[TCSI_LIVE_CADENCE].value, w.opened[TCSI_LIVE_ABSENCE]);
        assert_true(told < 60 && w.opened[TCSI_LIVE_ABSENCE] <= 2);
        assert_true(fabs(w.item[TCSI_LIVE_CADENCE].usual / old_s - 1) < 0.15);
        regular(&w, w.now_s + 600 * new_s, new_s, 0.1 * fmin(old_s, new_s));
        assert_int_equal(w.over[TCSI_LIVE_CADENCE], 1); /* it is what is usual now */
        regular(&w, w.now_s + 600 * old_s, old_s, 0.1 * fmin(old_s, new_s)); /* and what was usual still is */
        assert_int_equal(w.opened[TCSI_LIVE_CADENCE], 1);
    }
}

static void test_stuck_onset(void **state)
{
    (void)state;
    world w;
    world_init(&w, 7);
    regular(&w, 3600, 1, 0.1);
    for (int i = 0; i < 100; i++) {
        pass(&w, w.now_s + 1);
        (void)push(&w, w.now_s, 42);
    }
    assert_quiet_but(&w, TCSI_LIVE_STUCK);
    assert_true(w.opened_s[TCSI_LIVE_STUCK] <= 3600 + 32 && w.item[TCSI_LIVE_STUCK].value == 42);
    regular(&w, 4000, 1, 0.1);
    assert_int_equal(w.over[TCSI_LIVE_STUCK], 1);
    world_init(&w, 8); /* states that last for a hundred rows: one that lasts for thousands is told */
    switching(&w, 20000, 0.01);
    assert_int_equal(opened_all(&w), 0);
    const uint32_t most = w.presence.same_count_max;
    switching(&w, 20000 + 5.0 * most, 0);
    assert_quiet_but(&w, TCSI_LIVE_STUCK);
}

/* A mark of the sender is no absence: it is suspected, and dismissed when rows come again, or after a day. */
static void test_stale(void **state)
{
    (void)state;
    world w;
    world_init(&w, 9);
    regular(&w, 3600, 1, 0.1);
    (void)push(&w, w.now_s, nan(""));
    pass(&w, 3604);
    (void)push(&w, w.now_s, 1); /* a scrape that failed once */
    regular(&w, 4000, 1, 0.1);
    assert_int_equal(opened_all(&w), 0);
    (void)push(&w, w.now_s, nan(""));
    pass(&w, 5000);
    assert_quiet_but(&w, TCSI_LIVE_STALE);
    assert_int_equal(w.state[TCSI_LIVE_STALE], TCSI_LIVE_SUSPECTED);
    assert_true(w.opened_s[TCSI_LIVE_STALE] <= 4000 + 22);
    pass(&w, 4000 + DAY_S + 100);
    assert_int_equal(w.state[TCSI_LIVE_STALE], TCSI_LIVE_DISMISSED);
    assert_int_equal(w.opened[TCSI_LIVE_STALE], 1);
    world_init(&w, 10); /* where the settings say so it is sure */
    w.policy.stale_s = 60;
    regular(&w, 100, 1, 0.1);
    (void)push(&w, w.now_s, nan(""));
    pass(&w, 5000);
    assert_int_equal(w.state[TCSI_LIVE_STALE], TCSI_LIVE_CONFIRMED);
    (void)push(&w, w.now_s, 1);
    assert_int_equal(w.state[TCSI_LIVE_STALE], TCSI_LIVE_RESOLVED);
}

/* Confirmed after the wait that is learned; and when a policy says so while it is suspected, once.  What ended long before is past. */
static void test_stale_that_is_confirmed(void **state)
{
    (void)state;
    world w;
    world_init(&w, 14);
    w.policy.stale_s = 0;
    regular(&w, 100, 1, 0.1); /* too few rows for a suspicion */
    (void)push(&w, w.now_s, nan(""));
    pass(&w, 5000);
    assert_quiet_but(&w, TCSI_LIVE_STALE);
    assert_int_equal(w.state[TCSI_LIVE_STALE], TCSI_LIVE_CONFIRMED);
    assert_true(w.opened_s[TCSI_LIVE_STALE] > 103 && w.opened_s[TCSI_LIVE_STALE] <= 122);
    pass(&w, 5000 + 2 * DAY_S);
    assert_int_equal(w.state[TCSI_LIVE_STALE], TCSI_LIVE_CONFIRMED); /* it lasts until a row comes */
    world_init(&w, 15);
    regular(&w, 3600, 1, 0.1);
    (void)push(&w, w.now_s, nan(""));
    pass(&w, 5000);
    assert_int_equal(w.state[TCSI_LIVE_STALE], TCSI_LIVE_SUSPECTED);
    w.policy.stale_s = 0;
    pass(&w, 9000);
    assert_int_equal(w.state[TCSI_LIVE_STALE], TCSI_LIVE_CONFIRMED);
    assert_int_equal(w.opened[TCSI_LIVE_STALE], 2); /* suspected and confirmed, each once */
    world_init(&w, 16);
    regular(&w, 3600, 1, 0.1);
    w.policy.stale_s = INFINITY;
    (void)push(&w, w.now_s, nan(""));
    pass(&w, 3600 + 2 * DAY_S);
    w.policy.stale_s = 0;
    pass(&w, 3700 + 2 * DAY_S);
    assert_int_equal(opened_all(&w), 0);
}

static void test_policies(void **state)
{
    (void)state;
    world w;
    world_init(&w, 11);
    w.policy = (tcsi_presence_policy){ INFINITY, INFINITY, INFINITY, INFINITY, INFINITY };
    regular(&w, 3600, 1, 0.1);
    regular(&w, 7200, 10, 0.1);
    pass(&w, 9000);
    for (int i = 0; i < 500; i++) {
        pass(&w, w.now_s + 1);
        (void)push(&w, w.now_s - 600, 7);
    }
    (void)push(&w, w.now_s, nan(""));
    pass(&w, w.now_s + 900);
    assert_int_equal(opened_all(&w), 0);
    world_init(&w, 12); /* times that are set hold from the first row on */
    w.policy = (tcsi_presence_policy){ .absence_s = 300, .stale_s = NAN, .stuck_s = 60, .late_s = 5, .cadence_s = NAN };
    for (int i = 0; i < 100; i++) {
        pass(&w, w.now_s + 1);
        (void)push(&w, w.now_s - 10, 7);
    }
    pass(&w, w.now_s + 290);
    assert_int_equal(w.opened[TCSI_LIVE_ABSENCE], 0);
    pass(&w, w.now_s + 30);
    assert_true(w.opened[TCSI_LIVE_ABSENCE] == 1 && w.opened[TCSI_LIVE_STUCK] == 1 && w.opened[TCSI_LIVE_LATE] == 1);
}

/* Saved at any moment and loaded, it goes on with the same bits. */
static void test_saved_and_loaded(void **state)
{
    (void)state;
    for (int sender = 0; sender < SENDERS; sender++) {
        world w, again;
        world_init(&w, 13);
        for (int round = 1; round <= 5; round++) {
            tcsi_buffer bytes;
            tcs_error err = { 0 };
            tcsi_buffer_init(&bytes, 1 << 12);
            send(&w, sender, 3000 * round);
            tcsi_codec codec = tcsi_codec_save(&bytes, &err);
            tcsi_presence_persist(&w.presence, &codec);
            tcsi_presence_watch_persist(&w.watch, &codec);
            assert_int_equal(tcsi_codec_status(&codec), TCS_OK);
            again = w;
            memset(&again.presence, 0, sizeof again.presence);
            memset(&again.watch, 0, sizeof again.watch);
            codec = tcsi_codec_load(bytes.data, bytes.size, &err);
            tcsi_presence_persist(&again.presence, &codec);
            tcsi_presence_watch_persist(&again.watch, &codec);
            assert_int_equal(tcsi_codec_status(&codec), TCS_OK);
            send(&again, sender, 3000 * round + 1500);
            send(&w, sender, 3000 * round + 1500);
            assert_memory_equal(&w.presence, &again.presence, sizeof w.presence);
            tcsi_buffer_deinit(&bytes);
        }
    }
}

TCS_TEST_MAIN(cmocka_unit_test(test_false_alarms), cmocka_unit_test(test_absence_onset), cmocka_unit_test(test_a_backlog_is_late),
              cmocka_unit_test(test_a_growing_lag_is_late), cmocka_unit_test(test_a_clock_that_jumps),
              cmocka_unit_test(test_the_services_own_absence), cmocka_unit_test(test_cadence_onset), cmocka_unit_test(test_stuck_onset),
              cmocka_unit_test(test_stale), cmocka_unit_test(test_stale_that_is_confirmed),
              cmocka_unit_test(test_policies), cmocka_unit_test(test_saved_and_loaded))
