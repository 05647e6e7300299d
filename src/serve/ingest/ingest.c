/* serve/ingest/ingest.c -- who decodes what.
 *
 * The route and the content type alone choose the decoder; remote-write's version header is not looked at, as its specification asks.  What
 * no decoder reads is answered 415 with the types that are read.  Line protocol is read whatever type is stated, as its senders state many.
 * SPDX-License-Identifier: Apache-2.0 */
#include "serve/ingest/ingest.h"

#include "base/alloc.h"
#include "base/snappy.h"
#include "base/text.h"
#include "io/stream.h"
#include "serve/ingest/line_protocol.h"
#include "serve/ingest/ndjson.h"
#include "serve/ingest/otlp.h"
#include "serve/ingest/remote_write.h"
#include "series/time.h"

#include <stdio.h>
#include <string.h>

/* One row per content type of a route; type NULL: any, also none. */
typedef struct content {
    tcsi_ingest_route route;
    const char *type, *proto; /* proto: what the parameter of that name must be; NULL: there must be none */
    tcsi_ingest_decoder decoder;
} content;

static const content contents[] = {
    { TCSI_ROUTE_REMOTE_WRITE, "application/x-protobuf", NULL, TCSI_INGEST_REMOTE_WRITE_1 },
    { TCSI_ROUTE_REMOTE_WRITE, "application/x-protobuf", "prometheus.WriteRequest", TCSI_INGEST_REMOTE_WRITE_1 },
    { TCSI_ROUTE_REMOTE_WRITE, "application/x-protobuf", "io.prometheus.write.v2.Request", TCSI_INGEST_REMOTE_WRITE_2 },
    { TCSI_ROUTE_OTLP, "application/x-protobuf", NULL, TCSI_INGEST_OTLP_PROTOBUF },
    { TCSI_ROUTE_OTLP, "application/json", NULL, TCSI_INGEST_OTLP_JSON },
    { TCSI_ROUTE_LINE_PROTOCOL, NULL, NULL, TCSI_INGEST_LINE_PROTOCOL },
    { TCSI_ROUTE_NDJSON, "application/x-ndjson", NULL, TCSI_INGEST_NDJSON },
    { TCSI_ROUTE_NDJSON, "application/ndjson", NULL, TCSI_INGEST_NDJSON },
    { TCSI_ROUTE_NDJSON, "application/json", NULL, TCSI_INGEST_NDJSON },
};

static const struct compression {
    const char *name;
    tcsi_ingest_compression compression;
    bool remote_write, others;
} compressions[] = {
    { "", TCSI_INGEST_PLAIN, false, true },
    { "identity", TCSI_INGEST_PLAIN, false, true },
    { "gzip", TCSI_INGEST_GZIP, false, true },
    { "zstd", TCSI_INGEST_ZSTD, false, true },
    { "snappy", TCSI_INGEST_SNAPPY, true, false },
};

static const struct precision {
    const char *name;
    tcsi_ingest_precision precision;
} precisions[] = {
    { "ns", TCSI_INGEST_NS }, { "n", TCSI_INGEST_NS }, { "us", TCSI_INGEST_US }, { "u", TCSI_INGEST_US },
    { "\xc2\xb5", TCSI_INGEST_US }, { "ms", TCSI_INGEST_MS }, { "s", TCSI_INGEST_S },
    { "nanosecond", TCSI_INGEST_NS }, { "microsecond", TCSI_INGEST_US }, { "millisecond", TCSI_INGEST_MS }, { "second", TCSI_INGEST_S },
};

/* ---- choosing ---- */

enum { WORD_SIZE = 64 };

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* The word at *at, up to one of the bytes in stops, without blanks and quotes; cut when too long, and then equal to nothing. */
static void take_word(const char **at, const char *stops, char ret_word[WORD_SIZE])
{
    size_t size = 0;
    for (; **at && !strchr(stops, **at); (*at)++)
        if (!is_blank(**at) && **at != '"' && size < WORD_SIZE - 1) ret_word[size++] = **at;
    ret_word[size] = 0;
}

/* "application/x-protobuf;proto=a.b" into its type and the parameter proto, "" when there is none. */
static void read_content_type(const char *text, char ret_type[WORD_SIZE], char ret_proto[WORD_SIZE])
{
    char name[WORD_SIZE], value[WORD_SIZE];
    ret_proto[0] = 0;
    take_word(&text, ";", ret_type);
    while (*text == ';') {
        text++;
        take_word(&text, "=;", name);
        value[0] = 0;
        if (*text == '=') {
            text++;
            take_word(&text, ";", value);
        }
        if (tcsi_text_equal_nocase(name, "proto")) memcpy(ret_proto, value, sizeof value);
    }
}

