/* knowledge/describe.c -- what was understood of a file, in words, so that whoever wrote it can see whether it says what they meant.
 * SPDX-License-Identifier: Apache-2.0 */
#include "knowledge/knowledge.h"

#include "series/time.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void tcsi_duration_format(int64_t duration_ns, char *ret_text, size_t size)
{
    static const struct { double ns; const char *unit; } units[] = {
        { 604800e9, "w" }, { 86400e9, "d" }, { 3600e9, "h" }, { 60e9, "min" }, { 1e9, "s" }, { 1e6, "ms" },
    };
    const double ns = (double)duration_ns;
    for (size_t i = 0; i < TCS_COUNT(units); i++)
        if (ns >= units[i].ns && fmod(ns, units[i].ns) == 0) {
            snprintf(ret_text, size, "%.6g %s", ns / units[i].ns, units[i].unit);
            return;
        }
    snprintf(ret_text, size, "%.6g s", ns * 1e-9);
}

void tcsi_limit_format(const tcsi_limit *limit, const char *channel, const char *unit, char *ret_text, size_t size)
{
    char duration[32], above[64] = "", below[64] = "";
    tcsi_duration_format(limit->for_ns, duration, sizeof duration);
    if (!isnan(limit->above)) snprintf(above, sizeof above, " above %g", limit->above);
    if (!isnan(limit->below)) snprintf(below, sizeof below, " below %g", limit->below);
    snprintf(ret_text, size, "%.80s%s%s%s%s%.20s%s%s", channel, above, *above && *below ? " or" : "", below, unit ? " " : "", unit ? unit
             : "",
             limit->for_ns > 0 ? " for " : "", limit->for_ns > 0 ? duration : "");
}

/* The first failure is kept: then nothing more is written. */
typedef struct teller {
    const tcsi_knowledge *k;
    tcsi_buffer *out;
    tcs_status status;
    tcs_error *err;
} teller;

#define TELL(t, ...) \
    do { \
        if ((t)->status == TCS_OK) (t)->status = tcsi_buffer_printf((t)->out, (t)->err, __VA_ARGS__); \
    } while (0)

static void tell_fact(teller *t, const tcsi_channel_fact *fact)
{
    char text[256];
    const char *unit = fact->unit ? fact->unit : "";
    TELL(t, "channel %s", fact->pattern);
    if (*unit) TELL(t, ", in %s", unit);
    TELL(t, "\n");
    if (isfinite(fact->low) && isfinite(fact->high))
        TELL(t, "  readings below %g or above %g are impossible: taken as missing, and counted\n", fact->low, fact->high);
    else if (isfinite(fact->low)) TELL(t, "  readings below %g are impossible: taken as missing, and counted\n", fact->low);
    else if (isfinite(fact->high)) TELL(t, "  readings above %g are impossible: taken as missing, and counted\n", fact->high);
    for (size_t i = 0; i < t->k->limit_count; i++) {
        if (t->k->limits[i].pattern != fact->pattern) continue;
        tcsi_limit_format(&t->k->limits[i], fact->pattern, fact->unit, text, sizeof text);
        TELL(t, "  always an alarm: %s\n", text);
    }
}

static void tell_formula(teller *t, const tcsi_formula *formula)
{
    const tcsi_equation *e = &formula->equation;
    if (!formula->is_constraint) TELL(t, "derived channel %s: %s\n", formula->name, formula->text);
    else TELL(t, "constraint %s: %s\n  a channel that is 0 where it holds exactly and %s1 at the tolerance of %g%s\n", formula->name,
              formula->text,
              e->relation == TCSI_RELATION_EQUAL ? "±" : e->relation == TCSI_RELATION_AT_MOST ? "" : "-", e->tolerance,
              e->is_percent ? " % of its largest term" : "");
}

