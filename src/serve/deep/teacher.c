/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/deep/teacher.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "serve/deep/past.h"
#include "serve/models/models.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { FIRST_STEPS = 600, LATER_STEPS = 300, MORE_WINDOWS = 32000, LOWEST_PRIORITY = 19 };
enum { KEPT_MODELS = 4, ATTEMPTS = 12, MODEL_SIZE_MAX = 1 << 24, REASON_SIZE = 160, LOOK_NS = 400000000 };
static const char WHO[] = "service";
static const double SHARE = 0.1, FIRST_RATE = 5e-3, LATER_RATE = 2e-3, MORE_REFERENCES = 1.5;

struct tcsi_teacher {
    tcsi_teacher_options options;
    pthread_t thread;
    bool is_running;
    /* the thread's own */
    tcsi_deep_past studied;
    tcsi_deep_model *model;  /* the last one; NULL: none */
    uint64_t compared;       /* references out of the ordinary, when scores were last given a meaning */
    char kept[KEPT_MODELS][TCSI_HASH_TEXT_SIZE]; /* a ring: what this process has put into the store */
    uint64_t kept_count;
    double step_begin_s;     /* processor time of the thread */
    bool has_complained;     /* of the champion */
    int64_t looked_ns;       /* at the store, by the monotonic clock */

    pthread_mutex_t mutex;   /* of what follows */
    pthread_cond_t changed;  /* there may be something to learn, or it ends */
    tcsi_deep_past past;
    uint64_t train_at;       /* windows of ordinary rows */
    bool is_ending;
    tcsi_teacher_stats stats;
};

/* ---- a share of a processor ---- */

