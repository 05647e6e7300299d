/* knowledge/bound.h -- knowledge applied to the channels of one input, row by row.
 *
 * A row goes in with the input's channels and comes out with more: behind them the derived channels and constraints' residuals, in the
 * file's order.  On the way
 *   1. readings outside their range become missing, and are counted;
 *   2. formulas are evaluated, each after those it refers to;
 *   3. hard limits and rules look at the result;
 *   4. events: one for all channels excuses the row, one for some hides what those read, and what was computed from it.
 * A residual is in units of its tolerance: beyond -1 or 1 the constraint does not hold.  Formulas and limits see what events hide.
 * One function for files and streams: the same rows give the same bits.  A row costs a few nanoseconds a node of
 * a formula, some tens an event.
 * After warm-up (past.h) nothing is allocated.  Threads: one user each. */
#ifndef TCS_KNOWLEDGE_BOUND_H
#define TCS_KNOWLEDGE_BOUND_H

#include "knowledge/knowledge.h"
#include "knowledge/past.h"
#include "series/frame.h"

/* An expression with its names looked up and its state. */
typedef struct tcsi_program {
    const tcsi_expression *expression;
    size_t *channels;  /* by node: of a NAME */
    tcsi_past *pasts;  /* by node: of those that look back */
    double *values;    /* by node */
} tcsi_program;

/* A limit of one channel. */
typedef struct tcsi_bound_limit {
    const tcsi_limit *limit;
    size_t channel;
    int64_t since_ns;  /* passed from here on ... */
    bool is_passed;    /* ... if it is */
} tcsi_bound_limit;

typedef struct tcsi_bound_event {
    bool is_for_all;
    bool *hides;       /* (out_count) unless is_for_all */
    int64_t minute;    /* asked last; what was the answer */
    bool covers, is_known;
} tcsi_bound_event;

typedef struct tcsi_bound {
    const tcsi_knowledge *knowledge; /* an owner of it */
    size_t channel_count, out_count;
    bool has_times;
    const char **names, **units;     /* (out_count), units NULL where unknown */
    double *low, *high;              /* (out_count) */
    uint64_t *fault_counts;          /* (out_count) impossible readings so far */
    tcsi_program *programs;          /* of formulas, then of rules */
    tcsi_bound_limit *limits;
    size_t limit_count;
    tcsi_bound_event *events;
    uint64_t row_count;
    tcsi_arena arena;
} tcsi_bound;

typedef struct tcsi_bound_row {
    tcsi_order order;  /* ALARM: which of bound->limits; EXCUSE: which of knowledge->events */
    uint16_t spoken;   /* bit r: rule r spoke */
} tcsi_bound_row;

/* names: (channel_count), copied.  E_FORMAT: what the file says does not fit this input, in problems; E_LIMIT, E_MEMORY. */
tcs_status tcsi_bound_create(const tcsi_knowledge *knowledge, const char *const *names, size_t channel_count, bool has_times,
                             tcsi_problems *problems, tcsi_bound **ret_bound, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_bound_destroy(tcsi_bound *bound); /* accepts NULL */
/* values: (channel_count); ret_values: (out_count), may not be values.  E_MEMORY. */
tcs_status tcsi_bound_push(tcsi_bound *bound, int64_t time_ns, const double *values, double *ret_values, tcsi_bound_row *ret_row,
                           tcs_error *err) TCS_WARN_UNUSED;
size_t tcsi_bound_size_max(const tcsi_bound *bound); /* bytes, the most it will hold */
void tcsi_bound_persist(tcsi_bound *bound,
                        tcsi_codec *codec); /* between two rows; loading: into a new one of the same knowledge and names */

/* All rows of a frame. */
typedef struct tcsi_applied {
    tcsi_frame *frame; /* (T, out_count) */
    tcsi_order *orders; /* (T) */
    uint16_t *spoken;   /* (T) */
} tcsi_applied;

tcs_status tcsi_bound_apply(tcsi_bound *bound, const tcsi_frame *frame, tcsi_applied *ret_applied, tcs_error *err) TCS_WARN_UNUSED;
/* The same in steps: room for the rows of frame, then what push made of each, in order. */
tcs_status tcsi_bound_prepare(const tcsi_bound *bound, const tcsi_frame *frame, tcsi_applied *ret_applied, tcs_error *err) TCS_WARN_UNUSED;
tcs_status tcsi_applied_add(tcsi_applied *applied, const tcsi_frame *frame, const double *values, const tcsi_bound_row *row,
                            tcs_error *err) TCS_WARN_UNUSED;
void tcsi_applied_deinit(tcsi_applied *applied); /* accepts a zeroed one */

/* "pressure above 8 bar" */
void tcsi_bound_limit_format(const tcsi_bound *bound, size_t limit, char *ret_text, size_t size);

/* The first signature, in the file's order, that rows [row_begin, row_end) of a frame (T, out_count) have, with what was before them in
 * view; knowledge->signature_count: none.  E_MEMORY.  In signature.c. */
tcs_status tcsi_bound_recognize(const tcsi_bound *bound, const tcsi_frame *frame, size_t row_begin, size_t row_end, size_t *ret_signature,
                                tcs_error *err) TCS_WARN_UNUSED;

#endif
