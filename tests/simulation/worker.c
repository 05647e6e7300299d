/* tests/simulation/worker.c -- a deep layer that is made up: answers that come late, twice, out of order, to nobody's question, or never.
 * What it says is drawn from the history's seed; that it learns nothing does not matter here.  SPDX-License-Identifier: Apache-2.0 */
#include "world.h"

#include "serve/shard/verdicts.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>

enum { QUESTIONS_MAX = 1 << 14, POSTPONED_MAX = 1 << 10, SERIAL_ASIDE = 1 << 20 };

typedef struct question {
    uint64_t serial;
    uint32_t number;
} question;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static question waiting[QUESTIONS_MAX];
static size_t waiting_count;

void sim_worker_ask(void *self, const tcsi_deep_question *asked)
{
    (void)self;
    pthread_mutex_lock(&mutex);
    if (waiting_count == QUESTIONS_MAX) abort(); /* which ones would be lost depended on threads */
    waiting[waiting_count++] = (question){ asked->serial, asked->number };
    pthread_mutex_unlock(&mutex);
}

void sim_worker_forget(void)
{
    waiting_count = 0;
}

static int compare_questions(const void *left, const void *right)
{
    const question *a = left, *b = right;
    if (a->number != b->number) return a->number < b->number ? -1 : 1;
    return (a->serial > b->serial) - (a->serial < b->serial);
}

static tcsi_deep_answer answer_to(tcsi_rng *rng, const question *q)
{
    tcsi_deep_answer answer = { .serial = q->serial, .number = q->number, .is_untrained = tcsi_rng_below(rng, 10) == 0 };
    answer.p_value = (float)pow(10, -6 * tcsi_rng_uniform(rng) * tcsi_rng_uniform(rng));
    return answer;
}

/* In the order of series and serials, so that threads have no part in it, and then in any. */
static size_t draw_answers(tcsi_rng *rng, tcsi_deep_answer *answers)
{
    size_t count = 0, postponed = 0;
    qsort(waiting, waiting_count, sizeof *waiting, compare_questions);
    for (size_t i = 0; i < waiting_count; i++) {
        const size_t drawn = tcsi_rng_below(rng, 20);
        if (drawn < 12) answers[count++] = answer_to(rng, &waiting[i]);
        else if (drawn < 16 && postponed < POSTPONED_MAX) waiting[postponed++] = waiting[i];
        if (drawn == 0) answers[count++] = answer_to(rng, &waiting[i]); /* once more, and not the same */
        if (drawn == 1) answers[count++] = answer_to(rng, &(question){ waiting[i].serial + SERIAL_ASIDE, waiting[i].number });
    }
    waiting_count = postponed;
    for (size_t i = count; i > 1; i--) {
        const size_t other = tcsi_rng_below(rng, (uint32_t)i);
        const tcsi_deep_answer swapped = answers[i - 1];
        answers[i - 1] = answers[other];
        answers[other] = swapped;
    }
    return count;
}

bool sim_worker_answer(world *w, int64_t now_ns)
{
    static tcsi_deep_answer answers[2 * QUESTIONS_MAX];
    tcs_error err;
    tcsi_buffer record;
    const size_t count = draw_answers(&w->rng, answers);
    if (count == 0) return false;
    tcsi_buffer_init(&record, 1 << 22);
    tcs_status status = tcsi_verdicts_write("", answers, count, &record, &err);
    TCS_ASSERT(status == TCS_OK);
    status = tcsi_intake_hear(w->life.intake, record.data, record.size, now_ns, &err);
    tcsi_buffer_deinit(&record);
    w->answer_count += status == TCS_OK ? count : 0;
    return status == TCS_OK;
}
