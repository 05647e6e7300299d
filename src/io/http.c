/* io/http.c -- requests over HTTP and mail over SMTP by libcurl; the only file that sees curl/curl.h.
 *
 * Every way to hang has a limit of its own: connecting, silence, and the whole.  The body is bounded while it arrives, after
 * decompression, so that neither an endless answer nor a small one that unpacks to a huge one fills the memory.
 * Only http and https are spoken, for mail only smtp and smtps, whatever the URL says.  libcurl allocates with malloc: its allocator is
 * one for the whole process, and that is not ours to change.  SPDX-License-Identifier: Apache-2.0 */
#include "io/http.h"

#include "base/url.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static CURLcode curl_state;

static void start_curl(void)
{
    curl_state = curl_global_init(CURL_GLOBAL_DEFAULT);
}

typedef struct transfer {
    tcsi_buffer *body;
    tcs_status status; /* of what arrived */
    tcs_error *err;
    const char *text;  /* to be sent, and how much of it was */
    size_t text_size, text_sent;
} transfer;

static size_t on_body(char *bytes, size_t size, size_t count, void *context)
{
    transfer *self = context;
    self->status = tcsi_buffer_append(self->body, bytes, size * count, self->err);
    return self->status == TCS_OK ? size * count : 0;
}

static size_t on_text(char *bytes, size_t size, size_t count, void *context)
{
    transfer *self = context;
    size_t left = self->text_size - self->text_sent, room = size * count, part = left < room ? left : room;
    if (part > 0) memcpy(bytes, self->text + self->text_sent, part);
    self->text_sent += part;
    return part;
}

static tcs_status check(const CURLcode *codes, size_t count, tcs_error *err)
{
    for (size_t i = 0; i < count; i++) {
        if (codes[i] == CURLE_OUT_OF_MEMORY) return tcsi_fail_memory(err, "a request");
        if (codes[i] != CURLE_OK) return tcsi_fail(err, TCS_E_UNSUPPORTED, "libcurl refuses a setting: %s", curl_easy_strerror(codes[i]));
    }
    return TCS_OK;
}

/* What every transfer has: where to, and every way in which it ends. */
static tcs_status set_up(CURL *curl, const char *url, const char *protocols, const tcsi_http_limits *limits, transfer *self, char *reason,
                         tcs_error *err)
{
    const CURLcode codes[] = {
        curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, reason),
        curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L), /* no SIGALRM, no SIGPIPE: the process may not be ours */
        curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, protocols),
        curl_easy_setopt(curl, CURLOPT_URL, url),
        curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, limits->connect_ms),
        curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L),
        curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, limits->stall_s),
        curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, limits->total_ms),
        curl_easy_setopt(curl, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)self->body->size_max),
        curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body),
        curl_easy_setopt(curl, CURLOPT_WRITEDATA, self),
    };
    return check(codes, TCS_COUNT(codes), err);
}

static tcs_status set_up_http(CURL *curl, tcs_error *err)
{
    const CURLcode codes[] = {
        curl_easy_setopt(curl, CURLOPT_USERAGENT, "tocsin"),
        curl_easy_setopt(curl, CURLOPT_ACCEPT_ENCODING, ""), /* whatever this libcurl can decompress */
        curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L),
        curl_easy_setopt(curl, CURLOPT_NETRC, (long)CURL_NETRC_OPTIONAL),
    };
    return check(codes, TCS_COUNT(codes), err);
}

/* The list belongs to the caller, also when failing. */
static tcs_status add_line(struct curl_slist **list, const char *line, tcs_error *err)
{
    if (strpbrk(line, "\r\n")) return tcsi_fail(err, TCS_E_INVALID, "a line end in '%.40s'", line);
    struct curl_slist *longer = curl_slist_append(*list, line);
    if (!longer) return tcsi_fail_memory(err, "a request");
    *list = longer;
    return TCS_OK;
}

