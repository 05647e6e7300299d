/* detect/deep/fleet.h -- many series as one lesson, and what an instance keeps of it.
 *
 * Machines of one kind behave alike but for size, level and details.  Weights learned from all of them know the kind; what is special to
 * one is little and is learned from a few hundred of its rows (global models: D. Salinas, V. Flunkert, J. Gasthaus, T. Januschowski,
 * "DeepAR", Int. J. of Forecasting 36, 2020; P. Montero-Manso, R. J. Hyndman, "Principles and algorithms for forecasting groups of time
 * series: locality and globality", same journal 37, 2021).  Each series is brought to its own scales and its own step (sequence.h); the
 * sequences stand one behind the other, and the learner draws evenly over them (learner.h).
 *
 * Adapting to a series: own scales, own period (the fleet's where the series is too short to tell), the shared weights, of which only the
 * last layer, the head, is trained a few steps further.  What a detector calibrates it measures on the rows of the series itself.
 *
 * Facts that describe a series are standardized over the fleet, clipped to +-5, and 0 where they are not known or do not vary; a net reads
 * them as channels that do not change.  One column of 0 and 1 for each value of a tag makes the first layer's weights its embedding.
 *
 * Series that are shorter than a window, or hold no value, teach nothing: they are left out, and a message says which.
 * Threads: as the detector's. */
#ifndef TCS_DETECT_DEEP_FLEET_H
#define TCS_DETECT_DEEP_FLEET_H

#include "detect/deep/learner.h"
#include "detect/deep/sequence.h"

enum { TCSI_FLEET_FACT_MAX = 256, TCSI_HEAD_GROUP = 1 }; /* the group of the weights that belong to one series */

/* ---- the lesson ---- */

typedef struct tcsi_fleet_plan {
    const char *name;            /* of the detector */
    tcsi_sequence_wish wish;     /* of each series */
    const tcsi_scale *fact_scales;
    size_t window, target_channels;
    /* ret_targets (U,target_channels), of one series */
    void (*fill)(void *context, const tcsi_sequence *sequence, float *ret_targets);
    void *context;
} tcsi_fleet_plan;

typedef struct tcsi_fleet_lesson {
    tcsi_lesson lesson;
    tcsi_floats inputs, targets; /* (U,C + D), (U,target_channels) */
    size_t *ends;                /* (series taken) */
    size_t window_row_count;     /* the median of theirs */
} tcsi_fleet_lesson;

/* E_INVALID: no series is long enough; E_MEMORY.  The caller releases it, always. */
tcs_status tcsi_fleet_lesson_init(tcsi_fleet_lesson *lesson, const tcsi_fleet *fleet, const tcsi_fleet_plan *plan,
                                  tcs_error *err) TCS_WARN_UNUSED;
void tcsi_fleet_lesson_deinit(tcsi_fleet_lesson *lesson); /* accepts a zeroed struct */

/* ---- what an instance keeps ---- */

typedef struct tcsi_fleet_memory {
    size_t fact_count;       /* D */
    double *facts;           /* (D) of the series that is fitted next, NaN: unknown */
    float *scaled;           /* (D) the same as nets read them */
    tcsi_scale *fact_scales; /* (D) */
    tcsi_floats weights;     /* (members, weight_count) as the fleet taught them; none: no fleet is known */
    size_t weight_count;     /* of a net, with its states */
    tcsi_plan *adapting;     /* trains the head alone */
    size_t window_row_count;
} tcsi_fleet_memory;

bool tcsi_fleet_memory_init(tcsi_fleet_memory *memory, size_t fact_count) TCS_WARN_UNUSED; /* false: out of memory */
void tcsi_fleet_memory_deinit(tcsi_fleet_memory *memory); /* accepts a zeroed struct */
void tcsi_fleet_forget(tcsi_fleet_memory *memory);        /* the fleet, not the facts */
bool tcsi_fleet_known(const tcsi_fleet_memory *memory);
void tcsi_fleet_describe(tcsi_fleet_memory *memory, const double *facts);
/* Learns how facts are scaled.  E_MEMORY. */
tcs_status tcsi_fleet_learn_facts(tcsi_fleet_memory *memory, const tcsi_fleet *fleet, tcs_error *err) TCS_WARN_UNUSED;
/* Room for the weights of members of the form of net, and the plan that adapts them in it.  E_MEMORY. */
tcs_status tcsi_fleet_keep(tcsi_fleet_memory *memory, size_t member_count, tcsi_net *net, tcsi_node_id loss,
                           tcs_error *err) TCS_WARN_UNUSED;
void tcsi_fleet_put(tcsi_fleet_memory *memory, size_t member, const tcsi_net *net);
void tcsi_fleet_take(const tcsi_fleet_memory *memory, size_t member, tcsi_net *net);
/* Trains the head of the net, which holds shared weights, for so many steps; learner: what trains the whole net. */
tcs_status tcsi_fleet_adapt(const tcsi_fleet_memory *memory, const tcsi_learner *learner, size_t step_count, const tcsi_lesson *lesson,
                            tcsi_pool *pool, const tcsi_progress *progress, tcs_error *err) TCS_WARN_UNUSED;
/* How the series at hand becomes a sequence. */
tcsi_sequence_wish tcsi_fleet_wish(const tcsi_fleet_memory *memory, size_t window_row_count, size_t steps);
void tcsi_fleet_persist(tcsi_fleet_memory *memory, size_t member_count, tcsi_net *net, tcsi_node_id loss, tcsi_codec *codec);
size_t tcsi_fleet_memory_size(const tcsi_fleet_memory *memory, size_t member_count); /* bytes */

/* ---- a net that reads facts beside values ---- */

/* Of the net's input x (B,W,C + D): the values (B,W,C); h (B,1,U) and the facts side by side, (B,1,U + D). */
tcsi_node_id tcsi_fleet_values(tcsi_net *net, tcsi_node_id x, size_t fact_count);
tcsi_node_id tcsi_fleet_join(tcsi_net *net, tcsi_node_id h, tcsi_node_id x, size_t fact_count);

/* Rows of a parameter table. */
#define TCSI_FLEET_PARAMETERS \
    TCSI_COUNT(facts, 0, 0, TCSI_FLEET_FACT_MAX, "numbers that describe each series of a fleet"), \
    TCSI_COUNT(adaptation, 100, 0, 100000, "training steps of the last layer in which a net that knows a fleet becomes that of one series")

#endif
