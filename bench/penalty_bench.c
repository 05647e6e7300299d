/* bench/penalty_bench.c -- is it worth punishing networks for breaking constraints that are known to hold?
 *
 * usage: penalty_bench [--plants N] [--first SEED] [--weights LIST] [--detectors LIST] [--settings LIST]
 * LIST: words with commas between; the first weight is what the others are compared with.
 * Simulated plants, each with constraints in a file as a user would write it:
 *   pump     `tocsin simulate pump`, two weeks of minutes: what flows in and not out is in the tank (linear, means over an hour)
 *   spoilt   the same, learned from all rows, the events among them, and judged in hindsight
 *   few      the same, learned from 1,500 rows
 *   heater   water through an electric heater, two weeks of five minutes: power = heat that the water took up (a product of channels);
 *            worn elements, a flow meter that reads low, a drifting thermometer break it, a surge of demand does not
 *   heater-few  the same, learned from 400 rows
 * A detector learns with the residual channels that knowledge adds, and with each weight of the penalty.  Printed, means over the plants:
 *   VUS-PR of the rows that were not learned from (spoilt: of all), without knowledge and with each weight
 *   gain     the mean of the paired differences from the first weight, with the half width of its 95 % interval (Student's t over plants)
 *   broken   share of what the network says, over the training rows and where constraints can be told, that breaks one: said, and read
 *   miss     a forecaster's, on rows that it did not learn from (penalty_said.h), as a ratio to that with the first weight; geometric mean
 *            over the plants and its 95 % interval
 * and at the end of a detector the same of all its plants together.
 * Plants are drawn with seeds SEED, SEED + 1, ...; a detector's seed is its plant's.  SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "base/rng.h"
#include "metrics/vus.h"
#include "penalty_said.h"
#include "pipeline/known.h"
#include "series/time.h"
#include "simulate/pump.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PUMP_ROWS = 20160, HEATER_ROWS = 4032, HEATER_CHANNELS = 4, WEIGHT_MAX = 8, PLANT_MAX = 64, VUS_WINDOW = 100, EVENTS = 6 };

/* ---- plants ---- */

static const char PUMP_KNOWLEDGE[] =
    "version: 1\nconstraints:\n"
    "  water: mean(flow_in, 1h) - mean(flow_out, 1h) - 180 * d(mean(tank_level, 1h))/dt * 1h = 0 ± 3%\n";
static const char HEATER_KNOWLEDGE[] =
    "version: 1\nconstraints:\n"
    "  heat: power * 0.95 - 0.0698 * flow * (t_out - t_in) = 0 ± 4%\n"
    "  direction: t_out >= t_in ± 1\n";

static tcs_status simulate_pump(uint64_t seed, tcsi_frame **ret_frame, tcs_error *err)
{
    tcsi_pump_options options = tcsi_pump_options_default();
    tcsi_event *events;
    size_t event_count;
    options.seed = seed;
    options.row_count = PUMP_ROWS;
    const tcs_status status = tcsi_pump_simulate(&options, ret_frame, &events, &event_count, err);
    if (status == TCS_OK) tcsi_free(events);
    return status;
}

typedef struct fault {
    size_t begin, end, kind; /* worn elements, a meter that reads low, a drifting thermometer, a surge of demand */
} fault;

static void draw_faults(tcsi_rng *rng, fault *ret_faults)
{
    const size_t first = HEATER_ROWS * 3 / 10, each = (HEATER_ROWS - first) / EVENTS;
    for (size_t i = 0; i < EVENTS; i++) {
        const size_t length = 40 + tcsi_rng_below(rng, 80);
        const size_t begin = first + i * each + tcsi_rng_below(rng, each - length);
        ret_faults[i] = (fault){ begin, begin + length, (i + tcsi_rng_below(rng, 2)) % 4 };
    }
}

