/* io/plot_stub.c -- stands in for plot.c in builds without cairo. SPDX-License-Identifier: Apache-2.0 */
#include "io/plot.h"

static tcs_status refuse(const char *path, tcs_error *err)
{
    return tcsi_fail(err, TCS_E_UNSUPPORTED,
                     "%s: this build cannot draw PNG pictures; build with -Dcairo=enabled, or write an HTML report instead", path);
}

tcs_status tcsi_plot_write(const tcsi_report *report, const char *path, tcs_error *err)
{
    (void)report;
    return refuse(path, err);
}

tcs_status tcsi_plot_promises(const tcsi_plot_curve *curves, size_t curve_count, const char *title, const char *path, tcs_error *err)
{
    (void)curves;
    (void)curve_count;
    (void)title;
    return refuse(path, err);
}
