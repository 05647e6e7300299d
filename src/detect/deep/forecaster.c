/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/deep/forecaster.h"

#include "base/alloc.h"
#include "detect/deep/learner.h"
#include "series/stats.h"

#include <math.h>
#include <string.h>

typedef tcsi_forecaster self_type;

enum { H = TCSI_HORIZON_COUNT, RING = TCSI_HORIZON_MAX, BATCH = TCSI_LEARNER_BATCH, WARMUP = 16, ROWS_A_HORIZON = 10, DRIFT_SPAN = 4,
       SKIPPED_SHARE = 4 /* of a window, in penalties */ };
static const size_t horizons[H] = { 1, 4, 16, 64 };
static const float degrees = 4;
static const double z_max = 30, scale_min = 0.3; /* what is foreseen to a hair is not strange when it is off by two */
static const double part_max = 2 * 30 * 30; /* z_max^2 twice */
static const double drift_free = 4; /* of d^2: what noise does is no evidence */
static const double part_knee = 16; /* beyond which a part counts by its logarithm */
static const double usual_max = 1e6, drift_min = 0.01;

/* ---- life ---- */

static size_t said_count(const self_type *self)
{
    return RING * self->options.members * H * 2 * self->base.channel_count;
}

static tcs_status make_net(self_type *self, size_t member, tcsi_forecaster_build build, tcs_error *err)
{
    const size_t steps = self->options.steps, channels = self->base.channel_count;
    tcs_status status = tcsi_net_create(tcsi_learner_seed(self->base.seed, member), &self->members[member].net, err);
    if (status != TCS_OK) return status;
    tcsi_net *net = self->members[member].net;
    const tcsi_node_id x = tcsi_nn_input(net, steps, tcsi_size_sum(channels, self->options.facts));
    const tcsi_node_id target = tcsi_nn_input(net, steps, H * channels);
    const tcsi_node_id body = build(net, x, &self->options);
    tcsi_net_scope(net, "head");
    tcsi_net_group(net, TCSI_HEAD_GROUP);
    const tcsi_node_id output = tcsi_nn_student_head(net, body, &(tcsi_student_head_options){ .units = H * channels });
    self->loss = tcsi_nn_loss_student(net, output, target, degrees);
    self->loss = tcsi_penalty_join(&self->penalty, net, self->loss, output, self->options.penalty);
    status = tcsi_net_finish(net, err);
    return status == TCS_OK ? tcsi_stream_net_create(net, output, &self->members[member].stream, err) : status;
}

tcs_status tcsi_forecaster_init(tcsi_detector *base, tcsi_forecaster_build build, tcs_error *err)
{
    self_type *self = (self_type *)base;
    const size_t channels = base->channel_count;
    if (self->options.hidden % 4 > 0)
        return tcsi_fail(err, TCS_E_INVALID, "%s: hidden %zu, expected a multiple of 4", base->info->name, self->options.hidden);
    if (!tcsi_fleet_memory_init(&self->fleet, self->options.facts)) return tcsi_fail_memory(err, base->info->name);
    const size_t inputs = tcsi_size_sum(channels, self->options.facts);
    tcs_status status = tcsi_sequence_check(base->info->name, inputs, self->options.steps, err);
    const tcsi_penalty_form form = { .step_count = self->options.steps, .skipped_count = self->options.steps / SKIPPED_SHARE,
                                     .part_count = H, .channel_count = channels };
    if (status == TCS_OK) status = tcsi_penalty_init(&self->penalty, base->constraints, self->options.penalty, &form, err);
    self->members = TCSI_NEW_ZEROS(tcsi_forecaster_member, self->options.members);
    if (status == TCS_OK && !self->members) return tcsi_fail_memory(err, base->info->name);
    for (size_t m = 0; m < self->options.members && status == TCS_OK; m++) status = make_net(self, m, build, err);
    const tcsi_plan_options training = { .net = status == TCS_OK ? self->members[0].net : NULL, .batch = BATCH, .has_loss = true,
                                         .loss = self->loss };
    if (status == TCS_OK) status = tcsi_plan_create(&training, &self->training, err);
    if (status != TCS_OK) return status;
    self->usual = TCSI_NEW_ZEROS(double, self->options.members * channels);
    self->row = TCSI_NEW_ZEROS(float, channels);
    self->now.last = TCSI_NEW_ZEROS(float, inputs);
    self->now.said = TCSI_NEW_ZEROS(float, said_count(self));
    self->now.smoothed = TCSI_NEW_ZEROS(double, channels);
    self->now.drifts = TCSI_NEW_ZEROS(double, self->options.members * H * channels);
    self->now.levels = TCSI_NEW_ZEROS(double, self->options.members);
    self->drift_usual = TCSI_NEW_ZEROS(double, self->options.members * H * channels);
    bool fine = tcsi_bands_init(&self->bands, H * channels) && self->usual && self->row && self->now.last && self->now.said &&
                self->now.smoothed && self->now.drifts && self->drift_usual && self->now.levels;
    return fine ? TCS_OK : tcsi_fail_memory(err, base->info->name);
}

