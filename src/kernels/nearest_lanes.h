/* kernels/nearest_lanes.h -- the search for near points in wide registers; included once per tier by nearest_avx2.c and
 * nearest_avx512.c, which first take FLOATS and the floats_... operations from floats_TIER.h and define how many registers
 * of sums the product form keeps for each of its four points (WIDE).
 * A block is PARTS registers a channel.  Both forms keep eight or more sums that do not wait for each other; the product form
 * loads a block's values once for four points. */
#include "kernels/nearest_tier.h"

static size_t count_within(const float *near, size_t count, float limit)
{
    const floats reach = floats_set(limit);
    size_t within = 0, i = 0;
    for (; i + FLOATS <= count; i += FLOATS) within += (size_t)__builtin_popcount(floats_within(floats_load(near + i), reach));
    if (i == count) return within;
    return within + (size_t)__builtin_popcount(floats_within(floats_load(near + i), reach) & (((uint32_t)1 << (count - i)) - 1));
}

static inline float row_distance(const float *a, const float *b, size_t size)
{
    floats sum = floats_set(0);
    for (size_t i = 0; i < size; i += FLOATS) {
        floats difference = floats_sub(floats_load(a + i), floats_load(b + i));
        sum = floats_fma(difference, difference, sum);
    }
    return floats_sum(sum);
}

#include "kernels/nearest_common.h"
#include "kernels/unroll.h"

enum { PARTS = TCSI_BLOCK / FLOATS };

#define UNROLL TCSI_UNROLL(32)

#define INLINE static inline __attribute__((always_inline))

static uint64_t near_box(const tcsi_seekers *seekers, const float *low, const float *high, size_t axis_count)
{
    floats squares[PARTS];
    uint64_t near = 0;
    UNROLL for (size_t v = 0; v < PARTS; v++) squares[v] = floats_set(0);
    for (size_t a = 0; a < axis_count; a++) {
        floats lowest = floats_set(low[a]), highest = floats_set(high[a]);
        UNROLL for (size_t v = 0; v < PARTS; v++) {
            floats value = floats_load(seekers->block.points + a * TCSI_BLOCK + v * FLOATS);
            floats gap = floats_max(floats_max(floats_sub(lowest, value), floats_sub(value, highest)), floats_set(0));
            squares[v] = floats_fma(gap, gap, squares[v]);
        }
    }
    UNROLL for (size_t v = 0; v < PARTS; v++)
        near |= (uint64_t)floats_within(squares[v], floats_load(seekers->limits + v * FLOATS)) << (v * FLOATS);
    return near;
}

/* Where a block is few registers, two axes a turn make eight sums of them. */
static uint64_t scan_direct(tcsi_seekers *seekers, uint32_t number, const tcsi_block *block)
{
    enum { TURN = PARTS < 8 ? 2 : 1 };
    const float *query = seekers->block.points + number;
    const floats limit = floats_set(seekers->limits[number]);
    const size_t axis_count = seekers->lead_count;
    floats sums[TURN * PARTS];
    uint64_t bits = 0;
    size_t a = 0;
    UNROLL for (size_t v = 0; v < TURN * PARTS; v++) sums[v] = floats_set(0);
    for (; a + TURN <= axis_count; a += TURN)
        UNROLL for (size_t v = 0; v < TURN * PARTS; v++) {
            floats value = floats_set(query[(a + v / PARTS) * TCSI_BLOCK]);
            floats difference = floats_sub(floats_load(block->points + a * TCSI_BLOCK + v * FLOATS), value);
            sums[v] = floats_fma(difference, difference, sums[v]);
        }
    for (; a < axis_count; a++)
        UNROLL for (size_t v = 0; v < PARTS; v++) {
            floats difference = floats_sub(floats_load(block->points + a * TCSI_BLOCK + v * FLOATS), floats_set(query[a * TCSI_BLOCK]));
            sums[v] = floats_fma(difference, difference, sums[v]);
        }
    UNROLL for (size_t v = PARTS; v < TURN * PARTS; v++) sums[v - PARTS] = floats_add(sums[v - PARTS], sums[v]);
    UNROLL for (size_t v = 0; v < PARTS; v++) bits |= (uint64_t)floats_within(sums[v], limit) << (v * FLOATS);
    bits &= used_bits(block);
    if (bits && seekers->row_size == 0) {
        float squares[TCSI_BLOCK];
        UNROLL for (size_t v = 0; v < PARTS; v++) floats_store(squares + v * FLOATS, sums[v]);
        take(seekers, number, squares, bits, block);
    }
    return bits;
}

