/* apps/preview.h -- what a policy would have done on rows that are there: simulated before it is adopted. */
#ifndef TOCSIN_APPS_PREVIEW_H
#define TOCSIN_APPS_PREVIEW_H

#include "cli.h"

#include "base/json.h"

/* Judges the frame as `asked` says, and under the other usual policies beside it, and prints a table of alarms promised, raised and, where
 * there are labels, right, then the episodes of the first; w: into a JSON document instead, as the value of the key that was begun. */
tcs_status cli_preview(const tcs_frame *frame, const tcs_detect_options *asked, const char *input, tcsi_json_writer *w,
                       tcs_error *err) TCS_WARN_UNUSED;

#endif
