/* kernels/nearest_test.c -- every tier against the definition; what must have the same bits on every tier, against plain C.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/nearest_tier.h"

#include "base/rng.h"
#include "test.h"

enum { CHANNELS_MAX = 67, ROW_MAX = 80, ROOM = TCSI_BLOCK + TCSI_LIST_SPARE };

static const size_t channel_counts[] = { 1, 2, 3, 7, 8, 20, CHANNELS_MAX };
static const uint32_t point_counts[] = { 1, 15, 16, 17, 40, 63, TCSI_BLOCK };

/* Calls check once per tier that this machine has. */
static void on_every_tier(void (*check)(const tcsi_nearest_ops *ops, const char *name))
{
    for (int isa = 0; isa < TCSI_ISA_COUNT; isa++)
        if (tcsi_isa_supported((tcsi_isa)isa)) check(tcsi_nearest_ops_for((tcsi_isa)isa), tcsi_isa_name((tcsi_isa)isa));
#if defined(__x86_64__)
    if (tcsi_isa_supported(TCSI_ISA_AVX512)) check(&tcsi_nearest_ops_avx512, "avx512 without VNNI");
#endif
}

/* ---- scans ---- */

/* A block of points and one of queries, of which the first is one of the points.  With rows, the leading axes are the first
 * half of the channels. */
typedef struct scene {
    size_t channel_count;
    double grain;
    float points[2][CHANNELS_MAX * TCSI_BLOCK], rows[2][TCSI_BLOCK * ROW_MAX]; /* of the points, and of the queries */
    int16_t grains[2][(CHANNELS_MAX + 1) * TCSI_BLOCK];
    int32_t halves[2][TCSI_BLOCK];
    float near[TCSI_BLOCK * ROOM];
    uint32_t at[TCSI_BLOCK * ROOM];
    tcsi_block block;
    tcsi_seekers seekers;
} scene;

static void fill_side(scene *s, size_t side, tcsi_rng *rng)
{
    size_t leads = s->seekers.lead_count, row_size = s->seekers.row_size;
    for (size_t j = 0; j < TCSI_BLOCK; j++) {
        int32_t norm = 0;
        for (size_t c = 0; c < s->channel_count; c++) {
            float value = side == 1 && j == 0 ? s->rows[0][c] : (float)tcsi_rng_normal(rng);
            s->rows[side][j * ROW_MAX + c] = value;
            if (c >= leads) continue;
            s->points[side][c * TCSI_BLOCK + j] = value;
            int32_t number = (int32_t)lrint((double)value * s->grain);
            s->grains[side][(c / 2 * TCSI_BLOCK + j) * 2 + c % 2] = (int16_t)number;
            norm += number * number;
        }
        s->halves[side][j] = norm / 2;
    }
    for (size_t j = 0; j < TCSI_BLOCK; j++) memmove(s->rows[side] + j * row_size, s->rows[side] + j * ROW_MAX, row_size * sizeof(float));
}

static tcsi_block block_of(const scene *s, size_t side, uint32_t count)
{
    return (tcsi_block){ .points = s->points[side], .grains = s->grains[side], .halves = s->halves[side], .rows = s->rows[side],
                         .first = 640, .count = count };
}

static void make_scene(size_t channel_count, uint32_t point_count, bool with_rows, scene *s)
{
    tcsi_rng rng = tcsi_rng_make(3, channel_count * 1000 + point_count * 2 + with_rows);
    memset(s, 0, sizeof *s);
    s->channel_count = channel_count;
    s->grain = TCSI_GRAIN_MAX / (5 * sqrt((double)channel_count) + 5);
    s->seekers.lead_count = with_rows ? (channel_count + 1) / 2 : channel_count;
    s->seekers.row_size = with_rows ? (channel_count + TCSI_ROW_STEP - 1) / TCSI_ROW_STEP * TCSI_ROW_STEP : 0;
    fill_side(s, 0, &rng);
    fill_side(s, 1, &rng);
    s->block = block_of(s, 0, point_count);
    s->seekers.block = block_of(s, 1, TCSI_BLOCK);
    s->seekers.near = s->near;
    s->seekers.at = s->at;
    s->seekers.room = ROOM;
}

