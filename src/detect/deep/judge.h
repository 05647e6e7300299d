/* detect/deep/judge.h -- a network that was trained once, on simulated series, and judges a series it has never seen.
 *
 * It reads blocks (blocks.h): what the values look like, what other detectors' scores say, or both, and gives every block a number that
 * is high where something rare is going on.  1x1 convolution to 16 channels (values: 32); six residual blocks, h + conv1(relu(conv3(h)))
 * with dilations 1..32, which see 63 blocks to each side, about four periods; relu; one number.  After the residual convolutions of S. Bai,
 * J. Kolter, V. Koltun, "An empirical evaluation of generic convolutional and recurrent networks for sequence modeling", 2018, centred
 * instead of causal.  A network with attention has, after those, a Transformer's block over its whole window (nn/transformer.c) and one
 * more residual block: it can compare a cycle with all others, not only with its neighbours.
 * Threads: building like any net; scoring is reentrant on nets of one's own. */
#ifndef TCS_DETECT_DEEP_JUDGE_H
#define TCS_DETECT_DEEP_JUDGE_H

#include "base/pool.h"
#include "detect/deep/blocks.h"
#include "nn/plan.h"

#define TCSI_JUDGE_MARGIN 6.0f /* of tcsi_nn_loss_rank in training */
enum { TCSI_JUDGE_WINDOW = 512, TCSI_JUDGE_REACH = 63 }; /* blocks: of a run; that one number depends on, to each side, without attention */

/* What a judge looks at, of the channels of blocks. */
typedef enum tcsi_judge_view {
    TCSI_JUDGE_VALUES,
    TCSI_JUDGE_SCORES,
    TCSI_JUDGE_ALL,
    TCSI_JUDGE_ATTENTION, /* values, by a network with attention */
} tcsi_judge_view;

typedef struct tcsi_judge_channels {
    size_t begin, count; /* of blocks' channels */
} tcsi_judge_channels;

tcsi_judge_channels tcsi_judge_channels_of(tcsi_judge_view view, size_t channel_count);

/* x (B,T,C) -> s (B,T,1). */
tcsi_node_id tcsi_judge_build(tcsi_net *net, tcsi_judge_view view, tcsi_node_id x);

/* Runs s of a plan of net's over all blocks; ret_judged: (U).  The plan's batch: any.  E_MEMORY. */
tcs_status tcsi_judge_run(tcsi_plan *plan, size_t batch, tcsi_node_id s, const tcsi_blocks *blocks, tcsi_judge_view view, tcsi_pool *pool,
                          double *ret_judged, tcs_error *err) TCS_WARN_UNUSED;

#endif
