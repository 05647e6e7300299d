/* store/faults_test.c -- bad days: a disk that fails at every single operation, power that goes in the middle of any, processes killed and
 * servers killed while they write.  Whatever happens: what was acknowledged is there, whole and once, and the store is sound.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/store.h"

#include "sqlite_faults.h"
#include "store_place.h"

#include <poll.h>
#include <pthread.h>

enum { SCOPES = 8, ACK_MAX = 200000 };

static tcs_error err;

/* ---- a writer, and what must hold of what it wrote ---- */

/* Scope number i: an episode, its alert, its message, an entry of the log, and a block. */
static tcs_status put_scope(tcsi_store *store, int writer, int i, tcs_error *ret_err)
{
    char id[32];
    snprintf(id, sizeof id, "%d-%d", writer, i);
    const tcsi_store_record episode = { TCSI_STORE_EPISODE, id, 1, 0, i, INT64_MAX, i, "{}" };
    const tcsi_store_record alert = { TCSI_STORE_ALERT, id, 1, 0, i, i, i, "{}" };
    const tcsi_store_audit_entry entry = { .id = id, .actor = "", .action = "", .object = "", .detail = "" };
    const tcsi_store_message message = { .receiver = "r", .id = id, .payload = id, .payload_size = strlen(id), .due_ns = 0 };
    const tcsi_store_block block = { writer, 1, i, i, 1, id, strlen(id) };
    tcs_status status = tcsi_store_begin(store, ret_err);
    if (status != TCS_OK) return status;
    status = tcsi_store_record_put(store, &episode, ret_err);
    if (status == TCS_OK) status = tcsi_store_record_put(store, &alert, ret_err);
    if (status == TCS_OK) status = tcsi_store_outbox_put(store, &message, ret_err);
    if (status == TCS_OK) status = tcsi_store_audit_put(store, &entry, ret_err);
    if (status == TCS_OK) status = tcsi_store_block_put(store, &block, ret_err);
    if (status == TCS_OK) return tcsi_store_commit(store, ret_err);
    tcsi_store_rollback(store);
    return status;
}

typedef struct ack {
    int32_t writer, number;
} ack;

static ack acks[ACK_MAX];
static size_t ack_count;

static bool count_message(void *context, const tcsi_store_message *message)
{
    size_t *count = context;
    (*count)++;
    return strlen(message->id) == message->payload_size;
}

static bool count_record(void *context, const tcsi_store_record *record)
{
    (void)record;
    (*(size_t *)context)++;
    return true;
}

static size_t count_of(tcsi_store *store, tcsi_store_record_kind kind, const char *id)
{
    size_t count = 0;
    const tcsi_store_record_query query = { .kind = kind, .id = id };
    assert_done(tcsi_store_record_list(store, &query, count_record, &count, &err));
    return count;
}

static void verify(const place *p)
{
    tcsi_store *store = place_open(p);
    int64_t entries = 0;
    size_t messages = 0;
    unsigned char head[TCSI_HASH_SIZE];
    assert_done(tcsi_store_check(store, NULL, NULL, &err));
    for (size_t i = 0; i < ack_count; i++) {
        char id[32];
        snprintf(id, sizeof id, "%d-%d", acks[i].writer, acks[i].number);
        if (count_of(store, TCSI_STORE_EPISODE, id) == 1) continue;
        print_error("scope %s was acknowledged and is gone\n", id);
        fail();
    }
    const size_t episodes = count_of(store, TCSI_STORE_EPISODE, NULL);
    assert_true(episodes >= ack_count);
    assert_int_equal(count_of(store, TCSI_STORE_ALERT, NULL), episodes); /* no scope in part */
    assert_done(tcsi_store_outbox_due(store, "r", 0, 0, count_message, &messages, &err));
    assert_int_equal(messages, episodes);
    assert_done(tcsi_store_audit_verify(store, &entries, head, &err));
    assert_int_equal(entries, episodes);
    tcsi_store_close(store);
}

/* ---- a disk that fails ---- */

