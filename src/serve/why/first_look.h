/* serve/why/first_look.h -- what the first look made of a row: of what its score is made, and which values it would have let pass.
 *
 *     value ──> distance from the forecast, and from the level, each in its own deviation; the larger is the score
 *     score / what is usual for the series / its bar = height; above the threshold in force it alarms
 *
 * All of it by the figures that were in force before the row (shard/grounds.h).  It is two tests at once, so the values that pass are an
 * interval: within score_limit deviations of the forecast and of the level.  Threads: reentrant. */
#ifndef TCS_SERVE_WHY_FIRST_LOOK_H
#define TCS_SERVE_WHY_FIRST_LOOK_H

#include "serve/shard/grounds.h"

typedef struct tcsi_first_look {
    tcsi_residual_parts parts;
    bool is_shift;          /* the distance from the level is what counts; else that from the forecast: a jump */
    double score;           /* of the two the larger */
    double usual, bar;      /* what of the series' own scores one in 50 exceeds; half as much again for each alarm of late */
    double height, threshold;
    double score_limit;     /* of scores that do not alarm; infinite: none would */
    double low, high;       /* values that do not; low > high: there are none */
} tcsi_first_look;

/* row: is_known. */
tcsi_first_look tcsi_first_look_of(const tcsi_grounds_row *row);
/* The values of the next row whose height is at most `height`, as an interval. */
void tcsi_first_look_quiet(const tcsi_residual_chart *chart, const tcsi_cohort_member *member, double height, double *ret_low,
                           double *ret_high);

#endif
