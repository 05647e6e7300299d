/* SPDX-License-Identifier: Apache-2.0 */
#include "decide/cohort.h"

#include "base/alloc.h"
#include "base/bounds.h"

#include <math.h>

enum { BAR_ROWS = 2000, PATIENCE = 50, FIRST_FIT = 100, ROUNDS_MIN = 30, BETWEEN_FITS_MIN = 16384, COUNT_MAX = 1 << 30, SINCE_MAX = 60000,
       ASIDE_SCORES = 5000, PRIOR_PEAKS = 25 };

static const double USUAL_SHARE = 0.02, USUAL_START = 2.5; /* of scores in deviations, as of a normal distribution */
static const double STEP_GAIN = 8, STEP_MIN = 0.01, STEP_MAX = 0.2, COHORT_STEP = 0.001;
static const double BAR_RISE = 1.5, BAR_RESTED = 1.05, PEAK_REACH = 2, BAR_MAX = 1e6, USUAL_MIN = 1, USUAL_MAX = 1e30;
static const double SURE_TIMES = 10, YOUNG_ROUNDS = 60, FEW = 50, MANY = 100;
static const double PEAK_MIN = 0.5, PRIOR_SCALE = 0.8; /* in heights */

tcs_status tcsi_cohort_init(tcsi_cohort *cohort, double rate, size_t run_length, tcs_error *err)
{
    *cohort = (tcsi_cohort){ .rate = rate, .run_length = run_length, .usual = USUAL_START, .fit_at = FIRST_FIT,
                             .threshold = INFINITY, .threshold_low = INFINITY, .share_norm = 1 };
    for (size_t g = 0; g < TCSI_COHORT_GROUPS; g++) {
        cohort->weights[g] = 1;
        for (size_t i = 0; i < TCSI_COHORT_SHARES; i++) cohort->thresholds[g][i] = INFINITY;
    }
    tcsi_peaks_init(&cohort->peaks, run_length, 0);
    cohort->body = TCSI_NEW_ARRAY(double, TCSI_COHORT_BODY);
    return cohort->body ? TCS_OK : tcsi_fail_memory(err, "decisions");
}

void tcsi_cohort_deinit(tcsi_cohort *cohort)
{
    tcsi_free(cohort->body);
    tcsi_tail_deinit(&cohort->tail);
    *cohort = (tcsi_cohort){ 0 };
}

/* ---- what the tail says ---- */

/* Alarms of chance per score that such a member may raise. */
static double allowed_rate(const tcsi_cohort *cohort, tcsi_cohort_regard regard)
{
    return cohort->rate * cohort->share_norm * cohort->weights[regard.group] * tcsi_cohort_share(regard.share);
}

/* What many have said in a few rows is one thing, if they move together, and its highest is not the highest. */
static double threshold_at(const tcsi_cohort *cohort, double rate)
{
    const double young = YOUNG_ROUNDS / (double)cohort->fit_rounds;
    return fmin((1 + cohort->fit_crowd * young * young) * tcsi_tail_threshold(&cohort->tail, rate, 1), TCSI_COHORT_HEIGHT_MAX / 2);
}

static void set_thresholds(tcsi_cohort *cohort)
{
    if (!cohort->tail.count) return;
    cohort->threshold = threshold_at(cohort, cohort->rate);
    cohort->threshold_low = fmin(fmax(tcsi_tail_threshold_low(&cohort->tail, cohort->threshold), 1), cohort->threshold);
    for (size_t g = 0; g < TCSI_COHORT_GROUPS; g++)
        for (size_t i = 0; i < TCSI_COHORT_SHARES; i++) cohort->thresholds[g][i] = NAN;
}

double tcsi_cohort_threshold(tcsi_cohort *cohort, tcsi_cohort_regard regard)
{
    double *threshold = &cohort->thresholds[regard.group][regard.share];
    if (isnan(*threshold)) *threshold = threshold_at(cohort, allowed_rate(cohort, regard));
    return *threshold;
}

void tcsi_cohort_set_weights(tcsi_cohort *cohort, const double *weights, size_t count)
{
    TCS_ASSERT(count <= TCSI_COHORT_GROUPS);
    for (size_t g = 0; g < TCSI_COHORT_GROUPS; g++) cohort->weights[g] = g < count ? weights[g] : 1;
    set_thresholds(cohort);
}

double tcsi_cohort_share(unsigned index)
{
    static const double shares[TCSI_COHORT_SHARES] = { 0.25, 0.35355339059327373, 0.5, 0.70710678118654757, 1, 1.4142135623730951 };
    TCS_ASSERT(index < TCSI_COHORT_SHARES);
    return shares[index];
}

