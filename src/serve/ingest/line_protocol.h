/* serve/ingest/line_protocol.h -- InfluxDB's line protocol into a batch.
 * Threads: one user per batch. */
#ifndef TCS_SERVE_INGEST_LINE_PROTOCOL_H
#define TCS_SERVE_INGEST_LINE_PROTOCOL_H

#include "serve/ingest/batch.h"

/* unit_ns: of the time stamps; receive_ns: the time of lines without one.  Lines that cannot be read are counted as MALFORMED, the first
 * one complained of by number; the others are taken.  E_LIMIT, E_MEMORY. */
tcs_status tcsi_line_protocol(const char *text, size_t size, int64_t unit_ns, int64_t receive_ns, tcsi_batch *batch,
                              tcs_error *err) TCS_WARN_UNUSED;

#endif
