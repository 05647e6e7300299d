/* SPDX-License-Identifier: Apache-2.0 */
#include "folder.h"
#include "test.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/rng.h"
#include "store/journal_format.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>

static tcs_error said;

/* ---- what was delivered and lost ---- */
typedef struct listener {
    uint64_t delivered_count, lost_count, sequence_last, secured;
    uint64_t values[1 << 14]; /* the first 8 bytes of each record delivered, by sequence number */
} listener;

static uint64_t value_of(const tcsi_journal_record *record)
{
    uint64_t value = 0;
    if (record->size >= sizeof value) memcpy(&value, record->bytes, sizeof value);
    return value;
}

static void on_deliver(void *self, const tcsi_journal_record *record, void *context)
{
    listener *heard = self;
    assert_int_equal(record->sequence, heard->sequence_last + 1);
    assert_true(record->sequence < TCS_COUNT(heard->values));
    heard->sequence_last = record->sequence;
    heard->values[record->sequence] = value_of(record);
    heard->delivered_count++;
    if (context) *(int *)context = 1;
}

static void on_lose(void *self, void *context)
{
    ((listener *)self)->lost_count++;
    if (context) *(int *)context = -1;
}

/* While one user writes: all that was delivered. */
static void on_secure(void *self, uint64_t sequence, int64_t time_ns)
{
    listener *heard = self;
    (void)time_ns;
    assert_true(sequence >= heard->secured && sequence == heard->sequence_last);
    heard->secured = sequence;
}

static tcsi_journal_options options_for(listener *heard)
{
    return (tcsi_journal_options){ .deliver = on_deliver, .lose = on_lose, .self = heard };
}

static tcs_status put(tcsi_journal *journal, uint64_t value, size_t size, int *context)
{
    unsigned char bytes[4096] = { 0 };
    tcsi_journal_ticket ticket;
    memcpy(bytes, &value, sizeof value);
    for (size_t i = sizeof value; i < size; i++) bytes[i] = (unsigned char)(value + i);
    const tcs_status status = tcsi_journal_append(journal, 7, 1000 + (int64_t)value, bytes, size, context, &ticket, &said);
    return status == TCS_OK ? tcsi_journal_sync(journal, ticket, &said) : status;
}

/* Reads everything; the values by sequence number into ret_values.  The status of the last call; *ret_last: the last record's number. */
static tcs_status read_all(uint64_t first, uint64_t *ret_values, uint64_t *ret_last)
{
    tcsi_journal_cursor *cursor;
    tcsi_journal_record record;
    bool is_end = false;
    uint64_t expected = 0;
    int64_t time_ns = INT64_MIN;
    *ret_last = 0;
    tcs_status status = tcsi_journal_cursor_open(folder, first, &cursor, &said);
    if (status != TCS_OK) return status;
    while ((status = tcsi_journal_cursor_next(cursor, &record, &is_end, &said)) == TCS_OK && !is_end) {
        assert_true(record.sequence == expected || (expected == 0 && record.sequence >= first));
        assert_true(record.time_ns >= time_ns);
        for (size_t i = 8; i < record.size; i++)
            assert_int_equal(((const unsigned char *)record.bytes)[i], (unsigned char)(value_of(&record) + i));
        expected = record.sequence + 1;
        time_ns = record.time_ns;
        if (ret_values) ret_values[record.sequence] = value_of(&record);
        *ret_last = record.sequence;
    }
    tcsi_journal_cursor_close(cursor);
    return status;
}

static void test_what_was_synced_is_read_again(void **state)
{
    (void)state;
    static listener heard, again;
    static uint64_t values[64];
    uint64_t last;
    tcsi_journal *journal;
    tcsi_journal_options options = options_for(&heard);
    int fate = 0;
    heard = again = (listener){ 0 };
    assert_ok(tcsi_journal_open(folder, &options, &journal, test_err));
    for (uint64_t i = 1; i <= 20; i++) {
        fate = 0;
        assert_ok(put(journal, i, i == 3 ? 0 : 8 + i * 13 % 60, &fate));
        assert_int_equal(fate, 1);
    }
    assert_int_equal(tcsi_journal_stat(journal).sequence_next, 21);
    tcsi_journal_close(journal);
    options = options_for(&again);
    again.sequence_last = 20;
    assert_ok(tcsi_journal_open(folder, &options, &journal, test_err));
    assert_ok(put(journal, 21, 8, NULL));
    assert_int_equal(tcsi_journal_stat(journal).segment_count, 2);
    assert_ok(read_all(0, values, &last)); /* beside the writer */
    tcsi_journal_close(journal);
    assert_int_equal(last, 21);
    for (uint64_t i = 1; i <= 21; i++) assert_int_equal(values[i], i == 3 ? 0 : i);
    assert_ok(read_all(15, values, &last));
    assert_int_equal(last, 21);
}

