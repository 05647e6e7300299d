/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/deep/deep.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/pool.h"
#include "serve/deep/past.h"
#include "serve/shard/directory.h"
#include "serve/shard/verdicts.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

enum { CHALLENGER = TCSI_DEEP_CHALLENGER, CHAMPION = TCSI_DEEP_CHAMPION, SIDES = TCSI_DEEP_SIDES };
enum { QUEUE_MAX = 4096, BATCH_MAX = 512, THREAD_MAX = 64, SHADOW_WAITING_MAX = 64 };

/* A model that a thread holds, and what it says of its questions. */
typedef struct side {
    tcsi_deep_model *model;      /* that scorer is of; NULL: none */
    tcsi_deep_scorer scorer;
    bool has_said;
    float p_values[BATCH_MAX];
} side;

/* Of one thread. */
typedef struct answerer {
    tcsi_deep *deep;
    pthread_t thread;
    bool is_running;
    side sides[SIDES];
    size_t count;
    tcsi_deep_question questions[BATCH_MAX];
    int16_t rows[BATCH_MAX * TCSI_LAST_ROWS];
    double scores[BATCH_MAX], features[BATCH_MAX * TCSI_DEEP_FEATURES];
    tcsi_deep_answer answers[BATCH_MAX];
    tcsi_buffer record;
} answerer;

struct tcsi_deep {
    tcsi_deep_options options;
    tcsi_teacher *teacher;
    answerer *answerers;         /* (thread_count) */
    pthread_mutex_t mutex;       /* of what follows */
    pthread_cond_t changed;      /* something was asked, or it ends */
    tcsi_intake *intake;         /* NULL: not started */
    bool is_ending;
    tcsi_deep_model *models[SIDES]; /* NULL: none so far */
    tcsi_canary canary;
    tcsi_deep_question *queue;        /* (QUEUE_MAX) a ring */
    size_t first, count;
    tcsi_deep_stats stats;
};

/* ---- the models ---- */

/* The one before is released by the caller. */
static tcsi_deep_model *exchange(tcsi_deep *deep, size_t which, tcsi_deep_model *model)
{
    tcsi_deep_model *before = deep->models[which];
    deep->models[which] = model;
    deep->stats.shadow = (tcsi_deep_shadow){ .compared = 0 }; /* of two others */
    if (deep->models[CHALLENGER]) memcpy(deep->stats.shadow.model, deep->models[CHALLENGER]->hash, sizeof deep->stats.shadow.model);
    return before;
}

static void take_model(void *self, tcsi_deep_model *model)
{
    tcsi_deep *deep = self;
    pthread_mutex_lock(&deep->mutex);
    tcsi_deep_model *before = exchange(deep, CHAMPION, model);
    pthread_mutex_unlock(&deep->mutex);
    tcsi_deep_model_release(before);
}

static void take_challenger(void *self, tcsi_deep_model *model, const tcsi_canary *canary)
{
    tcsi_deep *deep = self;
    pthread_mutex_lock(&deep->mutex);
    tcsi_deep_model *before = exchange(deep, CHALLENGER, model);
    deep->canary = *canary;
    if (!model) deep->canary.share = 0;
    pthread_mutex_unlock(&deep->mutex);
    tcsi_deep_model_release(before);
}

static void tell_shadow(void *self, tcsi_deep_shadow *ret_shadow)
{
    tcsi_deep *deep = self;
    pthread_mutex_lock(&deep->mutex);
    *ret_shadow = deep->stats.shadow;
    pthread_mutex_unlock(&deep->mutex);
}

static void leave_model(side *s)
{
    tcsi_deep_scorer_deinit(&s->scorer);
    tcsi_deep_model_release(s->model);
    s->model = NULL;
}

/* The newest model of that side, ready to score; false: there is none (the scorer's model is NULL), or no memory. */
static bool hold_model(answerer *a, size_t which)
{
    tcs_error ignored;
    side *s = &a->sides[which];
    pthread_mutex_lock(&a->deep->mutex);
    tcsi_deep_model *newest = a->deep->models[which];
    if (newest && newest != s->model) tcsi_deep_model_refer(newest);
    pthread_mutex_unlock(&a->deep->mutex);
    if (newest == s->model) return newest != NULL;
    leave_model(s);
    s->model = newest;
    if (newest && tcsi_deep_scorer_init(&s->scorer, &newest->network, &ignored) == TCS_OK) return true;
    leave_model(s);
    return false;
}

/* ---- answers ---- */

