/* serve/api/quality.c -- how good alarms were: day by day, of all of them, and by team (adapt/tally.h).
 *
 * An alarm is what was confirmed, and what somebody answered though it was not; a missed event is one that somebody marked.  A team is the
 * value of a tag of the series, `team` unless another one is asked for.  Prices are the owner's (`--cost-...`), and nothing has one by
 * default.  Time to detect is from the first row beyond the threshold until the episode was confirmed, by the rows' stamps: how long the
 * event had gone on before that nobody knows.  SPDX-License-Identifier: Apache-2.0 */
#include "serve/api/labelled.h"

#include "adapt/tally.h"
#include "base/alloc.h"
#include "serve/keep_answer.h"
#include "serve/why/grounds_json.h"
#include "series/time.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DAYS_MAX = 366, TEAMS_MAX = 200 };
static const int64_t DAY_NS = INT64_C(86400000000000);

typedef struct team {
    const char *name; /* "": those whose series lack the tag; the last one has what is beyond TEAMS_MAX */
    tcsi_tally tally;
} team;

typedef struct quality {
    const tcsi_api *api;
    tcsi_arena *arena, scratch; /* of the request; of one document */
    const char *by;             /* the tag */
    tcsi_tally days[DAYS_MAX], total;
    size_t day_count;
    int64_t begin_ns;           /* of the first day */
    team teams[TEAMS_MAX];
    size_t team_count;
    tcs_status status;
    tcs_error *err;
} quality;

/* ---- counting ---- */

/* The tag's value of the document's series; "": it has none. */
static const char *team_of(quality *q, const tcsi_json_value *document)
{
    const tcsi_json_value *series = tcsi_json_get(document, "series");
    tcs_error ignored;
    tcsi_key key;
    if (!series || series->type != TCSI_JSON_STRING) return "";
    if (tcsi_key_parse(series->text, series->text_size, &q->scratch, &key, &ignored) != TCS_OK) return "";
    const tcsi_tag *tag = tcsi_key_get(&key, q->by);
    const char *value = tag ? tcsi_arena_strndup(&q->scratch, tag->value, tag->value_size) : "";
    return value ? value : "";
}

static tcsi_tally *tally_of(quality *q, const char *name)
{
    for (size_t i = 0; i < q->team_count; i++)
        if (strcmp(q->teams[i].name, name) == 0) return &q->teams[i].tally;
    if (q->team_count == TEAMS_MAX) return &q->teams[TEAMS_MAX - 1].tally;
    const bool is_last = q->team_count == TEAMS_MAX - 1;
    const char *kept = is_last ? "(others)" : tcsi_arena_strndup(q->arena, name, strlen(name));
    q->teams[q->team_count].name = kept ? kept : "";
    return &q->teams[q->team_count++].tally;
}

/* From the onset to the confirmation, of an anomaly whose grounds have both. */
static double detect_of(const tcsi_json_value *document, const tcsi_store_record *record)
{
    tcsi_grounds grounds;
    if (!tcsi_grounds_read(tcsi_json_get(document, "grounds"), &grounds) || !grounds.confirmed_by) return NAN;
    return ((double)grounds.confirmed_ns - (double)record->begin_ns) * 1e-9;
}

static tcsi_tally_event event_of(const quality *q, const tcsi_store_record *record, const tcsi_json_value *document)
{
    const tcsi_labelled_item *answered = tcsi_labelled_find(q->api, record->id);
    const bool is_told = record->state == TCSI_LIVE_CONFIRMED || record->state == TCSI_LIVE_RESOLVED;
    const bool is_mark = strncmp(record->id, TCSI_MISSED_PREFIX, strlen(TCSI_MISSED_PREFIX)) == 0;
    tcsi_tally_event event = { .is_missed = is_mark && answered, /* one that was taken back is none */
                                 .is_alarm = !is_mark && (is_told || answered), .is_answered = !is_mark && answered,
                                 .verdict = TCSI_ANSWER_VERDICT_COUNT, .real = NAN, .detect_s = NAN };
    if (!event.is_answered) return event;
    for (uint8_t i = 0; i < TCSI_ANSWER_VERDICT_COUNT; i++)
        if (strcmp(answered->answer, tcsi_answer_verdict_names[i]) == 0) event.verdict = i;
    event.real = answered->real;
    if (document) event.detect_s = detect_of(document, record);
    return event;
}

