/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/deep/challenger.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "serve/deep/trial.h"
#include "serve/models/models.h"
#include "series/stats.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MODEL_SIZE_MAX = 1 << 24, NEW_MIN = 5, NEW_SHARE = 10, SHADOW_STEP = 50 };
static const char ALIAS[] = "challenger", WHO[] = "service";
static const double TWO_SIDED = 1.6449, LOW = 0.01;

void tcsi_challenger_init(tcsi_challenger *challenger, tcsi_store *store)
{
    *challenger = (tcsi_challenger){ .store = store };
    tcsi_deep_labelled_init(&challenger->set);
}

void tcsi_challenger_deinit(tcsi_challenger *challenger)
{
    tcsi_deep_labelled_deinit(&challenger->set);
    tcsi_deep_model_release(challenger->model);
    challenger->model = NULL;
}

/* ---- what the store says ---- */

/* Whom the alias names, unless a canary is another one; "": nobody. */
static tcs_status find_wanted(const tcsi_challenger *c, const tcsi_deep_model *champion, char ret_hash[TCSI_HASH_TEXT_SIZE], tcs_error *err)
{
    bool is_found = false;
    tcs_status status = TCS_OK;
    if (c->canary.share > 0) memcpy(ret_hash, c->canary.model, TCSI_HASH_TEXT_SIZE);
    else status = tcsi_store_alias_get(c->store, ALIAS, ret_hash, &is_found, err);
    if (c->canary.share == 0 && !is_found) *ret_hash = 0;
    if (strcmp(ret_hash, champion->hash) == 0) *ret_hash = 0;
    return status;
}

static tcs_status find_parent(tcsi_challenger *c, const char *hash, tcs_error *err)
{
    tcsi_arena arena;
    tcsi_model model;
    tcsi_arena_init(&arena, (size_t)1 << 30);
    const tcs_status status = tcsi_models_find(c->store, hash, &arena, &model, err);
    snprintf(c->parent, sizeof c->parent, "%s", status == TCS_OK ? model.parent : "");
    if (status == TCS_OK) c->made_ns = model.created_ns;
    tcsi_arena_deinit(&arena);
    return status;
}

static void set_model(tcsi_challenger *c, tcsi_deep_model *model)
{
    tcsi_deep_model_release(c->model);
    c->model = model;
    c->shadow_written = 0;
    c->has_asked = false;
}

static tcs_status load(tcsi_challenger *c, const char *hash, tcs_error *err)
{
    tcsi_buffer bytes;
    tcsi_deep_model *model = NULL;
    tcs_status status = *hash ? find_parent(c, hash, err) : TCS_OK;
    tcsi_buffer_init(&bytes, MODEL_SIZE_MAX);
    if (*hash && status == TCS_OK) status = tcsi_store_model_get(c->store, hash, &bytes, err);
    if (*hash && status == TCS_OK) status = tcsi_deep_model_load(bytes.data, bytes.size, &model, err);
    tcsi_buffer_deinit(&bytes);
    set_model(c, model);
    return status;
}

tcs_status tcsi_challenger_look(tcsi_challenger *c, const tcsi_deep_model *champion, bool *ret_is_changed, tcs_error *err)
{
    char wanted[TCSI_HASH_TEXT_SIZE];
    bool is_new;
    const double share = c->canary.share;
    *ret_is_changed = false;
    tcs_status status = tcsi_deep_labelled_read(&c->set, c->store, &is_new, err);
    if (status == TCS_OK) status = tcsi_canary_read(c->store, &c->canary, err);
    if (status == TCS_OK) status = find_wanted(c, champion, wanted, err);
    if (status != TCS_OK) return status;
    *ret_is_changed = share != c->canary.share || strcmp(wanted, c->model ? c->model->hash : "") != 0;
    return strcmp(wanted, c->model ? c->model->hash : "") != 0 ? load(c, wanted, err) : TCS_OK;
}

/* ---- when ---- */

