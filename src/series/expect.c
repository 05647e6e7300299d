/* series/expect.c -- a robust expectation with a band: moving median, seasonal medians, scaled quantiles.
 *
 * Two candidates compete.  Plain: the moving median of about a fiftieth of the series.  Seasonal (period known, at least three
 * repetitions): take out a moving median of one period, take the median residual of each phase as profile, then a moving median of
 * what the profile leaves.  The one with the smaller 90 % quantile of absolute residuals wins; a tenth of the rows may be
 * anomalous without a say in that.  Medians throughout are what keeps an event out of its own expectation; the design follows
 * STL with robustness carried by medians instead of reweighting (R. Cleveland et al., "STL: a seasonal-trend decomposition
 * procedure based on loess", J. Official Statistics 6(1), 1990; A. Dokumentov & R. Hyndman's robust variants).
 *
 * Band: residuals are divided by their local size (moving median of absolute residuals, floored at half the overall one, so
 * that calm hours get a narrower band but never none).  Upper edge: the 99.5 % quantile of the standardized residuals, but no
 * less than 1.566 and no more than twice that times the 95 % quantile; 1.566 = 2.576 / 1.645, a normal distribution's ratio.
 * The lower bound guards against few rows, the upper one against events that make up more than half a per cent.
 *
 * Cost: O(n log n): three or four moving medians.  Memory: 6 n doubles.  SPDX-License-Identifier: Apache-2.0 */
#include "series/expect.h"

#include "base/alloc.h"
#include "series/moving.h"
#include "series/resample.h"
#include "series/stats.h"

#include <math.h>
#include <string.h>

enum { WIDTH_MIN = 11, WIDTH_MAX = 2001, REPETITIONS_MIN = 3 };
static const double band_ratio = 1.566;

typedef struct work {
    size_t count;
    double *plain;    /* expectation without season */
    double *seasonal; /* with */
    double *residual;
    double *size;     /* local size of residuals */
    double *scratch, *other;
} work;

static void work_deinit(work *w)
{
    tcsi_free(w->plain);
    tcsi_free(w->seasonal);
    tcsi_free(w->residual);
    tcsi_free(w->size);
    tcsi_free(w->scratch);
    tcsi_free(w->other);
}

static tcs_status work_init(work *w, size_t count, tcs_error *err)
{
    *w = (work){ .count = count };
    w->plain = TCSI_NEW_ARRAY(double, count);
    w->seasonal = TCSI_NEW_ARRAY(double, count);
    w->residual = TCSI_NEW_ARRAY(double, count);
    w->size = TCSI_NEW_ARRAY(double, count);
    w->scratch = TCSI_NEW_ARRAY(double, count);
    w->other = TCSI_NEW_ARRAY(double, count);
    bool ok = w->plain && w->seasonal && w->residual && w->size && w->scratch && w->other;
    return ok ? TCS_OK : tcsi_fail_memory(err, "an expectation");
}

/* Moving median without holes: windows with nothing present are bridged. */
static tcs_status level_of(const double *values, size_t count, size_t width, double *ret_level, tcs_error *err)
{
    tcs_status status = tcsi_moving_median(values, count, width, ret_level, err);
    if (status == TCS_OK) (void)tcsi_fill_short_gaps(ret_level, count, SIZE_MAX, NULL);
    return status;
}

static void subtract(const double *a, const double *b, size_t count, double *ret)
{
    for (size_t i = 0; i < count; i++) ret[i] = tcsi_present(a[i]) ? a[i] - b[i] : NAN;
}

/* residual by phase -> medians, written back over the whole length; a phase that is never present gets 0. */
static void profile_of(work *w, size_t period, double *ret_profile)
{
    for (size_t phase = 0; phase < period; phase++) {
        size_t found = 0;
        for (size_t i = phase; i < w->count; i += period)
            if (tcsi_present(w->residual[i])) w->scratch[found++] = w->residual[i];
        double median = found > 0 ? tcsi_quantile_inplace(w->scratch, found, 0.5) : 0;
        for (size_t i = phase; i < w->count; i += period) ret_profile[i] = median;
    }
}

static tcs_status expect_seasonal(work *w, const double *values, size_t period, size_t width, tcs_error *err)
{
    double *profile = w->other;
    tcs_status status = level_of(values, w->count, period | 1, w->seasonal, err);
    if (status != TCS_OK) return status;
    subtract(values, w->seasonal, w->count, w->residual);
    profile_of(w, period, profile);
    subtract(values, profile, w->count, w->residual);
    status = level_of(w->residual, w->count, width, w->seasonal, err);
    for (size_t i = 0; status == TCS_OK && i < w->count; i++) w->seasonal[i] += profile[i];
    return status;
}

