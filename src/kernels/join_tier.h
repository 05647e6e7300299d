/* kernels/join_tier.h -- what each tier of the join implements; used by kernels/join*.c only.
 * A strip is rows [row_begin, row_end) against columns [column_begin, column_end) of one plan: the caller cuts work into
 * strips, a tier walks one.  Results are minima of the distance less the row's own energy, INFINITY where a row has no
 * allowed column.  exclusion 0 allows every cell, otherwise those with |i - j| >= exclusion, and with left only j <= i -
 * exclusion.  scratch: TCSI_JOIN_PAD + column_end - column_begin doubles. */
#ifndef TCS_KERNELS_JOIN_TIER_H
#define TCS_KERNELS_JOIN_TIER_H

#include "kernels/join.h"

/* Entries after the end of every array of a plan. */
enum { TCSI_JOIN_PAD = 64 };

typedef struct tcsi_join_strip {
    const tcsi_join_plan *plan;
    size_t row_begin, row_end, column_begin, column_end, exclusion;
    bool left;
    double *scratch;
    double *first, *second; /* (row_end - row_begin); second only when kind is BOTH */
} tcsi_join_strip;

typedef struct tcsi_join_ops {
    void (*strip)(const tcsi_join_strip *strip);
    void (*row_start)(const tcsi_join_row *row, const tcsi_join_stored *stored);
    void (*row_push)(const tcsi_join_row *row, const tcsi_join_stored *stored, size_t stored_count, double *ret_centred, double *ret_raw);
} tcsi_join_ops;

extern const tcsi_join_ops tcsi_join_ops_ref, tcsi_join_ops_avx2, tcsi_join_ops_avx512;

#endif
