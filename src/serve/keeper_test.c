/* SPDX-License-Identifier: Apache-2.0 */
/* What a service that reads its journal again writes into the store once more, and what it does not. */
#include "folder.h"
#include "test.h"

#include "serve/intake.h"
#include "serve/keeper.h"
#include "serve/words.h"

#include <stdatomic.h>
#include <time.h>

enum { SERIES = 6, STEPS = 90, STUCK_FROM = 40, TICK_STEPS = 30, RECORDS = STEPS + STEPS / TICK_STEPS, DOCUMENTS_MAX = 1 << 20 };
static const int64_t SECOND_NS = INT64_C(1000000000), START_NS = INT64_C(1700000000000000000);
static char store_path[FOLDER_PATH_SIZE], journal_path[FOLDER_PATH_SIZE];

static int begin(void **state)
{
    const int status = folder_make(state);
    path_of("tocsin.db", store_path);
    path_of("journal", journal_path);
    return status;
}

/* ---- a service without HTTP; no snapshot is ever kept, so that each life reads the whole journal ---- */

typedef struct life {
    tcsi_store *store;
    tcsi_keeper *keeper;
    tcsi_live *live;
    tcsi_intake *intake;
    size_t step_count;        /* of episodes, as listeners hear of them */
    uint64_t told, more;      /* times that something was told; of these with more to come */
    size_t told_behind;       /* nothing is told before so many rows were judged */
    _Atomic size_t judged;
} life;

static void on_step(void *self, const tcsi_live_event *event, const char *document)
{
    (void)event;
    assert_non_null(strstr(document, "\"acknowledged\":null}"));
    ((life *)self)->step_count++;
}

static void on_tell(void *self, const tcsi_live_news *news)
{
    life *l = self;
    for (int i = 0; i < 10000 && atomic_load(&l->judged) < l->told_behind; i++) nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
    l->told++;
    l->more += news->is_more;
    tcsi_keeper_tell(l->keeper, news);
}

static void on_judge(void *self, size_t worker, const tcsi_live_judged *rows, size_t count)
{
    (void)worker;
    (void)rows;
    atomic_fetch_add(&((life *)self)->judged, count);
}

static void life_begin(life *l, const tcsi_deliver_settings *settings, size_t told_behind)
{
    const tcsi_store_options alone = { .alone = true };
    *l = (life){ .told_behind = told_behind };
    assert_ok(tcsi_store_open(store_path, &alone, &l->store, test_err));
    const tcsi_keeper_options keeper = { .store = l->store, .settings = settings, .alarms_per_s = 0.01, .step = on_step, .step_self = l };
    assert_ok(tcsi_keeper_create(&keeper, &l->keeper, test_err));
    const tcsi_live_options live = { .thread_count = 2, .series_count_max = 100, .alarms_per_s = 0.01, .tell = on_tell, .self = l,
                                     .arrival = tcsi_arrival_limits_default(), .judge = on_judge, .judge_self = l };
    assert_ok(tcsi_live_create(&live, &l->live, test_err));
    tcsi_keeper_set_directory(l->keeper, tcsi_live_directory(l->live));
    tcsi_intake_options intake = { .folder = journal_path, .live = l->live };
    uint64_t count;
    assert_ok(tcsi_keeper_load(l->keeper, l->live, &intake.sequence, test_err));
    assert_ok(tcsi_keeper_recall(l->keeper, journal_path, test_err));
    assert_ok(tcsi_intake_open(&intake, &l->intake, &count, test_err));
}

static void life_end(life *l)
{
    tcsi_live_settle(l->live);
    tcsi_keeper_stop(l->keeper);
    tcsi_intake_close(l->intake);
    tcsi_live_destroy(l->live);
    tcsi_keeper_destroy(l->keeper);
    tcsi_store_close(l->store);
}

/* A row of each series; from STUCK_FROM on all say the same again and again, which is an episode of each. */
static void send_step(life *l, size_t step, int64_t begin_ns)
{
    const tcsi_ingest_facts facts = { .route = TCSI_ROUTE_NDJSON, .content_type = "application/x-ndjson" };
    tcsi_intake_reply reply;
    tcsi_buffer body, out;
    tcsi_buffer_init(&body, 1 << 16);
    tcsi_buffer_init(&out, 1 << 16);
    const int64_t now_ns = begin_ns + (int64_t)step * SECOND_NS;
    for (size_t i = 0; i < SERIES; i++)
        assert_ok(tcsi_buffer_printf(&body, test_err, "{\"series\":\"s%zu\",\"value\":%zu}\n", i, step < STUCK_FROM ? step * 7 % 11 : 5));
    tcsi_intake_take(l->intake, &facts, body.data, body.size, now_ns, &out, &reply);
    assert_int_equal(reply.http.code / 100, 2);
    if (step % TICK_STEPS == 0) assert_ok(tcsi_intake_tick(l->intake, now_ns, test_err));
    tcsi_buffer_deinit(&body);
    tcsi_buffer_deinit(&out);
}

static void live_through(int64_t begin_ns)
{
    life l;
    life_begin(&l, NULL, 0);
    for (size_t step = 0; step < STEPS; step++) send_step(&l, step, begin_ns);
    life_end(&l);
    assert_int_equal(l.step_count, SERIES);
}

