/* serve/ingest/otlp_protobuf.c -- the front that walks Protocol Buffers.
 *
 *     ExportMetricsServiceRequest { repeated ResourceMetrics = 1 }     ResourceMetrics { Resource = 1; repeated ScopeMetrics = 2 }
 *     Resource { repeated KeyValue = 1 }                               ScopeMetrics { repeated Metric = 2 }
 *     Metric { name = 1; unit = 3; Gauge = 5; Sum = 7; Histogram = 9; ExponentialHistogram = 10; Summary = 11 }
 *     each of these { repeated points = 1; temporality = 2; monotonic = 3 }
 * and the points' numbers stand in the tables below (opentelemetry-proto 1.x, stable).
 *
 * What is said once may stand behind what is said often: temporality has a higher number than points.  So a message that has both is walked
 * twice, first for itself and then for its parts; attributes and points are read once.
 * SPDX-License-Identifier: Apache-2.0 */
#include "serve/ingest/otlp.h"

#include "base/protobuf_read.h"

enum {
    REQUEST_RESOURCE_METRICS = 1,
    RESOURCE_METRICS_RESOURCE = 1, RESOURCE_METRICS_SCOPE = 2,
    RESOURCE_ATTRIBUTE = 1,
    SCOPE_METRIC = 2,
    METRIC_NAME = 1, METRIC_UNIT = 3, METRIC_GAUGE = 5, METRIC_SUM = 7, METRIC_HISTOGRAM = 9, METRIC_EXPONENTIAL = 10, METRIC_SUMMARY = 11,
    DATA_POINT = 1, DATA_TEMPORALITY = 2, DATA_MONOTONIC = 3,
    PAIR_KEY = 1, PAIR_VALUE = 2,
    VALUE_STRING = 1, VALUE_BOOL = 2, VALUE_INT = 3, VALUE_DOUBLE = 4,
};

/* The numbers of a point's fields; 0: the point has none such.  bucket: a field that says more than count and sum. */
typedef struct point_fields {
    uint32_t attribute, begin, time, as_double, as_int, count, sum, bucket, flags, exemplar;
} point_fields;

static const point_fields number_fields = { .attribute = 7, .begin = 2, .time = 3, .as_double = 4, .as_int = 6, .exemplar = 5, .flags = 8 };
static const point_fields histogram_fields = {
    .attribute = 9, .begin = 2, .time = 3, .count = 4, .sum = 5, .bucket = 6, .exemplar = 8, .flags = 10,
};
static const point_fields exponential_fields = {
    .attribute = 1, .begin = 2, .time = 3, .count = 4, .sum = 5, .bucket = 8, .flags = 10, .exemplar = 11,
};
static const point_fields summary_fields = { .attribute = 7, .begin = 2, .time = 3, .count = 4, .sum = 5, .bucket = 6, .flags = 8 };

static void fail(tcsi_otlp *otlp, const tcsi_protobuf_reader *reader)
{
    if (otlp->status == TCS_OK && reader->fault) otlp->status = tcsi_protobuf_status(reader, otlp->err);
}

static tcsi_otlp_text text_of(const tcsi_protobuf_field *field)
{
    return (tcsi_otlp_text){ (const char *)field->bytes, field->size };
}

/* Lists, maps and bytes are no tags: nothing. */
static tcsi_otlp_text read_any(tcsi_otlp *otlp, tcsi_protobuf_reader reader)
{
    tcsi_protobuf_field field;
    tcsi_otlp_text text = { "", 0 };
    while (tcsi_protobuf_next(&reader, &field)) {
        if (field.number == VALUE_STRING && field.wire == TCSI_PROTOBUF_SIZED) text = text_of(&field);
        if (field.number == VALUE_BOOL && field.wire == TCSI_PROTOBUF_VARINT)
            text = field.value ? (tcsi_otlp_text){ "true", 4 } : (tcsi_otlp_text){ "false", 5 };
        if (field.number == VALUE_INT && field.wire == TCSI_PROTOBUF_VARINT) text = tcsi_otlp_format_integer(otlp, (int64_t)field.value);
        if (field.number == VALUE_DOUBLE && field.wire == TCSI_PROTOBUF_8_BYTES)
            text = tcsi_otlp_format_double(otlp, tcsi_protobuf_double(&field));
    }
    fail(otlp, &reader);
    return text;
}

