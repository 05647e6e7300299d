/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/api/api.h"

#include <math.h>
#include <string.h>

/* ---- series ---- */

typedef struct seen_series {
    tcsi_live_series series;
    double allowed; /* alarms of chance per row */
    tcsi_limits limits;
} seen_series;

static void look(void *context, const tcsi_cell *cell, const tcsi_live_series *series)
{
    *(seen_series *)context = (seen_series){ *series, tcsi_taught_allowed(cell, series),
                                              tcsi_policies_get(&cell->policies, series->policy)->limits };
}

static tcs_status write_series(const tcsi_api *api, uint32_t number, tcsi_json_writer *writer, tcs_error *err)
{
    const tcsi_directory_entry *entry = tcsi_directory_entry_of(tcsi_live_directory(api->live), number);
    seen_series seen;
    tcsi_buffer name;
    double expected, deviation;
    tcsi_buffer_init(&name, 4 * TCSI_KEY_SIZE_MAX);
    tcs_status status = tcsi_api_series_name(api, number, &name, err);
    if (status == TCS_OK && !tcsi_live_ask(api->live, number, look, &seen)) status = tcsi_fail_memory(err, "a question");
    if (status == TCS_OK) {
        const tcsi_presence *presence = &seen.series.presence;
        tcsi_residual_chart_expect(&seen.series.chart, &expected, &deviation);
        tcsi_json_begin_object(writer);
        tcsi_json_put_integer(writer, "number", number);
        tcsi_json_put_string(writer, "series", name.data);
        tcsi_json_put_string(writer, "readiness", tcsi_live_readiness_names[tcsi_live_series_readiness(&seen.series)]);
        tcsi_api_put_time(writer, "first_seen", entry->first_seen_ns);
        if (seen.series.arrival.newest_ns[0] != INT64_MIN) tcsi_api_put_time(writer, "last_row", seen.series.arrival.newest_ns[0]);
        if (presence->cadence_s > 0) tcsi_json_put_number(writer, "cadence_seconds", (double)presence->cadence_s);
        tcsi_json_put_number(writer, "allowed_alarms_per_day", 86400 * seen.allowed * tcsi_presence_rate(presence));
        tcsi_json_put_number(writer, "gap_seconds", (double)presence->gap_s);
        tcsi_json_put_number(writer, "lag_seconds", (double)presence->lag_s);
        if (seen.series.chart.count > 0) {
            tcsi_json_put_number(writer, "value", seen.series.chart.last);
            tcsi_json_put_number(writer, "expected", expected);
            tcsi_json_put_number(writer, "deviation", deviation);
        }
        if (!isnan(seen.limits.low)) tcsi_json_put_number(writer, "low", seen.limits.low);
        if (!isnan(seen.limits.high)) tcsi_json_put_number(writer, "high", seen.limits.high);
        tcsi_json_put_bool(writer, "is_rate", seen.series.kind != TCSI_SERIES_GAUGE);
        tcsi_json_put_bool(writer, "is_anomalous", seen.series.anomaly.begin_sequence != 0);
        tcsi_json_put_bool(writer, "is_absent", tcsi_presence_is_open(presence, TCSI_LIVE_ABSENCE));
        tcsi_json_put_bool(writer, "is_stuck", tcsi_presence_is_open(presence, TCSI_LIVE_STUCK));
        tcsi_json_put_bool(writer, "is_stale", tcsi_presence_is_open(presence, TCSI_LIVE_STALE));
        tcsi_json_put_bool(writer, "is_late", tcsi_presence_is_open(presence, TCSI_LIVE_LATE));
        tcsi_json_put_bool(writer, "is_cadence_changed", tcsi_presence_is_open(presence, TCSI_LIVE_CADENCE));
        tcsi_json_put_bool(writer, "is_beyond_limit", seen.series.passed.side != TCSI_PASSED_NONE);
        tcsi_json_end_object(writer);
    }
    tcsi_buffer_deinit(&name);
    return status;
}

/* The next series from number on whose name has match in it; count: there is none. */
static tcs_status find_match(const tcsi_api *api, uint32_t *number, uint32_t count, const char *match, tcs_error *err)
{
    tcsi_buffer name;
    tcs_status status = TCS_OK;
    if (!match || !*match) return TCS_OK;
    tcsi_buffer_init(&name, 4 * TCSI_KEY_SIZE_MAX);
    for (; status == TCS_OK && *number < count; ++*number) {
        tcsi_buffer_clear(&name);
        status = tcsi_api_series_name(api, *number, &name, err);
        if (status == TCS_OK && strstr(name.data, match)) break;
    }
    tcsi_buffer_deinit(&name);
    return status;
}

