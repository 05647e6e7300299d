/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/api/labelled.h"

#include "adapt/raters.h"
#include "base/alloc.h"
#include "serve/why/grounds_json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ANSWERS_SIZE_MAX = 1 << 24 }; /* of one episode's document with its answers */

/* One label that stands. */
typedef struct standing {
    const char *id, *episode, *who, *verdict, *reason, *scope, *until;
    int64_t time_ns;
    double confidence, weight;
    size_t item, rater;
    bool has_pattern;
    tcsi_pattern pattern;
} standing;

struct tcsi_labelled {
    pthread_mutex_t mutex;
    int64_t sequence;          /* labels up to it are in it */
    tcsi_arena arena, scratch; /* of texts; of one document */
    standing *standing;
    size_t standing_count, standing_capacity;
    tcsi_labelled_item *items; /* (item_count) */
    size_t item_count;
    const char **raters;       /* (raters.rater_count) by name */
    tcsi_raters estimate;
    tcs_status status;         /* of the reading that goes on */
    tcs_error err;
};

/* ---- life ---- */

tcs_status tcsi_labelled_create(tcsi_labelled **ret_labelled, tcs_error *err)
{
    tcsi_labelled *labelled = TCSI_NEW(tcsi_labelled);
    if (!labelled) return tcsi_fail_memory(err, "answers");
    pthread_mutex_init(&labelled->mutex, NULL);
    tcsi_arena_init(&labelled->arena, 0);
    tcsi_arena_init(&labelled->scratch, 0);
    *ret_labelled = labelled;
    return TCS_OK;
}

static void forget(tcsi_labelled *labelled)
{
    tcsi_arena_reset(&labelled->arena);
    tcsi_free(labelled->items);
    tcsi_free(labelled->raters);
    tcsi_raters_deinit(&labelled->estimate);
    labelled->items = NULL;
    labelled->raters = NULL;
    labelled->item_count = labelled->standing_count = 0;
}

void tcsi_labelled_destroy(tcsi_labelled *labelled)
{
    if (!labelled) return;
    forget(labelled);
    tcsi_free(labelled->standing);
    tcsi_arena_deinit(&labelled->arena);
    tcsi_arena_deinit(&labelled->scratch);
    pthread_mutex_destroy(&labelled->mutex);
    tcsi_free(labelled);
}

/* ---- reading ---- */

static double number_of(const tcsi_json_value *object, const char *key, double fallback)
{
    const tcsi_json_value *value = tcsi_json_get(object, key);
    return value && value->type == TCSI_JSON_NUMBER ? value->number : fallback;
}

static const char *text_of(const tcsi_json_value *object, const char *key)
{
    const tcsi_json_value *value = tcsi_json_get(object, key);
    return value && value->type == TCSI_JSON_STRING ? value->text : "";
}

static const char *copy(tcsi_labelled *labelled, const char *text)
{
    const char *copied = tcsi_arena_strndup(&labelled->arena, text, strlen(text));
    if (!copied) labelled->status = tcsi_fail_memory(&labelled->err, "answers");
    return copied;
}

static bool take_label(void *context, const tcsi_store_label *label)
{
    tcsi_labelled *labelled = context;
    const tcsi_json_value *document = NULL;
    tcs_error ignored;
    labelled->sequence = label->sequence;
    if (!*label->verdict || label->is_undone) return true;
    if (labelled->standing_count == labelled->standing_capacity) {
        const size_t capacity = labelled->standing_capacity ? 2 * labelled->standing_capacity : 64;
        standing *more = tcsi_realloc_array(labelled->standing, capacity, sizeof *more);
        if (!more) {
            labelled->status = tcsi_fail_memory(&labelled->err, "answers");
            return false;
        }
        labelled->standing = more;
        labelled->standing_capacity = capacity;
    }
    tcsi_arena_reset(&labelled->scratch);
    if (tcsi_json_parse(label->document, strlen(label->document), &labelled->scratch, &document, &ignored) != TCS_OK) document = NULL;
    standing *s = &labelled->standing[labelled->standing_count++];
    *s = (standing){ .id = copy(labelled, label->id), .episode = copy(labelled, label->episode_id), .who = copy(labelled, label->author),
                     .verdict = copy(labelled, label->verdict), .reason = copy(labelled, text_of(document, "reason")),
                     .scope = copy(labelled, text_of(document, "scope")), .until = copy(labelled, text_of(document, "until")),
                     .time_ns = label->time_ns };
    s->confidence = fmin(fmax(number_of(document, "confidence", 1), 0), 1);
    s->weight = number_of(document, "weight", 1);
    s->has_pattern = tcsi_pattern_read(tcsi_json_get(document, "pattern"), &s->pattern, &ignored) == TCS_OK;
    return labelled->status == TCS_OK;
}

