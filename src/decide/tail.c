/* SPDX-License-Identifier: Apache-2.0 */
#include "decide/tail.h"

#include "base/alloc.h"
#include "series/stats.h"

#include <math.h>
#include <string.h>

enum { PEAK_COUNT_WANTED = 40 };
static const double SHAPE_MAX = 0.3;

/* Peaks of the runs above threshold, a run ending after run_length rows below it.  Returns how many. */
static size_t find_peaks(const double *scores, size_t count, double threshold, size_t run_length, double *ret_peaks)
{
    size_t peak_count = 0, since = run_length;
    for (size_t t = 0; t < count; t++) {
        if (!(scores[t] > threshold)) {
            since++;
            continue;
        }
        if (since >= run_length) ret_peaks[peak_count++] = scores[t];
        else if (scores[t] > ret_peaks[peak_count - 1]) ret_peaks[peak_count - 1] = scores[t];
        since = 0;
    }
    return peak_count;
}

/* Peaks ascending; returns how many of them an exponential tail with the median excess can explain. */
static size_t count_plausible(const double *peaks, size_t peak_count, double threshold)
{
    double scale = (peaks[peak_count / 2] - threshold) / 0.6931471805599453;
    double limit = threshold + scale * log((double)peak_count / 0.1);
    size_t kept = peak_count, kept_min = peak_count - peak_count / 4;
    while (kept > kept_min && peaks[kept - 1] > limit) kept--;
    return kept;
}

/* Hosking & Wallis 1987, (9): scale = 2 a0 a1 / (a0 - 2 a1), shape = 2 - a0 / (a0 - 2 a1) with their k = -shape.
 * excesses ascending, count >= 5. */
static void fit_pareto(const double *peaks, size_t count, double threshold, double *ret_scale, double *ret_shape)
{
    double a0 = 0, a1 = 0;
    for (size_t i = 0; i < count; i++) {
        double excess = peaks[i] - threshold, position = ((double)i + 0.65) / (double)count;
        a0 += excess;
        a1 += (1 - position) * excess;
    }
    a0 /= (double)count;
    a1 /= (double)count;
    double denominator = a0 - 2 * a1, shape = denominator > 0 ? 2 - a0 / denominator : 0;
    shape = shape > SHAPE_MAX ? SHAPE_MAX : shape > 0 ? shape : 0;
    *ret_shape = shape;
    *ret_scale = a0 * (1 - shape); /* the mean excess stays what it was */
}

static double quantile(const double *sorted, size_t count, double q)
{
    return sorted[(size_t)(q * (double)(count - 1))];
}

/* Takes u as high as leaves enough peaks to fit, and the level with the most peaks where none does. */
static size_t choose_threshold(tcsi_tail *tail, const double *scores, double *peaks)
{
    static const double levels[] = { 0.995, 0.99, 0.98, 0.95, 0.9, 0.8 };
    size_t most = 0, best = 0;
    for (size_t i = 0; i < TCS_COUNT(levels) && most < PEAK_COUNT_WANTED; i++) {
        size_t peak_count = find_peaks(scores, tail->count, quantile(tail->sorted, tail->count, levels[i]), tail->run_length, peaks);
        if (peak_count <= most) continue;
        most = peak_count;
        best = i;
    }
    tail->threshold = quantile(tail->sorted, tail->count, levels[best]);
    return find_peaks(scores, tail->count, tail->threshold, tail->run_length, peaks);
}

/* First index with sorted[index] > value (strict) or >= value. */
static size_t upper_index(const double *sorted, size_t count, double value, bool strict)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strict ? sorted[middle] > value : sorted[middle] >= value) high = middle;
        else low = middle + 1;
    }
    return low;
}

static void fit_tail(tcsi_tail *tail, const double *scores, double *peaks)
{
    size_t peak_count = choose_threshold(tail, scores, peaks);
    double spread = tail->sorted[tail->count - 1] - tail->sorted[0];
    double floor = fmax(1e-9 * fmax(spread, fabs(tail->threshold)), 1e-300);
    size_t kept = peak_count;
    if (peak_count > 0) {
        tcsi_sort(peaks, peak_count);
        kept = count_plausible(peaks, peak_count, tail->threshold);
    }
    if (kept >= 5) {
        fit_pareto(peaks, kept, tail->threshold, &tail->scale, &tail->shape);
    } else { /* too few to fit: an exponential as wide as the body */
        tail->scale = fmax(spread / 3, floor);
        tail->shape = 0;
    }
    tail->scale = fmax(tail->scale, floor);
    tail->cluster_count = kept;
    tail->set_aside_count = peak_count - kept;
    tail->clusters_per_row = (double)(kept > 0 ? kept : 1) / (double)tail->count;
    double highest_kept = kept > 0 ? peaks[kept - 1] : tail->threshold;
    size_t above = upper_index(tail->sorted, tail->count, highest_kept, true)
                   - upper_index(tail->sorted, tail->count, tail->threshold, true);
    tail->threshold_p = (double)(above + 1) / (double)(tail->count + 1);
}

