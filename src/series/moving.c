/* series/moving.c -- moving windows without cancellation.
 *
 * Problem: differences of prefix sums, and running sums from which the leaving row is subtracted, carry the rounding of every
 * row ever seen: at offset 1e9 they lose seven digits, and one reading of 1e15 spoils everything after it.
 *
 * Idea: never subtract.  Cut the series into blocks of the window's width; every window is then the end of one block and the
 * beginning of the next (M. van Herk 1992 and J. Gil & M. Werman 1993 do this for minima).  One scan backwards over a block
 * leaves the sums of its ends in the output array, one scan forwards over the next block carries the sum of its beginning and
 * joins the two.  Two operations a row, no memory, and a row outside the window cannot touch its result.
 *   mean:      the running sum is kept as a pair high + low by Knuth's exact two-sum (TAOCP 2, 4.2.2, theorem B), so that a
 *              mean is off by about one unit in the last place at any offset and any width.
 *   variance:  each part is (count, mean, sum of squares) by Welford's recurrence about its first value; two parts are joined by
 *              M2 = M2a + M2b + d^2 na nb / (na + nb)  (Chan, Golub, LeVeque 1983, equation 2.1).  Only sums of squares: never negative.
 * Medians stand in moving_median.c.
 *
 * Invariants: block b covers rows [offset + b w, offset + (b + 1) w) of a series that is thought of as missing outside [0, n),
 * so clipped windows need no case of their own.  Widths above 2 n + |offset| change nothing and are cut down first.
 * Cost, measured on one Zen 4 core: see docs/internals/series.md.  SPDX-License-Identifier: Apache-2.0 */
#include "series/moving.h"

#include "base/alloc.h"
#include "series/stats.h"

#include <math.h>
#include <string.h>

/* ---- mean ---- */

typedef struct pair {
    double high, low; /* their exact sum is meant */
} pair;

static inline pair pair_add(pair a, double value)
{
    double sum = a.high + value, part = sum - a.high;
    double error = (a.high - (sum - part)) + (value - part);
    return (pair){ sum, a.low + error };
}

/* Part of a block that lies inside the series. */
typedef struct span {
    ptrdiff_t begin, end;
} span;

static span clip(ptrdiff_t begin, ptrdiff_t end, ptrdiff_t count)
{
    span s = { begin < 0 ? 0 : begin > count ? count : begin, end > count ? count : end < 0 ? 0 : end };
    if (s.end < s.begin) s.end = s.begin;
    return s;
}

static inline double usable(double value, bool squared)
{
    if (!tcsi_present(value)) return 0.0;
    return squared ? value * value : value;
}

/* Output row i has its window's first row at i + offset: the ends of block [first, first + width) belong to output rows from
 * first - offset on.  Leaves the sum of [i + offset, first + width) at output row i. */
static inline void store_ends(const double *values, ptrdiff_t count, ptrdiff_t first, ptrdiff_t offset, ptrdiff_t width, bool squared,
                              double *ret)
{
    pair sum = { 0, 0 };
    span rows = clip(first, first + width, count);
    span out = clip(first - offset, first - offset + width, count);
    ptrdiff_t i = out.end - 1;
    for (ptrdiff_t row = rows.end - 1; row > i + offset && row >= rows.begin; row--) sum = pair_add(sum, usable(values[row], squared));
    for (; i >= out.begin; i--) {
        ptrdiff_t row = i + offset;
        if (row >= rows.begin && row < rows.end) sum = pair_add(sum, usable(values[row], squared));
        ret[i] = sum.high + sum.low;
    }
}

/* Adds the beginning of the next block, [first + width, i + offset + width), and divides. */
static inline void join_beginnings(const double *values, ptrdiff_t count, ptrdiff_t first, ptrdiff_t offset, ptrdiff_t width,
                                   bool squared, ptrdiff_t *present, double *ret)
{
    pair sum = { 0, 0 };
    span out = clip(first - offset, first - offset + width, count);
    for (ptrdiff_t i = out.begin; i < out.end; i++) {
        ptrdiff_t begin = i + offset, last = begin + width - 1;
        if (last >= 0 && last < count && i > 0) {
            *present += tcsi_present(values[last]);
            if (i > out.begin) sum = pair_add(sum, usable(values[last], squared));
        }
        pair total = pair_add(sum, ret[i]);
        double mean = *present > 0 ? (total.high + total.low) / (double)*present : NAN;
        ret[i] = squared ? sqrt(mean) : mean;
        if (begin >= 0 && begin < count) *present -= tcsi_present(values[begin]);
    }
}

