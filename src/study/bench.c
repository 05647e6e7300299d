/* SPDX-License-Identifier: Apache-2.0 */
#include "study/bench.h"

#include "base/alloc.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/pool.h"
#include "metrics/nab.h"
#include "pipeline/detect.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* What a child sends: the row, then score_count doubles and window_count spans (for NAB, which is scored over all files). */
typedef struct message {
    tcsi_bench_row row;
    size_t score_count, window_count;
} message;

/* ---- one file, in its own process ---- */

typedef struct work {
    const tcsi_bench_options *options;
    const char *file, *detector;
    tcsi_suite_series series;
    tcsi_frame unlabelled; /* the series as detectors see it */
    tcsi_detection *detection;
    double *scores; /* (T) NaN where not READY */
    message out;
} work;

static tcs_status detect(work *w, tcs_error *err)
{
    const tcsi_bench_options *o = w->options;
    tcsi_detect_options options = { .mode = o->mode, .detector = w->detector, .is_tabular = w->series.is_tabular,
                                    .train_row_count = w->series.train_row_count, .seed = o->seed, .thread_count = 1 };
    int64_t begin_ns = tcsi_clock_monotonic_ns();
    /* Every row is measured, so nobody may learn from the labels of any. */
    w->unlabelled = *w->series.frame;
    w->unlabelled.labels = NULL;
    tcs_status status = tcsi_detect(&w->unlabelled, &options, &w->detection, err);
    w->out.row.seconds = (double)(tcsi_clock_monotonic_ns() - begin_ns) * 1e-9;
    return status;
}

static tcs_status measure(work *w, tcs_error *err)
{
    const tcsi_frame *frame = w->series.frame;
    tcsi_bench_row *row = &w->out.row;
    w->scores = TCSI_NEW_ARRAY(double, frame->row_count);
    if (!w->scores) return tcsi_fail_memory(err, "scores");
    const uint8_t *anomaly = w->detection->decision.anomaly;
    for (size_t t = 0; t < frame->row_count; t++) {
        const tcs_score *score = &w->detection->scores[t];
        w->scores[t] = score->state == TCS_SCORE_READY ? score->value : NAN;
        size_t *counts[2][2] = { { &row->rejections, &row->false_alarms }, { &row->misses, &row->hits } };
        ++*counts[frame->labels[t] != 0][anomaly[t] != 0];
    }
    tcsi_measures_options options = tcsi_measures_options_default();
    options.window = w->series.window;
    options.times_ns = frame->times_ns;
    return tcsi_measures_compute(w->scores, frame->labels, frame->row_count, &options, &row->measures, err);
}

/* NAB judges single alarms, not a ranking of rows: a detector that states evidence for its alarms is judged by that. */
static void show_evidence(work *w)
{
    if (!(w->detection->info->traits & TCSI_TRAIT_EVIDENCE)) return;
    for (size_t t = 0; t < w->series.frame->row_count; t++)
        if (!isnan(w->scores[t])) w->scores[t] = w->detection->scores[t].evidence;
}

static void fill_row(work *w)
{
    tcsi_bench_row *row = &w->out.row;
    const tcsi_frame *frame = w->series.frame;
    struct rusage usage;
    snprintf(row->file, sizeof row->file, "%s", w->file);
    snprintf(row->detector, sizeof row->detector, "%s", w->detector);
    row->mode = w->options->mode;
    if (frame) {
        row->row_count = frame->row_count;
        row->channel_count = frame->channel_count;
    }
    row->train_row_count = w->series.train_row_count;
    if (w->detection) snprintf(row->detector, sizeof row->detector, "%s", w->detection->info->name);
    getrusage(RUSAGE_SELF, &usage);
    row->peak_mb = (double)usage.ru_maxrss / 1024;
}

static bool send_all(int pipe_end, const void *bytes, size_t size)
{
    const char *at = bytes;
    while (size > 0) {
        ssize_t sent = write(pipe_end, at, size);
        if (sent < 0 && errno == EINTR) continue;
        if (sent <= 0) return false;
        at += sent;
        size -= (size_t)sent;
    }
    return true;
}

