/* serve/self/trace.h -- W3C trace context: which request something belongs to, from the request to the alert and in every log line.
 *
 * A `traceparent` is 55 bytes: version, trace id, id of the caller's span, flags; "00-4bf92f...-00f067...-01".  One that is malformed, or
 * whose ids are zero, is as if there were none: a new trace begins.  What a later version appends is ignored, as the standard asks.
 * https://www.w3.org/TR/trace-context/ (Recommendation, 2021).  `tracestate` is not kept: nothing here adds to it.
 *
 * The trace of what a thread is doing at the moment is thread-local, so that a log line finds it without being handed it.
 * Threads: reentrant; ids are drawn from a counter and the seed that the process drew when it began, and are no secrets. */
#ifndef TCS_SERVE_SELF_TRACE_H
#define TCS_SERVE_SELF_TRACE_H

#include "base/status.h"

enum { TCSI_TRACE_ID_SIZE = 32, TCSI_SPAN_ID_SIZE = 16, TCSI_TRACEPARENT_SIZE = 55 };

typedef struct tcsi_trace {
    char trace_id[TCSI_TRACE_ID_SIZE + 1];  /* lower-case hexadecimal; "" : no trace */
    char span_id[TCSI_SPAN_ID_SIZE + 1];    /* of what we do */
    char parent_id[TCSI_SPAN_ID_SIZE + 1];  /* of what the caller does; "": we began it */
    bool sampled;                           /* the caller records it */
} tcsi_trace;

/* Ids and flags of a header's value; span_id is left empty.  false: none that holds. */
bool tcsi_trace_parse(const char *text, tcsi_trace *ret_trace) TCS_WARN_UNUSED;
/* The trace that text (may be NULL) continues, or a new one, with a span of our own. */
tcsi_trace tcsi_trace_begin(const char *text);
/* As a header for those we call. */
void tcsi_trace_format(const tcsi_trace *trace, char ret_text[TCSI_TRACEPARENT_SIZE + 1]);

/* NULL: none.  The caller keeps trace alive until it is set to something else. */
void tcsi_trace_set_current(const tcsi_trace *trace);
const tcsi_trace *tcsi_trace_current(void);

#endif
