/* bench/challenger_bench.c -- what answers teach the network: a challenger that learned from the first N answered episodes, against the
 * champion that learned from the sample alone, on all that came later.
 *
 * usage: challenger_bench [--rate R] [--rows N] [--seed N] [--answers N]... --simulate SERIES SCENARIO | --suite NAME FOLDER
 * The fleet is one cell's, as in second_look_bench.c.  An oracle who knows the labels answers each episode when it is over, from the first
 * quarter on, until N are answered; then a challenger is trained (head.h) as the teacher does it.  Counted is what opens later:
 *     AUC       of true against other episodes by the window in which they opened: champion, challenger, Deep SAD (L. Ruff and others, ICLR
 *               2020, equation 7) on the same figures with the same labels, and the height of the first look
 *     +-        standard errors, and of challenger less champion by DeLong's method (trial.h)
 *     held out  what the gate sees: the gain on the answers themselves, by what other series' answers teach, and its lower bound
 *     shadow    rows out of the ordinary that each would have confirmed, of all later ones; a fifth is what its chances promise
 *     promoted  by the gain, and by the first 300 shadow scores, of which it may confirm no more than the champion does
 *     found, false  stretches that a confirmed episode touches, confirmed episodes that touch none, with the champion answering throughout,
 *               and with the challenger answering from then on
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "base/rng.h"
#include "courses.h"
#include "nn/layers.h"
#include "nn/train.h"
#include "serve/deep/past.h"
#include "serve/deep/trial.h"
#include "serve/shard/cell.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EPISODES_MAX = 200000, ASKED_MAX = 4096, SLACK = 16, F = TCSI_DEEP_FEATURES, SAD_STEPS = 600, SAD_BATCH = 64, SHADOW_MIN = 300 };
static const int64_t STEP_NS = INT64_C(60000000000), START_NS = INT64_C(1700000000000000000);

typedef struct episode {
    uint32_t number;
    size_t begin, end;       /* rows; end SIZE_MAX: it lasts */
    float height;
    bool is_confirmed, has_window, is_answered;
    int16_t window[TCSI_LAST_ROWS];
} episode;

typedef struct bench {
    double rate, sample;
    courses fleet;
    tcsi_cell cell;
    tcsi_deep_past past;
    tcsi_deep_model *model, *challenger;
    uint64_t train_at;
    tcsi_deep_question asked[ASKED_MAX];
    size_t asked_count;
    episode *episodes;
    size_t episode_count, open[COURSES_MAX];
    size_t wanted, moment;   /* answers; row from which on everything is counted, 0: not yet */
    bool is_challenged;      /* the challenger answers from the moment on */
    tcsi_deep_labelled set;
    tcsi_deep_trial gate;
    double compared, confirms[TCSI_DEEP_SIDES]; /* shadow scores: rows, and those that each side would confirm */
    int is_over_budget;      /* the challenger, by the first SHADOW_MIN; -1: there were fewer */
    double *held_out;
} bench;

static void stop_on(tcs_status status, const tcs_error *err)
{
    if (status == TCS_OK) return;
    fprintf(stderr, "challenger_bench: %s\n", err->text);
    exit(1);
}

static size_t row_at(int64_t time_ns) { return (size_t)((time_ns - START_NS) / STEP_NS); }

static bool is_true(const bench *b, const episode *e) { return course_is_labelled(&b->fleet.items[e->number], e->begin, e->end, SLACK); }

static void on_event(void *self, const tcsi_live_event *event)
{
    bench *b = self;
    if (event->kind != TCSI_LIVE_ANOMALY || event->is_update) return;
    size_t *open = &b->open[event->number];
    if (event->state == TCSI_LIVE_SUSPECTED) {
        if (b->episode_count == EPISODES_MAX) exit(1);
        episode *e = &b->episodes[b->episode_count++];
        *e = (episode){ .number = event->number, .begin = row_at(event->episode.begin_ns), .end = SIZE_MAX,
                        .height = event->episode.height, .has_window = event->has_window };
        memcpy(e->window, event->window, sizeof e->window);
        *open = b->episode_count;
        return;
    }
    if (event->state == TCSI_LIVE_CONFIRMED) b->episodes[*open - 1].is_confirmed = true;
    else b->episodes[*open - 1].end = row_at(event->time_ns);
}

