/* serve/api/query.c -- the part of Prometheus' HTTP API that Grafana's data source and promtool use, over history.
 *
 * https://prometheus.io/docs/prometheus/latest/querying/api/: the same paths, parameters, documents and errors.  A query is one selector
 * (history/selector.h), or a number or the sum of two, which is what Grafana asks to see whether anybody is there.
 * Bounds: SERIES_MAX series and POINTS_MAX points of each, SAMPLES_MAX in all, WAIT_NS for one query.
 * SPDX-License-Identifier: Apache-2.0 */
#include "serve/api/api.h"
#include "serve/api/form.h"
#include "serve/api/texts.h"
#include "serve/history/steps.h"
#include "serve/history/views.h"

#include "base/clock.h"
#include "series/time.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SERIES_MAX = 1000, POINTS_MAX = 11000, SAMPLES_MAX = 2000000, SELECTORS_MAX = 16, LISTED_MAX = 100000, ROWS_A_LOOK = 65536 };
enum { LABEL_SIZE = TCSI_KEY_VALUE_SIZE_MAX + 1 };
static const int64_t WAIT_NS = INT64_C(30000000000);
static const double TIME_S_MAX = 9e9;

/* ---- answers ---- */

static tcs_status answer_error(tcsi_response *response, int code, const char *type, const char *text, tcs_error *err)
{
    tcsi_json_writer writer;
    response->status = code;
    tcsi_buffer_clear(&response->body);
    tcsi_json_writer_init(&writer, &response->body, false);
    tcsi_json_begin_object(&writer);
    tcsi_json_put_string(&writer, "status", "error");
    tcsi_json_put_string(&writer, "errorType", type);
    tcsi_json_put_string(&writer, "error", text);
    tcsi_json_end_object(&writer);
    return tcsi_json_finish(&writer, err);
}

/* A failure as Prometheus tells of it. */
static tcs_status answer_failure(tcsi_response *response, const tcs_error *failure, tcs_error *err)
{
    switch (failure->status) {
    case TCS_E_INVALID: return answer_error(response, 400, "bad_data", failure->text, err);
    case TCS_E_LIMIT: return answer_error(response, 422, "execution", failure->text, err);
    case TCS_E_CANCELLED: return answer_error(response, 503, "timeout", failure->text, err);
    default: return answer_error(response, 500, "internal", failure->text, err);
    }
}

static void begin_success(tcsi_response *response, tcsi_json_writer *writer)
{
    tcsi_json_writer_init(writer, &response->body, false);
    tcsi_json_begin_object(writer);
    tcsi_json_put_string(writer, "status", "success");
    tcsi_json_key(writer, "data");
}

static tcs_status end_success(tcsi_json_writer *writer, bool is_cut, tcs_error *err)
{
    if (is_cut) {
        tcsi_json_key(writer, "warnings");
        tcsi_json_begin_array(writer);
        tcsi_json_string(writer, "results truncated due to limit");
        tcsi_json_end_array(writer);
    }
    tcsi_json_end_object(writer);
    return tcsi_json_finish(writer, err);
}

static void put_text(tcsi_json_writer *writer, const char *text, size_t size)
{
    char copy[LABEL_SIZE];
    snprintf(copy, sizeof copy, "%.*s", (int)size, text);
    tcsi_json_string(writer, copy);
}

static void put_labels(tcsi_json_writer *writer, const tcsi_key *key)
{
    char name[TCSI_KEY_NAME_SIZE_MAX + 1];
    tcsi_json_begin_object(writer);
    for (size_t i = 0; i < key->tag_count; i++) {
        snprintf(name, sizeof name, "%.*s", (int)key->tags[i].name_size, key->tags[i].name);
        tcsi_json_key(writer, name);
        put_text(writer, key->tags[i].value, key->tags[i].value_size);
    }
    tcsi_json_end_object(writer);
}