typedef void (*attribute_function)(tcsi_otlp *otlp, tcsi_otlp_text name, tcsi_otlp_text value);

static void read_attribute(tcsi_otlp *otlp, tcsi_protobuf_reader reader, attribute_function take)
{
    tcsi_protobuf_field field;
    tcsi_otlp_text name = { "", 0 }, value = { "", 0 };
    while (tcsi_protobuf_next(&reader, &field)) {
        if (field.wire != TCSI_PROTOBUF_SIZED) continue;
        if (field.number == PAIR_KEY) name = text_of(&field);
        if (field.number == PAIR_VALUE) value = read_any(otlp, tcsi_protobuf_enter(&reader, &field));
    }
    fail(otlp, &reader);
    if (otlp->status == TCS_OK) take(otlp, name, value);
}

/* A field of 8 bytes or a varint; attributes are taken by the caller. */
static void read_number(tcsi_otlp_point *point, const tcsi_protobuf_field *field, const point_fields *fields)
{
    if (field->wire == TCSI_PROTOBUF_VARINT && field->number == fields->flags) point->flags = field->value;
    if (field->wire != TCSI_PROTOBUF_8_BYTES) return;
    if (field->number == fields->begin) point->begin_ns = field->value;
    if (field->number == fields->time) point->time_ns = field->value;
    if (field->number == fields->count) point->count = (double)field->value;
    if (field->number == fields->sum) point->sum = tcsi_protobuf_double(field);
    if (field->number == fields->sum) point->has_sum = true;
    if (field->number == fields->as_double) point->value = tcsi_protobuf_double(field);
    if (field->number == fields->as_int) point->value = (double)(int64_t)field->value;
    if (field->number == fields->as_double || field->number == fields->as_int) point->has_value = true;
}

static void read_point(tcsi_otlp *otlp, tcsi_protobuf_reader reader, const point_fields *fields)
{
    tcsi_otlp_point point = { 0 };
    tcsi_protobuf_field field;
    tcsi_otlp_point_begin(otlp);
    while (tcsi_protobuf_next(&reader, &field)) {
        if (field.wire == TCSI_PROTOBUF_SIZED && field.number == fields->attribute)
            read_attribute(otlp, tcsi_protobuf_enter(&reader, &field), tcsi_otlp_point_attribute);
        else if (field.wire == TCSI_PROTOBUF_SIZED && field.number == fields->exemplar) point.exemplar_count++;
        else if (field.wire == TCSI_PROTOBUF_SIZED && field.number == fields->bucket) point.bucket_count++;
        else read_number(&point, &field, fields);
    }
    fail(otlp, &reader);
    tcsi_otlp_point_end(otlp, &point);
}

static void read_data(tcsi_otlp *otlp, tcsi_protobuf_reader reader, tcsi_otlp_metric *metric, const point_fields *fields)
{
    tcsi_protobuf_reader own = reader;
    tcsi_protobuf_field field;
    while (tcsi_protobuf_next(&own, &field)) {
        if (field.number == DATA_TEMPORALITY && field.wire == TCSI_PROTOBUF_VARINT) metric->temporality = field.value;
        if (field.number == DATA_MONOTONIC && field.wire == TCSI_PROTOBUF_VARINT) metric->monotonic = field.value != 0;
    }
    fail(otlp, &own);
    tcsi_otlp_metric_begin(otlp, metric);
    while (otlp->status == TCS_OK && tcsi_protobuf_next(&reader, &field))
        if (field.number == DATA_POINT && field.wire == TCSI_PROTOBUF_SIZED)
            read_point(otlp, tcsi_protobuf_enter(&reader, &field), fields);
}

