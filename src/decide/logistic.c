/* SPDX-License-Identifier: Apache-2.0 */
#include "decide/logistic.h"

#include "base/alloc.h"
#include "series/stats.h"

#include <math.h>
#include <string.h>

enum { D = TCSI_LOGISTIC_FEATURE_MAX + 1, STEP_COUNT_MAX = 100 };
static const double RIDGE = 1e-12;

typedef struct problem {
    const double *features; /* (feature_count,count) standardised, then a constant by itself */
    const double *weights;
    const uint8_t *labels;
    size_t feature_count, count;
    double target[2];       /* of normal and of anomalous rows */
    bool fixed[D];          /* coefficients that stay 0; the intercept is the last */
} problem;

static double feature_at(const problem *p, size_t k, size_t i)
{
    return k < p->feature_count ? p->features[k * p->count + i] : 1;
}

static double logit_at(const problem *p, const double *theta, size_t i)
{
    double z = theta[p->feature_count];
    for (size_t k = 0; k < p->feature_count; k++) z += theta[k] * p->features[k * p->count + i];
    return z;
}

/* sum of w (ln(1 + e^z) - t z), each term without overflow and without cancellation. */
static double loss_at(const problem *p, const double *theta)
{
    double loss = 0;
    for (size_t i = 0; i < p->count; i++) {
        const double z = logit_at(p, theta, i), t = p->target[p->labels[i] != 0], weight = p->weights ? p->weights[i] : 1;
        loss += weight * (z > 0 ? (1 - t) * z + log1p(exp(-z)) : log1p(exp(z)) - t * z);
    }
    return loss;
}

static void derive(const problem *p, const double *theta, double gradient[D], double hessian[D][D])
{
    const size_t d = p->feature_count + 1;
    memset(gradient, 0, D * sizeof *gradient);
    memset(hessian, 0, D * sizeof *hessian);
    for (size_t i = 0; i < p->count; i++) {
        const double share = 1 / (1 + exp(-logit_at(p, theta, i))), weight = p->weights ? p->weights[i] : 1;
        const double slope = weight * (share - p->target[p->labels[i] != 0]), bend = weight * share * (1 - share);
        for (size_t k = 0; k < d; k++) {
            gradient[k] += slope * feature_at(p, k, i);
            for (size_t l = 0; l <= k; l++) hessian[k][l] += bend * feature_at(p, k, i) * feature_at(p, l, i);
        }
    }
    for (size_t k = 0; k < d; k++) {
        for (size_t l = 0; l < k; l++) hessian[l][k] = hessian[k][l] = p->fixed[k] || p->fixed[l] ? 0 : hessian[k][l];
        hessian[k][k] = p->fixed[k] ? 1 : hessian[k][k] + RIDGE;
        if (p->fixed[k]) gradient[k] = 0;
    }
}

/* hessian is positive definite: elimination needs no exchange of rows.  direction = -hessian^-1 gradient. */
static void solve(double hessian[D][D], const double gradient[D], size_t d, double direction[D])
{
    for (size_t k = 0; k < d; k++) direction[k] = -gradient[k];
    for (size_t k = 0; k < d; k++)
        for (size_t row = k + 1; row < d; row++) {
            const double factor = hessian[row][k] / hessian[k][k];
            for (size_t l = k; l < d; l++) hessian[row][l] -= factor * hessian[k][l];
            direction[row] -= factor * direction[k];
        }
    for (size_t k = d; k-- > 0;) {
        for (size_t l = k + 1; l < d; l++) direction[k] -= hessian[k][l] * direction[l];
        direction[k] /= hessian[k][k];
    }
}

static void minimise(const problem *p, double theta[D])
{
    const size_t d = p->feature_count + 1;
    double loss = loss_at(p, theta), gradient[D], hessian[D][D], direction[D], moved[D];
    for (size_t step = 0; step < STEP_COUNT_MAX; step++) {
        double descent = 0, size = 1, moved_loss = loss;
        derive(p, theta, gradient, hessian);
        solve(hessian, gradient, d, direction);
        for (size_t k = 0; k < d; k++) descent += gradient[k] * direction[k];
        if (!(descent < -1e-20 * (1 + loss))) return;
        for (; size > 1e-10; size /= 2) {
            for (size_t k = 0; k < d; k++) moved[k] = theta[k] + size * direction[k];
            moved_loss = loss_at(p, moved);
            if (moved_loss <= loss + 1e-4 * size * descent) break;
        }
        if (!(moved_loss < loss)) return;
        memcpy(theta, moved, d * sizeof *theta);
        loss = moved_loss;
    }
}

/* Fits, and again without the most negative slope, until none is. */
static void fit_rising(problem *p, double theta[D])
{
    for (size_t round = 0; round <= p->feature_count; round++) {
        size_t worst = p->feature_count;
        memset(theta, 0, D * sizeof *theta);
        minimise(p, theta);
        for (size_t k = 0; k < p->feature_count; k++)
            if (theta[k] < 0 && (worst == p->feature_count || theta[k] < theta[worst])) worst = k;
        if (worst == p->feature_count) return;
        p->fixed[worst] = true;
    }
}

static void set_targets(problem *p)
{
    double sums[2] = { 0, 0 };
    for (size_t i = 0; i < p->count; i++) sums[p->labels[i] != 0] += p->weights ? p->weights[i] : 1;
    p->target[0] = 1 / (sums[0] + 2);
    p->target[1] = (sums[1] + 1) / (sums[1] + 2);
}

tcs_status tcsi_logistic_fit(const double *features, size_t feature_count, const uint8_t *labels, const double *weights, size_t count,
                             tcsi_logistic *ret_logistic, tcs_error *err)
{
    TCS_ASSERT(feature_count <= TCSI_LOGISTIC_FEATURE_MAX);
    size_t room;
    double *scaled = tcsi_multiply(feature_count, count, &room) ? TCSI_NEW_ARRAY(double, room) : NULL;
    double centers[D] = { 0 }, scales[D] = { 0 }, theta[D];
    if (!scaled) return tcsi_fail_memory(err, "logistic regression");
    problem p = { .features = scaled, .weights = weights, .labels = labels, .feature_count = feature_count, .count = count };
    for (size_t k = 0; k < feature_count; k++) {
        const tcsi_moments moments = tcsi_moments_of(features + k * count, count);
        const double deviation = count > 0 ? sqrt(moments.variance) : 0;
        centers[k] = count > 0 ? moments.mean : 0;
        p.fixed[k] = !(deviation > 1e-12 * fabs(centers[k])); /* a constant tells nothing */
        scales[k] = p.fixed[k] ? 1 : deviation;
        for (size_t i = 0; i < count; i++) scaled[k * count + i] = (features[k * count + i] - centers[k]) / scales[k];
    }
    set_targets(&p);
    fit_rising(&p, theta);
    tcsi_logistic out = { .intercept = theta[feature_count] };
    for (size_t k = 0; k < feature_count; k++) {
        out.slopes[k] = fmax(0, theta[k] / scales[k]);
        out.intercept -= out.slopes[k] * centers[k];
    }
    *ret_logistic = out;
    tcsi_free(scaled);
    return TCS_OK;
}

double tcsi_logistic_at(const tcsi_logistic *logistic, const double *features, size_t feature_count)
{
    double z = logistic->intercept;
    for (size_t k = 0; k < feature_count; k++)
        if (logistic->slopes[k] > 0) z += logistic->slopes[k] * features[k];
    return 1 / (1 + exp(-z));
}
