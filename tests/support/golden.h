/* tests/support/golden.h -- reads a golden table: a CSV of numbers with one header line, "nan" for missing. */
#ifndef TCS_TEST_GOLDEN_H
#define TCS_TEST_GOLDEN_H

#include "test.h"

enum { GOLDEN_COLUMN_COUNT_MAX = 16, GOLDEN_ROW_COUNT_MAX = 2000 };

typedef struct golden_table {
    size_t row_count, column_count;
    char names[GOLDEN_COLUMN_COUNT_MAX][32];
    double values[GOLDEN_COLUMN_COUNT_MAX][GOLDEN_ROW_COUNT_MAX];
} golden_table;

/* relative: "tests/golden/detect/x.csv".  Fails the test when the file is absent or not such a table. */
static inline void golden_read(const char *relative, golden_table *ret_table)
{
    char line[2048];
    FILE *file = fopen(test_source(relative), "r");
    assert_non_null(file);
    memset(ret_table, 0, sizeof *ret_table);
    assert_non_null(fgets(line, sizeof line, file));
    for (char *at = line; *at && *at != '\n'; ret_table->column_count++) {
        size_t length = strcspn(at, ",\n");
        assert_true(ret_table->column_count < GOLDEN_COLUMN_COUNT_MAX && length < 32);
        memcpy(ret_table->names[ret_table->column_count], at, length);
        at += length + (at[length] == ',');
    }
    while (fgets(line, sizeof line, file)) {
        char *at = line;
        assert_true(ret_table->row_count < GOLDEN_ROW_COUNT_MAX);
        for (size_t c = 0; c < ret_table->column_count; c++) {
            char *end;
            ret_table->values[c][ret_table->row_count] = strtod(at, &end);
            assert_true(end > at);
            at = *end == ',' ? end + 1 : end;
        }
        ret_table->row_count++;
    }
    fclose(file);
    assert_true(ret_table->row_count > 0);
}

static inline const double *golden_column(const golden_table *table, const char *name)
{
    for (size_t c = 0; c < table->column_count; c++)
        if (strcmp(table->names[c], name) == 0) return table->values[c];
    fail_msg("no golden column '%s'", name);
    return NULL;
}

#endif