static _Noreturn void child_main(const tcsi_bench_options *options, const char *file, const char *detector, int pipe_end)
{
    work w = { .options = options, .file = file, .detector = detector };
    tcs_error err = { 0 };
    bool is_nab = strcmp(options->suite->name, "nab") == 0;
    tcs_status status = options->suite->load(options->folder, file, &w.series, &err);
    if (status == TCS_OK) status = detect(&w, &err);
    if (status == TCS_OK) status = measure(&w, &err);
    fill_row(&w);
    if (status != TCS_OK) snprintf(w.out.row.error, sizeof w.out.row.error, "%.255s", err.text);
    if (status == TCS_OK && is_nab) {
        show_evidence(&w);
        w.out.score_count = w.series.frame->row_count;
        w.out.window_count = w.series.windows.count;
    }
    bool sent = send_all(pipe_end, &w.out, sizeof w.out)
                && send_all(pipe_end, w.scores, w.out.score_count * sizeof *w.scores)
                && send_all(pipe_end, w.series.windows.spans, w.out.window_count * sizeof(tcsi_span));
    _exit(sent ? 0 : 1);
}

/* ---- jobs ---- */

typedef struct job {
    size_t task;       /* index: file * detector_count + detector */
    pid_t process;
    int pipe_end;      /* -1: idle */
    int64_t deadline_ns;
    tcsi_buffer bytes;
} job;

typedef struct run {
    const tcsi_bench_options *options;
    char **files;
    size_t file_count, task_count, next_task, next_row, done_count;
    job *jobs;
    size_t job_count;
    tcsi_buffer *results; /* (task_count): messages, kept until all earlier ones are handed out */
    uint8_t *states;      /* (task_count) */
    tcsi_bench_summary *summaries;
    tcsi_nab_file *nab_files; /* (detector_count, file_count) of scores copied out */
    size_t *nab_counts;
} run;

enum { TASK_WAITING, TASK_RUNNING, TASK_FINISHED };

static const char *task_file(const run *r, size_t task)
{
    return r->files[task / r->options->detector_count];
}

static const char *task_detector(const run *r, size_t task)
{
    return r->options->detectors[task % r->options->detector_count];
}

static tcs_status start_job(run *r, job *j, tcs_error *err)
{
    int ends[2];
    size_t task = r->next_task++;
    message known = { .row.is_recalled = true };
    if (r->options->recall && strcmp(r->options->suite->name, "nab") != 0
        && r->options->recall(r->options->context, task_file(r, task), task_detector(r, task), &known.row)) {
        r->states[task] = TASK_FINISHED;
        r->done_count++;
        tcsi_buffer_init(&r->results[task], sizeof known);
        return tcsi_buffer_append(&r->results[task], &known, sizeof known, err);
    }
    if (pipe(ends) != 0) return tcsi_fail(err, TCS_E_IO, "cannot make a pipe: %s", strerror(errno));
    pid_t process = fork();
    if (process < 0) {
        close(ends[0]);
        close(ends[1]);
        return tcsi_fail(err, TCS_E_IO, "cannot start a process: %s", strerror(errno));
    }
    if (process == 0) {
        close(ends[0]);
        child_main(r->options, task_file(r, task), task_detector(r, task), ends[1]);
    }
    close(ends[1]);
    double timeout = r->options->timeout_seconds > 0 ? r->options->timeout_seconds : 600;
    *j = (job){ .task = task, .process = process, .pipe_end = ends[0],
                .deadline_ns = tcsi_clock_monotonic_ns() + (int64_t)(timeout * 1e9) };
    tcsi_buffer_init(&j->bytes, (size_t)1 << 32);
    r->states[task] = TASK_RUNNING;
    return TCS_OK;
}

