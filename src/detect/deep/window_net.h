/* detect/deep/window_net.h -- a network that looks at windows of a sequence: what detectors built on one do alike.
 *
 * The network has one size, whatever the period (sequence.h), so that net and plans are made once, in init, and all they will ever hold is
 * known.  Fitted, it is that of the training rows; otherwise it learns from the series itself, which holds the anomalies too: the worst
 * windows are left out (learner.h), and what is narrow does not learn what is rare.
 *
 * A detector with the trait TABULAR learns and scores rows one by one, in windows of one step: what is said of windows holds for rows.
 *
 * How sure is it?  `members` nets of the same form are trained with different seeds (B. Lakshminarayanan, A. Pritzel, C. Blundell, "Simple
 * and scalable predictive uncertainty estimation using deep ensembles", NeurIPS 2017), and each looks `draws` times with inputs left out
 * at random and latent variables drawn (Y. Gal, Z. Ghahramani, "Dropout as a Bayesian approximation", ICML 2016; here with dropout of the
 * inputs).  Each look is a run of its own with scales of its own; a score is the mean of the runs', its uncertainty their deviation, its
 * noise the deviation of the scores of what was learned from. */
#ifndef TCS_DETECT_DEEP_WINDOW_NET_H
#define TCS_DETECT_DEEP_WINDOW_NET_H

#include "detect/deep/chances.h"
#include "detect/deep/fleet.h"
#include "detect/deep/learner.h"
#include "detect/deep/penalty.h"
#include "detect/deep/sequence.h"
#include "nn/layers.h"

typedef struct tcsi_window_net_options {
    size_t window, steps, hidden, latent, epochs, smoothing, members, draws;
    size_t facts, adaptation; /* of detectors that learn from fleets */
    double bayes;             /* of detectors with a last layer of tcsi_window_net_head */
    double rate, trim, dropout, budget, half_life, change; /* the last two: chances.h, as by_duration */
    double penalty;  /* of detectors whose output is a window: penalty.h */
    double emphasis; /* what only some losses have, each under a name of its own */
    double reconstruction, embedding, context; /* contrastive.h */
    size_t warning;  /* labelled.h, as are these: */
    double missed, doubted, tolerance, adjustment;
    bool with_auto, probabilities, by_risk, by_duration;
} tcsi_window_net_options;

/* What a builder makes of a window x (B,W,C + facts) and of what is wanted, (B,W,C), NaN for missing values. */
typedef struct tcsi_window_net_nodes {
    tcsi_node_id output, loss; /* what is looked at when scoring; what training makes small, (B,1,1) */
    tcsi_node_id rival_loss;   /* of an adversary; 0, which is x: there is none */
    uint64_t groups, rival_groups; /* whose weights the losses train; 0: all */
    double rivalry;            /* learner.h */
} tcsi_window_net_nodes;

/* A dense layer called name. */
tcsi_node_id tcsi_window_net_dense(tcsi_net *net, const char *name, tcsi_node_id x, size_t units, tcsi_activation activation);

/* The last layer, of the group that belongs to one series.  With options->bayes above 0 its weights are normal distributions that are
 * learned, and every look draws them: what the training rows leave open shows in the deviation of the looks (C. Blundell, J. Cornebise,
 * K. Kavukcuoglu, D. Wierstra, "Weight uncertainty in neural networks", ICML 2015, equation 2; only the last layer, as in J. Snoek et al.,
 * "Scalable Bayesian optimization using deep neural networks", ICML 2015).  head_loss: the loss of the data and options->bayes times
 * their divergence from the prior. */
tcsi_node_id tcsi_window_net_head(tcsi_net *net, const char *name, tcsi_node_id x, size_t units, const tcsi_window_net_options *options);
tcsi_node_id tcsi_window_net_head_loss(tcsi_net *net, tcsi_node_id loss, tcsi_node_id head, const tcsi_window_net_options *options);

/* For dense networks, whose first and last layers have a weight for each value of a window and each unit: more than
 * TCSI_WINDOW_NET_CHANNELS channels are merged into so many, each step alike, and parted again at the end. */
enum { TCSI_WINDOW_NET_CHANNELS = 16 };
tcsi_node_id tcsi_window_net_merge(tcsi_net *net, tcsi_node_id x);
tcsi_node_id tcsi_window_net_part(tcsi_net *net, tcsi_node_id h, size_t channels);

typedef tcsi_window_net_nodes (*tcsi_window_net_build)(tcsi_net *net, tcsi_node_id x, tcsi_node_id target,
                                                       const tcsi_window_net_options *options);

