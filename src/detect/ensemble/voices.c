/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/ensemble/voices.h"

#include "series/stats.h"

#include <math.h>
#include <string.h>

enum { COUNT_MAX = 1 << 30, PER_OCTAVE = TCSI_VOICE_BINS / TCSI_VOICE_OCTAVES };

/* The exponent and the four bits behind it of 1 + value. */
static size_t bin_of(double value)
{
    const double shifted = 1 + fmax(value, 0);
    uint64_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    const size_t bin = (size_t)(bits >> 48) - 0x3ff0;
    return bin < TCSI_VOICE_BINS ? bin : TCSI_VOICE_BINS - 1;
}

static void halve(tcsi_voice *voice)
{
    voice->count = 0;
    memset(voice->octaves, 0, sizeof voice->octaves);
    for (size_t i = 0; i < TCSI_VOICE_BINS; i++) {
        voice->bins[i] /= 2;
        voice->octaves[i / PER_OCTAVE] += voice->bins[i];
        voice->count += voice->bins[i];
    }
}

double tcsi_voice_push(tcsi_voice *voice, double value)
{
    const size_t bin = bin_of(value), octave = bin / PER_OCTAVE;
    uint32_t at_least = 0;
    for (size_t i = octave + 1; i < TCSI_VOICE_OCTAVES; i++) at_least += voice->octaves[i];
    for (size_t i = bin; i < (octave + 1) * PER_OCTAVE; i++) at_least += voice->bins[i];
    const double p = ((double)at_least + 1) / ((double)voice->count + 1);
    voice->bins[bin]++;
    voice->octaves[octave]++;
    if (++voice->count >= COUNT_MAX) halve(voice);
    return p;
}

void tcsi_voice_persist(tcsi_voice *voice, tcsi_codec *codec)
{
    uint64_t count = 0;
    tcsi_codec_u32s(codec, voice->bins, TCSI_VOICE_BINS);
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    memset(voice->octaves, 0, sizeof voice->octaves);
    for (size_t i = 0; i < TCSI_VOICE_BINS; i++) {
        count += voice->bins[i];
        voice->octaves[i / PER_OCTAVE] += voice->bins[i];
    }
    voice->count = (uint32_t)count;
    if (count >= COUNT_MAX) tcsi_codec_refuse(codec, "a member that has said too much");
}

void tcsi_voice_rank(const double *values, size_t count, float *ret_p_values, double *scratch)
{
    memcpy(scratch, values, count * sizeof *values);
    tcsi_sort(scratch, count);
    for (size_t t = 0; t < count; t++) {
        size_t low = 0, high = count; /* the first that is not below */
        while (low < high) {
            const size_t middle = low + (high - low) / 2;
            if (scratch[middle] < values[t]) low = middle + 1;
            else high = middle;
        }
        ret_p_values[t] = (float)((double)(count - low) / (double)count);
    }
}

double tcsi_voices_deviation(const double *without, size_t count)
{
    return count < 2 ? 0 : sqrt(tcsi_moments_of(without, count).variance);
}
