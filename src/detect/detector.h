/* detect/detector.h -- the detector contract: what every detector is, says of itself and promises.
 *
 * A detector is one file: an options struct, an instance struct that starts with `tcsi_detector base`, a parameter
 * table, an operations table and one `const tcsi_detector_info tcsi_detector_NAME`.  A row in registry.def makes it known;
 * command-line flags, --help, the manual and the contract test suite follow from the info.
 *
 * Life of an instance:
 *     create -> fit (optional unless TCSI_TRAIT_TRAINED) -> push, push, ...   or   score a whole frame
 * fit learns and leaves the stream at its beginning; push consumes the stream.  To score a file whose first rows were
 * training rows, fit on a view of those rows, then score the whole file.
 *
 * With TCSI_TRAIT_FLEET an instance may learn from many series before that:
 *     create -> fit_fleet -> describe (optional) -> fit -> push, push, ...   or   score a whole frame
 * fit_fleet learns what the series have in common, and forgets whatever was fitted; each fit from then on *adapts* to one series, which
 * may or may not have been in the fleet, within a second and from a few hundred rows.  Instances with and without a series are saved
 * alike: one that knows a fleet is loaded for each series and adapted on demand; what is kept for series of the fleet is nothing.
 *
 * Promises, checked on every registered detector by contract_test.c:
 *   - the same input, seed and options give the same bits, for any number of threads;
 *   - with TCSI_TRAIT_STREAMING, score(frame) equals reset + push of each row, bit for bit, and no score depends on a
 *     later row;
 *   - persist saves a state that continues exactly where the saved one stood, and refuses a damaged one;
 *   - a row that is missing (no finite value within TCS_VALUE_MAX in any channel) scores MISSING; constant, tiny, huge
 *     and single-row input gives a finite READY score, or WARMUP; READY scores are never NaN or infinite;
 *   - push allocates nothing; the memory held never exceeds size_max.
 * Threads: one caller per instance; instances are independent. */
#ifndef TCS_DETECT_DETECTOR_H
#define TCS_DETECT_DETECTOR_H

#include "base/codec.h"
#include "base/pool.h"
#include "base/progress.h"
#include "detect/constraints.h"
#include "detect/regard.h"
#include "detect/training.h"
#include "series/frame.h"
#include "series/row.h"

#include <stddef.h>

typedef struct tcsi_detector tcsi_detector;

typedef enum tcsi_trait {
    TCSI_TRAIT_STREAMING = 1 << 0,    /* online: push works and is causal */
    TCSI_TRAIT_OFFLINE = 1 << 1,      /* score may use the whole frame; without STREAMING, push is absent */
    TCSI_TRAIT_TRAINED = 1 << 2,      /* fit must come before push or score */
    TCSI_TRAIT_MULTIVARIATE = 1 << 3, /* looks at all channels together; without it, one instance runs per channel and
                                         the row's score is the highest of them */
    TCSI_TRAIT_TABULAR = 1 << 4,      /* rows are exchangeable: for data without time */
    TCSI_TRAIT_RANDOM = 1 << 5,       /* draws on the seed */
    TCSI_TRAIT_DEEP = 1 << 6,
    TCSI_TRAIT_UNCERTAINTY = 1 << 7,  /* fills tcs_score.uncertainty and noise */
    TCSI_TRAIT_FORECAST = 1 << 8,     /* forecast works */
    TCSI_TRAIT_EVIDENCE = 1 << 9,     /* ranks rows by value, but alarms by tcs_score.evidence: that is what threshold() is in */
    TCSI_TRAIT_LABELS = 1 << 10,      /* fit learns from the labels of its rows, where there are any; score never looks at labels */
    TCSI_TRAIT_CHECKPOINT = 1 << 11,  /* fit and fit_fleet keep their training in the file that detect/training.h names */
    TCSI_TRAIT_FLEET = 1 << 12,       /* fit_fleet works */
    TCSI_TRAIT_RELATIVE = 1 << 13,    /* offline, scores are in units of the frame that is scored: they say nothing beside another's */
} tcsi_trait;

typedef enum tcsi_parameter_type {
    TCSI_PARAMETER_REAL,  /* a double in the options struct */
    TCSI_PARAMETER_COUNT, /* a size_t */
    TCSI_PARAMETER_BOOL,  /* a bool */
} tcsi_parameter_type;

