/* serve/ingest/ingest.h -- from a request to a batch and its reply, whatever the protocol.
 *
 *     tcsi_ingest_choose   what the request's headers say      -> a format, four bytes that a journal keeps beside the body
 *     tcsi_ingest_decode   the body as received, in that format -> a batch; the same bytes always give the same batch
 *     (the caller asks for the keys of series that it does not know, and refuses those that are none)
 *     tcsi_ingest_reply_to what became of it                    -> code, headers and body of the reply
 *
 * No socket, no clock, no state between requests.  Threads: one user per batch. */
#ifndef TCS_SERVE_INGEST_INGEST_H
#define TCS_SERVE_INGEST_INGEST_H

#include "serve/ingest/batch.h"

/* Which kind of path was asked for. */
typedef enum tcsi_ingest_route {
    TCSI_ROUTE_REMOTE_WRITE,  /* /api/v1/write */
    TCSI_ROUTE_OTLP,          /* /v1/metrics */
    TCSI_ROUTE_LINE_PROTOCOL, /* /api/v2/write, /write */
    TCSI_ROUTE_NDJSON,
} tcsi_ingest_route;

/* The numbers stay what they are: journals hold them. */
typedef enum tcsi_ingest_decoder {
    TCSI_INGEST_REMOTE_WRITE_1 = 1,
    TCSI_INGEST_REMOTE_WRITE_2 = 2,
    TCSI_INGEST_OTLP_PROTOBUF = 3,
    TCSI_INGEST_OTLP_JSON = 4,
    TCSI_INGEST_LINE_PROTOCOL = 5,
    TCSI_INGEST_NDJSON = 6,
} tcsi_ingest_decoder;

typedef enum tcsi_ingest_compression {
    TCSI_INGEST_PLAIN = 0,
    TCSI_INGEST_SNAPPY = 1,
    TCSI_INGEST_GZIP = 2,
    TCSI_INGEST_ZSTD = 3,
} tcsi_ingest_compression;

/* Of the time stamps of line protocol. */
typedef enum tcsi_ingest_precision { TCSI_INGEST_NS = 0, TCSI_INGEST_US = 1, TCSI_INGEST_MS = 2, TCSI_INGEST_S = 3 } tcsi_ingest_precision;

typedef struct tcsi_ingest_format {
    uint8_t decoder, compression, precision;
    uint8_t is_backfill; /* 1: rows of the past, brought to teach (shard/backfill.h) */
} tcsi_ingest_format;

typedef struct tcsi_ingest_facts {
    tcsi_ingest_route route;
    const char *content_type, *content_encoding; /* headers as received; NULL: there was none */
    const char *precision;                       /* the parameter of that name of line protocol's paths; NULL: there was none */
    bool is_backfill;                            /* its parameter `backfill` says that the rows are of the past */
} tcsi_ingest_facts;

/* E_UNSUPPORTED: another type or compression, which a reply turns into 415; E_INVALID: another precision. */
tcs_status tcsi_ingest_choose(const tcsi_ingest_facts *facts, tcsi_ingest_format *ret_format, tcs_error *err) TCS_WARN_UNUSED;

/* receive_ns: when the request arrived, the time of samples that state none.  E_FORMAT: the body is not what it says it is; E_LIMIT: over a
 * limit of the batch; E_UNSUPPORTED: this build lacks the compression; E_MEMORY.  After an error the batch is empty. */
tcs_status tcsi_ingest_decode(tcsi_ingest_format format, const void *bytes, size_t size, int64_t receive_ns, tcsi_batch *batch,
                              tcs_error *err) TCS_WARN_UNUSED;

typedef struct tcsi_ingest_reply {
    int code;                 /* of HTTP */
    const char *content_type; /* of the body; NULL: there is none */
    bool has_written;         /* the three X-Prometheus-Remote-Write-...-Written headers are due */
    uint64_t samples_written, histograms_written, exemplars_written;
} tcsi_ingest_reply;

/* status and failure: of choose or decode, or of the caller, who may not have been able to keep what was decoded; format may be zeros when
 * none was chosen.  Appends the body to out, whose limit should be at least 8192 bytes: text for remote-write, InfluxDB's error object for
 * line protocol and NDJSON, ExportMetricsServiceResponse or google.rpc.Status in the request's own encoding for OTLP. */
tcs_status tcsi_ingest_reply_to(tcsi_ingest_format format, tcs_status status, const tcs_error *failure, const tcsi_batch *batch,
                                tcsi_buffer *out, tcsi_ingest_reply *ret_reply, tcs_error *err) TCS_WARN_UNUSED;

/* One line about what was refused, empty when nothing was.  Returns its length. */
size_t tcsi_ingest_summary(const tcsi_batch *batch, char *ret_text, size_t size);

#endif
