/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "serve/shard/breaker.h"

/* One tick, in which so many come in time and so many late. */
static void turn(tcsi_breaker *breaker, int in_time, int late)
{
    for (int i = 0; i < in_time; i++) tcsi_breaker_note(breaker, false);
    for (int i = 0; i < late; i++) tcsi_breaker_note(breaker, true);
    tcsi_breaker_tick(breaker);
}

static int asks(tcsi_breaker *breaker, int wanted)
{
    int count = 0;
    for (int i = 0; i < wanted; i++) count += tcsi_breaker_ask(breaker);
    return count;
}

static tcs_error failure;

static void test_a_minority_of_late_answers_opens_nothing(void **state)
{
    (void)state;
    tcsi_breaker breaker = { 0 };
    for (int i = 0; i < 1000; i++) {
        turn(&breaker, 60, 40);
        assert_int_equal(breaker.state, TCSI_BREAKER_CLOSED);
        assert_int_equal(asks(&breaker, 100), 100);
    }
    for (int i = 0; i < 1000; i++) turn(&breaker, 0, i % 5 == 0); /* one every five ticks: too few to say anything */
    assert_int_equal(breaker.state, TCSI_BREAKER_CLOSED);
}

static void test_it_opens_tries_and_closes(void **state)
{
    (void)state;
    tcsi_breaker breaker = { 0 };
    turn(&breaker, 100, 0);
    int ticks = 0;
    while (breaker.state == TCSI_BREAKER_CLOSED && ticks < 20) {
        turn(&breaker, 0, 50);
        ticks++;
    }
    assert_true(ticks >= 2 && ticks <= 3); /* what went well before counts for some time */
    assert_int_equal(breaker.state, TCSI_BREAKER_OPEN);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(asks(&breaker, 5), 0);
        turn(&breaker, 0, 3); /* asked before it opened: does not count */
    }
    assert_int_equal(breaker.state, TCSI_BREAKER_HALF_OPEN);
    for (int i = 0; i < 2; i++) { /* trials that fail open it again */
        assert_int_equal(asks(&breaker, 5), 2);
        turn(&breaker, 0, 2);
    }
    assert_int_equal(breaker.state, TCSI_BREAKER_OPEN);
    assert_int_equal(breaker.opened_count, 2);
    for (int i = 0; i < 10; i++) turn(&breaker, 0, 0);
    for (int i = 0; i < 100; i++) turn(&breaker, 0, 0); /* nobody asks: it waits */
    assert_int_equal(breaker.state, TCSI_BREAKER_HALF_OPEN);
    turn(&breaker, 2, 0);
    assert_int_equal(breaker.state, TCSI_BREAKER_HALF_OPEN);
    turn(&breaker, 2, 1);
    assert_int_equal(breaker.state, TCSI_BREAKER_CLOSED);
    assert_int_equal(asks(&breaker, 1000), 1000);
}

static void test_saved_and_damaged(void **state)
{
    (void)state;
    tcsi_breaker breaker = { 0 }, again = { 0 };
    tcsi_buffer out;
    tcsi_buffer_init(&out, 1 << 10);
    for (int i = 0; i < 4; i++) turn(&breaker, 1, 20);
    tcsi_codec codec = tcsi_codec_save(&out, &failure);
    tcsi_breaker_persist(&breaker, &codec);
    codec = tcsi_codec_load(out.data, out.size, &failure);
    tcsi_breaker_persist(&again, &codec);
    assert_ok(tcsi_codec_status(&codec));
    assert_memory_equal(&breaker, &again, sizeof breaker);
    out.data[0] = 9; /* no such state */
    codec = tcsi_codec_load(out.data, out.size, &failure);
    tcsi_breaker_persist(&again, &codec);
    assert_int_equal(tcsi_codec_status(&codec), TCS_E_FORMAT);
    tcsi_buffer_deinit(&out);
}

TCS_TEST_MAIN(cmocka_unit_test(test_a_minority_of_late_answers_opens_nothing), cmocka_unit_test(test_it_opens_tries_and_closes),
              cmocka_unit_test(test_saved_and_damaged))
