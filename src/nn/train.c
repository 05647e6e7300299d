/* SPDX-License-Identifier: Apache-2.0 */
#include "nn/train.h"

#include "base/alloc.h"
#include "kernels/optimize.h"
#include "kernels/vector.h"
#include "nn/plan_layout.h"

#include <math.h>
#include <string.h>

/* PyTorch's OneCycleLR at its defaults. */
static const double CYCLE_RISE = 0.3, CYCLE_START = 25, CYCLE_END = 1e4, PI = 3.14159265358979323846;

struct tcsi_trainer {
    tcsi_net *net;
    tcsi_train_options options;
    tcsi_floats moment1, moment2, average; /* laid out as the weights; moment1 is SGD's velocity */
    uint64_t step, skipped;                /* done, of which skipped */
};

static bool in_unit(double value)
{
    return value >= 0 && value < 1;
}

static tcs_status check_options(const tcsi_train_options *options, tcs_error *err)
{
    if (!(options->rate >= 0 && options->rate <= 1e6) || !(options->rate_end >= 0 && options->rate_end <= 1e6))
        return tcsi_fail(err, TCS_E_INVALID, "training: needs learning rates of 0 to 1e6, got %g and %g", options->rate, options->rate_end);
    if (!in_unit(options->beta1) || !in_unit(options->beta2) || !in_unit(options->momentum) || !in_unit(options->average_decay))
        return tcsi_fail(err, TCS_E_INVALID, "training: needs beta1, beta2, momentum and average_decay in [0, 1), got %g, %g, %g, %g",
                         options->beta1, options->beta2, options->momentum, options->average_decay);
    if (!(options->epsilon >= 0 && options->epsilon <= 1) || !(options->decay >= 0 && options->decay <= 1e3) || !(options->clip_norm >= 0))
        return tcsi_fail(err, TCS_E_INVALID, "training: needs epsilon in [0, 1], decay in [0, 1000] and clip_norm >= 0, got %g, %g, %g",
                         options->epsilon, options->decay, options->clip_norm);
    if (options->schedule != TCSI_SCHEDULE_CONSTANT && options->step_count == 0)
        return tcsi_fail(err, TCS_E_INVALID, "training: a schedule needs its number of steps");
    return TCS_OK;
}

tcs_status tcsi_trainer_create(tcsi_net *net, const tcsi_train_options *options, tcsi_trainer **ret_trainer, tcs_error *err)
{
    TCS_ASSERT(net->is_finished);
    tcs_status status = check_options(options, err);
    if (status != TCS_OK) return status;
    tcsi_trainer *trainer = TCSI_NEW(tcsi_trainer);
    if (!trainer) return tcsi_fail_memory(err, "a trainer");
    trainer->net = net;
    trainer->options = *options;
    if (options->rate == 0) trainer->options.rate = 1e-3;
    if (options->beta1 == 0) trainer->options.beta1 = 0.9;
    if (options->beta2 == 0) trainer->options.beta2 = 0.999;
    if (options->epsilon == 0) trainer->options.epsilon = 1e-8;
    if (!tcsi_floats_init(&trainer->moment1, net->weight_count) || !tcsi_floats_init(&trainer->moment2, net->weight_count) ||
        (options->average_decay > 0 && !tcsi_floats_init(&trainer->average, net->weight_count))) {
        tcsi_trainer_destroy(trainer);
        return tcsi_fail_memory(err, "a trainer");
    }
    if (options->average_decay > 0) memcpy(trainer->average.values, net->weights.values, net->weight_count * sizeof(float));
    *ret_trainer = trainer;
    return TCS_OK;
}

void tcsi_trainer_destroy(tcsi_trainer *trainer)
{
    if (!trainer) return;
    tcsi_floats_deinit(&trainer->moment1);
    tcsi_floats_deinit(&trainer->moment2);
    tcsi_floats_deinit(&trainer->average);
    tcsi_free(trainer);
}

/* ---- schedule ---- */

