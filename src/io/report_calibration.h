/* io/report_calibration.h -- do p-values keep their promise?  On normal rows a share t of them is at most t.
 * The share of rows whose p-value is at most t, for ten values of t a decade, both on logarithmic axes: where all rows are normal it lies
 * on the diagonal, and anomalies lift its left end.  With labels a second curve is of the rows that are not labelled, which is the promise.
 * Cost: one logarithm a row. */
#ifndef TCS_IO_REPORT_CALIBRATION_H
#define TCS_IO_REPORT_CALIBRATION_H

#include "base/json.h"
#include "io/report.h"

enum { TCSI_REPORT_P_COUNT = 91 }; /* t = 1, 10^-0.1, ..., 10^-9 */

typedef struct tcsi_report_p_curve {
    double at[TCSI_REPORT_P_COUNT];    /* t, descending */
    double share[TCSI_REPORT_P_COUNT]; /* of the rows, whose p-value is at most that */
    size_t row_count;                  /* READY, with a p-value */
} tcsi_report_p_curve;

/* unlabelled_only: of rows that the frame does not label, if it labels any. */
void tcsi_report_p_curve_make(const tcsi_report *report, bool unlabelled_only, tcsi_report_p_curve *ret_curve);

/* "calibration": {...}, into an open object. */
void tcsi_report_calibration_put(tcsi_json_writer *writer, const tcsi_report *report);

#endif
