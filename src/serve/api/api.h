/* serve/api/api.h -- what can be asked of the live service beside what every service answers (http/builtin.h): one file a subject, each
 * with its handlers and a table of routes.  The rows of the tables say the rest, and the OpenAPI document is made of them.
 * A subject is added by a file, a mount function here, and a row in api.c.  Threads: handlers run on any. */
#ifndef TCS_SERVE_API_API_H
#define TCS_SERVE_API_API_H

#include "adapt/tally.h"
#include "base/json.h"
#include "serve/deep/report.h"
#include "serve/history/chronicle.h"
#include "serve/http/route.h"
#include "serve/intake.h"
#include "serve/traces.h"
#include "serve/watching.h"
#include "store/store.h"

#include <pthread.h>

/* What the handlers work on; outlives the router. */
typedef struct tcsi_api {
    tcsi_intake *intake;
    tcsi_live *live;
    tcsi_chronicle *history;      /* NULL: none is kept */
    tcsi_store *store;          /* for reading, one request at a time */
    pthread_mutex_t store_mutex;
    tcsi_watching *watching;
    tcsi_audit_chain audit_chain; /* of the audit log, as far as it was followed; under store_mutex */
    int64_t audit_verified_ns;    /* when that was begun, monotonic */
    tcsi_traces *traces;          /* of late requests; NULL: they are not kept */
    int64_t started_ns;
    tcsi_tally_prices prices;   /* NaN: not set */
    const tcsi_deep_report *deep;
    struct tcsi_labelled *labelled; /* what answers come to: labelled.h */
} tcsi_api;

/* Every subject. */
tcs_status tcsi_api_mount(tcsi_router *router, tcsi_api *api, tcs_error *err) TCS_WARN_UNUSED;

tcs_status tcsi_api_mount_rows(tcsi_router *router, tcsi_api *api, tcs_error *err) TCS_WARN_UNUSED;
tcs_status tcsi_api_mount_series(tcsi_router *router, tcsi_api *api, tcs_error *err) TCS_WARN_UNUSED;
tcs_status tcsi_api_mount_episodes(tcsi_router *router, tcsi_api *api, tcs_error *err) TCS_WARN_UNUSED;
tcs_status tcsi_api_mount_incidents(tcsi_router *router, tcsi_api *api, tcs_error *err) TCS_WARN_UNUSED;
tcs_status tcsi_api_mount_audit(tcsi_router *router, tcsi_api *api, tcs_error *err) TCS_WARN_UNUSED;
tcs_status tcsi_api_mount_silences(tcsi_router *router, tcsi_api *api, tcs_error *err) TCS_WARN_UNUSED;
tcs_status tcsi_api_mount_models(tcsi_router *router, tcsi_api *api, tcs_error *err) TCS_WARN_UNUSED;
tcs_status tcsi_api_mount_answers(tcsi_router *router, tcsi_api *api, tcs_error *err) TCS_WARN_UNUSED;
tcs_status tcsi_api_mount_quality(tcsi_router *router, tcsi_api *api, tcs_error *err) TCS_WARN_UNUSED;
tcs_status tcsi_api_mount_review(tcsi_router *router, tcsi_api *api, tcs_error *err) TCS_WARN_UNUSED;
tcs_status tcsi_api_mount_history(tcsi_router *router, tcsi_api *api, tcs_error *err) TCS_WARN_UNUSED;
tcs_status tcsi_api_mount_explanation(tcsi_router *router, tcsi_api *api, tcs_error *err) TCS_WARN_UNUSED;
tcs_status tcsi_api_mount_record(tcsi_router *router, tcsi_api *api, tcs_error *err) TCS_WARN_UNUSED;
tcs_status tcsi_api_mount_query(tcsi_router *router, tcsi_api *api, tcs_error *err) TCS_WARN_UNUSED;
tcs_status tcsi_api_mount_status(tcsi_router *router, tcsi_api *api, tcs_error *err) TCS_WARN_UNUSED;
tcs_status tcsi_api_mount_watch(tcsi_router *router, tcsi_api *api, tcs_error *err) TCS_WARN_UNUSED;

/* ---- for the subjects ---- */

enum { TCSI_API_PAGE_MAX = 1000, TCSI_API_PAGE = 100 };

/* Groups of routes in documents. */
#define TCSI_API_ROWS "Rows in"
#define TCSI_API_ASK "What is known"
#define TCSI_API_ACT "What people decide"

/* Appends the name of a series that is there. */
tcs_status tcsi_api_series_name(const tcsi_api *api, uint32_t number, tcsi_buffer *out, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_api_put_time(tcsi_json_writer *writer, const char *key, int64_t time_ns);
/* A query parameter that is a time; *ret_ns stays as it is where there is none.  false: err says what was expected (E_INVALID). */
bool tcsi_api_time_parameter(const tcsi_request *request, const char *name, int64_t *ret_ns, tcs_error *err);

/* As tcsi_store_record_list, of the store that handlers share. */
tcs_status tcsi_api_records(tcsi_api *api, const tcsi_store_record_query *query, tcsi_store_record_each each, void *context,
                            tcs_error *err) TCS_WARN_UNUSED;

/* Has the service do something: whoever asked is put into the action, and an id.  document: JSON, "" for none.  Kept when this returns
 * TCS_OK with *ret_is_kept; durable, and to be kept as soon as the store works again, without.  Fails as tcsi_intake_act. */
tcs_status tcsi_api_act(tcsi_api *api, const tcsi_request *request, tcsi_action_kind kind, const char *object, const char *document,
                        char ret_id[TCSI_ACTION_ID_SIZE], bool *ret_is_kept, tcs_error *err) TCS_WARN_UNUSED;
/* What was done has an id; 202: it is durable, and shows as soon as the store works again. */
tcs_status tcsi_api_reply_id(tcsi_response *response, const char *id, bool is_kept, tcs_error *err) TCS_WARN_UNUSED;

#endif
