/* serve/shard/backfill.h -- rows of the past, brought to a series that has just begun, so that it is judged on its own scale at once.
 *
 *     arrival of live rows: newer than the newest, within a window      backfill: in its own order, up to the first live row
 *
 * A backfilled row teaches what is usual: chart, cohort, cadence, how long values may stay the same.  It opens nothing and ends nothing,
 * and nobody is told: what was out of the ordinary then is past.  It has no receipt, so that it says nothing of lateness or absence, and
 * it is in no history.  Outcomes:
 *     newer than the backfill's newest, a second before the first live row BACKFILLED
 *     there already, or where live rows are .............................. DUPLICATE
 *     older than the backfill's newest ................................... TOO_OLD
 *     of a series with READY rows of its own, or with something open ..... TOO_OLD: the past would spoil what it knows of the present
 * Whether a row is one of the past is said by its record, so that a replay does the same.
 * Threads: as the cell. */
#ifndef TCS_SERVE_SHARD_BACKFILL_H
#define TCS_SERVE_SHARD_BACKFILL_H

#include "base/codec.h"
#include "serve/ingest/arrival.h"

/* Zeros are a series that nothing came of; 8 bytes, since every series has it. */
typedef struct tcsi_backfill {
    uint32_t live_s;     /* the second of the first live row, since 1970; 0: there was none */
    uint8_t live_count;  /* rows that were taken live, as far as it matters */
    uint8_t is_open;     /* the last row was one of the past */
} tcsi_backfill;

/* The newest stamps of the past: of a cell's series by place, once any of them has a past. */
typedef struct tcsi_pasts {
    int64_t *newest_ns;  /* (count); INT64_MIN: none */
    uint32_t count;
} tcsi_pasts;

void tcsi_pasts_deinit(tcsi_pasts *pasts); /* accepts a zeroed one */
/* Room for `place`; E_MEMORY. */
tcs_status tcsi_pasts_reserve(tcsi_pasts *pasts, uint32_t place, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_pasts_persist(tcsi_pasts *pasts, uint32_t series_count, tcsi_codec *codec);

/* A row of the past: is it taken?  newest_ns: of the series, from pasts.  is_busy: something of the series is open. */
tcsi_outcome tcsi_backfill_push(tcsi_backfill *backfill, int64_t *newest_ns, const tcsi_arrival_limits *limits, int64_t time_ns,
                                int64_t receive_ns, bool is_busy) TCS_WARN_UNUSED;
/* A live row was taken; true: it is the first one after rows of the past. */
bool tcsi_backfill_live(tcsi_backfill *backfill, int64_t time_ns);
void tcsi_backfill_persist(tcsi_backfill *backfill, tcsi_codec *codec);

#endif
