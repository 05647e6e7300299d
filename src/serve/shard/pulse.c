/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/shard/pulse.h"

#include <math.h>

static const double P_LOW = 0.01;
/* Deciles of the absolute value of a normal variable, and of a normal variable. */
static const double height_edges[TCSI_PULSE_BINS - 1] = { 0.126, 0.253, 0.385, 0.524, 0.674, 0.842, 1.036, 1.282, 1.645 };
static const double distance_edges[TCSI_PULSE_BINS - 1] = { -1.282, -0.842, -0.524, -0.253, 0, 0.253, 0.524, 0.842, 1.282 };

static size_t bin_of(const double *edges, double x)
{
    size_t bin = 0;
    while (bin < TCSI_PULSE_BINS - 1 && x >= edges[bin]) bin++;
    return bin;
}

void tcsi_pulse_take(tcsi_pulse *pulse, double p_value, double score, double distance)
{
    pulse->sample_count++;
    pulse->low_count += p_value < P_LOW;
    pulse->heights[bin_of(height_edges, score)]++;
    pulse->distances[bin_of(distance_edges, distance)]++;
}

void tcsi_pulse_add(tcsi_pulse *pulse, const tcsi_pulse *other)
{
    pulse->sample_count += other->sample_count;
    pulse->low_count += other->low_count;
    for (size_t i = 0; i < TCSI_PULSE_BINS; i++) {
        pulse->heights[i] += other->heights[i];
        pulse->distances[i] += other->distances[i];
    }
}

void tcsi_pulse_persist(tcsi_pulse *pulse, tcsi_codec *codec)
{
    tcsi_codec_tag(codec, "PULS");
    tcsi_codec_u64(codec, &pulse->sample_count);
    tcsi_codec_u64(codec, &pulse->low_count);
    for (size_t i = 0; i < TCSI_PULSE_BINS; i++) {
        tcsi_codec_u64(codec, &pulse->heights[i]);
        tcsi_codec_u64(codec, &pulse->distances[i]);
    }
}

double tcsi_pulse_distance(const uint64_t *bins, const uint64_t *reference)
{
    double count = 0, reference_count = 0, sum = 0;
    for (size_t i = 0; i < TCSI_PULSE_BINS; i++) {
        count += (double)bins[i] + 0.5;
        reference_count += (double)reference[i] + 0.5;
    }
    for (size_t i = 0; i < TCSI_PULSE_BINS; i++) {
        const double p = ((double)bins[i] + 0.5) / count, q = ((double)reference[i] + 0.5) / reference_count;
        sum += (p - q) * log(p / q);
    }
    return sum;
}
