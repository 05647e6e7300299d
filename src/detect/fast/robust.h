/* detect/fast/robust.h -- how a streaming detector starts: the first rows, held until their median is known.
 * A mean over a handful of rows is at the mercy of one outlier among them; a median is not.  Memory: the held rows,
 * allocated once.  Threads: one user per struct. */
#ifndef TCS_DETECT_FAST_ROBUST_H
#define TCS_DETECT_FAST_ROBUST_H

#include "base/bounds.h"
#include "base/codec.h"

#include <math.h>

/* Median and spread of count >= 1 values, which are sorted.  The spread is 1.4826 median absolute deviations (the
 * standard deviation of a normal distribution); where more than half of the values are equal that is 0, and 1.2533 mean
 * absolute deviations take its place.  0 only when all are equal. */
void tcsi_robust_center(double *values, size_t count, double *ret_center, double *ret_spread);

/* A floor under every spread, so that a flat history divides by something: 1e-12 of the level, and never below 1e-150. */
static inline double tcsi_robust_floor(double spread, double spread_min, double center)
{
    return tcsi_at_least(tcsi_at_least(spread, spread_min), tcsi_at_least(1e-12 * fabs(center), 1e-150));
}

typedef struct tcsi_first_rows {
    double *values;
    size_t count, capacity;
} tcsi_first_rows;

tcs_status tcsi_first_rows_init(tcsi_first_rows *rows, size_t capacity, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_first_rows_deinit(tcsi_first_rows *rows);
void tcsi_first_rows_persist(tcsi_first_rows *rows, tcsi_codec *codec);

/* Holds value; true when that was the last one to wait for. */
static inline bool tcsi_first_rows_add(tcsi_first_rows *rows, double value)
{
    TCS_ASSERT(rows->count < rows->capacity);
    rows->values[rows->count++] = value;
    return rows->count == rows->capacity;
}

#endif
