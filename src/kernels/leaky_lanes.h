/* kernels/leaky_lanes.h -- one row of the leaky join in wide registers; included once per tier by leaky_avx2.c and
 * leaky_avx512.c, which first take their lanes_... operations from lanes_TIER.h.
 * From the highest start down, because q[o - 1] must still be the row before's. */
#include "kernels/leaky_tier.h"
#include "kernels/unroll.h"

#include <math.h>

#define UNROLL TCSI_UNROLL(8)

static double lanes_sum(lanes a)
{
    double parts[LANES], sum = 0;
    lanes_store(parts, a);
    for (size_t l = 0; l < LANES; l++) sum += parts[l];
    return sum;
}

static double lanes_least(lanes a)
{
    double parts[LANES], least = INFINITY;
    lanes_store(parts, a);
    for (size_t l = 0; l < LANES; l++) least = parts[l] < least ? parts[l] : least;
    return least;
}

static double first_q(const double *weighted, const double *values)
{
    lanes sum = lanes_set(0);
    for (size_t k = 0; k < TCSI_LEAKY_WINDOW_MAX; k += LANES) sum = lanes_fma(lanes_load(weighted + k), lanes_load(values + k), sum);
    return lanes_sum(sum);
}

static void run(const tcsi_leaky_step *step, tcsi_leaky_segment *segments, size_t segment_count, double *ret_centred, double *ret_raw)
{
    const lanes decay = lanes_set(step->decay), leaving = lanes_set(step->leaving), entering = lanes_set(step->entering);
    const lanes mean = lanes_set(step->mean), mean_twice = lanes_set(step->mean_twice);
    lanes centred = lanes_set(INFINITY), raw = centred;
    for (size_t s = 0; s < segment_count; s++) {
        tcsi_leaky_segment *one = &segments[s];
        const double *values = one->values, *entered = values + step->window - 1;
        const double first = first_q(one->weighted, step->values);
        lanes high_q = lanes_load(one->q + TCSI_LEAKY_STARTS - LANES), high_x = lanes_load(values + TCSI_LEAKY_STARTS - LANES);
        UNROLL for (size_t o = TCSI_LEAKY_STARTS; o > 0;) {
            o -= LANES;
            lanes low_q = o ? lanes_load(one->q + o - LANES) : high_q, low_x = o ? lanes_load(values + o - LANES) : high_x;
            lanes q = lanes_fma(leaving, lanes_shift(high_x, low_x), lanes_mul(decay, lanes_shift(high_q, low_q)));
            q = lanes_fma(entering, lanes_load(entered + o), q);
            if (o == 0) q = lanes_replace_first(q, first);
            lanes_store(one->q + o, q);
            lanes m = lanes_load(one->mean + o), shift = lanes_sub(mean, m);
            lanes distance = lanes_fma(m, mean_twice, lanes_add(q, lanes_load(one->energy + o)));
            centred = lanes_min(distance, centred);
            raw = lanes_min(lanes_fma(shift, shift, distance), raw);
            high_q = low_q;
            high_x = low_x;
        }
    }
    *ret_centred = lanes_least(centred);
    *ret_raw = lanes_least(raw);
}
