/* kernels/pooling_lanes.h -- the loops of kernels/pooling.h over the channels of one output row; included once per tier by
 * cells_TIER.c. */
#include "kernels/cells_lanes.h"

/* y (C) = the mean of rows x (window,C). */
static void pool_mean(size_t window, size_t channels, const float *x, float *y)
{
    const floats share = floats_set(1 / (float)window);
    EACH(c, n, channels, {
        floats sum = load(x + c, n);
        for (size_t k = 1; k < window; k++) sum = floats_add(sum, load(x + k * channels + c, n));
        store(y + c, floats_mul(sum, share), n);
    });
}

/* y (C) = the maximum of rows x (window,C), where (C) = first + its row. */
static void pool_max(size_t window, size_t channels, size_t first, const float *x, float *y, uint32_t *where)
{
    EACH(c, n, channels, {
        floats best = load(x + c, n);
        ints at = ints_set((int32_t)first);
        for (size_t k = 1; k < window; k++) {
            floats a = load(x + k * channels + c, n);
            mask better = mask_or(floats_less(best, a), mask_and(floats_is_nan(a), floats_equal(best, best)));
            best = floats_select(better, a, best);
            at = ints_select(better, ints_set((int32_t)(first + k)), at);
        }
        store_ints(where + c, at, n);
        store(y + c, best, n);
    });
}
