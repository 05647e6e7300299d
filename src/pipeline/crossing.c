/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/crossing.h"

#include "base/alloc.h"
#include "pipeline/known.h"
#include "series/stats.h"

#include <math.h>

enum { QUANTILE_COUNT = 2 * TCSI_FORECAST_LEVEL_COUNT + 1 };

/* Where a standard normal value is at most with probability (1 + level) / 2, of tcsi_forecast_levels. */
static const double probits[TCSI_FORECAST_LEVEL_COUNT] = { 0.67448975019608171, 1.2815515655446004, 1.6448536269514722,
                                                           1.9599639845400545 };

/* Of the value, or with sign -1 of its negative, ascending; false: not finite.  Bands that follow their misses each by itself may come to
 * lie inside one another the wrong way round: a wider one is at least as wide as those within. */
static bool list_quantiles(const tcsi_forecast *forecast, double sign, double *ret_values, double *ret_probits)
{
    const size_t middle = TCSI_FORECAST_LEVEL_COUNT;
    ret_values[middle] = sign * forecast->median;
    ret_probits[middle] = 0;
    bool fine = isfinite(forecast->median);
    for (size_t i = 0; i < TCSI_FORECAST_LEVEL_COUNT; i++) {
        const double low = sign > 0 ? forecast->low[i] : -forecast->high[i], high = sign > 0 ? forecast->high[i] : -forecast->low[i];
        fine &= isfinite(low) && isfinite(high);
        ret_values[middle - 1 - i] = fmin(low, ret_values[middle - i]);
        ret_values[middle + 1 + i] = fmax(high, ret_values[middle + i]);
        ret_probits[middle - 1 - i] = -probits[i];
        ret_probits[middle + 1 + i] = probits[i];
    }
    return fine;
}

/* Half the value's difference for one of the probit, between two quantiles.  Halves, because a difference of two doubles may not be one. */
static double slope(const double *values, const double *z, size_t from, size_t to)
{
    return (values[to] / 2 - values[from] / 2) / (z[to] - z[from]);
}

/* Quantiles that coincide are a jump, past which the next line begins. */
static double probit_at(const double *values, const double *z, double limit)
{
    const size_t middle = TCSI_FORECAST_LEVEL_COUNT, last = QUANTILE_COUNT - 1;
    size_t i = 0;
    while (i < last && limit >= values[i + 1]) i++;
    double scale;
    if (limit < values[0]) scale = fmax(slope(values, z, 0, 1), slope(values, z, 0, middle));
    else if (i == last) scale = fmax(slope(values, z, last - 1, last), slope(values, z, middle, last));
    else scale = slope(values, z, i, i + 1);
    if (scale > 0) return z[i] + (limit / 2 - values[i] / 2) / scale;
    return limit >= values[i] ? INFINITY : -INFINITY;
}

static double above(const tcsi_forecast *forecast, double limit, double sign)
{
    double values[QUANTILE_COUNT], z[QUANTILE_COUNT];
    if (!list_quantiles(forecast, sign, values, z)) return NAN;
    return erfc(probit_at(values, z, sign * limit) * 0.70710678118654752440) / 2;
}

double tcsi_forecast_above(const tcsi_forecast *forecast, double limit) { return above(forecast, limit, 1); }
double tcsi_forecast_below(const tcsi_forecast *forecast, double limit) { return above(forecast, limit, -1); }

/* Beyond either side of a limit; NaN as above. */
static double beyond(const tcsi_forecast *forecast, const tcsi_limit *limit)
{
    double sum = 0;
    if (!isnan(limit->above)) sum += tcsi_forecast_above(forecast, limit->above);
    if (!isnan(limit->below)) sum += tcsi_forecast_below(forecast, limit->below);
    return sum > 1 ? 1 : sum; /* the sides may overlap */
}

/* A missing value neither passes a limit nor ends its passing. */
static bool is_passed_now(const tcsi_frame *frame, size_t channel, const tcsi_limit *limit)
{
    const double *values = tcsi_frame_column(frame, channel);
    size_t t = frame->row_count;
    while (t > 0 && !tcsi_value_ok(values[t - 1])) t--;
    return t > 0 && (values[t - 1] > limit->above || values[t - 1] < limit->below);
}

static void add_horizon(tcsi_crossing *crossing, size_t ahead, double probability)
{
    const size_t at = crossing->horizon_count;
    if (isnan(probability) || at == TCSI_CROSSING_HORIZON_COUNT_MAX) return;
    if (crossing->likely == at && probability < 0.5) crossing->likely++;
    crossing->ahead[at] = ahead;
    crossing->probabilities[at] = probability;
    crossing->probability = fmax(crossing->probability, probability);
    crossing->horizon_count++;
}

static tcsi_crossing cross(const tcsi_detection *detection, size_t which)
{
    const tcsi_bound *bound = detection->known->bound;
    const tcsi_bound_limit *passing = &bound->limits[which];
    const size_t c = passing->channel;
    tcsi_crossing crossing = { .channel = c };
    for (size_t i = 0; i < detection->forecast_count; i++)
        if (detection->forecasts[i].channel == c)
            add_horizon(&crossing, detection->forecasts[i].forecast.ahead, beyond(&detection->forecasts[i].forecast, passing->limit));
    if (crossing.horizon_count == 0) return crossing;
    tcsi_limit value = *passing->limit;
    value.for_ns = 0;
    tcsi_limit_format(&value, bound->names[c], bound->units[c], crossing.words, sizeof crossing.words);
    crossing.is_passed = is_passed_now(detection->frame, c, passing->limit);
    return crossing;
}

tcs_status tcsi_detection_find_crossings(tcsi_detection *detection, tcs_error *err)
{
    const size_t count = detection->known ? detection->known->bound->limit_count : 0;
    if (count == 0 || detection->forecast_count == 0) return TCS_OK;
    detection->crossings = TCSI_NEW_ZEROS(tcsi_crossing, count);
    if (!detection->crossings) return tcsi_fail_memory(err, "limits ahead");
    for (size_t i = 0; i < count; i++) {
        const tcsi_crossing crossing = cross(detection, i);
        if (crossing.horizon_count > 0) detection->crossings[detection->crossing_count++] = crossing;
    }
    return TCS_OK;
}
