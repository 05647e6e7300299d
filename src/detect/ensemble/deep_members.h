/* detect/ensemble/deep_members.h -- what networks add to the experts' score of one channel.
 *
 * Two that look at the series in other ways than the experts do: a contrastive patch encoder, trained on the first rows of the series
 * (deep/contrastive.c), and networks that were trained once, on simulated series (deep/judges.h, on values).  Both are standardized and
 * added to the standardized score with one weight: a sum of standardized members, C. C. Aggarwal, S. Sathe, "Outlier Ensembles", 2017,
 * section 5.  What each is worth: `make bench-ablation`, docs/internals/deep.md.
 * Threads: one caller per instance. */
#ifndef TCS_DETECT_DEEP_MEMBERS_H
#define TCS_DETECT_DEEP_MEMBERS_H

#include "detect/detector.h"

typedef struct tcsi_deep_members tcsi_deep_members;

/* epochs: of the encoder; 0: its own default.  Its seed is always the same, so that the ensemble draws nothing.  pool: borrowed.
 * E_MEMORY. */
tcs_status tcsi_deep_members_create(size_t epochs, tcsi_pool *pool, tcsi_deep_members **ret_members, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_deep_members_destroy(tcsi_deep_members *members); /* accepts NULL */

typedef struct tcsi_deep_members_series {
    const double *x;                   /* (T), finite */
    size_t row_count, train_row_count; /* T >= 1; first rows that the encoder learns from */
    size_t period;                     /* rows */
} tcsi_deep_members_series;

enum { TCSI_DEEP_MEMBER_COUNT = 2 };

/* scores: (T), the experts' in, standardized and with the members added out.  A series that is too short for a member goes without it.
 * ret_members: (TCSI_DEEP_MEMBER_COUNT,T), of which *ret_count say something: what each added.  E_MEMORY, E_CANCELLED. */
tcs_status tcsi_deep_members_add(tcsi_deep_members *members, const tcsi_deep_members_series *series, double *scores, double *ret_members,
                                 size_t *ret_count, tcs_error *err) TCS_WARN_UNUSED;

/* Most bytes, for a series of so many rows; 0: those held between calls. */
size_t tcsi_deep_members_size_max(const tcsi_deep_members *members, size_t row_count);

#endif