typedef struct tcsi_parameter {
    const char *name;         /* lower case with underscores, the paper's or PyOD's name */
    tcsi_parameter_type type;
    size_t offset;            /* in the options struct */
    double value_default, value_min, value_max; /* inclusive; counts and truth values as doubles */
    const char *help;         /* one sentence with the unit */
} tcsi_parameter;

/* Rows of a parameter table, for a parameter that is called as its field in the file's `options`. */
#define TCSI_REAL(name, standard, least, most, help) { #name, TCSI_PARAMETER_REAL, offsetof(options, name), standard, least, most, help }
#define TCSI_COUNT(name, standard, least, most, help) { #name, TCSI_PARAMETER_COUNT, offsetof(options, name), standard, least, most, help }
#define TCSI_BOOL(name, standard, help) { #name, TCSI_PARAMETER_BOOL, offsetof(options, name), standard, 0, 1, help }

/* What a detector says of a channel's value `ahead` rows after the last pushed one, in units of the channel. */
enum { TCSI_FORECAST_LEVEL_COUNT = 4 };
extern const double tcsi_forecast_levels[TCSI_FORECAST_LEVEL_COUNT]; /* 0.5, 0.8, 0.9, 0.95 */

typedef struct tcsi_forecast {
    size_t ahead;
    double median;
    double low[TCSI_FORECAST_LEVEL_COUNT], high[TCSI_FORECAST_LEVEL_COUNT]; /* of the band that holds the value with that probability */
    double noise, doubt; /* deviations: what nobody could know (aleatoric), and how far equally good models disagree (epistemic) */
} tcsi_forecast;

/* Series that are learned from together, and what is known of each besides its rows: size, age, one column of 0 and 1 for each value of a
 * tag.  All of it is borrowed. */
typedef struct tcsi_fleet {
    const tcsi_frame *const *series; /* (series_count), of one number of channels, in the same order in all */
    size_t series_count;
    const double *facts;             /* (series_count,fact_count), NaN: unknown; NULL without any */
    size_t fact_count;               /* the detector's parameter `facts` */
} tcsi_fleet;

enum { TCSI_MEMBER_COUNT_MAX = 16 };
#define TCSI_ROW_LAST SIZE_MAX

