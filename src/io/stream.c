/* io/stream.c -- files, standard input and memory as one source of bytes.
 *
 * A raw source (a descriptor, or nothing behind the memory given) fills a window of input; plain data are copied from
 * it, compressed data go through a decoder.  Plain files skip the window: read() goes straight to the caller.
 * SPDX-License-Identifier: Apache-2.0 */
#include "io/stream.h"

#include "base/alloc.h"
#include "io/stream_codec.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WINDOW_SIZE = 1 << 17, MAGIC_SIZE = 8, READ_SIZE_MAX = 1 << 30 };

struct tcsi_stream {
    char *name;
    int descriptor;           /* -1: memory */
    bool owned;               /* the descriptor is ours to close */
    uint64_t size;            /* of the source; 0 = not known */
    uint64_t offset;          /* bytes taken from the source into the window */
    const unsigned char *in;  /* the window's unread part */
    size_t in_size;
    unsigned char *window;    /* NULL: memory */
    bool in_end;              /* the source has ended */
    tcsi_decoder *decoder;    /* NULL: plain */
    const char *compression;
    bool complete;            /* decoder: the archive may end here */
    unsigned char peeked[TCSI_STREAM_PEEK_SIZE]; /* decoded bytes that were looked at and not yet given out */
    size_t peeked_size;
};

/* Reads from the descriptor, again after a signal. */
static tcs_status read_source(tcsi_stream *stream, void *bytes, size_t size, size_t *ret_size, tcs_error *err)
{
    ssize_t count;
    do count = read(stream->descriptor, bytes, size < READ_SIZE_MAX ? size : READ_SIZE_MAX);
    while (count < 0 && errno == EINTR);
    if (count < 0) return tcsi_fail(err, TCS_E_IO, "%s: cannot be read: %s", stream->name, strerror(errno));
    stream->offset += (uint64_t)count;
    stream->in_end = count == 0;
    *ret_size = (size_t)count;
    return TCS_OK;
}

/* Makes the window hold at least one unread byte, or in_end. */
static tcs_status refill(tcsi_stream *stream, tcs_error *err)
{
    if (stream->in_size > 0 || stream->in_end) return TCS_OK;
    size_t size = 0;
    tcs_status status = read_source(stream, stream->window, WINDOW_SIZE, &size, err);
    stream->in = stream->window;
    stream->in_size = size;
    return status;
}

static tcs_status fail_at(const tcsi_stream *stream, tcs_status status, tcs_error *err)
{
    if (status != TCS_E_MEMORY) tcsi_fail_prefix(err, "%s: at byte %llu", stream->name,
                                                 (unsigned long long)(stream->offset - stream->in_size));
    return status;
}

/* Looks at the first bytes and chooses the decoder.  Some archives are known only to be refused by their name. */
static tcs_status recognise(tcsi_stream *stream, tcs_error *err)
{
    static const struct {
        const char *magic;
        size_t size;
        const char *name;
        tcs_status (*create)(tcsi_decoder **ret_decoder, tcs_error *err);
    } kinds[] = {
        { "\x1F\x8B", 2, "gzip", tcsi_gzip_create },
        { "\x28\xB5\x2F\xFD", 4, "zstd", tcsi_zstd_create },
        { "BZh", 3, "bzip2", NULL },
        { "\xFD" "7zXZ\0", 6, "xz", NULL },
        { "7z\xBC\xAF\x27\x1C", 6, "7-Zip", NULL },
        { "\x04\x22\x4D\x18", 4, "lz4", NULL },
    };
    for (size_t i = 0; i < TCS_COUNT(kinds); i++) {
        if (stream->in_size < kinds[i].size || memcmp(stream->in, kinds[i].magic, kinds[i].size) != 0) continue;
        if (i == 2 && (stream->in_size < 4 || stream->in[3] < '1' || stream->in[3] > '9')) continue; /* a CSV may begin with BZh */
        if (!kinds[i].create)
            return tcsi_fail(err, TCS_E_UNSUPPORTED,
                             "%s: compressed with %s, which is not supported; use gzip or zstd, or decompress it first",
                             stream->name, kinds[i].name);
        tcs_status status = kinds[i].create(&stream->decoder, err);
        if (status != TCS_OK) tcsi_fail_prefix(err, "%s", stream->name);
        stream->compression = kinds[i].name;
        return status;
    }
    return TCS_OK;
}

