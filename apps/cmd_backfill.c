/* apps/cmd_backfill.c -- `tocsin backfill`: what a live service should know of the past.
 *
 * Inputs are read whole, one after the other, and sent row by row in their order, so that series that stand in several of them are to be
 * given the oldest first.  SPDX-License-Identifier: Apache-2.0 */
#include "asked.h"
#include "progress.h"

#include "serve/backfill/send.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { NAMES_MAX = 4096 };

typedef struct backfill_options {
    cli_reading reading;
    const char *to, *token, *names;
} backfill_options;

#define AT(field) offsetof(backfill_options, field)
static const cli_option options[] = {
    { "--to", "URL", CLI_TEXT, AT(to), "the service's; default http://127.0.0.1:9740" },
    { "--token", "FILE", CLI_TEXT, AT(token), "a file with a token of an operator" },
    { "--names", "A,B,...", CLI_TEXT, AT(names), "what the columns' series are called in the service; default as the columns are.  "
                                                 "Semicolons part names that have commas in them" },
    CLI_COLUMN_OPTIONS(AT(reading)),
    CLI_READING_OPTIONS(AT(reading), "label column, which is not sent; found when not given; '' for none"),
};

/* What is being sent, and how far it is. */
typedef struct sending {
    tcsi_sender *sender;
    cli_progress *progress;
    tcs_status status;
    tcs_error *err;
} sending;

/* The i-th of names, which are parted by semicolons, or else by commas. */
static bool name_at(const char *names, size_t index, char *ret_name, size_t size)
{
    const char *separators = strchr(names, ';') ? ";" : ",";
    for (; index > 0; index--) {
        names += strcspn(names, separators);
        if (!*names++) return false;
    }
    const size_t length = strcspn(names, separators);
    if (length == 0 || length >= size) return false;
    memcpy(ret_name, names, length);
    ret_name[length] = 0;
    return true;
}

static tcs_status check_frame(const backfill_options *o, const char *input, const tcs_frame *frame, tcs_error *err)
{
    char name[NAMES_MAX];
    const size_t count = tcs_frame_channel_count(frame);
    if (!tcs_frame_has_real_times(frame)) return tcsi_fail(err, TCS_E_INVALID, "%s: has no times, and a backfill without is none", input);
    if (o->names && (!name_at(o->names, count - 1, name, sizeof name) || name_at(o->names, count, name, sizeof name)))
        return tcsi_fail(err, TCS_E_INVALID, "--names '%s': expected %zu, one for each column of %s", o->names, count, input);
    return TCS_OK;
}

static tcs_status send_frame(const backfill_options *o, const tcs_frame *frame, sending *s)
{
    const int64_t *times_ns = tcs_frame_times_ns(frame);
    const size_t row_count = tcs_frame_row_count(frame), channel_count = tcs_frame_channel_count(frame);
    for (size_t t = 0; s->status == TCS_OK && t < row_count; t++) {
        for (size_t c = 0; s->status == TCS_OK && c < channel_count; c++) {
            const double value = tcs_frame_values(frame, c)[t];
            char name[NAMES_MAX];
            if (!isfinite(value)) continue;
            const char *series = o->names && name_at(o->names, c, name, sizeof name) ? name : tcs_frame_channel_name(frame, c);
            s->status = tcsi_sender_add(s->sender, series, times_ns[t], value, s->err);
        }
        if (t % 256 == 0) (void)cli_progress_show(s->progress, (double)t / (double)row_count);
    }
    return s->status;
}

static bool send_row(void *context, const char *series, int64_t time_ns, double value, double share)
{
    sending *s = context;
    s->status = tcsi_sender_add(s->sender, series, time_ns, value, s->err);
    (void)cli_progress_show(s->progress, share);
    return s->status == TCS_OK;
}

/* The folder of a service's data has a journal in it. */
static bool is_service(const char *input)
{
    char path[4096];
    struct stat found;
    return (size_t)snprintf(path, sizeof path, "%s/journal", input) < sizeof path && stat(path, &found) == 0 && S_ISDIR(found.st_mode);
}

/* Without a query there is nothing else that it can be. */
static bool is_store(const backfill_options *o, const char *input)
{
    return !o->reading.query && (strncmp(input, "postgresql://", 13) == 0 || strncmp(input, "postgres://", 11) == 0);
}

