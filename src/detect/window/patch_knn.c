/* detect/window/patch_knn.c -- distance of every patch of the series to the nearest ones in a memory bank.
 *
 * A patch is a window of the standardized (and, when long, averaged) series as it is, not z-normalized.  The bank holds at
 * most `bank_size` patches, spread evenly over the training rows, or over the series itself when there are none; the
 * score is the mean Euclidean distance to the k nearest.  S. Ramaswamy, R. Rastogi, K. Shim, "Efficient algorithms for
 * mining outliers from large data sets", SIGMOD 2000 (distance to the k-th neighbour), F. Angiulli, C. Pizzuti, PKDD 2002
 * (mean over k); the bank of patches as in K. Roth et al., "Towards total recall in industrial anomaly detection", CVPR 2022.
 * Without a fit, bank patches that overlap the scored one do not count.
 * Finds: unusual shapes and levels.  Misses: what happens at least k times.  Cost: rows / factor * bank_size * w' differences,
 * 40 ms for 10,000 rows of period 48.  SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "detect/window/coarse.h"
#include "detect/window/offline.h"

#include <math.h>

typedef struct knn_options {
    size_t window, target_window, bank_size, neighbour_count;
} knn_options;

/* patches: (W, B): value k of patch b at k * count + b, so that one value meets all patches in a row. */
typedef struct patch_bank {
    size_t window_row_count, factor, window, count, stride; /* stride: coarse windows between patches */
    tcsi_scale scale;
    double *patches;
} patch_bank;

typedef struct patch_knn {
    tcsi_detector base;
    knn_options options;
    patch_bank fitted; /* patches NULL: not fitted */
} patch_knn;

enum { NEIGHBOUR_COUNT_MAX = 64, WINDOW_MAX = 512, BANK_SIZE_MAX = 20000, BLOCK_WINDOW_COUNT = 256 };

static tcs_status init(tcsi_detector *base, tcs_error *err)
{
    (void)base;
    (void)err;
    return TCS_OK;
}

static void deinit(tcsi_detector *base)
{
    tcsi_free(((patch_knn *)base)->fitted.patches);
}

static tcsi_coarse scale_for(const knn_options *options, size_t row_count, size_t window)
{
    return tcsi_coarse_make(row_count, window > 4 ? window : 4, options->target_window);
}

static tcs_status make_bank(const tcsi_offline *offline, const tcsi_coarse *scale, const double *coarse, const knn_options *options,
                            patch_bank *ret_bank, tcs_error *err)
{
    patch_bank made = { .window_row_count = offline->window, .factor = scale->factor, .window = scale->window, .scale = offline->scale };
    size_t total;
    made.stride = (scale->window_count + options->bank_size - 1) / options->bank_size;
    made.count = (scale->window_count + made.stride - 1) / made.stride;
    if (tcsi_multiply(made.count, made.window, &total)) made.patches = TCSI_NEW_ARRAY(double, total);
    if (!made.patches) return tcsi_fail_memory(err, "a memory bank");
    for (size_t k = 0; k < made.window; k++)
        for (size_t b = 0; b < made.count; b++) made.patches[k * made.count + b] = coarse[b * made.stride + k];
    *ret_bank = made;
    return TCS_OK;
}

/* The coarse series as a new array. */
static tcs_status make_coarse(const tcsi_offline *offline, const tcsi_coarse *scale, double **ret_coarse, tcs_error *err)
{
    double *coarse = TCSI_NEW_ARRAY(double, scale->value_count);
    if (!coarse) return tcsi_fail_memory(err, "a coarse series");
    tcsi_coarse_shrink(scale, offline->z, coarse);
    *ret_coarse = coarse;
    return TCS_OK;
}

static tcs_status fit(tcsi_detector *base, const tcsi_frame *train, tcs_error *err)
{
    patch_knn *self = (patch_knn *)base;
    tcsi_offline offline = { 0 };
    patch_bank made = { 0 };
    double *coarse = NULL;
    tcs_status status = tcsi_offline_begin(train, self->options.window, NULL, &offline, err);
    if (status == TCS_OK) {
        tcsi_coarse scale = scale_for(&self->options, offline.row_count, offline.window);
        if (scale.window_count == 0)
            status = tcsi_fail(err, TCS_E_INVALID, "patch_knn: %zu training rows are fewer than 8 windows of %zu", offline.row_count,
                               offline.window);
        if (status == TCS_OK) status = make_coarse(&offline, &scale, &coarse, err);
        if (status == TCS_OK) status = make_bank(&offline, &scale, coarse, &self->options, &made, err);
    }
    if (status == TCS_OK) {
        tcsi_free(self->fitted.patches);
        self->fitted = made;
    }
    tcsi_free(coarse);
    tcsi_offline_end(&offline);
    return status;
}

