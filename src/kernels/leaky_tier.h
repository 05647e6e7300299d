/* kernels/leaky_tier.h -- what each tier of the leaky join implements; used by kernels/leaky*.c only.
 * A step carries the scalars of tcsi_leaky_push, so that a tier is one loop over segments. */
#ifndef TCS_KERNELS_LEAKY_TIER_H
#define TCS_KERNELS_LEAKY_TIER_H

#include "kernels/leaky.h"

typedef struct tcsi_leaky_step {
    size_t window;
    const double *values;             /* of the newest window */
    double decay, leaving, entering;  /* q' = decay q + leaving x[j - 1] + entering x[j + W - 1] */
    double mean, mean_twice;          /* C - v_i = v_j + q + mean_twice m_j */
} tcsi_leaky_step;

typedef void (*tcsi_leaky_tier)(const tcsi_leaky_step *step, tcsi_leaky_segment *segments, size_t segment_count, double *ret_centred,
                                double *ret_raw);

void tcsi_leaky_tier_ref(const tcsi_leaky_step *step, tcsi_leaky_segment *segments, size_t segment_count, double *ret_centred,
                         double *ret_raw);
void tcsi_leaky_tier_avx2(const tcsi_leaky_step *step, tcsi_leaky_segment *segments, size_t segment_count, double *ret_centred,
                          double *ret_raw);
void tcsi_leaky_tier_avx512(const tcsi_leaky_step *step, tcsi_leaky_segment *segments, size_t segment_count, double *ret_centred,
                            double *ret_raw);

#endif
