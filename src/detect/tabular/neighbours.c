/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/tabular/neighbours.h"

#include "base/alloc.h"
#include "detect/tabular/clones.h"
#include "detect/tabular/table.h"
#include "kernels/isa.h"
#include "series/stats.h"

#include <float.h>
#include <math.h>
#include <string.h>
#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#endif

enum {
    LEAF = 64,     /* rows in a leaf: 4 vectors of 16 floats */
    LANES = 8,     /* partial sums of a double distance: part of the result's definition, not of the machine */
    BOX_CHANNELS_MAX = 12, /* beyond, a query's own box test costs more than it saves */
    ALIGNMENT = 64,        /* bytes: a cache line and a vector */
    RANKED_MAX = 128,      /* candidates that are sorted by counting; a multiple of LANES */
    STACK = 128,   /* nodes waiting in a walk: at most one a level, and levels are at most 32 */
};

typedef struct node {
    uint32_t begin, end;  /* rows, in the tree's order */
    uint32_t left, right; /* 0: a leaf (the root is nobody's child) */
} node;

struct tcsi_neighbours {
    size_t row_count, channel_count, node_count;
    uint32_t *order;   /* (R): tree order -> row number */
    uint32_t *place;   /* (R): row number -> tree order */
    double *values;    /* (R,C) in tree order */
    float *floats_block;
    float *floats;     /* (leaves,C,LEAF) in floats_block, on a 64-byte border; centred and scaled; 0 in unused lanes */
    float *halves;     /* (leaves,LEAF): half the squared norm of the floats */
    float *leaf_norms; /* (leaves): a bound of the norms of their floats */
    float norm_max;    /* the largest of them */
    double *boxes;     /* (nodes,2,C): lowest and highest */
    double *centres;   /* (C) */
    double scale;      /* a power of two */
    node *nodes;
    uint32_t *leaf_nodes; /* (leaves): each leaf's node */
};

/* ---- distances ---- */

/* Lanes are summed apart and then in one fixed order, so that every processor gives the same bits. */
TCSI_CLONES
static double distance2(const double *restrict a, const double *restrict b, size_t count)
{
    double lanes[LANES] = { 0 }, sum = 0;
    size_t i = 0;
    for (; i + LANES <= count; i += LANES)
        for (size_t j = 0; j < LANES; j++) {
            double difference = a[i + j] - b[i + j];
            lanes[j] += difference * difference;
        }
    for (; i < count; i++) {
        double difference = a[i] - b[i];
        sum += difference * difference;
    }
    for (size_t j = 0; j < LANES; j++) sum += lanes[j];
    return sum;
}

/* Squared distances of LEAF points, (C,LEAF), from a box, (2,C). */
TCSI_CLONES
static void points_box2(const float *restrict points, const float *restrict box, size_t count, float *restrict ret_squares)
{
    for (size_t j = 0; j < LEAF; j++) ret_squares[j] = 0;
    for (size_t c = 0; c < count; c++) {
        float low = box[c], high = box[count + c];
        for (size_t j = 0; j < LEAF; j++) {
            float below = low - points[c * LEAF + j], above = points[c * LEAF + j] - high, gap = below > above ? below : above;
            gap = gap > 0 ? gap : 0;
            ret_squares[j] += gap * gap;
        }
    }
}

static double box_box2(const double *restrict a, const double *restrict b, size_t count)
{
    double sum = 0;
    for (size_t c = 0; c < count; c++) {
        double below = b[c] - a[count + c], above = a[c] - b[count + c], gap = below > above ? below : above;
        if (gap > 0) sum += gap * gap;
    }
    return sum;
}

#if defined(__GNUC__)
typedef float lanes16 __attribute__((vector_size(64), aligned(4)));
#endif

/* A scanner appends what it finds to two lists: the squared distance in floats, and the row's place in tree order.  Both
 * have room for LEAF entries and a vector more. */
typedef struct finds {
    float *near;
    uint32_t *at;
} finds;

/* Which of a leaf's first row_count rows lie within limit (squared) of a point; returns how many.  leaf: (C,LEAF). */
TCSI_CLONES
static size_t scan_leaf_plain(const float *restrict point, const float *restrict leaf, size_t count, float limit, uint32_t first,
                              uint32_t row_count, finds out)
{
    _Alignas(64) float distances[LEAF] = { 0 };
#if defined(__GNUC__)
    lanes16 s0 = { 0 }, s1 = { 0 }, s2 = { 0 }, s3 = { 0 };
    for (size_t c = 0; c < count; c++) { /* vectors by hand: gcc 12 keeps an array of sums in memory */
        const lanes16 *rows = (const lanes16 *)(leaf + c * LEAF);
        lanes16 d0 = rows[0] - point[c], d1 = rows[1] - point[c], d2 = rows[2] - point[c], d3 = rows[3] - point[c];
        s0 += d0 * d0;
        s1 += d1 * d1;
        s2 += d2 * d2;
        s3 += d3 * d3;
    }
    lanes16 *sums = (lanes16 *)distances;
    sums[0] = s0;
    sums[1] = s1;
    sums[2] = s2;
    sums[3] = s3;
#else
    for (size_t c = 0; c < count; c++)
        for (size_t j = 0; j < LEAF; j++) {
            float difference = leaf[c * LEAF + j] - point[c];
            distances[j] += difference * difference;
        }
#endif
    int any = 0;
    size_t found = 0;
    for (size_t j = 0; j < LEAF; j++) any |= distances[j] <= limit;
    for (uint32_t j = 0; j < row_count && any; j++) { /* no branch: hits are as good as random */
        out.near[found] = distances[j];
        out.at[found] = first + j;
        found += distances[j] <= limit;
    }
    return found;
}

