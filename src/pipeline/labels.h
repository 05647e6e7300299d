/* pipeline/labels.h -- what a detection's episodes are called: by people who name rows, by the known failure that they look like, by the
 * labels of the frame, in this order.  It is told of earlier episodes that one is like, and decides nothing. */
#ifndef TCS_PIPELINE_LABELS_H
#define TCS_PIPELINE_LABELS_H

#include "pipeline/detect.h"

/* Labels of all episodes as signatures and the frame's labels have them, unless they are there already.  E_MEMORY. */
tcs_status tcsi_detection_label(tcsi_detection *detection, tcs_error *err) TCS_WARN_UNUSED;
/* Rows [row_begin, row_end) were this: it is copied to all episodes with one of them, in place of what they were called.  E_MEMORY. */
tcs_status tcsi_detection_name_rows(tcsi_detection *detection, size_t row_begin, size_t row_end, const char *text,
                                    tcs_error *err) TCS_WARN_UNUSED;
void tcsi_detection_labels_destroy(tcsi_detection *detection);

#endif
