/* apps/kept.c -- see kept.h.  SPDX-License-Identifier: Apache-2.0 */
#include "kept.h"

tcs_status cli_kept_places(const cli_kept *kept, char ret_store[CLI_KEPT_PATH_SIZE], char ret_journal[CLI_KEPT_PATH_SIZE], tcs_error *err)
{
    const char *folder = kept->data ? kept->data : kept->store ? NULL : "tocsin-data";
    size_t longest = 0;
    const int journal_size = folder ? snprintf(ret_journal, CLI_KEPT_PATH_SIZE, "%s/journal", folder) : 0;
    const int store_size = kept->store ? snprintf(ret_store, CLI_KEPT_PATH_SIZE, "%s", kept->store)
                                       : snprintf(ret_store, CLI_KEPT_PATH_SIZE, "%s/tocsin.db", folder);
    if (!folder) ret_journal[0] = 0;
    longest = (size_t)(journal_size > store_size ? journal_size : store_size);
    return longest < CLI_KEPT_PATH_SIZE ? TCS_OK : tcsi_fail(err, TCS_E_INVALID, "a path of %zu bytes is too long", longest);
}

tcs_status cli_kept_open(const cli_kept *kept, tcsi_store **ret_store, tcs_error *err)
{
    const tcsi_store_options options = { .must_exist = true, .as_is = true };
    char store[CLI_KEPT_PATH_SIZE], journal[CLI_KEPT_PATH_SIZE];
    const tcs_status status = cli_kept_places(kept, store, journal, err);
    return status == TCS_OK ? tcsi_store_open(store, &options, ret_store, err) : status;
}

int cli_kept_fail(const char *command, const tcs_error *err)
{
    (void)cli_fail(command, err);
    return EXIT_FAILED;
}
