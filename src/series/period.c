/* series/period.c -- one period the way the benchmark counts it, and several periods the way a series has them.
 *
 * tcsi_period_find reproduces find_length_rank(x, 1) of TSB-AD (Q. Liu & J. Paparrizos, "The elephant in the room: towards a
 * reliable time-series anomaly detection benchmark", NeurIPS 2024), because the measures' window and the `auto` recipe are
 * defined by it: biased autocorrelation, strict local maxima, its constants.  It is kept apart from anything better.
 *
 * tcsi_periods_find looks for several periods up to a week of minutes:
 *   1. take out a robust line (Theil-Sen over block medians), clip outliers, take out what is slower than 2 period_max;
 *   2. autocorrelation from the padded spectrum (Wiener-Khinchin), made unbiased by n / (n - lag);
 *   3. the shortest lag whose hill rises nearly as far above the valleys on both sides as the highest one does: the period and
 *      not a multiple of it;
 *   4. the spectrum must show a line there (its fundamental or a harmonic stands out of its surroundings), as in M. Vlachos,
 *      P. Yu, V. Castelli, "On periodicity detection and structural periodic similarity", SDM 2005, in the other direction:
 *      there the spectrum proposes and the autocorrelation checks; hills are the sharper proposal for long periods;
 *   5. strength: how much of the variance around the local level a profile by phase explains when every value is predicted
 *      from the *other* repetitions (leave one out).  A random walk shows hills too, but no profile predicts its next cycle;
 *   6. take the profile out and begin again at 2.
 *
 * Cost: a few transforms of the padded length per period found.  SPDX-License-Identifier: Apache-2.0 */
#include "series/period.h"

#include "base/alloc.h"
#include "series/fft.h"
#include "series/moving.h"
#include "series/stats.h"

#include <math.h>
#include <string.h>

/* TSB-AD's constants. */
enum { ROWS_MAX = 20000, LAG_MAX = 400, LAG_BASE = 3, PLACE_MIN = 3, PLACE_MAX = 300 };

/* Ours, for several periods. */
enum { REPETITIONS_MIN = 3, BLOCK_COUNT = 64, HARMONIC_COUNT = 4, ATTEMPT_COUNT = 8 };
static const double prominence_min = 0.1;   /* of a hill, in units of correlation */
static const double prominence_share = 0.4; /* a shorter hill is preferred from this share of the highest on */
static const double contrast_min = 8;       /* of a line over the median power around it */
static const double strength_min = 0.05;
static const double clip_spreads = 5;

/* The highest strict local maximum of correlations[LAG_BASE..], as argrelextrema and argsort have it. */
static size_t highest_peak(const double *correlations, size_t count)
{
    size_t best = 0;
    for (size_t lag = LAG_BASE + 1; lag + 1 < count; lag++) {
        double here = correlations[lag];
        if (here > correlations[lag - 1] && here > correlations[lag + 1] && (best == 0 || here >= correlations[best])) best = lag;
    }
    return best;
}

size_t tcsi_period_size_max(size_t count)
{
    /* At most ROWS_MAX rows are padded to a power of two and transformed. */
    size_t searched = count < ROWS_MAX ? count : ROWS_MAX;
    return (searched + 16) * 4 * 16 * sizeof(double) + 65536;
}

tcs_status tcsi_period_find(const double *values, size_t count, size_t *ret_period, tcs_error *err)
{
    return tcsi_period_find_or(values, count, TCSI_PERIOD_DEFAULT, ret_period, err);
}

