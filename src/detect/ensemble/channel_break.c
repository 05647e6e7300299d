/* SPDX-License-Identifier: Apache-2.0
 * A `model` holds what is fitted on a stretch of rows and what pushing rows changes.  Calibration fits a model on four fifths of
 * the training rows and streams the remaining fifth through it, five times; then one model is fitted on all of them. */
#include "detect/ensemble/channel_break.h"

#include "base/alloc.h"
#include "kernels/linalg.h"
#include "series/stats.h"

#include <math.h>
#include <string.h>

enum {
    FOLDS = 5,
    TRAIN_ROWS_MIN = 60,
    DISTINCT_MIN = 2,       /* a channel with no more distinct values is a switch, and left out */
    CHANNEL_COUNT_MAX = 64, /* of more continuous channels, this many are taken evenly: cost grows with the square */
    VARIOGRAM_LAGS = 12,
    VARIOGRAM_LAG_MAX = 200,
};
typedef enum statistic { Q1, Q2, LEVEL, ENERGY, STATISTICS } statistic;

static const double CLIP = 50, RESIDUAL_CLIP = 4, GATE = 3, RIDGE = 0.1;
static const double VARIANCE_KEPT[2] = { 0.8, 0.9 }; /* share left out by Q1 and Q2 */
static const size_t LAGS[2] = { 1, 2 };              /* delayed copies, in windows */

typedef struct options {
    size_t window, smoothing;
    double energy_offset, margin;
} options;

/* ---- causal mean over the last `width` rows of a vector, partial at the beginning ---- */

typedef struct rolling {
    double *ring, *sum; /* (width, C), (C) */
    size_t width, dimension, seen_count;
} rolling;

/* The sum is rebuilt from the ring once per turn, so that rounding does not pile up over a long stream. */
static void rolling_push(rolling *r, const double *row, double *ret_mean)
{
    size_t slot = r->seen_count % r->width;
    double *oldest = r->ring + slot * r->dimension;
    for (size_t c = 0; c < r->dimension; c++) {
        r->sum[c] += row[c] - oldest[c];
        oldest[c] = row[c];
    }
    r->seen_count++;
    for (size_t c = 0; slot == r->width - 1 && c < r->dimension; c++) {
        r->sum[c] = 0;
        for (size_t k = 0; k < r->width; k++) r->sum[c] += r->ring[k * r->dimension + c];
    }
    size_t count = r->seen_count < r->width ? r->seen_count : r->width;
    for (size_t c = 0; c < r->dimension; c++) ret_mean[c] = r->sum[c] / (double)count;
}

/* ---- the model: one block of doubles, carved once ---- */

/* Principal components of stacked windowed means; D = C (lags + 1). */
typedef struct components {
    size_t dimension, left_out;
    double *means, *vectors; /* (D), (D,D): row k is the k-th unit vector */
} components;

typedef struct model {
    size_t channel_count, window, train_row_count, row_count;
    double *block;           /* everything below that is a double */
    size_t block_count;
    double *median, *spread; /* (C) each, fitted */
    components q[2];
    double *level_step, *level_noise, *row_noise, *level_start; /* (C): variances of the level's step, of a windowed mean, of a row */
    double *fast_spread, *fast_median, *fast_scale;             /* (C): of the movement around the slow mean */
    double *weights, *fast_mean, *residual_spread;              /* (C,C), (C), (C): each channel from the others */
    rolling mean, slow, energy;                                 /* streaming from here on */
    double *delayed;                                            /* (2 w + 1, C): past windowed means */
    double *level, *level_variance;                             /* (C) */
    double *scaled, *windowed, *stacked, *fast, *residual, *energies, *level_parts; /* scratch: (C), stacked (3 C) */
} model;

/* Hands out the next count doubles; with base NULL only counts. */
static double *carve(double *base, size_t *used, size_t count)
{
    double *at = base ? base + *used : NULL;
    *used += count;
    return at;
}

static void carve_rolling(rolling *r, double *base, size_t *used, size_t width, size_t dimension)
{
    *r = (rolling){ .width = width, .dimension = dimension };
    r->ring = carve(base, used, width * dimension);
    r->sum = carve(base, used, dimension);
}

