/* base/snappy.c -- the only file that sees snappy-c.h.  SPDX-License-Identifier: Apache-2.0 */
#include "base/snappy.h"

#include <snappy-c.h>

tcs_status tcsi_snappy_size(const void *bytes, size_t size, size_t size_max, size_t *ret_size, tcs_error *err)
{
    size_t stated;
    if (snappy_uncompressed_length(bytes, size, &stated) != SNAPPY_OK)
        return tcsi_fail(err, TCS_E_FORMAT, "the %zu bytes are no Snappy block, which begins with the size of what it holds", size);
    if (stated > size_max)
        return tcsi_fail(err, TCS_E_LIMIT, "the Snappy block holds %zu bytes, expected at most %zu", stated, size_max);
    *ret_size = stated;
    return TCS_OK;
}

tcs_status tcsi_snappy_decode(const void *bytes, size_t size, void *out, size_t out_size, tcs_error *err)
{
    size_t written = out_size;
    if (snappy_uncompress(bytes, size, out, &written) != SNAPPY_OK || written != out_size)
        return tcsi_fail(err, TCS_E_FORMAT, "the Snappy block is corrupt: it does not hold the %zu bytes that it states", out_size);
    return TCS_OK;
}

size_t tcsi_snappy_size_max(size_t size)
{
    return snappy_max_compressed_length(size);
}

tcs_status tcsi_snappy_encode(const void *bytes, size_t size, void *ret_bytes, size_t *ret_size, tcs_error *err)
{
    *ret_size = snappy_max_compressed_length(size);
    if (snappy_compress(bytes, size, ret_bytes, ret_size) == SNAPPY_OK) return TCS_OK;
    return tcsi_fail(err, TCS_E_INVALID, "%zu bytes could not be compressed by Snappy", size);
}
