/* detect/tabular/pca.c -- distance from the centre, measured along the principal components in their own deviations.
 *
 * Source: M.-L. Shyu, S.-C. Chen, K. Sarinnapakorn, L. Chang, "A novel anomaly detection scheme based on principal component
 * classifier", ICDM Foundations and New Directions of Data Mining Workshop 2003, equation (3): the sum of y_i^2 / lambda_i
 * over components i, with y_i the row's component score and lambda_i the component's variance.  Over all components it is
 * the squared Mahalanobis distance; with n_selected_components = q the q smallest are summed, which see broken
 * relations between channels and little else.
 *
 * PyOD's PCA sums Euclidean distances between rows and unit eigenvectors instead, which changes with the eigenvectors'
 * arbitrary signs; this one does not.  Rows are standardized.  Components with less than 1e-6 of a channel's variance
 * are measured as if they had that much: an exact relation that breaks counts, without dividing by zero.
 * Parts: by how much the sum would fall if the channel had the value that suits the others best, (M x)_c^2 / M_cc with M the
 * matrix of that sum; C. F. Alcala, S. J. Qin, "Reconstruction-based contribution for process monitoring", Automatica 45(7),
 * 2009.  One faulty channel's part is the largest; parts do not add up to the score, for channels that are related
 * can each explain the same.
 * Finds: rows that break linear relations, or are far out.  Misses: curved relations, rows between groups.
 * Cost: O(C^2) a row, O(C^3) to learn; more than 1024 channels are refused.  Memory: C^2 values.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "detect/detector.h"
#include "detect/tabular/table.h"
#include "kernels/linalg.h"

#include <math.h>

enum { CHANNEL_COUNT_MAX = 1024, BLOCK = 256 /* rows a task */ };
static const double variance_min = 1e-6; /* of a standardized channel's */

typedef struct options {
    size_t n_selected_components; /* 0: all */
} options;

typedef struct model {
    tcsi_scaler scaler;
    double *means;     /* (C) of the standardized channels: 0 but for missing values */
    double *variances; /* (C) falling */
    double *vectors;   /* (C,C): row k is component k */
} model;

/* What contribute_span needs of the frame that was scored last. */
typedef struct scored {
    tcsi_table table;
    model own;       /* without vectors: that of the fit */
    double *scratch; /* (2,C); NULL: nothing was scored */
} scored;

typedef struct pca {
    tcsi_detector base;
    options options;
    model fitted;
    scored last;
} pca;

static void model_deinit(model *m)
{
    tcsi_scaler_deinit(&m->scaler);
    tcsi_free(m->means);
    tcsi_free(m->variances);
    tcsi_free(m->vectors);
    *m = (model){ 0 };
}

static void forget(pca *self)
{
    tcsi_table_deinit(&self->last.table);
    model_deinit(&self->last.own);
    tcsi_free(self->last.scratch);
    self->last = (scored){ 0 };
}

static tcs_status init(tcsi_detector *base, tcs_error *err)
{
    if (base->channel_count <= CHANNEL_COUNT_MAX) return TCS_OK;
    return tcsi_fail(err, TCS_E_LIMIT, "pca: %zu channels; at most %d are supported", base->channel_count, CHANNEL_COUNT_MAX);
}

static void deinit(tcsi_detector *base)
{
    forget((pca *)base);
    model_deinit(&((pca *)base)->fitted);
}

/* ---- learning ---- */

/* Variances are of the sample (divided by R - 1), as scikit-learn's. */
static tcs_status find_components(const tcsi_table *table, model *m, tcs_error *err)
{
    size_t channels = table->channel_count, cells = channels * channels; /* at most 2^20 */
    double *covariance = TCSI_NEW_ARRAY(double, cells);
    m->means = TCSI_NEW_ZEROS(double, channels);
    m->variances = TCSI_NEW_ZEROS(double, channels);
    m->vectors = TCSI_NEW_ZEROS(double, cells);
    tcs_status status = covariance && m->means && m->variances && m->vectors ? TCS_OK : tcsi_fail_memory(err, "components");
    if (status == TCS_OK) status = tcsi_covariance(table->values, table->row_count, channels, m->means, covariance, err);
    if (status == TCS_OK) {
        double rows = (double)table->row_count, factor = table->row_count > 1 ? rows / (rows - 1) : 1;
        for (size_t i = 0; i < cells; i++) covariance[i] *= factor;
        status = tcsi_eigen_symmetric(covariance, channels, m->variances, m->vectors, err);
    }
    tcsi_free(covariance);
    return status;
}

