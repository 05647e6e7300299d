/* detect/fast/pca_stream.c -- streaming principal components: breaks in how channels move together.
 *
 * Mean and covariance of the rows are kept with exponential weights by rank-one updates, from which the principal
 * components are taken anew every refresh_rows rows.  A row has two distances from normal (J. E. Jackson, G. S. Mudholkar,
 * "Control procedures for residuals associated with principal component analysis", Technometrics 21(3), 1979):
 *     T^2 = sum over leading components of t_i^2 / lambda_i          far out, but in a direction the data uses
 *     SPE = sum over the others of t_i^2                             in a direction the data does not use
 * and they are combined as in H. H. Yue, S. J. Qin, "Reconstruction-based fault identification using a combined index",
 * Industrial & Engineering Chemistry Research 40(20), 2001, equation 15, each over its expectation:
 *     score = sqrt((T^2 / k + SPE / sum of the other lambda) / 2),   about 1 on normal rows.
 * k is the least number of components that hold `variance` of the total; with all components in, SPE is empty and the score
 * is the Mahalanobis distance over sqrt(k).  Recurrence: T. Finch, "Incremental calculation of weighted mean and
 * variance", 2009, section 9, with vectors:  C = (1 - alpha) (C + alpha d d').
 *
 * Rows are standardized by median and spread of the first (or fitted) rows, so that units do not matter and squares stay
 * small, and clipped at +-CLIPPED.  Absorbed is a row only as far as it is no outlier: d is scaled down so that its score is at
 * most `clip`.  A missing value is taken as its mean: it adds nothing.
 *
 * Cost: C^2 multiplications a row and 10 C^3 each refresh; memory 3 C^2 + (first rows) C doubles.  SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "detect/detector.h"
#include "detect/fast/robust.h"

#include <math.h>
#include <string.h>

enum { CHANNEL_COUNT_MAX = 512, SWEEP_COUNT_MAX = 12 };

static const double CLIPPED = 1e6;         /* standardized values beyond are this far out: far enough */
static const double LAMBDA_FLOOR = 1e-8;   /* variance of a direction at least, in standardized units */
static const double SCORE_MAX = 1e9;

typedef struct options {
    double alpha, variance, clip;
    size_t warmup_count, refresh_rows;
} options;

typedef struct pca_stream {
    tcsi_detector base;
    options options;
    double *first_rows;            /* (warmup, C) until started; then unused */
    double *centers, *spreads;     /* (C) of the first rows */
    double *mean, *cov;            /* (C), (C,C) of standardized rows */
    double *axes, *lambdas;        /* (C,C) one component per row, (C): as of the last refresh, descending */
    double *row, *parts;           /* (C) d of the last row; its channels' parts of the score */
    double *learned;               /* what persist_numbers covers, as fit left it */
    double *work;                  /* (C,C) for the eigenvalues */
    size_t component_count;        /* k */
    double rest;                   /* sum of the lambdas beyond k */
    size_t first_count, refresh_age;
    bool is_started, is_learned;
} pca_stream;

static size_t channels(const pca_stream *self)
{
    return self->base.channel_count;
}

/* ---- principal components ---- */

/* One Jacobi rotation (G. Golub, C. Van Loan, Matrix Computations, section 8.5) of rows p and q of the symmetric a, with
 * the rows of v turned along. */
static void rotate(double *a, double *v, size_t n, size_t p, size_t q)
{
    double apq = a[p * n + q];
    if (fabs(apq) <= 1e-15 * sqrt(fabs(a[p * n + p] * a[q * n + q])) || apq == 0) return;
    double theta = (a[q * n + q] - a[p * n + p]) / (2 * apq);
    double t = (theta >= 0 ? 1 : -1) / (fabs(theta) + sqrt(theta * theta + 1)), c = 1 / sqrt(t * t + 1), s = t * c;
    for (size_t i = 0; i < n; i++) {
        double x = a[p * n + i], y = a[q * n + i];
        a[p * n + i] = c * x - s * y;
        a[q * n + i] = s * x + c * y;
    }
    for (size_t i = 0; i < n; i++) {
        double x = a[i * n + p], y = a[i * n + q];
        a[i * n + p] = c * x - s * y;
        a[i * n + q] = s * x + c * y;
        double u = v[p * n + i], w = v[q * n + i];
        v[p * n + i] = c * u - s * w;
        v[q * n + i] = s * u + c * w;
    }
}

static double off_diagonal(const double *a, size_t n)
{
    double sum = 0;
    for (size_t p = 0; p < n; p++)
        for (size_t q = p + 1; q < n; q++) sum += fabs(a[p * n + q]);
    return sum;
}

