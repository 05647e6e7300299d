/* knowledge/votes.h -- how far to believe rules whose truth nobody knows, from how they agree.
 *
 * Each rule either speaks on a row or does not, and so does the detector.  What the rows truly are is hidden; a source speaks with one
 * probability on anomalous rows and with another on normal ones, independently of the others given the truth (A. Dawid, A. Skene, "Maximum
 * likelihood estimation of observer error-rates using the EM algorithm", Applied Statistics 28, 1979; rules as labelling functions:
 * A. Ratner et al., "Data programming: creating large training sets, quickly", NIPS 2016).  How often a source speaks is counted; how often
 * it is then right, and how many rows are anomalous, is found by expectation maximization, with rows whose truth is known held to it.
 * Ten utterances, eight of them right, are imagined of each source before it has said anything.  With fewer than three sources that speak
 * and no labels agreement says little, and the answer stays near that.
 *
 * All that matters of a row is who spoke: rows are counted by pattern, so that memory does not depend on their number and the estimate
 * costs the same after a hundred or a billion.  Rows of a series resemble their neighbours; the estimate is as if they did not, and so
 * surer of itself than it should be. */
#ifndef TCS_KNOWLEDGE_VOTES_H
#define TCS_KNOWLEDGE_VOTES_H

#include "knowledge/knowledge.h"

typedef enum tcsi_truth { TCSI_TRUTH_UNKNOWN = 0, TCSI_TRUTH_NORMAL = 1, TCSI_TRUTH_ANOMALY = 2 } tcsi_truth;

typedef struct tcsi_votes {
    size_t rule_count;
    bool says_anomaly[TCSI_RULE_COUNT_MAX + 1];  /* the detector, last, does */
    uint64_t *counts;                            /* (3, 2^(rule_count + 1)) rows by truth and pattern */
    double *posterior;                           /* (2^(rule_count + 1)) P(anomalous | pattern), after estimate */
    double share;                                /* of anomalous rows, as estimated */
    double accuracy[TCSI_RULE_COUNT_MAX + 1];    /* P(right | speaks), as estimated */
    double spoken_when[2][TCSI_RULE_COUNT_MAX + 1]; /* P(speaks | normal), P(speaks | anomalous), as follows from both */
} tcsi_votes;

tcs_status tcsi_votes_init(tcsi_votes *votes, const tcsi_knowledge *knowledge, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_votes_deinit(tcsi_votes *votes); /* accepts a zeroed one */
size_t tcsi_votes_cell_count(const tcsi_votes *votes); /* of counts */
/* spoken: bit r: rule r spoke. */
void tcsi_votes_add(tcsi_votes *votes, uint16_t spoken, bool detector_alarms, tcsi_truth truth);
void tcsi_votes_estimate(tcsi_votes *votes);
/* P(what it says is true | it speaks), of a rule or, last, the detector; rows it spoke on. */
double tcsi_votes_accuracy(const tcsi_votes *votes, size_t source);
uint64_t tcsi_votes_spoken_count(const tcsi_votes *votes, size_t source);
double tcsi_votes_probability(const tcsi_votes *votes, uint16_t spoken, bool detector_alarms);

#endif
