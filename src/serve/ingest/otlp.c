/* serve/ingest/otlp.c -- what OpenTelemetry's metrics mean here.
 *
 * Names follow "Prometheus and OpenMetrics Compatibility"
 * (https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/), so that a series that reaches us by OTLP and by
 * remote-write has one key:
 *   metric     what is no letter, digit, _ or : becomes one _; the unit is appended as a word (s: _seconds, By/s: _bytes_per_second) unless
 *              the name ends so; monotonic sums end in _total
 *   attribute  what is no letter, digit or _ becomes _; one that begins with a digit gets key_ in front
 *   resource   service.namespace/service.name is `job`, service.instance.id is `instance`
 * The other attributes of a resource become tags of each series as well, unless the point has a tag of that name: Prometheus puts them into
 * a series of their own, which here would make the same metric of two hosts one series.  Left out are those that change when a process
 * restarts and say nothing of what is measured: process.*, telemetry.*, and service.version.  Scopes are left out: a library's name and
 * version are not part of what is measured.
 *
 * Values: gauges and cumulative sums as they are, the latter counters when monotonic; deltas are divided by their interval and are rates.
 * Histograms and summaries become NAME_count and NAME_sum, which count; buckets, quantiles, minimum and maximum are not taken.  A point
 * that is flagged as holding no recorded value is a stale mark.
 * SPDX-License-Identifier: Apache-2.0 */
#include "serve/ingest/otlp.h"

#include "serve/ingest/rate.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { NAME_SIZE_MAX = TCSI_KEY_VALUE_SIZE_MAX };

static void fail_memory(tcsi_otlp *otlp)
{
    if (otlp->status == TCS_OK) otlp->status = tcsi_batch_full(&otlp->batch->arena, "names of series", otlp->err);
}

static bool equal(tcsi_otlp_text text, const char *word)
{
    return text.size == strlen(word) && memcmp(text.text, word, text.size) == 0;
}

static bool begins_with(tcsi_otlp_text text, const char *word)
{
    return text.size >= strlen(word) && memcmp(text.text, word, strlen(word)) == 0;
}

static bool ends_with(tcsi_otlp_text text, const char *word)
{
    size_t size = strlen(word);
    return text.size >= size && memcmp(text.text + text.size - size, word, size) == 0;
}

tcsi_otlp tcsi_otlp_begin(tcsi_batch *batch, tcs_error *err)
{
    tcsi_otlp otlp = { .batch = batch, .err = err };
    tcsi_key_begin(&otlp.resource);
    return otlp;
}

tcsi_otlp_text tcsi_otlp_format_integer(tcsi_otlp *otlp, int64_t value)
{
    char text[24];
    int size = snprintf(text, sizeof text, "%lld", (long long)value);
    char *kept = tcsi_arena_strndup(&otlp->batch->arena, text, (size_t)size);
    if (!kept) fail_memory(otlp);
    return (tcsi_otlp_text){ kept, kept ? (size_t)size : 0 };
}

tcsi_otlp_text tcsi_otlp_format_double(tcsi_otlp *otlp, double value)
{
    char text[TCSI_NUMBER_TEXT_SIZE];
    size_t size = tcsi_number_format(value, text);
    char *kept = tcsi_arena_strndup(&otlp->batch->arena, text, size);
    if (!kept) fail_memory(otlp);
    return (tcsi_otlp_text){ kept, kept ? size : 0 };
}

/* ---- names ---- */

static bool is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* In Prometheus' alphabet, in the arena where that changes anything. */
static tcsi_otlp_text label_name(tcsi_otlp *otlp, tcsi_otlp_text name)
{
    bool plain = name.size > 0 && !is_digit(name.text[0]);
    for (size_t i = 0; i < name.size && plain; i++) plain = is_letter_or_digit(name.text[i]) || name.text[i] == '_';
    if (plain || name.size == 0) return name;
    size_t prefix = is_digit(name.text[0]) ? 4 : 0;
    char *out = tcsi_arena_alloc(&otlp->batch->arena, prefix + name.size, 1);
    if (!out) {
        fail_memory(otlp);
        return name;
    }
    memcpy(out, "key_", prefix);
    for (size_t i = 0; i < name.size; i++) out[prefix + i] = is_letter_or_digit(name.text[i]) ? name.text[i] : '_';
    return (tcsi_otlp_text){ out, prefix + name.size };
}

