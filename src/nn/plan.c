/* nn/plan.c -- lays a plan out: which nodes run and which gradients flow, how the batch is cut, in which order and with which
 * barriers, and where every buffer lives.  SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "base/log.h"
#include "nn/plan_layout.h"

#include <string.h>

static const double LANE_COST = 4e6;       /* multiply-adds that are worth a lane: some hundred times what waking a thread costs */
static const size_t SHARD_FLOATS = 128 * 1024; /* values and gradients of a shard: half a common second-level cache */

static size_t row_count(const tcsi_node *node)
{
    return node->shape.length * node->shape.channels;
}

static bool has_trait(const tcsi_node *node, tcsi_op_trait trait)
{
    return (node->op->traits & trait) != 0;
}

/* ---- what runs ---- */

static bool is_trained(const tcsi_plan *plan, const tcsi_node *node)
{
    for (size_t i = 0; i < node->weight_count; i++) {
        const tcsi_weight *weight = &plan->net->tensors[node->weights[i]];
        if (!weight->is_state && (plan->groups == 0 || (weight->group < 64 && plan->groups >> weight->group & 1))) return true;
    }
    return false;
}

static tcs_status mark_needed(tcsi_plan *plan, const tcsi_plan_options *options, tcs_error *err)
{
    const tcsi_net *net = plan->net;
    size_t input_count = 0;
    for (size_t i = 0; i < options->output_count; i++) {
        if (options->outputs[i] >= net->node_count || has_trait(&net->nodes[options->outputs[i]], TCSI_OP_INPUT))
            return tcsi_fail(err, TCS_E_INVALID, "output %zu of a plan is an input or no node of the net", i);
        plan->nodes[options->outputs[i]].is_needed = true;
    }
    for (size_t i = 0; i < options->kept_count; i++) {
        if (options->kept[i] >= net->node_count || net->nodes[options->kept[i]].saved_count == 0)
            return tcsi_fail(err, TCS_E_INVALID, "kept node %zu of a plan saves nothing or is no node of the net", i);
        plan->nodes[options->kept[i]].is_needed = true;
    }
    if (plan->has_loss) {
        if (plan->loss >= net->node_count || row_count(&net->nodes[plan->loss]) != 1)
            return tcsi_fail(err, TCS_E_INVALID, "the loss of a plan must be a node with one value a row");
        plan->nodes[plan->loss].is_needed = true;
    }
    for (size_t n = net->node_count; n-- > 0;)
        for (size_t i = 0; i < net->nodes[n].input_count && plan->nodes[n].is_needed; i++)
            plan->nodes[net->nodes[n].inputs[i]].is_needed = true;
    for (size_t n = 0; n < net->node_count; n++) {
        if (!has_trait(&net->nodes[n], TCSI_OP_INPUT)) continue;
        plan->nodes[n].input_index = input_count++;
    }
    if (input_count > TCSI_RUN_INPUT_MAX)
        return tcsi_fail(err, TCS_E_LIMIT, "a net has at most %d inputs, this one has %zu", TCSI_RUN_INPUT_MAX, input_count);
    return TCS_OK;
}

static bool passes_gradient(const tcsi_node *node, size_t input)
{
    return !(node->op->stops >> input & 1);
}

/* Gradients flow to a node when it leads to a trained weight (or a wanted input) and the loss leads to it. */
static void mark_gradients(tcsi_plan *plan, bool input_gradients, bool *leads, bool *reached)
{
    const tcsi_net *net = plan->net;
    if (!plan->has_loss) return;
    for (size_t n = 0; n < net->node_count; n++) {
        const tcsi_node *node = &net->nodes[n];
        leads[n] = has_trait(node, TCSI_OP_INPUT) ? input_gradients : is_trained(plan, node);
        for (size_t i = 0; i < node->input_count; i++) leads[n] |= passes_gradient(node, i) && leads[node->inputs[i]];
        leads[n] &= has_trait(node, TCSI_OP_INPUT) || node->op->backward != NULL;
    }
    reached[plan->loss] = true;
    for (size_t n = net->node_count; n-- > 0;) {
        const tcsi_node *node = &net->nodes[n];
        tcsi_node_plan *own = &plan->nodes[n];
        own->has_backward = own->is_needed && leads[n] && reached[n] && node->op->backward;
        for (size_t i = 0; i < node->input_count && own->has_backward; i++) {
            size_t input = node->inputs[i];
            own->wants[i] = leads[input] && passes_gradient(node, i);
            own->accumulate[i] = own->wants[i] && reached[input];
            reached[input] |= own->wants[i];
        }
    }
}