static double between(double from, double to, double share)
{
    return to + (from - to) * (1 + cos(PI * share)) / 2;
}

double tcsi_trainer_rate(const tcsi_trainer *trainer)
{
    const tcsi_train_options *options = &trainer->options;
    double count = (double)options->step_count, step = fmin((double)trainer->step, count);
    switch (options->schedule) {
    case TCSI_SCHEDULE_CONSTANT: return options->rate;
    case TCSI_SCHEDULE_COSINE: return between(options->rate, options->rate_end, step / count);
    case TCSI_SCHEDULE_ONE_CYCLE: break;
    }
    double peak = CYCLE_RISE * count - 1, last = count - 1, low = options->rate / CYCLE_START;
    step = fmin(step, last);
    if (step <= peak) return between(low, options->rate, step / peak);
    return last > peak ? between(options->rate, low / CYCLE_END, (step - peak) / (last - peak)) : options->rate;
}

/* ---- one step ---- */

static bool is_trained(const tcsi_plan *plan, const tcsi_weight *weight)
{
    return !weight->is_state && (plan->groups == 0 || (weight->group < 64 && plan->groups >> weight->group & 1));
}

static double gradient_norm(const tcsi_plan *plan)
{
    double sum = 0;
    for (size_t i = 0; i < plan->net->tensor_count; i++) {
        const tcsi_weight *weight = &plan->net->tensors[i];
        const float *gradient = plan->gradients.values + weight->offset;
        if (is_trained(plan, weight)) sum += tcsi_vector_dot(plan->isa, weight->count, gradient, gradient);
    }
    return sqrt(sum);
}

static void update_weight(tcsi_trainer *trainer, const tcsi_plan *plan, const tcsi_weight *weight, double rate, float gradient_scale)
{
    const tcsi_train_options *options = &trainer->options;
    float decay = weight->decays ? (float)options->decay : 0, *values = trainer->net->weights.values + weight->offset;
    const float *gradient = plan->gradients.values + weight->offset;
    if (options->optimizer == TCSI_OPTIMIZER_ADAMW) {
        tcsi_adamw rule = { (float)rate, (float)options->beta1, (float)options->beta2, (float)options->epsilon, decay, gradient_scale,
                            trainer->step - trainer->skipped + 1 };
        tcsi_adamw_step(plan->isa, &rule, weight->count, gradient, values, trainer->moment1.values + weight->offset,
                        trainer->moment2.values + weight->offset);
        return;
    }
    tcsi_sgd rule = { (float)rate, (float)options->momentum, decay, gradient_scale, options->nesterov };
    tcsi_sgd_step(plan->isa, &rule, weight->count, gradient, values, trainer->moment1.values + weight->offset);
}

static void update_average(tcsi_trainer *trainer)
{
    float keep = (float)trainer->options.average_decay, *average = trainer->average.values;
    const float *values = trainer->net->weights.values;
    if (!average) return;
    for (size_t i = 0; i < trainer->net->weight_count; i++) average[i] += (1 - keep) * (values[i] - average[i]);
}

double tcsi_trainer_step(tcsi_trainer *trainer, tcsi_plan *plan, tcsi_pool *pool, const tcsi_run *run)
{
    TCS_ASSERT(plan->net == trainer->net);
    double loss = tcsi_plan_backward(plan, pool, run), norm = gradient_norm(plan), rate = tcsi_trainer_rate(trainer);
    double limit = trainer->options.clip_norm;
    float scale = limit > 0 && norm > limit ? (float)(limit / (norm + 1e-6)) : 1; /* as torch.nn.utils.clip_grad_norm_ */
    if (isfinite(norm)) {
        for (size_t i = 0; i < trainer->net->tensor_count; i++)
            if (is_trained(plan, &trainer->net->tensors[i])) update_weight(trainer, plan, &trainer->net->tensors[i], rate, scale);
        update_average(trainer);
    } else trainer->skipped++;
    trainer->step++;
    return loss;
}