#if defined(__x86_64__) && defined(__GNUC__)
/* Appends the lanes of four vectors that are within limit. */
__attribute__((target("avx512f,popcnt"), always_inline))
static inline size_t append_avx512(const __m512 *squares, float limit, uint32_t first, uint32_t row_count, finds out)
{
    const __m512i lane = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    uint64_t valid = row_count < LEAF ? ((uint64_t)1 << row_count) - 1 : UINT64_MAX;
    __m512 border = _mm512_set1_ps(limit);
    __mmask16 hits[4];
    size_t found = 0;
#pragma GCC unroll 4
    for (int v = 0; v < 4; v++) hits[v] = (__mmask16)(_mm512_cmp_ps_mask(squares[v], border, _CMP_LE_OQ) & (valid >> (16 * v)));
    if (!(hits[0] | hits[1] | hits[2] | hits[3])) return 0;
#pragma GCC unroll 4
    for (int v = 0; v < 4; v++) {
        __m512i at = _mm512_add_epi32(lane, _mm512_set1_epi32((int)(first + 16 * (uint32_t)v)));
        _mm512_storeu_ps(out.near + found, _mm512_maskz_compress_ps(hits[v], squares[v]));
        _mm512_storeu_si512(out.at + found, _mm512_maskz_compress_epi32(hits[v], at));
        found += (size_t)__builtin_popcount(hits[v]);
    }
    return found;
}

/* The same with fused multiply-add, which rounds differently; the bound covers it.  Two channels a turn: eight sums that do
 * not wait for each other. */
__attribute__((target("avx512f,popcnt")))
static size_t scan_leaf_avx512(const float *restrict point, const float *restrict leaf, size_t count, float limit, uint32_t first,
                               uint32_t row_count, finds out)
{
    __m512 s[8];
    for (int v = 0; v < 8; v++) s[v] = _mm512_setzero_ps();
    size_t c = 0;
    for (; c + 2 <= count; c += 2)
#pragma GCC unroll 8
        for (int v = 0; v < 8; v++) {
            __m512 d = _mm512_sub_ps(_mm512_loadu_ps(leaf + c * LEAF + 16 * v), _mm512_set1_ps(point[c + (v >= 4)]));
            s[v] = _mm512_fmadd_ps(d, d, s[v]);
        }
    for (int v = 0; v < 4 && c < count; v++) {
        __m512 d = _mm512_sub_ps(_mm512_loadu_ps(leaf + c * LEAF + 16 * v), _mm512_set1_ps(point[c]));
        s[v] = _mm512_fmadd_ps(d, d, s[v]);
    }
#pragma GCC unroll 4
    for (int v = 0; v < 4; v++) s[v] = _mm512_add_ps(s[v], s[v + 4]);
    return append_avx512(s, limit, first, row_count, out);
}

/* |q|^2 + 2 (|r|^2 / 2 - q.r), not below 0: one multiply-add a value instead of two operations.  For four points (4,C) at
 * once: a leaf's values are loaded once for all of them. */
__attribute__((target("avx512f,popcnt")))
static void scan_four_avx512(const float *restrict points, const float *restrict leaf, const float *restrict halves, size_t count,
                             const float *restrict squares, const float *restrict limits, uint32_t first, uint32_t row_count,
                             const finds *out, size_t *restrict ret_found)
{
    __m512 s[4][4];
    for (int v = 0; v < 4; v++)
        for (int i = 0; i < 4; i++) s[i][v] = _mm512_loadu_ps(halves + 16 * v);
    for (size_t c = 0; c < count; c++)
#pragma GCC unroll 4
        for (int v = 0; v < 4; v++) {
            __m512 rows = _mm512_loadu_ps(leaf + c * LEAF + 16 * v);
#pragma GCC unroll 4
            for (int i = 0; i < 4; i++) s[i][v] = _mm512_fnmadd_ps(rows, _mm512_set1_ps(points[(size_t)i * count + c]), s[i][v]);
        }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
#pragma GCC unroll 4
        for (int v = 0; v < 4; v++)
            s[i][v] = _mm512_max_ps(_mm512_fmadd_ps(_mm512_set1_ps(2), s[i][v], _mm512_set1_ps(squares[i])), _mm512_setzero_ps());
        ret_found[i] = append_avx512(s[i], limits[i], first, row_count, out[i]);
    }
}
#endif

typedef size_t (*leaf_scanner)(const float *restrict point, const float *restrict leaf, size_t count, float limit, uint32_t first,
                               uint32_t row_count, finds out);

typedef void (*four_scanner)(const float *restrict points, const float *restrict leaf, const float *restrict halves, size_t count,
                             const float *restrict squares, const float *restrict limits, uint32_t first, uint32_t row_count,
                             const finds *out, size_t *restrict ret_found);

static void choose_scanners(leaf_scanner *ret_leaf, four_scanner *ret_four)
{
    *ret_leaf = scan_leaf_plain;
    *ret_four = NULL; /* without multiply-add the product form saves too little */
#if defined(__x86_64__) && defined(__GNUC__)
    if (tcsi_isa_current() != TCSI_ISA_AVX512) return;
    *ret_leaf = scan_leaf_avx512;
    *ret_four = scan_four_avx512;
#endif
}

/* ---- creating ---- */

typedef struct builder {
    tcsi_neighbours *index;
    const double *values; /* (R,C) as given */
    double *keys;         /* (R) scratch for the selection */
} builder;

