/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/tabular/neighbours_tree.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "detect/tabular/neighbours_few.h"
#include "detect/tabular/table.h"

#include <math.h>
#include <string.h>

enum { LOOK = 64 }; /* rows that a node's variances are estimated from */

/* ---- growing ---- */

typedef struct builder {
    tcsi_neighbours *index;
    const float *leads;  /* (R,lead_count) by row number */
    uint32_t *order;     /* (R) */
    uint64_t *keys;      /* (R) scratch of the selection */
    tcsi_rng rng;        /* of pivots: results do not depend on it */
} builder;

static size_t widest_axis(const builder *b, uint32_t begin, uint32_t end)
{
    size_t leads = b->index->axes.lead_count, widest = 0;
    uint32_t count = end - begin < LOOK ? end - begin : LOOK;
    double largest = -1;
    for (size_t a = 0; a < leads; a++) {
        double sum = 0, squares = 0, shift = (double)b->leads[b->order[begin] * leads + a];
        for (uint32_t i = 0; i < count; i++) {
            uint32_t row = b->order[begin + (uint32_t)((uint64_t)i * (end - begin) / count)];
            double value = (double)b->leads[row * leads + a] - shift;
            sum += value;
            squares += value * value;
        }
        double variance = squares - sum * sum / count;
        if (variance > largest) {
            largest = variance;
            widest = a;
        }
    }
    return widest;
}

/* The order of floats, in unsigned integers. */
static uint32_t rising_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

static uint64_t middle_of(uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t low = a < b ? a : b, high = a < b ? b : a;
    return c < low ? low : c > high ? high : c;
}

/* Afterwards the first `wanted` keys are the smallest.  No two are equal; 0 < wanted < count.  No branch a key. */
static void select_keys(builder *b, uint64_t *keys, size_t count, size_t wanted)
{
    while (count > 1) {
        uint64_t pivot = middle_of(keys[tcsi_rng_below(&b->rng, count)], keys[count / 2], keys[tcsi_rng_below(&b->rng, count)]);
        size_t less = 0;
        for (size_t i = 0; i < count; i++) {
            uint64_t key = keys[i];
            keys[i] = keys[less];
            keys[less] = key;
            less += key < pivot;
        }
        if (less == wanted) return;
        if (less > wanted) {
            count = less;
            continue;
        }
        keys += less;
        count -= less;
        wanted -= less;
        if (less > 0) continue;
        for (size_t i = 0; i < count; i++) /* the pivot is the smallest: put it behind us */
            if (keys[i] == pivot) {
                keys[i] = keys[0];
                keys[0] = pivot;
                break;
            }
        keys++;
        count--;
        if (--wanted == 0) return;
    }
}

/* Moves the left_count rows with the smallest (value, row number) on axis to the front: the pair has no ties.  Returns the
 * largest value that went left. */
static float split(builder *b, uint32_t begin, uint32_t end, uint32_t left_count, size_t axis)
{
    size_t leads = b->index->axes.lead_count;
    uint32_t *order = b->order + begin, count = end - begin;
    for (uint32_t i = 0; i < count; i++)
        b->keys[i] = (uint64_t)rising_bits(b->leads[order[i] * leads + axis]) << 32 | order[i];
    select_keys(b, b->keys, count, left_count);
    float border = -INFINITY;
    for (uint32_t i = 0; i < count; i++) {
        order[i] = (uint32_t)b->keys[i];
        float value = b->leads[order[i] * leads + axis];
        if (i < left_count && value > border) border = value;
    }
    return border;
}

/* Depth is at most 26. */
static uint32_t grow(builder *b, uint32_t begin, uint32_t end)
{
    tcsi_neighbours *index = b->index;
    uint32_t at = (uint32_t)index->node_count++;
    index->nodes[at] = (tcsi_tree_node){ .begin = begin, .end = end };
    if (end - begin <= TCSI_BLOCK) return at;
    uint32_t leaf_count = (end - begin - 1) / TCSI_BLOCK + 1, left_count = (leaf_count + 1) / 2 * TCSI_BLOCK;
    if (left_count >= end - begin) left_count -= TCSI_BLOCK;
    size_t axis = widest_axis(b, begin, end);
    float border = split(b, begin, end, left_count, axis);
    uint32_t left = grow(b, begin, begin + left_count), right = grow(b, begin + left_count, end);
    index->nodes[at] = (tcsi_tree_node){ .begin = begin, .end = end, .left = left, .right = right, .axis = (uint32_t)axis,
                                         .border = border };
    return at;
}

/* ---- boxes ---- */

static void fill_boxes(tcsi_neighbours *index)
{
    size_t leads = index->axes.lead_count;
    for (size_t at = index->node_count; at-- > 0;) {
        const tcsi_tree_node *node = &index->nodes[at];
        float *box = index->boxes + at * 2 * leads;
        if (node->left == 0) {
            tcsi_block block = tcsi_points_block(&index->points, node->begin / TCSI_BLOCK);
            tcsi_points_box(&block, leads, box);
            continue;
        }
        const float *left = tcsi_tree_box(index, node->left), *right = tcsi_tree_box(index, node->right);
        for (size_t a = 0; a < leads; a++) {
            box[a] = left[a] < right[a] ? left[a] : right[a];
            box[leads + a] = left[leads + a] > right[leads + a] ? left[leads + a] : right[leads + a];
        }
    }
}

size_t tcsi_tree_leaf_of(const tcsi_neighbours *index, const float *point)
{
    const tcsi_tree_node *node = index->nodes;
    while (node->left != 0) node = &index->nodes[point[node->axis] <= node->border ? node->left : node->right];
    return node->begin / TCSI_BLOCK;
}

