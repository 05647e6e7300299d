/* serve/http/builtin.h -- what every service answers about itself: /healthz, /readyz, /metrics, its version and its own description.
 * Threads: everything that the struct points to must allow any thread. */
#ifndef TCS_SERVE_HTTP_BUILTIN_H
#define TCS_SERVE_HTTP_BUILTIN_H

#include "serve/http/events.h"
#include "serve/http/route.h"
#include "serve/self/health.h"
#include "serve/self/metric.h"

typedef struct tcsi_builtin {
    const tcsi_router *router;  /* that describes itself */
    const tcsi_health *health;  /* NULL: always ready */
    tcsi_metrics *metrics;      /* NULL: /metrics is empty */
    tcsi_events *events;        /* NULL: /api/v1/events answers 501 */
    bool secured;               /* tokens are asked for */
} tcsi_builtin;

/* builtin must outlive the router. */
tcs_status tcsi_builtin_mount(tcsi_router *router, tcsi_builtin *builtin, tcs_error *err) TCS_WARN_UNUSED;

#endif
