/* base/hash.c -- SHA-256 as FIPS 180-4 section 6.2 writes it: 64 rounds a block over a schedule of 64 words.
 * The plain form, without the processor's own instructions: what is hashed here are documents and bundles, not rows.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"

#include <string.h>

/* The first 32 bits of the fractional parts of the cube roots of the first 64 primes. */
static const uint32_t round_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be,
    0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa,
    0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
    0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
    0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f,
    0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t rotate(uint32_t x, int bits)
{
    return x >> bits | x << (32 - bits);
}

static void schedule(const unsigned char *block, uint32_t w[64])
{
    for (size_t i = 0; i < 16; i++, block += 4)
        w[i] = (uint32_t)block[0] << 24 | (uint32_t)block[1] << 16 | (uint32_t)block[2] << 8 | block[3];
    for (size_t i = 16; i < 64; i++) {
        uint32_t a = w[i - 15], b = w[i - 2];
        w[i] = w[i - 16] + (rotate(a, 7) ^ rotate(a, 18) ^ a >> 3) + w[i - 7] + (rotate(b, 17) ^ rotate(b, 19) ^ b >> 10);
    }
}

static void absorb(uint32_t state[8], const unsigned char *block)
{
    uint32_t w[64], v[8];
    schedule(block, w);
    memcpy(v, state, sizeof v);
    for (size_t i = 0; i < 64; i++) {
        uint32_t a = v[0], e = v[4];
        uint32_t t1 = v[7] + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & v[5]) ^ (~e & v[6])) + round_constants[i] + w[i];
        uint32_t t2 = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2]));
        memmove(v + 1, v, 7 * sizeof *v);
        v[4] += t1;
        v[0] = t1 + t2;
    }
    for (size_t i = 0; i < 8; i++) state[i] += v[i];
}

void tcsi_hash_init(tcsi_hash *hash)
{
    *hash = (tcsi_hash){ .state = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 } };
}

void tcsi_hash_update(tcsi_hash *hash, const void *bytes, size_t size)
{
    const unsigned char *at = bytes;
    while (size > 0) {
        size_t used = hash->size % 64, take = 64 - used < size ? 64 - used : size;
        if (take == 64) {
            absorb(hash->state, at);
        } else {
            memcpy(hash->block + used, at, take);
            if (used + take == 64) absorb(hash->state, hash->block);
        }
        hash->size += take;
        at += take;
        size -= take;
    }
}

void tcsi_hash_end(tcsi_hash *hash, unsigned char ret_digest[TCSI_HASH_SIZE])
{
    static const unsigned char padding[64] = { 0x80 };
    uint64_t bits = hash->size * 8;
    unsigned char length[8];
    for (size_t i = 0; i < 8; i++) length[i] = (unsigned char)(bits >> (56 - 8 * i));
    tcsi_hash_update(hash, padding, 1 + (119 - hash->size % 64) % 64);
    tcsi_hash_update(hash, length, sizeof length);
    for (size_t i = 0; i < TCSI_HASH_SIZE; i++) ret_digest[i] = (unsigned char)(hash->state[i / 4] >> (24 - 8 * (i % 4)));
}

void tcsi_hash_bytes(const void *bytes, size_t size, unsigned char ret_digest[TCSI_HASH_SIZE])
{
    tcsi_hash hash;
    tcsi_hash_init(&hash);
    tcsi_hash_update(&hash, bytes, size);
    tcsi_hash_end(&hash, ret_digest);
}

static void keyed(const unsigned char key[64], unsigned char pad, const void *bytes, size_t size, unsigned char *ret_digest)
{
    unsigned char block[64];
    tcsi_hash hash;
    for (size_t i = 0; i < sizeof block; i++) block[i] = key[i] ^ pad;
    tcsi_hash_init(&hash);
    tcsi_hash_update(&hash, block, sizeof block);
    tcsi_hash_update(&hash, bytes, size);
    tcsi_hash_end(&hash, ret_digest);
}

void tcsi_hash_hmac(const void *key, size_t key_size, const void *bytes, size_t size, unsigned char ret_digest[TCSI_HASH_SIZE])
{
    unsigned char block[64] = { 0 }, inner[TCSI_HASH_SIZE];
    if (key_size > sizeof block) tcsi_hash_bytes(key, key_size, block);
    else if (key_size > 0) memcpy(block, key, key_size);
    keyed(block, 0x36, bytes, size, inner);
    keyed(block, 0x5c, inner, sizeof inner, ret_digest);
}

void tcsi_hash_text(const unsigned char digest[TCSI_HASH_SIZE], char ret_text[TCSI_HASH_TEXT_SIZE])
{
    for (size_t i = 0; i < TCSI_HASH_SIZE; i++) {
        ret_text[2 * i] = "0123456789abcdef"[digest[i] >> 4];
        ret_text[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
    }
    ret_text[2 * TCSI_HASH_SIZE] = 0;
}

bool tcsi_hash_equal(const void *a, const void *b, size_t size)
{
    const volatile unsigned char *x = a, *y = b; /* volatile: no compiler may leave the loop early */
    unsigned char difference = 0;
    for (size_t i = 0; i < size; i++) difference |= (unsigned char)(x[i] ^ y[i]);
    return difference == 0;
}
