/* detect/window/ar.h -- what an autoregression cannot foresee: residuals, batch (robust) and recursive (causal).
 * Values should be standardized: the ridge and the start of the recursion are set for a spread near 1.
 * Threads: one user per struct. */
#ifndef TCS_DETECT_WINDOW_AR_H
#define TCS_DETECT_WINDOW_AR_H

#include "base/codec.h"

enum { TCSI_AR_LAG_COUNT_MAX = 80 };

/* x_t = intercept + sum over k of coefficients[k] x_{t - lags[k]} + residual; lags ascend. */
typedef struct tcsi_ar_model {
    size_t lag_count, lags[TCSI_AR_LAG_COUNT_MAX];
    double coefficients[TCSI_AR_LAG_COUNT_MAX], intercept;
    bool is_difference; /* too few rows to fit: the residual is the step from the row before */
} tcsi_ar_model;

typedef struct tcsi_ar_options {
    size_t period;          /* L >= 1: lags 1..clip(L, 8, 64), and {L-1, L, L+1, 2L} if L < rows / 8 */
    size_t train_row_count; /* rows fitted on, from the first; all rows when they are not more than 4 max lag + 50 */
    size_t row_count_max;   /* more rows to fit than this are thinned evenly; 0: 8,000 */
} tcsi_ar_options;

/* Ridge regression (1e-3 n var) with Huber weights at 2.5 median absolute deviations, one reweighting (P. J. Huber, Robust
 * Statistics, 1981, section 7.8).  x: (row_count), finite.  E_INVALID: not finite; E_MEMORY. */
tcs_status tcsi_ar_fit(const double *x, size_t row_count, const tcsi_ar_options *options, tcsi_ar_model *ret_model,
                       tcs_error *err) TCS_WARN_UNUSED;

/* Residual of every row; 0 for the first max-lag rows, which have no past.  May not overlap x. */
void tcsi_ar_apply(const tcsi_ar_model *model, const double *x, size_t row_count, double *ret_residuals);

/* Names every field; loading checks ranges. */
void tcsi_ar_persist(tcsi_ar_model *model, tcsi_codec *codec);

/* ---- recursive least squares ---- */

enum { TCSI_RLS_LAG_COUNT_MAX = 20, TCSI_RLS_LAG_MAX = 4096, TCSI_RLS_SIZE = TCSI_RLS_LAG_COUNT_MAX + 1 };

/* Recursive least squares (L. Ljung, System Identification, 1999, section 11.2) with forgetting 1, start covariance 10 I
 * and innovations clipped at 4 running deviations, so that one spike does not rewrite the model. */
typedef struct tcsi_rls {
    size_t lag_count, lags[TCSI_RLS_LAG_COUNT_MAX];
    double *past;              /* ring of the last past_count values */
    size_t past_count;         /* the longest lag */
    uint64_t seen_count;
    double variance;           /* of clipped innovations, running */
    double weights[TCSI_RLS_SIZE], covariance[TCSI_RLS_SIZE * TCSI_RLS_SIZE];
} tcsi_rls;

/* Lags 1..clip(period, 8, 16), plus {L-1, L, L+1} where they are above 16 and below train_row_count / 2.  E_MEMORY. */
tcs_status tcsi_rls_init(tcsi_rls *rls, size_t period, size_t train_row_count, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_rls_deinit(tcsi_rls *rls); /* accepts a zeroed struct */
void tcsi_rls_reset(tcsi_rls *rls);
/* The innovation of value given its past (0 while there is none), then learns from it.  value: finite; clipped at +-1e6.
 * O(lag_count^2), no allocation. */
double tcsi_rls_push(tcsi_rls *rls, double value);
void tcsi_rls_persist(tcsi_rls *rls, tcsi_codec *codec); /* loading: into a struct made with the same arguments */

#endif
