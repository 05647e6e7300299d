/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/window/offline.h"

#include "base/alloc.h"
#include "series/period.h"
#include "series/resample.h"

#include <math.h>

enum { WINDOWS_MIN = 8, WINDOW_MIN = 4 };
static const double Z_MAX = 1e100; /* beyond this a deviation from a foreign scale would overflow when squared */

static void fill(const double *values, size_t count, double *ret_filled)
{
    for (size_t t = 0; t < count; t++) ret_filled[t] = tcsi_value_ok(values[t]) ? values[t] : NAN;
    (void)tcsi_fill_short_gaps(ret_filled, count, count, NULL);
    for (size_t t = 0; t < count; t++)
        if (isnan(ret_filled[t])) ret_filled[t] = 0; /* nothing at all is present */
}

tcs_status tcsi_offline_begin(const tcsi_frame *frame, size_t window, const tcsi_scale *scale, tcsi_offline *ret_offline, tcs_error *err)
{
    tcsi_offline offline = { .row_count = frame->row_count, .values = tcsi_frame_column(frame, 0), .window = window };
    offline.z = TCSI_NEW_ARRAY(double, offline.row_count);
    if (!offline.z) return tcsi_fail_memory(err, "a channel");
    fill(offline.values, offline.row_count, offline.z);
    offline.scale = scale ? *scale : tcsi_scale_standard(offline.z, offline.row_count);
    tcsi_scale_apply(&offline.scale, offline.z, offline.row_count, offline.z);
    for (size_t t = 0; t < offline.row_count; t++) offline.z[t] = fmax(-Z_MAX, fmin(Z_MAX, offline.z[t]));
    tcs_status status = TCS_OK;
    if (window == 0) {
        size_t longest = offline.row_count / WINDOWS_MIN > WINDOW_MIN ? offline.row_count / WINDOWS_MIN : WINDOW_MIN;
        status = tcsi_period_find(offline.z, offline.row_count, &offline.window, err);
        if (offline.window > longest) offline.window = longest;
    }
    if (status != TCS_OK) {
        tcsi_free(offline.z);
        return status;
    }
    *ret_offline = offline;
    return TCS_OK;
}

void tcsi_offline_end(tcsi_offline *offline)
{
    tcsi_free(offline->z);
    *offline = (tcsi_offline){ 0 };
}

void tcsi_offline_scores(const tcsi_offline *offline, const double *rows, tcs_score *ret_scores)
{
    for (size_t t = 0; t < offline->row_count; t++) {
        bool present = tcsi_value_ok(offline->values[t]);
        ret_scores[t] = (tcs_score){ .state = !present ? TCS_SCORE_MISSING : rows ? TCS_SCORE_READY : TCS_SCORE_WARMUP };
        if (ret_scores[t].state == TCS_SCORE_READY) ret_scores[t].value = rows[t];
    }
}

size_t tcsi_offline_size_max(size_t row_count)
{
    return (row_count + 400) * sizeof(double) + tcsi_period_size_max(row_count);
}

void tcsi_offline_persist_scale(tcsi_scale *scale, tcsi_codec *codec)
{
    tcsi_codec_f64(codec, &scale->center);
    tcsi_codec_f64(codec, &scale->spread);
    tcsi_codec_bool(codec, &scale->constant);
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    if (!(fabs(scale->center) <= TCS_VALUE_MAX && scale->spread > 0 && scale->spread <= 2 * TCS_VALUE_MAX))
        tcsi_codec_refuse(codec, "a scale out of range");
}
