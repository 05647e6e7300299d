/* pipeline/crossing.h -- how likely hard limits are passed in the rows to come: limits of a knowledge file meet forecasts.
 *
 * A forecast states nine quantiles: the median and the ends of four bands.  Between two of them the distribution is taken as a line in
 * probit space, that is, as normal with the two quantiles where they are.  A tail is normal, too, beginning at the last quantile with the
 * scale of the last two, or, where that is larger, of the median and the last: bands that follow their misses each by itself come to
 * lie on one another, and two quantiles a hair apart would have a tail of nothing.  Of a normal forecast this is exact, and it is monotone
 * whatever the quantiles.  Bands hold noise and doubt both, and so do the probabilities.
 *
 * What a probability is of: that the value *in the row of the horizon* is beyond the limit.  That it is beyond in any row up to there is at
 * least as likely as the likeliest of these rows: a lower bound, and all that is said, because nothing tells how the horizons depend on
 * each other.  A limit's `for` is not looked at: what is foretold is a value, not how long it stays.
 *
 * Costs a few tens of nanoseconds a limit and horizon, once, after the last row. */
#ifndef TCS_PIPELINE_CROSSING_H
#define TCS_PIPELINE_CROSSING_H

#include "pipeline/detect.h"

enum { TCSI_CROSSING_HORIZON_COUNT_MAX = 8, TCSI_CROSSING_WORDS_SIZE = 192 };

/* Of one limit whose channel is forecast. */
typedef struct tcsi_crossing {
    size_t channel;
    bool is_passed;       /* the channel's last reading is beyond it */
    size_t horizon_count; /* at least one, nearest first */
    size_t ahead[TCSI_CROSSING_HORIZON_COUNT_MAX];
    double probabilities[TCSI_CROSSING_HORIZON_COUNT_MAX];
    double probability;   /* of any row up to the farthest horizon, at least: the largest of them */
    size_t likely;        /* the first horizon whose probability is 0.5 or more; horizon_count: none */
    char words[TCSI_CROSSING_WORDS_SIZE]; /* "level above 4.5 m" */
} tcsi_crossing;

/* That the value is above a limit, or below it; NaN: of a forecast that is not finite. */
double tcsi_forecast_above(const tcsi_forecast *forecast, double limit);
double tcsi_forecast_below(const tcsi_forecast *forecast, double limit);

/* Of every limit of the detection's knowledge whose channel has forecasts, in the file's order; none without either.  E_MEMORY. */
tcs_status tcsi_detection_find_crossings(tcsi_detection *detection, tcs_error *err) TCS_WARN_UNUSED;

#endif
