/* bench/history_bench.c -- what a row of history costs on its way into the store, how large it is there, and how long a picture of a
 * million rows takes.
 *
 * usage: history_bench FOLDER [OUTPUT.json]      FOLDER: where the store is made, and removed again
 * Rows of SERIES series with two decimals, a second apart, as a sensor gives them; judged by the fast layer, so that expected values and
 * scores are those of the service.  Processor time of this process; each figure is the median of ROUNDS.
 * What is read is compared with what was sent, or the program fails.  SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/rng.h"
#include "figure.h"
#include "serve/history/buckets.h"
#include "serve/history/chronicle.h"
#include "serve/ingest/ingest.h"
#include "store/store.h"

#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { SERIES = 8, ROWS = 1000000, AT_ONCE = 5000, ROUNDS = 5, POINTS = 1000 };
static const int64_t SECOND_NS = INT64_C(1000000000), DAY_NS = INT64_C(86400000000000),
                     FOR_EVER_NS = INT64_C(1500000000000000000);
static tcs_error err;
static _Atomic int64_t ahead_ns; /* what the wall clock shows beyond the time: days must be over before they are hours */

#define MUST(call)                                                                \
    do {                                                                          \
        if ((call) != TCS_OK) {                                                   \
            fprintf(stderr, "history_bench: %s: %s\n", #call, err.text);          \
            exit(1);                                                              \
        }                                                                         \
    } while (0)

static int64_t wall_ns(void *context)
{
    struct timespec now;
    (void)context;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * SECOND_NS + now.tv_nsec + atomic_load(&ahead_ns);
}

static int64_t monotonic_ns(void *context)
{
    struct timespec now;
    (void)context;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * SECOND_NS + now.tv_nsec;
}

static double processor_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
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

/* ---- rows ---- */

typedef struct service {
    tcsi_chronicle *history; /* NULL: none is kept */
    tcsi_live *live;
    uint64_t sequence;
} service;

static double value_at(unsigned series, size_t n)
{
    tcsi_rng rng = tcsi_rng_make(series + 1, n);
    return rint(2000 + 500 * sin((double)(n + series) / 500) + 40 * tcsi_rng_uniform(&rng)) / 100;
}

static void begin(service *s, const char *path, bool is_kept)
{
    const tcsi_chronicle_options options = { .store = path, .rows_per_s = 1e6, .retention_ns = FOR_EVER_NS };
    tcsi_live_options live = { .thread_count = 1, .series_count_max = 1000, .alarms_per_s = 1e-5,
                               .arrival = tcsi_arrival_limits_default() };
    *s = (service){ .sequence = 0 };
    if (is_kept) MUST(tcsi_chronicle_create(&options, &s->history, &err));
    if (is_kept) live.reel = tcsi_chronicle_reel_options(s->history);
    MUST(tcsi_live_create(&live, &s->live, &err));
    if (is_kept) MUST(tcsi_chronicle_start(s->history, s->live, &err));
}

static void end(service *s)
{
    tcsi_chronicle_stop(s->history);
    tcsi_live_destroy(s->live);
    tcsi_chronicle_destroy(s->history);
}

/* A body of one series, as it was received. */
static void make_body(unsigned series, size_t first, int64_t begin_ns, tcsi_buffer *text)
{
    tcsi_buffer_clear(text);
    for (size_t n = first; n < first + AT_ONCE; n++)
        MUST(tcsi_buffer_printf(text, &err, "{\"series\":\"m{unit=\\\"%u\\\"}\",\"time\":%lld,\"value\":%.2f}\n", series,
                                (long long)(begin_ns / SECOND_NS + (int64_t)n), value_at(series, n)));
}

static void apply(service *s, tcsi_batch *batch, int64_t time_ns)
{
    MUST(tcsi_live_admit(s->live, batch->sample_count, &err));
    MUST(tcsi_live_apply(s->live, ++s->sequence, time_ns, batch, &err));
    tcsi_live_settle(s->live);
}

/* Rows first .. first + AT_ONCE of every series; the processor's seconds, decoding aside. */
static double feed(service *s, size_t first, int64_t begin_ns)
{
    static const tcsi_ingest_facts facts = { .route = TCSI_ROUTE_NDJSON, .content_type = "application/x-ndjson" };
    tcsi_ingest_format format;
    tcsi_buffer text;
    tcsi_batch batch;
    double used = 0;
    MUST(tcsi_ingest_choose(&facts, &format, &err));
    tcsi_buffer_init(&text, 1 << 24);
    tcsi_batch_init(&batch, NULL);
    for (unsigned series = 0; series < SERIES; series++) {
        const int64_t now_ns = begin_ns + (int64_t)(first + AT_ONCE) * SECOND_NS;
        make_body(series, first, begin_ns, &text);
        MUST(tcsi_ingest_decode(format, text.data, text.size, now_ns, &batch, &err));
        const double from = processor_s();
        apply(s, &batch, now_ns);
        if (s->history) MUST(tcsi_chronicle_settle(s->history, &err));
        used += processor_s() - from;
    }
    tcsi_batch_deinit(&batch);
    tcsi_buffer_deinit(&text);
    return used;
}

/* ---- reading ---- */

typedef struct picture {
    tcsi_buckets buckets;
    size_t count;
    double sum;
} picture;

static bool add_row(void *context, const tcsi_chronicle_row *row)
{
    picture *p = context;
    tcsi_buckets_push(&p->buckets, row);
    p->count++;
    p->sum += row->value;
    return true;
}

static double draw(const service *s, int64_t from_ns, int64_t to_ns, size_t points, picture *ret_picture)
{
    *ret_picture = (picture){ .count = 0 };
    const double from = processor_s();
    MUST(tcsi_buckets_init(&ret_picture->buckets, from_ns, to_ns, points, 0, &err));
    MUST(tcsi_chronicle_read(s->history, 0, from_ns, to_ns, ret_picture->buckets.step_ns, add_row, ret_picture, &err));
    const double used = processor_s() - from;
    tcsi_buckets_deinit(&ret_picture->buckets);
    return used;
}

static double draw_often(const service *s, int64_t from_ns, int64_t to_ns, size_t expected)
{
    double times[ROUNDS];
    picture p;
    for (size_t i = 0; i < ROUNDS; i++) {
        times[i] = draw(s, from_ns, to_ns, POINTS, &p);
        if (p.count == expected) continue;
        fprintf(stderr, "history_bench: %zu rows were read, %zu sent\n", p.count, expected);
        exit(1);
    }
    return median(times);
}

static void write_figures(const char *path, const figure *figures, size_t count)
{
    tcsi_buffer text;
    tcsi_json_writer writer;
    tcsi_buffer_init(&text, 1 << 20);
    tcsi_json_writer_init(&writer, &text, true);
    tcsi_json_begin_array(&writer);
    for (size_t i = 0; i < count; i++) figure_write(&writer, &figures[i]);
    tcsi_json_end_array(&writer);
    MUST(tcsi_json_finish(&writer, &err));
    MUST(tcsi_file_write(path, text.data, text.size, &err));
    tcsi_buffer_deinit(&text);
}

int main(int argc, char **argv)
{
    service with, without;
    char path[512], more[576];
    tcsi_store *store;
    double kept_s = 0, plain_s = 0;
    if (argc < 2) {
        fprintf(stderr, "usage: history_bench FOLDER [OUTPUT.json]\n");
        return 2;
    }
    snprintf(path, sizeof path, "%s/history_bench.%d.db", argv[1], (int)getpid());
    MUST(tcsi_store_open(path, NULL, &store, &err));
    tcsi_store_close(store);
    tcsi_clock_set(&(tcsi_clock){ .wall_ns = wall_ns, .monotonic_ns = monotonic_ns });
    begin(&with, path, true);
    begin(&without, path, false);
    const int64_t begin_ns = (tcsi_clock_wall_ns() / DAY_NS + 1) * DAY_NS; /* from tomorrow on: nothing is late, no day is over */
    for (size_t first = 0; first < ROWS; first += AT_ONCE) { /* turn by turn, so that both see the same machine */
        kept_s += feed(&with, first, begin_ns);
        plain_s += feed(&without, first, begin_ns);
    }
    MUST(tcsi_chronicle_settle(with.history, &err));
    const tcsi_chronicle_stats stats = tcsi_chronicle_stat(with.history);
    const double rows = (double)ROWS * SERIES, row_s = (kept_s - plain_s) / rows,
                 size = (double)stats.byte_count / (double)stats.kept_count;
    const double all_s = draw_often(&with, begin_ns, begin_ns + ROWS * SECOND_NS, ROWS);
    const double hour_s = draw_often(&with, begin_ns + 500000 * SECOND_NS, begin_ns + 503599 * SECOND_NS, 3600);
    const int64_t rolled_ns = begin_ns + (ROWS - 100000) * SECOND_NS;
    atomic_store(&ahead_ns, (ROWS + 2 * 86400) * SECOND_NS); /* within a minute it is seen */
    while (tcsi_chronicle_stat(with.history).rolled_ns < rolled_ns) nanosleep(&(struct timespec){ 0, 20000000 }, NULL);
    picture hours;
    double coarse[ROUNDS];
    for (size_t i = 0; i < ROUNDS; i++) coarse[i] = draw(&with, begin_ns, begin_ns + ROWS * SECOND_NS, 200, &hours);
    const double coarse_s = median(coarse);
    printf("%d series, %d rows each: %.0f rows in %llu blocks\n  judged                %8.0f ns a row\n"
           "  judged and kept       %8.0f ns a row\n"
           "  in the store          %8.2f bytes a row\n  a picture of %d   %8.1f ms\n"
           "  the same in hours     %8.2f ms\n  a picture of an hour  %8.2f ms\n",
           SERIES, ROWS, (double)stats.kept_count, (unsigned long long)stats.block_count, 1e9 * plain_s / rows, 1e9 * kept_s / rows, size,
           ROWS, 1e3 * all_s,
           1e3 * coarse_s, 1e3 * hour_s);
    const figure figures[] = {
        { "a row of history into the store", "s", row_s, NAN, NULL, NAN, NAN, true },
        { "a row of history", "bytes", size, NAN, NULL, NAN, NAN, true },
        { "a picture of a million rows", "s", all_s, NAN, NULL, NAN, 0.1, all_s <= 0.1 },
        { "a picture of a million rows in steps of hours", "s", coarse_s, NAN, NULL, NAN, 0.02, coarse_s <= 0.02 },
        { "a picture of an hour of rows", "s", hour_s, NAN, NULL, NAN, 0.005, hour_s <= 0.005 },
    };
    if (argc > 2) write_figures(argv[2], figures, TCS_COUNT(figures));
    end(&with);
    end(&without);
    static const char *const ends[] = { "", "-wal", "-shm" };
    for (size_t i = 0; i < TCS_COUNT(ends); i++) {
        snprintf(more, sizeof more, "%s%s", path, ends[i]);
        unlink(more);
    }
    return 0;
}
