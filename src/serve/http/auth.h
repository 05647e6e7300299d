/* serve/http/auth.h -- tokens: who may do what, checked in microseconds and stored so that the file is of no use to a thief.
 *
 * A token is "tcs_", 16 digits that name it and 64 that prove it (hexadecimal; 256 random bits).  It is shown once, when it is made; the
 * file keeps its Argon2id hash, one JSON object a line:
 *     {"id":"0123456789abcdef","name":"grafana","role":"viewer","created":1767225600,"expires":null,"hash":"$argon2id$..."}
 * The name part finds the line, so that a wrong token costs no hash, or one.
 *
 * An Argon2id check takes a tenth of a second and 64 MiB, on purpose.  So it is made once for a token, one at a time, and what it found
 * is kept for some minutes under a keyed hash (BLAKE2b with a key that this process drew) of the token and the line's hash: a line that
 * is removed, changed or expired is refused at once, whatever is kept; the token itself is nowhere in memory after the request.
 * Failed attempts are counted per address (for IPv6: its /64); beyond TCSI_AUTH_FAILURES_BURST in a row, and then one each
 * 1/TCSI_AUTH_FAILURES_RATE s, tokens from there that are not known already are not looked at.
 * What can be timed: whether the name part exists; it is no secret.
 * Threads: all functions are thread-safe; a reload is one pointer change. */
#ifndef TCS_SERVE_HTTP_AUTH_H
#define TCS_SERVE_HTTP_AUTH_H

#include "base/secret.h"
#include "serve/http/message.h"

enum {
    TCSI_TOKEN_ID_SIZE = 16, TCSI_TOKEN_SECRET_SIZE = 64,
    TCSI_TOKEN_TEXT_SIZE = 4 + TCSI_TOKEN_ID_SIZE + 1 + TCSI_TOKEN_SECRET_SIZE, /* without its 0 */
    TCSI_TOKEN_NAME_SIZE = 64, TCSI_TOKENS_MAX = 10000,
    TCSI_AUTH_FAILURES_BURST = 10,
};
#define TCSI_AUTH_FAILURES_RATE 0.2 /* a second */
#define TCSI_AUTH_KEEP_NS (INT64_C(600) * 1000000000)

typedef struct tcsi_token {
    char id[TCSI_TOKEN_ID_SIZE + 1];
    char name[TCSI_TOKEN_NAME_SIZE];
    tcsi_role role;
    int64_t created_s, expires_s;                   /* since 1970; expires 0: never */
    char hash[TCSI_SECRET_PASSWORD_TEXT_SIZE];
} tcsi_token;

/* A new token and the text to show once.  lifetime_s 0: for ever.  E_UNSUPPORTED: built without libsodium. */
tcs_status tcsi_token_create(const char *name, tcsi_role role, int64_t lifetime_s, tcsi_token *ret_token,
                             char ret_text[TCSI_TOKEN_TEXT_SIZE + 1], tcs_error *err) TCS_WARN_UNUSED;
/* Adds its line to a file, which is made, readable by its owner only, when there is none. */
tcs_status tcsi_token_append(const char *path, const tcsi_token *token, tcs_error *err) TCS_WARN_UNUSED;

/* The lines of such a file; the caller frees *ret_tokens.  E_FORMAT with the line. */
tcs_status tcsi_tokens_parse(const char *text, size_t size, tcsi_token **ret_tokens, size_t *ret_count, tcs_error *err) TCS_WARN_UNUSED;

typedef struct tcsi_auth tcsi_auth;

tcs_status tcsi_auth_create(tcsi_auth **ret_auth, tcs_error *err) TCS_WARN_UNUSED; /* knows no token yet */
void tcsi_auth_destroy(tcsi_auth *auth); /* accepts NULL */
/* The tokens from now on.  On a failure those before stay. */
tcs_status tcsi_auth_set(tcsi_auth *auth, const tcsi_token *tokens, size_t token_count, tcs_error *err) TCS_WARN_UNUSED;
/* Those of a file.  E_INVALID: others than its owner may read or write it; E_FORMAT with the line. */
tcs_status tcsi_auth_load(tcsi_auth *auth, const char *path, tcs_error *err) TCS_WARN_UNUSED;
size_t tcsi_auth_count(tcsi_auth *auth);

typedef enum tcsi_auth_outcome {
    TCSI_AUTH_OK,
    TCSI_AUTH_REFUSED, /* malformed, unknown, wrong or expired: nobody is told which */
    TCSI_AUTH_LIMITED, /* too many failed attempts from this address */
    TCSI_AUTH_FAILED,  /* could not be checked: no memory */
} tcsi_auth_outcome;

typedef struct tcsi_caller {
    char id[TCSI_TOKEN_ID_SIZE + 1];
    char name[TCSI_TOKEN_NAME_SIZE];
    tcsi_role role;
} tcsi_caller;

/* *ret_wait_ns: LIMITED: how long. */
tcsi_auth_outcome tcsi_auth_check(tcsi_auth *auth, const char *peer, const char *text, size_t size, tcsi_caller *ret_caller,
                                  int64_t *ret_wait_ns);

#endif
