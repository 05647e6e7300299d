/* serve/incident.h -- episodes that belong together are one incident, and are told as one.
 *
 *     event of an episode -> coincidence.h: with which other ones does it begin? -> the incident that it opens, joins or leaves
 *
 * A fleet that moves in step, or a host that fails, raises an episode for each series that sees it.  People are to hear of it once, with
 * what is most telling first.  Which episodes belong together is decided by when and where they begin, not by what they are called: see
 * coincidence.h.  When an episode shows that two incidents are one, the later one is merged into the earlier one.
 *
 * An incident is SUSPECTED until one of its episodes is confirmed, and over when all of them are: RESOLVED, or DISMISSED if none was ever
 * confirmed.  Its id is made of its first episode; its severity is the highest that any of them had, and that episode's sentence is what it
 * tells.  What they share is the tags of options.places that all have with the same value.
 *
 * All of it is a function of the events in the journal's order.  Bounded: TCSI_INCIDENT_COUNT_MAX open ones, beyond which an episode has
 * none; of each, the first TCSI_INCIDENT_MEMBERS episodes are listed, all are counted.  Memory: 4 bytes a series, some 24 bytes an open
 * episode, 2 KB an incident.  Threads: one user. */
#ifndef TCS_SERVE_INCIDENT_H
#define TCS_SERVE_INCIDENT_H

#include "serve/coincidence.h"
#include "serve/words.h"

enum { TCSI_INCIDENT_COUNT_MAX = 1 << 16, TCSI_INCIDENT_MEMBERS = 200, TCSI_INCIDENT_ID_SIZE = 33 };

typedef struct tcsi_incident_member {
    int64_t begin_ns;
    uint32_t number; /* of the series; with kind and begin the episode's name */
    uint8_t kind;
} tcsi_incident_member;

typedef struct tcsi_incident {
    uint64_t serial;                      /* 1, 2, ... in the order of their opening */
    uint64_t merged_into;                 /* serial; 0: it was not */
    char id[TCSI_INCIDENT_ID_SIZE];
    tcsi_live_state state;
    int64_t begin_ns, updated_ns, end_ns; /* end_ns 0: it lasts */
    double severity;
    uint32_t series_count, episode_count, open_count;
    tcsi_incident_member *members;        /* (member_count) the first ones */
    uint32_t member_count, member_capacity;
    char *shared[TCSI_PLACE_COUNT_MAX];   /* value of the i-th of options.places that all have; NULL: they do not */
    char telling[TCSI_SENTENCE_SIZE];
    bool is_changed;                      /* since settle */
    bool is_awaited;                      /* somebody has its serial who will look at it once more (keep_batch.h) */
} tcsi_incident;

typedef struct tcsi_incidents {
    tcsi_coincidence coincidence;
    tcsi_incident **items;                /* (count) by serial: those open, and those that ended since settle */
    size_t count, capacity;
    tcsi_incident **changed;              /* (changed_count of capacity) of them, by serial: since settle */
    size_t changed_count;
    uint64_t serial;                      /* of the last one */
    struct tcsi_incident_episode *episodes; /* open ones; chained by series */
    uint32_t episode_count, episode_capacity, episode_free;
    uint32_t *first;                      /* (first_count) by series: its first open episode, plus one; 0: none */
    uint32_t first_count;
} tcsi_incidents;

void tcsi_incidents_init(tcsi_incidents *incidents, const tcsi_coincidence_options *options);
/* From the next event on. */
void tcsi_incidents_set(tcsi_incidents *incidents, const tcsi_coincidence_options *options);
void tcsi_incidents_deinit(tcsi_incidents *incidents); /* accepts a zeroed one */

/* The next event.  key, sentence: of its series, and of it (words.h).  *ret_serial: of the incident it belongs to; 0: none.  E_MEMORY. */
tcs_status tcsi_incidents_update(tcsi_incidents *incidents, const tcsi_directory *directory, const tcsi_key *key,
                                 const tcsi_live_event *event, const char *sentence, uint64_t *ret_serial, tcs_error *err) TCS_WARN_UNUSED;
/* The one itself, until settle also one that has ended; NULL: there is none. */
tcsi_incident *tcsi_incidents_find(const tcsi_incidents *incidents, uint64_t serial);
/* As it is now, or the one that it was merged into; until settle also one that has ended; NULL: there is none. */
const tcsi_incident *tcsi_incidents_get(const tcsi_incidents *incidents, uint64_t serial);
/* Everything up to the record was done: series of it count, and what has ended is forgotten. */
tcs_status tcsi_incidents_settle(tcsi_incidents *incidents, const tcsi_directory *directory, uint64_t sequence,
                                 tcs_error *err) TCS_WARN_UNUSED;

/* "37 series of instance="db1": " and the most telling one's sentence; of a single series that alone. */
void tcsi_incident_summary(const tcsi_incidents *incidents, const tcsi_incident *incident, char ret_text[TCSI_SENTENCE_SIZE]);

/* Between two settles' ends.  Loading, it was initialized, and the directory is as it was. */
void tcsi_incidents_persist(tcsi_incidents *incidents, const tcsi_directory *directory, tcsi_codec *codec);

#endif
