/* SPDX-License-Identifier: Apache-2.0 */
#include "knowledge/tape.h"

#include "base/alloc.h"
#include "base/log.h"

#include <math.h>
#include <string.h>

/* ---- written out ---- */

typedef struct writer {
    const tcsi_bound *bound;
    tcsi_tape *tape;
    bool *is_needed;  /* (formulas) */
    size_t *seen;     /* (formulas): the node that holds what others see of it */
    size_t *residual; /* (formulas): of a constraint, before an inequality is cut off */
    size_t *places;   /* (TCSI_EXPRESSION_NODE_COUNT_MAX): of one formula's nodes */
} writer;

static size_t add(writer *w, tcsi_tape_node node)
{
    w->tape->nodes[w->tape->node_count] = node;
    return w->tape->node_count++;
}

static size_t add_number(writer *w, double number) { return add(w, (tcsi_tape_node){ .op = TCSI_OP_NUMBER, .number = number }); }

static size_t add_op(writer *w, tcsi_op op, size_t left, size_t right)
{
    return add(w, (tcsi_tape_node){ .op = op, .left = left, .right = right });
}

static size_t add_name(writer *w, size_t channel)
{
    const size_t inputs = w->bound->channel_count;
    return channel >= inputs ? w->seen[channel - inputs] : add(w, (tcsi_tape_node){ .op = TCSI_OP_NAME, .channel = channel });
}

static size_t add_expression(writer *w, const tcsi_program *program)
{
    const tcsi_expression *expression = program->expression;
    for (size_t i = 0; i < expression->count; i++) {
        const tcsi_node *node = &expression->nodes[i];
        const tcsi_tape_node copy = { .op = node->op, .left = w->places[node->left], .right = w->places[node->right],
                                      .number = node->number, .rows = node->rows, .duration_ns = node->duration_ns };
        if (node->op == TCSI_OP_NAME) w->places[i] = add_name(w, program->channels[i]);
        else if (node->op == TCSI_OP_NUMBER) w->places[i] = add_number(w, node->number);
        else w->places[i] = add(w, copy);
    }
    return w->places[expression->count - 1];
}

/* The tolerance; a percentage is of the largest term. */
static size_t add_tolerance(writer *w, const tcsi_equation *equation)
{
    if (!equation->is_percent) return add_number(w, equation->tolerance);
    size_t largest = 0;
    for (size_t i = 0; i < equation->term_count; i++) {
        const size_t term = w->places[equation->terms[i]], size = add_op(w, TCSI_OP_ABS, term, term);
        largest = i == 0 ? size : add_op(w, TCSI_OP_MAX, largest, size);
    }
    return add_op(w, TCSI_OP_MULTIPLY, largest, add_number(w, equation->tolerance / 100));
}

static void add_formula(writer *w, size_t f)
{
    const tcsi_formula *formula = &w->bound->knowledge->formulas[f];
    const size_t value = add_expression(w, &w->bound->programs[f]);
    w->seen[f] = value;
    if (!formula->is_constraint) return;
    w->residual[f] = w->seen[f] = add_op(w, TCSI_OP_DIVIDE, value, add_tolerance(w, &formula->equation));
    const tcsi_relation relation = formula->equation.relation;
    if (relation == TCSI_RELATION_EQUAL) return;
    w->seen[f] = add_op(w, relation == TCSI_RELATION_AT_MOST ? TCSI_OP_MAX : TCSI_OP_MIN, w->residual[f], add_number(w, 0));
}

/* Constraints, and what they refer to, however far around. */
static void find_needed(writer *w)
{
    const tcsi_knowledge *k = w->bound->knowledge;
    for (size_t i = k->formula_count; i-- > 0;) {
        const size_t f = k->order[i];
        const tcsi_program *program = &w->bound->programs[f];
        w->is_needed[f] |= k->formulas[f].is_constraint;
        for (size_t n = 0; w->is_needed[f] && n < program->expression->count; n++)
            if (program->expression->nodes[n].op == TCSI_OP_NAME && program->channels[n] >= w->bound->channel_count)
                w->is_needed[program->channels[n] - w->bound->channel_count] = true;
    }
}

static int side_of(tcsi_relation relation)
{
    return relation == TCSI_RELATION_AT_MOST ? 1 : relation == TCSI_RELATION_AT_LEAST ? -1 : 0;
}

