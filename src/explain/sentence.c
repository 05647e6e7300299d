/* SPDX-License-Identifier: Apache-2.0 */
#include "explain/sentence.h"

#include "series/stats.h"
#include "series/time.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { PLACE_SIZE = 64, VALUE_SIZE = 96, LENGTH_SIZE = 48, ADVICE_CHANNELS = 3, LABEL_TOLD = 200 };
static const double share_told = 0.1;      /* of a second channel */
static const double clearly = 1.25;        /* farther than what is usual */
static const double likely = 0.5;          /* half of normal windows are no nearer to others: nothing unusual */

typedef struct line {
    char *text;
    size_t used;
} line;

static void add(line *l, const char *format, ...) TCS_PRINTF(2, 3);
static void add(line *l, const char *format, ...)
{
    va_list arguments;
    if (l->used + 1 >= TCSI_SENTENCE_SIZE) return;
    va_start(arguments, format);
    const int length = vsnprintf(l->text + l->used, TCSI_SENTENCE_SIZE - l->used, format, arguments);
    va_end(arguments);
    if (length > 0) l->used += (size_t)length;
    if (l->used >= TCSI_SENTENCE_SIZE) l->used = TCSI_SENTENCE_SIZE - 1;
}

/* ---- words ---- */

static const char *name_of(const tcsi_subject *subject, size_t channel) { return subject->frame->channels[channel].name; }

/* "2026-01-18 07:58", with seconds when there are any, or "row 1234". */
static const char *place_text(const tcsi_subject *subject, size_t row, char ret_text[PLACE_SIZE])
{
    char iso[TCSI_TIME_TEXT_SIZE];
    snprintf(ret_text, PLACE_SIZE, "row %zu", subject->row_base + row);
    if (!subject->has_times || tcsi_time_format_iso(subject->frame->times_ns[row], iso, sizeof iso) < 20) return ret_text;
    char *zone = strchr(iso, 'Z');
    if (zone) *zone = 0;
    iso[10] = ' ';
    if (strcmp(iso + 16, ":00") == 0) iso[16] = 0;
    snprintf(ret_text, PLACE_SIZE, "%s", iso);
    return ret_text;
}

static void number_text(double value, char *ret_text, size_t size)
{
    snprintf(ret_text, size, fabs(value) >= 1000 && fabs(value) < 1e7 ? "%.0f" : "%.3g", value);
}

static const char *value_text(const tcsi_subject *subject, size_t channel, double value, char ret_text[VALUE_SIZE])
{
    const char *unit = subject->frame->channels[channel].unit;
    number_text(value, ret_text, VALUE_SIZE);
    const size_t used = strlen(ret_text);
    if (unit && *unit) snprintf(ret_text + used, VALUE_SIZE - used, " %.32s", unit);
    return ret_text;
}

/* "40 s", "6 weeks", "3 rows". */
static const char *length_text(const tcsi_subject *subject, size_t from, size_t to, char ret_text[LENGTH_SIZE])
{
    static const struct { double seconds; const char *one, *many; } units[] = {
        { 604800, "week", "weeks" }, { 86400, "day", "days" }, { 3600, "h", "h" }, { 60, "min", "min" }, { 1, "s", "s" },
        { 1e-3, "ms", "ms" },
    };
    snprintf(ret_text, LENGTH_SIZE, "%zu row%s", to - from, to - from == 1 ? "" : "s");
    if (!subject->has_times) return ret_text;
    const double seconds = (double)(subject->frame->times_ns[to] - subject->frame->times_ns[from]) * 1e-9;
    for (size_t i = 0; i < TCS_COUNT(units); i++) {
        if (seconds < 2 * units[i].seconds && i + 1 < TCS_COUNT(units)) continue;
        const double count = seconds / units[i].seconds;
        char number[32];
        snprintf(number, sizeof number, i < 2 || count >= 10 ? "%.0f" : "%.2g", count);
        snprintf(ret_text, LENGTH_SIZE, "%s %s", number, strcmp(number, "1") == 0 ? units[i].one : units[i].many);
        break;
    }
    return ret_text;
}

/* ---- what a channel did ---- */

/* "18 % (0.42 bar)" or "0.42 bar": how far beyond the nearer edge of its band. */
static void add_distance(line *l, const tcsi_subject *subject, const tcsi_story *story)
{
    char value[VALUE_SIZE];
    const double edge = story->beyond > 0 ? story->high : story->low, width = story->high - story->low;
    value_text(subject, story->channel, fabs(story->beyond), value);
    if (fabs(edge) > width && fabs(edge) > 0) {
        char percent[32];
        number_text(100 * fabs(story->beyond) / fabs(edge), percent, sizeof percent);
        add(l, "%s %% (%s)", percent, value);
    } else {
        add(l, "%s", value);
    }
    add(l, " %s its expected band", story->beyond > 0 ? "above" : "below");
}

/* Beyond its band at the worst row, or within it all the time. */
static void add_extent(line *l, const tcsi_subject *subject, const tcsi_story *story, const char *before)
{
    if (story->beyond == 0) return;
    add(l, "%s", before);
    add_distance(l, subject, story);
}

