/* detect/fast/cut_forest.c -- random cut trees, kept up to date point by point.
 *
 * S. Guha, N. Mishra, G. Roy, O. Schrijvers, "Robust random cut forest based anomaly detection on streams", ICML 2016.  A
 * random cut tree splits a set of points along a dimension drawn with probability proportional to its range, at a uniform
 * place in that range, until every point is alone.
 *
 * Points come and go exactly.  On the way down a cut of the box around node and point is drawn, and where it separates the
 * two, a new node goes in (section 2, Algorithm 2); it can separate them only in what the point adds to the box, so that most
 * steps need no random number.  Deleting puts the sibling in the parent's place (Algorithm 1).  Theorems 3 and 4: the tree
 * is then distributed as if it had been built from its present points, so that a tree over the last S points costs a path
 * a point instead of a build.
 *
 * Collusive displacement (section 3, CoDisp) of a point is the largest ratio, over the nodes above it, of the points on the other
 * side to those on its own: removing that many points moves so many others up.  Of a point that is not in the tree it is a
 * random number, since where it would go in is drawn.  But the way down is not: at every node the point is cut off with
 * probability p = what it adds to the box / the box with it, and otherwise goes where the cut sends it.  So its mean is a sum
 * along one path,
 *     sum over nodes of  P(not cut off above) p max(points in the node, largest ratio above),
 * needs no random number and leaves the tree as it is: less noise than one draw, at less than the cost of one.  Once a node holds no
 * more points than the largest ratio above it, nothing below can matter, and the path ends early.
 *
 * Four trees are walked abreast: a step waits for memory and for its own comparison, and what the others do meanwhile is free.
 * Steps choose a child by arithmetic, since a branch that goes either way as often costs more than the step.
 *
 * Layout: a node is one record: its cut, what each way leaves behind and leads to, and its box (lows, highs), which for a leaf is its
 * point.  Nodes 0 .. S-2 of a tree are inner, S-1 .. 2S-2 leaves, of one point or of several equal ones.  Nodes not in use
 * hang on two stacks.  A leaf's fields are such that a walker arrives there: from it everything goes right, where nothing is.
 *
 * Invariants: counts of a node = points below each child, ratios follow from them, a box is the union of its children's; on load all
 * three are made anew, and what is loaded must be one tree.
 * Cost, with 256 points and one dimension: displacement 45 ns a tree, take 300 ns.  Memory: trees S (50 + 16 D) bytes.
 * SPDX-License-Identifier: Apache-2.0 */
#include "detect/fast/cut_forest.h"

#include "base/alloc.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { NONE = 0xffff, LEFT = 0, RIGHT = 1 };

typedef struct cut_node {
    float cut;                       /* point[dimension] <= cut goes left */
    float ratios[2];                 /* of a point that goes left (right): points on the other side to its own */
    uint16_t counts[2], children[2]; /* points on the left and right; a leaf's are all on the left */
    uint16_t dimension, parent;
    float box[];                     /* (2,D) lows, then highs */
} cut_node;

typedef struct tcsi_cut_tree {
    unsigned char *nodes;           /* (2S-1) */
    uint16_t *leaves;               /* (S) a ring: the leaf of the k-th point taken at k % S */
    uint64_t taken_count;
    uint16_t root;                  /* NONE: empty */
    uint16_t free_inner, free_leaf; /* stacks, linked by parent */
} tcsi_cut_tree;

/* One tree's way down: where it is, and the largest ratio above. */
typedef struct tcsi_cut_walker {
    const unsigned char *nodes;
    const cut_node *node;
    float most;
} tcsi_cut_walker;

/* ---- nodes ---- */

static size_t node_size(size_t dimension_count)
{
    return sizeof(cut_node) + 2 * dimension_count * sizeof(float);
}

static cut_node *node_at(const tcsi_cut_forest *forest, const tcsi_cut_tree *tree, size_t id)
{
    return (cut_node *)(void *)(tree->nodes + id * node_size(forest->options.dimension_count));
}

static bool is_leaf(const tcsi_cut_forest *forest, size_t id)
{
    return id >= forest->options.window - 1;
}

static uint32_t count_of(const cut_node *node)
{
    return (uint32_t)node->counts[LEFT] + node->counts[RIGHT];
}

