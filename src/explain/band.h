/* explain/band.h -- an expected band that keeps its coverage while the channel's spread changes.
 *
 * series/expect.h draws a band that holds about 99 % of all rows.  Where errors are larger for a while it holds too few of them there and
 * too many elsewhere: over 500 rows of a slowly moving channel (autocorrelation 0.99) it is 1.2 points away from 99 on average.  Here each
 * row's band is made as many times as wide as decide/adaptive.h says from the rows before it, whose errors are in units of the band: 0.3
 * points, and a quarter narrower (docs/internals/calibrate.md).  It looks back only, and rows that count as missing say nothing. */
#ifndef TCS_EXPLAIN_BAND_H
#define TCS_EXPLAIN_BAND_H

#include "base/status.h"

#include <stddef.h>

/* values: (count), NaN: says nothing; expected, low, high: (count) of tcsi_expect, of which low and high are changed from row `begin` on
 * where enough rows before it are known.  E_MEMORY. */
tcs_status tcsi_band_adapt(const double *values, size_t count, size_t begin, const double *expected, double *low, double *high,
                           tcs_error *err) TCS_WARN_UNUSED;

#endif
