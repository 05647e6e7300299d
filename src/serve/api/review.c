/* serve/api/review.c -- what answers tell: past episodes like one, whom to ask about what next, how right alarms were.
 *
 * Nothing in here decides.  A question reads the newest episodes of the store, at most RECENT_MAX, and looks at their patterns.
 * SPDX-License-Identifier: Apache-2.0 */
#include "serve/api/labelled.h"
#include "serve/api/similar.h"

#include "adapt/review.h"
#include "base/alloc.h"
#include "serve/keep_answer.h"
#include "series/time.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RECENT_MAX = 1000, SIMILAR_MAX = 10, DAYS_MAX = 366 };
static const double DISPUTED = 0.5, SURE_95 = 1.959964;
static const int64_t DAY_NS = INT64_C(86400000000000);

/* ---- episodes with patterns ---- */

typedef struct recent {
    const char *id, *series, *begin, *document;
    int64_t begin_ns;
    tcsi_pattern pattern;
} recent;

typedef struct listing {
    tcsi_arena *arena, scratch; /* of the request; of one document */
    recent *items;              /* (RECENT_MAX) */
    size_t count;
    bool is_full;               /* out of memory */
} listing;

static const char *copy(listing *l, const char *text)
{
    const char *copied = tcsi_arena_strndup(l->arena, text, strlen(text));
    l->is_full |= !copied;
    return copied;
}

static const char *text_of(const tcsi_json_value *object, const char *key)
{
    const tcsi_json_value *value = tcsi_json_get(object, key);
    return value && value->type == TCSI_JSON_STRING ? value->text : "";
}

static bool take_record(void *context, const tcsi_store_record *record)
{
    listing *l = context;
    const tcsi_json_value *document = NULL;
    recent *item = &l->items[l->count];
    tcs_error ignored;
    tcsi_arena_reset(&l->scratch);
    if (tcsi_json_parse(record->document, strlen(record->document), &l->scratch, &document, &ignored) != TCS_OK) return true;
    if (tcsi_pattern_read(tcsi_json_get(document, "pattern"), &item->pattern, &ignored) != TCS_OK) return true;
    item->id = copy(l, record->id);
    item->series = copy(l, text_of(document, "series"));
    item->begin = copy(l, text_of(document, "begin"));
    item->document = copy(l, record->document);
    item->begin_ns = record->begin_ns;
    return ++l->count < RECENT_MAX && !l->is_full;
}

/* The newest ones that began before before_ns (0: all), newest first. */
static tcs_status list_recent(tcsi_api *api, const tcsi_request *request, int64_t before_ns, listing *l, tcs_error *err)
{
    const tcsi_store_record_query query = { .kind = TCSI_STORE_EPISODE, .to_ns = before_ns };
    *l = (listing){ .arena = request->arena, .items = TCSI_NEW_ZEROS(recent, RECENT_MAX) };
    if (!l->items) return tcsi_fail_memory(err, "a list of episodes");
    tcsi_arena_init(&l->scratch, 0);
    pthread_mutex_lock(&api->store_mutex);
    tcs_status status = tcsi_store_record_list(api->store, &query, take_record, l, err);
    pthread_mutex_unlock(&api->store_mutex);
    if (status == TCS_OK && l->is_full) status = tcsi_fail_memory(err, "a list of episodes");
    tcsi_arena_deinit(&l->scratch);
    return status;
}

/* ---- the nearest ---- */

typedef struct near {
    const recent *item;
    double distance;
} near;

static size_t find_nearest(const listing *l, const tcsi_pattern *pattern, const char *but, near nearest[SIMILAR_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < l->count; i++) {
        const double distance = tcsi_pattern_distance(pattern, &l->items[i].pattern);
        if (strcmp(l->items[i].id, but) == 0 || isinf(distance)) continue;
        size_t at = count < SIMILAR_MAX ? count++ : SIMILAR_MAX;
        for (; at > 0 && nearest[at - 1].distance > distance; at--)
            if (at < SIMILAR_MAX) nearest[at] = nearest[at - 1];
        if (at < SIMILAR_MAX) nearest[at] = (near){ &l->items[i], distance };
    }
    return count;
}

