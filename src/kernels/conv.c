/* kernels/conv.c -- convolution as matrix products without copies.
 *
 * Forward and input gradient are the same problem on a line: output row r reads the input rows r * row_step + j * tap_step + offset for
 * taps j, of which those outside the input are left out.  The rows between two changes of what is left out are a span: one product
 * with taps (kernels/gemm.h).  There are few: at most one a tap at either end, each tap_step rows long, and one long one between.
 *
 * Input gradient: input step t receives from output step u through tap k where u * stride + k * dilation - pad = t.  The steps of one
 * phase, t = phase + r * stride, use the taps k that leave a whole u, every (stride / gcd)th, and going from one of them to the
 * one before moves u up by dilation / gcd.  Each phase is thus a line over dy, with the weights of its taps reversed and transposed, which
 * is what scratch is for.
 *
 * Weight gradient: one product a tap, A' B over the time steps whose tap lies inside, added up sequence by sequence.
 *
 * Few channels and neighbouring taps: a first layer over one channel would consist of ends.  Its sequences are short to copy, so they are
 * set between zeros in scratch, one after the other, where no tap falls outside and all taps are one product in either direction.
 *
 * In bfloat16 a line packs its weights once and each sequence once (kernels/gemm_cells.h), a whole number of cells a step, instead of
 * leaving it to the product of every span.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/conv_tier.h"
#include "kernels/gemm_cells.h"
#include "kernels/vector.h"

#include <string.h>

enum { CHANNELS_FEW = 8 };

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t divided_up(size_t a, size_t b)
{
    return (a + b - 1) / b;
}

static tcsi_depthwise_function depthwise_for(tcsi_isa isa)
{
#if defined(__x86_64__)
    if (isa == TCSI_ISA_AVX512) return tcsi_depthwise_avx512;
    if (isa == TCSI_ISA_AVX2) return tcsi_depthwise_avx2;
#endif
    return tcsi_depthwise_portable;
}

/* ---- spans ---- */

typedef struct line {
    size_t row_count, row_step;
    size_t tap_count, tap_step;
    ptrdiff_t offset;           /* of the input row that tap 0 of row 0 reads */
    size_t input_count;
} line;

/* Rows that use the taps [tap_begin, tap_end), all of them inside. */
typedef struct span {
    size_t row_begin, row_end, tap_begin, tap_end;
} span;

/* The first row at which some tap reads input row `at` or beyond, where tap 0 of row 0 reads `first`. */
static size_t row_reaching(const line *l, ptrdiff_t at, ptrdiff_t first)
{
    return at <= first ? 0 : divided_up((size_t)(at - first), l->row_step);
}

/* The span that begins where the last one ended; false when there is none. */
static bool span_next(const line *l, span *s)
{
    s->row_begin = s->row_end;
    if (s->row_begin >= l->row_count) return false;
    const ptrdiff_t at = (ptrdiff_t)(s->row_begin * l->row_step) + l->offset, end = (ptrdiff_t)l->input_count; /* tap 0 reads at */
    s->row_end = l->row_count;
    s->tap_begin = at < 0 ? smaller(l->tap_count, divided_up((size_t)-at, l->tap_step)) : 0;
    s->tap_end = at < end ? smaller(l->tap_count, divided_up((size_t)(end - at), l->tap_step)) : 0;
    if (s->tap_begin > 0) /* until the tap before comes in */
        s->row_end = smaller(s->row_end, row_reaching(l, 0, l->offset + (ptrdiff_t)((s->tap_begin - 1) * l->tap_step)));
    if (s->tap_end > 0) /* until the last one goes out */
        s->row_end = smaller(s->row_end, row_reaching(l, end, l->offset + (ptrdiff_t)((s->tap_end - 1) * l->tap_step)));
    if (s->tap_end < s->tap_begin) s->tap_end = s->tap_begin;
    return true;
}

/* Where the input rows of a span begin; for a span without taps, anywhere. */
static size_t span_input(const line *l, const span *s)
{
    if (s->tap_begin == s->tap_end) return 0;
    return (size_t)((ptrdiff_t)(s->row_begin * l->row_step + s->tap_begin * l->tap_step) + l->offset);
}

