/* serve/words.h -- what happened, in a sentence: what people read first.  Threads: reentrant. */
#ifndef TCS_SERVE_WORDS_H
#define TCS_SERVE_WORDS_H

#include "serve/shard/cell.h"

enum { TCSI_SENTENCE_SIZE = 512 };

static inline bool tcsi_words_is_over(const tcsi_live_event *event)
{
    return event->state == TCSI_LIVE_RESOLVED || event->state == TCSI_LIVE_DISMISSED;
}

/* "12.5 s", "3.2 min", "7 h" */
void tcsi_words_span(double seconds, char *text, size_t size);
void tcsi_words_event(const char *series, const tcsi_live_event *event, char ret_text[TCSI_SENTENCE_SIZE]);

#endif
