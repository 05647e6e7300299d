/* detect/fast/rrcf.c -- robust random cut forest: how much would the model shrink if this row were not there?
 *
 * S. Guha, N. Mishra, G. Roy, O. Schrijvers, "Robust random cut forest based anomaly detection on streams", ICML 2016.  A
 * random cut tree splits a set of points along a dimension drawn with probability proportional to its range, at a uniform
 * place in that range, until every point is alone.  The collusive displacement of a point (section 3, CoDisp) is the
 * largest ratio, over the nodes above it, of the points on the other side to those on its own: removing that many
 * points moves so many others up.  The score is its mean over trees.
 *
 * Points come and go exactly: on the way down a cut of the box around node and point is drawn, and where it separates the
 * two, a new node goes in (section 2, Algorithm 2); it can separate them only in what the point adds to the box, so that most
 * steps need no random number.  Deleting puts the sibling in the parent's place (Algorithm 1).
 * Theorems 3 and 4: the tree is then distributed as if it had been built from its present points, so that a tree
 * over the last `window` rows costs a path a row instead of a build.  rrcf_test.c compares with trees built from scratch.
 *
 * Rows are standardized (median and spread of the first or fitted rows), since a cut prefers dimensions with large numbers;
 * `shingle` rows make one point.  A missing value counts as the last one of its channel.
 *
 * Layout: nodes 0 .. S-2 are inner, S-1+i is the leaf of slot i of the window, or of several equal points, named for one of
 * them.  Boxes are kept for inner nodes only.  The random numbers of a row are a stream of their own per (row, tree): no
 * generator state to keep.  Trees are independent, and so are their bits.
 *
 * Invariants: count of an inner node = sum of its children's; its box = union of theirs; checked on load.
 * Cost: trees times depth times dimensions a row, some 5 microseconds at the defaults, several times the other detectors
 * of this folder.  16 trees rank rows as well as 40 on public labelled series (VUS-PR 0.136 and 0.137 on NAB, 0.111 and 0.111 on
 * multivariate series); half the window costs a tenth of it.  Memory: trees window (44 + 16 dimensions) bytes, declared and never
 * more.  SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "base/rng.h"
#include "detect/detector.h"
#include "detect/fast/robust.h"

#include <math.h>
#include <string.h>

enum { NONE = 0xffffffff, DIMENSION_COUNT_MAX = 4096 };

static const double CLIPPED = 1e6; /* standardized values beyond are this far out: far enough */

typedef struct options {
    size_t tree_count, window, shingle, warmup_count;
    bool standardize;
} options;

typedef struct cut_tree {
    uint32_t *parents, *counts;          /* (2S-1) */
    uint32_t *lefts, *rights, *cut_dims; /* (S-1) */
    uint32_t *leaf_of;                   /* (S) slot -> leaf, NONE: empty */
    uint32_t *free_nodes;                /* (S-1) stack of inner nodes not in use */
    double *cuts, *boxes;                /* (S-1), (S-1, 2, D): lows, then highs */
    uint32_t root, free_count;
} cut_tree;

typedef struct rrcf {
    tcsi_detector base;
    options options;
    size_t dimension_count;     /* D = channels * shingle */
    cut_tree *trees;            /* (trees) */
    uint32_t *tree_numbers;     /* what their pointers point into */
    double *tree_values;
    double *points;             /* (S,D) the window */
    double *last_rows;          /* (shingle, C) standardized, oldest first */
    double *centers, *spreads;  /* (C) */
    double *first_rows;         /* (warmup, C) raw, until started */
    double *learned_rows;       /* (window + shingle, C) raw, the last rows of fit */
    size_t first_count, learned_count;
    uint64_t row_count;         /* rows taken in since the start */
    bool is_started, is_learned;
} rrcf;

/* ---- one tree ---- */

static uint32_t leaf_id(const rrcf *self, size_t slot)
{
    return (uint32_t)(self->options.window - 1 + slot);
}

