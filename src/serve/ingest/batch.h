/* serve/ingest/batch.h -- what one request said: series and their samples, whatever the protocol.
 *
 * A batch is columns: the samples of all series one after the other, and for each series where its own begin.  It is filled by a decoder,
 * read, and filled again; once it has seen its largest request it allocates no more.
 *
 * A series is first of all a fingerprint: 128 bits of its name's bytes as they stood on the wire.  Whoever has met those bytes before knows
 * the series without decoding a label, which is what a decoder is fast for.  Only for a fingerprint never met is the key asked for:
 *
 *     for each series of the batch:
 *         look the fingerprint up;  found: done
 *         outcome = tcsi_batch_key(batch, i, &key);  not ACCEPTED: tcsi_batch_refuse(batch, i, outcome)
 *         look the key up, remember the fingerprint
 *
 * One series has as many fingerprints as senders have ways to write it (order of labels, protocol), and always one key.
 * A series may stand in a batch more than once.  All pointers live until the batch is filled again, and into the body that was decoded.
 * Threads: one user per batch. */
#ifndef TCS_SERVE_INGEST_BATCH_H
#define TCS_SERVE_INGEST_BATCH_H

#include "base/arena.h"
#include "base/fingerprint.h"
#include "base/json.h"
#include "serve/ingest/outcome.h"
#include "series/key.h"

/* What the values of a series are.  UNSTATED: the protocol does not say; rate.h tells by the name. */
typedef enum tcsi_series_kind {
    TCSI_SERIES_UNSTATED,
    TCSI_SERIES_GAUGE,   /* values as they are, and sums that may fall */
    TCSI_SERIES_COUNTER, /* grows from a start that is forgotten at a restart: its rate is what to look at */
    TCSI_SERIES_RATE,    /* was a delta; has been divided by its interval, so that values are per second */
} tcsi_series_kind;

/* How the bytes of a name are to be read; part of the fingerprint. */
typedef enum tcsi_name_form {
    TCSI_NAME_KEY,     /* canonical bytes of series/key.h */
    TCSI_NAME_LABELS,  /* the label fields of remote-write 1.0 */
    TCSI_NAME_SYMBOLS, /* packed references of remote-write 2.0; the fingerprint is of what they refer to */
} tcsi_name_form;

typedef struct tcsi_batch_series {
    tcsi_fingerprint fingerprint;
    const unsigned char *name;
    uint32_t name_size;
    uint32_t sample_begin, sample_count; /* a range of the columns */
    uint8_t kind, form;                  /* tcsi_series_kind, tcsi_name_form */
} tcsi_batch_series;

/* One row per limit of a request: name, default, smallest, largest, help.  Beyond one of them the whole request is refused. */
#define TCSI_INGEST_LIMIT_LIST(X)                                                                              \
    X(body_size_max, 16 << 20, 1 << 10, 1 << 30, "bytes of a request's body as received")                      \
    X(decoded_size_max, 64 << 20, 1 << 10, 1 << 30, "bytes of a body after decompression")                     \
    X(series_count_max, 200000, 1, 1 << 24, "series in a request, counted each time one is named")             \
    X(sample_count_max, 2000000, 1, 1 << 27, "samples in a request")                                           \
    X(symbol_count_max, 1000000, 1, 1 << 24, "symbols in a remote-write 2.0 request")

typedef struct tcsi_ingest_limits {
#define X(name, fallback, smallest, largest, help) size_t name;
    TCSI_INGEST_LIMIT_LIST(X)
#undef X
} tcsi_ingest_limits;

tcsi_ingest_limits tcsi_ingest_limits_default(void);

typedef struct tcsi_symbol {
    const char *text;
    size_t size;
    tcsi_fingerprint hash;
} tcsi_symbol;

typedef struct tcsi_batch {
    tcsi_batch_series *series;
    size_t series_count;
    int64_t *times_ns;                       /* (samples) since 1970-01-01 UTC */
    double *values;                          /* (samples) finite, or the stale mark: see tcsi_value_is_stale */
    size_t sample_count;
    bool is_backfill;                        /* of the past, as its format says */
    uint64_t outcomes[TCSI_OUTCOME_COUNT];   /* of this request; ACCEPTED and STALE together are sample_count less what was refused */
    uint64_t histogram_count, exemplar_count; /* met, of remote-write */
    tcs_error complaint;                      /* about the first thing refused; text is empty when there was none */

    /* For decoders. */
    tcsi_ingest_limits limits;
    size_t series_capacity, sample_capacity, symbol_count, symbol_capacity;
    tcsi_symbol *symbols; /* of remote-write 2.0 */
    tcsi_arena arena;     /* names that do not stand in the body as they are, and whatever a decoder needs */
    tcsi_arena scratch;   /* what a decoder needs no longer than itself */
    unsigned char *body;  /* decompressed */
    size_t body_size, body_capacity;
} tcsi_batch;

