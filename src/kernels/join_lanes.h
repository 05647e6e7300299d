/* kernels/join_lanes.h -- the join for processors with wide registers; included once per tier by join_avx2.c and
 * join_avx512.c, which first define BLOCKS and, by lanes_TIER.h, LANES and the lanes_... operations on a register of doubles.
 *
 * GROUP = LANES * BLOCKS consecutive rows are walked together from column to column: lane l of the group's registers
 * holds q(row + l, j).  Going to column j + 1 every lane takes its neighbour's value (q moves along diagonals), lane 0 takes
 * what the last lane of the group above left in boundary[j + 1], and two multiply-adds update all of them.  Minima over
 * columns therefore stay in registers, lane by lane, without any reduction; rows share one broadcast per column value; the
 * blocks are independent chains that hide the latency of shift and multiply-adds.
 * Per LANES cells: 1 shift, 2 multiply-adds, and 2 (C or R), 5 (both) or 3 (Z) operations. */
#include "kernels/join_tier.h"
#include "kernels/unroll.h"

#include <math.h>
#include <string.h>

enum { GROUP = LANES * BLOCKS };

#define UNROLL TCSI_UNROLL(8)

#define INLINE static inline __attribute__((always_inline))

/* Walks q(row, column + o), o < count, from full dot products; out needs room for count only. */
static void fresh(const tcsi_join_plan *plan, size_t row, size_t column, size_t count, double *out)
{
    const double scale = -2 / (double)plan->window, mean = plan->mean[row], *x = plan->values + row;
    double block[GROUP];
    for (size_t o = 0; o < count; o += GROUP) {
        const double *y = plan->values + column + o;
        lanes sum[BLOCKS];
        UNROLL for (size_t b = 0; b < BLOCKS; b++) sum[b] = lanes_set(0);
        for (size_t k = 0; k < plan->window; k++) {
            lanes a = lanes_set((x[k] - mean) * scale);
            UNROLL for (size_t b = 0; b < BLOCKS; b++) sum[b] = lanes_fma(a, lanes_load(y + k + b * LANES), sum[b]);
        }
        size_t rest = count - o < GROUP ? count - o : GROUP;
        UNROLL for (size_t b = 0; b < BLOCKS; b++) lanes_store(block + b * LANES, sum[b]);
        memcpy(out + o, block, rest * sizeof *out);
    }
}

/* The group's state between two sweeps. */
typedef struct group {
    double q[GROUP];                      /* of the column that comes next */
    double first[GROUP], second[GROUP];   /* minima so far */
} group;

/* Columns [begin, end): with record, into the minima; q and boundary move on.  boundary[0] belongs to column begin. */
INLINE void sweep(const tcsi_join_plan *plan, tcsi_join_kind kind, bool record, size_t row, size_t begin, size_t end, double *boundary,
                  group *state)
{
    lanes q[BLOCKS], first[BLOCKS], second[BLOCKS], df_row[BLOCKS], dg_row[BLOCKS], own[BLOCKS];
    const double *df = plan->df, *dg = plan->dg, *energy = plan->energy, *mean = plan->mean, *inverse = plan->inverse;
    UNROLL for (size_t b = 0; b < BLOCKS; b++) {
        q[b] = lanes_load(state->q + b * LANES);
        first[b] = lanes_load(state->first + b * LANES);
        if (kind == TCSI_JOIN_BOTH) second[b] = lanes_load(state->second + b * LANES);
        df_row[b] = lanes_load(df + row + b * LANES);
        dg_row[b] = lanes_load(dg + row + b * LANES);
        if (kind == TCSI_JOIN_BOTH) own[b] = lanes_load(mean + row + b * LANES);
        if (kind == TCSI_JOIN_ZNORM) own[b] = lanes_load(inverse + row + b * LANES);
    }
    for (size_t j = begin; j < end; j++) {
        double *entry = boundary + (j - begin) + 1;
        lanes energy_j = lanes_set(energy[j]);
        UNROLL for (size_t b = 0; record && b < BLOCKS; b++) {
            if (kind == TCSI_JOIN_ZNORM) {
                first[b] = lanes_min(lanes_fma(own[b], lanes_mul(q[b], lanes_set(inverse[j])), energy_j), first[b]);
            } else {
                lanes distance = lanes_add(q[b], energy_j);
                first[b] = lanes_min(distance, first[b]);
                if (kind == TCSI_JOIN_BOTH) {
                    lanes shift = lanes_sub(own[b], lanes_set(mean[j]));
                    second[b] = lanes_min(lanes_fma(shift, shift, distance), second[b]);
                }
            }
        }
        lanes above = lanes_set(*entry), df_j = lanes_set(df[j + 1]), dg_j = lanes_set(dg[j + 1]);
        *entry = lanes_last(q[BLOCKS - 1]);
        UNROLL for (size_t b = BLOCKS; b-- > 0;) {
            q[b] = lanes_shift(q[b], b ? q[b - 1] : above);
            q[b] = lanes_fma(dg_row[b], df_j, lanes_fma(df_row[b], dg_j, q[b]));
        }
    }
    UNROLL for (size_t b = 0; b < BLOCKS; b++) {
        lanes_store(state->q + b * LANES, q[b]);
        if (record) lanes_store(state->first + b * LANES, first[b]);
        if (record && kind == TCSI_JOIN_BOTH) lanes_store(state->second + b * LANES, second[b]);
    }
}

