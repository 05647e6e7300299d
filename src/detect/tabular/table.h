/* detect/tabular/table.h -- from a frame to the dense matrix that the tabular detectors compute on.
 *
 * A scaler learns three numbers a channel: what to put in place of a missing value (the median of the usable ones),
 * and the centre and scale of the chosen scaling.  A table holds the rows that have at least one usable value, filled
 * and scaled, and remembers where in the frame they stood; rows without any usable value are left out and score MISSING.
 *
 * Stated outcomes: a channel without usable values, or constant, becomes 0 everywhere under STANDARD, ROBUST and RANGE
 * (a later value that departs from the constant is measured in units of the constant itself); scaled values are
 * clipped to +-TCSI_TABLE_SCALED_MAX.  Nothing is NaN or infinite.
 * Threads: a scaler has one writer or many readers; a table likewise. */
#ifndef TCS_DETECT_TABULAR_TABLE_H
#define TCS_DETECT_TABULAR_TABLE_H

#include "base/codec.h"
#include "series/frame.h"

#define TCSI_TABLE_SCALED_MAX 1e6

typedef enum tcsi_scaling {
    TCSI_SCALING_NONE,     /* values as they are */
    TCSI_SCALING_STANDARD, /* mean 0, population standard deviation 1 */
    TCSI_SCALING_ROBUST,   /* median 0, quartile range 1.349 (a normal distribution's); standard when that is 0 */
    TCSI_SCALING_RANGE,    /* smallest 0, largest 1 */
} tcsi_scaling;

typedef struct tcsi_scaler {
    size_t channel_count;
    double *fill, *centre, *scale; /* (C) each; scale > 0 */
} tcsi_scaler;

typedef enum tcsi_scaler_use {
    TCSI_SCALER_KEPT,    /* for later frames too */
    TCSI_SCALER_PASSING, /* for the frame that it was learned from: what to put in place of missing values is sought only where
                            there are some */
} tcsi_scaler_use;

/* Learns from the usable values of frame.  *ret_scaler is to be released with deinit.  E_MEMORY. */
tcs_status tcsi_scaler_fit(const tcsi_frame *frame, tcsi_scaling scaling, tcsi_scaler_use use, tcsi_scaler *ret_scaler,
                           tcs_error *err) TCS_WARN_UNUSED;
void tcsi_scaler_deinit(tcsi_scaler *scaler); /* accepts a zeroed struct */
void tcsi_scaler_persist(tcsi_scaler *scaler, size_t channel_count, tcsi_codec *codec);

typedef enum tcsi_table_layout {
    TCSI_TABLE_BY_ROW,    /* (R,C) */
    TCSI_TABLE_BY_COLUMN, /* (C,R) */
} tcsi_table_layout;

typedef struct tcsi_table {
    size_t row_count, channel_count;
    double *values;
    size_t *rows; /* (R): the frame's row of each row here, rising */
} tcsi_table;

tcs_status tcsi_table_create(const tcsi_frame *frame, const tcsi_scaler *scaler, tcsi_table_layout layout, tcsi_table *ret_table,
                             tcs_error *err) TCS_WARN_UNUSED;
void tcsi_table_deinit(tcsi_table *table); /* accepts a zeroed struct */
/* For whoever has the values elsewhere and wants only to find rows. */
void tcsi_table_drop_values(tcsi_table *table);
/* The learning step of most detectors in one call: fits the scaler and makes the table of the same frame. */
tcs_status tcsi_table_learn(const tcsi_frame *frame, tcsi_scaling scaling, tcsi_scaler_use use, tcsi_table_layout layout,
                            tcsi_scaler *ret_scaler, tcsi_table *ret_table, tcs_error *err) TCS_WARN_UNUSED;

/* The table's row for a row of the frame; SIZE_MAX: it has none. */
size_t tcsi_table_find(const tcsi_table *table, size_t frame_row);

/* All scores MISSING, then READY with values[i] (made finite) at the frame row of table row i. */
void tcsi_table_spread(const tcsi_table *table, const double *values, size_t frame_row_count, tcs_score *ret_scores);

/* Upper bound of what scaler, table and their scratch hold for a frame of this size, in bytes; SIZE_MAX when absurd. */
size_t tcsi_table_size_max(size_t row_count, size_t channel_count);

/* Saves count values, or allocates *array and reads them: a count that the state cannot hold is refused first. */
void tcsi_persist_f64s(tcsi_codec *codec, double **array, size_t count);
void tcsi_persist_f32s(tcsi_codec *codec, float **array, size_t count);
void tcsi_persist_u32s(tcsi_codec *codec, uint32_t **array, size_t count);

#endif