/* Jacobi rather than the faster solver of kernels/linalg.h: it works in place, and push must not allocate. */
static void diagonalize(const double *cov, double *work, double *axes, double *lambdas, size_t n)
{
    double trace = 0;
    memcpy(work, cov, n * n * sizeof *work);
    memset(axes, 0, n * n * sizeof *axes);
    for (size_t i = 0; i < n; i++) {
        axes[i * n + i] = 1;
        trace += cov[i * n + i];
    }
    for (size_t sweep = 0; sweep < SWEEP_COUNT_MAX && off_diagonal(work, n) > 1e-13 * trace; sweep++)
        for (size_t p = 0; p + 1 < n; p++)
            for (size_t q = p + 1; q < n; q++) rotate(work, axes, n, p, q);
    for (size_t i = 0; i < n; i++) lambdas[i] = fmax(work[i * n + i], LAMBDA_FLOOR);
}

static void swap_components(double *axes, double *lambdas, size_t n, size_t i, size_t j)
{
    double lambda = lambdas[i];
    lambdas[i] = lambdas[j];
    lambdas[j] = lambda;
    for (size_t c = 0; c < n; c++) {
        double axis = axes[i * n + c];
        axes[i * n + c] = axes[j * n + c];
        axes[j * n + c] = axis;
    }
}

static void refresh(pca_stream *self)
{
    size_t n = channels(self);
    double total = 0, leading = 0;
    diagonalize(self->cov, self->work, self->axes, self->lambdas, n);
    for (size_t i = 0; i < n; i++) {
        size_t largest = i;
        for (size_t j = i + 1; j < n; j++)
            if (self->lambdas[j] > self->lambdas[largest]) largest = j;
        if (largest != i) swap_components(self->axes, self->lambdas, n, i, largest);
        total += self->lambdas[i];
    }
    for (self->component_count = 0; self->component_count < n && leading < self->options.variance * total; self->component_count++)
        leading += self->lambdas[self->component_count];
    self->rest = 0;
    for (size_t i = self->component_count; i < n; i++) self->rest += self->lambdas[i];
    self->refresh_age = 0;
}

/* ---- one row ---- */

static void standardize(pca_stream *self, const double *values)
{
    for (size_t c = 0; c < channels(self); c++) {
        double z = tcsi_value_ok(values[c]) ? (values[c] - self->centers[c]) / self->spreads[c] : self->mean[c];
        self->row[c] = fmax(-CLIPPED, fmin(CLIPPED, z)) - self->mean[c];
    }
}

/* The combined index d' M d of the row.  parts gets each channel's share of it, the complete decomposition (M^(1/2) d)_c^2 of
 * C. Alcala, S. J. Qin, "Reconstruction-based contribution for process monitoring", Automatica 45(7), 2009: they add up to it. */
static double combined_index(pca_stream *self)
{
    size_t n = channels(self);
    double near = 0, beyond = 0, k = fmax(1.0, (double)self->component_count);
    memset(self->parts, 0, n * sizeof *self->parts);
    for (size_t i = 0; i < n; i++) {
        const double *axis = &self->axes[i * n];
        double projection = 0, weight = i < self->component_count ? 1 / (self->lambdas[i] * k) : 1 / fmax(self->rest, LAMBDA_FLOOR);
        for (size_t c = 0; c < n; c++) projection += axis[c] * self->row[c];
        if (i < self->component_count) near += projection * projection * weight;
        else beyond += projection * projection * weight;
        double root = projection * sqrt(weight);
        for (size_t c = 0; c < n; c++) self->parts[c] += root * axis[c];
    }
    for (size_t c = 0; c < n; c++) self->parts[c] *= self->parts[c];
    return self->component_count < n ? 0.5 * (near + beyond) : near;
}

/* C = (1 - alpha) (C + alpha d d'), mean += alpha d. */
static void absorb(pca_stream *self, double shrink)
{
    size_t n = channels(self);
    double alpha = self->options.alpha, keep = 1 - alpha, gain = keep * alpha * shrink * shrink;
    for (size_t i = 0; i < n; i++) {
        double *cov = &self->cov[i * n], scaled = gain * self->row[i];
        for (size_t j = 0; j < n; j++) cov[j] = keep * cov[j] + scaled * self->row[j];
        self->mean[i] += alpha * shrink * self->row[i];
    }
    if (++self->refresh_age >= self->options.refresh_rows) refresh(self);
}

/* ---- the start ---- */

