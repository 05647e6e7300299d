/* SPDX-License-Identifier: Apache-2.0 */
#include "folder.h"
#include "test.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/protobuf_write.h"
#include "base/rng.h"
#include "serve/intake.h"

#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>

enum { SERIES = 40, PARTS = 1 + TCSI_CELL_COUNT, TICKS_A_SNAPSHOT = 4 };
static const int64_t STEP_NS = INT64_C(1000000000), START_NS = INT64_C(1700000000000000000);

/* ---- a sender ---- */

/* A literal-only block of Snappy: what any decoder reads. */
static void compress(const tcsi_buffer *plain, tcsi_buffer *out)
{
    unsigned char head[8];
    size_t size = 0, left = plain->size;
    for (size_t rest = left; ; rest >>= 7) {
        head[size++] = (unsigned char)((rest & 127) | (rest > 127 ? 128 : 0));
        if (rest <= 127) break;
    }
    assert_ok(tcsi_buffer_append(out, head, size, test_err));
    for (const char *at = plain->data; left > 0;) {
        const size_t piece = left < 65536 ? left : 65536;
        const unsigned char tag[3] = { 61 << 2, (unsigned char)((piece - 1) & 255), (unsigned char)((piece - 1) >> 8) };
        assert_ok(tcsi_buffer_append(out, tag, sizeof tag, test_err));
        assert_ok(tcsi_buffer_append(out, at, piece, test_err));
        at += piece;
        left -= piece;
    }
}

static void put_label(tcsi_protobuf_writer *writer, const char *name, const char *value)
{
    tcsi_protobuf_begin(writer, 1);
    tcsi_protobuf_text(writer, 1, name);
    tcsi_protobuf_text(writer, 2, value);
    tcsi_protobuf_end(writer);
}

/* A double as protobuf has it; the writer knows floats and integers only. */
static void put_sample(tcsi_protobuf_writer *writer, double value, int64_t time_ms)
{
    unsigned char bytes[9] = { 1 << 3 | 1 };
    memcpy(bytes + 1, &value, 8);
    tcsi_protobuf_begin(writer, 2);
    assert_ok(tcsi_buffer_append(writer->out, bytes, sizeof bytes, test_err));
    tcsi_protobuf_integer(writer, 2, time_ms);
    tcsi_protobuf_end(writer);
}

/* Request n of a sender: a row of each of its series.  A function of n and the sender alone. */
static void make_body(size_t n, unsigned sender, tcsi_buffer *out)
{
    tcsi_buffer plain;
    tcsi_protobuf_writer writer;
    tcsi_buffer_init(&plain, 1 << 20);
    tcsi_protobuf_writer_init(&writer, &plain);
    for (unsigned i = 0; i < SERIES; i++) {
        char name[32], who[16];
        tcsi_rng rng = tcsi_rng_make(1000 * sender + i + 1, n);
        const double value = 10.0 * i + tcsi_rng_normal(&rng) + ((n + 13 * i) % 300 < 3 && n > 100 ? 40 : 0);
        snprintf(name, sizeof name, "m%u", i);
        snprintf(who, sizeof who, "s%u", sender);
        tcsi_protobuf_begin(&writer, 1);
        put_label(&writer, "__name__", name);
        put_label(&writer, "sender", who);
        put_sample(&writer, value, (START_NS + (int64_t)n * STEP_NS) / 1000000);
        tcsi_protobuf_end(&writer);
    }
    assert_ok(tcsi_protobuf_finish(&writer, test_err));
    tcsi_buffer_clear(out);
    compress(&plain, out);
    tcsi_buffer_deinit(&plain);
}

static const tcsi_ingest_facts facts = { .route = TCSI_ROUTE_REMOTE_WRITE, .content_type = "application/x-protobuf",
                                         .content_encoding = "snappy" };

static int send_body(tcsi_intake *intake, size_t n, unsigned sender)
{
    tcsi_buffer body, out;
    tcsi_intake_reply reply;
    tcsi_buffer_init(&body, 1 << 20);
    tcsi_buffer_init(&out, 1 << 16);
    make_body(n, sender, &body);
    tcsi_intake_take(intake, &facts, body.data, body.size, START_NS + (int64_t)n * STEP_NS, &out, &reply);
    tcsi_buffer_deinit(&body);
    tcsi_buffer_deinit(&out);
    return reply.http.code;
}

/* ---- a process: live series, whose snapshots are files, and the way in ---- */

typedef struct process {
    tcsi_live *live;
    tcsi_intake *intake;
    tcsi_buffer parts[PARTS];
    uint64_t kept;          /* sequence of parts; 0: none */
    bool is_writing;        /* snapshots go to the file */
} process;

