/* kernels/vector_lanes.h -- the loops of kernels/vector.h; included once per tier by cells_TIER.c. */
#include "kernels/cells_lanes.h"
#include "kernels/math_lanes.h"

/* ---- y = f(x) ---- */

#define MAP(expression) EACH(i, n, count, { floats a = load(x + i, n); store(y + i, expression, n); })

static void vector_unary(tcsi_unary f, size_t count, const float *x, float *y)
{
    switch (f) {
    case TCSI_UNARY_EXP: MAP(floats_exp(a)); break;
    case TCSI_UNARY_LOG: MAP(floats_log(a)); break;
    case TCSI_UNARY_TANH: MAP(floats_tanh(a)); break;
    case TCSI_UNARY_SIGMOID: MAP(floats_sigmoid(a)); break;
    case TCSI_UNARY_SOFTPLUS: MAP(floats_softplus(a)); break;
    case TCSI_UNARY_GELU: MAP(floats_gelu(a)); break;
    case TCSI_UNARY_RELU: MAP(floats_relu(a)); break;
    case TCSI_UNARY_SQUARE: MAP(floats_mul(a, a)); break;
    case TCSI_UNARY_SQRT: MAP(floats_sqrt(a)); break;
    case TCSI_UNARY_ABS: MAP(floats_abs(a)); break;
    }
}

/* ---- dx (+)= dy f'(x) ---- */

INLINE floats positive(floats a, floats then) /* a > 0 ? then : 0 */
{
    return floats_select(floats_less(floats_set(0), a), then, floats_set(0));
}

INLINE floats sigmoid_slope(floats y)
{
    return floats_mul(y, floats_sub(floats_set(1), y));
}

INLINE floats tanh_slope(floats y)
{
    return floats_mul(floats_sub(floats_set(1), y), floats_add(floats_set(1), y)); /* 1 - y^2 without cancellation near 1 */
}

INLINE floats sign(floats x)
{
    floats one = ints_as_floats(ints_or(ints_and(floats_as_ints(x), ints_set(INT32_MIN)), floats_as_ints(floats_set(1))));
    return floats_select(floats_equal(x, floats_set(0)), floats_set(0), one);
}

#define MAP_BACKWARD(expression)                                        \
    EACH(i, n, count, {                                                 \
        floats a = load(x + i, n), b = load(y + i, n), d = load(dy + i, n); \
        floats r = expression;                                          \
        (void)a, (void)b;                                               \
        store(dx + i, accumulate ? floats_add(load(dx + i, n), r) : r, n); \
    })

static void vector_unary_backward(tcsi_unary f, size_t count, const float *x, const float *y, const float *dy, bool accumulate, float *dx)
{
    switch (f) {
    case TCSI_UNARY_EXP: MAP_BACKWARD(floats_mul(d, b)); break;
    case TCSI_UNARY_LOG: MAP_BACKWARD(floats_div(d, a)); break;
    case TCSI_UNARY_TANH: MAP_BACKWARD(floats_mul(d, tanh_slope(b))); break;
    case TCSI_UNARY_SIGMOID: MAP_BACKWARD(floats_mul(d, sigmoid_slope(b))); break;
    case TCSI_UNARY_SOFTPLUS: MAP_BACKWARD(floats_mul(d, floats_sigmoid(a))); break;
    case TCSI_UNARY_GELU: MAP_BACKWARD(floats_mul(d, floats_gelu_slope(a))); break;
    case TCSI_UNARY_RELU: MAP_BACKWARD(positive(a, d)); break;
    case TCSI_UNARY_SQUARE: MAP_BACKWARD(floats_mul(d, floats_add(a, a))); break;
    case TCSI_UNARY_SQRT: MAP_BACKWARD(floats_div(d, floats_add(b, b))); break;
    case TCSI_UNARY_ABS: MAP_BACKWARD(floats_mul(d, sign(a))); break;
    }
}

