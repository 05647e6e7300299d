/* detect/tabular/hbos.c -- rows whose values fall into rarely used bins, channel by channel.
 *
 * Source: M. Goldstein, A. Dengel, "Histogram-based outlier score (HBOS)", KI 2012, section 3: the sum over channels of
 * log(1 / density of the value's bin).  Bins are static (equal widths).  The regularized form and the treatment of values
 * outside the bins are PyOD's, so that results can be compared: -sum log2(density + alpha); a value at most tol bin
 * widths outside belongs to the outermost bin, one farther away gets the smallest density of its channel.
 *
 * Rows are standardized first unless standardize is 0: densities are per unit of the channel, so alpha weighs channels
 * by their units otherwise.  Constant channels add the same to every row.
 * Finds: rows with rare single values.  Misses: rare combinations of common values.
 * Cost: O(C) a row.  Memory: n_bins values a channel.  Parts: how much rarer a value is than its channel's commonest.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "detect/detector.h"
#include "detect/tabular/parts.h"
#include "detect/tabular/table.h"

#include <math.h>

typedef struct options {
    size_t n_bins;
    double alpha, tol;
    bool standardize;
} options;

typedef struct model {
    tcsi_scaler scaler;
    double *low, *high; /* (C) outermost edges */
    double *costs;      /* (C, n_bins): log2(density + alpha) */
} model;

typedef struct hbos {
    tcsi_detector base;
    options options;
    model fitted;
    tcsi_parts parts;
} hbos;

static void model_deinit(model *m)
{
    tcsi_scaler_deinit(&m->scaler);
    tcsi_free(m->low);
    tcsi_free(m->high);
    tcsi_free(m->costs);
    *m = (model){ 0 };
}

static tcs_status init(tcsi_detector *base, tcs_error *err)
{
    (void)base;
    (void)err;
    return TCS_OK;
}

static void deinit(tcsi_detector *base)
{
    model_deinit(&((hbos *)base)->fitted);
    tcsi_parts_deinit(&((hbos *)base)->parts);
}

/* ---- bins, as numpy.histogram cuts them ---- */

static double edge(double low, double high, size_t bin_count, size_t i)
{
    return i == bin_count ? high : low + (double)i * ((high - low) / (double)bin_count);
}

/* Learning: [edge i, edge i + 1), the last one closed. */
static size_t bin_of(double value, double low, double high, size_t bin_count)
{
    double place = (value - low) / (high - low) * (double)bin_count;
    size_t bin = place >= (double)bin_count ? bin_count - 1 : place > 0 ? (size_t)place : 0;
    if (bin > 0 && value < edge(low, high, bin_count, bin)) bin--;
    else if (bin + 1 < bin_count && value >= edge(low, high, bin_count, bin + 1)) bin++;
    return bin;
}

/* Scoring: (edge i, edge i + 1], with the tolerance outside. */
static double cost_of(double value, double low, double high, const double *costs, size_t bin_count, double tol)
{
    double smallest = costs[0];
    if (value > low && value <= high) {
        size_t bin = bin_of(value, low, high, bin_count);
        if (value == edge(low, high, bin_count, bin) && bin > 0) bin--;
        return costs[bin];
    }
    double width = edge(low, high, bin_count, 1) - low, outside = value <= low ? low - value : value - high;
    if (outside <= width * tol) return value <= low ? costs[0] : costs[bin_count - 1];
    for (size_t i = 1; i < bin_count; i++) smallest = fmin(smallest, costs[i]);
    return smallest;
}

static void learn_channel(const double *values, size_t count, size_t bin_count, double alpha, double *ret_low, double *ret_high,
                          double *ret_costs)
{
    double low = values[0], high = values[0];
    for (size_t i = 1; i < count; i++) {
        low = fmin(low, values[i]);
        high = fmax(high, values[i]);
    }
    if (!(low < high)) {
        double half = fmax(0.5, 1e-6 * fabs(low)); /* a constant: one unit wide, and never without a width */
        low -= half;
        high += half;
    }
    for (size_t i = 0; i < bin_count; i++) ret_costs[i] = 0;
    for (size_t i = 0; i < count; i++) ret_costs[bin_of(values[i], low, high, bin_count)] += 1;
    for (size_t i = 0; i < bin_count; i++) {
        double width = fmax(edge(low, high, bin_count, i + 1) - edge(low, high, bin_count, i), 1e-290);
        ret_costs[i] = log2(ret_costs[i] / width / (double)count + alpha);
    }
    *ret_low = low;
    *ret_high = high;
}

