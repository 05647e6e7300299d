/* decide/joint.h -- episodes of many series judged together, so that of those that stay no more than a stated share is chance.
 *
 * One false alarm a series is little; of a thousand series it is a thousand.  Each series is one test (batch methods of decide/fdr.h), or
 * one for each of its blocks of time (online methods, in order of time, blocks of one time in order of their series).  The p-value of a
 * test is the chance of at least one cluster as high as its most severe episode in that many normal rows, 1 - exp(-expected_count):
 * clusters come as a Poisson process (decide/tail.h).  A test without an episode has p = 1, and is a test all the same.
 * The method gives each test a level: online its own; of bh and by a R / (n c), where R of n tests are discoveries and c is 1, of by
 * the n-th harmonic number.  Every episode whose own p-value is at most its test's level stays.  For bh that holds the mean share of false
 * ones within the series that were selected as well (Y. Benjamini, M. Bogomolov, "Selective inference on multiple families of
 * hypotheses", JRSS B 76(1), 2014: the p-values of a series' episodes are already for the whole series).
 * e-bh takes p^(-1/2) / 2 as a test's e-value.
 *
 * Memory: one record a test and an episode.  Threads: one user. */
#ifndef TCS_DECIDE_JOINT_H
#define TCS_DECIDE_JOINT_H

#include "decide/fdr.h"

typedef struct tcsi_joint_test {
    int64_t place;   /* in time; tests of one place stand in order of their series */
    size_t series;
    double p_value;
    double level;    /* what an episode's p-value may be at most */
} tcsi_joint_test;

typedef struct tcsi_joint_episode {
    size_t series, index; /* of the series' episodes */
    size_t test;          /* as they were added */
    double p_value;
    bool stays;
} tcsi_joint_episode;

typedef struct tcsi_joint {
    tcsi_fdr_method method;
    double level;
    size_t series_count, test_count, episode_count;
    tcsi_joint_test *tests;
    tcsi_joint_episode *episodes;
    size_t test_room, episode_room;
} tcsi_joint;

typedef struct tcsi_joint_series {
    size_t row_count;
    const int64_t *places;         /* (row_count) of the block of each row, not falling; NULL: one block.  Batch methods do not look */
    const size_t *row_begins;      /* (episode_count) */
    const double *expected_counts; /* (episode_count) clusters as high, expected by chance in row_count rows */
    size_t episode_count;
} tcsi_joint_series;

/* E_INVALID: a level outside (0, 1). */
tcs_status tcsi_joint_init(tcsi_joint *joint, tcsi_fdr_method method, double level, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_joint_deinit(tcsi_joint *joint); /* accepts a zeroed one */
tcs_status tcsi_joint_add(tcsi_joint *joint, const tcsi_joint_series *series, tcs_error *err) TCS_WARN_UNUSED;
/* Says of every episode whether it stays.  May be asked again after more series. */
tcs_status tcsi_joint_run(tcsi_joint *joint, tcs_error *err) TCS_WARN_UNUSED;

#endif
