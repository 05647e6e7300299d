/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/deep/sequence.h"

#include "base/alloc.h"
#include "series/period.h"
#include "series/stats.h"

#include <math.h>
#include <string.h>

enum { WINDOWS_MIN = 8, WINDOW_MIN = 4, WINDOW_ROW_COUNT_MAX = 1000000, VALUES_MAX = 1 << 16 };

/* ---- form ---- */

static tcs_status choose_window(const tcsi_frame *frame, const tcsi_sequence_wish *wish, size_t *ret_window, tcs_error *err)
{
    *ret_window = wish->window_row_count;
    if (*ret_window > 0) return TCS_OK;
    size_t longest = frame->row_count / WINDOWS_MIN > WINDOW_MIN ? frame->row_count / WINDOWS_MIN : WINDOW_MIN;
    tcs_status status = tcsi_period_find(tcsi_frame_column(frame, 0), frame->row_count, ret_window, err);
    if (*ret_window <= longest) return status;
    const size_t half = frame->row_count / 2, otherwise = wish->window_otherwise < half ? wish->window_otherwise : half;
    *ret_window = otherwise > longest ? otherwise : longest;
    return status;
}

static tcsi_scale scale_of(const double *values, size_t count)
{
    tcsi_scale scale = tcsi_scale_standard(values, count);
    if (scale.constant && scale.center != 0) scale.spread = fabs(scale.center);
    return scale;
}

static float *copy_facts(const tcsi_sequence_wish *wish)
{
    float *facts = TCSI_NEW_ZEROS(float, wish->fact_count);
    if (facts && wish->facts) memcpy(facts, wish->facts, wish->fact_count * sizeof *facts);
    return facts;
}

tcs_status tcsi_sequence_form_learn(const tcsi_frame *frame, const tcsi_sequence_wish *wish, tcsi_sequence_form *ret_form, tcs_error *err)
{
    tcsi_sequence_form form = { .channel_count = frame->channel_count, .factor = 1, .fact_count = wish->fact_count };
    tcs_status status = choose_window(frame, wish, &form.window_row_count, err);
    if (status != TCS_OK) return status;
    form.scales = TCSI_NEW_ARRAY(tcsi_scale, form.channel_count);
    form.facts = form.fact_count > 0 ? copy_facts(wish) : NULL;
    if (!form.scales || (form.fact_count > 0 && !form.facts)) {
        tcsi_sequence_form_deinit(&form);
        return tcsi_fail_memory(err, "the scales of channels");
    }
    for (size_t c = 0; c < form.channel_count; c++) form.scales[c] = scale_of(tcsi_frame_column(frame, c), frame->row_count);
    if (wish->steps > 0 && form.window_row_count > wish->steps) form.factor = (form.window_row_count + wish->steps / 2) / wish->steps;
    *ret_form = form;
    return TCS_OK;
}

tcs_status tcsi_sequence_form_learn_table(const tcsi_frame *frame, tcsi_sequence_form *ret_form, tcs_error *err)
{
    const tcsi_sequence_wish wish = { .window_row_count = 1, .steps = 1 };
    tcs_status status = tcsi_sequence_form_learn(frame, &wish, ret_form, err);
    if (status == TCS_OK) ret_form->is_table = true;
    return status;
}

void tcsi_sequence_form_deinit(tcsi_sequence_form *form)
{
    tcsi_free(form->scales);
    tcsi_free(form->facts);
    *form = (tcsi_sequence_form){ 0 };
}

static bool scale_ok(const tcsi_scale *scale)
{
    return fabs(scale->center) <= TCS_VALUE_MAX && scale->spread > 0 && scale->spread <= 2 * TCS_VALUE_MAX;
}

/* Facts are within the range that fleet.h leaves them. */
static void persist_facts(tcsi_sequence_form *form, tcsi_codec *codec)
{
    tcsi_codec_f32s(codec, form->facts, form->fact_count);
    bool fine = true;
    for (size_t d = 0; d < form->fact_count; d++) fine &= fabs((double)form->facts[d]) <= TCSI_SEQUENCE_MAX;
    if (tcsi_codec_loading(codec) && tcsi_codec_status(codec) == TCS_OK && !fine) tcsi_codec_refuse(codec, "a fact out of range");
}

void tcsi_sequence_form_persist(tcsi_sequence_form *form, size_t channel_count, size_t fact_count, tcsi_codec *codec)
{
    tcsi_codec_size(codec, &form->window_row_count, WINDOW_ROW_COUNT_MAX);
    tcsi_codec_size(codec, &form->factor, WINDOW_ROW_COUNT_MAX);
    if (tcsi_codec_status(codec) != TCS_OK) return;
    if (tcsi_codec_loading(codec)) {
        form->channel_count = channel_count;
        form->fact_count = fact_count;
        form->scales = TCSI_NEW_ZEROS(tcsi_scale, channel_count);
        form->facts = fact_count > 0 ? TCSI_NEW_ZEROS(float, fact_count) : NULL;
        if (!form->scales || (fact_count > 0 && !form->facts)) codec->status = tcsi_fail_memory(codec->err, "the scales of channels");
        if (form->factor == 0 || form->window_row_count == 0) tcsi_codec_refuse(codec, "a window or step of no rows");
    }
    for (size_t c = 0; c < channel_count && tcsi_codec_status(codec) == TCS_OK; c++) {
        tcsi_codec_f64(codec, &form->scales[c].center);
        tcsi_codec_f64(codec, &form->scales[c].spread);
        tcsi_codec_bool(codec, &form->scales[c].constant);
        if (tcsi_codec_loading(codec) && tcsi_codec_status(codec) == TCS_OK && !scale_ok(&form->scales[c]))
            tcsi_codec_refuse(codec, "a scale out of range");
    }
    if (fact_count > 0 && tcsi_codec_status(codec) == TCS_OK) persist_facts(form, codec);
}

