/* detect/deep/learner.h -- training on windows of a sequence, or of several: what deep detectors do alike.
 *
 * Batches are windows drawn anew in each step, evenly over the training part; the last fifth of the windows, a window apart, is held out
 * where the sequence is long enough, and training ends when it no longer gets better: the best weights are kept.  AdamW, one-cycle rate,
 * gradients clipped at norm 1.
 *
 * Anomalies among the training rows: the loss that a window had when it was last drawn is remembered, and windows among the worst `trim`
 * of those known weigh nothing (least trimmed squares; P. J. Rousseeuw, "Least median of squares regression", JASA 79, 1984, by
 * stochastic steps as in V. Zhou, R. C. Paffenroth, "Anomaly detection with robust deep autoencoders", KDD 2017, whose split into clean
 * and spoilt parts this simplifies).
 *
 * A lesson may have parts, one for each series of a fleet.  A batch draws its windows evenly over the parts, however long each is, and no
 * window crosses from one into another; each part holds out its own last fifth, and leaves out the worst of its own windows, so that a
 * noisy series is not left out as a whole.
 *
 * Adapting (step_count above 0) goes on from weights that are good already: so many steps at a constant rate, and where windows are held
 * out, weights that do no better than the first ones are not kept.
 *
 * With labels, a quarter of each batch lies in labelled events, another quarter right beside them, each event as likely as the others, and
 * the rest is drawn evenly: few labels are seen often, and so is what is only like them.  Nothing is held out, as labels are too few to set
 * some aside.  What is left out as above are shares of the unlabelled and of the labelled windows of their own: events that nobody noticed
 * cost most among the former, labels that are wrong among the latter.
 *
 * Adversaries: with a rival, two plans take turns, and the net is told how far training has come.  Nothing is held out then: the losses
 * of adversaries move each other, and do not tell which weights are best.
 *
 * The number of steps follows from the number of windows and the budget alone, so that bits depend neither on the clock nor on threads: a
 * budget of seconds is turned into steps by what a step costs (tcsi_plan_cost) at a stated rate, TCSI_LEARNER_RATE.  The clock is only a
 * backstop: a machine that takes TCSI_LEARNER_PATIENCE times as long as planned ends the training early, with a warning, and then bits
 * do depend on it.
 *
 * Kept in a file (detect/training.h), a training that was interrupted goes on where it stood, to the same bits: weights, moments, the
 * best weights so far, remembered losses and the curve are saved after a round (a twentieth of the steps), at most once a second, and when
 * it is stopped on request; a step draws by its number.
 * Threads: one caller; the plan's work is shared out by the pool. */
#ifndef TCS_DETECT_DEEP_LEARNER_H
#define TCS_DETECT_DEEP_LEARNER_H

#include "base/progress.h"
#include "detect/training.h"
#include "nn/train.h"

enum { TCSI_LEARNER_BATCH = 64, TCSI_LEARNER_PATIENCE = 4,
       TCSI_LEARNER_EVENT_SHARE = 4 /* one window in so many lies in a labelled event, as many beside one */ };
#define TCSI_LEARNER_RATE 1e10 /* multiply-adds a second, and */
#define TCSI_LEARNER_STEP 2e-5 /* seconds a step besides: one core of 2023; see docs/internals/deep.md */

/* Windows [begin, end) of one labelled event. */
typedef struct tcsi_event_windows {
    size_t begin, end;
} tcsi_event_windows;

/* What there is to learn from: window i is steps [i, i + window) of both.  Rows of a table are windows of one step. */
typedef struct tcsi_lesson {
    const float *inputs;  /* (U,C), finite */
    const float *targets; /* (U,D), NaN = unknown */
    size_t step_count, input_channels, target_channels, window;
    const float *labels;      /* (windows) the net's third input, or NULL: it has none.  NaN = unknown */
    const tcsi_event_windows *events; /* (event_count) in order, apart; with labels only */
    size_t event_count;
    const size_t *part_ends; /* (part_count) steps behind each part, ascending; NULL: one part */
    size_t part_count;       /* each at least a window long */
    const size_t *order;  /* (windows): window i is really this one; NULL: it is i.  Rows of a table are learned in random order, so that
                             those that are held out are like the rest */
    double missed, doubted;   /* with events: shares of the windows with label 0, and with one, that may be wrong: as `trim` */
    const double *chances;    /* (windows), as chances.h gives them; NULL: all windows are drawn alike; of
                               * lessons of one part */
} tcsi_lesson;

/* These two are of lessons of one part.  The second is the first window that is held out, 0 when none is: from this step on nothing was
 * learned from. */
size_t tcsi_lesson_window_count(const tcsi_lesson *lesson);
size_t tcsi_lesson_held_begin(const tcsi_lesson *lesson);
/* Windows at starts (B) -> ret_inputs (B,W,C), and ret_targets (B,W,D) unless NULL. */
void tcsi_lesson_gather(const tcsi_lesson *lesson, const size_t *starts, size_t count, float *ret_inputs, float *ret_targets);

typedef struct tcsi_learner {
    tcsi_net *net;     /* borrowed; trained on from the weights it has */
    tcsi_plan *plan;   /* borrowed; of TCSI_LEARNER_BATCH rows, inputs: window and target; has a loss */
    tcsi_node_id loss;
    tcsi_plan *rival;  /* or NULL; borrowed, of the same net: steps on every batch after plan, with a loss and groups of its own */
    double rivalry;    /* with a rival: the net's third input falls from 1 to 1 - rivalry */
    size_t epochs;     /* how often each part of the sequence is seen, about */
    size_t step_count; /* of an adaptation; 0: as epochs say */
    double rate, trim; /* highest learning rate; share of windows left out, in [0, 0.5] */
    uint64_t seed;
    double budget;           /* seconds; 0: none */
    tcsi_training *training; /* or NULL */
    size_t member;           /* its number, for curve and file */
    uint64_t key;            /* of what else the loss depends on; 0: nothing */
} tcsi_learner;

/* The seed of one of several nets that learn the same: the first one's is the detector's own. */
uint64_t tcsi_learner_seed(uint64_t seed, size_t member);

/* E_INVALID: the sequence is shorter than a window, or training never gave a finite loss; E_FORMAT: the file to resume from is none or
 * damaged; E_IO, E_MEMORY, E_CANCELLED. */
tcs_status tcsi_learner_run(const tcsi_learner *learner, const tcsi_lesson *lesson, tcsi_pool *pool, const tcsi_progress *progress,
                            tcs_error *err) TCS_WARN_UNUSED;

/* Most bytes that run holds besides net and plan, for a sequence of so many steps. */
size_t tcsi_learner_size_max(const tcsi_net *net, size_t step_count, size_t window, size_t input_channels, size_t target_channels);

#endif