static bool count_record(void *context, const tcsi_store_record *record)
{
    quality *q = context;
    const tcsi_json_value *document = NULL;
    tcs_error ignored;
    if (record->begin_ns < q->begin_ns || (record->begin_ns - q->begin_ns) / DAY_NS >= (int64_t)q->day_count) return true;
    tcsi_arena_reset(&q->scratch);
    if (tcsi_json_parse(record->document, strlen(record->document), &q->scratch, &document, &ignored) != TCS_OK) document = NULL;
    const tcsi_tally_event event = event_of(q, record, document);
    if (!event.is_alarm && !event.is_missed) return true;
    tcsi_tally *const tallies[] = { &q->days[(record->begin_ns - q->begin_ns) / DAY_NS], &q->total,
                                            tally_of(q, document ? team_of(q, document) : "") };
    for (size_t i = 0; i < TCS_COUNT(tallies) && q->status == TCS_OK; i++) q->status = tcsi_tally_add(tallies[i], &event, q->err);
    return q->status == TCS_OK;
}

/* ---- the document ---- */

static void put_share(tcsi_json_writer *writer, const char *const names[3], tcsi_tally_share share)
{
    tcsi_json_put_number(writer, names[0], share.share);
    tcsi_json_put_number(writer, names[1], share.low);
    tcsi_json_put_number(writer, names[2], share.high);
}

/* The members of an object that is open. */
static void write_tally(const quality *q, tcsi_tally *tally, tcsi_json_writer *writer)
{
    static const char *const precision[] = { "precision", "precision_low", "precision_high" };
    static const char *const recall[] = { "recall", "recall_low", "recall_high" };
    const tcsi_tally_cost cost = tcsi_tally_price(tally, &q->api->prices);
    tcsi_json_put_integer(writer, "alarms", (int64_t)tally->alarm_count);
    tcsi_json_put_integer(writer, "answered", (int64_t)tally->answered_count);
    for (size_t i = 0; i < TCSI_ANSWER_VERDICT_COUNT; i++)
        tcsi_json_put_integer(writer, tcsi_answer_verdict_names[i], (int64_t)tally->verdict_counts[i]);
    tcsi_json_put_integer(writer, "missed", (int64_t)tally->missed_count);
    put_share(writer, precision, tcsi_tally_precision(tally));
    put_share(writer, recall, tcsi_tally_recall(tally));
    tcsi_json_put_number(writer, "detect_seconds", tcsi_tally_detect(tally));
    tcsi_json_put_integer(writer, "detect_count", (int64_t)tally->detect_count);
    tcsi_json_put_number(writer, "cost_false", cost.false_alarms);
    tcsi_json_put_number(writer, "cost_missed", cost.missed);
    tcsi_json_put_number(writer, "saved", cost.saved);
    tcsi_json_put_number(writer, "net", cost.net);
}

static void write_days(quality *q, tcsi_json_writer *writer)
{
    tcsi_json_key(writer, "days");
    tcsi_json_begin_array(writer);
    for (size_t i = 0; i < q->day_count; i++) {
        char text[TCSI_TIME_TEXT_SIZE];
        (void)tcsi_time_format_iso(q->begin_ns + (int64_t)i * DAY_NS, text, sizeof text);
        text[10] = 0; /* the date */
        tcsi_json_begin_object(writer);
        tcsi_json_put_string(writer, "day", text);
        write_tally(q, &q->days[i], writer);
        tcsi_json_end_object(writer);
    }
    tcsi_json_end_array(writer);
}

static int by_alarms(const void *a, const void *b)
{
    const team *x = a, *y = b;
    if (x->tally.alarm_count != y->tally.alarm_count) return x->tally.alarm_count < y->tally.alarm_count ? 1 : -1;
    return strcmp(x->name, y->name);
}

static void write_teams(quality *q, tcsi_json_writer *writer)
{
    if (q->team_count > 1) qsort(q->teams, q->team_count, sizeof *q->teams, by_alarms);
    tcsi_json_put_string(writer, "by", q->by);
    tcsi_json_key(writer, "teams");
    tcsi_json_begin_array(writer);
    for (size_t i = 0; i < q->team_count; i++) {
        tcsi_json_begin_object(writer);
        tcsi_json_put_string(writer, "team", q->teams[i].name);
        write_tally(q, &q->teams[i].tally, writer);
        tcsi_json_end_object(writer);
    }
    tcsi_json_end_array(writer);
}