void tcsi_forecaster_deinit(tcsi_detector *base)
{
    self_type *self = (self_type *)base;
    tcsi_free(self->usual);
    tcsi_free(self->row);
    tcsi_free(self->now.last);
    tcsi_free(self->now.said);
    tcsi_free(self->now.smoothed);
    tcsi_free(self->now.drifts);
    tcsi_free(self->now.levels);
    tcsi_free(self->drift_usual);
    tcsi_bands_deinit(&self->bands);
    tcsi_fleet_memory_deinit(&self->fleet);
    tcsi_sequence_form_deinit(&self->form);
    tcsi_plan_destroy(self->training);
    for (size_t m = 0; self->members && m < self->options.members; m++) {
        tcsi_stream_net_destroy(self->members[m].stream);
        tcsi_net_destroy(self->members[m].net);
    }
    tcsi_free(self->members);
    tcsi_penalty_deinit(&self->penalty);
}

/* Behind the values of every row that the network reads. */
static void put_facts(self_type *self)
{
    if (self->form.fact_count > 0)
        memcpy(self->now.last + self->base.channel_count, self->form.facts, self->form.fact_count * sizeof *self->now.last);
}

void tcsi_forecaster_reset(tcsi_detector *base)
{
    self_type *self = (self_type *)base;
    for (size_t m = 0; m < self->options.members; m++) tcsi_stream_net_reset(self->members[m].stream);
    tcsi_bands_reset(&self->bands);
    self->now.row_count = 0;
    memset(self->now.last, 0, base->channel_count * sizeof *self->now.last);
    put_facts(self);
    memset(self->now.said, 0, said_count(self) * sizeof *self->now.said);
    memset(self->now.smoothed, 0, base->channel_count * sizeof *self->now.smoothed);
    memset(self->now.drifts, 0, self->options.members * H * base->channel_count * sizeof *self->now.drifts);
    memset(self->now.levels, 0, self->options.members * sizeof *self->now.levels);
}

/* ---- learning ---- */

/* (U,H,C): what a row is to say of each horizon; NaN beyond the end, and for horizons that are too long for so few rows. */
static void fill_targets(void *context, const tcsi_sequence *sequence, float *ret_targets)
{
    const self_type *self = context;
    const size_t channels = sequence->channel_count;
    for (size_t u = 0; u < sequence->step_count; u++)
        for (size_t h = 0; h < H; h++)
            for (size_t c = 0; c < channels; c++) {
                const size_t ahead = u + horizons[h];
                const bool is_known = h < self->horizon_count && ahead < sequence->step_count;
                ret_targets[(u * H + h) * channels + c] = is_known ? sequence->targets.values[ahead * channels + c] : NAN;
            }
}

