/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/deep/labelled.h"

#include "base/alloc.h"
#include "detect/deep/hidden.h"
#include "detect/registry.h"

#include <math.h>
#include <string.h>

typedef tcsi_labelled self_type;

enum { MIDDLE_SHARE = 16, STRIDES_A_WINDOW = 32, SMOOTHINGS_A_WINDOW = 8, KERNEL = 7,
       CHANNEL_SIZE_MAX = 512 /* of a frame: name and all */ };
static const double shift_max = 1e4, share_max = 0.999;

/* ---- labels of windows ---- */

/* Is any row of steps [begin, end) labelled? */
static bool is_marked(const uint8_t *rows, const tcsi_sequence *sequence, size_t begin, size_t end)
{
    const size_t last = end * sequence->factor < sequence->row_count ? end * sequence->factor : sequence->row_count;
    size_t t = begin * sequence->factor;
    while (t < last && !rows[t]) t++;
    return t < last;
}

static void label_windows(self_type *self, const tcsi_sequence *sequence, const tcsi_lesson *lesson)
{
    const size_t middle = lesson->window / MIDDLE_SHARE, before = (lesson->window - middle) / 2, count = tcsi_lesson_window_count(lesson);
    for (size_t i = 0; i < count; i++) {
        const size_t begin = i + before, end = begin + middle;
        if (is_marked(self->rows, sequence, begin, end)) self->labels[i] = self->form->anomalous;
        else if (is_marked(self->rows, sequence, begin - middle, end + middle)) self->labels[i] = NAN;
    }
}

/* A row of a table is labelled or not; neighbours say nothing. */
static void label_rows(self_type *self, const tcsi_lesson *lesson)
{
    for (size_t i = 0; i < lesson->step_count; i++) self->labels[i] = self->rows[lesson->order[i]] ? self->form->anomalous : 0;
}

/* Windows up to `warning` rows before the first of an event are anomalous the more, the nearer it is. */
static void warn(self_type *self, const tcsi_sequence *sequence, const tcsi_lesson *lesson)
{
    const size_t count = tcsi_lesson_window_count(lesson), reach = self->base.base.options.warning / sequence->factor;
    const float yes = self->form->anomalous;
    for (size_t i = count, ahead = reach; i-- > 0;) {
        if (self->labels[i] == yes) ahead = 0;
        else if (ahead < reach) self->labels[i] = yes * (float)(reach - ++ahead) / (float)reach;
    }
}

/* Runs of anomalous windows. */
static size_t find_events(const self_type *self, size_t count)
{
    size_t events = 0;
    for (size_t i = 0; i < count; i++) {
        if (self->labels[i] != self->form->anomalous) continue;
        if (i == 0 || self->labels[i - 1] != self->form->anomalous) self->events[events++].begin = i;
        self->events[events - 1].end = i + 1;
    }
    return events;
}

static tcs_status take_labels(self_type *self, const tcsi_sequence *sequence, tcsi_lesson *lesson, tcs_error *err)
{
    const size_t count = tcsi_lesson_window_count(lesson);
    self->labels = TCSI_NEW_ZEROS(float, count);
    self->events = TCSI_NEW_ARRAY(tcsi_event_windows, count / 2 + 1);
    if (!self->labels || !self->events) return tcsi_fail_memory(err, "labels of windows");
    const bool is_table = tcsi_window_net_is_table(&self->base.base);
    if (self->rows && is_table) label_rows(self, lesson);
    else if (self->rows) label_windows(self, sequence, lesson);
    lesson->labels = self->labels;
    lesson->events = self->events;
    lesson->event_count = find_events(self, count);
    warn(self, sequence, lesson);
    if (lesson->event_count > 0 || !self->form->needs_labels) return TCS_OK;
    if (is_table)
        return tcsi_fail(err, TCS_E_INVALID, "%s: none of the %zu training rows is labelled anomalous; expected labels, and a few such "
                         "rows", self->base.base.base.info->name, sequence->row_count);
    return tcsi_fail(err, TCS_E_INVALID, "%s: none of the %zu training rows is labelled anomalous, half a window of %zu steps from their "
                     "ends; expected labels and a few events among them",
                     self->base.base.base.info->name, sequence->row_count, lesson->window);
}

