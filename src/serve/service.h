/* serve/service.h -- the live service: store, journal, live series, HTTP and the clock, as one object.
 *
 *     start: store -> snapshot -> journal read to its end -> ticks, collector -> HTTP listens
 *     stop:  HTTP drains -> ticks end -> everything that came is judged, told and kept -> a last snapshot
 *
 * Its folder holds everything: journal/ and, unless it is elsewhere, tocsin.db.  The service is ready when start returns.
 * Threads: start, stop from one; everything else is inside. */
#ifndef TCS_SERVE_SERVICE_H
#define TCS_SERVE_SERVICE_H

#include "serve/http/server.h"

typedef struct tcsi_service_options {
    const char *folder;         /* made where there is none */
    const char *store;          /* sqlite:PATH or postgresql://...; NULL: tocsin.db in the folder */
    const char *address;        /* NULL: 127.0.0.1 */
    uint16_t port;              /* 0: any that is free */
    const char *token_file;     /* NULL: nobody is asked, and then only this host is listened to */
    const char *certificate, *key;
    double alarms_per_s;        /* of chance, of all series together */
    size_t series_count_max;    /* 0: 1,000,000 */
    size_t thread_count;        /* of the live series; 0: one a processor */
    double watch_s;             /* from one look at itself to the next; 0: 60 */
    double cost_false_alarm, cost_missed, gain_true_alarm; /* of one, in the owner's unit; 0: not set */
    double latency_s;           /* within which 99 of 100 rows are to be scored; 0: 0.1 */
    double snapshot_s;          /* from one to the next; 0: 300 */
    double history_rows_per_s;  /* kept singly, of all series; 0: 10,000; below 0: no history is kept */
    const char *retention;      /* of history: "12h", "30d"; NULL: 30 days */
    bool collects;              /* this host's own figures, each second */
    bool has_standby;           /* others may run on the same store, a server, of which one leads: the journal is there too (standby/) */
    const char *advertise;      /* where others are sent to when this one leads; NULL: address and port */
    double lease_s;             /* how long a leader may be silent; 0: 5 */
    void (*on_lost)(void);      /* a standby has fallen behind what is kept: it is to be stopped and started again; NULL: it stays so */
    bool keeps_journal;         /* all of it, for backtests; otherwise what a start needs */
    const char *scores;         /* lines of every row's score go behind what is in this file (score_log.h); NULL: nowhere */
    bool has_deep;              /* a second look by a network at what the fast layer finds unusual */
    double deep_deadline_s;     /* from a row's receipt to the answer; 0: 1 */
    double deep_share;          /* of one processor, for its training; 0: 0.1 */
    double deep_sampled_per_s;  /* ordinary rows that it looks at, too, a second; 0: 50 */
    const char *receivers;      /* settings of who is told (deliver/settings.h); NULL: nobody */
} tcsi_service_options;

typedef struct tcsi_service tcsi_service;

/* E_IO, E_FORMAT, E_INVALID and the words of the part that could not start. */
tcs_status tcsi_service_start(const tcsi_service_options *options, tcsi_service **ret_service, tcs_error *err) TCS_WARN_UNUSED;
uint16_t tcsi_service_port(const tcsi_service *service);
uint64_t tcsi_service_replayed(const tcsi_service *service); /* records of the journal that were read at start */
size_t tcsi_service_series_count(const tcsi_service *service);
/* Tokens and certificates as they are in their files now; what fails stays as it was. */
tcs_status tcsi_service_reload(tcsi_service *service, tcs_error *err) TCS_WARN_UNUSED;
/* Accepts NULL.  false: requests were cut off after ten seconds. */
bool tcsi_service_stop(tcsi_service *service);

/* Bytes that a service of so many series holds, by what: appends lines for people. */
tcs_status tcsi_service_plan(size_t series_count, tcsi_buffer *out, tcs_error *err) TCS_WARN_UNUSED;

#endif