/* [l/min], [C], [C], [kW]: the heater holds 60 C, but for what it is late. */
static tcs_status simulate_heater(uint64_t seed, tcsi_frame **ret_frame, tcs_error *err)
{
    static const char *const names[HEATER_CHANNELS] = { "flow", "t_in", "t_out", "power" };
    tcsi_rng rng = tcsi_rng_make(seed, 77);
    fault faults[EVENTS];
    double unrest = 0, cold = 0, late = 0;
    draw_faults(&rng, faults);
    tcs_status status = tcsi_frame_create(HEATER_CHANNELS, HEATER_ROWS, true, true, ret_frame, err);
    for (size_t c = 0; c < HEATER_CHANNELS && status == TCS_OK; c++) status = tcsi_frame_channel_rename(*ret_frame, c, names[c], err);
    for (size_t t = 0; t < HEATER_ROWS && status == TCS_OK; t++) {
        const double day = 2 * 3.14159265358979323846 * (double)t / 288;
        const fault *now = NULL;
        for (size_t i = 0; i < EVENTS; i++)
            if (t >= faults[i].begin && t < faults[i].end) now = &faults[i];
        unrest = 0.9 * unrest + 1.2 * tcsi_rng_normal(&rng);
        cold = 0.999 * cold + 0.05 * tcsi_rng_normal(&rng);
        const double flow = fmax(5, 40 + 15 * sin(day) + 6 * sin(2 * day + 1) + unrest + (now && now->kind == 3 ? 12 : 0));
        const double t_in = 12 + 2 * sin(day / 7) + cold;
        late = 0.8 * late + 0.05 * unrest;
        const double t_out = 60 - late, share = now ? (double)(t - now->begin) / (double)(now->end - now->begin) : 0;
        const double efficiency = now && now->kind == 0 ? 0.95 - 0.08 : 0.95;
        const double row[HEATER_CHANNELS] = { flow * (now && now->kind == 1 ? 0.92 : 1) + 0.3 * tcsi_rng_normal(&rng),
                                              t_in + 0.1 * tcsi_rng_normal(&rng),
                                              t_out + (now && now->kind == 2 ? 5 * share : 0) + 0.1 * tcsi_rng_normal(&rng),
                                              0.0698 * flow * (t_out - t_in) / efficiency + 0.5 * tcsi_rng_normal(&rng) };
        status = tcsi_frame_append(*ret_frame, row, (int64_t)(1767571200 + 300 * t) * TCSI_NS_PER_S, now != NULL, err);
    }
    return status;
}

typedef struct setting {
    const char *name, *knowledge;
    tcs_status (*simulate)(uint64_t seed, tcsi_frame **ret_frame, tcs_error *err);
    size_t train_row_count;
    bool is_spoilt;
} setting;

static const setting settings[] = {
    { "pump", PUMP_KNOWLEDGE, simulate_pump, PUMP_ROWS * 3 / 10, false }, { "spoilt", PUMP_KNOWLEDGE, simulate_pump, PUMP_ROWS, true },
    { "few", PUMP_KNOWLEDGE, simulate_pump, 1500, false },
    { "heater", HEATER_KNOWLEDGE, simulate_heater, HEATER_ROWS * 3 / 10, false },
    { "heater-few", HEATER_KNOWLEDGE, simulate_heater, 400, false },
};

typedef struct outcome {
    double vus_pr, said, read, miss;
} outcome;

static tcs_status look_at_said(const tcsi_detection *detection, const tcsi_frame *frame, outcome *o, tcs_error *err)
{
    const tcsi_frame train = tcsi_frame_view(detection->frame, 0, detection->train_row_count);
    tcs_status status = penalty_find_miss(detection->detector, detection->frame, frame->channel_count, train.row_count, &o->miss, err);
    if (status == TCS_OK && detection->known)
        status = penalty_count_broken(detection->detector, detection->known->constraints, &train, &o->said, &o->read, err);
    return status;
}

/* ---- one run ---- */

