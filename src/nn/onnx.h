/* nn/onnx.h -- writes nets as ONNX models (https://onnx.ai/onnx/repo-docs/IR.html): opset 17, IR version 8, any batch size.
 *
 * A model is written as it is built: every call appends one node or constant, and gives the value that it makes.  So a net can be exported
 * alone (tcsi_onnx_save), or stand between other nodes of the same graph: create, input, nodes, tcsi_onnx_net, nodes, output, finish.
 * Each operation exports itself, by the slot `onnx` of its row (nn/op.h), as what it is in scoring: batch norm with its running
 * statistics, dropout not at all.  A value stands as (B,T,C) unless somebody swaps it.
 *
 * The first error sticks: later calls do nothing and give no value, and finish says what it was.
 *
 * Names: inputs and outputs have the caller's, which are identifiers; constants from weights have the weight's ("encoder.0.weight"); all
 * other values are called after node and operation ("dense3/MatMul_7").  Weights must be finite.  The same graph gives the same bytes.
 *
 * The bytes are made by base/protobuf_write.h; field numbers are those of onnx.proto.  Threads: one caller per model; the net is only
 * read. */
#ifndef TCS_NN_ONNX_H
#define TCS_NN_ONNX_H

#include "base/buffer.h"
#include "kernels/activation.h"
#include "nn/net.h"

enum { TCSI_ONNX_OPSET = 17, TCSI_ONNX_IR_VERSION = 8, TCSI_ONNX_INPUT_MAX = 6, TCSI_ONNX_ATTRIBUTE_MAX = 6, TCSI_ONNX_DIM_MAX = 6 };

typedef struct tcsi_onnx tcsi_onnx;

/* A value of the graph; zeroed: none, such as an input left out. */
typedef struct tcsi_onnx_value {
    uint32_t id;
} tcsi_onnx_value;

/* ---- a net alone ---- */

typedef struct tcsi_onnx_options {
    const tcsi_net *net;              /* finished */
    const tcsi_node_id *outputs;      /* nodes whose values the model gives; what they do not need is not exported */
    size_t output_count;
    const char *const *input_names;   /* of the net's inputs, in the order they were added; NULL: "input0", "input1", ... */
    const char *const *output_names;  /* NULL: "output0", ... */
} tcsi_onnx_options;

/* Appends the model to out, which stays as it was on failure.  E_INVALID: an output that is no node, a name that is no identifier or used
 * twice, a weight that is not finite; E_UNSUPPORTED: an operation without ONNX form; E_LIMIT: more than 2 GiB; E_MEMORY. */
tcs_status tcsi_onnx_save(const tcsi_onnx_options *options, tcsi_buffer *out, tcs_error *err) TCS_WARN_UNUSED;
/* The same as a file, which is replaced whole or not at all. */
tcs_status tcsi_onnx_write(const tcsi_onnx_options *options, const char *path, tcs_error *err) TCS_WARN_UNUSED;

/* ---- a graph, piece by piece ---- */

typedef enum tcsi_onnx_type { TCSI_ONNX_FLOAT = 1, TCSI_ONNX_INT64 = 7, TCSI_ONNX_BOOL = 9 } tcsi_onnx_type; /* onnx.proto's numbers */

#define TCSI_ONNX_BATCH 0 /* the dimension that is known when the model runs */

typedef struct tcsi_onnx_port {
    const char *name;
    size_t dims[TCSI_ONNX_DIM_MAX], dim_count; /* TCSI_ONNX_BATCH among them */
    tcsi_onnx_type type;                       /* zeroed: FLOAT */
} tcsi_onnx_port;

