/* SPDX-License-Identifier: Apache-2.0 */
#include "decide/evidence.h"

#include <math.h>

static const double LOG_MAX = 3; /* of e: a p-value of 0.0006 */

double tcsi_evidence_push(tcsi_evidence *evidence, double p)
{
    evidence->sum = fmax(evidence->sum, 0) + fmin(log(0.5) - 0.5 * log(p), LOG_MAX);
    return fmax(evidence->sum, 0);
}

void tcsi_evidence_persist(tcsi_evidence *evidence, tcsi_codec *codec)
{
    tcsi_codec_f64(codec, &evidence->sum);
    if (tcsi_codec_loading(codec) && tcsi_codec_status(codec) == TCS_OK && !isfinite(evidence->sum))
        tcsi_codec_refuse(codec, "evidence that is not finite");
}