/* One row per unit of UCUM that has a usual word; the second word is that behind "per". */
static const struct unit {
    const char *code, *word, *per;
} units[] = {
    { "s", "seconds", "second" },
    { "ms", "milliseconds", "millisecond" },
    { "us", "microseconds", "microsecond" },
    { "ns", "nanoseconds", "nanosecond" },
    { "min", "minutes", "minute" },
    { "h", "hours", "hour" },
    { "d", "days", "day" },
    { "m", "meters", "minute" },
    { "By", "bytes", "byte" },
    { "KiBy", "kibibytes", "kibibyte" },
    { "MiBy", "mebibytes", "mebibyte" },
    { "GiBy", "gibibytes", "gibibyte" },
    { "TiBy", "tibibytes", "tibibyte" },
    { "KBy", "kilobytes", "kilobyte" },
    { "MBy", "megabytes", "megabyte" },
    { "GBy", "gigabytes", "gigabyte" },
    { "TBy", "terabytes", "terabyte" },
    { "V", "volts", "volt" },
    { "A", "amperes", "ampere" },
    { "J", "joules", "joule" },
    { "W", "watts", "watt" },
    { "g", "grams", "gram" },
    { "Cel", "celsius", "celsius" },
    { "Hz", "hertz", "hertz" },
    { "%", "percent", "percent" },
    { "mo", "months", "month" },
    { "wk", "weeks", "week" },
    { "y", "years", "year" },
};

/* A text that is being built; `full` says that not all of it fitted. */
typedef struct builder {
    char text[NAME_SIZE_MAX];
    size_t size;
    bool full;
} builder;

/* Letters, digits and : as they are, runs of anything else one _ . */
static void put(builder *b, const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        bool plain = is_letter_or_digit(text[i]) || text[i] == ':';
        if (!plain && b->size > 0 && b->text[b->size - 1] == '_') continue;
        if (b->size == sizeof b->text) {
            b->full = true;
            return;
        }
        b->text[b->size++] = plain ? text[i] : '_';
    }
}

static void put_suffix(builder *b, const char *word, size_t size)
{
    bool there = b->size >= size && memcmp(b->text + b->size - size, word, size) == 0;
    if (there || size == 0) return;
    put(b, "_", 1);
    put(b, word, size);
}

static void cut_suffix(builder *b, const char *suffix)
{
    if (ends_with((tcsi_otlp_text){ b->text, b->size }, suffix)) b->size -= strlen(suffix);
}

/* One side of a unit's slash; what stands in braces is a remark. */
static void put_unit_part(builder *b, tcsi_otlp_text part, bool per)
{
    if (part.size == 0 || part.text[0] == '{' || equal(part, "1")) return;
    for (size_t i = 0; i < TCS_COUNT(units); i++) {
        if (!equal(part, units[i].code)) continue;
        const char *word = per ? units[i].per : units[i].word;
        put(b, word, strlen(word));
        return;
    }
    put(b, part.text, part.size);
}

static void put_unit(builder *b, const tcsi_otlp_metric *metric)
{
    builder unit = { .size = 0 };
    const char *slash = metric->unit.size > 0 ? memchr(metric->unit.text, '/', metric->unit.size) : NULL;
    size_t size = slash ? (size_t)(slash - metric->unit.text) : metric->unit.size;
    put_unit_part(&unit, (tcsi_otlp_text){ metric->unit.text, size }, false);
    if (slash) {
        builder per = { .size = 0 };
        put_unit_part(&per, (tcsi_otlp_text){ slash + 1, metric->unit.size - size - 1 }, true);
        if (per.size > 0) put_suffix(&unit, "per", 3);
        if (per.size > 0) put_suffix(&unit, per.text, per.size);
    }
    size_t blank = unit.size > 0 && unit.text[0] == '_'; /* of a unit that begins with a sign */
    put_suffix(b, unit.text + blank, unit.size - blank);
    if (equal(metric->unit, "1") && metric->type == TCSI_OTLP_GAUGE) put_suffix(b, "ratio", 5);
}

