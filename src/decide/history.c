/* SPDX-License-Identifier: Apache-2.0 */
#include "decide/history.h"

#include "base/alloc.h"

#include <math.h>
#include <string.h>

enum { ROOM = 2 * TCSI_HISTORY_MAX, GENERATION_ALARMS = 5, LATER_MIN = 1000, BODY_MAX = 2048 };

static const double YOUNG_COUNT = 500, OLD_COUNT = 5000; /* between them one prior turns into the other */
static const tcsi_pareto_prior young = { .mean = 0.05, .deviation = 0.1 }, old = { .mean = 0.25, .deviation = 0.3 };

tcs_status tcsi_history_init(tcsi_history *history, size_t first_fit, size_t run_length_min, tcs_error *err)
{
    *history = (tcsi_history){ .run_length_min = run_length_min, .fit_at = first_fit > TCSI_HISTORY_MIN ? first_fit : TCSI_HISTORY_MIN,
                               .threshold = INFINITY, .threshold_low = INFINITY };
    tcsi_peaks_init(&history->peaks, 1, 0);
    history->scores = TCSI_NEW_ARRAY(double, ROOM);
    return history->scores ? TCS_OK : tcsi_fail_memory(err, "decisions");
}

void tcsi_history_deinit(tcsi_history *history)
{
    tcsi_free(history->scores);
    tcsi_tail_deinit(&history->tail);
    *history = (tcsi_history){ 0 };
}

/* ---- scores in ---- */

static void append(tcsi_history *history, double score)
{
    if (history->score_count == ROOM) {
        memcpy(history->scores, history->scores + TCSI_HISTORY_MAX, TCSI_HISTORY_MAX * sizeof *history->scores);
        history->score_count = TCSI_HISTORY_MAX;
    }
    history->scores[history->score_count++] = score;
    history->count++;
}

/* From now on only the last LATER_MIN scores count, and those that follow. */
static void forget_training(tcsi_history *history)
{
    memmove(history->scores, history->scores + (history->score_count - LATER_MIN), LATER_MIN * sizeof *history->scores);
    history->score_count = LATER_MIN;
    history->count = history->fit_at = LATER_MIN;
}

void tcsi_history_push(tcsi_history *history, double score, bool is_training)
{
    append(history, score);
    tcsi_peaks_push(&history->peaks, score, history->threshold_low);
    if (is_training) history->has_training = true;
    else if (history->has_training && ++history->later_count == LATER_MIN) forget_training(history);
}

bool tcsi_history_is_due(const tcsi_history *history)
{
    return history->count >= history->fit_at && history->score_count >= 2;
}

/* ---- fit ---- */

/* Scores after which the peaks before them are forgotten: enough to have seen some times what is allowed once, and, where much is
 * allowed, not more than the peaks that are kept can speak of. */
static uint64_t generation_of(double rate)
{
    const double rows = fmax(GENERATION_ALARMS / rate, fmin(TCSI_HISTORY_MAX, TCSI_PEAK_COUNT_MAX / 8 / rate));
    return rows < 1e12 ? (uint64_t)rows : (uint64_t)1e12;
}

static void find_peaks_again(tcsi_history *history)
{
    size_t run_length = tcsi_decorrelation_length(history->scores, history->score_count);
    if (run_length < history->run_length_min) run_length = history->run_length_min;
    tcsi_peaks_init(&history->peaks, run_length, 0);
    for (size_t i = 0; i < history->score_count; i++) tcsi_peaks_push(&history->peaks, history->scores[i], history->threshold_low);
}

tcsi_pareto_prior tcsi_prior_at_age(uint64_t count)
{
    const double age = log((double)count / YOUNG_COUNT) / log(OLD_COUNT / YOUNG_COUNT), share = age < 0 ? 0 : age > 1 ? 1 : age;
    return (tcsi_pareto_prior){ .mean = young.mean + share * (old.mean - young.mean),
                                .deviation = young.deviation + share * (old.deviation - young.deviation) };
}

tcs_status tcsi_history_fit(tcsi_history *history, double rate, tcs_error *err)
{
    double highest[TCSI_PEAK_COUNT_MAX];
    if (history->count <= TCSI_HISTORY_MAX) find_peaks_again(history);
    history->peaks.generation_max = generation_of(rate);
    const size_t count = history->score_count < TCSI_HISTORY_MAX ? history->score_count : TCSI_HISTORY_MAX;
    const double row_count = (double)tcsi_peaks_score_count(&history->peaks);
    const tcsi_reference reference = { .scores = history->scores + (history->score_count - count), .count = count,
                                       .stride = 1 + count / BODY_MAX, .peaks = highest,
                                       .peak_count = tcsi_peaks_collect(&history->peaks, highest),
                                       .cluster_count = (double)tcsi_peaks_cluster_count(&history->peaks), .row_count = row_count,
                                       .run_length = history->peaks.cluster.run_length, .prior = tcsi_prior_at_age(history->count),
                                       .wanted = rate * row_count };
    const uint64_t more = history->count / 5 < TCSI_HISTORY_MAX ? history->count / 5 : TCSI_HISTORY_MAX;
    tcsi_tail_deinit(&history->tail);
    tcs_status status = tcsi_tail_fit(&reference, &history->tail, err);
    if (status != TCS_OK) return status;
    history->fit_at = history->count + more + 1;
    history->threshold = tcsi_tail_threshold(&history->tail, rate, 1);
    history->threshold_low = tcsi_tail_threshold_low(&history->tail, history->threshold);
    return TCS_OK;
}

/* ---- saved form ---- */

/* Older scores than a fit looks at are not saved. */
static void persist_scores(tcsi_history *history, tcsi_codec *codec)
{
    size_t count = history->score_count < TCSI_HISTORY_MAX ? history->score_count : TCSI_HISTORY_MAX;
    double *recent = history->scores + (history->score_count - count);
    tcsi_codec_size(codec, &count, TCSI_HISTORY_MAX);
    if (tcsi_codec_loading(codec)) recent = history->scores;
    if (tcsi_codec_status(codec) == TCS_OK) tcsi_codec_f64s(codec, recent, count);
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    history->score_count = count;
    for (size_t i = 0; i < count; i++)
        if (!isfinite(recent[i])) {
            tcsi_codec_refuse(codec, "a score that is not finite");
            return;
        }
}

void tcsi_history_persist(tcsi_history *history, tcsi_codec *codec)
{
    tcsi_codec_tag(codec, "HIST");
    tcsi_codec_bool(codec, &history->has_training);
    tcsi_codec_size(codec, &history->run_length_min, SIZE_MAX);
    persist_scores(history, codec);
    tcsi_codec_u64(codec, &history->count);
    tcsi_codec_u64(codec, &history->fit_at);
    tcsi_codec_u64(codec, &history->later_count);
    tcsi_codec_f64(codec, &history->threshold);
    tcsi_codec_f64(codec, &history->threshold_low);
    tcsi_peaks_persist(&history->peaks, codec);
    tcsi_tail_persist(&history->tail, TCSI_HISTORY_MAX, codec);
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    if (!(history->threshold_low <= history->threshold)) tcsi_codec_refuse(codec, "thresholds in the wrong order");
    else if (history->later_count < LATER_MIN && history->has_training && history->later_count > history->score_count)
        tcsi_codec_refuse(codec, "more later scores than there are");
}
