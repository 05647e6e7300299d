/* detect/ensemble/experts.h -- the offline view of one channel: four experts at four scales, fused by a soft maximum.
 *
 * Every expert is a sum of standardized distances -- how unlike everything else is the stretch around a row? -- smoothed
 * over its own scale:
 *   short  L/4   centred and raw segment join, autoregressive residual, a little energy
 *   period L     centred, raw and z-normalized join, autoregressive residual
 *   long   2 L   centred, raw and z-normalized join, and the centred join at L
 *   look   2 L   third nearest neighbour in a space of window features (level, spread, roughness, skewness, turns, steps)
 * L is the period (64 rows when there is none).  Each part is standardized by the mean and deviation of its values clipped at
 * a high quantile, so that one huge event does not shrink all others, and the experts are joined by log-sum-exp: whoever
 * is sure decides, agreement adds.  The joins: C.-C. M. Yeh et al., "Matrix profile I", ICDM 2016, against a sample of
 * segments; log-sum-exp as combination: C. C. Aggarwal, S. Sathe, "Outlier Ensembles", 2017, section 5 (maximization with its
 * instability softened).
 * Constants were chosen on public development data as a whole and on simulated series; see docs/benchmarks/.
 * Cost: about 330 segments of 2 w' windows, w' <= 32, per row.  Threads: reentrant. */
#ifndef TCS_DETECT_EXPERTS_H
#define TCS_DETECT_EXPERTS_H

#include "base/pool.h"

typedef struct tcsi_experts_options {
    size_t period;          /* L, rows */
    size_t train_row_count; /* leading rows that the autoregression is fitted on */
    size_t segment_count;   /* J of the joins; 160, or 80 where several channels share the time */
    tcsi_pool *pool;
} tcsi_experts_options;

enum { TCSI_EXPERTS_PERIOD_DEFAULT = 64 };

/* What experts are made of: distances and errors around each row, >= 0, each in its own unit. */
typedef enum tcsi_expert_part {
    TCSI_PART_CENTRED_SHORT, /* joins at L/4 */
    TCSI_PART_RAW_SHORT,
    TCSI_PART_CENTRED,       /* at L */
    TCSI_PART_RAW,
    TCSI_PART_ZNORM,
    TCSI_PART_CENTRED_LONG,  /* at 2 L */
    TCSI_PART_RAW_LONG,
    TCSI_PART_ZNORM_LONG,
    TCSI_PART_RESIDUAL_SHORT, /* root mean square of what the autoregression did not foresee, over L/4 */
    TCSI_PART_RESIDUAL,       /* over L */
    TCSI_PART_ENERGY_SHORT,   /* of the values, over L/4 */
    TCSI_PART_LOOK,           /* look.h, at 2 L */
    TCSI_EXPERT_PART_COUNT,
} tcsi_expert_part;

/* x: (T), every value finite.  ret_parts: (P,T), P = TCSI_EXPERT_PART_COUNT; zeros for a constant series.  E_MEMORY. */
tcs_status tcsi_experts_parts(const double *x, size_t row_count, const tcsi_experts_options *options, double *ret_parts,
                              tcs_error *err) TCS_WARN_UNUSED;
enum { TCSI_EXPERT_COUNT = 4 };
/* parts: (P,T) as found.  ret_scores: (T), the experts' soft maximum; a constant for a constant series.  ret_experts: (E,T), E =
 * TCSI_EXPERT_COUNT, what each of them says, or NULL.  E_MEMORY. */
tcs_status tcsi_experts_fuse(const double *parts, size_t row_count, const tcsi_experts_options *options, double *ret_scores,
                             double *ret_experts, tcs_error *err) TCS_WARN_UNUSED;

/* Both at once. */
tcs_status tcsi_experts_score(const double *x, size_t row_count, const tcsi_experts_options *options, double *ret_scores,
                              double *ret_experts, tcs_error *err) TCS_WARN_UNUSED;

/* Centred and raw join, z-normalized join, prefix join and autoregressive residual at L, standardized and added, smoothed over L:
 * the plainer score that several channels are averaged over. */
tcs_status tcsi_experts_plain(const double *x, size_t row_count, const tcsi_experts_options *options, double *ret_scores,
                              tcs_error *err) TCS_WARN_UNUSED;

#endif
