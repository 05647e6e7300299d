/* nn/plan.h -- everything a net needs to run on batches, laid out once: values, gradients and work space in one block.
 *
 * A plan is for one batch size and one purpose: values of some nodes (scoring), or the gradient of one loss (training).  Creating
 * it checks and allocates; running it allocates nothing and cannot fail.
 *
 * How work is cut.  The batch is cut into shards of rows, small enough that one shard's values stay in the cache between its forward and
 * its backward pass; shards are dealt to at most TCSI_LANE_MAX lanes, and a lane is a task of the pool.  Each lane sums the gradients
 * of its shards in order into a block of its own, and the lanes' blocks are added in order.  Shards and lanes follow from net and
 * batch size alone, so the bits do not depend on the number of threads.  Small nets have one lane and never wake a thread.
 *
 * Memory of a lane is one shard's, reused from shard to shard; buffers whose lives do not overlap share a place.  Where an
 * operation needs the whole batch (op.h), lanes wait for each other and every shard keeps its own memory.
 *
 * Threads: one caller per plan; plans of one net may run at once as long as none trains it. */
#ifndef TCS_NN_PLAN_H
#define TCS_NN_PLAN_H

#include "base/pool.h"
#include "kernels/isa.h"
#include "kernels/precision.h"
#include "nn/net.h"

enum { TCSI_LANE_MAX = 8, TCSI_RUN_INPUT_MAX = 8 };

typedef struct tcsi_plan tcsi_plan;

typedef struct tcsi_plan_options {
    tcsi_net *net;               /* borrowed, finished */
    size_t batch;                /* most rows of a run, >= 1 */
    const tcsi_node_id *outputs; /* nodes whose values are wanted after a run, besides the loss */
    size_t output_count;
    const tcsi_node_id *kept;    /* nodes whose saved values are wanted after a run: attention's weights, say */
    size_t kept_count;
    bool has_loss;
    tcsi_node_id loss;           /* a node of shape (B,1,1) */
    uint64_t groups;             /* bit g: weights of group g are trained; 0: all */
    bool input_gradients;        /* the loss's gradient by the inputs is wanted too */
    bool has_isa;
    tcsi_isa isa;                /* otherwise the current one */
    /* Of what dense layers and convolutions multiply, and of the gradients of recurrent layers' weights; everything else is single.
     * bfloat16 is faster where the processor has AVX512_BF16, from some 32 channels on, and changes results in the third digit. */
    tcsi_precision precision;
} tcsi_plan_options;

/* E_INVALID: a node that does not exist, a loss of another shape; E_LIMIT: more than TCSI_NET_FLOATS_MAX floats; E_MEMORY. */
tcs_status tcsi_plan_create(const tcsi_plan_options *options, tcsi_plan **ret_plan, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_plan_destroy(tcsi_plan *plan); /* accepts NULL */
double tcsi_plan_cost(const tcsi_plan *plan); /* multiply-adds of a run of the whole batch, about */
size_t tcsi_plan_size(const tcsi_plan *plan); /* bytes it holds, all of them from its creation on */

/* One run.  inputs: in the order in which the net's input nodes were added, (batch,T,C) each, borrowed for the run. */
typedef struct tcsi_run {
    const float *inputs[TCSI_RUN_INPUT_MAX];
    size_t batch;              /* 1 .. the plan's */
    const float *row_weights;  /* (batch), >= 0, of the loss; NULL: all 1 */
    bool is_training;          /* batch norm takes the batch's statistics and moves its own */
    bool is_stochastic;        /* dropout and sampling draw */
    uint64_t seed, step;       /* random numbers are a function of seed, step, node and row */
} tcsi_run;

/* Does what the run brings fit its net: indices of an embedding in range, say?  E_INVALID says which value does not.  To be asked where
 * data enter; a run that was not asked about is safe too, but what such a value leads to is not a number. */
tcs_status tcsi_plan_check(const tcsi_plan *plan, const tcsi_run *run, tcs_error *err) TCS_WARN_UNUSED;

/* Values only.  pool may be NULL. */
void tcsi_plan_forward(tcsi_plan *plan, tcsi_pool *pool, const tcsi_run *run);
/* Values and gradients.  Returns the loss: the mean over rows weighted by row_weights (0 when they sum to 0, as then do the gradients).
 * Gradients replace those of the run before. */
double tcsi_plan_backward(tcsi_plan *plan, tcsi_pool *pool, const tcsi_run *run);

/* (batch,T,C) of an output or the loss, valid until the next run. */
const float *tcsi_plan_values(const tcsi_plan *plan, tcsi_node_id node);
/* What a kept node's operation saves, (batch, saved_count) as layers.h says, valid until the next run. */
const float *tcsi_plan_saved(const tcsi_plan *plan, tcsi_node_id node);
/* Laid out as the net's weights; zero for what is not trained. */
float *tcsi_plan_gradients(const tcsi_plan *plan);
/* (batch,T,C) of an input node, with input_gradients. */
const float *tcsi_plan_input_gradients(const tcsi_plan *plan, tcsi_node_id input);
/* The weighted mean over the last run's rows. */
double tcsi_plan_loss(const tcsi_plan *plan, const tcsi_run *run);

#endif
