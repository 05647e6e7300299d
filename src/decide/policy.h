/* decide/policy.h -- p-values over time -> decisions, under a stated alarm budget.
 *
 * Budget: "at most N false alarms" in the rows looked at, or per hour, day or week when the rows have times.  The
 * threshold is the score that normal data is expected to exceed in N clusters (decide/tail.h).  Without one the budget
 * is 1 false alarm in everything looked at; in a table, whose rows are not a history but a list to look through, 1 in 100 rows.
 * Online nobody knows how many rows there will be, so a budget without a time is per TCSI_BUDGET_ROWS rows: "3" is 3 in 10,000, and
 * TCSI_BUDGET_DEFAULT unless stated; per hour, day or week goes by the mean step of the rows so far.
 *
 * Offline the reference is every row (anomalies among them are set aside by the fit), or the training rows when they were
 * named and a fifth of all rows lies above what they allow, or scores that were kept when a pipeline was fitted.  Online it is
 * the rows before the one being judged: the last TCSI_HISTORY_MAX scores for p-values, and the highest peaks
 * (decide/peaks.h) of some ten times as many rows as a false alarm is allowed in.  An episode counts by what rose to its peak, not
 * by its length: without it what chance does would be missing, and thresholds would sink until there are several times as many
 * alarms as promised.  The tail is first fitted when there are TCSI_HISTORY_MIN scores and the training rows are over, then
 * again whenever there are a fifth more rows.
 * There is one implementation, tcsi_policy_push; tcsi_policy_decide online is a loop over it, so that a file and a
 * stream of the same rows give the same bits.
 * Orders (knowledge/order.h) come first: a row that must alarm opens or continues an episode of severity 100, whatever its score; an
 * excused one is part of no episode and of no reference, and what it would have been part of is kept apart as expected.  An excuse also
 * covers rows without an order within merge_count of it, as far as the detector's scores reach, but no more than it covered itself, or
 * TCSI_EXCUSE_REACH: after it and, offline, before it.
 * A detector that calibrates itself on held-out training rows (ops->threshold) is taken at its word unless the user
 * states a budget. */
#ifndef TCS_DECIDE_POLICY_H
#define TCS_DECIDE_POLICY_H

#include "decide/episode.h"
#include "decide/evidence.h"
#include "decide/history.h"

#define TCSI_EVENT_SHARE 0.01 /* of clusters of scores, that are events, unless stated */

enum { TCSI_BUDGET_ROWS = 10000, TCSI_BUDGET_DEFAULT = 5,
       TCSI_EXCUSE_REACH = 64 };

typedef enum tcsi_policy_kind {
    TCSI_POLICY_BUDGET,   /* so many false alarms are acceptable */
    TCSI_POLICY_EVIDENCE, /* as many; half of them may come from rows none of which is rare enough alone.  Online only */
    TCSI_POLICY_COST,     /* as many as are worth the misses that they save */
    TCSI_POLICY_COUNT,
} tcsi_policy_kind;

enum { TCSI_TEAM_NAME_SIZE = 64 };

/* What the user states. */
typedef struct tcsi_budget {
    double count;       /* false alarms, > 0; 0: none stated.  In a team: this series' part of them */
    int64_t per_ns;     /* in this much time; 0: in all rows looked at, online in TCSI_BUDGET_ROWS of them */
    tcsi_policy_kind kind;
    double miss_cost;   /* COST: of a missed event, in false alarms, > 0; count is then 0 */
    double anomaly_share; /* COST: of clusters of scores so many are events, in (0, 1); 0: TCSI_EVENT_SHARE */
    uint64_t team_series; /* series that share what was stated in equal parts; 0: it is this one's alone */
    char team[TCSI_TEAM_NAME_SIZE]; /* what people call them; "": no team */
} tcsi_budget;

typedef struct tcsi_policy_info {
    const char *name, *title, *promise, *assumption; /* the last three for people */
} tcsi_policy_info;
extern const tcsi_policy_info tcsi_policy_infos[TCSI_POLICY_COUNT];

/* "2", "2/day", "0.5/hour", "1/week"; E_INVALID says what was expected. */
tcs_status tcsi_budget_parse(const char *text, tcsi_budget *ret_budget, tcs_error *err) TCS_WARN_UNUSED;

/* "budget", "evidence", "cost=50:1" (a miss : a false alarm, also in money); E_INVALID says what was expected. */
tcs_status tcsi_budget_choose(const char *text, tcsi_budget *budget, tcs_error *err) TCS_WARN_UNUSED;
/* The budget is for all of so many series together: each gets an equal part, which keeps the promise for their sum whatever they have to do
 * with each other.  E_INVALID: no budget is stated, no series, or a name that is empty or too long. */
