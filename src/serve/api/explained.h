/* serve/api/explained.h -- one episode, as its explanation and its record read it: what the store has of it, and what it had to do with.
 * Texts live in the request's arena.  Threads: as handlers. */
#ifndef TCS_SERVE_API_EXPLAINED_H
#define TCS_SERVE_API_EXPLAINED_H

#include "serve/api/api.h"
#include "serve/shard/grounds.h"

typedef struct tcsi_explained {
    tcsi_api *api;
    const tcsi_request *request;
    const char *id;
    const tcsi_json_value *document; /* NULL: there is no such episode */
    int64_t begin_ns, end_ns;        /* end_ns: INT64_MAX while it lasts */
    int64_t state;
    uint32_t number;                 /* of its series; TCSI_SERIES_NONE: it is not live */
    tcsi_grounds grounds;            /* sequence 0: nothing is known */
} tcsi_explained;

tcs_status tcsi_explained_find(tcsi_api *api, const tcsi_request *request, const char *id, tcsi_explained *ret,
                               tcs_error *err) TCS_WARN_UNUSED;
const char *tcsi_explained_text(const tcsi_explained *explained, const char *key);                  /* "": it has none */
double tcsi_explained_number(const tcsi_explained *explained, const char *key);                     /* NaN: it has none */

/* "moved_together": the incident, the tags that all of it share, and its other episodes in the order of their onsets. */
tcs_status tcsi_explained_write_moved(const tcsi_explained *explained, tcsi_json_writer *writer, tcs_error *err) TCS_WARN_UNUSED;
/* "told": messages about it to receivers, as far as the outbox still knows. */
tcs_status tcsi_explained_write_told(const tcsi_explained *explained, tcsi_json_writer *writer, tcs_error *err) TCS_WARN_UNUSED;
/* "path": its row, from the request to the receivers, a step an item. */
void tcsi_explained_write_path(const tcsi_explained *explained, tcsi_json_writer *writer);

/* For those: the episodes of its incident, which is followed to where it was merged into; itself among them.  *ret_ids NULL: it has
 * none.  *ret_incident: the document; NULL likewise. */
tcs_status tcsi_explained_incident(const tcsi_explained *explained, const tcsi_json_value **ret_incident, const tcsi_json_value **ret_ids,
                                   tcs_error *err) TCS_WARN_UNUSED;

#endif
