/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/deep/teacher.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/pool.h"
#include "serve/deep/challenger.h"
#include "serve/deep/past.h"
#include "serve/models/models.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { FIRST_STEPS = 600, LATER_STEPS = 300, MORE_WINDOWS = 32000 };
enum { KEPT_MODELS = 4, ATTEMPTS = 12, MODEL_SIZE_MAX = 1 << 24, REASON_SIZE = 320, LOOK_NS = 400000000 };
static const char WHO[] = "service";
static const double SHARE = 0.1, FIRST_RATE = 5e-3, LATER_RATE = 2e-3, MORE_REFERENCES = 1.5;

typedef struct kept_ring {
    char hashes[KEPT_MODELS][TCSI_HASH_TEXT_SIZE];
    uint64_t count;
} kept_ring;

/* A network that is better than the champion, and takes over when it is held no more. */
typedef struct waiting {
    char hash[TCSI_HASH_TEXT_SIZE], parent[TCSI_HASH_TEXT_SIZE]; /* "": none; the champion that it is better than */
    char reason[REASON_SIZE];
} waiting;

struct tcsi_teacher {
    tcsi_teacher_options options;
    pthread_t thread;
    bool is_running;
    /* the thread's own */
    tcsi_deep_past studied;
    tcsi_deep_model *model;  /* the last one; NULL: none */
    uint64_t compared;       /* references out of the ordinary, when scores were last given a meaning */
    kept_ring kept, challengers; /* what this process has put into the store */
    double step_begin_s;     /* processor time of the thread */
    bool has_complained;     /* of the champion */
    int64_t looked_ns;       /* at the store, by the monotonic clock */
    tcsi_challenger challenger;
    bool is_challenger_due;
    tcsi_deep_hold hold;
    waiting waiting;

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
    return 1e-9 * (double)tcsi_clock_thread_ns();
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
static void keep_few(tcsi_teacher *teacher, kept_ring *ring, const char *hash)
{
    tcs_error ignored;
    char *place = ring->hashes[ring->count % KEPT_MODELS];
    const bool is_full = ring->count++ >= KEPT_MODELS, is_on_trial = strcmp(place, teacher->challenger.canary.model) == 0;
    if (is_full && !is_on_trial) (void)!tcsi_store_model_remove(teacher->options.store, place, &ignored);
    memcpy(place, hash, TCSI_HASH_TEXT_SIZE);
}

typedef struct making {
    const tcsi_deep_model *model;
    const char *parent, *reason; /* reason: why it decides from now on; NULL: it does not, and is the challenger */
    const char *note;            /* NULL: none; otherwise why it is neither */
} making;

static tcs_status put_once(tcsi_teacher *teacher, const tcsi_buffer *bytes, const making *m, char ret_hash[TCSI_HASH_TEXT_SIZE],
                           tcs_error *err)
{
    char decides[TCSI_HASH_TEXT_SIZE];
    const int64_t now_ns = tcsi_clock_wall_ns();
    const tcsi_model_import import = { .name = TCSI_MODEL_LIVE, .parent = m->parent, .note = m->note, .who = WHO,
                                       .now_ns = now_ns };
    tcs_status status = tcsi_models_import(teacher->options.store, bytes->data, bytes->size, &import, ret_hash, err);
    if (status != TCS_OK || m->note) return status;
    if (!m->reason) return tcsi_store_alias_set(teacher->options.store, "challenger", ret_hash, err);
    return tcsi_models_promote(teacher->options.store, TCSI_DEEP_ALIAS, ret_hash, m->reason, WHO, now_ns, decides, err);
}

/* A store that others write to may be busy for a while. */
static bool keep(tcsi_teacher *teacher, const making *m, char ret_hash[TCSI_HASH_TEXT_SIZE])
{
    tcsi_buffer bytes;
    tcs_error failure = { 0 };
    tcsi_buffer_init(&bytes, MODEL_SIZE_MAX);
    tcs_status status = tcsi_deep_model_save(m->model, &bytes, &failure);
    if (status == TCS_OK) status = TCS_E_IO;
    for (int i = 0; status == TCS_E_IO && i < ATTEMPTS && (i == 0 || rest(teacher, 0)); i++)
        status = put_once(teacher, &bytes, m, ret_hash, &failure);
    if (status == TCS_OK) keep_few(teacher, &teacher->kept, ret_hash);
    else tcsi_log(TCSI_LOG_WARNING, "SERVE-DEEP-NOT-KEPT", "a trained network was not kept: %s", failure.text);
    tcsi_buffer_deinit(&bytes);
    return status == TCS_OK;
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
    const tcsi_deep_answers answers = { &teacher->challenger.set, NULL };
    const bool is_taught = teacher->model && teacher->model->head.is_set; /* what answers taught is learned anew for other weights */
    if (!is_training) return tcsi_deep_model_compare(teacher->model, references, NULL, ret_model, err);
    return tcsi_deep_model_train(teacher->model, tcsi_deep_ring_windows(&past->lesson), &training, references, seen,
                                 is_taught ? &answers : NULL, ret_model, err);
}

/* From now on it is answered with. */
static void take_over(tcsi_teacher *teacher, tcsi_deep_model *model)
{
    publish(teacher, model);
    tcsi_deep_model_release(teacher->model);
    teacher->model = model;
}

/* After a rollback people decide. */
static bool may_promote(tcsi_teacher *teacher)
{
    bool is_rolled_back = false;
    tcs_error ignored;
    return !teacher->options.store ||
           (tcsi_models_is_rolled_back(teacher->options.store, TCSI_DEEP_ALIAS, &is_rolled_back, &ignored) == TCS_OK && !is_rolled_back);
}

/* The challenger's turn, where it has earned it: the next look at the store finds it. */
static tcs_status promote_challenger(tcsi_teacher *teacher, tcs_error *err)
{
    char decides[TCSI_HASH_TEXT_SIZE];
    bool passes;
    const tcsi_challenger *c = &teacher->challenger;
    const tcs_status status = tcsi_challenger_passes(c, teacher->model, &passes, err);
    if (status != TCS_OK || !passes || !may_promote(teacher)) return status;
    return tcsi_models_promote(teacher->options.store, TCSI_DEEP_ALIAS, c->model->hash,
                               "every gate passed, on answers and on shadow scores", WHO, tcsi_clock_wall_ns(), decides, err);
}

static void publish_challenger(tcsi_teacher *teacher)
{
    tcsi_deep_model *model = teacher->challenger.model;
    if (!teacher->options.challenge) return;
    if (model) tcsi_deep_model_refer(model);
    teacher->options.challenge(teacher->options.self, model, &teacher->challenger.canary);
}

static tcs_status look_at_hold(tcsi_teacher *teacher, tcs_error *err)
{
    tcsi_challenger *c = &teacher->challenger;
    bool is_awaited = false;
    const tcs_status status = tcsi_challenger_is_awaited(c, teacher->model, &is_awaited, err);
    tcsi_deep_hold_look(&teacher->hold, teacher->model->hash, is_awaited && may_promote(teacher), c->made_ns, tcsi_clock_wall_ns());
    pthread_mutex_lock(&teacher->mutex);
    teacher->stats.hold = teacher->hold;
    memcpy(teacher->stats.waiting, teacher->waiting.hash, sizeof teacher->stats.waiting);
    pthread_mutex_unlock(&teacher->mutex);
    return status;
}

/* Whoever has waited takes over, unless there is another champion than the one that it is better than. */
static tcs_status end_waiting(tcsi_teacher *teacher, tcs_error *err)
{
    char decides[TCSI_HASH_TEXT_SIZE], reason[REASON_SIZE + 40];
    tcs_status status = TCS_OK;
    waiting *w = &teacher->waiting;
    if (!*w->hash || teacher->hold.is_on) return TCS_OK;
    snprintf(reason, sizeof reason, "%s; it waited for a challenger", w->reason);
    if (strcmp(w->parent, teacher->model->hash) == 0 && may_promote(teacher))
        status = tcsi_models_promote(teacher->options.store, TCSI_DEEP_ALIAS, w->hash, reason, WHO, tcsi_clock_wall_ns(), decides, err);
    if (status == TCS_OK) *w = (waiting){ .hash = "" };
    return status;
}

static tcs_status look_at_challenger(tcsi_teacher *teacher, tcs_error *err)
{
    tcsi_challenger *c = &teacher->challenger;
    tcsi_deep_shadow shadow = { .compared = 0 };
    bool is_changed = false;
    const tcs_status looked = tcsi_challenger_look(c, teacher->model, &is_changed, err);
    if (is_changed) publish_challenger(teacher); /* also when the one that is wanted cannot be read: then there is none */
    if (looked != TCS_OK) return looked;
    tcs_status status = look_at_hold(teacher, err);
    if (status == TCS_OK) status = end_waiting(teacher, err);
    if (status != TCS_OK) return status;
    if (teacher->options.compared) teacher->options.compared(teacher->options.self, &shadow);
    const uint64_t measured = c->shadow_written;
    status = tcsi_challenger_measure(c, teacher->model, &shadow, err);
    if (status == TCS_OK && c->shadow_written != measured) status = promote_challenger(teacher, err);
    teacher->is_challenger_due = status == TCS_OK && tcsi_challenger_is_due(c, teacher->model);
    pthread_mutex_lock(&teacher->mutex);
    for (size_t i = 0; i < 2; i++) teacher->stats.labels[i] = c->set.counts[i];
    pthread_mutex_unlock(&teacher->mutex);
    return status;
}

static tcs_status follow_champion(tcsi_teacher *teacher, tcs_error *err)
{
    tcsi_deep_model *model = NULL;
    const tcs_status status = load_champion(teacher, &model, err);
    if (model) take_over(teacher, model);
    return status;
}

/* Somebody promoted another one, or went back; answered, or took an answer back; or put a challenger on trial. */
static void look_at_store(tcsi_teacher *teacher)
{
    tcs_error failure = { 0 };
    teacher->looked_ns = tcsi_clock_monotonic_ns();
    if (!teacher->options.store) return;
    tcs_status status = follow_champion(teacher, &failure);
    if (status != TCS_OK && !teacher->has_complained)
        tcsi_log(TCSI_LOG_WARNING, "SERVE-DEEP-NOT-READ", "the champion is of no use: %s", failure.text);
    if (status == TCS_OK && teacher->model) {
        status = look_at_challenger(teacher, &failure);
        if (status == TCS_OK) status = follow_champion(teacher, &failure); /* which may be the challenger, or whoever waited */
        if (status != TCS_OK && !teacher->has_complained)
            tcsi_log(TCSI_LOG_WARNING, "SERVE-DEEP-UNCHALLENGED", "no challenger is looked at: %s", failure.text);
    }
    teacher->has_complained = status != TCS_OK;
}

/* The gate: on the same windows, which neither has learned from, a new network finds the ordinary no stranger than the one before, to
 * which *ret_before is how strange it is now. */
static bool is_better(tcsi_teacher *teacher, const tcsi_deep_model *model, char ret_reason[REASON_SIZE], double *ret_before)
{
    tcsi_deep_model *before = NULL;
    tcs_error failure;
    bool is = false;
    if (!teacher->model) {
        snprintf(ret_reason, REASON_SIZE, "the first one");
        return true;
    }
    if (make(teacher, false, &before, &failure) == TCS_OK) is = model->strangeness <= before->strangeness;
    if (before) {
        snprintf(ret_reason, REASON_SIZE, "on the same windows the ordinary has a mean score of %.4g, with the one before %.4g",
                 model->strangeness, before->strangeness);
        *ret_before = before->strangeness;
    }
    tcsi_deep_model_release(before);
    return is;
}

/* A challenger is on trial beside the champion, to which the ordinary is that strange now: nothing else takes over, nor the challenger's
 * place.  A champion that does not hold up is not waited for, and the reason says so. */
static bool must_wait(tcsi_teacher *teacher, double strangeness, char reason[REASON_SIZE])
{
    tcs_error ignored;
    const size_t size = strlen(reason);
    if (!teacher->options.store || !teacher->model || look_at_hold(teacher, &ignored) != TCS_OK || !teacher->hold.is_on) return false;
    const double then = teacher->model->strangeness;
    if (!tcsi_deep_hold_is_worn(then, strangeness)) return true;
    snprintf(reason + size, REASON_SIZE - size, "; it waits for no challenger: when the champion was made that was %.4g", then);
    return false;
}

/* Who has learned from answers keeps the challenger's place, also when rows have judged it: more rows may judge otherwise. */
static bool has_taught_challenger(const tcsi_teacher *teacher)
{
    return teacher->challenger.model && teacher->challenger.model->head.is_set;
}

/* Kept, in nobody's place; where: "waits for the trial of"; is_next: it has its turn after the trial. */
static void put_aside(tcsi_teacher *teacher, const tcsi_deep_model *model, const char *where, const char *reason, bool is_next)
{
    waiting w = { .hash = "" };
    char note[REASON_SIZE + 120];
    const making m = { model, teacher->model->hash, NULL, note };
    snprintf(note, sizeof note, "%s challenger %.12s; %s", where, teacher->challenger.model->hash, reason);
    memcpy(w.parent, teacher->model->hash, sizeof w.parent);
    snprintf(w.reason, sizeof w.reason, "%s", reason);
    if (keep(teacher, &m, w.hash) && is_next) teacher->waiting = w;
}

/* parent: hash of the champion when the lesson began, "" for none.  Meanwhile there may be another one, and what it learned from answers is
 * not in this model: so it is kept, and that is all. */
static bool is_outdated(tcsi_teacher *teacher, const tcsi_deep_model *model, const char *parent)
{
    char hash[TCSI_HASH_TEXT_SIZE];
    const making m = { model, parent, NULL, "made from a network that decides no more" };
    look_at_store(teacher);
    if (!teacher->model || strcmp(teacher->model->hash, parent) == 0) return false;
    (void)keep(teacher, &m, hash);
    return true;
}

static void hand_in(tcsi_teacher *teacher, tcsi_deep_model *model, bool is_training)
{
    char reason[REASON_SIZE] = "the same weights; what its scores mean is told by newer windows", hash[TCSI_HASH_TEXT_SIZE];
    double strangeness = model->strangeness; /* of the ordinary, to the champion */
    const bool is_fit = !is_training || is_better(teacher, model, reason, &strangeness), waits = must_wait(teacher, strangeness, reason);
    const bool decides = is_fit && !waits && may_promote(teacher);
    const making m = { model, teacher->model ? teacher->model->hash : NULL, decides ? reason : NULL, NULL };
    const bool is_next = waits && is_fit && (is_training || strcmp(teacher->waiting.parent, m.parent) != 0);
    if (waits) put_aside(teacher, model, is_next ? "waits for the trial of" : "kept aside during the trial of", reason, is_next);
    else if (!decides && has_taught_challenger(teacher)) put_aside(teacher, model, "kept beside", reason, false);
    else if (teacher->options.store) (void)keep(teacher, &m, hash);
    if (decides) take_over(teacher, model);
    else tcsi_deep_model_release(model);
}

typedef enum lesson { LESSON_NONE, LESSON_TRAIN, LESSON_COMPARE, LESSON_CHALLENGE } lesson;

static tcs_status challenge(tcsi_teacher *teacher, tcs_error *err)
{
    const tcsi_deep_past *past = &teacher->studied;
    const tcsi_deep_windows references[TCSI_QUESTION_SORT_COUNT] = { tcsi_deep_ring_windows(&past->references[0]),
                                                                     tcsi_deep_ring_windows(&past->references[1]) };
    teacher->is_challenger_due = false;
    const tcs_status status = tcsi_challenger_make(&teacher->challenger, teacher->model, references, err);
    if (status != TCS_OK) return status;
    publish_challenger(teacher);
    if (teacher->challenger.model) keep_few(teacher, &teacher->challengers, teacher->challenger.model->hash);
    return TCS_OK;
}

static void teach(tcsi_teacher *teacher, lesson what)
{
    tcsi_deep_model *model = NULL;
    tcs_error failure = { 0 };
    tcs_status status;
    char parent[TCSI_HASH_TEXT_SIZE];
    snprintf(parent, sizeof parent, "%s", teacher->model ? teacher->model->hash : "");
    teacher->step_begin_s = processor_s();
    if (what == LESSON_CHALLENGE) status = challenge(teacher, &failure);
    else {
        status = make(teacher, what == LESSON_TRAIN, &model, &failure);
        teacher->compared = teacher->studied.seen[TCSI_QUESTION_ESCALATED];
    }
    if (status == TCS_OK && model && is_outdated(teacher, model, parent)) tcsi_deep_model_release(model);
    else if (status == TCS_OK && model) hand_in(teacher, model, what == LESSON_TRAIN);
    if (status != TCS_OK && status != TCS_E_CANCELLED)
        tcsi_log(TCSI_LOG_WARNING, "SERVE-DEEP-UNTRAINED", "a training failed: %s", failure.text);
    pthread_mutex_lock(&teacher->mutex);
    teacher->stats.trained_count += what == LESSON_TRAIN && status == TCS_OK;
    teacher->stats.challenger_count += what == LESSON_CHALLENGE && status == TCS_OK;
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

/* Under the mutex. */
static lesson next_lesson(const tcsi_teacher *teacher)
{
    if (is_training_due(teacher)) return LESSON_TRAIN;
    if (is_comparing_due(teacher)) return LESSON_COMPARE;
    return teacher->is_challenger_due && teacher->past.seen[TCSI_QUESTION_ESCALATED] >= TCSI_DEEP_TAIL_MIN ? LESSON_CHALLENGE : LESSON_NONE;
}

/* Waits for something to learn, looking at the store now and then, also when windows come so fast that it never waits for long.  Under the
 * mutex; NONE: it ends. */
static lesson wait_for_work(tcsi_teacher *teacher)
{
    while (!teacher->is_ending) {
        struct timespec until;
        const lesson next = next_lesson(teacher);
        if (next != LESSON_NONE) return next;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += LOOK_NS;
        if (until.tv_nsec >= 1000000000) {
            until.tv_sec++;
            until.tv_nsec -= 1000000000;
        }
        const bool is_time = pthread_cond_timedwait(&teacher->changed, &teacher->mutex, &until) != 0;
        if (!is_time && tcsi_clock_monotonic_ns() - teacher->looked_ns < LOOK_NS) continue;
        pthread_mutex_unlock(&teacher->mutex);
        look_at_store(teacher);
        pthread_mutex_lock(&teacher->mutex);
    }
    return LESSON_NONE;
}

static void *run(void *argument)
{
    tcsi_teacher *teacher = argument;
    lesson what;
    if (teacher->options.share < 1) tcsi_thread_lower(TCSI_URGENCY_NONE);
    pthread_mutex_lock(&teacher->mutex);
    while ((what = wait_for_work(teacher)) != LESSON_NONE) {
        const uint64_t seen = teacher->past.seen[TCSI_QUESTION_SAMPLED];
        if (what == LESSON_TRAIN) teacher->train_at = seen < MORE_WINDOWS ? 2 * seen : seen + MORE_WINDOWS;
        tcsi_deep_past_copy(&teacher->past, &teacher->studied);
        pthread_mutex_unlock(&teacher->mutex);
        teach(teacher, what);
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
    tcsi_challenger_init(&teacher->challenger, options->store);
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
    tcsi_challenger_deinit(&teacher->challenger);
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