/* A clock that goes back an hour. */
static void test_times_never_go_back(void **state)
{
    (void)state;
    static const int64_t given[] = { 100, 5, 101, INT64_MIN, 102 }, kept[] = { 100, 100, 101, 101, 102 };
    static listener heard;
    tcsi_journal *journal;
    tcsi_journal_cursor *cursor;
    tcsi_journal_record record;
    tcsi_journal_ticket ticket;
    bool is_end;
    const tcsi_journal_options options = options_for(&heard);
    heard = (listener){ 0 };
    for (size_t i = 0; i < TCS_COUNT(given); i++) { /* also over a restart */
        assert_ok(tcsi_journal_open(folder, &options, &journal, test_err));
        assert_ok(tcsi_journal_append(journal, 1, given[i], "", 0, NULL, &ticket, test_err));
        assert_ok(tcsi_journal_sync(journal, ticket, test_err));
        tcsi_journal_close(journal);
    }
    assert_ok(tcsi_journal_cursor_open(folder, 1, &cursor, test_err));
    for (size_t i = 0; i < TCS_COUNT(kept); i++) {
        assert_ok(tcsi_journal_cursor_next(cursor, &record, &is_end, test_err));
        assert_false(is_end);
        assert_int_equal(record.time_ns, kept[i]);
    }
    assert_ok(tcsi_journal_cursor_next(cursor, &record, &is_end, test_err));
    assert_true(is_end);
    tcsi_journal_cursor_close(cursor);
}

static void test_old_segments_are_forgotten(void **state)
{
    (void)state;
    static listener heard;
    uint64_t last;
    tcsi_journal *journal;
    tcsi_journal_options options = options_for(&heard);
    heard = (listener){ 0 };
    options.segment_size = 500;
    assert_ok(tcsi_journal_open(folder, &options, &journal, test_err));
    for (uint64_t i = 1; i <= 100; i++) assert_ok(put(journal, i, 100, NULL));
    tcsi_journal_stats stats = tcsi_journal_stat(journal);
    assert_true(stats.segment_count >= 25);
    assert_ok(tcsi_journal_forget(journal, 50, test_err));
    const tcsi_journal_stats fewer = tcsi_journal_stat(journal);
    assert_true(fewer.sequence_first > 40 && fewer.sequence_first <= 50 && fewer.segment_count < stats.segment_count);
    assert_ok(read_all(50, NULL, &last));
    assert_int_equal(last, 100);
    assert_ok(tcsi_journal_forget(journal, UINT64_MAX, test_err)); /* the last one is kept: the numbers go on */
    assert_int_equal(tcsi_journal_stat(journal).segment_count, 1);
    tcsi_journal_close(journal);
    assert_ok(tcsi_journal_open(folder, &options, &journal, test_err));
    assert_int_equal(tcsi_journal_stat(journal).sequence_next, 101);
    tcsi_journal_close(journal);
}

static void read_file(uint64_t segment, tcsi_buffer *bytes)
{
    char *path = tcsi_journal_segment_path(folder, segment);
    tcsi_buffer_init(bytes, 1 << 24);
    assert_ok(tcsi_file_read(path, bytes, test_err));
    tcsi_free(path);
}

static void write_file(uint64_t segment, const void *bytes, size_t size)
{
    char *path = tcsi_journal_segment_path(folder, segment);
    assert_ok(tcsi_file_write(path, bytes, size, test_err));
    tcsi_free(path);
}

/* Five records in one segment, cut at every byte: what is whole is there, and the journal goes on behind it. */
static void test_a_torn_end_is_cut_off(void **state)
{
    (void)state;
    static listener heard;
    uint64_t last;
    tcsi_buffer whole;
    tcsi_journal *journal;
    tcsi_journal_options options = options_for(&heard);
    heard = (listener){ 0 };
    assert_ok(tcsi_journal_open(folder, &options, &journal, test_err));
    for (uint64_t i = 1; i <= 5; i++) assert_ok(put(journal, i, 21, NULL));
    tcsi_journal_close(journal);
    read_file(1, &whole);
    const size_t record_size = TCSI_JOURNAL_RECORD_HEADER + 24;
    assert_int_equal(whole.size, TCSI_JOURNAL_SEGMENT_HEADER + 5 * record_size);
    for (size_t size = 0; size <= whole.size; size++) {
        size_t kept = 0;
        if (size >= TCSI_JOURNAL_SEGMENT_HEADER) kept = (size - TCSI_JOURNAL_SEGMENT_HEADER + 3) / record_size; /* 3 zeros may be missing */
        write_file(1, whole.data, size);
        assert_ok(read_all(0, NULL, &last));
        assert_int_equal(last, kept);
        heard = (listener){ .sequence_last = kept };
        assert_ok(tcsi_journal_open(folder, &options, &journal, test_err));
        assert_ok(put(journal, 77, 30, NULL));
        assert_ok(put(journal, 78, 30, NULL));
        tcsi_journal_close(journal);
        assert_ok(read_all(0, NULL, &last));
        assert_int_equal(last, kept + 2);
        char *path = tcsi_journal_segment_path(folder, kept + 1);
        assert_int_equal(unlink(path), 0);
        tcsi_free(path);
    }
    tcsi_buffer_deinit(&whole);
}

