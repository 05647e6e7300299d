/* serve/score_log.h -- every row's score as a line of JSON, in the journal's order.
 *
 *     judge (each worker's thread) ──> rows a worker ──> told (one thread): those of records that all have done, sorted ──> the file
 *
 * Within a record lines are sorted by the series' number; those of one series stand as they came.  So the file depends on the journal
 * alone, not on the number of threads: a live service, a replay, and a service that was killed and started again write the same lines.
 *
 *     {"record":12,"series":"load{host=\"a\"}","time":"2026-11-26T15:00:00Z","value":1.5,"score":0.3,"expected":1.2,"deviation":0.1,
 *      "state":"ordinary"}
 *
 * value of a counter is its rate, as judged.  state: "warmup" (no score yet), "ordinary", "unusual", "alarm", or why the row was not judged
 * ("duplicate", "too_old", ...: ingest/outcome.h), and then value, score, expected and deviation are null.
 * Bounded: whoever writes slower than others judge has PENDING_MAX rows a worker; beyond that the file ends, and close says so.
 * Threads: as above; open, close from one, when nobody is in a call. */
#ifndef TCS_SERVE_SCORE_LOG_H
#define TCS_SERVE_SCORE_LOG_H

#include "serve/shard/live.h"

typedef struct tcsi_score_log tcsi_score_log;

/* from: rows of records before it are left out.  is_added: lines go behind what is in the file.  E_IO. */
tcs_status tcsi_score_log_open(const char *path, bool is_added, uint64_t from, tcsi_score_log **ret_scores, tcs_error *err) TCS_WARN_UNUSED;
/* As tcsi_live_options has it; self is a tcsi_score_log. */
void tcsi_score_log_judge(void *self, size_t worker, const tcsi_live_judged *rows, size_t count);
/* Everybody has done the records up to `sequence`. */
void tcsi_score_log_told(tcsi_score_log *scores, const tcsi_directory *directory, uint64_t sequence);
/* What of it could not be written; accepts NULL. */
tcs_status tcsi_score_log_close(tcsi_score_log *scores, tcs_error *err) TCS_WARN_UNUSED;

#endif
