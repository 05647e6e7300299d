/* series/expect.h -- what a channel would normally have been, and how far it normally strays: the band of a plot.
 * Offline: every row is judged with the rows around it on both sides; never feed this to a causal score. */
#ifndef TCS_SERIES_EXPECT_H
#define TCS_SERIES_EXPECT_H

#include "base/status.h"

typedef struct tcsi_expect_report {
    bool seasonal;       /* a profile by phase was used */
    size_t level_width;  /* rows of the moving median under it */
    double inside_share; /* share of present rows inside the band */
} tcsi_expect_report;

/* expected, low and high: (count) each; low <= expected <= high everywhere, also where the value is missing; all NaN when nothing
 * is present.  period: rows of one repetition, or 0 for none known; it is used when it makes the residuals smaller.
 * An event shorter than a quarter of level_width does not bend the expectation.  The band holds about 99 % of normal rows.
 * ret_report may be NULL.  E_MEMORY. */
tcs_status tcsi_expect(const double *values, size_t count, size_t period, double *ret_expected, double *ret_low, double *ret_high,
                       tcsi_expect_report *ret_report, tcs_error *err) TCS_WARN_UNUSED;

#endif
