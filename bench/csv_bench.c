/* bench/csv_bench.c -- megabytes of CSV a second of one core, from a file in the page cache to a complete frame.
 *
 * usage: csv_bench [OUTPUT.json]      writes the table to standard output and the same as JSON
 * Each case is a file of about 200 MB made here.  The peer is the plainest correct loop: strtod on each cell of the same
 * bytes, already in memory.  Both must see the same sum, bit for bit, or the program fails; a slow figure never fails it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "base/file.h"
#include "base/rng.h"
#include "figure.h"
#include "io/read.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { FILE_SIZE = 200 * 1000 * 1000, REPEAT_COUNT = 3, TARGET_MB_S = 500 };

typedef struct bench_case {
    const char *name;
    size_t channel_count;
    const char *format; /* of a number */
    bool has_time;
} bench_case;

static const bench_case cases[] = {
    { "sensors: 8 columns, 6 digits", 8, "%.6g", false },
    { "doubles: 4 columns, 17 digits", 4, "%.17g", false },
    { "counts: 1 column, integers", 1, "%.0f", false },
    { "wide: 1000 columns, 6 digits", 1000, "%.6g", false },
    { "series: time stamp and 4 columns", 4, "%.6g", true },
};

typedef struct outcome {
    double ours, peer; /* MB/s */
    double sum_ours, sum_peer;
} outcome;

static tcs_status make(const bench_case *c, tcsi_buffer *out, tcs_error *err)
{
    tcsi_rng rng = tcsi_rng_make(1, 0);
    char text[64];
    tcs_status status = TCS_OK;
    int64_t time_ns = INT64_C(1700000000) * TCSI_NS_PER_S;
    if (c->has_time) status = tcsi_buffer_puts(out, "time,", err);
    for (size_t i = 0; i < c->channel_count && status == TCS_OK; i++)
        status = tcsi_buffer_printf(out, err, i + 1 < c->channel_count ? "s%zu," : "s%zu\n", i);
    /* A few thousand different numbers, repeated: formatting 25 million would take longer than everything else. */
    enum { TEXT_COUNT = 4096 };
    char(*texts)[64] = tcsi_alloc_zero(TEXT_COUNT, sizeof *texts);
    if (!texts) return tcsi_fail_memory(err, "numbers");
    for (size_t i = 0; i < TEXT_COUNT; i++) {
        double value = c->format[2] == '0' ? (double)tcsi_rng_below(&rng, 100000) : tcsi_rng_normal(&rng) * pow(10, (double)tcsi_rng_below(&rng, 4));
        snprintf(texts[i], sizeof texts[i], c->format[2] == '0' ? "%.0f" : c->format[2] == '6' ? "%.6g" : "%.17g", value);
    }
    while (out->size < FILE_SIZE && status == TCS_OK) {
        if (c->has_time) {
            size_t size = tcsi_time_format_iso(time_ns, text, sizeof text);
            text[size++] = ',';
            status = tcsi_buffer_append(out, text, size, err);
            time_ns += TCSI_NS_PER_S;
        }
        for (size_t i = 0; i < c->channel_count && status == TCS_OK; i++) {
            const char *number = texts[tcsi_rng_u32(&rng) % TEXT_COUNT];
            status = tcsi_buffer_puts(out, number, err);
            if (status == TCS_OK) status = tcsi_buffer_append(out, i + 1 < c->channel_count ? "," : "\n", 1, err);
        }
    }
    tcsi_free(texts);
    return status;
}

/* Processor time of this process, system calls and page faults included: what one core needs, however many others
 * share the machine. */
static double processor_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static double sum_frame(const tcsi_frame *frame)
{
    double sum = 0;
    for (size_t r = 0; r < frame->row_count; r++)
        for (size_t c = 0; c < frame->channel_count; c++) sum += tcsi_frame_column(frame, c)[r];
    return sum;
}

static double sum_strtod(const bench_case *c, const tcsi_buffer *text)
{
    double sum = 0;
    const char *at = strchr(text->data, '\n') + 1, *end = text->data + text->size;
    while (at < end) {
        if (c->has_time) at = strchr(at, ',') + 1;
        for (size_t i = 0; i < c->channel_count; i++) {
            char *behind;
            sum += strtod(at, &behind);
            at = behind + 1;
        }
    }
    return sum;
}

static tcs_status measure(const bench_case *c, const char *path, tcsi_buffer *text, outcome *ret, tcs_error *err)
{
    tcsi_buffer_clear(text);
    tcs_status status = make(c, text, err);
    if (status == TCS_OK) status = tcsi_file_write(path, text->data, text->size, err);
    *ret = (outcome){ 0 };
    for (int i = 0; i < REPEAT_COUNT && status == TCS_OK; i++) { /* the best of each: the machine is shared */
        tcsi_frame *frame = NULL;
        double begin_s = processor_s();
        status = tcsi_read_frame(path, &(tcsi_read_options){ .as_series = true }, &frame, NULL, err);
        if (status != TCS_OK) break;
        ret->ours = fmax(ret->ours, (double)text->size * 1e-6 / (processor_s() - begin_s));
        ret->sum_ours = sum_frame(frame);
        tcsi_frame_destroy(frame);
        begin_s = processor_s();
        ret->sum_peer = sum_strtod(c, text);
        ret->peer = fmax(ret->peer, (double)text->size * 1e-6 / (processor_s() - begin_s));
    }
    return status;
}

static void write_json(tcsi_json_writer *writer, const bench_case *c, const outcome *o)
{
    figure_write(writer, &(figure){ .name = c->name, .unit = "MB/s", .ours = o->ours, .peer = o->peer, .peer_name = "strtod loop",
                                    .ratio = o->ours / o->peer, .target = TARGET_MB_S, .ok = o->ours >= TARGET_MB_S });
}

int main(int argc, char **argv)
{
    char path[64];
    tcs_error err = { 0 };
    tcs_status status = TCS_OK;
    tcsi_buffer text, json;
    tcsi_json_writer writer;
    snprintf(path, sizeof path, "/tmp/tocsin-csv-bench-%ld.csv", (long)getpid());
    tcsi_buffer_init(&text, (size_t)2 * FILE_SIZE);
    tcsi_buffer_init(&json, 1 << 20);
    tcsi_json_writer_init(&writer, &json, true);
    tcsi_json_begin_array(&writer);
    printf("%-36s %10s %12s %7s %8s\n", "CSV to frame, one core", "MB/s", "strtod MB/s", "ratio", "target");
    for (size_t i = 0; i < TCS_COUNT(cases) && status == TCS_OK; i++) {
        outcome o;
        status = measure(&cases[i], path, &text, &o, &err);
        if (status != TCS_OK) break;
        printf("%-36s %10.0f %12.0f %7.1f %8d\n", cases[i].name, o.ours, o.peer, o.ours / o.peer, TARGET_MB_S);
        write_json(&writer, &cases[i], &o);
        if (o.sum_ours != o.sum_peer) status = tcsi_fail(&err, TCS_E_FORMAT, "%s: the sums differ: %.17g and %.17g", cases[i].name, o.sum_ours, o.sum_peer);
    }
    unlink(path);
    tcsi_json_end_array(&writer);
    if (status == TCS_OK) status = tcsi_json_finish(&writer, &err);
    if (status == TCS_OK && argc > 1) status = tcsi_file_write(argv[1], json.data, json.size, &err);
    if (status != TCS_OK) fprintf(stderr, "csv_bench: %s\n", err.text);
    tcsi_buffer_deinit(&text);
    tcsi_buffer_deinit(&json);
    return status == TCS_OK ? 0 : 1;
}
