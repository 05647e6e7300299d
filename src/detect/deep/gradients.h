/* detect/deep/gradients.h -- which values made a network's score: integrated gradients of what a window costs.
 *
 * On the straight line from a window of expected values b to the observed x, the gradient of the network's number f is summed up:
 *
 *     part(i) = (x(i) - b(i)) * mean over a in (0, 1) of df/dx(i) at b + a (x - b)
 *
 * The parts sum to f(x) - f(b), and a value that f does not look at has none (M. Sundararajan, A. Taly, Q. Yan, "Axiomatic attribution for
 * deep networks", ICML 2017, equations 1 and 4).  f is the number that a window is given (one_number.h), or the mean squared error of its
 * reconstruction, through both what is written and what it is compared with.  The mean is taken at TCSI_GRADIENT_POINTS middles, in one
 * batch a window; windows a quarter apart that meet the rows asked about are summed, over all members.
 * Cost: (windows) forward and backward passes of TCSI_GRADIENT_POINTS rows, and a plan that is made for it. */
#ifndef TCS_DETECT_DEEP_GRADIENTS_H
#define TCS_DETECT_DEEP_GRADIENTS_H

#include "detect/deep/window_net.h"

enum { TCSI_GRADIENT_POINTS = 32 };

/* The operation `attribute`; self begins with a tcsi_window_net. */
tcs_status tcsi_window_net_attribute(tcsi_detector *base, const tcsi_frame *frame, const tcsi_frame *normal, size_t row_begin,
                                     size_t row_end, double *ret_parts, tcs_error *err) TCS_WARN_UNUSED;

#endif
