/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/ingest/rate.h"

#include "series/time.h"

#include <math.h>
#include <string.h>

tcsi_series_kind tcsi_rate_kind(tcsi_series_kind stated, const tcsi_key *key)
{
    static const char *const suffixes[] = { "_total", "_count", "_sum", "_bucket" };
    if (stated != TCSI_SERIES_UNSTATED) return stated;
    const tcsi_tag *metric = tcsi_key_get(key, TCSI_KEY_METRIC);
    for (size_t i = 0; metric && i < TCS_COUNT(suffixes); i++) {
        size_t size = strlen(suffixes[i]);
        if (metric->value_size > size && memcmp(metric->value + metric->value_size - size, suffixes[i], size) == 0)
            return TCSI_SERIES_COUNTER;
    }
    return TCSI_SERIES_GAUGE;
}

void tcsi_rate_begin(tcsi_rate *rate)
{
    *rate = (tcsi_rate){ .value = NAN };
}

bool tcsi_rate_of_delta(double value, int64_t begin_ns, int64_t end_ns, double *ret_per_s)
{
    if (end_ns <= begin_ns) return false;
    double per_s = value / ((double)((uint64_t)end_ns - (uint64_t)begin_ns) / (double)TCSI_NS_PER_S); /* unsigned: 585 years fit */
    if (!isfinite(per_s)) return false;
    *ret_per_s = per_s;
    return true;
}

bool tcsi_rate_push(tcsi_rate *rate, int64_t time_ns, double value, double *ret_per_s)
{
    if (tcsi_value_is_stale(value)) tcsi_rate_begin(rate);
    if (!isfinite(value)) return false;
    bool first = isnan(rate->value);
    if (!first && time_ns <= rate->time_ns) return false;
    double added = value < rate->value ? value : value - rate->value;
    bool given = !first && tcsi_rate_of_delta(added, rate->time_ns, time_ns, ret_per_s);
    *rate = (tcsi_rate){ time_ns, value };
    return given;
}
