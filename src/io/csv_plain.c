/* io/csv_plain.c -- runs of plain cells: the loop that nearly all cells of nearly all files go through.
 *
 * Problem: at 500 MB/s a short integer has 12 ns, of which the memory that it is read from and written to takes more than
 * half.  A call, a status and a search for the delimiter for each cell would take the rest.
 *
 * Idea: 64 bytes are looked at together, and masks come out of them: which bytes end a cell, which are the decimal mark, a
 * sign, or out of place in a number.  A cell is then what lies below the lowest bit of the first mask, so that the cells of one
 * look do not wait for each other, and the bits of the other masks that it covers say how to convert it (io/number_short.h).
 * The next look begins at the first cell that did not fit.  Where all 64 bytes are digits and ends, as in a column of counts,
 * a shorter loop does.  A cell that is no number, ends in the wrong byte or is too long ends the run, and csv.c decides what to
 * make of it: nothing is judged here, so that every message comes from one place.
 *
 * Invariants: cells are taken in order, whole, and below csv->safe; the TCSI_CSV_MARGIN bytes before and TCSI_CSV_PADDING
 * bytes behind the rows can be read.
 * Cost: some 20 vector comparisons for 64 bytes, and 40 to 80 instructions a cell: docs/internals/io.md.
 * SPDX-License-Identifier: Apache-2.0 */
#include "io/csv.h"

#include "io/number_short.h"

#include <math.h>

typedef struct look { /* of 64 bytes, the first of which begins a cell; bit i speaks of byte i */
    uint64_t newlines;
    uint64_t ends;   /* newlines and delimiters */
    uint64_t signs;  /* a minus at the start of a cell */
    uint64_t points; /* the decimal mark */
    uint64_t others; /* none of these and no digit */
} look;

static inline look look_at(const char *text, char delimiter, char decimal)
{
    uint64_t newlines = look_for('\n', text, 64), ends = newlines | look_for(delimiter, text, 64), points = look_for(decimal, text, 64);
    uint64_t signs = look_for('-', text, 64) & (ends << 1 | 1);
    return (look){ newlines, ends, signs, points, look_for_others(text, 64) & ~(ends | signs | points) };
}

/* ---- one cell: text[begin, end) as a number, or false ---- */

typedef struct span {
    unsigned begin, end;
} span;

/* Values that no detector takes are counted, elsewhere. */
static bool take_long(const char *text, span s, char decimal, double *ret_value)
{
    return tcsi_number_scan_long(text + s.begin, decimal, ret_value) == text + s.end && fabs(*ret_value) <= TCS_VALUE_MAX;
}

/* All bytes are digits but a minus at the begin and a mark at the bit of points. */
static inline bool take_short(const char *text, span s, uint64_t negative, uint64_t points, char decimal, double *ret_value)
{
    unsigned from = s.begin + (unsigned)negative, size = s.end - from;
    double value;
    if (points == 0) {
        if (size - 1 < 8) value = (double)(int64_t)some_digits(text + from, size);
        else if (!short_decimal(text + from, size, 0, &value)) return take_long(text, s, decimal, ret_value);
    } else {
        unsigned fraction = s.end - 1 - (unsigned)__builtin_ctzll(points);
        if (size - 2 < 15) value = (double)(int64_t)digits_before(text + s.end, size, fraction) / powers_of_ten[fraction];
        else if (!short_decimal(text + from, size - 1 - fraction, fraction, &value)) return take_long(text, s, decimal, ret_value);
    }
    *ret_value = with_sign(value, negative);
    return true;
}

/* Some byte is none of these: blanks before the number and quotes around it are taken off. */
static bool take_odd(const char *text, span s, const look *l, char decimal, double *ret_value)
{
    while (text[s.begin] == ' ') s.begin++;
    if (s.end - s.begin > 2 && text[s.begin] == '"' && text[s.end - 1] == '"') s = (span){ s.begin + 1, s.end - 1 };
    uint64_t inside = ((UINT64_C(1) << s.end) - 1) & ~UINT64_C(0) << s.begin, negative = text[s.begin] == '-';
    uint64_t others = l->others & inside & ~(negative << s.begin), points = l->points & inside;
    if (others | (points & (points - 1))) return take_long(text, s, decimal, ret_value);
    return take_short(text, s, negative, points, decimal, ret_value);
}

/* ---- the cells of one look ---- */

typedef struct run {
    const char *at;      /* the first byte of a cell */
    size_t left;         /* cells from it to the end of its row */
    size_t column_count;
    double *to, *stop;
} run;

/* All 64 bytes are digits and ends, and with `single` each end is a newline.  False when the first cell cannot be taken so. */
static inline bool take_counts(run *r, const look *l, uint64_t ends, bool single)
{
    size_t left = r->left;
    double *to = r->to;
    unsigned begin = 0;
    for (; ends && to < r->stop; ends &= ends - 1) {
        unsigned end = (unsigned)__builtin_ctzll(ends), size = end - begin;
        if (size - 1 >= 8 || (!single && (l->newlines >> end & 1) != (left == 1))) break;
        *to++ = (double)(int64_t)some_digits(r->at + begin, size);
        if (!single) left = left == 1 ? r->column_count : left - 1;
        begin = end + 1;
    }
    *r = (run){ r->at + begin, left, r->column_count, to, r->stop };
    return begin > 0;
}

/* False when a cell is not plain. */
static inline bool take_numbers(run *r, const look *l, uint64_t ends, char decimal)
{
    const char *at = r->at;
    double *to = r->to;
    size_t left = r->left;
    uint64_t before = 0; /* bits of the cells taken */
    span s = { 0, 0 };
    bool plain = true;
    while (ends && to < r->stop) {
        uint64_t covered = ends ^ (ends - 1), cell = covered ^ before, others = l->others & cell, points = l->points & cell;
        unsigned end = s.end = (unsigned)__builtin_ctzll(ends);
        plain = ((l->newlines & cell) != 0) == (left == 1);
        if (left == 1 && end > s.begin && at[end - 1] == '\r') others ^= UINT64_C(1) << --s.end;
        if (others | (points & (points - 1))) plain = plain && take_odd(at, s, l, decimal, to);
        else plain = plain && take_short(at, s, l->signs >> s.begin & 1, points, decimal, to);
        if (!plain) break;
        left = left == 1 ? r->column_count : left - 1;
        to++;
        ends &= ends - 1;
        before = covered;
        s.begin = end + 1;
    }
    *r = (run){ at + s.begin, left, r->column_count, to, r->stop };
    return plain && s.begin > 0; /* a cell longer than a look is not */
}

size_t tcsi_csv_take_plain(const tcsi_csv *csv, tcsi_csv_place *place, size_t cell_count_max, double *values)
{
    const char *const safe = csv->buffer + csv->safe;
    const char delimiter = csv->delimiter, decimal = csv->decimal;
    run r = { place->at, csv->column_count - place->column, csv->column_count, values, values + cell_count_max };
    bool plain = true;
    while (plain && r.to < r.stop && r.at < safe) {
        const look l = look_at(r.at, delimiter, decimal);
        uint64_t ends = l.ends;
        if (safe - r.at < 64) ends &= (UINT64_C(1) << (safe - r.at)) - 1;
        bool taken = false;
        if ((l.signs | l.points | l.others) == 0)
            taken = r.column_count == 1 && l.newlines == l.ends ? take_counts(&r, &l, ends, true) : take_counts(&r, &l, ends, false);
        plain = taken || take_numbers(&r, &l, ends, decimal);
    }
    *place = (tcsi_csv_place){ r.at, csv->column_count - r.left };
    return (size_t)(r.to - values);
}
