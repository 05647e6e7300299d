/* series/order.c -- time order: a stable merge sort of row numbers, then one gather per column.
 * A frame in strict order, the common case, costs one read of its stamps and allocates nothing.
 * Cost otherwise: O(T log T) for the order, O(T C) for moving, 2 T indices and T values of work space.
 * SPDX-License-Identifier: Apache-2.0 */
#include "series/order.h"

#include "base/alloc.h"

#include <string.h>

static bool in_order(const int64_t *times_ns, size_t count, bool allow_equal)
{
    size_t i = 1;
    while (i < count && (times_ns[i - 1] < times_ns[i] || (allow_equal && times_ns[i - 1] == times_ns[i]))) i++;
    return i >= count;
}

static void merge(const int64_t *times_ns, const size_t *left, size_t left_count, const size_t *right, size_t right_count, size_t *ret)
{
    size_t i = 0, j = 0;
    while (i < left_count && j < right_count) *ret++ = times_ns[right[j]] < times_ns[left[i]] ? right[j++] : left[i++];
    memcpy(ret, left + i, (left_count - i) * sizeof *ret);
    memcpy(ret + (left_count - i), right + j, (right_count - j) * sizeof *ret);
}

/* Stable; returns whichever of the two arrays holds the result. */
static size_t *sort_rows(const int64_t *times_ns, size_t count, size_t *from, size_t *to)
{
    for (size_t i = 0; i < count; i++) from[i] = i;
    for (size_t width = 1; width < count; width *= 2) {
        for (size_t begin = 0; begin < count;) {
            size_t left = count - begin < width ? count - begin : width;
            size_t right = count - begin - left < width ? count - begin - left : width;
            merge(times_ns, from + begin, left, from + begin + left, right, to + begin);
            begin += left + right;
        }
        size_t *other = from;
        from = to;
        to = other;
    }
    return from;
}

/* Keeps the last row of each stamp. */
static size_t drop_duplicates(const int64_t *times_ns, size_t *rows, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (i + 1 == count || times_ns[rows[i]] != times_ns[rows[i + 1]]) rows[kept++] = rows[i];
    return kept;
}

static size_t count_moved(const int64_t *times_ns, size_t count)
{
    size_t moved = 0;
    int64_t latest = times_ns[0];
    for (size_t i = 1; i < count; i++) {
        moved += times_ns[i] < latest;
        if (times_ns[i] > latest) latest = times_ns[i];
    }
    return moved;
}

static void gather(tcsi_frame *frame, const size_t *rows, size_t count, double *scratch)
{
    for (size_t c = 0; c < frame->channel_count; c++) {
        double *column = tcsi_frame_column(frame, c);
        for (size_t i = 0; i < count; i++) scratch[i] = column[rows[i]];
        memcpy(column, scratch, count * sizeof *column);
    }
    int64_t *times_ns = (int64_t *)(void *)scratch; /* the same size; the doubles in it are done with */
    for (size_t i = 0; i < count; i++) memcpy(&times_ns[i], &frame->times_ns[rows[i]], sizeof *times_ns);
    memcpy(frame->times_ns, times_ns, count * sizeof *times_ns);
    if (!frame->labels) return;
    uint8_t *labels = (uint8_t *)(void *)scratch;
    for (size_t i = 0; i < count; i++) labels[i] = frame->labels[rows[i]];
    memcpy(frame->labels, labels, count);
}

tcs_status tcsi_frame_order(tcsi_frame *frame, tcsi_order_report *ret_report, tcs_error *err)
{
    TCS_ASSERT(!frame->is_view);
    size_t count = frame->row_count;
    tcsi_order_report report = { 0 };
    tcs_status status = TCS_OK;
    if (!frame->times_ns || in_order(frame->times_ns, count, false)) {
        *ret_report = report;
        return TCS_OK;
    }
    size_t *a = TCSI_NEW_ARRAY(size_t, count), *b = TCSI_NEW_ARRAY(size_t, count);
    double *scratch = TCSI_NEW_ARRAY(double, count);
    if (!a || !b || !scratch) {
        status = tcsi_fail_memory(err, "putting rows into time order");
        goto done;
    }
    size_t *rows = sort_rows(frame->times_ns, count, a, b);
    report.moved_count = count_moved(frame->times_ns, count);
    frame->row_count = drop_duplicates(frame->times_ns, rows, count);
    report.duplicate_count = count - frame->row_count;
    gather(frame, rows, frame->row_count, scratch);
    *ret_report = report;
done:
    tcsi_free(a);
    tcsi_free(b);
    tcsi_free(scratch);
    return status;
}

tcs_status tcsi_frame_sort(tcsi_frame *frame, size_t **ret_places, size_t *ret_moved_count, tcs_error *err)
{
    TCS_ASSERT(!frame->is_view);
    size_t count = frame->row_count;
    tcs_status status = TCS_OK;
    if (!frame->times_ns || in_order(frame->times_ns, count, true)) {
        *ret_places = NULL;
        *ret_moved_count = 0;
        return TCS_OK;
    }
    size_t *a = TCSI_NEW_ARRAY(size_t, count), *b = TCSI_NEW_ARRAY(size_t, count);
    double *scratch = TCSI_NEW_ARRAY(double, count);
    if (!a || !b || !scratch) {
        status = tcsi_fail_memory(err, "putting rows into time order");
        goto done;
    }
    size_t *rows = sort_rows(frame->times_ns, count, a, b);
    *ret_moved_count = count_moved(frame->times_ns, count);
    gather(frame, rows, count, scratch);
    size_t *places = rows == a ? b : a; /* the inverse permutation takes the other array */
    for (size_t i = 0; i < count; i++) places[rows[i]] = i;
    *ret_places = places;
    if (places == a) a = NULL;
    else b = NULL;
done:
    tcsi_free(a);
    tcsi_free(b);
    tcsi_free(scratch);
    return status;
}