tcs_status tcsi_period_find_or(const double *values, size_t count, size_t period_default, size_t *ret_period, tcs_error *err)
{
    size_t n = count < ROWS_MAX ? count : ROWS_MAX, lag_count = n < LAG_MAX + 1 ? n : LAG_MAX + 1;
    double correlations[LAG_MAX + 1];
    tcsi_moments m = tcsi_moments_of(values, n);
    tcs_status status = TCS_OK;
    size_t period = period_default;
    if (m.count > 0 && m.minimum < m.maximum) {
        double *centred = TCSI_NEW_ARRAY(double, n);
        if (!centred) return tcsi_fail_memory(err, "a period search");
        double scale = fmax(fabs(m.maximum - m.mean), fabs(m.minimum - m.mean)); /* 1e150 squared still fits; 1e-200 squared would not */
        for (size_t i = 0; i < n; i++) centred[i] = tcsi_present(values[i]) ? (values[i] - m.mean) / scale : 0.0;
        status = tcsi_autocovariance(centred, n, correlations, lag_count, err);
        tcsi_free(centred);
        if (status != TCS_OK) return status;
        size_t peak = highest_peak(correlations, lag_count);
        if (peak >= LAG_BASE + PLACE_MIN && peak <= LAG_BASE + PLACE_MAX) period = peak;
    }
    *ret_period = period;
    return status;
}

/* ---- several periods ---- */

typedef struct search {
    size_t count, lag_max, padded;
    double *residual;     /* (n) what is not explained yet */
    double *filtered;     /* (n) residual minus its local level */
    double *correlations; /* (lag_max + 2) */
    double *work;         /* (padded) */
    double *profile;      /* (lag_max + 2) sums, then means by phase */
    double *profile_counts;
    tcsi_rfft *rfft;      /* (padded) */
    tcsi_complex *spectrum;
} search;

static void search_deinit(search *s)
{
    tcsi_free(s->residual);
    tcsi_free(s->filtered);
    tcsi_free(s->correlations);
    tcsi_free(s->work);
    tcsi_free(s->profile);
    tcsi_free(s->profile_counts);
    tcsi_free(s->spectrum);
    tcsi_rfft_destroy(s->rfft);
}

static tcs_status search_init(search *s, size_t count, size_t lag_max, tcs_error *err)
{
    *s = (search){ .count = count, .lag_max = lag_max, .padded = tcsi_fft_good_count(count + lag_max + 2) };
    s->residual = TCSI_NEW_ARRAY(double, count);
    s->filtered = TCSI_NEW_ARRAY(double, count);
    s->correlations = TCSI_NEW_ARRAY(double, lag_max + 2);
    s->work = TCSI_NEW_ARRAY(double, s->padded);
    s->profile = TCSI_NEW_ARRAY(double, lag_max + 2);
    s->profile_counts = TCSI_NEW_ARRAY(double, lag_max + 2);
    s->spectrum = TCSI_NEW_ARRAY(tcsi_complex, s->padded / 2 + 1);
    if (!s->residual || !s->filtered || !s->correlations || !s->work || !s->profile || !s->profile_counts || !s->spectrum)
        return tcsi_fail_memory(err, "a period search");
    return tcsi_rfft_create(s->padded, &s->rfft, err);
}

/* Theil and Sen's slope, the median of the slopes between block medians, and the line's middle. */
static double robust_slope(const double *values, size_t count, double *scratch)
{
    double medians[BLOCK_COUNT], centers[BLOCK_COUNT], slopes[BLOCK_COUNT * (BLOCK_COUNT - 1) / 2];
    size_t block_count = 0, slope_count = 0;
    for (size_t b = 0; b < BLOCK_COUNT; b++) {
        size_t begin = count * b / BLOCK_COUNT, end = count * (b + 1) / BLOCK_COUNT;
        double median = tcsi_median(values + begin, end - begin, scratch);
        if (isnan(median)) continue;
        medians[block_count] = median;
        centers[block_count++] = 0.5 * (double)(begin + end);
    }
    for (size_t a = 0; a < block_count; a++)
        for (size_t b = a + 1; b < block_count; b++) slopes[slope_count++] = (medians[b] - medians[a]) / (centers[b] - centers[a]);
    return slope_count > 0 ? tcsi_quantile_inplace(slopes, slope_count, 0.5) : 0;
}

