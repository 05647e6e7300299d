/* kernels/nearest_common.h -- the operations of kernels/nearest.h that every tier compiles from the same plain C, leaving the
 * choice of registers to the compiler; included once per tier by nearest.c and nearest_lanes.h.
 * Lanes are independent and sums have one order, so that every tier gives the same bits. */
#include "kernels/nearest.h"

#include <math.h>
#include <string.h>

enum { SUMS = 8 }; /* partial sums of a double distance: part of the result's definition, not of the machine */

static void box_distances(const float *restrict points, const float *restrict box, size_t channel_count, float *restrict ret_squares)
{
    for (size_t j = 0; j < TCSI_LEAF; j++) ret_squares[j] = 0;
    for (size_t c = 0; c < channel_count; c++) {
        float low = box[c], high = box[channel_count + c];
        const float *channel = points + c * TCSI_LEAF;
        for (size_t j = 0; j < TCSI_LEAF; j++) {
            float below = low - channel[j], above = channel[j] - high, gap = below > above ? below : above;
            gap = gap > 0 ? gap : 0;
            ret_squares[j] += gap * gap;
        }
    }
}

static double distance2(const double *restrict a, const double *restrict b, size_t channel_count)
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
    for (size_t j = 0; j < SUMS; j++) sum += sums[j];
    return sum;
}

static size_t count_within(const float *near, size_t count, float limit)
{
    uint32_t within = 0;
    for (size_t i = 0; i < count; i++) within += near[i] <= limit;
    return within;
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

/* Bisection over the bits. */
static float border(const float *near, size_t count, size_t k)
{
    uint32_t low = 0, high = largest_bits(near, count);
    if (count <= k + k / 8) return float_of(high);
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        size_t within = count_within(near, count, float_of(middle));
        if (within < k) low = middle + 1;
        else high = middle;
        if (within >= k && within <= k + k / 8) break;
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