/* The bits of WIDE registers of values whose negatives are within reach. */
INLINE uint64_t bits_within(const ints *values, int32_t reach)
{
    uint64_t bits = 0;
    UNROLL for (size_t v = 0; v < WIDE; v++) bits |= (uint64_t)ints_within(ints_set(-reach), values[v]) << (v * FLOATS);
    return bits;
}

/* Two axes of one point. */
INLINE ints pair_of(const int16_t *grains)
{
    int32_t pair;
    memcpy(&pair, grains, sizeof pair);
    return ints_set(pair);
}

/* Four seekers at a time: a point's values are loaded once for all of them.  The form's negative, which needs only additions. */
static void scan_product(const tcsi_seekers *seekers, const uint32_t *numbers, const tcsi_block *block, uint64_t *restrict ret_bits)
{
    const int16_t *all = seekers->block.grains;
    const int16_t *q0 = all + 2 * numbers[0], *q1 = all + 2 * numbers[1], *q2 = all + 2 * numbers[2], *q3 = all + 2 * numbers[3];
    const size_t axes_end = seekers->lead_count * TCSI_BLOCK;
    uint64_t b0 = 0, b1 = 0, b2 = 0, b3 = 0;
    for (size_t begin = 0; begin < TCSI_BLOCK; begin += WIDE * FLOATS) {
        const int16_t *points = block->grains + 2 * begin;
        ints s0[WIDE], s1[WIDE], s2[WIDE], s3[WIDE];
        UNROLL for (size_t v = 0; v < WIDE; v++)
            s0[v] = s1[v] = s2[v] = s3[v] = ints_sub(ints_set(0), ints_load(block->halves + begin + v * FLOATS));
        for (size_t a = 0; a < axes_end; a += 2 * TCSI_BLOCK)
            UNROLL for (size_t v = 0; v < WIDE; v++) {
                ints values = ints_load(points + a + 2 * v * FLOATS);
                s0[v] = ints_add_dot(s0[v], values, pair_of(q0 + a));
                s1[v] = ints_add_dot(s1[v], values, pair_of(q1 + a));
                s2[v] = ints_add_dot(s2[v], values, pair_of(q2 + a));
                s3[v] = ints_add_dot(s3[v], values, pair_of(q3 + a));
            }
        b0 |= bits_within(s0, seekers->reaches[numbers[0]]) << begin;
        b1 |= bits_within(s1, seekers->reaches[numbers[1]]) << begin;
        b2 |= bits_within(s2, seekers->reaches[numbers[2]]) << begin;
        b3 |= bits_within(s3, seekers->reaches[numbers[3]]) << begin;
    }
    ret_bits[0] = b0;
    ret_bits[1] = b1;
    ret_bits[2] = b2;
    ret_bits[3] = b3;
}

/* The direct form, four seekers at a time: a point's values are loaded once for all of them. */
static void scan_direct_four(const tcsi_seekers *seekers, const uint32_t *numbers, const tcsi_block *block, float *ret_squares)
{
    const float *all = seekers->block.points;
    const float *q0 = all + numbers[0], *q1 = all + numbers[1], *q2 = all + numbers[2], *q3 = all + numbers[3];
    const size_t axes_end = seekers->lead_count * TCSI_BLOCK;
    for (size_t begin = 0; begin < TCSI_BLOCK; begin += WIDE * FLOATS) {
        const float *points = block->points + begin;
        floats s0[WIDE], s1[WIDE], s2[WIDE], s3[WIDE];
        UNROLL for (size_t v = 0; v < WIDE; v++) s0[v] = s1[v] = s2[v] = s3[v] = floats_set(0);
        for (size_t a = 0; a < axes_end; a += TCSI_BLOCK)
            UNROLL for (size_t v = 0; v < WIDE; v++) {
                floats values = floats_load(points + a + v * FLOATS);
                floats d0 = floats_sub(values, floats_set(q0[a])), d1 = floats_sub(values, floats_set(q1[a]));
                floats d2 = floats_sub(values, floats_set(q2[a])), d3 = floats_sub(values, floats_set(q3[a]));
                s0[v] = floats_fma(d0, d0, s0[v]);
                s1[v] = floats_fma(d1, d1, s1[v]);
                s2[v] = floats_fma(d2, d2, s2[v]);
                s3[v] = floats_fma(d3, d3, s3[v]);
            }
        UNROLL for (size_t v = 0; v < WIDE; v++) {
            floats_store(ret_squares + begin + v * FLOATS, s0[v]);
            floats_store(ret_squares + TCSI_BLOCK + begin + v * FLOATS, s1[v]);
            floats_store(ret_squares + 2 * TCSI_BLOCK + begin + v * FLOATS, s2[v]);
            floats_store(ret_squares + 3 * TCSI_BLOCK + begin + v * FLOATS, s3[v]);
        }
    }
}

