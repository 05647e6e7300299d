/* kernels/recurrent_test.c -- LSTM and GRU against their definitions in double, finite differences and PyTorch; step by step, row by row.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels.h"

#include "kernels/recurrent.h"

enum { BATCH_MAX = 37, LENGTH_MAX = 9, CHANNELS_MAX = 20, HIDDEN_MAX = 70, STATES = BATCH_MAX * LENGTH_MAX * HIDDEN_MAX };

static const struct {
    size_t batch, length, channels, hidden;
} shapes[] = { { 1, 1, 1, 1 },   { 2, 4, 3, 5 },   { 1, 9, 8, 64 }, { 3, 5, 1, 16 },
               { 37, 3, 4, 17 }, { 2, 6, 20, 70 }, { 5, 7, 2, 9 },  { 3, 3, 0, 4 },
               { 33, 2, 1, 2 }, { 9, 6, 2, 3 } };

static tcsi_recurrent shape_of(tcsi_recurrent_kind kind, size_t s)
{
    return (tcsi_recurrent){ kind, shapes[s].length, shapes[s].channels, shapes[s].hidden };
}

static size_t gate_count(tcsi_recurrent_kind kind)
{
    return kind == TCSI_RECURRENT_LSTM ? 4 : 3;
}

/* ---- the definition ---- */

typedef struct example {
    tcsi_recurrent shape;
    size_t batch;
    double x[BATCH_MAX * LENGTH_MAX * CHANNELS_MAX], w_input[CHANNELS_MAX * 4 * HIDDEN_MAX], w_hidden[4 * HIDDEN_MAX * HIDDEN_MAX];
    double bias_input[4 * HIDDEN_MAX], bias_hidden[4 * HIDDEN_MAX], y[STATES], dy[STATES];
    double h[BATCH_MAX * HIDDEN_MAX], c[BATCH_MAX * HIDDEN_MAX]; /* before the first step; after the last */
} example;

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

/* Row b, one step: PyTorch's formulas. */
static void define_step(example *e, size_t b, const double *x, double *ret_h)
{
    const size_t n = e->shape.hidden, gates = gate_count(e->shape.kind) * n;
    double from_x[4 * HIDDEN_MAX], from_h[4 * HIDDEN_MAX], *h = e->h + b * n, *c = e->c + b * n;
    for (size_t g = 0; g < gates; g++) {
        from_x[g] = e->bias_input[g];
        from_h[g] = e->bias_hidden[g];
        for (size_t k = 0; k < e->shape.channels_in; k++) from_x[g] += x[k] * e->w_input[k * gates + g];
        for (size_t k = 0; k < n; k++) from_h[g] += h[k] * e->w_hidden[k * gates + g];
    }
    for (size_t j = 0; j < n; j++) {
        if (e->shape.kind == TCSI_RECURRENT_LSTM) {
            double i = sigmoid(from_x[j] + from_h[j]), f = sigmoid(from_x[n + j] + from_h[n + j]);
            double g = tanh(from_x[2 * n + j] + from_h[2 * n + j]), o = sigmoid(from_x[3 * n + j] + from_h[3 * n + j]);
            c[j] = f * c[j] + i * g;
            ret_h[j] = o * tanh(c[j]);
        } else {
            double r = sigmoid(from_x[j] + from_h[j]), z = sigmoid(from_x[n + j] + from_h[n + j]);
            double fresh = tanh(from_x[2 * n + j] + r * from_h[2 * n + j]);
            ret_h[j] = (1 - z) * fresh + z * h[j];
        }
    }
    memcpy(h, ret_h, n * sizeof *h);
}

static void define(example *e)
{
    const size_t length = e->shape.length, channels = e->shape.channels_in, n = e->shape.hidden;
    for (size_t b = 0; b < e->batch; b++)
        for (size_t t = 0; t < length; t++) define_step(e, b, e->x + (b * length + t) * channels, e->y + (b * length + t) * n);
}

static double objective(const void *context)
{
    example *e = (example *)(uintptr_t)context;
    double sum = 0;
    memset(e->h, 0, sizeof e->h);
    memset(e->c, 0, sizeof e->c);
    define(e);
    for (size_t i = 0; i < e->batch * e->shape.length * e->shape.hidden; i++) sum += e->y[i] * e->dy[i];
    return sum;
}

/* ---- ours ---- */

typedef struct arrays {
    size_t x_count, y_count, w_input_count, w_hidden_count, gates, state_count, saved_count;
    float *x, *y, *dy, *dx, *h, *c, *saved, *scratch, *weights[4], *gradients[4];
} arrays;

