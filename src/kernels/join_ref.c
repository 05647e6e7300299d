/* kernels/join_ref.c -- the join in plain C: the specification of the fast tiers, and what runs on other processors.
 * Row by row; q holds the row's covariances and moves one cell along each diagonal per row.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/join_tier.h"

#include <math.h>
#include <string.h>

/* q(row, column + o) for o < count, from full dot products. */
static void fresh(const tcsi_join_plan *plan, size_t row, size_t column, size_t count, double *q)
{
    const double scale = -2 / (double)plan->window;
    for (size_t o = 0; o < count; o++) q[o] = 0;
    for (size_t k = 0; k < plan->window; k++) {
        const double a = (plan->values[row + k] - plan->mean[row]) * scale, *x = plan->values + column + k;
        for (size_t o = 0; o < count; o++) q[o] += a * x[o];
    }
}

/* q of the row before becomes q of this row, for every column but the first. */
static void advance(double *q, size_t count, double df_row, double dg_row, const double *df, const double *dg)
{
    for (size_t o = count; o-- > 1;) q[o] = q[o - 1] + df_row * dg[o] + dg_row * df[o];
}

static double least(double a, double b)
{
    return a < b ? a : b;
}

/* The distance of cell (row, j), less the row's own energy: C, R or Z as the plan says, and R when it is BOTH. */
static double centred_cell(const tcsi_join_plan *plan, const double *q, size_t begin, size_t j)
{
    return plan->energy[j] + q[j - begin];
}

static double raw_cell(const tcsi_join_plan *plan, size_t row, double centred, size_t j)
{
    double shift = plan->mean[row] - plan->mean[j];
    return centred + shift * shift;
}

static double znorm_cell(const tcsi_join_plan *plan, size_t row, const double *q, size_t begin, size_t j)
{
    return plan->energy[j] + plan->inverse[row] * (q[j - begin] * plan->inverse[j]);
}

/* Columns [begin, end) into the minima of one row.  LANES minima side by side, which a compiler may keep in vectors; the
 * minimum of all does not depend on the order. */
static void record(const tcsi_join_plan *plan, size_t row, const double *q, size_t begin, size_t end, double *first, double *second)
{
    enum { LANES = 8 };
    const size_t whole = begin + (end - begin) / LANES * LANES;
    double a[LANES], b[LANES];
    for (size_t l = 0; l < LANES; l++) a[l] = b[l] = INFINITY;
    if (plan->kind == TCSI_JOIN_BOTH) {
        for (size_t j = begin; j < whole; j += LANES)
            for (size_t l = 0; l < LANES; l++) {
                double centred = centred_cell(plan, q, begin, j + l);
                a[l] = least(centred, a[l]);
                b[l] = least(raw_cell(plan, row, centred, j + l), b[l]);
            }
    } else if (plan->kind == TCSI_JOIN_ZNORM) {
        for (size_t j = begin; j < whole; j += LANES)
            for (size_t l = 0; l < LANES; l++) a[l] = least(znorm_cell(plan, row, q, begin, j + l), a[l]);
    } else {
        for (size_t j = begin; j < whole; j += LANES)
            for (size_t l = 0; l < LANES; l++) a[l] = least(centred_cell(plan, q, begin, j + l), a[l]);
    }
    for (size_t j = whole; j < end; j++) {
        double value = plan->kind == TCSI_JOIN_ZNORM ? znorm_cell(plan, row, q, begin, j) : centred_cell(plan, q, begin, j);
        a[0] = least(value, a[0]);
        if (plan->kind == TCSI_JOIN_BOTH) b[0] = least(raw_cell(plan, row, value, j), b[0]);
    }
    for (size_t l = 0; l < LANES; l++) {
        *first = least(a[l], *first);
        *second = least(b[l], *second);
    }
}

static void strip_run(const tcsi_join_strip *strip)
{
    const tcsi_join_plan *plan = strip->plan;
    const size_t begin = strip->column_begin, end = strip->column_end, e = strip->exclusion;
    double *q = strip->scratch;
    for (size_t i = strip->row_begin; i < strip->row_end; i++) {
        if (i == strip->row_begin) {
            fresh(plan, i, begin, end - begin, q);
        } else {
            advance(q, end - begin, plan->df[i], plan->dg[i], plan->df + begin, plan->dg + begin);
            fresh(plan, begin, i, 1, q);
        }
        double first = INFINITY, second = INFINITY;
        size_t left_end = e == 0 ? end : i + 1 > e ? i + 1 - e : 0, right_begin = i + e;
        if (left_end > end) left_end = end;
        if (left_end > begin) record(plan, i, q, begin, left_end, &first, &second);
        if (e > 0 && !strip->left) {
            if (right_begin < begin) right_begin = begin;
            if (right_begin < end) record(plan, i, q + (right_begin - begin), right_begin, end, &first, &second);
        }
        strip->first[i - strip->row_begin] = first;
        if (strip->second) strip->second[i - strip->row_begin] = second;
    }
}

static double row_dot(const tcsi_join_row *row, const double *x)
{
    double sum = 0;
    for (size_t k = 0; k < row->window; k++) sum += (row->values[k] - row->mean) * x[k];
    return sum * (-2 / (double)row->window);
}

static void row_start(const tcsi_join_row *row, const tcsi_join_stored *stored)
{
    for (size_t o = 0; o < row->window_count; o++) stored->q[o] = row_dot(row, stored->values + o);
}

static void row_push(const tcsi_join_row *row, const tcsi_join_stored *stored, size_t stored_count, double *ret_centred, double *ret_raw)
{
    double centred = INFINITY, raw = INFINITY;
    for (size_t s = 0; s < stored_count; s++) {
        const tcsi_join_stored *one = &stored[s];
        advance(one->q, row->window_count, row->df, row->dg, one->df, one->dg);
        one->q[0] = row_dot(row, one->values);
        for (size_t o = 0; o < row->window_count; o++) {
            double distance = one->energy[o] + one->q[o], shift = row->mean - one->mean[o];
            centred = least(distance, centred);
            raw = least(distance + shift * shift, raw);
        }
    }
    *ret_centred = centred;
    *ret_raw = raw;
}

const tcsi_join_ops tcsi_join_ops_ref = { strip_run, row_start, row_push };
