/* Convolution against its definition.  Forward: bit for bit against the chain over (tap, channel) that conv.h promises, in which an
 * outside tap is left out or reads zero (a difference only to weights that are not finite, and to the sign of zero).  Gradients:
 * against sums in double, and, since convolution is linear, by <dy, conv(x)> = <x, dx> = <w, dw>; avx2 and avx512 bit for bit with
 * each other.  In bfloat16 the same over operands that were rounded before; what was flushed to zero on its way may be missing.
 * Operands end (or begin) at a page that cannot be touched.  SPDX-License-Identifier: Apache-2.0 */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "bfloat16.h"
#include "fence.h"

#include "kernels/conv.h"
#include "kernels/gemm_tier.h"

typedef struct setting {
    tcsi_conv conv;
    size_t batch;
    bool has_bias, has_residual, accumulate, at_end;
    tcsi_activation activation;
    fence_values values;
} setting;

typedef struct operands {
    fence x, w, y, bias, residual, scratch;
    size_t x_count, w_count, y_count;
} operands;

static operands operands_make(const setting *s, size_t number)
{
    const tcsi_conv *c = &s->conv;
    tcsi_rng rng = tcsi_rng_make(21, number);
    operands o = { .x_count = s->batch * c->length_in * c->channels_in,
                   .y_count = s->batch * c->length_out * c->channels_out,
                   .w_count = c->kernel * c->channels_in * (c->is_depthwise ? 1 : c->channels_out) };
    o.x = fence_make(o.x_count, s->at_end);
    o.w = fence_make(o.w_count, s->at_end);
    o.y = fence_make(o.y_count, s->at_end);
    o.bias = fence_make(c->channels_out, s->at_end);
    o.residual = fence_make(o.y_count, s->at_end);
    o.scratch = fence_make(tcsi_conv_scratch_count(c), s->at_end);
    fence *all[] = { &o.x, &o.w, &o.y, &o.bias, &o.residual };
    for (size_t i = 0; i < TCS_COUNT(all); i++) fence_fill(all[i], 1, all[i]->count, all[i]->count, s->values, &rng);
    return o;
}

/* As the definition sees them. */
static operands operands_rounded(const setting *s, size_t number)
{
    operands o = operands_make(s, number);
    fence *all[] = { &o.x, &o.w, &o.y };
    const bool is_rounded = s->conv.precision == TCSI_PRECISION_BFLOAT16 && !s->conv.is_depthwise;
    for (size_t i = 0; i < TCS_COUNT(all); i++)
        for (size_t j = 0; j < all[i]->count && is_rounded; j++) all[i]->data[j] = bfloat16_of(all[i]->data[j]);
    return o;
}

static void operands_free(operands *o)
{
    fence *all[] = { &o->x, &o->w, &o->y, &o->bias, &o->residual, &o->scratch };
    for (size_t i = 0; i < TCS_COUNT(all); i++) fence_free(all[i]);
}

static void fail_at(const setting *s, tcsi_isa isa, const char *what, size_t index, double found, double wanted)
{
    const tcsi_conv *c = &s->conv;
    fail_msg("%s, %s%s: T %zu, U %zu, C %zu, O %zu, kernel %zu, stride %zu, dilation %zu, pad %zu, batch %zu%s: "
             "element %zu is %.9g, not %.9g",
             what, tcsi_isa_name(isa), c->precision == TCSI_PRECISION_SINGLE ? "" : ", bfloat16", c->length_in, c->length_out,
             c->channels_in, c->channels_out, c->kernel, c->stride, c->dilation, c->pad_left, s->batch,
             c->is_depthwise ? ", depthwise" : "", index, found, wanted);
}

/* ---- the definition ---- */

enum { OUTSIDE = -1 };

/* Calls for every product x * w that belongs to y: indices into the three arrays, OUTSIDE for an x that is not there.  Ascending in
 * b, u, o, k, c. */
typedef void (*visit)(void *context, size_t x, size_t w, size_t y);

