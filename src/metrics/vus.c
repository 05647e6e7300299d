/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/vus.h"

#include "base/alloc.h"

#include <math.h>
#include <string.h>

enum { BUCKETS = TCSI_VUS_THRESHOLD_COUNT, STRIDE = 256 };

/* A row with a second event within reach: from half width d2 on its label is 1. */
typedef struct shared_row {
    uint32_t distance; /* to the nearest event */
    uint32_t bucket;
} shared_row;

typedef struct surface {
    size_t row_count, positive_count, half_max; /* half_max: the widest margin, L/2 */
    const tcsi_span *events;
    size_t event_count;
    uint8_t *buckets;               /* (T) the first threshold each row reaches */
    double alarmed[BUCKETS];        /* rows alarmed at each threshold */
    double inside[BUCKETS];         /* of those, rows inside events */
    double *near;                   /* (half_max + 1, STRIDE) rows by distance to their nearest event and bucket */
    shared_row *shared;             /* grouped by distance to the second event: group d is shared_begin[d] .. shared_begin[d + 1] */
    size_t *shared_begin;           /* (half_max + 2) */
    uint8_t *reach;                 /* (events) lowest bucket within the event and its margins */
    double ones[STRIDE];            /* rows outside events whose label is 1 by now */
    double existence[BUCKETS];      /* share of event groups found at each threshold, at the present half width */
} surface;

/* ---- rows to buckets ---- */

/* Position of threshold i in the descending order, as numpy.linspace(0, last, 250).astype(int) rounds it. */
static size_t threshold_position(size_t i, size_t last)
{
    if (i == BUCKETS - 1) return last;
    return (size_t)((double)i * ((double)last / (BUCKETS - 1)));
}

/* Rows that tie take the first threshold at or below their score, which is the first whose position is not before theirs. */
static void fill_buckets(surface *s, const tcsi_ranking *ranking)
{
    size_t bucket = 0, last = s->row_count - 1;
    for (size_t p = 0; p < s->row_count;) {
        while (threshold_position(bucket, last) < p) bucket++;
        size_t end = tcsi_ranking_tie_end(ranking, p);
        s->alarmed[bucket] += (double)(end - p);
        for (; p < end; p++) s->buckets[ranking->order[p]] = (uint8_t)bucket;
    }
    for (size_t k = 0; k < s->event_count; k++)
        for (size_t i = s->events[k].begin; i < s->events[k].end; i++) s->inside[s->buckets[i]] += 1.0;
    for (size_t j = 1; j < BUCKETS; j++) {
        s->alarmed[j] += s->alarmed[j - 1];
        s->inside[j] += s->inside[j - 1];
    }
}

/* ---- margins to the table ---- */

typedef struct distances {
    size_t nearest, second; /* SIZE_MAX: none */
} distances;

/* Distances of row i, between event gap - 1 and event gap, to its two nearest events.  On each side only two can matter. */
static distances distances_of(const surface *s, size_t gap, size_t i)
{
    distances d = { SIZE_MAX, SIZE_MAX };
    for (size_t side = 0; side < 4; side++) {
        size_t distance = SIZE_MAX;
        if (side < 2 && gap > side) distance = i - (s->events[gap - 1 - side].end - 1);
        if (side >= 2 && gap + side - 2 < s->event_count) distance = s->events[gap + side - 2].begin - i;
        if (distance < d.nearest) {
            d.second = d.nearest;
            d.nearest = distance;
        } else if (distance < d.second) {
            d.second = distance;
        }
    }
    return d;
}