static void start(pca_stream *self)
{
    size_t n = channels(self), count = self->first_count;
    for (size_t c = 0; c < n; c++) {
        size_t usable = 0;
        double center = 0, spread = 0;
        double *column = self->first_rows + self->options.warmup_count * n; /* scratch behind the held rows */
        for (size_t t = 0; t < count; t++)
            if (tcsi_value_ok(self->first_rows[t * n + c])) column[usable++] = self->first_rows[t * n + c];
        if (usable > 0) tcsi_robust_center(column, usable, &center, &spread);
        self->centers[c] = center;
        self->spreads[c] = tcsi_robust_floor(spread, 0, center);
        self->mean[c] = 0;
    }
    memset(self->cov, 0, n * n * sizeof *self->cov);
    for (size_t t = 0; t < count; t++) { /* winsorized at 3 spreads: an outlier among the first rows counts little */
        standardize(self, &self->first_rows[t * n]);
        for (size_t c = 0; c < n; c++) self->row[c] = fmax(-3.0, fmin(3.0, self->row[c]));
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < n; j++) self->cov[i * n + j] += self->row[i] * self->row[j] / (double)count;
    }
    /* A little of the identity, as Ledoit and Wolf advise, for directions that few rows have shown. */
    for (size_t i = 0; i < n * n; i++) self->cov[i] *= (double)count / (double)(count + n);
    for (size_t i = 0; i < n; i++) self->cov[i * n + i] += 0.01 * (double)n / (double)(count + n);
    self->is_started = true;
    self->first_count = 0;
    refresh(self);
}

static bool hold_row(pca_stream *self, const double *values)
{
    memcpy(&self->first_rows[self->first_count * channels(self)], values, channels(self) * sizeof *values);
    return ++self->first_count == self->options.warmup_count;
}

/* ---- the detector ---- */

/* Everything that a reset after fit brings back, in one block: centers, spreads, mean, lambdas (C each), cov, axes (C,C). */
static size_t number_count(size_t n)
{
    return 4 * n + 2 * n * n;
}

static void copy_learned(pca_stream *self, bool to_learned)
{
    double *from = self->centers; /* the first of the block, see init */
    size_t size = number_count(channels(self)) * sizeof(double);
    if (to_learned) memcpy(self->learned, from, size);
    else memcpy(from, self->learned, size);
}

static void reset(tcsi_detector *base)
{
    pca_stream *self = (pca_stream *)base;
    self->first_count = 0;
    self->is_started = self->is_learned;
    memset(self->parts, 0, base->channel_count * sizeof *self->parts);
    if (!self->is_learned) return;
    copy_learned(self, false);
    refresh(self);
}

/* The start sorts one channel of the held rows behind them. */
static size_t held_count(const pca_stream *self)
{
    return self->options.warmup_count * (channels(self) + 1);
}

static tcs_status init(tcsi_detector *base, tcs_error *err)
{
    pca_stream *self = (pca_stream *)base;
    size_t n = base->channel_count;
    if (n > CHANNEL_COUNT_MAX)
        return tcsi_fail(err, TCS_E_LIMIT, "pca_stream: %zu channels, expected at most %d (a covariance has the square of that)", n,
                         CHANNEL_COUNT_MAX);
    self->first_rows = TCSI_NEW_ZEROS(double, held_count(self));
    self->centers = TCSI_NEW_ZEROS(double, number_count(n));
    self->learned = TCSI_NEW_ZEROS(double, number_count(n));
    self->row = TCSI_NEW_ZEROS(double, 2 * n);
    self->work = TCSI_NEW_ZEROS(double, n * n);
    if (!self->first_rows || !self->centers || !self->learned || !self->row || !self->work)
        return tcsi_fail_memory(err, "principal components");
    self->spreads = self->centers + n;
    self->mean = self->spreads + n;
    self->lambdas = self->mean + n;
    self->cov = self->lambdas + n;
    self->axes = self->cov + n * n;
    self->parts = self->row + n;
    reset(base);
    return TCS_OK;
}

static void deinit(tcsi_detector *base)
{
    pca_stream *self = (pca_stream *)base;
    tcsi_free(self->first_rows);
    tcsi_free(self->centers);
    tcsi_free(self->learned);
    tcsi_free(self->row);
    tcsi_free(self->work);
}

static void push(tcsi_detector *base, const tcsi_row *row, tcs_score *ret_score)
{
    pca_stream *self = (pca_stream *)base;
    if (ret_score->state == TCS_SCORE_MISSING) return;
    if (!self->is_started) {
        if (hold_row(self, row->values)) start(self);
        return;
    }
    standardize(self, row->values);
    double score = fmin(sqrt(combined_index(self)), SCORE_MAX);
    *ret_score = (tcs_score){ .state = TCS_SCORE_READY, .value = score };
    absorb(self, score > self->options.clip ? self->options.clip / score : 1.0);
}