static void read_metric(tcsi_otlp *otlp, tcsi_protobuf_reader reader)
{
    static const struct {
        uint32_t number;
        tcsi_otlp_type type;
        const point_fields *fields;
    } kinds[] = {
        { METRIC_GAUGE, TCSI_OTLP_GAUGE, &number_fields },
        { METRIC_SUM, TCSI_OTLP_SUM, &number_fields },
        { METRIC_HISTOGRAM, TCSI_OTLP_HISTOGRAM, &histogram_fields },
        { METRIC_EXPONENTIAL, TCSI_OTLP_HISTOGRAM, &exponential_fields },
        { METRIC_SUMMARY, TCSI_OTLP_SUMMARY, &summary_fields },
    };
    tcsi_protobuf_reader own = reader;
    tcsi_protobuf_field field;
    tcsi_otlp_text name = { "", 0 }, unit = { "", 0 };
    while (tcsi_protobuf_next(&own, &field)) {
        if (field.number == METRIC_NAME && field.wire == TCSI_PROTOBUF_SIZED) name = text_of(&field);
        if (field.number == METRIC_UNIT && field.wire == TCSI_PROTOBUF_SIZED) unit = text_of(&field);
    }
    fail(otlp, &own);
    while (otlp->status == TCS_OK && tcsi_protobuf_next(&reader, &field))
        for (size_t i = 0; i < TCS_COUNT(kinds) && field.wire == TCSI_PROTOBUF_SIZED; i++)
            if (field.number == kinds[i].number)
                read_data(otlp, tcsi_protobuf_enter(&reader, &field),
                          &(tcsi_otlp_metric){.name = name, .unit = unit, .type = kinds[i].type}, kinds[i].fields);
}

static void read_resource(tcsi_otlp *otlp, tcsi_protobuf_reader reader)
{
    tcsi_protobuf_field field;
    while (otlp->status == TCS_OK && tcsi_protobuf_next(&reader, &field))
        if (field.number == RESOURCE_ATTRIBUTE && field.wire == TCSI_PROTOBUF_SIZED)
            read_attribute(otlp, tcsi_protobuf_enter(&reader, &field), tcsi_otlp_resource_attribute);
    fail(otlp, &reader);
}

static void read_scope(tcsi_otlp *otlp, tcsi_protobuf_reader reader)
{
    tcsi_protobuf_field field;
    while (otlp->status == TCS_OK && tcsi_protobuf_next(&reader, &field))
        if (field.number == SCOPE_METRIC && field.wire == TCSI_PROTOBUF_SIZED) read_metric(otlp, tcsi_protobuf_enter(&reader, &field));
    fail(otlp, &reader);
}

static void read_resource_metrics(tcsi_otlp *otlp, tcsi_protobuf_reader reader)
{
    tcsi_protobuf_reader own = reader;
    tcsi_protobuf_field field;
    tcsi_otlp_resource(otlp);
    while (otlp->status == TCS_OK && tcsi_protobuf_next(&own, &field))
        if (field.number == RESOURCE_METRICS_RESOURCE && field.wire == TCSI_PROTOBUF_SIZED)
            read_resource(otlp, tcsi_protobuf_enter(&own, &field));
    fail(otlp, &own);
    while (otlp->status == TCS_OK && tcsi_protobuf_next(&reader, &field))
        if (field.number == RESOURCE_METRICS_SCOPE && field.wire == TCSI_PROTOBUF_SIZED)
            read_scope(otlp, tcsi_protobuf_enter(&reader, &field));
}

tcs_status tcsi_otlp_protobuf(const void *body, size_t size, tcsi_batch *batch, tcs_error *err)
{
    tcsi_otlp otlp = tcsi_otlp_begin(batch, err);
    tcsi_protobuf_reader reader = tcsi_protobuf_read(body, size);
    tcsi_protobuf_field field;
    while (otlp.status == TCS_OK && tcsi_protobuf_next(&reader, &field))
        if (field.number == REQUEST_RESOURCE_METRICS && field.wire == TCSI_PROTOBUF_SIZED)
            read_resource_metrics(&otlp, tcsi_protobuf_enter(&reader, &field));
    fail(&otlp, &reader);
    return otlp.status;
}
