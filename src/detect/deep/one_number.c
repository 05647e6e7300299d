/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/deep/one_number.h"

#include "base/alloc.h"

#include <math.h>

typedef tcsi_one_number self_type;

enum { STRIDES_A_WINDOW = 16 };
static const double number_max = 1e12;

tcs_status tcsi_one_number_init(tcsi_detector *base, tcsi_window_net_build build, tcsi_window_net_prepare prepare, tcs_error *err)
{
    self_type *self = (self_type *)base;
    self->prepare = prepare;
    if (self->strides_a_window == 0) self->strides_a_window = STRIDES_A_WINDOW;
    return tcsi_window_net_init(&self->base, build, err);
}

void tcsi_one_number_deinit(tcsi_detector *base)
{
    tcsi_window_net_deinit(&((self_type *)base)->base);
}

/* ---- numbers of a sequence ---- */

typedef struct sweep {
    double *numbers; /* one a window, in order */
    size_t count;
} sweep;

static void take_numbers(void *context, const size_t *starts, size_t count, const float *outputs)
{
    sweep *s = context;
    (void)starts;
    for (size_t b = 0; b < count; b++) {
        double number = (double)outputs[b];
        s->numbers[s->count++] = isnan(number) ? number_max : fmax(-number_max, fmin(number_max, number));
    }
}

static size_t stride_of(const self_type *self)
{
    return self->base.options.steps / self->strides_a_window;
}

static size_t number_count_max(const self_type *self, size_t step_count)
{
    return step_count / stride_of(self) + 2;
}

/* The caller releases *ret_numbers, always. */
static tcs_status find_numbers(self_type *self, const tcsi_sequence *sequence, double **ret_numbers, size_t *ret_count, tcs_error *err)
{
    const tcsi_lesson lesson = tcsi_window_net_lesson(&self->base, sequence);
    *ret_numbers = TCSI_NEW_ARRAY(double, number_count_max(self, lesson.step_count));
    sweep s = { .numbers = *ret_numbers };
    if (!s.numbers) return tcsi_fail_memory(err, "scores of windows");
    tcs_status status = tcsi_window_net_sweep(&self->base, &lesson, stride_of(self), take_numbers, &s, err);
    *ret_count = s.count;
    return status;
}

static tcs_status find_scale(self_type *self, const double *numbers, size_t count, tcs_error *err)
{
    double *scratch = TCSI_NEW_ARRAY(double, count);
    if (!scratch) return tcsi_fail_memory(err, "scores of windows");
    self->scale = tcsi_scale_robust(numbers, count, scratch);
    tcsi_free(scratch);
    return TCS_OK;
}

/* ---- learning and scoring ---- */

static tcs_status learn(self_type *self, const tcsi_frame *frame, tcsi_sequence *ret_sequence, double **ret_numbers, size_t *ret_count,
                        tcs_error *err)
{
    tcs_status status = tcsi_window_net_learn(&self->base, frame, self->prepare, ret_sequence, err);
    if (status == TCS_OK) status = find_numbers(self, ret_sequence, ret_numbers, ret_count, err);
    return status == TCS_OK ? find_scale(self, *ret_numbers, *ret_count, err) : status;
}

tcs_status tcsi_one_number_fit(tcsi_detector *base, const tcsi_frame *train, tcs_error *err)
{
    tcsi_sequence sequence = { 0 };
    double *numbers = NULL;
    size_t count = 0;
    tcs_status status = learn((self_type *)base, train, &sequence, &numbers, &count, err);
    tcsi_free(numbers);
    tcsi_sequence_deinit(&sequence);
    return status;
}

static tcs_status measure(self_type *self, const tcsi_frame *frame, tcsi_sequence *ret_sequence, double **ret_numbers, size_t *ret_count,
                          tcs_error *err)
{
    tcs_status status = tcsi_sequence_init(frame, &self->base.form, ret_sequence, err);
    if (status != TCS_OK || ret_sequence->step_count < self->base.options.steps) return status;
    return find_numbers(self, ret_sequence, ret_numbers, ret_count, err);
}

/* Windows -> steps: each number at its window's middle; the last window ends with the sequence, nearer than a stride. */
static void place(const self_type *self, const double *numbers, size_t count, size_t step_count, double *ret_steps)
{
    const double stride = (double)stride_of(self), half = (double)(self->base.options.steps - 1) / 2;
    const double last = (double)(step_count - self->base.options.steps);
    for (size_t u = 0; u < step_count; u++) {
        double at = fmax(0, fmin(last, (double)u - half)), before = floor(at / stride), begin = before * stride;
        size_t i = (size_t)before < count ? (size_t)before : count - 1;
        double width = fmin(stride, last - begin), share = width > 0 && i + 1 < count ? (at - begin) / width : 0;
        double value = numbers[i] + (share > 0 ? share * (numbers[i + 1] - numbers[i]) : 0);
        ret_steps[u] = fmax(0, tcsi_scale_one(&self->scale, value));
    }
}

tcs_status tcsi_one_number_score(tcsi_detector *base, const tcsi_frame *frame, tcs_score *ret_scores, tcs_error *err)
{
    self_type *self = (self_type *)base;
    tcsi_sequence sequence = { 0 };
    double *numbers = NULL, *steps = NULL;
    size_t count = 0;
    tcsi_window_net_mark(frame, ret_scores);
    if (!base->is_fitted && frame->row_count < self->base.options.steps) return TCS_OK; /* too short to learn from */
    tcs_status status = base->is_fitted ? measure(self, frame, &sequence, &numbers, &count, err)
                                        : learn(self, frame, &sequence, &numbers, &count, err);
    if (status == TCS_OK && numbers) {
        steps = TCSI_NEW_ARRAY(double, sequence.step_count);
        if (!steps) status = tcsi_fail_memory(err, "scores");
    }
    if (steps) {
        place(self, numbers, count, sequence.step_count, steps);
        status = tcsi_window_net_spread(&self->base, &sequence, steps, ret_scores, err);
    }
    tcsi_free(steps);
    tcsi_free(numbers);
    tcsi_sequence_deinit(&sequence);
    return status;
}

/* ---- saved form and sizes ---- */

void tcsi_one_number_persist(tcsi_detector *base, tcsi_codec *codec)
{
    self_type *self = (self_type *)base;
    tcsi_window_net_persist(&self->base, codec);
    if (tcsi_codec_status(codec) != TCS_OK || !base->is_fitted) return;
    tcsi_codec_f64(codec, &self->scale.center);
    tcsi_codec_f64(codec, &self->scale.spread);
    tcsi_codec_bool(codec, &self->scale.constant);
    bool fine = fabs(self->scale.center) <= number_max && self->scale.spread > 0 && self->scale.spread <= 10 * number_max;
    if (tcsi_codec_loading(codec) && tcsi_codec_status(codec) == TCS_OK && !fine) tcsi_codec_refuse(codec, "a scale out of range");
}

size_t tcsi_one_number_size_max(const tcsi_detector *base, size_t row_count)
{
    const self_type *self = (const self_type *)base;
    size_t doubles = row_count > 0 ? tcsi_size_sum(row_count, 2 * number_count_max(self, row_count)) : 0;
    return tcsi_size_sum(sizeof *self + tcsi_size_product(doubles, sizeof(double)), tcsi_window_net_size_max(&self->base, row_count));
}
