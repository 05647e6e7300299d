/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/api/labelled.h"

#include "base/alloc.h"
#include "serve/why/grounds_json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ANSWERS_SIZE_MAX = 1 << 24 }; /* of one episode's document with its answers */

typedef tcsi_labels_answer standing;

struct tcsi_labelled {
    pthread_mutex_t mutex;
    tcsi_labels labels;
};

/* ---- life ---- */

tcs_status tcsi_labelled_create(tcsi_labelled **ret_labelled, tcs_error *err)
{
    tcsi_labelled *labelled = TCSI_NEW(tcsi_labelled);
    if (!labelled) return tcsi_fail_memory(err, "answers");
    pthread_mutex_init(&labelled->mutex, NULL);
    tcsi_labels_init(&labelled->labels);
    *ret_labelled = labelled;
    return TCS_OK;
}

void tcsi_labelled_destroy(tcsi_labelled *labelled)
{
    if (!labelled) return;
    tcsi_labels_deinit(&labelled->labels);
    pthread_mutex_destroy(&labelled->mutex);
    tcsi_free(labelled);
}

static tcs_status refresh(tcsi_api *api, tcs_error *err)
{
    tcsi_labels *labels = &api->labelled->labels;
    bool is_new = false;
    pthread_mutex_lock(&api->store_mutex);
    tcs_status status = tcsi_labels_list(labels, api->store, &is_new, err);
    pthread_mutex_unlock(&api->store_mutex);
    if (status == TCS_OK && is_new) status = tcsi_labels_combine(labels, err);
    if (status != TCS_OK) tcsi_labels_forget(labels);
    return status;
}

tcs_status tcsi_labelled_begin(tcsi_api *api, tcs_error *err)
{
    pthread_mutex_lock(&api->labelled->mutex);
    const tcs_status status = refresh(api, err);
    if (status != TCS_OK) pthread_mutex_unlock(&api->labelled->mutex);
    return status;
}

void tcsi_labelled_end(tcsi_api *api)
{
    pthread_mutex_unlock(&api->labelled->mutex);
}

/* ---- questions ---- */