static size_t carve_all(model *m, double *base)
{
    size_t used = 0, n = m->channel_count, w = m->window;
    double **vectors[] = { &m->median, &m->spread, &m->level_step, &m->level_noise, &m->row_noise, &m->level_start, &m->fast_spread,
                           &m->fast_median, &m->fast_scale, &m->fast_mean, &m->residual_spread, &m->level, &m->level_variance,
                           &m->scaled, &m->windowed, &m->fast, &m->residual, &m->energies, &m->level_parts };
    for (size_t i = 0; i < TCS_COUNT(vectors); i++) *vectors[i] = carve(base, &used, n);
    m->weights = carve(base, &used, n * n);
    m->stacked = carve(base, &used, 3 * n);
    m->delayed = carve(base, &used, (2 * w + 1) * n);
    for (int k = 0; k < 2; k++) {
        m->q[k].dimension = n * (LAGS[k] + 1);
        m->q[k].means = carve(base, &used, m->q[k].dimension);
        m->q[k].vectors = carve(base, &used, m->q[k].dimension * m->q[k].dimension);
    }
    carve_rolling(&m->mean, base, &used, w, n);
    carve_rolling(&m->slow, base, &used, 3 * w, n);
    carve_rolling(&m->energy, base, &used, 2 * w, n);
    return used;
}

static tcs_status model_init(model *m, size_t channel_count, size_t window, tcs_error *err)
{
    *m = (model){ .channel_count = channel_count, .window = window };
    m->block_count = carve_all(m, NULL);
    m->block = TCSI_NEW_ZEROS(double, m->block_count);
    if (!m->block) return tcsi_fail_memory(err, "a channel model");
    carve_all(m, m->block);
    return TCS_OK;
}

static void model_deinit(model *m)
{
    tcsi_free(m->block);
    *m = (model){ 0 };
}

static void rolling_reset(rolling *r)
{
    memset(r->ring, 0, r->width * r->dimension * sizeof *r->ring);
    memset(r->sum, 0, r->dimension * sizeof *r->sum);
    r->seen_count = 0;
}

static void model_reset(model *m)
{
    m->row_count = 0;
    rolling_reset(&m->mean);
    rolling_reset(&m->slow);
    rolling_reset(&m->energy);
    memcpy(m->level, m->level_start, m->channel_count * sizeof *m->level);
    for (size_t c = 0; c < m->channel_count; c++) m->level_variance[c] = m->row_noise[c] / (double)m->window;
}

/* ---- pushing a row: x (C) has no missing value ---- */

static void scale_row(const model *m, const double *x, double *ret_scaled)
{
    for (size_t c = 0; c < m->channel_count; c++) {
        double z = (x[c] - m->median[c]) / m->spread[c];
        ret_scaled[c] = z > CLIP ? CLIP : z < -CLIP ? -CLIP : z;
    }
}

/* The windowed mean of `back` rows ago, the first one before there are as many. */
static const double *delayed_mean(const model *m, size_t back)
{
    size_t depth = 2 * m->window + 1, newest = m->row_count; /* row_count is the index of the row being pushed */
    size_t index = back <= newest ? newest - back : 0;
    return m->delayed + (index % depth) * m->channel_count;
}

static double prediction_error(const model *m, const components *q)
{
    double error = 0;
    for (size_t k = q->left_out; k < q->dimension; k++) {
        const double *vector = q->vectors + k * q->dimension;
        double projection = 0;
        for (size_t i = 0; i < q->dimension; i++) projection += (m->stacked[i] - q->means[i]) * vector[i];
        error += projection * projection;
    }
    return error;
}

static void stack(model *m)
{
    size_t n = m->channel_count, depth = 2 * m->window + 1;
    memcpy(m->delayed + (m->row_count % depth) * n, m->windowed, n * sizeof(double));
    for (size_t k = 0; k <= 2; k++) memcpy(m->stacked + k * n, delayed_mean(m, k * m->window), n * sizeof(double));
}

static double push_level(model *m)
{
    double sum = 0;
    for (size_t c = 0; c < m->channel_count; c++) {
        double variance = m->level_variance[c] + m->level_step[c];
        double z = (m->windowed[c] - m->level[c]) / sqrt(variance + m->level_noise[c]);
        bool follow = m->row_count < m->train_row_count || fabs(z) < GATE;
        double gain = follow ? variance / (variance + m->row_noise[c]) : 0;
        m->level[c] += gain * (m->scaled[c] - m->level[c]);
        m->level_variance[c] = variance * (1 - gain);
        m->level_parts[c] = z * z;
        sum += z * z;
    }
    return sum;
}

static void fast_movement(model *m)
{
    rolling_push(&m->slow, m->scaled, m->fast);
    for (size_t c = 0; c < m->channel_count; c++) {
        double fast = (m->scaled[c] - m->fast[c]) / m->fast_spread[c];
        double z = (fast - m->fast_median[c]) / m->fast_scale[c];
        m->fast[c] = z > CLIP ? CLIP : z < -CLIP ? -CLIP : z;
    }
}