/* Member m learns from weights that were just drawn, or from those of the fleet; a fleet is always learned from the beginning. */
static tcs_status learn_member(self_type *self, size_t m, const tcsi_lesson *lesson, bool is_fleet, tcs_error *err)
{
    tcsi_net *net = self->members[0].net;
    const tcsi_learner learner = { .net = net, .plan = self->training, .loss = self->loss, .epochs = self->options.epochs,
                                   .rate = self->options.rate, .trim = self->options.trim, .seed = tcsi_learner_seed(self->base.seed, m),
                                   .training = self->base.training, .member = m,
                                   .budget = self->options.budget / (double)self->options.members,
                                   .key = tcsi_penalty_key(&self->penalty, self->options.penalty) };
    tcsi_progress_part part;
    tcsi_progress_part_init(&part, self->base.progress, self->options.members - 1 - m, self->options.members);
    if (!is_fleet && tcsi_fleet_known(&self->fleet)) {
        tcsi_fleet_take(&self->fleet, m, net);
        return tcsi_fleet_adapt(&self->fleet, &learner, self->options.adaptation, lesson, self->base.pool, &part.progress, err);
    }
    tcsi_net_start(self->members[m].net);
    tcsi_net_copy(self->members[m].net, net);
    return tcsi_learner_run(&learner, lesson, self->base.pool, &part.progress, err);
}

/* Members are trained one after the other in the first one's net, which has the plan: its own weights come last. */
static tcs_status learn_members(self_type *self, const tcsi_lesson *lesson, bool is_fleet, tcs_error *err)
{
    tcsi_net *net = self->members[0].net;
    tcs_status status = TCS_OK;
    for (size_t m = self->options.members; m-- > 0 && status == TCS_OK;) {
        status = learn_member(self, m, lesson, is_fleet, err);
        if (status == TCS_OK && is_fleet) tcsi_fleet_put(&self->fleet, m, net);
        tcsi_net_copy(net, self->members[m].net);
    }
    return status;
}

static size_t horizon_count_for(const self_type *self, size_t step_count)
{
    size_t count = 1;
    while (count < self->options.horizons && horizons[count] * ROWS_A_HORIZON <= step_count) count++;
    return count;
}

static tcs_status learn(self_type *self, const tcsi_sequence *sequence, const tcsi_sequence_form *form, const int64_t *times_ns,
                        size_t *ret_held_begin, tcs_error *err)
{
    const size_t channels = sequence->channel_count;
    const tcsi_chances_options chosen = { self->options.half_life, self->options.change, self->options.by_duration };
    double *chances = NULL;
    tcsi_floats targets = { 0 };
    if (!tcsi_floats_init(&targets, sequence->step_count * H * channels)) return tcsi_fail_memory(err, "targets");
    self->horizon_count = tcsi_fleet_known(&self->fleet) ? self->fleet_horizon_count : horizon_count_for(self, sequence->step_count);
    fill_targets(self, sequence, targets.values);
    tcs_status status = tcsi_chances_create(sequence, times_ns, self->options.steps, &chosen, &chances, err);
    const tcsi_lesson lesson = { .inputs = sequence->values.values, .targets = targets.values, .step_count = sequence->step_count,
                                 .input_channels = sequence->input_count, .target_channels = H * channels, .window = self->options.steps,
                                 .chances = chances };
    if (status == TCS_OK) status = tcsi_penalty_learn(&self->penalty, sequence, form, times_ns, self->horizon_count, err);
    if (status == TCS_OK) status = learn_members(self, &lesson, false, err);
    *ret_held_begin = tcsi_lesson_held_begin(&lesson);
    tcsi_free(chances);
    tcsi_floats_deinit(&targets);
    return status;
}

tcs_status tcsi_forecaster_fit_fleet(tcsi_detector *base, const tcsi_fleet *fleet, tcs_error *err)
{
    self_type *self = (self_type *)base;
    size_t longest = 0;
    tcsi_fleet_lesson lesson = { 0 };
    tcsi_fleet_forget(&self->fleet);
    for (size_t s = 0; s < fleet->series_count; s++)
        if (fleet->series[s]->row_count > longest) longest = fleet->series[s]->row_count;
    self->horizon_count = self->fleet_horizon_count = horizon_count_for(self, longest);
    tcs_status status = tcsi_fleet_learn_facts(&self->fleet, fleet, err);
    const tcsi_fleet_plan plan = { .name = base->info->name, .wish = tcsi_fleet_wish(&self->fleet, 0, 0),
                                   .fact_scales = self->fleet.fact_scales, .window = self->options.steps,
                                   .target_channels = H * base->channel_count, .fill = fill_targets, .context = self };
    if (status == TCS_OK) status = tcsi_fleet_lesson_init(&lesson, fleet, &plan, err);
    if (status == TCS_OK) status = tcsi_fleet_keep(&self->fleet, self->options.members, self->members[0].net, self->loss, err);
    if (status == TCS_OK) status = learn_members(self, &lesson.lesson, true, err);
    self->fleet.window_row_count = lesson.window_row_count;
    if (status != TCS_OK) tcsi_fleet_forget(&self->fleet);
    tcsi_fleet_lesson_deinit(&lesson);
    return status;
}

