/* io/stream_codec.h -- what a decompressor must offer to stand inside a stream; stream_gzip.c and stream_zstd.c do, and
 * so do their stubs in builds without the library.  Only stream.c and zip.c look at this. */
#ifndef TCS_IO_STREAM_CODEC_H
#define TCS_IO_STREAM_CODEC_H

#include "base/status.h"

typedef struct tcsi_codec_span { /* one step of work: both sides move forward */
    const unsigned char *in;
    size_t in_size;
    unsigned char *out;
    size_t out_size;
} tcsi_codec_span;

typedef struct tcsi_decoder tcsi_decoder;
struct tcsi_decoder {
    /* Consumes from span->in and produces into span->out as far as either goes.  *ret_complete: the input so far ends
     * a member, so that the archive may end here.  E_FORMAT when corrupt; the text says what, the caller adds where. */
    tcs_status (*decode)(tcsi_decoder *decoder, tcsi_codec_span *span, bool *ret_complete, tcs_error *err);
    void (*destroy)(tcsi_decoder *decoder);
};

/* E_UNSUPPORTED when the build lacks the library. */
tcs_status tcsi_gzip_create(tcsi_decoder **ret_decoder, tcs_error *err) TCS_WARN_UNUSED;
tcs_status tcsi_zstd_create(tcsi_decoder **ret_decoder, tcs_error *err) TCS_WARN_UNUSED;

/* Raw deflate of a ZIP member, whole: out_size must be exactly what comes out. */
tcs_status tcsi_inflate(const unsigned char *in, size_t in_size, unsigned char *out, size_t out_size, tcs_error *err) TCS_WARN_UNUSED;

#endif