static uint64_t seal_of(const tcsi_tape *tape)
{
    uint64_t seal = tcsi_seal(TCSI_SEAL_BEGIN, &tape->node_count, sizeof tape->node_count);
    for (size_t i = 0; i < tape->node_count; i++) {
        const tcsi_tape_node *n = &tape->nodes[i];
        const uint64_t numbers[] = { (uint64_t)n->op, n->left, n->right, n->channel, n->rows, (uint64_t)n->duration_ns };
        seal = tcsi_seal(seal, numbers, sizeof numbers);
        seal = tcsi_seal(seal, &n->number, sizeof n->number);
    }
    for (size_t i = 0; i < tape->end_count; i++) seal = tcsi_seal(seal, &tape->ends[i].node, sizeof tape->ends[i].node);
    return seal;
}

/* No more nodes than this will be written. */
static size_t count_most(const writer *w)
{
    enum { TOLERANCE = 2, OTHERS = 3 }; /* nodes a term; a number, what multiplies or divides, what cuts off */
    const tcsi_knowledge *k = w->bound->knowledge;
    size_t count = 0;
    for (size_t f = 0; f < k->formula_count; f++)
        if (w->is_needed[f]) count += k->formulas[f].expression.count + TOLERANCE * k->formulas[f].equation.term_count + 2 * OTHERS;
    return count;
}

static void write_out(writer *w)
{
    const tcsi_knowledge *k = w->bound->knowledge;
    tcsi_tape *tape = w->tape;
    for (size_t i = 0; i < k->formula_count; i++)
        if (w->is_needed[k->order[i]]) add_formula(w, k->order[i]);
    for (size_t f = 0; f < k->formula_count; f++)
        if (k->formulas[f].is_constraint)
            tape->ends[tape->end_count++] = (tcsi_tape_end){ w->residual[f], side_of(k->formulas[f].equation.relation) };
    tape->seal = seal_of(tape);
}

/* Nothing is written where there are no constraints, or too many. */
static tcs_status make(const tcsi_bound *bound, tcsi_tape *tape, tcs_error *err)
{
    const size_t count = bound->knowledge->formula_count;
    writer w = { .bound = bound, .tape = tape, .is_needed = TCSI_NEW_ZEROS(bool, count), .seen = TCSI_NEW_ZEROS(size_t, count),
                 .residual = TCSI_NEW_ZEROS(size_t, count), .places = TCSI_NEW_ZEROS(size_t, TCSI_EXPRESSION_NODE_COUNT_MAX) };
    size_t most = 0;
    bool has_room = w.is_needed && w.seen && w.residual && w.places;
    if (has_room) {
        find_needed(&w);
        most = count_most(&w);
        has_room = (tape->nodes = TCSI_ARENA_NEW(&tape->arena, tcsi_tape_node, most + 1)) != NULL &&
                   (tape->ends = TCSI_ARENA_NEW(&tape->arena, tcsi_tape_end, count + 1)) != NULL;
    }
    if (has_room && most <= TCSI_TAPE_NODE_COUNT_MAX) write_out(&w);
    else if (has_room)
        tcsi_log(TCSI_LOG_WARNING, "KNOW-TAPE", "%s: constraints of more than %d terms and operations are no penalty in training",
                 bound->knowledge->file, TCSI_TAPE_NODE_COUNT_MAX);
    tcsi_free(w.is_needed);
    tcsi_free(w.seen);
    tcsi_free(w.residual);
    tcsi_free(w.places);
    return has_room ? TCS_OK : tcsi_fail_memory(err, "constraints");
}

tcs_status tcsi_tape_create(const tcsi_bound *bound, tcsi_tape **ret_tape, tcs_error *err)
{
    tcsi_tape *tape = TCSI_NEW(tcsi_tape);
    if (!tape) return tcsi_fail_memory(err, "constraints");
    tcsi_arena_init(&tape->arena, 0);
    tape->channel_count = bound->channel_count;
    tape->has_times = bound->has_times;
    const tcs_status status = make(bound, tape, err);
    const bool is_wanted = status == TCS_OK && tape->end_count > 0;
    if (!is_wanted) tcsi_tape_destroy(tape);
    if (status == TCS_OK) *ret_tape = is_wanted ? tape : NULL;
    return status;
}

void tcsi_tape_destroy(tcsi_tape *tape)
{
    if (!tape) return;
    tcsi_arena_deinit(&tape->arena);
    tcsi_free(tape);
}

size_t tcsi_tape_room(const tcsi_tape *tape, size_t step_count)
{
    return tcsi_size_product(2 * tape->node_count, step_count);
}

/* ---- looking back ---- */

/* A node looks back over `whole` steps and a share of the one before; it has a value from step `first` on. */
typedef struct reach {
    size_t whole, first;
    double share;
} reach;

static double row_seconds(const tcsi_tape *tape, const tcsi_pace *pace) { return tape->has_times ? pace->row_seconds : 1; }

