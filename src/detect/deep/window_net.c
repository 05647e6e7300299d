/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/deep/window_net.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "series/moving.h"
#include "series/stats.h"

#include <math.h>
#include <string.h>

typedef tcsi_window_net self_type;

enum { BATCH = TCSI_LEARNER_BATCH, BORDER = 256, STREAM_ORDER = 1000003 /* of the random numbers; training uses its steps' */ };
static const double noise_max = 1e30;

tcsi_node_id tcsi_window_net_dense(tcsi_net *net, const char *name, tcsi_node_id x, size_t units, tcsi_activation activation)
{
    tcsi_net_scope(net, "%s", name);
    return tcsi_nn_dense(net, x, &(tcsi_dense_options){ .units = units, .activation = activation });
}

tcsi_node_id tcsi_window_net_head(tcsi_net *net, const char *name, tcsi_node_id x, size_t units, const tcsi_window_net_options *options)
{
    tcsi_net_group(net, TCSI_HEAD_GROUP);
    if (!(options->bayes > 0)) return tcsi_window_net_dense(net, name, x, units, TCSI_ACTIVATION_NONE);
    tcsi_net_scope(net, "%s", name);
    return tcsi_nn_bayes(net, x, &(tcsi_bayes_options){ .units = units });
}

tcsi_node_id tcsi_window_net_head_loss(tcsi_net *net, tcsi_node_id loss, tcsi_node_id head, const tcsi_window_net_options *options)
{
    if (!(options->bayes > 0)) return loss;
    const tcsi_node_id losses[] = { loss, tcsi_nn_loss_bayes(net, head, 0) };
    const float coefficients[] = { 1, (float)options->bayes };
    return tcsi_nn_loss_sum(net, losses, coefficients, TCS_COUNT(losses));
}

tcsi_node_id tcsi_window_net_merge(tcsi_net *net, tcsi_node_id x)
{
    if (tcsi_net_shape(net, x).channels <= TCSI_WINDOW_NET_CHANNELS) return x;
    return tcsi_window_net_dense(net, "merge", x, TCSI_WINDOW_NET_CHANNELS, TCSI_ACTIVATION_NONE);
}

tcsi_node_id tcsi_window_net_part(tcsi_net *net, tcsi_node_id h, size_t channels)
{
    return channels <= TCSI_WINDOW_NET_CHANNELS ? h : tcsi_window_net_dense(net, "part", h, channels, TCSI_ACTIVATION_NONE);
}

/* ---- life ---- */

bool tcsi_window_net_is_table(const self_type *self)
{
    return self->base.info->traits & TCSI_TRAIT_TABULAR;
}

size_t tcsi_window_net_channels(const self_type *self)
{
    return tcsi_size_sum(self->base.channel_count, self->more_channels);
}

/* The output where it is one number; its distance from the window where it is one like it. */
static tcsi_node_id explain_by(tcsi_net *net, const tcsi_window_net_nodes *nodes, tcsi_node_id target)
{
    const tcsi_shape output = tcsi_net_shape(net, nodes->output), wanted = tcsi_net_shape(net, target);
    if (output.length == 1 && output.channels == 1) return nodes->output;
    if (output.length != wanted.length || output.channels != wanted.channels) return 0;
    return tcsi_nn_loss_squared(net, nodes->output, target);
}

static tcs_status make_net(self_type *self, tcsi_window_net_build build, tcs_error *err)
{
    const size_t steps = self->options.steps, channels = tcsi_window_net_channels(self);
    tcs_status status = tcsi_net_create(self->base.seed, &self->net, err);
    if (status != TCS_OK) return status;
    const tcsi_node_id x = tcsi_nn_input(self->net, steps, tcsi_size_sum(channels, self->options.facts));
    const tcsi_node_id target = tcsi_nn_input(self->net, steps, channels);
    const tcsi_node_id seen = self->options.dropout > 0 ? tcsi_nn_dropout(self->net, x, (float)self->options.dropout) : x;
    self->nodes = build(self->net, seen, target, &self->options);
    self->explained = explain_by(self->net, &self->nodes, target);
    self->nodes.loss = tcsi_penalty_join(&self->penalty, self->net, self->nodes.loss, self->nodes.output, self->options.penalty);
    return tcsi_net_finish(self->net, err);
}

