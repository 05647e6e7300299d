/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/alloc.h"
#include "base/file.h"
#include "metrics/measures.h"

/* ---- golden vectors ---- */

typedef struct document {
    tcsi_buffer text;
    tcsi_arena arena;
    const tcsi_json_value *root;
} document;

static void document_open(document *d, const char *path)
{
    tcsi_buffer_init(&d->text, (size_t)1 << 28);
    tcsi_arena_init(&d->arena, 0);
    assert_ok(tcsi_file_read(path, &d->text, test_err));
    assert_ok(tcsi_json_parse(d->text.data, d->text.size, &d->arena, &d->root, test_err));
}

static void document_close(document *d)
{
    tcsi_buffer_deinit(&d->text);
    tcsi_arena_deinit(&d->arena);
}

static double *numbers(const tcsi_json_value *array)
{
    double *values = malloc((array->item_count + 1) * sizeof *values);
    for (size_t i = 0; i < array->item_count; i++)
        values[i] = array->items[i].type == TCSI_JSON_NUMBER ? array->items[i].number : NAN;
    return values;
}

static uint8_t *labels_of(const tcsi_json_value *events, size_t row_count)
{
    uint8_t *labels = calloc(row_count, 1);
    for (size_t k = 0; k < events->item_count; k++)
        for (size_t i = (size_t)events->items[k].items[0].number; i < (size_t)events->items[k].items[1].number; i++) labels[i] = 1;
    return labels;
}

static const char *const suite_names[][2] = {
    { "AUC-PR", "auc_pr" }, { "AUC-ROC", "auc_roc" }, { "VUS-PR", "vus_pr" }, { "VUS-ROC", "vus_roc" }, { "Standard-F1", "f1" },
    { "PA-F1", "f1_point_adjusted" }, { "Event-based-F1", "f1_event" }, { "R-based-F1", "f1_range" }, { "Affiliation-F", "f1_affiliation" },
};

static void test_published_values(void **state)
{
    (void)state;
    const char *path = test_shared("golden/metrics.json");
    if (!path) skip();
    document d;
    document_open(&d, path);
    const tcsi_json_value *cases = tcsi_json_get(d.root, "cases");
    assert_int_equal(cases->item_count, 12);
    for (size_t c = 0; c < cases->item_count; c++) {
        const tcsi_json_value *one = &cases->items[c];
        size_t n = (size_t)tcsi_json_get(one, "n")->number;
        double *scores = numbers(tcsi_json_get(one, "scores"));
        uint8_t *labels = labels_of(tcsi_json_get(one, "events"), n);
        tcsi_measures_options options = tcsi_measures_options_default();
        options.window = (size_t)tcsi_json_get(one, "window")->number;
        tcsi_measures m;
        assert_ok(tcsi_measures_compute(scores, labels, n, &options, &m, test_err));
        const tcsi_json_value *expected = tcsi_json_get(one, "metrics");
        assert_int_equal(expected->item_count, TCS_COUNT(suite_names));
        for (size_t i = 0; i < TCS_COUNT(suite_names); i++) {
            double want = tcsi_json_get(expected, suite_names[i][0])->number;
            double got = tcsi_measure_get(&m, tcsi_measure_find(suite_names[i][1]));
            if (fabs(want - got) > 1e-9 * fabs(want)) 
                print_message("case %s, %s: %.17g, expected %.17g\n", tcsi_json_get(one, "name")->text, suite_names[i][1], got, want);
            assert_true(fabs(want - got) <= 1e-9 * fabs(want));
        }
        free(scores);
        free(labels);
    }
    document_close(&d);
}

TCS_TEST_MAIN(cmocka_unit_test(test_published_values))