static int by_text(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

const tcsi_labelled_item *tcsi_labelled_find(const tcsi_api *api, const char *episode_id)
{
    return tcsi_labels_find(&api->labelled->labels, episode_id);
}

const tcsi_labelled_item *tcsi_labelled_items(const tcsi_api *api, size_t *ret_count)
{
    *ret_count = api->labelled->labels.item_count;
    return api->labelled->labels.items;
}

double tcsi_labelled_noise(const tcsi_api *api) { return api->labelled->labels.estimate.noise; }
size_t tcsi_labelled_rater_count(const tcsi_api *api) { return api->labelled->labels.estimate.rater_count; }

const char *tcsi_labelled_rater(const tcsi_api *api, size_t index, double *ret_reliability, double *ret_answer_count)
{
    const tcsi_rater *rater = &api->labelled->labels.estimate.raters[index];
    *ret_reliability = tcsi_rater_reliability(rater);
    *ret_answer_count = rater->vote_count;
    return api->labelled->labels.raters[index];
}

tcs_status tcsi_labelled_reliability(tcsi_api *api, const char *who, double *ret_reliability, tcs_error *err)
{
    const tcs_status status = tcsi_labelled_begin(api, err);
    if (status != TCS_OK) return status;
    const tcsi_labels *labelled = &api->labelled->labels;
    const char *const *known = bsearch(&who, labelled->raters, labelled->estimate.rater_count, sizeof *labelled->raters, by_text);
    *ret_reliability = tcsi_rater_reliability(known ? &labelled->estimate.raters[known - labelled->raters] : &tcsi_rater_unknown);
    tcsi_labelled_end(api);
    return TCS_OK;
}

/* ---- documents ---- */

typedef struct pattern_search {
    tcsi_arena *arena;
    tcsi_pattern pattern;
    bool is_found;
} pattern_search;

static bool take_pattern(void *context, const tcsi_store_record *record)
{
    pattern_search *search = context;
    const tcsi_json_value *document = NULL;
    tcs_error ignored;
    if (tcsi_json_parse(record->document, strlen(record->document), search->arena, &document, &ignored) == TCS_OK)
        search->is_found = tcsi_pattern_read(tcsi_json_get(document, "pattern"), &search->pattern, &ignored) == TCS_OK;
    return false;
}

tcs_status tcsi_labelled_pattern(tcsi_api *api, const tcsi_request *request, const char *episode_id, tcsi_pattern *ret_pattern,
                            bool *ret_is_found, tcs_error *err)
{
    const tcsi_store_record_query query = { .kind = TCSI_STORE_EPISODE, .id = episode_id, .limit = 1 };
    pattern_search search = { .arena = request->arena };
    const tcs_status status = tcsi_api_records(api, &query, take_pattern, &search, err);
    *ret_is_found = search.is_found;
    if (search.is_found) *ret_pattern = search.pattern;
    return status;
}

static void write_answer(const standing *s, int64_t sequence, bool is_undone, tcsi_json_writer *writer)
{
    tcsi_json_begin_object(writer);
    tcsi_json_put_string(writer, "id", s->id);
    if (sequence) tcsi_json_put_integer(writer, "sequence", sequence);
    tcsi_json_put_string(writer, "episode", s->episode);
    tcsi_json_put_string(writer, "verdict", s->verdict);
    tcsi_json_put_string(writer, "who", s->who);
    tcsi_api_put_time(writer, "time", s->time_ns);
    tcsi_json_put_number(writer, "confidence", s->confidence);
    tcsi_json_put_number(writer, "weight", s->weight);
    tcsi_json_put_string(writer, "reason", s->reason);
    tcsi_json_put_string(writer, "scope", s->scope);
    tcsi_json_put_string(writer, "until", *s->until ? s->until : NULL);
    tcsi_json_put_bool(writer, "undone", is_undone);
    tcsi_json_end_object(writer);
}

void tcsi_labelled_write_answer(const tcsi_store_label *label, tcsi_arena *arena, tcsi_json_writer *writer)
{
    const tcsi_json_value *document = NULL;
    tcs_error ignored;
    if (tcsi_json_parse(label->document, strlen(label->document), arena, &document, &ignored) != TCS_OK) document = NULL;
    const standing s = { .id = label->id, .episode = label->episode_id, .who = label->author, .verdict = label->verdict,
                         .reason = tcsi_json_text_of(document, "reason"), .scope = tcsi_json_text_of(document, "scope"),
                         .until = tcsi_json_text_of(document, "until"),
                         .time_ns = label->time_ns, .confidence = tcsi_json_number_of(document, "confidence", 1),
                         .weight = tcsi_json_number_of(document, "weight", 1) };
    write_answer(&s, label->sequence, label->is_undone, writer);
}

/* The document's members and then ours: it is an object without a space at its end.  What it was judged by is for those who ask for it
 * (explanation.c): lists would be twice as long. */
void tcsi_labelled_write_episode(const tcsi_api *api, const tcsi_store_record *record, tcsi_json_writer *writer)
{
    const tcsi_grounds_place grounds = tcsi_grounds_find(record->document);
    const tcsi_labelled_item *item = tcsi_labelled_find(api, record->id);
    const tcsi_labels *labelled = &api->labelled->labels;
    const size_t size = strlen(record->document);
    tcsi_json_writer added;
    tcsi_buffer text, whole;
    tcs_error ignored;
    tcsi_buffer_init(&text, ANSWERS_SIZE_MAX);
    tcsi_buffer_init(&whole, ANSWERS_SIZE_MAX);
    tcsi_json_writer_init(&added, &text, false);
    tcsi_json_begin_object(&added);
    tcsi_json_key(&added, "answers");
    tcsi_json_begin_array(&added);
    for (size_t i = 0; item && i < item->count; i++) write_answer(&labelled->standing[item->begin + i], 0, false, &added);
    tcsi_json_end_array(&added);
    tcsi_json_put_string(&added, "answer", item ? item->answer : "");
    tcsi_json_put_number(&added, "answer_probability", item ? item->probability : NAN);
    tcsi_json_put_number(&added, "disagreement", item ? item->disagreement : NAN);
    tcsi_json_end_object(&added);
    tcs_status status = tcsi_json_finish(&added, &ignored);
    const size_t behind = grounds.begin + grounds.size;
    if (status == TCS_OK && grounds.size) status = tcsi_buffer_append(&whole, record->document, grounds.begin, &ignored);
    if (status == TCS_OK && size > 2) status = tcsi_buffer_append(&whole, record->document + behind, size - behind - 1, &ignored);
    if (status == TCS_OK) status = tcsi_buffer_append(&whole, ",", 1, &ignored);
    if (status == TCS_OK) status = tcsi_buffer_append(&whole, text.data + 1, text.size - 1, &ignored);
    if (status == TCS_OK) tcsi_json_raw(writer, whole.data);
    else writer->status = status;
    tcsi_buffer_deinit(&whole);
    tcsi_buffer_deinit(&text);
}