static bool is_leaf(const rrcf *self, uint32_t node)
{
    return node >= self->options.window - 1;
}

static const double *lows_of(const rrcf *self, const cut_tree *tree, uint32_t node)
{
    if (is_leaf(self, node)) return &self->points[(node - (self->options.window - 1)) * self->dimension_count];
    return &tree->boxes[node * 2 * self->dimension_count];
}

static const double *highs_of(const rrcf *self, const cut_tree *tree, uint32_t node)
{
    return is_leaf(self, node) ? lows_of(self, tree, node) : lows_of(self, tree, node) + self->dimension_count;
}

/* The box of an inner node becomes the union of its children's; false when it was that already. */
static bool renew_box(const rrcf *self, cut_tree *tree, uint32_t node)
{
    size_t dimension_count = self->dimension_count;
    double *low = &tree->boxes[node * 2 * dimension_count], *high = low + dimension_count;
    const double *left_low = lows_of(self, tree, tree->lefts[node]), *left_high = highs_of(self, tree, tree->lefts[node]);
    const double *right_low = lows_of(self, tree, tree->rights[node]), *right_high = highs_of(self, tree, tree->rights[node]);
    bool changed = false;
    for (size_t d = 0; d < dimension_count; d++) {
        double new_low = left_low[d] < right_low[d] ? left_low[d] : right_low[d];
        double new_high = left_high[d] > right_high[d] ? left_high[d] : right_high[d];
        changed |= new_low != low[d] || new_high != high[d];
        low[d] = new_low;
        high[d] = new_high;
    }
    return changed;
}

static void replace_child(cut_tree *tree, uint32_t parent, uint32_t old_child, uint32_t new_child)
{
    tree->parents[new_child] = parent;
    if (parent == NONE) tree->root = new_child;
    else if (tree->lefts[parent] == old_child) tree->lefts[parent] = new_child;
    else tree->rights[parent] = new_child;
}

typedef struct random_cut {
    size_t dimension;
    double at;
} random_cut;

/* A cut of the box around lows, highs and x is drawn with its dimension by range and its place uniform; it parts x from the
 * box when it falls into what x adds to the box.  Only then it matters: true with the cut.  Most points of most boxes add
 * nothing, and need no random number. */
static bool draw_parting_cut(const double *lows, const double *highs, const double *x, size_t dimension_count, tcsi_rng *rng,
                             random_cut *ret_cut)
{
    double total = 0, added = 0;
    for (size_t d = 0; d < dimension_count; d++) {
        double below = lows[d] - x[d], above = x[d] - highs[d];
        total += highs[d] - lows[d];
        added += (below > 0 ? below : 0) + (above > 0 ? above : 0);
    }
    if (!(added > 0)) return false;
    double left = tcsi_rng_uniform(rng) * (total + added);
    if (left >= added && total > 0) return false; /* where the box is a point, rounding of a denormal must not decide */
    random_cut cut = { 0, 0 };
    double end = 0, begin = 0;
    for (size_t d = 0; d < dimension_count; d++) {
        bool is_below = x[d] < lows[d];
        if (!is_below && !(x[d] > highs[d])) continue;
        begin = is_below ? x[d] : highs[d];
        end = is_below ? lows[d] : x[d];
        cut = (random_cut){ d, begin + left };
        if (left < end - begin) break;
        left -= end - begin;
    }
    if (!(cut.at < end)) cut.at = nextafter(end, begin); /* rounding carried it to where it would part nothing */
    *ret_cut = cut;
    return true;
}