/* Labels that are new to whoever learned from them, and learned ones that are no longer there. */
static void count_changes(const tcsi_deep_labelled *set, const tcsi_deep_head *head, size_t *ret_new, size_t *ret_gone)
{
    size_t kept = 0;
    for (size_t i = 0; i < set->count; i++) kept += tcsi_deep_head_has_learned(head, set->items[i].episode);
    *ret_new = set->count - kept;
    *ret_gone = head->is_set ? head->counts[0] + head->counts[1] - kept : 0;
}

bool tcsi_challenger_is_due(const tcsi_challenger *c, const tcsi_deep_model *champion)
{
    const tcsi_deep_head *challenger = c->model ? &c->model->head : NULL, *last = &champion->head;
    size_t added, gone;
    if (c->canary.share > 0) return false; /* who is on trial stays until that is over */
    const bool is_tried = c->has_made && strcmp(c->made_for, c->set.hash) == 0 && strcmp(c->parent, champion->hash) == 0;
    if (is_tried || !*c->set.hash) return false;
    if (challenger && challenger->is_set) last = challenger;
    if (champion->head.is_set && strcmp(champion->head.labels, c->set.hash) == 0) return false;
    count_changes(&c->set, last, &added, &gone);
    if (challenger && challenger->is_set && strcmp(c->parent, champion->hash) != 0) added = c->set.count; /* against another champion */
    if (gone > 0 && c->set.count < TCSI_DEEP_LABELS_MAX) return true;
    return tcsi_deep_head_is_due(&c->set) && added >= NEW_MIN && added * NEW_SHARE >= c->set.count;
}

/* ---- what it is measured to do ---- */

/* What a side says of labelled windows. */
typedef struct side {
    double *scores;        /* (set.count) */
    double ns_per_row;     /* the median's: others want the processor, too, and the first row finds nothing where it was */
    double p_low, confirmed_false; /* among others: chances below LOW, and below what confirms an episode */
} side;

static tcs_status ask(const tcsi_deep_model *model, const tcsi_deep_labelled *set, side *ret_side, tcs_error *err)
{
    tcsi_deep_scorer scorer;
    double features[TCSI_DEEP_FEATURES], strangeness, others = 0;
    side s = { .scores = TCSI_NEW_ARRAY(double, 2 * set->count + 2) };
    if (!s.scores) return tcsi_fail_memory(err, "a trial");
    double *const costs = s.scores + set->count + 1;
    tcs_status status = tcsi_deep_scorer_init(&scorer, &model->network, err);
    for (size_t i = 0; status == TCS_OK && i < set->count; i++) {
        const int64_t begin_ns = tcsi_clock_thread_ns();
        tcsi_deep_scorer_run(&scorer, set->items[i].rows, 1, &strangeness, features);
        s.scores[i] = tcsi_deep_model_score(model, TCSI_QUESTION_ESCALATED, strangeness, features);
        costs[i] = (double)(tcsi_clock_thread_ns() - begin_ns);
        if (set->items[i].is_true) continue;
        const double p = (double)tcsi_deep_model_p_value(model, TCSI_QUESTION_ESCALATED, s.scores[i]);
        others++;
        s.p_low += p < LOW;
        s.confirmed_false += p <= tcsi_second_look_usual.agree;
    }
    s.ns_per_row = set->count ? tcsi_quantile_inplace(costs, set->count, 0.5) : 0;
    if (others > 0) s.p_low /= others;
    tcsi_deep_scorer_deinit(&scorer);
    if (status == TCS_OK) *ret_side = s;
    else tcsi_free(s.scores);
    return status;
}

