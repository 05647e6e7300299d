/* detect/deep/chances.h -- which training windows are drawn how often, where not all alike.
 *
 * Three reasons to draw some more often than others, each off unless asked for; a window's chance is the product:
 *   half_life    the past counts less: half for every so many rows before the end;
 *   by_duration  where rows come irregularly, a row counts by the time it stands for: half of that between its neighbours, in units of
 *                the median, at most 8 of them, since a pause says nothing of what happened in it;
 *   change       that share of a batch is drawn by how much changes in a window: the sum of the differences from step to step, in root mean
 *                squares of the channel's, at most 10, where they are among the largest twentieth; 10 where values begin or end to be
 *                missing, and where a row is later than four medians.
 * Drawing by a chance has the expectation of weighing by it, and wastes no windows on small weights.
 * Threads: reentrant. */
#ifndef TCS_DETECT_DEEP_CHANCES_H
#define TCS_DETECT_DEEP_CHANCES_H

#include "detect/deep/sequence.h"

typedef struct tcsi_chances_options {
    double half_life; /* rows; 0: all of the past alike */
    double change;    /* in [0, 1] */
    bool by_duration;
} tcsi_chances_options;

/* *ret_sums: (windows) for windows of so many steps, chances summed up to each and with it: finite, not falling, the last above 0.  NULL
 * where nothing was asked for, or nothing is left.  times_ns: of the rows, or NULL.  Release with tcsi_free.  E_MEMORY. */
tcs_status tcsi_chances_create(const tcsi_sequence *sequence, const int64_t *times_ns, size_t window, const tcsi_chances_options *options,
                               double **ret_sums, tcs_error *err) TCS_WARN_UNUSED;

/* The window at a number in [0, 1): the first whose sum exceeds that share of the last of count. */
size_t tcsi_chances_at(const double *sums, size_t count, double share);

/* Rows of a parameter table; `options` in the file must have fields of these names. */
#define TCSI_CHANCES_PARAMETERS \
    TCSI_REAL(half_life, 0, 0, 1e9, "rows after which what was learned from counts half; 0: all of the past counts alike"), \
    TCSI_REAL(change, 0, 0, 1, "share of what is learned from that is drawn where values change much, or gaps are"), \
    TCSI_BOOL(by_duration, 0, "learn from rows by the time they stand for")

/* Most bytes that create holds at once. */
size_t tcsi_chances_size_max(size_t row_count);

#endif
