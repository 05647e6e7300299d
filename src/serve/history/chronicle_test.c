/* SPDX-License-Identifier: Apache-2.0 */
#include "folder.h"
#include "test.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/rng.h"
#include "serve/history/roll.h"
#include "serve/ingest/ingest.h"
#include "store/store.h"

#include <signal.h>
#include <time.h>

enum { SERIES = 20, PARTS = 1 + TCSI_CELL_COUNT, REEL_ROWS = 40, TEXT_MAX = 1 << 20, ROWS_MAX = 20000 };
static const int64_t SECOND_NS = INT64_C(1000000000), START_NS = INT64_C(1700000000000000000), FOR_EVER_NS = INT64_C(1500000000000000000);

/* ---- a service's middle: live series, their history, and snapshots in a file ---- */

typedef struct process {
    char store[512], snapshot[512];
    tcsi_chronicle *history;
    tcsi_live *live;
    uint64_t sequence;  /* of the snapshot */
    size_t failed_count;
} process;

static void on_keep(void *self, const tcsi_live_snapshot *snapshot)
{
    process *p = self;
    tcsi_buffer file;
    tcs_error failure;
    if (tcsi_chronicle_settle(p->history, &failure) != TCS_OK) { /* as the keeper does: no such snapshot, then */
        p->failed_count++;
        return;
    }
    tcsi_buffer_init(&file, 1 << 28);
    assert_ok(tcsi_buffer_append(&file, &snapshot->sequence, sizeof snapshot->sequence, test_err));
    for (size_t i = 0; i < PARTS; i++) {
        assert_ok(tcsi_buffer_append(&file, &snapshot->parts[i].size, sizeof snapshot->parts[i].size, test_err));
        assert_ok(tcsi_buffer_append(&file, snapshot->parts[i].data, snapshot->parts[i].size, test_err));
    }
    assert_ok(tcsi_file_write(p->snapshot, file.data, file.size, test_err));
    tcsi_buffer_deinit(&file);
}

static void load_snapshot(process *p)
{
    tcsi_buffer file, parts[PARTS];
    if (access(p->snapshot, R_OK) != 0) return;
    tcsi_buffer_init(&file, 1 << 28);
    assert_ok(tcsi_file_read(p->snapshot, &file, test_err));
    memcpy(&p->sequence, file.data, sizeof p->sequence);
    size_t at = sizeof p->sequence, size;
    for (size_t i = 0; i < PARTS; i++) {
        memcpy(&size, file.data + at, sizeof size);
        tcsi_buffer_init(&parts[i], 1 << 28);
        assert_ok(tcsi_buffer_append(&parts[i], file.data + at + sizeof size, size, test_err));
        at += sizeof size + size;
    }
    assert_ok(tcsi_live_load(p->live, parts, PARTS, test_err));
    for (size_t i = 0; i < PARTS; i++) tcsi_buffer_deinit(&parts[i]);
    tcsi_buffer_deinit(&file);
}

static void process_begin(process *p, const char *name, size_t thread_count, int64_t retention_ns)
{
    char file[64];
    tcsi_store *store;
    *p = (process){ .sequence = 0 };
    snprintf(file, sizeof file, "%s.db", name);
    path_of(file, p->store);
    snprintf(file, sizeof file, "%s.snapshot", name);
    path_of(file, p->snapshot);
    assert_ok(tcsi_store_open(p->store, NULL, &store, test_err));
    tcsi_store_close(store);
    const tcsi_chronicle_options options = { .store = p->store, .rows_per_s = 1e6, .retention_ns = retention_ns, .reel_rows = REEL_ROWS };
    assert_ok(tcsi_chronicle_create(&options, &p->history, test_err));
    const tcsi_live_options live = { .thread_count = thread_count, .series_count_max = 1000, .alarms_per_s = 0.01, .keep = on_keep,
                                     .self = p, .arrival = tcsi_arrival_limits_default(), .reel = tcsi_chronicle_reel_options(p->history) };
    assert_ok(tcsi_live_create(&live, &p->live, test_err));
    assert_ok(tcsi_chronicle_start(p->history, p->live, test_err));
    load_snapshot(p);
}

static void process_end(process *p)
{
    tcsi_live_settle(p->live);
    tcsi_chronicle_stop(p->history);
    tcsi_live_destroy(p->live);
    tcsi_chronicle_destroy(p->history);
}

