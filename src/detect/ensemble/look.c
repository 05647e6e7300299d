/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/ensemble/look.h"

#include "base/alloc.h"
#include "series/moving.h"
#include "series/stats.h"

#include <math.h>
#include <string.h>

enum { FEATURES = 8, REFERENCE_COUNT_MAX = 800 };
static const double CLIP = 8;

typedef struct look {
    size_t n, window, step;        /* features are kept every step rows, the first at step / 2 */
    size_t kept_count;             /* N */
    const double *z;
    double *mean, *d1, *d2, *work, *full, *scratch; /* (T) */
    double *points;                /* (N, FEATURES) */
} look;

/* log(u + a fiftieth of its root mean square), in place. */
static void take_log(double *u, size_t n)
{
    double square = 0;
    for (size_t t = 0; t < n; t++) square += u[t] * u[t] / (double)n;
    double floor = 0.02 * sqrt(square) + 1e-9;
    for (size_t t = 0; t < n; t++) u[t] = log(u[t] + floor);
}

/* Robustly scaled values of feature k at the kept rows. */
static void keep(look *l, size_t k, const double *feature)
{
    double *column = l->scratch;
    for (size_t i = 0; i < l->kept_count; i++) column[i] = feature[l->step / 2 + i * l->step];
    double spread = tcsi_deviation(column, l->kept_count);
    double median = tcsi_median(column, l->kept_count, l->work), mad = tcsi_mad(column, l->kept_count, median, l->work);
    double scale = fmax(1.4826 * mad, 0.2 * spread) + 1e-9;
    for (size_t i = 0; i < l->kept_count; i++) {
        double value = (column[i] - median) / scale;
        l->points[i * FEATURES + k] = value > CLIP ? CLIP : value < -CLIP ? -CLIP : value;
    }
}

static void roughness(look *l, size_t k, const double *differences)
{
    tcsi_moving_rms(differences, l->n, l->window, l->full);
    take_log(l->full, l->n);
    keep(l, k, l->full);
}

static void third_moment(look *l, size_t k)
{
    for (size_t t = 0; t < l->n; t++) {
        double d = l->z[t] - l->mean[t];
        l->work[t] = d * d * d;
    }
    tcsi_moving_mean(l->work, l->n, l->window, l->full);
    for (size_t t = 0; t < l->n; t++) l->full[t] = cbrt(l->full[t]);
    keep(l, k, l->full);
}

static void turning_points(look *l, size_t k)
{
    for (size_t t = 0; t < l->n; t++) l->work[t] = t + 1 < l->n && l->d1[t] * l->d1[t + 1] < 0 ? 1 : 0;
    tcsi_moving_mean(l->work, l->n, l->window, l->full);
    keep(l, k, l->full);
}

static void fast_energy(look *l, size_t k)
{
    tcsi_moving_mean(l->z, l->n, l->window / 4 > 1 ? l->window / 4 : 1, l->full);
    for (size_t t = 0; t < l->n; t++) l->work[t] = l->z[t] - l->full[t];
    tcsi_moving_rms(l->work, l->n, l->window, l->full);
    take_log(l->full, l->n);
    keep(l, k, l->full);
}

/* The means half a window later and earlier; at the ends the last ones there are. */
static void step_between_halves(look *l, size_t k)
{
    size_t half = l->window / 2;
    for (size_t t = 0; t < l->n; t++) {
        double late = l->mean[t + half < l->n ? t + half : l->n - 1], early = l->mean[t >= half ? t - half : 0];
        l->full[t] = fabs(late - early);
    }
    keep(l, k, l->full);
}

static void compute_features(look *l)
{
    tcsi_moving_moments(l->z, l->n, l->window, l->mean, l->full);
    for (size_t t = 0; t < l->n; t++) {
        l->full[t] = sqrt(l->full[t]);
        l->d1[t] = t > 0 ? l->z[t] - l->z[t - 1] : 0;
        l->d2[t] = t > 0 ? l->d1[t] - l->d1[t - 1] : 0;
    }
    keep(l, 0, l->mean);
    take_log(l->full, l->n);
    keep(l, 1, l->full);
    roughness(l, 2, l->d1);
    roughness(l, 3, l->d2);
    third_moment(l, 4);
    turning_points(l, 5);
    fast_energy(l, 6);
    step_between_halves(l, 7);
}