static void visit_taps(const tcsi_conv *c, size_t b, size_t u, size_t o, visit call, void *context)
{
    for (size_t k = 0; k < c->kernel; k++) {
        const size_t at = u * c->stride + k * c->dilation;
        const bool is_inside = at >= c->pad_left && at - c->pad_left < c->length_in;
        const size_t x = (b * c->length_in + at - c->pad_left) * c->channels_in, y = (b * c->length_out + u) * c->channels_out + o;
        for (size_t i = 0; i < (c->is_depthwise ? 1 : c->channels_in); i++) {
            const size_t channel = c->is_depthwise ? o : i;
            const size_t w = (k * c->channels_in + channel) * (c->is_depthwise ? 1 : c->channels_out) + (c->is_depthwise ? 0 : o);
            call(context, is_inside ? x + channel : (size_t)OUTSIDE, w, y);
        }
    }
}

static void visit_all(const setting *s, visit call, void *context)
{
    for (size_t b = 0; b < s->batch; b++)
        for (size_t u = 0; u < s->conv.length_out; u++)
            for (size_t o = 0; o < s->conv.channels_out; o++) visit_taps(&s->conv, b, u, o, call, context);
}

/* ---- forward ---- */

typedef struct chain {
    const operands *o;
    bool is_fused;
    float sum, sum_padded; /* outside taps left out, and reading zeros */
} chain;

static float multiply_add(const chain *c, float a, float b, float sum)
{
    return c->is_fused ? fmaf(a, b, sum) : sum + a * b;
}

static void chain_add(void *context, size_t x, size_t w, size_t y)
{
    chain *c = context;
    (void)y;
    const float a = x == (size_t)OUTSIDE ? 0 : c->o->x.data[x], b = c->o->w.data[w];
    if (x != (size_t)OUTSIDE) c->sum = multiply_add(c, a, b, c->sum);
    c->sum_padded = multiply_add(c, a, b, c->sum_padded);
}

static bool is_right(const setting *s, float found, float sum)
{
    const tcsi_activation activation = s->activation;
    const float wanted = tcsi_activation_ref(activation, sum);
    const size_t terms = s->conv.kernel * s->conv.channels_in + 1;
    if (s->conv.precision != TCSI_PRECISION_SINGLE && fabsf(found - wanted) <= (float)terms * FLT_MIN) return true;
    const bool is_exact = activation == TCSI_ACTIVATION_NONE || activation == TCSI_ACTIVATION_RELU;
    return fence_same(found, wanted) || (!is_exact && fabsf(found - wanted) <= 1e-6f * fabsf(wanted) + 1e-30f);
}

static void check_forward(const setting *s, size_t number, tcsi_isa isa)
{
    const tcsi_conv *conv = &s->conv;
    operands o = operands_make(s, number), rounded = operands_rounded(s, number);
    tcsi_conv_forward(isa, conv, s->batch, o.x.data, o.w.data, s->has_bias ? o.bias.data : NULL, s->has_residual ? o.residual.data : NULL,
                      s->activation, o.y.data, o.scratch.data);
    for (size_t i = 0; i < o.y_count; i++) {
        const size_t out = i % conv->channels_out, row = i / conv->channels_out;
        const float start = s->has_bias ? o.bias.data[out] : 0, after = s->has_residual ? o.residual.data[i] : 0;
        chain c = { &rounded, isa != TCSI_ISA_PORTABLE, start, start };
        visit_taps(conv, row / conv->length_out, row % conv->length_out, out, chain_add, &c);
        if (s->has_residual) c.sum += after, c.sum_padded += after;
        if (!is_right(s, o.y.data[i], c.sum) && !is_right(s, o.y.data[i], c.sum_padded))
            fail_at(s, isa, "forward", i, (double)o.y.data[i], (double)tcsi_activation_ref(s->activation, c.sum));
    }
    operands_free(&rounded);
    operands_free(&o);
}

/* ---- gradients ---- */