static void on_keep(void *self, const tcsi_live_snapshot *snapshot)
{
    process *p = self;
    char path[512];
    tcsi_buffer file;
    assert_int_equal(snapshot->part_count, PARTS);
    tcsi_buffer_init(&file, 1 << 28);
    assert_ok(tcsi_buffer_append(&file, &snapshot->sequence, sizeof snapshot->sequence, test_err));
    for (size_t i = 0; i < PARTS; i++) {
        tcsi_buffer_clear(&p->parts[i]);
        assert_ok(tcsi_buffer_append(&p->parts[i], snapshot->parts[i].data, snapshot->parts[i].size, test_err));
        assert_ok(tcsi_buffer_append(&file, &snapshot->parts[i].size, sizeof snapshot->parts[i].size, test_err));
        assert_ok(tcsi_buffer_append(&file, snapshot->parts[i].data, snapshot->parts[i].size, test_err));
    }
    path_of("snapshot", path);
    if (p->is_writing) assert_ok(tcsi_file_write(path, file.data, file.size, test_err));
    p->kept = snapshot->sequence;
    tcsi_buffer_deinit(&file);
}

static void process_init(process *p, size_t thread_count)
{
    *p = (process){ .is_writing = true };
    for (size_t i = 0; i < PARTS; i++) tcsi_buffer_init(&p->parts[i], 1 << 26);
    const tcsi_live_options options = { .thread_count = thread_count, .series_count_max = 1000, .alarms_per_s = 0.01,
                                        .arrival = tcsi_arrival_limits_default(), .keep = on_keep, .self = p };
    assert_ok(tcsi_live_create(&options, &p->live, test_err));
}

static void load_snapshot(process *p)
{
    char path[512];
    tcsi_buffer file;
    path_of("snapshot", path);
    if (access(path, R_OK) != 0) return;
    tcsi_buffer_init(&file, 1 << 28);
    assert_ok(tcsi_file_read(path, &file, test_err));
    size_t at = sizeof p->kept, size;
    memcpy(&p->kept, file.data, sizeof p->kept);
    for (size_t i = 0; i < PARTS; i++) {
        memcpy(&size, file.data + at, sizeof size);
        tcsi_buffer_clear(&p->parts[i]);
        assert_ok(tcsi_buffer_append(&p->parts[i], file.data + at + sizeof size, size, test_err));
        at += sizeof size + size;
    }
    tcsi_buffer_deinit(&file);
    assert_ok(tcsi_live_load(p->live, p->parts, PARTS, test_err));
}

static tcsi_intake_options options_for(const process *p, const char *journal)
{
    return (tcsi_intake_options){ .folder = journal, .live = p->live, .sequence = p->kept, .ticks_a_snapshot = TICKS_A_SNAPSHOT };
}

static uint64_t process_open(process *p)
{
    char journal[512];
    uint64_t count;
    path_of("journal", journal);
    const tcsi_intake_options options = options_for(p, journal);
    assert_ok(tcsi_intake_open(&options, &p->intake, &count, test_err));
    return p->kept + count;
}

static void process_deinit(process *p)
{
    tcsi_intake_close(p->intake);
    tcsi_live_destroy(p->live);
    for (size_t i = 0; i < PARTS; i++) tcsi_buffer_deinit(&p->parts[i]);
}

/* The state as of now, into p->parts. */
static void save_now(process *p)
{
    tcsi_live_settle(p->live);
    p->is_writing = false;
    assert_ok(tcsi_live_save(p->live, test_err));
    tcsi_live_settle(p->live);
}

static void assert_same_state(const process *a, const process *b)
{
    for (size_t i = 0; i < PARTS; i++) {
        assert_int_equal(a->parts[i].size, b->parts[i].size);
        assert_memory_equal(a->parts[i].data, b->parts[i].data, a->parts[i].size);
    }
}

/* The journal from its beginning, by a process that was never there. */
static void replay(process *p)
{
    char journal[512];
    uint64_t count;
    process_init(p, 3);
    path_of("journal", journal);
    const tcsi_intake_options options = options_for(p, journal);
    assert_ok(tcsi_intake_replay(&options, 0, &count, test_err));
}

static void test_replay_is_what_was(void **state)
{
    (void)state;
    process live, again;
    process_init(&live, 2);
    assert_int_equal(process_open(&live), 0);
    for (size_t n = 0; n < 400; n++) {
        assert_int_equal(send_body(live.intake, n, (unsigned)(n % 3)), 204);
        assert_ok(tcsi_intake_tick(live.intake, START_NS + (int64_t)n * STEP_NS, test_err));
    }
    save_now(&live);
    replay(&again);
    save_now(&again);
    assert_same_state(&live, &again);
    assert_int_equal(tcsi_live_stat(live.live).series_count, 3 * SERIES);
    assert_int_equal(tcsi_live_stat(again.live).outcomes[TCSI_OUTCOME_ACCEPTED], 400 * SERIES);
    process_deinit(&live);
    process_deinit(&again);
}

