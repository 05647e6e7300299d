/* bench/store_bench.c -- how much the store takes in a second, durable, on a SQLite file and on a PostgreSQL server started here.
 *
 * usage: store_bench FOLDER [OUTPUT.json]      FOLDER: on the disk to be measured; writes the table to standard output and the same as JSON
 * Rows: of SERIES series, in blocks of BLOCK_ROWS, one commit for all series; the peer is the plainest table, a SQL row per reading with an
 * index over series and time, in the same file system, same commits.  Rows read back must be the same, or the program fails.
 * Snapshots: in parts of 1 MiB; the peer is one plain file, written and synced, read.
 * Figures are medians of ROUNDS rounds in which ours and the peer take turns.  Wall time, as waiting for the disk is the point; the ratio
 * of rows is by processor time as well, as others may keep the disk busy.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "base/file.h"
#include "base/rng.h"
#include "figure.h"
#include "postgresql.h"
#include "store/block.h"
#include "store/store.h"

#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { SERIES = 100, BLOCK_ROWS = 512, COMMITS = 4, ROUNDS = 5, MESSAGES = 200, BATCH = 100, PARTS = 32, PART_SIZE = 1 << 20 };

static int64_t times[BLOCK_ROWS];
static double values[SERIES][BLOCK_ROWS];
static tcs_error err;

#define MUST(call)                                                                \
    do {                                                                          \
        if ((call) != TCS_OK) {                                                   \
            fprintf(stderr, "store_bench: %s: %s\n", #call, err.text);            \
            exit(1);                                                              \
        }                                                                         \
    } while (0)

static double seconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *numbers)
{
    qsort(numbers, ROUNDS, sizeof *numbers, compare_doubles);
    return numbers[ROUNDS / 2];
}

/* Readings with two decimals that wander, as most sensors have them. */
static void make_rows(int round)
{
    tcsi_rng rng = tcsi_rng_make(1, (uint64_t)round);
    for (size_t i = 0; i < BLOCK_ROWS; i++) times[i] = (INT64_C(1700000000) + round * BLOCK_ROWS + (int64_t)i) * 1000000000;
    for (size_t s = 0; s < SERIES; s++)
        for (size_t i = 0; i < BLOCK_ROWS; i++)
            values[s][i] = rint(2000 + 500 * sin((double)(i + s) / 50) + 40 * tcsi_rng_uniform(&rng)) / 100;
}

/* ---- rows ---- */

static size_t put_blocks(tcsi_store *store, int round)
{
    size_t size = 0;
    tcsi_buffer bytes;
    tcsi_buffer_init(&bytes, 1 << 26);
    for (int c = 0; c < COMMITS; c++) {
        make_rows(round * COMMITS + c);
        MUST(tcsi_store_begin(store, &err));
        for (size_t s = 0; s < SERIES; s++) {
            const double *column = values[s];
            tcsi_buffer_clear(&bytes);
            MUST(tcsi_block_encode((tcsi_block_shape){ BLOCK_ROWS, 1, 0 }, times, &column, NULL, &bytes, &err));
            const tcsi_store_block block = { (int64_t)s, 1, times[0], times[BLOCK_ROWS - 1], BLOCK_ROWS, bytes.data, bytes.size };
            MUST(tcsi_store_block_put(store, &block, &err));
            size += bytes.size;
        }
        MUST(tcsi_store_commit(store, &err));
    }
    tcsi_buffer_deinit(&bytes);
    return size;
}

static bool sum_block(void *context, const tcsi_store_block *block)
{
    int64_t back_times[BLOCK_ROWS];
    double back[BLOCK_ROWS];
    double *const columns[] = { back };
    MUST(tcsi_block_decode(block->bytes, block->size, back_times, columns, NULL, &err));
    for (size_t i = 0; i < BLOCK_ROWS; i++) *(double *)context += back[i];
    return true;
}

static double sum_blocks(tcsi_store *store)
{
    double sum = 0;
    for (size_t s = 0; s < SERIES; s++) MUST(tcsi_store_block_list(store, (int64_t)s, 1, INT64_MIN, INT64_MAX, sum_block, &sum, &err));
    return sum;
}

static void must_sqlite(sqlite3 *db, bool good)
{
    if (good) return;
    fprintf(stderr, "store_bench: %s\n", sqlite3_errmsg(db));
    exit(1);
}

static void put_plain_rows(sqlite3 *db, int round)
{
    sqlite3_stmt *insert = NULL;
    must_sqlite(db, sqlite3_prepare_v2(db, "insert into reading values (?, ?, ?)", -1, &insert, NULL) == SQLITE_OK);
    for (int c = 0; c < COMMITS; c++) {
        make_rows(round * COMMITS + c);
        must_sqlite(db, sqlite3_exec(db, "begin immediate", NULL, NULL, NULL) == SQLITE_OK);
        for (size_t i = 0; i < BLOCK_ROWS; i++) /* as they come: all series at one time */
            for (size_t s = 0; s < SERIES; s++) {
                sqlite3_bind_int64(insert, 1, (sqlite3_int64)s);
                sqlite3_bind_int64(insert, 2, times[i]);
                sqlite3_bind_double(insert, 3, values[s][i]);
                must_sqlite(db, sqlite3_step(insert) == SQLITE_DONE);
                sqlite3_reset(insert);
            }
        must_sqlite(db, sqlite3_exec(db, "commit", NULL, NULL, NULL) == SQLITE_OK);
    }
    sqlite3_finalize(insert);
}

