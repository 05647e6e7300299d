/* serve/books.h -- what the service itself writes into the audit log: that it was started and stopped, that tokens were read again, and who
 * was refused.  What people do is written by the keeper, with what it does (keep_action.h).
 *
 * Refusals are counted by who, where from and what for; each line of that list is written when it is new, and then with what has come
 * since, after a minute, two, four ... up to an hour, so that whoever tries all night leaves some dozen entries and the true count.  At
 * most TCSI_BOOKS_LINES lines: what does not fit is counted together.
 * Nothing here waits for the store in a request: entries are written by tick, on a handle of its own.  While the store fails they wait, and
 * are lost with the process: they decide nothing.
 * Threads: observe, note, refused from any; tick from one. */
#ifndef TCS_SERVE_BOOKS_H
#define TCS_SERVE_BOOKS_H

#include "serve/http/route.h"
#include "store/store.h"

enum { TCSI_BOOKS_LINES = 64, TCSI_BOOKS_NOTES = 64 };

typedef struct tcsi_books tcsi_books;

tcs_status tcsi_books_open(const char *store, tcsi_books **ret_books, tcs_error *err) TCS_WARN_UNUSED;
/* Writes what waits.  Accepts NULL. */
void tcsi_books_close(tcsi_books *books);

/* detail: JSON.  One too many of those that wait (TCSI_BOOKS_NOTES) is logged instead. */
void tcsi_books_note(tcsi_books *books, const char *action, const char *detail, int64_t now_ns);
/* As tcsi_server_options has it: 401 and 403. */
void tcsi_books_observe(void *books, const tcsi_request *request, int status, int64_t duration_ns);
void tcsi_books_tick(tcsi_books *books, int64_t now_ns);
uint64_t tcsi_books_refused(tcsi_books *books); /* requests, since open */

#endif
