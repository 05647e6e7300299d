/* store/block_test.c -- what went in comes out, bit for bit; what is damaged is refused.  SPDX-License-Identifier: Apache-2.0 */
#include "store/block.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "test.h"

enum { ROWS = 3000 };

static int64_t times[TCSI_BLOCK_ROW_MAX], times_back[TCSI_BLOCK_ROW_MAX];
static double values[2][TCSI_BLOCK_ROW_MAX], values_back[2][TCSI_BLOCK_ROW_MAX];
static float scores[2][TCSI_BLOCK_ROW_MAX], scores_back[2][TCSI_BLOCK_ROW_MAX];
static const double *const value_columns[] = { values[0], values[1] };
static double *const value_columns_back[] = { values_back[0], values_back[1] };
static const float *const score_columns[] = { scores[0], scores[1] };
static float *const score_columns_back[] = { scores_back[0], scores_back[1] };

/* Encodes, decodes and compares the bits; returns the size. */
static size_t there_and_back(tcsi_block_shape shape)
{
    tcs_error err = { 0 };
    tcsi_buffer out;
    tcsi_block_shape read;
    tcsi_buffer_init(&out, SIZE_MAX);
    assert_ok(tcsi_block_encode(shape, times, value_columns, score_columns, &out, &err));
    char *exact = malloc(out.size); /* a read behind the end is seen by the sanitizer */
    memcpy(exact, out.data, out.size);
    assert_ok(tcsi_block_shape_read(exact, out.size, &read, &err));
    assert_true(read.row_count == shape.row_count && read.value_count == shape.value_count && read.score_count == shape.score_count);
    assert_ok(tcsi_block_decode(exact, out.size, times_back, value_columns_back, score_columns_back, &err));
    assert_memory_equal(times, times_back, shape.row_count * sizeof *times);
    for (size_t c = 0; c < shape.value_count; c++) assert_memory_equal(values[c], values_back[c], shape.row_count * sizeof(double));
    for (size_t c = 0; c < shape.score_count; c++) assert_memory_equal(scores[c], scores_back[c], shape.row_count * sizeof(float));
    const size_t size = out.size;
    free(exact);
    tcsi_buffer_deinit(&out);
    return size;
}

static void fill_times(int64_t step, int64_t jitter, tcsi_rng *rng)
{
    for (size_t i = 0; i < ROWS; i++)
        times[i] = INT64_C(1700000000000000000) + (int64_t)i * step + (jitter ? (int64_t)tcsi_rng_below(rng, (size_t)jitter) : 0);
}

static double bytes_per_row(size_t values_count, size_t scores_count)
{
    return (double)there_and_back((tcsi_block_shape){ ROWS, values_count, scores_count }) / ROWS;
}

/* The bounds are what was measured (printed, in docs/internals/store.md) and a tenth more. */
static void test_real_looking_rows_take_few_bytes(void **state)
{
    (void)state;
    tcsi_rng rng = tcsi_rng_make(1, 0);
    fill_times(INT64_C(15000000000), 0, &rng);
    const double times_only = bytes_per_row(0, 0);
    fill_times(INT64_C(15000000000), 5000000, &rng);
    for (size_t i = 0; i < ROWS; i++) times[i] -= times[i] % 1000000;
    const double jitter = bytes_per_row(0, 0);
    fill_times(INT64_C(15000000000), 0, &rng);
    for (size_t i = 0; i < ROWS; i++) values[0][i] = 42;
    const double constant = bytes_per_row(1, 0);
    for (size_t i = 0; i < ROWS; i++) values[0][i] = (i ? values[0][i - 1] : 0) + (double)tcsi_rng_below(&rng, 1000);
    const double counter = bytes_per_row(1, 0);
    for (size_t i = 0; i < ROWS; i++) values[0][i] = rint(2000 + 500 * sin((double)i / 50) + (double)tcsi_rng_below(&rng, 40)) / 100;
    const double decimals = bytes_per_row(1, 0);
    values[0][700] = NAN;
    const double gap = bytes_per_row(1, 0);
    for (size_t i = 0; i < ROWS; i++) values[0][i] = 20 + 5 * sin((double)i / 50) + 0.1 * tcsi_rng_normal(&rng);
    const double noise = bytes_per_row(1, 0);
    for (size_t i = 0; i < ROWS; i++) scores[0][i] = (float)fabs(tcsi_rng_normal(&rng));
    const double score = bytes_per_row(0, 1);
    printf("# bytes a row: even times %.2f, with jitter of 5 ms %.2f, constant %.2f, counter %.2f, two decimals %.2f, with a gap %.2f, "
           "full doubles %.2f, scores %.2f\n", times_only, jitter, constant, counter, decimals, gap, noise, score);
    assert_true(times_only < 0.05 && jitter < 0.62 && constant < 0.08 && counter < 1.6 && decimals < 1.03 && gap < 1.04);
    assert_true(noise < 7.4 && score < 4.3); /* noise has nothing to take away */
}