/* Of an inner node. */
static void set_counts(cut_node *node, uint32_t left, uint32_t right)
{
    node->counts[LEFT] = (uint16_t)left;
    node->counts[RIGHT] = (uint16_t)right;
    node->ratios[LEFT] = (float)right / (float)(left + 1);
    node->ratios[RIGHT] = (float)left / (float)(right + 1);
}

/* One point more (or, with -1, less) on the side of child. */
static void count_on_side(cut_node *node, uint16_t child, int32_t change)
{
    bool right = node->children[RIGHT] == child;
    set_counts(node, (uint32_t)(node->counts[LEFT] + (right ? 0 : change)), (uint32_t)(node->counts[RIGHT] + (right ? change : 0)));
}

static uint16_t pop_free(const tcsi_cut_forest *forest, const tcsi_cut_tree *tree, uint16_t *stack)
{
    uint16_t id = *stack;
    TCS_ASSERT(id != NONE);
    *stack = node_at(forest, tree, id)->parent;
    return id;
}

/* What is not in use is blank, so that equal states are equal bytes. */
static void push_free(const tcsi_cut_forest *forest, const tcsi_cut_tree *tree, uint16_t *stack, uint16_t id)
{
    cut_node *node = node_at(forest, tree, id);
    memset(node, 0, node_size(forest->options.dimension_count));
    node->parent = *stack;
    *stack = id;
}

static void replace_child(const tcsi_cut_forest *forest, tcsi_cut_tree *tree, uint16_t parent, uint16_t old_child, uint16_t new_child)
{
    node_at(forest, tree, new_child)->parent = parent;
    if (parent == NONE) {
        tree->root = new_child;
    } else {
        cut_node *node = node_at(forest, tree, parent);
        node->children[node->children[RIGHT] == old_child] = new_child;
    }
}

/* The box of an inner node becomes the union of its children's; false when it was that already. */
static bool renew_box(const tcsi_cut_forest *forest, const tcsi_cut_tree *tree, cut_node *node)
{
    const size_t dimension_count = forest->options.dimension_count;
    const float *a = node_at(forest, tree, node->children[LEFT])->box, *b = node_at(forest, tree, node->children[RIGHT])->box;
    float *lows = node->box, *highs = lows + dimension_count;
    bool changed = false;
    for (size_t d = 0; d < dimension_count; d++) {
        float a_high = a[dimension_count + d], b_high = b[dimension_count + d];
        float low = a[d] < b[d] ? a[d] : b[d], high = a_high > b_high ? a_high : b_high;
        changed |= low != lows[d] || high != highs[d];
        lows[d] = low;
        highs[d] = high;
    }
    return changed;
}

static void extend_box(float *box, const float *point, size_t dimension_count)
{
    float *lows = box, *highs = box + dimension_count;
    for (size_t d = 0; d < dimension_count; d++) {
        lows[d] = point[d] < lows[d] ? point[d] : lows[d];
        highs[d] = point[d] > highs[d] ? point[d] : highs[d];
    }
}

static inline bool is_inside(const float *box, const float *point, size_t dimension_count)
{
    for (size_t d = 0; d < dimension_count; d++)
        if (point[d] < box[d] || point[d] > box[dimension_count + d]) return false;
    return true;
}

/* What point adds to the sides of the box, summed; *ret_total: the sides of the box itself.  Products rather than branches, which
 * nobody could foresee. */
static inline float added_sides(const float *box, const float *point, size_t dimension_count, float *ret_total)
{
    const float *lows = box, *highs = box + dimension_count;
    float total = 0, added = 0;
    for (size_t d = 0; d < dimension_count; d++) {
        float below = lows[d] - point[d], above = point[d] - highs[d];
        total += highs[d] - lows[d];
        added += below * (float)(below > 0) + above * (float)(above > 0);
    }
    *ret_total = total;
    return added;
}

/* ---- a point comes ---- */

typedef struct random_cut {
    size_t dimension;
    float at;
} random_cut;

/* A cut of the box with the point, which is outside, is drawn with its dimension by range and its place uniform; it parts the two when
 * it falls into what the point adds to the box.  Only then it matters: true with the cut. */
