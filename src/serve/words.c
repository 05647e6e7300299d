/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/words.h"

#include "serve/why/first_look.h"
#include "series/time.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

void tcsi_words_episode_id(const tcsi_directory_entry *series, tcsi_live_kind kind, int64_t begin_ns, char ret_id[TCSI_EPISODE_ID_SIZE])
{
    const tcsi_fingerprint hash = tcsi_fingerprint_of(series->key, series->key_size, 0);
    snprintf(ret_id, TCSI_EPISODE_ID_SIZE, "%s-%016" PRIx64 "-%016" PRIx64, tcsi_live_kind_names[kind], hash.low, (uint64_t)begin_ns);
}

void tcsi_words_span(double seconds, char *text, size_t size)
{
    if (seconds < 120) snprintf(text, size, "%.3g s", seconds);
    else if (seconds < 7200) snprintf(text, size, "%.3g min", seconds / 60);
    else snprintf(text, size, "%.3g h", seconds / 3600);
}

/* What is left of a mean long after its last value that was not 0 is nothing to read. */
static double legible(double value, double beside)
{
    return fabs(value) < 1e-9 * fabs(beside) ? 0 : value;
}

static void write_late(const char *series, const tcsi_live_event *event, char *text)
{
    char lag[32], usual[32];
    const double lag_s = event->episode.peak_value;
    tcsi_words_span(fabs(lag_s), lag, sizeof lag);
    tcsi_words_span(event->episode.expected, usual, sizeof usual);
    if (tcsi_words_is_over(event)) snprintf(text, TCSI_SENTENCE_SIZE, "%s comes in time again", series);
    else if (lag_s < 0) snprintf(text, TCSI_SENTENCE_SIZE, "%s is stamped %s ahead of its receipt", series, lag);
    else snprintf(text, TCSI_SENTENCE_SIZE, "%s comes %s after its stamps, usual is %s", series, lag, usual);
}

static void write_cadence(const char *series, const tcsi_live_event *event, char *text)
{
    char step[32], usual[32];
    tcsi_words_span(event->episode.peak_value, step, sizeof step);
    tcsi_words_span(event->episode.expected, usual, sizeof usual);
    if (tcsi_words_is_over(event)) snprintf(text, TCSI_SENTENCE_SIZE, "%s comes every %s, as is usual now", series, step);
    else snprintf(text, TCSI_SENTENCE_SIZE, "%s comes every %s, usual is every %s", series, step, usual);
}

/* A value next to its limit is told with all its digits. */
static void write_limit(const char *series, const tcsi_live_event *event, char *text)
{
    const double value = event->episode.peak_value, limit = event->episode.expected;
    const int digits = fabs(value - limit) < 1e-5 * fabs(limit) ? 17 : 6;
    const char *side = value > limit ? "above" : "below";
    char span[32], since[TCSI_TIME_TEXT_SIZE];
    tcsi_words_span((double)(event->time_ns - event->episode.begin_ns) * 1e-9, span, sizeof span);
    (void)tcsi_time_format_iso(event->episode.begin_ns, since, sizeof since);
    if (!tcsi_words_is_over(event))
        snprintf(text, TCSI_SENTENCE_SIZE, "%s: %.*g is %s the limit of %.*g set for it, since %s", series, digits, value, side, digits,
                 limit, since);
    else
        snprintf(text, TCSI_SENTENCE_SIZE, "%s is no longer %s the limit of %.*g set for it, after %s; it was %.*g at %s", series, side,
                 digits, limit, span, digits, value, value > limit ? "most" : "least");
}

void tcsi_words_event(const char *series, const tcsi_live_event *event, char ret_text[TCSI_SENTENCE_SIZE])
{
    const tcsi_live_episode *episode = &event->episode;
    const bool is_over = tcsi_words_is_over(event);
    char span[32];
    tcsi_words_span((double)(event->time_ns - episode->begin_ns) * 1e-9, span, sizeof span);
    switch ((tcsi_live_kind)event->kind) {
    case TCSI_LIVE_ABSENCE:
        snprintf(ret_text, TCSI_SENTENCE_SIZE, is_over ? "%s is back after %s of silence" : "%s has sent nothing for %s", series, span);
        break;
    case TCSI_LIVE_STUCK:
        snprintf(ret_text, TCSI_SENTENCE_SIZE, is_over ? "%s moves again after %s at %.6g" : "%s has not moved for %s, from %.6g", series,
                 span, episode->peak_value);
        break;
    case TCSI_LIVE_STALE:
        snprintf(ret_text, TCSI_SENTENCE_SIZE, is_over ? "%s was ended by its sender for %s" : "%s was ended by its sender %s ago", series,
                 span);
        break;
    case TCSI_LIVE_LATE: write_late(series, event, ret_text); break;
    case TCSI_LIVE_CADENCE: write_cadence(series, event, ret_text); break;
    case TCSI_LIVE_LIMIT: write_limit(series, event, ret_text); break;
    default:
        snprintf(ret_text, TCSI_SENTENCE_SIZE, "%s was %.6g, %s the %.6g \xc2\xb1 %.2g that was expected", series, episode->peak_value,
                 episode->peak_value > episode->expected ? "above" : "below", legible(episode->expected, episode->peak_value),
                 legible(episode->deviation, episode->peak_value));
    }
}

void tcsi_words_advice(const tcsi_live_event *event, char *text, size_t size)
{
    const tcsi_grounds *grounds = &event->grounds;
    *text = 0;
    if (event->kind != TCSI_LIVE_ANOMALY || grounds->opened_by != TCSI_GROUNDS_HEIGHT || !grounds->onset.is_known) return;
    const tcsi_first_look look = tcsi_first_look_of(&grounds->onset);
    if (!(look.low <= look.high) || !isfinite(look.high - look.low)) return;
    snprintf(text, size, "It began with %.6g; anything from %.6g to %.6g would not have been told.", grounds->onset.value,
             legible(look.low, grounds->onset.value), legible(look.high, grounds->onset.value));
}

size_t tcsi_words_alert_tags(const tcsi_key *key, tcsi_live_kind kind, tcsi_arena *arena, tcsi_alert_tag *ret_tags)
{
    static const char kind_name[] = "tocsin_kind";
    size_t count = 0;
    bool has_kind = false;
    for (size_t i = 0; i <= key->tag_count && count < TCSI_ALERT_TAG_COUNT_MAX; i++) {
        const tcsi_tag *tag = &key->tags[i];
        const bool is_end = i == key->tag_count;
        char *name = is_end ? NULL : tcsi_arena_strndup(arena, tag->name, tag->name_size);
        char *value = is_end ? NULL : tcsi_arena_strndup(arena, tag->value, tag->value_size);
        if (!has_kind && (is_end || (name && strcmp(name, kind_name) > 0))) {
            ret_tags[count++] = (tcsi_alert_tag){ kind_name, tcsi_live_kind_names[kind] };
            has_kind = true;
        }
        if (name && value && count < TCSI_ALERT_TAG_COUNT_MAX) ret_tags[count++] = (tcsi_alert_tag){ name, value };
    }
    return count;
}