/* The model is appended to out, which nobody else may touch until finish or destroy. */
tcs_status tcsi_onnx_create(tcsi_buffer *out, tcsi_onnx **ret_onnx, tcs_error *err) TCS_WARN_UNUSED;
/* Completes the model, or says what went wrong first; then out is as it was. */
tcs_status tcsi_onnx_finish(tcsi_onnx *onnx, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_onnx_destroy(tcsi_onnx *onnx); /* accepts NULL; without finish, out is as it was */

tcsi_onnx_value tcsi_onnx_input(tcsi_onnx *onnx, const tcsi_onnx_port *port);
void tcsi_onnx_output(tcsi_onnx *onnx, const tcsi_onnx_port *port, tcsi_onnx_value value);
/* A text that travels with the model, in its metadata. */
void tcsi_onnx_note(tcsi_onnx *onnx, const char *key, const char *text);
/* The following nodes are called after this. */
void tcsi_onnx_scope(tcsi_onnx *onnx, const char *format, ...) TCS_PRINTF(2, 3);

/* Appends what the outputs need of a net.  inputs: a (B,T,C) value for each of the net's input nodes, in order; none for one that is not
 * needed.  ret_values: (output_count), (B,T,C). */
void tcsi_onnx_net(tcsi_onnx *onnx, const tcsi_net *net, const tcsi_onnx_value *inputs, const tcsi_node_id *outputs, size_t output_count,
                   tcsi_onnx_value *ret_values);

/* ---- nodes and constants ----
 *
 * C evaluates the arguments of a call in any order, so let at most one of them append something: then every compiler writes the same
 * bytes. */

typedef struct tcsi_onnx_attribute {
    const char *name; /* NULL: no attribute */
    enum { TCSI_ONNX_IS_INTEGER, TCSI_ONNX_IS_INTEGERS, TCSI_ONNX_IS_NUMBER, TCSI_ONNX_IS_TEXT } kind;
    int64_t integers[TCSI_ONNX_DIM_MAX];
    size_t count;
    float number;
    const char *text;
} tcsi_onnx_attribute;

/* Attributes of a call: TCSI_ONNX_INTEGERS("pads", 2, 0), ... */
#define TCSI_ONNX_INTEGER(key, value) { .name = (key), .kind = TCSI_ONNX_IS_INTEGER, .integers = { (int64_t)(value) }, .count = 1 }
#define TCSI_ONNX_INTEGERS(key, ...)                                                                                             \
    { .name = (key), .kind = TCSI_ONNX_IS_INTEGERS, .integers = { __VA_ARGS__ }, .count = TCS_COUNT(((const int64_t[]){ __VA_ARGS__ })) }
#define TCSI_ONNX_NUMBER(key, value) { .name = (key), .kind = TCSI_ONNX_IS_NUMBER, .number = (value) }
#define TCSI_ONNX_TEXT(key, value) { .name = (key), .kind = TCSI_ONNX_IS_TEXT, .text = (value) }

typedef struct tcsi_onnx_call {
    const char *op;                             /* "Conv", as https://onnx.ai/onnx/operators names it */
    tcsi_onnx_value inputs[TCSI_ONNX_INPUT_MAX]; /* none in the middle: left out */
    tcsi_onnx_attribute attributes[TCSI_ONNX_ATTRIBUTE_MAX];
} tcsi_onnx_call;

/* The first output of a node. */
tcsi_onnx_value tcsi_onnx_add(tcsi_onnx *onnx, const tcsi_onnx_call *call);
/* Short for nodes without attributes. */
tcsi_onnx_value tcsi_onnx_of(tcsi_onnx *onnx, const char *op, tcsi_onnx_value a);
tcsi_onnx_value tcsi_onnx_of_two(tcsi_onnx *onnx, const char *op, tcsi_onnx_value a, tcsi_onnx_value b);

tcsi_onnx_value tcsi_onnx_number(tcsi_onnx *onnx, float value); /* a scalar */
tcsi_onnx_value tcsi_onnx_integers(tcsi_onnx *onnx, const int64_t *values, size_t count);
tcsi_onnx_value tcsi_onnx_floats(tcsi_onnx *onnx, const float *values, const size_t *dims, size_t dim_count);

/* Elements [begin, end) of an axis. */
tcsi_onnx_value tcsi_onnx_slice(tcsi_onnx *onnx, tcsi_onnx_value x, int64_t axis, size_t begin, size_t end);
/* The same numbers in another form; 0: the dimension that stands there, as for the batch. */
tcsi_onnx_value tcsi_onnx_reshape(tcsi_onnx *onnx, tcsi_onnx_value x, const size_t *dims, size_t dim_count);
tcsi_onnx_value tcsi_onnx_activate(tcsi_onnx *onnx, tcsi_activation activation, tcsi_onnx_value x);
tcsi_onnx_value tcsi_onnx_clip(tcsi_onnx *onnx, tcsi_onnx_value x, float low, float high);
/* (B,1,1) from (B,T,C): the sum of a row; the mean of those elements whose target is a number, 0 where none is. */
tcsi_onnx_value tcsi_onnx_row_sum(tcsi_onnx *onnx, tcsi_onnx_value x);
tcsi_onnx_value tcsi_onnx_mean_known(tcsi_onnx *onnx, tcsi_onnx_value x, tcsi_onnx_value target);
/* (B,T,C) to (B,C,T) and back.  Swapping back gives the value that it was, and a value that nobody uses swapped is never transposed: a
 * row of convolutions is transposed once before and once behind. */
tcsi_onnx_value tcsi_onnx_swap(tcsi_onnx *onnx, tcsi_onnx_value x);

/* ---- for the operations of a net ---- */

tcsi_onnx_value tcsi_onnx_input_of(tcsi_onnx *onnx, const tcsi_node *node, size_t i);  /* (B,T,C) */
tcsi_onnx_value tcsi_onnx_weight_of(tcsi_onnx *onnx, const tcsi_node *node, size_t i); /* weight or state, as it stands in the net */
/* The weight in ONNX's own order.  Nodes of one operation that share a weight share the constant: the first one's values are taken. */
tcsi_onnx_value tcsi_onnx_weight_as(tcsi_onnx *onnx, const tcsi_node *node, size_t i, const float *values, const size_t *dims,
                                    size_t dim_count);
float *tcsi_onnx_scratch(tcsi_onnx *onnx, size_t count); /* until destroy; NULL after an error */
/* This node cannot be exported; gives no value. */
tcsi_onnx_value tcsi_onnx_refuse(tcsi_onnx *onnx, const tcsi_node *node, const char *format, ...) TCS_PRINTF(3, 4);

#endif