/* What is due, in the order in which it was asked; false: it ends. */
static bool take_questions(answerer *a)
{
    tcsi_deep *deep = a->deep;
    pthread_mutex_lock(&deep->mutex);
    while (deep->count == 0 && !deep->is_ending) pthread_cond_wait(&deep->changed, &deep->mutex);
    for (a->count = 0; a->count < BATCH_MAX && deep->count > 0; a->count++) {
        a->questions[a->count] = deep->queue[deep->first];
        deep->first = (deep->first + 1) % QUEUE_MAX;
        deep->count--;
    }
    const bool goes_on = !deep->is_ending;
    pthread_mutex_unlock(&deep->mutex);
    return goes_on;
}

/* All of it is shown to the teacher; what comes too late is left out.  Returns how many were. */
static size_t sort_out(answerer *a)
{
    const int64_t now_ns = tcsi_clock_wall_ns();
    size_t kept = 0;
    for (size_t i = 0; i < a->count; i++) {
        const tcsi_deep_question *question = &a->questions[i];
        tcsi_teacher_push(a->deep->teacher, (tcsi_question_sort)question->sort, question->rows);
        if (now_ns - question->received_ns > a->deep->options.deadline_ns) continue;
        a->questions[kept++] = *question;
    }
    const size_t late = a->count - kept;
    a->count = kept;
    return late;
}

/* What a side says of its questions; is_brief: of those out of the ordinary alone. */
static void say(answerer *a, size_t which, bool is_brief)
{
    side *s = &a->sides[which];
    size_t chosen[BATCH_MAX], count = 0;
    s->has_said = hold_model(a, which);
    if (!s->has_said) return;
    for (size_t i = 0; i < a->count; i++) {
        if (is_brief && a->questions[i].sort != TCSI_QUESTION_ESCALATED) continue;
        memcpy(a->rows + count * TCSI_LAST_ROWS, a->questions[i].rows, sizeof a->questions[i].rows);
        chosen[count++] = i;
    }
    tcsi_deep_scorer_run(&s->scorer, a->rows, count, a->scores, a->features);
    for (size_t k = 0; k < count; k++) {
        const tcsi_question_sort sort = (tcsi_question_sort)a->questions[chosen[k]].sort;
        const double score = tcsi_deep_model_score(s->model, sort, a->scores[k], a->features + k * TCSI_DEEP_FEATURES);
        s->p_values[chosen[k]] = tcsi_deep_model_p_value(s->model, sort, score);
    }
}

/* One side's answers as a record, whose head says which model gave them; without any: none, unless it is the champion's. */
static bool send_side(answerer *a, tcsi_intake *intake, size_t which, const tcsi_canary *canary)
{
    tcs_error failure;
    const side *s = &a->sides[which];
    const bool is_shared = a->sides[CHALLENGER].has_said && canary->share > 0;
    size_t count = 0;
    for (size_t i = 0; i < a->count; i++) {
        const tcsi_deep_question *q = &a->questions[i];
        if (is_shared && tcsi_canary_holds(canary, q->number) != (which == CHALLENGER)) continue;
        a->answers[count++] = (tcsi_deep_answer){ .serial = q->serial, .number = q->number, .is_untrained = !s->has_said,
                                                  .p_value = s->has_said ? s->p_values[i] : 1 };
    }
    if (count == 0) return true;
    tcsi_buffer_clear(&a->record);
    return tcsi_verdicts_write(s->has_said ? s->model->hash : "", a->answers, count, &a->record, &failure) == TCS_OK &&
           tcsi_intake_hear(intake, a->record.data, a->record.size, tcsi_clock_wall_ns(), &failure) == TCS_OK;
}

static tcsi_canary canary_of(answerer *a)
{
    pthread_mutex_lock(&a->deep->mutex);
    const tcsi_canary canary = a->deep->canary;
    pthread_mutex_unlock(&a->deep->mutex);
    return canary;
}

static bool send(answerer *a, tcsi_intake *intake)
{
    const tcsi_deep_options *options = &a->deep->options;
    const tcsi_canary canary = canary_of(a);
    a->sides[CHALLENGER].has_said = false;
    if (options->disturb && !options->disturb(options->context)) return false;
    say(a, CHAMPION, false);
    if (canary.share > 0) say(a, CHALLENGER, false);
    const bool is_canary = canary.share > 0 && a->sides[CHALLENGER].has_said;
    return send_side(a, intake, CHAMPION, &canary) && (!is_canary || send_side(a, intake, CHALLENGER, &canary));
}