/* Squared, along the first axis_count channels: points of two sides, from their columns or rows. */
static double distance_of(const scene *s, size_t query, size_t point, bool leads_only)
{
    double sum = 0;
    size_t row_size = s->seekers.row_size, leads = s->seekers.lead_count;
    for (size_t c = 0; c < (leads_only || row_size == 0 ? leads : s->channel_count); c++) {
        bool lead = row_size == 0 || leads_only;
        double a = (double)(lead ? s->points[0][c * TCSI_BLOCK + point] : s->rows[0][point * row_size + c]);
        double b = (double)(lead ? s->points[1][c * TCSI_BLOCK + query] : s->rows[1][query * row_size + c]);
        sum += (a - b) * (a - b);
    }
    return sum;
}

/* What rounding may add to or take from a squared distance of values of order 1. */
static double tolerance_of(const scene *s)
{
    return 1e-6 * (double)(s->channel_count + 4) * (double)(s->channel_count + 4);
}

static void set_limits(scene *s, const double *squares)
{
    for (size_t i = 0; i < TCSI_BLOCK; i++) {
        double grains = sqrt(squares[i]) * s->grain + 1.01 * sqrt((double)s->seekers.lead_count);
        double value = 0.5 * grains * grains - s->halves[1][i] + 2;
        s->seekers.limits[i] = (float)(squares[i] + tolerance_of(s));
        s->seekers.reaches[i] = value < INT32_MAX ? (int32_t)value : INT32_MAX;
        s->seekers.counts[i] = 0;
        s->seekers.marks[i] = 3;
    }
}

/* Everything within is listed once, in order, with its distance; nothing clearly beyond is. */
static void check_list(const char *name, const scene *s, size_t query, double square, bool chosen)
{
    size_t at = 0, count = s->seekers.counts[query];
    for (uint32_t j = 0; j < s->block.count; j++) {
        double distance = distance_of(s, query, j, false);
        bool found = at < count && s->at[query * ROOM + at] == s->block.first + j, within = chosen && distance <= square;
        if ((within && !found) || (found && (!chosen || distance > square + 2 * tolerance_of(s))))
            fail_msg("%s, %zu channels, query %zu, point %u of %u: distance %g, limit %g, %sfound", name, s->channel_count, query, j,
                     s->block.count, distance, square, found ? "" : "not ");
        if (found) assert_near(distance, (double)s->near[query * ROOM + at], tolerance_of(s));
        if (found) assert_true(s->near[query * ROOM + at] >= 0);
        at += found;
    }
    assert_int_equal(at, count);
}

/* Half of the queries in the product form, all but every fifth chosen, so that groups of four come in all sizes. */
static void check_scan(const tcsi_nearest_ops *ops, const char *name, scene *s)
{
    uint64_t chosen = 0;
    double squares[TCSI_BLOCK];
    for (size_t i = 0; i < TCSI_BLOCK; i++) {
        squares[i] = i % 7 == 3 ? INFINITY : (double)(i % 7) * 0.3 * (double)s->channel_count;
        chosen |= (uint64_t)(i % 5 != 4 && i < 60 - s->block.count % 5) << i;
    }
    set_limits(s, squares);
    s->seekers.product = s->seekers.row_size > 0 ? 0x00ffffff00ffff0fu : 0;
    uint64_t told = ops->scan(&s->seekers, chosen, &s->block);
    for (size_t i = 0; i < TCSI_BLOCK; i++) {
        check_list(name, s, i, squares[i], chosen >> i & 1);
        assert_int_equal(s->seekers.counts[i] >= 3, told >> i & 1);
    }
    assert_true(s->seekers.counts[0] >= 1 && s->near[0] <= (float)tolerance_of(s)); /* itself, within 0 */
    assert_int_equal(s->block.count, s->seekers.counts[3]);
}

