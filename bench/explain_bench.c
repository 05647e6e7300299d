/* bench/explain_bench.c -- are explanations right, and what do they cost?
 *
 *     explain_bench FILE.json [SERIES]
 *
 * Machines of five channels (simulate/fleet.h) run 3,000 rows; one event of each kind (simulate/inject.h) is laid over one channel, two
 * thirds of the way.  Each detector judges each of them, learning from the first half.  Of the episode that met the event:
 *   cause      is the true channel first by attribution?
 *   overlap    of the rows in which that channel is said to contribute, and those that visibly differ: intersection over union, median
 *   valid      counterfactuals that were found, put into a copy of the frame and judged by a detector that was made and fitted anew: no row
 *              of the episode above the threshold that was in force for it
 *   ms         processor time of a whole explanation, counterfactual among it, and of one without; medians
 * Events that no episode met cannot be explained and are counted apart.
 * Then the confusion of kinds: what the true channel's event was laid down as, and what it was called, over all detectors; and what the
 * rows of events are called that are known to the row.  At last kinds on the held-out trials of kind_trials.h, of other settings and
 * another seed than what was learned from: confusion, recall, whether probabilities hold, whether what stays is told from what passes.
 * SPDX-License-Identifier: Apache-2.0 */
#include "figure.h"
#include "kind_trials.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/rng.h"
#include "explain/expected.h"
#include "pipeline/explain.h"
#include "series/stats.h"
#include "simulate/fleet.h"
#include "simulate/inject.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { ROWS = 3000, TRAIN = 1500, CHANNELS = 5, ONSET = 2000, LENGTH = 60, KNOWN_SERIES = 40, SERIES_MAX = 64, HELD_OUT = 6000, HELD_OUT_SEED = 77, BINS = 5,
       TRIALS_MAX = SERIES_MAX * TCSI_EVENT_KIND_COUNT };

static const struct { const char *name; tcs_mode mode; bool is_deep; } judges[] = {
    { "ewma", TCS_MODE_ONLINE, false },           { "pca_stream", TCS_MODE_ONLINE, false },
    { "auto_online", TCS_MODE_ONLINE, false },    { "auto_classic", TCS_MODE_OFFLINE, false },
    { "auto_offline", TCS_MODE_OFFLINE, false },  { "tcn_forecaster", TCS_MODE_ONLINE, true },
    { "gru_forecaster", TCS_MODE_ONLINE, true },  { "autoencoder", TCS_MODE_OFFLINE, true },
    { "conv_autoencoder", TCS_MODE_OFFLINE, true }, { "usad", TCS_MODE_OFFLINE, true },
    { "deep_svdd", TCS_MODE_OFFLINE, true },
};

static void check(tcs_status status, const tcs_error *err)
{
    if (status == TCS_OK) return;
    fprintf(stderr, "explain_bench: %s\n", err->text);
    exit(1);
}

/* ---- a machine, and what happens to it ---- */

typedef struct trial {
    tcsi_frame *frame;
    tcsi_event event;
    size_t channel, period;
} trial;

/* False: the event could not be made visible. */
static bool make_trial(size_t number, tcsi_event_kind kind, trial *ret)
{
    tcs_error err;
    const tcsi_machine_options options = { .seed = 11, .kind_count = 8, .program_count = 2, .channel_count = CHANNELS, .row_count = ROWS,
                                           .calm_row_count = ROWS };
    tcsi_rng rng = tcsi_rng_make(1000 + number, kind);
    *ret = (trial){ .channel = tcsi_rng_below(&rng, CHANNELS) };
    check(tcsi_machine_simulate(&options, number, &ret->frame, &ret->period, &err), &err);
    double *x = tcsi_frame_column(ret->frame, ret->channel), *work = TCSI_NEW_ARRAY(double, tcsi_inject_work_count(ROWS));
    if (!work) abort();
    const double mean = tcsi_mean(x, ROWS), deviation = tcsi_deviation(x, ROWS);
    for (size_t t = 0; t < ROWS; t++) x[t] = (x[t] - mean) / deviation;
    const size_t length = LENGTH < ret->period ? ret->period : LENGTH;
    const bool any = tcsi_inject(&rng, kind, x, ROWS, ret->period, ONSET + tcsi_rng_below(&rng, 100), length, work, &ret->event);
    for (size_t t = 0; t < ROWS; t++) x[t] = mean + deviation * x[t];
    tcsi_free(work);
    if (!any) tcsi_frame_destroy(ret->frame);
    return any;
}