static void box_of(const builder *b, uint32_t begin, uint32_t end, double *ret_box)
{
    size_t count = b->index->channel_count;
    double *low = ret_box, *high = ret_box + count;
    const double *first = b->values + b->index->order[begin] * count;
    memcpy(low, first, count * sizeof *low);
    memcpy(high, first, count * sizeof *high);
    for (uint32_t i = begin + 1; i < end; i++) {
        const double *row = b->values + b->index->order[i] * count;
        for (size_t c = 0; c < count; c++) {
            low[c] = row[c] < low[c] ? row[c] : low[c];
            high[c] = row[c] > high[c] ? row[c] : high[c];
        }
    }
}

/* Moves the left_count rows with the smallest (value, row number) in channel to the front: the pair has no ties. */
static void split(const builder *b, uint32_t begin, uint32_t end, uint32_t left_count, size_t channel)
{
    size_t count = b->index->channel_count;
    uint32_t *order = b->index->order, less = 0, equal = 0;
    for (uint32_t i = begin; i < end; i++) b->keys[i - begin] = b->values[order[i] * count + channel];
    double border = tcsi_select(b->keys, end - begin, left_count - 1);
    for (uint32_t i = begin; i < end; i++) less += b->values[order[i] * count + channel] < border;
    uint32_t wanted_equal = left_count - less, left = begin;
    for (uint32_t i = begin; i < end; i++) {
        double value = b->values[order[i] * count + channel];
        bool goes_left = value < border || (value == border && equal++ < wanted_equal);
        if (!goes_left) continue;
        uint32_t row = order[i];
        order[i] = order[left];
        order[left++] = row;
    }
    TCS_ASSERT(left == begin + left_count);
}

/* Left halves are whole leaves, so that leaf number = first row / LEAF.  Depth is at most 26. */
static uint32_t grow(builder *b, uint32_t begin, uint32_t end)
{
    tcsi_neighbours *index = b->index;
    uint32_t at = (uint32_t)index->node_count++;
    size_t count = index->channel_count;
    double *box = index->boxes + at * 2 * count;
    box_of(b, begin, end, box);
    index->nodes[at] = (node){ .begin = begin, .end = end };
    if (end - begin <= LEAF) {
        index->leaf_nodes[begin / LEAF] = at;
        return at;
    }
    size_t widest = 0;
    for (size_t c = 1; c < count; c++)
        if (box[count + c] - box[c] > box[count + widest] - box[widest]) widest = c;
    uint32_t leaf_count = (end - begin + LEAF - 1) / LEAF, left_count = (leaf_count + 1) / 2 * LEAF;
    if (left_count >= end - begin) left_count -= LEAF;
    split(b, begin, end, left_count, widest);
    uint32_t left = grow(b, begin, begin + left_count), right = grow(b, begin + left_count, end);
    index->nodes[at].left = left;
    index->nodes[at].right = right;
    return at;
}

/* Centres by the mean and scales by a power of two, so that the largest value is in (1/2, 1]: no square overflows. */
static void choose_scale(tcsi_neighbours *index)
{
    size_t count = index->channel_count;
    double largest = 0;
    for (size_t c = 0; c < count; c++) index->centres[c] = 0;
    for (size_t i = 0; i < index->row_count; i++)
        for (size_t c = 0; c < count; c++) index->centres[c] += index->values[i * count + c] / (double)index->row_count;
    for (size_t i = 0; i < index->row_count; i++)
        for (size_t c = 0; c < count; c++) largest = fmax(largest, fabs(index->values[i * count + c] - index->centres[c]));
    int exponent = 0;
    if (largest > 0) frexp(largest, &exponent);
    index->scale = largest > 1e-300 ? ldexp(1.0, -exponent) : 1.0;
}

/* One row as floats in the frame of reference of index; returns the sum of the floats' squares. */
static double make_floats(const tcsi_neighbours *index, const double *row, float *ret_floats, size_t step)
{
    double squares = 0;
    for (size_t c = 0; c < index->channel_count; c++) {
        double value = (row[c] - index->centres[c]) * index->scale;
        float kept = (float)(value < -1e15 ? -1e15 : value > 1e15 ? 1e15 : value);
        squares += (double)kept * (double)kept;
        ret_floats[c * step] = kept;
    }
    return squares;
}

/* No smaller than the norm before rounding to floats. */
static double norm_of(double squares)
{
    return sqrt(squares) * (1 + 1e-6) + 1e-37;
}

static void fill_floats(tcsi_neighbours *index)
{
    size_t count = index->channel_count, leaf_count = (index->row_count + LEAF - 1) / LEAF;
    for (size_t leaf = 0; leaf < leaf_count; leaf++) {
        float *block = index->floats + leaf * count * LEAF;
        index->leaf_norms[leaf] = 0;
        for (size_t j = 0; j < LEAF; j++) {
            size_t at = leaf * LEAF + j;
            if (at < index->row_count) {
                double squares = make_floats(index, index->values + at * count, block + j, LEAF);
                index->halves[at] = (float)(0.5 * squares);
                index->leaf_norms[leaf] = fmaxf(index->leaf_norms[leaf], (float)(norm_of(squares) * (1 + 1e-6)));
            } else {
                for (size_t c = 0; c < count; c++) block[c * LEAF + j] = 0; /* hits there are masked away */
                index->halves[at] = 0;
            }
        }
        index->norm_max = fmaxf(index->norm_max, index->leaf_norms[leaf]);
    }
}

/* A vector that crosses a cache line costs two loads. */
static float *aligned(float *block)
{
    size_t beyond = (uintptr_t)block % ALIGNMENT;
    return beyond ? block + (ALIGNMENT - beyond) / sizeof(float) : block;
}

