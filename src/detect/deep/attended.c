/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/deep/attended.h"

#include "base/alloc.h"
#include "detect/deep/forecaster.h"
#include "nn/op.h"
#include "nn/plan.h"

#include <string.h>

/* The last layer of attention; the count of nodes: there is none. */
static tcsi_node_id find_attention(const tcsi_net *net)
{
    for (size_t i = net->node_count; i-- > 0;)
        if (strcmp(net->nodes[i].op->name, "attention") == 0) return (tcsi_node_id)i;
    return (tcsi_node_id)net->node_count;
}

typedef struct work {
    const tcsi_detector *base;
    tcsi_sequence sequence;
    tcsi_plan *plan;
    tcsi_node_id attention;
    size_t steps, heads, members, factor;
    size_t first;              /* row of the frame that the sequence begins with */
    bool is_causal;
} work;

static tcs_status begin(work *w, tcsi_net *net, const tcsi_sequence_form *form, const tcsi_frame *frame, const tcsi_regard_wish *wish,
                        tcs_error *err)
{
    const size_t reach = w->steps * form->factor, last = wish->rows[wish->row_count - 1];
    const size_t from = wish->rows[0] > reach ? (wish->rows[0] - reach) / form->factor * form->factor : 0;
    const size_t to = frame->row_count - last > reach ? last + reach : frame->row_count;
    w->attention = find_attention(net);
    w->factor = form->factor;
    w->first = from;
    if (!w->base->is_fitted && w->is_causal) return tcsi_fail(err, TCS_E_UNSUPPORTED, "%s: not fitted", w->base->info->name);
    if (w->attention == net->node_count) return tcsi_fail(err, TCS_E_UNSUPPORTED, "%s: no attention", w->base->info->name);
    if (form->factor == 0 || (to - from) / form->factor < w->steps)
        return tcsi_fail(err, TCS_E_UNSUPPORTED, "%s: fewer rows than a window", w->base->info->name);
    const tcsi_frame rows = tcsi_frame_view(frame, from, to - from);
    const tcsi_plan_options options = { .net = net, .batch = 1, .kept = &w->attention, .kept_count = 1 };
    w->heads = net->nodes[w->attention].saved_count / (w->steps * w->steps);
    tcs_status status = tcsi_sequence_init(&rows, form, &w->sequence, err);
    return status == TCS_OK ? tcsi_plan_create(&options, &w->plan, err) : status;
}

static void end(work *w)
{
    tcsi_sequence_deinit(&w->sequence);
    tcsi_plan_destroy(w->plan);
}

/* The step that stands for a row, and the window in which it is looked at. */
static void place(const work *w, size_t row, size_t *ret_step, size_t *ret_window)
{
    const size_t last = w->sequence.step_count - w->steps;
    size_t step = (row - w->first) / w->factor;
    if (step >= w->sequence.step_count) step = w->sequence.step_count - 1;
    if (w->is_causal && step > 0) step--;
    const size_t before = w->is_causal ? w->steps - 1 : w->steps / 2, window = step > before ? step - before : 0;
    *ret_step = step;
    *ret_window = window < last ? window : last;
}

/* Adds a member's attention of the rows; the net's weights are the member's. */
static void add_member(work *w, tcsi_pool *pool, tcsi_regard *regard)
{
    for (size_t i = 0; i < regard->line_count; i++) {
        size_t step, window;
        place(w, regard->lines[i].row, &step, &window);
        const float *x = w->sequence.values.values + window * w->sequence.input_count;
        const tcsi_run run = { .inputs = { x, x }, .batch = 1, .seed = w->base->seed };
        tcsi_plan_forward(w->plan, pool, &run);
        const float *saved = tcsi_plan_saved(w->plan, w->attention);
        tcsi_link *links = regard->links + i * regard->link_count;
        for (size_t h = 0; h < w->heads; h++)
            for (size_t k = 0; k < w->steps; k++)
                links[k].share += (double)saved[(h * w->steps + step - window) * w->steps + k] / (double)(w->heads * w->members);
    }
}

/* Rows of the links, and of what stands for the line; what a causal network cannot see is no link. */
static void place_links(const work *w, size_t row_count, tcsi_regard *regard)
{
    for (size_t i = 0; i < regard->line_count; i++) {
        size_t step, window;
        tcsi_regard_line *line = &regard->lines[i];
        place(w, line->row, &step, &window);
        line->row_begin = w->first + step * w->factor;
        line->row_end = line->row_begin + w->factor < row_count ? line->row_begin + w->factor : row_count;
        for (size_t k = 0; k < w->steps && !(w->is_causal && window + k > step); k++) {
            tcsi_link *link = &regard->links[i * regard->link_count + k];
            link->row_begin = w->first + (window + k) * w->factor;
            link->row_end = link->row_begin + w->factor < row_count ? link->row_begin + w->factor : row_count;
        }
    }
}

tcs_status tcsi_window_net_regard(tcsi_detector *base, const tcsi_frame *frame, const tcsi_regard_wish *wish, tcsi_regard *ret_regard,
                                  tcs_error *err)
{
    tcsi_window_net *self = (tcsi_window_net *)base;
    tcsi_regard regard = { .links = NULL };
    work w = { .base = base, .steps = self->options.steps, .members = self->options.members };
    if (self->more_channels > 0) return tcsi_fail(err, TCS_E_UNSUPPORTED, "%s: its windows are not the frame's", base->info->name);
    tcs_status status = begin(&w, self->net, &self->form, frame, wish, err);
    if (status == TCS_OK) status = tcsi_regard_init(TCSI_REGARD_ATTENTION, wish, w.steps, &regard, err);
    for (size_t m = 0; m < w.members && status == TCS_OK; m++) {
        tcsi_window_net_take(self, m * self->options.draws);
        add_member(&w, base->pool, &regard);
    }
    if (status == TCS_OK) {
        place_links(&w, frame->row_count, &regard);
        *ret_regard = regard;
    }
    end(&w);
    return status;
}

tcs_status tcsi_forecaster_regard(tcsi_detector *base, const tcsi_frame *frame, const tcsi_regard_wish *wish, tcsi_regard *ret_regard,
                                  tcs_error *err)
{
    tcsi_forecaster *self = (tcsi_forecaster *)base;
    tcsi_regard regard = { .links = NULL };
    tcs_status status = TCS_OK;
    for (size_t m = 0; m < self->options.members && status == TCS_OK; m++) {
        work w = { .base = base, .steps = self->options.steps, .members = self->options.members, .is_causal = true };
        status = begin(&w, self->members[m].net, &self->form, frame, wish, err);
        if (status == TCS_OK && m == 0) status = tcsi_regard_init(TCSI_REGARD_ATTENTION, wish, w.steps, &regard, err);
        if (status == TCS_OK) add_member(&w, base->pool, &regard);
        if (status == TCS_OK) place_links(&w, frame->row_count, &regard);
        end(&w);
    }
    if (status == TCS_OK) *ret_regard = regard;
    else tcsi_regard_deinit(&regard);
    return status;
}
