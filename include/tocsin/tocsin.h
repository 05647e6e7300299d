/* tocsin/tocsin.h -- the public interface of libtocsin.  Anything outside this header and tocsin/types.h is not promised.
 *
 * In one breath: read or fill a frame, detect, look at the episodes.
 *
 *     tcs_error err;
 *     tcs_frame *frame;
 *     tcs_result *result;
 *     if (tcs_frame_read("plant.csv", NULL, &frame, &err) == TCS_OK && tcs_detect(frame, NULL, &result, &err) == TCS_OK)
 *         for (size_t i = 0; i < tcs_result_episode_count(result); i++) ...
 *
 * Ownership: a function that fills `*ret_x` gives x to the caller, who destroys it with the matching _destroy; every
 * other pointer returned stays owned by the object it came from and lives as long as that object.
 * Errors: a status other than TCS_OK means nothing was returned and err (optional) says what, where and what was expected.
 * Threads: functions on different objects may run at the same time; one object is used by one thread at a time.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TOCSIN_TOCSIN_H
#define TOCSIN_TOCSIN_H

#include "tocsin/types.h"

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define TCS_API __attribute__((visibility("default")))
#else
#define TCS_API
#endif

/* "0.1.0"; lives as long as the library. */
TCS_API const char *tcs_version(void);
TCS_API const char *tcs_status_name(tcs_status status); /* "E_FORMAT" */

/* Messages of the library: level 0 error, 1 warning, 2 information, 3 debug; id is stable.  NULL: silence, the default. */
typedef void (*tcs_log_hook)(void *context, int level, const char *id, const char *text);
TCS_API void tcs_log_set(tcs_log_hook hook, void *context, int level_max);

/* RFC 3339 in UTC, as much of a second as is needed; size >= 40.  Returns the length. */
TCS_API size_t tcs_time_format(int64_t time_ns, char *ret_text, size_t size);
/* A time in any form that inputs may have it in, ISO 8601 first; without a zone it is UTC.  E_INVALID: it is none. */
TCS_API tcs_status tcs_time_parse(const char *text, int64_t *ret_time_ns, tcs_error *err);

/* ---- frames: rows over time x channels ---- */

typedef struct tcs_frame tcs_frame;

typedef struct tcs_read_options {
    const char *time;    /* name of the time column; NULL: found; "": there is none */
    const char *label;   /* name of the label column; NULL: found; "": there is none */
    const char *columns; /* value columns, separated by commas; NULL: every numeric one */
    const char *query;   /* for sqlite:, postgresql: and http: inputs: the SQL or PromQL query */
    bool as_series;      /* rows without a time column are in order of time, not cross-sectional */
    const char *start, *end; /* for http: inputs: a time, now or now-6h; NULL: of the URL, else the last 24 hours */
    const char *step;        /* for http: inputs: 30s, 5m, ...; NULL: of the URL, else chosen */
    bool skip_ragged;    /* rows with another number of columns are passed over and counted in a note, not an error */
    bool keep_counters;  /* a column that counts the rows holds values like any other; otherwise it is left out, and a note says so */
    bool whole_names;    /* for http: inputs: columns are called by all their labels, also those that they have in common */
    bool keep_order;     /* rows stay as they come even when times go backward; otherwise they are sorted, and a note says so */
} tcs_read_options;

/* input: a path, "-" for standard input, or a URL (sqlite:, postgresql:, http: and https: of a Prometheus server).
 * CSV, NDJSON, NPY and NPZ are told apart by their content; gzip and zstd are unpacked.  options may be NULL.
 * Databases are only read; passwords in a URL are shown nowhere. */
TCS_API tcs_status tcs_frame_read(const char *input, const tcs_read_options *options, tcs_frame **ret_frame, tcs_error *err);

/* A frame to be filled row by row.  names: (channel_count), copied; NULL: c0, c1, ... */
TCS_API tcs_status tcs_frame_create(size_t channel_count, const char *const *names, bool has_times, bool has_labels,
                                    tcs_frame **ret_frame, tcs_error *err);
/* values: (channel_count), NaN = missing.  time_ns: nanoseconds since 1970-01-01 UTC, not before the last row's (E_INVALID);
 * label: 0 or 1. */
TCS_API tcs_status tcs_frame_append(tcs_frame *frame, const double *values, int64_t time_ns, int label, tcs_error *err);
TCS_API void tcs_frame_destroy(tcs_frame *frame); /* accepts NULL */

TCS_API size_t tcs_frame_row_count(const tcs_frame *frame);
TCS_API size_t tcs_frame_channel_count(const tcs_frame *frame);
TCS_API const char *tcs_frame_channel_name(const tcs_frame *frame, size_t channel);
TCS_API const double *tcs_frame_values(const tcs_frame *frame, size_t channel); /* (row_count) */
TCS_API const int64_t *tcs_frame_times_ns(const tcs_frame *frame);              /* (row_count) or NULL */
TCS_API const uint8_t *tcs_frame_labels(const tcs_frame *frame);                /* (row_count) or NULL */
TCS_API bool tcs_frame_is_tabular(const tcs_frame *frame);                      /* rows are exchangeable */
TCS_API bool tcs_frame_has_real_times(const tcs_frame *frame);                  /* false: none, or only row numbers */
/* What was found out about the input, one sentence each: columns, formats, cadence, gaps, missing values. */
TCS_API size_t tcs_frame_note_count(const tcs_frame *frame);
TCS_API const char *tcs_frame_note(const tcs_frame *frame, size_t index);
TCS_API tcs_status tcs_frame_write(const tcs_frame *frame, const char *path, tcs_error *err); /* CSV; "-": standard output */

