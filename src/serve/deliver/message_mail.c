/* serve/deliver/message_mail.c -- RFC 5322: header, empty line, plain text.
 *
 * A line end in somebody's tag would begin a header line of its own.  So no text of an alert stands in the header as it is: the subject is
 * one encoded word after another (RFC 2047, base64), in which no byte but letters, digits, +, / and = can be; everything else in the header
 * is made by us or checked by the settings.  The body is base64 too, so that neither long lines nor bytes beyond ASCII are changed on the
 * way.  Message-ID is made of the event's id, so that a repeated delivery is known as such; the first mail of an episode is named by
 * all later ones, so that they stand together.  SPDX-License-Identifier: Apache-2.0 */
#include "serve/deliver/message.h"

#include "series/time.h"

#include <stdio.h>
#include <string.h>

enum { BODY_LINE = 57, SUBJECT_PART = 42 }; /* bytes that make 76 characters; and an encoded word of at most 75 */

static tcs_status put_base64(tcsi_buffer *out, const char *bytes, size_t size, tcs_error *err)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    tcs_status status = TCS_OK;
    for (size_t i = 0; i < size && status == TCS_OK; i += 3) {
        const size_t left = size - i;
        unsigned group = (unsigned)(unsigned char)bytes[i] << 16;
        if (left > 1) group |= (unsigned)(unsigned char)bytes[i + 1] << 8;
        if (left > 2) group |= (unsigned)(unsigned char)bytes[i + 2];
        const char text[4] = { digits[group >> 18], digits[group >> 12 & 63], left > 1 ? digits[group >> 6 & 63] : '=',
                               left > 2 ? digits[group & 63] : '=' };
        status = tcsi_buffer_append(out, text, sizeof text, err);
    }
    return status;
}

/* Encoded words, cut between characters of UTF-8 as the RFC asks. */
static tcs_status put_subject(tcsi_buffer *out, const char *text, tcs_error *err)
{
    size_t left = strlen(text);
    tcs_status status = tcsi_buffer_puts(out, "Subject:", err);
    while (left > 0 && status == TCS_OK) {
        size_t part = left < SUBJECT_PART ? left : SUBJECT_PART;
        if (part < left)
            for (size_t back = 0; back < 3 && part > 1 && ((unsigned char)text[part] & 0xC0) == 0x80; back++) part--;
        status = tcsi_buffer_puts(out, " =?UTF-8?B?", err);
        if (status == TCS_OK) status = put_base64(out, text, part, err);
        text += part;
        left -= part;
        if (status == TCS_OK) status = tcsi_buffer_puts(out, left > 0 ? "?=\r\n" : "?=", err);
    }
    return status == TCS_OK ? tcsi_buffer_puts(out, "\r\n", err) : status;
}

/* "Thu, 26 Nov 2026 12:00:00 +0000" */
static tcs_status put_date(tcsi_buffer *out, int64_t time_ns, tcs_error *err)
{
    static const char *const days[] = { "Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed" }; /* 1970-01-01 was a Thursday */
    static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
    char iso[TCSI_TIME_TEXT_SIZE];
    if (time_ns < 0) time_ns = 0;
    (void)tcsi_time_format_iso(time_ns, iso, sizeof iso);
    const int month = (iso[5] - '0') * 10 + iso[6] - '0';
    return tcsi_buffer_printf(out, err, "Date: %s, %.2s %s %.4s %.8s +0000\r\n", days[time_ns / TCSI_NS_PER_DAY % 7], iso + 8,
                              months[(month + 11) % 12], iso, iso + 11);
}