/* Both have said something: how far do they agree on rows out of the ordinary?  Under the mutex. */
static void count_shadow(answerer *a, tcsi_deep_shadow *shadow)
{
    const side *sides = a->sides;
    const double agree = tcsi_second_look_usual.agree;
    const bool is_canary = a->deep->canary.share > 0;
    for (size_t i = 0; i < a->count; i++) {
        if (is_canary) shadow->answered += tcsi_canary_holds(&a->deep->canary, a->questions[i].number);
        if (a->questions[i].sort != TCSI_QUESTION_ESCALATED) continue;
        const bool says[SIDES] = { (double)sides[CHALLENGER].p_values[i] <= agree, (double)sides[CHAMPION].p_values[i] <= agree };
        shadow->compared++;
        shadow->both += says[CHALLENGER] && says[CHAMPION];
        shadow->challenger_only += says[CHALLENGER] && !says[CHAMPION];
        shadow->champion_only += !says[CHALLENGER] && says[CHAMPION];
        for (size_t s = 0; s < SIDES; s++) shadow->low[s] += (double)sides[s].p_values[i] < 0.01;
    }
}

/* After the answers are in the journal, and while little waits: what would the challenger have said of rows out of the ordinary? */
static void compare(answerer *a)
{
    tcsi_deep *deep = a->deep;
    side *sides = a->sides;
    size_t escalated = 0;
    for (size_t i = 0; i < a->count; i++) escalated += a->questions[i].sort == TCSI_QUESTION_ESCALATED;
    pthread_mutex_lock(&deep->mutex);
    const bool is_challenged = deep->models[CHALLENGER] && deep->models[CHAMPION], has_time = deep->count <= SHADOW_WAITING_MAX;
    pthread_mutex_unlock(&deep->mutex);
    if (!is_challenged || !sides[CHAMPION].has_said || escalated == 0) return;
    if (!sides[CHALLENGER].has_said && has_time) say(a, CHALLENGER, true);
    pthread_mutex_lock(&deep->mutex);
    const bool is_same = deep->models[CHALLENGER] == sides[CHALLENGER].model && deep->models[CHAMPION] == sides[CHAMPION].model;
    if (!sides[CHALLENGER].has_said) deep->stats.shadow.skipped += escalated;
    else if (is_same) count_shadow(a, &deep->stats.shadow);
    pthread_mutex_unlock(&deep->mutex);
}

static void note(answerer *a, size_t late_count, bool is_sent)
{
    tcsi_deep_stats *stats = &a->deep->stats;
    const int64_t now_ns = tcsi_clock_wall_ns();
    pthread_mutex_lock(&a->deep->mutex);
    stats->late_count += late_count;
    if (!is_sent) stats->failed_count += a->count;
    for (size_t i = 0; is_sent && i < a->count; i++) {
        stats->latencies[tcsi_live_latency_place(now_ns - a->questions[i].received_ns)]++;
        stats->answered_count++;
    }
    pthread_mutex_unlock(&a->deep->mutex);
}

static void *answer_all(void *argument)
{
    answerer *a = argument;
    tcsi_thread_lower(TCSI_URGENCY_LOW);
    while (take_questions(a)) {
        pthread_mutex_lock(&a->deep->mutex);
        tcsi_intake *intake = a->deep->intake;
        pthread_mutex_unlock(&a->deep->mutex);
        const size_t late_count = sort_out(a);
        const bool is_sent = !intake || a->count == 0 || send(a, intake);
        if (intake) note(a, late_count, is_sent);
        if (intake && a->count > 0 && is_sent) compare(a);
    }
    return NULL;
}

void tcsi_deep_ask(void *self, const tcsi_deep_question *question)
{
    tcsi_deep *deep = self;
    pthread_mutex_lock(&deep->mutex);
    if (deep->is_ending || deep->count == QUEUE_MAX) {
        deep->stats.lost_count += deep->intake != NULL;
    } else {
        deep->queue[(deep->first + deep->count++) % QUEUE_MAX] = *question;
        if (deep->count == 1) pthread_cond_signal(&deep->changed);
    }
    pthread_mutex_unlock(&deep->mutex);
}

/* ---- life ---- */

static tcs_status start_answerer(tcsi_deep *deep, answerer *a, tcs_error *err)
{
    a->deep = deep;
    tcsi_buffer_init(&a->record, TCSI_JOURNAL_RECORD_MAX);
    if (pthread_create(&a->thread, NULL, answer_all, a) != 0) return tcsi_fail(err, TCS_E_IO, "no thread for the deep layer");
    a->is_running = true;
    return TCS_OK;
}

