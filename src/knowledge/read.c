/* knowledge/read.c -- from the tree of a YAML file to knowledge; what is wrong is told with its line, and reading goes on.
 * One function per kind of entry, each beginning with the list of its keys.  SPDX-License-Identifier: Apache-2.0 */
#include "knowledge/knowledge.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/text.h"
#include "knowledge/yaml.h"
#include "series/time.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct reader {
    tcsi_knowledge *k;
    tcsi_problems *problems;
    const tcsi_zone_data *given; /* zones that need not be looked for */
    size_t given_count;
    const tcsi_zone *zone;       /* of events that state none */
    tcs_status status;           /* of what is no problem of the file */
    tcs_error *err;
} reader;

#define PROBLEM(r, node, ...) tcsi_problems_add((r)->problems, (node)->line, __VA_ARGS__)

/* ---- pieces ---- */

static const char *kind_name(const tcsi_yaml *node)
{
    return node->kind == TCSI_YAML_LIST ? "a list" : node->kind == TCSI_YAML_MAP ? "a map" : "a text";
}

static void *take_room(reader *r, size_t count, size_t size)
{
    void *room = r->status == TCS_OK ? tcsi_arena_alloc(&r->k->arena, count ? count : 1, size) : NULL;
    if (room) memset(room, 0, (count ? count : 1) * size);
    else if (r->status == TCS_OK) r->status = tcsi_fail_memory(r->err, "knowledge");
    return room;
}

#define ROOM(r, type, count) ((type *)take_room((r), (count), sizeof(type)))

/* Is node a map with no other keys than these?  Otherwise the problems are told; other keys alone do not end the reading. */
static bool is_map(reader *r, const tcsi_yaml *node, const char *what, const char *const *keys, size_t key_count)
{
    if (node->kind != TCSI_YAML_MAP) {
        PROBLEM(r, node, "%s is %s; expected a map with %s, ...", what, kind_name(node), keys[0]);
        return false;
    }
    for (const tcsi_yaml *item = node->first; item; item = item->next) {
        bool is_known = false;
        char suggestion[TCSI_SUGGESTION_SIZE], list[160];
        size_t used = 0;
        list[0] = 0;
        for (size_t i = 0; i < key_count; i++) {
            is_known |= strcmp(item->key, keys[i]) == 0;
            if (used < sizeof list) used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", keys[i]);
        }
        tcsi_problems_suggest(item->key, keys, key_count, suggestion);
        if (!is_known) PROBLEM(r, item, "%s has no '%.60s'%s expected %s", what, item->key, *suggestion ? suggestion : ";", list);
    }
    return true;
}

#define IS_MAP(r, node, what, ...) \
    is_map((r), (node), (what), (const char *const[]){ __VA_ARGS__ }, sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(const char *))

/* A section: a map of named entries, not too many.  NULL: absent or told. */
static const tcsi_yaml *section_of(reader *r, const tcsi_yaml *root, const char *key, size_t count_max)
{
    const tcsi_yaml *node = tcsi_yaml_get(root, key);
    if (!node) return NULL;
    if (node->kind == TCSI_YAML_TEXT && !*node->text) return NULL; /* "rules:" and nothing more */
    if (node->kind != TCSI_YAML_MAP) {
        PROBLEM(r, node, "'%s' is %s; expected names, each with what it stands for", key, kind_name(node));
        return NULL;
    }
    if (node->count > count_max) {
        PROBLEM(r, node, "%zu entries of '%s'; at most %zu", node->count, key, count_max);
        return NULL;
    }
    return node;
}

static const char *text_of(reader *r, const tcsi_yaml *node, const char *what)
{
    if (node->kind == TCSI_YAML_TEXT && *node->text) return node->text;
    PROBLEM(r, node, "%s is %s; expected a text", what, node->kind == TCSI_YAML_TEXT ? "empty" : kind_name(node));
    return NULL;
}

/* ~, null and nothing are fallback. */
static double number_of(reader *r, const tcsi_yaml *node, const char *what, double fallback)
{
    char *end;
    if (node->kind != TCSI_YAML_TEXT) {
        PROBLEM(r, node, "%s is %s; expected a number", what, kind_name(node));
        return fallback;
    }
    const char *text = node->text;
    if (!*text || strcmp(text, "~") == 0 || strcmp(text, "null") == 0) return fallback;
    if (strcmp(text, ".inf") == 0 || strcmp(text, "+.inf") == 0) return INFINITY;
    if (strcmp(text, "-.inf") == 0) return -INFINITY;
    const double value = strtod(text, &end);
    if (*end == 0 && fabs(value) <= 1e100) return value;
    PROBLEM(r, node, "%s is '%.40s'; expected a number", what, text);
    return fallback;
}