static tcs_status open_descriptor(tcsi_stream *stream, const char *path, tcs_error *err)
{
    struct stat info;
    stream->descriptor = STDIN_FILENO;
    if (strcmp(path, "-") != 0) {
        stream->descriptor = open(path, O_RDONLY | O_CLOEXEC);
        if (stream->descriptor < 0) return tcsi_fail(err, TCS_E_IO, "%s: cannot be opened: %s", path, strerror(errno));
        stream->owned = true;
    }
    if (fstat(stream->descriptor, &info) != 0) return tcsi_fail(err, TCS_E_IO, "%s: cannot be read: %s", stream->name, strerror(errno));
    if (S_ISDIR(info.st_mode)) return tcsi_fail(err, TCS_E_IO, "%s: is a folder, expected a file", path);
    if (S_ISREG(info.st_mode) && info.st_size > 0) stream->size = (uint64_t)info.st_size;
    stream->window = TCSI_NEW_ARRAY(unsigned char, WINDOW_SIZE);
    if (!stream->window) return tcsi_fail_memory(err, "reading");
    stream->in = stream->window;
    /* A pipe may deliver its first bytes one by one; a terminal its first line. */
    while (stream->in_size < MAGIC_SIZE && !stream->in_end) {
        size_t size = 0;
        tcs_status status = read_source(stream, stream->window + stream->in_size, WINDOW_SIZE - stream->in_size, &size, err);
        if (status != TCS_OK) return status;
        stream->in_size += size;
        if (stream->in_size > 0 && !memchr("\x1F\x28" "B\xFD" "7\x04", stream->in[0], 6)) break; /* no archive begins like this */
    }
    return TCS_OK;
}

static tcs_status create(const char *name, tcsi_stream **ret_stream, tcs_error *err)
{
    tcsi_stream *stream = TCSI_NEW(tcsi_stream);
    if (!stream) return tcsi_fail_memory(err, "reading");
    stream->descriptor = -1;
    stream->compression = "none";
    stream->name = tcsi_strdup(name);
    if (!stream->name) {
        tcsi_free(stream);
        return tcsi_fail_memory(err, "reading");
    }
    *ret_stream = stream;
    return TCS_OK;
}

tcs_status tcsi_stream_open(const char *path, tcsi_stream **ret_stream, tcs_error *err)
{
    tcsi_stream *stream = NULL;
    tcs_status status = create(strcmp(path, "-") == 0 ? "standard input" : path, &stream, err);
    if (status != TCS_OK) return status;
    status = open_descriptor(stream, path, err);
    if (status == TCS_OK) status = recognise(stream, err);
    if (status == TCS_OK) *ret_stream = stream;
    else tcsi_stream_close(stream);
    return status;
}

tcs_status tcsi_stream_open_memory(const void *bytes, size_t size, const char *name, tcsi_stream **ret_stream, tcs_error *err)
{
    tcsi_stream *stream = NULL;
    tcs_status status = create(name, &stream, err);
    if (status != TCS_OK) return status;
    stream->in = bytes;
    stream->in_size = size;
    stream->size = stream->offset = size;
    stream->in_end = true;
    status = recognise(stream, err);
    if (status == TCS_OK) *ret_stream = stream;
    else tcsi_stream_close(stream);
    return status;
}

void tcsi_stream_close(tcsi_stream *stream)
{
    if (!stream) return;
    if (stream->decoder) stream->decoder->destroy(stream->decoder);
    if (stream->owned) close(stream->descriptor);
    tcsi_free(stream->window);
    tcsi_free(stream->name);
    tcsi_free(stream);
}

