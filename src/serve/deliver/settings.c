/* serve/deliver/settings.c -- see settings.h.  SPDX-License-Identifier: Apache-2.0 */
#include "serve/deliver/settings.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/url.h"
#include "knowledge/expression.h"
#include "knowledge/yaml.h"
#include "serve/deliver/rules.h"
#include "series/time.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* ---- the table ---- */

typedef enum key_type { KEY_TEXT, KEY_URL, KEY_FLAG, KEY_TIME, KEY_NUMBER, KEY_COUNT, KEY_TEXTS, KEY_LABELS, KEY_MATCH,
                        KEY_ADDRESS } key_type;

enum {
    MANAGER = 1 << TCSI_RECEIVER_ALERTMANAGER, HOOK = 1 << TCSI_RECEIVER_WEBHOOK, GRAFANA = 1 << TCSI_RECEIVER_GRAFANA,
    MAIL = 1 << TCSI_RECEIVER_MAIL, COMMAND = 1 << TCSI_RECEIVER_COMMAND, ALL = MANAGER | HOOK | GRAFANA | MAIL | COMMAND,
    SENT = ALL & ~COMMAND,
};

typedef struct setting_key {
    const char *name;
    unsigned kinds, needed; /* of receivers that have it, and that must */
    key_type type;
    size_t offset, offset_count;
    double low, high;       /* of a time in seconds, or a number */
    const char *fallback, *help;
} setting_key;

#define AT(field) offsetof(tcsi_receiver, field), 0
#define ATS(field, count) offsetof(tcsi_receiver, field), offsetof(tcsi_receiver, count)
static const setting_key KEYS[] = {
    { "match", ALL, 0, KEY_MATCH, ATS(match, match_count), 0, 0, "[]",
      "matchers as in Alertmanager, all of which must hold of the series' tags" },
    { "severity", ALL, 0, KEY_NUMBER, AT(severity_min), 0, 100, "0", "the least severity of which it hears" },
    { "suspected", ALL, 0, KEY_FLAG, AT(suspected), 0, 0, "no", "hears also of what is not confirmed yet" },
    { "only_escalated", ALL, 0, KEY_FLAG, AT(only_escalated), 0, 0, "no", "hears only of what nobody acknowledged in time" },
    { "url", SENT, SENT, KEY_URL, AT(url), 0, 0, "", "the server; of Alertmanager and Grafana without /api; of mail smtp: or smtps:" },
    { "secret_file", SENT, 0, KEY_TEXT, AT(secret_file), 0, 0, "",
      "a file with the bearer token (Alertmanager, Grafana), the key of the signature (webhook) or the password (mail)" },
    { "timeout", ALL, 0, KEY_TIME, AT(timeout_ns), 0.1, 600, "10s", "for one attempt" },
    { "retry_at_most", SENT, 0, KEY_TIME, AT(retry_ns_max), 1, 3600, "5min", "the longest pause between two attempts" },
    { "resend", MANAGER, 0, KEY_TIME, AT(resend_ns), 1, 3600, "1min",
      "tells of a lasting alert again; less than Alertmanager's resolve_timeout" },
    { "labels", MANAGER, 0, KEY_LABELS, ATS(labels, label_count), 0, 0, "{}", "labels that every alert gets, such as severity: page" },
    { "source", HOOK, 0, KEY_TEXT, AT(source), 0, 0, "/tocsin", "the events' source" },
    { "dashboard", GRAFANA, 0, KEY_TEXT, AT(dashboard), 0, 0, "", "UID of a dashboard; without one the annotation is everybody's" },
    { "panel", GRAFANA, 0, KEY_COUNT, AT(panel), 0, 1e9, "0", "number of a panel in it" },
    { "from", MAIL, MAIL, KEY_ADDRESS, AT(from), 0, 0, "", "the sender's address" },
    { "to", MAIL, MAIL, KEY_TEXTS, ATS(to, to_count), 0, 0, "", "addresses" },
    { "user", MAIL, 0, KEY_TEXT, AT(user), 0, 0, "", "name to log in with" },
    { "plain", MAIL, 0, KEY_FLAG, AT(plain), 0, 0, "no", "without TLS; only to a server on this machine" },
    { "program", COMMAND, COMMAND, KEY_TEXTS, ATS(program, program_count), 0, 0, "",
      "absolute path, which `programs` must list, and arguments" },
    { "live", COMMAND, 0, KEY_FLAG, AT(is_live), 0, 0, "no", "really runs it; until then it only says what it would run" },
    { "runs_per_hour", COMMAND, 0, KEY_COUNT, AT(runs_per_hour), 1, 1000, "6", "at most; what is beyond is refused" },
};

