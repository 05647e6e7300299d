/* tests/support/nn_golden.h -- sets the nets of tests/support/nn_cases.h to the inputs and weights of their golden files and compares.
 *
 * tests/golden/nn/ has one file a case, named as the case in small letters; tests/golden/nn/golden.py says what its blocks are.  A
 * number is right when it is within tolerance times the largest number of its block: a sum's small terms carry the errors of its large
 * ones. */
#ifndef TCS_TEST_NN_GOLDEN_H
#define TCS_TEST_NN_GOLDEN_H

#include "golden_blocks.h"
#include "nn_cases.h"

#include <ctype.h>

static const double NN_GOLDEN_FLOOR = 1e-2; /* a block whose largest number is smaller is compared as if it were this */

/* "Huber loss" -> tests/golden/nn/huber_loss.txt */
static inline const char *nn_golden_file(const nn_case *one)
{
    static char file[256];
    size_t length = (size_t)snprintf(file, sizeof file, "tests/golden/nn/");
    for (const char *at = one->name; *at && length < sizeof file - 5; at++) {
        if (isalnum((unsigned char)*at)) file[length++] = (char)tolower((unsigned char)*at);
        else if (file[length - 1] != '_') file[length++] = '_';
    }
    snprintf(file + length, sizeof file - length, ".txt");
    return file;
}

static inline bool nn_golden_has(const nn_case *one, const char *block)
{
    char line[256];
    FILE *stream = fopen(test_source(nn_golden_file(one)), "r");
    if (!stream) fail_msg("%s is missing: write it with the generator beside it", nn_golden_file(one));
    bool found = false, begins = true; /* of a line: those of numbers are longer than the buffer */
    while (!found && fgets(line, sizeof line, stream)) {
        size_t length = strcspn(line, " ");
        found = begins && strlen(block) == length && memcmp(line, block, length) == 0;
        begins = strchr(line, '\n') != NULL;
    }
    fclose(stream);
    return found;
}

static inline double nn_golden_number(const nn_case *one, const char *block)
{
    size_t count;
    double *values = golden_block(nn_golden_file(one), block, &count), number = values[0];
    assert_int_equal(count, 1);
    free(values);
    return number;
}

/* The block KIND.NAME, or KIND when name is NULL, which must have count numbers. */
static inline double *nn_golden_values(const nn_case *one, const char *kind, const char *name, size_t count)
{
    char block[128];
    size_t found;
    snprintf(block, sizeof block, "%s%s%s", kind, name ? "." : "", name ? name : "");
    double *values = golden_block(nn_golden_file(one), block, &found);
    if (found != count) fail_msg("%s: %s has %zu numbers, the net %zu", one->name, block, found, count);
    return values;
}

static inline void nn_golden_set(const nn_case *one, const char *kind, const char *name, float *values, size_t count)
{
    double *golden = nn_golden_values(one, kind, name, count);
    for (size_t i = 0; i < count; i++) values[i] = (float)golden[i];
    free(golden);
}

static inline void nn_golden_compare(const nn_case *one, const char *kind, const char *name, const float *values, size_t count,
                                     double tolerance)
{
    double *golden = nn_golden_values(one, kind, name, count), scale = NN_GOLDEN_FLOOR;
    for (size_t i = 0; i < count; i++) scale = fmax(scale, fabs(golden[i]));
    for (size_t i = 0; i < count; i++)
        if (!(fabs((double)values[i] - golden[i]) <= tolerance * scale) && !(isnan(values[i]) && isnan(golden[i])))
            fail_msg("%s: %s.%s [%zu of %zu] is %.8g, expected %.8g within %g", one->name, kind, name ? name : "", i, count,
                     (double)values[i], golden[i], tolerance * scale);
    free(golden);
}

/* Builds the case's net with the golden inputs and the weights as they begin.  Operations that draw give their mean. */
static inline void nn_golden_init(nn_bench *bench, const nn_case *one)
{
    assert_ok(nn_bench_init(bench, one, (size_t)nn_golden_number(one, "batch"), test_err));
    bench->run.is_stochastic = false;
    assert_int_equal(bench->net->tensor_count, (size_t)nn_golden_number(one, "tensors"));
    for (size_t k = 0; k < bench->input_count; k++) {
        char name[32];
        snprintf(name, sizeof name, "input%zu", k);
        nn_golden_set(one, name, NULL, bench->values[k], bench->run.batch * bench->counts[k]);
    }
    for (size_t i = 0; i < bench->net->tensor_count; i++) {
        const tcsi_weight *weight = &bench->net->tensors[i];
        nn_golden_set(one, "start", weight->name, tcsi_net_values(bench->net, weight), weight->count);
    }
}

/* The node looked at, after a run. */
static inline void nn_golden_compare_output(const nn_case *one, const char *kind, const nn_bench *bench, const tcsi_plan *plan,
                                            double tolerance)
{
    tcsi_shape shape = tcsi_net_shape(bench->net, bench->looked_at);
    size_t count = bench->run.batch * shape.length * shape.channels;
    nn_golden_compare(one, kind, NULL, tcsi_plan_values(plan, bench->looked_at), count, tolerance);
}

#endif