/* ---- between zeros ---- */

/* How many input rows the taps reach over, from that of tap 0 of row 0 on. */
static size_t reach(const line *l)
{
    if (l->row_count == 0 || l->tap_count == 0) return 0;
    return (l->row_count - 1) * l->row_step + (l->tap_count - 1) * l->tap_step + 1;
}

static bool leaves_taps_out(const line *l)
{
    return l->offset < 0 || (size_t)l->offset + reach(l) > l->input_count;
}

/* ---- a line of channels ---- */

/* What a line's rows are made of: x (input_count, inputs) and w (tap_count, inputs, outputs) in, y out, in steps of y_stride. */
typedef struct stage {
    tcsi_isa isa;
    line line;
    size_t inputs, outputs;
    bool is_depthwise;
    const tcsi_gemm_packing *packing; /* of x and w, whose inputs are then cells; or NULL */
    size_t channels;            /* of x before it is packed */
    bool is_padded;             /* sequences are set between zeros */
    const float *w;
    ptrdiff_t w_step;           /* of a depthwise one */
    const float *bias;          /* or NULL */
    tcsi_activation activation;
    bool accumulate;
    size_t y_stride;
} stage;

static void span_run_depthwise(const stage *st, const span *s, const float *x, const float *residual, float *y)
{
    tcsi_depthwise d = {
        .rows = s->row_end - s->row_begin,
        .channels = st->outputs,
        .count = s->tap_end - s->tap_begin,
        .x = x,
        .x_row = st->line.row_step * st->inputs,
        .x_step = st->line.tap_step * st->inputs,
        .w = st->w + (ptrdiff_t)s->tap_begin * st->w_step,
        .w_step = st->w_step,
        .start = st->accumulate ? y : st->bias,
        .start_stride = st->accumulate ? st->y_stride : 0,
        .residual = residual,
        .residual_stride = st->y_stride,
        .relu = st->activation == TCSI_ACTIVATION_RELU,
        .y = y,
        .y_stride = st->y_stride,
    };
    depthwise_for(st->isa)(&d);
    tcsi_gemm_activate(st->isa, st->activation, d.rows, d.channels, y, st->y_stride);
}

static void span_run_dense(const stage *st, const span *s, const float *x, const float *residual, float *y)
{
    const size_t taps = s->tap_end - s->tap_begin;
    const tcsi_gemm gemm = {
        .m = s->row_end - s->row_begin,
        .n = st->outputs,
        .k = taps * st->inputs,
        .a = x,
        .a_stride = st->line.row_step * st->inputs,
        .tap_count = taps,
        .tap_stride = st->line.tap_step * st->inputs,
        .b = st->w + s->tap_begin * st->inputs * st->outputs,
        .b_stride = st->outputs,
        .c = y,
        .c_stride = st->y_stride,
        .accumulate = st->accumulate,
        .bias = st->bias,
        .residual = residual,
        .residual_stride = st->y_stride,
        .activation = st->activation,
        .precision = st->packing ? TCSI_PRECISION_BFLOAT16 : TCSI_PRECISION_SINGLE,
        .is_packed = st->packing != NULL,
    };
    tcsi_gemm_run(st->isa, NULL, &gemm);
}

static void span_run(const stage *st, const span *s, const float *x, const float *residual, float *y)
{
    const size_t at = s->row_begin * st->y_stride;
    x += span_input(&st->line, s) * st->inputs;
    if (st->is_depthwise) span_run_depthwise(st, s, x, residual ? residual + at : NULL, y + at);
    else span_run_dense(st, s, x, residual ? residual + at : NULL, y + at);
}

/* Input rows as products take them. */
static void rows_set(const stage *st, size_t count, const float *x, float *out)
{
    if (!st->packing) memcpy(out, x, count * st->channels * sizeof *out);
    else if (st->channels % st->packing->cell == 0) st->packing->row(count * st->channels, x, out);
    else
        for (size_t r = 0; r < count; r++) st->packing->row(st->channels, x + r * st->channels, out + r * st->inputs);
}

