/* detect/deep/anomaly_transformer.c -- windows whose steps attend to their neighbourhood, and are not given back.
 *
 * A Transformer gives windows back; besides, attention is pushed away from each step's neighbourhood while the width of that neighbourhood
 * follows it: a step that belongs to a pattern finds others like it far away, an anomaly does not (J. Xu, H. Wu, J. Wang, M. Long, "Anomaly
 * Transformer: time series anomaly detection with association discrepancy", ICLR 2022, equations 4 to 6).  With D the discrepancy of
 * nn/ops/association.c, mean over the layers,
 *
 *     error of a value at step t     T softmax(-D)(t) (x - x')^2
 *     loss                           mean (x - x')^2, and the contest about D: widths make lambda D small, queries and keys make it large
 *
 * The paper has two phases a step, each moving what the other leaves alone; their gradients add up (the authors' code adds them, too),
 * so that one node does: D of widths as they are, and of queries and keys whose gradient comes back with the other sign.  The value of
 * the loss is the error alone: a contest has none, and training must end, and windows be left out, by what is given back.
 *
 * Two layers of two heads, where they have three of eight, and the first layer does not add its input to what attention found: otherwise
 * steps of a few channels pass straight through, and anything is given back.  lambda 0.03, where they have 3: the contest unsettles
 * training (docs/internals/deep.md has the figures).  The net's output is x less the root of the error above, so that reconstruction.h,
 * which has the rest, finds it again; windows look both ways (offline).
 * Finds: unusual courses of windows.  Misses: much that attention gives back all the same, as nothing in it is narrow.
 * SPDX-License-Identifier: Apache-2.0 */
#include "detect/deep/reconstruction.h"

typedef tcsi_window_net_options options;

enum { HEADS = 2, LAYERS = 2, NAMES = 5 };
static const char *const layer_names[LAYERS][NAMES] = { { "0.triple", "0.widths", "0.out", "0.forward.0", "0.forward.1" },
                                                        { "1.triple", "1.widths", "1.out", "1.forward.0", "1.forward.1" } };

/* x - sqrt(T softmax(-D)) (x - x'); distances (B,T,C) are the same in all channels. */
static tcsi_node_id weigh_error(tcsi_net *net, tcsi_node_id x, tcsi_node_id back, tcsi_node_id distances)
{
    const tcsi_shape shape = tcsi_net_shape(net, x);
    const tcsi_node_id shares = tcsi_nn_softmax(net, tcsi_nn_flatten(net, tcsi_nn_scale(net, distances, -1)));
    const tcsi_node_id scaled = tcsi_nn_scale(net, shares, (float)(shape.length * shape.channels));
    const tcsi_node_id weights = tcsi_nn_unflatten(net, tcsi_nn_unary(net, scaled, TCSI_UNARY_SQRT), shape.length ? shape.length : 1);
    const tcsi_node_id error = tcsi_nn_add(net, back, tcsi_nn_scale(net, x, -1)); /* x stays x with dropout: build gives the target */
    return tcsi_nn_add(net, x, tcsi_nn_multiply(net, weights, error));
}

/* What a layer makes of its input, normalized; residual: what it is added to, or TCSI_NODE_NONE. */
static tcsi_node_id add_and_norm(tcsi_net *net, const char *name, tcsi_node_id part, tcsi_node_id residual, size_t width)
{
    const tcsi_dense_options layer = { .units = width };
    tcsi_net_scope(net, "%s", name);
    const bool is_alone = residual == TCSI_NODE_NONE;
    const tcsi_node_id h = is_alone ? tcsi_nn_dense(net, part, &layer) : tcsi_nn_dense_residual(net, part, residual, &layer);
    return tcsi_nn_layer_norm(net, h, &(tcsi_layer_norm_options){ 0 });
}

