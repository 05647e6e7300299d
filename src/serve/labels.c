/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/labels.h"

#include "base/alloc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef tcsi_labels_answer standing;

void tcsi_labels_init(tcsi_labels *labels)
{
    *labels = (tcsi_labels){ .sequence = 0 };
    tcsi_arena_init(&labels->arena, 0);
    tcsi_arena_init(&labels->scratch, 0);
}

void tcsi_labels_forget(tcsi_labels *labels)
{
    tcsi_arena_reset(&labels->arena);
    tcsi_free(labels->items);
    tcsi_free(labels->raters);
    tcsi_raters_deinit(&labels->estimate);
    labels->items = NULL;
    labels->raters = NULL;
    labels->item_count = labels->standing_count = 0;
}

void tcsi_labels_deinit(tcsi_labels *labels)
{
    tcsi_labels_forget(labels);
    tcsi_free(labels->standing);
    tcsi_arena_deinit(&labels->arena);
    tcsi_arena_deinit(&labels->scratch);
}

/* ---- reading ---- */

static const char *copy(tcsi_labels *labels, const char *text)
{
    const char *copied = tcsi_arena_strndup(&labels->arena, text, strlen(text));
    if (!copied) labels->status = tcsi_fail_memory(&labels->err, "answers");
    return copied;
}