static tcsi_model_evidence evidence_of(const char *data, const side *s, const tcsi_deep_trial *trial, size_t which)
{
    const double reach = TWO_SIDED * trial->deviation[which];
    return (tcsi_model_evidence){ .data = data, .vus_pr = NAN, .auc_pr = NAN, .f1_event = NAN, .alarms = s->confirmed_false,
                                  .alarms_false = s->confirmed_false, .p_low_share = s->p_low, .ns_per_row = s->ns_per_row,
                                  .alarms_allowed = tcsi_second_look_usual.agree * (double)(trial->counts[0] + trial->counts[1]),
                                  .row_count = trial->counts[0] + trial->counts[1], .measured_ns = tcsi_clock_wall_ns(),
                                  .auc_roc = trial->auc[which], .auc_roc_low = fmax(trial->auc[which] - reach, 0),
                                  .auc_roc_high = fmin(trial->auc[which] + reach, 1),
                                  .auc_gain_low = which == TCSI_DEEP_CHALLENGER ? tcsi_deep_trial_gain_low(trial) : NAN,
                                  .labels_true = (double)trial->counts[1], .labels_other = (double)trial->counts[0] };
}

/* Those labels that neither of the two sides has learned from, as far as the caller says so. */
static tcs_status pit(tcsi_challenger *c, const tcsi_deep_model *challenger, const tcsi_deep_model *champion, const bool *is_fair,
                      side sides[TCSI_DEEP_SIDES], const char *data, tcs_error *err)
{
    const size_t count = c->set.count;
    double *scores = TCSI_NEW_ARRAY(double, 2 * count + 2);
    uint8_t *labels = TCSI_NEW_ARRAY(uint8_t, count + 1);
    tcsi_deep_trial trial;
    size_t kept = 0, counts[2] = { 0, 0 };
    tcs_status status = scores && labels ? TCS_OK : tcsi_fail_memory(err, "a trial");
    const double *const both[] = { scores, scores ? scores + count : NULL };
    for (size_t i = 0; status == TCS_OK && i < count; i++) {
        if (!is_fair[i]) continue;
        for (size_t s = 0; s < TCSI_DEEP_SIDES; s++) scores[s * count + kept] = sides[s].scores[i];
        labels[kept++] = c->set.items[i].is_true;
        counts[c->set.items[i].is_true]++;
    }
    if (status == TCS_OK && counts[0] >= TCSI_DEEP_LABELS_MIN && counts[1] >= TCSI_DEEP_LABELS_MIN) {
        const tcsi_deep_model *const models[] = { challenger, champion };
        status = tcsi_deep_trial_run(both, labels, kept, &trial, err);
        for (size_t s = 0; status == TCS_OK && s < TCSI_DEEP_SIDES; s++) {
            const tcsi_model_evidence evidence = evidence_of(data, &sides[s], &trial, s);
            status = tcsi_models_evidence_put(c->store, models[s]->hash, &evidence, err);
        }
    }
    tcsi_free(labels);
    tcsi_free(scores);
    return status;
}

/* held_out: the challenger's scores of what it learned from, by what other series teach; NULL: only what came later counts. */
static tcs_status try_on_answers(tcsi_challenger *c, const tcsi_deep_model *challenger, const tcsi_deep_model *champion,
                                 const double *held_out, tcs_error *err)
{
    side sides[TCSI_DEEP_SIDES] = { { .scores = NULL }, { .scores = NULL } };
    bool *is_fair = TCSI_NEW_ARRAY(bool, c->set.count + 1);
    tcs_status status = is_fair ? TCS_OK : tcsi_fail_memory(err, "a trial");
    if (status == TCS_OK) status = ask(challenger, &c->set, &sides[TCSI_DEEP_CHALLENGER], err);
    if (status == TCS_OK) status = ask(champion, &c->set, &sides[TCSI_DEEP_CHAMPION], err);
    for (size_t i = 0; status == TCS_OK && i < c->set.count; i++) {
        const uint64_t episode = c->set.items[i].episode;
        is_fair[i] = !tcsi_deep_head_has_learned(&champion->head, episode);
        if (held_out) sides[TCSI_DEEP_CHALLENGER].scores[i] = held_out[i];
        else is_fair[i] &= !tcsi_deep_head_has_learned(&challenger->head, episode);
    }
    if (status == TCS_OK)
        status = pit(c, challenger, champion, is_fair, sides, held_out ? TCSI_MODEL_DATA_ANSWERS : TCSI_MODEL_DATA_LATER, err);
    for (size_t s = 0; s < TCSI_DEEP_SIDES; s++) tcsi_free(sides[s].scores);
    tcsi_free(is_fair);
    return status;
}

