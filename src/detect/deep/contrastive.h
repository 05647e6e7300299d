/* detect/deep/contrastive.h -- the encoder of patches that contrastive.c tells about, for detectors that want more of it.
 *
 * With weights above 0 for `reconstruction` or `context` the network also gives a patch back from its place, and foretells the place of the
 * patch a period away; the loss is the sum of the three by their weights, and so is the score, each part from its median over the series
 * on and in its median absolute deviations.  See combined.c. */
#ifndef TCS_DETECT_DEEP_CONTRASTIVE_H
#define TCS_DETECT_DEEP_CONTRASTIVE_H

#include "detect/deep/memory_bank.h"
#include "detect/deep/window_net.h"

typedef struct tcsi_contrastive {
    tcsi_window_net base;    /* hidden: width of the encoder and size of an embedding, latent: of what comes behind it */
    size_t radius, bank_size, neighbour_count;
    double floor;
    bool nearby, triplet;
    double *center, *factor; /* (D), (D,D): of the embeddings that were learned from, covariance = factor factor' */
} tcsi_contrastive;

tcs_status tcsi_contrastive_init(tcsi_detector *base, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_contrastive_deinit(tcsi_detector *base);
tcs_status tcsi_contrastive_fit(tcsi_detector *base, const tcsi_frame *train, tcs_error *err) TCS_WARN_UNUSED;
tcs_status tcsi_contrastive_score(tcsi_detector *base, const tcsi_frame *frame, tcs_score *ret_scores, tcs_error *err) TCS_WARN_UNUSED;
tcs_status tcsi_contrastive_regard(tcsi_detector *base, const tcsi_frame *frame, const tcsi_regard_wish *wish,
                                   tcsi_regard *ret_regard, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_contrastive_persist(tcsi_detector *base, tcsi_codec *codec);
size_t tcsi_contrastive_size_max(const tcsi_detector *base, size_t row_count);

#define TCSI_CONTRASTIVE_OPS(init_function) \
    { .init = init_function, .deinit = tcsi_contrastive_deinit, .fit = tcsi_contrastive_fit, .score = tcsi_contrastive_score, \
      .regard = tcsi_contrastive_regard, .horizon = tcsi_window_net_horizon, \
      .persist = tcsi_contrastive_persist, .size_max = tcsi_contrastive_size_max }

#define TCSI_CONTRASTIVE_INFO \
    .traits = TCSI_TRAIT_OFFLINE | TCSI_TRAIT_MULTIVARIATE | TCSI_TRAIT_RANDOM | TCSI_TRAIT_DEEP, \
    .instance_size = sizeof(tcsi_contrastive), .parameters = parameters, .parameter_count = TCS_COUNT(parameters), .ops = &ops

/* Rows of a parameter table. */
#define TCSI_CONTRASTIVE_NET(field) offsetof(tcsi_contrastive, base.options.field)
#define TCSI_CONTRASTIVE_PARAMETERS(epochs_default) \
    { "window", TCSI_PARAMETER_COUNT, TCSI_CONTRASTIVE_NET(window), 0, 0, 1e6, \
      "rows that belong together; 0: the period of the first channel" }, \
    { "steps", TCSI_PARAMETER_COUNT, TCSI_CONTRASTIVE_NET(steps), 32, 16, 512, \
      "steps of a patch, a multiple of 4; longer windows are averaged down to about as many" }, \
    { "hidden", TCSI_PARAMETER_COUNT, TCSI_CONTRASTIVE_NET(hidden), 32, 1, 256, \
      "numbers of an embedding, channels of the outer convolutions" }, \
    { "latent", TCSI_PARAMETER_COUNT, TCSI_CONTRASTIVE_NET(latent), 64, 1, 1024, "numbers that patches are compared by while training" }, \
    { "epochs", TCSI_PARAMETER_COUNT, TCSI_CONTRASTIVE_NET(epochs), epochs_default, 1, 100000, "training steps, of 64 patches each" }, \
    { "smoothing", TCSI_PARAMETER_COUNT, TCSI_CONTRASTIVE_NET(smoothing), 0, 0, 1e6, "rows of the mean around a row; 0: the window" }, \
    { "rate", TCSI_PARAMETER_REAL, TCSI_CONTRASTIVE_NET(rate), 1e-3, 1e-12, 1, "first learning rate; the last is a tenth of it" }, \
    { "radius", TCSI_PARAMETER_COUNT, offsetof(tcsi_contrastive, radius), 1, 1, 1000, \
      "steps by which a positive may be more or less than a period away" }, \
    { "nearby", TCSI_PARAMETER_BOOL, offsetof(tcsi_contrastive, nearby), 0, 0, 1, "positives are 1 to radius steps away, not a period" }, \
    { "triplet", TCSI_PARAMETER_BOOL, offsetof(tcsi_contrastive, triplet), 0, 0, 1, \
      "learn by triplets with the farthest patch of a batch, margin 0.5, instead of InfoNCE" }, \
    { "floor", TCSI_PARAMETER_REAL, offsetof(tcsi_contrastive, floor), 1, 1e-6, 1e6, \
      "deviation, in those of the channel, below which a patch keeps its amplitude" }, \
    { "bank_size", TCSI_PARAMETER_COUNT, offsetof(tcsi_contrastive, bank_size), 1500, 1, TCSI_MEMORY_BANK_SIZE_MAX, \
      "most patches in a memory bank" }, \
    { "n_neighbors", TCSI_PARAMETER_COUNT, offsetof(tcsi_contrastive, neighbour_count), 3, 1, TCSI_MEMORY_BANK_NEIGHBOURS_MAX, \
      "nearest patches whose distances are averaged" }

#endif
