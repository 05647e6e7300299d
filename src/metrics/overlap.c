/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/overlap.h"

#include <math.h>

static const double existence_weight = 0.2; /* Tatbul's alpha, as TSB-AD sets it */

/* What the other list covers of one span. */
typedef struct span_cover {
    size_t rows, count;
} span_cover;

/* Spans of others that touch span; *first moves past those that end before it, so that the next call starts there. */
static span_cover cover_of(tcsi_span span, const tcsi_span *others, size_t other_count, size_t *first)
{
    span_cover cover = { 0, 0 };
    while (*first < other_count && others[*first].end <= span.begin) (*first)++;
    for (size_t i = *first; i < other_count && others[i].begin < span.end; i++) {
        cover.rows += tcsi_span_overlap(span, others[i]);
        cover.count++;
    }
    return cover;
}

static double range_share(tcsi_span span, span_cover cover)
{
    return cover.count ? (double)cover.rows / (double)tcsi_span_length(span) / (double)cover.count : 0.0;
}

static void look_from_events(const tcsi_decision *decision, tcsi_overlap *overlap)
{
    size_t first = 0;
    double found = 0.0, shares = 0.0;
    for (size_t k = 0; k < decision->event_count; k++) {
        tcsi_span event = decision->events[k];
        span_cover cover = cover_of(event, decision->alarms, decision->alarm_count, &first);
        overlap->hit_count += cover.rows;
        overlap->positive_count += tcsi_span_length(event);
        shares += range_share(event, cover);
        if (cover.count == 0) continue;
        found += 1.0;
        overlap->events_found++;
        bool row_0_is_lost = event.begin == 0 && decision->alarms[0].begin > 0;
        overlap->adjusted_count += tcsi_span_length(event) - row_0_is_lost;
    }
    if (decision->event_count)
        overlap->range_recall = (existence_weight * found + (1.0 - existence_weight) * shares) / (double)decision->event_count;
}

static void look_from_alarms(const tcsi_decision *decision, tcsi_overlap *overlap)
{
    size_t first = 0;
    double shares = 0.0;
    for (size_t k = 0; k < decision->alarm_count; k++) {
        span_cover cover = cover_of(decision->alarms[k], decision->events, decision->event_count, &first);
        overlap->alarmed_count += tcsi_span_length(decision->alarms[k]);
        overlap->alarms_false += cover.count == 0;
        shares += range_share(decision->alarms[k], cover);
    }
    if (decision->event_count) overlap->range_precision = decision->alarm_count ? shares / (double)decision->alarm_count : 0.0;
}

tcsi_overlap tcsi_overlap_compute(const tcsi_decision *decision)
{
    tcsi_overlap overlap = { .row_count = decision->row_count, .event_count = decision->event_count,
                             .alarm_count = decision->alarm_count, .range_recall = NAN, .range_precision = NAN };
    look_from_events(decision, &overlap);
    look_from_alarms(decision, &overlap);
    return overlap;
}

static double share(size_t part, size_t whole, double without)
{
    return whole ? (double)part / (double)whole : without;
}

double tcsi_overlap_precision(const tcsi_overlap *overlap)
{
    return overlap->event_count ? share(overlap->hit_count, overlap->alarmed_count, 0.0) : NAN;
}

double tcsi_overlap_recall(const tcsi_overlap *overlap)
{
    return share(overlap->hit_count, overlap->positive_count, NAN);
}

double tcsi_overlap_event_recall(const tcsi_overlap *overlap)
{
    return share(overlap->events_found, overlap->event_count, NAN);
}

double tcsi_overlap_far(const tcsi_overlap *overlap)
{
    return share(overlap->alarmed_count - overlap->hit_count, overlap->row_count - overlap->positive_count, NAN);
}

double tcsi_overlap_mar(const tcsi_overlap *overlap)
{
    return share(overlap->positive_count - overlap->hit_count, overlap->positive_count, NAN);
}

/* 2 tp / (2 tp + fp + fn) with fp as they are and tp of the rows of events. */
static double f1_of_counts(const tcsi_overlap *overlap, size_t tp)
{
    size_t fp = overlap->alarmed_count - overlap->hit_count, fn = overlap->positive_count - tp;
    return share(2 * tp, 2 * tp + fp + fn, NAN);
}

double tcsi_overlap_f1(const tcsi_overlap *overlap)
{
    return overlap->event_count ? f1_of_counts(overlap, overlap->hit_count) : NAN;
}

double tcsi_overlap_f1_point_adjusted(const tcsi_overlap *overlap)
{
    return overlap->event_count ? f1_of_counts(overlap, overlap->adjusted_count) : NAN;
}

double tcsi_overlap_f1_event(const tcsi_overlap *overlap)
{
    double recall = tcsi_overlap_event_recall(overlap), precision = tcsi_overlap_precision(overlap);
    return 2.0 * recall * precision / (recall + precision + 1e-15);
}

double tcsi_overlap_f1_range(const tcsi_overlap *overlap)
{
    double recall = overlap->range_recall, precision = overlap->range_precision;
    return recall + precision == 0.0 ? 0.0 : 2.0 * recall * precision / (recall + precision);
}