static double residual_of(const model *m, size_t c)
{
    const double *weights = m->weights + c * m->channel_count;
    double residual = m->fast[c] - m->fast_mean[c];
    for (size_t k = 0; k < m->channel_count; k++) residual -= weights[k] * (m->fast[k] - m->fast_mean[k]);
    return residual;
}

static double push_energy(model *m)
{
    double highest = 0;
    fast_movement(m);
    for (size_t c = 0; c < m->channel_count; c++) {
        double r = residual_of(m, c) / m->residual_spread[c];
        r = r > RESIDUAL_CLIP ? RESIDUAL_CLIP : r < -RESIDUAL_CLIP ? -RESIDUAL_CLIP : r;
        m->residual[c] = r * r;
    }
    rolling_push(&m->energy, m->residual, m->energies);
    for (size_t c = 0; c < m->channel_count; c++) highest = fmax(highest, m->energies[c]);
    return highest;
}

static void model_push(model *m, const double *x, double ret_statistics[STATISTICS])
{
    scale_row(m, x, m->scaled);
    rolling_push(&m->mean, m->scaled, m->windowed);
    stack(m);
    for (int k = 0; k < 2; k++) ret_statistics[k] = prediction_error(m, &m->q[k]);
    ret_statistics[LEVEL] = m->row_count >= m->window ? push_level(m) : 0;
    ret_statistics[ENERGY] = m->channel_count > 1 ? push_energy(m) : 0;
    m->row_count++;
}

/* ---- fitting: x is (T,C), row-major, complete ---- */

typedef struct workspace {
    double *scaled, *windowed; /* (T,C) */
    double *stacked;           /* (T,3C) */
    double *column;            /* (T) */
    double *matrix, *values;   /* (3C,3C), (3C) */
} workspace;

static tcs_status workspace_init(workspace *w, size_t row_count, size_t channel_count, tcs_error *err)
{
    size_t cells = 0, wide = 3 * channel_count;
    bool fits = tcsi_multiply(row_count, wide, &cells);
    *w = (workspace){ 0 };
    if (fits) {
        w->scaled = TCSI_NEW_ARRAY(double, cells / 3);
        w->windowed = TCSI_NEW_ARRAY(double, cells / 3);
        w->stacked = TCSI_NEW_ARRAY(double, cells);
        w->column = TCSI_NEW_ARRAY(double, row_count);
        w->matrix = TCSI_NEW_ARRAY(double, wide * wide);
        w->values = TCSI_NEW_ARRAY(double, wide);
    }
    bool ok = w->scaled && w->windowed && w->stacked && w->column && w->matrix && w->values;
    return ok ? TCS_OK : tcsi_fail_memory(err, "fitting a channel model");
}

static void workspace_deinit(workspace *w)
{
    tcsi_free(w->scaled);
    tcsi_free(w->windowed);
    tcsi_free(w->stacked);
    tcsi_free(w->column);
    tcsi_free(w->matrix);
    tcsi_free(w->values);
}

/* Median and standard deviation of column c of x (T,C); a deviation that is nothing but rounding counts as 1. */
static void centre_and_spread(const double *x, size_t row_count, size_t stride, size_t c, double *column, double *ret_median,
                              double *ret_spread)
{
    double mean = 0, square = 0;
    for (size_t t = 0; t < row_count; t++) column[t] = x[t * stride + c];
    double median = tcsi_quantile_inplace(column, row_count, 0.5);
    for (size_t t = 0; t < row_count; t++) mean += (column[t] - median) / (double)row_count;
    for (size_t t = 0; t < row_count; t++) square += (column[t] - median - mean) * (column[t] - median - mean);
    double spread = sqrt(square / (double)row_count);
    *ret_median = median;
    *ret_spread = spread > 1e-9 * (1 + fabs(median)) && isfinite(spread) ? spread : 1;
}

static tcs_status fit_components(components *q, const double *stacked, size_t row_count, size_t stride, workspace *w, double kept,
                                 tcs_error *err)
{
    size_t d = q->dimension;
    double *rows = TCSI_NEW_ARRAY(double, row_count * d);
    if (!rows) return tcsi_fail_memory(err, "fitting a channel model");
    for (size_t t = 0; t < row_count; t++) memcpy(rows + t * d, stacked + t * stride, d * sizeof *rows);
    tcs_status status = tcsi_ledoit_wolf(rows, row_count, d, q->means, w->matrix, NULL, err);
    if (status == TCS_OK) status = tcsi_eigen_symmetric(w->matrix, d, w->values, q->vectors, err);
    tcsi_free(rows);
    if (status != TCS_OK) return status;
    double total = 0, sum = 0;
    for (size_t k = 0; k < d; k++) total += w->values[k];
    q->left_out = 0;
    while (q->left_out < d && sum < kept * total) sum += w->values[q->left_out++];
    if (q->left_out > d - 1) q->left_out = d - 1;
    return TCS_OK;
}