static tcs_status refuse_type(const tcsi_ingest_facts *facts, tcs_error *err)
{
    char expected[300] = "";
    size_t size = 0;
    for (size_t i = 0; i < TCS_COUNT(contents) && size < sizeof expected; i++)
        if (contents[i].route == facts->route)
            size += (size_t)snprintf(expected + size, sizeof expected - size, "%s%s%s%s", size ? " or " : "", contents[i].type,
                                     contents[i].proto ? ";proto=" : "", contents[i].proto ? contents[i].proto : "");
    return tcsi_fail(err, TCS_E_UNSUPPORTED, "Content-Type: '%.100s', expected %s", facts->content_type ? facts->content_type : "",
                     expected);
}

static tcs_status choose_compression(const tcsi_ingest_facts *facts, uint8_t *ret_compression, tcs_error *err)
{
    char encoding[WORD_SIZE];
    const char *text = facts->content_encoding ? facts->content_encoding : "";
    bool remote_write = facts->route == TCSI_ROUTE_REMOTE_WRITE;
    take_word(&text, "", encoding);
    for (size_t i = 0; i < TCS_COUNT(compressions); i++) {
        bool usable = remote_write ? compressions[i].remote_write : compressions[i].others;
        if (!usable || !tcsi_text_equal_nocase(encoding, compressions[i].name)) continue;
        *ret_compression = (uint8_t)compressions[i].compression;
        return TCS_OK;
    }
    return tcsi_fail(err, TCS_E_UNSUPPORTED, "Content-Encoding: '%s', expected %s", encoding,
                     remote_write ? "snappy" : "none, gzip or zstd");
}

static tcs_status choose_precision(const tcsi_ingest_facts *facts, uint8_t *ret_precision, tcs_error *err)
{
    if (facts->route != TCSI_ROUTE_LINE_PROTOCOL || !facts->precision || !*facts->precision) return TCS_OK;
    for (size_t i = 0; i < TCS_COUNT(precisions); i++)
        if (strcmp(facts->precision, precisions[i].name) == 0) {
            *ret_precision = (uint8_t)precisions[i].precision;
            return TCS_OK;
        }
    return tcsi_fail(err, TCS_E_INVALID, "precision '%.20s', expected ns, us, ms or s", facts->precision);
}

tcs_status tcsi_ingest_choose(const tcsi_ingest_facts *facts, tcsi_ingest_format *ret_format, tcs_error *err)
{
    char type[WORD_SIZE], proto[WORD_SIZE];
    const content *chosen = NULL;
    read_content_type(facts->content_type ? facts->content_type : "", type, proto);
    for (size_t i = 0; i < TCS_COUNT(contents) && !chosen; i++) {
        const content *c = &contents[i];
        if (c->route != facts->route) continue;
        if (!c->type || (tcsi_text_equal_nocase(c->type, type) && strcmp(c->proto ? c->proto : "", proto) == 0)) chosen = c;
    }
    if (!chosen) return refuse_type(facts, err);
    tcsi_ingest_format format = { .decoder = (uint8_t)chosen->decoder, .is_backfill = facts->is_backfill };
    tcs_status status = choose_compression(facts, &format.compression, err);
    if (status == TCS_OK) status = choose_precision(facts, &format.precision, err);
    if (status == TCS_OK) *ret_format = format;
    return status;
}

/* ---- decompressing ---- */

static tcs_status decompress_snappy(const void *bytes, size_t size, tcsi_batch *batch, tcs_error *err)
{
    size_t decoded;
    tcs_status status = tcsi_snappy_size(bytes, size, batch->limits.decoded_size_max, &decoded, err);
    if (status == TCS_OK) status = tcsi_batch_body(batch, decoded, err);
    return status == TCS_OK ? tcsi_snappy_decode(bytes, size, batch->body, decoded, err) : status;
}