static tcs_status put_header(const tcsi_receiver *receiver, const tcsi_alert *alert, tcsi_buffer *out, tcs_error *err)
{
    char id[TCSI_ALERT_ID_SIZE], thread[TCSI_ALERT_ID_SIZE];
    tcsi_alert_id(alert, alert->state, id);
    tcsi_alert_id(alert, TCSI_ALERT_STATE_COUNT, thread);
    tcs_status status = tcsi_buffer_printf(out, err, "From: %s\r\nTo: ", receiver->from);
    for (size_t i = 0; i < receiver->to_count && status == TCS_OK; i++)
        status = tcsi_buffer_printf(out, err, "%s%s", i ? ",\r\n " : "", receiver->to[i]);
    if (status == TCS_OK) status = tcsi_buffer_puts(out, "\r\n", err);
    if (status == TCS_OK) status = put_date(out, alert->updated_ns, err);
    if (status == TCS_OK)
        status = tcsi_buffer_printf(out, err, "Message-ID: <%s-%u@tocsin>\r\nReferences: <%s@tocsin>\r\nAuto-Submitted: auto-generated\r\n"
                                    "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n",
                                    id, (unsigned)alert->revision, thread);
    return status;
}

static tcs_status put_words(const tcsi_alert *alert, tcsi_buffer *text, tcs_error *err)
{
    char starts[TCSI_TIME_TEXT_SIZE], ends[TCSI_TIME_TEXT_SIZE] = "it lasts";
    (void)tcsi_time_format_iso(alert->starts_ns, starts, sizeof starts);
    if (alert->ends_ns) (void)tcsi_time_format_iso(alert->ends_ns, ends, sizeof ends);
    tcs_status status = tcsi_buffer_printf(text, err, "%s\n\n", alert->summary);
    if (status == TCS_OK && *alert->description) status = tcsi_buffer_printf(text, err, "%s\n\n", alert->description);
    if (status == TCS_OK) status = tcsi_buffer_puts(text, "Series:   ", err);
    if (status == TCS_OK) status = tcsi_alert_write_series(alert, text, err);
    if (status == TCS_OK)
        status = tcsi_buffer_printf(text, err, "\nState:    %s\nSeverity: %.0f\nBegan:    %s\nEnded:    %s\n",
                                    tcsi_alert_state_names[alert->state], alert->severity, starts, ends);
    if (status == TCS_OK) status = tcsi_message_band(alert, text, err);
    if (status == TCS_OK && *alert->url) status = tcsi_buffer_printf(text, err, "\n%s\n", alert->url);
    if (status == TCS_OK && *alert->incident_id) status = tcsi_buffer_printf(text, err, "\nIncident: %s\n", alert->incident_id);
    return status;
}

tcs_status tcsi_message_mail(const tcsi_receiver *receiver, const tcsi_alert *alert, tcsi_buffer *out, tcs_error *err)
{
    tcsi_buffer text;
    tcsi_buffer_init(&text, TCSI_ALERT_SIZE_MAX);
    tcs_status status = put_header(receiver, alert, out, err);
    if (status == TCS_OK) status = tcsi_buffer_printf(&text, err, "[%s] %.300s", tcsi_alert_state_names[alert->state], alert->summary);
    if (status == TCS_OK) status = put_subject(out, text.data, err);
    if (status == TCS_OK) status = tcsi_buffer_puts(out, "\r\n", err);
    tcsi_buffer_clear(&text);
    if (status == TCS_OK) status = put_words(alert, &text, err);
    for (size_t at = 0; at < text.size && status == TCS_OK; at += BODY_LINE) {
        status = put_base64(out, text.data + at, text.size - at < BODY_LINE ? text.size - at : BODY_LINE, err);
        if (status == TCS_OK) status = tcsi_buffer_puts(out, "\r\n", err);
    }
    tcsi_buffer_deinit(&text);
    return status;
}

tcs_status tcsi_message_band(const tcsi_alert *alert, tcsi_buffer *out, tcs_error *err)
{
    char lower[TCSI_NUMBER_TEXT_SIZE] = "", upper[TCSI_NUMBER_TEXT_SIZE] = "", value[TCSI_NUMBER_TEXT_SIZE] = "";
    if (!(alert->expected_lower <= alert->expected_upper) || alert->value != alert->value) return TCS_OK;
    snprintf(lower, sizeof lower, "%.4g", alert->expected_lower);
    snprintf(upper, sizeof upper, "%.4g", alert->expected_upper);
    snprintf(value, sizeof value, "%.4g", alert->value);
    return tcsi_buffer_printf(out, err, "Expected %s to %s, was %s.\n", lower, upper, value);
}
