/* detect/window/profile.h -- what matrix_profile and left_matrix_profile share: the z-normalized (or plain) distance of every
 * window to its nearest (or nearest earlier) neighbour, at full rate. */
#ifndef TCS_DETECT_WINDOW_PROFILE_H
#define TCS_DETECT_WINDOW_PROFILE_H

#include "detect/window/offline.h"

typedef struct tcsi_profile_options {
    size_t window;  /* rows, >= 3; 0: the period of the series */
    bool normalize; /* z-normalized Euclidean distance; otherwise plain */
} tcsi_profile_options;

/* Their parameter table. */
extern const tcsi_parameter tcsi_profile_parameters[2];

/* Distances (row_count - window + 1) of windows of values: Euclidean, over all rows of the window; left: neighbours are earlier
 * windows only.  A constant window is at distance 0 from constant ones and sqrt(window) from others (normalize).  Neighbours are
 * more than ceil(window / 4) apart; a window without one has INFINITY.  E_INVALID: window out of range, values not finite. */
tcs_status tcsi_profile_distances(const double *values, size_t row_count, const tcsi_profile_options *options, bool left, tcsi_pool *pool,
                                  double *ret_distances, tcs_error *err) TCS_WARN_UNUSED;

/* The same of channel 0 of a frame. */
typedef struct tcsi_profile {
    tcsi_offline offline;
    size_t window_count; /* rows - window + 1; 0: fewer rows than two windows, where none has a neighbour to speak of */
    double *distances;   /* (window_count) */
} tcsi_profile;

tcs_status tcsi_profile_begin(const tcsi_frame *frame, const tcsi_profile_options *options, bool left, tcsi_pool *pool,
                              tcsi_profile *ret_profile, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_profile_end(tcsi_profile *profile); /* accepts a zeroed struct */

size_t tcsi_profile_size_max(size_t row_count, const tcsi_profile_options *options, const tcsi_pool *pool);

#endif