void tcsi_otlp_metric_begin(tcsi_otlp *otlp, const tcsi_otlp_metric *metric)
{
    builder name = { .size = 0 };
    bool total = metric->type == TCSI_OTLP_SUM && metric->monotonic;
    otlp->metric = *metric;
    if (metric->name.size > 0 && is_digit(metric->name.text[0])) put(&name, "_", 1);
    put(&name, metric->name.text, metric->name.size);
    if (total) cut_suffix(&name, "_total"); /* the unit stands in front of it */
    if (name.size > 0) put_unit(&name, metric);
    if (total && name.size > 0) put_suffix(&name, "total", 5);
    char *kept = tcsi_arena_strndup(&otlp->batch->arena, name.text, name.size);
    if (!kept) fail_memory(otlp);
    otlp->base = (tcsi_otlp_text){ kept, kept && !name.full ? name.size : 0 };
}

/* ---- resources ---- */

void tcsi_otlp_resource(tcsi_otlp *otlp)
{
    tcsi_key_begin(&otlp->resource);
}

static void add_tag(tcsi_key *key, tcsi_otlp_text name, tcsi_otlp_text value)
{
    (void)tcsi_key_add(key, name.text, name.size, value.text, value.size); /* the key remembers its fault */
}

/* namespace/name, whichever comes first. */
static void add_job(tcsi_otlp *otlp, tcsi_otlp_text value, bool is_namespace)
{
    tcsi_tag *job = (tcsi_tag *)(uintptr_t)tcsi_key_get(&otlp->resource, "job"); /* one of the key's own, which is not const here */
    const tcsi_otlp_text name = { "job", 3 };
    if (!job) {
        add_tag(&otlp->resource, name, value);
        return;
    }
    tcsi_otlp_text first = is_namespace ? value : (tcsi_otlp_text){ job->value, job->value_size };
    tcsi_otlp_text second = is_namespace ? (tcsi_otlp_text){ job->value, job->value_size } : value;
    char *joined = tcsi_arena_alloc(&otlp->batch->arena, first.size + 1 + second.size, 1);
    if (!joined) {
        fail_memory(otlp);
        return;
    }
    memcpy(joined, first.text, first.size);
    joined[first.size] = '/';
    memcpy(joined + first.size + 1, second.text, second.size);
    *job = otlp->resource.tags[--otlp->resource.tag_count]; /* unsorted: the last one may take its place */
    otlp->resource.size -= 4 + 3 + (is_namespace ? second.size : first.size);
    add_tag(&otlp->resource, name, (tcsi_otlp_text){ joined, first.size + 1 + second.size });
}

void tcsi_otlp_resource_attribute(tcsi_otlp *otlp, tcsi_otlp_text name, tcsi_otlp_text value)
{
    if (value.size == 0 || begins_with(name, "process.") || begins_with(name, "telemetry.") || equal(name, "service.version")) return;
    if (equal(name, "service.name") || equal(name, "service.namespace")) add_job(otlp, value, equal(name, "service.namespace"));
    else if (equal(name, "service.instance.id")) add_tag(&otlp->resource, (tcsi_otlp_text){ "instance", 8 }, value);
    else add_tag(&otlp->resource, label_name(otlp, name), value);
}

/* ---- points ---- */

void tcsi_otlp_point_begin(tcsi_otlp *otlp)
{
    tcsi_key_begin(&otlp->key);
}

void tcsi_otlp_point_attribute(tcsi_otlp *otlp, tcsi_otlp_text name, tcsi_otlp_text value)
{
    add_tag(&otlp->key, label_name(otlp, name), value);
}

/* The point's tags, and those of the resource that it does not have itself; of two with one name the first. */
static tcsi_key_fault finish_key(tcsi_otlp *otlp)
{
    tcsi_key *key = &otlp->key;
    const tcsi_key *resource = &otlp->resource;
    if (resource->fault != TCSI_KEY_NONE) return resource->fault;
    for (size_t r = 0; r < resource->tag_count; r++) {
        const tcsi_tag *tag = &resource->tags[r];
        size_t i = 0;
        while (i < key->tag_count &&
               (key->tags[i].name_size != tag->name_size || memcmp(key->tags[i].name, tag->name, tag->name_size) != 0))
            i++;
        if (i == key->tag_count) (void)tcsi_key_add(key, tag->name, tag->name_size, tag->value, tag->value_size);
    }
    add_tag(key, (tcsi_otlp_text){ TCSI_KEY_METRIC, strlen(TCSI_KEY_METRIC) }, otlp->base);
    tcsi_key_fault fault = tcsi_key_finish(key);
    return otlp->base.size == 0 && fault == TCSI_KEY_NONE ? TCSI_KEY_EMPTY : fault;
}