typedef struct gradients {
    const operands *o;
    double *dx, *dw, *dx_size, *dw_size; /* and the sums of absolute values, which rounding is measured by */
    double product;                      /* <dy, conv(x)> */
} gradients;

static void gradient_add(void *context, size_t x, size_t w, size_t y)
{
    gradients *g = context;
    if (x == (size_t)OUTSIDE) return;
    const double a = (double)g->o->x.data[x], b = (double)g->o->w.data[w], dy = (double)g->o->y.data[y];
    g->dx[x] += b * dy, g->dx_size[x] += fabs(b * dy);
    g->dw[w] += a * dy, g->dw_size[w] += fabs(a * dy);
    g->product += a * b * dy;
}

static double inner_product(const double *a, const float *b, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += a[i] * (double)b[i];
    return sum;
}

static void compare(const setting *s, tcsi_isa isa, const char *what, const float *found, const float *before, const double *change,
                    const double *size, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const double start = before ? (double)before[i] : 0, wanted = start + change[i];
        if (!(fabs((double)found[i] - wanted) <= 1e-5 * (size[i] + fabs(start)))) fail_at(s, isa, what, i, (double)found[i], wanted);
    }
}

static void check_gradients(const setting *s, size_t number, tcsi_isa isa, float **ret_dx, float **ret_dw)
{
    const tcsi_conv *conv = &s->conv;
    operands o = operands_make(s, number), rounded = operands_rounded(s, number), before = operands_make(s, number + 1);
    fence dx = fence_make(o.x_count, s->at_end), dw = fence_make(o.w_count, s->at_end), dbias = fence_make(conv->channels_out, s->at_end);
    gradients g = { &rounded, calloc(o.x_count + 1, sizeof(double)), calloc(o.w_count + 1, sizeof(double)),
                    calloc(o.x_count + 1, sizeof(double)), calloc(o.w_count + 1, sizeof(double)), 0 };
    visit_all(s, gradient_add, &g);
    assert_near(g.product, inner_product(g.dx, rounded.x.data, o.x_count), 1e-10);
    assert_near(g.product, inner_product(g.dw, rounded.w.data, o.w_count), 1e-10);

    if (s->accumulate) memcpy(dx.data, before.x.data, o.x_count * sizeof(float));
    tcsi_conv_backward_input(isa, conv, s->batch, o.y.data, o.w.data, s->accumulate, dx.data, o.scratch.data);
    compare(s, isa, "dx", dx.data, s->accumulate ? before.x.data : NULL, g.dx, g.dx_size, o.x_count);

    memcpy(dw.data, before.w.data, o.w_count * sizeof(float));
    memcpy(dbias.data, before.bias.data, conv->channels_out * sizeof(float));
    tcsi_conv_backward_weight(isa, conv, s->batch, o.x.data, o.y.data, dw.data, s->has_bias ? dbias.data : NULL, o.scratch.data);
    compare(s, isa, "dw", dw.data, before.w.data, g.dw, g.dw_size, o.w_count);
    for (size_t c = 0; c < conv->channels_out; c++) {
        double sum = 0, size = fabs((double)before.bias.data[c]);
        for (size_t row = 0; s->has_bias && row < s->batch * conv->length_out; row++) {
            sum += (double)o.y.data[row * conv->channels_out + c];
            size += fabs((double)o.y.data[row * conv->channels_out + c]);
        }
        compare(s, isa, "dbias", &dbias.data[c], &before.bias.data[c], &sum, &size, 1);
    }
    *ret_dx = calloc(o.x_count + 1, sizeof(float));
    *ret_dw = calloc(o.w_count + 1, sizeof(float));
    memcpy(*ret_dx, dx.data, o.x_count * sizeof(float));
    memcpy(*ret_dw, dw.data, o.w_count * sizeof(float));
    free(g.dx), free(g.dw), free(g.dx_size), free(g.dw_size);
    fence *all[] = { &dx, &dw, &dbias };
    for (size_t i = 0; i < TCS_COUNT(all); i++) fence_free(all[i]);
    operands_free(&o);
    operands_free(&rounded);
    operands_free(&before);
}

