/* serve/http/tls.h -- certificate and key of the server, changed while it runs.
 *
 * Each handshake asks for them; a reload is one pointer change.  What was before is kept for TCSI_TLS_KEEP_NS after it was replaced,
 * because a handshake that began with it may still be under way (they are cut off long before), and is released with the next reload.
 * Threads: reload from one thread; handshakes from any. */
#ifndef TCS_SERVE_HTTP_TLS_H
#define TCS_SERVE_HTTP_TLS_H

#include "base/status.h"

#define TCSI_TLS_KEEP_NS (INT64_C(600) * 1000000000)
/* TLS 1.2 with forward secrecy, and 1.3. */
#define TCSI_TLS_PRIORITIES "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-RSA:%SERVER_PRECEDENCE"

typedef struct tcsi_tls tcsi_tls;

/* E_IO: a file cannot be read; E_FORMAT: it is no PEM, or the key is not that of the certificate. */
tcs_status tcsi_tls_create(const char *certificate_path, const char *key_path, tcsi_tls **ret_tls, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_tls_destroy(tcsi_tls *tls); /* accepts NULL; no handshake may be under way */
tcs_status tcsi_tls_reload(tcsi_tls *tls, tcs_error *err) TCS_WARN_UNUSED; /* on a failure what was stays */

/* Seconds since 1970 at which the certificate ends; for metrics and for people. */
int64_t tcsi_tls_expires_s(tcsi_tls *tls);

/* The function of type gnutls_certificate_retrieve_function2 that handshakes call; it finds the one struct of this process: there is one
 * server with TLS in it, because GnuTLS hands the callback nothing of ours. */
void *tcsi_tls_callback(void);

#endif
