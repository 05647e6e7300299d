/* serve/deliver/silences.h -- silences and maintenance windows that come and go while the service runs.
 *
 * State like any other: a function of the actions of the journal, saved with a snapshot, so that after a kill and in a replay each holds
 * from and to the same moment.  Cost of asking: each that is there, until one holds: 3 ms for 10,000, every tenth of them an expression.
 * Threads: one user. */
#ifndef TCS_SERVE_DELIVER_SILENCES_H
#define TCS_SERVE_DELIVER_SILENCES_H

#include "base/codec.h"
#include "serve/deliver/match.h"

enum { TCSI_SILENCES_MAX = 20000 };

typedef struct tcsi_silences {
    struct tcsi_silences_item *items; /* (count) in the order of their coming */
    size_t count, capacity;
    uint64_t generation;              /* another one after each change that can end a silence before its time */
} tcsi_silences;

void tcsi_silences_init(tcsi_silences *silences);
void tcsi_silences_deinit(tcsi_silences *silences);
/* In place of the one with the same id, if there is one.  Takes over the matchers: silence then has none.  E_LIMIT: too many. */
tcs_status tcsi_silences_add(tcsi_silences *silences, tcsi_silence *silence, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_silences_end(tcsi_silences *silences, const char *id); /* one that is not there is over already */
void tcsi_silences_expire(tcsi_silences *silences, int64_t now_ns); /* those over by then are forgotten */
/* Whether one holds; *ret_until_ns: until when, if nothing ends it. */
bool tcsi_silences_hold(const tcsi_silences *silences, const tcsi_alert *alert, int64_t now_ns, int64_t *ret_until_ns);
void tcsi_silences_persist(tcsi_silences *silences, tcsi_codec *codec);

#endif
