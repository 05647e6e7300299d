/* detect/fast/residual_chart.h -- the first look at every row, for a million series at once: 40 bytes of state, tens of nanoseconds a row.
 *
 * Rows of a metric depend on each other, and a control chart that does not know that alarms all day: L. Alwan, H. Roberts, "Time-series
 * modeling for statistical process control", Journal of Business & Economic Statistics 6(1), 1988, put the *residuals* of a time-series
 * model on the chart (what one row brings: a jump) and beside them the *fitted values* (where the process is: a shift that lasts).  Here
 * the model is autoregressive of order one around an exponentially weighted mean, as in D. Montgomery, C. Mastrangelo, "Some statistical
 * process control methods for autocorrelated data", Journal of Quality Technology 23(3), 1991:
 *     forecast = level + rho (last - level)            rho = covariance of neighbours / variance, within [0, RHO_MAX]
 *     score    = max(|x - forecast| / deviation of residuals, |x - level| / deviation of values)
 * with all of it from before the row.  Recurrences of mean and variances: T. Finch, "Incremental calculation of weighted mean and
 * variance", University of Cambridge, 2009, section 9; the first 1 / alpha rows weigh alike.
 *
 * Robust: what is absorbed is clipped at `clip` deviations (Huber's psi), until patience_count rows on end were: then they are the new
 * normal, and taken as they are.  Level and last value are doubles, so that nothing is lost at an offset of 1e12; variances are floats.
 * Threads: one user per struct. */
#ifndef TCS_DETECT_FAST_RESIDUAL_CHART_H
#define TCS_DETECT_FAST_RESIDUAL_CHART_H

#include "base/codec.h"

typedef struct tcsi_residual_chart {
    double level, last;
    float variance;        /* of values around the level */
    float covariance;      /* of neighbours */
    float residual_square; /* mean square of residuals */
    float step_last;       /* the last value's clipped distance from the level before it */
    uint32_t count;        /* rows so far, no more than the weights ask for */
    uint32_t clipped_run;
} tcsi_residual_chart;

typedef struct tcsi_residual_chart_options {
    double alpha, clip, spread_min;
    size_t warmup_count, patience_count;
} tcsi_residual_chart_options;

extern const tcsi_residual_chart_options tcsi_residual_chart_defaults;

/* The score of a usable value (tcsi_value_ok), which is then absorbed; NaN while there are fewer than warmup_count rows.  A chart of zeros
 * is at its beginning. */
double tcsi_residual_chart_push(tcsi_residual_chart *chart, const tcsi_residual_chart_options *options, double value);
/* What a score is the larger of: how far a value is from the forecast, and from the level, each in its own deviation. */
typedef struct tcsi_residual_parts {
    double level, forecast;        /* before the row */
    double spread, rest_spread;    /* deviations of values around the level, of residuals around the forecast; floored (robust.h) */
    double step, rest;             /* value - level, value - forecast */
    double by_level, by_forecast;  /* |step| / spread, |rest| / rest_spread */
    bool is_ready;                 /* there were warmup_count rows: the larger of the two is the score */
} tcsi_residual_parts;
/* Of the value that a push would absorb next: the same bits.  The chart has had a row. */
tcsi_residual_parts tcsi_residual_chart_parts(const tcsi_residual_chart *chart, const tcsi_residual_chart_options *options, double value);
/* What the next row is expected to be, and its deviation. */
void tcsi_residual_chart_expect(const tcsi_residual_chart *chart, double *ret_value, double *ret_deviation);
/* How far a value is from the level, in deviations of values; NaN before the first row. */
double tcsi_residual_chart_distance(const tcsi_residual_chart *chart, double value);
void tcsi_residual_chart_persist(tcsi_residual_chart *chart, tcsi_codec *codec);

#endif