/* A simulated plant with labelled rare events: "pump".  row_count 0: a default.  E_INVALID: no such scenario. */
TCS_API tcs_status tcs_simulate(const char *scenario, size_t row_count, uint64_t seed, tcs_frame **ret_frame, tcs_error *err);

/* ---- knowledge: what people know of their data, in a YAML file (docs/reference/knowledge.md) ---- */

typedef struct tcs_knowledge tcs_knowledge;
/* Told each problem of a file: "FILE:LINE: what, where, and what was expected".  NULL: nobody asks; then err holds the first. */
typedef void (*tcs_problem_hook)(void *context, const char *line);
/* E_FORMAT: the file has problems, at most 20 of which are told; E_IO; E_UNSUPPORTED in builds without libyaml. */
TCS_API tcs_status tcs_knowledge_read(const char *path, tcs_problem_hook hook, void *context, tcs_knowledge **ret_knowledge,
                                      tcs_error *err);
TCS_API void tcs_knowledge_destroy(tcs_knowledge *knowledge); /* accepts NULL; what was made with it may outlive it */
/* Does it fit the frame's channels? */
TCS_API tcs_status tcs_knowledge_check(const tcs_knowledge *knowledge, const tcs_frame *frame, tcs_problem_hook hook, void *context,
                                       tcs_error *err);
/* Is this moment part of a known event of all channels? */
TCS_API bool tcs_knowledge_excuses(const tcs_knowledge *knowledge, int64_t time_ns);
TCS_API const char *tcs_knowledge_words(const tcs_knowledge *knowledge); /* what was understood, as lines */
TCS_API const char *tcs_knowledge_file(const tcs_knowledge *knowledge);

/* ---- detection ---- */

typedef struct tcs_result tcs_result;
typedef struct tcs_pipeline tcs_pipeline;

typedef struct tcs_detect_options {
    tcs_mode mode;              /* default of a zeroed struct: online; of NULL options: offline */
    const char *detector;       /* a detector's name; NULL or "auto": chosen by mode and kind of data */
    size_t train_row_count;     /* leading rows that are mostly normal; 0: chosen.  Some detectors learn from their labels, if given */
    const char *alarm_budget;   /* "2", "2/day", "0.5/hour", "1/week"; NULL: 1 in everything looked at, 1 in 100 rows of a table;
                                 * online a number without a time is per 10,000 rows, and NULL is 5 */
    const char *policy;         /* "budget"; "evidence": half of the budget for rows none of which is rare enough alone, online only;
                                 * "cost=MISS:FALSE_ALARM": as many alarms as are worth it, instead of a budget.  NULL: budget */
    const char *const *parameters; /* "name=value" of the detector */
    size_t parameter_count;
    uint64_t seed;
    size_t thread_count;        /* 0: one per processor; never changes a result */
    /* Told the share done, in [0, 1], now and then; false stops the work with E_CANCELLED.  NULL: nobody asks. */
    bool (*progress)(void *context, double share);
    void *progress_context;
    /* A file in which the training of a deep detector is kept, and from which it goes on after an interruption (E_CANCELLED, say), to the
     * same bits as if there had been none; members after the first add .1, .2, ... to its name.  E_INVALID with other detectors, E_FORMAT
     * for a file that is something else.  Not for streams.  NULL: none. */
    const char *checkpoint;
    const tcs_pipeline *fleet;  /* of tcs_pipeline_fit_fleet: what the series have in common is known, and a few hundred training rows are
                                 * enough; detector, parameters and seed are the fleet's.  NULL: none */
    double anomaly_share;       /* of rows, assumed for probabilities where no labels tell, in (0, 1); 0: 0.01 */
    const double *facts;        /* (fact_count) of the series, in the fleet's order, NaN: unknown; NULL: all are */
    size_t fact_count;
    bool explain;               /* keep with the result what whole explanations of its episodes need: the detector, as it was fitted */
    const tcs_knowledge *knowledge; /* what people know of the rows; a pipeline keeps it.  NULL: nothing */
    /* alarm_budget, which must then be stated, is for all of team_series_count series together, this one among them, and each gets an equal
     * part; a pipeline keeps it.  A name of at most 63 bytes; NULL: the budget is this series' own. */
    const char *team;
    size_t team_series_count;
} tcs_detect_options;

enum { TCS_SHARE_COUNT_MAX = 8 };

/* Early, then sure. */
typedef enum tcs_episode_state {
    TCS_EPISODE_SUSPECTED = 0,
    TCS_EPISODE_CONFIRMED = 1, /* ten times rarer than what is allowed (severity 60), or longer than scores remember each other */
    TCS_EPISODE_RESOLVED = 2,  /* it was confirmed, and is over */
    TCS_EPISODE_DISMISSED = 3, /* it was over before it was confirmed: a blip */
} tcs_episode_state;
TCS_API const char *tcs_episode_state_name(tcs_episode_state state); /* "suspected" */