void tcsi_cohort_set_norm(tcsi_cohort *cohort, double norm)
{
    cohort->share_norm = norm;
    set_thresholds(cohort);
}

void tcsi_cohort_set_rate(tcsi_cohort *cohort, double rate)
{
    cohort->rate = rate;
    set_thresholds(cohort);
}

double tcsi_cohort_p_value(const tcsi_cohort *cohort, double height)
{
    return cohort->tail.count ? tcsi_tail_p_value(&cohort->tail, height) : 1;
}

double tcsi_cohort_rate(const tcsi_cohort *cohort, double height)
{
    return cohort->tail.count ? tcsi_tail_expected_clusters(&cohort->tail, height, 1) : 1;
}

/* Enough scores to have seen some times what is allowed once; where much is allowed, as many as the kept peaks can speak of. */
static uint64_t generation_of(double rate)
{
    const double scores = fmax(5 / rate, 4 * BETWEEN_FITS_MIN);
    return scores < 1e15 ? (uint64_t)scores : (uint64_t)1e15;
}

/* Whoever may raise more than others needs a tail that begins lower. */
static double highest_weight(const tcsi_cohort *cohort)
{
    double highest = 1;
    for (size_t g = 0; g < TCSI_COHORT_GROUPS; g++) highest = fmax(highest, cohort->weights[g] * fmin(cohort->share_norm, 1));
    return highest;
}

/* Scores for each of the oldest series': how many series there are, if none is new. */
static void note_rounds(tcsi_cohort *cohort)
{
    cohort->fit_rounds = cohort->rounds;
    cohort->fit_crowd = fmin(fmax(((double)cohort->count / (double)cohort->rounds - FEW) / (MANY - FEW), 0), 1);
}

/* Of series that hold still there are hardly any peaks, and what they say of a tail is nothing; until there are some, these are in their
 * place.  peaks: descending, with room for PRIOR_PEAKS more. */
static size_t add_prior(double *peaks, size_t count)
{
    if (count >= PRIOR_PEAKS) return count;
    const size_t missing = PRIOR_PEAKS - count;
    for (size_t i = 0; i < missing; i++) {
        const double peak = PEAK_MIN - PRIOR_SCALE * log(((double)i + 0.5) / (double)missing);
        size_t at = count++;
        for (; at > 0 && peaks[at - 1] < peak; at--) peaks[at] = peaks[at - 1];
        peaks[at] = peak;
    }
    return count;
}

static tcs_status fit(tcsi_cohort *cohort, tcs_error *err)
{
    double highest[TCSI_PEAK_COUNT_MAX];
    cohort->peaks.generation_max = generation_of(cohort->rate);
    const double score_count = (double)tcsi_peaks_score_count(&cohort->peaks);
    size_t found = tcsi_peaks_collect(&cohort->peaks, highest);
    while (found > 0 && highest[found - 1] <= PEAK_MIN) found--; /* of a state that was saved when any height was one */
    const size_t peak_count = add_prior(highest, found);
    const tcsi_reference reference = { .scores = cohort->body, .count = cohort->body_count, .peaks = highest, .peak_count = peak_count,
                                       .cluster_count = (double)(tcsi_peaks_cluster_count(&cohort->peaks) + peak_count - found),
                                       .row_count = score_count, .run_length = cohort->run_length,
                                       .prior = tcsi_prior_at_age(cohort->count),
                                       .wanted = cohort->rate * highest_weight(cohort) * score_count };
    tcsi_tail_deinit(&cohort->tail);
    const tcs_status status = tcsi_tail_fit(&reference, &cohort->tail, err);
    if (status != TCS_OK) return status;
    note_rounds(cohort);
    const uint64_t most = cohort->peaks.generation_max / 10, more = cohort->count / 5;
    cohort->fit_at = cohort->count + 1 + (more < most ? more : most > BETWEEN_FITS_MIN ? most : BETWEEN_FITS_MIN);
    set_thresholds(cohort);
    return TCS_OK;
}

/* ---- one score ---- */

static float next_quantile(float quantile, double score, double step)
{
    const double next = (double)quantile * (score > (double)quantile ? 1 + step * (1 - USUAL_SHARE) : 1 - step * USUAL_SHARE);
    return (float)tcsi_at_most(tcsi_at_least(next, USUAL_MIN), USUAL_MAX);
}

