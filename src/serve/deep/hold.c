/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/deep/hold.h"

#include <stdio.h>
#include <string.h>

void tcsi_deep_hold_look(tcsi_deep_hold *hold, const char *champion, bool is_awaited, int64_t made_ns, int64_t now_ns)
{
    if (is_awaited && strcmp(hold->champion, champion) != 0) {
        snprintf(hold->champion, sizeof hold->champion, "%s", champion);
        hold->begin_ns = made_ns < now_ns ? made_ns : now_ns; /* clocks are set back, too */
        hold->end_ns = hold->begin_ns + TCSI_DEEP_HOLD_NS;
    }
    hold->is_on = is_awaited && now_ns >= hold->begin_ns && now_ns < hold->end_ns;
}

bool tcsi_deep_hold_is_worn(double strangeness_then, double strangeness_now)
{
    return strangeness_then > 0 && strangeness_now > TCSI_DEEP_HOLD_WORN * strangeness_then;
}
