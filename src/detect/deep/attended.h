/* detect/deep/attended.h -- where a network with attention looked: regard.h's ATTENTION, for both families that may have it.
 *
 * The weights are those that the last layer of attention saves (nn/ops/attention.c), in a plan made for it that runs windows of the frame:
 * of a network that gives windows back, the window around the row's step; of a forecaster, the window that ends with the row before, from
 * which the row was foretold, so that all links lead to earlier rows.  A forecaster in its stream has seen rows before that window, too,
 * which a convolution in front of the attention still hears of in its oldest few steps; here there are none.
 * A step of several rows shares its attention out among them alike.
 * Cost: a plan, and a forward pass a row and member. */
#ifndef TCS_DETECT_DEEP_ATTENDED_H
#define TCS_DETECT_DEEP_ATTENDED_H

#include "detect/deep/window_net.h"

/* The operation `regard`; tcsi_forecaster_regard is the other family's.  E_UNSUPPORTED: the network has no attention, or there are fewer
 * rows than a window. */
tcs_status tcsi_window_net_regard(tcsi_detector *base, const tcsi_frame *frame, const tcsi_regard_wish *wish, tcsi_regard *ret_regard,
                                  tcs_error *err) TCS_WARN_UNUSED;

#endif
