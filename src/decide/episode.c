/* SPDX-License-Identifier: Apache-2.0 */
#include "decide/episode.h"

#include "base/alloc.h"

#include <string.h>

static bool is_above(const tcs_score *scores, const tcsi_episode_options *options, const double *thresholds, size_t t)
{
    return scores[t].state == TCS_SCORE_READY && (options->by_evidence ? scores[t].evidence : scores[t].value) > thresholds[t];
}

/* Reaches out from the opening row: [*begin, *end) with every READY row inside above its lower threshold. */
static void reach_out(const tcs_score *scores, size_t row_count, const tcsi_episode_options *options, size_t *begin, size_t *end)
{
    while (*end < row_count && (scores[*end].state != TCS_SCORE_READY || is_above(scores, options, options->thresholds_low, *end))) ++*end;
    while (*end > *begin + 1 && scores[*end - 1].state != TCS_SCORE_READY) --*end;
    if (options->causal) return;
    while (*begin > 0 && is_above(scores, options, options->thresholds_low, *begin - 1)) --*begin;
}

static tcs_status add_episode(tcsi_episode **episodes, size_t *count, size_t *capacity, tcsi_episode episode, tcs_error *err)
{
    if (*count == *capacity) {
        size_t larger = *capacity ? *capacity * 2 : 16;
        tcsi_episode *grown = tcsi_realloc_array(*episodes, larger, sizeof **episodes);
        if (!grown) return tcsi_fail_memory(err, "episodes");
        *episodes = grown;
        *capacity = larger;
    }
    (*episodes)[(*count)++] = episode;
    return TCS_OK;
}

static void find_peak(const tcs_score *scores, tcsi_episode *episode)
{
    episode->row_peak = episode->row_begin;
    episode->score_peak = -1e300;
    for (size_t t = episode->row_begin; t < episode->row_end; t++) {
        if (scores[t].state != TCS_SCORE_READY || scores[t].value <= episode->score_peak) continue;
        episode->row_peak = t;
        episode->score_peak = scores[t].value;
    }
}

tcs_status tcsi_episodes_find(const tcs_score *scores, size_t row_count, const tcsi_episode_options *options, uint8_t *ret_anomaly,
                              tcsi_episode **ret_episodes, size_t *ret_episode_count, tcs_error *err)
{
    tcsi_episode *episodes = NULL;
    size_t count = 0, capacity = 0;
    memset(ret_anomaly, 0, row_count);
    for (size_t t = 0; t < row_count;) {
        if (!is_above(scores, options, options->thresholds, t)) {
            t++;
            continue;
        }
        size_t begin = t, end = t + 1;
        reach_out(scores, row_count, options, &begin, &end);
        tcsi_episode *last = count > 0 ? &episodes[count - 1] : NULL;
        if (last && begin <= last->row_end + options->merge_count) {
            last->row_end = end;
        } else {
            tcs_status status = add_episode(&episodes, &count, &capacity, (tcsi_episode){ .row_begin = begin, .row_end = end }, err);
            if (status != TCS_OK) {
                tcsi_free(episodes);
                return status;
            }
        }
        t = end;
    }
    for (size_t i = 0; i < count; i++) {
        find_peak(scores, &episodes[i]);
        memset(ret_anomaly + episodes[i].row_begin, 1, episodes[i].row_end - episodes[i].row_begin);
    }
    *ret_episodes = episodes;
    *ret_episode_count = count;
    return TCS_OK;
}