/* squares[b] = |x - patch b|^2. */
static void squared_distances(const patch_bank *bank, const double *x, double *squares)
{
    const size_t count = bank->count;
    for (size_t b = 0; b < count; b++) squares[b] = 0;
    for (size_t k = 0; k < bank->window; k++) {
        const double value = x[k], *patches = bank->patches + k * count;
        for (size_t b = 0; b < count; b++) squares[b] += (value - patches[b]) * (value - patches[b]);
    }
}

/* Mean of the square roots of the k smallest, passing over [closed_begin, closed_end); 0 when there are none. */
static double mean_of_smallest(const double *squares, size_t count, size_t closed_begin, size_t closed_end, size_t k)
{
    double kept[NEIGHBOUR_COUNT_MAX], sum = 0;
    size_t kept_count = 0;
    for (size_t b = 0; b < count; b++) {
        if (b >= closed_begin && b < closed_end) continue;
        if (kept_count == k && !(squares[b] < kept[k - 1])) continue;
        size_t at = kept_count < k ? kept_count++ : k - 1;
        for (; at > 0 && kept[at - 1] > squares[b]; at--) kept[at] = kept[at - 1];
        kept[at] = squares[b];
    }
    for (size_t m = 0; m < kept_count; m++) sum += sqrt(kept[m]) / (double)kept_count;
    return fmin(sum, 1e150);
}

typedef struct score_job {
    const patch_bank *bank;
    const double *coarse;
    double *distances, *scratch; /* scratch: (workers, bank count) */
    size_t window_count, neighbour_count;
    bool own; /* the bank is made of the scored series */
} score_job;

static void score_block(void *context, size_t task_index, size_t worker_index)
{
    const score_job *job = context;
    const patch_bank *bank = job->bank;
    double *squares = job->scratch + worker_index * bank->count;
    size_t end = (task_index + 1) * BLOCK_WINDOW_COUNT < job->window_count ? (task_index + 1) * BLOCK_WINDOW_COUNT : job->window_count;
    for (size_t i = task_index * BLOCK_WINDOW_COUNT; i < end; i++) {
        /* Patch b starts at b * stride: those less than a window away overlap. */
        size_t closed_begin = i + 1 > bank->window ? (i - bank->window) / bank->stride + 1 : 0;
        size_t closed_end = (i + bank->window - 1) / bank->stride + 1;
        squared_distances(bank, job->coarse + i, squares);
        job->distances[i] = mean_of_smallest(squares, bank->count, closed_begin, job->own ? closed_end : 0, job->neighbour_count);
    }
}

static tcs_status score(tcsi_detector *base, const tcsi_frame *frame, tcs_score *ret_scores, tcs_error *err)
{
    patch_knn *self = (patch_knn *)base;
    const bool has_fit = self->fitted.patches != NULL;
    tcsi_offline offline = { 0 };
    tcsi_coarse scale = { 0 };
    patch_bank own = { 0 };
    double *coarse = NULL, *distances = NULL, *rows = NULL, *scratch = NULL;
    tcs_status status = tcsi_offline_begin(frame, has_fit ? self->fitted.window_row_count : self->options.window,
                                           has_fit ? &self->fitted.scale : NULL, &offline, err);
    if (status == TCS_OK) scale = has_fit ? tcsi_coarse_with_factor(offline.row_count, offline.window, self->fitted.factor)
                                          : scale_for(&self->options, offline.row_count, offline.window);
    const bool long_enough = scale.window_count > 0;
    const patch_bank *used = has_fit ? &self->fitted : &own;
    if (status == TCS_OK && long_enough) {
        status = make_coarse(&offline, &scale, &coarse, err);
        if (status == TCS_OK && !has_fit) status = make_bank(&offline, &scale, coarse, &self->options, &own, err);
    }
    if (status == TCS_OK && long_enough) {
        distances = TCSI_NEW_ARRAY(double, scale.window_count);
        rows = TCSI_NEW_ARRAY(double, offline.row_count);
        scratch = tcsi_alloc_array(used->count * tcsi_pool_thread_count(base->pool), sizeof *scratch);
        if (!distances || !rows || !scratch) status = tcsi_fail_memory(err, "scores");
    }
    if (status == TCS_OK && long_enough) {
        score_job job = { used, coarse, distances, scratch, scale.window_count, self->options.neighbour_count, !has_fit };
        tcsi_pool_run(base->pool, (scale.window_count + BLOCK_WINDOW_COUNT - 1) / BLOCK_WINDOW_COUNT, score_block, &job);
        tcsi_coarse_expand(&scale, distances, rows);
    }
    if (status == TCS_OK) tcsi_offline_scores(&offline, rows, ret_scores);
    tcsi_free(coarse);
    tcsi_free(distances);
    tcsi_free(rows);
    tcsi_free(scratch);
    tcsi_free(own.patches);
    tcsi_offline_end(&offline);
    return status;
}

