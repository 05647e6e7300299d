/* SPDX-License-Identifier: Apache-2.0 */
#include "decide/tail.h"

#include "base/alloc.h"
#include "decide/peaks.h"
#include "series/stats.h"

#include <math.h>
#include <string.h>

enum { PEAKS_WANTED = 200, PEAKS_A_CLUSTER_WANTED = 4, TAIL_MIN = 24 };

const tcsi_pareto_prior tcsi_prior_of_a_whole = { .mean = 0, .deviation = 0.1, .may_hold_anomalies = true };

static double quantile(const double *sorted, size_t count, double q)
{
    return sorted[(size_t)(q * (double)(count - 1))];
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

/* ---- fit ---- */

/* Only the highest are a tail; of few peaks more of them must do.  One more is needed for the threshold. */
static size_t peaks_of_a_tail(const tcsi_reference *reference)
{
    const double share = fmax(reference->cluster_count / 4, TAIL_MIN);
    if (reference->peak_count == 0) return 0;
    return share < (double)(reference->peak_count - 1) ? (size_t)share : reference->peak_count - 1;
}

static void fit_excess(const tcsi_reference *reference, double *excesses, tcsi_tail *tail)
{
    const double wanted = fmax(PEAKS_WANTED, PEAKS_A_CLUSTER_WANTED * reference->wanted);
    const size_t most = peaks_of_a_tail(reference), count = wanted < (double)most ? (size_t)wanted : most;
    const double spread = tail->sorted[tail->count - 1] - tail->sorted[0];
    tail->threshold = reference->peak_count > 0 ? reference->peaks[count] : quantile(tail->sorted, tail->count, 0.8);
    for (size_t i = 0; i < count; i++) excesses[i] = reference->peaks[count - 1 - i] - tail->threshold;
    const double floor = fmax(1e-9 * fmax(spread, fabs(tail->threshold)), 1e-300);
    tail->cluster_count = tcsi_pareto_fit(excesses, count, &reference->prior, spread / 3, floor, &tail->excess);
    tail->set_aside_count = count - tail->cluster_count;
    tail->clusters_per_row = fmin((double)(tail->cluster_count > 0 ? tail->cluster_count : 1) / reference->row_count, 1);
    tail->cluster_rate = fmin(reference->cluster_count / reference->row_count, 1);
    const double highest_kept = reference->peak_count > 0 ? reference->peaks[tail->set_aside_count] : INFINITY;
    const size_t above = upper_index(tail->sorted, tail->count, highest_kept, true)
                         - upper_index(tail->sorted, tail->count, tail->threshold, true);
    tail->threshold_p = (double)(above + 1) / (double)(tail->count + 1);
    const size_t usual_count = isfinite(highest_kept) ? upper_index(tail->sorted, tail->count, highest_kept, true) : tail->count;
    tail->ordinary = fmax(tail->threshold, quantile(tail->sorted, usual_count > 0 ? usual_count : tail->count, 0.98));
}

tcs_status tcsi_tail_fit(const tcsi_reference *reference, tcsi_tail *ret_tail, tcs_error *err)
{
    const size_t stride = reference->stride > 0 ? reference->stride : 1, count = reference->count / stride;
    if (count < 2) return tcsi_fail(err, TCS_E_INVALID, "calibration needs at least 2 scores, got %zu", count);
    tcsi_tail tail = { .count = count, .run_length = reference->run_length };
    tail.sorted = TCSI_NEW_ARRAY(double, count);
    double *excesses = TCSI_NEW_ARRAY(double, reference->peak_count);
    if (!tail.sorted || !excesses) {
        tcsi_free(tail.sorted);
        tcsi_free(excesses);
        return tcsi_fail_memory(err, "calibration");
    }
    for (size_t i = 0; i < count; i++) {
        tail.sorted[i] = reference->scores[i * stride];
        TCS_ASSERT(isfinite(tail.sorted[i]));
    }
    tcsi_sort(tail.sorted, count);
    fit_excess(reference, excesses, &tail);
    tcsi_free(excesses);
    *ret_tail = tail;
    return TCS_OK;
}

/* Peaks of all clusters, descending; returns how many. */
static size_t find_peaks(const double *scores, size_t count, size_t run_length, double low, double *ret_peaks)
{
    tcsi_cluster cluster = { .run_length = run_length };
    size_t found = 0;
    double peak;
    for (size_t t = 0; t < count; t++)
        if (tcsi_cluster_push(&cluster, scores[t], low, &peak)) ret_peaks[found++] = peak;
    if (cluster.is_open) ret_peaks[found++] = cluster.best;
    tcsi_sort(ret_peaks, found);
    for (size_t i = 0; i < found / 2; i++) {
        const double swapped = ret_peaks[i];
        ret_peaks[i] = ret_peaks[found - 1 - i];
        ret_peaks[found - 1 - i] = swapped;
    }
    return found;
}

tcs_status tcsi_tail_fit_scores(const double *scores, size_t count, size_t run_length, double wanted, const tcsi_pareto_prior *prior,
                                tcsi_tail *ret_tail, tcs_error *err)
{
    tcsi_reference reference = { .scores = scores, .count = count, .row_count = (double)count, .wanted = wanted, .prior = *prior,
                                 .run_length = run_length > 0 ? run_length : 1 };
    double *peaks = TCSI_NEW_ARRAY(double, count);
    if (!peaks) return tcsi_fail_memory(err, "calibration");
    reference.peaks = peaks;
    reference.peak_count = find_peaks(scores, count, reference.run_length, INFINITY, peaks);
    reference.cluster_count = (double)reference.peak_count;
    tcs_status status = tcsi_tail_fit(&reference, ret_tail, err);
    if (status == TCS_OK && run_length > 1) { /* now that it is known how far down an episode reaches, each has one peak */
        const double low = ret_tail->ordinary;
        tcsi_tail_deinit(ret_tail);
        reference.peak_count = find_peaks(scores, count, reference.run_length, low, peaks);
        reference.cluster_count = (double)reference.peak_count;
        status = tcsi_tail_fit(&reference, ret_tail, err);
    }
    tcsi_free(peaks);
    return status;
}

void tcsi_tail_deinit(tcsi_tail *tail)
{
    tcsi_free(tail->sorted);
    *tail = (tcsi_tail){ 0 };
}

/* ---- saved form ---- */

static bool is_ascending(const double *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!isfinite(values[i]) || (i > 0 && values[i] < values[i - 1])) return false;
    return true;
}

