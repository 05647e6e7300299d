/* series/cadence.h -- how a series arrives: its step, its gaps, what is doubled, out of order, stuck or missing.
 * Threads: reentrant; work space is allocated and released inside. */
#ifndef TCS_SERIES_CADENCE_H
#define TCS_SERIES_CADENCE_H

#include "series/frame.h"

/* Rows row and row + 1 are further apart than they should be. */
typedef struct tcsi_gap {
    size_t row;            /* the last row before the gap */
    int64_t duration_ns;   /* from that row to the next */
    uint64_t missing_count; /* rows that should have been there at the usual step */
} tcsi_gap;

typedef struct tcsi_cadence {
    int64_t step_ns;          /* median of the forward steps; 0 when there is none (fewer than two different stamps) */
    double regularity;        /* share of forward steps within 10 % of the median, 0..1; 1 when there is no step */
    size_t duplicate_count;   /* rows whose stamp equals the one before them */
    size_t reversed_count;    /* rows whose stamp lies before the one before them */
    size_t gap_count;         /* steps above 1.5 median steps */
    uint64_t missing_count;   /* over all gaps */
    int64_t gap_longest_ns;   /* 0 when there is none */
} tcsi_cadence;

/* times: (count), in the order given.  ret_gaps: the first gap_count_max gaps, may be NULL when that is 0.  E_MEMORY. */
tcs_status tcsi_cadence_of(const int64_t *times_ns, size_t count, tcsi_cadence *ret_cadence, tcsi_gap *ret_gaps, size_t gap_count_max,
                           tcs_error *err) TCS_WARN_UNUSED;

/* Runs of one exactly repeated value.  A run is stale when its length would be surprising: at least run_length_min rows. */
typedef struct tcsi_staleness {
    size_t run_count;        /* stale runs */
    size_t row_count;        /* rows inside them */
    size_t longest_begin, longest_count; /* of all runs, stale or not; 0, 0 for no present value */
} tcsi_staleness;

/* Missing values end a run. */
tcsi_staleness tcsi_staleness_of(const double *values, size_t count, size_t run_length_min);

/* Run length above which repetition is remarkable: a series whose neighbours are equal with its own overall frequency f repeats
 * L times by chance with f^L; the length at which that happens less than once in a hundred series, at least 10.
 * A series that repeats nearly always (f > 0.6 even with long runs cut to three: switches, setpoints) has none: SIZE_MAX. */
size_t tcsi_stale_length(const double *values, size_t count);

/* One channel. */
typedef struct tcsi_channel_quality {
    size_t present_count, missing_count, infinite_count; /* infinite: also those above TCS_VALUE_MAX; the three add up to the rows */
    size_t missing_run_longest;
    size_t distinct_count_or_limit;  /* up to 11: "11" means more than 10 */
    bool constant;                   /* at most one different value is present */
    double minimum, maximum;
    tcsi_staleness staleness;
} tcsi_channel_quality;

typedef struct tcsi_quality {
    size_t row_count, channel_count;
    bool has_times;
    tcsi_cadence cadence;           /* zeroed without times */
    size_t missing_count, infinite_count; /* cells over all channels */
    size_t constant_channel_count, stale_channel_count;
    size_t row_missing_count;       /* rows with no present value at all */
    tcsi_channel_quality *channels; /* (C), owned */
} tcsi_quality;

/* The summary that reports print.  E_MEMORY.  Release with tcsi_quality_deinit. */
tcs_status tcsi_quality_of(const tcsi_frame *frame, tcsi_quality *ret_quality, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_quality_deinit(tcsi_quality *quality); /* accepts a zeroed struct */

#endif
