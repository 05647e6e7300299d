/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/keep_action.h"

#include "serve/models/models.h"

#include <stdio.h>

static tcs_status keep_model(tcsi_store *store, const tcsi_action *action, tcs_error *err)
{
    char hash[TCSI_HASH_TEXT_SIZE];
    return tcsi_models_settle(store, action->document, hash, err);
}

/* So that the next start knows what was said last. */
static tcs_status keep_setting(tcsi_store *store, const tcsi_action *action, tcs_error *err)
{
    char name[128];
    snprintf(name, sizeof name, "%s%s", TCSI_SETTING_KEPT, action->object);
    return tcsi_store_setting_set(store, name, action->document, err);
}

/* Adds what a kind leaves beside the audit entry.  One row a kind; NULL: nothing. */
typedef tcs_status (*keep)(tcsi_store *store, const tcsi_action *action, tcs_error *err);
static const keep keeps[TCSI_ACTION_COUNT] = { [TCSI_ACTION_MODEL] = keep_model, [TCSI_ACTION_SETTING] = keep_setting };

tcs_status tcsi_keep_action(tcsi_store *store, const tcsi_action *action, tcs_error *err)
{
    const tcsi_store_audit_entry entry = { .id = action->id, .time_ns = action->time_ns, .actor = action->who,
                                           .action = tcsi_action_names[action->kind], .object = action->object,
                                           .detail = action->document };
    tcs_status status = tcsi_store_audit_put(store, &entry, err);
    if (status == TCS_OK && keeps[action->kind]) status = keeps[action->kind](store, action, err);
    return status;
}
