/* detect/deep/band.h -- forecast bands that hold what they promise.
 *
 * A forecast is a location and a scale; its band at level p is location +- radius(p) scale. What the network believes of its own errors
 * is not taken at its word: radii are quantiles of |error| / scale over training rows that were held out, at rank ceil((n + 1) p), so that
 * a fresh row of the same kind is inside with probability p whatever the distribution (split conformal prediction: H. Papadopoulos, A.
 * Gammerman, V. Vovk, "Normalized nonconformity measures for regression conformal prediction", 2008; Y. Romano, E. Patterson, E. Candes,
 * "Conformalized quantile regression", NeurIPS 2019; one radius for each horizon: K. Stankeviciute, A. Alaa, M. van der Schaar,
 * "Conformal time-series forecasting", NeurIPS 2021).
 *
 * Series drift, and few rows are held out; so each radius then follows its own misses,
 *     radius += step radius (missed - (1 - p)),
 * which brings the share of misses to 1 - p in the long run for any series (I. Gibbs, E. Candes, "Adaptive conformal inference under
 * distribution shift", NeurIPS 2021; the radius itself as the state: A. Angelopoulos, E. Candes, R. Tibshirani, "Conformal PID control for
 * time series prediction", NeurIPS 2023).
 *
 * A series here is one horizon of one channel.  Threads: one caller. */
#ifndef TCS_DETECT_DEEP_BAND_H
#define TCS_DETECT_DEEP_BAND_H

#include "detect/detector.h"

#include <stddef.h>

typedef struct tcsi_bands {
    size_t series_count;
    float *radii, *learned; /* (S,TCSI_FORECAST_LEVEL_COUNT), ascending: now; as of the fit */
} tcsi_bands;

bool tcsi_bands_init(tcsi_bands *bands, size_t series_count) TCS_WARN_UNUSED; /* false: out of memory */
void tcsi_bands_deinit(tcsi_bands *bands);                                    /* accepts a zeroed struct */
/* From count errors in scales, NaN: not known; without any the radii are those of a Student distribution of 4 degrees.  Rearranges. */
void tcsi_bands_learn(tcsi_bands *bands, size_t series, double *errors, size_t count);
void tcsi_bands_reset(tcsi_bands *bands); /* to what was learned */
void tcsi_bands_follow(tcsi_bands *bands, size_t series, double error);
void tcsi_bands_persist(tcsi_bands *bands, tcsi_codec *codec);
size_t tcsi_bands_size(size_t series_count); /* bytes; SIZE_MAX when absurd */

#endif
