/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/why/first_look.h"

#include <math.h>

/* The score that stands at that height; infinite: scores are cut off below it (cohort.h). */
static double score_at(const tcsi_cohort_member *member, double height)
{
    const double multiple = height * (double)member->bar;
    return multiple >= TCSI_COHORT_HEIGHT_MAX ? INFINITY : multiple * (double)member->usual;
}

void tcsi_first_look_quiet(const tcsi_residual_chart *chart, const tcsi_cohort_member *member, double height, double *ret_low,
                           double *ret_high)
{
    const tcsi_residual_parts parts = tcsi_residual_chart_parts(chart, &tcsi_residual_chart_defaults, chart->level);
    const double score = score_at(member, height), limit = parts.is_ready && score < parts.most ? score : INFINITY;
    const double by_level = limit * parts.spread, by_forecast = limit * parts.rest_spread;
    *ret_low = fmax(parts.level - by_level, parts.forecast - by_forecast);
    *ret_high = fmin(parts.level + by_level, parts.forecast + by_forecast);
}

tcsi_first_look tcsi_first_look_of(const tcsi_grounds_row *row)
{
    const tcsi_residual_parts parts = tcsi_residual_chart_parts(&row->chart, &tcsi_residual_chart_defaults, row->value);
    tcsi_first_look look = { .parts = parts, .is_shift = parts.by_level > parts.by_forecast, .usual = (double)row->member.usual,
                             .bar = (double)row->member.bar, .threshold = row->threshold };
    look.score = tcsi_residual_parts_score(&parts);
    look.height = fmin(look.score / look.usual, TCSI_COHORT_HEIGHT_MAX) / look.bar;
    look.score_limit = score_at(&row->member, row->threshold);
    tcsi_first_look_quiet(&row->chart, &row->member, row->threshold, &look.low, &look.high);
    return look;
}