static double sum_plain_rows(sqlite3 *db)
{
    double sum = 0;
    sqlite3_stmt *select = NULL;
    must_sqlite(db, sqlite3_prepare_v2(db, "select value from reading where series = ? order by time", -1, &select, NULL) == SQLITE_OK);
    for (size_t s = 0; s < SERIES; s++, sqlite3_reset(select)) {
        sqlite3_bind_int64(select, 1, (sqlite3_int64)s);
        while (sqlite3_step(select) == SQLITE_ROW) sum += sqlite3_column_double(select, 0);
    }
    sqlite3_finalize(select);
    return sum;
}

static sqlite3 *open_plain(const char *folder)
{
    char path[4096];
    sqlite3 *db = NULL;
    snprintf(path, sizeof path, "%s/plain.db", folder);
    must_sqlite(db, sqlite3_open(path, &db) == SQLITE_OK);
    must_sqlite(db, sqlite3_exec(db, "pragma journal_mode = wal; pragma synchronous = full; pragma wal_autocheckpoint = 4000;"
                                     "create table reading(series integer, time integer, value real);"
                                     "create index reading_place on reading(series, time)", NULL, NULL, NULL) == SQLITE_OK);
    return db;
}

/* ---- the rest ---- */

static double put_messages(tcsi_store *store, int round, size_t batch)
{
    const double begun = seconds(CLOCK_MONOTONIC);
    const size_t count = batch > 1 ? MESSAGES * 10 : MESSAGES;
    for (size_t i = 0; i < count; i++) {
        char id[32], payload[400];
        snprintf(id, sizeof id, "%zu-%d-%zu", batch, round, i);
        memset(payload, 'p', sizeof payload);
        if (batch > 1 && i % batch == 0) MUST(tcsi_store_begin(store, &err));
        const tcsi_store_message message = { .receiver = "r", .id = id, .payload = payload, .payload_size = sizeof payload };
        MUST(tcsi_store_outbox_put(store, &message, &err));
        if (batch > 1 && i % batch == batch - 1) MUST(tcsi_store_commit(store, &err));
    }
    return (double)count / (seconds(CLOCK_MONOTONIC) - begun);
}

static char part[PART_SIZE];

static bool count_part(void *context, const void *bytes, size_t size)
{
    *(size_t *)context += memcmp(bytes, part, size) == 0 ? size : 0;
    return true;
}

static void snapshot(tcsi_store *store, double *ret_save, double *ret_load)
{
    int64_t number = 0;
    size_t size = 0;
    bool found = false;
    tcsi_store_snapshot info;
    double begun = seconds(CLOCK_MONOTONIC);
    MUST(tcsi_store_snapshot_begin(store, "state", 1, 1, &number, &err));
    for (uint64_t i = 0; i < PARTS; i++) MUST(tcsi_store_snapshot_part(store, "state", number, i, part, sizeof part, &err));
    MUST(tcsi_store_snapshot_end(store, "state", number, PARTS, 2, &err));
    *ret_save = PARTS * (PART_SIZE / 1e6) / (seconds(CLOCK_MONOTONIC) - begun);
    begun = seconds(CLOCK_MONOTONIC);
    MUST(tcsi_store_snapshot_load(store, "state", INT64_MAX, count_part, &size, &info, &found, &err));
    *ret_load = PARTS * (PART_SIZE / 1e6) / (seconds(CLOCK_MONOTONIC) - begun);
    if (size != (size_t)PARTS * PART_SIZE) exit((fprintf(stderr, "store_bench: a snapshot came back as something else\n"), 1));
}

static void plain_file(const char *folder, double *ret_save, double *ret_load)
{
    char path[4096];
    tcsi_file_writer writer;
    tcsi_buffer bytes;
    tcsi_buffer_init(&bytes, (size_t)PARTS * PART_SIZE + 1);
    snprintf(path, sizeof path, "%s/plain.state", folder);
    double begun = seconds(CLOCK_MONOTONIC);
    MUST(tcsi_file_writer_open(path, &writer, &err));
    for (int i = 0; i < PARTS; i++) fwrite(part, 1, sizeof part, writer.stream);
    MUST(tcsi_file_writer_commit(&writer, &err));
    *ret_save = PARTS * (PART_SIZE / 1e6) / (seconds(CLOCK_MONOTONIC) - begun);
    begun = seconds(CLOCK_MONOTONIC);
    MUST(tcsi_file_read(path, &bytes, &err));
    *ret_load = PARTS * (PART_SIZE / 1e6) / (seconds(CLOCK_MONOTONIC) - begun);
    tcsi_buffer_deinit(&bytes);
}

/* ---- one implementation ---- */