/* Of one episode, the oldest first. */
static int by_episode(const void *a, const void *b)
{
    const standing *x = a, *y = b;
    const int order = strcmp(x->episode, y->episode);
    if (order != 0) return order;
    return x->time_ns != y->time_ns ? (x->time_ns > y->time_ns) - (x->time_ns < y->time_ns) : strcmp(x->id, y->id);
}

static int by_text(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }
static int by_id(const void *a, const void *b)
{
    return strcmp(((const tcsi_labelled_item *)a)->episode, ((const tcsi_labelled_item *)b)->episode);
}

/* Numbers of episodes and people, both by name. */
static tcs_status number_them(tcsi_labelled *labelled, size_t *ret_rater_count, tcs_error *err)
{
    const size_t count = labelled->standing_count;
    size_t rater_count = 0;
    labelled->items = TCSI_NEW_ZEROS(tcsi_labelled_item, count + 1);
    labelled->raters = TCSI_NEW_ARRAY(const char *, count + 1);
    if (!labelled->items || !labelled->raters) return tcsi_fail_memory(err, "answers");
    if (count > 1) qsort(labelled->standing, count, sizeof *labelled->standing, by_episode);
    for (size_t i = 0; i < count; i++) labelled->raters[i] = labelled->standing[i].who;
    if (count > 1) qsort(labelled->raters, count, sizeof *labelled->raters, by_text);
    for (size_t i = 0; i < count; i++)
        if (rater_count == 0 || strcmp(labelled->raters[rater_count - 1], labelled->raters[i]) != 0)
            labelled->raters[rater_count++] = labelled->raters[i];
    for (size_t i = 0; i < count; i++) {
        standing *s = &labelled->standing[i];
        const char **who = bsearch(&s->who, labelled->raters, rater_count, sizeof *labelled->raters, by_text);
        if (i == 0 || strcmp(s->episode, labelled->standing[i - 1].episode) != 0) labelled->item_count++;
        s->item = labelled->item_count - 1;
        s->rater = (size_t)(who - labelled->raters);
    }
    *ret_rater_count = rater_count;
    return TCS_OK;
}

/* What all answers to each episode come to.  Whose it is, is no matter of whether it is real. */
static void combine(tcsi_labelled *labelled)
{
    for (size_t begin = 0, end; begin < labelled->standing_count; begin = end) {
        const standing *s = &labelled->standing[begin];
        tcsi_labelled_item *item = &labelled->items[s->item];
        double not_mine = 0, other = 0;
        for (end = begin; end < labelled->standing_count && labelled->standing[end].item == s->item; end++) {
            const standing *each = &labelled->standing[end];
            *(strcmp(each->verdict, "not_mine") == 0 ? &not_mine : &other) += each->confidence;
            if (!each->has_pattern) continue;
            item->has_pattern = true;
            item->pattern = each->pattern;
        }
        const double real = labelled->estimate.probabilities[s->item];
        item->episode = s->episode;
        item->begin = begin;
        item->count = end - begin;
        item->real = other > 0 ? real : NAN;
        item->disagreement = fmax(labelled->estimate.disagreements[s->item], 2 * fmin(not_mine, other) / fmax(not_mine + other, 1e-9));
        item->answer = not_mine > other ? "not_mine" : real >= 0.5 ? "true" : "expected";
        item->probability = not_mine > other ? not_mine / (not_mine + other) : fmax(real, 1 - real);
    }
}

