/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/tabular/forest.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "detect/tabular/table.h"
#include "kernels/trees.h"

#include <math.h>
#include <string.h>

enum { DRAW_COUNT_MAX = 64 }; /* channels drawn at random before the search for one that varies becomes a scan */

/* ---- path lengths ---- */

double tcsi_forest_mean_length(size_t count)
{
    if (count < 2) return 0;
    if (count == 2) return 1;
    double n = (double)count;
    return 2.0 * (log(n - 1.0) + 0.57721566490153286) - 2.0 * (n - 1.0) / n; /* Euler's constant */
}

static size_t depth_of(size_t sample_count)
{
    size_t depth = 1;
    while (((size_t)1 << depth) < sample_count) depth++;
    return depth;
}

/* ---- building ---- */

typedef struct builder {
    const double *values;
    size_t row_count, channel_count;
    tcsi_forest *forest;
    uint64_t seed;
    size_t *rows; /* (threads, sample_count) scratch */
} builder;

typedef struct tree {
    const builder *from;
    tcsi_rng rng;
    uint32_t *channels;
    float *thresholds, *expected, *lengths;
} tree;

static float value_at(const builder *from, size_t row, size_t channel)
{
    return (float)from->values[row * from->channel_count + channel];
}

static bool channel_varies(const builder *from, const size_t *rows, size_t count, size_t channel, float *ret_low, float *ret_high)
{
    float low = value_at(from, rows[0], channel), high = low;
    for (size_t i = 1; i < count; i++) {
        float value = value_at(from, rows[i], channel);
        low = value < low ? value : low;
        high = value > high ? value : high;
    }
    *ret_low = low;
    *ret_high = high;
    return low < high;
}

/* A channel, uniformly among those that vary on these rows; false when none does. */
static bool draw_channel(tree *t, const size_t *rows, size_t count, size_t *ret_channel, float *ret_low, float *ret_high)
{
    size_t channel_count = t->from->channel_count;
    for (int draw = 0; draw < DRAW_COUNT_MAX; draw++) {
        *ret_channel = tcsi_rng_below(&t->rng, channel_count);
        if (channel_varies(t->from, rows, count, *ret_channel, ret_low, ret_high)) return true;
    }
    size_t first = tcsi_rng_below(&t->rng, channel_count);
    for (size_t i = 0; i < channel_count; i++) {
        *ret_channel = (first + i) % channel_count;
        if (channel_varies(t->from, rows, count, *ret_channel, ret_low, ret_high)) return true;
    }
    return false;
}

static size_t partition(const builder *from, size_t *rows, size_t count, size_t channel, float threshold)
{
    size_t left = 0;
    for (size_t i = 0; i < count; i++) {
        size_t row = rows[i];
        if (value_at(from, row, channel) > threshold) continue;
        rows[i] = rows[left];
        rows[left++] = row;
    }
    return left;
}

/* Everything under place, at level, is this leaf. */
static void end_here(tree *t, size_t place, size_t level, size_t count)
{
    size_t depth = t->from->forest->depth, width = 1;
    float length = (float)((double)level + tcsi_forest_mean_length(count));
    for (size_t first = place; level < depth; level++, first = 2 * first + 1, width *= 2)
        for (size_t i = first; i < first + width; i++) {
            t->channels[i] = 0;
            t->thresholds[i] = INFINITY;
            t->expected[i] = length;
        }
    size_t bottom = (size_t)1 << depth, begin = place;
    while (begin < bottom - 1) begin = 2 * begin + 1;
    for (size_t i = 0; i < width; i++) t->lengths[begin - (bottom - 1) + i] = length;
}

/* Depth is at most 12, so recursion is harmless. */
static void grow(tree *t, size_t place, size_t level, size_t *rows, size_t count)
{
    size_t channel;
    float low, high;
    if (count < 2 || level == t->from->forest->depth || !draw_channel(t, rows, count, &channel, &low, &high)) {
        end_here(t, place, level, count);
        return;
    }
    float threshold = (float)tcsi_rng_range(&t->rng, (double)low, (double)high);
    if (!(threshold < high)) threshold = low; /* rounding to float may reach the top: nothing would go right */
    t->channels[place] = (uint32_t)channel;
    t->thresholds[place] = threshold;
    t->expected[place] = (float)((double)level + tcsi_forest_mean_length(count));
    size_t left = partition(t->from, rows, count, channel, threshold);
    grow(t, 2 * place + 1, level + 1, rows, left);
    grow(t, 2 * place + 2, level + 1, rows + left, count - left);
}

static void grow_tree(void *context, size_t index, size_t worker)
{
    const builder *from = context;
    tcsi_forest *forest = from->forest;
    size_t bottom = (size_t)1 << forest->depth, *rows = from->rows + worker * forest->sample_count;
    tree t = { .from = from, .rng = tcsi_rng_make(from->seed, index), .channels = forest->channels + index * (bottom - 1),
               .thresholds = forest->thresholds + index * (bottom - 1), .expected = forest->expected + index * (bottom - 1),
               .lengths = forest->lengths + index * bottom };
    tcsi_rng_sample(&t.rng, from->row_count, forest->sample_count, rows);
    grow(&t, 0, 0, rows, forest->sample_count);
}

