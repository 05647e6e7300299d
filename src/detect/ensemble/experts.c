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

enum { SHORT, PERIOD, LONG, LOOK, EXPERTS = TCSI_EXPERT_COUNT };
enum { COVER = 2 };

static const double PART_CLIP = 0.995, EXPERT_CLIP = 0.98; /* quantiles */
static const double ZNORM_WEIGHT = 0.5, PREFIX_WEIGHT = 0.5; /* of the plainer score */

/* What each expert adds up. */
static const struct {
    int expert;
    tcsi_expert_part part;
    double weight;
} terms[] = {
    { SHORT, TCSI_PART_CENTRED_SHORT, 1 },
    { SHORT, TCSI_PART_RAW_SHORT, 1 },
    { SHORT, TCSI_PART_RESIDUAL_SHORT, 1 },
    { SHORT, TCSI_PART_ENERGY_SHORT, 0.25 },
    { PERIOD, TCSI_PART_CENTRED, 1 },
    { PERIOD, TCSI_PART_RAW, 1 },
    { PERIOD, TCSI_PART_ZNORM, 0.5 },
    { PERIOD, TCSI_PART_RESIDUAL, 1 },
    { LONG, TCSI_PART_CENTRED_LONG, 1 },
    { LONG, TCSI_PART_RAW_LONG, 1 },
    { LONG, TCSI_PART_ZNORM_LONG, 0.5 },
    { LONG, TCSI_PART_CENTRED, 0.5 },
    { LOOK, TCSI_PART_LOOK, 1 },
};
static const double expert_weights[EXPERTS] = { 1, 1, 1, 0.75 };

typedef struct workspace {
    size_t n;
    const tcsi_experts_options *options;
    double *z, *residual;                   /* (T) standardized values; what the autoregression did not foresee */
    double *first, *second, *sum, *scratch; /* (T) */
    double *memory;
} workspace;

