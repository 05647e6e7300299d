/* series/fft.c -- fast Fourier transforms: radix 2, Bluestein for other lengths, and the packing of real data.
 *
 * Powers of two: bit-reversed order, then log2 n passes of butterflies, the twiddle factors of each pass in one contiguous run
 * (J. Cooley & J. Tukey 1965).  Other lengths: Bluestein's chirp, which turns the transform into a convolution of a
 * power-of-two length >= 2 n - 1 (L. Bluestein, "A linear filtering approach to the computation of discrete Fourier transform",
 * IEEE Trans. AU-18(4), 1970); the chirp's angle is pi (k^2 mod 2n) / n, reduced in integers, because k^2 alone would cost
 * the angle its digits.  Real data of even length 2 m: x[2t] + i x[2t+1] is transformed at length m and untangled
 * (Numerical Recipes, 12.3).
 *
 * Invariants: tables are computed once, at create; a transform allocates nothing and cannot fail.
 * Accuracy: relative error of about 1e-16 log2 n (root mean square).  Cost: measured figures in docs/internals/series.md.
 * SPDX-License-Identifier: Apache-2.0 */
#include "series/fft.h"

#include "base/alloc.h"

#include <math.h>
#include <string.h>

#define PI 3.14159265358979323846

struct tcsi_fft {
    size_t count, inner_count;    /* inner_count: a power of two, count itself or the convolution's length */
    uint32_t *reversed;           /* (inner_count) bit-reversed index, halves of 2^32 at most */
    tcsi_complex *twiddles;       /* (inner_count - 1): pass with half-length m begins at m - 1 */
    tcsi_complex *chirp;          /* (count), Bluestein only */
    tcsi_complex *chirp_spectrum; /* (inner_count), Bluestein only */
    tcsi_complex *work;           /* (inner_count), Bluestein only */
};

struct tcsi_rfft {
    size_t count;
    tcsi_fft *fft;          /* length count / 2, or count when it is odd */
    tcsi_complex *twiddles; /* (count / 4 + 1), even only */
    tcsi_complex *work;     /* (fft's count) */
};

static inline tcsi_complex multiply(tcsi_complex a, tcsi_complex b)
{
    return (tcsi_complex){ a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re };
}

static tcsi_complex unit_root(double turns) /* exp(-2 pi i turns) */
{
    return (tcsi_complex){ cos(2 * PI * turns), -sin(2 * PI * turns) };
}

size_t tcsi_fft_good_count(size_t count)
{
    size_t good = 1;
    while (good < count && good <= SIZE_MAX / 4) good *= 2;
    return good;
}

static void fill_tables(tcsi_fft *fft)
{
    size_t n = fft->inner_count;
    fft->reversed[0] = 0;
    for (size_t i = 1; i < n; i++) fft->reversed[i] = (fft->reversed[i / 2] / 2) | (i & 1 ? (uint32_t)(n / 2) : 0);
    for (size_t half = 1; half < n; half *= 2)
        for (size_t k = 0; k < half; k++) fft->twiddles[half - 1 + k] = unit_root((double)k / (double)(2 * half));
}

/* One pass of butterflies over blocks of 2 half. */
static void butterflies(tcsi_complex *restrict data, size_t count, size_t half, const tcsi_complex *restrict twiddles)
{
    for (size_t begin = 0; begin < count; begin += 2 * half) {
        tcsi_complex *low = data + begin, *high = low + half;
        for (size_t k = 0; k < half; k++) {
            double re = high[k].re * twiddles[k].re - high[k].im * twiddles[k].im;
            double im = high[k].re * twiddles[k].im + high[k].im * twiddles[k].re;
            high[k].re = low[k].re - re;
            high[k].im = low[k].im - im;
            low[k].re += re;
            low[k].im += im;
        }
    }
}

