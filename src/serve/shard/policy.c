/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/shard/policy.h"

#include "base/alloc.h"

#include <math.h>
#include <string.h>

static const tcsi_policy learned = { .presence = { NAN, NAN, NAN, NAN, NAN }, .anomaly_s = NAN, .budget_weight = 1,
                                     .limits = { NAN, NAN } };

static tcs_status read_weight(const tcsi_json_value *value, const char *key, double *ret_weight, tcs_error *err)
{
    const double weight = value->type == TCSI_JSON_NUMBER ? value->number : NAN;
    if (!(weight >= TCSI_COHORT_WEIGHT_MIN && weight <= TCSI_COHORT_WEIGHT_MAX))
        return tcsi_fail(err, TCS_E_FORMAT, "rules: %s, expected a number from %g to %g", key, TCSI_COHORT_WEIGHT_MIN,
                         TCSI_COHORT_WEIGHT_MAX);
    *ret_weight = weight;
    return TCS_OK;
}

static tcs_status read_limit(const tcsi_json_value *value, const char *key, double *ret_limit, tcs_error *err)
{
    if (value->type != TCSI_JSON_NUMBER || !isfinite(value->number))
        return tcsi_fail(err, TCS_E_FORMAT, "rules: %s, expected a number", key);
    *ret_limit = value->number;
    return TCS_OK;
}

static tcs_status read_value(const tcsi_json_value *object, const char *key, tcsi_policy_value kind, double *ret_s, tcs_error *err)
{
    const tcsi_json_value *value = tcsi_json_get(object, key);
    if (!value) return TCS_OK;
    if (kind == TCSI_POLICY_WEIGHT) return read_weight(value, key, ret_s, err);
    if (kind == TCSI_POLICY_LIMIT) return read_limit(value, key, ret_s, err);
    const bool is_number = value->type == TCSI_JSON_NUMBER && value->number > 0 && isfinite(value->number);
    const char *word = value->type == TCSI_JSON_STRING ? value->text : "";
    if (strcmp(word, "off") == 0) *ret_s = INFINITY;
    else if (kind == TCSI_POLICY_CONFIRM && strcmp(word, TCSI_POLICY_CONFIRM_WORD) == 0) *ret_s = 0;
    else if (kind != TCSI_POLICY_SWITCH && is_number) *ret_s = value->number;
    else return tcsi_fail(err, TCS_E_FORMAT, "rules: %s, expected \"off\"%s%s", key, kind == TCSI_POLICY_CONFIRM ? ", \"confirm\"" : "",
                          kind != TCSI_POLICY_SWITCH ? " or seconds" : "");
    return TCS_OK;
}