static void on_question(void *self, const tcsi_deep_question *question)
{
    bench *b = self;
    if (b->asked_count < ASKED_MAX) b->asked[b->asked_count++] = *question;
}

/* ---- learning ---- */

static void learn(bench *b)
{
    tcs_error err = { 0 };
    const tcsi_deep_training training = { .step_count = b->model ? 300 : 600, .rate = b->model ? 2e-3 : 5e-3, .seed = b->train_at };
    const tcsi_deep_windows references[] = { tcsi_deep_ring_windows(&b->past.references[0]),
                                             tcsi_deep_ring_windows(&b->past.references[1]) };
    tcsi_deep_model *next;
    stop_on(tcsi_deep_model_train(b->model, tcsi_deep_ring_windows(&b->past.lesson), &training, references, b->train_at, NULL, &next, &err),
            &err);
    tcsi_deep_model_release(b->model);
    b->model = next;
}

/* (count, F) of windows, and their scores, by the champion's network. */
static void figures_of(const bench *b, const int16_t *rows, size_t count, double *ret_scores, double *ret_features)
{
    tcs_error err = { 0 };
    tcsi_deep_scorer scorer;
    stop_on(tcsi_deep_scorer_init(&scorer, &b->model->network, &err), &err);
    tcsi_deep_scorer_run(&scorer, rows, count, ret_scores, ret_features);
    tcsi_deep_scorer_deinit(&scorer);
}

static void ask_gate(bench *b)
{
    tcs_error err = { 0 };
    static double champion[TCSI_DEEP_LABELS_MAX], features[F];
    static uint8_t labels[TCSI_DEEP_LABELS_MAX];
    const double *const scores[] = { b->held_out, champion };
    for (size_t i = 0; i < b->set.count; i++) {
        figures_of(b, b->set.items[i].rows, 1, &champion[i], features);
        labels[i] = b->set.items[i].is_true;
    }
    stop_on(tcsi_deep_trial_run(scores, labels, b->set.count, &b->gate, &err), &err);
}

/* As soon as enough is answered and can be learned from. */
static void challenge(bench *b, size_t t)
{
    tcs_error err = { 0 };
    const tcsi_deep_answers answers = { &b->set, b->held_out };
    const tcsi_deep_windows references[] = { tcsi_deep_ring_windows(&b->past.references[0]),
                                             tcsi_deep_ring_windows(&b->past.references[1]) };
    if (b->set.count < b->wanted || !b->model || b->past.references[0].count < TCSI_DEEP_TAIL_MIN || !tcsi_deep_head_is_due(&b->set)) return;
    stop_on(tcsi_deep_model_compare(b->model, references, &answers, &b->challenger, &err), &err);
    ask_gate(b);
    b->moment = t + 1;
}

static void answer_episodes(bench *b, size_t t)
{
    for (size_t i = 0; b->moment == 0 && i < b->episode_count; i++) {
        episode *e = &b->episodes[i];
        if (e->is_answered || !e->has_window || e->end == SIZE_MAX || e->begin < b->fleet.items[e->number].row_count / 4) continue;
        e->is_answered = true;
        tcsi_deep_label *label = &b->set.items[b->set.count++];
        *label = (tcsi_deep_label){ .episode = i, .series = e->number + 1, .is_true = is_true(b, e), .weight = 1 };
        memcpy(label->rows, e->window, sizeof label->rows);
        b->set.counts[label->is_true]++;
        if (b->set.count >= b->wanted) challenge(b, t);
        if (b->set.count == TCSI_DEEP_LABELS_MAX) return;
    }
}

