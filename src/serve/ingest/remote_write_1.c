/* serve/ingest/remote_write_1.c -- prometheus.WriteRequest.
 *
 *     WriteRequest { repeated TimeSeries timeseries = 1; repeated MetricMetadata metadata = 3; }
 *     TimeSeries   { repeated Label labels = 1; repeated Sample samples = 2; repeated Exemplar exemplars = 3;
 *                    repeated Histogram histograms = 4; }
 *     Label        { string name = 1; string value = 2; }
 *
 * A body of Prometheus holds 2,000 series of one sample each and 250 bytes of labels to every 16 bytes of sample.  So labels are not read:
 * they are stepped over, one length each, and the bytes that they take together are the series' name and are hashed as they are.  Every
 * encoder writes the fields of a message in order, so these bytes stand in one piece; where they do not, the pieces are put together in the
 * batch's arena, in a second walk, so that hostile bodies cost twice as much and not the square.  Metadata is passed over: it names
 * families of metrics, comes in requests of its own, and what it would tell of a series, that it counts, its name tells as well (rate.h).
 * SPDX-License-Identifier: Apache-2.0 */
#include "serve/ingest/remote_write.h"

#include <string.h>

enum {
    REQUEST_SERIES = 1,
    SERIES_LABEL = 1, SERIES_SAMPLE = 2, SERIES_EXEMPLAR = 3, SERIES_HISTOGRAM = 4,
    SAMPLE_VALUE = 1, SAMPLE_TIME = 2,
};

typedef struct slice {
    const unsigned char *at;
    size_t size;
} slice;

/* The value and the time as every encoder writes them: one behind the other, either left out when it is zero, which is left to `next`. */
static bool read_plain_sample(const tcsi_protobuf_field *sample, uint64_t *ret_value, uint64_t *ret_ms)
{
    const unsigned char *at = sample->bytes;
    enum { VALUE_KEY = 0x09, TIME_KEY = 0x10, TIME_AT = 10, MS_SIZE = 6, SIZE = TIME_AT + MS_SIZE };
    if (sample->size != SIZE || at[0] != VALUE_KEY || at[9] != TIME_KEY) return false;
    uint64_t value = 0, ms = 0;
    for (size_t i = 0; i < 8; i++) value |= (uint64_t)at[1 + i] << 8 * i;
    for (size_t i = 0; i < MS_SIZE; i++) { /* six bytes hold every time between 1971 and 2109 */
        if ((at[TIME_AT + i] >= 0x80) != (i + 1 < MS_SIZE)) return false;
        ms |= (uint64_t)(at[TIME_AT + i] & 0x7F) << 7 * i;
    }
    *ret_value = value;
    *ret_ms = ms;
    return true;
}

tcs_status tcsi_remote_write_sample(const tcsi_protobuf_reader *series, const tcsi_protobuf_field *sample, tcsi_batch *batch,
                                    tcs_error *err)
{
    uint64_t bits = 0, ms = 0;
    if (!read_plain_sample(sample, &bits, &ms)) {
        tcsi_protobuf_reader reader = tcsi_protobuf_enter(series, sample);
        tcsi_protobuf_field field;
        while (tcsi_protobuf_next(&reader, &field)) {
            if (field.number == SAMPLE_VALUE && field.wire == TCSI_PROTOBUF_8_BYTES) bits = field.value;
            if (field.number == SAMPLE_TIME && field.wire == TCSI_PROTOBUF_VARINT) ms = field.value;
        }
        if (reader.fault) return tcsi_protobuf_status(&reader, err);
    }
    int64_t time_ns;
    double value;
    memcpy(&value, &bits, sizeof value);
    if (tcsi_ms_to_ns((int64_t)ms, &time_ns)) return tcsi_batch_sample(batch, time_ns, value, err);
    batch->outcomes[TCSI_OUTCOME_TIME_INVALID]++;
    tcsi_batch_complain(batch, "the series that ends at byte %zu: a time of %lld ms, expected 1677 .. 2262",
                        (size_t)(series->end - series->begin), (long long)ms);
    return TCS_OK;
}

