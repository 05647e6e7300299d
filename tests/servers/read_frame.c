/* tests/servers/read_frame.c -- prints what the public API makes of an input as JSON, for the tests with servers.
 * usage: read_frame INPUT [time=X] [label=X] [columns=X] [query=X] [as_series=1] [start=X] [end=X] [step=X] */
#include "tocsin/tocsin.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

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