typedef struct tcs_episode {
    size_t row_begin, row_end, row_peak;             /* [row_begin, row_end) */
    int64_t time_begin_ns, time_end_ns, time_peak_ns; /* of the first, last and peak row; 0 without times */
    double severity;                                 /* 0..100; 50 just reaches the alarm budget, 10 more is ten times rarer */
    double score, p_value;                           /* of the peak row */
    double expected_count;                           /* episodes this high expected by chance in the rows looked at; online in 10,000 */
    tcs_episode_state state;
    size_t row_confirmed;                            /* of one that was confirmed */
    size_t member_count, agreeing_count;             /* of an ensemble: members that spoke of the peak row, and find it rare; 0: none */
    size_t share_count;                              /* channels that carry it, largest share first */
    struct { size_t channel; double share; } shares[TCS_SHARE_COUNT_MAX];
    /* By knowledge; NULL and NaN where there is none to say.  The texts live as long as the result, or until the stream's next row. */
    const char *limit;                               /* the hard limit that was passed in it, in words; severity is then 100 */
    const char *event;                               /* of what is expected: the known event that it is part of */
    const char *signature;                           /* the known failure that it looks like; not in streams */
    double probability;                              /* that it is one, by the rules and the detector together; not in streams */
} tcs_episode;

enum { TCS_ASSUMED_SIZE = 192 };

/* frame is borrowed and must outlive the result.  options may be NULL: offline, everything chosen. */
TCS_API tcs_status tcs_detect(const tcs_frame *frame, const tcs_detect_options *options, tcs_result **ret_result, tcs_error *err);
TCS_API void tcs_result_destroy(tcs_result *result); /* accepts NULL */

/* The frame as the detector saw it: with knowledge, impossible readings are missing in it, and it has derived channels and residuals of
 * constraints behind the others.  Channels of episodes and forecasts are its channels. */
TCS_API const tcs_frame *tcs_result_frame(const tcs_result *result);
TCS_API bool tcs_result_has_knowledge(const tcs_result *result);
/* What would have been episodes but is part of known events, by time: it does not alarm.  Without channels. */
TCS_API size_t tcs_result_expected_count(const tcs_result *result);
TCS_API tcs_episode tcs_result_expected(const tcs_result *result, size_t index);
/* Readings outside their physical range, of a channel of tcs_result_frame. */
TCS_API uint64_t tcs_result_fault_count(const tcs_result *result, size_t channel);

typedef struct tcs_rule {
    const char *name;
    bool says_anomaly;  /* otherwise it says that rows are normal */
    uint64_t row_count; /* rows it spoke on */
    double accuracy;    /* share of them on which it is right, estimated from how rules, detector and labels learned from agree */
} tcs_rule;
TCS_API size_t tcs_result_rule_count(const tcs_result *result);
TCS_API tcs_rule tcs_result_rule(const tcs_result *result, size_t index); /* in the file's order */

TCS_API const tcs_score *tcs_result_scores(const tcs_result *result);    /* (row_count) */
TCS_API const uint8_t *tcs_result_anomalies(const tcs_result *result);   /* (row_count) 1 = in an episode; online: above its threshold */
TCS_API const double *tcs_result_thresholds(const tcs_result *result);   /* (row_count) score, or evidence, above which the row alarms */
/* Under the policy "evidence": what the rows' p-values have added up to with this one, and the sum above which it alarms whatever its
 * score.  Under others, NaN both. */
typedef struct tcs_added_up {
    double sum, threshold;
} tcs_added_up;
TCS_API tcs_added_up tcs_result_added_up(const tcs_result *result, size_t row);
/* Chance that the row is anomalous; NaN unless it is READY.  From labels, by the calibrator with the lowest log loss, where there are rows
 * of both kinds that were not learned from: the named training rows offline, unless the detector learned from their labels, or what a
 * pipeline held back when it was fitted.  Otherwise it assumes how many rows are anomalous, and is the most that a p-value supports. */
TCS_API double tcs_result_probability(const tcs_result *result, size_t row);
typedef struct tcs_probability {
    const char *calibrator; /* "prior", "platt", "beta" or "isotonic" */
    double anomaly_share;   /* of rows: assumed, or among those learned from */
    bool is_assumed;        /* no labels told */
} tcs_probability;
TCS_API tcs_probability tcs_result_probability_source(const tcs_result *result);
/* How high the rarest scores of normal rows reach, by a generalized Pareto distribution of the highest clusters' peaks, and how sure that
 * is: intervals that hold the true value with `probability`, if the peaks have such a distribution.  NaN: too few peaks to say.  Takes some
 * milliseconds. */
typedef struct tcs_tail {
    size_t peak_count;       /* that it was fitted to; 0: no tail, the other numbers are NaN */
    double probability;      /* 0.9 */
    double shape, shape_low, shape_high; /* 0: exponential; above 0 heavier, below 0 with an end */
    double threshold, threshold_low, threshold_high; /* after the last row; NaN with a threshold of the detector's own */
    size_t score_count;      /* of the last rows (16,384 at most) outside episodes */
    double effective_count;  /* as how many independent ones they count: neighbours move together; NaN: none, or out of memory */
} tcs_tail;
TCS_API tcs_tail tcs_result_tail(const tcs_result *result);
TCS_API size_t tcs_result_episode_count(const tcs_result *result);
TCS_API tcs_episode tcs_result_episode(const tcs_result *result, size_t rank); /* most severe first */
/* People say that rows [row_begin, row_end) were this, "valve stuck" say: wherever a later episode is found like one that has a row of
 * them, explanations, sentences and reports made from then on say so.  text is copied.  Without, episodes are called by the signature that
 * they look like, or else by the frame's labels.  E_INVALID: no text, or rows that there are not; E_MEMORY. */