/* ---- one judge, one trial ---- */

static tcsi_detection *detect(const tcsi_frame *frame, size_t judge)
{
    static const tcsi_parameter_value deep[] = { { "epochs", 10 } };
    tcs_error err;
    tcsi_detection *detection;
    const tcsi_detect_options options = { .mode = judges[judge].mode, .detector = judges[judge].name, .train_row_count = TRAIN,
                                          .thread_count = 1, .keep = true, .parameters = deep, .parameter_count = judges[judge].is_deep };
    check(tcsi_detect(frame, &options, &detection, &err), &err);
    return detection;
}

static size_t met_episode(const tcsi_detection *detection, const tcsi_event *event)
{
    const tcsi_policy_result *decision = &detection->decision;
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < decision->episode_count; i++) {
        const tcsi_episode *e = &decision->episodes[i];
        if (e->row_begin >= event->end || e->row_end <= event->onset) continue;
        if (best == SIZE_MAX || e->score_peak > decision->episodes[best].score_peak) best = i;
    }
    return best;
}

static bool is_valid(const tcsi_detection *detection, const tcsi_explanation *e, size_t judge)
{
    const tcsi_counterfactual *c = &e->counterfactual;
    const size_t count = tcsi_extent_count(c->rows);
    size_t all[CHANNELS];
    tcs_error err;
    tcsi_frame *changed;
    bool fine = true;
    for (size_t k = 0; k < CHANNELS; k++) all[k] = k;
    check(tcsi_frame_select(detection->frame, all, CHANNELS, &changed, &err), &err);
    for (size_t k = 0; k < c->channel_count; k++)
        memcpy(tcsi_frame_column(changed, c->channels[k]) + c->rows.begin, c->values + k * count, count * sizeof(double));
    tcsi_detection *again = detect(changed, judge);
    for (size_t t = e->rows.begin; t < e->rows.end; t++) {
        const tcs_score *score = &again->scores[t];
        const double level = detection->decision.by_evidence ? score->evidence : score->value;
        fine &= score->state != TCS_SCORE_READY || level <= detection->decision.thresholds[t];
    }
    tcsi_detection_destroy(again);
    tcsi_frame_destroy(changed);
    return fine;
}

typedef struct tally {
    size_t events, met, first, second, found, valid;
    double overlap[TRIALS_MAX], whole_ms[TRIALS_MAX], plain_ms[TRIALS_MAX], trials[TRIALS_MAX];
} tally;

typedef size_t confusion[TCSI_EVENT_KIND_COUNT][TCSI_KIND_COUNT];
static confusion met, known; /* of the episodes that were met; of the rows of the event itself, which no detector knows */

static double milliseconds(clock_t begin) { return 1e3 * (double)(clock() - begin) / CLOCKS_PER_SEC; }

static double overlap_of(tcsi_extent a, const tcsi_event *b)
{
    const size_t begin = a.begin > b->onset ? a.begin : b->onset, end = a.end < b->end ? a.end : b->end;
    const size_t low = a.begin < b->onset ? a.begin : b->onset, high = a.end > b->end ? a.end : b->end;
    return end > begin ? (double)(end - begin) / (double)(high - low) : 0;
}

