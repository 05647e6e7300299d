/* serve/history/reel.h -- the rows of a cell and what was made of them, on their way into the store.
 *
 * A cell has one reel, and each of its series a place on it: a row that was judged is written at the reel's end and linked with the row of
 * the same series before it, so that the newest rows of a series are found without reading all.  A reel that is full, or an hour old, is
 * given away as it is (chronicle.h sorts and packs it) and begun anew.
 *
 * What is kept is bounded: rows_per_s rows a second of stamps.  Where a cell's series give more, or where so many series share a reel that
 * blocks of a few rows would have to be written all the time, rows of one *step*, so long from a first row on, are merged into one: mean,
 * least and greatest value, mean of what was expected and of its deviation, greatest score.  Steps are chosen at ticks from figures of the
 * cell alone.  So what is on a reel, and where one ends, is a function of the journal, as everything in a cell; a snapshot has it in it.
 *
 * Value is exact.  Expected is kept as value - expected, so that a band is as sharp at an offset of 1e12 as at 0; that, deviation and score
 * are kept to TCSI_REEL_PRECISION of themselves, which costs a third of the bytes that they would otherwise take.
 * Memory: 48 bytes a row, TCSI_REEL_ROWS rows or four a series, whichever is more; 64 bytes a series.  Grows to that and stays: nothing is
 * allocated for a row after warm-up.  Without memory rows are not kept, and counted.  Cost of a row: 10 ns and a cache line.
 * Threads: one user per reel. */
#ifndef TCS_SERVE_HISTORY_REEL_H
#define TCS_SERVE_HISTORY_REEL_H

#include "base/codec.h"

enum { TCSI_REEL_ROWS = 1 << 18, TCSI_REEL_ROWS_A_SERIES = 4 };

#define TCSI_REEL_PRECISION (1.0 / 4096)

typedef struct tcsi_reel_row {
    int64_t time_ns;           /* as stamped; of merged rows: of the first */
    double value;              /* that was judged; the mean */
    float below, above;        /* value - the least, the greatest - value; rounded away from value */
    float residual, deviation; /* value - expected, give or take; NaN: not scored */
    float score;               /* in deviations, the greatest; NaN: not scored */
    uint32_t number;           /* of the series, among all live ones */
    uint32_t before;           /* 1 + index of the same series' row before this one on the reel; 0: it is the first */
    uint32_t count;            /* rows merged into this one */
} tcsi_reel_row;

/* Of a series: the step that is open, and where its newest row is.  Zeros are a series without rows. */
typedef struct tcsi_reel_series {
    int64_t time_ns;           /* of the first row of the step */
    double sum, low, high;     /* of values */
    float residual, deviation; /* sums over the rows that were scored */
    float score;
    uint32_t count, scored_count; /* count 0: no step is open */
    uint32_t first, last;      /* 1 + index of its oldest and its newest row on the reel */
    uint32_t turn;             /* of the reel that these speak of */
} tcsi_reel_series;

/* A full reel. */
typedef struct tcsi_reel_rows {
    tcsi_reel_row *items;      /* by tcsi_alloc */
    size_t count, capacity;
} tcsi_reel_rows;

/* Takes the rows and puts an empty one in its place, or one without memory. */
typedef void (*tcsi_reel_give)(void *self, size_t index, tcsi_reel_rows *rows);

typedef struct tcsi_reel_options {
    double rows_per_s;         /* that may be kept, of this cell; 0: nothing is */
    tcsi_reel_give give;
    void *self;
    size_t index, reel_count;  /* this reel among all */
    size_t capacity;           /* 0: TCSI_REEL_ROWS */
} tcsi_reel_options;

/* A save that goes on beside pushes: what it has still to write. */
typedef struct tcsi_reel_saving {
    tcsi_codec *codec;         /* NULL: none goes on */
    uint32_t piece;            /* the number that stands before each piece of rows */
    uint32_t series_count;     /* met when it began */
    size_t next, count;        /* rows [next, count) of when it began */
} tcsi_reel_saving;

typedef struct tcsi_reel {
    tcsi_reel_options options;
    tcsi_reel_rows rows;
    tcsi_reel_series **pieces; /* of so many series each, by their places */
    size_t piece_count;
    uint32_t series_count;     /* that were met: places are below it */
    uint32_t turn;             /* of the rows there are: 1, 2, ... */
    int64_t begin_ns;          /* the tick from which its age counts; INT64_MIN: none yet */
    int64_t step_ns;           /* 0: each row stays alone */
    uint64_t row_count, merged_count, lost_count; /* rows that came; of them merged into another, and not kept for want of memory */
    tcsi_reel_saving saving;
} tcsi_reel;

/* One row that was judged; score NaN: it could not be scored yet, and the others are not looked at. */
typedef struct tcsi_reel_judged {
    int64_t time_ns;
    double value, expected, deviation, score;
} tcsi_reel_judged;

void tcsi_reel_init(tcsi_reel *reel, const tcsi_reel_options *options);
void tcsi_reel_deinit(tcsi_reel *reel); /* accepts a zeroed one; what is on it is gone */
/* Rows of a series, which has that place in its cell and that number among all, come in the order of their times. */
void tcsi_reel_push(tcsi_reel *reel, uint32_t place, uint32_t number, const tcsi_reel_judged *row);
/* A row of that place is about to come. */
void tcsi_reel_prefetch(const tcsi_reel *reel, uint32_t place);
/* It is now_ns, and the cell has so many series, which give rows_per_s rows a second. */
void tcsi_reel_tick(tcsi_reel *reel, int64_t now_ns, uint32_t series_count, double rows_per_s);
/* What is on the reel of a series within [from_ns, to_ns], oldest first, and its open step; false of each ends it. */
typedef bool (*tcsi_reel_each)(void *context, const tcsi_reel_row *row);
tcs_status tcsi_reel_list(const tcsi_reel *reel, uint32_t place, int64_t from_ns, int64_t to_ns, tcsi_reel_each each, void *context,
                          tcs_error *err) TCS_WARN_UNUSED;

/* Saved form: a head, each series of then, and the rows in pieces, so that a reel that is full stops nobody.
 *     saving:   save, and then in any order persist_series of each place, before a row of it is pushed, and save_rows until it is done
 *     loading:  load, and what was saved in the same order (load_rows where a piece of rows was), and at last loaded
 * The reel that is loaded was initialized; what does not fit its options any more is not kept, and counted. */
/* piece stands before each piece of rows.  The codec is used until all are written; a reel that is given away before that writes them. */
void tcsi_reel_save(tcsi_reel *reel, uint32_t piece, tcsi_codec *codec);
/* At most so many rows; false: all are written. */
bool tcsi_reel_save_rows(tcsi_reel *reel, size_t count_max);
void tcsi_reel_load(tcsi_reel *reel, tcsi_codec *codec);
void tcsi_reel_load_rows(tcsi_reel *reel, tcsi_codec *codec);
/* Nothing is written of a place that it had not met. */
void tcsi_reel_persist_series(tcsi_reel *reel, uint32_t place, tcsi_codec *codec);
void tcsi_reel_loaded(tcsi_reel *reel, tcsi_codec *codec);
/* Bytes of one that is full, with what it knows of its series. */
size_t tcsi_reel_size_max(size_t series_count);

#endif
