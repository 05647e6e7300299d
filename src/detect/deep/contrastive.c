/* detect/deep/contrastive.c -- patches that a contrastive encoder places far from all others.
 *
 * A patch is a window of the sequence, about one period long; each channel loses its mean and is divided by sqrt(variance + floor^2), so
 * that the amplitude stays as long as it is small and is compressed when it is large.  The encoder gives it a place:
 *
 *     patch (W,C) -> 3 x [convolution, batch norm, ReLU]: hidden, 2 hidden, hidden channels, kernels 7, 5, 3 -> mean over steps: z (D)
 *
 * and is trained without labels: through a head of two dense layers, which only training uses, a patch shall recognize its positive among
 * those of the whole batch (InfoNCE: A. van den Oord et al. 2018, equation 4), or shall be nearer to it than to the farthest patch of the
 * batch by a margin (J. Park et al., "PaAno: patch-based representation learning for time-series anomaly detection", 2025, whose encoder
 * and bank of patches this detector follows).  The positive is the patch one period away: what differs between cycles that are all normal
 * is what the encoder may forget.  PaAno's is a step or two away.
 *
 * Distances are Mahalanobis': z is whitened by mean and covariance of what was learned from.  Most of an embedding's variance is the phase
 * of the season, and an anomaly is what leaves that curve by a little; whitening makes the little count (docs/internals/deep.md has the
 * figures).  A patch scores the mean distance to its nearest ones in a bank of the series itself, those that overlap it left out
 * (memory_bank.h); a row the mean over the patches that cover it, smoothed over a period.  Training rows teach encoder and whitening but
 * are no second bank: they would find themselves there, and every later row would look unusual beside them.
 *
 * Finds: unusual shapes, noise, rhythm and sizes anywhere in a window.  Misses: shifts of level that last (each patch loses its mean), what
 * happens as often as there are neighbours.  Says nothing about channels.
 * Cost: training on `epochs` x 64 x 2 patches, whatever the length; then one patch every W / 8 steps or fewer, 17 k multiply-adds for each
 * of its steps, and its distances to `bank_size` points.
 * SPDX-License-Identifier: Apache-2.0 */
#include "detect/deep/contrastive.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "detect/deep/memory_bank.h"
#include "kernels/linalg.h"
#include "nn/train.h"
#include "series/moving.h"

#include <math.h>
#include <string.h>

enum {
    BATCH = TCSI_LEARNER_BATCH,
    LAYER_COUNT = 3,
    LINK_MAX = 3 * LAYER_COUNT + 3,
    STRIDES_A_WINDOW = 8,   /* of a long series */
    PATCH_COUNT_DENSE = 3000, /* so many patches are looked at before the stride grows */
    WHITENING_COUNT_MAX = 4096, /* patches that the covariance is taken from */
};
static const double ridge = 0.001, distance_max = 1e12, value_max = 1e30;

typedef tcsi_contrastive self_type;

/* ---- the network ---- */

/* From a patch to its projection, node by node, so that the positive's can share the weights. */
typedef struct chain {
    tcsi_node_id links[LINK_MAX];
    size_t count;
} chain;

static tcsi_node_id append(chain *c, tcsi_node_id node)
{
    c->links[c->count++] = node;
    return node;
}

/* The same layers on another input. */
static tcsi_node_id again(tcsi_net *net, const chain *c, tcsi_node_id x)
{
    for (size_t i = 0; i < c->count; i++) x = tcsi_net_share(net, c->links[i], &x, 1);
    return x;
}

/* Returns the embedding, (B,1,D). */
static tcsi_node_id build_encoder(tcsi_net *net, tcsi_node_id x, size_t hidden, chain *c)
{
    const size_t kernels[LAYER_COUNT] = { 7, 5, 3 }, channels[LAYER_COUNT] = { hidden, 2 * hidden, hidden };
    for (size_t i = 0; i < LAYER_COUNT; i++) {
        tcsi_net_scope(net, "encoder.%zu", i);
        x = append(c, tcsi_nn_conv(net, x, &(tcsi_conv_options){ .channels = channels[i], .kernel = kernels[i],
                                                                 .padding = TCSI_PADDING_SAME, .without_bias = true }));
        tcsi_net_scope(net, "norm.%zu", i);
        x = append(c, tcsi_nn_batch_norm(net, x, &(tcsi_batch_norm_options){ 0 }));
        x = append(c, tcsi_nn_unary(net, x, TCSI_UNARY_RELU));
    }
    return append(c, tcsi_nn_global_mean(net, x));
}

