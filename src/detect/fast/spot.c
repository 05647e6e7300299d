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
    *ret_score = (tcs_score){ .state = TCS_SCORE_MISSING };
    if (!tcsi_value_ok(value)) return;
    ret_score->state = TCS_SCORE_WARMUP;
    if (tcsi_pot_push(&self->now, value, &score) != TCSI_POT_WARMUP)
        *ret_score = (tcs_score){ .state = TCS_SCORE_READY, .value = score };
}

static tcs_status fit(tcsi_detector *base, const tcsi_frame *train, tcs_error *err)
{
    spot *self = (spot *)base;
    (void)err;
    self->is_learned = false;
    reset(base);
    for (size_t t = 0; t < train->row_count; t++) {
        tcs_score ignored;
        push(base, &(tcsi_row){ .values = &train->values[t] }, &ignored);
    }
    if (!self->now.is_started) tcsi_pot_start(&self->now);
    self->is_learned = self->now.is_started;
    if (self->is_learned) tcsi_pot_copy(&self->learned, &self->now);
    reset(base);
    return TCS_OK;
}

static void contribute(const tcsi_detector *base, double *ret_parts)
{
    (void)base;
    ret_parts[0] = 1; /* there is only one channel */
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
    { "risk", TCSI_PARAMETER_REAL, offsetof(tcsi_pot_options, risk), 1e-4, 1e-12, 0.1, "probability below which a row is an alarm" },
    { "level", TCSI_PARAMETER_REAL, offsetof(tcsi_pot_options, level), 0.95, 0.5, 0.9999, "quantile where the tail begins" },
    { "warmup_count", TCSI_PARAMETER_COUNT, offsetof(tcsi_pot_options, warmup_count), 200, 2, 100000, "rows held for the start" },
    { "peak_count_max", TCSI_PARAMETER_COUNT, offsetof(tcsi_pot_options, peak_count_max), 200, 1, 4096, "excesses kept per side" },
    { "patience_count", TCSI_PARAMETER_COUNT, offsetof(tcsi_pot_options, patience_count), 100, 1, 1e9,
      "alarms on end after which a new normal is learned" },
    { "two_sided", TCSI_PARAMETER_BOOL, offsetof(tcsi_pot_options, two_sided), 1, 0, 1, "low values are anomalous as well" },
};

static const tcsi_detector_ops ops = {
    .init = init, .deinit = deinit, .fit = fit, .reset = reset, .push = push, .contribute = contribute, .persist = persist,
    .size_max = size_max,
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
