/* kernels/nearest.c -- the search for near points in plain C: the reference of the fast tiers, and the choice of a tier.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/nearest_tier.h"

static size_t count_within(const float *near, size_t count, float limit)
{
    uint32_t within = 0;
    for (size_t i = 0; i < count; i++) within += near[i] <= limit;
    return within;
}

static float row_distance(const float *a, const float *b, size_t size)
{
    float sums[TCSI_ROW_STEP] = { 0 }, sum = 0;
    for (size_t i = 0; i < size; i += TCSI_ROW_STEP)
        for (size_t j = 0; j < TCSI_ROW_STEP; j++) {
            float difference = a[i + j] - b[i + j];
            sums[j] += difference * difference;
        }
    for (size_t j = 0; j < TCSI_ROW_STEP; j++) sum += sums[j];
    return sum;
}

#include "kernels/nearest_common.h"

static uint64_t near_box(const tcsi_seekers *seekers, const float *low, const float *high, size_t axis_count)
{
    float squares[TCSI_BLOCK] = { 0 };
    uint64_t near = 0;
    for (size_t a = 0; a < axis_count; a++)
        for (size_t j = 0; j < TCSI_BLOCK; j++) {
            float value = seekers->block.points[a * TCSI_BLOCK + j], below = low[a] - value, above = value - high[a];
            float gap = below > above ? below : above;
            gap = gap > 0 ? gap : 0;
            squares[j] += gap * gap;
        }
    for (size_t j = 0; j < TCSI_BLOCK; j++) near |= (uint64_t)(squares[j] <= seekers->limits[j]) << j;
    return near;
}

enum { TOGETHER = 8 }; /* points whose sums compilers keep in registers */

static void scan_direct(const float *query, const tcsi_block *block, size_t axis_count, float *ret_squares)
{
    for (size_t begin = 0; begin < TCSI_BLOCK; begin += TOGETHER) {
        const float *points = block->points + begin;
        float sums[TOGETHER] = { 0 };
        for (size_t a = 0; a < axis_count; a++)
            for (size_t j = 0; j < TOGETHER; j++) {
                float difference = points[a * TCSI_BLOCK + j] - query[a * TCSI_BLOCK];
                sums[j] += difference * difference;
            }
        memcpy(ret_squares + begin, sums, sizeof sums);
    }
}

/* Bits of the points within reach. */
static uint64_t scan_product(const tcsi_seekers *seekers, uint32_t number, const tcsi_block *block)
{
    const int16_t *query = seekers->block.grains + 2 * number;
    uint64_t bits = 0;
    for (size_t begin = 0; begin < TCSI_BLOCK; begin += TOGETHER) {
        const int16_t *points = block->grains + 2 * begin;
        int32_t sums[2 * TOGETHER] = { 0 };
        for (size_t a = 0; a < seekers->lead_count * TCSI_BLOCK; a += 2 * TCSI_BLOCK)
            for (size_t j = 0; j < 2 * TOGETHER; j++) sums[j] += points[a + j] * query[a + j % 2];
        for (size_t j = 0; j < TOGETHER; j++) {
            int32_t value = block->halves[begin + j] - sums[2 * j] - sums[2 * j + 1];
            bits |= (uint64_t)(value <= seekers->reaches[number]) << (begin + j);
        }
    }
    return bits;
}

static uint64_t within_bits(const float *squares, float limit)
{
    uint64_t bits = 0;
    for (size_t j = 0; j < TCSI_BLOCK; j++) bits |= (uint64_t)(squares[j] <= limit) << j;
    return bits;
}

static uint64_t scan(tcsi_seekers *seekers, uint64_t chosen, const tcsi_block *block)
{
    const uint64_t used = used_bits(block);
    left_over left;
    left.seekers = 0;
    for (uint64_t rest = chosen; rest; rest &= rest - 1) {
        uint32_t number = tcsi_lowest_bit(rest);
        float squares[TCSI_BLOCK];
        uint64_t bits;
        if (seekers->product >> number & 1) bits = scan_product(seekers, number, block);
        else {
            scan_direct(seekers->block.points + number, block, seekers->lead_count, squares);
            bits = within_bits(squares, seekers->limits[number]);
        }
        bits &= used;
        if (!bits) continue;
        left.bits[number] = bits;
        left.seekers |= (uint64_t)1 << number;
        if (seekers->row_size == 0) take(seekers, number, squares, bits, block);
    }
    if (seekers->row_size > 0) take_pairs(seekers, &left, block);
    return marked(seekers, left.seekers);
}

static void nearest(const tcsi_seekers *seekers, const tcsi_block *block, size_t k, float *ret_squares)
{
    for (size_t i = 0; i < TCSI_BLOCK; i++) {
        float squares[TCSI_BLOCK], best[TCSI_SEED_MAX];
        scan_direct(seekers->block.points + i, block, seekers->lead_count, squares);
        for (size_t j = 0; j < k; j++) best[j] = INFINITY;
        for (size_t p = 0; p < block->count; p++)
            for (size_t j = 0; j < k; j++) { /* what is less stays, what is more goes on */
                float less = squares[p] < best[j] ? squares[p] : best[j], more = squares[p] < best[j] ? best[j] : squares[p];
                best[j] = less;
                squares[p] = more;
            }
        ret_squares[i] = best[k - 1];
    }
}

static size_t keep_within(tcsi_near_list list, size_t count, float limit)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        float near = list.near[i];
        list.near[kept] = near;
        list.at[kept] = list.at[i];
        kept += near <= limit;
    }
    return kept;
}

static void rotate(const double *matrix, const double *vector, size_t channel_count, size_t axis_count,
                   double *ret_products)
{
    for (size_t a = 0; a < axis_count; a++) ret_products[a] = 0;
    for (size_t c = 0; c < channel_count; c++)
        for (size_t a = 0; a < axis_count; a++) ret_products[a] += matrix[c * axis_count + a] * vector[c];
}

static const tcsi_nearest_ops reference = {
    .near_box = near_box, .scan = scan, .nearest = nearest, .keep_within = keep_within, .border = border,
    .distances2 = distances2, .rank = rank, .rotate = rotate,
};

const tcsi_nearest_ops *tcsi_nearest_ops_for(tcsi_isa isa)
{
    TCS_ASSERT(tcsi_isa_supported(isa));
#if defined(__x86_64__)
    if (isa == TCSI_ISA_AVX512) return __builtin_cpu_supports("avx512vnni") ? &tcsi_nearest_ops_vnni_avx512 : &tcsi_nearest_ops_avx512;
    if (isa == TCSI_ISA_AVX2) return &tcsi_nearest_ops_avx2;
#endif
    return &reference;
}