static int64_t duration_of(reader *r, const tcsi_yaml *node, const char *what)
{
    int64_t duration_ns = 0;
    const char *text = text_of(r, node, what);
    if (text && !tcsi_duration_parse(text, &duration_ns)) PROBLEM(r, node, "%s is '%.40s'; expected a duration such as 90s, 5min or 2h",
                                                                  what, text);
    return duration_ns;
}

/* A text, or a list of texts, as an array. */
static const char *const *texts_of(reader *r, const tcsi_yaml *node, const char *what, size_t *ret_count)
{
    const size_t count = node->kind == TCSI_YAML_LIST ? node->count : 1;
    const char **texts = ROOM(r, const char *, count);
    *ret_count = 0;
    if (!texts) return NULL;
    if (node->kind == TCSI_YAML_MAP || count == 0) PROBLEM(r, node, "%s is %s; expected a text or a list of texts", what,
                                                           count ? kind_name(node) : "an empty list");
    else if (node->kind == TCSI_YAML_TEXT) {
        if ((texts[0] = text_of(r, node, what))) *ret_count = 1;
    } else
        for (const tcsi_yaml *item = node->first; item; item = item->next)
            if ((texts[*ret_count] = text_of(r, item, what))) ++*ret_count;
    return texts;
}

/* ---- channels ---- */

static void read_range(reader *r, const tcsi_yaml *node, tcsi_channel_fact *fact)
{
    if (node->kind != TCSI_YAML_LIST || node->count != 2) {
        PROBLEM(r, node, "the range of '%.60s' is not two numbers; expected [lowest, highest], ~ for none", fact->pattern);
        return;
    }
    fact->low = number_of(r, node->first, "the lowest value of a range", -INFINITY);
    fact->high = number_of(r, node->last, "the highest value of a range", INFINITY);
    if (!(fact->low < fact->high))
        PROBLEM(r, node, "the range of '%.60s' is impossible: no value is both at least %g and at most %g; expected the lower one first",
                fact->pattern, fact->low, fact->high);
}

static void read_limit(reader *r, const tcsi_yaml *node, const tcsi_channel_fact *fact, tcsi_limit *limit)
{
    *limit = (tcsi_limit){ .pattern = fact->pattern, .line = node->line, .below = NAN, .above = NAN };
    if (!IS_MAP(r, node, "an alarm", "above", "below", "for")) return;
    const tcsi_yaml *above = tcsi_yaml_get(node, "above"), *below = tcsi_yaml_get(node, "below"), *lasting = tcsi_yaml_get(node, "for");
    if (above) limit->above = number_of(r, above, "'above'", NAN);
    if (below) limit->below = number_of(r, below, "'below'", NAN);
    if (lasting) limit->for_ns = duration_of(r, lasting, "'for'");
    if (isnan(limit->above) && isnan(limit->below)) PROBLEM(r, node, "an alarm of '%.60s' without a limit; expected above or below",
                                                            fact->pattern);
    if (limit->below > limit->above)
        PROBLEM(r, node, "the alarm of '%.60s' is for every value: all are above %g or below %g; expected below less than above",
                fact->pattern,
                limit->above, limit->below);
    if (limit->above < fact->low || limit->below > fact->high)
        PROBLEM(r, node, "the alarm of '%.60s' is for every possible value: its range is %g to %g", fact->pattern, fact->low, fact->high);
    else if (limit->above >= fact->high || limit->below <= fact->low)
        PROBLEM(r, node, "an alarm of '%.60s' that cannot happen: readings outside %g to %g are faults, not values", fact->pattern,
                fact->low,
                fact->high);
}

static void read_channel(reader *r, const tcsi_yaml *node, tcsi_channel_fact *fact, tcsi_limit *limits)
{
    *fact = (tcsi_channel_fact){ .pattern = node->key, .line = node->line, .low = -INFINITY, .high = INFINITY };
    if (!*fact->pattern) PROBLEM(r, node, "a channel without a name");
    if (!IS_MAP(r, node, "a channel", "unit", "range", "alarm")) return;
    const tcsi_yaml *unit = tcsi_yaml_get(node, "unit"), *range = tcsi_yaml_get(node, "range"), *alarm = tcsi_yaml_get(node, "alarm");
    if (unit) fact->unit = text_of(r, unit, "a unit");
    if (range) read_range(r, range, fact);
    if (!alarm) return;
    if (alarm->kind != TCSI_YAML_LIST) read_limit(r, alarm, fact, &limits[r->k->limit_count++]);
    else for (const tcsi_yaml *item = alarm->first; item; item = item->next) read_limit(r, item, fact, &limits[r->k->limit_count++]);
}

