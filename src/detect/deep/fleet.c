/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/deep/fleet.h"

#include "base/alloc.h"
#include "base/log.h"
#include "nn/layers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BORDERS = 256, WINDOW_ROW_COUNT_MAX = 1000000 };
static const double fact_max = 5, adapting_rate = 0.1;

/* ---- facts ---- */

static float scaled_fact(const tcsi_scale *scale, double fact)
{
    if (!tcsi_value_ok(fact) || scale->constant) return 0;
    return (float)fmax(-fact_max, fmin(fact_max, tcsi_scale_one(scale, fact)));
}

static void scale_facts(const tcsi_scale *scales, const double *facts, size_t fact_count, float *ret_scaled)
{
    for (size_t d = 0; d < fact_count; d++) ret_scaled[d] = scaled_fact(&scales[d], facts[d]);
}

tcs_status tcsi_fleet_learn_facts(tcsi_fleet_memory *memory, const tcsi_fleet *fleet, tcs_error *err)
{
    if (fleet->fact_count == 0) return TCS_OK;
    double *column = TCSI_NEW_ARRAY(double, fleet->series_count);
    if (!column) return tcsi_fail_memory(err, "facts");
    for (size_t d = 0; d < fleet->fact_count; d++) {
        for (size_t s = 0; s < fleet->series_count; s++) column[s] = fleet->facts[s * fleet->fact_count + d];
        memory->fact_scales[d] = tcsi_scale_standard(column, fleet->series_count);
    }
    tcsi_free(column);
    return TCS_OK;
}

/* ---- the lesson ---- */

static bool holds_a_value(const tcsi_frame *frame)
{
    for (size_t c = 0; c < frame->channel_count; c++) {
        const double *values = tcsi_frame_column(frame, c);
        for (size_t t = 0; t < frame->row_count; t++)
            if (tcsi_value_ok(values[t])) return true;
    }
    return false;
}

/* The series that are taken, as sequences; lengths (S) are theirs in steps, 0: left out.  Forms are the caller's to release. */
static tcs_status learn_forms(const tcsi_fleet *fleet, const tcsi_fleet_plan *plan, tcsi_sequence_form *forms, float *facts,
                              size_t *lengths, tcs_error *err)
{
    tcs_status status = TCS_OK;
    for (size_t s = 0; s < fleet->series_count && status == TCS_OK; s++) {
        tcsi_sequence_wish wish = plan->wish;
        if (wish.fact_count > 0) scale_facts(plan->fact_scales, fleet->facts + s * fleet->fact_count, wish.fact_count, facts);
        wish.facts = facts;
        status = tcsi_sequence_form_learn(fleet->series[s], &wish, &forms[s], err);
        if (status != TCS_OK) break;
        lengths[s] = (fleet->series[s]->row_count + forms[s].factor - 1) / forms[s].factor;
        if (lengths[s] >= plan->window && holds_a_value(fleet->series[s])) continue;
        tcsi_log(TCSI_LOG_INFO, "FLEET-LEFT-OUT", "series %zu of %zu: %zu rows, %zu steps; a window of %zu steps with values is needed",
                 s + 1, fleet->series_count, fleet->series[s]->row_count, lengths[s], plan->window);
        lengths[s] = 0;
    }
    return status;
}

static int by_size(const void *a, const void *b)
{
    const size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return (x > y) - (x < y);
}