/* ---- learning ---- */

static tcs_status learn(const hbos *self, const tcsi_frame *frame, model *ret_model, tcsi_table *ret_table, tcs_error *err)
{
    model m = { 0 };
    tcsi_table table;
    size_t channels = self->base.channel_count, bins = self->options.n_bins, count;
    tcsi_scaling scaling = self->options.standardize ? TCSI_SCALING_STANDARD : TCSI_SCALING_NONE;
    tcs_status status = tcsi_table_learn(frame, scaling, TCSI_SCALER_KEPT, TCSI_TABLE_BY_COLUMN, &m.scaler, &table, err);
    if (status != TCS_OK) return status;
    m.low = TCSI_NEW_ZEROS(double, channels);
    m.high = TCSI_NEW_ZEROS(double, channels);
    if (tcsi_multiply(channels, bins, &count)) m.costs = TCSI_NEW_ZEROS(double, count);
    if (!m.low || !m.high || !m.costs) {
        tcsi_table_deinit(&table);
        model_deinit(&m);
        return tcsi_fail_memory(err, "histograms");
    }
    for (size_t c = 0; c < channels && table.row_count > 0; c++)
        learn_channel(table.values + c * table.row_count, table.row_count, bins, self->options.alpha, &m.low[c], &m.high[c],
                      m.costs + c * bins);
    *ret_model = m;
    *ret_table = table;
    return TCS_OK;
}

static tcs_status fit(tcsi_detector *base, const tcsi_frame *train, tcs_error *err)
{
    hbos *self = (hbos *)base;
    model m;
    tcsi_table table;
    tcs_status status = learn(self, train, &m, &table, err);
    if (status != TCS_OK) return status;
    size_t row_count = table.row_count;
    tcsi_table_deinit(&table);
    if (row_count == 0) {
        model_deinit(&m);
        return tcsi_fail(err, TCS_E_INVALID, "hbos: no training row has a usable value");
    }
    model_deinit(&self->fitted);
    self->fitted = m;
    return TCS_OK;
}

/* ---- scoring ---- */

static void score_channel(hbos *self, const model *m, const tcsi_table *table, size_t c, double *values)
{
    size_t bins = self->options.n_bins;
    const double *column = table->values + c * table->row_count, *costs = m->costs + c * bins;
    double commonest = costs[0];
    for (size_t i = 1; i < bins; i++) commonest = fmax(commonest, costs[i]);
    for (size_t i = 0; i < table->row_count; i++) {
        double cost = cost_of(column[i], m->low[c], m->high[c], costs, bins, self->options.tol);
        values[i] -= cost;
        tcsi_parts_set(&self->parts, table->rows[i], c, commonest - cost);
    }
}

static tcs_status score_table(hbos *self, const model *m, const tcsi_table *table, size_t row_count, tcs_score *ret_scores, tcs_error *err)
{
    tcs_status status = tcsi_parts_begin(&self->parts, row_count, self->base.channel_count, err);
    if (status != TCS_OK) return status;
    double *values = TCSI_NEW_ZEROS(double, table->row_count);
    if (!values) return tcsi_fail_memory(err, "scores");
    for (size_t c = 0; c < self->base.channel_count; c++) score_channel(self, m, table, c, values);
    tcsi_table_spread(table, values, row_count, ret_scores);
    tcsi_free(values);
    return TCS_OK;
}

static tcs_status score(tcsi_detector *base, const tcsi_frame *frame, tcs_score *ret_scores, tcs_error *err)
{
    hbos *self = (hbos *)base;
    model own = { 0 };
    tcsi_table table;
    tcs_status status = base->is_fitted ? tcsi_table_create(frame, &self->fitted.scaler, TCSI_TABLE_BY_COLUMN, &table, err)
                                        : learn(self, frame, &own, &table, err);
    if (status != TCS_OK) return status;
    status = score_table(self, base->is_fitted ? &self->fitted : &own, &table, frame->row_count, ret_scores, err);
    tcsi_table_deinit(&table);
    model_deinit(&own);
    return status;
}

