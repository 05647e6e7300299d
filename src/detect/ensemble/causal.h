/* detect/ensemble/causal.h -- one channel's online score: ten causal members, each judged by its own past, added up.
 *
 *   joins    C at spans L, L/2, L/4, L/8 and R at L, L/2, L/4 (detect/ensemble/leaky_join.h): unlike anything before, in shape or
 *            in shape and level; L is the period of the training rows
 *   A        root mean square of what a recursive regression could not foresee (detect/window/ar.h), over the last 0.02 L, 0.1 L
 *            and 0.35 L rows
 * A member's value v becomes Z = (v - m) / (deviation + 0.05 |m|) by the moments of its own values on earlier rows, and then
 * T = Z^1.25 above 0, Z / 10 below: far outliers count more, ordinary rows hardly take anything away.  The score is
 *     [ sum of all T + 2 max over joins + max over A ] t / (t + N),      N training rows, t rows seen,
 * so that a member that knows little yet is not believed much.
 * Rows are standardized by mean and deviation of the training rows; when those are constant, by the first deviation seen.
 * Cost: about 64 J cells a row at short periods, less at long ones (microseconds).  Memory: about 0.25 MB a span, four of them,
 * allocated at init.  Threads: one user per struct. */
#ifndef TCS_DETECT_CAUSAL_H
#define TCS_DETECT_CAUSAL_H

#include "detect/ensemble/leaky_join.h"
#include "detect/window/ar.h"

enum {
    TCSI_CAUSAL_SPANS = 4,
    TCSI_CAUSAL_JOINS = 7,
    TCSI_CAUSAL_RESIDUALS = 3,
    TCSI_CAUSAL_MEMBERS = TCSI_CAUSAL_JOINS + TCSI_CAUSAL_RESIDUALS,
    TCSI_CAUSAL_PAST = 128, /* squared residuals kept: more than 0.35 of the longest period */
};

/* What the joins' spans and the residuals' averages are, as shares of the period. */
extern const double tcsi_causal_spans[TCSI_CAUSAL_SPANS], tcsi_causal_averages[TCSI_CAUSAL_RESIDUALS];

/* Moments of a member's values since its first nonzero one (Welford). */
typedef struct tcsi_causal_moments {
    double count, mean, square_sum;
} tcsi_causal_moments;

typedef struct tcsi_causal {
    size_t period, train_row_count;
    double mean, deviation;            /* of the training rows */
    bool is_constant, has_mean;        /* constant: deviation is 0 until a row deviates; no mean before the first value ever */
    tcsi_leaky_join joins[TCSI_CAUSAL_SPANS];
    tcsi_rls rls;
    double squares[TCSI_CAUSAL_PAST];  /* ring of squared residuals */
    tcsi_causal_moments moments[TCSI_CAUSAL_MEMBERS];
    uint64_t seen_count;
    double fitted_deviation;           /* what reset goes back to */
    bool fitted_mean;
} tcsi_causal;

/* train: (count) finite values, at most TCS_VALUE_MAX in magnitude, count may be 0.  segment_limit: J.  E_MEMORY. */
tcs_status tcsi_causal_init(tcsi_causal *causal, const double *train, size_t count, size_t segment_limit, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_causal_deinit(tcsi_causal *causal); /* accepts a zeroed struct */
void tcsi_causal_reset(tcsi_causal *causal);  /* to the beginning of the stream, keeping what the training rows said */

/* Rows before any member speaks: the score is then 0. */
size_t tcsi_causal_quiet_count(const tcsi_causal *causal);

/* What the members say of a row: T of each, and the score as it would be without each, of the same size. */
typedef struct tcsi_causal_said {
    double members[TCSI_CAUSAL_MEMBERS], without[TCSI_CAUSAL_MEMBERS];
} tcsi_causal_said;

/* value: finite, at most TCS_VALUE_MAX in magnitude.  Returns the score: finite, any sign.  Allocates nothing. */
double tcsi_causal_push(tcsi_causal *causal, double value, tcsi_causal_said *ret_said);

/* The same row's members alone, for other ways of judging and adding them: C by span, R by span, then residuals; each >= 0 and
 * at most 4e6.  A stream uses this or push, not both. */
void tcsi_causal_members_push(tcsi_causal *causal, double value, double ret_values[TCSI_CAUSAL_MEMBERS]);

/* Loading: into a zeroed struct, which it makes; release it with deinit whatever the outcome. */
void tcsi_causal_persist(tcsi_causal *causal, size_t segment_limit, tcsi_codec *codec);

size_t tcsi_causal_size(size_t segment_limit); /* bytes allocated, at most */

#endif