static void read_channels(reader *r, const tcsi_yaml *root)
{
    const tcsi_yaml *node = section_of(r, root, "channels", TCSI_ENTRY_COUNT_MAX);
    size_t limit_count = 0;
    if (!node) return;
    for (const tcsi_yaml *item = node->first; item; item = item->next) {
        const tcsi_yaml *alarm = tcsi_yaml_get(item, "alarm");
        if (alarm) limit_count += alarm->kind == TCSI_YAML_LIST ? alarm->count : 1;
    }
    if (limit_count > TCSI_ENTRY_COUNT_MAX) PROBLEM(r, node, "%zu alarms; at most %d", limit_count, TCSI_ENTRY_COUNT_MAX);
    tcsi_channel_fact *facts = ROOM(r, tcsi_channel_fact, node->count);
    tcsi_limit *limits = ROOM(r, tcsi_limit, limit_count);
    if (!facts || !limits || limit_count > TCSI_ENTRY_COUNT_MAX) return;
    for (const tcsi_yaml *item = node->first; item; item = item->next) read_channel(r, item, &facts[r->k->fact_count++], limits);
    r->k->facts = facts;
    r->k->limits = limits;
}

/* ---- formulas ---- */

static void read_formula(reader *r, const tcsi_yaml *node, bool is_constraint, tcsi_formula *formula)
{
    bool is_good = false;
    *formula = (tcsi_formula){ .name = node->key, .line = node->line, .is_constraint = is_constraint };
    if (!*node->key) PROBLEM(r, node, "a formula without a name");
    formula->text = text_of(r, node, is_constraint ? "a constraint" : "a derived channel");
    if (!formula->text || r->status != TCS_OK) return;
    if (is_constraint)
        r->status = tcsi_equation_parse(formula->text, node->line, &r->k->arena, r->problems, &formula->equation, &is_good, r->err);
    else r->status = tcsi_expression_parse(formula->text, false, node->line, &r->k->arena, r->problems, &formula->expression, &is_good,
                                           r->err);
    if (is_good && is_constraint) formula->expression = formula->equation.difference;
}

static void read_formulas(reader *r, const tcsi_yaml *root)
{
    static const char *const keys[] = { "derived", "constraints" };
    tcsi_formula *formulas = ROOM(r, tcsi_formula, 2 * TCSI_FORMULA_COUNT_MAX);
    if (!formulas) return;
    r->k->formulas = formulas;
    for (size_t i = 0; i < TCS_COUNT(keys); i++) {
        const tcsi_yaml *node = section_of(r, root, keys[i], TCSI_FORMULA_COUNT_MAX);
        for (const tcsi_yaml *item = node ? node->first : NULL; item; item = item->next) {
            const size_t before = tcsi_knowledge_formula(r->k, item->key);
            if (before < r->k->formula_count)
                PROBLEM(r, item, "'%.60s' names a derived channel and a constraint (line %zu); expected another name", item->key,
                        formulas[before].line);
            read_formula(r, item, i == 1, &formulas[r->k->formula_count++]);
        }
    }
}

/* ---- signatures ---- */

static void read_step(reader *r, const tcsi_yaml *node, bool is_first, tcsi_step *step)
{
    static const char *const names[] = {
#define X(kind, name, help) name,
        TCSI_SHAPE_LIST(X)
#undef X
    };
    char suggestion[TCSI_SUGGESTION_SIZE];
    *step = (tcsi_step){ .line = node->line };
    if (!IS_MAP(r, node, "a step", "channel", "shape", "within")) return;
    const tcsi_yaml *channel = tcsi_yaml_get(node, "channel"), *shape = tcsi_yaml_get(node, "shape"),
        *within = tcsi_yaml_get(node, "within");
    if (!channel || !shape) {
        PROBLEM(r, node, "a step without %s; expected channel and shape", channel ? "shape" : "channel");
        return;
    }
    step->pattern = text_of(r, channel, "a step's channel");
    const char *word = text_of(r, shape, "a shape");
    while (word && step->shape < TCSI_SHAPE_COUNT && strcmp(word, names[step->shape]) != 0) step->shape++;
    if (word && step->shape == TCSI_SHAPE_COUNT) {
        tcsi_problems_suggest(word, names, TCSI_SHAPE_COUNT, suggestion);
        PROBLEM(r, shape, "no shape '%.40s'%s expected rise, fall, spike, stuck, drop-out, oscillation or noise", word,
                *suggestion ? suggestion : ";");
    }
    if (within) step->within_ns = duration_of(r, within, "'within'");
    if (within && is_first) PROBLEM(r, within, "'within' of the first step; it counts from the step before");
}