static void judge_trial(const trial *t, size_t judge, tcsi_event_kind kind, tally *out)
{
    static const tcsi_explain_options whole = { .with_counterfactual = true }, plain = { .with_counterfactual = false };
    tcs_error err;
    tcsi_detection *detection = detect(t->frame, judge);
    const size_t episode = met_episode(detection, &t->event);
    out->events++;
    if (episode != SIZE_MAX) {
        tcsi_explanation e, p;
        clock_t begin = clock();
        check(tcsi_detection_explain(detection, &episode, 1, &whole, &e, &err), &err);
        out->whole_ms[out->met] = milliseconds(begin);
        begin = clock();
        check(tcsi_detection_explain(detection, &episode, 1, &plain, &p, &err), &err);
        out->plain_ms[out->met] = milliseconds(begin);
        out->trials[out->met] = (double)e.counterfactual.trial_count;
        out->overlap[out->met++] = overlap_of(tcsi_attribution_span(&e.attribution, t->channel), &t->event);
        out->first += e.story_count > 0 && e.stories[0].channel == t->channel;
        out->second += e.story_count > 1 && e.stories[1].channel == t->channel;
        for (size_t i = 0; i < e.story_count; i++)
            if (e.stories[i].channel == t->channel) met[kind][e.stories[i].kind.kind]++;
        if (e.counterfactual.outcome == TCSI_COUNTERFACTUAL_FOUND) {
            out->found++;
            out->valid += is_valid(detection, &e, judge);
        }
        tcsi_explanation_deinit(&e);
        tcsi_explanation_deinit(&p);
    }
    tcsi_detection_destroy(detection);
}

/* ---- tables ---- */

static double share(size_t part, size_t whole) { return whole > 0 ? 100 * (double)part / (double)whole : NAN; }

static void add_figure(tcsi_json_writer *w, const char *judge, const char *what, const char *unit, double ours, double target,
                       bool at_least)
{
    char name[128];
    snprintf(name, sizeof name, "%s, %s", judge, what);
    const bool ok = isnan(target) || (at_least ? ours >= target : ours <= target);
    figure_write(w, &(figure){ .name = name, .unit = unit, .ours = ours, .peer = NAN, .ratio = NAN, .target = target, .ok = ok });
}

static void print_tally(tcsi_json_writer *w, const char *name, bool is_deep, tally *t)
{
    const double overlap = tcsi_quantile_inplace(t->overlap, t->met, 0.5), whole = tcsi_quantile_inplace(t->whole_ms, t->met, 0.5);
    const double plain = tcsi_quantile_inplace(t->plain_ms, t->met, 0.5), trials = tcsi_quantile_inplace(t->trials, t->met, 0.5);
    printf("| %s | %zu of %zu | %.0f %% | %.0f %% | %.2f | %zu of %zu | %zu | %.1f %% | %.1f | %.1f | %.0f |\n", name, t->met, t->events,
           share(t->first, t->met), share(t->first + t->second, t->met), overlap, t->found, t->met, t->valid, share(t->valid, t->found),
           whole, plain, trials);
    fflush(stdout);
    add_figure(w, name, "true channel first", "% of episodes", share(t->first, t->met), 90, true);
    add_figure(w, name, "counterfactuals valid", "% of those found", share(t->valid, t->found), 99, true);
    add_figure(w, name, "counterfactuals found", "% of episodes", share(t->found, t->met), NAN, true);
    add_figure(w, name, "whole explanation", "ms of processor time", whole, is_deep ? 20 : NAN, false);
}

/* What the rows of events are called when they are known to the row: nothing to do with any detector. */
static void name_known(size_t series)
{
    static uint8_t anomaly[ROWS];
    tcsi_policy_result decision = { .anomaly = anomaly };
    tcs_error err;
    for (size_t number = 0; number < series; number++)
        for (size_t kind = 0; kind < TCSI_EVENT_KIND_COUNT; kind++) {
            trial t;
            tcsi_kind named;
            size_t period, others[CHANNELS], count = 0;
            if (!make_trial(5000 + number, (tcsi_event_kind)kind, &t)) continue;
            const tcsi_subject subject = { .frame = t.frame, .decision = &decision };
            const tcsi_extent rows = { t.event.onset, t.event.end };
            for (size_t c = 0; c < CHANNELS; c++)
                if (c != t.channel) others[count++] = c;
            check(tcsi_expected_period(&subject, rows, t.channel, &period, &err), &err);
            check(tcsi_kind_find(&subject, rows, t.channel, period, others, count, &named, &err), &err);
            known[kind][named.kind]++;
            tcsi_frame_destroy(t.frame);
        }
}