void tcsi_forecaster_describe(tcsi_detector *base, const double *facts)
{
    tcsi_fleet_describe(&((self_type *)base)->fleet, facts);
}

/* ---- a row ---- */

/* What member m said in row `row` of horizon number h: locations (C), then scales (C). */
static float *said_at(const self_type *self, uint64_t row, size_t m, size_t h)
{
    return self->now.said + (((size_t)(row % RING) * self->options.members + m) * H + h) * 2 * self->base.channel_count;
}

/* Horizons of which something was said that is due now. */
static size_t due_count(const self_type *self)
{
    size_t count = 0;
    while (count < self->horizon_count && horizons[count] <= self->now.row_count) count++;
    return count;
}

/* How far a channel's value is from what member m said of it, in units of what is usual for the channel: the mean over the horizons of z^2
 * and, of one channel among several, of the squared evidence of a slow change, which is brought up to date. */
static double surprise(self_type *self, size_t m, size_t c, float value)
{
    const size_t channels = self->base.channel_count, due = due_count(self);
    double sum = 0;
    for (size_t h = 0; h < due; h++) {
        const float *said = said_at(self, self->now.row_count - horizons[h], m, h);
        const double z = fmax(-z_max, fmin(z_max, ((double)value - (double)said[c]) / hypot((double)said[channels + c], scale_min)));
        const size_t at = (m * H + h) * channels + c;
        double *drift = &self->now.drifts[at];
        *drift += (z - *drift) / (double)(DRIFT_SPAN * horizons[h]);
        const double evidence = fmin(fabs(*drift) / self->drift_usual[at], z_max);
        sum += z * z;
        if (channels > 1) sum += fmax(0, evidence * evidence - drift_free);
    }
    return sum / ((double)due * self->usual[m * channels + c]);
}

/* What the members said together: a mixture's mean, and the two parts of its variance. */
static void agree(const self_type *self, uint64_t row, size_t h, size_t c, double *ret_location, double *ret_noise, double *ret_doubt)
{
    const size_t channels = self->base.channel_count, members = self->options.members;
    double mean = 0, noise = 0, doubt = 0;
    for (size_t m = 0; m < members; m++) {
        const float *said = said_at(self, row, m, h);
        const double scale = (double)said[channels + c], step = (double)said[c] - mean;
        mean += step / (double)(m + 1);
        doubt += step * ((double)said[c] - mean);
        noise += scale * scale;
    }
    *ret_location = mean;
    *ret_noise = sqrt(noise / (double)members);
    *ret_doubt = sqrt(fmax(doubt, 0) / (double)members);
}

/* The error of what was said of this row h rows ago, in its scales.  The value is in deviations, but not clipped as networks read it: a
 * band is about the channel. */
static double band_error(const self_type *self, size_t h, size_t c, double value)
{
    double location, noise, doubt;
    agree(self, self->now.row_count - horizons[h], h, c, &location, &noise, &doubt);
    return fabs(value - location) / hypot(noise, doubt);
}

/* Reads the row, says what comes next. */
static void go_on(self_type *self)
{
    const size_t channels = self->base.channel_count;
    for (size_t m = 0; m < self->options.members; m++) {
        const float *answer = tcsi_stream_net_push(self->members[m].stream, self->now.last); /* locations (H,C), then scales (H,C) */
        for (size_t h = 0; h < H; h++) {
            float *said = said_at(self, self->now.row_count, m, h);
            memcpy(said, answer + h * channels, channels * sizeof *said);
            memcpy(said + channels, answer + (H + h) * channels, channels * sizeof *said);
        }
    }
    self->now.row_count++;
}

