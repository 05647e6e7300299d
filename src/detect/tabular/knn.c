/* detect/tabular/knn.c -- the distance to the k-th nearest row, or the mean distance to the k nearest.
 *
 * Sources: S. Ramaswamy, R. Rastogi, K. Shim, "Efficient algorithms for mining outliers from large data sets", SIGMOD
 * 2000, definition 2.1 (distance to the k-th neighbour); F. Angiulli, C. Pizzuti, "Fast outlier detection in high
 * dimensional spaces", PKDD 2002 (all k distances; here their mean).
 *
 * Without fit each row is compared with all others; after fit with the training rows, so that a training row that is
 * scored again finds itself at distance 0 (as in PyOD).  With fewer than k other rows, k is that number; with none the
 * rows are WARMUP.  Rows are standardized first unless standardize is 0: then channels with large units decide alone.
 * Parts: the distance, shared out by squared differences from the neighbour (with mean: from each of the k, in turn); they add
 * up to the score.
 * Finds: rows far from everything.  Misses: rows in a gap between dense groups, clusters of more than k anomalies.
 * Cost: see neighbours.h.  SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "detect/detector.h"
#include "detect/tabular/neighbours.h"
#include "detect/tabular/table.h"

typedef struct options {
    size_t n_neighbors;
    bool mean, standardize;
} options;

/* What contribute_span needs of the frame that was scored last. */
typedef struct scored {
    tcsi_table table;       /* without values where there is an index of its own rows */
    tcsi_neighbours *index; /* of these; NULL: that of the fit */
    uint32_t *rows;         /* (table rows,k): the neighbours; NULL: nothing was scored */
    size_t k;
} scored;

typedef struct knn {
    tcsi_detector base;
    options options;
    tcsi_scaler scaler;     /* of the fit */
    tcsi_neighbours *index; /* of the fit, or NULL */
    scored last;
} knn;

static void forget(knn *self)
{
    tcsi_table_deinit(&self->last.table);
    tcsi_neighbours_destroy(self->last.index);
    tcsi_free(self->last.rows);
    self->last = (scored){ 0 };
}

static tcs_status init(tcsi_detector *base, tcs_error *err)
{
    (void)base;
    (void)err;
    return TCS_OK;
}

static void deinit(tcsi_detector *base)
{
    knn *self = (knn *)base;
    forget(self);
    tcsi_scaler_deinit(&self->scaler);
    tcsi_neighbours_destroy(self->index);
}

static tcsi_scaling scaling_of(const knn *self)
{
    return self->options.standardize ? TCSI_SCALING_STANDARD : TCSI_SCALING_NONE;
}

static tcs_status fit(tcsi_detector *base, const tcsi_frame *train, tcs_error *err)
{
    knn *self = (knn *)base;
    tcsi_scaler scaler;
    tcsi_table table;
    tcsi_neighbours *index = NULL;
    tcs_status status = tcsi_table_learn(train, scaling_of(self), TCSI_SCALER_KEPT, TCSI_TABLE_BY_ROW, &scaler, &table, err);
    if (status != TCS_OK) return status;
    if (table.row_count == 0) status = tcsi_fail(err, TCS_E_INVALID, "knn: no training row has a usable value");
    else status = tcsi_neighbours_create(table.values, table.row_count, table.channel_count, self->options.n_neighbors, &index, err);
    tcsi_table_deinit(&table);
    if (status != TCS_OK) {
        tcsi_scaler_deinit(&scaler);
        return status;
    }
    deinit(base);
    self->scaler = scaler;
    self->index = index;
    return TCS_OK;
}

/* distances: (Q,k) -> the score of each query. */
static void reduce(const double *distances, size_t query_count, size_t k, bool mean, double *ret_values)
{
    for (size_t i = 0; i < query_count; i++) {
        double sum = 0;
        for (size_t j = 0; j < k && mean; j++) sum += distances[i * k + j];
        ret_values[i] = mean ? sum / (double)k : distances[i * k + k - 1];
    }
}

/* The score of each row kept: among the fitted rows, or without a fit among its own, of which there are two or more. */
static tcs_status score_rows(knn *self, double *ret_values, tcs_error *err)
{
    scored *last = &self->last;
    const tcsi_table *table = &last->table;
    bool own = !self->base.is_fitted;
    size_t others = own ? table->row_count - 1 : tcsi_neighbours_row_count(self->index), count;
    size_t k = last->k = self->options.n_neighbors < others ? self->options.n_neighbors : others;
    double *distances = NULL;
    if (tcsi_multiply(table->row_count, k, &count)) {
        distances = TCSI_NEW_ARRAY(double, count);
        last->rows = TCSI_NEW_ARRAY(uint32_t, count);
    }
    tcs_status status = distances && last->rows ? TCS_OK : tcsi_fail_memory(err, "the neighbours' distances");
    if (status == TCS_OK && own)
        status = tcsi_neighbours_create(table->values, table->row_count, table->channel_count, k, &last->index, err);
    if (status == TCS_OK)
        status = own ? tcsi_neighbours_search_own(last->index, k, TCSI_NEAREST_EXACT, self->base.pool, distances, last->rows, err)
                     : tcsi_neighbours_search(self->index, table->values, table->row_count, k, TCSI_NEAREST_EXACT, self->base.pool,
                                              distances, last->rows, err);
    if (status == TCS_OK) reduce(distances, table->row_count, k, self->options.mean, ret_values);
    tcsi_free(distances);
    return status;
}

