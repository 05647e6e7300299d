/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/audit_entry.h"

#include "series/time.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void tcsi_audit_entry_time(const tcsi_store_audit_entry *entry, char ret_text[TCSI_AUDIT_TIME_SIZE])
{
    _Static_assert((int)TCSI_AUDIT_TIME_SIZE >= (int)TCSI_TIME_TEXT_SIZE, "room for a time");
    (void)tcsi_time_format_iso(entry->time_ns, ret_text, TCSI_AUDIT_TIME_SIZE);
}

void tcsi_audit_entry_write(const tcsi_store_audit_entry *entry, tcsi_json_writer *writer)
{
    char time[TCSI_AUDIT_TIME_SIZE], hash[TCSI_HASH_TEXT_SIZE];
    tcsi_audit_entry_time(entry, time);
    tcsi_hash_text(entry->hash, hash);
    tcsi_json_begin_object(writer);
    tcsi_json_put_integer(writer, "sequence", entry->sequence);
    tcsi_json_put_string(writer, "id", entry->id);
    tcsi_json_put_string(writer, "time", time);
    tcsi_json_put_integer(writer, "time_ns", entry->time_ns);
    tcsi_json_put_string(writer, "actor", entry->actor);
    tcsi_json_put_string(writer, "action", entry->action);
    tcsi_json_put_string(writer, "object", entry->object);
    tcsi_json_put_string(writer, "detail", entry->detail);
    tcsi_json_put_string(writer, "hash", hash);
    tcsi_json_end_object(writer);
}

static bool get_text(const tcsi_json_value *object, const char *key, const char **ret_text)
{
    const tcsi_json_value *value = tcsi_json_get(object, key);
    if (!value || value->type != TCSI_JSON_STRING || strlen(value->text) != value->text_size) return false;
    *ret_text = value->text;
    return true;
}

/* As written: a double would lose the last digits. */
static bool get_integer(const tcsi_json_value *object, const char *key, int64_t *ret_number)
{
    const tcsi_json_value *value = tcsi_json_get(object, key);
    char *end;
    if (!value || value->type != TCSI_JSON_NUMBER) return false;
    errno = 0;
    *ret_number = strtoll(value->text, &end, 10);
    return *end == 0 && errno == 0;
}

bool tcsi_audit_hash_read(const char *text, unsigned char ret_hash[TCSI_HASH_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    if (strlen(text) != TCSI_HASH_TEXT_SIZE - 1) return false;
    for (size_t i = 0; i < TCSI_HASH_SIZE; i++) {
        const char *high = strchr(digits, text[2 * i]), *low = strchr(digits, text[2 * i + 1]);
        if (!high || !low) return false;
        ret_hash[i] = (unsigned char)((high - digits) << 4 | (low - digits));
    }
    return true;
}

tcs_status tcsi_audit_entry_read(const char *line, size_t size, tcsi_arena *arena, tcsi_store_audit_entry *ret_entry, tcs_error *err)
{
    const tcsi_json_value *root;
    const char *hash;
    tcsi_store_audit_entry entry = { 0 };
    const tcs_status status = tcsi_json_parse(line, size, arena, &root, err);
    if (status != TCS_OK) return status;
    bool is_sound = get_integer(root, "sequence", &entry.sequence) && get_text(root, "id", &entry.id);
    is_sound = is_sound && get_integer(root, "time_ns", &entry.time_ns) && get_text(root, "actor", &entry.actor);
    is_sound = is_sound && get_text(root, "action", &entry.action) && get_text(root, "object", &entry.object);
    is_sound = is_sound && get_text(root, "detail", &entry.detail) && get_text(root, "hash", &hash);
    if (!is_sound || !tcsi_audit_hash_read(hash, entry.hash))
        return tcsi_fail(err, TCS_E_FORMAT, "no entry; expected a line of `tocsin audit export`");
    *ret_entry = entry;
    return TCS_OK;
}
