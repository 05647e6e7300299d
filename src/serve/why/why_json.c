/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/why/why_json.h"

#include "serve/why/first_look.h"
#include "series/time.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static void put_time(tcsi_json_writer *writer, const char *key, int64_t time_ns)
{
    char text[TCSI_TIME_TEXT_SIZE];
    (void)tcsi_time_format_iso(time_ns, text, sizeof text);
    tcsi_json_put_string(writer, key, text);
}

/* ---- what the first look made of a row ---- */

static void write_look(const char *key, const tcsi_grounds_row *row, tcsi_json_writer *writer)
{
    tcsi_json_key(writer, key);
    if (!row->is_known) {
        tcsi_json_null(writer);
        return;
    }
    const tcsi_first_look look = tcsi_first_look_of(row);
    tcsi_json_begin_object(writer);
    put_time(writer, "time", row->time_ns);
    tcsi_json_put_number(writer, "value", row->value);
    tcsi_json_put_string(writer, "because", look.is_shift ? "shift" : "jump");
    tcsi_json_put_number(writer, "expected", look.parts.forecast);
    tcsi_json_put_number(writer, "deviation", look.parts.rest_spread);
    tcsi_json_put_number(writer, "from_expected", look.parts.by_forecast);
    tcsi_json_put_number(writer, "level", look.parts.level);
    tcsi_json_put_number(writer, "level_deviation", look.parts.spread);
    tcsi_json_put_number(writer, "from_level", look.parts.by_level);
    tcsi_json_put_number(writer, "score", look.score);
    tcsi_json_put_number(writer, "score_most", look.parts.most);
    tcsi_json_put_number(writer, "usual", look.usual);
    tcsi_json_put_number(writer, "bar", look.bar);
    tcsi_json_put_number(writer, "height", look.height);
    tcsi_json_put_number(writer, "threshold", look.threshold);
    tcsi_json_put_number(writer, "low", look.low);
    tcsi_json_put_number(writer, "high", look.high);
    tcsi_json_end_object(writer);
}

void tcsi_why_write_looks(const tcsi_why *why, tcsi_json_writer *writer)
{
    write_look("first_look", &why->grounds->onset, writer);
    write_look("peak_look", &why->grounds->peak, writer);
}

/* ---- counterfactuals ---- */

static void write_rows(const tcsi_instead_row *rows, size_t count, tcsi_json_writer *writer)
{
    size_t told = 0;
    tcsi_json_key(writer, "rows");
    tcsi_json_begin_array(writer);
    for (size_t i = 0; i < count && told < TCSI_WHY_ROWS_TOLD; i++) {
        if (rows[i].instead == rows[i].value) continue;
        tcsi_json_begin_object(writer);
        put_time(writer, "time", rows[i].time_ns);
        tcsi_json_put_number(writer, "value", rows[i].value);
        tcsi_json_put_number(writer, "instead", rows[i].instead);
        tcsi_json_end_object(writer);
        told++;
    }
    tcsi_json_end_array(writer);
}

static void write_instead(const tcsi_why *why, const tcsi_instead *instead, const tcsi_instead_row *rows, size_t count,
                          tcsi_json_writer *writer)
{
    tcsi_json_begin_object(writer);
    tcsi_json_put_bool(writer, "found", instead->is_found);
    tcsi_json_put_number(writer, "score_before", instead->height_before);
    tcsi_json_put_number(writer, "threshold", instead->threshold);
    tcsi_json_put_integer(writer, "trials", (int64_t)instead->trial_count);
    tcsi_json_put_integer(writer, "rows_judged", (int64_t)count);
    tcsi_json_put_bool(writer, "whole", why->is_whole);
    if (instead->is_found) {
        tcsi_json_put_number(writer, "score_after", instead->height_after);
        tcsi_json_put_number(writer, "change", instead->change);
        tcsi_json_put_number(writer, "change_max", instead->change_max);
        tcsi_json_put_integer(writer, "rows_changed", (int64_t)instead->changed_count);
        write_rows(rows, count, writer);
    }
    tcsi_json_end_object(writer);
}

