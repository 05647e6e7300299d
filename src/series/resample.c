/* series/resample.c -- regular rows for detectors that count in rows.
 * Rounding to the nearest grid row rather than interpolating keeps every value one that was measured; a jitter below half a step
 * disappears.  What was not measured is NaN, and filling it is a second, separate, masked step that only bridges short runs:
 * a straight line through a long gap is an invention that some detector will find anomalous.
 * Cost: O((T + grid) C).  SPDX-License-Identifier: Apache-2.0 */
#include "series/resample.h"

#include "base/alloc.h"
#include "series/stats.h"

#include <math.h>
#include <string.h>

enum { GRID_ROWS_FREE = 1000000 };

static tcs_status grid_size(const tcsi_frame *frame, int64_t step_ns, size_t *ret_count, tcs_error *err)
{
    if (!frame->times_ns) return tcsi_fail(err, TCS_E_INVALID, "a frame without time stamps cannot be put on a time grid");
    if (step_ns < 1) return tcsi_fail(err, TCS_E_INVALID, "a grid step of %lld ns: at least 1 is needed", (long long)step_ns);
    for (size_t i = 1; i < frame->row_count; i++)
        if (frame->times_ns[i] <= frame->times_ns[i - 1])
            return tcsi_fail(err, TCS_E_INVALID, "row %zu is not later than the row before it; put the frame into time order first", i);
    if (frame->row_count == 0) {
        *ret_count = 0;
        return TCS_OK;
    }
    uint64_t span = (uint64_t)frame->times_ns[frame->row_count - 1] - (uint64_t)frame->times_ns[0];
    uint64_t rows = span / (uint64_t)step_ns + (span % (uint64_t)step_ns >= (uint64_t)step_ns - (uint64_t)step_ns / 2) + 1;
    uint64_t limit = (uint64_t)frame->row_count * TCSI_RESAMPLE_STRETCH_MAX + GRID_ROWS_FREE;
    if (rows > limit)
        return tcsi_fail(err, TCS_E_LIMIT, "a grid of %llu rows for %zu rows of data: the step is too small or a time stamp is far off",
                         (unsigned long long)rows, frame->row_count);
    *ret_count = (size_t)rows;
    return TCS_OK;
}

/* Nearest grid row; halves go up.  Agrees with grid_size on the last row. */
static size_t place_of(const tcsi_frame *frame, size_t row, int64_t step_ns)
{
    uint64_t since = (uint64_t)frame->times_ns[row] - (uint64_t)frame->times_ns[0], step = (uint64_t)step_ns;
    return (size_t)(since / step + (since % step >= step - step / 2));
}

static void fill_channel(const tcsi_frame *frame, size_t channel, int64_t step_ns, tcsi_frame *grid)
{
    const double *from = tcsi_frame_column(frame, channel);
    double *to = tcsi_frame_column(grid, channel);
    for (size_t i = 0; i < grid->row_count; i++) to[i] = NAN;
    size_t place = SIZE_MAX, shared = 0;
    for (size_t row = 0; row < frame->row_count; row++) {
        size_t here = place_of(frame, row, step_ns);
        if (here != place) shared = 0;
        place = here;
        if (!tcsi_present(from[row])) continue;
        shared++;
        to[place] = shared == 1 ? from[row] : to[place] + (from[row] - to[place]) / (double)shared; /* running mean */
    }
}

static void fill_times_and_labels(const tcsi_frame *frame, int64_t step_ns, tcsi_frame *grid, tcsi_resample_report *report)
{
    size_t place = SIZE_MAX, used = 0;
    int64_t first = frame->times_ns[0];
    for (size_t i = 0; i < grid->row_count; i++) {
        uint64_t since = (uint64_t)i * (uint64_t)step_ns, room = (uint64_t)INT64_MAX - (uint64_t)first;
        grid->times_ns[i] = since > room ? INT64_MAX : (int64_t)((uint64_t)first + since); /* the last row may lie past the end of time */
    }
    if (grid->labels) memset(grid->labels, 0, grid->row_count);
    for (size_t row = 0; row < frame->row_count; row++) {
        size_t here = place_of(frame, row, step_ns);
        if (here == place) report->merged_count++;
        else used++;
        place = here;
        if (grid->labels && frame->labels[row]) grid->labels[place] = 1;
    }
    report->empty_count = grid->row_count - used;
}

static tcs_status copy_names(const tcsi_frame *from, tcsi_frame *to, tcs_error *err)
{
    for (size_t c = 0; c < from->channel_count; c++) {
        tcs_status status = tcsi_frame_channel_rename(to, c, from->channels[c].name, err);
        if (status != TCS_OK) return status;
        const char *unit = from->channels[c].unit;
        if (unit && !(to->channels[c].unit = tcsi_strdup(unit))) return tcsi_fail_memory(err, "a unit");
    }
    if (from->time_name && !(to->time_name = tcsi_strdup(from->time_name))) return tcsi_fail_memory(err, "a name");
    if (from->label_name && !(to->label_name = tcsi_strdup(from->label_name))) return tcsi_fail_memory(err, "a name");
    return TCS_OK;
}

tcs_status tcsi_frame_resample(const tcsi_frame *frame, int64_t step_ns, tcsi_frame **ret_frame, tcsi_resample_report *ret_report,
                               tcs_error *err)
{
    size_t count = 0;
    tcsi_frame *grid = NULL;
    tcsi_resample_report report = { 0 };
    tcs_status status = grid_size(frame, step_ns, &count, err);
    if (status == TCS_OK) status = tcsi_frame_create(frame->channel_count, count, true, frame->labels != NULL, &grid, err);
    if (status == TCS_OK) status = copy_names(frame, grid, err);
    if (status != TCS_OK) {
        tcsi_frame_destroy(grid);
        return status;
    }
    grid->row_count = count;
    if (count > 0) fill_times_and_labels(frame, step_ns, grid, &report);
    for (size_t c = 0; c < frame->channel_count; c++) fill_channel(frame, c, step_ns, grid);
    *ret_frame = grid;
    *ret_report = report;
    return TCS_OK;
}

size_t tcsi_fill_short_gaps(double *values, size_t count, size_t run_length_max, uint8_t *ret_mask)
{
    size_t filled = 0;
    if (ret_mask && count > 0) memset(ret_mask, 0, count);
    for (size_t begin = 0, end; begin < count; begin = end) {
        end = begin + 1;
        if (tcsi_present(values[begin])) continue;
        while (end < count && !tcsi_present(values[end])) end++;
        size_t length = end - begin;
        bool has_left = begin > 0, has_right = end < count;
        if (length > run_length_max || (!has_left && !has_right)) continue;
        double left = has_left ? values[begin - 1] : values[end], right = has_right ? values[end] : left;
        for (size_t i = 0; i < length; i++) {
            double share = (double)(i + 1) / (double)(length + 1);
            values[begin + i] = left + (right - left) * share;
            if (ret_mask) ret_mask[begin + i] = 1;
        }
        filled += length;
    }
    return filled;
}
