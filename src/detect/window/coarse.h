/* detect/window/coarse.h -- a coarser copy of a series for sub-sequence methods, and the way back.
 * Nearest neighbours of windows of 300 rows cost ten times those of 32 and find the same anomalies: a series is averaged
 * over blocks of `factor` rows, windows of `window` coarse values are scored, and a window's score is placed at its
 * centre and interpolated to full rate.  Values must be finite.  Threads: reentrant. */
#ifndef TCS_DETECT_WINDOW_COARSE_H
#define TCS_DETECT_WINDOW_COARSE_H

#include "base/status.h"

typedef struct tcsi_coarse {
    size_t row_count;      /* of the series */
    size_t factor;         /* rows per coarse value: max(1, round(window rows / target)) */
    size_t value_count;    /* coarse values: row_count / factor, rounded up */
    size_t window;         /* coarse values per window: max(4, window rows / factor) */
    size_t window_count;   /* value_count - window + 1, or 0 when the series is shorter than 8 windows */
} tcsi_coarse;

/* window_row_count >= 1, target >= 4: wanted length of a coarse window. */
tcsi_coarse tcsi_coarse_make(size_t row_count, size_t window_row_count, size_t target);
/* The same with a given factor. */
tcsi_coarse tcsi_coarse_with_factor(size_t row_count, size_t window_row_count, size_t factor);

/* Block means; the last block is filled up with the last value.  ret_coarse: (value_count). */
void tcsi_coarse_shrink(const tcsi_coarse *scale, const double *values, double *ret_coarse);

/* scores (window_count) -> ret_rows (row_count): each at its window's centre, linear in between, constant at the ends. */
void tcsi_coarse_expand(const tcsi_coarse *scale, const double *scores, double *ret_rows);

#endif
