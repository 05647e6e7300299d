/* nn/run.c -- runs a plan: each lane walks its shards through the steps of a stage, stage after stage.
 * SPDX-License-Identifier: Apache-2.0 */
#include "nn/plan_layout.h"

#include <string.h>

/* The rows a call sees, and which lane's memory it works in. */
typedef struct rows {
    size_t lane, shard, begin, count;
} rows;

static float *place_at(const tcsi_plan *plan, const tcsi_place *place, const rows *at)
{
    if (place->offset == TCSI_NOWHERE) return NULL;
    if (place->is_whole) return plan->whole.values + place->offset + at->begin * place->row_count;
    return plan->lanes.values + at->lane * plan->lane_size + place->offset;
}

static const float *value_at(const tcsi_lane_run *lane, tcsi_node_id id, const rows *at)
{
    const tcsi_node *node = &lane->plan->net->nodes[id];
    const tcsi_node_plan *own = &lane->plan->nodes[id];
    if (!(node->op->traits & TCSI_OP_INPUT)) return place_at(lane->plan, &own->value, at);
    return lane->run->inputs[own->input_index] + at->begin * node->shape.length * node->shape.channels;
}

static void bind_weights(const tcsi_plan *plan, const tcsi_node *node, const rows *at, tcsi_op_call *call)
{
    const tcsi_net *net = plan->net;
    for (size_t i = 0; i < node->weight_count; i++) {
        const tcsi_weight *weight = &net->tensors[node->weights[i]];
        if (weight->is_state) {
            call->state[i] = net->states.values + weight->offset;
            continue;
        }
        call->w[i] = net->weights.values + weight->offset;
        bool trained = plan->has_loss && (plan->groups == 0 || (weight->group < 64 && plan->groups >> weight->group & 1));
        if (trained) call->dw[i] = plan->gradients.values + at->lane * net->weight_count + weight->offset;
    }
}

static void run_operation(const tcsi_lane_run *lane, const tcsi_step *step, const rows *at)
{
    const tcsi_plan *plan = lane->plan;
    const tcsi_run *run = lane->run;
    const tcsi_node *node = &plan->net->nodes[step->node];
    const tcsi_node_plan *own = &plan->nodes[step->node];
    tcsi_op_call call = { .net = plan->net, .node = node, .isa = plan->isa, .precision = plan->precision,
                          .batch = at->count, .row_begin = at->begin, .batch_total = run->batch, .length = node->shape.length,
                          .phase = step->phase, .shard = at->shard, .shard_count = lane->shard_count,
                          .is_training = run->is_training, .is_stochastic = run->is_stochastic, .seed = run->seed, .step = run->step,
                          .row_weights = run->row_weights ? run->row_weights + at->begin : NULL };
    call.y = place_at(plan, &own->value, at);
    call.dy = place_at(plan, &own->gradient, at);
    call.saved = place_at(plan, &own->saved, at);
    call.shared = plan->shared + own->shared_offset;
    call.scratch = plan->lanes.values + at->lane * plan->lane_size + plan->lane_scratch;
    if (node->op->traits & TCSI_OP_WHOLE) call.scratch = plan->whole.values + plan->whole_scratch;
    for (size_t i = 0; i < node->input_count; i++) {
        call.x[i] = value_at(lane, node->inputs[i], at);
        call.accumulate[i] = own->accumulate[i];
        if (own->wants[i]) call.dx[i] = place_at(plan, &plan->nodes[node->inputs[i]].gradient, at);
    }
    bind_weights(plan, node, at, &call);
    if (step->kind == TCSI_STEP_FORWARD) node->op->forward(&call);
    else node->op->backward(&call);
}

/* The gradient of the weighted mean by each row's loss. */
static void seed_gradient(const tcsi_lane_run *lane, const rows *at)
{
    const tcsi_plan *plan = lane->plan;
    const float *weights = lane->run->row_weights;
    float *dy = place_at(plan, &plan->nodes[plan->loss].gradient, at);
    for (size_t i = 0; i < at->count && dy; i++)
        dy[i] = (float)((weights ? (double)weights[at->begin + i] : 1) * lane->seed_scale);
}

static void run_steps(const tcsi_lane_run *lane, const rows *at)
{
    for (size_t i = lane->stage->begin; i < lane->stage->end; i++) {
        const tcsi_step *step = &lane->program->steps[i];
        if (step->kind == TCSI_STEP_SEED) seed_gradient(lane, at);
        else run_operation(lane, step, at);
    }
}

static void run_lane(void *context, size_t lane_index, size_t worker_index)
{
    const tcsi_lane_run *lane = context;
    const tcsi_plan *plan = lane->plan;
    (void)worker_index;
    for (size_t shard = lane_index; shard < lane->shard_count; shard += plan->lane_count) {
        rows at = { lane_index, shard, shard * plan->shard_rows, plan->shard_rows };
        if (at.count > lane->run->batch - at.begin) at.count = lane->run->batch - at.begin;
        run_steps(lane, &at);
    }
}

static void run_program(tcsi_lane_run *lane, tcsi_pool *pool)
{
    const tcsi_plan *plan = lane->plan;
    const rows all = { 0, 0, 0, lane->run->batch };
    size_t lane_count = lane->shard_count < plan->lane_count ? lane->shard_count : plan->lane_count;
    for (size_t i = 0; i < lane->program->stage_count; i++) {
        lane->stage = &lane->program->stages[i];
        if (lane->stage->is_whole) run_steps(lane, &all);
        else tcsi_pool_run(lane_count > 1 ? pool : NULL, lane_count, run_lane, lane);
    }
}