/* Two dense layers; ret_chain: they, to be shared, or NULL. */
static tcsi_node_id answer(tcsi_net *net, const char *name, tcsi_node_id z, size_t hidden, size_t units, chain *ret_chain)
{
    tcsi_net_scope(net, "%s.0", name);
    const tcsi_node_id h = tcsi_nn_dense(net, z, &(tcsi_dense_options){ .units = hidden, .activation = TCSI_ACTIVATION_RELU });
    tcsi_net_scope(net, "%s.1", name);
    const tcsi_node_id y = tcsi_nn_dense(net, h, &(tcsi_dense_options){ .units = units });
    if (ret_chain) *ret_chain = (chain){ .links = { h, y }, .count = 2 };
    return y;
}

/* Beside the loss that keeps places apart, those of giving a patch back, of foretelling the next one's place, and of telling from that one
 * where this one was. */
static tcsi_window_net_nodes build_all(tcsi_net *net, tcsi_node_id x, tcsi_node_id z, tcsi_node_id next_z, tcsi_node_id apart,
                                       const tcsi_window_net_options *opt)
{
    chain recall;
    const tcsi_node_id flat = tcsi_nn_flatten(net, x);
    const tcsi_node_id seen = answer(net, "seen", z, opt->latent, tcsi_net_shape(net, flat).channels, NULL);
    const tcsi_node_id next = answer(net, "next", z, opt->latent, opt->hidden, NULL);
    const tcsi_node_id last = answer(net, "last", next_z, opt->latent, opt->hidden, &recall);
    const tcsi_node_id losses[] = { apart, tcsi_nn_loss_squared(net, seen, flat), tcsi_nn_loss_squared(net, next, next_z),
                                    tcsi_nn_loss_squared(net, last, z) };
    const float context = (float)opt->context / 2, weights[] = { (float)opt->embedding, (float)opt->reconstruction, context, context };
    const tcsi_node_id outputs[] = { z, next, again(net, &recall, z), seen };
    return (tcsi_window_net_nodes){ .output = tcsi_nn_concat(net, outputs, TCS_COUNT(outputs)),
                                    .loss = tcsi_nn_loss_sum(net, losses, weights, TCS_COUNT(losses)) };
}

static tcsi_window_net_nodes build(tcsi_net *net, tcsi_node_id x, tcsi_node_id positive, const tcsi_window_net_options *opt, bool triplet)
{
    chain c = { .count = 0 };
    const tcsi_node_id z = build_encoder(net, x, opt->hidden, &c);
    const tcsi_node_id h = append(&c, tcsi_window_net_dense(net, "head.0", z, opt->latent, TCSI_ACTIVATION_RELU));
    const tcsi_node_id anchor = append(&c, tcsi_window_net_dense(net, "head.1", h, opt->latent, TCSI_ACTIVATION_NONE));
    tcsi_node_id other = positive, other_z = positive;
    for (size_t i = 0; i < c.count; i++) {
        other = tcsi_net_share(net, c.links[i], &other, 1);
        if (c.links[i] == z) other_z = other;
    }
    const tcsi_node_id apart = triplet ? tcsi_nn_loss_farthest(net, anchor, other, 0) : tcsi_nn_loss_infonce(net, anchor, other, 0);
    if (opt->reconstruction > 0 || opt->context > 0) return build_all(net, x, z, other_z, apart, opt);
    return (tcsi_window_net_nodes){ .output = z, .loss = apart };
}

static tcsi_window_net_nodes build_triplet(tcsi_net *net, tcsi_node_id x, tcsi_node_id positive, const tcsi_window_net_options *opt)
{
    return build(net, x, positive, opt, true);
}

static tcsi_window_net_nodes build_infonce(tcsi_net *net, tcsi_node_id x, tcsi_node_id positive, const tcsi_window_net_options *opt)
{
    return build(net, x, positive, opt, false);
}

/* ---- life ---- */

tcs_status tcsi_contrastive_init(tcsi_detector *base, tcs_error *err)
{
    self_type *self = (self_type *)base;
    const size_t size = self->base.options.hidden;
    tcs_status status = tcsi_window_net_init(&self->base, self->triplet ? build_triplet : build_infonce, err);
    if (status != TCS_OK) return status;
    self->center = TCSI_NEW_ZEROS(double, size);
    self->factor = TCSI_NEW_ZEROS(double, size * size);
    return self->center && self->factor ? TCS_OK : tcsi_fail_memory(err, "a covariance");
}