static tcs_status score_table(knn *self, size_t row_count, tcs_score *ret_scores, tcs_error *err)
{
    const tcsi_table *table = &self->last.table;
    double *values = TCSI_NEW_ZEROS(double, table->row_count);
    tcs_status status = values ? TCS_OK : tcsi_fail_memory(err, "scores");
    bool enough = table->row_count >= (self->base.is_fitted ? 1 : 2);
    if (status == TCS_OK && enough) status = score_rows(self, values, err);
    if (status == TCS_OK) tcsi_table_spread(table, values, row_count, ret_scores);
    for (size_t i = 0; status == TCS_OK && !enough && i < table->row_count; i++) ret_scores[table->rows[i]].state = TCS_SCORE_WARMUP;
    tcsi_free(values);
    return status;
}

static tcs_status score(tcsi_detector *base, const tcsi_frame *frame, tcs_score *ret_scores, tcs_error *err)
{
    knn *self = (knn *)base;
    tcsi_scaler own = { 0 };
    tcsi_table table;
    forget(self);
    tcs_status status = base->is_fitted ? tcsi_table_create(frame, &self->scaler, TCSI_TABLE_BY_ROW, &table, err)
                                        : tcsi_table_learn(frame, scaling_of(self), TCSI_SCALER_PASSING, TCSI_TABLE_BY_ROW, &own, &table,
                                                           err);
    if (status != TCS_OK) return status;
    tcsi_scaler_deinit(&own);
    self->last.table = table;
    status = score_table(self, frame->row_count, ret_scores, err);
    if (status != TCS_OK) forget(self);
    if (self->last.index) tcsi_table_drop_values(&self->last.table);
    return status;
}

static void contribute_span(const tcsi_detector *base, size_t row_begin, size_t row_end, double *ret_parts)
{
    const knn *self = (const knn *)base;
    const scored *last = &self->last;
    size_t k = last->k, first = self->options.mean ? 0 : k - 1;
    for (size_t c = 0; c < base->channel_count; c++) ret_parts[c] = 0;
    for (size_t t = row_begin; t < row_end && last->rows; t++) {
        size_t i = tcsi_table_find(&last->table, t);
        if (i == SIZE_MAX) continue;
        const double *row = last->index ? tcsi_neighbours_row(last->index, i) : last->table.values + i * base->channel_count;
        for (size_t j = first; j < k; j++)
            tcsi_neighbours_share(last->index ? last->index : self->index, row, last->rows[i * k + j], 0, 1 / (double)(k - first),
                                  ret_parts);
    }
}

static void persist(tcsi_detector *base, tcsi_codec *codec)
{
    knn *self = (knn *)base;
    tcsi_codec_tag(codec, "KNN ");
    if (!base->is_fitted) return;
    tcsi_scaler_persist(&self->scaler, base->channel_count, codec);
    tcsi_neighbours_persist(&self->index, base->channel_count, self->options.n_neighbors, codec);
}

/* Loading holds the saved rows once more while the index is made. */
static size_t size_max(const tcsi_detector *base, size_t row_count)
{
    const knn *self = (const knn *)base;
    size_t channels = base->channel_count, fitted_rows = self->index ? tcsi_neighbours_row_count(self->index) : 0;
    size_t held = tcsi_size_sum(sizeof *self, tcsi_table_size_max(fitted_rows, channels));
    held = tcsi_size_sum(held, tcsi_neighbours_size_max(fitted_rows, channels));
    if (row_count == 0) return held;
    size_t neighbours = tcsi_size_product(tcsi_size_product(row_count, self->options.n_neighbors), sizeof(double) + sizeof(uint32_t));
    size_t scoring = tcsi_size_sum(tcsi_table_size_max(row_count, channels), tcsi_neighbours_size_max(row_count, channels));
    scoring = tcsi_size_sum(scoring, tcsi_neighbours_search_size(row_count, channels, self->options.n_neighbors,
                                                                 tcsi_pool_thread_count(base->pool)));
    return tcsi_size_sum(held, tcsi_size_sum(scoring, tcsi_size_sum(neighbours, tcsi_size_product(row_count, sizeof(double)))));
}

static const tcsi_parameter parameters[] = {
    { "n_neighbors", TCSI_PARAMETER_COUNT, offsetof(options, n_neighbors), 5, 1, 1000, "k: neighbours of a row" },
    { "mean", TCSI_PARAMETER_BOOL, offsetof(options, mean), 0, 0, 1, "mean of the k distances instead of the largest" },
    { "standardize", TCSI_PARAMETER_BOOL, offsetof(options, standardize), 1, 0, 1, "scale each channel to deviation 1 first" },
};

static const tcsi_detector_ops ops = {
    .init = init, .deinit = deinit, .fit = fit, .score = score, .contribute_span = contribute_span, .persist = persist,
    .size_max = size_max,
};

const tcsi_detector_info tcsi_detector_knn = {
    .name = "knn",
    .title = "distance to the k-th nearest row",
    .paper = "S. Ramaswamy, R. Rastogi, K. Shim: Efficient algorithms for mining outliers from large data sets. SIGMOD 2000, "
             "definition 2.1",
    .summary = "Scores a row by its exact distance to the k-th nearest other row. Finds rows far from everything; misses groups of more "
               "than k anomalies that are alike. A kd-tree in few channels, a blocked scan in many.",
    .traits = TCSI_TRAIT_OFFLINE | TCSI_TRAIT_TABULAR | TCSI_TRAIT_MULTIVARIATE,
    .instance_size = sizeof(knn),
    .options_offset = offsetof(knn, options),
    .parameters = parameters,
    .parameter_count = TCS_COUNT(parameters),
    .ops = &ops,
};
