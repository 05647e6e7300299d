/* explain/explanation.h -- everything that is known of why an episode alarmed, in one struct of plain data.
 *
 *     subject, decision -> period, kind, expected band of each channel -> attribution -> similar, regard -> counterfactual -> sentence
 *
 * Of more than TCSI_EXPLAIN_CHANNELS channels only so many are looked at closely: those that the detector names first, or else the first.
 * A brief explanation does without scoring anything again: kind, band, similar and sentence of the channels that the caller already knows
 * to carry the episode. */
#ifndef TCS_EXPLAIN_EXPLANATION_H
#define TCS_EXPLAIN_EXPLANATION_H

#include "base/json.h"
#include "decide/agreement.h"
#include "explain/attribution.h"
#include "explain/counterfactual.h"
#include "explain/kind.h"
#include "explain/similar.h"

enum { TCSI_EXPLAIN_CHANNELS = 64, TCSI_STORY_COUNT_MAX = 8, TCSI_SENTENCE_SIZE = 1024,
       TCSI_REGARDED_ROWS = 24 };

/* What one channel did. */
typedef struct tcsi_story {
    size_t channel;
    double share;           /* of the episode's attribution */
    tcsi_kind kind;
    size_t period;          /* rows; 0: none */
    tcsi_extent when;         /* rows in which it contributed most */
    bool is_out;            /* it left its expected band within the episode */
    size_t row_out;         /* the first row of that; may lie before the episode */
    size_t row_worst;       /* farthest beyond the band, or from what was expected; a present one where there is any */
    double value, expected, low, high; /* there */
    double beyond;          /* distance from the nearer edge, of its sign; 0: inside */
    double spread;          /* deviation of normal rows */
    const double *band;     /* (3,view): expected, low, high; owned by the explanation */
} tcsi_story;

typedef struct tcsi_explanation {
    size_t episode;         /* index in the decision */
    tcsi_agreement agreement; /* of the detector's members in the peak row */
    bool is_limit;          /* a hard limit was passed in it */
    bool by_score;          /* a row of it has a score (or evidence) above its threshold */
    bool by_sum;            /* a row of it alarmed by what p-values have added up to; then, at the row where that was highest: */
    size_t row_sum;
    double sum, sum_threshold; /* NaN otherwise */
    tcsi_extent rows;         /* of the episode */
    tcsi_extent seen;         /* of those that are looked at: all, or as many around the peak as TCSI_EXPLAIN_CELLS_MAX allows */
    tcsi_extent view;         /* of bands */
    tcsi_story stories[TCSI_STORY_COUNT_MAX]; /* largest share first */
    size_t story_count;     /* 0: no channel stands out */
    double *bands;          /* (story_count,3,view) */
    tcsi_attribution attribution;       /* of a brief one without shares */
    tcsi_counterfactual counterfactual;
    tcsi_similar similar;
    bool has_similar;       /* rows are a history */
    tcsi_regard regard;     /* what rows of it were compared with by the detector; without lines where nobody can say, and of a brief one */
    char sentence[TCSI_SENTENCE_SIZE];
    char advice[TCSI_SENTENCE_SIZE];    /* the counterfactual in words; empty when it was not asked for */
    double seconds;         /* spent on it: its share of what all of them took together */
} tcsi_explanation;

typedef struct tcsi_explain_options {
    bool with_counterfactual;
    tcsi_attribution_options attribution;
    tcsi_counterfactual_options counterfactual;
} tcsi_explain_options;

/* episodes: indices in the decision, in order of time.  ret: (count), filled on success only; each is the caller's to deinit.
 * E_INVALID: the detector is gone; E_MEMORY, and as scoring. */
tcs_status tcsi_explain(const tcsi_subject *subject, const size_t *episodes, size_t count, const tcsi_explain_options *options,
                        tcsi_explanation *ret, tcs_error *err) TCS_WARN_UNUSED;

/* Channels that carry the episode, and their shares: as the detection knows them.  share_count 0: those farthest from what was expected. */
typedef struct tcsi_carriers {
    const size_t *channels;
    const double *shares;
    size_t count;
} tcsi_carriers;
tcs_status tcsi_explain_briefly(const tcsi_subject *subject, size_t episode, const tcsi_carriers *carriers, tcsi_explanation *ret,
                                tcs_error *err) TCS_WARN_UNUSED;

void tcsi_explanation_deinit(tcsi_explanation *explanation); /* accepts a zeroed one */

/* {"schema": "tocsin/explanation/1", ...}; docs/reference/explanation.md names every key. */
void tcsi_explanation_write_json(tcsi_json_writer *writer, const tcsi_subject *subject, const tcsi_explanation *explanation);

#endif