/* Calls for every row outside events that has one within half_max: counting first, then storing. */
static void walk_margins(surface *s, bool storing)
{
    for (size_t gap = 0; gap <= s->event_count; gap++) {
        size_t begin = gap > 0 ? s->events[gap - 1].end : 0;
        size_t end = gap < s->event_count ? s->events[gap].begin : s->row_count;
        for (size_t i = begin; i < end; i++) {
            bool near_left = gap > 0 && i - begin < s->half_max, near_right = gap < s->event_count && end - i <= s->half_max;
            if (!near_left && !near_right) { /* nothing until the right margin */
                if (gap == s->event_count) break;
                i = end - s->half_max - 1;
                continue;
            }
            distances d = distances_of(s, gap, i);
            bool is_shared = d.second <= s->half_max;
            if (!storing && is_shared) s->shared_begin[d.second + 1]++;
            if (!storing) s->near[d.nearest * STRIDE + s->buckets[i]] += 1.0;
            if (storing && is_shared) s->shared[s->shared_begin[d.second]++] = (shared_row){ (uint32_t)d.nearest, s->buckets[i] };
        }
    }
}

static tcs_status fill_margins(surface *s, tcs_error *err)
{
    walk_margins(s, false);
    for (size_t d = 0; d <= s->half_max; d++) s->shared_begin[d + 1] += s->shared_begin[d];
    s->shared = TCSI_NEW_ARRAY(shared_row, s->shared_begin[s->half_max + 1]);
    if (!s->shared) return tcsi_fail_memory(err, "rows between events");
    walk_margins(s, true);
    memmove(s->shared_begin + 1, s->shared_begin, (s->half_max + 1) * sizeof *s->shared_begin); /* storing moved each begin to its end */
    s->shared_begin[0] = 0;
    return TCS_OK;
}

/* ---- one half width ---- */

/* Takes the margins from half - 1 to half (half 0: none) and finds the share of event groups that each threshold finds. */
static void update_existence(surface *s, size_t half)
{
    double found[BUCKETS] = { 0 };
    size_t group_count = 0;
    unsigned lowest = BUCKETS;
    for (size_t k = 0; k < s->event_count; k++) {
        tcsi_span event = s->events[k];
        unsigned reach = s->reach[k];
        if (half > 0 && event.begin >= half && s->buckets[event.begin - half] < reach) reach = s->buckets[event.begin - half];
        if (half > 0 && event.end - 1 + half < s->row_count && s->buckets[event.end - 1 + half] < reach)
            reach = s->buckets[event.end - 1 + half];
        s->reach[k] = (uint8_t)reach;
        if (reach < lowest) lowest = reach;
        if (k + 1 < s->event_count && event.end - 1 + 2 * half >= s->events[k + 1].begin) continue; /* margins touch */
        found[lowest] += 1.0;
        group_count++;
        lowest = BUCKETS;
    }
    double sum = 0.0;
    for (size_t j = 0; j < BUCKETS; j++) {
        sum += found[j];
        s->existence[j] = sum / (double)group_count;
    }
}

static void settle_shared(surface *s, size_t half)
{
    for (size_t i = s->shared_begin[half]; i < s->shared_begin[half + 1]; i++) {
        s->near[s->shared[i].distance * STRIDE + s->shared[i].bucket] -= 1.0;
        s->ones[s->shared[i].bucket] += 1.0;
    }
}

static void begin_half(surface *s, size_t half)
{
    update_existence(s, half);
    if (half <= s->half_max) settle_shared(s, half);
}

static void add_scaled(double *restrict sums, const double *restrict counts, double weight)
{
    for (size_t b = 0; b < STRIDE; b++) sums[b] += weight * counts[b];
}

/* ---- one window ---- */

static tcsi_vus areas_of_window(const surface *s, size_t window)
{
    size_t half = window / 2 < s->half_max ? window / 2 : s->half_max;
    double sums[STRIDE];
    memcpy(sums, s->ones, sizeof sums);
    for (size_t d = 1; d <= half; d++) add_scaled(sums, s->near + d * STRIDE, sqrt(1.0 - (double)d / (double)window));

    double positives = (double)s->positive_count, rows = (double)s->row_count;
    double extra = 0.0, tpr_last = 0.0, fpr_last = 0.0;
    tcsi_vus area = { 0.0, 0.0 };
    for (size_t j = 0; j < BUCKETS; j++) {
        extra += sums[j];
        double tp = s->inside[j] + extra, share = (positives + positives + extra) / 2.0;
        double tpr = fmin(tp / share, 1.0) * s->existence[j], fpr = (s->alarmed[j] - tp) / (rows - share);
        area.pr += (tpr - tpr_last) * (tp / s->alarmed[j]);
        area.roc += (fpr - fpr_last) * (tpr + tpr_last) / 2.0;
        tpr_last = tpr;
        fpr_last = fpr;
    }
    area.roc += (1.0 - fpr_last) * (1.0 + tpr_last) / 2.0;
    return area;
}

