/* nn/onnx.c -- builds ONNX models (onnx.h says how they are composed).
 *
 * A ModelProto holds one GraphProto, which holds nodes, constants ("initializers"), inputs and outputs, in any order but that a value
 * stands before who uses it.  So they are appended to the open graph message as they come, and nothing is kept but names.
 *
 * Swapped values: a value and its transposed twin know each other, and the twin has no name until somebody asks for it; then the
 * Transpose is written.  SPDX-License-Identifier: Apache-2.0 */
#include "nn/onnx.h"

#include "base/alloc.h"
#include "base/arena.h"
#include "base/file.h"
#include "base/protobuf_write.h"
#include "nn/op.h"
#include "tocsin_config.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { SCOPE_SIZE = 64, NAME_SIZE = 160 };

/* onnx.proto: message and field. */
enum {
    MODEL_IR_VERSION = 1, MODEL_PRODUCER = 2, MODEL_PRODUCER_VERSION = 3, MODEL_GRAPH = 7, MODEL_OPSET = 8, MODEL_NOTE = 14,
    OPSET_VERSION = 2, NOTE_KEY = 1, NOTE_TEXT = 2,
    GRAPH_NODE = 1, GRAPH_NAME = 2, GRAPH_CONSTANT = 5, GRAPH_INPUT = 11, GRAPH_OUTPUT = 12,
    NODE_INPUT = 1, NODE_OUTPUT = 2, NODE_NAME = 3, NODE_OP = 4, NODE_ATTRIBUTE = 5,
    ATTRIBUTE_NAME = 1, ATTRIBUTE_NUMBER = 2, ATTRIBUTE_INTEGER = 3, ATTRIBUTE_TEXT = 4, ATTRIBUTE_INTEGERS = 8, ATTRIBUTE_TYPE = 20,
    TENSOR_DIM = 1, TENSOR_TYPE = 2, TENSOR_NAME = 8, TENSOR_RAW = 9,
    PORT_NAME = 1, PORT_TYPE = 2, TYPE_TENSOR = 1, TYPE_ELEMENT = 1, TYPE_SHAPE = 2, SHAPE_DIM = 1, DIM_VALUE = 1, DIM_NAME = 2,
};
enum { ATTRIBUTE_IS_NUMBER = 1, ATTRIBUTE_IS_INTEGER = 2, ATTRIBUTE_IS_TEXT = 3, ATTRIBUTE_IS_INTEGERS = 7 };

typedef struct value {
    const char *name; /* NULL: the twin of another, not used so far */
    uint32_t twin;    /* swapped; 0: nobody has asked */
} value;

/* The constant that holds a weight as an operation wants it, or as it stands. */
typedef struct constant {
    size_t weight;        /* the net's */
    const tcsi_op *form;  /* NULL: as it stands */
    tcsi_onnx_value value;
} constant;

typedef struct text_list {
    const char **texts;
    size_t count, capacity;
} text_list;

struct tcsi_onnx {
    tcsi_buffer *out;
    size_t out_begin;
    tcsi_protobuf_writer writer;
    tcsi_arena arena;              /* names, and what operations rearrange */
    value *values;                 /* id - 1 */
    size_t value_count, value_capacity;
    unsigned name_count, net_count;
    text_list ports, notes;        /* notes: key, text, key, text, ... */
    char scope[SCOPE_SIZE];
    const tcsi_net *net;           /* being exported */
    tcsi_onnx_value *of_nodes;
    constant *constants;           /* of its weights */
    size_t constant_count, constant_capacity;
    bool is_finished;
    tcs_status status;
    tcs_error err;
};

static const tcsi_onnx_value none = { 0 };

/* ---- errors and names ---- */

/* The first one sticks. */
static tcsi_onnx_value fail(tcsi_onnx *onnx, tcs_status status)
{
    if (onnx->status == TCS_OK) onnx->status = status;
    return none;
}

static tcsi_onnx_value fail_memory(tcsi_onnx *onnx)
{
    return onnx->status == TCS_OK ? fail(onnx, tcsi_fail_memory(&onnx->err, "an ONNX model")) : none;
}

