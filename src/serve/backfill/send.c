/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/backfill/send.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "io/http.h"
#include "serve/client.h"
#include "series/key.h"
#include "series/time.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { ROWS_A_REQUEST = 20000, BODY_MAX = 8 << 20, ANSWER_MAX = 1 << 16, TEXT_MAX = 1 << 12 };
static const double PATIENCE_S = 60;

struct tcsi_sender {
    tcsi_sender_options options;
    char url[TEXT_MAX], authorization[TCSI_CLIENT_TEXT_SIZE], complaint[TEXT_MAX];
    tcsi_buffer body, answer, name;
    size_t row_count;
    uint64_t taken_count;
};

tcs_status tcsi_sender_open(const tcsi_sender_options *options, tcsi_sender **ret_sender, tcs_error *err)
{
    tcsi_sender *sender = TCSI_NEW(tcsi_sender);
    if (!sender) return tcsi_fail_memory(err, "a sender");
    sender->options = *options;
    if (!(sender->options.patience_s > 0)) sender->options.patience_s = PATIENCE_S;
    tcsi_buffer_init(&sender->body, (size_t)2 * BODY_MAX);
    tcsi_buffer_init(&sender->answer, ANSWER_MAX);
    tcsi_buffer_init(&sender->name, ANSWER_MAX);
    const size_t length = strlen(options->url), slash = length > 0 && options->url[length - 1] == '/';
    snprintf(sender->url, sizeof sender->url, "%.*s/api/v1/rows?backfill=true", (int)(length - slash), options->url);
    const tcs_status status = tcsi_client_authorize(options->token_file, sender->authorization, err);
    if (status == TCS_OK) *ret_sender = sender;
    else tcsi_sender_close(sender);
    return status;
}

void tcsi_sender_close(tcsi_sender *sender)
{
    if (!sender) return;
    tcsi_buffer_deinit(&sender->body);
    tcsi_buffer_deinit(&sender->answer);
    tcsi_buffer_deinit(&sender->name);
    tcsi_free(sender);
}

uint64_t tcsi_sender_count(const tcsi_sender *sender) { return sender->taken_count; }
const char *tcsi_sender_complaint(const tcsi_sender *sender) { return sender->complaint; }

/* A text that is no name{...} is a name as it stands. */
static tcs_status write_name(tcsi_sender *sender, const char *series, tcs_error *err)
{
    tcsi_arena arena;
    tcsi_key key;
    tcs_error ignored;
    tcsi_arena_init(&arena, ANSWER_MAX);
    tcs_status status = tcsi_key_parse(series, strlen(series), &arena, &key, &ignored);
    if (status != TCS_OK) {
        tcsi_key_begin(&key);
        (void)tcsi_key_add(&key, TCSI_KEY_METRIC, strlen(TCSI_KEY_METRIC), series, strlen(series));
        status = tcsi_key_finish(&key) == TCSI_KEY_NONE ? TCS_OK : tcsi_fail(err, TCS_E_INVALID, "'%.200s' is no name of a series", series);
    }
    tcsi_buffer_clear(&sender->name);
    if (status == TCS_OK) status = tcsi_key_print(&key, &sender->name, err);
    tcsi_arena_deinit(&arena);
    return status;
}

tcs_status tcsi_sender_add(tcsi_sender *sender, const char *series, int64_t time_ns, double value, tcs_error *err)
{
    char time[TCSI_TIME_TEXT_SIZE];
    tcsi_json_writer writer;
    tcs_status status = write_name(sender, series, err);
    if (status != TCS_OK) return status;
    (void)tcsi_time_format_iso(time_ns, time, sizeof time);
    tcsi_json_writer_init(&writer, &sender->body, false);
    tcsi_json_begin_object(&writer);
    tcsi_json_put_string(&writer, "series", sender->name.data);
    tcsi_json_put_string(&writer, "time", time);
    tcsi_json_put_number(&writer, "value", value);
    tcsi_json_end_object(&writer);
    status = tcsi_json_finish(&writer, err);
    if (status == TCS_OK) status = tcsi_buffer_append(&sender->body, "\n", 1, err);
    sender->row_count++;
    const bool is_full = sender->row_count >= ROWS_A_REQUEST || sender->body.size >= BODY_MAX;
    return status == TCS_OK && is_full ? tcsi_sender_flush(sender, err) : status;
}

static void sleep_s(double seconds)
{
    nanosleep(&(struct timespec){ .tv_sec = (time_t)seconds, .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9) }, NULL);
}

/* One attempt; *ret_wait_s above 0: come again then. */
static tcs_status attempt(tcsi_sender *sender, double *ret_wait_s, tcs_error *err)
{
    const tcsi_http_limits limits = { .connect_ms = 10000, .stall_s = 60, .total_ms = 600000 };
    const tcsi_http_request request = { .method = "POST", .url = sender->url, .body = sender->body.data, .body_size = sender->body.size,
                                        .headers = { "Content-Type: application/x-ndjson",
                                                     *sender->authorization ? sender->authorization : NULL } };
    tcsi_http_reply reply;
    tcsi_buffer_clear(&sender->answer);
    const tcs_status status = tcsi_http_send(&request, &limits, &sender->answer, &reply, err);
    const char *said = sender->answer.size ? sender->answer.data : "";
    *ret_wait_s = 0;
    if (status == TCS_E_IO) *ret_wait_s = 1;
    if (status != TCS_OK) return status;
    if (reply.code / 100 == 2 || reply.code == 400) { /* 400: some of the rows were refused, and the others taken */
        if (*said && !*sender->complaint) snprintf(sender->complaint, sizeof sender->complaint, "%s", said);
        return TCS_OK;
    }
    if (reply.code == 429 || reply.code == 503) *ret_wait_s = reply.retry_after_s > 0 ? (double)reply.retry_after_s : 1;
    return tcsi_fail(err, *ret_wait_s > 0 ? TCS_E_IO : TCS_E_INVALID, "%s: answers %d: %.200s", sender->url, reply.code, said);
}

tcs_status tcsi_sender_flush(tcsi_sender *sender, tcs_error *err)
{
    const int64_t end_ns = tcsi_clock_monotonic_ns() + (int64_t)(sender->options.patience_s * 1e9);
    double wait_s = 0;
    if (sender->row_count == 0) return TCS_OK;
    tcs_status status = attempt(sender, &wait_s, err);
    while (status != TCS_OK && wait_s > 0 && tcsi_clock_monotonic_ns() < end_ns) {
        sleep_s(wait_s);
        status = attempt(sender, &wait_s, err);
    }
    if (status != TCS_OK) return status;
    sender->taken_count += sender->row_count;
    sender->row_count = 0;
    tcsi_buffer_clear(&sender->body);
    return TCS_OK;
}