/* ---- how the batch is cut ---- */

static bool has_joins(const tcsi_plan *plan)
{
    for (size_t n = 0; n < plan->net->node_count; n++)
        if (plan->nodes[n].is_needed && has_trait(&plan->net->nodes[n], TCSI_OP_TWO_PHASE | TCSI_OP_WHOLE)) return true;
    return false;
}

static void cut_batch(tcsi_plan *plan)
{
    double cost = 0, floats = 0;
    for (size_t n = 0; n < plan->net->node_count; n++) {
        const tcsi_node *node = &plan->net->nodes[n];
        if (!plan->nodes[n].is_needed) continue;
        double own = node->op->cost ? node->op->cost(plan->net, node) : (double)row_count(node);
        cost += own * (plan->nodes[n].has_backward ? 3 : 1);
        floats += (double)(row_count(node) * (plan->nodes[n].has_backward ? 2 : 1) + node->saved_count);
    }
    plan->cost = cost * (double)plan->batch;
    double lanes = plan->cost / LANE_COST;
    plan->lane_count = lanes < 1 ? 1 : lanes > TCSI_LANE_MAX ? TCSI_LANE_MAX : (size_t)lanes;
    size_t per_lane = (plan->batch + plan->lane_count - 1) / plan->lane_count, cached = (size_t)((double)SHARD_FLOATS / floats);
    plan->shard_rows = per_lane;
    if (!has_joins(plan) && cached < per_lane) plan->shard_rows = cached > 0 ? cached : 1;
    size_t shard_count = (plan->batch + plan->shard_rows - 1) / plan->shard_rows;
    if (shard_count < plan->lane_count) plan->lane_count = shard_count;
}

/* ---- in which order ---- */

/* Appends a step; a new stage begins where lanes must have met first. */
static void add_step(tcsi_program *program, tcsi_step step, bool is_whole, bool waits)
{
    tcsi_stage *stage = program->stage_count ? &program->stages[program->stage_count - 1] : NULL;
    if (!stage || waits || is_whole || stage->is_whole) {
        stage = &program->stages[program->stage_count++];
        *stage = (tcsi_stage){ program->step_count, program->step_count, is_whole };
    }
    program->steps[program->step_count++] = step;
    stage->end = program->step_count;
}

static void add_node(const tcsi_plan *plan, tcsi_program *program, size_t n, tcsi_step_kind kind)
{
    const tcsi_node *node = &plan->net->nodes[n];
    size_t phase_count = has_trait(node, TCSI_OP_TWO_PHASE) ? 2 : 1;
    for (size_t phase = 0; phase < phase_count; phase++)
        add_step(program, (tcsi_step){ kind, (tcsi_node_id)n, phase }, has_trait(node, TCSI_OP_WHOLE), phase > 0);
}

static bool init_program(tcsi_program *program, size_t node_count)
{
    program->steps = TCSI_NEW_ZEROS(tcsi_step, 4 * node_count + 1); /* forward and backward, two phases each, and the seed */
    program->stages = TCSI_NEW_ZEROS(tcsi_stage, 4 * node_count + 1);
    return program->steps && program->stages;
}

static bool order_steps(tcsi_plan *plan)
{
    const tcsi_net *net = plan->net;
    tcsi_program *programs[] = { &plan->forward, &plan->train };
    for (size_t k = 0; k < 2; k++) {
        if (!init_program(programs[k], net->node_count)) return false;
        for (size_t n = 0; n < net->node_count; n++)
            if (plan->nodes[n].is_needed && !has_trait(&net->nodes[n], TCSI_OP_INPUT)) add_node(plan, programs[k], n, TCSI_STEP_FORWARD);
    }
    if (!plan->has_loss) return true;
    add_step(&plan->train, (tcsi_step){ TCSI_STEP_SEED, plan->loss, 0 }, false, false);
    for (size_t n = net->node_count; n-- > 0;)
        if (plan->nodes[n].has_backward) add_node(plan, &plan->train, n, TCSI_STEP_BACKWARD);
    return true;
}

