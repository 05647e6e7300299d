/* series/stats.c -- moments, order statistics and ranks that keep their digits and their cost on any input.
 *
 * Moments: sums of (x - shift) with the first present value as shift, then a second pass about that mean with the correction
 * term: var = (sum d^2 - (sum d)^2 / n) / n.  Source: T. Chan, G. Golub, R. LeVeque, "Algorithms for computing the sample
 * variance: analysis and recommendations", The American Statistician 37(3), 1983, equation (1.7).  The textbook form
 * E[x^2] - E[x]^2 returns noise, even below zero, once the offset dwarfs the spread.  Sums run in four lanes, always the same
 * four, so that they overlap and still give the same bits everywhere.
 *
 * Order statistics: quickselect with a three-way partition about a median of three (or of nine when long), which handles
 * constant and sorted input, and a budget of rounds after which the rest is heap-sorted (D. Musser, "Introspective sorting and
 * selection algorithms", 1997): no input makes it quadratic.  Sorting is built the same way.
 * Cost: moments two reads of the data; select O(n); sort and ranks O(n log n).  SPDX-License-Identifier: Apache-2.0 */
#include "series/stats.h"

#include <math.h>
#include <string.h>

enum { SMALL = 24, LONG = 512 };

/* What one lane gathers in one pass. */
typedef struct lane {
    double count, sum, square_sum, minimum, maximum;
} lane;

static inline void gather_shifted(lane *l, double value, double shift)
{
    bool ok = tcsi_present(value);
    double d = ok ? value - shift : 0.0;
    l->count += ok ? 1.0 : 0.0;
    l->sum += d;
    l->square_sum += d * d;
}

static inline void gather_extremes(lane *l, double value)
{
    bool ok = tcsi_present(value);
    double low = ok ? value : INFINITY, high = ok ? value : -INFINITY;
    l->minimum = low < l->minimum ? low : l->minimum;
    l->maximum = high > l->maximum ? high : l->maximum;
}

/* count, sum and sum of squares of (present value - shift).  Lanes are spelled out: gcc 12 turns a loop over them inside out. */
static lane shifted_sums(const double *values, size_t count, double shift)
{
    lane a = { 0 }, b = { 0 }, c = { 0 }, d = { 0 };
    size_t i = 0;
    for (; i + 4 <= count; i += 4) {
        gather_shifted(&a, values[i], shift);
        gather_shifted(&b, values[i + 1], shift);
        gather_shifted(&c, values[i + 2], shift);
        gather_shifted(&d, values[i + 3], shift);
    }
    for (; i < count; i++) gather_shifted(&a, values[i], shift);
    return (lane){
        .count = (a.count + c.count) + (b.count + d.count), /* exact: below 2^53 */
        .sum = (a.sum + c.sum) + (b.sum + d.sum),
        .square_sum = (a.square_sum + c.square_sum) + (b.square_sum + d.square_sum),
    };
}

static lane extremes(const double *values, size_t count)
{
    lane a = { .minimum = INFINITY, .maximum = -INFINITY }, b = a;
    size_t i = 0;
    for (; i + 2 <= count; i += 2) {
        gather_extremes(&a, values[i]);
        gather_extremes(&b, values[i + 1]);
    }
    for (; i < count; i++) gather_extremes(&a, values[i]);
    gather_extremes(&a, b.minimum);
    gather_extremes(&a, b.maximum);
    return a;
}

tcsi_moments tcsi_moments_of(const double *values, size_t count)
{
    tcsi_moments m = { .mean = NAN, .variance = NAN, .minimum = NAN, .maximum = NAN };
    size_t first = 0;
    while (first < count && !tcsi_present(values[first])) first++;
    if (first == count) return m;
    double shift = values[first];
    lane range = extremes(values, count);
    lane sums = shifted_sums(values, count, shift);
    double n = sums.count, mean = shift + sums.sum / n;
    sums = shifted_sums(values, count, mean);
    m.count = (size_t)n;
    m.minimum = range.minimum;
    m.maximum = range.maximum;
    m.mean = fmin(fmax(mean + sums.sum / n, m.minimum), m.maximum); /* rounding must not leave the data */
    m.variance = m.minimum == m.maximum ? 0.0 : fmax((sums.square_sum - sums.sum * sums.sum / n) / n, 0.0);
    return m;
}