static tcs_status workspace_init(workspace *w, size_t row_count, const tcsi_experts_options *options, tcs_error *err)
{
    double **vectors[] = { &w->z, &w->residual, &w->first, &w->second, &w->sum, &w->scratch };
    size_t total;
    *w = (workspace){ .n = row_count, .options = options };
    if (tcsi_multiply(row_count, TCS_COUNT(vectors), &total)) w->memory = TCSI_NEW_ZEROS(double, total);
    if (!w->memory) return tcsi_fail_memory(err, "scores");
    for (size_t i = 0; i < TCS_COUNT(vectors); i++) *vectors[i] = w->memory + i * row_count;
    return TCS_OK;
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

/* Standardized copy in w->z; false: constant. */
static bool standardize_input(workspace *w, const double *x)
{
    double mean = tcsi_mean(x, w->n), spread = tcsi_deviation(x, w->n);
    if (w->n < 4 || !(spread > 1e-12 * fabs(mean)) || !(spread > 1e-150)) return false;
    for (size_t t = 0; t < w->n; t++) w->z[t] = (x[t] - mean) / spread;
    return true;
}

/* ---- parts ---- */

/* Joins at one window; znorm NULL: without. */
static tcs_status join(const workspace *w, size_t window, size_t segment_count, double *centred, double *raw, double *znorm, tcs_error *err)
{
    tcsi_join_options options = { .window = window > 4 ? window : 4, .segment_count = segment_count, .cover = COVER,
                                  .pool = w->options->pool };
    tcs_status status = tcsi_join_segments(w->z, w->n, &options, centred, raw, err);
    return status == TCS_OK && znorm ? tcsi_join_segments_znorm(w->z, w->n, &options, znorm, err) : status;
}

static tcs_status find_parts(workspace *w, double *const parts[TCSI_EXPERT_PART_COUNT], tcs_error *err)
{
    const size_t period = w->options->period, segments = w->options->segment_count;
    const size_t narrow = period / 4 > 3 ? period / 4 : 3, wide = 2 * period > 6 ? 2 * period : 6;
    tcs_status status = fit_residual(w, err);
    if (status == TCS_OK)
        status = join(w, period / 4, segments / 2, parts[TCSI_PART_CENTRED_SHORT], parts[TCSI_PART_RAW_SHORT], NULL, err);
    if (status == TCS_OK)
        status = join(w, period, segments, parts[TCSI_PART_CENTRED], parts[TCSI_PART_RAW], parts[TCSI_PART_ZNORM], err);
    if (status == TCS_OK)
        status = join(w, 2 * period, segments, parts[TCSI_PART_CENTRED_LONG], parts[TCSI_PART_RAW_LONG], parts[TCSI_PART_ZNORM_LONG], err);
    if (status == TCS_OK) status = tcsi_look_score(w->z, w->n, wide, parts[TCSI_PART_LOOK], err);
    tcsi_moving_rms(w->residual, w->n, narrow, parts[TCSI_PART_RESIDUAL_SHORT]);
    tcsi_moving_rms(w->z, w->n, narrow, parts[TCSI_PART_ENERGY_SHORT]);
    tcsi_moving_rms(w->residual, w->n, period, parts[TCSI_PART_RESIDUAL]);
    return status;
}

tcs_status tcsi_experts_parts(const double *x, size_t row_count, const tcsi_experts_options *options, double *ret_parts, tcs_error *err)
{
    workspace w;
    double *parts[TCSI_EXPERT_PART_COUNT];
    tcs_status status = workspace_init(&w, row_count, options, err);
    if (status != TCS_OK) return status;
    memset(ret_parts, 0, row_count * TCSI_EXPERT_PART_COUNT * sizeof *ret_parts);
    for (size_t k = 0; k < TCSI_EXPERT_PART_COUNT; k++) parts[k] = ret_parts + k * row_count;
    if (standardize_input(&w, x)) status = find_parts(&w, parts, err);
    tcsi_free(w.memory);
    return status;
}

/* ---- fusion ---- */

/* Adds weight times values, standardized by mean and deviation of the values clipped from above at a quantile. */
static void add_clipped(const double *values, size_t n, double level, double weight, double *sum, double *scratch)
{
    double spread_all = tcsi_deviation(values, n), limit = tcsi_quantile(values, n, level, scratch);
    for (size_t t = 0; t < n; t++) scratch[t] = values[t] < limit ? values[t] : limit;
    double mean = tcsi_mean(scratch, n), spread = tcsi_deviation(scratch, n) + 0.05 * spread_all;
    if (!(spread > 1e-9 * (1 + fabs(mean)))) return; /* nothing but rounding */
    for (size_t t = 0; t < n; t++) sum[t] += weight * (values[t] - mean) / (spread + 1e-12);
}

/* An expert is the sum of its parts smoothed over its scale, standardized once more. */
static void find_expert(const workspace *w, const double *parts, int expert, double *ret_expert)
{
    const size_t n = w->n, period = w->options->period, width = expert == SHORT ? period / 4 : expert == PERIOD ? period : 2 * period;
    memset(w->sum, 0, n * sizeof *w->sum);
    memset(ret_expert, 0, n * sizeof *ret_expert);
    for (size_t i = 0; i < TCS_COUNT(terms); i++)
        if (terms[i].expert == expert) add_clipped(parts + terms[i].part * n, n, PART_CLIP, terms[i].weight, w->sum, w->scratch);
    tcsi_moving_mean(w->sum, n, width > 1 ? width : 1, w->first);
    add_clipped(w->first, n, EXPERT_CLIP, expert_weights[expert], ret_expert, w->scratch);
}

/* log(sum of exp), from the highest so that nothing overflows. */
static void soft_maximum(const double *experts, size_t n, double *ret_scores)
{
    for (size_t t = 0; t < n; t++) {
        double highest = experts[t], sum = 0;
        for (size_t k = 1; k < EXPERTS; k++) highest = fmax(highest, experts[k * n + t]);
        for (size_t k = 0; k < EXPERTS; k++) sum += exp(experts[k * n + t] - highest);
        ret_scores[t] = highest + log(sum);
    }
}

tcs_status tcsi_experts_fuse(const double *parts, size_t row_count, const tcsi_experts_options *options, double *ret_scores,
                             double *ret_experts, tcs_error *err)
{
    workspace w;
    double *own = NULL, *experts = ret_experts;
    size_t total;
    tcs_status status = workspace_init(&w, row_count, options, err);
    if (status != TCS_OK) return status;
    if (!experts && tcsi_multiply(row_count, EXPERTS, &total)) experts = own = TCSI_NEW_ARRAY(double, total);
    if (!experts) status = tcsi_fail_memory(err, "scores");
    for (int k = 0; k < EXPERTS && experts; k++) find_expert(&w, parts, k, experts + (size_t)k * row_count);
    if (experts) soft_maximum(experts, row_count, ret_scores);
    tcsi_free(own);
    tcsi_free(w.memory);
    return status;
}

tcs_status tcsi_experts_score(const double *x, size_t row_count, const tcsi_experts_options *options, double *ret_scores,
                              double *ret_experts, tcs_error *err)
{
    size_t total;
    double *parts = tcsi_multiply(row_count, TCSI_EXPERT_PART_COUNT, &total) ? TCSI_NEW_ARRAY(double, total) : NULL;
    if (!parts) return tcsi_fail_memory(err, "parts of a score");
    tcs_status status = tcsi_experts_parts(x, row_count, options, parts, err);
    if (status == TCS_OK) status = tcsi_experts_fuse(parts, row_count, options, ret_scores, ret_experts, err);
    tcsi_free(parts);
    return status;
}

/* ---- several channels: the plainer score ---- */

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
