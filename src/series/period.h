/* series/period.h -- how long a series takes to repeat itself.
 * Missing values (tcsi_present) count as the mean.  Threads: reentrant; work space is allocated and released inside. */
#ifndef TCS_SERIES_PERIOD_H
#define TCS_SERIES_PERIOD_H

#include "base/status.h"

enum { TCSI_PERIOD_DEFAULT = 125 };

/* One period in rows, as TSB-AD's find_length_rank(x, 1): the highest local maximum of the autocorrelation of the first 20,000
 * rows among lags 4..399 (neighbours on both sides, lags below 3 never looked at), TCSI_PERIOD_DEFAULT when there is none or it
 * lies outside 6..303.  Constant, empty and missing series give the default.  E_MEMORY. */
tcs_status tcsi_period_find(const double *values, size_t count, size_t *ret_period, tcs_error *err) TCS_WARN_UNUSED;

/* Most bytes that the search holds for so many rows. */
size_t tcsi_period_size_max(size_t count);

/* The same with another answer for a series that has no period. */
tcs_status tcsi_period_find_or(const double *values, size_t count, size_t period_default, size_t *ret_period,
                               tcs_error *err) TCS_WARN_UNUSED;

typedef struct tcsi_period {
    double period;   /* rows, may be fractional */
    double strength; /* share of the (clipped, detrended) variance that the repeating profile explains, in (0, 1], adjusted for its size */
} tcsi_period;

/* Up to period_count_max periods in [2, period_max], strongest first, of a series with trend and outliers; shorter ones are
 * taken out before longer ones are looked for, so that a day inside a week is found beside the week.  A period counts when at
 * least three repetitions are seen, autocorrelation and spectrum agree and its strength is at least 0.05; none may count.
 * O(n log n) per period.  E_MEMORY, E_LIMIT (2^30 rows). */
tcs_status tcsi_periods_find(const double *values, size_t count, size_t period_max, tcsi_period *ret_periods, size_t period_count_max,
                             size_t *ret_period_count, tcs_error *err) TCS_WARN_UNUSED;

#endif
