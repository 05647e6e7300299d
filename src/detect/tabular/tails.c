/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/tabular/tails.h"

#include "base/alloc.h"
#include "series/stats.h"

#include <math.h>
#include <string.h>

static void model_deinit(tcsi_tails_model *m)
{
    tcsi_scaler_deinit(&m->scaler);
    tcsi_free(m->sorted);
    tcsi_free(m->skews);
    *m = (tcsi_tails_model){ 0 };
}

tcs_status tcsi_tails_init(tcsi_detector *base, tcs_error *err)
{
    (void)base;
    (void)err;
    return TCS_OK;
}

void tcsi_tails_deinit(tcsi_detector *base)
{
    model_deinit(&((tcsi_tails *)base)->fitted);
    tcsi_parts_deinit(&((tcsi_tails *)base)->parts);
}

/* ---- learning ---- */

/* Sign of the third central moment; 0 for a constant.  Deviations are divided by the largest: no cube overflows. */
static double skew_sign(const double *values, size_t count)
{
    double mean = 0, largest = 0, cubes = 0;
    for (size_t i = 0; i < count; i++) mean += values[i] / (double)count;
    for (size_t i = 0; i < count; i++) largest = fmax(largest, fabs(values[i] - mean));
    if (!(values[0] < values[count - 1]) || !(largest > 0)) return 0;
    for (size_t i = 0; i < count; i++) {
        double part = (values[i] - mean) / largest;
        cubes += part * part * part;
    }
    return cubes > 0 ? 1 : cubes < 0 ? -1 : 0;
}

static tcs_status learn(const tcsi_detector *base, const tcsi_frame *frame, tcsi_tails_model *ret_model, tcsi_table *ret_table,
                        tcs_error *err)
{
    tcsi_tails_model m = { 0 };
    tcsi_table table;
    size_t channels = base->channel_count;
    tcs_status status = tcsi_table_learn(frame, TCSI_SCALING_NONE, TCSI_SCALER_KEPT, TCSI_TABLE_BY_COLUMN, &m.scaler, &table, err);
    if (status != TCS_OK) return status;
    m.row_count = table.row_count;
    m.sorted = TCSI_NEW_ARRAY(double, table.row_count * channels); /* the table has the same size: it fits */
    m.skews = TCSI_NEW_ZEROS(double, channels);
    if (!m.sorted || !m.skews) {
        tcsi_table_deinit(&table);
        model_deinit(&m);
        return tcsi_fail_memory(err, "sorted channels");
    }
    memcpy(m.sorted, table.values, table.row_count * channels * sizeof *m.sorted);
    for (size_t c = 0; c < channels && m.row_count > 0; c++) {
        tcsi_sort(m.sorted + c * m.row_count, m.row_count);
        m.skews[c] = skew_sign(m.sorted + c * m.row_count, m.row_count);
    }
    *ret_model = m;
    *ret_table = table;
    return TCS_OK;
}

tcs_status tcsi_tails_fit(tcsi_detector *base, const tcsi_frame *train, tcs_error *err)
{
    tcsi_tails *self = (tcsi_tails *)base;
    tcsi_tails_model m;
    tcsi_table table;
    tcs_status status = learn(base, train, &m, &table, err);
    if (status != TCS_OK) return status;
    tcsi_table_deinit(&table);
    if (m.row_count == 0) {
        model_deinit(&m);
        return tcsi_fail(err, TCS_E_INVALID, "%s: no training row has a usable value", base->info->name);
    }
    model_deinit(&self->fitted);
    self->fitted = m;
    return TCS_OK;
}

/* ---- scoring ---- */

/* How many of the sorted values are < value (or <= value). */
static size_t count_below(const double *sorted, size_t count, double value, bool or_equal)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (sorted[middle] < value || (or_equal && sorted[middle] == value)) low = middle + 1;
        else high = middle;
    }
    return low;
}

static void score_channel(tcsi_tails *self, const tcsi_tails_model *m, const tcsi_table *table, tcsi_tails_rule rule, size_t c,
                          size_t guests, double *values)
{
    const double *column = table->values + c * table->row_count, *sorted = m->sorted + c * m->row_count;
    double total = (double)(m->row_count + guests), skew = m->skews[c];
    for (size_t i = 0; i < table->row_count; i++) {
        size_t below = count_below(sorted, m->row_count, column[i], false), until = count_below(sorted, m->row_count, column[i], true);
        double left = -log((double)(until + guests) / total), right = -log((double)(m->row_count - below + guests) / total);
        double leaning = skew < 0 ? left : skew > 0 ? right : left + right;
        double part = rule == TCSI_TAILS_ECOD ? fmax(leaning, fmax(left, right)) : fmax(leaning, (left + right) / 2);
        values[i] += part;
        tcsi_parts_set(&self->parts, table->rows[i], c, part);
    }
}

