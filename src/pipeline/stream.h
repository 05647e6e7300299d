/* pipeline/stream.h -- a detection that never sees the end of its input: rows in, one outcome per row out, in bounded memory.
 * The same functions as tcsi_detect with mode online, in the same order, so that a file that is streamed and a file that is read
 * whole get the same bits in every score, p-value, threshold and anomaly.
 *
 *     create -> push row, next until it has none, push row, ... -> end -> next until it has none
 *
 * A detector that has something to fit first keeps the training rows: they get no outcome until the last of them is there, then
 * all at once.  Any other answers each row at once.  Without a stated number there are TCSI_STREAM_TRAIN_ROWS training rows; an
 * input that ends before is trained as tcsi_train_rows_default says for a frame of that length, so that only inputs of 750 to
 * 5,000 rows without a stated number are trained differently from a frame.
 * An episode's channels are the sum of tcsi_detector_contribute over its anomalous rows so far.
 * It forgets its rows, unless it is to remember the last of them (recent.h), so that its episodes can be explained (pipeline/explain.h).
 * Saved between two rows, it goes on elsewhere as if nothing had happened; there rows are counted from 0 again, and an episode that
 * began before is told as one that begins with the first.
 * Memory: tcsi_detect_stream_size_max, whatever the number of rows; while fitting also what the detector's fit needs for the
 * training rows.  Threads: one user per stream. */
#ifndef TCS_PIPELINE_STREAM_H
#define TCS_PIPELINE_STREAM_H

#include "knowledge/bound.h"
#include "knowledge/votes.h"
#include "pipeline/detect.h"

enum { TCSI_STREAM_TRAIN_ROWS = 750 };

typedef struct tcsi_detect_stream tcsi_detect_stream;

/* An episode as known so far. */
typedef struct tcsi_stream_episode {
    tcsi_episode episode;
    int64_t time_begin_ns, time_end_ns, time_peak_ns; /* of its first, last and peak row */
    tcsi_episode_shares shares;
    tcsi_agreement agreement; /* of the detector's members in its peak row */
} tcsi_stream_episode;

typedef struct tcsi_outcome {
    tcsi_row row;             /* values live until the next call */
    uint8_t label;
    tcs_score score;
    float said[TCSI_MEMBER_COUNT_MAX]; /* (member_count) as tcsi_detector_members says */
    size_t member_count;
    tcsi_verdict verdict;
    tcsi_bound_row known;     /* zeroed without knowledge; row.values then are those that the detector saw */
} tcsi_outcome;

struct tcsi_recent;

/* options->mode is taken as online.  E_INVALID: an unknown detector, one that needs the whole frame, or a wrong parameter. */
tcs_status tcsi_detect_stream_create(size_t channel_count, const tcsi_detect_options *options, tcsi_detect_stream **ret_stream,
                                     tcs_error *err) TCS_WARN_UNUSED;
void tcsi_detect_stream_destroy(tcsi_detect_stream *stream); /* accepts NULL */

/* Keeps the last rows from now on, before the first; names: of the channels that it was created with, as channel_count says, looked at
 * without knowledge.  Too many channels to keep enough rows of: nothing is kept.  E_INVALID: it has seen rows; E_MEMORY. */
tcs_status tcsi_detect_stream_remember(tcsi_detect_stream *stream, const char *const *names, bool has_times,
                                       tcs_error *err) TCS_WARN_UNUSED;
struct tcsi_recent *tcsi_detect_stream_recent(const tcsi_detect_stream *stream); /* NULL: nothing is kept */

/* Appends the state to out.  E_INVALID: outcomes wait for next, or the training rows are not all there. */
tcs_status tcsi_detect_stream_save(tcsi_detect_stream *stream, tcsi_buffer *out, tcs_error *err) TCS_WARN_UNUSED;
/* The detector alone, as it stands.  E_MEMORY. */
tcs_status tcsi_detect_stream_save_detector(const tcsi_detect_stream *stream, tcsi_buffer *out, tcs_error *err) TCS_WARN_UNUSED;
/* thread_count as in the options.  bound: of the knowledge that the stream had, taken over even in failure; NULL: none.
 * E_FORMAT: damaged. */
tcs_status tcsi_detect_stream_load(const void *bytes, size_t size, size_t thread_count, tcsi_bound *bound, tcsi_detect_stream **ret_stream,
                                   tcs_error *err) TCS_WARN_UNUSED;

/* Copies the row; its sequence is counted here.  E_INVALID: outcomes wait for next, or the stream was ended.  After any other
 * failure only destroy may be called. */
tcs_status tcsi_detect_stream_push(tcsi_detect_stream *stream, const tcsi_row *row, uint8_t label, tcs_error *err) TCS_WARN_UNUSED;
/* No more rows will come.  E_INVALID: there was none, or fewer than the training rows asked for. */
tcs_status tcsi_detect_stream_end(tcsi_detect_stream *stream, tcs_error *err) TCS_WARN_UNUSED;
/* The outcome of the next row, in order; *ret_any = false: none is due. */
tcs_status tcsi_detect_stream_next(tcsi_detect_stream *stream, tcsi_outcome *ret_outcome, bool *ret_any, tcs_error *err) TCS_WARN_UNUSED;

/* The episode that the last outcome's event is about; false: there was none yet. */
bool tcsi_detect_stream_episode(const tcsi_detect_stream *stream, tcsi_stream_episode *ret_episode);
/* What was excused as part of a known event: verdict.expected_event is about it.  False: there was none. */
bool tcsi_detect_stream_expected(const tcsi_detect_stream *stream, tcsi_stream_episode *ret_episode);
bool tcsi_detect_stream_expected_is_open(const tcsi_detect_stream *stream);
/* NULL: no knowledge.  votes: NULL without rules; estimated anew. */
const tcsi_bound *tcsi_detect_stream_bound(const tcsi_detect_stream *stream);
const tcsi_votes *tcsi_detect_stream_votes(tcsi_detect_stream *stream);
bool tcsi_detect_stream_episode_is_open(const tcsi_detect_stream *stream);
uint64_t tcsi_detect_stream_episode_count(const tcsi_detect_stream *stream); /* opened so far */
uint64_t tcsi_detect_stream_row_count(const tcsi_detect_stream *stream);     /* outcomes given */
const tcsi_detector_info *tcsi_detect_stream_info(const tcsi_detect_stream *stream);
size_t tcsi_detect_stream_train_row_count(const tcsi_detect_stream *stream);
const tcsi_budget *tcsi_detect_stream_stated(const tcsi_detect_stream *stream); /* what was asked for */
double tcsi_detect_stream_budget(const tcsi_detect_stream *stream);          /* false alarms allowed in the rows so far */
bool tcsi_detect_stream_by_evidence(const tcsi_detect_stream *stream);       /* scores' evidence is compared with thresholds */
bool tcsi_detect_stream_own_threshold(const tcsi_detect_stream *stream);     /* the detector's decides, not the budget */
double tcsi_detect_stream_threshold(const tcsi_detect_stream *stream);       /* in force for the next row */
bool tcsi_detect_stream_adds_up(const tcsi_detect_stream *stream);           /* verdicts have a sum */
/* The tail that p-values are taken from; count 0: none yet. */
const tcsi_tail *tcsi_detect_stream_tail(const tcsi_detect_stream *stream);
const tcsi_training *tcsi_detect_stream_training(const tcsi_detect_stream *stream); /* how it went */
const tcsi_detector *tcsi_detect_stream_detector(const tcsi_detect_stream *stream);
size_t tcsi_detect_stream_size_max(const tcsi_detect_stream *stream);        /* bytes, most it holds between calls */

#endif
