/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/deep/judges.h"

#include "base/alloc.h"
#include "detect/deep/weights.h"
#include "nn/layers.h"
#include "nn/safetensors.h"
#include "series/moving.h"
#include "series/stats.h"

#include <string.h>

enum { BATCH = 2 };

typedef struct judge {
    tcsi_judge_view view;
    tcsi_net *net;
    tcsi_node_id s;
    size_t plan_size; /* bytes of its plan, which is there while it runs: attention needs megabytes */
} judge;

struct tcsi_judges {
    size_t channel_count, count; /* that they see; of judges */
    judge judges[TCSI_WEIGHTS_MAX];
};

static tcs_status make_plan(const judge *j, tcsi_plan **ret_plan, tcs_error *err)
{
    const tcsi_plan_options options = { .net = j->net, .batch = BATCH, .outputs = &j->s, .output_count = 1 };
    return tcsi_plan_create(&options, ret_plan, err);
}

static tcs_status judge_init(judge *j, const tcsi_weights_file *file, size_t channel_count, tcs_error *err)
{
    j->view = file->view;
    tcs_status status = tcsi_net_create(0, &j->net, err);
    if (status != TCS_OK) return status;
    j->s = tcsi_judge_build(j->net, file->view, tcsi_nn_input(j->net, TCSI_JUDGE_WINDOW, channel_count));
    status = tcsi_net_finish(j->net, err);
    if (status == TCS_OK) status = tcsi_safetensors_load(j->net, file->bytes, *file->size, err);
    tcsi_plan *plan = NULL;
    if (status == TCS_OK) status = make_plan(j, &plan, err);
    if (status == TCS_OK) j->plan_size = tcsi_plan_size(plan);
    tcsi_plan_destroy(plan);
    return status;
}

tcs_status tcsi_judges_create(tcsi_judge_view view, size_t score_count, tcsi_judges **ret_judges, tcs_error *err)
{
    tcsi_judges *judges = TCSI_NEW(tcsi_judges);
    if (!judges) return tcsi_fail_memory(err, "pre-trained networks");
    const size_t channels = TCSI_BLOCKS_OF_VALUES + TCSI_BLOCKS_A_SCORE * score_count;
    *judges = (tcsi_judges){ .channel_count = tcsi_judge_channels_of(view, channels).count };
    tcs_status status = TCS_OK;
    for (size_t k = 0; k < tcsi_weights_count && status == TCS_OK; k++)
        if (tcsi_weights[k].view == view || (view == TCSI_JUDGE_VALUES && tcsi_weights[k].view == TCSI_JUDGE_ATTENTION))
            status = judge_init(&judges->judges[judges->count++], &tcsi_weights[k], judges->channel_count, err);
    if (status == TCS_OK) *ret_judges = judges;
    else tcsi_judges_destroy(judges);
    return status;
}

void tcsi_judges_destroy(tcsi_judges *judges)
{
    if (!judges) return;
    for (size_t k = 0; k < judges->count; k++) tcsi_net_destroy(judges->judges[k].net);
    tcsi_free(judges);
}

tcs_status tcsi_judges_score(tcsi_judges *judges, const tcsi_blocks *blocks, size_t period, tcsi_pool *pool, double *ret_rows,
                             tcs_error *err)
{
    const size_t count = blocks->block_count, rows = blocks->row_count;
    double *one = TCSI_NEW_ARRAY(double, count), *sum = TCSI_NEW_ZEROS(double, count), *expanded = TCSI_NEW_ARRAY(double, rows);
    tcs_status status = one && sum && expanded ? TCS_OK : tcsi_fail_memory(err, "what pre-trained networks say");
    for (size_t k = 0; k < judges->count && status == TCS_OK; k++) {
        const judge *j = &judges->judges[k];
        tcsi_plan *plan = NULL;
        status = make_plan(j, &plan, err);
        if (status == TCS_OK) status = tcsi_judge_run(plan, BATCH, j->s, blocks, j->view, pool, one, err);
        tcsi_plan_destroy(plan);
        if (status != TCS_OK) break;
        tcsi_standardize(one, count);
        for (size_t u = 0; u < count; u++) sum[u] += one[u];
    }
    if (status == TCS_OK) {
        tcsi_blocks_expand(blocks, sum, expanded);
        tcsi_moving_mean(expanded, rows, period / 4 > 1 ? period / 4 : 1, ret_rows);
        tcsi_standardize(ret_rows, rows);
    }
    tcsi_free(one);
    tcsi_free(sum);
    tcsi_free(expanded);
    return status;
}

size_t tcsi_judges_size_max(const tcsi_judges *judges, size_t row_count)
{
    size_t size = sizeof *judges + BATCH * TCSI_JUDGE_WINDOW * judges->channel_count * sizeof(float), plan_size = 0;
    for (size_t k = 0; k < judges->count; k++) {
        const judge *j = &judges->judges[k];
        size += tcsi_net_size(j->net);
        if (row_count > 0 && j->plan_size > plan_size) plan_size = j->plan_size;
    }
    return tcsi_size_sum(size + plan_size, tcsi_size_product(row_count + TCSI_BLOCKS_A_PERIOD, 3 * sizeof(double)));
}
