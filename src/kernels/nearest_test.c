/* kernels/nearest_test.c -- every tier against the definition; what must have the same bits on every tier, against plain C.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/nearest.h"

#include "base/rng.h"
#include "test.h"

enum { CHANNELS_MAX = 67, LIST = TCSI_LEAF + TCSI_LEAF_SPARE };

static const size_t channel_counts[] = { 1, 2, 3, 7, 8, 20, CHANNELS_MAX };
static const uint32_t point_counts[] = { 1, 15, 16, 17, 40, 63, TCSI_LEAF };

/* Calls check once per tier that this machine has. */
static void on_every_tier(void (*check)(const tcsi_nearest_ops *ops, const char *name))
{
    for (int isa = 0; isa < TCSI_ISA_COUNT; isa++)
        if (tcsi_isa_supported((tcsi_isa)isa)) check(tcsi_nearest_ops_for((tcsi_isa)isa), tcsi_isa_name((tcsi_isa)isa));
}

/* ---- scans ---- */

typedef struct scene {
    size_t channel_count;
    float points[CHANNELS_MAX * TCSI_LEAF], halves[TCSI_LEAF];
    float queries[4][CHANNELS_MAX], squares[4];
    tcsi_leaf leaf;
} scene;

static void make_scene(size_t channel_count, uint32_t point_count, scene *ret_scene)
{
    tcsi_rng rng = tcsi_rng_make(3, channel_count * 100 + point_count);
    memset(ret_scene, 0, sizeof *ret_scene);
    ret_scene->channel_count = channel_count;
    for (size_t j = 0; j < TCSI_LEAF; j++) {
        double square = 0;
        for (size_t c = 0; c < channel_count; c++) {
            float value = (float)tcsi_rng_normal(&rng);
            ret_scene->points[c * TCSI_LEAF + j] = value;
            square += (double)value * (double)value;
        }
        ret_scene->halves[j] = (float)(0.5 * square);
    }
    for (size_t i = 0; i < 4; i++) {
        double square = 0;
        for (size_t c = 0; c < channel_count; c++) { /* the first query is one of the points */
            float value = i == 0 ? ret_scene->points[c * TCSI_LEAF] : (float)tcsi_rng_normal(&rng);
            ret_scene->queries[i][c] = value;
            square += (double)value * (double)value;
        }
        ret_scene->squares[i] = (float)square;
    }
    ret_scene->leaf = (tcsi_leaf){ .points = ret_scene->points, .halves = ret_scene->halves, .first = 640, .count = point_count };
}

static double distance_of(const scene *s, size_t query, size_t point)
{
    double sum = 0;
    for (size_t c = 0; c < s->channel_count; c++) {
        double difference = (double)s->points[c * TCSI_LEAF + point] - (double)s->queries[query][c];
        sum += difference * difference;
    }
    return sum;
}

/* Everything clearly within limit is there once, in order, with its distance; nothing clearly beyond is. */
static void check_list(const char *name, const scene *s, size_t query, float limit, tcsi_near_list list, size_t count)
{
    double tolerance = 1e-6 * (double)(s->channel_count + 4) * (double)(s->channel_count + 4); /* of values of order 1 */
    size_t at = 0;
    for (uint32_t j = 0; j < s->leaf.count; j++) {
        double distance = distance_of(s, query, j);
        bool found = at < count && list.at[at] == s->leaf.first + j;
        if (found != (distance <= (double)limit) && fabs(distance - (double)limit) > tolerance)
            fail_msg("%s, %zu channels, query %zu, point %u of %u: distance %g, limit %g, %sfound", name, s->channel_count, query, j,
                     s->leaf.count, distance, (double)limit, found ? "" : "not ");
        if (found) assert_near(distance, (double)list.near[at], tolerance);
        if (found) assert_true(list.near[at] >= 0);
        at += found;
    }
    assert_int_equal(at, count);
}

