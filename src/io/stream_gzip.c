/* io/stream_gzip.c -- gzip (RFC 1952) and raw deflate (RFC 1951) by zlib; the only file that sees zlib.h.
 *
 * A gzip file is one or more members in a row; after each the state is reset and the next begins.  Zero bytes after the
 * last member are padding (tapes and some cameras write them); anything else there is corruption, as a file that lost
 * its head would otherwise be read in half.  zlib allocates through base/alloc.h, so that tests can fail it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "io/stream_codec.h"

#include "base/alloc.h"

#include <limits.h>
#include <zlib.h>

typedef struct gzip {
    tcsi_decoder base;
    z_stream zlib;
    bool inside;  /* of a member */
    bool padding; /* zero bytes were seen after one */
    bool any;     /* one member is complete */
} gzip;

static void *zlib_allocate(void *context, unsigned count, unsigned size)
{
    (void)context;
    return tcsi_alloc_zero(count, size); /* zeroed: zlib reads ahead in its window by design, and checkers would complain */
}

static void zlib_release(void *context, void *block)
{
    (void)context;
    tcsi_free(block);
}

static void destroy(tcsi_decoder *base)
{
    gzip *self = (gzip *)base;
    (void)inflateEnd(&self->zlib);
    tcsi_free(self);
}

static unsigned clamp(size_t size)
{
    return size > UINT_MAX ? UINT_MAX : (unsigned)size;
}

static tcs_status describe(const z_stream *zlib, int code, tcs_error *err)
{
    if (code == Z_MEM_ERROR) return tcsi_fail_memory(err, "decompression");
    return tcsi_fail(err, TCS_E_FORMAT, "the gzip data are corrupt (%s)",
                     zlib->msg ? zlib->msg : code == Z_NEED_DICT ? "needs a dictionary" : "no progress");
}

/* Between members: skips padding, or starts the next one. */
static tcs_status between(gzip *self, tcsi_codec_span *span, tcs_error *err)
{
    while (self->any && span->in_size > 0 && *span->in == 0) {
        self->padding = true;
        span->in++;
        span->in_size--;
    }
    if (span->in_size == 0) return TCS_OK;
    if (self->padding || (self->any && *span->in != 0x1F))
        return tcsi_fail(err, TCS_E_FORMAT, "unexpected bytes follow the end of the gzip data");
    if (self->any && inflateReset(&self->zlib) != Z_OK) return describe(&self->zlib, Z_STREAM_ERROR, err);
    self->inside = true;
    return TCS_OK;
}

static tcs_status decode(tcsi_decoder *base, tcsi_codec_span *span, bool *ret_complete, tcs_error *err)
{
    gzip *self = (gzip *)base;
    tcs_status status = TCS_OK;
    /* Inside a member also without input: a match that did not fit the last output is still held back. */
    while (span->out_size > 0 && (span->in_size > 0 || self->inside)) {
        if (!self->inside) status = between(self, span, err);
        if (status != TCS_OK) return status;
        if (!self->inside) break;
        self->zlib.next_in = (unsigned char *)(uintptr_t)span->in; /* zlib's pointer is not const in every build; it only reads */
        self->zlib.avail_in = clamp(span->in_size);
        self->zlib.next_out = span->out;
        self->zlib.avail_out = clamp(span->out_size);
        int code = inflate(&self->zlib, Z_NO_FLUSH);
        span->in_size -= (size_t)(self->zlib.next_in - span->in);
        span->in = self->zlib.next_in;
        span->out_size -= (size_t)(self->zlib.next_out - span->out);
        span->out = self->zlib.next_out;
        if (code == Z_STREAM_END) {
            self->inside = false;
            self->any = true;
        } else if (code == Z_BUF_ERROR) {
            break; /* needs more of one side */
        } else if (code != Z_OK) {
            return describe(&self->zlib, code, err);
        }
    }
    *ret_complete = self->any && !self->inside;
    return TCS_OK;
}

tcs_status tcsi_gzip_create(tcsi_decoder **ret_decoder, tcs_error *err)
{
    gzip *self = TCSI_NEW(gzip);
    if (!self) return tcsi_fail_memory(err, "decompression");
    self->base = (tcsi_decoder){ decode, destroy };
    self->zlib.zalloc = zlib_allocate;
    self->zlib.zfree = zlib_release;
    if (inflateInit2(&self->zlib, 16 + MAX_WBITS) != Z_OK) {
        tcsi_free(self);
        return tcsi_fail_memory(err, "decompression");
    }
    *ret_decoder = &self->base;
    return TCS_OK;
}

tcs_status tcsi_inflate(const unsigned char *in, size_t in_size, unsigned char *out, size_t out_size, tcs_error *err)
{
    z_stream zlib = { .zalloc = zlib_allocate, .zfree = zlib_release };
    if (inflateInit2(&zlib, -MAX_WBITS) != Z_OK) return tcsi_fail_memory(err, "decompression");
    unsigned char beyond; /* one byte of room more, to notice data longer than stated */
    int code = Z_OK;
    size_t in_left = in_size, out_left = out_size;
    zlib.next_in = (unsigned char *)(uintptr_t)in;
    zlib.next_out = out;
    while (code == Z_OK) {
        if (zlib.avail_in == 0) {
            zlib.avail_in = clamp(in_left);
            in_left -= zlib.avail_in;
        }
        if (zlib.avail_out == 0 && out_left > 0) {
            zlib.avail_out = clamp(out_left);
            out_left -= zlib.avail_out;
        } else if (zlib.avail_out == 0) {
            zlib.next_out = &beyond;
            zlib.avail_out = 1;
        }
        code = inflate(&zlib, Z_NO_FLUSH);
        if (zlib.next_out == &beyond + 1) break;
    }
    bool exact = code == Z_STREAM_END && out_left == 0 && (zlib.next_out == &beyond || zlib.avail_out == 0) && zlib.next_out != &beyond + 1;
    tcs_status status = TCS_OK;
    if (!exact && (code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR))
        status = tcsi_fail(err, TCS_E_FORMAT, "the compressed data do not hold the %zu bytes they claim", out_size);
    else if (!exact) status = describe(&zlib, code, err);
    (void)inflateEnd(&zlib);
    return status;
}
