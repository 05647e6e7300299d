/* serve/self/probe.h -- asks a service, which may be this one in another process, whether it is ready.
 * For containers and scripts, which then need no other program for it.  Threads: reentrant. */
#ifndef TCS_SERVE_SELF_PROBE_H
#define TCS_SERVE_SELF_PROBE_H

#include "base/buffer.h"

/* url: with or without /readyz.  Appends what it answers, the reason if it is not ready.  E_IO: nobody answers within 5 s. */
tcs_status tcsi_probe_ready(const char *url, tcsi_buffer *text, bool *ret_is_ready, tcs_error *err) TCS_WARN_UNUSED;

#endif