static double step_seconds(const tcsi_tape *tape, const tcsi_pace *pace)
{
    return (double)pace->rows_a_step * row_seconds(tape, pace);
}

/* Rows at least as old as a duration, or younger than it, are counted as bound.h does of rows evenly apart. */
static reach reach_of(const tcsi_tape *tape, const tcsi_pace *pace, const tcsi_tape_node *node)
{
    const double rounding = 1e-9, duration_rows = (double)node->duration_ns * 1e-9 / row_seconds(tape, pace);
    const double rows = node->rows > 0 ? (double)node->rows : fmax(1, ceil(duration_rows - rounding));
    const double steps = fmin(rows / (double)pace->rows_a_step, (double)pace->step_count + 1), least = ceil(steps);
    const bool is_mean = node->op == TCSI_OP_MEAN;
    const double span = is_mean ? fmax(1, steps) : steps;
    reach r = { .whole = (size_t)span, .first = (size_t)least };
    r.share = span - (double)r.whole;
    if (is_mean && node->rows > 0) r.first--;
    return r;
}

static void evaluate_lag(const reach *r, size_t step_count, const double *x, double *ret_y)
{
    for (size_t t = 0; t < step_count; t++) {
        ret_y[t] = NAN;
        if (t < r->first) continue;
        ret_y[t] = r->share > 0 ? (1 - r->share) * x[t - r->whole] + r->share * x[t - r->whole - 1] : x[t - r->whole];
    }
}

static void pull_lag(const reach *r, size_t step_count, const double *slopes, double *to)
{
    for (size_t t = r->first; t < step_count; t++) {
        to[t - r->whole] += (1 - r->share) * slopes[t];
        if (r->share > 0) to[t - r->whole - 1] += r->share * slopes[t];
    }
}

/* Of the steps that a mean in step t is over: whole ones, and whether a share of one before them is there. */
static size_t whole_of(const reach *r, size_t t) { return r->whole < t + 1 ? r->whole : t + 1; }
static bool has_share(const reach *r, size_t t) { return r->share > 0 && t >= r->whole; }

/* The sum of those that are there, and of their weights. */
static double sum_of(const reach *r, size_t t, const double *x, double *ret_weights)
{
    double sum = 0, weights = 0;
    for (size_t i = t + 1 - whole_of(r, t); i <= t; i++) {
        if (isnan(x[i])) continue;
        sum += x[i];
        weights++;
    }
    if (has_share(r, t) && !isnan(x[t - r->whole])) {
        sum += r->share * x[t - r->whole];
        weights += r->share;
    }
    *ret_weights = weights;
    return sum;
}

static void evaluate_mean(const reach *r, size_t step_count, const double *x, double *ret_y)
{
    for (size_t t = 0; t < step_count; t++) {
        double weights = 0;
        const double sum = t >= r->first ? sum_of(r, t, x, &weights) : 0;
        ret_y[t] = weights > 0 ? sum / weights : NAN;
    }
}

static void pull_mean(const reach *r, size_t step_count, const double *x, const double *slopes, double *to)
{
    for (size_t t = r->first; t < step_count; t++) {
        double weights;
        if (slopes[t] == 0) continue;
        (void)sum_of(r, t, x, &weights);
        const double each = slopes[t] / weights;
        for (size_t i = t + 1 - whole_of(r, t); i <= t; i++)
            if (!isnan(x[i])) to[i] += each;
        if (has_share(r, t) && !isnan(x[t - r->whole])) to[t - r->whole] += each * r->share;
    }
}

static void evaluate_rate(double seconds, size_t step_count, const double *x, double *ret_y)
{
    ret_y[0] = NAN;
    for (size_t t = 1; t < step_count; t++) ret_y[t] = (x[t] - x[t - 1]) / seconds;
}

static void pull_rate(double seconds, size_t step_count, const double *slopes, double *to)
{
    for (size_t t = 1; t < step_count; t++) {
        to[t] += slopes[t] / seconds;
        to[t - 1] -= slopes[t] / seconds;
    }
}

/* ---- forward and back ---- */

static void evaluate_op(tcsi_op op, size_t step_count, const double *left, const double *right, double *ret_y)
{
    switch (op) {
    case TCSI_OP_ADD: for (size_t t = 0; t < step_count; t++) ret_y[t] = left[t] + right[t]; break;
    case TCSI_OP_SUBTRACT: for (size_t t = 0; t < step_count; t++) ret_y[t] = left[t] - right[t]; break;
    case TCSI_OP_MULTIPLY: for (size_t t = 0; t < step_count; t++) ret_y[t] = left[t] * right[t]; break;
    case TCSI_OP_ABS: for (size_t t = 0; t < step_count; t++) ret_y[t] = fabs(left[t]); break;
    case TCSI_OP_MAX: /* that is every percentage */
        for (size_t t = 0; t < step_count; t++) ret_y[t] = left[t] > right[t] || isnan(left[t]) ? left[t] : right[t];
        break;
    default: for (size_t t = 0; t < step_count; t++) ret_y[t] = tcsi_op_apply(op, left[t], right[t]); break;
    }
}