static double fading(const self_type *self)
{
    const size_t rows = self->options.smoothing ? self->options.smoothing : self->form.window_row_count / 2;
    return 1 / (double)(rows > 0 ? rows : 1);
}

/* Among several channels one that goes wild counts by its logarithm, so that it does not drown the others. */
static double softened(const self_type *self, double part)
{
    return self->base.channel_count == 1 || part <= part_knee ? part : part_knee * (1 + log(part / part_knee));
}

/* One row by member m: the mean over the channels that are there. */
static double judge(self_type *self, size_t m, const float *values)
{
    const double share = fading(self);
    double sum = 0, count = 0;
    for (size_t c = 0; c < self->base.channel_count; c++) {
        if (isnan(values[c])) continue;
        const double part = surprise(self, m, c, values[c]);
        if (m == 0) self->now.smoothed[c] += share * (part - self->now.smoothed[c]);
        sum += softened(self, part);
        count++;
    }
    return sum / count;
}

static void score_row(self_type *self, const float *values, tcs_score *ret_score)
{
    const double share = fading(self);
    double mean = 0, squares = 0;
    for (size_t m = 0; m < self->options.members; m++) {
        self->now.levels[m] += share * (judge(self, m, values) - self->now.levels[m]);
        const double value = sqrt(self->now.levels[m]), step = value - mean;
        mean += step / (double)(m + 1);
        squares += step * (value - mean);
    }
    *ret_score = (tcs_score){ .state = TCS_SCORE_READY, .value = mean, .noise = (float)self->noise,
                              .uncertainty = (float)sqrt(squares / (double)self->options.members) };
}

void tcsi_forecaster_push(tcsi_detector *base, const tcsi_row *row, tcs_score *ret_score)
{
    self_type *self = (self_type *)base;
    float *values = self->row;
    const size_t due = due_count(self);
    for (size_t c = 0; c < base->channel_count; c++) values[c] = tcsi_sequence_value(&self->form, c, row->values[c]);
    if (self->now.row_count >= WARMUP && ret_score->state == TCS_SCORE_WARMUP) score_row(self, values, ret_score);
    for (size_t c = 0; c < base->channel_count; c++) {
        if (isnan(values[c])) continue;
        const double unclipped = tcsi_scale_one(&self->form.scales[c], row->values[c]);
        for (size_t h = 0; h < due; h++) tcsi_bands_follow(&self->bands, h * base->channel_count + c, band_error(self, h, c, unclipped));
        self->now.last[c] = values[c];
    }
    go_on(self);
}

bool tcsi_forecaster_forecast(const tcsi_detector *base, size_t channel, size_t index, tcsi_forecast *ret_forecast)
{
    const self_type *self = (const self_type *)base;
    const tcsi_scale *scale = &self->form.scales[channel];
    const float *radii = self->bands.radii + (index * base->channel_count + channel) * TCSI_FORECAST_LEVEL_COUNT;
    double location, noise, doubt;
    if (!base->is_fitted || index >= self->horizon_count || self->now.row_count == 0) return false;
    agree(self, self->now.row_count - 1, index, channel, &location, &noise, &doubt);
    *ret_forecast = (tcsi_forecast){ .ahead = horizons[index], .median = scale->center + location * scale->spread,
                                     .noise = noise * scale->spread, .doubt = doubt * scale->spread };
    for (size_t i = 0; i < TCSI_FORECAST_LEVEL_COUNT; i++) {
        const double half = (double)radii[i] * hypot(noise, doubt) * scale->spread;
        ret_forecast->low[i] = ret_forecast->median - half;
        ret_forecast->high[i] = ret_forecast->median + half;
    }
    return true;
}

void tcsi_forecaster_contribute(const tcsi_detector *base, double *ret_parts)
{
    memcpy(ret_parts, ((const self_type *)base)->now.smoothed, base->channel_count * sizeof(double));
}

