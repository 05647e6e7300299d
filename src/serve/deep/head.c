/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/deep/head.h"

#include "base/alloc.h"
#include "kernels/linalg.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { F = TCSI_DEEP_FEATURES, D = F + 1, STEPS_MAX = 20, STRETCH = 16, HIGH = 2 };
static const double RIDGE = 10, PRIOR = 1, CUT = 4, SCALE_MIN = 1e-6, SLACK = 1e-3, STEP_MAX = 4, BEND_MIN = 1e-6;

/* ---- figures of a window ---- */

void tcsi_deep_features(const float *rows, const double *surprises, double strangeness, double ret_features[TCSI_DEEP_FEATURES])
{
    enum { N = TCSI_LAST_ROWS, S = TCSI_LAST_ROWS - 1 };
    double surprise = 0, stretch = 0, size = 0, square = 0, sum = 0, rough = 0, rough_end = 0, most = 0, high = 0;
    for (size_t t = 0; t < S; t++) {
        surprise += surprises[t] / S;
        if (t >= S - STRETCH) stretch += surprises[t] / STRETCH;
        const double step = fabs((double)rows[t + 1] - (double)rows[t]);
        rough += step / S;
        if (t >= S - (STRETCH - 1)) rough_end += step / (STRETCH - 1);
    }
    for (size_t t = 0; t < N; t++) {
        const double value = (double)rows[t];
        size += fabs(value) / N;
        sum += value / N;
        square += value * value / N;
        most = fmax(most, fabs(value));
        high += fabs(value) > HIGH;
    }
    const double last = (double)rows[N - 1], before = (double)rows[N - 2];
    const double figures[F] = { log1p(strangeness), surprises[S - 1], surprises[S - 2], surprises[S - 3], stretch, surprise, size,
                                sqrt(fmax(square - sum * sum, 0)), fabs(last), last, before, rough, rough_end, most, high };
    memcpy(ret_features, figures, sizeof figures);
}

/* ---- learning ---- */

typedef struct problem {
    double *x;         /* (count, F) standardized */
    double *weights;   /* (count) */
    const tcsi_deep_labelled *set;
    const size_t *folds; /* (count) */
    size_t left_out;   /* of this fold nothing is learned; TCSI_DEEP_FOLDS: of all is */
} problem;

static void standardize(const tcsi_deep_head *head, const double *features, double *ret_x)
{
    for (size_t k = 0; k < F; k++) ret_x[k] = fmin(fmax((features[k] - head->means[k]) / head->scales[k], -CUT), CUT);
}

static void find_scale(const double *references, size_t count, tcsi_deep_head *head)
{
    for (size_t k = 0; k < F; k++) {
        double sum = 0, square = 0;
        for (size_t i = 0; i < count; i++) sum += references[i * F + k];
        head->means[k] = sum / (double)count;
        for (size_t i = 0; i < count; i++) {
            const double d = references[i * F + k] - head->means[k];
            square += d * d;
        }
        head->scales[k] = sqrt(square / (double)count) + SCALE_MIN;
    }
}

static double log_odds_of(const double *theta, const double *x)
{
    double sum = theta[F];
    for (size_t k = 0; k < F; k++) sum += theta[k] * x[k];
    return sum;
}

/* Gradient and lower triangle of the second derivatives at theta. */
static void derive(const problem *p, const double *theta, double gradient[D], double hessian[D * D])
{
    memset(hessian, 0, D * D * sizeof *hessian);
    for (size_t k = 0; k < D; k++) {
        const double ridge = k < F ? RIDGE : SLACK;
        gradient[k] = ridge * (theta[k] - (k == 0 ? PRIOR : 0));
        hessian[k * D + k] = ridge;
    }
    for (size_t i = 0; i < p->set->count; i++) {
        if (p->folds[i] == p->left_out) continue;
        const double *x = p->x + i * F, share = 1 / (1 + exp(-log_odds_of(theta, x)));
        const double slope = p->weights[i] * (share - p->set->items[i].is_true);
        const double bend = p->weights[i] * fmax(share * (1 - share), BEND_MIN);
        for (size_t k = 0; k < D; k++) {
            const double xk = k < F ? x[k] : 1;
            gradient[k] += slope * xk;
            for (size_t l = 0; l <= k; l++) hessian[k * D + l] += bend * xk * (l < F ? x[l] : 1);
        }
    }
}

static void minimize(const problem *p, double theta[D])
{
    double step[D], hessian[D * D];
    for (size_t k = 0; k < D; k++) theta[k] = k == 0 ? PRIOR : 0;
    for (int round = 0; round < STEPS_MAX; round++) {
        double most = 0;
        derive(p, theta, step, hessian);
        if (!tcsi_cholesky_factor(hessian, D)) return; /* the ridge keeps it definite: only where figures are no numbers */
        tcsi_cholesky_solve(hessian, D, step);
        for (size_t k = 0; k < D; k++) most = fmax(most, fabs(step[k]));
        for (size_t k = 0; k < D; k++) theta[k] -= fmin(1, STEP_MAX / fmax(most, BEND_MIN)) * step[k];
        if (most < BEND_MIN) return;
    }
}

