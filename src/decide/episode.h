/* decide/episode.h -- consecutive anomalous rows as one event.
 *
 * An episode opens where the score rises above its row's threshold, reaches out to both sides while the score stays
 * above the row's lower threshold (hysteresis), and absorbs a neighbour that begins within `merge_count` rows.  Rows whose score is not
 * READY neither open nor close one.  Ranked by what they would cost by chance: fewer expected clusters first.
 * Online the same rule is applied row by row, so onset is the first row above the threshold, never earlier.
 * Threads: reentrant. */
#ifndef TCS_DECIDE_EPISODE_H
#define TCS_DECIDE_EPISODE_H

#include "base/status.h"

typedef struct tcsi_episode {
    size_t row_begin, row_end; /* [row_begin, row_end): onset and end */
    size_t row_peak;
    double score_peak;
    double p_value;            /* of the peak row */
    double expected_count;     /* episodes this high expected by chance in the rows looked at */
    double severity;           /* 0..100: 50 just reaches the alarm budget, each 10 more is ten times rarer */
} tcsi_episode;

typedef struct tcsi_episode_options {
    const double *thresholds;     /* (T) */
    const double *thresholds_low; /* (T) each <= its threshold */
    size_t merge_count;              /* rows; 0: touching ones only */
    bool by_evidence;                /* thresholds are compared with tcs_score.evidence, not value */
    bool causal;                     /* online: no reaching back before the opening row */
} tcsi_episode_options;

/* scores: (T); ret_anomaly: (T) 0/1.  ret_episodes is owned by the caller (tcsi_free), in order of time;
 * p_value, expected_count and severity are left 0 for the policy to fill. */
tcs_status tcsi_episodes_find(const tcs_score *scores, size_t row_count, const tcsi_episode_options *options, uint8_t *ret_anomaly,
                              tcsi_episode **ret_episodes, size_t *ret_episode_count, tcs_error *err) TCS_WARN_UNUSED;

#endif
