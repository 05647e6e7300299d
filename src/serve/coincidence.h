/* serve/coincidence.h -- do episodes begin so close together, and on series that have so much in common, that it is no chance?
 *
 * Chance may raise so many alarms a second on all series together: the alarm budget.  Of them, a scope of series gets a share as large as
 * its share of the series; scopes are all series, those with the same value of a tag that says where they are (host="db1"), and the
 * series itself.  Around an onset t that the j nearest ones of a scope before it are within d of, chance would have put
 *     lambda = alarms_per_s * share * (d + step)          step: of the series' stamps, at least 1 s; nearer than that says nothing
 * and that it put j or more has the probability P(Poisson(lambda) >= j).  When that is at most CHANCE for the smallest such j, of the scope
 * for which it is smallest, the j onsets belong to t's.  Nothing farther away than `within` does.
 * So at a hundred alarms of chance a day two on the same of thirty hosts belong together when a minute lies between them, and two anywhere
 * only within some 8 s; at one a day, whatever is within `within`.  Independent onsets are taken for one with at most CHANCE a scope.
 *
 * Onsets are by stamps.  Results depend on nothing but the calls, and the directory's series up to the records that they name.
 * Memory: 16 bytes for each value of such a tag, and the last 64 onsets.  Cost of an onset: some thousand operations.  Threads: one. */
#ifndef TCS_SERVE_COINCIDENCE_H
#define TCS_SERVE_COINCIDENCE_H

#include "base/codec.h"
#include "serve/shard/directory.h"

enum { TCSI_PLACE_COUNT_MAX = 16, TCSI_PLACE_NAME_SIZE = 64, TCSI_ONSET_COUNT_MAX = 64 };
#define TCSI_WITHIN_S 120.0 /* where nothing else is set */

typedef struct tcsi_coincidence_options {
    double alarms_per_s;
    int64_t within_ns;                  /* 0: nothing belongs together */
    char places[TCSI_PLACE_COUNT_MAX][TCSI_PLACE_NAME_SIZE]; /* (place_count) names of tags that say where */
    size_t place_count;
} tcsi_coincidence_options;

typedef struct tcsi_beginning {
    uint64_t group;                     /* the caller's; 0: of one that is over */
    int64_t begin_ns;
    uint64_t places[TCSI_PLACE_COUNT_MAX]; /* hash of name and value; 0: it has no such tag */
    uint32_t number;
} tcsi_beginning;

typedef struct tcsi_coincidence {
    tcsi_coincidence_options options;
    struct tcsi_place *table;           /* open addressing: how many series are there */
    size_t capacity, place_count;
    uint32_t series_count;              /* of them all, counted so far */
    tcsi_beginning onsets[TCSI_ONSET_COUNT_MAX]; /* a ring */
    size_t onset_count, onset_at;
} tcsi_coincidence;

/* Two minutes; host, instance, node, pod, ... */
tcsi_coincidence_options tcsi_coincidence_options_default(double alarms_per_s);

void tcsi_coincidence_init(tcsi_coincidence *coincidence, const tcsi_coincidence_options *options);
/* From the next onset on; other places are counted anew. */
void tcsi_coincidence_set(tcsi_coincidence *coincidence, const tcsi_coincidence_options *options);
void tcsi_coincidence_deinit(tcsi_coincidence *coincidence); /* accepts a zeroed one */

/* Series that records up to `sequence` brought count from now on.  E_MEMORY. */
tcs_status tcsi_coincidence_count(tcsi_coincidence *coincidence, const tcsi_directory *directory, uint64_t sequence,
                                  tcs_error *err) TCS_WARN_UNUSED;
/* An onset on the series with this key; and the groups of those that it belongs to, the nearest first, each as often as it has one. */
tcsi_beginning tcsi_coincidence_onset(const tcsi_coincidence *coincidence, const tcsi_key *key, uint32_t number, int64_t begin_ns);
size_t tcsi_coincidence_find(const tcsi_coincidence *coincidence, const tcsi_beginning *onset, double step_s,
                             uint64_t ret_groups[TCSI_ONSET_COUNT_MAX]);
/* It is in onset->group; the oldest one is forgotten. */
void tcsi_coincidence_add(tcsi_coincidence *coincidence, const tcsi_beginning *onset);
/* All of one group are of another one; or of none, 0: then nothing belongs to them any more, and they say nothing of what does. */
void tcsi_coincidence_regroup(tcsi_coincidence *coincidence, uint64_t group, uint64_t into);

/* Loading: the directory is as it was when it was saved; counts are taken anew. */
void tcsi_coincidence_persist(tcsi_coincidence *coincidence, const tcsi_directory *directory, tcsi_codec *codec);

#endif
