/* series/fft.h -- the discrete Fourier transform of any length, of complex and of real data.
 *     forward   X[k] = sum over t of x[t] exp(-2 pi i k t / n)
 *     inverse   x[t] = (1/n) sum over k of X[k] exp(+2 pi i k t / n)
 * Values must be finite; what is missing is filled by the caller, who knows with what.
 * A plan holds tables and work space: many transforms of one length, one user at a time. */
#ifndef TCS_SERIES_FFT_H
#define TCS_SERIES_FFT_H

#include "base/status.h"

typedef struct tcsi_complex {
    double re, im;
} tcsi_complex;

typedef struct tcsi_fft tcsi_fft;   /* complex data */
typedef struct tcsi_rfft tcsi_rfft; /* real data */

/* count >= 1.  E_LIMIT above 2^30, E_MEMORY. */
tcs_status tcsi_fft_create(size_t count, tcsi_fft **ret_fft, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_fft_destroy(tcsi_fft *fft); /* accepts NULL */
void tcsi_fft_forward(tcsi_fft *fft, tcsi_complex *data); /* (count), in place */
void tcsi_fft_inverse(tcsi_fft *fft, tcsi_complex *data);

/* Half the work of the complex transform when count is even.  The spectrum has count / 2 + 1 entries; the others are their
 * conjugates.  Values and spectrum must not overlap. */
tcs_status tcsi_rfft_create(size_t count, tcsi_rfft **ret_rfft, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_rfft_destroy(tcsi_rfft *rfft); /* accepts NULL */
void tcsi_rfft_forward(tcsi_rfft *rfft, const double *values, tcsi_complex *ret_spectrum);
void tcsi_rfft_inverse(tcsi_rfft *rfft, const tcsi_complex *spectrum, double *ret_values);

/* The smallest power of two >= count: the fastest length for data that may be padded. */
size_t tcsi_fft_good_count(size_t count);

/* Biased autocovariances at lags 0..lag_count-1, (1/n) sum of x[t] x[t + lag], of values that are already centred and finite.
 * lag_count <= count.  O(n log n). */
tcs_status tcsi_autocovariance(const double *values, size_t count, double *ret_covariances, size_t lag_count,
                               tcs_error *err) TCS_WARN_UNUSED;

#endif
