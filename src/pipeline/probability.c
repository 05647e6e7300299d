/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/probability.h"

#include "base/alloc.h"

#include <math.h>

tcs_status tcsi_probability_check(double share, tcs_error *err)
{
    if (share >= 0 && share < 1) return TCS_OK;
    return tcsi_fail(err, TCS_E_INVALID, "a share of anomalous rows of %g, expected above 0 and below 1", share);
}

tcsi_calibrator tcsi_probability_assume(double share)
{
    return tcsi_calibrator_assume(share > 0 ? share : TCSI_ANOMALY_SHARE);
}

/* Weights with which the rows that count have as large a share of anomalous ones as all rows do. */
static void weigh(const uint8_t *labels, size_t count, const double share_used, double *ret_weights)
{
    size_t anomalous = 0;
    for (size_t i = 0; i < count; i++) anomalous += labels[i] != 0;
    const double share = (double)anomalous / (double)count;
    for (size_t i = 0; i < count; i++) ret_weights[i] = labels[i] ? share / share_used : (1 - share) / (1 - share_used);
}

tcs_status tcsi_probability_learn(const double *p_values, const uint8_t *labels, size_t count, double share,
                                  tcsi_calibrator *ret_calibrator, tcs_error *err)
{
    size_t used[2] = { 0, 0 };
    for (size_t i = 0; i < count; i++) used[labels[i] != 0] += !isnan(p_values[i]);
    if (used[0] == 0 || used[1] == 0) {
        *ret_calibrator = tcsi_probability_assume(share);
        return TCS_OK;
    }
    double *weights = TCSI_NEW_ARRAY(double, count);
    if (!weights) return tcsi_fail_memory(err, "probabilities");
    weigh(labels, count, (double)used[1] / (double)(used[0] + used[1]), weights);
    const tcsi_calibrate_rows rows = { .values = p_values, .labels = labels, .weights = weights, .count = count, .is_p_value = true };
    tcs_status status = tcsi_calibrator_choose(&rows, ret_calibrator, err);
    tcsi_free(weights);
    return status;
}

tcs_status tcsi_probability_learn_scores(const tcs_score *scores, const uint8_t *labels, size_t count,
                                         bool (*is_used)(const void *context, size_t row), const void *context, double share,
                                         tcsi_calibrator *ret_calibrator, tcs_error *err)
{
    double *p_values = TCSI_NEW_ARRAY(double, count);
    if (!p_values) return tcsi_fail_memory(err, "probabilities");
    for (size_t t = 0; t < count; t++)
        p_values[t] = scores[t].state == TCS_SCORE_READY && is_used(context, t) ? scores[t].p_value : NAN;
    tcs_status status = tcsi_probability_learn(p_values, labels, count, share, ret_calibrator, err);
    tcsi_free(p_values);
    return status;
}

double tcsi_probability_of(const tcsi_calibrator *calibrator, const tcs_score *score)
{
    return score->state == TCS_SCORE_READY ? tcsi_calibrator_probability(calibrator, score->p_value) : NAN;
}
