/* metrics/nab.h -- the score of the Numenta Anomaly Benchmark, exactly as its code computes it.
 *
 * A. Lavin, S. Ahmad: "Evaluating real-time anomaly detection algorithms: the Numenta Anomaly Benchmark", ICMLA 2015, with the
 * details of NAB 1.1.  Each labelled event is a window of W rows; being early in it is worth more, being late after it less
 * bad.  With the scaled sigmoid s(y) = 2 / (1 + e^(5 y)) - 1, a detection at row i is worth
 *
 *     inside a window with last row r:   y = -(r - i + 1) / W,  s(y) / s(-1): 1 at its first row        true positive
 *     after a window:                    y = (i - r) / (W - 1), s(y), and -1 beyond y = 3               false positive
 *     before the first window:           -1                                                             false positive
 *
 * Per window only the best detection counts; a window without any costs the false-negative weight; false positives are
 * multiplied by theirs.  The first min(floor(0.15 T), 750) rows of a file are its probation: not scored.  The total over all
 * files is normalized so that no detection gives 0 and a perfect detector 100; a detector can fall below 0.
 *
 * One threshold serves all files together: the best on a sweep over every distinct score, from the highest down, where the
 * first of equally good ones is kept; +infinity (no detection at all) is among them.
 *
 * Rows, not times, name windows here: NAB matches a window's two time stamps to the first rows that bear them, in the file's
 * own order, because its files have duplicated and backward stamps.
 * Ours, where NAB's code would divide by zero or judge the impossible: a one-row window counts as W - 1 = 1 row wide for
 * what comes after it, and windows that lie wholly in probation are left out of both ends of the normalization.
 * Cost: one sort of the rows of all files, 50 ns a row; 44 bytes a row. */
#ifndef TCS_METRICS_NAB_H
#define TCS_METRICS_NAB_H

#include "metrics/span.h"

typedef struct tcsi_nab_file {
    const double *scores; /* (T); NaN never detects */
    size_t row_count;
    const tcsi_span *windows; /* sorted, apart, inside the file */
    size_t window_count;
} tcsi_nab_file;

typedef struct tcsi_nab_profile {
    const char *name; /* "standard", as NAB spells it */
    const char *key;  /* "nab_standard": the JSON key */
    double tp_weight, fp_weight, fn_weight;
} tcsi_nab_profile;

enum { TCSI_NAB_STANDARD, TCSI_NAB_LOW_FP, TCSI_NAB_LOW_FN, TCSI_NAB_PROFILE_COUNT };
extern const tcsi_nab_profile tcsi_nab_profiles[TCSI_NAB_PROFILE_COUNT];

typedef struct tcsi_nab_result {
    double score;     /* normalized, <= 100; NaN when no window could be found (none, or all in probation) */
    double raw;       /* before normalization */
    double threshold; /* rows with a score >= threshold are detections; +infinity: none */
    size_t window_count, windows_found; /* outside probation */
    size_t false_positives;             /* rows */
} tcsi_nab_result;

size_t tcsi_nab_probation(size_t row_count);

/* The best threshold over all files, for one profile.  E_INVALID: no files or no scored rows; E_LIMIT, E_MEMORY. */
tcs_status tcsi_nab_sweep(const tcsi_nab_file *files, size_t file_count, const tcsi_nab_profile *profile,
                          tcsi_nab_result *ret_result, tcs_error *err) TCS_WARN_UNUSED;

/* The same for every profile, sorting once.  ret_results: (TCSI_NAB_PROFILE_COUNT), in the order of tcsi_nab_profiles. */
tcs_status tcsi_nab_sweep_all(const tcsi_nab_file *files, size_t file_count, tcsi_nab_result *ret_results, tcs_error *err) TCS_WARN_UNUSED;

/* The score at a given threshold (not NaN). */
tcs_status tcsi_nab_score(const tcsi_nab_file *files, size_t file_count, const tcsi_nab_profile *profile, double threshold,
                          tcsi_nab_result *ret_result, tcs_error *err) TCS_WARN_UNUSED;

#endif
