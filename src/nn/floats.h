/* nn/floats.h -- one zeroed block of floats on a cache line's border, from base/alloc.h. */
#ifndef TCS_NN_FLOATS_H
#define TCS_NN_FLOATS_H

#include "base/status.h"

enum { TCSI_FLOATS_BORDER = 16 }; /* floats: 64 bytes */

typedef struct tcsi_floats {
    void *block;
    float *values; /* NULL before init */
} tcsi_floats;

bool tcsi_floats_init(tcsi_floats *floats, size_t count) TCS_WARN_UNUSED; /* false: out of memory */
void tcsi_floats_deinit(tcsi_floats *floats);                             /* accepts a zeroed struct */

/* count rounded up to a border. */
static inline size_t tcsi_floats_round(size_t count)
{
    return (count + TCSI_FLOATS_BORDER - 1) / TCSI_FLOATS_BORDER * TCSI_FLOATS_BORDER;
}

#endif