static tcs_status score_table(tcsi_tails *self, tcsi_tails_rule rule, const tcsi_tails_model *m, const tcsi_table *table,
                              size_t row_count, tcs_score *ret_scores, tcs_error *err)
{
    tcs_status status = tcsi_parts_begin(&self->parts, row_count, self->base.channel_count, err);
    if (status != TCS_OK) return status;
    double *values = TCSI_NEW_ZEROS(double, table->row_count);
    if (!values) return tcsi_fail_memory(err, "scores");
    size_t guests = self->base.is_fitted ? 1 : 0;
    for (size_t c = 0; c < self->base.channel_count; c++) score_channel(self, m, table, rule, c, guests, values);
    tcsi_table_spread(table, values, row_count, ret_scores);
    tcsi_free(values);
    return TCS_OK;
}

tcs_status tcsi_tails_score(tcsi_detector *base, tcsi_tails_rule rule, const tcsi_frame *frame, tcs_score *ret_scores, tcs_error *err)
{
    tcsi_tails *self = (tcsi_tails *)base;
    tcsi_tails_model own = { 0 };
    tcsi_table table;
    tcs_status status = base->is_fitted ? tcsi_table_create(frame, &self->fitted.scaler, TCSI_TABLE_BY_COLUMN, &table, err)
                                        : learn(base, frame, &own, &table, err);
    if (status != TCS_OK) return status;
    status = score_table(self, rule, base->is_fitted ? &self->fitted : &own, &table, frame->row_count, ret_scores, err);
    tcsi_table_deinit(&table);
    model_deinit(&own);
    return status;
}

void tcsi_tails_contribute_span(const tcsi_detector *base, size_t row_begin, size_t row_end, double *ret_parts)
{
    tcsi_parts_sum(&((const tcsi_tails *)base)->parts, row_begin, row_end, base->channel_count, ret_parts);
}

/* ---- saved form and size ---- */

static bool model_ok(const tcsi_tails_model *m, size_t channel_count)
{
    bool ok = m->row_count > 0;
    for (size_t c = 0; c < channel_count && ok; c++) {
        ok = m->skews[c] == 0 || fabs(m->skews[c]) == 1;
        const double *sorted = m->sorted + c * m->row_count;
        for (size_t i = 0; i < m->row_count && ok; i++) ok = tcsi_value_ok(sorted[i]) && (i == 0 || sorted[i - 1] <= sorted[i]);
    }
    return ok;
}

void tcsi_tails_persist(tcsi_detector *base, tcsi_codec *codec)
{
    tcsi_tails_model *m = &((tcsi_tails *)base)->fitted;
    size_t channels = base->channel_count;
    tcsi_codec_tag(codec, "TAIL");
    if (!base->is_fitted) return;
    tcsi_scaler_persist(&m->scaler, channels, codec);
    tcsi_codec_size(codec, &m->row_count, (size_t)1 << 40);
    tcsi_persist_f64s(codec, &m->sorted, tcsi_size_product(m->row_count, channels));
    tcsi_persist_f64s(codec, &m->skews, channels);
    if (tcsi_codec_loading(codec) && tcsi_codec_status(codec) == TCS_OK && !model_ok(m, channels))
        tcsi_codec_refuse(codec, "a distribution out of range");
}

size_t tcsi_tails_size_max(const tcsi_detector *base, size_t row_count)
{
    const tcsi_tails *self = (const tcsi_tails *)base;
    size_t channels = base->channel_count;
    size_t held = tcsi_size_sum(sizeof *self, tcsi_table_size_max(self->fitted.row_count, channels));
    held = tcsi_size_sum(held, tcsi_table_size_max(0, channels));
    if (row_count == 0) return held;
    size_t cells = tcsi_size_product(row_count, channels); /* sorted values, parts */
    size_t scoring = tcsi_size_sum(tcsi_table_size_max(row_count, channels), tcsi_size_product(cells, sizeof(double) + sizeof(float)));
    return tcsi_size_sum(held, tcsi_size_sum(scoring, tcsi_size_product(row_count, sizeof(double))));
}
