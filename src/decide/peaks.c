/* SPDX-License-Identifier: Apache-2.0 */
#include "decide/peaks.h"

#include <math.h>
#include <string.h>

bool tcsi_cluster_push(tcsi_cluster *cluster, double score, double low, double *ret_peak)
{
    if (!cluster->is_open || score > cluster->best) {
        cluster->best = score;
        cluster->since = 0;
        cluster->is_open = true;
    } else if (score > low) {
        cluster->since = 0;
    } else if (++cluster->since >= cluster->run_length) {
        *ret_peak = cluster->best;
        cluster->is_open = false;
        return true;
    }
    return false;
}

void tcsi_peaks_init(tcsi_peaks *peaks, size_t run_length, uint64_t generation_max)
{
    *peaks = (tcsi_peaks){ .cluster = { .run_length = run_length > 0 ? run_length : 1 }, .generation_max = generation_max };
}

static void keep(tcsi_peak_generation *generation, double peak)
{
    size_t at = generation->peak_count;
    generation->cluster_count++;
    if (at == TCSI_PEAK_COUNT_MAX && !(peak > generation->highest[at - 1])) return;
    if (at == TCSI_PEAK_COUNT_MAX) at--;
    else generation->peak_count++;
    for (; at > 0 && generation->highest[at - 1] < peak; at--) generation->highest[at] = generation->highest[at - 1];
    generation->highest[at] = peak;
}

void tcsi_peaks_keep(tcsi_peaks *peaks, double peak)
{
    keep(&peaks->young, peak);
}

void tcsi_peaks_count(tcsi_peaks *peaks)
{
    if (peaks->generation_max > 0 && peaks->young.score_count >= peaks->generation_max) {
        peaks->old = peaks->young;
        peaks->young = (tcsi_peak_generation){ 0 };
    }
    peaks->young.score_count++;
}

void tcsi_peaks_push(tcsi_peaks *peaks, double score, double low)
{
    double peak;
    tcsi_peaks_count(peaks);
    if (tcsi_cluster_push(&peaks->cluster, score, low, &peak)) keep(&peaks->young, peak);
}

size_t tcsi_peaks_collect(const tcsi_peaks *peaks, double ret_highest[TCSI_PEAK_COUNT_MAX])
{
    const tcsi_peak_generation *old = &peaks->old, *young = &peaks->young;
    size_t a = 0, b = 0, count = 0;
    while (count < TCSI_PEAK_COUNT_MAX && (a < old->peak_count || b < young->peak_count)) {
        const bool take_old = b == young->peak_count || (a < old->peak_count && old->highest[a] >= young->highest[b]);
        ret_highest[count++] = take_old ? old->highest[a++] : young->highest[b++];
    }
    return count;
}

uint64_t tcsi_peaks_score_count(const tcsi_peaks *peaks) { return peaks->old.score_count + peaks->young.score_count; }
uint64_t tcsi_peaks_cluster_count(const tcsi_peaks *peaks) { return peaks->old.cluster_count + peaks->young.cluster_count; }

static void persist_generation(tcsi_peak_generation *generation, tcsi_codec *codec)
{
    tcsi_codec_u64(codec, &generation->score_count);
    tcsi_codec_u64(codec, &generation->cluster_count);
    tcsi_codec_size(codec, &generation->peak_count, TCSI_PEAK_COUNT_MAX);
    if (tcsi_codec_status(codec) != TCS_OK) return;
    tcsi_codec_f64s(codec, generation->highest, generation->peak_count);
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    bool is_sound = generation->peak_count <= generation->cluster_count && generation->cluster_count <= generation->score_count;
    for (size_t i = 0; i < generation->peak_count; i++)
        is_sound &= isfinite(generation->highest[i]) && (i == 0 || generation->highest[i] <= generation->highest[i - 1]);
    if (!is_sound) tcsi_codec_refuse(codec, "peaks out of order");
}

void tcsi_peaks_persist(tcsi_peaks *peaks, tcsi_codec *codec)
{
    tcsi_codec_tag(codec, "PEAK");
    tcsi_cluster *cluster = &peaks->cluster;
    tcsi_codec_u64(codec, &peaks->generation_max);
    persist_generation(&peaks->old, codec);
    persist_generation(&peaks->young, codec);
    tcsi_codec_size(codec, &cluster->run_length, SIZE_MAX);
    tcsi_codec_f64(codec, &cluster->best);
    tcsi_codec_size(codec, &cluster->since, SIZE_MAX);
    tcsi_codec_bool(codec, &cluster->is_open);
    if (tcsi_codec_loading(codec) && tcsi_codec_status(codec) == TCS_OK && (cluster->run_length == 0 || !isfinite(cluster->best)))
        tcsi_codec_refuse(codec, "a cluster out of range");
}