/* ---- how rare events are, in truth and in training ---- */

/* What the adviser says of a window's middle, its last channel: the share of hidden events that this allows. */
static tcs_status estimate_hidden(const self_type *self, const tcsi_sequence *sequence, const tcsi_lesson *lesson, double *ret_share,
                                  tcs_error *err)
{
    const size_t count = tcsi_lesson_window_count(lesson), channels = sequence->channel_count;
    double *scores = TCSI_NEW_ARRAY(double, count);
    size_t labelled = 0, others = 0;
    if (!scores) return tcsi_fail_memory(err, "scores of windows");
    for (size_t i = 0; i < count; i++) {
        const size_t begin = lesson->order ? lesson->order[i] : i;
        const double score = (double)sequence->values.values[(begin + lesson->window / 2) * channels + channels - 1];
        if (self->labels[i] == self->form->anomalous) scores[labelled++] = score;
        else if (self->labels[i] == 0) scores[count - ++others] = score;
    }
    *ret_share = tcsi_hidden_share(scores, labelled, scores + count - others, others);
    tcsi_free(scores);
    return TCS_OK;
}

static double log_odds(double share)
{
    return log(share / (1 - share));
}

/* What log odds as they are learned are too high by: the learner draws events far more often than rows are labelled. */
static double find_shift(const self_type *self, size_t row_count, double yes, double no)
{
    double rows = 0;
    for (size_t t = 0; t < row_count; t++) rows += self->rows[t];
    return self->base.base.options.adjustment * (log_odds(fmin(rows / (double)row_count, share_max)) - log(yes / no));
}

/* How many of the unlabelled windows are events, and how often either kind is drawn. */
static tcs_status take_prior(self_type *self, const tcsi_sequence *sequence, tcsi_lesson *lesson, tcs_error *err)
{
    const tcsi_window_net_options *options = &self->base.base.options;
    const double drawn = 1.0 / TCSI_LEARNER_EVENT_SHARE, evenly = 1 - 2 * drawn, count = (double)tcsi_lesson_window_count(lesson);
    double hidden = fmax(0, options->missed), labelled = 0, others = 0;
    tcs_status status = TCS_OK;
    if (options->missed < 0 && self->adviser) status = estimate_hidden(self, sequence, lesson, &hidden, err);
    if (status != TCS_OK) return status;
    for (size_t i = 0; i < tcsi_lesson_window_count(lesson); i++) {
        labelled += self->labels[i] == self->form->anomalous;
        others += self->labels[i] == 0;
    }
    /* Windows beside events are known to be normal: there are fewer hidden ones among those drawn than among all. */
    const double yes = drawn + evenly * labelled / count, no = drawn + evenly * others / count;
    const double among = hidden * evenly * others / count / no;
    self->shift = find_shift(self, sequence->row_count, yes, no);
    lesson->doubted = options->doubted;
    if (!options->by_risk) lesson->missed = hidden;
    else if (self->form->has_risk) tcsi_nn_unlabelled_set_share(self->base.base.net, self->base.base.nodes.loss, (float)among);
    return TCS_OK;
}

static tcs_status prepare(tcsi_window_net *net, const tcsi_sequence *sequence, tcsi_lesson *lesson, tcs_error *err)
{
    self_type *self = (self_type *)net;
    tcs_status status = take_labels(self, sequence, lesson, err);
    if (status == TCS_OK && self->is_told) status = take_prior(self, sequence, lesson, err);
    return status == TCS_OK && self->form->prepare ? self->form->prepare(net, sequence, lesson, err) : status;
}

/* ---- the adviser's channel ---- */

static tcs_status ask(self_type *self, const tcsi_frame *frame, double *ret_column, tcs_error *err)
{
    tcs_score *scores = TCSI_NEW_ARRAY(tcs_score, frame->row_count);
    if (!scores) return tcsi_fail_memory(err, "scores");
    tcs_status status = tcsi_detector_score(self->adviser, frame, scores, err);
    for (size_t t = 0; t < frame->row_count && status == TCS_OK; t++)
        ret_column[t] = scores[t].state == TCS_SCORE_READY ? scores[t].value : NAN;
    tcsi_free(scores);
    return status;
}