/* As the service has it: what the challenger would have said beside the champion. */
static void count_shadow(bench *b, double strangeness, const double *features)
{
    const tcsi_deep_model *const models[] = { b->challenger, b->model };
    for (size_t s = 0; s < TCSI_DEEP_SIDES; s++) {
        const double score = tcsi_deep_model_score(models[s], TCSI_QUESTION_ESCALATED, strangeness, features);
        const double p = (double)tcsi_deep_model_p_value(models[s], TCSI_QUESTION_ESCALATED, score);
        b->confirms[s] += p <= tcsi_second_look_usual.agree;
    }
    if (++b->compared != SHADOW_MIN) return;
    const double allowed = b->confirms[TCSI_DEEP_CHAMPION];
    b->is_over_budget = b->confirms[TCSI_DEEP_CHALLENGER] > allowed + 2 * sqrt(allowed) + 1;
}

static void answer_questions(bench *b, uint64_t sequence)
{
    static int16_t rows[ASKED_MAX * TCSI_LAST_ROWS];
    static double scores[ASKED_MAX], features[ASKED_MAX * F];
    const tcsi_deep_model *model = b->is_challenged && b->challenger ? b->challenger : b->model;
    for (size_t i = 0; i < b->asked_count; i++) {
        memcpy(rows + i * TCSI_LAST_ROWS, b->asked[i].rows, sizeof b->asked[i].rows);
        tcsi_deep_past_push(&b->past, (tcsi_question_sort)b->asked[i].sort, b->asked[i].rows);
    }
    if (model && b->asked_count) figures_of(b, rows, b->asked_count, scores, features);
    for (size_t i = 0; i < b->asked_count; i++) {
        const tcsi_deep_question *q = &b->asked[i];
        const tcsi_question_sort sort = (tcsi_question_sort)q->sort;
        tcsi_deep_answer answer = { .serial = q->serial, .number = q->number, .is_untrained = !model, .p_value = 1 };
        if (model) answer.p_value = tcsi_deep_model_p_value(model, sort, tcsi_deep_model_score(model, sort, scores[i], features + i * F));
        if (b->challenger && sort == TCSI_QUESTION_ESCALATED) count_shadow(b, scores[i], features + i * F);
        tcsi_second_look_hear(&b->cell, &answer, sequence);
    }
    b->asked_count = 0;
    const uint64_t seen = b->past.seen[TCSI_QUESTION_SAMPLED];
    if (seen < b->train_at || b->moment) return; /* the champion of the moment stays, so that both are compared with it */
    b->train_at = seen;
    learn(b);
    b->train_at = seen < 32000 ? 2 * seen : seen + 32000;
}

static void run(bench *b, size_t wanted, bool is_challenged)
{
    tcs_error err = { 0 };
    const tcsi_cell_options options = { .rate = b->rate, .arrival = tcsi_arrival_limits_default(), .series_count_max = COURSES_MAX,
                                        .tell = on_event, .ask = on_question, .self = b,
                                        .second_look = { .is_on = true, .sampled_per_s = 1, .deadline_ns = 10 * STEP_NS } };
    stop_on(tcsi_cell_init(&b->cell, &options, &err), &err);
    stop_on(tcsi_deep_past_init(&b->past, &err), &err);
    tcsi_second_look_set_share(&b->cell.second_look, b->sample, 1);
    b->train_at = TCSI_DEEP_WINDOWS_MIN;
    b->episode_count = b->moment = b->set.count = b->set.counts[0] = b->set.counts[1] = 0;
    b->compared = b->confirms[0] = b->confirms[1] = 0;
    b->is_over_budget = -1;
    b->wanted = wanted;
    b->is_challenged = is_challenged;
    courses_add(&b->fleet, &b->cell);
    for (size_t t = 0; t < b->fleet.row_count; t++) {
        courses_push(&b->fleet, &b->cell, t, START_NS + (int64_t)t * STEP_NS, 2 * t + 1);
        answer_questions(b, 2 * t + 2);
        if (b->moment == 0) answer_episodes(b, t);
    }
}

