/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/deep/penalty.h"

#include "base/alloc.h"
#include "base/codec.h"
#include "base/log.h"
#include "nn/layers.h"
#include "nn/op.h"
#include "series/cadence.h"

#include <math.h>
#include <string.h>

enum { LOOKS = 16 /* windows that units are measured on */, FLOATS_A_DOUBLE = sizeof(double) / sizeof(float) };

/* ---- life ---- */

tcs_status tcsi_penalty_init(tcsi_penalty *penalty, const tcsi_constraints *constraints, double weight, const tcsi_penalty_form *form,
                             tcs_error *err)
{
    *penalty = (tcsi_penalty){ .form = *form, .step_count = form->step_count - form->skipped_count };
    if (!constraints || !(weight > 0)) return TCS_OK;
    TCS_ASSERT(form->skipped_count < form->step_count && constraints->count > 0 && constraints->channel_count <= form->channel_count);
    penalty->constraints = constraints;
    penalty->scales = TCSI_NEW_ZEROS(tcsi_scale, constraints->channel_count);
    penalty->units = TCSI_NEW_ZEROS(double, constraints->count);
    return penalty->scales && penalty->units ? TCS_OK : tcsi_fail_memory(err, "constraints");
}

void tcsi_penalty_deinit(tcsi_penalty *penalty)
{
    tcsi_free(penalty->scales);
    tcsi_free(penalty->units);
    *penalty = (tcsi_penalty){ 0 };
}

/* ---- room for one window ---- */

typedef struct window {
    double *values, *slopes; /* (C,W) in units; by them */
    double *residuals;       /* (K,W); then slopes by them */
    double *room;            /* the constraints' own */
} window;

static size_t window_count(const tcsi_penalty *p)
{
    const size_t each = tcsi_size_sum(tcsi_size_product(2, p->constraints->channel_count), p->constraints->count);
    return tcsi_size_sum(tcsi_size_product(each, p->step_count), p->constraints->room(p->constraints->context, p->step_count));
}

static window window_in(const tcsi_penalty *p, double *numbers)
{
    const size_t cells = p->constraints->channel_count * p->step_count;
    return (window){ .values = numbers, .slopes = numbers + cells, .residuals = numbers + 2 * cells,
                     .room = numbers + 2 * cells + p->constraints->count * p->step_count };
}

/* What was said of each step, y and then every stride floats, back in units of the channels. */
static void evaluate(const tcsi_penalty *p, const float *y, size_t stride, window *w)
{
    const size_t steps = p->step_count;
    for (size_t c = 0; c < p->constraints->channel_count; c++)
        for (size_t t = 0; t < steps; t++) w->values[c * steps + t] = p->scales[c].center + p->scales[c].spread * (double)y[t * stride + c];
    p->constraints->evaluate(p->constraints->context, &p->pace, w->values, w->residuals, w->room);
}

/* ---- the loss of one window ---- */

/* How far a residual is beyond what is tolerated, with its sign, in deviations. */
static double excess(const tcsi_penalty *p, size_t k, double residual)
{
    const int side = p->constraints->sides[k];
    if (residual > 1 && side >= 0) return (residual - 1) / p->units[k];
    if (residual < -1 && side <= 0) return (residual + 1) / p->units[k];
    return 0;
}

static size_t told_count(const double *residuals, size_t count)
{
    size_t told = 0;
    for (size_t t = 0; t < count; t++) told += isfinite(residuals[t]) != 0;
    return told;
}

/* The share of one step of constraint k in the loss; 0: it is not punished here. */
static double share_of(const tcsi_penalty *p, size_t k, const double *residuals)
{
    const size_t told = p->units[k] > 0 ? told_count(residuals, p->step_count) : 0;
    return told > 0 ? 1 / (double)(told * p->constraints->count * p->taught_count) : 0;
}

/* 2 (sqrt(1 + d^2) - 1), without losing small ones; and its slope. */
static double cost_of(double d)
{
    return 2 * d * d / (1 + hypot(1, d));
}

