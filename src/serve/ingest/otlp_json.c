/* serve/ingest/otlp_json.c -- the front that walks JSON.
 *
 * The same messages in Protocol Buffers' JSON mapping (https://protobuf.dev/programming-guides/json/) with OTLP's own rules: names in
 * lowerCamelCase only, enums as numbers, 64-bit integers as text or number, doubles as number or as the texts NaN, Infinity and -Infinity.
 * Members that are not known are passed over; a known one of another type is a malformed request, with its name.
 * SPDX-License-Identifier: Apache-2.0 */
#include "serve/ingest/otlp.h"

#include "base/text.h"
#include "io/number.h"

#include <math.h>
#include <string.h>

static void refuse(tcsi_otlp *otlp, const char *name, const char *expected)
{
    if (otlp->status == TCS_OK) otlp->status = tcsi_fail(otlp->err, TCS_E_FORMAT, "OTLP JSON: member '%s': expected %s", name, expected);
}

/* ---- members ---- */

/* The member of that name; NULL when it is absent or null. */
static const tcsi_json_value *get(const tcsi_json_value *object, const char *name)
{
    const tcsi_json_value *member = tcsi_json_get(object, name);
    return member && member->type != TCSI_JSON_NULL ? member : NULL;
}

/* Its elements, none when it is absent. */
static const tcsi_json_value *get_array(tcsi_otlp *otlp, const tcsi_json_value *object, const char *name, size_t *ret_count)
{
    const tcsi_json_value *member = get(object, name);
    *ret_count = 0;
    if (!member) return NULL;
    if (member->type != TCSI_JSON_ARRAY) refuse(otlp, name, "an array");
    else *ret_count = member->item_count;
    return member->items;
}

static tcsi_otlp_text get_text(tcsi_otlp *otlp, const tcsi_json_value *object, const char *name)
{
    const tcsi_json_value *member = get(object, name);
    if (member && member->type != TCSI_JSON_STRING) refuse(otlp, name, "a text");
    return member && member->type == TCSI_JSON_STRING ? (tcsi_otlp_text){ member->text, member->text_size } : (tcsi_otlp_text){ "", 0 };
}

static bool get_bool(tcsi_otlp *otlp, const tcsi_json_value *object, const char *name)
{
    const tcsi_json_value *member = get(object, name);
    if (member && member->type != TCSI_JSON_TRUE && member->type != TCSI_JSON_FALSE) refuse(otlp, name, "true or false");
    return member && member->type == TCSI_JSON_TRUE;
}

/* Up to 2^63 - 1, which is all that times and counts need. */
static int64_t read_integer(tcsi_otlp *otlp, const tcsi_json_value *member, const char *name)
{
    int64_t value = 0;
    bool number = member->type == TCSI_JSON_NUMBER, text = member->type == TCSI_JSON_STRING;
    if ((number || text) && tcsi_int64_parse(member->text, member->text_size, &value)) return value;
    if (number && member->number == floor(member->number) && fabs(member->number) < 9e18) return (int64_t)member->number; /* 1e9 */
    refuse(otlp, name, "a whole number of 64 bits");
    return 0;
}

/* Sized integers that must not be below zero. */
static uint64_t get_unsigned(tcsi_otlp *otlp, const tcsi_json_value *object, const char *name)
{
    const tcsi_json_value *member = get(object, name);
    int64_t value = member ? read_integer(otlp, member, name) : 0;
    if (value < 0) refuse(otlp, name, "a number that is not below zero");
    return (uint64_t)value;
}

static double read_double(tcsi_otlp *otlp, const tcsi_json_value *member, const char *name)
{
    double value = 0;
    if (member->type == TCSI_JSON_NUMBER) return member->number;
    if (member->type == TCSI_JSON_STRING) {
        if (strcmp(member->text, "NaN") == 0) return NAN;
        if (strcmp(member->text, "Infinity") == 0 || strcmp(member->text, "-Infinity") == 0) return INFINITY; /* either is not finite */
        if (tcsi_number_parse(member->text, member->text_size, '.', &value)) return value;
    }
    refuse(otlp, name, "a number");
    return 0;
}

/* ---- messages ---- */

/* Lists, maps and bytes are no tags: nothing. */
static tcsi_otlp_text read_any(tcsi_otlp *otlp, const tcsi_json_value *any)
{
    const tcsi_json_value *member;
    if ((member = get(any, "stringValue"))) return get_text(otlp, any, "stringValue");
    if ((member = get(any, "boolValue")))
        return get_bool(otlp, any, "boolValue") ? (tcsi_otlp_text){ "true", 4 } : (tcsi_otlp_text){ "false", 5 };
    if ((member = get(any, "intValue"))) return tcsi_otlp_format_integer(otlp, read_integer(otlp, member, "intValue"));
    if ((member = get(any, "doubleValue"))) return tcsi_otlp_format_double(otlp, read_double(otlp, member, "doubleValue"));
    return (tcsi_otlp_text){ "", 0 };
}

