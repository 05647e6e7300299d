/* simulate/generator.h -- what families of normal behaviour (normal.h) share: the series in the making, and draws. */
#ifndef TCS_SIMULATE_GENERATOR_H
#define TCS_SIMULATE_GENERATOR_H

#include "simulate/normal.h"
#include "simulate/shape.h"

#include <math.h>

typedef struct tcsi_generator {
    tcsi_rng *rng;
    size_t count, period;
    double *x;                      /* (count) the result */
    double *wave, *shape, *scratch; /* (count + room for templates) each */
    double *other;                  /* the same: a second series, of a mixture */
    double noise;                   /* deviation of the noise added at the end */
} tcsi_generator;

static inline double tcsi_generator_uniform(tcsi_generator *g, double low, double high)
{
    return tcsi_rng_range(g->rng, low, high);
}

static inline double tcsi_generator_log_uniform(tcsi_generator *g, double low, double high)
{
    return low * pow(high / low, tcsi_rng_uniform(g->rng));
}

static inline bool tcsi_generator_chance(tcsi_generator *g, double probability)
{
    return tcsi_rng_uniform(g->rng) < probability;
}

/* low..high - 1 */
static inline size_t tcsi_generator_pick(tcsi_generator *g, size_t low, size_t high)
{
    return low + tcsi_rng_below(g->rng, high - low);
}

static inline size_t tcsi_generator_smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* One new template of template_count values, repeated. */
void tcsi_generator_repeat(tcsi_generator *g, tcsi_shape_kind kind, size_t template_count, double jitter, double amplitude, double *ret);
void tcsi_generator_walk(tcsi_generator *g, double step, double *ret);

/* A family into g->x, standardized. */
void tcsi_generator_run(tcsi_generator *g, tcsi_family family);

#define X(family, function, name, share) void tcsi_family_##function(tcsi_generator *g);
TCSI_FAMILY_LIST(X)
#undef X

#endif
