/* simulate/shape.h -- the raw material of simulated series: smoothing, one-cycle templates, their repetition, coloured noise.
 * Everything is a function of the generator handed in.  Work space is the caller's. */
#ifndef TCS_SIMULATE_SHAPE_H
#define TCS_SIMULATE_SHAPE_H

#include "base/rng.h"
#include "base/status.h"

/* One cycle of something.  ANY draws one. */
typedef enum tcsi_shape_kind {
    TCSI_SHAPE_HARMONICS, /* a few sines with falling amplitudes */
    TCSI_SHAPE_BUMPS,     /* narrow bells on a flat line, as in an electrocardiogram */
    TCSI_SHAPE_CURVE,     /* a smoothed closed random walk */
    TCSI_SHAPE_DUTY,      /* piecewise constant */
    TCSI_SHAPE_WEDGE,     /* rise and fall to a corner */
    TCSI_SHAPE_KIND_COUNT,
    TCSI_SHAPE_ANY = TCSI_SHAPE_KIND_COUNT,
} tcsi_shape_kind;

/* To mean 0 and deviation 1; a constant becomes 0. */
void tcsi_shape_standardize(double *values, size_t count);

/* Two moving means of half the width: a triangular kernel of about that width.  width < 2 does nothing.  scratch: (count). */
void tcsi_shape_smooth(double *values, size_t count, size_t width, double *scratch);

/* ret: (count) standardized; count >= 2.  scratch: (count). */
void tcsi_shape_template(tcsi_rng *rng, tcsi_shape_kind kind, double *ret, size_t count, double *scratch);

/* Lays cycles end to end until count values are filled, beginning somewhere inside the first.  templates: several of template_count
 * values each, used in the order given (order NULL: only the first).  Every cycle is stretched by 1 + jitter * normal and scaled by
 * 1 + amplitude * normal. */
typedef struct tcsi_shape_cycles {
    const double *templates;
    size_t template_count;
    const size_t *order;
    size_t order_count;
    double jitter, amplitude;
} tcsi_shape_cycles;
void tcsi_shape_repeat(tcsi_rng *rng, const tcsi_shape_cycles *cycles, double *ret, size_t count);

/* A stationary autoregression of the given order 1..4 (0: drawn), standardized. */
void tcsi_shape_autoregression(tcsi_rng *rng, size_t order, double *ret, size_t count);

double tcsi_shape_student(tcsi_rng *rng, int degrees); /* of freedom, >= 1 */

#endif
