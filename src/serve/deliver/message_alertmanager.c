/* serve/deliver/message_alertmanager.c -- POST /api/v2/alerts (OpenAPI 2.0 document of Alertmanager: postableAlerts).
 *
 * Alertmanager knows an alert by its labels and takes one as over when it was not told again for resolve_timeout, or endsAt has passed.
 * So labels hold what never changes: alertname, the series' tags, and what the receiver's settings add.  Score, severity, times and
 * words are annotations.  endsAt is given when the alert is over; until then Alertmanager sets it itself.
 * Names of labels are [a-zA-Z_][a-zA-Z0-9_]*: other bytes become _; a name that is taken then is numbered, so that two series never
 * become one.  The metric's name is the label `metric`, since __name__ is Prometheus' own.  SPDX-License-Identifier: Apache-2.0 */
#include "serve/deliver/message.h"

#include "series/time.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { NAME_SIZE = 256, NAME_COUNT_MAX = TCSI_ALERT_TAG_COUNT_MAX + TCSI_RECEIVER_LIST_MAX + 1 };

typedef struct names {
    char items[NAME_COUNT_MAX][NAME_SIZE];
    size_t count;
} names;

static bool is_taken(const names *taken, const char *name)
{
    for (size_t i = 0; i < taken->count; i++)
        if (strcmp(taken->items[i], name) == 0) return true;
    return false;
}

/* A label's name that nobody has yet. */
static const char *name_for(names *taken, const char *tag)
{
    char plain[NAME_SIZE - 8];
    size_t length = 0;
    if (strcmp(tag, "__name__") == 0) tag = "metric";
    if (*tag >= '0' && *tag <= '9') plain[length++] = '_';
    for (; *tag && length + 1 < sizeof plain; tag++) {
        const bool fits = (*tag >= 'a' && *tag <= 'z') || (*tag >= 'A' && *tag <= 'Z') || (*tag >= '0' && *tag <= '9') || *tag == '_';
        plain[length++] = fits ? *tag : '_';
    }
    if (length == 0) plain[length++] = '_';
    plain[length] = 0;
    char *name = taken->items[taken->count];
    snprintf(name, NAME_SIZE, "%s", plain);
    for (size_t number = 2; is_taken(taken, name); number++) snprintf(name, NAME_SIZE, "%s_%zu", plain, number);
    taken->count++;
    return name;
}

static void put_labels(const tcsi_receiver *receiver, const tcsi_alert *alert, tcsi_json_writer *writer)
{
    names taken; /* 25 KiB of the stack */
    taken.count = 0;
    const char *name = NULL;
    for (size_t i = 0; i < receiver->label_count; i++)
        if (strcmp(receiver->labels[i].name, "alertname") == 0) name = receiver->labels[i].value;
    tcsi_json_key(writer, "labels");
    tcsi_json_begin_object(writer);
    tcsi_json_put_string(writer, name_for(&taken, "alertname"), name ? name : "TocsinAnomaly");
    for (size_t i = 0; i < receiver->label_count; i++)
        if (strcmp(receiver->labels[i].name, "alertname") != 0)
            tcsi_json_put_string(writer, name_for(&taken, receiver->labels[i].name), receiver->labels[i].value);
    for (size_t i = 0; i < alert->tag_count; i++)
        if (*alert->tags[i].value) tcsi_json_put_string(writer, name_for(&taken, alert->tags[i].name), alert->tags[i].value);
    tcsi_json_end_object(writer);
}

static void put_number(tcsi_json_writer *writer, const char *key, double value)
{
    char text[TCSI_NUMBER_TEXT_SIZE];
    if (!isfinite(value)) return;
    (void)tcsi_number_format(value, text);
    tcsi_json_put_string(writer, key, text); /* annotations are texts */
}

static void put_time(tcsi_json_writer *writer, const char *key, int64_t time_ns)
{
    char text[TCSI_TIME_TEXT_SIZE];
    (void)tcsi_time_format_iso(time_ns, text, sizeof text);
    tcsi_json_put_string(writer, key, text);
}

tcs_status tcsi_message_alertmanager(const tcsi_receiver *receiver, const tcsi_alert *alert, tcsi_buffer *out, tcs_error *err)
{
    tcsi_json_writer writer;
    tcsi_json_writer_init(&writer, out, false);
    tcsi_json_begin_array(&writer);
    tcsi_json_begin_object(&writer);
    put_labels(receiver, alert, &writer);
    tcsi_json_key(&writer, "annotations");
    tcsi_json_begin_object(&writer);
    tcsi_json_put_string(&writer, "summary", alert->summary);
    if (*alert->description) tcsi_json_put_string(&writer, "description", alert->description);
    tcsi_json_put_string(&writer, "state", tcsi_alert_state_names[alert->state]);
    put_number(&writer, "severity", alert->severity);
    put_number(&writer, "value", alert->value);
    put_number(&writer, "expected_lower", alert->expected_lower);
    put_number(&writer, "expected_upper", alert->expected_upper);
    tcsi_json_put_string(&writer, "episode", alert->episode_id);
    if (*alert->incident_id) tcsi_json_put_string(&writer, "incident", alert->incident_id);
    tcsi_json_end_object(&writer);
    put_time(&writer, "startsAt", alert->starts_ns);
    if (tcsi_alert_is_over(alert)) put_time(&writer, "endsAt", alert->ends_ns ? alert->ends_ns : alert->updated_ns);
    if (*alert->url) tcsi_json_put_string(&writer, "generatorURL", alert->url);
    tcsi_json_end_object(&writer);
    tcsi_json_end_array(&writer);
    return tcsi_json_finish(&writer, err);
}
