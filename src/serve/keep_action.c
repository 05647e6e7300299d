/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/keep_action.h"

#include "serve/desk.h"
#include "serve/keep_answer.h"
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
static const keep keeps[TCSI_ACTION_COUNT] = {
    [TCSI_ACTION_ANSWER] = tcsi_keep_answer,
    [TCSI_ACTION_UNDO] = tcsi_keep_undo,
    [TCSI_ACTION_MARK] = tcsi_keep_mark,
    [TCSI_ACTION_ACKNOWLEDGE] = tcsi_desk_keep,
    [TCSI_ACTION_SILENCE] = tcsi_desk_keep,
    [TCSI_ACTION_MAINTENANCE] = tcsi_desk_keep,
    [TCSI_ACTION_END] = tcsi_desk_keep,
    [TCSI_ACTION_MODEL] = keep_model,
    [TCSI_ACTION_SETTING] = keep_setting,
};

/* Who may, from where, and what. */
static tcs_status write_detail(const tcsi_action *action, tcsi_buffer *out, tcs_error *err)
{
    tcsi_json_writer writer;
    tcsi_json_writer_init(&writer, out, false);
    tcsi_json_begin_object(&writer);
    tcsi_json_put_string(&writer, "role", action->role);
    tcsi_json_put_string(&writer, "peer", action->peer);
    tcsi_json_key(&writer, "document");
    tcsi_json_raw(&writer, action->document);
    tcsi_json_end_object(&writer);
    return tcsi_json_finish(&writer, err);
}

tcs_status tcsi_keep_action(tcsi_store *store, const tcsi_action *action, tcs_error *err)
{
    tcsi_buffer detail;
    tcsi_buffer_init(&detail, 2 * TCSI_ACTION_SIZE_MAX);
    tcs_status status = write_detail(action, &detail, err);
    if (status == TCS_OK) {
        const tcsi_store_audit_entry entry = { .id = action->id, .time_ns = action->time_ns, .actor = action->who,
                                               .action = tcsi_action_names[action->kind], .object = action->object,
                                               .detail = detail.data };
        status = tcsi_store_audit_put(store, &entry, err);
    }
    tcsi_buffer_deinit(&detail);
    if (status == TCS_OK && keeps[action->kind]) status = keeps[action->kind](store, action, err);
    return status;
}
