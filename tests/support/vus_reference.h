/* tests/support/vus_reference.h -- volume under the surface the slow way, as the definition reads.
 * 250 thresholds over whole arrays for every window: O(L T 250).  The tests and the benchmark hold src/metrics/vus.c against
 * it.  Scores must not be NaN; there must be rows of both kinds. */
#ifndef TCS_VUS_REFERENCE_H
#define TCS_VUS_REFERENCE_H

#include "metrics/vus.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int vus_reference_descending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

static void vus_reference_labels(const uint8_t *labels, size_t n, size_t window, double *ret_soft)
{
    size_t half = window / 2;
    for (size_t i = 0; i < n; i++) ret_soft[i] = labels[i];
    for (size_t i = 0; i < n; i++) {
        bool first = labels[i] && (i == 0 || !labels[i - 1]), last = labels[i] && (i + 1 == n || !labels[i + 1]);
        for (size_t d = 1; d <= half; d++) {
            if (first && i >= d) ret_soft[i - d] += sqrt(1.0 - (double)d / (double)window);
            if (last && i + d < n) ret_soft[i + d] += sqrt(1.0 - (double)d / (double)window);
        }
    }
    for (size_t i = 0; i < n; i++) ret_soft[i] = fmin(ret_soft[i], 1.0);
}

/* Share of event groups with a score of at least threshold. */
static double vus_reference_existence(const double *scores, const uint8_t *labels, size_t n, size_t half, double threshold)
{
    size_t groups = 0, found = 0;
    for (size_t i = 0; i < n;) {
        if (!labels[i]) {
            i++;
            continue;
        }
        size_t begin = i > half ? i - half : 0, last = i;
        for (;;) { /* last becomes the last row of the group's last event */
            while (last + 1 < n && labels[last + 1]) last++;
            size_t next = last + 1;
            while (next < n && !labels[next]) next++;
            if (next == n || last + 2 * half < next) break; /* the margins do not touch */
            last = next;
        }
        bool is_found = false;
        for (size_t k = begin; k <= last + half && k < n; k++) is_found = is_found || scores[k] >= threshold;
        groups++;
        found += is_found;
        i = last + 1;
    }
    return (double)found / (double)groups;
}

static tcsi_vus vus_reference(const double *scores, const uint8_t *labels, size_t n, size_t window_max)
{
    double *sorted = malloc(n * sizeof *sorted), *soft = malloc(n * sizeof *soft), positives = 0.0;
    memcpy(sorted, scores, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, vus_reference_descending);
    for (size_t i = 0; i < n; i++) positives += labels[i];
    tcsi_vus sum = { 0.0, 0.0 };
    for (size_t window = 0; window <= window_max; window++) {
        vus_reference_labels(labels, n, window, soft);
        double tpr_last = 0.0, fpr_last = 0.0;
        for (size_t j = 0; j < 250; j++) {
            double threshold = sorted[j == 249 ? n - 1 : (size_t)((double)j * ((double)(n - 1) / 249.0))];
            double alarmed = 0.0, tp = 0.0, extra = 0.0;
            for (size_t i = 0; i < n; i++) {
                if (!(scores[i] >= threshold)) continue;
                alarmed += 1.0;
                tp += soft[i];
                if (!labels[i]) extra += soft[i];
            }
            double share = (2.0 * positives + extra) / 2.0;
            double tpr = fmin(tp / share, 1.0) * vus_reference_existence(scores, labels, n, window / 2, threshold);
            double fpr = (alarmed - tp) / ((double)n - share);
            sum.pr += (tpr - tpr_last) * tp / alarmed;
            sum.roc += (fpr - fpr_last) * (tpr + tpr_last) / 2.0;
            tpr_last = tpr;
            fpr_last = fpr;
        }
        sum.roc += (1.0 - fpr_last) * (1.0 + tpr_last) / 2.0;
    }
    free(sorted);
    free(soft);
    return (tcsi_vus){ sum.pr / (double)(window_max + 1), sum.roc / (double)(window_max + 1) };
}

#endif
