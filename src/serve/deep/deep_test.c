/* SPDX-License-Identifier: Apache-2.0 */
#include "folder.h"
#include "test.h"

#include "base/clock.h"
#include "base/rng.h"
#include "serve/deep/report.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

enum { SERIES = 60, EVENTS_MAX = 60000, PARTS = 1 + TCSI_CELL_COUNT, WAIT_S = 120 };
static const int64_t STEP_NS = INT64_C(1000000000), START_NS = INT64_C(1700000000000000000);

static void nap(void)
{
    nanosleep(&(struct timespec){ 0, 500000 }, NULL);
}

/* ---- a clock that the test sets ---- */

static _Atomic int64_t now_ns;

static int64_t read_clock(void *context)
{
    (void)context;
    return atomic_load(&now_ns);
}

static const tcsi_clock hand_set = { .wall_ns = read_clock, .monotonic_ns = read_clock };

/* ---- a process ---- */

typedef struct process {
    tcsi_live *live;
    tcsi_intake *intake;
    tcsi_deep *deep;            /* NULL: nobody answers */
    tcsi_live_event *events;
    size_t event_count;
    tcsi_buffer parts[PARTS];
    _Atomic int disturbed;      /* 0: not; 1: batches fail; 2: they take until it is over */
} process;

static void on_tell(void *self, const tcsi_live_news *news)
{
    process *p = self;
    assert_true(p->event_count + news->event_count <= EVENTS_MAX);
    for (size_t i = 0; i < news->event_count; i++) {
        p->events[p->event_count] = news->events[i];
        p->events[p->event_count++].order = 0; /* which ones come together is not promised */
    }
}

static void on_keep(void *self, const tcsi_live_snapshot *snapshot)
{
    process *p = self;
    for (size_t i = 0; i < PARTS; i++) {
        tcsi_buffer_clear(&p->parts[i]);
        assert_ok(tcsi_buffer_append(&p->parts[i], snapshot->parts[i].data, snapshot->parts[i].size, test_err));
    }
}

static bool disturb(void *context)
{
    process *p = context;
    while (atomic_load(&p->disturbed) == 2) nap();
    return atomic_load(&p->disturbed) == 0;
}

/* With a deep layer, or to read the journal again; returns how many records there were. */
static uint64_t process_begin(process *p, size_t thread_count, bool has_deep, tcsi_store *store)
{
    uint64_t count;
    *p = (process){ .events = calloc(EVENTS_MAX, sizeof(tcsi_live_event)) };
    assert_non_null(p->events);
    for (size_t i = 0; i < PARTS; i++) tcsi_buffer_init(&p->parts[i], 1 << 26);
    const tcsi_deep_options deep = { .train_share = 1, .deadline_ns = STEP_NS, .store = store, .disturb = disturb, .context = p };
    if (has_deep) assert_ok(tcsi_deep_create(&deep, &p->deep, test_err));
    const tcsi_live_options live = { .thread_count = thread_count, .series_count_max = 1000, .alarms_per_s = 0.02,
                                     .arrival = tcsi_arrival_limits_default(), .ask = has_deep ? tcsi_deep_ask : NULL, .asked = p->deep,
                                     .tell = on_tell, .keep = on_keep, .self = p };
    assert_ok(tcsi_live_create(&live, &p->live, test_err));
    const tcsi_intake_options intake = { .folder = folder, .live = p->live };
    if (has_deep) assert_ok(tcsi_intake_open(&intake, &p->intake, &count, test_err));
    else assert_ok(tcsi_intake_replay(&intake, 0, &count, test_err));
    if (has_deep) tcsi_deep_start(p->deep, p->intake);
    return count;
}

static void process_end(process *p)
{
    tcsi_deep_stop(p->deep);
    tcsi_live_settle(p->live);
    tcsi_intake_close(p->intake);
    tcsi_live_destroy(p->live);
    tcsi_deep_destroy(p->deep);
}

static void process_free(process *p)
{
    free(p->events);
    for (size_t i = 0; i < PARTS; i++) tcsi_buffer_deinit(&p->parts[i]);
}

static tcsi_deep_report report_of(const process *p)
{
    return (tcsi_deep_report){ p->deep, p->live, 1 };
}

static void save(process *p)
{
    assert_ok(tcsi_live_save(p->live, test_err));
    tcsi_live_settle(p->live);
}

/* ---- seconds ---- */