/* Ends, and the median window; E_INVALID when nothing is taken.  windows: (S) scratch. */
static tcs_status lay_out(tcsi_fleet_lesson *lesson, const tcsi_fleet *fleet, const tcsi_fleet_plan *plan, const tcsi_sequence_form *forms,
                          const size_t *lengths, size_t *windows, tcs_error *err)
{
    size_t count = 0, end = 0;
    for (size_t s = 0; s < fleet->series_count; s++) {
        if (lengths[s] == 0) continue;
        end = tcsi_size_sum(end, lengths[s]);
        windows[count] = forms[s].window_row_count;
        lesson->ends[count++] = end;
    }
    if (count == 0)
        return tcsi_fail(err, TCS_E_INVALID, "%s: none of %zu series has a window of %zu steps with values", plan->name,
                         fleet->series_count, plan->window);
    qsort(windows, count, sizeof *windows, by_size);
    lesson->window_row_count = windows[count / 2];
    lesson->lesson = (tcsi_lesson){ .step_count = end, .window = plan->window, .part_ends = lesson->ends, .part_count = count,
                                    .input_channels = fleet->series[0]->channel_count + plan->wish.fact_count,
                                    .target_channels = plan->target_channels };
    return TCS_OK;
}

static tcs_status fill(tcsi_fleet_lesson *lesson, const tcsi_fleet *fleet, const tcsi_fleet_plan *plan, const tcsi_sequence_form *forms,
                       const size_t *lengths, tcs_error *err)
{
    tcsi_lesson *l = &lesson->lesson;
    tcs_status status = TCS_OK;
    if (!tcsi_floats_init(&lesson->inputs, tcsi_size_product(l->step_count, l->input_channels)) ||
        !tcsi_floats_init(&lesson->targets, tcsi_size_product(l->step_count, l->target_channels)))
        return tcsi_fail_memory(err, "the series of a fleet");
    l->inputs = lesson->inputs.values;
    l->targets = lesson->targets.values;
    for (size_t s = 0, begin = 0; s < fleet->series_count && status == TCS_OK; s++) {
        tcsi_sequence sequence = { 0 };
        if (lengths[s] == 0) continue;
        status = tcsi_sequence_init(fleet->series[s], &forms[s], &sequence, err);
        if (status != TCS_OK) break;
        memcpy(lesson->inputs.values + begin * l->input_channels, sequence.values.values, lengths[s] * l->input_channels * sizeof(float));
        plan->fill(plan->context, &sequence, lesson->targets.values + begin * l->target_channels);
        begin += lengths[s];
        tcsi_sequence_deinit(&sequence);
    }
    return status;
}

tcs_status tcsi_fleet_lesson_init(tcsi_fleet_lesson *lesson, const tcsi_fleet *fleet, const tcsi_fleet_plan *plan, tcs_error *err)
{
    const size_t count = fleet->series_count;
    tcsi_sequence_form *forms = TCSI_NEW_ZEROS(tcsi_sequence_form, count);
    size_t *lengths = TCSI_NEW_ZEROS(size_t, count), *windows = TCSI_NEW_ZEROS(size_t, count);
    float *facts = TCSI_NEW_ZEROS(float, plan->wish.fact_count + 1);
    *lesson = (tcsi_fleet_lesson){ .ends = TCSI_NEW_ZEROS(size_t, count) };
    tcs_status status = forms && lengths && windows && facts && lesson->ends ? TCS_OK : tcsi_fail_memory(err, "the series of a fleet");
    if (status == TCS_OK) status = learn_forms(fleet, plan, forms, facts, lengths, err);
    if (status == TCS_OK) status = lay_out(lesson, fleet, plan, forms, lengths, windows, err);
    if (status == TCS_OK) status = fill(lesson, fleet, plan, forms, lengths, err);
    for (size_t s = 0; forms && s < count; s++) tcsi_sequence_form_deinit(&forms[s]);
    tcsi_free(forms);
    tcsi_free(lengths);
    tcsi_free(windows);
    tcsi_free(facts);
    return status;
}

void tcsi_fleet_lesson_deinit(tcsi_fleet_lesson *lesson)
{
    tcsi_floats_deinit(&lesson->inputs);
    tcsi_floats_deinit(&lesson->targets);
    tcsi_free(lesson->ends);
    *lesson = (tcsi_fleet_lesson){ 0 };
}

/* ---- what an instance keeps ---- */