/* A new inner node above `node`, with the leaf of slot on its other side. */
static void put_above(const rrcf *self, cut_tree *tree, uint32_t node, size_t slot, random_cut cut, bool point_is_left)
{
    uint32_t leaf = leaf_id(self, slot), inner = tree->free_nodes[--tree->free_count], parent = tree->parents[node];
    tree->lefts[inner] = point_is_left ? leaf : node;
    tree->rights[inner] = point_is_left ? node : leaf;
    tree->cut_dims[inner] = (uint32_t)cut.dimension;
    tree->cuts[inner] = cut.at;
    tree->counts[inner] = tree->counts[node] + 1;
    tree->counts[leaf] = 1;
    replace_child(tree, parent, node, inner);
    tree->parents[node] = tree->parents[leaf] = inner;
    tree->leaf_of[slot] = leaf;
    (void)renew_box(self, tree, inner);
}

static bool equal_points(const double *a, const double *b, size_t dimension_count)
{
    for (size_t d = 0; d < dimension_count; d++)
        if (a[d] != b[d]) return false;
    return true;
}

static void extend_box(double *lows, double *highs, const double *x, size_t dimension_count)
{
    for (size_t d = 0; d < dimension_count; d++) {
        lows[d] = x[d] < lows[d] ? x[d] : lows[d];
        highs[d] = x[d] > highs[d] ? x[d] : highs[d];
    }
}

static void tree_insert(const rrcf *self, cut_tree *tree, size_t slot, tcsi_rng *rng)
{
    size_t dimension_count = self->dimension_count;
    const double *x = &self->points[slot * dimension_count];
    uint32_t node = tree->root;
    if (node == NONE) {
        tree->root = tree->leaf_of[slot] = leaf_id(self, slot);
        tree->counts[tree->root] = 1;
        tree->parents[tree->root] = NONE;
        return;
    }
    for (;;) {
        const double *lows = lows_of(self, tree, node), *highs = highs_of(self, tree, node);
        if (is_leaf(self, node) && equal_points(lows, x, dimension_count)) {
            tree->counts[node]++;
            tree->leaf_of[slot] = node;
            return;
        }
        random_cut cut;
        if (draw_parting_cut(lows, highs, x, dimension_count, rng, &cut)) {
            put_above(self, tree, node, slot, cut, x[cut.dimension] <= cut.at);
            return;
        }
        double *box = &tree->boxes[node * 2 * dimension_count];
        extend_box(box, box + dimension_count, x, dimension_count);
        tree->counts[node]++;
        node = x[tree->cut_dims[node]] <= tree->cuts[node] ? tree->lefts[node] : tree->rights[node];
    }
}

/* One of several equal points leaves; where the leaf is named for its slot, another of them takes the name. */
static void remove_duplicate(const rrcf *self, cut_tree *tree, size_t slot, uint32_t leaf)
{
    for (uint32_t node = leaf; node != NONE; node = tree->parents[node]) tree->counts[node]--;
    if (leaf != leaf_id(self, slot)) return;
    uint32_t heir = NONE;
    for (size_t other = 0; other < self->options.window; other++) {
        if (tree->leaf_of[other] != leaf) continue;
        if (heir == NONE) heir = leaf_id(self, other);
        tree->leaf_of[other] = heir;
    }
    TCS_ASSERT(heir != NONE);
    tree->counts[heir] = tree->counts[leaf];
    replace_child(tree, tree->parents[leaf], leaf, heir);
}

static void tree_delete(const rrcf *self, cut_tree *tree, size_t slot)
{
    uint32_t leaf = tree->leaf_of[slot], parent = tree->parents[leaf];
    tree->leaf_of[slot] = NONE;
    if (tree->counts[leaf] > 1) {
        remove_duplicate(self, tree, slot, leaf);
        return;
    }
    if (parent == NONE) {
        tree->root = NONE;
        return;
    }
    uint32_t sibling = tree->lefts[parent] == leaf ? tree->rights[parent] : tree->lefts[parent];
    replace_child(tree, tree->parents[parent], parent, sibling);
    tree->free_nodes[tree->free_count++] = parent;
    bool box_changes = true;
    for (uint32_t node = tree->parents[sibling]; node != NONE; node = tree->parents[node]) {
        tree->counts[node]--;
        if (box_changes) box_changes = renew_box(self, tree, node);
    }
}