static tcs_status allocate(tcsi_neighbours *index, builder *b, tcs_error *err)
{
    size_t rows = index->row_count, channels = index->channel_count, leaves = (rows + LEAF - 1) / LEAF, cells, padded, boxes;
    if (rows > TCSI_NEIGHBOURS_ROW_COUNT_MAX || !tcsi_multiply(rows, channels, &cells) || !tcsi_multiply(leaves * LEAF, channels, &padded)
        || !tcsi_multiply(leaves * 4, channels, &boxes))
        return tcsi_fail(err, TCS_E_LIMIT, "nearest neighbours: %zu rows x %zu channels are too many", rows, channels);
    index->order = TCSI_NEW_ARRAY(uint32_t, rows);
    index->place = TCSI_NEW_ARRAY(uint32_t, rows);
    index->values = TCSI_NEW_ARRAY(double, cells);
    index->floats_block = TCSI_NEW_ARRAY(float, padded + ALIGNMENT / sizeof(float)); /* padded is far from the largest size */
    index->floats = aligned(index->floats_block);
    index->halves = TCSI_NEW_ARRAY(float, leaves * LEAF);
    index->leaf_norms = TCSI_NEW_ARRAY(float, leaves);
    index->boxes = TCSI_NEW_ARRAY(double, boxes);
    index->centres = TCSI_NEW_ARRAY(double, channels);
    index->nodes = TCSI_NEW_ARRAY(node, leaves * 2);
    index->leaf_nodes = TCSI_NEW_ARRAY(uint32_t, leaves);
    b->keys = TCSI_NEW_ARRAY(double, rows);
    bool ok = index->order && index->place && index->values && index->floats_block && index->halves && index->leaf_norms && index->boxes
              && index->centres && index->nodes && index->leaf_nodes && b->keys;
    return ok ? TCS_OK : tcsi_fail_memory(err, "the index of nearest neighbours");
}

tcs_status tcsi_neighbours_create(const double *values, size_t row_count, size_t channel_count, tcsi_neighbours **ret_index, tcs_error *err)
{
    TCS_ASSERT(row_count >= 1 && channel_count >= 1);
    tcsi_neighbours *index = TCSI_NEW(tcsi_neighbours);
    if (!index) return tcsi_fail_memory(err, "the index of nearest neighbours");
    index->row_count = row_count;
    index->channel_count = channel_count;
    builder b = { .index = index, .values = values };
    tcs_status status = allocate(index, &b, err);
    if (status == TCS_OK) {
        for (size_t i = 0; i < row_count; i++) index->order[i] = (uint32_t)i;
        grow(&b, 0, (uint32_t)row_count);
        for (size_t i = 0; i < row_count; i++) {
            index->place[index->order[i]] = (uint32_t)i;
            memcpy(index->values + i * channel_count, values + index->order[i] * channel_count, channel_count * sizeof *values);
        }
        choose_scale(index);
        fill_floats(index);
    }
    tcsi_free(b.keys);
    if (status != TCS_OK) {
        tcsi_neighbours_destroy(index);
        return status;
    }
    *ret_index = index;
    return TCS_OK;
}

void tcsi_neighbours_destroy(tcsi_neighbours *index)
{
    if (!index) return;
    tcsi_free(index->order);
    tcsi_free(index->place);
    tcsi_free(index->values);
    tcsi_free(index->floats_block);
    tcsi_free(index->halves);
    tcsi_free(index->leaf_norms);
    tcsi_free(index->boxes);
    tcsi_free(index->centres);
    tcsi_free(index->nodes);
    tcsi_free(index->leaf_nodes);
    tcsi_free(index);
}

size_t tcsi_neighbours_row_count(const tcsi_neighbours *index)
{
    return index->row_count;
}

const double *tcsi_neighbours_row(const tcsi_neighbours *index, size_t row)
{
    TCS_ASSERT(row < index->row_count);
    return index->values + index->place[row] * index->channel_count;
}

/* ---- searching ---- */

typedef struct candidate {
    double distance; /* squared */
    uint32_t row;
} candidate;

/* Keeps the entries within limit, in their order; returns how many. */
typedef size_t (*list_keeper)(finds list, size_t count, float limit);

typedef struct search {
    const tcsi_neighbours *index, *queries;
    leaf_scanner scan_leaf;
    four_scanner scan_four; /* may be NULL */
    list_keeper keep_within;
    size_t k, room;
    double *distances; /* (Q,k) */
    uint32_t *rows;
    float *scratch;   /* (threads,LEAF,C): the group's points as floats of the index */
    float *near;      /* (threads,LEAF,room), and the next two */
    uint32_t *at;
    candidate *found;
} search;

/* What a row's float result must not exceed, in either form of step 3. */
typedef struct limits {
    bool product, sharp; /* the product form is sharp enough; the direct one is */
    float direct, square;
} limits;

/* One query on its way.  Candidates gather in any order as floats; now and then only those are kept that can still be among
 * the k nearest, which lowers the limit.  Doubles are computed at the end, of little more than k rows.  Where floats cannot
 * tell rows apart (more than room of them look equally near) the query goes on in doubles. */
typedef struct query {
    const double *values;
    finds list;          /* room */
    size_t count, kept;  /* in list; of them looked at by narrow */
    candidate *found;    /* room; in use when exact */
    size_t found_count;
    bool exact, used_product;
    uint32_t self; /* own row number, or UINT32_MAX */
    uint32_t row;
    double norm, square; /* of the floats: a bound, and the sum itself */
    double norm_seen;    /* largest leaf_norm scanned */
    double worst;        /* squared distance that the k-th cannot exceed, infinite until k were found */
    double worst_scaled; /* its root in the floats' units */
    double box_limit;    /* squared float distance of a box beyond which none of its rows is within worst */
    limits usual;        /* of any leaf, while worst stays; used when sharp enough */
} query;

