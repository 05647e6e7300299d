/* nn/ops/batch_norm.c -- every channel by its mean and deviation over all rows and steps of the batch, then a gain and a shift.
 * S. Ioffe, C. Szegedy, "Batch normalization", ICML 2015, algorithms 1 and 2, as PyTorch's BatchNorm1d: the batch is normalized by its
 * biased variance, the running variance takes the unbiased one, running += momentum (batch - running).
 *
 * In training, each shard leaves in shared its number of steps, means and sums of squared deviations (phase 0); every shard then merges
 * all of them in order (T. Chan, G. Golub, R. LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances",
 * 1979), so nothing cancels and all shards see the same bits (phase 1).  Backward likewise with the two sums its gradient needs.
 * Otherwise the running statistics serve, rows are independent and phase 0 does all.
 *
 * Where we differ: a batch whose statistics are not finite leaves the running ones alone, as such a batch leaves the weights alone; one
 * of a single value moves the running mean only, where PyTorch refuses it.  Row weights do not enter the statistics.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/norm.h"
#include "nn/layers.h"
#include "nn/ops.h"

#include <math.h>
#include <string.h>

enum { GAIN, SHIFT, MEAN, VARIANCE };

static tcs_status batch_norm_shape(tcsi_net *net, tcsi_node *node, tcs_error *err)
{
    const tcsi_batch_norm_options *options = node->options;
    size_t channels;
    node->shape = tcsi_net_shape(net, node->inputs[0]);
    channels = node->shape.channels;
    node->shared_count = 1 + 4 * channels;
    if (!(options->epsilon >= 0 && options->epsilon <= 1) || !(options->momentum >= 0 && options->momentum <= 1))
        return tcsi_fail(err, TCS_E_INVALID, "batch_norm: needs epsilon and momentum in [0, 1], got %g and %g", (double)options->epsilon,
                         options->momentum);
    const tcsi_weight weights[] = {
        { .name = "gain", .dims = { channels }, .dim_count = 1, .start = TCSI_START_ONE },
        { .name = "shift", .dims = { channels }, .dim_count = 1, .start = TCSI_START_ZERO },
        { .name = "mean", .dims = { channels }, .dim_count = 1, .start = TCSI_START_ZERO, .is_state = true },
        { .name = "variance", .dims = { channels }, .dim_count = 1, .start = TCSI_START_ONE, .is_state = true },
    };
    tcs_status status = TCS_OK;
    for (size_t i = 0; i < TCS_COUNT(weights) && status == TCS_OK; i++) status = tcsi_net_weight(net, node, &weights[i], err);
    return status;
}

/* One shard's part of shared. */
typedef struct part {
    double *count, *mean, *square, *sums; /* (1), (C), (C) of (x - mean)^2, (C,2) */
} part;

static part part_of(const tcsi_op_call *call, size_t shard)
{
    size_t channels = call->node->shape.channels;
    double *at = call->shared + shard * call->node->shared_count;
    return (part){ at, at + 1, at + 1 + channels, at + 1 + 2 * channels };
}

/* What all phases work with, in scratch. */
typedef struct workspace {
    double *mean, *variance, *sums; /* (C), (C), (C,2) */
    float *centre, *inverse;        /* (C): the statistics in use */
    float *unwanted;                /* (C,2) */
} workspace;

static workspace space_of(const tcsi_op_call *call)
{
    size_t channels = call->node->shape.channels;
    double *doubles = (double *)(void *)call->scratch; /* on a cache line's border */
    float *floats = (float *)(void *)(doubles + 4 * channels);
    return (workspace){ doubles, doubles + channels, doubles + 2 * channels, floats, floats + channels, floats + 2 * channels };
}

static size_t batch_norm_scratch(const tcsi_net *net, const tcsi_node *node, size_t batch)
{
    (void)net;
    (void)batch;
    return (4 * 2 + 4) * node->shape.channels;
}

static double epsilon_of(const tcsi_op_call *call)
{
    const tcsi_batch_norm_options *options = call->node->options;
    return options->epsilon > 0 ? (double)options->epsilon : 1e-5;
}

/* ---- statistics ---- */

static void measure_shard(const tcsi_op_call *call)
{
    size_t channels = call->node->shape.channels, rows = call->batch * call->length;
    part own = part_of(call, call->shard);
    tcsi_batch_norm_sums(call->isa, rows, channels, call->x[0], call->x[0], own.sums);
    *own.count = (double)rows;
    for (size_t c = 0; c < channels; c++) { /* sums are around the shard's first row */
        double first = own.sums[2 * c] / (double)rows;
        own.mean[c] = (double)call->x[0][c] + first;
        own.square[c] = fmax(own.sums[2 * c + 1] - first * own.sums[2 * c], 0);
        if (isnan(own.sums[2 * c + 1])) own.square[c] = (double)NAN;
    }
}

