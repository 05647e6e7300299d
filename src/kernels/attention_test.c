/* kernels/attention_test.c -- attention against its definition in double, finite differences and PyTorch.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels.h"

#include "kernels/attention.h"

enum { BATCH = 2, LENGTH_MAX = 70, WIDTH_MAX = 96, WEIGHTS_MAX = 8 * LENGTH_MAX * LENGTH_MAX };

typedef struct example {
    tcsi_attention shape;
    double qkv[LENGTH_MAX * 3 * WIDTH_MAX], y[LENGTH_MAX * WIDTH_MAX], weights[WEIGHTS_MAX], dy[LENGTH_MAX * WIDTH_MAX];
} example;

static const tcsi_attention shapes[] = {
    { 1, 1, 1, false }, { 5, 6, 2, false },  { 5, 6, 2, true },    { 17, 16, 1, false }, { 33, 24, 3, true }, { 16, 64, 4, false },
    { 64, 64, 4, true }, { 64, 64, 4, false }, { 70, 96, 8, false }, { 3, 20, 2, true },   { 20, 14, 2, true }, { 32, 32, 1, false },
};

/* ---- the definition ---- */

static void define(example *e)
{
    const size_t length = e->shape.length, width = e->shape.width, part = width / e->shape.head_count;
    for (size_t head = 0; head < e->shape.head_count; head++)
        for (size_t t = 0; t < length; t++) {
            double *w = e->weights + (head * length + t) * length, most = -INFINITY, sum = 0;
            const double *q = e->qkv + t * 3 * width + head * part, *k = e->qkv + width + head * part, *v = k + width;
            const size_t seen = e->shape.causal ? t + 1 : length;
            for (size_t s = 0; s < length; s++) {
                w[s] = 0;
                for (size_t c = 0; c < part; c++) w[s] += q[c] * k[s * 3 * width + c] / sqrt((double)part);
                if (s < seen) most = fmax(most, w[s]);
            }
            for (size_t s = 0; s < length; s++) sum += w[s] = s < seen ? exp(w[s] - most) : 0;
            for (size_t s = 0; s < length; s++) w[s] /= sum;
            for (size_t c = 0; c < part; c++) {
                double y = 0;
                for (size_t s = 0; s < length; s++) y += w[s] * v[s * 3 * width + c];
                e->y[t * width + head * part + c] = y;
            }
        }
}

static double objective(const void *context)
{
    example *e = (example *)(uintptr_t)context;
    double sum = 0;
    define(e);
    for (size_t i = 0; i < e->shape.length * e->shape.width; i++) sum += e->y[i] * e->dy[i];
    return sum;
}

/* ---- against it ---- */

typedef struct arrays {
    size_t qkv_count, y_count, weight_count; /* of one row of the batch */
    float *qkv, *y, *weights, *dy, *dqkv, *scratch;
} arrays;

static arrays make_arrays(tcsi_rng *rng, const tcsi_attention *shape)
{
    arrays a = { .qkv_count = shape->length * 3 * shape->width, .y_count = shape->length * shape->width,
                 .weight_count = shape->head_count * shape->length * shape->length };
    a.qkv = guarded_random(rng, BATCH * a.qkv_count, 1);
    a.y = guarded(BATCH * a.y_count);
    a.weights = guarded(BATCH * a.weight_count);
    a.dy = guarded_random(rng, BATCH * a.y_count, 1);
    a.dqkv = guarded_random(rng, BATCH * a.qkv_count, 1);
    a.scratch = guarded(tcsi_attention_scratch_count(shape));
    return a;
}

