/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "decide/fdr.h"

/* Benjamini and Hochberg 1995, section 3.2: fifteen p-values of a study; at 0.05 the first four are discoveries, by Bonferroni three.
 * Adjusted values by scipy 1.17.1, stats.false_discovery_control, methods bh and by. */
static void test_batch_by_the_paper(void **state)
{
    (void)state;
    static const double p[15] = { 0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528,
                                  0.7590, 1.0000 };
    static const double bh[15] = { 0.0015, 0.003, 0.0095, 0.035625, 0.0603, 0.0638571428571429, 0.0638571428571429, 0.0645, 0.0765, 0.486,
                                   0.581181818181818, 0.714875, 0.753230769230769, 0.813214285714286, 1 };
    double turned[15], adjusted[15], by_factor = 0;
    for (int i = 1; i <= 15; i++) by_factor += 1.0 / i;
    for (size_t i = 0; i < 15; i++) turned[i] = p[14 - i]; /* order does not matter */
    assert_ok(tcsi_fdr_adjust(TCSI_FDR_BH, turned, 15, adjusted, test_err));
    size_t discoveries = 0;
    for (size_t i = 0; i < 15; i++) {
        assert_near(bh[i], adjusted[14 - i], 1e-12);
        discoveries += adjusted[i] <= 0.05;
    }
    assert_int_equal(discoveries, 4);
    assert_ok(tcsi_fdr_adjust(TCSI_FDR_BY, p, 15, adjusted, test_err));
    for (size_t i = 0; i < 15; i++) assert_near(fmin(1, bh[i] * by_factor), adjusted[i], 1e-12);
    static const double evidence[4] = { 100, 0, 30, 1 }; /* e-BH at 0.1: 2 of 4 need e >= 4 / (2 * 0.1) = 20 */
    assert_ok(tcsi_fdr_adjust(TCSI_FDR_E_BH, evidence, 4, adjusted, test_err));
    assert_near(0.04, adjusted[0], 1e-15);
    assert_near(4.0 / 60, adjusted[2], 1e-15);
    assert_true(adjusted[1] == 1 && adjusted[3] == 1);
    assert_ok(tcsi_fdr_adjust(TCSI_FDR_BH, p, 0, adjusted, test_err));
    static const double wrong[] = { 0.1, NAN };
    assert_int_equal(tcsi_fdr_adjust(TCSI_FDR_BH, wrong, 2, adjusted, NULL), TCS_E_INVALID);
}

/* The weights g(n), by their definition. */
static double g(size_t n)
{
    double sum = 0, total = 0;
    for (size_t k = 1; k <= TCSI_FDR_SCALE_COUNT; k++) {
        const double ratio = 1 - ldexp(1, -(int)k), share = pow((double)k, -1.6);
        sum += share * (1 - ratio) * pow(ratio, (double)(n - 1));
        total += share;
    }
    return sum / total;
}

/* Every level is the paper's sum over all earlier discoveries, here taken literally. */
static void test_levels_by_definition(void **state)
{
    (void)state;
    enum { T = 300 };
    static const tcsi_fdr_method methods[] = { TCSI_FDR_LORD, TCSI_FDR_SAFFRON, TCSI_FDR_ADDIS, TCSI_FDR_E_LOND };
    for (size_t m = 0; m < TCS_COUNT(methods); m++) {
        const double a = 0.1, lambda = tcsi_fdr_table[methods[m]].lambda, tau = tcsi_fdr_table[methods[m]].tau;
        tcsi_rng rng = tcsi_rng_make(3, m);
        tcsi_fdr fdr;
        bool found[T], counted[T];
        assert_ok(tcsi_fdr_init(&fdr, methods[m], a, test_err));
        for (size_t t = 0; t < T; t++) {
            const double p = tcsi_rng_uniform(&rng) < 0.3 ? 1e-12 * tcsi_rng_uniform(&rng) : tcsi_rng_uniform(&rng);
            size_t discoveries = 0, since_start = 1;
            double sum = 0;
            for (size_t j = 0; j < t; j++) since_start += counted[j];
            for (size_t j = 0; j < t; j++) {
                size_t since = 1;
                if (!found[j]) continue;
                for (size_t i = j + 1; i < t; i++) since += counted[i];
                sum += (discoveries++ == 0 ? a / 2 : a) * g(since);
            }
            double level = (tau - lambda) * (a / 2 * g(since_start) + sum);
            if (lambda > 0) level = fmin(level, lambda);
            if (methods[m] == TCSI_FDR_E_LOND) level = pow(a * g(since_start) * (double)(discoveries + 1) / 2, 2);
            assert_near(1, tcsi_fdr_level(&fdr) / level, 1e-10);
            counted[t] = p > lambda && p <= tau;
            found[t] = tcsi_fdr_test(&fdr, p);
            assert_true(found[t] == (p <= level));
        }
        assert_true(fdr.discovery_count > 10 && fdr.test_count == T);
    }
    double sum = 0;
    for (size_t n = 1; n < 200000; n++) sum += g(n);
    assert_true(sum < 1 && sum > 0.8); /* spent, never more than there is */
}