/* Cuts a width that reaches past everything; keeps the window of every row the same. */
static void normalize(size_t count, ptrdiff_t *offset, size_t *width)
{
    ptrdiff_t n = (ptrdiff_t)count;
    TCS_ASSERT(*width >= 1 && count <= PTRDIFF_MAX / 8);
    if (*offset > n) *offset = n;
    if (*offset < -n) { /* the rows before the series do not exist: drop them from the window */
        size_t excess = (size_t)(-n - *offset);
        if (excess >= *width) { /* nothing but rows before the series */
            *offset = n;
            *width = 1;
            return;
        }
        *width -= excess;
        *offset = -n;
    }
    if (*width > 2 * count + 1) *width = 2 * count + 1;
}

static inline void window_mean(const double *values, size_t count, ptrdiff_t offset, size_t width, bool squared, double *ret)
{
    if (count == 0) return;
    TCS_ASSERT(values + count <= ret || ret + count <= values);
    normalize(count, &offset, &width);
    ptrdiff_t n = (ptrdiff_t)count, w = (ptrdiff_t)width, present = 0;
    span first_window = clip(offset, offset + w, n);
    for (ptrdiff_t row = first_window.begin; row < first_window.end; row++) present += tcsi_present(values[row]);
    for (ptrdiff_t first = offset; first - offset < n; first += w) {
        store_ends(values, n, first, offset, w, squared, ret);
        join_beginnings(values, n, first, offset, w, squared, &present, ret);
    }
}

static void mean_of_values(const double *values, size_t count, ptrdiff_t offset, size_t width, double *ret)
{
    window_mean(values, count, offset, width, false, ret);
}

static void rms_of_values(const double *values, size_t count, ptrdiff_t offset, size_t width, double *ret)
{
    window_mean(values, count, offset, width, true, ret);
}

static ptrdiff_t centred_offset(size_t count, size_t width)
{
    return -(ptrdiff_t)(width / 2 < count ? width / 2 : count);
}

/* A centred width above 2 n covers everything from every row, and so does 2 n. */
static size_t centred_width(size_t count, size_t width)
{
    return width > 2 * count && count > 0 ? 2 * count : width;
}

/* A trailing width above n reaches back to the first row from every row, and so does n. */
static size_t trailing_width(size_t count, size_t width)
{
    return width > count && count > 0 ? count : width;
}

void tcsi_moving_mean(const double *values, size_t count, size_t width, double *ret_means)
{
    width = centred_width(count, width);
    mean_of_values(values, count, centred_offset(count, width), width, ret_means);
}

void tcsi_trailing_mean(const double *values, size_t count, size_t width, double *ret_means)
{
    width = trailing_width(count, width);
    mean_of_values(values, count, 1 - (ptrdiff_t)width, width, ret_means);
}

void tcsi_moving_mean_at(const double *values, size_t count, ptrdiff_t offset, size_t width, double *ret_means)
{
    mean_of_values(values, count, offset, width, ret_means);
}

void tcsi_moving_rms(const double *values, size_t count, size_t width, double *ret_rms)
{
    width = centred_width(count, width);
    rms_of_values(values, count, centred_offset(count, width), width, ret_rms);
}

void tcsi_trailing_rms(const double *values, size_t count, size_t width, double *ret_rms)
{
    width = trailing_width(count, width);
    rms_of_values(values, count, 1 - (ptrdiff_t)width, width, ret_rms);
}

/* ---- mean and variance ---- */

/* Relative to the first value it was given, so that an offset costs no digits.  Every window that uses a part holds that value:
 * the ends of a block all hold its last row, the beginnings all hold its first. */