/* The series' own scale, after the score was judged by what it was before. */
static void learn(tcsi_cohort_member *member, double score, bool is_incident)
{
    const double step = tcsi_at_most(tcsi_at_least(STEP_GAIN / (double)(member->count + 1), STEP_MIN), STEP_MAX);
    const bool is_usual = member->open_for == 0 || member->open_for > PATIENCE;
    if (is_usual && !is_incident) member->usual = next_quantile(member->usual, score, step);
    member->bar = (float)(1 + ((double)member->bar - 1) * (1 - 1.0 / BAR_ROWS));
}

/* An alarm too rare for chance, more of which there were than chance gives? */
static bool is_set_aside(tcsi_cohort *cohort, const tcsi_cohort_member *member, double allowed)
{
    if (member->open_for == 0 || SURE_TIMES * tcsi_cohort_rate(cohort, (double)member->peak) > allowed) return false;
    const bool is_due = (double)(cohort->sure_count + 1) <= cohort->rate * (double)cohort->count / SURE_TIMES;
    const bool is_aside = !is_due && cohort->aside_count <= cohort->count / ASIDE_SCORES;
    *(is_aside ? &cohort->aside_count : &cohort->sure_count) += 1;
    return is_aside;
}

/* How high a peak stands in the tail.  How far beyond the threshold it reached says nothing of how many reach it, and must not bend the
 * tail; and of a series that alarmed not long ago, that it alarms again is its own, and for its bar to answer. */
static double peak_for_tail(tcsi_cohort *cohort, const tcsi_cohort_member *member, double allowed)
{
    const bool is_repeated = (double)member->bar > BAR_RISE * BAR_RESTED;
    const bool is_ordinary = is_repeated || is_set_aside(cohort, member, allowed);
    return fmin((double)member->peak, is_ordinary ? cohort->threshold_low : PEAK_REACH * cohort->threshold);
}

/* Runs declustering as in decide/peaks.c, with the few bytes that a member has.  true: the score ended a cluster. */
static bool cluster(tcsi_cohort *cohort, tcsi_cohort_member *member, const tcsi_cohort_verdict *verdict, tcsi_cohort_regard regard)
{
    if (verdict->height > (double)member->peak) {
        member->peak = (float)verdict->height;
        member->since = 0;
    } else if (verdict->is_unusual) {
        member->since = 0;
    } else if (++member->since >= cohort->run_length) {
        const bool is_peak = !regard.is_incident && (double)member->peak > PEAK_MIN;
        if (is_peak) tcsi_peaks_keep(&cohort->peaks, peak_for_tail(cohort, member, allowed_rate(cohort, regard)));
        member->peak = 0;
        member->since = 0;
        return true;
    }
    return false;
}

static void keep_body(tcsi_cohort *cohort, double height)
{
    const uint64_t stride = 1 + cohort->fit_at / TCSI_COHORT_BODY;
    if (cohort->count % stride) return;
    cohort->body[cohort->body_at] = height;
    cohort->body_at = (cohort->body_at + 1) % TCSI_COHORT_BODY;
    if (cohort->body_count < TCSI_COHORT_BODY) cohort->body_count++;
}

void tcsi_cohort_open(tcsi_cohort_member *member)
{
    if (member->open_for > 0) return;
    member->open_for = 1;
    member->bar = (float)fmin((double)member->bar * BAR_RISE, BAR_MAX);
}

tcs_status tcsi_cohort_push(tcsi_cohort *cohort, tcsi_cohort_member *member, double score, tcsi_cohort_verdict *ret_verdict,
                            tcs_error *err)
{
    return tcsi_cohort_push_as(cohort, member, score, (tcsi_cohort_regard){ .share = TCSI_COHORT_SHARE_ONE }, ret_verdict, err);
}

tcs_status tcsi_cohort_push_as(tcsi_cohort *cohort, tcsi_cohort_member *member, double score, tcsi_cohort_regard regard,
                               tcsi_cohort_verdict *ret_verdict, tcs_error *err)
{
    if (member->count == 0) *member = (tcsi_cohort_member){ .usual = (float)cohort->usual, .bar = 1 };
    const double height = tcsi_at_most(score / (double)member->usual, TCSI_COHORT_HEIGHT_MAX) / (double)member->bar;
    tcsi_cohort_verdict verdict = { .height = height, .is_above = height > tcsi_cohort_threshold(cohort, regard) };
    verdict.is_unusual = verdict.is_above || height > cohort->threshold_low;
    verdict.is_opening = verdict.is_above && member->open_for == 0;
    if (verdict.is_opening) {
        tcsi_cohort_open(member);
    } else if (member->open_for > 0 && member->open_for < SINCE_MAX) {
        member->open_for++;
    }
    if (cluster(cohort, member, &verdict, regard) && member->open_for > 0) {
        member->open_for = 0;
        verdict.is_closing = true;
    }
    learn(member, score, regard.is_incident);
    if (member->count < COUNT_MAX) member->count++;
    if (member->count > cohort->rounds) cohort->rounds = member->count;
    if (!regard.is_incident) {
        cohort->usual = (double)next_quantile((float)cohort->usual, score, COHORT_STEP);
        keep_body(cohort, height);
    }
    tcsi_peaks_count(&cohort->peaks);
    cohort->count++;
    *ret_verdict = verdict;
    const bool is_due = cohort->count >= cohort->fit_at && cohort->rounds >= ROUNDS_MIN && cohort->body_count >= 2;
    return is_due ? fit(cohort, err) : TCS_OK;
}