static bool keep_text(tcsi_onnx *onnx, text_list *list, const char *text)
{
    char *copy = tcsi_arena_strndup(&onnx->arena, text, strlen(text));
    if (!copy || !tcsi_grow((void **)&list->texts, &list->capacity, list->count, sizeof *list->texts, 64)) return false;
    list->texts[list->count++] = copy;
    return true;
}

/* Is it one of every step-th of them? */
static bool is_kept(const text_list *list, size_t step, const char *text)
{
    size_t i = 0;
    while (i < list->count && strcmp(list->texts[i], text) != 0) i += step;
    return i < list->count;
}

static tcsi_onnx_value new_value(tcsi_onnx *onnx, const char *name, uint32_t twin)
{
    if (!tcsi_grow((void **)&onnx->values, &onnx->value_capacity, onnx->value_count, sizeof *onnx->values, 64)) return fail_memory(onnx);
    onnx->values[onnx->value_count++] = (value){ name, twin };
    return (tcsi_onnx_value){ (uint32_t)onnx->value_count };
}

/* "dense3/MatMul_7"; NULL after an error. */
static const char *new_name(tcsi_onnx *onnx, const char *op)
{
    char text[NAME_SIZE];
    int length = snprintf(text, sizeof text, "%s/%s_%u", onnx->scope, op, ++onnx->name_count);
    TCS_ASSERT(length < NAME_SIZE);
    const char *name = tcsi_arena_strndup(&onnx->arena, text, (size_t)length);
    if (!name) (void)fail_memory(onnx);
    return name;
}

static bool is_identifier(const char *name)
{
    for (const char *c = name; *c; c++)
        if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || *c == '_' || (*c >= '0' && *c <= '9' && c > name))) return false;
    return *name != 0;
}

/* Identifiers have neither a point, as weights do, nor a stroke, as all other values do. */
static bool take_port_name(tcsi_onnx *onnx, const char *name)
{
    if (onnx->status != TCS_OK) return false;
    if (!is_identifier(name))
        (void)fail(onnx, tcsi_fail(&onnx->err, TCS_E_INVALID, "'%s' cannot name an input or output of an ONNX model, expected an "
                                   "identifier such as score_1", name));
    else if (is_kept(&onnx->ports, 1, name))
        (void)fail(onnx, tcsi_fail(&onnx->err, TCS_E_INVALID, "two inputs or outputs of an ONNX model are called '%s'", name));
    if (onnx->status == TCS_OK && !keep_text(onnx, &onnx->ports, name)) (void)fail_memory(onnx);
    return onnx->status == TCS_OK;
}

/* ---- nodes ---- */

static void write_attribute(tcsi_protobuf_writer *writer, const tcsi_onnx_attribute *attribute)
{
    tcsi_protobuf_begin(writer, NODE_ATTRIBUTE);
    tcsi_protobuf_text(writer, ATTRIBUTE_NAME, attribute->name);
    switch (attribute->kind) {
    case TCSI_ONNX_IS_INTEGER:
        tcsi_protobuf_integer(writer, ATTRIBUTE_INTEGER, attribute->integers[0]);
        tcsi_protobuf_integer(writer, ATTRIBUTE_TYPE, ATTRIBUTE_IS_INTEGER);
        break;
    case TCSI_ONNX_IS_INTEGERS:
        for (size_t i = 0; i < attribute->count; i++) tcsi_protobuf_integer(writer, ATTRIBUTE_INTEGERS, attribute->integers[i]);
        tcsi_protobuf_integer(writer, ATTRIBUTE_TYPE, ATTRIBUTE_IS_INTEGERS);
        break;
    case TCSI_ONNX_IS_NUMBER:
        tcsi_protobuf_float(writer, ATTRIBUTE_NUMBER, attribute->number);
        tcsi_protobuf_integer(writer, ATTRIBUTE_TYPE, ATTRIBUTE_IS_NUMBER);
        break;
    case TCSI_ONNX_IS_TEXT:
        tcsi_protobuf_text(writer, ATTRIBUTE_TEXT, attribute->text);
        tcsi_protobuf_integer(writer, ATTRIBUTE_TYPE, ATTRIBUTE_IS_TEXT);
        break;
    }
    tcsi_protobuf_end(writer);
}

static const char *name_of(tcsi_onnx *onnx, tcsi_onnx_value asked);