void tcsi_contrastive_deinit(tcsi_detector *base)
{
    self_type *self = (self_type *)base;
    tcsi_free(self->center);
    tcsi_free(self->factor);
    tcsi_window_net_deinit(&self->base);
}

/* ---- patches ---- */

/* The patch at start, (W,C), as the encoder reads it. */
static void take_patch(const self_type *self, const tcsi_lesson *lesson, size_t start, float *ret_patch)
{
    const size_t window = lesson->window, channels = lesson->input_channels;
    const float *x = lesson->inputs + start * channels;
    for (size_t c = 0; c < channels; c++) {
        double sum = 0, squares = 0;
        for (size_t u = 0; u < window; u++) sum += (double)x[u * channels + c];
        const double mean = sum / (double)window;
        for (size_t u = 0; u < window; u++) squares += ((double)x[u * channels + c] - mean) * ((double)x[u * channels + c] - mean);
        const double factor = 1 / sqrt(squares / (double)window + self->floor * self->floor);
        for (size_t u = 0; u < window; u++) ret_patch[u * channels + c] = (float)(factor * ((double)x[u * channels + c] - mean));
    }
}

/* ---- learning the encoder ---- */

static bool is_combined(const self_type *self)
{
    return self->base.options.reconstruction > 0 || self->base.options.context > 0;
}

/* Steps from a patch to the one a period away, more than the radius. */
static size_t steps_apart(const self_type *self)
{
    const size_t period = self->base.form.window_row_count / self->base.form.factor;
    return period > self->radius ? period : self->radius + 1;
}

/* How many steps away a positive shall be, before or after. */
static size_t draw_offset(const self_type *self, tcsi_rng *rng)
{
    const size_t apart = steps_apart(self);
    if (self->nearby) return 1 + tcsi_rng_below(rng, self->radius);
    return apart - self->radius + tcsi_rng_below(rng, 2 * self->radius + 1);
}

/* The patch so far after start or before it, whichever is within the sequence; the nearest there is when none is. */
static size_t draw_positive(const self_type *self, size_t start, size_t last, tcsi_rng *rng)
{
    const size_t offset = draw_offset(self, rng);
    const bool fits_after = offset <= last - start, fits_before = offset <= start, wants_after = tcsi_rng_u32(rng) & 1u;
    if (fits_after && (wants_after || !fits_before)) return start + offset;
    return fits_before ? start - offset : start < last ? start + 1 : start > 0 ? start - 1 : 0;
}

static void take_step(self_type *self, const tcsi_lesson *lesson, tcsi_trainer *trainer, size_t step, float *anchors, float *positives)
{
    const size_t size = lesson->window * lesson->input_channels, last = tcsi_lesson_window_count(lesson) - 1;
    const size_t reach = steps_apart(self) + self->radius;
    const bool has_next = is_combined(self) && reach <= last / 2;
    tcsi_rng rng = tcsi_rng_make(self->base.base.seed, step);
    for (size_t b = 0; b < BATCH; b++) {
        const size_t start = tcsi_rng_below(&rng, (has_next ? last - reach : last) + 1);
        const size_t positive = has_next ? start + draw_offset(self, &rng) : draw_positive(self, start, last, &rng);
        take_patch(self, lesson, start, anchors + b * size);
        take_patch(self, lesson, positive, positives + b * size);
    }
    const tcsi_run run = { .inputs = { anchors, positives }, .batch = BATCH, .is_training = true, .is_stochastic = true,
                           .seed = self->base.base.seed, .step = step };
    (void)tcsi_trainer_step(trainer, self->base.training, self->base.base.pool, &run);
}

static tcs_status train(self_type *self, const tcsi_lesson *lesson, tcs_error *err)
{
    const size_t size = BATCH * lesson->window * lesson->input_channels, steps = self->base.options.epochs;
    const tcsi_train_options options = { .schedule = TCSI_SCHEDULE_COSINE, .rate = self->base.options.rate,
                                         .rate_end = self->base.options.rate / 10, .step_count = steps, .decay = 1e-4 };
    tcsi_floats patches = { 0 };
    tcsi_trainer *trainer = NULL;
    tcsi_net_start(self->base.net);
    tcs_status status = tcsi_floats_init(&patches, 2 * size) ? TCS_OK : tcsi_fail_memory(err, "patches");
    if (status == TCS_OK) status = tcsi_trainer_create(self->base.net, &options, &trainer, err);
    for (size_t step = 0; step < steps && status == TCS_OK; step++) {
        take_step(self, lesson, trainer, step, patches.values, patches.values + size);
        status = tcsi_progress_report(self->base.base.progress, (double)(step + 1) / (double)steps, err);
    }
    tcsi_trainer_destroy(trainer);
    tcsi_floats_deinit(&patches);
    return status;
}

