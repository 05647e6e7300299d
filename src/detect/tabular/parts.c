/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/tabular/parts.h"

#include "base/alloc.h"

void tcsi_parts_deinit(tcsi_parts *parts)
{
    tcsi_free(parts->values);
    *parts = (tcsi_parts){ 0 };
}

tcs_status tcsi_parts_begin(tcsi_parts *parts, size_t row_count, size_t channel_count, tcs_error *err)
{
    size_t count;
    tcsi_parts_deinit(parts);
    if (tcsi_multiply(row_count, channel_count, &count)) parts->values = TCSI_NEW_ZEROS(float, count);
    if (!parts->values) return tcsi_fail_memory(err, "the channels' parts");
    parts->row_count = row_count;
    parts->channel_count = channel_count;
    return TCS_OK;
}

void tcsi_parts_set(tcsi_parts *parts, size_t row, size_t channel, double value)
{
    TCS_ASSERT(row < parts->row_count && channel < parts->channel_count);
    parts->values[channel * parts->row_count + row] = value > 0 ? (float)(value < 1e30 ? value : 1e30) : 0;
}

void tcsi_parts_sum(const tcsi_parts *parts, size_t row_begin, size_t row_end, size_t channel_count, double *ret_parts)
{
    for (size_t c = 0; c < channel_count; c++) {
        ret_parts[c] = 0;
        for (size_t t = row_begin; t < row_end && t < parts->row_count && c < parts->channel_count; t++)
            ret_parts[c] += (double)parts->values[c * parts->row_count + t];
    }
}
