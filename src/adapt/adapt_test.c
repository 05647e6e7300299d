/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "adapt/raters.h"
#include "adapt/review.h"
#include "base/alloc.h"
#include "base/rng.h"

/* ---- several people ---- */

enum { ITEMS = 400, PEOPLE = 4, VOTES_MAX = ITEMS * PEOPLE };

/* People who are right with these probabilities of real events and of others. */
static size_t make_votes(const double (*right)[2], uint8_t *truth, tcsi_vote *votes, uint64_t seed)
{
    tcsi_rng rng = tcsi_rng_make(seed, 0);
    size_t count = 0;
    for (uint32_t i = 0; i < ITEMS; i++) {
        truth[i] = tcsi_rng_uniform(&rng) < 0.3;
        for (uint32_t k = 0; k < PEOPLE; k++) {
            const bool is_right = tcsi_rng_uniform(&rng) < right[k][truth[i]];
            votes[count++] = (tcsi_vote){ k, i, is_right == truth[i], 1 };
        }
    }
    return count;
}

static void test_people_are_known_by_how_they_agree(void **state)
{
    (void)state;
    static const double right[PEOPLE][2] = { { 0.95, 0.9 }, { 0.8, 0.85 }, { 0.9, 0.6 }, { 0.5, 0.5 } };
    static tcsi_vote votes[VOTES_MAX];
    uint8_t truth[ITEMS];
    tcsi_raters raters;
    size_t wrong = 0, wrong_by_count = 0, real = 0;
    double wrong_votes = 0;
    const size_t count = make_votes(right, truth, votes, 1);
    assert_ok(tcsi_raters_estimate(votes, count, PEOPLE, ITEMS, &raters, test_err));
    for (size_t k = 0; k < PEOPLE; k++) {
        assert_true(fabs(raters.raters[k].specificity - right[k][0]) < 0.08);
        assert_true(fabs(raters.raters[k].sensitivity - right[k][1]) < 0.15);
        assert_true(raters.raters[k].vote_count == ITEMS);
    }
    for (size_t i = 0; i < ITEMS; i++) {
        size_t says_real = 0;
        for (size_t k = 0; k < PEOPLE; k++) says_real += votes[i * PEOPLE + k].is_true;
        for (size_t k = 0; k < PEOPLE; k++) wrong_votes += votes[i * PEOPLE + k].is_true != truth[i];
        wrong += (raters.probabilities[i] >= 0.5) != truth[i];
        wrong_by_count += (2 * says_real >= PEOPLE) != truth[i];
        real += truth[i];
        assert_near(2 * fmin((double)says_real, (double)(PEOPLE - says_real)) / PEOPLE, raters.disagreements[i], 1e-12);
    }
    assert_true(wrong < 30 && 2 * wrong < wrong_by_count); /* better than to count heads */
    assert_true(fabs(raters.share - (double)real / ITEMS) < 0.05);
    assert_true(fabs(raters.noise - wrong_votes / (double)count) < 0.03);
    assert_true(tcsi_rater_reliability(&raters.raters[0]) == 1 && tcsi_rater_reliability(&raters.raters[3]) < 0.35);
    tcsi_raters_deinit(&raters);
}

static void test_one_answer_makes_nobody_infallible(void **state)
{
    (void)state;
    const tcsi_vote one = { 0, 0, true, 1 }, unsure = { 0, 0, true, 0 };
    tcsi_raters raters;
    assert_ok(tcsi_raters_estimate(&one, 1, 1, 2, &raters, test_err));
    assert_true(raters.probabilities[0] > 0.7 && raters.probabilities[0] < 0.95);
    assert_true(raters.raters[0].sensitivity < 0.85 && tcsi_rater_reliability(&raters.raters[0]) > 0.95);
    tcsi_raters_deinit(&raters);
    assert_ok(tcsi_raters_estimate(&unsure, 1, 1, 1, &raters, test_err));
    assert_near(0.5, raters.probabilities[0], 1e-9); /* without confidence nothing was said */
    tcsi_raters_deinit(&raters);
    assert_ok(tcsi_raters_estimate(NULL, 0, 0, 0, &raters, test_err));
    tcsi_raters_deinit(&raters);
    assert_true(tcsi_rater_reliability(&tcsi_rater_unknown) == 1);
}

static void test_memory_fails(void **state)
{
    (void)state;
    const tcsi_vote one = { 0, 0, true, 1 };
    const tcsi_review_item item = { .real = NAN };
    tcsi_review_choice choice;
    tcsi_raters raters;
    tcs_error err;
    size_t count;
    tcs_status status = TCS_E_MEMORY;
    tcsi_alloc_trace_begin();
    for (size_t i = 1; status != TCS_OK; i++) {
        tcsi_alloc_trace_fail_at(i);
        status = tcsi_raters_estimate(&one, 1, 1, 1, &raters, &err);
        assert_true(status == TCS_OK || status == TCS_E_MEMORY);
        if (status == TCS_OK) tcsi_raters_deinit(&raters);
        assert_int_equal(tcsi_alloc_trace_stats().live_count, 0);
    }
    tcsi_alloc_trace_fail_at(1);
    assert_int_equal(tcsi_review_choose(&item, 1, 1, &choice, &count, &err), TCS_E_MEMORY);
    tcsi_alloc_trace_end();
}

/* ---- what to ask ---- */

static tcsi_review_item make_item(uint32_t series, double height, double real)
{
    tcsi_review_item item = { .real = real, .pattern = { .series = series, .family = series / 10, .onset.height = (float)height } };
    item.pattern.onset.shape[TCSI_PATTERN_SHAPE - 1] = tcsi_pattern_step(height);
    return item;
}

static void test_the_most_telling_first(void **state)
{
    (void)state;
    tcsi_review_item items[16];
    tcsi_review_choice choices[16];
    size_t count = 0, chosen;
    for (size_t i = 0; i < 6; i++) items[count++] = make_item(1, 8 + 0.01 * (double)i, NAN); /* six alike, */
    items[count++] = make_item(21, 8, NAN);                                                  /* one alone, */
    for (size_t i = 0; i < 4; i++) items[count++] = make_item(31, 8, 0);                     /* and one like four that were expected */
    items[count++] = make_item(31, 8, NAN);
    items[count++] = make_item(41, 8, 1);
    items[count++] = make_item(41, 8, 1);
    assert_ok(tcsi_review_choose(items, count, 16, choices, &chosen, test_err));
    assert_int_equal(chosen, 8);
    assert_true(choices[0].index < 6 && choices[0].like_count > 4.5);
    assert_int_equal(choices[1].index, 6); /* not another one of the six: they would teach the same */
    assert_int_equal(choices[2].index, 11);
    assert_true(choices[2].real < 0.2 && choices[1].real > 0.3 && choices[1].like_count == 0);
    for (size_t i = 1; i < chosen; i++) assert_true(choices[i].gain <= choices[i - 1].gain && choices[i].gain > 0);
    assert_ok(tcsi_review_choose(items, count, 2, choices, &chosen, test_err));
    assert_int_equal(chosen, 2);
    assert_ok(tcsi_review_choose(items, 0, 2, choices, &chosen, test_err));
    assert_int_equal(chosen, 0);
}

TCS_TEST_MAIN(cmocka_unit_test(test_people_are_known_by_how_they_agree), cmocka_unit_test(test_one_answer_makes_nobody_infallible),
              cmocka_unit_test(test_memory_fails), cmocka_unit_test(test_the_most_telling_first))
