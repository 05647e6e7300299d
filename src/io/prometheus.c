/* io/prometheus.c -- a range query to a Prometheus server (or one that speaks its HTTP API) -> rows.
 *
 * The URL is http(s)://[user:password@]HOST[:PORT][/PREFIX][/api/v1/query_range][?query=...&start=...&end=...&step=...].
 * What the options say goes before what the URL says; other parameters are passed on.  Without a range it is the last 24
 * hours; without a step the smallest round one of at least 15 s that asks for at most 11,000 points a series, which is what
 * a server gives in one answer (Prometheus, web/api/v1: "exceeded maximum resolution of 11,000 points").  A smaller step is
 * asked for in several requests, joined by the series' labels.  .../api/v1/query with a range selector (up[5m]) gives the
 * samples as they were scraped, in one request.
 *
 * Rows are the union of all series' times, in order; where a series has no point, or NaN, which is also how a stale marker
 * arrives, the value is missing.  Series that share all labels but some are called by those: up{job="node"}.
 * Memory: 16 bytes a point and the largest answer (at most 256 MiB); rows are made one by one.
 * SPDX-License-Identifier: Apache-2.0 */
#include "io/prometheus.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/text.h"
#include "base/url.h"
#include "io/answer.h"
#include "io/http.h"
#include "io/number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { POINT_COUNT_MAX = 11000, REQUEST_COUNT_MAX = 10000, URL_SIZE_MAX = 1 << 20, BODY_SIZE_MAX = 1 << 28 };
enum { CONNECT_MS = 10000, STALL_S = 30, TOTAL_MS = 300000, STEP_MS_MIN = 15000, NAME_SIZE_MAX = 1 << 20 };
static const int64_t cell_count_max = INT64_C(1) << 30; /* 8 GiB of values */
static const int64_t ms_per_day = 86400000, time_ms_max = INT64_C(9200000000000);

typedef struct range {
    int64_t start_ms, end_ms, step_ms; /* start <= end, step > 0 */
} range;

typedef struct request {
    char *base;         /* scheme://user:password@host/prefix */
    bool instant;       /* /api/v1/query: one request, no range */
    bool whole_names;
    char *query, *start, *end, *step, *timeout; /* of the URL or the options; NULL: not given */
    tcsi_buffer others; /* &name=value..., as they were written */
    tcsi_http_limits limits;
} request;

typedef struct prometheus_answer {
    tcsi_answer base;
    tcsi_prometheus_matrix matrix;
    int64_t *times_ms; /* (T) union of all series' times */
    size_t time_count, time_next;
    double *values;    /* (S) of the current row */
    char stamp[TCSI_TIME_TEXT_SIZE];
} prometheus_answer;

/* ---- the URL ---- */

static bool ends_in(const char *text, size_t size, const char *suffix, size_t *ret_size)
{
    size_t length = strlen(suffix);
    if (size < length || memcmp(text + size - length, suffix, length) != 0) return false;
    *ret_size = size - length;
    return true;
}

static tcs_status keep(char **place, const char *text, tcs_error *err)
{
    tcsi_free(*place);
    *place = tcsi_strdup(text);
    return *place ? TCS_OK : tcsi_fail_memory(err, "a URL");
}

/* One name=value; those that are ours are decoded, the others kept as they are. */
static tcs_status take_parameter(request *r, const char *text, size_t size, tcs_error *err)
{
    const struct { const char *name; char **place; } ours[] = {
        { "query", &r->query }, { "start", &r->start }, { "end", &r->end }, { "step", &r->step }, { "timeout", &r->timeout },
    };
    if (size == 0) return TCS_OK;
    const char *mark = memchr(text, '=', size);
    size_t name_size = mark ? (size_t)(mark - text) : size;
    for (size_t i = 0; mark && i < TCS_COUNT(ours); i++) {
        if (strlen(ours[i].name) != name_size || memcmp(ours[i].name, text, name_size) != 0) continue;
        char *value = tcsi_strndup(mark + 1, size - name_size - 1);
        if (!value) return tcsi_fail_memory(err, "a URL");
        tcsi_free(*ours[i].place);
        *ours[i].place = value;
        if (!tcsi_url_decode(value, true))
            return tcsi_fail(err, TCS_E_INVALID, "the parameter '%s' has a percent sign that begins no code; write %%25", ours[i].name);
        return TCS_OK;
    }
    tcs_status status = tcsi_buffer_puts(&r->others, "&", err);
    return status == TCS_OK ? tcsi_buffer_append(&r->others, text, size, err) : status;
}

