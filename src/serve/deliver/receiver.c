/* serve/deliver/receiver.c -- see receiver.h.  SPDX-License-Identifier: Apache-2.0 */
#include "serve/deliver/receiver.h"

const char *const tcsi_receiver_kind_names[TCSI_RECEIVER_KIND_COUNT] = { "alertmanager", "webhook", "grafana", "mail", "command" };

bool tcsi_receiver_wants(const tcsi_receiver *receiver, const tcsi_alert *alert, bool is_escalated)
{
    if (receiver->only_escalated && !is_escalated) return false;
    if (!receiver->suspected && (alert->state == TCSI_ALERT_SUSPECTED || alert->state == TCSI_ALERT_DISMISSED)) return false;
    if (receiver->kind == TCSI_RECEIVER_COMMAND && tcsi_alert_is_over(alert)) return false; /* nothing to respond to any more */
    if (alert->severity < receiver->severity_min) return false;
    return tcsi_matchers_hold(receiver->match, receiver->match_count, alert->tags, alert->tag_count);
}
