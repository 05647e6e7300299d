/* tests/fuzz/prometheus.c -- answers of a Prometheus server: one or two of them (a NUL parts them) joined in one matrix. */
#include "fuzz.h"

#include "io/prometheus.h"

static void check_series(const tcsi_prometheus_matrix *matrix, size_t index)
{
    const tcsi_prometheus_series *series = &matrix->series[index];
    for (size_t i = 0; i < series->count; i++) FUZZ_REQUIRE(i == 0 || series->times_ms[i - 1] < series->times_ms[i]);
    for (size_t i = 1; i < series->label_count; i++) FUZZ_REQUIRE(strcmp(series->labels[i - 1].name, series->labels[i].name) <= 0);
    for (size_t i = 0; i < index; i++) FUZZ_REQUIRE(strcmp(matrix->series[i].key, series->key) != 0);
    tcsi_buffer name;
    tcs_error err;
    tcsi_buffer_init(&name, 1 << 24);
    FUZZ_REQUIRE(tcsi_prometheus_name(matrix, index, &name, &err) == TCS_OK && name.size <= strlen(series->key) + 2);
    tcsi_buffer_deinit(&name);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    tcsi_prometheus_matrix matrix;
    tcs_error err = { 0 };
    const char *text = (const char *)bytes, *part = size > 0 ? memchr(text, 0, size) : NULL;
    size_t first = part ? (size_t)(part - text) : size;
    tcsi_prometheus_matrix_init(&matrix);
    tcs_status status = tcsi_prometheus_parse(&matrix, text, first, &err);
    if (status == TCS_OK && part) status = tcsi_prometheus_parse(&matrix, part + 1, size - first - 1, &err);
    FUZZ_REQUIRE(status == TCS_OK || (err.status == status && strlen(err.text) > 5));
    if (status == TCS_OK) FUZZ_REQUIRE(tcsi_prometheus_compare(&matrix, &err) == TCS_OK);
    for (size_t i = 0; status == TCS_OK && i < matrix.count; i++) check_series(&matrix, i);
    for (const char *c = matrix.warning; *c; c++) FUZZ_REQUIRE((unsigned char)*c >= ' ');
    tcsi_prometheus_matrix_deinit(&matrix);
    return 0;
}
