/* SPDX-License-Identifier: Apache-2.0 */
#include "decide/calibrate.h"

#include "base/alloc.h"

#include <math.h>
#include <string.h>

enum { FOLD_COUNT = 5, RUN_COUNT = 20 };
static const double P_MIN = 1e-300, MARGIN_MIN = 1e-12;

/* ---- one row ---- */

/* 1 - p is told apart from 1 as well as doubles can; p is not told apart from 0 below P_MIN. */
static double ln_p(double p) { return log(fmax(p, P_MIN)); }
static double ln_complement(double p) { return log1p(-fmin(p, 1 - 0x1p-53)); }

static double evidence_of(const tcsi_calibrator *calibrator, double value)
{
    return calibrator->is_p_value ? -ln_p(value) : value;
}

static double posterior(double prior, double p)
{
    static const double E = 2.718281828459045;
    const double bound = p < 1 / E ? -E * fmax(p, P_MIN) * ln_p(p) : 1;
    return prior / (prior + (1 - prior) * bound);
}

double tcsi_calibrator_probability(const tcsi_calibrator *calibrator, double value)
{
    double probability = NAN;
    if (isnan(value)) return NAN;
    switch (calibrator->kind) {
    case TCSI_CALIBRATOR_PRIOR: probability = posterior(calibrator->prior, value); break;
    case TCSI_CALIBRATOR_PLATT:
        probability = tcsi_logistic_at(&calibrator->logistic, &(double){ evidence_of(calibrator, value) }, 1);
        break;
    case TCSI_CALIBRATOR_BETA:
        probability = tcsi_logistic_at(&calibrator->logistic, (double[]){ ln_complement(value), -ln_p(value) }, 2);
        break;
    case TCSI_CALIBRATOR_ISOTONIC: probability = tcsi_isotonic_at(&calibrator->isotonic, evidence_of(calibrator, value)); break;
    case TCSI_CALIBRATOR_COUNT: break;
    }
    return fmin(fmax(probability, calibrator->margin), 1 - calibrator->margin);
}

const char *tcsi_calibrator_name(tcsi_calibrator_kind kind)
{
    static const char *const names[TCSI_CALIBRATOR_COUNT] = { "prior", "platt", "beta", "isotonic" };
    TCS_ASSERT(kind < TCSI_CALIBRATOR_COUNT);
    return names[kind];
}

tcsi_calibrator tcsi_calibrator_assume(double share)
{
    TCS_ASSERT(share > 0 && share < 1);
    tcsi_calibrator out = { .kind = TCSI_CALIBRATOR_PRIOR, .is_p_value = true, .prior = share, .margin = MARGIN_MIN };
    for (size_t k = 0; k < TCSI_CALIBRATOR_COUNT; k++) out.log_losses[k] = NAN;
    return out;
}

tcs_status tcsi_calibrator_copy(const tcsi_calibrator *calibrator, tcsi_calibrator *ret_copy, tcs_error *err)
{
    const size_t count = calibrator->isotonic.count;
    tcsi_calibrator copy = *calibrator;
    copy.isotonic = (tcsi_isotonic){ .x = TCSI_NEW_ARRAY(double, count), .y = TCSI_NEW_ARRAY(double, count), .count = count };
    if (!copy.isotonic.x || !copy.isotonic.y) {
        tcsi_calibrator_deinit(&copy);
        return tcsi_fail_memory(err, "calibration");
    }
    if (count > 0) memcpy(copy.isotonic.x, calibrator->isotonic.x, count * sizeof(double));
    if (count > 0) memcpy(copy.isotonic.y, calibrator->isotonic.y, count * sizeof(double));
    *ret_copy = copy;
    return TCS_OK;
}

void tcsi_calibrator_deinit(tcsi_calibrator *calibrator)
{
    tcsi_isotonic_deinit(&calibrator->isotonic);
    *calibrator = (tcsi_calibrator){ 0 };
}

/* ---- rows ---- */

/* Those that count, packed; one block. */
typedef struct table {
    double *values, *weights, *features, *targets; /* (count), but features (2,count) */
    uint8_t *labels;
    size_t count;
    double sums[2]; /* of weights: normal, anomalous */
} table;

static void table_deinit(table *t)
{
    tcsi_free(t->values);
    tcsi_free(t->weights);
    tcsi_free(t->features);
    tcsi_free(t->targets);
    tcsi_free(t->labels);
    *t = (table){ 0 };
}