static void write_near(const tcsi_api *api, const near *n, tcsi_json_writer *writer)
{
    const tcsi_labelled_item *answered = tcsi_labelled_find(api, n->item->id);
    tcsi_json_begin_object(writer);
    tcsi_json_put_string(writer, "id", n->item->id);
    tcsi_json_put_string(writer, "series", n->item->series);
    tcsi_json_put_string(writer, "begin", n->item->begin);
    tcsi_json_put_number(writer, "distance", n->distance);
    tcsi_json_put_number(writer, "share", tcsi_pattern_share(n->distance));
    tcsi_json_put_string(writer, "answer", answered ? answered->answer : "");
    tcsi_json_put_number(writer, "answer_probability", answered ? answered->probability : NAN);
    tcsi_json_end_object(writer);
}

static tcs_status write_similar(tcsi_api *api, const tcsi_request *request, const char *id, const tcsi_pattern *pattern,
                                tcsi_json_writer *writer, tcs_error *err)
{
    near nearest[SIMILAR_MAX];
    listing l;
    tcs_status status = list_recent(api, request, pattern->begin_ns, &l, err);
    tcsi_json_key(writer, "similar");
    tcsi_json_begin_array(writer);
    if (status == TCS_OK && (status = tcsi_labelled_begin(api, err)) == TCS_OK) {
        const size_t count = find_nearest(&l, pattern, id, nearest);
        for (size_t i = 0; i < count; i++) write_near(api, &nearest[i], writer);
        tcsi_labelled_end(api);
    }
    tcsi_json_end_array(writer);
    tcsi_free(l.items);
    return status;
}

tcs_status tcsi_similar_write(tcsi_api *api, const tcsi_request *request, const char *id, tcsi_json_writer *writer, tcs_error *err)
{
    tcsi_pattern pattern;
    bool is_found;
    const tcs_status status = tcsi_labelled_pattern(api, request, id, &pattern, &is_found, err);
    if (status != TCS_OK) return status;
    if (is_found) return write_similar(api, request, id, &pattern, writer, err);
    tcsi_json_key(writer, "similar");
    tcsi_json_begin_array(writer);
    tcsi_json_end_array(writer);
    return TCS_OK;
}

static tcs_status get_similar(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    tcsi_api *api = context;
    const char *id = tcsi_request_text(request, "id");
    tcsi_json_writer writer;
    tcsi_pattern pattern;
    bool is_found;
    tcs_status status = tcsi_labelled_pattern(api, request, id, &pattern, &is_found, err);
    if (status != TCS_OK) return status;
    if (!is_found) {
        tcsi_response_problem(response, request, 404, "episode-unknown", "there is no episode '%s' that could be like another", id);
        return TCS_OK;
    }
    tcsi_json_writer_init(&writer, &response->body, false);
    tcsi_json_begin_object(&writer);
    status = write_similar(api, request, id, &pattern, &writer, err);
    tcsi_json_end_object(&writer);
    return status == TCS_OK ? tcsi_json_finish(&writer, err) : status;
}

/* ---- what to ask ---- */

static void write_review(const tcsi_api *api, const recent *item, double gain, const char *reason, tcsi_json_writer *writer)
{
    const tcsi_store_record record = { .id = item->id, .document = item->document };
    tcsi_json_begin_object(writer);
    tcsi_json_put_string(writer, "id", item->id);
    tcsi_json_put_number(writer, "gain", gain);
    tcsi_json_put_string(writer, "reason", reason);
    tcsi_json_key(writer, "episode");
    tcsi_labelled_write_episode(api, &record, writer);
    tcsi_json_end_object(writer);
}