typedef void (*attribute_function)(tcsi_otlp *otlp, tcsi_otlp_text name, tcsi_otlp_text value);

static void read_attributes(tcsi_otlp *otlp, const tcsi_json_value *object, attribute_function take)
{
    size_t count;
    const tcsi_json_value *pairs = get_array(otlp, object, "attributes", &count);
    for (size_t i = 0; i < count && otlp->status == TCS_OK; i++) {
        tcsi_otlp_text name = get_text(otlp, &pairs[i], "key"), value = read_any(otlp, get(&pairs[i], "value"));
        if (otlp->status == TCS_OK) take(otlp, name, value);
    }
}

static void read_point(tcsi_otlp *otlp, const tcsi_json_value *object, tcsi_otlp_type type)
{
    tcsi_otlp_point point = { .begin_ns = get_unsigned(otlp, object, "startTimeUnixNano"),
                              .time_ns = get_unsigned(otlp, object, "timeUnixNano"),
                              .flags = get_unsigned(otlp, object, "flags") };
    const tcsi_json_value *as_double = get(object, "asDouble"), *as_int = get(object, "asInt"), *sum = get(object, "sum");
    static const char *const buckets[] = { "bucketCounts", "positive", "quantileValues" };
    if (type == TCSI_OTLP_HISTOGRAM || type == TCSI_OTLP_SUMMARY) {
        point.count = (double)get_unsigned(otlp, object, "count");
        point.has_sum = sum != NULL;
        if (sum) point.sum = read_double(otlp, sum, "sum");
        for (size_t i = 0; i < TCS_COUNT(buckets); i++) point.bucket_count += get(object, buckets[i]) != NULL;
    } else {
        point.has_value = as_double || as_int;
        if (as_double) point.value = read_double(otlp, as_double, "asDouble");
        else if (as_int) point.value = (double)read_integer(otlp, as_int, "asInt");
    }
    (void)get_array(otlp, object, "exemplars", &point.exemplar_count);
    tcsi_otlp_point_begin(otlp);
    read_attributes(otlp, object, tcsi_otlp_point_attribute);
    tcsi_otlp_point_end(otlp, &point);
}

static void read_metric(tcsi_otlp *otlp, const tcsi_json_value *object)
{
    static const struct {
        const char *name;
        tcsi_otlp_type type;
    } kinds[] = {
        { "gauge", TCSI_OTLP_GAUGE },         { "sum", TCSI_OTLP_SUM }, { "histogram", TCSI_OTLP_HISTOGRAM },
        { "exponentialHistogram", TCSI_OTLP_HISTOGRAM }, { "summary", TCSI_OTLP_SUMMARY },
    };
    for (size_t k = 0; k < TCS_COUNT(kinds); k++) {
        const tcsi_json_value *data = get(object, kinds[k].name);
        size_t count;
        if (!data) continue;
        tcsi_otlp_metric metric = { .name = get_text(otlp, object, "name"), .unit = get_text(otlp, object, "unit"), .type = kinds[k].type,
                                    .temporality = get_unsigned(otlp, data, "aggregationTemporality"),
                                    .monotonic = get_bool(otlp, data, "isMonotonic") };
        const tcsi_json_value *points = get_array(otlp, data, "dataPoints", &count);
        tcsi_otlp_metric_begin(otlp, &metric);
        for (size_t i = 0; i < count && otlp->status == TCS_OK; i++) read_point(otlp, &points[i], kinds[k].type);
    }
}

static void read_resource_metrics(tcsi_otlp *otlp, const tcsi_json_value *object)
{
    size_t scope_count, metric_count;
    const tcsi_json_value *scopes = get_array(otlp, object, "scopeMetrics", &scope_count);
    tcsi_otlp_resource(otlp);
    read_attributes(otlp, get(object, "resource"), tcsi_otlp_resource_attribute);
    for (size_t s = 0; s < scope_count && otlp->status == TCS_OK; s++) {
        const tcsi_json_value *metrics = get_array(otlp, &scopes[s], "metrics", &metric_count);
        for (size_t m = 0; m < metric_count && otlp->status == TCS_OK; m++) read_metric(otlp, &metrics[m]);
    }
}

tcs_status tcsi_otlp_json(const char *body, size_t size, tcsi_batch *batch, tcs_error *err)
{
    const tcsi_json_value *root;
    tcs_status status = tcsi_batch_json(batch, body, size, &root, err);
    if (status != TCS_OK) return status;
    if (root->type != TCSI_JSON_OBJECT) return tcsi_fail(err, TCS_E_FORMAT, "OTLP JSON: expected an object");
    tcsi_otlp otlp = tcsi_otlp_begin(batch, err);
    size_t count;
    const tcsi_json_value *resources = get_array(&otlp, root, "resourceMetrics", &count);
    for (size_t i = 0; i < count && otlp.status == TCS_OK; i++) read_resource_metrics(&otlp, &resources[i]);
    return otlp.status;
}
