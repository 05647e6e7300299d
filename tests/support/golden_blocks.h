/* tests/support/golden_blocks.h -- golden vectors as plain text: blocks of "name count" followed by count numbers.
 * Lines that start with # are comments (generator, versions, seed). */
#ifndef TCS_TEST_GOLDEN_BLOCKS_H
#define TCS_TEST_GOLDEN_BLOCKS_H

#include "test.h"

/* The block called name of the file (relative to the source root), to be released with free; fails the test when absent. */
static inline double *golden_block(const char *file, const char *name, size_t *ret_count)
{
    FILE *stream = fopen(test_source(file), "r");
    char word[256];
    double *values = NULL;
    assert_non_null(stream);
    while (!values && fscanf(stream, "%255s", word) == 1) {
        size_t count = 0;
        if (word[0] == '#') {
            int c;
            while ((c = fgetc(stream)) != '\n' && c != EOF) continue;
            continue;
        }
        assert_int_equal(fscanf(stream, "%zu", &count), 1);
        bool wanted = strcmp(word, name) == 0;
        if (wanted) values = malloc((count ? count : 1) * sizeof *values);
        for (size_t i = 0; i < count; i++) {
            double value;
            assert_int_equal(fscanf(stream, "%lf", &value), 1);
            if (wanted) values[i] = value;
        }
        if (wanted) *ret_count = count;
    }
    fclose(stream);
    if (!values) fail_msg("%s has no block '%s'", file, name);
    return values;
}

#endif
