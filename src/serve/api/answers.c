/* serve/api/answers.c -- what people say of episodes: given, listed, taken back; and events that were missed.
 *
 * Who takes an answer puts everything that its effect needs into the action: the pattern as the episode's document has it, where its series
 * is, and how much the answer counts (api/labelled.h).  SPDX-License-Identifier: Apache-2.0 */
#include "serve/api/labelled.h"

#include "serve/desk.h"
#include "serve/keep_answer.h"
#include "series/time.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { REASON_SIZE_MAX = 4000, BODY_MAX = 1 << 16 };

/* ---- bodies ---- */

/* NULL with a problem in the response: the body is no JSON object. */
static const tcsi_json_value *parse_body(const tcsi_request *request, tcsi_response *response)
{
    const tcsi_json_value *body = NULL;
    tcs_error err = { 0 };
    if (request->body_size > 0) (void)!tcsi_json_parse(request->body, request->body_size, request->arena, &body, &err);
    if (body && body->type == TCSI_JSON_OBJECT) return body;
    tcsi_response_problem(response, request, 400, "body-invalid", "expected a JSON object%s%s", *err.text ? ": " : "", err.text);
    return NULL;
}

/* A member that is a text; the fallback where it is absent or null.  false: it is something else, or too long. */
static bool get_text(const tcsi_json_value *object, const char *key, const char *fallback, const char **ret_text)
{
    const tcsi_json_value *value = tcsi_json_get(object, key);
    *ret_text = fallback;
    if (!value || value->type == TCSI_JSON_NULL) return fallback != NULL;
    if (value->type != TCSI_JSON_STRING || value->text_size > REASON_SIZE_MAX || strlen(value->text) != value->text_size) return false;
    *ret_text = value->text;
    return true;
}

static bool get_name(const tcsi_json_value *object, const char *key, const char *const *names, size_t count, const char *fallback,
                     uint8_t *ret_index)
{
    const char *text;
    if (!get_text(object, key, fallback, &text)) return false;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(text, names[i]) != 0) continue;
        *ret_index = (uint8_t)i;
        return true;
    }
    return false;
}

static bool get_time(const tcsi_json_value *object, const char *key, int64_t *ret_ns)
{
    const tcsi_time_format iso = { .kind = TCSI_TIME_ISO };
    const char *text;
    return get_text(object, key, "", &text) && (!*text || tcsi_time_parse(&iso, text, strlen(text), ret_ns));
}

typedef struct said {
    tcsi_episode_answer answer; /* its confidence is the stated one */
    const char *reason, *until;
} said;

/* false with a problem in the response. */
static bool read_said(const tcsi_request *request, tcsi_response *response, said *ret_said)
{
    const tcsi_json_value *body = parse_body(request, response), *confidence = tcsi_json_get(body, "confidence");
    const char *wrong = NULL;
    said s = { .answer.until_ns = INT64_MAX, .answer.confidence = 1 };
    if (!body) return false;
    if (!get_name(body, "verdict", tcsi_answer_verdict_names, TCSI_ANSWER_VERDICT_COUNT, NULL, &s.answer.verdict))
        wrong = "verdict: expected true, expected or not_mine";
    else if (!get_name(body, "scope", tcsi_answer_scope_names, TCSI_ANSWER_SCOPE_COUNT, "pattern", &s.answer.scope))
        wrong = "scope: expected episode, pattern, series or similar";
    else if (confidence && !(confidence->type == TCSI_JSON_NUMBER && confidence->number >= 0 && confidence->number <= 1))
        wrong = "confidence: expected a number from 0 to 1";
    else if (!get_text(body, "reason", "", &s.reason)) wrong = "reason: expected a text of at most 4,000 bytes";
    else if (!get_time(body, "until", &s.answer.until_ns) || !get_text(body, "until", "", &s.until))
        wrong = "until: expected a time like 2026-01-05T00:00:00Z or null";
    if (confidence) s.answer.confidence = (float)confidence->number;
    if (wrong) tcsi_response_problem(response, request, 400, "answer-invalid", "%s", wrong);
    *ret_said = s;
    return !wrong;
}

/* ---- doing it ---- */

static uint32_t place_of(const tcsi_api *api, uint32_t number)
{
    return tcsi_directory_entry_of(tcsi_live_directory(api->live), number)->place;
}

static void write_said(const tcsi_api *api, const said *s, const char *episode_id, double reliability, tcsi_json_writer *writer)
{
    tcsi_episode_answer weighed = s->answer;
    weighed.confidence = (float)((double)s->answer.confidence * reliability);
    tcsi_json_begin_object(writer);
    tcsi_json_put_string(writer, "episode", episode_id);
    tcsi_json_put_number(writer, "confidence", (double)s->answer.confidence);
    tcsi_json_put_string(writer, "reason", s->reason);
    tcsi_json_put_string(writer, "until", s->until);
    weighed.place = place_of(api, weighed.pattern.series);
    tcsi_answered_write(&weighed, writer);
    tcsi_json_end_object(writer);
}