/* A child that sent nothing whole gets a row that says why. */
static tcs_status bury(run *r, const job *j, int wait_status, tcs_error *err)
{
    message out = { .row.mode = r->options->mode };
    snprintf(out.row.file, sizeof out.row.file, "%s", task_file(r, j->task));
    snprintf(out.row.detector, sizeof out.row.detector, "%s", task_detector(r, j->task));
    if (WIFSIGNALED(wait_status) && WTERMSIG(wait_status) == SIGKILL)
        snprintf(out.row.error, sizeof out.row.error, "stopped: over the time limit or out of memory");
    else if (WIFSIGNALED(wait_status)) snprintf(out.row.error, sizeof out.row.error, "crashed with signal %d", WTERMSIG(wait_status));
    else snprintf(out.row.error, sizeof out.row.error, "ended early with status %d", WEXITSTATUS(wait_status));
    tcsi_buffer_clear(&r->results[j->task]);
    return tcsi_buffer_append(&r->results[j->task], &out, sizeof out, err);
}

static bool is_whole(const tcsi_buffer *bytes)
{
    message out;
    if (bytes->size < sizeof out) return false;
    memcpy(&out, bytes->data, sizeof out);
    return bytes->size == sizeof out + out.score_count * sizeof(double) + out.window_count * sizeof(tcsi_span);
}

static tcs_status end_job(run *r, job *j, tcs_error *err)
{
    int wait_status = 0;
    close(j->pipe_end);
    j->pipe_end = -1;
    while (waitpid(j->process, &wait_status, 0) < 0 && errno == EINTR) continue;
    r->results[j->task] = j->bytes;
    r->states[j->task] = TASK_FINISHED;
    r->done_count++;
    return is_whole(&j->bytes) ? TCS_OK : bury(r, j, wait_status, err);
}

/* ---- summaries ---- */

static void add_mean(double *sum, double value)
{
    if (!isnan(value)) *sum += value;
}

static void add_to_summary(tcsi_bench_summary *s, const tcsi_bench_row *row, size_t counts[4])
{
    const tcsi_measures *m = &row->measures;
    if (row->error[0]) {
        s->error_count++;
        return;
    }
    s->file_count++;
    s->row_count += row->row_count;
    add_mean(&s->vus_pr, m->vus_pr);
    add_mean(&s->vus_roc, m->vus_roc);
    add_mean(&s->auc_pr, m->auc_pr);
    add_mean(&s->auc_roc, m->auc_roc);
    add_mean(&s->f1, m->f1);
    add_mean(&s->f1_event, m->f1_event);
    add_mean(&s->f1_range, m->f1_range);
    add_mean(&s->f1_affiliation, m->f1_affiliation);
    add_mean(&s->located, m->located);
    s->seconds_per_10k += row->seconds * 1e4 / (double)(row->row_count ? row->row_count : 1);
    s->peak_mb = fmax(s->peak_mb, row->peak_mb);
    counts[0] += row->hits;
    counts[1] += row->false_alarms;
    counts[2] += row->misses;
    counts[3] += row->rejections;
}

static void finish_summary(tcsi_bench_summary *s, const size_t counts[4])
{
    double *means[] = { &s->vus_pr, &s->vus_roc, &s->auc_pr, &s->auc_roc, &s->f1, &s->f1_event, &s->f1_range, &s->f1_affiliation,
                        &s->located, &s->seconds_per_10k };
    for (size_t i = 0; i < TCS_COUNT(means); i++) *means[i] = s->file_count ? *means[i] / (double)s->file_count : NAN;
    double hits = (double)counts[0], false_alarms = (double)counts[1], misses = (double)counts[2], rejections = (double)counts[3];
    s->pooled_f1 = hits + misses > 0 ? 2 * hits / (2 * hits + false_alarms + misses) : NAN;
    s->far = false_alarms + rejections > 0 ? false_alarms / (false_alarms + rejections) : NAN;
    s->mar = hits + misses > 0 ? misses / (hits + misses) : NAN;
}

/* Keeps a file's scores for NAB, whose threshold is common to all files; takes over the buffer's content. */
static tcs_status keep_nab(run *r, size_t task, const message *out, tcs_error *err)
{
    size_t detector = task % r->options->detector_count;
    const char *data = r->results[task].data + sizeof *out;
    double *scores = TCSI_NEW_ARRAY(double, out->score_count);
    tcsi_span *windows = TCSI_NEW_ARRAY(tcsi_span, out->window_count);
    if (!scores || !windows) {
        tcsi_free(scores);
        tcsi_free(windows);
        return tcsi_fail_memory(err, "NAB scores");
    }
    memcpy(scores, data, out->score_count * sizeof *scores);
    memcpy(windows, data + out->score_count * sizeof *scores, out->window_count * sizeof *windows);
    r->nab_files[detector * r->file_count + r->nab_counts[detector]++] =
        (tcsi_nab_file){ .scores = scores, .row_count = out->score_count, .windows = windows, .window_count = out->window_count };
    return TCS_OK;
}

