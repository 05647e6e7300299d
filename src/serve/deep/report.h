/* serve/deep/report.h -- how the deep layer is doing: for /metrics, /readyz and /api/v1/status.
 * Counts of questions are the state's (shard/second_look.h), which a restart does not reset; queue and training are this process's.
 * Threads: any, once bound. */
#ifndef TCS_SERVE_DEEP_REPORT_H
#define TCS_SERVE_DEEP_REPORT_H

#include "base/json.h"
#include "serve/deep/deep.h"
#include "serve/self/health.h"
#include "serve/self/metric.h"

typedef enum tcsi_deep_state {
    TCSI_DEEP_OFF,
    TCSI_DEEP_TRAINING, /* nothing has been learned so far */
    TCSI_DEEP_ON,
    TCSI_DEEP_OPEN,     /* a breaker is not closed: something stays unconfirmed */
    TCSI_DEEP_STATE_COUNT
} tcsi_deep_state;
extern const char *const tcsi_deep_state_names[TCSI_DEEP_STATE_COUNT];

typedef struct tcsi_deep_report {
    tcsi_deep *deep;          /* NULL: off */
    tcsi_live *live;
    double deadline_s;
} tcsi_deep_report;

tcsi_deep_state tcsi_deep_report_state(const tcsi_deep_report *report);
/* The object "deep" of /api/v1/status, with its key. */
void tcsi_deep_report_write(const tcsi_deep_report *report, tcsi_json_writer *writer);
/* The object "challenger" of /api/v1/models, with its key: how it does beside the champion. */
void tcsi_deep_report_write_challenger(const tcsi_deep_report *report, tcsi_json_writer *writer);
/* A tcsi_health_check of a report. */
bool tcsi_deep_report_check(void *report, char ret_reason[TCSI_HEALTH_REASON_SIZE]);
/* The report outlives metrics. */
tcs_status tcsi_deep_report_bind(tcsi_deep_report *report, tcsi_metrics *metrics, tcs_error *err) TCS_WARN_UNUSED;

#endif
