/* serve/deep/hold.h -- whether networks that the service trained by itself wait for a challenger's trial before they take over.
 *
 * A challenger is judged by rows that it and one and the same champion have scored; another champion starts that count anew.  A young
 * service makes a champion whenever it has seen half as much again, which a challenger that needs TCSI_CHALLENGER_ROWS_MIN rows does not
 * survive.  So, while a challenger that has passed the gates on answers is short of these rows, its champion is held: what is trained or
 * compared anew is kept, says that it waits, and takes over when the trial is over, unless somebody else decides by then.
 *
 * What it costs is that for a while the older of two networks decides, and that is bounded:
 *   - by time: a champion is held for TCSI_DEEP_HOLD_NS, counted from the first challenger that it was held for.  Answers that go on
 *     make one challenger after the other, and do not lengthen it.  A day, because rows differ by the hour of it, and whoever has not
 *     seen enough of them by then has too few for a trial.  The next champion has a day of its own.
 *   - by the champion: when what is ordinary now is TCSI_DEEP_HOLD_WORN times as strange to it as when it was made, it has drifted away
 *     from what it answers for, and a better one takes over at once.  That is asked whenever there is a new network, the only times when
 *     one could take over.
 * People's promotions and rollbacks are none of this: they are done at once.
 * A restart counts from when the challenger of then was made, and knows of no network that waits: that one stays in the registry.
 * Threads: one user. */
#ifndef TCS_SERVE_DEEP_HOLD_H
#define TCS_SERVE_DEEP_HOLD_H

#include "base/hash.h"

#include <stdbool.h>

#define TCSI_DEEP_HOLD_NS (INT64_C(24) * 3600 * 1000000000)
#define TCSI_DEEP_HOLD_WORN 1.5

typedef struct tcsi_deep_hold {
    bool is_on;
    char champion[TCSI_HASH_TEXT_SIZE]; /* held, now or last; "": none so far */
    int64_t begin_ns, end_ns;           /* of what it may take, by the wall clock */
} tcsi_deep_hold;

/* What is so now.  is_awaited: the challenger, made at made_ns against that champion, has yet to be judged by its rows. */
void tcsi_deep_hold_look(tcsi_deep_hold *hold, const char *champion, bool is_awaited, int64_t made_ns, int64_t now_ns);
/* The mean score of the ordinary, to the same weights: when they became the champion's, and now.  0: too few windows to tell. */
bool tcsi_deep_hold_is_worn(double strangeness_then, double strangeness_now);

#endif
