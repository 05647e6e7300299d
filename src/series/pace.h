/* series/pace.h -- how the steps of a window follow each other: what formulas that look back must know of them. */
#ifndef TCS_SERIES_PACE_H
#define TCS_SERIES_PACE_H

#include <stddef.h>

typedef struct tcsi_pace {
    size_t step_count;   /* >= 1 */
    size_t rows_a_step;  /* >= 1: a step is the mean of so many rows */
    double row_seconds;  /* > 0: from a row to the next */
} tcsi_pace;

#endif
