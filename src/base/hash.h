/* base/hash.h -- SHA-256 (FIPS 180-4) and HMAC-SHA-256 (RFC 2104), on the C library alone.
 * For naming content by what it is, for chains of records that show when one was changed, and for signing what is sent.
 * tcsi_seal (base/codec.h) is faster and enough against accidents; this is for those who might forge.
 * About 250 MB/s of one core.  Threads: one user per struct. */
#ifndef TCS_BASE_HASH_H
#define TCS_BASE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TCSI_HASH_SIZE = 32, TCSI_HASH_TEXT_SIZE = 2 * TCSI_HASH_SIZE + 1 };

typedef struct tcsi_hash {
    uint32_t state[8];
    uint64_t size;           /* bytes taken in */
    unsigned char block[64]; /* what is not a whole block yet: size % 64 bytes */
} tcsi_hash;

void tcsi_hash_init(tcsi_hash *hash);
void tcsi_hash_update(tcsi_hash *hash, const void *bytes, size_t size);
void tcsi_hash_end(tcsi_hash *hash, unsigned char ret_digest[TCSI_HASH_SIZE]); /* hash is used up */

void tcsi_hash_bytes(const void *bytes, size_t size, unsigned char ret_digest[TCSI_HASH_SIZE]);
void tcsi_hash_hmac(const void *key, size_t key_size, const void *bytes, size_t size, unsigned char ret_digest[TCSI_HASH_SIZE]);
void tcsi_hash_text(const unsigned char digest[TCSI_HASH_SIZE], char ret_text[TCSI_HASH_TEXT_SIZE]); /* lower-case hex */

/* Takes the same time wherever a and b differ: for digests, tokens and anything else that somebody might guess byte by byte. */
bool tcsi_hash_equal(const void *a, const void *b, size_t size);

#endif