typedef struct tcsi_detector_ops {
    /* Sizes and allocates; options are set and in range, the rest is zeros.  A failed init is followed by deinit.  Both
     * optional: then zeros are the beginning, and nothing is held. */
    tcs_status (*init)(tcsi_detector *self, tcs_error *err);
    void (*deinit)(tcsi_detector *self);
    /* Learns from normal-ish rows (anomalies among them are tolerated).  Optional unless TRAINED.  May be called again. */
    tcs_status (*fit)(tcsi_detector *self, const tcsi_frame *train, tcs_error *err);
    /* Learns what the series have in common; the fleet was checked.  Required with FLEET. */
    tcs_status (*fit_fleet)(tcsi_detector *self, const tcsi_fleet *fleet, tcs_error *err);
    /* The facts of the series that fit or score learns from next, as many as the parameter `facts` says.  Required with FLEET. */
    void (*describe)(tcsi_detector *self, const double *facts);
    /* Back to the beginning of the stream, keeping what fit learned.  Required with STREAMING. */
    void (*reset)(tcsi_detector *self);
    /* One row in, one score out: state and value (and uncertainty, evidence); p_value stays 0.  The score comes in as MISSING when
     * no channel of the row has a usable value, else as WARMUP; what push leaves alone stands.  Required with STREAMING. */
    void (*push)(tcsi_detector *self, const tcsi_row *row, tcs_score *ret_score);
    /* The whole frame: ret_scores is (T).  Optional with STREAMING: then rows are pushed one by one. */
    tcs_status (*score)(tcsi_detector *self, const tcsi_frame *frame, tcs_score *ret_scores, tcs_error *err);
    /* Per-channel parts (C), >= 0, of the last pushed row's score.  Optional: one channel is all of it, shares of several are
     * unknown. */
    void (*contribute)(const tcsi_detector *self, double *ret_parts);
    /* The same for rows [row_begin, row_end) of the frame last given to score.  Optional. */
    void (*contribute_span)(const tcsi_detector *self, size_t row_begin, size_t row_end, double *ret_parts);
    /* How rare each member of an ensemble finds a row of the frame last given to score, or TCSI_ROW_LAST, the last pushed one: p-values in
     * the member's own past or frame, NaN of one that is silent.  Returns how many members there are, at most TCSI_MEMBER_COUNT_MAX; 0:
     * the row is unknown.  Optional. */
    size_t (*members)(const tcsi_detector *self, size_t row, float *ret_p_values);
    /* What each value of rows [row_begin, row_end) does for the mean of their scores, against `normal`, a frame of the same shape that
     * holds what was expected there: ret_parts (rows,C), of either sign.  For networks whose scores are no sums over channels.  Changes
     * nothing that scoring relies on.  E_MEMORY; E_UNSUPPORTED: too few rows.  Optional: nobody can say. */
    tcs_status (*attribute)(tcsi_detector *self, const tcsi_frame *frame, const tcsi_frame *normal, size_t row_begin, size_t row_end,
                            double *ret_parts, tcs_error *err);
    /* Which other rows of the frame it looks at when it judges those of the wish (regard.h).  Fitted, or behind score.  Changes nothing
     * that scoring relies on.  E_MEMORY; E_UNSUPPORTED: this one looks at none, or there are too few rows.  Optional: nobody can say. */
    tcs_status (*regard)(tcsi_detector *self, const tcsi_frame *frame, const tcsi_regard_wish *wish, tcsi_regard *ret_regard,
                         tcs_error *err);
    /* The score (with EVIDENCE: the evidence) above which the detector itself would alarm, calibrated on training rows it held
     * out; NaN: none.  Optional. */
    double (*threshold)(const tcsi_detector *self);
    /* Rows over which neighbouring scores belong together (a window or period); episodes closer than this are one.
     * Optional: 0. */
    size_t (*horizon)(const tcsi_detector *self);
    /* The index-th forecast for a channel, nearest first; false: there are no more, or it is too early.  Required with FORECAST. */
    bool (*forecast)(const tcsi_detector *self, size_t channel, size_t index, tcsi_forecast *ret_forecast);
    /* Names every field of the state, fitted and streaming, once (see base/codec.h).  Required with STREAMING or fit. */
    void (*persist)(tcsi_detector *self, tcsi_codec *codec);
    /* Most bytes the instance holds while scoring a frame of row_count rows (0: pushing only). */
    size_t (*size_max)(const tcsi_detector *self, size_t row_count);
} tcsi_detector_ops;

typedef struct tcsi_detector_info {
    const char *name;    /* "ewma": what the user types */
    const char *title;   /* "robust exponentially weighted z-score" */
    const char *paper;   /* authors, title, venue, year; equation where one is meant */
    const char *summary; /* two or three sentences for the manual: what it finds, what it misses, cost per row */
    unsigned traits;     /* tcsi_trait flags */
    size_t instance_size, options_offset;
    const tcsi_parameter *parameters;
    size_t parameter_count;
    size_t channel_count_max; /* of more channels at most so many, evenly chosen, are looked at; 0: all are */
    const tcsi_detector_ops *ops;
} tcsi_detector_info;

/* The first member of every instance. */
struct tcsi_detector {
    const tcsi_detector_info *info;
    size_t channel_count;
    uint64_t seed;
    tcsi_pool *pool; /* borrowed; NULL: one thread */
    const tcsi_progress *progress; /* borrowed; NULL: nobody asked.  Told by work that can take seconds */
    tcsi_training *training; /* borrowed; NULL: nobody asked */
    const tcsi_constraints *constraints; /* borrowed; NULL: none are known */
    bool is_fitted;
};

typedef struct tcsi_parameter_value {
    const char *name;
    double value;
} tcsi_parameter_value;

typedef struct tcsi_detector_setup {
    size_t channel_count; /* >= 1 */
    uint64_t seed;
    tcsi_pool *pool;
    const tcsi_progress *progress;
    tcsi_training *training;
    const tcsi_constraints *constraints; /* what must hold of values that it says; of one series, not of a fleet */
    const tcsi_parameter_value *parameters; /* those that differ from their defaults */
    size_t parameter_count;
} tcsi_detector_setup;