static tcs_status act(tcsi_api *api, const tcsi_request *request, tcsi_response *response, tcsi_action_kind kind, const char *object,
                      const tcsi_buffer *document, tcs_error *err)
{
    char id[TCSI_ACTION_ID_SIZE];
    bool is_kept = false;
    const tcs_status status = tcsi_api_act(api, request, kind, object, document->data, id, &is_kept, err);
    return status == TCS_OK ? tcsi_api_reply_id(response, id, is_kept, err) : status;
}

/* What was answered of something that happened in maintenance is kept, and counts nothing. */
static tcs_status weigh(tcsi_api *api, const tcsi_request *request, const char *episode_id, double *ret_reliability, tcs_error *err)
{
    bool was_maintained = false;
    tcs_status status = tcsi_labelled_reliability(api, *request->who ? request->who : "local", ret_reliability, err);
    if (status != TCS_OK) return status;
    pthread_mutex_lock(&api->store_mutex);
    status = tcsi_desk_was_maintained(api->store, episode_id, &was_maintained, err);
    pthread_mutex_unlock(&api->store_mutex);
    if (status == TCS_OK && was_maintained) *ret_reliability = 0;
    return status;
}

static tcs_status post_answer(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    tcsi_api *api = context;
    const char *episode_id = tcsi_request_text(request, "id");
    tcsi_json_writer writer;
    tcsi_buffer document;
    double reliability;
    bool is_found;
    said s;
    if (!read_said(request, response, &s)) return TCS_OK;
    tcs_status status = tcsi_labelled_pattern(api, request, episode_id, &s.answer.pattern, &is_found, err);
    if (status != TCS_OK) return status;
    const uint32_t series_count = tcsi_directory_count(tcsi_live_directory(api->live));
    if (!is_found || s.answer.pattern.series >= series_count) {
        tcsi_response_problem(response, request, 404, "episode-unknown", "there is no episode '%s' that can be answered", episode_id);
        return TCS_OK;
    }
    status = weigh(api, request, episode_id, &reliability, err);
    tcsi_buffer_init(&document, TCSI_ACTION_SIZE_MAX);
    tcsi_json_writer_init(&writer, &document, false);
    write_said(api, &s, episode_id, reliability, &writer);
    if (status == TCS_OK) status = tcsi_json_finish(&writer, err);
    if (status == TCS_OK) status = act(api, request, response, TCSI_ACTION_ANSWER, episode_id, &document, err);
    tcsi_buffer_deinit(&document);
    return status;
}

static tcs_status write_mark(tcsi_api *api, uint32_t number, int64_t from_ns, int64_t to_ns, const char *note, tcsi_buffer *document,
                             tcs_error *err)
{
    const tcsi_directory_entry *entry = tcsi_directory_entry_of(tcsi_live_directory(api->live), number);
    const tcsi_episode_answer answer = { .verdict = TCSI_ANSWER_TRUE, .scope = TCSI_SCOPE_EPISODE, .confidence = 1, .until_ns = INT64_MAX,
                                         .place = entry->place, .pattern = { .series = number, .begin_ns = from_ns } };
    tcsi_json_writer writer;
    tcsi_buffer name;
    tcsi_key key;
    tcsi_buffer_init(&name, 4 * TCSI_KEY_SIZE_MAX);
    tcs_status status = tcsi_key_decode(entry->key, entry->key_size, &key, err);
    if (status == TCS_OK) status = tcsi_key_print(&key, &name, err);
    if (status == TCS_OK) {
        tcsi_json_writer_init(&writer, document, false);
        tcsi_json_begin_object(&writer);
        tcsi_json_put_string(&writer, "series", name.data);
        tcsi_json_put_integer(&writer, "number", number);
        tcsi_api_put_time(&writer, "from", from_ns);
        tcsi_api_put_time(&writer, "to", to_ns);
        tcsi_json_put_number(&writer, "confidence", 1);
        tcsi_json_put_string(&writer, "reason", note);
        tcsi_answered_write(&answer, &writer);
        tcsi_json_end_object(&writer);
        status = tcsi_json_finish(&writer, err);
    }
    tcsi_buffer_deinit(&name);
    return status;
}