static void tell_signature(teller *t, const tcsi_signature *signature)
{
    char duration[32];
    TELL(t, "signature %s: an episode is called so when ", signature->name);
    for (size_t i = 0; i < signature->step_count; i++) {
        const tcsi_step *step = &signature->steps[i];
        tcsi_duration_format(step->within_ns, duration, sizeof duration);
        TELL(t, "%s%s shows a %s%s%s", i == 0 ? "" : signature->in_any_order ? " and " : ", then ", step->pattern,
             tcsi_shape_name(step->shape),
             step->within_ns > 0 ? " within " : "", step->within_ns > 0 ? duration : "");
    }
    TELL(t, "\n");
}

static void tell_clock(teller *t, const tcsi_cron *cron)
{
    static const char *const days[] = { "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun" };
    unsigned hour = 0, minute = 0;
    while (hour < 23 && !(cron->hours >> hour & 1)) hour++;
    while (minute < 59 && !(cron->minutes >> minute & 1)) minute++;
    const bool is_one_time = cron->hours == 1u << hour && cron->minutes == UINT64_C(1) << minute;
    if (is_one_time) TELL(t, " at %02u:%02u", hour, minute);
    else TELL(t, " at the minutes and hours stated, first at %02u:%02u", hour, minute);
    if (cron->weekdays != 0x7f)
        for (size_t i = 0, count = 0; i < 7; i++)
            if (cron->weekdays >> i & 1) TELL(t, "%s%s", count++ ? ", " : " on ", days[i]);
    if (cron->days != ~1u) TELL(t, "%s on the stated days of the month", cron->either_day ? ", or" : "");
    if (cron->months != 0x1ffe) TELL(t, " in the stated months");
}

static void tell_event(teller *t, const tcsi_known_event *event)
{
    char from[TCSI_TIME_TEXT_SIZE], to[TCSI_TIME_TEXT_SIZE], duration[32];
    TELL(t, "event %s:", event->name);
    if (event->kind == TCSI_EVENT_ONCE) {
        tcsi_time_format_iso(event->begin_ns, from, sizeof from);
        tcsi_time_format_iso(event->end_ns, to, sizeof to);
        TELL(t, " from %s to %s", from, to);
    } else if (event->kind == TCSI_EVENT_RECURRING) {
        tcsi_duration_format(event->duration_ns, duration, sizeof duration);
        for (size_t i = 0; i < event->cron_count; i++) {
            if (i > 0) TELL(t, ";");
            tell_clock(t, &event->crons[i]);
        }
        TELL(t, ", for %s, %s time", duration, event->zone->name);
    } else TELL(t, " %zu whole day%s, %s time", event->date_count, event->date_count == 1 ? "" : "s", event->zone->name);
    if (event->channel_count == 0) TELL(t, "\n  what is found then is expected: listed, but no alarm, except by hard limits\n");
    else {
        TELL(t, "\n  what");
        for (size_t i = 0; i < event->channel_count; i++) TELL(t, "%s %s", i ? "," : "", event->channels[i]);
        TELL(t, " read%s then is not looked at, except by hard limits\n", event->channel_count == 1 ? "s" : "");
    }
}

static void tell_rule(teller *t, const tcsi_rule *rule)
{
    TELL(t, "rule %s: says %s when %s\n", rule->name, rule->says_anomaly ? "anomaly" : "normal", rule->text);
}

tcs_status tcsi_knowledge_describe(const tcsi_knowledge *knowledge, tcsi_buffer *out, tcs_error *err)
{
    teller t = { .k = knowledge, .out = out, .err = err, .status = TCS_OK };
    for (size_t i = 0; i < knowledge->fact_count; i++) tell_fact(&t, &knowledge->facts[i]);
    for (size_t i = 0; i < knowledge->formula_count; i++) tell_formula(&t, &knowledge->formulas[i]);
    for (size_t i = 0; i < knowledge->signature_count; i++) tell_signature(&t, &knowledge->signatures[i]);
    for (size_t i = 0; i < knowledge->event_count; i++) tell_event(&t, &knowledge->events[i]);
    for (size_t i = 0; i < knowledge->rule_count; i++) tell_rule(&t, &knowledge->rules[i]);
    if (out->size == 0) TELL(&t, "nothing is stated\n");
    return t.status;
}
