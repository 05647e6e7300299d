/* io/stream_zstd.c -- zstd frames (RFC 8878) by libzstd; the only file that sees zstd.h.
 *
 * Frames may follow each other, skippable ones among them; libzstd moves from one to the next by itself.  A frame that
 * asks for a window above 128 MiB (zstd --long=28 and more) is refused rather than given that memory.
 * libzstd's stable interface has no allocator hook: its memory alone does not go through base/alloc.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "io/stream_codec.h"

#include "base/alloc.h"

#include <zstd.h>

enum { WINDOW_LOG_MAX = 27 };

typedef struct zstd {
    tcsi_decoder base;
    ZSTD_DStream *stream;
    bool complete;
} zstd;

static void destroy(tcsi_decoder *base)
{
    zstd *self = (zstd *)base;
    ZSTD_freeDStream(self->stream);
    tcsi_free(self);
}

static tcs_status decode(tcsi_decoder *base, tcsi_codec_span *span, bool *ret_complete, tcs_error *err)
{
    zstd *self = (zstd *)base;
    ZSTD_inBuffer in = { span->in, span->in_size, 0 };
    ZSTD_outBuffer out = { span->out, span->out_size, 0 };
    size_t moved = 1;
    /* Also with no input left: libzstd may hold output back. */
    while (out.pos < out.size && moved > 0) {
        size_t before = in.pos + out.pos;
        if (in.pos == in.size && self->complete) break;
        size_t code = ZSTD_decompressStream(self->stream, &out, &in);
        if (ZSTD_isError(code)) {
            span->in += in.pos;
            span->in_size -= in.pos;
            return tcsi_fail(err, TCS_E_FORMAT, "the zstd data are corrupt (%s)", ZSTD_getErrorName(code));
        }
        moved = in.pos + out.pos - before;
        self->complete = code == 0;
    }
    span->in += in.pos;
    span->in_size -= in.pos;
    span->out += out.pos;
    span->out_size -= out.pos;
    *ret_complete = self->complete;
    return TCS_OK;
}

tcs_status tcsi_zstd_create(tcsi_decoder **ret_decoder, tcs_error *err)
{
    zstd *self = TCSI_NEW(zstd);
    if (!self) return tcsi_fail_memory(err, "decompression");
    self->base = (tcsi_decoder){ decode, destroy };
    self->stream = ZSTD_createDStream();
    if (!self->stream || ZSTD_isError(ZSTD_DCtx_setParameter(self->stream, ZSTD_d_windowLogMax, WINDOW_LOG_MAX))) {
        destroy(&self->base);
        return tcsi_fail_memory(err, "decompression");
    }
    *ret_decoder = &self->base;
    return TCS_OK;
}