/* What its store remembers, and then what its journal has: rows that stand in both are taken once.  A counter's values in the journal do
 * not go on from those that were made of its rates. */
static tcs_status send_service(const char *folder, sending *s)
{
    char store[4096];
    struct stat ignored;
    tcsi_past_found found = { 0 };
    tcs_status status = TCS_OK;
    const bool has_store = (size_t)snprintf(store, sizeof store, "%s/tocsin.db", folder) < sizeof store && stat(store, &ignored) == 0;
    if (has_store) status = tcsi_past_of_store(store, send_row, s, &found, s->err);
    if (status == TCS_OK && s->status == TCS_OK) status = tcsi_past_of_journal(folder, found.has_counters, send_row, s, s->err);
    return s->status != TCS_OK ? s->status : status;
}

static tcs_status send_input(const backfill_options *o, const char *input, sending *s)
{
    tcs_read_options read = cli_read_options(&o->reading);
    tcs_frame *frame = NULL;
    tcsi_past_found found;
    read.whole_names = true; /* as its samples will come */
    if (is_service(input)) return send_service(input, s);
    if (is_store(o, input)) {
        const tcs_status of_store = tcsi_past_of_store(input, send_row, s, &found, s->err);
        return s->status != TCS_OK ? s->status : of_store;
    }
    tcs_status status = tcs_frame_read(input, &read, &frame, s->err);
    if (status == TCS_OK) status = check_frame(o, input, frame, s->err);
    if (status == TCS_OK) status = send_frame(o, frame, s);
    tcs_frame_destroy(frame);
    return status;
}

static int run(const void *raw, const char *const *inputs, size_t input_count)
{
    const backfill_options *o = raw;
    const tcsi_sender_options asked = { .url = o->to ? o->to : "http://127.0.0.1:9740", .token_file = o->token };
    cli_progress progress = cli_progress_begin();
    tcs_error err = { 0 };
    sending s = { .progress = &progress, .err = &err };
    tcs_status status = tcsi_sender_open(&asked, &s.sender, &err);
    for (size_t i = 0; status == TCS_OK && i < input_count; i++) status = send_input(o, inputs[i], &s);
    if (status == TCS_OK) status = tcsi_sender_flush(s.sender, &err);
    cli_progress_hide(&progress);
    if (status == TCS_OK) {
        printf("%llu rows of the past were taken by %s\n", (unsigned long long)tcsi_sender_count(s.sender), asked.url);
        if (*tcsi_sender_complaint(s.sender)) fprintf(stderr, "tocsin backfill: some were refused: %s\n", tcsi_sender_complaint(s.sender));
    }
    tcsi_sender_close(s.sender);
    return status == TCS_OK ? EXIT_DONE : cli_fail("backfill", &err);
}

const cli_command cli_backfill = {
    .name = "backfill",
    .positional = "INPUT...",
    .positional_min = 1,
    .positional_max = CLI_INPUT_COUNT_MAX,
    .summary = "teach a live service what was usual in the past",
    .description = "Sends rows of the past to a running service, so that a series is judged on its own scale from its first live row on. "
                   "Nobody is told of what happened in them, and no episode is kept. A series takes rows of the past until it has 200 of "
                   "its own, and only those before its first live row.\n\n"
                   "INPUT is a file as `tocsin detect` reads it, an SQL or a Prometheus query (--query), the folder of another service, "
                   "whose history and journal are read, or the store of one without a query, postgresql://.... A column's name is the "
                   "series' name, load{host=\"a\"}; of a Prometheus query, with all labels.",
    .examples = "  tocsin backfill january.csv february.csv\n"
                "  tocsin backfill http://localhost:9090 --query 'node_load1' --start now-14d --step 15s\n"
                "  tocsin backfill --to https://tocsin.example:9740 --token token.txt /var/lib/old-tocsin\n"
                "  tocsin backfill sqlite:plant.db --query 'select time, flow, pressure from readings'\n"
                "  tocsin backfill plant.csv --names 'pressure{pump=\"1\"};flow{pump=\"1\"}'\n",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .options_size = sizeof(backfill_options),
    .run = run,
};
