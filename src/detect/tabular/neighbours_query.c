/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/tabular/neighbours_query.h"

#include <float.h>
#include <math.h>
#include <string.h>

size_t tcsi_query_room(size_t k)
{
    return 2 * k + 2 * TCSI_LEAF + 2 * TCSI_LEAF_SPARE;
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
static bool sort_by_rank(const tcsi_search *search, tcsi_candidate *found, size_t count)
{
    double distances[TCSI_RANKED_MAX];
    uint32_t ranks[TCSI_RANKED_MAX];
    tcsi_candidate copies[TCSI_RANKED_MAX];
    for (size_t i = 0; i < count; i++) distances[i] = found[i].distance;
    if (!search->ops->rank(distances, count, ranks)) return false;
    memcpy(copies, found, count * sizeof *found);
    for (size_t i = 0; i < count; i++) found[ranks[i]] = copies[i];
    return true;
}

/* ---- bounds ---- */

static float to_limit(double value)
{
    return value < 3e38 ? (float)value : 3e38f;
}

/* Bound of the product form's error, in squared units of the floats. */
static double product_error(double channel_count, double norms)
{
    return (channel_count + 12) * 1.1 * 0x1p-24 * norms * norms;
}

/* What the bounds in neighbours.h leave possible for a row within worst. */
static tcsi_limits limits_of(const tcsi_neighbours *index, const tcsi_query *q, float leaf_norm)
{
    const double u = 0x1p-24;
    if (!(q->worst < DBL_MAX)) return (tcsi_limits){ .direct = INFINITY };
    double n = (double)index->channel_count, norms = q->norm + (double)leaf_norm;
    double reach = q->worst_scaled * (1 + 2 * u) + 1.001 * u * norms, error = product_error(n, norms);
    double square = reach * reach, direct = square * (1 + (2 * n + 12) * 1.1 * u) + 1.2e-37 * n;
    bool product = error < 0.02 * square && norms < 1e10;
    return (tcsi_limits){ .product = product, .sharp = direct < 1.01 * square, .direct = to_limit(direct),
                          .square = to_limit((square + error) * (1 + 2 * u) + 1.2e-37 * n) };
}

/* The same error as between two points: no coordinate of a box is larger than a norm, hence not even its farthest corner
 * counts for more than the root of C norms. */
static double box_limit_of(const tcsi_neighbours *index, const tcsi_query *q)
{
    const double u = 0x1p-24;
    double n = (double)index->channel_count, norms = q->norm + sqrt(n) * (double)index->norm_max;
    double reach = q->worst_scaled * (1 + 2 * u) + 1.1 * u * norms;
    return reach * reach * (1 + (2 * n + 12) * 1.1 * u) + 1.2e-37 * n;
}

static void set_worst(const tcsi_neighbours *index, tcsi_query *q, double worst, double worst_scaled)
{
    q->worst = worst;
    q->worst_scaled = worst_scaled;
    q->usual = limits_of(index, q, index->norm_max);
    q->box_limit = box_limit_of(index, q);
}

/* No row whose float result is at most square is farther than this, in the floats' units. */
static double farthest(const tcsi_neighbours *index, const tcsi_query *q, double square)
{
    const double u = 0x1p-24;
    double n = (double)index->channel_count, norms = q->norm + q->norm_seen, error = q->used_product ? product_error(n, norms) : 0;
    double root = sqrt(square + error + 1.2e-37 * n) * (1 + (n + 8) * 1.1 * u);
    return (root + 1.001 * u * norms) * (1 + 4 * u);
}

/* ---- the exact list: of a query whose neighbours floats cannot tell apart ---- */

static void tidy_exact(const tcsi_neighbours *index, tcsi_query *q, size_t k)
{
    double worst = 0;
    if (q->found_count < k) return;
    if (q->found_count > k) select_nearest(q->found, q->found_count, k);
    q->found_count = k;
    for (size_t i = 0; i < k; i++) worst = q->found[i].distance > worst ? q->found[i].distance : worst;
    if (worst < q->worst) set_worst(index, q, worst, sqrt(worst) * index->scale);
}

/* Moves the float list to the exact one; rows as far as the worst stay, for a lower row number may still win. */
static void take_exact(const tcsi_search *search, tcsi_query *q)
{
    const tcsi_neighbours *index = search->index;
    size_t channels = index->channel_count;
    for (size_t i = 0; i < q->count; i++) {
        size_t at = q->list.at[i];
        double distance = search->ops->distance2(q->values, index->values + at * channels, channels);
        if (distance > q->worst || index->order[at] == q->self) continue;
        if (q->found_count == search->room) tidy_exact(index, q, search->k);
        q->found[q->found_count++] = (tcsi_candidate){ distance, index->order[at] };
    }
    q->count = q->kept = 0;
}

/* ---- the float list ---- */

static bool list_is_full(const tcsi_search *search, const tcsi_query *q)
{
    return q->count + TCSI_LEAF + TCSI_LEAF_SPARE > search->room;
}

/* Lowers the limit by the list and drops what is beyond it.  The own row is in the list too: hence k + 1. */
static void narrow(const tcsi_search *search, tcsi_query *q)
{
    const tcsi_neighbours *index = search->index;
    size_t wanted = search->k + (q->self != UINT32_MAX);
    if (q->count >= wanted) {
        double reach = farthest(index, q, (double)search->ops->border(q->list.near, q->count, wanted)), worst = reach / index->scale;
        worst *= worst * (1 + 1e-14);
        if (worst < q->worst) set_worst(index, q, worst, reach);
        tcsi_limits l = q->usual.sharp ? q->usual : limits_of(index, q, (float)q->norm_seen);
        q->count = search->ops->keep_within(q->list, q->count, l.direct > l.square || !q->used_product ? l.direct : l.square);
    }
    q->kept = q->count;
    if (!list_is_full(search, q)) return;
    q->exact = true;
    take_exact(search, q);
    tidy_exact(index, q, search->k);
}

/* ---- life ---- */

void tcsi_query_begin(const tcsi_search *search, size_t worker, size_t number, size_t at, tcsi_query *ret_query)
{
    const tcsi_neighbours *from = search->queries;
    size_t channels = from->channel_count, slot = worker * TCSI_LEAF + number, place = slot * search->room;
    uint32_t row = from->order[at];
    tcsi_query q = { .values = from->values + at * channels, .list = { search->near + place, search->at + place },
                     .found = search->found + place, .self = from == search->index ? row : UINT32_MAX, .row = row, .worst = INFINITY,
                     .worst_scaled = INFINITY, .box_limit = INFINITY };
    q.square = tcsi_tree_floats(search->index, q.values, search->points + slot * channels, 1);
    q.norm = tcsi_tree_norm(q.square);
    *ret_query = q;
}

tcsi_limits tcsi_query_limits(const tcsi_search *search, const tcsi_query *query, uint32_t leaf)
{
    return query->usual.sharp ? query->usual : limits_of(search->index, query, search->index->leaf_norms[leaf]);
}

tcsi_near_list tcsi_query_end(const tcsi_query *query)
{
    return (tcsi_near_list){ query->list.near + query->count, query->list.at + query->count };
}

void tcsi_query_take(const tcsi_search *search, tcsi_query *query, uint32_t leaf, size_t hit_count, bool product)
{
    double norm = (double)search->index->leaf_norms[leaf];
    query->norm_seen = norm > query->norm_seen ? norm : query->norm_seen;
    query->used_product |= product;
    query->count += hit_count;
    if (query->exact) {
        take_exact(search, query);
        if (query->found_count > search->k + TCSI_LEAF || !(query->worst < INFINITY)) tidy_exact(search->index, query, search->k);
        return;
    }
    size_t news = query->count - query->kept;
    if (!(query->worst < INFINITY) || news > 8 + search->k / 4 || list_is_full(search, query)) narrow(search, query);
}

void tcsi_query_finish(const tcsi_search *search, tcsi_query *query)
{
    size_t k = search->k, first = (size_t)query->row * k;
    if (!query->exact) narrow(search, query);
    take_exact(search, query);
    TCS_ASSERT(query->found_count >= k);
    if (query->found_count > TCSI_RANKED_MAX || !sort_by_rank(search, query->found, query->found_count)) {
        if (query->found_count > k) select_nearest(query->found, query->found_count, k);
        sort_found(query->found, k);
    }
    for (size_t j = 0; j < k; j++) {
        search->distances[first + j] = sqrt(query->found[j].distance);
        search->rows[first + j] = query->found[j].row;
    }
}
