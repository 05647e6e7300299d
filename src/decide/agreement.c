/* SPDX-License-Identifier: Apache-2.0 */
#include "decide/agreement.h"

#include <math.h>

static const double RARE = 0.01;

tcsi_agreement tcsi_agreement_of(const float *p_values, size_t member_count)
{
    tcsi_agreement out = { .p_value = NAN, .disagreement = NAN };
    double given[TCSI_FUSION_MEMBER_MAX];
    tcsi_fusion fusion;
    if (member_count == 0 || tcsi_fusion_init(&fusion, TCSI_FUSION_CAUCHY, member_count, NULL) != TCS_OK) return out;
    for (size_t k = 0; k < member_count; k++) {
        given[k] = (double)p_values[k];
        out.member_count += !isnan(given[k]);
        out.agreeing_count += given[k] <= RARE;
    }
    const tcsi_fused fused = tcsi_fusion_of(&fusion, given);
    out.p_value = fused.p_value;
    out.disagreement = out.member_count > 0 ? fused.disagreement : NAN;
    return out;
}