/* Where nobody asks the slope is 0, and a value that is no number stands in nobody's way. */
static void pull_op(tcsi_op op, size_t step_count, const double *left, const double *right, const double *slopes, double *to_left,
                    double *to_right)
{
    for (size_t t = 0; t < step_count; t++) {
        double by_left, by_right;
        if (slopes[t] == 0) continue;
        tcsi_op_slopes(op, left[t], right[t], &by_left, &by_right);
        to_left[t] += slopes[t] * by_left;
        to_right[t] += slopes[t] * by_right;
    }
}

static void evaluate_node(const tcsi_tape *tape, const tcsi_pace *pace, const tcsi_tape_node *node, const double *inputs, double *values,
                          double *ret_y)
{
    const size_t steps = pace->step_count;
    const double *left = values + node->left * steps;
    const reach r = node->op == TCSI_OP_LAG || node->op == TCSI_OP_MEAN ? reach_of(tape, pace, node) : (reach){ 0 };
    switch (node->op) {
    case TCSI_OP_NUMBER: for (size_t t = 0; t < steps; t++) ret_y[t] = node->number; break;
    case TCSI_OP_NAME: memcpy(ret_y, inputs + node->channel * steps, steps * sizeof *ret_y); break;
    case TCSI_OP_RATE: evaluate_rate(step_seconds(tape, pace), steps, left, ret_y); break;
    case TCSI_OP_LAG: evaluate_lag(&r, steps, left, ret_y); break;
    case TCSI_OP_MEAN: evaluate_mean(&r, steps, left, ret_y); break;
    default: evaluate_op(node->op, steps, left, values + node->right * steps, ret_y); break;
    }
}

void tcsi_tape_evaluate(const tcsi_tape *tape, const tcsi_pace *pace, const double *values, double *ret_residuals, double *room)
{
    const size_t steps = pace->step_count;
    for (size_t n = 0; n < tape->node_count; n++) evaluate_node(tape, pace, &tape->nodes[n], values, room, room + n * steps);
    for (size_t k = 0; k < tape->end_count; k++)
        memcpy(ret_residuals + k * steps, room + tape->ends[k].node * steps, steps * sizeof *ret_residuals);
}

static void pull_node(const tcsi_tape *tape, const tcsi_pace *pace, const tcsi_tape_node *node, const double *values, const double *mine,
                      double *slopes)
{
    const size_t steps = pace->step_count;
    const double *left = values + node->left * steps;
    double *to = slopes + node->left * steps;
    const reach r = node->op == TCSI_OP_LAG || node->op == TCSI_OP_MEAN ? reach_of(tape, pace, node) : (reach){ 0 };
    switch (node->op) {
    case TCSI_OP_NUMBER:
    case TCSI_OP_NAME: break;
    case TCSI_OP_RATE: pull_rate(step_seconds(tape, pace), steps, mine, to); break;
    case TCSI_OP_LAG: pull_lag(&r, steps, mine, to); break;
    case TCSI_OP_MEAN: pull_mean(&r, steps, left, mine, to); break;
    default: pull_op(node->op, steps, left, values + node->right * steps, mine, to, slopes + node->right * steps); break;
    }
}

void tcsi_tape_pull(const tcsi_tape *tape, const tcsi_pace *pace, const double *slopes, double *ret_slopes, double *room)
{
    const size_t steps = pace->step_count;
    double *own = room + tape->node_count * steps;
    memset(own, 0, tape->node_count * steps * sizeof *own);
    memset(ret_slopes, 0, tape->channel_count * steps * sizeof *ret_slopes);
    for (size_t k = 0; k < tape->end_count; k++) {
        const double *residuals = room + tape->ends[k].node * steps;
        for (size_t t = 0; t < steps; t++)
            if (isfinite(residuals[t])) own[tape->ends[k].node * steps + t] += slopes[k * steps + t];
    }
    for (size_t n = tape->node_count; n-- > 0;) {
        const tcsi_tape_node *node = &tape->nodes[n];
        pull_node(tape, pace, node, room, own + n * steps, own);
        for (size_t t = 0; node->op == TCSI_OP_NAME && t < steps; t++) ret_slopes[node->channel * steps + t] += own[n * steps + t];
    }
}