/* Mean and variance of the whole batch, the same in every shard; returns the number of steps in it. */
static double merge_shards(const tcsi_op_call *call, const workspace *space)
{
    size_t channels = call->node->shape.channels;
    double count = 0;
    memset(space->mean, 0, 2 * channels * sizeof(double));
    for (size_t s = 0; s < call->shard_count; s++) {
        part other = part_of(call, s);
        double total = count + *other.count;
        for (size_t c = 0; c < channels; c++) {
            double apart = other.mean[c] - space->mean[c];
            space->mean[c] += apart * (*other.count / total);
            space->variance[c] += other.square[c] + (count > 0 ? apart * apart * count * (*other.count / total) : 0);
        }
        count = total;
    }
    for (size_t c = 0; c < channels; c++) {
        space->variance[c] /= count;
        space->centre[c] = (float)space->mean[c];
        space->inverse[c] = (float)(1 / sqrt(space->variance[c] + epsilon_of(call)));
    }
    return count;
}

static void take_running(const tcsi_op_call *call, const workspace *space)
{
    for (size_t c = 0; c < call->node->shape.channels; c++) {
        space->centre[c] = call->state[MEAN][c];
        space->inverse[c] = (float)(1 / sqrt((double)call->state[VARIANCE][c] + epsilon_of(call)));
    }
}

static void move_running(const tcsi_op_call *call, const workspace *space, double count)
{
    const tcsi_batch_norm_options *options = call->node->options;
    double momentum = options->momentum > 0 ? options->momentum : 0.1;
    for (size_t c = 0; c < call->node->shape.channels; c++) {
        float *mean = &call->state[MEAN][c], *variance = &call->state[VARIANCE][c];
        if (!isfinite((float)space->variance[c])) continue; /* a mean that is not finite has no finite variance */
        *mean = (float)((1 - momentum) * (double)*mean + momentum * space->mean[c]);
        if (count > 1) *variance = (float)((1 - momentum) * (double)*variance + momentum * space->variance[c] * count / (count - 1));
    }
}

/* ---- values and gradients ---- */

static void batch_norm_forward(const tcsi_op_call *call)
{
    workspace space = space_of(call);
    if (call->is_training && call->phase == 0) {
        measure_shard(call);
        return;
    }
    if (call->is_training) {
        double count = merge_shards(call, &space);
        if (call->shard == 0) move_running(call, &space, count);
    } else {
        if (call->phase > 0) return;
        take_running(call, &space);
    }
    tcsi_batch_norm_apply(call->isa, call->batch * call->length, call->node->shape.channels, call->x[0], space.centre, space.inverse,
                          call->w[GAIN], call->w[SHIFT], call->y);
}

static void backward_weights(const tcsi_op_call *call, const double *sums)
{
    for (size_t c = 0; c < call->node->shape.channels && call->dw[GAIN]; c++) {
        call->dw[SHIFT][c] += (float)sums[2 * c];
        call->dw[GAIN][c] += (float)sums[2 * c + 1];
    }
}

static void batch_norm_backward(const tcsi_op_call *call)
{
    workspace space = space_of(call);
    size_t channels = call->node->shape.channels, rows = call->batch * call->length;
    double count = 1;
    if (!call->is_training && call->phase > 0) return;
    if (call->is_training) count = merge_shards(call, &space);
    else take_running(call, &space);
    if (call->phase == 0) {
        part own = part_of(call, call->shard);
        tcsi_batch_norm_backward_sums(call->isa, rows, channels, call->x[0], space.centre, space.inverse, call->dy, own.sums);
        backward_weights(call, own.sums);
        if (call->is_training) return;
    }
    memset(space.sums, 0, 2 * channels * sizeof(double));
    for (size_t s = 0; s < call->shard_count && call->is_training; s++)
        for (size_t i = 0; i < 2 * channels; i++) space.sums[i] += part_of(call, s).sums[i];
    if (call->dx[0])
        tcsi_batch_norm_backward_apply(call->isa, rows, channels, call->x[0], space.centre, space.inverse, call->w[GAIN], space.sums, count,
                                       call->dy, call->accumulate[0], call->dx[0]);
}

const tcsi_op tcsi_op_batch_norm = {
    .name = "batch_norm", .traits = TCSI_OP_TWO_PHASE | TCSI_OP_ROWWISE, .options_size = sizeof(tcsi_batch_norm_options), .input_min = 1,
    .input_max = 1, .shape = batch_norm_shape, .forward = batch_norm_forward, .backward = batch_norm_backward,
    .scratch_count = batch_norm_scratch,
};

tcsi_node_id tcsi_nn_batch_norm(tcsi_net *net, tcsi_node_id x, const tcsi_batch_norm_options *options)
{
    return tcsi_net_add(net, &tcsi_op_batch_norm, &x, 1, options);
}