tcs_status tcsi_sequence_check(const char *name, size_t channel_count, size_t steps, tcs_error *err)
{
    if (channel_count <= VALUES_MAX / steps) return TCS_OK;
    return tcsi_fail(err, TCS_E_LIMIT, "%s: %zu channels in windows of %zu steps are more than %d values; choose columns or fewer "
                                       "steps",
                     name, channel_count, steps, VALUES_MAX);
}

/* ---- values ---- */

static double scaled(const tcsi_scale *scale, double value)
{
    return fmax(-TCSI_SEQUENCE_MAX, fmin(TCSI_SEQUENCE_MAX, tcsi_scale_one(scale, value)));
}

float tcsi_sequence_value(const tcsi_sequence_form *form, size_t channel, double value)
{
    return tcsi_value_ok(value) ? (float)scaled(&form->scales[channel], value) : NAN;
}

/* The mean of the present values of [begin, end), or NaN. */
static double step_of(const tcsi_scale *scale, const double *values, size_t begin, size_t end)
{
    double sum = 0, count = 0;
    for (size_t t = begin; t < end; t++) {
        if (!tcsi_value_ok(values[t])) continue;
        sum += scaled(scale, values[t]);
        count++;
    }
    return count > 0 ? sum / count : NAN;
}

static void take_channel(const tcsi_frame *frame, const tcsi_sequence_form *form, size_t c, tcsi_sequence *s)
{
    const double *values = tcsi_frame_column(frame, c);
    float last = 0;
    for (size_t u = 0; u < s->step_count; u++) {
        size_t begin = u * s->factor, end = begin + s->factor < s->row_count ? begin + s->factor : s->row_count;
        float value = (float)step_of(&form->scales[c], values, begin, end);
        s->targets.values[u * s->channel_count + c] = value;
        s->values.values[u * s->input_count + c] = isnan(value) ? last : value;
        if (!isnan(value) && !form->is_table) last = value;
    }
}

tcs_status tcsi_sequence_init(const tcsi_frame *frame, const tcsi_sequence_form *form, tcsi_sequence *ret_sequence, tcs_error *err)
{
    tcsi_sequence s = { .row_count = frame->row_count, .channel_count = frame->channel_count, .factor = form->factor,
                        .input_count = frame->channel_count + form->fact_count };
    size_t count, target_count;
    s.step_count = (s.row_count + s.factor - 1) / s.factor;
    if (!tcsi_multiply(s.step_count, s.input_count, &count) || !tcsi_multiply(s.step_count, s.channel_count, &target_count) ||
        !tcsi_floats_init(&s.values, count) || !tcsi_floats_init(&s.targets, target_count)) {
        tcsi_sequence_deinit(&s);
        return tcsi_fail_memory(err, "a sequence");
    }
    for (size_t c = 0; c < s.channel_count; c++) take_channel(frame, form, c, &s);
    for (size_t u = 0; u < s.step_count && form->fact_count > 0; u++)
        memcpy(s.values.values + u * s.input_count + s.channel_count, form->facts, form->fact_count * sizeof(float));
    *ret_sequence = s;
    return TCS_OK;
}

void tcsi_sequence_deinit(tcsi_sequence *sequence)
{
    tcsi_floats_deinit(&sequence->values);
    tcsi_floats_deinit(&sequence->targets);
    *sequence = (tcsi_sequence){ 0 };
}

void tcsi_sequence_expand(const tcsi_sequence *sequence, const double *steps, double *ret_rows)
{
    const double f = (double)sequence->factor, middle = (f - 1) / 2, last = (double)sequence->step_count - 1;
    for (size_t t = 0; t < sequence->row_count; t++) {
        double at = fmax(0, fmin(last, ((double)t - middle) / f)), whole = floor(at), share = at - whole;
        size_t u = (size_t)whole;
        ret_rows[t] = share > 0 ? steps[u] + share * (steps[u + 1] - steps[u]) : steps[u];
    }
}

size_t tcsi_sequence_size_max(size_t row_count, size_t channel_count, size_t fact_count)
{
    enum { BORDERS = 256 }; /* of blocks of floats */
    size_t floats = tcsi_size_sum(tcsi_size_product(channel_count, 2), fact_count);
    size_t cells = tcsi_size_product(tcsi_size_product(row_count, floats), sizeof(float));
    size_t form = tcsi_size_sum(tcsi_size_product(channel_count, sizeof(tcsi_scale)), tcsi_size_product(fact_count, sizeof(float)));
    size_t learning = tcsi_size_sum(tcsi_period_size_max(row_count), form);
    return tcsi_size_sum(tcsi_size_sum(cells, learning), BORDERS);
}