/* Non-negative least squares of g = a + b h with two unknowns: the best of the four corners that is allowed. */
static void fit_variogram(const double *h, const double *g, size_t count, double *ret_a, double *ret_b)
{
    double n = (double)count, sh = 0, shh = 0, sg = 0, shg = 0;
    for (size_t i = 0; i < count; i++) {
        sh += h[i];
        shh += h[i] * h[i];
        sg += g[i];
        shg += h[i] * g[i];
    }
    double determinant = n * shh - sh * sh;
    double b = determinant > 0 ? (n * shg - sh * sg) / determinant : 0, a = (sg - b * sh) / n;
    if (a >= 0 && b >= 0) {
        *ret_a = a;
        *ret_b = b;
        return;
    }
    double only_a = sg / n, only_b = shg / shh, error_a = 0, error_b = 0;
    for (size_t i = 0; i < count; i++) {
        error_a += (g[i] - only_a) * (g[i] - only_a);
        error_b += (g[i] - only_b * h[i]) * (g[i] - only_b * h[i]);
    }
    *ret_a = error_a <= error_b ? only_a : 0;
    *ret_b = error_a <= error_b ? 0 : only_b;
}

/* Distinct lags from the window to half the rows; returns how many. */
static size_t variogram_lags(size_t window, size_t row_count, size_t *ret_lags)
{
    size_t high = row_count / 2 < VARIOGRAM_LAG_MAX ? row_count / 2 : VARIOGRAM_LAG_MAX, count = 0;
    if (high < window + 2) high = window + 2;
    for (size_t i = 0; i < VARIOGRAM_LAGS; i++) {
        size_t lag = window + (high - window) * i / (VARIOGRAM_LAGS - 1);
        if (count == 0 || ret_lags[count - 1] != lag) ret_lags[count++] = lag;
    }
    return count;
}

static void fit_level(model *m, const workspace *w, size_t row_count, size_t c)
{
    size_t lags[VARIOGRAM_LAGS], n = m->channel_count, window = m->window, count = variogram_lags(window, row_count, lags);
    double h[VARIOGRAM_LAGS], g[VARIOGRAM_LAGS], a, b, mean = 0, variance = 0, start = 0;
    for (size_t i = 0; i < count; i++) {
        size_t pairs = 0;
        h[i] = (double)lags[i];
        g[i] = 0;
        for (size_t t = window + lags[i]; t < row_count; t++, pairs++) {
            double step = w->windowed[t * n + c] - w->windowed[(t - lags[i]) * n + c];
            g[i] += step * step;
        }
        g[i] = pairs > 0 ? g[i] / (double)pairs : i > 0 ? g[i - 1] : 0;
    }
    fit_variogram(h, g, count, &a, &b);
    for (size_t t = 0; t < row_count; t++) mean += w->scaled[t * n + c] / (double)row_count;
    for (size_t t = 0; t < row_count; t++) variance += (w->scaled[t * n + c] - mean) * (w->scaled[t * n + c] - mean) / (double)row_count;
    for (size_t t = 0; t < window; t++) start += w->scaled[t * n + c] / (double)window;
    m->level_step[c] = b + 1e-7;
    m->level_noise[c] = a / 2 + 1e-3;
    m->row_noise[c] = fmax(variance * 0.5, 1e-3);
    m->level_start[c] = start;
}

/* The movement around the slow mean, standardized twice as push does, into w->windowed (no longer needed). */
static void fit_fast(model *m, workspace *w, size_t row_count)
{
    size_t n = m->channel_count;
    double *fast = w->windowed;
    rolling_reset(&m->slow);
    for (size_t t = 0; t < row_count; t++) {
        rolling_push(&m->slow, w->scaled + t * n, fast + t * n);
        for (size_t c = 0; c < n; c++) fast[t * n + c] = w->scaled[t * n + c] - fast[t * n + c];
    }
    for (size_t c = 0; c < n; c++) {
        double mean = 0, variance = 0;
        for (size_t t = 0; t < row_count; t++) mean += fast[t * n + c] / (double)row_count;
        for (size_t t = 0; t < row_count; t++) variance += (fast[t * n + c] - mean) * (fast[t * n + c] - mean) / (double)row_count;
        m->fast_spread[c] = sqrt(variance) + 1e-6;
        for (size_t t = 0; t < row_count; t++) fast[t * n + c] /= m->fast_spread[c];
        centre_and_spread(fast, row_count, n, c, w->column, &m->fast_median[c], &m->fast_scale[c]);
        m->fast_mean[c] = 0;
        for (size_t t = 0; t < row_count; t++) {
            double z = (fast[t * n + c] - m->fast_median[c]) / m->fast_scale[c];
            fast[t * n + c] = z > CLIP ? CLIP : z < -CLIP ? -CLIP : z;
            m->fast_mean[c] += fast[t * n + c] / (double)row_count;
        }
    }
}