/* Those about which people disagree are asked about once more. */
static size_t write_disputed(const tcsi_api *api, const listing *l, size_t limit, tcsi_json_writer *writer)
{
    size_t count = 0;
    for (size_t i = 0; i < l->count && count < limit; i++) {
        const tcsi_labelled_item *answered = tcsi_labelled_find(api, l->items[i].id);
        char reason[128];
        if (!answered || answered->disagreement < DISPUTED) continue;
        snprintf(reason, sizeof reason, "people disagree: %zu answers, which come to %s with a probability of %.2f", answered->count,
                 answered->answer, answered->probability);
        write_review(api, &l->items[i], answered->disagreement, reason, writer);
        count++;
    }
    return count;
}

static void write_raters(const tcsi_api *api, tcsi_json_writer *writer)
{
    tcsi_json_put_number(writer, "noise", tcsi_labelled_noise(api));
    tcsi_json_key(writer, "raters");
    tcsi_json_begin_array(writer);
    for (size_t i = 0; i < tcsi_labelled_rater_count(api); i++) {
        double reliability, count;
        const char *who = tcsi_labelled_rater(api, i, &reliability, &count);
        tcsi_json_begin_object(writer);
        tcsi_json_put_string(writer, "who", who);
        tcsi_json_put_number(writer, "reliability", reliability);
        tcsi_json_put_number(writer, "answers", count);
        tcsi_json_end_object(writer);
    }
    tcsi_json_end_array(writer);
}

static tcs_status write_queue(const tcsi_api *api, const listing *l, size_t limit, tcsi_json_writer *writer, tcs_error *err)
{
    tcsi_review_item *items = TCSI_NEW_ARRAY(tcsi_review_item, l->count + 1);
    tcsi_review_choice *choices = TCSI_NEW_ARRAY(tcsi_review_choice, limit + 1);
    size_t count = 0;
    for (size_t i = 0; items && i < l->count; i++) {
        const tcsi_labelled_item *answered = tcsi_labelled_find(api, l->items[i].id);
        const bool is_known = answered && !isnan(answered->real); /* whose it is says nothing of what it was */
        items[i] = (tcsi_review_item){ .pattern = l->items[i].pattern, .real = is_known ? answered->real : answered ? 0.5 : NAN };
    }
    tcs_status status = items && choices ? TCS_OK : tcsi_fail_memory(err, "a queue of episodes to review");
    if (status == TCS_OK) status = tcsi_review_choose(items, l->count, limit, choices, &count, err);
    tcsi_json_key(writer, "review");
    tcsi_json_begin_array(writer);
    const size_t disputed = status == TCS_OK ? write_disputed(api, l, limit / 2, writer) : 0;
    for (size_t i = 0; status == TCS_OK && i < count && i + disputed < limit; i++) {
        char reason[128];
        snprintf(reason, sizeof reason, "real with a probability of %.2f as far as is known; some %.0f others are like it",
                 choices[i].real, choices[i].like_count);
        write_review(api, &l->items[choices[i].index], choices[i].gain, reason, writer);
    }
    tcsi_json_end_array(writer);
    tcsi_free(items);
    tcsi_free(choices);
    return status;
}

static tcs_status get_review(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    tcsi_api *api = context;
    tcsi_json_writer writer;
    listing l;
    tcs_status status = list_recent(api, request, 0, &l, err);
    if (status == TCS_OK && (status = tcsi_labelled_begin(api, err)) == TCS_OK) {
        tcsi_json_writer_init(&writer, &response->body, false);
        tcsi_json_begin_object(&writer);
        status = write_queue(api, &l, (size_t)tcsi_request_integer(request, "limit", 20), &writer, err);
        write_raters(api, &writer);
        tcsi_json_end_object(&writer);
        tcsi_labelled_end(api);
        if (status == TCS_OK) status = tcsi_json_finish(&writer, err);
    }
    tcsi_free(l.items);
    return status;
}