static void advise(const tcsi_why *why, const tcsi_instead *instead, const tcsi_instead_row *rows, size_t count, char *text)
{
    char tried[128], time[TCSI_TIME_TEXT_SIZE];
    const char *unknown = why->is_whole ? "" : "; what its later rows would have done is not known, since they are not kept singly";
    snprintf(tried, sizeof tried, " (height %.3g instead of %.3g, threshold %.3g)", instead->height_after, instead->height_before,
             instead->threshold);
    if (!instead->is_like_then) {
        snprintf(text, TCSI_ADVICE_SIZE, "its rows, judged again, do not do what they did: nothing was tried");
    } else if (!instead->is_found) {
        snprintf(text, TCSI_ADVICE_SIZE, "no change that was tried would have kept it quiet (height %.3g, threshold %.3g)",
                 instead->height_before, instead->threshold);
    } else if (instead->changed_count <= 1) {
        (void)tcsi_time_format_iso(rows[0].time_ns, time, sizeof time);
        snprintf(text, TCSI_ADVICE_SIZE, "it would not have opened with %.6g instead of %.6g at %s, a change of %.3g deviations%s%s",
                 rows[0].instead, rows[0].value, time, instead->change, tried, unknown);
    } else {
        snprintf(text, TCSI_ADVICE_SIZE,
                 "it would not have opened with %zu of its %zu rows changed, by %.3g deviations at most, the first to %.6g from %.6g%s%s",
                 instead->changed_count, count, instead->change_max, rows[0].instead, rows[0].value, tried, unknown);
    }
}

/* Known singly, or the first alone. */
static tcsi_instead_row *rows_of(const tcsi_why *why, tcsi_instead_row *onset, size_t *ret_count)
{
    const tcsi_grounds_row *row = &why->grounds->onset;
    const bool is_known = why->row_count > 0 && why->rows[0].time_ns == row->time_ns && why->rows[0].value == row->value;
    *onset = (tcsi_instead_row){ .time_ns = row->time_ns, .value = row->value };
    *ret_count = is_known ? why->row_count : 1;
    return is_known ? why->rows : onset;
}

tcs_status tcsi_why_write_counterfactuals(const tcsi_why *why, tcsi_json_writer *writer, char ret_advice[TCSI_ADVICE_SIZE], tcs_error *err)
{
    const tcsi_grounds *grounds = why->grounds;
    const bool is_tried = grounds->sequence && grounds->onset.is_known && isfinite(grounds->onset.threshold);
    const bool by_rows = grounds->confirmed_by == TCSI_GROUNDS_HEIGHT || grounds->confirmed_by == TCSI_GROUNDS_LENGTH;
    tcsi_instead_row onset;
    tcsi_instead instead;
    size_t count = 0;
    tcs_status status = TCS_OK;
    *ret_advice = 0;
    tcsi_instead_row *rows = rows_of(why, &onset, &count);
    tcsi_json_key(writer, "counterfactual");
    if (is_tried) status = tcsi_instead_find(grounds, TCSI_INSTEAD_OPENED, why->is_ordinary, rows, count, &instead, err);
    if (status != TCS_OK) return status;
    if (is_tried) {
        write_instead(why, &instead, rows, count, writer);
        advise(why, &instead, rows, count, ret_advice);
    } else {
        tcsi_json_null(writer);
    }
    tcsi_json_key(writer, "unconfirmed");
    const bool is_asked = is_tried && by_rows && (count > 1 || grounds->confirmed_ns == grounds->onset.time_ns);
    if (is_asked) status = tcsi_instead_find(grounds, TCSI_INSTEAD_CONFIRMED, why->is_ordinary, rows, count, &instead, err);
    if (status != TCS_OK) return status;
    if (is_asked) write_instead(why, &instead, rows, count, writer);
    else tcsi_json_null(writer);
    return TCS_OK;
}
