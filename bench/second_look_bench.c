/* bench/second_look_bench.c -- what the deep layer's second look is worth: events found and false alarms, with and without, at one budget.
 *
 * usage: second_look_bench [--rate R] [--agree P] [--part S] [--sample S] [--rows N] [--seed N]
 *                          --simulate SERIES SCENARIO | --suite NAME FOLDER
 * Series are one cell's, as in the live service: a row of each in turn, a moment a row.  Answers come a moment later.  The network learns
 * in between, from the sample alone, each time the sample has doubled.  --rate: alarms of chance allowed per row.
 * A simulated fleet: SERIES series (simulate/series.h, SCENARIO mixed, service, subtle, wide) of --rows rows.  A suite: its files are the
 * fleet.  Nothing is fitted to labels; the first quarter of each series is not counted.
 *     found     labelled stretches that an episode touches, from its onset to its end, 16 rows late at most
 *     false     episodes that touch none
 * of episodes that were opened, and of those that were confirmed.  SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "courses.h"
#include "serve/deep/past.h"
#include "serve/shard/cell.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SERIES_MAX = COURSES_MAX, EPISODES_MAX = 200000, ASKED_MAX = 4096, SLACK = 16, STEPS_MAX = 2000 };
static const int64_t STEP_NS = INT64_C(60000000000), START_NS = INT64_C(1700000000000000000);

typedef struct episode {
    uint32_t number;
    size_t begin, end;   /* rows */
    bool is_confirmed;
} episode;

typedef struct bench {
    double rate, sample;
    courses fleet;
    tcsi_second_look_rule rule;
    /* one run */
    tcsi_cell cell;
    tcsi_deep_past past;
    tcsi_deep_model *model;
    uint64_t train_at;
    double train_s, score_s;
    tcsi_deep_question asked[ASKED_MAX];
    size_t asked_count;
    episode *episodes;
    size_t episode_count;
    size_t open[SERIES_MAX];         /* 1 + episode that is open */
} bench;

typedef struct tally {
    size_t events, found[2], false_count[2]; /* opened, confirmed */
    double rows;
} tally;

static void stop_on(tcs_status status, const tcs_error *err)
{
    if (status == TCS_OK) return;
    fprintf(stderr, "second_look_bench: %s\n", err->text);
    exit(1);
}

static double seconds_now(void)
{
    return (double)clock() / CLOCKS_PER_SEC;
}

/* ---- one run ---- */

static size_t row_at(int64_t time_ns)
{
    return (size_t)((time_ns - START_NS) / STEP_NS);
}

static void on_event(void *self, const tcsi_live_event *event)
{
    bench *b = self;
    if (event->kind != TCSI_LIVE_ANOMALY || event->is_update) return;
    size_t *open = &b->open[event->number];
    if (event->state == TCSI_LIVE_SUSPECTED) {
        if (b->episode_count == EPISODES_MAX) exit(1);
        b->episodes[b->episode_count++] = (episode){ event->number, row_at(event->episode.begin_ns), SIZE_MAX, false };
        *open = b->episode_count;
        return;
    }
    episode *e = &b->episodes[*open - 1];
    if (event->state == TCSI_LIVE_CONFIRMED) e->is_confirmed = true;
    else e->end = row_at(event->time_ns);
}

static void on_question(void *self, const tcsi_deep_question *question)
{
    bench *b = self;
    if (b->asked_count < ASKED_MAX) b->asked[b->asked_count++] = *question;
}

static void learn(bench *b)
{
    tcs_error err = { 0 };
    const double begin = seconds_now();
    const tcsi_deep_training training = { .step_count = b->model ? 300 : 600, .rate = b->model ? 2e-3 : 5e-3, .seed = b->train_at };
    const tcsi_deep_windows lesson = tcsi_deep_ring_windows(&b->past.lesson);
    const tcsi_deep_windows references[] = { tcsi_deep_ring_windows(&b->past.references[0]),
                                             tcsi_deep_ring_windows(&b->past.references[1]) };
    tcsi_deep_model *next;
    stop_on(tcsi_deep_model_train(b->model, lesson, &training, references, b->train_at, NULL, &next, &err), &err);
    tcsi_deep_model_release(b->model);
    b->model = next;
    b->train_s += seconds_now() - begin;
}