static tcs_status table_init(table *t, size_t count, tcs_error *err)
{
    size_t twice;
    *t = (table){ .values = TCSI_NEW_ARRAY(double, count), .weights = TCSI_NEW_ARRAY(double, count),
                  .features = tcsi_multiply(count, 2, &twice) ? TCSI_NEW_ARRAY(double, twice) : NULL,
                  .targets = TCSI_NEW_ARRAY(double, count), .labels = TCSI_NEW_ARRAY(uint8_t, count) };
    if (t->values && t->weights && t->features && t->targets && t->labels) return TCS_OK;
    table_deinit(t);
    return tcsi_fail_memory(err, "calibration");
}

static size_t fold_of(size_t row, size_t count)
{
    return (size_t)((double)row / (double)count * RUN_COUNT) % FOLD_COUNT;
}

/* fold FOLD_COUNT: all rows; otherwise those outside it. */
static void fill(table *t, const tcsi_calibrate_rows *rows, size_t fold)
{
    t->count = 0;
    t->sums[0] = t->sums[1] = 0;
    for (size_t i = 0; i < rows->count; i++) {
        const double weight = rows->weights ? rows->weights[i] : 1;
        if (isnan(rows->values[i]) || !(weight > 0) || (fold < FOLD_COUNT && fold_of(i, rows->count) == fold)) continue;
        t->values[t->count] = rows->values[i];
        t->weights[t->count] = weight;
        t->labels[t->count] = rows->labels[i] != 0;
        t->targets[t->count] = rows->labels[i] ? 1 : 0;
        t->sums[rows->labels[i] != 0] += weight;
        t->count++;
    }
}

static tcs_status check(const tcsi_calibrate_rows *rows, tcs_error *err)
{
    size_t count = 0;
    for (size_t i = 0; i < rows->count; i++) {
        const double value = rows->values[i];
        if (isnan(value)) continue;
        count += !rows->weights || rows->weights[i] > 0;
        if (rows->is_p_value ? !(value >= 0 && value <= 1) : !isfinite(value))
            return tcsi_fail(err, TCS_E_INVALID, "calibration: row %zu: %g, expected %s", i, value,
                             rows->is_p_value ? "a p-value from 0 to 1" : "a finite score");
        if (rows->weights && !(rows->weights[i] >= 0 && isfinite(rows->weights[i])))
            return tcsi_fail(err, TCS_E_INVALID, "calibration: row %zu: a weight of %g, expected 0 or more", i, rows->weights[i]);
    }
    return count > 0 ? TCS_OK : tcsi_fail(err, TCS_E_INVALID, "calibration needs at least 1 row that has a score and counts, got none");
}

/* ---- fitting ---- */

static tcs_status fit_table(tcsi_calibrator_kind kind, bool is_p_value, table *t, tcsi_calibrator *ret_calibrator, tcs_error *err)
{
    const double sum = t->sums[0] + t->sums[1];
    tcsi_calibrator out = { .kind = kind, .is_p_value = is_p_value, .prior = sum > 0 ? t->sums[1] / sum : 0, .margin = MARGIN_MIN };
    tcs_status status = TCS_OK;
    for (size_t k = 0; k < TCSI_CALIBRATOR_COUNT; k++) out.log_losses[k] = NAN;
    for (size_t i = 0; i < t->count; i++) {
        const double value = t->values[i];
        t->features[i] = kind == TCSI_CALIBRATOR_BETA ? ln_complement(value) : evidence_of(&out, value);
        if (kind == TCSI_CALIBRATOR_BETA) t->features[t->count + i] = -ln_p(value);
    }
    if (kind == TCSI_CALIBRATOR_ISOTONIC) {
        status = tcsi_isotonic_fit(t->features, t->targets, t->weights, t->count, &out.isotonic, err);
        out.margin = fmax(1 / (sum + 2), MARGIN_MIN);
    } else {
        const size_t feature_count = kind == TCSI_CALIBRATOR_BETA ? 2 : 1;
        status = tcsi_logistic_fit(t->features, feature_count, t->labels, t->weights, t->count, &out.logistic, err);
    }
    if (status == TCS_OK) *ret_calibrator = out;
    return status;
}

tcs_status tcsi_calibrator_fit(tcsi_calibrator_kind kind, const tcsi_calibrate_rows *rows, tcsi_calibrator *ret_calibrator, tcs_error *err)
{
    table t;
    TCS_ASSERT(kind != TCSI_CALIBRATOR_PRIOR && kind < TCSI_CALIBRATOR_COUNT && (kind != TCSI_CALIBRATOR_BETA || rows->is_p_value));
    tcs_status status = check(rows, err);
    if (status == TCS_OK) status = table_init(&t, rows->count, err);
    if (status != TCS_OK) return status;
    fill(&t, rows, FOLD_COUNT);
    status = fit_table(kind, rows->is_p_value, &t, ret_calibrator, err);
    table_deinit(&t);
    return status;
}