/* 90 % quantile of |value - expected|. */
static double residual_size(work *w, const double *values, const double *expected)
{
    subtract(values, expected, w->count, w->residual);
    for (size_t i = 0; i < w->count; i++) w->residual[i] = fabs(w->residual[i]);
    return tcsi_quantile(w->residual, w->count, 0.9, w->scratch);
}

/* Distance of a band's edge from the centre, for residuals counted towards that side. */
static double edge(const double *residuals, size_t count, double *scratch, double sign)
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++)
        if (tcsi_present(residuals[i])) scratch[found++] = sign * residuals[i];
    double far = tcsi_quantile_inplace(scratch, found, 0.995), near = fmax(tcsi_quantile_inplace(scratch, found, 0.95), 0);
    return fmin(fmax(far, band_ratio * near), 2 * band_ratio * near);
}

/* Local size of absolute residuals, floored; 1 everywhere when residuals are 0 or absent. */
static tcs_status local_size(work *w, size_t width, tcs_error *err)
{
    for (size_t i = 0; i < w->count; i++) w->other[i] = fabs(w->residual[i]);
    double overall = tcsi_median(w->other, w->count, w->scratch);
    if (!(overall > 0)) { /* more than half are exactly as expected: nothing local can be said */
        for (size_t i = 0; i < w->count; i++) w->size[i] = 1;
        return TCS_OK;
    }
    tcs_status status = level_of(w->other, w->count, width, w->size, err);
    for (size_t i = 0; status == TCS_OK && i < w->count; i++) w->size[i] = fmax(w->size[i], 0.5 * overall);
    return status;
}

/* Residuals over local sizes, to full range: a size of 1e-300 must not make them infinite. */
static void standardize(work *w)
{
    for (size_t i = 0; i < w->count; i++) {
        double value = w->residual[i] / w->size[i];
        w->residual[i] = isnan(value) ? NAN : fmin(fmax(value, -1e100), 1e100);
    }
}

static double put_band(work *w, const double *values, const double *expected, double *ret_expected, double *ret_low, double *ret_high)
{
    double up = edge(w->residual, w->count, w->scratch, 1), down = edge(w->residual, w->count, w->scratch, -1);
    size_t inside = 0, present = 0;
    for (size_t i = 0; i < w->count; i++) {
        double least = 4e-16 * fabs(expected[i]); /* a constant channel: its own rounding is inside */
        ret_expected[i] = expected[i];
        ret_low[i] = expected[i] - fmax(down * w->size[i], least);
        ret_high[i] = expected[i] + fmax(up * w->size[i], least);
        if (!tcsi_present(values[i])) continue;
        present++;
        inside += values[i] >= ret_low[i] && values[i] <= ret_high[i];
    }
    return present > 0 ? (double)inside / (double)present : 0;
}

static size_t level_width(size_t count)
{
    size_t width = count / 50 | 1;
    return width < WIDTH_MIN ? WIDTH_MIN : width > WIDTH_MAX ? WIDTH_MAX : width;
}

static tcs_status expect_present(work *w, const double *values, size_t period, double *ret_expected, double *ret_low, double *ret_high,
                                 tcsi_expect_report *report, tcs_error *err)
{
    size_t width = level_width(w->count), seasonal_width = width > period ? width : period | 1;
    tcs_status status = level_of(values, w->count, width, w->plain, err);
    if (status == TCS_OK && period >= 2 && period <= w->count / REPETITIONS_MIN) {
        status = expect_seasonal(w, values, period, seasonal_width, err);
        if (status == TCS_OK) report->seasonal = residual_size(w, values, w->seasonal) < residual_size(w, values, w->plain);
    }
    if (status != TCS_OK) return status;
    const double *expected = report->seasonal ? w->seasonal : w->plain;
    report->level_width = report->seasonal ? seasonal_width : width;
    subtract(values, expected, w->count, w->residual);
    status = local_size(w, 4 * report->level_width + 1, err);
    if (status != TCS_OK) return status;
    standardize(w);
    report->inside_share = put_band(w, values, expected, ret_expected, ret_low, ret_high);
    return TCS_OK;
}

tcs_status tcsi_expect(const double *values, size_t count, size_t period, double *ret_expected, double *ret_low, double *ret_high,
                       tcsi_expect_report *ret_report, tcs_error *err)
{
    tcsi_expect_report report = { 0 };
    size_t first = 0;
    while (first < count && !tcsi_present(values[first])) first++;
    if (first == count) {
        for (size_t i = 0; i < count; i++) ret_expected[i] = ret_low[i] = ret_high[i] = NAN;
        if (ret_report) *ret_report = report;
        return TCS_OK;
    }
    work w;
    tcs_status status = work_init(&w, count, err);
    if (status == TCS_OK) status = expect_present(&w, values, period, ret_expected, ret_low, ret_high, &report, err);
    work_deinit(&w);
    if (status == TCS_OK && ret_report) *ret_report = report;
    return status;
}