static arrays make_arrays(tcsi_rng *rng, const tcsi_recurrent *shape, size_t batch)
{
    const size_t gates = gate_count(shape->kind) * shape->hidden;
    arrays a = { .x_count = batch * shape->length * shape->channels_in, .y_count = batch * shape->length * shape->hidden, .gates = gates,
                 .w_input_count = shape->channels_in * gates, .w_hidden_count = shape->hidden * gates,
                 .state_count = batch * shape->hidden, .saved_count = batch * tcsi_recurrent_saved_count(shape) };
    const size_t counts[4] = { a.w_input_count, a.w_hidden_count, gates, gates };
    a.x = guarded_random(rng, a.x_count, 1);
    a.y = guarded(a.y_count);
    a.dy = guarded_random(rng, a.y_count, 1);
    a.dx = guarded_random(rng, a.x_count, 1);
    a.h = guarded_random(rng, a.state_count, 0.5);
    a.c = guarded_random(rng, a.state_count, 0.5);
    a.saved = guarded(a.saved_count);
    a.scratch = guarded(tcsi_recurrent_scratch_count(shape, batch));
    for (size_t k = 0; k < 4; k++) {
        a.weights[k] = guarded_random(rng, counts[k], 1 / sqrt((double)shape->hidden));
        a.gradients[k] = guarded_random(rng, counts[k], 1);
    }
    return a;
}

static tcsi_recurrent_weights weights_of(const arrays *a)
{
    return (tcsi_recurrent_weights){ a->weights[0], a->weights[1], a->weights[2], a->weights[3] };
}

static void make_example(example *e, const tcsi_recurrent *shape, size_t batch, const arrays *a)
{
    e->shape = *shape;
    e->batch = batch;
    to_doubles(a->x_count, a->x, e->x);
    to_doubles(a->w_input_count, a->weights[0], e->w_input);
    to_doubles(a->w_hidden_count, a->weights[1], e->w_hidden);
    to_doubles(a->gates, a->weights[2], e->bias_input);
    to_doubles(a->gates, a->weights[3], e->bias_hidden);
    to_doubles(a->y_count, a->dy, e->dy);
    to_doubles(a->state_count, a->h, e->h);
    to_doubles(a->state_count, a->c, e->c);
}

static void test_forward(void **state)
{
    (void)state;
    static example e;
    tcsi_rng rng = tcsi_rng_make(1, 0);
    EACH_ISA(isa)
        for (int kind = 0; kind < 2; kind++)
            for (size_t s = 0; s < TCS_COUNT(shapes); s++) {
                const tcsi_recurrent shape = shape_of((tcsi_recurrent_kind)kind, s);
                const size_t batch = shapes[s].batch;
                arrays a = make_arrays(&rng, &shape, batch);
                const tcsi_recurrent_weights weights = weights_of(&a);
                float *unsaved = guarded(a.y_count), *h = guarded_copy(a.state_count, a.h), *c = guarded_copy(a.state_count, a.c);
                make_example(&e, &shape, batch, &a);
                define(&e);
                tcsi_recurrent_forward(isa, &shape, batch, a.x, &weights, a.h, a.c, a.y, a.saved, a.scratch);
                assert_all_near("y", isa, a.y_count, e.y, a.y, 2e-6);
                assert_all_near("h at the end", isa, a.state_count, e.h, a.h, 2e-6);
                assert_all_near("c at the end", isa, a.state_count, e.c, a.c, 2e-6);
                tcsi_recurrent_forward(isa, &shape, batch, a.x, &weights, h, c, unsaved, NULL, a.scratch);
                assert_same_bits("y without saving", isa, a.y_count, a.y, unsaved);
                assert_same_bits("h without saving", isa, a.state_count, a.h, h);
                assert_same_bits("c without saving", isa, a.state_count, a.c, c);
                guarded_release();
            }
}