static tcsi_vus volume(surface *s, size_t window_max)
{
    tcsi_vus sum = { 0.0, 0.0 };
    for (size_t window = 0; window <= window_max; window++) {
        if (window % 2 == 0) begin_half(s, window / 2);
        tcsi_vus area = areas_of_window(s, window);
        sum.pr += area.pr;
        sum.roc += area.roc;
    }
    double count = (double)(window_max + 1);
    return (tcsi_vus){ sum.pr / count, s->positive_count < s->row_count ? sum.roc / count : NAN };
}

static void fill_reach(surface *s)
{
    for (size_t k = 0; k < s->event_count; k++) {
        uint8_t lowest = BUCKETS - 1;
        for (size_t i = s->events[k].begin; i < s->events[k].end; i++)
            if (s->buckets[i] < lowest) lowest = s->buckets[i];
        s->reach[k] = lowest;
    }
}

tcs_status tcsi_vus_compute(const tcsi_ranking *ranking, const tcsi_span *events, size_t event_count, size_t window,
                            tcsi_vus *ret_vus, tcs_error *err)
{
    if (window > TCSI_VUS_WINDOW_MAX)
        return tcsi_fail(err, TCS_E_LIMIT, "a window of %zu rows: the volume under the surface takes at most %zu", window,
                         TCSI_VUS_WINDOW_MAX);
    if (event_count == 0) {
        *ret_vus = (tcsi_vus){ NAN, NAN };
        return TCS_OK;
    }
    surface s = { .row_count = ranking->row_count, .events = events, .event_count = event_count };
    s.half_max = window / 2 < s.row_count ? window / 2 : s.row_count;
    s.positive_count = tcsi_span_row_count(events, event_count);
    s.buckets = TCSI_NEW_ARRAY(uint8_t, s.row_count);
    s.near = TCSI_NEW_ZEROS(double, (s.half_max + 1) * STRIDE);
    s.shared_begin = TCSI_NEW_ZEROS(size_t, s.half_max + 2);
    s.reach = TCSI_NEW_ARRAY(uint8_t, event_count);
    tcs_status status = TCS_OK;
    if (!s.buckets || !s.near || !s.shared_begin || !s.reach) {
        status = tcsi_fail_memory(err, "the volume under the surface");
        goto end;
    }
    fill_buckets(&s, ranking);
    fill_reach(&s);
    status = fill_margins(&s, err);
    if (status == TCS_OK) *ret_vus = volume(&s, window);
end:
    tcsi_free(s.buckets);
    tcsi_free(s.near);
    tcsi_free(s.shared);
    tcsi_free(s.shared_begin);
    tcsi_free(s.reach);
    return status;
}

tcs_status tcsi_vus_of_scores(const double *scores, const uint8_t *labels, size_t row_count, size_t window, tcsi_vus *ret_vus,
                              tcs_error *err)
{
    tcsi_ranking ranking = { 0 };
    tcsi_span_list events = { 0 };
    tcs_status status = tcsi_ranking_init(scores, row_count, &ranking, err);
    if (status == TCS_OK) status = tcsi_span_list_from_flags(labels, row_count, &events, err);
    if (status == TCS_OK) status = tcsi_vus_compute(&ranking, events.spans, events.count, window, ret_vus, err);
    tcsi_span_list_deinit(&events);
    tcsi_ranking_deinit(&ranking);
    return status;
}
