/* serve/ingest/remote_write_2.c -- io.prometheus.write.v2.Request.
 *
 *     Request    { repeated string symbols = 4; repeated TimeSeries timeseries = 5; }      numbers 1 to 3 are version 1.0's
 *     TimeSeries { repeated uint32 labels_refs = 1; repeated Sample samples = 2; repeated Histogram histograms = 3;
 *                  repeated Exemplar exemplars = 4; Metadata metadata = 5; int64 created_timestamp = 6; }
 *     Metadata   { MetricType type = 1; uint32 help_ref = 3; uint32 unit_ref = 4; }
 *
 * Every text stands once in `symbols`, the first of which is the empty one; labels are pairs of references to it.  What a reference means
 * changes from request to request, so the fingerprint of a series is of the hashes of its symbols, one after the other: each symbol is
 * hashed once, and a series costs its references and sixteen bytes of hash for each.
 * Symbols come first on the wire, but nothing says that they must: the request is walked twice, the first time for symbols only.
 * A wrong reference makes the request invalid: its sender's table is broken, and nothing in it can be trusted.
 * SPDX-License-Identifier: Apache-2.0 */
#include "serve/ingest/remote_write.h"

#include <string.h>

enum {
    REQUEST_SYMBOL = 4, REQUEST_SERIES = 5,
    SERIES_REFERENCES = 1, SERIES_SAMPLE = 2, SERIES_HISTOGRAM = 3, SERIES_EXEMPLAR = 4, SERIES_METADATA = 5,
    METADATA_TYPE = 1, TYPE_COUNTER = 1, TYPE_GAUGE = 2, TYPE_GAUGE_HISTOGRAM = 4, TYPE_INFO = 6, TYPE_STATE_SET = 7,
    REFERENCE_COUNT_MAX = 2 * TCSI_KEY_TAG_COUNT_MAX,
};

typedef struct references {
    const unsigned char *bytes; /* packed */
    size_t size;
} references;

static tcs_status read_symbols(tcsi_protobuf_reader reader, tcsi_batch *batch, tcs_error *err)
{
    tcsi_protobuf_field field;
    tcs_status status = TCS_OK;
    while (status == TCS_OK && tcsi_protobuf_next(&reader, &field))
        if (field.number == REQUEST_SYMBOL && field.wire == TCSI_PROTOBUF_SIZED)
            status = tcsi_batch_symbol(batch, field.bytes, field.size, err);
    if (status == TCS_OK) status = tcsi_protobuf_status(&reader, err);
    if (status == TCS_OK && batch->symbol_count > 0 && batch->symbols[0].size > 0)
        return tcsi_fail(err, TCS_E_FORMAT, "symbols[0] has %zu bytes, expected the empty text", batch->symbols[0].size);
    return status;
}

/* Histograms and summaries come as several series, of which some count and some do not: only their names tell. */
static tcsi_series_kind kind_of(tcsi_protobuf_reader metadata)
{
    tcsi_protobuf_field field;
    uint64_t type = 0;
    while (tcsi_protobuf_next(&metadata, &field))
        if (field.number == METADATA_TYPE && field.wire == TCSI_PROTOBUF_VARINT) type = field.value;
    switch (type) {
    case TYPE_COUNTER: return TCSI_SERIES_COUNTER;
    case TYPE_GAUGE:
    case TYPE_GAUGE_HISTOGRAM:
    case TYPE_INFO:
    case TYPE_STATE_SET: return TCSI_SERIES_GAUGE;
    default: return TCSI_SERIES_UNSTATED;
    }
}

static unsigned char *put_varint(unsigned char *at, uint64_t value)
{
    for (; value >= 0x80; value >>= 7) *at++ = (unsigned char)(value | 0x80);
    *at++ = (unsigned char)value;
    return at;
}

/* References in several fields, which is how those are written that are not packed, become one. */
static tcs_status gather_references(tcsi_protobuf_reader reader, tcsi_batch *batch, references *ret_references, tcs_error *err)
{
    tcsi_protobuf_field field;
    unsigned char *bytes = tcsi_arena_alloc(&batch->arena, (size_t)(reader.end - reader.at), 1), *at = bytes;
    if (!bytes) return tcsi_batch_full(&batch->arena, "names of series", err);
    while (tcsi_protobuf_next(&reader, &field)) { /* each takes no more room than it had with its key */
        if (field.number != SERIES_REFERENCES) continue;
        if (field.wire == TCSI_PROTOBUF_VARINT) at = put_varint(at, field.value);
        if (field.wire != TCSI_PROTOBUF_SIZED) continue;
        memcpy(at, field.bytes, field.size);
        at += field.size;
    }
    *ret_references = (references){ bytes, (size_t)(at - bytes) };
    return TCS_OK;
}

