/* serve/backfill/send.h -- rows of the past to a service, in requests of thousands, until they were taken.
 *
 * A service that is busy (429, 503) or away is asked again, for as long as it takes up to `patience_s`; rows go in the order in which they
 * are added.  Threads: one user. */
#ifndef TCS_SERVE_BACKFILL_SEND_H
#define TCS_SERVE_BACKFILL_SEND_H

#include "base/buffer.h"

typedef struct tcsi_sender_options {
    const char *url;        /* of the service, "http://127.0.0.1:9740" */
    const char *token_file; /* whose first line is a token; NULL: none */
    double patience_s;      /* 0: 60 */
} tcsi_sender_options;

typedef struct tcsi_sender tcsi_sender;

tcs_status tcsi_sender_open(const tcsi_sender_options *options, tcsi_sender **ret_sender, tcs_error *err) TCS_WARN_UNUSED;
/* series: name{a="b"}, or any text, which is then its name.  E_IO: it was not taken; E_INVALID: the service says that it is wrong. */
tcs_status tcsi_sender_add(tcsi_sender *sender, const char *series, int64_t time_ns, double value, tcs_error *err) TCS_WARN_UNUSED;
/* What was added is taken. */
tcs_status tcsi_sender_flush(tcsi_sender *sender, tcs_error *err) TCS_WARN_UNUSED;
uint64_t tcsi_sender_count(const tcsi_sender *sender);          /* rows that were taken */
const char *tcsi_sender_complaint(const tcsi_sender *sender);   /* the first thing that the service refused; "": nothing */
void tcsi_sender_close(tcsi_sender *sender);                    /* accepts NULL; what was not flushed is lost */

/* Every row that a service's journal has, in its order: folder is the service's, which may be running.  each: false ends it. */
typedef bool (*tcsi_past_each)(void *context, const char *series, int64_t time_ns, double value, double share);
/* without_counters: series whose name says that they count are passed over. */
tcs_status tcsi_past_of_journal(const char *folder, bool without_counters, tcsi_past_each each, void *context,
                                tcs_error *err) TCS_WARN_UNUSED;

/* Every row that the history in a service's store has, in the order of their times: where as tcsi_store_open has it; the service may be
 * running.  E_FORMAT: a block is damaged; E_LIMIT: more than a million rows in a second; else as the store. */
typedef struct tcsi_past_found {
    uint64_t row_count;
    bool has_counters;
} tcsi_past_found;
tcs_status tcsi_past_of_store(const char *where, tcsi_past_each each, void *context, tcsi_past_found *ret_found,
                              tcs_error *err) TCS_WARN_UNUSED;

#endif
