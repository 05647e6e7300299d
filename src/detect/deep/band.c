/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/deep/band.h"

#include "base/alloc.h"
#include "series/stats.h"

#include <math.h>
#include <string.h>

enum { L = TCSI_FORECAST_LEVEL_COUNT };
static const double radius_min = 1e-3, radius_max = 1e9;
static const double step = 0.02; /* a miss at 95 % widens by 1.9 %, a hit narrows by 0.1 % */
/* Of a Student distribution of 4 degrees, two-sided, at the levels. */
static const float student[L] = { 0.7407f, 1.5332f, 2.1318f, 2.7764f };

bool tcsi_bands_init(tcsi_bands *bands, size_t series_count)
{
    *bands = (tcsi_bands){ .series_count = series_count, .radii = TCSI_NEW_ZEROS(float, series_count * L),
                           .learned = TCSI_NEW_ZEROS(float, series_count * L) };
    if (!bands->radii || !bands->learned) return false;
    for (size_t i = 0; i < series_count; i++) memcpy(bands->learned + i * L, student, sizeof student);
    tcsi_bands_reset(bands);
    return true;
}

void tcsi_bands_deinit(tcsi_bands *bands)
{
    tcsi_free(bands->radii);
    tcsi_free(bands->learned);
    *bands = (tcsi_bands){ 0 };
}

void tcsi_bands_reset(tcsi_bands *bands)
{
    memcpy(bands->radii, bands->learned, bands->series_count * L * sizeof *bands->radii);
}

void tcsi_bands_learn(tcsi_bands *bands, size_t series, double *errors, size_t count)
{
    const size_t known = tcsi_present_copy(errors, count, errors);
    float *radii = bands->learned + series * L;
    memcpy(radii, student, sizeof student);
    tcsi_sort(errors, known);
    for (size_t i = 0; i < L && known > 0; i++) {
        const size_t rank = tcsi_rank_covering(known, tcsi_forecast_levels[i]);
        radii[i] = (float)fmin(radius_max, fmax(radius_min, errors[rank <= known ? rank - 1 : known - 1]));
    }
}

/* Errors come with a sign or without.  Radii that cross are set to the greater: a wider band never holds less. */
void tcsi_bands_follow(tcsi_bands *bands, size_t series, double error)
{
    float *radii = bands->radii + series * L;
    for (size_t i = 0; i < L; i++) {
        const double missed = fabs(error) > (double)radii[i] ? 1 : 0;
        const double radius = (double)radii[i] * (1 + step * (missed - (1 - tcsi_forecast_levels[i])));
        radii[i] = (float)fmin(radius_max, fmax(radius_min, radius));
        if (i > 0 && radii[i] < radii[i - 1]) radii[i] = radii[i - 1];
    }
}

static bool fine(const float *radii)
{
    bool ok = true;
    for (size_t i = 0; i < L; i++)
        ok &= (double)radii[i] >= 0.99 * radius_min && (double)radii[i] <= 1.01 * radius_max && (i == 0 || radii[i] >= radii[i - 1]);
    return ok;
}

void tcsi_bands_persist(tcsi_bands *bands, tcsi_codec *codec)
{
    tcsi_codec_f32s(codec, bands->radii, bands->series_count * L);
    tcsi_codec_f32s(codec, bands->learned, bands->series_count * L);
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    bool ok = true;
    for (size_t i = 0; i < bands->series_count; i++) ok &= fine(bands->radii + i * L) && fine(bands->learned + i * L);
    if (!ok) tcsi_codec_refuse(codec, "the width of a forecast band out of range");
}

size_t tcsi_bands_size(size_t series_count)
{
    return tcsi_size_product(series_count, 2 * L * sizeof(float));
}
