/* explain/expected.h -- what a channel would have been without the episode: series/expect.h, asked as if its rows had never been seen.
 *
 * An event bends a moving median that sees it.  Here the episode's own rows, and those of every other episode nearby, count as missing, and
 * the expectation is carried across them: a straight line between the levels on both sides and, where the channel repeats itself, the
 * profile of its period; the band follows how far rows before stray (band.h).
 * From the past alone the last level is carried on instead: what one had to expect when it began.
 * In a table, whose rows are no history, it is the median, and the band from the 0.5 % to the 99.5 % quantile. */
#ifndef TCS_EXPLAIN_EXPECTED_H
#define TCS_EXPLAIN_EXPECTED_H

#include "explain/subject.h"

#include <math.h>

typedef struct tcsi_expected_wish {
    tcsi_extent episode; /* rows that are not looked at */
    tcsi_extent view;    /* rows that are asked about; overlaps the episode */
    bool past_only;    /* as known when the episode began; counts where there are enough rows before it */
    size_t period;     /* rows; 0: none */
} tcsi_expected_wish;

/* The strongest period of a channel in the rows before the episode, or around it when they are few; 0: none, or a table.  E_MEMORY. */
tcs_status tcsi_expected_period(const tcsi_subject *subject, tcsi_extent episode, size_t channel, size_t *ret_period,
                                tcs_error *err) TCS_WARN_UNUSED;

/* expected, low, high: (view rows); all NaN where nothing was there to expect from.  *ret_spread: the deviation of normal rows, by the
 * band's width, > 0 or NaN; may be NULL.  E_MEMORY. */
tcs_status tcsi_expected(const tcsi_subject *subject, const tcsi_expected_wish *wish, size_t channel, double *ret_expected, double *ret_low,
                         double *ret_high, double *ret_spread, tcs_error *err) TCS_WARN_UNUSED;

/* ---- of several channels, over the same rows ---- */

typedef struct tcsi_expectations {
    tcsi_extent rows;
    size_t channel_count;
    double **bands;   /* (C) of each channel that was added, (3,rows): expected, low, high; NULL of others */
    double *spreads;  /* (C) deviations of normal rows; 1 where nobody knows */
    size_t *periods;  /* (C) rows; 0: none */
} tcsi_expectations;

/* Of no channel yet.  E_MEMORY. */
tcs_status tcsi_expectations_init(const tcsi_subject *subject, tcsi_extent rows, tcsi_expectations *ret, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_expectations_deinit(tcsi_expectations *expectations); /* accepts a zeroed one */
/* A channel, whose period is known.  E_MEMORY. */
tcs_status tcsi_expectations_add(tcsi_expectations *expectations, const tcsi_subject *subject, size_t channel, tcsi_extent episode,
                                 bool past_only, size_t period, tcs_error *err) TCS_WARN_UNUSED;

typedef enum tcsi_expected_part { TCSI_EXPECTED, TCSI_EXPECTED_LOW, TCSI_EXPECTED_HIGH } tcsi_expected_part;

/* NaN of channels that were not added and rows that are not described. */
static inline double tcsi_expectation(const tcsi_expectations *e, size_t channel, tcsi_expected_part part, size_t row)
{
    if (!e->bands[channel] || row < e->rows.begin || row >= e->rows.end) return NAN;
    return e->bands[channel][(size_t)part * tcsi_extent_count(e->rows) + (row - e->rows.begin)];
}

#endif