static void test_forward(void **state)
{
    (void)state;
    static example e;
    tcsi_rng rng = tcsi_rng_make(1, 0);
    EACH_ISA(isa)
        for (size_t s = 0; s < TCS_COUNT(shapes); s++) {
            arrays a = make_arrays(&rng, &shapes[s]);
            tcsi_attention_forward(isa, &shapes[s], BATCH, a.qkv, a.y, a.weights, a.scratch);
            for (size_t b = 0; b < BATCH; b++) {
                e.shape = shapes[s];
                to_doubles(a.qkv_count, a.qkv + b * a.qkv_count, e.qkv);
                define(&e);
                assert_all_near("attention", isa, a.y_count, e.y, a.y + b * a.y_count, 2e-6);
                assert_all_near("weights", isa, a.weight_count, e.weights, a.weights + b * a.weight_count, 1e-6);
            }
            guarded_release();
        }
}

/* Small shapes only: a difference costs a whole forward pass. */
static void test_backward(void **state)
{
    (void)state;
    static example e;
    static double expected[LENGTH_MAX * 3 * WIDTH_MAX];
    tcsi_rng rng = tcsi_rng_make(2, 0);
    EACH_ISA(isa)
        for (size_t s = 0; s < TCS_COUNT(shapes); s++) {
            if (shapes[s].length * shapes[s].width > 300) continue;
            arrays a = make_arrays(&rng, &shapes[s]);
            float *sum = guarded_copy(BATCH * a.qkv_count, a.dqkv), *before = guarded_copy(BATCH * a.qkv_count, a.dqkv);
            tcsi_attention_forward(isa, &shapes[s], BATCH, a.qkv, a.y, a.weights, a.scratch);
            tcsi_attention_backward(isa, &shapes[s], BATCH, a.qkv, a.weights, a.dy, false, a.dqkv, a.scratch);
            tcsi_attention_backward(isa, &shapes[s], BATCH, a.qkv, a.weights, a.dy, true, sum, a.scratch);
            for (size_t b = 0; b < BATCH; b++) {
                e.shape = shapes[s];
                to_doubles(a.qkv_count, a.qkv + b * a.qkv_count, e.qkv);
                to_doubles(a.y_count, a.dy + b * a.y_count, e.dy);
                numeric_gradient(a.qkv_count, e.qkv, objective, &e, expected);
                assert_all_near("dqkv", isa, a.qkv_count, expected, a.dqkv + b * a.qkv_count, 3e-6);
                for (size_t i = 0; i < a.qkv_count; i++) expected[i] += (double)before[b * a.qkv_count + i];
                assert_all_near("dqkv accumulated", isa, a.qkv_count, expected, sum + b * a.qkv_count, 3e-6);
            }
            guarded_release();
        }
}

/* A causal row does not change when what comes after it does, not even into NaN. */
static void test_causal(void **state)
{
    (void)state;
    tcsi_rng rng = tcsi_rng_make(3, 0);
    EACH_ISA(isa)
        for (size_t s = 0; s < TCS_COUNT(shapes); s++) {
            const tcsi_attention *shape = &shapes[s];
            if (!shape->causal) continue;
            arrays a = make_arrays(&rng, shape);
            float *y = guarded(BATCH * a.y_count);
            tcsi_attention_forward(isa, shape, BATCH, a.qkv, a.y, a.weights, a.scratch);
            for (size_t t = shape->length; t-- > 1;) {
                for (size_t c = 0; c < 3 * shape->width; c++) a.qkv[t * 3 * shape->width + c] = c % 2 ? NAN : INFINITY;
                tcsi_attention_forward(isa, shape, 1, a.qkv, y, a.weights, a.scratch);
                assert_same_bits("rows before", isa, t * shape->width, a.y, y);
            }
            guarded_release();
        }
}