tcs_status tcsi_budget_share(tcsi_budget *budget, const char *team, size_t series_count, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_budget_persist(tcsi_budget *budget, tcsi_codec *codec);
/* COST: the share of clusters that are worth an alarm. */
double tcsi_budget_cost_share(const tcsi_budget *budget);

typedef struct tcsi_policy_options {
    tcs_mode mode;
    tcsi_budget budget;
    double own_threshold;      /* from the detector; NaN: none */
    bool own_by_evidence;      /* own_threshold is compared with tcs_score.evidence, not value */
    size_t train_row_count;    /* with use_train the reference is rows [0, train_row_count); online there is none before their end */
    bool use_train;
    bool is_tabular;           /* offline: rows are exchangeable */
    size_t merge_count;        /* rows */
    double cadence_ns;         /* offline: mean step; 0: no times */
    const double *reference;   /* offline: (reference_count) scores of other, normal rows, in order of time: then no others */
    size_t reference_count;    /* 0: none; else at least 2 */
    const int64_t *times_ns;   /* online, of tcsi_policy_decide only: (T), NULL: no times */
    const tcsi_order *orders;  /* likewise, and offline: (T), NULL: none */
} tcsi_policy_options;

typedef struct tcsi_policy_result {
    uint8_t *anomaly;          /* (T) */
    double *thresholds;        /* (T) the score (or evidence, see by_evidence) above which a row alarms; constant offline */
    double *sums, *sum_thresholds; /* (T) EVIDENCE: what p-values have added up to with the row, and the sum above which it alarms
                                * whatever its score; else NULL */
    tcsi_episode *episodes;    /* by time */
    size_t episode_count;
    tcsi_episode *expected;    /* by time: what would have been episodes, but is excused */
    size_t expected_count;
    tcsi_tail tail;            /* the last one fitted */
    double threshold;          /* that it gives the rows to come; infinite: none yet.  Not used with own_threshold_used */
    tcsi_budget stated;        /* what was asked for */
    double budget_count;       /* false alarms allowed in the rows looked at, of whatever rule the budget is */
    bool own_threshold_used;
    bool by_evidence;          /* rows alarmed by tcs_score.evidence; p-values, peaks and severity are always those of the score */
} tcsi_policy_result;

/* Room for row_count rows of an online decision; adds_up: with sums.  E_MEMORY, then the caller still deinits it. */
tcs_status tcsi_policy_result_reserve(tcsi_policy_result *decision, size_t row_count, bool adds_up, tcs_error *err) TCS_WARN_UNUSED;

/* A detector's own threshold counts unless a budget is stated. */
bool tcsi_policy_uses_own_threshold(const tcsi_policy_options *options);

/* Fills scores[t].p_value for READY rows (1 before there is a reference) and *ret_decision, owned by the caller. */
tcs_status tcsi_policy_decide(tcs_score *scores, size_t row_count, const tcsi_policy_options *options, tcsi_policy_result *ret_decision,
                              tcs_error *err) TCS_WARN_UNUSED;
void tcsi_policy_result_deinit(tcsi_policy_result *decision);

/* ---- online, row by row ---- */

/* Memory: 2 TCSI_HISTORY_MAX doubles of history, a tail of a quarter as many and peaks, whatever the number of rows; twice with
 * EVIDENCE. */
typedef struct tcsi_policy {
    tcsi_policy_options options;
    bool own_threshold_used, by_evidence;
    uint64_t row_count;
    tcsi_history history;                /* of scores that did not alarm or were the highest of their episode */
    tcsi_evidence evidence;              /* EVIDENCE: what has added up, and its own history of rows outside episodes */
    tcsi_history sums;
    double sum_highest;                  /* of the open episode */
    int64_t time_first_ns, time_last_ns;
    double threshold, threshold_low;     /* in force for the next row */
    tcsi_episode_tracker tracker;        /* its episode is complete: rated at its peak by the tail in force there */
    tcsi_order order;                    /* of the next row */
    bool is_ordered, is_excused;         /* every row comes with an order; the last one's was an excuse */
    tcsi_order excuse;                   /* the last one, and the row before which it also excuses rows without an order */
    uint64_t excuse_begin, excuse_end;
    tcsi_episode_tracker expected;       /* likewise of excused rows, with is_ordered */
} tcsi_policy;

typedef struct tcsi_verdict {
    double threshold; /* the score (or evidence) above which this row would open an episode; infinite before there is a reference */
    double sum, sum_threshold; /* EVIDENCE: likewise of what has added up with this row; else NaN */
    bool anomaly;
    tcsi_episode_event event; /* of policy->tracker.episode */
    tcsi_episode_event expected_event; /* of policy->expected.episode */
} tcsi_verdict;

/* What was decided of row t of a decision that has room for it. */
void tcsi_policy_result_note(tcsi_policy_result *decision, size_t t, const tcsi_verdict *verdict);

tcs_status tcsi_policy_init(tcsi_policy *policy, const tcsi_policy_options *options, tcs_error *err) TCS_WARN_UNUSED;
/* How far an excuse of so many rows reaches beyond them. */
size_t tcsi_policy_excuse_reach(size_t merge_count, size_t covered_count);
/* Before every push, or never: what people ordered for the row. */
void tcsi_policy_order(tcsi_policy *policy, tcsi_order order);
/* Fills score->p_value (READY: 1 before there is a reference).  time_ns: 0 in rows without times.  Allocates only when it
 * refits; E_MEMORY leaves a policy that can only be released. */
tcs_status tcsi_policy_push(tcsi_policy *policy, tcs_score *score, int64_t time_ns, tcsi_verdict *ret_verdict,
                            tcs_error *err) TCS_WARN_UNUSED;
bool tcsi_policy_adds_up(const tcsi_policy *policy); /* rows alarm by what has added up, too */
double tcsi_policy_rate(const tcsi_policy *policy); /* false alarms allowed per row, as known so far */
size_t tcsi_policy_size_max(const tcsi_budget *stated); /* bytes that a policy holds beside the struct, at most */
void tcsi_policy_deinit(tcsi_policy *policy); /* accepts a zeroed one */
/* Between two rows: what goes on from it decides as this one would have.  Loading, policy was initialized with any options. */
void tcsi_policy_persist(tcsi_policy *policy, tcsi_codec *codec);

#endif
