/* SPDX-License-Identifier: Apache-2.0 */
#include "decide/fusion.h"

#include "decide/landau.h"

#include <math.h>

enum { LEARN_STEP_COUNT = 200 };
static const double PI = 3.14159265358979323846, P_MIN = 1e-300, CAUCHY_P_MAX = 0.99;

const tcsi_fusion_info tcsi_fusion_table[TCSI_FUSION_RULE_COUNT] = {
    [TCSI_FUSION_HARMONIC] = { "harmonic", "small p-values; members may depend on each other", false },
    [TCSI_FUSION_CAUCHY] = { "cauchy", "small p-values; members may depend on each other", false },
    [TCSI_FUSION_AVERAGE] = { "average", "nothing about dependence", true },
    [TCSI_FUSION_EVIDENCE] = { "evidence", "nothing about dependence", true },
    [TCSI_FUSION_BONFERRONI] = { "bonferroni", "nothing about dependence", true },
};

tcs_status tcsi_fusion_init(tcsi_fusion *fusion, tcsi_fusion_rule rule, size_t member_count, tcs_error *err)
{
    *fusion = (tcsi_fusion){ .rule = rule, .member_count = member_count };
    if (member_count < 1 || member_count > TCSI_FUSION_MEMBER_MAX)
        return tcsi_fail(err, TCS_E_INVALID, "%zu members to fuse, expected 1 to %d", member_count, TCSI_FUSION_MEMBER_MAX);
    for (size_t k = 0; k < member_count; k++) fusion->weights[k] = 1 / (double)member_count;
    return TCS_OK;
}

/* ---- rules: p and weights of the members that speak; weights sum to 1 ---- */

typedef struct voices {
    double p[TCSI_FUSION_MEMBER_MAX], weights[TCSI_FUSION_MEMBER_MAX];
    size_t count;
} voices;

static voices listen(const tcsi_fusion *fusion, const double *p_values)
{
    voices v = { .count = 0 };
    double sum = 0;
    for (size_t k = 0; k < fusion->member_count; k++) {
        if (isnan(p_values[k]) || !(fusion->weights[k] > 0)) continue;
        v.p[v.count] = fmin(fmax(p_values[k], P_MIN), 1);
        v.weights[v.count++] = fusion->weights[k];
        sum += fusion->weights[k];
    }
    for (size_t k = 0; k < v.count; k++) v.weights[k] /= sum;
    return v;
}

/* Equation 4: 1 / harmonic mean has Landau's distribution, at ln L + 1 + psi(1) - ln(2 / pi), of scale pi / 2.  With unequal weights ln L
 * is their entropy: w / p has the tail w / x, whose mean up to 1 is -w ln w. */
static double harmonic(const voices *v)
{
    double inverse = 0, entropy = 0;
    for (size_t k = 0; k < v->count; k++) {
        inverse += v->weights[k] / v->p[k];
        entropy -= v->weights[k] * log(v->weights[k]);
    }
    return v->count == 1 ? v->p[0] : tcsi_landau_tail((inverse - 0.874367040387922 - entropy) / (PI / 2));
}

static double cauchy(const voices *v)
{
    double sum = 0;
    for (size_t k = 0; k < v->count; k++) sum += v->weights[k] / tan(PI * fmin(v->p[k], CAUCHY_P_MAX));
    return v->count == 1 ? v->p[0] : atan2(1, sum) / PI; /* without losing small ones to 1/2 - atan */
}

static double average(const voices *v)
{
    double mean = 0;
    for (size_t k = 0; k < v->count; k++) mean += v->weights[k] * v->p[k];
    return v->count == 1 ? v->p[0] : 2 * mean;
}

static double evidence(const voices *v)
{
    double mean = 0;
    for (size_t k = 0; k < v->count; k++) mean += v->weights[k] * 0.5 / sqrt(v->p[k]);
    return mean;
}

static double bonferroni(const voices *v)
{
    double least = INFINITY;
    for (size_t k = 0; k < v->count; k++) least = fmin(least, v->p[k] / v->weights[k]);
    return least;
}

static double disagreement(const voices *v)
{
    double mean = 0, square = 0;
    for (size_t k = 0; k < v->count; k++) mean += v->weights[k] * log10(v->p[k]);
    for (size_t k = 0; k < v->count; k++) {
        const double gap = log10(v->p[k]) - mean;
        square += v->weights[k] * gap * gap;
    }
    return sqrt(square);
}

tcsi_fused tcsi_fusion_of(const tcsi_fusion *fusion, const double *p_values)
{
    const voices v = listen(fusion, p_values);
    double p = NAN;
    if (v.count == 0) return (tcsi_fused){ .p_value = NAN };
    switch (fusion->rule) {
    case TCSI_FUSION_HARMONIC: p = harmonic(&v); break;
    case TCSI_FUSION_CAUCHY: p = cauchy(&v); break;
    case TCSI_FUSION_AVERAGE: p = average(&v); break;
    case TCSI_FUSION_EVIDENCE: p = 1 / evidence(&v); break;
    case TCSI_FUSION_BONFERRONI: p = bonferroni(&v); break;
    case TCSI_FUSION_RULE_COUNT: break;
    }
    return (tcsi_fused){ .p_value = fmin(fmax(p, P_MIN), 1), .disagreement = disagreement(&v) };
}

double tcsi_fusion_evidence(const tcsi_fusion *fusion, const double *p_values)
{
    const voices v = listen(fusion, p_values);
    return v.count > 0 ? evidence(&v) : 1;
}

/* ---- weights ---- */

/* Cover's step: each weight times the mean of its share in the evidence.  The mean log evidence never falls; silent members keep theirs. */
void tcsi_fusion_learn(tcsi_fusion *fusion, const double *p_values, size_t row_count)
{
    const size_t m = fusion->member_count;
    for (size_t step = 0; step < LEARN_STEP_COUNT && row_count > 0; step++) {
        double gains[TCSI_FUSION_MEMBER_MAX] = { 0 }, sum = 0;
        for (size_t t = 0; t < row_count; t++) {
            const double *p = p_values + t * m;
            const double mean = tcsi_fusion_evidence(fusion, p);
            for (size_t k = 0; k < m; k++) gains[k] += isnan(p[k]) ? 1 : 0.5 / sqrt(fmax(p[k], P_MIN)) / mean;
        }
        for (size_t k = 0; k < m; k++) sum += fusion->weights[k] *= gains[k] / (double)row_count;
        for (size_t k = 0; k < m; k++) fusion->weights[k] /= sum;
    }
}

void tcsi_fusion_persist(tcsi_fusion *fusion, tcsi_codec *codec)
{
    uint32_t rule = (uint32_t)fusion->rule;
    double sum = 0;
    tcsi_codec_tag(codec, "FUSE");
    tcsi_codec_u32(codec, &rule);
    tcsi_codec_size(codec, &fusion->member_count, TCSI_FUSION_MEMBER_MAX);
    if (tcsi_codec_status(codec) == TCS_OK) tcsi_codec_f64s(codec, fusion->weights, fusion->member_count);
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    bool ok = rule < TCSI_FUSION_RULE_COUNT && fusion->member_count > 0;
    for (size_t k = 0; k < fusion->member_count; k++) {
        ok &= fusion->weights[k] >= 0;
        sum += fusion->weights[k];
    }
    if (ok && fabs(sum - 1) < 1e-9) fusion->rule = (tcsi_fusion_rule)rule;
    else tcsi_codec_refuse(codec, "members that cannot be fused");
}
