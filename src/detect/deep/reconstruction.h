/* detect/deep/reconstruction.h -- what detectors share that learn to give windows back: whatever they cannot give back was not seen in
 * training.
 *
 * A network maps a window x (W,C) of a sequence to x' (W,C) through something too narrow to pass everything.  After training, windows a
 * quarter apart run through it, and a step's error in a channel is the mean of (x - x')^2 over the windows that hold it, in units of that
 * channel's mean error over the training rows.  A row's score is the root of the highest of them, averaged over `smoothing` rows around it:
 * windows look both ways (offline).
 * Fitted, the network is that of the training rows; otherwise it learns from the series itself, which holds the anomalies too: the worst
 * windows are left out (learner.h), and what is narrow does not learn what is rare.
 * Parts: the channels' errors, in those units.
 *
 * A detector of this family is a file with a builder, options and an info; see autoencoder.c. */
#ifndef TCS_DETECT_DEEP_RECONSTRUCTION_H
#define TCS_DETECT_DEEP_RECONSTRUCTION_H

#include "detect/deep/sequence.h"
#include "nn/layers.h"
#include "nn/plan.h"

typedef struct tcsi_reconstruction_options {
    size_t window, steps, hidden, latent, epochs, smoothing;
    double rate, trim;
} tcsi_reconstruction_options;

/* What a builder makes of the input: x' of its shape, and what the loss has besides the squared error (TCSI_NODE_NONE: nothing). */
typedef struct tcsi_reconstruction_nodes {
    tcsi_node_id output, penalty;
    float penalty_factor;
} tcsi_reconstruction_nodes;

typedef tcsi_reconstruction_nodes (*tcsi_reconstruction_build)(tcsi_net *net, tcsi_node_id x, const tcsi_reconstruction_options *options);

typedef struct tcsi_reconstruction {
    tcsi_detector base;
    tcsi_reconstruction_options options;
    tcsi_net *net;
    tcsi_node_id loss, output;
    tcsi_plan *training, *scoring;
    tcsi_sequence_form form; /* of the fit, or of the series that was scored last */
    double *spreads;         /* (C): mean squared errors over what was learned from */
    tcsi_floats errors;      /* (U,C): of the frame that was scored last, in units of the spreads */
    size_t step_count;
} tcsi_reconstruction;

/* The operations; a detector's init calls the first with its builder. */
tcs_status tcsi_reconstruction_init(tcsi_detector *base, tcsi_reconstruction_build build, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_reconstruction_deinit(tcsi_detector *base);
tcs_status tcsi_reconstruction_fit(tcsi_detector *base, const tcsi_frame *train, tcs_error *err) TCS_WARN_UNUSED;
tcs_status tcsi_reconstruction_score(tcsi_detector *base, const tcsi_frame *frame, tcs_score *ret_scores, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_reconstruction_contribute_span(const tcsi_detector *base, size_t row_begin, size_t row_end, double *ret_parts);
size_t tcsi_reconstruction_horizon(const tcsi_detector *base);
void tcsi_reconstruction_persist(tcsi_detector *base, tcsi_codec *codec);
size_t tcsi_reconstruction_size_max(const tcsi_detector *base, size_t row_count);

#define TCSI_RECONSTRUCTION_OPS(init_function) \
    { .init = init_function, .deinit = tcsi_reconstruction_deinit, .fit = tcsi_reconstruction_fit, .score = tcsi_reconstruction_score, \
      .contribute_span = tcsi_reconstruction_contribute_span, .horizon = tcsi_reconstruction_horizon, \
      .persist = tcsi_reconstruction_persist, .size_max = tcsi_reconstruction_size_max }

/* Rows of a parameter table; `options` in the file must be tcsi_reconstruction_options. */
#define TCSI_RECONSTRUCTION_PARAMETERS(hidden_default, latent_default, epochs_default, rate_default) \
    TCSI_COUNT(window, 0, 0, 1e6, "rows that belong together; 0: the period of the first channel"), \
    TCSI_COUNT(steps, 64, 16, 512, "steps of a window, a multiple of 4; longer windows are averaged down to about as many"), \
    TCSI_COUNT(hidden, hidden_default, 1, 1024, "units, channels or states of the layers"), \
    TCSI_COUNT(latent, latent_default, 1, 1024, "numbers of the narrowest layer"), \
    TCSI_COUNT(epochs, epochs_default, 1, 100000, "how often each part of the training rows is seen"), \
    TCSI_COUNT(smoothing, 0, 0, 1e6, "rows of the mean around a row; 0: the window"), \
    TCSI_REAL(rate, rate_default, 1e-6, 1, "highest learning rate"), \
    TCSI_REAL(trim, 0.05, 0, 0.5, "share of the training windows, the worst, that are not learned from")

#endif