static void write_node(tcsi_onnx *onnx, const tcsi_onnx_call *call, const char *name)
{
    const char *inputs[TCSI_ONNX_INPUT_MAX];
    size_t input_count = 0;
    for (size_t i = 0; i < TCSI_ONNX_INPUT_MAX; i++) {
        inputs[i] = name_of(onnx, call->inputs[i]);
        if (!inputs[i]) return;
        if (call->inputs[i].id) input_count = i + 1;
    }
    tcsi_protobuf_begin(&onnx->writer, GRAPH_NODE);
    for (size_t i = 0; i < input_count; i++) tcsi_protobuf_text(&onnx->writer, NODE_INPUT, inputs[i]);
    tcsi_protobuf_text(&onnx->writer, NODE_OUTPUT, name);
    tcsi_protobuf_text(&onnx->writer, NODE_NAME, name);
    tcsi_protobuf_text(&onnx->writer, NODE_OP, call->op);
    for (size_t i = 0; i < TCSI_ONNX_ATTRIBUTE_MAX; i++)
        if (call->attributes[i].name) write_attribute(&onnx->writer, &call->attributes[i]);
    tcsi_protobuf_end(&onnx->writer);
}

/* "" for none; NULL after an error. */
static const char *name_of(tcsi_onnx *onnx, tcsi_onnx_value asked)
{
    if (asked.id == 0) return "";
    TCS_ASSERT(asked.id <= onnx->value_count);
    value *own = &onnx->values[asked.id - 1];
    if (!own->name) {
        own->name = new_name(onnx, "Transpose");
        tcsi_onnx_call call = { "Transpose", { { own->twin } }, { TCSI_ONNX_INTEGERS("perm", 0, 2, 1) } };
        if (own->name) write_node(onnx, &call, own->name);
    }
    return own->name;
}

tcsi_onnx_value tcsi_onnx_add(tcsi_onnx *onnx, const tcsi_onnx_call *call)
{
    if (onnx->status != TCS_OK) return none;
    const char *name = new_name(onnx, call->op);
    if (!name) return none;
    write_node(onnx, call, name);
    return onnx->status == TCS_OK ? new_value(onnx, name, 0) : none;
}

tcsi_onnx_value tcsi_onnx_of(tcsi_onnx *onnx, const char *op, tcsi_onnx_value a)
{
    return tcsi_onnx_add(onnx, &(tcsi_onnx_call){ op, { a } });
}

tcsi_onnx_value tcsi_onnx_of_two(tcsi_onnx *onnx, const char *op, tcsi_onnx_value a, tcsi_onnx_value b)
{
    return tcsi_onnx_add(onnx, &(tcsi_onnx_call){ op, { a, b } });
}

tcsi_onnx_value tcsi_onnx_activate(tcsi_onnx *onnx, tcsi_activation activation, tcsi_onnx_value x)
{
    static const char *const ops[TCSI_ACTIVATION_COUNT] = {
        [TCSI_ACTIVATION_RELU] = "Relu", [TCSI_ACTIVATION_SIGMOID] = "Sigmoid", [TCSI_ACTIVATION_TANH] = "Tanh",
        [TCSI_ACTIVATION_SOFTPLUS] = "Softplus",
    };
    return ops[activation] ? tcsi_onnx_of(onnx, ops[activation], x) : x;
}

tcsi_onnx_value tcsi_onnx_swap(tcsi_onnx *onnx, tcsi_onnx_value x)
{
    if (onnx->status != TCS_OK) return none;
    TCS_ASSERT(x.id != 0);
    uint32_t twin = onnx->values[x.id - 1].twin;
    if (twin == 0) {
        twin = new_value(onnx, NULL, x.id).id;
        if (twin) onnx->values[x.id - 1].twin = twin;
    }
    return (tcsi_onnx_value){ twin };
}

/* ---- constants ---- */

static void begin_constant(tcsi_protobuf_writer *writer, const char *name, tcsi_onnx_type type, const size_t *dims, size_t dim_count)
{
    tcsi_protobuf_begin(writer, GRAPH_CONSTANT);
    for (size_t i = 0; i < dim_count; i++) tcsi_protobuf_integer(writer, TENSOR_DIM, (int64_t)dims[i]);
    tcsi_protobuf_integer(writer, TENSOR_TYPE, type);
    tcsi_protobuf_text(writer, TENSOR_NAME, name);
}

