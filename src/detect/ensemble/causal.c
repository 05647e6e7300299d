/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/ensemble/causal.h"

#include "base/alloc.h"
#include "series/period.h"
#include "series/stats.h"

#include <math.h>
#include <string.h>

enum { PERIOD_MIN = 4, PERIOD_MAX = 303, COUNT_MIN = 30 };

const double tcsi_causal_spans[TCSI_CAUSAL_SPANS] = { 1, 0.5, 0.25, 0.125 };
const double tcsi_causal_averages[TCSI_CAUSAL_RESIDUALS] = { 0.02, 0.1, 0.35 }; /* ascending */

static const double SPAN_MIN = 1.5, MEAN_SHARE = 0.05, POWER = 1.25, BELOW = 0.1, VALUE_MAX = 1e6;

/* ---- life ---- */

/* Makes the members for a period and training count that are in range. */
static tcs_status make_members(tcsi_causal *causal, size_t segment_limit, tcs_error *err)
{
    tcs_status status = tcsi_rls_init(&causal->rls, causal->period, causal->train_row_count, err);
    for (size_t k = 0; k < TCSI_CAUSAL_SPANS && status == TCS_OK; k++)
        status = tcsi_leaky_join_init(&causal->joins[k], fmax(SPAN_MIN, tcsi_causal_spans[k] * (double)causal->period), segment_limit, err);
    return status;
}

tcs_status tcsi_causal_init(tcsi_causal *causal, const double *train, size_t count, size_t segment_limit, tcs_error *err)
{
    *causal = (tcsi_causal){ .train_row_count = count, .fitted_mean = count > 0 };
    tcs_status status = tcsi_period_find(train, count, &causal->period, err);
    if (status != TCS_OK) return status;
    size_t longest = count / 3 > PERIOD_MIN ? count / 3 : PERIOD_MIN;
    if (causal->period > longest) causal->period = longest;
    TCS_ASSERT(causal->period >= PERIOD_MIN && causal->period <= PERIOD_MAX);
    if (count > 0) {
        tcsi_moments moments = tcsi_moments_of(train, count);
        causal->mean = moments.mean;
        causal->fitted_deviation = sqrt(moments.variance);
    }
    causal->is_constant = !(causal->fitted_deviation > 1e-9 * fabs(causal->mean));
    if (causal->is_constant) causal->fitted_deviation = 0;
    status = make_members(causal, segment_limit, err);
    if (status == TCS_OK) tcsi_causal_reset(causal);
    else tcsi_causal_deinit(causal);
    return status;
}

void tcsi_causal_deinit(tcsi_causal *causal)
{
    for (size_t k = 0; k < TCSI_CAUSAL_SPANS; k++) tcsi_leaky_join_deinit(&causal->joins[k]);
    tcsi_rls_deinit(&causal->rls);
    *causal = (tcsi_causal){ 0 };
}

void tcsi_causal_reset(tcsi_causal *causal)
{
    causal->has_mean = causal->fitted_mean;
    if (!causal->has_mean) causal->mean = 0;
    causal->deviation = causal->fitted_deviation;
    for (size_t k = 0; k < TCSI_CAUSAL_SPANS; k++) tcsi_leaky_join_reset(&causal->joins[k]);
    tcsi_rls_reset(&causal->rls);
    memset(causal->squares, 0, sizeof causal->squares);
    memset(causal->moments, 0, sizeof causal->moments);
    causal->seen_count = 0;
}

size_t tcsi_causal_quiet_count(const tcsi_causal *causal)
{
    size_t quarter = causal->train_row_count / 4, count = causal->period < quarter ? causal->period : quarter;
    return count > COUNT_MIN ? count : COUNT_MIN;
}

size_t tcsi_causal_size(size_t segment_limit)
{
    return TCSI_CAUSAL_SPANS * tcsi_leaky_join_size(segment_limit) + TCSI_RLS_LAG_MAX * sizeof(double);
}

/* ---- one row ---- */

static double standardize(tcsi_causal *causal, double value)
{
    if (!causal->has_mean) {
        causal->mean = value;
        causal->has_mean = true;
    }
    double difference = value - causal->mean;
    if (causal->is_constant) {
        if (!(fabs(difference) > 1e-6 * fabs(causal->mean) + 1e-300)) return 0;
        if (causal->deviation == 0) causal->deviation = fabs(difference);
    }
    return fmin(fmax(difference / causal->deviation, -VALUE_MAX), VALUE_MAX);
}

/* Root mean squares of the last residuals, the shorter spans inside the longer ones. */
static void residual_levels(const tcsi_causal *causal, double *ret_levels)
{
    const uint64_t seen_count = causal->seen_count + 1; /* squares[seen_count] is of the row being pushed */
    double sum = 0;
    size_t count = 0;
    for (size_t k = 0; k < TCSI_CAUSAL_RESIDUALS; k++) {
        size_t wanted = (size_t)(tcsi_causal_averages[k] * (double)causal->period);
        if (wanted < 1) wanted = 1;
        if (wanted > seen_count) wanted = (size_t)seen_count;
        for (; count < wanted; count++) sum += causal->squares[(causal->seen_count - count) % TCSI_CAUSAL_PAST];
        ret_levels[k] = sqrt(sum / (double)wanted);
    }
}

void tcsi_causal_members_push(tcsi_causal *causal, double value, double ret_values[TCSI_CAUSAL_MEMBERS])
{
    const double z = standardize(causal, value);
    for (size_t k = 0; k < TCSI_CAUSAL_SPANS; k++) {
        tcsi_leaky_join_push(&causal->joins[k], z);
        ret_values[k] = causal->joins[k].centred;
        if (TCSI_CAUSAL_SPANS + k < TCSI_CAUSAL_JOINS) ret_values[TCSI_CAUSAL_SPANS + k] = causal->joins[k].raw;
    }
    double residual = fmin(fmax(tcsi_rls_push(&causal->rls, z), -VALUE_MAX), VALUE_MAX);
    causal->squares[causal->seen_count % TCSI_CAUSAL_PAST] = residual * residual;
    residual_levels(causal, ret_values + TCSI_CAUSAL_JOINS);
    causal->seen_count++;
}

