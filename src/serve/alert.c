/* serve/alert.c -- see alert.h.  SPDX-License-Identifier: Apache-2.0 */
#include "serve/alert.h"

#include "series/time.h"

#include <math.h>
#include <string.h>

const char *const tcsi_alert_state_names[TCSI_ALERT_STATE_COUNT] = { "suspected", "confirmed", "resolved", "dismissed" };

const char *tcsi_alert_tag_value(const tcsi_alert *alert, const char *name)
{
    for (size_t i = 0; i < alert->tag_count; i++)
        if (strcmp(alert->tags[i].name, name) == 0) return alert->tags[i].value;
    return "";
}

static tcs_status put_quoted(tcsi_buffer *out, const char *text, tcs_error *err)
{
    tcs_status status = tcsi_buffer_puts(out, "\"", err);
    for (; *text && status == TCS_OK; text++) {
        if (*text == '\n') status = tcsi_buffer_puts(out, "\\n", err);
        else if (*text == '"' || *text == '\\') status = tcsi_buffer_printf(out, err, "\\%c", *text);
        else status = tcsi_buffer_append(out, text, 1, err);
    }
    return status == TCS_OK ? tcsi_buffer_puts(out, "\"", err) : status;
}

tcs_status tcsi_alert_write_series(const tcsi_alert *alert, tcsi_buffer *out, tcs_error *err)
{
    tcs_status status = tcsi_buffer_puts(out, tcsi_alert_tag_value(alert, "__name__"), err);
    const char *before = "{";
    for (size_t i = 0; i < alert->tag_count && status == TCS_OK; i++) {
        if (strcmp(alert->tags[i].name, "__name__") == 0) continue;
        status = tcsi_buffer_printf(out, err, "%s%s=", before, alert->tags[i].name);
        if (status == TCS_OK) status = put_quoted(out, alert->tags[i].value, err);
        before = ",";
    }
    return status == TCS_OK && *before == ',' ? tcsi_buffer_puts(out, "}", err) : status;
}

void tcsi_alert_id(const tcsi_alert *alert, tcsi_alert_state state, char ret_id[TCSI_ALERT_ID_SIZE])
{
    unsigned char digest[TCSI_HASH_SIZE], onset[9];
    char text[TCSI_HASH_TEXT_SIZE];
    tcsi_hash hash;
    tcsi_hash_init(&hash);
    for (size_t i = 0; i < alert->tag_count; i++) { /* with their final 0, so that no two sets of tags give the same bytes */
        tcsi_hash_update(&hash, alert->tags[i].name, strlen(alert->tags[i].name) + 1);
        tcsi_hash_update(&hash, alert->tags[i].value, strlen(alert->tags[i].value) + 1);
    }
    for (int i = 0; i < 8; i++) onset[i] = (unsigned char)((uint64_t)alert->starts_ns >> (8 * i));
    onset[8] = (unsigned char)state;
    tcsi_hash_update(&hash, onset, sizeof onset);
    tcsi_hash_end(&hash, digest);
    tcsi_hash_text(digest, text);
    memcpy(ret_id, text, TCSI_ALERT_ID_SIZE - 1);
    ret_id[TCSI_ALERT_ID_SIZE - 1] = 0;
}

/* ---- JSON ---- */

static void put_time(tcsi_json_writer *writer, const char *key, int64_t time_ns)
{
    char text[TCSI_TIME_TEXT_SIZE];
    (void)tcsi_time_format_iso(time_ns, text, sizeof text);
    tcsi_json_put_string(writer, key, text);
}

void tcsi_alert_write(const tcsi_alert *alert, tcsi_json_writer *writer)
{
    tcsi_json_begin_object(writer);
    tcsi_json_put_string(writer, "episode", alert->episode_id);
    tcsi_json_put_string(writer, "incident", alert->incident_id);
    tcsi_json_put_string(writer, "state", tcsi_alert_state_names[alert->state]);
    tcsi_json_put_integer(writer, "revision", alert->revision);
    tcsi_json_key(writer, "tags");
    tcsi_json_begin_object(writer);
    for (size_t i = 0; i < alert->tag_count; i++) tcsi_json_put_string(writer, alert->tags[i].name, alert->tags[i].value);
    tcsi_json_end_object(writer);
    put_time(writer, "starts", alert->starts_ns);
    if (alert->ends_ns) put_time(writer, "ends", alert->ends_ns);
    put_time(writer, "updated", alert->updated_ns);
    tcsi_json_put_number(writer, "severity", alert->severity);
    if (isfinite(alert->value)) tcsi_json_put_number(writer, "value", alert->value);
    if (isfinite(alert->expected_lower)) tcsi_json_put_number(writer, "expected_lower", alert->expected_lower);
    if (isfinite(alert->expected_upper)) tcsi_json_put_number(writer, "expected_upper", alert->expected_upper);
    tcsi_json_put_string(writer, "summary", alert->summary);
    tcsi_json_put_string(writer, "description", alert->description);
    tcsi_json_put_string(writer, "url", alert->url);
    tcsi_json_put_string(writer, "trace", alert->trace);
    tcsi_json_end_object(writer);
}

