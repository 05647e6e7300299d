/* bench/whole_bench.c -- what somebody who types `tocsin detect FILE` waits for and needs: elapsed time, processor time and peak
 * memory of the whole process, from its start to its last line.
 *
 * usage: whole_bench [OUTPUT.json]      writes the table to standard output and the same as JSON
 * Each case is a file made here, in which one event is hidden; the command runs in a process of its own with --json, and must read
 * every row and find the event, or the program fails.  Figures are medians over three runs that take turns with the other cases.
 * Elapsed time counts whatever else the machine does.  A slow figure never fails the program.  SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/rng.h"
#include "figure.h"
#include "series/time.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { REPEAT_COUNT = 3, ARGUMENT_COUNT_MAX = 8, PATH_SIZE = 128 };

typedef struct bench_case {
    const char *name;
    size_t row_count, channel_count;
    bool is_table;
    const char *arguments[ARGUMENT_COUNT_MAX];
    double target_s, target_mb; /* 0: none */
} bench_case;

static const bench_case cases[] = {
    { "100,000 rows x 1", 100000, 1, false, { NULL }, 2, 200 },
    { "100,000 rows x 1, online", 100000, 1, false, { "--mode", "online" }, 2, 200 },
    { "100,000 rows x 1, streamed", 100000, 1, false, { "--mode", "online", "--stream" }, 0, 0 },
    { "table, 100,000 rows x 1", 100000, 1, true, { NULL }, 2, 200 },
    { "table, 10 rows x 100,000", 10, 100000, true, { NULL }, 2, 200 },
    { "table, 2 rows x 1,000,000", 2, 1000000, true, { NULL }, 5, 600 },
};

typedef struct usage {
    double wall_s, processor_s, peak_mb;
} usage;

typedef struct work {
    const bench_case *c;
    char path[PATH_SIZE], output[PATH_SIZE];
    usage runs[REPEAT_COUNT];
} work;

/* ---- files ---- */

static bool in_event(const bench_case *c, size_t row)
{
    size_t begin = c->row_count * 7 / 10;
    return row >= begin && row < begin + (c->row_count >= 1000 ? 20 : 1);
}

/* A daily wave with noise, and a level that leaves it for a while. */
static tcs_status make(const work *w, tcs_error *err)
{
    const bench_case *c = w->c;
    tcsi_rng rng = tcsi_rng_make(7, 0);
    tcsi_buffer out;
    tcsi_buffer_init(&out, (size_t)1 << 30);
    tcs_status status = c->is_table ? TCS_OK : tcsi_buffer_puts(&out, "time,", err);
    for (size_t i = 0; i < c->channel_count && status == TCS_OK; i++)
        status = tcsi_buffer_printf(&out, err, "v%zu%c", i, i + 1 < c->channel_count ? ',' : '\n');
    for (size_t r = 0; r < c->row_count && status == TCS_OK; r++) {
        char text[TCSI_TIME_TEXT_SIZE];
        if (!c->is_table) {
            (void)tcsi_time_format_iso((INT64_C(1700000000) + 60 * (int64_t)r) * TCSI_NS_PER_S, text, sizeof text); /* the size suffices */
            status = tcsi_buffer_printf(&out, err, "%s,", text);
        }
        for (size_t i = 0; i < c->channel_count && status == TCS_OK; i++) {
            double wave = c->is_table ? 0 : 3 * sin((double)r * 6.283185307179586 / 1440);
            double value = wave + tcsi_rng_normal(&rng) * 0.3 + (in_event(c, r) ? 9 : 0);
            status = tcsi_buffer_printf(&out, err, "%.5g%c", value, i + 1 < c->channel_count ? ',' : '\n');
        }
    }
    if (status == TCS_OK) status = tcsi_file_write(w->path, out.data, out.size, err);
    tcsi_buffer_deinit(&out);
    return status;
}

/* ---- running ---- */

