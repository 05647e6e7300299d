/* store/block.h -- rows of one series as few bytes, column by column, and back bit for bit: NaN payloads, -0.0 and all.
 * What is written is told in block.c.  Decoding takes hostile bytes: E_FORMAT, never more than it was given room for.
 * Threads: reentrant. */
#ifndef TCS_STORE_BLOCK_H
#define TCS_STORE_BLOCK_H

#include "base/buffer.h"

enum { TCSI_BLOCK_ROW_MAX = 1 << 16, TCSI_BLOCK_COLUMN_MAX = 64 /* of each kind */ };

typedef struct tcsi_block_shape {
    size_t row_count, value_count, score_count; /* rows, columns of doubles, columns of floats */
} tcsi_block_shape;

/* times_ns: (row_count), in any order; values: value_count columns of (row_count), scores likewise. */
tcs_status tcsi_block_encode(tcsi_block_shape shape, const int64_t *times_ns, const double *const *values, const float *const *scores,
                             tcsi_buffer *out, tcs_error *err) TCS_WARN_UNUSED; /* appends; E_INVALID: too many rows or columns */
tcs_status tcsi_block_shape_read(const void *bytes, size_t size, tcsi_block_shape *ret_shape, tcs_error *err) TCS_WARN_UNUSED;
/* The arrays as for encoding, with the room that the shape says.  After E_FORMAT what is in them is undefined. */
tcs_status tcsi_block_decode(const void *bytes, size_t size, int64_t *ret_times_ns, double *const *ret_values, float *const *ret_scores,
                             tcs_error *err) TCS_WARN_UNUSED;

#endif