/* Every bit of a segment turned: the same records are read, or damage is named; only of the last record, which nothing proves to have
 * been acknowledged, may be nothing left. */
static void test_damage_is_named(void **state)
{
    (void)state;
    static listener heard;
    static uint64_t values[8];
    uint64_t last;
    tcsi_buffer whole;
    tcsi_journal *journal;
    tcsi_journal_options options = options_for(&heard);
    size_t named = 0, unproven = 0;
    heard = (listener){ 0 };
    assert_ok(tcsi_journal_open(folder, &options, &journal, test_err));
    for (uint64_t i = 1; i <= 5; i++) assert_ok(put(journal, i, 21, NULL));
    tcsi_journal_close(journal);
    read_file(1, &whole);
    for (size_t bit = 0; bit < 8 * whole.size; bit++) {
        whole.data[bit / 8] = (char)(whole.data[bit / 8] ^ 1 << bit % 8);
        write_file(1, whole.data, whole.size);
        memset(values, 0, sizeof values);
        const tcs_status status = read_all(0, values, &last);
        assert_true(status == TCS_OK || status == TCS_E_FORMAT);
        for (uint64_t i = 1; i <= last; i++) assert_int_equal(values[i], i);
        if (status == TCS_E_FORMAT) {
            assert_non_null(strstr(said.text, "00000000000000000001.journal, byte "));
            assert_int_equal(tcsi_journal_open(folder, &options, &journal, &said), TCS_E_FORMAT);
            named++;
        } else if (last < 5) {
            assert_int_equal(last, 4);
            unproven++;
        }
        whole.data[bit / 8] = (char)(whole.data[bit / 8] ^ 1 << bit % 8);
    }
    assert_int_equal(named, 8 * (TCSI_JOURNAL_SEGMENT_HEADER + 4 * (TCSI_JOURNAL_RECORD_HEADER + 21)));
    assert_int_equal(unproven, 8 * (TCSI_JOURNAL_RECORD_HEADER + 21));
    tcsi_buffer_deinit(&whole);
}

static void test_a_missing_segment_is_named(void **state)
{
    (void)state;
    static listener heard;
    uint64_t last, *firsts;
    size_t count;
    tcsi_journal *journal;
    tcsi_journal_options options = options_for(&heard);
    heard = (listener){ 0 };
    options.segment_size = 200;
    assert_ok(tcsi_journal_open(folder, &options, &journal, test_err));
    for (uint64_t i = 1; i <= 20; i++) assert_ok(put(journal, i, 100, NULL));
    tcsi_journal_close(journal);
    assert_ok(tcsi_journal_segments(folder, &firsts, &count, test_err));
    char *path = tcsi_journal_segment_path(folder, firsts[2]);
    unlink(path);
    assert_int_equal(read_all(0, NULL, &last), TCS_E_FORMAT);
    assert_int_equal(last, firsts[2] - 1);
    tcsi_free(path);
    tcsi_free(firsts);
}

/* ---- a disk that fails ---- */
typedef struct bad_disk {
    tcsi_rng rng;
    double failing;      /* the share of calls that fail */
    long sync_ns;        /* what a sync takes */
} bad_disk;

/* One writes while another syncs. */
static double draw(bad_disk *disk)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&mutex);
    const double drawn = tcsi_rng_uniform(&disk->rng);
    pthread_mutex_unlock(&mutex);
    return drawn;
}

static bool fails(bad_disk *disk)
{
    const bool is_failing = draw(disk) < disk->failing;
    if (is_failing) errno = draw(disk) < 0.5 ? ENOSPC : EIO;
    return is_failing;
}

static int bad_create(void *self, const char *path)
{
    return fails(self) ? -1 : tcsi_disk_posix.create(NULL, path);
}

static ssize_t bad_write(void *self, int file, const void *bytes, size_t size)
{
    bad_disk *disk = self;
    if (fails(disk)) return -1;
    if (draw(disk) < 0.3) size = 1 + (size_t)(draw(disk) * (double)size); /* fewer than asked, which is no failure */
    return tcsi_disk_posix.write(NULL, file, bytes, size);
}

static int bad_sync(void *self, int file)
{
    const long sync_ns = ((bad_disk *)self)->sync_ns;
    if (sync_ns) nanosleep(&(struct timespec){ .tv_nsec = sync_ns }, NULL);
    return fails(self) ? -1 : tcsi_disk_posix.sync(NULL, file);
}

