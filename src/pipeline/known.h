/* pipeline/known.h -- knowledge (knowledge/knowledge.h) of one detection: the frame as the detector saw it, and what is said of episodes.
 * Ranges, derived channels and residuals act before the detector, orders on the policy's decision; after it rules are weighed against it
 * and each other, and episodes that look like a known failure are called so. */
#ifndef TCS_PIPELINE_KNOWN_H
#define TCS_PIPELINE_KNOWN_H

#include "knowledge/bound.h"
#include "knowledge/votes.h"
#include "pipeline/detect.h"

typedef struct tcsi_known {
    tcsi_bound *bound;
    tcsi_constraints *constraints; /* of bound, for a detector that is to learn from the rows; NULL: none, or it has learned */
    tcsi_applied applied;
    tcsi_votes votes;       /* counts NULL without rules */
    size_t *signatures;     /* (episode_count) knowledge->signature_count: none */
    double *probabilities;  /* (episode_count) that it is one, by rules and detector; NaN without rules, and where a limit was passed */
} tcsi_known;

/* What of bound's constraints is told to a detector (detect/constraints.h): *ret is NULL where there are none.  They outlive the detector
 * that was made with them, and need bound no longer.  E_MEMORY. */
tcs_status tcsi_known_constraints_create(const tcsi_bound *bound, tcsi_constraints **ret_constraints, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_known_constraints_destroy(tcsi_constraints *constraints); /* accepts NULL */
size_t tcsi_known_constraints_size(const tcsi_constraints *constraints); /* bytes; of NULL 0 */

/* Knowledge of a frame's channels; the first problem becomes the error. */
tcs_status tcsi_known_bind(const tcsi_knowledge *knowledge, const char *const *names, size_t channel_count, bool has_times,
                           tcsi_bound **ret_bound, tcs_error *err) TCS_WARN_UNUSED;
/* ... and of its rows.  has_times: the frame's times are more than row numbers. */
tcs_status tcsi_known_create(const tcsi_knowledge *knowledge, const tcsi_frame *frame, bool has_times, tcsi_known **ret_known,
                             tcs_error *err) TCS_WARN_UNUSED;
/* bound, which it takes over even in failure, has seen the rows before; frame: where the rows that come now will be. */
tcs_status tcsi_known_follow(tcsi_bound *bound, const tcsi_frame *frame, tcsi_known **ret_known, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_known_destroy(tcsi_known *known); /* accepts NULL */
/* The detection, of known->applied.frame, has decided. */
tcs_status tcsi_known_conclude(tcsi_known *known, const tcsi_detection *detection, tcs_error *err) TCS_WARN_UNUSED;

#endif