#define MAP_ACTIVATION(expression)                                \
    EACH(i, n, count, {                                           \
        floats b = load(y + i, n), d = load(dy + i, n);           \
        (void)b;                                                  \
        store(dx + i, expression, n);                             \
    })

static void vector_activate_backward(tcsi_activation activation, size_t count, const float *y, const float *dy, float *dx)
{
    switch (activation) {
    case TCSI_ACTIVATION_NONE: MAP_ACTIVATION(d); break;
    case TCSI_ACTIVATION_RELU: MAP_ACTIVATION(positive(b, d)); break;
    case TCSI_ACTIVATION_SIGMOID: MAP_ACTIVATION(floats_mul(d, sigmoid_slope(b))); break;
    case TCSI_ACTIVATION_TANH: MAP_ACTIVATION(floats_mul(d, tanh_slope(b))); break;
    case TCSI_ACTIVATION_SOFTPLUS: MAP_ACTIVATION(floats_mul(d, floats_one_less_exp_minus(b))); break;
    }
}

/* ---- two operands ---- */

static void vector_add(size_t count, const float *a, const float *b, float *out)
{
    EACH(i, n, count, { store(out + i, floats_add(load(a + i, n), load(b + i, n)), n); });
}

static void vector_multiply(size_t count, const float *a, const float *b, bool accumulate, float *out)
{
    if (accumulate) EACH(i, n, count, { store(out + i, floats_fma(load(a + i, n), load(b + i, n), load(out + i, n)), n); });
    else EACH(i, n, count, { store(out + i, floats_mul(load(a + i, n), load(b + i, n)), n); });
}

static void vector_axpy(size_t count, float factor, const float *x, float *y)
{
    const floats f = floats_set(factor);
    EACH(i, n, count, { store(y + i, floats_fma(f, load(x + i, n), load(y + i, n)), n); });
}

static void vector_scale(size_t count, float factor, const float *x, float *y)
{
    const floats f = floats_set(factor);
    EACH(i, n, count, { store(y + i, floats_mul(f, load(x + i, n)), n); });
}

/* ---- reductions ---- */

static double vector_sum(size_t count, const float *x)
{
    chains s = chains_zero();
    EACH_SUM(i, n, r, count, { s.part[r] = doubles_add(s.part[r], doubles_from(load(x + i, n))); });
    return chains_total(s);
}

/* A product of two floats is exact in double. */
static double vector_dot(size_t count, const float *a, const float *b)
{
    chains s = chains_zero();
    EACH_SUM(i, n, r, count, {
        s.part[r] = doubles_add(s.part[r], doubles_mul(doubles_from(load(a + i, n)), doubles_from(load(b + i, n))));
    });
    return chains_total(s);
}

/* The larger of two, NaN if either is: floats_max gives b when one of them is. */
INLINE floats larger_or_nan(floats a, floats b)
{
    return floats_select(floats_is_nan(a), a, floats_max(a, b));
}

static float vector_max(size_t count, const float *x)
{
    float lane[LANES], best = -INFINITY;
    floats most = floats_set(-INFINITY);
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) most = larger_or_nan(most, floats_load(x + i));
    floats_store(lane, most);
    for (size_t l = 0; l < LANES; l++) best = lane[l] > best || lane[l] != lane[l] ? lane[l] : best;
    for (; i < count; i++) best = x[i] > best || x[i] != x[i] ? x[i] : best;
    return best;
}

static void vector_sum_rows(size_t row_count, size_t column_count, const float *x, bool accumulate, float *out)
{
    EACH(c, n, column_count, {
        doubles sum = doubles_set(0);
        for (size_t r = 0; r < row_count; r++) sum = doubles_add(sum, doubles_from(load(x + r * column_count + c, n)));
        floats total = floats_from(sum);
        store(out + c, accumulate ? floats_add(load(out + c, n), total) : total, n);
    });
}