static double slope_of(double d)
{
    return 2 * d / hypot(1, d);
}

static double loss_of(const tcsi_penalty *p, const window *w)
{
    double sum = 0;
    for (size_t k = 0; k < p->constraints->count; k++) {
        const double *residuals = w->residuals + k * p->step_count;
        const double share = share_of(p, k, residuals);
        double own = 0;
        for (size_t t = 0; share > 0 && t < p->step_count; t++)
            if (isfinite(residuals[t])) own += cost_of(excess(p, k, residuals[t]));
        sum += own * share;
    }
    return sum;
}

/* Residuals become slopes by them, and those slopes by the values. */
static void pull(const tcsi_penalty *p, window *w)
{
    for (size_t k = 0; k < p->constraints->count; k++) {
        double *residuals = w->residuals + k * p->step_count;
        const double share = share_of(p, k, residuals);
        for (size_t t = 0; t < p->step_count; t++)
            residuals[t] = share > 0 && isfinite(residuals[t]) ? share * slope_of(excess(p, k, residuals[t])) / p->units[k] : 0;
    }
    p->constraints->pull(p->constraints->context, &p->pace, w->residuals, w->slopes, w->room);
}

/* ---- the operation ---- */

typedef struct penalty_options {
    const tcsi_penalty *penalty;
} penalty_options;

static const tcsi_penalty *penalty_of(const tcsi_node *node)
{
    return ((const penalty_options *)node->options)->penalty;
}

static tcs_status penalty_shape(tcsi_net *net, tcsi_node *node, tcs_error *err)
{
    const tcsi_penalty *p = penalty_of(node);
    const tcsi_shape y = tcsi_net_shape(net, node->inputs[0]);
    if (y.length != p->form.step_count || y.channels < p->form.part_count * p->form.channel_count)
        return tcsi_fail(err, TCS_E_INVALID, "penalty: %zu steps of %zu values, expected %zu of %zu", y.length, y.channels,
                         p->form.step_count, p->form.part_count * p->form.channel_count);
    node->shape = (tcsi_shape){ 1, 1 };
    node->saved_count = y.length * y.channels;
    return TCS_OK;
}

/* A window's slopes, as those by what was said: ret_slopes and then every stride floats. */
static void keep_slopes(const tcsi_penalty *p, const window *w, size_t stride, float *ret_slopes)
{
    for (size_t c = 0; c < p->constraints->channel_count; c++)
        for (size_t t = 0; t < p->step_count; t++) {
            const float slope = (float)(w->slopes[c * p->step_count + t] * p->scales[c].spread);
            ret_slopes[t * stride + c] = isfinite(slope) ? slope : 0;
        }
}

/* y (B,1,1) from x (B,W,S), S parts C or more; saved (B,W,S): y's slopes by x, for which constraints need not be asked again. */
static void penalty_forward(const tcsi_op_call *call)
{
    const tcsi_penalty *p = penalty_of(call->node);
    const size_t stride = tcsi_net_shape(call->net, call->node->inputs[0]).channels, count = call->node->saved_count;
    window w = window_in(p, (double *)(void *)call->scratch);
    memset(call->saved, 0, call->batch * count * sizeof *call->saved);
    for (size_t b = 0; b < call->batch; b++) {
        double sum = 0;
        for (size_t part = 0; part < p->taught_count; part++) {
            const size_t at = b * count + p->form.skipped_count * stride + part * p->form.channel_count;
            evaluate(p, call->x[0] + at, stride, &w);
            const double loss = loss_of(p, &w);
            sum += loss;
            if (!(loss > 0)) continue;
            pull(p, &w);
            keep_slopes(p, &w, stride, call->saved + at);
        }
        call->y[b] = (float)sum;
    }
}

