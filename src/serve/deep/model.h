/* serve/deep/model.h -- what deep workers answer with: a trained network, and what its scores mean.
 *
 * A score becomes a chance by the tail (decide/tail.h) of the scores that windows of its sort had which the network did not learn from:
 * rows that the fast layer finds unusual look strange to any model, and are compared with each other, not with all rows.  Anomalies are
 * among them, since nobody looked through them: that makes chances larger, never smaller.
 * A model does not change once it is made.  It is counted: whoever answers with it holds it, and a new one takes its place by one pointer.
 * Threads: refer and release from any; reading from any. */
#ifndef TCS_SERVE_DEEP_MODEL_H
#define TCS_SERVE_DEEP_MODEL_H

#include "base/hash.h"
#include "decide/tail.h"
#include "serve/deep/network.h"
#include "serve/shard/second_look.h"

enum { TCSI_DEEP_WINDOWS_MIN = 1000, TCSI_DEEP_TAIL_MIN = 100, TCSI_DEEP_TAIL_MAX = 4096 };

/* Windows (count, TCSI_LAST_ROWS), borrowed. */
typedef struct tcsi_deep_windows {
    const int16_t *rows;
    size_t count;
} tcsi_deep_windows;

/* What it was made from, beside its parent: for its card. */
typedef struct tcsi_deep_lineage {
    char engine[32];                   /* version of the code that made it */
    char data[TCSI_HASH_TEXT_SIZE];    /* of the windows of its last training, or comparison */
    uint64_t seed, step_count;         /* of its last training */
    double rate;
} tcsi_deep_lineage;

typedef struct tcsi_deep_model {
    tcsi_deep_network network;
    tcsi_deep_head head;                       /* of rows out of the ordinary; not set: nobody's answers are in it */
    tcsi_deep_lineage lineage;
    tcsi_tail tails[TCSI_QUESTION_SORT_COUNT]; /* count 0: too few windows so far, and nothing is strange */
    uint64_t window_count;                     /* seen up to its training */
    double strangeness;                        /* mean score of the sampled references: less is better; 0: too few of them */
    char hash[TCSI_HASH_TEXT_SIZE];            /* of its saved form */
    _Atomic size_t user_count;
} tcsi_deep_model;

/* Answers to learn from, and (set->count), or NULL, the log odds of each by what answers on other series teach. */
typedef struct tcsi_deep_answers {
    const tcsi_deep_labelled *set;
    double *held_out;
} tcsi_deep_answers;

/* One user.  before: goes on from its weights; NULL: from first ones.  answers NULL, or too few: without. */
tcs_status tcsi_deep_model_train(const tcsi_deep_model *before, tcsi_deep_windows lesson, const tcsi_deep_training *training,
                                 const tcsi_deep_windows references[TCSI_QUESTION_SORT_COUNT], uint64_t window_count,
                                 const tcsi_deep_answers *answers, tcsi_deep_model **ret_model, tcs_error *err) TCS_WARN_UNUSED;
/* The same weights, other references; answers NULL: what it learned from answers stays, too. */
tcs_status tcsi_deep_model_compare(const tcsi_deep_model *before, const tcsi_deep_windows references[TCSI_QUESTION_SORT_COUNT],
                                   const tcsi_deep_answers *answers, tcsi_deep_model **ret_model, tcs_error *err) TCS_WARN_UNUSED;
tcs_status tcsi_deep_model_load(const void *bytes, size_t size, tcsi_deep_model **ret_model, tcs_error *err) TCS_WARN_UNUSED; /* E_FORMAT */
tcs_status tcsi_deep_model_save(const tcsi_deep_model *model, tcsi_buffer *out, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_deep_model_refer(tcsi_deep_model *model);
void tcsi_deep_model_release(tcsi_deep_model *model); /* accepts NULL */

/* A score, of a row of this sort, from what its scorer says of the window. */
double tcsi_deep_model_score(const tcsi_deep_model *model, tcsi_question_sort sort, double strangeness,
                             const double features[TCSI_DEEP_FEATURES]);
/* The chance of a score like this one, of a row of this sort; 1: nobody knows. */
float tcsi_deep_model_p_value(const tcsi_deep_model *model, tcsi_question_sort sort, double score);

#endif
