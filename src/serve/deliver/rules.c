/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/deliver/rules.h"

#include "knowledge/expression.h"
#include "serve/coincidence.h"
#include "serve/shard/policy.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double TIME_MIN_S = 1, TIME_MAX_S = 86400 * 400.0;

/* Beside off and auto. */
static const char *const expectations[] = { [TCSI_POLICY_SWITCH] = "", [TCSI_POLICY_TIME] = ", or a time such as 10min",
                                            [TCSI_POLICY_CONFIRM] = ", confirm, or a time such as 10min",
                                            [TCSI_POLICY_WEIGHT] = "", [TCSI_POLICY_LIMIT] = "" };
static const char *const values[] = { [TCSI_POLICY_SWITCH] = "off, auto", [TCSI_POLICY_TIME] = "off, auto, a time",
                                      [TCSI_POLICY_CONFIRM] = "off, auto, confirm, a time", [TCSI_POLICY_WEIGHT] = "0.01 to 100",
                                      [TCSI_POLICY_LIMIT] = "a number" };

typedef struct policy_key {
    const char *name, *help;
    tcsi_policy_value kind;
} policy_key;

static const policy_key KEYS[] = {
#define X(name, field, kind, help) { #name, help, kind },
    TCSI_POLICY_LIST(X)
#undef X
};

/* The texts of a list, or a single one. */
static void put_texts(const tcsi_yaml *node, const char *name, size_t count_max, tcsi_problems *problems, tcsi_json_writer *writer)
{
    const bool is_list = node->kind == TCSI_YAML_LIST;
    size_t count = 0;
    tcsi_json_key(writer, name);
    tcsi_json_begin_array(writer);
    for (const tcsi_yaml *item = is_list ? node->first : node; item; item = is_list ? item->next : NULL) {
        if (item->kind != TCSI_YAML_TEXT || !*item->text) tcsi_problems_add(problems, item->line, "%s: expected a text", node->key);
        else if (++count > count_max) tcsi_problems_add(problems, item->line, "%s: more than %zu", node->key, count_max);
        else tcsi_json_string(writer, item->text);
    }
    tcsi_json_end_array(writer);
}

static void put_places(const tcsi_yaml *node, tcsi_problems *problems, tcsi_json_writer *writer)
{
    for (const tcsi_yaml *item = node->kind == TCSI_YAML_LIST ? node->first : NULL; item; item = item->next)
        if (item->kind == TCSI_YAML_TEXT && strlen(item->text) >= TCSI_PLACE_NAME_SIZE)
            tcsi_problems_add(problems, item->line, "group_by: a tag's name of more than %d bytes", TCSI_PLACE_NAME_SIZE - 1);
    put_texts(node, "places", TCSI_PLACE_COUNT_MAX, problems, writer);
}

static void put_match(const tcsi_yaml *node, tcsi_problems *problems, tcsi_json_writer *writer)
{
    const bool is_list = node->kind == TCSI_YAML_LIST;
    for (const tcsi_yaml *item = is_list ? node->first : node; item; item = is_list ? item->next : NULL) {
        tcsi_matcher matcher = { .kind = TCSI_MATCH_EQUAL };
        tcs_error err;
        if (item->kind == TCSI_YAML_TEXT && tcsi_matcher_parse(item->text, &matcher, &err) != TCS_OK)
            tcsi_problems_add(problems, item->line, "match: %s", err.text);
        tcsi_matcher_deinit(&matcher);
    }
    put_texts(node, "match", TCSI_MATCHER_COUNT_MAX, problems, writer);
}

/* NaN: it is none. */
static double number_of(const tcsi_yaml *node)
{
    char *end = NULL;
    const char *text = node->kind == TCSI_YAML_TEXT ? node->text : "";
    const double number = strtod(text, &end);
    return *text && !*end && isfinite(number) ? number : NAN;
}

static void put_weight(const tcsi_yaml *node, const policy_key *key, tcsi_problems *problems, tcsi_json_writer *writer)
{
    const char *text = node->kind == TCSI_YAML_TEXT ? node->text : "";
    const double weight = number_of(node);
    if (weight >= TCSI_COHORT_WEIGHT_MIN && weight <= TCSI_COHORT_WEIGHT_MAX)
        tcsi_json_put_number(writer, key->name, weight);
    else tcsi_problems_add(problems, node->line, "%s: '%.40s'; expected a number from %g to %g: series without have 1", key->name, text,
                           TCSI_COHORT_WEIGHT_MIN, TCSI_COHORT_WEIGHT_MAX);
}

static void put_limit(const tcsi_yaml *node, const policy_key *key, tcsi_problems *problems, tcsi_json_writer *writer)
{
    const double limit = number_of(node);
    if (!isnan(limit)) tcsi_json_put_number(writer, key->name, limit);
    else tcsi_problems_add(problems, node->line, "%s: '%.40s'; expected a number, in the unit of the series' values, of a counter's rate "
                           "per second", key->name, node->kind == TCSI_YAML_TEXT ? node->text : "");
}

/* They leave something between them. */
static void check_limits(const tcsi_yaml *policy, tcsi_problems *problems)
{
    const tcsi_yaml *low = tcsi_yaml_get(policy, "low"), *high = tcsi_yaml_get(policy, "high");
    if (low && high && number_of(low) >= number_of(high))
        tcsi_problems_add(problems, low->line, "low: '%.40s'; expected less than high, which is %.40s", low->text, high->text);
}

