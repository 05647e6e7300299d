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
#include "detect/window/patches.h"
#include "kernels/linalg.h"

#include <math.h>
#include <string.h>

typedef struct options {
    size_t window, target_window;
    double ridge, skip_variance;
} options;

/* values: mean (W), then weights (W), then eigenvectors (W,W) as rows; W = values of a window. */
typedef struct component_set {
    tcsi_patch_measure measure;
    double *values;
} component_set;

typedef struct sub_pca {
    tcsi_detector base;
    options options;
    component_set fitted; /* values NULL: not fitted */
} sub_pca;

enum { COVARIANCE_ROW_COUNT_MAX = 20000, BLOCK_WINDOW_COUNT = 1024 };

static size_t value_count(size_t window)
{
    return 2 * window + window * window;
}

static void deinit(tcsi_detector *base)
{
    tcsi_free(((sub_pca *)base)->fitted.values);
}

/* Weights 1 / (l_k + ridge), 0 for the leading components that are left out. */
static void weigh(const double *eigenvalues, size_t w, const options *opt, double *ret_weights)
{
    double total = 0, share = 0;
    for (size_t k = 0; k < w; k++) total += fmax(0, eigenvalues[k]);
    for (size_t k = 0; k < w; k++) {
        bool skipped = share < opt->skip_variance * total;
        double value = fmax(0, eigenvalues[k]) + opt->ridge * total / (double)w;
        share += fmax(0, eigenvalues[k]);
        ret_weights[k] = skipped || !(value > 1e-30) ? 0 : 1 / value;
    }
}

/* From the windows as rows (count, w), thinned evenly to at most COVARIANCE_ROW_COUNT_MAX. */
static tcs_status learn(const tcsi_patches *patches, const options *opt, component_set *ret_components, tcs_error *err)
{
    const size_t w = patches->coarse.window, window_count = patches->coarse.window_count;
    const size_t stride = (window_count + COVARIANCE_ROW_COUNT_MAX - 1) / COVARIANCE_ROW_COUNT_MAX;
    const size_t count = (window_count + stride - 1) / stride;
    double *values = TCSI_NEW_ZEROS(double, value_count(w)), *eigenvalues = TCSI_NEW_ARRAY(double, w);
    double *covariance = TCSI_NEW_ARRAY(double, w * w), *rows = TCSI_NEW_ARRAY(double, count * w);
    tcs_status status = values && eigenvalues && covariance && rows ? TCS_OK : tcsi_fail_memory(err, "principal components");
    if (status == TCS_OK) {
        for (size_t i = 0; i < count; i++) memcpy(rows + i * w, patches->values + i * stride, w * sizeof *rows);
        status = tcsi_covariance(rows, count, w, values, covariance, err);
    }
    if (status == TCS_OK) status = tcsi_eigen_symmetric(covariance, w, eigenvalues, values + 2 * w, err);
    if (status == TCS_OK) {
        weigh(eigenvalues, w, opt, values + w);
        *ret_components = (component_set){ tcsi_patches_measure(patches), values };
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
    const size_t w = components->measure.window;
    const double *mean = components->values, *weights = mean + w;
    double sum = 0, row[TCSI_PATCH_WINDOW_MAX];
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

static tcs_status fit(tcsi_detector *base, const tcsi_frame *train, tcs_error *err)
{
    sub_pca *self = (sub_pca *)base;
    tcsi_patches patches = { 0 };
    component_set found;
    tcs_status status = tcsi_patches_begin_fit(train, self->options.window, self->options.target_window, base->info->name, &patches, err);
    if (status == TCS_OK) status = learn(&patches, &self->options, &found, err);
    if (status == TCS_OK) {
        tcsi_free(self->fitted.values);
        self->fitted = found;
    }
    tcsi_patches_end(&patches);
    return status;
}

static void score_windows(const void *model, const double *values, size_t begin, size_t end, size_t worker_index, double *ret_scores)
{
    (void)worker_index;
    for (size_t i = begin; i < end; i++) ret_scores[i] = distance(model, values + i);
}

static tcs_status score(tcsi_detector *base, const tcsi_frame *frame, tcs_score *ret_scores, tcs_error *err)
{
    sub_pca *self = (sub_pca *)base;
    const component_set *fitted = self->fitted.values ? &self->fitted : NULL;
    tcsi_patches patches = { 0 };
    component_set own = { 0 };
    tcs_status status = tcsi_patches_begin(frame, self->options.window, self->options.target_window, fitted ? &fitted->measure : NULL,
                                           &patches, err);
    if (status == TCS_OK && !fitted && patches.coarse.window_count > 0) status = learn(&patches, &self->options, &own, err);
    if (status == TCS_OK)
        status = tcsi_patches_score(&patches, BLOCK_WINDOW_COUNT, score_windows, fitted ? fitted : &own, base->pool, ret_scores, err);
    tcsi_free(own.values);
    tcsi_patches_end(&patches);
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
    tcsi_patch_measure_persist(&fitted->measure, codec);
    if (tcsi_codec_status(codec) != TCS_OK) return;
    size_t w = fitted->measure.window;
    if (tcsi_codec_loading(codec)) fitted->values = TCSI_NEW_ZEROS(double, value_count(w));
    if (!fitted->values) {
        codec->status = tcsi_fail_memory(codec->err, "principal components");
        return;
    }
    tcsi_codec_f64s(codec, fitted->values, value_count(w));
    bool fine = true;
    for (size_t i = 0; i < value_count(w); i++) fine &= fabs(fitted->values[i]) <= 1e100;
    for (size_t k = 0; k < w; k++) fine &= fitted->values[w + k] >= 0;
    if (tcsi_codec_loading(codec) && tcsi_codec_status(codec) == TCS_OK && !fine) tcsi_codec_refuse(codec, "components out of range");
}

static size_t size_max(const tcsi_detector *base, size_t row_count)
{
    const sub_pca *self = (const sub_pca *)base;
    size_t w = self->options.target_window * 3 / 2 + 4, rows = row_count < COVARIANCE_ROW_COUNT_MAX ? row_count : COVARIANCE_ROW_COUNT_MAX;
    size_t doubles = 2 * value_count(w) + 3 * w * w + 8 * w + rows * w;
    return sizeof *self + tcsi_patches_size_max(row_count) + doubles * sizeof(double) + 4096;
}

static const tcsi_parameter parameters[] = {
    TCSI_COUNT(window, 0, 0, 1e6, "rows of a window; 0: the period of the series"),
    TCSI_COUNT(target_window, 64, 4, 300, "values of a window after averaging; longer windows are averaged down to about this many"),
    TCSI_REAL(ridge, 0.01, 1e-9, 1000, "added to every eigenvalue, as a share of their mean"),
    TCSI_REAL(skip_variance, 0, 0, 0.999, "share of the variance whose leading components are left out; 0: all count"),
};

static const tcsi_detector_ops ops = { .deinit = deinit, .fit = fit, .score = score, .persist = persist, .size_max = size_max };

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