static void read_signature(reader *r, const tcsi_yaml *node, tcsi_signature *signature)
{
    *signature = (tcsi_signature){ .name = node->key, .line = node->line };
    if (!IS_MAP(r, node, "a signature", "steps", "order")) return;
    const tcsi_yaml *steps = tcsi_yaml_get(node, "steps"), *order = tcsi_yaml_get(node, "order");
    const char *word = order ? text_of(r, order, "'order'") : NULL;
    if (word && strcmp(word, "any") != 0 && strcmp(word, "as given") != 0)
        PROBLEM(r, order, "an order '%.40s'; expected any, or as given (the default)", word);
    signature->in_any_order = word && strcmp(word, "any") == 0;
    if (!steps || steps->kind != TCSI_YAML_LIST || steps->count == 0 || steps->count > TCSI_STEP_COUNT_MAX) {
        PROBLEM(r, steps ? steps : node, "the signature '%.60s' has no list of 1 to %d steps", node->key, TCSI_STEP_COUNT_MAX);
        return;
    }
    tcsi_step *room = ROOM(r, tcsi_step, steps->count);
    if (!room) return;
    for (const tcsi_yaml *item = steps->first; item; item = item->next) {
        tcsi_step *step = &room[signature->step_count];
        read_step(r, item, signature->step_count++ == 0, step);
        if (signature->in_any_order && step->within_ns > 0) PROBLEM(r, item, "'within' without an order; it counts from the step before");
    }
    signature->steps = room;
}

static void read_signatures(reader *r, const tcsi_yaml *root)
{
    const tcsi_yaml *node = section_of(r, root, "signatures", 256);
    tcsi_signature *signatures = node ? ROOM(r, tcsi_signature, node->count) : NULL;
    if (!signatures) return;
    for (const tcsi_yaml *item = node->first; item; item = item->next) read_signature(r, item, &signatures[r->k->signature_count++]);
    r->k->signatures = signatures;
}

/* ---- events ---- */

static const tcsi_zone_data *find_data(const tcsi_zone_data *data, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(data[i].name, name) == 0) return &data[i];
    return NULL;
}

/* From what was given or from the C library's files; kept in either case. */
static void load_zone(reader *r, const tcsi_yaml *node, const char *name, tcsi_zone *zone)
{
    tcs_error why = { 0 };
    tcsi_buffer bytes;
    tcsi_buffer_init(&bytes, TCSI_ZONE_SIZE_MAX);
    const tcsi_zone_data *given = find_data(r->given, r->given_count, name);
    tcs_status status = given ? tcsi_buffer_append(&bytes, given->bytes, given->size, &why) : tcsi_zone_file(name, &bytes, &why);
    void *kept = status == TCS_OK ? take_room(r, bytes.size, 1) : NULL;
    if (kept) {
        memcpy(kept, bytes.data, bytes.size);
        status = tcsi_zone_parse(name, kept, bytes.size, &r->k->arena, zone, &why);
        r->k->zone_data[r->k->zone_data_count++] = (tcsi_zone_data){ zone->name, kept, bytes.size };
    }
    if (status == TCS_E_MEMORY) r->status = tcsi_fail_memory(r->err, "a time zone");
    else if (status != TCS_OK) PROBLEM(r, node, "%s", why.text);
    tcsi_buffer_deinit(&bytes);
}

static const tcsi_zone *zone_of(reader *r, const tcsi_yaml *node)
{
    const char *name = text_of(r, node, "a zone");
    if (!name || r->status != TCS_OK) return r->zone;
    for (size_t i = 0; i < r->k->zone_count; i++)
        if (strcmp(r->k->zones[i].name, name) == 0) return &r->k->zones[i];
    if (r->k->zone_count == TCSI_ZONE_COUNT_MAX) {
        PROBLEM(r, node, "more than %d time zones", TCSI_ZONE_COUNT_MAX);
        return r->zone;
    }
    tcsi_zone *zone = &r->k->zones[r->k->zone_count++];
    snprintf(zone->name, sizeof zone->name, "%s", name);
    if (!tcsi_zone_fixed(name, zone)) load_zone(r, node, name, zone);
    return zone;
}