/* Floats of one member's weights and states. */
static size_t kept_size(const self_type *self)
{
    return self->net->weight_count + self->net->state_count;
}

tcs_status tcsi_window_net_init(self_type *self, tcsi_window_net_build build, tcs_error *err)
{
    const char *name = self->base.info->name;
    if (tcsi_window_net_is_table(self)) self->options.steps = self->options.window = self->options.smoothing = 1;
    const size_t steps = self->options.steps;
    if (self->options.members == 0) self->options.members = 1; /* a detector without these parameters */
    if (self->options.draws == 0) self->options.draws = 1;
    if (!tcsi_window_net_is_table(self) && steps % 4 > 0)
        return tcsi_fail(err, TCS_E_INVALID, "%s: steps %zu, expected a multiple of 4", name, steps);
    if (!tcsi_fleet_memory_init(&self->fleet, self->options.facts)) return tcsi_fail_memory(err, name);
    tcs_status status = tcsi_sequence_check(name, tcsi_size_sum(self->base.channel_count, self->options.facts), steps, err);
    const tcsi_penalty_form form = { .step_count = steps, .part_count = 1, .channel_count = self->base.channel_count };
    if (status == TCS_OK) status = tcsi_penalty_init(&self->penalty, self->base.constraints, self->options.penalty, &form, err);
    if (status == TCS_OK) status = make_net(self, build, err);
    const tcsi_plan_options training = { .net = self->net, .batch = BATCH, .has_loss = true, .loss = self->nodes.loss,
                                         .groups = self->nodes.groups };
    const tcsi_plan_options rival = { .net = self->net, .batch = BATCH, .has_loss = true, .loss = self->nodes.rival_loss,
                                      .groups = self->nodes.rival_groups };
    const tcsi_plan_options scoring = { .net = self->net, .batch = BATCH, .outputs = &self->nodes.output, .output_count = 1 };
    if (status == TCS_OK) status = tcsi_plan_create(&training, &self->training, err);
    if (status == TCS_OK && self->nodes.rival_loss != 0) status = tcsi_plan_create(&rival, &self->rival, err);
    if (status == TCS_OK) status = tcsi_plan_create(&scoring, &self->scoring, err);
    if (status == TCS_OK && self->options.members > 1 && !tcsi_floats_init(&self->kept, self->options.members * kept_size(self)))
        status = tcsi_fail_memory(err, name);
    return status;
}

void tcsi_window_net_deinit(self_type *self)
{
    tcsi_sequence_form_deinit(&self->form);
    tcsi_floats_deinit(&self->kept);
    tcsi_fleet_memory_deinit(&self->fleet);
    tcsi_plan_destroy(self->training);
    tcsi_plan_destroy(self->rival);
    tcsi_plan_destroy(self->scoring);
    tcsi_net_destroy(self->net);
    tcsi_penalty_deinit(&self->penalty);
}

/* ---- learning ---- */

tcsi_lesson tcsi_window_net_lesson(const self_type *self, const tcsi_sequence *sequence)
{
    return (tcsi_lesson){ .inputs = sequence->values.values, .targets = sequence->targets.values, .step_count = sequence->step_count,
                          .input_channels = sequence->input_count, .target_channels = sequence->channel_count,
                          .window = self->options.steps, .order = self->order };
}

static void keep(self_type *self, size_t member)
{
    if (!self->kept.values) return;
    float *kept = self->kept.values + member * kept_size(self);
    memcpy(kept, self->net->weights.values, self->net->weight_count * sizeof(float));
    memcpy(kept + self->net->weight_count, self->net->states.values, self->net->state_count * sizeof(float));
}