TCS_API tcs_status tcs_result_label(tcs_result *result, size_t row_begin, size_t row_end, const char *text, tcs_error *err);
TCS_API const char *tcs_result_detector(const tcs_result *result);
TCS_API tcs_mode tcs_result_mode(const tcs_result *result);
TCS_API size_t tcs_result_train_row_count(const tcs_result *result);
TCS_API size_t tcs_result_told_row_count(const tcs_result *result); /* leading rows whose labels were learned from; mostly 0 */
TCS_API size_t tcs_result_fitted_row_count(const tcs_result *result); /* of tcs_pipeline_score: rows learned from, of another frame */
TCS_API double tcs_result_budget(const tcs_result *result);  /* false alarms allowed in the rows looked at; severity 50 is it */
typedef struct tcs_team {
    const char *name;           /* NULL: none, the budget is the series' own */
    size_t series_count;        /* that share the budget */
} tcs_team;
TCS_API tcs_team tcs_result_team(const tcs_result *result);
/* Without a stated budget a detector that set a threshold of its own on held-out training rows is taken at its word: then it
 * decided which rows alarm, and the budget only ranks them. */
TCS_API bool tcs_result_own_threshold(const tcs_result *result);
/* What was taken for granted, one line for people: which rows are normal, and what makes an alarm. */
TCS_API const char *tcs_result_assumed(const tcs_result *result);
TCS_API double tcs_result_seconds(const tcs_result *result); /* spent detecting and deciding */

/* Would an equally good model decide likewise?  No when the score and the threshold are less than two uncertainties apart: "not sure".  A
 * row that is not READY, and one whose detector states no uncertainty, is sure; so are all rows that alarm by evidence, of which nobody
 * states how far it would move. */
TCS_API bool tcs_score_is_sure(const tcs_score *score, double threshold);
TCS_API size_t tcs_result_unsure_count(const tcs_result *result); /* rows */

/* Of an ensemble: do its members say the same of a row?  Each finds it as rare as its own past, or offline the rest of the frame, lets
 * it.  Nothing is decided by it. */
typedef struct tcs_agreement {
    size_t member_count;   /* that spoke; 0: the detector is no ensemble, or its members know too little yet */
    size_t agreeing_count; /* that find it rarer than one row in a hundred */
    double p_value;        /* of all of them together, by Cauchy's combination, which takes them for dependent; NaN: none spoke */
    double disagreement;   /* deviation of log10 p over them: decades */
} tcs_agreement;
TCS_API tcs_agreement tcs_result_agreement(const tcs_result *result, size_t row); /* row < row_count */

/* What the detector expects after the last row.  None unless it forecasts (and, offline, ran row by row). */
enum { TCS_FORECAST_BAND_COUNT = 4 };
typedef struct tcs_forecast {
    size_t channel, rows_ahead;
    double median;
    struct { double probability, low, high; } bands[TCS_FORECAST_BAND_COUNT]; /* 50, 80, 90, 95 % */
    double noise, doubt; /* deviations: what nobody could know (aleatoric), and how far equally good models disagree (epistemic) */
} tcs_forecast;
TCS_API size_t tcs_result_forecast_count(const tcs_result *result);
TCS_API tcs_forecast tcs_result_forecast(const tcs_result *result, size_t index); /* by channel, then nearest first */
/* CSV: channel,rows_ahead,median,low_50,high_50,...,noise,doubt, one line a forecast; with knowledge also limit,limit_probability: the
 * hard limit of the channel that is likeliest passed in that row, empty without any.  E_UNSUPPORTED: there is none. */
TCS_API tcs_status tcs_result_forecasts_write(const tcs_result *result, const char *path, tcs_error *err);

/* How likely a hard limit of the knowledge is passed in the rows to come, by the forecasts of its channel.  What is foretold is a value
 * beyond the limit, not that it stays so for the limit's `for`. */
enum { TCS_CROSSING_HORIZON_COUNT_MAX = 8 };
typedef struct tcs_crossing {
    size_t channel;
    const char *limit;    /* in words: "level above 4.5 m"; the result's */
    bool is_passed;       /* the channel's last reading is beyond it */
    size_t horizon_count; /* at least one */
    struct {
        size_t rows_ahead;
        int64_t time_ns;    /* of that row, at the usual step; 0 without times */
        double probability; /* that the value of that row is beyond the limit */
    } horizons[TCS_CROSSING_HORIZON_COUNT_MAX]; /* nearest first */
    double probability; /* that it is passed in any row up to the farthest horizon, at least: the largest of the horizons' */
    size_t likely;      /* the first horizon with a probability of 0.5 or more; horizon_count: none */
} tcs_crossing;
TCS_API size_t tcs_result_crossing_count(const tcs_result *result); /* 0: no forecast, or no limit of a channel that is forecast */
TCS_API tcs_crossing tcs_result_crossing(const tcs_result *result, size_t index); /* in the file's order */

