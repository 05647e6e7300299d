/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/fast/robust.h"

#include "base/alloc.h"
#include "series/stats.h"

#include <math.h>

static double median_of_sorted(const double *values, size_t count)
{
    return count % 2 ? values[count / 2] : 0.5 * values[count / 2 - 1] + 0.5 * values[count / 2];
}

/* The median of |values - center| for sorted values: two runs, both growing outward from the center, merged. */
static double median_deviation(const double *values, size_t count, double center)
{
    size_t right = 0, need = count / 2 + 1;
    while (right < count && values[right] < center) right++;
    size_t left = right;
    double last = 0, before = 0;
    for (size_t taken = 0; taken < need; taken++) {
        before = last;
        if (left > 0 && (right >= count || center - values[left - 1] <= values[right] - center)) last = center - values[--left];
        else last = values[right++] - center;
    }
    return count % 2 ? last : 0.5 * before + 0.5 * last;
}

void tcsi_robust_center(double *values, size_t count, double *ret_center, double *ret_spread)
{
    TCS_ASSERT(count > 0);
    tcsi_sort(values, count);
    double center = median_of_sorted(values, count), mean_deviation = 0;
    double spread = 1.4826 * median_deviation(values, count, center);
    for (size_t i = 0; i < count; i++) mean_deviation += fabs(values[i] - center) / (double)count;
    *ret_center = center;
    *ret_spread = spread > 0 ? spread : 1.2533 * mean_deviation;
}

tcs_status tcsi_first_rows_init(tcsi_first_rows *rows, size_t capacity, tcs_error *err)
{
    *rows = (tcsi_first_rows){ .values = TCSI_NEW_ZEROS(double, capacity), .capacity = capacity };
    return rows->values ? TCS_OK : tcsi_fail_memory(err, "the first rows of a stream");
}

void tcsi_first_rows_deinit(tcsi_first_rows *rows)
{
    tcsi_free(rows->values);
    *rows = (tcsi_first_rows){ 0 };
}

void tcsi_first_rows_persist(tcsi_first_rows *rows, tcsi_codec *codec)
{
    tcsi_codec_size(codec, &rows->count, rows->capacity - 1); /* the last one would have been the start */
    if (tcsi_codec_status(codec) == TCS_OK) tcsi_codec_f64s(codec, rows->values, rows->count);
    for (size_t i = 0; tcsi_codec_loading(codec) && tcsi_codec_status(codec) == TCS_OK && i < rows->count; i++)
        if (!(fabs(rows->values[i]) <= TCS_VALUE_MAX)) tcsi_codec_refuse(codec, "a held row out of range");
}
