/* SPDX-License-Identifier: Apache-2.0 */
#include "penalty_said.h"

#include "base/alloc.h"
#include "detect/deep/forecaster.h"
#include "detect/deep/reconstruction.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct broken {
    const tcsi_constraints *constraints;
    const tcsi_scale *scales; /* NULL: values are in units */
    tcsi_pace pace;
    size_t stride;
    double *values, *residuals, *room;
    double broken, told;
} broken;

static tcs_status broken_init(broken *b, const tcsi_constraints *constraints, tcsi_pace pace, tcs_error *err)
{
    const size_t steps = pace.step_count;
    *b = (broken){ .constraints = constraints, .pace = pace, .values = TCSI_NEW_ARRAY(double, constraints->channel_count * steps),
                   .residuals = TCSI_NEW_ARRAY(double, constraints->count * steps),
                   .room = TCSI_NEW_ARRAY(double, constraints->room(constraints->context, steps)) };
    return b->values && b->residuals && b->room ? TCS_OK : tcsi_fail_memory(err, "windows");
}

static void broken_deinit(broken *b)
{
    tcsi_free(b->values);
    tcsi_free(b->residuals);
    tcsi_free(b->room);
}

/* values are filled in. */
static void count_window(broken *b)
{
    const tcsi_constraints *c = b->constraints;
    c->evaluate(c->context, &b->pace, b->values, b->residuals, b->room);
    for (size_t k = 0; k < c->count; k++)
        for (size_t t = 0; t < b->pace.step_count; t++) {
            const double r = b->residuals[k * b->pace.step_count + t];
            if (!isfinite(r)) continue;
            b->told++;
            b->broken += (r > 1 && c->sides[k] >= 0) || (r < -1 && c->sides[k] <= 0);
        }
}

static void count_scaled(broken *b, const float *y)
{
    const size_t steps = b->pace.step_count;
    for (size_t c = 0; c < b->constraints->channel_count; c++)
        for (size_t t = 0; t < steps; t++)
            b->values[c * steps + t] = b->scales[c].center + b->scales[c].spread * (double)y[t * b->stride + c];
    count_window(b);
}

static void visit(void *context, const size_t *starts, size_t count, const float *outputs)
{
    broken *b = context;
    (void)starts;
    for (size_t i = 0; i < count; i++) count_scaled(b, outputs + i * b->pace.step_count * b->stride);
}

/* Shares of steps of windows of the training rows that break a constraint: as an autoencoder says them, and as they were. */
static tcs_status count_said_back(tcsi_window_net *net, const tcsi_constraints *constraints, const tcsi_frame *train, double row_seconds,
                                  double *ret_said, double *ret_read, tcs_error *err)
{
    tcsi_sequence sequence = { 0 };
    broken b = { 0 };
    const size_t steps = net->options.steps;
    tcs_status status = tcsi_sequence_init(train, &net->form, &sequence, err);
    if (status == TCS_OK) status = broken_init(&b, constraints, (tcsi_pace){ steps, net->form.factor, row_seconds }, err);
    if (status == TCS_OK) {
        const tcsi_lesson lesson = tcsi_window_net_lesson(net, &sequence);
        b.scales = net->form.scales;
        b.stride = train->channel_count;
        status = tcsi_window_net_sweep(net, &lesson, steps / 2, visit, &b, err);
        *ret_said = b.broken / b.told;
        b.broken = b.told = 0;
        b.stride = sequence.input_count;
        for (size_t u = 0; u + steps <= sequence.step_count; u += steps / 2) count_scaled(&b, sequence.values.values + u * b.stride);
        *ret_read = b.broken / b.told;
    }
    tcsi_sequence_deinit(&sequence);
    broken_deinit(&b);
    return status;
}