typedef struct reader {
    tcsi_deliver_settings *settings;
    tcsi_problems *problems;
    const tcsi_yaml *programs; /* those that may be run */
    int64_t within_ns;         /* -1: it is not set */
    const tcsi_yaml *places, *policies;
    bool is_memory_out;
} reader;

/* ---- values ---- */

static const char *text_of(reader *r, const tcsi_yaml *node, const char *what)
{
    if (node->kind == TCSI_YAML_TEXT && *node->text) return node->text;
    tcsi_problems_add(r->problems, node->line, "%s: expected a text", what);
    return NULL;
}

static const char *keep(reader *r, const char *text)
{
    const char *copy = tcsi_arena_strndup(&r->settings->arena, text, strlen(text));
    r->is_memory_out |= !copy;
    return copy ? copy : "";
}

static bool is_address(const char *text)
{
    const char *at = strchr(text, '@');
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c <= ' ' || (unsigned char)*c > 126 || strchr("<>(),;:\\\"", *c)) return false;
    return at && at > text && at[1] && !strchr(at + 1, '@');
}

static bool is_local(const char *url)
{
    const char *host = strstr(url, "://");
    static const char *const names[] = { "localhost", "127.0.0.1", "[::1]" };
    for (size_t i = 0; host && i < TCS_COUNT(names); i++) {
        const size_t length = strlen(names[i]);
        if (strncmp(host + 3, names[i], length) == 0 && (host[3 + length] == ':' || host[3 + length] == '/' ||
                                                         !host[3 + length])) return true;
    }
    return false;
}

static void set_url(reader *r, const tcsi_yaml *node, tcsi_receiver *receiver)
{
    char redacted[1024];
    const char *text = text_of(r, node, "url");
    const bool is_mail = receiver->kind == TCSI_RECEIVER_MAIL;
    if (!text) return;
    const bool fits = is_mail ? strncmp(text, "smtp://", 7) == 0 || strncmp(text, "smtps://", 8) == 0
                              : strncmp(text, "http://", 7) == 0 || strncmp(text, "https://", 8) == 0;
    if (!fits || strpbrk(text, " \t\r\n"))
        tcsi_problems_add(r->problems, node->line, "url: expected %s",
                          is_mail ? "smtp://HOST or smtps://HOST" : "http://HOST or https://HOST");
    else if (strcmp(tcsi_url_redact(text, redacted, sizeof redacted), text) != 0)
        tcsi_problems_add(r->problems, node->line, "url: has a password in it; expected it in the file that secret_file names");
    else receiver->url = keep(r, text);
}

static void set_number(reader *r, const tcsi_yaml *node, const setting_key *key, void *at)
{
    char *end = NULL;
    const char *text = text_of(r, node, key->name);
    if (!text) return;
    const double value = strtod(text, &end);
    if (end == text || *end || !(value >= key->low && value <= key->high) || (key->type == KEY_COUNT && value != (double)(int64_t)value)) {
        tcsi_problems_add(r->problems, node->line, "%s: '%.40s'; expected a %snumber from %g to %g", key->name, text,
                          key->type == KEY_COUNT ? "whole " : "", key->low, key->high);
        return;
    }
    if (key->type == KEY_NUMBER) *(double *)at = value;
    else if (strcmp(key->name, "panel") == 0) *(int64_t *)at = (int64_t)value;
    else *(uint32_t *)at = (uint32_t)value;
}

