/* metrics/measures.h -- every measure of one scored, labelled series in one struct, from one call.
 *
 * The struct is described by one table, tcsi_measure_table: key, title, range, direction, help and paper of each value.
 * `evaluate --help`, the JSON documents, the benchmark's columns and the manual are made from that table, so that a measure
 * is added in one place.
 *
 * Three kinds of values:
 *   ranked    from the order of the scores alone (VUS, AUC, precision@k, located): no threshold, no scale
 *   decided   from one decision per row.  By default the decision of the threshold with the best point F1, chosen WITH the
 *             labels, and the other F1s each at their own best threshold, as the TSB-AD suite reports them: best-case figures.
 *             With options.decisions or options.threshold everything is taken at that one decision: what a user would have had.
 *   stated    from probabilities, p-values or bands given beside the scores
 * A value that does not exist for the data (no event, no normal row, unknown times) is NaN, null in JSON: never 0, never an
 * error, so that one series without events does not stop a benchmark.
 *
 * A missing score (NaN) counts as -infinity: it ranks last, and alarms only under a threshold of -infinity.
 * This room sees scores and labels only: it cannot see a detector, so it cannot favour one.
 * Threads: no shared state.  Cost: see vus.h and grid.h; 100,000 rows take tens of milliseconds. */
#ifndef TCS_METRICS_MEASURES_H
#define TCS_METRICS_MEASURES_H

#include "base/json.h"
#include "metrics/span.h"

