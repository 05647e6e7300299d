/* serve/shard/taught.h -- what answers teach a cell beside keeping quiet: whose alarms are worth how much, what nearly alarmed, and what is
 * not to be taken for normal.
 *
 * Shares.  What a cell may raise is one budget.  A series whose episodes people call *expected* gets less of it, one whose episodes are
 * *true*, or were missed, more: adapt/memory.h has the rule (a Beta prior), decide/cohort.h the thresholds.  The sum stays what it was:
 * weighed by the rows that series give, what some lose others get.  A policy's budget_weight says beforehand how many times an even part
 * its series get; worker.c gives each cell its part by the sum of its series' weights, so that the whole budget is what it was.
 *
 * Near misses.  A row out of the ordinary, though not enough for an alarm, that looks like an episode answered *true* on its series opens
 * one.  RAISE_PART of the budget is set aside for that while there are such answers, and how alike it must be follows from it: with a share
 * u of all rows out of the ordinary, chance raises
 *     u * (rows of series with such answers) * (share of unrelated episodes that are as near)
 * alarms, which is to be no more than RAISE_PART of what is allowed.
 *
 * Incidents are no training data.  From the row on that somebody (or a likeness) says *true* of an open episode, its rows move neither the
 * chart's scale, nor what is usual of the series, nor the cohort's tail; the level still follows after a while, or a shift for good would
 * alarm for ever.  What they moved before that, and what an episode that is over moved, is taken back: the scale of before its onset, which
 * is kept for the last TCSI_TAUGHT_INCIDENTS openings of the cell, is put in its place, if no more than FORGET rows came since.
 * What cannot be taken back: the one peak that a finished episode left in the cohort's tail (bounded to twice the threshold); what its rows
 * moved when it was answered later than that; and an answer that is undone does not bring back what was left out.
 * Memory: 40 bytes an opening kept.  Cost of a row: a copy of 24 bytes; shares are reckoned when somebody answers.  Threads: the cell's. */
#ifndef TCS_SERVE_SHARD_TAUGHT_H
#define TCS_SERVE_SHARD_TAUGHT_H

#include "base/codec.h"
#include "decide/cohort.h"

struct tcsi_cell;
struct tcsi_live_series;

enum { TCSI_TAUGHT_INCIDENTS = 128 };

/* What a series holds for usual. */
typedef struct tcsi_scale {
    float variance, covariance, residual_square, reach, rest_reach, usual;
} tcsi_scale;

typedef struct tcsi_before {
    int64_t begin_ns;       /* of the anomaly */
    uint32_t series, count; /* its number, and how many scores it had */
    tcsi_scale scale;
} tcsi_before;

/* Of one cell. */
typedef struct tcsi_taught {
    tcsi_scale now;         /* of the series whose row was judged last, before it */
    uint64_t now_of;        /* its number and 1; 0: none was */
    tcsi_before before[TCSI_TAUGHT_INCIDENTS];
    uint32_t before_count;  /* kept so far: the next one goes to before_count % TCSI_TAUGHT_INCIDENTS */
    double raise_share;     /* how alike a near miss must be; 0: none is raised */
} tcsi_taught;

/* ---- from within a row, in this order ---- */

void tcsi_taught_row(struct tcsi_cell *cell, const struct tcsi_live_series *series); /* before the chart has taken it */
/* After: an incident's row has not moved the scale.  How the cohort is to take it. */
tcsi_cohort_regard tcsi_taught_score(const struct tcsi_cell *cell, struct tcsi_live_series *series);
/* Of a row out of the ordinary, without an open anomaly: is it one that was missed before? */
bool tcsi_taught_raises(struct tcsi_cell *cell, const struct tcsi_live_series *series, int64_t time_ns, bool is_below);
void tcsi_taught_open(struct tcsi_cell *cell, const struct tcsi_live_series *series);

/* ---- others ---- */

/* Alarms of chance that a row of the series may raise, by its policy; answers aside. */
double tcsi_taught_allowed(const struct tcsi_cell *cell, const struct tcsi_live_series *series);

/* Its anomaly is an incident from now on, and was from its onset. */
void tcsi_taught_incident(struct tcsi_cell *cell, struct tcsi_live_series *series, int64_t begin_ns, double lasted);
/* Around a change of what the cell's memory holds: everybody's share is one, and then what it is. */
void tcsi_taught_forget_shares(struct tcsi_cell *cell);
void tcsi_taught_share(struct tcsi_cell *cell);
/* The same shares, as many rows as series give now: one look at each answer, and at each series where policies have weights. */
void tcsi_taught_weigh(struct tcsi_cell *cell);
void tcsi_taught_weigh_policies(struct tcsi_cell *cell); /* they are others now */
void tcsi_taught_persist(tcsi_taught *taught, tcsi_codec *codec);

#endif