static tcs_status post_mark(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    tcsi_api *api = context;
    const tcsi_json_value *body = parse_body(request, response), *series = tcsi_json_get(body, "series");
    int64_t from_ns = INT64_MIN, to_ns = INT64_MIN;
    const char *note, *wrong = NULL;
    tcsi_buffer document;
    if (!body) return TCS_OK;
    const double series_count = tcsi_directory_count(tcsi_live_directory(api->live));
    if (!series || series->type != TCSI_JSON_NUMBER || !(series->number >= 0 && series->number < series_count))
        wrong = "series: expected the number of a live series";
    else if (!get_time(body, "from", &from_ns) || !get_time(body, "to", &to_ns) || from_ns == INT64_MIN || to_ns < from_ns)
        wrong = "from, to: expected two times like 2026-01-05T00:00:00Z, the earlier one first";
    else if (!get_text(body, "note", "", &note)) wrong = "note: expected a text of at most 4,000 bytes";
    if (wrong) {
        tcsi_response_problem(response, request, 400, "mark-invalid", "%s", wrong);
        return TCS_OK;
    }
    tcsi_buffer_init(&document, TCSI_ACTION_SIZE_MAX);
    tcs_status status = write_mark(api, (uint32_t)series->number, from_ns, to_ns, note, &document, err);
    if (status == TCS_OK) status = act(api, request, response, TCSI_ACTION_MARK, "", &document, err);
    tcsi_buffer_deinit(&document);
    return status;
}

/* ---- listed and taken back ---- */

typedef struct listing {
    tcsi_json_writer writer;
    tcsi_arena *arena;
    size_t limit, count;
    int64_t last;
    bool has_more;
} listing;

static bool list_label(void *context, const tcsi_store_label *label)
{
    listing *l = context;
    if (!*label->verdict) return true; /* an undo */
    l->has_more = l->count == l->limit;
    if (l->has_more) return false;
    tcsi_labelled_write_answer(label, l->arena, &l->writer);
    l->count++;
    l->last = label->sequence;
    return true;
}

static tcs_status list_answers(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    tcsi_api *api = context;
    listing l = { .arena = request->arena, .limit = (size_t)tcsi_request_integer(request, "limit", TCSI_API_PAGE) };
    tcsi_json_writer_init(&l.writer, &response->body, false);
    tcsi_json_begin_object(&l.writer);
    tcsi_json_key(&l.writer, "answers");
    tcsi_json_begin_array(&l.writer);
    pthread_mutex_lock(&api->store_mutex);
    const tcs_status status = tcsi_store_label_list(api->store, tcsi_request_text(request, "episode"),
                                                    tcsi_request_integer(request, "after", 0), 0, list_label, &l, err);
    pthread_mutex_unlock(&api->store_mutex);
    if (status != TCS_OK) return status;
    tcsi_json_end_array(&l.writer);
    if (l.has_more) tcsi_json_put_integer(&l.writer, "next_after", l.last);
    tcsi_json_end_object(&l.writer);
    return tcsi_json_finish(&l.writer, err);
}

typedef struct finding {
    const char *id;
    tcsi_arena *arena;
    char *episode;      /* NULL: not found */
    bool is_undone;
} finding;

static bool find_label(void *context, const tcsi_store_label *label)
{
    finding *f = context;
    if (!*label->verdict || strcmp(label->id, f->id) != 0) return true;
    f->episode = tcsi_arena_strndup(f->arena, label->episode_id, strlen(label->episode_id));
    f->is_undone = label->is_undone;
    return false;
}

static tcs_status delete_answer(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    tcsi_api *api = context;
    finding f = { .id = tcsi_request_text(request, "id"), .arena = request->arena };
    tcsi_json_writer writer;
    tcsi_buffer document;
    char id[TCSI_ACTION_ID_SIZE];
    bool is_kept = false;
    pthread_mutex_lock(&api->store_mutex);
    tcs_status status = tcsi_store_label_list(api->store, NULL, 0, 0, find_label, &f, err);
    pthread_mutex_unlock(&api->store_mutex);
    if (status != TCS_OK) return status;
    if (!f.episode) tcsi_response_problem(response, request, 404, "answer-unknown", "there is no answer '%s'", f.id);
    else if (f.is_undone) tcsi_response_problem(response, request, 409, "answer-undone", "answer '%s' was taken back already", f.id);
    if (!f.episode || f.is_undone) return TCS_OK;
    tcsi_buffer_init(&document, TCSI_ACTION_SIZE_MAX);
    tcsi_json_writer_init(&writer, &document, false);
    tcsi_json_begin_object(&writer);
    tcsi_json_put_string(&writer, "episode", f.episode);
    tcsi_json_end_object(&writer);
    status = tcsi_json_finish(&writer, err);
    if (status == TCS_OK) status = tcsi_api_act(api, request, TCSI_ACTION_UNDO, f.id, document.data, id, &is_kept, err);
    tcsi_buffer_deinit(&document);
    response->status = is_kept ? 204 : 202;
    return status;
}

