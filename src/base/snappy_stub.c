/* base/snappy_stub.c -- stands in for base/snappy.c in builds without libsnappy.  SPDX-License-Identifier: Apache-2.0 */
#include "base/snappy.h"

static tcs_status refuse(tcs_error *err)
{
    return tcsi_fail(err, TCS_E_UNSUPPORTED, "Snappy: this tocsin was built without libsnappy");
}

tcs_status tcsi_snappy_size(const void *bytes, size_t size, size_t size_max, size_t *ret_size, tcs_error *err)
{
    (void)bytes, (void)size, (void)size_max, (void)ret_size;
    return refuse(err);
}

tcs_status tcsi_snappy_decode(const void *bytes, size_t size, void *out, size_t out_size, tcs_error *err)
{
    (void)bytes, (void)size, (void)out, (void)out_size;
    return refuse(err);
}

size_t tcsi_snappy_size_max(size_t size)
{
    return size;
}

tcs_status tcsi_snappy_encode(const void *bytes, size_t size, void *ret_bytes, size_t *ret_size, tcs_error *err)
{
    (void)bytes, (void)size, (void)ret_bytes, (void)ret_size;
    return refuse(err);
}