static double collusive_displacement(const cut_tree *tree, size_t slot)
{
    double most = 0;
    for (uint32_t node = tree->leaf_of[slot], parent; (parent = tree->parents[node]) != NONE; node = parent) {
        uint32_t sibling = tree->lefts[parent] == node ? tree->rights[parent] : tree->lefts[parent];
        double ratio = (double)tree->counts[sibling] / (double)tree->counts[node];
        most = ratio > most ? ratio : most;
    }
    return most;
}

/* ---- rows ---- */

/* The row, standardized, at the end of last_rows; a missing value is the channel's last. */
static void shift_in(rrcf *self, const double *values)
{
    size_t channel_count = self->base.channel_count, shingle = self->options.shingle;
    double *newest = &self->last_rows[(shingle - 1) * channel_count];
    memmove(self->last_rows, self->last_rows + channel_count, (shingle - 1) * channel_count * sizeof *newest);
    for (size_t c = 0; c < channel_count; c++) {
        if (!tcsi_value_ok(values[c])) continue; /* what stands there is the row before */
        newest[c] = fmax(-CLIPPED, fmin(CLIPPED, (values[c] - self->centers[c]) / self->spreads[c])) + 0.0;
    }
    self->row_count++;
}

/* Takes a row in; returns false while there are fewer rows than a shingle. */
static bool take_row(rrcf *self, const double *values, double *ret_score)
{
    size_t window = self->options.window, size = self->dimension_count * sizeof(double);
    double sum = 0;
    shift_in(self, values);
    if (self->row_count < self->options.shingle) return false;
    uint64_t point = self->row_count - self->options.shingle;
    size_t slot = (size_t)(point % window);
    for (size_t i = 0; i < self->options.tree_count && point >= window; i++) tree_delete(self, &self->trees[i], slot);
    memcpy(&self->points[slot * self->dimension_count], self->last_rows, size);
    for (size_t i = 0; i < self->options.tree_count; i++) {
        tcsi_rng rng = tcsi_rng_make(self->base.seed, point << 16 | i);
        tree_insert(self, &self->trees[i], slot, &rng);
        sum += collusive_displacement(&self->trees[i], slot);
    }
    *ret_score = sum / (double)self->options.tree_count;
    return true;
}

static void clear_trees(rrcf *self)
{
    size_t window = self->options.window;
    for (size_t i = 0; i < self->options.tree_count; i++) {
        cut_tree *tree = &self->trees[i];
        tree->root = NONE;
        tree->free_count = (uint32_t)(window - 1);
        for (size_t n = 0; n + 1 < window; n++) tree->free_nodes[n] = (uint32_t)n;
        for (size_t slot = 0; slot < window; slot++) tree->leaf_of[slot] = NONE;
    }
    memset(self->last_rows, 0, self->dimension_count * sizeof(double));
    self->row_count = 0;
}

static void take_rows(rrcf *self, const double *rows, size_t count)
{
    double ignored;
    for (size_t t = 0; t < count; t++) (void)take_row(self, &rows[t * self->base.channel_count], &ignored);
}

/* Median and spread of one channel of rows (T,C); scratch: (T). */
static void measure_channel(rrcf *self, size_t channel, const double *rows, size_t row_count, double *scratch)
{
    size_t usable = 0, channel_count = self->base.channel_count;
    double center = 0, spread = 1;
    for (size_t t = 0; t < row_count; t++)
        if (tcsi_value_ok(rows[t * channel_count + channel])) scratch[usable++] = rows[t * channel_count + channel];
    if (usable > 0 && self->options.standardize) {
        tcsi_robust_center(scratch, usable, &center, &spread);
        spread = tcsi_robust_floor(spread, 0, center);
    }
    self->centers[channel] = center;
    self->spreads[channel] = spread;
}

