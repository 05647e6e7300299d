/* serve/api/similar.h -- past episodes that are like one.  Threads: as handlers. */
#ifndef TCS_SERVE_API_SIMILAR_H
#define TCS_SERVE_API_SIMILAR_H

#include "serve/api/api.h"

/* "similar": those that began before it, the nearest first, with their answers; empty where it has no pattern.  E_MEMORY, as the store. */
tcs_status tcsi_similar_write(tcsi_api *api, const tcsi_request *request, const char *id, tcsi_json_writer *writer,
                              tcs_error *err) TCS_WARN_UNUSED;

#endif
