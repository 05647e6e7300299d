/* base/arena.h -- memory that is released all at once.
 * Blocks come from chunks that double in size; reset keeps the largest chunk, so that a loop which resets its arena
 * at the top stops allocating once it has seen its largest turn.  Alignment: 16 bytes.
 * Threads: one user per arena. */
#ifndef TCS_BASE_ARENA_H
#define TCS_BASE_ARENA_H

#include "base/status.h"

typedef struct tcsi_arena_chunk tcsi_arena_chunk;

typedef struct tcsi_arena {
    tcsi_arena_chunk *chunk; /* newest first */
    size_t size_max;         /* bytes it may hold in all; 0 = no limit of its own */
    size_t size;             /* bytes held in chunks */
} tcsi_arena;

void tcsi_arena_init(tcsi_arena *arena, size_t size_max);
void tcsi_arena_deinit(tcsi_arena *arena); /* accepts a zeroed struct */
void tcsi_arena_reset(tcsi_arena *arena);
void *tcsi_arena_alloc(tcsi_arena *arena, size_t count, size_t size) TCS_WARN_UNUSED; /* uninitialised; NULL: no memory or limit */
char *tcsi_arena_strndup(tcsi_arena *arena, const char *text, size_t length) TCS_WARN_UNUSED;

#define TCSI_ARENA_NEW(arena, type, count) ((type *)tcsi_arena_alloc((arena), (count), sizeof(type)))

#endif