/* Sum of weighted log losses of the rows in fold. */
static double loss_in_fold(const tcsi_calibrator *calibrator, const tcsi_calibrate_rows *rows, size_t fold)
{
    double loss = 0;
    for (size_t i = 0; i < rows->count; i++) {
        const double weight = rows->weights ? rows->weights[i] : 1;
        if (isnan(rows->values[i]) || !(weight > 0) || fold_of(i, rows->count) != fold) continue;
        const double probability = tcsi_calibrator_probability(calibrator, rows->values[i]);
        loss -= weight * (rows->labels[i] ? log(probability) : log1p(-probability));
    }
    return loss;
}

static tcs_status cross_validate(tcsi_calibrator_kind kind, const tcsi_calibrate_rows *rows, table *t, double *ret_loss, tcs_error *err)
{
    double loss = 0;
    for (size_t fold = 0; fold < FOLD_COUNT; fold++) {
        tcsi_calibrator calibrator = { 0 };
        fill(t, rows, fold);
        if (t->count == 0) continue; /* all rows are in this fold */
        tcs_status status = fit_table(kind, rows->is_p_value, t, &calibrator, err);
        if (status != TCS_OK) return status;
        loss += loss_in_fold(&calibrator, rows, fold);
        tcsi_calibrator_deinit(&calibrator);
    }
    *ret_loss = loss;
    return TCS_OK;
}

tcs_status tcsi_calibrator_choose(const tcsi_calibrate_rows *rows, tcsi_calibrator *ret_calibrator, tcs_error *err)
{
    table t;
    double losses[TCSI_CALIBRATOR_COUNT] = { NAN, NAN, NAN, NAN };
    tcsi_calibrator_kind best = TCSI_CALIBRATOR_PLATT;
    tcs_status status = check(rows, err);
    if (status == TCS_OK) status = table_init(&t, rows->count, err);
    if (status != TCS_OK) return status;
    fill(&t, rows, FOLD_COUNT);
    const double sum = t.sums[0] + t.sums[1];
    const bool has_both = t.sums[0] > 0 && t.sums[1] > 0;
    for (int k = TCSI_CALIBRATOR_PLATT; k < TCSI_CALIBRATOR_COUNT && has_both && status == TCS_OK; k++) {
        if (k == TCSI_CALIBRATOR_BETA && !rows->is_p_value) continue;
        status = cross_validate((tcsi_calibrator_kind)k, rows, &t, &losses[k], err);
        losses[k] /= sum;
        if (status == TCS_OK && losses[k] < losses[best]) best = (tcsi_calibrator_kind)k; /* the plainer one when equal */
    }
    table_deinit(&t);
    if (status == TCS_OK) status = tcsi_calibrator_fit(best, rows, ret_calibrator, err);
    if (status == TCS_OK) memcpy(ret_calibrator->log_losses, losses, sizeof losses);
    return status;
}

/* ---- saved form ---- */

void tcsi_calibrator_persist(tcsi_calibrator *calibrator, tcsi_codec *codec)
{
    uint32_t kind = (uint32_t)calibrator->kind;
    tcsi_codec_tag(codec, "CALI");
    tcsi_codec_u32(codec, &kind);
    tcsi_codec_bool(codec, &calibrator->is_p_value);
    tcsi_codec_f64(codec, &calibrator->prior);
    tcsi_codec_f64(codec, &calibrator->logistic.intercept);
    tcsi_codec_f64s(codec, calibrator->logistic.slopes, TCSI_LOGISTIC_FEATURE_MAX);
    tcsi_codec_f64(codec, &calibrator->margin);
    tcsi_codec_f64s(codec, calibrator->log_losses, TCSI_CALIBRATOR_COUNT);
    if (kind == TCSI_CALIBRATOR_ISOTONIC) tcsi_isotonic_persist(&calibrator->isotonic, codec);
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    const tcsi_logistic *logistic = &calibrator->logistic;
    const bool ok = kind < TCSI_CALIBRATOR_COUNT && calibrator->prior >= 0 && calibrator->prior <= 1 && isfinite(logistic->intercept) &&
                    logistic->slopes[0] >= 0 && isfinite(logistic->slopes[0]) && logistic->slopes[1] >= 0 &&
                    isfinite(logistic->slopes[1]) && calibrator->margin > 0 && calibrator->margin <= 0.5;
    if (ok) calibrator->kind = (tcsi_calibrator_kind)kind;
    else tcsi_codec_refuse(codec, "a calibrator out of range");
}
