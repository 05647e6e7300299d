/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/deliver/silence_document.h"

#include "series/time.h"

#include <stdio.h>
#include <string.h>

static void put_time(tcsi_json_writer *writer, const char *key, int64_t time_ns)
{
    char text[TCSI_TIME_TEXT_SIZE];
    (void)tcsi_time_format_iso(time_ns, text, sizeof text);
    tcsi_json_put_string(writer, key, text);
}

void tcsi_silence_write(const tcsi_silence *silence, tcsi_json_writer *writer)
{
    tcsi_json_begin_object(writer);
    if (*silence->id) tcsi_json_put_string(writer, "id", silence->id);
    tcsi_json_key(writer, "matchers");
    tcsi_json_begin_array(writer);
    for (size_t i = 0; i < silence->match_count; i++) {
        tcsi_json_begin_object(writer);
        tcsi_json_put_string(writer, "name", silence->match[i].name);
        tcsi_json_put_string(writer, "op", tcsi_matcher_signs[silence->match[i].kind]);
        tcsi_json_put_string(writer, "value", silence->match[i].value);
        tcsi_json_end_object(writer);
    }
    tcsi_json_end_array(writer);
    put_time(writer, "from", silence->starts_ns);
    put_time(writer, "to", silence->ends_ns);
    if (*silence->author) tcsi_json_put_string(writer, "who", silence->author);
    tcsi_json_put_string(writer, "comment", silence->comment);
    tcsi_json_end_object(writer);
}

/* ---- reading ---- */

/* "" where the key is absent. */
static tcs_status get_text(const tcsi_json_value *object, const char *key, char *ret_text, size_t size, tcs_error *err)
{
    const tcsi_json_value *value = tcsi_json_get(object, key);
    *ret_text = 0;
    if (!value || value->type == TCSI_JSON_NULL) return TCS_OK;
    if (value->type != TCSI_JSON_STRING || strlen(value->text) != value->text_size || value->text_size >= size)
        return tcsi_fail(err, TCS_E_INVALID, "%s: expected a text of at most %zu bytes", key, size - 1);
    memcpy(ret_text, value->text, value->text_size + 1);
    return TCS_OK;
}

static tcs_status get_time(const tcsi_json_value *object, const char *key, int64_t *ret_ns, tcs_error *err)
{
    const tcsi_time_format iso = { .kind = TCSI_TIME_ISO };
    const tcsi_json_value *value = tcsi_json_get(object, key);
    if (!value || value->type == TCSI_JSON_NULL) return TCS_OK;
    if (value->type == TCSI_JSON_STRING && tcsi_time_parse(&iso, value->text, value->text_size, ret_ns)) return TCS_OK;
    return tcsi_fail(err, TCS_E_INVALID, "%s: expected a time such as \"2026-12-01T22:00:00Z\"", key);
}

static tcs_status get_matcher(const tcsi_json_value *value, tcsi_matcher *ret_matcher, tcs_error *err)
{
    char name[TCSI_MATCHER_SIZE_MAX], text[TCSI_MATCHER_SIZE_MAX];
    const tcsi_json_value *op = tcsi_json_get(value, "op");
    const char *sign = op && op->type == TCSI_JSON_STRING ? op->text : "";
    size_t kind = 0;
    if (value->type != TCSI_JSON_OBJECT || !tcsi_json_get(value, "value"))
        return tcsi_fail(err, TCS_E_INVALID, "expected {\"name\", \"op\", \"value\"}");
    tcs_status status = get_text(value, "name", name, sizeof name, err);
    if (status == TCS_OK) status = get_text(value, "value", text, sizeof text, err);
    if (status != TCS_OK) return status;
    while (kind < TCSI_MATCHER_KIND_COUNT && strcmp(sign, tcsi_matcher_signs[kind]) != 0) kind++;
    if (kind == TCSI_MATCHER_KIND_COUNT) return tcsi_fail(err, TCS_E_INVALID, "op: expected one of = != =~ !~");
    return tcsi_matcher_make(name, (tcsi_matcher_kind)kind, text, ret_matcher, err);
}