/* A row of every series: waves of a few rows' length, now and then one that does not belong, or a stretch. */
static void send_rows(process *p, size_t t)
{
    static const tcsi_ingest_facts facts = { .route = TCSI_ROUTE_NDJSON, .content_type = "application/x-ndjson" };
    tcsi_buffer body, out;
    tcsi_intake_reply reply;
    tcsi_buffer_init(&body, 1 << 20);
    tcsi_buffer_init(&out, 1 << 16);
    for (unsigned i = 0; i < SERIES; i++) {
        tcsi_rng rng = tcsi_rng_make(i + 1, t);
        double value = 10 * i + 2 * sin(0.4 * (double)t + i) + 0.3 * tcsi_rng_normal(&rng);
        if (t > 120 && (t + 13 * i) % 97 < (i % 3 ? 1 : 6)) value += i % 2 ? 9 : -14;
        assert_ok(tcsi_buffer_printf(&body, test_err, "{\"series\":\"m%u\",\"time\":%llu,\"value\":%.17g}\n", i,
                                     (unsigned long long)(START_NS / STEP_NS + (int64_t)t), value));
    }
    tcsi_intake_take(p->intake, &facts, body.data, body.size, START_NS + (int64_t)t * STEP_NS, &out, &reply);
    assert_int_equal(reply.http.code, 204);
    tcsi_buffer_deinit(&body);
    tcsi_buffer_deinit(&out);
}

/* Until what is in the journal is done; answers may be on their way. */
static void settle(process *p)
{
    const uint64_t last = tcsi_journal_stat(tcsi_intake_journal(p->intake)).sequence_next - 1;
    assert_true(tcsi_live_wait(p->live, last, WAIT_S * STEP_NS));
}

/* Until the deep layer has nothing more to do. */
static void wait_for_answers(process *p)
{
    settle(p);
    for (int i = 0; i < 2000 * WAIT_S; i++) {
        const tcsi_deep_stats deep = tcsi_deep_stat(p->deep);
        const tcsi_second_look_counts counts = tcsi_live_stat(p->live).second_look;
        const uint64_t asked = counts.asked[0] + counts.asked[1];
        if (deep.answered_count + deep.late_count + deep.failed_count + deep.lost_count >= asked) return;
        nap();
    }
    fail_msg("the deep layer does not answer");
}

/* Seconds [begin, end): rows, their answers, and a tick. */
static void run(process *p, size_t begin, size_t end)
{
    for (size_t t = begin; t < end; t++) {
        atomic_store(&now_ns, START_NS + (int64_t)t * STEP_NS);
        send_rows(p, t);
        if (atomic_load(&p->disturbed) != 2) wait_for_answers(p);
        assert_ok(tcsi_intake_tick(p->intake, START_NS + (int64_t)t * STEP_NS, test_err));
        settle(p);
    }
}

static void turn_on(process *p)
{
    bool is_kept;
    const tcsi_action action = { .kind = TCSI_ACTION_SETTING, .id = "deep-1", .who = "test", .role = "admin", .object = TCSI_SETTING_DEEP,
                                 .document = "{\"is_on\":true,\"sampled_per_s\":30,\"deadline_s\":1}", .time_ns = START_NS };
    assert_ok(tcsi_intake_act(p->intake, &action, &is_kept, test_err));
    tcsi_live_settle(p->live);
    assert_true(tcsi_live_second_look(p->live).is_on);
}

static void wait_for_a_model(process *p)
{
    for (int i = 0; i < 2000 * WAIT_S; i++) {
        const tcsi_deep_stats stats = tcsi_deep_stat(p->deep);
        if (stats.model[0] && stats.teacher.trained_count) return;
        nap();
    }
    fail_msg("nothing is learned");
}

static size_t count_verdicts(const process *p, size_t begin, tcsi_verdict verdict)
{
    size_t count = 0;
    for (size_t i = begin; i < p->event_count; i++)
        count += p->events[i].kind == TCSI_LIVE_ANOMALY && p->events[i].episode.verdict == verdict;
    return count;
}

static void assert_replays_alike(const process *whole, size_t event_count)
{
    static const size_t thread_counts[] = { 1, 3, 8 };
    for (size_t k = 0; k < TCS_COUNT(thread_counts); k++) {
        process again;
        (void)process_begin(&again, thread_counts[k], false, NULL);
        save(&again);
        assert_int_equal(again.event_count, event_count);
        assert_memory_equal(again.events, whole->events, event_count * sizeof *again.events);
        for (size_t i = 0; i < PARTS; i++) {
            assert_int_equal(again.parts[i].size, whole->parts[i].size);
            assert_memory_equal(again.parts[i].data, whole->parts[i].data, again.parts[i].size);
        }
        process_end(&again);
        process_free(&again);
    }
}

