/* detect/fast/half_space_trees.c -- mass of random cells, counted window by window.
 *
 * S. C. Tan, K. M. Ting, T. F. Liu, "Fast anomaly detection for streaming data", IJCAI 2011.  Each tree cuts the work space in
 * half again and again, each time along a random channel; the cells of all depths are its nodes.  Every node counts the
 * rows of the current window that pass through it (l in the paper) and remembers the count of the window before (r).
 * A row walks down until its node held few rows (r <= size_limit window) or is a leaf, at depth k, and gets r 2^k from the tree
 * (section 3, Score): an estimate of density, low where few rows have been.  The score reported is
 *     log2(trees window 2^height + 1) - log2(sum over trees of r 2^k + 1),
 * the paper's order of rows turned round, so that higher means more anomalous, on a scale that keeps far from near.
 *
 * Work space (section 3, Algorithm 1, Initialise Work Space): per tree and channel a random point s of the range seen,
 * and s +- 2 max(s, 1 - s) of that range.  The range comes from the rows that fit was given or, without fit, from the first
 * window, whose rows are held and then counted.  Rows outside fall into the outermost cells.
 * A missing value counts as the last one of its channel.
 *
 * The trees never change once built, so that a node is a fixed place in an array: children of n at 2n + 1 and 2n + 2.  All trees
 * walk down together, one level at a time: their chains of dependent loads then overlap.
 *
 * Cost: (height + 1) trees steps a row, whatever the number of channels; memory trees 2^height 20 bytes and one window.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "base/rng.h"
#include "detect/detector.h"

#include <math.h>
#include <string.h>

typedef struct options {
    size_t tree_count, height, window;
    double size_limit;
} options;

typedef struct half_space_trees {
    tcsi_detector base;
    options options;
    size_t split_count, node_count; /* of one tree: 2^height - 1 and 2^(height + 1) - 1 */
    double *splits;                 /* (tree, split) in units of the data */
    uint32_t *split_channels;       /* (tree, split) */
    uint16_t *mass, *mass_before;   /* (tree, node): l and r */
    uint16_t *mass_learned;         /* (tree, node): r as fit left it; NULL when not fitted */
    uint32_t *nodes;                /* (tree) where the walk stands */
    double *reached;                /* (tree) r 2^k where it ended, < 0 while it goes on */
    double *first_rows;             /* (window, C) until the trees are built */
    double *lows, *highs;           /* (C) range of the data */
    double *filled;                 /* (C) the row with missing values filled in */
    size_t window_fill;             /* rows in the current window */
    bool is_built, is_learned;
} half_space_trees;

/* ---- trees ---- */

/* The half of the work space that node n of a tree with s in [0, 1] stands for is found on the way down: levels are built
 * in order, each node taking its range of every channel from the path to it. */
static double split_of(const half_space_trees *self, const double *work, size_t tree, size_t node)
{
    size_t channel = self->split_channels[tree * self->split_count + node];
    double low = work[2 * channel], high = work[2 * channel + 1];
    /* From the node up to the root and back down: which halves of this channel were taken. */
    size_t path[32], depth = 0;
    for (size_t n = node; n > 0; n = (n - 1) / 2) path[depth++] = n;
    while (depth > 0) {
        size_t child = path[--depth], parent = (child - 1) / 2;
        if (self->split_channels[tree * self->split_count + parent] != channel) continue;
        double middle = 0.5 * low + 0.5 * high;
        if (child % 2) high = middle; /* left children have odd numbers */
        else low = middle;
    }
    return 0.5 * low + 0.5 * high;
}

static void build_tree(half_space_trees *self, size_t tree, double *work)
{
    tcsi_rng rng = tcsi_rng_make(self->base.seed, tree);
    for (size_t c = 0; c < self->base.channel_count; c++) {
        double s = tcsi_rng_uniform(&rng), reach = 2 * fmax(s, 1 - s), width = self->highs[c] - self->lows[c];
        work[2 * c] = self->lows[c] + (s - reach) * width;
        work[2 * c + 1] = self->lows[c] + (s + reach) * width;
    }
    for (size_t n = 0; n < self->split_count; n++) {
        self->split_channels[tree * self->split_count + n] = (uint32_t)tcsi_rng_below(&rng, self->base.channel_count);
        self->splits[tree * self->split_count + n] = split_of(self, work, tree, n);
    }
}

