/* kernels/activation.h -- the activations that a matrix product or a convolution can apply while its sums are still in registers.
 * Only those whose slope follows from their output alone, so that a backward pass needs to keep nothing else:
 *     relu y > 0;  sigmoid y (1 - y);  tanh 1 - y^2;  softplus 1 - exp(-y).
 * GELU is not among them: it is an element-wise operation of its own (kernels/vector.h). */
#ifndef TCS_KERNELS_ACTIVATION_H
#define TCS_KERNELS_ACTIVATION_H

typedef enum tcsi_activation {
    TCSI_ACTIVATION_NONE,
    TCSI_ACTIVATION_RELU,     /* max(x, 0); NaN stays NaN */
    TCSI_ACTIVATION_SIGMOID,  /* 1 / (1 + exp(-x)) */
    TCSI_ACTIVATION_TANH,
    TCSI_ACTIVATION_SOFTPLUS, /* log(1 + exp(x)) */
} tcsi_activation;
enum { TCSI_ACTIVATION_COUNT = 5 };

#endif