/* Each channel from the others: the rows of one covariance matrix serve all regressions. */
static tcs_status fit_residuals(model *m, workspace *w, size_t row_count, tcs_error *err)
{
    size_t n = m->channel_count, others = n - 1;
    double *covariance = w->stacked, *system = w->matrix, *fast = w->windowed; /* stacked is no longer needed */
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k <= i; k++) {
            double sum = 0;
            for (size_t t = 0; t < row_count; t++)
                sum += (fast[t * n + i] - m->fast_mean[i]) * (fast[t * n + k] - m->fast_mean[k]);
            covariance[i * n + k] = covariance[k * n + i] = sum;
        }
    for (size_t c = 0; c < n; c++) {
        for (size_t i = 0; i < others; i++) {
            size_t from = i < c ? i : i + 1;
            for (size_t k = 0; k < others; k++) system[i * others + k] = covariance[from * n + (k < c ? k : k + 1)];
            system[i * others + i] += RIDGE * (double)row_count;
            w->values[i] = covariance[from * n + c];
        }
        tcs_status status = tcsi_solve_symmetric(system, others, w->values, err);
        if (status != TCS_OK) return status;
        for (size_t k = 0; k < n; k++) m->weights[c * n + k] = k == c ? 0 : w->values[k < c ? k : k - 1];
    }
    for (size_t c = 0; c < n; c++) {
        double square = 0; /* residuals have mean zero on the rows they were fitted on */
        for (size_t t = 0; t < row_count; t++) {
            memcpy(m->fast, fast + t * n, n * sizeof *fast);
            double residual = residual_of(m, c);
            square += residual * residual / (double)row_count;
        }
        m->residual_spread[c] = sqrt(square) + 1e-3;
    }
    return TCS_OK;
}

static tcs_status model_fit(model *m, const double *x, size_t row_count, tcs_error *err)
{
    size_t n = m->channel_count, window = m->window;
    workspace w;
    tcs_status status = workspace_init(&w, row_count, n, err);
    m->train_row_count = row_count;
    for (size_t c = 0; c < n && status == TCS_OK; c++) centre_and_spread(x, row_count, n, c, w.column, &m->median[c], &m->spread[c]);
    rolling_reset(&m->mean);
    m->row_count = 0;
    for (size_t t = 0; t < row_count && status == TCS_OK; t++) {
        scale_row(m, x + t * n, w.scaled + t * n);
        rolling_push(&m->mean, w.scaled + t * n, m->windowed);
        memcpy(w.windowed + t * n, m->windowed, n * sizeof(double));
        stack(m);
        memcpy(w.stacked + t * 3 * n, m->stacked, 3 * n * sizeof(double));
        m->row_count++;
    }
    for (int k = 0; k < 2 && status == TCS_OK; k++)
        status = fit_components(&m->q[k], w.stacked + window * 3 * n, row_count - window, 3 * n, &w, VARIANCE_KEPT[k], err);
    for (size_t c = 0; c < n && status == TCS_OK; c++) fit_level(m, &w, row_count, c);
    if (status == TCS_OK && n > 1) {
        fit_fast(m, &w, row_count);
        status = fit_residuals(m, &w, row_count, err);
    }
    if (status == TCS_OK) model_reset(m);
    workspace_deinit(&w);
    return status;
}

/* ---- the detector ---- */

typedef struct channel_break {
    tcsi_detector base;
    options options;
    size_t *channels;          /* (looked at) indices */
    size_t channel_count;      /* 0 before fit */
    model model;
    double offsets[STATISTICS]; /* mean log of held-out block maxima */
    rolling joint, energy;     /* final smoothing, one value each */
    double smoothing_cells[2][256 + 1];
    double *row, *last;        /* (C looked at): the row with missing values replaced by the last one seen */
    bool alarmed_by_energy;
} channel_break;