static void set_time(reader *r, const tcsi_yaml *node, const char *name, double low, double high, int64_t *ret_ns)
{
    int64_t ns = 0;
    const char *text = text_of(r, node, name);
    if (!text) return;
    if (tcsi_duration_parse(text, &ns) && (double)ns >= 1e9 * low && (double)ns <= 1e9 * high) *ret_ns = ns;
    else tcsi_problems_add(r->problems, node->line, "%s: '%.40s'; expected a time from %gs to %gs, such as 30s", name, text, low, high);
}

static void set_flag(reader *r, const tcsi_yaml *node, const char *name, bool *ret_flag)
{
    const char *text = text_of(r, node, name);
    if (!text) return;
    if (strcmp(text, "yes") == 0 || strcmp(text, "true") == 0) *ret_flag = true;
    else if (strcmp(text, "no") == 0 || strcmp(text, "false") == 0) *ret_flag = false;
    else tcsi_problems_add(r->problems, node->line, "%s: '%.40s'; expected yes or no", name, text);
}

/* A list, or a single text in place of a list of one. */
static void set_texts(reader *r, const tcsi_yaml *node, const char *name, const char **ret_texts, size_t *ret_count)
{
    const tcsi_yaml *first = node->kind == TCSI_YAML_LIST ? node->first : node;
    if (node->kind == TCSI_YAML_MAP || !first) {
        tcsi_problems_add(r->problems, node->line, "%s: expected a list of texts", name);
        return;
    }
    for (const tcsi_yaml *item = first; item; item = node->kind == TCSI_YAML_LIST ? item->next : NULL) {
        const char *text = text_of(r, item, name);
        if (text && *ret_count == TCSI_RECEIVER_LIST_MAX)
            tcsi_problems_add(r->problems, item->line, "%s: more than %d", name, TCSI_RECEIVER_LIST_MAX);
        else if (text) ret_texts[(*ret_count)++] = keep(r, text);
    }
}

static void set_matchers(reader *r, const tcsi_yaml *node, tcsi_matcher *ret_matchers, size_t *ret_count)
{
    const tcsi_yaml *first = node->kind == TCSI_YAML_LIST ? node->first : node;
    for (const tcsi_yaml *item = first; item; item = node->kind == TCSI_YAML_LIST ? item->next : NULL) {
        tcs_error err = { 0 };
        const char *text = text_of(r, item, "match");
        if (!text) continue;
        if (*ret_count == TCSI_MATCHER_COUNT_MAX) tcsi_problems_add(r->problems, item->line, "match: more than %d", TCSI_MATCHER_COUNT_MAX);
        else if (tcsi_matcher_parse(text, &ret_matchers[*ret_count], &err) == TCS_OK) (*ret_count)++;
        else tcsi_problems_add(r->problems, item->line, "match: %s", err.text);
    }
}

static void set_labels(reader *r, const tcsi_yaml *node, tcsi_receiver *receiver)
{
    if (node->kind != TCSI_YAML_MAP) {
        tcsi_problems_add(r->problems, node->line, "labels: expected name: value");
        return;
    }
    for (const tcsi_yaml *item = node->first; item; item = item->next) {
        const char *text = text_of(r, item, item->key);
        if (text && receiver->label_count == TCSI_RECEIVER_LIST_MAX)
            tcsi_problems_add(r->problems, item->line, "labels: more than %d", TCSI_RECEIVER_LIST_MAX);
        else if (text) receiver->labels[receiver->label_count++] = (tcsi_alert_tag){ keep(r, item->key), keep(r, text) };
    }
}

