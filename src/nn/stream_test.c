/* nn/stream_test.c -- a stream answers what the whole sequence would have answered, row by row.  SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/alloc.h"
#include "nn/stream.h"
#include "nn_cases.h"

/* The case's stream, when every operation in it can run row by row. */
static tcsi_stream_net *stream_of(const nn_bench *bench)
{
    tcsi_stream_net *stream = NULL;
    tcs_error err;
    tcs_status status = tcsi_stream_net_create(bench->net, bench->looked_at, &stream, &err);
    assert_true(status == TCS_OK || status == TCS_E_UNSUPPORTED || status == TCS_E_INVALID);
    return stream;
}

static void test_stream_equals_sequence(void **state)
{
    (void)state;
    size_t streamed = 0;
    for (size_t k = 0; k < TCS_COUNT(nn_cases); k++) {
        nn_bench bench;
        tcsi_plan *plan;
        assert_ok(nn_bench_init(&bench, &nn_cases[k], 1, test_err));
        bench.run.is_training = bench.run.is_stochastic = false;
        tcsi_stream_net *stream = stream_of(&bench);
        if (stream) {
            tcsi_shape shape = tcsi_net_shape(bench.net, bench.looked_at), input = tcsi_net_shape(bench.net, 0);
            size_t skipped = input.length - shape.length; /* nets that look at their last steps only */
            assert_ok(nn_bench_plan(&bench, tcsi_isa_current(), &plan, test_err));
            tcsi_plan_forward(plan, NULL, &bench.run);
            const float *expected = tcsi_plan_values(plan, bench.looked_at);
            for (size_t round = 0; round < 2; round++) { /* after a reset again the same */
                for (size_t t = 0; t < input.length; t++) {
                    const float *got = tcsi_stream_net_push(stream, bench.values[0] + t * input.channels);
                    if (t >= skipped) assert_memory_equal(got, expected + (t - skipped) * shape.channels, shape.channels * sizeof *got);
                }
                tcsi_stream_net_reset(stream);
            }
            streamed++;
            tcsi_plan_destroy(plan);
        }
        tcsi_stream_net_destroy(stream);
        nn_bench_deinit(&bench);
    }
    assert_true(streamed >= 5);
}

static void test_what_needs_later_rows_is_refused(void **state)
{
    (void)state;
    nn_bench bench;
    tcsi_stream_net *stream = NULL;
    tcs_error err;
    for (size_t k = 0; k < TCS_COUNT(nn_cases); k++) {
        if (strcmp(nn_cases[k].name, "conv, centred and strided") != 0) continue;
        assert_ok(nn_bench_init(&bench, &nn_cases[k], 1, test_err));
        assert_int_equal(tcsi_stream_net_create(bench.net, bench.looked_at, &stream, &err), TCS_E_UNSUPPORTED);
        assert_non_null(strstr(err.text, "conv"));
        nn_bench_deinit(&bench);
    }
}

/* Saved in the middle, loaded elsewhere: both go on alike, and a damaged state never writes outside. */
static void test_state_persists(void **state)
{
    (void)state;
    for (size_t k = 0; k < TCS_COUNT(nn_cases); k++) {
        nn_bench bench;
        assert_ok(nn_bench_init(&bench, &nn_cases[k], 1, test_err));
        tcsi_stream_net *stream = stream_of(&bench), *other = stream_of(&bench);
        if (stream) {
            tcsi_buffer saved;
            tcs_error err;
            size_t length = tcsi_net_shape(bench.net, 0).length, channels = tcsi_net_shape(bench.net, 0).channels;
            size_t size = tcsi_net_shape(bench.net, bench.looked_at).channels * sizeof(float);
            tcsi_buffer_init(&saved, (size_t)1 << 20);
            for (size_t t = 0; t < length / 2; t++) (void)tcsi_stream_net_push(stream, bench.values[0] + t * channels);
            tcsi_codec codec = tcsi_codec_save(&saved, &err);
            tcsi_stream_net_persist(stream, &codec);
            assert_int_equal(tcsi_codec_status(&codec), TCS_OK);
            codec = tcsi_codec_load(saved.data, saved.size, &err);
            tcsi_stream_net_persist(other, &codec);
            assert_int_equal(tcsi_codec_status(&codec), TCS_OK);
            for (size_t t = length / 2; t < length; t++) {
                float first[64];
                assert_true(size <= sizeof first);
                memcpy(first, tcsi_stream_net_push(stream, bench.values[0] + t * channels), size);
                assert_memory_equal(first, tcsi_stream_net_push(other, bench.values[0] + t * channels), size);
            }
            for (size_t i = 12; i < saved.size; i++) saved.data[i] = (char)0xff;
            codec = tcsi_codec_load(saved.data, saved.size, &err);
            tcsi_stream_net_persist(other, &codec);
            for (size_t t = 0; t < 3; t++) (void)tcsi_stream_net_push(other, bench.values[0]);
            tcsi_buffer_deinit(&saved);
        }
        tcsi_stream_net_destroy(stream);
        tcsi_stream_net_destroy(other);
        nn_bench_deinit(&bench);
    }
}

static void test_steps_allocate_nothing_and_failures_are_clean(void **state)
{
    (void)state;
    for (size_t k = 0; k < TCS_COUNT(nn_cases); k++) {
        nn_bench bench;
        tcs_error err;
        assert_ok(nn_bench_init(&bench, &nn_cases[k], 1, test_err));
        tcs_status status = TCS_E_MEMORY;
        for (size_t at = 1; status == TCS_E_MEMORY; at++) {
            tcsi_stream_net *stream = NULL;
            tcsi_alloc_trace_begin();
            tcsi_alloc_trace_fail_at(at);
            status = tcsi_stream_net_create(bench.net, bench.looked_at, &stream, &err);
            tcsi_alloc_trace_fail_at(0);
            size_t before = tcsi_alloc_trace_stats().total_count;
            if (stream) (void)tcsi_stream_net_push(stream, bench.values[0]);
            assert_int_equal(tcsi_alloc_trace_stats().total_count, before);
            assert_true(!stream || tcsi_alloc_trace_stats().live_size <= tcsi_stream_net_size(stream));
            tcsi_stream_net_destroy(stream);
            assert_int_equal(tcsi_alloc_trace_stats().live_count, 0);
            tcsi_alloc_trace_end();
        }
        nn_bench_deinit(&bench);
    }
}

TCS_TEST_MAIN(cmocka_unit_test(test_stream_equals_sequence), cmocka_unit_test(test_what_needs_later_rows_is_refused),
              cmocka_unit_test(test_state_persists), cmocka_unit_test(test_steps_allocate_nothing_and_failures_are_clean))