/* Of the symbols' hashes; checks each reference. */
static tcs_status fingerprint(const tcsi_batch *batch, const tcsi_protobuf_reader *series, const references *refs, size_t *ret_count,
                              tcsi_fingerprint *ret_hash, tcs_error *err)
{
    tcsi_fingerprint hashes[REFERENCE_COUNT_MAX];
    tcsi_protobuf_reader reader = tcsi_protobuf_read(refs->bytes, refs->size);
    size_t count = 0, place = (size_t)(series->end - series->begin);
    uint64_t reference;
    for (; tcsi_protobuf_next_varint(&reader, &reference); count++) {
        if (reference >= batch->symbol_count)
            return tcsi_fail(err, TCS_E_FORMAT, "the series that ends at byte %zu refers to symbol %llu, there are %zu", place,
                             (unsigned long long)reference, batch->symbol_count);
        if (count < REFERENCE_COUNT_MAX) hashes[count] = batch->symbols[reference].hash;
    }
    if (reader.fault || count % 2 != 0)
        return tcsi_fail(err, TCS_E_FORMAT, "the series that ends at byte %zu has %zu whole references to symbols, expected pairs", place,
                         count);
    *ret_count = count;
    const size_t known = count < REFERENCE_COUNT_MAX ? count : REFERENCE_COUNT_MAX;
    *ret_hash = tcsi_fingerprint_of(hashes, known * sizeof *hashes, TCSI_NAME_SYMBOLS);
    return TCS_OK;
}

static tcs_status read_series(tcsi_protobuf_reader reader, tcsi_batch *batch, tcs_error *err)
{
    const tcsi_protobuf_reader whole = reader;
    references refs = { 0 };
    bool in_one_piece = true;
    tcsi_protobuf_field field;
    tcsi_series_kind kind = TCSI_SERIES_UNSTATED;
    tcs_status status = tcsi_batch_begin(batch, err);
    while (status == TCS_OK && tcsi_protobuf_next(&reader, &field)) {
        if (field.wire == TCSI_PROTOBUF_VARINT && field.number == SERIES_REFERENCES) in_one_piece = false;
        if (field.wire != TCSI_PROTOBUF_SIZED) continue;
        switch (field.number) {
        case SERIES_REFERENCES:
            in_one_piece &= refs.size == 0;
            refs = (references){ field.bytes, field.size };
            break;
        case SERIES_SAMPLE: status = tcsi_remote_write_sample(&reader, &field, batch, err); break;
        case SERIES_HISTOGRAM: batch->histogram_count++; break;
        case SERIES_EXEMPLAR: batch->exemplar_count++; break;
        case SERIES_METADATA: kind = kind_of(tcsi_protobuf_enter(&reader, &field)); break;
        default: break;
        }
    }
    if (status == TCS_OK) status = tcsi_protobuf_status(&reader, err);
    if (status == TCS_OK && !in_one_piece) status = gather_references(whole, batch, &refs, err);
    size_t count = 0;
    tcsi_fingerprint hash = { 0 };
    if (status == TCS_OK) status = fingerprint(batch, &reader, &refs, &count, &hash, err);
    if (status != TCS_OK) return status;
    if (count > REFERENCE_COUNT_MAX) tcsi_batch_drop(batch, TCSI_OUTCOME_TOO_MANY_LABELS, 0);
    tcsi_batch_end(batch, &(tcsi_batch_series){ .fingerprint = hash, .name = refs.bytes, .name_size = (uint32_t)refs.size,
                                                .kind = (uint8_t)kind, .form = TCSI_NAME_SYMBOLS });
    return TCS_OK;
}

tcs_status tcsi_remote_write_2(const void *body, size_t size, tcsi_batch *batch, tcs_error *err)
{
    tcsi_protobuf_reader reader = tcsi_protobuf_read(body, size);
    tcsi_protobuf_field field;
    tcs_status status = read_symbols(reader, batch, err);
    while (status == TCS_OK && tcsi_protobuf_next(&reader, &field))
        if (field.number == REQUEST_SERIES && field.wire == TCSI_PROTOBUF_SIZED)
            status = read_series(tcsi_protobuf_enter(&reader, &field), batch, err);
    batch->outcomes[TCSI_OUTCOME_HISTOGRAM] = batch->histogram_count;
    batch->outcomes[TCSI_OUTCOME_EXEMPLAR] = batch->exemplar_count;
    return status == TCS_OK ? tcsi_protobuf_status(&reader, err) : status;
}