static tcs_status learn(const tcsi_frame *frame, model *ret_model, tcsi_table *ret_table, tcs_error *err)
{
    model m = { 0 };
    tcsi_table table;
    tcs_status status = tcsi_table_learn(frame, TCSI_SCALING_STANDARD, TCSI_SCALER_KEPT, TCSI_TABLE_BY_ROW, &m.scaler, &table, err);
    if (status != TCS_OK) return status;
    if (table.row_count > 0) status = find_components(&table, &m, err);
    if (status != TCS_OK) {
        tcsi_table_deinit(&table);
        model_deinit(&m);
        return status;
    }
    *ret_model = m;
    *ret_table = table;
    return TCS_OK;
}

static tcs_status fit(tcsi_detector *base, const tcsi_frame *train, tcs_error *err)
{
    pca *self = (pca *)base;
    model m;
    tcsi_table table;
    tcs_status status = learn(train, &m, &table, err);
    if (status != TCS_OK) return status;
    tcsi_table_deinit(&table);
    if (!m.vectors) {
        model_deinit(&m);
        return tcsi_fail(err, TCS_E_INVALID, "pca: no training row has a usable value");
    }
    forget(self);
    model_deinit(&self->fitted);
    self->fitted = m;
    return TCS_OK;
}

/* ---- scoring ---- */

static size_t first_component(const pca *self)
{
    size_t selected = self->options.n_selected_components, channels = self->base.channel_count;
    return selected == 0 || selected > channels ? 0 : channels - selected;
}

static double weight_of(const model *m, size_t component)
{
    return 1 / fmax(m->variances[component], variance_min);
}

typedef struct scorer {
    const model *m;
    const tcsi_table *table;
    size_t first; /* component */
    double *values;
} scorer;

static double score_row(const model *m, const double *row, size_t channels, size_t first)
{
    double sum = 0;
    for (size_t k = first; k < channels; k++) {
        const double *vector = m->vectors + k * channels;
        double along = 0;
        for (size_t c = 0; c < channels; c++) along += vector[c] * (row[c] - m->means[c]);
        sum += along * along * weight_of(m, k);
    }
    return sum;
}

static void score_block(void *context, size_t index, size_t worker)
{
    const scorer *from = context;
    (void)worker;
    size_t begin = index * BLOCK, rows = from->table->row_count, end = rows - begin < BLOCK ? rows : begin + BLOCK;
    size_t channels = from->table->channel_count;
    for (size_t i = begin; i < end; i++) from->values[i] = score_row(from->m, from->table->values + i * channels, channels, from->first);
}

static tcs_status score_table(const pca *self, const model *m, const tcsi_table *table, size_t row_count, tcs_score *ret_scores,
                              tcs_error *err)
{
    double *values = TCSI_NEW_ZEROS(double, table->row_count);
    if (!values) return tcsi_fail_memory(err, "scores");
    scorer from = { .m = m, .table = table, .values = values, .first = first_component(self) };
    tcsi_pool_run(self->base.pool, (table->row_count + BLOCK - 1) / BLOCK, score_block, &from);
    tcsi_table_spread(table, values, row_count, ret_scores);
    tcsi_free(values);
    return TCS_OK;
}

static tcs_status score(tcsi_detector *base, const tcsi_frame *frame, tcs_score *ret_scores, tcs_error *err)
{
    pca *self = (pca *)base;
    scored last = { 0 };
    forget(self);
    tcs_status status = base->is_fitted ? tcsi_table_create(frame, &self->fitted.scaler, TCSI_TABLE_BY_ROW, &last.table, err)
                                        : learn(frame, &last.own, &last.table, err);
    if (status != TCS_OK) return status;
    self->last = last;
    status = score_table(self, base->is_fitted ? &self->fitted : &self->last.own, &self->last.table, frame->row_count, ret_scores, err);
    if (status == TCS_OK) self->last.scratch = TCSI_NEW_ARRAY(double, 2 * base->channel_count);
    if (status == TCS_OK && !self->last.scratch) status = tcsi_fail_memory(err, "the channels' parts");
    if (status != TCS_OK) forget(self);
    return status;
}

