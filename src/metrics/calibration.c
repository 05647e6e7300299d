/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/calibration.h"

#include "base/alloc.h"
#include "metrics/ranking.h"

#include <math.h>

enum { BIN_COUNT = TCSI_RELIABILITY_BIN_COUNT };

static tcs_status check_unit(const double *values, size_t row_count, const char *what, tcs_error *err)
{
    for (size_t i = 0; i < row_count; i++)
        if (values[i] < 0.0 || values[i] > 1.0)
            return tcsi_fail(err, TCS_E_INVALID, "row %zu: %s of %g, expected 0 to 1", i, what, values[i]);
    return TCS_OK;
}

/* The mean of |g + noise| for noise of that variance, less |g|: what chance adds to a bin's gap. */
static double gap_by_chance(double gap, double variance)
{
    const double pi = 3.14159265358979323846, size = fabs(gap);
    if (!(variance > 0)) return 0;
    return sqrt(2 * variance / pi) * exp(-size * size / (2 * variance)) + size * erf(size / sqrt(2 * variance)) - size;
}

/* bins hold counts and sums: turns them into means, and adds up what is said over bins. */
static void sum_bins(tcsi_calibration *c, double count, double base)
{
    c->uncertainty = base * (1 - base);
    for (size_t bin = 0; bin < BIN_COUNT; bin++) {
        tcsi_reliability_bin *b = &c->bins[bin];
        const double n = (double)b->count, weight = n / count, gap = fabs(b->probability - b->share) / n;
        b->probability /= n; /* 0 / 0 of an empty bin is NaN */
        b->share /= n;
        if (b->count == 0) continue;
        c->ece += weight * gap;
        c->ece_debiased += weight * (gap - gap_by_chance(gap, b->share * (1 - b->share) / n));
        c->reliability += weight * gap * gap;
        c->resolution += weight * (b->share - base) * (b->share - base);
    }
    c->ece_debiased = fmax(c->ece_debiased, 0);
}

tcs_status tcsi_calibration_compute(const double *probabilities, const uint8_t *labels, size_t row_count,
                                    tcsi_calibration *ret_calibration, tcs_error *err)
{
    tcs_status status = check_unit(probabilities, row_count, "a probability", err);
    if (status != TCS_OK) return status;
    tcsi_calibration c = { 0 };
    size_t count = 0, positive_count = 0;
    for (size_t i = 0; i < row_count; i++) {
        const double p = probabilities[i], label = labels[i] ? 1.0 : 0.0, of_label = labels[i] ? p : 1 - p;
        if (isnan(p)) continue;
        const size_t bin = (size_t)(p * BIN_COUNT);
        tcsi_reliability_bin *b = &c.bins[bin < BIN_COUNT ? bin : BIN_COUNT - 1];
        b->count++;
        b->probability += p;
        b->share += label;
        c.brier += (p - label) * (p - label);
        c.log_loss -= log(fmin(fmax(of_label, 1e-15), 1 - 1e-15));
        positive_count += labels[i] != 0;
        count++;
    }
    sum_bins(&c, (double)count, (double)positive_count / (double)count);
    c.brier /= (double)count;
    c.log_loss /= (double)count;
    if (count == 0) c.ece = c.ece_debiased = c.reliability = c.resolution = NAN;
    *ret_calibration = c;
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