static void take_member(self_type *self, size_t member)
{
    if (!self->kept.values) return;
    const float *kept = self->kept.values + member * kept_size(self);
    memcpy(self->net->weights.values, kept, self->net->weight_count * sizeof(float));
    memcpy(self->net->states.values, kept + self->net->weight_count, self->net->state_count * sizeof(float));
}

/* How member m learns, with the whole net. */
static tcsi_learner learner_of(const self_type *self, size_t member)
{
    return (tcsi_learner){ .net = self->net, .plan = self->training, .loss = self->nodes.loss, .rival = self->rival,
                           .rivalry = self->nodes.rivalry, .epochs = self->options.epochs, .rate = self->options.rate,
                           .trim = self->options.trim, .seed = tcsi_learner_seed(self->base.seed, member), .training = self->base.training,
                           .member = member, .budget = self->options.budget / (double)self->options.members,
                           .key = tcsi_penalty_key(&self->penalty, self->options.penalty) };
}

static tcs_status learn_member(self_type *self, size_t member, const tcsi_sequence *sequence, const double *chances,
                               tcsi_window_net_prepare prepare, tcs_error *err)
{
    const tcsi_learner learner = learner_of(self, member);
    tcsi_lesson lesson = tcsi_window_net_lesson(self, sequence);
    tcs_status status = TCS_OK;
    tcsi_progress_part part;
    lesson.chances = chances;
    tcsi_progress_part_init(&part, self->base.progress, member, self->options.members);
    self->net->seed = learner.seed;
    self->run = 0; /* what prepare looks at draws nothing */
    if (tcsi_fleet_known(&self->fleet)) {
        tcsi_fleet_take(&self->fleet, member, self->net);
        status = tcsi_fleet_adapt(&self->fleet, &learner, self->options.adaptation, &lesson, self->base.pool, &part.progress, err);
    } else {
        tcsi_net_start(self->net);
        if (prepare && tcsi_lesson_window_count(&lesson) > 0) status = prepare(self, sequence, &lesson, err);
        if (status == TCS_OK) status = tcsi_learner_run(&learner, &lesson, self->base.pool, &part.progress, err);
    }
    if (status == TCS_OK) keep(self, member);
    return status;
}

static tcs_status draw_order(self_type *self, size_t row_count, tcs_error *err)
{
    tcsi_rng rng = tcsi_rng_make(self->base.seed, STREAM_ORDER);
    self->order = TCSI_NEW_ARRAY(size_t, row_count);
    if (!self->order) return tcsi_fail_memory(err, "an order of rows");
    for (size_t i = 0; i < row_count; i++) self->order[i] = i;
    tcsi_rng_shuffle(&rng, self->order, row_count);
    return TCS_OK;
}

tcs_status tcsi_window_net_learn(self_type *self, const tcsi_frame *frame, tcsi_window_net_prepare prepare, tcsi_sequence *ret_sequence,
                                 tcs_error *err)
{
    tcsi_sequence_form form = { 0 };
    tcsi_sequence sequence = { 0 };
    const tcsi_sequence_wish wish = tcsi_fleet_wish(&self->fleet, self->options.window, self->options.steps);
    const tcsi_chances_options chosen = { self->options.half_life, self->options.change, self->options.by_duration };
    double *chances = NULL;
    tcs_status status = tcsi_window_net_is_table(self) ? tcsi_sequence_form_learn_table(frame, &form, err)
                                                       : tcsi_sequence_form_learn(frame, &wish, &form, err);
    if (status == TCS_OK) status = tcsi_sequence_init(frame, &form, &sequence, err);
    if (status == TCS_OK) status = tcsi_chances_create(&sequence, frame->times_ns, self->options.steps, &chosen, &chances, err);
    if (status == TCS_OK) status = tcsi_penalty_learn(&self->penalty, &sequence, &form, frame->times_ns, 1, err);
    if (status == TCS_OK && tcsi_window_net_is_table(self)) status = draw_order(self, sequence.step_count, err);
    for (size_t m = 0; m < self->options.members && status == TCS_OK; m++)
        status = learn_member(self, m, &sequence, chances, prepare, err);
    tcsi_free(self->order);
    self->order = NULL;
    tcsi_free(chances);
    if (status == TCS_OK) {
        tcsi_sequence_form_deinit(&self->form);
        self->form = form;
        *ret_sequence = sequence;
        return TCS_OK;
    }
    tcsi_sequence_deinit(&sequence);
    tcsi_sequence_form_deinit(&form);
    return status;
}