static void persist(tcsi_detector *base, tcsi_codec *codec)
{
    patch_knn *self = (patch_knn *)base;
    patch_bank *fitted = &self->fitted;
    bool has_fit = fitted->patches != NULL;
    tcsi_codec_tag(codec, "PKNN");
    tcsi_codec_bool(codec, &has_fit);
    if (tcsi_codec_status(codec) != TCS_OK || !has_fit) return;
    tcsi_codec_size(codec, &fitted->window_row_count, 1000000);
    tcsi_codec_size(codec, &fitted->factor, 1000000);
    tcsi_codec_size(codec, &fitted->window, WINDOW_MAX);
    tcsi_codec_size(codec, &fitted->count, BANK_SIZE_MAX);
    tcsi_codec_size(codec, &fitted->stride, SIZE_MAX / 4);
    tcsi_offline_persist_scale(&fitted->scale, codec);
    if (tcsi_codec_status(codec) != TCS_OK) return;
    size_t total = fitted->window * fitted->count;
    if (tcsi_codec_loading(codec)) {
        bool fits = fitted->factor > 0 && fitted->window_row_count > 0 && fitted->count > 0 && fitted->stride > 0 &&
                    tcsi_coarse_with_factor(0, fitted->window_row_count, fitted->factor).window == fitted->window;
        if (!fits || codec->in_size / sizeof(double) < total) {
            tcsi_codec_refuse(codec, "a memory bank that does not fit its scale");
            return;
        }
        fitted->patches = TCSI_NEW_ARRAY(double, total);
        if (!fitted->patches) {
            codec->status = tcsi_fail_memory(codec->err, "a memory bank");
            return;
        }
    }
    tcsi_codec_f64s(codec, fitted->patches, total);
    bool fine = true;
    for (size_t i = 0; i < total && tcsi_codec_status(codec) == TCS_OK; i++) fine &= fabs(fitted->patches[i]) <= 1e101;
    if (tcsi_codec_loading(codec) && tcsi_codec_status(codec) == TCS_OK && !fine) tcsi_codec_refuse(codec, "patches out of range");
}

static size_t size_max(const tcsi_detector *base, size_t row_count)
{
    const patch_knn *self = (const patch_knn *)base;
    size_t w = self->options.target_window * 3 / 2 + 4, own = row_count < self->options.bank_size ? row_count : self->options.bank_size;
    size_t fitted = self->fitted.count * self->fitted.window, widest = own > self->fitted.count ? own : self->fitted.count;
    return sizeof *self + tcsi_offline_size_max(row_count) +
           (fitted + own * w + 3 * row_count + widest * tcsi_pool_thread_count(base->pool)) * sizeof(double) + 4096;
}

static const tcsi_parameter parameters[] = {
    { "window", TCSI_PARAMETER_COUNT, offsetof(knn_options, window), 0, 0, 1e6, "rows of a patch; 0: the period of the series" },
    { "target_window", TCSI_PARAMETER_COUNT, offsetof(knn_options, target_window), 32, 4, 300,
      "values of a patch after averaging; longer patches are averaged down to about this many" },
    { "bank_size", TCSI_PARAMETER_COUNT, offsetof(knn_options, bank_size), 1000, 1, 20000, "most patches in the memory bank" },
    { "n_neighbors", TCSI_PARAMETER_COUNT, offsetof(knn_options, neighbour_count), 3, 1, 64,
      "nearest patches whose distances are averaged" },
};

static const tcsi_detector_ops ops = { .init = init, .deinit = deinit, .fit = fit, .score = score, .persist = persist,
                                       .size_max = size_max };

const tcsi_detector_info tcsi_detector_patch_knn = {
    .name = "patch_knn",
    .title = "nearest patches in a memory bank",
    .paper = "S. Ramaswamy, R. Rastogi, K. Shim: Efficient algorithms for mining outliers from large data sets. SIGMOD 2000; F. Angiulli, "
             "C. Pizzuti: Fast outlier detection in high dimensional spaces. PKDD 2002; K. Roth et al.: Towards total recall in "
             "industrial anomaly detection. CVPR 2022 (the bank)",
    .summary = "Mean distance of every patch of the series to its nearest patches in a bank taken from the training rows, or from the "
               "series itself. Finds unusual shapes and levels; misses what the bank has seen often. About 40 ms per 10,000 rows.",
    .traits = TCSI_TRAIT_OFFLINE,
    .instance_size = sizeof(patch_knn),
    .options_offset = offsetof(patch_knn, options),
    .parameters = parameters,
    .parameter_count = TCS_COUNT(parameters),
    .ops = &ops,
};
