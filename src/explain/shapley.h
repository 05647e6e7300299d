/* explain/shapley.h -- Shapley values by sampling: what each of several players is worth to the outcome of a game.
 *
 * Players join one after another in random order; a player's value is what the outcome gains when it joins, on average over all orders
 * (L. S. Shapley, 1953).  A sample of orders gives an unbiased estimate with a standard error (E. Strumbelj, I. Kononenko, "Explaining
 * prediction models and individual predictions with feature contributions", Knowledge and Information Systems 41, 2014).  Each order is
 * walked there and back, which halves the error of games that are nearly additive at no cost in clarity.
 * The values sum to the outcome of all players less that of none, exactly.  Same seed, same orders.  Cost: 2 orders (players + 1) games. */
#ifndef TCS_EXPLAIN_SHAPLEY_H
#define TCS_EXPLAIN_SHAPLEY_H

#include "base/status.h"

/* The outcome when the players with is_in (player_count) play. */
typedef tcs_status (*tcsi_shapley_game)(void *context, const bool *is_in, double *ret_outcome, tcs_error *err);

typedef struct tcsi_shapley_options {
    size_t player_count, order_count; /* order_count >= 1 */
    uint64_t seed;
} tcsi_shapley_options;

/* ret_values: (player_count); ret_errors: (player_count) standard errors of the estimates, 0 of one order; may be NULL. */
tcs_status tcsi_shapley(const tcsi_shapley_options *options, tcsi_shapley_game game, void *context, double *ret_values, double *ret_errors,
                        tcs_error *err) TCS_WARN_UNUSED;

#endif
