/* bench/pretrain.c -- trains the networks that the library brings along (study/pretrain.h) and says how good they are.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/status.h"
#include "nn/layers.h"
#include "nn/safetensors.h"
#include "study/pretrain.h"

#include <getopt.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char usage[] =
    "usage: pretrain [options] VIEW:START=FILE...\n"
    "\n"
    "Trains networks on simulated series and writes their weights to safetensors files.  The same options give the same files, on any\n"
    "number of threads, interrupted (SIGINT, SIGTERM) or not: FILE.checkpoint is gone on from, and removed at the end.\n"
    "\n"
    "  VIEW                 what a network sees: values of the series, scores of the offline experts, all of it; or attention: values,\n"
    "                       by a network with attention\n"
    "  START                number of its first weights and of its order of learning\n"
    "  --seed N             of the simulated series; 1\n"
    "  --series N           how many series; 6000\n"
    "  --steps N            steps of training; 3000\n"
    "  --threads N          0, the default: one per processor\n"
    "\n"
    "example: pretrain --steps 10000 all:1=all-1.safetensors all:2=all-2.safetensors values:1=values-1.safetensors\n";

typedef struct settings {
    size_t seed, series, steps, threads;
    char **networks;
    size_t network_count;
} settings;

/* One network wanted: "all:2=FILE". */
typedef struct wanted {
    tcsi_judge_view view;
    char view_name[16], checkpoint[4096];
    unsigned long long start;
    const char *output;
} wanted;

static volatile sig_atomic_t is_stopped;