tcs_status tcsi_tail_fit(const double *scores, size_t count, size_t run_length, tcsi_tail *ret_tail, tcs_error *err)
{
    if (count < 2) return tcsi_fail(err, TCS_E_INVALID, "calibration needs at least 2 scores, got %zu", count);
    tcsi_tail tail = { .count = count, .run_length = run_length > 0 ? run_length : 1 };
    tail.sorted = TCSI_NEW_ARRAY(double, count);
    double *peaks = TCSI_NEW_ARRAY(double, count);
    if (!tail.sorted || !peaks) {
        tcsi_free(tail.sorted);
        tcsi_free(peaks);
        return tcsi_fail_memory(err, "calibration");
    }
    for (size_t t = 0; t < count; t++) TCS_ASSERT(isfinite(scores[t]));
    memcpy(tail.sorted, scores, count * sizeof *scores);
    tcsi_sort(tail.sorted, count);
    fit_tail(&tail, scores, peaks);
    tcsi_free(peaks);
    *ret_tail = tail;
    return TCS_OK;
}

void tcsi_tail_deinit(tcsi_tail *tail)
{
    tcsi_free(tail->sorted);
    *tail = (tcsi_tail){ 0 };
}

static bool is_ascending(const double *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!isfinite(values[i]) || (i > 0 && values[i] < values[i - 1])) return false;
    return true;
}

static bool is_fitted(const tcsi_tail *tail)
{
    return tail->count >= 2 && isfinite(tail->threshold) && tail->threshold_p >= 0 && tail->threshold_p <= 1 && tail->scale > 0 &&
           isfinite(tail->scale) && tail->shape >= 0 && tail->shape <= SHAPE_MAX && tail->clusters_per_row >= 0 &&
           tail->clusters_per_row <= 1 && tail->run_length >= 1 && is_ascending(tail->sorted, tail->count);
}

void tcsi_tail_persist(tcsi_tail *tail, size_t count_max, tcsi_codec *codec)
{
    tcsi_codec_tag(codec, "TAIL");
    tcsi_codec_size(codec, &tail->count, count_max);
    if (tcsi_codec_status(codec) != TCS_OK || tail->count == 0) return;
    if (tcsi_codec_loading(codec)) {
        if (tail->count > codec->in_size / sizeof(double)) tcsi_codec_refuse(codec, "a reference longer than the state");
        else if (!(tail->sorted = TCSI_NEW_ARRAY(double, tail->count))) codec->status = tcsi_fail_memory(codec->err, "decisions");
        if (tcsi_codec_status(codec) != TCS_OK) {
            tail->count = 0;
            return;
        }
    }
    tcsi_codec_f64s(codec, tail->sorted, tail->count);
    tcsi_codec_f64(codec, &tail->threshold);
    tcsi_codec_f64(codec, &tail->threshold_p);
    tcsi_codec_f64(codec, &tail->scale);
    tcsi_codec_f64(codec, &tail->shape);
    tcsi_codec_size(codec, &tail->cluster_count, SIZE_MAX);
    tcsi_codec_size(codec, &tail->set_aside_count, SIZE_MAX);
    tcsi_codec_f64(codec, &tail->clusters_per_row);
    tcsi_codec_size(codec, &tail->run_length, SIZE_MAX);
    if (tcsi_codec_loading(codec) && tcsi_codec_status(codec) == TCS_OK && !is_fitted(tail))
        tcsi_codec_refuse(codec, "a tail that no scores can have");
}

/* P(excess > e) of the generalized Pareto distribution. */
static double survival(const tcsi_tail *tail, double excess)
{
    double ratio = excess / tail->scale;
    double p = tail->shape > 1e-6 ? exp(-log1p(tail->shape * ratio) / tail->shape) : exp(-ratio);
    return fmax(p, 1e-300);
}

double tcsi_tail_p_value(const tcsi_tail *tail, double score)
{
    if (score > tail->threshold) return fmax(tail->threshold_p * survival(tail, score - tail->threshold), 1e-300);
    size_t at_least = tail->count - upper_index(tail->sorted, tail->count, score, false);
    double p = (double)(at_least + 1) / (double)(tail->count + 1);
    return fmax(fmin(p, 1), tail->threshold_p);
}

double tcsi_tail_expected_clusters(const tcsi_tail *tail, double score, double row_count)
{
    double above = row_count * tail->clusters_per_row;
    return score > tail->threshold ? above * survival(tail, score - tail->threshold) : above;
}

double tcsi_tail_threshold(const tcsi_tail *tail, double cluster_count_max, double row_count)
{
    double share = cluster_count_max / (row_count * tail->clusters_per_row);
    if (share >= 1) return tail->threshold;
    double ratio = tail->shape > 1e-6 ? expm1(-tail->shape * log(share)) / tail->shape : -log(share);
    return tail->threshold + tail->scale * ratio;
}

double tcsi_tail_threshold_low(const tcsi_tail *tail, double threshold)
{
    if (!(tail->threshold < threshold)) return threshold;
    double ordinary = quantile(tail->sorted, tail->count, 0.98), low = 0.5 * (tail->threshold + threshold);
    return low > ordinary ? low : ordinary < threshold ? ordinary : threshold;
}

size_t tcsi_decorrelation_length(const double *scores, size_t count)
{
    size_t lag_max = count / 100, step = count > 20000 ? count / 20000 : 1;
    double mean = 0, variance = 0;
    for (size_t t = 0; t < count; t++) mean += scores[t] / (double)count;
    for (size_t t = 0; t < count; t += step) variance += (scores[t] - mean) * (scores[t] - mean);
    if (!(variance > 0)) return 1;
    for (size_t lag = 1; lag < lag_max; lag += 1 + lag / 8) {
        double covariance = 0;
        for (size_t t = 0; t + lag < count; t += step) covariance += (scores[t] - mean) * (scores[t + lag] - mean);
        if (covariance < 0.2 * variance) return lag;
    }
    return lag_max > 0 ? lag_max : 1;
}