static tcs_status set_up_body(CURL *curl, const tcsi_http_request *request, struct curl_slist **headers, tcs_error *err)
{
    tcs_status status = add_line(headers, "Expect:", err); /* or small bodies would wait for a "100 Continue" that never comes */
    for (size_t i = 0; status == TCS_OK && i < TCSI_HTTP_HEADERS_MAX && request->headers[i]; i++)
        status = add_line(headers, request->headers[i], err);
    if (status != TCS_OK) return status;
    const CURLcode codes[] = {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_size),
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body ? request->body : ""),
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method),
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, *headers),
    };
    return check(codes, TCS_COUNT(codes), err);
}

static tcs_status fail(CURLcode code, const char *url, const char *reason, const transfer *self, tcs_error *err)
{
    char text[CURL_ERROR_SIZE];
    if (self->status != TCS_OK && self->status != TCS_E_LIMIT) return self->status;
    if (self->status == TCS_E_LIMIT || code == CURLE_FILESIZE_EXCEEDED)
        return tcsi_fail(err, TCS_E_LIMIT, "the answer is larger than %zu MiB", self->body->size_max >> 20);
    snprintf(text, sizeof text, "%s", *reason ? reason : curl_easy_strerror(code));
    tcsi_url_scrub(url, text);
    switch (code) {
    case CURLE_OUT_OF_MEMORY: /* libcurl 7.88 also says so when a header has more than 100 kB */
        return tcsi_fail(err, TCS_E_IO, "libcurl ran out of memory, or the answer's header is absurdly long");
    case CURLE_URL_MALFORMAT: return tcsi_fail(err, TCS_E_INVALID, "is no http: or https: address (%s)", text);
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY: return tcsi_fail(err, TCS_E_FORMAT, "cannot be understood (%s); expected HTTP", text);
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING: return tcsi_fail(err, TCS_E_IO, "the connection broke off before the answer was complete (%s)", text);
    case CURLE_OPERATION_TIMEDOUT: return tcsi_fail(err, TCS_E_IO, "took too long (%s)", text);
    default: return tcsi_fail(err, TCS_E_IO, "%s", text);
    }
}

static void copy_reply(CURL *curl, tcsi_http_reply *ret_reply)
{
    long code = 0;
    const char *type = NULL, *location = NULL;
    curl_off_t retry_after = 0;
    *ret_reply = (tcsi_http_reply){ 0 };
    (void)curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &retry_after);
    ret_reply->retry_after_s = retry_after > 0 ? (int64_t)retry_after : 0;
    (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &code);
    (void)curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &type);
    (void)curl_easy_getinfo(curl, CURLINFO_REDIRECT_URL, &location);
    ret_reply->code = (int)code;
    for (size_t i = 0; type && i + 1 < sizeof ret_reply->content_type && type[i] > ' ' && type[i] != ';'; i++)
        ret_reply->content_type[i] = (char)(type[i] >= 'A' && type[i] <= 'Z' ? type[i] + ('a' - 'A') : type[i]);
    if (!location) return;
    (void)tcsi_url_redact(location, ret_reply->location, sizeof ret_reply->location);
    ret_reply->location[strcspn(ret_reply->location, "?#")] = 0;
}

static tcs_status begin(CURL **ret_curl, tcs_error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    if (pthread_once(&once, start_curl) != 0 || curl_state != CURLE_OK) return tcsi_fail(err, TCS_E_IO, "libcurl cannot be started");
    *ret_curl = curl_easy_init();
    return *ret_curl ? TCS_OK : tcsi_fail_memory(err, "a request");
}

/* body NULL: GET. */
static tcs_status exchange(const tcsi_http_request *request, const tcsi_http_limits *limits, tcsi_buffer *body, tcsi_http_reply *ret_reply,
                           tcs_error *err)
{
    char reason[CURL_ERROR_SIZE] = "";
    transfer self = { .body = body, .err = err };
    struct curl_slist *headers = NULL;
    CURL *curl = NULL;
    tcs_status status = begin(&curl, err);
    if (status == TCS_OK) status = set_up(curl, request->url, "http,https", limits, &self, reason, err);
    if (status == TCS_OK) status = set_up_http(curl, err);
    if (status == TCS_OK && request->method) status = set_up_body(curl, request, &headers, err);
    if (status == TCS_OK) {
        CURLcode code = curl_easy_perform(curl);
        if (code == CURLE_OK) copy_reply(curl, ret_reply);
        else status = fail(code, request->url, reason, &self, err);
    }
    curl_easy_cleanup(curl);
    curl_slist_free_all(headers);
    return status;
}

