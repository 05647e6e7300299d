/* serve/deep/teacher.h -- trains the network in the background, on what the deep layer has been shown.
 *
 * One thread of the lowest priority, which works for `share` of one processor's time at most and sleeps for the rest; with a share of 1 it
 * works like any other.  It trains when there
 * are TCSI_DEEP_WINDOWS_MIN windows of ordinary rows, again whenever they have doubled, and later for every 32,000 more, going on from the
 * weights there are; in between, when there are half as many references again, it looks anew at what scores mean.  What it makes is
 * published, one pointer, and put into the registry (models/models.h), from where the next start takes it.  A network that was trained anew
 * takes over when on the same windows it finds the ordinary no stranger than the one before, and is the challenger otherwise, unless one
 * that learned from answers is.  Whom people promote is answered with half a second later; after a rollback it stays so until somebody
 * promotes.
 * From what people answer it makes challengers (challenger.h), which are scored beside the champion and promoted when every gate is passed;
 * what it trains meanwhile waits for that (hold.h), as a model of the registry whose note says so.
 * Which model answers when is nothing that the state depends on: answers are input (shard/second_look.h).
 * Threads: push, stat from any; create, destroy from one. */
#ifndef TCS_SERVE_DEEP_TEACHER_H
#define TCS_SERVE_DEEP_TEACHER_H

#include "serve/deep/hold.h"
#include "serve/shard/second_look.h"
#include "store/store.h"

struct tcsi_canary;
struct tcsi_deep_model;
struct tcsi_deep_shadow;

#define TCSI_DEEP_ALIAS "champion"

typedef struct tcsi_teacher tcsi_teacher;

typedef struct tcsi_teacher_options {
    double share;             /* of one processor, in (0, 1]; 0: 0.1 */
    tcsi_store *store;        /* of this thread alone; NULL: models are not kept */
    /* A model to answer with, from create or from the teacher's thread; whoever is told releases it in the end. */
    void (*publish)(void *self, struct tcsi_deep_model *model);
    /* Likewise the model that is compared with it, NULL: none any more; it answers for the canary's series, if that is on. */
    void (*challenge)(void *self, struct tcsi_deep_model *model, const struct tcsi_canary *canary);
    void (*compared)(void *self, struct tcsi_deep_shadow *ret_shadow); /* how the two compare so far */
    void *self;
} tcsi_teacher_options;

/* Publishes the store's champion, if there is one that can be read.  E_MEMORY; E_IO: no thread. */
tcs_status tcsi_teacher_create(const tcsi_teacher_options *options, tcsi_teacher **ret_teacher, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_teacher_destroy(tcsi_teacher *teacher); /* accepts NULL; a training that is under way is given up */

void tcsi_teacher_push(tcsi_teacher *teacher, tcsi_question_sort sort, const int16_t rows[TCSI_LAST_ROWS]);

typedef struct tcsi_teacher_stats {
    uint64_t seen[TCSI_QUESTION_SORT_COUNT], trained_count;
    uint64_t challenger_count; /* made out of answers */
    uint64_t labels[2];       /* windows that people have answered: others, true ones */
    double processor_s;       /* since it began */
    tcsi_deep_hold hold;      /* of the champion, as of the last look at the store */
    char waiting[TCSI_HASH_TEXT_SIZE]; /* the network that takes over after it; "": none */
} tcsi_teacher_stats;
tcsi_teacher_stats tcsi_teacher_stat(tcsi_teacher *teacher);

#endif