static tcs_status fit(tcsi_detector *base, const tcsi_frame *train, tcs_error *err)
{
    pca_stream *self = (pca_stream *)base;
    self->is_learned = false;
    tcs_status status = tcsi_detector_push_all(base, train, NULL, err);
    if (!self->is_started && self->first_count >= 2) start(self);
    self->is_learned = self->is_started;
    if (self->is_learned) copy_learned(self, true);
    reset(base);
    return status;
}

static void contribute(const tcsi_detector *base, double *ret_parts)
{
    memcpy(ret_parts, ((const pca_stream *)base)->parts, base->channel_count * sizeof *ret_parts);
}

static void check_numbers(const pca_stream *self, const double *numbers, tcsi_codec *codec)
{
    size_t n = channels(self);
    bool ok = true;
    for (size_t i = 0; i < n; i++)
        ok = ok && fabs(numbers[i]) <= TCS_VALUE_MAX && numbers[n + i] >= 1e-150 && numbers[n + i] <= 1e160
            && fabs(numbers[2 * n + i]) <= 2 * CLIPPED && numbers[3 * n + i] >= LAMBDA_FLOOR && numbers[3 * n + i] <= 1e20;
    for (size_t i = 4 * n; i < 4 * n + n * n; i++) ok = ok && fabs(numbers[i]) <= 1e20;
    for (size_t i = 4 * n + n * n; i < number_count(n); i++) ok = ok && fabs(numbers[i]) <= 1.001;
    if (!ok) tcsi_codec_refuse(codec, "a mean or covariance out of range");
}

static void persist(tcsi_detector *base, tcsi_codec *codec)
{
    pca_stream *self = (pca_stream *)base;
    size_t n = base->channel_count;
    tcsi_codec_tag(codec, "PCAS");
    tcsi_codec_bool(codec, &self->is_started);
    tcsi_codec_bool(codec, &self->is_learned);
    tcsi_codec_size(codec, &self->first_count, self->options.warmup_count - 1);
    tcsi_codec_size(codec, &self->refresh_age, self->options.refresh_rows);
    tcsi_codec_size(codec, &self->component_count, n);
    tcsi_codec_f64(codec, &self->rest);
    if (tcsi_codec_status(codec) != TCS_OK) return;
    tcsi_codec_f64s(codec, self->first_rows, self->first_count * n);
    if (self->is_started) tcsi_codec_f64s(codec, self->centers, number_count(n));
    if (self->is_learned) tcsi_codec_f64s(codec, self->learned, number_count(n));
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    if (!(self->rest >= 0 && self->rest <= 1e25)) tcsi_codec_refuse(codec, "a variance out of range");
    if (self->is_learned && !self->is_started) tcsi_codec_refuse(codec, "fitted but not started");
    if (self->is_started) check_numbers(self, self->centers, codec);
    if (self->is_learned) check_numbers(self, self->learned, codec);
}

static size_t size_max(const tcsi_detector *base, size_t row_count)
{
    const pca_stream *self = (const pca_stream *)base;
    size_t n = base->channel_count;
    (void)row_count;
    return sizeof *self + (held_count(self) + 2 * number_count(n) + 2 * n + n * n) * sizeof(double);
}

static const tcsi_parameter parameters[] = {
    TCSI_REAL(alpha, 0.002, 1e-6, 1, "weight of the newest row in mean and covariance"),
    TCSI_REAL(variance, 0.9, 0, 1, "part of the variance that the leading components hold"),
    TCSI_REAL(clip, 3, 0.1, 1e6, "rows that score higher are scaled down to it before they are absorbed"),
    TCSI_COUNT(warmup_count, 100, 2, 100000, "rows held for the start"),
    TCSI_COUNT(refresh_rows, 64, 1, 1e9, "rows between two eigenvalue decompositions"),
};

static const tcsi_detector_ops ops = {
    .init = init, .deinit = deinit, .fit = fit, .reset = reset, .push = push, .contribute = contribute, .persist = persist,
    .size_max = size_max,
};

const tcsi_detector_info tcsi_detector_pca_stream = {
    .name = "pca_stream",
    .title = "streaming principal components, T2 and SPE",
    .paper = "J. E. Jackson, G. S. Mudholkar: Control procedures for residuals associated with principal component analysis. "
             "Technometrics 21(3), 1979; combined index: H. H. Yue, S. J. Qin. Ind. Eng. Chem. Res. 40(20), 2001, equation 15",
    .summary = "Distance from an exponentially weighted mean, inside and outside of the leading principal components. Finds breaks "
               "between channels that move together; misses what one channel does within its range. C^2 a row.",
    .traits = TCSI_TRAIT_STREAMING | TCSI_TRAIT_MULTIVARIATE,
    .instance_size = sizeof(pca_stream),
    .options_offset = offsetof(pca_stream, options),
    .parameters = parameters,
    .parameter_count = TCS_COUNT(parameters),
    .ops = &ops,
};
