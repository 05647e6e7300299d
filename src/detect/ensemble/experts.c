/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/ensemble/experts.h"

#include "base/alloc.h"
#include "detect/window/ar.h"
#include "detect/window/joins.h"
#include "detect/ensemble/look.h"
#include "series/moving.h"
#include "series/stats.h"

#include <math.h>
#include <string.h>

enum { SHORT, PERIOD, LONG, LOOK, EXPERTS };
enum { COVER = 2 };

static const double PART_CLIP = 0.995, EXPERT_CLIP = 0.98; /* quantiles */
static const double LOOK_WEIGHT = 0.75, ZNORM_WEIGHT = 0.5, CENTRED_IN_LONG = 0.5, ENERGY_WEIGHT = 0.25, PREFIX_WEIGHT = 0.5;

typedef struct workspace {
    size_t n;
    const tcsi_experts_options *options;
    double *z, *residual;                   /* (T) standardized values; what the autoregression did not foresee */
    double *first, *second, *sum, *scratch; /* (T) */
    double *centred;                        /* (T) standardized centred join at L, kept for the long expert */
    double *memory;
} workspace;

static tcs_status workspace_init(workspace *w, size_t row_count, const tcsi_experts_options *options, tcs_error *err)
{
    double **vectors[] = { &w->z, &w->residual, &w->first, &w->second, &w->sum, &w->scratch, &w->centred };
    size_t total;
    *w = (workspace){ .n = row_count, .options = options };
    if (tcsi_multiply(row_count, TCS_COUNT(vectors), &total)) w->memory = TCSI_NEW_ZEROS(double, total);
    if (!w->memory) return tcsi_fail_memory(err, "scores");
    for (size_t i = 0; i < TCS_COUNT(vectors); i++) *vectors[i] = w->memory + i * row_count;
    return TCS_OK;
}

/* Adds weight times values, standardized by mean and deviation of the values clipped from above at a quantile. */
static void add_clipped(const double *values, size_t n, double level, double weight, double *sum, double *scratch)
{
    double spread_all = tcsi_deviation(values, n), limit = tcsi_quantile(values, n, level, scratch);
    for (size_t t = 0; t < n; t++) scratch[t] = values[t] < limit ? values[t] : limit;
    double mean = tcsi_mean(scratch, n), spread = tcsi_deviation(scratch, n) + 0.05 * spread_all;
    if (!(spread > 1e-9 * (1 + fabs(mean)))) return; /* nothing but rounding */
    for (size_t t = 0; t < n; t++) sum[t] += weight * (values[t] - mean) / (spread + 1e-12);
}

static void add_part(workspace *w, const double *values, double weight)
{
    add_clipped(values, w->n, PART_CLIP, weight, w->sum, w->scratch);
}

void tcsi_standardize(double *values, size_t count)
{
    double mean = tcsi_mean(values, count), spread = tcsi_deviation(values, count);
    for (size_t t = 0; t < count; t++) values[t] = (values[t] - mean) / (spread + 1e-9);
}

/* The expert is its sum smoothed over width rows, standardized once more. */
static void finish_expert(workspace *w, size_t width, double weight, double *ret_expert)
{
    tcsi_moving_mean(w->sum, w->n, width > 1 ? width : 1, w->first);
    memset(ret_expert, 0, w->n * sizeof *ret_expert);
    add_clipped(w->first, w->n, EXPERT_CLIP, weight, ret_expert, w->scratch);
    memset(w->sum, 0, w->n * sizeof *w->sum);
}

static tcs_status fit_residual(workspace *w, tcs_error *err)
{
    tcsi_ar_options options = { .period = w->options->period, .train_row_count = w->options->train_row_count };
    tcsi_ar_model *model = TCSI_NEW(tcsi_ar_model);
    if (!model) return tcsi_fail_memory(err, "an autoregression");
    tcs_status status = tcsi_ar_fit(w->z, w->n, &options, model, err);
    if (status == TCS_OK) tcsi_ar_apply(model, w->z, w->n, w->residual);
    tcsi_free(model);
    return status;
}

/* Root mean square of values over width rows, as a part. */
static void add_energy(workspace *w, const double *values, size_t width, double weight)
{
    tcsi_moving_rms(values, w->n, width, w->first);
    add_part(w, w->first, weight);
}

static tcs_status add_joins(workspace *w, size_t window, size_t segment_count, bool with_znorm, bool keep_centred, tcs_error *err)
{
    tcsi_join_options options = { .window = window > 4 ? window : 4, .segment_count = segment_count, .cover = COVER,
                                  .pool = w->options->pool };
    tcs_status status = tcsi_join_segments(w->z, w->n, &options, w->first, w->second, err);
    if (status != TCS_OK) return status;
    add_part(w, w->first, 1);
    add_part(w, w->second, 1);
    if (keep_centred) add_clipped(w->first, w->n, PART_CLIP, 1, w->centred, w->scratch);
    if (!with_znorm) return TCS_OK;
    status = tcsi_join_segments_znorm(w->z, w->n, &options, w->first, err);
    if (status == TCS_OK) add_part(w, w->first, ZNORM_WEIGHT);
    return status;
}

