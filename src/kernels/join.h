/* kernels/join.h -- similarity joins of sub-sequences: for every window of a series, how near is its nearest neighbour?
 *
 * Windows i and j of length w of one series x, with means m, variances v and covariance cov(i,j), are compared by
 *     CENTRED  C = v_i + v_j - 2 cov(i,j)                mean squared difference after removing each mean
 *     RAW      R = C + (m_i - m_j)^2                     mean squared difference
 *     ZNORM    Z = a_i + a_j - 2 cov(i,j) / (s_i s_j)    s = max(deviation, floor), a = v / s^2 (1 unless floored);
 *                                                        w Z is the squared z-normalized Euclidean distance
 * A join gives, per row i, the minimum over a range of columns j.  tcsi_join_over_segments takes the minimum in each of several
 * short ranges ("segments") and keeps the smallest few of those minima, tcsi_join_over_all takes all other windows (the matrix
 * profile), tcsi_join_over_past only earlier ones, tcsi_join_row is one new window against stored segments (streaming).
 *
 * How: q(i,j) = -2 cov(i,j) obeys q(i,j) = q(i-1,j-1) + df_i dg_j + dg_i df_j along each diagonal, where df and dg are
 * made of differences from the means, so that a cell costs two multiply-adds plus the two to four operations of its
 * distance.  Source: Z. Zimmerman et al., "Matrix profile XIV: scaling time series motif discovery with GPUs", SoCC 2019
 * (SCAMP), equations 1-3; the recurrence is STOMP's (Y. Zhu et al., ICDM 2016), without its cancellation.
 *
 * Everything is double precision on values scaled to [-1, 1]: single precision would halve the work, but one spike of
 * 1,000 deviations would then drown all windows on its diagonals.  Diagonals start afresh from full dot products at every
 * segment and every block of rows.  Error of C, R and Z against long double: below 1e-12 of the largest distance (kernels/join_test.c);
 * an exact repeat comes out below 2e-15 of the squared largest value.
 * Tiers (kernels/isa.h) agree to 1e-12.  Work is cut into blocks of rows: the same bits for any number of threads. */
#ifndef TCS_KERNELS_JOIN_H
#define TCS_KERNELS_JOIN_H

#include "base/pool.h"
#include "kernels/isa.h"

typedef enum tcsi_join_kind {
    TCSI_JOIN_CENTRED, /* C */
    TCSI_JOIN_RAW,     /* R */
    TCSI_JOIN_BOTH,    /* C and R in one pass */
    TCSI_JOIN_ZNORM,   /* Z */
} tcsi_join_kind;

/* The windows of one series, prepared for one kind of join.  All arrays but values have window_count entries and are
 * followed by padding, so that kernels may read (and ignore) a few cells beyond the end. */
typedef struct tcsi_join_plan {
    tcsi_join_kind kind;
    size_t value_count, window, window_count;
    double unit;        /* values were divided by this: distances are in units of unit^2 (ZNORM: pure numbers) */
    double *values;     /* (value_count), centred and scaled */
    double *mean;       /* of the window; what q subtracts: all 0 when kind is RAW */
    double *energy;     /* v, or v + m^2 when RAW, or a when ZNORM */
    double *df, *dg;    /* of the recurrence; 0 for window 0, which has no predecessor */
    double *inverse;    /* ZNORM: 1 / s, or 0 where s is 0; otherwise NULL */
    double *memory;     /* the one block they live in */
} tcsi_join_plan;

/* values: (value_count), finite, at most TCS_VALUE_MAX; not kept.  1 <= window <= value_count.
 * deviation_floor: ZNORM only, >= 0, in units of values; windows whose deviation is 0 (relative to the largest value of
 * the series, below 1e-12) then have a = 0: distance 0 from each other and Z = 1 from all others.
 * E_INVALID: window or values out of range; E_MEMORY. */