/* The first member of an instance; info->options_offset points into it. */
typedef struct tcsi_window_net {
    tcsi_detector base;
    tcsi_window_net_options options;
    tcsi_net *net;
    tcsi_window_net_nodes nodes;
    tcsi_node_id explained; /* (B,1,1): what a window costs, for gradients.h; 0, which is x: no one number */
    tcsi_plan *training, *rival, *scoring; /* rival: NULL without an adversary */
    size_t smoothings_a_window; /* `smoothing` 0 is the window divided by it; 0: the window */
    size_t more_channels;       /* set before init: the frames that are learned from and measured have so many more than the detector's */
    tcsi_sequence_form form; /* of the fit, or of the series that was scored last */
    size_t *order;           /* (rows), while it learns from a table: see tcsi_lesson */
    tcsi_floats kept;        /* (members, weights and states), when there are several */
    tcsi_fleet_memory fleet;
    tcsi_penalty penalty;
    size_t run;              /* that the next sweep is */
    double noise;            /* deviation of the scores of what was learned from */
} tcsi_window_net;

/* Are rows exchangeable? */
bool tcsi_window_net_is_table(const tcsi_window_net *self);
/* Members times draws. */
size_t tcsi_window_net_run_count(const tcsi_window_net *self);
/* The sweeps that follow are run number `run`. */
void tcsi_window_net_take(tcsi_window_net *self, size_t run);

