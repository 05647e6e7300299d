/* detect/fast/spot.c -- SPOT: how unlikely is this value, by extreme value theory, in a stream without drift?
 *
 * A. Siffer, P.-A. Fouque, A. Termier, C. Largouet, "Anomaly detection in streams with extreme value theory", KDD 2017,
 * Algorithm 2, on both sides.  The first rows give a threshold; what lies beyond it follows a generalized Pareto
 * distribution.  A row is scored by -log10 of its tail probability, and learned.  The paper gives a threshold z_q for a risk
 * q; the score here passes -log10 q exactly where the value passes z_q.  Beyond the paper: rows beyond z_q are learned as well,
 * but limited (pot.c says why); a bounded number of excesses, whose oldest give way; a new start after
 * patience_count alarms on end; refits when a quarter of the excesses is new.
 *
 * Cost: O(1), two logarithms, refits amortized; see pot.c.  SPDX-License-Identifier: Apache-2.0 */
#include "detect/detector.h"
#include "detect/fast/pot.h"

typedef struct spot {
    tcsi_detector base;
    tcsi_pot_options options;
    tcsi_pot now, learned;
    bool is_learned;
} spot;

static void reset(tcsi_detector *base)
{
    spot *self = (spot *)base;
    tcsi_pot_reset(&self->now);
    if (self->is_learned) tcsi_pot_copy(&self->now, &self->learned);
}

static tcs_status init(tcsi_detector *base, tcs_error *err)
{
    spot *self = (spot *)base;
    tcs_status status = tcsi_pot_init(&self->now, &self->options, err);
    return status == TCS_OK ? tcsi_pot_init(&self->learned, &self->options, err) : status;
}

static void deinit(tcsi_detector *base)
{
    spot *self = (spot *)base;
    tcsi_pot_deinit(&self->now);
    tcsi_pot_deinit(&self->learned);
}

static void push(tcsi_detector *base, const tcsi_row *row, tcs_score *ret_score)
{
    spot *self = (spot *)base;
    double value = row->values[0], score;
    if (ret_score->state == TCS_SCORE_MISSING) return;
    if (tcsi_pot_push(&self->now, value, &score) != TCSI_POT_WARMUP)
        *ret_score = (tcs_score){ .state = TCS_SCORE_READY, .value = score };
}

static tcs_status fit(tcsi_detector *base, const tcsi_frame *train, tcs_error *err)
{
    spot *self = (spot *)base;
    self->is_learned = false;
    tcs_status status = tcsi_detector_push_all(base, train, NULL, err);
    if (!self->now.is_started) tcsi_pot_start(&self->now);
    self->is_learned = self->now.is_started;
    if (self->is_learned) tcsi_pot_copy(&self->learned, &self->now);
    reset(base);
    return status;
}

static void persist(tcsi_detector *base, tcsi_codec *codec)
{
    spot *self = (spot *)base;
    tcsi_codec_tag(codec, "SPOT");
    tcsi_codec_bool(codec, &self->is_learned);
    tcsi_pot_persist(&self->now, codec);
    if (self->is_learned) tcsi_pot_persist(&self->learned, codec);
}

static size_t size_max(const tcsi_detector *base, size_t row_count)
{
    (void)row_count;
    return sizeof(spot) + 2 * tcsi_pot_size(&((const spot *)base)->options);
}

static const tcsi_parameter parameters[] = {
    TCSI_POT_PARAMETERS(0),
};

static const tcsi_detector_ops ops = {
    .init = init, .deinit = deinit, .fit = fit, .reset = reset, .push = push, .persist = persist, .size_max = size_max,
};

const tcsi_detector_info tcsi_detector_spot = {
    .name = "spot",
    .title = "streaming peaks over threshold (SPOT)",
    .paper = "A. Siffer, P.-A. Fouque, A. Termier, C. Largouet: Anomaly detection in streams with extreme value theory. KDD 2017, "
             "Algorithm 2; fit: S. Grimshaw. Technometrics 35(2), 1993",
    .summary = "-log10 of the probability of so extreme a value, by a generalized Pareto tail fitted to the excesses over a high "
               "quantile. Finds extreme values with a stated risk; misses everything inside the range, and drift. O(1) a row.",
    .traits = TCSI_TRAIT_STREAMING,
    .instance_size = sizeof(spot),
    .options_offset = offsetof(spot, options),
    .parameters = parameters,
    .parameter_count = TCS_COUNT(parameters),
    .ops = &ops,
};