static tcs_status write_quality(quality *q, tcsi_buffer *out, tcs_error *err)
{
    const tcsi_tally_prices *prices = &q->api->prices;
    tcsi_json_writer writer;
    tcsi_json_writer_init(&writer, out, false);
    tcsi_json_begin_object(&writer);
    write_days(q, &writer);
    tcsi_json_key(&writer, "total");
    tcsi_json_begin_object(&writer);
    write_tally(q, &q->total, &writer);
    tcsi_json_end_object(&writer);
    write_teams(q, &writer);
    tcsi_json_key(&writer, "prices");
    tcsi_json_begin_object(&writer);
    tcsi_json_put_number(&writer, "false_alarm", prices->false_alarm);
    tcsi_json_put_number(&writer, "missed", prices->missed);
    tcsi_json_put_number(&writer, "true_alarm", prices->true_alarm);
    tcsi_json_end_object(&writer);
    tcsi_json_put_number(&writer, "alarms_per_day_allowed", 86400 * tcsi_live_budget(q->api->live));
    tcsi_json_end_object(&writer);
    return tcsi_json_finish(&writer, err);
}

static void quality_destroy(quality *q)
{
    for (size_t i = 0; i < q->day_count; i++) tcsi_tally_deinit(&q->days[i]);
    for (size_t i = 0; i < q->team_count; i++) tcsi_tally_deinit(&q->teams[i].tally);
    tcsi_tally_deinit(&q->total);
    tcsi_arena_deinit(&q->scratch);
    tcsi_free(q);
}

static tcs_status get_quality(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    tcsi_api *api = context;
    const char *by = tcsi_request_text(request, "by");
    quality *q = TCSI_NEW(quality);
    if (!q) return tcsi_fail_memory(err, "quality by day");
    q->api = api;
    q->arena = request->arena;
    q->by = by && *by ? by : "team";
    q->err = err;
    q->day_count = (size_t)tcsi_request_integer(request, "days", 30);
    q->begin_ns = (request->received_ns / DAY_NS + 1 - (int64_t)q->day_count) * DAY_NS;
    tcsi_arena_init(&q->scratch, 0);
    const tcsi_store_record_query query = { .kind = TCSI_STORE_EPISODE, .from_ns = q->begin_ns };
    tcs_status status = tcsi_labelled_begin(api, err);
    if (status == TCS_OK) {
        status = tcsi_api_records(api, &query, count_record, q, err);
        tcsi_labelled_end(api);
    }
    if (status == TCS_OK) status = q->status;
    if (status == TCS_OK) status = write_quality(q, &response->body, err);
    quality_destroy(q);
    return status;
}

/* ---- the table ---- */

static const char quality_schema[] =
    "{\"type\":\"object\",\"required\":[\"days\",\"total\",\"by\",\"teams\",\"prices\"],\"properties\":{\"days\":{\"type\":\"array\","
    "\"items\":{\"type\":\"object\",\"required\":[\"day\",\"alarms\",\"answered\",\"missed\",\"precision\",\"recall\"]}},"
    "\"total\":{\"type\":\"object\"},\"by\":{\"type\":\"string\"},\"teams\":{\"type\":\"array\","
    "\"items\":{\"type\":\"object\",\"required\":[\"team\",\"alarms\"]}},\"prices\":{\"type\":\"object\"}}}";

static const tcsi_route table[] = {
    { .method = TCSI_GET, .path = "/api/v1/quality", .role = TCSI_ROLE_VIEWER, .handle = get_quality, .id = "quality",
      .group = TCSI_API_ASK,
      .summary = "How good alarms were: precision, recall of what is known, time to detect, cost; by day, in all, and by team.",
      .parameters = { { .name = "days", .type = TCSI_ARGUMENT_INTEGER, .help = "up to today", .fallback = "30", .low = 1,
                        .high = DAYS_MAX },
                      { .name = "by", .type = TCSI_ARGUMENT_TEXT, .help = "the tag of series that says whose they are",
                        .fallback = "team" } },
      .answers = { { 200, "Day by day, the oldest first; teams with the most alarms first, without a name those of no team.",
                     "application/json", quality_schema } } },
};

tcs_status tcsi_api_mount_quality(tcsi_router *router, tcsi_api *api, tcs_error *err)
{
    return tcsi_router_mount(router, table, TCS_COUNT(table), api, err);
}