/* In a child, so that a crash is one.  Acknowledgements come through a pipe; what is not to be is an exit status. */
static int run_on_bad_disk(const place *p, disk_plan plan, long *ret_operations)
{
    int ends[2], status = 0;
    assert_int_equal(pipe(ends), 0);
    fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        tcs_error own = { 0 };
        tcsi_store *store = NULL;
        disk = plan;
        tcs_status outcome = tcsi_store_open(p->where, NULL, &store, &own);
        int bad = outcome != TCS_OK && outcome != TCS_E_IO && outcome != TCS_E_LIMIT ? 10 : 0;
        for (int i = 0; i < SCOPES && store; i++) {
            outcome = put_scope(store, 0, i, &own);
            if (outcome == TCS_OK && write(ends[1], &(ack){ 0, i }, sizeof(ack)) != sizeof(ack)) bad = 11;
            if (outcome != TCS_OK && outcome != TCS_E_IO && outcome != TCS_E_LIMIT) bad = 12;
            if (outcome != TCS_OK && strlen(own.text) < 20) bad = 13;
            if (i % 3 == 2) outcome = tcsi_store_tend(store, &own);
            if (outcome == TCS_E_FORMAT || outcome == TCS_E_INVALID) bad = 14;
        }
        if (bad) fprintf(stderr, "operation %ld: %s\n", plan.at, own.text);
        if (plan.fault == DISK_GOOD && write(ends[1], &(ack){ -1, (int32_t)disk.count }, sizeof(ack)) != sizeof(ack)) bad = 15;
        if (plan.fault == DISK_FAILS_ONCE) tcsi_store_close(store);
        _exit(bad);
    }
    close(ends[1]);
    ack_count = 0;
    for (ack got; read(ends[0], &got, sizeof got) == sizeof got;) {
        if (got.writer < 0) *ret_operations = got.number;
        else acks[ack_count++] = got;
    }
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_every_operation_of_the_disk_fails(void **state)
{
    static const struct {
        const char *name;
        disk_plan plan;
    } kinds[] = {
        { "a write or sync fails once", { .fault = DISK_FAILS_ONCE, .code = SQLITE_IOERR_WRITE } },
        { "a write is cut short once", { .fault = DISK_FAILS_ONCE, .code = SQLITE_FULL, .short_writes = true } },
        { "the disk is full from then on", { .fault = DISK_FAILS_FOR_GOOD, .code = SQLITE_FULL, .short_writes = true } },
        { "the disk is read-only from then on", { .fault = DISK_FAILS_FOR_GOOD, .code = SQLITE_READONLY } },
        { "anything fails once, reading too", { .fault = DISK_FAILS_ONCE, .code = SQLITE_IOERR_WRITE, .reads_too = true } },
        { "anything fails from then on", { .fault = DISK_FAILS_FOR_GOOD, .code = SQLITE_IOERR_WRITE, .reads_too = true } },
    };
    place *p = place_of(state);
    const long step = test_is_small() ? 7 : 1;
    disk_install();
    for (size_t k = 0; k < TCS_COUNT(kinds); k++) {
        long operations = 0;
        size_t acknowledged = 0;
        disk_plan plan = kinds[k].plan;
        plan.fault = DISK_GOOD;
        place_clear(p);
        assert_int_equal(run_on_bad_disk(p, plan, &operations), 0);
        assert_int_equal(ack_count, SCOPES);
        plan.fault = kinds[k].plan.fault;
        for (plan.at = 1; plan.at <= operations; plan.at += step) {
            place_clear(p);
            assert_int_equal(run_on_bad_disk(p, plan, NULL), 0);
            if (plan.fault == DISK_FAILS_ONCE) assert_true(ack_count == 0 || ack_count >= SCOPES - 1); /* it recovers by itself */
            verify(p);
            acknowledged += ack_count;
        }
        printf("# %s: %ld operations, each in turn; %zu scopes acknowledged, none lost\n", kinds[k].name, operations, acknowledged);
    }
    disk_remove();
}

static void test_power_goes_in_the_middle_of_everything(void **state)
{
    place *p = place_of(state);
    disk_plan plan = { .fault = DISK_GOOD };
    disk_install();
    long operations = 0;
    size_t acknowledged = 0;
    assert_int_equal(run_on_bad_disk(p, plan, &operations), 0);
    plan.fault = DISK_CRASHES;
    for (uint64_t round = 0; round < (test_is_small() ? 1 : 3); round++)
        for (plan.at = 1; plan.at <= operations; plan.at++) {
            plan.rng = tcsi_rng_make(plan.at, round);
            place_clear(p);
            assert_int_equal(run_on_bad_disk(p, plan, NULL), 0);
            verify(p);
            acknowledged += ack_count;
        }
    disk_remove();
    printf("# power gone at each of %ld operations, %d times; %zu scopes acknowledged, none lost\n", operations, test_is_small() ? 1 : 3,
           acknowledged);
}

/* ---- processes killed ---- */

enum { WRITERS = 2 };

typedef struct writing {
    const place *place;
    int writer, from, pipe;
} writing;

/* Writes until it is killed; a server that is away is asked again. */
static void *write_on(void *context)
{
    const writing *w = context;
    tcs_error own = { 0 };
    tcsi_store *store = NULL;
    while (!store && tcsi_store_open(w->place->where, NULL, &store, &own) != TCS_OK) test_sleep_ms(20);
    for (int i = w->from;;) {
        tcs_status status = put_scope(store, w->writer, i, &own);
        if (status != TCS_OK && status != TCS_E_IO) fprintf(stderr, "writer %d: %s\n", w->writer, own.text), _exit(12);
        if (status == TCS_OK && write(w->pipe, &(ack){ w->writer, i }, sizeof(ack)) != sizeof(ack)) _exit(11);
        if (status == TCS_OK) i++;
        if (status == TCS_OK && i % 50 == 0) status = tcsi_store_tend(store, &own);
        if (status != TCS_OK) test_sleep_ms(10);
    }
    return NULL;
}

