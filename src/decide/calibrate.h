/* decide/calibrate.h -- how likely is it that this row is anomalous?
 *
 * A p-value says how rare a score is on normal rows; whether such a row is more likely anomalous than not depends on how often
 * anomalies come.  With labels that is learned, by one of three calibrators, the one with the lowest log loss on rows it has not seen
 * (5 folds; each holds 4 runs of neighbouring rows, since neighbours know each other's answer):
 *   isotonic  any rising function (decide/isotonic.h); needs many anomalous rows.  Kept within [1 / (N + 2), (N + 1) / (N + 2)], N rows:
 *             no number of rows makes certain
 *   Platt     ln(P / (1 - P)) = a x + b, of a score x or of x = -ln p (decide/logistic.h)
 *   beta      ln(P / (1 - P)) = a ln(1 - p) - b ln p + c, of a p-value p (M. Kull, T. Silva Filho, P. Flach, "Beta calibration: a
 *             well-founded and easily implemented improvement on logistic calibration for binary classifiers", AISTATS 2017)
 * Without labels somebody has to say how common anomalies are.  With that prior share pi, and p-values of anomalous rows that fall as
 * a density of the form a p^(a - 1) does, no a gives a row more than
 *     P = pi / (pi + (1 - pi) B(p)),   B(p) = -e p ln p for p < 1/e, else 1
 * (T. Sellke, M. Bayarri, J. Berger, "Calibration of p values for testing precise null hypotheses", The American Statistician 55(1),
 * 2001): an assumption, and the most that the evidence supports, not a measurement.
 * No calibrator gives a higher score a lower probability.  Threads: a fitted one may be read by many. */
#ifndef TCS_DECIDE_CALIBRATE_H
#define TCS_DECIDE_CALIBRATE_H

#include "decide/isotonic.h"
#include "decide/logistic.h"

typedef enum tcsi_calibrator_kind {
    TCSI_CALIBRATOR_PRIOR,
    TCSI_CALIBRATOR_PLATT,
    TCSI_CALIBRATOR_BETA,
    TCSI_CALIBRATOR_ISOTONIC,
    TCSI_CALIBRATOR_COUNT,
} tcsi_calibrator_kind;

typedef struct tcsi_calibrator {
    tcsi_calibrator_kind kind;
    bool is_p_value;           /* what it is asked with; otherwise a score, higher = more anomalous */
    double prior;              /* share of anomalous rows: assumed (PRIOR), or counted in the rows learned from */
    tcsi_logistic logistic;    /* PLATT, BETA */
    tcsi_isotonic isotonic;    /* ISOTONIC */
    double margin;             /* probabilities lie in [margin, 1 - margin] */
    double log_losses[TCSI_CALIBRATOR_COUNT]; /* of each on rows it had not seen, NaN: not tried */
} tcsi_calibrator;

typedef struct tcsi_calibrate_rows {
    const double *values;  /* (count) scores or p-values, as is_p_value says; NaN: the row is passed over */
    const uint8_t *labels; /* (count), nonzero = anomalous */
    const double *weights; /* (count) finite, >= 0, or NULL: all 1 */
    size_t count;          /* in order of time, where there is one */
    bool is_p_value;
} tcsi_calibrate_rows;

/* share in (0, 1). */
tcsi_calibrator tcsi_calibrator_assume(double share);
/* Fits one kind (not PRIOR; BETA takes p-values only).  E_INVALID: no row, or a p-value outside [0, 1]; E_MEMORY. */
tcs_status tcsi_calibrator_fit(tcsi_calibrator_kind kind, const tcsi_calibrate_rows *rows, tcsi_calibrator *ret_calibrator,
                               tcs_error *err) TCS_WARN_UNUSED;
/* Fits the best kind.  Rows of one class only: Platt, who then says about 1 / (N + 2) or its complement. */
tcs_status tcsi_calibrator_choose(const tcsi_calibrate_rows *rows, tcsi_calibrator *ret_calibrator, tcs_error *err) TCS_WARN_UNUSED;
/* *ret_copy is the caller's.  E_MEMORY. */
tcs_status tcsi_calibrator_copy(const tcsi_calibrator *calibrator, tcsi_calibrator *ret_copy, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_calibrator_deinit(tcsi_calibrator *calibrator); /* accepts a zeroed one */
/* In (0, 1); NaN of NaN. */
double tcsi_calibrator_probability(const tcsi_calibrator *calibrator, double value);
const char *tcsi_calibrator_name(tcsi_calibrator_kind kind);
void tcsi_calibrator_persist(tcsi_calibrator *calibrator, tcsi_codec *codec); /* loading, calibrator is zeroed */

#endif