static void end_run(bench *b)
{
    tcsi_deep_model_release(b->model);
    tcsi_deep_model_release(b->challenger);
    b->model = b->challenger = NULL;
    tcsi_deep_past_deinit(&b->past);
    tcsi_cell_deinit(&b->cell);
}

/* ---- Deep SAD on the same figures ---- */

typedef struct sad {
    tcsi_net *net;
    tcsi_node_id z, distance, loss;
} sad;

static void sad_build(sad *s)
{
    tcs_error err = { 0 };
    stop_on(tcsi_net_create(3, &s->net, &err), &err);
    const tcsi_node_id x = tcsi_nn_input(s->net, 1, F), label = tcsi_nn_input(s->net, 1, 1);
    tcsi_net_scope(s->net, "first");
    const tcsi_node_id h = tcsi_nn_dense(s->net, x, &(tcsi_dense_options){ .units = 16, .activation = TCSI_ACTIVATION_RELU,
                                                                           .without_bias = true });
    tcsi_net_scope(s->net, "second");
    s->z = tcsi_nn_dense(s->net, h, &(tcsi_dense_options){ .units = 8, .without_bias = true });
    tcsi_net_scope(s->net, "sphere");
    s->distance = tcsi_nn_sphere(s->net, s->z);
    s->loss = tcsi_nn_loss_sphere_labels(s->net, s->distance, label, 1);
    stop_on(tcsi_net_finish(s->net, &err), &err);
}

static void standardized(const tcsi_deep_head *head, const double *features, float *ret_x)
{
    for (size_t k = 0; k < F; k++) ret_x[k] = (float)fmin(fmax((features[k] - head->means[k]) / head->scales[k], -4), 4);
}

/* Half of each batch are windows that nobody answered, the other half answered ones. */
static void sad_train(const bench *b, sad *s)
{
    tcs_error err = { 0 };
    static double scores[TCSI_DEEP_TAIL_MAX], unknown[TCSI_DEEP_TAIL_MAX * F], known[TCSI_DEEP_LABELS_MAX * F], ignored;
    static float x[SAD_BATCH * F], label[SAD_BATCH];
    const tcsi_deep_windows references = tcsi_deep_ring_windows(&b->past.references[TCSI_QUESTION_ESCALATED]);
    tcsi_plan *plan = NULL, *first = NULL;
    tcsi_trainer *trainer = NULL;
    figures_of(b, references.rows, references.count, scores, unknown);
    for (size_t i = 0; i < b->set.count; i++) figures_of(b, b->set.items[i].rows, 1, &ignored, known + i * F);
    const tcsi_plan_options how = { .net = s->net, .batch = SAD_BATCH, .has_loss = true, .loss = s->loss };
    const tcsi_plan_options look = { .net = s->net, .batch = SAD_BATCH, .outputs = &s->z, .output_count = 1 };
    const tcsi_train_options train = { .schedule = TCSI_SCHEDULE_ONE_CYCLE, .rate = 5e-3, .step_count = SAD_STEPS, .decay = 1e-3,
                                       .clip_norm = 1 };
    stop_on(tcsi_plan_create(&how, &plan, &err), &err);
    stop_on(tcsi_plan_create(&look, &first, &err), &err);
    stop_on(tcsi_trainer_create(s->net, &train, &trainer, &err), &err);
    for (uint64_t step = 0; step < SAD_STEPS; step++) {
        tcsi_rng rng = tcsi_rng_make(5, step);
        for (size_t i = 0; i < SAD_BATCH; i++) {
            const bool is_known = i % 2 && step > 0;
            const size_t at = tcsi_rng_below(&rng, is_known ? b->set.count : references.count);
            standardized(&b->challenger->head, (is_known ? known : unknown) + at * F, x + i * F);
            label[i] = !is_known ? 0 : b->set.items[at].is_true ? -1 : 1;
        }
        const tcsi_run run = { .inputs = { x, label }, .batch = SAD_BATCH, .is_training = true, .seed = 1, .step = step };
        if (step == 0) {
            tcsi_plan_forward(first, NULL, &run);
            tcsi_nn_sphere_set_center(s->net, s->distance, SAD_BATCH, tcsi_plan_values(first, s->z));
        }
        (void)tcsi_trainer_step(trainer, plan, NULL, &run);
    }
    tcsi_trainer_destroy(trainer);
    tcsi_plan_destroy(first);
    tcsi_plan_destroy(plan);
}

