/* kernels/pooling_test.c -- pooling against plain loops, and its gradient against them.  SPDX-License-Identifier: Apache-2.0 */
#include "kernels.h"

#include "kernels/pooling.h"

static const tcsi_pooling shapes[] = {
    { .length = 1, .channels = 1, .window = 1, .stride = 1 },    { .length = 10, .channels = 3, .window = 2, .stride = 2 },
    { .length = 11, .channels = 17, .window = 3, .stride = 2 },  { .length = 9, .channels = 16, .window = 9, .stride = 1 },
    { .length = 20, .channels = 33, .window = 2, .stride = 5 },  { .length = 8, .channels = 0, .window = 3, .stride = 1 },
    { .length = 7, .channels = 8, .window = 3, .stride = 1 },
};

static void test_mean(void **state)
{
    (void)state;
    tcsi_rng rng = tcsi_rng_make(1, 0);
    EACH_ISA(isa)
        for (size_t s = 0; s < TCS_COUNT(shapes); s++)
            for (size_t batch = 0; batch <= 3; batch++) {
                const tcsi_pooling *p = &shapes[s];
                const size_t out = tcsi_pooling_length_out(p), n = batch * p->length * p->channels, m = batch * out * p->channels;
                float *x = guarded_random(&rng, n, 1), *y = guarded(m), *dy = guarded_random(&rng, m, 1), *dx = guarded_random(&rng, n, 1);
                double *expected = calloc(m + 1, sizeof *expected), *slope = calloc(n + 1, sizeof *slope);
                float *sum = guarded_copy(n, dx);
                for (size_t i = 0; i < m; i++)
                    for (size_t k = 0; k < p->window; k++) {
                        size_t b = i / p->channels / out, u = i / p->channels % out;
                        size_t from = (b * p->length + u * p->stride + k) * p->channels + i % p->channels;
                        expected[i] += (double)x[from] / (double)p->window;
                        slope[from] += (double)dy[i] / (double)p->window;
                    }
                tcsi_pooling_forward(isa, p, batch, x, y, NULL);
                assert_all_near("mean", isa, m, expected, y, 3e-7);
                tcsi_pooling_backward(isa, p, batch, dy, NULL, false, dx);
                assert_all_near("gradient of means", isa, n, slope, dx, 5e-7);
                for (size_t i = 0; i < n; i++) slope[i] += (double)sum[i];
                tcsi_pooling_backward(isa, p, batch, dy, NULL, true, sum);
                assert_all_near("gradient of means, accumulated", isa, n, slope, sum, 5e-7);
                free(expected);
                free(slope);
                guarded_release();
            }
}

static void test_max(void **state)
{
    (void)state;
    tcsi_rng rng = tcsi_rng_make(2, 0);
    EACH_ISA(isa)
        for (size_t s = 0; s < TCS_COUNT(shapes); s++)
            for (size_t batch = 0; batch <= 3; batch++) {
                tcsi_pooling p = shapes[s];
                p.is_max = true;
                const size_t out = tcsi_pooling_length_out(&p), n = batch * p.length * p.channels, m = batch * out * p.channels;
                float *x = guarded(n), *y = guarded(m), *dy = guarded_random(&rng, m, 1), *dx = guarded_random(&rng, n, 1);
                uint32_t *where = (uint32_t *)(void *)guarded(m);
                double *slope = calloc(n + 1, sizeof *slope);
                for (size_t i = 0; i < n; i++) x[i] = (float)tcsi_rng_below(&rng, 5) - 2; /* many equals */
                for (size_t i = 0; i < n; i += 13) x[i] = i % 2 ? NAN : -INFINITY;
                tcsi_pooling_forward(isa, &p, batch, x, y, where);
                for (size_t i = 0; i < m; i++) {
                    size_t b = i / p.channels / out, first = i / p.channels % out * p.stride, best = first;
                    const float *column = x + b * p.length * p.channels + i % p.channels;
                    for (size_t t = first; t < first + p.window; t++) {
                        float a = column[t * p.channels], best_yet = column[best * p.channels];
                        if (a > best_yet || (isnan(a) && !isnan(best_yet))) best = t;
                    }
                    assert_int_equal(where[i], best);
                    assert_true(same_bits(y[i], column[best * p.channels]));
                    slope[(b * p.length + best) * p.channels + i % p.channels] += (double)dy[i];
                }
                tcsi_pooling_backward(isa, &p, batch, dy, where, false, dx);
                assert_all_near("gradient of maxima", isa, n, slope, dx, 5e-7);
                free(slope);
                guarded_release();
            }
}

TCS_TEST_MAIN(cmocka_unit_test(test_mean), cmocka_unit_test(test_max))
