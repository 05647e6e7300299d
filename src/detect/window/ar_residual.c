/* detect/window/ar_residual.c -- what a robust autoregression cannot foresee.
 *
 * The detector form of detect/window/ar.h: Huber-ridge regression on the last rows and the period's own lags (P. J. Huber,
 * Robust Statistics, 1981, section 7.8), fitted on the training rows, or on the series itself when there are none; the score is
 * the root mean square of the residual over a window centred on the row (a centred window: offline).
 * Finds: breaks of rhythm and dynamics, spikes, noise that grows.  Misses: slow changes that the recursion follows.
 * Cost: fit 8,000 rows x lags^2, 10 ms; then O(lags) a row.  SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "detect/window/ar.h"
#include "detect/window/offline.h"
#include "series/moving.h"

typedef struct options {
    size_t period, smoothing;
} options;

typedef struct fitted {
    tcsi_ar_model model;
    tcsi_scale scale;
    size_t period;
} fitted;

typedef struct ar_residual {
    tcsi_detector base;
    options options;
    bool has_model;
    fitted fitted;
} ar_residual;

enum { LAG_COUNT_MAX = 68, FIT_ROW_COUNT_MAX = 8000, PERIOD_MAX = 1000000 };

static tcs_status fit_to(const tcsi_offline *offline, fitted *ret_fitted, tcs_error *err)
{
    tcsi_ar_options ar = { .period = offline->window, .train_row_count = offline->row_count };
    ret_fitted->scale = offline->scale;
    ret_fitted->period = offline->window;
    return tcsi_ar_fit(offline->z, offline->row_count, &ar, &ret_fitted->model, err);
}

static tcs_status fit(tcsi_detector *base, const tcsi_frame *train, tcs_error *err)
{
    ar_residual *self = (ar_residual *)base;
    tcsi_offline offline = { 0 };
    fitted found = { 0 };
    if (train->row_count == 0) return tcsi_fail(err, TCS_E_INVALID, "ar_residual: no training rows");
    tcs_status status = tcsi_offline_begin(train, self->options.period, NULL, &offline, err);
    if (status == TCS_OK) status = fit_to(&offline, &found, err);
    if (status == TCS_OK) {
        self->fitted = found;
        self->has_model = true;
    }
    tcsi_offline_end(&offline);
    return status;
}

static tcs_status score(tcsi_detector *base, const tcsi_frame *frame, tcs_score *ret_scores, tcs_error *err)
{
    ar_residual *self = (ar_residual *)base;
    tcsi_offline offline = { 0 };
    fitted own = { 0 };
    const fitted *used = self->has_model ? &self->fitted : &own;
    double *residuals = NULL, *rows = NULL;
    size_t period = self->has_model ? self->fitted.period : self->options.period;
    tcs_status status = tcsi_offline_begin(frame, period, self->has_model ? &self->fitted.scale : NULL, &offline, err);
    if (status == TCS_OK && !self->has_model) status = fit_to(&offline, &own, err);
    if (status == TCS_OK) {
        residuals = TCSI_NEW_ARRAY(double, offline.row_count);
        rows = TCSI_NEW_ARRAY(double, offline.row_count);
        if (!residuals || !rows) status = tcsi_fail_memory(err, "residuals");
    }
    if (status == TCS_OK) {
        tcsi_ar_apply(&used->model, offline.z, offline.row_count, residuals);
        tcsi_moving_rms(residuals, offline.row_count, self->options.smoothing ? self->options.smoothing : used->period, rows);
        tcsi_offline_scores(&offline, rows, ret_scores);
    }
    tcsi_free(residuals);
    tcsi_free(rows);
    tcsi_offline_end(&offline);
    return status;
}

static void persist(tcsi_detector *base, tcsi_codec *codec)
{
    ar_residual *self = (ar_residual *)base;
    tcsi_codec_tag(codec, "ARRE");
    tcsi_codec_bool(codec, &self->has_model);
    if (tcsi_codec_status(codec) != TCS_OK || !self->has_model) return;
    tcsi_codec_size(codec, &self->fitted.period, PERIOD_MAX);
    tcsi_offline_persist_scale(&self->fitted.scale, codec);
    tcsi_ar_persist(&self->fitted.model, codec);
    if (tcsi_codec_loading(codec) && tcsi_codec_status(codec) == TCS_OK && self->fitted.period == 0) tcsi_codec_refuse(codec,
                                                                                                                       "a period of 0");
}

static size_t size_max(const tcsi_detector *base, size_t row_count)
{
    size_t rows = row_count < FIT_ROW_COUNT_MAX ? row_count : FIT_ROW_COUNT_MAX;
    (void)base;
    return sizeof(ar_residual) + tcsi_offline_size_max(row_count) + 2 * row_count * sizeof(double) +
           (rows * (LAG_COUNT_MAX + 4) + 3 * (LAG_COUNT_MAX + 1) * (LAG_COUNT_MAX + 1)) * sizeof(double) + 4096;
}

static const tcsi_parameter parameters[] = {
    TCSI_COUNT(period, 0, 0, 1e6, "rows of a season, which chooses the lags; 0: found in the data"),
    TCSI_COUNT(smoothing, 0, 0, 1e6, "rows of the mean square; 0: the period"),
};

static const tcsi_detector_ops ops = { .fit = fit, .score = score, .persist = persist, .size_max = size_max };

const tcsi_detector_info tcsi_detector_ar_residual = {
    .name = "ar_residual",
    .title = "residual of a robust autoregression",
    .paper = "P. J. Huber: Robust Statistics. Wiley 1981, section 7.8 (the weights); G. E. P. Box, G. M. Jenkins: Time Series Analysis. "
             "1970 (the model)",
    .summary = "Root mean square, around each row, of what a Huber-ridge autoregression on the last rows and the period's own lags "
               "does not foresee. Finds breaks of rhythm, spikes and growing noise; misses slow change. O(lags) a row.",
    .traits = TCSI_TRAIT_OFFLINE,
    .instance_size = sizeof(ar_residual),
    .options_offset = offsetof(ar_residual, options),
    .parameters = parameters,
    .parameter_count = TCS_COUNT(parameters),
    .ops = &ops,
};