/* scratch, (2,C): M x, and the diagonal of M. */
static void share_row(const model *m, const double *row, size_t channels, size_t first, double *scratch, double *parts)
{
    double *pulls = scratch, *diagonal = scratch + channels;
    for (size_t c = 0; c < channels; c++) pulls[c] = diagonal[c] = 0;
    for (size_t k = first; k < channels; k++) {
        const double *vector = m->vectors + k * channels;
        double along = 0, weight = weight_of(m, k);
        for (size_t c = 0; c < channels; c++) along += vector[c] * (row[c] - m->means[c]);
        for (size_t c = 0; c < channels; c++) {
            pulls[c] += vector[c] * along * weight;
            diagonal[c] += vector[c] * vector[c] * weight;
        }
    }
    for (size_t c = 0; c < channels; c++) parts[c] += diagonal[c] > 0 ? pulls[c] / diagonal[c] * pulls[c] : 0;
}

static void contribute_span(const tcsi_detector *base, size_t row_begin, size_t row_end, double *ret_parts)
{
    const pca *self = (const pca *)base;
    const scored *last = &self->last;
    const model *m = last->own.vectors ? &last->own : &self->fitted;
    size_t channels = base->channel_count;
    for (size_t c = 0; c < channels; c++) ret_parts[c] = 0;
    for (size_t t = row_begin; t < row_end && last->scratch; t++) {
        size_t i = tcsi_table_find(&last->table, t);
        if (i != SIZE_MAX) share_row(m, last->table.values + i * channels, channels, first_component(self), last->scratch, ret_parts);
    }
}

/* ---- saved form and size ---- */

static void persist(tcsi_detector *base, tcsi_codec *codec)
{
    model *m = &((pca *)base)->fitted;
    size_t channels = base->channel_count;
    tcsi_codec_tag(codec, "PCA ");
    if (!base->is_fitted) return;
    tcsi_scaler_persist(&m->scaler, channels, codec);
    tcsi_persist_f64s(codec, &m->means, channels);
    tcsi_persist_f64s(codec, &m->variances, channels);
    tcsi_persist_f64s(codec, &m->vectors, channels * channels);
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    bool ok = true;
    for (size_t c = 0; c < channels; c++) ok = ok && fabs(m->means[c]) <= TCSI_TABLE_SCALED_MAX && fabs(m->variances[c]) <= 1e20;
    for (size_t i = 0; i < channels * channels; i++) ok = ok && fabs(m->vectors[i]) <= 1.0000001;
    if (!ok) tcsi_codec_refuse(codec, "a component out of range");
}

static size_t size_max(const tcsi_detector *base, size_t row_count)
{
    size_t channels = base->channel_count, square = channels * channels * sizeof(double);
    size_t held = sizeof(pca) + square + tcsi_table_size_max(0, channels) + 4 * channels * sizeof(double);
    if (row_count == 0) return held;
    /* Learning: covariance, components, and the eigenvalue solver's working copy; then what parts are computed in. */
    size_t scoring = tcsi_size_sum(tcsi_table_size_max(row_count, channels), 4 * square + 18 * channels * sizeof(double));
    return tcsi_size_sum(held, tcsi_size_sum(scoring, tcsi_size_product(row_count, sizeof(double))));
}

static const tcsi_parameter parameters[] = {
    { "n_selected_components", TCSI_PARAMETER_COUNT, offsetof(options, n_selected_components), 0, 0, CHANNEL_COUNT_MAX,
      "smallest components to sum; 0 or more than there are: all" },
};

static const tcsi_detector_ops ops = {
    .init = init, .deinit = deinit, .fit = fit, .score = score, .contribute_span = contribute_span, .persist = persist,
    .size_max = size_max,
};

const tcsi_detector_info tcsi_detector_pca = {
    .name = "pca",
    .title = "principal component classifier",
    .paper = "M.-L. Shyu, S.-C. Chen, K. Sarinnapakorn, L. Chang: A novel anomaly detection scheme based on principal component "
             "classifier. "
             "ICDM Workshop 2003, equation (3)",
    .summary = "Sums squared principal component scores over their variances: the Mahalanobis distance, or its part along the smallest "
               "components. Finds rows that break linear relations between channels; misses curved ones and rows between groups.",
    .traits = TCSI_TRAIT_OFFLINE | TCSI_TRAIT_TABULAR | TCSI_TRAIT_MULTIVARIATE,
    .instance_size = sizeof(pca),
    .options_offset = offsetof(pca, options),
    .parameters = parameters,
    .parameter_count = TCS_COUNT(parameters),
    .ops = &ops,
};
