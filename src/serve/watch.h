/* serve/watch.h -- the service watches itself: figures that say whether it can still be believed, each with a bound, and past it an alert
 * of its own.
 *
 *     take, each minute: a sample of everything that is counted -> figures of the last hour and day -> fine | breached | unknown
 *
 * A figure is breached after TCSI_WATCH_RUN samples on end beyond its bound, and fine again after as many within; with too little to go by
 * it is unknown, and keeps quiet.  What is told goes by `tell`, once when it is breached and once when it is over.
 * Nothing here decides about rows, so it may look at clocks and at what replays do not repeat.
 * Threads: take from one; write and read from any. */
#ifndef TCS_SERVE_WATCH_H
#define TCS_SERVE_WATCH_H

#include "serve/shard/live.h"

enum { TCSI_WATCH_RUN = 3, TCSI_WATCH_SENTENCE_SIZE = 256 };

/* Everything counted so far. */
typedef struct tcsi_watch_sample {
    int64_t time_ns;
    tcsi_live_stats live;
    uint64_t alarms;             /* anomalies told */
    uint64_t not_received;       /* samples that never became rows */
    double alarms_per_s;         /* what the budget leaves to chance */
    uint64_t answered_true, answered_false; /* episodes of the last 30 days, by what people said */
    uint64_t deep_asked, deep_unconfirmed;  /* rows handed to the deep layer, and those that it did not get to */
} tcsi_watch_sample;

typedef enum tcsi_watch_figure {
    TCSI_WATCH_ALARMS, TCSI_WATCH_PRECISION, TCSI_WATCH_CALIBRATION, TCSI_WATCH_SCORE_DRIFT, TCSI_WATCH_INPUT_DRIFT, TCSI_WATCH_MISSING,
    TCSI_WATCH_LATENCY, TCSI_WATCH_UNCONFIRMED, TCSI_WATCH_COUNT
} tcsi_watch_figure;

typedef struct tcsi_watch_row {
    const char *name, *unit, *help, *runbook; /* "latency", "s", a sentence, a page and its anchor */
    bool is_floor;                            /* bound is the least that is fine, otherwise the most */
} tcsi_watch_row;
extern const tcsi_watch_row tcsi_watch_rows[TCSI_WATCH_COUNT];

typedef enum tcsi_watch_state { TCSI_WATCH_UNKNOWN, TCSI_WATCH_FINE, TCSI_WATCH_BREACHED, TCSI_WATCH_STATE_COUNT } tcsi_watch_state;
extern const char *const tcsi_watch_state_names[TCSI_WATCH_STATE_COUNT];

typedef struct tcsi_watched {
    tcsi_watch_figure figure;
    tcsi_watch_state state;
    double value, low, high, bound; /* low, high: of an estimate, 95 %; otherwise the value.  NaN: unknown */
    int64_t since_ns;               /* in this state */
} tcsi_watched;

typedef struct tcsi_watch_options {
    double latency_s;      /* the objective: 99 of 100 rows are scored within; 0: 0.1 */
    double precision;      /* the least share of alarms that people should call true; 0: 0.3 */
    /* A figure came to be breached, or is fine again; NULL: nobody is told. */
    void (*tell)(void *self, const tcsi_watched *watched, const char *sentence, int64_t now_ns);
    void *self;
} tcsi_watch_options;

typedef struct tcsi_watch tcsi_watch;
tcs_status tcsi_watch_create(const tcsi_watch_options *options, tcsi_watch **ret_watch, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_watch_destroy(tcsi_watch *watch); /* accepts NULL */
void tcsi_watch_take(tcsi_watch *watch, const tcsi_watch_sample *sample);
tcsi_watched tcsi_watch_read(tcsi_watch *watch, tcsi_watch_figure figure);

#endif
