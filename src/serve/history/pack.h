/* serve/history/pack.h -- rows of one series <-> a block of the store (store/block.h).
 *
 *     columns:  time | value | residual, deviation, score           rows as they came
 *               time | value | residual, deviation, score, below, above, count      where some were merged
 *
 * What is read is what was written, bit for bit.  Memory: sizeof(tcsi_pack).  Threads: one user per struct. */
#ifndef TCS_SERVE_HISTORY_PACK_H
#define TCS_SERVE_HISTORY_PACK_H

#include "serve/history/reel.h"

enum { TCSI_PACK_ROWS = 4096, TCSI_PACK_FLOATS = 6 };

/* A row as it is read. */
typedef struct tcsi_chronicle_row {
    int64_t time_ns;
    double value, low, high;            /* of merged rows: mean, least, greatest */
    double expected, deviation, score;  /* NaN: not scored */
    uint32_t count;                     /* rows merged into this one */
} tcsi_chronicle_row;

typedef struct tcsi_pack {
    size_t count;
    bool is_merged;
    int64_t times_ns[TCSI_PACK_ROWS];
    double values[TCSI_PACK_ROWS];
    float floats[TCSI_PACK_FLOATS][TCSI_PACK_ROWS];
} tcsi_pack;

void tcsi_pack_begin(tcsi_pack *pack);
void tcsi_pack_add(tcsi_pack *pack, const tcsi_reel_row *row); /* while count < TCSI_PACK_ROWS */
tcs_status tcsi_pack_encode(const tcsi_pack *pack, tcsi_buffer *out, tcs_error *err) TCS_WARN_UNUSED; /* appends */
/* E_FORMAT: no block of rows. */
tcs_status tcsi_pack_decode(tcsi_pack *pack, const void *bytes, size_t size, tcs_error *err) TCS_WARN_UNUSED;
tcsi_chronicle_row tcsi_pack_row(const tcsi_pack *pack, size_t index);
tcsi_chronicle_row tcsi_chronicle_row_of(const tcsi_reel_row *row);

#endif
