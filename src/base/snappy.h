/* base/snappy.h -- Snappy's block format (https://github.com/google/snappy/blob/main/format_description.txt), as remote-write uses it.
 * A block opens with the size of what it holds, which is all that a decompression bomb needs to say: it is read first and held against
 * the caller's limit before anything is allocated.  Memory is the caller's throughout.
 * Threads: reentrant. */
#ifndef TCS_BASE_SNAPPY_H
#define TCS_BASE_SNAPPY_H

#include "base/status.h"

/* What the block says it holds.  E_FORMAT: no block; E_LIMIT: more than size_max; E_UNSUPPORTED: built without libsnappy. */
tcs_status tcsi_snappy_size(const void *bytes, size_t size, size_t size_max, size_t *ret_size, tcs_error *err) TCS_WARN_UNUSED;
/* Fills out, whose size is that of tcsi_snappy_size. */
tcs_status tcsi_snappy_decode(const void *bytes, size_t size, void *out, size_t out_size, tcs_error *err) TCS_WARN_UNUSED;

/* For tests and senders: the largest block that size bytes can become, and one.  ret_bytes has room for tcsi_snappy_size_max. */
size_t tcsi_snappy_size_max(size_t size);
tcs_status tcsi_snappy_encode(const void *bytes, size_t size, void *ret_bytes, size_t *ret_size, tcs_error *err) TCS_WARN_UNUSED;

#endif