/* A time as written, on the clock of zone unless it ends in Z or an offset. */
static int64_t moment_of(reader *r, const tcsi_yaml *node, const tcsi_zone *zone, const char *what)
{
    const tcsi_time_format format = { .kind = TCSI_TIME_ISO };
    int64_t time_ns = 0;
    const char *text = text_of(r, node, what);
    if (!text) return 0;
    if (strlen(text) < 10 || text[4] != '-' || !tcsi_time_parse(&format, text, strlen(text), &time_ns)) {
        PROBLEM(r, node, "%s is '%.40s'; expected a time such as 2026-03-01T08:00", what, text);
        return 0;
    }
    const char *clock = text + 10;
    if (strpbrk(clock, "Zz+-")) return time_ns;
    return tcsi_zone_moment(zone, time_ns / TCSI_NS_PER_S) * TCSI_NS_PER_S + time_ns % TCSI_NS_PER_S;
}

static void read_once(reader *r, const tcsi_yaml *node, tcsi_known_event *event)
{
    const tcsi_yaml *from = tcsi_yaml_get(node, "from"), *to = tcsi_yaml_get(node, "to");
    event->kind = TCSI_EVENT_ONCE;
    if (!from || !to) {
        PROBLEM(r, node, "the event '%.60s' has no '%s'; expected from and to", event->name, from ? "to" : "from");
        return;
    }
    event->begin_ns = moment_of(r, from, event->zone, "'from'");
    event->end_ns = moment_of(r, to, event->zone, "'to'");
    if (event->end_ns <= event->begin_ns) PROBLEM(r, to, "the event '%.60s' ends before it begins", event->name);
}

/* "02:00", on every day or on one weekday. */
static bool clock_cron(const char *text, int weekday, tcsi_cron *ret_cron)
{
    unsigned hour, minute;
    if (!tcsi_clock_parse(text, &hour, &minute)) return false;
    *ret_cron = (tcsi_cron){ .minutes = UINT64_C(1) << minute, .hours = 1u << hour, .days = ~1u, .months = 0x1ffe,
                             .weekdays = (uint8_t)(weekday < 0 ? 0x7fu : 1u << weekday) };
    return true;
}

/* "sun 02:00" */
static bool weekly_cron(const char *text, tcsi_cron *ret_cron)
{
    char day[16];
    const size_t length = strcspn(text, " ");
    if (length >= sizeof day || !text[length]) return false;
    memcpy(day, text, length);
    day[length] = 0;
    const int weekday = tcsi_weekday_parse(day);
    return weekday >= 0 && clock_cron(text + length + strspn(text + length, " "), weekday, ret_cron);
}

static void read_recurring(reader *r, const tcsi_yaml *node, const tcsi_yaml *when, tcsi_known_event *event)
{
    static const char *const fields[] = { "minute", "hour", "day", "month", "weekday", "number of fields" };
    const bool is_cron = strcmp(when->key, "cron") == 0, is_weekly = strcmp(when->key, "weekly") == 0;
    const tcsi_yaml *lasting = tcsi_yaml_get(node, "for");
    size_t count;
    const char *const *texts = texts_of(r, when, "the time of an event", &count);
    event->kind = TCSI_EVENT_RECURRING;
    if (count > TCS_COUNT(event->crons)) PROBLEM(r, when, "%zu times of an event; at most %zu", count, TCS_COUNT(event->crons));
    for (size_t i = 0; texts && i < count && i < TCS_COUNT(event->crons); i++) {
        tcsi_cron *cron = &event->crons[event->cron_count++];
        size_t field = 5;
        if (is_cron && !tcsi_cron_parse(texts[i], cron, &field))
            PROBLEM(r, when, "'%.40s' is no cron line, by its %s; expected minute hour day month weekday, as 30 2 * * sun", texts[i],
                    fields[field]);
        if (!is_cron && !(is_weekly ? weekly_cron(texts[i], cron) : clock_cron(texts[i], -1, cron)))
            PROBLEM(r, when, "'%.40s' is no time; expected %s", texts[i], is_weekly ? "a weekday and a time, as sun 02:00"
                    : "HH:MM, as 02:00");
    }
    if (!lasting) {
        PROBLEM(r, node, "the event '%.60s' has no 'for'; expected how long it lasts", event->name);
        return;
    }
    event->duration_ns = duration_of(r, lasting, "'for'");
    if (event->duration_ns > TCSI_EVENT_DAYS_MAX * TCSI_NS_PER_DAY || event->duration_ns % TCSI_NS_PER_S)
        PROBLEM(r, lasting, "'for' of an event; expected whole seconds, at most %d days", TCSI_EVENT_DAYS_MAX);
}