static void set_key(reader *r, const tcsi_yaml *node, const setting_key *key, tcsi_receiver *receiver)
{
    char *base = (char *)receiver;
    void *at = base + key->offset;
    const char *text;
    switch (key->type) {
    case KEY_URL: set_url(r, node, receiver); break;
    case KEY_FLAG: set_flag(r, node, key->name, at); break;
    case KEY_TIME: set_time(r, node, key->name, key->low, key->high, at); break;
    case KEY_NUMBER:
    case KEY_COUNT: set_number(r, node, key, at); break;
    case KEY_TEXTS: set_texts(r, node, key->name, at, (size_t *)(void *)(base + key->offset_count)); break;
    case KEY_LABELS: set_labels(r, node, receiver); break;
    case KEY_MATCH: set_matchers(r, node, receiver->match, &receiver->match_count); break;
    case KEY_ADDRESS:
    case KEY_TEXT:
        text = text_of(r, node, key->name);
        if (text) *(const char **)at = keep(r, text);
        break;
    }
}

/* ---- receivers ---- */

static void tell_unknown(reader *r, const tcsi_yaml *node, const char *where, const char *const *names, size_t count)
{
    char nearest[TCSI_SUGGESTION_SIZE];
    tcsi_problems_suggest(node->key, names, count, nearest);
    tcsi_problems_add(r->problems, node->line, "no setting '%.80s' of %s%s", node->key, where, nearest);
}

static void read_keys(reader *r, const tcsi_yaml *node, tcsi_receiver *receiver)
{
    const unsigned kind = 1u << receiver->kind;
    const char *names[TCS_COUNT(KEYS)];
    size_t count = 0;
    for (size_t k = 0; k < TCS_COUNT(KEYS); k++)
        if (KEYS[k].kinds & kind) names[count++] = KEYS[k].name;
    for (const tcsi_yaml *item = node->first; item; item = item->next) {
        size_t k = 0;
        if (strcmp(item->key, "name") == 0 || strcmp(item->key, "kind") == 0) continue;
        while (k < TCS_COUNT(KEYS) && (strcmp(KEYS[k].name, item->key) != 0 || !(KEYS[k].kinds & kind))) k++;
        if (k < TCS_COUNT(KEYS)) set_key(r, item, &KEYS[k], receiver);
        else tell_unknown(r, item, tcsi_receiver_kind_names[receiver->kind], names, count);
    }
    for (size_t k = 0; k < TCS_COUNT(KEYS); k++)
        if ((KEYS[k].needed & kind) && !tcsi_yaml_get(node, KEYS[k].name))
            tcsi_problems_add(r->problems, node->line, "receiver %s: has no %s", receiver->name, KEYS[k].name);
}

/* What no single key can say. */
static void check_receiver(reader *r, const tcsi_yaml *node, const tcsi_receiver *receiver)
{
    if (receiver->kind == TCSI_RECEIVER_MAIL) {
        if (receiver->from && !is_address(receiver->from))
            tcsi_problems_add(r->problems, node->line, "from: '%.80s'; expected name@host", receiver->from);
        for (size_t i = 0; i < receiver->to_count; i++)
            if (!is_address(receiver->to[i])) tcsi_problems_add(r->problems, node->line, "to: '%.80s'; expected name@host",
                                                                receiver->to[i]);
        if (receiver->plain && receiver->url && !is_local(receiver->url))
            tcsi_problems_add(r->problems, node->line, "plain: without TLS only to localhost, 127.0.0.1 or [::1]");
        if (receiver->user && !receiver->secret_file) tcsi_problems_add(r->problems, node->line,
                                                                        "user: needs secret_file, with the password");
    }
    if (receiver->kind != TCSI_RECEIVER_COMMAND || receiver->program_count == 0) return;
    bool is_listed = false;
    for (const tcsi_yaml *item = r->programs && r->programs->kind == TCSI_YAML_LIST ? r->programs->first : NULL; item; item = item->next)
        is_listed |= item->kind == TCSI_YAML_TEXT && strcmp(item->text, receiver->program[0]) == 0;
    if (receiver->program[0][0] != '/' || strstr(receiver->program[0], "/../"))
        tcsi_problems_add(r->problems, node->line, "program: '%.200s'; expected an absolute path", receiver->program[0]);
    else if (!is_listed)
        tcsi_problems_add(r->problems, node->line, "program: %.200s is not among the `programs` that may be run", receiver->program[0]);
}

