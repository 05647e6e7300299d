/* kernels/join.c -- prepares a join, cuts it into blocks of rows, and merges what the tier returns.
 *
 * A task is one block of rows against all columns; it restarts every diagonal from full dot products, which bounds
 * rounding and makes tasks independent.  Segments restart anyway, so their blocks are short; a full join pays
 * window_count dot products per block and takes longer ones.  Scratch memory belongs to the worker, results to the task.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/join_tier.h"

#include "base/alloc.h"

#include <math.h>
#include <string.h>

enum { SEGMENT_BLOCK_ROW_COUNT = 512, SELF_BLOCK_ROW_COUNT = 1024 };

/* Below this, beside a largest value of 1, a deviation is rounding noise of a constant window. */
#define CONSTANT_DEVIATION_MAX 1e-12

static const tcsi_join_ops *ops_for(tcsi_isa isa)
{
    TCS_ASSERT(tcsi_isa_supported(isa));
#if defined(__x86_64__)
    if (isa == TCSI_ISA_AVX512) return &tcsi_join_ops_avx512;
    if (isa == TCSI_ISA_AVX2) return &tcsi_join_ops_avx2;
#endif
    return &tcsi_join_ops_ref;
}

/* ---- the plan ---- */

void tcsi_join_plan_deinit(tcsi_join_plan *plan)
{
    tcsi_free(plan->memory);
    *plan = (tcsi_join_plan){ 0 };
}

/* Centres and scales to a largest magnitude of 1; a constant series becomes zeros.  Returns the unit. */
static double scale_values(const double *values, size_t count, double *ret_scaled)
{
    double sum = 0, peak = 0;
    for (size_t t = 0; t < count; t++) sum += values[t] / (double)count;
    for (size_t t = 0; t < count; t++) {
        ret_scaled[t] = values[t] - sum;
        peak = fmax(peak, fabs(ret_scaled[t]));
    }
    bool constant = !(peak > 1e-290 && peak > 1e-15 * fabs(sum));
    for (size_t t = 0; t < count; t++) ret_scaled[t] = constant ? 0 : ret_scaled[t] / peak;
    return constant ? 1 : peak;
}

/* Mean and variance of every window, from all its values: exact, and cheap beside the join. */
static void window_moments(const double *values, size_t count, size_t window, double *ret_mean, double *ret_variance)
{
    enum { BLOCK = 64 };
    for (size_t begin = 0; begin < count; begin += BLOCK) {
        const size_t n = count - begin < BLOCK ? count - begin : BLOCK;
        const double *x = values + begin;
        double mean[BLOCK] = { 0 }, square[BLOCK] = { 0 };
        for (size_t k = 0; k < window; k++)
            for (size_t i = 0; i < n; i++) mean[i] += x[i + k];
        for (size_t i = 0; i < n; i++) mean[i] /= (double)window;
        for (size_t k = 0; k < window; k++)
            for (size_t i = 0; i < n; i++) square[i] += (x[i + k] - mean[i]) * (x[i + k] - mean[i]);
        for (size_t i = 0; i < n; i++) {
            ret_mean[begin + i] = mean[i];
            ret_variance[begin + i] = square[i] / (double)window;
        }
    }
}

static void plan_fill(tcsi_join_plan *plan, double deviation_floor)
{
    const size_t count = plan->window_count, w = plan->window;
    const double *x = plan->values;
    window_moments(x, count, w, plan->mean, plan->energy);
    for (size_t i = 0; i < count; i++) {
        if (plan->kind == TCSI_JOIN_RAW) {
            plan->energy[i] += plan->mean[i] * plan->mean[i];
            plan->mean[i] = 0;
        } else if (plan->kind == TCSI_JOIN_ZNORM) {
            double deviation = sqrt(plan->energy[i]), floored = fmax(deviation, deviation_floor / plan->unit);
            plan->inverse[i] = floored > CONSTANT_DEVIATION_MAX ? 1 / floored : 0;
            plan->energy[i] = deviation > CONSTANT_DEVIATION_MAX ? (deviation * plan->inverse[i]) * (deviation * plan->inverse[i]) : 0;
        }
    }
    for (size_t i = 1; i < count; i++) {
        plan->df[i] = -(x[i + w - 1] - x[i - 1]) / (double)w;
        plan->dg[i] = (x[i + w - 1] - plan->mean[i]) + (x[i - 1] - plan->mean[i - 1]);
    }
}

