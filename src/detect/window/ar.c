/* detect/window/ar.c -- autoregressive residuals.
 *
 * A series that a linear recursion foresees betrays anomalies as rows it does not.  The batch fit is made robust against
 * anomalies among its rows by Huber weights, and against too many lags by a ridge; the period's own lags let a season be
 * foreseen without a model of it.  Cost: fit O(rows lags^2), a row O(lags).  SPDX-License-Identifier: Apache-2.0 */
#include "detect/window/ar.h"

#include "base/alloc.h"
#include "kernels/linalg.h"
#include "series/stats.h"

#include <math.h>
#include <string.h>

enum { SHORT_LAG_MIN = 8, SHORT_LAG_MAX = 64, ROW_COUNT_MAX_DEFAULT = 8000, SOLVE_COUNT = 2 };
static const double RIDGE = 1e-3, HUBER_DEVIATIONS = 2.5;

static size_t clip(size_t value, size_t low, size_t high)
{
    return value < low ? low : value > high ? high : value;
}

/* Adds lag unless it is there already; lags are offered in ascending order. */
static size_t add_lag(size_t *lags, size_t count, size_t lag)
{
    if (count == 0 || lag > lags[count - 1]) lags[count++] = lag;
    return count;
}

static void choose_lags(size_t period, size_t row_count, tcsi_ar_model *model)
{
    size_t order = clip(period, SHORT_LAG_MIN, SHORT_LAG_MAX), count = 0;
    for (size_t lag = 1; lag <= order; lag++) count = add_lag(model->lags, count, lag);
    if (period < row_count / 8) {
        const size_t extra[] = { period - 1, period, period + 1, 2 * period };
        for (size_t k = 0; k < TCS_COUNT(extra); k++) count = add_lag(model->lags, count, extra[k]);
    }
    model->lag_count = count;
}

/* The predictors of row t: x_{t - lag} ..., 1. */
static void gather(const tcsi_ar_model *model, const double *x, size_t t, double *ret_row)
{
    for (size_t k = 0; k < model->lag_count; k++) ret_row[k] = x[t - model->lags[k]];
    ret_row[model->lag_count] = 1;
}

static double predict(const double *row, const double *coefficients, size_t count)
{
    double sum = 0;
    for (size_t k = 0; k < count; k++) sum += row[k] * coefficients[k];
    return sum;
}

static void huber_weights(const double *rows, const double *y, const double *coefficients, size_t row_count, size_t count, double *scratch,
                          double *ret_weights)
{
    for (size_t t = 0; t < row_count; t++) {
        ret_weights[t] = fabs(y[t] - predict(rows + t * count, coefficients, count));
        scratch[t] = ret_weights[t];
    }
    double deviation = tcsi_quantile_inplace(scratch, row_count, 0.5) * 1.4826 + 1e-9;
    for (size_t t = 0; t < row_count; t++) ret_weights[t] = fmin(1, HUBER_DEVIATIONS * deviation / fmax(ret_weights[t], 1e-12));
}

static tcs_status fit_rows(const double *rows, const double *y, size_t row_count, tcsi_ar_model *model, tcs_error *err)
{
    const size_t count = model->lag_count + 1;
    double coefficients[TCSI_AR_LAG_COUNT_MAX + 1];
    double *weights = TCSI_NEW_ARRAY(double, row_count), *scratch = TCSI_NEW_ARRAY(double, row_count);
    tcs_status status = weights && scratch ? TCS_OK : tcsi_fail_memory(err, "an autoregression");
    if (status == TCS_OK) {
        double variance = tcsi_moments_of(y, row_count).variance, ridge = RIDGE * (double)row_count * fmax(variance, 1e-9);
        for (size_t t = 0; t < row_count; t++) weights[t] = 1;
        for (int solve = 0; solve < SOLVE_COUNT && status == TCS_OK; solve++) {
            if (solve > 0) huber_weights(rows, y, coefficients, row_count, count, scratch, weights);
            status = tcsi_ridge_fit(rows, y, weights, row_count, count, ridge, coefficients, err);
        }
    }
    if (status == TCS_OK) {
        memcpy(model->coefficients, coefficients, model->lag_count * sizeof *coefficients);
        model->intercept = coefficients[model->lag_count];
    }
    tcsi_free(weights);
    tcsi_free(scratch);
    return status;
}