/* Streams of 400 tests of which a tenth are true: share of false ones among discoveries, averaged over 300 streams. */
static double realised(tcsi_fdr_method method, double correlation, double *ret_found)
{
    enum { T = 400, STREAMS = 300 };
    double rate = 0, found = 0;
    for (uint64_t s = 0; s < STREAMS; s++) {
        tcsi_rng rng = tcsi_rng_make(s, 77);
        double p[T], adjusted[T], shared = 0;
        bool is_true[T];
        tcsi_fdr fdr;
        if (tcsi_fdr_table[method].is_online) assert_ok(tcsi_fdr_init(&fdr, method, 0.1, test_err));
        size_t wrong = 0, right = 0;
        for (size_t t = 0; t < T; t++) {
            if (t % 20 == 0) shared = tcsi_rng_normal(&rng);
            is_true[t] = tcsi_rng_uniform(&rng) < 0.1;
            const double z = sqrt(correlation) * shared + sqrt(1 - correlation) * tcsi_rng_normal(&rng) + (is_true[t] ? 4 : 0);
            p[t] = 0.5 * erfc(z / sqrt(2));
        }
        if (!tcsi_fdr_table[method].is_online) {
            double values[T];
            for (size_t t = 0; t < T; t++) values[t] = method == TCSI_FDR_E_BH ? 0.5 / sqrt(p[t]) : p[t];
            assert_ok(tcsi_fdr_adjust(method, values, T, adjusted, test_err));
        }
        for (size_t t = 0; t < T; t++) {
            const bool discovery = tcsi_fdr_table[method].is_online ? tcsi_fdr_test(&fdr, p[t]) : adjusted[t] <= 0.1;
            wrong += discovery && !is_true[t];
            right += discovery && is_true[t];
        }
        rate += wrong > 0 ? (double)wrong / (double)(wrong + right) : 0;
        found += (double)right;
    }
    *ret_found = found / STREAMS;
    return rate / STREAMS;
}

static void test_the_rate_is_kept(void **state)
{
    (void)state;
    double found[TCSI_FDR_METHOD_COUNT], ignored;
    for (int m = 0; m < TCSI_FDR_METHOD_COUNT; m++) {
        assert_true(realised((tcsi_fdr_method)m, 0, &found[m]) < 0.1);
        const double dependent = realised((tcsi_fdr_method)m, 0.5, &ignored); /* in runs of 20, positively */
        const bool needs_independence = m == TCSI_FDR_LORD || m == TCSI_FDR_SAFFRON || m == TCSI_FDR_ADDIS;
        print_message("# %s: %.3f under dependence\n", tcsi_fdr_table[m].name, dependent);
        assert_true(needs_independence || dependent < 0.1);
    }
    assert_true(found[TCSI_FDR_BH] > found[TCSI_FDR_BY] && found[TCSI_FDR_BH] > 25); /* of 40 */
    assert_true(found[TCSI_FDR_SAFFRON] > found[TCSI_FDR_E_LOND] && found[TCSI_FDR_LORD] > 10);
}

/* Cautious p-values of normal rows: addis passes over most of them and is left with more. */
static void test_discarding_pays_with_cautious_p_values(void **state)
{
    (void)state;
    size_t found[2] = { 0, 0 };
    for (int m = 0; m < 2; m++)
        for (uint64_t s = 0; s < 50; s++) {
            tcsi_rng rng = tcsi_rng_make(s, 5);
            tcsi_fdr fdr;
            assert_ok(tcsi_fdr_init(&fdr, m ? TCSI_FDR_ADDIS : TCSI_FDR_LORD, 0.1, test_err));
            for (size_t t = 0; t < 2000; t++) {
                const bool is_true = t % 50 == 49;
                const double z = tcsi_rng_normal(&rng) + (is_true ? 3.5 : -1.5);
                found[m] += tcsi_fdr_test(&fdr, 0.5 * erfc(z / sqrt(2))) && is_true;
            }
        }
    assert_true(found[1] > found[0] + found[0] / 5);
}

static void test_names_and_ranges(void **state)
{
    (void)state;
    tcsi_fdr_method method;
    tcsi_fdr fdr;
    tcs_error err = { 0 };
    assert_ok(tcsi_fdr_find("e-lond", &method, test_err));
    assert_int_equal(method, TCSI_FDR_E_LOND);
    assert_int_equal(tcsi_fdr_find("bonferroni", &method, &err), TCS_E_INVALID);
    assert_non_null(strstr(err.text, "bh, by, e-bh, lord, saffron, addis, e-lond"));
    assert_int_equal(tcsi_fdr_init(&fdr, TCSI_FDR_LORD, 0, &err), TCS_E_INVALID);
    assert_int_equal(tcsi_fdr_init(&fdr, TCSI_FDR_LORD, NAN, &err), TCS_E_INVALID);
    assert_int_equal(tcsi_fdr_init(&fdr, TCSI_FDR_BH, 0.1, &err), TCS_E_INVALID);
    assert_ok(tcsi_fdr_init(&fdr, TCSI_FDR_E_LOND, 0.1, test_err));
    assert_true(tcsi_fdr_test_evidence(&fdr, 1e6) && !tcsi_fdr_test_evidence(&fdr, 1) && !tcsi_fdr_test(&fdr, 1) && tcsi_fdr_test(&fdr, 0));
}

TCS_TEST_MAIN(cmocka_unit_test(test_batch_by_the_paper), cmocka_unit_test(test_levels_by_definition),
              cmocka_unit_test(test_the_rate_is_kept),
              cmocka_unit_test(test_discarding_pays_with_cautious_p_values),
              cmocka_unit_test(test_names_and_ranges))
