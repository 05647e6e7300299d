/* SPDX-License-Identifier: Apache-2.0 */
#include "decide/episode.h"

#include "base/alloc.h"

#include <string.h>

static bool is_above(const tcs_score *scores, const tcsi_episode_options *options, const double *thresholds, size_t t)
{
    const unsigned order = options->orders ? options->orders[t].kind : TCSI_ORDER_NONE;
    if (order == TCSI_ORDER_ALARM) return !options->is_expected;
    if ((order == TCSI_ORDER_EXCUSE) != options->is_expected) return false;
    return scores[t].state == TCS_SCORE_READY && (options->by_evidence ? scores[t].evidence : scores[t].value) > thresholds[t];
}

/* Reaches out from the opening row: [*begin, *end) with every READY row inside above its lower threshold. */
static void reach_out(const tcs_score *scores, size_t row_count, const tcsi_episode_options *options, size_t *begin, size_t *end)
{
    while (*end < row_count && (scores[*end].state != TCS_SCORE_READY || is_above(scores, options, options->thresholds_low, *end))) ++*end;
    while (*end > *begin + 1 && !is_above(scores, options, options->thresholds_low, *end - 1)) --*end;
    while (*begin > 0 && is_above(scores, options, options->thresholds_low, *begin - 1)) --*begin;
}

tcs_status tcsi_episodes_add(tcsi_episode **episodes, size_t *count, size_t *capacity, const tcsi_episode *episode, tcs_error *err)
{
    if (!tcsi_grow((void **)episodes, capacity, *count, sizeof **episodes, 16)) return tcsi_fail_memory(err, "episodes");
    (*episodes)[(*count)++] = *episode;
    return TCS_OK;
}

/* Without a score in it, as when only a hard limit was passed, the peak is 0 where it begins. */
static void find_peak(const tcs_score *scores, tcsi_episode *episode)
{
    bool any = false;
    episode->row_peak = episode->row_begin;
    for (size_t t = episode->row_begin; t < episode->row_end; t++) {
        if (scores[t].state != TCS_SCORE_READY || (any && scores[t].value <= episode->score_peak)) continue;
        episode->row_peak = t;
        episode->score_peak = scores[t].value;
        any = true;
    }
}

/* The first order of the kind that the episodes are about. */
static void find_order(const tcsi_episode_options *options, tcsi_episode *episode)
{
    const unsigned kind = options->is_expected ? TCSI_ORDER_EXCUSE : TCSI_ORDER_ALARM;
    for (size_t t = episode->row_begin; options->orders && t < episode->row_end; t++)
        if (options->orders[t].kind == kind) {
            episode->order = options->orders[t];
            return;
        }
}

/* Excused rows that an episode bridges do not alarm. */
static void mark_rows(const tcsi_episode_options *options, const tcsi_episode *episode, uint8_t *anomaly)
{
    for (size_t t = episode->row_begin; t < episode->row_end; t++)
        anomaly[t] = !options->orders || options->orders[t].kind != TCSI_ORDER_EXCUSE;
}

tcs_status tcsi_episodes_find(const tcs_score *scores, size_t row_count, const tcsi_episode_options *options, uint8_t *ret_anomaly,
                              tcsi_episode **ret_episodes, size_t *ret_episode_count, tcs_error *err)
{
    tcsi_episode *episodes = NULL;
    size_t count = 0, capacity = 0;
    if (ret_anomaly) memset(ret_anomaly, 0, row_count);
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
            tcsi_episode episode = { .row_begin = begin, .row_end = end };
            tcs_status status = tcsi_episodes_add(&episodes, &count, &capacity, &episode, err);
            if (status != TCS_OK) {
                tcsi_free(episodes);
                return status;
            }
        }
        t = end;
    }
    for (size_t i = 0; i < count; i++) {
        find_peak(scores, &episodes[i]);
        find_order(options, &episodes[i]);
        if (ret_anomaly) mark_rows(options, &episodes[i], ret_anomaly);
    }
    *ret_episodes = episodes;
    *ret_episode_count = count;
    return TCS_OK;
}

/* ---- early, then sure ---- */

enum { LASTING_MIN = 3, LASTING_MAX = 16 };
static const double SURE_SEVERITY = 60;

static size_t lasting(size_t run_length)
{
    const size_t memory = run_length < LASTING_MAX ? run_length : LASTING_MAX; /* a window's rows remember each other by construction */
    return memory + 1 > LASTING_MIN ? memory + 1 : LASTING_MIN;
}

