/* serve/self/exposition.c -- metrics as text: the Prometheus format 0.0.4 and OpenMetrics 1.0.
 * https://prometheus.io/docs/instrumenting/exposition_formats/ , https://github.com/OpenObservability/OpenMetrics
 *
 * They differ in little: OpenMetrics calls a counter's family by its name without _total, has a line for the unit, wants "1.0" where the
 * older format is content with "1" for the bound of a bucket, and ends with # EOF.
 * SPDX-License-Identifier: Apache-2.0 */
#include "serve/self/metric_inside.h"

#include "base/json.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

const char *const tcsi_exposition_types[TCSI_EXPOSITION_COUNT] = {
    "text/plain; version=0.0.4; charset=utf-8", "application/openmetrics-text; version=1.0.0; charset=utf-8"
};

typedef struct page {
    tcsi_metrics *metrics;
    tcsi_exposition exposition;
    tcsi_buffer *out;
    tcs_status status;
    tcs_error *err;
} page;

static void put(page *to, const char *text)
{
    if (to->status == TCS_OK) to->status = tcsi_buffer_puts(to->out, text, to->err);
}

/* Help and label values: a backslash, a line end and, in labels and in OpenMetrics everywhere, a quotation mark are escaped. */
static void put_escaped(page *to, const char *text, bool quotes)
{
    for (; *text && to->status == TCS_OK; text++) {
        if (*text == '\\') put(to, "\\\\");
        else if (*text == '\n') put(to, "\\n");
        else if (*text == '"' && quotes) put(to, "\\\"");
        else to->status = tcsi_buffer_append(to->out, text, 1, to->err);
    }
}

static void put_number(page *to, double value)
{
    char text[TCSI_NUMBER_TEXT_SIZE];
    if (isnan(value)) put(to, "NaN");
    else if (isinf(value)) put(to, value > 0 ? "+Inf" : "-Inf");
    else {
        tcsi_number_format(value, text);
        put(to, text);
    }
}

static void put_bound(page *to, double bound)
{
    char text[TCSI_NUMBER_TEXT_SIZE + 2];
    size_t length = tcsi_number_format(bound, text);
    if (to->exposition == TCSI_EXPOSITION_OPENMETRICS && !strpbrk(text, ".eE")) memcpy(text + length, ".0", 3);
    put(to, text);
}

static void put_whole(page *to, uint64_t value)
{
    if (to->status == TCS_OK) to->status = tcsi_buffer_printf(to->out, to->err, "%" PRIu64 "\n", value);
}

/* name suffix {labels, le} and a blank; le NULL: none. */
static void put_name(page *to, const metric_series *series, const char *suffix, const double *bound)
{
    const size_t count = tcsi_metric_label_count(series->row);
    put(to, series->row->name);
    put(to, suffix);
    if (count || bound) put(to, "{");
    for (size_t l = 0; l < count; l++) {
        put(to, l ? "," : "");
        put(to, series->row->labels[l]);
        put(to, "=\"");
        put_escaped(to, series->values[l], true);
        put(to, "\"");
    }
    if (bound) {
        put(to, count ? ",le=\"" : "le=\"");
        if (isinf(*bound)) put(to, "+Inf");
        else put_bound(to, *bound);
        put(to, "\"");
    }
    put(to, count || bound ? "} " : " ");
}

/* The cells are read once, so that buckets and count agree whatever is observed meanwhile. */
static void put_histogram(page *to, const metric_series *series)
{
    const size_t bound_count = tcsi_metric_bound_count(series->row);
    uint64_t below = 0;
    for (size_t b = 0; b <= bound_count; b++) {
        double bound = b < bound_count ? tcsi_metric_scaled(series->row, (double)series->row->bounds[b]) : INFINITY;
        below += tcsi_metric_cell(to->metrics, series->cell + b);
        put_name(to, series, "_bucket", &bound);
        put_whole(to, below);
    }
    put_name(to, series, "_sum", NULL);
    put_number(to, tcsi_metric_scaled(series->row, (double)tcsi_metric_cell(to->metrics, series->cell + bound_count + 1)));
    put(to, "\n");
    put_name(to, series, "_count", NULL);
    put_whole(to, below);
}

static void put_series(page *to, const metric_series *series)
{
    if (series->row->kind == TCSI_METRIC_HISTOGRAM) {
        put_histogram(to, series);
        return;
    }
    put_name(to, series, "", NULL);
    put_number(to, tcsi_metric_series_value(to->metrics, series));
    put(to, "\n");
}

/* "# HELP name text"; the family's name is that of its samples, without _total where OpenMetrics wants it so. */
static void put_line(page *to, const tcsi_metric_row *row, const char *word, const char *text)
{
    size_t length = strlen(row->name);
    if (row->kind == TCSI_METRIC_COUNTER && to->exposition == TCSI_EXPOSITION_OPENMETRICS) length -= strlen("_total");
    put(to, word);
    if (to->status == TCS_OK) to->status = tcsi_buffer_append(to->out, row->name, length, to->err);
    put(to, " ");
    put_escaped(to, text, to->exposition == TCSI_EXPOSITION_OPENMETRICS);
    put(to, "\n");
}

static void put_family(page *to, const metric_family *family)
{
    static const char *const kinds[] = { "counter", "gauge", "gauge", "histogram" };
    if (family->first == METRIC_NO_SERIES) return; /* declared, and nothing was counted yet */
    put_line(to, family->row, "# HELP ", family->row->help);
    put_line(to, family->row, "# TYPE ", kinds[family->row->kind]);
    if (to->exposition == TCSI_EXPOSITION_OPENMETRICS && family->row->unit) put_line(to, family->row, "# UNIT ", family->row->unit);
    for (uint32_t s = family->first; s != METRIC_NO_SERIES; s = to->metrics->series[s].next) put_series(to, &to->metrics->series[s]);
}

tcs_status tcsi_metrics_write(tcsi_metrics *metrics, tcsi_exposition exposition, tcsi_buffer *out, tcs_error *err)
{
    page to = { metrics, exposition, out, TCS_OK, err };
    pthread_mutex_lock(&metrics->lock); /* series may come meanwhile; counting is not stopped */
    for (size_t r = 0; r < metrics->row_count; r++) put_family(&to, &metrics->rows[r]);
    pthread_mutex_unlock(&metrics->lock);
    if (exposition == TCSI_EXPOSITION_OPENMETRICS) put(&to, "# EOF\n");
    return to.status;
}