/* ---- a fleet ---- */

/* A window is wanted back as it is. */
static void fill_targets(void *context, const tcsi_sequence *sequence, float *ret_targets)
{
    (void)context;
    memcpy(ret_targets, sequence->targets.values, sequence->step_count * sequence->channel_count * sizeof(float));
}

static tcs_status learn_fleet(self_type *self, const tcsi_lesson *lesson, tcs_error *err)
{
    tcs_status status = TCS_OK;
    for (size_t m = 0; m < self->options.members && status == TCS_OK; m++) {
        const tcsi_learner learner = learner_of(self, m);
        tcsi_progress_part part;
        tcsi_progress_part_init(&part, self->base.progress, m, self->options.members);
        self->net->seed = learner.seed;
        tcsi_net_start(self->net);
        status = tcsi_learner_run(&learner, lesson, self->base.pool, &part.progress, err);
        if (status == TCS_OK) tcsi_fleet_put(&self->fleet, m, self->net);
    }
    return status;
}

tcs_status tcsi_window_net_fit_fleet(tcsi_detector *base, const tcsi_fleet *fleet, tcs_error *err)
{
    self_type *self = (self_type *)base;
    tcsi_fleet_lesson lesson = { 0 };
    tcsi_fleet_forget(&self->fleet);
    tcs_status status = tcsi_fleet_learn_facts(&self->fleet, fleet, err);
    const tcsi_fleet_plan plan = { .name = base->info->name,
                                   .wish = tcsi_fleet_wish(&self->fleet, self->options.window, self->options.steps),
                                   .fact_scales = self->fleet.fact_scales, .window = self->options.steps,
                                   .target_channels = base->channel_count, .fill = fill_targets };
    if (status == TCS_OK) status = tcsi_fleet_lesson_init(&lesson, fleet, &plan, err);
    if (status == TCS_OK) status = tcsi_fleet_keep(&self->fleet, self->options.members, self->net, self->nodes.loss, err);
    if (status == TCS_OK) status = learn_fleet(self, &lesson.lesson, err);
    self->fleet.window_row_count = lesson.window_row_count;
    if (status != TCS_OK) tcsi_fleet_forget(&self->fleet);
    tcsi_fleet_lesson_deinit(&lesson);
    return status;
}

void tcsi_window_net_describe(tcsi_detector *base, const double *facts)
{
    tcsi_fleet_describe(&((self_type *)base)->fleet, facts);
}

/* ---- runs ---- */

size_t tcsi_window_net_run_count(const self_type *self)
{
    return self->options.members * self->options.draws;
}

void tcsi_window_net_take(self_type *self, size_t run)
{
    self->run = run;
    take_member(self, run / self->options.draws);
}

tcs_status tcsi_looks_init(tcsi_looks *looks, size_t step_count, tcs_error *err)
{
    *looks = (tcsi_looks){ .steps = TCSI_NEW_ARRAY(double, step_count), .mean = TCSI_NEW_ZEROS(double, step_count),
                           .squares = TCSI_NEW_ZEROS(double, step_count), .step_count = step_count };
    return looks->steps && looks->mean && looks->squares ? TCS_OK : tcsi_fail_memory(err, "scores");
}

void tcsi_looks_deinit(tcsi_looks *looks)
{
    tcsi_free(looks->steps);
    tcsi_free(looks->mean);
    tcsi_free(looks->squares);
}

void tcsi_looks_add(tcsi_looks *looks)
{
    looks->run_count++;
    for (size_t u = 0; u < looks->step_count; u++) {
        const double distance = looks->steps[u] - looks->mean[u];
        looks->mean[u] += distance / (double)looks->run_count;
        looks->squares[u] += distance * (looks->steps[u] - looks->mean[u]);
    }
}