static tcsi_lane_run lane_run_of(const tcsi_plan *plan, const tcsi_run *run, const tcsi_program *program)
{
    TCS_ASSERT(run->batch >= 1 && run->batch <= plan->batch);
    return (tcsi_lane_run){ .plan = plan, .run = run, .program = program,
                            .shard_count = (run->batch + plan->shard_rows - 1) / plan->shard_rows };
}

tcs_status tcsi_plan_check(const tcsi_plan *plan, const tcsi_run *run, tcs_error *err)
{
    const tcsi_net *net = plan->net;
    for (size_t n = 0; n < net->node_count; n++) {
        const tcsi_node *node = &net->nodes[n];
        const float *x[TCSI_INPUT_MAX] = { NULL };
        if (!node->op->check || !plan->nodes[n].is_needed) continue;
        for (size_t i = 0; i < node->input_count; i++)
            if (net->nodes[node->inputs[i]].op->traits & TCSI_OP_INPUT) x[i] = run->inputs[plan->nodes[node->inputs[i]].input_index];
        tcs_status status = node->op->check(net, node, run->batch, x, err);
        if (status != TCS_OK) return status;
    }
    return TCS_OK;
}

void tcsi_plan_forward(tcsi_plan *plan, tcsi_pool *pool, const tcsi_run *run)
{
    tcsi_lane_run lane = lane_run_of(plan, run, &plan->forward);
    run_program(&lane, pool);
}

/* ---- gradients ---- */

enum { SUM_BLOCK = 16384 }; /* floats a task adds */

typedef struct lane_sum {
    float *gradients;
    size_t weight_count, lane_count;
} lane_sum;

/* Lane 0 takes in the others, in order, block by block. */
static void sum_block(void *context, size_t block, size_t worker_index)
{
    const lane_sum *sum = context;
    size_t begin = block * SUM_BLOCK, end = begin + SUM_BLOCK < sum->weight_count ? begin + SUM_BLOCK : sum->weight_count;
    float *restrict total = sum->gradients;
    (void)worker_index;
    for (size_t lane = 1; lane < sum->lane_count; lane++) {
        const float *restrict other = sum->gradients + lane * sum->weight_count;
        for (size_t i = begin; i < end; i++) total[i] += other[i];
    }
}

static double weight_sum(const tcsi_run *run)
{
    double sum = 0;
    for (size_t i = 0; i < run->batch; i++) sum += run->row_weights ? (double)run->row_weights[i] : 1;
    return sum;
}

double tcsi_plan_loss(const tcsi_plan *plan, const tcsi_run *run)
{
    TCS_ASSERT(plan->has_loss);
    const float *losses = tcsi_plan_values(plan, plan->loss);
    double sum = 0, total = weight_sum(run);
    for (size_t i = 0; i < run->batch; i++) {
        double weight = run->row_weights ? (double)run->row_weights[i] : 1;
        if (weight != 0) sum += weight * (double)losses[i]; /* a row left out may have a loss that is not a number */
    }
    return total > 0 ? sum / total : 0;
}

double tcsi_plan_backward(tcsi_plan *plan, tcsi_pool *pool, const tcsi_run *run)
{
    TCS_ASSERT(plan->has_loss);
    double total = weight_sum(run);
    tcsi_lane_run lane = lane_run_of(plan, run, &plan->train);
    lane.seed_scale = total > 0 ? 1 / total : 0;
    memset(plan->gradients.values, 0, plan->lane_count * plan->net->weight_count * sizeof(float));
    run_program(&lane, pool);
    lane_sum sum = { plan->gradients.values, plan->net->weight_count, plan->lane_count };
    size_t block_count = plan->lane_count > 1 ? (sum.weight_count + SUM_BLOCK - 1) / SUM_BLOCK : 0;
    tcsi_pool_run(block_count > 1 ? pool : NULL, block_count, sum_block, &sum);
    return tcsi_plan_loss(plan, run);
}

/* ---- results ---- */

float *tcsi_plan_gradients(const tcsi_plan *plan)
{
    TCS_ASSERT(plan->has_loss);
    return plan->gradients.values;
}

const float *tcsi_plan_values(const tcsi_plan *plan, tcsi_node_id node)
{
    TCS_ASSERT(node < plan->net->node_count && plan->nodes[node].value.is_whole && plan->nodes[node].value.offset != TCSI_NOWHERE);
    return plan->whole.values + plan->nodes[node].value.offset;
}

const float *tcsi_plan_saved(const tcsi_plan *plan, tcsi_node_id node)
{
    TCS_ASSERT(node < plan->net->node_count && plan->nodes[node].saved.is_whole && plan->nodes[node].saved.offset != TCSI_NOWHERE);
    return plan->whole.values + plan->nodes[node].saved.offset;
}

const float *tcsi_plan_input_gradients(const tcsi_plan *plan, tcsi_node_id input)
{
    TCS_ASSERT(input < plan->net->node_count && plan->nodes[input].gradient.is_whole &&
               plan->nodes[input].gradient.offset != TCSI_NOWHERE);
    return plan->whole.values + plan->nodes[input].gradient.offset;
}
