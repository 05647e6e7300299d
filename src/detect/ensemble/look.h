/* detect/ensemble/look.h -- how unusual does a window look?  Nearest neighbours in a small space of window features.
 *
 * Eight features of the window around each row: mean, log deviation, log roughness of the first and second differences, cube
 * root of the third moment, share of turning points, log energy of the fast movement, step between its halves.  They
 * forget where in the window things happen, so jitter and phase do not matter, which joins are sensitive to.  Scaled by median and
 * median absolute deviation, clipped at 8; the score is the distance to the third nearest of at most 800 windows spread
 * over the series, those that overlap left out: an event that happens twice still stands out.
 * Sources: features in the spirit of C. Lubba et al., "catch22", Data Mining and Knowledge Discovery 33, 2019; k-th nearest neighbour:
 * S. Ramaswamy, R. Rastogi, K. Shim, SIGMOD 2000.  Cost: at most 800 x 8 multiply-adds per window/8 rows. */
#ifndef TCS_DETECT_LOOK_H
#define TCS_DETECT_LOOK_H

#include "base/status.h"

/* z: (T) standardized and finite; window: rows, >= 2.  ret_scores: (T).  Too short a series: zeros.  E_MEMORY. */
tcs_status tcsi_look_score(const double *z, size_t row_count, size_t window, double *ret_scores, tcs_error *err) TCS_WARN_UNUSED;

#endif