/* ---- where buffers live ---- */

/* A buffer in use from step `first` to step `last` of forward (node number) and backward (2N - 1 - node number). */
typedef struct life {
    tcsi_place *place;
    size_t first, last;
} life;

/* The lowest offset at which size floats fit beside those alive at the same time: buffers come in order of first. */
static size_t find_gap(const life *placed, size_t placed_count, const life *wanted, size_t size, size_t rows)
{
    size_t offset = 0;
    for (bool moved = true; moved;) {
        moved = false;
        for (size_t i = 0; i < placed_count; i++) {
            const life *other = &placed[i];
            if (other->last < wanted->first || other->first > wanted->last) continue;
            size_t begin = other->place->offset, end = begin + tcsi_floats_round(other->place->row_count * rows);
            if (offset < end && begin < offset + size) {
                offset = end;
                moved = true;
            }
        }
    }
    return offset;
}

static int by_first(const life *a, const life *b)
{
    return (a->first > b->first) - (a->first < b->first);
}

/* Insertion sort: lists are short and nearly in order. */
static void sort_lives(life *lives, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        life moving = lives[i];
        size_t j = i;
        for (; j > 0 && by_first(&moving, &lives[j - 1]) < 0; j--) lives[j] = lives[j - 1];
        lives[j] = moving;
    }
}

/* Places lives in blocks for `rows` rows each; returns the floats needed. */
static size_t place_lives(life *lives, size_t count, size_t rows)
{
    size_t total = 0;
    sort_lives(lives, count);
    for (size_t i = 0; i < count; i++) {
        size_t size = tcsi_floats_round(lives[i].place->row_count * rows);
        lives[i].place->offset = find_gap(lives, i, &lives[i], size, rows);
        if (lives[i].place->offset + size > total) total = lives[i].place->offset + size;
    }
    return total;
}

/* Which buffers hold the whole batch: what is read after a run, and what stands beside an operation that needs all rows. */
static void mark_whole(tcsi_plan *plan, const tcsi_plan_options *options)
{
    const tcsi_net *net = plan->net;
    for (size_t i = 0; i < options->output_count; i++) plan->nodes[options->outputs[i]].value.is_whole = true;
    for (size_t i = 0; i < options->kept_count; i++) plan->nodes[options->kept[i]].saved.is_whole = true;
    if (plan->has_loss) plan->nodes[plan->loss].value.is_whole = true;
    for (size_t n = 0; n < net->node_count; n++) {
        const tcsi_node *node = &net->nodes[n];
        if (has_trait(node, TCSI_OP_INPUT)) plan->nodes[n].gradient.is_whole = true;
        if (!has_trait(node, TCSI_OP_WHOLE) || !plan->nodes[n].is_needed) continue;
        plan->nodes[n].value.is_whole = plan->nodes[n].gradient.is_whole = plan->nodes[n].saved.is_whole = true;
        for (size_t i = 0; i < node->input_count; i++)
            plan->nodes[node->inputs[i]].value.is_whole = plan->nodes[node->inputs[i]].gradient.is_whole = true;
    }
}

/* The last forward step that reads node n's value. */
static size_t last_reader(const tcsi_net *net, const tcsi_plan *plan, size_t n)
{
    size_t last = n;
    for (size_t m = n + 1; m < net->node_count; m++)
        for (size_t i = 0; i < net->nodes[m].input_count && plan->nodes[m].is_needed; i++)
            if (net->nodes[m].inputs[i] == n) last = m;
    return last;
}

/* All buffers: those of lanes, and those of the whole batch, which are read after a run and so live for ever. */
typedef struct lives {
    life *lane, *whole;
    size_t lane_count, whole_count;
} lives;

