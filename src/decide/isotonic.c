/* SPDX-License-Identifier: Apache-2.0 */
#include "decide/isotonic.h"

#include "base/alloc.h"
#include "series/stats.h"

#include <math.h>

/* Neighbouring x whose y is one value. */
typedef struct pool {
    double x_first, x_last, y, weight;
} pool;

/* What has one x, together; points that weigh nothing, left out.  Returns how many pools. */
static size_t gather(const double *x, const double *y, const double *weights, const size_t *order, size_t count, pool *ret_pools)
{
    size_t pool_count = 0;
    for (size_t k = 0; k < count; k++) {
        const size_t i = order[k];
        const double weight = weights ? weights[i] : 1;
        if (!(weight > 0)) continue;
        pool *last = pool_count > 0 ? &ret_pools[pool_count - 1] : NULL;
        if (!last || last->x_first != x[i]) {
            ret_pools[pool_count++] = (pool){ x[i], x[i], y[i], weight };
            continue;
        }
        last->weight += weight;
        last->y += (y[i] - last->y) * weight / last->weight;
    }
    return pool_count;
}

/* Joins a pool with the one before it while that one lies higher.  Each join removes one: O(n). */
static size_t join_violators(pool *pools, size_t pool_count)
{
    size_t kept = 0;
    for (size_t i = 0; i < pool_count; i++) {
        pool next = pools[i];
        while (kept > 0 && pools[kept - 1].y >= next.y) {
            const pool before = pools[--kept];
            const double weight = before.weight + next.weight;
            next = (pool){ before.x_first, next.x_last, before.y + (next.y - before.y) * next.weight / weight, weight };
        }
        pools[kept++] = next;
    }
    return kept;
}

static tcs_status make_knots(const pool *pools, size_t pool_count, tcsi_isotonic *ret_isotonic, tcs_error *err)
{
    tcsi_isotonic out = { .x = TCSI_NEW_ARRAY(double, pool_count * 2), .y = TCSI_NEW_ARRAY(double, pool_count * 2) };
    if (!out.x || !out.y) {
        tcsi_isotonic_deinit(&out);
        return tcsi_fail_memory(err, "isotonic calibration");
    }
    for (size_t i = 0; i < pool_count; i++)
        for (int end = 0; end < 2; end++) {
            if (end == 1 && pools[i].x_last == pools[i].x_first) continue;
            out.x[out.count] = end == 0 ? pools[i].x_first : pools[i].x_last;
            out.y[out.count++] = pools[i].y;
        }
    *ret_isotonic = out;
    return TCS_OK;
}

tcs_status tcsi_isotonic_fit(const double *x, const double *y, const double *weights, size_t count, tcsi_isotonic *ret_isotonic,
                             tcs_error *err)
{
    size_t *order = TCSI_NEW_ARRAY(size_t, count), *scratch = TCSI_NEW_ARRAY(size_t, count);
    pool *pools = TCSI_NEW_ARRAY(pool, count);
    tcs_status status = order && scratch && pools ? TCS_OK : tcsi_fail_memory(err, "isotonic calibration");
    if (status == TCS_OK) {
        tcsi_argsort(x, count, order, scratch);
        const size_t pool_count = gather(x, y, weights, order, count, pools);
        if (pool_count == 0) status = tcsi_fail(err, TCS_E_INVALID, "isotonic calibration needs at least 1 row that counts");
        else status = make_knots(pools, join_violators(pools, pool_count), ret_isotonic, err);
    }
    tcsi_free(order);
    tcsi_free(scratch);
    tcsi_free(pools);
    return status;
}

void tcsi_isotonic_deinit(tcsi_isotonic *isotonic)
{
    tcsi_free(isotonic->x);
    tcsi_free(isotonic->y);
    *isotonic = (tcsi_isotonic){ 0 };
}

double tcsi_isotonic_at(const tcsi_isotonic *isotonic, double x)
{
    size_t low = 0, high = isotonic->count; /* the first knot beyond x */
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (isotonic->x[middle] > x) high = middle;
        else low = middle + 1;
    }
    if (low == 0) return isotonic->y[0];
    if (low == isotonic->count) return isotonic->y[low - 1];
    const double x0 = isotonic->x[low - 1], x1 = isotonic->x[low], y0 = isotonic->y[low - 1], y1 = isotonic->y[low];
    return y0 + (y1 - y0) * ((x - x0) / (x1 - x0));
}

void tcsi_isotonic_persist(tcsi_isotonic *isotonic, tcsi_codec *codec)
{
    size_t count = isotonic->count;
    tcsi_codec_tag(codec, "ISOT");
    tcsi_codec_size(codec, &count, SIZE_MAX / (2 * sizeof(double)));
    if (tcsi_codec_status(codec) != TCS_OK) return;
    if (tcsi_codec_loading(codec)) {
        if (count == 0 || count > codec->in_size / (2 * sizeof(double))) {
            tcsi_codec_refuse(codec, "more or fewer knots than the state has room for");
            return;
        }
        *isotonic = (tcsi_isotonic){ .x = TCSI_NEW_ARRAY(double, count), .y = TCSI_NEW_ARRAY(double, count), .count = count };
        if (!isotonic->x || !isotonic->y) {
            codec->status = tcsi_fail_memory(codec->err, "isotonic calibration");
            return;
        }
    }
    tcsi_codec_f64s(codec, isotonic->x, count);
    tcsi_codec_f64s(codec, isotonic->y, count);
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    for (size_t i = 0; i < count; i++) {
        const bool is_rising = i == 0 || (isotonic->x[i] > isotonic->x[i - 1] && isotonic->y[i] >= isotonic->y[i - 1]);
        if (isfinite(isotonic->x[i]) && isfinite(isotonic->y[i]) && is_rising) continue;
        tcsi_codec_refuse(codec, "calibration that does not rise");
        return;
    }
}