static void read_days(reader *r, const tcsi_yaml *days, tcsi_known_event *event)
{
    size_t count;
    const char *const *texts = texts_of(r, days, "a day", &count);
    tcsi_date *dates = ROOM(r, tcsi_date, count);
    event->kind = TCSI_EVENT_DAYS;
    if (!texts || !dates) return;
    for (size_t i = 0; i < count; i++)
        if (!tcsi_date_parse(texts[i], &dates[event->date_count++]))
            PROBLEM(r, days, "'%.40s' is no day; expected 2026-12-24, or 12-24 for every year", texts[i]);
    event->dates = dates;
}

static void read_event(reader *r, const tcsi_yaml *node, tcsi_known_event *event)
{
    static const char *const forms[] = { "from", "daily", "weekly", "cron", "days" };
    const tcsi_yaml *form = NULL;
    *event = (tcsi_known_event){ .name = node->key, .line = node->line, .zone = r->zone };
    if (!IS_MAP(r, node, "an event", "from", "to", "daily", "weekly", "cron", "days", "for", "zone", "channels")) return;
    const tcsi_yaml *zone = tcsi_yaml_get(node, "zone"), *channels = tcsi_yaml_get(node, "channels");
    if (zone) event->zone = zone_of(r, zone);
    if (channels) event->channels = texts_of(r, channels, "an event's channel", &event->channel_count);
    for (size_t i = 0; i < TCS_COUNT(forms); i++) {
        const tcsi_yaml *found = tcsi_yaml_get(node, forms[i]);
        if (found && form) PROBLEM(r, found, "the event '%.60s' is stated twice, by '%s' and by '%s'; expected one of them", node->key,
                                   form->key, found->key);
        if (found) form = found;
    }
    if (!form) PROBLEM(r, node, "the event '%.60s' has no time; expected from and to, daily, weekly, cron or days", node->key);
    else if (strcmp(form->key, "from") == 0) read_once(r, node, event);
    else if (strcmp(form->key, "days") == 0) read_days(r, form, event);
    else read_recurring(r, node, form, event);
}

static void read_events(reader *r, const tcsi_yaml *root)
{
    const tcsi_yaml *node = section_of(r, root, "events", TCSI_ENTRY_COUNT_MAX);
    tcsi_known_event *events = node ? ROOM(r, tcsi_known_event, node->count) : NULL;
    if (!events) return;
    for (const tcsi_yaml *item = node->first; item; item = item->next) read_event(r, item, &events[r->k->event_count++]);
    r->k->events = events;
}

/* ---- rules ---- */

static void read_rule(reader *r, const tcsi_yaml *node, tcsi_rule *rule)
{
    bool is_good;
    *rule = (tcsi_rule){ .name = node->key, .line = node->line };
    if (!IS_MAP(r, node, "a rule", "when", "says")) return;
    const tcsi_yaml *when = tcsi_yaml_get(node, "when"), *says = tcsi_yaml_get(node, "says");
    const char *word = says ? text_of(r, says, "'says'") : NULL;
    if (!when || !says) PROBLEM(r, node, "the rule '%.60s' has no '%s'; expected when and says", node->key, when ? "says" : "when");
    if (word && strcmp(word, "anomaly") != 0 && strcmp(word, "normal") != 0) PROBLEM(r, says,
                                                                                     "a rule says '%.40s'; expected anomaly or normal",
                                                                                         word);
    rule->says_anomaly = word && strcmp(word, "anomaly") == 0;
    rule->text = when ? text_of(r, when, "'when'") : NULL;
    if (rule->text && r->status == TCS_OK)
        r->status = tcsi_expression_parse(rule->text, true, when->line, &r->k->arena, r->problems, &rule->when, &is_good, r->err);
}

static void read_rules(reader *r, const tcsi_yaml *root)
{
    const tcsi_yaml *node = section_of(r, root, "rules", TCSI_RULE_COUNT_MAX);
    tcsi_rule *rules = node ? ROOM(r, tcsi_rule, node->count) : NULL;
    if (!rules) return;
    for (const tcsi_yaml *item = node->first; item; item = item->next) read_rule(r, item, &rules[r->k->rule_count++]);
    r->k->rules = rules;
}

/* ---- the file ---- */

