/* io/http.h -- one request and its whole answer, over HTTP; and one message handed to a mail server, over SMTP.
 * Whatever the other side does, a call ends within its limits.  Threads: reentrant. */
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
    int64_t retry_after_s;  /* what Retry-After asks for, as seconds from now; 0: nothing */
} tcsi_http_reply;

/* Appends the answer's body, decompressed, to body, whose size_max bounds it.  Any HTTP status is success here; redirects
 * are not followed, so that a password reaches nobody but the server it was given for.  user:password@ in the URL is sent as
 * basic authentication, else ~/.netrc is looked at; proxies are taken from the environment.
 * E_IO: no connection, broken off, too slow; E_LIMIT: larger than size_max; E_INVALID: no URL; E_UNSUPPORTED. */
tcs_status tcsi_http_get(const char *url, const tcsi_http_limits *limits, tcsi_buffer *body, tcsi_http_reply *ret_reply,
                         tcs_error *err) TCS_WARN_UNUSED;

enum { TCSI_HTTP_HEADERS_MAX = 12 };

typedef struct tcsi_http_request {
    const char *method;                          /* "POST", "PATCH", "PUT" */
    const char *url;
    const char *headers[TCSI_HTTP_HEADERS_MAX];  /* "Name: value", as far as not NULL; one with a line end in it is E_INVALID */
    const void *body;
    size_t body_size;
} tcsi_http_request;

/* The same for a request with a body.  Only what went wrong before an answer is a failure; a 500 is an answer. */
tcs_status tcsi_http_send(const tcsi_http_request *request, const tcsi_http_limits *limits, tcsi_buffer *body, tcsi_http_reply *ret_reply,
                          tcs_error *err) TCS_WARN_UNUSED;

typedef enum tcsi_mail_tls {
    TCSI_MAIL_TLS_REQUIRED, /* STARTTLS, or the connection from its beginning for smtps: without it nothing is sent */
    TCSI_MAIL_TLS_NEVER,    /* for a server on this machine */
} tcsi_mail_tls;

enum { TCSI_MAIL_RECIPIENTS_MAX = 32 };

typedef struct tcsi_mail {
    const char *url;                                   /* smtp://[user:password@]host[:port] or smtps: */
    tcsi_mail_tls tls;
    const char *user, *password;                       /* NULL: none, or those of the URL */
    const char *from;                                  /* plain addresses, "ops@example.org" */
    const char *recipients[TCSI_MAIL_RECIPIENTS_MAX];  /* as far as not NULL */
    const char *text;                                  /* header and body, lines ending in CR LF */
    size_t text_size;
} tcsi_mail;

/* *ret_code: the server's last reply (250, 451, 550; 0: none was read), also when failing.  E_IO: not taken, or not reached. */
tcs_status tcsi_mail_send(const tcsi_mail *mail, const tcsi_http_limits *limits, int *ret_code, tcs_error *err) TCS_WARN_UNUSED;

#endif