static void start(rrcf *self)
{
    double *scratch = self->first_rows + self->options.warmup_count * self->base.channel_count;
    for (size_t c = 0; c < self->base.channel_count; c++) measure_channel(self, c, self->first_rows, self->first_count, scratch);
    clear_trees(self);
    take_rows(self, self->first_rows, self->first_count);
    self->first_count = 0;
    self->is_started = true;
}

/* ---- the detector ---- */

static void reset(tcsi_detector *base)
{
    rrcf *self = (rrcf *)base;
    clear_trees(self);
    self->first_count = 0;
    self->is_started = self->is_learned;
    if (self->is_learned) take_rows(self, self->learned_rows, self->learned_count);
}

static size_t numbers_per_tree(size_t window)
{
    return 2 * (2 * window - 1) + 4 * (window - 1) + window;
}

static size_t values_per_tree(const rrcf *self)
{
    return (self->options.window - 1) * (1 + 2 * self->dimension_count);
}

static void lay_out_trees(rrcf *self)
{
    size_t window = self->options.window;
    uint32_t *numbers = self->tree_numbers;
    double *values = self->tree_values;
    for (size_t i = 0; i < self->options.tree_count; i++) {
        cut_tree *tree = &self->trees[i];
        tree->parents = numbers;
        tree->counts = tree->parents + 2 * window - 1;
        tree->lefts = tree->counts + 2 * window - 1;
        tree->rights = tree->lefts + window - 1;
        tree->cut_dims = tree->rights + window - 1;
        tree->free_nodes = tree->cut_dims + window - 1;
        tree->leaf_of = tree->free_nodes + window - 1;
        numbers += numbers_per_tree(window);
        tree->cuts = values;
        tree->boxes = values + window - 1;
        values += values_per_tree(self);
    }
}

static tcs_status init(tcsi_detector *base, tcs_error *err)
{
    rrcf *self = (rrcf *)base;
    size_t channel_count = base->channel_count, window = self->options.window, count = self->options.tree_count;
    self->dimension_count = channel_count * self->options.shingle;
    if (self->dimension_count > DIMENSION_COUNT_MAX)
        return tcsi_fail(err, TCS_E_LIMIT, "rrcf: %zu channels times a shingle of %zu, expected at most %d dimensions", channel_count,
                         self->options.shingle, DIMENSION_COUNT_MAX);
    self->trees = TCSI_NEW_ZEROS(cut_tree, count);
    self->tree_numbers = TCSI_NEW_ZEROS(uint32_t, count * numbers_per_tree(window));
    self->tree_values = TCSI_NEW_ZEROS(double, count * values_per_tree(self));
    self->points = TCSI_NEW_ZEROS(double, window * self->dimension_count);
    self->last_rows = TCSI_NEW_ZEROS(double, self->dimension_count);
    self->centers = TCSI_NEW_ZEROS(double, channel_count);
    self->spreads = TCSI_NEW_ZEROS(double, channel_count);
    self->first_rows = TCSI_NEW_ZEROS(double, self->options.warmup_count * (channel_count + 1));
    self->learned_rows = TCSI_NEW_ZEROS(double, (window + self->options.shingle) * channel_count);
    if (!self->trees || !self->tree_numbers || !self->tree_values || !self->points || !self->last_rows || !self->centers
        || !self->spreads || !self->first_rows || !self->learned_rows)
        return tcsi_fail_memory(err, "a random cut forest");
    lay_out_trees(self);
    reset(base);
    return TCS_OK;
}

static void deinit(tcsi_detector *base)
{
    rrcf *self = (rrcf *)base;
    void *blocks[] = { self->trees, self->tree_numbers, self->tree_values, self->points, self->last_rows, self->centers, self->spreads,
                       self->first_rows, self->learned_rows };
    for (size_t i = 0; i < TCS_COUNT(blocks); i++) tcsi_free(blocks[i]);
}

