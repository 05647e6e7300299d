/* apps/cmd_bench.c -- `tocsin bench`: detectors over a public suite, measured.  SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

#include "base/arena.h"
#include "base/file.h"
#include "base/json.h"
#include "study/bench.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct bench_options {
    const char *suite, *detector, *mode, *output, *published, *filter;
    size_t jobs, seed;
    double timeout;
    bool json;
} bench_options;

#define AT(field) offsetof(bench_options, field)
static const cli_option options[] = {
    { "--suite", "tsb-ad|nab|ucr|skab|adbench|csv", CLI_TEXT, AT(suite), "the layout of FOLDER; default csv" },
    { "--detector", "LIST", CLI_TEXT, AT(detector), "names separated by commas; default auto" },
    { "--mode", "offline|online", CLI_TEXT, AT(mode), "default offline; never mixed in one run" },
    { "--jobs", "N", CLI_COUNT, AT(jobs), "files at once, each in a process of its own; default one per processor" },
    { "--json", NULL, CLI_FLAG, AT(json), "print one JSON object per file and detector, then one with the means" },
    { "--output", "FILE.ndjson", CLI_TEXT, AT(output), "also append those lines to FILE; what it already holds is not run again" },
    { "--published", "FILE.csv", CLI_TEXT, AT(published), "file,algorithm,vus_pr of others on the same files, shown beside ours" },
    { "--filter", "TEXT", CLI_TEXT, AT(filter), "only files whose name contains TEXT" },
    { "--timeout", "SECONDS", CLI_REAL, AT(timeout), "per file; default 600" },
    { "--seed", "N", CLI_COUNT, AT(seed), "default 0" },
};

typedef struct bench_context {
    const bench_options *o;
    FILE *output;
    tcsi_arena arena;                    /* earlier lines */
    const tcsi_json_value **earlier;
    size_t earlier_count;
    char files[4096][TCSI_BENCH_NAME_SIZE]; /* that worked with the first detector, for --published */
    size_t file_count;
    bool show_progress;
} bench_context;

/* ---- lines ---- */

static void row_json(tcsi_json_writer *w, const char *suite, const tcsi_bench_row *row)
{
    const tcsi_measures *m = &row->measures;
    const double nothing = row->error[0] ? NAN : 1; /* a file that failed has no measures: null, not 0 */
    const struct { const char *key; double value; } numbers[] = {
        { "rows", (double)row->row_count }, { "channels", (double)row->channel_count }, { "train_rows", (double)row->train_row_count },
        { "vus_pr", m->vus_pr * nothing }, { "vus_roc", m->vus_roc * nothing }, { "auc_pr", m->auc_pr * nothing },
        { "auc_roc", m->auc_roc * nothing }, { "f1", m->f1 * nothing }, { "f1_event", m->f1_event * nothing },
        { "f1_range", m->f1_range * nothing }, { "f1_affiliation", m->f1_affiliation * nothing }, { "located", m->located * nothing },
        { "seconds", row->seconds }, { "peak_mb", row->peak_mb }, { "hits", (double)row->hits },
        { "false_alarms", (double)row->false_alarms }, { "misses", (double)row->misses }, { "rejections", (double)row->rejections },
    };
    tcsi_json_begin_object(w);
    tcsi_json_put_string(w, "suite", suite);
    tcsi_json_put_string(w, "file", row->file);
    tcsi_json_put_string(w, "detector", row->detector);
    tcsi_json_put_string(w, "mode", row->mode == TCS_MODE_ONLINE ? "online" : "offline");
    for (size_t i = 0; i < TCS_COUNT(numbers); i++) tcsi_json_put_number(w, numbers[i].key, numbers[i].value);
    tcsi_json_put_string(w, "error", row->error[0] ? row->error : NULL);
    tcsi_json_end_object(w);
}