static tcs_status split_url(request *r, const char *url, tcs_error *err)
{
    const char *question = strchr(url, '?');
    size_t size = question ? (size_t)(question - url) : strcspn(url, "#");
    if (!ends_in(url, size, "/api/v1/query_range", &size)) r->instant = ends_in(url, size, "/api/v1/query", &size);
    while (size > 0 && url[size - 1] == '/') size--;
    r->base = tcsi_strndup(url, size);
    tcs_status status = r->base ? TCS_OK : tcsi_fail_memory(err, "a URL");
    for (const char *at = question; status == TCS_OK && at && *at && *at != '#';) {
        at++;
        size_t length = strcspn(at, "&#");
        status = take_parameter(r, at, length, err);
        at += length;
    }
    return status;
}

static void request_deinit(request *r)
{
    tcsi_free(r->base);
    tcsi_free(r->query);
    tcsi_free(r->start);
    tcsi_free(r->end);
    tcsi_free(r->step);
    tcsi_free(r->timeout);
    tcsi_buffer_deinit(&r->others);
}

/* ---- times ---- */

/* "90", "1.5": seconds; "1h30m", "500ms": as Prometheus writes durations.  false: none, or not above zero. */
static bool parse_duration(const char *text, int64_t *ret_ms)
{
    static const struct { const char *unit; double ms; } units[] = { { "ms", 1 }, { "s", 1e3 }, { "m", 6e4 }, { "h", 3.6e6 },
                                                                     { "d", 8.64e7 }, { "w", 6.048e8 }, { "y", 3.1536e10 } };
    double seconds, sum = 0;
    if (tcsi_number_parse(text, strlen(text), '.', &seconds)) {
        sum = seconds * 1e3;
        text = "";
    }
    while (*text) {
        double number;
        size_t digits = strspn(text, "0123456789"), i = 0;
        if (digits == 0 || !tcsi_number_parse(text, digits, '.', &number)) return false;
        text += digits;
        while (i < TCS_COUNT(units) && strncmp(text, units[i].unit, strlen(units[i].unit)) != 0) i++;
        if (i == TCS_COUNT(units)) return false;
        sum += number * units[i].ms;
        text += strlen(units[i].unit);
    }
    if (!(sum >= 1 && sum <= 3e14)) return false;
    *ret_ms = (int64_t)sum;
    return true;
}

/* now, now-6h, seconds since 1970, or any time stamp that a column may hold. */
static bool parse_time(const char *text, int64_t now_ms, int64_t *ret_ms)
{
    double seconds;
    int64_t before_ms = 0, time_ns;
    tcsi_time_format format;
    size_t length = strlen(text);
    if (strncmp(text, "now", 3) == 0) {
        if (text[3] && (text[3] != '-' || !parse_duration(text + 4, &before_ms))) return false;
        *ret_ms = now_ms - before_ms;
        return true;
    }
    if (tcsi_number_parse(text, length, '.', &seconds) && fabs(seconds) < 9.2e9) {
        *ret_ms = (int64_t)floor(seconds * 1000 + 0.5);
        return true;
    }
    if (!tcsi_time_guess(&text, &length, 1, &format) || !tcsi_time_parse(&format, text, length, &time_ns)) return false;
    *ret_ms = time_ns / 1000000;
    return true;
}

static int64_t choose_step(int64_t span_ms)
{
    static const int64_t steps_s[] = { 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400 };
    for (size_t i = 0; i < TCS_COUNT(steps_s); i++)
        if (span_ms / (steps_s[i] * 1000) < POINT_COUNT_MAX) return steps_s[i] * 1000;
    return (span_ms / POINT_COUNT_MAX / ms_per_day + 1) * ms_per_day;
}

static int64_t floor_to(int64_t value, int64_t step)
{
    int64_t rest = value % step;
    return value - (rest < 0 ? rest + step : rest);
}