/* A sequence as products take it; between zeros, it is those of its rows that the taps reach over. */
static void sequence_set(const stage *st, const float *x, float *out)
{
    const line *l = &st->line;
    size_t before = 0, inside = l->input_count, after = 0;
    if (st->is_padded) {
        before = l->offset < 0 ? smaller((size_t)-l->offset, reach(l)) : 0;
        inside = smaller(l->input_count, reach(l) - before);
        after = reach(l) - before - inside;
    }
    memset(out, 0, before * st->inputs * sizeof *out);
    out += before * st->inputs;
    rows_set(st, inside, x, out);
    memset(out + inside * st->inputs, 0, after * st->inputs * sizeof *out);
}

static void sequence_run(const stage *st, const float *x, const float *residual, float *y)
{
    for (span s = { 0 }; span_next(&st->line, &s);) span_run(st, &s, x, residual, y);
}

/* Every sequence of a batch; x_size and y_size: floats from one to the next.  room: for one sequence, where it is packed or padded. */
static void batch_run(const stage *st, size_t batch, const float *x, size_t x_size, const float *residual, float *y, size_t y_size,
                      float *room)
{
    span s = { 0 };
    const line *l = &st->line;
    const bool is_set = st->packing || st->is_padded;
    stage on = *st;
    if (st->is_padded) {
        on.line.offset = 0;
        on.line.input_count = reach(l);
    }
    /* Sequences that use all taps everywhere and follow each other without a gap are one long one. */
    if (!is_set && batch > 0 && span_next(l, &s) && s.row_end == l->row_count && l->row_step * l->row_count == l->input_count &&
        y_size == l->row_count * st->y_stride) {
        s.row_end *= batch;
        span_run(st, &s, x, residual, y);
        return;
    }
    for (size_t b = 0; b < batch; b++, x += x_size, y += y_size) {
        if (is_set) sequence_set(st, x, room);
        sequence_run(&on, is_set ? room : x, residual, y);
        if (residual) residual += y_size;
    }
}

/* ---- forward ---- */

static void check(const tcsi_conv *conv)
{
    TCS_ASSERT(conv->kernel >= 1 && conv->stride >= 1 && conv->dilation >= 1);
    TCS_ASSERT(!conv->is_depthwise || conv->channels_out == conv->channels_in);
}

static line forward_line(const tcsi_conv *conv)
{
    return (line){ conv->length_out, conv->stride, conv->kernel, conv->dilation, -(ptrdiff_t)conv->pad_left, conv->length_in };
}

static bool has_few_channels(const tcsi_conv *conv)
{
    return !conv->is_depthwise && conv->channels_in < CHANNELS_FEW && conv->dilation == 1 && conv->kernel > 1;
}

static bool is_padded(const tcsi_conv *conv)
{
    const line l = forward_line(conv);
    return has_few_channels(conv) && leaves_taps_out(&l);
}

static const tcsi_gemm_packing *packing_for(tcsi_isa isa, const tcsi_conv *conv)
{
    return conv->is_depthwise ? NULL : tcsi_gemm_packing_for(isa, conv->precision);
}

/* Cells of a step, or as many floats. */
static size_t cells_of(const tcsi_gemm_packing *packing, size_t channels)
{
    return packing ? (channels + packing->cell - 1) / packing->cell : channels;
}

static size_t weight_count(const tcsi_conv *conv)
{
    return conv->is_depthwise ? 0 : conv->kernel * conv->channels_in * conv->channels_out;
}

void tcsi_conv_forward(tcsi_isa isa, const tcsi_conv *conv, size_t batch, const float *x, const float *w, const float *bias,
                       const float *residual, tcsi_activation activation, float *y, float *scratch)
{
    check(conv);
    const size_t channels = conv->channels_in, outputs = conv->channels_out;
    stage st = {
        .isa = isa,
        .line = forward_line(conv),
        .inputs = cells_of(packing_for(isa, conv), channels),
        .outputs = outputs,
        .is_depthwise = conv->is_depthwise,
        .packing = packing_for(isa, conv),
        .channels = channels,
        .is_padded = is_padded(conv),
        .w = w,
        .w_step = (ptrdiff_t)outputs,
        .bias = bias,
        .activation = activation,
        .y_stride = outputs,
    };
    if (st.packing) {
        for (size_t tap = 0; tap < conv->kernel; tap++)
            st.packing->columns(channels, outputs, w + tap * channels * outputs, outputs, scratch + tap * st.inputs * outputs, outputs);
        st.w = scratch;
        scratch += weight_count(conv);
    }
    batch_run(&st, batch, x, conv->length_in * channels, residual, y, conv->length_out * outputs, scratch);
}

