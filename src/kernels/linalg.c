/* kernels/linalg.c -- Cholesky, ridge regression, symmetric eigenvalues, shrunk covariance.
 *
 * The matrices here are small (channels, lags, windows), so clarity wins over blocking; what is not left to chance is
 * failure: every routine checks for values that are not finite, a singular system gets the smallest ridge that makes it
 * definite, and eigenvalues are found after scaling to a largest entry of 1, so that 1e-200 and 1e+200 work alike.
 * The eigenvalue routine follows the published EISPACK procedures (Wilkinson and Reinsch, Handbook for Automatic
 * Computation II, Linear Algebra, 1971, contributions II/2 and II/4).  SPDX-License-Identifier: Apache-2.0 */
#include "kernels/linalg.h"

#include "base/alloc.h"

#include <float.h>
#include <math.h>
#include <string.h>

static double dot(const double *a, const double *b, size_t n)
{
    /* Four partial sums: the compiler may keep them in one register, and the order never changes. */
    double sums[4] = { 0, 0, 0, 0 };
    size_t i = 0;
    for (; i + 4 <= n; i += 4)
        for (size_t k = 0; k < 4; k++) sums[k] += a[i + k] * b[i + k];
    for (; i < n; i++) sums[0] += a[i] * b[i];
    return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

static bool all_finite(const double *values, size_t count)
{
    double sum = 0; /* 0 times a finite number is 0; times an infinity or NaN it is NaN */
    for (size_t i = 0; i < count; i++) sum += 0 * values[i];
    return sum == 0;
}

/* ---- Cholesky ---- */

bool tcsi_cholesky_factor(double *a, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < i; j++) a[i * n + j] = (a[i * n + j] - dot(&a[i * n], &a[j * n], j)) / a[j * n + j];
        double pivot = a[i * n + i], rest = pivot - dot(&a[i * n], &a[i * n], i);
        /* A pivot that lost all but its last digits is noise: its row depends on those before it. */
        if (!(rest > (double)n * DBL_EPSILON * pivot && rest < INFINITY)) return false;
        a[i * n + i] = sqrt(rest);
    }
    return true;
}

void tcsi_cholesky_solve_lower(const double *factor, size_t n, double *b)
{
    for (size_t i = 0; i < n; i++) b[i] = (b[i] - dot(&factor[i * n], b, i)) / factor[i * n + i];
}

void tcsi_cholesky_solve(const double *factor, size_t n, double *b)
{
    tcsi_cholesky_solve_lower(factor, n, b);
    for (size_t i = n; i-- > 0;) {
        b[i] /= factor[i * n + i];
        for (size_t k = 0; k < i; k++) b[k] -= factor[i * n + k] * b[i];
    }
}

tcs_status tcsi_solve_symmetric(double *a, size_t n, double *b, tcs_error *err)
{
    size_t count;
    if (!tcsi_multiply(n, n, &count)) return tcsi_fail_memory(err, "a matrix");
    if (!all_finite(a, count) || !all_finite(b, n)) return tcsi_fail(err, TCS_E_INVALID, "linear system: values are not finite");
    double *copy = TCSI_NEW_ARRAY(double, count);
    if (!copy) return tcsi_fail_memory(err, "a matrix");
    memcpy(copy, a, count * sizeof *copy);
    double trace = 0;
    for (size_t i = 0; i < n; i++) trace += a[i * n + i] / (double)n;
    bool solved = n == 0 || tcsi_cholesky_factor(a, n);
    for (double ridge = 1e-12; !solved && ridge <= 1; ridge *= 100) {
        memcpy(a, copy, count * sizeof *copy);
        for (size_t i = 0; i < n; i++) a[i * n + i] += ridge * (trace > 0 ? trace : 1);
        solved = tcsi_cholesky_factor(a, n);
    }
    tcsi_free(copy);
    if (!solved) return tcsi_fail(err, TCS_E_INVALID, "linear system: the matrix is not positive semidefinite");
    tcsi_cholesky_solve(a, n, b);
    return TCS_OK;
}

/* ---- regression ---- */

/* Adds weight * row' row to the lower triangle of gram (P,P) and weight * y * row to moment (P). */
static void accumulate_row(const double *row, double y, double weight, size_t p, double *gram, double *moment)
{
    for (size_t i = 0; i < p; i++) {
        double scaled = weight * row[i];
        double *target = &gram[i * p];
        for (size_t j = 0; j <= i; j++) target[j] += scaled * row[j];
        moment[i] += scaled * y;
    }
}

