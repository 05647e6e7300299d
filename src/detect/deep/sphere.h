/* detect/deep/sphere.h -- what detectors share that pull windows around a point: the encoder, and where the point is.
 *
 * Two strided convolutions and a dense layer, all without biases and with activations that are not bounded: otherwise weights of 0 would
 * reach any point, and everything would lie there (L. Ruff et al., "Deep one-class classification", ICML 2018, propositions 1 to 3). */
#ifndef TCS_DETECT_DEEP_SPHERE_H
#define TCS_DETECT_DEEP_SPHERE_H

#include "detect/deep/window_net.h"

/* Squared distance (B,1,1) of an encoded window x (B,W,C) from the centre. */
tcsi_node_id tcsi_sphere_distance(tcsi_net *net, tcsi_node_id x, const tcsi_window_net_options *options);

/* The same of a row of a table, x (B,1,C), encoded by two dense layers without biases. */
tcsi_node_id tcsi_sphere_row_distance(tcsi_net *net, tcsi_node_id x, const tcsi_window_net_options *options);

/* The centre: the mean of what the untrained encoder makes of windows spread evenly over the lesson, no coordinate near 0.  The output of
 * the net is a sphere.  E_MEMORY. */
tcs_status tcsi_sphere_set_center(tcsi_window_net *self, const tcsi_sequence *sequence, tcsi_lesson *lesson,
                                  tcs_error *err) TCS_WARN_UNUSED;

#endif
