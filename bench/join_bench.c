/* bench/join_bench.c -- how fast are the similarity joins, tier by tier, and against stumpy?
 *
 * usage: join_bench [OUTPUT.json]      prints a table; TOCSIN_BENCH_PYTHON names a python that has stumpy, else no peer runs
 * Shapes: C and R of 10,000 windows against 160 segments of 64 (1.02e8 cells), and matrix profiles.  Figures are medians of
 * processor time on one thread, because other programs may be busy; the peer runs on one thread too, in turn with ours on the
 * same series.  Stumpy also finds the indices of the neighbours and left and right profiles, which ours does not.
 * The program fails when a tier differs from the portable one or the profiles differ, never because a figure is slow.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "base/file.h"
#include "base/rng.h"
#include "detect/window/profile.h"
#include "figure.h"
#include "kernels/join.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { REPEAT_COUNT = 5, VALUE_COUNT_MAX = 10200, SEGMENT_COUNT = 160, SEGMENT_WIDTH = 64, PATH_SIZE = 64 };

typedef struct bench_case {
    const char *name;
    tcsi_join_kind kind;
    bool self;
    size_t window_count, window;
    double target_ms; /* for the fastest tier; 0: none */
} bench_case;

static const bench_case cases[] = {
    { "segment join, C and R, 10k windows", TCSI_JOIN_BOTH, false, 10000, 32, 30 },
    { "segment join, C, 10k windows", TCSI_JOIN_CENTRED, false, 10000, 32, 0 },
    { "self join, Z, 10k windows", TCSI_JOIN_ZNORM, true, 10000, 32, 25 },
};

static double processor_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec * 1e-6;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values)
{
    qsort(values, REPEAT_COUNT, sizeof *values, ascending);
    return values[REPEAT_COUNT / 2];
}

/* A noisy season with a wandering level. */
static void make_series(double *x, size_t count)
{
    tcsi_rng rng = tcsi_rng_make(1, count);
    double level = 0;
    for (size_t t = 0; t < count; t++) {
        level += 0.02 * tcsi_rng_normal(&rng);
        x[t] = level + sin((double)t * 0.13) + 0.2 * tcsi_rng_normal(&rng);
    }
}

/* One line of the table and of the list. */
static void write_row(tcsi_json_writer *writer, const char *name, const char *unit, double ours, double peer, const char *peer_name,
                      double target)
{
    printf("%-52s %10.2f %s", name, ours, unit);
    if (peer > 0) printf("   %s %10.2f   %5.1f x", peer_name, peer, peer / ours);
    if (target > 0) printf("   target %g%s", target, ours <= target ? "" : "  MISSED");
    printf("\n");
    const figure row = figure_of_cost(name, unit, ours, peer, peer_name, target);
    figure_write(writer, &row);
}

