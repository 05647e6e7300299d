/* io/report_pages.h -- what the page of one episode draws, as JSON: courses, bands, what would have been quiet, shares, similar rows.
 *
 * One script element an episode, which the page's script reads when the episode is looked at, not before.  A course is at most
 * POINT_COUNT_MAX buckets of rows, their lowest and highest value (one value each where a bucket is a row), as whole numbers on a grid of
 * 20,000 steps between the lowest and the highest value drawn: as fine as any screen, and a third of the text that doubles would be.  null
 * is a gap. */
#ifndef TCS_IO_REPORT_PAGES_H
#define TCS_IO_REPORT_PAGES_H

#include "io/report.h"

#include <stdio.h>

enum { TCSI_REPORT_PAGES_SIZE_MAX = 1500000 }; /* bytes of all: what report_data.h leaves of 20 MB */

/* Script elements data-episode-0, -1, ... of the first episode_count episodes that have a reason, as long as they fit.  E_MEMORY. */
tcs_status tcsi_report_pages_write(const tcsi_report *report, size_t episode_count, FILE *stream, tcs_error *err) TCS_WARN_UNUSED;

#endif