static void add_move(line *l, const tcsi_subject *subject, const tcsi_story *story, const char *up, const char *down)
{
    char value[VALUE_SIZE];
    const bool is_up = story->beyond != 0 ? story->beyond > 0 : story->value > story->expected;
    if (story->beyond != 0) {
        add(l, "%s ", is_up ? up : down);
        add_distance(l, subject, story);
    } else {
        add(l, "%s to %s, within its expected band", is_up ? up : down, value_text(subject, story->channel, story->value, value));
    }
}

static void add_stuck(line *l, const tcsi_subject *subject, const tcsi_explanation *e, const tcsi_story *story)
{
    char value[VALUE_SIZE];
    const double *column = tcsi_frame_column(subject->frame, story->channel);
    size_t t = e->rows.end - 1;
    while (t > e->rows.begin && !tcsi_present(column[t])) t--;
    add(l, "stuck at %s", value_text(subject, story->channel, column[t], value));
}

static void add_drop_out(line *l, const tcsi_subject *subject, const tcsi_explanation *e, const tcsi_story *story)
{
    char value[VALUE_SIZE];
    const double *column = tcsi_frame_column(subject->frame, story->channel);
    size_t missing = 0;
    for (size_t t = e->rows.begin; t < e->rows.end; t++) missing += !tcsi_present(column[t]);
    if (missing > 0) add(l, "dropped out: %zu of %zu values are missing", missing, tcsi_extent_count(e->rows));
    else add(l, "dropped out: it stood at %s", value_text(subject, story->channel, story->value, value));
}

static void add_story(line *l, const tcsi_subject *subject, const tcsi_explanation *e, const tcsi_story *story)
{
    char ratio[32];
    add(l, "%s ", name_of(subject, story->channel));
    switch (story->kind.kind) {
    case TCSI_KIND_SPIKE:
        if (story->beyond != 0) add_move(l, subject, story, "spiked", "spiked down");
        else add_move(l, subject, story, "rose briefly", "fell briefly");
        break;
    case TCSI_KIND_LEVEL_SHIFT: add_move(l, subject, story, "rose", "fell"); break;
    case TCSI_KIND_TREND: add_move(l, subject, story, "drifted up", "drifted down"); break;
    case TCSI_KIND_VARIANCE:
        number_text(story->kind.variance, ratio, sizeof ratio);
        if (story->kind.variance > 1) add(l, "varied %s times as much as before", ratio);
        else add(l, "varied only %s times as much as before", ratio);
        add_extent(l, subject, story, ", up to ");
        break;
    case TCSI_KIND_DROP_OUT: add_drop_out(l, subject, e, story); break;
    case TCSI_KIND_STUCK:
        add_stuck(l, subject, e, story);
        add_extent(l, subject, story, ", ");
        break;
    case TCSI_KIND_CORRELATION:
        if (story->beyond != 0) add_move(l, subject, story, "rose", "fell");
        add(l, "%sno longer moved with %s", story->beyond != 0 ? " and " : "", name_of(subject, story->kind.partner));
        break;
    case TCSI_KIND_PATTERN:
    case TCSI_KIND_UNCLEAR:
        if (story->beyond != 0) add_move(l, subject, story, "rose", "fell");
        else add(l, "took another course than before, within its expected band");
        break;
    default: add_move(l, subject, story, "is", "is");
    }
}

/* Where the story is told to begin: when it left its band, or with the episode. */
static size_t row_of(const tcsi_explanation *e, const tcsi_story *story)
{
    const bool is_moment = story->kind.kind == TCSI_KIND_SPIKE;
    if (is_moment) return story->row_worst;
    return story->is_out ? story->row_out : e->rows.begin;
}

static void add_time(line *l, const tcsi_subject *subject, const tcsi_explanation *e, const tcsi_story *story)
{
    char place[PLACE_SIZE], length[LENGTH_SIZE];
    place_text(subject, row_of(e, story), place);
    if (subject->is_tabular) {
        add(l, " in row %zu", e->rows.begin);
        return;
    }
    const bool is_moment = story->kind.kind == TCSI_KIND_SPIKE || tcsi_extent_count(e->rows) == 1;
    add(l, is_moment ? " at %s" : " from %s on", place);
    if (is_moment) return;
    if (story->kind.persistent) add(l, " and it stayed so");
    else if (e->rows.end < subject->frame->row_count && e->rows.end > row_of(e, story))
        add(l, ", for %s", length_text(subject, row_of(e, story), e->rows.end, length));
}