/* What four seekers find of a block whose leading axes are all; those beyond count are repetitions. */
static void take_four(tcsi_seekers *seekers, const uint32_t *numbers, size_t count, const tcsi_block *block, left_over *left)
{
    float squares[4 * TCSI_BLOCK];
    scan_direct_four(seekers, numbers, block, squares);
    for (size_t i = 0; i < count; i++) {
        const floats limit = floats_set(seekers->limits[numbers[i]]);
        uint64_t bits = 0;
        UNROLL for (size_t v = 0; v < PARTS; v++)
            bits |= (uint64_t)floats_within(floats_load(squares + i * TCSI_BLOCK + v * FLOATS), limit) << (v * FLOATS);
        bits &= used_bits(block);
        if (!bits) continue;
        take(seekers, numbers[i], squares + i * TCSI_BLOCK, bits, block);
        left->seekers |= (uint64_t)1 << numbers[i];
    }
}

/* Which rows will be needed nobody knows, but most are, by one seeker or another. */
static inline void fetch_rows(const tcsi_seekers *seekers, uint64_t chosen, const tcsi_block *block)
{
    enum { MANY = 8 };
    if (__builtin_popcountll(chosen) < MANY) return;
    for (uint32_t j = 0; j < block->count; j++) tcsi_fetch(block->rows + j * seekers->row_size, seekers->row_size * sizeof(float));
}

INLINE void leave(left_over *left, uint32_t number, uint64_t bits)
{
    left->bits[number] = bits;
    left->seekers |= (uint64_t)(bits != 0) << number;
}

/* The next four of chosen, fewer when there are fewer, which the last then fills up; returns how many. */
static inline uint32_t next_four(uint64_t *chosen, uint32_t *ret_numbers)
{
    uint32_t count = 0;
    for (; count < 4 && *chosen; *chosen &= *chosen - 1) ret_numbers[count++] = tcsi_lowest_bit(*chosen);
    for (uint32_t i = count; i < 4 && count > 0; i++) ret_numbers[i] = ret_numbers[count - 1];
    return count;
}

/* Of a block whose leading axes are all. */
static void scan_whole(tcsi_seekers *seekers, uint64_t chosen, const tcsi_block *block, left_over *left)
{
    enum { FEW = 8 }; /* axes: of more, loading a block once for four pays, though squares are stored in between */
    uint32_t numbers[4];
    while (seekers->lead_count > FEW && (chosen & (chosen - 1))) {
        uint32_t count = next_four(&chosen, numbers);
        take_four(seekers, numbers, count, block, left);
    }
    for (; chosen; chosen &= chosen - 1) {
        uint32_t number = tcsi_lowest_bit(chosen);
        leave(left, number, scan_direct(seekers, number, block));
    }
}

/* Of a block whose leading axes are some of many. */
static void scan_leads(tcsi_seekers *seekers, uint64_t chosen, const tcsi_block *block, left_over *left)
{
    uint64_t product = chosen & seekers->product, rest = chosen & ~seekers->product, bits[4];
    uint32_t numbers[4];
    fetch_rows(seekers, chosen, block);
    while (product & (product - 1)) {
        uint32_t count = next_four(&product, numbers);
        scan_product(seekers, numbers, block, bits);
        for (uint32_t i = 0; i < count; i++) leave(left, numbers[i], bits[i] & used_bits(block));
    }
    for (rest |= product; rest; rest &= rest - 1) {
        uint32_t number = tcsi_lowest_bit(rest);
        leave(left, number, scan_direct(seekers, number, block));
    }
    take_pairs(seekers, left, block);
}

static uint64_t scan(tcsi_seekers *seekers, uint64_t chosen, const tcsi_block *block)
{
    left_over left;
    left.seekers = 0;
    if (seekers->row_size > 0) scan_leads(seekers, chosen, block, &left);
    else scan_whole(seekers, chosen, block, &left);
    return marked(seekers, left.seekers);
}

