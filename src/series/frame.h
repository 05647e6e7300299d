/* series/frame.h -- rows over time x channels: what every reader produces and every detector consumes.
 * Values are doubles, channel by channel (shape (C,T): channel c is one contiguous run of row_count values), NaN = missing.
 * Time stamps are int64 nanoseconds since 1970-01-01 UTC and may be irregular; a frame without them is cross-sectional
 * (tabular) data.  Labels are one byte a row, 1 = anomalous.
 * A view shares the memory of the frame it was made from and must not be destroyed, appended to or outlive it.
 * Threads: any number of readers, or one writer. */
#ifndef TCS_SERIES_FRAME_H
#define TCS_SERIES_FRAME_H

#include "base/status.h"

typedef struct tcsi_channel {
    char *name; /* never NULL once the frame is complete */
    char *unit; /* may be NULL */
} tcsi_channel;

typedef struct tcsi_frame {
    size_t row_count, channel_count;
    size_t stride;          /* values between the starts of two channels; >= row_count */
    double *values;         /* (C,T) */
    int64_t *times_ns;      /* (T) or NULL: no time column */
    uint8_t *labels;        /* (T) or NULL: not labelled */
    tcsi_channel *channels; /* (C) */
    char *time_name;        /* column the times came from, may be NULL */
    char *label_name;
    bool is_view;
} tcsi_frame;

/* Row counts and channel counts above these are refused with a clear error. */
#define TCSI_FRAME_CHANNEL_COUNT_MAX ((size_t)1 << 20)

/* A frame with room for row_capacity rows, none in use; channels named "c0", "c1", ... */
tcs_status tcsi_frame_create(size_t channel_count, size_t row_capacity, bool has_times, bool has_labels,
                             tcsi_frame **ret_frame, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_frame_destroy(tcsi_frame *frame); /* accepts NULL */

/* Appends one row, growing as needed.  row: (C); time and label are ignored when the frame has none. */
tcs_status tcsi_frame_append(tcsi_frame *frame, const double *row, int64_t time_ns, uint8_t label, tcs_error *err) TCS_WARN_UNUSED;
tcs_status tcsi_frame_reserve(tcsi_frame *frame, size_t row_capacity, tcs_error *err) TCS_WARN_UNUSED;

tcs_status tcsi_frame_channel_rename(tcsi_frame *frame, size_t channel, const char *name, tcs_error *err) TCS_WARN_UNUSED;

double *tcsi_frame_column(const tcsi_frame *frame, size_t channel);
void tcsi_frame_row(const tcsi_frame *frame, size_t row, double *ret_values); /* gathers (C) values */

/* Rows [row_begin, row_begin + row_count) of frame, sharing its memory.  The range must lie inside. */
tcsi_frame tcsi_frame_view(const tcsi_frame *frame, size_t row_begin, size_t row_count);

/* A new frame with the chosen channels (indices into frame) and copies of time and labels. */
tcs_status tcsi_frame_select(const tcsi_frame *frame, const size_t *channels, size_t channel_count,
                             tcsi_frame **ret_frame, tcs_error *err) TCS_WARN_UNUSED;

#endif
