/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "serve/shard/live.h"

#include <pthread.h>
#include <time.h>

enum { SERIES = 150, RECORDS = 900, EVENTS_MAX = 20000, EXTRA = 10 };
static const int64_t STEP_NS = INT64_C(1000000000), START_NS = INT64_C(1700000000000000000);

typedef struct heard {
    tcsi_live_event *events;
    size_t count;
    uint64_t sequence;
    tcsi_buffer parts[1 + TCSI_CELL_COUNT];
    uint64_t kept;
} heard;

static void on_tell(void *self, const tcsi_live_news *news)
{
    heard *h = self;
    const tcsi_live_event *events = news->events;
    const uint64_t sequence = news->sequence;
    const size_t count = news->event_count;
    assert_int_equal(news->time_ns, START_NS + (int64_t)((sequence - 1) / 2) * STEP_NS);
    assert_true(sequence > h->sequence && h->count + count <= EVENTS_MAX);
    for (size_t i = 0; i < count; i++) {
        assert_true(events[i].sequence > h->sequence && events[i].sequence <= sequence);
        h->events[h->count] = events[i];
        h->events[h->count++].order = 0; /* which ones come together is not promised */
    }
    h->sequence = sequence;
}

static void on_keep(void *self, const tcsi_live_snapshot *snapshot)
{
    heard *h = self;
    assert_int_equal(snapshot->part_count, TCS_COUNT(h->parts));
    assert_int_equal(snapshot->sequence, h->sequence); /* nothing behind it was told */
    for (size_t i = 0; i < snapshot->part_count; i++) {
        tcsi_buffer_clear(&h->parts[i]);
        assert_ok(tcsi_buffer_append(&h->parts[i], snapshot->parts[i].data, snapshot->parts[i].size, test_err));
    }
    h->kept = snapshot->sequence;
}

static void heard_init(heard *h)
{
    *h = (heard){ .events = calloc(EVENTS_MAX, sizeof *h->events) };
    assert_non_null(h->events);
    for (size_t i = 0; i < TCS_COUNT(h->parts); i++) tcsi_buffer_init(&h->parts[i], 1 << 26);
}

static void heard_deinit(heard *h)
{
    free(h->events);
    for (size_t i = 0; i < TCS_COUNT(h->parts); i++) tcsi_buffer_deinit(&h->parts[i]);
}

static tcsi_live *create(heard *h, size_t thread_count, size_t series_count_max)
{
    const tcsi_live_options options = { .thread_count = thread_count, .series_count_max = series_count_max, .alarms_per_s = 0.05,
                                        .arrival = tcsi_arrival_limits_default(), .tell = on_tell, .keep = on_keep, .self = h };
    tcsi_live *live;
    assert_ok(tcsi_live_create(&options, &live, test_err));
    return live;
}