static int bad_renew(void *self, const char *path, off_t offset)
{
    return fails(self) ? -1 : tcsi_disk_posix.renew(NULL, path, offset);
}

static int bad_sync_folder(void *self, const char *path)
{
    return fails(self) ? -1 : tcsi_disk_posix.sync_folder(NULL, path);
}

static int bad_remove(void *self, const char *path)
{
    return fails(self) ? -1 : tcsi_disk_posix.remove(NULL, path);
}

static void bad_close(void *self, int file)
{
    (void)self;
    tcsi_disk_posix.close(NULL, file);
}

/* Restarts, failures of every operation, and crashes that lose what was not synced: what was acknowledged is there, in the order in which
 * it was delivered. */
static void test_a_failing_disk_loses_nothing_acknowledged(void **state)
{
    (void)state;
    static listener heard;
    static uint64_t values[1 << 14];
    size_t failure_count = 0, crash_count = 0, refused_count = 0;
    const int run_count = test_is_small() ? 20 : 200;
    for (int run = 0; run < run_count; run++) {
        bad_disk bad = { .rng = tcsi_rng_make((uint64_t)run, 1), .failing = 0.02 + 0.1 * (run % 3) };
        const tcsi_disk disk = { bad_create, bad_write, bad_sync, bad_sync_folder, bad_remove, bad_close, bad_renew, &bad };
        tcsi_journal_options options = options_for(&heard);
        uint64_t value = 0, last;
        options.disk = &disk;
        options.secure = on_secure;
        options.segment_size = 1000;
        heard = (listener){ 0 };
        for (int life = 0; life < 4; life++) {
            tcsi_journal *journal;
            tcs_error refused = { 0 };
            tcs_status opened = TCS_E_IO;
            for (int i = 0; i < 100 && opened == TCS_E_IO; i++) opened = tcsi_journal_open(folder, &options, &journal, &refused);
            assert_int_equal(opened, TCS_OK); /* what it finds it writes once more, which may fail */
            heard.sequence_last = tcsi_journal_stat(journal).sequence_next - 1;
            for (int i = 0; i < 30; i++) {
                const uint64_t before = heard.delivered_count;
                int fate = 0;
                const tcs_status status = put(journal, ++value, 8 + tcsi_rng_below(&bad.rng, 200), &fate);
                assert_true(status == TCS_OK ? fate == 1 : status == TCS_E_IO && fate != 0);
                assert_int_equal(heard.delivered_count, before + (fate == 1));
                refused_count += status != TCS_OK && fate == 1;
                if (status != TCS_OK) continue;
                assert_int_equal(heard.secured, heard.sequence_last); /* those refused before it, too */
                assert_int_equal(tcsi_journal_stat(journal).sequence_next, heard.sequence_last + 1);
            }
            failure_count += tcsi_journal_stat(journal).failure_count;
            const uint64_t durable = tcsi_journal_stat(journal).sequence_next - 1;
            tcsi_journal_close(journal);
            assert_ok(read_all(0, values, &last));
            assert_true(last >= durable); /* a record whose sync failed may have reached the disk */
            for (uint64_t i = 1; i <= durable; i++) assert_int_equal(values[i], heard.values[i]);
            for (uint64_t i = durable + 1; i <= last && i <= heard.sequence_last; i++) assert_int_equal(values[i], heard.values[i]);
            for (uint64_t i = durable + 1; i <= last; i++) heard.values[i] = values[i]; /* and is then as good as any other */
            crash_count++;
        }
        assert_int_equal(folder_remove(NULL), 0);
        assert_int_equal(folder_make(NULL), 0);
    }
    assert_true(failure_count > (size_t)run_count && crash_count && refused_count);
}

/* ---- many threads ---- */
typedef struct writer {
    pthread_t thread;
    tcsi_journal *journal;
    uint64_t base;
    size_t count, failed;
} writer;

static void *write_records(void *argument)
{
    writer *self = argument;
    for (uint64_t i = 0; i < self->count; i++) {
        unsigned char bytes[64] = { 0 };
        const uint64_t value = self->base + i;
        tcsi_journal_ticket ticket;
        memcpy(bytes, &value, sizeof value);
        for (size_t k = 8; k < sizeof bytes; k++) bytes[k] = (unsigned char)(value + k);
        tcs_error failure;
        if (tcsi_journal_append(self->journal, 1, (int64_t)i, bytes, sizeof bytes, NULL, &ticket, &failure) != TCS_OK ||
            tcsi_journal_sync(self->journal, ticket, &failure) != TCS_OK)
            self->failed++;
    }
    return NULL;
}

