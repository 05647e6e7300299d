/* apps/kept.h -- where a service keeps what it knows, for the commands that look after it: --data and --store. */
#ifndef TOCSIN_APPS_KEPT_H
#define TOCSIN_APPS_KEPT_H

#include "cli.h"

#include "store/store.h"

typedef struct cli_kept {
    const char *data, *store;
} cli_kept;

#define CLI_KEPT_OPTIONS(base) \
    { "--data", "FOLDER", CLI_TEXT, (base) + offsetof(cli_kept, data), "the service's folder; default ./tocsin-data, unless --store " \
      "alone is given" }, \
    { "--store", "URL", CLI_TEXT, (base) + offsetof(cli_kept, store), "sqlite:PATH or postgresql://...; default tocsin.db in the folder" }

enum { CLI_KEPT_PATH_SIZE = 4096 };

/* Where the store is, and where its journal; the latter "" when only a store was named. */
tcs_status cli_kept_places(const cli_kept *kept, char ret_store[CLI_KEPT_PATH_SIZE], char ret_journal[CLI_KEPT_PATH_SIZE],
                           tcs_error *err) TCS_WARN_UNUSED;
/* The store, which must be there, beside a service that may be running. */
tcs_status cli_kept_open(const cli_kept *kept, tcsi_store **ret_store, tcs_error *err) TCS_WARN_UNUSED;

/* As cli_fail, for what is no fault of the flags. */
int cli_kept_fail(const char *command, const tcs_error *err);

#endif
