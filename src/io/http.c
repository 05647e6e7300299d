/* io/http.c -- one GET request by libcurl; the only file that sees curl/curl.h.
 *
 * Every way to hang has a limit of its own: connecting, silence, and the whole.  The body is bounded while it arrives, after
 * decompression, so that neither an endless answer nor a small one that unpacks to a huge one fills the memory.
 * Only http and https are spoken, whatever the URL says.  libcurl allocates with malloc: its allocator is one for the whole
 * process, and that is not ours to change.  SPDX-License-Identifier: Apache-2.0 */
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
} transfer;

static size_t on_body(char *bytes, size_t size, size_t count, void *context)
{
    transfer *self = context;
    self->status = tcsi_buffer_append(self->body, bytes, size * count, self->err);
    return self->status == TCS_OK ? size * count : 0;
}

static tcs_status set_up(CURL *curl, const char *url, const tcsi_http_limits *limits, transfer *self, char *reason, tcs_error *err)
{
    CURLcode codes[] = {
        curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, reason),
        curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L), /* no SIGALRM, no SIGPIPE: the process may not be ours */
        curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https"),
        curl_easy_setopt(curl, CURLOPT_URL, url),
        curl_easy_setopt(curl, CURLOPT_USERAGENT, "tocsin"),
        curl_easy_setopt(curl, CURLOPT_ACCEPT_ENCODING, ""), /* whatever this libcurl can decompress */
        curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L),
        curl_easy_setopt(curl, CURLOPT_NETRC, (long)CURL_NETRC_OPTIONAL),
        curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, limits->connect_ms),
        curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L),
        curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, limits->stall_s),
        curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, limits->total_ms),
        curl_easy_setopt(curl, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)self->body->size_max),
        curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body),
        curl_easy_setopt(curl, CURLOPT_WRITEDATA, self),
    };
    for (size_t i = 0; i < TCS_COUNT(codes); i++) {
        if (codes[i] == CURLE_OUT_OF_MEMORY) return tcsi_fail_memory(err, "a request");
        if (codes[i] != CURLE_OK) return tcsi_fail(err, TCS_E_UNSUPPORTED, "libcurl refuses a setting: %s", curl_easy_strerror(codes[i]));
    }
    return TCS_OK;
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
    *ret_reply = (tcsi_http_reply){ 0 };
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

tcs_status tcsi_http_get(const char *url, const tcsi_http_limits *limits, tcsi_buffer *body, tcsi_http_reply *ret_reply, tcs_error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    char reason[CURL_ERROR_SIZE] = "";
    transfer self = { body, TCS_OK, err };
    if (pthread_once(&once, start_curl) != 0 || curl_state != CURLE_OK) return tcsi_fail(err, TCS_E_IO, "libcurl cannot be started");
    CURL *curl = curl_easy_init();
    if (!curl) return tcsi_fail_memory(err, "a request");
    tcs_status status = set_up(curl, url, limits, &self, reason, err);
    if (status == TCS_OK) {
        CURLcode code = curl_easy_perform(curl);
        if (code == CURLE_OK) copy_reply(curl, ret_reply);
        else status = fail(code, url, reason, &self, err);
    }
    curl_easy_cleanup(curl);
    return status;
}