static bool draw_parting_cut(const float *box, const float *point, size_t dimension_count, tcsi_rng *rng, random_cut *ret_cut)
{
    const float *lows = box, *highs = box + dimension_count;
    float total, added = added_sides(box, point, dimension_count, &total);
    double left = tcsi_rng_uniform(rng) * ((double)total + (double)added);
    if (left >= (double)added && total > 0) return false; /* where the box is a point, rounding of a denormal must not decide */
    random_cut cut = { 0, 0 };
    float end = 0, begin = 0;
    for (size_t d = 0; d < dimension_count; d++) {
        bool is_below = point[d] < lows[d];
        if (!is_below && !(point[d] > highs[d])) continue;
        begin = is_below ? point[d] : highs[d];
        end = is_below ? lows[d] : point[d];
        double range = (double)end - (double)begin;
        cut = (random_cut){ d, (float)((double)begin + left) };
        if (left < range) break;
        left -= range;
    }
    if (!(cut.at < end)) cut.at = nextafterf(end, begin); /* rounding carried it to where it would part nothing */
    *ret_cut = cut;
    return true;
}

static uint16_t make_leaf(const tcsi_cut_forest *forest, tcsi_cut_tree *tree, const float *point)
{
    const size_t dimension_count = forest->options.dimension_count;
    uint16_t id = pop_free(forest, tree, &tree->free_leaf);
    cut_node *leaf = node_at(forest, tree, id);
    *leaf = (cut_node){ .cut = -INFINITY, .counts = { 1, 0 }, .children = { id, id }, .parent = NONE };
    memcpy(leaf->box, point, dimension_count * sizeof *point);
    memcpy(leaf->box + dimension_count, point, dimension_count * sizeof *point);
    return id;
}

/* A new inner node above id, with a leaf for point on its other side; returns the leaf. */
static uint16_t put_above(const tcsi_cut_forest *forest, tcsi_cut_tree *tree, uint16_t id, const float *point, random_cut cut)
{
    uint16_t leaf = make_leaf(forest, tree, point), inner = pop_free(forest, tree, &tree->free_inner);
    cut_node *node = node_at(forest, tree, inner), *below = node_at(forest, tree, id);
    bool is_left = point[cut.dimension] <= cut.at;
    *node = (cut_node){ .cut = cut.at, .dimension = (uint16_t)cut.dimension };
    node->children[!is_left] = leaf;
    node->children[is_left] = id;
    set_counts(node, is_left ? 1 : count_of(below), is_left ? count_of(below) : 1);
    replace_child(forest, tree, below->parent, id, inner);
    below->parent = node_at(forest, tree, leaf)->parent = inner;
    (void)renew_box(forest, tree, node);
    return leaf;
}

/* Returns the leaf of point. */
static uint16_t tree_insert(const tcsi_cut_forest *forest, tcsi_cut_tree *tree, const float *point, tcsi_rng *rng)
{
    const size_t dimension_count = forest->options.dimension_count;
    uint16_t id = tree->root;
    if (id == NONE) return tree->root = make_leaf(forest, tree, point);
    for (;;) {
        cut_node *node = node_at(forest, tree, id);
        random_cut cut;
        if (!is_inside(node->box, point, dimension_count)) {
            if (draw_parting_cut(node->box, point, dimension_count, rng, &cut)) return put_above(forest, tree, id, point, cut);
            extend_box(node->box, point, dimension_count);
        } else if (is_leaf(forest, id)) { /* they are equal */
            node->counts[LEFT]++;
            return id;
        }
        id = node->children[!(point[node->dimension] <= node->cut)];
        count_on_side(node, id, 1);
    }
}

/* ---- a point goes ---- */

static void tree_delete(const tcsi_cut_forest *forest, tcsi_cut_tree *tree, uint16_t leaf)
{
    cut_node *node = node_at(forest, tree, leaf);
    uint16_t below = leaf, id = node->parent;
    bool box_changes = false;
    if (count_of(node) > 1) { /* one of several equal points */
        node->counts[LEFT]--;
    } else if (id == NONE) {
        push_free(forest, tree, &tree->free_leaf, leaf);
        tree->root = NONE;
    } else {
        cut_node *parent = node_at(forest, tree, id);
        uint16_t sibling = parent->children[parent->children[LEFT] == leaf], above = parent->parent;
        replace_child(forest, tree, above, id, sibling);
        push_free(forest, tree, &tree->free_leaf, leaf);
        push_free(forest, tree, &tree->free_inner, id);
        below = sibling;
        id = above;
        box_changes = true;
    }
    for (; id != NONE; below = id, id = node->parent) {
        node = node_at(forest, tree, id);
        count_on_side(node, below, -1);
        if (box_changes) box_changes = renew_box(forest, tree, node);
    }
}