/* Scores: one line per row of the input, in its order.
 * Of detectors that say how sure they are, with uncertainty, noise and sure.
 * Files are complete or absent.  "-": standard output.  A path ending in .ndjson or .jsonl gets one JSON object a line. */
TCS_API tcs_status tcs_result_scores_write(const tcs_result *result, const char *path, tcs_error *err);
TCS_API tcs_status tcs_result_episodes_write(const tcs_result *result, const char *path, tcs_error *err);
/* One self-contained HTML file with plots; title heads it.  A PNG picture (E_UNSUPPORTED in builds without cairo). */
TCS_API tcs_status tcs_result_report_write(const tcs_result *result, const char *title, const char *path, tcs_error *err);
TCS_API tcs_status tcs_result_plot_write(const tcs_result *result, const char *title, const char *path, tcs_error *err);

/* ---- why: what made an episode alarm, and what would not have ----
 * Shares, bands and sentences are about the frame and the detector that ran; similar episodes are looked for in earlier rows only. */

typedef struct tcs_explanation tcs_explanation;

typedef struct tcs_explain_options {
    bool brief;                /* nothing is scored again: sentence, kinds, bands; works for every result */
    bool counterfactual;       /* look for the smallest change that would not have alarmed: some ten scorings of what is needed */
    const double *lows, *highs; /* (channel_count) that a counterfactual's values stay in; NaN, NULL: as knowledge says, if any */
    uint64_t seed;             /* of sampled Shapley values */
} tcs_explain_options;

/* A channel's part in an episode.  Arrays stay the explanation's. */
typedef struct tcs_explained_channel {
    size_t channel;
    double share;              /* of the episode's score, in [0, 1] */
    const char *kind;          /* "spike", "level shift", "trend change", "variance change", "drop-out", "stuck", "pattern change",
                                * "correlation break"; "unclear": none is likelier than one half; "unknown": a table, or nothing before */
    double kind_probability;   /* of the kind, of "unclear" that of the likeliest; 0: unknown */
    bool persistent;           /* rows behind the episode are still where it led to */
    bool left_band;
    size_t row_out, row_worst; /* the first row outside its expected band; the farthest */
    double value, expected, low, high; /* there */
    size_t row_begin, row_end; /* in which it contributed most */
    size_t band_begin, band_count; /* rows [band_begin, band_begin + band_count) of: */
    const double *band_expected, *band_low, *band_high;
} tcs_explained_channel;

typedef struct tcs_counterfactual {
    bool asked, found;         /* found: checked by scoring it; not found: no change that was tried would have kept it quiet */
    bool later_alarm;          /* rows behind the episode would then have alarmed */
    size_t row_begin, row_end, channel_count, trial_count;
    const size_t *channels;    /* (channel_count) that were changed */
    const double *values;      /* (channel_count, row_end - row_begin) */
    double share, change;      /* of the way to normal; root mean square in deviations of the channels */
    double score_before, score_after, threshold; /* highest of the episode's rows, and the lowest threshold in force there */
} tcs_counterfactual;

/* Explains the episodes of those ranks, together, which is cheaper than one by one where the whole frame must be scored again; a
 * counterfactual of one then holds beside those of the others.  ret_explanations: (rank_count), each destroyed by the caller.  The
 * result must outlive them.  options may be NULL: whole, without counterfactuals.  E_INVALID: a rank that is none, or not brief
 * of a result that was made without `explain`; E_MEMORY. */
TCS_API tcs_status tcs_result_explain(const tcs_result *result, const size_t *ranks, size_t rank_count, const tcs_explain_options *options,
                                      tcs_explanation **ret_explanations, tcs_error *err);
TCS_API void tcs_explanation_destroy(tcs_explanation *explanation); /* accepts NULL */
TCS_API const char *tcs_explanation_sentence(const tcs_explanation *explanation);
TCS_API const char *tcs_explanation_advice(const tcs_explanation *explanation); /* the counterfactual in words, or "" */
/* Where shares come from: "parts" of the detector, "gradients", "shapley", "deviation", or "none". */
TCS_API const char *tcs_explanation_source(const tcs_explanation *explanation);
TCS_API size_t tcs_explanation_channel_count(const tcs_explanation *explanation); /* that carry it; 0: none stands out */
TCS_API tcs_explained_channel tcs_explanation_channel(const tcs_explanation *explanation, size_t index); /* largest share first */
/* (*ret_row_count, channels of the frame) from row *ret_row_begin on, >= 0, sums to 1: all rows of the episode, or of one with more than
 * two million cells those around its peak.  NULL of a brief one. */
TCS_API const double *tcs_explanation_shares(const tcs_explanation *explanation, size_t *ret_row_begin, size_t *ret_row_count);
TCS_API tcs_counterfactual tcs_explanation_counterfactual(const tcs_explanation *explanation);
TCS_API double tcs_explanation_seconds(const tcs_explanation *explanation);
/* A JSON object of the schema tocsin/explanation/1, pretty or on one line.  The text lives as long as the explanation, or until the next
 * call.  E_MEMORY. */
