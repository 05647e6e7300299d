/* apps/main.c -- the tocsin command: the list of its commands and nothing else.  SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

#include <signal.h>

extern const cli_command cli_audit, cli_backfill, cli_backtest, cli_bench, cli_collect, cli_detect, cli_evaluate, cli_explain, cli_fit,
    cli_knowledge, cli_model, cli_score, cli_serve, cli_simulate, cli_store, cli_token;

const cli_command *const cli_commands[] = {
    &cli_detect,
    &cli_explain,
    &cli_fit,
    &cli_score,
    &cli_evaluate,
    &cli_knowledge,
    &cli_serve,
    &cli_backfill,
    &cli_backtest,
    &cli_model,
    &cli_store,
    &cli_audit,
    &cli_token,
    &cli_collect,
    &cli_bench,
    &cli_simulate,
    NULL,
};

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN); /* a closed pipe is an error that is reported, not a silent death */
    return cli_dispatch(argc, argv);
}