/* ---- saved form ---- */

void tcsi_cohort_member_persist(tcsi_cohort_member *member, tcsi_codec *codec)
{
    uint32_t clocks = (uint32_t)member->since << 16 | member->open_for;
    tcsi_codec_f32(codec, &member->usual);
    tcsi_codec_f32(codec, &member->bar);
    tcsi_codec_f32(codec, &member->peak);
    tcsi_codec_u32(codec, &member->count);
    tcsi_codec_u32(codec, &clocks);
    member->since = (uint16_t)(clocks >> 16);
    member->open_for = (uint16_t)clocks;
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK || member->count == 0) return;
    if (member->usual > 0) member->usual = fmaxf(member->usual, (float)USUAL_MIN); /* of before there was a least */
    const bool is_sound = member->usual > 0 && (double)member->usual <= 2 * USUAL_MAX && member->bar >= 1 &&
                          (double)member->bar <= BAR_MAX && member->peak >= 0 && (double)member->peak <= TCSI_COHORT_HEIGHT_MAX &&
                          member->count <= COUNT_MAX && member->since <= SINCE_MAX && member->open_for <= SINCE_MAX;
    if (!is_sound) tcsi_codec_refuse(codec, "a series' scale out of range");
}

static void persist_body(tcsi_cohort *cohort, tcsi_codec *codec)
{
    tcsi_codec_size(codec, &cohort->body_count, TCSI_COHORT_BODY);
    tcsi_codec_size(codec, &cohort->body_at, TCSI_COHORT_BODY - 1);
    if (tcsi_codec_status(codec) != TCS_OK) return;
    tcsi_codec_f64s(codec, cohort->body, cohort->body_count);
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    for (size_t i = 0; i < cohort->body_count; i++)
        if (!(cohort->body[i] >= 0 && cohort->body[i] <= TCSI_COHORT_HEIGHT_MAX)) {
            tcsi_codec_refuse(codec, "a height out of range");
            return;
        }
}

void tcsi_cohort_persist(tcsi_cohort *cohort, tcsi_codec *codec)
{
    const bool has_no_fit_rounds = tcsi_codec_tag_or(codec, "COH4", "COH3");
    tcsi_codec_f64(codec, &cohort->rate);
    tcsi_codec_size(codec, &cohort->run_length, SINCE_MAX);
    tcsi_codec_f64(codec, &cohort->usual);
    tcsi_codec_f64(codec, &cohort->share_norm);
    tcsi_codec_u64(codec, &cohort->count);
    tcsi_codec_u64(codec, &cohort->fit_at);
    tcsi_codec_u32(codec, &cohort->rounds);
    if (has_no_fit_rounds) {
        if (cohort->rounds > 0) note_rounds(cohort);
    } else {
        tcsi_codec_u32(codec, &cohort->fit_rounds);
        tcsi_codec_f64(codec, &cohort->fit_crowd);
    }
    tcsi_codec_u64(codec, &cohort->aside_count);
    tcsi_codec_u64(codec, &cohort->sure_count);
    persist_body(cohort, codec);
    tcsi_peaks_persist(&cohort->peaks, codec);
    tcsi_tail_persist(&cohort->tail, TCSI_COHORT_BODY, codec);
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    if (cohort->usual > 0) cohort->usual = fmax(cohort->usual, USUAL_MIN);
    const bool is_usual = cohort->usual > 0 && cohort->usual <= 2 * USUAL_MAX;
    if (!(cohort->rate > 0 && cohort->rate < 1) || cohort->run_length == 0 || !is_usual || cohort->fit_at == 0 ||
        (cohort->tail.count && cohort->fit_rounds == 0) || !(cohort->fit_crowd >= 0 && cohort->fit_crowd <= 1) ||
        !(cohort->share_norm > 0 && cohort->share_norm <= 2 / TCSI_COHORT_WEIGHT_MIN))
        tcsi_codec_refuse(codec, "a cohort out of range");
    else set_thresholds(cohort);
}