static bool is_name(const char *text)
{
    for (const char *c = text; *c; c++)
        if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') || *c == '_' || *c == '-')) return false;
    return *text && strlen(text) <= TCSI_RECEIVER_NAME_SIZE_MAX;
}

static void read_receiver(reader *r, const tcsi_yaml *node)
{
    tcsi_deliver_settings *s = r->settings;
    const tcsi_yaml *name = tcsi_yaml_get(node, "name"), *kind = tcsi_yaml_get(node, "kind");
    size_t k = 0;
    if (node->kind != TCSI_YAML_MAP || !name || name->kind != TCSI_YAML_TEXT || !is_name(name->text)) {
        tcsi_problems_add(r->problems, node->line, "a receiver without a name; expected name: letters, digits, _ and -");
        return;
    }
    while (kind && kind->kind == TCSI_YAML_TEXT && k < TCSI_RECEIVER_KIND_COUNT && strcmp(kind->text,
                                                                                          tcsi_receiver_kind_names[k]) != 0) k++;
    if (!kind || kind->kind != TCSI_YAML_TEXT || k == TCSI_RECEIVER_KIND_COUNT) {
        tcsi_problems_add(r->problems, kind ? kind->line : node->line,
                          "receiver %s: expected kind: alertmanager, webhook, grafana, mail or command",
                          name->text);
        return;
    }
    for (size_t i = 0; i < s->receiver_count; i++)
        if (strcmp(s->receivers[i].name, name->text) == 0) tcsi_problems_add(r->problems, name->line, "a second receiver %s", name->text);
    if (s->receiver_count == TCSI_RECEIVER_COUNT_MAX) {
        tcsi_problems_add(r->problems, node->line, "more than %d receivers", TCSI_RECEIVER_COUNT_MAX);
        return;
    }
    tcsi_receiver *receiver = &s->receivers[s->receiver_count++];
    *receiver = (tcsi_receiver){ .name = keep(r, name->text), .kind = (tcsi_receiver_kind)k, .timeout_ns = 10 * TCSI_NS_PER_S,
                                 .retry_ns_max = 300 * TCSI_NS_PER_S, .resend_ns = 60 * TCSI_NS_PER_S, .runs_per_hour = 6 };
    read_keys(r, node, receiver);
    check_receiver(r, node, receiver);
}

/* ---- silences and the rest ---- */

static void read_moment(reader *r, const tcsi_yaml *map, const char *key, int64_t *ret_ns)
{
    const tcsi_yaml *node = tcsi_yaml_get(map, key);
    const tcsi_time_format iso = { .kind = TCSI_TIME_ISO };
    if (!node) tcsi_problems_add(r->problems, map->line, "has no %s", key);
    else if (node->kind != TCSI_YAML_TEXT || !tcsi_time_parse(&iso, node->text, strlen(node->text), ret_ns))
        tcsi_problems_add(r->problems, node->line, "%s: expected a time such as 2026-12-01T22:00:00Z", key);
}

