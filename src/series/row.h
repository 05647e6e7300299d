/* series/row.h -- one row on its way: the argument of every push. */
#ifndef TCS_SERIES_ROW_H
#define TCS_SERIES_ROW_H

#include <stdint.h>

typedef struct tcsi_row {
    uint64_t sequence;    /* number of the row in its series, from 0; it stays with the row all the way */
    int64_t time_ns;      /* since 1970-01-01 UTC; 0 when the series has no time stamps */
    const double *values; /* (C), NaN = missing */
} tcsi_row;

#endif
