/* SPDX-License-Identifier: Apache-2.0 */
#include "tocsin/tocsin.h"

#include "base/status.h"

tcs_status tcs_simulate(const char *scenario, size_t row_count, uint64_t seed, tcs_frame **ret_frame, tcs_error *err)
{
    (void)row_count, (void)seed, (void)ret_frame;
    return tcsi_fail(err, TCS_E_INVALID, "no scenario is called '%s'", scenario);
}
tcs_status tcs_result_report_write(const tcs_result *result, const char *title, const char *path, tcs_error *err)
{
    (void)result, (void)title, (void)path;
    return tcsi_fail(err, TCS_E_UNSUPPORTED, "reports come later");
}
tcs_status tcs_result_plot_write(const tcs_result *result, const char *title, const char *path, tcs_error *err)
{
    (void)result, (void)title, (void)path;
    return tcsi_fail(err, TCS_E_UNSUPPORTED, "plots come later");
}
