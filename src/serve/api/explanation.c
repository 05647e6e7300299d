/* serve/api/explanation.c -- why an episode came to be, in one document: docs/reference/live-explanation.md names every key.
 *
 * What it rests on is of the time when it was decided (shard/grounds.h); its rows come from the history, where that has them singly.
 * Nothing is guessed: what is not known is null, and `unknown` says why.  Cost: some thousand rows are read and a few judged again, tens
 * of milliseconds; the analyst's limit of requests holds.  SPDX-License-Identifier: Apache-2.0 */
#include "serve/api/explained.h"

#include "base/alloc.h"
#include "serve/api/second_look.h"
#include "serve/api/similar.h"
#include "serve/why/first_look.h"
#include "serve/why/story.h"
#include "serve/why/why_json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { ROWS_MAX = TCSI_STORY_ROWS_BEFORE + TCSI_INSTEAD_ROWS_MAX, UNKNOWN_MAX = 8 };

/* Rows of the series around the episode. */
typedef struct row_set {
    int64_t *times_ns;
    double *values, *scores;
    size_t count, onset, end;  /* of the episode: [onset, end) */
    int64_t begin_ns, last_ns; /* of the episode */
    bool is_merged;            /* one of the episode's rows is several */
    bool is_cut;               /* there are more of it than are read */
} row_set;

typedef struct explaining {
    tcsi_explained e;
    tcsi_why why;
    row_set rows;
    const char *unknown[UNKNOWN_MAX];
    size_t unknown_count;
} explaining;

static void note_unknown(explaining *x, const char *why)
{
    if (x->unknown_count < UNKNOWN_MAX) x->unknown[x->unknown_count++] = why;
}

/* ---- rows ---- */

/* The older half of those before the onset makes room. */
static void make_room(row_set *r)
{
    const size_t dropped = r->onset > TCSI_STORY_ROWS_BEFORE / 2 ? TCSI_STORY_ROWS_BEFORE / 2 : 0, left = r->count - dropped;
    memmove(r->times_ns, r->times_ns + dropped, left * sizeof *r->times_ns);
    memmove(r->values, r->values + dropped, left * sizeof *r->values);
    memmove(r->scores, r->scores + dropped, left * sizeof *r->scores);
    r->count = left;
    r->onset -= dropped;
    r->is_cut |= dropped == 0;
}

static bool take_row(void *context, const tcsi_chronicle_row *row)
{
    row_set *r = context;
    const bool is_before = row->time_ns < r->begin_ns;
    if (r->count == ROWS_MAX) make_room(r);
    if (r->is_cut) return false;
    if (!is_before) r->is_merged |= row->count > 1;
    r->times_ns[r->count] = row->time_ns;
    r->values[r->count] = row->value;
    r->scores[r->count++] = row->score;
    if (is_before) r->onset = r->count;
    if (row->time_ns <= r->last_ns) r->end = r->count;
    return true;
}

static void look(void *context, const tcsi_cell *cell, const tcsi_live_series *series)
{
    (void)cell;
    *(double *)context = (double)series->presence.cadence_s;
}

static tcs_status read_rows(explaining *x, tcs_error *err)
{
    row_set *r = &x->rows;
    double cadence_s = 0;
    r->begin_ns = x->e.begin_ns;
    r->last_ns = x->e.end_ns == INT64_MAX ? x->e.request->received_ns : x->e.end_ns;
    if (!x->e.api->history || x->e.number == TCSI_SERIES_NONE) {
        note_unknown(x, x->e.api->history ? "rows: the series is not live any more" : "rows: no history is kept (--history off)");
        return TCS_OK;
    }
    if (!tcsi_live_ask(x->e.api->live, x->e.number, look, &cadence_s) || !(cadence_s > 0)) cadence_s = 1;
    const double before_s = fmin(cadence_s * TCSI_STORY_ROWS_BEFORE, 366.0 * 86400);
    r->times_ns = TCSI_NEW_ARRAY(int64_t, ROWS_MAX);
    r->values = TCSI_NEW_ARRAY(double, ROWS_MAX);
    r->scores = TCSI_NEW_ARRAY(double, ROWS_MAX);
    if (!r->times_ns || !r->values || !r->scores) return tcsi_fail_memory(err, "the rows of an episode");
    return tcsi_chronicle_read(x->e.api->history, x->e.number, r->begin_ns - (int64_t)(before_s * 1e9), r->last_ns, 0, take_row, r, err);
}

