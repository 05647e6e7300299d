/* SPDX-License-Identifier: Apache-2.0 */
#include "nn/net.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "nn/op.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

tcs_status tcsi_net_create(uint64_t seed, tcsi_net **ret_net, tcs_error *err)
{
    tcsi_net *net = TCSI_NEW(tcsi_net);
    if (!net) return tcsi_fail_memory(err, "a network");
    tcsi_arena_init(&net->arena, 0);
    net->seed = seed;
    *ret_net = net;
    return TCS_OK;
}

void tcsi_net_destroy(tcsi_net *net)
{
    if (!net) return;
    tcsi_arena_deinit(&net->arena);
    tcsi_floats_deinit(&net->weights);
    tcsi_floats_deinit(&net->states);
    tcsi_free(net->nodes);
    tcsi_free(net->tensors);
    tcsi_free(net);
}

void tcsi_net_scope(tcsi_net *net, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(net->scope, sizeof net->scope, format, arguments);
    va_end(arguments);
}

void tcsi_net_group(tcsi_net *net, size_t group)
{
    net->group = group;
}

/* ---- nodes ---- */

/* The first error sticks. */
static tcsi_node_id refuse(tcsi_net *net, tcs_status status)
{
    net->status = status;
    return TCSI_NODE_NONE;
}

static tcs_status check_inputs(const tcsi_net *net, const tcsi_op *op, const tcsi_node_id *inputs, size_t input_count, tcs_error *err)
{
    TCS_ASSERT(!net->is_finished);
    if (input_count < op->input_min || input_count > op->input_max)
        return tcsi_fail(err, TCS_E_INVALID, "%s: needs %zu to %zu inputs, got %zu", op->name, op->input_min, op->input_max, input_count);
    for (size_t i = 0; i < input_count; i++)
        if (inputs[i] >= net->node_count)
            return tcsi_fail(err, TCS_E_INVALID, "%s: input %zu is no node of this net", op->name, i);
    if (net->node_count >= TCSI_NODE_MAX) return tcsi_fail(err, TCS_E_LIMIT, "a net has at most %d nodes", TCSI_NODE_MAX);
    return TCS_OK;
}

static tcs_status check_size(const tcsi_node *node, tcs_error *err)
{
    size_t count;
    if (node->shape.length > 0 && node->shape.channels > 0 && tcsi_multiply(node->shape.length, node->shape.channels, &count) &&
        count <= TCSI_NET_FLOATS_MAX && node->saved_count <= TCSI_NET_FLOATS_MAX)
        return TCS_OK;
    return tcsi_fail(err, TCS_E_INVALID, "%s: an output of %zu steps and %zu channels (expected 1 or more, %zu values at most)",
                     node->op->name, node->shape.length, node->shape.channels, TCSI_NET_FLOATS_MAX);
}

static tcsi_node_id add_node(tcsi_net *net, const tcsi_op *op, const tcsi_node_id *inputs, size_t input_count, const void *options,
                             tcsi_node_id weights_of)
{
    if (net->status != TCS_OK) return TCSI_NODE_NONE;
    tcs_status status = check_inputs(net, op, inputs, input_count, &net->err);
    if (status != TCS_OK) return refuse(net, status);
    void *copy = op->options_size ? tcsi_arena_alloc(&net->arena, 1, op->options_size) : NULL;
    if ((op->options_size && !copy) || !tcsi_grow((void **)&net->nodes, &net->node_capacity, net->node_count, sizeof *net->nodes, 16))
        return refuse(net, tcsi_fail_memory(&net->err, "a network"));
    if (copy) memcpy(copy, options, op->options_size);
    tcsi_node node = { .op = op, .options = copy, .input_count = input_count,
                       .weights_of = weights_of == TCSI_NODE_NONE ? (tcsi_node_id)net->node_count : weights_of };
    for (size_t i = 0; i < input_count; i++) node.inputs[i] = inputs[i];
    status = op->shape(net, &node, &net->err);
    if (status == TCS_OK) status = check_size(&node, &net->err);
    if (status != TCS_OK) return refuse(net, status);
    net->nodes[net->node_count] = node;
    return (tcsi_node_id)net->node_count++;
}

tcsi_node_id tcsi_net_add(tcsi_net *net, const tcsi_op *op, const tcsi_node_id *inputs, size_t input_count, const void *options)
{
    return add_node(net, op, inputs, input_count, options, TCSI_NODE_NONE);
}

