/* explain/replay.h -- rows judged again as if their values had been others: what counterfactuals and Shapley values are made of.
 *
 * Three ways, the cheapest that is exact:
 *   - a streaming detector is saved before the first row of a span, and each trial goes on from there over its rows only; one walk over the
 *     frame saves all spans;
 *   - a detector that looks at windows around a row scores a slice of the frame, if that gives the span the scores it had: it is tried,
 *     not assumed;
 *   - any other scores the whole frame again, the changes of all spans at once in it, so that a trial costs one scoring however many
 *     spans there are.
 * A copy of the subject's detector does all this.
 * Memory: the copy, a saved state a span, and a copy of the frame for the third way. */
#ifndef TCS_EXPLAIN_REPLAY_H
#define TCS_EXPLAIN_REPLAY_H

#include "explain/subject.h"

typedef enum tcsi_replay_way { TCSI_REPLAY_STREAM, TCSI_REPLAY_SLICE, TCSI_REPLAY_FRAME } tcsi_replay_way;

typedef struct tcsi_replay {
    tcsi_extent rows;     /* that may be changed and are judged */
    double *values;     /* (C,rows): as observed, until the caller changes them */
    tcs_score *scores;  /* (rows): of the last run */
    double *parts;      /* (rows,C): of the last run, where asked for and told */
    bool is_wanted;     /* is scored; in a frame that is scored whole, its changes are in place either way */
    tcsi_extent until; /* of a stream: nothing behind the first of these rows that alarms is judged, nor behind the last; empty: all is */
    tcsi_buffer state;  /* of a stream before its first row */
    tcsi_extent slice;
} tcsi_replay;

typedef struct tcsi_replays {
    const tcsi_subject *subject;
    tcsi_replay_way way;
    tcsi_replay *items; /* in the order in which the spans were given */
    size_t count;
    size_t run_count;   /* trials so far: what it cost */
    tcsi_detector *copy; /* not of a stream */
    tcsi_frame *frame;   /* of TCSI_REPLAY_FRAME: with the changes */
    tcs_score *scores;   /* (its rows, or the longest slice) */
    double *row;         /* (C) */
} tcsi_replays;

/* Spans in order of their beginnings.  They may overlap; where two change a row of a frame that is scored whole, the later one does.
 *   E_MEMORY, and as scoring. */
tcs_status tcsi_replays_init(const tcsi_subject *subject, const tcsi_extent *spans, size_t count, tcsi_replays *ret_replays,
                             tcs_error *err) TCS_WARN_UNUSED;
void tcsi_replays_deinit(tcsi_replays *replays); /* accepts a zeroed one */

/* Scores of all wanted spans with the values they have now.  with_parts: of streams, also what each channel contributes. */
tcs_status tcsi_replays_run(tcsi_replays *replays, bool with_parts, tcs_error *err) TCS_WARN_UNUSED;
/* Back to what was observed. */
void tcsi_replay_restore(const tcsi_replays *replays, tcsi_replay *item);

#endif
