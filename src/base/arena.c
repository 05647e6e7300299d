/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include "base/alloc.h"

#include <string.h>

enum { ARENA_ALIGNMENT = 16, ARENA_CHUNK_SIZE_MIN = 4096 };

struct tcsi_arena_chunk {
    tcsi_arena_chunk *next;
    size_t size, used; /* bytes after the header */
    _Alignas(16) unsigned char bytes[];
};

void tcsi_arena_init(tcsi_arena *arena, size_t size_max)
{
    *arena = (tcsi_arena){ .size_max = size_max };
}

static void free_chunks(tcsi_arena_chunk *chunk)
{
    while (chunk) {
        tcsi_arena_chunk *next = chunk->next;
        tcsi_free(chunk);
        chunk = next;
    }
}

void tcsi_arena_deinit(tcsi_arena *arena)
{
    free_chunks(arena->chunk);
    *arena = (tcsi_arena){ 0 };
}

void tcsi_arena_reset(tcsi_arena *arena)
{
    if (!arena->chunk) return;
    free_chunks(arena->chunk->next); /* the newest is the largest */
    arena->chunk->next = NULL;
    arena->chunk->used = 0;
    arena->size = arena->chunk->size;
}

static bool add_chunk(tcsi_arena *arena, size_t need)
{
    size_t size = arena->chunk ? arena->chunk->size : ARENA_CHUNK_SIZE_MIN / 2;
    size = size > SIZE_MAX / 4 ? need : size * 2;
    if (size < need) size = need;
    if (arena->size_max && size > arena->size_max - arena->size) size = arena->size_max - arena->size;
    if (size < need || size > SIZE_MAX - sizeof(tcsi_arena_chunk)) return false;
    tcsi_arena_chunk *chunk = tcsi_alloc(sizeof *chunk + size);
    if (!chunk) return false;
    *chunk = (tcsi_arena_chunk){ .next = arena->chunk, .size = size };
    arena->chunk = chunk;
    arena->size += size;
    return true;
}

void *tcsi_arena_alloc(tcsi_arena *arena, size_t count, size_t size)
{
    size_t need;
    if (!tcsi_multiply(count, size, &need) || need > SIZE_MAX - ARENA_ALIGNMENT) return NULL;
    need = (need + ARENA_ALIGNMENT - 1) & ~(size_t)(ARENA_ALIGNMENT - 1);
    if ((!arena->chunk || arena->chunk->size - arena->chunk->used < need) && !add_chunk(arena, need)) return NULL;
    void *block = arena->chunk->bytes + arena->chunk->used;
    arena->chunk->used += need;
    return block;
}

char *tcsi_arena_strndup(tcsi_arena *arena, const char *text, size_t length)
{
    char *copy = tcsi_arena_alloc(arena, length + 1, 1);
    if (!copy) return NULL;
    memcpy(copy, text, length);
    copy[length] = 0;
    return copy;
}