static double processor_s(void)
{
    struct timespec now = { 0 };
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Sleeps as long as work of work_s must be paid for; false: it ends. */
static bool rest(tcsi_teacher *teacher, double work_s)
{
    struct timespec until;
    const double rest_s = work_s * (1 / teacher->options.share - 1);
    clock_gettime(CLOCK_REALTIME, &until);
    const double nanoseconds = (double)until.tv_nsec + 1e9 * rest_s;
    until.tv_sec += (time_t)(nanoseconds / 1e9);
    until.tv_nsec = (long)(nanoseconds - 1e9 * (double)(time_t)(nanoseconds / 1e9));
    pthread_mutex_lock(&teacher->mutex);
    teacher->stats.processor_s += work_s;
    while (rest_s > 0 && !teacher->is_ending)
        if (pthread_cond_timedwait(&teacher->changed, &teacher->mutex, &until) != 0) break;
    const bool goes_on = !teacher->is_ending;
    pthread_mutex_unlock(&teacher->mutex);
    return goes_on;
}

static void look_at_store(tcsi_teacher *teacher);

static bool go_on(void *self, size_t step)
{
    tcsi_teacher *teacher = self;
    (void)step;
    const bool goes_on = rest(teacher, processor_s() - teacher->step_begin_s);
    if (goes_on && tcsi_clock_monotonic_ns() - teacher->looked_ns > LOOK_NS) look_at_store(teacher);
    teacher->step_begin_s = processor_s();
    return goes_on;
}

/* ---- the store ---- */

/* Those made before go, a few aside; who named one keeps it. */
static void keep_few(tcsi_teacher *teacher, const char *hash)
{
    tcs_error ignored;
    char *place = teacher->kept[teacher->kept_count % KEPT_MODELS];
    if (teacher->kept_count++ >= KEPT_MODELS) (void)!tcsi_store_model_remove(teacher->options.store, place, &ignored);
    memcpy(place, hash, TCSI_HASH_TEXT_SIZE);
}

typedef struct making {
    const tcsi_deep_model *model;
    const char *parent, *reason; /* reason: why it decides from now on; NULL: it does not, and is the challenger */
} making;

static tcs_status put_once(tcsi_teacher *teacher, const tcsi_buffer *bytes, const making *m, char ret_hash[TCSI_HASH_TEXT_SIZE],
                           tcs_error *err)
{
    char decides[TCSI_HASH_TEXT_SIZE];
    const int64_t now_ns = tcsi_clock_wall_ns();
    const tcsi_model_import import = { .name = TCSI_MODEL_LIVE, .parent = m->parent, .who = WHO, .now_ns = now_ns };
    tcs_status status = tcsi_models_import(teacher->options.store, bytes->data, bytes->size, &import, ret_hash, err);
    if (status == TCS_OK && !m->reason) return tcsi_store_alias_set(teacher->options.store, "challenger", ret_hash, err);
    if (status == TCS_OK)
        status = tcsi_models_promote(teacher->options.store, TCSI_DEEP_ALIAS, ret_hash, m->reason, WHO, now_ns, decides, err);
    return status;
}

/* A store that others write to may be busy for a while. */
static void keep(tcsi_teacher *teacher, const making *m)
{
    tcsi_buffer bytes;
    tcs_error failure = { 0 };
    char hash[TCSI_HASH_TEXT_SIZE];
    tcsi_buffer_init(&bytes, MODEL_SIZE_MAX);
    tcs_status status = tcsi_deep_model_save(m->model, &bytes, &failure);
    if (status == TCS_OK) status = TCS_E_IO;
    for (int i = 0; status == TCS_E_IO && i < ATTEMPTS && (i == 0 || rest(teacher, 0)); i++)
        status = put_once(teacher, &bytes, m, hash, &failure);
    if (status == TCS_OK) keep_few(teacher, hash);
    else tcsi_log(TCSI_LOG_WARNING, "SERVE-DEEP-NOT-KEPT", "a trained network was not kept: %s", failure.text);
    tcsi_buffer_deinit(&bytes);
}

/* The store's champion, where it is another one than `model`: then *ret_model is it. */
static tcs_status load_champion(tcsi_teacher *teacher, tcsi_deep_model **ret_model, tcs_error *err)
{
    tcsi_buffer bytes;
    char hash[TCSI_HASH_TEXT_SIZE];
    bool is_found = false;
    tcs_status status = tcsi_store_alias_get(teacher->options.store, TCSI_DEEP_ALIAS, hash, &is_found, err);
    if (status != TCS_OK || !is_found || (teacher->model && strcmp(teacher->model->hash, hash) == 0)) return status;
    tcsi_buffer_init(&bytes, MODEL_SIZE_MAX);
    status = tcsi_store_model_get(teacher->options.store, hash, &bytes, err);
    if (status == TCS_OK) status = tcsi_deep_model_load(bytes.data, bytes.size, ret_model, err);
    tcsi_buffer_deinit(&bytes);
    return status;
}

/* ---- lessons ---- */

static void publish(tcsi_teacher *teacher, tcsi_deep_model *model)
{
    tcsi_deep_model_refer(model);
    teacher->options.publish(teacher->options.self, model);
}

static tcs_status make(tcsi_teacher *teacher, bool is_training, tcsi_deep_model **ret_model, tcs_error *err)
{
    const tcsi_deep_past *past = &teacher->studied;
    const tcsi_deep_windows references[TCSI_QUESTION_SORT_COUNT] = { tcsi_deep_ring_windows(&past->references[0]),
                                                                     tcsi_deep_ring_windows(&past->references[1]) };
    const uint64_t seen = past->seen[TCSI_QUESTION_SAMPLED];
    const tcsi_deep_training training = { .step_count = teacher->model ? LATER_STEPS : FIRST_STEPS,
                                          .rate = teacher->model ? LATER_RATE : FIRST_RATE, .seed = seen, .go_on = go_on, .self = teacher };
    if (!is_training) return tcsi_deep_model_compare(teacher->model, references, ret_model, err);
    return tcsi_deep_model_train(teacher->model, tcsi_deep_ring_windows(&past->lesson), &training, references, seen, ret_model, err);
}

/* From now on it is answered with. */
static void take_over(tcsi_teacher *teacher, tcsi_deep_model *model)
{
    publish(teacher, model);
    tcsi_deep_model_release(teacher->model);
    teacher->model = model;
}

/* Somebody promoted another one, or went back. */
static void look_at_store(tcsi_teacher *teacher)
{
    tcsi_deep_model *model = NULL;
    tcs_error failure = { 0 };
    teacher->looked_ns = tcsi_clock_monotonic_ns();
    if (!teacher->options.store) return;
    if (load_champion(teacher, &model, &failure) != TCS_OK && !teacher->has_complained)
        tcsi_log(TCSI_LOG_WARNING, "SERVE-DEEP-NOT-READ", "the champion is of no use: %s", failure.text);
    teacher->has_complained = failure.status != TCS_OK;
    if (model) take_over(teacher, model);
}

/* The gate: on the same windows, which neither has learned from, a new network finds the ordinary no stranger than the one before. */
static bool is_better(tcsi_teacher *teacher, const tcsi_deep_model *model, char ret_reason[REASON_SIZE])
{
    tcsi_deep_model *before = NULL;
    tcs_error failure;
    bool is = false;
    if (!teacher->model) {
        snprintf(ret_reason, REASON_SIZE, "the first one");
        return true;
    }
    if (make(teacher, false, &before, &failure) == TCS_OK) is = model->strangeness <= before->strangeness;
    if (before)
        snprintf(ret_reason, REASON_SIZE, "on the same windows the ordinary has a mean score of %.4g, with the one before %.4g",
                 model->strangeness, before->strangeness);
    tcsi_deep_model_release(before);
    return is;
}

/* After a rollback people decide. */
static bool may_promote(tcsi_teacher *teacher)
{
    bool is_rolled_back = false;
    tcs_error ignored;
    return !teacher->options.store ||
           (tcsi_models_is_rolled_back(teacher->options.store, TCSI_DEEP_ALIAS, &is_rolled_back, &ignored) == TCS_OK && !is_rolled_back);
}

static void hand_in(tcsi_teacher *teacher, tcsi_deep_model *model, bool is_training)
{
    char reason[REASON_SIZE] = "the same weights; what its scores mean is told by newer windows";
    const bool decides = may_promote(teacher) && (!is_training || is_better(teacher, model, reason));
    const making m = { model, teacher->model ? teacher->model->hash : NULL, decides ? reason : NULL };
    if (teacher->options.store) keep(teacher, &m);
    if (decides) take_over(teacher, model);
    else tcsi_deep_model_release(model);
}

static void teach(tcsi_teacher *teacher, bool is_training)
{
    tcsi_deep_model *model = NULL;
    tcs_error failure = { 0 };
    teacher->step_begin_s = processor_s();
    const tcs_status status = make(teacher, is_training, &model, &failure);
    teacher->compared = teacher->studied.seen[TCSI_QUESTION_ESCALATED];
    if (status == TCS_OK) hand_in(teacher, model, is_training);
    else if (status != TCS_E_CANCELLED) tcsi_log(TCSI_LOG_WARNING, "SERVE-DEEP-UNTRAINED", "a training failed: %s", failure.text);
    pthread_mutex_lock(&teacher->mutex);
    teacher->stats.trained_count += is_training && status == TCS_OK;
    pthread_mutex_unlock(&teacher->mutex);
    (void)rest(teacher, processor_s() - teacher->step_begin_s);
}

/* Under the mutex. */
static bool is_training_due(const tcsi_teacher *teacher)
{
    return teacher->past.seen[TCSI_QUESTION_SAMPLED] >= teacher->train_at;
}

static bool is_comparing_due(const tcsi_teacher *teacher)
{
    const uint64_t seen = teacher->past.seen[TCSI_QUESTION_ESCALATED];
    return teacher->model && seen >= TCSI_DEEP_TAIL_MIN && (double)seen >= MORE_REFERENCES * (double)teacher->compared;
}

/* Waits for something to learn, looking at the store now and then.  Under the mutex. */
static void wait_for_work(tcsi_teacher *teacher)
{
    while (!teacher->is_ending && !is_training_due(teacher) && !is_comparing_due(teacher)) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += LOOK_NS;
        if (until.tv_nsec >= 1000000000) {
            until.tv_sec++;
            until.tv_nsec -= 1000000000;
        }
        const bool is_time = pthread_cond_timedwait(&teacher->changed, &teacher->mutex, &until) != 0;
        if (!is_time) continue;
        pthread_mutex_unlock(&teacher->mutex);
        look_at_store(teacher);
        pthread_mutex_lock(&teacher->mutex);
    }
}