static void push(tcsi_detector *base, const tcsi_row *row, tcs_score *ret_score)
{
    rrcf *self = (rrcf *)base;
    size_t channel_count = base->channel_count;
    double score;
    if (ret_score->state == TCS_SCORE_MISSING) return;
    if (!self->is_started) {
        memcpy(&self->first_rows[self->first_count * channel_count], row->values, channel_count * sizeof *row->values);
        if (++self->first_count == self->options.warmup_count) start(self);
    } else if (take_row(self, row->values, &score)) {
        *ret_score = (tcs_score){ .state = TCS_SCORE_READY, .value = score };
    }
}

/* Scales from all rows; of the rows themselves the last ones, as many as a window can hold. */
static tcs_status fit(tcsi_detector *base, const tcsi_frame *train, tcs_error *err)
{
    rrcf *self = (rrcf *)base;
    size_t channel_count = base->channel_count, kept_max = self->options.window + self->options.shingle, usable = 0, cells;
    if (!tcsi_multiply(train->row_count, channel_count + 1, &cells)) return tcsi_fail_memory(err, "training rows");
    double *rows = TCSI_NEW_ARRAY(double, cells);
    if (!rows) return tcsi_fail_memory(err, "training rows");
    self->is_learned = false;
    self->learned_count = 0;
    for (size_t t = 0; t < train->row_count; t++) {
        tcsi_frame_row(train, t, &rows[usable * channel_count]);
        usable += tcsi_row_ok(&rows[usable * channel_count], channel_count);
    }
    if (usable >= 2) {
        for (size_t c = 0; c < channel_count; c++) measure_channel(self, c, rows, usable, rows + train->row_count * channel_count);
        self->learned_count = usable < kept_max ? usable : kept_max;
        const double *kept = &rows[(usable - self->learned_count) * channel_count];
        memcpy(self->learned_rows, kept, self->learned_count * channel_count * sizeof *rows);
        self->is_learned = true;
    }
    reset(base);
    tcsi_free(rows);
    return TCS_OK;
}

/* ---- saved state: inner nodes, leaves by their points; boxes and free nodes follow from them ---- */

static bool node_ok(const rrcf *self, const cut_tree *tree, uint32_t node, uint32_t parent)
{
    size_t window = self->options.window;
    if (node >= 2 * window - 1 || tree->parents[node] != parent || tree->counts[node] == 0) return false;
    return !is_leaf(self, node) || tree->leaf_of[node - (window - 1)] == node;
}

/* Every leaf in use must hang on the root by a chain of sound nodes, and every inner node in use have leaves below it. */
static bool tree_ok(const rrcf *self, cut_tree *tree, size_t point_count)
{
    size_t window = self->options.window, inner_count = 0;
    for (size_t n = 0; n < window - 1; n++) {
        if (tree->counts[n] == 0) continue;
        inner_count++;
        uint32_t left = tree->lefts[n], right = tree->rights[n];
        if (left == right || !node_ok(self, tree, left, (uint32_t)n) || !node_ok(self, tree, right, (uint32_t)n)) return false;
        if (tree->counts[n] != tree->counts[left] + tree->counts[right] || tree->cut_dims[n] >= self->dimension_count) return false;
    }
    if (tree->root != NONE && !node_ok(self, tree, tree->root, NONE)) return false;
    size_t leaf_count = 0;
    for (size_t slot = 0; slot < window; slot++) {
        uint32_t leaf = tree->leaf_of[slot], node = leaf;
        if ((leaf != NONE) != (slot < point_count)) return false;
        if (leaf == NONE) continue;
        if (leaf < window - 1 || leaf >= 2 * window - 1 || tree->leaf_of[leaf - (window - 1)] != leaf) return false;
        leaf_count += leaf == leaf_id(self, slot);
        size_t steps = 0;
        while (tree->parents[node] != NONE && steps++ < window) {
            node = tree->parents[node];
            if (node >= window - 1 || tree->counts[node] == 0) return false;
        }
        if (node != tree->root) return false;
    }
    return point_count == 0 ? tree->root == NONE && inner_count == 0
                            : tree->root != NONE && inner_count + 1 == leaf_count && tree->counts[tree->root] == point_count;
}

