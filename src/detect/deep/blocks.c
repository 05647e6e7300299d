/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/deep/blocks.h"

#include "base/alloc.h"
#include "series/moving.h"
#include "series/scale.h"
#include "series/stats.h"

#include <math.h>

enum { AROUND = 16 }; /* blocks that a block's neighbourhood has */

static const double DEVIATION_FLOOR = 0.1, DEVIATION_OFFSET = 0.01, STEP_OFFSET = 1e-3, LOG_SHRINK = 1.0 / 3;

/* Work space of one series: what a block of rows comes down to, one number each. */
typedef struct view {
    tcsi_blocks *blocks;
    double *z;                                              /* (T) standardized values */
    double *mean, *highest, *lowest, *step, *around, *spread; /* (U) */
    double *memory;
    size_t *order;                                          /* (2 U) */
    size_t channel;                                         /* the next to be written */
} view;

static tcs_status view_init(view *v, tcs_error *err)
{
    double **vectors[] = { &v->mean, &v->highest, &v->lowest, &v->step, &v->around, &v->spread };
    const size_t blocks = v->blocks->block_count;
    size_t total;
    if (tcsi_multiply(blocks, TCS_COUNT(vectors), &total) && total <= SIZE_MAX / sizeof(double) - v->blocks->row_count)
        v->memory = TCSI_NEW_ARRAY(double, total + v->blocks->row_count);
    v->order = TCSI_NEW_ARRAY(size_t, 2 * blocks);
    if (!v->memory || !v->order) return tcsi_fail_memory(err, "blocks of a series");
    for (size_t i = 0; i < TCS_COUNT(vectors); i++) *vectors[i] = v->memory + i * blocks;
    v->z = v->memory + total;
    return TCS_OK;
}

static void view_deinit(view *v)
{
    tcsi_free(v->memory);
    tcsi_free(v->order);
}

static void put(view *v, const double *values)
{
    const tcsi_blocks *b = v->blocks;
    for (size_t u = 0; u < b->block_count; u++) b->values.values[u * b->channel_count + v->channel] = (float)values[u];
    v->channel++;
}

static void put_constant(view *v, double value)
{
    const tcsi_blocks *b = v->blocks;
    for (size_t u = 0; u < b->block_count; u++) b->values.values[u * b->channel_count + v->channel] = (float)value;
    v->channel++;
}

static size_t rows_end(const tcsi_blocks *b, size_t block)
{
    return (block + 1) * b->factor < b->row_count ? (block + 1) * b->factor : b->row_count;
}

static void block_means(const tcsi_blocks *b, const double *rows, double *ret_means)
{
    for (size_t u = 0; u < b->block_count; u++) {
        const size_t begin = u * b->factor, end = rows_end(b, u);
        double sum = 0;
        for (size_t t = begin; t < end; t++) sum += rows[t];
        ret_means[u] = sum / (double)(end - begin);
    }
}

/* Extremes of the values and the largest step that leads into a block or lies in it. */
static void block_extremes(view *v)
{
    const tcsi_blocks *b = v->blocks;
    for (size_t u = 0; u < b->block_count; u++) {
        double highest = -INFINITY, lowest = INFINITY, step = 0;
        for (size_t t = u * b->factor; t < rows_end(b, u); t++) {
            highest = fmax(highest, v->z[t]);
            lowest = fmin(lowest, v->z[t]);
            if (t > 0) step = fmax(step, fabs(v->z[t] - v->z[t - 1]));
        }
        v->highest[u] = asinh(highest - v->mean[u]);
        v->lowest[u] = asinh(v->mean[u] - lowest);
        v->step[u] = LOG_SHRINK * log(step + STEP_OFFSET);
    }
}

