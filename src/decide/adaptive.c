/* SPDX-License-Identifier: Apache-2.0 */
#include "decide/adaptive.h"

#include <math.h>

static const double steps[TCSI_ADAPTIVE_EXPERT_COUNT] = { 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128 };

tcs_status tcsi_adaptive_init(tcsi_adaptive *adaptive, const tcsi_adaptive_options *options, tcs_error *err)
{
    *adaptive = (tcsi_adaptive){ .options = *options, .expert_count = options->step > 0 ? 1 : TCSI_ADAPTIVE_EXPERT_COUNT };
    if (!(options->coverage > 0 && options->coverage < 1 && options->step >= 0 && options->step <= 1))
        return tcsi_fail(err, TCS_E_INVALID, "adaptive band: need 0 < coverage < 1 and 0 <= step <= 1, got %g and %g", options->coverage,
                         options->step);
    for (size_t k = 0; k < adaptive->expert_count; k++) {
        adaptive->levels[k] = 1 - options->coverage;
        adaptive->weights[k] = 1 / (double)adaptive->expert_count;
    }
    const tcsi_conformal_options errors = { .capacity = options->capacity, .memory = 1, .effective_share = 1 };
    return tcsi_conformal_init(&adaptive->errors, &errors, err);
}

void tcsi_adaptive_deinit(tcsi_adaptive *adaptive)
{
    tcsi_conformal_deinit(&adaptive->errors);
    *adaptive = (tcsi_adaptive){ 0 };
}

static double level_now(const tcsi_adaptive *adaptive)
{
    double level = 0;
    for (size_t k = 0; k < adaptive->expert_count; k++) level += adaptive->weights[k] * adaptive->levels[k];
    return level;
}

double tcsi_adaptive_radius(const tcsi_adaptive *adaptive)
{
    const double level = level_now(adaptive);
    if (level <= 0) return INFINITY;
    return level < 1 ? tcsi_conformal_quantile(&adaptive->errors, 1 - level) : 0;
}

/* Algorithm 1: weights by the pinball loss of each level at p, the largest level whose band would have held the row. */
static void reweigh(tcsi_adaptive *adaptive, double p)
{
    const double miss = 1 - adaptive->options.coverage, count = TCSI_ADAPTIVE_EXPERT_COUNT, horizon = TCSI_ADAPTIVE_HORIZON;
    const double spread = (1 - miss) * (1 - miss) * miss * miss * miss + miss * miss * pow(1 - miss, 3);
    const double eta = sqrt(3 / horizon * (log(horizon * count) + 2) / spread), sigma = 1 / (2 * horizon);
    double sum = 0;
    for (size_t k = 0; k < adaptive->expert_count; k++) {
        const double gap = p - adaptive->levels[k], loss = miss * gap - fmin(0, gap);
        adaptive->weights[k] *= exp(-eta * loss);
        sum += adaptive->weights[k];
    }
    for (size_t k = 0; k < adaptive->expert_count; k++)
        adaptive->weights[k] = (1 - sigma) * adaptive->weights[k] / sum + sigma / (double)adaptive->expert_count;
}

void tcsi_adaptive_push(tcsi_adaptive *adaptive, double error)
{
    if (isnan(error)) return;
    const double miss = 1 - adaptive->options.coverage, p = tcsi_conformal_p_value(&adaptive->errors, error, 1);
    adaptive->row_count++;
    adaptive->miss_count += error > tcsi_adaptive_radius(adaptive);
    if (adaptive->errors.window.count > 0) { /* before there is a band nothing can miss it */
        const bool is_found = adaptive->expert_count > 1;
        if (is_found) reweigh(adaptive, p);
        for (size_t k = 0; k < adaptive->expert_count; k++) {
            const double step = is_found ? steps[k] : adaptive->options.step, missed = p <= adaptive->levels[k] ? 1 : 0;
            adaptive->levels[k] += step * (miss - missed);
        }
    }
    tcsi_conformal_push(&adaptive->errors, error);
}

void tcsi_adaptive_persist(tcsi_adaptive *adaptive, tcsi_codec *codec)
{
    tcsi_codec_tag(codec, "ADAP");
    tcsi_codec_f64s(codec, adaptive->levels, adaptive->expert_count);
    tcsi_codec_f64s(codec, adaptive->weights, adaptive->expert_count);
    tcsi_codec_u64(codec, &adaptive->row_count);
    tcsi_codec_u64(codec, &adaptive->miss_count);
    tcsi_conformal_persist(&adaptive->errors, codec);
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    double sum = 0;
    bool ok = adaptive->miss_count <= adaptive->row_count;
    for (size_t k = 0; k < adaptive->expert_count; k++) {
        ok &= adaptive->levels[k] >= -1.5 && adaptive->levels[k] <= 2.5 && adaptive->weights[k] >= 0;
        sum += adaptive->weights[k];
    }
    if (!ok || !(fabs(sum - 1) < 1e-9)) tcsi_codec_refuse(codec, "an adaptive band out of range");
}