tcs_status tcsi_ar_fit(const double *x, size_t row_count, const tcsi_ar_options *options, tcsi_ar_model *ret_model, tcs_error *err)
{
    tcsi_ar_model model = { 0 };
    if (options->period < 1) return tcsi_fail(err, TCS_E_INVALID, "autoregression: the period must be at least 1 row");
    choose_lags(options->period, row_count, &model);
    size_t longest = model.lags[model.lag_count - 1], limit = options->row_count_max ? options->row_count_max : ROW_COUNT_MAX_DEFAULT;
    model.is_difference = row_count < 3 * longest + 20;
    if (model.is_difference) {
        *ret_model = model;
        return TCS_OK;
    }
    bool train_long_enough = options->train_row_count > 4 * longest + 50 && options->train_row_count < row_count;
    size_t available = (train_long_enough ? options->train_row_count : row_count) - longest, count = available < limit ? available : limit;
    size_t width = model.lag_count + 1, total;
    double *rows = NULL, *y = TCSI_NEW_ARRAY(double, count);
    if (tcsi_multiply(count, width, &total)) rows = TCSI_NEW_ARRAY(double, total);
    tcs_status status = rows && y ? TCS_OK : tcsi_fail_memory(err, "an autoregression");
    if (status == TCS_OK) {
        double step = count > 1 ? (double)(available - 1) / (double)(count - 1) : 0;
        for (size_t k = 0; k < count; k++) {
            size_t t = longest + (count == available ? k : k + 1 == count ? available - 1 : (size_t)((double)k * step));
            gather(&model, x, t, rows + k * width);
            y[k] = x[t];
        }
        status = fit_rows(rows, y, count, &model, err);
    }
    if (status == TCS_OK) *ret_model = model;
    tcsi_free(rows);
    tcsi_free(y);
    return status;
}

void tcsi_ar_apply(const tcsi_ar_model *model, const double *x, size_t row_count, double *ret_residuals)
{
    if (row_count == 0) return;
    if (model->is_difference) {
        ret_residuals[0] = 0;
        for (size_t t = 1; t < row_count; t++) ret_residuals[t] = x[t] - x[t - 1];
        return;
    }
    size_t longest = model->lags[model->lag_count - 1];
    for (size_t t = 0; t < row_count; t++) ret_residuals[t] = t < longest ? 0 : x[t] - model->intercept;
    for (size_t k = 0; k < model->lag_count; k++) {
        const double coefficient = model->coefficients[k];
        for (size_t t = longest; t < row_count; t++) ret_residuals[t] -= coefficient * x[t - model->lags[k]];
    }
}

void tcsi_ar_persist(tcsi_ar_model *model, tcsi_codec *codec)
{
    tcsi_codec_tag(codec, "ARMD");
    tcsi_codec_size(codec, &model->lag_count, TCSI_AR_LAG_COUNT_MAX);
    if (tcsi_codec_status(codec) != TCS_OK) return;
    for (size_t k = 0; k < model->lag_count; k++) tcsi_codec_size(codec, &model->lags[k], SIZE_MAX / 4);
    tcsi_codec_f64s(codec, model->coefficients, model->lag_count);
    tcsi_codec_f64(codec, &model->intercept);
    tcsi_codec_bool(codec, &model->is_difference);
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    bool fine = fabs(model->intercept) <= TCS_VALUE_MAX;
    for (size_t k = 0; k < model->lag_count; k++)
        fine &= fabs(model->coefficients[k]) <= TCS_VALUE_MAX && model->lags[k] > (k ? model->lags[k - 1] : 0);
    if (!fine) tcsi_codec_refuse(codec, "an autoregression out of range");
}

/* ---- recursive least squares ---- */

static const double RLS_START = 10, RLS_CLIP = 4, RLS_RATE = 0.002, RLS_VALUE_MAX = 1e6;