static void *run(void *argument)
{
    tcsi_teacher *teacher = argument;
    if (teacher->options.share < 1) /* of this thread alone, on Linux; elsewhere it must do without */
        (void)setpriority(PRIO_PROCESS, 0, LOWEST_PRIORITY);
    pthread_mutex_lock(&teacher->mutex);
    for (;;) {
        wait_for_work(teacher);
        if (teacher->is_ending) break;
        const bool is_training = is_training_due(teacher);
        const uint64_t seen = teacher->past.seen[TCSI_QUESTION_SAMPLED];
        if (is_training) teacher->train_at = seen < MORE_WINDOWS ? 2 * seen : seen + MORE_WINDOWS;
        tcsi_deep_past_copy(&teacher->past, &teacher->studied);
        pthread_mutex_unlock(&teacher->mutex);
        teach(teacher, is_training);
        pthread_mutex_lock(&teacher->mutex);
    }
    pthread_mutex_unlock(&teacher->mutex);
    return NULL;
}

/* ---- life ---- */

tcs_status tcsi_teacher_create(const tcsi_teacher_options *options, tcsi_teacher **ret_teacher, tcs_error *err)
{
    tcsi_teacher *teacher = TCSI_NEW(tcsi_teacher);
    if (!teacher) return tcsi_fail_memory(err, "the deep layer");
    teacher->options = *options;
    if (!(teacher->options.share > 0 && teacher->options.share <= 1)) teacher->options.share = SHARE;
    teacher->train_at = TCSI_DEEP_WINDOWS_MIN;
    pthread_mutex_init(&teacher->mutex, NULL);
    pthread_cond_init(&teacher->changed, NULL);
    tcs_status status = tcsi_deep_past_init(&teacher->past, err);
    if (status == TCS_OK) status = tcsi_deep_past_init(&teacher->studied, err);
    if (status == TCS_OK) look_at_store(teacher);
    if (status == TCS_OK && pthread_create(&teacher->thread, NULL, run, teacher) != 0)
        status = tcsi_fail(err, TCS_E_IO, "no thread for the deep layer");
    if (status == TCS_OK) {
        teacher->is_running = true;
        *ret_teacher = teacher;
    } else tcsi_teacher_destroy(teacher);
    return status;
}

