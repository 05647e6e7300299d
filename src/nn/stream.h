/* nn/stream.h -- one row in, one answer out, from carried state: convolutions keep their last inputs, recurrent layers their hidden state.
 *
 * From a reset on, the answers to rows 0, 1, 2, ... equal the values of the net run on the whole sequence, bit for bit, whatever
 * its length; a convolution net needs only the rows that its field of view covers, so once it has seen that many, its answers equal
 * those for any window ending there.  A node of one step that took the last of its input (tcsi_nn_last) answers in every step, as if the
 * sequence ended there.  Exceptions are named by their operations.  A step costs what one step of the sequence costs.
 *
 * Every operation between input and output must be causal: row by row (ROWWISE) or with a step of its own; creating a stream says which
 * one is not.  A step allocates nothing.  Threads: one caller per stream; streams of one net may run at once. */
#ifndef TCS_NN_STREAM_H
#define TCS_NN_STREAM_H

#include "base/codec.h"
#include "kernels/isa.h"
#include "nn/net.h"

typedef struct tcsi_stream_net tcsi_stream_net;

/* One input node is allowed, of any length: it is fed step by step.  E_INVALID, E_UNSUPPORTED, E_MEMORY. */
tcs_status tcsi_stream_net_create(const tcsi_net *net, tcsi_node_id output, tcsi_stream_net **ret_stream, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_stream_net_destroy(tcsi_stream_net *stream); /* accepts NULL */
void tcsi_stream_net_reset(tcsi_stream_net *stream);
/* row (C of the input) -> (C of the output), valid until the next call. */
const float *tcsi_stream_net_push(tcsi_stream_net *stream, const float *row);
size_t tcsi_stream_net_size(const tcsi_stream_net *stream); /* bytes */
void tcsi_stream_net_persist(tcsi_stream_net *stream, tcsi_codec *codec); /* the carried state, not the weights */

#endif