/* Passes of half-length 1 and 2 in one, whose twiddles are 1 and -i. */
static void first_two_passes(tcsi_complex *data, size_t count)
{
    for (size_t i = 0; i < count; i += 4) {
        tcsi_complex *d = data + i;
        tcsi_complex a = { d[0].re + d[1].re, d[0].im + d[1].im }, b = { d[0].re - d[1].re, d[0].im - d[1].im };
        tcsi_complex c = { d[2].re + d[3].re, d[2].im + d[3].im }, e = { d[2].im - d[3].im, d[3].re - d[2].re }; /* -i (d2 - d3) */
        d[0] = (tcsi_complex){ a.re + c.re, a.im + c.im };
        d[2] = (tcsi_complex){ a.re - c.re, a.im - c.im };
        d[1] = (tcsi_complex){ b.re + e.re, b.im + e.im };
        d[3] = (tcsi_complex){ b.re - e.re, b.im - e.im };
    }
}

static void transform_power_of_two(const tcsi_fft *fft, tcsi_complex *data)
{
    size_t n = fft->inner_count, half = 1;
    for (size_t i = 0; i < n; i++) {
        size_t j = fft->reversed[i];
        if (i >= j) continue;
        tcsi_complex other = data[i];
        data[i] = data[j];
        data[j] = other;
    }
    if (n >= 4) {
        first_two_passes(data, n);
        half = 4;
    }
    for (; half < n; half *= 2) butterflies(data, n, half, fft->twiddles + half - 1);
}

/* The inverse without 1/n: the forward transform with real and imaginary part exchanged before and after. */
static void exchange(tcsi_complex *data, size_t count)
{
    for (size_t i = 0; i < count; i++) data[i] = (tcsi_complex){ data[i].im, data[i].re };
}

static void transform_any(tcsi_fft *fft, tcsi_complex *data)
{
    size_t n = fft->count, m = fft->inner_count;
    for (size_t k = 0; k < n; k++) fft->work[k] = multiply(data[k], fft->chirp[k]);
    memset(fft->work + n, 0, (m - n) * sizeof *fft->work);
    transform_power_of_two(fft, fft->work);
    for (size_t k = 0; k < m; k++) fft->work[k] = multiply(fft->work[k], fft->chirp_spectrum[k]);
    exchange(fft->work, m);
    transform_power_of_two(fft, fft->work);
    double scale = 1.0 / (double)m;
    for (size_t k = 0; k < n; k++) {
        tcsi_complex value = { fft->work[k].im * scale, fft->work[k].re * scale };
        data[k] = multiply(value, fft->chirp[k]);
    }
}

static void fill_chirp(tcsi_fft *fft)
{
    size_t n = fft->count, m = fft->inner_count;
    uint64_t square = 0; /* k^2 mod 2n */
    memset(fft->chirp_spectrum, 0, m * sizeof *fft->chirp_spectrum);
    for (size_t k = 0; k < n; k++) {
        tcsi_complex c = unit_root((double)square / (double)(2 * n));
        fft->chirp[k] = c;
        fft->chirp_spectrum[k] = (tcsi_complex){ c.re, -c.im };
        if (k > 0) fft->chirp_spectrum[m - k] = (tcsi_complex){ c.re, -c.im };
        square = (square + 2 * (uint64_t)k + 1) % (2 * (uint64_t)n);
    }
    transform_power_of_two(fft, fft->chirp_spectrum);
}

tcs_status tcsi_fft_create(size_t count, tcsi_fft **ret_fft, tcs_error *err)
{
    TCS_ASSERT(count >= 1);
    if (count > (size_t)1 << 30) return tcsi_fail(err, TCS_E_LIMIT, "a Fourier transform of %zu values: at most 2^30", count);
    tcsi_fft *fft = TCSI_NEW(tcsi_fft);
    if (!fft) return tcsi_fail_memory(err, "a Fourier transform");
    size_t good = tcsi_fft_good_count(count);
    bool chirped = good != count;
    fft->count = count;
    fft->inner_count = chirped ? tcsi_fft_good_count(2 * count - 1) : count;
    fft->reversed = TCSI_NEW_ARRAY(uint32_t, fft->inner_count);
    fft->twiddles = TCSI_NEW_ARRAY(tcsi_complex, fft->inner_count);
    if (chirped) {
        fft->chirp = TCSI_NEW_ARRAY(tcsi_complex, count);
        fft->chirp_spectrum = TCSI_NEW_ARRAY(tcsi_complex, fft->inner_count);
        fft->work = TCSI_NEW_ARRAY(tcsi_complex, fft->inner_count);
    }
    if (!fft->reversed || !fft->twiddles || (chirped && (!fft->chirp || !fft->chirp_spectrum || !fft->work))) {
        tcsi_fft_destroy(fft);
        return tcsi_fail_memory(err, "a Fourier transform");
    }
    fill_tables(fft);
    if (chirped) fill_chirp(fft);
    *ret_fft = fft;
    return TCS_OK;
}

