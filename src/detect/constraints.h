/* detect/constraints.h -- what must hold of a series' values whatever a detector learns of it, as the detector is told.
 *
 * Who knows (a file of knowledge, a caller's own physics) gives a table: how far values that are said of the steps of a window are from
 * what must hold, and the way back from slopes by that to slopes by the values.  What the table stands for no detector needs to know.
 * Borrowed by a detector from its creation on; only networks that say values look at it (deep/penalty.h).  Threads: several at once. */
#ifndef TCS_DETECT_CONSTRAINTS_H
#define TCS_DETECT_CONSTRAINTS_H

#include "series/pace.h"

#include <stdint.h>

typedef struct tcsi_constraints {
    const void *context;
    size_t channel_count;  /* C: of the detector's channels the first so many are read */
    size_t count;          /* K, >= 1 */
    const int *sides;      /* (K): broken by residuals above 1: 1, below -1: -1, by both: 0 */
    uint64_t seal;         /* others: another */
    double cost;           /* of both functions, multiply-adds a step, about */
    /* Numbers of room that a window of so many steps needs. */
    size_t (*room)(const void *context, size_t step_count);
    /* values (C,W), in units of the channels -> ret_residuals (K,W) in units of what is tolerated; NaN: nobody can tell. */
    void (*evaluate)(const void *context, const tcsi_pace *pace, const double *values, double *ret_residuals, double *room);
    /* After evaluate, with its room: slopes (K,W) of some number by the residuals -> ret_slopes (C,W) of it by the values. */
    void (*pull)(const void *context, const tcsi_pace *pace, const double *slopes, double *ret_slopes, double *room);
} tcsi_constraints;

#endif
