/* explain/attribution.h -- which channels made an episode, and when: its score, shared out over rows and channels.
 *
 * Where the shares come from, best first:
 *   PARTS      what the detector itself says of each row (contribute, contribute_span): exact for scores that are sums over channels
 *   GRADIENTS  integrated gradients of a network's score, from the expected values to the observed ones (detector.h, attribute)
 *   SHAPLEY    Shapley values of groups of channels and segments of rows, replaced by what was expected (shapley.h); for any detector
 *   DEVIATION  where nothing else can be had: squared distance from the expected value in deviations, which is about the data and says
 *              nothing of the detector
 * Where values are replaced, by gradients and Shapley values, those within their expected band stay as they are, unless all are: what is
 * normal needs no explanation, and the noise of channels that nothing happened to would else be told as a cause.
 * Shares are >= 0 and sum to 1; what lowered the score has none.  A sign says whether the value was above or below what was expected. */
#ifndef TCS_EXPLAIN_ATTRIBUTION_H
#define TCS_EXPLAIN_ATTRIBUTION_H

#include "explain/expected.h"
#include "explain/replay.h"

typedef enum tcsi_attribution_source {
    TCSI_ATTRIBUTION_NONE, /* nothing stands out: no shares */
    TCSI_ATTRIBUTION_PARTS,
    TCSI_ATTRIBUTION_GRADIENTS,
    TCSI_ATTRIBUTION_SHAPLEY,
    TCSI_ATTRIBUTION_DEVIATION,
} tcsi_attribution_source;

const char *tcsi_attribution_source_name(tcsi_attribution_source source); /* "parts" */

typedef struct tcsi_attribution {
    tcsi_attribution_source source;
    tcsi_extent rows;
    size_t channel_count;
    double *shares;   /* (rows,C) */
    int8_t *signs;    /* (rows,C): -1 below, 1 above what was expected, 0 missing or neither */
    double *channels; /* (C): sums over the rows */
    double error;     /* SHAPLEY: the largest standard error of a channel's share */
} tcsi_attribution;

enum { TCSI_ATTRIBUTION_ORDERS = 8, TCSI_ATTRIBUTION_SEGMENTS = 4, TCSI_ATTRIBUTION_PLAYERS_MAX = 24 };

typedef struct tcsi_attribution_options {
    tcsi_attribution_source source; /* that is wanted; NONE: the best there is */
    size_t order_count;          /* of SHAPLEY; 0: TCSI_ATTRIBUTION_ORDERS */
    uint64_t seed;
    tcsi_replays *replays;       /* borrowed: the episode can be judged again with its item number `item`; NULL: one is made */
    size_t item;
} tcsi_attribution_options;

/* expectations: of the rows at least, of those channels that may have a share of other sources than PARTS.  Called before anything else is
 * scored with the subject's own detector, whose last frame is the subject's.  E_MEMORY; E_UNSUPPORTED: the source that is wanted cannot be
 * had; as scoring. */
tcs_status tcsi_attribute(const tcsi_subject *subject, tcsi_extent rows, const tcsi_expectations *expectations,
                          const tcsi_attribution_options *options, tcsi_attribution *ret_attribution, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_attribution_deinit(tcsi_attribution *attribution); /* accepts a zeroed one */

/* Rows from the first to the last that hold a tenth of the highest row's share. */
tcsi_extent tcsi_attribution_span(const tcsi_attribution *attribution, size_t channel);

#endif
