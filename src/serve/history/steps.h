/* serve/history/steps.h -- a series as a graph's points: at each of equal steps the newest sample that is not too old, as Prometheus has it
 * ("instant vector selectors": the newest one of the TCSI_STEPS_LOOKBACK_NS before, its beginning excluded).
 * Rows come in order and each step is given once, so nothing is kept but one sample.  Threads: one user per struct. */
#ifndef TCS_SERVE_HISTORY_STEPS_H
#define TCS_SERVE_HISTORY_STEPS_H

#include "base/status.h"

#define TCSI_STEPS_LOOKBACK_NS INT64_C(300000000000)

typedef struct tcsi_steps {
    int64_t begin_ns, end_ns, step_ns; /* begin <= end, step > 0 */
    void (*give)(void *context, int64_t time_ns, double value);
    void *context;
    int64_t next_ns;                   /* the step that is due */
    bool is_over, has_sample;
    int64_t sample_ns;
    double sample;
} tcsi_steps;

void tcsi_steps_begin(tcsi_steps *steps);
/* A sample; NaN: none. */
void tcsi_steps_push(tcsi_steps *steps, int64_t time_ns, double value);
void tcsi_steps_end(tcsi_steps *steps);

#endif