/* Entries of a query's list: k, those that floats cannot tell from them, those since the last look, a leaf and a vector. */
static size_t room_of(size_t k)
{
    return 2 * k + 2 * LEAF + 32;
}

static bool nearer(const candidate *a, const candidate *b)
{
    return a->distance < b->distance || (a->distance == b->distance && a->row < b->row);
}

static void sort_small(candidate *found, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        candidate kept = found[i];
        size_t at = i;
        for (; at > 0 && nearer(&kept, &found[at - 1]); at--) found[at] = found[at - 1];
        found[at] = kept;
    }
}

static void exchange(candidate *a, candidate *b)
{
    candidate kept = *a;
    *a = *b;
    *b = kept;
}

/* Splits found into those nearer than a pivot, the pivot's place, and the rest.  No two candidates are equal. */
static size_t split_found(candidate *found, size_t count)
{
    candidate *middle = &found[count / 2], *last = &found[count - 1];
    if (nearer(last, found)) exchange(last, found);
    if (nearer(middle, found)) exchange(middle, found);
    if (nearer(last, middle)) exchange(last, middle);
    candidate pivot = *middle;
    exchange(middle, last);
    size_t place = 0;
    for (size_t i = 0; i + 1 < count; i++)
        if (nearer(&found[i], &pivot)) exchange(&found[i], &found[place++]);
    exchange(last, &found[place]);
    return place;
}

/* Afterwards the first k are the nearest k, in any order; k < count. */
static void select_nearest(candidate *found, size_t count, size_t k)
{
    while (count > 12) {
        size_t place = split_found(found, count);
        if (place == k || place + 1 == k) return;
        if (place > k) count = place;
        else {
            found += place + 1;
            count -= place + 1;
            k -= place + 1;
        }
    }
    sort_small(found, count);
}

/* Depth is logarithmic in practice and k at worst. */
static void sort_found(candidate *found, size_t count)
{
    while (count > 12) {
        size_t place = split_found(found, count);
        sort_found(found, place);
        found += place + 1;
        count -= place + 1;
    }
    sort_small(found, count);
}

static float to_limit(double value)
{
    return value < 3e38 ? (float)value : 3e38f;
}

/* Bound of the product form's error, in squared units of the floats. */
static double product_error(double channel_count, double norms)
{
    return (channel_count + 12) * 1.1 * 0x1p-24 * norms * norms;
}

/* What the bounds in the header leave possible for a row within worst. */
static limits limits_of(const tcsi_neighbours *index, const query *q, float leaf_norm)
{
    const double u = 0x1p-24;
    if (!(q->worst < DBL_MAX)) return (limits){ .direct = INFINITY };
    double n = (double)index->channel_count, norms = q->norm + (double)leaf_norm;
    double reach = q->worst_scaled * (1 + 2 * u) + 1.001 * u * norms, error = product_error(n, norms);
    double square = reach * reach, direct = square * (1 + (2 * n + 12) * 1.1 * u) + 1.2e-37 * n;
    bool product = error < 0.02 * square && norms < 1e10;
    return (limits){ .product = product, .sharp = direct < 1.01 * square, .direct = to_limit(direct), 
                     .square = to_limit((square + error) * (1 + 2 * u) + 1.2e-37 * n) };
}

/* The same error as between two points: no coordinate of a box is larger than a norm, hence not even its farthest corner
 * counts for more than the root of C norms. */
static double box_limit_of(const tcsi_neighbours *index, const query *q)
{
    const double u = 0x1p-24;
    double n = (double)index->channel_count, norms = q->norm + sqrt(n) * (double)index->norm_max;
    double reach = q->worst_scaled * (1 + 2 * u) + 1.1 * u * norms;
    return reach * reach * (1 + (2 * n + 12) * 1.1 * u) + 1.2e-37 * n;
}

static void set_worst(const tcsi_neighbours *index, query *q, double worst, double worst_scaled)
{
    q->worst = worst;
    q->worst_scaled = worst_scaled;
    q->usual = limits_of(index, q, index->norm_max);
    q->box_limit = box_limit_of(index, q);
}

/* No row whose float result is at most square is farther than this, in the floats' units. */
static double farthest(const tcsi_neighbours *index, const query *q, double square)
{
    const double u = 0x1p-24;
    double n = (double)index->channel_count, norms = q->norm + q->norm_seen, error = q->used_product ? product_error(n, norms) : 0;
    double root = sqrt(square + error + 1.2e-37 * n) * (1 + (n + 8) * 1.1 * u);
    return (root + 1.001 * u * norms) * (1 + 4 * u);
}

/* ---- the exact list: of a query whose neighbours floats cannot tell apart ---- */

static void tidy_exact(const tcsi_neighbours *index, query *q, size_t k)
{
    double worst = 0;
    if (q->found_count < k) return;
    if (q->found_count > k) select_nearest(q->found, q->found_count, k);
    q->found_count = k;
    for (size_t i = 0; i < k; i++) worst = q->found[i].distance > worst ? q->found[i].distance : worst;
    if (worst < q->worst) set_worst(index, q, worst, sqrt(worst) * index->scale);
}

/* Moves the float list to the exact one; rows as far as the worst stay, for a lower row number may still win. */
static void take_exact(const search *s, query *q)
{
    const tcsi_neighbours *index = s->index;
    size_t channels = index->channel_count;
    for (size_t i = 0; i < q->count; i++) {
        size_t at = q->list.at[i];
        double distance = distance2(q->values, index->values + at * channels, channels);
        if (distance > q->worst || index->order[at] == q->self) continue;
        if (q->found_count == s->room) tidy_exact(index, q, s->k);
        q->found[q->found_count++] = (candidate){ distance, index->order[at] };
    }
    q->count = q->kept = 0;
}