/* What the champion confirms is what whoever takes its place may, too: rows of one hour are not those that chances were told by.
 * Of processor time it says nothing: the challenger scores a row or two where the champion scores a batch, which costs twice as much a row
 * and more.  Answers tell that, since both score them one by one. */
static tcs_status put_shadow(tcsi_challenger *c, const tcsi_deep_model *champion, const tcsi_deep_shadow *shadow, tcs_error *err)
{
    const char *const hashes[] = { c->model->hash, champion->hash };
    const uint64_t alone[] = { shadow->challenger_only, shadow->champion_only };
    const double compared = (double)shadow->compared;
    tcs_status status = TCS_OK;
    for (size_t s = 0; status == TCS_OK && s < TCSI_DEEP_SIDES; s++) {
        const tcsi_model_evidence evidence = { .data = TCSI_MODEL_DATA_SHADOW, .vus_pr = NAN, .auc_pr = NAN, .f1_event = NAN,
                                               .alarms = (double)(shadow->both + alone[s]), .alarms_false = NAN,
                                               .alarms_allowed = (double)(shadow->both + shadow->champion_only),
                                               .p_low_share = (double)shadow->low[s] / compared,
                                               .ns_per_row = NAN, .row_count = shadow->compared,
                                               .measured_ns = tcsi_clock_wall_ns(), .auc_roc = NAN, .auc_roc_low = NAN,
                                               .auc_roc_high = NAN, .auc_gain_low = NAN };
        status = tcsi_models_evidence_put(c->store, hashes[s], &evidence, err);
    }
    return status;
}

tcs_status tcsi_challenger_measure(tcsi_challenger *c, const tcsi_deep_model *champion, const tcsi_deep_shadow *shadow, tcs_error *err)
{
    if (!c->model || strcmp(shadow->model, c->model->hash) != 0) return TCS_OK;
    if (shadow->compared < TCSI_CHALLENGER_ROWS_MIN || shadow->compared < c->shadow_written + SHADOW_STEP) return TCS_OK;
    tcs_status status = put_shadow(c, champion, shadow, err);
    if (status == TCS_OK) status = try_on_answers(c, c->model, champion, NULL, err);
    c->has_asked = false;
    if (status == TCS_OK) c->shadow_written = shadow->compared;
    return status;
}

/* ---- making one ---- */

static tcs_status put(tcsi_challenger *c, const tcsi_deep_model *model, const tcsi_deep_model *champion,
                      char ret_hash[TCSI_HASH_TEXT_SIZE], tcs_error *err)
{
    tcsi_buffer bytes;
    const tcsi_model_import import = { .name = TCSI_MODEL_LIVE, .parent = champion->hash, .who = WHO, .now_ns = tcsi_clock_wall_ns(),
                                       .note = "learned from people's answers" };
    c->made_ns = import.now_ns;
    tcsi_buffer_init(&bytes, MODEL_SIZE_MAX);
    tcs_status status = tcsi_deep_model_save(model, &bytes, err);
    if (status == TCS_OK) status = tcsi_models_import(c->store, bytes.data, bytes.size, &import, ret_hash, err);
    tcsi_buffer_deinit(&bytes);
    return status;
}

