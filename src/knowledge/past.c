/* SPDX-License-Identifier: Apache-2.0 */
#include "knowledge/past.h"

#include "base/alloc.h"

#include <math.h>

void tcsi_past_deinit(tcsi_past *past)
{
    tcsi_free(past->rows);
    *past = (tcsi_past){ 0 };
}

static tcsi_past_row *row_at(const tcsi_past *past, uint64_t row) { return &past->rows[row & (past->capacity - 1)]; }

/* Room for one row more. */
static tcs_status make_room(tcsi_past *past, tcs_error *err)
{
    const size_t larger = past->capacity ? 2 * past->capacity : 16;
    if (past->end - past->begin < past->capacity) return TCS_OK;
    tcsi_past_row *rows = TCSI_NEW_ARRAY(tcsi_past_row, larger);
    if (!rows) return tcsi_fail_memory(err, "rows looked back at");
    for (uint64_t i = past->begin; i < past->end; i++) rows[i & (larger - 1)] = *row_at(past, i);
    tcsi_free(past->rows);
    past->rows = rows;
    past->capacity = larger;
    return TCS_OK;
}

/* Forgets the oldest row. */
static void drop(tcsi_past *past)
{
    if (past->begin == past->border) {
        double sum = 0;
        uint64_t count = 0;
        for (uint64_t i = past->end; i-- > past->begin;) {
            tcsi_past_row *row = row_at(past, i);
            if (!isnan(row->value)) {
                sum += row->value;
                count++;
            }
            row->sum = sum;
            row->count = count;
        }
        past->border = past->end;
        past->sum = 0;
        past->count = 0;
    }
    past->begin++;
}

static tcs_status append(tcsi_past *past, int64_t time_ns, double value, tcs_error *err)
{
    if (past->end - past->begin == TCSI_PAST_ROWS_MAX) drop(past);
    tcs_status status = make_room(past, err);
    if (status != TCS_OK) return status;
    *row_at(past, past->end++) = (tcsi_past_row){ .time_ns = time_ns, .value = value };
    if (!isnan(value)) {
        past->sum += value;
        past->count++;
    }
    return TCS_OK;
}

static double rate(tcsi_past *past, int64_t time_ns, double value)
{
    if (isnan(value)) return NAN;
    const double seconds = past->has_last && time_ns > past->last_time_ns
                               ? (double)((uint64_t)time_ns - (uint64_t)past->last_time_ns) * 1e-9 : NAN;
    const double before = past->last_value;
    past->has_last = true;
    past->last_value = value;
    past->last_time_ns = time_ns;
    return (value - before) / seconds;
}

/* Is the row as long ago as the node looks back, or longer? */
static bool is_old(const tcsi_past *past, const tcsi_node *node, uint64_t row, int64_t time_ns)
{
    if (node->rows > 0) return past->end - 1 - row >= node->rows;
    const int64_t then = row_at(past, row)->time_ns;
    return time_ns >= then && (uint64_t)time_ns - (uint64_t)then >= (uint64_t)node->duration_ns;
}

static double lag(tcsi_past *past, const tcsi_node *node, int64_t time_ns)
{
    while (past->begin + 1 < past->end && is_old(past, node, past->begin + 1, time_ns)) drop(past);
    return is_old(past, node, past->begin, time_ns) ? row_at(past, past->begin)->value : NAN;
}

/* Missing until the input reaches back as far: a mean of the first few rows would jump about. */
static double mean(tcsi_past *past, const tcsi_node *node, int64_t time_ns)
{
    const bool is_whole = node->rows > 0 ? past->row_count >= node->rows
                                         : (uint64_t)time_ns - (uint64_t)past->first_time_ns >= (uint64_t)node->duration_ns;
    while (past->begin < past->end && is_old(past, node, past->begin, time_ns)) drop(past);
    const tcsi_past_row *oldest = past->begin < past->border ? row_at(past, past->begin) : NULL;
    const uint64_t count = past->count + (oldest ? oldest->count : 0);
    return is_whole && count > 0 ? ((oldest ? oldest->sum : 0) + past->sum) / (double)count : NAN;
}

tcs_status tcsi_past_push(tcsi_past *past, const tcsi_node *node, int64_t time_ns, double value, double *ret_value, tcs_error *err)
{
    if (!(fabs(value) <= TCS_VALUE_MAX)) value = NAN;
    if (node->op == TCSI_OP_RATE) {
        *ret_value = rate(past, time_ns, value);
        return TCS_OK;
    }
    if (past->row_count++ == 0) past->first_time_ns = time_ns;
    tcs_status status = append(past, time_ns, value, err);
    if (status == TCS_OK) *ret_value = node->op == TCSI_OP_LAG ? lag(past, node, time_ns) : mean(past, node, time_ns);
    return status;
}

void tcsi_past_persist(tcsi_past *past, tcsi_codec *codec)
{
    uint64_t kept = past->end - past->begin, before = past->border - past->begin;
    tcsi_codec_u64(codec, &kept);
    tcsi_codec_u64(codec, &before);
    tcsi_codec_f64(codec, &past->sum);
    tcsi_codec_u64(codec, &past->count);
    tcsi_codec_u64(codec, &past->row_count);
    tcsi_codec_i64(codec, &past->first_time_ns);
    tcsi_codec_f64(codec, &past->last_value);
    tcsi_codec_i64(codec, &past->last_time_ns);
    tcsi_codec_bool(codec, &past->has_last);
    if (tcsi_codec_loading(codec) && tcsi_codec_status(codec) == TCS_OK) {
        if (kept > TCSI_PAST_ROWS_MAX || kept > codec->in_size / 32 || before > kept || past->count > kept - before) {
            tcsi_codec_refuse(codec, "rows looked back at, out of order");
            return;
        }
        past->end = kept;
        past->border = before;
        for (past->capacity = 16; past->capacity < kept; past->capacity *= 2) {}
        past->rows = TCSI_NEW_ARRAY(tcsi_past_row, past->capacity);
        if (!past->rows) codec->status = tcsi_fail_memory(codec->err, "rows looked back at");
    }
    for (uint64_t i = past->begin; i < past->end && tcsi_codec_status(codec) == TCS_OK; i++) {
        tcsi_past_row *row = row_at(past, i);
        tcsi_codec_i64(codec, &row->time_ns);
        tcsi_codec_f64(codec, &row->value);
        tcsi_codec_f64(codec, &row->sum);
        tcsi_codec_u64(codec, &row->count);
    }
}
