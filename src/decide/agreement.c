/* SPDX-License-Identifier: Apache-2.0 */
#include "decide/agreement.h"

#include <math.h>

static const double PI = 3.14159265358979323846, P_MIN = 1e-300, P_MAX = 0.99, RARE = 0.01;

tcsi_agreement tcsi_agreement_of(const float *p_values, size_t member_count)
{
    tcsi_agreement out = { .p_value = NAN, .disagreement = NAN };
    double cauchy = 0, decades = 0, squares = 0, only = 1;
    for (size_t k = 0; k < member_count; k++) {
        const double p = fmax((double)p_values[k], P_MIN);
        if (isnan(p_values[k])) continue;
        out.member_count++;
        out.agreeing_count += p <= RARE;
        cauchy += 1 / tan(PI * fmin(p, P_MAX));
        decades += log10(p);
        squares += log10(p) * log10(p);
        only = p;
    }
    const double count = (double)out.member_count;
    if (out.member_count == 0) return out;
    out.p_value = out.member_count == 1 ? only : fmax(atan2(1, cauchy / count) / PI, P_MIN); /* without losing small ones to 1/2 - atan */
    out.disagreement = sqrt(fmax(squares / count - decades / count * (decades / count), 0));
    return out;
}