static void reset_smoothing(channel_break *self)
{
    rolling *all[] = { &self->joint, &self->energy };
    for (int i = 0; i < 2; i++) {
        *all[i] = (rolling){ .ring = self->smoothing_cells[i], .sum = &self->smoothing_cells[i][256], .width = self->options.smoothing,
                             .dimension = 1 };
        rolling_reset(all[i]);
    }
}

static void reset(tcsi_detector *base)
{
    channel_break *self = (channel_break *)base;
    reset_smoothing(self);
    if (self->channel_count == 0) return;
    model_reset(&self->model);
    memcpy(self->last, self->model.median, self->channel_count * sizeof *self->last);
}

static tcs_status init(tcsi_detector *base, tcs_error *err)
{
    (void)err;
    reset(base);
    return TCS_OK;
}

static void release(channel_break *self)
{
    model_deinit(&self->model);
    tcsi_free(self->channels);
    tcsi_free(self->row);
    tcsi_free(self->last);
    self->channels = NULL;
    self->row = self->last = NULL;
    self->channel_count = 0;
}

static void deinit(tcsi_detector *base)
{
    release((channel_break *)base);
}

static tcs_status allocate(channel_break *self, size_t channel_count, tcs_error *err)
{
    release(self);
    self->channels = TCSI_NEW_ARRAY(size_t, channel_count);
    self->row = TCSI_NEW_ZEROS(double, channel_count);
    self->last = TCSI_NEW_ZEROS(double, channel_count);
    if (!self->channels || !self->row || !self->last) return tcsi_fail_memory(err, "channel_break");
    tcs_status status = model_init(&self->model, channel_count, self->options.window, err);
    if (status == TCS_OK) self->channel_count = channel_count;
    return status;
}

/* The channels that are no switches; when there are none, all; of too many, an even selection. */
static tcs_status choose_channels(channel_break *self, const tcsi_frame *train, tcs_error *err)
{
    size_t all = train->channel_count, count = 0;
    size_t *chosen = TCSI_NEW_ARRAY(size_t, all);
    if (!chosen) return tcsi_fail_memory(err, "channel_break");
    for (size_t c = 0; c < all; c++)
        if (tcsi_distinct_count(tcsi_frame_column(train, c), train->row_count, DISTINCT_MIN + 1) > DISTINCT_MIN) chosen[count++] = c;
    if (count == 0)
        for (; count < all; count++) chosen[count] = count;
    size_t kept = count < CHANNEL_COUNT_MAX ? count : CHANNEL_COUNT_MAX;
    tcs_status status = allocate(self, kept, err);
    for (size_t i = 0; i < kept && status == TCS_OK; i++) self->channels[i] = chosen[i * count / kept];
    tcsi_free(chosen);
    return status;
}

/* Rows of the chosen channels (T,C), missing values replaced by the last one seen; the first ones by the first seen. */
static void gather_rows(const channel_break *self, const tcsi_frame *train, double *ret_rows)
{
    size_t n = self->channel_count;
    for (size_t i = 0; i < n; i++) {
        const double *column = tcsi_frame_column(train, self->channels[i]);
        double last = 0;
        for (size_t t = train->row_count; t-- > 0;)
            if (tcsi_value_ok(column[t])) last = column[t];
        for (size_t t = 0; t < train->row_count; t++) {
            if (tcsi_value_ok(column[t])) last = column[t];
            ret_rows[t * n + i] = last;
        }
    }
}

/* Streams rows [begin, end) through a model fitted on the others and adds each statistic's log block maximum. */
static tcs_status hold_out(channel_break *self, model *m, const double *rows, size_t row_count, size_t begin, size_t end, double *others,
                           double *sums, tcs_error *err)
{
    size_t n = self->channel_count, kept = row_count - (end - begin);
    double highest[STATISTICS] = { 0 }, statistics[STATISTICS];
    memcpy(others, rows, begin * n * sizeof *rows);
    memcpy(others + begin * n, rows + end * n, (row_count - end) * n * sizeof *rows);
    tcs_status status = model_fit(m, others, kept, err);
    if (status != TCS_OK) return status;
    for (size_t t = 0; t < kept; t++) model_push(m, others + t * n, statistics);
    for (size_t t = begin; t < end; t++) {
        model_push(m, rows + t * n, statistics);
        for (size_t k = 0; k < STATISTICS; k++) {
            size_t skipped = (k == ENERGY ? 2 : 1) * self->options.window, third = (end - begin) / 3;
            if (t - begin >= (skipped < third ? skipped : third)) highest[k] = fmax(highest[k], statistics[k]);
        }
    }
    for (size_t k = 0; k < STATISTICS; k++) sums[k] += log(highest[k] + 1e-9);
    return TCS_OK;
}

