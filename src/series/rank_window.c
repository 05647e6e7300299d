/* SPDX-License-Identifier: Apache-2.0 */
#include "series/rank_window.h"

#include "base/alloc.h"
#include "base/rng.h"

#include <math.h>

static const uint32_t NONE = UINT32_MAX;

tcs_status tcsi_rank_window_init(tcsi_rank_window *window, size_t capacity, tcs_error *err)
{
    *window = (tcsi_rank_window){ .capacity = capacity, .root = NONE };
    if (capacity < 1 || capacity > (size_t)1 << 31)
        return tcsi_fail(err, TCS_E_INVALID, "a window of %zu values, expected 1 to 2147483648", capacity);
    window->nodes = TCSI_NEW_ARRAY(tcsi_rank_node, capacity);
    return window->nodes ? TCS_OK : tcsi_fail_memory(err, "a window of ranks");
}

void tcsi_rank_window_deinit(tcsi_rank_window *window)
{
    tcsi_free(window->nodes);
    *window = (tcsi_rank_window){ .root = NONE };
}

/* ---- the tree ---- */

/* Fixed for a place. */
static uint64_t priority(uint32_t place)
{
    return tcsi_mix((uint64_t)place + 0x9e3779b97f4a7c15u);
}

static bool is_higher(uint32_t a, uint32_t b)
{
    const uint64_t of_a = priority(a), of_b = priority(b);
    return of_a != of_b ? of_a > of_b : a > b;
}

static uint32_t count_of(const tcsi_rank_node *nodes, uint32_t at)
{
    return at == NONE ? 0 : nodes[at].count;
}

static void add_up(tcsi_rank_node *nodes, uint32_t at)
{
    nodes[at].count = 1 + count_of(nodes, nodes[at].left) + count_of(nodes, nodes[at].right);
}

/* By value, equal ones by place. */
static bool is_before(const tcsi_rank_node *nodes, uint32_t a, uint32_t b)
{
    return nodes[a].value != nodes[b].value ? nodes[a].value < nodes[b].value : a < b;
}

/* What comes before pivot, and what after it; pivot is not in the tree. */
static void split(tcsi_rank_node *nodes, uint32_t at, uint32_t pivot, uint32_t *ret_before, uint32_t *ret_after)
{
    if (at == NONE) {
        *ret_before = *ret_after = NONE;
    } else if (is_before(nodes, at, pivot)) {
        split(nodes, nodes[at].right, pivot, &nodes[at].right, ret_after);
        *ret_before = at;
        add_up(nodes, at);
    } else {
        split(nodes, nodes[at].left, pivot, ret_before, &nodes[at].left);
        *ret_after = at;
        add_up(nodes, at);
    }
}

static uint32_t merge(tcsi_rank_node *nodes, uint32_t before, uint32_t after)
{
    if (before == NONE) return after;
    if (after == NONE) return before;
    const bool is_top = is_higher(before, after);
    if (is_top) nodes[before].right = merge(nodes, nodes[before].right, after);
    else nodes[after].left = merge(nodes, before, nodes[after].left);
    add_up(nodes, is_top ? before : after);
    return is_top ? before : after;
}

static uint32_t insert(tcsi_rank_node *nodes, uint32_t at, uint32_t place)
{
    if (at == NONE || is_higher(place, at)) {
        split(nodes, at, place, &nodes[place].left, &nodes[place].right);
        add_up(nodes, place);
        return place;
    }
    if (is_before(nodes, place, at)) nodes[at].left = insert(nodes, nodes[at].left, place);
    else nodes[at].right = insert(nodes, nodes[at].right, place);
    add_up(nodes, at);
    return at;
}

static uint32_t erase(tcsi_rank_node *nodes, uint32_t at, uint32_t place)
{
    TCS_ASSERT(at != NONE);
    if (at == place) return merge(nodes, nodes[at].left, nodes[at].right);
    if (is_before(nodes, place, at)) nodes[at].left = erase(nodes, nodes[at].left, place);
    else nodes[at].right = erase(nodes, nodes[at].right, place);
    add_up(nodes, at);
    return at;
}

/* ---- the window ---- */

void tcsi_rank_window_push(tcsi_rank_window *window, double value)
{
    TCS_ASSERT(!isnan(value));
    const uint32_t place = (uint32_t)window->next;
    if (window->count == window->capacity) window->root = erase(window->nodes, window->root, place);
    else window->count++;
    window->nodes[place] = (tcsi_rank_node){ .value = value, .left = NONE, .right = NONE };
    window->root = insert(window->nodes, window->root, place);
    window->next = window->next + 1 < window->capacity ? window->next + 1 : 0;
}

size_t tcsi_rank_window_at_least(const tcsi_rank_window *window, double value)
{
    const tcsi_rank_node *nodes = window->nodes;
    size_t count = 0;
    for (uint32_t at = window->root; at != NONE;) {
        const bool counts = nodes[at].value >= value;
        if (counts) count += 1 + count_of(nodes, nodes[at].right);
        at = counts ? nodes[at].left : nodes[at].right;
    }
    return count;
}

double tcsi_rank_window_quantile(const tcsi_rank_window *window, double rank)
{
    const tcsi_rank_node *nodes = window->nodes;
    double before = 0, found = INFINITY;
    for (uint32_t at = window->root; at != NONE;) {
        const double through = before + count_of(nodes, nodes[at].left) + 1;
        const bool reaches = through >= rank;
        if (reaches) found = nodes[at].value;
        else before = through;
        at = reaches ? nodes[at].left : nodes[at].right;
    }
    return found;
}