static void test_threads_share_one_sync(void **state)
{
    (void)state;
    static listener heard;
    static uint64_t values[1 << 14];
    enum { THREADS = 8, RECORDS = 200 };
    writer writers[THREADS];
    uint64_t last, next[THREADS] = { 0 };
    bad_disk bad = { .rng = tcsi_rng_make(5, 1), .sync_ns = 100000 };
    tcsi_journal_options options = options_for(&heard);
    heard = (listener){ 0 };
    for (int round = 0; round < 2; round++) { /* a sound disk, then one that fails */
        const tcsi_disk disk = { bad_create, bad_write, bad_sync, bad_sync_folder, bad_remove, bad_close, bad_renew, &bad };
        size_t failed = 0;
        tcsi_journal *journal;
        options.disk = &disk;
        bad.failing = 0; /* it is there to be opened */
        assert_ok(tcsi_journal_open(folder, &options, &journal, test_err));
        bad.failing = 0.05 * round;
        heard.sequence_last = tcsi_journal_stat(journal).sequence_next - 1;
        const uint64_t begin = heard.sequence_last + 1;
        for (size_t i = 0; i < THREADS; i++) {
            writers[i] = (writer){ .journal = journal, .base = (i + 1) << 32, .count = RECORDS };
            assert_int_equal(pthread_create(&writers[i].thread, NULL, write_records, &writers[i]), 0);
        }
        for (size_t i = 0; i < THREADS; i++) {
            pthread_join(writers[i].thread, NULL);
            failed += writers[i].failed;
        }
        const tcsi_journal_stats stats = tcsi_journal_stat(journal);
        tcsi_journal_close(journal);
        assert_true(round ? failed > 0 && heard.lost_count > 0 : failed == 0 && heard.lost_count == 0);
        assert_true(stats.sequence_next - begin + failed >= THREADS * RECORDS);
        assert_true(round || stats.sync_count < THREADS * RECORDS);
        assert_ok(read_all(begin, values, &last));
        memset(next, 0, sizeof next);
        for (uint64_t i = begin; i < stats.sequence_next; i++) { /* as delivered; each thread's in its order */
            const size_t who = (size_t)(values[i] >> 32) - 1;
            assert_int_equal(values[i], heard.values[i]);
            assert_true((values[i] & 0xffffffff) >= next[who]);
            next[who] = (values[i] & 0xffffffff) + 1;
        }
    }
}

/* ---- two stages ---- */
typedef struct overlap {
    _Atomic int delivered_count, sync_count, secured;
    bool fails; /* the first sync */
} overlap;

static void overlap_deliver(void *self, const tcsi_journal_record *record, void *context)
{
    (void)record, (void)context;
    ((overlap *)self)->delivered_count++;
}

static void overlap_secure(void *self, uint64_t sequence, int64_t time_ns)
{
    assert_int_equal(time_ns, 1000 + (int64_t)sequence);
    ((overlap *)self)->secured = (int)sequence;
}

/* The first one lasts until a second record was delivered. */
static int overlap_sync(void *self, int file)
{
    overlap *o = self;
    const bool is_first = o->sync_count++ == 0;
    for (int ms = 0; is_first && o->delivered_count < 2 && ms < 20000; ms++) nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
    if (is_first) assert_int_equal(o->delivered_count, 2);
    if (is_first) assert_int_equal(o->secured, 0);
    if (is_first && o->fails) errno = EIO;
    return is_first && o->fails ? -1 : tcsi_disk_posix.sync(NULL, file);
}

typedef struct putter {
    tcsi_journal *journal;
    uint64_t value;
    tcs_status status;
} putter;

static void *put_one(void *argument)
{
    putter *p = argument;
    p->status = put(p->journal, p->value, 100, NULL);
    return NULL;
}

/* A record is delivered while the one before it is on its way to the disk; and should that fail, both are written once more. */
static void test_writing_goes_on_beside_a_sync(void **state)
{
    (void)state;
    for (int fails = 0; fails < 2; fails++) {
        overlap o = { .fails = fails };
        tcsi_disk disk = tcsi_disk_posix;
        disk.self = &o;
        disk.sync = overlap_sync;
        const tcsi_journal_options options = { .deliver = overlap_deliver, .secure = overlap_secure, .self = &o, .disk = &disk };
        tcsi_journal *journal;
        uint64_t values[8], last;
        pthread_t threads[2];
        assert_ok(tcsi_journal_open(folder, &options, &journal, test_err));
        putter putters[2] = { { journal, 1, TCS_OK }, { journal, 2, TCS_OK } };
        for (int i = 0; i < 2; i++) {
            assert_int_equal(pthread_create(&threads[i], NULL, put_one, &putters[i]), 0);
            for (int ms = 0; o.delivered_count <= i && ms < 20000; ms++) nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
        }
        for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
        assert_int_equal(putters[0].status, fails ? TCS_E_IO : TCS_OK);
        assert_int_equal(o.delivered_count, 2); /* each once */
        if (fails) assert_int_equal(tcsi_journal_stat(journal).failure_count, 1);
        assert_ok(put(journal, 3, 100, NULL));
        assert_int_equal(o.secured, 3);
        assert_int_equal(tcsi_journal_stat(journal).segment_count, 1);
        tcsi_journal_close(journal);
        assert_ok(read_all(0, values, &last));
        assert_int_equal(last, 3);
        for (uint64_t i = 1; i <= last; i++) assert_int_equal(values[i], i);
        assert_int_equal(folder_remove(NULL), 0);
        assert_int_equal(folder_make(NULL), 0);
    }
}