static void summary_json(tcsi_json_writer *w, const bench_options *o, const tcsi_bench_summary *s)
{
    bool nab = strcmp(o->suite, "nab") == 0, skab = strcmp(o->suite, "skab") == 0;
    tcsi_json_begin_object(w);
    tcsi_json_key(w, "summary");
    tcsi_json_bool(w, true);
    tcsi_json_put_string(w, "suite", o->suite);
    tcsi_json_put_string(w, "detector", s->detector);
    tcsi_json_put_string(w, "mode", strcmp(o->mode, "online") == 0 ? "online" : "offline");
    const struct { const char *key; double value; } numbers[] = {
        { "files", (double)s->file_count }, { "errors", (double)s->error_count }, { "rows", (double)s->row_count },
        { "vus_pr", s->vus_pr }, { "vus_roc", s->vus_roc }, { "auc_pr", s->auc_pr }, { "auc_roc", s->auc_roc },
        { "f1", skab ? s->pooled_f1 : s->f1 }, { "f1_event", s->f1_event }, { "f1_range", s->f1_range },
        { "f1_affiliation", s->f1_affiliation }, { "located", s->located }, { "far", s->far }, { "mar", s->mar },
        { "seconds_per_10k", s->seconds_per_10k }, { "peak_mb", s->peak_mb },
    };
    for (size_t i = 0; i < TCS_COUNT(numbers); i++) tcsi_json_put_number(w, numbers[i].key, numbers[i].value);
    if (nab) {
        tcsi_json_put_number(w, "nab_standard", s->nab[0]);
        tcsi_json_put_number(w, "nab_low_fp", s->nab[1]);
        tcsi_json_put_number(w, "nab_low_fn", s->nab[2]);
    }
    tcsi_json_end_object(w);
}

static void print_line(bench_context *c, const tcsi_bench_row *row, const tcsi_bench_summary *summary)
{
    tcsi_buffer line;
    tcsi_json_writer w;
    tcsi_buffer_init(&line, 1 << 20);
    tcsi_json_writer_init(&w, &line, false);
    if (row) row_json(&w, c->o->suite, row);
    else summary_json(&w, c->o, summary);
    if (tcsi_json_finish(&w, NULL) == TCS_OK) {
        if (c->o->json) printf("%s\n", line.data);
        if (c->output && row && !row->is_recalled) {
            fprintf(c->output, "%s\n", line.data);
            fflush(c->output);
        }
    }
    tcsi_buffer_deinit(&line);
}

/* ---- an earlier run ---- */

static double number_of(const tcsi_json_value *object, const char *key)
{
    return tcsi_json_number_of(object, key, NAN);
}

static bool text_is(const tcsi_json_value *object, const char *key, const char *text)
{
    const tcsi_json_value *value = tcsi_json_get(object, key);
    return value && value->type == TCSI_JSON_STRING && strcmp(value->text, text) == 0;
}

static size_t count_of(const tcsi_json_value *object, const char *key)
{
    double value = number_of(object, key);
    return value >= 0 && value < 1e15 ? (size_t)value : 0;
}

static bool recall(void *context, const char *file, const char *detector, tcsi_bench_row *ret_row)
{
    const bench_context *c = context;
    for (size_t i = 0; i < c->earlier_count; i++) {
        const tcsi_json_value *line = c->earlier[i];
        const tcsi_json_value *error = tcsi_json_get(line, "error");
        bool same_detector = text_is(line, "detector", detector) || strcmp(detector, "auto") == 0;
        if (!text_is(line, "file", file) || !same_detector || !text_is(line, "mode", c->o->mode) ||
            (error && error->type != TCSI_JSON_NULL)) continue;
        tcsi_measures *m = &ret_row->measures;
        for (size_t k = 0; k < tcsi_measure_count; k++) /* keys that the line does not have become NaN */
            *(double *)((char *)m + tcsi_measure_table[k].offset) = number_of(line, tcsi_measure_table[k].key);
        snprintf(ret_row->file, sizeof ret_row->file, "%s", file);
        snprintf(ret_row->detector, sizeof ret_row->detector, "%s", tcsi_json_get(line, "detector")->text);
        ret_row->mode = strcmp(c->o->mode, "online") == 0 ? TCS_MODE_ONLINE : TCS_MODE_OFFLINE;
        ret_row->row_count = count_of(line, "rows");
        ret_row->channel_count = count_of(line, "channels");
        ret_row->train_row_count = count_of(line, "train_rows");
        ret_row->seconds = number_of(line, "seconds");
        ret_row->peak_mb = number_of(line, "peak_mb");
        ret_row->hits = count_of(line, "hits");
        ret_row->false_alarms = count_of(line, "false_alarms");
        ret_row->misses = count_of(line, "misses");
        ret_row->rejections = count_of(line, "rejections");
        return true;
    }
    return false;
}

