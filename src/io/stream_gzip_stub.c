/* io/stream_gzip_stub.c -- stands in for stream_gzip.c in builds without zlib.  SPDX-License-Identifier: Apache-2.0 */
#include "io/stream_codec.h"

static const char sentence[] = "compressed with gzip or deflate, which this build cannot read (configure it with -Dzlib=enabled)";

tcs_status tcsi_gzip_create(tcsi_decoder **ret_decoder, tcs_error *err)
{
    (void)ret_decoder;
    return tcsi_fail(err, TCS_E_UNSUPPORTED, "%s", sentence);
}

tcs_status tcsi_inflate(const unsigned char *in, size_t in_size, unsigned char *out, size_t out_size, tcs_error *err)
{
    (void)in;
    (void)in_size;
    (void)out;
    (void)out_size;
    return tcsi_fail(err, TCS_E_UNSUPPORTED, "%s", sentence);
}
