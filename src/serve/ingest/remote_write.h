/* serve/ingest/remote_write.h -- Prometheus remote-write, both versions: a decompressed body into a batch.
 * E_FORMAT: the body is no such message; E_LIMIT, E_MEMORY.  After an error the batch holds nothing to use.
 * Threads: one user per batch. */
#ifndef TCS_SERVE_INGEST_REMOTE_WRITE_H
#define TCS_SERVE_INGEST_REMOTE_WRITE_H

#include "base/protobuf_read.h"
#include "serve/ingest/batch.h"

/* prometheus.WriteRequest (https://prometheus.io/docs/specs/prw/remote_write_spec/). */
tcs_status tcsi_remote_write_1(const void *body, size_t size, tcsi_batch *batch, tcs_error *err) TCS_WARN_UNUSED;
/* io.prometheus.write.v2.Request (https://prometheus.io/docs/specs/prw/remote_write_spec_2_0/, 2.0-rc.4). */
tcs_status tcsi_remote_write_2(const void *body, size_t size, tcsi_batch *batch, tcs_error *err) TCS_WARN_UNUSED;

/* Shared by both: the message Sample, { double value = 1; int64 timestamp = 2; }, into the series begun. */
tcs_status tcsi_remote_write_sample(const tcsi_protobuf_reader *series, const tcsi_protobuf_field *sample, tcsi_batch *batch,
                                    tcs_error *err) TCS_WARN_UNUSED;

#endif