static double stale_mark(void)
{
    double value;
    memcpy(&value, &(uint64_t){ TCSI_STALE_BITS }, sizeof value);
    return value;
}

/* A sample of NAME and suffix. */
static void add_sample(tcsi_otlp *otlp, const tcsi_otlp_point *point, const char *suffix, tcsi_series_kind kind, double value)
{
    char name[NAME_SIZE_MAX + 8];
    if (otlp->status != TCS_OK) return;
    memcpy(name, otlp->base.text, otlp->base.size);
    memcpy(name + otlp->base.size, suffix, strlen(suffix));
    if (tcsi_batch_refuses(otlp->batch, tcsi_key_set(&otlp->key, TCSI_KEY_METRIC, name, otlp->base.size + strlen(suffix)))) return;
    if (point->flags & TCSI_OTLP_NO_RECORDED_VALUE) value = stale_mark();
    else if (kind == TCSI_SERIES_RATE && isfinite(value)) /* the interval is not empty: see is_usable */
        (void)tcsi_rate_of_delta(value, (int64_t)point->begin_ns, (int64_t)point->time_ns, &value);
    otlp->status = tcsi_batch_point(otlp->batch, &otlp->key, kind, (int64_t)point->time_ns, value, otlp->err);
}

static bool refuse(tcsi_otlp *otlp, tcsi_outcome outcome)
{
    otlp->batch->outcomes[outcome]++;
    tcsi_batch_complain(otlp->batch, "metric '%.*s': %s", (int)otlp->base.size, otlp->base.text, tcsi_outcome_help(outcome));
    return false;
}

static bool is_usable(tcsi_otlp *otlp, const tcsi_otlp_point *point)
{
    const tcsi_otlp_metric *metric = &otlp->metric;
    bool summed = metric->type == TCSI_OTLP_SUM || metric->type == TCSI_OTLP_HISTOGRAM;
    if (point->time_ns == 0 || point->time_ns > INT64_MAX || point->begin_ns > INT64_MAX) return refuse(otlp, TCSI_OUTCOME_TIME_INVALID);
    if (summed && metric->temporality != TCSI_OTLP_DELTA && metric->temporality != TCSI_OTLP_CUMULATIVE)
        return refuse(otlp, TCSI_OUTCOME_TEMPORALITY);
    if (summed && metric->temporality == TCSI_OTLP_DELTA && (point->begin_ns == 0 || point->begin_ns >= point->time_ns))
        return refuse(otlp, TCSI_OUTCOME_NO_INTERVAL);
    return true;
}

void tcsi_otlp_point_end(tcsi_otlp *otlp, const tcsi_otlp_point *point)
{
    const tcsi_otlp_metric *metric = &otlp->metric;
    bool stale = point->flags & TCSI_OTLP_NO_RECORDED_VALUE, histogram = metric->type == TCSI_OTLP_HISTOGRAM;
    if (otlp->status != TCS_OK || !is_usable(otlp, point) || tcsi_batch_refuses(otlp->batch, finish_key(otlp))) return;
    otlp->batch->outcomes[TCSI_OUTCOME_EXEMPLAR] += point->exemplar_count;
    bool delta = (metric->type == TCSI_OTLP_SUM || histogram) && metric->temporality == TCSI_OTLP_DELTA;
    tcsi_series_kind counting = delta ? TCSI_SERIES_RATE : TCSI_SERIES_COUNTER;
    if (histogram || metric->type == TCSI_OTLP_SUMMARY) {
        add_sample(otlp, point, "_count", counting, point->count);
        if (point->has_sum || (stale && metric->type == TCSI_OTLP_SUMMARY)) add_sample(otlp, point, "_sum", counting, point->sum);
        if (point->bucket_count > 0) otlp->batch->outcomes[TCSI_OUTCOME_BUCKETS]++;
    } else if (!point->has_value && !stale) {
        otlp->batch->outcomes[TCSI_OUTCOME_NO_VALUE]++;
    } else {
        bool counts = delta || (metric->type == TCSI_OTLP_SUM && metric->monotonic);
        add_sample(otlp, point, "", counts ? counting : TCSI_SERIES_GAUGE, point->value);
    }
}
