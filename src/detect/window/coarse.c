/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/window/coarse.h"

#include <math.h>

enum { WINDOW_MIN = 4, WINDOWS_MIN = 8 };

tcsi_coarse tcsi_coarse_with_factor(size_t row_count, size_t window_row_count, size_t factor)
{
    tcsi_coarse scale = { .row_count = row_count, .factor = factor };
    scale.value_count = row_count / factor + (row_count % factor != 0);
    scale.window = window_row_count / factor > WINDOW_MIN ? window_row_count / factor : WINDOW_MIN;
    bool long_enough = scale.value_count / WINDOWS_MIN >= scale.window;
    scale.window_count = long_enough ? scale.value_count - scale.window + 1 : 0;
    return scale;
}

tcsi_coarse tcsi_coarse_make(size_t row_count, size_t window_row_count, size_t target)
{
    double factor = rint((double)window_row_count / (double)target); /* halves to even */
    return tcsi_coarse_with_factor(row_count, window_row_count, factor < 1 ? 1 : (size_t)factor);
}

void tcsi_coarse_shrink(const tcsi_coarse *scale, const double *values, double *ret_coarse)
{
    const size_t f = scale->factor, n = scale->row_count;
    for (size_t i = 0; i < scale->value_count; i++) {
        double sum = 0;
        for (size_t k = 0; k < f; k++) sum += values[i * f + k < n ? i * f + k : n - 1] / (double)f;
        ret_coarse[i] = sum;
    }
}

/* Window i is centred on coarse value i + window / 2, whose rows are centred on (that + 0.5) factor - 0.5. */
void tcsi_coarse_expand(const tcsi_coarse *scale, const double *scores, double *ret_rows)
{
    const double f = (double)scale->factor, last = (double)(scale->window_count - 1);
    for (size_t t = 0; t < scale->row_count; t++) {
        double at = ((double)t + 0.5) / f - 0.5 - (double)(scale->window / 2);
        if (at <= 0) {
            ret_rows[t] = scores[0];
        } else if (at >= last) {
            ret_rows[t] = scores[scale->window_count - 1];
        } else {
            size_t i = (size_t)at;
            double share = at - (double)i;
            ret_rows[t] = share == 0 ? scores[i] : scores[i] * (1 - share) + scores[i + 1] * share;
        }
    }
}