void tcsi_cut_forest_take(tcsi_cut_forest *forest, size_t tree_index, const float *point, tcsi_rng *rng)
{
    tcsi_cut_tree *tree = &forest->trees[tree_index];
    uint16_t *slot = &tree->leaves[tree->taken_count % forest->options.window];
    if (*slot != NONE) tree_delete(forest, tree, *slot);
    *slot = tree_insert(forest, tree, point, rng);
    tree->taken_count++;
}

/* ---- how far would it displace? ---- */

static size_t send_walkers(tcsi_cut_forest *forest)
{
    size_t count = 0;
    for (size_t i = 0; i < forest->options.tree_count; i++) {
        const tcsi_cut_tree *tree = &forest->trees[i];
        if (tree->root == NONE) continue;
        forest->walkers[count++] = (tcsi_cut_walker){ .nodes = tree->nodes, .node = node_at(forest, tree, tree->root) };
    }
    return count;
}

/* The mean displacement from a node on whose box does not hold the point. */
static inline float mean_from(tcsi_cut_walker w, const float *point, size_t dimension_count)
{
    float mean = 0, rest = 1, count = (float)count_of(w.node); /* rest: probability not to have been cut off yet */
    while (count > w.most) {
        const cut_node *node = w.node;
        float total, added = added_sides(node->box, point, dimension_count, &total), with = total + added;
        float cut_off = rest * (added / (with > FLT_MIN ? with : FLT_MIN));
        mean += cut_off * count;
        rest -= cut_off;
        size_t side = !(point[node->dimension] <= node->cut);
        w.most = node->ratios[side] > w.most ? node->ratios[side] : w.most;
        count = node->counts[side];
        w.node = (const cut_node *)(const void *)(w.nodes + node->children[side] * node_size(dimension_count));
    }
    return mean + rest * w.most;
}

/* One level down; false when the walker has arrived, and its tree's displacement is in sum. */
static inline bool step(tcsi_cut_walker *w, const float *point, size_t dimension_count, double *sum)
{
    const cut_node *node = w->node;
    if (!is_inside(node->box, point, dimension_count)) {
        *sum += (double)mean_from(*w, point, dimension_count);
        return false;
    }
    size_t side = !(point[node->dimension] <= node->cut);
    w->most = node->ratios[side] > w->most ? node->ratios[side] : w->most;
    w->node = (const cut_node *)(const void *)(w->nodes + node->children[side] * node_size(dimension_count));
    if (node->counts[side] > w->most) return true;
    *sum += (double)w->most;
    return false;
}

/* The sum over trees.  Inlined for the dimension_count that the compiler knows. */
static inline double walk(tcsi_cut_forest *forest, const float *point, size_t dimension_count)
{
    tcsi_cut_walker *walkers = forest->walkers;
    size_t count = send_walkers(forest);
    double sum = 0;
    while (count >= 4) { /* abreast until one arrives */
        tcsi_cut_walker a = walkers[count - 1], b = walkers[count - 2], c = walkers[count - 3], d = walkers[count - 4];
        bool a_goes_on = true, b_goes_on = true, c_goes_on = true, d_goes_on = true;
        while (a_goes_on & b_goes_on & c_goes_on & d_goes_on) {
            a_goes_on = step(&a, point, dimension_count, &sum);
            b_goes_on = step(&b, point, dimension_count, &sum);
            c_goes_on = step(&c, point, dimension_count, &sum);
            d_goes_on = step(&d, point, dimension_count, &sum);
        }
        count -= 4;
        if (a_goes_on) walkers[count++] = a;
        if (b_goes_on) walkers[count++] = b;
        if (c_goes_on) walkers[count++] = c;
        if (d_goes_on) walkers[count++] = d;
    }
    for (size_t i = 0; i < count; i++)
        while (step(&walkers[i], point, dimension_count, &sum)) continue;
    return sum;
}

double tcsi_cut_forest_displacement(tcsi_cut_forest *forest, const float *point)
{
    const size_t dimension_count = forest->options.dimension_count;
    double sum = dimension_count == 1 ? walk(forest, point, 1) : walk(forest, point, dimension_count);
    return sum / (double)forest->options.tree_count;
}

/* ---- life ---- */

static bool sizes_of(const tcsi_cut_options *options, size_t *ret_nodes_size, size_t *ret_leaf_count)
{
    size_t tree_size = (2 * options->window - 1) * node_size(options->dimension_count);
    return tcsi_multiply(options->tree_count, tree_size, ret_nodes_size)
        && tcsi_multiply(options->tree_count, options->window, ret_leaf_count);
}

