/* detect/deep/labelled.h -- what detectors share that learn from a few labels.
 *
 * fit takes the labels of its rows (frame->labels; 1 = anomalous).  A window is anomalous when its middle, a sixteenth of it, holds a row
 * labelled so, and unknown, left out, when only as much again beside the middle does: where an event begins is seldom labelled to the row.
 * Windows of one event in a row are one event to draw from (learner.h).  Everything else is not known to be anomalous, which is less than
 * normal: most labelled sets miss some.  Labels of a frame that is scored are never looked at.
 *
 * The network sees one channel more than there are: what auto_classic says of the rows without any label, so that labels only have to
 * teach where it is wrong (Y. Zhao, M. K. Hryniewicki, "XGBOD: improving supervised outlier detection with unsupervised representation
 * learning", IJCNN 2018).  The option `with_auto` turns it off.
 *
 * Where some labels are known to be missing or wrong, `missed` and `doubted` are the shares of windows that are left out (learner.h), and
 * `by_risk` takes the missed ones into account as Kiryo et al. do (nn/ops/loss_unlabelled.c).  With `warning`, windows before an event are
 * anomalous the more, the nearer it is.
 *
 * Scores are those of one_number.h, in finer strides and averaged over less, since labels say where an event is.  Where no row was
 * labelled, the channel is empty and scores are averaged as elsewhere.
 *
 * Of a table each row is labelled or not, and the opinion is that of auto_tabular.
 *
 * A detector of this family is a file with a builder, options and an info; its net's third input is the label (B,1,1).  See devnet.c. */
#ifndef TCS_DETECT_DEEP_LABELLED_H
#define TCS_DETECT_DEEP_LABELLED_H

#include "detect/deep/one_number.h"

typedef struct tcsi_labelled_form {
    tcsi_window_net_build build;
    tcsi_window_net_prepare prepare; /* or NULL: what has to be prepared besides labels */
    float anomalous;                 /* what an anomalous window is called; the others are 0 */
    bool needs_labels;               /* fit refuses rows without */
    bool has_risk;                   /* the loss is loss_unlabelled with `by_risk` */
    double (*probability)(const tcsi_window_net_options *options, double number); /* log odds that a number stands for; NULL: none */
} tcsi_labelled_form;

typedef struct tcsi_labelled {
    tcsi_one_number base;
    const tcsi_labelled_form *form; /* static */
    tcsi_detector *adviser;      /* NULL: not wanted */
    bool is_told;                /* some row of the fit was labelled anomalous */
    double shift;                /* added to log odds as they were learned: what is less rare in training than in the rows */
    const uint8_t *rows;         /* borrowed during fit */
    float *labels;               /* (windows) */
    tcsi_event_windows *events;
} tcsi_labelled;

