/* io/http.h -- one GET request and its whole answer.
 * Threads: reentrant. */
#ifndef TCS_IO_HTTP_H
#define TCS_IO_HTTP_H

#include "base/buffer.h"

typedef struct tcsi_http_limits {
    long connect_ms; /* until the connection stands, TLS included */
    long stall_s;    /* without a single byte */
    long total_ms;   /* for everything */
} tcsi_http_limits;

typedef struct tcsi_http_reply {
    int code;               /* 200, 404, ... */
    char content_type[64];  /* in lower case, without parameters; "" when not stated */
    char location[256];     /* of a redirect, without password and parameters; otherwise "" */
} tcsi_http_reply;

/* Appends the answer's body, decompressed, to body, whose size_max bounds it.  Any HTTP status is success here; redirects
 * are not followed, so that a password reaches nobody but the server it was given for.  user:password@ in the URL is sent as
 * basic authentication, else ~/.netrc is looked at; proxies are taken from the environment.
 * E_IO: no connection, broken off, too slow; E_LIMIT: larger than size_max; E_INVALID: no URL; E_UNSUPPORTED. */
tcs_status tcsi_http_get(const char *url, const tcsi_http_limits *limits, tcsi_buffer *body, tcsi_http_reply *ret_reply,
                         tcs_error *err) TCS_WARN_UNUSED;

#endif
