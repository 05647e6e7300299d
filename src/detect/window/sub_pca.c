/* detect/window/sub_pca.c -- sub-sequences far out along the directions in which they hardly ever vary.
 *
 * Windows of the series are points; their covariance has eigenvalues l_k and eigenvectors e_k, and the score of a window x is
 * sqrt(sum over k of ((x - mean) e_k)^2 / (l_k + ridge)): C. C. Aggarwal, Outlier Analysis, 2nd ed., Springer 2017,
 * equation 3.17 ("soft" PCA, the normalized distance along all components), as evaluated under the name Sub-PCA by Q. Liu,
 * J. Paparrizos, "The elephant in the room", NeurIPS 2024.  The ridge, a share of the mean eigenvalue, keeps
 * directions of pure rounding noise from deciding.  Leading components up to `skip_variance` of the variance can be left out, which
 * leaves the residual of ordinary PCA.
 * Fitted, mean and components are those of the training rows; otherwise the series' own.
 * Finds: unusual shapes and levels of windows.  Misses: rare but high-variance behaviour.  Cost: O(rows w^2), 10 ms for
 * 10,000 rows at w = 48.  SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "detect/window/coarse.h"
#include "detect/window/offline.h"
#include "kernels/linalg.h"

#include <math.h>
#include <string.h>

typedef struct pca_options {
    size_t window, target_window;
    double ridge, skip_variance;
} pca_options;

/* values: mean (W), then weights (W), then eigenvectors (W,W) as rows; W = coarse window. */
typedef struct component_set {
    size_t window_row_count, factor, window;
    tcsi_scale scale;
    double *values;
} component_set;

typedef struct sub_pca {
    tcsi_detector base;
    pca_options options;
    component_set fitted; /* values NULL: not fitted */
} sub_pca;

enum { WINDOW_MAX = 512, COVARIANCE_ROW_COUNT_MAX = 20000 };

static size_t value_count(size_t window)
{
    return 2 * window + window * window;
}

static tcs_status init(tcsi_detector *base, tcs_error *err)
{
    (void)base;
    (void)err;
    return TCS_OK;
}

static void deinit(tcsi_detector *base)
{
    tcsi_free(((sub_pca *)base)->fitted.values);
}

/* The coarse copy of offline's series; *ret_coarse is the caller's to free. */
static tcs_status make_coarse(const tcsi_offline *offline, const tcsi_coarse *scale, double **ret_coarse, tcs_error *err)
{
    double *coarse = TCSI_NEW_ARRAY(double, scale->value_count);
    if (!coarse) return tcsi_fail_memory(err, "a coarse series");
    tcsi_coarse_shrink(scale, offline->z, coarse);
    *ret_coarse = coarse;
    return TCS_OK;
}

/* Weights 1 / (l_k + ridge), 0 for the leading components that are left out. */
static void weigh(const double *eigenvalues, size_t w, const pca_options *options, double *ret_weights)
{
    double total = 0, share = 0;
    for (size_t k = 0; k < w; k++) total += fmax(0, eigenvalues[k]);
    for (size_t k = 0; k < w; k++) {
        bool skipped = share < options->skip_variance * total;
        double value = fmax(0, eigenvalues[k]) + options->ridge * total / (double)w;
        share += fmax(0, eigenvalues[k]);
        ret_weights[k] = skipped || !(value > 1e-30) ? 0 : 1 / value;
    }
}

/* Windows of coarse as rows (count, w), thinned evenly to at most COVARIANCE_ROW_COUNT_MAX. */
static tcs_status learn(const tcsi_offline *offline, const tcsi_coarse *scale, const double *coarse, const pca_options *options,
                        component_set *ret_components, tcs_error *err)
{
    const size_t w = scale->window, stride = (scale->window_count + COVARIANCE_ROW_COUNT_MAX - 1) / COVARIANCE_ROW_COUNT_MAX;
    const size_t count = (scale->window_count + stride - 1) / stride;
    double *values = TCSI_NEW_ZEROS(double, value_count(w)), *eigenvalues = TCSI_NEW_ARRAY(double, w);
    double *covariance = TCSI_NEW_ARRAY(double, w * w), *rows = TCSI_NEW_ARRAY(double, count * w);
    tcs_status status = values && eigenvalues && covariance && rows ? TCS_OK : tcsi_fail_memory(err, "principal components");
    if (status == TCS_OK) {
        for (size_t i = 0; i < count; i++) memcpy(rows + i * w, coarse + i * stride, w * sizeof *rows);
        status = tcsi_covariance(rows, count, w, values, covariance, err);
    }
    if (status == TCS_OK) status = tcsi_eigen_symmetric(covariance, w, eigenvalues, values + 2 * w, err);
    if (status == TCS_OK) {
        weigh(eigenvalues, w, options, values + w);
        *ret_components = (component_set){ offline->window, scale->factor, w, offline->scale, values };
        values = NULL;
    }
    tcsi_free(values);
    tcsi_free(eigenvalues);
    tcsi_free(covariance);
    tcsi_free(rows);
    return status;
}

