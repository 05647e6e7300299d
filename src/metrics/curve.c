/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/curve.h"

#include "base/alloc.h"

#include <math.h>

static size_t count_distinct(const tcsi_ranking *ranking)
{
    size_t count = 1;
    for (size_t p = 1; p < ranking->row_count; p++) count += ranking->keys[p] != ranking->keys[p - 1];
    return count;
}

tcs_status tcsi_curve_init(const tcsi_ranking *ranking, const uint8_t *labels, tcsi_curve *ret_curve, tcs_error *err)
{
    tcsi_curve curve = { .row_count = ranking->row_count };
    curve.points = TCSI_NEW_ARRAY(tcsi_curve_point, count_distinct(ranking));
    if (!curve.points) return tcsi_fail_memory(err, "a precision-recall curve");
    uint32_t hits = 0;
    for (size_t p = 0; p < ranking->row_count;) {
        double threshold = tcsi_ranking_score(ranking, p);
        size_t end = tcsi_ranking_tie_end(ranking, p);
        for (; p < end; p++) hits += labels[ranking->order[p]] != 0;
        curve.points[curve.point_count++] = (tcsi_curve_point){ threshold, (uint32_t)end, hits };
    }
    curve.positive_count = hits;
    *ret_curve = curve;
    return TCS_OK;
}

void tcsi_curve_deinit(tcsi_curve *curve)
{
    tcsi_free(curve->points);
    *curve = (tcsi_curve){ 0 };
}

double tcsi_curve_auc_pr(const tcsi_curve *curve)
{
    if (curve->positive_count == 0) return NAN;
    double area = 0.0;
    uint32_t hits = 0;
    for (size_t k = 0; k < curve->point_count; k++) {
        const tcsi_curve_point *point = &curve->points[k];
        area += (double)(point->hits - hits) * ((double)point->hits / point->alarmed);
        hits = point->hits;
    }
    return area / (double)curve->positive_count;
}

double tcsi_curve_auc_roc(const tcsi_curve *curve)
{
    double positives = (double)curve->positive_count, negatives = (double)(curve->row_count - curve->positive_count);
    if (positives == 0.0 || negatives == 0.0) return NAN;
    double area_twice = 0.0; /* in pairs of rows: exact as long as there are fewer than 2^52 of them */
    tcsi_curve_point last = { 0 };
    for (size_t k = 0; k < curve->point_count; k++) {
        tcsi_curve_point point = curve->points[k];
        double width = (double)(point.alarmed - point.hits) - (double)(last.alarmed - last.hits);
        area_twice += width * ((double)point.hits + (double)last.hits);
        last = point;
    }
    return area_twice / 2.0 / positives / negatives;
}

tcsi_curve_best tcsi_curve_best_f1(const tcsi_curve *curve)
{
    if (curve->positive_count == 0) return (tcsi_curve_best){ NAN, NAN };
    tcsi_curve_best best = { -1.0, NAN };
    for (size_t k = 0; k < curve->point_count; k++) {
        const tcsi_curve_point *point = &curve->points[k];
        double precision = (double)point->hits / point->alarmed, recall = (double)point->hits / (double)curve->positive_count;
        double f1 = 2.0 * (precision * recall) / (precision + recall + 1e-5);
        if (f1 >= best.f1) best = (tcsi_curve_best){ f1, point->threshold };
    }
    return best;
}

double tcsi_curve_precision_at(const tcsi_curve *curve, size_t k)
{
    if (k == 0) return NAN;
    if (k > curve->row_count) k = curve->row_count;
    tcsi_curve_point last = { 0 };
    for (size_t i = 0; i < curve->point_count; i++) {
        tcsi_curve_point point = curve->points[i];
        if (point.alarmed >= k) {
            double share = (double)(k - last.alarmed) / (double)(point.alarmed - last.alarmed); /* of the tied rows that fit */
            return (last.hits + share * (double)(point.hits - last.hits)) / (double)k;
        }
        last = point;
    }
    return NAN; /* not reached: the last point alarms every row */
}
