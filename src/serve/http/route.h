/* serve/http/route.h -- the table of what can be asked: one row says how a request is matched, who may make it, how large and how often
 * it may be, what it takes and what it answers.  Dispatch, 404, 405 with Allow, OPTIONS, the check of parameters and the OpenAPI document
 * (openapi.h) are all made from the rows, so that none of them can say something else.
 *
 * A path is literal segments and {parameters}: "/api/v1/series/{id}".  The rows are put into a tree of segments; a literal one goes
 * before a parameter, whatever the order of mounting.  Two rows that answer the same request, a parameter that is not in the path, a
 * schema that is not JSON: mounting fails, at start and not with the first request.
 * Cost of a match: one comparison of text per segment and sibling; nothing is allocated.
 * Threads: mount first; afterwards everything only reads. */
#ifndef TCS_SERVE_HTTP_ROUTE_H
#define TCS_SERVE_HTTP_ROUTE_H

#include "serve/http/message.h"
#include "serve/http/target.h"

typedef enum tcsi_argument_type {
    TCSI_ARGUMENT_TEXT, TCSI_ARGUMENT_INTEGER, TCSI_ARGUMENT_NUMBER, TCSI_ARGUMENT_FLAG, TCSI_ARGUMENT_CHOICE
} tcsi_argument_type;

typedef struct tcsi_argument {
    const char *name;
    tcsi_argument_type type;
    const char *help;
    const char *fallback;     /* default, as text; NULL: none */
    double low, high;         /* INTEGER, NUMBER; both 0: no range */
    const char *choices;      /* CHOICE: "open|closed" */
    bool required;            /* those of the path always are */
    bool repeated;            /* "match[]=a&match[]=b"; otherwise once */
} tcsi_argument;

/* What a status means, where the row says more than its phrase. */
typedef struct tcsi_answer {
    int status;
    const char *help;
    const char *content_type; /* NULL: no body, or a problem document from 400 on */
    const char *schema;       /* JSON; NULL: none stated */
} tcsi_answer;

typedef tcs_status (*tcsi_handler)(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err);

enum { TCSI_ROUTE_PARAMETERS_MAX = 24, TCSI_ROUTE_ANSWERS_MAX = 12 };

typedef struct tcsi_route {
    tcsi_method method;           /* HEAD comes with GET, OPTIONS with any */
    const char *path;
    tcsi_role role;               /* the least that may */
    tcsi_handler handle;
    const char *id;               /* "series_list": operationId, and the label of its metrics */
    const char *summary;
    const char *group;            /* heading in documents */
    size_t body_max;              /* bytes; 0: takes no body */
    bool body_required;
    const char *request_type;     /* media types that it takes, "application/json|application/x-ndjson"; NULL: whatever comes */
    const char *request_schema;   /* JSON; NULL: none stated */
    double rate, burst;           /* requests a second of one caller, and how many may come at once; 0: no limit of its own */
    tcsi_argument parameters[TCSI_ROUTE_PARAMETERS_MAX]; /* ends with a NULL name; of path and query */
    tcsi_answer answers[TCSI_ROUTE_ANSWERS_MAX];          /* ends with status 0; those that dispatch gives are added by themselves */
} tcsi_route;

/* One row, and whom it was mounted for. */
typedef struct tcsi_mounted {
    const tcsi_route *route;
    void *context;
    size_t index;                 /* 0, 1, ...: of its own figures, kept elsewhere */
} tcsi_mounted;

typedef struct tcsi_router tcsi_router;

tcs_status tcsi_router_create(tcsi_router **ret_router, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_router_destroy(tcsi_router *router); /* accepts NULL */
/* routes must outlive the router.  E_INVALID: a row contradicts itself or another. */
tcs_status tcsi_router_mount(tcsi_router *router, const tcsi_route *routes, size_t route_count, void *context,
                             tcs_error *err) TCS_WARN_UNUSED;

size_t tcsi_router_count(const tcsi_router *router);
const tcsi_mounted *tcsi_router_at(const tcsi_router *router, size_t index); /* in order of mounting */

typedef enum tcsi_match {
    TCSI_MATCH_FOUND,
    TCSI_MATCH_NO_PATH,   /* 404 */
    TCSI_MATCH_NO_METHOD, /* 405: the path is there, for other methods */
} tcsi_match;

typedef struct tcsi_matched {
    const tcsi_mounted *mounted;                        /* FOUND; HEAD finds GET's */
    unsigned methods;                                   /* bit 1 << method, HEAD and OPTIONS included: what the path allows */
    const char *values[TCSI_TARGET_SEGMENTS_MAX];       /* FOUND: segments that stand for {parameters}, in their order */
    size_t value_count;
} tcsi_matched;

tcsi_match tcsi_router_match(const tcsi_router *router, tcsi_method method, const tcsi_target *target, tcsi_matched *ret_matched);
enum { TCSI_ALLOW_SIZE = 64 };
void tcsi_allow_format(unsigned methods, char ret_text[TCSI_ALLOW_SIZE]); /* "GET, HEAD, OPTIONS" */

/* The row's {name}s of a path as request parameters; in arena.  NULL: out of memory. */
const tcsi_pair *tcsi_route_path_parameters(const tcsi_route *route, const tcsi_matched *matched, tcsi_arena *arena);
/* Whether every query parameter is known, of its type, in its range and as often as it may be; E_INVALID says which is not. */
tcs_status tcsi_route_check(const tcsi_request *request, tcs_error *err) TCS_WARN_UNUSED;
const tcsi_argument *tcsi_route_parameter(const tcsi_route *route, const char *name); /* NULL: none */

#endif