static void stop(int number)
{
    (void)number;
    is_stopped = 1;
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static bool report_series(void *context, double share)
{
    static int last = -1;
    const int percent = (int)(100 * share);
    (void)context;
    if (percent / 10 > last / 10 || last < 0) fprintf(stderr, "simulated and scored: %d %%\n", percent);
    last = percent;
    return !is_stopped;
}

typedef struct watch {
    size_t step_count, first_steps;
    double begin;
} watch;

static bool report_steps(void *context, size_t done, double loss)
{
    watch *w = context;
    const double now = seconds();
    if (w->begin == 0) *w = (watch){ w->step_count, done, now };
    const double left = done > w->first_steps ? (now - w->begin) / (double)(done - w->first_steps) * (double)(w->step_count - done) : NAN;
    printf("step %zu of %zu, loss %.4f, %.0f s left\n", done, w->step_count, loss, left);
    fflush(stdout);
    return !is_stopped;
}

static bool parse_count(const char *text, size_t *ret)
{
    char *end;
    const unsigned long long value = strtoull(text, &end, 10);
    *ret = (size_t)value;
    return end != text && *end == 0;
}

static bool parse_wanted(const char *text, wanted *w)
{
    static const char *const views[] = { "values", "scores", "all", "attention" };
    int at = 0;
    if (sscanf(text, "%15[a-z]:%llu=%n", w->view_name, &w->start, &at) != 2 || at == 0 || text[at] == 0) return false;
    w->output = text + at;
    for (size_t k = 0; k < TCS_COUNT(views); k++) {
        if (strcmp(w->view_name, views[k]) != 0) continue;
        w->view = (tcsi_judge_view)k;
        return (size_t)snprintf(w->checkpoint, sizeof w->checkpoint, "%s.checkpoint", w->output) < sizeof w->checkpoint;
    }
    return false;
}

static bool parse(int argc, char **argv, settings *s)
{
    static const struct option table[] = { { "seed", 1, NULL, 0 }, { "series", 1, NULL, 1 }, { "steps", 1, NULL, 2 }, { "threads", 1, NULL, 3 }, { 0 } };
    *s = (settings){ .seed = 1, .series = 6000, .steps = 3000 };
    size_t *const targets[] = { &s->seed, &s->series, &s->steps, &s->threads };
    for (int c; (c = getopt_long(argc, argv, "", table, NULL)) != -1;)
        if (c == '?' || !parse_count(optarg, targets[c])) return false;
    s->networks = argv + optind;
    s->network_count = (size_t)(argc - optind);
    wanted w;
    for (size_t k = 0; k < s->network_count; k++)
        if (!parse_wanted(s->networks[k], &w)) return false;
    return s->network_count > 0 && s->series >= 10 && s->steps > 0;
}

static tcs_status build(const wanted *w, tcsi_judge *judge, tcs_error *err)
{
    tcs_status status = tcsi_net_create(w->start, &judge->net, err);
    if (status != TCS_OK) return status;
    const tcsi_node_id x = tcsi_nn_input(judge->net, TCSI_JUDGE_WINDOW, tcsi_pretrain_channel_count(w->view));
    const tcsi_node_id target = tcsi_nn_input(judge->net, TCSI_JUDGE_WINDOW, 1);
    judge->s = tcsi_judge_build(judge->net, w->view, x);
    judge->loss = tcsi_nn_loss_rank(judge->net, judge->s, target, TCSI_JUDGE_MARGIN);
    return tcsi_net_finish(judge->net, err);
}

static tcs_status write_weights(const settings *s, const wanted *w, const tcsi_judge *judge, const tcsi_pretrain_quality *quality,
                                tcs_error *err)
{
    char how[256], numbers[128];
    snprintf(how, sizeof how, "pretrain --seed %zu --series %zu --steps %zu %s:%llu=FILE", s->seed, s->series, s->steps,
             w->view_name, w->start);
    snprintf(numbers, sizeof numbers, "AUC-PR over blocks of %zu held-out series: %.4f, experts %.4f", quality->series_count, quality->judge,
             quality->experts);
    printf("%s\n%s\n%zu weights\n", how, numbers, tcsi_net_trained_count(judge->net));
    const tcsi_safetensors_note notes[] = { { "made_by", how }, { "quality", numbers }, { "license", "Apache-2.0" } };
    return tcsi_safetensors_write(judge->net, notes, TCS_COUNT(notes), w->output, err);
}

static tcs_status train(const settings *s, const char *text, const tcsi_pretrain_set *set, tcsi_pool *pool, tcs_error *err)
{
    wanted wanted_one = { 0 };
    watch progress = { .step_count = s->steps };
    tcsi_judge judge = { 0 };
    tcsi_pretrain_quality quality;
    if (!parse_wanted(text, &wanted_one)) return tcsi_fail(err, TCS_E_INVALID, "%s", text);
    const tcsi_pretrain_options options = { .seed = wanted_one.start, .step_count = s->steps, .view = wanted_one.view, .pool = pool,
                                            .checkpoint = wanted_one.checkpoint, .report = report_steps, .context = &progress };
    tcs_status status = build(&wanted_one, &judge, err);
    if (status == TCS_OK) status = tcsi_pretrain_run(set, &options, &judge, err);
    if (status == TCS_OK) status = tcsi_pretrain_judge(set, &judge, wanted_one.view, pool, &quality, err);
    if (status == TCS_OK) status = write_weights(s, &wanted_one, &judge, &quality, err);
    if (status == TCS_OK) remove(wanted_one.checkpoint);
    tcsi_net_destroy(judge.net);
    return status;
}

int main(int argc, char **argv)
{
    settings s;
    tcs_error err = { 0 };
    tcsi_pool *pool = NULL;
    tcsi_pretrain_set *set = NULL;
    const tcsi_progress progress = { report_series, NULL };
    if (!parse(argc, argv, &s)) {
        fputs(usage, stderr);
        return 2;
    }
    signal(SIGINT, stop);
    signal(SIGTERM, stop);
    tcs_status status = tcsi_pool_create(s.threads, &pool, &err);
    if (status == TCS_OK) status = tcsi_pretrain_set_create(s.seed, s.series, pool, &progress, &set, &err);
    for (size_t k = 0; k < s.network_count && status == TCS_OK; k++) status = train(&s, s.networks[k], set, pool, &err);
    if (status != TCS_OK) fprintf(stderr, "pretrain: %s\n", err.text);
    tcsi_pretrain_set_destroy(set);
    tcsi_pool_destroy(pool);
    return status == TCS_OK ? 0 : 1;
}