tcs_status tcsi_cut_forest_init(tcsi_cut_forest *forest, const tcsi_cut_options *options, tcs_error *err)
{
    size_t nodes_size, leaf_count;
    *forest = (tcsi_cut_forest){ .options = *options };
    if (!sizes_of(options, &nodes_size, &leaf_count)) return tcsi_fail_memory(err, "a random cut forest");
    forest->trees = TCSI_NEW_ZEROS(tcsi_cut_tree, options->tree_count);
    forest->walkers = TCSI_NEW_ZEROS(tcsi_cut_walker, options->tree_count);
    forest->nodes = TCSI_NEW_ZEROS(unsigned char, nodes_size);
    forest->leaves = TCSI_NEW_ZEROS(uint16_t, leaf_count);
    if (!forest->trees || !forest->walkers || !forest->nodes || !forest->leaves) return tcsi_fail_memory(err, "a random cut forest");
    for (size_t i = 0; i < options->tree_count; i++) {
        forest->trees[i].nodes = forest->nodes + i * (nodes_size / options->tree_count);
        forest->trees[i].leaves = forest->leaves + i * options->window;
    }
    tcsi_cut_forest_clear(forest);
    return TCS_OK;
}

void tcsi_cut_forest_deinit(tcsi_cut_forest *forest)
{
    tcsi_free(forest->trees);
    tcsi_free(forest->walkers);
    tcsi_free(forest->nodes);
    tcsi_free(forest->leaves);
    *forest = (tcsi_cut_forest){ 0 };
}

static void clear_tree(const tcsi_cut_forest *forest, tcsi_cut_tree *tree)
{
    const size_t window = forest->options.window;
    tree->taken_count = 0;
    tree->root = tree->free_inner = tree->free_leaf = NONE;
    for (size_t id = 2 * window - 1; id-- > 0;)
        push_free(forest, tree, is_leaf(forest, id) ? &tree->free_leaf : &tree->free_inner, (uint16_t)id);
    for (size_t slot = 0; slot < window; slot++) tree->leaves[slot] = NONE;
}

void tcsi_cut_forest_clear(tcsi_cut_forest *forest)
{
    for (size_t i = 0; i < forest->options.tree_count; i++) clear_tree(forest, &forest->trees[i]);
}

size_t tcsi_cut_forest_size(const tcsi_cut_options *options)
{
    size_t tree_size = (2 * options->window - 1) * node_size(options->dimension_count) + options->window * sizeof(uint16_t);
    return options->tree_count * (tree_size + sizeof(tcsi_cut_tree) + sizeof(tcsi_cut_walker));
}

/* ---- saved state: inner nodes, and the points of leaves; the rest follows from them ---- */

static void persist_id(uint16_t *id, tcsi_codec *codec)
{
    uint32_t wide = *id;
    tcsi_codec_u32(codec, &wide);
    if (tcsi_codec_loading(codec) && tcsi_codec_status(codec) == TCS_OK && wide > NONE) tcsi_codec_refuse(codec, "a node that is none");
    else *id = (uint16_t)wide;
}

/* Children know their parents: each has one, and the root none. */
static bool link_children(const tcsi_cut_forest *forest, tcsi_cut_tree *tree)
{
    const size_t window = forest->options.window;
    bool ok = tree->root == NONE || tree->root < 2 * window - 1;
    for (size_t id = 0; id < 2 * window - 1; id++) node_at(forest, tree, id)->parent = NONE;
    for (size_t id = 0; id + 1 < window; id++) {
        cut_node *node = node_at(forest, tree, id);
        if (node->children[LEFT] == node->children[RIGHT]) continue; /* not in use */
        ok = ok && node->dimension < forest->options.dimension_count && isfinite(node->cut);
        for (size_t side = 0; side < 2 && ok; side++) {
            uint16_t child = node->children[side];
            ok = child < 2 * window - 1 && child != tree->root && node_at(forest, tree, child)->parent == NONE;
            if (ok) node_at(forest, tree, child)->parent = (uint16_t)id;
        }
    }
    return ok;
}

