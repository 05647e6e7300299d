/* serve/service_figures.h -- what /metrics says of the service as a whole: what it holds, took in, kept and told.
 *
 * Each figure is asked from the part that counts it when somebody reads.  Threads: bind from one, before anybody reads. */
#ifndef TCS_SERVE_SERVICE_FIGURES_H
#define TCS_SERVE_SERVICE_FIGURES_H

#include "serve/history/chronicle.h"
#include "serve/intake.h"
#include "serve/keeper.h"
#include "serve/self/metric.h"
#include "serve/standby/standby.h"

/* The parts that are asked; they outlive the metrics' readers. */
typedef struct tcsi_service_parts {
    tcsi_live *live;
    tcsi_intake *intake;
    tcsi_keeper *keeper;
    tcsi_standby *standby;      /* NULL: it is alone */
    tcsi_chronicle *history;    /* NULL: none is kept */
} tcsi_service_parts;

typedef struct tcsi_service_figures tcsi_service_figures;

/* Adds the rows to metrics, each bound to its part. */
tcs_status tcsi_service_figures_create(const tcsi_service_parts *parts, tcsi_metrics *metrics, tcsi_service_figures **ret_figures,
                                       tcs_error *err) TCS_WARN_UNUSED;
void tcsi_service_figures_destroy(tcsi_service_figures *figures); /* accepts NULL; nobody reads metrics any more */

#endif