tcs_status tcsi_join_plan_init(tcsi_join_plan *plan, tcsi_join_kind kind, const double *values, size_t value_count, size_t window,
                               double deviation_floor, tcs_error *err)
{
    *plan = (tcsi_join_plan){ .kind = kind, .value_count = value_count, .window = window };
    if (window < 1 || window > value_count)
        return tcsi_fail(err, TCS_E_INVALID, "join: a window of %zu rows does not fit a series of %zu", window, value_count);
    for (size_t t = 0; t < value_count; t++)
        if (!(fabs(values[t]) <= TCS_VALUE_MAX)) return tcsi_fail(err, TCS_E_INVALID, "join: value %zu is not usable: %g", t, values[t]);
    const size_t count = value_count - window + 1, array_count = kind == TCSI_JOIN_ZNORM ? 5 : 4;
    size_t total;
    if (!tcsi_multiply(count + TCSI_JOIN_PAD, array_count, &total) || total > SIZE_MAX - value_count - TCSI_JOIN_PAD)
        return tcsi_fail_memory(err, "a join");
    plan->memory = TCSI_NEW_ZEROS(double, total + value_count + TCSI_JOIN_PAD);
    if (!plan->memory) return tcsi_fail_memory(err, "a join");
    plan->window_count = count;
    plan->mean = plan->memory;
    plan->energy = plan->mean + count + TCSI_JOIN_PAD;
    plan->df = plan->energy + count + TCSI_JOIN_PAD;
    plan->dg = plan->df + count + TCSI_JOIN_PAD;
    if (kind == TCSI_JOIN_ZNORM) plan->inverse = plan->dg + count + TCSI_JOIN_PAD;
    plan->values = plan->memory + total;
    plan->unit = scale_values(values, value_count, plan->values);
    plan_fill(plan, deviation_floor);
    return TCS_OK;
}

/* ---- the run ---- */

typedef struct join_job {
    const tcsi_join_ops *ops;
    const tcsi_join_plan *plan;
    const tcsi_join_range *range;
    size_t block_row_count, worker_size; /* worker_size: doubles of scratch per worker */
    double *scratch;
    double *first, *second;
} join_job;

/* Keeps the smallest keep_count of what was seen: list[k * stride], ascending. */
static void keep_smallest(double *list, size_t stride, size_t keep_count, double value)
{
    for (size_t k = 0; k < keep_count; k++) {
        double kept = list[k * stride];
        list[k * stride] = value < kept ? value : kept;
        value = value < kept ? kept : value;
    }
}

/* The minima of one strip into the kept lists of rows [begin, end), except rows of [closed_begin, closed_end). */
static void merge(const join_job *job, size_t begin, size_t end, size_t closed_begin, size_t closed_end, const double *minima,
                  double *ret_lists)
{
    const size_t stride = job->plan->window_count, keep_count = job->range->keep_count;
    for (size_t i = begin; i < end; i++)
        if (i < closed_begin || i >= closed_end) keep_smallest(ret_lists + i, stride, keep_count, minima[i - begin]);
}

/* Adds the row's own energy, which the tiers leave out; rounding may have left a distance a little below 0. */
static void finish(const join_job *job, size_t begin, size_t end, double *ret_lists)
{
    const size_t stride = job->plan->window_count;
    for (size_t k = 0; k < job->range->keep_count; k++)
        for (size_t i = begin; i < end; i++) ret_lists[k * stride + i] = fmax(0, ret_lists[k * stride + i] + job->plan->energy[i]);
}

static void block_run(void *context, size_t task_index, size_t worker_index)
{
    const join_job *job = context;
    const tcsi_join_plan *plan = job->plan;
    const tcsi_join_range *range = job->range;
    const size_t begin = task_index * job->block_row_count, count = plan->window_count;
    const size_t end = count - begin < job->block_row_count ? count : begin + job->block_row_count;
    double *minima = job->scratch + worker_index * job->worker_size;
    tcsi_join_strip strip = { .plan = plan, .row_begin = begin, .row_end = end, .left = range->left,
                              .exclusion = range->cell_exclusion ? range->exclusion : 0, .first = minima,
                              .second = job->second ? minima + job->block_row_count : NULL, .scratch = minima + 2 * job->block_row_count };
    for (size_t k = 0; k < range->keep_count; k++)
        for (size_t i = begin; i < end; i++) {
            job->first[k * count + i] = INFINITY;
            if (job->second) job->second[k * count + i] = INFINITY;
        }
    const tcsi_join_segment all = { 0, count };
    const size_t segment_count = range->segments ? range->segment_count : 1;
    for (size_t s = 0; s < segment_count; s++) {
        const tcsi_join_segment *segment = range->segments ? &range->segments[s] : &all;
        size_t closed_begin = 0, closed_end = 0;
        if (!range->cell_exclusion) {
            closed_begin = segment->begin > range->exclusion ? segment->begin - range->exclusion : 0;
            closed_end = segment->begin + segment->count + range->exclusion;
            if (closed_begin <= begin && end <= closed_end) continue;
        }
        strip.column_begin = segment->begin;
        strip.column_end = segment->begin + segment->count;
        job->ops->strip(&strip);
        merge(job, begin, end, closed_begin, closed_end, strip.first, job->first);
        if (job->second) merge(job, begin, end, closed_begin, closed_end, strip.second, job->second);
    }
    finish(job, begin, end, job->first);
    if (!job->second) return;
    finish(job, begin, end, job->second);
}