static void read_root(reader *r, const tcsi_yaml *root)
{
    static const tcsi_zone utc = { .name = "UTC" };
    if (!IS_MAP(r, root, "the file", "version", "zone", "channels", "derived", "constraints", "signatures", "events", "rules")) return;
    const tcsi_yaml *version = tcsi_yaml_get(root, "version"), *zone = tcsi_yaml_get(root, "zone");
    if (!version || version->kind != TCSI_YAML_TEXT || strcmp(version->text, "1") != 0)
        PROBLEM(r, version ? version : root, "%s; expected version: 1", version ? "a version that is not known" : "no version");
    r->k->zones = ROOM(r, tcsi_zone, TCSI_ZONE_COUNT_MAX);
    r->k->zone_data = ROOM(r, tcsi_zone_data, TCSI_ZONE_COUNT_MAX);
    if (r->status != TCS_OK) return;
    r->zone = &utc;
    if (zone) r->zone = zone_of(r, zone);
    read_channels(r, root);
    read_formulas(r, root);
    read_signatures(r, root);
    read_events(r, root);
    read_rules(r, root);
}

tcs_status tcsi_knowledge_parse(const char *text, size_t size, const char *file, const tcsi_zone_data *zone_data, size_t zone_data_count,
                                tcsi_problems *problems, tcsi_knowledge **ret_knowledge, tcs_error *err)
{
    const tcsi_yaml *root;
    tcsi_problems_init(problems, file);
    tcsi_knowledge *k = TCSI_NEW(tcsi_knowledge);
    if (!k) return tcsi_fail_memory(err, "knowledge");
    atomic_init(&k->owner_count, 1);
    tcsi_arena_init(&k->arena, (size_t)1 << 28);
    k->file = tcsi_arena_strndup(&k->arena, file, strlen(file));
    k->text = tcsi_arena_strndup(&k->arena, text, size);
    k->text_size = size;
    reader r = { .k = k, .problems = problems, .given = zone_data, .given_count = zone_data_count, .err = err };
    r.status = k->file && k->text ? tcsi_yaml_parse(text, size, &k->arena, problems, &root, err) : tcsi_fail_memory(err, "knowledge");
    if (r.status == TCS_OK && root) read_root(&r, root);
    if (r.status == TCS_OK && problems->count == 0) r.status = tcsi_knowledge_check_circles(k, problems, err);
    if (r.status == TCS_OK && problems->count == 0) r.status = tcsi_knowledge_check_contradictions(k, problems, err);
    if (r.status == TCS_OK) r.status = tcsi_problems_status(problems, err);
    if (r.status == TCS_OK) *ret_knowledge = k;
    else tcsi_knowledge_destroy(k);
    return r.status;
}

tcs_status tcsi_knowledge_read(const char *path, tcsi_problems *problems, tcsi_knowledge **ret_knowledge, tcs_error *err)
{
    tcsi_buffer bytes;
    tcsi_problems_init(problems, path);
    tcsi_buffer_init(&bytes, TCSI_YAML_SIZE_MAX);
    tcs_status status = tcsi_file_read(path, &bytes, err);
    if (status == TCS_OK)
        status = tcsi_knowledge_parse(bytes.data ? bytes.data : "", bytes.size, path, NULL, 0, problems, ret_knowledge, err);
    tcsi_buffer_deinit(&bytes);
    return status;
}

const tcsi_knowledge *tcsi_knowledge_ref(const tcsi_knowledge *knowledge)
{
    if (knowledge) atomic_fetch_add(&((tcsi_knowledge *)knowledge)->owner_count, 1);
    return knowledge;
}

void tcsi_knowledge_destroy(const tcsi_knowledge *knowledge)
{
    tcsi_knowledge *last = (tcsi_knowledge *)knowledge;
    if (!last || atomic_fetch_sub(&last->owner_count, 1) > 1) return;
    tcsi_arena_deinit(&last->arena);
    tcsi_free(last);
}

/* ---- saved form: the text, its name, and the zones ---- */

enum { FILE_SIZE_MAX = 4096 };

static char *persist_text(const char *text, size_t size_max, tcsi_codec *codec)
{
    size_t size = text ? strlen(text) : 0;
    tcsi_codec_size(codec, &size, size_max);
    if (!tcsi_codec_loading(codec)) {
        tcsi_buffer copy; /* the codec takes what could be written to */
        tcsi_buffer_init(&copy, SIZE_MAX);
        if (tcsi_codec_status(codec) == TCS_OK) codec->status = tcsi_buffer_append(&copy, text, size, codec->err);
        tcsi_codec_bytes(codec, copy.data, size);
        tcsi_buffer_deinit(&copy);
        return NULL;
    }
    if (tcsi_codec_status(codec) != TCS_OK) return NULL;
    if (size > codec->in_size) {
        tcsi_codec_refuse(codec, "knowledge that ends early");
        return NULL;
    }
    char *loaded = tcsi_strndup((const char *)codec->in, size);
    if (!loaded) codec->status = tcsi_fail_memory(codec->err, "knowledge");
    codec->in += size;
    codec->in_size -= size;
    return loaded;
}