static void test_every_kind_of_number_survives(void **state)
{
    (void)state;
    static const double odd[] = { 0.0, -0.0, NAN, -NAN, INFINITY, -INFINITY, 1e308, -1e308, 5e-324, 2.2250738585072014e-308, 0.1, 1.0 / 3,
                                  9007199254740992.0, 9007199254740993.0, -1e15, 1e22, 123456789.123456789 };
    tcsi_rng rng = tcsi_rng_make(2, 0);
    for (int round = 0; round < 200; round++) {
        const size_t n = 1 + tcsi_rng_below(&rng, round < 100 ? 70 : 2000);
        const size_t share = 1 + tcsi_rng_below(&rng, 20);
        for (size_t i = 0; i < n; i++) {
            const uint64_t bits = tcsi_rng_u64(&rng);
            times[i] = round % 3 == 0 ? (int64_t)tcsi_rng_u64(&rng) : (int64_t)i * 1000;
            values[0][i] = tcsi_rng_below(&rng, share) == 0 ? odd[tcsi_rng_below(&rng, TCS_COUNT(odd))] : (double)(bits % 1000) / 8;
            memcpy(&values[1][i], &bits, sizeof bits); /* signalling NaN and denormals among them */
            scores[0][i] = (float)odd[tcsi_rng_below(&rng, TCS_COUNT(odd))];
            memcpy(&scores[1][i], &bits, sizeof(float));
        }
        (void)there_and_back((tcsi_block_shape){ n, 2, 2 });
    }
}

static void test_edges(void **state)
{
    (void)state;
    tcs_error err = { 0 };
    tcsi_buffer out;
    times[0] = INT64_MIN, times[1] = INT64_MAX, times[2] = 0;
    for (size_t n = 1; n <= 3; n++) (void)there_and_back((tcsi_block_shape){ n, 1, 1 });
    (void)there_and_back((tcsi_block_shape){ TCSI_BLOCK_ROW_MAX, 2, 2 });
    tcsi_buffer_init(&out, SIZE_MAX);
    assert_int_equal(tcsi_block_encode((tcsi_block_shape){ 0, 1, 0 }, times, value_columns, NULL, &out, &err), TCS_E_INVALID);
    const tcsi_block_shape rows = { TCSI_BLOCK_ROW_MAX + 1, 1, 0 }, columns = { 1, 65, 0 };
    assert_int_equal(tcsi_block_encode(rows, times, value_columns, NULL, &out, &err), TCS_E_INVALID);
    assert_int_equal(tcsi_block_encode(columns, times, value_columns, NULL, &out, &err), TCS_E_INVALID);
    tcsi_buffer_deinit(&out);
    tcsi_buffer_init(&out, 20); /* no room */
    assert_int_equal(tcsi_block_encode((tcsi_block_shape){ 100, 1, 0 }, times, value_columns, NULL, &out, &err), TCS_E_LIMIT);
    assert_int_equal(out.size, 0);
    tcsi_buffer_deinit(&out);
}

