/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/tabular/neighbours_query.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum {
    TOGETHER = 64, /* doubles computed together */
    ALIKE = 64,    /* entries that floats may be unable to tell from the k nearest */
};

static size_t capacity_of(size_t k)
{
    return 2 * k + ALIKE;
}

/* Entries that make another look worth while. */
static size_t news_of(size_t k)
{
    return 6 + k / 4;
}

size_t tcsi_query_room(size_t k)
{
    return capacity_of(k) + news_of(k) + TCSI_BLOCK + TCSI_LIST_SPARE;
}

/* ---- the order of candidates ---- */

static bool nearer(const tcsi_candidate *a, const tcsi_candidate *b)
{
    return a->distance < b->distance || (a->distance == b->distance && a->row < b->row);
}

static void sort_small(tcsi_candidate *found, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        tcsi_candidate kept = found[i];
        size_t at = i;
        for (; at > 0 && nearer(&kept, &found[at - 1]); at--) found[at] = found[at - 1];
        found[at] = kept;
    }
}

static void exchange(tcsi_candidate *a, tcsi_candidate *b)
{
    tcsi_candidate kept = *a;
    *a = *b;
    *b = kept;
}

/* Splits found into those nearer than a pivot, the pivot's place, and the rest.  No two candidates are equal. */
static size_t split_found(tcsi_candidate *found, size_t count)
{
    tcsi_candidate *middle = &found[count / 2], *last = &found[count - 1];
    if (nearer(last, found)) exchange(last, found);
    if (nearer(middle, found)) exchange(middle, found);
    if (nearer(last, middle)) exchange(last, middle);
    tcsi_candidate pivot = *middle;
    exchange(middle, last);
    size_t place = 0;
    for (size_t i = 0; i + 1 < count; i++)
        if (nearer(&found[i], &pivot)) exchange(&found[i], &found[place++]);
    exchange(last, &found[place]);
    return place;
}

/* Afterwards the first k are the nearest k, in any order; k < count. */
static void select_nearest(tcsi_candidate *found, size_t count, size_t k)
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
static void sort_found(tcsi_candidate *found, size_t count)
{
    while (count > 12) {
        size_t place = split_found(found, count);
        sort_found(found, place);
        found += place + 1;
        count -= place + 1;
    }
    sort_small(found, count);
}

/* False, and found as it was, when there are ties. */
static bool sort_by_rank(const tcsi_nearest_ops *ops, tcsi_candidate *found, size_t count)
{
    double distances[TCSI_RANKED_MAX];
    uint32_t ranks[TCSI_RANKED_MAX];
    tcsi_candidate copies[TCSI_RANKED_MAX];
    for (size_t i = 0; i < count; i++) distances[i] = found[i].distance;
    if (!ops->rank(distances, count, ranks)) return false;
    memcpy(copies, found, count * sizeof *found);
    for (size_t i = 0; i < count; i++) found[ranks[i]] = copies[i];
    return true;
}

void tcsi_candidates_nearest(const tcsi_nearest_ops *ops, tcsi_candidate *found, size_t count, size_t k, double *ret_distances,
                             uint32_t *ret_rows)
{
    TCS_ASSERT(count >= k);
    if (count > TCSI_RANKED_MAX || !sort_by_rank(ops, found, count)) {
        if (count > k) select_nearest(found, count, k);
        sort_found(found, k);
    }
    for (size_t j = 0; j < k; j++) {
        ret_distances[j] = sqrt(found[j].distance);
        ret_rows[j] = found[j].row;
    }
}

/* ---- bounds ---- */

static const double u = 0x1p-24;

static float to_limit(double value)
{
    return value < 3e38 ? (float)value : 3e38f;
}

/* worst: squared; worst_scaled: no less than its root, in the floats' units. */
static void set_worst(const tcsi_search *search, tcsi_group *g, uint32_t number, double worst, double worst_scaled)
{
    tcsi_query *q = &g->queries[number];
    tcsi_seekers *s = &g->seekers;
    double n = (double)search->index->channel_count, norms = 2 * q->norm + worst_scaled * (1 + 2 * u);
    double reach = worst_scaled * (1 + 2 * u) + 1.01 * u * norms;
    q->worst = worst;
    s->limits[number] = to_limit(reach * reach * (1 + (2 * n + 12) * 1.1 * u) + 1.2e-37 * n);
    double grains = reach * search->grain + search->rounding, value = 0.5 * grains * grains - (double)s->block.halves[number] + 2;
    bool sharp = s->row_size > 0 && grains > 10 * search->rounding;
    s->reaches[number] = value < INT32_MAX ? (int32_t)value : INT32_MAX;
    s->product = (s->product & ~((uint64_t)1 << number)) | (uint64_t)sharp << number;
}

