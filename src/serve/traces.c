/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/traces.h"

#include <string.h>

void tcsi_traces_init(tcsi_traces *traces)
{
    memset(traces, 0, sizeof *traces);
    pthread_mutex_init(&traces->mutex, NULL);
}

void tcsi_traces_deinit(tcsi_traces *traces)
{
    pthread_mutex_destroy(&traces->mutex);
}

void tcsi_traces_put(tcsi_traces *traces, uint64_t sequence, const char *text)
{
    pthread_mutex_lock(&traces->mutex);
    traces->sequences[traces->next] = sequence;
    memcpy(traces->texts[traces->next], text, TCSI_TRACEPARENT_SIZE);
    traces->next = (traces->next + 1) % TCSI_TRACES_MAX;
    pthread_mutex_unlock(&traces->mutex);
}

/* From the newest back: what is asked for came a moment ago. */
void tcsi_traces_find(tcsi_traces *traces, uint64_t sequence, char ret_text[TCSI_TRACEPARENT_SIZE + 1])
{
    ret_text[0] = 0;
    pthread_mutex_lock(&traces->mutex);
    for (size_t i = 1; i <= TCSI_TRACES_MAX; i++) {
        const size_t at = (traces->next + TCSI_TRACES_MAX - i) % TCSI_TRACES_MAX;
        if (traces->sequences[at] < sequence) break;
        if (traces->sequences[at] == sequence) memcpy(ret_text, traces->texts[at], TCSI_TRACEPARENT_SIZE + 1);
    }
    pthread_mutex_unlock(&traces->mutex);
}