/* ---- how right alarms were ---- */

typedef struct day {
    size_t alarm_count, answered_count, missed_count, verdict_counts[TCSI_ANSWER_VERDICT_COUNT];
    double real, known; /* sums over the answered ones */
} day;

typedef struct quality {
    const tcsi_api *api;
    day days[DAYS_MAX];
    size_t day_count;
    int64_t begin_ns;   /* of the first day */
} quality;

/* An alarm is what was confirmed, and what somebody answered though it was not. */
static bool count_record(void *context, const tcsi_store_record *record)
{
    quality *q = context;
    const tcsi_labelled_item *answered = tcsi_labelled_find(q->api, record->id);
    const bool is_told = record->state == TCSI_LIVE_CONFIRMED || record->state == TCSI_LIVE_RESOLVED;
    if (record->begin_ns < q->begin_ns || (record->begin_ns - q->begin_ns) / DAY_NS >= (int64_t)q->day_count) return true;
    day *d = &q->days[(record->begin_ns - q->begin_ns) / DAY_NS];
    if (strncmp(record->id, TCSI_MISSED_PREFIX, strlen(TCSI_MISSED_PREFIX)) == 0) {
        d->missed_count += answered != NULL; /* one that was taken back is none */
        return true;
    }
    d->alarm_count += is_told || answered;
    if (!answered) return true;
    d->answered_count++;
    for (size_t i = 0; i < TCSI_ANSWER_VERDICT_COUNT; i++)
        d->verdict_counts[i] += strcmp(answered->answer, tcsi_answer_verdict_names[i]) == 0;
    if (isnan(answered->real)) return true;
    d->real += answered->real;
    d->known++;
    return true;
}

/* Wilson's interval: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", Journal of the American
 * Statistical Association 22, 1927. */
static void write_precision(const day *d, tcsi_json_writer *writer)
{
    const double n = d->known, p = d->real / n, z = SURE_95;
    const double middle = (p + z * z / (2 * n)) / (1 + z * z / n);
    const double reach = z / (1 + z * z / n) * sqrt(p * (1 - p) / n + z * z / (4 * n * n));
    tcsi_json_put_number(writer, "precision", n > 0 ? p : NAN);
    tcsi_json_put_number(writer, "precision_low", n > 0 ? fmax(middle - reach, 0) : NAN);
    tcsi_json_put_number(writer, "precision_high", n > 0 ? fmin(middle + reach, 1) : NAN);
}

static void write_day(const quality *q, size_t index, tcsi_json_writer *writer)
{
    const day *d = &q->days[index];
    char text[TCSI_TIME_TEXT_SIZE];
    (void)tcsi_time_format_iso(q->begin_ns + (int64_t)index * DAY_NS, text, sizeof text);
    text[10] = 0; /* the date */
    tcsi_json_begin_object(writer);
    tcsi_json_put_string(writer, "day", text);
    tcsi_json_put_integer(writer, "alarms", (int64_t)d->alarm_count);
    tcsi_json_put_integer(writer, "answered", (int64_t)d->answered_count);
    for (size_t i = 0; i < TCSI_ANSWER_VERDICT_COUNT; i++)
        tcsi_json_put_integer(writer, tcsi_answer_verdict_names[i], (int64_t)d->verdict_counts[i]);
    tcsi_json_put_integer(writer, "missed", (int64_t)d->missed_count);
    write_precision(d, writer);
    tcsi_json_end_object(writer);
}