/* ---- what is in the store ---- */

static bool append_record(void *context, const tcsi_store_record *record)
{
    assert_ok(tcsi_buffer_printf(context, test_err, "%d %s %lld %s\n", (int)record->kind, record->id, (long long)record->state,
                                 record->document));
    return true;
}

static void read_store(tcsi_buffer *ret_text)
{
    tcsi_store *store;
    assert_ok(tcsi_store_open(store_path, NULL, &store, test_err));
    tcsi_buffer_clear(ret_text);
    assert_ok(tcsi_buffer_puts(ret_text, "", test_err));
    const tcsi_store_record_query queries[] = { { .kind = TCSI_STORE_EPISODE }, { .kind = TCSI_STORE_INCIDENT } };
    for (size_t i = 0; i < TCS_COUNT(queries); i++)
        assert_ok(tcsi_store_record_list(store, &queries[i], append_record, ret_text, test_err));
    tcsi_store_close(store);
}

static bool note_id(void *context, const tcsi_store_record *record)
{
    snprintf(context, TCSI_EPISODE_ID_SIZE, "%s", record->id);
    return true;
}

/* So that it shows whether somebody writes it again. */
static void lose_an_episode(void)
{
    char id[TCSI_EPISODE_ID_SIZE] = "";
    tcsi_store *store;
    const tcsi_store_record_query query = { .kind = TCSI_STORE_EPISODE };
    assert_ok(tcsi_store_open(store_path, NULL, &store, test_err));
    assert_ok(tcsi_store_record_list(store, &query, note_id, id, test_err));
    assert_ok(tcsi_store_record_remove(store, TCSI_STORE_EPISODE, id, test_err));
    tcsi_store_close(store);
}

static void live_again(const tcsi_deliver_settings *settings, size_t expected_steps)
{
    life l;
    life_begin(&l, settings, 0);
    assert_true(tcsi_keeper_kept(l.keeper) == RECORDS);
    assert_int_equal(tcsi_keeper_count(l.keeper, TCSI_LIVE_STUCK, TCSI_LIVE_CONFIRMED), SERIES); /* it knows of them all the same */
    life_end(&l);
    assert_int_equal(l.step_count, expected_steps);
}

static void test_what_the_store_has_is_not_written_again(void **state)
{
    (void)state;
    tcsi_buffer whole, now;
    tcsi_buffer_init(&whole, DOCUMENTS_MAX);
    tcsi_buffer_init(&now, DOCUMENTS_MAX);
    live_through(START_NS);
    read_store(&whole);
    lose_an_episode();
    live_again(NULL, 0);
    read_store(&now);
    assert_true(now.size > 0 && now.size < whole.size); /* it stays lost */
    tcsi_deliver_settings *settings;
    assert_ok(tcsi_deliver_settings_parse("tell: episodes\n", 15, "f", &settings, test_err));
    live_again(settings, SERIES); /* what others kept says nothing */
    tcsi_deliver_settings_destroy(settings);
    read_store(&now);
    assert_string_equal(now.data, whole.data);
    tcsi_buffer_deinit(&whole);
    tcsi_buffer_deinit(&now);
}

static void test_another_journal_is_kept_from_its_beginning(void **state)
{
    (void)state;
    tcsi_buffer first, both;
    tcsi_buffer_init(&first, DOCUMENTS_MAX);
    tcsi_buffer_init(&both, DOCUMENTS_MAX);
    live_through(START_NS);
    read_store(&first);
    /* its place is taken by one whose records have the same numbers, and were kept elsewhere */
    assert_int_equal(folder_remove_at(journal_path), 0);
    path_of("other.db", store_path);
    live_through(START_NS + 1000 * SECOND_NS);
    path_of("tocsin.db", store_path);
    live_again(NULL, SERIES);
    read_store(&both);
    assert_true(both.size > 3 * first.size / 2);
    tcsi_buffer_deinit(&first);
    tcsi_buffer_deinit(&both);
}

/* A journal that is read into an empty store is told in other portions than it was written in. */
static void test_how_much_is_told_at_once_does_not_show(void **state)
{
    (void)state;
    tcsi_buffer whole, now;
    tcsi_buffer_init(&whole, DOCUMENTS_MAX);
    tcsi_buffer_init(&now, DOCUMENTS_MAX);
    live_through(START_NS);
    read_store(&whole);
    assert_int_equal(unlink(store_path), 0); /* and not the journal */
    life l;
    life_begin(&l, NULL, STEPS * SERIES);
    life_end(&l);
    assert_true(l.more > 0 && l.more < l.told);
    assert_int_equal(l.step_count, SERIES);
    read_store(&now);
    assert_string_equal(now.data, whole.data);
    tcsi_buffer_deinit(&whole);
    tcsi_buffer_deinit(&now);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, folder_remove)
TCS_TEST_MAIN(CASE(test_what_the_store_has_is_not_written_again), CASE(test_another_journal_is_kept_from_its_beginning),
              CASE(test_how_much_is_told_at_once_does_not_show))
