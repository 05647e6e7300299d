/* bench/kind_trials.h -- episodes whose kind is known: what src/explain/kind_weights.inc is learned from, and what it is measured on.
 *
 * A trial is a normal world of one to six channels, something of one kind laid over one of them, and the rows that a detector might call
 * the episode.  Worlds are
 *   machines   of a simulated fleet (simulate/fleet.h): channels of one rhythm
 *   families   one of the families of normal.h, with none to three other series beside it
 *   coupled    channels that share one course, each with something of its own, loud or faint
 * Kinds are laid down by inject.h, as `kind_of` says; drop-outs and correlation breaks, which it has not, are planted here.  Half of what can
 * stay does so.  The rows are those of the event, or begin and end early or late, and two times in five the frame ends before the event
 * does: an episode that has only just been confirmed.
 * Training and held-out trials differ in seed and in settings: families that training never saw, other fleets, other couplings.
 * A pure function of seed and number. */
#ifndef TCS_BENCH_KIND_TRIALS_H
#define TCS_BENCH_KIND_TRIALS_H

#include "explain/kind.h"
#include "simulate/inject.h"

enum { KIND_TRIAL_CHANNELS_MAX = 6 };

typedef struct kind_trial {
    tcsi_frame *frame;
    tcsi_kind_name kind;       /* laid down */
    tcsi_event_kind event;     /* by which event; TCSI_EVENT_KIND_COUNT: planted here */
    size_t channel, period;    /* period: as found in the rows before */
    size_t others[KIND_TRIAL_CHANNELS_MAX], other_count;
    tcsi_extent rows;
    bool is_over;              /* there are rows behind it */
    bool stays;                /* and they are still where it led to */
} kind_trial;

/* False: nothing that could be seen; nothing to destroy. */
bool kind_trial_make(uint64_t seed, size_t number, bool is_held_out, kind_trial *ret_trial);
void kind_trial_destroy(kind_trial *trial);

#endif