/* Points into the codec's bytes. */
static void load_zones(tcsi_codec *codec, tcsi_zone_data *zones, char (*names)[TCSI_ZONE_NAME_SIZE], size_t count)
{
    for (size_t i = 0; i < count && tcsi_codec_status(codec) == TCS_OK; i++) {
        size_t size = 0;
        tcsi_codec_bytes(codec, names[i], TCSI_ZONE_NAME_SIZE);
        names[i][TCSI_ZONE_NAME_SIZE - 1] = 0;
        tcsi_codec_size(codec, &size, TCSI_ZONE_SIZE_MAX);
        if (tcsi_codec_status(codec) == TCS_OK && size > codec->in_size) tcsi_codec_refuse(codec, "a time zone that ends early");
        if (tcsi_codec_status(codec) != TCS_OK) return;
        zones[i] = (tcsi_zone_data){ names[i], codec->in, size };
        codec->in += size;
        codec->in_size -= size;
    }
}

static void save_zones(const tcsi_knowledge *knowledge, tcsi_codec *codec)
{
    for (size_t i = 0; i < knowledge->zone_data_count; i++) {
        const tcsi_zone_data *zone = &knowledge->zone_data[i];
        char name[TCSI_ZONE_NAME_SIZE] = "";
        size_t size = zone->size;
        snprintf(name, sizeof name, "%s", zone->name);
        tcsi_codec_bytes(codec, name, sizeof name);
        tcsi_codec_size(codec, &size, TCSI_ZONE_SIZE_MAX);
        if (tcsi_codec_status(codec) == TCS_OK) codec->status = tcsi_buffer_append(codec->out, zone->bytes, size, codec->err);
    }
}

static void load(const tcsi_knowledge **knowledge, size_t zone_count, const char *file, const char *text, tcsi_codec *codec)
{
    tcsi_knowledge *loaded = NULL;
    tcsi_zone_data zones[TCSI_ZONE_COUNT_MAX];
    char names[TCSI_ZONE_COUNT_MAX][TCSI_ZONE_NAME_SIZE];
    load_zones(codec, zones, names, zone_count);
    tcsi_problems *problems = TCSI_NEW(tcsi_problems);
    if (!problems && tcsi_codec_status(codec) == TCS_OK) codec->status = tcsi_fail_memory(codec->err, "knowledge");
    if (tcsi_codec_status(codec) == TCS_OK)
        codec->status = tcsi_knowledge_parse(text, strlen(text), file, zones, zone_count, problems, &loaded, codec->err);
    *knowledge = loaded;
    tcsi_free(problems);
}

void tcsi_knowledge_persist(const tcsi_knowledge **knowledge, tcsi_codec *codec)
{
    const tcsi_knowledge *k = *knowledge;
    size_t zone_count = k ? k->zone_data_count : 0;
    tcsi_codec_tag(codec, "KNOW");
    char *file = persist_text(k ? k->file : NULL, FILE_SIZE_MAX, codec);
    char *text = persist_text(k ? k->text : NULL, TCSI_YAML_SIZE_MAX, codec);
    tcsi_codec_size(codec, &zone_count, TCSI_ZONE_COUNT_MAX);
    if (!tcsi_codec_loading(codec)) save_zones(k, codec);
    else if (file && text && tcsi_codec_status(codec) == TCS_OK) load(knowledge, zone_count, file, text, codec);
    tcsi_free(file);
    tcsi_free(text);
}

/* ---- small questions ---- */

size_t tcsi_knowledge_formula(const tcsi_knowledge *knowledge, const char *name)
{
    size_t i = 0;
    while (i < knowledge->formula_count && strcmp(knowledge->formulas[i].name, name) != 0) i++;
    return i;
}

bool tcsi_pattern_is_name(const char *pattern) { return !strpbrk(pattern, "*?"); }

/* Greedy with one place to go back to: linear but for the last *. */
bool tcsi_pattern_matches(const char *pattern, const char *name)
{
    const char *star = NULL, *resume = NULL;
    while (*name) {
        if (*pattern == '*') {
            star = ++pattern;
            resume = name;
        } else if (*pattern == '?' || *pattern == *name) {
            pattern++;
            name++;
        } else if (star) {
            pattern = star;
            name = ++resume;
        } else return false;
    }
    while (*pattern == '*') pattern++;
    return *pattern == 0;
}

const char *tcsi_shape_name(tcsi_shape_kind shape)
{
    static const char *const names[] = {
#define X(kind, name, help) name,
        TCSI_SHAPE_LIST(X)
#undef X
    };
    return names[shape];
}
