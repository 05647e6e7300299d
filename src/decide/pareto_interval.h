/* decide/pareto_interval.h -- how sure are the shape of a tail and the height of a threshold that was put on it?
 *
 * What promises to hold on average (decide/pareto.h) averages over shapes with a prior of what scores are like; an interval made the same
 * way would be too narrow wherever the prior is wrong.  These are therefore central intervals of the posterior with a flat prior for the
 * shape and for the logarithm of the scale: what the excesses say by themselves.  A quantile's interval also holds what is not known of the
 * number of clusters: how rare the quantile has to be among the excesses is itself counted, with a deviation of 1/sqrt(count) of its
 * logarithm, taken by the three points of Gauss and Hermite.
 * The posterior is found on a grid that is laid anew around its mean, four deviations to each side, until it fits: of 30 excesses it is a
 * hundred times wider than of 10,000.  pareto_test.c counts how often true shapes and quantiles are held.
 * What it does not hold: that the excesses may not be of a generalized Pareto distribution, nor of one for all times.
 * Costs some milliseconds, when somebody asks.  Threads: reentrant. */
#ifndef TCS_DECIDE_PARETO_INTERVAL_H
#define TCS_DECIDE_PARETO_INTERVAL_H

#include "decide/tail.h"

typedef struct tcsi_interval {
    double low, high; /* NaN: nobody can say */
} tcsi_interval;

/* Of the shape, within [-0.5, 1], and of the excess that is exceeded with chance p in (0, 1), known to a deviation of `doubt` >= 0 of its
 * logarithm.  level in (0, 1): how often the true values are to be held. */
void tcsi_pareto_intervals(const tcsi_pareto *pareto, double p, double doubt, double level, tcsi_interval *ret_shape,
                           tcsi_interval *ret_quantile);

/* What a tail's excesses leave open. */
typedef struct tcsi_tail_doubt {
    double shape;                /* as used: the mean over the posterior */
    tcsi_interval shape_bounds, threshold_bounds;
} tcsi_tail_doubt;

/* threshold_bounds: of the height that normal clusters exceed as often as the tail takes them to exceed threshold; NaN of one that is not
 * above the tail's beginning. */
tcsi_tail_doubt tcsi_tail_doubt_of(const tcsi_tail *tail, double threshold, double level);

#endif
