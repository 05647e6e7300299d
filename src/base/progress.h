/* base/progress.h -- how far a long piece of work has come, told to whoever asked.
 * The callback may not call back into the library; returning false asks the work to stop, which ends it with E_CANCELLED.
 * Threads: called from the thread that called the library. */
#ifndef TCS_BASE_PROGRESS_H
#define TCS_BASE_PROGRESS_H

#include "base/status.h"

typedef struct tcsi_progress {
    bool (*report)(void *context, double share); /* share of the work done, in [0, 1], never falling; NULL: nobody asked */
    void *context;
} tcsi_progress;

/* TCS_OK to go on.  progress may be NULL. */
static inline tcs_status tcsi_progress_report(const tcsi_progress *progress, double share, tcs_error *err)
{
    if (!progress || !progress->report || progress->report(progress->context, share)) return TCS_OK;
    return tcsi_fail(err, TCS_E_CANCELLED, "stopped on request, %.0f %% done", 100 * share);
}

/* Progress of part `index` of `count` equal ones, told to whole (or NULL) as its own share. */
typedef struct tcsi_progress_part {
    tcsi_progress progress; /* hand its address on: it must not move */
    const tcsi_progress *whole;
    double begin, share;
} tcsi_progress_part;

void tcsi_progress_part_init(tcsi_progress_part *part, const tcsi_progress *whole, size_t index, size_t count);

#endif
