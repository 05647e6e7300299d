/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/history/roll.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "serve/history/buckets.h"
#include "serve/history/inside.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SERIES_A_SCOPE = 200, HOURS = 24 };
static const int64_t DAY_NS = INT64_C(86400000000000), DELAY_NS = INT64_C(10800000000000);
static const char SETTING[] = "history_rolled_ns";

static int64_t day_of(int64_t time_ns)
{
    return (time_ns / DAY_NS - (time_ns % DAY_NS < 0)) * DAY_NS;
}

/* ---- how far ---- */

static void set_rolled(tcsi_chronicle *history, int64_t rolled_ns)
{
    pthread_mutex_lock(&history->mutex); /* readers look at it */
    history->rolled_ns = rolled_ns;
    pthread_mutex_unlock(&history->mutex);
    history->roll_number = 0;
}

static tcs_status put_setting(tcsi_chronicle *history, int64_t rolled_ns, tcs_error *err)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, rolled_ns);
    return tcsi_store_setting_set(history->writer, SETTING, text, err);
}

tcs_status tcsi_roll_begin(tcsi_chronicle *history, int64_t now_ns, tcs_error *err)
{
    tcsi_buffer text;
    bool is_found = false;
    tcsi_buffer_init(&text, 64);
    const tcs_status status = tcsi_store_setting_get(history->writer, SETTING, &text, &is_found, err);
    const int64_t rolled_ns = status == TCS_OK && is_found && text.size > 0 ? strtoll(text.data, NULL, 10) : now_ns;
    if (status == TCS_OK) set_rolled(history, day_of(rolled_ns));
    tcsi_buffer_deinit(&text);
    return status;
}

bool tcsi_roll_is_due(const tcsi_chronicle *history, int64_t now_ns)
{
    return now_ns - DELAY_NS - DAY_NS >= history->rolled_ns;
}

tcs_status tcsi_roll_note(tcsi_chronicle *history, int64_t time_ns, tcs_error *err)
{
    if (time_ns >= history->rolled_ns + DAY_NS) return TCS_OK;
    if (time_ns >= history->rolled_ns) history->roll_number = 0; /* the day in work: once more */
    if (time_ns >= history->rolled_ns) return TCS_OK;
    const int64_t oldest_ns = day_of(tcsi_clock_wall_ns() - history->options.retention_ns) + DAY_NS; /* days before it lack rows already */
    const int64_t day_ns = time_ns > oldest_ns ? day_of(time_ns) : oldest_ns;
    if (day_ns >= history->rolled_ns) return TCS_OK;
    set_rolled(history, day_ns); /* at once: what is put is read row by row from now on */
    return put_setting(history, day_ns, err);
}

/* ---- a day of a series ---- */

typedef struct reading {
    tcsi_pack *pack;
    tcsi_buckets *hours;
    tcs_status status;
    tcs_error *err;
} reading;

static bool read_block(void *context, const tcsi_store_block *block)
{
    reading *r = context;
    r->status = tcsi_pack_decode(r->pack, block->bytes, block->size, r->err);
    for (size_t i = 0; r->status == TCS_OK && i < r->pack->count; i++) {
        const tcsi_chronicle_row row = tcsi_pack_row(r->pack, i);
        tcsi_buckets_push(r->hours, &row);
    }
    return r->status == TCS_OK;
}

/* A distance as a float that is no shorter. */
static float no_less(double distance)
{
    const float narrow = (float)distance;
    return (double)narrow < distance ? nextafterf(narrow, INFINITY) : narrow;
}

static void add_hours(tcsi_pack *pack, const tcsi_buckets *hours)
{
    tcsi_pack_begin(pack);
    for (size_t i = 0; i < hours->count; i++) {
        const tcsi_bucket *hour = &hours->items[i];
        const tcsi_bucket_shown shown = tcsi_bucket_show(hour);
        if (hour->count == 0) continue;
        const bool is_scored = hour->scored_count > 0;
        const tcsi_reel_row row = { .time_ns = hours->begin_ns + (int64_t)i * hours->step_ns, .value = shown.value,
                                    .below = no_less(shown.value - shown.low), .above = no_less(shown.high - shown.value),
                                    .residual = is_scored ? (float)(shown.value - shown.expected) : NAN,
                                    .deviation = is_scored ? (float)(hour->deviation / (double)hour->scored_count) : NAN,
                                    .score = is_scored ? (float)shown.score : NAN,
                                    .count = hour->count < UINT32_MAX ? (uint32_t)hour->count : UINT32_MAX };
        tcsi_pack_add(pack, &row);
    }
}

static tcs_status roll_series(tcsi_chronicle *history, uint32_t number, tcsi_buckets *hours, tcs_error *err)
{
    const tcsi_directory_entry *entry = tcsi_directory_entry_of(tcsi_live_directory(history->live), number);
    const int64_t end_ns = history->rolled_ns + DAY_NS - 1;
    reading r = { .pack = history->pack, .hours = hours, .err = err };
    int64_t id = 0;
    memset(hours->items, 0, hours->count * sizeof *hours->items);
    tcs_status status = tcsi_store_series_find(history->writer, entry->key, entry->key_size, &id, err);
    if (status != TCS_OK || id == 0) return status;
    status = tcsi_store_block_list(history->writer, id, TCSI_CHRONICLE_BLOCKS, history->rolled_ns, end_ns, read_block, &r, err);
    if (status == TCS_OK) status = r.status;
    if (status != TCS_OK) return status;
    add_hours(history->pack, hours);
    if (history->pack->count == 0) return TCS_OK;
    tcsi_buffer_clear(&history->bytes);
    status = tcsi_pack_encode(history->pack, &history->bytes, err);
    if (status != TCS_OK) return status;
    const tcsi_store_block block = { .series_id = id, .kind = TCSI_ROLL_BLOCKS, .first_ns = history->rolled_ns, .last_ns = end_ns,
                                     .row_count = (uint32_t)history->pack->count, .bytes = history->bytes.data,
                                     .size = history->bytes.size };
    return tcsi_store_block_put(history->writer, &block, err);
}

static tcs_status roll_scope(tcsi_chronicle *history, uint32_t end, bool is_last, tcsi_buckets *hours, tcs_error *err)
{
    tcs_status status = tcsi_store_begin(history->writer, err);
    if (status != TCS_OK) return status;
    for (uint32_t number = history->roll_number; status == TCS_OK && number < end; number++)
        status = roll_series(history, number, hours, err);
    if (status == TCS_OK && is_last) status = put_setting(history, history->rolled_ns + DAY_NS, err);
    if (status == TCS_OK) return tcsi_store_commit(history->writer, err);
    tcsi_store_rollback(history->writer);
    return status;
}

tcs_status tcsi_roll_some(tcsi_chronicle *history, tcs_error *err)
{
    const uint32_t count = tcsi_directory_count(tcsi_live_directory(history->live));
    const bool is_last = count - history->roll_number <= SERIES_A_SCOPE;
    const uint32_t end = is_last ? count : history->roll_number + SERIES_A_SCOPE;
    tcsi_buckets hours;
    tcs_status status = tcsi_buckets_init(&hours, history->rolled_ns, history->rolled_ns + DAY_NS - 1, HOURS, TCSI_ROLL_STEP_NS, err);
    if (status != TCS_OK) return status;
    status = roll_scope(history, end, is_last, &hours, err);
    tcsi_buckets_deinit(&hours);
    if (status != TCS_OK) return status;
    if (is_last) set_rolled(history, history->rolled_ns + DAY_NS);
    else history->roll_number = end;
    return TCS_OK;
}