/* Lines that are no JSON (the last one of a run that was stopped) are passed over. */
static tcs_status load_earlier(bench_context *c, tcs_error *err)
{
    tcsi_buffer bytes;
    struct stat info;
    if (!c->o->output || stat(c->o->output, &info) != 0 || !S_ISREG(info.st_mode)) return TCS_OK;
    tcsi_buffer_init(&bytes, (size_t)1 << 30);
    tcs_status status = tcsi_file_read(c->o->output, &bytes, err);
    size_t lines = 0;
    for (size_t i = 0; i < bytes.size; i++) lines += bytes.data[i] == '\n';
    if (status == TCS_OK && lines > 0) {
        c->earlier = TCSI_ARENA_NEW(&c->arena, const tcsi_json_value *, lines);
        if (!c->earlier) status = tcsi_fail_memory(err, "earlier lines");
    }
    for (char *at = bytes.data; status == TCS_OK && lines > 0 && at && *at;) {
        char *end = strchr(at, '\n');
        if (!end) break;
        if (tcsi_json_parse(at, (size_t)(end - at), &c->arena, &c->earlier[c->earlier_count], NULL) == TCS_OK) c->earlier_count++;
        at = end + 1;
    }
    tcsi_buffer_deinit(&bytes);
    return status;
}

/* ---- words ---- */

static void on_progress(void *context, size_t done, size_t total)
{
    const bench_context *c = context;
    if (c->show_progress) fprintf(stderr, "\r%zu of %zu files%s", done, total, done == total ? "\n" : "");
}

static void on_row(void *context, const tcsi_bench_row *row)
{
    bench_context *c = context;
    const tcsi_measures *m = &row->measures;
    print_line(c, row, NULL);
    if (!row->error[0] && c->file_count < TCS_COUNT(c->files)) {
        bool seen = c->file_count > 0 && strcmp(c->files[c->file_count - 1], row->file) == 0;
        if (!seen) snprintf(c->files[c->file_count++], TCSI_BENCH_NAME_SIZE, "%s", row->file);
    }
    if (c->o->json) return;
    if (row->error[0]) printf("%-58.58s %-14s %s\n", row->file, row->detector, row->error);
    else printf("%-58.58s %-14s %8zu %7.3f %7.3f %7.3f %7.3f %8.2f\n", row->file, row->detector, row->row_count, m->vus_pr, m->auc_pr,
                m->auc_roc, m->f1_event, row->seconds);
}