void tcsi_batch_init(tcsi_batch *batch, const tcsi_ingest_limits *limits); /* NULL: the defaults */
void tcsi_batch_deinit(tcsi_batch *batch);                                 /* accepts a zeroed struct */

/* The key of series[index], without copying; ACCEPTED, or what is wrong with it. */
tcsi_outcome tcsi_batch_key(const tcsi_batch *batch, size_t index, tcsi_key *ret_key) TCS_WARN_UNUSED;
/* Takes the samples of series[index] out of ACCEPTED and STALE, counts them as outcome, and complains about it. */
void tcsi_batch_refuse(tcsi_batch *batch, size_t index, tcsi_outcome outcome);
/* Samples, and what stands for samples, of a class. */
uint64_t tcsi_batch_count(const tcsi_batch *batch, tcsi_outcome_class class);

/* Prometheus' mark that a series ended, one NaN of many; after decoding it is the only one. */
#define TCSI_STALE_BITS UINT64_C(0x7ff0000000000002)
bool tcsi_value_is_stale(double value);

/* ---- for decoders ---- */

void tcsi_batch_clear(tcsi_batch *batch);
/* Room for decompression; E_LIMIT when size is over decoded_size_max. */
tcs_status tcsi_batch_body(tcsi_batch *batch, size_t size, tcs_error *err) TCS_WARN_UNUSED;
/* At least twice as much room, at least size_first, but never more than decoded_size_max; what is there stays. */
tcs_status tcsi_batch_body_grow(tcsi_batch *batch, size_t size_first, tcs_error *err) TCS_WARN_UNUSED;
tcs_status tcsi_batch_symbol(tcsi_batch *batch, const void *text, size_t size, tcs_error *err) TCS_WARN_UNUSED;
/* begin, sample ..., end with all of the series but its range of samples.  One that has none leaves nothing. */
tcs_status tcsi_batch_begin(tcsi_batch *batch, tcs_error *err) TCS_WARN_UNUSED;
tcs_status tcsi_batch_sample(tcsi_batch *batch, int64_t time_ns, double value, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_batch_end(tcsi_batch *batch, const tcsi_batch_series *named);
/* The samples since begin are none: they, and count more, had this outcome. */
void tcsi_batch_drop(tcsi_batch *batch, tcsi_outcome outcome, uint64_t count);
/* What was added since mark is undone, outcomes and complaints and all. */
typedef struct tcsi_batch_mark {
    size_t series_count, sample_count;
    bool has_complaint;
    uint64_t outcomes[TCSI_OUTCOME_COUNT];
} tcsi_batch_mark;
tcsi_batch_mark tcsi_batch_mark_of(const tcsi_batch *batch);
void tcsi_batch_undo(tcsi_batch *batch, const tcsi_batch_mark *mark);
/* True, counted and complained of, when tags are no key. */
bool tcsi_batch_refuses(tcsi_batch *batch, tcsi_key_fault fault);
/* A whole series of one sample, named by a finished key whose bytes are copied. */
tcs_status tcsi_batch_point(tcsi_batch *batch, const tcsi_key *key, tcsi_series_kind kind, int64_t time_ns, double value,
                            tcs_error *err) TCS_WARN_UNUSED;
/* Keeps the first complaint: what was refused, where, and what was expected. */
void tcsi_batch_complain(tcsi_batch *batch, const char *format, ...) TCS_PRINTF(2, 3);
/* What it means that an arena of the batch gave no memory: E_LIMIT when it is full, E_MEMORY otherwise. */
tcs_status tcsi_batch_full(const tcsi_arena *arena, const char *what, tcs_error *err);
/* A document into the scratch arena; E_LIMIT when it is so full of values that their tree is larger than bodies may become. */
tcs_status tcsi_batch_json(tcsi_batch *batch, const char *text, size_t size, const tcsi_json_value **ret_root,
                           tcs_error *err) TCS_WARN_UNUSED;
/* Milliseconds since 1970 to nanoseconds; false: beyond their reach. */
bool tcsi_ms_to_ns(int64_t ms, int64_t *ret_ns);

#endif