/* ---- descriptors: embeddings of patches, whitened ---- */

static size_t stride_of(const self_type *self, size_t patch_count)
{
    const size_t most = self->base.options.steps / STRIDES_A_WINDOW, enough = (patch_count - 1) / PATCH_COUNT_DENSE + 1;
    return enough < most ? enough : most;
}

enum { NEXT, LAST, SIDES };

/* What the network makes of the patches of a sequence: where it places them (N,D), and, when it also gives them back and foretells, where
 * it says that the next and the last one lie, a period away (N,D), and the root mean square of what it does not give back (N). */
typedef struct sight {
    tcsi_descriptors places, said[SIDES];
    double *errors, *surprises;
} sight;

static void sight_deinit(sight *s)
{
    tcsi_descriptors_deinit(&s->places);
    for (size_t side = 0; side < SIDES; side++) tcsi_descriptors_deinit(&s->said[side]);
    tcsi_free(s->errors);
    tcsi_free(s->surprises);
}

static double root_mean_square(const float *a, const float *b, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
    return fmin(distance_max, sqrt(sum / (double)count));
}

/* Patches of one batch, from the n-th on, and what came out of the network. */
static void take_outputs(sight *s, size_t n, size_t count, size_t patch_size, const float *patches, const float *outputs)
{
    const size_t width = s->places.size, step = s->errors ? (1 + SIDES) * width + patch_size : width;
    for (size_t b = 0; b < count; b++, n++, patches += patch_size, outputs += step) {
        memcpy(s->places.values.values + n * width, outputs, width * sizeof(float));
        if (!s->errors) continue;
        for (size_t side = 0; side < SIDES; side++)
            memcpy(s->said[side].values.values + n * width, outputs + (1 + side) * width, width * sizeof(float));
        s->errors[n] = root_mean_square(outputs + (1 + SIDES) * width, patches, patch_size);
    }
}

static tcs_status embed(self_type *self, const tcsi_lesson *lesson, sight *s, tcs_error *err)
{
    const size_t size = lesson->window * lesson->input_channels;
    tcsi_floats patches = { 0 };
    if (!tcsi_floats_init(&patches, BATCH * size)) return tcsi_fail_memory(err, "patches");
    for (size_t begin = 0; begin < s->places.count; begin += BATCH) {
        const size_t left = s->places.count - begin, count = left < BATCH ? left : BATCH;
        for (size_t b = 0; b < count; b++) take_patch(self, lesson, (begin + b) * s->places.stride, patches.values + b * size);
        /* The positive is an input of the net too, but this plan runs nothing that reads it. */
        const tcsi_run run = { .inputs = { patches.values, patches.values }, .batch = count, .seed = self->base.base.seed };
        tcsi_plan_forward(self->base.scoring, self->base.base.pool, &run);
        take_outputs(s, begin, count, size, patches.values, tcsi_plan_values(self->base.scoring, self->base.nodes.output));
    }
    tcsi_floats_deinit(&patches);
    return TCS_OK;
}

/* Of points (count,size); where nothing varies, or nothing is finite, distances stay as they are. */
static tcs_status find_whitening(const double *points, size_t count, size_t size, double *center, double *factor, tcs_error *err)
{
    double trace = 0;
    tcs_status status = tcsi_covariance(points, count, size, center, factor, err);
    if (status != TCS_OK) return status;
    for (size_t i = 0; i < size; i++) trace += factor[i * size + i];
    for (size_t i = 0; i < size; i++) factor[i * size + i] += ridge * trace / (double)size;
    if (trace > 0 && trace < value_max && tcsi_cholesky_factor(factor, size)) return TCS_OK;
    for (size_t i = 0; i < size; i++) {
        center[i] = 0;
        for (size_t j = 0; j < size; j++) factor[i * size + j] = i == j;
    }
    return TCS_OK;
}