/* A process that is killed while it writes: what it was told is durable is there. */
static void test_kill(void **state)
{
    (void)state;
    static listener heard;
    static uint64_t values[1 << 14];
    uint64_t acknowledged = 0, last;
    const int life_count = test_is_small() ? 5 : 50;
    for (int life = 0; life < life_count; life++) {
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        const pid_t child = fork();
        if (child == 0) {
            tcsi_journal *journal;
            tcsi_journal_options options = options_for(&heard);
            bad_disk slow = { .rng = tcsi_rng_make(6, 1), .sync_ns = 50000 };
            const tcsi_disk disk = { bad_create, bad_write, bad_sync, bad_sync_folder, bad_remove, bad_close, bad_renew, &slow };
            options.segment_size = 4000;
            options.disk = &disk;
            if (tcsi_journal_open(folder, &options, &journal, &said) != TCS_OK) _exit(1);
            heard.sequence_last = tcsi_journal_stat(journal).sequence_next - 1;
            for (;;) {
                const uint64_t value = heard.sequence_last + 1;
                if (put(journal, value, 100, NULL) != TCS_OK || write(ends[1], &value, sizeof value) != sizeof value) _exit(1);
            }
        }
        close(ends[1]);
        nanosleep(&(struct timespec){ .tv_nsec = 1000000 + 400000 * life }, NULL);
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, NULL, 0), child);
        for (uint64_t value; read(ends[0], &value, sizeof value) == sizeof value;) acknowledged = value;
        close(ends[0]);
        assert_ok(read_all(0, values, &last));
        if (last < acknowledged || last > acknowledged + 1)
            fail_msg("killed %d times: record %llu was acknowledged, %llu is the last one", life + 1, (unsigned long long)acknowledged,
                     (unsigned long long)last);
        acknowledged = last; /* the reader knows more than the dead writer could say */
        for (uint64_t i = 1; i <= last; i++) assert_int_equal(values[i], i);
    }
    assert_true(acknowledged > (test_is_small() ? 5 : 100));
}