static tcsi_onnx_value add_floats(tcsi_onnx *onnx, const char *name, const float *values, const size_t *dims, size_t dim_count)
{
    size_t count = 1;
    if (onnx->status != TCS_OK || !name) return none;
    for (size_t i = 0; i < dim_count; i++) count *= dims[i]; /* of numbers in memory: cannot overflow */
    begin_constant(&onnx->writer, name, TCSI_ONNX_FLOAT, dims, dim_count);
    tcsi_protobuf_raw_floats(&onnx->writer, TENSOR_RAW, values, count);
    tcsi_protobuf_end(&onnx->writer);
    return new_value(onnx, name, 0);
}

tcsi_onnx_value tcsi_onnx_floats(tcsi_onnx *onnx, const float *values, const size_t *dims, size_t dim_count)
{
    return onnx->status == TCS_OK ? add_floats(onnx, new_name(onnx, "floats"), values, dims, dim_count) : none;
}

tcsi_onnx_value tcsi_onnx_number(tcsi_onnx *onnx, float number)
{
    return onnx->status == TCS_OK ? add_floats(onnx, new_name(onnx, "number"), &number, NULL, 0) : none;
}

tcsi_onnx_value tcsi_onnx_integers(tcsi_onnx *onnx, const int64_t *values, size_t count)
{
    const char *name = onnx->status == TCS_OK ? new_name(onnx, "integers") : NULL;
    if (!name) return none;
    begin_constant(&onnx->writer, name, TCSI_ONNX_INT64, &count, 1);
    tcsi_protobuf_raw_integers(&onnx->writer, TENSOR_RAW, values, count);
    tcsi_protobuf_end(&onnx->writer);
    return new_value(onnx, name, 0);
}

tcsi_onnx_value tcsi_onnx_slice(tcsi_onnx *onnx, tcsi_onnx_value x, int64_t axis, size_t begin, size_t end)
{
    tcsi_onnx_call call = { "Slice", { x } };
    call.inputs[1] = tcsi_onnx_integers(onnx, (const int64_t[]){ (int64_t)begin }, 1);
    call.inputs[2] = tcsi_onnx_integers(onnx, (const int64_t[]){ (int64_t)end }, 1);
    call.inputs[3] = tcsi_onnx_integers(onnx, &axis, 1);
    return tcsi_onnx_add(onnx, &call);
}

tcsi_onnx_value tcsi_onnx_reshape(tcsi_onnx *onnx, tcsi_onnx_value x, const size_t *dims, size_t dim_count)
{
    int64_t form[TCSI_ONNX_DIM_MAX];
    TCS_ASSERT(dim_count <= TCSI_ONNX_DIM_MAX);
    for (size_t i = 0; i < dim_count; i++) form[i] = (int64_t)dims[i];
    return tcsi_onnx_of_two(onnx, "Reshape", x, tcsi_onnx_integers(onnx, form, dim_count));
}

tcsi_onnx_value tcsi_onnx_clip(tcsi_onnx *onnx, tcsi_onnx_value x, float low, float high)
{
    tcsi_onnx_call call = { "Clip", { x } };
    call.inputs[1] = tcsi_onnx_number(onnx, low);
    call.inputs[2] = tcsi_onnx_number(onnx, high);
    return tcsi_onnx_add(onnx, &call);
}

tcsi_onnx_value tcsi_onnx_row_sum(tcsi_onnx *onnx, tcsi_onnx_value x)
{
    return tcsi_onnx_of_two(onnx, "ReduceSum", x, tcsi_onnx_integers(onnx, (const int64_t[]){ 1, 2 }, 2));
}