/* Of evenly chosen embeddings. */
static tcs_status learn_whitening(self_type *self, const tcsi_descriptors *embeddings, tcs_error *err)
{
    const size_t size = embeddings->size, step = (embeddings->count - 1) / WHITENING_COUNT_MAX + 1;
    const size_t count = (embeddings->count - 1) / step + 1;
    double *x = TCSI_NEW_ARRAY(double, count * size);
    if (!x) return tcsi_fail_memory(err, "a covariance");
    for (size_t n = 0; n < count; n++)
        for (size_t i = 0; i < size; i++) x[n * size + i] = (double)embeddings->values.values[n * step * size + i];
    tcs_status status = find_whitening(x, count, size, self->center, self->factor, err);
    tcsi_free(x);
    return status;
}

/* So that a squared distance is the mean over D coordinates. */
static void whiten(const self_type *self, tcsi_descriptors *descriptors, double *scratch)
{
    const size_t size = descriptors->size;
    const double scale = 1 / sqrt((double)size);
    for (size_t n = 0; n < descriptors->count; n++) {
        float *z = descriptors->values.values + n * size;
        for (size_t i = 0; i < size; i++) scratch[i] = (double)z[i] - self->center[i];
        tcsi_cholesky_solve_lower(self->factor, size, scratch);
        for (size_t i = 0; i < size; i++) z[i] = (float)(scale * scratch[i]);
    }
}

/* ---- surprises: how far a patch is from where the patches a period before and after place it ---- */

/* Room for the errors of foretelling, as they are usual in this series: their whitening, and what it is found from. */
typedef struct usual_errors {
    double *points, *center, *factor; /* (count,D), (D), (D,D) */
    size_t count, step;
} usual_errors;

/* Of what the patch `from` says of `to`, which is its next or last one. */
static void error_of(const sight *s, size_t side, size_t from, size_t to, double *ret)
{
    const size_t size = s->places.size;
    const float *said = s->said[side].values.values + from * size, *place = s->places.values.values + to * size;
    for (size_t i = 0; i < size; i++) ret[i] = (double)place[i] - (double)said[i];
}

/* In those units, the less of both, as one of the two may be the strange one; 0 where there is neither. */
static double surprise_of(const sight *s, const usual_errors *usual, size_t n, size_t period)
{
    const size_t size = s->places.size;
    double least = INFINITY, *error = usual->points; /* no longer needed */
    for (size_t side = 0; side < SIDES; side++) {
        double sum = 0;
        if (side == NEXT ? n < period : n + period >= s->places.count) continue;
        error_of(s, side, side == NEXT ? n - period : n + period, n, error);
        for (size_t i = 0; i < size; i++) error[i] -= usual->center[i];
        tcsi_cholesky_solve_lower(usual->factor, size, error);
        for (size_t i = 0; i < size; i++) sum += error[i] * error[i];
        least = fmin(least, sqrt(sum / (double)size));
    }
    return isinf(least) ? 0 : fmin(least, distance_max);
}

static tcs_status find_surprises(const self_type *self, sight *s, tcs_error *err)
{
    const size_t steps = self->base.form.window_row_count / self->base.form.factor, stride = s->places.stride, size = s->places.size;
    const size_t period = steps > stride ? (steps + stride / 2) / stride : 1, count = s->places.count;
    const size_t pairs = count > period ? count - period : 1;
    usual_errors usual = { .step = (pairs - 1) / WHITENING_COUNT_MAX + 1, .center = TCSI_NEW_ARRAY(double, size),
                           .factor = TCSI_NEW_ARRAY(double, size * size) };
    usual.count = (pairs - 1) / usual.step + 1;
    usual.points = TCSI_NEW_ZEROS(double, usual.count * size);
    tcs_status status = usual.points && usual.center && usual.factor ? TCS_OK : tcsi_fail_memory(err, "errors of foretelling");
    for (size_t k = 0; k < usual.count && status == TCS_OK && count > period; k++)
        error_of(s, NEXT, k * usual.step, k * usual.step + period, usual.points + k * size);
    if (status == TCS_OK) status = find_whitening(usual.points, usual.count, size, usual.center, usual.factor, err);
    for (size_t n = 0; n < count && status == TCS_OK; n++) s->surprises[n] = surprise_of(s, &usual, n, period);
    tcsi_free(usual.points);
    tcsi_free(usual.center);
    tcsi_free(usual.factor);
    return status;
}

/* ---- sights ---- */

static bool descriptors_init(tcsi_descriptors *descriptors, size_t count, size_t size, size_t stride)
{
    size_t cells;
    *descriptors = (tcsi_descriptors){ .count = count, .size = size, .stride = stride };
    return tcsi_multiply(count, size, &cells) && tcsi_floats_init(&descriptors->values, cells);
}

