/* detect/window/offline.h -- what detectors of one channel that look at a whole series share: a filled, standardized copy of
 * the channel, a window taken from its period, and the way back to scores.
 * Threads: reentrant. */
#ifndef TCS_DETECT_WINDOW_OFFLINE_H
#define TCS_DETECT_WINDOW_OFFLINE_H

#include "detect/detector.h"
#include "series/scale.h"

/* Missing values are interpolated between their neighbours (ends: the nearest value; nothing present: 0), then the series is
 * standardized.  Owns z. */
typedef struct tcsi_offline {
    size_t row_count;
    const double *values; /* as given, borrowed: says which rows are missing */
    double *z;            /* (row_count), finite */
    tcsi_scale scale;     /* of the present values, or the one given */
    size_t window;        /* rows: as asked for, or the series' period */
} tcsi_offline;

/* Channel 0 of frame.  window: 0 takes the period, but at most an eighth of the rows (and at least 4).
 * scale: NULL takes the series' own mean and deviation. */
tcs_status tcsi_offline_begin(const tcsi_frame *frame, size_t window, const tcsi_scale *scale, tcsi_offline *ret_offline,
                              tcs_error *err) TCS_WARN_UNUSED;
void tcsi_offline_end(tcsi_offline *offline); /* accepts a zeroed struct */

/* rows: (row_count) raw scores, NULL = too short to judge.  Present rows become READY (without rows WARMUP), missing ones
 * MISSING. */
void tcsi_offline_scores(const tcsi_offline *offline, const double *rows, tcs_score *ret_scores);

/* Most bytes that begin needs. */
size_t tcsi_offline_size_max(size_t row_count);

/* For codecs: the saved form of a scale. */
void tcsi_offline_persist_scale(tcsi_scale *scale, tcsi_codec *codec);

#endif
