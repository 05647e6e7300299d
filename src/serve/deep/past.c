/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/deep/past.h"

#include "base/alloc.h"

#include <string.h>

enum { REFERENCE_SHARE = 5 };

static const size_t WINDOW_SIZE = TCSI_LAST_ROWS * sizeof(int16_t);

static tcs_status ring_init(tcsi_deep_ring *ring, size_t capacity, tcs_error *err)
{
    *ring = (tcsi_deep_ring){ .rows = TCSI_NEW_ARRAY(int16_t, capacity * TCSI_LAST_ROWS), .capacity = capacity };
    return ring->rows ? TCS_OK : tcsi_fail_memory(err, "windows");
}

static void ring_push(tcsi_deep_ring *ring, const int16_t *rows)
{
    memcpy(ring->rows + ring->at * TCSI_LAST_ROWS, rows, WINDOW_SIZE);
    ring->at = (ring->at + 1) % ring->capacity;
    if (ring->count < ring->capacity) ring->count++;
}

static void ring_copy(const tcsi_deep_ring *from, tcsi_deep_ring *to)
{
    TCS_ASSERT(from->capacity == to->capacity);
    memcpy(to->rows, from->rows, from->count * WINDOW_SIZE);
    to->count = from->count;
    to->at = from->at;
}

tcs_status tcsi_deep_past_init(tcsi_deep_past *past, tcs_error *err)
{
    *past = (tcsi_deep_past){ 0 };
    tcs_status status = ring_init(&past->lesson, TCSI_DEEP_LESSON_MAX, err);
    for (size_t i = 0; status == TCS_OK && i < TCSI_QUESTION_SORT_COUNT; i++)
        status = ring_init(&past->references[i], TCSI_DEEP_TAIL_MAX, err);
    return status;
}

void tcsi_deep_past_deinit(tcsi_deep_past *past)
{
    tcsi_free(past->lesson.rows);
    for (size_t i = 0; i < TCSI_QUESTION_SORT_COUNT; i++) tcsi_free(past->references[i].rows);
    *past = (tcsi_deep_past){ 0 };
}

size_t tcsi_deep_past_size(void)
{
    return (TCSI_DEEP_LESSON_MAX + TCSI_QUESTION_SORT_COUNT * (size_t)TCSI_DEEP_TAIL_MAX) * WINDOW_SIZE;
}

void tcsi_deep_past_push(tcsi_deep_past *past, tcsi_question_sort sort, const int16_t rows[TCSI_LAST_ROWS])
{
    const bool is_lesson = sort == TCSI_QUESTION_SAMPLED && past->seen[sort] % REFERENCE_SHARE != 0;
    ring_push(is_lesson ? &past->lesson : &past->references[sort], rows);
    past->seen[sort]++;
}

void tcsi_deep_past_copy(const tcsi_deep_past *from, tcsi_deep_past *to)
{
    ring_copy(&from->lesson, &to->lesson);
    for (size_t i = 0; i < TCSI_QUESTION_SORT_COUNT; i++) {
        ring_copy(&from->references[i], &to->references[i]);
        to->seen[i] = from->seen[i];
    }
}

tcsi_deep_windows tcsi_deep_ring_windows(const tcsi_deep_ring *ring)
{
    return (tcsi_deep_windows){ ring->rows, ring->count };
}