/* ---- the table ---- */

static const char answer_request[] =
    "{\"type\":\"object\",\"required\":[\"verdict\"],\"properties\":{\"verdict\":{\"enum\":[\"true\",\"expected\",\"not_mine\"]},"
    "\"confidence\":{\"type\":\"number\",\"minimum\":0,\"maximum\":1,\"default\":1},\"reason\":{\"type\":\"string\"},"
    "\"scope\":{\"enum\":[\"episode\",\"pattern\",\"series\",\"similar\"],\"default\":\"pattern\"},"
    "\"until\":{\"type\":[\"string\",\"null\"],\"format\":\"date-time\"}}}";
static const char mark_request[] =
    "{\"type\":\"object\",\"required\":[\"series\",\"from\",\"to\"],\"properties\":{\"series\":{\"type\":\"integer\"},"
    "\"from\":{\"type\":\"string\",\"format\":\"date-time\"},\"to\":{\"type\":\"string\",\"format\":\"date-time\"},"
    "\"note\":{\"type\":\"string\"}}}";
static const char id_schema[] = "{\"type\":\"object\",\"required\":[\"id\"],\"properties\":{\"id\":{\"type\":\"string\"}}}";
static const char answers_schema[] =
    "{\"type\":\"object\",\"required\":[\"answers\"],\"properties\":{\"answers\":{\"type\":\"array\",\"items\":{\"type\":\"object\","
    "\"required\":[\"id\",\"episode\",\"verdict\",\"who\",\"time\",\"undone\"]}},\"next_after\":{\"type\":\"integer\"}}}";

#define LATER { 202, "Durable; it shows as soon as the store works again.", NULL, NULL }

static const tcsi_route table[] = {
    { .method = TCSI_POST, .path = "/api/v1/episodes/{id}/answers", .role = TCSI_ROLE_ANALYST, .handle = post_answer, .id = "answer_post",
      .group = TCSI_API_ACT, .summary = "Says what an episode was; the next like it is judged by that.", .body_max = BODY_MAX,
      .body_required = true, .request_type = "application/json", .request_schema = answer_request,
      .parameters = { { .name = "id", .type = TCSI_ARGUMENT_TEXT, .help = "of the episode" } },
      .answers = { { 201, "It acts from now on.", "application/json", id_schema }, LATER, { 400, "No answer.", NULL, NULL },
                   { 404, "There is no such episode.", NULL, NULL } } },
    { .method = TCSI_GET, .path = "/api/v1/answers", .role = TCSI_ROLE_VIEWER, .handle = list_answers, .id = "answer_list",
      .group = TCSI_API_ASK, .summary = "What was answered, by whom, and what was taken back; the oldest first.",
      .parameters = { { .name = "episode", .type = TCSI_ARGUMENT_TEXT, .help = "only to this one" },
                      { .name = "after", .type = TCSI_ARGUMENT_INTEGER, .help = "behind this sequence", .low = 0, .high = 9e15 },
                      { .name = "limit", .type = TCSI_ARGUMENT_INTEGER, .help = "at most so many", .fallback = "100", .low = 1,
                        .high = TCSI_API_PAGE_MAX } },
      .answers = { { 200, "The answers.", "application/json", answers_schema } } },
    { .method = TCSI_DELETE, .path = "/api/v1/answers/{id}", .role = TCSI_ROLE_ANALYST, .handle = delete_answer, .id = "answer_undo",
      .group = TCSI_API_ACT, .summary = "Takes an answer or a mark back; it stays listed as undone.",
      .parameters = { { .name = "id", .type = TCSI_ARGUMENT_TEXT, .help = "of the answer" } },
      .answers = { { 204, "It acts no more.", NULL, NULL }, LATER, { 404, "There is none.", NULL, NULL },
                   { 409, "It was taken back before.", NULL, NULL } } },
    { .method = TCSI_POST, .path = "/api/v1/marks", .role = TCSI_ROLE_ANALYST, .handle = post_mark, .id = "mark_post",
      .group = TCSI_API_ACT, .summary = "Marks an event that was missed.", .body_max = BODY_MAX, .body_required = true,
      .request_type = "application/json", .request_schema = mark_request,
      .answers = { { 201, "It counts from now on.", "application/json", id_schema }, LATER, { 400, "No mark.", NULL, NULL } } },
};

tcs_status tcsi_api_mount_answers(tcsi_router *router, tcsi_api *api, tcs_error *err)
{
    return tcsi_router_mount(router, table, TCS_COUNT(table), api, err);
}