void tcsi_window_net_set_noise(self_type *self, const tcsi_looks *looks)
{
    self->noise = fmin(tcsi_deviation(looks->mean, looks->step_count), noise_max);
}

/* ---- scoring ---- */

tcs_status tcsi_window_net_sweep(self_type *self, const tcsi_lesson *lesson, size_t stride, tcsi_window_net_visit visit, void *context,
                                 tcs_error *err)
{
    const size_t last = tcsi_lesson_window_count(lesson) - 1;
    size_t starts[BATCH], count = 0;
    tcsi_floats inputs = { 0 };
    if (!tcsi_floats_init(&inputs, BATCH * lesson->window * lesson->input_channels)) return tcsi_fail_memory(err, "windows");
    for (size_t at = 0; at < last + stride; at += stride) {
        starts[count++] = at < last ? at : last;
        if (count < BATCH && at < last) continue;
        tcsi_lesson_gather(lesson, starts, count, inputs.values, NULL);
        /* The target is an input of the net too: where an output reads it, it finds the window as it is, whatever dropout leaves out. */
        /* Weights that are drawn are those of one net in all of a look. */
        const uint64_t step = self->options.bayes > 0 ? self->run : self->run * lesson->step_count + at;
        const tcsi_run run = { .inputs = { inputs.values, inputs.values }, .batch = count, .seed = self->base.seed,
                               .is_stochastic = self->options.draws > 1, .step = step };
        tcsi_plan_forward(self->scoring, self->base.pool, &run);
        visit(context, starts, count, tcsi_plan_values(self->scoring, self->nodes.output));
        count = 0;
    }
    tcsi_floats_deinit(&inputs);
    return TCS_OK;
}

static size_t smoothing_of(const self_type *self)
{
    const size_t parts = self->smoothings_a_window ? self->smoothings_a_window : 1;
    return self->options.smoothing ? self->options.smoothing : self->form.window_row_count / parts + (parts > 1);
}

static void spread_steps(const self_type *self, const tcsi_sequence *sequence, const double *steps, double *rows, double *ret_smooth)
{
    tcsi_sequence_expand(sequence, steps, rows);
    tcsi_moving_mean(rows, sequence->row_count, smoothing_of(self), ret_smooth);
}

/* Values from steps, uncertainties from deviations (NULL: none): neighbours err together, so that the deviation of their mean is
 * the mean of their deviations. */
static tcs_status spread_all(const self_type *self, const tcsi_sequence *sequence, const double *steps, const double *deviations,
                             tcs_score *ret_scores, tcs_error *err)
{
    const size_t count = sequence->row_count;
    double *rows = TCSI_NEW_ARRAY(double, count), *smooth = TCSI_NEW_ARRAY(double, count);
    tcs_status status = rows && smooth ? TCS_OK : tcsi_fail_memory(err, "scores");
    if (status == TCS_OK) {
        spread_steps(self, sequence, steps, rows, smooth);
        for (size_t t = 0; t < count; t++)
            if (ret_scores[t].state == TCS_SCORE_WARMUP)
                ret_scores[t] = (tcs_score){ .state = TCS_SCORE_READY, .value = smooth[t], .noise = (float)self->noise };
    }
    if (status == TCS_OK && deviations) {
        spread_steps(self, sequence, deviations, rows, smooth);
        for (size_t t = 0; t < count; t++)
            if (ret_scores[t].state == TCS_SCORE_READY) ret_scores[t].uncertainty = (float)fmax(smooth[t], 0);
    }
    tcsi_free(rows);
    tcsi_free(smooth);
    return status;
}

tcs_status tcsi_window_net_spread(const self_type *self, const tcsi_sequence *sequence, const double *steps, tcs_score *ret_scores,
                                  tcs_error *err)
{
    return spread_all(self, sequence, steps, NULL, ret_scores, err);
}

