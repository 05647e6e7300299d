/* detect/deep/judges.h -- the networks that the library brings along (weights/), asked together.
 *
 * Several judges (judge.h) of one view, from different first weights, read the same blocks; what they say is standardized over the series
 * and added, brought back to rows, averaged over a quarter of the period and standardized: a deep ensemble (B. Lakshminarayanan,
 * A. Pritzel, C. Blundell, "Simple and scalable predictive uncertainty estimation using deep ensembles", NeurIPS 2017) that never saw the
 * series.  How they were trained: study/pretrain.h; what they are good for: docs/reference/pretrained-networks.md. */
#ifndef TCS_DETECT_DEEP_JUDGES_H
#define TCS_DETECT_DEEP_JUDGES_H

#include "detect/deep/judge.h"

typedef struct tcsi_judges tcsi_judges;

/* Those of a view; with VALUES those with attention too.  score_count: of the blocks that they will see.  E_MEMORY. */
tcs_status tcsi_judges_create(tcsi_judge_view view, size_t score_count, tcsi_judges **ret_judges, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_judges_destroy(tcsi_judges *judges); /* accepts NULL */

/* ret_rows: (T), mean 0 and deviation 1, or 0 throughout where the judges see no difference.  E_MEMORY. */
tcs_status tcsi_judges_score(tcsi_judges *judges, const tcsi_blocks *blocks, size_t period, tcsi_pool *pool, double *ret_rows,
                             tcs_error *err) TCS_WARN_UNUSED;

/* Most bytes of judges, and of scoring so many rows with blocks of so many channels. */
size_t tcsi_judges_size_max(const tcsi_judges *judges, size_t row_count);

#endif