tcsi_node_id tcsi_net_share(tcsi_net *net, tcsi_node_id node, const tcsi_node_id *inputs, size_t input_count)
{
    if (net->status != TCS_OK) return TCSI_NODE_NONE;
    TCS_ASSERT(node < net->node_count);
    const tcsi_node *owner = &net->nodes[node];
    return add_node(net, owner->op, inputs, input_count, owner->options, owner->weights_of);
}

tcsi_node_id tcsi_net_add_tied(tcsi_net *net, tcsi_node_id node, const tcsi_op *op, const tcsi_node_id *inputs, size_t input_count,
                               const void *options)
{
    if (net->status != TCS_OK) return TCSI_NODE_NONE;
    TCS_ASSERT(node < net->node_count);
    return add_node(net, op, inputs, input_count, options, net->nodes[node].weights_of);
}

/* ---- weights ---- */

/* The count of a weight's numbers, 0 when it is none or too large. */
static size_t weight_size(const tcsi_weight *weight)
{
    size_t count = 1;
    for (size_t i = 0; i < weight->dim_count; i++)
        if (!tcsi_multiply(count, weight->dims[i], &count) || count > TCSI_NET_FLOATS_MAX) return 0;
    return weight->dim_count > 0 ? count : 0;
}

/* A shared weight: the owner declared it, and it must have the same form here. */
static tcs_status share_weight(const tcsi_net *net, tcsi_node *node, const tcsi_weight *weight, tcs_error *err)
{
    const tcsi_node *owner = &net->nodes[node->weights_of];
    if (node->weight_count >= owner->weight_count)
        return tcsi_fail(err, TCS_E_INVALID, "%s: has more weights than the %s whose weights it shares", node->op->name, owner->op->name);
    size_t index = owner->weights[node->weight_count];
    const tcsi_weight *owned = &net->tensors[index];
    if (owned->dim_count != weight->dim_count || memcmp(owned->dims, weight->dims, weight->dim_count * sizeof *weight->dims) != 0)
        return tcsi_fail(err, TCS_E_INVALID, "%s: an input of another form than that of the node whose weights it shares", node->op->name);
    node->weights[node->weight_count++] = index;
    return TCS_OK;
}

tcs_status tcsi_net_weight(tcsi_net *net, tcsi_node *node, const tcsi_weight *weight, tcs_error *err)
{
    TCS_ASSERT(node->weight_count < TCSI_WEIGHT_MAX && weight->dim_count <= TCS_COUNT(weight->dims));
    if (node->weights_of < net->node_count) return share_weight(net, node, weight, err);
    size_t count = weight_size(weight), *total = weight->is_state ? &net->state_count : &net->weight_count;
    if (count == 0 || count > TCSI_NET_FLOATS_MAX - *total)
        return tcsi_fail(err, TCS_E_INVALID, "%s: weight %s is empty or larger than %zu numbers", node->op->name, weight->name,
                         TCSI_NET_FLOATS_MAX);
    if (!tcsi_grow((void **)&net->tensors, &net->tensor_capacity, net->tensor_count, sizeof *net->tensors, 16))
        return tcsi_fail_memory(err, "a network");
    tcsi_weight *own = &net->tensors[net->tensor_count];
    *own = *weight;
    int length = net->scope[0] ? snprintf(own->name, sizeof own->name, "%s.%s", net->scope, weight->name)
                               : snprintf(own->name, sizeof own->name, "%s%zu.%s", node->op->name, net->node_count, weight->name);
    if (length >= (int)sizeof own->name || tcsi_net_find(net, own->name))
        return tcsi_fail(err, TCS_E_INVALID, "%s: weight name %s is taken or too long (call tcsi_net_scope before each layer)",
                         node->op->name, own->name);
    own->count = count;
    own->offset = *total;
    own->group = net->group;
    *total += tcsi_floats_round(count);
    node->weights[node->weight_count++] = net->tensor_count++;
    return TCS_OK;
}

