/* apps/explain_live.h -- a live episode, as the service that has it explains it. */
#ifndef CLI_EXPLAIN_LIVE_H
#define CLI_EXPLAIN_LIVE_H

#include "cli.h"

/* Prints why the episode came to be, or with json the service's document.  service: its address; token: a file, or NULL. */
tcs_status cli_explain_live(const char *service, const char *token, const char *episode, bool json, tcs_error *err);

#endif