static tcs_status check_segments(const tcsi_join_plan *plan, const tcsi_join_range *range, size_t *ret_widest, tcs_error *err)
{
    size_t widest = range->segments ? 0 : plan->window_count;
    for (size_t s = 0; range->segments && s < range->segment_count; s++) {
        const tcsi_join_segment *segment = &range->segments[s];
        if (segment->count < 1 || segment->begin >= plan->window_count || segment->count > plan->window_count - segment->begin)
            return tcsi_fail(err, TCS_E_INVALID, "join: segment %zu, windows %zu to %zu, is outside the %zu windows", s, segment->begin,
                             segment->begin + segment->count, plan->window_count);
        if (segment->count > widest) widest = segment->count;
    }
    *ret_widest = widest;
    return TCS_OK;
}

tcs_status tcsi_join_run(tcsi_isa isa, const tcsi_join_plan *plan, const tcsi_join_range *range, tcsi_pool *pool, double *ret_first,
                         double *ret_second, tcs_error *err)
{
    TCS_ASSERT((plan->kind == TCSI_JOIN_BOTH) == (ret_second != NULL));
    TCS_ASSERT(range->keep_count >= 1 && range->keep_count <= TCSI_JOIN_KEEP_MAX && (!range->cell_exclusion || range->exclusion >= 1));
    size_t widest = 0, scratch_count;
    tcs_status status = check_segments(plan, range, &widest, err);
    if (status != TCS_OK) return status;
    join_job job = { .ops = ops_for(isa), .plan = plan, .range = range, .first = ret_first, .second = ret_second };
    job.block_row_count = range->segments ? SEGMENT_BLOCK_ROW_COUNT : SELF_BLOCK_ROW_COUNT;
    if (!range->segments && job.block_row_count < 4 * plan->window) job.block_row_count = 4 * plan->window;
    if (job.block_row_count > plan->window_count) job.block_row_count = plan->window_count;
    job.worker_size = 2 * job.block_row_count + widest + 2 * TCSI_JOIN_PAD;
    if (!tcsi_multiply(job.worker_size, tcsi_pool_thread_count(pool), &scratch_count)) return tcsi_fail_memory(err, "a join");
    job.scratch = TCSI_NEW_ARRAY(double, scratch_count);
    if (!job.scratch) return tcsi_fail_memory(err, "a join");
    tcsi_pool_run(pool, (plan->window_count + job.block_row_count - 1) / job.block_row_count, block_run, &job);
    tcsi_free(job.scratch);
    return TCS_OK;
}

tcs_status tcsi_join_over_segments(const tcsi_join_plan *plan, const tcsi_join_segment *segments, size_t segment_count, size_t exclusion,
                              size_t keep_count, tcsi_pool *pool, double *ret_first, double *ret_second, tcs_error *err)
{
    static const tcsi_join_segment none = { 0, 1 };
    tcsi_join_range range = { .segments = segments ? segments : &none, .segment_count = segment_count, .exclusion = exclusion,
                              .keep_count = keep_count };
    return tcsi_join_run(tcsi_isa_current(), plan, &range, pool, ret_first, ret_second, err);
}

tcs_status tcsi_join_over_all(const tcsi_join_plan *plan, size_t exclusion, tcsi_pool *pool, double *ret_first, double *ret_second,
                          tcs_error *err)
{
    tcsi_join_range range = { .exclusion = exclusion, .keep_count = 1, .cell_exclusion = true };
    return tcsi_join_run(tcsi_isa_current(), plan, &range, pool, ret_first, ret_second, err);
}

tcs_status tcsi_join_over_past(const tcsi_join_plan *plan, size_t exclusion, tcsi_pool *pool, double *ret_first, double *ret_second,
                          tcs_error *err)
{
    tcsi_join_range range = { .exclusion = exclusion, .keep_count = 1, .cell_exclusion = true, .left = true };
    return tcsi_join_run(tcsi_isa_current(), plan, &range, pool, ret_first, ret_second, err);
}

/* ---- one row at a time ---- */

void tcsi_join_row_start(tcsi_isa isa, const tcsi_join_row *row, const tcsi_join_stored *stored)
{
    ops_for(isa)->row_start(row, stored);
}

void tcsi_join_row_push(tcsi_isa isa, const tcsi_join_row *row, const tcsi_join_stored *stored, size_t stored_count, double *ret_centred,
                        double *ret_raw)
{
    ops_for(isa)->row_push(row, stored, stored_count, ret_centred, ret_raw);
}
