/* detect/ensemble/causal_set.h -- the channels of a frame that are worth a look, each with its causal members. */
#ifndef TCS_DETECT_CAUSAL_SET_H
#define TCS_DETECT_CAUSAL_SET_H

#include "detect/ensemble/causal.h"
#include "series/frame.h"

typedef struct tcsi_causal_set {
    size_t *channels;     /* (count) indices, ascending */
    tcsi_causal *members; /* (count) */
    size_t count;         /* 0: not fitted */
} tcsi_causal_set;

enum { TCSI_CAUSAL_CHANNEL_COUNT_MAX = 256 }; /* of more channels that vary, this many are taken evenly */

/* Takes the channels with more than two different values in the training rows; when there are none, the first.  Forgets what the
 * set held before.  ret_varying_count: how many vary, also beyond the limit.  E_MEMORY: the set is then empty. */
tcs_status tcsi_causal_set_fit(tcsi_causal_set *set, const tcsi_frame *train, size_t segment_limit, size_t *ret_varying_count,
                               tcs_error *err) TCS_WARN_UNUSED;
void tcsi_causal_set_deinit(tcsi_causal_set *set); /* accepts a zeroed struct */
void tcsi_causal_set_reset(tcsi_causal_set *set);
size_t tcsi_causal_set_period_max(const tcsi_causal_set *set); /* 0 when empty */

/* Loading: into an empty set, to be released whatever the outcome. */
void tcsi_causal_set_persist(tcsi_causal_set *set, size_t channel_count, size_t segment_limit, tcsi_codec *codec);

/* Bytes allocated for a frame of channel_count channels, at most. */
size_t tcsi_causal_set_size(size_t channel_count, size_t segment_limit);

#endif
