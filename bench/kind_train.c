/* bench/kind_train.c -- learns to tell kinds of episodes apart: makes src/explain/kind_weights.inc.
 *
 *     kind_train FILE.inc [TRIALS]
 *
 * TRIALS (default 80,000) simulated episodes whose kind is known (kind_trials.h, seed 1, the training settings) are measured
 * (explain/kind_measure.h).  Their features, standardized, go through one layer of 32 hyperbolic tangents to eight kinds; cross-entropy,
 * Adam (D. P. Kingma, J. Ba, ICLR 2015) in batches of 128 with a rate that falls along half a cosine from 0.004, weights shrunk a little,
 * 30 times through.  The last twentieth is not learned from; the error there is printed, and only that: nothing is chosen by it.
 * The same program gives the same file; about three minutes on one core.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kind_trials.h"

#include "base/alloc.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { FEATURES = TCSI_KIND_FEATURE_COUNT, HIDDEN = 32, KINDS = TCSI_KIND_TOLD_COUNT, BATCH = 128, TIMES = 30, ROWS_MAX = 4096,
       HIDDEN_WEIGHTS = HIDDEN * (FEATURES + 1), WEIGHTS = HIDDEN_WEIGHTS + KINDS * (HIDDEN + 1) };
static const double rate_highest = 0.004, shrink = 1e-4;

typedef struct example {
    double features[FEATURES];
    size_t kind;
} example;

/* weights: hidden (HIDDEN, FEATURES + 1), then out (KINDS, HIDDEN + 1); the last of each row is what is added. */
typedef struct learner {
    double mean[FEATURES], deviation[FEATURES];
    double weights[WEIGHTS], gradients[WEIGHTS], first[WEIGHTS], second[WEIGHTS];
    size_t steps;
} learner;

/* ---- examples ---- */

static size_t make_examples(example *ret_examples, size_t count)
{
    static uint8_t anomaly[ROWS_MAX];
    const tcsi_policy_result decision = { .anomaly = anomaly };
    size_t made = 0;
    for (size_t number = 0; made < count; number++) {
        kind_trial t;
        tcsi_kind_measures m;
        tcs_error err;
        if (!kind_trial_make(1, number, false, &t)) continue;
        const tcsi_subject subject = { .frame = t.frame, .decision = &decision };
        if (tcsi_kind_measure(&subject, t.rows, t.channel, t.period, t.others, t.other_count, &m, &err) != TCS_OK) abort();
        for (size_t i = 0; i < FEATURES; i++) ret_examples[made].features[i] = m.features[i];
        ret_examples[made].kind = (size_t)(t.kind - TCSI_KIND_FIRST);
        made += m.is_measured;
        kind_trial_destroy(&t);
    }
    return made;
}

static void standardize(learner *l, example *examples, size_t count)
{
    for (size_t i = 0; i < FEATURES; i++) {
        double squares = 0;
        l->mean[i] = l->deviation[i] = 0;
        for (size_t e = 0; e < count; e++) l->mean[i] += examples[e].features[i] / (double)count;
        for (size_t e = 0; e < count; e++) squares += pow(examples[e].features[i] - l->mean[i], 2) / (double)count;
        l->mean[i] = (float)l->mean[i];
        l->deviation[i] = (float)fmax(sqrt(squares), 1e-3);
        for (size_t e = 0; e < count; e++) examples[e].features[i] = (examples[e].features[i] - l->mean[i]) / l->deviation[i];
    }
}

/* ---- the network ---- */

static void forward(const learner *l, const example *e, double *ret_hidden, double *ret_probabilities)
{
    const double *out = l->weights + HIDDEN_WEIGHTS;
    double most = -INFINITY, sum = 0;
    for (size_t h = 0; h < HIDDEN; h++) {
        const double *row = l->weights + h * (FEATURES + 1);
        double in = row[FEATURES];
        for (size_t i = 0; i < FEATURES; i++) in += row[i] * e->features[i];
        ret_hidden[h] = tanh(in);
    }
    for (size_t k = 0; k < KINDS; k++) {
        const double *row = out + k * (HIDDEN + 1);
        ret_probabilities[k] = row[HIDDEN];
        for (size_t h = 0; h < HIDDEN; h++) ret_probabilities[k] += row[h] * ret_hidden[h];
        most = fmax(most, ret_probabilities[k]);
    }
    for (size_t k = 0; k < KINDS; k++) sum += ret_probabilities[k] = exp(ret_probabilities[k] - most);
    for (size_t k = 0; k < KINDS; k++) ret_probabilities[k] /= sum;
}

static void backward(learner *l, const example *e)
{
    double hidden[HIDDEN], error[KINDS], below[HIDDEN] = { 0 };
    forward(l, e, hidden, error);
    error[e->kind] -= 1;
    for (size_t k = 0; k < KINDS; k++) {
        const double *row = l->weights + HIDDEN_WEIGHTS + k * (HIDDEN + 1);
        double *gradient = l->gradients + HIDDEN_WEIGHTS + k * (HIDDEN + 1);
        for (size_t h = 0; h < HIDDEN; h++) {
            below[h] += row[h] * error[k];
            gradient[h] += error[k] * hidden[h];
        }
        gradient[HIDDEN] += error[k];
    }
    for (size_t h = 0; h < HIDDEN; h++) {
        double *gradient = l->gradients + h * (FEATURES + 1);
        const double in = below[h] * (1 - hidden[h] * hidden[h]);
        for (size_t i = 0; i < FEATURES; i++) gradient[i] += in * e->features[i];
        gradient[FEATURES] += in;
    }
}

