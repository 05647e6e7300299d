/* serve/routes.h -- what can be asked of the live service beside what every service answers (http/builtin.h): rows in, series and episodes
 * out.  Rows of the table say the rest, and the OpenAPI document is made of them.  Threads: handlers run on any. */
#ifndef TCS_SERVE_ROUTES_H
#define TCS_SERVE_ROUTES_H

#include "serve/http/route.h"
#include "serve/intake.h"
#include "store/store.h"

#include <pthread.h>

/* What the handlers work on; outlives the router. */
typedef struct tcsi_routes {
    tcsi_intake *intake;
    tcsi_live *live;
    tcsi_store *store;          /* for reading, one request at a time */
    pthread_mutex_t store_mutex;
    int64_t started_ns;
} tcsi_routes;

tcs_status tcsi_routes_mount(tcsi_router *router, tcsi_routes *routes, tcs_error *err) TCS_WARN_UNUSED;

#endif
