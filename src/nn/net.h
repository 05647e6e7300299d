/* nn/net.h -- a small network: operations in the order they run, and their weights in one flat block.
 *
 * A net is built once by the functions of nn/layers.h, node after node, and does not change its form afterwards.  It owns the
 * weights; plans (nn/plan.h) own everything that depends on a batch.  While building, the first error sticks and every later
 * call gives TCSI_NODE_NONE: ask tcsi_net_finish once at the end.
 *
 * Weights are named tensors of up to three dimensions inside `weights` (trained) and `states` (running statistics), 64-byte
 * aligned, so that an optimizer is one loop and a file is one read.  A weight belongs to the group that was current when it was
 * declared: plans train chosen groups (adversaries take turns).
 * Initial values are drawn from the seed and the weight's number: they do not depend on what else the net holds.
 * Threads: build in one; a finished net may be read by many plans at once as long as nobody trains it. */
#ifndef TCS_NN_NET_H
#define TCS_NN_NET_H

#include "base/arena.h"
#include "base/codec.h"
#include "nn/floats.h"

enum {
    TCSI_INPUT_MAX = 4,      /* inputs of a node */
    TCSI_WEIGHT_MAX = 8,     /* weights of a node */
    TCSI_NODE_MAX = 4096,
    TCSI_WEIGHT_NAME_SIZE = 64,
};

/* Nothing in a net is larger than this many floats: sizes are checked when it is built, and never overflow later. */
#define TCSI_NET_FLOATS_MAX ((size_t)1 << 31)

typedef uint32_t tcsi_node_id;
#define TCSI_NODE_NONE UINT32_MAX

typedef struct tcsi_net tcsi_net;
typedef struct tcsi_op tcsi_op;

typedef struct tcsi_shape {
    size_t length, channels; /* T, C */
} tcsi_shape;

typedef enum tcsi_start {
    TCSI_START_ZERO,
    TCSI_START_ONE,
    TCSI_START_UNIFORM,  /* uniform in +- 1/sqrt(fan_in): what PyTorch begins linear, convolution and recurrent layers with */
    TCSI_START_HE,       /* normal, deviation sqrt(2 / fan_in): He et al. 2015 */
    TCSI_START_NORMAL,   /* normal, deviation 1 */
    TCSI_START_CONSTANT, /* start_value */
} tcsi_start;

typedef struct tcsi_weight {
    char name[TCSI_WEIGHT_NAME_SIZE]; /* "encoder.0.weight" */
    size_t dims[3], dim_count, count; /* row-major */
    size_t offset;                    /* floats into weights or states */
    size_t group;
    bool decays;                      /* weight decay applies: matrices, not biases and gains */
    bool is_state;                    /* running statistics: saved, not trained */
    tcsi_start start;
    size_t fan_in;
    float start_value;
} tcsi_weight;

typedef struct tcsi_node {
    const tcsi_op *op;
    const void *options;                  /* the operation's own struct, in the net's arena */
    tcsi_node_id inputs[TCSI_INPUT_MAX];
    size_t input_count;
    tcsi_shape shape;
    size_t weights[TCSI_WEIGHT_MAX];      /* indices into the net's weights */
    size_t weight_count;
    size_t saved_count;                   /* floats a row b, from forward to backward */
    size_t shared_count;                  /* doubles a shard */
    tcsi_node_id weights_of;              /* the node whose weights it shares; itself otherwise */
} tcsi_node;

struct tcsi_net {
    tcsi_arena arena;
    tcsi_node *nodes;
    tcsi_weight *tensors;
    size_t node_count, node_capacity, tensor_count, tensor_capacity;
    tcsi_floats weights, states;          /* after finish */
    size_t weight_count, state_count;     /* floats in them, padding among them */
    size_t group;
    uint64_t seed;
    char scope[TCSI_WEIGHT_NAME_SIZE];
    bool is_finished;
    tcs_status status;
    tcs_error err;
};

tcs_status tcsi_net_create(uint64_t seed, tcsi_net **ret_net, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_net_destroy(tcsi_net *net); /* accepts NULL */

/* What comes next is named "scope.weight" and belongs to this group (0 at first). */
void tcsi_net_scope(tcsi_net *net, const char *format, ...) TCS_PRINTF(2, 3);
void tcsi_net_group(tcsi_net *net, size_t group);

/* Appends a node; options are copied.  nn/layers.h has a function per operation that does this. */
tcsi_node_id tcsi_net_add(tcsi_net *net, const tcsi_op *op, const tcsi_node_id *inputs, size_t input_count, const void *options);
/* The same operation with the same weights on another input. */
tcsi_node_id tcsi_net_share(tcsi_net *net, tcsi_node_id node, const tcsi_node_id *inputs, size_t input_count);
/* Another operation with the first weights of node, which must have the forms it declares. */
tcsi_node_id tcsi_net_add_tied(tcsi_net *net, tcsi_node_id node, const tcsi_op *op, const tcsi_node_id *inputs, size_t input_count,
                               const void *options);

/* Called by an operation's shape function, in the order of its weights.  Zero dimensions are errors. */
tcs_status tcsi_net_weight(tcsi_net *net, tcsi_node *node, const tcsi_weight *weight, tcs_error *err) TCS_WARN_UNUSED;

/* Allocates the weights and gives them their first values; the first error while building, if there was one. */
tcs_status tcsi_net_finish(tcsi_net *net, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_net_start(tcsi_net *net); /* back to the first values */

const tcsi_node *tcsi_net_node(const tcsi_net *net, tcsi_node_id id);
tcsi_shape tcsi_net_shape(const tcsi_net *net, tcsi_node_id id); /* zeros once something was wrong */
const tcsi_weight *tcsi_net_find(const tcsi_net *net, const char *name); /* NULL: none */
float *tcsi_net_values(const tcsi_net *net, const tcsi_weight *weight);  /* after finish */
size_t tcsi_net_size(const tcsi_net *net);                               /* bytes, rounded up generously */
size_t tcsi_net_trained_count(const tcsi_net *net);                      /* numbers that are trained: without padding and states */
/* Weights and states of one net into another of the same form. */
void tcsi_net_copy(const tcsi_net *from, tcsi_net *to);
/* Weights and states, for a net of the same form; loading refuses numbers that are not finite. */
void tcsi_net_persist(tcsi_net *net, tcsi_codec *codec);
/* E_INVALID: a weight or a state is not a finite number; such a net is not written to any file. */
tcs_status tcsi_net_check_finite(const tcsi_net *net, tcs_error *err) TCS_WARN_UNUSED;

#endif