bool tcsi_fleet_memory_init(tcsi_fleet_memory *memory, size_t fact_count)
{
    *memory = (tcsi_fleet_memory){ .fact_count = fact_count };
    if (fact_count == 0) return true;
    memory->facts = TCSI_NEW_ARRAY(double, fact_count);
    memory->scaled = TCSI_NEW_ZEROS(float, fact_count);
    memory->fact_scales = TCSI_NEW_ARRAY(tcsi_scale, fact_count);
    if (!memory->facts || !memory->scaled || !memory->fact_scales) return false;
    for (size_t d = 0; d < fact_count; d++) {
        memory->facts[d] = NAN;
        memory->fact_scales[d] = (tcsi_scale){ .spread = 1, .constant = true }; /* without a fleet facts say nothing */
    }
    return true;
}

void tcsi_fleet_forget(tcsi_fleet_memory *memory)
{
    tcsi_floats_deinit(&memory->weights);
    tcsi_plan_destroy(memory->adapting);
    memory->adapting = NULL;
    memory->weight_count = memory->window_row_count = 0;
}

void tcsi_fleet_memory_deinit(tcsi_fleet_memory *memory)
{
    tcsi_fleet_forget(memory);
    tcsi_free(memory->facts);
    tcsi_free(memory->scaled);
    tcsi_free(memory->fact_scales);
    *memory = (tcsi_fleet_memory){ 0 };
}

bool tcsi_fleet_known(const tcsi_fleet_memory *memory)
{
    return memory->weight_count > 0;
}

void tcsi_fleet_describe(tcsi_fleet_memory *memory, const double *facts)
{
    memcpy(memory->facts, facts, memory->fact_count * sizeof *facts);
}

tcsi_sequence_wish tcsi_fleet_wish(const tcsi_fleet_memory *memory, size_t window_row_count, size_t steps)
{
    if (memory->fact_count > 0) scale_facts(memory->fact_scales, memory->facts, memory->fact_count, memory->scaled);
    return (tcsi_sequence_wish){ .window_row_count = window_row_count, .window_otherwise = memory->window_row_count, .steps = steps,
                                 .fact_count = memory->fact_count, .facts = memory->scaled };
}

tcs_status tcsi_fleet_keep(tcsi_fleet_memory *memory, size_t member_count, tcsi_net *net, tcsi_node_id loss, tcs_error *err)
{
    const tcsi_plan_options adapting = { .net = net, .batch = TCSI_LEARNER_BATCH, .has_loss = true, .loss = loss,
                                         .groups = UINT64_C(1) << TCSI_HEAD_GROUP };
    const size_t weight_count = net->weight_count + net->state_count;
    tcsi_fleet_forget(memory);
    if (!tcsi_floats_init(&memory->weights, tcsi_size_product(member_count, weight_count))) return tcsi_fail_memory(err, "a fleet");
    const tcs_status status = tcsi_plan_create(&adapting, &memory->adapting, err);
    if (status == TCS_OK) memory->weight_count = weight_count;
    else tcsi_fleet_forget(memory);
    return status;
}

void tcsi_fleet_put(tcsi_fleet_memory *memory, size_t member, const tcsi_net *net)
{
    float *kept = memory->weights.values + member * memory->weight_count;
    memcpy(kept, net->weights.values, net->weight_count * sizeof(float));
    memcpy(kept + net->weight_count, net->states.values, net->state_count * sizeof(float));
}

void tcsi_fleet_take(const tcsi_fleet_memory *memory, size_t member, tcsi_net *net)
{
    const float *kept = memory->weights.values + member * memory->weight_count;
    memcpy(net->weights.values, kept, net->weight_count * sizeof(float));
    memcpy(net->states.values, kept + net->weight_count, net->state_count * sizeof(float));
}

