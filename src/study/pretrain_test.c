/* Training judges: reproducible, interruptible, and better than chance.  SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/alloc.h"
#include "nn/layers.h"
#include "study/pretrain.h"

#include <stdio.h>
#include <unistd.h>

enum { SERIES = 60, STEPS = 3 * TCSI_PRETRAIN_ROUND };

static tcsi_pretrain_set *make_set(uint64_t seed)
{
    tcsi_pretrain_set *set;
    assert_ok(tcsi_pretrain_set_create(seed, SERIES, NULL, NULL, &set, test_err));
    return set;
}

static tcsi_judge make_judge(tcsi_judge_view view)
{
    tcsi_judge judge;
    assert_ok(tcsi_net_create(1, &judge.net, test_err));
    const tcsi_node_id x = tcsi_nn_input(judge.net, TCSI_JUDGE_WINDOW, tcsi_pretrain_channel_count(view));
    const tcsi_node_id target = tcsi_nn_input(judge.net, TCSI_JUDGE_WINDOW, 1);
    judge.s = tcsi_judge_build(judge.net, view, x);
    judge.loss = tcsi_nn_loss_rank(judge.net, judge.s, target, TCSI_JUDGE_MARGIN);
    assert_ok(tcsi_net_finish(judge.net, test_err));
    return judge;
}

static void assert_same_weights(const tcsi_judge *a, const tcsi_judge *b)
{
    assert_memory_equal(a->net->weights.values, b->net->weights.values, a->net->weight_count * sizeof(float));
}

static bool go_on(void *context, size_t done, double loss)
{
    const size_t *stop_at = context;
    assert_true(done % TCSI_PRETRAIN_ROUND == 0 && loss >= 0);
    return done != *stop_at;
}

/* Stopped twice and taken up again, on another number of threads: the same bits as in one go. */
static void test_interrupted_training(void **state)
{
    (void)state;
    char path[] = "/tmp/tocsin-pretrain-XXXXXX";
    const int file = mkstemp(path);
    assert_true(file >= 0 && close(file) == 0 && unlink(path) == 0);
    tcsi_pool *pool;
    assert_ok(tcsi_pool_create(3, &pool, test_err));
    tcsi_pretrain_set *set = make_set(5);
    tcsi_judge whole = make_judge(TCSI_JUDGE_SCORES), parts = { 0 };
    size_t stop_at = 0;
    tcsi_pretrain_options options = { .seed = 2, .step_count = STEPS, .view = TCSI_JUDGE_SCORES, .report = go_on, .context = &stop_at };
    assert_ok(tcsi_pretrain_run(set, &options, &whole, test_err));
    options.checkpoint = path;
    options.pool = pool;
    for (stop_at = TCSI_PRETRAIN_ROUND; stop_at <= STEPS; stop_at += TCSI_PRETRAIN_ROUND) {
        tcs_error err = { 0 };
        tcsi_net_destroy(parts.net);
        parts = make_judge(TCSI_JUDGE_SCORES);
        const size_t last = STEPS;
        if (stop_at == last) stop_at++;
        const tcs_status status = tcsi_pretrain_run(set, &options, &parts, &err);
        if (stop_at > last) assert_int_equal(status, TCS_OK);
        else assert_int_equal(status, TCS_E_CANCELLED);
    }
    assert_same_weights(&whole, &parts);

    tcs_error err = { 0 }; /* a checkpoint of another training is refused */
    options.seed = 3;
    assert_int_equal(tcsi_pretrain_run(set, &options, &parts, &err), TCS_E_FORMAT);
    assert_non_null(strstr(err.text, "an option of the training"));
    unlink(path);
    tcsi_net_destroy(whole.net);
    tcsi_net_destroy(parts.net);
    tcsi_pretrain_set_destroy(set);
    tcsi_pool_destroy(pool);
}

/* What was learned helps on series that were not learned from. */
static void test_learning_helps(void **state)
{
    (void)state;
    tcsi_pretrain_set *set = make_set(6);
    tcsi_judge judge = make_judge(TCSI_JUDGE_SCORES);
    tcsi_pretrain_quality before, after;
    const tcsi_pretrain_options options = { .seed = 1, .step_count = STEPS, .view = TCSI_JUDGE_SCORES };
    assert_ok(tcsi_pretrain_judge(set, &judge, TCSI_JUDGE_SCORES, NULL, &before, test_err));
    assert_ok(tcsi_pretrain_run(set, &options, &judge, test_err));
    assert_ok(tcsi_pretrain_judge(set, &judge, TCSI_JUDGE_SCORES, NULL, &after, test_err));
    assert_true(after.series_count >= 4 && after.series_count == before.series_count);
    if (!(after.judge > before.judge + 0.1)) fail_msg("area %.3f before training, %.3f after", before.judge, after.judge);
    tcsi_net_destroy(judge.net);
    tcsi_pretrain_set_destroy(set);
}

static void test_without_memory(void **state)
{
    (void)state;
    for (size_t at = 1;; at += 1 + at / 4) {
        tcsi_pretrain_set *set = NULL;
        tcs_error err = { 0 };
        tcsi_alloc_trace_begin();
        tcsi_alloc_trace_fail_at(at);
        const tcs_status status = tcsi_pretrain_set_create(1, 2, NULL, NULL, &set, &err);
        tcsi_alloc_trace_fail_at(0);
        tcsi_pretrain_set_destroy(set);
        assert_int_equal(tcsi_alloc_trace_stats().live_count, 0);
        tcsi_alloc_trace_end();
        if (status == TCS_OK) break;
        assert_int_equal(status, TCS_E_MEMORY);
    }
}

TCS_TEST_MAIN(cmocka_unit_test(test_interrupted_training), cmocka_unit_test(test_learning_helps), cmocka_unit_test(test_without_memory))