static void check_scans(const tcsi_nearest_ops *ops, const char *name)
{
    static scene s;
    for (size_t i = 0; i < TCS_COUNT(channel_counts); i++)
        for (size_t j = 0; j < TCS_COUNT(point_counts); j++) {
            make_scene(channel_counts[i], point_counts[j], &s);
            const float mean = 2 * (float)channel_counts[i], limits[4] = { 0.8f * mean, 0.5f * mean, INFINITY, 0 };
            float near[4][LIST];
            uint32_t at[4][LIST];
            size_t found[4];
            tcsi_near_list lists[4];
            for (size_t q = 0; q < 4; q++) {
                lists[q] = (tcsi_near_list){ near[q], at[q] };
                found[q] = ops->scan(s.queries[q], &s.leaf, s.channel_count, limits[q], lists[q]);
                check_list(name, &s, q, limits[q], lists[q], found[q]);
            }
            assert_true(found[0] >= 1 && near[0][0] == 0); /* itself */
            assert_int_equal(s.leaf.count, found[2]);
            const float *queries[4] = { s.queries[0], s.queries[1], s.queries[2], s.queries[3] };
            ops->scan_four(queries, s.squares, &s.leaf, s.channel_count, limits, lists, found);
            for (size_t q = 0; q < 4; q++) check_list(name, &s, q, limits[q], lists[q], found[q]);
            assert_int_equal(s.leaf.count, found[2]);
        }
}

static void test_scans(void **state)
{
    (void)state;
    on_every_tier(check_scans);
}

/* ---- lists ---- */

static void check_lists(const tcsi_nearest_ops *ops, const char *name)
{
    (void)name;
    enum { COUNT_MAX = 300 };
    float near[COUNT_MAX + TCSI_LEAF_SPARE] = { 0 }, given[COUNT_MAX];
    uint32_t at[COUNT_MAX + TCSI_LEAF_SPARE] = { 0 };
    tcsi_rng rng = tcsi_rng_make(5, 0);
    for (size_t count = 1; count <= COUNT_MAX; count += count < 40 ? 1 : 37) {
        for (size_t i = 0; i < count; i++) near[i] = given[i] = (float)tcsi_rng_below(&rng, 50) * (count % 2 ? 0.25f : 1e-30f);
        for (size_t k = 1; k <= count; k += 1 + k / 3) {
            float border = ops->border(near, count, k);
            size_t within = 0, below = 0;
            for (size_t i = 0; i < count; i++) {
                within += given[i] <= border;
                below += given[i] < border;
            }
            assert_true(within >= k && (within <= k + k / 8 || below < k));
            assert_true(border == tcsi_nearest_ops_for(TCSI_ISA_PORTABLE)->border(given, count, k));
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
    static scene s;
    double a[CHANNELS_MAX], b[CHANNELS_MAX];
    tcsi_rng rng = tcsi_rng_make(6, 0);
    for (size_t count = 1; count <= CHANNELS_MAX; count++) {
        double sum = 0, sums[8] = { 0 };
        for (size_t c = 0; c < count; c++) {
            a[c] = tcsi_rng_normal(&rng);
            b[c] = tcsi_rng_normal(&rng);
            double square = (a[c] - b[c]) * (a[c] - b[c]);
            if (c < count / 8 * 8) sums[c % 8] += square;
            else sum += square;
        }
        for (size_t j = 0; j < 8; j++) sum += sums[j];
        assert_true(sum == ops->distance2(a, b, count));

        make_scene(count, TCSI_LEAF, &s);
        float box[2 * CHANNELS_MAX], squares[TCSI_LEAF];
        for (size_t c = 0; c < count; c++) {
            box[c] = -0.5f;
            box[count + c] = 0.25f;
        }
        ops->box_distances(s.points, box, count, squares);
        for (size_t j = 0; j < TCSI_LEAF; j++) {
            float expected = 0;
            for (size_t c = 0; c < count; c++) {
                float value = s.points[c * TCSI_LEAF + j], gap = value < -0.5f ? -0.5f - value : value > 0.25f ? value - 0.25f : 0;
                expected += gap * gap;
            }
            assert_true(expected == squares[j]);
        }
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

TCS_TEST_MAIN(cmocka_unit_test(test_scans), cmocka_unit_test(test_lists), cmocka_unit_test(test_bits), cmocka_unit_test(test_rank))