static void sad_scores(const bench *b, const sad *s, const double *features, size_t count, double *ret_scores)
{
    tcs_error err = { 0 };
    tcsi_plan *plan;
    float x[F], label = 0;
    const tcsi_plan_options how = { .net = s->net, .batch = 1, .outputs = &s->distance, .output_count = 1 };
    stop_on(tcsi_plan_create(&how, &plan, &err), &err);
    for (size_t i = 0; i < count; i++) {
        standardized(&b->challenger->head, features + i * F, x);
        tcsi_plan_forward(plan, NULL, &(tcsi_run){ .inputs = { x, &label }, .batch = 1 });
        ret_scores[i] = (double)*tcsi_plan_values(plan, s->distance);
    }
    tcsi_plan_destroy(plan);
}

/* ---- measures ---- */

static double area(const double *scores, const uint8_t *labels, size_t count)
{
    tcs_error err;
    tcsi_deep_trial trial;
    const double *const both[] = { scores, scores };
    return tcsi_deep_trial_run(both, labels, count, &trial, &err) == TCS_OK ? trial.auc[0] : NAN;
}

static void print_areas(bench *b)
{
    tcs_error err = { 0 };
    double *room = TCSI_NEW_ARRAY(double, b->episode_count * (F + 4));
    uint8_t *labels = TCSI_NEW_ARRAY(uint8_t, b->episode_count);
    double *champion = room, *challenger = room + b->episode_count, *peer = challenger + b->episode_count, *height = peer + b->episode_count;
    double *features = height + b->episode_count;
    size_t count = 0;
    tcsi_deep_trial trial = { .gain = NAN };
    sad s;
    for (size_t i = 0; i < b->episode_count; i++) {
        const episode *e = &b->episodes[i];
        if (!e->has_window || e->begin < b->moment) continue;
        figures_of(b, e->window, 1, &champion[count], features + count * F);
        challenger[count] = tcsi_deep_head_log_odds(&b->challenger->head, features + count * F);
        height[count] = (double)e->height;
        labels[count++] = is_true(b, e);
    }
    sad_build(&s);
    sad_train(b, &s);
    sad_scores(b, &s, features, count, peer);
    tcsi_net_destroy(s.net);
    const double *const both[] = { challenger, champion };
    if (tcsi_deep_trial_run(both, labels, count, &trial, &err) != TCS_OK) printf("  too few came later: %s\n", err.text);
    else
        printf("%5zu answers (%zu true), row %zu, %zu later (%zu true): AUC champion %.3f +- %.3f, challenger %.3f +- %.3f, gain %+.3f +- %.3f, "
               "Deep SAD %.3f, height %.3f; held out %+.3f, at least %+.3f; "
               "shadow: confirms %.1f %% of %.0f, champion %.1f %%: %s\n",
               b->set.count, b->set.counts[1], b->moment, count, trial.counts[1], trial.auc[1], trial.deviation[1], trial.auc[0],
               trial.deviation[0], trial.gain, trial.gain_deviation, area(peer, labels, count), area(height, labels, count), b->gate.gain,
               tcsi_deep_trial_gain_low(&b->gate), 100 * b->confirms[0] / b->compared, b->compared, 100 * b->confirms[1] / b->compared,
               tcsi_deep_trial_gain_low(&b->gate) > 0 && b->is_over_budget == 0 ? "promoted" : "stays a challenger");
    tcsi_free(labels);
    tcsi_free(room);
}

