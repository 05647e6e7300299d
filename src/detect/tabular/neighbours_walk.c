/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/tabular/neighbours_walk.h"

#include <math.h>
#include <string.h>

enum {
    BOX_AXES_MAX = 12, /* on which queries are compared with a leaf's box: more cost more than they save */
    STACK = 128,       /* nodes waiting in a walk: at most one a level, and levels are at most 32 */
};

/* A group and its box. */
typedef struct walker {
    tcsi_group group;
    float *low, *high;
    float limit; /* the largest of the queries' */
} walker;

/* Limits are not negative, but for those of unused places, so that their bits have their order; compilers know how to take
 * the largest of several integers at once. */
static float largest_limit(const tcsi_seekers *seekers)
{
    int32_t bits[TCSI_BLOCK], largest = 0;
    float limit;
    memcpy(bits, seekers->limits, sizeof bits);
    for (size_t i = 0; i < TCSI_BLOCK; i++) largest = bits[i] > largest ? bits[i] : largest;
    memcpy(&limit, &largest, sizeof limit);
    return limit;
}

static void scan_leaf(const tcsi_search *s, walker *w, const tcsi_tree_node *node, const float *box)
{
    size_t leads = s->index->axes.lead_count, axes = leads < BOX_AXES_MAX ? leads : BOX_AXES_MAX;
    tcsi_seekers *seekers = &w->group.seekers;
    tcsi_block leaf = tcsi_points_block(&s->index->points, node->begin / TCSI_BLOCK);
    bool seeded = !(w->limit < INFINITY) && tcsi_group_seed(s, &w->group, &leaf);
    uint64_t near = s->ops->near_box(seekers, box, box + leads, axes), told = s->ops->scan(seekers, near, &leaf);
    if (!told && !seeded) return;
    for (; told; told &= told - 1) tcsi_query_settle(s, &w->group, tcsi_lowest_bit(told));
    w->limit = largest_limit(seekers);
}

typedef struct waiting {
    uint32_t at;
    float distance;
} waiting;

static waiting waiting_at(const tcsi_search *s, const walker *w, uint32_t at)
{
    size_t leads = s->index->axes.lead_count;
    const float *low = tcsi_tree_box(s->index, at), *high = low + leads;
    float sum = 0;
    for (size_t a = 0; a < leads; a++) {
        float below = low[a] - w->high[a], above = w->low[a] - high[a], gap = below > above ? below : above;
        gap = gap > 0 ? gap : 0;
        sum += gap * gap;
    }
    return (waiting){ at, sum };
}

/* Boxes of many axes all touch each other: the border, not the distance, says which child is nearer. */
static void walk(const tcsi_search *s, walker *w)
{
    waiting stack[STACK];
    size_t top = 0;
    stack[top++] = (waiting){ 0, 0 };
    while (top > 0) {
        waiting next = stack[--top];
        if (next.distance > w->limit) continue;
        const tcsi_tree_node *here = &s->index->nodes[next.at];
        if (here->left == 0) {
            scan_leaf(s, w, here, tcsi_tree_box(s->index, next.at));
            continue;
        }
        waiting left = waiting_at(s, w, here->left), right = waiting_at(s, w, here->right);
        bool left_first = 0.5f * (w->low[here->axis] + w->high[here->axis]) <= here->border;
        TCS_ASSERT(top + 2 <= STACK);
        stack[top++] = left_first ? right : left;
        stack[top++] = left_first ? left : right;
    }
}

void tcsi_walk_block(void *context, size_t number, size_t worker)
{
    const tcsi_search *s = context;
    size_t leads = s->index->axes.lead_count;
    walker w; /* large: begin fills what is used */
    w.limit = INFINITY;
    w.low = s->boxes + worker * 2 * leads;
    w.high = w.low + leads;
    tcsi_group_begin(s, number, worker, &w.group);
    tcsi_points_box(&w.group.seekers.block, leads, w.low);
    walk(s, &w);
    uint32_t count = w.group.seekers.block.count;
    tcsi_query_ready(s, &w.group, 0);
    for (uint32_t i = 0; i < count; i++) {
        if (i + 1 < count) tcsi_query_ready(s, &w.group, i + 1);
        tcsi_query_finish(s, &w.group, i);
    }
}
