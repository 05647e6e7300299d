/* kernels/recurrent.h -- LSTM (Hochreiter and Schmidhuber 1997) and GRU (Cho et al. 2014) over sequences and one step at a time.
 *
 * Conventions and parameter layouts are PyTorch's, transposed for row-major products: w_input (C, G*H), w_hidden (H, G*H),
 * bias_input (G*H), bias_hidden (G*H); gates in the order i, f, g, o (LSTM, G = 4) or r, z, n (GRU, G = 3, with bias_hidden of n
 * inside the reset product).
 * x (B,T,C), y (B,T,H) all hidden states.  State: h (B,H) and, LSTM, c (B,H); in: where the sequence begins (NULL: zeros), out: where
 * it ended.  The step is the sequence of length 1: same bits.
 * saved: what backward needs, (tcsi_recurrent_saved_count) floats a row b, in an order of its own: backward takes the rows of one forward
 * call, no fewer and no more.  Gradients of parameters are accumulated (+=).
 * Threads: no state; cut by b. */
#ifndef TCS_KERNELS_RECURRENT_H
#define TCS_KERNELS_RECURRENT_H

#include "base/status.h"
#include "kernels/isa.h"
#include "kernels/precision.h"

typedef enum tcsi_recurrent_kind { TCSI_RECURRENT_LSTM, TCSI_RECURRENT_GRU } tcsi_recurrent_kind;

typedef struct tcsi_recurrent {
    tcsi_recurrent_kind kind;
    size_t length, channels_in, hidden; /* T, C, H */
    tcsi_precision precision;           /* of the products that sum gradients over steps; all others have few rows and are single */
} tcsi_recurrent;

typedef struct tcsi_recurrent_weights {
    const float *w_input, *w_hidden, *bias_input, *bias_hidden;
} tcsi_recurrent_weights;

typedef struct tcsi_recurrent_gradients {
    float *w_input, *w_hidden, *bias_input, *bias_hidden;
} tcsi_recurrent_gradients;

size_t tcsi_recurrent_saved_count(const tcsi_recurrent *recurrent);                 /* a row of the batch */
size_t tcsi_recurrent_scratch_count(const tcsi_recurrent *recurrent, size_t batch);
/* h, c (B,H): begin, and end on return; NULL: begin at zeros, end not wanted.  saved may be NULL when there will be no backward. */
void tcsi_recurrent_forward(tcsi_isa isa, const tcsi_recurrent *recurrent, size_t batch, const float *x,
                            const tcsi_recurrent_weights *weights, float *h, float *c, float *y, float *saved, float *scratch);
/* From zeros at the beginning.  dx (B,T,C): += with accumulate, else =; may be NULL. */
void tcsi_recurrent_backward(tcsi_isa isa, const tcsi_recurrent *recurrent, size_t batch, const float *x,
                             const tcsi_recurrent_weights *weights, const float *y, const float *saved, const float *dy, bool accumulate,
                             float *dx, const tcsi_recurrent_gradients *gradients, float *scratch);

#endif
