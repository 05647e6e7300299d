/* decide/policy.h -- p-values over time -> decisions, under a stated alarm budget.
 *
 * Budget: "at most N false alarms" in the rows looked at, or per hour, day or week when the rows have times.  The
 * threshold is the score that normal data is expected to exceed in N clusters (decide/tail.h).  Without one the budget
 * is 1 false alarm in everything looked at; in a table, whose rows are not a history but a list to look through, 1 in 100 rows.
 * Offline the reference is every row (anomalies among them are set aside by the fit) or the training rows; online it is
 * the rows before the one being judged: refitted whenever the history has grown by a tenth, on at most the last
 * TCSI_POLICY_HISTORY_MAX scores, leaving out rows that alarmed.
 * A detector that calibrates itself on held-out training rows (ops->threshold) is taken at its word unless the user
 * states a budget. */
#ifndef TCS_DECIDE_POLICY_H
#define TCS_DECIDE_POLICY_H

#include "decide/episode.h"
#include "decide/tail.h"

enum { TCSI_POLICY_HISTORY_MAX = 16384, TCSI_POLICY_HISTORY_MIN = 50 };

typedef struct tcsi_budget {
    double count;       /* false alarms, > 0; 0: none stated */
    int64_t per_ns;     /* in this much time; 0: in all rows looked at */
} tcsi_budget;

/* "2", "2/day", "0.5/hour", "1/week"; E_INVALID says what was expected. */
tcs_status tcsi_budget_parse(const char *text, tcsi_budget *ret_budget, tcs_error *err) TCS_WARN_UNUSED;

typedef struct tcsi_policy_options {
    tcs_mode mode;
    tcsi_budget budget;
    double own_threshold;      /* from the detector; NaN: none */
    bool own_by_evidence;      /* own_threshold is compared with tcs_score.evidence, not value */
    size_t train_row_count;    /* the reference is rows [0, train_row_count) when use_train */
    bool use_train;
    bool is_tabular;           /* rows are exchangeable */
    size_t merge_count;        /* rows */
    double cadence_ns;         /* median step; 0: no times */
} tcsi_policy_options;

typedef struct tcsi_policy_result {
    uint8_t *anomaly;          /* (T) */
    double *thresholds;        /* (T) the score (or evidence, see by_evidence) above which a row alarms; constant offline */
    tcsi_episode *episodes;    /* by time */
    size_t episode_count;
    tcsi_tail tail;            /* the last one fitted */
    double budget_count;       /* false alarms allowed in the rows looked at */
    bool own_threshold_used;
    bool by_evidence;          /* rows alarmed by tcs_score.evidence; p-values, peaks and severity are always those of the score */
} tcsi_policy_result;

/* Fills scores[t].p_value for READY rows (1 before there is a reference) and *ret_decision, owned by the caller. */
tcs_status tcsi_policy_decide(tcs_score *scores, size_t row_count, const tcsi_policy_options *options, tcsi_policy_result *ret_decision,
                              tcs_error *err) TCS_WARN_UNUSED;
void tcsi_policy_result_deinit(tcsi_policy_result *decision);

#endif
