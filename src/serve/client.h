/* serve/client.h -- what a command asks of a service that is running.  Threads: reentrant. */
#ifndef TCS_SERVE_CLIENT_H
#define TCS_SERVE_CLIENT_H

#include "base/buffer.h"

enum { TCSI_CLIENT_TEXT_SIZE = 4096 };

/* "Authorization: Bearer ..." with the first line of the file; "" where token_file is NULL or its first line is empty.  E_IO. */
tcs_status tcsi_client_authorize(const char *token_file, char ret_header[TCSI_CLIENT_TEXT_SIZE], tcs_error *err) TCS_WARN_UNUSED;

/* GET of a path, "/api/v1/episodes/...", whose pieces are written as they may stand in one; service: "http://127.0.0.1:9740".  Appends the
 * answer.  E_IO: nobody answers there; E_INVALID: it is refused, in the service's words; E_LIMIT: it is larger than answer->size_max. */
tcs_status tcsi_client_get(const char *service, const char *token_file, const char *path, tcsi_buffer *answer,
                           tcs_error *err) TCS_WARN_UNUSED;

#endif