static int by_number(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Their numbers, each once, ascending. */
static size_t find_series(const tcsi_deep_labelled *set, int64_t *ret_series)
{
    size_t kept = 0;
    for (size_t i = 0; i < set->count; i++) ret_series[i] = set->items[i].series;
    if (set->count > 1) qsort(ret_series, set->count, sizeof *ret_series, by_number);
    for (size_t i = 0; i < set->count; i++)
        if (kept == 0 || ret_series[kept - 1] != ret_series[i]) ret_series[kept++] = ret_series[i];
    return kept;
}

bool tcsi_deep_head_is_due(const tcsi_deep_labelled *set)
{
    if (set->counts[0] < TCSI_DEEP_LABELS_MIN || set->counts[1] < TCSI_DEEP_LABELS_MIN) return false;
    int64_t *series = TCSI_NEW_ARRAY(int64_t, set->count);
    const bool is_due = series && find_series(set, series) >= TCSI_DEEP_LABELLED_SERIES_MIN;
    tcsi_free(series);
    return is_due;
}

static void weigh(const tcsi_deep_labelled *set, double *ret_weights)
{
    for (size_t i = 0; i < set->count; i++) {
        size_t same = 0;
        for (size_t k = 0; k < set->count; k++) same += set->items[k].series == set->items[i].series;
        ret_weights[i] = (double)set->items[i].weight / sqrt((double)same);
    }
}

/* Series in turn, by number. */
static bool find_folds(const tcsi_deep_labelled *set, size_t *ret_folds)
{
    int64_t *series = TCSI_NEW_ARRAY(int64_t, set->count);
    if (!series) return false;
    const size_t count = find_series(set, series);
    for (size_t i = 0; i < set->count; i++) {
        const int64_t *at = bsearch(&set->items[i].series, series, count, sizeof *series, by_number);
        ret_folds[i] = (size_t)(at - series) % TCSI_DEEP_FOLDS;
    }
    tcsi_free(series);
    return true;
}

static tcs_status learn_chance(const problem *p, const double *held_out, tcsi_deep_head *head, tcs_error *err)
{
    const size_t count = p->set->count;
    if (head->counts[0] < TCSI_DEEP_CHANCE_LABELS_MIN || head->counts[1] < TCSI_DEEP_CHANCE_LABELS_MIN) return TCS_OK;
    uint8_t *labels = TCSI_NEW_ARRAY(uint8_t, count);
    if (!labels) return tcsi_fail_memory(err, "labels");
    for (size_t i = 0; i < count; i++) labels[i] = p->set->items[i].is_true;
    const tcsi_calibrate_rows rows = { .values = held_out, .labels = labels, .weights = p->weights, .count = count };
    const tcs_status status = tcsi_calibrator_choose(&rows, &head->chance, err);
    head->has_chance = status == TCS_OK;
    tcsi_free(labels);
    return status;
}

static tcs_status learn(problem *p, tcsi_deep_head *head, double *held_out, tcs_error *err)
{
    const tcsi_deep_labelled *set = p->set;
    double theta[D];
    for (p->left_out = 0; p->left_out < TCSI_DEEP_FOLDS; p->left_out++) {
        minimize(p, theta);
        for (size_t i = 0; i < set->count; i++)
            if (p->folds[i] == p->left_out) held_out[i] = log_odds_of(theta, p->x + i * F);
    }
    minimize(p, theta);
    memcpy(head->weights, theta, F * sizeof *theta);
    head->intercept = theta[F];
    for (size_t k = 0; k < D; k++)
        if (!isfinite(theta[k])) return tcsi_fail(err, TCS_E_INVALID, "what answers teach is no number");
    head->is_set = true;
    memcpy(head->counts, set->counts, sizeof head->counts);
    memcpy(head->labels, set->hash, sizeof head->labels);
    for (size_t i = 0; i < set->count; i++) head->learned[i] = set->items[i].episode; /* they are in order */
    return learn_chance(p, held_out, head, err);
}

tcs_status tcsi_deep_head_fit(const tcsi_deep_labelled *set, const double *features, const double *references, size_t reference_count,
                              tcsi_deep_head *ret_head, double *ret_held_out, tcs_error *err)
{
    tcsi_deep_head head = { .is_set = false };
    if (reference_count < 2 || !tcsi_deep_head_is_due(set))
        return tcsi_fail(err, TCS_E_INVALID, "%zu true and %zu other labels of too few series; expected %d of each, of %d series",
                         set->counts[1], set->counts[0], TCSI_DEEP_LABELS_MIN, TCSI_DEEP_LABELLED_SERIES_MIN);
    double *room = TCSI_NEW_ARRAY(double, set->count * (F + 2));
    size_t *folds = TCSI_NEW_ARRAY(size_t, set->count);
    head.learned = TCSI_NEW_ARRAY(uint64_t, set->count);
    problem p = { .x = room, .set = set, .folds = folds };
    tcs_status status = room && folds && head.learned && find_folds(set, folds) ? TCS_OK : tcsi_fail_memory(err, "answers");
    if (status == TCS_OK) {
        double *held_out = ret_held_out ? ret_held_out : room + set->count * (F + 1);
        p.weights = room + set->count * F;
        find_scale(references, reference_count, &head);
        for (size_t i = 0; i < set->count; i++) standardize(&head, features + i * F, p.x + i * F);
        weigh(set, p.weights);
        status = learn(&p, &head, held_out, err);
    }
    tcsi_free(folds);
    tcsi_free(room);
    if (status == TCS_OK) *ret_head = head;
    else tcsi_deep_head_deinit(&head);
    return status;
}

tcs_status tcsi_deep_head_copy(const tcsi_deep_head *head, tcsi_deep_head *ret_copy, tcs_error *err)
{
    const size_t count = head->counts[0] + head->counts[1];
    tcsi_deep_head copy = *head;
    copy.chance = (tcsi_calibrator){ .prior = 0 };
    copy.learned = head->is_set ? TCSI_NEW_ARRAY(uint64_t, count) : NULL;
    if (head->is_set && !copy.learned) return tcsi_fail_memory(err, "answers");
    if (head->is_set) memcpy(copy.learned, head->learned, count * sizeof *copy.learned);
    const tcs_status status = head->has_chance ? tcsi_calibrator_copy(&head->chance, &copy.chance, err) : TCS_OK;
    if (status == TCS_OK) *ret_copy = copy;
    else tcsi_free(copy.learned);
    return status;
}

void tcsi_deep_head_deinit(tcsi_deep_head *head)
{
    tcsi_free(head->learned);
    if (head->has_chance) tcsi_calibrator_deinit(&head->chance);
    *head = (tcsi_deep_head){ .is_set = false };
}

/* ---- asked ---- */

double tcsi_deep_head_log_odds(const tcsi_deep_head *head, const double features[TCSI_DEEP_FEATURES])
{
    double x[F], sum = head->intercept;
    standardize(head, features, x);
    for (size_t k = 0; k < F; k++) sum += head->weights[k] * x[k];
    return sum;
}

double tcsi_deep_head_chance(const tcsi_deep_head *head, double log_odds)
{
    return head->has_chance ? tcsi_calibrator_probability(&head->chance, log_odds) : NAN;
}

static int by_episode(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

bool tcsi_deep_head_has_learned(const tcsi_deep_head *head, uint64_t episode)
{
    if (!head->is_set) return false;
    return bsearch(&episode, head->learned, head->counts[0] + head->counts[1], sizeof episode, by_episode) != NULL;
}

/* ---- saved form ---- */

static bool is_sound(const tcsi_deep_head *head)
{
    for (size_t k = 0; k < F; k++)
        if (!isfinite(head->means[k]) || !(head->scales[k] > 0 && isfinite(head->scales[k])) || !isfinite(head->weights[k])) return false;
    return isfinite(head->intercept);
}

void tcsi_deep_head_persist(tcsi_deep_head *head, tcsi_codec *codec)
{
    tcsi_codec_tag(codec, "HEAD");
    tcsi_codec_bool(codec, &head->is_set);
    if (tcsi_codec_status(codec) != TCS_OK || !head->is_set) return;
    tcsi_codec_f64s(codec, head->means, F);
    tcsi_codec_f64s(codec, head->scales, F);
    tcsi_codec_f64s(codec, head->weights, F);
    tcsi_codec_f64(codec, &head->intercept);
    for (size_t i = 0; i < 2; i++) tcsi_codec_size(codec, &head->counts[i], TCSI_DEEP_LABELS_MAX);
    tcsi_codec_text(codec, head->labels, sizeof head->labels);
    if (tcsi_codec_status(codec) != TCS_OK) return;
    const size_t count = head->counts[0] + head->counts[1];
    if (tcsi_codec_loading(codec)) {
        if (!is_sound(head) || count > TCSI_DEEP_LABELS_MAX) tcsi_codec_refuse(codec, "what answers taught out of range");
        else if (!(head->learned = TCSI_NEW_ARRAY(uint64_t, count + 1))) tcsi_codec_refuse(codec, "no memory for what answers taught");
    }
    for (size_t i = 0; tcsi_codec_status(codec) == TCS_OK && i < count; i++) tcsi_codec_u64(codec, &head->learned[i]);
    bool has_chance = head->has_chance;
    tcsi_codec_bool(codec, &has_chance);
    if (tcsi_codec_status(codec) != TCS_OK || !has_chance) return;
    head->has_chance = true;
    tcsi_calibrator_persist(&head->chance, codec);
}