static bool is_found(const bench *b, uint32_t number, size_t begin, size_t end)
{
    for (size_t i = 0; i < b->episode_count; i++) {
        const episode *e = &b->episodes[i];
        if (e->number == number && e->is_confirmed && e->begin <= end + SLACK && (e->end == SIZE_MAX || e->end >= begin)) return true;
    }
    return false;
}

static void print_tally(const bench *b, const char *name)
{
    size_t events = 0, found = 0, wrong = 0;
    for (size_t i = 0; i < b->episode_count; i++) {
        const episode *e = &b->episodes[i];
        wrong += e->is_confirmed && e->begin >= b->moment && !is_true(b, e);
    }
    for (uint32_t i = 0; i < b->fleet.count; i++) {
        const course *c = &b->fleet.items[i];
        for (size_t t = b->moment; t < c->row_count; t++) {
            if (!c->labels[t] || (t > 0 && c->labels[t - 1])) continue;
            size_t end = t;
            while (end + 1 < c->row_count && c->labels[end + 1]) end++;
            events++;
            found += is_found(b, i, t, end);
            t = end;
        }
    }
    printf("      %-10s confirmed: found %zu of %zu, false %zu\n", name, found, events, wrong);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    static bench b;
    size_t rows = 6000, seed = 1, wanted[8] = { 0 }, wanted_count = 0;
    b.rate = 1e-3;
    b.sample = 0.02;
    for (int i = 1; i + 1 < argc; i++) {
        const double number = strtod(argv[i + 1], NULL);
        if (strcmp(argv[i], "--rate") == 0) b.rate = number;
        else if (strcmp(argv[i], "--answers") == 0 && wanted_count < 8) wanted[wanted_count++] = (size_t)number;
        else if (strcmp(argv[i], "--rows") == 0) rows = (size_t)number;
        else if (strcmp(argv[i], "--seed") == 0) seed = (size_t)number;
        else if (strcmp(argv[i], "--simulate") == 0 && i + 2 < argc) courses_simulate(&b.fleet, (size_t)number, argv[i + 2], rows, seed);
        else if (strcmp(argv[i], "--suite") == 0 && i + 2 < argc) courses_load(&b.fleet, argv[i + 1], argv[i + 2]);
    }
    b.episodes = TCSI_NEW_ARRAY(episode, EPISODES_MAX);
    b.held_out = TCSI_NEW_ARRAY(double, TCSI_DEEP_LABELS_MAX);
    b.set.items = TCSI_NEW_ARRAY(tcsi_deep_label, TCSI_DEEP_LABELS_MAX);
    if (b.fleet.count == 0 || !b.episodes || !b.held_out || !b.set.items) {
        fprintf(stderr, "usage: challenger_bench [options] [--answers N]... --simulate SERIES SCENARIO | --suite NAME FOLDER\n");
        return 2;
    }
    printf("%zu series, rate %g a row\n", b.fleet.count, b.rate);
    for (size_t i = 0; i < (wanted_count ? wanted_count : 1); i++) {
        for (int is_challenged = 0; is_challenged < 2; is_challenged++) {
            run(&b, wanted_count ? wanted[i] : 50, is_challenged);
            if (b.moment == 0) printf("%5zu answers: too few of a kind or of too few series to learn from\n", b.set.count);
            if (b.moment && !is_challenged) print_areas(&b);
            if (b.moment) print_tally(&b, is_challenged ? "challenger" : "champion");
            end_run(&b);
        }
    }
    courses_free(&b.fleet);
    tcsi_free(b.set.items);
    tcsi_free(b.held_out);
    tcsi_free(b.episodes);
    return 0;
}