typedef struct part {
    double center, count, mean, square_sum;
} part;

static inline void part_add(part *p, double value)
{
    if (p->count == 0) p->center = value;
    p->count += 1;
    double relative = value - p->center, difference = relative - p->mean;
    p->mean += difference / p->count;
    p->square_sum += difference * (relative - p->mean);
}

static inline part part_join(part a, part b)
{
    if (a.count == 0) return b;
    if (b.count == 0) return a;
    double count = a.count + b.count, difference = (b.center - a.center) + (b.mean - a.mean), share = b.count / count;
    return (part){ a.center, count, a.mean + difference * share, a.square_sum + b.square_sum + difference * difference * a.count * share };
}

/* As store_ends, with means (relative to the center returned) and sums of squares in the two outputs. */
static double store_end_parts(const double *values, ptrdiff_t count, ptrdiff_t first, ptrdiff_t offset, ptrdiff_t width,
                              double *ret_means, double *ret_variances)
{
    part p = { 0 };
    span rows = clip(first, first + width, count);
    span out = clip(first - offset, first - offset + width, count);
    ptrdiff_t i = out.end - 1;
    for (ptrdiff_t row = rows.end - 1; row > i + offset && row >= rows.begin; row--)
        if (tcsi_present(values[row])) part_add(&p, values[row]);
    for (; i >= out.begin; i--) {
        ptrdiff_t row = i + offset;
        if (row >= rows.begin && row < rows.end && tcsi_present(values[row])) part_add(&p, values[row]);
        ret_means[i] = p.mean;
        ret_variances[i] = p.square_sum;
    }
    return p.center;
}

static void join_beginning_parts(const double *values, ptrdiff_t count, ptrdiff_t first, ptrdiff_t offset, ptrdiff_t width,
                                 double center, ptrdiff_t *present, double *ret_means, double *ret_variances)
{
    part p = { 0 };
    span out = clip(first - offset, first - offset + width, count);
    for (ptrdiff_t i = out.begin; i < out.end; i++) {
        ptrdiff_t begin = i + offset, last = begin + width - 1;
        if (last >= 0 && last < count && i > 0 && tcsi_present(values[last])) {
            ++*present;
            if (i > out.begin) part_add(&p, values[last]);
        }
        part whole = part_join((part){ center, (double)*present - p.count, ret_means[i], ret_variances[i] }, p);
        ret_means[i] = whole.count > 0 ? whole.center + whole.mean : NAN;
        ret_variances[i] = whole.count > 0 ? fmax(whole.square_sum / whole.count, 0.0) : NAN;
        if (begin >= 0 && begin < count) *present -= tcsi_present(values[begin]);
    }
}

void tcsi_moving_moments_at(const double *values, size_t count, ptrdiff_t offset, size_t width, double *ret_means, double *ret_variances)
{
    if (count == 0) return;
    TCS_ASSERT((values + count <= ret_means || ret_means + count <= values) && ret_means != ret_variances);
    normalize(count, &offset, &width);
    ptrdiff_t n = (ptrdiff_t)count, w = (ptrdiff_t)width, present = 0;
    span first_window = clip(offset, offset + w, n);
    for (ptrdiff_t row = first_window.begin; row < first_window.end; row++) present += tcsi_present(values[row]);
    for (ptrdiff_t first = offset; first - offset < n; first += w) {
        double center = store_end_parts(values, n, first, offset, w, ret_means, ret_variances);
        join_beginning_parts(values, n, first, offset, w, center, &present, ret_means, ret_variances);
    }
}

void tcsi_moving_moments(const double *values, size_t count, size_t width, double *ret_means, double *ret_variances)
{
    width = centred_width(count, width);
    tcsi_moving_moments_at(values, count, centred_offset(count, width), width, ret_means, ret_variances);
}

void tcsi_trailing_moments(const double *values, size_t count, size_t width, double *ret_means, double *ret_variances)
{
    width = trailing_width(count, width);
    tcsi_moving_moments_at(values, count, 1 - (ptrdiff_t)width, width, ret_means, ret_variances);
}