/* The operations; a detector's init calls the first. */
tcs_status tcsi_labelled_init(tcsi_detector *base, const tcsi_labelled_form *form, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_labelled_deinit(tcsi_detector *base);
tcs_status tcsi_labelled_fit(tcsi_detector *base, const tcsi_frame *train, tcs_error *err) TCS_WARN_UNUSED;
tcs_status tcsi_labelled_score(tcsi_detector *base, const tcsi_frame *frame, tcs_score *ret_scores, tcs_error *err) TCS_WARN_UNUSED;
/* Scores that are probabilities have a threshold of their own, 1/2: the tail of what is never above 1 says nothing beyond. */
double tcsi_labelled_threshold(const tcsi_detector *base);
void tcsi_labelled_persist(tcsi_detector *base, tcsi_codec *codec);
size_t tcsi_labelled_size_max(const tcsi_detector *base, size_t row_count);

/* What there is to say of a window's middle, (B,1,...): two strided convolutions, what they give there and, as mean and maximum, anywhere.
 * One number (B,1,1) of it, by two dense layers. */
tcsi_node_id tcsi_labelled_look(tcsi_net *net, tcsi_node_id x, const tcsi_window_net_options *options, bool without_bias);
tcsi_node_id tcsi_labelled_number(tcsi_net *net, tcsi_node_id x, const tcsi_window_net_options *options);

/* The same of a row of a table, x (B,1,C), by three dense layers. */
tcsi_node_id tcsi_labelled_row_number(tcsi_net *net, tcsi_node_id x, const tcsi_window_net_options *options);

/* One of the two, of x, and the deviation loss of DevNet on it (devnet.c); options->emphasis is the margin. */
typedef tcsi_node_id (*tcsi_labelled_reader)(tcsi_net *net, tcsi_node_id x, const tcsi_window_net_options *options);
tcsi_window_net_nodes tcsi_labelled_deviation(tcsi_net *net, tcsi_node_id x, const tcsi_window_net_options *options,
                                              tcsi_labelled_reader read);

/* Rows of a parameter table, before that of `emphasis`. */
#define TCSI_LABELLED_PARAMETERS(hidden_default, latent_default, epochs_default, rate_default) \
    TCSI_COUNT(window, 0, 0, 1e6, "rows that belong together; 0: the period of the first channel"), \
    TCSI_COUNT(steps, 64, 32, 512, "steps of a window, a multiple of 4; longer windows are averaged down to about as many"), \
    TCSI_COUNT(hidden, hidden_default, 1, 1024, "channels of the convolutions"), \
    TCSI_COUNT(latent, latent_default, 1, 1024, "numbers of the narrowest layer"), \
    TCSI_COUNT(epochs, epochs_default, 1, 100000, "how often each part of the training rows is seen"), \
    TCSI_COUNT(smoothing, 0, 0, 1e6, "rows of the mean around a row; 0: an eighth of the window"), \
    TCSI_REAL(rate, rate_default, 1e-6, 1, "highest learning rate"), \
    TCSI_REAL(trim, 0.05, 0, 0.5, "without labels: share of the training windows, the worst, that are not learned from"), \
    TCSI_BOOL(with_auto, 1, "learn from what auto_classic says of the rows, too"), \
    TCSI_REAL(missed, 0, -1, 0.5, "share of the unlabelled windows that may be events, and are left out where they look most like one; " \
                                     "-1: estimated from what auto_classic says"), \
    TCSI_REAL(doubted, 0, 0, 0.5, "share of the labelled windows that may be none, and are left out where they look least like one"), \
    TCSI_COUNT(warning, 0, 0, 1e6, "rows before an event whose label rises towards it, so that it is told earlier")

#define TCSI_LABELLED_TABLE_PARAMETERS(hidden_default, latent_default, epochs_default, rate_default) \
    TCSI_TABLE_NET_PARAMETERS(hidden_default, latent_default, epochs_default, rate_default, 0.2), \
    TCSI_BOOL(with_auto, 1, "learn from what auto_tabular says of the rows, too")

#define TCSI_LABELLED_OPS(init_function) \
    { .init = init_function, .deinit = tcsi_labelled_deinit, .fit = tcsi_labelled_fit, .score = tcsi_labelled_score, \
      .attribute = tcsi_window_net_attribute, .horizon = tcsi_window_net_horizon, .threshold = tcsi_labelled_threshold, \
      .persist = tcsi_labelled_persist, .size_max = tcsi_labelled_size_max }

/* What the infos of the family say alike; `parameters` and `ops` are the file's. */
#define TCSI_LABELLED_INFO(more_traits) TCSI_LABELLED_INFO_OF(TCSI_WINDOW_NET_TRAITS | (more_traits))
#define TCSI_LABELLED_TABLE_INFO(more_traits) TCSI_LABELLED_INFO_OF(TCSI_TABLE_NET_TRAITS | (more_traits))
#define TCSI_LABELLED_INFO_OF(all_traits) \
    .traits = (all_traits) | TCSI_TRAIT_LABELS, .instance_size = sizeof(tcsi_labelled), \
    .options_offset = offsetof(tcsi_labelled, base.base.options), .parameters = parameters, .parameter_count = TCS_COUNT(parameters), \
    .ops = &ops

#endif
