/* pipeline/probability.h -- where the probability of a row comes from: labels of rows that nobody learned from, or an assumed share.
 *
 * A probability is a function of the p-value, the calibrator (decide/calibrate.h), so that no row stores one.  Labels count where there
 * are rows of both kinds whose scores are honest: rows held out while a pipeline was fitted, or the named training rows of a detector
 * that does not learn from labels.  They are few and lie together, so that events among them may be more or fewer than elsewhere: they
 * are weighted to the share of anomalous rows in the whole frame (M. Saerens, P. Latinne, C. Decaestecker, "Adjusting the outputs of a
 * classifier to new a priori probabilities", Neural Computation 14, 2002).  Otherwise the share of anomalous rows is assumed,
 * TCSI_ANOMALY_SHARE unless stated. */
#ifndef TCS_PIPELINE_PROBABILITY_H
#define TCS_PIPELINE_PROBABILITY_H

#include "decide/calibrate.h"

#define TCSI_ANOMALY_SHARE 0.01

/* share 0: TCSI_ANOMALY_SHARE.  E_INVALID: not in [0, 1). */
tcs_status tcsi_probability_check(double share, tcs_error *err) TCS_WARN_UNUSED;
tcsi_calibrator tcsi_probability_assume(double share);

/* labels: (count); p_values: (count) of rows that were not learned from, NaN: of the others.  share: assumed unless there are
 * both kinds. */
tcs_status tcsi_probability_learn(const double *p_values, const uint8_t *labels, size_t count, double share,
                                  tcsi_calibrator *ret_calibrator, tcs_error *err) TCS_WARN_UNUSED;
/* The same from scores; is_used tells which rows count. */
tcs_status tcsi_probability_learn_scores(const tcs_score *scores, const uint8_t *labels, size_t count,
                                         bool (*is_used)(const void *context, size_t row), const void *context, double share,
                                         tcsi_calibrator *ret_calibrator, tcs_error *err) TCS_WARN_UNUSED;

/* Of a row: NaN unless it is READY. */
double tcsi_probability_of(const tcsi_calibrator *calibrator, const tcs_score *score);

#endif
