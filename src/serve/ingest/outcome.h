/* serve/ingest/outcome.h -- what can become of a sample, each with a name that is also its counter's.
 * The first ones are told by the decoders, those from TOO_MANY_SERIES on by whoever knows the live series (arrival.h and the shards).
 * Threads: constants. */
#ifndef TCS_SERVE_INGEST_OUTCOME_H
#define TCS_SERVE_INGEST_OUTCOME_H

#include "base/status.h"

/* TAKEN: the sample goes on.  PASSED: it holds nothing for us, and its sender did nothing wrong.  REFUSED: its sender is told. */
typedef enum tcsi_outcome_class { TCSI_OUTCOME_TAKEN, TCSI_OUTCOME_PASSED, TCSI_OUTCOME_REFUSED } tcsi_outcome_class;

/* One row per outcome: name, name of the counter, class, help. */
#define TCSI_OUTCOME_LIST(X)                                                                                                       \
    X(ACCEPTED, "accepted", TAKEN, "a value that goes on to its series")                                                           \
    X(STALE, "stale", TAKEN, "a mark that the series has no value from here on: absence, not a value")                             \
    X(NOT_FINITE, "not_finite", PASSED, "NaN or infinite: the series has no value at that time")                                   \
    X(NO_VALUE, "no_value", PASSED, "null, or a point without a value")                                                            \
    X(EXEMPLAR, "exemplar", PASSED, "an exemplar: an example of a request, not a measurement; none are kept")                      \
    X(TEXT, "text", PASSED, "a field of text: only numbers and booleans are measured")                                             \
    X(HISTOGRAM, "histogram", REFUSED, "a native histogram of remote-write; send classic ones")                                    \
    X(BUCKETS, "buckets", PASSED, "a histogram's buckets or a summary's quantiles: its count and sum were taken")                  \
    X(NO_INTERVAL, "no_interval", REFUSED, "a delta without the time at which it begins: its rate is unknown")                     \
    X(TEMPORALITY, "temporality", REFUSED, "a sum or histogram that states neither delta nor cumulative")                          \
    X(TIME_INVALID, "time_invalid", REFUSED, "no time, or one outside 1677-09-21 .. 2262-04-11")                                   \
    X(NO_LABELS, "no_labels", REFUSED, "no name and no label with a value: there is no series to add to")                          \
    X(TOO_MANY_LABELS, "too_many_labels", REFUSED, "more than 64 labels")                                                          \
    X(LABEL_TOO_LONG, "label_too_long", REFUSED, "a label's name over 256 bytes, a value over 2048, or all over 8192")             \
    X(LABEL_INVALID, "label_invalid", REFUSED, "a label without a name, not UTF-8 or holding the byte 0")                          \
    X(DUPLICATE_LABEL, "duplicate_label", REFUSED, "the same label twice")                                                         \
    X(MALFORMED, "malformed", REFUSED, "a line that cannot be read")                                                               \
    X(TOO_MANY_SERIES, "too_many_series", REFUSED, "a new series beyond the limit of live ones")                                   \
    X(REORDERED, "reordered", TAKEN, "a value older than the last, within the window: kept in the journal, and not judged")        \
    X(DUPLICATE, "duplicate", PASSED, "a value for a time that its series has already")                                            \
    X(TOO_OLD, "too_old", REFUSED, "older than the last by more than the window")                                             \
    X(TOO_FAR_AHEAD, "too_far_ahead", REFUSED, "further in the future than clocks may differ")                                     \
    X(BACKFILLED, "backfilled", TAKEN, "a value of the past, brought to teach: judged by nobody, and nobody is told")

typedef enum tcsi_outcome {
#define X(name, word, class, help) TCSI_OUTCOME_##name,
    TCSI_OUTCOME_LIST(X)
#undef X
    TCSI_OUTCOME_COUNT
} tcsi_outcome;

const char *tcsi_outcome_name(tcsi_outcome outcome);
const char *tcsi_outcome_help(tcsi_outcome outcome);
tcsi_outcome_class tcsi_outcome_class_of(tcsi_outcome outcome);

#endif