tcs_status tcsi_ridge_fit(const double *x, const double *y, const double *weights, size_t row_count, size_t predictor_count,
                          double ridge, double *ret_coefficients, tcs_error *err)
{
    size_t p = predictor_count, count;
    if (!tcsi_multiply(p, p, &count)) return tcsi_fail_memory(err, "a regression");
    double *gram = TCSI_NEW_ZEROS(double, count), *moment = TCSI_NEW_ZEROS(double, p);
    tcs_status status = gram && moment ? TCS_OK : tcsi_fail_memory(err, "a regression");
    if (status == TCS_OK) {
        for (size_t t = 0; t < row_count; t++) accumulate_row(&x[t * p], y[t], weights ? weights[t] : 1, p, gram, moment);
        for (size_t i = 0; i < p; i++) {
            gram[i * p + i] += ridge;
            for (size_t j = i + 1; j < p; j++) gram[i * p + j] = gram[j * p + i];
        }
        status = tcsi_solve_symmetric(gram, p, moment, err);
    }
    if (status == TCS_OK) memcpy(ret_coefficients, moment, p * sizeof *moment);
    tcsi_free(gram);
    tcsi_free(moment);
    return status;
}

/* ---- eigenvalues ---- */

/* Below this, beside a largest entry of 1, a row is rounding noise of noise.  It counts as zero: dividing a denormal row by
 * its size would make a reflection that is not orthogonal (seen with a matrix of 64 x 64 ones). */
#define NEGLIGIBLE 1e-100

/* Householder reduction of v (N,N) to a tridiagonal matrix with diagonal d and subdiagonal e[1..]; v becomes the orthogonal
 * transformation (columns).  The largest entry of v is 1.  The order of operations is EISPACK's tred2. */
static void tridiagonalize(double *v, double *d, double *e, size_t n)
{
    for (size_t j = 0; j < n; j++) d[j] = v[(n - 1) * n + j];
    for (size_t i = n - 1; i > 0; i--) {
        double scale = 0, h = 0;
        for (size_t k = 0; k < i; k++) scale += fabs(d[k]);
        if (scale < NEGLIGIBLE) {
            e[i] = d[i - 1];
            for (size_t j = 0; j < i; j++) {
                d[j] = v[(i - 1) * n + j];
                v[i * n + j] = v[j * n + i] = 0;
            }
        } else {
            for (size_t k = 0; k < i; k++) {
                d[k] /= scale;
                h += d[k] * d[k];
            }
            double f = d[i - 1], g = f > 0 ? -sqrt(h) : sqrt(h);
            e[i] = scale * g;
            h -= f * g;
            d[i - 1] = f - g;
            for (size_t j = 0; j < i; j++) e[j] = 0;
            for (size_t j = 0; j < i; j++) {
                f = d[j];
                v[j * n + i] = f;
                g = e[j] + v[j * n + j] * f;
                for (size_t k = j + 1; k < i; k++) {
                    g += v[k * n + j] * d[k];
                    e[k] += v[k * n + j] * f;
                }
                e[j] = g;
            }
            f = 0;
            for (size_t j = 0; j < i; j++) {
                e[j] /= h;
                f += e[j] * d[j];
            }
            double half = f / (h + h);
            for (size_t j = 0; j < i; j++) e[j] -= half * d[j];
            for (size_t j = 0; j < i; j++) {
                for (size_t k = j; k < i; k++) v[k * n + j] -= d[j] * e[k] + e[j] * d[k];
                d[j] = v[(i - 1) * n + j];
                v[i * n + j] = 0;
            }
        }
        d[i] = h;
    }
}

/* Multiplies the Householder reflections left in v by tridiagonalize; d receives the diagonal. */
static void accumulate_reflections(double *v, double *d, double *e, size_t n)
{
    for (size_t i = 0; i + 1 < n; i++) {
        v[(n - 1) * n + i] = v[i * n + i];
        v[i * n + i] = 1;
        double h = d[i + 1];
        if (h != 0) {
            for (size_t k = 0; k <= i; k++) d[k] = v[k * n + i + 1] / h;
            for (size_t j = 0; j <= i; j++) {
                double g = 0;
                for (size_t k = 0; k <= i; k++) g += v[k * n + i + 1] * v[k * n + j];
                for (size_t k = 0; k <= i; k++) v[k * n + j] -= g * d[k];
            }
        }
        for (size_t k = 0; k <= i; k++) v[k * n + i + 1] = 0;
    }
    for (size_t j = 0; j < n; j++) {
        d[j] = v[(n - 1) * n + j];
        v[(n - 1) * n + j] = 0;
    }
    v[(n - 1) * n + n - 1] = 1;
    e[0] = 0;
}