/* ---- the float list ---- */

TCSI_CLONES
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
TCSI_CLONES
static float largest_of(const float *near, size_t count)
{
    int32_t largest = 0;
    for (size_t i = 0; i < count; i++) {
        int32_t bits;
        memcpy(&bits, &near[i], sizeof bits);
        largest = bits > largest ? bits : largest;
    }
    return float_of((uint32_t)largest);
}

/* A value that k to k + k / 8 entries do not exceed, or that exactly the k-th smallest is when many are equal: bisection
 * over the bits, whose order is the order of floats that are not negative.  k <= count. */
static float border_of(const float *near, size_t count, size_t k)
{
    float largest = largest_of(near, count);
    uint32_t low = 0, high;
    memcpy(&high, &largest, sizeof high);
    if (count <= k + k / 8) return largest;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        size_t within = count_within(near, count, float_of(middle));
        if (within < k) low = middle + 1;
        else high = middle;
        if (within >= k && within <= k + k / 8) break;
    }
    return float_of(high);
}

static size_t keep_within_plain(finds list, size_t count, float limit)
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

#if defined(__x86_64__) && defined(__GNUC__)
__attribute__((target("avx512f,popcnt")))
static size_t keep_within_avx512(finds list, size_t count, float limit)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i += 16) { /* stores stay at or before what was loaded; lists have room for a vector more */
        __mmask16 there = (__mmask16)(count - i < 16 ? (1u << (count - i)) - 1 : 0xffff);
        __m512 near = _mm512_loadu_ps(list.near + i);
        __m512i at = _mm512_loadu_si512(list.at + i);
        __mmask16 keep = _mm512_mask_cmp_ps_mask(there, near, _mm512_set1_ps(limit), _CMP_LE_OQ);
        _mm512_storeu_ps(list.near + kept, _mm512_maskz_compress_ps(keep, near));
        _mm512_storeu_si512(list.at + kept, _mm512_maskz_compress_epi32(keep, at));
        kept += (size_t)__builtin_popcount(keep);
    }
    return kept;
}
#endif

static list_keeper choose_keeper(void)
{
#if defined(__x86_64__) && defined(__GNUC__)
    if (tcsi_isa_current() == TCSI_ISA_AVX512) return keep_within_avx512;
#endif
    return keep_within_plain;
}

/* Lowers the limit by the list and drops what is beyond it.  The own row is in the list too: hence k + 1. */
static void narrow(const search *s, query *q)
{
    const tcsi_neighbours *index = s->index;
    size_t wanted = s->k + (q->self != UINT32_MAX);
    if (q->count >= wanted) {
        double reach = farthest(index, q, border_of(q->list.near, q->count, wanted)), worst = reach / index->scale;
        worst *= worst * (1 + 1e-14);
        if (worst < q->worst) set_worst(index, q, worst, reach);
        limits l = q->usual.sharp ? q->usual : limits_of(index, q, (float)q->norm_seen);
        q->count = s->keep_within(q->list, q->count, l.direct > l.square || !q->used_product ? l.direct : l.square);
    }
    q->kept = q->count;
    if (q->count + LEAF + 16 <= s->room) return;
    q->exact = true;
    take_exact(s, q);
    tidy_exact(index, q, s->k);
}

/* After `count` rows of one leaf were appended. */
static void take_hits(const search *s, query *q, size_t count)
{
    q->count += count;
    if (q->exact) {
        take_exact(s, q);
        if (q->found_count > s->k + LEAF || !(q->worst < INFINITY)) tidy_exact(s->index, q, s->k);
        return;
    }
    size_t news = q->count - q->kept;
    if (!(q->worst < INFINITY) || news > 8 + s->k / 4 || q->count + LEAF + 16 > s->room) narrow(s, q);
}

static void see_leaf(const search *s, query *q, uint32_t leaf)
{
    double norm = s->index->leaf_norms[leaf];
    q->norm_seen = norm > q->norm_seen ? norm : q->norm_seen;
}

static finds end_of(const query *q)
{
    return (finds){ q->list.near + q->count, q->list.at + q->count };
}

static void scan(const search *s, query *q, const float *point, uint32_t leaf, uint32_t count)
{
    const tcsi_neighbours *index = s->index;
    size_t channels = index->channel_count;
    float limit = q->usual.sharp ? q->usual.direct : limits_of(index, q, index->leaf_norms[leaf]).direct;
    size_t found = s->scan_leaf(point, index->floats + leaf * channels * LEAF, channels, limit, leaf * LEAF, count, end_of(q));
    if (found == 0) return;
    see_leaf(s, q, leaf);
    take_hits(s, q, found);
}

typedef struct group {
    query queries[LEAF];
    size_t count;
    const double *box;
    float *points; /* (count,C) */
    float columns[BOX_CHANNELS_MAX * LEAF]; /* the same, (C,LEAF), when channels are few */
} group;