/* A copy of the frame with the adviser's channel behind the others: empty when nothing was labelled. */
static tcs_status widen(self_type *self, const tcsi_frame *frame, tcsi_frame **ret_wide, tcs_error *err)
{
    const size_t channels = frame->channel_count, rows = frame->row_count;
    tcs_status status = tcsi_frame_create(channels + 1, rows, false, false, ret_wide, err);
    if (status != TCS_OK) return status;
    tcsi_frame *wide = *ret_wide;
    wide->row_count = rows;
    for (size_t c = 0; c < channels; c++) memcpy(tcsi_frame_column(wide, c), tcsi_frame_column(frame, c), rows * sizeof(double));
    double *column = tcsi_frame_column(wide, channels);
    for (size_t t = 0; t < rows; t++) column[t] = NAN;
    return self->is_told ? ask(self, frame, column, err) : TCS_OK;
}

/* ---- life ---- */

static double read_probability(const tcsi_one_number *base, double number)
{
    const self_type *self = (const self_type *)base;
    return 1 / (1 + exp(-self->form->probability(&base->base.options, number) - self->shift));
}

tcs_status tcsi_labelled_init(tcsi_detector *base, const tcsi_labelled_form *form, tcs_error *err)
{
    self_type *self = (self_type *)base;
    const tcsi_detector_setup setup = { .channel_count = base->channel_count, .seed = base->seed, .pool = base->pool };
    const char *adviser = tcsi_window_net_is_table(&self->base.base) ? "auto_tabular" : "auto_classic";
    self->form = form;
    if (form->probability && self->base.base.options.probabilities) self->base.read = read_probability;
    self->base.strides_a_window = STRIDES_A_WINDOW;
    self->base.base.more_channels = self->base.base.options.with_auto;
    tcs_status status = tcsi_one_number_init(base, form->build, prepare, err);
    if (status != TCS_OK || !self->base.base.options.with_auto) return status;
    return tcsi_detector_create(tcsi_registry_find(adviser), &setup, &self->adviser, err);
}

static void forget_labels(self_type *self)
{
    tcsi_free(self->labels);
    tcsi_free(self->events);
    self->labels = NULL;
    self->events = NULL;
    self->rows = NULL;
}

void tcsi_labelled_deinit(tcsi_detector *base)
{
    self_type *self = (self_type *)base;
    forget_labels(self);
    tcsi_detector_destroy(self->adviser);
    tcsi_one_number_deinit(base);
}

/* ---- learning and scoring ---- */

static void take_told(self_type *self, bool is_told)
{
    self->is_told = is_told;
    self->base.base.smoothings_a_window = is_told ? SMOOTHINGS_A_WINDOW : 1;
}

tcs_status tcsi_labelled_fit(tcsi_detector *base, const tcsi_frame *train, tcs_error *err)
{
    self_type *self = (self_type *)base;
    tcsi_frame *wide = NULL;
    const bool was_told = self->is_told;
    take_told(self, train->labels && train->row_count > 0 && memchr(train->labels, 1, train->row_count));
    self->rows = train->labels;
    tcs_status status = self->adviser ? widen(self, train, &wide, err) : TCS_OK;
    if (status == TCS_OK) status = tcsi_one_number_fit(base, wide ? wide : train, err);
    if (status != TCS_OK) take_told(self, was_told);
    forget_labels(self);
    tcsi_frame_destroy(wide);
    return status;
}

tcs_status tcsi_labelled_score(tcsi_detector *base, const tcsi_frame *frame, tcs_score *ret_scores, tcs_error *err)
{
    self_type *self = (self_type *)base;
    tcsi_frame *wide = NULL;
    tcs_status status = self->adviser ? widen(self, frame, &wide, err) : TCS_OK;
    if (status == TCS_OK) status = tcsi_one_number_score(base, wide ? wide : frame, ret_scores, err);
    forget_labels(self);
    tcsi_frame_destroy(wide);
    return status;
}

double tcsi_labelled_threshold(const tcsi_detector *base)
{
    return ((const self_type *)base)->base.read ? 0.5 : NAN;
}

/* ---- saved form and sizes ---- */