enum { QL_ITERATION_COUNT_MAX = 60 };

/* One implicit QL sweep over rows l..m of the tridiagonal matrix (d, e).  The rotations are applied to rows of vt, the
 * transposed eigenvectors, so that each runs along memory.  Returns what was subtracted from every d[l..]. */
static double ql_sweep(double *vt, double *d, double *e, size_t n, size_t l, size_t m)
{
    double g = d[l], p = (d[l + 1] - g) / (2 * e[l]), r = copysign(hypot(p, 1), p);
    d[l] = e[l] / (p + r);
    d[l + 1] = e[l] * (p + r);
    double next = d[l + 1], shift = g - d[l];
    for (size_t i = l + 2; i < n; i++) d[i] -= shift;
    p = d[m];
    double c = 1, c2 = 1, c3 = 1, s = 0, s2 = 0, next_off = e[l + 1];
    for (size_t i = m; i-- > l;) {
        c3 = c2;
        c2 = c;
        s2 = s;
        double h = c * p;
        g = c * e[i];
        r = hypot(p, e[i]);
        e[i + 1] = s * r;
        s = e[i] / r;
        c = p / r;
        p = c * d[i] - s * g;
        d[i + 1] = h + s * (c * g + s * d[i]);
        double *low = &vt[i * n], *high = &vt[(i + 1) * n];
        for (size_t k = 0; k < n; k++) {
            double old = high[k];
            high[k] = s * low[k] + c * old;
            low[k] = c * low[k] - s * old;
        }
    }
    p = -s * s2 * c3 * next_off * e[l] / next;
    e[l] = s * p;
    d[l] = c * p;
    return shift;
}

/* EISPACK's tql2: eigenvalues into d, unsorted; false when a value does not settle. */
static bool diagonalize(double *vt, double *d, double *e, size_t n)
{
    double shift = 0, largest = 0;
    for (size_t i = 1; i < n; i++) e[i - 1] = e[i];
    e[n - 1] = 0;
    for (size_t l = 0; l < n; l++) {
        largest = fmax(largest, fabs(d[l]) + fabs(e[l]));
        size_t m = l;
        while (m < n - 1 && fabs(e[m]) > DBL_EPSILON * largest) m++;
        for (int iteration = 0; m > l && fabs(e[l]) > DBL_EPSILON * largest; iteration++) {
            if (iteration == QL_ITERATION_COUNT_MAX) return false;
            shift += ql_sweep(vt, d, e, n, l, m);
        }
        d[l] += shift;
        e[l] = 0;
    }
    return true;
}

static void transpose(double *a, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++) {
            double swapped = a[i * n + j];
            a[i * n + j] = a[j * n + i];
            a[j * n + i] = swapped;
        }
}

static void sort_and_sign(double *values, double *vectors, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t best = i;
        for (size_t j = i + 1; j < n; j++)
            if (values[j] > values[best]) best = j;
        double *a = &vectors[i * n], *b = &vectors[best * n], value = values[i], peak = 0;
        values[i] = values[best];
        values[best] = value;
        for (size_t k = 0; k < n; k++) {
            double swapped = a[k];
            a[k] = b[k];
            b[k] = swapped;
            if (fabs(a[k]) > fabs(peak)) peak = a[k];
        }
        for (size_t k = 0; peak < 0 && k < n; k++) a[k] = -a[k];
    }
}

tcs_status tcsi_eigen_symmetric(const double *a, size_t n, double *ret_values, double *ret_vectors, tcs_error *err)
{
    size_t count;
    if (!tcsi_multiply(n, n, &count)) return tcsi_fail_memory(err, "eigenvectors");
    if (!all_finite(a, count)) return tcsi_fail(err, TCS_E_INVALID, "eigenvalues: the matrix is not finite");
    if (n == 0) return TCS_OK;
    double peak = 0, *v = TCSI_NEW_ARRAY(double, count), *d = TCSI_NEW_ZEROS(double, n), *e = TCSI_NEW_ZEROS(double, n);
    tcs_status status = v && d && e ? TCS_OK : tcsi_fail_memory(err, "eigenvectors");
    if (status == TCS_OK) {
        /* Scaled to a largest entry of 1, so that squares neither overflow nor vanish. */
        for (size_t i = 0; i < count; i++) peak = fmax(peak, fabs(a[i]));
        double unit = peak > 0 ? peak : 1;
        for (size_t i = 0; i < count; i++) v[i] = a[i] / unit;
        tridiagonalize(v, d, e, n);
        accumulate_reflections(v, d, e, n);
        transpose(v, n);
        if (!diagonalize(v, d, e, n)) status = tcsi_fail(err, TCS_E_INVALID, "eigenvalues: no convergence");
        for (size_t i = 0; i < n; i++) d[i] *= unit;
    }
    if (status == TCS_OK) {
        sort_and_sign(d, v, n);
        memcpy(ret_values, d, n * sizeof *d);
        memcpy(ret_vectors, v, count * sizeof *v);
    }
    tcsi_free(v);
    tcsi_free(d);
    tcsi_free(e);
    return status;
}

