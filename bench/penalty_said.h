/* bench/penalty_said.h -- how often what a network says breaks constraints. */
#ifndef TCS_BENCH_PENALTY_SAID_H
#define TCS_BENCH_PENALTY_SAID_H

#include "detect/detector.h"

/* Shares of the steps of windows of train, whose rows are evenly apart, in which a constraint can be told and is broken: by what a fitted
 * autoencoder gives back, or a forecaster says a row ahead; and by what was read. */
tcs_status penalty_count_broken(tcsi_detector *detector, const tcsi_constraints *constraints, const tcsi_frame *train, double *ret_said,
                                double *ret_read, tcs_error *err) TCS_WARN_UNUSED;

/* How far a fitted forecaster's medians are off, 1, 4, 16 and 64 rows ahead, on the rows of frame from begin on that are not labelled: root
 * mean square over the first channel_count channels, in deviations of each over all rows.  NaN: the detector does not forecast. */
tcs_status penalty_find_miss(tcsi_detector *detector, const tcsi_frame *frame, size_t channel_count, size_t begin, double *ret_miss,
                             tcs_error *err) TCS_WARN_UNUSED;

#endif