static void print_confusion(const char *title, confusion counts)
{
    printf("\n%s\n\n| laid down | called:", title);
    for (size_t k = 0; k < TCSI_KIND_COUNT; k++) printf(" %s |", tcsi_kind_text((tcsi_kind_name)k));
    printf("\n|---|");
    for (size_t k = 0; k < TCSI_KIND_COUNT; k++) printf("---|");
    for (size_t e = 0; e < TCSI_EVENT_KIND_COUNT; e++) {
        printf("\n| %s |", tcsi_event_kind_name((tcsi_event_kind)e));
        for (size_t k = 0; k < TCSI_KIND_COUNT; k++) printf(" %zu |", counts[e][k]);
    }
    printf("\n");
}

/* ---- kinds of trials whose settings nothing was learned from ---- */

typedef struct held_out {
    size_t called[TCSI_KIND_COUNT][TCSI_KIND_COUNT]; /* laid down, called */
    size_t right_over[2], over[2];                   /* of episodes that are not, and that are over */
    size_t sure[BINS], sure_right[BINS];             /* by probability */
    size_t stays[2][2];                              /* it passed or stayed; said so, where the kind is right */
    double seconds;
    size_t count;
} held_out;

static void judge_held_out(size_t number, held_out *h)
{
    static uint8_t anomaly[2 * ROWS];
    const tcsi_policy_result decision = { .anomaly = anomaly };
    kind_trial t;
    tcsi_kind named;
    tcs_error err;
    if (!kind_trial_make(HELD_OUT_SEED, number, true, &t)) return;
    const tcsi_subject subject = { .frame = t.frame, .decision = &decision };
    const clock_t begin = clock();
    check(tcsi_kind_find(&subject, t.rows, t.channel, t.period, t.others, t.other_count, &named, &err), &err);
    h->seconds += milliseconds(begin) / 1e3;
    h->count++;
    h->called[t.kind][named.kind]++;
    h->over[t.is_over]++;
    h->right_over[t.is_over] += named.kind == t.kind;
    const size_t bin = (size_t)fmin(BINS * named.probability, BINS - 1);
    h->sure[bin]++;
    h->sure_right[bin] += named.likeliest == t.kind;
    if (t.is_over && named.kind == t.kind && t.kind != TCSI_KIND_SPIKE && t.kind < TCSI_KIND_PATTERN) h->stays[t.stays][named.persistent]++;
    kind_trial_destroy(&t);
}

static void print_held_out(tcsi_json_writer *w, const held_out *h)
{
    size_t right = 0, unclear = 0;
    printf("\nKinds on %zu held-out trials:\n\n| laid down | recall | called:", h->count);
    for (size_t k = TCSI_KIND_FIRST; k <= TCSI_KIND_UNCLEAR; k++) printf(" %s |", tcsi_kind_text((tcsi_kind_name)k));
    printf("\n|---|---|");
    for (size_t k = TCSI_KIND_FIRST; k <= TCSI_KIND_UNCLEAR; k++) printf("---|");
    for (size_t k = TCSI_KIND_FIRST; k < TCSI_KIND_UNCLEAR; k++) {
        size_t all = 0;
        for (size_t i = 0; i < TCSI_KIND_COUNT; i++) all += h->called[k][i];
        printf("\n| %s | %.0f %% |", tcsi_kind_text((tcsi_kind_name)k), share(h->called[k][k], all));
        for (size_t i = TCSI_KIND_FIRST; i <= TCSI_KIND_UNCLEAR; i++) printf(" %zu |", h->called[k][i]);
        right += h->called[k][k];
        unclear += h->called[k][TCSI_KIND_UNCLEAR];
        add_figure(w, "kinds, held out", tcsi_kind_text((tcsi_kind_name)k), "% recalled", share(h->called[k][k], all), NAN, true);
    }
    printf("\n\n%.1f %% right, %.1f %% unclear, %.1f %% of the others right; not over yet %.1f %%, over %.1f %%; %.2f ms an episode\n",
           share(right, h->count), share(unclear, h->count), share(right, h->count - unclear), share(h->right_over[0], h->over[0]),
           share(h->right_over[1], h->over[1]), 1e3 * h->seconds / (double)h->count);
    printf("of what passed %.1f %% was said to stay; of what stayed %.1f %%\n", share(h->stays[0][1], h->stays[0][0] + h->stays[0][1]),
           share(h->stays[1][1], h->stays[1][0] + h->stays[1][1]));
    for (size_t i = 0; i < BINS; i++)
        printf("probability %.1f to %.1f: %.0f %% of %zu right\n", (double)i / BINS, (double)(i + 1) / BINS,
               share(h->sure_right[i], h->sure[i]), h->sure[i]);
    add_figure(w, "kinds, held out", "right", "% of those not unclear", share(right, h->count - unclear), 75, true);
}