/* Row after row from keys and values side by side: the bits of the whole. */
static void test_step(void **state)
{
    (void)state;
    tcsi_rng rng = tcsi_rng_make(5, 0);
    EACH_ISA(isa)
        for (size_t s = 0; s < TCS_COUNT(shapes); s++) {
            const tcsi_attention *shape = &shapes[s];
            if (!shape->causal) continue;
            const size_t width = shape->width;
            arrays a = make_arrays(&rng, shape);
            float *known = guarded(shape->length * 2 * width), *y = guarded(width), *scratch = guarded(shape->length);
            tcsi_attention_forward(isa, shape, 1, a.qkv, a.y, a.weights, a.scratch);
            for (size_t t = 0; t < shape->length; t++) {
                const float *row = a.qkv + t * 3 * width;
                memcpy(known + t * 2 * width, row + width, 2 * width * sizeof *known);
                tcsi_attention_step(isa, shape, t + 1, row, known, y, scratch);
                assert_same_bits("step", isa, width, a.y + t * width, y);
            }
            guarded_release();
        }
}

/* A row of a batch is what it is alone. */
static void test_batch(void **state)
{
    (void)state;
    tcsi_rng rng = tcsi_rng_make(4, 0);
    EACH_ISA(isa)
        for (size_t s = 0; s < TCS_COUNT(shapes); s++) {
            arrays a = make_arrays(&rng, &shapes[s]);
            float *y = guarded(a.y_count), *dqkv = guarded(a.qkv_count), *weights = guarded(a.weight_count);
            tcsi_attention_forward(isa, &shapes[s], BATCH, a.qkv, a.y, a.weights, a.scratch);
            tcsi_attention_backward(isa, &shapes[s], BATCH, a.qkv, a.weights, a.dy, false, a.dqkv, a.scratch);
            tcsi_attention_forward(isa, &shapes[s], 1, a.qkv + a.qkv_count, y, weights, a.scratch);
            tcsi_attention_backward(isa, &shapes[s], 1, a.qkv + a.qkv_count, weights, a.dy + a.y_count, false, dqkv, a.scratch);
            assert_same_bits("y", isa, a.y_count, a.y + a.y_count, y);
            assert_same_bits("dqkv", isa, a.qkv_count, a.dqkv + a.qkv_count, dqkv);
            guarded_release();
        }
}

static void test_golden(void **state)
{
    (void)state;
    EACH_ISA(isa)
        for (int causal = 0; causal < 2; causal++) {
            const tcsi_attention shape = { 5, 6, 2, causal };
            const char *name = causal ? "attention_causal" : "attention";
            float *qkv = golden_floats(name, "qkv", NULL), *dy = golden_floats(name, "dy", NULL), *y = guarded(60), *dqkv = guarded(180);
            float *weights = guarded(2 * 2 * 25), *scratch = guarded(tcsi_attention_scratch_count(&shape));
            tcsi_attention_forward(isa, &shape, 2, qkv, y, weights, scratch);
            tcsi_attention_backward(isa, &shape, 2, qkv, weights, dy, false, dqkv, scratch);
            assert_golden(name, "y", isa, 60, y, 1e-6);
            assert_golden(name, "dqkv", isa, 180, dqkv, 1e-6);
            guarded_release();
        }
}

static void test_empty(void **state)
{
    (void)state;
    const tcsi_attention none = { 0, 8, 2, false }, narrow = { 4, 0, 1, false }, some = { 4, 8, 2, false };
    EACH_ISA(isa) {
        tcsi_attention_forward(isa, &none, 3, NULL, NULL, NULL, NULL);
        tcsi_attention_backward(isa, &none, 3, NULL, NULL, NULL, false, NULL, NULL);
        tcsi_attention_forward(isa, &narrow, 3, NULL, NULL, NULL, NULL);
        tcsi_attention_forward(isa, &some, 0, NULL, NULL, NULL, NULL);
        tcsi_attention_backward(isa, &some, 0, NULL, NULL, NULL, false, NULL, NULL);
    }
}

TCS_TEST_MAIN(cmocka_unit_test(test_forward), cmocka_unit_test(test_backward), cmocka_unit_test(test_causal), cmocka_unit_test(test_step),
              cmocka_unit_test(test_batch), cmocka_unit_test(test_golden), cmocka_unit_test(test_empty))