/* ---- covariance ---- */

/* Means of the columns, each relative to the first row, so that a large offset costs no digits. */
static void column_means(const double *x, size_t row_count, size_t p, double *means)
{
    for (size_t j = 0; j < p; j++) means[j] = 0;
    for (size_t t = 0; t < row_count; t++)
        for (size_t j = 0; j < p; j++) means[j] += x[t * p + j] - x[j];
    for (size_t j = 0; j < p; j++) means[j] = x[j] + means[j] / (double)row_count;
}

/* The covariance, and into *ret_quartic the mean over rows of |row - mean|^4. */
static tcs_status covariance(const double *x, size_t row_count, size_t p, double *ret_means, double *ret_covariance, double *ret_quartic,
                             tcs_error *err)
{
    if (row_count == 0) return tcsi_fail(err, TCS_E_INVALID, "covariance: no rows");
    double *means = TCSI_NEW_ARRAY(double, p), *row = TCSI_NEW_ARRAY(double, p), quartic = 0;
    tcs_status status = means && row ? TCS_OK : tcsi_fail_memory(err, "a covariance");
    if (status == TCS_OK) {
        column_means(x, row_count, p, means);
        memset(ret_covariance, 0, p * p * sizeof *ret_covariance);
        for (size_t t = 0; t < row_count; t++) {
            for (size_t j = 0; j < p; j++) row[j] = x[t * p + j] - means[j];
            double square = dot(row, row, p);
            quartic += square * square / (double)row_count;
            for (size_t i = 0; i < p; i++)
                for (size_t j = 0; j <= i; j++) ret_covariance[i * p + j] += row[i] * row[j];
        }
        for (size_t i = 0; i < p; i++)
            for (size_t j = 0; j <= i; j++) ret_covariance[j * p + i] = ret_covariance[i * p + j] /= (double)row_count;
        if (ret_means) memcpy(ret_means, means, p * sizeof *means);
        if (!all_finite(ret_covariance, p * p) || !all_finite(means, p))
            status = tcsi_fail(err, TCS_E_INVALID, "covariance: the values are not finite");
    }
    if (status == TCS_OK) *ret_quartic = quartic;
    tcsi_free(means);
    tcsi_free(row);
    return status;
}

tcs_status tcsi_covariance(const double *x, size_t row_count, size_t column_count, double *ret_means, double *ret_covariance,
                           tcs_error *err)
{
    double quartic;
    return covariance(x, row_count, column_count, ret_means, ret_covariance, &quartic, err);
}

/* With S the covariance, <A,B> = trace(AB')/p and norms to match: mu = <S,I>, delta^2 = |S - mu I|^2, beta^2 = the mean over
 * rows of |x x' - S|^2 divided by T, at most delta^2; shrinkage = beta^2 / delta^2.  |x x' - S|^2 sums to |x|^4 - |S|^2. */
tcs_status tcsi_ledoit_wolf(const double *x, size_t row_count, size_t column_count, double *ret_means, double *ret_covariance,
                            double *ret_shrinkage, tcs_error *err)
{
    size_t p = column_count;
    double quartic, trace = 0, square = 0;
    tcs_status status = covariance(x, row_count, p, ret_means, ret_covariance, &quartic, err);
    if (status != TCS_OK) return status;
    for (size_t i = 0; i < p; i++) trace += ret_covariance[i * p + i];
    square = dot(ret_covariance, ret_covariance, p * p);
    double mu = p ? trace / (double)p : 0;
    double delta = square - mu * trace, beta = (quartic - square) / (double)row_count;
    double shrinkage = delta > 0 ? fmax(0, fmin(beta, delta)) / delta : 0;
    for (size_t i = 0; i < p * p; i++) ret_covariance[i] *= 1 - shrinkage;
    for (size_t i = 0; i < p; i++) ret_covariance[i * p + i] += shrinkage * mu;
    if (ret_shrinkage) *ret_shrinkage = shrinkage;
    return TCS_OK;
}
