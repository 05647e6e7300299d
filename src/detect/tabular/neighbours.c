/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/tabular/neighbours.h"

#include "base/alloc.h"
#include "detect/tabular/neighbours_few.h"
#include "detect/tabular/neighbours_walk.h"
#include "detect/tabular/table.h"

#include <math.h>

/* ---- searching ---- */

/* What the caller asked for. */
typedef struct request {
    size_t k;
    tcsi_nearness nearness;
    tcsi_pool *pool;
    double *ret_distances;
    uint32_t *ret_rows;
} request;

static tcs_status search_points(const tcsi_neighbours *index, const tcsi_points *queries, const double *values, const request *r,
                                tcs_error *err)
{
    size_t entries, threads = tcsi_pool_thread_count(r->pool);
    tcsi_search s = { .index = index, .queries = queries, .values = values, .ops = tcsi_nearest_ops_for(tcsi_isa_current()), .k = r->k,
                      .is_loose = r->nearness == TCSI_NEAREST_LOOSE, .room = tcsi_query_room(r->k),
                      .grain = tcsi_points_grain(&index->axes),
                      .rounding = 1.01 * sqrt((double)index->axes.lead_count), .distances = r->ret_distances, .rows = r->ret_rows };
    if (!tcsi_multiply(threads * TCSI_BLOCK, s.room, &entries)) return tcsi_fail_memory(err, "a group of rows");
    s.boxes = TCSI_NEW_ARRAY(float, threads * 2 * index->axes.lead_count); /* at most as many as the index has boxes, or threads */
    s.near = TCSI_NEW_ARRAY(float, entries);
    s.at = TCSI_NEW_ARRAY(uint32_t, entries);
    s.found = TCSI_NEW_ARRAY(tcsi_candidate, entries);
    tcs_status status = s.boxes && s.near && s.at && s.found ? TCS_OK : tcsi_fail_memory(err, "a group of rows");
    if (status == TCS_OK) tcsi_pool_run(r->pool, tcsi_block_count(queries->count), tcsi_walk_block, &s);
    tcsi_free(s.boxes);
    tcsi_free(s.near);
    tcsi_free(s.at);
    tcsi_free(s.found);
    return status;
}

tcs_status tcsi_neighbours_search_own(const tcsi_neighbours *index, size_t k, tcsi_nearness nearness, tcsi_pool *pool,
                                      double *ret_distances, uint32_t *ret_rows, tcs_error *err)
{
    TCS_ASSERT(k >= 1 && k < index->row_count);
    if (tcsi_is_few(index->row_count)) {
        tcsi_few_search(index, NULL, index->row_count, k, pool, ret_distances, ret_rows);
        return TCS_OK;
    }
    return search_points(index, &index->points, NULL, &(request){ k, nearness, pool, ret_distances, ret_rows }, err);
}

/* Puts queries that lie in one leaf beside each other: a counting sort by leaf. */
static tcs_status order_queries(const tcsi_neighbours *index, const float *leads, size_t count, uint32_t *ret_order, tcs_error *err)
{
    size_t leaf_count = tcsi_block_count(index->row_count), *begins = TCSI_NEW_ZEROS(size_t, leaf_count + 1);
    uint32_t *leaves = TCSI_NEW_ARRAY(uint32_t, count);
    tcs_status status = begins && leaves ? TCS_OK : tcsi_fail_memory(err, "an order of rows");
    for (size_t i = 0; i < count && status == TCS_OK; i++) {
        leaves[i] = (uint32_t)tcsi_tree_leaf_of(index, leads + i * index->axes.lead_count);
        begins[leaves[i] + 1]++;
    }
    for (size_t leaf = 0; leaf < leaf_count && status == TCS_OK; leaf++) begins[leaf + 1] += begins[leaf];
    for (size_t i = 0; i < count && status == TCS_OK; i++) ret_order[begins[leaves[i]]++] = (uint32_t)i;
    tcsi_free(begins);
    tcsi_free(leaves);
    return status;
}

static tcs_status make_points(const tcsi_neighbours *index, const double *queries, size_t count, tcsi_points *ret_points, tcs_error *err)
{
    size_t channels = index->channel_count, cells;
    if (count > TCSI_NEIGHBOURS_ROW_COUNT_MAX || !tcsi_multiply(count, channels, &cells))
        return tcsi_fail(err, TCS_E_LIMIT, "nearest neighbours: %zu rows x %zu channels are too many", count, channels);
    const tcsi_nearest_ops *ops = tcsi_nearest_ops_for(tcsi_isa_current());
    float *leads = TCSI_NEW_ARRAY(float, count * index->axes.lead_count); /* not more than cells */
    double *scratch = TCSI_NEW_ARRAY(double, 2 * channels);
    uint32_t *order = TCSI_NEW_ARRAY(uint32_t, count);
    tcs_status status = leads && scratch && order ? TCS_OK : tcsi_fail_memory(err, "queries");
    for (size_t i = 0; i < count && status == TCS_OK; i++)
        tcsi_axes_lead(&index->axes, ops, queries + i * channels, scratch, leads + i * index->axes.lead_count);
    if (status == TCS_OK) status = order_queries(index, leads, count, order, err);
    if (status == TCS_OK) {
        status = tcsi_points_init(&index->axes, queries, leads, count, order, NULL, ret_points, err);
        order = NULL;
    }
    tcsi_free(leads);
    tcsi_free(scratch);
    tcsi_free(order);
    return status;
}