/* [seconds, "value"] */
static void put_sample(tcsi_json_writer *writer, int64_t time_ns, double value)
{
    char text[TCSI_NUMBER_TEXT_SIZE];
    tcsi_json_begin_array(writer);
    tcsi_json_number(writer, (double)(time_ns / 1000000) / 1e3);
    if (isfinite(value)) (void)tcsi_number_format(value, text);
    else snprintf(text, sizeof text, "%s", isnan(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf");
    tcsi_json_string(writer, text);
    tcsi_json_end_array(writer);
}

/* ---- parameters ---- */

/* Seconds since 1970, or RFC 3339; *ret_ns stays where there is none. */
static tcs_status read_time(const tcsi_form *form, const char *name, bool is_required, int64_t *ret_ns, tcs_error *err)
{
    const tcsi_time_format iso = { .kind = TCSI_TIME_ISO };
    const char *text = tcsi_form_get(form, name, 0);
    char *end;
    if (!text || !*text) {
        if (!is_required) return TCS_OK;
        return tcsi_fail(err, TCS_E_INVALID, "invalid parameter \"%s\": cannot parse \"\" to a valid timestamp", name);
    }
    const double seconds = strtod(text, &end);
    if (!*end && fabs(seconds) <= TIME_S_MAX) {
        *ret_ns = (int64_t)rint(seconds * 1e3) * 1000000;
        return TCS_OK;
    }
    if (tcsi_time_parse(&iso, text, strlen(text), ret_ns) && fabs((double)*ret_ns) <= TIME_S_MAX * 1e9) return TCS_OK;
    return tcsi_fail(err, TCS_E_INVALID, "invalid parameter \"%s\": cannot parse \"%.100s\" to a valid timestamp", name, text);
}

/* "15", "0.5", "1m30s" in ns; 0: it is none. */
static int64_t duration_of(const char *text)
{
    static const struct { const char *name; double seconds; } units[] = { { "ms", 0.001 }, { "s", 1 }, { "m", 60 }, { "h", 3600 },
                                                                          { "d", 86400 }, { "w", 604800 }, { "y", 31536000 } };
    double sum = 0;
    char *end;
    const double plain = strtod(text, &end);
    if (end != text && !*end) sum = plain;
    else while (*text) {
        if (*text < '0' || *text > '9') return 0;
        const double count = (double)strtoul(text, &end, 10);
        size_t i = 0;
        while (i < TCS_COUNT(units) && strncmp(end, units[i].name, strlen(units[i].name)) != 0) i++;
        if (i == TCS_COUNT(units)) return 0;
        sum += count * units[i].seconds;
        text = end + strlen(units[i].name);
    }
    return sum >= 0.001 && sum <= TIME_S_MAX ? (int64_t)rint(sum * 1e3) * 1000000 : 0;
}

static size_t read_limit(const tcsi_form *form)
{
    const char *text = tcsi_form_get(form, "limit", 0);
    const long limit = text ? strtol(text, NULL, 10) : 0;
    return limit > 0 && limit < LISTED_MAX ? (size_t)limit : LISTED_MAX;
}

typedef struct asked {
    tcsi_form form;
    tcsi_selector selectors[SELECTORS_MAX];
    size_t selector_count;
} asked;

static tcs_status read_matches(const tcsi_request *request, asked *a, tcs_error *err)
{
    tcs_status status = TCS_OK;
    const char *text;
    for (size_t i = 0; status == TCS_OK && (text = tcsi_form_get(&a->form, "match[]", i)); i++) {
        if (i == SELECTORS_MAX) return tcsi_fail(err, TCS_E_INVALID, "more than %d match[]", SELECTORS_MAX);
        status = tcsi_selector_parse(text, strlen(text), request->arena, &a->selectors[i], err);
        a->selector_count = i + (status == TCS_OK);
    }
    if (status == TCS_E_LIMIT) err->status = status = TCS_E_INVALID;
    return status;
}

/* ---- numbers: what Grafana asks to see whether anybody is there ---- */

/* "1", "1+1" */
static bool read_number(const char *text, double *ret_value)
{
    char *end;
    if (!strchr("0123456789.-+", *text) || !*text) return false;
    *ret_value = strtod(text, &end);
    if (end == text) return false;
    while (*end == ' ') end++;
    if (!*end) return true;
    if (*end++ != '+') return false;
    while (*end == ' ') end++;
    text = end;
    *ret_value += strtod(text, &end);
    return end != text && !*end;
}

/* ---- queries ---- */

typedef struct chosen {
    uint32_t number;
    tcsi_view view;
} chosen;

typedef struct choice {
    chosen series[SERIES_MAX];
    size_t count;
    bool is_over; /* more than that */
} choice;

static bool choose(void *context, uint32_t number, tcsi_view view, const tcsi_key *key)
{
    choice *c = context;
    (void)key;
    c->is_over = c->count == SERIES_MAX;
    if (!c->is_over) c->series[c->count++] = (chosen){ number, view };
    return !c->is_over;
}

/* One query on its way. */
typedef struct query {
    const tcsi_api *api;
    tcsi_json_writer *writer;
    bool is_instant;
    tcsi_steps steps;
    int64_t deadline_ns;
    size_t row_count;
    chosen series;        /* in work */
    bool has_point;       /* of it */
    bool is_late;
} query;

static tcs_status begin_series(query *q, tcs_error *err)
{
    const tcsi_directory_entry *entry = tcsi_directory_entry_of(tcsi_live_directory(q->api->live), q->series.number);
    tcsi_key series, key;
    const tcs_status status = tcsi_key_decode(entry->key, entry->key_size, &series, err);
    if (status != TCS_OK || !tcsi_view_key(q->series.view, &series, &key)) return status;
    tcsi_json_begin_object(q->writer);
    tcsi_json_key(q->writer, "metric");
    put_labels(q->writer, &key);
    tcsi_json_key(q->writer, q->is_instant ? "value" : "values");
    if (!q->is_instant) tcsi_json_begin_array(q->writer);
    return TCS_OK;
}

static void give_point(void *context, int64_t time_ns, double value)
{
    query *q = context;
    tcs_error ignored; /* a key that was read before can be read */
    if (!q->has_point) (void)!begin_series(q, &ignored);
    q->has_point = true;
    put_sample(q->writer, time_ns, value);
}

static bool push_row(void *context, const tcsi_chronicle_row *row)
{
    query *q = context;
    if (++q->row_count % ROWS_A_LOOK == 0) q->is_late = tcsi_clock_monotonic_ns() > q->deadline_ns;
    tcsi_steps_push(&q->steps, row->time_ns, tcsi_view_value(q->series.view, row));
    return !q->is_late;
}

static tcs_status answer_series(query *q, tcs_error *err)
{
    q->has_point = false;
    tcsi_steps_begin(&q->steps);
    const tcs_status status = tcsi_chronicle_read(q->api->history, q->series.number, q->steps.begin_ns - TCSI_STEPS_LOOKBACK_NS,
                                                  q->steps.end_ns, 0, push_row, q, err);
    q->is_late |= tcsi_clock_monotonic_ns() > q->deadline_ns;
    if (q->is_late) return tcsi_fail(err, TCS_E_CANCELLED, "query timed out in query execution");
    if (status != TCS_OK) return status;
    tcsi_steps_end(&q->steps);
    if (q->has_point && !q->is_instant) tcsi_json_end_array(q->writer);
    if (q->has_point) tcsi_json_end_object(q->writer);
    return TCS_OK;
}

static uint64_t point_count(const tcsi_steps *steps)
{
    return (uint64_t)(steps->end_ns - steps->begin_ns) / (uint64_t)steps->step_ns + 1;
}

static void put_number(query *q, double value)
{
    tcsi_json_key(q->writer, "resultType");
    tcsi_json_string(q->writer, q->is_instant ? "scalar" : "matrix");
    tcsi_json_key(q->writer, "result");
    if (q->is_instant) {
        put_sample(q->writer, q->steps.begin_ns, value);
        return;
    }
    tcsi_json_begin_array(q->writer);
    tcsi_json_begin_object(q->writer);
    tcsi_json_key(q->writer, "metric");
    tcsi_json_begin_object(q->writer);
    tcsi_json_end_object(q->writer);
    tcsi_json_key(q->writer, "values");
    tcsi_json_begin_array(q->writer);
    for (uint64_t i = 0; i < point_count(&q->steps); i++) put_sample(q->writer, q->steps.begin_ns + (int64_t)i * q->steps.step_ns, value);
    tcsi_json_end_array(q->writer);
    tcsi_json_end_object(q->writer);
    tcsi_json_end_array(q->writer);
}

static tcs_status find_series(const query *q, const tcsi_request *request, const char *text, choice *c, tcs_error *err)
{
    tcsi_selector selector;
    tcs_status status = tcsi_selector_parse(text, strlen(text), request->arena, &selector, err);
    if (status == TCS_E_LIMIT) err->status = status = TCS_E_INVALID;
    if (status != TCS_OK) {
        tcsi_fail_prefix(err, "invalid parameter \"query\"");
        return status;
    }
    status = tcsi_views_select(tcsi_live_directory(q->api->live), &selector, 1, choose, c, err);
    if (status == TCS_OK && c->is_over)
        status = tcsi_fail(err, TCS_E_LIMIT, "the query selects more than %d series; narrow it", SERIES_MAX);
    if (status == TCS_OK && c->count * point_count(&q->steps) > SAMPLES_MAX)
        status = tcsi_fail(err, TCS_E_LIMIT, "the query would give up to %llu samples, at most %d; make its steps longer or narrow it",
                           (unsigned long long)(c->count * point_count(&q->steps)), SAMPLES_MAX);
    return status;
}

static tcs_status put_series(query *q, const choice *c, tcs_error *err)
{
    tcs_status status = TCS_OK;
    tcsi_json_key(q->writer, "resultType");
    tcsi_json_string(q->writer, q->is_instant ? "vector" : "matrix");
    tcsi_json_key(q->writer, "result");
    tcsi_json_begin_array(q->writer);
    for (size_t i = 0; status == TCS_OK && i < c->count; i++) {
        q->series = c->series[i];
        status = answer_series(q, err);
    }
    tcsi_json_end_array(q->writer);
    return status;
}

static tcs_status answer_query(query *q, const tcsi_request *request, tcsi_response *response, const tcsi_form *form, tcs_error *err)
{
    const char *text = tcsi_form_get(form, "query", 0);
    tcsi_json_writer writer;
    double number = 0;
    const bool is_number = text && read_number(text, &number);
    choice *c = tcsi_arena_alloc(request->arena, sizeof *c, _Alignof(choice));
    if (!c) return tcsi_fail_memory(err, "a query");
    c->count = 0;
    c->is_over = false;
    if (!text || !*text)
        return tcsi_fail(err, TCS_E_INVALID, "invalid parameter \"query\": unknown position: no expression found in input");
    const tcs_status found = is_number ? TCS_OK : find_series(q, request, text, c, err);
    if (found != TCS_OK) return found;
    q->writer = &writer;
    q->steps.give = give_point;
    q->steps.context = q;
    q->deadline_ns = tcsi_clock_monotonic_ns() + WAIT_NS;
    begin_success(response, &writer);
    tcsi_json_begin_object(&writer);
    tcs_status status = TCS_OK;
    if (is_number) put_number(q, number);
    else status = put_series(q, c, err);
    if (status != TCS_OK) return status;
    tcsi_json_end_object(&writer);
    return end_success(&writer, false, err);
}

static tcs_status read_range(const tcsi_form *form, tcsi_steps *steps, tcs_error *err)
{
    tcs_status status = read_time(form, "start", true, &steps->begin_ns, err);
    if (status == TCS_OK) status = read_time(form, "end", true, &steps->end_ns, err);
    if (status != TCS_OK) return status;
    if (steps->end_ns < steps->begin_ns)
        return tcsi_fail(err, TCS_E_INVALID, "invalid parameter \"end\": end timestamp must not be before start time");
    const char *step = tcsi_form_get(form, "step", 0);
    steps->step_ns = step ? duration_of(step) : 0;
    if (steps->step_ns <= 0)
        return tcsi_fail(err, TCS_E_INVALID, "invalid parameter \"step\": cannot parse \"%.100s\" to a valid duration above 0",
                         step ? step : "");
    if (point_count(steps) > POINTS_MAX)
        return tcsi_fail(err, TCS_E_INVALID, "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query "
                                             "resolution (?step=XX)");
    return TCS_OK;
}

/* With what every handler begins: the parameters, and whether there is any history. */
static tcs_status begin_handler(const tcsi_api *api, const tcsi_request *request, asked **ret_asked, tcs_error *err)
{
    asked *a = tcsi_arena_alloc(request->arena, sizeof *a, _Alignof(asked));
    if (!a) return tcsi_fail_memory(err, "a query");
    a->selector_count = 0;
    *ret_asked = a;
    if (!api->history) return tcsi_fail(err, TCS_E_INVALID, "no history is kept (--history off)");
    return tcsi_form_read(request, &a->form, err);
}

static tcs_status query_range(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    query q = { .api = context };
    asked *a = NULL;
    tcs_error failure = { 0 };
    tcs_status status = begin_handler(context, request, &a, &failure);
    if (status == TCS_OK) status = read_range(&a->form, &q.steps, &failure);
    if (status == TCS_OK) status = answer_query(&q, request, response, &a->form, &failure);
    return status == TCS_OK ? TCS_OK : answer_failure(response, &failure, err);
}

static tcs_status query_instant(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    query q = { .api = context, .is_instant = true, .steps = { .begin_ns = request->received_ns, .step_ns = 1 } };
    asked *a = NULL;
    tcs_error failure = { 0 };
    tcs_status status = begin_handler(context, request, &a, &failure);
    if (status == TCS_OK) status = read_time(&a->form, "time", false, &q.steps.begin_ns, &failure);
    q.steps.end_ns = q.steps.begin_ns;
    if (status == TCS_OK) status = answer_query(&q, request, response, &a->form, &failure);
    return status == TCS_OK ? TCS_OK : answer_failure(response, &failure, err);
}

/* ---- labels and series ---- */

typedef struct listing {
    tcsi_texts texts;
    const char *label;         /* whose values; NULL: names of labels */
    tcsi_json_writer *writer;  /* of series */
    size_t count, count_max;
    bool is_cut;
    tcs_status status;
    tcs_error *err;
} listing;

static bool collect_names(void *context, uint32_t number, tcsi_view view, const tcsi_key *key)
{
    listing *l = context;
    (void)number;
    (void)view;
    for (size_t i = 0; l->status == TCS_OK && i < key->tag_count; i++)
        l->status = tcsi_texts_add(&l->texts, key->tags[i].name, key->tags[i].name_size, l->err);
    return l->status == TCS_OK;
}

static bool collect_values(void *context, uint32_t number, tcsi_view view, const tcsi_key *key)
{
    listing *l = context;
    (void)number;
    (void)view;
    const tcsi_tag *tag = tcsi_key_get(key, l->label);
    if (tag) l->status = tcsi_texts_add(&l->texts, tag->value, tag->value_size, l->err);
    return l->status == TCS_OK;
}

static tcs_status list_texts(const tcsi_api *api, const tcsi_request *request, tcsi_response *response, const char *label, tcs_error *err)
{
    asked *a = NULL;
    tcsi_json_writer writer;
    tcs_error failure = { 0 };
    listing l = { .label = label, .err = &failure };
    tcs_status status = begin_handler(api, request, &a, &failure);
    if (status == TCS_OK) status = read_matches(request, a, &failure);
    tcsi_texts_init(&l.texts, status == TCS_OK ? read_limit(&a->form) : 0);
    if (status == TCS_OK)
        status = tcsi_views_select(tcsi_live_directory(api->live), a->selectors, a->selector_count,
                                   label ? collect_values : collect_names, &l, &failure);
    if (status == TCS_OK) status = l.status;
    if (status == TCS_OK) {
        tcsi_texts_sort(&l.texts);
        begin_success(response, &writer);
        tcsi_json_begin_array(&writer);
        for (size_t i = 0; i < l.texts.count; i++) put_text(&writer, l.texts.items[i].text, l.texts.items[i].size);
        tcsi_json_end_array(&writer);
        status = end_success(&writer, l.texts.is_cut, &failure);
    }
    tcsi_texts_deinit(&l.texts);
    return status == TCS_OK ? TCS_OK : answer_failure(response, &failure, err);
}

static tcs_status list_labels(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    return list_texts(context, request, response, NULL, err);
}

static tcs_status list_label_values(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    return list_texts(context, request, response, tcsi_request_text(request, "name"), err);
}

static bool put_one_series(void *context, uint32_t number, tcsi_view view, const tcsi_key *key)
{
    listing *l = context;
    (void)number;
    (void)view;
    l->is_cut = l->count == l->count_max;
    if (!l->is_cut) put_labels(l->writer, key);
    l->count++;
    return !l->is_cut;
}

static tcs_status list_prometheus_series(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    const tcsi_api *api = context;
    asked *a = NULL;
    tcsi_json_writer writer;
    tcs_error failure = { 0 };
    tcs_status status = begin_handler(api, request, &a, &failure);
    if (status == TCS_OK) status = read_matches(request, a, &failure);
    if (status == TCS_OK && a->selector_count == 0) status = tcsi_fail(&failure, TCS_E_INVALID, "no match[] parameter provided");
    if (status != TCS_OK) return answer_failure(response, &failure, err);
    listing l = { .writer = &writer, .count_max = read_limit(&a->form) };
    begin_success(response, &writer);
    tcsi_json_begin_array(&writer);
    status = tcsi_views_select(tcsi_live_directory(api->live), a->selectors, a->selector_count, put_one_series, &l, &failure);
    tcsi_json_end_array(&writer);
    if (status == TCS_OK) status = end_success(&writer, l.is_cut, &failure);
    return status == TCS_OK ? TCS_OK : answer_failure(response, &failure, err);
}

/* ---- what else a data source asks ---- */

static tcs_status get_metadata(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    tcsi_json_writer writer;
    (void)context;
    (void)request;
    begin_success(response, &writer);
    tcsi_json_begin_object(&writer);
    for (int view = 1; view < TCSI_VIEW_COUNT; view++) {
        tcsi_json_key(&writer, tcsi_view_names[view]);
        tcsi_json_begin_array(&writer);
        tcsi_json_begin_object(&writer);
        tcsi_json_put_string(&writer, "type", "gauge");
        tcsi_json_put_string(&writer, "help", tcsi_view_help[view]);
        tcsi_json_put_string(&writer, "unit", "");
        tcsi_json_end_object(&writer);
        tcsi_json_end_array(&writer);
    }
    tcsi_json_end_object(&writer);
    return end_success(&writer, false, err);
}

/* By the version clients choose what to ask for: that of the API that is spoken here. */
static tcs_status get_buildinfo(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    tcsi_json_writer writer;
    (void)context;
    (void)request;
    begin_success(response, &writer);
    tcsi_json_begin_object(&writer);
    tcsi_json_put_string(&writer, "application", "tocsin");
    tcsi_json_put_string(&writer, "version", "2.42.0");
    tcsi_json_put_string(&writer, "revision", "");
    tcsi_json_put_string(&writer, "branch", "");
    tcsi_json_put_string(&writer, "buildUser", "");
    tcsi_json_put_string(&writer, "buildDate", "");
    tcsi_json_put_string(&writer, "goVersion", "");
    tcsi_json_end_object(&writer);
    return end_success(&writer, false, err);
}

/* ---- the table ---- */

#define GROUP "Prometheus' queries"
#define UNDER "/api/v1/prometheus/api/v1"
#define TEXT(parameter, words) { .name = parameter, .type = TCSI_ARGUMENT_TEXT, .help = words }
#define TAKEN TEXT("timeout", "taken, and not looked at"), TEXT("stats", "taken, and not looked at"), \
              TEXT("lookback_delta", "taken, and not looked at"), TEXT("limit", "of lists: at most so many")
#define RANGE TEXT("query", "a selector: NAME{label=\"value\"}"), TEXT("start", "seconds since 1970, or a time"), TEXT("end", "likewise"), \
              TEXT("step", "seconds, or a duration as 1m30s"), TAKEN
#define INSTANT TEXT("query", "a selector: NAME{label=\"value\"}"), TEXT("time", "seconds since 1970, or a time; default now"), TAKEN
#define LIST { .name = "match[]", .type = TCSI_ARGUMENT_TEXT, .help = "a selector; several: what any of them selects", .repeated = true }, \
             TEXT("start", "taken, and not looked at"), TEXT("end", "taken, and not looked at"), TAKEN
#define ANSWERS .answers = { { 200, "As Prometheus answers.", "application/json", success_schema },                           \
                             { 400, "bad_data: what cannot be read.", "application/json", error_schema },                      \
                             { 422, "execution: more series or samples than are given.", "application/json", error_schema },  \
                             { 503, "timeout: it takes too long.", "application/json", error_schema } }
#define FORM .request_type = "application/x-www-form-urlencoded", .body_max = TCSI_FORM_SIZE_MAX

static const char success_schema[] =
    "{\"type\":\"object\",\"required\":[\"status\",\"data\"],\"properties\":{\"status\":{\"const\":\"success\"}}}";
static const char error_schema[] =
    "{\"type\":\"object\",\"required\":[\"status\",\"errorType\",\"error\"],\"properties\":{\"status\":{\"const\":\"error\"}}}";

/* GET, and the same as a form. */
#define BOTH(where, name, words, function, ...)                                                                                    \
    { .method = TCSI_GET, .path = where, .role = TCSI_ROLE_VIEWER, .handle = function, .id = name, .group = GROUP, .summary = words, \
      .parameters = { __VA_ARGS__ }, ANSWERS },                                                                                     \
    { .method = TCSI_POST, .path = where, .role = TCSI_ROLE_VIEWER, .handle = function, .id = name "_form", .group = GROUP,          \
      .summary = words, .parameters = { __VA_ARGS__ }, FORM, ANSWERS }

static const tcsi_route table[] = {
    BOTH("/api/v1/query_range", "query_range", "Series over time, at equal steps.", query_range, RANGE),
    BOTH("/api/v1/query", "query", "Series at one moment.", query_instant, INSTANT),
    BOTH(UNDER "/query_range", "prometheus_query_range", "Series over time, at equal steps.", query_range, RANGE),
    BOTH(UNDER "/query", "prometheus_query", "Series at one moment.", query_instant, INSTANT),
    BOTH(UNDER "/labels", "prometheus_labels", "Names of labels.", list_labels, LIST),
    BOTH(UNDER "/series", "prometheus_series", "Labels of the series that are selected.", list_prometheus_series, LIST),
    { .method = TCSI_GET, .path = UNDER "/label/{name}/values", .role = TCSI_ROLE_VIEWER, .handle = list_label_values,
      .id = "prometheus_label_values", .group = GROUP, .summary = "Values of one label.",
      .parameters = { TEXT("name", "of the label"), LIST }, ANSWERS },
    { .method = TCSI_GET, .path = UNDER "/metadata", .role = TCSI_ROLE_VIEWER, .handle = get_metadata, .id = "prometheus_metadata",
      .group = GROUP, .summary = "What the metrics that are made here mean.",
      .parameters = { TEXT("metric", "taken, and not looked at"), TEXT("limit_per_metric", "taken, and not looked at"),
                      TEXT("limit", "taken, and not looked at") }, ANSWERS },
    { .method = TCSI_GET, .path = UNDER "/status/buildinfo", .role = TCSI_ROLE_VIEWER, .handle = get_buildinfo,
      .id = "prometheus_buildinfo", .group = GROUP, .summary = "Whose API this is.", ANSWERS },
};

tcs_status tcsi_api_mount_query(tcsi_router *router, tcsi_api *api, tcs_error *err)
{
    return tcsi_router_mount(router, table, TCS_COUNT(table), api, err);
}
