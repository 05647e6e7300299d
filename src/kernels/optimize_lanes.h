/* kernels/optimize_lanes.h -- the loops of kernels/optimize.h; included once per tier by cells_TIER.c.
 * The order of operations is PyTorch's; scalars are computed in double and rounded once, as there. */
#include "kernels/cells_lanes.h"

static void adamw_step(const tcsi_adamw *rule, size_t count, const float *gradient, float *weights, float *moment1, float *moment2)
{
    const double correction1 = 1 - pow(rule->beta1, (double)rule->step), correction2 = 1 - pow(rule->beta2, (double)rule->step);
    const floats scale = floats_set((float)rule->gradient_scale), keep = floats_set((float)(1 - rule->rate * rule->decay));
    const floats toward = floats_set((float)(1 - rule->beta1)), beta2 = floats_set((float)rule->beta2);
    const floats fresh = floats_set((float)(1 - rule->beta2)), root = floats_set((float)sqrt(correction2));
    const floats step = floats_set((float)(-rule->rate / correction1)), epsilon = floats_set((float)rule->epsilon);
    EACH(i, n, count, {
        floats g = floats_mul(load(gradient + i, n), scale), w = floats_mul(load(weights + i, n), keep);
        floats m = load(moment1 + i, n), v = floats_mul(load(moment2 + i, n), beta2);
        m = floats_fma(toward, floats_sub(g, m), m);
        v = floats_fma(floats_mul(fresh, g), g, v);
        w = floats_fma(step, floats_div(m, floats_add(floats_div(floats_sqrt(v), root), epsilon)), w);
        store(moment1 + i, m, n);
        store(moment2 + i, v, n);
        store(weights + i, w, n);
    });
}

static void sgd_step(const tcsi_sgd *rule, size_t count, const float *gradient, float *weights, float *velocity)
{
    const floats scale = floats_set((float)rule->gradient_scale), decay = floats_set((float)rule->decay);
    const floats momentum = floats_set((float)rule->momentum), step = floats_set((float)-rule->rate);
    EACH(i, n, count, {
        floats w = load(weights + i, n), g = floats_fma(decay, w, floats_mul(load(gradient + i, n), scale));
        floats u = floats_fma(momentum, load(velocity + i, n), g);
        store(velocity + i, u, n);
        store(weights + i, floats_fma(step, rule->nesterov ? floats_fma(momentum, u, g) : u, w), n);
    });
}
