/* serve/api/history.c -- what a series was, in as many points as a picture has.  SPDX-License-Identifier: Apache-2.0 */
#include "serve/api/api.h"
#include "serve/history/buckets.h"

#include <math.h>

enum { POINTS = 1000, POINTS_MAX = 10000 };
static const int64_t SPAN_NS = INT64_C(86400000000000);

static bool push_row(void *context, const tcsi_chronicle_row *row)
{
    tcsi_buckets_push(context, row);
    return true;
}

static void look(void *context, const tcsi_cell *cell, const tcsi_live_series *series)
{
    (void)cell;
    *(double *)context = (double)series->presence.cadence_s;
}

/* A step shorter than that of the rows would show holes. */
static int64_t step_min_of(const tcsi_api *api, uint32_t number)
{
    double cadence_s = 0;
    if (!tcsi_live_ask(api->live, number, look, &cadence_s)) return 0;
    return (int64_t)fmin(cadence_s * 1e9, 86400e9);
}

static void put_times(tcsi_json_writer *writer, const tcsi_buckets *buckets)
{
    tcsi_json_key(writer, "time");
    tcsi_json_begin_array(writer);
    for (size_t i = 0; i < buckets->count; i++)
        tcsi_json_number(writer, (double)(buckets->begin_ns + (int64_t)i * buckets->step_ns) / 1e9);
    tcsi_json_end_array(writer);
}

static void put_column(tcsi_json_writer *writer, const char *name, const tcsi_buckets *buckets, size_t offset)
{
    tcsi_json_key(writer, name);
    tcsi_json_begin_array(writer);
    for (size_t i = 0; i < buckets->count; i++) {
        const tcsi_bucket_shown shown = tcsi_bucket_show(&buckets->items[i]);
        tcsi_json_number(writer, *(const double *)(const void *)((const char *)&shown + offset)); /* NaN: null */
    }
    tcsi_json_end_array(writer);
}

static void put_buckets(tcsi_json_writer *writer, const tcsi_buckets *buckets)
{
    static const struct { const char *name; size_t offset; } columns[] = {
        { "value", offsetof(tcsi_bucket_shown, value) },       { "low", offsetof(tcsi_bucket_shown, low) },
        { "high", offsetof(tcsi_bucket_shown, high) },         { "expected", offsetof(tcsi_bucket_shown, expected) },
        { "lower", offsetof(tcsi_bucket_shown, lower) },       { "upper", offsetof(tcsi_bucket_shown, upper) },
        { "score", offsetof(tcsi_bucket_shown, score) },
    };
    tcsi_json_put_number(writer, "step_seconds", (double)buckets->step_ns / 1e9);
    put_times(writer, buckets);
    for (size_t i = 0; i < TCS_COUNT(columns); i++) put_column(writer, columns[i].name, buckets, columns[i].offset);
}

static tcs_status write_history(const tcsi_api *api, uint32_t number, const tcsi_buckets *buckets, tcsi_buffer *out, tcs_error *err)
{
    tcsi_json_writer writer;
    tcsi_buffer name;
    tcsi_buffer_init(&name, 4 * TCSI_KEY_SIZE_MAX);
    const tcs_status status = tcsi_api_series_name(api, number, &name, err);
    if (status == TCS_OK) {
        tcsi_json_writer_init(&writer, out, false);
        tcsi_json_begin_object(&writer);
        tcsi_json_put_string(&writer, "series", name.data);
        tcsi_json_put_integer(&writer, "number", number);
        put_buckets(&writer, buckets);
        tcsi_json_end_object(&writer);
    }
    tcsi_buffer_deinit(&name);
    return status == TCS_OK ? tcsi_json_finish(&writer, err) : status;
}

static tcs_status get_history(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    const tcsi_api *api = context;
    const int64_t number = tcsi_request_integer(request, "number", -1);
    int64_t to_ns = request->received_ns, from_ns;
    tcsi_buckets buckets = { 0 };
    if (!api->history) {
        tcsi_response_problem(response, request, 404, "history-off", "no history is kept (--history off)");
        return TCS_OK;
    }
    if (number < 0 || number >= (int64_t)tcsi_directory_count(tcsi_live_directory(api->live))) {
        tcsi_response_problem(response, request, 404, "series-unknown", "there is no series %lld", (long long)number);
        return TCS_OK;
    }
    if (!tcsi_api_time_parameter(request, "to", &to_ns, err)) return TCS_E_INVALID;
    from_ns = to_ns > INT64_MIN + SPAN_NS ? to_ns - SPAN_NS : to_ns;
    if (!tcsi_api_time_parameter(request, "from", &from_ns, err)) return TCS_E_INVALID;
    if (from_ns > to_ns) return tcsi_fail(err, TCS_E_INVALID, "from is later than to");
    tcs_status status = tcsi_buckets_init(&buckets, from_ns, to_ns, (size_t)tcsi_request_integer(request, "points", POINTS),
                                          step_min_of(api, (uint32_t)number), err);
    if (status == TCS_OK)
        status = tcsi_chronicle_read(api->history, (uint32_t)number, from_ns, to_ns, buckets.step_ns, push_row, &buckets, err);
    if (status == TCS_OK) status = write_history(api, (uint32_t)number, &buckets, &response->body, err);
    tcsi_buckets_deinit(&buckets);
    return status;
}

/* ---- the table ---- */

#define NUMBERS "{\"type\":\"array\",\"items\":{\"type\":[\"number\",\"null\"]}}"

static const char history_schema[] =
    "{\"type\":\"object\",\"required\":[\"series\",\"number\",\"step_seconds\",\"time\",\"value\",\"low\",\"high\",\"expected\",\"lower\","
    "\"upper\",\"score\"],\"properties\":{\"series\":{\"type\":\"string\"},\"number\":{\"type\":\"integer\"},"
    "\"step_seconds\":{\"type\":\"number\"},"
    "\"time\":{\"type\":\"array\",\"items\":{\"type\":\"number\"}},\"value\":" NUMBERS ",\"low\":" NUMBERS ",\"high\":" NUMBERS
    ",\"expected\":" NUMBERS ",\"lower\":" NUMBERS ",\"upper\":" NUMBERS ",\"score\":" NUMBERS "}}";

static const tcsi_route table[] = {
    { .method = TCSI_GET, .path = "/api/v1/series/{number}/history", .role = TCSI_ROLE_VIEWER, .handle = get_history,
      .id = "series_history", .group = TCSI_API_ASK,
      .summary = "What a series was, what was expected, and its scores, in equal steps of time.",
      .parameters = { { .name = "number", .type = TCSI_ARGUMENT_INTEGER, .help = "as the list has it", .low = 0, .high = 4294967295.0 },
                      { .name = "from", .type = TCSI_ARGUMENT_TEXT, .help = "a time; default a day before `to`" },
                      { .name = "to", .type = TCSI_ARGUMENT_TEXT, .help = "a time; default now" },
                      { .name = "points", .type = TCSI_ARGUMENT_INTEGER, .help = "at most so many steps", .fallback = "1000", .low = 1,
                        .high = POINTS_MAX } },
      .answers = { { 200, "Each step's mean, least and greatest value, what was expected, the band of 3 deviations, the greatest score.",
                     "application/json", history_schema }, { 404, "There is no such series, or no history is kept.", NULL, NULL } } },
};

tcs_status tcsi_api_mount_history(tcsi_router *router, tcsi_api *api, tcs_error *err)
{
    return tcsi_router_mount(router, table, TCS_COUNT(table), api, err);
}
