/* kernels/leaky.h -- how near is the newest window to windows of the past, when recent values count more than older ones?
 *
 * The window that starts at i holds W values; its k-th value has the weight lambda^(W-1-k), so that the newest has 1.  With S the
 * sum of the weights, m and v the weighted mean and variance of a window,
 *     CENTRED  C(i,j) = v_i + v_j - 2 (q(i,j) / S - m_i m_j)       weighted mean squared difference, each mean removed
 *     RAW      R(i,j) = C(i,j) + (m_i - m_j)^2                     weighted mean squared difference
 * where q(i,j) = sum over k of weight_k x[i+k] x[j+k].  Exponential weights give q a recurrence along each diagonal,
 *     q(i+1,j+1) = lambda (q(i,j) - weight_0 x[i] x[j]) + x[i+W] x[j+W],
 * so that one new window costs a handful of operations per stored window, whatever W is.  Because lambda < 1 the recurrence
 * forgets its own rounding: nothing has to be started afresh, however long the stream is.
 * The recurrence is STOMP's (Y. Zhu et al., "Matrix profile II", ICDM 2016) with the decay of an exponentially weighted moving
 * average put in.
 *
 * Stored windows come in segments of TCSI_LEAKY_STARTS consecutive starts, one struct each, laid out for whole registers.
 * Values should be of order 1 (at most 1e6): error is relative to the square of the largest value in reach.
 * Tiers (kernels/isa.h) agree to 1e-12 of the largest variance; one tier always gives the same bits.
 * Cost: 64 cells a segment, each of 8 operations, and W multiply-adds.  Threads: one user per segment. */
#ifndef TCS_KERNELS_LEAKY_H
#define TCS_KERNELS_LEAKY_H

#include "kernels/isa.h"

enum {
    TCSI_LEAKY_STARTS = 64,      /* windows in a segment */
    TCSI_LEAKY_WINDOW_MAX = 56,  /* W at most */
    TCSI_LEAKY_VALUES = TCSI_LEAKY_STARTS + TCSI_LEAKY_WINDOW_MAX,
    TCSI_LEAKY_ALIGNMENT = 64,   /* bytes; segments that start there are fastest, others work too */
};

/* What all windows of one join share. */
typedef struct tcsi_leaky_rule {
    size_t window;                         /* W */
    double weights[TCSI_LEAKY_WINDOW_MAX]; /* zeros beyond W */
    double sum;                            /* S */
    double decay, decay_window;            /* lambda, lambda^W */
} tcsi_leaky_rule;

/* 1 <= window <= TCSI_LEAKY_WINDOW_MAX; time_constant > 0 in values: lambda = exp(-1 / time_constant). */
tcsi_leaky_rule tcsi_leaky_rule_make(size_t window, double time_constant);

/* 64 stored windows: start o covers values[o] .. values[o + W - 1]. */
typedef struct tcsi_leaky_segment {
    double values[TCSI_LEAKY_VALUES];        /* zeros beyond 64 + W - 1 */
    double weighted[TCSI_LEAKY_WINDOW_MAX];  /* -2 / S weight_k values[k]: gives q of the first window */
    double mean[TCSI_LEAKY_STARTS], energy[TCSI_LEAKY_STARTS]; /* m; v */
    double q[TCSI_LEAKY_STARTS];             /* -2 / S q(i, o) of the newest window i pushed */
} tcsi_leaky_segment;

/* Weighted mean and variance (at least 1e-12) of the window values[0..W-1]. */
void tcsi_leaky_moments(const tcsi_leaky_rule *rule, const double *values, double *ret_mean, double *ret_variance);

/* Stores past[0 .. 64 + W - 2]; newest[0 .. W - 1] is the window that was pushed last, or whose successor will be first. */
void tcsi_leaky_segment_fill(const tcsi_leaky_rule *rule, tcsi_leaky_segment *segment, const double *past, const double *newest);

typedef struct tcsi_leaky_row {
    const double *values; /* (TCSI_LEAKY_WINDOW_MAX) readable and finite: the newest window is the first W of them */
    double leaving;       /* the value before it */
    double mean;          /* its weighted mean */
} tcsi_leaky_row;

/* Moves every segment on to the new window and returns the least C - v and R - v of it (INFINITY when there are no segments). */
void tcsi_leaky_push(tcsi_isa isa, const tcsi_leaky_rule *rule, const tcsi_leaky_row *row, tcsi_leaky_segment *segments,
                     size_t segment_count, double *ret_centred, double *ret_raw);

#endif
