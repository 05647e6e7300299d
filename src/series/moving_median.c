/* series/moving_median.c -- the median of a window that moves along a series.
 *
 * Two heaps hold the window: the lower half with its largest value on top, the upper half with its smallest.  Every row in the
 * window knows where it stands in its heap, so the row that leaves is removed there instead of lingering until it surfaces.
 * Source: the two-heap running median is folklore; the indexed removal is that of W. Hardle & W. Steiger, "Optimal median
 * smoothing", Applied Statistics 44(2), 1995, algorithm AS 296.
 *
 * Invariants: lower.count == upper.count or lower.count == upper.count + 1; top(lower) <= top(upper); row r sits in slot r mod w.
 * Cost: O(log w) a row, 24 bytes a row of the window.  SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "series/moving.h"
#include "series/stats.h"

#include <math.h>

typedef struct heap {
    double sign;   /* +1: largest on top, -1: smallest on top */
    size_t count;
    size_t *slots; /* heap order */
} heap;

typedef struct median {
    heap lower, upper;
    size_t width;
    double *values;   /* by slot */
    size_t *places;   /* by slot: place in its heap */
    bool *in_upper;   /* by slot */
} median;

static bool above(const median *m, const heap *h, size_t a, size_t b)
{
    return h->sign * m->values[a] > h->sign * m->values[b];
}

static void put(median *m, heap *h, size_t place, size_t slot)
{
    h->slots[place] = slot;
    m->places[slot] = place;
}

static void sift_up(median *m, heap *h, size_t place, size_t slot)
{
    while (place > 0) {
        size_t parent = (place - 1) / 2;
        if (!above(m, h, slot, h->slots[parent])) break;
        put(m, h, place, h->slots[parent]);
        place = parent;
    }
    put(m, h, place, slot);
}

static void sift_down(median *m, heap *h, size_t place, size_t slot)
{
    for (;;) {
        size_t child = 2 * place + 1;
        if (child >= h->count) break;
        if (child + 1 < h->count && above(m, h, h->slots[child + 1], h->slots[child])) child++;
        if (!above(m, h, h->slots[child], slot)) break;
        put(m, h, place, h->slots[child]);
        place = child;
    }
    put(m, h, place, slot);
}

static void heap_push(median *m, heap *h, size_t slot)
{
    m->in_upper[slot] = h == &m->upper;
    sift_up(m, h, h->count++, slot);
}

static void heap_remove(median *m, heap *h, size_t place)
{
    size_t last = h->slots[--h->count];
    if (place == h->count) return;
    size_t removed = h->slots[place];
    if (above(m, h, last, removed)) sift_up(m, h, place, last);
    else sift_down(m, h, place, last);
}

static void move_top(median *m, heap *from, heap *to)
{
    size_t slot = from->slots[0];
    heap_remove(m, from, 0);
    heap_push(m, to, slot);
}

static void balance(median *m)
{
    while (m->lower.count > m->upper.count + 1) move_top(m, &m->lower, &m->upper);
    while (m->upper.count > m->lower.count) move_top(m, &m->upper, &m->lower);
}

static void enter(median *m, size_t row, double value)
{
    size_t slot = row % m->width;
    if (!tcsi_present(value)) return;
    m->values[slot] = value;
    bool low = m->lower.count == 0 || value <= m->values[m->lower.slots[0]];
    heap_push(m, low ? &m->lower : &m->upper, slot);
    balance(m);
}

static void leave(median *m, size_t row, double value)
{
    size_t slot = row % m->width;
    if (!tcsi_present(value)) return;
    heap_remove(m, m->in_upper[slot] ? &m->upper : &m->lower, m->places[slot]);
    balance(m);
}

static double current(const median *m)
{
    if (m->lower.count == 0) return NAN;
    double low = m->values[m->lower.slots[0]];
    if (m->lower.count > m->upper.count) return low;
    return low + 0.5 * (m->values[m->upper.slots[0]] - low);
}

tcs_status tcsi_moving_median(const double *values, size_t count, size_t width, double *ret_medians, tcs_error *err)
{
    TCS_ASSERT(width >= 1);
    if (count == 0) return TCS_OK;
    if (width > 2 * count) width = 2 * count;
    median m = { .lower = { .sign = 1 }, .upper = { .sign = -1 }, .width = width };
    m.values = TCSI_NEW_ARRAY(double, width);
    m.places = TCSI_NEW_ARRAY(size_t, width);
    m.in_upper = TCSI_NEW_ARRAY(bool, width);
    m.lower.slots = TCSI_NEW_ARRAY(size_t, width);
    m.upper.slots = TCSI_NEW_ARRAY(size_t, width);
    tcs_status status = TCS_OK;
    if (!m.values || !m.places || !m.in_upper || !m.lower.slots || !m.upper.slots) {
        status = tcsi_fail_memory(err, "a moving median");
        goto done;
    }
    size_t before = width / 2, after = width - before, entered = 0; /* window of row i: [i - before, i + after) */
    for (size_t i = 0; i < count; i++) {
        if (i > before) leave(&m, i - before - 1, values[i - before - 1]);
        for (; entered < count && entered < i + after; entered++) enter(&m, entered, values[entered]);
        ret_medians[i] = current(&m);
    }
done:
    tcsi_free(m.values);
    tcsi_free(m.places);
    tcsi_free(m.in_upper);
    tcsi_free(m.lower.slots);
    tcsi_free(m.upper.slots);
    return status;
}
