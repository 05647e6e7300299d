/* SPDX-License-Identifier: Apache-2.0 */
#include "decide/adaptive.h"

#include "decide/conformal.h"

#include <math.h>

enum { EXPERTS = TCSI_ADAPTIVE_EXPERT_COUNT };
static const double steps[EXPERTS] = { 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128 };

/* eta: the learning rate of the weights. */
static double rate_of(double miss)
{
    const double count = EXPERTS, horizon = TCSI_ADAPTIVE_HORIZON, held = 1 - miss;
    const double spread = held * held * miss * miss * miss + miss * miss * held * held * held;
    return sqrt(3 / horizon * (log(horizon * count) + 2) / spread);
}

tcs_status tcsi_adaptive_init(tcsi_adaptive *adaptive, const tcsi_adaptive_options *options, tcs_error *err)
{
    *adaptive = (tcsi_adaptive){ .options = *options };
    if (!(options->coverage > 0 && options->coverage < 1))
        return tcsi_fail(err, TCS_E_INVALID, "adaptive band: need 0 < coverage < 1, got %g", options->coverage);
    adaptive->rate = rate_of(1 - options->coverage);
    for (size_t k = 0; k < EXPERTS; k++) {
        adaptive->levels[k] = 1 - options->coverage;
        adaptive->weights[k] = 1.0 / EXPERTS;
    }
    return tcsi_rank_window_init(&adaptive->errors, options->capacity, err);
}

void tcsi_adaptive_deinit(tcsi_adaptive *adaptive)
{
    tcsi_rank_window_deinit(&adaptive->errors);
    *adaptive = (tcsi_adaptive){ 0 };
}

/* Below the level of the largest error the band goes on by as much as the level lies below 0. */
double tcsi_adaptive_radius(const tcsi_adaptive *adaptive)
{
    const tcsi_rank_window *errors = &adaptive->errors;
    double level = 0;
    for (size_t k = 0; k < EXPERTS; k++) level += adaptive->weights[k] * adaptive->levels[k];
    if (errors->count == 0) return INFINITY;
    if (level >= 1) return 0;
    const double radius = level > 0 ? tcsi_conformal_quantile(errors, 1 - level) : INFINITY;
    return isfinite(radius) ? radius : tcsi_rank_window_quantile(errors, (double)errors->count) * (1 - fmin(level, 0));
}

/* Algorithm 1: weights by the pinball loss of each level at p, the largest level whose band would have held the row. */
static void reweigh(tcsi_adaptive *adaptive, double p)
{
    const double miss = 1 - adaptive->options.coverage, sigma = 1 / (2.0 * TCSI_ADAPTIVE_HORIZON);
    double sum = 0;
    for (size_t k = 0; k < EXPERTS; k++) {
        const double gap = p - adaptive->levels[k], loss = miss * gap - fmin(0, gap);
        adaptive->weights[k] *= exp(-adaptive->rate * loss);
        sum += adaptive->weights[k];
    }
    for (size_t k = 0; k < EXPERTS; k++) adaptive->weights[k] = (1 - sigma) * adaptive->weights[k] / sum + sigma / EXPERTS;
}

void tcsi_adaptive_push(tcsi_adaptive *adaptive, double error)
{
    if (isnan(error)) return;
    const double miss = 1 - adaptive->options.coverage, p = tcsi_conformal_p_value(&adaptive->errors, error);
    adaptive->row_count++;
    adaptive->miss_count += error > tcsi_adaptive_radius(adaptive);
    if (adaptive->errors.count > 0) { /* before there is a band nothing can miss it */
        reweigh(adaptive, p);
        for (size_t k = 0; k < EXPERTS; k++) adaptive->levels[k] += steps[k] * (miss - (p <= adaptive->levels[k] ? 1 : 0));
    }
    if (isfinite(error)) tcsi_rank_window_push(&adaptive->errors, error);
}