static void put_value(const tcsi_yaml *node, const policy_key *key, tcsi_problems *problems, tcsi_json_writer *writer)
{
    const char *text = node->kind == TCSI_YAML_TEXT ? node->text : "";
    int64_t ns = 0;
    const bool is_time = tcsi_duration_parse(text, &ns) && (double)ns >= 1e9 * TIME_MIN_S && (double)ns <= 1e9 * TIME_MAX_S;
    const bool is_confirm = strcmp(text, TCSI_POLICY_CONFIRM_WORD) == 0;
    if (strcmp(text, "auto") == 0) return;
    if (strcmp(text, "off") == 0 || strcmp(text, "no") == 0) tcsi_json_put_string(writer, key->name, "off");
    else if (key->kind == TCSI_POLICY_CONFIRM && is_confirm) tcsi_json_put_string(writer, key->name, text);
    else if (key->kind != TCSI_POLICY_SWITCH && is_time) tcsi_json_put_number(writer, key->name, (double)ns * 1e-9);
    else tcsi_problems_add(problems, node->line, "%s: '%.40s'; expected off, auto%s", key->name, text, expectations[key->kind]);
}

static void put_policy(const tcsi_yaml *node, tcsi_problems *problems, tcsi_json_writer *writer)
{
    const tcsi_yaml *match = node->kind == TCSI_YAML_MAP ? tcsi_yaml_get(node, "match") : NULL;
    if (!match) {
        tcsi_problems_add(problems, node->line, "a policy without match; expected matchers, such as 'job=\"batch\"'");
        return;
    }
    tcsi_json_begin_object(writer);
    put_match(match, problems, writer);
    check_limits(node, problems);
    for (const tcsi_yaml *item = node->first; item; item = item->next) {
        const char *names[TCS_COUNT(KEYS) + 1] = { "match" };
        char nearest[TCSI_SUGGESTION_SIZE];
        size_t k = 0;
        for (size_t i = 0; i < TCS_COUNT(KEYS); i++) names[i + 1] = KEYS[i].name;
        if (item == match) continue;
        while (k < TCS_COUNT(KEYS) && strcmp(KEYS[k].name, item->key) != 0) k++;
        if (k < TCS_COUNT(KEYS)) {
            if (KEYS[k].kind == TCSI_POLICY_WEIGHT) put_weight(item, &KEYS[k], problems, writer);
            else if (KEYS[k].kind == TCSI_POLICY_LIMIT) put_limit(item, &KEYS[k], problems, writer);
            else put_value(item, &KEYS[k], problems, writer);
            continue;
        }
        tcsi_problems_suggest(item->key, names, TCS_COUNT(names), nearest);
        tcsi_problems_add(problems, item->line, "no setting '%.80s' of a policy%s", item->key, nearest);
    }
    tcsi_json_end_object(writer);
}

static void put_policies(const tcsi_yaml *node, tcsi_problems *problems, tcsi_json_writer *writer)
{
    if (node->kind != TCSI_YAML_LIST) tcsi_problems_add(problems, node->line, "policies: expected a list");
    if (node->count > TCSI_POLICY_COUNT_MAX) tcsi_problems_add(problems, node->line, "policies: more than %d", TCSI_POLICY_COUNT_MAX);
    tcsi_json_key(writer, "policies");
    tcsi_json_begin_array(writer);
    for (const tcsi_yaml *item = node->kind == TCSI_YAML_LIST ? node->first : NULL; item; item = item->next)
        put_policy(item, problems, writer);
    tcsi_json_end_array(writer);
}

tcs_status tcsi_deliver_rules_write(const tcsi_deliver_rules *rules, tcsi_problems *problems, tcsi_arena *arena, const char **ret_text,
                                    tcs_error *err)
{
    tcsi_json_writer writer;
    tcsi_buffer text;
    *ret_text = NULL;
    if (rules->within_ns < 0 && !rules->places && !rules->policies) return TCS_OK;
    tcsi_buffer_init(&text, TCSI_RULES_SIZE_MAX);
    tcsi_json_writer_init(&writer, &text, false);
    tcsi_json_begin_object(&writer);
    if (rules->within_ns >= 0) tcsi_json_put_number(&writer, "within_s", (double)rules->within_ns * 1e-9);
    if (rules->places) put_places(rules->places, problems, &writer);
    if (rules->policies) put_policies(rules->policies, problems, &writer);
    tcsi_json_end_object(&writer);
    tcs_status status = tcsi_json_finish(&writer, err);
    if (status == TCS_OK && !(*ret_text = tcsi_arena_strndup(arena, text.data, text.size))) status = tcsi_fail_memory(err, "settings");
    tcsi_buffer_deinit(&text);
    return status;
}

tcs_status tcsi_deliver_rules_describe(tcsi_buffer *out, tcs_error *err)
{
    tcs_status status = tcsi_buffer_puts(out, "| key of a policy | values | event |\n|---|---|---|\n", err);
    for (size_t i = 0; i < TCS_COUNT(KEYS) && status == TCS_OK; i++)
        status = tcsi_buffer_printf(out, err, "| `%s` | %s | %s |\n", KEYS[i].name, values[KEYS[i].kind], KEYS[i].help);
    return status;
}
