/* serve/api/review.c -- what answers tell: past episodes like one, and whom to ask about what next.
 *
 * Nothing in here decides.  A question reads the newest episodes of the store, at most RECENT_MAX, and looks at their patterns.
 * SPDX-License-Identifier: Apache-2.0 */
#include "serve/api/labelled.h"
#include "serve/api/similar.h"

#include "adapt/review.h"
#include "base/alloc.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RECENT_MAX = 1000, SIMILAR_MAX = 10 };
static const double DISPUTED = 0.5;

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
    item->series = copy(l, tcsi_json_text_of(document, "series"));
    item->begin = copy(l, tcsi_json_text_of(document, "begin"));
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
    tcs_status status = tcsi_api_records(api, &query, take_record, l, err);
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

/* ---- the table ---- */

static const char similar_schema[] =
    "{\"type\":\"object\",\"required\":[\"similar\"],\"properties\":{\"similar\":{\"type\":\"array\",\"items\":{\"type\":\"object\","
    "\"required\":[\"id\",\"series\",\"begin\",\"distance\",\"share\",\"answer\"]}}}}";
static const char review_schema[] =
    "{\"type\":\"object\",\"required\":[\"review\",\"raters\"],"
    "\"properties\":{\"review\":{\"type\":\"array\",\"items\":{\"type\":\"object\","
    "\"required\":[\"id\",\"gain\",\"reason\",\"episode\"]}},\"noise\":{\"type\":\"number\"},\"raters\":{\"type\":\"array\"}}}";
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
};

tcs_status tcsi_api_mount_review(tcsi_router *router, tcsi_api *api, tcs_error *err)
{
    return tcsi_router_mount(router, table, TCS_COUNT(table), api, err);
}