static bool take_label(void *context, const tcsi_store_label *label)
{
    tcsi_labels *labels = context;
    const tcsi_json_value *document = NULL;
    tcs_error ignored;
    labels->sequence = label->sequence;
    if (!*label->verdict || label->is_undone) return true;
    if (!tcsi_grow((void **)&labels->standing, &labels->standing_capacity, labels->standing_count, sizeof *labels->standing, 64)) {
        labels->status = tcsi_fail_memory(&labels->err, "answers");
        return false;
    }
    tcsi_arena_reset(&labels->scratch);
    if (tcsi_json_parse(label->document, strlen(label->document), &labels->scratch, &document, &ignored) != TCS_OK) document = NULL;
    standing *s = &labels->standing[labels->standing_count++];
    *s = (standing){ .id = copy(labels, label->id), .episode = copy(labels, label->episode_id), .who = copy(labels, label->author),
                     .verdict = copy(labels, label->verdict), .reason = copy(labels, tcsi_json_text_of(document, "reason")),
                     .scope = copy(labels, tcsi_json_text_of(document, "scope")),
                     .until = copy(labels, tcsi_json_text_of(document, "until")),
                     .time_ns = label->time_ns };
    s->confidence = fmin(fmax(tcsi_json_number_of(document, "confidence", 1), 0), 1);
    s->weight = tcsi_json_number_of(document, "weight", 1);
    s->has_pattern = tcsi_pattern_read(tcsi_json_get(document, "pattern"), &s->pattern, &ignored) == TCS_OK;
    return labels->status == TCS_OK;
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

/* Numbers of episodes and people, both by name. */
static tcs_status number_them(tcsi_labels *labels, size_t *ret_rater_count, tcs_error *err)
{
    const size_t count = labels->standing_count;
    size_t rater_count = 0;
    labels->items = TCSI_NEW_ZEROS(tcsi_labelled_item, count + 1);
    labels->raters = TCSI_NEW_ARRAY(const char *, count + 1);
    if (!labels->items || !labels->raters) return tcsi_fail_memory(err, "answers");
    if (count > 1) qsort(labels->standing, count, sizeof *labels->standing, by_episode);
    for (size_t i = 0; i < count; i++) labels->raters[i] = labels->standing[i].who;
    if (count > 1) qsort(labels->raters, count, sizeof *labels->raters, by_text);
    for (size_t i = 0; i < count; i++)
        if (rater_count == 0 || strcmp(labels->raters[rater_count - 1], labels->raters[i]) != 0)
            labels->raters[rater_count++] = labels->raters[i];
    for (size_t i = 0; i < count; i++) {
        standing *s = &labels->standing[i];
        const char **who = bsearch(&s->who, labels->raters, rater_count, sizeof *labels->raters, by_text);
        if (i == 0 || strcmp(s->episode, labels->standing[i - 1].episode) != 0) labels->item_count++;
        s->item = labels->item_count - 1;
        s->rater = (size_t)(who - labels->raters);
    }
    *ret_rater_count = rater_count;
    return TCS_OK;
}

/* What all answers to each episode come to.  Whose it is, is no matter of whether it is real. */
static void combine(tcsi_labels *labels)
{
    for (size_t begin = 0, end; begin < labels->standing_count; begin = end) {
        const standing *s = &labels->standing[begin];
        tcsi_labelled_item *item = &labels->items[s->item];
        double not_mine = 0, other = 0;
        for (end = begin; end < labels->standing_count && labels->standing[end].item == s->item; end++) {
            const standing *each = &labels->standing[end];
            *(strcmp(each->verdict, "not_mine") == 0 ? &not_mine : &other) += each->confidence;
            if (!each->has_pattern) continue;
            item->has_pattern = true;
            item->pattern = each->pattern;
        }
        const double real = labels->estimate.probabilities[s->item];
        item->episode = s->episode;
        item->begin = begin;
        item->count = end - begin;
        item->real = other > 0 ? real : NAN;
        item->disagreement = fmax(labels->estimate.disagreements[s->item], 2 * fmin(not_mine, other) / fmax(not_mine + other, 1e-9));
        item->answer = not_mine > other ? "not_mine" : real >= 0.5 ? "true" : "expected";
        item->probability = not_mine > other ? not_mine / (not_mine + other) : fmax(real, 1 - real);
    }
}

tcs_status tcsi_labels_combine(tcsi_labels *labels, tcs_error *err)
{
    size_t rater_count = 0, vote_count = 0;
    tcs_status status = number_them(labels, &rater_count, err);
    tcsi_vote *votes = status == TCS_OK ? TCSI_NEW_ARRAY(tcsi_vote, labels->standing_count + 1) : NULL;
    if (status == TCS_OK && !votes) status = tcsi_fail_memory(err, "answers");
    for (size_t i = 0; status == TCS_OK && i < labels->standing_count; i++) {
        const standing *s = &labels->standing[i];
        if (strcmp(s->verdict, "not_mine") != 0)
            votes[vote_count++] = (tcsi_vote){ (uint32_t)s->rater, (uint32_t)s->item, strcmp(s->verdict, "true") == 0, s->confidence };
    }
    if (status == TCS_OK) status = tcsi_raters_estimate(votes, vote_count, rater_count, labels->item_count, &labels->estimate, err);
    if (status == TCS_OK) combine(labels);
    tcsi_free(votes);
    return status;
}

static int by_id(const void *a, const void *b)
{
    return strcmp(((const tcsi_labelled_item *)a)->episode, ((const tcsi_labelled_item *)b)->episode);
}

const tcsi_labelled_item *tcsi_labels_find(const tcsi_labels *labels, const char *episode)
{
    const tcsi_labelled_item wanted = { .episode = episode };
    return labels->item_count ? bsearch(&wanted, labels->items, labels->item_count, sizeof wanted, by_id) : NULL;
}

static bool has_any(void *context, const tcsi_store_label *label)
{
    (void)label;
    *(bool *)context = true;
    return false;
}

tcs_status tcsi_labels_list(tcsi_labels *labels, tcsi_store *store, bool *ret_is_new, tcs_error *err)
{
    bool is_more = labels->items == NULL;
    tcs_status status = tcsi_store_label_list(store, NULL, labels->sequence, 1, has_any, &is_more, err);
    *ret_is_new = status == TCS_OK && is_more;
    if (!*ret_is_new) return status;
    tcsi_labels_forget(labels);
    labels->status = TCS_OK;
    status = tcsi_store_label_list(store, NULL, 0, 0, take_label, labels, err);
    return status == TCS_OK && labels->status != TCS_OK ? tcsi_fail(err, labels->status, "%s", labels->err.text) : status;
}
