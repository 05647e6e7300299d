/* apps/cli.h -- what the commands share: one table of options per command, from which parsing, --help, the manual page
 * and shell completion are made; words for people on standard error; exit statuses. */
#ifndef TOCSIN_APPS_CLI_H
#define TOCSIN_APPS_CLI_H

#include "tocsin/tocsin.h"

#include <stdio.h>

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_ANOMALY = 3 };

typedef enum cli_kind { CLI_FLAG, CLI_TEXT, CLI_COUNT, CLI_REAL, CLI_TEXTS } cli_kind;

enum { CLI_TEXTS_MAX = 32, CLI_INPUT_COUNT_MAX = 4096 };

/* The target of a CLI_TEXTS option, which may be given several times. */
typedef struct cli_texts {
    const char *items[CLI_TEXTS_MAX];
    size_t count;
} cli_texts;

typedef struct cli_option {
    const char *name;     /* "--mode" */
    const char *argument; /* "offline|online", "FILE", "N"; NULL for a flag.  Words joined by | are the only ones allowed */
    cli_kind kind;
    size_t offset;        /* of a bool, const char *, size_t, double or cli_texts in the command's options struct */
    const char *help;
    char letter;          /* 'o': -o means the same; 0: none */
    double low, high;     /* what a number may be, both included; both 0: anything */
} cli_option;

enum { CLI_RANGE_SIZE = 64 };
/* "; 0.001 to 1", for behind the help; empty where there is no range.  Returns ret_text. */
const char *cli_range(const cli_option *option, char ret_text[CLI_RANGE_SIZE]);

typedef struct cli_command {
    const char *name;
    const char *positional;  /* "INPUT..." */
    size_t positional_min, positional_max;
    const char *summary;     /* one line */
    const char *description; /* paragraphs */
    const char *examples;    /* lines */
    const cli_option *options;
    size_t option_count;
    size_t options_size;     /* of the options struct, which starts zeroed */
    int (*run)(const void *options, const char *const *inputs, size_t input_count);
} cli_command;

extern const cli_command *const cli_commands[]; /* ends with NULL */

/* Parses and runs; returns the exit status: EXIT_USAGE only where flags and arguments are at fault, EXIT_FAILED for what the
 * world and the data do, a full disk or a closed pipe behind standard output among it. */
int cli_dispatch(int argc, char **argv);

/* "tocsin detect: text" on standard error; returns EXIT_USAGE for E_INVALID, an argument's fault, otherwise EXIT_FAILED. */
int cli_fail(const char *command, const tcs_error *err);

void cli_help(const cli_command *command, FILE *stream);

/* Pages made from tables (apps/generate.c): kind is man, bash, zsh, fish, commands, detectors, measures, http-api, roles or receivers. */
int cli_generate(const char *kind);

/* ---- the terminal ---- */
bool cli_has_color(FILE *stream);       /* a terminal, TERM not dumb, NO_COLOR unset */
size_t cli_columns(FILE *stream);       /* width of the terminal; 100 when it is none */
/* One of eight bars for a share in [0, 1]; a blank for NaN. */
const char *cli_bar(double share);
/* cell_count bars, each the value of its stretch that lies farthest from the middle of the range. */
void cli_sparkline(const double *values, size_t value_count, size_t cell_count, char *ret_text, size_t size);

#endif
