/* detect/deep/one_number.h -- what detectors share whose network gives a window one number: how far it is from what is normal.
 *
 * Windows a sixteenth apart run through the network (window_net.h); a window's number stands at its middle, between them runs a straight
 * line, and rows are averaged over `smoothing` rows (offline).  Numbers are measured from the median of those of what was learned from, in
 * median absolute deviations, and below the median count nothing: training leaves them on any scale.
 *
 * A detector of this family is a file with a builder, options and an info; see deep_svdd.c. */
#ifndef TCS_DETECT_DEEP_ONE_NUMBER_H
#define TCS_DETECT_DEEP_ONE_NUMBER_H

#include "detect/deep/gradients.h"
#include "detect/deep/window_net.h"

typedef struct tcsi_one_number {
    tcsi_window_net base;
    tcsi_window_net_prepare prepare; /* or NULL */
    double (*read)(const struct tcsi_one_number *self, double number); /* what a number is worth; NULL: its distance from the median */
    size_t strides_a_window;         /* windows that run through the network begin so far apart */
    tcsi_scale *scales;              /* (runs): of the numbers */
} tcsi_one_number;

/* The operations; a detector's init calls the first with its builder, whose output is (B,1,1). */
tcs_status tcsi_one_number_init(tcsi_detector *base, tcsi_window_net_build build, tcsi_window_net_prepare prepare,
                                tcs_error *err) TCS_WARN_UNUSED;
void tcsi_one_number_deinit(tcsi_detector *base);
tcs_status tcsi_one_number_fit(tcsi_detector *base, const tcsi_frame *train, tcs_error *err) TCS_WARN_UNUSED;
tcs_status tcsi_one_number_score(tcsi_detector *base, const tcsi_frame *frame, tcs_score *ret_scores, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_one_number_persist(tcsi_detector *base, tcsi_codec *codec);
size_t tcsi_one_number_size_max(const tcsi_detector *base, size_t row_count);

#define TCSI_ONE_NUMBER_OPS(init_function) \
    { .init = init_function, .deinit = tcsi_one_number_deinit, .fit = tcsi_one_number_fit, .score = tcsi_one_number_score, \
      .attribute = tcsi_window_net_attribute, .horizon = tcsi_window_net_horizon, .persist = tcsi_one_number_persist, \
      .size_max = tcsi_one_number_size_max }

/* What the infos of the family say alike; `parameters` and `ops` are the file's. */
#define TCSI_ONE_NUMBER_INFO TCSI_ONE_NUMBER_INFO_OF(TCSI_WINDOW_NET_TRAITS)
#define TCSI_ONE_NUMBER_TABLE_INFO TCSI_ONE_NUMBER_INFO_OF(TCSI_TABLE_NET_TRAITS)
#define TCSI_ONE_NUMBER_INFO_OF(all_traits) \
    .traits = all_traits, .instance_size = sizeof(tcsi_one_number), .options_offset = offsetof(tcsi_one_number, base.options), \
    .parameters = parameters, .parameter_count = TCS_COUNT(parameters), .ops = &ops

#endif
