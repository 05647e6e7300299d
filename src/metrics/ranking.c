/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/ranking.h"

#include "base/alloc.h"

#include <math.h>
#include <string.h>

enum { DIGIT_BITS = 11, DIGIT_COUNT = 6, DIGIT_VALUES = 1 << DIGIT_BITS };

/* Larger key = larger score. */
static uint64_t key_of(double score)
{
    uint64_t bits;
    score = isnan(score) ? -INFINITY : score + 0.0; /* + 0.0 turns -0 into +0 */
    memcpy(&bits, &score, sizeof bits);
    return bits >> 63 ? ~bits : bits | (UINT64_C(1) << 63);
}

static double score_of(uint64_t key)
{
    uint64_t bits = key >> 63 ? key & ~(UINT64_C(1) << 63) : ~key;
    double score;
    memcpy(&score, &bits, sizeof score);
    return score;
}

typedef struct sorted {
    uint64_t *keys;
    uint32_t *rows;
} sorted;

/* One pass of the radix sort: stable, by the digit at shift, high digits first. */
static void scatter(sorted from, sorted to, size_t row_count, const uint32_t *counts, unsigned shift)
{
    uint32_t starts[DIGIT_VALUES], next = 0;
    for (size_t value = DIGIT_VALUES; value-- > 0;) {
        starts[value] = next;
        next += counts[value];
    }
    for (size_t i = 0; i < row_count; i++) {
        uint32_t position = starts[from.keys[i] >> shift & (DIGIT_VALUES - 1)]++;
        to.keys[position] = from.keys[i];
        to.rows[position] = from.rows[i];
    }
}

static void count_digits(const uint64_t *keys, size_t row_count, uint32_t (*ret_counts)[DIGIT_VALUES])
{
    for (size_t i = 0; i < row_count; i++)
        for (unsigned digit = 0; digit < DIGIT_COUNT; digit++) ret_counts[digit][keys[i] >> digit * DIGIT_BITS & (DIGIT_VALUES - 1)]++;
}

/* Sorts a, with b as the other half of the way; returns the one that holds the result. */
static sorted sort(sorted a, sorted b, size_t row_count, uint32_t (*counts)[DIGIT_VALUES])
{
    count_digits(a.keys, row_count, counts);
    for (unsigned digit = 0; digit < DIGIT_COUNT; digit++) {
        unsigned shift = digit * DIGIT_BITS;
        if (counts[digit][a.keys[0] >> shift & (DIGIT_VALUES - 1)] == row_count) continue; /* this digit is the same everywhere */
        scatter(a, b, row_count, counts[digit], shift);
        sorted swap = a;
        a = b;
        b = swap;
    }
    return a;
}

static sorted sorted_alloc(size_t row_count)
{
    return (sorted){ TCSI_NEW_ARRAY(uint64_t, row_count), TCSI_NEW_ARRAY(uint32_t, row_count) };
}

static void sorted_free(sorted block)
{
    tcsi_free(block.keys);
    tcsi_free(block.rows);
}

tcs_status tcsi_ranking_init(const double *scores, size_t row_count, tcsi_ranking *ret_ranking, tcs_error *err)
{
    if (row_count == 0) return tcsi_fail(err, TCS_E_INVALID, "no rows to measure");
    if (row_count > TCSI_RANKING_ROW_COUNT_MAX)
        return tcsi_fail(err, TCS_E_LIMIT, "%zu rows: at most %zu can be measured at once", row_count, TCSI_RANKING_ROW_COUNT_MAX);
    sorted a = sorted_alloc(row_count), b = sorted_alloc(row_count);
    uint32_t (*counts)[DIGIT_VALUES] = tcsi_alloc_zero(DIGIT_COUNT, sizeof *counts);
    tcs_status status = TCS_OK;
    if (!a.keys || !a.rows || !b.keys || !b.rows || !counts) {
        status = tcsi_fail_memory(err, "the order of the scores");
        goto end;
    }
    for (size_t i = 0; i < row_count; i++) {
        a.keys[i] = key_of(scores[i]);
        a.rows[i] = (uint32_t)i;
    }
    sorted result = sort(a, b, row_count, counts);
    if (result.keys == b.keys) b = a;
    a = (sorted){ NULL, NULL };
    *ret_ranking = (tcsi_ranking){ .row_count = row_count, .order = result.rows, .keys = result.keys };
end:
    sorted_free(a);
    sorted_free(b);
    tcsi_free(counts);
    return status;
}

void tcsi_ranking_deinit(tcsi_ranking *ranking)
{
    tcsi_free(ranking->order);
    tcsi_free(ranking->keys);
    *ranking = (tcsi_ranking){ 0 };
}

double tcsi_ranking_score(const tcsi_ranking *ranking, size_t position)
{
    return score_of(ranking->keys[position]);
}