/* ---- life ---- */

void tcsi_neighbours_destroy(tcsi_neighbours *index)
{
    if (!index) return;
    tcsi_axes_deinit(&index->axes);
    tcsi_points_deinit(&index->points);
    tcsi_free(index->values);
    tcsi_free(index->place);
    tcsi_free(index->nodes);
    tcsi_free(index->boxes);
    tcsi_free(index);
}

/* values: as given.  The tree, and the points in its order. */
static tcs_status build(tcsi_neighbours *index, const double *values, float *leads, double *scratch, uint64_t *keys, tcs_error *err)
{
    size_t rows = index->row_count, channels = index->channel_count;
    const tcsi_nearest_ops *ops = tcsi_nearest_ops_for(tcsi_isa_current());
    for (size_t i = 0; i < rows; i++)
        tcsi_axes_lead(&index->axes, ops, values + i * channels, scratch, leads + i * index->axes.lead_count);
    builder b = { .index = index, .leads = leads, .order = TCSI_NEW_ARRAY(uint32_t, rows), .keys = keys, .rng = tcsi_rng_make(0, rows) };
    if (!b.order) return tcsi_fail_memory(err, "the index of nearest neighbours");
    for (size_t i = 0; i < rows; i++) b.order[i] = (uint32_t)i;
    grow(&b, 0, (uint32_t)rows);
    tcs_status status = tcsi_points_init(&index->axes, values, leads, rows, b.order, index->values, &index->points, err);
    if (status != TCS_OK) return status;
    fill_boxes(index);
    for (size_t i = 0; i < rows; i++) index->place[index->points.order[i]] = (uint32_t)i;
    return TCS_OK;
}

/* Axes, tree and points, of an index that has room for its rows. */
static tcs_status plant(tcsi_neighbours *index, const double *values, size_t k, tcs_error *err)
{
    size_t row_count = index->row_count, channel_count = index->channel_count, leaves = tcsi_block_count(row_count), boxes = 0;
    tcs_status status = tcsi_axes_learn(values, row_count, channel_count, k, &index->axes, err);
    if (status == TCS_OK && tcsi_multiply(leaves * 4, index->axes.lead_count, &boxes)) index->boxes = TCSI_NEW_ARRAY(float, boxes);
    index->nodes = TCSI_NEW_ARRAY(tcsi_tree_node, leaves * 2);
    float *leads = status == TCS_OK ? TCSI_NEW_ARRAY(float, row_count * index->axes.lead_count) : NULL; /* not more than cells */
    double *scratch = TCSI_NEW_ARRAY(double, 2 * channel_count);
    uint64_t *keys = TCSI_NEW_ARRAY(uint64_t, row_count);
    bool ok = index->boxes && index->nodes && leads && scratch && keys;
    if (status == TCS_OK && !ok) status = tcsi_fail_memory(err, "the index of nearest neighbours");
    if (status == TCS_OK) status = build(index, values, leads, scratch, keys, err);
    tcsi_free(leads);
    tcsi_free(scratch);
    tcsi_free(keys);
    return status;
}

static void copy_rows(tcsi_neighbours *index, const double *values)
{
    memcpy(index->values, values, index->row_count * index->channel_count * sizeof *values);
    for (size_t i = 0; i < index->row_count; i++) index->place[i] = (uint32_t)i;
}

tcs_status tcsi_neighbours_create(const double *values, size_t row_count, size_t channel_count, size_t k, tcsi_neighbours **ret_index,
                                  tcs_error *err)
{
    TCS_ASSERT(row_count >= 1 && channel_count >= 1);
    size_t cells;
    if (row_count > TCSI_NEIGHBOURS_ROW_COUNT_MAX || !tcsi_multiply(row_count, channel_count, &cells))
        return tcsi_fail(err, TCS_E_LIMIT, "nearest neighbours: %zu rows x %zu channels are too many", row_count, channel_count);
    tcsi_neighbours *index = TCSI_NEW(tcsi_neighbours);
    if (!index) return tcsi_fail_memory(err, "the index of nearest neighbours");
    index->row_count = row_count;
    index->channel_count = channel_count;
    index->values = TCSI_NEW_ARRAY(double, cells);
    index->place = TCSI_NEW_ARRAY(uint32_t, row_count);
    tcs_status status = index->values && index->place ? TCS_OK : tcsi_fail_memory(err, "the index of nearest neighbours");
    if (status == TCS_OK && tcsi_is_few(row_count)) copy_rows(index, values);
    else if (status == TCS_OK) status = plant(index, values, k, err);
    if (status != TCS_OK) {
        tcsi_neighbours_destroy(index);
        return status;
    }
    *ret_index = index;
    return TCS_OK;
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

size_t tcsi_neighbours_size_max(size_t row_count, size_t channel_count)
{
    if (tcsi_is_few(row_count)) return tcsi_size_sum(tcsi_size_product(tcsi_size_product(row_count, channel_count), sizeof(double)), 1024);
    size_t rows = tcsi_size_sum(row_count, TCSI_BLOCK), cells = tcsi_size_product(rows, tcsi_size_sum(channel_count, 1));
    size_t boxes = tcsi_size_product(tcsi_size_product(rows / TCSI_BLOCK + 1, channel_count), 4 * sizeof(float));
    size_t held = tcsi_size_sum(tcsi_points_size_max(row_count, channel_count), tcsi_axes_size_max(row_count, channel_count));
    held = tcsi_size_sum(held, tcsi_size_sum(tcsi_size_product(cells, sizeof(double) + sizeof(float)), boxes));
    return tcsi_size_sum(held, tcsi_size_sum(tcsi_size_product(rows, 16), 512));
}
