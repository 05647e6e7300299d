/* serve/api/form.h -- parameters of a request that may stand in its address or, as application/x-www-form-urlencoded, in its body.
 * Threads: reentrant. */
#ifndef TCS_SERVE_API_FORM_H
#define TCS_SERVE_API_FORM_H

#include "serve/http/route.h"

enum { TCSI_FORM_PAIRS_MAX = 64, TCSI_FORM_SIZE_MAX = 1 << 16 };

typedef struct tcsi_form {
    tcsi_pair pairs[TCSI_FORM_PAIRS_MAX]; /* those of the body first; texts in the request's arena, or its own */
    size_t count;
} tcsi_form;

/* E_INVALID: too many, or percent codes that are none; E_MEMORY. */
tcs_status tcsi_form_read(const tcsi_request *request, tcsi_form *ret_form, tcs_error *err) TCS_WARN_UNUSED;
/* The index-th of that name, or NULL. */
const char *tcsi_form_get(const tcsi_form *form, const char *name, size_t index);

#endif