TCS_API tcs_status tcs_explanation_json(tcs_explanation *explanation, bool is_pretty, const char **ret_text, tcs_error *err);

/* What is known of one row of one channel.  share: of the row's score, NaN: the detector cannot say, or the result was made without
 * `explain`. */
typedef struct tcs_explained_value {
    double value, expected, low, high, share;
} tcs_explained_value;
/* ret_values: (channel_count).  E_INVALID: no such row; E_MEMORY. */
TCS_API tcs_status tcs_result_explain_row(const tcs_result *result, size_t row, tcs_explained_value *ret_values, tcs_error *err);

/* ---- many series: their episodes judged together ----
 * One false alarm a series is little; of a thousand series it is a thousand.  Add the results of all of them, then ask which episodes
 * stay so that no more than a stated share of those is chance (the false-discovery rate).  Batch methods take each series as one test:
 * "bh", for series that are independent or rise and fall together, "by" and "e-bh" without any assumption about that.  Online ones judge
 * a series and a day (without times, 10,000 rows) at a time, in order of time, and later rows change nothing: "lord", "saffron" and
 * "addis" for independent tests, "e-lond" for any.  All of them rely on each series' normal rows being like those its scores were
 * compared with.  An episode in which a hard limit was passed always stays: that is no matter of chance. */

typedef struct tcs_joint tcs_joint;

typedef struct tcs_joint_summary {
    const char *method, *assumes; /* assumes: about how series depend on each other, for people */
    double level;                 /* stated */
    size_t series_count, test_count, episode_count;
    size_t kept_series_count, kept_episode_count; /* that stay, and series that have one */
} tcs_joint_summary;

typedef struct tcs_joint_episode {
    size_t series, rank;  /* as added; rank in its result */
    double p_value;       /* chance of at least one cluster as high in the rows of its test; 0 where a hard limit was passed */
    bool has_real_times;  /* the series' times are no row numbers */
    tcs_episode episode;  /* without its texts, which are the result's */
} tcs_joint_episode;

/* method NULL: "bh".  level in (0, 1).  E_INVALID. */
TCS_API tcs_status tcs_joint_create(const char *method, double level, tcs_joint **ret_joint, tcs_error *err);
TCS_API void tcs_joint_destroy(tcs_joint *joint); /* accepts NULL */
TCS_API tcs_status tcs_joint_add(tcs_joint *joint, const tcs_result *result, tcs_error *err); /* copies what it needs */
/* May be asked again after more were added.  Names in the summary live as long as the library. */
TCS_API tcs_status tcs_joint_judge(tcs_joint *joint, tcs_joint_summary *ret_summary, tcs_error *err);
/* After judging, those that stay: index below kept_episode_count, least likely to be chance first. */
TCS_API tcs_joint_episode tcs_joint_kept(const tcs_joint *joint, size_t index);

/* ---- streams: the online detection of rows as they come, in bounded memory ----
 * Every score, p-value and anomaly is, bit for bit, what tcs_detect with mode online says of a frame of the same rows with the
 * same train_row_count.  A detector that must be trained first keeps that many rows (0: 750, or what tcs_detect would choose when
 * the input ends before), then gives their outcomes; any other answers each row at once. */

typedef struct tcs_stream tcs_stream;

typedef enum tcs_episode_event {
    TCS_EPISODE_NONE = 0,
    TCS_EPISODE_OPENED = 1,    /* by this row: suspected */
    TCS_EPISODE_CONTINUED = 2, /* this row belongs to it */
    TCS_EPISODE_CLOSED = 3,    /* this row is the first that can no longer continue it */
} tcs_episode_event;

typedef struct tcs_outcome {
    uint64_t row;            /* from 0 */
    int64_t time_ns;         /* 0 without times */
    int label;               /* 0 or 1; 0 without labels */
    tcs_score score;
    double threshold;        /* score (or evidence) above which this row opens an episode; infinite while too little is known */
    tcs_added_up added_up;   /* as tcs_result_added_up */
    bool anomaly;
    tcs_episode_event event;
    tcs_episode episode;     /* what event is about, as known so far; zeroed with TCS_EPISODE_NONE */
    tcs_episode_event expected_event; /* likewise of what is excused as part of a known event */
    tcs_episode expected;
} tcs_outcome;

typedef struct tcs_stream_summary {
    const char *detector;
    uint64_t row_count, episode_count; /* outcomes given, episodes opened */
    size_t train_row_count, channel_count, memory_max; /* memory_max: bytes held between calls, at most, without the reader's */
    double budget;                     /* false alarms allowed in the rows so far */
    bool own_threshold;                /* and the next as tcs_result_own_threshold and tcs_result_assumed */
    char assumed[TCS_ASSUMED_SIZE];
    bool has_real_times, has_labels;
    bool is_open;                      /* the last episode may still grow */
    tcs_episode episode;               /* the last one; zeroed when there was none */
    uint64_t expected_count, fault_count; /* by knowledge: what was excused, and impossible readings */
    size_t rule_count;
} tcs_stream_summary;

/* Rows come from push.  names as in tcs_frame_create.  E_INVALID: no such detector, or one that cannot run online. */
TCS_API tcs_status tcs_stream_create(size_t channel_count, const char *const *names, bool has_times, const tcs_detect_options *options,
                                     tcs_stream **ret_stream, tcs_error *err);