static double value_at(unsigned series, size_t n)
{
    tcsi_rng rng = tcsi_rng_make(series + 1, n);
    return rint(100 * (10.0 * series + tcsi_rng_normal(&rng))) / 100;
}

static int64_t time_at(int64_t start_ns, size_t n) { return start_ns + (int64_t)n * SECOND_NS; }

/* Record n, from 1 on: rows of all series and then a tick.  A function of n, as the journal's are. */
static void apply(process *p, int64_t start_ns, size_t n)
{
    static const tcsi_ingest_facts facts = { .route = TCSI_ROUTE_NDJSON, .content_type = "application/x-ndjson" };
    tcsi_ingest_format format;
    tcsi_batch batch;
    tcsi_buffer text;
    const int64_t time_ns = time_at(start_ns, n);
    tcsi_buffer_init(&text, TEXT_MAX);
    for (unsigned s = 0; s < SERIES; s++)
        assert_ok(tcsi_buffer_printf(&text, test_err, "{\"series\":\"m{unit=\\\"%u\\\"}\",\"time\":%lld,\"value\":%.2f}\n", s,
                                     (long long)(time_ns / SECOND_NS), value_at(s, n)));
    tcsi_batch_init(&batch, NULL);
    assert_ok(tcsi_ingest_choose(&facts, &format, test_err));
    assert_ok(tcsi_ingest_decode(format, text.data, text.size, time_ns, &batch, test_err));
    assert_int_equal(batch.sample_count, SERIES);
    assert_ok(tcsi_live_admit(p->live, batch.sample_count, test_err));
    assert_ok(tcsi_live_apply(p->live, 2 * n - 1, time_ns, &batch, test_err));
    assert_ok(tcsi_live_tick(p->live, 2 * n, time_ns, test_err));
    tcsi_batch_deinit(&batch);
    tcsi_buffer_deinit(&text);
}

/* ---- what comes out ---- */

typedef struct read_rows {
    tcsi_chronicle_row rows[ROWS_MAX];
    size_t count;
} read_rows;

static bool read_row(void *context, const tcsi_chronicle_row *row)
{
    read_rows *r = context;
    assert_true(r->count < ROWS_MAX);
    r->rows[r->count++] = *row;
    return true;
}

static unsigned unit_of(const process *p, uint32_t number)
{
    const tcsi_directory_entry *entry = tcsi_directory_entry_of(tcsi_live_directory(p->live), number);
    tcsi_key key;
    assert_ok(tcsi_key_decode(entry->key, entry->key_size, &key, test_err));
    char text[16];
    const tcsi_tag *unit = tcsi_key_get(&key, "unit");
    snprintf(text, sizeof text, "%.*s", (int)unit->value_size, unit->value); /* nothing ends it where it stands */
    return (unsigned)strtoul(text, NULL, 10);
}

/* Every row of n records, with what a chart of its own says of it. */
static void assert_everything(process *p, int64_t start_ns, size_t n)
{
    static read_rows r;
    for (uint32_t number = 0; number < SERIES; number++) {
        tcsi_residual_chart chart = { 0 };
        const unsigned unit = unit_of(p, number);
        r.count = 0;
        assert_ok(tcsi_chronicle_read(p->history, number, INT64_MIN, INT64_MAX, 0, read_row, &r, test_err));
        assert_int_equal(r.count, n);
        for (size_t i = 0; i < n; i++) {
            const tcsi_chronicle_row *row = &r.rows[i];
            double expected, deviation;
            tcsi_residual_chart_expect(&chart, &expected, &deviation);
            const double value = value_at(unit, i + 1), score = tcsi_residual_chart_push(&chart, &tcsi_residual_chart_defaults, value);
            assert_true(row->time_ns == time_at(start_ns, i + 1) && row->value == value && isnan(row->score) == isnan(score));
            if (isnan(score)) continue;
            assert_near(score, row->score, TCSI_REEL_PRECISION);
            assert_true(fabs(row->expected - expected) <= fabs(value - expected) * TCSI_REEL_PRECISION + 1e-12);
            assert_true(fabs(row->deviation - deviation) <= deviation * TCSI_REEL_PRECISION);
        }
    }
    r.count = 0; /* a part of it: both ends belong to it */
    assert_ok(tcsi_chronicle_read(p->history, 0, time_at(start_ns, 10), time_at(start_ns, n - 3), 0, read_row, &r, test_err));
    assert_true(r.count == n - 12 && r.rows[0].time_ns == time_at(start_ns, 10) && r.rows[r.count - 1].time_ns == time_at(start_ns, n - 3));
}