uint64_t tcsi_trainer_step_number(const tcsi_trainer *trainer)
{
    return trainer->step;
}

uint64_t tcsi_trainer_skipped(const tcsi_trainer *trainer)
{
    return trainer->skipped;
}

void tcsi_trainer_swap_average(tcsi_trainer *trainer)
{
    TCS_ASSERT(trainer->average.values);
    float *average = trainer->average.values, *values = trainer->net->weights.values;
    for (size_t i = 0; i < trainer->net->weight_count; i++) {
        float value = values[i];
        values[i] = average[i];
        average[i] = value;
    }
}

void tcsi_trainer_persist(tcsi_trainer *trainer, tcsi_codec *codec)
{
    const tcsi_net *net = trainer->net;
    size_t weight_count = net->weight_count, state_count = net->state_count;
    bool has_average = trainer->average.values != NULL;
    tcsi_codec_tag(codec, "TRN1");
    tcsi_codec_size(codec, &weight_count, TCSI_NET_FLOATS_MAX);
    tcsi_codec_size(codec, &state_count, TCSI_NET_FLOATS_MAX);
    tcsi_codec_bool(codec, &has_average);
    if (weight_count != net->weight_count || state_count != net->state_count || has_average != (trainer->average.values != NULL)) {
        tcsi_codec_refuse(codec, "weights of another network");
        return;
    }
    tcsi_codec_f32s(codec, net->weights.values, weight_count);
    tcsi_codec_f32s(codec, net->states.values, state_count);
    tcsi_codec_f32s(codec, trainer->moment1.values, weight_count);
    tcsi_codec_f32s(codec, trainer->moment2.values, weight_count);
    if (has_average) tcsi_codec_f32s(codec, trainer->average.values, weight_count);
    tcsi_codec_u64(codec, &trainer->step);
    tcsi_codec_u64(codec, &trainer->skipped);
}

/* ---- early stopping ---- */

tcs_status tcsi_early_stop_init(tcsi_early_stop *stop, tcsi_net *net, size_t patience, tcs_error *err)
{
    *stop = (tcsi_early_stop){ .net = net, .best_loss = INFINITY, .patience = patience };
    if (tcsi_floats_init(&stop->best_weights, net->weight_count) && tcsi_floats_init(&stop->best_states, net->state_count)) return TCS_OK;
    tcsi_early_stop_deinit(stop);
    return tcsi_fail_memory(err, "the best weights of a training");
}

void tcsi_early_stop_deinit(tcsi_early_stop *stop)
{
    tcsi_floats_deinit(&stop->best_weights);
    tcsi_floats_deinit(&stop->best_states);
}

bool tcsi_early_stop_push(tcsi_early_stop *stop, double loss)
{
    const tcsi_net *net = stop->net;
    if (!(loss < stop->best_loss)) return ++stop->since_best < stop->patience;
    stop->best_loss = loss;
    stop->since_best = 0;
    memcpy(stop->best_weights.values, net->weights.values, net->weight_count * sizeof(float));
    memcpy(stop->best_states.values, net->states.values, net->state_count * sizeof(float));
    return true;
}

void tcsi_early_stop_restore(const tcsi_early_stop *stop)
{
    const tcsi_net *net = stop->net;
    if (!(stop->best_loss < INFINITY)) return;
    memcpy(net->weights.values, stop->best_weights.values, net->weight_count * sizeof(float));
    memcpy(net->states.values, stop->best_states.values, net->state_count * sizeof(float));
}

void tcsi_early_stop_persist(tcsi_early_stop *stop, tcsi_codec *codec)
{
    tcsi_codec_tag(codec, "EST1");
    tcsi_codec_f32s(codec, stop->best_weights.values, stop->net->weight_count);
    tcsi_codec_f32s(codec, stop->best_states.values, stop->net->state_count);
    tcsi_codec_f64(codec, &stop->best_loss);
    tcsi_codec_size(codec, &stop->since_best, stop->patience);
}
