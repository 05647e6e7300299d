/* serve/ingest/ndjson.h -- one JSON object a line into a batch.
 * Threads: one user per batch. */
#ifndef TCS_SERVE_INGEST_NDJSON_H
#define TCS_SERVE_INGEST_NDJSON_H

#include "serve/ingest/batch.h"

/* receive_ns: the time of lines that state none.  Lines that cannot be read are counted as MALFORMED, the first one complained of by
 * number; the others are taken.  E_LIMIT, E_MEMORY. */
tcs_status tcsi_ingest_ndjson(const char *text, size_t size, int64_t receive_ns, tcsi_batch *batch, tcs_error *err) TCS_WARN_UNUSED;

#endif