static void sweep_single(const tcsi_join_plan *plan, size_t row, size_t begin, size_t end, double *boundary, group *state)
{
    sweep(plan, TCSI_JOIN_CENTRED, true, row, begin, end, boundary, state);
}

static void sweep_both(const tcsi_join_plan *plan, size_t row, size_t begin, size_t end, double *boundary, group *state)
{
    sweep(plan, TCSI_JOIN_BOTH, true, row, begin, end, boundary, state);
}

static void sweep_znorm(const tcsi_join_plan *plan, size_t row, size_t begin, size_t end, double *boundary, group *state)
{
    sweep(plan, TCSI_JOIN_ZNORM, true, row, begin, end, boundary, state);
}

/* The recurrence alone, across excluded cells. */
static void sweep_carry(const tcsi_join_plan *plan, size_t row, size_t begin, size_t end, double *boundary, group *state)
{
    sweep(plan, TCSI_JOIN_CENTRED, false, row, begin, end, boundary, state);
}

typedef void (*sweep_function)(const tcsi_join_plan *plan, size_t row, size_t begin, size_t end, double *boundary, group *state);

static sweep_function sweep_for(tcsi_join_kind kind)
{
    switch (kind) {
    case TCSI_JOIN_CENTRED:
    case TCSI_JOIN_RAW: return sweep_single;
    case TCSI_JOIN_BOTH: return sweep_both;
    case TCSI_JOIN_ZNORM: return sweep_znorm;
    }
    return sweep_single;
}