static void put_values(view *v, size_t period)
{
    const tcsi_blocks *b = v->blocks;
    const size_t blocks = b->block_count;
    block_means(b, v->z, v->mean);
    block_extremes(v);
    const double usual_step = tcsi_median(v->step, blocks, v->around);
    tcsi_moving_moments(v->mean, blocks, AROUND, v->around, v->spread);
    for (size_t u = 0; u < blocks; u++) {
        const double spread = sqrt(v->spread[u]);
        v->around[u] = asinh((v->mean[u] - v->around[u]) / (spread + DEVIATION_FLOOR));
        v->spread[u] = LOG_SHRINK * log(spread + DEVIATION_OFFSET);
        v->step[u] -= usual_step;
        v->mean[u] = asinh(v->mean[u]);
    }
    const double *channels[] = { v->mean, v->highest, v->lowest, v->around, v->spread, v->step };
    for (size_t i = 0; i < TCS_COUNT(channels); i++) put(v, channels[i]);
    put_constant(v, 0.5 * log((double)period / TCSI_BLOCKS_A_PERIOD));
    put_constant(v, 0.25 * log((double)b->row_count / (double)period));
}

static void put_score(view *v, const double *rows)
{
    const size_t blocks = v->blocks->block_count;
    block_means(v->blocks, rows, v->mean);
    tcsi_ranks(v->mean, blocks, v->step, v->order, v->order + blocks);
    const tcsi_scale scale = tcsi_scale_standard(v->mean, blocks);
    for (size_t u = 0; u < blocks; u++) {
        v->mean[u] = fmax(0, asinh(tcsi_scale_one(&scale, v->mean[u])));
        v->step[u] = LOG_SHRINK * fmax(0, -log(2 - 2 * v->step[u] / (double)(blocks + 1)));
    }
    put(v, v->mean);
    put(v, v->step);
}

tcs_status tcsi_blocks_init(const double *x, size_t row_count, size_t period, const double *scores, size_t score_count,
                            tcsi_blocks *ret_blocks, tcs_error *err)
{
    const size_t factor = period / TCSI_BLOCKS_A_PERIOD > 1 ? (period + TCSI_BLOCKS_A_PERIOD / 2) / TCSI_BLOCKS_A_PERIOD : 1;
    tcsi_blocks blocks = { .row_count = row_count, .factor = factor, .block_count = (row_count - 1) / factor + 1,
                           .channel_count = TCSI_BLOCKS_OF_VALUES + TCSI_BLOCKS_A_SCORE * score_count };
    view v = { .blocks = &blocks };
    size_t total;
    tcs_status status = view_init(&v, err);
    if (status == TCS_OK && !(tcsi_multiply(blocks.block_count, blocks.channel_count, &total) && tcsi_floats_init(&blocks.values, total)))
        status = tcsi_fail_memory(err, "blocks of a series");
    if (status == TCS_OK) {
        const tcsi_scale scale = tcsi_scale_standard(x, row_count);
        tcsi_scale_apply(&scale, x, row_count, v.z);
        put_values(&v, period);
        for (size_t k = 0; k < score_count; k++) put_score(&v, scores + k * row_count);
        *ret_blocks = blocks;
    }
    view_deinit(&v);
    return status;
}

void tcsi_blocks_deinit(tcsi_blocks *blocks)
{
    tcsi_floats_deinit(&blocks->values);
}

void tcsi_blocks_expand(const tcsi_blocks *blocks, const double *values, double *ret_rows)
{
    const size_t last = blocks->block_count - 1;
    for (size_t t = 0; t < blocks->row_count; t++) {
        const double at = ((double)t + 0.5) / (double)blocks->factor - 0.5;
        const size_t left = at <= 0 ? 0 : (size_t)at < last ? (size_t)at : last, right = left < last ? left + 1 : last;
        const double share = at <= 0 ? 0 : fmin(at - (double)left, 1);
        ret_rows[t] = values[left] + share * (values[right] - values[left]);
    }
}

size_t tcsi_blocks_size_max(size_t row_count, size_t score_count)
{
    enum { WORK = 7 * sizeof(double) + 2 * sizeof(size_t), BORDERS = 4096 };
    const size_t channels = TCSI_BLOCKS_OF_VALUES + TCSI_BLOCKS_A_SCORE * score_count;
    return tcsi_size_sum(tcsi_size_product(row_count, tcsi_size_sum(channels * sizeof(float), WORK)), BORDERS);
}
