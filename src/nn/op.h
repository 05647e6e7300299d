/* nn/op.h -- the operation contract: one row per operation, in one place.
 *
 * Everything between operations is a batch of sequences, (B,T,C) floats, channels last, one row b after the other.  A table is a
 * sequence of one step, (B,1,C).  T and C are known when the net is built, B when it is planned.  A loss gives (B,1,1): the loss of each
 * row, so that rows can be weighted, ranked or left out by whoever trains.
 *
 * An operation is one file in nn/ops/: an options struct (in layers.h), plain functions for forward and backward with their shapes in
 * the first comment, and one `const tcsi_op tcsi_op_NAME`.  A row in ops.def makes it known; net, planner, executor, streaming, gradient
 * test and golden test all work from that row.  docs/how-to/add-an-operation.md walks through one.
 *
 * Work is cut by rows b into shards.  forward and backward see one shard: rows [row_begin, row_begin + batch) of batch_total.  An
 * operation that needs all rows (batch norm, losses that compare rows) says so by its traits:
 *   TWO_PHASE  forward runs twice with a barrier between: phase 0 leaves what its shard knows in shared, phase 1 reads
 *              every shard's; the same for backward.
 *   WHOLE      one call sees the whole batch, after all shards have arrived.
 * Rows that a run leaves out (row weight 0) have a gradient of 0 and need no care, except in operations that compare rows: row_weights
 * says which they are, and they must not be anybody's partner.
 * Threads: the calls of one net run at the same time on different shards; an operation keeps nothing outside its arguments. */
#ifndef TCS_NN_OP_H
#define TCS_NN_OP_H

#include "kernels/isa.h"
#include "kernels/precision.h"
#include "nn/net.h"

struct tcsi_onnx;
struct tcsi_onnx_value;

typedef enum tcsi_op_trait {
    TCSI_OP_TWO_PHASE = 1 << 0,
    TCSI_OP_WHOLE = 1 << 1,
    TCSI_OP_ROWWISE = 1 << 2, /* each step t by itself: streaming calls forward with length 1 */
    TCSI_OP_RANDOM = 1 << 3,  /* draws; identical to nothing but itself unless is_stochastic */
    TCSI_OP_LOSS = 1 << 4,    /* gives (B,1,1), the loss of each row */
    TCSI_OP_INPUT = 1 << 5,   /* its value is the caller's memory */
} tcsi_op_trait;

/* One call of one operation on one shard.  Pointers are to the shard's first row. */
typedef struct tcsi_op_call {
    const tcsi_net *net;
    const tcsi_node *node;
    tcsi_isa isa;
    tcsi_precision precision;   /* of products */
    size_t batch, row_begin, batch_total;
    size_t length;              /* steps in this call: the node's T, or 1 when streaming */
    size_t phase, shard, shard_count;
    bool is_training;           /* batch norm takes the batch's statistics */
    bool is_stochastic;         /* dropout and sampling draw; otherwise they give their mean */
    uint64_t seed, step;        /* of the random numbers */
    const float *row_weights;   /* (B), of the loss; NULL: all 1 */
    const float *x[TCSI_INPUT_MAX]; /* (B,T,C) of each input */
    float *y;                   /* (B,T,C), written whole */
    float *dy;                  /* backward: gradient of y; may be overwritten, nobody reads it afterwards */
    float *dx[TCSI_INPUT_MAX];  /* backward: gradient of each input, NULL where nobody wants it */
    bool accumulate[TCSI_INPUT_MAX]; /* dx += when true, = otherwise */
    const float *w[TCSI_WEIGHT_MAX];
    float *dw[TCSI_WEIGHT_MAX]; /* backward: +=; NULL where it is not trained */
    float *state[TCSI_WEIGHT_MAX]; /* running statistics; only shard 0 may write, only in training and phase 1 */
    float *saved;               /* (B, saved_count) from forward to backward */
    float *scratch;             /* (scratch_count(batch)) for this call */
    double *shared;             /* (shard_count, shared_count): TWO_PHASE */
    float *carried;             /* streaming: (carried_count) from one step to the next */
} tcsi_op_call;

struct tcsi_op {
    const char *name;
    unsigned traits;
    size_t options_size;
    size_t input_min, input_max;
    unsigned stops;             /* bit i: no gradient passes to input i (targets); its dx is always NULL */
    /* Checks options and input shapes; sets the node's shape, saved_count and shared_count; declares weights.  E_INVALID. */
    tcs_status (*shape)(tcsi_net *net, tcsi_node *node, tcs_error *err);
    void (*forward)(const tcsi_op_call *call);
    void (*backward)(const tcsi_op_call *call);                       /* NULL: no gradient passes */
    double (*cost)(const tcsi_net *net, const tcsi_node *node);       /* multiply-adds a row b, forward; NULL: T C */
    size_t (*scratch_count)(const tcsi_net *net, const tcsi_node *node, size_t batch); /* floats; NULL: none */
    /* Streaming, for operations that are causal but not row by row: one step (1,1,C) with carried memory that begins zeroed.
     * NULL without ROWWISE: cannot be streamed. */
    void (*step)(const tcsi_op_call *call);
    size_t (*carried_count)(const tcsi_net *net, const tcsi_node *node);
    bool (*can_step)(const tcsi_net *net, const tcsi_node *node); /* NULL: always; a centred convolution, say, cannot */
    /* Does what the caller brings fit?  x[i]: (batch,T,C) of input i where that is an input node, else NULL.  E_INVALID.
     * NULL: all does. */
    tcs_status (*check)(const tcsi_net *net, const tcsi_node *node, size_t batch, const float *const *x, tcs_error *err);
    /* Appends what the node is in scoring to an ONNX graph (nn/onnx.h) and gives the value of its output, (B,T,C).  Errors stick to onnx.
     * NULL: cannot be exported. */
    struct tcsi_onnx_value (*onnx)(const tcsi_net *net, const tcsi_node *node, struct tcsi_onnx *onnx);
};

/* Passes a gradient of count floats to input i as the call wants it: dx += or dx =, or nothing. */
void tcsi_op_pass(const tcsi_op_call *call, size_t i, const float *gradient, size_t count);

/* The stream of a node's random numbers in this run's step (kernels/random.h, with call->seed).  Usually of the call's own node; of the
 * owner of the weights where all who share them must draw alike.  Row b takes the elements from (row_begin + b) * pitch on, for a pitch
 * that is a multiple of 4, so that bits depend on neither threads nor shards. */
uint64_t tcsi_op_stream(const tcsi_op_call *call, tcsi_node_id node);
tcsi_node_id tcsi_op_node_id(const tcsi_op_call *call);

#endif
