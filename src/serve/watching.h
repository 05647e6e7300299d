/* serve/watching.h -- the watch (watch.h) over a running service: what it counts, where it is shown, and who hears of it.
 *
 * Figures are in /metrics (tocsin_watch_value, _bound, _breached) and at GET /api/v1/watch; a breach is logged, told to listeners (event
 * `watch`) and to receivers, as an alert on the series tocsin_watch{figure="..."}.
 * Each look is kept in the store, too (watch_hours.h).
 * Threads: take from one, keep from one. */
#ifndef TCS_SERVE_WATCHING_H
#define TCS_SERVE_WATCHING_H

#include "serve/intake.h"
#include "serve/keeper.h"
#include "serve/watch.h"

typedef struct tcsi_watching_options {
    tcsi_intake *intake;
    tcsi_live *live;
    tcsi_keeper *keeper;
    tcsi_store *store;                     /* of take alone */
    tcsi_store *hours;                     /* of keep alone */
    tcsi_metrics *metrics;
    tcsi_events *events;                   /* NULL: nobody listens */
    const tcsi_deliver_settings *settings; /* NULL: no receivers */
    tcsi_deliver *deliver;                 /* woken when there is something to send; NULL with no receivers */
    double latency_s;                      /* as in tcsi_watch_options */
} tcsi_watching_options;

typedef struct tcsi_watching tcsi_watching;
tcs_status tcsi_watching_create(const tcsi_watching_options *options, tcsi_watching **ret_watching, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_watching_destroy(tcsi_watching *watching); /* accepts NULL; nobody reads metrics any more */
void tcsi_watching_take(tcsi_watching *watching, int64_t now_ns);
/* The figures as they are go into the store; may wait for it.  What cannot be kept is logged, and lost. */
void tcsi_watching_keep(tcsi_watching *watching, int64_t now_ns);
/* The figures as an array of objects. */
void tcsi_watching_write(tcsi_watching *watching, tcsi_json_writer *writer);

#endif