tcsi_onnx_value tcsi_onnx_mean_known(tcsi_onnx *onnx, tcsi_onnx_value x, tcsi_onnx_value target)
{
    tcsi_onnx_value is_known = tcsi_onnx_of(onnx, "Not", tcsi_onnx_of(onnx, "IsNaN", target));
    x = tcsi_onnx_add(onnx, &(tcsi_onnx_call){ "Where", { is_known, x, tcsi_onnx_number(onnx, 0) } });
    tcsi_onnx_value sum = tcsi_onnx_row_sum(onnx, x);
    tcsi_onnx_call cast = { "Cast", { is_known }, { TCSI_ONNX_INTEGER("to", TCSI_ONNX_FLOAT) } };
    tcsi_onnx_value count = tcsi_onnx_row_sum(onnx, tcsi_onnx_add(onnx, &cast));
    return tcsi_onnx_of_two(onnx, "Div", sum, tcsi_onnx_of_two(onnx, "Max", count, tcsi_onnx_number(onnx, 1)));
}

/* ---- inputs and outputs ---- */

static void write_port(tcsi_protobuf_writer *writer, unsigned field, const tcsi_onnx_port *port)
{
    tcsi_protobuf_begin(writer, field);
    tcsi_protobuf_text(writer, PORT_NAME, port->name);
    tcsi_protobuf_begin(writer, PORT_TYPE);
    tcsi_protobuf_begin(writer, TYPE_TENSOR);
    tcsi_protobuf_integer(writer, TYPE_ELEMENT, port->type ? port->type : TCSI_ONNX_FLOAT);
    tcsi_protobuf_begin(writer, TYPE_SHAPE);
    for (size_t i = 0; i < port->dim_count; i++) {
        tcsi_protobuf_begin(writer, SHAPE_DIM);
        if (port->dims[i] == TCSI_ONNX_BATCH) tcsi_protobuf_text(writer, DIM_NAME, "batch");
        else tcsi_protobuf_integer(writer, DIM_VALUE, (int64_t)port->dims[i]);
        tcsi_protobuf_end(writer);
    }
    for (size_t level = 0; level < 4; level++) tcsi_protobuf_end(writer);
}

tcsi_onnx_value tcsi_onnx_input(tcsi_onnx *onnx, const tcsi_onnx_port *port)
{
    if (!take_port_name(onnx, port->name)) return none;
    write_port(&onnx->writer, GRAPH_INPUT, port);
    return new_value(onnx, onnx->ports.texts[onnx->ports.count - 1], 0);
}

void tcsi_onnx_output(tcsi_onnx *onnx, const tcsi_onnx_port *port, tcsi_onnx_value given)
{
    if (!take_port_name(onnx, port->name)) return;
    TCS_ASSERT(given.id != 0);
    write_node(onnx, &(tcsi_onnx_call){ "Identity", { given } }, port->name); /* a value has one name; this gives it the caller's */
    write_port(&onnx->writer, GRAPH_OUTPUT, port);
}

void tcsi_onnx_note(tcsi_onnx *onnx, const char *key, const char *text)
{
    if (onnx->status == TCS_OK && is_kept(&onnx->notes, 2, key))
        (void)fail(onnx, tcsi_fail(&onnx->err, TCS_E_INVALID, "a second note '%s' in an ONNX model", key));
    if (onnx->status == TCS_OK && !(keep_text(onnx, &onnx->notes, key) && keep_text(onnx, &onnx->notes, text))) (void)fail_memory(onnx);
}

void tcsi_onnx_scope(tcsi_onnx *onnx, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(onnx->scope, sizeof onnx->scope, format, arguments);
    va_end(arguments);
}

/* ---- a net ---- */

tcsi_onnx_value tcsi_onnx_input_of(tcsi_onnx *onnx, const tcsi_node *node, size_t i)
{
    TCS_ASSERT(i < node->input_count);
    return onnx->of_nodes[node->inputs[i]];
}

/* The first form of a weight has the weight's own name. */
static const char *weight_name(tcsi_onnx *onnx, size_t index, const tcsi_op *form)
{
    char text[NAME_SIZE], net[32] = "";
    bool is_first = true;
    for (size_t i = 0; i < onnx->constant_count; i++) is_first &= onnx->constants[i].weight != index;
    if (onnx->net_count > 1) snprintf(net, sizeof net, "net%u/", onnx->net_count);
    int length = snprintf(text, sizeof text, "%s%s%s%.40s", net, onnx->net->tensors[index].name, is_first ? "" : "/",
                          is_first ? "" : form ? form->name : "as_it_stands");
    return tcsi_arena_strndup(&onnx->arena, text, (size_t)length);
}

