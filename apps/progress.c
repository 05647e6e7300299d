/* apps/progress.c -- a bar with the time left.  SPDX-License-Identifier: Apache-2.0 */
#include "progress.h"

#include "base/clock.h"

#include <unistd.h>

cli_progress cli_progress_begin(void)
{
    return (cli_progress){ .is_terminal = isatty(STDERR_FILENO), .begin_ns = tcsi_clock_monotonic_ns() };
}

bool cli_progress_show(void *context, double share)
{
    cli_progress *p = context;
    double seconds = (double)(tcsi_clock_monotonic_ns() - p->begin_ns) * 1e-9;
    if (!p->is_terminal || seconds < 1) return true;
    int cells = (int)(40 * share);
    fprintf(stderr, "\r  [");
    for (int i = 0; i < 40; i++) fputs(i < cells ? "█" : "·", stderr);
    fprintf(stderr, "] %3.0f %%  %.0f s left ", 100 * share, share > 0.01 ? seconds / share * (1 - share) : 0);
    p->is_shown = true;
    return true;
}

void cli_progress_hide(const cli_progress *p)
{
    if (p->is_shown) fprintf(stderr, "\r%*s\r", 72, "");
}
