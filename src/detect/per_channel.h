/* detect/per_channel.h -- runs a univariate detector once per channel; the row's score is the highest of theirs.
 * tcsi_detector_create makes one by itself when a detector without TCSI_TRAIT_MULTIVARIATE is asked to look at several
 * channels, so callers never see the difference; the parts of contribute are the channels' own scores. */
#ifndef TCS_DETECT_PER_CHANNEL_H
#define TCS_DETECT_PER_CHANNEL_H

#include "detect/detector.h"

extern const tcsi_detector_info tcsi_detector_per_channel;

tcs_status tcsi_per_channel_create(const tcsi_detector_info *child, const tcsi_detector_setup *setup,
                                   tcsi_detector **ret_detector, tcs_error *err) TCS_WARN_UNUSED;

#endif