tcs_status tcsi_http_get(const char *url, const tcsi_http_limits *limits, tcsi_buffer *body, tcsi_http_reply *ret_reply, tcs_error *err)
{
    return exchange(&(tcsi_http_request){ .url = url }, limits, body, ret_reply, err);
}

tcs_status tcsi_http_send(const tcsi_http_request *request, const tcsi_http_limits *limits, tcsi_buffer *body, tcsi_http_reply *ret_reply,
                          tcs_error *err)
{
    TCS_ASSERT(request->method);
    return exchange(request, limits, body, ret_reply, err);
}

/* ---- mail ---- */

static tcs_status set_up_mail(CURL *curl, const tcsi_mail *mail, transfer *self, struct curl_slist *recipients, tcs_error *err)
{
    const CURLcode codes[] = {
        curl_easy_setopt(curl, CURLOPT_USE_SSL, (long)(mail->tls == TCSI_MAIL_TLS_REQUIRED ? CURLUSESSL_ALL : CURLUSESSL_NONE)),
        curl_easy_setopt(curl, CURLOPT_USERNAME, mail->user),
        curl_easy_setopt(curl, CURLOPT_PASSWORD, mail->password),
        curl_easy_setopt(curl, CURLOPT_MAIL_FROM, mail->from),
        curl_easy_setopt(curl, CURLOPT_MAIL_RCPT, recipients),
        curl_easy_setopt(curl, CURLOPT_READFUNCTION, on_text),
        curl_easy_setopt(curl, CURLOPT_READDATA, self),
        curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L),
    };
    return check(codes, TCS_COUNT(codes), err);
}

static tcs_status check_address(const char *address, tcs_error *err)
{
    if (*address && !strpbrk(address, "\r\n<> ")) return TCS_OK;
    return tcsi_fail(err, TCS_E_INVALID, "'%.80s' is no mail address; expected name@host", address);
}

tcs_status tcsi_mail_send(const tcsi_mail *mail, const tcsi_http_limits *limits, int *ret_code, tcs_error *err)
{
    char reason[CURL_ERROR_SIZE] = "";
    tcsi_buffer replies;
    struct curl_slist *recipients = NULL;
    CURL *curl = NULL;
    long reply = 0;
    tcsi_buffer_init(&replies, 1 << 16);
    transfer self = { .body = &replies, .err = err, .text = mail->text, .text_size = mail->text_size };
    tcs_status status = check_address(mail->from, err);
    for (size_t i = 0; status == TCS_OK && i < TCSI_MAIL_RECIPIENTS_MAX && mail->recipients[i]; i++) {
        status = check_address(mail->recipients[i], err);
        if (status == TCS_OK) status = add_line(&recipients, mail->recipients[i], err);
    }
    if (status == TCS_OK) status = begin(&curl, err);
    if (status == TCS_OK) status = set_up(curl, mail->url, "smtp,smtps", limits, &self, reason, err);
    if (status == TCS_OK) status = set_up_mail(curl, mail, &self, recipients, err);
    if (status == TCS_OK) {
        CURLcode code = curl_easy_perform(curl);
        (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &reply);
        if (code == CURLE_URL_MALFORMAT) status = tcsi_fail(err, TCS_E_INVALID, "is no smtp: or smtps: address");
        else if (code != CURLE_OK) status = fail(code, mail->url, reason, &self, err);
    }
    *ret_code = (int)reply;
    curl_easy_cleanup(curl);
    curl_slist_free_all(recipients);
    tcsi_buffer_deinit(&replies);
    return status;
}
