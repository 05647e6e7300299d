/* base/fingerprint.h -- 128 bits that stand for a byte string.
 *
 * MurmurHash3_x64_128 (A. Appleby, public domain, 2011; https://github.com/aappleby/smhasher/wiki/MurmurHash3), byte for byte, so that
 * any other implementation of it is a test of ours and a hash kept in a file can be computed by whoever reads it.  128 bits: among a
 * billion different texts the chance that two share a hash is 2e-21, so that equal hashes may be taken for equal texts.
 * That holds for texts nobody chose for it.  Murmur has texts of equal hash that can be computed, whatever the seed (J.-P. Aumasson,
 * D. Bernstein, 2012), so it is not for secrets, and where somebody gains by making two texts equal their bytes are compared as well.
 * Faster ones exist (XXH3, wyhash); they need tables of secrets or a page of special cases for lengths, and at 200 bytes this one is not
 * what costs: 16 bytes in about 7 cycles.
 * Threads: reentrant. */
#ifndef TCS_BASE_FINGERPRINT_H
#define TCS_BASE_FINGERPRINT_H

#include "base/status.h"

typedef struct tcsi_fingerprint {
    uint64_t low, high;
} tcsi_fingerprint;

/* The same on any machine.  Texts of different kinds take different seeds. */
tcsi_fingerprint tcsi_fingerprint_of(const void *bytes, size_t size, uint32_t seed);

static inline bool tcsi_fingerprint_equal(tcsi_fingerprint a, tcsi_fingerprint b)
{
    return a.low == b.low && a.high == b.high;
}

#endif