/* No row whose direct form is at most square is farther than this, in the floats' units. */
static double farthest(const tcsi_search *search, const tcsi_query *q, double square)
{
    double n = (double)search->index->channel_count, root = sqrt(square + 1.2e-37 * n) * (1 + (n + 8) * 1.1 * u);
    return (root + 1.01 * u * (2 * q->norm + root)) * (1 + 4 * u);
}

/* ---- the exact list: of a query whose neighbours floats cannot tell apart ---- */

static void tidy_exact(const tcsi_search *search, tcsi_group *g, uint32_t number)
{
    tcsi_query *q = &g->queries[number];
    size_t k = search->k;
    double worst = 0;
    if (q->found_count < k) return;
    if (q->found_count > k) select_nearest(q->found, q->found_count, k);
    q->found_count = k;
    for (size_t i = 0; i < k; i++) worst = q->found[i].distance > worst ? q->found[i].distance : worst;
    if (worst < q->worst) set_worst(search, g, number, worst, sqrt(worst) * (1 + 1e-14) * search->index->axes.scale);
    if (search->is_loose && !(worst > 0)) g->seekers.limits[number] = -1; /* nobody is nearer */
}

/* Moves the float list to the exact one; rows as far as the worst stay, for a lower row number may still win. */
static void take_exact(const tcsi_search *search, tcsi_group *g, uint32_t number)
{
    const tcsi_neighbours *index = search->index;
    tcsi_query *q = &g->queries[number];
    const uint32_t *at = g->seekers.at + number * search->room;
    size_t whole = g->seekers.counts[number];
    for (size_t begin = 0; begin < whole; begin += TOGETHER, at += TOGETHER) {
        double distances[TOGETHER];
        size_t count = whole - begin < TOGETHER ? whole - begin : TOGETHER;
        search->ops->distances2(q->values, index->values, index->channel_count, at, count, distances);
        if (q->found_count + count > search->room) tidy_exact(search, g, number);
        for (size_t i = 0; i < count; i++) { /* no branch: these are as good as random */
            uint32_t row = index->points.order[at[i]];
            q->found[q->found_count] = (tcsi_candidate){ distances[i], row };
            q->found_count += (distances[i] <= q->worst) & (row != q->self);
        }
    }
    g->seekers.counts[number] = 0;
}

/* ---- the float list ---- */

/* As many rows as are wanted have direct forms of at most square. */
static void limit_by(const tcsi_search *search, tcsi_group *g, uint32_t number, float square)
{
    double reach = farthest(search, &g->queries[number], (double)square), worst = reach / search->index->axes.scale;
    worst *= worst * (1 + 1e-14);
    if (worst < g->queries[number].worst) set_worst(search, g, number, worst, reach);
}

/* The own row is found too: hence k + 1. */
static size_t wanted_of(const tcsi_search *search)
{
    return search->k + (search->queries == &search->index->points);
}

/* Lowers the limit by the list and drops what is beyond it. */
static void narrow(const tcsi_search *search, tcsi_group *g, uint32_t number)
{
    tcsi_seekers *s = &g->seekers;
    size_t wanted = wanted_of(search), at = number * s->room, count = s->counts[number];
    if (count < wanted) return;
    limit_by(search, g, number, search->ops->border(s->near + at, count, wanted, wanted / 8 + 1));
    count = search->ops->keep_within((tcsi_near_list){ s->near + at, s->at + at }, count, s->limits[number]);
    s->counts[number] = (uint32_t)count;
}

bool tcsi_group_seed(const tcsi_search *search, tcsi_group *group, const tcsi_block *leaf)
{
    size_t wanted = wanted_of(search);
    float squares[TCSI_BLOCK];
    if (group->seekers.row_size > 0 || wanted > TCSI_SEED_MAX || wanted > leaf->count) return false;
    search->ops->nearest(&group->seekers, leaf, wanted, squares);
    for (uint32_t i = 0; i < group->seekers.block.count; i++) {
        if (!group->queries[i].exact) limit_by(search, group, i, squares[i]);
        group->seekers.marks[i] = (uint32_t)(wanted + news_of(search->k));
    }
    return true;
}

void tcsi_query_settle(const tcsi_search *search, tcsi_group *group, uint32_t number)
{
    tcsi_query *q = &group->queries[number];
    uint32_t *count = &group->seekers.counts[number];
    if (!q->exact) narrow(search, group, number);
    q->exact |= *count > capacity_of(search->k);
    if (q->exact) {
        take_exact(search, group, number);
        if (q->found_count > search->k + TCSI_BLOCK || !(q->worst < INFINITY)) tidy_exact(search, group, number);
    }
    group->seekers.marks[number] = q->worst < INFINITY ? *count + (uint32_t)news_of(search->k) : 0;
}

/* ---- life ---- */