/* A point is counted by, and extends the boxes of, all nodes on its way up, which must end at the root. */
static bool add_from_below(const tcsi_cut_forest *forest, tcsi_cut_tree *tree, uint16_t leaf)
{
    const size_t window = forest->options.window;
    if (leaf < window - 1 || leaf >= 2 * window - 1) return false;
    const cut_node *point = node_at(forest, tree, leaf);
    size_t steps = 0;
    uint16_t below = leaf;
    for (uint16_t id = point->parent; id != NONE && steps < window; below = id, id = node_at(forest, tree, id)->parent, steps++) {
        cut_node *node = node_at(forest, tree, id);
        count_on_side(node, below, 1);
        extend_box(node->box, point->box, forest->options.dimension_count);
    }
    return below == tree->root && steps < window;
}

static void blank_inner(const tcsi_cut_forest *forest, cut_node *node)
{
    const size_t dimension_count = forest->options.dimension_count;
    set_counts(node, 0, 0);
    for (size_t d = 0; d < dimension_count; d++) {
        node->box[d] = INFINITY;
        node->box[dimension_count + d] = -INFINITY;
    }
}

/* Counts, ratios and boxes of what was loaded, and the stacks of what is not in use. */
static bool rebuild(const tcsi_cut_forest *forest, tcsi_cut_tree *tree)
{
    const size_t window = forest->options.window;
    bool ok = link_children(forest, tree);
    for (size_t id = 0; id + 1 < window; id++) blank_inner(forest, node_at(forest, tree, id));
    for (size_t slot = 0; slot < window && ok; slot++) {
        uint16_t leaf = tree->leaves[slot];
        ok = (leaf != NONE) == (slot < tree->taken_count);
        if (!ok || leaf == NONE) continue;
        ok = add_from_below(forest, tree, leaf);
        if (ok) node_at(forest, tree, leaf)->counts[LEFT]++;
    }
    ok = ok && (tree->taken_count > 0) == (tree->root != NONE);
    tree->free_inner = tree->free_leaf = NONE;
    for (size_t id = 2 * window - 1; id-- > 0 && ok;) {
        const cut_node *node = node_at(forest, tree, id);
        bool in_use = is_leaf(forest, id) ? count_of(node) > 0 : node->children[LEFT] != node->children[RIGHT];
        if (!in_use) push_free(forest, tree, is_leaf(forest, id) ? &tree->free_leaf : &tree->free_inner, (uint16_t)id);
        else ok = is_leaf(forest, id) || (node->counts[LEFT] > 0 && node->counts[RIGHT] > 0);
    }
    return ok;
}

static void persist_leaf(const tcsi_cut_forest *forest, cut_node *leaf, uint16_t id, tcsi_codec *codec)
{
    const size_t dimension_count = forest->options.dimension_count;
    bool ok = true;
    tcsi_codec_f32s(codec, leaf->box, dimension_count);
    for (size_t d = 0; d < dimension_count; d++) ok = ok && fabsf(leaf->box[d]) <= 1e30f;
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    if (!ok) tcsi_codec_refuse(codec, "a point out of range");
    memcpy(leaf->box + dimension_count, leaf->box, dimension_count * sizeof *leaf->box);
    leaf->cut = -INFINITY;
    leaf->children[LEFT] = leaf->children[RIGHT] = id;
    leaf->counts[LEFT] = 0;
}

static void persist_tree(const tcsi_cut_forest *forest, tcsi_cut_tree *tree, tcsi_codec *codec)
{
    const size_t window = forest->options.window;
    tcsi_codec_u64(codec, &tree->taken_count);
    persist_id(&tree->root, codec);
    for (size_t slot = 0; slot < window; slot++) persist_id(&tree->leaves[slot], codec);
    for (size_t id = 0; id < 2 * window - 1 && tcsi_codec_status(codec) == TCS_OK; id++) {
        cut_node *node = node_at(forest, tree, id);
        if (is_leaf(forest, id)) {
            persist_leaf(forest, node, (uint16_t)id, codec);
            continue;
        }
        persist_id(&node->children[LEFT], codec);
        persist_id(&node->children[RIGHT], codec);
        persist_id(&node->dimension, codec);
        tcsi_codec_f32(codec, &node->cut);
    }
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    if (!rebuild(forest, tree)) tcsi_codec_refuse(codec, "a tree that is none");
}

void tcsi_cut_forest_persist(tcsi_cut_forest *forest, tcsi_codec *codec)
{
    for (size_t i = 0; i < forest->options.tree_count && tcsi_codec_status(codec) == TCS_OK; i++)
        persist_tree(forest, &forest->trees[i], codec);
}