/* Leaves the line, the outliers and the slow part out; returns false when nothing is left. */
static bool prepare(search *s, const double *values, size_t period_max)
{
    size_t n = s->count;
    double slope = robust_slope(values, n, s->work);
    for (size_t i = 0; i < n; i++) s->residual[i] = values[i] - slope * (double)i;
    double center = tcsi_median(s->residual, n, s->work);
    double spread = TCSI_MAD_TO_DEVIATION * tcsi_mad(s->residual, n, center, s->work);
    double range = tcsi_quantile(s->residual, n, 0.99, s->work) - tcsi_quantile(s->residual, n, 0.01, s->work);
    spread = fmax(spread, range / 4.65); /* a normal distribution's range; keeps pulses of 1 % duty when the MAD is 0 */
    if (!(spread > 0)) return false;
    for (size_t i = 0; i < n; i++) {
        double value = tcsi_present(s->residual[i]) ? (s->residual[i] - center) / spread : 0.0;
        s->residual[i] = fmin(fmax(value, -clip_spreads), clip_spreads);
    }
    if (n > 4 * period_max) {
        tcsi_moving_mean(s->residual, n, 2 * period_max + 1, s->work);
        for (size_t i = 0; i < n; i++) s->residual[i] -= s->work[i];
    }
    double mean = tcsi_mean(s->residual, n);
    for (size_t i = 0; i < n; i++) s->residual[i] -= mean;
    return true;
}

/* Power into spectrum[].re, unbiased correlations at lags 0..lag_max + 1; false when the residual is nothing. */
static bool correlate(search *s)
{
    size_t n = s->count;
    memcpy(s->work, s->residual, n * sizeof *s->work);
    memset(s->work + n, 0, (s->padded - n) * sizeof *s->work);
    tcsi_rfft_forward(s->rfft, s->work, s->spectrum);
    for (size_t k = 0; k <= s->padded / 2; k++)
        s->spectrum[k] = (tcsi_complex){ s->spectrum[k].re * s->spectrum[k].re + s->spectrum[k].im * s->spectrum[k].im, 0 };
    tcsi_rfft_inverse(s->rfft, s->spectrum, s->work);
    if (!(s->work[0] > 1e-9 * (double)n)) return false; /* the residual began with a spread of about 1 */
    for (size_t lag = 0; lag <= s->lag_max + 1; lag++)
        s->correlations[lag] = s->work[lag] / s->work[0] * (double)n / (double)(n - lag);
    return true;
}

/* Height of the hill at lag over the higher of the lowest points before it and behind it (up to twice the lag). */
static double prominence(const double *r, size_t lag, size_t lag_end, double lowest_before)
{
    double lowest_behind = r[lag];
    size_t end = 2 * lag < lag_end ? 2 * lag : lag_end;
    for (size_t k = lag + 1; k < end; k++) lowest_behind = fmin(lowest_behind, r[k]);
    if (end < lag + lag / 2) lowest_behind = lowest_before; /* the valley behind lies out of sight */
    return r[lag] - fmax(lowest_before, lowest_behind);
}

static bool is_peak(const double *r, size_t lag)
{
    return r[lag] > 0 && r[lag] >= r[lag - 1] && r[lag] > r[lag + 1];
}

/* The top of the hill that lag stands on: the highest place within a tenth of it. */
static size_t climb(const double *r, size_t lag, size_t lag_max)
{
    for (;;) {
        size_t begin = lag - lag / 10, end = lag + lag / 10, top = lag;
        if (end > lag_max) end = lag_max;
        for (size_t k = begin; k <= end; k++)
            if (r[k] > r[top]) top = k;
        if (top == lag) return lag;
        lag = top;
    }
}

/* The shortest lag from lag_begin on with a hill nearly as prominent as the most prominent one; 0 for none.  Peaks that do not rise above
 * their own valley more than the best hill so far are passed over, so that the cost stays near linear. */
