/* serve/keep_episode.h -- an event of an episode as it is kept and listened to: the episode's document after it.  Threads: reentrant. */
#ifndef TCS_SERVE_KEEP_EPISODE_H
#define TCS_SERVE_KEEP_EPISODE_H

#include "serve/shard/live.h"

typedef struct tcsi_keep_episode_words {
    const char *id, *series, *incident, *summary; /* incident "": it is in none */
} tcsi_keep_episode_words;

/* One line of JSON behind what is in out.  Who acknowledged it is added where the store is at hand (tcsi_desk_add_acknowledgement). */
tcs_status tcsi_keep_episode_write(const tcsi_live_event *event, const tcsi_keep_episode_words *words, tcsi_buffer *out,
                                   tcs_error *err) TCS_WARN_UNUSED;
/* It is quiet because of an answer. */
bool tcsi_keep_episode_is_suppressed(const tcsi_live_event *event);

#endif