/* Rows as the counterfactual takes them. */
static tcs_status prepare(explaining *x, tcs_error *err)
{
    const row_set *r = &x->rows;
    const size_t count = r->end > r->onset ? r->end - r->onset : 0;
    x->why = (tcsi_why){ .grounds = &x->e.grounds, .is_ordinary = strcmp(tcsi_explained_text(&x->e, "verdict"), "ordinary") == 0 };
    if (!x->e.grounds.sequence) note_unknown(x, "grounds: nothing was kept of what it was judged by");
    else if (!x->e.grounds.onset.is_known) note_unknown(x, "first_look: the deep layer opened it, after the moment had passed");
    if (count == 0 && r->times_ns) note_unknown(x, "rows: the history has none of the episode's any more");
    else if (r->is_merged) note_unknown(x, "rows: the history has merged the episode's; only the first is known singly");
    if (count == 0 || r->is_merged) return TCS_OK;
    x->why.rows = TCSI_NEW_ARRAY(tcsi_instead_row, count);
    if (!x->why.rows) return tcsi_fail_memory(err, "the rows of an episode");
    x->why.row_count = count < TCSI_INSTEAD_ROWS_MAX ? count : TCSI_INSTEAD_ROWS_MAX;
    for (size_t i = 0; i < x->why.row_count; i++)
        x->why.rows[i] = (tcsi_instead_row){ .time_ns = r->times_ns[r->onset + i], .value = r->values[r->onset + i] };
    x->why.is_whole = count == x->why.row_count && !r->is_cut;
    if (!x->why.is_whole) note_unknown(x, "rows: the episode has more of them than are judged again");
    return TCS_OK;
}

/* ---- the document ---- */

static void write_head(const explaining *x, tcsi_json_writer *writer)
{
    tcsi_json_put_string(writer, "schema", "tocsin/live-explanation/1");
    tcsi_json_put_string(writer, "episode", x->e.id);
    tcsi_json_put_string(writer, "series", tcsi_explained_text(&x->e, "series"));
    tcsi_json_put_string(writer, "kind", tcsi_explained_text(&x->e, "kind"));
    tcsi_json_put_string(writer, "state", tcsi_explained_text(&x->e, "state"));
    tcsi_json_put_string(writer, "sentence", tcsi_explained_text(&x->e, "summary"));
    tcsi_api_put_time(writer, "time_onset", x->e.begin_ns);
    if (x->e.end_ns == INT64_MAX) tcsi_json_put_string(writer, "time_last", NULL);
    else tcsi_api_put_time(writer, "time_last", x->e.end_ns);
    tcsi_json_put_string(writer, "opened_by", tcsi_grounds_by_names[x->e.grounds.opened_by]);
    tcsi_json_put_string(writer, "confirmed_by", tcsi_grounds_by_names[x->e.grounds.confirmed_by]);
}

static tcs_status write_brief(explaining *x, tcsi_json_writer *writer, tcs_error *err)
{
    const row_set *r = &x->rows;
    const bool is_known = x->e.grounds.onset.is_known;
    const tcsi_story_rows story = { .series = tcsi_explained_text(&x->e, "series"), .times_ns = r->times_ns, .values = r->values,
                                    .scores = r->scores, .count = r->end, .onset = r->onset, .end = r->end,
                                    .limit = is_known ? tcsi_first_look_of(&x->e.grounds.onset).score_limit : INFINITY };
    tcsi_json_key(writer, "brief");
    if (r->times_ns && strcmp(tcsi_explained_text(&x->e, "kind"), "anomaly") == 0) return tcsi_story_write(&story, writer, err);
    tcsi_json_null(writer);
    return TCS_OK;
}