static void read_silence(reader *r, const tcsi_yaml *node, bool is_maintenance)
{
    static const char *const names[] = { "match", "from", "until", "author", "comment" };
    tcsi_deliver_settings *s = r->settings;
    if (s->silence_count == TCSI_SILENCE_COUNT_MAX || !s->silences || node->kind != TCSI_YAML_MAP) {
        tcsi_problems_add(r->problems, node->line, "expected at most %d, each with match, from and until", TCSI_SILENCE_COUNT_MAX);
        return;
    }
    tcsi_silence *silence = &s->silences[s->silence_count++];
    const tcsi_yaml *match = tcsi_yaml_get(node, "match"), *author = tcsi_yaml_get(node, "author"), *comment = tcsi_yaml_get(node,
                                                                                                                             "comment");
    *silence = (tcsi_silence){ .is_maintenance = is_maintenance };
    snprintf(silence->id, sizeof silence->id, "settings-%zu", s->silence_count);
    for (const tcsi_yaml *item = node->first; item; item = item->next) {
        size_t k = 0;
        while (k < TCS_COUNT(names) && strcmp(names[k], item->key) != 0) k++;
        if (k == TCS_COUNT(names)) tell_unknown(r, item, "a silence", names, TCS_COUNT(names));
    }
    if (match) set_matchers(r, match, silence->match, &silence->match_count);
    if (silence->match_count == 0) tcsi_problems_add(r->problems, node->line, "has no match; it would silence everything");
    read_moment(r, node, "from", &silence->starts_ns);
    read_moment(r, node, "until", &silence->ends_ns);
    if (silence->starts_ns >= silence->ends_ns) tcsi_problems_add(r->problems, node->line, "ends before it begins");
    if (author && author->kind == TCSI_YAML_TEXT) snprintf(silence->author, sizeof silence->author, "%s", author->text);
    if (comment && comment->kind == TCSI_YAML_TEXT) snprintf(silence->comment, sizeof silence->comment, "%s", comment->text);
}

/* Room for as many as there are. */
static void make_silences(reader *r, const tcsi_yaml *root)
{
    const tcsi_yaml *silences = tcsi_yaml_get(root, "silences"), *maintenance = tcsi_yaml_get(root, "maintenance");
    const size_t count = (silences ? silences->count : 0) + (maintenance ? maintenance->count : 0);
    r->settings->silences = TCSI_NEW_ZEROS(tcsi_silence, count < TCSI_SILENCE_COUNT_MAX ? count : TCSI_SILENCE_COUNT_MAX);
    r->is_memory_out |= !r->settings->silences;
}

static void read_tell(reader *r, const tcsi_yaml *node)
{
    const char *text = text_of(r, node, node->key);
    if (!text) return;
    r->settings->tells_episodes = strcmp(text, "episodes") == 0;
    if (!r->settings->tells_episodes && strcmp(text, "incidents") != 0)
        tcsi_problems_add(r->problems, node->line, "%s: '%.40s'; expected incidents or episodes", node->key, text);
}

static void read_root(reader *r, const tcsi_yaml *root)
{
    static const char *const names[] = { "receivers", "silences", "maintenance", "escalate_after", "group_within", "group_by", "programs",
                                         "tell", "policies" };
    tcsi_deliver_settings *s = r->settings;
    r->programs = tcsi_yaml_get(root, "programs");
    make_silences(r, root);
    if (root->kind != TCSI_YAML_MAP) tcsi_problems_add(r->problems, 1, "expected receivers:");
    for (const tcsi_yaml *item = root->kind == TCSI_YAML_MAP ? root->first : NULL; item; item = item->next) {
        size_t k = 0;
        while (k < TCS_COUNT(names) && strcmp(names[k], item->key) != 0) k++;
        if (k == TCS_COUNT(names)) tell_unknown(r, item, "deliveries", names, TCS_COUNT(names));
        if (k < 3 || k == 6) {
            if (item->kind != TCSI_YAML_LIST) tcsi_problems_add(r->problems, item->line, "%s: expected a list", item->key);
            for (const tcsi_yaml *one = item->kind == TCSI_YAML_LIST ? item->first : NULL; one; one = one->next) {
                if (k == 0) read_receiver(r, one);
                else if (k < 3) read_silence(r, one, k == 2);
            }
        }
        if (k == 3) set_time(r, item, item->key, 1, 86400, &s->escalate_after_ns);
        if (k == 4 && item->kind == TCSI_YAML_TEXT && strcmp(item->text, "off") == 0) r->within_ns = 0;
        else if (k == 4) set_time(r, item, item->key, 1, 86400, &r->within_ns);
        if (k == 5) r->places = item;
        if (k == 7) read_tell(r, item);
        if (k == 8) r->policies = item;
    }
}

