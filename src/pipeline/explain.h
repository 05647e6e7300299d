/* pipeline/explain.h -- why a detection's episodes alarmed: explain/explanation.h, asked about a detection.
 * Whole explanations need the detector, which stays with the detection where options.keep says so; brief ones do without. */
#ifndef TCS_PIPELINE_EXPLAIN_H
#define TCS_PIPELINE_EXPLAIN_H

#include "explain/explanation.h"
#include "pipeline/detect.h"

/* The detection as explanations see it; borrowed from it. */
tcsi_subject tcsi_detection_subject(const tcsi_detection *detection);

/* As tcsi_explain, in whatever order the episodes are given. */
tcs_status tcsi_detection_explain(const tcsi_detection *detection, const size_t *episodes, size_t count,
                                  const tcsi_explain_options *options, tcsi_explanation *ret_explanations, tcs_error *err) TCS_WARN_UNUSED;
tcs_status tcsi_detection_explain_briefly(const tcsi_detection *detection, size_t episode, tcsi_explanation *ret_explanation,
                                          tcs_error *err) TCS_WARN_UNUSED;

#endif
