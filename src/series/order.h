/* series/order.h -- puts the rows of a frame into the order of their time stamps. */
#ifndef TCS_SERIES_ORDER_H
#define TCS_SERIES_ORDER_H

#include "series/frame.h"

typedef struct tcsi_order_report {
    size_t moved_count;     /* rows that stood after a later stamp */
    size_t duplicate_count; /* rows dropped because a later row of the input has the same stamp */
} tcsi_order_report;

/* Sorts rows by time, stably and in place; of several rows with one stamp the last one of the input is kept, because sources
 * that send a row again do so to correct it.  A frame without times, and one in order already, is left alone.
 * A view may not be ordered.  E_MEMORY: the frame is untouched. */
tcs_status tcsi_frame_order(tcsi_frame *frame, tcsi_order_report *ret_report, tcs_error *err) TCS_WARN_UNUSED;

/* Sorts rows by time, stably and in place, and keeps them all: equal stamps stay in the order of the input.
 * ret_places: (T) where row r of the input now stands, to be released with tcsi_free; NULL when no row had to move.
 * ret_moved_count: rows that stood after a later stamp.  E_MEMORY: the frame is untouched. */
tcs_status tcsi_frame_sort(tcsi_frame *frame, size_t **ret_places, size_t *ret_moved_count, tcs_error *err) TCS_WARN_UNUSED;

#endif
