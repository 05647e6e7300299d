/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/tabular/neighbours_walk.h"

#include <math.h>
#include <string.h>

enum {
    BOX_CHANNELS_MAX = 12, /* beyond, a query's own box test costs more than it saves */
    STACK = 128,           /* nodes waiting in a walk: at most one a level, and levels are at most 32 */
};

typedef struct group {
    tcsi_query queries[TCSI_LEAF];
    size_t count;
    const double *box;
    float *points; /* (count,C) */
    float columns[BOX_CHANNELS_MAX * TCSI_LEAF]; /* the same, (C,TCSI_LEAF), when channels are few */
} group;

/* ---- a leaf ---- */

static tcsi_leaf leaf_of(const tcsi_neighbours *index, const tcsi_tree_node *at)
{
    size_t number = at->begin / TCSI_LEAF;
    return (tcsi_leaf){ .points = index->floats + number * index->channel_count * TCSI_LEAF, .halves = index->halves + number * TCSI_LEAF,
                        .first = at->begin, .count = at->end - at->begin };
}

static void scan_one(const tcsi_search *s, group *g, size_t number, const tcsi_leaf *leaf)
{
    size_t channels = s->index->channel_count;
    tcsi_query *q = &g->queries[number];
    float limit = tcsi_query_limits(s, q, leaf->first / TCSI_LEAF).direct;
    size_t found = s->ops->scan(g->points + number * channels, leaf, channels, limit, tcsi_query_end(q));
    if (found > 0) tcsi_query_take(s, q, leaf->first / TCSI_LEAF, found, false);
}

/* Four neighbouring queries at once, when all of them have a sharp bound; false otherwise. */
static bool scan_four(const tcsi_search *s, group *g, size_t first, const tcsi_leaf *leaf)
{
    size_t channels = s->index->channel_count, found[4];
    tcsi_query *queries = g->queries + first;
    const float *points[4];
    float limit[4], squares[4];
    tcsi_near_list ends[4];
    for (size_t i = 0; i < 4; i++) {
        if (!queries[i].usual.product) return false;
        points[i] = g->points + (first + i) * channels;
        limit[i] = queries[i].usual.square;
        squares[i] = (float)queries[i].square;
        ends[i] = tcsi_query_end(&queries[i]);
    }
    s->ops->scan_four(points, squares, leaf, channels, limit, ends, found);
    for (size_t i = 0; i < 4; i++)
        if (found[i] > 0) tcsi_query_take(s, &queries[i], leaf->first / TCSI_LEAF, found[i], true);
    return true;
}

/* Which queries the leaf's box does not rule out, in few channels. */
static void choose_near(const tcsi_search *s, const group *g, const double *box, bool *ret_near)
{
    const tcsi_neighbours *index = s->index;
    size_t channels = index->channel_count;
    float floats[2 * BOX_CHANNELS_MAX], squares[TCSI_LEAF];
    (void)tcsi_tree_floats(index, box, floats, 1);
    (void)tcsi_tree_floats(index, box + channels, floats + channels, 1);
    s->ops->box_distances(g->columns, floats, channels, squares);
    for (size_t i = 0; i < g->count; i++) {
        const tcsi_query *q = &g->queries[i];
        ret_near[i] = !((double)squares[i] > q->box_limit);
    }
}

static void scan_group(const tcsi_search *s, group *g, const tcsi_tree_node *at, const double *box)
{
    tcsi_leaf leaf = leaf_of(s->index, at);
    if (s->index->channel_count > BOX_CHANNELS_MAX) {
        size_t i = 0;
        while (i < g->count) {
            bool four = i + 4 <= g->count && scan_four(s, g, i, &leaf);
            if (!four) scan_one(s, g, i, &leaf);
            i += four ? 4 : 1;
        }
        return;
    }
    bool near[TCSI_LEAF];
    choose_near(s, g, box, near);
    for (size_t i = 0; i < g->count; i++)
        if (near[i]) scan_one(s, g, i, &leaf);
}

/* ---- the walk ---- */

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

static double box_box2(const double *restrict a, const double *restrict b, size_t count)
{
    double sum = 0;
    for (size_t c = 0; c < count; c++) {
        double below = b[c] - a[count + c], above = a[c] - b[count + c], gap = below > above ? below : above;
        if (gap > 0) sum += gap * gap;
    }
    return sum;
}

static waiting waiting_at(const tcsi_search *s, const group *g, uint32_t at)
{
    size_t channels = s->index->channel_count;
    return (waiting){ at, box_box2(g->box, s->index->boxes + (size_t)at * 2 * channels, channels) * (1 - 1e-9) };
}

static void walk(const tcsi_search *s, group *g)
{
    const tcsi_neighbours *index = s->index;
    waiting stack[STACK];
    size_t top = 0;
    double worst = INFINITY;
    stack[top++] = (waiting){ 0, 0 };
    while (top > 0) {
        waiting next = stack[--top];
        if (next.distance > worst) continue;
        const tcsi_tree_node *here = &index->nodes[next.at];
        if (here->left == 0) {
            scan_group(s, g, here, index->boxes + (size_t)next.at * 2 * index->channel_count);
            worst = group_worst(g);
            continue;
        }
        waiting left = waiting_at(s, g, here->left), right = waiting_at(s, g, here->right);
        bool left_first = left.distance <= right.distance;
        TCS_ASSERT(top + 2 <= STACK);
        stack[top++] = left_first ? right : left;
        stack[top++] = left_first ? left : right;
    }
}

void tcsi_walk_leaf(void *context, size_t leaf, size_t worker)
{
    const tcsi_search *s = context;
    const tcsi_neighbours *from = s->queries;
    size_t channels = from->channel_count;
    const tcsi_tree_node *own = &from->nodes[from->leaf_nodes[leaf]];
    group g = { .count = own->end - own->begin, .box = from->boxes + (size_t)from->leaf_nodes[leaf] * 2 * channels,
                .points = s->points + worker * TCSI_LEAF * channels };
    for (size_t i = 0; i < g.count; i++) {
        tcsi_query_begin(s, worker, i, own->begin + i, &g.queries[i]);
        for (size_t c = 0; c < channels && channels <= BOX_CHANNELS_MAX; c++) g.columns[c * TCSI_LEAF + i] = g.points[i * channels + c];
    }
    walk(s, &g);
    for (size_t i = 0; i < g.count; i++) tcsi_query_finish(s, &g.queries[i]);
}