static void penalty_backward(const tcsi_op_call *call)
{
    const size_t count = call->node->saved_count;
    float *dx = call->dx[0];
    for (size_t b = 0; b < call->batch && dx; b++, dx += count)
        for (size_t i = 0; i < count; i++) {
            const float slope = call->dy[b] * call->saved[b * count + i];
            dx[i] = call->accumulate[0] ? dx[i] + slope : slope;
        }
}

static size_t penalty_scratch(const tcsi_net *net, const tcsi_node *node, size_t batch)
{
    (void)net;
    (void)batch;
    return tcsi_size_product(window_count(penalty_of(node)), FLOATS_A_DOUBLE);
}

static double penalty_cost(const tcsi_net *net, const tcsi_node *node)
{
    const tcsi_penalty *p = penalty_of(node);
    (void)net;
    return p->constraints->cost * (double)(p->step_count * p->form.part_count);
}

/* Not in ops.def: what it computes is no network's, and no file for others holds it. */
static const tcsi_op tcsi_op_penalty = {
    .name = "penalty", .traits = TCSI_OP_LOSS, .options_size = sizeof(penalty_options), .input_min = 1, .input_max = 1,
    .shape = penalty_shape, .forward = penalty_forward, .backward = penalty_backward, .scratch_count = penalty_scratch,
    .cost = penalty_cost,
};

tcsi_node_id tcsi_penalty_join(tcsi_penalty *penalty, tcsi_net *net, tcsi_node_id loss, tcsi_node_id y, double weight)
{
    if (!penalty->constraints) return loss;
    const tcsi_node_id losses[] = { loss, tcsi_net_add(net, &tcsi_op_penalty, &y, 1, &(penalty_options){ penalty }) };
    const float coefficients[] = { 1, (float)weight };
    return tcsi_nn_loss_sum(net, losses, coefficients, TCS_COUNT(losses));
}

/* ---- learning ---- */

/* The last step in which constraint k can be told; step_count: in none. */
static size_t last_told(const tcsi_penalty *p, const window *w, size_t k)
{
    for (size_t t = p->step_count; t-- > 0;)
        if (isfinite(w->residuals[k * p->step_count + t])) return t;
    return p->step_count;
}

/* Squared change of residual (k,t) when channels change by a deviation; the slopes by the values are there. */
static double change_squared(const tcsi_penalty *p, const window *w)
{
    double sum = 0;
    for (size_t c = 0; c < p->constraints->channel_count; c++) {
        double together = 0, apart = 0;
        for (size_t t = 0; t < p->step_count; t++) {
            const double slope = w->slopes[c * p->step_count + t] * p->scales[c].spread;
            together += slope;
            apart += slope * slope;
        }
        if (!p->scales[c].constant) sum += fmax(together * together, apart);
    }
    return sum;
}

typedef struct measuring {
    double *numbers;      /* of a window */
    double *sums;         /* (K) of squared changes, in windows that tell */
    size_t *counts, *last; /* (K): those windows; where the one at hand tells last */
} measuring;

static void look(const tcsi_penalty *p, const float *y, size_t stride, measuring *m)
{
    const size_t steps = p->step_count, count = p->constraints->count;
    window w = window_in(p, m->numbers);
    evaluate(p, y, stride, &w);
    for (size_t k = 0; k < count; k++) m->last[k] = last_told(p, &w, k);
    memset(w.residuals, 0, count * steps * sizeof *w.residuals);
    for (size_t k = 0; k < count; k++) {
        if (m->last[k] == steps) continue;
        double *slope = &w.residuals[k * steps + m->last[k]];
        *slope = 1;
        p->constraints->pull(p->constraints->context, &p->pace, w.residuals, w.slopes, w.room);
        *slope = 0;
        const double squared = change_squared(p, &w);
        if (!isfinite(squared)) continue;
        m->sums[k] += squared;
        m->counts[k]++;
    }
}

