/* nn/flow.c -- a normalizing flow, put together from couplings (ops/coupling.c): each is made by a dense layer with tanh and one behind it
 * from the first half of the channels, and all channels are reversed between two of them, so that every channel is moved.
 * Weights of a scope "s" are named "s.0.hidden", "s.0.parameters", "s.1.hidden", ...; without a scope, as those of single layers are.
 * SPDX-License-Identifier: Apache-2.0 */
#include "nn/layers.h"

#include <string.h>

/* "scope.number.part", when there is a scope. */
static void name_part(tcsi_net *net, const char *scope, size_t number, const char *part)
{
    if (scope[0]) tcsi_net_scope(net, "%s.%zu.%s", scope, number, part);
}

tcsi_node_id tcsi_nn_flow(tcsi_net *net, tcsi_node_id x, const tcsi_flow_options *options, tcsi_node_id *ret_log_det)
{
    size_t count = options->coupling_count ? options->coupling_count : 4, hidden = options->hidden ? options->hidden : 32;
    size_t channels = net->status == TCS_OK ? tcsi_net_shape(net, x).channels : 0, kept = channels / 2;
    float bound = options->bound != 0 ? options->bound : 2;
    tcsi_node_id log_det = TCSI_NODE_NONE;
    char scope[TCSI_WEIGHT_NAME_SIZE];
    memcpy(scope, net->scope, sizeof scope);
    for (size_t i = 0; i < count && net->status == TCS_OK; i++) {
        if (i > 0) x = tcsi_nn_reverse(net, x);
        name_part(net, scope, i, "hidden");
        tcsi_node_id h = tcsi_nn_slice(net, x, 0, kept);
        h = tcsi_nn_dense(net, h, &(tcsi_dense_options){ .units = hidden, .activation = TCSI_ACTIVATION_TANH });
        name_part(net, scope, i, "parameters");
        h = tcsi_nn_dense(net, h, &(tcsi_dense_options){ .units = 2 * (channels - kept) });
        x = tcsi_nn_coupling(net, x, h, bound);
        log_det = tcsi_nn_log_det(net, h, log_det, bound);
    }
    memcpy(net->scope, scope, sizeof scope);
    *ret_log_det = log_det;
    return x;
}