/* A channel without a range, constant or never seen, gets a narrow one around its value. */
static void widen_ranges(half_space_trees *self)
{
    for (size_t c = 0; c < self->base.channel_count; c++) {
        if (!(self->lows[c] <= self->highs[c])) self->lows[c] = self->highs[c] = 0;
        double least = fmax(1e-9 * fmax(fabs(self->lows[c]), fabs(self->highs[c])), 1e-150);
        if (self->highs[c] - self->lows[c] < least) {
            self->lows[c] -= least;
            self->highs[c] += least;
        }
    }
}

static void forget_masses(half_space_trees *self)
{
    size_t size = self->options.tree_count * self->node_count * sizeof *self->mass;
    memset(self->mass, 0, size);
    memset(self->mass_before, 0, size);
    self->window_fill = 0;
}

/* work: scratch of (C, 2). */
static void build(half_space_trees *self, double *work)
{
    widen_ranges(self);
    for (size_t tree = 0; tree < self->options.tree_count; tree++) build_tree(self, tree, work);
    for (size_t c = 0; c < self->base.channel_count; c++) self->filled[c] = 0.5 * self->lows[c] + 0.5 * self->highs[c];
    forget_masses(self);
    self->is_built = true;
}

/* ---- one row ---- */

static void fill_missing(half_space_trees *self, const double *values)
{
    for (size_t c = 0; c < self->base.channel_count; c++)
        if (tcsi_value_ok(values[c])) self->filled[c] = values[c];
}

/* One level of all trees: counts the row in its nodes, takes the mass where a walk ends, steps down. */
static void walk_level(half_space_trees *self, const double *x, size_t level, uint16_t mass_limit)
{
    bool is_last = level == self->options.height;
    for (size_t tree = 0; tree < self->options.tree_count; tree++) {
        size_t node = self->nodes[tree], at = tree * self->node_count + node;
        uint16_t mass = self->mass_before[at];
        self->mass[at]++;
        bool ends = self->reached[tree] < 0 && (mass <= mass_limit || is_last);
        if (ends) self->reached[tree] = (double)((uint64_t)mass << level);
        if (is_last) continue;
        size_t split = tree * self->split_count + node;
        self->nodes[tree] = (uint32_t)(2 * node + 1 + (x[self->split_channels[split]] >= self->splits[split]));
    }
}

static void end_window(half_space_trees *self)
{
    size_t size = self->options.tree_count * self->node_count * sizeof *self->mass;
    memcpy(self->mass_before, self->mass, size);
    memset(self->mass, 0, size);
    self->window_fill = 0;
}

/* Scores the filled row against the window before, then counts it. */
static double walk(half_space_trees *self)
{
    double limit = self->options.size_limit * (double)self->options.window, density = 0;
    for (size_t tree = 0; tree < self->options.tree_count; tree++) {
        self->nodes[tree] = 0;
        self->reached[tree] = -1;
    }
    for (size_t level = 0; level <= self->options.height; level++) walk_level(self, self->filled, level, (uint16_t)limit);
    for (size_t tree = 0; tree < self->options.tree_count; tree++) density += self->reached[tree];
    if (++self->window_fill == self->options.window) end_window(self);
    return density;
}

static double score_of(const half_space_trees *self, double density)
{
    double most = ldexp((double)(self->options.tree_count * self->options.window), (int)self->options.height);
    return fmax(0.0, log2((most + 1) / (density + 1)));
}

/* ---- the start ---- */

static void extend_ranges(half_space_trees *self, const double *values)
{
    for (size_t c = 0; c < self->base.channel_count; c++) {
        if (!tcsi_value_ok(values[c])) continue;
        self->lows[c] = fmin(self->lows[c], values[c]);
        self->highs[c] = fmax(self->highs[c], values[c]);
    }
}

static void clear_ranges(half_space_trees *self)
{
    for (size_t c = 0; c < self->base.channel_count; c++) {
        self->lows[c] = INFINITY;
        self->highs[c] = -INFINITY;
    }
}

static void hold_row(half_space_trees *self, const double *values)
{
    size_t channel_count = self->base.channel_count;
    memcpy(&self->first_rows[self->window_fill * channel_count], values, channel_count * sizeof *values);
    extend_ranges(self, values);
    if (++self->window_fill < self->options.window) return;
    build(self, self->first_rows + self->options.window * channel_count);
    for (size_t t = 0; t < self->options.window; t++) {
        fill_missing(self, &self->first_rows[t * channel_count]);
        (void)walk(self);
    }
}

/* ---- the detector ---- */