void tcsi_forest_deinit(tcsi_forest *forest)
{
    tcsi_free(forest->channels);
    tcsi_free(forest->thresholds);
    tcsi_free(forest->expected);
    tcsi_free(forest->lengths);
    *forest = (tcsi_forest){ 0 };
}

tcs_status tcsi_forest_build(const double *values, size_t row_count, size_t channel_count, size_t tree_count, size_t sample_count,
                             uint64_t seed, tcsi_pool *pool, tcsi_forest *ret_forest, tcs_error *err)
{
    TCS_ASSERT(row_count >= 1 && tree_count <= TCSI_FOREST_TREE_COUNT_MAX && sample_count <= TCSI_FOREST_SAMPLE_COUNT_MAX);
    if (sample_count > row_count) sample_count = row_count;
    tcsi_forest forest = { .tree_count = tree_count, .sample_count = sample_count, .channel_count = channel_count,
                           .depth = depth_of(sample_count) };
    size_t bottom = (size_t)1 << forest.depth;
    forest.channels = TCSI_NEW_ARRAY(uint32_t, tree_count * (bottom - 1)); /* at most 1000 * 4095 */
    forest.thresholds = TCSI_NEW_ARRAY(float, tree_count * (bottom - 1));
    forest.expected = TCSI_NEW_ARRAY(float, tree_count * (bottom - 1));
    forest.lengths = TCSI_NEW_ARRAY(float, tree_count * bottom);
    size_t *rows = TCSI_NEW_ARRAY(size_t, tcsi_pool_thread_count(pool) * sample_count);
    if (!forest.channels || !forest.thresholds || !forest.expected || !forest.lengths || !rows) {
        tcsi_forest_deinit(&forest);
        tcsi_free(rows);
        return tcsi_fail_memory(err, "an isolation forest");
    }
    builder from = { .values = values, .row_count = row_count, .channel_count = channel_count, .forest = &forest, .seed = seed,
                     .rows = rows };
    tcsi_pool_run(pool, tree_count, grow_tree, &from);
    tcsi_free(rows);
    *ret_forest = forest;
    return TCS_OK;
}

/* ---- scoring ---- */

/* Channels that a block of rows is copied with: all, or where those are more than the trees can ask for, one tree's at a time. */
static size_t width_of(size_t tree_count, size_t inner, size_t channel_count)
{
    return channel_count <= tree_count * inner ? channel_count : inner;
}

typedef struct scorer {
    const tcsi_forest *forest;
    tcsi_tree_walker walk;
    const double *values;
    size_t row_count, width;
    float *scratch;   /* (threads, width, TCSI_TREE_ROWS) */
    uint32_t *places; /* (width): 0, 1, ...: a tree's own channels in the order of its places */
    double *scores;
} scorer;

/* (width,TCSI_TREE_ROWS) of rows begin to begin + count; channels NULL: all.  A short block repeats its first row. */
static void copy_rows(const scorer *from, size_t begin, size_t count, const uint32_t *channels, float *ret_block)
{
    for (size_t i = 0; i < TCSI_TREE_ROWS; i++) {
        const double *row = from->values + (begin + (i < count ? i : 0)) * from->forest->channel_count;
        for (size_t c = 0; c < from->width; c++) ret_block[c * TCSI_TREE_ROWS + i] = (float)row[channels ? channels[c] : c];
    }
}

static void score_block(void *context, size_t index, size_t worker)
{
    const scorer *from = context;
    const tcsi_forest *forest = from->forest;
    size_t begin = index * TCSI_TREE_ROWS, inner = ((size_t)1 << forest->depth) - 1;
    size_t count = from->row_count - begin < TCSI_TREE_ROWS ? from->row_count - begin : TCSI_TREE_ROWS;
    bool whole = from->width == forest->channel_count;
    float *block = from->scratch + worker * from->width * TCSI_TREE_ROWS;
    double sums[TCSI_TREE_ROWS] = { 0 };
    if (whole) copy_rows(from, begin, count, NULL, block);
    for (size_t t = 0; t < forest->tree_count; t++) {
        const uint32_t *channels = forest->channels + t * inner;
        tcsi_tree one = { whole ? channels : from->places, forest->thresholds + t * inner, forest->lengths + t * (inner + 1),
                          forest->depth };
        if (!whole) copy_rows(from, begin, count, channels, block);
        from->walk(&one, block, from->width, sums);
    }
    double unit = tcsi_forest_mean_length(forest->sample_count);
    for (size_t i = 0; i < count; i++) from->scores[begin + i] = exp2(-sums[i] / (double)forest->tree_count / (unit > 0 ? unit : 1));
}

