/* serve/shard/directory.h -- which live series is this?
 *
 * Two open-addressing tables: fingerprints as they came on the wire, which is what a request is looked up by, a cache line or two a
 * series; and hashes of keys, where equal hashes are only believed when the keys' bytes are equal, too.  A series gets the next number, and
 * by the hash of its key a cell and the next place in it: the same journal gives the same numbers, places and bits.
 * Bounds: series_count_max series; four times as many fingerprints, beyond which a series written in yet another way is found by its key.
 * Memory: its key's bytes and some 150 bytes a series; entries never move.
 * Threads: one that adds; others may read entries below the count that it has published (tcsi_directory_count). */
#ifndef TCS_SERVE_SHARD_DIRECTORY_H
#define TCS_SERVE_SHARD_DIRECTORY_H

#include "base/codec.h"
#include "serve/ingest/batch.h"

#include <stdatomic.h>

/* Few enough that a hundred series share what they learn within a minute, and enough for as many threads. */
enum { TCSI_CELL_COUNT = 8, TCSI_SERIES_NONE = UINT32_MAX };

typedef struct tcsi_directory_entry {
    const unsigned char *key; /* canonical bytes */
    uint32_t key_size;
    uint8_t cell, kind;       /* kind: tcsi_series_kind, GAUGE, COUNTER or RATE */
    uint32_t place;           /* in the cell */
    int64_t first_seen_ns;
    uint64_t sequence;        /* of the record that brought it */
} tcsi_directory_entry;

typedef struct tcsi_directory_table {
    struct tcsi_directory_slot *slots; /* (capacity) a power of two */
    size_t capacity, count;
} tcsi_directory_table;

typedef struct tcsi_directory {
    size_t series_count_max;
    tcsi_directory_table by_fingerprint, by_key;
    tcsi_directory_entry **pieces;
    unsigned char *bytes;             /* where the next key goes, of the piece in use */
    size_t bytes_left;
    unsigned char **byte_pieces;
    size_t byte_piece_count;
    uint32_t cell_counts[TCSI_CELL_COUNT];
    _Atomic uint32_t count;
} tcsi_directory;

tcs_status tcsi_directory_init(tcsi_directory *directory, size_t series_count_max, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_directory_deinit(tcsi_directory *directory); /* accepts a zeroed one */

/* The series with this fingerprint; TCSI_SERIES_NONE: never met. */
uint32_t tcsi_directory_find(const tcsi_directory *directory, tcsi_fingerprint fingerprint);
/* What brings a series. */
typedef struct tcsi_directory_source {
    tcsi_series_kind kind; /* stated or not (rate.h) */
    int64_t time_ns;
    uint64_t sequence;
} tcsi_directory_source;

/* The series with this key, added if there is none, and the fingerprint remembered.  E_LIMIT: there are series_count_max already; E_MEMORY.
 * Neither changes anything. */
tcs_status tcsi_directory_resolve(tcsi_directory *directory, tcsi_fingerprint fingerprint, const tcsi_key *key,
                                  const tcsi_directory_source *source, uint32_t *ret_series, bool *ret_is_new,
                                  tcs_error *err) TCS_WARN_UNUSED;
uint32_t tcsi_directory_count(const tcsi_directory *directory);
const tcsi_directory_entry *tcsi_directory_entry_of(const tcsi_directory *directory, uint32_t series);
/* By whom the key is known, TCSI_SERIES_NONE: nobody. */
uint32_t tcsi_directory_find_key(const tcsi_directory *directory, const tcsi_key *key);

/* Bytes that it holds for so many series with keys of 200 bytes that two senders write alike. */
size_t tcsi_directory_size_max(size_t series_count);

/* Keys in their order; fingerprints are learned anew.  Saving, the first `count` of them, from any thread; loading, it was initialized and
 * is empty, and count is not looked at. */
void tcsi_directory_persist(tcsi_directory *directory, uint32_t count, tcsi_codec *codec);

#endif