/* Four neighbouring queries at once, when all of them have a sharp bound; false otherwise. */
static bool scan_four(const search *s, query *queries, const float *points, uint32_t leaf, uint32_t count)
{
    const tcsi_neighbours *index = s->index;
    size_t channels = index->channel_count, found[4];
    float limit[4], squares[4];
    finds ends[4];
    for (size_t i = 0; i < 4; i++) {
        if (!queries[i].usual.product) return false;
        limit[i] = queries[i].usual.square;
        squares[i] = (float)queries[i].square;
        ends[i] = end_of(&queries[i]);
    }
    s->scan_four(points, index->floats + leaf * channels * LEAF, index->halves + (size_t)leaf * LEAF, channels, squares, limit, leaf * LEAF,
                 count, ends, found);
    for (size_t i = 0; i < 4; i++) {
        if (found[i] == 0) continue;
        queries[i].used_product = true;
        see_leaf(s, &queries[i], leaf);
        take_hits(s, &queries[i], found[i]);
    }
    return true;
}

/* Which queries the leaf's box does not rule out, in few channels. */
static void choose_near(const search *s, const group *g, const double *box, bool *ret_near)
{
    const tcsi_neighbours *index = s->index;
    size_t channels = index->channel_count;
    float floats[2 * BOX_CHANNELS_MAX], squares[LEAF];
    (void)make_floats(index, box, floats, 1);
    (void)make_floats(index, box + channels, floats + channels, 1);
    points_box2(g->columns, floats, channels, squares);
    for (size_t i = 0; i < g->count; i++) {
        const query *q = &g->queries[i];
        ret_near[i] = !((double)squares[i] > q->box_limit);
    }
}

static void scan_group(const search *s, group *g, const node *leaf, const double *box)
{
    size_t channels = s->index->channel_count;
    uint32_t number = leaf->begin / LEAF, count = leaf->end - leaf->begin;
    bool fours = s->scan_four && channels > BOX_CHANNELS_MAX, near[LEAF];
    memset(near, 1, sizeof near);
    if (channels <= BOX_CHANNELS_MAX) choose_near(s, g, box, near);
    for (size_t i = 0; i < g->count; i++) {
        if (fours && i + 4 <= g->count && scan_four(s, &g->queries[i], g->points + i * channels, number, count)) {
            i += 3;
            continue;
        }
        query *q = &g->queries[i];
        if (!near[i]) continue;
        scan(s, q, g->points + i * channels, number, count);
    }
}

static double group_worst(const group *g)
{
    double worst = 0;
    for (size_t i = 0; i < g->count; i++) worst = g->queries[i].worst > worst ? g->queries[i].worst : worst;
    return worst;
}

typedef struct waiting {
    uint32_t at;
    double distance;
} waiting;

static double node_distance(const search *s, const group *g, uint32_t at)
{
    size_t channels = s->index->channel_count;
    return box_box2(g->box, s->index->boxes + (size_t)at * 2 * channels, channels) * (1 - 1e-9);
}

/* Depth first, nearer child first. */
static void walk(const search *s, group *g)
{
    const tcsi_neighbours *index = s->index;
    waiting stack[STACK];
    size_t top = 0;
    double worst = INFINITY;
    stack[top++] = (waiting){ 0, 0 };
    while (top > 0) {
        waiting next = stack[--top];
        if (next.distance > worst) continue;
        const node *here = &index->nodes[next.at];
        if (here->left == 0) {
            scan_group(s, g, here, index->boxes + (size_t)next.at * 2 * index->channel_count);
            worst = group_worst(g);
            continue;
        }
        waiting left = { here->left, node_distance(s, g, here->left) }, right = { here->right, node_distance(s, g, here->right) };
        bool left_first = left.distance <= right.distance;
        TCS_ASSERT(top + 2 <= STACK);
        stack[top++] = left_first ? right : left;
        stack[top++] = left_first ? left : right;
    }
}

/* Sorts by counting how many are less, which has no branch to mispredict: the fastest way for a few dozen.  False, and found
 * as it was, when there are ties. */
TCSI_CLONES
static bool sort_by_rank(candidate *found, size_t count)
{
    double distances[RANKED_MAX];
    candidate copies[RANKED_MAX];
    uint64_t ranks[RANKED_MAX], sum = 0;
    size_t padded = (count + LANES - 1) / LANES * LANES;
    for (size_t i = 0; i < padded; i++) distances[i] = i < count ? found[i].distance : INFINITY;
    for (size_t i = 0; i < count; i++) {
        uint64_t rank = 0;
        double own = distances[i];
        for (size_t j = 0; j < padded; j++) rank += distances[j] < own;
        sum += ranks[i] = rank;
    }
    if (sum != (uint64_t)count * (count - 1) / 2) return false;
    memcpy(copies, found, count * sizeof *found);
    for (size_t i = 0; i < count; i++) found[ranks[i]] = copies[i];
    return true;
}

/* The k nearest of what is left, in order. */
static void finish(const search *s, query *q)
{
    size_t k = s->k;
    if (!q->exact) narrow(s, q);
    take_exact(s, q);
    TCS_ASSERT(q->found_count >= k);
    if (q->found_count > RANKED_MAX || !sort_by_rank(q->found, q->found_count)) {
        if (q->found_count > k) select_nearest(q->found, q->found_count, k);
        sort_found(q->found, k);
    }
    for (size_t j = 0; j < k; j++) {
        s->distances[(size_t)q->row * k + j] = sqrt(q->found[j].distance);
        s->rows[(size_t)q->row * k + j] = q->found[j].row;
    }
}

