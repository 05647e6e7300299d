/* serve/http/openapi.h -- the OpenAPI 3.1 document, and the page for people, of whatever is mounted.
 * Statuses that dispatch gives by itself (400, 401, 403, 404, 405, 413, 415, 429, 503) are added to each row where they can occur.
 * Threads: reentrant. */
#ifndef TCS_SERVE_HTTP_OPENAPI_H
#define TCS_SERVE_HTTP_OPENAPI_H

#include "serve/http/route.h"

/* secured: whether the server asks for tokens. */
tcs_status tcsi_openapi_write(const tcsi_router *router, bool secured, tcsi_buffer *out, tcs_error *err) TCS_WARN_UNUSED;
/* Markdown: a heading a group, a section a row. */
tcs_status tcsi_openapi_page(const tcsi_router *router, tcsi_buffer *out, tcs_error *err) TCS_WARN_UNUSED;
/* Markdown: one table, a row for each route, the least role first. */
tcs_status tcsi_openapi_roles(const tcsi_router *router, tcsi_buffer *out, tcs_error *err) TCS_WARN_UNUSED;

/* What a row can answer: its own, then those of dispatch, by number.  Returns how many. */
enum { TCSI_OPENAPI_ANSWERS_MAX = TCSI_ROUTE_ANSWERS_MAX + 10 };
size_t tcsi_openapi_answers(const tcsi_route *route, tcsi_answer ret_answers[TCSI_OPENAPI_ANSWERS_MAX]);

#endif