static pid_t start_writers(const place *p, int from, int *ret_pipe)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        pthread_t threads[WRITERS];
        writing all[WRITERS];
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(ends[0]);
        for (int w = 0; w < WRITERS; w++) {
            all[w] = (writing){ p, w, from, ends[1] };
            if (pthread_create(&threads[w], NULL, write_on, &all[w]) != 0) _exit(13);
        }
        pthread_join(threads[0], NULL);
        _exit(0);
    }
    close(ends[1]);
    *ret_pipe = ends[0];
    return child;
}

/* Takes acknowledgements for so long. */
static void listen_for(int pipe_end, long ms)
{
    for (long begun = 0; begun < ms; begun++) {
        struct pollfd wanted = { .fd = pipe_end, .events = POLLIN };
        ack got;
        while (poll(&wanted, 1, 1) > 0 && read(pipe_end, &got, sizeof got) == sizeof got) {
            assert_true(ack_count < ACK_MAX);
            acks[ack_count++] = got;
            wanted.revents = 0;
            if (poll(&wanted, 1, 0) <= 0) break;
        }
    }
}

/* At least one more than `before`, however slow this machine is; then for so long. */
static void listen_on(int pipe_end, size_t before, long ms)
{
    for (long i = 0; i < 60000 && ack_count <= before; i++) listen_for(pipe_end, 1);
    assert_true(ack_count > before);
    listen_for(pipe_end, ms);
}

static void end_writers(pid_t child, int pipe_end)
{
    int status;
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status)); /* and not by its own exit */
    for (ack got; read(pipe_end, &got, sizeof got) == sizeof got;) acks[ack_count++] = got;
    close(pipe_end);
}

static void test_writers_killed_at_random(void **state)
{
    place *p = place_of(state);
    tcsi_rng rng = tcsi_rng_make(7, 0);
    const int rounds = test_is_small() ? 5 : p->is_server ? 15 : 50;
    ack_count = 0;
    for (int round = 0; round < rounds || ack_count <= (size_t)rounds; round++) { /* some are killed before they have written */
        int pipe_end;
        assert_in_range(round, 0, 20 * rounds);
        const pid_t child = start_writers(p, round * 100000, &pipe_end);
        listen_for(pipe_end, 5 + (long)tcsi_rng_below(&rng, 100));
        end_writers(child, pipe_end);
        if (round % 10 == 9) verify(p);
    }
    verify(p);
    printf("# %s: %d writers killed, %zu scopes acknowledged, none lost, none twice\n", p->is_server ? "PostgreSQL" : "SQLite", rounds,
           ack_count);
}

static void test_server_killed_while_writers_write(void **state)
{
    place *p = place_of(state);
    int pipe_end;
    ack_count = 0;
    tcsi_store_close(place_open(p)); /* the schema is there */
    const pid_t child = start_writers(p, 0, &pipe_end);
    size_t before = 0;
    for (int round = 0; round < (test_is_small() ? 1 : 4); round++) {
        listen_on(pipe_end, before, 300);
        before = ack_count;
        if (round % 2 == 1) {
            assert_true(pg_sql(&p->server, "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'tocsin'"));
        } else {
            pg_down(&p->server, SIGQUIT);
            assert_true(pg_up(&p->server));
        }
    }
    listen_on(pipe_end, before, 1000); /* they went on by themselves */
    end_writers(child, pipe_end);
    verify(p);
    printf("# PostgreSQL: server killed or connections cut 4 times, %zu scopes acknowledged, none lost, none twice\n", ack_count);
}

static void test_server_gone_is_said_at_once_and_found_again(void **state)
{
    place *p = place_of(state);
    tcsi_store *store = place_open(p);
    assert_done(put_scope(store, 0, 0, &err));
    assert_done(tcsi_store_begin(store, &err));
    const tcsi_store_record record = { TCSI_STORE_EPISODE, "half", 1, 0, 1, 1, 1, "{}" };
    assert_done(tcsi_store_record_put(store, &record, &err));
    pg_down(&p->server, SIGQUIT);
    assert_int_equal(tcsi_store_commit(store, &err), TCS_E_IO); /* nobody was told that it is there */
    assert_int_equal(tcsi_store_record_put(store, &record, &err), TCS_E_IO);
    assert_int_equal(tcsi_store_record_put(store, &record, &err), TCS_E_IO);
    assert_non_null(strstr(err.text, "it is tried again in"));
    assert_true(pg_up(&p->server));
    tcs_status status = TCS_E_IO;
    for (int i = 0; i < 1000 && status != TCS_OK; i++, test_sleep_ms(10)) status = put_scope(store, 0, 1, &err);
    assert_done(status);
    assert_int_equal(count_of(store, TCSI_STORE_EPISODE, "half"), 0);
    assert_int_equal(count_of(store, TCSI_STORE_EPISODE, NULL), 2);
    tcsi_store_close(store);
}

STORE_TEST_MAIN(ON_SQLITE(test_every_operation_of_the_disk_fails), ON_SQLITE(test_power_goes_in_the_middle_of_everything),
                ON_BOTH(test_writers_killed_at_random), ON_POSTGRESQL(test_server_killed_while_writers_write),
                ON_POSTGRESQL(test_server_gone_is_said_at_once_and_found_again))