static bool is_fitted(const tcsi_tail *tail)
{
    const bool is_in_range = tail->threshold_p >= 0 && tail->threshold_p <= 1 && tail->clusters_per_row > 0 &&
                             tail->clusters_per_row <= 1 && tail->cluster_rate >= 0 && tail->cluster_rate <= 1 && tail->run_length >= 1;
    return tail->count >= 2 && isfinite(tail->threshold) && tail->ordinary >= tail->threshold && is_in_range &&
           is_ascending(tail->sorted, tail->count);
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
    tcsi_codec_f64(codec, &tail->ordinary);
    tcsi_pareto_persist(&tail->excess, codec);
    tcsi_codec_size(codec, &tail->cluster_count, SIZE_MAX);
    tcsi_codec_size(codec, &tail->set_aside_count, SIZE_MAX);
    tcsi_codec_f64(codec, &tail->clusters_per_row);
    tcsi_codec_f64(codec, &tail->cluster_rate);
    tcsi_codec_size(codec, &tail->run_length, SIZE_MAX);
    if (tcsi_codec_loading(codec) && tcsi_codec_status(codec) == TCS_OK && !is_fitted(tail))
        tcsi_codec_refuse(codec, "a tail that no scores can have");
}

/* ---- what it says ---- */

double tcsi_tail_p_value(const tcsi_tail *tail, double score)
{
    if (score > tail->threshold) return fmax(tail->threshold_p * tcsi_pareto_survival(&tail->excess, score - tail->threshold), 1e-300);
    size_t at_least = tail->count - upper_index(tail->sorted, tail->count, score, false);
    double p = (double)(at_least + 1) / (double)(tail->count + 1);
    return fmax(fmin(p, 1), tail->threshold_p);
}

double tcsi_tail_expected_clusters(const tcsi_tail *tail, double score, double row_count)
{
    return row_count * tail->clusters_per_row * tcsi_pareto_survival(&tail->excess, score - tail->threshold);
}

double tcsi_tail_threshold(const tcsi_tail *tail, double cluster_count_max, double row_count)
{
    double share = cluster_count_max / (row_count * tail->clusters_per_row);
    return share >= 1 ? tail->threshold : tail->threshold + tcsi_pareto_quantile(&tail->excess, share);
}

double tcsi_tail_threshold_low(const tcsi_tail *tail, double threshold)
{
    return fmin(tail->ordinary, threshold);
}

size_t tcsi_decorrelation_length(const double *scores, size_t count)
{
    size_t lag_max = count / 4 < TCSI_RUN_LENGTH_MAX ? count / 4 : TCSI_RUN_LENGTH_MAX, step = count > 20000 ? count / 20000 : 1;
    double mean = 0, variance = 0;
    for (size_t t = 0; t < count; t++) mean += scores[t] / (double)count;
    for (size_t t = 0; t < count; t += step) variance += (scores[t] - mean) * (scores[t] - mean);
    if (!(variance > 0)) return 1;
    for (size_t lag = 1; lag < lag_max; lag++) {
        double covariance = 0;
        for (size_t t = 0; t + lag < count; t += step) covariance += (scores[t] - mean) * (scores[t + lag] - mean);
        if (covariance < 0.2 * variance) return lag;
    }
    return lag_max > 0 ? lag_max : 1;
}
