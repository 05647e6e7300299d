/* explain/explanation_json.c -- an explanation as a JSON object, schema tocsin/explanation/1.
 * Rows are those of the frame; times stand beside them where the frame has some.  What a long episode would make very long, values row by
 * row, is left out beyond ROWS_MAX rows.  SPDX-License-Identifier: Apache-2.0 */
#include "explain/explanation.h"
#include "series/time.h"

#include <math.h>
#include <stdio.h>

enum { ROWS_MAX = 4096 };

static void put_numbers(tcsi_json_writer *w, const char *key, const double *values, size_t count, size_t stride)
{
    tcsi_json_key(w, key);
    tcsi_json_begin_array(w);
    for (size_t i = 0; i < count; i++) tcsi_json_number(w, values[i * stride]);
    tcsi_json_end_array(w);
}

/* "row_onset": 12, "time_onset": "..." */
static void put_row(tcsi_json_writer *w, const tcsi_subject *subject, const char *name, size_t row)
{
    char key[32], text[TCSI_TIME_TEXT_SIZE];
    snprintf(key, sizeof key, "row_%s", name);
    tcsi_json_put_integer(w, key, subject->row_base + row);
    if (!subject->has_times || row >= subject->frame->row_count) return;
    snprintf(key, sizeof key, "time_%s", name);
    tcsi_time_format_iso(subject->frame->times_ns[row], text, sizeof text);
    tcsi_json_put_string(w, key, text);
}

static void put_span(tcsi_json_writer *w, const tcsi_subject *subject, tcsi_extent rows)
{
    put_row(w, subject, "begin", rows.begin);
    tcsi_json_put_integer(w, "row_end", subject->row_base + rows.end);
}

static void put_band(tcsi_json_writer *w, const tcsi_subject *subject, const tcsi_explanation *e, const tcsi_story *story)
{
    static const char *const names[] = { "expected", "low", "high" };
    const size_t view = tcsi_extent_count(e->view);
    tcsi_json_key(w, "band");
    tcsi_json_begin_object(w);
    put_span(w, subject, e->view);
    for (size_t i = 0; i < TCS_COUNT(names); i++) put_numbers(w, names[i], story->band + i * view, view, 1);
    tcsi_json_end_object(w);
}

static void put_shares(tcsi_json_writer *w, const tcsi_attribution *a, size_t channel)
{
    const size_t count = tcsi_extent_count(a->rows);
    tcsi_json_put_integer(w, "row_shares", a->rows.begin);
    put_numbers(w, "shares", a->shares + channel, count, a->channel_count);
    tcsi_json_key(w, "signs");
    tcsi_json_begin_array(w);
    for (size_t i = 0; i < count; i++) tcsi_json_integer(w, a->signs[i * a->channel_count + channel]);
    tcsi_json_end_array(w);
}

static void put_story(tcsi_json_writer *w, const tcsi_subject *subject, const tcsi_explanation *e, const tcsi_story *story)
{
    const tcsi_channel *channel = &subject->frame->channels[story->channel];
    tcsi_json_begin_object(w);
    tcsi_json_put_string(w, "name", channel->name);
    tcsi_json_put_string(w, "unit", channel->unit);
    tcsi_json_put_number(w, "share", story->share);
    tcsi_json_put_string(w, "kind", tcsi_kind_text(story->kind.kind));
    tcsi_json_put_number(w, "kind_probability", story->kind.probability);
    tcsi_json_put_string(w, "kind_likeliest", tcsi_kind_text(story->kind.likeliest));
    if (story->kind.is_over) tcsi_json_put_bool(w, "persistent", story->kind.persistent);
    else tcsi_json_put_number(w, "persistent", NAN); /* null: nobody knows yet */
    tcsi_json_put_number(w, "shift", story->kind.shift);
    tcsi_json_put_number(w, "slope", story->kind.slope);
    tcsi_json_put_number(w, "variance", story->kind.variance);
    if (story->kind.kind == TCSI_KIND_CORRELATION) tcsi_json_put_string(w, "partner", subject->frame->channels[story->kind.partner].name);
    tcsi_json_put_integer(w, "period", story->period);
    tcsi_json_key(w, "contributes");
    tcsi_json_begin_object(w);
    put_span(w, subject, story->when);
    tcsi_json_end_object(w);
    tcsi_json_put_bool(w, "left_band", story->is_out);
    if (story->is_out) put_row(w, subject, "out", story->row_out);
    put_row(w, subject, "worst", story->row_worst);
    tcsi_json_put_number(w, "value", story->value);
    tcsi_json_put_number(w, "expected", story->expected);
    tcsi_json_put_number(w, "low", story->low);
    tcsi_json_put_number(w, "high", story->high);
    tcsi_json_put_number(w, "beyond", story->beyond);
    tcsi_json_put_number(w, "deviation", story->spread);
    if (tcsi_extent_count(e->view) <= ROWS_MAX) put_band(w, subject, e, story);
    if (e->attribution.shares && tcsi_extent_count(e->seen) <= ROWS_MAX) put_shares(w, &e->attribution, story->channel);
    tcsi_json_end_object(w);
}

