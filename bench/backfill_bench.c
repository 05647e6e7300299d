/* bench/backfill_bench.c -- what a past is worth: false alarms in the first hour of a fleet that nobody knows, with and without it.
 *
 * 300 series of noise, a row each ten seconds, light and heavy tails, with and without memory; nothing ever happens to them.  So each alarm
 * is one of chance, and the budget says how many there may be.  Prints a line of JSON a case: rows of the past a series, its own rows until
 * every series is ready, alarms in the first hour and the promised number, sums over seeds.
 * usage: backfill_bench [SEEDS]        SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "base/rng.h"
#include "serve/shard/live.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { SERIES = 300, HOUR = 360, STEP_S = 10, READY_ROWS_MAX = 400 };
static const int64_t STEP_NS = INT64_C(1000000000) * STEP_S, START_NS = INT64_C(1700000000000000000);
static const double ALARMS_AN_HOUR = 12;

typedef struct fleet {
    tcsi_rng rng;
    double memory, at[SERIES];
    bool is_heavy;
    size_t alarm_count;
    uint64_t sequence;
    tcsi_live *live;
    tcsi_batch batch;
} fleet;

static void on_tell(void *self, const tcsi_live_news *news)
{
    fleet *f = self;
    for (size_t i = 0; i < news->event_count; i++)
        f->alarm_count += news->events[i].kind == TCSI_LIVE_ANOMALY && news->events[i].state == TCSI_LIVE_SUSPECTED;
}

static void must(tcs_status status, const tcs_error *err)
{
    if (status == TCS_OK) return;
    fprintf(stderr, "backfill_bench: %s\n", err->text);
    exit(1);
}

/* Of one moment, of all series; Student's t with three degrees of freedom where tails are heavy. */
static double value_of(fleet *f, size_t series)
{
    double noise = tcsi_rng_normal(&f->rng);
    if (f->is_heavy) {
        double squares = 0;
        for (int i = 0; i < 3; i++) {
            const double x = tcsi_rng_normal(&f->rng);
            squares += x * x;
        }
        noise /= sqrt(squares / 3);
    }
    f->at[series] = f->memory * f->at[series] + noise;
    return 100 + (double)series + (1 + (double)(series % 7)) * f->at[series];
}

static void push(fleet *f, int64_t row, bool is_backfill)
{
    tcs_error err = { 0 };
    const int64_t time_ns = START_NS + row * STEP_NS;
    tcsi_batch_clear(&f->batch);
    f->batch.is_backfill = is_backfill;
    for (size_t i = 0; i < SERIES; i++) {
        char name[32];
        tcsi_key key;
        const int size = snprintf(name, sizeof name, "m%zu", i);
        tcsi_key_begin(&key);
        (void)tcsi_key_add(&key, TCSI_KEY_METRIC, sizeof TCSI_KEY_METRIC - 1, name, (size_t)size);
        (void)tcsi_key_finish(&key);
        must(tcsi_batch_point(&f->batch, &key, TCSI_SERIES_GAUGE, time_ns, value_of(f, i), &err), &err);
    }
    must(tcsi_live_admit(f->live, f->batch.sample_count, &err), &err);
    must(tcsi_live_apply(f->live, ++f->sequence, is_backfill ? START_NS : time_ns, &f->batch, &err), &err);
    must(tcsi_live_tick(f->live, ++f->sequence, is_backfill ? START_NS : time_ns, &err), &err);
    if (row % 64 == 0) tcsi_live_settle(f->live);
}

static void look(void *context, const tcsi_cell *cell, const tcsi_live_series *series)
{
    (void)cell;
    *(bool *)context &= tcsi_live_series_readiness(series) == TCSI_LIVE_READY;
}

static bool are_ready(fleet *f)
{
    bool are = true;
    for (uint32_t i = 0; i < SERIES && are; i++) (void)tcsi_live_ask(f->live, i, look, &are);
    return are;
}

static void run(bool is_heavy, double memory, int64_t past, uint64_t seed, size_t *ret_alarms, size_t *ret_rows)
{
    static fleet f;
    tcs_error err = { 0 };
    f = (fleet){ .rng = tcsi_rng_make(seed, (uint64_t)is_heavy), .memory = memory, .is_heavy = is_heavy };
    const tcsi_live_options options = { .thread_count = 2, .series_count_max = SERIES, .alarms_per_s = ALARMS_AN_HOUR / 3600,
                                        .arrival = tcsi_arrival_limits_default(), .tell = on_tell, .self = &f };
    must(tcsi_live_create(&options, &f.live, &err), &err);
    tcsi_batch_init(&f.batch, NULL);
    for (int64_t row = -past; row < 0; row++) push(&f, row, true);
    tcsi_live_settle(f.live);
    if (f.alarm_count) exit(2); /* the past tells nobody */
    *ret_rows = 0;
    for (int64_t row = 0; row < HOUR; row++) {
        push(&f, row, false);
        if (*ret_rows == 0 && are_ready(&f)) *ret_rows = (size_t)row + 1;
    }
    tcsi_live_settle(f.live);
    *ret_alarms = f.alarm_count;
    tcsi_live_destroy(f.live);
    tcsi_batch_deinit(&f.batch);
}

int main(int argc, char **argv)
{
    static const struct { const char *name; bool is_heavy; double memory; } kinds[] = {
        { "normal", false, 0 }, { "normal with memory", false, 0.8 }, { "heavy tails", true, 0 }, { "heavy tails with memory", true, 0.8 },
    };
    static const int64_t pasts[] = { 0, 30, 360, 8640 };
    const int seeds = argc > 1 ? atoi(argv[1]) : 5;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (size_t p = 0; p < sizeof pasts / sizeof *pasts; p++) {
            size_t alarms = 0, rows_max = 0;
            for (int seed = 1; seed <= seeds; seed++) {
                size_t one, rows;
                run(kinds[k].is_heavy, kinds[k].memory, pasts[p], (uint64_t)seed, &one, &rows);
                alarms += one;
                if (rows > rows_max) rows_max = rows;
            }
            printf("{\"fleet\":\"%s\",\"past_rows\":%lld,\"rows_until_ready\":%zu,\"alarms\":%zu,\"promised\":%.0f,\"seeds\":%d}\n",
                   kinds[k].name, (long long)pasts[p], rows_max, alarms, ALARMS_AN_HOUR * seeds, seeds);
            fflush(stdout);
        }
    return 0;
}
