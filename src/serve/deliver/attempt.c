/* serve/deliver/attempt.c -- see attempt.h.  SPDX-License-Identifier: Apache-2.0 */
#include "serve/deliver/attempt.h"

#include "base/file.h"
#include "base/secret.h"
#include "base/url.h"
#include "io/http.h"
#include "serve/deliver/message.h"

#include <stdio.h>
#include <string.h>

enum { ANSWER_SIZE_MAX = 1 << 16, SECRET_SIZE_MAX = 4096, MESSAGE_SIZE_MAX = 1 << 20, URL_SIZE_MAX = 2048 };

const char *const tcsi_attempt_outcome_names[TCSI_ATTEMPT_OUTCOME_COUNT] = { "sent", "retry", "refused" };

tcsi_attempt_outcome tcsi_attempt_http(int code)
{
    if (code >= 200 && code < 300) return TCSI_ATTEMPT_SENT;
    if (code == 408 || code == 425 || code == 429 || code >= 500 || code < 200) return TCSI_ATTEMPT_RETRY;
    return TCSI_ATTEMPT_REFUSED;
}

/* ---- what went wrong ---- */

static void copy_words(const char *text, char *ret_text, size_t size)
{
    size_t length = 0;
    for (; *text && length + 1 < size; text++) ret_text[length++] = (unsigned char)*text < ' ' || *text == 127 ? ' ' : *text;
    ret_text[length] = 0;
}

/* The world may come to its senses; what is malformed or beyond this build will not. */
static void tell_failure(const tcs_error *err, tcsi_attempt *attempt)
{
    const bool is_lasting = err->status == TCS_E_INVALID || err->status == TCS_E_UNSUPPORTED;
    attempt->outcome = is_lasting ? TCSI_ATTEMPT_REFUSED : TCSI_ATTEMPT_RETRY;
    copy_words(err->text, attempt->reason, sizeof attempt->reason);
}

static void tell_reply(const tcsi_http_reply *reply, const tcsi_buffer *body, tcsi_attempt *attempt)
{
    char text[sizeof attempt->reason];
    attempt->outcome = tcsi_attempt_http(reply->code);
    attempt->asked_ns = reply->retry_after_s < (INT64_C(1) << 31) ? reply->retry_after_s * 1000000000 : 0;
    if (attempt->outcome == TCSI_ATTEMPT_SENT) return;
    if (*reply->location) snprintf(text, sizeof text, "HTTP %d: redirects to %s, which is not followed", reply->code, reply->location);
    else snprintf(text, sizeof text, "HTTP %d: %s", reply->code, body->data ? body->data : "");
    copy_words(text, attempt->reason, sizeof attempt->reason);
}

/* ---- secrets ---- */

typedef struct secret {
    tcsi_buffer text;
} secret;

/* Read for each attempt, so that one that was changed is used from then on.  Without the line end that editors add. */
static tcs_status read_secret(const char *path, secret *ret_secret, tcs_error *err)
{
    tcs_status status = TCS_OK;
    tcsi_buffer_init(&ret_secret->text, SECRET_SIZE_MAX);
    if (path) status = tcsi_file_read(path, &ret_secret->text, err);
    tcsi_buffer *text = &ret_secret->text;
    while (status == TCS_OK && text->size > 0 && strchr("\r\n", text->data[text->size - 1])) text->data[--text->size] = 0;
    if (status == TCS_OK && path && text->size == 0) status = tcsi_fail(err, TCS_E_IO, "%s is empty; expected a secret", path);
    if (status == TCS_OK && path && strlen(text->data) != text->size) status = tcsi_fail(err, TCS_E_IO, "%s has a 0 byte in it", path);
    return status;
}

static void forget(secret *s)
{
    if (s->text.data) tcsi_secret_wipe(s->text.data, s->text.capacity);
    tcsi_buffer_deinit(&s->text);
}

/* ---- HTTP ---- */

static tcsi_http_limits limits_of(const tcsi_receiver *receiver)
{
    const long total_ms = (long)(receiver->timeout_ns / 1000000);
    return (tcsi_http_limits){ .connect_ms = total_ms / 2 + 1, .stall_s = total_ms / 1000 + 1, .total_ms = total_ms };
}

static tcs_status join_url(const tcsi_receiver *receiver, const char *path, char *ret_url, tcs_error *err)
{
    size_t length = strlen(receiver->url);
    while (length > 0 && *path == '/' && receiver->url[length - 1] == '/') length--;
    const int written = snprintf(ret_url, URL_SIZE_MAX, "%.*s%s", (int)length, receiver->url, path);
    return written > 0 && written < URL_SIZE_MAX ? TCS_OK : tcsi_fail(err, TCS_E_INVALID, "an address of more than %d bytes", URL_SIZE_MAX);
}

