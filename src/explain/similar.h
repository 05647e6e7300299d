/* explain/similar.h -- was there anything like it?  The most similar episodes before this one, and the most similar normal rows.
 *
 * What is compared is the course of the channels that carry the episode, over its rows and a quarter as many on both sides, in at most
 * TCSI_SIMILAR_POINTS points, so that a long episode can be like a short one.  Two distances, each the root mean square over points and
 * channels:
 *   raw     in deviations of the channel, both as they are: the same values
 *   shape   both brought to mean 0 and deviation 1: the same course, whatever level and size (0: the same, about 1.4: unrelated, 2: upside
 *           down).  What hardly moves has no shape: it is left as it is, about 0
 * Nearest is the least sum of the two.
 *
 * Normal rows are looked at in TCSI_SIMILAR_WINDOWS windows spread evenly over all rows before the episode, and more closely around the
 * nearest.  How unusual is its distance?  TCSI_SIMILAR_REFERENCES of those windows are asked for their own nearest neighbours among the
 * others, and `unusual` is the share of them that have a nearer one than the episode has.  1: nothing like it before, as far as they tell.
 * Cost: (windows) * (references + 1) * points * channels, a few milliseconds whatever the number of rows. */
#ifndef TCS_EXPLAIN_SIMILAR_H
#define TCS_EXPLAIN_SIMILAR_H

#include "explain/subject.h"

enum { TCSI_SIMILAR_POINTS = 32, TCSI_SIMILAR_CHANNELS_MAX = 3, TCSI_SIMILAR_EPISODES_MAX = 3, TCSI_SIMILAR_WINDOWS = 512,
       TCSI_SIMILAR_REFERENCES = 16 };

typedef struct tcsi_likeness {
    tcsi_extent rows;
    size_t episode;      /* its index in the decision; of normal rows SIZE_MAX */
    double raw, shape;
} tcsi_likeness;

typedef struct tcsi_similar {
    tcsi_likeness episodes[TCSI_SIMILAR_EPISODES_MAX]; /* nearest first */
    size_t episode_count;
    tcsi_likeness normal;
    bool has_normal;     /* there were enough normal rows before it */
    double unusual;      /* [0, 1]; NaN without */
    double usual_distance; /* the median of those windows' own, raw + shape */
} tcsi_similar;

typedef struct tcsi_similar_wish {
    size_t episode;          /* index in the decision */
    const size_t *channels;  /* (channel_count) that carry it, at most TCSI_SIMILAR_CHANNELS_MAX are looked at */
    const double *spreads;   /* (channel_count) deviations of normal rows */
    size_t channel_count;
} tcsi_similar_wish;

/* E_MEMORY. */
tcs_status tcsi_similar_find(const tcsi_subject *subject, const tcsi_similar_wish *wish, tcsi_similar *ret_similar,
                             tcs_error *err) TCS_WARN_UNUSED;

#endif
