/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/tabular/neighbours_points.h"

#include "base/alloc.h"
#include "detect/tabular/table.h"

#include <math.h>
#include <string.h>

enum { ALIGNMENT = 64 }; /* bytes: a cache line and a register; one that crosses a line costs two loads */

void tcsi_points_deinit(tcsi_points *points)
{
    tcsi_free(points->order);
    tcsi_free(points->leads_memory);
    tcsi_free(points->rows_memory);
    tcsi_free(points->grains_memory);
    tcsi_free(points->halves);
    tcsi_free(points->norms);
    *points = (tcsi_points){ 0 };
}

static size_t row_size_of(const tcsi_axes *axes)
{
    return axes->is_whole ? 0 : (axes->channel_count + TCSI_ROW_STEP - 1) / TCSI_ROW_STEP * TCSI_ROW_STEP;
}

static float *aligned(float *memory)
{
    size_t beyond = (uintptr_t)memory % ALIGNMENT;
    return beyond ? memory + (ALIGNMENT - beyond) / sizeof *memory : memory;
}

static tcs_status allocate(const tcsi_axes *axes, tcsi_points *points, tcs_error *err)
{
    const size_t spare = ALIGNMENT / sizeof(float); /* sums with it are far from the largest size: floats are in memory */
    size_t places = tcsi_block_count(points->count) * TCSI_BLOCK, leads, rows, grains;
    size_t pairs = points->row_size > 0 ? axes->lead_count / 2 + axes->lead_count % 2 : 0;
    bool ok = tcsi_multiply(places, axes->lead_count, &leads) && tcsi_multiply(points->count, points->row_size, &rows)
              && tcsi_multiply(places, pairs, &grains);
    if (!ok) return tcsi_fail_memory(err, "rows as floats");
    points->leads_memory = TCSI_NEW_ARRAY(float, leads + spare);
    points->rows_memory = TCSI_NEW_ARRAY(float, rows + spare);
    points->grains_memory = TCSI_NEW_ARRAY(float, grains + spare);
    points->halves = TCSI_NEW_ZEROS(int32_t, places); /* without grains they stay so */
    points->norms = TCSI_NEW_ARRAY(float, points->count);
    if (!points->leads_memory || !points->rows_memory || !points->grains_memory || !points->halves || !points->norms)
        return tcsi_fail_memory(err, "rows as floats");
    points->leads = aligned(points->leads_memory);
    points->rows = aligned(points->rows_memory);
    points->grains = (int16_t *)aligned(points->grains_memory);
    return TCS_OK;
}

double tcsi_points_grain(const tcsi_axes *axes)
{
    return TCSI_GRAIN_MAX / axes->ball;
}

/* The leading axes of one block: leads[j] is place j's row; squares[j] becomes the sum of its squares. */
static void fill_leads(const float *const *leads, size_t axis_count, float *columns, double *squares)
{
    for (size_t j = 0; j < TCSI_BLOCK; j++) squares[j] = 0;
    for (size_t a = 0; a < axis_count; a++) {
        float *column = columns + a * TCSI_BLOCK;
        for (size_t j = 0; j < TCSI_BLOCK; j++) column[j] = leads[j][a];
        for (size_t j = 0; j < TCSI_BLOCK; j++) squares[j] += (double)column[j] * (double)column[j];
    }
}

/* The same in grains. */
static void fill_grains(const tcsi_axes *axes, const float *columns, const double *squares, int16_t *numbers, int32_t *halves)
{
    float grains[TCSI_BLOCK];
    int32_t norms[TCSI_BLOCK] = { 0 };
    for (size_t j = 0; j < TCSI_BLOCK; j++) {
        double norm = sqrt(squares[j]);
        grains[j] = (float)(tcsi_points_grain(axes) * (norm > axes->ball ? axes->ball / norm : 1));
    }
    for (size_t a = 0; a < axes->lead_count + axes->lead_count % 2; a++)
        for (size_t j = 0; j < TCSI_BLOCK; j++) {
            int32_t value = a < axes->lead_count ? (int32_t)lrintf(columns[a * TCSI_BLOCK + j] * grains[j]) : 0;
            numbers[(a / 2 * TCSI_BLOCK + j) * 2 + a % 2] = (int16_t)value;
            norms[j] += value * value;
        }
    for (size_t j = 0; j < TCSI_BLOCK; j++) halves[j] = norms[j] / 2;
}

