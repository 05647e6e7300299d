/* decide/history.h -- the scores of a stream so far: what they call usual, and the height that they leave to chance so and so often.
 *
 * The tail (decide/tail.h) is fitted when there are a fifth more scores, so that a stream of T rows is fitted about 13 log10(T / 50)
 * times, and every TCSI_HISTORY_MAX rows at least.  Its body is of at most the last TCSI_HISTORY_MAX scores; its peaks (decide/peaks.h)
 * are the highest of some ten times as many rows as a false alarm is allowed in.  While every score that counts is still here, the peaks
 * are found anew before each fit, because rows after which scores are unrelated, and the height above which they belong together, are
 * known better by then.
 * Rows that a detector learned from score lower than later ones; as soon as there are LATER_MIN later ones, those alone count.
 * Nothing is set aside as an anomaly, since what looks like one in the past of real series is mostly what happens now and then
 * (docs/internals/decide.md), and the tail's shape is expected to be heavy.  Only of a young stream, where a wrong alarm or two are a
 * cheap price for seeing something in its first hours, it is expected to be light.
 * Memory: an array of twice the maximum, whose newer half moves to the front when it is full: memory is bounded, order is kept and a
 * score is copied once at most.  Cost: O(1) a score beside the fits.  Threads: one user. */
#ifndef TCS_DECIDE_HISTORY_H
#define TCS_DECIDE_HISTORY_H

#include "decide/peaks.h"
#include "decide/tail.h"

enum { TCSI_HISTORY_MAX = 16384, TCSI_HISTORY_MIN = 50 };
/* Bytes held beside the struct, at most: the scores, and a body of as many as count, which is never reached. */
#define TCSI_HISTORY_SIZE_MAX (3 * TCSI_HISTORY_MAX * sizeof(double))

typedef struct tcsi_history {
    bool has_training;       /* scores so far are of rows that the detector learned from: until the first that is not */
    size_t run_length_min;   /* scores closer than this belong together, whatever they say themselves */
    double *scores;          /* in order of time */
    size_t score_count;
    uint64_t count, fit_at;  /* scores that count, and how many of them there are at the next fit */
    uint64_t later_count;    /* of rows after training */
    tcsi_peaks peaks;
    tcsi_tail tail;          /* count 0: not fitted yet */
    double threshold, threshold_low; /* in force for the next score; infinite before the first fit */
} tcsi_history;

/* first_fit: scores before the first fit, at least TCSI_HISTORY_MIN are waited for.  E_MEMORY. */
tcs_status tcsi_history_init(tcsi_history *history, size_t first_fit, size_t run_length_min, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_history_deinit(tcsi_history *history); /* accepts a zeroed one */

/* What is taken for granted of the tail's shape after so many scores. */
tcsi_pareto_prior tcsi_prior_at_age(uint64_t count);

/* One more score.  is_training: of a row that the detector learned from. */
void tcsi_history_push(tcsi_history *history, double score, bool is_training);
bool tcsi_history_is_due(const tcsi_history *history);
/* Fits the tail, and sets the thresholds to what normal scores exceed `rate` times a row.  E_MEMORY leaves one that can only be
 * released. */
tcs_status tcsi_history_fit(tcsi_history *history, double rate, tcs_error *err) TCS_WARN_UNUSED;

/* Between two scores.  Loading, history was initialized. */
void tcsi_history_persist(tcsi_history *history, tcsi_codec *codec);

#endif