static bool sight_init(sight *s, size_t count, size_t size, size_t stride, bool is_whole)
{
    if (!descriptors_init(&s->places, count, size, stride)) return false;
    if (!is_whole) return true;
    s->errors = TCSI_NEW_ARRAY(double, count);
    s->surprises = TCSI_NEW_ARRAY(double, count);
    for (size_t side = 0; side < SIDES; side++)
        if (!descriptors_init(&s->said[side], count, size, stride)) return false;
    return s->errors && s->surprises;
}

/* The caller releases *ret_sight, always. */
static tcs_status describe(self_type *self, const tcsi_lesson *lesson, bool learns, sight *ret_sight, tcs_error *err)
{
    const size_t patch_count = tcsi_lesson_window_count(lesson), stride = stride_of(self, patch_count), size = self->base.options.hidden;
    double *scratch = TCSI_NEW_ARRAY(double, size);
    const bool fits = scratch && sight_init(ret_sight, (patch_count - 1) / stride + 1, size, stride, is_combined(self));
    tcs_status status = fits ? embed(self, lesson, ret_sight, err) : tcsi_fail_memory(err, "descriptors");
    if (status == TCS_OK && ret_sight->errors) status = find_surprises(self, ret_sight, err);
    if (status == TCS_OK && learns) status = learn_whitening(self, &ret_sight->places, err);
    if (status == TCS_OK) whiten(self, &ret_sight->places, scratch);
    tcsi_free(scratch);
    return status;
}

/* ---- learning ---- */

/* Form, encoder and whitening; the caller releases *ret_sequence and *ret_sight, always. */
static tcs_status learn(self_type *self, const tcsi_frame *frame, tcsi_sequence *ret_sequence, sight *ret_sight, tcs_error *err)
{
    const tcsi_window_net_options *opt = &self->base.options;
    tcsi_sequence_form form = { 0 };
    const tcsi_sequence_wish wish = { .window_row_count = opt->window, .steps = opt->steps };
    tcs_status status = tcsi_sequence_form_learn(frame, &wish, &form, err);
    if (status == TCS_OK) status = tcsi_sequence_init(frame, &form, ret_sequence, err);
    if (status == TCS_OK && ret_sequence->step_count < opt->steps)
        status = tcsi_fail(err, TCS_E_INVALID, "%s: %zu training rows: expected a window of %zu steps of %zu at least",
                           self->base.base.info->name, frame->row_count, opt->steps, form.factor);
    if (status != TCS_OK) {
        tcsi_sequence_form_deinit(&form);
        return status;
    }
    tcsi_sequence_form_deinit(&self->base.form);
    self->base.form = form;
    const tcsi_lesson lesson = tcsi_window_net_lesson(&self->base, ret_sequence);
    status = train(self, &lesson, err);
    return status == TCS_OK ? describe(self, &lesson, true, ret_sight, err) : status;
}

tcs_status tcsi_contrastive_fit(tcsi_detector *base, const tcsi_frame *train_frame, tcs_error *err)
{
    tcsi_sequence sequence = { 0 };
    sight seen = { 0 };
    tcs_status status = learn((self_type *)base, train_frame, &sequence, &seen, err);
    sight_deinit(&seen);
    tcsi_sequence_deinit(&sequence);
    return status;
}

/* ---- scoring ---- */

/* (N): of patches from the others of their series, which are not those that overlap. */
static tcs_status find_distances(const self_type *self, const tcsi_descriptors *descriptors, double *ret_distances, tcs_error *err)
{
    const tcsi_memory_search search = { self->neighbour_count, self->base.options.steps };
    tcsi_memory_bank bank = { 0 };
    tcs_status status = tcsi_memory_bank_init(descriptors, self->bank_size, &bank, err);
    if (status == TCS_OK) status = tcsi_memory_bank_distances(&bank, descriptors, &search, self->base.base.pool, ret_distances, err);
    tcsi_memory_bank_deinit(&bank);
    return status;
}

/* Adds numbers (N), from their median on and in median absolute deviations. */
static void add_scaled(double weight, const double *numbers, size_t count, double *scratch, double *sums)
{
    const tcsi_scale scale = tcsi_scale_robust(numbers, count, scratch);
    for (size_t n = 0; n < count; n++) sums[n] += weight * fmax(0, tcsi_scale_one(&scale, numbers[n]));
}