int main(int argc, char **argv)
{
    static held_out apart;
    const size_t series = argc > 2 ? (size_t)strtoul(argv[2], NULL, 10) : 4;
    if (argc < 2 || series == 0 || series > SERIES_MAX) {
        fprintf(stderr, "usage: explain_bench FILE.json [SERIES], 1 to %d\n", SERIES_MAX);
        return 2;
    }
    static tally tallies[TCS_COUNT(judges)], all;
    tcsi_buffer json;
    tcsi_json_writer w;
    tcs_error err;
    for (size_t number = 0; number < series; number++)
        for (size_t kind = 0; kind < TCSI_EVENT_KIND_COUNT; kind++) {
            trial t;
            if (!make_trial(number, (tcsi_event_kind)kind, &t)) continue;
            for (size_t j = 0; j < TCS_COUNT(judges); j++) judge_trial(&t, j, (tcsi_event_kind)kind, &tallies[j]);
            tcsi_frame_destroy(t.frame);
        }
    tcsi_buffer_init(&json, 1 << 20);
    tcsi_json_writer_init(&w, &json, true);
    tcsi_json_begin_array(&w);
    printf("| detector | events met | true channel first | first or second | overlap | counterfactual found | valid | valid / found | ms "
           "| ms without | trials |\n|---|---|---|---|---|---|---|---|---|---|---|\n");
    for (size_t j = 0; j < TCS_COUNT(judges); j++) {
        tally *t = &tallies[j];
        if (t->met == 0) continue;
        all.met += t->met;
        all.first += t->first;
        all.found += t->found;
        all.valid += t->valid;
        print_tally(&w, judges[j].name, judges[j].is_deep, t);
    }
    printf("\ntrue channel first in %.1f %% of %zu episodes; counterfactuals found for %.1f %%, of which %.1f %% are valid\n",
           share(all.first, all.met), all.met, share(all.found, all.met), share(all.valid, all.found));
    add_figure(&w, "all", "true channel first", "% of episodes", share(all.first, all.met), 90, true);
    add_figure(&w, "all", "counterfactuals valid", "% of those found", share(all.valid, all.found), 99, true);
    print_confusion("Kinds of the true channel, in the episodes that were met:", met);
    name_known(KNOWN_SERIES);
    print_confusion("Kinds of the rows of events, known to the row:", known);
    for (size_t number = 0; number < HELD_OUT; number++) judge_held_out(number, &apart);
    print_held_out(&w, &apart);
    tcsi_json_end_array(&w);
    tcs_status status = tcsi_json_finish(&w, &err);
    if (status == TCS_OK) status = tcsi_file_write(argv[1], json.data, json.size, &err);
    if (status != TCS_OK) fprintf(stderr, "explain_bench: %s\n", err.text);
    tcsi_buffer_deinit(&json);
    return status == TCS_OK ? 0 : 1;
}