static void check_nearest(const tcsi_nearest_ops *ops, const char *name, const scene *s)
{
    float found[TCSI_BLOCK];
    for (size_t k = 1; k <= TCSI_SEED_MAX && k <= s->block.count; k++) {
        ops->nearest(&s->seekers, &s->block, k, found);
        for (size_t i = 0; i < TCSI_BLOCK; i++) {
            size_t less = 0, within = 0;
            for (size_t j = 0; j < s->block.count; j++) {
                double square = distance_of(s, i, j, true);
                less += square < (double)found[i] - tolerance_of(s);
                within += square <= (double)found[i] + tolerance_of(s);
            }
            if (less >= k || within < k)
                fail_msg("%s, query %zu, nearest %zu: %g, %zu less, %zu within", name, i, k, (double)found[i], less, within);
        }
    }
}

static void check_boxes(const tcsi_nearest_ops *ops, const char *name, scene *s)
{
    float low[CHANNELS_MAX], high[CHANNELS_MAX];
    size_t leads = s->seekers.lead_count;
    for (size_t c = 0; c < leads; c++) {
        low[c] = -0.5f;
        high[c] = 0.25f;
    }
    for (size_t j = 0; j < TCSI_BLOCK; j++) s->seekers.limits[j] = j == 7 ? -1 : (float)j / 50 * (float)leads;
    uint64_t near = ops->near_box(&s->seekers, low, high, leads);
    for (size_t j = 0; j < TCSI_BLOCK; j++) {
        double square = 0, limit = (double)s->seekers.limits[j];
        for (size_t c = 0; c < leads; c++) {
            double value = (double)s->points[1][c * TCSI_BLOCK + j], gap = value < -0.5 ? -0.5 - value : value > 0.25 ? value - 0.25 : 0;
            square += gap * gap;
        }
        bool expected = square <= limit, clear = fabs(square - limit) > tolerance_of(s);
        if (clear && expected != (near >> j & 1)) fail_msg("%s, %zu axes, query %zu: %g, limit %g", name, leads, j, square, limit);
    }
}

static void check_scenes(const tcsi_nearest_ops *ops, const char *name)
{
    static scene s;
    for (size_t i = 0; i < TCS_COUNT(channel_counts); i++)
        for (size_t j = 0; j < TCS_COUNT(point_counts); j++) {
            make_scene(channel_counts[i], point_counts[j], true, &s);
            check_scan(ops, name, &s);
            make_scene(channel_counts[i], point_counts[j], false, &s);
            check_scan(ops, name, &s);
            check_nearest(ops, name, &s);
            check_boxes(ops, name, &s);
        }
}

static void test_scenes(void **state)
{
    (void)state;
    on_every_tier(check_scenes);
}

static void check_rotation(const tcsi_nearest_ops *ops, const char *name)
{
    (void)name;
    enum { SIZE = 60 };
    static double matrix[SIZE * SIZE];
    double vector[SIZE], products[SIZE];
    tcsi_rng rng = tcsi_rng_make(9, 0);
    for (size_t n = 1; n <= SIZE; n++) {
        for (size_t i = 0; i < n * n; i++) matrix[i] = tcsi_rng_normal(&rng);
        for (size_t i = 0; i < n; i++) vector[i] = tcsi_rng_normal(&rng);
        size_t axes = n - n / 3;
        ops->rotate(matrix, vector, n, axes, products);
        for (size_t a = 0; a < axes; a++) {
            double sum = 0;
            for (size_t c = 0; c < n; c++) sum += matrix[c * axes + a] * vector[c];
            assert_near(sum, products[a], 1e-12);
        }
    }
}

static void test_rotation(void **state)
{
    (void)state;
    on_every_tier(check_rotation);
}

/* ---- lists ---- */

