/* SPDX-License-Identifier: Apache-2.0 */
#include "explain/shapley.h"

#include "base/alloc.h"
#include "base/rng.h"

#include <math.h>
#include <string.h>

typedef struct sampler {
    const tcsi_shapley_options *options;
    tcsi_shapley_game game;
    void *context;
    size_t *order;
    bool *is_in;
    double *gains;         /* of one order, there and back */
    double *mean, *square; /* over orders: mean and summed squared distances from it */
} sampler;

/* One order, from nobody to everybody or, backwards, the players that joined first leaving last. */
static tcs_status walk(sampler *s, bool backwards, tcs_error *err)
{
    const size_t count = s->options->player_count;
    double before = 0, after = 0;
    memset(s->is_in, 0, count * sizeof *s->is_in);
    tcs_status status = s->game(s->context, s->is_in, &before, err);
    for (size_t i = 0; i < count && status == TCS_OK; i++) {
        const size_t player = s->order[backwards ? count - 1 - i : i];
        s->is_in[player] = true;
        status = s->game(s->context, s->is_in, &after, err);
        s->gains[player] += 0.5 * (after - before);
        before = after;
    }
    return status;
}

static tcs_status sample(sampler *s, tcs_error *err)
{
    const size_t count = s->options->player_count;
    tcsi_rng rng = tcsi_rng_make(s->options->seed, 0);
    tcs_status status = TCS_OK;
    for (size_t i = 0; i < count; i++) s->order[i] = i;
    for (size_t k = 0; k < s->options->order_count && status == TCS_OK; k++) {
        tcsi_rng_shuffle(&rng, s->order, count);
        memset(s->gains, 0, count * sizeof *s->gains);
        status = walk(s, false, err);
        if (status == TCS_OK) status = walk(s, true, err);
        for (size_t i = 0; i < count; i++) {
            const double distance = s->gains[i] - s->mean[i];
            s->mean[i] += distance / (double)(k + 1);
            s->square[i] += distance * (s->gains[i] - s->mean[i]);
        }
    }
    return status;
}

tcs_status tcsi_shapley(const tcsi_shapley_options *options, tcsi_shapley_game game, void *context, double *ret_values, double *ret_errors,
                        tcs_error *err)
{
    const size_t count = options->player_count;
    const double orders = (double)options->order_count;
    sampler s = { .options = options, .game = game, .context = context, .order = TCSI_NEW_ARRAY(size_t, count),
                  .is_in = TCSI_NEW_ZEROS(bool, count), .gains = TCSI_NEW_ZEROS(double, count), .mean = TCSI_NEW_ZEROS(double, count),
                  .square = TCSI_NEW_ZEROS(double, count) };
    TCS_ASSERT(options->order_count > 0);
    tcs_status status = s.order && s.is_in && s.gains && s.mean && s.square ? sample(&s, err) : tcsi_fail_memory(err, "players");
    for (size_t i = 0; i < count && status == TCS_OK; i++) {
        ret_values[i] = s.mean[i];
        if (ret_errors) ret_errors[i] = orders > 1 ? sqrt(s.square[i] / (orders * (orders - 1))) : 0;
    }
    tcsi_free(s.order);
    tcsi_free(s.is_in);
    tcsi_free(s.gains);
    tcsi_free(s.mean);
    tcsi_free(s.square);
    return status;
}