/* The next channel that left its band, and which was first. */
static void add_order(line *l, const tcsi_subject *subject, const tcsi_explanation *e)
{
    char length[LENGTH_SIZE];
    const tcsi_story *first = &e->stories[0];
    for (size_t i = 1; i < e->story_count && e->stories[i].share >= share_told; i++) {
        const tcsi_story *next = &e->stories[i];
        if (!first->is_out || !next->is_out) continue;
        const char *name = name_of(subject, next->channel);
        if (subject->is_tabular || first->row_out == next->row_out) add(l, ", together with %s", name);
        else if (first->row_out < next->row_out)
            add(l, ", %s before %s", length_text(subject, first->row_out, next->row_out, length), name);
        else add(l, ", %s after %s", length_text(subject, next->row_out, first->row_out, length), name);
        return;
    }
}

static void add_similar(line *l, const tcsi_subject *subject, const tcsi_explanation *e)
{
    char place[PLACE_SIZE], length[LENGTH_SIZE];
    const tcsi_similar *s = &e->similar;
    const double nearest = s->has_normal ? s->normal.raw + s->normal.shape : INFINITY;
    const bool has_episode = s->episode_count > 0 && s->episodes[0].raw + s->episodes[0].shape < nearest;
    const bool is_new = s->has_normal && s->unusual >= 1 && nearest > clearly * s->usual_distance;
    if (!e->has_similar) return;
    if (is_new && !has_episode) add(l, "; nothing like it in the %s before", length_text(subject, 0, e->rows.begin, length));
    else if (s->has_normal && !has_episode && s->unusual <= likely)
        add(l, "; much like normal rows from %s on", place_text(subject, s->normal.rows.begin, place));
    if (!has_episode) return;
    const tcsi_label label = tcsi_subject_label(subject, s->episodes[0].episode);
    add(l, "; closest: the episode of %s", place_text(subject, s->episodes[0].rows.begin, place));
    if (label.text) add(l, ", %s %.*s", label.source == TCSI_LABEL_SIGNATURE ? "which looked like" : "labelled", LABEL_TOLD, label.text);
}

/* How many of the ensemble's members find the peak row rare. */
static void add_agreement(line *l, const tcsi_explanation *e)
{
    const tcsi_agreement *a = &e->agreement;
    if (a->member_count >= 2) add(l, "; %zu of %zu members agree", a->agreeing_count, a->member_count);
}

void tcsi_sentence_write(const tcsi_subject *subject, const tcsi_explanation *e, char ret_text[TCSI_SENTENCE_SIZE])
{
    line l = { .text = ret_text };
    char place[PLACE_SIZE];
    ret_text[0] = 0;
    if (e->story_count == 0) {
        add(&l, "rows from %s on are unlike the others; no single channel stands out", place_text(subject, e->rows.begin, place));
        add_agreement(&l, e);
        return;
    }
    add_story(&l, subject, e, &e->stories[0]);
    add_time(&l, subject, e, &e->stories[0]);
    add_order(&l, subject, e);
    add_similar(&l, subject, e);
    add_agreement(&l, e);
}

/* ---- the counterfactual ---- */

static void add_names(line *l, const tcsi_subject *subject, const size_t *channels, size_t count)
{
    for (size_t i = 0; i < count && i < ADVICE_CHANNELS; i++)
        add(l, "%s%s", i == 0 ? "" : i + 1 == count ? " and " : ", ", name_of(subject, channels[i]));
    if (count > ADVICE_CHANNELS) add(l, " and %zu more", count - ADVICE_CHANNELS);
}

void tcsi_sentence_write_advice(const tcsi_subject *subject, const tcsi_explanation *e, char ret_text[TCSI_SENTENCE_SIZE])
{
    const tcsi_counterfactual *c = &e->counterfactual;
    line l = { .text = ret_text };
    char after[32], threshold[32], before[32], change[32];
    ret_text[0] = 0;
    if (c->outcome == TCSI_COUNTERFACTUAL_NOT_ASKED) return;
    if (c->outcome == TCSI_COUNTERFACTUAL_LIMIT) {
        add(&l, "a hard limit was passed in it, which alarms whatever the score");
        return;
    }
    if (c->outcome == TCSI_COUNTERFACTUAL_EVIDENCE) {
        number_text(e->sum, before, sizeof before);
        number_text(e->sum_threshold, threshold, sizeof threshold);
        add(&l, "evidence added up over its rows (sum %s, threshold %s)%s: no change was tried", before, threshold,
            e->by_score ? "" : ", none of which is above its threshold");
        return;
    }
    number_text(c->score_before, before, sizeof before);
    number_text(c->threshold, threshold, sizeof threshold);
    if (c->outcome == TCSI_COUNTERFACTUAL_NONE) {
        add(&l, "no change that was tried would have kept it quiet (score %s, threshold %s)", before, threshold);
        return;
    }
    number_text(c->score_after, after, sizeof after);
    number_text(c->change, change, sizeof change);
    add(&l, "it would not have alarmed with ");
    add_names(&l, subject, c->channels, c->channel_count);
    add(&l, " %.0f %% of the way to normal", fmax(1, 100 * c->share));
    if (isfinite(c->change)) add(&l, ", a change of %s deviations", change);
    add(&l, " (score %s instead of %s, threshold %s)", after, before, threshold);
    if (c->is_late) add(&l, "; rows after it would then have alarmed");
}
