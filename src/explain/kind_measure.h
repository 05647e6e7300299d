/* explain/kind_measure.h -- what a channel did in an episode, in some forty numbers that mean the same at any size, unit and cadence.
 *
 * The rows of the episode are held against what the rows before it would have led to (their median; one to three periods back where the
 * channel repeats itself), in deviations of what is normal there.  Of the episode, the stretch counts in which distances are large, if
 * there is one, its core: scores that look at windows make episodes longer than what happened.
 * Every feature is of the rows of the episode and of those before it, so an episode that is not over has them all; what is behind it is
 * only asked whether it stayed so.  A feature that cannot be measured (no period, no other channel, too few rows) is 0.
 *
 * Cost: O(rows of the episode and of those before it), and at most 128 times 2,048 products to look for its course among the latter. */
#ifndef TCS_EXPLAIN_KIND_MEASURE_H
#define TCS_EXPLAIN_KIND_MEASURE_H

#include "explain/subject.h"

/* One row per feature: name in the code. */
#define TCSI_KIND_FEATURE_LIST(X)                                                                                     \
    X(LENGTH)          /* log of the rows of the core */                                                              \
    X(CORE)            /* their share of the episode's */                                                             \
    X(PERIODS)         /* log of the core's rows in periods; 0: none */                                               \
    X(HAS_PERIOD)      /* 0, 1 */                                                                                     \
    X(SHIFT)           /* median distance, without its sign */                                                        \
    X(SPREAD)          /* log of the distances' deviation over the usual one, robust */                               \
    X(SPREAD_ALL)      /* likewise of the plain deviation */                                                          \
    X(ONE_SIDED)       /* |mean sign| of distances */                                                                 \
    X(TURNS)           /* share of neighbours on different sides */                                                   \
    X(LEVEL_FIT)       /* share of the squares that one level explains */                                             \
    X(LINE_FIT)        /* share of what is left that a line explains */                                               \
    X(BEND_FIT)        /* share of what is left that a parabola explains */                                           \
    X(SLOPE)           /* along the core, without its sign */                                                         \
    X(MEMORY)          /* correlation of a distance with the next one */                                              \
    X(MEMORY_USUAL)    /* likewise before */                                                                          \
    X(FIRST)           /* mean distance in each fifth of the core, over the largest of them */                        \
    X(SECOND)                                                                                                         \
    X(THIRD)                                                                                                          \
    X(FOURTH)                                                                                                         \
    X(FIFTH)                                                                                                          \
    X(ENTRY)           /* step of the distances where the core begins, over usual steps */                            \
    X(STEP)            /* the largest one about the episode */                                                        \
    X(FAR_SHARE)       /* rows of the episode that are far out */                                                     \
    X(FAR_COUNT)       /* log of them */                                                                              \
    X(FAR_RUNS)        /* stretches of them over rows of them */                                                      \
    X(FARTHEST)        /* distance */                                                                                 \
    X(TOP)             /* share of the squares in the three largest */                                                \
    X(REST)            /* log of the deviation of the others over the usual one */                                    \
    X(OUTSIDE)         /* share of values beyond all before */                                                        \
    X(SIZE)            /* log of the values' own deviation over that before */                                        \
    X(ROUGHNESS)       /* likewise of their bends */                                                                  \
    X(UNLIKE)          /* how far the nearest course before is, by shape */                                           \
    X(UNLIKE_USUAL)    /* likewise of as many rows right before the episode */                                        \
    X(DISTANT)         /* the nearest one by values, over the values' deviation before */                             \
    X(DISTANT_USUAL)                                                                                                  \
    X(GAIN)            /* log of its size beside the nearest course's */                                              \
    X(OFFSET)          /* its level beside the nearest course's, without sign */                                      \
    X(MISSING)         /* share of the rows of the episode */                                                         \
    X(MISSING_USUAL)                                                                                                  \
    X(FLOOR)           /* share of rows at zero or the lowest value, where that is below all before */                \
    X(STILL)           /* share of rows of the core that repeat the one before */                                     \
    X(STILL_ALL)       /* of the episode */                                                                           \
    X(STILL_USUAL)                                                                                                    \
    X(TOGETHER)        /* correlation with the channel that it moved with most, before; 0: no other */                \
    X(PARTED)          /* what is left of it in the core, less what was left in the worst stretch as long before */       \
    X(BESIDE)          /* log of the distances from what that channel leads to, over those before */                  \
    X(BESIDE_LEVEL)    /* LEVEL_FIT of those distances */                                                             \
    X(BESIDE_LINE)                                                                                                    \
    X(BESIDE_BEND)                                                                                                    \
    X(BESIDE_MEMORY)                                                                                                  \
    X(BESIDE_TOP)      /* share of the squares in the three largest */

typedef enum tcsi_kind_feature {
#define X(name) TCSI_KIND_FEATURE_##name,
    TCSI_KIND_FEATURE_LIST(X)
#undef X
    TCSI_KIND_FEATURE_COUNT,
} tcsi_kind_feature;

typedef struct tcsi_kind_measures {
    double features[TCSI_KIND_FEATURE_COUNT]; /* finite, within 8 of 0 */
    bool is_measured;                         /* there are rows to compare, or they are gone */
    double shift, slope;                      /* medians apart, change along the line: in normal deviations */
    double spread, size;                      /* deviation of distances, and of values, over those before */
    bool has_partner;
    size_t partner;                           /* the channel that it moved with most, and parted from if any */
    size_t later_count;                       /* rows behind the episode that were asked, present or not */
    double later_shift, later_spread, later_still, later_missing; /* there */
} tcsi_kind_measures;

/* As tcsi_kind_find.  E_MEMORY. */
tcs_status tcsi_kind_measure(const tcsi_subject *subject, tcsi_extent rows, size_t channel, size_t period, const size_t *others,
                             size_t other_count, tcsi_kind_measures *ret_measures, tcs_error *err) TCS_WARN_UNUSED;

#endif