tcs_status tcsi_forest_score(const tcsi_forest *forest, const double *values, size_t row_count, tcsi_pool *pool, double *ret_scores,
                             tcs_error *err)
{
    size_t inner = ((size_t)1 << forest->depth) - 1, width = width_of(forest->tree_count, inner, forest->channel_count);
    float *scratch = TCSI_NEW_ARRAY(float, tcsi_pool_thread_count(pool) * TCSI_TREE_ROWS * width); /* width is at most 1000 * 4095 */
    uint32_t *places = TCSI_NEW_ARRAY(uint32_t, width);
    tcs_status status = scratch && places ? TCS_OK : tcsi_fail_memory(err, "a block of rows");
    if (status == TCS_OK) {
        for (size_t i = 0; i < width; i++) places[i] = (uint32_t)i;
        scorer from = { .forest = forest, .walk = tcsi_tree_walker_for(tcsi_isa_current(), width), .values = values,
                        .row_count = row_count, .width = width, .scratch = scratch, .places = places, .scores = ret_scores };
        tcsi_pool_run(pool, (row_count + TCSI_TREE_ROWS - 1) / TCSI_TREE_ROWS, score_block, &from);
    }
    tcsi_free(scratch);
    tcsi_free(places);
    return status;
}

/* ---- shares ---- */

/* What the cuts on a row's path through one tree do to the length that is expected of it, by their channels. */
static void share_path(const tcsi_forest *forest, size_t number, const double *row, double *sums)
{
    size_t inner = ((size_t)1 << forest->depth) - 1, place = 0;
    const uint32_t *channels = forest->channels + number * inner;
    const float *thresholds = forest->thresholds + number * inner, *expected = forest->expected + number * inner;
    const float *lengths = forest->lengths + number * (inner + 1);
    while (place < inner && thresholds[place] < INFINITY) {
        uint32_t channel = channels[place];
        float before = expected[place];
        place = 2 * place + ((float)row[channel] > thresholds[place] ? 2 : 1);
        sums[channel] += (double)before - (double)(place < inner ? expected[place] : lengths[place - inner]);
    }
}

void tcsi_forest_share(const tcsi_forest *forest, const double *row, double *scratch, double *parts)
{
    for (size_t c = 0; c < forest->channel_count; c++) scratch[c] = 0;
    for (size_t t = 0; t < forest->tree_count; t++) share_path(forest, t, row, scratch);
    for (size_t c = 0; c < forest->channel_count; c++) parts[c] += fmax(scratch[c], 0) / (double)forest->tree_count;
}

/* ---- saved form and sizes ---- */

/* A leaf's filler, or a split that a damaged state cannot send outside the rows. */
static bool length_ok(float length)
{
    return length >= 0 && length <= 2.0f * TCSI_FOREST_SAMPLE_COUNT_MAX;
}

static bool forest_ok(const tcsi_forest *forest)
{
    size_t bottom = (size_t)1 << forest->depth;
    for (size_t i = 0; i < forest->tree_count * (bottom - 1); i++)
        if (forest->channels[i] >= forest->channel_count || !(forest->thresholds[i] == forest->thresholds[i])
            || !length_ok(forest->expected[i]))
            return false;
    for (size_t i = 0; i < forest->tree_count * bottom; i++)
        if (!length_ok(forest->lengths[i])) return false;
    return true;
}

void tcsi_forest_persist(tcsi_forest *forest, size_t channel_count, tcsi_codec *codec)
{
    tcsi_codec_size(codec, &forest->tree_count, TCSI_FOREST_TREE_COUNT_MAX);
    tcsi_codec_size(codec, &forest->sample_count, TCSI_FOREST_SAMPLE_COUNT_MAX);
    if (tcsi_codec_status(codec) != TCS_OK) return;
    if (tcsi_codec_loading(codec)) {
        forest->channel_count = channel_count;
        forest->depth = depth_of(forest->sample_count);
        if (forest->tree_count == 0 || forest->sample_count == 0) tcsi_codec_refuse(codec, "a forest without trees or samples");
    }
    size_t bottom = (size_t)1 << forest->depth;
    tcsi_persist_u32s(codec, &forest->channels, forest->tree_count * (bottom - 1));
    tcsi_persist_f32s(codec, &forest->thresholds, forest->tree_count * (bottom - 1));
    tcsi_persist_f32s(codec, &forest->expected, forest->tree_count * (bottom - 1));
    tcsi_persist_f32s(codec, &forest->lengths, forest->tree_count * bottom);
    if (tcsi_codec_loading(codec) && tcsi_codec_status(codec) == TCS_OK && !forest_ok(forest))
        tcsi_codec_refuse(codec, "a forest out of range");
}

size_t tcsi_forest_size_max(size_t tree_count, size_t sample_count, size_t channel_count, size_t thread_count)
{
    (void)channel_count;
    size_t bottom = (size_t)1 << depth_of(sample_count);
    return tcsi_size_sum(tcsi_size_product(tree_count * bottom, 16), tcsi_size_product(thread_count * sample_count, sizeof(size_t)));
}

size_t tcsi_forest_score_size(size_t tree_count, size_t sample_count, size_t channel_count, size_t thread_count)
{
    size_t width = width_of(tree_count, ((size_t)1 << depth_of(sample_count)) - 1, channel_count);
    return tcsi_size_product(width, tcsi_size_product(thread_count, TCSI_TREE_ROWS * sizeof(float)) + sizeof(uint32_t));
}
