/* SPDX-License-Identifier: Apache-2.0 */
#include "api/handles.h"

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
    }
    tcs_status status = tcsi_measures_compute(scores, labels, row_count, &inner, &measures, err);
    for (size_t i = 0; i < tcsi_measure_count && status == TCS_OK; i++) ret_values[i] = tcsi_measure_get(&measures, &tcsi_measure_table[i]);
    return status;
}