size_t tcsi_forecaster_horizon(const tcsi_detector *base)
{
    return ((const self_type *)base)->form.window_row_count;
}

/* ---- what is usual: measured on rows that were not learned from ---- */

typedef struct usual_work {
    const tcsi_sequence *sequence;
    size_t begin, count; /* its rows [begin, begin + count) were held out */
    double *errors;      /* (count,H,C) in the bands' scales, NaN: not known */
    double *parts;       /* (members,count,C) surprises, NaN: not known */
    double *column;      /* (count) */
} usual_work;

static void take_errors(self_type *self, const usual_work *work, size_t t, const float *targets)
{
    const size_t channels = self->base.channel_count, i = t - work->begin;
    for (size_t c = 0; c < channels; c++)
        for (size_t h = 0; h < H; h++) {
            const bool is_known = h < self->horizon_count && horizons[h] <= i && !isnan(targets[c]);
            work->errors[(i * H + h) * channels + c] = is_known ? band_error(self, h, c, (double)targets[c]) : NAN;
        }
}

static void take_parts(self_type *self, const usual_work *work, size_t m, size_t t, const float *targets)
{
    const size_t channels = self->base.channel_count;
    for (size_t c = 0; c < channels; c++) {
        const double part = isnan(targets[c]) || self->now.row_count < WARMUP ? NAN : surprise(self, m, c, targets[c]);
        if (t >= work->begin) work->parts[(m * work->count + t - work->begin) * channels + c] = part;
    }
}

/* Reads the training rows again; drift_squares (members,H,C) are summed unless NULL. */
static void read_again(self_type *self, const usual_work *work, double *drift_squares)
{
    const size_t channels = self->base.channel_count, members = self->options.members;
    tcsi_forecaster_reset(&self->base);
    for (size_t t = 0; t < work->sequence->step_count; t++) {
        const float *targets = work->sequence->targets.values + t * channels;
        if (drift_squares && t >= work->begin) take_errors(self, work, t, targets);
        for (size_t m = 0; m < members; m++) take_parts(self, work, m, t, targets);
        for (size_t i = 0; drift_squares && i < members * H * channels; i++) drift_squares[i] += self->now.drifts[i] * self->now.drifts[i];
        memcpy(self->now.last, work->sequence->values.values + t * work->sequence->input_count, channels * sizeof(float));
        go_on(self);
    }
}

static double usual_of(double *parts, size_t count)
{
    const size_t known = tcsi_present_copy(parts, count, parts);
    return known == 0 ? 1 : fmin(usual_max, fmax(1, tcsi_mean(parts, known)));
}

/* The mean squares of drifts and parts of each member; then of a drift, which has few independent values, those of all rows. */
static void find_usual(self_type *self, const usual_work *work)
{
    const size_t channels = self->base.channel_count, members = self->options.members;
    double *squares = work->column; /* has room */
    for (size_t i = 0; i < members * H * channels; i++) self->drift_usual[i] = 1;
    for (size_t i = 0; i < members * channels; i++) self->usual[i] = 1;
    memset(squares, 0, members * H * channels * sizeof *squares);
    read_again(self, work, squares);
    for (size_t i = 0; i < members * H * channels; i++)
        self->drift_usual[i] = fmin(z_max, fmax(sqrt(squares[i] / (double)work->sequence->step_count), drift_min));
    read_again(self, work, NULL);
    for (size_t i = 0; i < members * channels; i++) {
        const size_t m = i / channels, c = i % channels;
        for (size_t k = 0; k < work->count; k++) work->column[k] = work->parts[(m * work->count + k) * channels + c];
        self->usual[i] = usual_of(work->column, work->count);
    }
}

static void find_bands(self_type *self, const usual_work *work)
{
    const size_t series = H * self->base.channel_count;
    for (size_t i = 0; i < series; i++) {
        for (size_t k = 0; k < work->count; k++) work->column[k] = work->errors[k * series + i];
        tcsi_bands_learn(&self->bands, i, work->column, work->count);
    }
}