static tcs_status list_series(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    const tcsi_api *api = context;
    const uint32_t count = tcsi_directory_count(tcsi_live_directory(api->live));
    const int64_t after = tcsi_request_integer(request, "after", -1), limit = tcsi_request_integer(request, "limit", TCSI_API_PAGE);
    const char *match = tcsi_request_text(request, "match");
    tcsi_json_writer writer;
    tcs_status status = TCS_OK;
    uint32_t number = (uint32_t)(after + 1 < (int64_t)count ? after + 1 : (int64_t)count);
    tcsi_json_writer_init(&writer, &response->body, false);
    tcsi_json_begin_object(&writer);
    tcsi_json_put_integer(&writer, "count", count);
    tcsi_json_key(&writer, "series");
    tcsi_json_begin_array(&writer);
    status = find_match(api, &number, count, match, err);
    for (int64_t i = 0; status == TCS_OK && i < limit && number < count; i++) {
        status = write_series(api, number++, &writer, err);
        if (status == TCS_OK) status = find_match(api, &number, count, match, err);
    }
    tcsi_json_end_array(&writer);
    if (number < count) tcsi_json_put_integer(&writer, "next_after", (int64_t)number - 1);
    tcsi_json_end_object(&writer);
    return status == TCS_OK ? tcsi_json_finish(&writer, err) : status;
}

static tcs_status get_series(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    const tcsi_api *api = context;
    const int64_t number = tcsi_request_integer(request, "number", -1);
    tcsi_json_writer writer;
    if (number < 0 || number >= (int64_t)tcsi_directory_count(tcsi_live_directory(api->live))) {
        tcsi_response_problem(response, request, 404, "series-unknown", "there is no series %lld", (long long)number);
        return TCS_OK;
    }
    tcsi_json_writer_init(&writer, &response->body, false);
    const tcs_status status = write_series(api, (uint32_t)number, &writer, err);
    return status == TCS_OK ? tcsi_json_finish(&writer, err) : status;
}

/* ---- the table ---- */

static const char series_schema[] =
    "{\"type\":\"object\",\"required\":[\"number\",\"series\",\"readiness\"],\"properties\":{\"number\":{\"type\":\"integer\"},"
    "\"series\":{\"type\":\"string\"},\"readiness\":{\"enum\":[\"new\",\"learning\",\"ready\",\"ended\"]},"
    "\"allowed_alarms_per_day\":{\"type\":\"number\"},\"low\":{\"type\":\"number\"},\"high\":{\"type\":\"number\"},"
    "\"is_beyond_limit\":{\"type\":\"boolean\"}}}";
static const char list_schema[] =
    "{\"type\":\"object\",\"required\":[\"count\",\"series\"],\"properties\":{\"count\":{\"type\":\"integer\"},"
    "\"series\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}},\"next_after\":{\"type\":\"integer\"}}}";

static const tcsi_route table[] = {
    { .method = TCSI_GET, .path = "/api/v1/series", .role = TCSI_ROLE_VIEWER, .handle = list_series, .id = "series_list",
      .group = TCSI_API_ASK, .summary = "Live series in the order in which they came.",
      .parameters = { { .name = "after", .type = TCSI_ARGUMENT_INTEGER, .help = "behind this number", .low = 0, .high = 4294967295.0 },
                      { .name = "match", .type = TCSI_ARGUMENT_TEXT, .help = "only those whose name has this text in it" },
                      { .name = "limit", .type = TCSI_ARGUMENT_INTEGER, .help = "at most so many", .fallback = "100", .low = 1,
                        .high = TCSI_API_PAGE_MAX } },
      .answers = { { 200, "A page of them.", "application/json", list_schema } } },
    { .method = TCSI_GET, .path = "/api/v1/series/{number}", .role = TCSI_ROLE_VIEWER, .handle = get_series, .id = "series_get",
      .group = TCSI_API_ASK, .summary = "One live series: what came last, and what is expected next.",
      .parameters = { { .name = "number", .type = TCSI_ARGUMENT_INTEGER, .help = "as the list has it", .low = 0, .high = 4294967295.0 } },
      .answers = { { 200, "The series.", "application/json", series_schema }, { 404, "There is none.", NULL, NULL } } },
};

tcs_status tcsi_api_mount_series(tcsi_router *router, tcsi_api *api, tcs_error *err)
{
    return tcsi_router_mount(router, table, TCS_COUNT(table), api, err);
}
