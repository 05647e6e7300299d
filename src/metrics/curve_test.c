/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/rng.h"
#include "metrics/curve.h"

/* ---- the order ---- */

static void test_ranking_sorts_everything(void **state)
{
    (void)state;
    static const double nasty[] = { NAN, INFINITY, -INFINITY, 0.0, -0.0, 1e308, -1e308, 5e-324, -5e-324, 1.0, 1.0 + 0x1p-52, -1.0, -NAN };
    for (uint64_t seed = 0; seed < 50; seed++) {
        tcsi_rng rng = tcsi_rng_make(seed, 0);
        double scores[500];
        size_t n = 1 + tcsi_rng_below(&rng, 500);
        for (size_t i = 0; i < n; i++)
            scores[i] = tcsi_rng_below(&rng, 2) ? nasty[tcsi_rng_below(&rng, TCS_COUNT(nasty))] : tcsi_rng_normal(&rng);
        tcsi_ranking ranking;
        assert_ok(tcsi_ranking_init(scores, n, &ranking, test_err));
        bool seen[500] = { false };
        for (size_t p = 0; p < n; p++) {
            size_t row = ranking.order[p];
            double score = isnan(scores[row]) ? -INFINITY : scores[row], read = tcsi_ranking_score(&ranking, p);
            assert_false(seen[row]);
            seen[row] = true;
            assert_true(read == score);
            if (p == 0) continue;
            double last = tcsi_ranking_score(&ranking, p - 1);
            assert_true(last >= score);
            assert_int_equal(last == score, ranking.keys[p - 1] == ranking.keys[p]);
            if (last == score) assert_true(ranking.order[p - 1] < row); /* ties stay in row order */
        }
        tcsi_ranking_deinit(&ranking);
    }
    tcsi_ranking ranking;
    tcs_error err = { 0 };
    assert_int_equal(tcsi_ranking_init(NULL, 0, &ranking, &err), TCS_E_INVALID);
    assert_int_equal(tcsi_ranking_init(NULL, TCSI_RANKING_ROW_COUNT_MAX + 1, &ranking, &err), TCS_E_LIMIT);
}

/* ---- the curve ---- */

static tcsi_curve curve_of(const double *scores, const uint8_t *labels, size_t n)
{
    tcsi_ranking ranking;
    tcsi_curve curve;
    assert_ok(tcsi_ranking_init(scores, n, &ranking, test_err));
    assert_ok(tcsi_curve_init(&ranking, labels, &curve, test_err));
    tcsi_ranking_deinit(&ranking);
    return curve;
}

/* ROC: the share of pairs in the right order.  PR: precision at each hit, tied rows together. */
static void test_areas_by_pairs(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 40; seed++) {
        tcsi_rng rng = tcsi_rng_make(seed, 1);
        enum { N = 80 };
        double scores[N], pairs = 0.0, right = 0.0, precisions = 0.0, positives = 0.0;
        uint8_t labels[N];
        for (size_t i = 0; i < N; i++) {
            labels[i] = tcsi_rng_below(&rng, 5) == 0 || i == 0;
            scores[i] = seed % 2 ? (double)tcsi_rng_below(&rng, 9) : tcsi_rng_normal(&rng);
        }
        labels[1] = 0;
        for (size_t i = 0; i < N; i++) {
            if (!labels[i]) continue;
            double above = 0.0, hits = 0.0;
            for (size_t k = 0; k < N; k++) {
                above += scores[k] >= scores[i];
                hits += labels[k] && scores[k] >= scores[i];
                pairs += !labels[k];
                if (!labels[k]) right += scores[i] > scores[k] ? 1.0 : scores[i] == scores[k] ? 0.5 : 0.0;
            }
            precisions += hits / above;
            positives += 1.0;
        }
        tcsi_curve curve = curve_of(scores, labels, N);
        assert_near(right / pairs, tcsi_curve_auc_roc(&curve), 1e-14);
        assert_near(precisions / positives, tcsi_curve_auc_pr(&curve), 1e-14);
        tcsi_curve_deinit(&curve);
    }
}

static void test_best_f1(void **state)
{
    (void)state;
    double scores[] = { 4, 3, 2, 1 };
    uint8_t labels[] = { 1, 0, 0, 1 }; /* alarming 1 row: p 1, r 1/2; all 4: p 1/2, r 1: equally good */
    tcsi_curve curve = curve_of(scores, labels, 4);
    tcsi_curve_best best = tcsi_curve_best_f1(&curve);
    assert_near(1.0 / 1.50001, best.f1, 1e-14);
    assert_near(1.0, best.threshold, 0.0); /* the lowest of equally good thresholds */
    tcsi_curve_deinit(&curve);
}

static void test_precision_at_k(void **state)
{
    (void)state;
    double scores[] = { 9, 5, 5, 5, 5, 1 };
    uint8_t labels[] = { 1, 1, 0, 0, 0, 1 };
    tcsi_curve curve = curve_of(scores, labels, 6);
    assert_true(isnan(tcsi_curve_precision_at(&curve, 0)));
    assert_near(1.0, tcsi_curve_precision_at(&curve, 1), 0.0);
    assert_near((1.0 + 0.25) / 2.0, tcsi_curve_precision_at(&curve, 2), 1e-15); /* one of four tied rows fits */
    assert_near(2.0 / 5.0, tcsi_curve_precision_at(&curve, 5), 1e-15);
    assert_near(0.5, tcsi_curve_precision_at(&curve, 6), 1e-15);
    assert_near(0.5, tcsi_curve_precision_at(&curve, 100), 1e-15);
    tcsi_curve_deinit(&curve);
}

TCS_TEST_MAIN(cmocka_unit_test(test_ranking_sorts_everything), cmocka_unit_test(test_areas_by_pairs), cmocka_unit_test(test_best_f1),
              cmocka_unit_test(test_precision_at_k))
