/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/api/api.h"

#include "base/clock.h"

#include <math.h>
#include <string.h>

/* ---- alarms against what is allowed ---- */

enum { RAISED_MAX = 10000 }; /* counted no further: this is asked every few seconds */
static const int64_t DAY_NS = INT64_C(86400000000000);

typedef struct raised {
    int64_t since_ns;
    int64_t count;
} raised;

/* An anomaly is told when it opens, whatever becomes of it; ids begin with the kind. */
static bool count_raised(void *context, const tcsi_store_record *record)
{
    raised *r = context;
    const size_t size = strlen(tcsi_live_kind_names[TCSI_LIVE_ANOMALY]);
    r->count += record->begin_ns >= r->since_ns && strncmp(record->id, tcsi_live_kind_names[TCSI_LIVE_ANOMALY], size) == 0;
    return true;
}

/* How many were raised is null while the store cannot be asked: the rest of the status is still worth having. */
static void put_budget(tcsi_api *api, int64_t now_ns, tcsi_json_writer *writer)
{
    raised r = { .since_ns = now_ns - DAY_NS };
    const tcsi_store_record_query query = { .kind = TCSI_STORE_EPISODE, .from_ns = r.since_ns, .limit = RAISED_MAX };
    tcs_error ignored;
    const bool is_known = tcsi_api_records(api, &query, count_raised, &r, &ignored) == TCS_OK;
    tcsi_json_key(writer, "budget");
    tcsi_json_begin_object(writer);
    tcsi_json_put_number(writer, "alarms_per_day", tcsi_live_budget(api->live) * 86400);
    tcsi_json_put_number(writer, "raised_24h", is_known ? (double)r.count : NAN);
    tcsi_json_end_object(writer);
}

/* ---- how it goes ---- */

static tcs_status get_status(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    tcsi_api *api = context;
    const int64_t now_ns = tcsi_clock_wall_ns();
    const tcsi_live_stats live = tcsi_live_stat(api->live);
    const tcsi_journal_stats journal = tcsi_journal_stat(tcsi_intake_journal(api->intake));
    const tcsi_intake_stats intake = tcsi_intake_stat(api->intake);
    const tcsi_chronicle_stats history = api->history ? tcsi_chronicle_stat(api->history) : (tcsi_chronicle_stats){ 0 };
    tcsi_json_writer writer;
    tcsi_json_writer_init(&writer, &response->body, false);
    tcsi_json_begin_object(&writer);
    tcsi_json_put_string(&writer, "who", *request->who ? request->who : "local");
    tcsi_json_put_string(&writer, "role", tcsi_role_names[request->role]);
    tcsi_api_put_time(&writer, "started", api->started_ns);
    tcsi_api_put_time(&writer, "now", now_ns);
    put_budget(api, now_ns, &writer);
    tcsi_json_put_integer(&writer, "series", (int64_t)live.series_count);
    tcsi_json_put_integer(&writer, "rows_scored", (int64_t)live.row_count);
    tcsi_json_put_integer(&writer, "rows_unusual", (int64_t)live.unusual_count);
    tcsi_json_put_integer(&writer, "rows_waiting", (int64_t)live.waiting_row_count);
    tcsi_json_put_number(&writer, "latency_p50_seconds", tcsi_live_latency(&live, 0.5));
    tcsi_json_put_number(&writer, "latency_p99_seconds", tcsi_live_latency(&live, 0.99));
    tcsi_json_put_integer(&writer, "requests", (int64_t)intake.request_count);
    tcsi_json_put_integer(&writer, "requests_refused", (int64_t)intake.refused_count);
    tcsi_json_put_integer(&writer, "journal_first", (int64_t)journal.sequence_first);
    tcsi_json_put_integer(&writer, "journal_next", (int64_t)journal.sequence_next);
    tcsi_json_put_integer(&writer, "journal_failures", (int64_t)journal.failure_count);
    tcsi_deep_report_write(api->deep, &writer);
    tcsi_json_key(&writer, "history");
    tcsi_json_begin_object(&writer);
    tcsi_json_put_bool(&writer, "is_kept", api->history != NULL);
    tcsi_json_put_integer(&writer, "rows", (int64_t)live.reeled_count);
    tcsi_json_put_integer(&writer, "rows_merged", (int64_t)live.merged_count);
    tcsi_json_put_integer(&writer, "rows_dropped", (int64_t)(live.unreeled_count + history.dropped_count));
    tcsi_json_put_number(&writer, "step_seconds", (double)live.step_ns * 1e-9);
    tcsi_json_put_integer(&writer, "blocks", (int64_t)history.block_count);
    tcsi_json_put_integer(&writer, "block_bytes", (int64_t)history.byte_count);
    tcsi_json_put_integer(&writer, "failures", (int64_t)history.failure_count);
    tcsi_json_end_object(&writer);
    tcsi_json_key(&writer, "samples");
    tcsi_json_begin_object(&writer);
    for (size_t i = 0; i < TCSI_OUTCOME_COUNT; i++)
        tcsi_json_put_integer(&writer, tcsi_outcome_name((tcsi_outcome)i), (int64_t)(live.outcomes[i] + intake.outcomes[i]));
    tcsi_json_end_object(&writer);
    tcsi_json_end_object(&writer);
    return tcsi_json_finish(&writer, err);
}

/* ---- the table ---- */

static const tcsi_route table[] = {
    { .method = TCSI_GET, .path = "/api/v1/status", .role = TCSI_ROLE_VIEWER, .handle = get_status, .id = "status", .group = TCSI_API_ASK,
      .summary = "Counts of what came, waits and was kept, and who asks.",
      .answers = { { 200, "The counts.", "application/json", NULL } } },
};

tcs_status tcsi_api_mount_status(tcsi_router *router, tcsi_api *api, tcs_error *err)
{
    return tcsi_router_mount(router, table, TCS_COUNT(table), api, err);
}
