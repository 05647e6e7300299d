/* apps/cmd_token.c -- `tocsin token`: makes a token for the live service and adds its hash to a file.
 *
 * The token is shown once, alone on standard output; the file is of no use to a thief.  SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

#include "base/status.h"
#include "serve/http/auth.h"

typedef struct token_options {
    const char *file, *name, *role;
    size_t days;
} token_options;

#define AT(field) offsetof(token_options, field)
static const cli_option options[] = {
    { "--file", "FILE", CLI_TEXT, AT(file), "where its hash is added; what --tokens of `tocsin serve` names" },
    { "--name", "TEXT", CLI_TEXT, AT(name), "whose it is: in the log and the audit" },
    { "--role", "viewer|analyst|operator|admin", CLI_TEXT, AT(role),
      "what may be done with it; default viewer.  Senders of rows are operators" },
    { "--days", "N", CLI_COUNT, AT(days), "after which it is no longer taken; 0, the default: never" },
};

enum { SECONDS_A_DAY = 86400, DAYS_MAX = 36500 };

static int run(const void *raw, const char *const *inputs, size_t input_count)
{
    const token_options *o = raw;
    char text[TCSI_TOKEN_TEXT_SIZE + 1];
    tcsi_token token;
    tcs_error err = { 0 };
    (void)inputs;
    (void)input_count;
    tcs_status status = TCS_OK;
    if (!o->file || !o->name) status = tcsi_fail(&err, TCS_E_INVALID, "--file and --name are expected; try `tocsin token --help`");
    else if (o->days > DAYS_MAX) status = tcsi_fail(&err, TCS_E_INVALID, "--days %zu: expected at most %d", o->days, (int)DAYS_MAX);
    const int64_t lifetime_s = status == TCS_OK ? (int64_t)o->days * SECONDS_A_DAY : 0;
    if (status == TCS_OK) status = tcsi_token_create(o->name, tcsi_role_find(o->role ? o->role : "viewer"), lifetime_s, &token, text, &err);
    if (status == TCS_OK) status = tcsi_token_append(o->file, &token, &err);
    if (status != TCS_OK) return cli_fail("token", &err);
    printf("%s\n", text);
    fprintf(stderr, "tocsin token: shown this once; its hash is in %s.  A running service reads the file again at SIGHUP\n", o->file);
    return EXIT_DONE;
}

const cli_command cli_token = {
    .name = "token",
    .positional = "",
    .summary = "make a token for the live service",
    .description = "Makes a token, prints it once, and adds its hash to a file, which `tocsin serve --tokens` reads. Whoever has the "
                   "token may do what its role allows; removing its line takes that back.",
    .examples = "  tocsin token --file tokens.ndjson --name prometheus --role operator\n"
                "  tocsin token --file tokens.ndjson --name grafana --role viewer --days 365\n",
    .options = options,
    .option_count = TCS_COUNT(options),
    .options_size = sizeof(token_options),
    .run = run,
};