/* One block of a Transformer on h (B,T,width), and the discrepancy (B,T,copies) of its attention. */
static tcsi_node_id add_layer(tcsi_net *net, size_t number, tcsi_node_id h, size_t copies, tcsi_node_id *ret_discrepancy)
{
    const char *const *names = layer_names[number];
    const size_t width = tcsi_net_shape(net, h).channels;
    const tcsi_node_id triple = tcsi_window_net_dense(net, names[0], h, 3 * width, TCSI_ACTIVATION_NONE);
    const tcsi_node_id widths = tcsi_window_net_dense(net, names[1], h, HEADS, TCSI_ACTIVATION_NONE);
    *ret_discrepancy = tcsi_nn_association(net, tcsi_nn_oppose(net, tcsi_nn_slice(net, triple, 0, 2 * width)), widths, copies);
    const tcsi_node_id seen = tcsi_nn_attention(net, triple, &(tcsi_attention_options){ .head_count = HEADS });
    h = add_and_norm(net, names[2], seen, number == 0 ? TCSI_NODE_NONE : h, width);
    return add_and_norm(net, names[4], tcsi_window_net_dense(net, names[3], h, 2 * width, TCSI_ACTIVATION_RELU), h, width);
}

static tcsi_window_net_nodes build(tcsi_net *net, tcsi_node_id x, tcsi_node_id target, const tcsi_window_net_options *opt)
{
    const size_t channels = tcsi_net_shape(net, x).channels, copies = channels ? channels : 1;
    tcsi_node_id h = tcsi_window_net_dense(net, "embedding", x, opt->hidden * HEADS, TCSI_ACTIVATION_NONE), of_layer[LAYERS];
    h = tcsi_nn_position_sinusoidal(net, h);
    for (size_t i = 0; i < LAYERS; i++) h = add_layer(net, i, h, copies, &of_layer[i]);
    const tcsi_node_id back = tcsi_window_net_dense(net, "output", h, channels, TCSI_ACTIVATION_NONE);
    const tcsi_node_id distances = tcsi_nn_scale(net, tcsi_nn_add(net, of_layer[0], of_layer[1]), 1.0f / LAYERS);
    const tcsi_node_id contest = tcsi_nn_mean(net, distances);
    const tcsi_node_id losses[] = { tcsi_nn_loss_squared(net, back, target), contest, tcsi_nn_detach(net, contest) };
    const float lambda = (float)opt->emphasis, coefficients[] = { 1, lambda, -lambda };
    return (tcsi_window_net_nodes){ .output = weigh_error(net, target, back, distances),
                                    .loss = tcsi_nn_loss_sum(net, losses, coefficients, TCS_COUNT(losses)) };
}

static tcs_status init(tcsi_detector *base, tcs_error *err)
{
    return tcsi_reconstruction_init(base, build, err);
}

static const tcsi_parameter parameters[] = {
    TCSI_COUNT(window, 0, 0, 1e6, "rows that belong together; 0: the period of the first channel"),
    TCSI_COUNT(steps, 32, 16, 512, "steps of a window, a multiple of 4; longer windows are averaged down to about as many"),
    TCSI_COUNT(hidden, 8, 1, 128, "numbers of a step in each of the two heads"),
    TCSI_COUNT(epochs, 60, 1, 100000, "how often each part of the training rows is seen"),
    TCSI_COUNT(smoothing, 0, 0, 1e6, "rows of the mean around a row; 0: the window"),
    TCSI_REAL(rate, 3e-3, 1e-6, 1, "highest learning rate"),
    TCSI_REAL(trim, 0.05, 0, 0.5, "share of the training windows, the worst, that are not learned from"),
    { "lambda", TCSI_PARAMETER_REAL, offsetof(options, emphasis), 0.03, 0, 100, "weight of the discrepancy" },
    TCSI_WINDOW_NET_EFFORT,
};
static const tcsi_detector_ops ops = TCSI_RECONSTRUCTION_OPS(init);

const tcsi_detector_info tcsi_detector_anomaly_transformer = {
    .name = "anomaly_transformer",
    .title = "Transformer of windows with association discrepancy",
    .paper = "J. Xu, H. Wu, J. Wang, M. Long: Anomaly Transformer: time series anomaly detection with association discrepancy. ICLR 2022, "
             "equations 4 to 6",
    .summary = "Error with which a Transformer gives windows back, weighted up where attention keeps to the neighbourhood of a step. Finds "
               "unusual courses of windows; gives much back that it should not, as nothing in it is narrow.",
    TCSI_RECONSTRUCTION_INFO(0),
};