static tcs_status judge(const setting *s, const tcsi_detection *detection, double *ret_vus_pr, tcs_error *err)
{
    const size_t begin = s->is_spoilt ? 0 : s->train_row_count, count = detection->frame->row_count - begin;
    double *scores = TCSI_NEW_ARRAY(double, count);
    tcsi_vus vus = { 0 };
    if (!scores) return tcsi_fail_memory(err, "scores");
    for (size_t t = 0; t < count; t++) {
        const tcs_score *score = &detection->scores[begin + t];
        scores[t] = score->state == TCS_SCORE_READY ? score->value : 0;
    }
    const tcs_status status = tcsi_vus_of_scores(scores, detection->frame->labels + begin, count, VUS_WINDOW, &vus, err);
    *ret_vus_pr = vus.pr;
    tcsi_free(scores);
    return status;
}

static tcs_status run(const setting *s, const tcsi_frame *frame, const char *detector, const tcsi_knowledge *knowledge, double weight,
                      uint64_t seed, outcome *ret_outcome, tcs_error *err)
{
    const tcsi_parameter_value parameter = { "penalty", weight };
    const tcsi_detect_options options = { .mode = TCS_MODE_OFFLINE, .detector = detector, .thread_count = 1, .seed = seed,
                                          .train_row_count = s->is_spoilt ? frame->row_count : s->train_row_count, .parameters = &parameter,
                                          .parameter_count = 1, .knowledge = knowledge, .has_times = true, .keep = true };
    tcsi_detection *detection = NULL;
    tcs_status status = tcsi_detect(frame, &options, &detection, err);
    ret_outcome->said = ret_outcome->read = NAN; /* nobody knows without knowledge */
    if (status == TCS_OK) status = judge(s, detection, &ret_outcome->vus_pr, err);
    if (status == TCS_OK) status = look_at_said(detection, frame, ret_outcome, err);
    tcsi_detection_destroy(detection);
    return status;
}

/* ---- the table ---- */

typedef struct wish {
    size_t plant_count, weight_count;
    uint64_t first;
    double weights[WEIGHT_MAX];
    const char *detectors, *settings;
} wish;

/* 97.5 % quantile of Student's t, within 1 % from 3 degrees on (Cornish and Fisher's expansion). */
static double student(double n)
{
    const double z = 1.959964, z3 = z * z * z, z5 = z3 * z * z;
    return z + (z3 + z) / (4 * n) + (5 * z5 + 16 * z3 + 3 * z) / (96 * n * n);
}

/* The mean of some numbers, one by one, and half of its 95 % interval. */
typedef struct mean {
    double value, squares;
    size_t count;
} mean;

static void mean_add(mean *m, double value)
{
    const double step = value - m->value;
    m->value += step / (double)++m->count;
    m->squares += step * (value - m->value);
}

static double mean_half(const mean *m)
{
    const double n = (double)m->count;
    return m->count > 3 ? student(n - 1) * sqrt(m->squares / (n * (n - 1))) : NAN;
}

static void print_line(const char *name, const outcome *own, const outcome *first, size_t count)
{
    mean vus_pr = { 0 }, said = { 0 }, read = { 0 }, gain = { 0 }, ratio = { 0 };
    for (size_t i = 0; i < count; i++) {
        mean_add(&vus_pr, own[i].vus_pr);
        mean_add(&said, own[i].said);
        mean_add(&read, own[i].read);
        mean_add(&gain, own[i].vus_pr - first[i].vus_pr);
        if (isfinite(own[i].miss)) mean_add(&ratio, log(own[i].miss / first[i].miss));
    }
    printf("  %-12s %.3f   %+.3f ± %.3f", name, vus_pr.value, gain.value, mean_half(&gain));
    if (isfinite(read.value)) printf("   %5.1f %%  %5.1f %%", 100 * said.value, 100 * read.value);
    else printf("        –        –");
    if (ratio.count > 0)
        printf("   %.3f (%.3f to %.3f)", exp(ratio.value), exp(ratio.value - mean_half(&ratio)), exp(ratio.value + mean_half(&ratio)));
    printf("\n");
    fflush(stdout);
}

/* Of all plants of a detector, one setting after the other. */
typedef struct outcomes {
    outcome with[WEIGHT_MAX][TCS_COUNT(settings) * PLANT_MAX], without[TCS_COUNT(settings) * PLANT_MAX]; /* knowledge */
    size_t count;
} outcomes;

