/* pipeline/explain.h -- why a detection's episodes alarmed: explain/explanation.h, asked about a detection.
 * Whole explanations need the detector, which stays with the detection where options.keep says so; brief ones do without. */
#ifndef TCS_PIPELINE_EXPLAIN_H
#define TCS_PIPELINE_EXPLAIN_H

#include "explain/explanation.h"
#include "pipeline/detect.h"
#include "pipeline/stream.h"

/* The detection as explanations see it; borrowed from it. */
tcsi_subject tcsi_detection_subject(const tcsi_detection *detection);

/* As tcsi_explain, in whatever order the episodes are given. */
tcs_status tcsi_detection_explain(const tcsi_detection *detection, const size_t *episodes, size_t count,
                                  const tcsi_explain_options *options, tcsi_explanation *ret_explanations, tcs_error *err) TCS_WARN_UNUSED;
tcs_status tcsi_detection_explain_briefly(const tcsi_detection *detection, size_t episode, tcsi_explanation *ret_explanation,
                                          tcs_error *err) TCS_WARN_UNUSED;
/* The last episode of a stream that remembers its last rows (recent.h), as known after the last outcome.  *ret_subject: what it is about,
 * borrowed until the next outcome.  E_INVALID: no episode yet, or its rows are gone; E_UNSUPPORTED: rows are forgotten; E_MEMORY. */
tcs_status tcsi_detect_stream_explain(const tcsi_detect_stream *stream, tcsi_subject *ret_subject, tcsi_explanation *ret_explanation,
                                      tcs_error *err) TCS_WARN_UNUSED;

#endif
