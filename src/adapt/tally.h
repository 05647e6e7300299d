/* adapt/tally.h -- how good alarms were, from what people said of them: precision, recall, time to detect, and what they cost.
 *
 * Of the alarms that were answered a share is real; of the real events that anybody knows of, those that were raised and those that were
 * marked as missed, a share was raised.  What nobody knows of is in neither.  Shares come with E. B. Wilson's interval ("Probable
 * inference, the law of succession, and statistical inference", Journal of the American Statistical Association 22, 1927).
 * Threads: plain data, one user per tally. */
#ifndef TCS_ADAPT_TALLY_H
#define TCS_ADAPT_TALLY_H

#include "adapt/memory.h"

/* One alarm, or one missed event. */
typedef struct tcsi_tally_event {
    bool is_missed;     /* marked by somebody; everything else but this is ignored */
    bool is_alarm;      /* told, or answered although it was not */
    bool is_answered;
    uint8_t verdict;    /* tcsi_answer_verdict, of an answered one: what all answers come to */
    double real;        /* probability that it was a real event; NaN: nobody said */
    double detect_s;    /* from its first row beyond the threshold until it was confirmed, by their stamps; NaN: it is not known */
} tcsi_tally_event;

/* Zeros: nothing was counted. */
typedef struct tcsi_tally {
    size_t alarm_count, answered_count, missed_count, verdict_counts[TCSI_ANSWER_VERDICT_COUNT];
    double real, known; /* sums over answered ones about which somebody said whether they were real */
    double *detect_s;   /* (detect_count) of real ones, as they came */
    size_t detect_count, detect_capacity;
} tcsi_tally;

tcs_status tcsi_tally_add(tcsi_tally *tally, const tcsi_tally_event *event, tcs_error *err) TCS_WARN_UNUSED; /* E_MEMORY */
void tcsi_tally_deinit(tcsi_tally *tally);

/* NaN: there is nothing to measure by. */
typedef struct tcsi_tally_share {
    double share, low, high; /* 95 % */
} tcsi_tally_share;
tcsi_tally_share tcsi_tally_precision(const tcsi_tally *tally);
tcsi_tally_share tcsi_tally_recall(const tcsi_tally *tally);
/* The median in seconds, of an even number the mean of the middle two.  Sorts them. */
double tcsi_tally_detect(tcsi_tally *tally);

/* In whatever unit the owner counts; NaN: not set. */
typedef struct tcsi_tally_prices {
    double false_alarm, missed, true_alarm; /* what one costs, what one costs, what one saves; each >= 0 */
} tcsi_tally_prices;
typedef struct tcsi_tally_cost {
    double false_alarms, missed, saved; /* NaN: its price is not set */
    double net;                         /* saved less lost, of those that are set; NaN: none is */
} tcsi_tally_cost;
tcsi_tally_cost tcsi_tally_price(const tcsi_tally *tally, const tcsi_tally_prices *prices);

#endif
