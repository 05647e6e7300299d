/* detect/deep/forecaster.h -- what detectors share that learn to say what comes next: whatever they did not expect is strange.
 *
 * A causal network reads row after row and answers, in every row t, for horizons h of 1, 4, 16 and 64 rows and every channel c, with a
 * location and a scale of x(t + h): a Student distribution of 4 degrees, whose heavy tails let single strange training rows pull little
 * (K. L. Lange, R. J. A. Little, J. M. G. Taylor, "Robust statistical modeling using the t distribution", JASA 84, 1989). Row t is
 * judged by what was said of it 1, 4, 16 and 64 rows ago: short horizons see spikes, long ones slow change that short ones follow.
 *
 *     z(h,c) = (x(t) - location) / sqrt(scale^2 + 0.3^2), within +-30
 *     d(h,c) = exponential mean of z over 4 h rows, in its root mean square over the training rows: errors of one sign add up
 *     part(c) = mean over h of z^2, in units of its mean over held-out rows: what is badly foreseen must err more
 *     score = sqrt of the exponential mean, over `smoothing` rows, of the mean over c of part
 *
 * Where there are several channels a part is the mean of z^2 + max(0, d^2 - 4), and counts by its logarithm beyond 16.  A single channel
 * goes without: its sums outlast a short event by hundreds of rows, and there is nothing else to drown.
 *
 * One row costs one step of the network (nn/stream.h): pushing and scoring a frame are the same code.  A channel that is missing is fed
 * its last value and not judged.  The first 16 rows are WARMUP; horizons that are longer join when they are due.
 * `members` networks with different seeds say each their own (B. Lakshminarayanan, A. Pritzel, C. Blundell, "Simple and scalable
 * predictive uncertainty estimation using deep ensembles", NeurIPS 2017): the score is the mean of theirs, its uncertainty their deviation.
 * Forecasts are those of the mixture, with bands as in band.h.
 * Parts: a channel's, smoothed likewise.
 *
 * A fleet (fleet.h) teaches the whole network; the head, which turns what the body sees into locations and scales, is each series' own, as
 * are drifts, parts and bands, which are measured on its rows.  All horizons that the fleet was long enough for are used.
 *
 * A detector of this family is a file with a builder, options and an info; see gru_forecaster.c. */
#ifndef TCS_DETECT_DEEP_FORECASTER_H
#define TCS_DETECT_DEEP_FORECASTER_H

#include "detect/deep/band.h"
#include "detect/deep/chances.h"
#include "detect/deep/fleet.h"
#include "detect/deep/penalty.h"
#include "detect/deep/sequence.h"
#include "nn/layers.h"
#include "nn/plan.h"
#include "nn/stream.h"

enum { TCSI_HORIZON_COUNT = 4, TCSI_HORIZON_MAX = 64, TCSI_MEMBER_MAX = 32 };

typedef struct tcsi_forecaster_options {
    size_t steps, hidden, epochs, smoothing, horizons, members, facts, adaptation;
    double rate, trim, budget, penalty;
    double half_life, change; /* these: chances.h */
    bool by_duration;
} tcsi_forecaster_options;

/* x (B,W,C + facts) -> (B,W,anything), causal; a head comes behind it. */
typedef tcsi_node_id (*tcsi_forecaster_build)(tcsi_net *net, tcsi_node_id x, const tcsi_forecaster_options *options);

/* One of several networks of the same form, begun and trained with another seed. */
typedef struct tcsi_forecaster_member {
    tcsi_net *net;
    tcsi_stream_net *stream;
} tcsi_forecaster_member;

/* What one row leaves for the next. */
typedef struct tcsi_forecaster_state {
    uint64_t row_count;
    float *last;      /* (C + facts): what missing values are replaced by; what the series is */
    float *said;      /* (TCSI_HORIZON_MAX, members, H, 2, C): a ring of answers: locations and scales */
    double *drifts;   /* (members,H,C): exponential means of z with their sign: evidence of slow change */
    double *smoothed; /* (C): parts, by the first member */
    double *levels;   /* (members): of e */
} tcsi_forecaster_state;

typedef struct tcsi_forecaster {
    tcsi_detector base;
    tcsi_forecaster_options options;
    tcsi_forecaster_member *members;
    tcsi_node_id loss;
    tcsi_plan *training;    /* of the first member's net, in which all are trained */
    tcsi_penalty penalty;
    tcsi_sequence_form form;
    size_t horizon_count;   /* of those learned: the training rows must be ten times as many */
    tcsi_fleet_memory fleet;
    size_t fleet_horizon_count; /* of the longest of its series */
    tcsi_bands bands;       /* (H,C) */
    double *drift_usual;    /* (members,H,C): the drifts' root mean squares over the training rows */
    double *usual, noise;   /* (members,C): a channel's mean part on held-out rows; the deviation of their scores */
    tcsi_forecaster_state now;
    float *row;             /* (C) */
} tcsi_forecaster;

