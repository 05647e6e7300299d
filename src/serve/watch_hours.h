/* serve/watch_hours.h -- what the watch (watch.h) has measured, hour by hour, kept in the store for 90 days.
 *
 *     each look -> the record of its hour, read, added to and put back in one scope -> with the first of an hour, those too old go
 *
 * The hour that goes on is nowhere but in the store, so that a restart, or another process that takes over, goes on with it.  One record
 * an hour holds all figures: 2,161 at most, of some 1 KiB.  A figure that was unknown all hour is not in it.
 * For people to look back at: nothing decides by it.
 * Threads: one a store. */
#ifndef TCS_SERVE_WATCH_HOURS_H
#define TCS_SERVE_WATCH_HOURS_H

#include "serve/watch.h"
#include "store/store.h"

enum { TCSI_WATCH_HOURS_DAYS = 90 };
#define TCSI_WATCH_HOUR_NS INT64_C(3600000000000)

/* Of one figure, in its unit, over some looks. */
typedef struct tcsi_watch_spread {
    uint64_t count;         /* of looks that found it known; 0: the rest is NaN */
    double least, mean, greatest;
    double bound;           /* as of the last of them */
} tcsi_watch_spread;

typedef struct tcsi_watch_hour {
    int64_t begin_ns;       /* a whole hour since 1970 */
    tcsi_watch_spread spreads[TCSI_WATCH_COUNT];
} tcsi_watch_hour;

/* One of which nothing is known yet. */
void tcsi_watch_hour_init(tcsi_watch_hour *hour, int64_t begin_ns);
/* What both looked at; the bound is the later one's where that knows one. */
tcsi_watch_spread tcsi_watch_spread_join(const tcsi_watch_spread *earlier, const tcsi_watch_spread *later);
/* What a record of kind TCSI_STORE_WATCH says; E_FORMAT: it is none.  Figures that this version does not know are left out. */
tcs_status tcsi_watch_hour_read(const tcsi_store_record *record, tcsi_watch_hour *ret_hour, tcs_error *err) TCS_WARN_UNUSED;
/* Adds a look, at now_ns since 1970, to the store; with nothing known it changes nothing.  Fails as the store does. */
tcs_status tcsi_watch_hours_keep(tcsi_store *store, const tcsi_watched watched[TCSI_WATCH_COUNT], int64_t now_ns,
                                 tcs_error *err) TCS_WARN_UNUSED;

#endif