static void become_command(const work *w)
{
    const char *arguments[ARGUMENT_COUNT_MAX + 6] = { TOCSIN_COMMAND, "detect", w->path, "--json" };
    int output = open(w->output, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    for (size_t i = 0; i < ARGUMENT_COUNT_MAX && w->c->arguments[i]; i++) arguments[4 + i] = w->c->arguments[i];
    if (output >= 0 && dup2(output, STDOUT_FILENO) >= 0) execv(TOCSIN_COMMAND, (char *const *)arguments);
    _exit(127);
}

static tcs_status run(work *w, usage *ret_usage, tcs_error *err)
{
    int64_t begin_ns = tcsi_clock_monotonic_ns();
    int outcome = 0;
    struct rusage used = { 0 };
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) become_command(w);
    if (child < 0 || wait4(child, &outcome, 0, &used) != child) return tcsi_fail(err, TCS_E_IO, "%s cannot be run", TOCSIN_COMMAND);
    if (!WIFEXITED(outcome) || WEXITSTATUS(outcome) != 0) return tcsi_fail(err, TCS_E_IO, "%s: tocsin detect failed", w->c->name);
    *ret_usage = (usage){ (double)(tcsi_clock_monotonic_ns() - begin_ns) * 1e-9,
                          (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) + (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1e-6,
                          (double)used.ru_maxrss / 1024 };
    return TCS_OK;
}

/* ---- the answer ---- */

static bool meets_event(const bench_case *c, const tcsi_json_value *episode)
{
    double begin = tcsi_json_number_of(episode, "row_onset", NAN), end = tcsi_json_number_of(episode, "row_end", NAN);
    for (double row = begin; row < end; row++)
        if (in_event(c, (size_t)row)) return true;
    return false;
}

/* One document, or with --stream one object a line: what opened and closed, and a last one that sums up. */
static tcs_status check_text(const bench_case *c, char *text, tcsi_arena *arena, tcs_error *err)
{
    double rows = NAN;
    bool found = c->row_count < 1000; /* too few to be sure of anything */
    for (char *at = text, *end; *at; at = end) {
        const tcsi_json_value *object = NULL, *episodes = NULL;
        end = strncmp(at, "{\n", 2) == 0 ? at + strlen(at) : at + strcspn(at, "\n") + 1;
        tcs_status status = tcsi_json_parse(at, (size_t)(end - at), arena, &object, err);
        if (status != TCS_OK) return status;
        if (!isnan(tcsi_json_number_of(object, "rows", NAN))) rows = tcsi_json_number_of(object, "rows", NAN);
        episodes = tcsi_json_get(object, "episodes");
        if (!episodes || episodes->type != TCSI_JSON_ARRAY) found = found || meets_event(c, object);
        else
            for (size_t i = 0; i < episodes->item_count; i++) found = found || meets_event(c, &episodes->items[i]);
    }
    if (rows != (double)c->row_count) return tcsi_fail(err, TCS_E_FORMAT, "%s: %g rows were read", c->name, rows);
    return found ? TCS_OK : tcsi_fail(err, TCS_E_FORMAT, "%s: the event was not found", c->name);
}

static tcs_status check(const work *w, tcs_error *err)
{
    tcsi_buffer text;
    tcsi_arena arena;
    tcsi_buffer_init(&text, (size_t)1 << 28);
    tcsi_arena_init(&arena, 0);
    tcs_status status = tcsi_file_read(w->output, &text, err);
    if (status == TCS_OK) status = check_text(w->c, text.data, &arena, err);
    tcsi_arena_deinit(&arena);
    tcsi_buffer_deinit(&text);
    return status;
}

/* ---- telling ---- */

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static double median(const work *w, size_t offset)
{
    double values[REPEAT_COUNT];
    for (size_t i = 0; i < REPEAT_COUNT; i++) memcpy(&values[i], (const char *)&w->runs[i] + offset, sizeof values[i]);
    qsort(values, REPEAT_COUNT, sizeof *values, compare);
    return values[REPEAT_COUNT / 2];
}

static void tell(tcsi_json_writer *writer, const work *w)
{
    const struct { const char *what, *unit; size_t offset; double target; } figures[] = {
        { "elapsed", "s", offsetof(usage, wall_s), w->c->target_s }, { "processor", "s", offsetof(usage, processor_s), 0 },
        { "peak memory", "MB", offsetof(usage, peak_mb), w->c->target_mb },
    };
    bool is_missed = false;
    printf("%-34s", w->c->name);
    for (size_t i = 0; i < TCS_COUNT(figures); i++) {
        char name[96];
        double value = median(w, figures[i].offset), target = figures[i].target;
        bool is_met = target == 0 || value <= target;
        is_missed = is_missed || !is_met;
        snprintf(name, sizeof name, "detect %s, %s", w->c->name, figures[i].what);
        printf(" %10.3g", value);
        const figure row = figure_of_cost(name, figures[i].unit, value, 0, NULL, target);
        figure_write(writer, &row);
    }
    if (w->c->target_s > 0)
        printf("   target %.3g s, %.3g MB%s", w->c->target_s, w->c->target_mb, is_missed ? "  MISSED" : "");
    printf("\n");
}

static tcs_status measure(work *works, tcs_error *err)
{
    tcs_status status = TCS_OK;
    for (size_t i = 0; i < TCS_COUNT(cases) && status == TCS_OK; i++) {
        work *w = &works[i];
        *w = (work){ .c = &cases[i] };
        snprintf(w->path, sizeof w->path, "/tmp/tocsin-whole-bench-%ld-%zu.csv", (long)getpid(), i);
        snprintf(w->output, sizeof w->output, "/tmp/tocsin-whole-bench-%ld-%zu.json", (long)getpid(), i);
        status = make(w, err);
    }
    for (size_t repeat = 0; repeat < REPEAT_COUNT; repeat++)
        for (size_t i = 0; i < TCS_COUNT(cases) && status == TCS_OK; i++) {
            status = run(&works[i], &works[i].runs[repeat], err);
            if (status == TCS_OK) status = check(&works[i], err);
        }
    for (size_t i = 0; i < TCS_COUNT(cases); i++) {
        unlink(works[i].path);
        unlink(works[i].output);
    }
    return status;
}

int main(int argc, char **argv)
{
    static work works[TCS_COUNT(cases)];
    tcs_error err = { 0 };
    tcsi_buffer json;
    tcsi_json_writer writer;
    tcsi_buffer_init(&json, 1 << 20);
    tcsi_json_writer_init(&writer, &json, true);
    tcs_status status = measure(works, &err);
    if (status == TCS_OK) printf("%-34s %10s %10s %10s\n", "tocsin detect, the whole process", "elapsed s", "cpu s", "peak MB");
    tcsi_json_begin_array(&writer);
    for (size_t i = 0; i < TCS_COUNT(cases) && status == TCS_OK; i++) tell(&writer, &works[i]);
    tcsi_json_end_array(&writer);
    if (status == TCS_OK) status = tcsi_json_finish(&writer, &err);
    if (status == TCS_OK && argc > 1) status = tcsi_file_write(argv[1], json.data, json.size, &err);
    if (status != TCS_OK) fprintf(stderr, "whole_bench: %s\n", err.text);
    tcsi_buffer_deinit(&json);
    return status == TCS_OK ? 0 : 1;
}
