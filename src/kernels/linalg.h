/* kernels/linalg.h -- small dense linear algebra in double precision: what covariances and regressions need.
 * Matrices are row-major and square unless a shape says otherwise; (N,N) means element (i,j) stands at i * N + j.
 * Sizes are those of channels, lags and windows (up to a few hundred): plain loops ordered for the cache, no blocking.
 * Nothing here keeps a pointer after it returns.  Threads: no shared state. */
#ifndef TCS_KERNELS_LINALG_H
#define TCS_KERNELS_LINALG_H

#include "base/status.h"

/* Factors the symmetric positive definite a (N,N) in place into the lower triangle L, a = L L'; the upper triangle is left as
 * it was.  Returns false when a is not positive definite to working precision (a then holds garbage).  N^3 / 3 flops. */
bool tcsi_cholesky_factor(double *a, size_t n) TCS_WARN_UNUSED;

/* Solves L L' x = b in place of b (N), with the factor above. */
void tcsi_cholesky_solve(const double *factor, size_t n, double *b);

/* Solves L x = b in place of b (N): afterwards x'x = b' a^-1 b, the squared Mahalanobis length of b. */
void tcsi_cholesky_solve_lower(const double *factor, size_t n, double *b);

/* Solves a x = b for symmetric positive semidefinite a (N,N), which is overwritten: x (N) replaces b.  A matrix that is not
 * definite gets a ridge of 1e-12, 1e-10, ... times its mean diagonal until it is.  E_INVALID: not finite, or no ridge up
 * to 1 times the mean diagonal helps; E_MEMORY. */
tcs_status tcsi_solve_symmetric(double *a, size_t n, double *b, tcs_error *err) TCS_WARN_UNUSED;

/* Weighted ridge regression: the coefficients (P) that minimize sum_t weight_t (y_t - x_t c)^2 + ridge |c|^2.
 * x: (T,P) rows of predictors (append a column of ones for an intercept, which is then also shrunk); y: (T);
 * weights: (T), >= 0, NULL = all 1; ridge >= 0.  Normal equations and Cholesky: T P^2 / 2 + P^3 / 3 multiply-adds. */
tcs_status tcsi_ridge_fit(const double *x, const double *y, const double *weights, size_t row_count, size_t predictor_count,
                          double ridge, double *ret_coefficients, tcs_error *err) TCS_WARN_UNUSED;

/* All eigenvalues (N), descending, and eigenvectors of the symmetric a (N,N), which is left as it was; row k of ret_vectors
 * (N,N) is the unit vector of eigenvalue k, signed so that its largest component is positive.  Householder
 * tridiagonalization, then implicit QL (Bowdler, Martin, Reinsch, Wilkinson 1968, the EISPACK pair tred2 and tql2).
 * E_INVALID: a is not finite or the iteration does not converge (never seen with finite input); E_MEMORY. */
tcs_status tcsi_eigen_symmetric(const double *a, size_t n, double *ret_values, double *ret_vectors, tcs_error *err) TCS_WARN_UNUSED;

/* Means (P) and covariance (P,P), divided by T, of x (T,P).  ret_means may be NULL. */
tcs_status tcsi_covariance(const double *x, size_t row_count, size_t column_count, double *ret_means, double *ret_covariance,
                           tcs_error *err) TCS_WARN_UNUSED;

/* The same covariance shrunk towards mu I, mu its mean diagonal, by the amount that Ledoit and Wolf estimate: "A
 * well-conditioned estimator for large-dimensional covariance matrices", J. Multivariate Analysis 88, 2004, section 3.2.
 * ret_shrinkage in [0, 1]; may be NULL. */
tcs_status tcsi_ledoit_wolf(const double *x, size_t row_count, size_t column_count, double *ret_means, double *ret_covariance,
                            double *ret_shrinkage, tcs_error *err) TCS_WARN_UNUSED;

#endif