static tcs_status read_plain(tcsi_stream *stream, void *bytes, size_t size, size_t *ret_size, tcs_error *err)
{
    if (stream->in_size == 0) {
        *ret_size = 0;
        return stream->in_end ? TCS_OK : read_source(stream, bytes, size, ret_size, err);
    }
    size_t count = size < stream->in_size ? size : stream->in_size;
    memcpy(bytes, stream->in, count);
    stream->in += count;
    stream->in_size -= count;
    *ret_size = count;
    return TCS_OK;
}

static tcs_status read_decoded(tcsi_stream *stream, void *bytes, size_t size, size_t *ret_size, tcs_error *err)
{
    for (;;) {
        tcs_status status = refill(stream, err);
        if (status != TCS_OK) return status;
        tcsi_codec_span span = { stream->in, stream->in_size, bytes, size };
        bool exhausted = stream->in_size == 0;
        status = stream->decoder->decode(stream->decoder, &span, &stream->complete, err);
        stream->in = span.in;
        stream->in_size = span.in_size;
        if (status != TCS_OK) return fail_at(stream, status, err);
        *ret_size = size - span.out_size;
        if (*ret_size > 0) return TCS_OK;
        if (!exhausted) continue;
        if (stream->complete) return TCS_OK;
        return tcsi_fail(err, TCS_E_FORMAT, "%s: the %s data are truncated: the file ends at byte %llu in the middle of them",
                         stream->name, stream->compression, (unsigned long long)stream->offset);
    }
}

static tcs_status read_any(tcsi_stream *stream, void *bytes, size_t size, size_t *ret_size, tcs_error *err)
{
    return stream->decoder ? read_decoded(stream, bytes, size, ret_size, err) : read_plain(stream, bytes, size, ret_size, err);
}

tcs_status tcsi_stream_read(tcsi_stream *stream, void *bytes, size_t size, size_t *ret_size, tcs_error *err)
{
    TCS_ASSERT(size > 0);
    if (stream->peeked_size == 0) return read_any(stream, bytes, size, ret_size, err);
    size_t count = size < stream->peeked_size ? size : stream->peeked_size;
    memcpy(bytes, stream->peeked, count);
    stream->peeked_size -= count;
    memmove(stream->peeked, stream->peeked + count, stream->peeked_size);
    *ret_size = count;
    return TCS_OK;
}

tcs_status tcsi_stream_peek(tcsi_stream *stream, const char begin[2], void *bytes, size_t size, size_t *ret_size, tcs_error *err)
{
    TCS_ASSERT(size <= TCSI_STREAM_PEEK_SIZE);
    size_t count = 1;
    while (stream->peeked_size < size && count > 0) {
        tcs_status status = read_any(stream, stream->peeked + stream->peeked_size, size - stream->peeked_size, &count, err);
        if (status != TCS_OK) return status;
        stream->peeked_size += count;
        if (stream->peeked_size > 0 && stream->peeked[0] != (unsigned char)begin[0] && stream->peeked[0] != (unsigned char)begin[1]) break;
    }
    *ret_size = size < stream->peeked_size ? size : stream->peeked_size;
    memcpy(bytes, stream->peeked, *ret_size);
    return TCS_OK;
}

tcs_status tcsi_stream_read_all(tcsi_stream *stream, void *bytes, size_t size, size_t *ret_size, tcs_error *err)
{
    size_t done = 0, count = 1;
    while (done < size && count > 0) {
        tcs_status status = tcsi_stream_read(stream, (char *)bytes + done, size - done, &count, err);
        if (status != TCS_OK) return status;
        done += count;
    }
    *ret_size = done;
    return TCS_OK;
}

const char *tcsi_stream_name(const tcsi_stream *stream)
{
    return stream->name;
}

const char *tcsi_stream_compression(const tcsi_stream *stream)
{
    return stream->compression;
}

double tcsi_stream_progress(const tcsi_stream *stream)
{
    return stream->size > 0 ? (double)(stream->offset - stream->in_size) / (double)stream->size : 0;
}