/* Deviation of the held-out rows' scores, by the first member. */
static void find_noise(self_type *self, const usual_work *work)
{
    const size_t channels = self->base.channel_count;
    double level = 0;
    size_t known = 0;
    for (size_t i = 0; i < work->count; i++) {
        double sum = 0, present = 0;
        for (size_t c = 0; c < channels; c++) {
            const double part = work->parts[i * channels + c] / self->usual[c];
            if (isnan(part)) continue;
            sum += softened(self, part);
            present++;
        }
        if (present == 0) continue;
        level += (known ? fading(self) : 1) * (sum / present - level);
        work->column[known++] = sqrt(level);
    }
    self->noise = known > 0 ? tcsi_deviation(work->column, known) : 0;
}

static tcs_status measure(self_type *self, const tcsi_sequence *sequence, size_t held_begin, tcs_error *err)
{
    const size_t channels = sequence->channel_count, count = sequence->step_count - held_begin;
    usual_work work = { .sequence = sequence, .begin = held_begin, .count = count };
    work.errors = TCSI_NEW_ARRAY(double, count * H * channels);
    work.parts = TCSI_NEW_ARRAY(double, self->options.members * count * channels);
    work.column = TCSI_NEW_ARRAY(double, count + self->options.members * H * channels);
    tcs_status status = work.errors && work.parts && work.column ? TCS_OK : tcsi_fail_memory(err, "what is usual");
    if (status == TCS_OK) {
        find_usual(self, &work);
        find_bands(self, &work);
        find_noise(self, &work);
    }
    tcsi_free(work.errors);
    tcsi_free(work.parts);
    tcsi_free(work.column);
    return status;
}

tcs_status tcsi_forecaster_fit(tcsi_detector *base, const tcsi_frame *train, tcs_error *err)
{
    self_type *self = (self_type *)base;
    tcsi_sequence_form form = { 0 };
    tcsi_sequence sequence = { 0 };
    size_t held_begin = 0;
    const tcsi_sequence_wish wish = tcsi_fleet_wish(&self->fleet, 0, 0);
    tcs_status status = tcsi_sequence_form_learn(train, &wish, &form, err);
    if (status == TCS_OK) status = tcsi_sequence_init(train, &form, &sequence, err);
    if (status == TCS_OK) status = learn(self, &sequence, &form, train->times_ns, &held_begin, err);
    if (status == TCS_OK) {
        tcsi_sequence_form_deinit(&self->form);
        self->form = form;
        form = (tcsi_sequence_form){ 0 };
        status = measure(self, &sequence, held_begin, err);
    }
    tcsi_sequence_deinit(&sequence);
    tcsi_sequence_form_deinit(&form);
    tcsi_forecaster_reset(base);
    return status;
}

/* ---- saved form and sizes ---- */

static bool state_ok(const self_type *self)
{
    const size_t channels = self->base.channel_count, row_size = 2 * self->options.members * H * channels;
    bool fine = self->horizon_count > 0 && self->horizon_count <= H && self->noise >= 0 && self->noise <= z_max;
    for (size_t m = 0; m < self->options.members; m++) fine &= self->now.levels[m] >= 0 && self->now.levels[m] <= part_max;
    for (size_t c = 0; c < channels; c++)
        fine &= fabs((double)self->now.last[c]) <= TCSI_SEQUENCE_MAX && self->now.smoothed[c] >= 0 &&
                self->now.smoothed[c] <= part_max;
    for (size_t i = 0; i < self->options.members * channels; i++) fine &= self->usual[i] >= 1 && self->usual[i] <= usual_max;
    for (size_t i = 0; i < self->options.members * H * channels; i++)
        fine &= self->drift_usual[i] >= drift_min && self->drift_usual[i] <= z_max;
    for (size_t i = 0; i < self->options.members * H * channels; i++) fine &= fabs(self->now.drifts[i]) <= z_max;
    for (size_t i = 0; i < said_count(self); i++) {
        const bool is_scale = i / channels % 2, is_said = i / row_size < self->now.row_count;
        fine &= isfinite(self->now.said[i]) && (!is_scale || !is_said || self->now.said[i] > 0);
    }
    return fine;
}

