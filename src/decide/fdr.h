/* decide/fdr.h -- of what is called anomalous, how much may be chance: the false-discovery rate, held below a stated level.
 *
 * Batch, all p-values at once:
 *   bh    Y. Benjamini, Y. Hochberg, "Controlling the false discovery rate", JRSS B 57(1), 1995: independent or positively dependent tests
 *   by    Y. Benjamini, D. Yekutieli, "The control of the false discovery rate in multiple testing under dependency", Annals of Statistics
 *         29(4), 2001: any dependence, for a factor of about ln n
 *   e-bh  R. Wang, A. Ramdas, "False discovery rate control with e-values", JRSS B 84(3), 2022: any dependence, of e-values
 *
 * Online, one test after the other, each judged by what came before and never revised:
 *   lord    LORD++: A. Ramdas, F. Yang, M. Wainwright, M. Jordan, "Online control of the false discovery rate with decaying memory",
 *           NeurIPS 2017, equation 3: independent p-values
 *   saffron A. Ramdas, T. Zrnic, M. Wainwright, M. Jordan, "SAFFRON: an adaptive algorithm for online control of the false discovery rate",
 *           ICML 2018: independent p-values; a test with p > 1/2 costs nothing but its turn
 *   addis   J. Tian, A. Ramdas, "ADDIS: an adaptive discarding algorithm for online FDR control with conservative nulls", NeurIPS 2019:
 *           independent p-values; also discards tests with p > 1/2, so that cautious p-values of normal rows cost nothing
 *   e-lond  Z. Xu, A. Ramdas, "Online multiple testing with e-values", AISTATS 2024: any dependence, of e-values; a p-value is taken as
 *           the e-value p^(-1/2) / 2
 *
 * The first three are one recursion with two constants:
 *     level = (tau - lambda) (a/2 g(n0) + a/2 g(n1) + a sum over j > 1 of g(nj))
 * where a is the stated level, n0 counts the tests up to this one, nj those since the j-th discovery, and earlier tests count only with
 * lambda < p <= tau: lord has lambda 0 (all count) and tau 1, saffron 1/2 and 1, addis 1/4 and 1/2; no level is above lambda, where there
 * is one.  g may be any falling sequence that sums to 1.  Here it is a mixture of geometric ones with ratios 1 - 2^-k,
 * k = 1..TCSI_FDR_SCALE_COUNT, and shares proportional to k^-1.6, which falls about as 1 / (n ln(n)^1.6) and lets the sum over all
 * discoveries be kept in one number for each ratio: nothing is forgotten, and memory does not grow.
 * Independence matters: of tests that depend on each other in runs of 20 (correlation 1/2) saffron's discoveries at a stated 0.1 were
 * false in 0.22 (fdr_test.c); then by, e-bh and e-lond are what keeps its word.
 *
 * Cost: a test is TCSI_FDR_SCALE_COUNT multiplications; a batch O(n log n).  Threads: one user per struct. */
#ifndef TCS_DECIDE_FDR_H
#define TCS_DECIDE_FDR_H

#include "base/status.h"

typedef enum tcsi_fdr_method {
    TCSI_FDR_BH,
    TCSI_FDR_BY,
    TCSI_FDR_E_BH,
    TCSI_FDR_LORD,
    TCSI_FDR_SAFFRON,
    TCSI_FDR_ADDIS,
    TCSI_FDR_E_LOND,
    TCSI_FDR_METHOD_COUNT,
} tcsi_fdr_method;

typedef struct tcsi_fdr_info {
    const char *name;
    bool is_online;
    const char *assumes;   /* for people */
    double lambda, tau;    /* of the recursion; online p-value methods only */
} tcsi_fdr_info;

extern const tcsi_fdr_info tcsi_fdr_table[TCSI_FDR_METHOD_COUNT];
/* E_INVALID lists the names. */
tcs_status tcsi_fdr_find(const char *name, tcsi_fdr_method *ret_method, tcs_error *err) TCS_WARN_UNUSED;

/* ---- batch ---- */

/* values: (count) p-values in [0, 1], of e-bh e-values >= 0.  ret_adjusted: (count) the lowest stated level at which each is a discovery,
 * in [0, 1].  method is a batch one.  E_INVALID, E_MEMORY. */
tcs_status tcsi_fdr_adjust(tcsi_fdr_method method, const double *values, size_t count, double *ret_adjusted,
                           tcs_error *err) TCS_WARN_UNUSED;

/* ---- online ---- */

enum { TCSI_FDR_SCALE_COUNT = 40 };

typedef struct tcsi_fdr {
    tcsi_fdr_method method;
    double level;                         /* stated, in (0, 1) */
    uint64_t test_count, discovery_count;
    /* For each ratio: since the beginning, since the first discovery, and the sum since each later one. */
    double start[TCSI_FDR_SCALE_COUNT], first[TCSI_FDR_SCALE_COUNT], later[TCSI_FDR_SCALE_COUNT];
} tcsi_fdr;

/* E_INVALID: not an online method, or a level outside (0, 1). */
tcs_status tcsi_fdr_init(tcsi_fdr *fdr, tcsi_fdr_method method, double level, tcs_error *err) TCS_WARN_UNUSED;
double tcsi_fdr_level(const tcsi_fdr *fdr); /* what p-value the next test may have at most to be a discovery */
bool tcsi_fdr_test(tcsi_fdr *fdr, double p_value); /* in [0, 1]; true: a discovery */
/* Of e-lond only: an e-value as it is. */
bool tcsi_fdr_test_evidence(tcsi_fdr *fdr, double e_value);

#endif