static void show(tcsi_json_writer *json, const char *where, const char *what, const char *unit, double ours, double peer,
                 const char *peer_name)
{
    char name[100];
    const double ratio = peer > 0 ? ours / peer : NAN;
    snprintf(name, sizeof name, "%s: %s", where, what);
    printf("%-52s %12.0f %12.0f %7.2f  %s\n", name, ours, peer > 0 ? peer : NAN, ratio, unit);
    figure_write(json, &(figure){ .name = name, .unit = unit, .ours = ours, .peer = peer > 0 ? peer : NAN, .peer_name = peer_name,
                                  .ratio = ratio, .target = NAN, .ok = true });
}

static void measure(tcsi_json_writer *json, const char *label, const char *where, const char *folder, bool with_peer)
{
    enum { OURS, PEER, OURS_CPU, PEER_CPU, ONE, MANY, SAVE, LOAD, FILE_SAVE, FILE_LOAD, KINDS };
    double found[KINDS][ROUNDS] = { { 0 } };
    const double rows = (double)COMMITS * SERIES * BLOCK_ROWS;
    tcsi_store *store = NULL;
    size_t size = 0;
    MUST(tcsi_store_open(where, NULL, &store, &err));
    sqlite3 *plain = with_peer ? open_plain(folder) : NULL;
    for (int r = 0; r < ROUNDS; r++) {
        double begun = seconds(CLOCK_MONOTONIC), begun_cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
        size = put_blocks(store, r);
        found[OURS][r] = rows / (seconds(CLOCK_MONOTONIC) - begun);
        found[OURS_CPU][r] = rows / (seconds(CLOCK_PROCESS_CPUTIME_ID) - begun_cpu);
        begun = seconds(CLOCK_MONOTONIC), begun_cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
        if (with_peer) put_plain_rows(plain, r);
        found[PEER][r] = rows / (seconds(CLOCK_MONOTONIC) - begun);
        found[PEER_CPU][r] = rows / (seconds(CLOCK_PROCESS_CPUTIME_ID) - begun_cpu);
        found[ONE][r] = put_messages(store, r, 1);
        found[MANY][r] = put_messages(store, r, BATCH);
        snapshot(store, &found[SAVE][r], &found[LOAD][r]);
        plain_file(folder, &found[FILE_SAVE][r], &found[FILE_LOAD][r]);
    }
    const char *peer = "a SQL row each, indexed";
    show(json, label, "rows, durable", "rows/s", median(found[OURS]), with_peer ? median(found[PEER]) : 0, peer);
    if (with_peer) show(json, label, "rows, by processor time", "rows/s", median(found[OURS_CPU]), median(found[PEER_CPU]), peer);
    show(json, label, "bytes of a block in 1000 rows", "bytes", (double)size / rows * 1000, 16000, "16 bytes a row");
    show(json, label, "messages, one a commit", "puts/s", median(found[ONE]), 0, NULL);
    show(json, label, "messages, 100 a commit", "puts/s", median(found[MANY]), 0, NULL);
    show(json, label, "snapshot saved", "MB/s", median(found[SAVE]), median(found[FILE_SAVE]), "a plain file, synced");
    show(json, label, "snapshot loaded", "MB/s", median(found[LOAD]), median(found[FILE_LOAD]), "a plain file");
    const double ours = sum_blocks(store), theirs = with_peer ? sum_plain_rows(plain) : ours;
    if (ours != theirs) exit((fprintf(stderr, "store_bench: rows read back differ: %.17g and %.17g\n", ours, theirs), 1));
    tcsi_store_close(store);
    sqlite3_close(plain);
}

int main(int argc, char **argv)
{
    char folder[4000], path[4096], command[4200];
    tcsi_buffer json;
    tcsi_json_writer writer;
    pg_server server = { .is_durable = true };
    if (argc < 2) return fprintf(stderr, "usage: store_bench FOLDER [OUTPUT.json]\n"), 2;
    snprintf(folder, sizeof folder, "%s/tocsin-store-bench-XXXXXX", argv[1]);
    if (!mkdtemp(folder)) return perror(folder), 1;
    tcsi_rng rng = tcsi_rng_make(9, 0);
    for (size_t i = 0; i < sizeof part; i++) part[i] = (char)tcsi_rng_u32(&rng);
    tcsi_buffer_init(&json, 1 << 20);
    tcsi_json_writer_init(&writer, &json, true);
    tcsi_json_begin_array(&writer);
    printf("%-52s %12s %12s %7s\n", "store", "ours", "peer", "ratio");
    snprintf(path, sizeof path, "sqlite:%s/store.db", folder);
    measure(&writer, "SQLite", path, folder, true);
    if (pg_create(&server)) measure(&writer, "PostgreSQL", server.url, folder, false);
    else printf("PostgreSQL: no server is installed\n");
    pg_destroy(&server);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    if (system(command) != 0) fprintf(stderr, "%s: is left behind\n", folder);
    tcsi_json_end_array(&writer);
    MUST(tcsi_json_finish(&writer, &err));
    if (argc > 2) MUST(tcsi_file_write(argv[2], json.data, json.size, &err));
    tcsi_buffer_deinit(&json);
    return 0;
}