void tcsi_forecaster_persist(tcsi_detector *base, tcsi_codec *codec)
{
    self_type *self = (self_type *)base;
    tcsi_codec_tag(codec, "DPF3");
    tcsi_fleet_persist(&self->fleet, self->options.members, self->members[0].net, self->loss, codec);
    tcsi_codec_size(codec, &self->fleet_horizon_count, H);
    if (tcsi_fleet_known(&self->fleet) && self->fleet_horizon_count == 0) tcsi_codec_refuse(codec, "a fleet without a horizon");
    if (tcsi_codec_status(codec) != TCS_OK || !base->is_fitted) return;
    tcsi_sequence_form_persist(&self->form, base->channel_count, self->options.facts, codec);
    tcsi_codec_size(codec, &self->horizon_count, H);
    if (tcsi_codec_status(codec) != TCS_OK) return;
    put_facts(self);
    for (size_t m = 0; m < self->options.members; m++) {
        tcsi_net_persist(self->members[m].net, codec);
        tcsi_stream_net_persist(self->members[m].stream, codec);
    }
    tcsi_bands_persist(&self->bands, codec);
    tcsi_codec_f64(codec, &self->noise);
    tcsi_codec_f64s(codec, self->usual, self->options.members * base->channel_count);
    tcsi_codec_u64(codec, &self->now.row_count);
    tcsi_codec_f32s(codec, self->now.last, base->channel_count);
    tcsi_codec_f32s(codec, self->now.said, said_count(self));
    tcsi_codec_f64s(codec, self->now.smoothed, base->channel_count);
    tcsi_codec_f64s(codec, self->now.drifts, self->options.members * H * base->channel_count);
    tcsi_codec_f64s(codec, self->drift_usual, self->options.members * H * base->channel_count);
    tcsi_codec_f64s(codec, self->now.levels, self->options.members);
    if (tcsi_codec_loading(codec) && tcsi_codec_status(codec) == TCS_OK && !state_ok(self))
        tcsi_codec_refuse(codec, "a state out of range");
}

size_t tcsi_forecaster_size_max(const tcsi_detector *base, size_t row_count)
{
    const self_type *self = (const self_type *)base;
    const size_t channels = base->channel_count, steps = self->options.steps, members = self->options.members;
    const size_t facts = self->options.facts, inputs = tcsi_size_sum(channels, facts);
    const tcsi_net *net = self->members[0].net;
    size_t each = tcsi_net_size(net) + tcsi_stream_net_size(self->members[0].stream) + sizeof(tcsi_forecaster_member);
    each += ((2 * H + 1) * channels + 1) * sizeof(double);
    size_t size = tcsi_size_sum(sizeof *self + tcsi_plan_size(self->training), tcsi_size_product(each, members));
    size = tcsi_size_sum(size, tcsi_size_product(channels, 2 * sizeof(float) + sizeof(double) + 2 * sizeof(tcsi_scale)));
    size = tcsi_size_sum(size, tcsi_size_product(said_count(self), sizeof(float)));
    size = tcsi_size_sum(size, tcsi_bands_size(tcsi_size_product(channels, H)));
    size = tcsi_size_sum(size, tcsi_size_sum(tcsi_size_product(facts, sizeof(float)), tcsi_fleet_memory_size(&self->fleet, members)));
    size = tcsi_size_sum(size, tcsi_penalty_size_max(&self->penalty, row_count));
    if (row_count == 0) return size;
    size_t cells = tcsi_size_product(row_count, channels);
    size = tcsi_size_sum(size, tcsi_size_product(cells, H * sizeof(float) + (H + members) * sizeof(double))); /* targets; what is usual */
    size = tcsi_size_sum(size, tcsi_size_product(tcsi_size_sum(row_count, members * H * channels), sizeof(double)));
    size = tcsi_size_sum(size, tcsi_size_sum(tcsi_chances_size_max(row_count), tcsi_sequence_size_max(row_count, channels, facts)));
    size = tcsi_size_sum(size, tcsi_size_product(row_count, tcsi_size_product(facts, sizeof(float)))); /* of a fleet, beside a sequence */
    return tcsi_size_sum(size, tcsi_learner_size_max(net, row_count, steps, inputs, H * channels));
}