/* Rows come from input as in tcs_frame_read, but what columns are is decided from the first 64 rows.  Both options may be NULL. */
TCS_API tcs_status tcs_stream_open(const char *input, const tcs_read_options *read, const tcs_detect_options *options,
                                   tcs_stream **ret_stream, tcs_error *err);
TCS_API void tcs_stream_destroy(tcs_stream *stream); /* accepts NULL; a scores file not committed is removed */

/* values: (channel_count), NaN = missing; copied.  E_INVALID: outcomes wait for tcs_stream_next, or rows come from an input. */
TCS_API tcs_status tcs_stream_push(tcs_stream *stream, const double *values, int64_t time_ns, int label, tcs_error *err);
/* No more rows: what was kept for training is trained on and can be had by tcs_stream_next. */
TCS_API tcs_status tcs_stream_end(tcs_stream *stream, tcs_error *err);
/* The outcome of the next row.  *ret_any = false: push another row, or the input (or stream) is over.  Waits for the input. */
TCS_API tcs_status tcs_stream_next(tcs_stream *stream, tcs_outcome *ret_outcome, bool *ret_any, tcs_error *err);

/* From now on, before the first outcome, the stream remembers its last rows (8,192, fewer of more than 128 channels, none of more than
 * 16,384), so that it can say why.  E_INVALID, E_MEMORY. */
TCS_API tcs_status tcs_stream_remember(tcs_stream *stream, tcs_error *err);
/* Why the last episode alarmed, as known after the last outcome: a brief explanation from the rows that are remembered, destroyed by the
 * caller before the next outcome is asked for.  While they are all there were, it is the one that a result of a frame of the same rows
 * gives of the episode.  E_INVALID: there was no episode, or its rows are gone; E_UNSUPPORTED: nothing is remembered; E_MEMORY. */
TCS_API tcs_status tcs_stream_explain(tcs_stream *stream, tcs_explanation **ret_explanation, tcs_error *err);

/* From now on every outcome is also written to a scores file as by tcs_result_scores_write; is_live: handed on row by row.  The
 * file appears at commit; "-" and pipes are written through. */
TCS_API tcs_status tcs_stream_scores_begin(tcs_stream *stream, const char *path, bool is_live, tcs_error *err);
TCS_API tcs_status tcs_stream_scores_commit(tcs_stream *stream, tcs_error *err);

TCS_API tcs_stream_summary tcs_stream_summarize(const tcs_stream *stream);
TCS_API tcs_rule tcs_stream_rule(tcs_stream *stream, size_t index); /* as of the rows so far */
TCS_API const char *tcs_stream_channel_name(const tcs_stream *stream, size_t channel);
/* What was found out about the input so far, as lines; E_MEMORY.  Released by the next call and by destroy. */
TCS_API tcs_status tcs_stream_notes(tcs_stream *stream, const char **ret_lines, tcs_error *err);

/* ---- pipelines: fitted once, kept in a file, asked about rows that come later ----
 * Online, a pipeline says of later rows, bit for bit, what tcs_detect would have said of all rows in one frame (but for probabilities,
 * which it may have from labels).  Offline, it compares
 * them with rows that it was fitted on, but did not learn from; detectors that compare a frame with itself judge each as if alone. */

typedef struct tcs_pipeline_description {
    tcs_mode mode;
    const char *detector, *engine;    /* engine: the version of tocsin that fitted it */
    size_t channel_count, train_row_count; /* rows it learned from */
    uint64_t row_count, seed;         /* rows it has seen, those among them */
    bool tabular, told, fleet;        /* told: labels were learned from; fleet: it knows one, and no series yet */
    const char *knowledge;            /* the file that states it; NULL: none */
    size_t step_count;                /* of training, where that goes in steps; not kept in files, and neither are */
    double train_loss, held_loss;     /* the losses at its end; NaN: none */
} tcs_pipeline_description;

/* options as for tcs_detect (NULL: online, everything chosen), but a train_row_count of 0 is four fifths of the rows, checkpoints are for
 * both modes, and labels, if the frame has any, are learned from by detectors that can. */
TCS_API tcs_status tcs_pipeline_fit(const tcs_frame *frame, const tcs_detect_options *options, tcs_pipeline **ret_pipeline, tcs_error *err);
/* Many series of one kind: learns what they have in common.  The pipeline judges nothing yet; it is what tcs_detect and tcs_pipeline_fit
 * begin with, as options->fleet, for any series of the kind.  frames: (frame_count), with channels of the same names; facts: (frame_count,
 * options->fact_count), numbers that describe each series, NaN: unknown, or NULL.  E_INVALID: among others a detector that cannot
 * (autoencoders and forecasters can). */
TCS_API tcs_status tcs_pipeline_fit_fleet(const tcs_frame *const *frames, size_t frame_count, const double *facts,
                                          const tcs_detect_options *options, tcs_pipeline **ret_pipeline, tcs_error *err);
TCS_API void tcs_pipeline_destroy(tcs_pipeline *pipeline); /* accepts NULL */
TCS_API tcs_pipeline_description tcs_pipeline_describe(const tcs_pipeline *pipeline);
TCS_API const char *tcs_pipeline_channel_name(const tcs_pipeline *pipeline, size_t channel);

