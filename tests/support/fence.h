/* tests/support/fence.h -- arrays of floats between pages that cannot be touched, and values that find mistakes.
 *
 *     fence x = fence_make(count, true);   the last float ends at the page; false: the first one begins there
 *     fence_fill(&x, rows, columns, stride, FENCE_SPECIAL, &rng);   what is between the rows stays NaN
 *     fence_free(&x);
 *
 * Whoever includes it defines _DEFAULT_SOURCE before the first header. */
#ifndef TCS_FENCE_H
#define TCS_FENCE_H

#include "test.h"

#include "base/rng.h"

#include <sys/mman.h>

typedef struct fence {
    char *pages;
    size_t size; /* of all pages */
    float *data;
    size_t count;
} fence;

/* All NaN. */
static inline fence fence_make(size_t count, bool at_end)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), bytes = count * sizeof(float), inner = (bytes + page) / page * page;
    fence f = { .size = inner + 2 * page, .count = count };
    void *pages = mmap(NULL, f.size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(pages != MAP_FAILED);
    f.pages = pages;
    assert_int_equal(mprotect(f.pages + page, inner, PROT_READ | PROT_WRITE), 0);
    f.data = (float *)(void *)(f.pages + page + (at_end ? inner - bytes : 0));
    for (size_t i = 0; i < count; i++) f.data[i] = NAN;
    return f;
}

static inline void fence_free(fence *f)
{
    munmap(f->pages, f->size);
}

typedef enum fence_values { FENCE_ORDINARY, FENCE_WHOLE_RANGE, FENCE_SPECIAL } fence_values;

static inline float fence_value(fence_values kind, tcsi_rng *rng)
{
    static const float special[] = { 0, -0.0f, 1, -1, 1e-40f, -1e-42f, 3e38f, -3e38f, INFINITY, -INFINITY, NAN, 1.17549435e-38f };
    if (kind == FENCE_ORDINARY) return (float)tcsi_rng_range(rng, -2, 2);
    if (kind == FENCE_WHOLE_RANGE) return ldexpf((float)tcsi_rng_normal(rng), (int)tcsi_rng_range(rng, -100, 60));
    if (tcsi_rng_uniform(rng) < 0.9) return (float)tcsi_rng_normal(rng);
    return special[tcsi_rng_below(rng, TCS_COUNT(special))];
}

static inline void fence_fill(fence *f, size_t rows, size_t columns, size_t stride, fence_values kind, tcsi_rng *rng)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j++) f->data[i * stride + j] = fence_value(kind, rng);
}

/* Bit for bit, but any NaN for any other: which one comes out depends on the order of operands. */
static inline bool fence_same(float a, float b)
{
    return (isnan(a) && isnan(b)) || memcmp(&a, &b, sizeof a) == 0;
}

#endif
