/* base/codec.h -- one description of a state for both directions.
 * A persist function names each field once, in order; the codec writes it when saving and reads it when loading, so
 * that save and load cannot disagree.  Little-endian, 8-byte floats bit for bit.  Loading checks every length against
 * what is left and against the caller's maximum: a corrupt or truncated state is an error, never a crash.
 * After the first failure every call does nothing; ask tcsi_codec_status once at the end.
 * Threads: one user per codec. */
#ifndef TCS_BASE_CODEC_H
#define TCS_BASE_CODEC_H

#include "base/buffer.h"

typedef struct tcsi_codec {
    tcsi_buffer *out;        /* saving: grows here; NULL when loading */
    const unsigned char *in; /* loading: what is left */
    size_t in_size;
    tcs_status status;
    tcs_error *err;
} tcsi_codec;

tcsi_codec tcsi_codec_save(tcsi_buffer *out, tcs_error *err);
tcsi_codec tcsi_codec_load(const void *bytes, size_t size, tcs_error *err);
bool tcsi_codec_loading(const tcsi_codec *codec);
tcs_status tcsi_codec_status(const tcsi_codec *codec);
/* Loading: records that a field is out of range; saving: an invariant of ours is broken, which asserts. */
void tcsi_codec_refuse(tcsi_codec *codec, const char *what);

void tcsi_codec_tag(tcsi_codec *codec, const char *tag); /* 4 characters; loading requires the same ones */
/* Of a form that was another one before: saving writes tag, loading takes either; true: it is the one before. */
bool tcsi_codec_tag_or(tcsi_codec *codec, const char *tag, const char *before);
void tcsi_codec_bool(tcsi_codec *codec, bool *value);
void tcsi_codec_u32(tcsi_codec *codec, uint32_t *value);
void tcsi_codec_u64(tcsi_codec *codec, uint64_t *value);
void tcsi_codec_i64(tcsi_codec *codec, int64_t *value);
void tcsi_codec_size(tcsi_codec *codec, size_t *value, size_t value_max);
void tcsi_codec_f64(tcsi_codec *codec, double *value);
void tcsi_codec_f32(tcsi_codec *codec, float *value);
/* FNV-1a (G. Fowler, L. Noll, K. Vo, 1991; 64-bit parameters), going on from hash; begin with TCSI_SEAL_BEGIN.  A seal against accidents,
 * not forgers: each step is a bijection of the hash for a given byte, so that any single damaged byte is always noticed. */
#define TCSI_SEAL_BEGIN 0xcbf29ce484222325u
uint64_t tcsi_seal(uint64_t hash, const void *bytes, size_t size);

/* Fixed-length arrays whose count both sides already know. */
void tcsi_codec_f64s(tcsi_codec *codec, double *values, size_t count);
void tcsi_codec_f32s(tcsi_codec *codec, float *values, size_t count);
void tcsi_codec_u32s(tcsi_codec *codec, uint32_t *values, size_t count);
void tcsi_codec_bytes(tcsi_codec *codec, void *bytes, size_t size);
void tcsi_codec_text(tcsi_codec *codec, char *text, size_t size); /* ends with 0 within size, also where loading fails */

#endif