tcs_status tcsi_deliver_settings_parse(const char *text, size_t size, const char *file, tcsi_deliver_settings **ret_settings,
                                       tcs_error *err)
{
    tcsi_problems *problems = TCSI_NEW(tcsi_problems);
    tcsi_deliver_settings *settings = TCSI_NEW(tcsi_deliver_settings);
    tcsi_arena tree = { 0 };
    const tcsi_yaml *root = NULL;
    tcs_status status = problems && settings ? TCS_OK : tcsi_fail_memory(err, "settings");
    if (status == TCS_OK) {
        tcsi_problems_init(problems, file);
        tcsi_arena_init(&tree, 0);
        tcsi_arena_init(&settings->arena, 0);
    }
    if (status == TCS_OK) status = tcsi_yaml_parse(text, size, &tree, problems, &root, err);
    if (status == TCS_OK && root) {
        reader r = { .settings = settings, .problems = problems, .within_ns = -1 };
        read_root(&r, root);
        if (tcsi_deliver_rules_write(&(tcsi_deliver_rules){ r.within_ns, r.places, r.policies }, problems, &settings->arena,
                                     &settings->rules, err) != TCS_OK) r.is_memory_out = true;
        if (r.is_memory_out) status = tcsi_fail_memory(err, "settings");
    }
    if (status == TCS_OK) status = tcsi_problems_status(problems, err);
    if (status == TCS_OK) settings->fingerprint = tcsi_fingerprint_of(text, size, 0);
    if (status == TCS_OK) *ret_settings = settings;
    else tcsi_deliver_settings_destroy(settings);
    tcsi_arena_deinit(&tree);
    tcsi_free(problems);
    return status;
}

tcs_status tcsi_deliver_settings_load(const char *path, tcsi_deliver_settings **ret_settings, tcs_error *err)
{
    tcsi_buffer text;
    tcsi_buffer_init(&text, TCSI_YAML_SIZE_MAX);
    tcs_status status = tcsi_file_read(path, &text, err);
    if (status == TCS_OK) status = tcsi_deliver_settings_parse(text.data ? text.data : "", text.size, path, ret_settings, err);
    tcsi_buffer_deinit(&text);
    return status;
}

void tcsi_deliver_settings_destroy(tcsi_deliver_settings *settings)
{
    if (!settings) return;
    for (size_t i = 0; i < settings->receiver_count; i++)
        for (size_t k = 0; k < settings->receivers[i].match_count; k++) tcsi_matcher_deinit(&settings->receivers[i].match[k]);
    for (size_t i = 0; i < settings->silence_count; i++) tcsi_silence_deinit(&settings->silences[i]);
    tcsi_free(settings->silences);
    tcsi_arena_deinit(&settings->arena);
    tcsi_free(settings);
}

tcs_status tcsi_deliver_settings_describe(tcsi_buffer *out, tcs_error *err)
{
    tcs_status status = tcsi_buffer_puts(out, "| setting | of | default | meaning |\n|---|---|---|---|\n", err);
    for (size_t k = 0; k < TCS_COUNT(KEYS) && status == TCS_OK; k++) {
        const char *before = "";
        status = tcsi_buffer_printf(out, err, "| `%s` | ", KEYS[k].name);
        for (size_t i = 0; i < TCSI_RECEIVER_KIND_COUNT && status == TCS_OK && KEYS[k].kinds != ALL; i++) {
            if (!(KEYS[k].kinds & 1u << i)) continue;
            status = tcsi_buffer_printf(out, err, "%s%s", before, tcsi_receiver_kind_names[i]);
            before = ", ";
        }
        const char *fallback = (KEYS[k].needed & KEYS[k].kinds) ? "needed" : KEYS[k].fallback;
        if (status == TCS_OK)
            status = tcsi_buffer_printf(out, err, "%s | %s | %s |\n", KEYS[k].kinds == ALL ? "all" : "", fallback, KEYS[k].help);
    }
    return status;
}
