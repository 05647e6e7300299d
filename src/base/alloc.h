/* base/alloc.h -- every allocation of the library goes through here, so that tests can count and fail them.
 * One hook, all three functions or none.  Set it before anything is allocated; it is not changed while in use.
 * Threads: as thread-safe as the hook (the default, malloc, is). */
#ifndef TCS_BASE_ALLOC_H
#define TCS_BASE_ALLOC_H

#include "base/status.h"

typedef struct tcsi_allocator {
    void *(*allocate)(void *context, size_t size);                 /* NULL on failure */
    void *(*reallocate)(void *context, void *block, size_t size);  /* NULL on failure, block then untouched */
    void (*release)(void *context, void *block);                   /* block may be NULL */
    void *context;
} tcsi_allocator;

void tcsi_allocator_set(const tcsi_allocator *allocator); /* NULL: back to malloc */

/* a * b into *ret, false when it does not fit: every size product goes through it. */
bool tcsi_multiply(size_t a, size_t b, size_t *ret) TCS_WARN_UNUSED;
/* For estimates: what does not fit is SIZE_MAX. */
size_t tcsi_size_sum(size_t a, size_t b);
size_t tcsi_size_product(size_t a, size_t b);

/* All return NULL when out of memory or when the size overflows.  A size of zero yields a valid, releasable block. */
void *tcsi_alloc(size_t size) TCS_WARN_UNUSED;                           /* uninitialised */
void *tcsi_alloc_zero(size_t count, size_t size) TCS_WARN_UNUSED;        /* zeroed array */
void *tcsi_alloc_array(size_t count, size_t size) TCS_WARN_UNUSED;       /* uninitialised array */
void *tcsi_realloc_array(void *block, size_t count, size_t size) TCS_WARN_UNUSED;
/* Room for one more element behind `count` of them: the array doubles where it is full, from first_capacity on; false: it is as it was. */
bool tcsi_grow(void **array, size_t *capacity, size_t count, size_t size, size_t first_capacity) TCS_WARN_UNUSED;
void tcsi_free(void *block);
char *tcsi_strdup(const char *text) TCS_WARN_UNUSED;
char *tcsi_strndup(const char *text, size_t length) TCS_WARN_UNUSED;

#define TCSI_NEW(type) ((type *)tcsi_alloc_zero(1, sizeof(type)))
#define TCSI_NEW_ARRAY(type, count) ((type *)tcsi_alloc_array((count), sizeof(type)))      /* uninitialised */
#define TCSI_NEW_ZEROS(type, count) ((type *)tcsi_alloc_zero((count), sizeof(type)))

/* The fault injector used by tests: counts live blocks and bytes, and can fail the n-th allocation from now.
 * Not for production: it takes a lock per call. */
typedef struct tcsi_alloc_stats {
    size_t live_count, live_size, peak_size, total_count;
} tcsi_alloc_stats;

void tcsi_alloc_trace_begin(void);                     /* installs the counting allocator, counters at zero */
void tcsi_alloc_trace_end(void);                       /* back to malloc */
void tcsi_alloc_trace_fail_at(size_t allocation_index); /* 1: the next one fails, and all after it; 0: none */
tcsi_alloc_stats tcsi_alloc_trace_stats(void);

#endif