static void check_in(const setting *s, size_t number)
{
    float *dx[TCSI_ISA_COUNT] = { NULL }, *dw[TCSI_ISA_COUNT] = { NULL };
    setting finite = *s;
    finite.values = FENCE_ORDINARY;
    for (int isa = 0; isa < TCSI_ISA_COUNT; isa++) {
        if (!tcsi_isa_supported((tcsi_isa)isa)) continue;
        check_forward(s, number, (tcsi_isa)isa);
        check_gradients(&finite, number, (tcsi_isa)isa, &dx[isa], &dw[isa]);
    }
    if (dx[TCSI_ISA_AVX2] && dx[TCSI_ISA_AVX512]) {
        const tcsi_conv *c = &s->conv;
        assert_memory_equal(dx[TCSI_ISA_AVX2], dx[TCSI_ISA_AVX512], s->batch * c->length_in * c->channels_in * sizeof(float));
        assert_memory_equal(dw[TCSI_ISA_AVX2], dw[TCSI_ISA_AVX512],
                            c->kernel * c->channels_in * (c->is_depthwise ? 1 : c->channels_out) * sizeof(float));
    }
    for (int isa = 0; isa < TCSI_ISA_COUNT; isa++) free(dx[isa]), free(dw[isa]);
}

static const tcsi_precision precisions[] = { TCSI_PRECISION_SINGLE, TCSI_PRECISION_BFLOAT16 };

static void check(const setting *s, size_t number)
{
    for (size_t i = 0; i < TCS_COUNT(precisions); i++) {
        setting one = *s;
        one.conv.precision = precisions[i];
        check_in(&one, number);
    }
}

/* A setting drawn by number. */
static setting draw(size_t number)
{
    static const size_t channels[] = { 1, 2, 3, 5, 7, 8, 12, 16, 17, 33 };
    tcsi_rng rng = tcsi_rng_make(22, number);
    setting s = { .conv = { .length_in = 1 + tcsi_rng_below(&rng, 40),
                            .channels_in = channels[tcsi_rng_below(&rng, TCS_COUNT(channels))],
                            .channels_out = channels[tcsi_rng_below(&rng, TCS_COUNT(channels))],
                            .kernel = 1 + tcsi_rng_below(&rng, 8),
                            .stride = 1 + tcsi_rng_below(&rng, 4),
                            .dilation = 1 + tcsi_rng_below(&rng, 6),
                            .is_depthwise = tcsi_rng_below(&rng, 3) == 0 },
                  .batch = 1 + tcsi_rng_below(&rng, 3) };
    tcsi_conv *c = &s.conv;
    if (tcsi_rng_below(&rng, 2)) c->stride = 1;
    if (tcsi_rng_below(&rng, 2)) c->dilation = 1;
    if (c->is_depthwise) c->channels_out = c->channels_in;
    const size_t reach = (c->kernel - 1) * c->dilation;
    switch (tcsi_rng_below(&rng, 4)) {
    case 0: c->pad_left = reach, c->length_out = (c->length_in - 1) / c->stride + 1; break;     /* causal */
    case 1: c->pad_left = reach / 2, c->length_out = (c->length_in - 1) / c->stride + 1; break; /* the same length */
    case 2:                                                                                      /* no padding */
        if (c->length_in <= reach) c->length_in += reach;
        c->length_out = (c->length_in - reach - 1) / c->stride + 1;
        break;
    default: c->pad_left = tcsi_rng_below(&rng, 60), c->length_out = 1 + tcsi_rng_below(&rng, 60); break; /* anything */
    }
    s.has_bias = tcsi_rng_below(&rng, 2), s.has_residual = tcsi_rng_below(&rng, 2), s.accumulate = tcsi_rng_below(&rng, 2);
    s.at_end = tcsi_rng_below(&rng, 2);
    s.activation = (tcsi_activation)tcsi_rng_below(&rng, TCSI_ACTIVATION_COUNT);
    if (tcsi_rng_below(&rng, 2)) s.activation = TCSI_ACTIVATION_RELU;
    s.values = (fence_values)tcsi_rng_below(&rng, 3);
    return s;
}

