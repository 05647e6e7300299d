/* detect/tabular/lof.c -- how much sparser a row's surroundings are than its neighbours' own.
 *
 * Source: M. M. Breunig, H.-P. Kriegel, R. T. Ng, J. Sander, "LOF: identifying density-based local outliers", SIGMOD 2000,
 * definitions 5-7.  reach(p, o) = max(k-distance(o), d(p, o)); local reachability density lrd(p) = 1 / mean reach over
 * p's k neighbours; LOF(p) = mean lrd of the neighbours / lrd(p).  About 1 inside a group of any density.
 * As in scikit-learn, exactly k neighbours are used when several tie for the k-th place (ours: the lowest row numbers), and
 * 1e-10 is added to the mean reach, so that k + 1 equal rows have a finite density.
 *
 * Without fit each row is compared with all others; after fit with the training rows, whose densities are those they have
 * among themselves.  With fewer than k other rows, k is that number; with fewer than two the rows are WARMUP.
 * Finds: rows in a gap beside a dense group, whatever the density elsewhere.  Misses: groups of k or more anomalies.
 * Parts: LOF(p) is the mean reach of p's neighbours times their mean lrd, so each reach is shared out over the channels by
 * squared differences from the neighbour, times that mean.  They add up to the score, but for copies of a neighbour, which have
 * no differences.
 * Among more than k copies of one row every other row looks infinitely sparse; scores stay finite (up to about 1e10).
 * Cost: one search for k neighbours a row (neighbours.h) and 12 k bytes a row.  SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "detect/detector.h"
#include "detect/tabular/neighbours.h"
#include "detect/tabular/table.h"

typedef struct options {
    size_t n_neighbors;
    bool standardize;
} options;

/* What is known of the reference rows. */
typedef struct model {
    tcsi_scaler scaler;
    tcsi_neighbours *index;
    double *k_distances, *densities; /* (R) */
    size_t k;
} model;

/* What contribute_span needs of the frame that was scored last. */
typedef struct scored {
    tcsi_table table; /* without values where there is an index of its own rows */
    uint32_t *rows;   /* (table rows,k): the neighbours; NULL: nothing was scored */
    model own;        /* of the table's rows; without an index: that of the fit */
} scored;

typedef struct lof {
    tcsi_detector base;
    options options;
    model fitted;
    scored last;
} lof;

static void model_deinit(model *m)
{
    tcsi_scaler_deinit(&m->scaler);
    tcsi_neighbours_destroy(m->index);
    tcsi_free(m->k_distances);
    tcsi_free(m->densities);
    *m = (model){ 0 };
}

static void forget(lof *self)
{
    tcsi_table_deinit(&self->last.table);
    tcsi_free(self->last.rows);
    model_deinit(&self->last.own);
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
    forget((lof *)base);
    model_deinit(&((lof *)base)->fitted);
}

/* ---- the definitions ---- */

typedef struct lists {
    double *distances; /* (Q,k) */
    uint32_t *rows;    /* (Q,k) */
} lists;

static void lists_deinit(lists *l)
{
    tcsi_free(l->distances);
    tcsi_free(l->rows);
}

static tcs_status lists_init(size_t query_count, size_t k, lists *ret_lists, tcs_error *err)
{
    size_t count;
    lists l = { 0 };
    if (tcsi_multiply(query_count, k, &count)) {
        l.distances = TCSI_NEW_ARRAY(double, count);
        l.rows = TCSI_NEW_ARRAY(uint32_t, count);
    }
    if (!l.distances || !l.rows) {
        lists_deinit(&l);
        return tcsi_fail_memory(err, "the neighbours' distances");
    }
    *ret_lists = l;
    return TCS_OK;
}

/* ---- learning ---- */

/* Densities of the reference rows among themselves; ret_lists keeps their neighbours.  The index has 2 rows or more. */
static tcs_status learn_densities(const lof *self, model *m, lists *ret_lists, tcs_error *err)
{
    size_t row_count = tcsi_neighbours_row_count(m->index);
    m->k = self->options.n_neighbors < row_count - 1 ? self->options.n_neighbors : row_count - 1;
    m->k_distances = TCSI_NEW_ARRAY(double, row_count);
    m->densities = TCSI_NEW_ARRAY(double, row_count);
    if (!m->k_distances || !m->densities) return tcsi_fail_memory(err, "densities");
    lists l = { 0 };
    tcs_status status = lists_init(row_count, m->k, &l, err);
    if (status != TCS_OK) return status;
    status = tcsi_neighbours_search_own(m->index, m->k, TCSI_NEAREST_EXACT, self->base.pool, l.distances, l.rows, err);
    if (status != TCS_OK) {
        lists_deinit(&l);
        return status;
    }
    for (size_t i = 0; i < row_count; i++) m->k_distances[i] = l.distances[i * m->k + m->k - 1];
    for (size_t i = 0; i < row_count; i++)
        m->densities[i] = tcsi_reach_density(l.distances + i * m->k, l.rows + i * m->k, m->k, m->k_distances);
    *ret_lists = l;
    return TCS_OK;
}