typedef struct seal {
    uint64_t sum, count;
} seal;

static bool seal_block(void *context, const tcsi_store_block *block)
{
    seal *s = context;
    s->sum = tcsi_seal(s->sum, &block->first_ns, sizeof block->first_ns);
    s->sum = tcsi_seal(s->sum, block->bytes, block->size);
    s->count++;
    return true;
}

/* Of every block of every series; ids depend on which cell's reel came first, and are not in it. */
static seal seal_store(const char *path)
{
    const tcsi_store_options as_is = { .must_exist = true };
    tcsi_store *store;
    seal sum = { 0 };
    assert_ok(tcsi_store_open(path, &as_is, &store, test_err));
    for (int64_t id = 1; id <= SERIES; id++) {
        seal s = { TCSI_SEAL_BEGIN, 0 };
        assert_ok(tcsi_store_block_list(store, id, TCSI_CHRONICLE_BLOCKS, INT64_MIN, INT64_MAX, seal_block, &s, test_err));
        sum.sum += s.sum;
        sum.count += s.count;
    }
    tcsi_store_close(store);
    return sum;
}

static void test_what_comes_out_is_what_went_in(void **state)
{
    (void)state;
    process p;
    process_begin(&p, "one", 3, FOR_EVER_NS);
    for (size_t n = 1; n <= 500; n++) {
        apply(&p, START_NS, n);
        if (n % 100 == 57) assert_everything(&p, START_NS, n); /* while it goes on: in the store, on the way there, and on the reels */
    }
    assert_ok(tcsi_chronicle_settle(p.history, test_err));
    const tcsi_chronicle_stats stats = tcsi_chronicle_stat(p.history);
    assert_true(stats.kept_count > 400 * SERIES && stats.block_count > 0 && stats.dropped_count == 0);
    process_end(&p);
}

/* ---- killed ---- */

static void run_child(size_t last)
{
    process p;
    process_begin(&p, "killed", 2, FOR_EVER_NS);
    for (size_t n = p.sequence / 2 + 1; n <= last; n++) {
        apply(&p, START_NS, n);
        nanosleep(&(struct timespec){ 0, 200000 }, NULL); /* slow enough to be hit */
        if (n % 50 == 0) assert_ok(tcsi_live_save(p.live, test_err));
        if (n % 10 == 0) tcsi_live_settle(p.live);
    }
    assert_ok(tcsi_live_save(p.live, test_err));
    process_end(&p);
    _exit(0);
}

/* Killed again and again it ends with the rows, and with the very blocks, of a run that never was. */
static void test_killed_and_started_again(void **state)
{
    (void)state;
    enum { LAST = 900 };
    process whole, killed;
    char path[512];
    tcsi_rng rng = tcsi_rng_make(7, 0);
    size_t kill_count = 0;
    for (bool is_over = false; !is_over;) {
        int status;
        const pid_t child = fork();
        if (child == 0) run_child(LAST);
        const int64_t wait_ns = (int64_t)(1e8 * tcsi_rng_uniform(&rng));
        nanosleep(&(struct timespec){ 0, wait_ns }, NULL);
        if (kill_count < 20) kill(child, SIGKILL);
        assert_int_equal(waitpid(child, &status, 0), child);
        is_over = WIFEXITED(status);
        assert_true(!is_over || WEXITSTATUS(status) == 0);
        kill_count += !is_over;
    }
    assert_true(kill_count >= 3);
    process_begin(&killed, "killed", 2, FOR_EVER_NS);
    assert_int_equal(killed.sequence, 2 * LAST);
    assert_everything(&killed, START_NS, LAST);
    process_end(&killed);
    process_begin(&whole, "whole", 1, FOR_EVER_NS);
    for (size_t n = 1; n <= LAST; n++) apply(&whole, START_NS, n);
    tcsi_live_settle(whole.live);
    assert_ok(tcsi_chronicle_settle(whole.history, test_err));
    process_end(&whole);
    path_of("whole.db", path);
    const seal one = seal_store(path);
    path_of("killed.db", path);
    const seal other = seal_store(path);
    assert_true(one.count > 100);
    assert_int_equal(one.count, other.count);
    assert_true(one.sum == other.sum);
}

/* ---- retention ---- */

