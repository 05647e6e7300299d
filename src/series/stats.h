/* series/stats.h -- what a run of values looks like: moments, quantiles, ranks.
 * Missing values: a value is *present* when it is finite and at most TCS_VALUE_MAX in magnitude (tcsi_present); everything else
 * is passed over.  With nothing present the answer is NaN (or a count of 0), never a made-up number.
 * Memory: none is allocated; where room is needed the caller gives it.  Threads: reentrant. */
#ifndef TCS_SERIES_STATS_H
#define TCS_SERIES_STATS_H

#include "base/status.h"

/* A normal distribution's standard deviation over its median absolute deviation: 1 / Phi^-1(3/4). */
#define TCSI_MAD_TO_DEVIATION 1.4826022185056018

static inline bool tcsi_present(double value)
{
    return value <= TCS_VALUE_MAX && value >= -TCS_VALUE_MAX;
}

typedef struct tcsi_moments {
    size_t count;               /* of present values */
    double mean, variance;      /* of the population (divided by count); NaN when count is 0; variance >= 0 */
    double minimum, maximum;
} tcsi_moments;

/* Two passes and a correction (Chan, Golub, LeVeque 1983): full accuracy at any offset. */
tcsi_moments tcsi_moments_of(const double *values, size_t count);
double tcsi_mean(const double *values, size_t count);
double tcsi_deviation(const double *values, size_t count); /* square root of the population variance */

/* To mean 0 and deviation 1, in place; what varies by less than 1e-9 comes close to 0. */
void tcsi_standardize(double *values, size_t count);

/* Copies the present values, in order; returns how many.  ret_values has room for count; may be values itself. */
size_t tcsi_present_copy(const double *values, size_t count, double *ret_values);

/* The item that sorting would put at position, in O(count) whatever the input; items before it are <= and after it >=.
 * No NaN; position < count.  Rearranges. */
double tcsi_select(double *values, size_t count, size_t position);

/* Quantile with linear interpolation between order statistics (type 7 of Hyndman & Fan, numpy's default), level in [0, 1].
 * _inplace rearranges values, which hold no missing ones.  scratch: room for count, contents afterwards undefined. */
double tcsi_quantile_inplace(double *values, size_t count, double level);
double tcsi_quantile(const double *values, size_t count, double level, double *scratch);
double tcsi_median(const double *values, size_t count, double *scratch);
double tcsi_mad(const double *values, size_t count, double center, double *scratch); /* median |value - center|, not rescaled */

/* The rank, from 1, of the value that a further one of the same kind stays within with probability level: ceil((count + 1) level), the
 * finite-sample correction of split conformal prediction.  Above count: none is large enough. */
size_t tcsi_rank_covering(size_t count, double level);

/* Ascending, in place, O(count log count) whatever the input; no NaN among values. */
void tcsi_sort(double *values, size_t count);

/* The order that sorts values: ret_order[k] is the index of the k-th smallest.  Stable; missing values last, in their order.
 * scratch: room for count indices. */
void tcsi_argsort(const double *values, size_t count, size_t *ret_order, size_t *scratch);

/* Ranks 1..present count, ties share their mean rank; missing values rank NaN.  order, scratch: room for count indices each. */
void tcsi_ranks(const double *values, size_t count, double *ret_ranks, size_t *order, size_t *scratch);

/* How many different values are present (-0 equals 0), counted no further than count_max <= 64: stops as soon as it knows. */
size_t tcsi_distinct_count(const double *values, size_t count, size_t count_max);

#endif