/* One row per value: field = JSON key, title, unit, low, high, direction, paper, help. */
#define TCSI_MEASURE_LIST(X)                                                                                                     \
    X(vus_pr, "VUS-PR", "", 0, 1, HIGHER, "Paparrizos et al., PVLDB 15(11), 2022",                                               \
      "area under the precision-recall curve, averaged over how generous the edges of events are (window 0 to --window rows)")   \
    X(vus_roc, "VUS-ROC", "", 0, 1, HIGHER, "Paparrizos et al., PVLDB 15(11), 2022",                                             \
      "the same average for the ROC curve")                                                                                      \
    X(auc_pr, "AUC-PR", "", 0, 1, HIGHER, "Davis and Goadrich, ICML 2006",                                                       \
      "average precision over rows; a useless score reaches the share of anomalous rows")                                        \
    X(auc_roc, "AUC-ROC", "", 0, 1, HIGHER, "Hanley and McNeil, Radiology 143, 1982",                                            \
      "chance that an anomalous row scores above a normal one; a useless score reaches 0.5")                                     \
    X(f1, "point F1", "", 0, 1, HIGHER, "van Rijsbergen, Information Retrieval, 1979",                                           \
      "harmonic mean of precision and recall over rows")                                                                         \
    X(f1_event, "event F1", "", 0, 1, HIGHER, "Garg et al., TNNLS 2021 (composite F)",                                           \
      "recall over events, precision over rows")                                                                                 \
    X(f1_range, "range F1", "", 0, 1, HIGHER, "Tatbul et al., NeurIPS 2018",                                                     \
      "overlap of alarms and events, split alarms count less (flat bias, alpha 0.2)")                                            \
    X(f1_affiliation, "affiliation F1", "", 0, 1, HIGHER, "Huet, Navarro and Rossi, KDD 2022",                                   \
      "nearness of alarms and events against chance; a useless decision reaches about 0.67")                                     \
    X(f1_point_adjusted, "point-adjusted F1", "", 0, 1, HIGHER, "Xu et al., WWW 2018",                                           \
      "one alarmed row finds its whole event; flatters long events, for comparison with published values only")                  \
    X(threshold, "threshold", "score", -INFINITY, INFINITY, NEUTRAL, "",                                                         \
      "rows that score at least this are alarmed in the values below; null when decisions were given")                           \
    X(precision, "precision", "", 0, 1, HIGHER, "van Rijsbergen, Information Retrieval, 1979",                                   \
      "share of alarmed rows that are anomalous")                                                                                \
    X(recall, "recall", "", 0, 1, HIGHER, "van Rijsbergen, Information Retrieval, 1979",                                         \
      "share of anomalous rows that are alarmed")                                                                                \
    X(event_recall, "event recall", "", 0, 1, HIGHER, "Hundman et al., KDD 2018",                                                \
      "share of events with at least one alarmed row")                                                                           \
    X(far, "false-alarm rate", "", 0, 1, LOWER, "Katser and Kozitsin, SKAB, 2020",                                               \
      "share of normal rows that are alarmed")                                                                                   \
    X(mar, "missed-alarm rate", "", 0, 1, LOWER, "Katser and Kozitsin, SKAB, 2020",                                              \
      "share of anomalous rows that are not alarmed")                                                                            \
    X(alarms, "alarms", "", 0, INFINITY, NEUTRAL, "",                                                                            \
      "runs of alarmed rows")                                                                                                    \
    X(false_alarms, "false alarms", "", 0, INFINITY, LOWER, "",                                                                  \
      "runs of alarmed rows that touch no event")                                                                                \
    X(false_alarms_per_day, "false alarms per day", "1/day", 0, INFINITY, LOWER, "",                                             \
      "false alarms divided by the days that the rows cover; null without times")                                                \
    X(detect_delay_rows, "time to detect", "rows", 0, INFINITY, LOWER, "Lavin and Ahmad, ICMLA 2015 (early detection)",          \
      "rows from an event's onset to its first alarmed row, mean over the events found")                                         \
    X(detect_delay_rows_median, "median time to detect", "rows", 0, INFINITY, LOWER, "Lavin and Ahmad, ICMLA 2015",              \
      "the same, median over the events found")                                                                                  \
    X(detect_delay_seconds, "time to detect", "s", 0, INFINITY, LOWER, "Lavin and Ahmad, ICMLA 2015 (early detection)",          \
      "the same in seconds, mean over the events found; null without times")                                                     \
    X(cost, "cost", "", 0, INFINITY, LOWER, "Elkan, IJCAI 2001",                                                                 \
      "missed events times --cost-miss plus false alarms times --cost-false-alarm")                                              \
    X(precision_at_k, "precision at k", "", 0, 1, HIGHER, "Manning et al., Introduction to Information Retrieval, 2008",         \
      "share of anomalous rows among the k highest scores; k = number of anomalous rows unless given")                           \
    X(located, "located", "", 0, 1, HIGHER, "Wu and Keogh, TKDE 2021 (UCR archive)",                                             \
      "1 when the highest score lies within 100 rows of an event")                                                               \
    X(nab_standard, "NAB, standard", "", -INFINITY, 100, HIGHER, "Lavin and Ahmad, ICMLA 2015",                                  \
      "early detection pays, per window; 0 = no alarms, 100 = perfect; first 15 % (at most 750) rows unscored")                  \
    X(nab_low_fp, "NAB, low false positives", "", -INFINITY, 100, HIGHER, "Lavin and Ahmad, ICMLA 2015",                         \
      "the same, false positives cost double")                                                                                   \
    X(nab_low_fn, "NAB, low false negatives", "", -INFINITY, 100, HIGHER, "Lavin and Ahmad, ICMLA 2015",                         \
      "the same, missed windows cost double")                                                                                    \
    X(brier, "Brier score", "", 0, 1, LOWER, "Brier, Monthly Weather Review 78, 1950",                                           \
      "mean squared error of the stated probabilities; null without probabilities")                                              \
    X(ece, "calibration error", "", 0, 1, LOWER, "Naeini et al., AAAI 2015",                                                     \
      "gap between stated probability and share of anomalous rows, 15 bins; null without probabilities")                         \
    X(ece_debiased, "calibration error, debiased", "", 0, 1, LOWER, "Kumar, Liang and Ma, NeurIPS 2019",                         \
      "the same, less what chance adds to it when there are few rows; null without probabilities")                               \
    X(log_loss, "log loss", "", 0, INFINITY, LOWER, "Good, JRSS B 14, 1952",                                                     \
      "mean of -ln of the probability given to what came; null without probabilities")                                           \
    X(brier_reliability, "Brier, reliability", "", 0, 1, LOWER, "Murphy, Journal of Applied Meteorology 12, 1973",               \
      "the part of the Brier score that better calibration would take away")                                                     \
    X(brier_resolution, "Brier, resolution", "", 0, 0.25, HIGHER, "Murphy, Journal of Applied Meteorology 12, 1973",             \
      "how far the probabilities tell rows apart: the part that makes the Brier score smaller")                                  \
    X(brier_uncertainty, "Brier, uncertainty", "", 0, 0.25, NEUTRAL, "Murphy, Journal of Applied Meteorology 12, 1973",          \
      "what always saying the share of anomalous rows would get")                                                                \
    X(coverage, "coverage", "", 0, 1, NEUTRAL, "Papadopoulos et al., ECML 2002",                                                 \
      "share of normal rows whose value lies in its band; right when it is what the band promised; null without bands")          \
    X(band_width, "band width", "", 0, INFINITY, LOWER, "",                                                                      \
      "mean width of the bands of normal rows; null without bands")                                                              \
    X(p_value_error, "p-value error", "", 0, 1, LOWER, "Kolmogorov, 1933",                                                       \
      "largest gap between t and the share of normal rows with a p-value of at most t; null without p-values")