static void test_old_blocks_are_forgotten(void **state)
{
    (void)state;
    process p;
    const int64_t start_ns = tcsi_clock_wall_ns() / SECOND_NS * SECOND_NS - 400 * SECOND_NS;
    static read_rows r;
    process_begin(&p, "old", 2, FOR_EVER_NS);
    for (size_t n = 1; n <= 300; n++) apply(&p, start_ns, n);
    assert_ok(tcsi_live_save(p.live, test_err));
    process_end(&p);
    process_begin(&p, "old", 2, 200 * SECOND_NS); /* which looks at once */
    for (int i = 0; i < 100 && tcsi_chronicle_stat(p.history).forgotten_count == 0; i++) nanosleep(&(struct timespec){ 0, 20000000 }, NULL);
    assert_true(tcsi_chronicle_stat(p.history).forgotten_count > 0);
    for (uint32_t number = 0; number < SERIES; number++) {
        r.count = 0;
        assert_ok(tcsi_chronicle_read(p.history, number, INT64_MIN, INT64_MAX, 0, read_row, &r, test_err));
        assert_true(r.count >= 100 && r.count < 300 && r.rows[r.count - 1].time_ns == time_at(start_ns, 300));
        for (size_t i = 1; i < r.count; i++) assert_int_equal(r.rows[i].time_ns - r.rows[i - 1].time_ns, SECOND_NS); /* no holes */
    }
    process_end(&p);
}

/* ---- hours of days that are over ---- */

/* Rows n of a day long ago, of one minute each; a reel has 40, so that most are in blocks. */
static void apply_minutes(process *p, int64_t start_ns, size_t first, size_t last)
{
    for (size_t n = first; n < last; n++) apply(p, start_ns + 59 * (int64_t)n * SECOND_NS, n);
    assert_ok(tcsi_live_save(p->live, test_err));
    tcsi_live_settle(p->live);
    assert_ok(tcsi_chronicle_settle(p->history, test_err));
}

static void wait_until_rolled(process *p)
{
    const int64_t begin_ns = tcsi_clock_monotonic_ns();
    while (tcsi_chronicle_stat(p->history).rolled_ns < tcsi_clock_wall_ns() - 30 * INT64_C(3600) * SECOND_NS) {
        nanosleep(&(struct timespec){ 0, 20000000 }, NULL);
        assert_true(tcsi_clock_monotonic_ns() - begin_ns < 60 * SECOND_NS);
    }
}

/* Everything by hours says what everything row by row says. */
static void assert_hours(process *p, int64_t from_ns, int64_t to_ns, size_t row_count)
{
    static read_rows rows, hours;
    for (uint32_t number = 0; number < SERIES; number++) {
        const unsigned unit = unit_of(p, number);
        size_t count = 0;
        rows.count = hours.count = 0;
        assert_ok(tcsi_chronicle_read(p->history, number, from_ns, to_ns, 1, read_row, &rows, test_err));
        assert_ok(tcsi_chronicle_read(p->history, number, from_ns, to_ns, TCSI_ROLL_STEP_NS, read_row, &hours, test_err));
        assert_int_equal(rows.count, row_count);
        assert_true(hours.count < rows.count / 20); /* most of it is hours */
        for (size_t i = 0, k = 0; i < hours.count; i++) {
            const tcsi_chronicle_row *hour = &hours.rows[i];
            double sum = 0, low = INFINITY, high = -INFINITY, score = 0;
            count += hour->count;
            for (size_t n = 0; n < hour->count; n++, k++) {
                assert_true(hour->count == 1 || rows.rows[k].time_ns - hour->time_ns < TCSI_ROLL_STEP_NS);
                sum += rows.rows[k].value;
                low = fmin(low, rows.rows[k].value);
                high = fmax(high, rows.rows[k].value);
                score = fmax(score, isnan(rows.rows[k].score) ? 0 : rows.rows[k].score);
            }
            assert_true(fabs(hour->value - sum / hour->count) < 1e-9 + 1e-12 * unit);
            assert_true(hour->low <= low && low - hour->low < 1e-5 && hour->high >= high && hour->high - high < 1e-5);
            assert_true(isnan(hour->score) || fabs(hour->score - score) <= 1e-6 * score);
        }
        assert_int_equal(count, row_count);
    }
}

