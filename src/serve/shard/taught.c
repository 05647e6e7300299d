/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/shard/taught.h"

#include "serve/shard/cell.h"

#include <math.h>

enum { FORGET = 200 };
static const double RAISE_PART = 0.1, RAISE_SHARE_MAX = 0.1, NORM_MAX = 2, NORM_CHANGE_MIN = 0.02;

/* ---- incidents ---- */

static tcsi_scale scale_of(const tcsi_live_series *series)
{
    const tcsi_residual_chart *chart = &series->chart;
    return (tcsi_scale){ chart->variance, chart->covariance, chart->residual_square, chart->reach, chart->rest_reach,
                         series->member.usual };
}

static void set_scale(tcsi_live_series *series, const tcsi_scale *scale)
{
    series->chart.variance = scale->variance;
    series->chart.covariance = scale->covariance;
    series->chart.residual_square = scale->residual_square;
    series->chart.reach = scale->reach;
    series->chart.rest_reach = scale->rest_reach;
    series->member.usual = scale->usual;
}

void tcsi_taught_row(tcsi_cell *cell, const tcsi_live_series *series)
{
    cell->taught.now = scale_of(series);
    cell->taught.now_of = (uint64_t)series->number + 1;
}

tcsi_cohort_regard tcsi_taught_score(const tcsi_cell *cell, tcsi_live_series *series)
{
    const tcsi_answered *answered = &series->answered;
    if (answered->is_incident) set_scale(series, &cell->taught.now);
    return (tcsi_cohort_regard){ .share = (uint8_t)(TCSI_COHORT_SHARE_ONE + answered->share), .group = series->policy,
                                 .is_incident = answered->is_incident };
}

void tcsi_taught_open(tcsi_cell *cell, const tcsi_live_series *series)
{
    tcsi_taught *taught = &cell->taught;
    const bool is_now = taught->now_of == (uint64_t)series->number + 1; /* else it opens between two rows, by what a network said */
    taught->before[taught->before_count % TCSI_TAUGHT_INCIDENTS] =
        (tcsi_before){ .begin_ns = series->anomaly.begin_ns, .series = series->number, .count = series->member.count,
                       .scale = is_now ? taught->now : scale_of(series) };
    if (++taught->before_count == UINT32_MAX) taught->before_count = TCSI_TAUGHT_INCIDENTS;
}

void tcsi_taught_incident(tcsi_cell *cell, tcsi_live_series *series, int64_t begin_ns, double lasted)
{
    const tcsi_taught *taught = &cell->taught;
    const size_t kept = taught->before_count < TCSI_TAUGHT_INCIDENTS ? taught->before_count : TCSI_TAUGHT_INCIDENTS;
    for (size_t i = 0; i < kept; i++) {
        const tcsi_before *before = &taught->before[i];
        if (before->series != series->number || before->begin_ns != begin_ns) continue;
        if ((double)(series->member.count - before->count) <= lasted + FORGET) set_scale(series, &before->scale);
        return;
    }
}

/* ---- near misses ---- */

bool tcsi_taught_raises(tcsi_cell *cell, const tcsi_live_series *series, int64_t time_ns, bool is_below)
{
    if (!series->answered.has_true || !(cell->taught.raise_share > 0)) return false;
    const tcsi_pattern pattern = tcsi_answered_candidate(cell, series, time_ns, is_below);
    if (tcsi_memory_nearest_true(&cell->answers.memory, &pattern, cell->now_ns) > cell->taught.raise_share) return false;
    const tcsi_question question = { .pattern = pattern, .now_ns = cell->now_ns, .cohort = &cell->cohort };
    return tcsi_memory_ask(&cell->answers.memory, &question).kind == TCSI_ADVICE_RAISE;
}

/* ---- shares ---- */

/* The series that an answer is about, if it is this cell's. */
static tcsi_live_series *own_series(tcsi_cell *cell, const tcsi_episode_answer *answer)
{
    const bool is_own = answer->place < cell->series_count && tcsi_cell_series(cell, answer->place)->number == answer->pattern.series;
    return is_own ? tcsi_cell_touch(cell, answer->place) : NULL;
}

void tcsi_taught_forget_shares(tcsi_cell *cell)
{
    for (size_t i = 0; i < cell->answers.memory.count; i++) {
        tcsi_live_series *series = own_series(cell, &cell->answers.memory.items[i].answer);
        if (!series) continue;
        series->answered.share = 0;
        series->answered.has_true = series->answered.is_shared = 0;
    }
}

/* The step nearest to it, from TCSI_COHORT_SHARE_ONE on. */
static int8_t step_of(double share)
{
    const double steps = rint(2 * log2(share));
    return (int8_t)fmin(fmax(steps, -TCSI_COHORT_SHARE_ONE), TCSI_COHORT_SHARES - 1 - TCSI_COHORT_SHARE_ONE);
}

static double weight_of(const tcsi_cell *cell, const tcsi_live_series *series)
{
    return tcsi_policies_get(&cell->policies, series->policy)->budget_weight;
}

double tcsi_taught_allowed(const tcsi_cell *cell, const tcsi_live_series *series)
{
    return cell->options.rate * (cell->policies.has_weights ? cell->cohort.share_norm * weight_of(cell, series) : 1);
}

/* Rows a second of all series, each by the weight of its policy: a sum made anew, since one that is kept in step would be another one after
 * a load. */
static double rows_by_policy(const tcsi_cell *cell)
{
    double sum = 0;
    if (!cell->policies.has_weights) return cell->rows_per_s;
    for (uint32_t i = 0; i < cell->series_count; i++) {
        const tcsi_live_series *series = tcsi_cell_series(cell, i);
        sum += tcsi_presence_rate(&series->presence) * weight_of(cell, series);
    }
    return sum;
}

