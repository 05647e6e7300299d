/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/tabular/neighbours.h"

#include "detect/tabular/tabular_test.h"
#include "kernels/isa.h"

/* The definition, pair by pair: the k smallest (distance, row) of one query. */
static void nearest_by_hand(const double *rows, size_t row_count, const double *query, size_t channel_count, size_t self, size_t k,
                            double *ret_distances, uint32_t *ret_rows)
{
    size_t found = 0;
    for (size_t i = 0; i < row_count; i++) {
        double sum = 0;
        if (i == self) continue;
        for (size_t c = 0; c < channel_count; c++) {
            double difference = rows[i * channel_count + c] - query[c];
            sum += difference * difference;
        }
        double distance = sqrt(sum);
        size_t at = found < k ? found++ : k;
        for (; at > 0 && ret_distances[at - 1] > distance; at--) {
            if (at == k) continue;
            ret_distances[at] = ret_distances[at - 1];
            ret_rows[at] = ret_rows[at - 1];
        }
        if (at == k) continue;
        ret_distances[at] = distance;
        ret_rows[at] = (uint32_t)i;
    }
    assert_int_equal(k, found);
}

typedef enum shape {
    SHAPE_NORMAL, SHAPE_RELATED, SHAPE_CLUSTERS, SHAPE_GRID, SHAPE_CONSTANT, SHAPE_OFFSET, SHAPE_OUTLIER, SHAPE_FAR, SHAPE_HUGE, SHAPE_TINY,
    SHAPE_SPECK, SHAPE_COUNT
} shape;

static double draw(shape s, size_t row, tcsi_rng *rng)
{
    double noise = tcsi_rng_normal(rng);
    switch (s) {
    case SHAPE_CLUSTERS: return (double)(row % 3) * 1e4 + noise; /* distances within are tiny against those between */
    case SHAPE_GRID: return (double)tcsi_rng_below(rng, 4); /* ties and duplicates */
    case SHAPE_CONSTANT: return 7;
    case SHAPE_OFFSET: return 1e9 + noise;
    case SHAPE_OUTLIER: return row == 5 ? 1e12 * noise : noise;
    case SHAPE_FAR: return row % 9 == 0 ? 1e3 * noise : noise; /* beyond the ball, queries too */
    case SHAPE_HUGE: return 1e149 * noise;
    case SHAPE_TINY: return 1e-130 * noise;
    case SHAPE_SPECK: return row % 3 ? noise : 1e-22 * noise; /* squares within are no floats */
    default: return noise;
    }
}

/* (R,C).  RELATED: channels of falling spread, mixed, so that few axes hold most of the variance. */
static void draw_rows(shape s, size_t row_count, size_t channel_count, size_t first, tcsi_rng *rng, double *ret_rows)
{
    for (size_t i = 0; i < row_count; i++) {
        double *row = ret_rows + i * channel_count;
        for (size_t c = 0; c < channel_count; c++) row[c] = draw(s, first + i, rng) * (s == SHAPE_RELATED ? pow(0.7, (double)c) : 1);
        for (size_t c = 1; c < channel_count && s == SHAPE_RELATED; c++) row[c] += row[c - 1];
    }
}

