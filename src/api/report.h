/* api/report.h -- parts of a report that need more than one look at the result: why episodes alarmed, and whether that can be trusted. */
#ifndef TCS_API_REPORT_H
#define TCS_API_REPORT_H

#include "api/explain.h"
#include "io/report.h"

/* Every episode that is listed has a sentence; those with a page of their own also have the explanation behind it. */
typedef struct tcsi_api_reasons {
    size_t count, page_count;                 /* episodes that are listed; those of them with a page */
    tcsi_explanation *explanations;           /* (page_count) */
    tcsi_report_reason *reasons;              /* (page_count) they point into the explanations */
    char **sentences;                         /* (count) */
    const char **kinds;                       /* (count) NULL: unknown */
} tcsi_api_reasons;

/* Whole explanations, with what would have kept it quiet, of the first few where that is cheap enough (report_reasons.c says when); brief
 * ones of the others.  E_MEMORY, and as scoring. */
tcs_status tcsi_api_reasons_make(const tcs_result *result, tcsi_api_reasons *ret_reasons, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_api_reasons_deinit(tcsi_api_reasons *reasons); /* accepts a zeroed one */
/* episodes: (count) by rank, which from then on borrow from the reasons. */
void tcsi_api_reasons_hand(const tcsi_api_reasons *reasons, tcsi_report_episode *episodes);

/* A zeroed map where nobody can say.  E_MEMORY. */
tcs_status tcsi_api_map_make(const tcsi_regard *regard, tcsi_report_map *ret_map, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_api_map_deinit(tcsi_report_map *map); /* accepts a zeroed one */

typedef struct tcsi_api_alarms {
    size_t raised, dismissed;
    size_t compared, unlabelled; /* behind rows whose labels were learned from; of those, the ones that touch no labelled row */
    double p_value_error;        /* of rows that are not labelled: Kolmogorov-Smirnov distance; NaN: no labels */
} tcsi_api_alarms;
void tcsi_api_alarms_count(const tcs_result *result, tcsi_api_alarms *ret_alarms);

/* Of rows whose labels were not learned from; bin_count 0 without labels.  E_MEMORY. */
tcs_status tcsi_api_reliability(const tcs_result *result, tcsi_report_reliability *ret_reliability, tcs_error *err) TCS_WARN_UNUSED;

#endif