/* How unusual value is among those before it, 0 while there are too few; then it joins them. */
static double judge(tcsi_causal_moments *moments, double value, double count_min)
{
    double z = 0;
    if (moments->count == 0 && value == 0) return 0;
    if (moments->count >= count_min)
        z = (value - moments->mean) / (sqrt(moments->square_sum / moments->count) + MEAN_SHARE * fabs(moments->mean) + 1e-12);
    double difference = value - moments->mean;
    moments->count += 1;
    moments->mean += difference / moments->count;
    moments->square_sum += difference * (value - moments->mean);
    return z > 0 ? pow(z, POWER) : BELOW * z;
}

/* The highest of values and the highest of the others. */
typedef struct top_two {
    double first, second;
    size_t at;
} top_two;

static top_two top_of(const double *values, size_t begin, size_t end)
{
    top_two top = { -INFINITY, -INFINITY, begin };
    for (size_t i = begin; i < end; i++) {
        if (values[i] > top.first) {
            top.second = top.first;
            top.first = values[i];
            top.at = i;
        } else top.second = fmax(top.second, values[i]);
    }
    return top;
}

double tcsi_causal_push(tcsi_causal *causal, double value, tcsi_causal_said *ret_said)
{
    enum { M = TCSI_CAUSAL_MEMBERS };
    double values[M], sum = 0, *judged = ret_said->members;
    const double count_min = (double)tcsi_causal_quiet_count(causal), t = (double)causal->seen_count;
    const double belief = t > 0 ? t / (t + (double)causal->train_row_count) : 0;
    tcsi_causal_members_push(causal, value, values);
    for (size_t i = 0; i < M; i++) sum += judged[i] = judge(&causal->moments[i], values[i], count_min);
    const top_two join = top_of(judged, 0, TCSI_CAUSAL_JOINS), residual = top_of(judged, TCSI_CAUSAL_JOINS, M);
    for (size_t i = 0; i < M; i++) {
        const double others = (sum - judged[i]) * M / (M - 1);
        ret_said->without[i] = belief * (others + 2 * (i == join.at ? join.second : join.first)
                                         + (i == residual.at ? residual.second : residual.first));
    }
    return belief * (sum + 2 * join.first + residual.first);
}

/* ---- saved form ---- */

static void persist_scale(tcsi_causal *causal, tcsi_codec *codec)
{
    tcsi_codec_size(codec, &causal->period, PERIOD_MAX);
    tcsi_codec_size(codec, &causal->train_row_count, SIZE_MAX / 4);
    tcsi_codec_f64(codec, &causal->mean);
    tcsi_codec_f64(codec, &causal->deviation);
    tcsi_codec_f64(codec, &causal->fitted_deviation);
    tcsi_codec_bool(codec, &causal->is_constant);
    tcsi_codec_bool(codec, &causal->has_mean);
    tcsi_codec_bool(codec, &causal->fitted_mean);
    tcsi_codec_u64(codec, &causal->seen_count);
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    bool fine = causal->period >= PERIOD_MIN && fabs(causal->mean) <= TCS_VALUE_MAX;
    fine = fine && causal->deviation >= 0 && causal->deviation <= 2 * TCS_VALUE_MAX;
    fine = fine && causal->fitted_deviation >= 0 && causal->fitted_deviation <= 2 * TCS_VALUE_MAX;
    fine = fine && (causal->is_constant || (causal->deviation > 0 && causal->fitted_deviation > 0));
    if (!fine) tcsi_codec_refuse(codec, "a channel's scale out of range");
}

static void persist_moments(tcsi_causal_moments *moments, tcsi_codec *codec)
{
    tcsi_codec_f64(codec, &moments->count);
    tcsi_codec_f64(codec, &moments->mean);
    tcsi_codec_f64(codec, &moments->square_sum);
    bool fine = moments->count >= 0 && moments->count <= 1e18 && fabs(moments->mean) <= 1e12 && moments->square_sum >= 0 &&
                moments->square_sum <= 1e60;
    if (tcsi_codec_loading(codec) && !fine) tcsi_codec_refuse(codec, "a member's moments out of range");
}

void tcsi_causal_persist(tcsi_causal *causal, size_t segment_limit, tcsi_codec *codec)
{
    tcsi_codec_tag(codec, "CAUS");
    persist_scale(causal, codec);
    if (tcsi_codec_status(codec) != TCS_OK) return;
    if (tcsi_codec_loading(codec)) codec->status = make_members(causal, segment_limit, codec->err);
    for (size_t k = 0; k < TCSI_CAUSAL_SPANS && tcsi_codec_status(codec) == TCS_OK; k++) tcsi_leaky_join_persist(&causal->joins[k], codec);
    if (tcsi_codec_status(codec) != TCS_OK) return;
    tcsi_rls_persist(&causal->rls, codec);
    tcsi_codec_f64s(codec, causal->squares, TCSI_CAUSAL_PAST);
    for (size_t i = 0; i < TCSI_CAUSAL_MEMBERS; i++) persist_moments(&causal->moments[i], codec);
    for (size_t i = 0; i < TCSI_CAUSAL_PAST && tcsi_codec_loading(codec); i++)
        if (!(causal->squares[i] >= 0 && causal->squares[i] <= 1e60)) tcsi_codec_refuse(codec, "a residual out of range");
}
