/* SPDX-License-Identifier: Apache-2.0 */
#include "api/handles.h"

#include "io/plot.h"
#include "metrics/calibration.h"
#include "metrics/measures.h"

size_t tcs_measure_count(void)
{
    return tcsi_measure_count;
}

tcs_measure_description tcs_measure_describe(size_t index)
{
    TCS_ASSERT(index < tcsi_measure_count);
    const tcsi_measure_info *info = &tcsi_measure_table[index];
    int direction = info->direction == TCSI_MEASURE_HIGHER ? 1 : info->direction == TCSI_MEASURE_LOWER ? -1 : 0;
    return (tcs_measure_description){ .key = info->key, .title = info->title, .unit = info->unit, .paper = info->paper,
                                      .help = info->help, .direction = direction };
}

tcs_status tcs_evaluate(const double *scores, const uint8_t *labels, size_t row_count, const tcs_evaluate_options *options,
                        double *ret_values, tcs_error *err)
{
    tcsi_measures_options inner = tcsi_measures_options_default();
    tcsi_measures measures;
    if (!scores || !labels || !ret_values)
        return tcsi_fail(err, TCS_E_INVALID, "tcs_evaluate needs scores, labels and a place for the values");
    if (options) {
        if (options->window) inner.window = options->window;
        if (options->has_threshold) inner.threshold = options->threshold;
        if (options->cost_miss != 0 || options->cost_false_alarm != 0) {
            inner.cost_miss = options->cost_miss;
            inner.cost_false_alarm = options->cost_false_alarm;
        }
        inner.decisions = options->decisions;
        inner.times_ns = options->times_ns;
        inner.p_values = options->p_values;
        inner.probabilities = options->probabilities;
        inner.values = options->values;
        inner.lows = options->lows;
        inner.highs = options->highs;
        if (!options->values != !options->lows || !options->lows != !options->highs)
            return tcsi_fail(err, TCS_E_INVALID, "tcs_evaluate needs values, lows and highs of bands, or none of them");
    }
    tcs_status status = tcsi_measures_compute(scores, labels, row_count, &inner, &measures, err);
    for (size_t i = 0; i < tcsi_measure_count && status == TCS_OK; i++) ret_values[i] = tcsi_measure_get(&measures, &tcsi_measure_table[i]);
    return status;
}

tcs_status tcs_reliability(const double *probabilities, const uint8_t *labels, size_t row_count,
                           tcs_reliability_bin ret_bins[TCS_RELIABILITY_BIN_COUNT], tcs_error *err)
{
    tcsi_calibration calibration;
    if (!probabilities || !labels || !ret_bins)
        return tcsi_fail(err, TCS_E_INVALID, "tcs_reliability needs probabilities, labels and a place for the bins");
    tcs_status status = tcsi_calibration_compute(probabilities, labels, row_count, &calibration, err);
    for (size_t i = 0; i < TCS_RELIABILITY_BIN_COUNT && status == TCS_OK; i++)
        ret_bins[i] = (tcs_reliability_bin){ calibration.bins[i].count, calibration.bins[i].probability, calibration.bins[i].share };
    return status;
}

tcs_status tcs_reliability_plot(const tcs_reliability_bin bins[TCS_RELIABILITY_BIN_COUNT], const char *title, const char *path,
                                tcs_error *err)
{
    tcsi_plot_promise promises[TCS_RELIABILITY_BIN_COUNT];
    if (!bins || !title || !path) return tcsi_fail(err, TCS_E_INVALID, "tcs_reliability_plot needs bins, a title and a path");
    for (size_t i = 0; i < TCS_RELIABILITY_BIN_COUNT; i++)
        promises[i] = (tcsi_plot_promise){ bins[i].probability, bins[i].share, (double)bins[i].row_count };
    const tcsi_plot_curve curve = { "share of anomalous rows by stated probability", promises, TCS_RELIABILITY_BIN_COUNT };
    return tcsi_plot_promises(&curve, 1, title, path, err);
}
