/* serve/http/field.h -- values of header fields that decide something: who asks, what it sends, what it would like to have.
 * Pure functions of hostile text; a value that cannot be understood is as if it were refused, never as if it were absent.
 * Threads: reentrant. */
#ifndef TCS_SERVE_HTTP_FIELD_H
#define TCS_SERVE_HTTP_FIELD_H

#include "base/status.h"

/* ---- Authorization ---- */
typedef enum tcsi_credential {
    TCSI_CREDENTIAL_NONE,      /* no such field */
    TCSI_CREDENTIAL_TOKEN,     /* "Bearer TOKEN" (RFC 6750), "Token TOKEN" (what InfluxDB's clients send) */
    TCSI_CREDENTIAL_OTHER,     /* another scheme */
    TCSI_CREDENTIAL_MALFORMED,
} tcsi_credential;

/* value: NULL for none.  *ret_token points into value. */
tcsi_credential tcsi_field_authorization(const char *value, const char **ret_token, size_t *ret_size);

/* ---- Content-Type ---- */
/* Whether value is the media type, whatever its parameters and case. */
bool tcsi_field_media_is(const char *value, const char *media_type);
/* One of several, "application/json|text/csv". */
bool tcsi_field_media_is_one(const char *value, const char *media_types);
/* The value of a parameter, without quotes; false: absent, malformed, or longer than size - 1. */
bool tcsi_field_media_parameter(const char *value, const char *name, char *ret_text, size_t size);

/* ---- Accept ---- */
enum { TCSI_ACCEPT_RANGES_MAX = 32 };
/* The offer with the highest weight, the earlier one of two equal ones (RFC 9110, 12.5.1).  A range may name parameters, which the offer
 * must then have.  No field, or an empty one: the first.  -1: none is acceptable. */
int tcsi_field_accept(const char *value, const char *const *offers, size_t offer_count);

/* ---- Host, Origin ---- */
/* "localhost", "localhost:8080", "127.0.0.1:1", "[::1]": names that no other host can make its own. */
bool tcsi_field_host_is_loopback(const char *host);
/* Whether a page from origin ("http://localhost:8080") talks to the server that it came from. */
bool tcsi_field_origin_is_host(const char *origin, const char *host);

/* ---- numbers: Last-Event-ID ---- */
bool tcsi_field_number(const char *value, uint64_t *ret_number); /* decimal digits and nothing else */

#endif