void tcsi_group_begin(const tcsi_search *search, size_t number, size_t worker, tcsi_group *ret_group)
{
    const tcsi_points *queries = search->queries;
    bool own = queries == &search->index->points;
    size_t channels = search->index->channel_count, lists = worker * TCSI_BLOCK * search->room;
    tcsi_seekers *s = &ret_group->seekers;
    s->block = tcsi_points_block(queries, number);
    s->lead_count = queries->lead_count;
    s->row_size = queries->row_size;
    s->product = 0;
    s->near = search->near + lists;
    s->at = search->at + lists;
    s->room = search->room;
    for (uint32_t i = 0; i < TCSI_BLOCK; i++) {
        s->limits[i] = i < s->block.count ? INFINITY : -1; /* nothing is near an unused place */
        s->counts[i] = s->marks[i] = 0;
    }
    for (uint32_t i = 0; i < s->block.count; i++) {
        size_t at = s->block.first + i;
        uint32_t row = queries->order[at];
        ret_group->queries[i] = (tcsi_query){
            .values = own ? search->index->values + at * channels : search->values + row * channels,
            .found = search->found + lists + i * search->room, .self = own ? row : UINT32_MAX, .row = row,
            .exact = (double)queries->norms[at] >= TCSI_AXES_CLIP, .norm = (double)queries->norms[at], .worst = INFINITY,
        };
    }
}

/* May the list's floats be the answer, where the k-th is so far, in their units?  Rounding moves them by little beside that,
 * and no square that counts is near the smallest float. */
static bool is_enough(const tcsi_search *search, const tcsi_query *q, double reach)
{
    double n = (double)search->index->channel_count, error = 1.01 * u * (2 * q->norm + reach) + 1.1 * u * (n + 8) * reach;
    return search->is_loose && !q->exact && reach > 1e-12 && error < TCSI_NEAREST_LOOSE_ERROR * reach;
}

void tcsi_query_ready(const tcsi_search *search, tcsi_group *group, uint32_t number)
{
    size_t k = search->k, channels = search->index->channel_count;
    const tcsi_seekers *s = &group->seekers;
    const tcsi_query *q = &group->queries[number];
    if (is_enough(search, q, sqrt(q->worst) * search->index->axes.scale)) return;
    if (!q->exact && s->counts[number] > k + k / 2 + 4) narrow(search, group, number);
    for (uint32_t i = 0; i < s->counts[number]; i++)
        tcsi_fetch(search->index->values + s->at[number * s->room + i] * channels, channels * sizeof(double));
}

static void take_out(tcsi_near_list list, size_t at, size_t *count)
{
    *count -= 1;
    list.near[at] = list.near[*count];
    list.at[at] = list.at[*count];
}

/* Leaves k entries of a list, none beyond border, which k of them do not exceed, the own row aside.  Of those at the border, which
 * is no matter. */
static void choose_loosely(const tcsi_search *search, const tcsi_group *g, uint32_t number, tcsi_near_list list, float border)
{
    const tcsi_seekers *s = &g->seekers;
    size_t count = search->ops->keep_within(list, s->counts[number], border);
    bool own = g->queries[number].self != UINT32_MAX;
    for (size_t i = 0; i < count && own; i++)
        if (list.at[i] == s->block.first + number) {
            take_out(list, i, &count);
            break;
        }
    for (size_t i = count; i-- > 0 && count > search->k;)
        if (!(list.near[i] < border)) take_out(list, i, &count);
    TCS_ASSERT(count == search->k);
}

/* False, and nothing done, where floats are not enough. */
static bool finish_loosely(const tcsi_search *search, tcsi_group *group, uint32_t number)
{
    const tcsi_seekers *s = &group->seekers;
    const tcsi_query *q = &group->queries[number];
    size_t first = (size_t)q->row * search->k, at = number * s->room;
    tcsi_near_list list = { s->near + at, s->at + at };
    if (!search->is_loose || q->exact) return false;
    float border = search->ops->border(list.near, s->counts[number], wanted_of(search), 0);
    if (!is_enough(search, q, sqrt((double)border))) return false;
    choose_loosely(search, group, number, list, border);
    for (size_t j = 0; j < search->k; j++) {
        search->distances[first + j] = sqrt((double)list.near[j]) / search->index->axes.scale;
        search->rows[first + j] = search->index->points.order[list.at[j]];
    }
    return true;
}

void tcsi_query_finish(const tcsi_search *search, tcsi_group *group, uint32_t number)
{
    tcsi_query *q = &group->queries[number];
    size_t first = (size_t)q->row * search->k;
    if (finish_loosely(search, group, number)) return;
    take_exact(search, group, number);
    tcsi_candidates_nearest(search->ops, q->found, q->found_count, search->k, search->distances + first, search->rows + first);
}
