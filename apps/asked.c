/* apps/asked.c -- from flags to the library's options.  SPDX-License-Identifier: Apache-2.0 */
#include "asked.h"

#include <string.h>

tcs_read_options cli_read_options(const cli_reading *asked)
{
    return (tcs_read_options){ .time = asked->time, .label = asked->label, .columns = asked->columns, .query = asked->query,
                               .as_series = asked->series, .skip_ragged = asked->skip_ragged, .start = asked->start, .end = asked->end,
                               .step = asked->step };
}

tcs_status cli_detect_options(const cli_detecting *asked, tcs_mode mode_default, cli_given *given, tcs_detect_options *ret_options,
                              tcs_error *err)
{
    given->parameters = asked->parameters;
    if (asked->budget) {
        if (asked->parameters.count == CLI_TEXTS_MAX) return tcsi_fail(err, TCS_E_INVALID, "--budget: too many --param beside it");
        snprintf(given->budget, sizeof given->budget, "budget=%s", asked->budget);
        given->parameters.items[given->parameters.count++] = given->budget;
    }
    *ret_options = (tcs_detect_options){
        .mode = !asked->mode ? mode_default : strcmp(asked->mode, "online") == 0 ? TCS_MODE_ONLINE : TCS_MODE_OFFLINE,
        .detector = asked->detector, .train_row_count = asked->train_rows, .alarm_budget = asked->alarm_budget,
        .parameters = given->parameters.items, .parameter_count = given->parameters.count, .checkpoint = asked->checkpoint,
        .seed = asked->seed, .thread_count = asked->threads,
    };
    return TCS_OK;
}
