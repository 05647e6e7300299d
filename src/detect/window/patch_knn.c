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
#include "detect/window/patches.h"

#include <math.h>

typedef struct options {
    size_t window, target_window, bank_size, neighbour_count;
} options;

/* patches: (W, B): value k of patch b at k * count + b, so that one value meets all patches in a row. */
typedef struct patch_bank {
    tcsi_patch_measure measure;
    size_t count, stride; /* stride: windows between patches */
    double *patches;
} patch_bank;

typedef struct patch_knn {
    tcsi_detector base;
    options options;
    patch_bank fitted; /* patches NULL: not fitted */
} patch_knn;

enum { NEIGHBOUR_COUNT_MAX = 64, BANK_SIZE_MAX = 20000, BLOCK_WINDOW_COUNT = 256, RELATED_COUNT_MAX = 16384 };

static void deinit(tcsi_detector *base)
{
    tcsi_free(((patch_knn *)base)->fitted.patches);
}

static tcs_status make_bank(const tcsi_patches *patches, const options *opt, patch_bank *ret_bank, tcs_error *err)
{
    patch_bank made = { .measure = tcsi_patches_measure(patches) };
    const size_t window_count = patches->coarse.window_count;
    size_t total;
    made.stride = (window_count + opt->bank_size - 1) / opt->bank_size;
    made.count = (window_count + made.stride - 1) / made.stride;
    if (tcsi_multiply(made.count, made.measure.window, &total)) made.patches = TCSI_NEW_ARRAY(double, total);
    if (!made.patches) return tcsi_fail_memory(err, "a memory bank");
    for (size_t k = 0; k < made.measure.window; k++)
        for (size_t b = 0; b < made.count; b++) made.patches[k * made.count + b] = patches->values[b * made.stride + k];
    *ret_bank = made;
    return TCS_OK;
}

static tcs_status fit(tcsi_detector *base, const tcsi_frame *train, tcs_error *err)
{
    patch_knn *self = (patch_knn *)base;
    tcsi_patches patches = { 0 };
    patch_bank made;
    tcs_status status = tcsi_patches_begin_fit(train, self->options.window, self->options.target_window, base->info->name, &patches, err);
    if (status == TCS_OK) status = make_bank(&patches, &self->options, &made, err);
    if (status == TCS_OK) {
        tcsi_free(self->fitted.patches);
        self->fitted = made;
    }
    tcsi_patches_end(&patches);
    return status;
}

