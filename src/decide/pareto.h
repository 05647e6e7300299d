/* decide/pareto.h -- how rare is an excess that was never seen?  The predictive distribution of excesses over a high threshold.
 *
 * Excesses over a high threshold are close to generalized Pareto (J. Pickands, "Statistical inference using extreme order statistics",
 * Annals of Statistics 3(1), 1975).  Shape and scale are known from a few hundred excesses at best, and what is promised must hold on
 * average over what they may be: the survival function is therefore the mean over their posterior (S. Coles, E. Powell, "Bayesian methods
 * in extreme value modelling", International Statistical Review 64(1), 1996), here over a grid of shapes and scales with a normal prior
 * for the shape and a flat one for the logarithm of the scale.  What that is worth is measured in docs/internals/decide.md.
 *
 * Anomalies among the excesses make themselves look usual.  Where they are to be expected, the lower three quarters are the core; of the
 * others, those from some excess on are set aside when the core, with as many censored ones above it, gives so many so far out a chance
 * below 0.0001.  Threads: reentrant. */
#ifndef TCS_DECIDE_PARETO_H
#define TCS_DECIDE_PARETO_H

#include "base/codec.h"

/* A fit looks at the highest excesses one by one and at the means of equal groups of the others, so that its cost is bounded. */
enum { TCSI_PARETO_TOPS = 24, TCSI_PARETO_GROUPS = 24, TCSI_PARETO_POINTS = TCSI_PARETO_TOPS + TCSI_PARETO_GROUPS };

/* Excesses as they are looked at: values[i] stands for counts[i] of them. */
typedef struct tcsi_excesses {
    double values[TCSI_PARETO_POINTS], counts[TCSI_PARETO_POINTS];
    size_t count;          /* points */
    double total, highest; /* of the excesses */
} tcsi_excesses;

enum { TCSI_PARETO_SHAPES = 15, TCSI_PARETO_SCALES = 11, TCSI_PARETO_ATOMS = TCSI_PARETO_SHAPES * TCSI_PARETO_SCALES };

typedef struct tcsi_pareto_prior {
    double mean, deviation;  /* of the shape: 0 is an exponential tail, above 0.5 one without a variance; deviation > 0 */
    bool may_hold_anomalies; /* some excesses may be set aside */
} tcsi_pareto_prior;

typedef struct tcsi_pareto {
    size_t count;                       /* atoms: the grid's points with any weight */
    double weights[TCSI_PARETO_ATOMS];  /* of the posterior; they sum to 1 */
    double scales[TCSI_PARETO_ATOMS], shapes[TCSI_PARETO_ATOMS];
    tcsi_excesses seen;                 /* those that were used; count 0: too few to fit anything */
} tcsi_pareto;

/* excesses: (count) ascending, >= 0, finite.  Scales are at least floor > 0.  Returns how many were used: the others, the highest, were set
 * aside.  Fewer than 3: an exponential of scale `otherwise`. */
size_t tcsi_pareto_fit(const double *excesses, size_t count, const tcsi_pareto_prior *prior, double otherwise, double floor,
                       tcsi_pareto *ret_pareto);

/* Chance that an excess is above `excess`, in (0, 1]; not increasing. */
double tcsi_pareto_survival(const tcsi_pareto *pareto, double excess);
/* The excess that is exceeded with chance p in (0, 1). */
double tcsi_pareto_quantile(const tcsi_pareto *pareto, double p);

double tcsi_pareto_shape(const tcsi_pareto *pareto); /* posterior means */
double tcsi_pareto_scale(const tcsi_pareto *pareto);

/* log P(X > excess) of one generalized Pareto distribution, -inf beyond its end; the log likelihood of what was seen is a sum of these. */
double tcsi_pareto_log_survival(double excess, double scale, double shape);

void tcsi_pareto_persist(tcsi_pareto *pareto, tcsi_codec *codec);

#endif
