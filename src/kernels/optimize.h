/* kernels/optimize.h -- one update of a flat block of parameters.  Threads: no state; blocks may be cut anywhere. */
#ifndef TCS_KERNELS_OPTIMIZE_H
#define TCS_KERNELS_OPTIMIZE_H

#include "base/status.h"
#include "kernels/isa.h"

/* AdamW: I. Loshchilov, F. Hutter, "Decoupled weight decay regularization", ICLR 2019, algorithm 2, with torch.optim.AdamW's order of
 * operations.  step counts from 1.  decay: weight decay, 0 for biases and gains.  gradient_scale multiplies gradients first
 * (clipping by norm). */
typedef struct tcsi_adamw {
    double rate, beta1, beta2, epsilon, decay, gradient_scale;
    uint64_t step;
} tcsi_adamw;
void tcsi_adamw_step(tcsi_isa isa, const tcsi_adamw *rule, size_t count, const float *gradient, float *weights, float *moment1,
                     float *moment2);

/* velocity = momentum * velocity + (gradient + decay * w);  w -= rate * velocity   (torch.optim.SGD; Nesterov as there) */
typedef struct tcsi_sgd {
    double rate, momentum, decay, gradient_scale;
    bool nesterov;
} tcsi_sgd;
void tcsi_sgd_step(tcsi_isa isa, const tcsi_sgd *rule, size_t count, const float *gradient, float *weights, float *velocity);

#endif