static size_t propose(const search *s, size_t lag_begin)
{
    const double *r = s->correlations;
    size_t lag_end = s->lag_max + 2;
    double best = 0;
    for (int pass = 0; pass < 2; pass++) {
        double lowest = r[1];
        for (size_t lag = 2; lag <= s->lag_max; lag++) {
            lowest = fmin(lowest, r[lag]);
            if (lag < lag_begin || !is_peak(r, lag) || r[lag] - lowest < prominence_min || (pass == 0 && r[lag] - lowest <= best)) continue;
            if (pass == 1 && r[lag] - lowest < prominence_share * best) continue;
            double height = prominence(r, lag, lag_end, lowest);
            if (pass == 0) best = fmax(best, height);
            else if (height >= fmax(prominence_share * best, prominence_min)) return climb(r, lag, s->lag_max);
        }
    }
    return 0;
}

/* Highest power near a frequency (in bins) over the median power around it. */
static double line_contrast(search *s, double bin)
{
    double reach = 1.5 * (double)s->padded / (double)s->count; /* a line's width in padded bins */
    size_t last = s->padded / 2;
    if (bin + reach > (double)last) return 0;
    size_t low = (size_t)fmax(1, 0.6 * bin), high = (size_t)fmin((double)last, 1.6 * bin), count = 0;
    double line = 0;
    for (size_t k = (size_t)fmax(1, bin - reach); k <= (size_t)(bin + reach); k++) line = fmax(line, s->spectrum[k].re);
    for (size_t k = low; k <= high; k++)
        if (fabs((double)k - bin) > 2 * reach) s->work[count++] = s->spectrum[k].re;
    if (count < 8) return contrast_min; /* too few bins to say anything against it */
    double around = tcsi_quantile_inplace(s->work, count, 0.5);
    return line / fmax(around, 1e-300);
}

static bool has_line(search *s, double period)
{
    for (int harmonic = 1; harmonic <= HARMONIC_COUNT; harmonic++)
        if (line_contrast(s, harmonic * (double)s->padded / period) >= contrast_min) return true;
    return false;
}

static size_t phase_of(size_t i, double period, size_t phase_count)
{
    size_t phase = (size_t)((double)i - period * floor((double)i / period));
    return phase < phase_count ? phase : phase_count - 1;
}

/* Fills profile with the mean of filtered by phase; returns the leave-one-out share of variance explained, or 0. */
static double profile_strength(search *s, double period)
{
    size_t phase_count = (size_t)ceil(period), n = s->count;
    double total = 0, left = 0;
    memset(s->profile, 0, phase_count * sizeof *s->profile);
    memset(s->profile_counts, 0, phase_count * sizeof *s->profile_counts);
    for (size_t i = 0; i < n; i++) {
        size_t phase = phase_of(i, period, phase_count);
        s->profile[phase] += s->filtered[i];
        s->profile_counts[phase] += 1;
    }
    for (size_t p = 0; p < phase_count; p++) s->profile[p] /= fmax(s->profile_counts[p], 1);
    for (size_t i = 0; i < n; i++) {
        size_t phase = phase_of(i, period, phase_count);
        double m = s->profile_counts[phase], error = m > 1 ? (s->filtered[i] - s->profile[phase]) * m / (m - 1) : s->filtered[i];
        total += s->filtered[i] * s->filtered[i];
        left += error * error;
    }
    return total > 0 ? fmax(1 - left / total, 0) : 0;
}

/* The period from the farthest multiple whose hill is still in sight: a fraction of a row becomes visible there. */
static double refine(const search *s, size_t lag)
{
    const double *r = s->correlations;
    double period = (double)lag;
    for (size_t k = 2; (double)k * period + 2 <= (double)s->lag_max; k *= 2) {
        size_t center = (size_t)((double)k * period + 0.5), top = center;
        for (size_t j = center - 2; j <= center + 2; j++)
            if (r[j] > r[top]) top = j;
        if (r[top] < 0.5 * r[lag]) break;
        period = (double)top / (double)k;
    }
    return period;
}

/* A whole period at which the strength is highest near the lag.  The top of a smooth hill is flat, so the autocorrelation alone
 * is off by several rows under noise; over many repetitions the profile is sharper. */