/* Column j of a group in which only some rows may use it: those with |i - j| >= exclusion (left: j <= i - exclusion). */
static void record_some(const tcsi_join_strip *strip, size_t row, size_t j, group *state)
{
    const tcsi_join_plan *plan = strip->plan;
    for (size_t l = 0; l < GROUP; l++) {
        size_t i = row + l;
        bool allowed = i >= j + strip->exclusion || (!strip->left && j >= i + strip->exclusion);
        if (!allowed) continue;
        double distance = plan->energy[j] + state->q[l];
        if (plan->kind == TCSI_JOIN_ZNORM) distance = plan->energy[j] + plan->inverse[i] * (state->q[l] * plan->inverse[j]);
        if (distance < state->first[l]) state->first[l] = distance;
        if (plan->kind != TCSI_JOIN_BOTH) continue;
        double shift = plan->mean[i] - plan->mean[j];
        distance += shift * shift;
        if (distance < state->second[l]) state->second[l] = distance;
    }
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* The columns of one group around the diagonal, [begin, end), where cells are judged one by one or all excluded. */
static void sweep_band(const tcsi_join_strip *strip, size_t row, size_t begin, size_t end, double *boundary, group *state)
{
    const size_t e = strip->exclusion, last = row + GROUP - 1;
    size_t closed_begin = last + 1 > e ? last + 1 - e : 0, closed_end = strip->left ? end : row + e; /* no row may use these */
    for (size_t j = begin; j < end;) {
        size_t next = j + 1;
        if (j >= closed_begin && j < closed_end) next = smaller(end, closed_end);
        else record_some(strip, row, j, state);
        sweep_carry(strip->plan, row, j, next, boundary + (j - strip->column_begin), state);
        j = next;
    }
}

/* One group of rows over all its columns; [begin, end) without an exclusion. */
static void group_run(const tcsi_join_strip *strip, size_t row, size_t end, group *state)
{
    const tcsi_join_plan *plan = strip->plan;
    const size_t begin = strip->column_begin, e = strip->exclusion;
    sweep_function run = sweep_for(plan->kind);
    double *boundary = strip->scratch;
    fresh(plan, begin, row, GROUP, state->q);
    for (size_t l = 0; l < GROUP; l++) state->first[l] = state->second[l] = INFINITY;
    if (e == 0) {
        run(plan, row, begin, end, boundary, state);
        return;
    }
    size_t open_end = smaller(end, larger(begin, row + 1 > e ? row + 1 - e : 0)); /* columns every row may use, left of the band */
    size_t open_begin = strip->left ? end : smaller(end, larger(open_end, row + GROUP - 1 + e)); /* and right of it */
    run(plan, row, begin, open_end, boundary, state);
    sweep_band(strip, row, open_end, open_begin, boundary, state);
    run(plan, row, open_begin, end, boundary + (open_begin - begin), state);
}

static void strip_run(const tcsi_join_strip *strip)
{
    const tcsi_join_plan *plan = strip->plan;
    const size_t begin = strip->column_begin;
    size_t ready = 0; /* boundary[o] is valid for o < ready: it holds q(row - 1, begin + o - 1), or q(0, begin + o) for row 0 */
    group state;
    for (size_t row = strip->row_begin; row < strip->row_end; row += GROUP) {
        size_t end = strip->column_end;
        if (strip->left) {
            size_t last = row + GROUP; /* one past the last row; no row uses columns beyond last - 1 - exclusion */
            end = smaller(end, larger(begin, last > strip->exclusion ? last - strip->exclusion : 0));
        }
        size_t needed = end - begin;
        if (needed > 0) {
            if (needed > ready && row == 0) fresh(plan, 0, begin + ready, needed - ready, strip->scratch + ready);
            else if (needed > ready && ready == 0) fresh(plan, row - 1, begin, needed - 1, strip->scratch + 1);
            else if (needed > ready) fresh(plan, row - 1, begin + ready - 1, needed - ready, strip->scratch + ready);
            strip->scratch[needed] = 0; /* read, but for a column nobody looks at */
            ready = needed;
        }
        if (needed > 0) group_run(strip, row, end, &state);
        else
            for (size_t l = 0; l < GROUP; l++) state.first[l] = state.second[l] = INFINITY;
        size_t count = smaller(GROUP, strip->row_end - row), offset = row - strip->row_begin;
        memcpy(strip->first + offset, state.first, count * sizeof(double));
        if (strip->second) memcpy(strip->second + offset, state.second, count * sizeof(double));
    }
}

/* ---- one row at a time ---- */

static double row_dot(const tcsi_join_row *row, const double *x)
{
    lanes sum = lanes_set(0), mean = lanes_set(row->mean);
    size_t k = 0;
    for (; k + LANES <= row->window; k += LANES)
        sum = lanes_fma(lanes_sub(lanes_load(row->values + k), mean), lanes_load(x + k), sum);
    double parts[LANES], total = 0;
    lanes_store(parts, sum);
    for (; k < row->window; k++) total += (row->values[k] - row->mean) * x[k];
    for (size_t l = 0; l < LANES; l++) total += parts[l];
    return total * (-2 / (double)row->window);
}

static void row_start(const tcsi_join_row *row, const tcsi_join_stored *stored)
{
    for (size_t o = 0; o < row->window_count; o++) stored->q[o] = row_dot(row, stored->values + o);
}

/* From the highest column down, because q[o - 1] must still be the previous row's. */
static void row_push(const tcsi_join_row *row, const tcsi_join_stored *stored, size_t stored_count, double *ret_centred, double *ret_raw)
{
    const size_t padded = (row->window_count + TCSI_JOIN_ROW_PAD - 1) / TCSI_JOIN_ROW_PAD * TCSI_JOIN_ROW_PAD;
    const lanes df_row = lanes_set(row->df), dg_row = lanes_set(row->dg), own = lanes_set(row->mean);
    lanes centred = lanes_set(INFINITY), raw = centred;
    for (size_t s = 0; s < stored_count; s++) {
        const tcsi_join_stored *one = &stored[s];
        double entering = row_dot(row, one->values);
        for (size_t o = padded; o > 0;) {
            o -= LANES;
            lanes previous = o ? lanes_load(one->q + o - 1) : lanes_shift(lanes_load(one->q), lanes_set(0));
            lanes q = lanes_fma(dg_row, lanes_load(one->df + o), lanes_fma(df_row, lanes_load(one->dg + o), previous));
            if (o == 0) q = lanes_replace_first(q, entering);
            lanes_store(one->q + o, q);
            lanes distance = lanes_add(q, lanes_load(one->energy + o)), shift = lanes_sub(own, lanes_load(one->mean + o));
            centred = lanes_min(distance, centred);
            raw = lanes_min(lanes_fma(shift, shift, distance), raw);
        }
        /* The padding took the last real covariance; it must stay harmless. */
        for (size_t o = row->window_count; o < padded; o++) one->q[o] = 0;
    }
    double parts[2][LANES];
    lanes_store(parts[0], centred);
    lanes_store(parts[1], raw);
    for (size_t l = 1; l < LANES; l++) {
        if (parts[0][l] < parts[0][0]) parts[0][0] = parts[0][l];
        if (parts[1][l] < parts[1][0]) parts[1][0] = parts[1][l];
    }
    *ret_centred = parts[0][0];
    *ret_raw = parts[1][0];
}
