/* serve/deliver/message_webhook.c -- CloudEvents 1.0.2 in structured mode, and its signature.
 *
 * source and id together are unique for an event, and a repeated delivery carries the same two: id is made of series, onset and state and
 * of nothing else, so that also a service that was restored from a backup sends the same.  When the same state is told anew (it got worse),
 * the revision is part of it.
 *
 * The signature is HMAC-SHA-256 over the seconds in Tocsin-Timestamp, a full stop and the body: the time is signed too, so that a
 * receiver that refuses old times cannot be sent yesterday's message again.  SPDX-License-Identifier: Apache-2.0 */
#include "serve/deliver/message.h"

#include "base/alloc.h"
#include "series/time.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

tcs_status tcsi_message_webhook(const tcsi_receiver *receiver, const tcsi_alert *alert, tcsi_buffer *out, tcs_error *err)
{
    char id[TCSI_ALERT_ID_SIZE + 12], state_id[TCSI_ALERT_ID_SIZE], type[48], time[TCSI_TIME_TEXT_SIZE];
    tcsi_buffer series;
    tcsi_json_writer writer;
    tcsi_buffer_init(&series, TCSI_ALERT_SIZE_MAX);
    tcsi_alert_id(alert, alert->state, state_id);
    snprintf(id, sizeof id, "%s-%u", state_id, (unsigned)alert->revision);
    snprintf(type, sizeof type, "dev.tocsin.alert.%s", tcsi_alert_state_names[alert->state]);
    (void)tcsi_time_format_iso(alert->updated_ns, time, sizeof time);
    tcs_status status = tcsi_alert_write_series(alert, &series, err);
    if (status == TCS_OK) {
        tcsi_json_writer_init(&writer, out, false);
        tcsi_json_begin_object(&writer);
        tcsi_json_put_string(&writer, "specversion", "1.0");
        tcsi_json_put_string(&writer, "id", id);
        tcsi_json_put_string(&writer, "source", receiver->source && *receiver->source ? receiver->source : "/tocsin");
        tcsi_json_put_string(&writer, "type", type);
        if (series.size > 0) tcsi_json_put_string(&writer, "subject", series.data);
        tcsi_json_put_string(&writer, "time", time);
        if (*alert->trace) tcsi_json_put_string(&writer, "traceparent", alert->trace); /* the extension for distributed tracing */
        tcsi_json_put_string(&writer, "datacontenttype", "application/json");
        tcsi_json_key(&writer, "data");
        tcsi_alert_write(alert, &writer);
        tcsi_json_end_object(&writer);
        status = tcsi_json_finish(&writer, err);
    }
    tcsi_buffer_deinit(&series);
    return status;
}

tcs_status tcsi_message_sign(const char *secret, size_t secret_size, int64_t seconds, const char *body, size_t body_size,
                             char ret_signature[TCSI_SIGNATURE_SIZE], tcs_error *err)
{
    unsigned char digest[TCSI_HASH_SIZE];
    tcsi_buffer text;
    tcsi_buffer_init(&text, body_size + 32);
    tcs_status status = tcsi_buffer_printf(&text, err, "%lld.", (long long)seconds);
    if (status == TCS_OK) status = tcsi_buffer_append(&text, body, body_size, err);
    if (status == TCS_OK) {
        tcsi_hash_hmac(secret, secret_size, text.data, text.size, digest);
        memcpy(ret_signature, "v1=", 3);
        tcsi_hash_text(digest, ret_signature + 3);
    }
    tcsi_buffer_deinit(&text);
    return status;
}

bool tcsi_message_verify(const char *secret, size_t secret_size, const char *timestamp, const char *signature, const char *body,
                         size_t body_size, int64_t now_s, int64_t tolerance_s)
{
    char expected[TCSI_SIGNATURE_SIZE], *end;
    if (*timestamp < '0' || *timestamp > '9' || strlen(timestamp) > 12 || strlen(signature) + 1 != sizeof expected) return false;
    const int64_t seconds = strtoll(timestamp, &end, 10);
    if (*end || seconds < now_s - tolerance_s || seconds > now_s + tolerance_s) return false;
    if (tcsi_message_sign(secret, secret_size, seconds, body, body_size, expected, NULL) != TCS_OK) return false;
    return tcsi_hash_equal(expected, signature, sizeof expected - 1);
}
