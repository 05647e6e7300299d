/* serve/deliver/message_grafana.c -- the body of POST and PATCH /api/annotations.
 * times are milliseconds; with a dashboard and panel it stands there, otherwise on every dashboard that asks for its tags.
 * SPDX-License-Identifier: Apache-2.0 */
#include "serve/deliver/message.h"

#include <stdio.h>
#include <string.h>

static tcs_status put_text(const tcsi_alert *alert, tcsi_buffer *text, tcs_error *err)
{
    tcs_status status = tcsi_buffer_puts(text, alert->summary, err);
    if (status == TCS_OK && *alert->description) status = tcsi_buffer_printf(text, err, "\n%s", alert->description);
    if (status == TCS_OK) status = tcsi_buffer_puts(text, "\n", err);
    if (status == TCS_OK) status = tcsi_message_band(alert, text, err);
    if (status == TCS_OK && *alert->url) status = tcsi_buffer_printf(text, err, "\n%s", alert->url);
    return status;
}

static void put_tag(tcsi_json_writer *writer, const char *name, const char *sign, const char *value)
{
    char text[512];
    snprintf(text, sizeof text, "%s%s%s", name, sign, value); /* a cut tag is still a tag: the JSON writer mends cut UTF-8 */
    tcsi_json_string(writer, text);
}

static void put_tags(const tcsi_alert *alert, tcsi_json_writer *writer)
{
    tcsi_json_key(writer, "tags");
    tcsi_json_begin_array(writer);
    tcsi_json_string(writer, "tocsin");
    put_tag(writer, "tocsin", ":", alert->episode_id);
    tcsi_json_string(writer, tcsi_alert_state_names[alert->state]);
    for (size_t i = 0; i < alert->tag_count; i++) {
        const bool is_name = strcmp(alert->tags[i].name, "__name__") == 0;
        put_tag(writer, is_name ? "" : alert->tags[i].name, is_name ? "" : "=", alert->tags[i].value);
    }
    tcsi_json_end_array(writer);
}

tcs_status tcsi_message_grafana(const tcsi_receiver *receiver, const tcsi_alert *alert, tcsi_buffer *out, tcs_error *err)
{
    tcsi_buffer text;
    tcsi_json_writer writer;
    const bool is_over = tcsi_alert_is_over(alert);
    tcsi_buffer_init(&text, TCSI_ALERT_SIZE_MAX);
    tcs_status status = put_text(alert, &text, err);
    if (status == TCS_OK) {
        tcsi_json_writer_init(&writer, out, false);
        tcsi_json_begin_object(&writer);
        if (receiver->dashboard) tcsi_json_put_string(&writer, "dashboardUID", receiver->dashboard);
        if (receiver->panel) tcsi_json_put_integer(&writer, "panelId", receiver->panel);
        tcsi_json_put_integer(&writer, "time", alert->starts_ns / 1000000);
        if (is_over) tcsi_json_put_integer(&writer, "timeEnd", (alert->ends_ns ? alert->ends_ns : alert->updated_ns) / 1000000);
        put_tags(alert, &writer);
        tcsi_json_put_string(&writer, "text", text.data);
        tcsi_json_end_object(&writer);
        status = tcsi_json_finish(&writer, err);
    }
    tcsi_buffer_deinit(&text);
    return status;
}