tcs_status tcsi_deep_create(const tcsi_deep_options *options, tcsi_deep **ret_deep, tcs_error *err)
{
    tcsi_deep *deep = TCSI_NEW(tcsi_deep);
    if (!deep) return tcsi_fail_memory(err, "the deep layer");
    deep->options = *options;
    if (!options->thread_count) deep->options.thread_count = 1;
    if (deep->options.thread_count > THREAD_MAX) deep->options.thread_count = THREAD_MAX;
    pthread_mutex_init(&deep->mutex, NULL);
    pthread_cond_init(&deep->changed, NULL);
    deep->queue = TCSI_NEW_ARRAY(tcsi_deep_question, QUEUE_MAX);
    deep->answerers = TCSI_NEW_ZEROS(answerer, deep->options.thread_count);
    const tcsi_teacher_options teacher = { .share = options->train_share, .store = options->store, .publish = take_model,
                                           .challenge = take_challenger, .compared = tell_shadow, .self = deep };
    tcs_status status = deep->queue && deep->answerers ? TCS_OK : tcsi_fail_memory(err, "the deep layer");
    if (status == TCS_OK) status = tcsi_teacher_create(&teacher, &deep->teacher, err);
    for (size_t i = 0; status == TCS_OK && i < deep->options.thread_count; i++) status = start_answerer(deep, &deep->answerers[i], err);
    if (status == TCS_OK) *ret_deep = deep;
    else tcsi_deep_destroy(deep);
    return status;
}

void tcsi_deep_start(tcsi_deep *deep, tcsi_intake *intake)
{
    pthread_mutex_lock(&deep->mutex);
    deep->intake = intake;
    deep->count = 0; /* of records that were read: they have their answers, or will not get any */
    pthread_mutex_unlock(&deep->mutex);
}

void tcsi_deep_stop(tcsi_deep *deep)
{
    if (!deep) return;
    pthread_mutex_lock(&deep->mutex);
    deep->is_ending = true;
    pthread_cond_broadcast(&deep->changed);
    pthread_mutex_unlock(&deep->mutex);
    for (size_t i = 0; deep->answerers && i < deep->options.thread_count; i++) {
        answerer *a = &deep->answerers[i];
        if (a->is_running) pthread_join(a->thread, NULL);
        a->is_running = false;
    }
}

void tcsi_deep_destroy(tcsi_deep *deep)
{
    if (!deep) return;
    tcsi_deep_stop(deep);
    tcsi_teacher_destroy(deep->teacher);
    for (size_t i = 0; deep->answerers && i < deep->options.thread_count; i++) {
        for (size_t s = 0; s < SIDES; s++) leave_model(&deep->answerers[i].sides[s]);
        tcsi_buffer_deinit(&deep->answerers[i].record);
    }
    for (size_t s = 0; s < SIDES; s++) tcsi_deep_model_release(deep->models[s]);
    tcsi_free(deep->answerers);
    tcsi_free(deep->queue);
    pthread_cond_destroy(&deep->changed);
    pthread_mutex_destroy(&deep->mutex);
    tcsi_free(deep);
}

/* ---- how it goes ---- */

tcsi_deep_stats tcsi_deep_stat(tcsi_deep *deep)
{
    pthread_mutex_lock(&deep->mutex);
    tcsi_deep_stats stats = deep->stats;
    stats.waiting_count = deep->count;
    stats.canary = deep->canary;
    if (deep->models[CHAMPION]) memcpy(stats.model, deep->models[CHAMPION]->hash, sizeof stats.model);
    pthread_mutex_unlock(&deep->mutex);
    stats.teacher = tcsi_teacher_stat(deep->teacher);
    return stats;
}

double tcsi_deep_latency(const tcsi_deep_stats *stats, double share)
{
    tcsi_live_stats live = { 0 };
    memcpy(live.latencies, stats->latencies, sizeof live.latencies);
    return tcsi_live_latency(&live, share);
}

size_t tcsi_deep_size(void)
{
    enum { MODELS = 3 << 20 }; /* four models, their plans and what training needs */
    return sizeof(tcsi_deep) + sizeof(answerer) + QUEUE_MAX * sizeof(tcsi_deep_question) + 2 * tcsi_deep_past_size() +
           TCSI_DEEP_LABELS_MAX * sizeof(tcsi_deep_label) + MODELS;
}
