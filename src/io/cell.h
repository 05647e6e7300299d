/* io/cell.h -- what one text cell says: a number, a gap, or neither.  Shared by every text format.
 * Threads: reentrant. */
#ifndef TCS_IO_CELL_H
#define TCS_IO_CELL_H

#include "base/status.h"

typedef enum tcsi_cell_kind {
    TCSI_CELL_NUMBER,
    TCSI_CELL_BOOLEAN,  /* true or false in any case: 1 or 0 */
    TCSI_CELL_MISSING,  /* empty or a usual word for missing */
    TCSI_CELL_INFINITE, /* inf, infinity, signed, or a number too large for a double */
    TCSI_CELL_GROUPED,  /* a number with thousands separators, 1,234.5 or 1.234,5: refused, as 1,234 has two readings */
    TCSI_CELL_TEXT,
} tcsi_cell_kind;

typedef struct tcsi_cell {
    const char *text; /* not terminated */
    size_t size;
} tcsi_cell;

/* Blanks around are ignored.  *ret_value: NUMBER and BOOLEAN the value, otherwise NaN. */
tcsi_cell_kind tcsi_cell_read(tcsi_cell cell, char decimal, double *ret_value);
tcsi_cell tcsi_cell_trim(tcsi_cell cell);
bool tcsi_cell_equals_nocase(tcsi_cell cell, const char *text);

#endif