static void contribute_span(const tcsi_detector *base, size_t row_begin, size_t row_end, double *ret_parts)
{
    tcsi_parts_sum(&((const hbos *)base)->parts, row_begin, row_end, base->channel_count, ret_parts);
}

/* ---- saved form and size ---- */

static void persist(tcsi_detector *base, tcsi_codec *codec)
{
    hbos *self = (hbos *)base;
    model *m = &self->fitted;
    size_t channels = base->channel_count, count = tcsi_size_product(channels, self->options.n_bins);
    tcsi_codec_tag(codec, "HBOS");
    if (!base->is_fitted) return;
    tcsi_scaler_persist(&m->scaler, channels, codec);
    tcsi_persist_f64s(codec, &m->low, channels);
    tcsi_persist_f64s(codec, &m->high, channels);
    tcsi_persist_f64s(codec, &m->costs, count);
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    bool ok = true;
    for (size_t c = 0; c < channels; c++) ok = ok && fabs(m->low[c]) <= 1e151 && fabs(m->high[c]) <= 1e151 && m->low[c] < m->high[c];
    for (size_t i = 0; i < count; i++) ok = ok && fabs(m->costs[i]) <= 2000;
    if (!ok) tcsi_codec_refuse(codec, "a histogram out of range");
}

static size_t size_max(const tcsi_detector *base, size_t row_count)
{
    const hbos *self = (const hbos *)base;
    size_t channels = base->channel_count;
    size_t held = tcsi_size_product(tcsi_size_product(channels, self->options.n_bins + 2), 2 * sizeof(double)); /* fitted and own */
    held = tcsi_size_sum(tcsi_size_sum(held, sizeof *self), tcsi_table_size_max(0, channels));
    if (row_count == 0) return held;
    size_t parts = tcsi_size_product(tcsi_size_product(row_count, channels), sizeof(float));
    size_t scoring = tcsi_size_sum(tcsi_table_size_max(row_count, channels), tcsi_size_product(row_count, sizeof(double)));
    return tcsi_size_sum(held, tcsi_size_sum(scoring, parts));
}

static const tcsi_parameter parameters[] = {
    { "n_bins", TCSI_PARAMETER_COUNT, offsetof(options, n_bins), 10, 2, 1000, "bins a channel, of equal width" },
    { "alpha", TCSI_PARAMETER_REAL, offsetof(options, alpha), 0.1, 1e-6, 1,
      "added to each density, so that empty bins cost a finite amount" },
    { "tol", TCSI_PARAMETER_REAL, offsetof(options, tol), 0.5, 0, 1, "bin widths outside the bins that still belong to the outermost one" },
    { "standardize", TCSI_PARAMETER_BOOL, offsetof(options, standardize), 1, 0, 1, "scale each channel to deviation 1 first" },
};

static const tcsi_detector_ops ops = {
    .init = init, .deinit = deinit, .fit = fit, .score = score, .contribute_span = contribute_span, .persist = persist,
    .size_max = size_max,
};

const tcsi_detector_info tcsi_detector_hbos = {
    .name = "hbos",
    .title = "histogram-based outlier score",
    .paper = "M. Goldstein, A. Dengel: Histogram-based outlier score (HBOS): a fast unsupervised anomaly detection algorithm. KI 2012",
    .summary = "Adds up, channel by channel, how rarely used the bin of a value is. Finds rows with rare single values; misses rare "
               "combinations of common ones. The cheapest of all: O(1) a value.",
    .traits = TCSI_TRAIT_OFFLINE | TCSI_TRAIT_TABULAR | TCSI_TRAIT_MULTIVARIATE,
    .instance_size = sizeof(hbos),
    .options_offset = offsetof(hbos, options),
    .parameters = parameters,
    .parameter_count = TCS_COUNT(parameters),
    .ops = &ops,
};
