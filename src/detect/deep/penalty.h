/* detect/deep/penalty.h -- what a network says is punished where it breaks what must hold (detect/constraints.h).
 *
 * Beside the data's loss stands another one, of the values that the network itself says: what it was shown may be noise, or an anomaly
 * that nobody noticed, but what it answers shall be possible (M. Raissi, P. Perdikaris, G. E. Karniadakis, "Physics-informed neural
 * networks", J. Comput. Phys. 378, 2019, there with equations known everywhere; A. Karpatne et al., "Physics-guided neural networks
 * (PGNN)", 2017, with losses of physical inconsistency, as here).  Within the tolerance nothing is punished:
 *
 *     e(k,t) = how far residual r(k,t) is beyond 1, of an inequality on the side where it is broken
 *     loss   = mean over constraints k, and over the steps t where they can be told, of q(e(k,t) / unit(k)),
 *     q(d)   = 2 (sqrt(1 + d^2) - 1): d^2 for small d, 2 |d| for large ones, so that nothing pulls without measure
 *
 * Networks say values in deviations of each channel; they are put back into units, exactly, before constraints are asked.  unit(k) is what
 * r(k) changes by when channels change by one deviation, each by itself, all steps together or one alone, whichever is more, on average
 * over windows of the training rows: d is how many deviations the values are off, like the root of a squared error, whatever units and
 * tolerance are.  A constraint that no window can tell (it looks back too far) or that depends on nothing is not punished, and that is
 * logged.
 *
 * Steps are taken as evenly apart, at the median distance of the training rows.  A network that says several things of a step (a
 * forecaster: 1, 4, 16 and 64 rows ahead) is punished for each by itself: what was said h rows ahead, row after row, is a series too.  What
 * a causal network says in the first quarter of a window, having seen next to nothing, is not looked at: pulled about until what looks back
 * to it fits, it would spoil what is said later.
 * Constraints are asked of the input's channels alone, whatever they name: what a network says of channels that are computed from those,
 * residuals among them, is learned from the data as ever.
 *
 * The loss is an operation of its own (nn/op.h) without weights, so that nets with and without it have the same weights in the same order,
 * and what was trained with it is saved and scored without.  Cost: a walk over the constraints a window and training step, and back where
 * they are broken.
 * Threads: as the operations of a net. */
#ifndef TCS_DETECT_DEEP_PENALTY_H
#define TCS_DETECT_DEEP_PENALTY_H

#include "detect/constraints.h"
#include "detect/deep/sequence.h"
#include "nn/net.h"

/* What a net says of a window. */
typedef struct tcsi_penalty_form {
    size_t step_count, skipped_count; /* steps; the first of them, which are not looked at: fewer */
    size_t part_count, channel_count; /* parts that it says of a step, one after the other; values of each: the detector's channels */
} tcsi_penalty_form;

typedef struct tcsi_penalty {
    const tcsi_constraints *constraints; /* borrowed; NULL: nothing is punished */
    tcsi_penalty_form form;
    size_t step_count;                   /* that are looked at */
    size_t taught_count;                 /* parts that are punished: the first */
    tcsi_pace pace;
    tcsi_scale *scales;                  /* (channels of the constraints) */
    double *units;                       /* (K), 0: not punished.  These three are zeros until it has learned: nothing is punished */
} tcsi_penalty;

/* constraints may be NULL, and weight 0: then nothing is punished.  E_MEMORY.  Followed by deinit in any case. */
tcs_status tcsi_penalty_init(tcsi_penalty *penalty, const tcsi_constraints *constraints, double weight, const tcsi_penalty_form *form,
                             tcs_error *err) TCS_WARN_UNUSED;
void tcsi_penalty_deinit(tcsi_penalty *penalty); /* accepts a zeroed struct */

/* loss, or with constraints loss + weight times the penalty of y (B,W,part_count channel_count or more); penalty outlives the net. */
tcsi_node_id tcsi_penalty_join(tcsi_penalty *penalty, tcsi_net *net, tcsi_node_id loss, tcsi_node_id y, double weight);

/* Before training: scales, pace and units of the training rows, the first taught_count parts being trained.  E_MEMORY. */
tcs_status tcsi_penalty_learn(tcsi_penalty *penalty, const tcsi_sequence *sequence, const tcsi_sequence_form *form, const int64_t *times_ns,
                              size_t taught_count, tcs_error *err) TCS_WARN_UNUSED;

/* 0: nothing is punished; else a number that other constraints or another weight would change. */
uint64_t tcsi_penalty_key(const tcsi_penalty *penalty, double weight);
size_t tcsi_penalty_size_max(const tcsi_penalty *penalty, size_t row_count); /* bytes, at most, learning from so many rows included */

/* A row of a parameter table; `options` in the file must have a field of this name. */
#define TCSI_PENALTY_PARAMETER \
    TCSI_REAL(penalty, 0, 0, 1e6, "weight in the loss of breaking the constraints of --knowledge; 0: not punished")

#endif