/* Lanes are seekers here: each keeps its size smallest squares in order, one register a place.  A new square goes down the
 * places: what is less stays, what is more goes on. */
INLINE void nearest_of(const tcsi_seekers *seekers, const tcsi_block *block, size_t begin, size_t k, size_t size, float *ret_squares)
{
    const float *queries = seekers->block.points + begin;
    const size_t axes_end = seekers->lead_count * TCSI_BLOCK;
    floats best[TCSI_SEED_MAX];
    UNROLL for (size_t j = 0; j < size; j++) best[j] = floats_set(INFINITY);
    for (size_t p = 0; p < block->count; p++) {
        floats square = floats_set(0);
        for (size_t a = 0; a < axes_end; a += TCSI_BLOCK) {
            floats difference = floats_sub(floats_load(queries + a), floats_set(block->points[a + p]));
            square = floats_fma(difference, difference, square);
        }
        UNROLL for (size_t j = 0; j < size; j++) {
            floats less = floats_min(square, best[j]);
            square = floats_max(square, best[j]);
            best[j] = less;
        }
    }
    floats kept[TCSI_SEED_MAX];
    UNROLL for (size_t j = 0; j < size; j++) kept[j] = best[j];
    floats_store(ret_squares + begin, kept[k - 1]);
}

static void nearest(const tcsi_seekers *seekers, const tcsi_block *block, size_t k, float *ret_squares)
{
    for (size_t begin = 0; begin < TCSI_BLOCK; begin += FLOATS) {
        if (k <= TCSI_SEED_MAX / 3) nearest_of(seekers, block, begin, k, TCSI_SEED_MAX / 3, ret_squares);
        else nearest_of(seekers, block, begin, k, TCSI_SEED_MAX, ret_squares);
    }
}

static size_t keep_within(tcsi_near_list list, size_t count, float limit)
{
    size_t kept = 0;
    floats reach = floats_set(limit);
    for (size_t i = 0; i < count; i += FLOATS) { /* what is stored stays at or before what was loaded */
        floats near = floats_load(list.near + i);
        uint32_t there = (uint32_t)(((uint64_t)1 << (count - i < FLOATS ? count - i : FLOATS)) - 1);
        kept += floats_keep(floats_within(near, reach) & there, near, list.at + i, list.near + kept, list.at + kept);
    }
    return kept;
}

/* Axes [begin, begin + 4 LANES), or those below the end: their sums stay in registers. */
static void rotate(const double *matrix, const double *vector, size_t channel_count, size_t axis_count, double *ret_products)
{
    enum { TOGETHER = 4 };
    size_t a = 0;
    for (; a + TOGETHER * LANES <= axis_count; a += TOGETHER * LANES) {
        lanes sums[TOGETHER];
        UNROLL for (size_t v = 0; v < TOGETHER; v++) sums[v] = lanes_set(0);
        for (size_t c = 0; c < channel_count; c++)
            UNROLL for (size_t v = 0; v < TOGETHER; v++)
                sums[v] = lanes_fma(lanes_load(matrix + c * axis_count + a + v * LANES), lanes_set(vector[c]), sums[v]);
        UNROLL for (size_t v = 0; v < TOGETHER; v++) lanes_store(ret_products + a + v * LANES, sums[v]);
    }
    for (; a + LANES <= axis_count; a += LANES) {
        lanes even = lanes_set(0), odd = lanes_set(0);
        size_t c = 0;
        for (; c + 2 <= channel_count; c += 2) {
            even = lanes_fma(lanes_load(matrix + c * axis_count + a), lanes_set(vector[c]), even);
            odd = lanes_fma(lanes_load(matrix + (c + 1) * axis_count + a), lanes_set(vector[c + 1]), odd);
        }
        if (c < channel_count) even = lanes_fma(lanes_load(matrix + c * axis_count + a), lanes_set(vector[c]), even);
        lanes_store(ret_products + a, lanes_add(even, odd));
    }
    for (; a < axis_count; a++) {
        double sum = 0;
        for (size_t c = 0; c < channel_count; c++) sum += matrix[c * axis_count + a] * vector[c];
        ret_products[a] = sum;
    }
}

#define NEAREST_OPS                                                                                                                 \
    {                                                                                                                               \
        .near_box = near_box, .scan = scan, .nearest = nearest, .keep_within = keep_within,                                         \
        .border = border, .distances2 = distances2, .rank = rank, .rotate = rotate,                                                 \
    }