void tcsi_fft_destroy(tcsi_fft *fft)
{
    if (!fft) return;
    tcsi_free(fft->reversed);
    tcsi_free(fft->twiddles);
    tcsi_free(fft->chirp);
    tcsi_free(fft->chirp_spectrum);
    tcsi_free(fft->work);
    tcsi_free(fft);
}

void tcsi_fft_forward(tcsi_fft *fft, tcsi_complex *data)
{
    if (fft->chirp) transform_any(fft, data);
    else transform_power_of_two(fft, data);
}

void tcsi_fft_inverse(tcsi_fft *fft, tcsi_complex *data)
{
    double scale = 1.0 / (double)fft->count;
    exchange(data, fft->count);
    tcsi_fft_forward(fft, data);
    for (size_t i = 0; i < fft->count; i++) data[i] = (tcsi_complex){ data[i].im * scale, data[i].re * scale };
}

/* ---- real data ---- */

tcs_status tcsi_rfft_create(size_t count, tcsi_rfft **ret_rfft, tcs_error *err)
{
    TCS_ASSERT(count >= 1);
    bool even = count % 2 == 0;
    tcsi_rfft *rfft = TCSI_NEW(tcsi_rfft);
    if (!rfft) return tcsi_fail_memory(err, "a Fourier transform");
    rfft->count = count;
    size_t inner = even ? count / 2 : count;
    tcs_status status = tcsi_fft_create(inner, &rfft->fft, err);
    if (status != TCS_OK) goto fail;
    rfft->work = TCSI_NEW_ARRAY(tcsi_complex, inner);
    if (even) rfft->twiddles = TCSI_NEW_ARRAY(tcsi_complex, count / 4 + 1);
    if (!rfft->work || (even && !rfft->twiddles)) {
        status = tcsi_fail_memory(err, "a Fourier transform");
        goto fail;
    }
    for (size_t k = 0; even && k <= count / 4; k++) rfft->twiddles[k] = unit_root((double)k / (double)count);
    *ret_rfft = rfft;
    return TCS_OK;
fail:
    tcsi_rfft_destroy(rfft);
    return status;
}

void tcsi_rfft_destroy(tcsi_rfft *rfft)
{
    if (!rfft) return;
    tcsi_fft_destroy(rfft->fft);
    tcsi_free(rfft->twiddles);
    tcsi_free(rfft->work);
    tcsi_free(rfft);
}

/* Z[k] = E[k] + i O[k] of even and odd samples; X[k] = E[k] + w^k O[k], and X[m - k] from the conjugates. */
static void untangle(const tcsi_rfft *rfft, tcsi_complex *ret_spectrum)
{
    size_t m = rfft->count / 2;
    const tcsi_complex *z = rfft->work;
    ret_spectrum[0] = (tcsi_complex){ z[0].re + z[0].im, 0 };
    ret_spectrum[m] = (tcsi_complex){ z[0].re - z[0].im, 0 };
    for (size_t k = 1; k <= m / 2; k++) {
        tcsi_complex a = z[k], b = z[m - k];
        tcsi_complex even = { 0.5 * (a.re + b.re), 0.5 * (a.im - b.im) }, odd = { 0.5 * (a.im + b.im), 0.5 * (b.re - a.re) };
        tcsi_complex turned = multiply(odd, rfft->twiddles[k]);
        ret_spectrum[k] = (tcsi_complex){ even.re + turned.re, even.im + turned.im };
        ret_spectrum[m - k] = (tcsi_complex){ even.re - turned.re, turned.im - even.im };
    }
}

