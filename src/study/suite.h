/* study/suite.h -- public benchmark suites, each read in its own folder layout, so that whoever has downloaded one gets
 * the figures that the documents state.
 *
 *   tsb-ad   CSV with `Label` last, rows in order of time; NAME_tr_N_1st_M.csv: the first N rows are for training
 *            (Liu, Paparrizos: "The elephant in the room", NeurIPS 2024)
 *   nab      data/CATEGORY/FILE.csv and labels/combined_windows.json (Lavin, Ahmad, ICMLA 2015); probation = training
 *   ucr      NUMBER_UCR_Anomaly_NAME_TRAIN_BEGIN_END.txt, one value a line (Wu, Keogh, TKDE 2021)
 *   skab     CSV with `label` and `changepoint`; the first 400 rows are for training (Katser, Kozitsin, 2020)
 *   adbench  NPZ with X and y: tabular (Han et al., NeurIPS 2022)
 *   csv      any CSV with a label column
 * Threads: reentrant. */
#ifndef TCS_STUDY_SUITE_H
#define TCS_STUDY_SUITE_H

#include "metrics/span.h"
#include "series/frame.h"

/* One labelled series, ready to be scored. */
typedef struct tcsi_suite_series {
    tcsi_frame *frame;     /* labels set */
    bool is_tabular;
    size_t train_row_count; /* 0: the suite does not say */
    size_t window;          /* of VUS, in rows */
    tcsi_span_list windows; /* labelled events */
} tcsi_suite_series;

typedef struct tcsi_suite {
    const char *name, *help;
    const char *extension;  /* of its files */
    const char *subfolder;  /* below the folder given, where the files are; NULL: the folder itself */
    tcs_status (*load)(const char *folder, const char *file, tcsi_suite_series *ret_series, tcs_error *err);
} tcsi_suite;

extern const tcsi_suite tcsi_suites[];
extern const size_t tcsi_suite_count;

tcs_status tcsi_suite_find(const char *name, const tcsi_suite **ret_suite, tcs_error *err) TCS_WARN_UNUSED;

/* The suite's files below folder, sorted, as paths relative to it; release with tcsi_suite_files_free. */
tcs_status tcsi_suite_files(const tcsi_suite *suite, const char *folder, char ***ret_files, size_t *ret_count,
                            tcs_error *err) TCS_WARN_UNUSED;
void tcsi_suite_files_free(char **files, size_t count);

void tcsi_suite_series_deinit(tcsi_suite_series *series); /* accepts a zeroed one */

#endif