void tcsi_labelled_persist(tcsi_detector *base, tcsi_codec *codec)
{
    self_type *self = (self_type *)base;
    bool is_told = self->is_told;
    tcsi_codec_bool(codec, &is_told);
    tcsi_codec_f64(codec, &self->shift);
    if (tcsi_codec_loading(codec) && tcsi_codec_status(codec) == TCS_OK && !(fabs(self->shift) <= shift_max))
        tcsi_codec_refuse(codec, "a shift of log odds out of range");
    if (tcsi_codec_status(codec) != TCS_OK) return;
    take_told(self, is_told);
    tcsi_one_number_persist(base, codec);
}

size_t tcsi_labelled_size_max(const tcsi_detector *base, size_t row_count)
{
    const self_type *self = (const self_type *)base;
    size_t size = tcsi_size_sum(tcsi_one_number_size_max(base, row_count), sizeof *self);
    if (self->adviser) size = tcsi_size_sum(size, tcsi_detector_size_max(self->adviser, row_count));
    if (row_count == 0) return size;
    const size_t channels = tcsi_window_net_channels(&self->base.base), cells = tcsi_size_product(channels, sizeof(double));
    const size_t a_row = sizeof(float) + sizeof(tcsi_event_windows) + sizeof(tcs_score) + sizeof(double);
    size = tcsi_size_sum(size, tcsi_size_product(row_count + 1, tcsi_size_sum(a_row, cells)));
    return tcsi_size_sum(size, tcsi_size_product(channels, CHANNEL_SIZE_MAX));
}

/* ---- the net ---- */

static tcsi_node_id convolve(tcsi_net *net, const char *name, tcsi_node_id x, size_t channels, bool without_bias)
{
    const tcsi_conv_options layer = { .channels = channels, .kernel = KERNEL, .stride = 2, .padding = TCSI_PADDING_SAME,
                                      .activation = TCSI_ACTIVATION_RELU, .without_bias = without_bias };
    tcsi_net_scope(net, "%s", name);
    return tcsi_nn_conv(net, x, &layer);
}

tcsi_node_id tcsi_labelled_look(tcsi_net *net, tcsi_node_id x, const tcsi_window_net_options *options, bool without_bias)
{
    tcsi_node_id h = convolve(net, "conv.0", x, options->hidden, without_bias);
    h = convolve(net, "conv.1", h, options->hidden, without_bias);
    const size_t length = tcsi_net_shape(net, h).length, middle = length / 4;
    const tcsi_node_id looks[] = { tcsi_nn_flatten(net, tcsi_nn_steps(net, h, (length - middle) / 2, middle)), tcsi_nn_global_mean(net, h),
                                   tcsi_nn_global_max(net, h) };
    return tcsi_nn_concat(net, looks, TCS_COUNT(looks));
}

tcsi_node_id tcsi_labelled_number(tcsi_net *net, tcsi_node_id x, const tcsi_window_net_options *options)
{
    const tcsi_node_id h = tcsi_labelled_look(net, x, options, false);
    return tcsi_window_net_dense(net, "dense.1", tcsi_window_net_dense(net, "dense.0", h, options->latent, TCSI_ACTIVATION_RELU), 1,
                                 TCSI_ACTIVATION_NONE);
}

tcsi_node_id tcsi_labelled_row_number(tcsi_net *net, tcsi_node_id x, const tcsi_window_net_options *options)
{
    tcsi_node_id h = tcsi_window_net_dense(net, "dense.0", x, options->hidden, TCSI_ACTIVATION_RELU);
    h = tcsi_window_net_dense(net, "dense.1", h, options->latent, TCSI_ACTIVATION_RELU);
    return tcsi_window_net_dense(net, "dense.2", h, 1, TCSI_ACTIVATION_NONE);
}

tcsi_window_net_nodes tcsi_labelled_deviation(tcsi_net *net, tcsi_node_id x, const tcsi_window_net_options *options,
                                              tcsi_labelled_reader read)
{
    const tcsi_node_id label = tcsi_nn_input(net, 1, 1), number = read(net, x, options);
    const tcsi_deviation_options deviation = { .margin = (float)options->emphasis };
    return (tcsi_window_net_nodes){ .output = number, .loss = tcsi_nn_loss_deviation(net, number, label, &deviation) };
}
