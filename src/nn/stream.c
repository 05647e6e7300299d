/* SPDX-License-Identifier: Apache-2.0 */
#include "nn/stream.h"

#include "base/alloc.h"
#include "nn/op.h"

#include <string.h>

/* A node that runs in every step. */
typedef struct stream_step {
    tcsi_op_call call;
    void (*run)(const tcsi_op_call *call);
    tcsi_node_id id;
    bool needs_row[TCSI_INPUT_MAX]; /* the input is the pushed row */
} stream_step;

struct tcsi_stream_net {
    const tcsi_net *net;
    stream_step *steps;
    size_t step_count;
    tcsi_floats values, carried; /* (C) of every node one after another, then scratch; carried states */
    size_t value_count, carried_count, scratch_count;
    const float *output;
};

static void mark_needed(const tcsi_net *net, tcsi_node_id output, bool *needed)
{
    needed[output] = true;
    for (size_t n = output + 1; n-- > 0;)
        for (size_t i = 0; i < net->nodes[n].input_count && needed[n]; i++) needed[net->nodes[n].inputs[i]] = true;
}

/* Can node n run one step at a time?  And how many inputs has the net so far? */
static tcs_status check_node(const tcsi_net *net, size_t n, size_t *input_count, tcs_error *err)
{
    const tcsi_node *node = &net->nodes[n];
    bool can = node->op->step ? !node->op->can_step || node->op->can_step(net, node) : (node->op->traits & TCSI_OP_ROWWISE) != 0;
    if (!can) return tcsi_fail(err, TCS_E_UNSUPPORTED, "node %zu (%s) needs later rows or the whole window: it cannot run row by row", n,
                              node->op->name);
    if ((node->op->traits & TCSI_OP_INPUT) && ++*input_count > 1)
        return tcsi_fail(err, TCS_E_INVALID, "a net with more than one input cannot run row by row");
    return TCS_OK;
}

/* Sizes of all, and where each node's values and carried state begin. */
static void measure(const tcsi_net *net, const bool *needed, size_t *values_at, size_t *carried_at, tcsi_stream_net *stream)
{
    for (size_t n = 0; n < net->node_count; n++) {
        const tcsi_node *node = &net->nodes[n];
        if (!needed[n]) continue;
        values_at[n] = stream->value_count;
        carried_at[n] = stream->carried_count;
        stream->value_count += tcsi_floats_round(node->shape.channels + node->saved_count);
        if (node->op->step && node->op->carried_count) stream->carried_count += tcsi_floats_round(node->op->carried_count(net, node));
        size_t own = node->op->scratch_count ? node->op->scratch_count(net, node, 1) : 0;
        if (own > stream->scratch_count) stream->scratch_count = own;
    }
}

static void bind(tcsi_stream_net *stream, const bool *needed, const size_t *values_at, const size_t *carried_at)
{
    const tcsi_net *net = stream->net;
    for (size_t n = 0; n < net->node_count; n++) {
        const tcsi_node *node = &net->nodes[n];
        if (!needed[n] || (node->op->traits & TCSI_OP_INPUT)) continue;
        stream_step *step = &stream->steps[stream->step_count++];
        *step = (stream_step){ .id = (tcsi_node_id)n, .run = node->op->step ? node->op->step : node->op->forward };
        step->call = (tcsi_op_call){ .net = net, .node = node, .isa = tcsi_isa_current(), .batch = 1, .batch_total = 1, .length = 1,
                                     .shard_count = 1, .y = stream->values.values + values_at[n],
                                     .saved = stream->values.values + values_at[n] + node->shape.channels,
                                     .scratch = stream->values.values + stream->value_count,
                                     .carried = stream->carried.values + carried_at[n] };
        for (size_t i = 0; i < node->input_count; i++) {
            step->call.x[i] = stream->values.values + values_at[node->inputs[i]];
            step->needs_row[i] = (net->nodes[node->inputs[i]].op->traits & TCSI_OP_INPUT) != 0;
        }
        for (size_t i = 0; i < node->weight_count; i++) {
            const tcsi_weight *weight = &net->tensors[node->weights[i]];
            if (weight->is_state) step->call.state[i] = net->states.values + weight->offset;
            else step->call.w[i] = net->weights.values + weight->offset;
        }
        stream->output = step->call.y;
    }
}

tcs_status tcsi_stream_net_create(const tcsi_net *net, tcsi_node_id output, tcsi_stream_net **ret_stream, tcs_error *err)
{
    TCS_ASSERT(net->is_finished && output < net->node_count);
    tcsi_stream_net *stream = TCSI_NEW(tcsi_stream_net);
    bool *needed = TCSI_NEW_ZEROS(bool, net->node_count);
    size_t *places = TCSI_NEW_ZEROS(size_t, 2 * net->node_count), input_count = 0;
    tcs_status status = TCS_OK;
    if (!stream || !needed || !places) status = tcsi_fail_memory(err, "a stream");
    if (status == TCS_OK) mark_needed(net, output, needed);
    for (size_t n = 0; n < net->node_count && status == TCS_OK; n++)
        if (needed[n]) status = check_node(net, n, &input_count, err);
    if (status == TCS_OK && (net->nodes[output].op->traits & TCSI_OP_INPUT))
        status = tcsi_fail(err, TCS_E_INVALID, "the output of a stream is its input");
    if (status == TCS_OK) {
        stream->net = net;
        measure(net, needed, places, places + net->node_count, stream);
        stream->steps = TCSI_NEW_ZEROS(stream_step, net->node_count);
        if (!stream->steps || !tcsi_floats_init(&stream->values, stream->value_count + stream->scratch_count) ||
            !tcsi_floats_init(&stream->carried, stream->carried_count))
            status = tcsi_fail_memory(err, "a stream");
    }
    if (status == TCS_OK) bind(stream, needed, places, places + net->node_count);
    tcsi_free(needed);
    tcsi_free(places);
    if (status == TCS_OK) *ret_stream = stream;
    else tcsi_stream_net_destroy(stream);
    return status;
}

void tcsi_stream_net_destroy(tcsi_stream_net *stream)
{
    if (!stream) return;
    tcsi_floats_deinit(&stream->values);
    tcsi_floats_deinit(&stream->carried);
    tcsi_free(stream->steps);
    tcsi_free(stream);
}

void tcsi_stream_net_reset(tcsi_stream_net *stream)
{
    memset(stream->carried.values, 0, stream->carried_count * sizeof(float));
}

const float *tcsi_stream_net_push(tcsi_stream_net *stream, const float *row)
{
    for (size_t k = 0; k < stream->step_count; k++) {
        stream_step *step = &stream->steps[k];
        for (size_t i = 0; i < step->call.node->input_count; i++)
            if (step->needs_row[i]) step->call.x[i] = row;
        step->run(&step->call);
    }
    return stream->output;
}

size_t tcsi_stream_net_size(const tcsi_stream_net *stream)
{
    size_t floats = stream->value_count + stream->scratch_count + stream->carried_count + 2 * TCSI_FLOATS_BORDER;
    return sizeof *stream + stream->net->node_count * sizeof *stream->steps + floats * sizeof(float);
}

void tcsi_stream_net_persist(tcsi_stream_net *stream, tcsi_codec *codec)
{
    size_t count = stream->carried_count;
    tcsi_codec_tag(codec, "STN1");
    tcsi_codec_size(codec, &count, TCSI_NET_FLOATS_MAX);
    if (count != stream->carried_count) {
        tcsi_codec_refuse(codec, "the carried state of another network");
        return;
    }
    tcsi_codec_f32s(codec, stream->carried.values, count);
}
