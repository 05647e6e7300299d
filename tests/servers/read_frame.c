/* tests/servers/read_frame.c -- prints what the public API makes of an input as JSON, for the tests with servers.
 * usage: read_frame INPUT [time=X] [label=X] [columns=X] [query=X] [as_series=1] [start=X] [end=X] [step=X] [fail=1|rows=1]
 * rows=1: reads row by row instead and prints how many rows there were and the process' largest memory in KiB.
 * fail=1: allocation 1, 2, 3, ... fails until reading succeeds; each time it must be out of memory and leave nothing
 * behind.  Then prints how many failed. */
#include "base/alloc.h"
#include "io/rows.h"
#include "tocsin/tocsin.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

static void print_text(const char *text)
{
    putchar('"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') putchar('\\');
        putchar(*text);
    }
    putchar('"');
}

static const char *option(int argc, char **argv, const char *name)
{
    size_t length = strlen(name);
    for (int i = 2; i < argc; i++)
        if (strncmp(argv[i], name, length) == 0 && argv[i][length] == '=') return argv[i] + length + 1;
    return NULL;
}

static int fail_allocations(const char *input, const tcs_read_options *options)
{
    size_t fail_at = 0;
    tcs_status status = TCS_E_MEMORY;
    while (status != TCS_OK) {
        tcs_frame *frame = NULL;
        tcs_error err = { 0 };
        tcsi_alloc_trace_begin();
        tcsi_alloc_trace_fail_at(++fail_at);
        status = tcs_frame_read(input, options, &frame, &err);
        tcs_frame_destroy(frame);
        tcsi_alloc_stats stats = tcsi_alloc_trace_stats();
        tcsi_alloc_trace_end();
        if ((status == TCS_OK || status == TCS_E_MEMORY) && stats.live_count == 0) continue;
        fprintf(stderr, "allocation %zu: %zu blocks left, %s\n", fail_at, stats.live_count, err.text);
        return 1;
    }
    printf("%zu\n", fail_at - 1);
    return 0;
}

static int read_rows(const char *input, const char *query)
{
    tcsi_read_options options = { .query = query };
    tcsi_row_reader *reader;
    tcsi_row row;
    uint8_t label;
    bool end = false;
    tcs_error err;
    uint64_t count = 0;
    struct rusage usage;
    tcs_status status = tcsi_row_reader_open(input, &options, &reader, &err);
    if (status != TCS_OK) reader = NULL;
    while (status == TCS_OK && !end) {
        status = tcsi_row_reader_next(reader, &row, &label, &end, &err);
        count += !end;
    }
    tcsi_row_reader_close(reader);
    if (status != TCS_OK) fprintf(stderr, "%s\n", err.text);
    getrusage(RUSAGE_SELF, &usage);
    printf("%" PRIu64 " %ld\n", count, usage.ru_maxrss);
    return status == TCS_OK ? 0 : 1;
}

int main(int argc, char **argv)
{
    tcs_read_options options = {
        .time = option(argc, argv, "time"), .label = option(argc, argv, "label"), .columns = option(argc, argv, "columns"),
        .query = option(argc, argv, "query"), .as_series = option(argc, argv, "as_series") != NULL,
        .start = option(argc, argv, "start"), .end = option(argc, argv, "end"), .step = option(argc, argv, "step"),
    };
    tcs_frame *frame;
    tcs_error err;
    if (argc < 2) return 2;
    if (option(argc, argv, "rows")) return read_rows(argv[1], options.query);
    if (option(argc, argv, "fail")) return fail_allocations(argv[1], &options);
    if (tcs_frame_read(argv[1], &options, &frame, &err) != TCS_OK) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    size_t rows = tcs_frame_row_count(frame);
    printf("{\"rows\":%zu,\"names\":[", rows);
    for (size_t c = 0; c < tcs_frame_channel_count(frame); c++) {
        if (c) putchar(',');
        print_text(tcs_frame_channel_name(frame, c));
    }
    printf("],\"values\":[");
    for (size_t c = 0; c < tcs_frame_channel_count(frame); c++) {
        printf("%s[", c ? "," : "");
        for (size_t r = 0; r < rows; r++) {
            double value = tcs_frame_values(frame, c)[r];
            if (value != value) printf("%sNaN", r ? "," : "");
            else printf("%s%.17g", r ? "," : "", value);
        }
        putchar(']');
    }
    printf("],\"times_ns\":[");
    for (size_t r = 0; tcs_frame_times_ns(frame) && r < rows; r++) printf("%s%" PRId64, r ? "," : "", tcs_frame_times_ns(frame)[r]);
    printf("],\"labels\":[");
    for (size_t r = 0; tcs_frame_labels(frame) && r < rows; r++) printf("%s%d", r ? "," : "", tcs_frame_labels(frame)[r]);
    printf("],\"notes\":[");
    for (size_t i = 0; i < tcs_frame_note_count(frame); i++) {
        if (i) putchar(',');
        print_text(tcs_frame_note(frame, i));
    }
    printf("]}\n");
    tcs_frame_destroy(frame);
    return fflush(stdout) == 0 ? 0 : 1;
}
