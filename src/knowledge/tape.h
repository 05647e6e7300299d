/* knowledge/tape.h -- the constraints of a file over all steps of a window at once, and how their residuals change with each value.
 *
 * bound.h tells row by row what constraints make of what was read.  Whoever learns to say values needs more: of values that were said
 * for a whole window, how far each constraint is from holding in each step, and the way back: what a slope by these residuals is as a
 * slope by each value.  Formulas are written out into one list of nodes in which operands come before what uses them (derived channels
 * are their formulas, a percentage is of the largest term, written out with abs and max), each node has a value in each step, and slopes
 * are passed from the end of the list to its beginning: reverse mode (S. Linnainmaa, "Taylor expansion of the accumulated rounding error",
 * BIT 16, 1976), exact, at about the cost of the values.
 *
 * Steps are evenly apart.  Where a step is one row, values are those of bound.h, except that a rate next to a missing value is missing.
 * Where a step is the mean of several rows, a rate is that between neighbouring steps, and what looks back looks back as far, by parts of
 * steps: exact for what is linear in what stands still within a step.  A mean over less than a step is the step.
 * Where a residual cannot be told (before a window reaches back far enough, x / 0) it is NaN, and its slope counts as 0.
 * The residual of an inequality is not cut off at 0: `side` says on which side it is broken.  Ranges of channels are not looked at.
 *
 * Immutable once made.  Cost: some nanoseconds a node and step; of a mean over m steps m of them.  Threads: any number of readers. */
#ifndef TCS_KNOWLEDGE_TAPE_H
#define TCS_KNOWLEDGE_TAPE_H

#include "knowledge/bound.h"
#include "series/pace.h"

/* tcsi_node with its operands anywhere before it. */
typedef struct tcsi_tape_node {
    tcsi_op op;
    size_t left, right;
    double number;       /* NUMBER */
    size_t channel;      /* NAME: of the input */
    size_t rows;         /* LAG, MEAN */
    int64_t duration_ns;
} tcsi_tape_node;

typedef struct tcsi_tape_end {
    size_t node;         /* the residual, in units of the tolerance */
    int side;            /* broken above 1: 1, below -1: -1, either: 0 */
} tcsi_tape_end;

typedef struct tcsi_tape {
    tcsi_arena arena;
    tcsi_tape_node *nodes;
    size_t node_count, channel_count; /* channel_count: of the input */
    tcsi_tape_end *ends;  /* one a constraint, in the file's order */
    size_t end_count;
    uint64_t seal;        /* the same for the same constraints of the same channels */
    bool has_times;       /* else a row counts as a second */
} tcsi_tape;

enum { TCSI_TAPE_NODE_COUNT_MAX = 1 << 12 };

/* NULL: bound has no constraints, or of more nodes, which is logged.  E_MEMORY. */
tcs_status tcsi_tape_create(const tcsi_bound *bound, tcsi_tape **ret_tape, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_tape_destroy(tcsi_tape *tape); /* accepts NULL */

/* Numbers of room that the next two need: what the first leaves there is read by the second. */
size_t tcsi_tape_room(const tcsi_tape *tape, size_t step_count);
/* values: (channel_count or more, W) of the input's channels; ret_residuals: (end_count, W). */
void tcsi_tape_evaluate(const tcsi_tape *tape, const tcsi_pace *pace, const double *values, double *ret_residuals, double *room);
/* slopes: (end_count, W) of some number by the residuals; ret_slopes: (channel_count, W) of it by the values. */
void tcsi_tape_pull(const tcsi_tape *tape, const tcsi_pace *pace, const double *slopes, double *ret_slopes, double *room);

#endif
