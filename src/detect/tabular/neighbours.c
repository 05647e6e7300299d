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
    SORTED_MAX = 32,       /* longest list of neighbours that is kept sorted all the time */
    ALIGNMENT = 64,        /* bytes: a cache line and a vector */
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

static double point_box2(const double *restrict point, const double *restrict low, const double *restrict high, size_t count)
{
    double sum = 0;
    for (size_t c = 0; c < count; c++) {
        double below = low[c] - point[c], above = point[c] - high[c], gap = below > above ? below : above;
        if (gap > 0) sum += gap * gap;
    }
    return sum;
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

/* Which of a leaf's 64 rows lie within limit (squared) of a point, a bit each.  leaf: (C,LEAF). */
TCSI_CLONES
static uint64_t scan_leaf_plain(const float *restrict point, const float *restrict leaf, size_t count, float limit)
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
    lanes16 *out = (lanes16 *)distances;
    out[0] = s0;
    out[1] = s1;
    out[2] = s2;
    out[3] = s3;
#else
    for (size_t c = 0; c < count; c++)
        for (size_t j = 0; j < LEAF; j++) {
            float difference = leaf[c * LEAF + j] - point[c];
            distances[j] += difference * difference;
        }
#endif
    int any = 0;
    uint64_t hits = 0;
    for (size_t j = 0; j < LEAF; j++) any |= distances[j] <= limit;
    for (size_t j = 0; j < LEAF && any; j++) hits |= (uint64_t)(distances[j] <= limit) << j;
    return hits;
}

#if defined(__x86_64__) && defined(__GNUC__)
/* The same with fused multiply-add, which rounds differently; the bound covers it.  Two channels a turn: eight sums that do
 * not wait for each other. */
__attribute__((target("avx512f")))
static uint64_t scan_leaf_avx512(const float *restrict point, const float *restrict leaf, size_t count, float limit)
{
    __m512 s[8], border = _mm512_set1_ps(limit);
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
    uint64_t hits = 0;
#pragma GCC unroll 4
    for (int v = 0; v < 4; v++)
        hits |= (uint64_t)_mm512_cmp_ps_mask(_mm512_add_ps(s[v], s[v + 4]), border, _CMP_LE_OQ) << (16 * v);
    return hits;
}

/* Rows with |r|^2 / 2 - q.r <= limit, at one multiply-add a value instead of two operations. */
__attribute__((target("avx512f")))
static uint64_t scan_products_avx512(const float *restrict point, const float *restrict leaf, const float *restrict halves, size_t count,
                                     float limit)
{
    __m512 s[8], border = _mm512_set1_ps(limit);
    for (int v = 0; v < 4; v++) s[v] = _mm512_loadu_ps(halves + 16 * v);
    for (int v = 4; v < 8; v++) s[v] = _mm512_setzero_ps();
    size_t c = 0;
    for (; c + 2 <= count; c += 2)
#pragma GCC unroll 8
        for (int v = 0; v < 8; v++)
            s[v] = _mm512_fnmadd_ps(_mm512_loadu_ps(leaf + c * LEAF + 16 * v), _mm512_set1_ps(point[c + (v >= 4)]), s[v]);
    for (int v = 0; v < 4 && c < count; v++)
        s[v] = _mm512_fnmadd_ps(_mm512_loadu_ps(leaf + c * LEAF + 16 * v), _mm512_set1_ps(point[c]), s[v]);
    uint64_t hits = 0;
#pragma GCC unroll 4
    for (int v = 0; v < 4; v++)
        hits |= (uint64_t)_mm512_cmp_ps_mask(_mm512_add_ps(s[v], s[v + 4]), border, _CMP_LE_OQ) << (16 * v);
    return hits;
}