/* Distance of point i to its third nearest reference at least `apart` points away; fewer: the last there is; none: 0. */
static double third_nearest(const look *l, size_t i, const size_t *references, size_t reference_count, size_t apart)
{
    const double *point = l->points + i * FEATURES;
    double nearest[3] = { INFINITY, INFINITY, INFINITY };
    for (size_t r = 0; r < reference_count; r++) {
        size_t j = references[r];
        if ((j > i ? j - i : i - j) < apart) continue;
        const double *other = l->points + j * FEATURES;
        double square = 0;
        for (size_t k = 0; k < FEATURES; k++) square += (point[k] - other[k]) * (point[k] - other[k]);
        if (square >= nearest[2]) continue;
        nearest[2] = square;
        for (int k = 2; k > 0 && nearest[k] < nearest[k - 1]; k--) {
            double swap = nearest[k];
            nearest[k] = nearest[k - 1];
            nearest[k - 1] = swap;
        }
    }
    for (int k = 2; k >= 0; k--)
        if (nearest[k] < INFINITY) return sqrt(nearest[k]);
    return 0;
}

static void score_points(look *l, double *ret_distances)
{
    size_t references[REFERENCE_COUNT_MAX], count = l->kept_count < REFERENCE_COUNT_MAX ? l->kept_count : REFERENCE_COUNT_MAX;
    for (size_t r = 0; r < count; r++) references[r] = count > 1 ? r * (l->kept_count - 1) / (count - 1) : 0;
    size_t apart = (l->window + l->step - 1) / l->step;
    for (size_t i = 0; i < l->kept_count; i++) ret_distances[i] = third_nearest(l, i, references, count, apart);
}

/* Linear between the kept rows, constant beyond. */
static void interpolate(const look *l, const double *distances, double *ret_scores)
{
    for (size_t t = 0; t < l->n; t++) {
        double at = ((double)t - (double)(l->step / 2)) / (double)l->step;
        size_t below = at > 0 ? (size_t)at : 0;
        if (below + 1 >= l->kept_count) ret_scores[t] = distances[l->kept_count - 1];
        else if (at <= 0) ret_scores[t] = distances[0];
        else ret_scores[t] = distances[below] + (at - (double)below) * (distances[below + 1] - distances[below]);
    }
}

tcs_status tcsi_look_score(const double *z, size_t row_count, size_t window, double *ret_scores, tcs_error *err)
{
    look l = { .n = row_count, .window = window, .step = window / 8 > 1 ? window / 8 : 1, .z = z };
    l.kept_count = row_count > l.step / 2 ? (row_count - l.step / 2 - 1) / l.step + 1 : 0;
    memset(ret_scores, 0, row_count * sizeof *ret_scores);
    if (l.kept_count < 4) return TCS_OK;
    double **vectors[] = { &l.mean, &l.d1, &l.d2, &l.work, &l.full, &l.scratch };
    size_t total, point_total;
    double *memory = tcsi_multiply(row_count, TCS_COUNT(vectors), &total) ? TCSI_NEW_ZEROS(double, total) : NULL;
    l.points = tcsi_multiply(l.kept_count, FEATURES, &point_total) ? TCSI_NEW_ARRAY(double, point_total) : NULL;
    tcs_status status = TCS_OK;
    if (memory && l.points) {
        for (size_t i = 0; i < TCS_COUNT(vectors); i++) *vectors[i] = memory + i * row_count;
        compute_features(&l);
        score_points(&l, l.scratch);
        interpolate(&l, l.scratch, ret_scores);
    } else {
        status = tcsi_fail_memory(err, "window features");
    }
    tcsi_free(memory);
    tcsi_free(l.points);
    return status;
}
