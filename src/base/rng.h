/* base/rng.h -- a counter-based random number generator: Philox4x32-10.
 * J. Salmon, M. Moraes, R. Dror, D. Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
 * Block n of stream k under seed s is a pure function of (s, k, n), so that work cut by data draws the same numbers
 * on any number of threads: give each task its own stream.  Not for secrets.
 * Threads: one user per struct. */
#ifndef TCS_BASE_RNG_H
#define TCS_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

typedef struct tcsi_rng {
    uint64_t seed, stream, counter; /* the state is these and position: copy it to fork, save it to resume */
    uint32_t block[4];
    uint32_t position;              /* words of block already given out, 0..4 */
    uint32_t normal_ready;          /* 1: normal_spare holds the second value of a pair */
    double normal_spare;
} tcsi_rng;

tcsi_rng tcsi_rng_make(uint64_t seed, uint64_t stream);
uint32_t tcsi_rng_u32(tcsi_rng *rng);
uint64_t tcsi_rng_u64(tcsi_rng *rng);
double tcsi_rng_uniform(tcsi_rng *rng);                         /* [0, 1), 53 random bits */
double tcsi_rng_range(tcsi_rng *rng, double low, double high);  /* [low, high) */
size_t tcsi_rng_below(tcsi_rng *rng, size_t count);             /* 0..count-1 without bias; count > 0 */
double tcsi_rng_normal(tcsi_rng *rng);                          /* mean 0, deviation 1 (polar method) */
double tcsi_rng_exponential(tcsi_rng *rng);                     /* mean 1 */
void tcsi_rng_shuffle(tcsi_rng *rng, size_t *items, size_t count);
/* count distinct numbers of 0..total-1 in random order (Floyd); count <= total. */
void tcsi_rng_sample(tcsi_rng *rng, size_t total, size_t count, size_t *ret_items);

/* A number's bits, so mixed that each depends on every one: S. Vigna's variant of D. Stafford's thirteenth mixer for MurmurHash3, as
 * SplitMix64 (2015) ends.  For choices that are the same whenever they are made. */
static inline uint64_t tcsi_mix(uint64_t x)
{
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

#endif
