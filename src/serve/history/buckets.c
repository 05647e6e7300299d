/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/history/buckets.h"

#include "base/alloc.h"

#include <math.h>

#define MS INT64_C(1000000)
#define S INT64_C(1000000000)

static const int64_t steps_ns[] = {
    1 * MS, 2 * MS, 5 * MS, 10 * MS, 20 * MS, 50 * MS, 100 * MS, 200 * MS, 500 * MS, 1 * S, 2 * S, 5 * S, 10 * S, 15 * S, 30 * S, 60 * S,
    120 * S, 300 * S, 600 * S, 900 * S, 1800 * S, 3600 * S, 7200 * S, 10800 * S, 21600 * S, 43200 * S, 86400 * S, 172800 * S, 604800 * S,
};

static int64_t step_of(int64_t time_ns, int64_t step_ns)
{
    return time_ns / step_ns - (time_ns % step_ns < 0);
}

static uint64_t count_of(int64_t from_ns, int64_t to_ns, int64_t step_ns)
{
    return (uint64_t)(step_of(to_ns, step_ns) - step_of(from_ns, step_ns)) + 1;
}

tcs_status tcsi_buckets_init(tcsi_buckets *buckets, int64_t from_ns, int64_t to_ns, size_t count_max, int64_t step_min_ns, tcs_error *err)
{
    TCS_ASSERT(from_ns <= to_ns && count_max > 0);
    size_t i = 0;
    while (i < TCS_COUNT(steps_ns) && (steps_ns[i] < step_min_ns || count_of(from_ns, to_ns, steps_ns[i]) > count_max)) i++;
    if (i < TCS_COUNT(steps_ns)) {
        *buckets = (tcsi_buckets){ .step_ns = steps_ns[i], .begin_ns = step_of(from_ns, steps_ns[i]) * steps_ns[i],
                                   .count = (size_t)count_of(from_ns, to_ns, steps_ns[i]) };
    } else { /* years in a few points, or both sides of a week's end in one: a step as it comes */
        const uint64_t span = (uint64_t)to_ns - (uint64_t)from_ns, step = span / count_max + 1;
        *buckets = (tcsi_buckets){ .step_ns = step < INT64_MAX ? (int64_t)step : INT64_MAX, .begin_ns = from_ns, .count = count_max };
    }
    buckets->items = TCSI_NEW_ZEROS(tcsi_bucket, buckets->count);
    return buckets->items ? TCS_OK : tcsi_fail_memory(err, "buckets of rows");
}

void tcsi_buckets_deinit(tcsi_buckets *buckets)
{
    tcsi_free(buckets->items);
    *buckets = (tcsi_buckets){ 0 };
}

void tcsi_buckets_push(tcsi_buckets *buckets, const tcsi_chronicle_row *row)
{
    if (row->time_ns < buckets->begin_ns) return;
    const uint64_t at = (uint64_t)(row->time_ns - buckets->begin_ns) / (uint64_t)buckets->step_ns;
    if (at >= buckets->count) return;
    tcsi_bucket *bucket = &buckets->items[at];
    const double weight = (double)row->count;
    if (bucket->count == 0) {
        bucket->low = row->low;
        bucket->high = row->high;
    }
    bucket->count += row->count;
    bucket->sum += weight * row->value;
    if (row->low < bucket->low) bucket->low = row->low;
    if (row->high > bucket->high) bucket->high = row->high;
    if (isnan(row->score)) return;
    bucket->scored_count += row->count;
    bucket->expected += weight * row->expected;
    bucket->deviation += weight * row->deviation;
    if (row->score > bucket->score) bucket->score = row->score;
}

tcsi_bucket_shown tcsi_bucket_show(const tcsi_bucket *bucket)
{
    tcsi_bucket_shown shown = { NAN, NAN, NAN, NAN, NAN, NAN, NAN };
    if (bucket->count == 0) return shown;
    shown.value = fmin(fmax(bucket->sum / (double)bucket->count, bucket->low), bucket->high);
    shown.low = bucket->low;
    shown.high = bucket->high;
    if (bucket->scored_count == 0) return shown;
    const double scored = (double)bucket->scored_count, reach = TCSI_BAND_DEVIATIONS * bucket->deviation / scored;
    shown.expected = bucket->expected / scored;
    shown.lower = shown.expected - reach;
    shown.upper = shown.expected + reach;
    shown.score = bucket->score;
    return shown;
}