/* Every tier on one case; the portable one is the peer of the others. */
static tcs_status run_tiers(const bench_case *c, const double *x, tcsi_json_writer *writer, tcs_error *err)
{
    tcsi_join_plan plan = { 0 };
    tcsi_join_segment segments[SEGMENT_COUNT];
    for (size_t s = 0; s < SEGMENT_COUNT; s++)
        segments[s] = (tcsi_join_segment){ s * (c->window_count - SEGMENT_WIDTH) / (SEGMENT_COUNT - 1), SEGMENT_WIDTH };
    tcsi_join_range range = { .segments = c->self ? NULL : segments, .segment_count = SEGMENT_COUNT, .exclusion = c->window,
                              .keep_count = 1, .cell_exclusion = c->self };
    double *first[TCSI_ISA_COUNT] = { NULL }, *second = TCSI_NEW_ARRAY(double, c->window_count), times[TCSI_ISA_COUNT][REPEAT_COUNT];
    tcs_status status = second ? TCS_OK : tcsi_fail_memory(err, "distances");
    if (status == TCS_OK) status = tcsi_join_plan_init(&plan, c->kind, x, c->window_count + c->window - 1, c->window, 0, err);
    for (size_t i = 0; i < TCSI_ISA_COUNT && status == TCS_OK; i++)
        if (!(first[i] = TCSI_NEW_ARRAY(double, c->window_count))) status = tcsi_fail_memory(err, "distances");
    for (size_t k = 0; k < REPEAT_COUNT && status == TCS_OK; k++)
        for (int isa = 0; isa < TCSI_ISA_COUNT && status == TCS_OK; isa++) {
            if (!tcsi_isa_supported((tcsi_isa)isa)) continue;
            double begin = processor_ms();
            status = tcsi_join_run((tcsi_isa)isa, &plan, &range, NULL, first[isa], c->kind == TCSI_JOIN_BOTH ? second : NULL, err);
            times[isa][k] = processor_ms() - begin;
        }
    double cells = (double)c->window_count * (c->self ? (double)c->window_count : (double)SEGMENT_COUNT * SEGMENT_WIDTH), portable = 0;
    for (int isa = 0; isa < TCSI_ISA_COUNT && status == TCS_OK; isa++) {
        char name[96];
        if (!tcsi_isa_supported((tcsi_isa)isa)) continue;
        for (size_t i = 0; i < c->window_count; i++)
            if (!(fabs(first[isa][i] - first[0][i]) <= 1e-9))
                status = tcsi_fail(err, TCS_E_INVALID, "%s: %s differs from portable", c->name, tcsi_isa_name((tcsi_isa)isa));
        double ms = median(times[isa]);
        snprintf(name, sizeof name, "%s, %s", c->name, tcsi_isa_name((tcsi_isa)isa));
        write_row(writer, name, "ms", ms, portable, "portable", isa == (int)tcsi_isa_current() ? c->target_ms : 0);
        printf("%52s %10.2f 1e9 cells/s\n", "", cells / ms * 1e-6);
        if (isa == TCSI_ISA_PORTABLE) portable = ms;
    }
    for (size_t i = 0; i < TCSI_ISA_COUNT; i++) tcsi_free(first[i]);
    tcsi_free(second);
    tcsi_join_plan_deinit(&plan);
    return status;
}

/* ---- stumpy ---- */

typedef struct peer_process {
    pid_t process;
    FILE *to, *from;
} peer_process;

/* Starts the peer and waits until it has compiled and written its profile. */
static tcs_status peer_open(const char *python, const char *series_path, size_t window, const char *profile_path, peer_process *ret_peer,
                            char *ret_version, size_t version_size, tcs_error *err)
{
    int to[2], from[2];
    char width[32];
    snprintf(width, sizeof width, "%zu", window);
    if (pipe(to) != 0 || pipe(from) != 0) return tcsi_fail(err, TCS_E_IO, "cannot make a pipe");
    pid_t process = fork();
    if (process < 0) return tcsi_fail(err, TCS_E_IO, "cannot start %s", python);
    if (process == 0) {
        dup2(to[0], 0);
        dup2(from[1], 1);
        close(to[1]);
        close(from[0]);
        setenv("NUMBA_NUM_THREADS", "1", 1);
        execlp(python, python, JOIN_PEER, series_path, width, profile_path, (char *)NULL);
        _exit(127);
    }
    close(to[0]);
    close(from[1]);
    *ret_peer = (peer_process){ process, fdopen(to[1], "w"), fdopen(from[0], "r") };
    if (!fgets(ret_version, (int)version_size, ret_peer->from)) return tcsi_fail(err, TCS_E_UNSUPPORTED, "%s cannot run stumpy", python);
    ret_version[strcspn(ret_version, "\n")] = 0;
    return TCS_OK;
}

static void peer_close(peer_process *peer)
{
    if (peer->to) fclose(peer->to);
    if (peer->from) fclose(peer->from);
    if (peer->process > 0) waitpid(peer->process, NULL, 0);
}

static double peer_run_ms(peer_process *peer)
{
    char line[64];
    fputs("run\n", peer->to);
    fflush(peer->to);
    return fgets(line, sizeof line, peer->from) ? strtod(line, NULL) * 1e3 : 0;
}

