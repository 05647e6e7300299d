/* serve/traces.h -- which request a record of the journal came from, for those few requests that carried a trace, so that what they lead to
 * is told with it.
 *
 * The trace stands in the journal beside the rows that it came with, and only there where a request carried one: rows of others cost
 * nothing.  Here are the last TCSI_TRACES_MAX of them, in the journal's order, for as long as it takes the keeper to come by.
 * Threads: put from one at a time, find from any. */
#ifndef TCS_SERVE_TRACES_H
#define TCS_SERVE_TRACES_H

#include "serve/self/trace.h"

#include <pthread.h>

enum { TCSI_TRACES_MAX = 1024 };

typedef struct tcsi_traces {
    pthread_mutex_t mutex;
    uint64_t sequences[TCSI_TRACES_MAX]; /* ascending from the oldest on; 0: none */
    char texts[TCSI_TRACES_MAX][TCSI_TRACEPARENT_SIZE + 1];
    size_t next;                         /* place of the next one, and so of the oldest */
} tcsi_traces;

void tcsi_traces_init(tcsi_traces *traces);
void tcsi_traces_deinit(tcsi_traces *traces);
/* text: (TCSI_TRACEPARENT_SIZE), not terminated. */
void tcsi_traces_put(tcsi_traces *traces, uint64_t sequence, const char *text);
/* "": that record came without one, or long ago. */
void tcsi_traces_find(tcsi_traces *traces, uint64_t sequence, char ret_text[TCSI_TRACEPARENT_SIZE + 1]);

#endif
