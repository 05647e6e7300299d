/* serve/api/watch.c -- what the service watches about itself: as of now, and over the days that are kept (watch_hours.h).
 *
 * Over days: equal steps of whole hours, from the first in which anything was known to the last; a step that was not is null, so that a
 * chart has a gap there.  A day is shown by the hour, three months by a quarter of a day: no more than POINTS steps, some 190 kB with every
 * figure known.
 * SPDX-License-Identifier: Apache-2.0 */
#include "serve/api/api.h"

#include "base/alloc.h"
#include "serve/watch_hours.h"

#include <math.h>
#include <stddef.h>

enum { POINTS = 361 }; /* 90 days by 6 hours, and the step that goes on */

static tcs_status get_watch(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    const tcsi_api *api = context;
    tcsi_json_writer writer;
    (void)request;
    tcsi_json_writer_init(&writer, &response->body, false);
    tcsi_json_begin_object(&writer);
    tcsi_json_key(&writer, "watch");
    tcsi_watching_write(api->watching, &writer);
    tcsi_json_end_object(&writer);
    return tcsi_json_finish(&writer, err);
}

/* ---- over days ---- */

typedef struct past {
    tcsi_watch_hour steps[POINTS];
    size_t count, first, end; /* those between first and end are shown */
    int64_t begin_ns, step_ns;
} past;

static int64_t floor_to(int64_t time_ns, int64_t step_ns)
{
    return time_ns - time_ns % step_ns;
}

static void lay_out(past *p, int64_t days, int64_t now_ns)
{
    const int64_t hours = days * 24;
    p->step_ns = (hours + POINTS - 2) / (POINTS - 1) * TCSI_WATCH_HOUR_NS;
    const int64_t end_ns = floor_to(now_ns, p->step_ns);
    p->begin_ns = floor_to(now_ns - hours * TCSI_WATCH_HOUR_NS, p->step_ns);
    p->count = (size_t)((end_ns - p->begin_ns) / p->step_ns) + 1;
    TCS_ASSERT(p->count <= POINTS);
    p->first = p->count;
    for (size_t i = 0; i < p->count; i++) tcsi_watch_hour_init(&p->steps[i], p->begin_ns + (int64_t)i * p->step_ns);
}

/* The newest comes first. */
static bool add_hour(void *context, const tcsi_store_record *record)
{
    past *p = context;
    tcsi_watch_hour hour;
    tcs_error ignored;
    const int64_t at = (record->begin_ns - p->begin_ns) / p->step_ns;
    if (record->begin_ns < p->begin_ns || at >= (int64_t)p->count) return true;
    if (tcsi_watch_hour_read(record, &hour, &ignored) != TCS_OK) return true; /* a gap, as if nothing had been known */
    tcsi_watch_hour *step = &p->steps[at];
    for (size_t i = 0; i < TCSI_WATCH_COUNT; i++) step->spreads[i] = tcsi_watch_spread_join(&hour.spreads[i], &step->spreads[i]);
    if (p->end == 0) p->end = (size_t)at + 1;
    p->first = (size_t)at;
    return true;
}

static void put_column(const past *p, size_t figure, const char *name, size_t offset, tcsi_json_writer *writer)
{
    tcsi_json_key(writer, name);
    tcsi_json_begin_array(writer);
    for (size_t i = p->first; i < p->end; i++)
        tcsi_json_number(writer, *(const double *)(const void *)((const char *)&p->steps[i].spreads[figure] + offset)); /* NaN: null */
    tcsi_json_end_array(writer);
}

static void put_figure(const past *p, size_t figure, tcsi_json_writer *writer)
{
    const tcsi_watch_row *row = &tcsi_watch_rows[figure];
    tcsi_json_begin_object(writer);
    tcsi_json_put_string(writer, "figure", row->name);
    tcsi_json_put_bool(writer, "is_floor", row->is_floor);
    tcsi_json_put_string(writer, "unit", row->unit);
    tcsi_json_put_string(writer, "help", row->help);
    put_column(p, figure, "least", offsetof(tcsi_watch_spread, least), writer);
    put_column(p, figure, "mean", offsetof(tcsi_watch_spread, mean), writer);
    put_column(p, figure, "greatest", offsetof(tcsi_watch_spread, greatest), writer);
    put_column(p, figure, "bound", offsetof(tcsi_watch_spread, bound), writer);
    tcsi_json_end_object(writer);
}

