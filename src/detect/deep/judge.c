/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/deep/judge.h"

#include "base/alloc.h"
#include "nn/layers.h"

#include <string.h>

enum { NARROW = 16, WIDE = 32, HEADS = 4, RESIDUALS = 6, KERNEL = 3 };
enum { WINDOW = TCSI_JUDGE_WINDOW, REACH = TCSI_JUDGE_REACH, STRIDE = WINDOW - 2 * REACH };

tcsi_judge_channels tcsi_judge_channels_of(tcsi_judge_view view, size_t channel_count)
{
    switch (view) {
    case TCSI_JUDGE_VALUES:
    case TCSI_JUDGE_ATTENTION: return (tcsi_judge_channels){ 0, TCSI_BLOCKS_OF_VALUES };
    case TCSI_JUDGE_SCORES:
        return (tcsi_judge_channels){ TCSI_BLOCKS_OF_VALUES - TCSI_BLOCKS_OF_SERIES,
                                      channel_count - TCSI_BLOCKS_OF_VALUES + TCSI_BLOCKS_OF_SERIES };
    default: return (tcsi_judge_channels){ 0, channel_count };
    }
}

/* h + conv1(relu(conv3(h))) */
static tcsi_node_id add_residual(tcsi_net *net, const char *name, size_t number, tcsi_node_id h, size_t dilation)
{
    const size_t hidden = tcsi_net_shape(net, h).channels;
    const tcsi_conv_options wide = { .channels = hidden, .kernel = KERNEL, .dilation = dilation, .padding = TCSI_PADDING_SAME,
                                     .activation = TCSI_ACTIVATION_RELU };
    tcsi_net_scope(net, "%s%zu.wide", name, number);
    const tcsi_node_id inner = tcsi_nn_conv(net, h, &wide);
    tcsi_net_scope(net, "%s%zu.back", name, number);
    return tcsi_nn_dense_residual(net, inner, h, &(tcsi_dense_options){ .units = hidden });
}

tcsi_node_id tcsi_judge_build(tcsi_net *net, tcsi_judge_view view, tcsi_node_id x)
{
    const bool sees_values = view == TCSI_JUDGE_VALUES || view == TCSI_JUDGE_ATTENTION;
    const tcsi_transformer_options attention = { .head_count = HEADS, .hidden = 2 * WIDE, .norm_first = true };
    tcsi_net_scope(net, "in");
    tcsi_node_id h = tcsi_nn_dense(net, x, &(tcsi_dense_options){ .units = sees_values ? WIDE : NARROW });
    for (size_t k = 0; k < RESIDUALS; k++) h = add_residual(net, "residual", k, h, (size_t)1 << k);
    if (view == TCSI_JUDGE_ATTENTION) {
        tcsi_net_scope(net, "attention");
        h = add_residual(net, "after", 0, tcsi_nn_transformer(net, h, &attention, NULL), 1);
    }
    tcsi_net_scope(net, "out");
    return tcsi_nn_dense(net, tcsi_nn_unary(net, h, TCSI_UNARY_RELU), &(tcsi_dense_options){ .units = 1 });
}

/* Windows overlap by what one number depends on; what a window says is taken where it sees to both sides, or to the series' end. */
tcs_status tcsi_judge_run(tcsi_plan *plan, size_t batch, tcsi_node_id s, const tcsi_blocks *blocks, tcsi_judge_view view, tcsi_pool *pool,
                          double *ret_judged, tcs_error *err)
{
    const tcsi_judge_channels channels = tcsi_judge_channels_of(view, blocks->channel_count);
    const size_t count = blocks->block_count, windows = count <= WINDOW ? 1 : (count - WINDOW - 1) / STRIDE + 2;
    tcsi_floats inputs = { 0 };
    if (!tcsi_floats_init(&inputs, batch * WINDOW * channels.count)) return tcsi_fail_memory(err, "windows of blocks");
    for (size_t first = 0; first < windows; first += batch) {
        const size_t rows = windows - first < batch ? windows - first : batch;
        memset(inputs.values, 0, batch * WINDOW * channels.count * sizeof(float));
        for (size_t b = 0; b < rows; b++) {
            const size_t begin = (first + b) * STRIDE;
            for (size_t u = 0; u < WINDOW && begin + u < count; u++)
                memcpy(inputs.values + (b * WINDOW + u) * channels.count,
                       blocks->values.values + (begin + u) * blocks->channel_count + channels.begin, channels.count * sizeof(float));
        }
        const tcsi_run run = { .inputs = { inputs.values }, .batch = rows };
        tcsi_plan_forward(plan, pool, &run);
        const float *values = tcsi_plan_values(plan, s);
        for (size_t b = 0; b < rows; b++) {
            const size_t begin = (first + b) * STRIDE;
            for (size_t u = begin == 0 ? 0 : REACH; u < WINDOW && begin + u < count; u++)
                ret_judged[begin + u] = (double)values[b * WINDOW + u];
        }
    }
    tcsi_floats_deinit(&inputs);
    return TCS_OK;
}