static tcs_status find_range(const request *r, range *ret_range, tcs_error *err)
{
    int64_t now_ms = tcsi_clock_wall_ns() / 1000000, end_ms = now_ms, start_ms, step_ms = 0;
    static const char expected[] = "expected 2024-05-01T00:00:00Z, seconds since 1970, now or now-6h";
    if (r->end && !parse_time(r->end, now_ms, &end_ms)) return tcsi_fail(err, TCS_E_INVALID, "end '%.60s': %s", r->end, expected);
    start_ms = end_ms - ms_per_day;
    if (r->start && !parse_time(r->start, now_ms, &start_ms)) return tcsi_fail(err, TCS_E_INVALID, "start '%.60s': %s", r->start, expected);
    if (start_ms < -time_ms_max || end_ms < -time_ms_max)
        return tcsi_fail(err, TCS_E_INVALID, "the range begins too long ago; expected times after 1678");
    if (start_ms > end_ms) return tcsi_fail(err, TCS_E_INVALID, "the range ends before it starts; expected start before end");
    if (r->step && !parse_duration(r->step, &step_ms))
        return tcsi_fail(err, TCS_E_INVALID, "step '%.60s': expected a duration such as 30s, 5m or 1h, or seconds", r->step);
    if (step_ms == 0) step_ms = choose_step(end_ms - start_ms);
    if (!r->end && !r->start) { /* whole multiples of the step, so that asking again gives the same points */
        end_ms = floor_to(end_ms, step_ms);
        start_ms = end_ms - ms_per_day;
    }
    if ((end_ms - start_ms) / step_ms / POINT_COUNT_MAX >= REQUEST_COUNT_MAX)
        return tcsi_fail(err, TCS_E_LIMIT, "the range has more than %lld steps; ask for a larger step or a shorter range",
                         (long long)POINT_COUNT_MAX * REQUEST_COUNT_MAX);
    *ret_range = (range){ start_ms, end_ms, step_ms };
    return TCS_OK;
}

/* ---- asking ---- */

static tcs_status put_seconds(tcsi_buffer *url, const char *name, int64_t ms, tcs_error *err)
{
    return tcsi_buffer_printf(url, err, "&%s=%s%lld.%03d", name, ms < 0 ? "-" : "", (long long)(ms < 0 ? -ms : ms) / 1000,
                              (int)((ms < 0 ? -ms : ms) % 1000));
}

static tcs_status build_url(const request *r, const range *part, tcsi_buffer *url, tcs_error *err)
{
    tcsi_buffer_clear(url);
    tcs_status status = tcsi_buffer_printf(url, err, "%s/api/v1/%s?query=", r->base, r->instant ? "query" : "query_range");
    if (status == TCS_OK) status = tcsi_url_encode(url, r->query, err);
    if (status == TCS_OK && !r->instant) {
        status = put_seconds(url, "start", part->start_ms, err);
        if (status == TCS_OK) status = put_seconds(url, "end", part->end_ms, err);
        if (status == TCS_OK) status = put_seconds(url, "step", part->step_ms, err);
    }
    if (status == TCS_OK && r->timeout) {
        status = tcsi_buffer_puts(url, "&timeout=", err);
        if (status == TCS_OK) status = tcsi_url_encode(url, r->timeout, err);
    }
    return status == TCS_OK && r->others.size > 0 ? tcsi_buffer_puts(url, r->others.data, err) : status;
}

/* Whatever is not a successful answer in JSON, in words. */
static tcs_status judge(const tcsi_http_reply *reply, tcs_error *err)
{
    bool is_json = strcmp(reply->content_type, "application/json") == 0;
    if (reply->code >= 300 && reply->code < 400)
        return tcsi_fail(err, TCS_E_IO, "HTTP %d: redirects to %s, which is not followed; give that address itself", reply->code,
                         *reply->location ? reply->location : "nowhere");
    if (reply->code == 401 || reply->code == 403)
        return tcsi_fail(err, TCS_E_IO, "HTTP %d: access is refused; expected user and password in the URL or in ~/.netrc", reply->code);
    if (is_json) return TCS_OK; /* an error has its reason in the document */
    if (reply->code == 404)
        return tcsi_fail(err, TCS_E_IO, "HTTP 404: no Prometheus API there; expected http://HOST:PORT of a Prometheus server");
    if (reply->code != 200) return tcsi_fail(err, TCS_E_IO, "HTTP %d, expected 200", reply->code);
    return tcsi_fail(err, TCS_E_FORMAT, "answers with %s, expected JSON; is this a Prometheus server? (a file is read by "
                     "curl -s URL | tocsin detect -)", *reply->content_type ? reply->content_type : "no content type");
}