/* Distances become what all three parts say, by their weights; two more rooms of (N). */
static void combine(const self_type *self, const sight *s, double *sums, double *numbers, double *scratch)
{
    const tcsi_window_net_options *opt = &self->base.options;
    const size_t count = s->places.count;
    memcpy(numbers, sums, count * sizeof *numbers);
    memset(sums, 0, count * sizeof *sums);
    add_scaled(opt->embedding, numbers, count, scratch, sums);
    add_scaled(opt->reconstruction, s->errors, count, scratch, sums);
    add_scaled(opt->context, s->surprises, count, scratch, sums);
}

/* Patches -> steps (U): a straight line between their middles, then the mean over a window, which is that over the patches that cover a
 * step.  between: (U). */
static void place(const self_type *self, const tcsi_descriptors *descriptors, const double *distances, size_t step_count, double *between,
                  double *ret_steps)
{
    const double half = (double)(self->base.options.steps - 1) / 2, last = (double)(descriptors->count - 1);
    for (size_t u = 0; u < step_count; u++) {
        const double at = fmax(0, fmin(last, ((double)u - half) / (double)descriptors->stride)), whole = floor(at), share = at - whole;
        const size_t i = (size_t)whole;
        between[u] = fmin(distance_max, distances[i] + (share > 0 ? share * (distances[i + 1] - distances[i]) : 0));
    }
    tcsi_moving_mean(between, step_count, self->base.options.steps, ret_steps);
}

static tcs_status judge(const self_type *self, const tcsi_sequence *sequence, const sight *seen, tcs_score *ret_scores, tcs_error *err)
{
    const size_t count = seen->places.count, steps = sequence->step_count;
    double *distances = TCSI_NEW_ARRAY(double, count), *between = TCSI_NEW_ARRAY(double, steps), *ret_steps = TCSI_NEW_ARRAY(double, steps);
    tcs_status status = distances && between && ret_steps ? TCS_OK : tcsi_fail_memory(err, "scores");
    if (status == TCS_OK) status = find_distances(self, &seen->places, distances, err);
    if (status == TCS_OK) {
        if (is_combined(self)) combine(self, seen, distances, between, ret_steps); /* there are no more patches than steps */
        place(self, &seen->places, distances, steps, between, ret_steps);
        status = tcsi_window_net_spread(&self->base, sequence, ret_steps, ret_scores, err);
    }
    tcsi_free(distances);
    tcsi_free(between);
    tcsi_free(ret_steps);
    return status;
}

static tcs_status measure(self_type *self, const tcsi_frame *frame, tcsi_sequence *ret_sequence, sight *ret_sight,
                          tcs_error *err)
{
    tcs_status status = tcsi_sequence_init(frame, &self->base.form, ret_sequence, err);
    if (status != TCS_OK || ret_sequence->step_count < self->base.options.steps) return status;
    const tcsi_lesson lesson = tcsi_window_net_lesson(&self->base, ret_sequence);
    return describe(self, &lesson, false, ret_sight, err);
}

tcs_status tcsi_contrastive_score(tcsi_detector *base, const tcsi_frame *frame, tcs_score *ret_scores, tcs_error *err)
{
    self_type *self = (self_type *)base;
    tcsi_sequence sequence = { 0 };
    sight seen = { 0 };
    tcsi_window_net_mark(frame, ret_scores);
    if (!base->is_fitted && frame->row_count < self->base.options.steps) return TCS_OK; /* too short to learn from */
    tcs_status status = base->is_fitted ? measure(self, frame, &sequence, &seen, err)
                                        : learn(self, frame, &sequence, &seen, err);
    if (status == TCS_OK && seen.places.count > 0) status = judge(self, &sequence, &seen, ret_scores, err);
    sight_deinit(&seen);
    tcsi_sequence_deinit(&sequence);
    return status;
}

/* ---- what patches are like ---- */

static double place_distance(const void *context, size_t a, size_t b)
{
    const tcsi_descriptors *places = context;
    const float *x = places->values.values + a * places->size, *y = places->values.values + b * places->size;
    double sum = 0;
    for (size_t i = 0; i < places->size; i++) sum += ((double)x[i] - (double)y[i]) * ((double)x[i] - (double)y[i]);
    return fmin(distance_max, sqrt(sum));
}