tcs_status tcsi_window_net_spread_looks(const self_type *self, const tcsi_sequence *sequence, const tcsi_looks *looks,
                                        tcs_score *ret_scores, tcs_error *err)
{
    for (size_t u = 0; u < looks->step_count; u++) looks->steps[u] = sqrt(fmax(looks->squares[u], 0) / (double)looks->run_count);
    return spread_all(self, sequence, looks->mean, looks->run_count > 1 ? looks->steps : NULL, ret_scores, err);
}

void tcsi_window_net_mark(const tcsi_frame *frame, tcs_score *ret_scores)
{
    for (size_t t = 0; t < frame->row_count; t++) ret_scores[t] = (tcs_score){ .state = TCS_SCORE_MISSING };
    for (size_t c = 0; c < frame->channel_count; c++) {
        const double *values = tcsi_frame_column(frame, c);
        for (size_t t = 0; t < frame->row_count; t++)
            if (tcsi_value_ok(values[t])) ret_scores[t].state = TCS_SCORE_WARMUP;
    }
}

size_t tcsi_window_net_horizon(const tcsi_detector *base)
{
    return ((const self_type *)base)->form.window_row_count;
}

/* ---- saved form and sizes ---- */

void tcsi_window_net_persist(self_type *self, tcsi_codec *codec)
{
    tcsi_codec_tag(codec, "DPW2");
    tcsi_fleet_persist(&self->fleet, self->options.members, self->net, self->nodes.loss, codec);
    if (tcsi_codec_status(codec) != TCS_OK || !self->base.is_fitted) return;
    tcsi_sequence_form_persist(&self->form, tcsi_window_net_channels(self), self->options.facts, codec);
    self->form.is_table = tcsi_window_net_is_table(self);
    tcsi_codec_f64(codec, &self->noise);
    if (tcsi_codec_loading(codec) && tcsi_codec_status(codec) == TCS_OK && !(self->noise >= 0 && self->noise <= noise_max))
        tcsi_codec_refuse(codec, "the noise of scores out of range");
    for (size_t m = 0; m < self->options.members && tcsi_codec_status(codec) == TCS_OK; m++) {
        if (!tcsi_codec_loading(codec)) take_member(self, m);
        tcsi_net_persist(self->net, codec);
        if (tcsi_codec_loading(codec)) keep(self, m);
    }
}

size_t tcsi_window_net_size_max(const self_type *self, size_t row_count)
{
    const size_t channels = tcsi_window_net_channels(self), steps = self->options.steps, facts = self->options.facts;
    const size_t inputs = tcsi_size_sum(channels, facts);
    size_t size = sizeof *self + tcsi_net_size(self->net) + tcsi_plan_size(self->training) + tcsi_plan_size(self->scoring);
    if (self->kept.values) size = tcsi_size_sum(size, tcsi_size_product(self->options.members * sizeof(float), kept_size(self)) + BORDER);
    if (self->rival) size = tcsi_size_sum(size, tcsi_plan_size(self->rival));
    size = tcsi_size_sum(size, tcsi_size_product(channels, 2 * sizeof(tcsi_scale)));
    size = tcsi_size_sum(size, tcsi_fleet_memory_size(&self->fleet, self->options.members));
    size = tcsi_size_sum(size, tcsi_penalty_size_max(&self->penalty, row_count));
    if (row_count == 0) return size;
    size = tcsi_size_sum(size, tcsi_size_product(row_count, tcsi_size_product(facts, sizeof(float)))); /* of a fleet, beside a sequence */
    size_t batch = tcsi_size_product(tcsi_size_product(BATCH * sizeof(float), steps), inputs);
    size = tcsi_size_sum(size, tcsi_size_sum(batch, tcsi_size_product(row_count, 5 * sizeof(double))));
    size = tcsi_size_sum(size, tcsi_size_sum(tcsi_chances_size_max(row_count), tcsi_sequence_size_max(row_count, channels, facts)));
    if (tcsi_window_net_is_table(self)) size = tcsi_size_sum(size, tcsi_size_product(row_count, sizeof *self->order + sizeof(double)));
    return tcsi_size_sum(size, tcsi_learner_size_max(self->net, row_count, steps, inputs, channels));
}