static tcs_status get_matchers(const tcsi_json_value *root, tcsi_silence *silence, tcs_error *err)
{
    const tcsi_json_value *list = tcsi_json_get(root, "matchers");
    bool holds_of_nothing = true;
    if (!list || list->type != TCSI_JSON_ARRAY || list->item_count == 0 || list->item_count > TCSI_MATCHER_COUNT_MAX)
        return tcsi_fail(err, TCS_E_INVALID, "matchers: expected a list of 1 to %d", TCSI_MATCHER_COUNT_MAX);
    for (size_t i = 0; i < list->item_count; i++) {
        const tcs_status status = get_matcher(&list->items[i], &silence->match[i], err);
        if (status != TCS_OK) {
            tcsi_fail_prefix(err, "matchers[%zu]", i);
            return status;
        }
        silence->match_count++;
        holds_of_nothing &= tcsi_matcher_holds_of_nothing(&silence->match[i]);
    }
    if (!holds_of_nothing) return TCS_OK;
    return tcsi_fail(err, TCS_E_INVALID, "matchers: each of them holds also of a tag that is not there, so that together they would "
                     "silence everything; expected at least one that does not");
}

static tcs_status check_keys(const tcsi_json_value *root, tcs_error *err)
{
    static const char *const known[] = { "matchers", "from", "to", "comment" };
    if (root->type != TCSI_JSON_OBJECT) return tcsi_fail(err, TCS_E_INVALID, "expected an object with matchers, from, to and comment");
    for (size_t i = 0; i < root->item_count; i++) {
        size_t k = 0;
        while (k < TCS_COUNT(known) && strcmp(known[k], root->items[i].key) != 0) k++;
        if (k == TCS_COUNT(known))
            return tcsi_fail(err, TCS_E_INVALID, "'%.40s' is not known; expected matchers, from, to and comment", root->items[i].key);
    }
    return TCS_OK;
}

static tcs_status get_all(const tcsi_json_value *root, tcsi_silence *silence, tcs_error *err)
{
    tcs_status status = get_matchers(root, silence, err);
    if (status == TCS_OK) status = get_time(root, "from", &silence->starts_ns, err);
    if (status == TCS_OK) status = get_time(root, "to", &silence->ends_ns, err);
    if (status == TCS_OK) status = get_text(root, "comment", silence->comment, sizeof silence->comment, err);
    return status;
}

static tcs_status check_span(tcsi_silence *silence, int64_t now_ns, tcs_error *err)
{
    if (silence->ends_ns == INT64_MIN) return tcsi_fail(err, TCS_E_INVALID, "to: expected a time: a silence has an end");
    if (silence->ends_ns <= silence->starts_ns) return tcsi_fail(err, TCS_E_INVALID, "to: expected a time after `from`");
    if (silence->ends_ns <= now_ns) return tcsi_fail(err, TCS_E_INVALID, "to: has passed; expected a time to come");
    if (silence->starts_ns < now_ns) silence->starts_ns = now_ns;
    return TCS_OK;
}

tcs_status tcsi_silence_ask(const char *text, size_t size, int64_t now_ns, tcsi_arena *arena, tcsi_silence *ret_silence, tcs_error *err)
{
    const tcsi_json_value *root = NULL;
    *ret_silence = (tcsi_silence){ .starts_ns = INT64_MIN, .ends_ns = INT64_MIN };
    tcs_status status = tcsi_json_parse(text, size, arena, &root, err);
    if (status == TCS_OK) status = check_keys(root, err);
    if (status == TCS_OK) status = get_all(root, ret_silence, err);
    return status == TCS_OK ? check_span(ret_silence, now_ns, err) : status;
}

tcs_status tcsi_silence_read(const char *text, size_t size, tcsi_arena *arena, tcsi_silence *ret_silence, tcs_error *err)
{
    const tcsi_json_value *root = NULL;
    *ret_silence = (tcsi_silence){ .starts_ns = INT64_MIN, .ends_ns = INT64_MIN };
    tcs_status status = tcsi_json_parse(text, size, arena, &root, err);
    if (status == TCS_OK) status = get_all(root, ret_silence, err);
    if (status == TCS_OK) status = get_text(root, "id", ret_silence->id, sizeof ret_silence->id, err);
    if (status == TCS_OK) status = get_text(root, "who", ret_silence->author, sizeof ret_silence->author, err);
    if (status == TCS_E_INVALID) err->status = status = TCS_E_FORMAT;
    return status;
}
