/* detect/tabular/parts.h -- keeps what each channel added to each row's score, for contribute_span.
 * Memory: 4 bytes a value of the frame.  Threads: one writer or many readers. */
#ifndef TCS_DETECT_TABULAR_PARTS_H
#define TCS_DETECT_TABULAR_PARTS_H

#include "base/status.h"

typedef struct tcsi_parts {
    size_t row_count, channel_count;
    float *values; /* (C,T), >= 0; NULL: nothing was scored yet */
} tcsi_parts;

/* All zero for a frame of this size, replacing what was kept.  E_MEMORY leaves it empty. */
tcs_status tcsi_parts_begin(tcsi_parts *parts, size_t row_count, size_t channel_count, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_parts_deinit(tcsi_parts *parts); /* accepts a zeroed struct */
void tcsi_parts_set(tcsi_parts *parts, size_t row, size_t channel, double value); /* made finite and not negative */
/* Sums over rows [row_begin, row_end), (C); zeros when nothing is known of them. */
void tcsi_parts_sum(const tcsi_parts *parts, size_t row_begin, size_t row_end, size_t channel_count, double *ret_parts);

#endif
