/* decide/fusion.h -- one p-value from those of several members that look at the same row.
 *
 * Members agree because they see the same data, so nothing here takes them for independent, as Fisher's sum of logarithms does.  Rules,
 * and what each needs to be valid (no more than t of the normal rows get p <= t):
 *   harmonic    the harmonic mean p-value with Landau's distribution as its exact reference (D. Wilson, "The harmonic mean p-value
 *               for combining dependent tests", PNAS 116(4), 2019, equation 4): exact for independent members, nearly so for dependent
 *               ones when t is small; finds one strong voice among many
 *   cauchy      weighted sum of Cauchy variates (Y. Liu, J. Xie, "Cauchy combination test", JASA 115, 2020), each p-value held at 0.99,
 *               so that one calm member does not outvote all others: nearly exact for small t under any dependence; the cheapest
 *   average     twice the weighted arithmetic mean (V. Vovk, R. Wang, "Combining p-values via averaging", Biometrika 107(4), 2020):
 *               valid under every dependence; for members that all see an event
 *   evidence    weighted mean of e-values, each p^(-1/2) / 2, and p = 1 / mean (V. Vovk, R. Wang, "E-values: calibration, combination and
 *               applications", Annals of Statistics 49(3), 2021, sections 2 and 3): valid under every dependence and as evidence that may
 *               be multiplied over time (tcsi_fusion_evidence); it pays with power
 *   bonferroni  the smallest p / weight: valid under every dependence
 * Weights are learned from rows known to be anomalous: those that make the evidence grow fastest (T. Cover, "An algorithm for maximizing
 * expected log investment return", IEEE Transactions on Information Theory 30(2), 1984).  Any weights are valid that were fixed before.
 *
 * Members that are silent (NaN) are left out and the others' weights fill their place.
 * Disagreement: the weighted deviation of log10 p over the members, in decades; part of what is not known of a row.
 * Cost: O(members) a row; harmonic about 20 us for its reference.  Threads: a fusion may be used by many. */
#ifndef TCS_DECIDE_FUSION_H
#define TCS_DECIDE_FUSION_H

#include "base/codec.h"

enum { TCSI_FUSION_MEMBER_MAX = 64 };

typedef enum tcsi_fusion_rule {
    TCSI_FUSION_HARMONIC,
    TCSI_FUSION_CAUCHY,
    TCSI_FUSION_AVERAGE,
    TCSI_FUSION_EVIDENCE,
    TCSI_FUSION_BONFERRONI,
    TCSI_FUSION_RULE_COUNT,
} tcsi_fusion_rule;

typedef struct tcsi_fusion_info {
    const char *name;
    const char *assumes;      /* what its validity rests on, for people */
    bool holds_everywhere;    /* valid at every level under every dependence */
} tcsi_fusion_info;

extern const tcsi_fusion_info tcsi_fusion_table[TCSI_FUSION_RULE_COUNT];

typedef struct tcsi_fusion {
    tcsi_fusion_rule rule;
    size_t member_count;                    /* 1..TCSI_FUSION_MEMBER_MAX */
    double weights[TCSI_FUSION_MEMBER_MAX]; /* >= 0, sum to 1 */
} tcsi_fusion;

typedef struct tcsi_fused {
    double p_value;      /* in (0, 1]; NaN: every member was silent */
    double disagreement; /* decades, >= 0 */
} tcsi_fused;

/* Equal weights.  E_INVALID. */
tcs_status tcsi_fusion_init(tcsi_fusion *fusion, tcsi_fusion_rule rule, size_t member_count, tcs_error *err) TCS_WARN_UNUSED;
/* p_values: (row_count, member_count) of rows known to be anomalous, NaN: silent.  Without any row weights stay as they are. */
void tcsi_fusion_learn(tcsi_fusion *fusion, const double *p_values, size_t row_count);
tcsi_fused tcsi_fusion_of(const tcsi_fusion *fusion, const double *p_values); /* (member_count) in [0, 1] or NaN */
/* The mean e-value that EVIDENCE is made from, >= 1/2; 1 (nothing learned) when all are silent. */
double tcsi_fusion_evidence(const tcsi_fusion *fusion, const double *p_values);
void tcsi_fusion_persist(tcsi_fusion *fusion, tcsi_codec *codec);

#endif