static void print_summary(const bench_options *o, const tcsi_bench_summary *s)
{
    printf("\n%s, %s, %s: %zu files, %zu failed\n", o->suite, o->mode, s->detector, s->file_count, s->error_count);
    printf("  mean VUS-PR %.4f   VUS-ROC %.4f   AUC-PR %.4f   AUC-ROC %.4f\n", s->vus_pr, s->vus_roc, s->auc_pr, s->auc_roc);
    printf("  best-case F1: point %.4f   event %.4f   range %.4f   affiliation %.4f   located %.3f\n", s->f1, s->f1_event, s->f1_range,
           s->f1_affiliation, s->located);
    printf("  at the default alarm policy, all rows together: F1 %.4f   false-alarm rate %.1f %%   missed %.1f %%\n", s->pooled_f1,
           100 * s->far, 100 * s->mar);
    if (!isnan(s->nab[0])) printf("  NAB standard %.2f   low FP %.2f   low FN %.2f\n", s->nab[0], s->nab[1], s->nab[2]);
    printf("  %.4f s per 10,000 rows (mean over files), %.0f MB peak\n", s->seconds_per_10k, s->peak_mb);
}

typedef struct published {
    char algorithm[64];
    double sum;
    size_t count;
} published;

static int compare_published(const void *a, const void *b)
{
    const published *x = a, *y = b;
    double p = x->sum / (double)x->count, q = y->sum / (double)y->count;
    return (p < q) - (p > q);
}

/* The mean of each published algorithm over exactly the files that we scored. */
static tcs_status print_published(const bench_context *c, const tcsi_bench_summary *ours, tcs_error *err)
{
    static published list[256];
    size_t count = 0;
    tcsi_buffer bytes;
    tcsi_buffer_init(&bytes, (size_t)1 << 28);
    tcs_status status = tcsi_file_read(c->o->published, &bytes, err);
    for (char *line = bytes.data; status == TCS_OK && line && *line;) {
        char *end = line + strcspn(line, "\n"), file[TCSI_BENCH_NAME_SIZE], algorithm[64];
        double value;
        bool wanted = false;
        if (sscanf(line, "%255[^,],%63[^,],%lf", file, algorithm, &value) == 3) {
            for (size_t i = 0; i < c->file_count && !wanted; i++) wanted = strcmp(c->files[i], file) == 0;
        }
        if (wanted) {
            size_t k = 0;
            while (k < count && strcmp(list[k].algorithm, algorithm) != 0) k++;
            if (k == count && count < TCS_COUNT(list)) snprintf(list[count++].algorithm, sizeof list[0].algorithm, "%s", algorithm);
            if (k < count) list[k].sum += value, list[k].count++;
        }
        line = *end ? end + 1 : end;
    }
    tcsi_buffer_deinit(&bytes);
    if (status != TCS_OK) return status;
    qsort(list, count, sizeof *list, compare_published);
    FILE *stream = c->o->json ? stderr : stdout;
    fprintf(stream, "\n  mean VUS-PR published on the same files%24s\n  %-30s %8.4f   (ours, %s)\n", "files", ours->detector,
            ours->vus_pr, c->o->mode);
    for (size_t k = 0; k < count && k < 12; k++)
        fprintf(stream, "  %-30s %8.4f %21zu\n", list[k].algorithm, list[k].sum / (double)list[k].count, list[k].count);
    return TCS_OK;
}

/* ---- running ---- */

/* The names between the commas of list. */
static tcs_status split_names(bench_context *c, const char *list, const char **ret_names, size_t max, size_t *ret_count, tcs_error *err)
{
    size_t count = 0;
    char *text = tcsi_arena_strndup(&c->arena, list, strlen(list));
    if (!text) return tcsi_fail_memory(err, "names of detectors");
    for (char *at = text; at;) {
        char *comma = strchr(at, ',');
        if (comma) *comma = 0;
        if (*at && count == max) return tcsi_fail(err, TCS_E_INVALID, "--detector: at most %zu names at a time", max);
        if (*at) ret_names[count++] = at;
        at = comma ? comma + 1 : NULL;
    }
    if (count == 0) return tcsi_fail(err, TCS_E_INVALID, "--detector '%s': expected names separated by commas", list);
    *ret_count = count;
    return TCS_OK;
}