tcs_status tcsi_neighbours_search(const tcsi_neighbours *index, const double *queries, size_t query_count, size_t k,
                                  tcsi_nearness nearness, tcsi_pool *pool, double *ret_distances, uint32_t *ret_rows, tcs_error *err)
{
    TCS_ASSERT(k >= 1 && k <= index->row_count);
    tcsi_points points;
    if (query_count == 0) return TCS_OK;
    if (tcsi_is_few(index->row_count)) {
        tcsi_few_search(index, queries, query_count, k, pool, ret_distances, ret_rows);
        return TCS_OK;
    }
    tcs_status status = make_points(index, queries, query_count, &points, err);
    if (status != TCS_OK) return status;
    status = search_points(index, &points, queries, &(request){ k, nearness, pool, ret_distances, ret_rows }, err);
    tcsi_points_deinit(&points);
    return status;
}

/* ---- shares and densities ---- */

void tcsi_neighbours_share(const tcsi_neighbours *index, const double *row, size_t neighbour, double floor, double factor, double *parts)
{
    const double *other = tcsi_neighbours_row(index, neighbour);
    size_t channels = index->channel_count;
    double largest = 0, square = 0;
    for (size_t c = 0; c < channels; c++) largest = fmax(largest, fabs(row[c] - other[c]));
    if (!(largest > 0)) return;
    for (size_t c = 0; c < channels; c++) square += (row[c] - other[c]) / largest * ((row[c] - other[c]) / largest);
    double whole = factor * fmax(floor, largest * sqrt(square));
    for (size_t c = 0; c < channels; c++) parts[c] += whole * ((row[c] - other[c]) / largest * ((row[c] - other[c]) / largest)) / square;
}

double tcsi_reach_density(const double *distances, const uint32_t *rows, size_t k, const double *k_distances)
{
    double sum = 0;
    for (size_t j = 0; j < k; j++) sum += distances[j] > k_distances[rows[j]] ? distances[j] : k_distances[rows[j]];
    return 1.0 / (sum / (double)k + TCSI_REACH_MIN);
}

double tcsi_density_ratio(double own_density, const uint32_t *rows, size_t k, const double *densities)
{
    double sum = 0;
    for (size_t j = 0; j < k; j++) sum += densities[rows[j]];
    return sum / own_density / (double)k;
}

/* ---- saved form and sizes ---- */

static bool all_ok(const double *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!(fabs(values[i]) <= TCS_VALUE_MAX)) return false;
    return true;
}

static void load(tcsi_neighbours **index, size_t row_count, size_t channel_count, size_t k, tcsi_codec *codec)
{
    size_t count = 0;
    double *values = NULL;
    if (row_count == 0 || !tcsi_multiply(row_count, channel_count, &count)) tcsi_codec_refuse(codec, "an index without rows");
    tcsi_persist_f64s(codec, &values, count);
    if (tcsi_codec_status(codec) == TCS_OK && !all_ok(values, count)) tcsi_codec_refuse(codec, "a value out of range");
    if (tcsi_codec_status(codec) == TCS_OK)
        codec->status = tcsi_neighbours_create(values, row_count, channel_count, k, index, codec->err);
    tcsi_free(values);
}

void tcsi_neighbours_persist(tcsi_neighbours **index, size_t channel_count, size_t k, tcsi_codec *codec)
{
    size_t row_count = *index ? (*index)->row_count : 0;
    tcsi_codec_size(codec, &row_count, TCSI_NEIGHBOURS_ROW_COUNT_MAX);
    if (tcsi_codec_status(codec) != TCS_OK) return;
    if (tcsi_codec_loading(codec)) {
        load(index, row_count, channel_count, k, codec);
        return;
    }
    for (size_t i = 0; i < row_count; i++)
        tcsi_codec_f64s(codec, (*index)->values + (*index)->place[i] * channel_count, channel_count);
}

size_t tcsi_neighbours_search_size(size_t query_count, size_t channel_count, size_t k, size_t thread_count)
{
    size_t query_size = tcsi_query_room(k) * (sizeof(tcsi_candidate) + sizeof(float) + sizeof(uint32_t));
    size_t lists = tcsi_size_product(thread_count * TCSI_BLOCK, tcsi_size_sum(query_size, channel_count));
    size_t floats = tcsi_size_product(tcsi_size_product(query_count, channel_count), sizeof(float));
    size_t points = tcsi_size_sum(floats, tcsi_points_size_max(query_count, channel_count));
    return tcsi_size_sum(lists, tcsi_size_sum(points, tcsi_size_product(tcsi_size_sum(query_count, channel_count), 16)));
}
