/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/tabular/neighbours_tree.h"

#include "base/alloc.h"
#include "series/stats.h"

#include <math.h>
#include <string.h>

enum { ALIGNMENT = 64 }; /* bytes: a cache line and a vector */

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

/* Left halves are whole leaves, so that leaf number = first row / TCSI_LEAF.  Depth is at most 26. */
static uint32_t grow(builder *b, uint32_t begin, uint32_t end)
{
    tcsi_neighbours *index = b->index;
    uint32_t at = (uint32_t)index->node_count++;
    size_t count = index->channel_count;
    double *box = index->boxes + at * 2 * count;
    box_of(b, begin, end, box);
    index->nodes[at] = (tcsi_tree_node){ .begin = begin, .end = end };
    if (end - begin <= TCSI_LEAF) {
        index->leaf_nodes[begin / TCSI_LEAF] = at;
        return at;
    }
    size_t widest = 0;
    for (size_t c = 1; c < count; c++)
        if (box[count + c] - box[c] > box[count + widest] - box[widest]) widest = c;
    uint32_t leaf_count = (end - begin + TCSI_LEAF - 1) / TCSI_LEAF, left_count = (leaf_count + 1) / 2 * TCSI_LEAF;
    if (left_count >= end - begin) left_count -= TCSI_LEAF;
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

double tcsi_tree_floats(const tcsi_neighbours *index, const double *row, float *ret_floats, size_t step)
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

double tcsi_tree_norm(double squares)
{
    return sqrt(squares) * (1 + 1e-6) + 1e-37;
}

static void fill_floats(tcsi_neighbours *index)
{
    size_t count = index->channel_count, leaf_count = tcsi_tree_leaf_count(index);
    for (size_t leaf = 0; leaf < leaf_count; leaf++) {
        float *block = index->floats + leaf * count * TCSI_LEAF;
        index->leaf_norms[leaf] = 0;
        for (size_t j = 0; j < TCSI_LEAF; j++) {
            size_t at = leaf * TCSI_LEAF + j;
            if (at < index->row_count) {
                double squares = tcsi_tree_floats(index, index->values + at * count, block + j, TCSI_LEAF);
                index->halves[at] = (float)(0.5 * squares);
                index->leaf_norms[leaf] = fmaxf(index->leaf_norms[leaf], (float)(tcsi_tree_norm(squares) * (1 + 1e-6)));
            } else {
                for (size_t c = 0; c < count; c++) block[c * TCSI_LEAF + j] = 0; /* hits there are masked away */
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
    size_t rows = index->row_count, channels = index->channel_count, leaves = tcsi_tree_leaf_count(index), cells, padded, boxes;
    if (rows > TCSI_NEIGHBOURS_ROW_COUNT_MAX || !tcsi_multiply(rows, channels, &cells)
        || !tcsi_multiply(leaves * TCSI_LEAF, channels, &padded) || !tcsi_multiply(leaves * 4, channels, &boxes))
        return tcsi_fail(err, TCS_E_LIMIT, "nearest neighbours: %zu rows x %zu channels are too many", rows, channels);
    index->order = TCSI_NEW_ARRAY(uint32_t, rows);
    index->place = TCSI_NEW_ARRAY(uint32_t, rows);
    index->values = TCSI_NEW_ARRAY(double, cells);
    index->floats_block = TCSI_NEW_ARRAY(float, padded + ALIGNMENT / sizeof(float)); /* padded is far from the largest size */
    index->floats = aligned(index->floats_block);
    index->halves = TCSI_NEW_ARRAY(float, leaves * TCSI_LEAF);
    index->leaf_norms = TCSI_NEW_ARRAY(float, leaves);
    index->boxes = TCSI_NEW_ARRAY(double, boxes);
    index->centres = TCSI_NEW_ARRAY(double, channels);
    index->nodes = TCSI_NEW_ARRAY(tcsi_tree_node, leaves * 2);
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