typedef struct tcsi_measures {
    size_t row_count, positive_count, event_count; /* rows, anomalous rows, events */
    bool is_best_case; /* decided values use thresholds chosen with the labels */
#define X(field, title, unit, low, high, direction, paper, help) double field;
    TCSI_MEASURE_LIST(X)
#undef X
} tcsi_measures;

typedef enum tcsi_measure_direction {
    TCSI_MEASURE_HIGHER, /* is better */
    TCSI_MEASURE_LOWER,
    TCSI_MEASURE_NEUTRAL,
} tcsi_measure_direction;

typedef struct tcsi_measure_info {
    const char *key;   /* JSON key and field name */
    const char *title; /* for people */
    const char *unit;  /* "" = none */
    double low, high;  /* inclusive; infinities where there is no bound */
    tcsi_measure_direction direction;
    const char *paper; /* source; "" where the value is a plain count */
    const char *help;  /* one sentence without a full stop */
    size_t offset;     /* of the double in tcsi_measures */
} tcsi_measure_info;

extern const tcsi_measure_info tcsi_measure_table[];
extern const size_t tcsi_measure_count;

const tcsi_measure_info *tcsi_measure_find(const char *key); /* NULL when unknown */
double tcsi_measure_get(const tcsi_measures *measures, const tcsi_measure_info *info);

typedef struct tcsi_measures_options {
    size_t window;               /* L of VUS in rows, at most TCSI_VUS_WINDOW_MAX; TSB-AD takes the period of the first column */
    double threshold;            /* alarm where score >= threshold; NaN: the best, chosen with the labels */
    const uint8_t *decisions;    /* (T) nonzero = alarmed, or NULL; not together with threshold */
    const int64_t *times_ns;     /* (T) or NULL */
    double row_seconds;          /* without times: seconds per row; 0 = unknown */
    double cost_miss, cost_false_alarm; /* >= 0 */
    size_t k;                    /* of precision at k; 0 = the number of anomalous rows */
    size_t located_tolerance;    /* rows */
    const double *probabilities; /* (T) that a row is anomalous, NaN = none stated, or NULL */
    const double *p_values;      /* (T), NaN = none stated, or NULL */
    const double *values, *lows, *highs; /* (T) what was seen and the band it was expected in, NaN = none; all three or none */
} tcsi_measures_options;

/* window 100, threshold NaN, costs 10 and 1, tolerance 100, all else absent. */
tcsi_measures_options tcsi_measures_options_default(void);

/* scores: (T), higher = more anomalous, any scale, NaN = missing; labels: (T), nonzero = anomalous; options NULL: defaults.
 * E_INVALID: no rows, an option out of range, or a probability outside [0, 1]; E_LIMIT: window or rows; E_MEMORY. */
tcs_status tcsi_measures_compute(const double *scores, const uint8_t *labels, size_t row_count, const tcsi_measures_options *options,
                                 tcsi_measures *ret_measures, tcs_error *err) TCS_WARN_UNUSED;

/* Writes every key of the table with its value into the object that writer has open; NaN and infinities become null. */
void tcsi_measures_write(const tcsi_measures *measures, tcsi_json_writer *writer);

#endif