static void tangle(const tcsi_rfft *rfft, const tcsi_complex *spectrum)
{
    size_t m = rfft->count / 2;
    tcsi_complex *z = rfft->work;
    z[0] = (tcsi_complex){ 0.5 * (spectrum[0].re + spectrum[m].re), 0.5 * (spectrum[0].re - spectrum[m].re) };
    for (size_t k = 1; k <= m / 2; k++) {
        tcsi_complex a = spectrum[k], b = spectrum[m - k];
        tcsi_complex even = { 0.5 * (a.re + b.re), 0.5 * (a.im - b.im) }, turned = { 0.5 * (a.re - b.re), 0.5 * (a.im + b.im) };
        tcsi_complex odd = multiply(turned, (tcsi_complex){ rfft->twiddles[k].re, -rfft->twiddles[k].im });
        z[k] = (tcsi_complex){ even.re - odd.im, even.im + odd.re };
        z[m - k] = (tcsi_complex){ even.re + odd.im, odd.re - even.im };
    }
}

void tcsi_rfft_forward(tcsi_rfft *rfft, const double *values, tcsi_complex *ret_spectrum)
{
    size_t n = rfft->count;
    if (n % 2 == 0) {
        for (size_t t = 0; t < n / 2; t++) rfft->work[t] = (tcsi_complex){ values[2 * t], values[2 * t + 1] };
        tcsi_fft_forward(rfft->fft, rfft->work);
        untangle(rfft, ret_spectrum);
    } else {
        for (size_t t = 0; t < n; t++) rfft->work[t] = (tcsi_complex){ values[t], 0 };
        tcsi_fft_forward(rfft->fft, rfft->work);
        memcpy(ret_spectrum, rfft->work, (n / 2 + 1) * sizeof *ret_spectrum);
    }
}

void tcsi_rfft_inverse(tcsi_rfft *rfft, const tcsi_complex *spectrum, double *ret_values)
{
    size_t n = rfft->count;
    if (n % 2 == 0) {
        tangle(rfft, spectrum);
        tcsi_fft_inverse(rfft->fft, rfft->work);
        for (size_t t = 0; t < n / 2; t++) {
            ret_values[2 * t] = rfft->work[t].re;
            ret_values[2 * t + 1] = rfft->work[t].im;
        }
    } else {
        memcpy(rfft->work, spectrum, (n / 2 + 1) * sizeof *rfft->work);
        for (size_t k = 1; k <= n / 2; k++) rfft->work[n - k] = (tcsi_complex){ spectrum[k].re, -spectrum[k].im };
        tcsi_fft_inverse(rfft->fft, rfft->work);
        for (size_t t = 0; t < n; t++) ret_values[t] = rfft->work[t].re;
    }
}

tcs_status tcsi_autocovariance(const double *values, size_t count, double *ret_covariances, size_t lag_count, tcs_error *err)
{
    TCS_ASSERT(lag_count <= count && count <= SIZE_MAX / 4);
    if (count == 0) return TCS_OK;
    size_t padded = tcsi_fft_good_count(count + lag_count + 1); /* room enough that the lags wanted do not wrap around */
    if (padded < 2) padded = 2;
    tcsi_rfft *rfft = NULL;
    tcsi_complex *spectrum = TCSI_NEW_ARRAY(tcsi_complex, padded / 2 + 1);
    double *work = TCSI_NEW_ARRAY(double, padded);
    tcs_status status = spectrum && work ? tcsi_rfft_create(padded, &rfft, err) : tcsi_fail_memory(err, "an autocorrelation");
    if (status != TCS_OK) goto done;
    memcpy(work, values, count * sizeof *work);
    memset(work + count, 0, (padded - count) * sizeof *work);
    tcsi_rfft_forward(rfft, work, spectrum);
    for (size_t k = 0; k <= padded / 2; k++)
        spectrum[k] = (tcsi_complex){ spectrum[k].re * spectrum[k].re + spectrum[k].im * spectrum[k].im, 0 };
    tcsi_rfft_inverse(rfft, spectrum, work);
    for (size_t lag = 0; lag < lag_count; lag++) ret_covariances[lag] = work[lag] / (double)count;
done:
    tcsi_rfft_destroy(rfft);
    tcsi_free(spectrum);
    tcsi_free(work);
    return status;
}