static tcs_status estimate(tcsi_labelled *labelled, tcs_error *err)
{
    size_t rater_count = 0, vote_count = 0;
    tcs_status status = number_them(labelled, &rater_count, err);
    tcsi_vote *votes = status == TCS_OK ? TCSI_NEW_ARRAY(tcsi_vote, labelled->standing_count + 1) : NULL;
    if (status == TCS_OK && !votes) status = tcsi_fail_memory(err, "answers");
    for (size_t i = 0; status == TCS_OK && i < labelled->standing_count; i++) {
        const standing *s = &labelled->standing[i];
        if (strcmp(s->verdict, "not_mine") != 0)
            votes[vote_count++] = (tcsi_vote){ (uint32_t)s->rater, (uint32_t)s->item, strcmp(s->verdict, "true") == 0, s->confidence };
    }
    if (status == TCS_OK) status = tcsi_raters_estimate(votes, vote_count, rater_count, labelled->item_count, &labelled->estimate, err);
    if (status == TCS_OK) combine(labelled);
    tcsi_free(votes);
    return status;
}

static bool has_any(void *context, const tcsi_store_label *label)
{
    (void)label;
    *(bool *)context = true;
    return false;
}

static tcs_status refresh(tcsi_api *api, tcs_error *err)
{
    tcsi_labelled *labelled = api->labelled;
    bool is_more = labelled->items == NULL;
    pthread_mutex_lock(&api->store_mutex);
    tcs_status status = tcsi_store_label_list(api->store, NULL, labelled->sequence, 1, has_any, &is_more, err);
    if (status == TCS_OK && is_more) {
        forget(labelled);
        labelled->status = TCS_OK;
        status = tcsi_store_label_list(api->store, NULL, 0, 0, take_label, labelled, err);
        if (status == TCS_OK && labelled->status != TCS_OK) status = tcsi_fail(err, labelled->status, "%s", labelled->err.text);
    }
    pthread_mutex_unlock(&api->store_mutex);
    if (status == TCS_OK && is_more) status = estimate(labelled, err);
    if (status != TCS_OK) forget(labelled);
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

const tcsi_labelled_item *tcsi_labelled_find(const tcsi_api *api, const char *episode_id)
{
    const tcsi_labelled_item wanted = { .episode = episode_id };
    return bsearch(&wanted, api->labelled->items, api->labelled->item_count, sizeof wanted, by_id);
}

const tcsi_labelled_item *tcsi_labelled_items(const tcsi_api *api, size_t *ret_count)
{
    *ret_count = api->labelled->item_count;
    return api->labelled->items;
}

double tcsi_labelled_noise(const tcsi_api *api) { return api->labelled->estimate.noise; }
size_t tcsi_labelled_rater_count(const tcsi_api *api) { return api->labelled->estimate.rater_count; }

const char *tcsi_labelled_rater(const tcsi_api *api, size_t index, double *ret_reliability, double *ret_answer_count)
{
    const tcsi_rater *rater = &api->labelled->estimate.raters[index];
    *ret_reliability = tcsi_rater_reliability(rater);
    *ret_answer_count = rater->vote_count;
    return api->labelled->raters[index];
}

tcs_status tcsi_labelled_reliability(tcsi_api *api, const char *who, double *ret_reliability, tcs_error *err)
{
    const tcs_status status = tcsi_labelled_begin(api, err);
    if (status != TCS_OK) return status;
    const tcsi_labelled *labelled = api->labelled;
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
    pthread_mutex_lock(&api->store_mutex);
    const tcs_status status = tcsi_store_record_list(api->store, &query, take_pattern, &search, err);
    pthread_mutex_unlock(&api->store_mutex);
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
                         .reason = text_of(document, "reason"), .scope = text_of(document, "scope"), .until = text_of(document, "until"),
                         .time_ns = label->time_ns, .confidence = number_of(document, "confidence", 1),
                         .weight = number_of(document, "weight", 1) };
    write_answer(&s, label->sequence, label->is_undone, writer);
}

/* The document's members and then ours: it is an object without a space at its end.  What it was judged by is for those who ask for it
 * (explanation.c): lists would be twice as long. */
void tcsi_labelled_write_episode(const tcsi_api *api, const tcsi_store_record *record, tcsi_json_writer *writer)
{
    const tcsi_grounds_place grounds = tcsi_grounds_find(record->document);
    const tcsi_labelled_item *item = tcsi_labelled_find(api, record->id);
    const tcsi_labelled *labelled = api->labelled;
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
