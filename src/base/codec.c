/* SPDX-License-Identifier: Apache-2.0 */
#include "base/codec.h"

#include <string.h>

tcsi_codec tcsi_codec_save(tcsi_buffer *out, tcs_error *err)
{
    return (tcsi_codec){ .out = out, .err = err };
}

tcsi_codec tcsi_codec_load(const void *bytes, size_t size, tcs_error *err)
{
    return (tcsi_codec){ .in = bytes, .in_size = size, .err = err };
}

bool tcsi_codec_loading(const tcsi_codec *codec)
{
    return !codec->out;
}

tcs_status tcsi_codec_status(const tcsi_codec *codec)
{
    return codec->status;
}

void tcsi_codec_refuse(tcsi_codec *codec, const char *what)
{
    TCS_ASSERT(tcsi_codec_loading(codec));
    if (codec->status == TCS_OK) codec->status = tcsi_fail(codec->err, TCS_E_FORMAT, "saved state: %s", what);
}

/* Saving: where the next bytes go, which count as written.  NULL: the status says why. */
static inline unsigned char *put(tcsi_codec *codec, size_t size)
{
    tcsi_buffer *out = codec->out;
    if (size >= out->capacity - out->size) codec->status = tcsi_buffer_reserve(out, size, codec->err);
    if (codec->status != TCS_OK) return NULL;
    unsigned char *at = (unsigned char *)out->data + out->size;
    out->size += size;
    out->data[out->size] = 0;
    return at;
}

/* Loading: the next bytes, which count as read.  NULL: likewise. */
static inline const unsigned char *get(tcsi_codec *codec, size_t size)
{
    if (size > codec->in_size) {
        codec->status = tcsi_fail(codec->err, TCS_E_FORMAT, "saved state: ends %zu bytes early", size - codec->in_size);
        return NULL;
    }
    const unsigned char *at = codec->in;
    codec->in += size;
    codec->in_size -= size;
    return at;
}

/* A number of `size` bytes in both directions; what does not load stays what it was. */
__attribute__((always_inline)) static inline void number(tcsi_codec *codec, uint64_t *value, size_t size)
{
    if (codec->status != TCS_OK) return;
    uint64_t bits = *value; /* of which the compiler knows that no byte written below is a part */
    if (codec->out) {
        unsigned char *to = put(codec, size);
        for (size_t i = 0; to && i < size; i++) to[i] = (unsigned char)(bits >> 8 * i);
        return;
    }
    const unsigned char *from = get(codec, size);
    if (!from) return;
    bits = 0;
    for (size_t i = 0; i < size; i++) bits |= (uint64_t)from[i] << 8 * i;
    *value = bits;
}

void tcsi_codec_bytes(tcsi_codec *codec, void *bytes, size_t size)
{
    if (codec->status != TCS_OK) return;
    unsigned char *to = codec->out ? put(codec, size) : NULL;
    const unsigned char *from = codec->out ? NULL : get(codec, size);
    if (to && size) memcpy(to, bytes, size);
    if (from && size) memcpy(bytes, from, size);
}

bool tcsi_codec_tag_or(tcsi_codec *codec, const char *tag, const char *before)
{
    char found[4];
    TCS_ASSERT(strlen(tag) == sizeof found && strlen(before) == sizeof found);
    memcpy(found, tag, sizeof found);
    tcsi_codec_bytes(codec, found, sizeof found);
    if (codec->status != TCS_OK || memcmp(found, tag, sizeof found) == 0) return false;
    if (memcmp(found, before, sizeof found) == 0) return true;
    tcsi_codec_refuse(codec, "another kind of state");
    return false;
}

void tcsi_codec_tag(tcsi_codec *codec, const char *tag)
{
    (void)tcsi_codec_tag_or(codec, tag, tag);
}

void tcsi_codec_u64(tcsi_codec *codec, uint64_t *value)
{
    number(codec, value, 8);
}

void tcsi_codec_u32(tcsi_codec *codec, uint32_t *value)
{
    uint64_t wide = *value;
    number(codec, &wide, 4);
    *value = (uint32_t)wide;
}

void tcsi_codec_bool(tcsi_codec *codec, bool *value)
{
    unsigned char byte = *value ? 1 : 0;
    tcsi_codec_bytes(codec, &byte, 1);
    if (codec->out || codec->status != TCS_OK) return;
    if (byte > 1) tcsi_codec_refuse(codec, "a truth value that is neither 0 nor 1");
    *value = byte == 1;
}

void tcsi_codec_i64(tcsi_codec *codec, int64_t *value)
{
    uint64_t bits = (uint64_t)*value;
    tcsi_codec_u64(codec, &bits);
    *value = (int64_t)bits;
}

void tcsi_codec_size(tcsi_codec *codec, size_t *value, size_t value_max)
{
    uint64_t wide = *value;
    TCS_ASSERT(tcsi_codec_loading(codec) || *value <= value_max);
    tcsi_codec_u64(codec, &wide);
    if (codec->out || codec->status != TCS_OK) return;
    if (wide > value_max) {
        tcsi_codec_refuse(codec, "a count beyond its maximum");
        return;
    }
    *value = (size_t)wide;
}

void tcsi_codec_f64(tcsi_codec *codec, double *value)
{
    uint64_t bits;
    memcpy(&bits, value, sizeof bits);
    tcsi_codec_u64(codec, &bits);
    if (codec->status == TCS_OK) memcpy(value, &bits, sizeof bits);
}

void tcsi_codec_f32(tcsi_codec *codec, float *value)
{
    uint32_t bits;
    memcpy(&bits, value, sizeof bits);
    tcsi_codec_u32(codec, &bits);
    if (codec->status == TCS_OK) memcpy(value, &bits, sizeof bits);
}

void tcsi_codec_f64s(tcsi_codec *codec, double *values, size_t count)
{
    for (size_t i = 0; i < count && codec->status == TCS_OK; i++) tcsi_codec_f64(codec, &values[i]);
}

void tcsi_codec_f32s(tcsi_codec *codec, float *values, size_t count)
{
    for (size_t i = 0; i < count && codec->status == TCS_OK; i++) tcsi_codec_f32(codec, &values[i]);
}

void tcsi_codec_u32s(tcsi_codec *codec, uint32_t *values, size_t count)
{
    for (size_t i = 0; i < count && codec->status == TCS_OK; i++) tcsi_codec_u32(codec, &values[i]);
}

uint64_t tcsi_seal(uint64_t hash, const void *bytes, size_t size)
{
    const unsigned char *at = bytes;
    for (size_t i = 0; i < size; i++) hash = (hash ^ at[i]) * 0x100000001b3u;
    return hash;
}

void tcsi_codec_text(tcsi_codec *codec, char *text, size_t size)
{
    size_t length = tcsi_codec_loading(codec) ? 0 : strlen(text);
    tcsi_codec_size(codec, &length, size - 1);
    tcsi_codec_bytes(codec, text, length);
    text[tcsi_codec_status(codec) == TCS_OK ? length : 0] = 0;
}