static void print_outcomes(const outcomes *o, const char *what, const char *detector, size_t begin, const wish *w)
{
    const size_t count = o->count - begin;
    printf("\n%s, %s, %zu plants\n  weight       VUS-PR  gain             broken: said    read   miss\n", what, detector, count);
    print_line("no knowledge", o->without + begin, o->with[0] + begin, count);
    for (size_t k = 0; k < w->weight_count; k++) {
        char name[32];
        snprintf(name, sizeof name, "%g", w->weights[k]);
        print_line(name, o->with[k] + begin, o->with[0] + begin, count);
    }
}

static tcs_status run_setting(const setting *s, const char *detector, const wish *w, outcomes *o, tcs_error *err)
{
    const size_t begin = o->count;
    tcsi_knowledge *knowledge = NULL;
    tcsi_problems problems;
    tcs_status status = tcsi_knowledge_parse(s->knowledge, strlen(s->knowledge), s->name, NULL, 0, &problems, &knowledge, err);
    for (size_t i = 0; i < w->plant_count && status == TCS_OK; i++, o->count++) {
        tcsi_frame *frame = NULL;
        status = s->simulate(w->first + i, &frame, err);
        for (size_t k = 0; k < w->weight_count && status == TCS_OK; k++)
            status = run(s, frame, detector, knowledge, w->weights[k], w->first + i, &o->with[k][o->count], err);
        if (status == TCS_OK) status = run(s, frame, detector, NULL, 0, w->first + i, &o->without[o->count], err);
        tcsi_frame_destroy(frame);
    }
    tcsi_knowledge_destroy(knowledge);
    if (status == TCS_OK) print_outcomes(o, s->name, detector, begin, w);
    return status;
}

/* The next word of a list; false: there is none. */
static bool take_word(const char **list, char *ret_word, size_t size)
{
    const size_t length = strcspn(*list, ",");
    if (length == 0) return false;
    snprintf(ret_word, size, "%.*s", (int)length, *list);
    *list += length + ((*list)[length] == ',');
    return true;
}

static bool is_wished(const char *list, const char *name)
{
    char word[64];
    while (take_word(&list, word, sizeof word))
        if (strcmp(word, name) == 0) return true;
    return false;
}

static void read_arguments(int argc, char **argv, wish *w)
{
    const char *weights = "0,0.1,1,10,100";
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--plants") == 0) w->plant_count = (size_t)strtoul(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--first") == 0) w->first = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--weights") == 0) weights = argv[i + 1];
        else if (strcmp(argv[i], "--detectors") == 0) w->detectors = argv[i + 1];
        else w->settings = argv[i + 1];
    }
    if (w->plant_count > PLANT_MAX) w->plant_count = PLANT_MAX;
    char word[64];
    while (w->weight_count < WEIGHT_MAX && take_word(&weights, word, sizeof word)) w->weights[w->weight_count++] = atof(word);
}

static tcs_status run_detector(const char *detector, const wish *w, tcs_error *err)
{
    static outcomes o;
    tcs_status status = TCS_OK;
    memset(&o, 0, sizeof o);
    for (size_t i = 0; i < TCS_COUNT(settings) && status == TCS_OK; i++)
        if (is_wished(w->settings, settings[i].name)) status = run_setting(&settings[i], detector, w, &o, err);
    if (status == TCS_OK) print_outcomes(&o, "all", detector, 0, w);
    return status;
}

int main(int argc, char **argv)
{
    wish w = { .plant_count = 16, .first = 1, .detectors = "autoencoder,tcn_forecaster", .settings = "pump,spoilt,few,heater,heater-few" };
    tcs_error err = { 0 };
    tcs_status status = TCS_OK;
    char detector[64];
    read_arguments(argc, argv, &w);
    for (const char *detectors = w.detectors; status == TCS_OK && take_word(&detectors, detector, sizeof detector);)
        status = run_detector(detector, &w, &err);
    if (status != TCS_OK) fprintf(stderr, "penalty_bench: %s\n", err.text);
    return status == TCS_OK ? 0 : 1;
}
