/* detect/deep/sequence.h -- a frame as networks read it: floats of a common size, step by step, nothing missing.
 *
 * A channel is standardized by the rows that were learned from and clipped to +-TCSI_SEQUENCE_MAX; where a value is missing the last
 * present one stands (0, the mean, before the first).  A step is the mean of `factor` rows, so that a window of a few dozen steps
 * holds a season whatever its length, and networks keep one size.  Facts that describe the series stand beside the values of every step.
 *
 * A table is read alike, a step being a row, except that a missing value is always the mean.
 *
 * Stated outcomes: a constant channel is 0; a later value that departs from the constant is measured in units of the constant itself.
 * Threads: a form has one writer or many readers; sequences likewise. */
#ifndef TCS_DETECT_DEEP_SEQUENCE_H
#define TCS_DETECT_DEEP_SEQUENCE_H

#include "detect/detector.h"
#include "nn/floats.h"
#include "series/scale.h"

#define TCSI_SEQUENCE_MAX 20.0

/* How frames become sequences: settled by the training rows. */
typedef struct tcsi_sequence_form {
    size_t channel_count;
    size_t window_row_count; /* rows that belong together: the period of the first channel, or what was asked for */
    size_t factor;           /* rows of a step */
    bool is_table;           /* rows without time: a missing value is 0, the mean, not what stood in another row */
    tcsi_scale *scales;      /* (C) */
    size_t fact_count;
    float *facts;            /* (D) of the series, the same in every step; as fleet.h scales them */
} tcsi_sequence_form;

typedef struct tcsi_sequence_wish {
    size_t window_row_count; /* 0: the period of the first channel, but at most an eighth of the rows */
    size_t window_otherwise; /* where the period is longer than that: instead of an eighth, but at most half of the rows; 0: an eighth */
    size_t steps;            /* that a window shall have, about; 0: a step is a row */
    size_t fact_count;       /* D; facts that are not given are 0 */
    const float *facts;
} tcsi_sequence_wish;

/* E_MEMORY. */
tcs_status tcsi_sequence_form_learn(const tcsi_frame *frame, const tcsi_sequence_wish *wish, tcsi_sequence_form *ret_form,
                                    tcs_error *err) TCS_WARN_UNUSED;
/* The same for a table: a step is a row.  E_MEMORY. */
tcs_status tcsi_sequence_form_learn_table(const tcsi_frame *frame, tcsi_sequence_form *ret_form, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_sequence_form_deinit(tcsi_sequence_form *form); /* accepts a zeroed struct */
void tcsi_sequence_form_persist(tcsi_sequence_form *form, size_t channel_count, size_t fact_count, tcsi_codec *codec);

/* Are windows of so many steps small enough for a network?  E_LIMIT names the detector and says what to do. */
tcs_status tcsi_sequence_check(const char *name, size_t channel_count, size_t steps, tcs_error *err) TCS_WARN_UNUSED;

/* One value of channel c as networks read it; NaN when it is missing. */
float tcsi_sequence_value(const tcsi_sequence_form *form, size_t channel, double value);

typedef struct tcsi_sequence {
    size_t row_count, step_count, channel_count, input_count, factor;
    tcsi_floats values;  /* (U,I), I = C + D: filled, then the facts */
    tcsi_floats targets; /* (U,C): NaN where no row of the step had a value */
} tcsi_sequence;

tcs_status tcsi_sequence_init(const tcsi_frame *frame, const tcsi_sequence_form *form, tcsi_sequence *ret_sequence,
                              tcs_error *err) TCS_WARN_UNUSED;
void tcsi_sequence_deinit(tcsi_sequence *sequence); /* accepts a zeroed struct */

/* steps (U) -> ret_rows (T): each at the middle of its rows, linear in between. */
void tcsi_sequence_expand(const tcsi_sequence *sequence, const double *steps, double *ret_rows);

/* Bytes that learning a form, and a sequence of so many rows, take at most; SIZE_MAX when absurd. */
size_t tcsi_sequence_size_max(size_t row_count, size_t channel_count, size_t fact_count);

#endif