static void reset(tcsi_detector *base)
{
    half_space_trees *self = (half_space_trees *)base;
    forget_masses(self);
    if (self->is_learned) {
        memcpy(self->mass_before, self->mass_learned, self->options.tree_count * self->node_count * sizeof *self->mass);
        for (size_t c = 0; c < base->channel_count; c++) self->filled[c] = 0.5 * self->lows[c] + 0.5 * self->highs[c];
    } else {
        self->is_built = false;
        clear_ranges(self);
    }
}

static bool row_count_held(const half_space_trees *self, size_t *ret_cells)
{
    /* The window, and two rows of scratch behind it. */
    return tcsi_multiply(self->options.window + 2, self->base.channel_count, ret_cells);
}

static tcs_status init(tcsi_detector *base, tcs_error *err)
{
    half_space_trees *self = (half_space_trees *)base;
    size_t tree_count = self->options.tree_count, cells;
    self->split_count = ((size_t)1 << self->options.height) - 1;
    self->node_count = 2 * self->split_count + 1;
    if (!row_count_held(self, &cells)) return tcsi_fail_memory(err, "half-space trees");
    self->splits = TCSI_NEW_ZEROS(double, tree_count * self->split_count);
    self->split_channels = TCSI_NEW_ZEROS(uint32_t, tree_count * self->split_count);
    self->mass = TCSI_NEW_ZEROS(uint16_t, tree_count * self->node_count);
    self->mass_before = TCSI_NEW_ZEROS(uint16_t, tree_count * self->node_count);
    self->mass_learned = TCSI_NEW_ZEROS(uint16_t, tree_count * self->node_count);
    self->nodes = TCSI_NEW_ZEROS(uint32_t, tree_count);
    self->reached = TCSI_NEW_ZEROS(double, tree_count);
    self->first_rows = TCSI_NEW_ZEROS(double, cells);
    self->lows = TCSI_NEW_ZEROS(double, base->channel_count);
    self->highs = TCSI_NEW_ZEROS(double, base->channel_count);
    self->filled = TCSI_NEW_ZEROS(double, base->channel_count);
    if (!self->splits || !self->split_channels || !self->mass || !self->mass_before || !self->mass_learned || !self->nodes
        || !self->reached || !self->first_rows || !self->lows || !self->highs || !self->filled)
        return tcsi_fail_memory(err, "half-space trees");
    reset(base);
    return TCS_OK;
}

static void deinit(tcsi_detector *base)
{
    half_space_trees *self = (half_space_trees *)base;
    void *blocks[] = { self->splits, self->split_channels, self->mass, self->mass_before, self->mass_learned, self->nodes,
                       self->reached, self->first_rows, self->lows, self->highs, self->filled };
    for (size_t i = 0; i < TCS_COUNT(blocks); i++) tcsi_free(blocks[i]);
}

static void push(tcsi_detector *base, const tcsi_row *row, tcs_score *ret_score)
{
    half_space_trees *self = (half_space_trees *)base;
    if (ret_score->state == TCS_SCORE_MISSING) return;
    if (!self->is_built) {
        hold_row(self, row->values);
        return;
    }
    fill_missing(self, row->values);
    *ret_score = (tcs_score){ .state = TCS_SCORE_READY, .value = score_of(self, walk(self)) };
}

/* The range of all training rows; the masses of the last full window of them, or of all when there are fewer. */
static tcs_status fit(tcsi_detector *base, const tcsi_frame *train, tcs_error *err)
{
    half_space_trees *self = (half_space_trees *)base;
    size_t usable_count = 0, size = self->options.tree_count * self->node_count * sizeof *self->mass;
    double *values = TCSI_NEW_ARRAY(double, base->channel_count);
    if (!values) return tcsi_fail_memory(err, "a row");
    self->is_learned = false;
    reset(base);
    for (size_t t = 0; t < train->row_count; t++) {
        tcsi_frame_row(train, t, values);
        extend_ranges(self, values);
        usable_count += tcsi_row_ok(values, base->channel_count);
    }
    if (usable_count >= 2) {
        build(self, self->first_rows + self->options.window * base->channel_count);
        for (size_t t = 0; t < train->row_count; t++) {
            tcsi_frame_row(train, t, values);
            fill_missing(self, values);
            if (tcsi_row_ok(values, base->channel_count)) (void)walk(self);
        }
        memcpy(self->mass_learned, usable_count >= self->options.window ? self->mass_before : self->mass, size);
        self->is_learned = true;
    }
    reset(base);
    tcsi_free(values);
    return TCS_OK;
}