/* squares[b] = |x - patch b|^2. */
static void squared_distances(const patch_bank *bank, const double *x, double *squares)
{
    const size_t count = bank->count;
    for (size_t b = 0; b < count; b++) squares[b] = 0;
    for (size_t k = 0; k < bank->measure.window; k++) {
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

typedef struct knn_model {
    const patch_bank *bank;
    bool own;        /* the bank is made of the scored series */
    size_t neighbour_count;
    double *scratch; /* (workers, bank count) */
} knn_model;

static void score_windows(const void *model, const double *values, size_t begin, size_t end, size_t worker_index, double *ret_scores)
{
    const knn_model *knn = model;
    const patch_bank *bank = knn->bank;
    const size_t w = bank->measure.window;
    double *squares = knn->scratch + worker_index * bank->count;
    for (size_t i = begin; i < end; i++) {
        /* Patch b starts at b * stride: those less than a window away overlap. */
        size_t closed_begin = i + 1 > w ? (i - w) / bank->stride + 1 : 0, closed_end = (i + w - 1) / bank->stride + 1;
        squared_distances(bank, values + i, squares);
        ret_scores[i] = mean_of_smallest(squares, bank->count, closed_begin, knn->own ? closed_end : 0, knn->neighbour_count);
    }
}

static tcs_status score_by(const tcsi_detector *base, const patch_bank *bank, bool own, const tcsi_patches *patches, tcs_score *ret_scores,
                           tcs_error *err)
{
    knn_model model = { bank, own, ((const patch_knn *)base)->options.neighbour_count, NULL };
    size_t cells;
    if (tcsi_multiply(bank->count, tcsi_pool_thread_count(base->pool), &cells)) model.scratch = TCSI_NEW_ARRAY(double, cells);
    tcs_status status = model.scratch ? tcsi_patches_score(patches, BLOCK_WINDOW_COUNT, score_windows, &model, base->pool, ret_scores, err)
                                      : tcsi_fail_memory(err, "distances to a memory bank");
    tcsi_free(model.scratch);
    return status;
}

static tcs_status score(tcsi_detector *base, const tcsi_frame *frame, tcs_score *ret_scores, tcs_error *err)
{
    patch_knn *self = (patch_knn *)base;
    const patch_bank *fitted = self->fitted.patches ? &self->fitted : NULL;
    tcsi_patches patches = { 0 };
    patch_bank own = { 0 };
    tcs_status status = tcsi_patches_begin(frame, self->options.window, self->options.target_window, fitted ? &fitted->measure : NULL,
                                           &patches, err);
    if (status == TCS_OK && !fitted && patches.coarse.window_count > 0) status = make_bank(&patches, &self->options, &own, err);
    if (status == TCS_OK) status = score_by(base, fitted ? fitted : &own, !fitted, &patches, ret_scores, err);
    tcsi_free(own.patches);
    tcsi_patches_end(&patches);
    return status;
}

typedef struct patch_view {
    const tcsi_patches *patches;
    size_t stride; /* windows between patches */
} patch_view;

static double patch_distance(const void *context, size_t a, size_t b)
{
    const patch_view *view = context;
    const double *x = view->patches->values + a * view->stride, *y = view->patches->values + b * view->stride;
    double sum = 0;
    for (size_t k = 0; k < view->patches->coarse.window; k++) sum += (x[k] - y[k]) * (x[k] - y[k]);
    return fmin(sqrt(sum), 1e150);
}

/* Among the patches of the frame, whatever the bank was made of, at most RELATED_COUNT_MAX of them. */
static tcs_status regard(tcsi_detector *base, const tcsi_frame *frame, const tcsi_regard_wish *wish, tcsi_regard *ret_regard,
                         tcs_error *err)
{
    patch_knn *self = (patch_knn *)base;
    tcsi_patches patches = { 0 };
    tcs_status status = tcsi_patches_begin(frame, self->options.window, self->options.target_window,
                                           self->fitted.patches ? &self->fitted.measure : NULL, &patches, err);
    if (status == TCS_OK && patches.coarse.window_count == 0)
        status = tcsi_fail(err, TCS_E_UNSUPPORTED, "%s: fewer rows than eight patches", base->info->name);
    if (status == TCS_OK) {
        const size_t windows = patches.coarse.window_count;
        const patch_view view = { &patches, (windows + RELATED_COUNT_MAX - 1) / RELATED_COUNT_MAX };
        const tcsi_patch_set set = { .count = (windows - 1) / view.stride + 1, .row_step = view.stride * patches.coarse.factor,
                                     .row_length = patches.coarse.window * patches.coarse.factor, .frame_row_count = frame->row_count,
                                     .distance = patch_distance, .context = &view };
        status = tcsi_regard_nearest(&set, wish, ret_regard, err);
    }
    tcsi_patches_end(&patches);
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
    tcsi_patch_measure_persist(&fitted->measure, codec);
    tcsi_codec_size(codec, &fitted->count, BANK_SIZE_MAX);
    tcsi_codec_size(codec, &fitted->stride, SIZE_MAX / 4);
    if (tcsi_codec_status(codec) != TCS_OK) return;
    size_t total = fitted->measure.window * fitted->count;
    if (tcsi_codec_loading(codec)) {
        if (total == 0 || fitted->stride == 0 || codec->in_size / sizeof(double) < total) {
            tcsi_codec_refuse(codec, "a memory bank that is none");
            return;
        }
        fitted->patches = TCSI_NEW_ARRAY(double, total);
    }
    if (!fitted->patches) {
        codec->status = tcsi_fail_memory(codec->err, "a memory bank");
        return;
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
    size_t fitted = self->fitted.count * self->fitted.measure.window, widest = own > self->fitted.count ? own : self->fitted.count;
    return sizeof *self + tcsi_patches_size_max(row_count) +
           (fitted + own * w + widest * tcsi_pool_thread_count(base->pool)) * sizeof(double) + 4096;
}

static const tcsi_parameter parameters[] = {
    TCSI_COUNT(window, 0, 0, 1e6, "rows of a patch; 0: the period of the series"),
    TCSI_COUNT(target_window, 32, 4, 300, "values of a patch after averaging; longer patches are averaged down to about this many"),
    TCSI_COUNT(bank_size, 1000, 1, 20000, "most patches in the memory bank"),
    { "n_neighbors", TCSI_PARAMETER_COUNT, offsetof(options, neighbour_count), 3, 1, 64,
      "nearest patches whose distances are averaged" },
};

static const tcsi_detector_ops ops = { .deinit = deinit, .fit = fit, .score = score, .regard = regard, .persist = persist,
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