static tcs_status fit(tcsi_detector *base, const tcsi_frame *train, tcs_error *err)
{
    lof *self = (lof *)base;
    model m = { 0 };
    tcsi_table table;
    lists l = { 0 };
    tcsi_scaling scaling = self->options.standardize ? TCSI_SCALING_STANDARD : TCSI_SCALING_NONE;
    tcs_status status = tcsi_table_learn(train, scaling, TCSI_SCALER_KEPT, TCSI_TABLE_BY_ROW, &m.scaler, &table, err);
    if (status != TCS_OK) return status;
    if (table.row_count < 2)
        status = tcsi_fail(err, TCS_E_INVALID, "lof: needs two training rows with a usable value, got %zu", table.row_count);
    if (status == TCS_OK)
        status = tcsi_neighbours_create(table.values, table.row_count, table.channel_count, self->options.n_neighbors, &m.index, err);
    if (status == TCS_OK) status = learn_densities(self, &m, &l, err);
    lists_deinit(&l);
    tcsi_table_deinit(&table);
    if (status != TCS_OK) {
        model_deinit(&m);
        return status;
    }
    forget(self);
    model_deinit(&self->fitted);
    self->fitted = m;
    return TCS_OK;
}

/* ---- scoring ---- */

static tcs_status score_among_themselves(lof *self, double *ret_values, tcs_error *err)
{
    const tcsi_table *table = &self->last.table;
    model *m = &self->last.own;
    lists l = { 0 };
    tcs_status status = tcsi_neighbours_create(table->values, table->row_count, table->channel_count, self->options.n_neighbors,
                                               &m->index, err);
    if (status == TCS_OK) status = learn_densities(self, m, &l, err);
    for (size_t i = 0; status == TCS_OK && i < table->row_count; i++)
        ret_values[i] = tcsi_density_ratio(m->densities[i], l.rows + i * m->k, m->k, m->densities);
    tcsi_free(l.distances);
    self->last.rows = l.rows;
    return status;
}

static tcs_status score_against(lof *self, double *ret_values, tcs_error *err)
{
    const tcsi_table *table = &self->last.table;
    const model *m = &self->fitted;
    lists l = { 0 };
    size_t k = m->k;
    tcs_status status = lists_init(table->row_count, k, &l, err);
    if (status != TCS_OK) return status;
    status = tcsi_neighbours_search(m->index, table->values, table->row_count, k, TCSI_NEAREST_EXACT, self->base.pool, l.distances, l.rows,
                                    err);
    for (size_t i = 0; status == TCS_OK && i < table->row_count; i++) {
        double own = tcsi_reach_density(l.distances + i * k, l.rows + i * k, k, m->k_distances);
        ret_values[i] = tcsi_density_ratio(own, l.rows + i * k, k, m->densities);
    }
    tcsi_free(l.distances);
    self->last.rows = l.rows;
    return status;
}

static tcs_status score_table(lof *self, size_t row_count, tcs_score *ret_scores, tcs_error *err)
{
    const tcsi_table *table = &self->last.table;
    bool fitted = self->base.is_fitted, enough = table->row_count >= (fitted ? 1 : 2);
    double *values = TCSI_NEW_ZEROS(double, table->row_count);
    tcs_status status = values ? TCS_OK : tcsi_fail_memory(err, "scores");
    if (status == TCS_OK && enough) status = fitted ? score_against(self, values, err) : score_among_themselves(self, values, err);
    if (status == TCS_OK) tcsi_table_spread(table, values, row_count, ret_scores);
    for (size_t i = 0; status == TCS_OK && !enough && i < table->row_count; i++) ret_scores[table->rows[i]].state = TCS_SCORE_WARMUP;
    tcsi_free(values);
    return status;
}

static tcs_status score(tcsi_detector *base, const tcsi_frame *frame, tcs_score *ret_scores, tcs_error *err)
{
    lof *self = (lof *)base;
    tcsi_scaler own = { 0 };
    tcsi_table table;
    tcsi_scaling scaling = self->options.standardize ? TCSI_SCALING_STANDARD : TCSI_SCALING_NONE;
    forget(self);
    tcs_status status = base->is_fitted ? tcsi_table_create(frame, &self->fitted.scaler, TCSI_TABLE_BY_ROW, &table, err)
                                        : tcsi_table_learn(frame, scaling, TCSI_SCALER_PASSING, TCSI_TABLE_BY_ROW, &own, &table, err);
    if (status != TCS_OK) return status;
    tcsi_scaler_deinit(&own);
    self->last.table = table;
    status = score_table(self, frame->row_count, ret_scores, err);
    if (status != TCS_OK) forget(self);
    if (self->last.own.index) tcsi_table_drop_values(&self->last.table);
    return status;
}

