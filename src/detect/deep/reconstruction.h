/* detect/deep/reconstruction.h -- what detectors share that learn to give windows back: whatever they cannot give back was not seen in
 * training.
 *
 * A network maps a window x (W,C) of a sequence to x' (W,C) through something too narrow to pass everything (window_net.h).  After
 * training, windows a quarter apart run through it, and a step's error in a channel is the mean of (x - x')^2 over the windows that hold
 * it, in units of that channel's mean error over what was learned from.  A row's score is the root of the highest of them, averaged over
 * `smoothing` rows around it: windows look both ways (offline).
 * Parts: the channels' errors, in those units.
 *
 * A detector of this family is a file with a builder, options and an info; see autoencoder.c. */
#ifndef TCS_DETECT_DEEP_RECONSTRUCTION_H
#define TCS_DETECT_DEEP_RECONSTRUCTION_H

#include "detect/deep/attended.h"
#include "detect/deep/gradients.h"
#include "detect/deep/window_net.h"

typedef struct tcsi_reconstruction {
    tcsi_window_net base;
    double *spreads;    /* (runs, C): mean squared errors over what was learned from */
    tcsi_floats errors; /* (U,C): of the frame that was scored last, in units of the spreads, means over the runs */
    size_t step_count;
} tcsi_reconstruction;

/* The operations; a detector's init calls the first with its builder, whose output is x'. */
tcs_status tcsi_reconstruction_init(tcsi_detector *base, tcsi_window_net_build build, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_reconstruction_deinit(tcsi_detector *base);
tcs_status tcsi_reconstruction_fit(tcsi_detector *base, const tcsi_frame *train, tcs_error *err) TCS_WARN_UNUSED;
tcs_status tcsi_reconstruction_score(tcsi_detector *base, const tcsi_frame *frame, tcs_score *ret_scores, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_reconstruction_contribute_span(const tcsi_detector *base, size_t row_begin, size_t row_end, double *ret_parts);
void tcsi_reconstruction_persist(tcsi_detector *base, tcsi_codec *codec);
size_t tcsi_reconstruction_size_max(const tcsi_detector *base, size_t row_count);

#define TCSI_RECONSTRUCTION_OPS(init_function) \
    { .init = init_function, .deinit = tcsi_reconstruction_deinit, .fit = tcsi_reconstruction_fit, \
      .fit_fleet = tcsi_window_net_fit_fleet, .describe = tcsi_window_net_describe, .score = tcsi_reconstruction_score, \
      .contribute_span = tcsi_reconstruction_contribute_span, .attribute = tcsi_window_net_attribute, .regard = tcsi_window_net_regard, \
      .horizon = tcsi_window_net_horizon, .persist = tcsi_reconstruction_persist, .size_max = tcsi_reconstruction_size_max }

/* The last layer of a builder is the head, in the group TCSI_HEAD_GROUP; what writes a window is told the facts (fleet.h). */

/* A window read by one recurrent layer, whose last state is (B,1,hidden), and written by another from a code (B,1,latent). */
typedef tcsi_node_id (*tcsi_recurrent_layer)(tcsi_net *net, tcsi_node_id x, size_t hidden);
tcsi_node_id tcsi_reconstruction_read(tcsi_net *net, tcsi_node_id x, const tcsi_window_net_options *options, tcsi_recurrent_layer layer);
tcsi_node_id tcsi_reconstruction_write(tcsi_net *net, tcsi_node_id code, size_t channels, const tcsi_window_net_options *options,
                                       tcsi_recurrent_layer layer);
/* Both, the state squeezed through `latent` numbers in between. */
tcsi_window_net_nodes tcsi_reconstruction_recurrent(tcsi_net *net, tcsi_node_id x, tcsi_node_id target,
                                                    const tcsi_window_net_options *options, tcsi_recurrent_layer layer);

/* What the infos of the family say alike; `parameters` and `ops` are the file's. */
#define TCSI_RECONSTRUCTION_INFO(more_traits) TCSI_RECONSTRUCTION_INFO_OF(TCSI_WINDOW_NET_TRAITS | (more_traits))
#define TCSI_RECONSTRUCTION_TABLE_INFO TCSI_RECONSTRUCTION_INFO_OF(TCSI_TABLE_NET_TRAITS)
#define TCSI_RECONSTRUCTION_INFO_OF(all_traits) \
    .traits = all_traits, .instance_size = sizeof(tcsi_reconstruction), \
    .options_offset = offsetof(tcsi_reconstruction, base.options), .parameters = parameters, .parameter_count = TCS_COUNT(parameters), \
    .ops = &ops

#endif