/* Steps over label fields as long as they are what they nearly always are: one byte of key, one of length. */
static void skip_plain_labels(tcsi_protobuf_reader *reader)
{
    enum { LABEL_KEY = SERIES_LABEL << 3 | TCSI_PROTOBUF_SIZED };
    const unsigned char *at = reader->at, *end = reader->end;
    while (end - at >= 2 && at[0] == LABEL_KEY && at[1] < 0x80 && end - at - 2 >= at[1]) at += 2 + at[1];
    reader->at = at;
}

/* The label fields of a series between which other fields stand, put together. */
static tcs_status gather_labels(tcsi_protobuf_reader reader, tcsi_batch *batch, slice *ret_name, tcs_error *err)
{
    tcsi_protobuf_field field;
    unsigned char *name = tcsi_arena_alloc(&batch->arena, (size_t)(reader.end - reader.at), 1);
    size_t size = 0;
    if (!name) return tcsi_batch_full(&batch->arena, "names of series", err);
    for (const unsigned char *begin = reader.at; tcsi_protobuf_next(&reader, &field); begin = reader.at) {
        if (field.number != SERIES_LABEL || field.wire != TCSI_PROTOBUF_SIZED) continue;
        memcpy(name + size, begin, (size_t)(reader.at - begin));
        size += (size_t)(reader.at - begin);
    }
    *ret_name = (slice){ name, size };
    return TCS_OK;
}

static tcs_status read_series(tcsi_protobuf_reader reader, tcsi_batch *batch, tcs_error *err)
{
    const tcsi_protobuf_reader whole = reader;
    tcsi_protobuf_field field;
    tcs_status status = tcsi_batch_begin(batch, err);
    skip_plain_labels(&reader);
    slice name = { whole.at, (size_t)(reader.at - whole.at) };
    bool in_one_piece = true;
    for (const unsigned char *begin = reader.at; status == TCS_OK && tcsi_protobuf_next(&reader, &field); begin = reader.at) {
        if (field.wire != TCSI_PROTOBUF_SIZED) continue;
        switch (field.number) {
        case SERIES_LABEL: /* a long one, or behind something else */
            in_one_piece &= name.at + name.size == begin;
            name.size += (size_t)(reader.at - begin);
            break;
        case SERIES_SAMPLE: status = tcsi_remote_write_sample(&reader, &field, batch, err); break;
        case SERIES_EXEMPLAR: batch->exemplar_count++; break;
        case SERIES_HISTOGRAM: batch->histogram_count++; break;
        default: break;
        }
    }
    if (status == TCS_OK) status = tcsi_protobuf_status(&reader, err);
    if (status == TCS_OK && !in_one_piece) status = gather_labels(whole, batch, &name, err);
    if (status != TCS_OK) return status;
    tcsi_batch_end(batch, &(tcsi_batch_series){ .fingerprint = tcsi_fingerprint_of(name.at, name.size, TCSI_NAME_LABELS), .name = name.at,
                                                .name_size = (uint32_t)name.size, .form = TCSI_NAME_LABELS });
    return TCS_OK;
}

tcs_status tcsi_remote_write_1(const void *body, size_t size, tcsi_batch *batch, tcs_error *err)
{
    tcsi_protobuf_reader reader = tcsi_protobuf_read(body, size);
    tcsi_protobuf_field field;
    tcs_status status = TCS_OK;
    while (status == TCS_OK && tcsi_protobuf_next(&reader, &field))
        if (field.number == REQUEST_SERIES && field.wire == TCSI_PROTOBUF_SIZED)
            status = read_series(tcsi_protobuf_enter(&reader, &field), batch, err);
    batch->outcomes[TCSI_OUTCOME_HISTOGRAM] = batch->histogram_count;
    batch->outcomes[TCSI_OUTCOME_EXEMPLAR] = batch->exemplar_count;
    return status == TCS_OK ? tcsi_protobuf_status(&reader, err) : status;
}