/* Score of one window (w). */
static double distance(const component_set *components, const double *x)
{
    const size_t w = components->window;
    const double *mean = components->values, *weights = mean + w;
    double sum = 0, row[WINDOW_MAX];
    for (size_t k = 0; k < w; k++) row[k] = x[k] - mean[k];
    for (size_t k = 0; k < w; k++) {
        if (weights[k] == 0) continue;
        const double *vector = mean + 2 * w + k * w;
        double parts[4] = { 0 };
        size_t m = 0;
        for (; m + 4 <= w; m += 4)
            for (size_t l = 0; l < 4; l++) parts[l] += row[m + l] * vector[m + l];
        for (; m < w; m++) parts[0] += row[m] * vector[m];
        double projection = (parts[0] + parts[1]) + (parts[2] + parts[3]);
        sum += projection * projection * weights[k];
    }
    return fmin(sqrt(sum), 1e150);
}

static tcsi_coarse scale_for(const pca_options *options, size_t row_count, size_t window)
{
    return tcsi_coarse_make(row_count, window > 4 ? window : 4, options->target_window);
}

static tcs_status fit(tcsi_detector *base, const tcsi_frame *train, tcs_error *err)
{
    sub_pca *self = (sub_pca *)base;
    tcsi_offline offline = { 0 };
    component_set found = { 0 };
    double *coarse = NULL;
    tcs_status status = tcsi_offline_begin(train, self->options.window, NULL, &offline, err);
    if (status == TCS_OK) {
        tcsi_coarse scale = scale_for(&self->options, offline.row_count, offline.window);
        if (scale.window_count == 0)
            status = tcsi_fail(err, TCS_E_INVALID, "sub_pca: %zu training rows are fewer than 8 windows of %zu", offline.row_count,
                               offline.window);
        if (status == TCS_OK) status = make_coarse(&offline, &scale, &coarse, err);
        if (status == TCS_OK) status = learn(&offline, &scale, coarse, &self->options, &found, err);
    }
    if (status == TCS_OK) {
        tcsi_free(self->fitted.values);
        self->fitted = found;
    }
    tcsi_free(coarse);
    tcsi_offline_end(&offline);
    return status;
}

typedef struct score_job {
    const component_set *components;
    const double *coarse;
    double *distances;
    size_t count;
} score_job;

enum { BLOCK_WINDOW_COUNT = 1024 };

static void score_block(void *context, size_t task_index, size_t worker_index)
{
    const score_job *job = context;
    (void)worker_index;
    for (size_t i = task_index * BLOCK_WINDOW_COUNT; i < job->count && i < (task_index + 1) * BLOCK_WINDOW_COUNT; i++)
        job->distances[i] = distance(job->components, job->coarse + i);
}

static tcs_status score(tcsi_detector *base, const tcsi_frame *frame, tcs_score *ret_scores, tcs_error *err)
{
    sub_pca *self = (sub_pca *)base;
    const bool has_fit = self->fitted.values != NULL;
    tcsi_offline offline = { 0 };
    component_set own = { 0 };
    double *coarse = NULL, *distances = NULL, *rows = NULL;
    tcs_status status = tcsi_offline_begin(frame, has_fit ? self->fitted.window_row_count : self->options.window,
                                           has_fit ? &self->fitted.scale : NULL, &offline, err);
    tcsi_coarse scale = { 0 };
    if (status == TCS_OK) scale = has_fit ? tcsi_coarse_with_factor(offline.row_count, offline.window, self->fitted.factor)
                                          : scale_for(&self->options, offline.row_count, offline.window);
    bool long_enough = status == TCS_OK && scale.window_count > 0;
    if (long_enough) {
        status = make_coarse(&offline, &scale, &coarse, err);
        if (status == TCS_OK && !has_fit) status = learn(&offline, &scale, coarse, &self->options, &own, err);
        distances = TCSI_NEW_ARRAY(double, scale.window_count);
        rows = TCSI_NEW_ARRAY(double, offline.row_count);
        if (status == TCS_OK && (!distances || !rows)) status = tcsi_fail_memory(err, "scores");
    }
    if (status == TCS_OK && long_enough) {
        score_job job = { has_fit ? &self->fitted : &own, coarse, distances, scale.window_count };
        tcsi_pool_run(base->pool, (scale.window_count + BLOCK_WINDOW_COUNT - 1) / BLOCK_WINDOW_COUNT, score_block, &job);
        tcsi_coarse_expand(&scale, distances, rows);
    }
    if (status == TCS_OK) tcsi_offline_scores(&offline, rows, ret_scores);
    tcsi_free(coarse);
    tcsi_free(distances);
    tcsi_free(rows);
    tcsi_free(own.values);
    tcsi_offline_end(&offline);
    return status;
}

