/* decide/episode.h -- consecutive anomalous rows as one event.
 *
 * An episode opens where the score rises above its row's threshold, reaches out to both sides while the score stays
 * above the row's lower threshold (hysteresis), and absorbs a neighbour that begins within `merge_count` rows.  Rows whose score is not
 * READY neither open nor close one.  Ranked by what they would cost by chance: fewer expected clusters first.
 * Online the tracker applies the same rule row by row: onset is the first row above the threshold, never earlier; a row is an
 * anomaly when it is itself above the threshold in force for it, since nobody knows yet whether a gap will be bridged; the gap
 * belongs to the episode once it is.
 * Threads: reentrant; one user per tracker. */
#ifndef TCS_DECIDE_EPISODE_H
#define TCS_DECIDE_EPISODE_H

#include "base/codec.h"
#include "knowledge/order.h"

/* Early, then sure: an episode is told of when it opens, and confirmed when it is ten times rarer than what is allowed (severity 60), or
 * when it has lasted longer than scores remember each other, LASTING_MIN rows at least; what passes before is dismissed as a blip. */
typedef enum tcsi_episode_state {
    TCSI_EPISODE_SUSPECTED,
    TCSI_EPISODE_CONFIRMED,
    TCSI_EPISODE_RESOLVED,  /* it was confirmed, and is over */
    TCSI_EPISODE_DISMISSED, /* it was over before it was confirmed */
} tcsi_episode_state;

typedef struct tcsi_episode {
    size_t row_begin, row_end; /* [row_begin, row_end): onset and end */
    size_t row_peak;
    double score_peak;
    double p_value;            /* of the peak row */
    double expected_count;     /* episodes this high expected by chance in the rows looked at; online in TCSI_BUDGET_ROWS rows */
    double severity;           /* 0..100: 50 just reaches the alarm budget, each 10 more is ten times rarer */
    tcsi_episode_state state;
    size_t row_confirmed;      /* unless SUSPECTED or DISMISSED */
    size_t lasted;             /* rows above the threshold in force for them, so far */
    tcsi_order order;          /* ALARM: the first hard limit passed in it; EXCUSE: it is expected, as part of this event */
} tcsi_episode;

typedef struct tcsi_episode_options {
    const double *thresholds;     /* (T) */
    const double *thresholds_low; /* (T) each <= its threshold */
    size_t merge_count;              /* rows; 0: touching ones only */
    bool by_evidence;                /* thresholds are compared with tcs_score.evidence, not value */
    const tcsi_order *orders;        /* (T), NULL: none.  ALARM: above, whatever the score; EXCUSE: not above */
    bool is_expected;                /* instead, episodes of excused rows alone */
} tcsi_episode_options;

/* scores: (T); ret_anomaly: (T) 0/1, may be NULL.  ret_episodes is owned by the caller (tcsi_free), in order of time;
 * p_value, expected_count and severity are left 0 for the policy to fill. */
tcs_status tcsi_episodes_find(const tcs_score *scores, size_t row_count, const tcsi_episode_options *options, uint8_t *ret_anomaly,
                              tcsi_episode **ret_episodes, size_t *ret_episode_count, tcs_error *err) TCS_WARN_UNUSED;

/* One more row of it, which was rated before: is it confirmed now?  run_length: rows that scores remember each other. */
void tcsi_episode_judge(tcsi_episode *episode, size_t row, size_t run_length);
/* The same for a whole one, at once.  is_over: it does not reach the last row. */
void tcsi_episode_settle(tcsi_episode *episode, size_t run_length, bool is_over);

/* Appends to an array of *count episodes with room for *capacity, which grows. */
tcs_status tcsi_episodes_add(tcsi_episode **episodes, size_t *count, size_t *capacity, const tcsi_episode *episode,
                             tcs_error *err) TCS_WARN_UNUSED;

/* ---- row by row ---- */

typedef enum tcsi_episode_event {
    TCSI_EPISODE_NONE,
    TCSI_EPISODE_OPENED,    /* by this row */
    TCSI_EPISODE_CONTINUED, /* this row belongs to it */
    TCSI_EPISODE_CLOSED,    /* this row is the first that could not have continued it; its end was merge_count rows before */
} tcsi_episode_event;

typedef struct tcsi_episode_tracker {
    size_t merge_count;
    size_t row_count;     /* rows pushed */
    bool is_open;         /* an episode may still grow */
    bool is_inside;       /* no READY row was below the lower threshold since its last row above */
    tcsi_episode episode; /* open, or the last one closed; p_value, expected_count and severity are left 0 */
} tcsi_episode_tracker;

typedef struct tcsi_episode_step {
    bool anomaly;  /* the row is above the threshold in force for it */
    bool is_peak;  /* it is the highest of its episode so far */
    tcsi_episode_event event;
} tcsi_episode_step;

void tcsi_episode_tracker_init(tcsi_episode_tracker *tracker, size_t merge_count);
/* level: what the thresholds are compared with; the peak is always that of score->value.  threshold_low <= threshold. */
tcsi_episode_step tcsi_episode_tracker_push(tcsi_episode_tracker *tracker, const tcs_score *score, double level, double threshold,
                                            double threshold_low);
/* Between two rows. */
void tcsi_episode_tracker_persist(tcsi_episode_tracker *tracker, tcsi_codec *codec);

#endif