/* Rows a second of all series, each by its weight and its share, and of those with something true. */
static void count_rows(tcsi_cell *cell, double by_policy, double *ret_weighed, double *ret_of_true)
{
    const tcsi_memory *memory = &cell->answers.memory;
    *ret_weighed = by_policy;
    *ret_of_true = 0;
    for (size_t i = 0; i < memory->count; i++) {
        tcsi_live_series *series = own_series(cell, &memory->items[i].answer);
        if (series) series->answered.is_shared = 0; /* not counted yet */
    }
    for (size_t i = 0; i < memory->count; i++) {
        tcsi_live_series *series = own_series(cell, &memory->items[i].answer);
        if (!series || series->answered.is_shared) continue;
        const double own = tcsi_presence_rate(&series->presence);
        series->answered.is_shared = 1;
        *ret_weighed += own * weight_of(cell, series) * (tcsi_cohort_share((unsigned)(TCSI_COHORT_SHARE_ONE + series->answered.share)) - 1);
        if (series->answered.has_true) *ret_of_true += own;
    }
}

static void weigh(tcsi_cell *cell, double change_min)
{
    const double by_policy = rows_by_policy(cell);
    double weighed, rows_of_true;
    count_rows(cell, by_policy, &weighed, &rows_of_true);
    const bool has_raises = rows_of_true > 0 && cell->unusual_count > 0;
    const double unusual = has_raises ? (double)cell->unusual_count / (double)cell->row_count : 1;
    const double raise_share = has_raises ? RAISE_PART * cell->options.rate * cell->rows_per_s / (unusual * rows_of_true) : 0;
    const double part = has_raises ? 1 - RAISE_PART : 1;
    const bool has_rows = cell->rows_per_s > 0 && by_policy > 0 && weighed > 0;
    const double even = has_rows ? fmin(fmax(cell->rows_per_s / by_policy, 1 / TCSI_COHORT_WEIGHT_MAX), 1 / TCSI_COHORT_WEIGHT_MIN) : 1;
    const double norm = part * even * (has_rows ? fmin(by_policy / weighed, NORM_MAX) : 1);
    const double change = norm / cell->cohort.share_norm;
    cell->taught.raise_share = fmin(raise_share, RAISE_SHARE_MAX);
    if (change < 1 - change_min || change > 1 + change_min) tcsi_cohort_set_norm(&cell->cohort, norm);
}

void tcsi_taught_weigh(tcsi_cell *cell)
{
    weigh(cell, NORM_CHANGE_MIN);
}

void tcsi_taught_weigh_policies(tcsi_cell *cell)
{
    weigh(cell, 0);
}

void tcsi_taught_share(tcsi_cell *cell)
{
    const tcsi_memory *memory = &cell->answers.memory;
    for (size_t i = 0; i < memory->count; i++) {
        const tcsi_episode_answer *answer = &memory->items[i].answer;
        tcsi_live_series *series = own_series(cell, answer);
        if (!series) continue;
        if (answer->verdict == TCSI_ANSWER_TRUE && answer->scope != TCSI_SCOPE_EPISODE && answer->confidence > 0)
            series->answered.has_true = 1;
        if (series->answered.is_shared) continue;
        series->answered.is_shared = 1;
        series->answered.share = step_of(tcsi_memory_share(memory, answer->pattern.series, cell->now_ns));
    }
    weigh(cell, 0);
}

/* ---- saved form ---- */

static bool is_size(float value, float most)
{
    return value >= 0 && value <= most;
}

static void persist_scale(tcsi_scale *scale, bool has_reach, tcsi_codec *codec)
{
    tcsi_codec_f32(codec, &scale->variance);
    tcsi_codec_f32(codec, &scale->covariance);
    tcsi_codec_f32(codec, &scale->residual_square);
    if (has_reach) tcsi_codec_f32(codec, &scale->reach);
    if (has_reach) tcsi_codec_f32(codec, &scale->rest_reach);
    tcsi_codec_f32(codec, &scale->usual);
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    const bool is_sound = is_size(scale->variance, 1e38F) && fabsf(scale->covariance) <= 1e38F && is_size(scale->residual_square, 1e38F) &&
                          is_size(scale->reach, 1e38F) && is_size(scale->rest_reach, 1e38F) && is_size(scale->usual, 2e30F);
    if (!is_sound) tcsi_codec_refuse(codec, "a scale of before an anomaly out of range");
}

static void persist_before(tcsi_before *before, bool has_reach, tcsi_codec *codec)
{
    tcsi_codec_i64(codec, &before->begin_ns);
    tcsi_codec_u32(codec, &before->series);
    tcsi_codec_u32(codec, &before->count);
    persist_scale(&before->scale, has_reach, codec);
}

void tcsi_taught_persist(tcsi_taught *taught, tcsi_codec *codec)
{
    const bool has_reach = !tcsi_codec_tag_or(codec, "TAU2", "TAUG");
    persist_scale(&taught->now, has_reach, codec);
    tcsi_codec_u64(codec, &taught->now_of);
    tcsi_codec_u32(codec, &taught->before_count);
    tcsi_codec_f64(codec, &taught->raise_share);
    for (size_t i = 0; i < TCSI_TAUGHT_INCIDENTS && i < taught->before_count; i++) persist_before(&taught->before[i], has_reach, codec);
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    if (!(taught->raise_share >= 0 && taught->raise_share <= RAISE_SHARE_MAX)) tcsi_codec_refuse(codec, "a share out of range");
}