static tcsi_onnx_value weight_in_form(tcsi_onnx *onnx, const tcsi_node *node, size_t i, const tcsi_op *form, const float *values,
                                      const size_t *dims, size_t dim_count)
{
    TCS_ASSERT(i < node->weight_count);
    size_t index = node->weights[i];
    if (onnx->status != TCS_OK) return none;
    for (size_t k = 0; k < onnx->constant_count; k++)
        if (onnx->constants[k].weight == index && onnx->constants[k].form == form) return onnx->constants[k].value;
    const char *name = weight_name(onnx, index, form);
    if (!name || !tcsi_grow((void **)&onnx->constants, &onnx->constant_capacity, onnx->constant_count, sizeof *onnx->constants, 64))
        return fail_memory(onnx);
    tcsi_onnx_value added = add_floats(onnx, name, values, dims, dim_count);
    onnx->constants[onnx->constant_count++] = (constant){ index, form, added };
    return added;
}

tcsi_onnx_value tcsi_onnx_weight_of(tcsi_onnx *onnx, const tcsi_node *node, size_t i)
{
    const tcsi_weight *weight = &onnx->net->tensors[node->weights[i]];
    return weight_in_form(onnx, node, i, NULL, tcsi_net_values(onnx->net, weight), weight->dims, weight->dim_count);
}

tcsi_onnx_value tcsi_onnx_weight_as(tcsi_onnx *onnx, const tcsi_node *node, size_t i, const float *values, const size_t *dims,
                                    size_t dim_count)
{
    return weight_in_form(onnx, node, i, node->op, values, dims, dim_count);
}

float *tcsi_onnx_scratch(tcsi_onnx *onnx, size_t count)
{
    float *values = onnx->status == TCS_OK ? TCSI_ARENA_NEW(&onnx->arena, float, count) : NULL;
    if (!values) (void)fail_memory(onnx);
    return values;
}