/* Hands out finished rows in order. */
static tcs_status hand_out(run *r, size_t (*counts)[4], tcs_error *err)
{
    tcs_status status = TCS_OK;
    while (status == TCS_OK && r->next_row < r->task_count && r->states[r->next_row] == TASK_FINISHED) {
        size_t task = r->next_row++;
        message out;
        memcpy(&out, r->results[task].data, sizeof out);
        add_to_summary(&r->summaries[task % r->options->detector_count], &out.row, counts[task % r->options->detector_count]);
        if (out.score_count > 0) status = keep_nab(r, task, &out, err);
        if (r->options->row) r->options->row(r->options->context, &out.row);
        tcsi_buffer_deinit(&r->results[task]);
    }
    return status;
}

/* ---- the loop ---- */

static tcs_status receive(run *r, job *j, tcs_error *err)
{
    char bytes[65536];
    ssize_t size = read(j->pipe_end, bytes, sizeof bytes);
    if (size < 0 && (errno == EINTR || errno == EAGAIN)) return TCS_OK;
    if (size <= 0) return end_job(r, j, err);
    return tcsi_buffer_append(&j->bytes, bytes, (size_t)size, err);
}

static tcs_status turn(run *r, tcs_error *err)
{
    struct pollfd polls[256];
    size_t polled[256], count = 0;
    tcs_status status = TCS_OK;
    for (size_t i = 0; i < r->job_count && status == TCS_OK; i++)
        while (r->jobs[i].pipe_end < 0 && r->next_task < r->task_count && status == TCS_OK) status = start_job(r, &r->jobs[i], err);
    for (size_t i = 0; i < r->job_count; i++)
        if (r->jobs[i].pipe_end >= 0) {
            polls[count] = (struct pollfd){ .fd = r->jobs[i].pipe_end, .events = POLLIN };
            polled[count++] = i;
        }
    if (count == 0 || status != TCS_OK) return status;
    poll(polls, (nfds_t)count, 200);
    for (size_t k = 0; k < count && status == TCS_OK; k++) {
        job *j = &r->jobs[polled[k]];
        if (polls[k].revents) status = receive(r, j, err);
        else if (tcsi_clock_monotonic_ns() > j->deadline_ns) kill(j->process, SIGKILL);
    }
    return status;
}

static tcs_status score_nab(run *r, tcs_error *err)
{
    tcs_status status = TCS_OK;
    for (size_t d = 0; d < r->options->detector_count && status == TCS_OK; d++) {
        tcsi_nab_result results[TCSI_NAB_PROFILE_COUNT];
        if (r->nab_counts[d] == 0) continue;
        status = tcsi_nab_sweep_all(&r->nab_files[d * r->file_count], r->nab_counts[d], results, err);
        for (int k = 0; k < TCSI_NAB_PROFILE_COUNT && status == TCS_OK; k++) r->summaries[d].nab[k] = results[k].score;
    }
    return status;
}

static void release(run *r)
{
    for (size_t i = 0; r->jobs && i < r->job_count; i++) {
        if (r->jobs[i].pipe_end < 0) continue;
        kill(r->jobs[i].process, SIGKILL); /* only after a failure of our own */
        close(r->jobs[i].pipe_end);
        while (waitpid(r->jobs[i].process, NULL, 0) < 0 && errno == EINTR) continue;
        tcsi_buffer_deinit(&r->jobs[i].bytes);
    }
    for (size_t i = 0; r->results && i < r->task_count; i++) tcsi_buffer_deinit(&r->results[i]);
    for (size_t d = 0; r->nab_counts && r->nab_files && d < r->options->detector_count; d++)
        for (size_t i = 0; i < r->nab_counts[d]; i++) {
            tcsi_free((void *)r->nab_files[d * r->file_count + i].scores);
            tcsi_free((void *)r->nab_files[d * r->file_count + i].windows);
        }
    tcsi_free(r->jobs);
    tcsi_free(r->results);
    tcsi_free(r->states);
    tcsi_free(r->nab_files);
    tcsi_free(r->nab_counts);
    tcsi_suite_files_free(r->files, r->file_count);
}

