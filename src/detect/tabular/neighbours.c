/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/tabular/neighbours.h"

#include "base/alloc.h"
#include "detect/tabular/neighbours_walk.h"
#include "detect/tabular/table.h"

#include <math.h>

tcs_status tcsi_neighbours_search(const tcsi_neighbours *index, const tcsi_neighbours *queries, size_t k, tcsi_pool *pool,
                                  double *ret_distances, uint32_t *ret_rows, tcs_error *err)
{
    TCS_ASSERT(k >= 1 && k + (queries == index) <= index->row_count && index->channel_count == queries->channel_count);
    size_t points, entries, lanes = tcsi_pool_thread_count(pool) * TCSI_LEAF;
    if (!tcsi_multiply(lanes, index->channel_count, &points) || !tcsi_multiply(lanes, tcsi_query_room(k), &entries))
        return tcsi_fail_memory(err, "a group of rows");
    tcsi_search s = { .index = index, .queries = queries, .ops = tcsi_nearest_ops_for(tcsi_isa_current()), .k = k,
                      .room = tcsi_query_room(k), .distances = ret_distances, .rows = ret_rows };
    s.points = TCSI_NEW_ARRAY(float, points);
    s.near = TCSI_NEW_ARRAY(float, entries);
    s.at = TCSI_NEW_ARRAY(uint32_t, entries);
    s.found = TCSI_NEW_ARRAY(tcsi_candidate, entries);
    tcs_status status = s.points && s.near && s.at && s.found ? TCS_OK : tcsi_fail_memory(err, "a group of rows");
    if (status == TCS_OK) tcsi_pool_run(pool, tcsi_tree_leaf_count(queries), tcsi_walk_leaf, &s);
    tcsi_free(s.points);
    tcsi_free(s.near);
    tcsi_free(s.at);
    tcsi_free(s.found);
    return status;
}

/* ---- densities ---- */

double tcsi_reach_density(const double *distances, const uint32_t *rows, size_t k, const double *k_distances)
{
    double sum = 0;
    for (size_t j = 0; j < k; j++) sum += distances[j] > k_distances[rows[j]] ? distances[j] : k_distances[rows[j]];
    return 1.0 / (sum / (double)k + TCSI_REACH_MIN);
}

double tcsi_density_ratio(double own_density, const uint32_t *rows, size_t k, const double *densities)
{
    double sum = 0;
    for (size_t j = 0; j < k; j++) sum += densities[rows[j]] / own_density;
    return sum / (double)k;
}

/* ---- saved form and sizes ---- */

static bool all_ok(const double *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!(fabs(values[i]) <= TCS_VALUE_MAX)) return false;
    return true;
}

static void load(tcsi_neighbours **index, size_t row_count, size_t channel_count, tcsi_codec *codec)
{
    size_t count = 0;
    double *values = NULL;
    if (row_count == 0 || !tcsi_multiply(row_count, channel_count, &count)) tcsi_codec_refuse(codec, "an index without rows");
    tcsi_persist_f64s(codec, &values, count);
    if (tcsi_codec_status(codec) == TCS_OK && !all_ok(values, count)) tcsi_codec_refuse(codec, "a value out of range");
    if (tcsi_codec_status(codec) == TCS_OK) codec->status = tcsi_neighbours_create(values, row_count, channel_count, index, codec->err);
    tcsi_free(values);
}

void tcsi_neighbours_persist(tcsi_neighbours **index, size_t channel_count, tcsi_codec *codec)
{
    size_t row_count = *index ? (*index)->row_count : 0;
    tcsi_codec_size(codec, &row_count, TCSI_NEIGHBOURS_ROW_COUNT_MAX);
    if (tcsi_codec_status(codec) != TCS_OK) return;
    if (tcsi_codec_loading(codec)) {
        load(index, row_count, channel_count, codec);
        return;
    }
    for (size_t i = 0; i < row_count; i++)
        tcsi_codec_f64s(codec, (*index)->values + (*index)->place[i] * channel_count, channel_count);
}

size_t tcsi_neighbours_size_max(size_t row_count, size_t channel_count)
{
    size_t rows = tcsi_size_sum(row_count, TCSI_LEAF), cells = tcsi_size_product(rows, channel_count);
    size_t values = tcsi_size_sum(tcsi_size_product(cells, 12), tcsi_size_product(channel_count, 8));
    size_t boxes = tcsi_size_product(tcsi_size_product(rows / TCSI_LEAF + 1, channel_count), 4 * sizeof(double));
    return tcsi_size_sum(tcsi_size_sum(values, boxes), tcsi_size_sum(tcsi_size_product(rows, 24), 512));
}

size_t tcsi_neighbours_search_size(size_t channel_count, size_t k, size_t thread_count)
{
    size_t query_size = tcsi_size_sum(tcsi_size_product(channel_count, sizeof(float)),
                                      tcsi_query_room(k) * (sizeof(tcsi_candidate) + sizeof(float) + sizeof(uint32_t)));
    return tcsi_size_product(thread_count * TCSI_LEAF, query_size);
}