/* The operations; a detector's init calls the first with its builder. */
tcs_status tcsi_forecaster_init(tcsi_detector *base, tcsi_forecaster_build build, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_forecaster_deinit(tcsi_detector *base);
tcs_status tcsi_forecaster_fit(tcsi_detector *base, const tcsi_frame *train, tcs_error *err) TCS_WARN_UNUSED;
tcs_status tcsi_forecaster_fit_fleet(tcsi_detector *base, const tcsi_fleet *fleet, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_forecaster_describe(tcsi_detector *base, const double *facts);
void tcsi_forecaster_reset(tcsi_detector *base);
void tcsi_forecaster_push(tcsi_detector *base, const tcsi_row *row, tcs_score *ret_score);
bool tcsi_forecaster_forecast(const tcsi_detector *base, size_t channel, size_t index, tcsi_forecast *ret_forecast);
void tcsi_forecaster_contribute(const tcsi_detector *base, double *ret_parts);
tcs_status tcsi_forecaster_regard(tcsi_detector *base, const tcsi_frame *frame, const tcsi_regard_wish *wish, tcsi_regard *ret_regard,
                                  tcs_error *err) TCS_WARN_UNUSED; /* attended.c */
size_t tcsi_forecaster_horizon(const tcsi_detector *base);
void tcsi_forecaster_persist(tcsi_detector *base, tcsi_codec *codec);
size_t tcsi_forecaster_size_max(const tcsi_detector *base, size_t row_count);

#define TCSI_FORECASTER_OPS(init_function) \
    { .init = init_function, .deinit = tcsi_forecaster_deinit, .fit = tcsi_forecaster_fit, .fit_fleet = tcsi_forecaster_fit_fleet, \
      .describe = tcsi_forecaster_describe, .reset = tcsi_forecaster_reset, .push = tcsi_forecaster_push, \
      .contribute = tcsi_forecaster_contribute, .regard = tcsi_forecaster_regard, .horizon = tcsi_forecaster_horizon, \
      .forecast = tcsi_forecaster_forecast, .persist = tcsi_forecaster_persist, .size_max = tcsi_forecaster_size_max }

/* What the infos of the family say alike; `parameters` and `ops` are the file's. */
#define TCSI_FORECASTER_INFO \
    .summary = "Error of forecasts 1, 4, 16 and 64 rows ahead, in scales that the network gives with them, with errors of one sign " \
               "added up. Finds what breaks the course of things, and slow change; says what comes next, with bands. Causal, O(1) a row.", \
    .traits = TCSI_TRAIT_STREAMING | TCSI_TRAIT_TRAINED | TCSI_TRAIT_MULTIVARIATE | TCSI_TRAIT_RANDOM | TCSI_TRAIT_DEEP | \
              TCSI_TRAIT_UNCERTAINTY | TCSI_TRAIT_FORECAST | TCSI_TRAIT_CHECKPOINT | TCSI_TRAIT_FLEET, \
    .instance_size = sizeof(tcsi_forecaster), .options_offset = offsetof(tcsi_forecaster, options), .parameters = parameters, \
    .parameter_count = TCS_COUNT(parameters), .ops = &ops

/* Rows of a parameter table; `options` in the file must be tcsi_forecaster_options. */
#define TCSI_FORECASTER_PARAMETERS(hidden_default, epochs_default, rate_default) \
    TCSI_COUNT(steps, 64, 16, 512, "rows of a training window"), \
    TCSI_COUNT(hidden, hidden_default, 4, 512, "channels or states of the layers, a multiple of 4"), \
    TCSI_COUNT(epochs, epochs_default, 1, 100000, "how often each part of the training rows is seen"), \
    TCSI_COUNT(smoothing, 0, 0, 1e6, "rows of the exponential mean; 0: half the period of the first channel"), \
    TCSI_COUNT(horizons, 4, 1, 4, "how many of the horizons 1, 4, 16, 64 rows; long ones need ten times as many training rows"), \
    TCSI_COUNT(members, 1, 1, 32, "networks with different seeds; the score is their mean, its uncertainty their deviation"), \
    TCSI_REAL(rate, rate_default, 1e-6, 1, "highest learning rate"), \
    TCSI_REAL(trim, 0.05, 0, 0.5, "share of the training windows, the worst, that are not learned from"), \
    TCSI_REAL(budget, 0, 0, 1e6, "seconds of training, turned into steps by what a step costs on a usual core; 0: until it is done"), \
    TCSI_FLEET_PARAMETERS, \
    TCSI_CHANCES_PARAMETERS, \
    TCSI_PENALTY_PARAMETER

#endif