static tcs_status read_policy(const tcsi_json_value *object, tcsi_policy *policy, tcs_error *err)
{
    const tcsi_json_value *match = tcsi_json_get(object, "match");
    tcs_status status = TCS_OK;
    *policy = learned;
    if (!match || match->type != TCSI_JSON_ARRAY || match->item_count > TCSI_MATCHER_COUNT_MAX)
        return tcsi_fail(err, TCS_E_FORMAT, "rules: a policy without a list of matchers, at most %d", TCSI_MATCHER_COUNT_MAX);
    for (size_t i = 0; status == TCS_OK && i < match->item_count; i++) {
        if (match->items[i].type != TCSI_JSON_STRING) return tcsi_fail(err, TCS_E_FORMAT, "rules: a matcher that is no text");
        status = tcsi_matcher_parse(match->items[i].text, &policy->match[i], err);
        policy->match_count += status == TCS_OK;
    }
#define X(name, field, kind, help) \
    if (status == TCS_OK) status = read_value(object, #name, kind, &policy->field, err);
    TCSI_POLICY_LIST(X)
#undef X
    if (status == TCS_OK && policy->limits.low >= policy->limits.high)
        status = tcsi_fail(err, TCS_E_FORMAT, "rules: low %g, expected less than high, %g", policy->limits.low, policy->limits.high);
    return status;
}

tcs_status tcsi_policies_init(tcsi_policies *policies, const char *text, size_t size, tcs_error *err)
{
    const tcsi_json_value *root = NULL;
    tcsi_arena arena;
    *policies = (tcsi_policies){ .count = 0 };
    if (size > TCSI_RULES_SIZE_MAX) return tcsi_fail(err, TCS_E_FORMAT, "rules of %zu bytes, at most %d", size, TCSI_RULES_SIZE_MAX);
    tcsi_arena_init(&arena, 0);
    tcs_status status = tcsi_json_parse(text, size, &arena, &root, err);
    const tcsi_json_value *list = status == TCS_OK ? tcsi_json_get(root, "policies") : NULL;
    if (list && (list->type != TCSI_JSON_ARRAY || list->item_count > TCSI_POLICY_COUNT_MAX))
        status = tcsi_fail(err, TCS_E_FORMAT, "rules: policies, expected a list of at most %d", TCSI_POLICY_COUNT_MAX);
    if (status == TCS_OK && !(policies->text = tcsi_strndup(text, size))) status = tcsi_fail_memory(err, "policies");
    if (status == TCS_OK && list && list->item_count) {
        policies->items = TCSI_NEW_ZEROS(tcsi_policy, list->item_count);
        if (!policies->items) status = tcsi_fail_memory(err, "policies");
        for (size_t i = 0; status == TCS_OK && i < list->item_count; i++) {
            policies->count++;
            status = read_policy(&list->items[i], &policies->items[i], err);
            policies->has_weights |= policies->items[i].budget_weight != 1;
        }
    }
    tcsi_arena_deinit(&arena);
    if (status != TCS_OK) tcsi_policies_deinit(policies);
    return status;
}

void tcsi_policies_deinit(tcsi_policies *policies)
{
    for (size_t i = 0; i < policies->count; i++)
        for (size_t k = 0; k < policies->items[i].match_count; k++) tcsi_matcher_deinit(&policies->items[i].match[k]);
    tcsi_free(policies->items);
    tcsi_free(policies->text);
    *policies = (tcsi_policies){ .count = 0 };
}

uint8_t tcsi_policies_find(const tcsi_policies *policies, const tcsi_key *key)
{
    char texts[TCSI_KEY_SIZE_MAX]; /* a key's bytes hold two for each size, where these hold a 0 */
    tcsi_alert_tag tags[TCSI_KEY_TAG_COUNT_MAX];
    char *at = texts;
    for (size_t i = 0; policies->count && i < key->tag_count; i++) {
        const tcsi_tag *tag = &key->tags[i];
        tags[i].name = memcpy(at, tag->name, tag->name_size);
        at[tag->name_size] = 0;
        at += tag->name_size + 1;
        tags[i].value = memcpy(at, tag->value, tag->value_size);
        at[tag->value_size] = 0;
        at += tag->value_size + 1;
    }
    for (size_t i = 0; i < policies->count; i++)
        if (tcsi_matchers_hold(policies->items[i].match, policies->items[i].match_count, tags, key->tag_count)) return (uint8_t)(i + 1);
    return 0;
}

const tcsi_policy *tcsi_policies_get(const tcsi_policies *policies, uint8_t place)
{
    return place > 0 && place <= policies->count ? &policies->items[place - 1] : &learned;
}

void tcsi_policies_persist(tcsi_policies *policies, tcsi_codec *codec)
{
    size_t size = policies->text ? strlen(policies->text) : 0;
    tcsi_codec_size(codec, &size, TCSI_RULES_SIZE_MAX);
    if (!tcsi_codec_loading(codec)) {
        if (size) tcsi_codec_bytes(codec, policies->text, size);
        return;
    }
    char *text = size && tcsi_codec_status(codec) == TCS_OK ? tcsi_alloc(size) : NULL;
    if (size && tcsi_codec_status(codec) == TCS_OK && !text) codec->status = tcsi_fail_memory(codec->err, "policies");
    if (text) tcsi_codec_bytes(codec, text, size);
    if (text && tcsi_codec_status(codec) == TCS_OK) {
        tcsi_policies_deinit(policies);
        codec->status = tcsi_policies_init(policies, text, size, codec->err);
    }
    tcsi_free(text);
}
