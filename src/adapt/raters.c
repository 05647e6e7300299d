/* SPDX-License-Identifier: Apache-2.0 */
#include "adapt/raters.h"

#include "base/alloc.h"

#include <math.h>

enum { ITERATIONS_MAX = 200 };
static const double RATER_PRIOR = 10, RATER_RIGHT = 8, SHARE_PRIOR = 1, SETTLED = 1e-9;

const tcsi_rater tcsi_rater_unknown = { .sensitivity = 0.8, .specificity = 0.8 };

void tcsi_raters_deinit(tcsi_raters *raters)
{
    tcsi_free(raters->raters);
    tcsi_free(raters->probabilities);
    tcsi_free(raters->disagreements);
    *raters = (tcsi_raters){ 0 };
}

double tcsi_rater_reliability(const tcsi_rater *rater)
{
    const double accuracy = (rater->sensitivity + rater->specificity) / 2, usual = RATER_RIGHT / RATER_PRIOR;
    return fmin(fmax((accuracy - 0.5) / (usual - 0.5), 0), 1);
}

/* Room for sums over votes. */
typedef struct sums {
    double *for_real, *for_other; /* (item_count) of logarithms; or votes either way */
    double (*right)[2], (*said)[2]; /* (rater_count) by what the episode was: 0 other, 1 real */
} sums;

static tcs_status sums_init(sums *s, size_t rater_count, size_t item_count, tcs_error *err)
{
    *s = (sums){ .for_real = TCSI_NEW_ZEROS(double, item_count + 1), .for_other = TCSI_NEW_ZEROS(double, item_count + 1),
                 .right = tcsi_alloc_zero(rater_count + 1, sizeof *s->right), .said = tcsi_alloc_zero(rater_count + 1, sizeof *s->said) };
    return s->for_real && s->for_other && s->right && s->said ? TCS_OK : tcsi_fail_memory(err, "answers of several people");
}

static void sums_deinit(sums *s)
{
    tcsi_free(s->for_real);
    tcsi_free(s->for_other);
    tcsi_free(s->right);
    tcsi_free(s->said);
}

/* ---- the two steps ---- */

static double towards_coin(double accuracy, double confidence)
{
    return 0.5 + confidence * (accuracy - 0.5);
}

/* What each episode was, from what people said and how good they are.  The greatest change. */
static double judge_items(const tcsi_vote *votes, size_t vote_count, tcsi_raters *r, sums *s)
{
    double change = 0;
    for (size_t i = 0; i < r->item_count; i++) {
        s->for_real[i] = log(r->share);
        s->for_other[i] = log(1 - r->share);
    }
    for (size_t v = 0; v < vote_count; v++) {
        const tcsi_vote *vote = &votes[v];
        const tcsi_rater *rater = &r->raters[vote->rater];
        const double real = towards_coin(rater->sensitivity, vote->confidence), other = towards_coin(rater->specificity, vote->confidence);
        s->for_real[vote->item] += log(vote->is_true ? real : 1 - real);
        s->for_other[vote->item] += log(vote->is_true ? 1 - other : other);
    }
    for (size_t i = 0; i < r->item_count; i++) {
        const double probability = 1 / (1 + exp(s->for_other[i] - s->for_real[i]));
        change = fmax(change, fabs(probability - r->probabilities[i]));
        r->probabilities[i] = probability;
    }
    return change;
}

/* How good people are and how many episodes are real, from what each was. */
static void judge_raters(const tcsi_vote *votes, size_t vote_count, tcsi_raters *r, sums *s)
{
    double real = SHARE_PRIOR, wrong = 0, all = 0;
    for (size_t k = 0; k < r->rater_count; k++)
        for (size_t is_real = 0; is_real < 2; is_real++) {
            s->right[k][is_real] = RATER_RIGHT;
            s->said[k][is_real] = RATER_PRIOR;
        }
    for (size_t v = 0; v < vote_count; v++) {
        const tcsi_vote *vote = &votes[v];
        const double p = r->probabilities[vote->item], c = vote->confidence;
        s->said[vote->rater][1] += c * p;
        s->said[vote->rater][0] += c * (1 - p);
        s->right[vote->rater][vote->is_true] += c * (vote->is_true ? p : 1 - p);
        wrong += c * (vote->is_true ? 1 - p : p);
        all += c;
    }
    for (size_t k = 0; k < r->rater_count; k++) {
        r->raters[k].specificity = s->right[k][0] / s->said[k][0];
        r->raters[k].sensitivity = s->right[k][1] / s->said[k][1];
    }
    for (size_t i = 0; i < r->item_count; i++) real += r->probabilities[i];
    r->share = real / (2 * SHARE_PRIOR + (double)r->item_count);
    r->noise = all > 0 ? wrong / all : 0;
}

static void count_votes(const tcsi_vote *votes, size_t vote_count, tcsi_raters *r, sums *s)
{
    for (size_t i = 0; i < r->item_count; i++) s->for_real[i] = s->for_other[i] = 0;
    for (size_t v = 0; v < vote_count; v++) {
        r->raters[votes[v].rater].vote_count += votes[v].confidence;
        *(votes[v].is_true ? &s->for_real[votes[v].item] : &s->for_other[votes[v].item]) += votes[v].confidence;
    }
    for (size_t i = 0; i < r->item_count; i++) {
        const double all = s->for_real[i] + s->for_other[i];
        r->disagreements[i] = all > 0 ? 2 * fmin(s->for_real[i], s->for_other[i]) / all : 0;
    }
}

tcs_status tcsi_raters_estimate(const tcsi_vote *votes, size_t vote_count, size_t rater_count, size_t item_count, tcsi_raters *ret_raters,
                                tcs_error *err)
{
    sums s;
    tcsi_raters r = { .raters = TCSI_NEW_ZEROS(tcsi_rater, rater_count + 1), .probabilities = TCSI_NEW_ZEROS(double, item_count + 1),
                      .disagreements = TCSI_NEW_ZEROS(double, item_count + 1), .rater_count = rater_count, .item_count = item_count,
                      .share = 0.5 };
    tcs_status status = sums_init(&s, rater_count, item_count, err);
    if (status == TCS_OK && !(r.raters && r.probabilities && r.disagreements)) status = tcsi_fail_memory(err, "answers of several people");
    if (status == TCS_OK) {
        for (size_t k = 0; k < rater_count; k++) r.raters[k] = tcsi_rater_unknown;
        count_votes(votes, vote_count, &r, &s);
        for (int i = 0; i < ITERATIONS_MAX && judge_items(votes, vote_count, &r, &s) > SETTLED; i++)
            judge_raters(votes, vote_count, &r, &s);
        *ret_raters = r;
    } else {
        tcsi_raters_deinit(&r);
    }
    sums_deinit(&s);
    return status;
}
