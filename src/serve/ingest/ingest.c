/* serve/ingest/ingest.c -- who decodes what, and what a sender is told.
 *
 * The content type alone chooses the decoder; remote-write's version header is not looked at, as its specification asks.  What no decoder
 * reads is answered 415 with the types that are.  Bodies are taken whole or in part: where a protocol can say that some samples were
 * refused it does, with a code that makes no sender send the same again (400), and the rest stays taken.
 * SPDX-License-Identifier: Apache-2.0 */
#include "serve/ingest/ingest.h"

#include "base/snappy.h"
#include "base/text.h"
#include "serve/ingest/remote_write.h"

#include <stdio.h>
#include <string.h>

typedef tcs_status (*decode_function)(const void *body, size_t size, tcsi_batch *batch, tcs_error *err);

/* One row per format of a route: what the content type must say, and what reads it. */
typedef struct content {
    tcsi_ingest_route route;
    const char *type, *proto; /* proto: the parameter of that name; NULL: there must be none */
    tcsi_ingest_decoder decoder;
    decode_function decode;
} content;

static const content contents[] = {
    { TCSI_ROUTE_REMOTE_WRITE, "application/x-protobuf", NULL, TCSI_INGEST_REMOTE_WRITE_1, tcsi_remote_write_1 },
    { TCSI_ROUTE_REMOTE_WRITE, "application/x-protobuf", "prometheus.WriteRequest", TCSI_INGEST_REMOTE_WRITE_1, tcsi_remote_write_1 },
    { TCSI_ROUTE_REMOTE_WRITE, "application/x-protobuf", "io.prometheus.write.v2.Request", TCSI_INGEST_REMOTE_WRITE_2,
      tcsi_remote_write_2 },
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

static tcs_status choose_compression(const tcsi_ingest_facts *facts, uint8_t *ret_compression, tcs_error *err)
{
    const char *encoding = facts->content_encoding ? facts->content_encoding : "";
    if (facts->route == TCSI_ROUTE_REMOTE_WRITE && tcsi_text_equal_nocase(encoding, "snappy")) {
        *ret_compression = TCSI_INGEST_SNAPPY;
        return TCS_OK;
    }
    return tcsi_fail(err, TCS_E_UNSUPPORTED, "Content-Encoding: '%.64s', expected snappy", encoding);
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

tcs_status tcsi_ingest_choose(const tcsi_ingest_facts *facts, tcsi_ingest_format *ret_format, tcs_error *err)
{
    char type[WORD_SIZE], proto[WORD_SIZE];
    const content *chosen = NULL;
    read_content_type(facts->content_type ? facts->content_type : "", type, proto);
    for (size_t i = 0; i < TCS_COUNT(contents) && !chosen; i++)
        if (contents[i].route == facts->route && tcsi_text_equal_nocase(contents[i].type, type) &&
            strcmp(contents[i].proto ? contents[i].proto : "", proto) == 0)
            chosen = &contents[i];
    if (!chosen) return refuse_type(facts, err);
    tcsi_ingest_format format = { .decoder = (uint8_t)chosen->decoder };
    tcs_status status = choose_compression(facts, &format.compression, err);
    if (status == TCS_OK) *ret_format = format;
    return status;
}

/* ---- decoding ---- */

static tcs_status decompress(tcsi_ingest_format format, const void **bytes, size_t *size, tcsi_batch *batch, tcs_error *err)
{
    size_t decoded;
    if (format.compression == TCSI_INGEST_PLAIN) return TCS_OK;
    tcs_status status = tcsi_snappy_size(*bytes, *size, batch->limits.decoded_size_max, &decoded, err);
    if (status == TCS_OK) status = tcsi_batch_body(batch, decoded, err);
    if (status == TCS_OK) status = tcsi_snappy_decode(*bytes, *size, batch->body, decoded, err);
    *bytes = batch->body;
    *size = batch->body_size;
    return status;
}

static const content *content_of(uint8_t decoder)
{
    for (size_t i = 0; i < TCS_COUNT(contents); i++)
        if (contents[i].decoder == decoder) return &contents[i];
    return NULL;
}

tcs_status tcsi_ingest_decode(tcsi_ingest_format format, const void *bytes, size_t size, int64_t receive_ns, tcsi_batch *batch,
                              tcs_error *err)
{
    (void)receive_ns;
    const content *chosen = content_of(format.decoder);
    tcsi_batch_clear(batch);
    if (!chosen) return tcsi_fail(err, TCS_E_UNSUPPORTED, "format %d of a body, which this version does not know", format.decoder);
    if (size > batch->limits.body_size_max)
        return tcsi_fail(err, TCS_E_LIMIT, "a body of %zu bytes, expected at most %zu", size, batch->limits.body_size_max);
    tcs_status status = decompress(format, &bytes, &size, batch, err);
    if (status == TCS_OK) status = chosen->decode(bytes, size, batch, err);
    if (status != TCS_OK) tcsi_batch_clear(batch);
    return status;
}

/* ---- replying ---- */

size_t tcsi_ingest_summary(const tcsi_batch *batch, char *ret_text, size_t size)
{
    uint64_t refused = tcsi_batch_count(batch, TCSI_OUTCOME_REFUSED), all = refused + tcsi_batch_count(batch, TCSI_OUTCOME_TAKEN);
    size_t length = 0;
    ret_text[0] = 0;
    if (refused == 0) return 0;
    length = (size_t)snprintf(ret_text, size, "%llu of %llu refused", (unsigned long long)refused, (unsigned long long)all);
    for (size_t i = 0; i < TCSI_OUTCOME_COUNT && length < size; i++)
        if (batch->outcomes[i] > 0 && tcsi_outcome_class_of((tcsi_outcome)i) == TCSI_OUTCOME_REFUSED)
            length += (size_t)snprintf(ret_text + length, size - length, ", %llu %s", (unsigned long long)batch->outcomes[i],
                                       tcsi_outcome_name((tcsi_outcome)i));
    if (length < size && batch->complaint.text[0])
        length += (size_t)snprintf(ret_text + length, size - length, "; first: %s", batch->complaint.text);
    return length < size ? length : size - 1;
}

static int code_of(tcs_status status)
{
    switch (status) {
    case TCS_OK: return 204;
    case TCS_E_LIMIT: return 413;
    case TCS_E_UNSUPPORTED: return 415;
    case TCS_E_INVALID:
    case TCS_E_FORMAT: return 400;
    default: return 503; /* no memory, no disk: the same request may be taken later */
    }
}

/* A sender of native histograms by version 1.0 has no means to learn what became of them: 400 would only make it complain for ever. */
static bool told(tcsi_ingest_format format, const tcsi_batch *batch)
{
    uint64_t refused = tcsi_batch_count(batch, TCSI_OUTCOME_REFUSED);
    return refused > (format.decoder == TCSI_INGEST_REMOTE_WRITE_1 ? batch->outcomes[TCSI_OUTCOME_HISTOGRAM] : 0);
}

tcs_status tcsi_ingest_reply_to(tcsi_ingest_format format, tcs_status status, const tcs_error *failure, const tcsi_batch *batch,
                                tcsi_buffer *out, tcsi_ingest_reply *ret_reply, tcs_error *err)
{
    char text[1024];
    tcsi_ingest_reply reply = { .code = code_of(status) };
    text[0] = 0;
    if (status != TCS_OK) snprintf(text, sizeof text, "%s", failure->text);
    else if (told(format, batch) && tcsi_ingest_summary(batch, text, sizeof text) > 0) reply.code = 400;
    if (format.decoder == TCSI_INGEST_REMOTE_WRITE_2) reply.has_written = true;
    if (status == TCS_OK) /* NaN is a value to Prometheus, and was written as what it says */
        reply.samples_written = tcsi_batch_count(batch, TCSI_OUTCOME_TAKEN) + batch->outcomes[TCSI_OUTCOME_NOT_FINITE];
    if (text[0]) {
        reply.content_type = "text/plain; charset=utf-8";
        tcs_status appended = tcsi_buffer_printf(out, err, "%s\n", text);
        if (appended != TCS_OK) return appended;
    }
    *ret_reply = reply;
    return TCS_OK;
}