static void test_drawn(void **state)
{
    (void)state;
    const size_t count = test_is_small() ? 60 : 1500;
    for (size_t number = 0; number < count; number++) {
        const setting s = draw(number);
        check(&s, 2 * number);
    }
}

/* Patches: stride equal to kernel, where a batch is one product. */
static void test_patches(void **state)
{
    (void)state;
    for (size_t kernel = 1; kernel <= 5; kernel++) {
        setting s = { .conv = { .length_in = 6 * kernel, .length_out = 6, .channels_in = 4, .channels_out = 20, .kernel = kernel,
                                .stride = kernel, .dilation = 1 },
                      .batch = 4, .has_bias = true, .has_residual = true, .at_end = true };
        check(&s, 1000 + kernel);
        s.conv.is_depthwise = true, s.conv.channels_out = 4;
        check(&s, 1100 + kernel);
    }
}

static void test_nothing(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits < 32; bits++) {
        setting s = { .conv = { .length_in = bits & 1 ? 0 : 5, .length_out = bits & 2 ? 0 : 5, .channels_in = bits & 4 ? 0 : 3,
                                .channels_out = bits & 8 ? 0 : 3, .kernel = 3, .stride = 1, .dilation = 1, .pad_left = 2 },
                      .batch = bits & 16 ? 0 : 2, .has_bias = true, .at_end = true };
        check(&s, 2000 + bits);
        s.conv.is_depthwise = true, s.conv.channels_out = s.conv.channels_in;
        check(&s, 2100 + bits);
    }
}

/* A causal convolution step by step, over the window that each output sees, and one sequence of a batch by itself: the same bits. */
static void test_streamed(void **state)
{
    (void)state;
    setting s = { .conv = { .length_in = 30, .length_out = 30, .channels_in = 9, .channels_out = 21, .kernel = 3, .stride = 1,
                            .dilation = 4, .pad_left = 8 },
                  .batch = 3, .at_end = true };
    for (int number = 0; number < 2 * TCSI_ISA_COUNT; number++) {
        const int isa = number / 2;
        if (!tcsi_isa_supported((tcsi_isa)isa)) continue;
        s.conv.precision = precisions[number % 2];
        operands o = operands_make(&s, 3000);
        float window[9 * 9], y[21];
        const tcsi_conv step = { .length_in = 9, .length_out = 1, .channels_in = 9, .channels_out = 21, .kernel = 3, .stride = 1,
                                 .dilation = 4, .precision = s.conv.precision };
        tcsi_conv_forward((tcsi_isa)isa, &s.conv, s.batch, o.x.data, o.w.data, o.bias.data, NULL, TCSI_ACTIVATION_RELU, o.y.data,
                          o.scratch.data);
        for (size_t b = 0; b < s.batch; b++)
            for (size_t t = 0; t < 30; t++) {
                for (size_t i = 0; i < 9; i++)
                    for (size_t c = 0; c < 9; c++) window[i * 9 + c] = t + i < 8 ? 0 : o.x.data[(b * 30 + t + i - 8) * 9 + c];
                tcsi_conv_forward((tcsi_isa)isa, &step, 1, window, o.w.data, o.bias.data, NULL, TCSI_ACTIVATION_RELU, y, o.scratch.data);
                assert_memory_equal(y, o.y.data + (b * 30 + t) * 21, sizeof y);
            }
        operands_free(&o);
    }
}

TCS_TEST_MAIN(cmocka_unit_test(test_drawn), cmocka_unit_test(test_patches), cmocka_unit_test(test_nothing),
              cmocka_unit_test(test_streamed))
