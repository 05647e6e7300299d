/* kernels/pooling.h -- pooling along time, channels last.  x (B,T,C), y (B,U,C), U = (T - window) / stride + 1 (floor), T >= window.
 * dx: += with accumulate, else =.  Threads: no state; cut by b. */
#ifndef TCS_KERNELS_POOLING_H
#define TCS_KERNELS_POOLING_H

#include "base/status.h"
#include "kernels/isa.h"

typedef struct tcsi_pooling {
    size_t length, channels, window, stride;
    bool is_max; /* else the mean */
} tcsi_pooling;

size_t tcsi_pooling_length_out(const tcsi_pooling *pooling);
/* ret_where (B,U,C): the step each maximum came from (the first of equals; NaN wins), for backward; NULL for means. */
void tcsi_pooling_forward(tcsi_isa isa, const tcsi_pooling *pooling, size_t batch, const float *x, float *y, uint32_t *ret_where);
void tcsi_pooling_backward(tcsi_isa isa, const tcsi_pooling *pooling, size_t batch, const float *dy, const uint32_t *where, bool accumulate,
                           float *dx);

#endif