/* It trains, answers, fails, hangs, recovers, is killed and started again; whoever reads the journal sees the same, and asks nobody. */
static void test_the_state_is_a_function_of_the_journal(void **state)
{
    (void)state;
    static process p, after;
    tcsi_store *store = NULL;
    tcs_error failure;
    char reason[TCSI_HEALTH_REASON_SIZE], hash[TCSI_HASH_TEXT_SIZE];
    const tcsi_store_options scratch = { .scratch = true };
    if (tcsi_store_open("", &scratch, &store, &failure) != TCS_OK) skip(); /* built without SQLite */
    tcsi_clock_set(&hand_set);
    atomic_store(&now_ns, START_NS);
    (void)process_begin(&p, 2, true, store);
    turn_on(&p);
    tcsi_deep_report report = report_of(&p);
    run(&p, 0, 110); /* some 30 windows a second, once there are 64 rows */
    assert_int_equal(tcsi_deep_report_state(&report), TCSI_DEEP_TRAINING);
    wait_for_a_model(&p);
    assert_int_equal(tcsi_deep_report_state(&report), TCSI_DEEP_ON);
    run(&p, 110, 200);
    assert_true(count_verdicts(&p, 0, TCSI_VERDICT_CONFIRMED) > 5 && count_verdicts(&p, 0, TCSI_VERDICT_UNCONFIRMED) == 0);

    for (int how = 1; how <= 2; how++) { /* failing, then stuck */
        const size_t begin = how == 1 ? 200 : 260, before = p.event_count;
        atomic_store(&p.disturbed, how);
        run(&p, begin, begin + 8);
        assert_int_equal(tcsi_deep_report_state(&report), TCSI_DEEP_OPEN);
        assert_false(tcsi_deep_report_check(&report, reason));
        assert_true(count_verdicts(&p, before, TCSI_VERDICT_UNCONFIRMED) > 0);
        const tcsi_second_look_counts open = tcsi_live_stat(p.live).second_look;
        assert_true(open.expired > 0 && open.held_back > 0);
        atomic_store(&p.disturbed, 0);
        run(&p, begin + 8, begin + 40);
        assert_int_equal(tcsi_deep_report_state(&report), TCSI_DEEP_ON); /* by itself */
        assert_true(tcsi_deep_report_check(&report, reason));
        const size_t recovered = p.event_count;
        run(&p, begin + 40, begin + 60);
        assert_true(count_verdicts(&p, recovered, TCSI_VERDICT_CONFIRMED) + count_verdicts(&p, recovered, TCSI_VERDICT_ORDINARY) > 0);
    }
    memcpy(hash, tcsi_deep_stat(p.deep).model, sizeof hash);

    atomic_store(&p.disturbed, 1); /* killed with questions on their way */
    send_rows(&p, 320);
    wait_for_answers(&p);
    save(&p);
    const size_t told = p.event_count;
    process_end(&p);
    assert_replays_alike(&p, told);

    const uint64_t count = process_begin(&after, 2, true, store);
    assert_true(count > 2 * 320);
    assert_string_equal(tcsi_deep_stat(after.deep).model, hash); /* the champion */
    assert_int_equal(after.event_count, told);
    assert_memory_equal(after.events, p.events, told * sizeof *p.events);
    assert_ok(tcsi_intake_tick(after.intake, START_NS + 321 * STEP_NS, test_err));
    tcsi_live_settle(after.live);
    const tcsi_second_look_counts lost = tcsi_live_stat(after.live).second_look;
    atomic_store(&now_ns, START_NS + 321 * STEP_NS);
    for (size_t t = 322; t < 330; t++) { /* counted from now on: the questions of before are nobody's */
        atomic_store(&now_ns, START_NS + (int64_t)t * STEP_NS);
        send_rows(&after, t);
        for (int i = 0; i < 100; i++) nap();
        assert_ok(tcsi_intake_tick(after.intake, START_NS + (int64_t)t * STEP_NS, test_err));
    }
    assert_true(lost.expired > 0 && tcsi_live_stat(after.live).second_look.answered > lost.answered);
    tcsi_deep_stop(after.deep);
    save(&after);
    const size_t told_after = after.event_count;
    process_end(&after);
    assert_replays_alike(&after, told_after);
    process_free(&p);
    process_free(&after);
    tcsi_store_close(store);
    tcsi_clock_set(NULL);
}

TCS_TEST_MAIN(cmocka_unit_test_setup_teardown(test_the_state_is_a_function_of_the_journal, folder_make, folder_remove))