/* One step at a time and one row at a time are the whole, bit for bit; a NaN stays in its row. */
static void test_steps_and_rows(void **state)
{
    (void)state;
    tcsi_rng rng = tcsi_rng_make(2, 0);
    EACH_ISA(isa)
        for (int kind = 0; kind < 2; kind++)
            for (size_t s = 0; s < TCS_COUNT(shapes); s++) {
                const tcsi_recurrent shape = shape_of((tcsi_recurrent_kind)kind, s);
                const tcsi_recurrent step = { shape.kind, 1, shape.channels_in, shape.hidden };
                const size_t batch = shapes[s].batch, n = shape.hidden, channels = shape.channels_in, length = shape.length;
                arrays a = make_arrays(&rng, &shape, batch);
                const tcsi_recurrent_weights weights = weights_of(&a);
                float *h = guarded(n), *c = guarded(n), *y = guarded(length * n);
                if (a.x_count > 1) a.x[a.x_count - 1] = NAN;
                tcsi_recurrent_forward(isa, &shape, batch, a.x, &weights, NULL, NULL, a.y, a.saved, a.scratch);
                for (size_t b = 0; b < batch; b++) {
                    const float *x = a.x + b * length * channels;
                    memset(h, 0, n * sizeof *h);
                    memset(c, 0, n * sizeof *c);
                    for (size_t t = 0; t < length; t++)
                        tcsi_recurrent_forward(isa, &step, 1, x + t * channels, &weights, h, c, y + t * n, NULL, a.scratch);
                    assert_same_bits("steps", isa, length * n, a.y + b * length * n, y);
                    tcsi_recurrent_forward(isa, &shape, 1, x, &weights, NULL, NULL, y, NULL, a.scratch);
                    assert_same_bits("a row alone", isa, length * n, a.y + b * length * n, y);
                }
                for (size_t i = 0; i + n < a.y_count; i++) assert_false(isnan(a.y[i]));
                guarded_release();
            }
}

/* Weights' gradients in bfloat16: each product of two numbers rounded by 2^-9 of themselves, so that no sum is off by more than
 * 2^-8 of its absolute terms, which the norm of the change stands for here: 1 %. */
static void check_bfloat16(tcsi_isa isa, const tcsi_recurrent *shape, size_t batch, arrays *a, float *const *before)
{
    const tcsi_recurrent_weights weights = weights_of(a);
    const size_t counts[2] = { a->w_input_count, a->w_hidden_count };
    tcsi_recurrent rounded = *shape;
    float *found[4];
    rounded.precision = TCSI_PRECISION_BFLOAT16;
    for (size_t k = 0; k < 4; k++) found[k] = guarded_copy(k < 2 ? counts[k] : a->gates, before[k]);
    const tcsi_recurrent_gradients gradients = { found[0], found[1], found[2], found[3] };
    tcsi_recurrent_backward(isa, &rounded, batch, a->x, &weights, a->y, a->saved, a->dy, false, NULL, &gradients, a->scratch);
    for (size_t k = 0; k < 2; k++) {
        double difference = 0, change = 0;
        for (size_t i = 0; i < counts[k]; i++) {
            difference += pow((double)found[k][i] - (double)a->gradients[k][i], 2);
            change += pow((double)a->gradients[k][i] - (double)before[k][i], 2);
        }
        assert_true(sqrt(difference) <= 0.01 * sqrt(change));
    }
    for (size_t k = 2; k < 4; k++) assert_same_bits("a bias's gradient", isa, a->gates, a->gradients[k], found[k]);
}

static void check_backward(tcsi_isa isa, const tcsi_recurrent *shape, size_t batch, arrays *a)
{
    static example e;
    static double expected[4 * HIDDEN_MAX * HIDDEN_MAX];
    const tcsi_recurrent_weights weights = weights_of(a);
    const tcsi_recurrent_gradients gradients = { a->gradients[0], a->gradients[1], a->gradients[2], a->gradients[3] };
    const size_t counts[4] = { a->w_input_count, a->w_hidden_count, a->gates, a->gates };
    double *parameters[4] = { e.w_input, e.w_hidden, e.bias_input, e.bias_hidden };
    float *before[4], *dx_sum = guarded_copy(a->x_count, a->dx), *dx_before = guarded_copy(a->x_count, a->dx);
    for (size_t k = 0; k < 4; k++) before[k] = guarded_copy(counts[k], a->gradients[k]);
    make_example(&e, shape, batch, a);
    tcsi_recurrent_forward(isa, shape, batch, a->x, &weights, NULL, NULL, a->y, a->saved, a->scratch);
    tcsi_recurrent_backward(isa, shape, batch, a->x, &weights, a->y, a->saved, a->dy, false, a->dx, &gradients, a->scratch);
    numeric_gradient(a->x_count, e.x, objective, &e, expected);
    assert_all_near("dx", isa, a->x_count, expected, a->dx, 3e-6);
    for (size_t k = 0; k < 4; k++) {
        numeric_gradient(counts[k], parameters[k], objective, &e, expected);
        for (size_t i = 0; i < counts[k]; i++) expected[i] += (double)before[k][i];
        assert_all_near("a parameter's gradient", isa, counts[k], expected, a->gradients[k], 3e-6);
    }
    check_bfloat16(isa, shape, batch, a, before);
    tcsi_recurrent_backward(isa, shape, batch, a->x, &weights, a->y, a->saved, a->dy, true, dx_sum, &gradients, a->scratch);
    for (size_t i = 0; i < a->x_count; i++) expected[i] = (double)a->dx[i] + (double)dx_before[i];
    assert_all_near("dx accumulated", isa, a->x_count, expected, dx_sum, 1e-6);
    tcsi_recurrent_backward(isa, shape, batch, a->x, &weights, a->y, a->saved, a->dy, true, NULL, &gradients, a->scratch);
}

