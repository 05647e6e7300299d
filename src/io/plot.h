/* io/plot.h -- pictures: a detection (channels, score, threshold and episodes on one time axis), and promises beside what became of
 * them. */
#ifndef TCS_IO_PLOT_H
#define TCS_IO_PLOT_H

#include "io/report.h"

enum { TCSI_PLOT_CHANNEL_COUNT_MAX = 6 }; /* those that carry the episodes, then the first ones */

/* A PNG of 1600 pixels width; "-" writes to standard output.  Complete or absent.
 * E_UNSUPPORTED in builds without cairo; E_IO, E_MEMORY, or what band returned. */
tcs_status tcsi_plot_write(const tcsi_report *report, const char *path, tcs_error *err) TCS_WARN_UNUSED;

/* A share that was promised, the share that came, and how many rows say so. */
typedef struct tcsi_plot_promise {
    double promised, realised; /* in [0, 1]; one that is not is left out */
    double row_count;
} tcsi_plot_promise;

typedef struct tcsi_plot_curve {
    const char *name;
    const tcsi_plot_promise *promises; /* (count) by what was promised */
    size_t count;
} tcsi_plot_curve;

enum { TCSI_PLOT_CURVE_COUNT_MAX = 8 };

/* A square PNG: what was promised to the right, what came upwards, the diagonal is a promise kept.  Points are as large as they have many
 * rows.  curve_count <= TCSI_PLOT_CURVE_COUNT_MAX.  E_UNSUPPORTED, E_IO, E_MEMORY as above. */
tcs_status tcsi_plot_promises(const tcsi_plot_curve *curves, size_t curve_count, const char *title, const char *path,
                              tcs_error *err) TCS_WARN_UNUSED;

#endif
