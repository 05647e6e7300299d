/* kernels/nearest_common.h -- the operations of kernels/nearest.h that every tier compiles from the same plain C, leaving the
 * choice of registers to the compiler; included once per tier by nearest.c and nearest_lanes.h, which define
 * count_within and row_distance first.
 * Lanes are independent and sums have one order, so that every tier gives the same bits. */
#include "kernels/nearest.h"

#include <math.h>
#include <string.h>

/* Bits of the points in use. */
static inline uint64_t used_bits(const tcsi_block *block)
{
    return block->count < TCSI_BLOCK ? ((uint64_t)1 << block->count) - 1 : UINT64_MAX;
}

/* Appends the points whose bits are set, at the squared distances given, to the list of one seeker. */
static inline void take(tcsi_seekers *seekers, uint32_t number, const float *squares, uint64_t bits, const tcsi_block *block)
{
    size_t list = number * seekers->room, count = seekers->counts[number];
    for (; bits; bits &= bits - 1, count++) {
        uint32_t j = tcsi_lowest_bit(bits);
        seekers->near[list + count] = squares[j];
        seekers->at[list + count] = block->first + j;
    }
    seekers->counts[number] = (uint32_t)count;
}

/* Which points of a block the leading axes left to which seekers. */
typedef struct left_over {
    uint64_t seekers;          /* bits of those with any */
    uint64_t bits[TCSI_BLOCK]; /* of points; unset where a seeker has none */
} left_over;

/* Lists the pairs, seeker * TCSI_BLOCK + point; returns how many. */
static size_t list_pairs(const left_over *left, uint16_t *ret_pairs)
{
    size_t count = 0;
    for (uint64_t rest = left->seekers; rest; rest &= rest - 1) {
        uint32_t number = tcsi_lowest_bit(rest);
        for (uint64_t bits = left->bits[number]; bits; bits &= bits - 1)
            ret_pairs[count++] = (uint16_t)(number * TCSI_BLOCK + tcsi_lowest_bit(bits));
    }
    return count;
}

/* Appends the pairs that are near along all axes to the lists. */
static void take_pairs(tcsi_seekers *seekers, const left_over *left, const tcsi_block *block)
{
    uint16_t pairs[TCSI_BLOCK * TCSI_BLOCK];
    const size_t size = seekers->row_size, count = list_pairs(left, pairs);
    for (size_t i = 0; i < count; i++) {
        uint32_t number = pairs[i] / TCSI_BLOCK, point = pairs[i] % TCSI_BLOCK;
        float square = row_distance(seekers->block.rows + number * size, block->rows + point * size, size);
        size_t at = number * seekers->room + seekers->counts[number];
        seekers->near[at] = square;
        seekers->at[at] = block->first + point;
        seekers->counts[number] += square <= seekers->limits[number];
    }
}

static uint64_t marked(const tcsi_seekers *seekers, uint64_t among)
{
    uint64_t told = 0;
    for (; among; among &= among - 1) {
        uint32_t number = tcsi_lowest_bit(among);
        told |= (uint64_t)(seekers->counts[number] >= seekers->marks[number]) << number;
    }
    return told;
}

enum {
    SUMS = 8,   /* partial sums of a double distance: part of the result's definition, not of the machine */
    AHEAD = 16, /* rows asked for before they are needed */
};

static inline double distance2(const double *restrict a, const double *restrict b, size_t channel_count)
{
    double sums[SUMS] = { 0 }, sum = 0;
    size_t i = 0;
    for (; i + SUMS <= channel_count; i += SUMS)
        for (size_t j = 0; j < SUMS; j++) {
            double difference = a[i + j] - b[i + j];
            sums[j] += difference * difference;
        }
    for (; i < channel_count; i++) {
        double difference = a[i] - b[i];
        sum += difference * difference;
    }
    for (size_t j = 0; j < SUMS && channel_count >= SUMS; j++) sum += sums[j];
    return sum;
}

#define DISTANCES2(channels)                                                                                        \
    for (size_t i = 0; i < count; i++) ret_distances[i] = distance2(row, values + (size_t)at[i] * (channels), channels)

/* Few channels are told to the compiler, which then leaves out the loops. */
static void distances2(const double *restrict row, const double *restrict values, size_t channel_count, const uint32_t *restrict at,
                       size_t count, double *restrict ret_distances)
{
    switch (channel_count) {
    case 1: DISTANCES2(1); break;
    case 2: DISTANCES2(2); break;
    case 3: DISTANCES2(3); break;
    case 4: DISTANCES2(4); break;
    case 5: DISTANCES2(5); break;
    case 6: DISTANCES2(6); break;
    case 7: DISTANCES2(7); break;
    default:
        for (size_t i = 0; i < count; i++) {
            if (i + AHEAD < count) tcsi_fetch(values + (size_t)at[i + AHEAD] * channel_count, channel_count * sizeof *values);
            ret_distances[i] = distance2(row, values + (size_t)at[i] * channel_count, channel_count);
        }
        break;
    }
}

static float float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Entries are not negative: their bits have their order. */
static uint32_t largest_bits(const float *near, size_t count)
{
    int32_t largest = 0;
    for (size_t i = 0; i < count; i++) {
        int32_t bits;
        memcpy(&bits, &near[i], sizeof bits);
        largest = bits > largest ? bits : largest;
    }
    return (uint32_t)largest;
}

/* Bisection over the bits.  Mostly the k-th is within a factor of 16 of the largest. */
static float border(const float *near, size_t count, size_t k, size_t slack)
{
    const uint32_t sixteenth = (uint32_t)4 << 23;
    const size_t enough = k + slack;
    uint32_t low = 0, high = largest_bits(near, count);
    if (count <= enough) return float_of(high);
    if (high > sixteenth && count_within(near, count, float_of(high - sixteenth)) < k) low = high - sixteenth + 1;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        size_t within = count_within(near, count, float_of(middle));
        low = within < k ? middle + 1 : low;
        high = within < k ? high : middle;
        if (within >= k && within <= enough) break;
    }
    return float_of(high);
}

/* By counting how many are less, which has no branch to mispredict: the fastest way for a few dozen. */
static bool rank(double *restrict distances, size_t count, uint32_t *restrict ret_ranks)
{
    uint64_t sum = 0;
    size_t padded = (count + SUMS - 1) / SUMS * SUMS;
    for (size_t i = count; i < padded; i++) distances[i] = INFINITY;
    for (size_t i = 0; i < count; i++) {
        uint64_t less = 0;
        double own = distances[i];
        for (size_t j = 0; j < padded; j++) less += distances[j] < own;
        ret_ranks[i] = (uint32_t)less;
        sum += less;
    }
    return count == 0 || sum == (uint64_t)count * (count - 1) / 2;
}
