/* detect/window/spectral_residual.c -- what stands out of the average spectrum.
 *
 * H. Ren et al., "Time-series anomaly detection service at Microsoft", KDD 2019, section 3.2: the log amplitude spectrum
 * less its own moving average, back in time with the old phases, is a saliency map S (equations 2-6); the score is
 * |S - mean S| / mean S over the rows before (equation 7).  Here the whole series is transformed at once, any length, and
 * the spectrum is a circle: its average wraps around.  The mean, which standardizing took away, counts as its neighbours do.
 * Finds: spikes and sudden changes.  Misses: long events and shapes.  Cost: O(n log n).
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "detect/window/offline.h"
#include "series/fft.h"
#include "series/moving.h"

#include <math.h>

typedef struct options {
    size_t spectrum_width, score_width;
} options;

typedef struct spectral_residual {
    tcsi_detector base;
    options options;
} spectral_residual;

enum { ROW_COUNT_MIN = 12 };
static const double AMPLITUDE_MIN = 1e-8; /* beside a standardized series: rounding of an empty frequency */

/* Mean of the width values around each, on a circle; width is odd and at most count. */
static void circular_mean(const double *values, size_t count, size_t width, double *ret_means)
{
    const size_t half = width / 2;
    for (size_t k = 0; k < count; k++) {
        double sum = 0;
        for (size_t m = 0; m < width; m++) sum += values[(k + count - half + m) % count];
        ret_means[k] = sum / (double)width;
    }
}

/* z (count) -> saliency (count). */
static tcs_status saliency(const double *z, size_t count, size_t width, double *ret_saliency, tcs_error *err)
{
    tcsi_fft *fft = NULL;
    tcsi_complex *spectrum = TCSI_NEW_ARRAY(tcsi_complex, count);
    double *logs = TCSI_NEW_ARRAY(double, count), *means = TCSI_NEW_ARRAY(double, count);
    tcs_status status = spectrum && logs && means ? tcsi_fft_create(count, &fft, err) : tcsi_fail_memory(err, "a spectrum");
    if (status == TCS_OK) {
        for (size_t t = 0; t < count; t++) spectrum[t] = (tcsi_complex){ z[t], 0 };
        tcsi_fft_forward(fft, spectrum);
        for (size_t k = 0; k < count; k++) logs[k] = log(hypot(spectrum[k].re, spectrum[k].im) + AMPLITUDE_MIN);
        logs[0] = (logs[1] + logs[count - 1]) / 2; /* standardizing emptied frequency 0, and its depth would lift its neighbours */
        circular_mean(logs, count, width, means);
        for (size_t k = 0; k < count; k++) {
            double amplitude = hypot(spectrum[k].re, spectrum[k].im) + AMPLITUDE_MIN, factor = exp(logs[k] - means[k]) / amplitude;
            spectrum[k].re *= factor;
            spectrum[k].im *= factor;
        }
        tcsi_fft_inverse(fft, spectrum);
        for (size_t t = 0; t < count; t++) ret_saliency[t] = hypot(spectrum[t].re, spectrum[t].im);
    }
    tcsi_fft_destroy(fft);
    tcsi_free(spectrum);
    tcsi_free(logs);
    tcsi_free(means);
    return status;
}

static tcs_status score(tcsi_detector *base, const tcsi_frame *frame, tcs_score *ret_scores, tcs_error *err)
{
    const spectral_residual *self = (spectral_residual *)base;
    tcsi_offline offline = { 0 };
    double *map = NULL, *means = NULL;
    tcs_status status = tcsi_offline_begin(frame, 1, NULL, &offline, err);
    bool long_enough = status == TCS_OK && offline.row_count >= ROW_COUNT_MIN;
    if (long_enough) {
        size_t n = offline.row_count, width = self->options.spectrum_width | 1; /* odd: centred */
        if (width > n / 2) width = (n / 2 - 1) | 1;
        map = TCSI_NEW_ARRAY(double, n);
        means = TCSI_NEW_ARRAY(double, n);
        status = map && means ? saliency(offline.z, n, width, map, err) : tcsi_fail_memory(err, "a saliency map");
        if (status == TCS_OK) {
            tcsi_trailing_mean(map, n, self->options.score_width, means);
            for (size_t t = 0; t < n; t++) map[t] = offline.scale.constant ? 0 : fabs(map[t] - means[t]) / (means[t] + AMPLITUDE_MIN);
        }
    }
    if (status == TCS_OK) tcsi_offline_scores(&offline, long_enough ? map : NULL, ret_scores);
    tcsi_free(map);
    tcsi_free(means);
    tcsi_offline_end(&offline);
    return status;
}

static size_t size_max(const tcsi_detector *base, size_t row_count)
{
    (void)base;
    /* Five arrays of ours, and up to a dozen padded complex ones inside the transform of an awkward length. */
    return sizeof(spectral_residual) + tcsi_offline_size_max(row_count) + 8 * row_count * sizeof(double) +
           64 * (row_count + 64) * sizeof(double);
}

static const tcsi_parameter parameters[] = {
    TCSI_COUNT(spectrum_width, 3, 1, 999,
               "frequencies in the average that is taken off the log spectrum (q in the paper; even numbers are raised by one)"),
    TCSI_COUNT(score_width, 21, 1, 1e6, "rows up to the scored one in the average saliency (z in the paper)"),
};

static const tcsi_detector_ops ops = { .score = score, .size_max = size_max };

const tcsi_detector_info tcsi_detector_spectral_residual = {
    .name = "spectral_residual",
    .title = "spectral residual",
    .paper = "H. Ren, B. Xu, Y. Wang et al.: Time-series anomaly detection service at Microsoft. KDD 2019, section 3.2, equations 2-7",
    .summary = "Takes the moving average off the log spectrum and goes back in time: what is left is what the spectrum at large does "
               "not explain. Finds spikes and sudden changes; misses long events and odd shapes. O(n log n).",
    .traits = TCSI_TRAIT_OFFLINE,
    .instance_size = sizeof(spectral_residual),
    .options_offset = offsetof(spectral_residual, options),
    .parameters = parameters,
    .parameter_count = TCS_COUNT(parameters),
    .ops = &ops,
};