/* Every point extends the boxes on its way up. */
static void renew_boxes(const rrcf *self, cut_tree *tree)
{
    size_t window = self->options.window;
    for (size_t slot = 0; slot < window; slot++) {
        if (tree->leaf_of[slot] != leaf_id(self, slot)) continue;
        const double *x = &self->points[slot * self->dimension_count];
        for (uint32_t node = tree->parents[tree->leaf_of[slot]]; node != NONE; node = tree->parents[node]) {
            double *lows = &tree->boxes[node * 2 * self->dimension_count];
            extend_box(lows, lows + self->dimension_count, x, self->dimension_count);
        }
    }
}

static void rebuild_loaded(rrcf *self, tcsi_codec *codec, cut_tree *tree, size_t point_count)
{
    size_t window = self->options.window, dimension_count = self->dimension_count;
    if (!tree_ok(self, tree, point_count)) {
        tcsi_codec_refuse(codec, "a tree that is none");
        return;
    }
    for (size_t i = 0; i < (window - 1) * 2 * dimension_count; i++)
        tree->boxes[i] = i / dimension_count % 2 ? -INFINITY : INFINITY;
    renew_boxes(self, tree);
    tree->free_count = 0;
    for (size_t n = 0; n < window - 1; n++)
        if (tree->counts[n] == 0) tree->free_nodes[tree->free_count++] = (uint32_t)n;
}

static void persist_tree(rrcf *self, cut_tree *tree, tcsi_codec *codec, size_t point_count)
{
    size_t window = self->options.window;
    if (!tcsi_codec_loading(codec)) /* places not in use hold leftovers; equal states must be equal bytes */
        for (size_t i = 0; i < tree->free_count; i++) {
            uint32_t n = tree->free_nodes[i];
            tree->counts[n] = tree->parents[n] = tree->lefts[n] = tree->rights[n] = tree->cut_dims[n] = 0;
            tree->cuts[n] = 0;
        }
    tcsi_codec_u32(codec, &tree->root);
    tcsi_codec_u32s(codec, tree->parents, 2 * window - 1);
    tcsi_codec_u32s(codec, tree->counts, 2 * window - 1);
    tcsi_codec_u32s(codec, tree->lefts, window - 1);
    tcsi_codec_u32s(codec, tree->rights, window - 1);
    tcsi_codec_u32s(codec, tree->cut_dims, window - 1);
    tcsi_codec_u32s(codec, tree->leaf_of, window);
    tcsi_codec_f64s(codec, tree->cuts, window - 1);
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    rebuild_loaded(self, codec, tree, point_count);
}

static void persist_forest(rrcf *self, tcsi_codec *codec)
{
    size_t window = self->options.window;
    uint64_t taken = self->row_count < self->options.shingle ? 0 : self->row_count - self->options.shingle + 1;
    size_t point_count = taken < window ? (size_t)taken : window;
    tcsi_codec_f64s(codec, self->last_rows, self->dimension_count);
    tcsi_codec_f64s(codec, self->points, point_count * self->dimension_count);
    bool ok = true;
    for (size_t i = 0; i < point_count * self->dimension_count; i++) ok = ok && fabs(self->points[i]) <= CLIPPED;
    for (size_t i = 0; i < self->dimension_count; i++) ok = ok && fabs(self->last_rows[i]) <= CLIPPED;
    if (tcsi_codec_loading(codec) && !ok) tcsi_codec_refuse(codec, "a point out of range");
    for (size_t i = 0; i < self->options.tree_count && tcsi_codec_status(codec) == TCS_OK; i++)
        persist_tree(self, &self->trees[i], codec, point_count);
}

