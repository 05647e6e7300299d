/* serve/deliver/match.c -- see match.h.  SPDX-License-Identifier: Apache-2.0 */
#include "serve/deliver/match.h"

#include "base/alloc.h"

#include <regex.h>
#include <stdio.h>
#include <string.h>

static bool is_name_byte(char c, bool is_first)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':' || (!is_first && ((c >= '0' && c <= '9') || c == '.'));
}

/* What stands in quotes, with \" and \\ for those two; or the whole rest.  false: quotes that do not end there, or too long. */
static bool read_value(const char *text, char *ret_value)
{
    const bool is_quoted = *text == '"';
    size_t length = 0;
    for (text += is_quoted; *text && !(is_quoted && *text == '"'); text++) {
        if (is_quoted && text[0] == '\\' && (text[1] == '"' || text[1] == '\\')) text++;
        else if (!is_quoted && (*text == ' ' || *text == '"')) return false;
        if (length + 1 == TCSI_MATCHER_SIZE_MAX) return false;
        ret_value[length++] = *text;
    }
    ret_value[length] = 0;
    return is_quoted ? text[0] == '"' && text[1] == 0 : true;
}

static tcs_status compile(tcsi_matcher *matcher, tcs_error *err)
{
    char whole[TCSI_MATCHER_SIZE_MAX + 8], reason[128];
    if (strchr(matcher->value, '{')) return tcsi_fail(err, TCS_E_INVALID, "'%.80s': counted repetition is not read", matcher->value);
    snprintf(whole, sizeof whole, "^(%s)$", matcher->value);
    regex_t *expression = TCSI_NEW(regex_t);
    if (!expression) return tcsi_fail_memory(err, "a matcher");
    const int code = regcomp(expression, whole, REG_EXTENDED | REG_NOSUB);
    if (code == 0) {
        matcher->expression = expression;
        return TCS_OK;
    }
    (void)regerror(code, expression, reason, sizeof reason);
    tcsi_free(expression);
    return tcsi_fail(err, TCS_E_INVALID, "'%.80s' is no regular expression: %s", matcher->value, reason);
}

const char *const tcsi_matcher_signs[TCSI_MATCHER_KIND_COUNT] = { "=", "!=", "=~", "!~" };

tcs_status tcsi_matcher_make(const char *name, tcsi_matcher_kind kind, const char *value, tcsi_matcher *ret_matcher, tcs_error *err)
{
    tcsi_matcher matcher = { .kind = kind };
    const bool is_pattern = kind == TCSI_MATCH_LIKE || kind == TCSI_MATCH_UNLIKE;
    if (!*name || strlen(name) >= sizeof matcher.name || strlen(value) >= sizeof matcher.value)
        return tcsi_fail(err, TCS_E_INVALID, "a matcher's name has 1 to %d bytes and its value at most as many", TCSI_MATCHER_SIZE_MAX - 1);
    snprintf(matcher.name, sizeof matcher.name, "%s", name);
    snprintf(matcher.value, sizeof matcher.value, "%s", value);
    const tcs_status status = is_pattern ? compile(&matcher, err) : TCS_OK;
    if (status == TCS_OK) *ret_matcher = matcher;
    return status;
}

tcs_status tcsi_matcher_parse(const char *text, tcsi_matcher *ret_matcher, tcs_error *err)
{
    static const struct { const char *sign; tcsi_matcher_kind kind; } kinds[] = {
        { "=~", TCSI_MATCH_LIKE }, { "!~", TCSI_MATCH_UNLIKE }, { "!=", TCSI_MATCH_DIFFERS }, { "=", TCSI_MATCH_EQUAL },
    };
    tcsi_matcher matcher = { .expression = NULL };
    size_t length = 0, k = 0;
    while (is_name_byte(text[length], length == 0)) length++;
    while (k < TCS_COUNT(kinds) && strncmp(text + length, kinds[k].sign, strlen(kinds[k].sign)) != 0) k++;
    if (length == 0 || length >= sizeof matcher.name || k == TCS_COUNT(kinds) ||
        !read_value(text + length + strlen(kinds[k].sign), matcher.value))
        return tcsi_fail(err, TCS_E_INVALID, "'%.80s' is no matcher; expected name=\"value\", or != =~ !~ in place of =", text);
    memcpy(matcher.name, text, length);
    matcher.kind = kinds[k].kind;
    const bool is_pattern = matcher.kind == TCSI_MATCH_LIKE || matcher.kind == TCSI_MATCH_UNLIKE;
    tcs_status status = is_pattern ? compile(&matcher, err) : TCS_OK;
    if (status == TCS_OK) *ret_matcher = matcher;
    return status;
}

void tcsi_matcher_deinit(tcsi_matcher *matcher)
{
    if (matcher->expression) regfree(matcher->expression);
    tcsi_free(matcher->expression);
    *matcher = (tcsi_matcher){ .expression = NULL };
}

static bool holds(const tcsi_matcher *matcher, const char *value)
{
    switch (matcher->kind) {
    case TCSI_MATCH_EQUAL: return strcmp(value, matcher->value) == 0;
    case TCSI_MATCH_DIFFERS: return strcmp(value, matcher->value) != 0;
    case TCSI_MATCH_LIKE: return regexec(matcher->expression, value, 0, NULL, 0) == 0;
    case TCSI_MATCH_UNLIKE: return regexec(matcher->expression, value, 0, NULL, 0) != 0;
    case TCSI_MATCHER_KIND_COUNT: break;
    }
    return false;
}

bool tcsi_matcher_holds_of_nothing(const tcsi_matcher *matcher)
{
    return holds(matcher, "");
}

bool tcsi_matchers_hold(const tcsi_matcher *matchers, size_t matcher_count, const tcsi_alert_tag *tags, size_t tag_count)
{
    for (size_t m = 0; m < matcher_count; m++) {
        const char *value = "";
        for (size_t i = 0; i < tag_count; i++)
            if (strcmp(tags[i].name, matchers[m].name) == 0) value = tags[i].value;
        if (!holds(&matchers[m], value)) return false;
    }
    return true;
}

void tcsi_silence_deinit(tcsi_silence *silence)
{
    for (size_t i = 0; i < silence->match_count; i++) tcsi_matcher_deinit(&silence->match[i]);
    silence->match_count = 0;
}

bool tcsi_silence_holds(const tcsi_silence *silence, const tcsi_alert *alert, int64_t now_ns)
{
    if (silence->match_count == 0 || now_ns < silence->starts_ns || now_ns >= silence->ends_ns) return false;
    return tcsi_matchers_hold(silence->match, silence->match_count, alert->tags, alert->tag_count);
}
