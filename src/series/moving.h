/* series/moving.h -- means and spreads over a window that moves along a series, exact to the last digits at any offset.
 *
 * Three windows of a width w >= 1 around row i, each cut off at the ends of the series (fewer rows, never padding):
 *   centred    [i - w/2, i - w/2 + w)      w/2 rounded down
 *   trailing   [i - w + 1, i + 1)          causal: row i depends on rows up to i only, to the bit
 *   at offset  [i + offset, i + offset + w)
 * Missing values (see tcsi_present) in a window are passed over; a window with nothing present gives NaN.
 * Results must not share memory with values.  Memory: none is allocated, except where a status is returned.
 * Cost: O(n), whatever the width.  Threads: reentrant. */
#ifndef TCS_SERIES_MOVING_H
#define TCS_SERIES_MOVING_H

#include "base/status.h"

void tcsi_moving_mean(const double *values, size_t count, size_t width, double *ret_means);
void tcsi_trailing_mean(const double *values, size_t count, size_t width, double *ret_means);
void tcsi_moving_mean_at(const double *values, size_t count, ptrdiff_t offset, size_t width, double *ret_means);

/* Root of the mean square over the window: sqrt(MA(x^2, w)). */
void tcsi_moving_rms(const double *values, size_t count, size_t width, double *ret_rms);
void tcsi_trailing_rms(const double *values, size_t count, size_t width, double *ret_rms);

/* Mean and population variance of the same windows in one go; variance >= 0 always, and exactly 0 where the window is constant. */
void tcsi_moving_moments(const double *values, size_t count, size_t width, double *ret_means, double *ret_variances);
void tcsi_trailing_moments(const double *values, size_t count, size_t width, double *ret_means, double *ret_variances);
void tcsi_moving_moments_at(const double *values, size_t count, ptrdiff_t offset, size_t width, double *ret_means, double *ret_variances);

/* Median of the centred window, O(n log w).  Allocates O(min(w, n)). */
tcs_status tcsi_moving_median(const double *values, size_t count, size_t width, double *ret_medians, tcs_error *err) TCS_WARN_UNUSED;

#endif
