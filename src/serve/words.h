/* serve/words.h -- what an episode is called, and what happened, in a sentence: what people read first.  Threads: reentrant. */
#ifndef TCS_SERVE_WORDS_H
#define TCS_SERVE_WORDS_H

#include "serve/alert.h"
#include "serve/shard/cell.h"
#include "serve/shard/directory.h"

enum { TCSI_SENTENCE_SIZE = 512, TCSI_EPISODE_ID_SIZE = 48 };

static inline bool tcsi_words_is_over(const tcsi_live_event *event)
{
    return event->state == TCSI_LIVE_RESOLVED || event->state == TCSI_LIVE_DISMISSED;
}

/* The id of an episode: the same for all its events, and for every process that reads the same journal. */
void tcsi_words_episode_id(const tcsi_directory_entry *series, tcsi_live_kind kind, int64_t begin_ns, char ret_id[TCSI_EPISODE_ID_SIZE]);
/* "12.5 s", "3.2 min", "7 h" */
void tcsi_words_span(double seconds, char *text, size_t size);
/* What would have been ordinary, of an anomaly whose grounds are known: "Anything from 19.2 to 181 would have been ordinary."; else "". */
void tcsi_words_advice(const tcsi_live_event *event, char *text, size_t size);
/* The series' tags and the episode's kind, which is part of what makes an alert this one; by name.  ret_tags: TCSI_ALERT_TAG_COUNT_MAX of
 * them, texts in arena; returns how many there are. */
size_t tcsi_words_alert_tags(const tcsi_key *key, tcsi_live_kind kind, tcsi_arena *arena, tcsi_alert_tag *ret_tags);
void tcsi_words_event(const char *series, const tcsi_live_event *event, char ret_text[TCSI_SENTENCE_SIZE]);

#endif