static tcs_status calibrate(channel_break *self, const double *rows, size_t row_count, tcs_error *err)
{
    model m = { 0 };
    double sums[STATISTICS] = { 0 }, *others = TCSI_NEW_ARRAY(double, row_count * self->channel_count);
    tcs_status status = others ? model_init(&m, self->channel_count, self->options.window, err) : tcsi_fail_memory(err, "calibration");
    for (size_t fold = 0; fold < FOLDS && status == TCS_OK; fold++)
        status = hold_out(self, &m, rows, row_count, fold * row_count / FOLDS, (fold + 1) * row_count / FOLDS, others, sums, err);
    for (size_t k = 0; k < STATISTICS; k++) self->offsets[k] = sums[k] / FOLDS;
    model_deinit(&m);
    tcsi_free(others);
    return status;
}

static tcs_status fit(tcsi_detector *base, const tcsi_frame *train, tcs_error *err)
{
    channel_break *self = (channel_break *)base;
    size_t need = TRAIN_ROWS_MIN > 6 * self->options.window ? TRAIN_ROWS_MIN : 6 * self->options.window, cells;
    if (train->row_count < need)
        return tcsi_fail(err, TCS_E_INVALID, "channel_break: %zu training rows, at least %zu are needed", train->row_count, need);
    tcs_status status = choose_channels(self, train, err);
    if (status != TCS_OK) return status;
    double *rows = tcsi_multiply(train->row_count, self->channel_count, &cells) ? TCSI_NEW_ARRAY(double, cells) : NULL;
    status = rows ? TCS_OK : tcsi_fail_memory(err, "training rows");
    if (status == TCS_OK) gather_rows(self, train, rows);
    if (status == TCS_OK) status = calibrate(self, rows, train->row_count, err);
    if (status == TCS_OK) status = model_fit(&self->model, rows, train->row_count, err);
    tcsi_free(rows);
    if (status == TCS_OK) reset(base);
    else release(self);
    return status;
}

static double calibrated(const channel_break *self, const double *statistics, statistic k)
{
    return log(fmax(statistics[k], 1e-6)) - self->offsets[k];
}

static void push(tcsi_detector *base, const tcsi_row *row, tcs_score *ret_score)
{
    channel_break *self = (channel_break *)base;
    double statistics[STATISTICS], joint, energy;
    bool any = false;
    for (size_t i = 0; i < self->channel_count; i++) {
        double value = row->values[self->channels[i]];
        if (tcsi_value_ok(value)) {
            self->last[i] = value;
            any = true;
        }
        self->row[i] = self->last[i];
    }
    *ret_score = (tcs_score){ .state = TCS_SCORE_MISSING };
    if (!any) return;
    model_push(&self->model, self->row, statistics);
    double now = (calibrated(self, statistics, Q1) + calibrated(self, statistics, Q2) + calibrated(self, statistics, LEVEL)) / 3;
    rolling_push(&self->joint, &now, &joint);
    now = self->channel_count > 1 ? calibrated(self, statistics, ENERGY) : joint;
    rolling_push(&self->energy, &now, &energy);
    energy -= self->options.energy_offset;
    self->alarmed_by_energy = energy > joint;
    ret_score->state = TCS_SCORE_READY;
    ret_score->value = fmax(joint, energy) - self->options.margin;
}

/* Energies and level innovations, each as a share of its sum: the statistic that decided counts. */
static void contribute(const tcsi_detector *base, double *ret_parts)
{
    const channel_break *self = (const channel_break *)base;
    const double *parts = self->alarmed_by_energy ? self->model.energies : self->model.level_parts;
    memset(ret_parts, 0, base->channel_count * sizeof *ret_parts);
    for (size_t i = 0; i < self->channel_count; i++) ret_parts[self->channels[i]] = parts[i];
}

static double threshold(const tcsi_detector *base)
{
    (void)base;
    return 0;
}

static size_t horizon(const tcsi_detector *base)
{
    return ((const channel_break *)base)->options.window;
}