static tcs_status compare_profiles(const char *path, const double *ours, size_t count, tcs_error *err)
{
    tcsi_buffer bytes;
    tcsi_buffer_init(&bytes, 1 << 26);
    tcs_status status = tcsi_file_read(path, &bytes, err);
    if (status == TCS_OK && bytes.size != count * sizeof *ours) status = tcsi_fail(err, TCS_E_FORMAT, "the peer's profile has a wrong length");
    for (size_t i = 0; i < count && status == TCS_OK; i++) {
        double theirs;
        memcpy(&theirs, bytes.data + i * sizeof theirs, sizeof theirs);
        if (!(fabs(theirs - ours[i]) <= 1e-6)) status = tcsi_fail(err, TCS_E_INVALID, "window %zu: %.9g, stumpy %.9g", i, ours[i], theirs);
    }
    tcsi_buffer_deinit(&bytes);
    return status;
}

/* The matrix profile of window_count windows, ours and the peer's in turn. */
static tcs_status run_profile(const char *python, const double *x, size_t window_count, size_t window, tcsi_json_writer *writer,
                              tcs_error *err)
{
    char series_path[PATH_SIZE], profile_path[PATH_SIZE], name[96], version[64] = "";
    double ours_ms[REPEAT_COUNT], peer_ms[REPEAT_COUNT] = { 0 }, *ours = TCSI_NEW_ARRAY(double, window_count);
    peer_process other = { 0 };
    tcsi_profile_options options = { .window = window, .normalize = true };
    size_t count = window_count + window - 1;
    snprintf(series_path, sizeof series_path, "/tmp/join_bench_%ld.series", (long)getpid());
    snprintf(profile_path, sizeof profile_path, "/tmp/join_bench_%ld.profile", (long)getpid());
    tcs_status status = ours ? TCS_OK : tcsi_fail_memory(err, "a profile");
    if (status == TCS_OK && python) status = tcsi_file_write(series_path, x, count * sizeof *x, err);
    if (status == TCS_OK && python) status = peer_open(python, series_path, window, profile_path, &other, version, sizeof version, err);
    for (size_t k = 0; k < REPEAT_COUNT && status == TCS_OK; k++) {
        double begin = processor_ms();
        status = tcsi_profile_distances(x, count, &options, false, NULL, ours, err);
        ours_ms[k] = processor_ms() - begin;
        if (python && status == TCS_OK) peer_ms[k] = peer_run_ms(&other);
    }
    if (status == TCS_OK && python) status = compare_profiles(profile_path, ours, window_count, err);
    if (status == TCS_OK) {
        snprintf(name, sizeof name, "matrix profile, %zu windows of %zu", window_count, window);
        write_row(writer, name, "ms", median(ours_ms), median(peer_ms), version, 0);
    }
    peer_close(&other);
    (void)remove(series_path);
    (void)remove(profile_path);
    tcsi_free(ours);
    return status;
}

int main(int argc, char **argv)
{
    static double x[VALUE_COUNT_MAX];
    const char *python = getenv("TOCSIN_BENCH_PYTHON");
    tcs_error err = { 0 };
    tcsi_buffer text;
    tcsi_json_writer writer;
    tcs_status status = TCS_OK;
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    tcsi_buffer_init(&text, 1 << 20);
    tcsi_json_writer_init(&writer, &text, true);
    make_series(x, VALUE_COUNT_MAX);
    printf("one thread, %s, medians of processor time\n", tcsi_isa_name(tcsi_isa_current()));
    tcsi_json_begin_array(&writer);
    for (size_t i = 0; i < TCS_COUNT(cases) && status == TCS_OK; i++) status = run_tiers(&cases[i], x, &writer, &err);
    if (status == TCS_OK) status = run_profile(python, x, 10000, 32, &writer, &err);
    if (status == TCS_OK) status = run_profile(python, x, 10000, 100, &writer, &err);
    if (!python) printf("(TOCSIN_BENCH_PYTHON names a python with stumpy to compare with)\n");
    tcsi_json_end_array(&writer);
    if (status == TCS_OK) status = tcsi_json_finish(&writer, &err);
    if (status == TCS_OK && argc > 1) status = tcsi_file_write(argv[1], text.data, text.size, &err);
    if (status != TCS_OK) fprintf(stderr, "join_bench: %s\n", err.text);
    tcsi_buffer_deinit(&text);
    return status == TCS_OK ? 0 : 1;
}