static void test_hours(void **state)
{
    (void)state;
    enum { FIRST = 5000, ALL = 6000 };
    process p;
    const int64_t day_ns = 86400 * SECOND_NS, start_ns = (tcsi_clock_wall_ns() / day_ns - 6) * day_ns;
    process_begin(&p, "hours", 2, FOR_EVER_NS);
    apply_minutes(&p, start_ns, 1, FIRST); /* three days and a half */
    wait_until_rolled(&p);
    assert_hours(&p, start_ns, start_ns + 10 * day_ns, FIRST - 1);
    apply_minutes(&p, start_ns, FIRST, ALL); /* late, into a day that was rolled */
    assert_hours(&p, start_ns, start_ns + 3 * day_ns - 1, 3 * 1440 - 1);
    wait_until_rolled(&p);
    assert_hours(&p, start_ns, start_ns + 10 * day_ns, ALL - 1);
    process_end(&p);
    process_begin(&p, "hours", 2, 2 * day_ns); /* rows are kept for two days, hours for 48 */
    for (int i = 0; i < 200 && tcsi_chronicle_stat(p.history).forgotten_count == 0; i++) nanosleep(&(struct timespec){ 0, 20000000 }, NULL);
    static read_rows hours;
    hours.count = 0;
    assert_ok(tcsi_chronicle_read(p.history, 0, start_ns, start_ns + day_ns - 1, 1, read_row, &hours, test_err));
    assert_int_equal(hours.count, 24);
    process_end(&p);
}

/* ---- a store that does not take anything ---- */

/* Somebody writes for long: reels wait, then rows of history are dropped and counted, and no row waits for them more than the stated
 * time.  When it works again, so does everything. */
static void test_a_store_that_hangs(void **state)
{
    (void)state;
    process p;
    tcsi_store *other;
    static read_rows r;
    process_begin(&p, "hangs", 1, FOR_EVER_NS);
    for (size_t n = 1; n <= 20; n++) apply(&p, START_NS, n);
    assert_ok(tcsi_store_open(p.store, NULL, &other, test_err));
    assert_ok(tcsi_store_begin(other, test_err));
    assert_ok(tcsi_store_setting_set(other, "a", "b", test_err)); /* has the file until it commits */
    size_t n = 21;
    for (int64_t begin_ns = tcsi_clock_monotonic_ns(); tcsi_chronicle_stat(p.history).failure_count == 0; n++) {
        apply(&p, START_NS, n);
        if (n % 10 == 0) tcsi_live_settle(p.live);
        assert_true(tcsi_clock_monotonic_ns() - begin_ns < 60 * SECOND_NS);
    }
    const int64_t begin_ns = tcsi_clock_monotonic_ns(); /* from now on nobody waits */
    for (const size_t last = n + 500; n < last; n++) apply(&p, START_NS, n);
    tcsi_live_settle(p.live);
    assert_true(tcsi_clock_monotonic_ns() - begin_ns < 60 * SECOND_NS); /* 2 s for each of the 250 reels would be minutes */
    assert_true(tcsi_chronicle_stat(p.history).dropped_count > 0);
    assert_ok(tcsi_live_save(p.live, test_err));
    assert_ok(tcsi_store_commit(other, test_err));
    tcsi_store_close(other);
    tcsi_live_settle(p.live);
    assert_int_equal(p.failed_count, 0); /* the snapshot waited */
    const uint64_t dropped_count = tcsi_chronicle_stat(p.history).dropped_count;
    for (const size_t last = n + 100; n < last; n++) apply(&p, START_NS, n);
    tcsi_live_settle(p.live);
    assert_ok(tcsi_chronicle_settle(p.history, test_err));
    assert_int_equal(tcsi_chronicle_stat(p.history).dropped_count, dropped_count);
    size_t read_count = 0;
    for (uint32_t number = 0; number < SERIES; number++) {
        r.count = 0;
        assert_ok(tcsi_chronicle_read(p.history, number, INT64_MIN, INT64_MAX, 0, read_row, &r, test_err));
        read_count += r.count;
    }
    assert_int_equal(read_count + dropped_count, (n - 1) * SERIES); /* each row is there or was counted */
    process_end(&p);
}

TCS_TEST_MAIN(cmocka_unit_test_setup_teardown(test_what_comes_out_is_what_went_in, folder_make, folder_remove),
              cmocka_unit_test_setup_teardown(test_killed_and_started_again, folder_make, folder_remove),
              cmocka_unit_test_setup_teardown(test_old_blocks_are_forgotten, folder_make, folder_remove),
              cmocka_unit_test_setup_teardown(test_hours, folder_make, folder_remove),
              cmocka_unit_test_setup_teardown(test_a_store_that_hangs, folder_make, folder_remove))