/* Sends body as JSON, with a bearer token if there is one. */
static tcs_status send_json(const tcsi_receiver *receiver, const char *method, const char *path, const tcsi_buffer *body,
                            tcsi_buffer *answer,
                            tcsi_http_reply *ret_reply, tcs_error *err)
{
    char url[URL_SIZE_MAX], bearer[SECRET_SIZE_MAX + 32];
    const tcsi_http_limits limits = limits_of(receiver);
    secret token;
    tcs_status status = read_secret(receiver->secret_file, &token, err);
    if (status == TCS_OK) status = join_url(receiver, path, url, err);
    if (status == TCS_OK) {
        const bool has_token = token.text.size > 0;
        if (has_token) snprintf(bearer, sizeof bearer, "Authorization: Bearer %s", token.text.data);
        const tcsi_http_request request = { .method = method, .url = url, .body = body->data, .body_size = body->size,
                                            .headers = { "Content-Type: application/json", has_token ? bearer : NULL } };
        status = tcsi_http_send(&request, &limits, answer, ret_reply, err);
        tcsi_secret_wipe(bearer, sizeof bearer);
    }
    forget(&token);
    return status;
}

static tcs_status tell_alertmanager(const tcsi_receiver *receiver, const tcsi_alert *alert, tcsi_buffer *body, tcsi_buffer *answer,
                                    tcsi_http_reply *ret_reply, tcs_error *err)
{
    tcs_status status = tcsi_message_alertmanager(receiver, alert, body, err);
    return status == TCS_OK ? send_json(receiver, "POST", "/api/v2/alerts", body, answer, ret_reply, err) : status;
}

static tcs_status tell_webhook(const tcsi_receiver *receiver, const tcsi_alert *alert, int64_t now_ns, tcsi_buffer *body,
                               tcsi_buffer *answer,
                               tcsi_http_reply *ret_reply, tcs_error *err)
{
    char time[64], signature[TCSI_SIGNATURE_SIZE], signed_by[TCSI_SIGNATURE_SIZE + 32], trace[128];
    const tcsi_http_limits limits = limits_of(receiver);
    secret key;
    tcs_status status = read_secret(receiver->secret_file, &key, err);
    if (status == TCS_OK) status = tcsi_message_webhook(receiver, alert, body, err);
    const bool is_signed = status == TCS_OK && receiver->secret_file;
    if (is_signed) status = tcsi_message_sign(key.text.data, key.text.size, now_ns / 1000000000, body->data, body->size, signature, err);
    if (status == TCS_OK) {
        size_t count = 1;
        tcsi_http_request request = { .method = "POST", .url = receiver->url, .body = body->data, .body_size = body->size,
                                      .headers = { "Content-Type: application/cloudevents+json; charset=utf-8" } };
        snprintf(time, sizeof time, "Tocsin-Timestamp: %lld", (long long)(now_ns / 1000000000));
        if (is_signed) snprintf(signed_by, sizeof signed_by, "Tocsin-Signature: %s", signature);
        if (is_signed) request.headers[count++] = time;
        if (is_signed) request.headers[count++] = signed_by;
        snprintf(trace, sizeof trace, "traceparent: %s", alert->trace);
        if (*alert->trace) request.headers[count++] = trace;
        status = tcsi_http_send(&request, &limits, answer, ret_reply, err);
    }
    forget(&key);
    return status;
}

/* The number of the annotation that tells of this episode; 0: there is none yet. */
static tcs_status find_annotation(const tcsi_receiver *receiver, const tcsi_alert *alert, tcsi_buffer *answer, tcsi_http_reply *ret_reply,
                                  int64_t *ret_id, tcs_error *err)
{
    char path[512];
    tcsi_buffer tag, nothing = { 0 };
    tcsi_arena arena;
    const tcsi_json_value *root = NULL, *id = NULL;
    *ret_id = 0;
    tcsi_buffer_init(&tag, sizeof path / 2);
    tcsi_buffer_init(&nothing, 1);
    tcsi_arena_init(&arena, 1 << 22);
    tcs_status status = tcsi_url_encode(&tag, alert->episode_id, err);
    snprintf(path, sizeof path, "/api/annotations?type=annotation&limit=1&tags=tocsin%%3A%s", tag.data ? tag.data : "");
    if (status == TCS_OK) status = send_json(receiver, "GET", path, &nothing, answer, ret_reply, err);
    if (status == TCS_OK && tcsi_attempt_http(ret_reply->code) == TCSI_ATTEMPT_SENT) {
        status = tcsi_json_parse(answer->data ? answer->data : "", answer->size, &arena, &root, err);
        if (status == TCS_OK && root->type == TCSI_JSON_ARRAY && root->item_count > 0) id = tcsi_json_get(&root->items[0], "id");
        if (id && id->type == TCSI_JSON_NUMBER && id->number >= 1 && id->number < 9e15) *ret_id = (int64_t)id->number;
    }
    tcsi_arena_deinit(&arena);
    tcsi_buffer_deinit(&tag);
    return status;
}

