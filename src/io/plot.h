/* io/plot.h -- a detection as a picture: channels, score, threshold and episodes on one time axis. */
#ifndef TCS_IO_PLOT_H
#define TCS_IO_PLOT_H

#include "io/report.h"

enum { TCSI_PLOT_CHANNEL_COUNT_MAX = 6 }; /* those that carry the episodes, then the first ones */

/* A PNG of 1600 pixels width; "-" writes to standard output.  Complete or absent.
 * E_UNSUPPORTED in builds without cairo; E_IO, E_MEMORY, or what band returned. */
tcs_status tcsi_plot_write(const tcsi_report *report, const char *path, tcs_error *err) TCS_WARN_UNUSED;

#endif
