/* SPDX-License-Identifier: Apache-2.0 */
#include "budget.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

tcs_status cli_budget_parse(const char *text, double *ret_per_s, tcs_error *err)
{
    static const struct { const char *name; double seconds; } units[] = { { "", 86400 }, { "/hour", 3600 }, { "/day", 86400 },
                                                                          { "/week", 604800 }, { "/month", 2629800 } };
    char *end;
    const double count = strtod(text, &end);
    for (size_t i = 0; end != text && count > 0 && isfinite(count) && i < sizeof units / sizeof *units; i++)
        if (strcmp(end, units[i].name) == 0) {
            *ret_per_s = count / units[i].seconds;
            return TCS_OK;
        }
    err->status = TCS_E_INVALID;
    snprintf(err->text, sizeof err->text, "--alarm-budget '%s': expected a number above 0 and /hour, /day, /week or /month", text);
    return TCS_E_INVALID;
}