static void answer_all(bench *b, uint64_t sequence)
{
    static int16_t rows[ASKED_MAX * TCSI_LAST_ROWS];
    static double scores[ASKED_MAX];
    tcs_error err = { 0 };
    tcsi_deep_scorer scorer;
    const double begin = seconds_now();
    for (size_t i = 0; i < b->asked_count; i++) {
        memcpy(rows + i * TCSI_LAST_ROWS, b->asked[i].rows, sizeof b->asked[i].rows);
        tcsi_deep_past_push(&b->past, (tcsi_question_sort)b->asked[i].sort, b->asked[i].rows);
    }
    if (b->model) {
        stop_on(tcsi_deep_scorer_init(&scorer, &b->model->network, &err), &err);
        tcsi_deep_scorer_run(&scorer, rows, b->asked_count, scores, NULL);
        tcsi_deep_scorer_deinit(&scorer);
    }
    for (size_t i = 0; i < b->asked_count; i++) {
        const tcsi_deep_question *q = &b->asked[i];
        tcsi_deep_answer answer = { .serial = q->serial, .number = q->number, .is_untrained = !b->model, .p_value = 1 };
        if (b->model) answer.p_value = tcsi_deep_model_p_value(b->model, (tcsi_question_sort)q->sort, scores[i]);
        tcsi_second_look_hear(&b->cell, &answer, sequence);
    }
    b->asked_count = 0;
    b->score_s += seconds_now() - begin;
    const uint64_t seen = b->past.seen[TCSI_QUESTION_SAMPLED];
    if (seen < b->train_at) return;
    b->train_at = seen;
    learn(b);
    b->train_at = seen < 32000 ? 2 * seen : seen + 32000;
}

static void run(bench *b, bool is_deep)
{
    tcs_error err = { 0 };
    const tcsi_cell_options options = { .rate = b->rate, .arrival = tcsi_arrival_limits_default(), .series_count_max = SERIES_MAX,
                                        .tell = on_event, .ask = on_question, .self = b,
                                        .second_look = { .is_on = is_deep, .sampled_per_s = 1, .deadline_ns = 10 * STEP_NS,
                                                         .rule = &b->rule } };
    stop_on(tcsi_cell_init(&b->cell, &options, &err), &err);
    stop_on(tcsi_deep_past_init(&b->past, &err), &err);
    tcsi_second_look_set_share(&b->cell.second_look, b->sample, 1);
    b->model = NULL;
    b->train_at = TCSI_DEEP_WINDOWS_MIN;
    b->episode_count = 0;
    b->train_s = b->score_s = 0;
    courses_add(&b->fleet, &b->cell);
    for (size_t t = 0; t < b->fleet.row_count; t++) {
        courses_push(&b->fleet, &b->cell, t, START_NS + (int64_t)t * STEP_NS, 2 * t + 1);
        if (is_deep) answer_all(b, 2 * t + 2);
    }
}

static void end_run(bench *b)
{
    tcsi_deep_model_release(b->model);
    tcsi_deep_past_deinit(&b->past);
    tcsi_cell_deinit(&b->cell);
}

/* ---- measures ---- */

static bool is_found(const bench *b, uint32_t number, size_t begin, size_t end, bool is_confirmed)
{
    for (size_t i = 0; i < b->episode_count; i++) {
        const episode *e = &b->episodes[i];
        if (e->number == number && (e->is_confirmed || !is_confirmed) && e->begin <= end + SLACK && (e->end == SIZE_MAX || e->end >= begin))
            return true;
    }
    return false;
}

