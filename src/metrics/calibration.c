/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/calibration.h"

#include "base/alloc.h"
#include "metrics/ranking.h"

#include <math.h>

enum { BIN_COUNT = 15 };

static tcs_status check_unit(const double *values, size_t row_count, const char *what, tcs_error *err)
{
    for (size_t i = 0; i < row_count; i++)
        if (values[i] < 0.0 || values[i] > 1.0)
            return tcsi_fail(err, TCS_E_INVALID, "row %zu: %s of %g, expected 0 to 1", i, what, values[i]);
    return TCS_OK;
}

tcs_status tcsi_calibration_compute(const double *probabilities, const uint8_t *labels, size_t row_count,
                                    tcsi_calibration *ret_calibration, tcs_error *err)
{
    tcs_status status = check_unit(probabilities, row_count, "a probability", err);
    if (status != TCS_OK) return status;
    double gaps[BIN_COUNT] = { 0 }, squares = 0.0, gap_sum = 0.0;
    size_t count = 0;
    for (size_t i = 0; i < row_count; i++) {
        double p = probabilities[i];
        if (isnan(p)) continue;
        double gap = p - (labels[i] ? 1.0 : 0.0);
        size_t bin = (size_t)(p * BIN_COUNT);
        gaps[bin < BIN_COUNT ? bin : BIN_COUNT - 1] += gap;
        squares += gap * gap;
        count++;
    }
    for (size_t bin = 0; bin < BIN_COUNT; bin++) gap_sum += fabs(gaps[bin]); /* rows in the bin times its mean gap */
    *ret_calibration = count ? (tcsi_calibration){ squares / (double)count, gap_sum / (double)count } : (tcsi_calibration){ NAN, NAN };
    return TCS_OK;
}

/* Keeps the p-values of normal rows, in the order of the rows. */
static size_t keep_normal(const double *p_values, const uint8_t *labels, size_t row_count, double *ret_kept)
{
    size_t count = 0;
    for (size_t i = 0; i < row_count; i++)
        if (!labels[i] && !isnan(p_values[i])) ret_kept[count++] = p_values[i];
    return count;
}

/* The empirical distribution steps at each distinct value: the gap is looked at just before and just after. */
static double uniform_distance(const tcsi_ranking *ranking)
{
    double n = (double)ranking->row_count, worst = 0.0;
    for (size_t p = 0; p < ranking->row_count;) { /* from the largest p-value down */
        size_t end = tcsi_ranking_tie_end(ranking, p);
        double value = tcsi_ranking_score(ranking, p), at_most = (n - (double)p) / n, below = (n - (double)end) / n;
        worst = fmax(worst, fmax(at_most - value, value - below));
        p = end;
    }
    return worst;
}

tcs_status tcsi_p_value_error(const double *p_values, const uint8_t *labels, size_t row_count, double *ret_error, tcs_error *err)
{
    tcs_status status = check_unit(p_values, row_count, "a p-value", err);
    if (status != TCS_OK) return status;
    double *kept = TCSI_NEW_ARRAY(double, row_count);
    if (!kept) return tcsi_fail_memory(err, "p-values of normal rows");
    tcsi_ranking ranking = { 0 };
    size_t count = keep_normal(p_values, labels, row_count, kept);
    if (count) status = tcsi_ranking_init(kept, count, &ranking, err);
    if (status == TCS_OK) *ret_error = count ? uniform_distance(&ranking) : NAN;
    tcsi_ranking_deinit(&ranking);
    tcsi_free(kept);
    return status;
}
