/* serve/keep_incident.h -- incidents as they are kept, told and listened to: their documents and words.  Threads: one user. */
#ifndef TCS_SERVE_KEEP_INCIDENT_H
#define TCS_SERVE_KEEP_INCIDENT_H

#include "serve/action.h"
#include "serve/incident.h"

/* A setting that says which episodes belong together: the budget, or rules (shard/policy.h). */
void tcsi_keep_incidents_act(tcsi_incidents *incidents, const tcsi_action *action);

/* What receivers are told of an incident in place of an episode's own words; of one of a single series the summary stays what it is. */
typedef struct tcsi_keep_incident_words {
    char id[TCSI_INCIDENT_ID_SIZE]; /* "": there is none */
    char summary[TCSI_SENTENCE_SIZE];
    char description[2048];
} tcsi_keep_incident_words;
void tcsi_keep_incident_describe(const tcsi_incidents *incidents, const tcsi_directory *directory, uint64_t serial,
                                 tcsi_keep_incident_words *words);

/* Its document, one line of JSON, behind what is in out. */
tcs_status tcsi_keep_incident_write(const tcsi_incidents *incidents, const tcsi_incident *incident, const tcsi_directory *directory,
                                    tcsi_buffer *out, tcs_error *err) TCS_WARN_UNUSED;

#endif