static void add_life(lives *all, tcsi_place *place, size_t count, size_t first, size_t last)
{
    place->row_count = count;
    if (place->is_whole) all->whole[all->whole_count++] = (life){ place, 0, SIZE_MAX };
    else all->lane[all->lane_count++] = (life){ place, first, last };
}

/* The buffers of one node.  Values live until they are read for the last time, with gradients until their own backward step. */
static void add_node_lives(tcsi_plan *plan, size_t n, lives *all)
{
    const tcsi_net *net = plan->net;
    const tcsi_node *node = &net->nodes[n];
    tcsi_node_plan *own = &plan->nodes[n];
    bool is_input = has_trait(node, TCSI_OP_INPUT), is_loss = plan->has_loss && n == plan->loss;
    size_t end = 2 * net->node_count, back = end - 1 - n, reader = last_reader(net, plan, n), last = plan->has_loss ? back : reader;
    bool has_gradient = own->has_backward || (is_input && own->gradient.row_count);
    if (!is_input) add_life(all, &own->value, row_count(node), n, last);
    if (has_gradient) add_life(all, &own->gradient, row_count(node), is_loss ? n : end - 1 - reader, back);
    if (node->saved_count > 0) add_life(all, &own->saved, node->saved_count, n, last);
}

static tcs_status place_buffers(tcsi_plan *plan, lives *all, tcs_error *err)
{
    double most = 0;
    for (size_t n = 0; n < plan->net->node_count; n++) {
        tcsi_node_plan *own = &plan->nodes[n];
        own->value.offset = own->gradient.offset = own->saved.offset = TCSI_NOWHERE;
        if (!own->is_needed) continue;
        add_node_lives(plan, n, all);
        most += 3.0 * (double)(row_count(&plan->net->nodes[n]) + plan->net->nodes[n].saved_count + TCSI_FLOATS_BORDER);
    }
    if (most * (double)plan->batch > (double)TCSI_NET_FLOATS_MAX)
        return tcsi_fail(err, TCS_E_LIMIT, "a batch of %zu rows of this net is more than %zu values (take a smaller batch)", plan->batch,
                         TCSI_NET_FLOATS_MAX);
    plan->lane_size = place_lives(all->lane, all->lane_count, plan->shard_rows);
    plan->whole_size = place_lives(all->whole, all->whole_count, plan->batch);
    return TCS_OK;
}

/* Work space behind the buffers: the largest any operation asks for, as they run one after another. */
static void place_scratch(tcsi_plan *plan)
{
    size_t lane = 0, whole = 0;
    plan->shared_count = 0;
    for (size_t n = 0; n < plan->net->node_count; n++) {
        const tcsi_node *node = &plan->net->nodes[n];
        if (!plan->nodes[n].is_needed) continue;
        bool is_whole = has_trait(node, TCSI_OP_WHOLE);
        size_t count = node->op->scratch_count ? node->op->scratch_count(plan->net, node, is_whole ? plan->batch : plan->shard_rows) : 0;
        if (is_whole && count > whole) whole = count;
        if (!is_whole && count > lane) lane = count;
        plan->nodes[n].shared_offset = plan->shared_count;
        plan->shared_count += node->shared_count * plan->lane_count;
    }
    plan->lane_scratch = plan->lane_size;
    plan->lane_size += tcsi_floats_round(lane);
    plan->whole_scratch = plan->whole_size;
    plan->whole_size += tcsi_floats_round(whole);
}

/* ---- life ---- */

static tcs_status lay_out(tcsi_plan *plan, const tcsi_plan_options *options, tcs_error *err)
{
    size_t count = plan->net->node_count;
    bool *flags = TCSI_NEW_ZEROS(bool, 2 * count);
    life *block = TCSI_NEW_ZEROS(life, 6 * count);
    lives all = { .lane = block, .whole = block + 3 * count };
    tcs_status status = flags && block ? TCS_OK : tcsi_fail_memory(err, "a plan");
    if (status == TCS_OK) status = mark_needed(plan, options, err);
    if (status == TCS_OK) {
        mark_gradients(plan, options->input_gradients, flags, flags + count);
        for (size_t n = 0; n < count; n++) /* an input whose gradient somebody writes */
            if (has_trait(&plan->net->nodes[n], TCSI_OP_INPUT)) plan->nodes[n].gradient.row_count = flags[count + n];
        cut_batch(plan);
        mark_whole(plan, options);
        if (!order_steps(plan)) status = tcsi_fail_memory(err, "a plan");
    }
    if (status == TCS_OK) status = place_buffers(plan, &all, err);
    if (status == TCS_OK) place_scratch(plan);
    tcsi_free(flags);
    tcsi_free(block);
    return status;
}