static void test_one_process_at_a_time(void **state)
{
    (void)state;
    static listener heard;
    tcsi_journal *journal;
    const tcsi_journal_options options = options_for(&heard);
    int status;
    assert_ok(tcsi_journal_open(folder, &options, &journal, test_err));
    const pid_t child = fork();
    if (child == 0) {
        tcsi_journal *other;
        char expected[64];
        snprintf(expected, sizeof expected, ": in use by process %ld", (long)getppid());
        const bool is_refused = tcsi_journal_open(folder, &options, &other, &said) == TCS_E_IO && strstr(said.text, expected);
        _exit(is_refused ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    tcsi_journal_close(journal);
}

static void test_limits(void **state)
{
    (void)state;
    static listener heard;
    tcsi_journal *journal;
    tcsi_journal_ticket ticket;
    tcsi_journal_options options = options_for(&heard);
    heard = (listener){ 0 };
    options.pending_size_max = 1000;
    unsigned char bytes[600] = { 0 };
    assert_ok(tcsi_journal_open(folder, &options, &journal, test_err));
    assert_ok(tcsi_journal_append(journal, 1, 1, bytes, sizeof bytes, NULL, &ticket, test_err));
    assert_int_equal(tcsi_journal_append(journal, 1, 2, bytes, sizeof bytes, NULL, &ticket, &said), TCS_E_LIMIT);
    assert_int_equal(tcsi_journal_append(journal, 1, 2, bytes, (size_t)TCSI_JOURNAL_RECORD_MAX + 1, NULL, &ticket, &said), TCS_E_LIMIT);
    assert_ok(tcsi_journal_sync(journal, ticket, test_err));
    assert_ok(tcsi_journal_append(journal, 1, 2, bytes, sizeof bytes, NULL, &ticket, test_err));
    tcsi_journal_close(journal); /* never synced: lost, and said so */
    assert_int_equal(heard.delivered_count, 1);
    assert_int_equal(heard.lost_count, 1);
    assert_int_equal(tcsi_journal_open("/proc/no/such/folder", &options, &journal, &said), TCS_E_IO);
}

static void test_failing_allocations(void **state)
{
    (void)state;
    static listener heard;
    bool done = false;
    for (size_t nth = 1; !done; nth++) {
        tcsi_journal *journal = NULL;
        const tcsi_journal_options options = options_for(&heard);
        uint64_t last;
        tcsi_alloc_trace_begin();
        tcsi_alloc_trace_fail_at(nth);
        heard = (listener){ 0 };
        tcs_status status = tcsi_journal_open(folder, &options, &journal, &said);
        if (status == TCS_OK) heard.sequence_last = tcsi_journal_stat(journal).sequence_next - 1;
        for (uint64_t i = 0; status == TCS_OK && i < 3; i++) status = put(journal, i, 50, NULL);
        if (status == TCS_OK) status = tcsi_journal_forget(journal, 2, &said);
        tcsi_journal_close(journal);
        if (status == TCS_OK) status = read_all(0, NULL, &last);
        assert_true(status == TCS_OK || status == TCS_E_MEMORY);
        done = status == TCS_OK;
        tcsi_alloc_trace_fail_at(0);
        assert_int_equal(tcsi_alloc_trace_stats().live_count, 0);
        tcsi_alloc_trace_end();
        assert_int_equal(folder_remove(NULL), 0);
        assert_int_equal(folder_make(NULL), 0);
    }
}

/* ---- a log in place of the folder ---- */
typedef struct kept_log {
    tcsi_buffer bytes;
    uint64_t last, forgotten;
    int failing; /* writes until one fails; 0: none */
} kept_log;

static tcs_status log_write(void *self, uint64_t first, uint64_t last, const void *bytes, size_t size, tcs_error *err)
{
    kept_log *log = self;
    if (log->failing && --log->failing == 0) return tcsi_fail(err, TCS_E_CANCELLED, "somebody else has written");
    assert_int_equal(first, log->last + 1);
    log->last = last;
    return tcsi_buffer_append(&log->bytes, bytes, size, err);
}

static void log_forget(void *self, uint64_t sequence)
{
    ((kept_log *)self)->forgotten = sequence;
}

static void test_a_log_in_place_of_the_folder(void **state)
{
    (void)state;
    static listener heard;
    kept_log kept = { .last = 10 };
    const tcsi_journal_log log = { log_write, log_forget, &kept };
    tcsi_journal_options options = options_for(&heard);
    tcsi_journal *journal;
    tcsi_journal_ticket ticket;
    tcs_error why;
    int fate = 0;
    options.log = &log;
    heard.sequence_last = 10;
    tcsi_buffer_init(&kept.bytes, 1 << 20);
    assert_int_equal(tcsi_journal_open(NULL, &options, &journal, &said), TCS_OK);
    assert_int_equal(put(journal, 1, 8, NULL), TCS_E_CANCELLED); /* it does not know yet where it goes on */
    tcsi_journal_lead(journal, 10, 1000);
    for (uint64_t i = 11; i <= 14; i++) assert_int_equal(put(journal, i, 8 + i, &fate), TCS_OK);
    assert_true(fate == 1 && kept.last == 14 && heard.sequence_last == 14 && tcsi_journal_stat(journal).sequence_next == 15);
    assert_int_equal(tcsi_journal_forget(journal, 12, &said), TCS_OK);
    assert_int_equal(kept.forgotten, 12);
    /* What waits when it is held is lost, and so is what comes then, each for the reason given. */
    assert_int_equal(tcsi_journal_append(journal, 7, 2000, "12345678", 8, &fate, &ticket, &said), TCS_OK);
    (void)tcsi_fail(&why, TCS_E_CANCELLED, "another leads");
    tcsi_journal_hold(journal, &why);
    assert_int_equal(fate, -1);
    assert_int_equal(tcsi_journal_sync(journal, ticket, &said), TCS_E_CANCELLED);
    assert_string_equal(said.text, "another leads");
    assert_int_equal(put(journal, 15, 8, NULL), TCS_E_CANCELLED);
    assert_string_equal(said.text, "another leads");
    /* Others have written up to 20; one write then fails, and with it what waits. */
    heard.sequence_last = kept.last = 20;
    tcsi_journal_lead(journal, 20, 3000);
    kept.failing = 1;
    assert_int_equal(put(journal, 21, 8, &fate), TCS_E_CANCELLED);
    assert_true(fate == -1 && heard.sequence_last == 20);
    assert_int_equal(put(journal, 21, 8, &fate), TCS_OK);
    tcsi_journal_close(journal);
    /* What was written reads as what was put. */
    size_t offset = 0;
    for (uint64_t i = 11; i <= 14; i++) {
        tcsi_journal_record record;
        assert_int_equal(tcsi_journal_batch_next(kept.bytes.data, kept.bytes.size, &offset, &record, &said), TCS_OK);
        assert_true(record.sequence == i && value_of(&record) == i && record.size == 8 + i);
    }
    tcsi_journal_record record;
    for (size_t cut = offset + 1; cut < kept.bytes.size; cut++) { /* nothing beyond the bytes is looked at */
        size_t at = offset;
        char *exact = tcsi_alloc(cut);
        memcpy(exact, kept.bytes.data, cut);
        assert_int_equal(tcsi_journal_batch_next(exact, cut, &at, &record, &said), TCS_E_FORMAT);
        tcsi_free(exact);
    }
    kept.bytes.data[offset + 3]++;
    assert_int_equal(tcsi_journal_batch_next(kept.bytes.data, kept.bytes.size, &offset, &record, &said), TCS_E_FORMAT);
    tcsi_buffer_deinit(&kept.bytes);
}

/* ---- copies ---- */

/* Reads everything of `copied`; the folder of the test is put back. */
static tcs_status read_copy(const char *copied, uint64_t *ret_last)
{
    char own[sizeof folder];
    snprintf(own, sizeof own, "%s", folder);
    snprintf(folder, sizeof folder, "%s", copied);
    const tcs_status status = read_all(0, NULL, ret_last);
    snprintf(folder, sizeof folder, "%s", own);
    return status;
}

static void test_a_copy_goes_on_where_the_journal_was(void **state)
{
    (void)state;
    static listener heard;
    char copied[80], line[200];
    uint64_t next = 0, last;
    tcsi_journal *journal, *copy;
    tcsi_journal_options options = options_for(&heard);
    options.segment_size = 400;
    heard = (listener){ 0 };
    snprintf(copied, sizeof copied, "%s-copy", folder);
    assert_int_equal(tcsi_journal_open(folder, &options, &journal, &said), TCS_OK);
    for (uint64_t i = 0; i < 20; i++) assert_int_equal(put(journal, i, 8 + i, NULL), TCS_OK);
    /* beside the writer, with half a record behind the end as a writer in the middle of its work leaves it */
    snprintf(line, sizeof line, "f=$(ls %s/*.journal | tail -1) && head -c 60 $f | tail -c 36 >> $f", folder);
    assert_int_equal(system(line), 0);
    assert_int_equal(tcsi_journal_copy(folder, 7, copied, &next, &said), TCS_OK);
    assert_int_equal(next, 21);
    assert_int_equal(read_copy(copied, &last), TCS_OK);
    assert_int_equal(last, 20);
    assert_int_equal(tcsi_journal_copy(folder, 7, copied, &next, &said), TCS_E_INVALID); /* it replaces nothing */
    tcsi_journal_close(journal);
    heard = (listener){ .sequence_last = 20 };
    assert_int_equal(tcsi_journal_open(copied, &options, &copy, &said), TCS_OK);
    assert_int_equal(tcsi_journal_stat(copy).sequence_first, 7);
    assert_int_equal(put(copy, 99, 8, NULL), TCS_OK);
    tcsi_journal_close(copy);
    assert_int_equal(read_copy(copied, &last), TCS_OK);
    assert_int_equal(last, 21);
    assert_int_equal(tcsi_journal_remove(copied, &said), TCS_OK);
    /* from nothing: where it will begin is all that it says */
    assert_int_equal(tcsi_journal_copy(NULL, 43, copied, &next, &said), TCS_OK);
    heard = (listener){ .sequence_last = 42 };
    assert_int_equal(tcsi_journal_open(copied, &options, &copy, &said), TCS_OK);
    assert_int_equal(put(copy, 1, 8, NULL), TCS_OK); /* on_deliver asserts its number */
    tcsi_journal_close(copy);
    assert_int_equal(tcsi_journal_remove(copied, &said), TCS_OK);
    /* what is gone cannot be copied */
    assert_int_equal(tcsi_journal_open(folder, &options, &journal, &said), TCS_OK);
    assert_int_equal(tcsi_journal_forget(journal, 15, &said), TCS_OK);
    tcsi_journal_close(journal);
    assert_int_equal(tcsi_journal_copy(folder, 2, copied, &next, &said), TCS_E_FORMAT);
    assert_non_null(strstr(said.text, "records 2 to "));
    snprintf(line, sizeof line, "rm -r %s", copied);
    assert_int_equal(system(line), 0);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, folder_make, folder_remove)

TCS_TEST_MAIN(CASE(test_what_was_synced_is_read_again), CASE(test_times_never_go_back), CASE(test_old_segments_are_forgotten),
              CASE(test_a_torn_end_is_cut_off), CASE(test_damage_is_named), CASE(test_a_missing_segment_is_named),
              CASE(test_a_failing_disk_loses_nothing_acknowledged), CASE(test_threads_share_one_sync),
              CASE(test_writing_goes_on_beside_a_sync), CASE(test_kill),
              CASE(test_one_process_at_a_time), CASE(test_limits), CASE(test_a_log_in_place_of_the_folder), CASE(test_failing_allocations),
              CASE(test_a_copy_goes_on_where_the_journal_was))