static double stale(void)
{
    const uint64_t bits = TCSI_STALE_BITS;
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Record t: a row of every series; now and then one jumps, keeps silent, is stuck, ends, is late, slows down or is stamped twice.  A
 * function of t alone. */
static void fill(tcsi_batch *batch, size_t t)
{
    tcsi_batch_clear(batch);
    for (uint32_t i = 0; i < SERIES; i++) {
        char name[32];
        tcsi_key key;
        tcsi_rng rng = tcsi_rng_make(i + 1, t);
        double value = 10 * i + tcsi_rng_normal(&rng);
        if ((t + 7 * i) % 400 < 2 && t > 200) value += 30;
        if ((t + 11 * i) % 500 < 20 && i % 10 == 3) continue;
        if (i % 10 == 4 && t % 300 > 200) value = 7;
        if (i % 10 == 5 && t % 300 == 250) value = stale();
        if (i % 10 == 5 && t % 300 > 250) continue;
        if (i % 10 == 7 && t % 300 > 150 && t % 5 != 0) continue;
        snprintf(name, sizeof name, "m%u", i);
        tcsi_key_begin(&key);
        (void)tcsi_key_add(&key, TCSI_KEY_METRIC, strlen(TCSI_KEY_METRIC), name, strlen(name));
        assert_int_equal(tcsi_key_finish(&key), TCSI_KEY_NONE);
        const size_t before = i % 37 == 5 && t % 50 == 3 ? 1 : i % 10 == 6 && t % 300 > 220 ? 100 : 0;
        const int64_t time_ns = START_NS + (int64_t)(t - before) * STEP_NS;
        assert_ok(tcsi_batch_point(batch, &key, TCSI_SERIES_GAUGE, time_ns, value, test_err));
    }
}

/* Record 2 t + 2: now and then somebody answers, or takes an answer back.  A function of t alone. */
static void answer(tcsi_live *live, size_t t)
{
    const bool is_undo = t % 40 == 33;
    const uint32_t series = (uint32_t)((is_undo ? t - 10 : t) / 5 * 13 % SERIES);
    const tcsi_episode_answer said = { .verdict = t % 3 == 0 ? TCSI_ANSWER_TRUE : TCSI_ANSWER_EXPECTED, .scope = TCSI_SCOPE_SERIES,
                                       .place = tcsi_directory_entry_of(tcsi_live_directory(live), series)->place,
                                       .confidence = 0.9F, .until_ns = t % 2 ? INT64_MAX : START_NS + (int64_t)(t + 300) * STEP_NS,
                                       .pattern = { .series = series, .height = 64, .lasted = 9, .reach = 40, .onset.height = 20 } };
    char id[33], object[33];
    tcsi_json_writer writer;
    tcsi_buffer document, bytes;
    tcsi_buffer_init(&document, 1 << 16);
    tcsi_buffer_init(&bytes, 1 << 16);
    snprintf(id, sizeof id, "%032zx", t + 1);
    snprintf(object, sizeof object, "%032zx", t - 10 + 1);
    tcsi_json_writer_init(&writer, &document, false);
    tcsi_json_begin_object(&writer);
    if (!is_undo) tcsi_answered_write(&said, &writer);
    tcsi_json_end_object(&writer);
    assert_ok(tcsi_json_finish(&writer, test_err));
    const tcsi_action action = { .kind = is_undo ? TCSI_ACTION_UNDO : TCSI_ACTION_ANSWER, .id = id, .who = "ann", .role = "analyst",
                                 .object = is_undo ? object : "", .document = document.data };
    tcsi_json_writer_init(&writer, &bytes, false);
    tcsi_action_write(&action, &writer);
    assert_ok(tcsi_json_finish(&writer, test_err));
    assert_ok(tcsi_live_act(live, 2 * t + 2, START_NS + (int64_t)t * STEP_NS, bytes.data, bytes.size, test_err));
    tcsi_buffer_deinit(&document);
    tcsi_buffer_deinit(&bytes);
}

/* Record 2 t + 2: limits of some series from now on, or none any more. */
static void set_limits(tcsi_live *live, size_t t, bool has_limits)
{
    tcsi_json_writer writer;
    tcsi_buffer bytes;
    static const char limits[] = "{\"policies\":[{\"match\":[\"__name__=~\\\"m1[0-9]\\\"\"],\"low\":109,\"high\":181}]}";
    const tcsi_action action = { .kind = TCSI_ACTION_SETTING, .id = "rules", .who = "ann", .role = "admin", .object = TCSI_SETTING_RULES,
                                 .document = has_limits ? limits : "{}" };
    tcsi_buffer_init(&bytes, 1 << 16);
    tcsi_json_writer_init(&writer, &bytes, false);
    tcsi_action_write(&action, &writer);
    assert_ok(tcsi_json_finish(&writer, test_err));
    assert_ok(tcsi_live_act(live, 2 * t + 2, START_NS + (int64_t)t * STEP_NS, bytes.data, bytes.size, test_err));
    tcsi_buffer_deinit(&bytes);
}

/* Records [begin, end): rows, and a tick or an answer after each. */
static void run(tcsi_live *live, size_t begin, size_t end)
{
    tcsi_batch batch;
    tcsi_batch_init(&batch, NULL);
    for (size_t t = begin; t < end; t++) {
        fill(&batch, t);
        assert_ok(tcsi_live_admit(live, batch.sample_count, test_err));
        assert_ok(tcsi_live_apply(live, 2 * t + 1, START_NS + (int64_t)t * STEP_NS, &batch, test_err));
        if (t == 160 || t == 705) set_limits(live, t, t == 160);
        else if (t > 150 && t % 5 == 3) answer(live, t); /* a snapshot is only asked for behind a tick */
        else assert_ok(tcsi_live_tick(live, 2 * t + 2, START_NS + (int64_t)t * STEP_NS, test_err));
    }
    tcsi_batch_deinit(&batch);
}

static void assert_same(const heard *a, const heard *b)
{
    assert_int_equal(a->count, b->count);
    assert_memory_equal(a->events, b->events, a->count * sizeof *a->events);
}

static void assert_same_parts(const heard *a, const heard *b)
{
    for (size_t i = 0; i < TCS_COUNT(a->parts); i++) {
        assert_int_equal(a->parts[i].size, b->parts[i].size);
        assert_memory_equal(a->parts[i].data, b->parts[i].data, a->parts[i].size);
    }
}

/* What is told, and the state afterwards, to the last bit. */
static void test_the_same_for_any_number_of_threads(void **state)
{
    (void)state;
    static const size_t thread_counts[] = { 1, 2, 5, 64 };
    heard first, other;
    size_t kinds[TCSI_LIVE_KIND_COUNT] = { 0 };
    for (size_t k = 0; k < TCS_COUNT(thread_counts); k++) {
        heard *h = k == 0 ? &first : &other;
        heard_init(h);
        tcsi_live *live = create(h, thread_counts[k], SERIES + EXTRA);
        run(live, 0, RECORDS);
        assert_ok(tcsi_live_save(live, test_err));
        tcsi_live_settle(live);
        assert_int_equal(h->sequence, 2 * RECORDS);
        assert_int_equal(h->kept, 2 * RECORDS);
        assert_int_equal(tcsi_live_stat(live).waiting_row_count, 0);
        assert_true(tcsi_live_stat(live).suppressed_count > 20);
        tcsi_live_destroy(live);
        if (k == 0) continue;
        assert_same(&first, &other);
        assert_same_parts(&first, &other);
        heard_deinit(&other);
    }
    for (size_t i = 0; i < first.count; i++) kinds[first.events[i].kind]++;
    for (size_t k = 0; k < TCSI_LIVE_KIND_COUNT; k++) assert_true(kinds[k] > 10);
    heard_deinit(&first);
}

static void secure(tcsi_live *live, uint64_t sequence)
{
    tcsi_live_secure(live, sequence, START_NS + (int64_t)((sequence - 1) / 2) * STEP_NS);
}

/* Rows are judged before they are durable; who listens hears of them, and a snapshot is kept, only afterwards, and then as ever. */
static void test_nobody_hears_of_what_is_not_durable(void **state)
{
    (void)state;
    heard whole, late;
    heard_init(&whole);
    heard_init(&late);
    tcsi_live *live = create(&whole, 2, SERIES + EXTRA);
    run(live, 0, RECORDS);
    tcsi_live_settle(live);
    tcsi_live_destroy(live);
    live = create(&late, 3, SERIES + EXTRA);
    tcsi_live_secure(live, 0, 0);
    run(live, 0, RECORDS / 2);
    assert_ok(tcsi_live_save(live, test_err));
    run(live, RECORDS / 2, RECORDS);
    tcsi_live_settle(live);
    assert_int_equal(late.sequence, 0);
    assert_int_equal(tcsi_live_stat(live).waiting_row_count, 0);
    assert_false(tcsi_live_wait_secure(live, 1000000));
    assert_false(tcsi_live_wait(live, 1, 1000000));
    secure(live, RECORDS / 3);
    tcsi_live_settle(live);
    assert_int_equal(late.sequence, RECORDS / 3);
    assert_int_equal(late.kept, 0);
    assert_true(tcsi_live_is_saving(live));
    secure(live, RECORDS); /* all that the snapshot holds, and nothing behind it */
    tcsi_live_settle(live);
    assert_int_equal(late.sequence, RECORDS);
    assert_int_equal(late.kept, RECORDS);
    secure(live, 2 * RECORDS);
    tcsi_live_settle(live);
    assert_true(tcsi_live_wait_secure(live, 1000000));
    assert_same(&whole, &late);
    secure(live, 2 * RECORDS); /* what is never secured is never told, and does not stand in the way of the end */
    assert_ok(tcsi_live_tick(live, 2 * RECORDS + 1, START_NS + (int64_t)RECORDS * STEP_NS, test_err));
    tcsi_live_destroy(live);
    assert_int_equal(late.sequence, 2 * RECORDS);
    heard_deinit(&whole);
    heard_deinit(&late);
}

/* Stopped after any record, loaded from the last snapshot, and the records behind it done again: the same story. */
static void test_stopped_and_loaded_is_never_stopped(void **state)
{
    (void)state;
    heard whole, before, after;
    heard_init(&whole);
    tcsi_live *live = create(&whole, 2, SERIES + EXTRA);
    run(live, 0, RECORDS);
    assert_ok(tcsi_live_save(live, test_err));
    tcsi_live_settle(live);
    tcsi_live_destroy(live);
    for (size_t stop = 250; stop < RECORDS; stop += 211) {
        heard_init(&before);
        heard_init(&after);
        live = create(&before, 3, SERIES + EXTRA);
        run(live, 0, stop - 40);
        assert_ok(tcsi_live_save(live, test_err));
        run(live, stop - 40, stop); /* what comes behind the snapshot is lost with the process, but not from the journal */
        tcsi_live_settle(live);
        tcsi_live_destroy(live);
        assert_int_equal(before.kept, 2 * (stop - 40));
        live = create(&after, 2, SERIES + EXTRA);
        assert_ok(tcsi_live_load(live, before.parts, TCS_COUNT(before.parts), test_err));
        after.sequence = before.kept;
        run(live, stop - 40, RECORDS);
        assert_ok(tcsi_live_save(live, test_err));
        tcsi_live_settle(live);
        tcsi_live_destroy(live);
        size_t known = 0;
        while (known < whole.count && whole.events[known].sequence <= before.kept) known++;
        assert_int_equal(after.count, whole.count - known);
        assert_memory_equal(after.events, whole.events + known, after.count * sizeof *after.events);
        assert_same_parts(&whole, &after);
        heard_deinit(&before);
        heard_deinit(&after);
    }
    heard_deinit(&whole);
}

static void test_damaged_snapshots_are_refused(void **state)
{
    (void)state;
    heard h;
    tcs_error failure;
    size_t refused = 0;
    tcsi_rng rng = tcsi_rng_make(2, 0);
    heard_init(&h);
    tcsi_live *live = create(&h, 1, SERIES + EXTRA);
    run(live, 0, 50);
    assert_ok(tcsi_live_save(live, test_err));
    tcsi_live_settle(live);
    tcsi_live_destroy(live);
    const int turns = test_is_small() ? 20 : 200;
    for (int i = 0; i < turns; i++) {
        tcsi_buffer *part = &h.parts[i % 3 == 0 ? 0 : tcsi_rng_below(&rng, TCS_COUNT(h.parts))];
        const size_t at = tcsi_rng_below(&rng, part->size), size = part->size;
        const char kept = part->data[at];
        if (i % 4 == 0) part->size = at;
        else part->data[at] = (char)(kept ^ 1 << tcsi_rng_below(&rng, 8));
        heard again;
        heard_init(&again);
        live = create(&again, 2, SERIES + EXTRA);
        const tcs_status status = tcsi_live_load(live, h.parts, TCS_COUNT(h.parts), &failure);
        assert_true(status == TCS_OK || (status == TCS_E_FORMAT && strlen(failure.text) > 5));
        refused += status != TCS_OK;
        tcsi_live_destroy(live);
        heard_deinit(&again);
        part->size = size;
        part->data[at] = kept;
    }
    assert_true(refused > (size_t)turns / 3);
    live = create(&h, 1, SERIES + EXTRA);
    assert_int_equal(tcsi_live_load(live, h.parts, 3, &failure), TCS_E_FORMAT);
    tcsi_live_destroy(live);
    heard_deinit(&h);
}

static void count_rows(void *context, const tcsi_cell *cell, const tcsi_live_series *series)
{
    (void)cell;
    *(uint32_t *)context = series->chart.count;
}

typedef struct order {
    char text[256]; /* "a3 e3 a7 ": what was told of which record */
    uint64_t event_count;
} order;

static void note_order(void *self, const tcsi_live_news *news)
{
    order *o = self;
    for (size_t i = 0; i < news->action_count; i++) {
        const tcsi_action *action = &news->actions[i];
        assert_true(action->sequence <= news->sequence && action->time_ns == START_NS + (int64_t)action->sequence);
        snprintf(o->text + strlen(o->text), sizeof o->text - strlen(o->text), "%s %s %llu, ", action->id, action->object,
                 (unsigned long long)action->sequence);
    }
    o->event_count += news->event_count;
}

/* Actions are told once, in their order, and who waits for one goes on when it was told. */
static void test_actions(void **state)
{
    (void)state;
    order o = { .event_count = 0 };
    tcs_error failure;
    tcsi_live *live;
    const tcsi_live_options options = { .thread_count = 3, .series_count_max = 100, .alarms_per_s = 1, .tell = note_order, .self = &o,
                                        .arrival = tcsi_arrival_limits_default() };
    assert_ok(tcsi_live_create(&options, &live, test_err));
    for (uint64_t i = 1; i <= 3; i++) {
        char id[8], text[256];
        tcsi_json_writer writer;
        tcsi_buffer bytes;
        const tcsi_action action = { .kind = TCSI_ACTION_ACKNOWLEDGE, .id = id, .who = "ann", .role = "analyst", .object = "e",
                                     .document = "{\"note\":\"a \\\"quoted\\\" one\"}" };
        snprintf(id, sizeof id, "a%llu", (unsigned long long)i);
        tcsi_buffer_init(&bytes, sizeof text);
        tcsi_json_writer_init(&writer, &bytes, false);
        tcsi_action_write(&action, &writer);
        assert_ok(tcsi_json_finish(&writer, test_err));
        assert_ok(tcsi_live_act(live, i, START_NS + (int64_t)i, bytes.data, bytes.size, test_err));
        assert_true(tcsi_live_wait(live, i, 10 * STEP_NS));
        tcsi_buffer_deinit(&bytes);
    }
    assert_false(tcsi_live_wait(live, 4, 1000));
    assert_string_equal(o.text, "a1 e 1, a2 e 2, a3 e 3, ");
    assert_int_equal(tcsi_live_act(live, 4, START_NS + 4, "{\"kind\":\"shout\"}", 16, &failure), TCS_E_FORMAT);
    assert_int_equal(tcsi_live_admit(live, 0, &failure), TCS_E_FORMAT); /* a journal that says what nobody understands ends it */
    tcsi_live_destroy(live);
}

static void test_limits_and_questions(void **state)
{
    (void)state;
    heard h;
    tcs_error failure;
    tcsi_batch batch;
    uint32_t rows = 0;
    heard_init(&h);
    tcsi_batch_init(&batch, NULL);
    const tcsi_live_options options = { .thread_count = 2, .series_count_max = 100, .waiting_row_max = 1000, .alarms_per_s = 1,
                                        .arrival = tcsi_arrival_limits_default(), .tell = on_tell, .self = &h };
    tcsi_live *live;
    assert_ok(tcsi_live_create(&options, &live, test_err));
    assert_ok(tcsi_live_admit(live, 600, test_err));
    assert_int_equal(tcsi_live_admit(live, 600, &failure), TCS_E_LIMIT);
    tcsi_live_release(live, 600);
    fill(&batch, 0);
    assert_ok(tcsi_live_admit(live, batch.sample_count, test_err));
    assert_ok(tcsi_live_apply(live, 1, START_NS, &batch, test_err));
    assert_int_equal(batch.outcomes[TCSI_OUTCOME_TOO_MANY_SERIES], batch.sample_count - 100);
    tcsi_live_settle(live);
    assert_int_equal(tcsi_live_stat(live).waiting_row_count, 0);
    assert_int_equal(tcsi_live_stat(live).series_count, 100);
    assert_true(tcsi_live_ask(live, 99, count_rows, &rows));
    assert_int_equal(rows, 1);
    assert_false(tcsi_live_ask(live, 100, count_rows, &rows));
    tcsi_live_destroy(live);
    tcsi_live_destroy(NULL);
    tcsi_batch_deinit(&batch);
    heard_deinit(&h);
}

/* ---- nobody can be told ---- */

typedef struct deaf {
    pthread_mutex_t mutex;
    pthread_cond_t hears;
    bool is_deaf;
    size_t event_count;
} deaf;

static void on_tell_deaf(void *self, const tcsi_live_news *news)
{
    deaf *d = self;
    pthread_mutex_lock(&d->mutex);
    while (d->is_deaf) pthread_cond_wait(&d->hears, &d->mutex);
    d->event_count += news->event_count;
    pthread_mutex_unlock(&d->mutex);
}

/* As while the store is away: what happened waits, up to a number, and then rows do. */
static void test_events_that_are_not_told_hold_rows_back(void **state)
{
    (void)state;
    deaf d = { .mutex = PTHREAD_MUTEX_INITIALIZER, .hears = PTHREAD_COND_INITIALIZER, .is_deaf = true };
    tcs_error failure;
    tcsi_batch batch;
    size_t t = 0;
    tcsi_batch_init(&batch, NULL);
    const tcsi_live_options options = { .thread_count = 2, .series_count_max = SERIES, .untold_max = 20, .alarms_per_s = 1,
                                        .arrival = tcsi_arrival_limits_default(), .tell = on_tell_deaf, .self = &d };
    tcsi_live *live;
    assert_ok(tcsi_live_create(&options, &live, test_err));
    for (; t < 2000; t++) {
        fill(&batch, t);
        const tcs_status status = tcsi_live_admit(live, batch.sample_count, &failure);
        if (status != TCS_OK) {
            assert_int_equal(status, TCS_E_LIMIT);
            if (strstr(failure.text, "events wait to be kept, at most 20")) break;
            nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL); /* rows wait to be judged */
            t--;
            continue;
        }
        assert_ok(tcsi_live_apply(live, t + 1, START_NS + (int64_t)t * STEP_NS, &batch, test_err));
    }
    assert_true(t < 2000);
    assert_ok(tcsi_live_admit(live, 0, test_err)); /* it is well, and actions are taken */
    pthread_mutex_lock(&d.mutex);
    d.is_deaf = false;
    pthread_cond_broadcast(&d.hears);
    pthread_mutex_unlock(&d.mutex);
    tcsi_live_settle(live);
    assert_true(d.event_count > 20);
    assert_ok(tcsi_live_admit(live, 600, test_err));
    tcsi_live_release(live, 600);
    tcsi_live_destroy(live);
    tcsi_batch_deinit(&batch);
}

TCS_TEST_MAIN(cmocka_unit_test(test_the_same_for_any_number_of_threads), cmocka_unit_test(test_stopped_and_loaded_is_never_stopped),
              cmocka_unit_test(test_nobody_hears_of_what_is_not_durable),
              cmocka_unit_test(test_damaged_snapshots_are_refused), cmocka_unit_test(test_limits_and_questions),
              cmocka_unit_test(test_actions), cmocka_unit_test(test_events_that_are_not_told_hold_rows_back))
