/* serve/labels.h -- what people's answers come to: the labels of a store, read and combined.
 *
 * Labels that stand are kept episode by episode; several people's are combined, with how far to believe each of them (adapt/raters.h).
 * Labels are append-only, so that whether there are new ones is one question; then all are read again.
 * Cost: of a reading, all labels.  Threads: one user. */
#ifndef TCS_SERVE_LABELS_H
#define TCS_SERVE_LABELS_H

#include "adapt/pattern.h"
#include "adapt/raters.h"
#include "base/arena.h"
#include "store/store.h"

/* One label that stands. */
typedef struct tcsi_labels_answer {
    const char *id, *episode, *who, *verdict, *reason, *scope, *until;
    int64_t time_ns;
    double confidence, weight;
    size_t item, rater;
    bool has_pattern;
    tcsi_pattern pattern;
} tcsi_labels_answer;

/* One episode that somebody answered. */
typedef struct tcsi_labelled_item {
    const char *episode;      /* its id */
    const char *answer;       /* "true", "expected", "not_mine": all answers that stand, combined */
    double probability;       /* that it is that */
    double disagreement;      /* 0: all say the same, 1: half say the other */
    double real;              /* probability that it was a real event; NaN: nobody said */
    size_t begin, count;      /* of answers that stand */
    bool has_pattern;
    tcsi_pattern pattern;
} tcsi_labelled_item;

typedef struct tcsi_labels {
    int64_t sequence;             /* labels up to it are in it */
    tcsi_arena arena, scratch;    /* of texts; of one document */
    tcsi_labels_answer *standing; /* by episode and age */
    size_t standing_count, standing_capacity;
    tcsi_labelled_item *items;    /* (item_count) by episode; NULL: nothing was read */
    size_t item_count;
    const char **raters;          /* (estimate.rater_count) by name */
    tcsi_raters estimate;
    tcs_status status;            /* of the reading that goes on */
    tcs_error err;
} tcsi_labels;

void tcsi_labels_init(tcsi_labels *labels);
void tcsi_labels_deinit(tcsi_labels *labels);
void tcsi_labels_forget(tcsi_labels *labels); /* and so the next reading is one of all */

/* Reads them if there are any that were not read; then *ret_is_new, and combine is to follow.  E_MEMORY, and as the store. */
tcs_status tcsi_labels_list(tcsi_labels *labels, tcsi_store *store, bool *ret_is_new, tcs_error *err) TCS_WARN_UNUSED;
/* Items, raters and their estimate, of what was listed.  E_MEMORY. */
tcs_status tcsi_labels_combine(tcsi_labels *labels, tcs_error *err) TCS_WARN_UNUSED;
/* What was said of an episode; NULL: nothing that stands. */
const tcsi_labelled_item *tcsi_labels_find(const tcsi_labels *labels, const char *episode);

#endif
