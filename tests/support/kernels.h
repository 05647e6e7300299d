/* tests/support/kernels.h -- what tests of kernels share: arrays whose last byte is followed by memory nobody may touch, random
 * contents, and comparison with double precision. */
#ifndef TCS_TEST_KERNELS_H
#define TCS_TEST_KERNELS_H

#include "test.h"

#include <sys/mman.h>

#include "base/rng.h"
#include "golden_blocks.h"
#include "kernels/isa.h"

#define EACH_ISA(isa)                                                           \
    for (tcsi_isa isa = TCSI_ISA_PORTABLE; (int)isa < TCSI_ISA_COUNT; isa = (tcsi_isa)(isa + 1)) \
        if (tcsi_isa_supported(isa))

/* ---- guarded arrays ---- */

enum { GUARDED_COUNT_MAX = 64, GUARDED_CANARY = 0x5A };

typedef struct guarded_block {
    unsigned char *pages; /* size bytes and a page that nobody may touch */
    size_t size, used;    /* the array is the last used bytes of size */
} guarded_block;

static guarded_block guarded_blocks[GUARDED_COUNT_MAX];
static size_t guarded_count;

/* count zeros; reading or writing beyond them is a crash, writing before them is found by guarded_release. */
static inline float *guarded(size_t count)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), used = count * sizeof(float), size = (used + 2 * page) / page * page;
    void *block = NULL;
    assert_true(posix_memalign(&block, page, size + page) == 0 && guarded_count < GUARDED_COUNT_MAX);
    unsigned char *pages = block;
    memset(pages, GUARDED_CANARY, size - used);
    memset(pages + size - used, 0, used);
    assert_int_equal(mprotect(pages + size, page, PROT_NONE), 0);
    guarded_blocks[guarded_count++] = (guarded_block){ pages, size, used };
    return (float *)(void *)(pages + size - used);
}

/* Checks and gives back everything that guarded gave. */
static inline void guarded_release(void)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    while (guarded_count > 0) {
        guarded_block *block = &guarded_blocks[--guarded_count];
        for (size_t i = 0; i < block->size - block->used; i++)
            if (block->pages[i] != GUARDED_CANARY) fail_msg("something was written before an array");
        assert_int_equal(mprotect(block->pages + block->size, page, PROT_READ | PROT_WRITE), 0);
        free(block->pages);
    }
}

static inline float *guarded_copy(size_t count, const float *from)
{
    float *copy = guarded(count);
    if (count > 0) memcpy(copy, from, count * sizeof *copy);
    return copy;
}

/* Normal numbers of the given deviation. */
static inline float *guarded_random(tcsi_rng *rng, size_t count, double deviation)
{
    float *values = guarded(count);
    for (size_t i = 0; i < count; i++) values[i] = (float)(deviation * tcsi_rng_normal(rng));
    return values;
}

/* ---- comparison ---- */

static inline bool same_bits(float a, float b)
{
    return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b));
}

static inline void assert_same_bits(const char *what, tcsi_isa isa, size_t count, const float *expected, const float *actual)
{
    for (size_t i = 0; i < count; i++)
        if (!same_bits(expected[i], actual[i]))
            fail_msg("%s, %s: element %zu is %a, expected %a", what, tcsi_isa_name(isa), i, (double)actual[i], (double)expected[i]);
}

/* Off by no more than tolerance times the largest of all expected values, or 1 if they are smaller. */
static inline void assert_all_near(const char *what, tcsi_isa isa, size_t count, const double *expected, const float *actual, double tolerance)
{
    double scale = 1;
    for (size_t i = 0; i < count; i++) scale = isfinite(expected[i]) ? fmax(scale, fabs(expected[i])) : scale;
    for (size_t i = 0; i < count; i++) {
        double error = fabs((double)actual[i] - expected[i]);
        bool alike = (isnan(expected[i]) && isnan(actual[i])) || expected[i] == (double)actual[i];
        if (!alike && !(error <= tolerance * scale))
            fail_msg("%s, %s: element %zu is %.9g, expected %.9g: off by %.2g of the largest", what, tcsi_isa_name(isa), i,
                     (double)actual[i], expected[i], error / scale);
    }
}

static inline void to_doubles(size_t count, const float *from, double *ret_values)
{
    for (size_t i = 0; i < count; i++) ret_values[i] = (double)from[i];
}

/* d objective / d x[i] by central differences in double; x is restored. */
static inline void numeric_gradient(size_t count, double *x, double (*objective)(const void *context), const void *context, double *ret)
{
    const double h = 1e-5;
    for (size_t i = 0; i < count; i++) {
        double kept = x[i];
        x[i] = kept + h;
        double above = objective(context);
        x[i] = kept - h;
        ret[i] = (above - objective(context)) / (2 * h);
        x[i] = kept;
    }
}

/* ---- golden vectors of PyTorch ---- */

#define CELLS_GOLDEN "tests/golden/kernels/cells.txt"

/* The block prefix.name as a guarded array. */
static inline float *golden_floats(const char *prefix, const char *name, size_t *ret_count)
{
    char path[128];
    size_t count;
    snprintf(path, sizeof path, "%s.%s", prefix, name);
    double *values = golden_block(CELLS_GOLDEN, path, &count);
    float *floats = guarded(count);
    for (size_t i = 0; i < count; i++) floats[i] = (float)values[i];
    free(values);
    if (ret_count) *ret_count = count;
    return floats;
}

static inline void assert_golden(const char *prefix, const char *name, tcsi_isa isa, size_t count, const float *actual, double tolerance)
{
    char path[128];
    size_t expected_count;
    snprintf(path, sizeof path, "%s.%s", prefix, name);
    double *expected = golden_block(CELLS_GOLDEN, path, &expected_count);
    assert_int_equal(expected_count, count);
    assert_all_near(path, isa, count, expected, actual, tolerance);
    free(expected);
}

#endif
