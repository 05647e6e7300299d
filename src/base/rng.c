/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rng.h"

#include "base/status.h"

#include <math.h>

static void philox_block(const tcsi_rng *rng, uint32_t ret_block[4])
{
    uint32_t c0 = (uint32_t)rng->counter, c1 = (uint32_t)(rng->counter >> 32);
    uint32_t c2 = (uint32_t)rng->stream, c3 = (uint32_t)(rng->stream >> 32);
    uint32_t k0 = (uint32_t)rng->seed, k1 = (uint32_t)(rng->seed >> 32);
    for (int round = 0; round < 10; round++) {
        uint64_t a = (uint64_t)0xD2511F53u * c0, b = (uint64_t)0xCD9E8D57u * c2;
        uint32_t n0 = (uint32_t)(b >> 32) ^ c1 ^ k0, n2 = (uint32_t)(a >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)b;
        c3 = (uint32_t)a;
        c0 = n0;
        c2 = n2;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    ret_block[0] = c0;
    ret_block[1] = c1;
    ret_block[2] = c2;
    ret_block[3] = c3;
}

tcsi_rng tcsi_rng_make(uint64_t seed, uint64_t stream)
{
    return (tcsi_rng){ .seed = seed, .stream = stream, .position = 4 };
}

uint32_t tcsi_rng_u32(tcsi_rng *rng)
{
    if (rng->position >= 4) {
        philox_block(rng, rng->block);
        rng->counter++;
        rng->position = 0;
    }
    return rng->block[rng->position++];
}

uint64_t tcsi_rng_u64(tcsi_rng *rng)
{
    uint64_t low = tcsi_rng_u32(rng);
    return low | (uint64_t)tcsi_rng_u32(rng) << 32;
}

double tcsi_rng_uniform(tcsi_rng *rng)
{
    return (double)(tcsi_rng_u64(rng) >> 11) * 0x1p-53;
}

double tcsi_rng_range(tcsi_rng *rng, double low, double high)
{
    return low + (high - low) * tcsi_rng_uniform(rng);
}

size_t tcsi_rng_below(tcsi_rng *rng, size_t count)
{
    TCS_ASSERT(count > 0);
    uint64_t range = count, limit = UINT64_MAX - UINT64_MAX % range, value;
    do value = tcsi_rng_u64(rng);
    while (value >= limit);
    return (size_t)(value % range);
}

double tcsi_rng_normal(tcsi_rng *rng)
{
    if (rng->normal_ready) {
        rng->normal_ready = 0;
        return rng->normal_spare;
    }
    double u, v, s;
    do {
        u = 2.0 * tcsi_rng_uniform(rng) - 1.0;
        v = 2.0 * tcsi_rng_uniform(rng) - 1.0;
        s = u * u + v * v;
    } while (s >= 1.0 || s == 0.0);
    double factor = sqrt(-2.0 * log(s) / s);
    rng->normal_spare = v * factor;
    rng->normal_ready = 1;
    return u * factor;
}

double tcsi_rng_exponential(tcsi_rng *rng)
{
    return -log(1.0 - tcsi_rng_uniform(rng));
}

void tcsi_rng_shuffle(tcsi_rng *rng, size_t *items, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        size_t j = tcsi_rng_below(rng, i), item = items[i - 1];
        items[i - 1] = items[j];
        items[j] = item;
    }
}

void tcsi_rng_sample(tcsi_rng *rng, size_t total, size_t count, size_t *ret_items)
{
    TCS_ASSERT(count <= total);
    size_t found = 0;
    for (size_t high = total - count; high < total; high++) {
        size_t item = tcsi_rng_below(rng, high + 1);
        for (size_t i = 0; i < found; i++)
            if (ret_items[i] == item) {
                item = high;
                break;
            }
        ret_items[found++] = item;
    }
    tcsi_rng_shuffle(rng, ret_items, count);
}