tcsi_onnx_value tcsi_onnx_refuse(tcsi_onnx *onnx, const tcsi_node *node, const char *format, ...)
{
    char text[TCS_ERROR_TEXT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (onnx->status != TCS_OK) return none;
    return fail(onnx, tcsi_fail(&onnx->err, TCS_E_UNSUPPORTED, "%s cannot be exported as ONNX: %s", node->op->name, text));
}

static tcs_status mark_needed(const tcsi_net *net, const tcsi_node_id *outputs, size_t output_count, bool *needed, tcs_error *err)
{
    memset(needed, 0, net->node_count * sizeof *needed);
    for (size_t i = 0; i < output_count; i++) {
        if (outputs[i] >= net->node_count) return tcsi_fail(err, TCS_E_INVALID, "output %zu of an ONNX model is no node of the net", i);
        needed[outputs[i]] = true;
    }
    for (size_t n = net->node_count; n-- > 0;)
        for (size_t i = 0; i < net->nodes[n].input_count && needed[n]; i++) needed[net->nodes[n].inputs[i]] = true;
    return TCS_OK;
}

static tcsi_onnx_value *new_values(tcsi_onnx *onnx, size_t count)
{
    tcsi_onnx_value *values = TCSI_ARENA_NEW(&onnx->arena, tcsi_onnx_value, count + 1);
    if (values) memset(values, 0, (count + 1) * sizeof *values);
    return values;
}

static void export_node(tcsi_onnx *onnx, size_t n)
{
    const tcsi_node *node = &onnx->net->nodes[n];
    tcsi_onnx_scope(onnx, "%.40s%zu", node->op->name, n);
    if (!node->op->onnx && (node->op->traits & TCSI_OP_LOSS))
        (void)tcsi_onnx_refuse(onnx, node, "it is there for training (choose what it is computed from)");
    else if (!node->op->onnx) (void)tcsi_onnx_refuse(onnx, node, "the operation has no form in it");
    else onnx->of_nodes[n] = node->op->onnx(onnx->net, node, onnx);
    TCS_ASSERT(onnx->of_nodes[n].id != 0 || onnx->status != TCS_OK);
}

static void export_nodes(tcsi_onnx *onnx, const tcsi_onnx_value *inputs, const bool *needed)
{
    size_t input_count = 0;
    for (size_t n = 0; n < onnx->net->node_count && onnx->status == TCS_OK; n++) {
        bool is_input = (onnx->net->nodes[n].op->traits & TCSI_OP_INPUT) != 0;
        if (is_input) onnx->of_nodes[n] = inputs[input_count++];
        if (!needed[n]) continue;
        if (!is_input) export_node(onnx, n);
        else if (onnx->of_nodes[n].id == 0)
            (void)fail(onnx, tcsi_fail(&onnx->err, TCS_E_INVALID, "input %zu of the net is needed, but the ONNX graph has no value for it",
                                       input_count - 1));
    }
}

void tcsi_onnx_net(tcsi_onnx *onnx, const tcsi_net *net, const tcsi_onnx_value *inputs, const tcsi_node_id *outputs, size_t output_count,
                   tcsi_onnx_value *ret_values)
{
    char scope[SCOPE_SIZE];
    TCS_ASSERT(net->is_finished);
    memset(ret_values, 0, output_count * sizeof *ret_values);
    if (onnx->status != TCS_OK) return;
    memcpy(scope, onnx->scope, sizeof scope);
    onnx->net = net;
    onnx->net_count++;
    onnx->of_nodes = new_values(onnx, net->node_count);
    onnx->constant_count = 0;
    bool *needed = TCSI_ARENA_NEW(&onnx->arena, bool, net->node_count + 1);
    if (!onnx->of_nodes || !needed) (void)fail_memory(onnx);
    if (onnx->status == TCS_OK) onnx->status = tcsi_net_check_finite(net, &onnx->err);
    if (onnx->status == TCS_OK) onnx->status = mark_needed(net, outputs, output_count, needed, &onnx->err);
    if (onnx->status == TCS_OK) export_nodes(onnx, inputs, needed);
    for (size_t i = 0; i < output_count && onnx->status == TCS_OK; i++) ret_values[i] = onnx->of_nodes[outputs[i]];
    memcpy(onnx->scope, scope, sizeof scope);
}

/* ---- a model ---- */

tcs_status tcsi_onnx_create(tcsi_buffer *out, tcsi_onnx **ret_onnx, tcs_error *err)
{
    tcsi_onnx *onnx = TCSI_NEW(tcsi_onnx);
    if (!onnx) return tcsi_fail_memory(err, "an ONNX model");
    onnx->out = out;
    onnx->out_begin = out->size;
    tcsi_arena_init(&onnx->arena, 0);
    tcsi_onnx_scope(onnx, "graph");
    tcsi_protobuf_writer *writer = &onnx->writer;
    tcsi_protobuf_writer_init(writer, out);
    tcsi_protobuf_integer(writer, MODEL_IR_VERSION, TCSI_ONNX_IR_VERSION);
    tcsi_protobuf_text(writer, MODEL_PRODUCER, "tocsin");
    tcsi_protobuf_text(writer, MODEL_PRODUCER_VERSION, TCSI_VERSION);
    tcsi_protobuf_begin(writer, MODEL_OPSET);
    tcsi_protobuf_integer(writer, OPSET_VERSION, TCSI_ONNX_OPSET);
    tcsi_protobuf_end(writer);
    tcsi_protobuf_begin(writer, MODEL_GRAPH);
    tcsi_protobuf_text(writer, GRAPH_NAME, "tocsin");
    *ret_onnx = onnx;
    return TCS_OK;
}

static void take_back(tcsi_onnx *onnx)
{
    onnx->out->size = onnx->out_begin;
    if (onnx->out->data) onnx->out->data[onnx->out_begin] = 0;
}

tcs_status tcsi_onnx_finish(tcsi_onnx *onnx, tcs_error *err)
{
    TCS_ASSERT(!onnx->is_finished);
    onnx->is_finished = true;
    tcs_status status = onnx->status;
    if (status != TCS_OK && err) *err = onnx->err;
    if (status == TCS_OK) {
        tcsi_protobuf_end(&onnx->writer);
        for (size_t i = 0; i < onnx->notes.count; i += 2) {
            tcsi_protobuf_begin(&onnx->writer, MODEL_NOTE);
            tcsi_protobuf_text(&onnx->writer, NOTE_KEY, onnx->notes.texts[i]);
            tcsi_protobuf_text(&onnx->writer, NOTE_TEXT, onnx->notes.texts[i + 1]);
            tcsi_protobuf_end(&onnx->writer);
        }
        status = tcsi_protobuf_finish(&onnx->writer, err);
    }
    size_t size = onnx->out->size - onnx->out_begin;
    if (status == TCS_OK && size > INT32_MAX)
        status = tcsi_fail(err, TCS_E_LIMIT, "an ONNX model of %zu bytes, at most %d fit into its format", size, INT32_MAX);
    if (status != TCS_OK) take_back(onnx);
    return status;
}

void tcsi_onnx_destroy(tcsi_onnx *onnx)
{
    if (!onnx) return;
    if (!onnx->is_finished) take_back(onnx);
    tcsi_arena_deinit(&onnx->arena);
    tcsi_free(onnx->ports.texts);
    tcsi_free(onnx->notes.texts);
    tcsi_free(onnx->values);
    tcsi_free(onnx->constants);
    tcsi_free(onnx);
}

/* ---- a net alone ---- */

static tcsi_onnx_port port_of(tcsi_shape shape, const char *const *names, size_t index, const char *otherwise, char *text, size_t text_size)
{
    snprintf(text, text_size, "%s%zu", otherwise, index);
    return (tcsi_onnx_port){ names ? names[index] : text, { TCSI_ONNX_BATCH, shape.length, shape.channels }, 3, TCSI_ONNX_FLOAT };
}

/* An input of the model for every input node that the outputs need. */
static void add_inputs(tcsi_onnx *onnx, const tcsi_onnx_options *options, const bool *needed, tcsi_onnx_value *ret_inputs)
{
    size_t count = 0;
    for (size_t n = 0; n < options->net->node_count; n++) {
        char text[32];
        const tcsi_node *node = &options->net->nodes[n];
        if (!(node->op->traits & TCSI_OP_INPUT)) continue;
        if (needed[n]) {
            tcsi_onnx_port port = port_of(node->shape, options->input_names, count, "input", text, sizeof text);
            ret_inputs[count] = tcsi_onnx_input(onnx, &port);
        }
        count++;
    }
}

static tcs_status add_all(tcsi_onnx *onnx, const tcsi_onnx_options *options)
{
    size_t node_count = options->net->node_count;
    tcsi_onnx_value *inputs = new_values(onnx, node_count), *outputs = new_values(onnx, options->output_count);
    bool *needed = TCSI_ARENA_NEW(&onnx->arena, bool, node_count + 1);
    if (!inputs || !outputs || !needed) return tcsi_fail_memory(&onnx->err, "an ONNX model");
    tcs_status status = mark_needed(options->net, options->outputs, options->output_count, needed, &onnx->err);
    if (status != TCS_OK) return status;
    add_inputs(onnx, options, needed, inputs);
    tcsi_onnx_net(onnx, options->net, inputs, options->outputs, options->output_count, outputs);
    for (size_t i = 0; i < options->output_count; i++) {
        char text[32];
        tcsi_shape shape = tcsi_net_shape(options->net, options->outputs[i]);
        tcsi_onnx_port port = port_of(shape, options->output_names, i, "output", text, sizeof text);
        tcsi_onnx_output(onnx, &port, outputs[i]);
    }
    return onnx->status;
}

tcs_status tcsi_onnx_save(const tcsi_onnx_options *options, tcsi_buffer *out, tcs_error *err)
{
    tcsi_onnx *onnx;
    tcs_status status = tcsi_onnx_create(out, &onnx, err);
    if (status != TCS_OK) return status;
    onnx->status = add_all(onnx, options);
    status = tcsi_onnx_finish(onnx, err);
    tcsi_onnx_destroy(onnx);
    return status;
}

tcs_status tcsi_onnx_write(const tcsi_onnx_options *options, const char *path, tcs_error *err)
{
    tcsi_buffer bytes;
    tcsi_buffer_init(&bytes, INT32_MAX);
    tcs_status status = tcsi_onnx_save(options, &bytes, err);
    if (status != TCS_OK) tcsi_fail_prefix(err, "%s", path);
    else status = tcsi_file_write(path, bytes.data, bytes.size, err);
    tcsi_buffer_deinit(&bytes);
    return status;
}