/* A text without a 0 byte in it, of bounded length; "" where the key is absent. */
static bool get_text(const tcsi_json_value *object, const char *key, const char **ret_text)
{
    const tcsi_json_value *value = tcsi_json_get(object, key);
    *ret_text = "";
    if (!value) return true;
    if (value->type != TCSI_JSON_STRING || value->text_size > TCSI_ALERT_TEXT_SIZE_MAX) return false;
    if (strlen(value->text) != value->text_size) return false;
    *ret_text = value->text;
    return true;
}

static bool get_time(const tcsi_json_value *object, const char *key, int64_t *ret_ns)
{
    const tcsi_time_format iso = { .kind = TCSI_TIME_ISO };
    const char *text;
    *ret_ns = 0;
    if (!get_text(object, key, &text)) return false;
    return !*text || tcsi_time_parse(&iso, text, strlen(text), ret_ns);
}

static bool get_tags(const tcsi_json_value *object, tcsi_arena *arena, tcsi_alert *alert)
{
    const tcsi_json_value *tags = tcsi_json_get(object, "tags");
    if (!tags || tags->type != TCSI_JSON_OBJECT || tags->item_count > TCSI_ALERT_TAG_COUNT_MAX) return false;
    tcsi_alert_tag *list = TCSI_ARENA_NEW(arena, tcsi_alert_tag, tags->item_count + 1);
    if (!list) return false;
    for (size_t i = 0; i < tags->item_count; i++) {
        const tcsi_json_value *tag = &tags->items[i];
        if (tag->type != TCSI_JSON_STRING || strlen(tag->text) != tag->text_size || strlen(tag->key) != tag->key_size) return false;
        list[i] = (tcsi_alert_tag){ tag->key, tag->text };
    }
    alert->tags = list;
    alert->tag_count = tags->item_count;
    return true;
}

static bool get_state(const tcsi_json_value *object, tcsi_alert_state *ret_state)
{
    const char *name;
    if (!get_text(object, "state", &name)) return false;
    for (int i = 0; i < TCSI_ALERT_STATE_COUNT; i++) {
        if (strcmp(name, tcsi_alert_state_names[i]) != 0) continue;
        *ret_state = (tcsi_alert_state)i;
        return true;
    }
    return false;
}

tcs_status tcsi_alert_read(const char *text, size_t size, tcsi_arena *arena, tcsi_alert *ret_alert, tcs_error *err)
{
    const tcsi_json_value *root = NULL;
    tcsi_alert alert = { .tag_count = 0 };
    if (size > TCSI_ALERT_SIZE_MAX) return tcsi_fail(err, TCS_E_LIMIT, "an alert of %zu bytes; at most %d", size, TCSI_ALERT_SIZE_MAX);
    tcs_status status = tcsi_json_parse(text, size, arena, &root, err);
    if (status != TCS_OK) return status;
    const double revision = tcsi_json_number_of(root, "revision", NAN);
    bool sound = get_tags(root, arena, &alert) && get_state(root, &alert.state) && get_text(root, "episode", &alert.episode_id);
    sound = sound && get_text(root, "incident", &alert.incident_id) && get_text(root, "summary", &alert.summary);
    sound = sound && get_text(root, "description", &alert.description) && get_text(root, "url", &alert.url);
    sound = sound && get_text(root, "trace", &alert.trace) && get_time(root, "starts", &alert.starts_ns);
    sound = sound && get_time(root, "ends", &alert.ends_ns) && get_time(root, "updated", &alert.updated_ns);
    sound = sound && *alert.episode_id && revision >= 0 && revision <= UINT32_MAX;
    if (!sound) return tcsi_fail(err, TCS_E_FORMAT, "no alert; expected what tcsi_alert_write makes");
    alert.revision = (uint32_t)revision;
    alert.severity = tcsi_json_number_of(root, "severity", NAN);
    alert.value = tcsi_json_number_of(root, "value", NAN);
    alert.expected_lower = tcsi_json_number_of(root, "expected_lower", NAN);
    alert.expected_upper = tcsi_json_number_of(root, "expected_upper", NAN);
    *ret_alert = alert;
    return TCS_OK;
}
