/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/deep/trial.h"

#include "base/alloc.h"

#include <math.h>

static const double ONE_IN_TWENTY = 1.6449;

/* The share of the other kind that the window stands on the right side of. */
static double placement(const double *scores, const uint8_t *is_true, size_t count, size_t of)
{
    double right = 0, others = 0;
    for (size_t i = 0; i < count; i++) {
        if (!is_true[i] == !is_true[of]) continue;
        const double high = is_true[of] ? scores[of] : scores[i], low = is_true[of] ? scores[i] : scores[of];
        right += high > low ? 1 : high == low ? 0.5 : 0;
        others++;
    }
    return right / others;
}

/* Of placements of both sides among windows of one kind, their covariance divided by their number. */
static double covariance(const double *a, const double *b, const uint8_t *is_true, size_t count, bool kind, double mean_a, double mean_b)
{
    double sum = 0, n = 0;
    for (size_t i = 0; i < count; i++) {
        if ((is_true[i] != 0) != kind) continue;
        sum += (a[i] - mean_a) * (b[i] - mean_b);
        n++;
    }
    return sum / (n - 1) / n;
}

tcs_status tcsi_deep_trial_run(const double *const scores[TCSI_DEEP_SIDES], const uint8_t *is_true, size_t count,
                               tcsi_deep_trial *ret_trial, tcs_error *err)
{
    tcsi_deep_trial trial = { .gain = 0 };
    double *placements[TCSI_DEEP_SIDES], variance[TCSI_DEEP_SIDES][TCSI_DEEP_SIDES] = { { 0 } };
    for (size_t i = 0; i < count; i++) trial.counts[is_true[i] != 0]++;
    if (trial.counts[0] < 2 || trial.counts[1] < 2)
        return tcsi_fail(err, TCS_E_INVALID, "%zu true and %zu other windows; expected two of each", trial.counts[1], trial.counts[0]);
    placements[0] = TCSI_NEW_ARRAY(double, TCSI_DEEP_SIDES * count);
    if (!placements[0]) return tcsi_fail_memory(err, "a trial");
    placements[1] = placements[0] + count;
    for (size_t s = 0; s < TCSI_DEEP_SIDES; s++)
        for (size_t i = 0; i < count; i++) {
            placements[s][i] = placement(scores[s], is_true, count, i);
            if (is_true[i]) trial.auc[s] += placements[s][i] / (double)trial.counts[1];
        }
    for (size_t s = 0; s < TCSI_DEEP_SIDES; s++)
        for (size_t o = 0; o < TCSI_DEEP_SIDES; o++)
            for (int kind = 0; kind < 2; kind++)
                variance[s][o] += covariance(placements[s], placements[o], is_true, count, kind, trial.auc[s], trial.auc[o]);
    for (size_t s = 0; s < TCSI_DEEP_SIDES; s++) trial.deviation[s] = sqrt(fmax(variance[s][s], 0));
    trial.gain = trial.auc[TCSI_DEEP_CHALLENGER] - trial.auc[TCSI_DEEP_CHAMPION];
    trial.gain_deviation = sqrt(fmax(variance[0][0] + variance[1][1] - 2 * variance[0][1], 0));
    tcsi_free(placements[0]);
    *ret_trial = trial;
    return TCS_OK;
}

double tcsi_deep_trial_gain_low(const tcsi_deep_trial *trial)
{
    return trial->gain - ONE_IN_TWENTY * trial->gain_deviation;
}