static tcs_status run_bench(bench_context *c, const char *folder, tcs_error *err)
{
    const char *detectors[16];
    tcsi_bench_summary summaries[16];
    tcsi_bench_options bench = { .folder = folder, .mode = strcmp(c->o->mode, "online") == 0 ? TCS_MODE_ONLINE : TCS_MODE_OFFLINE,
                                 .job_count = c->o->jobs, .timeout_seconds = c->o->timeout, .seed = c->o->seed, .filter = c->o->filter,
                                 .recall = recall, .row = on_row, .progress = on_progress, .context = c };
    bench.detectors = detectors;
    const char *list = c->o->detector ? c->o->detector : "auto";
    tcs_status status = split_names(c, list, detectors, TCS_COUNT(detectors), &bench.detector_count, err);
    if (status == TCS_OK) status = tcsi_suite_find(c->o->suite, &bench.suite, err);
    if (status == TCS_OK) status = load_earlier(c, err);
    if (status != TCS_OK) return status;
    if (c->o->output && !(c->output = fopen(c->o->output, "a")))
        return tcsi_fail(err, TCS_E_IO, "%s: cannot be written: %s", c->o->output, strerror(errno));
    if (!c->o->json)
        printf("%-58s %-14s %8s %7s %7s %7s %7s %8s\n", "file", "detector", "rows", "VUS-PR", "AUC-PR", "AUC-ROC", "eventF1", "seconds");
    fflush(stdout); /* before processes are made that share the buffer */
    status = tcsi_bench_run(&bench, summaries, err);
    for (size_t d = 0; d < bench.detector_count && status == TCS_OK; d++) {
        if (c->o->json) print_line(c, NULL, &summaries[d]);
        else print_summary(c->o, &summaries[d]);
        if (c->o->published) status = print_published(c, &summaries[d], err);
    }
    return status;
}

static int run(const void *raw, const char *const *inputs, size_t input_count)
{
    bench_options o = *(const bench_options *)raw;
    tcs_error err = { 0 };
    (void)input_count;
    if (!o.suite) o.suite = "csv";
    if (!o.mode) o.mode = "offline";
    bench_context *c = calloc(1, sizeof *c);
    if (!c) {
        tcsi_fail_memory(&err, "a run");
        return cli_fail("bench", &err);
    }
    c->o = &o;
    c->show_progress = isatty(STDERR_FILENO) && !isatty(STDOUT_FILENO);
    tcsi_arena_init(&c->arena, 0);
    tcs_status status = o.timeout >= 0 ? run_bench(c, inputs[0], &err)
                                       : tcsi_fail(&err, TCS_E_INVALID, "--timeout %g: expected seconds", o.timeout);
    bool is_written = !c->output || !ferror(c->output);
    if (c->output && fclose(c->output) != 0) is_written = false;
    if (!is_written && status == TCS_OK) status = tcsi_fail(&err, TCS_E_IO, "%s: cannot be written", o.output);
    tcsi_arena_deinit(&c->arena);
    free(c);
    return status == TCS_OK ? EXIT_DONE : cli_fail("bench", &err);
}

const cli_command cli_bench = {
    .name = "bench",
    .positional = "FOLDER",
    .positional_min = 1,
    .positional_max = 1,
    .summary = "measure detectors on a public benchmark suite",
    .description = "Scores every file of FOLDER, which is in a suite's own layout, and prints per-file and mean measures, time and memory. "
                   "One bad file is a line with an error, never the end of the run; --output makes a run that can be stopped and "
                   "continued. F1s are best-case (threshold chosen with the labels) except those at the default alarm policy; "
                   "nothing is point-adjusted.",
    .examples = "  tocsin bench TSB-AD-U/ --suite tsb-ad --published published.csv\n"
                "  tocsin bench NAB/ --suite nab --mode online\n"
                "  tocsin bench SKAB/ --suite skab --mode online --detector channel_break,welford --json\n",
    .options = options,
    .option_count = TCS_COUNT(options),
    .options_size = sizeof(bench_options),
    .run = run,
};
