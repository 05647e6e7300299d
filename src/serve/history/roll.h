/* serve/history/roll.h -- hours of days that are over, so that a year is a picture and not a million blocks.
 *
 * When a day (UTC) has been over for three hours, its rows of each series are read once and put again as one block of at most 24 rows, an
 * hour each, merged as a reel merges steps.  Hours are kept TCSI_ROLL_TIMES as long as rows.  Rows that come later for a day that was
 * rolled have all series' days rolled again from there on, when nothing else is to be done: until then these days are read row by row.
 * A block of a day has the day's ends as its first and last time, so that rolling again replaces it.
 * Called by the chronicle's thread alone; how far days are rolled is in a setting of the store. */
#ifndef TCS_SERVE_HISTORY_ROLL_H
#define TCS_SERVE_HISTORY_ROLL_H

#include "serve/history/chronicle.h"

enum { TCSI_ROLL_BLOCKS = 2 /* their kind in the store */, TCSI_ROLL_TIMES = 24 };
#define TCSI_ROLL_STEP_NS INT64_C(3600000000000)

/* How far days were rolled; a store that was never rolled begins today. */
tcs_status tcsi_roll_begin(tcsi_chronicle *history, int64_t now_ns, tcs_error *err) TCS_WARN_UNUSED;
/* Whether a day waits. */
bool tcsi_roll_is_due(const tcsi_chronicle *history, int64_t now_ns);
/* Some series of the day that is due, in one scope. */
tcs_status tcsi_roll_some(tcsi_chronicle *history, tcs_error *err) TCS_WARN_UNUSED;
/* Inside a scope of the writer: rows from time_ns on are put. */
tcs_status tcsi_roll_note(tcsi_chronicle *history, int64_t time_ns, tcs_error *err) TCS_WARN_UNUSED;

#endif
