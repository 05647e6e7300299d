/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/deep/gradients.h"

#include "base/alloc.h"

#include <math.h>
#include <string.h>

enum { POINTS = TCSI_GRADIENT_POINTS, STRIDES_A_WINDOW = 4 };

typedef struct work {
    tcsi_window_net *net;
    tcsi_plan *plan;
    bool is_compared;                 /* f compares the output with the window itself */
    tcsi_sequence observed, expected; /* of the rows that any window asked about may hold */
    tcsi_floats line;                 /* (POINTS,W,I) from expected to observed */
    double *parts;                    /* (U,C) */
} work;

static void work_deinit(work *w)
{
    tcsi_plan_destroy(w->plan);
    tcsi_sequence_deinit(&w->observed);
    tcsi_sequence_deinit(&w->expected);
    tcsi_floats_deinit(&w->line);
    tcsi_free(w->parts);
}

static tcs_status work_init(work *w, tcsi_window_net *net, const tcsi_frame *frame, const tcsi_frame *normal, tcs_error *err)
{
    *w = (work){ .net = net, .is_compared = net->nodes.output != net->explained };
    const tcsi_plan_options options = { .net = net->net, .batch = POINTS, .outputs = &net->nodes.output, .output_count = w->is_compared,
                                        .has_loss = true, .loss = net->explained, .input_gradients = true };
    tcs_status status = tcsi_sequence_init(frame, &net->form, &w->observed, err);
    if (status == TCS_OK) status = tcsi_sequence_init(normal, &net->form, &w->expected, err);
    if (status == TCS_OK) status = tcsi_plan_create(&options, &w->plan, err);
    if (status != TCS_OK) return status;
    w->parts = TCSI_NEW_ZEROS(double, w->observed.step_count * w->observed.channel_count);
    if (!w->parts || !tcsi_floats_init(&w->line, POINTS * net->options.steps * w->observed.input_count))
        return tcsi_fail_memory(err, net->base.info->name);
    return TCS_OK;
}

/* The window at step u, at the middles of POINTS equal parts of the way. */
static void fill_line(work *w, size_t u)
{
    const size_t values = w->net->options.steps * w->observed.input_count;
    const float *x = w->observed.values.values + u * w->observed.input_count, *b = w->expected.values.values + u * w->observed.input_count;
    for (size_t p = 0; p < POINTS; p++) {
        const float share = ((float)p + 0.5F) / POINTS;
        for (size_t i = 0; i < values; i++) w->line.values[p * values + i] = b[i] + share * (x[i] - b[i]);
    }
}

/* The loss is the mean over the batch: each row's gradient comes divided by POINTS, and their sum is the mean over the line. */
static void add_window(work *w, size_t u)
{
    const size_t steps = w->net->options.steps, inputs = w->observed.input_count, channels = w->observed.channel_count;
    const tcsi_run run = { .inputs = { w->line.values, w->line.values }, .batch = POINTS, .seed = w->net->base.seed };
    fill_line(w, u);
    (void)tcsi_plan_backward(w->plan, w->net->base.pool, &run);
    const float *gradients = tcsi_plan_input_gradients(w->plan, 0);
    const float *outputs = w->is_compared ? tcsi_plan_values(w->plan, w->net->nodes.output) : NULL;
    const double cells = (double)(steps * channels) * POINTS;
    for (size_t s = 0; s < steps; s++)
        for (size_t c = 0; c < channels; c++) {
            const size_t at = (u + s) * inputs + c;
            double slope = 0;
            for (size_t p = 0; p < POINTS; p++) {
                const size_t cell = (p * steps + s) * inputs + c;
                slope += (double)gradients[cell];
                if (outputs) slope += 2 * ((double)w->line.values[cell] - (double)outputs[(p * steps + s) * channels + c]) / cells;
            }
            const double part = slope * ((double)w->observed.values.values[at] - (double)w->expected.values.values[at]);
            if (isfinite(part)) w->parts[(u + s) * channels + c] += part;
        }
}

/* Windows that hold a step of [begin, end). */
static void add_windows(work *w, size_t begin, size_t end)
{
    const size_t steps = w->net->options.steps, last = w->observed.step_count - steps;
    const size_t stride = steps < STRIDES_A_WINDOW ? 1 : steps / STRIDES_A_WINDOW;
    size_t u = begin > steps ? (begin - steps + stride) / stride * stride : 0;
    for (; u < end && u <= last; u += stride) add_window(w, u);
    if (last % stride > 0 && last < end) add_window(w, last);
}

/* Rows around the ones asked about, beginning where a step of the whole frame begins. */
static void choose_rows(const tcsi_window_net *net, const tcsi_frame *frame, size_t row_begin, size_t row_end, size_t *ret_begin,
                        size_t *ret_end)
{
    const size_t reach = net->options.steps * net->form.factor;
    *ret_begin = row_begin > reach ? (row_begin - reach) / net->form.factor * net->form.factor : 0;
    *ret_end = frame->row_count - row_end > reach ? row_end + reach : frame->row_count;
}

tcs_status tcsi_window_net_attribute(tcsi_detector *base, const tcsi_frame *frame, const tcsi_frame *normal, size_t row_begin,
                                     size_t row_end, double *ret_parts, tcs_error *err)
{
    tcsi_window_net *net = (tcsi_window_net *)base;
    const size_t channels = base->channel_count, factor = net->form.factor;
    size_t begin, end;
    work w;
    if (net->explained == 0 || net->more_channels > 0 || !base->is_fitted)
        return tcsi_fail(err, TCS_E_UNSUPPORTED, "%s: no gradients of its score", base->info->name);
    choose_rows(net, frame, row_begin, row_end, &begin, &end);
    const tcsi_frame rows = tcsi_frame_view(frame, begin, end - begin), expected = tcsi_frame_view(normal, begin, end - begin);
    if ((end - begin) / factor < net->options.steps)
        return tcsi_fail(err, TCS_E_UNSUPPORTED, "%s: fewer rows than a window", base->info->name);
    tcs_status status = work_init(&w, net, &rows, &expected, err);
    for (size_t m = 0; m < net->options.members && status == TCS_OK; m++) {
        tcsi_window_net_take(net, m * net->options.draws);
        add_windows(&w, (row_begin - begin) / factor, (row_end - begin + factor - 1) / factor);
    }
    for (size_t t = row_begin; t < row_end && status == TCS_OK; t++) {
        const size_t u = (t - begin) / factor;
        for (size_t c = 0; c < channels; c++)
            ret_parts[(t - row_begin) * channels + c] = u < w.observed.step_count ? w.parts[u * channels + c] / (double)factor : 0;
    }
    work_deinit(&w);
    return status;
}
