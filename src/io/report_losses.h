/* io/report_losses.h -- how a training went, as a picture in the report: loss by step, of what was learned from and of what was held out.
 * Drawn as inline SVG, so that it needs no script.  Nothing is written without points.  Threads: reentrant. */
#ifndef TCS_IO_REPORT_LOSSES_H
#define TCS_IO_REPORT_LOSSES_H

#include "io/report.h"

#include <stdio.h>

void tcsi_report_losses_write(const tcsi_report *report, FILE *stream);

#endif