static void test_what_cannot_be_read_is_not_kept(void **state)
{
    (void)state;
    process p;
    tcsi_buffer out;
    tcsi_intake_reply reply;
    const tcsi_ingest_facts other = { .route = TCSI_ROUTE_REMOTE_WRITE, .content_type = "text/html" };
    tcsi_buffer_init(&out, 1 << 16);
    process_init(&p, 1);
    (void)process_open(&p);
    tcsi_intake_take(p.intake, &facts, "no snappy", 9, START_NS, &out, &reply);
    assert_int_equal(reply.http.code, 400);
    assert_true(out.size > 5);
    tcsi_intake_take(p.intake, &other, "", 0, START_NS, &out, &reply);
    assert_int_equal(reply.http.code, 415);
    assert_int_equal(tcsi_journal_stat(tcsi_intake_journal(p.intake)).sequence_next, 1);
    assert_int_equal(tcsi_intake_stat(p.intake).refused_count, 2);
    process_deinit(&p);
    tcsi_buffer_deinit(&out);
}

/* ---- killed ---- */

typedef struct sender {
    pthread_t thread;
    tcsi_intake *intake;
    unsigned number;
    size_t begin;
    int told; /* where acknowledged requests are written */
} sender;

static void *send_for_ever(void *argument)
{
    sender *s = argument;
    for (size_t n = s->begin;; n++) {
        const uint64_t said[2] = { s->number, n };
        if (send_body(s->intake, n, s->number) != 204) _exit(3);
        if (write(s->told, said, sizeof said) != sizeof said) _exit(4);
        if (s->number == 0) {
            tcs_error failure;
            if (tcsi_intake_tick(s->intake, START_NS + (int64_t)n * STEP_NS, &failure) != TCS_OK) _exit(5);
        }
    }
    return NULL;
}

enum { SENDERS = 3 };

static void serve_until_killed(int told, const size_t *begins)
{
    process p;
    sender senders[SENDERS];
    process_init(&p, 2);
    load_snapshot(&p);
    (void)process_open(&p);
    for (unsigned i = 0; i < SENDERS; i++) {
        senders[i] = (sender){ .intake = p.intake, .number = i, .begin = begins[i], .told = told };
        if (pthread_create(&senders[i].thread, NULL, send_for_ever, &senders[i]) != 0) _exit(6);
    }
    for (;;) pause();
}

/* Killed again and again under load: every acknowledged row is there, none twice, and the state is that of a process that never was. */
static void test_killed_and_started_again(void **state)
{
    (void)state;
    const int life_count = test_is_small() ? 5 : 200;
    size_t next[SENDERS] = { 0 };
    process whole, last;
    tcsi_rng rng = tcsi_rng_make(3, 0);
    for (int life = 0; life < life_count; life++) {
        int ends[2], status;
        assert_int_equal(pipe(ends), 0);
        const pid_t child = fork();
        if (child == 0) {
            close(ends[0]);
            serve_until_killed(ends[1], next);
        }
        close(ends[1]);
        uint64_t said[2];
        if (life % 5 != 0) { /* one in five is killed wherever it is, the others some time after their first answer */
            assert_int_equal(read(ends[0], said, sizeof said), sizeof said);
            next[said[0]] = said[1] + 1;
        }
        nanosleep(&(struct timespec){ .tv_nsec = (long)tcsi_rng_range(&rng, 0, 8e6) }, NULL);
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        while (read(ends[0], said, sizeof said) == sizeof said) next[said[0]] = said[1] + 1;
        close(ends[0]);
    }
    replay(&whole);
    process_init(&last, 1);
    load_snapshot(&last);
    assert_true(last.kept > 0 || test_is_small());
    (void)process_open(&last);
    const tcsi_live_stats stats = tcsi_live_stat(whole.live);
    const uint64_t acknowledged = (next[0] + next[1] + next[2]) * SERIES;
    /* What was kept but not acknowledged is sent again and known as a duplicate. */
    assert_true(stats.outcomes[TCSI_OUTCOME_ACCEPTED] >= acknowledged);
    assert_true(stats.outcomes[TCSI_OUTCOME_ACCEPTED] <= acknowledged + SENDERS * SERIES);
    assert_true(stats.outcomes[TCSI_OUTCOME_DUPLICATE] <= (uint64_t)life_count * SENDERS * SERIES);
    assert_int_equal(stats.outcomes[TCSI_OUTCOME_TOO_OLD], 0);
    save_now(&whole);
    save_now(&last);
    assert_same_state(&whole, &last);
    print_message("# killed %d times: %llu rows acknowledged, %llu kept, %llu sent twice\n", life_count, (unsigned long long)acknowledged,
                  (unsigned long long)stats.outcomes[TCSI_OUTCOME_ACCEPTED], (unsigned long long)stats.outcomes[TCSI_OUTCOME_DUPLICATE]);
    process_deinit(&whole);
    process_deinit(&last);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, folder_make, folder_remove)

TCS_TEST_MAIN(CASE(test_replay_is_what_was), CASE(test_what_cannot_be_read_is_not_kept), CASE(test_killed_and_started_again))
