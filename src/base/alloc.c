/* SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static void *malloc_allocate(void *context, size_t size)
{
    (void)context;
    return malloc(size);
}

static void *malloc_reallocate(void *context, void *block, size_t size)
{
    (void)context;
    return realloc(block, size);
}

static void malloc_release(void *context, void *block)
{
    (void)context;
    free(block);
}

static const tcsi_allocator malloc_allocator = { malloc_allocate, malloc_reallocate, malloc_release, NULL };
static tcsi_allocator current = { malloc_allocate, malloc_reallocate, malloc_release, NULL };

void tcsi_allocator_set(const tcsi_allocator *allocator)
{
    current = allocator ? *allocator : malloc_allocator;
    TCS_ASSERT(current.allocate && current.reallocate && current.release);
}

bool tcsi_multiply(size_t a, size_t b, size_t *ret)
{
    return !__builtin_mul_overflow(a, b, ret);
}

size_t tcsi_size_sum(size_t a, size_t b)
{
    return a > SIZE_MAX - b ? SIZE_MAX : a + b;
}

size_t tcsi_size_product(size_t a, size_t b)
{
    size_t product;
    return tcsi_multiply(a, b, &product) ? product : SIZE_MAX;
}

void *tcsi_alloc(size_t size)
{
    return current.allocate(current.context, size ? size : 1);
}

void *tcsi_alloc_array(size_t count, size_t size)
{
    size_t total;
    return tcsi_multiply(count, size, &total) ? tcsi_alloc(total) : NULL;
}

void *tcsi_alloc_zero(size_t count, size_t size)
{
    void *block = tcsi_alloc_array(count, size);
    if (block) memset(block, 0, count * size);
    return block;
}

void *tcsi_realloc_array(void *block, size_t count, size_t size)
{
    size_t total;
    if (!tcsi_multiply(count, size, &total)) return NULL;
    return current.reallocate(current.context, block, total ? total : 1);
}

bool tcsi_grow(void **array, size_t *capacity, size_t count, size_t size, size_t first_capacity)
{
    if (count < *capacity) return true;
    size_t wanted = first_capacity;
    if (*capacity && !tcsi_multiply(*capacity, 2, &wanted)) return false;
    void *block = tcsi_realloc_array(*array, wanted, size);
    if (!block) return false;
    *array = block;
    *capacity = wanted;
    return true;
}

void tcsi_free(void *block)
{
    current.release(current.context, block);
}

char *tcsi_strdup(const char *text)
{
    return tcsi_strndup(text, strlen(text));
}

char *tcsi_strndup(const char *text, size_t length)
{
    char *copy = tcsi_alloc(length + 1);
    if (!copy) return NULL;
    memcpy(copy, text, length);
    copy[length] = 0;
    return copy;
}

/* ---- the counting and failing allocator of the tests ---- */

/* Each block is preceded by its size; 16 bytes keep the alignment of malloc. */
enum { TRACE_HEADER_SIZE = 16 };

static pthread_mutex_t trace_lock = PTHREAD_MUTEX_INITIALIZER;
static tcsi_alloc_stats trace_stats;
static size_t trace_fail_at; /* counts down; 0 = off, 1 = this and all later ones fail */

/* Called with the lock held. */
static bool trace_should_fail(void)
{
    trace_stats.total_count++;
    if (trace_fail_at == 0) return false;
    if (trace_fail_at == 1) return true;
    trace_fail_at--;
    return false;
}

static void trace_add(size_t size)
{
    trace_stats.live_size += size;
    if (trace_stats.live_size > trace_stats.peak_size) trace_stats.peak_size = trace_stats.live_size;
}

static void *trace_reallocate(void *context, void *block, size_t size)
{
    (void)context;
    pthread_mutex_lock(&trace_lock);
    char *result = NULL, *base = block ? (char *)block - TRACE_HEADER_SIZE : NULL;
    size_t old_size = 0;
    if (base) memcpy(&old_size, base, sizeof old_size);
    if (!trace_should_fail() && size <= SIZE_MAX - TRACE_HEADER_SIZE) result = realloc(base, size + TRACE_HEADER_SIZE);
    if (result) {
        memcpy(result, &size, sizeof size);
        if (!base) trace_stats.live_count++;
        trace_stats.live_size -= old_size;
        trace_add(size);
        result += TRACE_HEADER_SIZE;
    }
    pthread_mutex_unlock(&trace_lock);
    return result;
}

static void *trace_allocate(void *context, size_t size)
{
    return trace_reallocate(context, NULL, size);
}

static void trace_release(void *context, void *block)
{
    (void)context;
    if (!block) return;
    size_t size;
    pthread_mutex_lock(&trace_lock);
    memcpy(&size, (char *)block - TRACE_HEADER_SIZE, sizeof size);
    TCS_ASSERT(trace_stats.live_count > 0 && trace_stats.live_size >= size);
    trace_stats.live_count--;
    trace_stats.live_size -= size;
    free((char *)block - TRACE_HEADER_SIZE);
    pthread_mutex_unlock(&trace_lock);
}

void tcsi_alloc_trace_begin(void)
{
    static const tcsi_allocator trace = { trace_allocate, trace_reallocate, trace_release, NULL };
    trace_stats = (tcsi_alloc_stats){ 0 };
    trace_fail_at = 0;
    tcsi_allocator_set(&trace);
}

void tcsi_alloc_trace_end(void)
{
    trace_fail_at = 0;
    tcsi_allocator_set(NULL);
}

void tcsi_alloc_trace_fail_at(size_t allocation_index)
{
    pthread_mutex_lock(&trace_lock);
    trace_fail_at = allocation_index;
    pthread_mutex_unlock(&trace_lock);
}

tcsi_alloc_stats tcsi_alloc_trace_stats(void)
{
    pthread_mutex_lock(&trace_lock);
    tcsi_alloc_stats stats = trace_stats;
    pthread_mutex_unlock(&trace_lock);
    return stats;
}
