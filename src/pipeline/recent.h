/* pipeline/recent.h -- the last rows of a stream and what was decided of them, so that its episodes can be explained.
 *
 * A stream forgets its rows; an explanation (explain/explanation.h) asks for those around an episode and before it.  Here the last
 * TCSI_RECENT_ROWS of them stay, fewer of many channels, with their scores and verdicts and the last TCSI_RECENT_EPISODES episodes that
 * are over.  To an explanation they look like a frame that ends with the newest row: a stream that has seen no more rows than that says,
 * bit for bit, what a detection of a frame of the same rows would say briefly of the same episode.  Of an episode that began before the
 * rows that are kept, these are looked at.
 * There is room for twice as many rows: when it is full the newer half moves to its front, so that they are always in one piece.
 * Cost: a row is copied about twice; nothing is allocated after create.  Memory: tcsi_recent_size_max. */
#ifndef TCS_PIPELINE_RECENT_H
#define TCS_PIPELINE_RECENT_H

#include "explain/subject.h"

enum { TCSI_RECENT_ROWS = 8192, TCSI_RECENT_EPISODES = 256, TCSI_RECENT_CELLS = 1 << 20, TCSI_RECENT_ROWS_MIN = 64 };

typedef struct tcsi_recent tcsi_recent;

typedef struct tcsi_recent_options {
    size_t channel_count;
    const char *const *names, *const *units; /* (channel_count), copied; units: NULL and its items NULL: unknown */
    bool has_times;          /* times say when rows were */
    bool adds_up;            /* verdicts have sums */
    size_t member_max;       /* so many of the detector's members may say how rare each row is */
} tcsi_recent_options;

/* Rows that are kept of so many channels; 0: so many that too few rows would stay to say anything. */
size_t tcsi_recent_row_count(size_t channel_count);
size_t tcsi_recent_size_max(size_t channel_count, size_t member_max); /* bytes, without names */

/* channel_count: one of which rows are kept.  E_MEMORY. */
tcs_status tcsi_recent_create(const tcsi_recent_options *options, tcsi_recent **ret_recent, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_recent_destroy(tcsi_recent *recent); /* accepts NULL */

void tcsi_recent_push(tcsi_recent *recent, const tcsi_row *row, const tcs_score *score, const tcsi_verdict *verdict);
/* What the members say of the row that was just pushed: (member_count), as many for each row. */
void tcsi_recent_listen(tcsi_recent *recent, const float *said, size_t member_count);
/* An episode is over; rows are counted from the first that was pushed. */
void tcsi_recent_close(tcsi_recent *recent, const tcsi_episode *episode);

/* What is kept as explanations see it; `current`, the last episode, is the last of its decision.  Borrowed until the next push.
 * False: its rows are gone. */
bool tcsi_recent_subject(tcsi_recent *recent, const tcsi_episode *current, bool by_evidence, tcsi_subject *ret_subject);

#endif
