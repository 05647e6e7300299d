/* io/url.h -- which reader an input wants: a file, standard input, a database or a Prometheus server.
 * Threads: reentrant. */
#ifndef TCS_IO_URL_H
#define TCS_IO_URL_H

#include "io/table.h"

typedef enum tcsi_url_kind {
    TCSI_URL_NONE,       /* a path or "-" */
    TCSI_URL_SQLITE,     /* sqlite: */
    TCSI_URL_POSTGRESQL, /* postgresql: or postgres: */
    TCSI_URL_HTTP,       /* http: or https: */
    TCSI_URL_OTHER,      /* another scheme followed by :// */
} tcsi_url_kind;

tcsi_url_kind tcsi_url_kind_of(const char *input);

/* Opens input, whatever it is.  E_INVALID: a query is missing or given without need, and as the readers say;
 * E_UNSUPPORTED: no reader for this scheme. */
tcs_status tcsi_input_open(const char *input, const tcsi_table_open_options *options, tcsi_table **ret_table,
                           tcs_error *err) TCS_WARN_UNUSED;

#endif