static void persist(tcsi_detector *base, tcsi_codec *codec)
{
    sub_pca *self = (sub_pca *)base;
    component_set *fitted = &self->fitted;
    bool has_fit = fitted->values != NULL;
    tcsi_codec_tag(codec, "SPCA");
    tcsi_codec_bool(codec, &has_fit);
    if (tcsi_codec_status(codec) != TCS_OK || !has_fit) return;
    tcsi_codec_size(codec, &fitted->window_row_count, 1000000);
    tcsi_codec_size(codec, &fitted->factor, 1000000);
    tcsi_codec_size(codec, &fitted->window, WINDOW_MAX);
    tcsi_offline_persist_scale(&fitted->scale, codec);
    if (tcsi_codec_status(codec) != TCS_OK) return;
    if (tcsi_codec_loading(codec)) {
        tcsi_coarse expected = { 0 };
        if (fitted->factor > 0 && fitted->window_row_count > 0) expected = tcsi_coarse_with_factor(0, fitted->window_row_count,
                                                                                                   fitted->factor);
        if (expected.window != fitted->window) {
            tcsi_codec_refuse(codec, "a window that does not fit its scale");
            return;
        }
        fitted->values = TCSI_NEW_ZEROS(double, value_count(fitted->window));
        if (!fitted->values) {
            codec->status = tcsi_fail_memory(codec->err, "principal components");
            return;
        }
    }
    tcsi_codec_f64s(codec, fitted->values, value_count(fitted->window));
    bool fine = true;
    for (size_t i = 0; i < value_count(fitted->window); i++) fine &= fabs(fitted->values[i]) <= 1e100;
    for (size_t k = 0; k < fitted->window; k++) fine &= fitted->values[fitted->window + k] >= 0;
    if (tcsi_codec_loading(codec) && tcsi_codec_status(codec) == TCS_OK && !fine) tcsi_codec_refuse(codec, "components out of range");
}

static size_t size_max(const tcsi_detector *base, size_t row_count)
{
    const sub_pca *self = (const sub_pca *)base;
    size_t w = self->options.target_window * 3 / 2 + 4, rows = row_count < COVARIANCE_ROW_COUNT_MAX ? row_count : COVARIANCE_ROW_COUNT_MAX;
    size_t doubles = 2 * value_count(w) + 3 * w * w + 8 * w + rows * w + 3 * row_count;
    return sizeof *self + tcsi_offline_size_max(row_count) + doubles * sizeof(double) + 4096;
}

static const tcsi_parameter parameters[] = {
    { "window", TCSI_PARAMETER_COUNT, offsetof(pca_options, window), 0, 0, 1e6, "rows of a window; 0: the period of the series" },
    { "target_window", TCSI_PARAMETER_COUNT, offsetof(pca_options, target_window), 64, 4, 300,
      "values of a window after averaging; longer windows are averaged down to about this many" },
    { "ridge", TCSI_PARAMETER_REAL, offsetof(pca_options, ridge), 0.01, 1e-9, 1000, "added to every eigenvalue, as a share of their mean" },
    { "skip_variance", TCSI_PARAMETER_REAL, offsetof(pca_options, skip_variance), 0, 0, 0.999,
      "share of the variance whose leading components are left out; 0: all count" },
};

static const tcsi_detector_ops ops = { .init = init, .deinit = deinit, .fit = fit, .score = score, .persist = persist,
                                       .size_max = size_max };

const tcsi_detector_info tcsi_detector_sub_pca = {
    .name = "sub_pca",
    .title = "principal components of sub-sequences",
    .paper = "C. C. Aggarwal: Outlier Analysis. 2nd ed., Springer 2017, section 3.3; as Sub-PCA in Q. Liu, J. Paparrizos: The elephant in "
             "the room: towards a reliable time-series anomaly detection benchmark. NeurIPS 2024",
    .summary = "Distance of every window from the mean window, each principal direction measured in its own spread. Finds unusual shapes "
               "and levels; misses rare behaviour that dominates the variance. Linear, about 10 ms per 10,000 rows.",
    .traits = TCSI_TRAIT_OFFLINE,
    .instance_size = sizeof(sub_pca),
    .options_offset = offsetof(sub_pca, options),
    .parameters = parameters,
    .parameter_count = TCS_COUNT(parameters),
    .ops = &ops,
};
