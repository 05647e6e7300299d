/* The networks that the library brings along find events in series that they were not trained on.  SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/alloc.h"
#include "detect/deep/weights.h"
#include "detect/registry.h"
#include "metrics/curve.h"
#include "nn/safetensors.h"
#include "simulate/series.h"

#include <math.h>

enum { OTHER_SEED = 4711, SERIES = 40, ROWS = 3000 };

static double area(const tcs_score *scores, const uint8_t *labels, size_t rows)
{
    double *values = TCSI_NEW_ARRAY(double, rows);
    tcsi_ranking ranking;
    tcsi_curve curve;
    for (size_t t = 0; t < rows; t++) values[t] = scores[t].value;
    assert_ok(tcsi_ranking_init(values, rows, &ranking, test_err));
    assert_ok(tcsi_curve_init(&ranking, labels, &curve, test_err));
    const double result = tcsi_curve_auc_pr(&curve);
    tcsi_curve_deinit(&curve);
    tcsi_ranking_deinit(&ranking);
    tcsi_free(values);
    return result;
}

/* Mean area under the precision-recall curve over simulated series of another seed; *ret_chance: the mean share of labelled rows. */
static double quality(bool scores, double *ret_chance)
{
    const tcsi_parameter_value parameter = { "scores", scores };
    const tcsi_detector_setup setup = { .channel_count = 1, .parameters = &parameter, .parameter_count = 1 };
    double sum = 0, chance = 0;
    size_t count = 0;
    for (uint64_t stream = 0; stream < SERIES; stream++) {
        const tcsi_series_options options = { .seed = OTHER_SEED, .stream = stream, .scenario = TCSI_SCENARIO_MIXED,
                                              .family = TCSI_FAMILY_ANY, .kind = TCSI_EVENT_ANY, .row_count = ROWS };
        tcsi_series_simulation s;
        tcsi_detector *detector;
        static tcs_score got[ROWS];
        assert_ok(tcsi_series_simulate(&options, &s, test_err));
        assert_ok(tcsi_detector_create(tcsi_registry_find("pretrained"), &setup, &detector, test_err));
        assert_ok(tcsi_detector_score(detector, s.frame, got, test_err));
        if (s.event_count > 0) {
            size_t labelled = 0;
            for (size_t t = 0; t < ROWS; t++) labelled += s.frame->labels[t];
            sum += area(got, s.frame->labels, ROWS);
            chance += (double)labelled / ROWS;
            count++;
        }
        tcsi_detector_destroy(detector);
        tcsi_series_simulation_deinit(&s);
    }
    *ret_chance = chance / (double)count;
    return sum / (double)count;
}

static void test_quality(void **state)
{
    (void)state;
    double chance, with_scores = quality(true, &chance), on_values = quality(false, &chance);
    if (!(with_scores > 0.5 && with_scores > 5 * chance)) fail_msg("on scores %.3f, chance %.3f", with_scores, chance);
    if (!(on_values > 0.35 && on_values > 5 * chance)) fail_msg("on values %.3f, chance %.3f", on_values, chance);
}

/* Each file says how it was made and how good it is; the model card repeats it. */
static void test_notes(void **state)
{
    (void)state;
    static const char *const keys[] = { "made_by", "quality", "license" };
    assert_true(tcsi_weights_count > 0 && tcsi_weights_count <= TCSI_WEIGHTS_MAX);
    for (size_t k = 0; k < tcsi_weights_count; k++)
        for (size_t i = 0; i < TCS_COUNT(keys); i++) {
            tcsi_buffer text;
            tcsi_buffer_init(&text, 10000);
            assert_ok(tcsi_safetensors_note_text(tcsi_weights[k].bytes, *tcsi_weights[k].size, keys[i], &text, test_err));
            assert_true(text.size > 5);
            static const char *const views[] = { "values:", "scores:", "all:", "attention:" };
            if (i == 0) assert_non_null(strstr(text.data, views[tcsi_weights[k].view]));
            tcsi_buffer_deinit(&text);
        }
}

TCS_TEST_MAIN(cmocka_unit_test(test_quality), cmocka_unit_test(test_notes))