/* gzip and zstd do not say beforehand how much they hold: the body doubles until they end or the limit is reached. */
static tcs_status read_stream(tcsi_stream *stream, tcsi_batch *batch, tcs_error *err)
{
    enum { SIZE_FIRST = 1 << 16 };
    const size_t limit = batch->limits.decoded_size_max;
    size_t got = 1;
    tcs_status status = TCS_OK;
    while (status == TCS_OK && got > 0) {
        if (batch->body_size == batch->body_capacity) status = tcsi_batch_body_grow(batch, SIZE_FIRST, err);
        if (status != TCS_OK) break;
        unsigned char beyond; /* at the limit: one byte more, to tell the end from too much */
        bool full = batch->body_size == limit;
        status = tcsi_stream_read(stream, full ? &beyond : batch->body + batch->body_size,
                                  full ? 1 : batch->body_capacity - batch->body_size, &got, err);
        if (status == TCS_OK && full && got > 0)
            return tcsi_fail(err, TCS_E_LIMIT, "the body holds more than %zu bytes after decompression", limit);
        if (status == TCS_OK && !full) batch->body_size += got;
    }
    return status;
}

static tcs_status decompress_stream(const char *expected, const void *bytes, size_t size, tcsi_batch *batch, tcs_error *err)
{
    tcsi_stream *stream = NULL;
    tcs_status status = tcsi_stream_open_memory(bytes, size, "the body", &stream, err);
    if (status != TCS_OK) return status;
    if (strcmp(tcsi_stream_compression(stream), expected) != 0)
        status = tcsi_fail(err, TCS_E_FORMAT, "Content-Encoding: %s, but the body's compression is: %s", expected,
                           tcsi_stream_compression(stream));
    if (status == TCS_OK) status = read_stream(stream, batch, err);
    tcsi_stream_close(stream);
    return status;
}

/* ---- decoding ---- */

static int64_t unit_ns(uint8_t precision)
{
    switch (precision) {
    case TCSI_INGEST_S: return TCSI_NS_PER_S;
    case TCSI_INGEST_MS: return TCSI_NS_PER_S / 1000;
    case TCSI_INGEST_US: return TCSI_NS_PER_S / 1000000;
    default: return 1;
    }
}

static tcs_status decompress(tcsi_ingest_format format, const void **bytes, size_t *size, tcsi_batch *batch, tcs_error *err)
{
    tcs_status status;
    switch (format.compression) {
    case TCSI_INGEST_PLAIN: return TCS_OK;
    case TCSI_INGEST_SNAPPY: status = decompress_snappy(*bytes, *size, batch, err); break;
    case TCSI_INGEST_GZIP: status = decompress_stream("gzip", *bytes, *size, batch, err); break;
    case TCSI_INGEST_ZSTD: status = decompress_stream("zstd", *bytes, *size, batch, err); break;
    default: return tcsi_fail(err, TCS_E_UNSUPPORTED, "compression %d of a body, which this version does not know", format.compression);
    }
    *bytes = batch->body;
    *size = batch->body_size;
    return status;
}

static tcs_status decode(tcsi_ingest_format format, const void *bytes, size_t size, int64_t receive_ns, tcsi_batch *batch, tcs_error *err)
{
    switch (format.decoder) {
    case TCSI_INGEST_REMOTE_WRITE_1: return tcsi_remote_write_1(bytes, size, batch, err);
    case TCSI_INGEST_REMOTE_WRITE_2: return tcsi_remote_write_2(bytes, size, batch, err);
    case TCSI_INGEST_OTLP_PROTOBUF: return tcsi_otlp_protobuf(bytes, size, batch, err);
    case TCSI_INGEST_OTLP_JSON: return tcsi_otlp_json(bytes, size, batch, err);
    case TCSI_INGEST_LINE_PROTOCOL: return tcsi_line_protocol(bytes, size, unit_ns(format.precision), receive_ns, batch, err);
    case TCSI_INGEST_NDJSON: return tcsi_ingest_ndjson(bytes, size, receive_ns, batch, err);
    default: return tcsi_fail(err, TCS_E_UNSUPPORTED, "format %d of a body, which this version does not know", format.decoder);
    }
}

tcs_status tcsi_ingest_decode(tcsi_ingest_format format, const void *bytes, size_t size, int64_t receive_ns, tcsi_batch *batch,
                              tcs_error *err)
{
    tcsi_batch_clear(batch);
    batch->is_backfill = format.is_backfill;
    if (size > batch->limits.body_size_max)
        return tcsi_fail(err, TCS_E_LIMIT, "a body of %zu bytes, expected at most %zu", size, batch->limits.body_size_max);
    tcs_status status = decompress(format, &bytes, &size, batch, err);
    if (status == TCS_OK && size == 0) bytes = ""; /* never NULL below */
    if (status == TCS_OK) status = decode(format, bytes, size, receive_ns, batch, err);
    if (status != TCS_OK) tcsi_batch_clear(batch);
    return status;
}
