/* SPDX-License-Identifier: Apache-2.0 */
#include "explain/kind.h"

#include <math.h>

enum { HIDDEN = 32 };
static const double together = 0.4, smaller = 0.8, still_share = 0.9, gone_share = 0.5, stays = 0.5;

static const struct {
    float mean[TCSI_KIND_FEATURE_COUNT], deviation[TCSI_KIND_FEATURE_COUNT]; /* of each feature, in what was learned from */
    float hidden[HIDDEN][TCSI_KIND_FEATURE_COUNT + 1];                       /* the last: what is added */
    float out[TCSI_KIND_TOLD_COUNT][HIDDEN + 1];
} weights = {
#include "explain/kind_weights.inc"
};

const char *tcsi_kind_text(tcsi_kind_name kind)
{
#define X(kind, name) name,
    static const char *const names[] = { TCSI_KIND_LIST(X) };
#undef X
    return names[kind];
}

/* ---- the network ---- */

static void weigh(const double *features, double *ret_probabilities)
{
    double hidden[HIDDEN], most = -INFINITY, sum = 0;
    for (size_t h = 0; h < HIDDEN; h++) {
        double in = weights.hidden[h][TCSI_KIND_FEATURE_COUNT];
        for (size_t i = 0; i < TCSI_KIND_FEATURE_COUNT; i++)
            in += weights.hidden[h][i] * (features[i] - weights.mean[i]) / weights.deviation[i];
        hidden[h] = tanh(in);
    }
    for (size_t k = 0; k < TCSI_KIND_TOLD_COUNT; k++) {
        ret_probabilities[k] = weights.out[k][HIDDEN];
        for (size_t h = 0; h < HIDDEN; h++) ret_probabilities[k] += weights.out[k][h] * hidden[h];
        most = fmax(most, ret_probabilities[k]);
    }
    for (size_t k = 0; k < TCSI_KIND_TOLD_COUNT; k++) sum += ret_probabilities[k] = exp(ret_probabilities[k] - most);
    for (size_t k = 0; k < TCSI_KIND_TOLD_COUNT; k++) ret_probabilities[k] /= sum;
}

static void choose(const tcsi_kind_measures *m, tcsi_kind *kind)
{
    double probabilities[TCSI_KIND_TOLD_COUNT];
    weigh(m->features, probabilities);
    if (!m->has_partner || m->features[TCSI_KIND_FEATURE_TOGETHER] < together) { /* nothing to part from */
        double *parting = &probabilities[TCSI_KIND_CORRELATION - TCSI_KIND_FIRST];
        const double left = 1 - *parting;
        *parting = 0;
        for (size_t k = 0; k < TCSI_KIND_TOLD_COUNT && left > 0; k++) probabilities[k] /= left;
    }
    size_t best = 0;
    for (size_t k = 1; k < TCSI_KIND_TOLD_COUNT; k++)
        if (probabilities[k] > probabilities[best]) best = k;
    kind->likeliest = (tcsi_kind_name)(TCSI_KIND_FIRST + best);
    kind->probability = probabilities[best];
    kind->kind = kind->probability < TCSI_KIND_CONFIDENCE ? TCSI_KIND_UNCLEAR : kind->likeliest;
}

/* ---- does it stay? ---- */

static bool is_persistent(const tcsi_kind_measures *m, const tcsi_kind *kind)
{
    const double reached = kind->likeliest == TCSI_KIND_TREND ? 0.5 * m->slope + m->shift : m->shift;
    switch (kind->likeliest) {
    case TCSI_KIND_STUCK: return m->later_still > still_share;
    case TCSI_KIND_VARIANCE: return m->spread > 1 ? m->later_spread > stays * m->spread : m->later_spread < m->spread / stays;
    case TCSI_KIND_DROP_OUT:
        if (m->features[TCSI_KIND_FEATURE_MISSING] > m->features[TCSI_KIND_FEATURE_FLOOR]) return m->later_missing > gone_share;
        break;
    case TCSI_KIND_LEVEL_SHIFT:
    case TCSI_KIND_TREND: break;
    default: return false;
    }
    return reached * m->later_shift > 0 && fabs(m->later_shift) > stays * fabs(reached);
}

tcs_status tcsi_kind_find(const tcsi_subject *subject, tcsi_extent rows, size_t channel, size_t period, const size_t *others,
                          size_t other_count, tcsi_kind *ret_kind, tcs_error *err)
{
    tcsi_kind_measures m;
    tcs_status status = tcsi_kind_measure(subject, rows, channel, period, others, other_count, &m, err);
    if (status != TCS_OK) return status;
    /* Cycles that shrink are far from what was due, and yet they vary less. */
    tcsi_kind kind = { .kind = TCSI_KIND_UNKNOWN, .likeliest = TCSI_KIND_UNKNOWN, .is_over = m.later_count > 0, .shift = m.shift,
                       .slope = m.slope, .variance = m.size < smaller ? m.size : m.spread, .partner = m.partner };
    if (m.is_measured) {
        choose(&m, &kind);
        kind.persistent = kind.is_over && is_persistent(&m, &kind);
    }
    *ret_kind = kind;
    return TCS_OK;
}