/* The file is complete or absent; read takes it whole or says why not (E_FORMAT, E_UNSUPPORTED: of a later version). */
TCS_API tcs_status tcs_pipeline_write(tcs_pipeline *pipeline, const char *path, tcs_error *err);
TCS_API tcs_status tcs_pipeline_read(const char *path, tcs_pipeline **ret_pipeline, tcs_error *err);

/* As tcs_frame_read, of the columns that the pipeline knows, by name and in its order; `columns` and `as_series` are not asked for. */
TCS_API tcs_status tcs_pipeline_frame_read(const tcs_pipeline *pipeline, const char *input, const tcs_read_options *options,
                                           tcs_frame **ret_frame, tcs_error *err);

typedef struct tcs_score_options {
    size_t thread_count;        /* 0: one per processor; never changes a result */
    bool advance;               /* afterwards the pipeline stands behind these rows; online only */
    bool (*progress)(void *context, double share);
    void *progress_context;
    bool explain;               /* as in tcs_detect_options */
} tcs_score_options;

/* frame is borrowed and must outlive the result; its channels are the pipeline's, in that order.  options may be NULL. */
TCS_API tcs_status tcs_pipeline_score(tcs_pipeline *pipeline, const tcs_frame *frame, const tcs_score_options *options,
                                      tcs_result **ret_result, tcs_error *err);

/* As tcs_stream_open, going on where the pipeline stands; rows are counted from 0.  E_INVALID: it is offline. */
TCS_API tcs_status tcs_pipeline_stream_open(const tcs_pipeline *pipeline, const char *input, const tcs_read_options *options,
                                            size_t thread_count, tcs_stream **ret_stream, tcs_error *err);
/* The pipeline stands from now on where a stream that it opened does. */
TCS_API tcs_status tcs_pipeline_advance(tcs_pipeline *pipeline, tcs_stream *stream, tcs_error *err);

/* ---- detectors ---- */

typedef struct tcs_detector_parameter {
    const char *name, *help;
    const char *type; /* "real", "count", "bool" */
    double value_default, value_min, value_max;
} tcs_detector_parameter;

typedef struct tcs_detector_description {
    const char *name, *title, *paper, *summary;
    bool online, offline, multivariate, tabular, trained, random;
    size_t parameter_count;
} tcs_detector_description;

TCS_API size_t tcs_detector_count(void);
TCS_API tcs_detector_description tcs_detector_describe(size_t index);
TCS_API tcs_detector_parameter tcs_detector_parameter_describe(size_t detector_index, size_t parameter_index);

/* ---- evaluation against labels ---- */

typedef struct tcs_measure_description {
    const char *key, *title, *unit, *paper, *help; /* key: as in JSON documents */
    int direction;                                 /* 1 higher is better, -1 lower is better, 0 neither */
} tcs_measure_description;

typedef struct tcs_evaluate_options {
    size_t window;               /* of VUS in rows; 0: 100 */
    double threshold;            /* used when has_threshold: an alarm is a score of at least this */
    bool has_threshold;          /* otherwise the best threshold, chosen with the labels: a best case */
    const uint8_t *decisions;    /* (row_count) 1 = alarmed, or NULL */
    const int64_t *times_ns;     /* (row_count) or NULL */
    const double *p_values;      /* (row_count) NaN = none stated, or NULL */
    double cost_miss, cost_false_alarm; /* both 0: 10 and 1 */
    const double *probabilities; /* (row_count) that the row is anomalous, NaN = none stated, or NULL */
    const double *values, *lows, *highs; /* (row_count) what was seen and its band, NaN = none; all three or none */
} tcs_evaluate_options;

TCS_API size_t tcs_measure_count(void);
TCS_API tcs_measure_description tcs_measure_describe(size_t index);
/* scores, labels: (row_count), NaN = missing.  ret_values: (tcs_measure_count()), NaN where a value does not exist. */
TCS_API tcs_status tcs_evaluate(const double *scores, const uint8_t *labels, size_t row_count, const tcs_evaluate_options *options,
                                double *ret_values, tcs_error *err);

/* Stated probabilities beside what came, in bins of equal width: bin i holds [i / 15, (i + 1) / 15), the last one its end as well. */
enum { TCS_RELIABILITY_BIN_COUNT = 15 };
typedef struct tcs_reliability_bin {
    size_t row_count;
    double probability; /* mean of those stated; NaN when the bin is empty, and so is share */
    double share;       /* of anomalous rows */
} tcs_reliability_bin;
/* probabilities: (row_count), NaN = none stated.  E_INVALID: one outside [0, 1]. */
TCS_API tcs_status tcs_reliability(const double *probabilities, const uint8_t *labels, size_t row_count,
                                   tcs_reliability_bin ret_bins[TCS_RELIABILITY_BIN_COUNT], tcs_error *err);
/* A PNG picture (E_UNSUPPORTED in builds without cairo); the diagonal is a promise kept.  "-": standard output. */
TCS_API tcs_status tcs_reliability_plot(const tcs_reliability_bin bins[TCS_RELIABILITY_BIN_COUNT], const char *title, const char *path,
                                        tcs_error *err);

#ifdef __cplusplus
}
#endif
#endif