static void check_against_definition(shape s, size_t row_count, size_t query_count, size_t channel_count, size_t k)
{
    tcsi_rng rng = tcsi_rng_make(7, (uint64_t)s * 1000 + channel_count);
    double *rows = TCSI_NEW_ARRAY(double, row_count * channel_count), *queries = TCSI_NEW_ARRAY(double, query_count * channel_count);
    double *distances = TCSI_NEW_ARRAY(double, (row_count + query_count) * k), *expected = TCSI_NEW_ARRAY(double, k);
    uint32_t *found = TCSI_NEW_ARRAY(uint32_t, (row_count + query_count) * k), *expected_rows = TCSI_NEW_ARRAY(uint32_t, k);
    tcsi_neighbours *index;
    draw_rows(s, row_count, channel_count, 0, &rng, rows);
    draw_rows(s, query_count, channel_count, 1, &rng, queries);
    assert_ok(tcsi_neighbours_create(rows, row_count, channel_count, k, &index, test_err));
    assert_ok(tcsi_neighbours_search_own(index, k, TCSI_NEAREST_EXACT, NULL, distances, found, test_err));
    assert_ok(tcsi_neighbours_search(index, queries, query_count, k, TCSI_NEAREST_EXACT, NULL, distances + row_count * k,
                                     found + row_count * k, test_err));
    for (size_t i = 0; i < row_count + query_count; i++) {
        bool own = i < row_count;
        const double *query = own ? rows + i * channel_count : queries + (i - row_count) * channel_count;
        nearest_by_hand(rows, row_count, query, channel_count, own ? i : SIZE_MAX, k, expected, expected_rows);
        for (size_t j = 0; j < k; j++) {
            if (fabs(expected[j] - distances[i * k + j]) > 1e-12 * expected[j])
                fail_msg("shape %d, %zu channels, query %zu, neighbour %zu: %.17g, expected %.17g", s, channel_count, i, j,
                         distances[i * k + j], expected[j]);
            /* Equal up to the order of summation: only exact ties leave the row number to compare. */
            if (s == SHAPE_GRID || s == SHAPE_CONSTANT) assert_int_equal(expected_rows[j], found[i * k + j]);
        }
    }
    tcsi_neighbours_destroy(index);
    tcsi_free(rows);
    tcsi_free(queries);
    tcsi_free(distances);
    tcsi_free(found);
    tcsi_free(expected);
    tcsi_free(expected_rows);
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* One query's loose list: k rows, each once and not itself, as far as they are said to be, and the j-th about as far as the j-th. */
static void check_loose(const double *query, const double *rows, size_t channel_count, size_t self, size_t k, const double *exact,
                        const double *loose, const uint32_t *found)
{
    double sorted[300], error = TCSI_NEAREST_LOOSE_ERROR * exact[k - 1];
    for (size_t j = 0; j < k; j++) {
        double square = 0;
        for (size_t c = 0; c < channel_count; c++) square += pow(query[c] - rows[found[j] * channel_count + c], 2);
        assert_true(found[j] != self && fabs(sqrt(square) - loose[j]) <= error + 1e-150);
        for (size_t i = 0; i < j; i++) assert_true(found[i] != found[j]);
        sorted[j] = loose[j];
    }
    qsort(sorted, k, sizeof *sorted, compare_doubles);
    for (size_t j = 0; j < k; j++)
        if (fabs(sorted[j] - exact[j]) > error + 1e-150)
            fail_msg("%zu channels, neighbour %zu of %zu: %.17g, expected %.17g", channel_count, j, k, sorted[j], exact[j]);
}

/* query_factor: how much farther out the queries are. */
static void check_loose_searches(shape s, size_t row_count, size_t query_count, size_t channel_count, size_t k, double query_factor)
{
    tcsi_rng rng = tcsi_rng_make(8, (uint64_t)s * 1000 + channel_count);
    size_t all = row_count + query_count;
    double *rows = TCSI_NEW_ARRAY(double, all * channel_count), *queries = rows + row_count * channel_count;
    double *exact = TCSI_NEW_ARRAY(double, all * k), *loose = TCSI_NEW_ARRAY(double, all * k);
    uint32_t *found = TCSI_NEW_ARRAY(uint32_t, all * k);
    size_t own = row_count * k;
    tcsi_neighbours *index;
    draw_rows(s, row_count, channel_count, 0, &rng, rows);
    draw_rows(s, query_count, channel_count, 1, &rng, queries);
    for (size_t i = 0; i < query_count * channel_count; i++) queries[i] *= query_factor;
    assert_ok(tcsi_neighbours_create(rows, row_count, channel_count, k, &index, test_err));
    assert_ok(tcsi_neighbours_search_own(index, k, TCSI_NEAREST_EXACT, NULL, exact, found, test_err));
    assert_ok(tcsi_neighbours_search(index, queries, query_count, k, TCSI_NEAREST_EXACT, NULL, exact + own, found + own, test_err));
    assert_ok(tcsi_neighbours_search_own(index, k, TCSI_NEAREST_LOOSE, NULL, loose, found, test_err));
    assert_ok(tcsi_neighbours_search(index, queries, query_count, k, TCSI_NEAREST_LOOSE, NULL, loose + own, found + own, test_err));
    for (size_t i = 0; i < all; i++)
        check_loose(rows + i * channel_count, rows, channel_count, i < row_count ? i : SIZE_MAX, k, exact + i * k, loose + i * k,
                    found + i * k);
    tcsi_neighbours_destroy(index);
    tcsi_free(rows);
    tcsi_free(exact);
    tcsi_free(loose);
    tcsi_free(found);
}

static void test_loose_is_near_enough(void **state)
{
    (void)state;
    static const size_t channels[] = { 1, 2, 3, 8, 20, 67 };
    for (shape s = 0; s < SHAPE_COUNT; s++)
        for (size_t i = 0; i < TCS_COUNT(channels); i++) {
            check_loose_searches(s, 500, 130, channels[i], 6, 1);
            check_loose_searches(s, 500, 70, channels[i], 110, 1);
        }
    check_loose_searches(SHAPE_TINY, 300, 70, 5, 10, 1e130); /* farther out than floats can say beside the rows */
    check_loose_searches(SHAPE_CONSTANT, 300, 70, 2, 3, 1e30);
    check_loose_searches(SHAPE_RELATED, 3000, 70, 30, 5, 1e30);
    check_loose_searches(SHAPE_OFFSET, 300, 70, 5, 299, 1);
    check_loose_searches(SHAPE_NORMAL, 100, 10, 700, 5, 1); /* so many channels that rounding adds up */
    check_loose_searches(SHAPE_GRID, 2, 3, 2, 1, 1);
}

static void test_equals_the_definition(void **state)
{
    (void)state;
    static const size_t channels[] = { 1, 2, 3, 7, 8, 20, 67 };
    for (shape s = 0; s < SHAPE_COUNT; s++)
        for (size_t i = 0; i < TCS_COUNT(channels); i++) check_against_definition(s, 700, 130, channels[i], 9);
    for (shape s = 0; s < SHAPE_COUNT; s++) check_against_definition(s, 500, 70, 12, 150);
    check_against_definition(SHAPE_RELATED, 3000, 200, 50, 21);
    for (shape s = 0; s < SHAPE_COUNT; s++) check_against_definition(s, 64, 130, 20, 9); /* the most rows without a tree */
    check_against_definition(SHAPE_NORMAL, 65, 1, 2, 64);
    check_against_definition(SHAPE_NORMAL, 64, 64, 5, 1);
    check_against_definition(SHAPE_RELATED, 64, 10, 3000, 63);
    check_against_definition(SHAPE_NORMAL, 65, 10, 3000, 9);
    check_against_definition(SHAPE_GRID, 2, 3, 2, 1);
}

/* ---- tiers ---- */

/* A sum over the bits of all distances and rows of one search. */
static uint64_t fingerprint(shape s, size_t row_count, size_t channel_count, size_t k)
{
    tcsi_rng rng = tcsi_rng_make(9, (uint64_t)s * 1000 + channel_count);
    double *rows = TCSI_NEW_ARRAY(double, row_count * channel_count), *distances = TCSI_NEW_ARRAY(double, row_count * k);
    uint32_t *found = TCSI_NEW_ARRAY(uint32_t, row_count * k);
    tcsi_neighbours *index;
    uint64_t sum = 0, bits;
    draw_rows(s, row_count, channel_count, 0, &rng, rows);
    assert_ok(tcsi_neighbours_create(rows, row_count, channel_count, k, &index, test_err));
    assert_ok(tcsi_neighbours_search_own(index, k, TCSI_NEAREST_EXACT, NULL, distances, found, test_err));
    for (size_t i = 0; i < row_count * k; i++) {
        memcpy(&bits, &distances[i], sizeof bits);
        sum = (sum ^ bits ^ ((uint64_t)found[i] << 32)) * 0x9e3779b97f4a7c15u;
    }
    tcsi_neighbours_destroy(index);
    tcsi_free(rows);
    tcsi_free(distances);
    tcsi_free(found);
    return sum;
}

/* In a process of its own, because a process chooses its tier once. */
static uint64_t fingerprint_on(tcsi_isa isa, shape s, size_t channel_count)
{
    uint64_t sum = 0;
    int ends[2];
    assert_int_equal(0, pipe(ends));
    fflush(stdout);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        setenv("TOCSIN_ISA", tcsi_isa_name(isa), 1);
        sum = fingerprint(s, 600, channel_count, 7);
        _exit(tcsi_isa_current() == isa && write(ends[1], &sum, sizeof sum) == (ssize_t)sizeof sum ? 0 : 1);
    }
    int status = 1;
    assert_int_equal(child, waitpid(child, &status, 0));
    assert_int_equal(0, status);
    assert_int_equal(sizeof sum, read(ends[0], &sum, sizeof sum));
    close(ends[0]);
    close(ends[1]);
    return sum;
}

/* Comes first: the parent must not have chosen yet. */
static void test_tiers_agree_to_the_bit(void **state)
{
    (void)state;
    static const size_t channels[] = { 1, 3, 10, 20, 50 };
    for (shape s = 0; s < SHAPE_COUNT; s++)
        for (size_t i = 0; i < TCS_COUNT(channels); i++) {
            uint64_t expected = fingerprint_on(TCSI_ISA_PORTABLE, s, channels[i]);
            for (int isa = 1; isa < TCSI_ISA_COUNT; isa++)
                if (tcsi_isa_supported((tcsi_isa)isa)) assert_true(expected == fingerprint_on((tcsi_isa)isa, s, channels[i]));
        }
}

TCS_TEST_MAIN(cmocka_unit_test(test_tiers_agree_to_the_bit), cmocka_unit_test(test_equals_the_definition),
              cmocka_unit_test(test_loose_is_near_enough))
