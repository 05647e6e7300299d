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
#include "base/alloc.h"
#include "base/rng.h"
#include "detect/deep/memory_bank.h"
#include "detect/deep/window_net.h"
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

typedef struct contrastive {
    tcsi_window_net base;    /* hidden: width of the encoder and size of an embedding, latent: of a projection */
    size_t radius, bank_size, neighbour_count;
    double floor;
    bool nearby, triplet;
    double *center, *factor; /* (D), (D,D): of the embeddings that were learned from, covariance = factor factor' */
} contrastive;
typedef contrastive self_type;

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

static tcsi_window_net_nodes build(tcsi_net *net, tcsi_node_id x, tcsi_node_id positive, const tcsi_window_net_options *opt, bool triplet)
{
    chain c = { .count = 0 };
    const tcsi_node_id z = build_encoder(net, x, opt->hidden, &c);
    const tcsi_node_id h = append(&c, tcsi_window_net_dense(net, "head.0", z, opt->latent, TCSI_ACTIVATION_RELU));
    const tcsi_node_id anchor = append(&c, tcsi_window_net_dense(net, "head.1", h, opt->latent, TCSI_ACTIVATION_NONE));
    for (size_t i = 0; i < c.count; i++) positive = tcsi_net_share(net, c.links[i], &positive, 1);
    return (tcsi_window_net_nodes){ .output = z, .loss = triplet ? tcsi_nn_loss_farthest(net, anchor, positive, 0)
                                                                 : tcsi_nn_loss_infonce(net, anchor, positive, 0) };
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

static tcs_status init(tcsi_detector *base, tcs_error *err)
{
    self_type *self = (self_type *)base;
    const size_t size = self->base.options.hidden;
    tcs_status status = tcsi_window_net_init(&self->base, self->triplet ? build_triplet : build_infonce, err);
    if (status != TCS_OK) return status;
    self->center = TCSI_NEW_ZEROS(double, size);
    self->factor = TCSI_NEW_ZEROS(double, size * size);
    return self->center && self->factor ? TCS_OK : tcsi_fail_memory(err, "a covariance");
}

static void deinit(tcsi_detector *base)
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

/* How many steps away a positive shall be, before or after. */
static size_t draw_offset(const self_type *self, tcsi_rng *rng)
{
    const size_t period = self->base.form.window_row_count / self->base.form.factor;
    const size_t apart = period > self->radius ? period : self->radius + 1;
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
    tcsi_rng rng = tcsi_rng_make(self->base.base.seed, step);
    for (size_t b = 0; b < BATCH; b++) {
        const size_t start = tcsi_rng_below(&rng, last + 1);
        take_patch(self, lesson, start, anchors + b * size);
        take_patch(self, lesson, draw_positive(self, start, last, &rng), positives + b * size);
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

static tcs_status embed(self_type *self, const tcsi_lesson *lesson, tcsi_descriptors *descriptors, tcs_error *err)
{
    const size_t size = lesson->window * lesson->input_channels, width = descriptors->size;
    tcsi_floats patches = { 0 };
    if (!tcsi_floats_init(&patches, BATCH * size)) return tcsi_fail_memory(err, "patches");
    for (size_t begin = 0; begin < descriptors->count; begin += BATCH) {
        const size_t left = descriptors->count - begin, count = left < BATCH ? left : BATCH;
        for (size_t b = 0; b < count; b++) take_patch(self, lesson, (begin + b) * descriptors->stride, patches.values + b * size);
        /* The positive is an input of the net too, but this plan runs nothing that reads it. */
        const tcsi_run run = { .inputs = { patches.values, patches.values }, .batch = count, .seed = self->base.base.seed };
        tcsi_plan_forward(self->base.scoring, self->base.base.pool, &run);
        memcpy(descriptors->values.values + begin * width, tcsi_plan_values(self->base.scoring, self->base.nodes.output),
               count * width * sizeof(float));
    }
    tcsi_floats_deinit(&patches);
    return TCS_OK;
}

/* Of evenly chosen embeddings; where nothing varies, or nothing is finite, distances stay as they are. */
static tcs_status learn_whitening(self_type *self, const tcsi_descriptors *embeddings, tcs_error *err)
{
    const size_t size = embeddings->size, step = (embeddings->count - 1) / WHITENING_COUNT_MAX + 1;
    const size_t count = (embeddings->count - 1) / step + 1;
    double *x = TCSI_NEW_ARRAY(double, count * size), trace = 0;
    if (!x) return tcsi_fail_memory(err, "a covariance");
    for (size_t n = 0; n < count; n++)
        for (size_t i = 0; i < size; i++) x[n * size + i] = (double)embeddings->values.values[n * step * size + i];
    tcs_status status = tcsi_covariance(x, count, size, self->center, self->factor, err);
    tcsi_free(x);
    if (status != TCS_OK) return status;
    for (size_t i = 0; i < size; i++) trace += self->factor[i * size + i];
    for (size_t i = 0; i < size; i++) self->factor[i * size + i] += ridge * trace / (double)size;
    if (trace > 0 && trace < value_max && tcsi_cholesky_factor(self->factor, size)) return TCS_OK;
    for (size_t i = 0; i < size; i++) {
        self->center[i] = 0;
        for (size_t j = 0; j < size; j++) self->factor[i * size + j] = i == j;
    }
    return TCS_OK;
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

/* The caller releases *ret_descriptors, always. */
static tcs_status describe(self_type *self, const tcsi_lesson *lesson, bool learns, tcsi_descriptors *ret_descriptors, tcs_error *err)
{
    const size_t patch_count = tcsi_lesson_window_count(lesson), stride = stride_of(self, patch_count), size = self->base.options.hidden;
    size_t cells;
    *ret_descriptors = (tcsi_descriptors){ .count = (patch_count - 1) / stride + 1, .size = size, .stride = stride };
    double *scratch = TCSI_NEW_ARRAY(double, size);
    bool fits = scratch && tcsi_multiply(ret_descriptors->count, size, &cells) && tcsi_floats_init(&ret_descriptors->values, cells);
    tcs_status status = fits ? embed(self, lesson, ret_descriptors, err) : tcsi_fail_memory(err, "descriptors");
    if (status == TCS_OK && learns) status = learn_whitening(self, ret_descriptors, err);
    if (status == TCS_OK) whiten(self, ret_descriptors, scratch);
    tcsi_free(scratch);
    return status;
}

/* ---- learning ---- */

/* Form, encoder and whitening; the caller releases *ret_sequence and *ret_descriptors, always. */
static tcs_status learn(self_type *self, const tcsi_frame *frame, tcsi_sequence *ret_sequence, tcsi_descriptors *ret_descriptors,
                        tcs_error *err)
{
    const tcsi_window_net_options *opt = &self->base.options;
    tcsi_sequence_form form = { 0 };
    const tcsi_sequence_wish wish = { .window_row_count = opt->window, .steps = opt->steps };
    tcs_status status = tcsi_sequence_form_learn(frame, &wish, &form, err);
    if (status == TCS_OK) status = tcsi_sequence_init(frame, &form, ret_sequence, err);
    if (status == TCS_OK && ret_sequence->step_count < opt->steps)
        status = tcsi_fail(err, TCS_E_INVALID, "contrastive: %zu training rows: expected a window of %zu steps of %zu at least",
                           frame->row_count, opt->steps, form.factor);
    if (status != TCS_OK) {
        tcsi_sequence_form_deinit(&form);
        return status;
    }
    tcsi_sequence_form_deinit(&self->base.form);
    self->base.form = form;
    const tcsi_lesson lesson = tcsi_window_net_lesson(&self->base, ret_sequence);
    status = train(self, &lesson, err);
    return status == TCS_OK ? describe(self, &lesson, true, ret_descriptors, err) : status;
}

static tcs_status fit(tcsi_detector *base, const tcsi_frame *train_frame, tcs_error *err)
{
    tcsi_sequence sequence = { 0 };
    tcsi_descriptors descriptors = { 0 };
    tcs_status status = learn((self_type *)base, train_frame, &sequence, &descriptors, err);
    tcsi_descriptors_deinit(&descriptors);
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

static tcs_status judge(const self_type *self, const tcsi_sequence *sequence, const tcsi_descriptors *descriptors, tcs_score *ret_scores,
                        tcs_error *err)
{
    double *distances = TCSI_NEW_ARRAY(double, descriptors->count), *between = TCSI_NEW_ARRAY(double, sequence->step_count);
    double *steps = TCSI_NEW_ARRAY(double, sequence->step_count);
    tcs_status status = distances && between && steps ? TCS_OK : tcsi_fail_memory(err, "scores");
    if (status == TCS_OK) status = find_distances(self, descriptors, distances, err);
    if (status == TCS_OK) {
        place(self, descriptors, distances, sequence->step_count, between, steps);
        status = tcsi_window_net_spread(&self->base, sequence, steps, ret_scores, err);
    }
    tcsi_free(distances);
    tcsi_free(between);
    tcsi_free(steps);
    return status;
}

static tcs_status measure(self_type *self, const tcsi_frame *frame, tcsi_sequence *ret_sequence, tcsi_descriptors *ret_descriptors,
                          tcs_error *err)
{
    tcs_status status = tcsi_sequence_init(frame, &self->base.form, ret_sequence, err);
    if (status != TCS_OK || ret_sequence->step_count < self->base.options.steps) return status;
    const tcsi_lesson lesson = tcsi_window_net_lesson(&self->base, ret_sequence);
    return describe(self, &lesson, false, ret_descriptors, err);
}

static tcs_status score(tcsi_detector *base, const tcsi_frame *frame, tcs_score *ret_scores, tcs_error *err)
{
    self_type *self = (self_type *)base;
    tcsi_sequence sequence = { 0 };
    tcsi_descriptors descriptors = { 0 };
    tcsi_window_net_mark(frame, ret_scores);
    if (!base->is_fitted && frame->row_count < self->base.options.steps) return TCS_OK; /* too short to learn from */
    tcs_status status = base->is_fitted ? measure(self, frame, &sequence, &descriptors, err)
                                        : learn(self, frame, &sequence, &descriptors, err);
    if (status == TCS_OK && descriptors.count > 0) status = judge(self, &sequence, &descriptors, ret_scores, err);
    tcsi_descriptors_deinit(&descriptors);
    tcsi_sequence_deinit(&sequence);
    return status;
}

/* ---- saved form and sizes ---- */

static void persist(tcsi_detector *base, tcsi_codec *codec)
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

static size_t size_max(const tcsi_detector *base, size_t row_count)
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
    return tcsi_size_sum(total, tcsi_memory_bank_size_max(self->bank_size, size, base->pool));
}

#define NET(field) offsetof(contrastive, base.options.field)
static const tcsi_parameter parameters[] = {
    { "window", TCSI_PARAMETER_COUNT, NET(window), 0, 0, 1e6, "rows that belong together; 0: the period of the first channel" },
    { "steps", TCSI_PARAMETER_COUNT, NET(steps), 32, 16, 512,
      "steps of a patch, a multiple of 4; longer windows are averaged down to about as many" },
    { "hidden", TCSI_PARAMETER_COUNT, NET(hidden), 32, 1, 256, "numbers of an embedding, channels of the outer convolutions" },
    { "latent", TCSI_PARAMETER_COUNT, NET(latent), 64, 1, 1024, "numbers that patches are compared by while training" },
    { "epochs", TCSI_PARAMETER_COUNT, NET(epochs), 60, 1, 100000, "training steps, of 64 patches each" },
    { "smoothing", TCSI_PARAMETER_COUNT, NET(smoothing), 0, 0, 1e6, "rows of the mean around a row; 0: the window" },
    { "rate", TCSI_PARAMETER_REAL, NET(rate), 1e-3, 1e-12, 1, "first learning rate; the last is a tenth of it" },
    { "radius", TCSI_PARAMETER_COUNT, offsetof(contrastive, radius), 1, 1, 1000,
      "steps by which a positive may be more or less than a period away" },
    { "nearby", TCSI_PARAMETER_BOOL, offsetof(contrastive, nearby), 0, 0, 1, "positives are 1 to radius steps away, not a period" },
    { "triplet", TCSI_PARAMETER_BOOL, offsetof(contrastive, triplet), 0, 0, 1, "learn by triplets with the farthest patch of a batch, "
                                                                                "margin 0.5, instead of InfoNCE" },
    { "floor", TCSI_PARAMETER_REAL, offsetof(contrastive, floor), 1, 1e-6, 1e6,
      "deviation, in those of the channel, below which a patch keeps its amplitude" },
    { "bank_size", TCSI_PARAMETER_COUNT, offsetof(contrastive, bank_size), 1500, 1, TCSI_MEMORY_BANK_SIZE_MAX,
      "most patches in a memory bank" },
    { "n_neighbors", TCSI_PARAMETER_COUNT, offsetof(contrastive, neighbour_count), 3, 1, TCSI_MEMORY_BANK_NEIGHBOURS_MAX,
      "nearest patches whose distances are averaged" },
};

static const tcsi_detector_ops ops = { .init = init, .deinit = deinit, .fit = fit, .score = score, .horizon = tcsi_window_net_horizon,
                                       .persist = persist, .size_max = size_max };

const tcsi_detector_info tcsi_detector_contrastive = {
    .name = "contrastive",
    .title = "contrastive patch encoder with a memory bank",
    .paper = "J. Park et al.: PaAno: Patch-based representation learning for time-series anomaly detection. 2025; A. van den Oord, Y. Li, "
             "O. Vinyals: Representation learning with contrastive predictive coding. 2018, equation 4; K. Roth et al.: Towards total "
             "recall in industrial anomaly detection. CVPR 2022 (the bank)",
    .summary = "Distance of every patch to its nearest ones in a bank of patches of the series and of the training rows, between whitened "
               "embeddings of a small convolutional network that learns from neighbouring patches, without labels. Finds unusual shapes, "
               "noise and rhythms wherever they stand in a window; misses lasting shifts of level, and says nothing about channels.",
    .traits = TCSI_TRAIT_OFFLINE | TCSI_TRAIT_MULTIVARIATE | TCSI_TRAIT_RANDOM | TCSI_TRAIT_DEEP,
    .instance_size = sizeof(contrastive),
    .parameters = parameters,
    .parameter_count = TCS_COUNT(parameters),
    .ops = &ops,
};