/* By the distance of their places alone, also where the score has more parts. */
tcs_status tcsi_contrastive_regard(tcsi_detector *base, const tcsi_frame *frame, const tcsi_regard_wish *wish,
                                   tcsi_regard *ret_regard, tcs_error *err)
{
    self_type *self = (self_type *)base;
    tcsi_sequence sequence = { 0 };
    sight seen = { 0 };
    if (self->base.form.factor == 0) return tcsi_fail(err, TCS_E_UNSUPPORTED, "%s: nothing was learned yet", base->info->name);
    tcs_status status = measure(self, frame, &sequence, &seen, err);
    if (status == TCS_OK && seen.places.count == 0)
        status = tcsi_fail(err, TCS_E_UNSUPPORTED, "%s: fewer rows than a patch", base->info->name);
    if (status == TCS_OK) {
        const tcsi_patch_set set = { .count = seen.places.count, .row_step = seen.places.stride * sequence.factor,
                                     .row_length = self->base.options.steps * sequence.factor, .frame_row_count = frame->row_count,
                                     .distance = place_distance, .context = &seen.places };
        status = tcsi_regard_nearest(&set, wish, ret_regard, err);
    }
    sight_deinit(&seen);
    tcsi_sequence_deinit(&sequence);
    return status;
}

/* ---- saved form and sizes ---- */

void tcsi_contrastive_persist(tcsi_detector *base, tcsi_codec *codec)
{
    self_type *self = (self_type *)base;
    const size_t size = self->base.options.hidden;
    tcsi_window_net_persist(&self->base, codec);
    if (tcsi_codec_status(codec) != TCS_OK || !base->is_fitted) return;
    tcsi_codec_f64s(codec, self->center, size);
    tcsi_codec_f64s(codec, self->factor, size * size);
    bool fine = true;
    for (size_t i = 0; i < size && tcsi_codec_status(codec) == TCS_OK; i++) {
        fine &= fabs(self->center[i]) <= value_max && self->factor[i * size + i] > 0;
        for (size_t j = 0; j <= i; j++) fine &= fabs(self->factor[i * size + j]) <= value_max;
    }
    if (tcsi_codec_loading(codec) && tcsi_codec_status(codec) == TCS_OK && !fine) tcsi_codec_refuse(codec, "a covariance out of range");
}

size_t tcsi_contrastive_size_max(const tcsi_detector *base, size_t row_count)
{
    enum { BORDERS = 256, STEPS_DOUBLES = 3 };
    const self_type *self = (const self_type *)base;
    const size_t size = self->base.options.hidden;
    const size_t known = row_count < WHITENING_COUNT_MAX ? row_count : WHITENING_COUNT_MAX;
    size_t total = tcsi_size_sum(sizeof *self + size * (size + 2) * sizeof(double), tcsi_window_net_size_max(&self->base, row_count));
    if (row_count == 0) return total;
    total = tcsi_size_sum(total, tcsi_size_sum(tcsi_size_product(row_count, size * sizeof(float)), BORDERS));
    total = tcsi_size_sum(total, tcsi_size_product(row_count, STEPS_DOUBLES * sizeof(double)));
    total = tcsi_size_sum(total, known * size * sizeof(double));
    if (is_combined(self)) {
        total = tcsi_size_sum(total, tcsi_size_product(row_count, SIDES * size * sizeof(float) + 2 * sizeof(double)) + BORDERS);
        total = tcsi_size_sum(total, (known + size + 1) * size * sizeof(double));
    }
    return tcsi_size_sum(total, tcsi_memory_bank_size_max(self->bank_size, size, base->pool));
}

static const tcsi_parameter parameters[] = { TCSI_CONTRASTIVE_PARAMETERS(60) };
static const tcsi_detector_ops ops = TCSI_CONTRASTIVE_OPS(tcsi_contrastive_init);

const tcsi_detector_info tcsi_detector_contrastive = {
    .name = "contrastive",
    .title = "contrastive patch encoder with a memory bank",
    .paper = "J. Park et al.: PaAno: Patch-based representation learning for time-series anomaly detection. 2025; A. van den Oord, Y. Li, "
             "O. Vinyals: Representation learning with contrastive predictive coding. 2018, equation 4; K. Roth et al.: Towards total "
             "recall in industrial anomaly detection. CVPR 2022 (the bank)",
    .summary = "Distance of every patch to its nearest ones in a bank of patches of the series and of the training rows, between whitened "
               "embeddings of a small convolutional network that learns from neighbouring patches, without labels. Finds unusual shapes, "
               "noise and rhythms wherever they stand in a window; misses lasting shifts of level, and says nothing about channels.",
    TCSI_CONTRASTIVE_INFO,
};