static void search_group(void *context, size_t leaf, size_t worker)
{
    const search *s = context;
    const tcsi_neighbours *from = s->queries;
    size_t channels = from->channel_count;
    const node *own = &from->nodes[from->leaf_nodes[leaf]];

    group g = { .count = own->end - own->begin, .box = from->boxes + (size_t)from->leaf_nodes[leaf] * 2 * channels,
                .points = s->scratch + worker * LEAF * channels };
    for (size_t i = 0; i < g.count; i++) {
        size_t at = own->begin + i, row = from->order[at], place = (worker * LEAF + i) * s->room;
        query *q = &g.queries[i];
        *q = (query){ .values = from->values + at * channels, .list = { s->near + place, s->at + place }, .found = s->found + place,
                      .self = from == s->index ? (uint32_t)row : UINT32_MAX, .row = (uint32_t)row, .worst = INFINITY,
                      .worst_scaled = INFINITY, .box_limit = INFINITY };
        q->square = make_floats(s->index, q->values, g.points + i * channels, 1);
        q->norm = norm_of(q->square);
        for (size_t c = 0; c < channels && channels <= BOX_CHANNELS_MAX; c++) g.columns[c * LEAF + i] = g.points[i * channels + c];
    }
    walk(s, &g);
    for (size_t i = 0; i < g.count; i++) finish(s, &g.queries[i]);
}

tcs_status tcsi_neighbours_search(const tcsi_neighbours *index, const tcsi_neighbours *queries, size_t k, tcsi_pool *pool,
                                  double *ret_distances, uint32_t *ret_rows, tcs_error *err)
{
    TCS_ASSERT(k >= 1 && k + (queries == index) <= index->row_count && index->channel_count == queries->channel_count);
    size_t points, entries, leaf_count = (queries->row_count + LEAF - 1) / LEAF, lanes = tcsi_pool_thread_count(pool) * LEAF;
    if (!tcsi_multiply(lanes, index->channel_count, &points) || !tcsi_multiply(lanes, room_of(k), &entries))
        return tcsi_fail_memory(err, "a group of rows");
    search s = { .index = index, .queries = queries, .k = k, .room = room_of(k), .distances = ret_distances, .rows = ret_rows };
    choose_scanners(&s.scan_leaf, &s.scan_four);
    s.keep_within = choose_keeper();
    s.scratch = TCSI_NEW_ARRAY(float, points);
    s.near = TCSI_NEW_ARRAY(float, entries);
    s.at = TCSI_NEW_ARRAY(uint32_t, entries);
    s.found = TCSI_NEW_ARRAY(candidate, entries);
    tcs_status status = s.scratch && s.near && s.at && s.found ? TCS_OK : tcsi_fail_memory(err, "a group of rows");
    if (status == TCS_OK) tcsi_pool_run(pool, leaf_count, search_group, &s);
    tcsi_free(s.scratch);
    tcsi_free(s.near);
    tcsi_free(s.at);
    tcsi_free(s.found);
    return status;
}

/* ---- densities ---- */

double tcsi_reach_density(const double *distances, const uint32_t *rows, size_t k, const double *k_distances)
{
    double sum = 0;
    for (size_t j = 0; j < k; j++) sum += distances[j] > k_distances[rows[j]] ? distances[j] : k_distances[rows[j]];
    return 1.0 / (sum / (double)k + TCSI_REACH_MIN);
}

double tcsi_density_ratio(double own_density, const uint32_t *rows, size_t k, const double *densities)
{
    double sum = 0;
    for (size_t j = 0; j < k; j++) sum += densities[rows[j]] / own_density;
    return sum / (double)k;
}

/* ---- saved form and sizes ---- */

static bool all_ok(const double *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!(fabs(values[i]) <= TCS_VALUE_MAX)) return false;
    return true;
}

static void load(tcsi_neighbours **index, size_t row_count, size_t channel_count, tcsi_codec *codec)
{
    size_t count = 0;
    double *values = NULL;
    if (row_count == 0 || !tcsi_multiply(row_count, channel_count, &count)) tcsi_codec_refuse(codec, "an index without rows");
    tcsi_persist_f64s(codec, &values, count);
    if (tcsi_codec_status(codec) == TCS_OK && !all_ok(values, count)) tcsi_codec_refuse(codec, "a value out of range");
    if (tcsi_codec_status(codec) == TCS_OK) codec->status = tcsi_neighbours_create(values, row_count, channel_count, index, codec->err);
    tcsi_free(values);
}

void tcsi_neighbours_persist(tcsi_neighbours **index, size_t channel_count, tcsi_codec *codec)
{
    size_t row_count = *index ? (*index)->row_count : 0;
    tcsi_codec_size(codec, &row_count, TCSI_NEIGHBOURS_ROW_COUNT_MAX);
    if (tcsi_codec_status(codec) != TCS_OK) return;
    if (tcsi_codec_loading(codec)) {
        load(index, row_count, channel_count, codec);
        return;
    }
    for (size_t i = 0; i < row_count; i++)
        tcsi_codec_f64s(codec, (*index)->values + (*index)->place[i] * channel_count, channel_count);
}

size_t tcsi_neighbours_size_max(size_t row_count, size_t channel_count)
{
    size_t rows = tcsi_size_sum(row_count, LEAF), cells = tcsi_size_product(rows, channel_count);
    size_t values = tcsi_size_sum(tcsi_size_product(cells, 12), tcsi_size_product(channel_count, 8));
    size_t boxes = tcsi_size_product(tcsi_size_product(rows / LEAF + 1, channel_count), 4 * sizeof(double));
    return tcsi_size_sum(tcsi_size_sum(values, boxes), tcsi_size_sum(tcsi_size_product(rows, 24), 512));
}

size_t tcsi_neighbours_search_size(size_t channel_count, size_t k, size_t thread_count)
{
    size_t query_size = tcsi_size_sum(tcsi_size_product(channel_count, sizeof(float)),
                                      room_of(k) * (sizeof(candidate) + sizeof(float) + sizeof(uint32_t)));
    return tcsi_size_product(thread_count * LEAF, query_size);
}
