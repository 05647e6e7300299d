/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/action.h"

#include "base/secret.h"

#include <stdio.h>
#include <string.h>

const char *const tcsi_action_names[TCSI_ACTION_COUNT] = {
    "answer", "undo", "acknowledge", "silence", "maintenance", "end", "mark", "model", "setting",
};

tcs_status tcsi_action_id(char ret_id[TCSI_ACTION_ID_SIZE], tcs_error *err)
{
    unsigned char bytes[(TCSI_ACTION_ID_SIZE - 1) / 2];
    const tcs_status status = tcsi_secret_random(bytes, sizeof bytes, err);
    if (status != TCS_OK) return status;
    for (size_t i = 0; i < sizeof bytes; i++) snprintf(ret_id + 2 * i, 3, "%02x", bytes[i]);
    return TCS_OK;
}

void tcsi_action_write(const tcsi_action *action, tcsi_json_writer *writer)
{
    tcsi_json_begin_object(writer);
    tcsi_json_put_string(writer, "kind", tcsi_action_names[action->kind]);
    tcsi_json_put_string(writer, "id", action->id);
    tcsi_json_put_string(writer, "who", action->who);
    tcsi_json_put_string(writer, "role", action->role);
    tcsi_json_put_string(writer, "peer", action->peer ? action->peer : "");
    tcsi_json_put_string(writer, "object", action->object);
    tcsi_json_put_string(writer, "document", action->document);
    tcsi_json_end_object(writer);
}

static bool get_text(const tcsi_json_value *object, const char *key, const char **ret_text)
{
    const tcsi_json_value *value = tcsi_json_get(object, key);
    if (!value || value->type != TCSI_JSON_STRING || strlen(value->text) != value->text_size) return false;
    *ret_text = value->text;
    return true;
}

static bool get_kind(const tcsi_json_value *object, tcsi_action_kind *ret_kind)
{
    const char *name;
    if (!get_text(object, "kind", &name)) return false;
    for (int i = 0; i < TCSI_ACTION_COUNT; i++) {
        if (strcmp(name, tcsi_action_names[i]) != 0) continue;
        *ret_kind = (tcsi_action_kind)i;
        return true;
    }
    return false;
}

tcs_status tcsi_action_read(const char *text, size_t size, tcsi_arena *arena, tcsi_action *ret_action, tcs_error *err)
{
    const tcsi_json_value *root = NULL;
    tcsi_action action = { .sequence = 0 };
    if (size > TCSI_ACTION_SIZE_MAX)
        return tcsi_fail(err, TCS_E_LIMIT, "an action of %zu bytes; at most %d", size, TCSI_ACTION_SIZE_MAX);
    const tcs_status status = tcsi_json_parse(text, size, arena, &root, err);
    if (status != TCS_OK) return status;
    bool is_sound = get_kind(root, &action.kind) && get_text(root, "id", &action.id) && get_text(root, "who", &action.who);
    is_sound = is_sound && get_text(root, "role", &action.role) && get_text(root, "peer", &action.peer);
    is_sound = is_sound && get_text(root, "object", &action.object) && get_text(root, "document", &action.document) && *action.id;
    if (!is_sound) return tcsi_fail(err, TCS_E_FORMAT, "no action; expected what tcsi_action_write makes");
    *ret_action = action;
    return TCS_OK;
}