static bool allocate(tcsi_plan *plan)
{
    size_t lanes, gradients = 0;
    if (!tcsi_multiply(plan->lane_count, plan->lane_size, &lanes)) return false;
    if (plan->has_loss && !tcsi_multiply(plan->lane_count, plan->net->weight_count, &gradients)) return false;
    plan->shared = TCSI_NEW_ZEROS(double, plan->shared_count + 1);
    return plan->shared && tcsi_floats_init(&plan->lanes, lanes) && tcsi_floats_init(&plan->whole, plan->whole_size) &&
           tcsi_floats_init(&plan->gradients, gradients);
}

tcs_status tcsi_plan_create(const tcsi_plan_options *options, tcsi_plan **ret_plan, tcs_error *err)
{
    TCS_ASSERT(options->net->is_finished);
    if (options->batch == 0) return tcsi_fail(err, TCS_E_INVALID, "a plan needs a batch of at least 1 row");
    tcsi_plan *plan = TCSI_NEW(tcsi_plan);
    if (!plan) return tcsi_fail_memory(err, "a plan");
    plan->net = options->net;
    plan->batch = options->batch;
    plan->has_loss = options->has_loss;
    plan->loss = options->loss;
    plan->groups = options->groups;
    plan->precision = options->precision;
    plan->isa = options->has_isa ? options->isa : tcsi_isa_current();
    if (plan->precision == TCSI_PRECISION_BFLOAT16 && !tcsi_isa_has_bfloat16(plan->isa))
        tcsi_log(TCSI_LOG_WARNING, "NN-BFLOAT16-COPIES",
                 "%s kernels here have no AVX512_BF16: products in bfloat16 round copies and are slower than in single precision",
                 tcsi_isa_name(plan->isa));
    plan->nodes = TCSI_NEW_ZEROS(tcsi_node_plan, plan->net->node_count);
    tcs_status status = plan->nodes ? lay_out(plan, options, err) : tcsi_fail_memory(err, "a plan");
    if (status == TCS_OK && !allocate(plan)) status = tcsi_fail_memory(err, "a plan");
    if (status != TCS_OK) {
        tcsi_plan_destroy(plan);
        return status;
    }
    *ret_plan = plan;
    return TCS_OK;
}

void tcsi_plan_destroy(tcsi_plan *plan)
{
    if (!plan) return;
    tcsi_floats_deinit(&plan->lanes);
    tcsi_floats_deinit(&plan->whole);
    tcsi_floats_deinit(&plan->gradients);
    tcsi_free(plan->forward.steps);
    tcsi_free(plan->forward.stages);
    tcsi_free(plan->train.steps);
    tcsi_free(plan->train.stages);
    tcsi_free(plan->shared);
    tcsi_free(plan->nodes);
    tcsi_free(plan);
}

double tcsi_plan_cost(const tcsi_plan *plan)
{
    return plan->cost;
}

size_t tcsi_plan_size(const tcsi_plan *plan)
{
    size_t floats = plan->lane_count * plan->lane_size + plan->whole_size +
                    (plan->has_loss ? plan->lane_count * plan->net->weight_count : 0) + 3 * TCSI_FLOATS_BORDER;
    size_t steps = 2 * (4 * plan->net->node_count + 1) * (sizeof(tcsi_step) + sizeof(tcsi_stage));
    return sizeof *plan + plan->net->node_count * sizeof *plan->nodes + steps + floats * sizeof(float) +
           (plan->shared_count + 1) * sizeof(double);
}