static tcs_status write_parts(explaining *x, tcsi_json_writer *writer, tcs_error *err)
{
    char advice[TCSI_ADVICE_SIZE], second[TCSI_SECOND_ADVICE_SIZE];
    const char *unknown;
    tcsi_why_write_looks(&x->why, writer);
    tcs_status status = tcsi_why_write_counterfactuals(&x->why, writer, advice, err);
    const tcsi_second_look_rows rows = { x->rows.times_ns, x->rows.times_ns && !x->rows.is_merged ? x->rows.end : 0 };
    if (status == TCS_OK) status = tcsi_second_look_write(&x->e, rows, writer, &unknown, second, err);
    if (status != TCS_OK) return status;
    if (unknown) note_unknown(x, unknown);
    tcsi_json_put_string(writer, "advice", *advice ? advice : *second ? second : NULL);
    tcsi_json_put_string(writer, "advice_second_look", *second ? second : NULL);
    if (status == TCS_OK) status = write_brief(x, writer, err);
    if (status == TCS_OK) status = tcsi_similar_write(x->e.api, x->e.request, x->e.id, writer, err);
    if (status == TCS_OK) status = tcsi_explained_write_moved(&x->e, writer, err);
    if (status == TCS_OK) tcsi_explained_write_path(&x->e, writer);
    if (status == TCS_OK) status = tcsi_explained_write_told(&x->e, writer, err);
    tcsi_json_key(writer, "unknown");
    tcsi_json_begin_array(writer);
    for (size_t i = 0; i < x->unknown_count; i++) tcsi_json_string(writer, x->unknown[i]);
    tcsi_json_end_array(writer);
    return status;
}

static tcs_status write_explanation(explaining *x, tcsi_buffer *out, tcs_error *err)
{
    tcsi_json_writer writer;
    tcs_status status = read_rows(x, err);
    if (status == TCS_OK) status = prepare(x, err);
    if (status != TCS_OK) return status;
    tcsi_json_writer_init(&writer, out, false);
    tcsi_json_begin_object(&writer);
    write_head(x, &writer);
    status = write_parts(x, &writer, err);
    if (status != TCS_OK) return status;
    tcsi_json_end_object(&writer);
    return tcsi_json_finish(&writer, err);
}

static tcs_status get_explanation(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    explaining x = { .unknown_count = 0 };
    const char *id = tcsi_request_text(request, "id");
    tcs_status status = tcsi_explained_find(context, request, id, &x.e, err);
    if (status != TCS_OK) return status;
    if (!x.e.document) {
        tcsi_response_problem(response, request, 404, "episode-unknown", "there is no episode '%s'", id);
        return TCS_OK;
    }
    status = write_explanation(&x, &response->body, err);
    if (status != TCS_OK) tcsi_buffer_clear(&response->body);
    tcsi_free(x.why.rows);
    tcsi_free(x.rows.times_ns);
    tcsi_free(x.rows.values);
    tcsi_free(x.rows.scores);
    return status;
}

/* ---- the table ---- */

static const char explanation_schema[] =
    "{\"type\":\"object\",\"required\":[\"schema\",\"episode\",\"kind\",\"sentence\",\"advice\",\"first_look\",\"counterfactual\","
    "\"unconfirmed\",\"attribution\",\"second_look\",\"brief\",\"similar\",\"moved_together\",\"path\",\"told\",\"unknown\"],"
    "\"properties\":{"
    "\"schema\":{\"const\":\"tocsin/live-explanation/1\"},\"sentence\":{\"type\":\"string\"},\"advice\":{\"type\":[\"string\",\"null\"]},"
    "\"first_look\":{\"type\":[\"object\",\"null\"]},\"counterfactual\":{\"type\":[\"object\",\"null\"]},"
    "\"brief\":{\"type\":[\"object\",\"null\"]},\"similar\":{\"type\":\"array\"},\"moved_together\":{\"type\":\"object\"},"
    "\"path\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"required\":[\"step\",\"says\"]}},"
    "\"told\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"required\":[\"receiver\",\"outcome\"]}},"
    "\"unknown\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}}}}";

static const tcsi_route table[] = {
    { .method = TCSI_GET, .path = "/api/v1/episodes/{id}/explanation", .role = TCSI_ROLE_VIEWER, .handle = get_explanation,
      .id = "episode_explanation", .group = TCSI_API_ASK,
      .summary = "Why an episode came to be: of what it was made, what would have kept it quiet, what it had to do with, and who was told.",
      .rate = 20, .burst = 40,
      .parameters = { { .name = "id", .type = TCSI_ARGUMENT_TEXT, .help = "as the list has it" } },
      .answers = { { 200, "The explanation.", "application/json", explanation_schema },
                   { 404, "There is no such episode.", NULL, NULL } } },
};

tcs_status tcsi_api_mount_explanation(tcsi_router *router, tcsi_api *api, tcs_error *err)
{
    return tcsi_router_mount(router, table, TCS_COUNT(table), api, err);
}