static void persist_masses(half_space_trees *self, uint16_t *masses, tcsi_codec *codec)
{
    size_t count = self->options.tree_count * self->node_count;
    for (size_t i = 0; i < count && tcsi_codec_status(codec) == TCS_OK; i++) {
        unsigned char bytes[2] = { (unsigned char)masses[i], (unsigned char)(masses[i] >> 8) };
        tcsi_codec_bytes(codec, bytes, sizeof bytes);
        masses[i] = (uint16_t)(bytes[0] | bytes[1] << 8);
    }
}

static void check_loaded(half_space_trees *self, tcsi_codec *codec)
{
    bool ok = !self->is_learned || self->is_built;
    for (size_t c = 0; c < self->base.channel_count; c++) {
        ok = ok && fabs(self->filled[c]) <= 2 * TCS_VALUE_MAX;
        ok = ok && (!self->is_built || (self->lows[c] <= self->highs[c] && self->highs[c] - self->lows[c] <= 4 * TCS_VALUE_MAX));
    }
    if (!ok) tcsi_codec_refuse(codec, "a range out of order");
}

/* The trees themselves are not saved: seed and ranges make them again. */
static void persist(tcsi_detector *base, tcsi_codec *codec)
{
    half_space_trees *self = (half_space_trees *)base;
    tcsi_codec_tag(codec, "HSTR");
    tcsi_codec_bool(codec, &self->is_built);
    tcsi_codec_bool(codec, &self->is_learned);
    tcsi_codec_size(codec, &self->window_fill, self->options.window - 1);
    tcsi_codec_f64s(codec, self->lows, base->channel_count);
    tcsi_codec_f64s(codec, self->highs, base->channel_count);
    tcsi_codec_f64s(codec, self->filled, base->channel_count);
    if (tcsi_codec_status(codec) != TCS_OK) return;
    if (tcsi_codec_loading(codec)) {
        check_loaded(self, codec);
        if (tcsi_codec_status(codec) != TCS_OK) return;
        double *work = self->first_rows + self->options.window * base->channel_count;
        for (size_t tree = 0; self->is_built && tree < self->options.tree_count; tree++) build_tree(self, tree, work);
    }
    if (self->is_built) {
        persist_masses(self, self->mass, codec);
        persist_masses(self, self->mass_before, codec);
    } else {
        tcsi_codec_f64s(codec, self->first_rows, self->window_fill * base->channel_count);
    }
    if (self->is_learned) persist_masses(self, self->mass_learned, codec);
}

static size_t size_max(const tcsi_detector *base, size_t row_count)
{
    const half_space_trees *self = (const half_space_trees *)base;
    size_t tree_size = self->split_count * (sizeof(double) + sizeof(uint32_t)) + 3 * self->node_count * sizeof(uint16_t)
                     + sizeof(uint32_t) + sizeof(double);
    (void)row_count;
    return sizeof *self + self->options.tree_count * tree_size + (self->options.window + 5) * base->channel_count * sizeof(double);
}

static const tcsi_parameter parameters[] = {
    TCSI_COUNT(tree_count, 10, 1, 1000, "number of trees"),
    TCSI_COUNT(height, 8, 1, 15, "levels below the root"),
    TCSI_COUNT(window, 250, 2, 65535, "rows in a window of the mass counts"),
    TCSI_REAL(size_limit, 0.1, 0, 1, "part of a window below which a walk ends"),
};

static const tcsi_detector_ops ops = {
    .init = init, .deinit = deinit, .fit = fit, .reset = reset, .push = push, .persist = persist, .size_max = size_max,
};

const tcsi_detector_info tcsi_detector_half_space_trees = {
    .name = "half_space_trees",
    .title = "streaming half-space trees",
    .paper = "S. C. Tan, K. M. Ting, T. F. Liu: Fast anomaly detection for streaming data. IJCAI 2011, section 3",
    .summary = "Random trees of halved cells count the rows of the last full window; a row in cells of little mass scores high. Finds "
               "rare combinations and values over many channels; misses the order of rows. Cost: trees times height a row.",
    .traits = TCSI_TRAIT_STREAMING | TCSI_TRAIT_MULTIVARIATE | TCSI_TRAIT_RANDOM,
    .instance_size = sizeof(half_space_trees),
    .options_offset = offsetof(half_space_trees, options),
    .parameters = parameters,
    .parameter_count = TCS_COUNT(parameters),
    .ops = &ops,
};
