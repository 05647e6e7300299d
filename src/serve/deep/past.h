/* serve/deep/past.h -- windows that the deep layer has been shown: to learn from, and to compare with.
 *
 * Of the sample four in five are the lesson, and one in five is kept apart as a reference; rows that the fast layer escalated are
 * references of their own sort only: they are not what is ordinary.  Each is a ring: what is oldest goes.
 * Memory: 3 MiB, allocated once.  Threads: one user. */
#ifndef TCS_SERVE_DEEP_PAST_H
#define TCS_SERVE_DEEP_PAST_H

#include "serve/deep/model.h"

enum { TCSI_DEEP_LESSON_MAX = 16384 };

typedef struct tcsi_deep_ring {
    int16_t *rows;            /* (capacity, TCSI_LAST_ROWS) */
    size_t capacity, count, at;
} tcsi_deep_ring;

typedef struct tcsi_deep_past {
    tcsi_deep_ring lesson, references[TCSI_QUESTION_SORT_COUNT];
    uint64_t seen[TCSI_QUESTION_SORT_COUNT];
} tcsi_deep_past;

tcs_status tcsi_deep_past_init(tcsi_deep_past *past, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_deep_past_deinit(tcsi_deep_past *past); /* accepts a zeroed one */
size_t tcsi_deep_past_size(void);                 /* bytes beside the struct */
void tcsi_deep_past_push(tcsi_deep_past *past, tcsi_question_sort sort, const int16_t rows[TCSI_LAST_ROWS]);
/* Everything that is in from, which was initialized, as to is. */
void tcsi_deep_past_copy(const tcsi_deep_past *from, tcsi_deep_past *to);
tcsi_deep_windows tcsi_deep_ring_windows(const tcsi_deep_ring *ring);

#endif
