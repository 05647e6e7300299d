/* kernels/nearest_lanes.h -- the search for near points in wide registers; included once per tier by nearest_avx2.c and
 * nearest_avx512.c, which first take FLOATS and the floats_... operations from floats_TIER.h and define how many registers
 * of sums the product form keeps for each of its four points (WIDE).
 * A leaf is PARTS registers a channel.  Both forms keep eight or more sums that do not wait for each other; the product form
 * loads a leaf's values once for four points. */
#include "kernels/nearest_tier.h"

#include "kernels/nearest_common.h"

enum { PARTS = TCSI_LEAF / FLOATS };

#if defined(__clang__)
#define UNROLL
#else
#define UNROLL _Pragma("GCC unroll 8")
#endif

/* The points in use among FLOATS from begin. */
static inline uint32_t valid_bits(const tcsi_leaf *leaf, size_t begin)
{
    const uint32_t all = (uint32_t)(((uint64_t)1 << FLOATS) - 1);
    if (leaf->count >= begin + FLOATS) return all;
    return leaf->count <= begin ? 0 : ((uint32_t)1 << (leaf->count - begin)) - 1;
}

/* Appends what is within limit of count registers of squares, which are those of the leaf from begin. */
static inline size_t append(const floats *squares, size_t count, const tcsi_leaf *leaf, size_t begin, float limit, tcsi_near_list out)
{
    floats reach = floats_set(limit);
    uint32_t hits[PARTS], any = 0;
    size_t found = 0;
    UNROLL for (size_t v = 0; v < count; v++) any |= hits[v] = floats_within(squares[v], reach) & valid_bits(leaf, begin + v * FLOATS);
    if (!any) return 0;
    UNROLL for (size_t v = 0; v < count; v++)
        found += floats_append(hits[v], squares[v], leaf->first + (uint32_t)(begin + v * FLOATS), out.near + found, out.at + found);
    return found;
}

/* Where a leaf is few registers, two channels a turn make eight sums of them. */
static size_t scan(const float *point, const tcsi_leaf *leaf, size_t channel_count, float limit, tcsi_near_list out)
{
    enum { TURN = PARTS < 8 ? 2 : 1 };
    floats sums[TURN * PARTS];
    size_t c = 0;
    UNROLL for (size_t v = 0; v < TURN * PARTS; v++) sums[v] = floats_set(0);
    for (; c + TURN <= channel_count; c += TURN)
        UNROLL for (size_t v = 0; v < TURN * PARTS; v++) {
            floats difference = floats_sub(floats_load(leaf->points + c * TCSI_LEAF + v * FLOATS), floats_set(point[c + v / PARTS]));
            sums[v] = floats_fma(difference, difference, sums[v]);
        }
    for (; c < channel_count; c++)
        UNROLL for (size_t v = 0; v < PARTS; v++) {
            floats difference = floats_sub(floats_load(leaf->points + c * TCSI_LEAF + v * FLOATS), floats_set(point[c]));
            sums[v] = floats_fma(difference, difference, sums[v]);
        }
    UNROLL for (size_t v = PARTS; v < TURN * PARTS; v++) sums[v - PARTS] = floats_add(sums[v - PARTS], sums[v]);
    return append(sums, PARTS, leaf, 0, limit, out);
}

static void scan_four(const float *const *points, const float *squares, const tcsi_leaf *leaf, size_t channel_count,
                      const float *limits, const tcsi_near_list *out, size_t *ret_found)
{
    for (size_t i = 0; i < 4; i++) ret_found[i] = 0;
    for (size_t begin = 0; begin < TCSI_LEAF; begin += WIDE * FLOATS) {
        floats sums[4][WIDE];
        const float *p0 = points[0], *p1 = points[1], *p2 = points[2], *p3 = points[3];
        UNROLL for (size_t v = 0; v < WIDE; v++) {
            sums[0][v] = floats_load(leaf->halves + begin + v * FLOATS);
            sums[1][v] = sums[2][v] = sums[3][v] = sums[0][v];
        }
        for (size_t c = 0; c < channel_count; c++)
            UNROLL for (size_t v = 0; v < WIDE; v++) {
                floats values = floats_load(leaf->points + c * TCSI_LEAF + begin + v * FLOATS);
                sums[0][v] = floats_fnma(values, floats_set(p0[c]), sums[0][v]);
                sums[1][v] = floats_fnma(values, floats_set(p1[c]), sums[1][v]);
                sums[2][v] = floats_fnma(values, floats_set(p2[c]), sums[2][v]);
                sums[3][v] = floats_fnma(values, floats_set(p3[c]), sums[3][v]);
            }
        UNROLL for (size_t i = 0; i < 4; i++) {
            UNROLL for (size_t v = 0; v < WIDE; v++)
                sums[i][v] = floats_max(floats_fma(floats_set(2), sums[i][v], floats_set(squares[i])), floats_set(0));
            tcsi_near_list end = { out[i].near + ret_found[i], out[i].at + ret_found[i] };
            ret_found[i] += append(sums[i], WIDE, leaf, begin, limits[i], end);
        }
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

#define NEAREST_OPS                                                                                                            \
    {                                                                                                                          \
        .scan = scan, .scan_four = scan_four, .box_distances = box_distances, .keep_within = keep_within, .border = border,    \
        .distance2 = distance2, .rank = rank,                                                                                  \
    }