static void put_counterfactual(tcsi_json_writer *w, const tcsi_subject *subject, const tcsi_counterfactual *c)
{
    const size_t count = tcsi_extent_count(c->rows);
    tcsi_json_key(w, "counterfactual");
    if (c->outcome != TCSI_COUNTERFACTUAL_FOUND && c->outcome != TCSI_COUNTERFACTUAL_NONE) {
        tcsi_json_null(w);
        return;
    }
    tcsi_json_begin_object(w);
    tcsi_json_put_bool(w, "found", c->outcome == TCSI_COUNTERFACTUAL_FOUND);
    tcsi_json_put_number(w, "score_before", c->score_before);
    tcsi_json_put_number(w, "threshold", c->threshold);
    tcsi_json_put_integer(w, "trials", c->trial_count);
    if (c->outcome == TCSI_COUNTERFACTUAL_FOUND) {
        tcsi_json_put_number(w, "score_after", c->score_after);
        tcsi_json_put_number(w, "share", c->share);
        tcsi_json_put_number(w, "change", c->change);
        tcsi_json_put_bool(w, "later_alarm", c->is_late);
        put_span(w, subject, c->rows);
        tcsi_json_key(w, "channels");
        tcsi_json_begin_array(w);
        for (size_t k = 0; k < c->channel_count; k++) {
            tcsi_json_begin_object(w);
            tcsi_json_put_string(w, "name", subject->frame->channels[c->channels[k]].name);
            if (count <= ROWS_MAX) put_numbers(w, "values", c->values + k * count, count, 1);
            tcsi_json_end_object(w);
        }
        tcsi_json_end_array(w);
    }
    tcsi_json_end_object(w);
}

static void put_label(tcsi_json_writer *w, tcsi_label label)
{
    static const char *const sources[] = { [TCSI_LABEL_COLUMN] = "column", [TCSI_LABEL_SIGNATURE] = "signature",
                                           [TCSI_LABEL_NAME] = "name" };
    tcsi_json_put_string(w, "label", label.text);
    tcsi_json_put_string(w, "labelled_by", label.text ? sources[label.source] : NULL);
}

static void put_likeness(tcsi_json_writer *w, const tcsi_subject *subject, const tcsi_likeness *likeness)
{
    tcsi_json_begin_object(w);
    put_span(w, subject, likeness->rows);
    tcsi_json_put_number(w, "raw", likeness->raw);
    tcsi_json_put_number(w, "shape", likeness->shape);
    if (likeness->episode != SIZE_MAX) put_label(w, tcsi_subject_label(subject, likeness->episode));
    tcsi_json_end_object(w);
}

static void put_similar(tcsi_json_writer *w, const tcsi_subject *subject, const tcsi_explanation *e)
{
    const tcsi_similar *s = &e->similar;
    tcsi_json_key(w, "similar");
    if (!e->has_similar) {
        tcsi_json_null(w);
        return;
    }
    tcsi_json_begin_object(w);
    tcsi_json_key(w, "episodes");
    tcsi_json_begin_array(w);
    for (size_t i = 0; i < s->episode_count; i++) put_likeness(w, subject, &s->episodes[i]);
    tcsi_json_end_array(w);
    tcsi_json_key(w, "normal");
    if (s->has_normal) put_likeness(w, subject, &s->normal);
    else tcsi_json_null(w);
    tcsi_json_put_number(w, "unusual", s->unusual);
    tcsi_json_put_number(w, "usual_distance", s->usual_distance);
    tcsi_json_end_object(w);
}

/* What the ensemble's members say of the peak row. */
static void put_members(tcsi_json_writer *w, const tcsi_agreement *agreement)
{
    tcsi_json_key(w, "members");
    tcsi_json_begin_object(w);
    tcsi_json_key(w, "count");
    tcsi_json_integer(w, (int64_t)agreement->member_count);
    tcsi_json_key(w, "agreeing");
    tcsi_json_integer(w, (int64_t)agreement->agreeing_count);
    tcsi_json_put_number(w, "p_value", agreement->p_value);
    tcsi_json_put_number(w, "disagreement", agreement->disagreement);
    tcsi_json_end_object(w);
}