static void start_weight(const tcsi_net *net, size_t index)
{
    const tcsi_weight *weight = &net->tensors[index];
    float *values = tcsi_net_values(net, weight);
    tcsi_rng rng = tcsi_rng_make(net->seed, index);
    double fan = weight->fan_in > 0 ? (double)weight->fan_in : 1;
    for (size_t i = 0; i < weight->count; i++) switch (weight->start) {
        case TCSI_START_ZERO: values[i] = 0; break;
        case TCSI_START_ONE: values[i] = 1; break;
        case TCSI_START_CONSTANT: values[i] = weight->start_value; break;
        case TCSI_START_UNIFORM: values[i] = (float)(tcsi_rng_range(&rng, -1, 1) / sqrt(fan)); break;
        case TCSI_START_HE: values[i] = (float)(tcsi_rng_normal(&rng) * sqrt(2 / fan)); break;
        case TCSI_START_NORMAL: values[i] = (float)tcsi_rng_normal(&rng); break;
        }
}

void tcsi_net_start(tcsi_net *net)
{
    TCS_ASSERT(net->is_finished);
    for (size_t i = 0; i < net->tensor_count; i++) start_weight(net, i);
}

tcs_status tcsi_net_finish(tcsi_net *net, tcs_error *err)
{
    TCS_ASSERT(!net->is_finished);
    if (net->status != TCS_OK) {
        if (err) *err = net->err;
        return net->status;
    }
    if (!tcsi_floats_init(&net->weights, net->weight_count) || !tcsi_floats_init(&net->states, net->state_count))
        return tcsi_fail_memory(err, "the weights of a network");
    net->is_finished = true;
    tcsi_net_start(net);
    return TCS_OK;
}

/* ---- questions ---- */

size_t tcsi_net_size(const tcsi_net *net)
{
    enum { AROUND = 65536 }; /* options in the arena, borders */
    return sizeof *net + (net->weight_count + net->state_count) * sizeof(float) + net->node_capacity * sizeof *net->nodes +
           net->tensor_capacity * sizeof *net->tensors + AROUND;
}

const tcsi_node *tcsi_net_node(const tcsi_net *net, tcsi_node_id id)
{
    TCS_ASSERT(id < net->node_count);
    return &net->nodes[id];
}

tcsi_shape tcsi_net_shape(const tcsi_net *net, tcsi_node_id id)
{
    return net->status == TCS_OK ? tcsi_net_node(net, id)->shape : (tcsi_shape){ 0 };
}

const tcsi_weight *tcsi_net_find(const tcsi_net *net, const char *name)
{
    for (size_t i = 0; i < net->tensor_count; i++)
        if (strcmp(net->tensors[i].name, name) == 0) return &net->tensors[i];
    return NULL;
}

float *tcsi_net_values(const tcsi_net *net, const tcsi_weight *weight)
{
    TCS_ASSERT(net->is_finished);
    return (weight->is_state ? net->states.values : net->weights.values) + weight->offset;
}

size_t tcsi_net_trained_count(const tcsi_net *net)
{
    size_t count = 0;
    for (size_t i = 0; i < net->tensor_count; i++) count += net->tensors[i].is_state ? 0 : net->tensors[i].count;
    return count;
}

tcs_status tcsi_net_check_finite(const tcsi_net *net, tcs_error *err)
{
    for (size_t i = 0; i < net->tensor_count; i++) {
        const tcsi_weight *weight = &net->tensors[i];
        const float *values = tcsi_net_values(net, weight);
        for (size_t k = 0; k < weight->count; k++)
            if (!isfinite(values[k]))
                return tcsi_fail(err, TCS_E_INVALID, "number %zu of weight '%s' is %s, expected a finite float", k, weight->name,
                                 isnan(values[k]) ? "not a number" : "infinite");
    }
    return TCS_OK;
}

void tcsi_net_copy(const tcsi_net *from, tcsi_net *to)
{
    TCS_ASSERT(from->weight_count == to->weight_count && from->state_count == to->state_count);
    if (from == to) return;
    memcpy(to->weights.values, from->weights.values, from->weight_count * sizeof(float));
    memcpy(to->states.values, from->states.values, from->state_count * sizeof(float));
}

void tcsi_net_persist(tcsi_net *net, tcsi_codec *codec)
{
    tcsi_codec_f32s(codec, net->weights.values, net->weight_count);
    tcsi_codec_f32s(codec, net->states.values, net->state_count);
    if (tcsi_codec_loading(codec) && tcsi_codec_status(codec) == TCS_OK && tcsi_net_check_finite(net, NULL) != TCS_OK)
        tcsi_codec_refuse(codec, "a weight that is not finite");
}
