/* serve/shard/last_rows.h -- the last 64 rows of a live series, for whoever looks twice.
 *
 * A row is kept as its distance from the chart's level in the chart's deviations, both from before the row: the scale of the series is out
 * of it, so that one network can read them all.  Its inverse hyperbolic sine is kept in 2048ths: in the ordinary as good as a tenth of a
 * percent of a deviation, and a million deviations still fit.
 * Memory: 130 bytes a series.  Cost: O(1) a row, a window 64 steps.  Threads: one user. */
#ifndef TCS_SERVE_SHARD_LAST_ROWS_H
#define TCS_SERVE_SHARD_LAST_ROWS_H

#include "base/codec.h"

enum { TCSI_LAST_ROWS = 64 };

/* Zeros are a series without rows; ring: the newest overwrites the oldest. */
typedef struct tcsi_last_rows {
    int16_t ring[TCSI_LAST_ROWS];
    uint8_t at;                      /* where the next one goes */
    uint8_t count;
} tcsi_last_rows;

/* NaN counts as 0: there was no deviation to measure by. */
void tcsi_last_rows_push(tcsi_last_rows *rows, double deviations);
/* The last rows, oldest first; false: there are fewer than TCSI_LAST_ROWS. */
bool tcsi_last_rows_window(const tcsi_last_rows *rows, int16_t ret_rows[TCSI_LAST_ROWS]);
/* What a network reads: within +-16. */
void tcsi_last_rows_read(const int16_t *rows, size_t count, float *ret_values);
/* The other way: the nearest that is kept; NaN is 0. */
int16_t tcsi_last_rows_write(double value);
/* In deviations of the chart. */
double tcsi_last_rows_deviations(int16_t row);
void tcsi_last_rows_persist_window(int16_t rows[TCSI_LAST_ROWS], tcsi_codec *codec);
void tcsi_last_rows_persist(tcsi_last_rows *rows, tcsi_codec *codec);

#endif
