/* serve/deep/trial.h -- a challenger against the champion, on windows that people have answered.
 *
 * How well each tells true ones from others is the area under its ROC curve, whose variance, and the covariance of two areas of the same
 * windows, follow from how each window stands among those of the other kind (E. DeLong, D. DeLong, D. Clarke-Pearson, "Comparing the areas
 * under two or more correlated receiver operating characteristic curves: a nonparametric approach", Biometrics 44, 1988).
 * Cost: the product of both kinds' counts.  Threads: reentrant. */
#ifndef TCS_SERVE_DEEP_TRIAL_H
#define TCS_SERVE_DEEP_TRIAL_H

#include "base/status.h"
#include "serve/deep/shadow.h"

typedef struct tcsi_deep_trial {
    size_t counts[2];                    /* windows: others, true ones */
    double auc[TCSI_DEEP_SIDES], deviation[TCSI_DEEP_SIDES]; /* deviation: standard error */
    double gain, gain_deviation;         /* the challenger's area less the champion's */
} tcsi_deep_trial;

/* scores: (count) of each side; higher is more likely true.  E_INVALID: fewer than two of a kind; E_MEMORY. */
tcs_status tcsi_deep_trial_run(const double *const scores[TCSI_DEEP_SIDES], const uint8_t *is_true, size_t count,
                               tcsi_deep_trial *ret_trial, tcs_error *err) TCS_WARN_UNUSED;
/* The gain is beyond what chance does one time in twenty. */
double tcsi_deep_trial_gain_low(const tcsi_deep_trial *trial);

#endif
