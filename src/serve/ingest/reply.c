/* serve/ingest/reply.c -- what a sender is told.
 *
 * Where some samples of a request were refused and the rest taken, each protocol has its own way to say so:
 *   remote-write 2.0   400, which its specification asks for and after which no sender sends the same again, and how many were written
 *   remote-write 1.0   400 as well; but native histograms alone are no reason: their sender has no means to learn what became of them
 *                      and would complain for ever
 *   OTLP               200 with partial_success: the number of points refused, and why
 *   line protocol      400 with InfluxDB's error object, as InfluxDB 1 and 3 answer a write that was taken in part
 *   NDJSON             the same
 * No memory and a full disk are 503: the same request may be taken later.
 * SPDX-License-Identifier: Apache-2.0 */
#include "serve/ingest/ingest.h"

#include "base/protobuf_write.h"

#include <stdio.h>
#include <string.h>

/* Of google.rpc.Code. */
enum { RPC_INVALID_ARGUMENT = 3, RPC_RESOURCE_EXHAUSTED = 8, RPC_UNAVAILABLE = 14 };

enum { TEXT_SIZE = 1024, STATUS_CODE = 1, STATUS_MESSAGE = 2, RESPONSE_PARTIAL = 1, PARTIAL_REJECTED = 1, PARTIAL_MESSAGE = 2 };

size_t tcsi_ingest_summary(const tcsi_batch *batch, char *ret_text, size_t size)
{
    uint64_t refused = tcsi_batch_count(batch, TCSI_OUTCOME_REFUSED), all = refused + tcsi_batch_count(batch, TCSI_OUTCOME_TAKEN);
    ret_text[0] = 0;
    if (refused == 0) return 0;
    size_t length = (size_t)snprintf(ret_text, size, "%llu of %llu refused", (unsigned long long)refused, (unsigned long long)all);
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
    default: return 503;
    }
}

static bool is_otlp(tcsi_ingest_format format)
{
    return format.decoder == TCSI_INGEST_OTLP_PROTOBUF || format.decoder == TCSI_INGEST_OTLP_JSON;
}

/* Is anything refused that the sender should hear of? */
static bool is_told(tcsi_ingest_format format, const tcsi_batch *batch)
{
    uint64_t refused = tcsi_batch_count(batch, TCSI_OUTCOME_REFUSED);
    return refused > (format.decoder == TCSI_INGEST_REMOTE_WRITE_1 ? batch->outcomes[TCSI_OUTCOME_HISTOGRAM] : 0);
}

static tcs_status write_text(const char *text, tcsi_buffer *out, tcsi_ingest_reply *reply, tcs_error *err)
{
    reply->content_type = "text/plain; charset=utf-8";
    return tcsi_buffer_printf(out, err, "%s\n", text);
}

/* InfluxDB's error object. */
static tcs_status write_error_object(const char *text, tcsi_buffer *out, tcsi_ingest_reply *reply, tcs_error *err)
{
    const char *code = reply->code == 413 ? "request too large" : reply->code == 503 ? "unavailable" : "invalid";
    tcsi_json_writer writer;
    reply->content_type = "application/json";
    tcsi_json_writer_init(&writer, out, false);
    tcsi_json_begin_object(&writer);
    tcsi_json_put_string(&writer, "code", code);
    tcsi_json_put_string(&writer, "message", text);
    tcsi_json_end_object(&writer);
    return tcsi_json_finish(&writer, err);
}

static int rpc_code_of(int code)
{
    return code == 503 ? RPC_UNAVAILABLE : code == 413 ? RPC_RESOURCE_EXHAUSTED : RPC_INVALID_ARGUMENT;
}

/* google.rpc.Status for a failure; ExportMetricsServiceResponse otherwise, which is empty when nothing was refused. */
static tcs_status write_otlp_json(const char *text, uint64_t rejected, tcsi_buffer *out, tcsi_ingest_reply *reply, tcs_error *err)
{
    char number[24];
    tcsi_json_writer writer;
    reply->content_type = "application/json";
    tcsi_json_writer_init(&writer, out, false);
    tcsi_json_begin_object(&writer);
    if (reply->code != 200) {
        tcsi_json_put_integer(&writer, "code", rpc_code_of(reply->code));
        tcsi_json_put_string(&writer, "message", text);
    } else if (rejected > 0) {
        snprintf(number, sizeof number, "%llu", (unsigned long long)rejected); /* int64 is text in this mapping */
        tcsi_json_key(&writer, "partialSuccess");
        tcsi_json_begin_object(&writer);
        tcsi_json_put_string(&writer, "rejectedDataPoints", number);
        tcsi_json_put_string(&writer, "errorMessage", text);
        tcsi_json_end_object(&writer);
    }
    tcsi_json_end_object(&writer);
    return tcsi_json_finish(&writer, err);
}

static tcs_status write_otlp_protobuf(const char *text, uint64_t rejected, tcsi_buffer *out, tcsi_ingest_reply *reply, tcs_error *err)
{
    tcsi_protobuf_writer writer;
    reply->content_type = "application/x-protobuf";
    tcsi_protobuf_writer_init(&writer, out);
    if (reply->code != 200) {
        tcsi_protobuf_integer(&writer, STATUS_CODE, rpc_code_of(reply->code));
        tcsi_protobuf_text(&writer, STATUS_MESSAGE, text);
    } else if (rejected > 0) {
        tcsi_protobuf_begin(&writer, RESPONSE_PARTIAL);
        tcsi_protobuf_integer(&writer, PARTIAL_REJECTED, (int64_t)rejected);
        tcsi_protobuf_text(&writer, PARTIAL_MESSAGE, text);
        tcsi_protobuf_end(&writer);
    }
    return tcsi_protobuf_finish(&writer, err);
}

tcs_status tcsi_ingest_reply_to(tcsi_ingest_format format, tcs_status status, const tcs_error *failure, const tcsi_batch *batch,
                                tcsi_buffer *out, tcsi_ingest_reply *ret_reply, tcs_error *err)
{
    char text[TEXT_SIZE] = "";
    tcsi_ingest_reply reply = { .code = code_of(status), .has_written = format.decoder == TCSI_INGEST_REMOTE_WRITE_2 };
    if (status != TCS_OK) snprintf(text, sizeof text, "%s", failure->text);
    else if (is_told(format, batch)) (void)tcsi_ingest_summary(batch, text, sizeof text);
    if (status == TCS_OK) { /* NaN is a value to Prometheus, and was written as what it says */
        reply.samples_written = tcsi_batch_count(batch, TCSI_OUTCOME_TAKEN) + batch->outcomes[TCSI_OUTCOME_NOT_FINITE];
        if (is_otlp(format)) reply.code = 200;
        else if (text[0]) reply.code = 400;
    }
    uint64_t rejected = status == TCS_OK ? tcsi_batch_count(batch, TCSI_OUTCOME_REFUSED) : 0;
    tcs_status written = TCS_OK;
    if (format.decoder == TCSI_INGEST_OTLP_JSON) written = write_otlp_json(text, rejected, out, &reply, err);
    else if (format.decoder == TCSI_INGEST_OTLP_PROTOBUF) written = write_otlp_protobuf(text, rejected, out, &reply, err);
    else if (!text[0]) written = TCS_OK;
    else if (format.decoder == TCSI_INGEST_LINE_PROTOCOL || format.decoder == TCSI_INGEST_NDJSON)
        written = write_error_object(text, out, &reply, err);
    else written = write_text(text, out, &reply, err);
    if (written == TCS_OK) *ret_reply = reply;
    return written;
}