/* ---- input gradient ---- */

static size_t common_divisor(size_t a, size_t b)
{
    while (b > 0) {
        size_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* The taps that reach the input steps of one phase: first, first + step, ... */
typedef struct phase_taps {
    size_t first, step, count;
} phase_taps;

static phase_taps phase_taps_of(const tcsi_conv *conv, size_t phase)
{
    phase_taps taps = { .step = conv->stride / common_divisor(conv->stride, conv->dilation) };
    for (; taps.first < smaller(taps.step, conv->kernel); taps.first++)
        if (taps.first * conv->dilation % conv->stride == (phase + conv->pad_left) % conv->stride) {
            taps.count = divided_up(conv->kernel - taps.first, taps.step);
            break;
        }
    return taps;
}

/* The output rows that the input rows of one phase receive from. */
static line phase_line(const tcsi_conv *conv, size_t phase, const phase_taps *taps)
{
    const size_t last = taps->first + (taps->count > 0 ? taps->count - 1 : 0) * taps->step;
    line l = { .row_count = divided_up(conv->length_in - phase, conv->stride), .row_step = 1, .tap_count = taps->count,
               .tap_step = taps->step * conv->dilation / conv->stride, .input_count = conv->length_out };
    if (taps->count > 0)
        l.offset = ((ptrdiff_t)(phase + conv->pad_left) - (ptrdiff_t)(last * conv->dilation)) / (ptrdiff_t)conv->stride;
    return l;
}

static size_t phase_count(const tcsi_conv *conv)
{
    return smaller(conv->stride, conv->length_in);
}

/* out (count, O, C): the phase's weights w (C,O) from the last tap to the first, each transposed, and packed if st packs. */
static void reverse_weights(const stage *st, const tcsi_conv *conv, const phase_taps *taps, const float *w, float *out)
{
    const size_t inputs = conv->channels_in, outputs = conv->channels_out;
    for (size_t j = 0; j < taps->count; j++, out += st->inputs * inputs) {
        const float *tap = w + (taps->first + (taps->count - 1 - j) * taps->step) * inputs * outputs;
        if (st->packing) tcsi_gemm_pack_transposed(st->packing, st->isa, outputs, inputs, tap, outputs, out);
        else tcsi_gemm_transpose(st->isa, outputs, inputs, tap, outputs, out, inputs);
    }
}

void tcsi_conv_backward_input(tcsi_isa isa, const tcsi_conv *conv, size_t batch, const float *dy, const float *w, bool accumulate,
                              float *dx, float *scratch)
{
    check(conv);
    const size_t channels = conv->channels_in, outputs = conv->channels_out;
    for (size_t phase = 0; phase < phase_count(conv); phase++) {
        const phase_taps taps = phase_taps_of(conv, phase);
        stage st = {
            .isa = isa,
            .line = phase_line(conv, phase, &taps),
            .inputs = cells_of(packing_for(isa, conv), outputs),
            .outputs = channels,
            .is_depthwise = conv->is_depthwise,
            .packing = packing_for(isa, conv),
            .channels = outputs,
            .w = scratch,
            .accumulate = accumulate,
            .y_stride = conv->stride * channels,
        };
        if (conv->is_depthwise) {
            st.w = w + (taps.first + (taps.count > 0 ? taps.count - 1 : 0) * taps.step) * channels;
            st.w_step = -(ptrdiff_t)(taps.step * channels);
        } else reverse_weights(&st, conv, &taps, w, scratch);
        batch_run(&st, batch, dy, conv->length_out * outputs, NULL, dx + phase * channels, conv->length_in * channels,
                  scratch + weight_count(conv));
    }
}

/* ---- scratch: weights packed or reversed, then a sequence packed or between zeros ---- */

size_t tcsi_conv_scratch_count(const tcsi_conv *conv)
{
    const line l = forward_line(conv);
    const size_t padded = is_padded(conv) ? reach(&l) * conv->channels_in : 0;
    if (conv->is_depthwise || conv->precision == TCSI_PRECISION_SINGLE) return larger(padded, weight_count(conv));
    const size_t packed = larger(conv->length_in * conv->channels_in, conv->length_out * conv->channels_out);
    return weight_count(conv) + larger(padded, packed); /* cells are floats at most */
}

/* ---- weight gradient ---- */

/* dw of the taps [tap, tap + taps) += over the output steps [begin, end), whose taps read from x on. */
static void weight_run(tcsi_isa isa, const tcsi_conv *conv, size_t tap, size_t taps, size_t begin, size_t end, const float *x,
                       const float *dy, float *dw)
{
    const size_t channels = conv->channels_in, outputs = conv->channels_out;
    dy += begin * outputs;
    dw += tap * channels * (conv->is_depthwise ? 1 : outputs);
    if (conv->is_depthwise) {
        const tcsi_depthwise d = { .rows = taps, .channels = channels, .count = end - begin, .x = x, .x_row = conv->dilation * channels,
                                   .x_step = conv->stride * channels, .w = dy, .w_step = (ptrdiff_t)channels, .start = dw,
                                   .start_stride = channels, .y = dw, .y_stride = channels };
        depthwise_for(isa)(&d);
    } else {
        const tcsi_gemm gemm = { .m = taps * channels, .n = outputs, .k = end - begin, .a = x, .a_stride = conv->stride * channels,
                                 .a_transposed = true, .tap_count = taps, .tap_stride = conv->dilation * channels, .b = dy,
                                 .b_stride = outputs, .c = dw, .c_stride = outputs, .accumulate = true, .precision = conv->precision };
        tcsi_gemm_run(isa, NULL, &gemm);
    }
}

/* Tap by tap, each over the output steps whose tap lies inside. */
static void weight_run_dense(tcsi_isa isa, const tcsi_conv *conv, const float *x, const float *dy, float *dw)
{
    const line l = forward_line(conv);
    for (size_t tap = 0; tap < conv->kernel; tap++) {
        const ptrdiff_t at = l.offset + (ptrdiff_t)(tap * conv->dilation);
        const size_t end = smaller(conv->length_out, row_reaching(&l, (ptrdiff_t)conv->length_in, at));
        const size_t begin = smaller(end, row_reaching(&l, 0, at));
        if (begin == end) continue;
        const size_t first = begin * conv->stride + tap * conv->dilation - conv->pad_left;
        weight_run(isa, conv, tap, 1, begin, end, x + first * conv->channels_in, dy, dw);
    }
}

/* Span by span, in each the taps that lie inside. */
static void weight_run_depthwise(tcsi_isa isa, const tcsi_conv *conv, const float *x, const float *dy, float *dw)
{
    const line l = forward_line(conv);
    for (span s = { 0 }; span_next(&l, &s);)
        if (s.tap_begin < s.tap_end)
            weight_run(isa, conv, s.tap_begin, s.tap_end - s.tap_begin, s.row_begin, s.row_end, x + span_input(&l, &s) * conv->channels_in,
                       dy, dw);
}

void tcsi_conv_backward_weight(tcsi_isa isa, const tcsi_conv *conv, size_t batch, const float *x, const float *dy, float *dw,
                               float *dbias, float *scratch)
{
    check(conv);
    if (dbias) tcsi_vector_sum_rows(isa, batch * conv->length_out, conv->channels_out, dy, true, dbias);
    for (size_t b = 0; b < batch; b++, x += conv->length_in * conv->channels_in, dy += conv->length_out * conv->channels_out) {
        if (conv->is_depthwise) weight_run_depthwise(isa, conv, x, dy, dw);
        else if (!has_few_channels(conv)) weight_run_dense(isa, conv, x, dy, dw);
        else {
            const stage st = { .line = forward_line(conv), .inputs = conv->channels_in, .channels = conv->channels_in, .is_padded = true };
            if (is_padded(conv)) sequence_set(&st, x, scratch);
            weight_run(isa, conv, 0, conv->kernel, 0, conv->length_out, is_padded(conv) ? scratch : x, dy, dw);
        }
    }
}