tcs_status tcsi_rls_init(tcsi_rls *rls, size_t period, size_t train_row_count, tcs_error *err)
{
    *rls = (tcsi_rls){ 0 };
    size_t order = clip(period, 8, 16), count = 0;
    for (size_t lag = 1; lag <= order; lag++) count = add_lag(rls->lags, count, lag);
    for (size_t lag = period > 1 ? period - 1 : 1; lag <= period + 1; lag++)
        if (lag > 16 && lag < train_row_count / 2 && lag <= TCSI_RLS_LAG_MAX) count = add_lag(rls->lags, count, lag);
    rls->lag_count = count;
    rls->past_count = rls->lags[count - 1];
    rls->past = TCSI_NEW_ZEROS(double, rls->past_count);
    if (!rls->past) return tcsi_fail_memory(err, "an autoregression");
    tcsi_rls_reset(rls);
    return TCS_OK;
}

void tcsi_rls_deinit(tcsi_rls *rls)
{
    tcsi_free(rls->past);
    *rls = (tcsi_rls){ 0 };
}

void tcsi_rls_reset(tcsi_rls *rls)
{
    const size_t size = rls->lag_count + 1;
    rls->seen_count = 0;
    rls->variance = 1;
    memset(rls->weights, 0, sizeof rls->weights);
    memset(rls->covariance, 0, sizeof rls->covariance);
    for (size_t i = 0; i < size; i++) rls->covariance[i * size + i] = RLS_START;
    memset(rls->past, 0, rls->past_count * sizeof *rls->past);
}

/* gain = P h / (1 + h'P h); weights += gain error; P -= gain (P h)'. */
static void rls_learn(tcsi_rls *rls, const double *row, double error)
{
    const size_t size = rls->lag_count + 1;
    double direction[TCSI_RLS_SIZE];
    for (size_t i = 0; i < size; i++) direction[i] = predict(&rls->covariance[i * size], row, size);
    double denominator = 1 + predict(row, direction, size);
    for (size_t i = 0; i < size; i++) {
        const double gain = direction[i] / denominator;
        rls->weights[i] += gain * error;
        for (size_t k = 0; k < size; k++) rls->covariance[i * size + k] -= gain * direction[k];
    }
}

double tcsi_rls_push(tcsi_rls *rls, double value)
{
    double row[TCSI_RLS_SIZE], error = 0;
    value = fmax(-RLS_VALUE_MAX, fmin(RLS_VALUE_MAX, value));
    if (rls->seen_count >= rls->past_count) {
        for (size_t k = 0; k < rls->lag_count; k++) row[k] = rls->past[(rls->seen_count - rls->lags[k]) % rls->past_count];
        row[rls->lag_count] = 1;
        error = value - predict(row, rls->weights, rls->lag_count + 1);
        double deviation = sqrt(rls->variance), clipped = fmin(fmax(error, -RLS_CLIP * deviation), RLS_CLIP * deviation);
        rls->variance += RLS_RATE * (clipped * clipped - rls->variance) + 1e-12;
        rls_learn(rls, row, clipped);
    }
    rls->past[rls->seen_count % rls->past_count] = value;
    rls->seen_count++;
    return error;
}

void tcsi_rls_persist(tcsi_rls *rls, tcsi_codec *codec)
{
    const size_t size = rls->lag_count + 1;
    tcsi_codec_tag(codec, "RLSQ");
    tcsi_codec_u64(codec, &rls->seen_count);
    tcsi_codec_f64(codec, &rls->variance);
    tcsi_codec_f64s(codec, rls->weights, size);
    tcsi_codec_f64s(codec, rls->covariance, size * size);
    tcsi_codec_f64s(codec, rls->past, rls->past_count);
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    bool fine = rls->variance > 0 && rls->variance <= 1e30;
    for (size_t i = 0; i < size; i++) fine &= fabs(rls->weights[i]) <= TCS_VALUE_MAX;
    for (size_t i = 0; i < size * size; i++) fine &= fabs(rls->covariance[i]) <= 1e30;
    for (size_t i = 0; i < rls->past_count; i++) fine &= fabs(rls->past[i]) <= RLS_VALUE_MAX;
    if (!fine) tcsi_codec_refuse(codec, "a recursive regression out of range");
}