/* Asks before it tells: so a repeated delivery changes the annotation that is there, and nobody need remember its number. */
static tcs_status tell_grafana(const tcsi_receiver *receiver, const tcsi_alert *alert, tcsi_buffer *body, tcsi_buffer *answer,
                               tcsi_http_reply *ret_reply, tcs_error *err)
{
    char path[64] = "/api/annotations";
    int64_t id = 0;
    tcs_status status = tcsi_message_grafana(receiver, alert, body, err);
    if (status == TCS_OK) status = find_annotation(receiver, alert, answer, ret_reply, &id, err);
    if (status != TCS_OK || tcsi_attempt_http(ret_reply->code) != TCSI_ATTEMPT_SENT) return status;
    if (id > 0) snprintf(path, sizeof path, "/api/annotations/%lld", (long long)id);
    tcsi_buffer_clear(answer);
    return send_json(receiver, id > 0 ? "PATCH" : "POST", path, body, answer, ret_reply, err);
}

static void attempt_http(const tcsi_receiver *receiver, const tcsi_alert *alert, int64_t now_ns, tcsi_attempt *attempt)
{
    tcsi_buffer body, answer;
    tcsi_http_reply reply = { 0 };
    tcs_error err = { 0 };
    tcs_status status;
    tcsi_buffer_init(&body, MESSAGE_SIZE_MAX);
    tcsi_buffer_init(&answer, ANSWER_SIZE_MAX);
    if (receiver->kind == TCSI_RECEIVER_ALERTMANAGER) status = tell_alertmanager(receiver, alert, &body, &answer, &reply, &err);
    else if (receiver->kind == TCSI_RECEIVER_GRAFANA) status = tell_grafana(receiver, alert, &body, &answer, &reply, &err);
    else status = tell_webhook(receiver, alert, now_ns, &body, &answer, &reply, &err);
    if (status == TCS_OK) tell_reply(&reply, &answer, attempt);
    else tell_failure(&err, attempt);
    tcsi_buffer_deinit(&body);
    tcsi_buffer_deinit(&answer);
}

/* ---- mail ---- */

static void attempt_mail(const tcsi_receiver *receiver, const tcsi_alert *alert, tcsi_attempt *attempt)
{
    const tcsi_http_limits limits = limits_of(receiver);
    tcsi_buffer text;
    secret password;
    tcs_error err = { 0 };
    int code = 0;
    tcsi_buffer_init(&text, MESSAGE_SIZE_MAX);
    tcs_status status = read_secret(receiver->secret_file, &password, &err);
    if (status == TCS_OK) status = tcsi_message_mail(receiver, alert, &text, &err);
    if (status == TCS_OK) {
        tcsi_mail mail = { .url = receiver->url, .tls = receiver->plain ? TCSI_MAIL_TLS_NEVER : TCSI_MAIL_TLS_REQUIRED,
                           .user = receiver->user,
                           .password = receiver->secret_file ? password.text.data : NULL, .from = receiver->from, .text = text.data,
                           .text_size = text.size };
        for (size_t i = 0; i < receiver->to_count; i++) mail.recipients[i] = receiver->to[i];
        status = tcsi_mail_send(&mail, &limits, &code, &err);
    }
    if (status == TCS_OK) attempt->outcome = TCSI_ATTEMPT_SENT;
    else tell_failure(&err, attempt);
    if (status != TCS_OK && code >= 500) attempt->outcome = TCSI_ATTEMPT_REFUSED; /* of SMTP: 4xx is for a while, 5xx for good */
    forget(&password);
    tcsi_buffer_deinit(&text);
}

void tcsi_attempt_make(const tcsi_receiver *receiver, const tcsi_alert *alert, int64_t now_ns, tcsi_attempt *ret_attempt)
{
    *ret_attempt = (tcsi_attempt){ .outcome = TCSI_ATTEMPT_RETRY };
    switch (receiver->kind) {
    case TCSI_RECEIVER_MAIL: attempt_mail(receiver, alert, ret_attempt); break;
    case TCSI_RECEIVER_COMMAND: tcsi_attempt_command(receiver, alert, now_ns, ret_attempt); break;
    default: attempt_http(receiver, alert, now_ns, ret_attempt); break;
    }
}