static void persist(tcsi_detector *base, tcsi_codec *codec)
{
    rrcf *self = (rrcf *)base;
    size_t channel_count = base->channel_count;
    tcsi_codec_tag(codec, "RRCF");
    tcsi_codec_bool(codec, &self->is_started);
    tcsi_codec_bool(codec, &self->is_learned);
    tcsi_codec_u64(codec, &self->row_count);
    tcsi_codec_size(codec, &self->first_count, self->options.warmup_count - 1);
    tcsi_codec_size(codec, &self->learned_count, self->options.window + self->options.shingle);
    if (tcsi_codec_status(codec) != TCS_OK) return;
    tcsi_codec_f64s(codec, self->centers, channel_count);
    tcsi_codec_f64s(codec, self->spreads, channel_count);
    tcsi_codec_f64s(codec, self->first_rows, self->first_count * channel_count);
    tcsi_codec_f64s(codec, self->learned_rows, self->learned_count * channel_count);
    bool ok = self->is_started || !self->is_learned;
    for (size_t c = 0; c < channel_count; c++)
        ok = ok && fabs(self->centers[c]) <= TCS_VALUE_MAX
            && (!self->is_started || (self->spreads[c] >= 1e-150 && self->spreads[c] <= 1e160));
    if (tcsi_codec_loading(codec) && !ok) tcsi_codec_refuse(codec, "a scale out of range");
    if (self->is_started && tcsi_codec_status(codec) == TCS_OK) persist_forest(self, codec);
}

static size_t size_max(const tcsi_detector *base, size_t row_count)
{
    const rrcf *self = (const rrcf *)base;
    size_t window = self->options.window, channel_count = base->channel_count;
    size_t tree_size = sizeof(cut_tree) + numbers_per_tree(window) * sizeof(uint32_t) + values_per_tree(self) * sizeof(double);
    size_t values = (window + 1) * self->dimension_count + 2 * channel_count + self->options.warmup_count * (channel_count + 1)
                  + (window + self->options.shingle) * channel_count;
    (void)row_count;
    return sizeof *self + self->options.tree_count * tree_size + values * sizeof(double);
}

static const tcsi_parameter parameters[] = {
    TCSI_COUNT(tree_count, 16, 1, 10000, "number of trees"),
    TCSI_COUNT(window, 256, 2, 65536, "points in each tree: the last ones"),
    TCSI_COUNT(shingle, 1, 1, 1024, "rows that make one point"),
    TCSI_COUNT(warmup_count, 64, 2, 65536, "rows held for the start"),
    TCSI_BOOL(standardize, 1, "bring channels to median 0 and deviation 1 first"),
};

static const tcsi_detector_ops ops = {
    .init = init, .deinit = deinit, .fit = fit, .reset = reset, .push = push, .persist = persist, .size_max = size_max,
};

const tcsi_detector_info tcsi_detector_rrcf = {
    .name = "rrcf",
    .title = "robust random cut forest",
    .paper = "S. Guha, N. Mishra, G. Roy, O. Schrijvers: Robust random cut forest based anomaly detection on streams. ICML 2016",
    .summary = "Collusive displacement in random cut trees over the last rows, or shingles of rows. Finds outliers and small groups "
               "of them in many channels, and unusual shapes with a shingle; slow changes become normal within a window. A few "
               "microseconds a row.",
    .traits = TCSI_TRAIT_STREAMING | TCSI_TRAIT_MULTIVARIATE | TCSI_TRAIT_RANDOM,
    .instance_size = sizeof(rrcf),
    .options_offset = offsetof(rrcf, options),
    .parameters = parameters,
    .parameter_count = TCS_COUNT(parameters),
    .ops = &ops,
};
