/* serve/deliver/notify.h -- what is said to whom, and when: between the part that decides and the outbox.
 *
 *     suspected ──> confirmed ──> resolved        an episode's states, as they come in by update
 *                        │ nobody acknowledged within escalate_after
 *                        └──> those who hear of escalated incidents only
 * Rules:
 *   - The same state again, no ten points of severity worse, is not told again.
 *   - Episodes with the same incident_id are one incident; who calls decides which (serve/incident.h).  It is acknowledged and escalated as
 *     a whole, and lasts while one of its episodes does.
 *   - With tells_incidents, each receiver hears of an incident once: of the first of its episodes that it wants to hear of, which then
 *     stands for all of them until the last one is over.  What changes in the words is told again to those that know an alert by what was
 *     last said (describe), once in ten seconds, and to nobody who would be paged.
 *   - Silenced (or in maintenance): not told.  What still lasts when the silence ends is told then.  What is over is told to those who
 *     heard that it began, silenced or not, so that nobody is left with an alert that never ends.
 *   - Time comes in as an argument: the state is a function of the calls, so that a journal read again gives the same alerts; those then
 *     have the same ids, and the outbox takes none twice.
 * Cost: a call looks at each open episode once, and for one that has something to say at each silence until one holds.  At most
 * TCSI_NOTIFY_OPEN_MAX open episodes; what is beyond is E_LIMIT.
 * Threads: one user. */
#ifndef TCS_SERVE_DELIVER_NOTIFY_H
#define TCS_SERVE_DELIVER_NOTIFY_H

#include "base/codec.h"
#include "serve/deliver/receiver.h"
#include "serve/deliver/silences.h"

enum { TCSI_NOTIFY_OPEN_MAX = 1 << 16 };

typedef struct tcsi_notify_options {
    const tcsi_receiver *receivers; /* must outlive */
    size_t receiver_count;          /* at most TCSI_RECEIVER_COUNT_MAX */
    int64_t escalate_after_ns;      /* 0: never */
    bool tells_incidents;
    /* Puts one message into the outbox, durably.  When it fails, so does the call, which may then be made again. */
    tcs_status (*put)(void *context, const tcsi_receiver *receiver, const tcsi_alert *alert, int64_t now_ns, tcs_error *err);
    void *context;
} tcsi_notify_options;

typedef struct tcsi_notify tcsi_notify;

tcs_status tcsi_notify_create(const tcsi_notify_options *options, tcsi_notify **ret_notify, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_notify_destroy(tcsi_notify *notify); /* accepts NULL */

/* From now on these hold; they must live until they are replaced. */
void tcsi_notify_silences(tcsi_notify *notify, const tcsi_silence *silences, size_t silence_count);
/* And those of this set, which may change between calls. */
void tcsi_notify_set(tcsi_notify *notify, const tcsi_silences *set);

/* An episode came to be, changed, or is over.  revision of alert is ignored: it is given here; incident_id "": it is one of its own. */
tcs_status tcsi_notify_update(tcsi_notify *notify, const tcsi_alert *alert, int64_t now_ns, tcs_error *err) TCS_WARN_UNUSED;
/* What people are to read of an incident now, in place of the words of those of its alerts that were told. */
tcs_status tcsi_notify_describe(tcsi_notify *notify, const char *incident_id, const char *summary, const char *description,
                                tcs_error *err) TCS_WARN_UNUSED;
/* An incident turned out to be a part of another one. */
void tcsi_notify_merge(tcsi_notify *notify, const char *incident_id, const char *into);
/* Time went on: silences end, nobody acknowledged.  To be called every second or so. */
tcs_status tcsi_notify_tick(tcsi_notify *notify, int64_t now_ns, tcs_error *err) TCS_WARN_UNUSED;
/* Somebody looks after it: id of an incident, or of an episode in it.  *ret_found false: it is not open. */
void tcsi_notify_acknowledge(tcsi_notify *notify, const char *id, bool *ret_found);

size_t tcsi_notify_open_count(const tcsi_notify *notify);
/* The id of the incident that the episode belongs to; NULL: it is not open. */
const char *tcsi_notify_incident(const tcsi_notify *notify, const char *episode_id);

/* Saves or loads; receivers are known again by their names. */
void tcsi_notify_persist(tcsi_notify *notify, tcsi_codec *codec);

#endif
