/* tests/support/vectors.h -- reads named runs of numbers from a golden text file: a line "name count", then the numbers.
 *     double *x = test_vector("tests/golden/series/series.txt", "series.sine", &count);   ... test_free(x);
 * A missing file or name fails the test. */
#ifndef TCS_TEST_VECTORS_H
#define TCS_TEST_VECTORS_H

#include "test.h"

static inline double *test_vector(const char *file, const char *name, size_t *ret_count)
{
    FILE *stream = fopen(test_source(file), "r");
    *ret_count = 0;
    char found[128];
    size_t count;
    if (!stream) fail_msg("%s cannot be opened", file);
    while (fscanf(stream, "%127s %zu", found, &count) == 2) {
        double *values = test_malloc((count + 1) * sizeof *values);
        for (size_t i = 0; i < count; i++)
            if (fscanf(stream, "%lf", &values[i]) != 1) fail_msg("%s: %s has fewer than %zu numbers", file, found, count);
        if (strcmp(found, name) == 0) {
            fclose(stream);
            *ret_count = count;
            return values;
        }
        test_free(values);
    }
    fclose(stream);
    fail_msg("%s: no vector named %s", file, name);
    return NULL;
}

#endif