static tally measure(const bench *b)
{
    tally o = { 0 };
    for (size_t i = 0; i < b->episode_count; i++) {
        const episode *e = &b->episodes[i];
        const course *c = &b->fleet.items[e->number];
        if (e->begin < c->row_count / 4 || course_is_labelled(c, e->begin, e->end, SLACK)) continue;
        o.false_count[0]++;
        o.false_count[1] += e->is_confirmed;
    }
    for (uint32_t i = 0; i < b->fleet.count; i++) {
        const course *c = &b->fleet.items[i];
        o.rows += 0.75 * (double)c->row_count;
        for (size_t t = c->row_count / 4; t < c->row_count; t++) {
            if (!c->labels[t] || (t > 0 && c->labels[t - 1])) continue;
            size_t end = t;
            while (end + 1 < c->row_count && c->labels[end + 1]) end++;
            o.events++;
            for (int k = 0; k < 2; k++) o.found[k] += is_found(b, i, t, end, k);
            t = end;
        }
    }
    return o;
}

static void print(const char *name, const bench *b, const tally *o)
{
    const tcsi_second_look_counts *n = &b->cell.second_look.counts;
    printf("%-10s opened: found %4zu of %zu, false %5zu (promised %.1f)   confirmed: found %4zu, false %5zu", name, o->found[0], o->events,
           o->false_count[0], b->rate * o->rows, o->found[1], o->false_count[1]);
    printf("   asked %.2f %% + %.2f %%, deep opened %llu, training %.0f s, answers %.0f s\n",
           100 * (double)n->asked[TCSI_QUESTION_ESCALATED] / (double)b->cell.row_count,
           100 * (double)n->asked[TCSI_QUESTION_SAMPLED] / (double)b->cell.row_count, (unsigned long long)n->opened, b->train_s,
           b->score_s);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    static bench b;
    size_t rows = 5000, seed = 1;
    double rates[8] = { 1e-5 };
    size_t rate_count = 0;
    b.rule = tcsi_second_look_usual;
    b.sample = 0.02;
    for (int i = 1; i + 1 < argc; i++) {
        const double number = strtod(argv[i + 1], NULL);
        if (strcmp(argv[i], "--rate") == 0 && rate_count < 8) rates[rate_count++] = number;
        else if (strcmp(argv[i], "--agree") == 0) b.rule.agree = number;
        else if (strcmp(argv[i], "--part") == 0) b.rule.part = number;
        else if (strcmp(argv[i], "--sample") == 0) b.sample = number;
        else if (strcmp(argv[i], "--rows") == 0) rows = (size_t)number;
        else if (strcmp(argv[i], "--seed") == 0) seed = (size_t)number;
        else if (strcmp(argv[i], "--simulate") == 0 && i + 2 < argc) courses_simulate(&b.fleet, (size_t)number, argv[i + 2], rows, seed);
        else if (strcmp(argv[i], "--suite") == 0 && i + 2 < argc) courses_load(&b.fleet, argv[i + 1], argv[i + 2]);
    }
    b.episodes = TCSI_NEW_ARRAY(episode, EPISODES_MAX);
    if (b.fleet.count == 0 || !b.episodes) {
        fprintf(stderr, "usage: second_look_bench [options] --simulate SERIES SCENARIO | --suite NAME FOLDER\n");
        return 2;
    }
    for (size_t r = 0; r < (rate_count ? rate_count : 1); r++) {
        b.rate = rates[r];
        printf("%zu series, rate %g a row\n", b.fleet.count, b.rate);
        for (int is_deep = 0; is_deep < 2; is_deep++) {
            run(&b, is_deep);
            const tally o = measure(&b);
            print(is_deep ? "with" : "without", &b, &o);
            end_run(&b);
        }
    }
    courses_free(&b.fleet);
    tcsi_free(b.episodes);
    return 0;
}