tcs_status tcsi_fleet_adapt(const tcsi_fleet_memory *memory, const tcsi_learner *learner, size_t step_count, const tcsi_lesson *lesson,
                            tcsi_pool *pool, const tcsi_progress *progress, tcs_error *err)
{
    tcsi_learner adapting = *learner;
    if (tcsi_lesson_window_count(lesson) == 0)
        return tcsi_fail(err, TCS_E_INVALID, "%zu steps to adapt to: expected a window of %zu at least", lesson->step_count,
                         lesson->window);
    if (step_count == 0) return TCS_OK;
    adapting.plan = memory->adapting;
    adapting.step_count = step_count;
    adapting.rate = learner->rate * adapting_rate;
    adapting.training = NULL; /* a second of work is not kept, and the fleet's curve is the one that tells */
    return tcsi_learner_run(&adapting, lesson, pool, progress, err);
}

static void persist_fact_scale(tcsi_scale *scale, tcsi_codec *codec)
{
    tcsi_codec_f64(codec, &scale->center);
    tcsi_codec_f64(codec, &scale->spread);
    tcsi_codec_bool(codec, &scale->constant);
    const bool fine = fabs(scale->center) <= TCS_VALUE_MAX && scale->spread > 0 && scale->spread <= 2 * TCS_VALUE_MAX;
    if (tcsi_codec_loading(codec) && tcsi_codec_status(codec) == TCS_OK && !fine) tcsi_codec_refuse(codec, "a fact's scale out of range");
}

void tcsi_fleet_persist(tcsi_fleet_memory *memory, size_t member_count, tcsi_net *net, tcsi_node_id loss, tcsi_codec *codec)
{
    bool is_known = tcsi_fleet_known(memory), fine = true;
    tcsi_codec_bool(codec, &is_known);
    if (tcsi_codec_status(codec) != TCS_OK || !is_known) return;
    if (tcsi_codec_loading(codec)) codec->status = tcsi_fleet_keep(memory, member_count, net, loss, codec->err);
    if (tcsi_codec_status(codec) != TCS_OK) return;
    const size_t weight_count = member_count * memory->weight_count;
    tcsi_codec_size(codec, &memory->window_row_count, WINDOW_ROW_COUNT_MAX);
    for (size_t d = 0; d < memory->fact_count; d++) persist_fact_scale(&memory->fact_scales[d], codec);
    tcsi_codec_f64s(codec, memory->facts, memory->fact_count); /* any number will do: they are clipped */
    tcsi_codec_f32s(codec, memory->weights.values, weight_count);
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    for (size_t i = 0; i < weight_count; i++) fine &= isfinite(memory->weights.values[i]);
    if (!fine || memory->window_row_count == 0) tcsi_codec_refuse(codec, "what was learned from a fleet out of range");
}

size_t tcsi_fleet_memory_size(const tcsi_fleet_memory *memory, size_t member_count)
{
    size_t size = tcsi_size_product(memory->fact_count, sizeof(double) + 2 * sizeof(float) + 2 * sizeof(tcsi_scale));
    if (!tcsi_fleet_known(memory)) return size;
    size = tcsi_size_sum(size, tcsi_plan_size(memory->adapting));
    return tcsi_size_sum(size, tcsi_size_product(tcsi_size_product(member_count, memory->weight_count), sizeof(float)) + BORDERS);
}

/* ---- a net that reads facts beside values ---- */

tcsi_node_id tcsi_fleet_values(tcsi_net *net, tcsi_node_id x, size_t fact_count)
{
    return fact_count == 0 ? x : tcsi_nn_slice(net, x, 0, tcsi_net_shape(net, x).channels - fact_count);
}

tcsi_node_id tcsi_fleet_join(tcsi_net *net, tcsi_node_id h, tcsi_node_id x, size_t fact_count)
{
    if (fact_count == 0) return h;
    const size_t channels = tcsi_net_shape(net, x).channels;
    const tcsi_node_id facts = tcsi_nn_slice(net, tcsi_nn_last(net, x), channels < fact_count ? 0 : channels - fact_count, fact_count);
    return tcsi_nn_concat(net, (tcsi_node_id[]){ h, facts }, 2);
}
