/* apps/budget.h -- "2/week": how many false alarms are acceptable, as commands of the live service take it. */
#ifndef TOCSIN_APPS_BUDGET_H
#define TOCSIN_APPS_BUDGET_H

#include "cli.h"

/* "2", "2/week": false alarms a second.  E_INVALID. */
tcs_status cli_budget_parse(const char *text, double *ret_per_s, tcs_error *err);

#endif
