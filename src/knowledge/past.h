/* knowledge/past.h -- what one d(x)/dt, lag or mean remembers of the rows before.
 *
 * Row by row, whatever the number of rows: a file read whole runs the same pushes as a stream, so that both have the same bits.  The mean
 * keeps two running sums, one over the newer rows as they came and one, made anew when it is used up, over the older ones from each row on:
 * nothing is ever subtracted, so that a reading of 1e100 leaves no trace once it has left the window (the two-stack queue).
 * A mean is missing until rows reach back as far as it does.  Costs O(1) a row on average.  Memory grows to the rows looked back at, at
 * most TCSI_PAST_ROWS_MAX; beyond, a mean is of the newest so many rows, and a lag is missing. */
#ifndef TCS_KNOWLEDGE_PAST_H
#define TCS_KNOWLEDGE_PAST_H

#include "base/codec.h"
#include "knowledge/expression.h"

enum { TCSI_PAST_ROWS_MAX = 1 << 18 };

typedef struct tcsi_past_row {
    int64_t time_ns;
    double value;   /* NaN: missing */
    double sum;     /* before the border: of the present values from here to it */
    uint64_t count; /* likewise */
} tcsi_past_row;

typedef struct tcsi_past {
    tcsi_past_row *rows;        /* ring of capacity, a power of two; row i stands at i % capacity */
    size_t capacity;
    uint64_t begin, border, end; /* rows [begin, end) are kept; begin <= border <= end */
    double sum;                  /* of the present values in [border, end) */
    uint64_t count;
    uint64_t row_count;          /* LAG, MEAN: ever pushed */
    int64_t first_time_ns;       /* of the first of them */
    double last_value;           /* RATE: the last one present */
    int64_t last_time_ns;
    bool has_last;
} tcsi_past;

void tcsi_past_deinit(tcsi_past *past); /* accepts a zeroed one */
/* The value of node, whose operand in this row is value.  E_MEMORY. */
tcs_status tcsi_past_push(tcsi_past *past, const tcsi_node *node, int64_t time_ns, double value, double *ret_value,
                          tcs_error *err) TCS_WARN_UNUSED;
void tcsi_past_persist(tcsi_past *past, tcsi_codec *codec); /* loading: into a zeroed one */

#endif
