/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/tabular/neighbours_few.h"

#include "detect/tabular/neighbours_query.h"

enum { TASK_COST = 1 << 16 }; /* differences that are worth a task of the pool */

typedef struct few_search {
    const tcsi_neighbours *index;
    const tcsi_nearest_ops *ops;
    const double *queries; /* (Q,C); NULL: the index's own rows */
    size_t query_count, k, per_task;
    double *distances;     /* (Q,k) */
    uint32_t *rows;
} few_search;

static void search_one(const few_search *s, size_t number)
{
    const tcsi_neighbours *index = s->index;
    const double *query = (s->queries ? s->queries : index->values) + number * index->channel_count;
    double distances[TCSI_FEW_MAX];
    tcsi_candidate found[TCSI_FEW_MAX];
    size_t count = 0;
    s->ops->distances2(query, index->values, index->channel_count, index->place, index->row_count, distances);
    for (size_t row = 0; row < index->row_count; row++)
        if (s->queries || row != number) found[count++] = (tcsi_candidate){ distances[row], (uint32_t)row };
    tcsi_candidates_nearest(s->ops, found, count, s->k, s->distances + number * s->k, s->rows + number * s->k);
}

static void search_task(void *context, size_t task, size_t worker)
{
    const few_search *s = context;
    size_t begin = task * s->per_task, end = s->query_count - begin < s->per_task ? s->query_count : begin + s->per_task;
    (void)worker;
    for (size_t number = begin; number < end; number++) search_one(s, number);
}

void tcsi_few_search(const tcsi_neighbours *index, const double *queries, size_t query_count, size_t k, tcsi_pool *pool,
                     double *ret_distances, uint32_t *ret_rows)
{
    few_search s = { .index = index, .ops = tcsi_nearest_ops_for(tcsi_isa_current()), .queries = queries, .query_count = query_count,
                     .k = k, .per_task = TASK_COST / (index->row_count * index->channel_count) + 1,
                     .distances = ret_distances, .rows = ret_rows };
    tcsi_pool_run(pool, (query_count + s.per_task - 1) / s.per_task, search_task, &s);
}