static tcs_status ask(prometheus_answer *self, const request *r, const range *part, tcsi_buffer *url, tcsi_buffer *body, tcs_error *err)
{
    tcsi_http_reply reply;
    tcsi_buffer_clear(body);
    tcs_status status = build_url(r, part, url, err);
    if (status == TCS_OK) status = tcsi_http_get(url->data, &r->limits, body, &reply, err);
    if (status == TCS_E_LIMIT && err) {
        size_t used = strlen(err->text);
        snprintf(err->text + used, sizeof err->text - used, "; ask for a larger step or fewer series");
    }
    if (status == TCS_OK) status = judge(&reply, err);
    if (status == TCS_OK && body->size == 0) status = tcsi_fail(err, TCS_E_FORMAT, "HTTP %d with an empty answer", reply.code);
    if (status == TCS_OK) status = tcsi_prometheus_parse(&self->matrix, body->data, body->size, err);
    if (status == TCS_OK && reply.code != 200) status = tcsi_fail(err, TCS_E_IO, "HTTP %d, expected 200", reply.code);
    return status;
}

static tcs_status ask_all(prometheus_answer *self, const request *r, const range *whole, tcs_error *err)
{
    tcsi_buffer url, body;
    tcsi_buffer_init(&url, URL_SIZE_MAX);
    tcsi_buffer_init(&body, BODY_SIZE_MAX);
    tcs_status status = TCS_OK;
    range part = *whole;
    do {
        if (whole->end_ms - part.start_ms >= POINT_COUNT_MAX * whole->step_ms)
            part.end_ms = part.start_ms + (POINT_COUNT_MAX - 1) * whole->step_ms;
        else part.end_ms = whole->end_ms;
        status = ask(self, r, &part, &url, &body, err);
        part.start_ms = part.end_ms + whole->step_ms;
    } while (status == TCS_OK && !r->instant && part.end_ms != whole->end_ms && part.start_ms <= whole->end_ms);
    tcsi_buffer_deinit(&url);
    tcsi_buffer_deinit(&body);
    return status;
}

/* ---- rows ---- */