double tcsi_mean(const double *values, size_t count)
{
    return tcsi_moments_of(values, count).mean;
}

double tcsi_deviation(const double *values, size_t count)
{
    return sqrt(tcsi_moments_of(values, count).variance);
}

void tcsi_standardize(double *values, size_t count)
{
    const double mean = tcsi_mean(values, count), spread = tcsi_deviation(values, count);
    for (size_t i = 0; i < count; i++) values[i] = (values[i] - mean) / (spread + 1e-9);
}

size_t tcsi_present_copy(const double *values, size_t count, double *ret_values)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        ret_values[kept] = values[i];
        kept += tcsi_present(values[i]);
    }
    return kept;
}

/* ---- order statistics ---- */

static void swap(double *a, double *b)
{
    double c = *a;
    *a = *b;
    *b = c;
}

static void insertion_sort(double *values, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        double value = values[i];
        size_t k = i;
        for (; k > 0 && values[k - 1] > value; k--) values[k] = values[k - 1];
        values[k] = value;
    }
}

static void sift_down(double *values, size_t root, size_t count)
{
    double value = values[root];
    for (;;) {
        size_t child = 2 * root + 1;
        if (child >= count) break;
        if (child + 1 < count && values[child + 1] > values[child]) child++;
        if (!(values[child] > value)) break;
        values[root] = values[child];
        root = child;
    }
    values[root] = value;
}

static void heap_sort(double *values, size_t count)
{
    for (size_t i = count / 2; i-- > 0;) sift_down(values, i, count);
    for (size_t end = count; end > 1;) {
        swap(&values[0], &values[--end]);
        sift_down(values, 0, end);
    }
}

static double middle(double a, double b, double c)
{
    if (a > b) swap(&a, &b);
    return c < a ? a : c > b ? b : c;
}

static double pivot_of(const double *values, size_t count)
{
    size_t half = count / 2, eighth = count / 8;
    if (count < LONG) return middle(values[0], values[half], values[count - 1]);
    return middle(middle(values[0], values[eighth], values[2 * eighth]), middle(values[half - eighth], values[half], values[half + eighth]),
                  middle(values[count - 1 - 2 * eighth], values[count - 1 - eighth], values[count - 1]));
}

/* Dijkstra's three parts: [0, low) below the pivot, [low, high) equal, [high, count) above. */
static void partition(double *values, size_t count, double pivot, size_t *ret_low, size_t *ret_high)
{
    size_t low = 0, i = 0, high = count;
    while (i < high) {
        if (values[i] < pivot) swap(&values[i++], &values[low++]);
        else if (values[i] > pivot) swap(&values[i], &values[--high]);
        else i++;
    }
    *ret_low = low;
    *ret_high = high;
}

static int rounds_allowed(size_t count)
{
    int rounds = 4;
    for (; count > 1; count /= 2) rounds += 2;
    return rounds;
}

double tcsi_select(double *values, size_t count, size_t position)
{
    TCS_ASSERT(position < count);
    size_t begin = 0, end = count, low, high;
    for (int rounds = rounds_allowed(count); end - begin > SMALL; rounds--) {
        if (rounds == 0) {
            heap_sort(values + begin, end - begin);
            return values[position];
        }
        partition(values + begin, end - begin, pivot_of(values + begin, end - begin), &low, &high);
        if (position < begin + low) end = begin + low;
        else if (position >= begin + high) begin += high;
        else return values[position];
    }
    insertion_sort(values + begin, end - begin);
    return values[position];
}

static void sort_within(double *values, size_t count, int rounds)
{
    size_t low, high;
    while (count > SMALL) {
        if (rounds-- == 0) {
            heap_sort(values, count);
            return;
        }
        partition(values, count, pivot_of(values, count), &low, &high);
        if (low < count - high) { /* the shorter side by recursion: depth stays below log2(count) */
            sort_within(values, low, rounds);
            values += high;
            count -= high;
        } else {
            sort_within(values + high, count - high, rounds);
            count = low;
        }
    }
    insertion_sort(values, count);
}

size_t tcsi_rank_covering(size_t count, double level)
{
    return (size_t)ceil((double)(count + 1) * level);
}

