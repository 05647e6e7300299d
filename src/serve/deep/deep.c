/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/deep/deep.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "serve/deep/past.h"
#include "serve/shard/directory.h"
#include "serve/shard/verdicts.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>

enum { QUEUE_MAX = 4096, BATCH_MAX = 512, THREAD_MAX = 64, PRIORITY = 5 };

/* Of one thread. */
typedef struct answerer {
    tcsi_deep *deep;
    pthread_t thread;
    bool is_running;
    tcsi_deep_model *model;      /* that scorer is of */
    tcsi_deep_scorer scorer;
    size_t count;
    tcsi_deep_question questions[BATCH_MAX];
    int16_t rows[BATCH_MAX * TCSI_LAST_ROWS];
    double scores[BATCH_MAX];
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
    tcsi_deep_model *model;      /* NULL: none so far */
    tcsi_deep_question *queue;        /* (QUEUE_MAX) a ring */
    size_t first, count;
    tcsi_deep_stats stats;
};

/* ---- the model that answers ---- */

static void take_model(void *self, tcsi_deep_model *model)
{
    tcsi_deep *deep = self;
    pthread_mutex_lock(&deep->mutex);
    tcsi_deep_model *before = deep->model;
    deep->model = model;
    pthread_mutex_unlock(&deep->mutex);
    tcsi_deep_model_release(before);
}

static void leave_model(answerer *a)
{
    tcsi_deep_scorer_deinit(&a->scorer);
    tcsi_deep_model_release(a->model);
    a->model = NULL;
}

/* The newest model, ready to score; false: there is none (the scorer's model is NULL), or no memory. */
static bool hold_model(answerer *a)
{
    tcs_error ignored;
    pthread_mutex_lock(&a->deep->mutex);
    tcsi_deep_model *newest = a->deep->model;
    if (newest && newest != a->model) tcsi_deep_model_refer(newest);
    pthread_mutex_unlock(&a->deep->mutex);
    if (newest == a->model) return newest != NULL;
    leave_model(a);
    a->model = newest;
    if (tcsi_deep_scorer_init(&a->scorer, &newest->network, &ignored) == TCS_OK) return true;
    leave_model(a);
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
        memcpy(a->rows + kept * TCSI_LAST_ROWS, question->rows, sizeof question->rows);
        a->questions[kept++] = *question;
    }
    const size_t late = a->count - kept;
    a->count = kept;
    return late;
}

static void find_answers(answerer *a)
{
    const bool is_trained = hold_model(a);
    if (is_trained) tcsi_deep_scorer_run(&a->scorer, a->rows, a->count, a->scores);
    for (size_t i = 0; i < a->count; i++) {
        const tcsi_deep_question *q = &a->questions[i];
        a->answers[i] = (tcsi_deep_answer){ .serial = q->serial, .number = q->number, .is_untrained = !is_trained, .p_value = 1 };
        if (is_trained) a->answers[i].p_value = tcsi_deep_model_p_value(a->model, (tcsi_question_sort)q->sort, a->scores[i]);
    }
}

static bool send(answerer *a, tcsi_intake *intake)
{
    tcs_error failure;
    const tcsi_deep_options *options = &a->deep->options;
    if (options->disturb && !options->disturb(options->context)) return false;
    find_answers(a);
    tcsi_buffer_clear(&a->record);
    return tcsi_verdicts_write(a->model ? a->model->hash : "", a->answers, a->count, &a->record, &failure) == TCS_OK &&
           tcsi_intake_hear(intake, a->record.data, a->record.size, tcsi_clock_wall_ns(), &failure) == TCS_OK;
}

static void note(answerer *a, size_t late_count, bool is_sent)
{
    tcsi_deep_stats *stats = &a->deep->stats;
    const int64_t now_ns = tcsi_clock_wall_ns();
    pthread_mutex_lock(&a->deep->mutex);
    stats->late_count += late_count;
    if (!is_sent) stats->failed_count += a->count;
    for (size_t i = 0; is_sent && i < a->count; i++) {
        const double elapsed_us = (double)(now_ns - a->questions[i].received_ns) / 1000;
        const double place = elapsed_us > 1 ? ceil(2 * log2(elapsed_us)) : 0;
        stats->latencies[place < TCSI_LIVE_LATENCY_COUNT ? (size_t)place : TCSI_LIVE_LATENCY_COUNT - 1]++;
        stats->answered_count++;
    }
    pthread_mutex_unlock(&a->deep->mutex);
}

static void *answer_all(void *argument)
{
    answerer *a = argument;
    (void)setpriority(PRIO_PROCESS, 0, PRIORITY); /* of this thread alone, on Linux: rows come first */
    while (take_questions(a)) {
        pthread_mutex_lock(&a->deep->mutex);
        tcsi_intake *intake = a->deep->intake;
        pthread_mutex_unlock(&a->deep->mutex);
        const size_t late_count = sort_out(a);
        const bool is_sent = !intake || a->count == 0 || send(a, intake);
        if (intake) note(a, late_count, is_sent);
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
    const tcsi_teacher_options teacher = { .share = options->train_share, .store = options->store, .publish = take_model, .self = deep };
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
        leave_model(&deep->answerers[i]);
        tcsi_buffer_deinit(&deep->answerers[i].record);
    }
    tcsi_deep_model_release(deep->model);
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
    if (deep->model) memcpy(stats.model, deep->model->hash, sizeof stats.model);
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
    enum { MODELS = 1 << 21 }; /* three models, their plans and what training needs */
    return sizeof(tcsi_deep) + sizeof(answerer) + QUEUE_MAX * sizeof(tcsi_deep_question) + 2 * tcsi_deep_past_size() + MODELS;
}
