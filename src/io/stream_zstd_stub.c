/* io/stream_zstd_stub.c -- stands in for stream_zstd.c in builds without libzstd.  SPDX-License-Identifier: Apache-2.0 */
#include "io/stream_codec.h"

tcs_status tcsi_zstd_create(tcsi_decoder **ret_decoder, tcs_error *err)
{
    (void)ret_decoder;
    return tcsi_fail(err, TCS_E_UNSUPPORTED, "compressed with zstd, which this build cannot read (configure it with -Dzstd=enabled)");
}
