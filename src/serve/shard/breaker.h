/* serve/shard/breaker.h -- whether it is worth asking the deep layer at all (M. Nygard, "Release It!", 2nd edition, 2018, section 5.2).
 *
 *     CLOSED --more than half late, of eight or more--> OPEN --ten ticks--> HALF_OPEN --three in time, and most--> CLOSED
 *                                                        ^                      |
 *                                                        +----three late--------+
 *
 * Closed, everything is asked.  Open, nothing is: what would be asked stays unconfirmed at once, and the deep layer can work off what it
 * has.  Half open, two questions a tick are tried.
 * Its only clock are ticks and answers as the journal has them: a replay opens and closes it at the same records.
 * Counts fade by a fifth at each tick.  Threads: one user. */
#ifndef TCS_SERVE_SHARD_BREAKER_H
#define TCS_SERVE_SHARD_BREAKER_H

#include "base/codec.h"

typedef enum tcsi_breaker_state {
    TCSI_BREAKER_CLOSED, TCSI_BREAKER_OPEN, TCSI_BREAKER_HALF_OPEN, TCSI_BREAKER_STATE_COUNT
} tcsi_breaker_state;

/* Zeros are a closed one. */
typedef struct tcsi_breaker {
    uint32_t state;          /* tcsi_breaker_state */
    uint32_t ticks;          /* since it opened */
    uint32_t trials;         /* half open: questions that may still be asked before the next tick */
    double in_time, late;    /* of late, fading */
    uint64_t opened_count;
} tcsi_breaker;

/* May one more be asked? */
bool tcsi_breaker_ask(tcsi_breaker *breaker);
void tcsi_breaker_note(tcsi_breaker *breaker, bool is_late);
void tcsi_breaker_tick(tcsi_breaker *breaker);
void tcsi_breaker_persist(tcsi_breaker *breaker, tcsi_codec *codec);

#endif
