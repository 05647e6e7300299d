/* SPDX-License-Identifier: Apache-2.0 */
#include "tocsin/tocsin.h"

#include "base/status.h"

tcs_status tcs_result_report_write(const tcs_result *result, const char *title, const char *path, tcs_error *err)
{
    (void)result, (void)title;
    return tcsi_fail(err, TCS_E_UNSUPPORTED, "%s: reports are not part of this build", path);
}

tcs_status tcs_result_plot_write(const tcs_result *result, const char *title, const char *path, tcs_error *err)
{
    (void)result, (void)title;
    return tcsi_fail(err, TCS_E_UNSUPPORTED, "%s: plots are not part of this build", path);
}