void tcsi_episode_judge(tcsi_episode *episode, size_t row, size_t run_length)
{
    episode->lasted++;
    if (episode->state != TCSI_EPISODE_SUSPECTED) return;
    if (episode->severity < SURE_SEVERITY && episode->lasted < lasting(run_length)) return;
    episode->state = TCSI_EPISODE_CONFIRMED;
    episode->row_confirmed = row;
}

void tcsi_episode_settle(tcsi_episode *episode, size_t run_length, bool is_over)
{
    const size_t needed = lasting(run_length), length = episode->row_end - episode->row_begin;
    episode->lasted = length;
    if (length < needed && episode->severity < SURE_SEVERITY) {
        episode->state = is_over ? TCSI_EPISODE_DISMISSED : TCSI_EPISODE_SUSPECTED;
        return;
    }
    episode->state = is_over ? TCSI_EPISODE_RESOLVED : TCSI_EPISODE_CONFIRMED;
    episode->row_confirmed = length >= needed ? episode->row_begin + needed - 1 : episode->row_peak;
    if (episode->severity >= SURE_SEVERITY && episode->row_peak < episode->row_confirmed) episode->row_confirmed = episode->row_peak;
}

static void close_episode(tcsi_episode *episode)
{
    if (episode->state == TCSI_EPISODE_SUSPECTED) episode->state = TCSI_EPISODE_DISMISSED;
    if (episode->state == TCSI_EPISODE_CONFIRMED) episode->state = TCSI_EPISODE_RESOLVED;
}

/* ---- row by row ---- */

void tcsi_episode_tracker_init(tcsi_episode_tracker *tracker, size_t merge_count)
{
    *tracker = (tcsi_episode_tracker){ .merge_count = merge_count };
}

/* The row is part of an episode: of the open one, or of a new one. */
static tcsi_episode_step grow(tcsi_episode_tracker *tracker, size_t row, double value)
{
    tcsi_episode *episode = &tracker->episode;
    tcsi_episode_step step = { .anomaly = true, .is_peak = !tracker->is_open || value > episode->score_peak,
                               .event = tracker->is_open ? TCSI_EPISODE_CONTINUED : TCSI_EPISODE_OPENED };
    if (!tracker->is_open) *episode = (tcsi_episode){ .row_begin = row };
    episode->row_end = row + 1;
    if (step.is_peak) {
        episode->row_peak = row;
        episode->score_peak = value;
    }
    tracker->is_open = tracker->is_inside = true;
    return step;
}

tcsi_episode_step tcsi_episode_tracker_push(tcsi_episode_tracker *tracker, const tcs_score *score, double level, double threshold,
                                            double threshold_low)
{
    size_t row = tracker->row_count++;
    if (score->state == TCS_SCORE_READY) {
        if (level > (tracker->is_inside ? threshold_low : threshold)) return grow(tracker, row, score->value);
        tracker->is_inside = false;
    }
    /* The next row could still be bridged to as long as it begins within merge_count rows of the end. */
    bool over = tracker->is_open && !tracker->is_inside && row - tracker->episode.row_end >= tracker->merge_count;
    if (over) {
        tracker->is_open = false;
        close_episode(&tracker->episode);
    }
    return (tcsi_episode_step){ .event = over ? TCSI_EPISODE_CLOSED : TCSI_EPISODE_NONE };
}

void tcsi_episode_tracker_persist(tcsi_episode_tracker *tracker, tcsi_codec *codec)
{
    tcsi_episode *episode = &tracker->episode;
    size_t *const counts[] = { &tracker->merge_count, &tracker->row_count, &episode->row_begin, &episode->row_end, &episode->row_peak,
                              &episode->row_confirmed, &episode->lasted };
    double *const reals[] = { &episode->score_peak, &episode->p_value, &episode->expected_count, &episode->severity };
    tcsi_codec_tag(codec, "EPIS");
    tcsi_codec_bool(codec, &tracker->is_open);
    tcsi_codec_bool(codec, &tracker->is_inside);
    for (size_t i = 0; i < TCS_COUNT(counts); i++) tcsi_codec_size(codec, counts[i], SIZE_MAX);
    for (size_t i = 0; i < TCS_COUNT(reals); i++) tcsi_codec_f64(codec, reals[i]);
    uint64_t state = episode->state;
    tcsi_codec_u64(codec, &state);
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    if (state > TCSI_EPISODE_DISMISSED) tcsi_codec_refuse(codec, "an episode in a state that does not exist");
    else episode->state = (tcsi_episode_state)state;
    const bool is_empty = episode->row_end == 0 && !tracker->is_open;
    const bool is_in_order = episode->row_begin <= episode->row_peak && episode->row_peak < episode->row_end;
    if (episode->row_end > tracker->row_count || !(is_empty || is_in_order)) tcsi_codec_refuse(codec, "an episode out of order");
}
