/* detect/fast/residual_chart.h -- the first look at every row, for a million series at once: 48 bytes of state, tens of nanoseconds a row.
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
 * A deviation is worth something where values vary.  Errors a second that are nothing most of the time, or memory that holds still, have
 * next to none, and any other value would be out of all proportion, each time.  Two bounds keep it in proportion:
 *   - the chart remembers how far from level and forecast values have been: a tenth of that reach is the least deviation.  Rows far away
 *     that follow one such row add nothing to it, and each first one makes it twice as large at most, so that a glitch, or a new
 *     level, hides next to nothing; unless there was no deviation at all.  It is forgotten with a memory of 4000 rows.
 *   - n equal rows and one that is another give that one sqrt(n) deviations, however far it is: F. Grubbs, "Sample criteria for testing
 *     outlying observations", Annals of Mathematical Statistics 21(1), 1950.  That much they can vouch for, and it is the score of the
 *     first row that differs.
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
    float reach, rest_reach; /* how far values have been from the level, and from their forecasts */
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
    double spread, rest_spread;    /* deviations of values around the level, of residuals around the forecast, or a tenth of the reach */
    double step, rest;             /* value - level, value - forecast */
    double by_level, by_forecast;  /* |step| / spread, |rest| / rest_spread */
    double most;                   /* that equal rows can vouch for; infinite: they were not equal */
    bool is_ready;                 /* there were warmup_count rows: the larger of the two is the score, or most, if that is less */
} tcsi_residual_parts;
/* Of the value that a push would absorb next: the same bits.  The chart has had a row. */
tcsi_residual_parts tcsi_residual_chart_parts(const tcsi_residual_chart *chart, const tcsi_residual_chart_options *options, double value);
double tcsi_residual_parts_score(const tcsi_residual_parts *parts); /* what they come to, ready or not */
/* What the next row is expected to be, and its deviation; 0 where no row has differed from what was expected. */
void tcsi_residual_chart_expect(const tcsi_residual_chart *chart, double *ret_value, double *ret_deviation);
/* How far a value is from the level, in deviations of values; NaN before the first row. */
double tcsi_residual_chart_distance(const tcsi_residual_chart *chart, double value);
void tcsi_residual_chart_persist(tcsi_residual_chart *chart, tcsi_codec *codec);

#endif