/* E_INVALID: steps not a multiple of 4; E_LIMIT: windows of too many values; E_MEMORY. */
tcs_status tcsi_window_net_init(tcsi_window_net *self, tcsi_window_net_build build, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_window_net_deinit(tcsi_window_net *self);

/* Between the first weights and training: what a loss needs to know of the data, labels among it.  lesson is that of sequence. */
typedef tcs_status (*tcsi_window_net_prepare)(tcsi_window_net *self, const tcsi_sequence *sequence, tcsi_lesson *lesson, tcs_error *err);

/* Learns form and the weights of all members from frame, or adapts them where a fleet is known; *ret_sequence is the frame's.  prepare may
 * be NULL; a fleet teaches only where it is. */
tcs_status tcsi_window_net_learn(tcsi_window_net *self, const tcsi_frame *frame, tcsi_window_net_prepare prepare,
                                 tcsi_sequence *ret_sequence, tcs_error *err) TCS_WARN_UNUSED;

/* The operations of the trait FLEET. */
tcs_status tcsi_window_net_fit_fleet(tcsi_detector *base, const tcsi_fleet *fleet, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_window_net_describe(tcsi_detector *base, const double *facts);

/* Told what came out, outputs (count, shape of the output), of the windows at starts. */
typedef void (*tcsi_window_net_visit)(void *context, const size_t *starts, size_t count, const float *outputs);
/* Runs windows `stride` steps apart, the last one among them, through the network.  E_MEMORY.  The sequence holds a window at least. */
tcs_status tcsi_window_net_sweep(tcsi_window_net *self, const tcsi_lesson *lesson, size_t stride, tcsi_window_net_visit visit,
                                 void *context, tcs_error *err) TCS_WARN_UNUSED;
size_t tcsi_window_net_channels(const tcsi_window_net *self); /* of the net, without facts */
tcsi_lesson tcsi_window_net_lesson(const tcsi_window_net *self, const tcsi_sequence *sequence);

/* Scores of the steps of a sequence, of one run after another. */
typedef struct tcsi_looks {
    double *steps, *mean, *squares; /* (U): to be filled by a run; of all runs so far: mean and summed squared distances from it */
    size_t run_count, step_count;
} tcsi_looks;
tcs_status tcsi_looks_init(tcsi_looks *looks, size_t step_count, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_looks_deinit(tcsi_looks *looks); /* accepts a zeroed struct */
void tcsi_looks_add(tcsi_looks *looks);    /* steps are filled */

/* The noise of the scores of what was learned from, for all that are given from now on. */
void tcsi_window_net_set_noise(tcsi_window_net *self, const tcsi_looks *looks);
/* READY scores at all rows that are WARMUP, averaged over `smoothing` rows: of steps (U) without uncertainty, or of looks. */
tcs_status tcsi_window_net_spread(const tcsi_window_net *self, const tcsi_sequence *sequence, const double *steps, tcs_score *ret_scores,
                                  tcs_error *err) TCS_WARN_UNUSED;
tcs_status tcsi_window_net_spread_looks(const tcsi_window_net *self, const tcsi_sequence *sequence, const tcsi_looks *looks,
                                        tcs_score *ret_scores, tcs_error *err) TCS_WARN_UNUSED;
/* MISSING where nothing is present, WARMUP elsewhere. */
void tcsi_window_net_mark(const tcsi_frame *frame, tcs_score *ret_scores);

size_t tcsi_window_net_horizon(const tcsi_detector *base);
/* Form, weights and states, when fitted. */
void tcsi_window_net_persist(tcsi_window_net *self, tcsi_codec *codec);
/* Most bytes of everything here, a sweep and spreading included. */
size_t tcsi_window_net_size_max(const tcsi_window_net *self, size_t row_count);

#define TCSI_WINDOW_NET_TRAITS (TCSI_TRAIT_OFFLINE | TCSI_TRAIT_MULTIVARIATE | TCSI_TRAIT_RANDOM | TCSI_TRAIT_DEEP | \
                                TCSI_TRAIT_UNCERTAINTY | TCSI_TRAIT_CHECKPOINT)

#define TCSI_TABLE_NET_TRAITS (TCSI_WINDOW_NET_TRAITS | TCSI_TRAIT_TABULAR)

/* Rows of a parameter table; `options` in the file must be tcsi_window_net_options. */
#define TCSI_WINDOW_NET_PARAMETERS(hidden_default, latent_default, epochs_default, rate_default) \
    TCSI_COUNT(window, 0, 0, 1e6, "rows that belong together; 0: the period of the first channel"), \
    TCSI_COUNT(steps, 64, 16, 512, "steps of a window, a multiple of 4; longer windows are averaged down to about as many"), \
    TCSI_COUNT(hidden, hidden_default, 1, 1024, "units, channels or states of the layers"), \
    TCSI_COUNT(latent, latent_default, 1, 1024, "numbers of the narrowest layer"), \
    TCSI_COUNT(epochs, epochs_default, 1, 100000, "how often each part of the training rows is seen"), \
    TCSI_COUNT(smoothing, 0, 0, 1e6, "rows of the mean around a row; 0: the window"), \
    TCSI_REAL(rate, rate_default, 1e-6, 1, "highest learning rate"), \
    TCSI_REAL(trim, 0.05, 0, 0.5, "share of the training windows, the worst, that are not learned from"), \
    TCSI_WINDOW_NET_EFFORT

/* The same for tables, which may have many channels: training ends after two seconds on a usual core. */
#define TCSI_TABLE_NET_PARAMETERS(hidden_default, latent_default, epochs_default, rate_default, dropout_default) \
    TCSI_COUNT(hidden, hidden_default, 1, 1024, "units of the layers"), \
    TCSI_COUNT(latent, latent_default, 1, 1024, "numbers of the narrowest layer"), \
    TCSI_TABLE_NET_TRAINING(epochs_default, rate_default, dropout_default)
#define TCSI_TABLE_NET_TRAINING(epochs_default, rate_default, dropout_default) \
    TCSI_COUNT(epochs, epochs_default, 1, 100000, "how often each training row is seen"), \
    TCSI_REAL(rate, rate_default, 1e-6, 1, "highest learning rate"), \
    TCSI_REAL(trim, 0.2, 0, 0.5, "share of the training rows, the worst, that are not learned from"), \
    TCSI_WINDOW_NET_DOUBT(dropout_default), \
    TCSI_REAL(budget, 2, 0, 1e6, "seconds of training, turned into steps by what a step costs on a usual core; 0: until it is done")

#define TCSI_WINDOW_NET_BAYES \
    TCSI_REAL(bayes, 0, 0, 1, "weight of the prior of the last layer's weights, 1 / training windows say; draws then draw them; 0: numbers")

/* Those that say how a net is asked how sure it is, and how long it may learn. */
#define TCSI_WINDOW_NET_EFFORT \
    TCSI_WINDOW_NET_DOUBT(0), \
    TCSI_REAL(budget, 0, 0, 1e6, "seconds of training, turned into steps by what a step costs on a usual core; 0: until it is done"), \
    TCSI_CHANCES_PARAMETERS
#define TCSI_WINDOW_NET_DOUBT(dropout_default) \
    TCSI_COUNT(members, 1, 1, 32, "networks with different seeds; the score is their mean, its uncertainty their deviation"), \
    TCSI_COUNT(draws, 1, 1, 64, "looks of each network, with inputs left out and latent numbers drawn anew; 1: nothing is drawn"), \
    TCSI_REAL(dropout, dropout_default, 0, 0.9, "share of the inputs left out at random, in training and draws")

#endif