static void check_lists(const tcsi_nearest_ops *ops, const char *name)
{
    (void)name;
    enum { COUNT_MAX = 300 };
    float near[COUNT_MAX + TCSI_LIST_SPARE] = { 0 }, given[COUNT_MAX];
    uint32_t at[COUNT_MAX + TCSI_LIST_SPARE] = { 0 };
    tcsi_rng rng = tcsi_rng_make(5, 0);
    for (size_t count = 1; count <= COUNT_MAX; count += count < 40 ? 1 : 37) {
        for (size_t i = 0; i < count; i++) near[i] = given[i] = (float)tcsi_rng_below(&rng, 50) * (count % 2 ? 0.25f : 1e-30f);
        for (size_t k = 1; k <= count; k += 1 + k / 3) {
            size_t slack = k % 3 == 0 ? 0 : k / 8 + 1;
            float border = ops->border(near, count, k, slack);
            size_t within = 0, below = 0;
            for (size_t i = 0; i < count; i++) {
                within += given[i] <= border;
                below += given[i] < border;
            }
            assert_true(within >= k && (within <= k + slack || below < k));
            assert_true(border == tcsi_nearest_ops_for(TCSI_ISA_PORTABLE)->border(given, count, k, slack));
        }
        for (size_t i = 0; i < count; i++) at[i] = (uint32_t)i;
        float limit = given[count / 2];
        size_t kept = ops->keep_within((tcsi_near_list){ near, at }, count, limit), expected = 0;
        for (uint32_t i = 0; i < count; i++) {
            if (given[i] > limit) continue;
            assert_true(expected < kept && at[expected] == i && near[expected] == given[i]);
            expected++;
        }
        assert_int_equal(expected, kept);
    }
}

static void test_lists(void **state)
{
    (void)state;
    on_every_tier(check_lists);
}

/* ---- what has the same bits everywhere ---- */

static void check_bits(const tcsi_nearest_ops *ops, const char *name)
{
    (void)name;
    double a[CHANNELS_MAX], rows[2 * CHANNELS_MAX];
    tcsi_rng rng = tcsi_rng_make(6, 0);
    for (size_t count = 1; count <= CHANNELS_MAX; count++) {
        double sum = 0, sums[8] = { 0 }, found[2];
        for (size_t c = 0; c < count; c++) {
            a[c] = tcsi_rng_normal(&rng);
            rows[count + c] = tcsi_rng_normal(&rng);
            rows[c] = a[c];
            double square = (a[c] - rows[count + c]) * (a[c] - rows[count + c]);
            if (c < count / 8 * 8) sums[c % 8] += square;
            else sum += square;
        }
        for (size_t j = 0; j < 8; j++) sum += sums[j];
        ops->distances2(a, rows, count, (const uint32_t[]){ 1, 0 }, 2, found);
        assert_true(sum == found[0] && found[1] == 0);
    }
}

static void test_bits(void **state)
{
    (void)state;
    on_every_tier(check_bits);
}

static void check_rank(const tcsi_nearest_ops *ops, const char *name)
{
    (void)name;
    double distances[TCSI_RANKED_MAX];
    uint32_t ranks[TCSI_RANKED_MAX];
    tcsi_rng rng = tcsi_rng_make(7, 0);
    for (size_t count = 0; count <= TCSI_RANKED_MAX; count++) {
        for (size_t i = 0; i < count; i++) distances[i] = tcsi_rng_normal(&rng) * tcsi_rng_normal(&rng);
        assert_true(ops->rank(distances, count, ranks));
        for (size_t i = 0; i < count; i++) {
            uint32_t less = 0;
            for (size_t j = 0; j < count; j++) less += distances[j] < distances[i];
            assert_int_equal(less, ranks[i]);
        }
        if (count < 2) continue;
        distances[count - 1] = distances[0];
        assert_false(ops->rank(distances, count, ranks));
    }
}

static void test_rank(void **state)
{
    (void)state;
    on_every_tier(check_rank);
}

TCS_TEST_MAIN(cmocka_unit_test(test_scenes), cmocka_unit_test(test_rotation), cmocka_unit_test(test_lists), cmocka_unit_test(test_bits),
              cmocka_unit_test(test_rank))