static void share_row(const model *m, const double *row, const uint32_t *rows, double *parts)
{
    double density = 0;
    for (size_t j = 0; j < m->k; j++) density += m->densities[rows[j]] / (double)m->k;
    for (size_t j = 0; j < m->k; j++)
        tcsi_neighbours_share(m->index, row, rows[j], m->k_distances[rows[j]], density / (double)m->k, parts);
}

static void contribute_span(const tcsi_detector *base, size_t row_begin, size_t row_end, double *ret_parts)
{
    const lof *self = (const lof *)base;
    const scored *last = &self->last;
    const model *m = last->own.index ? &last->own : &self->fitted;
    for (size_t c = 0; c < base->channel_count; c++) ret_parts[c] = 0;
    for (size_t t = row_begin; t < row_end && last->rows; t++) {
        size_t i = tcsi_table_find(&last->table, t);
        if (i == SIZE_MAX) continue;
        const double *row = last->own.index ? tcsi_neighbours_row(m->index, i) : last->table.values + i * base->channel_count;
        share_row(m, row, last->rows + i * m->k, ret_parts);
    }
}

/* ---- saved form and size ---- */

static void persist(tcsi_detector *base, tcsi_codec *codec)
{
    model *m = &((lof *)base)->fitted;
    tcsi_codec_tag(codec, "LOF ");
    if (!base->is_fitted) return;
    tcsi_scaler_persist(&m->scaler, base->channel_count, codec);
    tcsi_neighbours_persist(&m->index, base->channel_count, ((lof *)base)->options.n_neighbors, codec);
    if (tcsi_codec_status(codec) != TCS_OK) return;
    size_t row_count = tcsi_neighbours_row_count(m->index);
    tcsi_codec_size(codec, &m->k, row_count - 1);
    tcsi_persist_f64s(codec, &m->k_distances, row_count);
    tcsi_persist_f64s(codec, &m->densities, row_count);
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    bool ok = m->k >= 1;
    for (size_t i = 0; i < row_count; i++)
        ok = ok && m->k_distances[i] >= 0 && m->k_distances[i] <= 1e300 && m->densities[i] > 0 && m->densities[i] <= 1 / TCSI_REACH_MIN;
    if (!ok) tcsi_codec_refuse(codec, "a density out of range");
}

static size_t size_max(const tcsi_detector *base, size_t row_count)
{
    const lof *self = (const lof *)base;
    size_t channels = base->channel_count, fitted_rows = self->fitted.index ? tcsi_neighbours_row_count(self->fitted.index) : 0;
    size_t held = tcsi_size_sum(sizeof *self, tcsi_table_size_max(fitted_rows, channels));
    held = tcsi_size_sum(held, tcsi_size_sum(tcsi_neighbours_size_max(fitted_rows, channels), tcsi_size_product(fitted_rows, 16)));
    if (row_count == 0) return held;
    size_t neighbours = tcsi_size_product(tcsi_size_product(row_count, self->options.n_neighbors), sizeof(double) + sizeof(uint32_t));
    size_t scoring = tcsi_size_sum(tcsi_table_size_max(row_count, channels), tcsi_neighbours_size_max(row_count, channels));
    scoring = tcsi_size_sum(scoring, tcsi_neighbours_search_size(row_count, channels, self->options.n_neighbors,
                                                                 tcsi_pool_thread_count(base->pool)));
    return tcsi_size_sum(held, tcsi_size_sum(scoring, tcsi_size_sum(neighbours, tcsi_size_product(row_count, 3 * sizeof(double)))));
}

static const tcsi_parameter parameters[] = {
    { "n_neighbors", TCSI_PARAMETER_COUNT, offsetof(options, n_neighbors), 20, 1, 1000, "k: neighbours of a row" },
    { "standardize", TCSI_PARAMETER_BOOL, offsetof(options, standardize), 1, 0, 1, "scale each channel to deviation 1 first" },
};

static const tcsi_detector_ops ops = {
    .init = init, .deinit = deinit, .fit = fit, .score = score, .contribute_span = contribute_span, .persist = persist,
    .size_max = size_max,
};

const tcsi_detector_info tcsi_detector_lof = {
    .name = "lof",
    .title = "local outlier factor",
    .paper = "M. M. Breunig, H.-P. Kriegel, R. T. Ng, J. Sander: LOF: identifying density-based local outliers. SIGMOD 2000, definition 7",
    .summary = "Compares how dense it is around a row with how dense it is around its neighbours. Finds rows beside a dense group whatever "
               "the density elsewhere; misses groups of k or more anomalies. One exact search for k neighbours a row.",
    .traits = TCSI_TRAIT_OFFLINE | TCSI_TRAIT_TABULAR | TCSI_TRAIT_MULTIVARIATE,
    .instance_size = sizeof(lof),
    .options_offset = offsetof(lof, options),
    .parameters = parameters,
    .parameter_count = TCS_COUNT(parameters),
    .ops = &ops,
};