void tcsi_sort(double *values, size_t count)
{
    sort_within(values, count, rounds_allowed(count));
}

double tcsi_quantile_inplace(double *values, size_t count, double level)
{
    if (count == 0) return NAN;
    TCS_ASSERT(level >= 0 && level <= 1);
    double at = (double)(count - 1) * level;
    size_t below = (size_t)at;
    if (below >= count - 1) return tcsi_select(values, count, count - 1);
    double low = tcsi_select(values, count, below), fraction = at - (double)below;
    if (fraction == 0) return low;
    double high = values[below + 1];
    for (size_t i = below + 2; i < count; i++) high = values[i] < high ? values[i] : high;
    return low + (high - low) * fraction;
}

double tcsi_quantile(const double *values, size_t count, double level, double *scratch)
{
    return tcsi_quantile_inplace(scratch, tcsi_present_copy(values, count, scratch), level);
}

double tcsi_median(const double *values, size_t count, double *scratch)
{
    return tcsi_quantile(values, count, 0.5, scratch);
}

double tcsi_mad(const double *values, size_t count, double center, double *scratch)
{
    size_t present = tcsi_present_copy(values, count, scratch);
    if (!tcsi_present(center)) return NAN;
    for (size_t i = 0; i < present; i++) scratch[i] = fabs(scratch[i] - center);
    return tcsi_quantile_inplace(scratch, present, 0.5);
}

/* ---- order and ranks ---- */

/* True when the item at b belongs before the one at a: strictly less, or present against missing. */
static bool comes_before(const double *values, size_t b, size_t a)
{
    bool present_a = tcsi_present(values[a]), present_b = tcsi_present(values[b]);
    return present_a && present_b ? values[b] < values[a] : present_b && !present_a;
}

static void merge(const double *values, const size_t *left, size_t left_count, const size_t *right, size_t right_count, size_t *ret)
{
    size_t i = 0, j = 0;
    while (i < left_count && j < right_count) *ret++ = comes_before(values, right[j], left[i]) ? right[j++] : left[i++];
    memcpy(ret, left + i, (left_count - i) * sizeof *ret);
    memcpy(ret + (left_count - i), right + j, (right_count - j) * sizeof *ret);
}

void tcsi_argsort(const double *values, size_t count, size_t *ret_order, size_t *scratch)
{
    size_t *from = ret_order, *to = scratch;
    for (size_t i = 0; i < count; i++) from[i] = i;
    for (size_t width = 1; width < count; width *= 2) {
        for (size_t begin = 0; begin < count;) {
            size_t left = count - begin < width ? count - begin : width;
            size_t right = count - begin - left < width ? count - begin - left : width;
            merge(values, from + begin, left, from + begin + left, right, to + begin);
            begin += left + right;
        }
        size_t *other = from;
        from = to;
        to = other;
    }
    if (from != ret_order && count > 0) memcpy(ret_order, from, count * sizeof *from);
}

void tcsi_ranks(const double *values, size_t count, double *ret_ranks, size_t *order, size_t *scratch)
{
    tcsi_argsort(values, count, order, scratch);
    for (size_t begin = 0, end; begin < count; begin = end) {
        double value = values[order[begin]];
        if (!tcsi_present(value)) {
            ret_ranks[order[begin]] = NAN;
            end = begin + 1;
            continue;
        }
        for (end = begin + 1; end < count && values[order[end]] == value;) end++;
        double rank = 0.5 * ((double)begin + (double)end + 1.0); /* mean of begin + 1 .. end */
        for (size_t i = begin; i < end; i++) ret_ranks[order[i]] = rank;
    }
}

size_t tcsi_distinct_count(const double *values, size_t count, size_t count_max)
{
    enum { COUNT_MAX = 64 };
    double seen[COUNT_MAX];
    size_t seen_count = 0, last = 0;
    TCS_ASSERT(count_max <= COUNT_MAX);
    for (size_t i = 0; i < count && seen_count < count_max; i++) {
        double value = values[i];
        if (!tcsi_present(value)) continue;
        if (seen_count > 0 && seen[last] == value) continue; /* runs of one value are common */
        size_t k = 0;
        while (k < seen_count && seen[k] != value) k++;
        if (k == seen_count) seen[seen_count++] = value;
        last = k;
    }
    return seen_count;
}