static void step(learner *l, double rate)
{
    l->steps++;
    const double first_left = 1 - pow(0.9, (double)l->steps), second_left = 1 - pow(0.999, (double)l->steps);
    for (size_t i = 0; i < WEIGHTS; i++) {
        const double gradient = l->gradients[i] / BATCH;
        l->first[i] += 0.1 * (gradient - l->first[i]);
        l->second[i] += 0.001 * (gradient * gradient - l->second[i]);
        l->weights[i] -= rate * (l->first[i] / first_left / (sqrt(l->second[i] / second_left) + 1e-8) + shrink * l->weights[i]);
        l->gradients[i] = 0;
    }
}

static void learn(learner *l, const example *examples, size_t count)
{
    tcsi_rng rng = tcsi_rng_make(2, 0);
    size_t *order = TCSI_NEW_ARRAY(size_t, count);
    if (!order) abort();
    for (size_t i = 0; i < count; i++) order[i] = i;
    for (size_t i = 0; i < WEIGHTS; i++)
        l->weights[i] = tcsi_rng_normal(&rng) / sqrt(i < HIDDEN_WEIGHTS ? FEATURES : HIDDEN);
    const size_t batches = count / BATCH;
    for (size_t time = 0; time < TIMES; time++) {
        tcsi_rng_shuffle(&rng, order, count);
        for (size_t b = 0; b < batches; b++) {
            for (size_t i = 0; i < BATCH; i++) backward(l, &examples[order[b * BATCH + i]]);
            step(l, 0.5 * rate_highest * (1 + cos(3.14159265358979323846 * ((double)(time * batches + b)) / (double)(TIMES * batches))));
        }
    }
    tcsi_free(order);
}

static void print_error(const learner *l, const example *examples, size_t count, const char *what)
{
    double hidden[HIDDEN], probabilities[KINDS], loss = 0;
    size_t right = 0;
    for (size_t e = 0; e < count; e++) {
        size_t best = 0;
        forward(l, &examples[e], hidden, probabilities);
        for (size_t k = 1; k < KINDS; k++)
            if (probabilities[k] > probabilities[best]) best = k;
        right += best == examples[e].kind;
        loss -= log(fmax(probabilities[examples[e].kind], 1e-12)) / (double)count;
    }
    printf("%s: %zu of %zu right, cross-entropy %.3f\n", what, right, count, loss);
}

/* ---- the table ---- */

static void print_row(FILE *file, const char *open, const double *values, size_t count)
{
    fprintf(file, "%s", open);
    for (size_t i = 0; i < count; i++) fprintf(file, "%s%.4ef,", i % 10 == 0 ? "\n  " : " ", values[i]);
    fprintf(file, "\n}");
}

static void print_rows(FILE *file, const char *name, const double *rows, size_t count, size_t width)
{
    fprintf(file, ".%s = {\n", name);
    for (size_t i = 0; i < count; i++) {
        print_row(file, "{", rows + i * width, width);
        fprintf(file, ",\n");
    }
    fprintf(file, "},\n");
}

static bool print_table(const learner *l, const char *path, size_t count)
{
    FILE *file = fopen(path, "w");
    if (!file) return false;
    fprintf(file, "/* Made by bench/kind_train.c from %zu simulated episodes; do not edit. */\n", count);
    print_row(file, ".mean = {", l->mean, FEATURES);
    print_row(file, ",\n.deviation = {", l->deviation, FEATURES);
    fprintf(file, ",\n");
    print_rows(file, "hidden", l->weights, HIDDEN, FEATURES + 1);
    print_rows(file, "out", l->weights + HIDDEN_WEIGHTS, KINDS, HIDDEN + 1);
    return fclose(file) == 0;
}

int main(int argc, char **argv)
{
    const size_t count = argc > 2 ? (size_t)strtoul(argv[2], NULL, 10) : 80000, kept = count / 20;
    if (argc < 2 || count < 20 * BATCH) {
        fprintf(stderr, "usage: kind_train FILE.inc [TRIALS], at least %d\n", 20 * BATCH);
        return 2;
    }
    learner *l = TCSI_NEW(learner);
    example *examples = TCSI_NEW_ARRAY(example, count);
    if (!l || !examples) abort();
    (void)make_examples(examples, count);
    standardize(l, examples, count);
    learn(l, examples, count - kept);
    print_error(l, examples, count - kept, "learned from");
    print_error(l, examples + (count - kept), kept, "not learned from");
    const bool is_written = print_table(l, argv[1], count - kept);
    if (!is_written) fprintf(stderr, "kind_train: cannot write %s\n", argv[1]);
    tcsi_free(examples);
    tcsi_free(l);
    return is_written ? 0 : 1;
}