static void persist(tcsi_detector *base, tcsi_codec *codec)
{
    channel_break *self = (channel_break *)base;
    size_t channel_count = self->channel_count;
    tcsi_codec_tag(codec, "BREA");
    tcsi_codec_size(codec, &channel_count, base->channel_count < CHANNEL_COUNT_MAX ? base->channel_count : CHANNEL_COUNT_MAX);
    if (tcsi_codec_status(codec) != TCS_OK) return;
    if (channel_count == 0) {
        if (tcsi_codec_loading(codec) && base->is_fitted) tcsi_codec_refuse(codec, "a fitted detector without channels");
        return;
    }
    if (tcsi_codec_loading(codec)) {
        tcs_status status = allocate(self, channel_count, codec->err);
        if (status != TCS_OK) codec->status = status;
    }
    for (size_t i = 0; i < channel_count && tcsi_codec_status(codec) == TCS_OK; i++)
        tcsi_codec_size(codec, &self->channels[i], base->channel_count - 1);
    if (tcsi_codec_status(codec) != TCS_OK) return;
    model *m = &self->model;
    tcsi_codec_size(codec, &m->train_row_count, SIZE_MAX / 2);
    tcsi_codec_size(codec, &m->row_count, SIZE_MAX / 2);
    for (int k = 0; k < 2; k++) tcsi_codec_size(codec, &m->q[k].left_out, m->q[k].dimension);
    rolling *all[] = { &m->mean, &m->slow, &m->energy, &self->joint, &self->energy };
    for (size_t i = 0; i < TCS_COUNT(all); i++) tcsi_codec_size(codec, &all[i]->seen_count, SIZE_MAX / 2);
    tcsi_codec_f64s(codec, m->block, m->block_count);
    tcsi_codec_f64s(codec, self->offsets, STATISTICS);
    tcsi_codec_f64s(codec, self->last, channel_count);
    for (int i = 0; i < 2; i++) tcsi_codec_f64s(codec, self->smoothing_cells[i], TCS_COUNT(self->smoothing_cells[i]));
    tcsi_codec_bool(codec, &self->alarmed_by_energy);
    for (size_t c = 0; tcsi_codec_loading(codec) && c < channel_count; c++)
        if (!(m->spread[c] > 0)) tcsi_codec_refuse(codec, "a spread that is not positive");
}

static size_t size_max(const tcsi_detector *base, size_t row_count)
{
    const channel_break *self = (const channel_break *)base;
    (void)row_count;
    size_t channel_count = base->channel_count < CHANNEL_COUNT_MAX ? base->channel_count : CHANNEL_COUNT_MAX;
    model largest = { .channel_count = channel_count, .window = self->options.window };
    return sizeof *self + carve_all(&largest, NULL) * sizeof(double) + channel_count * (sizeof(size_t) + 2 * sizeof(double));
}

static const tcsi_parameter parameters[] = {
    { "window", TCSI_PARAMETER_COUNT, offsetof(options, window), 10, 2, 10000, "rows averaged before channels are compared" },
    { "smoothing", TCSI_PARAMETER_COUNT, offsetof(options, smoothing), 15, 1, 256, "rows the final score is averaged over" },
    { "energy_offset", TCSI_PARAMETER_REAL, offsetof(options, energy_offset), 0.2, -10, 10,
      "natural-log units by which the residual energy must exceed its held-out maximum" },
    { "margin", TCSI_PARAMETER_REAL, offsetof(options, margin), 0.1, -10, 10,
      "natural-log units by which the score must exceed the held-out maximum to alarm" },
};

static const tcsi_detector_ops ops = {
    .init = init, .deinit = deinit, .fit = fit, .reset = reset, .push = push, .contribute = contribute, .threshold = threshold,
    .horizon = horizon, .persist = persist, .size_max = size_max,
};

const tcsi_detector_info tcsi_detector_channel_break = {
    .name = "channel_break",
    .title = "breaks between channels",
    .paper = "W. Ku, R. Storer, C. Georgakis: Disturbance detection and isolation by dynamic principal component analysis. "
             "Chemometrics and Intelligent Laboratory Systems 30, 1995; local level: J. Durbin, S. Koopman: Time Series Analysis by "
             "State Space Methods, 2012, chapter 2",
    .summary = "Dynamic principal components, a gated local-level filter per channel and cross-channel residual energy, each "
               "calibrated on held-out training blocks; above 0 is an alarm. Finds correlation breaks and jumps that no single channel "
               "shows; follows slow drift. O(C^2) a row, and of more than 64 continuous channels 64 evenly chosen ones are looked at; "
               "needs mostly normal training rows.",
    .traits = TCSI_TRAIT_STREAMING | TCSI_TRAIT_TRAINED | TCSI_TRAIT_MULTIVARIATE,
    .channel_count_max = CHANNEL_COUNT_MAX,
    .instance_size = sizeof(channel_break),
    .options_offset = offsetof(channel_break, options),
    .parameters = parameters,
    .parameter_count = TCS_COUNT(parameters),
    .ops = &ops,
};
