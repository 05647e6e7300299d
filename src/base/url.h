/* base/url.h -- addresses: percent codes (RFC 3986), and hiding passwords wherever an address or a message is shown.
 * Threads: reentrant. */
#ifndef TCS_BASE_URL_H
#define TCS_BASE_URL_H

#include "base/buffer.h"

/* Length of the scheme before the colon ("sqlite" in sqlite:a.db); 0: there is none.  One letter is none: C:\a.csv. */
size_t tcsi_url_scheme_length(const char *url);

/* Appends text with everything but letters, digits and -._~ as percent codes. */
tcs_status tcsi_url_encode(tcsi_buffer *out, const char *text, tcs_error *err) TCS_WARN_UNUSED;
/* In place.  plus_is_blank: as in the parameters of a form.  false: a code that is none, or the code of NUL. */
bool tcsi_url_decode(char *text, bool plus_is_blank) TCS_WARN_UNUSED;

/* url with *** in place of the password of user:password@ and of parameters named like one (password, token, ...).  A text
 * that is no URL with a scheme is copied as it is.  When in doubt too much is hidden, never too little.
 * Cut to size - 1 bytes; returns ret_text. */
char *tcsi_url_redact(const char *url, char *ret_text, size_t size);

/* Somebody else's message on one line, without url's password; cut to size - 1 bytes. */
void tcsi_url_tidy(const char *url, const char *message, char *ret_text, size_t size);

/* Overwrites with * whatever equals url's password in somebody else's message, as written and decoded. */
void tcsi_url_scrub(const char *url, char *message);

#endif