static tcs_status get_quality(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    tcsi_api *api = context;
    quality *q = TCSI_NEW(quality);
    tcsi_json_writer writer;
    if (!q) return tcsi_fail_memory(err, "quality by day");
    q->api = api;
    q->day_count = (size_t)tcsi_request_integer(request, "days", 30);
    q->begin_ns = (request->received_ns / DAY_NS + 1 - (int64_t)q->day_count) * DAY_NS;
    const tcsi_store_record_query query = { .kind = TCSI_STORE_EPISODE, .from_ns = q->begin_ns };
    tcs_status status = tcsi_labelled_begin(api, err);
    if (status == TCS_OK) {
        pthread_mutex_lock(&api->store_mutex);
        status = tcsi_store_record_list(api->store, &query, count_record, q, err);
        pthread_mutex_unlock(&api->store_mutex);
        tcsi_labelled_end(api);
    }
    if (status == TCS_OK) {
        tcsi_json_writer_init(&writer, &response->body, false);
        tcsi_json_begin_object(&writer);
        tcsi_json_key(&writer, "days");
        tcsi_json_begin_array(&writer);
        for (size_t i = 0; i < q->day_count; i++) write_day(q, i, &writer);
        tcsi_json_end_array(&writer);
        tcsi_json_end_object(&writer);
        status = tcsi_json_finish(&writer, err);
    }
    tcsi_free(q);
    return status;
}

/* ---- the table ---- */

static const char similar_schema[] =
    "{\"type\":\"object\",\"required\":[\"similar\"],\"properties\":{\"similar\":{\"type\":\"array\",\"items\":{\"type\":\"object\","
    "\"required\":[\"id\",\"series\",\"begin\",\"distance\",\"share\",\"answer\"]}}}}";
static const char review_schema[] =
    "{\"type\":\"object\",\"required\":[\"review\",\"raters\"],"
    "\"properties\":{\"review\":{\"type\":\"array\",\"items\":{\"type\":\"object\","
    "\"required\":[\"id\",\"gain\",\"reason\",\"episode\"]}},\"noise\":{\"type\":\"number\"},\"raters\":{\"type\":\"array\"}}}";
static const char quality_schema[] =
    "{\"type\":\"object\",\"required\":[\"days\"],\"properties\":{\"days\":{\"type\":\"array\",\"items\":{\"type\":\"object\","
    "\"required\":[\"day\",\"alarms\",\"answered\"]}}}}";

static const tcsi_route table[] = {
    { .method = TCSI_GET, .path = "/api/v1/episodes/{id}/similar", .role = TCSI_ROLE_VIEWER, .handle = get_similar, .id = "episode_similar",
      .group = TCSI_API_ASK, .summary = "The past episodes that look most like it, and what people said of them.",
      .parameters = { { .name = "id", .type = TCSI_ARGUMENT_TEXT, .help = "of the episode" } },
      .answers = { { 200, "The nearest first; share: of unrelated episodes so many are as near.", "application/json", similar_schema },
                   { 404, "There is no such episode.", NULL, NULL } } },
    { .method = TCSI_GET, .path = "/api/v1/review", .role = TCSI_ROLE_VIEWER, .handle = get_review, .id = "review", .group = TCSI_API_ASK,
      .summary = "Where people disagree, and the episodes whose answers would teach most; how far people are believed.",
      .parameters = { { .name = "limit", .type = TCSI_ARGUMENT_INTEGER, .help = "at most so many", .fallback = "20", .low = 1,
                        .high = 100 } },
      .answers = { { 200, "The queue.", "application/json", review_schema } } },
    { .method = TCSI_GET, .path = "/api/v1/quality", .role = TCSI_ROLE_VIEWER, .handle = get_quality, .id = "quality",
      .group = TCSI_API_ASK, .summary = "Of the alarms of each day that were answered, how many were right, and how sure that is.",
      .parameters = { { .name = "days", .type = TCSI_ARGUMENT_INTEGER, .help = "up to today", .fallback = "30", .low = 1,
                        .high = DAYS_MAX } },
      .answers = { { 200, "Day by day, the oldest first.", "application/json", quality_schema } } },
};

tcs_status tcsi_api_mount_review(tcsi_router *router, tcsi_api *api, tcs_error *err)
{
    return tcsi_router_mount(router, table, TCS_COUNT(table), api, err);
}