/* False: there is nothing to punish. */
static bool keep_units(tcsi_penalty *p, const measuring *m)
{
    size_t silent = 0;
    for (size_t k = 0; k < p->constraints->count; k++) {
        const double unit = m->counts[k] > 0 ? sqrt(m->sums[k] / (double)m->counts[k]) : 0;
        p->units[k] = isfinite(unit) && 1 / unit < TCS_VALUE_MAX ? unit : 0;
        silent += p->units[k] == 0;
    }
    if (silent > 0)
        tcsi_log(TCSI_LOG_INFO, "LEARN-PENALTY", "%zu of %zu constraints are no penalty in training: windows of %zu steps of %zu rows "
                 "cannot tell them", silent, p->constraints->count, p->step_count, p->pace.rows_a_step);
    return silent < p->constraints->count;
}

static tcs_status find_pace(tcsi_penalty *p, const tcsi_sequence *sequence, const int64_t *times_ns, tcs_error *err)
{
    tcsi_cadence cadence = { .step_ns = 0 };
    const tcs_status status = times_ns ? tcsi_cadence_of(times_ns, sequence->row_count, &cadence, NULL, 0, err) : TCS_OK;
    p->pace = (tcsi_pace){ .step_count = p->step_count, .rows_a_step = sequence->factor,
                           .row_seconds = cadence.step_ns > 0 ? (double)cadence.step_ns * 1e-9 : 1 };
    return status;
}

static tcs_status measure(tcsi_penalty *p, const tcsi_sequence *sequence, size_t taught_count, tcs_error *err)
{
    const size_t count = p->constraints->count, last = sequence->step_count - p->step_count;
    measuring m = { .numbers = TCSI_NEW_ZEROS(double, window_count(p)), .sums = TCSI_NEW_ZEROS(double, count),
                    .counts = TCSI_NEW_ZEROS(size_t, count), .last = TCSI_NEW_ZEROS(size_t, count) };
    const bool has_room = m.numbers && m.sums && m.counts && m.last;
    for (size_t i = 0; has_room && i < LOOKS; i++)
        look(p, sequence->values.values + last * i / (LOOKS - 1) * sequence->input_count, sequence->input_count, &m);
    if (has_room && keep_units(p, &m)) p->taught_count = taught_count;
    tcsi_free(m.numbers);
    tcsi_free(m.sums);
    tcsi_free(m.counts);
    tcsi_free(m.last);
    return has_room ? TCS_OK : tcsi_fail_memory(err, "constraints");
}

tcs_status tcsi_penalty_learn(tcsi_penalty *penalty, const tcsi_sequence *sequence, const tcsi_sequence_form *form, const int64_t *times_ns,
                              size_t taught_count, tcs_error *err)
{
    penalty->taught_count = 0;
    if (!penalty->constraints || sequence->step_count < penalty->step_count) return TCS_OK; /* training will say that they are too few */
    memcpy(penalty->scales, form->scales, penalty->constraints->channel_count * sizeof *penalty->scales);
    tcs_status status = find_pace(penalty, sequence, times_ns, err);
    return status == TCS_OK ? measure(penalty, sequence, taught_count, err) : status;
}

uint64_t tcsi_penalty_key(const tcsi_penalty *penalty, double weight)
{
    if (!penalty->constraints) return 0;
    return tcsi_seal(tcsi_seal(TCSI_SEAL_BEGIN, &penalty->constraints->seal, sizeof penalty->constraints->seal), &weight, sizeof weight);
}

size_t tcsi_penalty_size_max(const tcsi_penalty *penalty, size_t row_count)
{
    if (!penalty->constraints) return 0;
    const size_t steps_between = tcsi_size_product(row_count, 2); /* rows' times: cadence.h */
    const size_t learning = tcsi_size_sum(tcsi_size_sum(window_count(penalty), 3 * penalty->constraints->count), steps_between);
    const size_t kept = penalty->constraints->channel_count * sizeof(tcsi_scale) + penalty->constraints->count * sizeof(double);
    return tcsi_size_sum(tcsi_size_product(learning, sizeof(double)), kept);
}
