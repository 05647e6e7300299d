/* SPDX-License-Identifier: Apache-2.0 */
#include "decide/pareto_interval.h"

#include <math.h>
#include <stdlib.h>

enum { SIDE = 31, CELLS = SIDE * SIDE, ROUNDS = 4, DOUBTS = 3 };

static const double SHAPE_LOW = -0.5, SHAPE_HIGH = 1, REACH = 4; /* deviations */
static const double doubt_offs[DOUBTS] = { -1.7320508075688772, 0, 1.7320508075688772 };
static const double doubt_shares[DOUBTS] = { 1.0 / 6, 2.0 / 3, 1.0 / 6 };

/* An axis of the grid, and what the posterior is along it. */
typedef struct axis {
    double low, high, mean, deviation;
} axis;

typedef struct grid {
    axis shape, log_scale;
    double weights[CELLS]; /* (SIDE shapes, SIDE scales); they sum to 1 */
} grid;

static double place(const axis *a, size_t i)
{
    return a->low + (a->high - a->low) * (double)i / (SIDE - 1);
}

static double log_likelihood(const tcsi_excesses *seen, double scale, double shape)
{
    double sum = 0;
    for (size_t i = 0; i < seen->count; i++) sum += seen->counts[i] * tcsi_pareto_log_survival(seen->values[i], scale, shape);
    return sum * (1 + shape) - seen->total * log(scale);
}

static void weigh(const tcsi_excesses *seen, grid *g)
{
    double best = -INFINITY, sum = 0;
    for (size_t i = 0; i < CELLS; i++) {
        g->weights[i] = log_likelihood(seen, exp(place(&g->log_scale, i % SIDE)), place(&g->shape, i / SIDE));
        best = fmax(best, g->weights[i]);
    }
    for (size_t i = 0; i < CELLS; i++) sum += g->weights[i] = exp(g->weights[i] - best);
    for (size_t i = 0; i < CELLS; i++) g->weights[i] /= sum;
}

/* The mean and deviation along an axis, whose index is i / stride % SIDE; not below half a cell, which is all that can be seen. */
static void measure(const grid *g, size_t stride, axis *a)
{
    double mean = 0, square = 0;
    for (size_t i = 0; i < CELLS; i++) mean += g->weights[i] * place(a, i / stride % SIDE);
    for (size_t i = 0; i < CELLS; i++) {
        const double off = place(a, i / stride % SIDE) - mean;
        square += g->weights[i] * off * off;
    }
    a->mean = mean;
    a->deviation = fmax(sqrt(square), 0.5 * (a->high - a->low) / (SIDE - 1));
}

static void find_grid(const tcsi_excesses *seen, grid *g)
{
    double mean = 0;
    for (size_t i = 0; i < seen->count; i++) mean += seen->counts[i] * seen->values[i] / seen->total;
    const double middle = log(fmax(mean, 1e-9 * seen->highest));
    g->shape = (axis){ .low = SHAPE_LOW, .high = SHAPE_HIGH };
    g->log_scale = (axis){ .low = middle - 2.5, .high = middle + 1.5 }; /* the scale is (1 - shape) means */
    for (int round = 0; round < ROUNDS; round++) {
        weigh(seen, g);
        if (round == ROUNDS - 1) return;
        measure(g, SIDE, &g->shape);
        measure(g, 1, &g->log_scale);
        g->shape.low = fmax(g->shape.mean - REACH * g->shape.deviation, SHAPE_LOW);
        g->shape.high = fmin(g->shape.mean + REACH * g->shape.deviation, SHAPE_HIGH);
        g->log_scale.low = g->log_scale.mean - REACH * g->log_scale.deviation;
        g->log_scale.high = g->log_scale.mean + REACH * g->log_scale.deviation;
    }
}

/* ---- intervals ---- */

typedef struct atom {
    double value, weight;
} atom;

static int compare_atoms(const void *a, const void *b)
{
    const double x = ((const atom *)a)->value, y = ((const atom *)b)->value;
    return (x > y) - (x < y);
}

/* Where the distribution of atoms (count), ascending, of weights that sum to 1, reaches q.  Each stands for its neighbourhood, so that half
 * of its weight lies on either side of it. */
static double reach_of(const atom *atoms, size_t count, double q)
{
    double below = 0, last = 0;
    for (size_t i = 0; i < count; i++) {
        const double middle = below + atoms[i].weight / 2;
        if (middle >= q) {
            const double share = middle > last ? (q - last) / (middle - last) : 1;
            return i == 0 ? atoms[0].value : atoms[i - 1].value + (atoms[i].value - atoms[i - 1].value) * share;
        }
        last = middle;
        below += atoms[i].weight;
    }
    return atoms[count - 1].value;
}

static tcsi_interval central(const atom *atoms, size_t count, double level)
{
    return (tcsi_interval){ reach_of(atoms, count, (1 - level) / 2), reach_of(atoms, count, (1 + level) / 2) };
}

static tcsi_interval shape_interval(const grid *g, double level)
{
    atom shapes[SIDE] = { { 0, 0 } };
    for (size_t i = 0; i < CELLS; i++) shapes[i / SIDE].weight += g->weights[i];
    for (size_t i = 0; i < SIDE; i++) shapes[i].value = place(&g->shape, i);
    return central(shapes, SIDE, level);
}

/* The excess with survival p in (0, 1] of one distribution. */
static double quantile_of(double p, double scale, double shape)
{
    return fabs(shape) < 1e-9 ? -scale * log(p) : scale * expm1(-shape * log(p)) / shape;
}

static tcsi_interval quantile_interval(const grid *g, double p, double doubt, double level)
{
    atom excesses[CELLS * DOUBTS];
    size_t count = 0;
    for (size_t i = 0; i < CELLS; i++)
        for (size_t k = 0; k < DOUBTS; k++) {
            const double chance = fmin(p * exp(doubt_offs[k] * doubt), 1);
            excesses[count++] = (atom){ quantile_of(chance, exp(place(&g->log_scale, i % SIDE)), place(&g->shape, i / SIDE)),
                                        g->weights[i] * doubt_shares[k] };
        }
    qsort(excesses, count, sizeof *excesses, compare_atoms);
    return central(excesses, count, level);
}

void tcsi_pareto_intervals(const tcsi_pareto *pareto, double p, double doubt, double level, tcsi_interval *ret_shape,
                           tcsi_interval *ret_quantile)
{
    grid g;
    *ret_shape = *ret_quantile = (tcsi_interval){ NAN, NAN };
    if (pareto->seen.count == 0) return;
    find_grid(&pareto->seen, &g);
    *ret_shape = shape_interval(&g, level);
    if (p > 0 && p < 1) *ret_quantile = quantile_interval(&g, p, doubt, level);
}

tcsi_tail_doubt tcsi_tail_doubt_of(const tcsi_tail *tail, double threshold, double level)
{
    const double share = threshold > tail->threshold ? tcsi_pareto_survival(&tail->excess, threshold - tail->threshold) : 1;
    tcsi_tail_doubt out = { .shape = tail->excess.seen.count > 0 ? tcsi_pareto_shape(&tail->excess) : NAN };
    tcsi_pareto_intervals(&tail->excess, share, 1 / sqrt(fmax(tail->excess.seen.total, 1)), level, &out.shape_bounds,
                          &out.threshold_bounds);
    out.threshold_bounds.low += tail->threshold;
    out.threshold_bounds.high += tail->threshold;
    return out;
}
