/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/affiliation.h"

#include <math.h>

typedef struct interval {
    double begin, end;
} interval;

static double length(interval a)
{
    return a.end - a.begin;
}

/* May come out empty: then its length is <= 0. */
static interval intersect(interval a, interval b)
{
    return (interval){ fmax(a.begin, b.begin), fmin(a.end, b.end) };
}

static interval interval_of(tcsi_span span)
{
    return (interval){ (double)span.begin, (double)span.end };
}

static interval zone_of(const tcsi_decision *decision, size_t k)
{
    const tcsi_span *events = decision->events;
    interval zone = { 0.0, (double)decision->row_count };
    if (k > 0) zone.begin = ((double)events[k - 1].end + (double)events[k].begin) / 2.0;
    if (k + 1 < decision->event_count) zone.end = ((double)events[k].end + (double)events[k + 1].begin) / 2.0;
    return zone;
}

/* ---- precision ---- */

/* G(d): the integral over distances 0..d of how much of the zone is at most that far from the event. */
static double kept_within(double d, interval event, interval zone)
{
    double m = fmin(event.begin - zone.begin, zone.end - event.end);
    return length(event) * d + d * d / 2.0 + (d <= m ? d * d / 2.0 : m * d - m * m / 2.0);
}

/* The integral over an alarmed interval at distances near..far from the event. */
static double precision_outside(double near, double far, interval event, interval zone)
{
    if (far <= near) return 0.0;
    return (far - near) - (kept_within(far, event, zone) - kept_within(near, event, zone)) / length(zone);
}

static double precision_of_piece(interval piece, interval event, interval zone)
{
    double sum = fmax(0.0, length(intersect(piece, event)));
    if (piece.begin < event.begin) sum += precision_outside(fmax(0.0, event.begin - piece.end), event.begin - piece.begin, event, zone);
    if (piece.end > event.end) sum += precision_outside(fmax(0.0, piece.begin - event.end), piece.end - event.end, event, zone);
    return sum;
}

/* ---- recall ---- */

/* The integral over the points at distances near..far before an alarm's edge, which lies room from the zone's end behind
 * those points: each loses d + min(d, room - d). */
static double recall_beside(double near, double far, double room, double zone_length)
{
    if (far <= near) return 0.0;
    double half = room / 2.0, low_end = fmin(far, half), high_begin = fmax(near, half);
    double lost = 0.0;
    if (low_end > near) lost += low_end * low_end - near * near; /* 2 d */
    if (far > high_begin) lost += room * (far - high_begin);     /* room */
    return (far - near) - lost / zone_length;
}

/* part: the points of the event whose nearest alarm is this one. */
static double recall_of_part(interval part, interval alarm, interval zone)
{
    double sum = fmax(0.0, length(intersect(part, alarm)));
    if (part.begin < alarm.begin)
        sum += recall_beside(fmax(0.0, alarm.begin - part.end), alarm.begin - part.begin, alarm.begin - zone.begin, length(zone));
    if (part.end > alarm.end)
        sum += recall_beside(fmax(0.0, part.begin - alarm.end), part.end - alarm.end, zone.end - alarm.end, length(zone));
    return sum;
}

/* ---- one zone ---- */

typedef struct zone_sums {
    double precision, alarmed; /* integral and length over the alarmed points */
    double recall;             /* integral over the event */
} zone_sums;

/* Alarms from *first on; *first stays at the last one that reaches into the next zone. */
static zone_sums sum_zone(const tcsi_decision *decision, interval event, interval zone, size_t *first)
{
    zone_sums sums = { 0.0, 0.0, 0.0 };
    while (*first < decision->alarm_count && (double)decision->alarms[*first].end <= zone.begin) (*first)++;
    interval last = { 0.0, 0.0 };
    bool has_last = false;
    for (size_t i = *first; i < decision->alarm_count && (double)decision->alarms[i].begin < zone.end; i++) {
        interval piece = intersect(interval_of(decision->alarms[i]), zone);
        bool has_next = i + 1 < decision->alarm_count && (double)decision->alarms[i + 1].begin < zone.end;
        interval own = zone; /* the points of the zone that are nearer to this alarm than to its neighbours */
        if (has_last) own.begin = (last.end + piece.begin) / 2.0;
        if (has_next) own.end = (piece.end + (double)decision->alarms[i + 1].begin) / 2.0;
        interval part = intersect(event, own);
        if (length(part) > 0.0) sums.recall += recall_of_part(part, piece, zone);
        sums.precision += precision_of_piece(piece, event, zone);
        sums.alarmed += length(piece);
        last = piece;
        has_last = true;
    }
    return sums;
}

tcsi_affiliation tcsi_affiliation_compute(const tcsi_decision *decision)
{
    double precision = 0.0, recall = 0.0;
    size_t first = 0, zone_count = 0;
    for (size_t k = 0; k < decision->event_count; k++) {
        interval event = interval_of(decision->events[k]);
        zone_sums sums = sum_zone(decision, event, zone_of(decision, k), &first);
        recall += sums.recall / length(event);
        if (sums.alarmed <= 0.0) continue;
        precision += sums.precision / sums.alarmed;
        zone_count++;
    }
    return (tcsi_affiliation){ .precision = zone_count ? precision / (double)zone_count : NAN,
                               .recall = decision->event_count ? recall / (double)decision->event_count : NAN };
}

double tcsi_affiliation_f1(const tcsi_affiliation *affiliation)
{
    double p = affiliation->precision, r = affiliation->recall;
    if (isnan(p)) return isnan(r) ? NAN : 0.0;
    return 2.0 * p * r / (p + r + 1e-15);
}