void tcsi_teacher_destroy(tcsi_teacher *teacher)
{
    if (!teacher) return;
    pthread_mutex_lock(&teacher->mutex);
    teacher->is_ending = true;
    pthread_cond_broadcast(&teacher->changed);
    pthread_mutex_unlock(&teacher->mutex);
    if (teacher->is_running) pthread_join(teacher->thread, NULL);
    tcsi_deep_model_release(teacher->model);
    tcsi_deep_past_deinit(&teacher->past);
    tcsi_deep_past_deinit(&teacher->studied);
    pthread_cond_destroy(&teacher->changed);
    pthread_mutex_destroy(&teacher->mutex);
    tcsi_free(teacher);
}

void tcsi_teacher_push(tcsi_teacher *teacher, tcsi_question_sort sort, const int16_t rows[TCSI_LAST_ROWS])
{
    pthread_mutex_lock(&teacher->mutex);
    tcsi_deep_past_push(&teacher->past, sort, rows);
    const uint64_t seen = teacher->past.seen[sort];
    if (seen % TCSI_DEEP_TAIL_MIN == 0) pthread_cond_broadcast(&teacher->changed);
    pthread_mutex_unlock(&teacher->mutex);
}

tcsi_teacher_stats tcsi_teacher_stat(tcsi_teacher *teacher)
{
    pthread_mutex_lock(&teacher->mutex);
    tcsi_teacher_stats stats = teacher->stats;
    for (size_t i = 0; i < TCSI_QUESTION_SORT_COUNT; i++) stats.seen[i] = teacher->past.seen[i];
    pthread_mutex_unlock(&teacher->mutex);
    return stats;
}