/* The same for four points (4,C) at once: a leaf's values are loaded once for all of them. */
__attribute__((target("avx512f")))
static void scan_four_avx512(const float *restrict points, const float *restrict leaf, const float *restrict halves, size_t count,
                             const float *restrict limit, uint64_t *restrict ret_hits)
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
        ret_hits[i] = 0;
#pragma GCC unroll 4
        for (int v = 0; v < 4; v++)
            ret_hits[i] |= (uint64_t)_mm512_cmp_ps_mask(s[i][v], _mm512_set1_ps(limit[i]), _CMP_LE_OQ) << (16 * v);
    }
}
#endif

typedef uint64_t (*leaf_scanner)(const float *restrict point, const float *restrict leaf, size_t count, float limit);

typedef uint64_t (*product_scanner)(const float *restrict point, const float *restrict leaf, const float *restrict halves, size_t count,
                                    float limit);

typedef void (*four_scanner)(const float *restrict points, const float *restrict leaf, const float *restrict halves, size_t count,
                             const float *restrict limit, uint64_t *restrict ret_hits);

static void choose_scanners(leaf_scanner *ret_leaf, product_scanner *ret_products, four_scanner *ret_four)
{
    *ret_leaf = scan_leaf_plain;
    *ret_products = NULL; /* without multiply-add the product form saves too little */
    *ret_four = NULL;
#if defined(__x86_64__) && defined(__GNUC__)
    if (tcsi_isa_current() != TCSI_ISA_AVX512) return;
    *ret_leaf = scan_leaf_avx512;
    *ret_products = scan_products_avx512;
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

typedef struct search {
    const tcsi_neighbours *index, *queries;
    leaf_scanner scan_leaf;
    product_scanner scan_products; /* may be NULL, and the next one */
    four_scanner scan_four;
    size_t k;
    double *distances; /* (Q,k): squared until the group is done */
    uint32_t *rows;
    float *scratch;   /* (threads,LEAF,C): the group's points as floats of the index */
    candidate *found; /* (threads,LEAF,found_max) */
} search;

/* What a row's float result must not exceed, in either form of step 3. */
typedef struct limits {
    bool product; /* |r|^2 / 2 - q.r <= half is sharp enough; else sum of (r - q)^2 <= direct */
    float direct, half;
} limits;

/* One query on its way.  Candidates gather unsorted; when there is no room left only the k nearest are kept, so that each
 * costs a constant amount whatever k is. */
typedef struct query {
    const double *values;
    candidate *found; /* room for found_max(k) */
    size_t found_count;
    uint32_t self; /* own row number, or UINT32_MAX */
    uint32_t row;
    double norm, square; /* of the floats: a bound, and the sum itself */
    double worst;        /* squared distance that the k-th cannot exceed, infinite until k were found */
    double worst_scaled; /* its root in the floats' units */
    limits usual;        /* of any leaf, while worst stays; used when sharp enough */
} query;

static size_t found_max(size_t k)
{
    return 2 * k;
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

/* What the bounds in the header leave possible for a row within worst. */
static limits limits_of(const tcsi_neighbours *index, const query *q, float leaf_norm)
{
    const double u = 0x1p-24;
    if (!(q->worst < DBL_MAX)) return (limits){ .direct = INFINITY };
    double n = (double)index->channel_count, norms = q->norm + (double)leaf_norm;
    double reach = q->worst_scaled * (1 + 2 * u) + 1.001 * u * norms, error = (n + 8) * 1.1 * u * norms * norms;
    double square = reach * reach, direct = square * (1 + (2 * n + 12) * 1.1 * u) + 1.2e-37 * n;
    bool product = error < 0.125 * square && norms < 1e10;
    return (limits){ .product = product, .direct = to_limit(direct),
                     .half = to_limit((square + error - q->square) * 0.5 + u * fabs(square - q->square) + 1.2e-37 * n) };
}

static void set_worst(const tcsi_neighbours *index, query *q, double worst)
{
    q->worst = worst;
    q->worst_scaled = sqrt(worst) * index->scale;
    q->usual = limits_of(index, q, index->norm_max);
}

static void tidy(const tcsi_neighbours *index, query *q, size_t k)
{
    double worst = 0;
    if (q->found_count < k || k <= SORTED_MAX) return;
    if (q->found_count > k) select_nearest(q->found, q->found_count, k);
    q->found_count = k;
    for (size_t i = 0; i < k; i++) worst = q->found[i].distance > worst ? q->found[i].distance : worst;
    set_worst(index, q, worst);
}

/* A short list is kept sorted instead: its worst is always known. */
static void insert_sorted(const tcsi_neighbours *index, query *q, size_t k, candidate new)
{
    candidate *found = q->found;
    size_t at = q->found_count < k ? q->found_count++ : k - 1;
    if (at == k - 1 && q->worst < INFINITY && nearer(&found[at], &new)) return;
    for (; at > 0 && nearer(&new, &found[at - 1]); at--) found[at] = found[at - 1];
    found[at] = new;
    if (q->found_count == k) set_worst(index, q, found[k - 1].distance);
}

/* A row as far as the worst may still come in for its lower number: only farther ones are turned away. */
static void insert(const tcsi_neighbours *index, query *q, size_t k, double distance, uint32_t row)
{
    if (distance > q->worst || row == q->self) return;
    if (k <= SORTED_MAX) {
        insert_sorted(index, q, k, (candidate){ distance, row });
        return;
    }
    q->found[q->found_count++] = (candidate){ distance, row };
    if (q->found_count == found_max(k)) tidy(index, q, k);
}

static size_t lowest_bit(uint64_t bits)
{
#if defined(__GNUC__)
    return (size_t)__builtin_ctzll(bits);
#else
    size_t at = 0;
    while (!(bits >> at & 1)) at++;
    return at;
#endif
}

/* Computes the rows that the float pass could not rule out. */
static void take_hits(const search *s, query *q, uint32_t leaf, uint32_t count, uint64_t hits)
{
    const tcsi_neighbours *index = s->index;
    size_t channels = index->channel_count;
    if (count < LEAF) hits &= ((uint64_t)1 << count) - 1;
    for (; hits; hits &= hits - 1) {
        size_t at = (size_t)leaf * LEAF + lowest_bit(hits);
        insert(index, q, s->k, distance2(q->values, index->values + at * channels, channels), index->order[at]);
    }
    if (!(q->worst < INFINITY)) tidy(index, q, s->k); /* a first bound, as soon as there is one */
}

static void scan(const search *s, query *q, const float *point, uint32_t leaf, uint32_t count)
{
    const tcsi_neighbours *index = s->index;
    size_t channels = index->channel_count;
    const float *rows = index->floats + leaf * channels * LEAF;
    limits l = q->usual.product ? q->usual : limits_of(index, q, index->leaf_norms[leaf]);
    uint64_t hits = l.product && s->scan_products ? s->scan_products(point, rows, index->halves + (size_t)leaf * LEAF, channels, l.half)
                                                  : s->scan_leaf(point, rows, channels, l.direct);
    take_hits(s, q, leaf, count, hits);
}

typedef struct group {
    query queries[LEAF];
    size_t count;
    const double *box;
    float *points; /* (count,C) */
} group;

/* Four neighbouring queries at once, when all of them have a sharp bound; false otherwise. */
static bool scan_four(const search *s, query *queries, const float *points, uint32_t leaf, uint32_t count)
{
    const tcsi_neighbours *index = s->index;
    size_t channels = index->channel_count;
    float limit[4];
    uint64_t hits[4];
    for (size_t i = 0; i < 4; i++) {
        if (!queries[i].usual.product) return false;
        limit[i] = queries[i].usual.half;
    }
    s->scan_four(points, index->floats + leaf * channels * LEAF, index->halves + (size_t)leaf * LEAF, channels, limit, hits);
    for (size_t i = 0; i < 4; i++)
        if (hits[i]) take_hits(s, &queries[i], leaf, count, hits[i]);
    return true;
}

static void scan_group(const search *s, group *g, const node *leaf, const double *box)
{
    size_t channels = s->index->channel_count;
    uint32_t number = leaf->begin / LEAF, count = leaf->end - leaf->begin;
    bool fours = s->scan_four && channels > BOX_CHANNELS_MAX;
    for (size_t i = 0; i < g->count; i++) {
        if (fours && i + 4 <= g->count && scan_four(s, &g->queries[i], g->points + i * channels, number, count)) {
            i += 3;
            continue;
        }
        query *q = &g->queries[i];
        if (channels <= BOX_CHANNELS_MAX && point_box2(q->values, box, box + channels, channels) * (1 - 1e-9) > q->worst) continue;
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

static void search_group(void *context, size_t leaf, size_t worker)
{
    const search *s = context;
    const tcsi_neighbours *from = s->queries;
    size_t channels = from->channel_count, k = s->k;
    const node *own = &from->nodes[from->leaf_nodes[leaf]];
    group g = { .count = own->end - own->begin, .box = from->boxes + (size_t)from->leaf_nodes[leaf] * 2 * channels,
                .points = s->scratch + worker * LEAF * channels };
    for (size_t i = 0; i < g.count; i++) {
        size_t at = own->begin + i, row = from->order[at];
        query *q = &g.queries[i];
        *q = (query){ .values = from->values + at * channels, .found = s->found + (worker * LEAF + i) * found_max(k),
                      .self = from == s->index ? (uint32_t)row : UINT32_MAX, .row = (uint32_t)row, .worst = INFINITY,
                      .worst_scaled = INFINITY };
        q->square = make_floats(s->index, q->values, g.points + i * channels, 1);
        q->norm = norm_of(q->square);
    }
    walk(s, &g);
    for (size_t i = 0; i < g.count; i++) {
        query *q = &g.queries[i];
        tidy(s->index, q, k);
        TCS_ASSERT(q->found_count == k);
        sort_found(q->found, k);
        for (size_t j = 0; j < k; j++) {
            s->distances[(size_t)q->row * k + j] = sqrt(q->found[j].distance);
            s->rows[(size_t)q->row * k + j] = q->found[j].row;
        }
    }
}

tcs_status tcsi_neighbours_search(const tcsi_neighbours *index, const tcsi_neighbours *queries, size_t k, tcsi_pool *pool,
                                  double *ret_distances, uint32_t *ret_rows, tcs_error *err)
{
    TCS_ASSERT(k >= 1 && k + (queries == index) <= index->row_count && index->channel_count == queries->channel_count);
    size_t points, found, leaf_count = (queries->row_count + LEAF - 1) / LEAF, lanes = tcsi_pool_thread_count(pool) * LEAF;
    if (!tcsi_multiply(lanes, index->channel_count, &points) || !tcsi_multiply(lanes, found_max(k), &found))
        return tcsi_fail_memory(err, "a group of rows");
    search s = { .index = index, .queries = queries, .k = k, .distances = ret_distances, .rows = ret_rows };
    choose_scanners(&s.scan_leaf, &s.scan_products, &s.scan_four);
    s.scratch = TCSI_NEW_ARRAY(float, points);
    s.found = TCSI_NEW_ARRAY(candidate, found);
    tcs_status status = s.scratch && s.found ? TCS_OK : tcsi_fail_memory(err, "a group of rows");
    if (status == TCS_OK) tcsi_pool_run(pool, leaf_count, search_group, &s);
    tcsi_free(s.scratch);
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
    size_t query_size = tcsi_size_sum(tcsi_size_product(channel_count, sizeof(float)), found_max(k) * sizeof(candidate));
    return tcsi_size_product(thread_count * LEAF, query_size);
}