/* E_INVALID: unknown parameter (the nearest name is suggested) or value out of range. */
tcs_status tcsi_detector_create(const tcsi_detector_info *info, const tcsi_detector_setup *setup,
                                tcsi_detector **ret_detector, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_detector_destroy(tcsi_detector *detector); /* accepts NULL */

/* These check the order of calls and the channel count, then do what the operation says. */
tcs_status tcsi_detector_fit(tcsi_detector *detector, const tcsi_frame *train, tcs_error *err) TCS_WARN_UNUSED;
/* Checks the fleet, learns from it, and forgets what was fitted, also when it fails; size_max is for the sum of all rows, a series counting
 * for 64 at least.  The same series in another order are another fleet: other windows are drawn.  E_INVALID: the detector cannot (FLEET) or
 * was made with constraints, the fleet is empty, its channels or facts are not those that the detector was made for, or no series is long
 * enough to learn from; E_MEMORY, E_CANCELLED, and as fit. */
tcs_status tcsi_detector_fit_fleet(tcsi_detector *detector, const tcsi_fleet *fleet, tcs_error *err) TCS_WARN_UNUSED;
/* Facts of the series that is fitted next, NaN: unknown, which is what all are until they are told.  Without a fleet they say nothing.
 * E_INVALID: the detector cannot (FLEET), or was made for another number of facts. */
tcs_status tcsi_detector_describe(tcsi_detector *detector, const double *facts, size_t fact_count, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_detector_reset(tcsi_detector *detector);
void tcsi_detector_push(tcsi_detector *detector, const tcsi_row *row, tcs_score *ret_score);
/* reset, then push of every row; ret_scores (T) may be NULL.  How a streaming detector scores a frame, and how most learn from one.
 * E_MEMORY. */
tcs_status tcsi_detector_push_all(tcsi_detector *detector, const tcsi_frame *frame, tcs_score *ret_scores, tcs_error *err) TCS_WARN_UNUSED;
tcs_status tcsi_detector_score(tcsi_detector *detector, const tcsi_frame *frame, tcs_score *ret_scores, tcs_error *err) TCS_WARN_UNUSED;
/* false when the detector cannot say. */
bool tcsi_detector_contribute(const tcsi_detector *detector, double *ret_parts);
bool tcsi_detector_contribute_span(const tcsi_detector *detector, size_t row_begin, size_t row_end, double *ret_parts);
size_t tcsi_detector_members(const tcsi_detector *detector, size_t row, float *ret_p_values); /* 0: it has none, or does not know the row */
/* The wish's rows must be the frame's.  E_UNSUPPORTED when the detector cannot say. */
tcs_status tcsi_detector_regard(tcsi_detector *detector, const tcsi_frame *frame, const tcsi_regard_wish *wish,
                                tcsi_regard *ret_regard, tcs_error *err) TCS_WARN_UNUSED;
double tcsi_detector_threshold(const tcsi_detector *detector); /* NaN: none of its own */
size_t tcsi_detector_horizon(const tcsi_detector *detector);
bool tcsi_detector_forecast(const tcsi_detector *detector, size_t channel, size_t index, tcsi_forecast *ret_forecast);
size_t tcsi_detector_size_max(const tcsi_detector *detector, size_t row_count);

/* Name, seed, options and state, so that load needs nothing else. */
tcs_status tcsi_detector_save(tcsi_detector *detector, tcsi_buffer *out, tcs_error *err) TCS_WARN_UNUSED;
tcs_status tcsi_detector_load(const void *bytes, size_t size, tcsi_pool *pool, tcsi_detector **ret_detector,
                              tcs_error *err) TCS_WARN_UNUSED;

/* Is value usable?  NaN, infinities and absurd magnitudes are not. */
static inline bool tcsi_value_ok(double value)
{
    return value <= TCS_VALUE_MAX && value >= -TCS_VALUE_MAX;
}

/* Is any value of a row (C) usable? */
static inline bool tcsi_row_ok(const double *values, size_t channel_count)
{
    size_t c = 0;
    while (c < channel_count && !tcsi_value_ok(values[c])) c++;
    return c < channel_count;
}

#endif