/* All channels of one row to its place; returns the sum of their squares. */
static double fill_row(const tcsi_axes *axes, tcsi_points *points, size_t place, const double *values)
{
    float *row = points->rows + place * points->row_size;
    double square = 0;
    tcsi_axes_centre(axes, values, row);
    for (size_t c = 0; c < axes->channel_count; c++) square += (double)row[c] * (double)row[c];
    for (size_t c = axes->channel_count; c < points->row_size; c++) row[c] = 0;
    return square;
}

static void fill_block(const tcsi_axes *axes, tcsi_points *points, size_t number, const double *values, const float *leads, double *copies)
{
    const float *rows[TCSI_BLOCK];
    double squares[TCSI_BLOCK];
    size_t first = number * TCSI_BLOCK, count = points->count - first < TCSI_BLOCK ? points->count - first : TCSI_BLOCK;
    const uint32_t *order = points->order + first;
    for (size_t j = TCSI_BLOCK; j < 2 * TCSI_BLOCK && first + j < points->count; j++)
        tcsi_fetch(values + order[j] * axes->channel_count, axes->channel_count * sizeof *values);
    for (size_t j = 0; j < TCSI_BLOCK; j++) rows[j] = leads + order[j < count ? j : 0] * axes->lead_count; /* unused: the first again */
    fill_leads(rows, axes->lead_count, points->leads + first * axes->lead_count, squares);
    if (points->row_size > 0)
        fill_grains(axes, points->leads + first * axes->lead_count, squares,
                   points->grains + first * (axes->lead_count + axes->lead_count % 2), points->halves + first);
    for (size_t j = 0; j < count; j++) {
        const double *row = values + order[j] * axes->channel_count;
        double square = points->row_size > 0 ? fill_row(axes, points, first + j, row) : squares[j];
        if (copies) memcpy(copies + (first + j) * axes->channel_count, row, axes->channel_count * sizeof *row);
        /* No smaller than the norm before rounding to floats. */
        points->norms[first + j] = (float)((sqrt(square) * (1 + 1e-6) + 1e-37) * (1 + 1e-6));
    }
}

tcs_status tcsi_points_init(const tcsi_axes *axes, const double *values, const float *leads, size_t count, uint32_t *order,
                            double *ret_copies, tcsi_points *ret_points, tcs_error *err)
{
    tcsi_points points = { .count = count, .lead_count = axes->lead_count, .row_size = row_size_of(axes), .order = order };
    tcs_status status = allocate(axes, &points, err);
    if (status != TCS_OK) {
        tcsi_points_deinit(&points);
        return status;
    }
    for (size_t number = 0; number < tcsi_block_count(count); number++) fill_block(axes, &points, number, values, leads, ret_copies);
    *ret_points = points;
    return TCS_OK;
}

tcsi_block tcsi_points_block(const tcsi_points *points, size_t number)
{
    size_t first = number * TCSI_BLOCK, rest = points->count - first, leads = points->lead_count;
    return (tcsi_block){ .points = points->leads + first * leads, .grains = points->grains + first * (leads + leads % 2),
                         .halves = points->halves + first,
                         .rows = points->rows + first * points->row_size, .first = (uint32_t)first,
                         .count = (uint32_t)(rest < TCSI_BLOCK ? rest : TCSI_BLOCK) };
}

void tcsi_points_box(const tcsi_block *block, size_t axis_count, float *ret_box)
{
    for (size_t a = 0; a < axis_count; a++) {
        const float *column = block->points + a * TCSI_BLOCK;
        float low = column[0], high = column[0];
        for (uint32_t j = 1; j < block->count; j++) {
            low = column[j] < low ? column[j] : low;
            high = column[j] > high ? column[j] : high;
        }
        ret_box[a] = low;
        ret_box[axis_count + a] = high;
    }
}

size_t tcsi_points_size_max(size_t row_count, size_t channel_count)
{
    size_t rows = tcsi_size_sum(row_count, TCSI_BLOCK), row = tcsi_size_sum(tcsi_size_product(channel_count, 2), TCSI_ROW_STEP);
    size_t values = tcsi_size_product(rows, row);
    return tcsi_size_sum(tcsi_size_product(values, 5), tcsi_size_sum(tcsi_size_product(rows, 12), 3 * ALIGNMENT));
}