/* Attention goes to all rows of a window: numbers in a row; the nearest patches are few. */
static void put_links(tcsi_json_writer *w, const tcsi_subject *subject, const tcsi_regard *regard, const tcsi_link *links)
{
    size_t count = 0;
    while (count < regard->link_count && links[count].row_end > links[count].row_begin) count++;
    if (regard->kind == TCSI_REGARD_ATTENTION) {
        put_row(w, subject, "begin", links[0].row_begin);
        tcsi_json_put_integer(w, "rows_each", links[0].row_end - links[0].row_begin);
        tcsi_json_key(w, "shares");
        tcsi_json_begin_array(w);
        for (size_t k = 0; k < count; k++) tcsi_json_number(w, links[k].share);
        tcsi_json_end_array(w);
        return;
    }
    tcsi_json_key(w, "nearest");
    tcsi_json_begin_array(w);
    for (size_t k = 0; k < count; k++) {
        tcsi_json_begin_object(w);
        put_span(w, subject, (tcsi_extent){ links[k].row_begin, links[k].row_end });
        tcsi_json_put_number(w, "share", links[k].share);
        tcsi_json_put_number(w, "distance", links[k].distance);
        tcsi_json_end_object(w);
    }
    tcsi_json_end_array(w);
}

static void put_regard(tcsi_json_writer *w, const tcsi_subject *subject, const tcsi_regard *regard)
{
    tcsi_json_key(w, "compared");
    if (regard->line_count == 0) {
        tcsi_json_null(w);
        return;
    }
    tcsi_json_begin_object(w);
    tcsi_json_put_string(w, "by", tcsi_regard_kind_name(regard->kind));
    if (regard->kind == TCSI_REGARD_LIKENESS) tcsi_json_put_number(w, "usual_distance", regard->usual);
    tcsi_json_key(w, "lines");
    tcsi_json_begin_array(w);
    for (size_t i = 0; i < regard->line_count; i++) {
        const tcsi_regard_line *line = &regard->lines[i];
        tcsi_json_begin_object(w);
        put_row(w, subject, "of", line->row);
        tcsi_json_key(w, "from");
        tcsi_json_begin_object(w);
        put_span(w, subject, (tcsi_extent){ line->row_begin, line->row_end });
        tcsi_json_end_object(w);
        put_links(w, subject, regard, regard->links + i * regard->link_count);
        tcsi_json_end_object(w);
    }
    tcsi_json_end_array(w);
    tcsi_json_end_object(w);
}

/* What alarmed in it; and where p-values had added up to most. */
static void put_cause(tcsi_json_writer *w, const tcsi_subject *subject, const tcsi_explanation *e)
{
    const struct { const char *name; bool holds; } causes[] = { { "limit", e->is_limit }, { "score", e->by_score },
                                                                { "evidence", e->by_sum } };
    tcsi_json_key(w, "alarmed_by");
    tcsi_json_begin_array(w);
    for (size_t i = 0; i < TCS_COUNT(causes); i++)
        if (causes[i].holds) tcsi_json_string(w, causes[i].name);
    tcsi_json_end_array(w);
    tcsi_json_key(w, "added_up");
    if (!e->by_sum) {
        tcsi_json_null(w);
        return;
    }
    tcsi_json_begin_object(w);
    put_row(w, subject, "highest", e->row_sum);
    tcsi_json_put_number(w, "sum", e->sum);
    tcsi_json_put_number(w, "threshold", e->sum_threshold);
    tcsi_json_end_object(w);
}

void tcsi_explanation_write_json(tcsi_json_writer *w, const tcsi_subject *subject, const tcsi_explanation *e)
{
    tcsi_json_begin_object(w);
    tcsi_json_put_string(w, "schema", "tocsin/explanation/1");
    tcsi_json_put_string(w, "sentence", e->sentence);
    tcsi_json_put_string(w, "advice", e->advice[0] ? e->advice : NULL);
    put_members(w, &e->agreement);
    put_row(w, subject, "onset", e->rows.begin);
    put_row(w, subject, "last", e->rows.end - 1);
    put_cause(w, subject, e);
    tcsi_json_put_string(w, "attribution", tcsi_attribution_source_name(e->attribution.source));
    tcsi_json_put_number(w, "attribution_error", e->attribution.error);
    tcsi_json_key(w, "channels");
    tcsi_json_begin_array(w);
    for (size_t i = 0; i < e->story_count; i++) put_story(w, subject, e, &e->stories[i]);
    tcsi_json_end_array(w);
    put_similar(w, subject, e);
    put_regard(w, subject, &e->regard);
    put_counterfactual(w, subject, &e->counterfactual);
    tcsi_json_put_number(w, "seconds", e->seconds);
    tcsi_json_end_object(w);
}