tcs_status tcsi_join_plan_init(tcsi_join_plan *plan, tcsi_join_kind kind, const double *values, size_t value_count, size_t window,
                               double deviation_floor, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_join_plan_deinit(tcsi_join_plan *plan); /* accepts a zeroed struct */

typedef struct tcsi_join_segment {
    size_t begin, count; /* windows [begin, begin + count), inside the plan's, count >= 1 */
} tcsi_join_segment;

enum { TCSI_JOIN_KEEP_MAX = 4 };

/* Of each segment's minimum, row i keeps the smallest keep_count (1..TCSI_JOIN_KEEP_MAX), ascending; a segment [b, b + n) is
 * left out for rows i with b <= i + exclusion and i < b + n + exclusion.  ret_first, ret_second: (keep_count, window_count); slots that no
 * segment filled are INFINITY.  ret_first receives C, R or Z; ret_second R when kind is BOTH, otherwise NULL.
 * Cost: window_count * sum of counts cells.  E_INVALID: a segment outside; E_MEMORY. */
tcs_status tcsi_join_over_segments(const tcsi_join_plan *plan, const tcsi_join_segment *segments, size_t segment_count, size_t exclusion,
                              size_t keep_count, tcsi_pool *pool, double *ret_first, double *ret_second, tcs_error *err) TCS_WARN_UNUSED;

/* Nearest neighbour among all j with |i - j| >= exclusion (>= 1), INFINITY where there is none.  ret_first: (window_count),
 * ret_second as above.  Cost: window_count^2 cells. */
tcs_status tcsi_join_over_all(const tcsi_join_plan *plan, size_t exclusion, tcsi_pool *pool, double *ret_first, double *ret_second,
                          tcs_error *err) TCS_WARN_UNUSED;

/* The same among j <= i - exclusion only: causal. */
tcs_status tcsi_join_over_past(const tcsi_join_plan *plan, size_t exclusion, tcsi_pool *pool, double *ret_first, double *ret_second,
                          tcs_error *err) TCS_WARN_UNUSED;

/* ---- one row at a time, for streams ---- */

/* A stored segment of window_count windows, arrays padded to a multiple of TCSI_JOIN_ROW_PAD; the caller owns the memory.
 * Padding: df = dg = q = mean = 0, energy = 1e300. */
enum { TCSI_JOIN_ROW_PAD = 8 };

typedef struct tcsi_join_stored {
    const double *values;             /* (window_count + window - 1) */
    const double *mean, *energy, *df, *dg;
    double *q;                        /* in: -2 cov with the previous row's window; out: with this row's */
} tcsi_join_stored;

typedef struct tcsi_join_row {
    size_t window, window_count;      /* of every stored segment */
    const double *values;             /* (window) of the new row */
    double mean, energy, df, dg;      /* of the new row: df = -(x_in - x_out) / window, dg = (x_in - m) + (x_out - m_previous) */
} tcsi_join_row;

/* Fills q afresh, as tcsi_join_row_push would have left it. */
void tcsi_join_row_start(tcsi_isa isa, const tcsi_join_row *row, const tcsi_join_stored *stored);
/* Advances every q and returns the least C - row.energy and R - row.energy over all windows of all segments
 * (INFINITY when there are none). */
void tcsi_join_row_push(tcsi_isa isa, const tcsi_join_row *row, const tcsi_join_stored *stored, size_t stored_count, double *ret_centred,
                        double *ret_raw);

/* ---- for tests and benchmarks: the joins above with a chosen tier ---- */

typedef struct tcsi_join_range {
    const tcsi_join_segment *segments; /* NULL: one range with every window */
    size_t segment_count, exclusion, keep_count;
    bool cell_exclusion;               /* exclusion counts cells |i - j|, not whole segments */
    bool left;                         /* only j <= i - exclusion */
} tcsi_join_range;

tcs_status tcsi_join_run(tcsi_isa isa, const tcsi_join_plan *plan, const tcsi_join_range *range, tcsi_pool *pool, double *ret_first,
                         double *ret_second, tcs_error *err) TCS_WARN_UNUSED;

#endif
