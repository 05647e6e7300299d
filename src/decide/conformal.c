/* SPDX-License-Identifier: Apache-2.0 */
#include "decide/conformal.h"

#include "base/alloc.h"
#include "series/fft.h"
#include "series/moving.h"
#include "series/stats.h"

#include <math.h>
#include <string.h>

static const double WEIGHT_MAX = 0x1p300; /* then all are scaled back by it */

tcs_status tcsi_conformal_init(tcsi_conformal *conformal, const tcsi_conformal_options *options, tcs_error *err)
{
    *conformal = (tcsi_conformal){ .options = *options, .weight_next = 1 };
    if (!(options->memory >= 0.001 && options->memory <= 1 && options->effective_share > 0 && options->effective_share <= 1))
        return tcsi_fail(err, TCS_E_INVALID, "conformal: need 0.001 <= memory <= 1 and 0 < effective share <= 1, got %g and %g",
                         options->memory, options->effective_share);
    return tcsi_rank_window_init(&conformal->window, options->capacity, err);
}

void tcsi_conformal_deinit(tcsi_conformal *conformal)
{
    tcsi_rank_window_deinit(&conformal->window);
    *conformal = (tcsi_conformal){ 0 };
}

void tcsi_conformal_push(tcsi_conformal *conformal, double score)
{
    tcsi_rank_window_push(&conformal->window, score, conformal->weight_next);
    conformal->weight_next /= conformal->options.memory;
    if (conformal->weight_next < WEIGHT_MAX) return;
    tcsi_rank_window_scale(&conformal->window, 1 / WEIGHT_MAX);
    conformal->weight_next /= WEIGHT_MAX;
}

static double weight_of_own(const tcsi_conformal *conformal)
{
    return conformal->weight_next / conformal->options.effective_share;
}

double tcsi_conformal_p_value(const tcsi_conformal *conformal, double score, double u)
{
    const double own = weight_of_own(conformal), total = tcsi_rank_window_total(&conformal->window) + own;
    const double above = tcsi_rank_window_above(&conformal->window, score);
    if (u >= 1) return fmin(1, (tcsi_rank_window_at_least(&conformal->window, score) + own) / total);
    const double equal = fmax(0, tcsi_rank_window_at_least(&conformal->window, score) - above);
    return fmin(1, (above + u * (equal + own)) / total);
}

double tcsi_conformal_quantile(const tcsi_conformal *conformal, double level)
{
    /* A share as 0.95 is no binary number: 0.95 * 20 must not ask for more than 19 rows. */
    const double total = tcsi_rank_window_total(&conformal->window) + weight_of_own(conformal);
    return tcsi_rank_window_quantile(&conformal->window, level * total * (1 - 1e-13));
}

void tcsi_conformal_persist(tcsi_conformal *conformal, tcsi_codec *codec)
{
    tcsi_codec_tag(codec, "CONF");
    tcsi_codec_f64(codec, &conformal->weight_next);
    tcsi_rank_window_persist(&conformal->window, codec);
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    if (!(conformal->weight_next >= 1 && conformal->weight_next < WEIGHT_MAX)) tcsi_codec_refuse(codec, "a weight out of range");
}

/* ---- effective count ---- */

/* 1 + 2 (sum of autocorrelations) by pairs of lags: each pair's sum at most the last one's, and positive. */
static double correlation_time(const double *covariances, size_t lag_count)
{
    double sum = 0, last = INFINITY;
    for (size_t lag = 0; lag + 1 < lag_count; lag += 2) {
        const double pair = (covariances[lag] + covariances[lag + 1]) / covariances[0];
        if (!(pair > 0)) break;
        last = fmin(last, pair);
        sum += last;
    }
    return 2 * sum - 1;
}

tcs_status tcsi_effective_count(const double *values, size_t count, double *ret_effective_count, tcs_error *err)
{
    const tcsi_moments moments = tcsi_moments_of(values, count);
    *ret_effective_count = (double)count;
    if (count < 4 || !(moments.variance > 0)) return TCS_OK;
    const size_t lag_count = count / 2;
    double *centred = TCSI_NEW_ARRAY(double, count), *covariances = TCSI_NEW_ARRAY(double, lag_count);
    tcs_status status = centred && covariances ? TCS_OK : tcsi_fail_memory(err, "an effective count");
    for (size_t i = 0; i < count && status == TCS_OK; i++) centred[i] = (values[i] - moments.mean) / sqrt(moments.variance);
    if (status == TCS_OK) status = tcsi_autocovariance(centred, count, covariances, lag_count, err);
    if (status == TCS_OK) *ret_effective_count = (double)count / fmin(fmax(correlation_time(covariances, lag_count), 1), (double)count);
    tcsi_free(centred);
    tcsi_free(covariances);
    return status;
}

/* ---- blocks ---- */

/* ret_maxima[i]: of values[i - width + 1 .. i], cut off at the beginning.  queue: (count) places whose values fall. */
static void trailing_maxima(const double *values, size_t count, size_t width, double *ret_maxima, size_t *queue)
{
    size_t begin = 0, end = 0;
    for (size_t i = 0; i < count; i++) {
        while (end > begin && values[queue[end - 1]] <= values[i]) end--;
        queue[end++] = i;
        if (queue[begin] + width <= i) begin++;
        ret_maxima[i] = values[queue[begin]];
    }
}

tcs_status tcsi_conformal_block_p_value(const double *scores, size_t count, size_t block_count, tcsi_block_statistic statistic,
                                        double *ret_p_value, tcs_error *err)
{
    size_t room;
    if (block_count < 1 || block_count > count)
        return tcsi_fail(err, TCS_E_INVALID, "a block of %zu rows, expected 1 to %zu", block_count, count);
    if (!tcsi_multiply(count, 2, &room)) return tcsi_fail_memory(err, "block permutations");
    const size_t ring_count = count + block_count - 1;
    double *ring = TCSI_NEW_ARRAY(double, room), *blocks = TCSI_NEW_ARRAY(double, room);
    size_t *queue = TCSI_NEW_ARRAY(size_t, room);
    tcs_status status = ring && blocks && queue ? TCS_OK : tcsi_fail_memory(err, "block permutations");
    if (status == TCS_OK) {
        memcpy(ring, scores, count * sizeof *scores);
        memcpy(ring + count, scores, (block_count - 1) * sizeof *scores);
        if (statistic == TCSI_BLOCK_MEAN) tcsi_trailing_mean(ring, ring_count, block_count, blocks);
        else trailing_maxima(ring, ring_count, block_count, blocks, queue);
        const double own = blocks[count - 1], slack = statistic == TCSI_BLOCK_MEAN ? 1e-12 * fabs(own) : 0;
        size_t at_least = 0; /* the block itself is one of them; means of the same values in another order are ties */
        for (size_t i = block_count - 1; i < ring_count; i++) at_least += blocks[i] >= own - slack;
        *ret_p_value = (double)at_least / (double)count;
    }
    tcsi_free(ring);
    tcsi_free(blocks);
    tcsi_free(queue);
    return status;
}