/* Cut anywhere it is refused; damaged anywhere it is refused or gives some numbers, but never reads or writes where it must not. */
static void test_damage_is_survived(void **state)
{
    (void)state;
    tcs_error err = { 0 };
    tcsi_buffer out;
    tcsi_rng rng = tcsi_rng_make(3, 0);
    size_t refused = 0;
    for (size_t i = 0; i < 200; i++) {
        times[i] = (int64_t)i * 1000000000, values[0][i] = i % 50 == 7 ? NAN : (double)i / 10, values[1][i] = tcsi_rng_normal(&rng);
        scores[0][i] = (float)tcsi_rng_normal(&rng);
    }
    tcsi_buffer_init(&out, SIZE_MAX);
    assert_ok(tcsi_block_encode((tcsi_block_shape){ 200, 2, 1 }, times, value_columns, score_columns, &out, &err));
    for (size_t size = 0; size < out.size; size++) {
        char *cut = malloc(size + 1);
        memcpy(cut, out.data, size);
        char *exact = realloc(cut, size ? size : 1);
        assert_int_equal(tcsi_block_decode(exact, size, times_back, value_columns_back, score_columns_back, &err), TCS_E_FORMAT);
        free(exact);
    }
    for (int round = 0; round < 20000; round++) {
        char *exact = malloc(out.size);
        tcsi_block_shape shape;
        memcpy(exact, out.data, out.size);
        for (size_t k = 1 + tcsi_rng_below(&rng, 3); k > 0; k--)
            exact[tcsi_rng_below(&rng, out.size)] ^= (char)(1 << tcsi_rng_below(&rng, 8));
        if (tcsi_block_shape_read(exact, out.size, &shape, &err) == TCS_OK && shape.value_count <= 2 && shape.score_count <= 2)
            refused += tcsi_block_decode(exact, out.size, times_back, value_columns_back, score_columns_back, &err) != TCS_OK;
        free(exact);
    }
    assert_true(refused > 1000);
    out.data[out.size - 1] ^= (char)0x80; /* a bit behind the last number: there is one way to write a block */
    assert_int_equal(tcsi_block_decode(out.data, out.size, times_back, value_columns_back, score_columns_back, &err), TCS_E_FORMAT);
    tcsi_buffer_deinit(&out);
}

static void test_memory_runs_out(void **state)
{
    (void)state;
    tcs_error err = { 0 };
    for (size_t i = 0; i < 100; i++) times[i] = (int64_t)i, values[0][i] = (double)i;
    for (size_t fail_at = 1;; fail_at++) {
        tcsi_buffer out;
        tcsi_alloc_trace_begin();
        tcsi_buffer_init(&out, SIZE_MAX);
        tcsi_alloc_trace_fail_at(fail_at);
        tcs_status status = tcsi_block_encode((tcsi_block_shape){ 100, 1, 0 }, times, value_columns, NULL, &out, &err);
        if (status == TCS_OK) status = tcsi_block_decode(out.data, out.size, times_back, value_columns_back, NULL, &err);
        tcsi_buffer_deinit(&out);
        assert_int_equal(tcsi_alloc_trace_stats().live_count, 0);
        tcsi_alloc_trace_end();
        if (status == TCS_OK) break;
        assert_int_equal(status, TCS_E_MEMORY);
        assert_true(fail_at < 10);
    }
}

TCS_TEST_MAIN(cmocka_unit_test(test_real_looking_rows_take_few_bytes), cmocka_unit_test(test_every_kind_of_number_survives),
              cmocka_unit_test(test_edges), cmocka_unit_test(test_damage_is_survived), cmocka_unit_test(test_memory_runs_out))