static tcs_status write_past(const past *p, tcsi_buffer *out, tcs_error *err)
{
    tcsi_json_writer writer;
    tcsi_json_writer_init(&writer, out, false);
    tcsi_json_begin_object(&writer);
    tcsi_json_put_number(&writer, "step_seconds", (double)p->step_ns / 1e9);
    tcsi_json_key(&writer, "time");
    tcsi_json_begin_array(&writer);
    for (size_t i = p->first; i < p->end; i++) tcsi_json_number(&writer, (double)p->steps[i].begin_ns / 1e9);
    tcsi_json_end_array(&writer);
    tcsi_json_key(&writer, "figures");
    tcsi_json_begin_array(&writer);
    for (size_t i = 0; i < TCSI_WATCH_COUNT; i++) put_figure(p, i, &writer);
    tcsi_json_end_array(&writer);
    tcsi_json_end_object(&writer);
    return tcsi_json_finish(&writer, err);
}

static tcs_status get_past(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    past *p = TCSI_NEW(past);
    if (!p) return tcsi_fail_memory(err, "what was watched");
    lay_out(p, tcsi_request_integer(request, "days", 30), request->received_ns);
    const tcsi_store_record_query query = { .kind = TCSI_STORE_WATCH, .from_ns = p->begin_ns };
    tcs_status status = tcsi_api_records(context, &query, add_hour, p, err);
    if (status == TCS_OK) status = write_past(p, &response->body, err);
    tcsi_free(p);
    return status;
}

/* ---- the table ---- */

#define NUMBERS "{\"type\":\"array\",\"items\":{\"type\":[\"number\",\"null\"]}}"

static const char past_schema[] =
    "{\"type\":\"object\",\"required\":[\"step_seconds\",\"time\",\"figures\"],\"properties\":{\"step_seconds\":{\"type\":\"number\"},"
    "\"time\":{\"type\":\"array\",\"items\":{\"type\":\"number\"}},\"figures\":{\"type\":\"array\",\"items\":{\"type\":\"object\","
    "\"required\":[\"figure\",\"is_floor\",\"unit\",\"help\",\"least\",\"mean\",\"greatest\",\"bound\"],\"properties\":{"
    "\"figure\":{\"type\":\"string\"},\"is_floor\":{\"type\":\"boolean\"},\"unit\":{\"type\":\"string\"},\"help\":{\"type\":\"string\"},"
    "\"least\":" NUMBERS ",\"mean\":" NUMBERS ",\"greatest\":" NUMBERS ",\"bound\":" NUMBERS "}}}}}";

static const tcsi_route table[] = {
    { .method = TCSI_GET, .path = "/api/v1/watch", .role = TCSI_ROLE_VIEWER, .handle = get_watch, .id = "watch", .group = TCSI_API_ASK,
      .summary = "What the service watches about itself, and whether it is within its bounds.",
      .answers = { { 200, "The figures.", "application/json", NULL } } },
    { .method = TCSI_GET, .path = "/api/v1/watch/history", .role = TCSI_ROLE_VIEWER, .handle = get_past, .id = "watch_history",
      .group = TCSI_API_ASK, .summary = "What the service watched about itself, in equal steps of whole hours.",
      .parameters = { { .name = "days", .type = TCSI_ARGUMENT_INTEGER, .help = "up to now", .fallback = "30", .low = 1,
                        .high = TCSI_WATCH_HOURS_DAYS } },
      .answers = { { 200, "When steps begin, in seconds since 1970; of each figure the least, mean and greatest of a step and its bound, "
                          "null where it was unknown.", "application/json", past_schema } } },
};

tcs_status tcsi_api_mount_watch(tcsi_router *router, tcsi_api *api, tcs_error *err)
{
    return tcsi_router_mount(router, table, TCS_COUNT(table), api, err);
}