static tcsi_period climb_strength(search *s, size_t lag)
{
    tcsi_period best = { (double)lag, profile_strength(s, (double)lag) };
    for (size_t step = lag / 64 + 1; step > 0; step /= 2) {
        for (bool moved = true; moved;) {
            moved = false;
            for (int sign = -1; sign <= 1; sign += 2) {
                double period = best.period + sign * (double)step;
                if (period < 2 || period > (double)s->lag_max) continue;
                double strength = profile_strength(s, period);
                if (strength <= best.strength) continue;
                best = (tcsi_period){ period, strength };
                moved = true;
            }
        }
    }
    return best;
}

/* The best whole period near the lag, or the refined fraction when that is clearly better. */
static tcsi_period measure(search *s, size_t lag)
{
    tcsi_moving_mean(s->residual, s->count, lag, s->filtered);
    for (size_t i = 0; i < s->count; i++) s->filtered[i] = s->residual[i] - s->filtered[i];
    tcsi_period best = climb_strength(s, lag);
    double refined = refine(s, (size_t)best.period);
    if (refined != floor(refined) && refined >= 2 && refined <= (double)s->lag_max) {
        double strength = profile_strength(s, refined);
        if (strength > best.strength + 0.01) best = (tcsi_period){ refined, strength };
    }
    return best;
}

static void take_out(search *s, double period)
{
    size_t phase_count = (size_t)ceil(period);
    (void)profile_strength(s, period); /* for the profile */
    for (size_t i = 0; i < s->count; i++) s->residual[i] -= s->profile[phase_of(i, period, phase_count)];
}

static void insert_by_strength(tcsi_period *periods, size_t count, tcsi_period period)
{
    for (; count > 0 && periods[count - 1].strength < period.strength; count--) periods[count] = periods[count - 1];
    periods[count] = period;
}

/* True when the period or a near twin of it was found before: its profile is out, and so is what is left of it. */
static bool is_known(const tcsi_period *periods, size_t count, double period)
{
    for (size_t i = 0; i < count; i++)
        if (fabs(periods[i].period - period) <= fmax(1.5, 0.08 * period)) return true;
    return false;
}

/* The first proposal that stands up to all checks. */
static bool next_period(search *s, const tcsi_period *known, size_t known_count, tcsi_period *ret_period)
{
    size_t lag_begin = 2;
    for (int attempt = 0; attempt < ATTEMPT_COUNT; attempt++) {
        size_t lag = propose(s, lag_begin);
        if (lag < 2) return false;
        if (has_line(s, (double)lag)) {
            tcsi_period period = measure(s, lag);
            if (period.strength >= strength_min && !is_known(known, known_count, period.period)) {
                *ret_period = period;
                return true;
            }
        }
        lag_begin = lag + lag / 8 + 1;
    }
    return false;
}

tcs_status tcsi_periods_find(const double *values, size_t count, size_t period_max, tcsi_period *ret_periods, size_t period_count_max,
                             size_t *ret_period_count, tcs_error *err)
{
    size_t lag_max = count / REPETITIONS_MIN, found = 0;
    if (count > (size_t)1 << 30) return tcsi_fail(err, TCS_E_LIMIT, "a period search over %zu rows: at most 2^30", count);
    if (lag_max > period_max) lag_max = period_max;
    tcsi_moments m = tcsi_moments_of(values, count);
    if (lag_max < 2 || period_count_max == 0 || m.count < 8 || !(m.minimum < m.maximum)) {
        *ret_period_count = 0;
        return TCS_OK;
    }
    search s;
    tcs_status status = search_init(&s, count, lag_max, err);
    if (status != TCS_OK) goto done;
    if (prepare(&s, values, period_max < count ? period_max : count)) {
        tcsi_period period;
        while (found < period_count_max && correlate(&s) && next_period(&s, ret_periods, found, &period)) {
            take_out(&s, period.period);
            insert_by_strength(ret_periods, found++, period);
        }
    }
    *ret_period_count = found;
done:
    search_deinit(&s);
    return status;
}
