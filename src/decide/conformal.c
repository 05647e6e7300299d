/* SPDX-License-Identifier: Apache-2.0 */
#include "decide/conformal.h"

#include <math.h>

double tcsi_conformal_p_value(const tcsi_rank_window *reference, double score)
{
    return ((double)tcsi_rank_window_at_least(reference, score) + 1) / ((double)reference->count + 1);
}

double tcsi_conformal_quantile(const tcsi_rank_window *reference, double level)
{
    /* A share as 0.95 is no binary number: 0.95 * 20 must not ask for more than 19 rows. */
    return tcsi_rank_window_quantile(reference, level * ((double)reference->count + 1) * (1 - 1e-13));
}