/* What no file can make right is refused before the first one. */
static tcs_status check_detectors(const tcsi_bench_options *o, tcs_error *err)
{
    tcs_status status = TCS_OK;
    for (size_t d = 0; d < o->detector_count && status == TCS_OK; d++) {
        const tcsi_detector_info *info;
        status = tcsi_detect_choose(&(tcsi_detect_options){ .mode = o->mode, .detector = o->detectors[d] }, &info, err);
    }
    return status;
}

/* Drops the files that the filter does not name. */
static tcs_status apply_filter(run *r, tcs_error *err)
{
    size_t kept = 0;
    for (size_t i = 0; r->options->filter && i < r->file_count; i++) {
        if (strstr(r->files[i], r->options->filter)) r->files[kept++] = r->files[i];
        else tcsi_free(r->files[i]);
    }
    if (r->options->filter) r->file_count = kept;
    if (r->file_count > 0) return TCS_OK;
    return tcsi_fail(err, TCS_E_INVALID, "%s: no file has '%s' in its name", r->options->folder, r->options->filter);
}

static tcs_status prepare(run *r, tcs_error *err)
{
    const tcsi_bench_options *o = r->options;
    r->task_count = r->file_count * o->detector_count;
    r->job_count = o->job_count ? o->job_count : tcsi_processor_count();
    if (r->job_count > 256) r->job_count = 256;
    r->jobs = TCSI_NEW_ZEROS(job, r->job_count);
    r->results = TCSI_NEW_ZEROS(tcsi_buffer, r->task_count);
    r->states = TCSI_NEW_ZEROS(uint8_t, r->task_count);
    r->nab_files = TCSI_NEW_ZEROS(tcsi_nab_file, r->task_count);
    r->nab_counts = TCSI_NEW_ZEROS(size_t, o->detector_count);
    if (!r->jobs || !r->results || !r->states || !r->nab_files || !r->nab_counts) return tcsi_fail_memory(err, "the bench");
    for (size_t i = 0; i < r->job_count; i++) r->jobs[i].pipe_end = -1;
    for (size_t d = 0; d < o->detector_count; d++) {
        r->summaries[d] = (tcsi_bench_summary){ .nab = { NAN, NAN, NAN } };
        snprintf(r->summaries[d].detector, sizeof r->summaries[d].detector, "%s", o->detectors[d]);
    }
    return TCS_OK;
}

tcs_status tcsi_bench_run(const tcsi_bench_options *options, tcsi_bench_summary *ret_summaries, tcs_error *err)
{
    run r = { .options = options, .summaries = ret_summaries };
    tcs_status status = check_detectors(options, err);
    if (status == TCS_OK) status = tcsi_suite_files(options->suite, options->folder, &r.files, &r.file_count, err);
    if (status == TCS_OK) status = apply_filter(&r, err);
    size_t(*counts)[4] = status == TCS_OK ? tcsi_alloc_zero(options->detector_count, sizeof *counts) : NULL;
    if (status == TCS_OK) status = counts ? prepare(&r, err) : tcsi_fail_memory(err, "the bench");
    while (status == TCS_OK && r.done_count < r.task_count) {
        status = turn(&r, err);
        if (status == TCS_OK) status = hand_out(&r, counts, err);
        if (options->progress) options->progress(options->context, r.done_count, r.task_count);
    }
    for (size_t d = 0; status == TCS_OK && d < options->detector_count; d++) finish_summary(&r.summaries[d], counts[d]);
    if (status == TCS_OK && strcmp(options->suite->name, "nab") == 0) status = score_nab(&r, err);
    tcsi_free(counts);
    release(&r);
    return status;
}