tcs_status tcsi_challenger_make(tcsi_challenger *c, const tcsi_deep_model *champion,
                                const tcsi_deep_windows references[TCSI_QUESTION_SORT_COUNT], tcs_error *err)
{
    tcsi_deep_model *model = NULL;
    char hash[TCSI_HASH_TEXT_SIZE];
    tcsi_deep_answers answers = { .set = &c->set, .held_out = TCSI_NEW_ZEROS(double, c->set.count + 1) };
    if (!answers.held_out) return tcsi_fail_memory(err, "a challenger");
    c->has_made = true;
    memcpy(c->made_for, c->set.hash, sizeof c->made_for);
    memcpy(c->parent, champion->hash, sizeof c->parent);
    tcs_status status = tcsi_deep_model_compare(champion, references, &answers, &model, err);
    if (status == TCS_OK) status = put(c, model, champion, hash, err);
    if (status == TCS_OK && model->head.is_set) status = try_on_answers(c, model, champion, answers.held_out, err);
    if (status == TCS_OK) status = tcsi_store_alias_set(c->store, ALIAS, hash, err); /* whoever sees it there sees its evidence */
    if (status == TCS_OK) {
        set_model(c, model);
    } else {
        tcsi_deep_model_release(model);
    }
    tcsi_free(answers.held_out);
    return status;
}

/* ---- gates ---- */

typedef struct measured {
    tcsi_model_evidence answers, shadow;
    bool has_answers, has_shadow;
} measured;

static bool take_evidence(void *context, const tcsi_model_evidence *evidence)
{
    measured *m = context;
    if (strcmp(evidence->data, TCSI_MODEL_DATA_ANSWERS) == 0) {
        m->answers = *evidence;
        m->has_answers = true;
        m->answers.data = TCSI_MODEL_DATA_ANSWERS;
    } else if (strcmp(evidence->data, TCSI_MODEL_DATA_SHADOW) == 0) {
        m->shadow = *evidence;
        m->has_shadow = true;
        m->shadow.data = TCSI_MODEL_DATA_SHADOW;
    }
    return true;
}

static bool are_passed(const tcsi_model_evidence *challenger, const tcsi_model_evidence *champion)
{
    tcsi_model_gate gates[TCSI_MODEL_GATES_MAX];
    const size_t count = tcsi_models_gates(challenger, champion, gates);
    for (size_t i = 0; i < count; i++)
        if (!gates[i].is_passed) return false;
    return true;
}

static tcs_status read_measured(const tcsi_challenger *c, const tcsi_deep_model *champion, measured *ret_one, measured *ret_other,
                                tcs_error *err)
{
    *ret_one = *ret_other = (measured){ .has_answers = false };
    const tcs_status status = tcsi_models_evidence_list(c->store, c->model->hash, take_evidence, ret_one, err);
    return status == TCS_OK ? tcsi_models_evidence_list(c->store, champion->hash, take_evidence, ret_other, err) : status;
}

tcs_status tcsi_challenger_passes(const tcsi_challenger *c, const tcsi_deep_model *champion, bool *ret_passes, tcs_error *err)
{
    measured one, other;
    *ret_passes = false;
    if (!c->model || !c->model->head.is_set || c->shadow_written < TCSI_CHALLENGER_ROWS_MIN || c->canary.share > 0) return TCS_OK;
    const tcs_status status = read_measured(c, champion, &one, &other, err);
    if (status != TCS_OK || !one.has_answers || !other.has_answers || !one.has_shadow || !other.has_shadow) return status;
    *ret_passes = are_passed(&one.answers, &other.answers) && are_passed(&one.shadow, &other.shadow);
    return TCS_OK;
}

tcs_status tcsi_challenger_is_awaited(tcsi_challenger *c, const tcsi_deep_model *champion, bool *ret_is, tcs_error *err)
{
    measured one, other;
    *ret_is = false;
    if (!c->model || !c->model->head.is_set || strcmp(c->parent, champion->hash) != 0) return TCS_OK;
    if (!c->has_asked) {
        const tcs_status status = read_measured(c, champion, &one, &other, err);
        if (status != TCS_OK) return status;
        c->has_asked = true;
        c->is_awaited = one.has_answers && other.has_answers && !one.has_shadow && are_passed(&one.answers, &other.answers);
    }
    *ret_is = c->is_awaited;
    return TCS_OK;
}