static void test_backward(void **state)
{
    (void)state;
    tcsi_rng rng = tcsi_rng_make(3, 0);
    EACH_ISA(isa)
        for (int kind = 0; kind < 2; kind++)
            for (size_t s = 0; s < TCS_COUNT(shapes); s++) {
                const tcsi_recurrent shape = shape_of((tcsi_recurrent_kind)kind, s);
                if (shape.hidden > 20 || shapes[s].batch * shape.hidden > 80) continue; /* a difference costs a whole forward pass */
                arrays a = make_arrays(&rng, &shape, shapes[s].batch);
                check_backward(isa, &shape, shapes[s].batch, &a);
                guarded_release();
            }
}

/* ---- PyTorch ---- */

static void check_golden(tcsi_isa isa, const char *name, tcsi_recurrent_kind kind)
{
    const tcsi_recurrent shape = { kind, 6, 5, 7 };
    const char *const names[4] = { "w_input", "w_hidden", "bias_input", "bias_hidden" };
    const char *const slopes[4] = { "dw_input", "dw_hidden", "dbias_input", "dbias_hidden" };
    size_t counts[4], x_count, y_count;
    float *weights[4], *gradients[4];
    for (size_t k = 0; k < 4; k++) {
        weights[k] = golden_floats(name, names[k], &counts[k]);
        gradients[k] = guarded(counts[k]);
    }
    const tcsi_recurrent_weights w = { weights[0], weights[1], weights[2], weights[3] };
    const tcsi_recurrent_gradients d = { gradients[0], gradients[1], gradients[2], gradients[3] };
    float *x = golden_floats(name, "x", &x_count), *dy = golden_floats(name, "dy", &y_count), *y = guarded(y_count), *dx = guarded(x_count);
    float *saved = guarded(3 * tcsi_recurrent_saved_count(&shape)), *scratch = guarded(tcsi_recurrent_scratch_count(&shape, 3));
    tcsi_recurrent_forward(isa, &shape, 3, x, &w, NULL, NULL, y, saved, scratch);
    tcsi_recurrent_backward(isa, &shape, 3, x, &w, y, saved, dy, false, dx, &d, scratch);
    assert_golden(name, "y", isa, y_count, y, 1e-6);
    assert_golden(name, "dx", isa, x_count, dx, 1e-6);
    for (size_t k = 0; k < 4; k++) assert_golden(name, slopes[k], isa, counts[k], gradients[k], 1e-6);
    const bool has_c = kind == TCSI_RECURRENT_LSTM;
    float *h = golden_floats(name, "begun.h", NULL), *c = has_c ? golden_floats(name, "begun.c", NULL) : NULL;
    tcsi_recurrent_forward(isa, &shape, 3, x, &w, h, c, y, NULL, scratch);
    assert_golden(name, "begun.y", isa, y_count, y, 1e-6);
    if (has_c) assert_golden(name, "begun.c_end", isa, 21, c, 1e-6);
}

static void test_golden(void **state)
{
    (void)state;
    EACH_ISA(isa) {
        check_golden(isa, "lstm", TCSI_RECURRENT_LSTM);
        guarded_release();
        check_golden(isa, "gru", TCSI_RECURRENT_GRU);
        guarded_release();
    }
}

static void test_empty(void **state)
{
    (void)state;
    const tcsi_recurrent none[] = { { TCSI_RECURRENT_LSTM, 0, 2, 3 }, { TCSI_RECURRENT_GRU, 0, 2, 3 }, { TCSI_RECURRENT_LSTM, 4, 2, 0 } };
    const tcsi_recurrent_weights weights = { 0 };
    const tcsi_recurrent_gradients gradients = { 0 };
    EACH_ISA(isa)
        for (size_t k = 0; k < TCS_COUNT(none); k++) {
            tcsi_recurrent_forward(isa, &none[k], 2, NULL, &weights, NULL, NULL, NULL, NULL, NULL);
            tcsi_recurrent_backward(isa, &none[k], 2, NULL, &weights, NULL, NULL, NULL, true, NULL, &gradients, NULL);
        }
}

TCS_TEST_MAIN(cmocka_unit_test(test_forward), cmocka_unit_test(test_steps_and_rows), cmocka_unit_test(test_backward),
              cmocka_unit_test(test_golden), cmocka_unit_test(test_empty))
