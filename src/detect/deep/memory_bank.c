/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/deep/memory_bank.h"

#include "base/alloc.h"
#include "kernels/gemm.h"

#include <math.h>
#include <string.h>

enum { BLOCK = 64 }; /* queries of a task */

void tcsi_descriptors_deinit(tcsi_descriptors *descriptors)
{
    tcsi_floats_deinit(&descriptors->values);
    *descriptors = (tcsi_descriptors){ 0 };
}

/* ---- the bank ---- */

tcs_status tcsi_memory_bank_init(const tcsi_descriptors *descriptors, size_t size_max, tcsi_memory_bank *ret_bank, tcs_error *err)
{
    const size_t step = (descriptors->count + size_max - 1) / size_max, size = descriptors->size;
    tcsi_memory_bank bank = { .count = descriptors->count > 0 ? (descriptors->count - 1) / step + 1 : 0, .size = size,
                              .stride = step * descriptors->stride };
    if (!tcsi_floats_init(&bank.values, bank.count * size)) return tcsi_fail_memory(err, "a memory bank");
    for (size_t b = 0; b < bank.count; b++)
        memcpy(bank.values.values + b * size, descriptors->values.values + b * step * size, size * sizeof(float));
    *ret_bank = bank;
    return TCS_OK;
}

void tcsi_memory_bank_deinit(tcsi_memory_bank *bank)
{
    tcsi_floats_deinit(&bank->values);
    *bank = (tcsi_memory_bank){ 0 };
}

/* ---- distances ---- */

static float square_of(const float *x, size_t count)
{
    float sum = 0;
    for (size_t i = 0; i < count; i++) sum += x[i] * x[i];
    return sum;
}

/* Mean of the square roots of the k smallest, passing over [closed_begin, closed_end); 0 when there are none. */
static double mean_of_smallest(const float *squares, size_t count, size_t closed_begin, size_t closed_end, size_t k)
{
    float kept[TCSI_MEMORY_BANK_NEIGHBOURS_MAX];
    size_t kept_count = 0;
    double sum = 0;
    for (size_t b = 0; b < count; b++) {
        if (kept_count == k && !(squares[b] < kept[k - 1])) continue;
        if (b >= closed_begin && b < closed_end) continue;
        size_t at = kept_count < k ? kept_count++ : k - 1;
        for (; at > 0 && kept[at - 1] > squares[b]; at--) kept[at] = kept[at - 1];
        kept[at] = squares[b];
    }
    for (size_t m = 0; m < kept_count; m++) sum += sqrt(fmax(0, (double)kept[m])) / (double)kept_count;
    return sum;
}

typedef struct search_job {
    const tcsi_memory_bank *bank;
    const tcsi_descriptors *queries;
    const tcsi_memory_search *search;
    const float *bank_squares; /* (bank count) */
    float *products;           /* (workers, BLOCK, bank count) */
    double *distances;
} search_job;

/* [ret_begin, ret_end): patches of the bank that start less than a reach from `start`. */
static void find_closed(const search_job *job, size_t start, size_t *ret_begin, size_t *ret_end)
{
    const size_t reach = job->search->reach, stride = job->bank->stride;
    *ret_begin = start + 1 > reach ? (start + 1 - reach + stride - 1) / stride : 0;
    *ret_end = reach > 0 ? (start + reach - 1) / stride + 1 : 0;
}

static void search_block(void *context, size_t task_index, size_t worker_index)
{
    const search_job *job = context;
    const size_t begin = task_index * BLOCK, left = job->queries->count - begin, count = left < BLOCK ? left : BLOCK;
    const size_t size = job->bank->size, bank_count = job->bank->count;
    float *products = job->products + worker_index * BLOCK * bank_count;
    const float *queries = job->queries->values.values + begin * size;
    tcsi_gemm_run(tcsi_isa_current(), NULL,
                  &(tcsi_gemm){ .m = count, .n = bank_count, .k = size, .a = queries, .a_stride = size, .b = job->bank->values.values,
                                .b_stride = size, .b_transposed = true, .c = products, .c_stride = bank_count });
    for (size_t q = 0; q < count; q++) {
        float *row = products + q * bank_count, square = square_of(queries + q * size, size);
        for (size_t b = 0; b < bank_count; b++) row[b] = square + job->bank_squares[b] - 2 * row[b];
        size_t closed_begin, closed_end;
        find_closed(job, (begin + q) * job->queries->stride, &closed_begin, &closed_end);
        job->distances[begin + q] = mean_of_smallest(row, bank_count, closed_begin, closed_end, job->search->neighbour_count);
    }
}

tcs_status tcsi_memory_bank_distances(const tcsi_memory_bank *bank, const tcsi_descriptors *queries, const tcsi_memory_search *search,
                                      tcsi_pool *pool, double *ret_distances, tcs_error *err)
{
    tcsi_floats squares = { 0 }, products = { 0 };
    size_t cells;
    bool fits = tcsi_multiply(bank->count * BLOCK, tcsi_pool_thread_count(pool), &cells) && tcsi_floats_init(&squares, bank->count)
             && tcsi_floats_init(&products, cells);
    tcs_status status = fits ? TCS_OK : tcsi_fail_memory(err, "distances to a memory bank");
    if (fits) {
        search_job job = { bank, queries, search, squares.values, products.values, ret_distances };
        for (size_t b = 0; b < bank->count; b++) squares.values[b] = square_of(bank->values.values + b * bank->size, bank->size);
        tcsi_pool_run(pool, (queries->count + BLOCK - 1) / BLOCK, search_block, &job);
    }
    tcsi_floats_deinit(&squares);
    tcsi_floats_deinit(&products);
    return status;
}

/* ---- sizes ---- */

size_t tcsi_memory_bank_size_max(size_t size_max, size_t descriptor_size, const tcsi_pool *pool)
{
    enum { BORDERS = 1024 }; /* of blocks of floats */
    size_t columns = tcsi_size_sum(tcsi_size_product(BLOCK, tcsi_pool_thread_count(pool)), tcsi_size_sum(descriptor_size, 1));
    return tcsi_size_sum(tcsi_size_product(tcsi_size_product(size_max, columns), sizeof(float)), BORDERS);
}
