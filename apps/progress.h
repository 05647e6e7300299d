/* apps/progress.h -- how far a long command has come, on a terminal's standard error: nothing for the first second, and nothing at all in a
 * pipe. */
#ifndef TOCSIN_APPS_PROGRESS_H
#define TOCSIN_APPS_PROGRESS_H

#include "cli.h"

typedef struct cli_progress {
    bool is_terminal, is_shown;
    int64_t begin_ns;
} cli_progress;

cli_progress cli_progress_begin(void);
bool cli_progress_show(void *context, double share); /* context is a cli_progress; always true */
void cli_progress_hide(const cli_progress *p);

#endif