/* The same of what a forecaster says a row ahead, and what came. */
static tcs_status count_foretold(tcsi_detector *detector, const tcsi_constraints *constraints, const tcsi_frame *train, double row_seconds,
                                 double *ret_said, double *ret_read, tcs_error *err)
{
    enum { STEPS = 64 };
    const size_t channels = constraints->channel_count, count = train->row_count;
    double *row = TCSI_NEW_ARRAY(double, train->channel_count), *said = TCSI_NEW_ARRAY(double, channels * count);
    broken b = { 0 };
    tcs_status status = row && said ? broken_init(&b, constraints, (tcsi_pace){ STEPS, 1, row_seconds }, err)
                                    : tcsi_fail_memory(err, "forecasts");
    tcsi_detector_reset(detector);
    for (size_t t = 0; t < count && status == TCS_OK; t++) {
        tcs_score score;
        tcsi_frame_row(train, t, row);
        tcsi_detector_push(detector, &(tcsi_row){ .sequence = t, .values = row }, &score);
        for (size_t c = 0; c < channels; c++) {
            tcsi_forecast forecast;
            if (!tcsi_detector_forecast(detector, c, 0, &forecast)) abort(); /* it always says */
            said[c * count + t] = forecast.median;
        }
    }
    for (size_t pass = 0; pass < 2 && status == TCS_OK; pass++) {
        b.broken = b.told = 0;
        for (size_t u = STEPS; u + STEPS <= count; u += STEPS / 2) {
            for (size_t c = 0; c < channels; c++)
                memcpy(b.values + c * STEPS, (pass == 0 ? said + c * count : tcsi_frame_column(train, c)) + u, STEPS * sizeof(double));
            count_window(&b);
        }
        *(pass == 0 ? ret_said : ret_read) = b.told > 0 ? b.broken / b.told : NAN;
    }
    tcsi_free(row);
    tcsi_free(said);
    broken_deinit(&b);
    return status;
}

tcs_status penalty_count_broken(tcsi_detector *detector, const tcsi_constraints *constraints, const tcsi_frame *train, double *ret_said,
                                double *ret_read, tcs_error *err)
{
    const double row_seconds = (double)(train->times_ns[1] - train->times_ns[0]) * 1e-9;
    if (detector->info->traits & TCSI_TRAIT_FORECAST)
        return count_foretold(detector, constraints, train, row_seconds, ret_said, ret_read, err);
    return count_said_back((tcsi_window_net *)detector, constraints, train, row_seconds, ret_said, ret_read, err);
}

/* What was said in row t, held against what came; rows that are missing or labelled say nothing. */
static void add_misses(const tcsi_detector *detector, const tcsi_frame *frame, size_t channel_count, size_t t, const double *spreads,
                       double *sum, double *count)
{
    for (size_t c = 0; c < channel_count; c++) {
        tcsi_forecast forecast;
        for (size_t h = 0; tcsi_detector_forecast(detector, c, h, &forecast); h++) {
            const size_t then = t + forecast.ahead;
            if (then >= frame->row_count || frame->labels[then]) continue;
            const double miss = (forecast.median - tcsi_frame_column(frame, c)[then]) / spreads[c];
            if (!isfinite(miss)) continue;
            *sum += miss * miss;
            (*count)++;
        }
    }
}

tcs_status penalty_find_miss(tcsi_detector *detector, const tcsi_frame *frame, size_t channel_count, size_t begin, double *ret_miss,
                             tcs_error *err)
{
    double sum = 0, count = 0;
    *ret_miss = NAN;
    if (!(detector->info->traits & TCSI_TRAIT_FORECAST)) return TCS_OK;
    double *row = TCSI_NEW_ARRAY(double, frame->channel_count), *spreads = TCSI_NEW_ARRAY(double, frame->channel_count);
    const tcs_status status = row && spreads ? TCS_OK : tcsi_fail_memory(err, "forecasts");
    for (size_t c = 0; c < channel_count && status == TCS_OK; c++)
        spreads[c] = tcsi_scale_standard(tcsi_frame_column(frame, c), frame->row_count).spread;
    if (status == TCS_OK) tcsi_detector_reset(detector);
    for (size_t t = 0; t < frame->row_count && status == TCS_OK; t++) {
        tcs_score score;
        tcsi_frame_row(frame, t, row);
        tcsi_detector_push(detector, &(tcsi_row){ .sequence = t, .values = row }, &score);
        if (t >= begin && !frame->labels[t]) add_misses(detector, frame, channel_count, t, spreads, &sum, &count);
    }
    *ret_miss = sqrt(sum / count);
    tcsi_free(row);
    tcsi_free(spreads);
    return status;
}