static tcs_status run_experts(workspace *w, double *const experts[EXPERTS], tcs_error *err)
{
    size_t period = w->options->period, segments = w->options->segment_count, narrow = period / 4 > 3 ? period / 4 : 3;
    tcs_status status = add_joins(w, period / 4, segments / 2, false, false, err);
    if (status != TCS_OK) return status;
    add_energy(w, w->residual, narrow, 1);
    add_energy(w, w->z, narrow, ENERGY_WEIGHT);
    finish_expert(w, period / 4, 1, experts[SHORT]);

    status = add_joins(w, period, segments, true, true, err);
    if (status != TCS_OK) return status;
    add_energy(w, w->residual, period, 1);
    finish_expert(w, period, 1, experts[PERIOD]);

    status = add_joins(w, 2 * period, segments, true, false, err);
    if (status != TCS_OK) return status;
    for (size_t t = 0; t < w->n; t++) w->sum[t] += CENTRED_IN_LONG * w->centred[t];
    finish_expert(w, 2 * period, 1, experts[LONG]);

    status = tcsi_look_score(w->z, w->n, 2 * period > 6 ? 2 * period : 6, w->first, err);
    if (status != TCS_OK) return status;
    add_part(w, w->first, 1);
    finish_expert(w, 2 * period, LOOK_WEIGHT, experts[LOOK]);
    return TCS_OK;
}

/* log(sum of exp), from the highest so that nothing overflows. */
static void fuse(double *const experts[EXPERTS], size_t n, double *ret_scores)
{
    for (size_t t = 0; t < n; t++) {
        double highest = experts[0][t], sum = 0;
        for (int k = 1; k < EXPERTS; k++) highest = fmax(highest, experts[k][t]);
        for (int k = 0; k < EXPERTS; k++) sum += exp(experts[k][t] - highest);
        ret_scores[t] = highest + log(sum);
    }
}

/* Standardized copy in w->z; false: constant. */
static bool standardize_input(workspace *w, const double *x)
{
    double mean = tcsi_mean(x, w->n), spread = tcsi_deviation(x, w->n);
    if (w->n < 4 || !(spread > 1e-12 * fabs(mean)) || !(spread > 1e-150)) return false;
    for (size_t t = 0; t < w->n; t++) w->z[t] = (x[t] - mean) / spread;
    return true;
}

tcs_status tcsi_experts_score(const double *x, size_t row_count, const tcsi_experts_options *options, double *ret_scores, tcs_error *err)
{
    workspace w;
    double *memory = NULL, *experts[EXPERTS];
    size_t total;
    tcs_status status = workspace_init(&w, row_count, options, err);
    if (status != TCS_OK) return status;
    if (tcsi_multiply(row_count, EXPERTS, &total)) memory = TCSI_NEW_ZEROS(double, total);
    if (!memory) status = tcsi_fail_memory(err, "scores");
    for (size_t k = 0; k < EXPERTS && memory; k++) experts[k] = memory + k * row_count;
    if (status == TCS_OK && standardize_input(&w, x)) {
        status = fit_residual(&w, err);
        if (status == TCS_OK) status = run_experts(&w, experts, err);
    }
    if (status == TCS_OK) fuse(experts, row_count, ret_scores);
    tcsi_free(memory);
    tcsi_free(w.memory);
    return status;
}

/* Adds weight times w->first standardized plainly. */
static void add_plain(workspace *w, double *values, double weight)
{
    tcsi_standardize(values, w->n);
    for (size_t t = 0; t < w->n; t++) w->sum[t] += weight * values[t];
}

static tcs_status run_plain(workspace *w, tcs_error *err)
{
    size_t period = w->options->period;
    tcsi_join_options options = { .window = period > 4 ? period : 4, .segment_count = w->options->segment_count,
                                  .cover = COVER, .pool = w->options->pool };
    tcs_status status = fit_residual(w, err);
    if (status == TCS_OK) status = tcsi_join_segments(w->z, w->n, &options, w->first, w->second, err);
    if (status != TCS_OK) return status;
    add_plain(w, w->first, 1);
    add_plain(w, w->second, 1);
    status = tcsi_join_segments_znorm(w->z, w->n, &options, w->first, err);
    if (status == TCS_OK) {
        add_plain(w, w->first, ZNORM_WEIGHT);
        status = tcsi_join_prefix(w->z, w->n, w->options->train_row_count, &options, w->first, err);
    }
    if (status != TCS_OK) return status;
    add_plain(w, w->first, PREFIX_WEIGHT);
    tcsi_moving_rms(w->residual, w->n, period, w->first);
    add_plain(w, w->first, 1);
    return TCS_OK;
}

tcs_status tcsi_experts_plain(const double *x, size_t row_count, const tcsi_experts_options *options, double *ret_scores, tcs_error *err)
{
    workspace w;
    tcs_status status = workspace_init(&w, row_count, options, err);
    if (status != TCS_OK) return status;
    memset(ret_scores, 0, row_count * sizeof *ret_scores);
    if (standardize_input(&w, x)) {
        status = run_plain(&w, err);
        if (status == TCS_OK) tcsi_moving_mean(w.sum, row_count, options->period, ret_scores);
    }
    tcsi_free(w.memory);
    return status;
}
