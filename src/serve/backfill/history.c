/* serve/backfill/history.c -- rows out of what another service remembers: the blocks of its store (serve/history/).
 *
 * They are there series by series, and are to be sent moment by moment, as they came: series that are judged together learn from each other
 * what a moment is.  So they are read in slices of time, all series of one, and sorted; a slice is halved when it holds too many rows, and
 * twice as long as the one before it when it held few.
 * What was kept of a counter is its rate, and what the service takes of one are its values: these are made again, from 0 on.
 * Memory: SLICE_ROWS rows of 24 bytes, and the names.  SPDX-License-Identifier: Apache-2.0 */
#include "serve/backfill/send.h"

#include "base/alloc.h"
#include "base/arena.h"
#include "base/clock.h"
#include "serve/history/chronicle.h"
#include "serve/ingest/rate.h"
#include "store/store.h"

#include <stdlib.h>
#include <string.h>

enum { SLICE_ROWS = 1 << 20 };
static const int64_t DAY_NS = INT64_C(86400000000000), SLICE_MIN_NS = INT64_C(1000000000), SLICE_MAX_NS = INT64_C(86400000000000) * 4096;
static const int64_t PAST_NS = -(INT64_C(1) << 61); /* 1896: nothing is older */

typedef struct past_series {
    int64_t id, last_ns;
    const char *name;
    double counted;  /* of a counter: its value so far */
    bool is_counter, has_begun;
} past_series;

typedef struct past_row {
    int64_t time_ns;
    uint32_t series;
    double value;
} past_row;

typedef struct past {
    tcsi_store *store;
    tcsi_arena names;
    past_series *series;
    size_t series_count, series_capacity;
    past_row *rows;          /* (SLICE_ROWS) of the slice */
    size_t row_count;
    bool is_full;
    int64_t from_ns, to_ns;  /* of the slice: before to_ns */
    uint32_t reading;        /* the series whose blocks are read */
    tcsi_pack *pack;
    tcs_status status;
    tcs_error *err;
} past;

static bool note_series(void *context, const tcsi_store_series *series)
{
    past *p = context;
    tcsi_key key;
    if (tcsi_key_decode(series->tags, series->tags_size, &key, p->err) != TCS_OK) return true; /* nobody could name it to the service */
    const char *name = tcsi_arena_strndup(&p->names, series->text, strlen(series->text));
    if (!name || !tcsi_grow((void **)&p->series, &p->series_capacity, p->series_count, sizeof *p->series, 64)) {
        p->status = tcsi_fail_memory(p->err, "series of the past");
        return false;
    }
    p->series[p->series_count++] = (past_series){ .id = series->id, .name = name,
                                                  .is_counter = tcsi_rate_kind(TCSI_SERIES_UNSTATED, &key) == TCSI_SERIES_COUNTER };
    return true;
}

static bool take_block(void *context, const tcsi_store_block *block)
{
    past *p = context;
    p->status = tcsi_pack_decode(p->pack, block->bytes, block->size, p->err);
    for (size_t i = 0; p->status == TCS_OK && !p->is_full && i < p->pack->count; i++) {
        const tcsi_chronicle_row row = tcsi_pack_row(p->pack, i);
        if (row.time_ns < p->from_ns || row.time_ns >= p->to_ns) continue;
        p->is_full = p->row_count == SLICE_ROWS;
        if (!p->is_full) p->rows[p->row_count++] = (past_row){ row.time_ns, p->reading, row.value };
    }
    return p->status == TCS_OK && !p->is_full;
}

static int by_time(const void *left, const void *right)
{
    const past_row *a = left, *b = right;
    if (a->time_ns != b->time_ns) return a->time_ns < b->time_ns ? -1 : 1;
    return a->series < b->series ? -1 : a->series > b->series;
}

static tcs_status read_slice(past *p)
{
    p->row_count = 0;
    p->is_full = false;
    for (p->reading = 0; p->status == TCS_OK && !p->is_full && p->reading < p->series_count; p->reading++) {
        const tcs_status status = tcsi_store_block_list(p->store, p->series[p->reading].id, TCSI_CHRONICLE_BLOCKS, p->from_ns, p->to_ns - 1,
                                                        take_block, p, p->err);
        if (p->status == TCS_OK) p->status = status;
    }
    if (!p->is_full) qsort(p->rows, p->row_count, sizeof *p->rows, by_time);
    return p->status;
}

static double value_of(past_series *series, const past_row *row)
{
    if (!series->is_counter) return row->value;
    if (series->has_begun) series->counted += row->value * ((double)(row->time_ns - series->last_ns) * 1e-9);
    series->has_begun = true;
    series->last_ns = row->time_ns;
    return series->counted;
}

/* false: nobody wants more. */
static bool give_slice(past *p, tcsi_past_each each, void *context, double share, tcsi_past_found *found)
{
    for (size_t i = 0; i < p->row_count; i++) {
        past_series *series = &p->series[p->rows[i].series];
        found->row_count++;
        found->has_counters |= series->is_counter;
        if (!each(context, series->name, p->rows[i].time_ns, value_of(series, &p->rows[i]), share)) return false;
    }
    return true;
}

static tcs_status give_all(past *p, tcsi_past_each each, void *context, tcsi_past_found *found)
{
    const int64_t end_ns = tcsi_clock_wall_ns() + DAY_NS; /* stamps may be ahead */
    int64_t slice_ns = SLICE_MAX_NS, first_ns = 0;
    for (p->from_ns = PAST_NS; p->series_count && p->from_ns < end_ns;) {
        p->to_ns = end_ns - p->from_ns > slice_ns ? p->from_ns + slice_ns : end_ns;
        if (read_slice(p) != TCS_OK) return p->status;
        if (p->is_full && slice_ns / 2 < SLICE_MIN_NS)
            return tcsi_fail(p->err, TCS_E_LIMIT, "%s: more than %d rows in a second", tcsi_store_name(p->store), SLICE_ROWS);
        if (p->is_full) {
            slice_ns /= 2;
            continue;
        }
        if (found->row_count == 0 && p->row_count) first_ns = p->rows[0].time_ns;
        if (!give_slice(p, each, context, (double)(p->to_ns - first_ns) / (double)(end_ns - first_ns), found)) break;
        p->from_ns = p->to_ns;
        if (p->row_count < SLICE_ROWS / 8 && slice_ns < SLICE_MAX_NS) slice_ns *= 2;
    }
    return TCS_OK;
}

tcs_status tcsi_past_of_store(const char *where, tcsi_past_each each, void *context, tcsi_past_found *ret_found, tcs_error *err)
{
    past p = { .err = err };
    *ret_found = (tcsi_past_found){ 0 };
    tcsi_arena_init(&p.names, 0);
    p.rows = TCSI_NEW_ARRAY(past_row, SLICE_ROWS);
    p.pack = TCSI_NEW(tcsi_pack);
    tcs_status status = p.rows && p.pack ? TCS_OK : tcsi_fail_memory(err, "rows of the past");
    if (status == TCS_OK) status = tcsi_store_open(where, &(tcsi_store_options){ .must_exist = true, .as_is = true }, &p.store, err);
    if (status == TCS_OK) status = tcsi_store_series_list(p.store, 0, 0, note_series, &p, err);
    if (status == TCS_OK) status = p.status;
    if (status == TCS_OK) status = give_all(&p, each, context, ret_found);
    tcsi_store_close(p.store);
    tcsi_arena_deinit(&p.names);
    tcsi_free(p.series);
    tcsi_free(p.rows);
    tcsi_free(p.pack);
    return status;
}