static int compare_times(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

/* All times, sorted, each once.  Series of one query mostly have the same ones: then there is nothing to sort. */
static tcs_status unite_times(prometheus_answer *self, tcs_error *err)
{
    const tcsi_prometheus_matrix *m = &self->matrix;
    size_t total = 0, kept = 0;
    bool same = true;
    for (size_t i = 0; i < m->count; i++) {
        const tcsi_prometheus_series *s = &m->series[i];
        same = same && s->count == m->series[0].count &&
            (s->count == 0 || memcmp(s->times_ms, m->series[0].times_ms, s->count * sizeof(int64_t)) == 0);
        total += s->count;
    }
    if (same && m->count > 0) total = m->series[0].count;
    self->times_ms = TCSI_NEW_ARRAY(int64_t, total);
    if (!self->times_ms) return tcsi_fail_memory(err, "times");
    for (size_t i = 0; i < (same ? 1 : m->count); i++) {
        if (m->series[i].count > 0) memcpy(self->times_ms + kept, m->series[i].times_ms, m->series[i].count * sizeof(int64_t));
        kept += m->series[i].count;
    }
    if (!same) {
        qsort(self->times_ms, total, sizeof(int64_t), compare_times);
        kept = 0;
        for (size_t i = 0; i < total; i++)
            if (kept == 0 || self->times_ms[i] != self->times_ms[kept - 1]) self->times_ms[kept++] = self->times_ms[i];
    }
    self->time_count = kept;
    if ((int64_t)kept > cell_count_max / (int64_t)m->count)
        return tcsi_fail(err, TCS_E_LIMIT, "%zu times of %zu series are too many; ask for a larger step or fewer series", kept, m->count);
    return TCS_OK;
}

static tcs_status next(tcsi_answer *base, bool *ret_end, tcs_error *err)
{
    prometheus_answer *self = (prometheus_answer *)base;
    (void)err;
    *ret_end = self->time_next == self->time_count;
    if (*ret_end) return TCS_OK;
    int64_t now = self->times_ms[self->time_next++];
    for (size_t i = 0; i < self->matrix.count; i++) {
        tcsi_prometheus_series *s = &self->matrix.series[i];
        bool there = s->next < s->count && s->times_ms[s->next] == now;
        self->values[i] = there ? s->values[s->next] : NAN;
        s->next += there;
    }
    return TCS_OK;
}

static tcs_status text(tcsi_answer *base, size_t column, tcsi_cell *ret_cell, tcs_error *err)
{
    prometheus_answer *self = (prometheus_answer *)base;
    (void)err;
    if (column == 0) {
        size_t size = tcsi_time_format_iso(self->times_ms[self->time_next - 1] * 1000000, self->stamp, sizeof self->stamp);
        *ret_cell = (tcsi_cell){ self->stamp, size };
        return TCS_OK;
    }
    double value = self->values[column - 1];
    *ret_cell = (tcsi_cell){ "", 0 };
    if (isinf(value)) *ret_cell = value > 0 ? (tcsi_cell){ "inf", 3 } : (tcsi_cell){ "-inf", 4 };
    else if (!isnan(value)) *ret_cell = (tcsi_cell){ self->stamp, tcsi_number_format(value, self->stamp) };
    return TCS_OK;
}

static bool number(tcsi_answer *base, size_t column, double *ret_value)
{
    const prometheus_answer *self = (const prometheus_answer *)base;
    *ret_value = column > 0 ? self->values[column - 1] : NAN;
    return isfinite(*ret_value);
}

static double progress(const tcsi_answer *base)
{
    const prometheus_answer *self = (const prometheus_answer *)base;
    return self->time_count > 0 ? (double)self->time_next / (double)self->time_count : 0;
}

static void destroy(tcsi_answer *base)
{
    prometheus_answer *self = (prometheus_answer *)base;
    tcsi_prometheus_matrix_deinit(&self->matrix);
    tcsi_free(self->times_ms);
    tcsi_free(self->values);
    tcsi_free(self);
}

/* ---- opening ---- */

static tcs_status fill_request(request *r, const char *url, const tcsi_read_options *options, tcs_error *err)
{
    const struct { const char *given; char **place; } overrides[] = {
        { options->query, &r->query }, { options->start, &r->start }, { options->end, &r->end }, { options->step, &r->step },
    };
    int64_t timeout_ms;
    r->limits = (tcsi_http_limits){ CONNECT_MS, STALL_S, TOTAL_MS };
    tcs_status status = split_url(r, url, err);
    for (size_t i = 0; i < TCS_COUNT(overrides) && status == TCS_OK; i++)
        if (overrides[i].given) status = keep(overrides[i].place, overrides[i].given, err);
    if (status != TCS_OK) return status;
    if (!r->query || !r->query[strspn(r->query, " \t\r\n")])
        return tcsi_fail(err, TCS_E_INVALID, "needs a PromQL query, for example --query 'rate(http_requests_total[5m])' (a file is read "
                         "by curl -s URL | tocsin detect -)");
    if (r->instant && (r->start || r->end || r->step))
        return tcsi_fail(err, TCS_E_INVALID, "start, end and step are for .../api/v1/query_range; .../api/v1/query takes time");
    if (!r->timeout) return TCS_OK;
    if (!parse_duration(r->timeout, &timeout_ms) || timeout_ms > TOTAL_MS * 12)
        return tcsi_fail(err, TCS_E_INVALID, "timeout '%.60s': expected a duration up to 1h, such as 30s", r->timeout);
    r->limits.total_ms = (long)timeout_ms;
    if (r->limits.stall_s > (timeout_ms + 999) / 1000) r->limits.stall_s = (long)((timeout_ms + 999) / 1000);
    return TCS_OK;
}

/* A lone series without labels of its own is called by its query. */
static tcs_status name_columns(prometheus_answer *self, const char *query, tcs_error *err)
{
    const tcsi_prometheus_matrix *m = &self->matrix;
    tcsi_buffer name;
    tcsi_buffer_init(&name, NAME_SIZE_MAX);
    tcs_status status = tcsi_answer_columns(&self->base, m->count + 1, err);
    if (status == TCS_OK && !(self->base.names[0] = tcsi_strdup("time"))) status = tcsi_fail_memory(err, "column names");
    for (size_t i = 0; i < m->count && status == TCS_OK; i++) {
        tcsi_buffer_clear(&name);
        status = tcsi_prometheus_name(m, i, &name, err);
        if (status != TCS_OK) break;
        const char *shown = name.size > 0 ? name.data : m->count == 1 ? query : "{}";
        self->base.names[i + 1] = tcsi_strndup(shown, name.size > 0 ? name.size : strnlen(shown, 80));
        if (!self->base.names[i + 1]) status = tcsi_fail_memory(err, "column names");
    }
    tcsi_buffer_deinit(&name);
    return status;
}

/* Whatever is missing from the answer is said in the report. */
static tcs_status note_warning(prometheus_answer *self, tcs_error *err)
{
    const tcsi_prometheus_matrix *m = &self->matrix;
    char histograms[96] = "";
    if (m->histogram_count > 0)
        snprintf(histograms, sizeof histograms, "%llu native histograms are left out, as they have no single value",
                 (unsigned long long)m->histogram_count);
    if (!*m->warning && !*histograms) return TCS_OK;
    size_t size = sizeof m->warning + sizeof histograms;
    self->base.warning = tcsi_alloc(size);
    if (!self->base.warning) return tcsi_fail_memory(err, "a warning");
    snprintf(self->base.warning, size, "%s%s%s", m->warning, *m->warning && *histograms ? "; " : "", histograms);
    return TCS_OK;
}

static tcs_status run(prometheus_answer *self, const request *r, tcs_error *err)
{
    range whole = { 0, 0, 1 };
    tcs_status status = r->instant ? TCS_OK : find_range(r, &whole, err);
    if (status == TCS_OK) status = ask_all(self, r, &whole, err);
    if (status != TCS_OK) return status;
    if (self->matrix.count == 0 && self->matrix.histogram_count > 0)
        return tcsi_fail(err, TCS_E_UNSUPPORTED,
                         "the query gives native histograms; ask for a number, such as histogram_quantile(0.99, ...)");
    if (self->matrix.count == 0) {
        char start[TCSI_TIME_TEXT_SIZE], end[TCSI_TIME_TEXT_SIZE];
        (void)tcsi_time_format_iso(whole.start_ms * 1000000, start, sizeof start); /* the size suffices */
        (void)tcsi_time_format_iso(whole.end_ms * 1000000, end, sizeof end);
        return r->instant ? tcsi_fail(err, TCS_E_FORMAT, "the query gives no series")
                          : tcsi_fail(err, TCS_E_FORMAT, "the query gives no series from %s to %s", start, end);
    }
    status = note_warning(self, err);
    if (status == TCS_OK) status = tcsi_prometheus_compare(&self->matrix, err);
    for (size_t i = 0; status == TCS_OK && r->whole_names && i < self->matrix.series->label_count; i++) self->matrix.common[i] = false;
    if (status == TCS_OK) status = name_columns(self, r->query, err);
    if (status == TCS_OK) status = unite_times(self, err);
    if (status == TCS_OK && !(self->values = TCSI_NEW_ARRAY(double, self->matrix.count))) status = tcsi_fail_memory(err, "a row");
    return status;
}

tcs_status tcsi_prometheus_open(const char *url, const tcsi_read_options *options, tcsi_answer **ret_answer, tcs_error *err)
{
    static const tcsi_answer_ops ops = { next, text, number, progress, destroy };
    char shown[256];
    request r = { .whole_names = options->whole_names };
    (void)tcsi_url_redact(url, shown, sizeof shown);
    shown[strcspn(shown, "?#")] = 0;
    prometheus_answer *self = TCSI_NEW(prometheus_answer);
    if (!self) return tcsi_fail_memory(err, "a reader");
    self->base = (tcsi_answer){ .ops = &ops, .format = "Prometheus", .source = tcsi_strdup(shown), .is_series = true };
    tcsi_prometheus_matrix_init(&self->matrix);
    tcsi_buffer_init(&r.others, URL_SIZE_MAX);
    tcs_status status = self->base.source ? fill_request(&r, url, options, err) : tcsi_fail_memory(err, "a reader");
    if (status == TCS_OK) status = run(self, &r, err);
    if (status != TCS_OK) tcsi_fail_prefix(err, "%s", shown);
    request_deinit(&r);
    if (status == TCS_OK) *ret_answer = &self->base;
    else tcsi_answer_destroy(&self->base);
    return status;
}
