/* pipeline/detect.h -- the whole way of a frame: detector -> scores -> p-values -> decision -> episodes with their channels.
 * What `tocsin detect`, the bench and the tests run; nothing of it is specific to any of them.
 * Threads: one call at a time per detection; calls are independent. */
#ifndef TCS_PIPELINE_DETECT_H
#define TCS_PIPELINE_DETECT_H

#include "decide/agreement.h"
#include "decide/policy.h"
#include "detect/detector.h"
#include "explain/subject.h"
#include "pipeline/probability.h"

typedef struct tcsi_detect_options {
    tcs_mode mode;
    const char *detector;      /* a registered name, or NULL / "auto": chosen by mode and kind of data */
    bool is_tabular;           /* rows are exchangeable; counts offline only */
    size_t train_row_count;    /* leading rows taken as mostly normal; 0: tcsi_train_rows_default, none in a table
                                * nor online for a detector that has nothing to fit.  The frame's labels of rows that are named here, and
                                * no others, are learned from by a detector with TCSI_TRAIT_LABELS */
    tcsi_budget budget;        /* count 0: see decide/policy.h */
    double anomaly_share;      /* of rows, in (0, 1), for probabilities where no labels tell; 0: TCSI_ANOMALY_SHARE */
    uint64_t seed;
    size_t thread_count;       /* 0: one per processor */
    tcsi_progress progress;
    const tcsi_parameter_value *parameters; /* of the detector */
    size_t parameter_count;
    const struct tcsi_pipeline *fleet; /* pipeline.h; one that knows a fleet, to begin with instead of knowing nothing: detector, parameters
                                * and seed are its own.  NULL: none */
    const double *facts;       /* (fact_count) of the series, as the fleet was told of its own; NULL: unknown */
    size_t fact_count;
    const struct tcsi_knowledge *knowledge; /* knowledge/knowledge.h; what people know of the rows.  NULL: nothing */
    const char *const *channel_names; /* of a stream with knowledge: (channel_count) */
    bool has_times;            /* with knowledge: rows have times, and they are more than row numbers */
    const char *checkpoint;    /* a file in which a deep detector's training is kept (detect/training.h); NULL: none */
    bool keep;                 /* the detector stays with the detection, to explain its episodes: memory as long as the detection lives */
} tcsi_detect_options;

/* A share of an episode's score. */
typedef struct tcsi_share {
    size_t channel;
    double share; /* of the episode's contributions, in [0, 1] */
} tcsi_share;

enum { TCSI_SHARE_COUNT_MAX = 8 };

typedef struct tcsi_episode_shares {
    tcsi_share shares[TCSI_SHARE_COUNT_MAX]; /* largest first */
    size_t count;                            /* 0: the detector cannot say */
} tcsi_episode_shares;

typedef struct tcsi_channel_forecast {
    size_t channel;
    tcsi_forecast forecast;
} tcsi_channel_forecast;

typedef struct tcsi_detection {
    const tcsi_frame *frame;             /* borrowed: must outlive the detection; with knowledge its own: as the detector saw it */
    struct tcsi_known *known;            /* known.h; NULL: there is no knowledge */
    const tcsi_detector_info *info;      /* of the detector that ran */
    tcs_mode mode;
    size_t train_row_count;
    size_t fitted_row_count;             /* rows of another frame that the pipeline learned from; then train_row_count is 0 */
    bool is_told;                        /* the labels of the training rows were learned from */
    uint64_t seed;
    double *parameter_values;            /* (info->parameter_count): as the detector ran */
    tcs_score *scores;                   /* (T) */
    float *said;                         /* (T,member_count) how rare each member of the detector finds each row; NULL: it has none */
    size_t member_count;
    tcsi_policy_result decision;
    tcsi_calibrator calibrator;          /* p-value -> probability that the row is anomalous */
    tcsi_episode_shares *shares;         /* one per episode */
    tcsi_training training;              /* how it went, where the detector is trained in steps */
    tcsi_channel_forecast *forecasts;    /* of what comes after the last row, by channel, nearest first */
    size_t forecast_count;
    tcsi_label *labels;                  /* (episode_count) once they were asked for (labels.h); NULL: not yet */
    struct tcsi_crossing *crossings;     /* crossing.h; of limits by them, in the file's order */
    size_t crossing_count;
    double seconds_detect, seconds_decide;
    bool has_times;                      /* the frame's times say when rows were; not of row numbers */
    bool is_tabular;                     /* rows were taken as exchangeable */
    tcsi_detector *detector;             /* that scored the frame, when it was to be kept; else NULL */
    tcsi_pool *pool;                     /* the detector's */
    tcsi_buffer origin;                  /* of a pipeline that stood somewhere: its detector before the first row; else empty */
} tcsi_detection;

/* The first fifth of the rows offline; online min(15 %, 750), at least 100 where there are as many. */
size_t tcsi_train_rows_default(tcs_mode mode, size_t row_count);

/* The detector that "auto" stands for. */
const char *tcsi_auto_name(tcs_mode mode, bool is_tabular);

/* The detector that the options ask for; its name is looked up, its mode checked. */
tcs_status tcsi_detect_choose(const tcsi_detect_options *options, const tcsi_detector_info **ret_info, tcs_error *err) TCS_WARN_UNUSED;

/* The detector as the options want it: a new one, or that of their fleet.  setup has what they do not say: channels, pool, training and
 * constraints. */
tcs_status tcsi_detect_prepare(const tcsi_detect_options *options, const tcsi_detector_info *info, const tcsi_detector_setup *setup,
                               tcsi_detector **ret_detector, tcs_error *err) TCS_WARN_UNUSED;

/* What a detector refuses while it learns or scores lies in the rows, not in its options, which were looked at when it was made:
 * E_INVALID becomes E_FORMAT. */
tcs_status tcsi_detect_blame_rows(tcs_status status, tcs_error *err);

/* Keeps the largest of parts (C), as shares of their sum. */
void tcsi_rank_parts(const double *parts, size_t channel_count, tcsi_episode_shares *ret_shares);

/* Can the detector learn from so many training rows, is_told of their labels, and keep its training where the options want it? */
tcs_status tcsi_detect_check(const tcsi_detect_options *options, const tcsi_detector_info *info, size_t train_row_count, bool is_told,
                             tcs_error *err) TCS_WARN_UNUSED;

/* What decides about the episodes of a detection that knows something; NULL: nothing does. */
const tcsi_order *tcsi_detection_orders(const tcsi_detection *detection);

/* The mean step in nanoseconds; 0: no times. */
double tcsi_detect_cadence(const tcsi_frame *frame);

/* An empty detection of frame, with room for its scores; values is what the detector ran with. */
tcs_status tcsi_detection_create(const tcsi_frame *frame, const tcsi_detector_info *info, const double *values,
                                 tcsi_detection **ret_detection, tcs_error *err) TCS_WARN_UNUSED;
/* What the options make of the detector's defaults. */
tcs_status tcsi_detect_values(const tcsi_detect_options *options, const tcsi_detector_info *info, double **ret_values,
                              tcs_error *err) TCS_WARN_UNUSED;
/* Room for what so many members say of each of so many rows.  E_MEMORY. */
tcs_status tcsi_detection_listen(tcsi_detection *detection, size_t row_count, size_t member_count, tcs_error *err) TCS_WARN_UNUSED;
tcsi_agreement tcsi_detection_agreement(const tcsi_detection *detection, size_t row);
/* Scores are there: decides, and says which channels carry each episode. */
tcs_status tcsi_detection_decide(tcsi_detection *detection, const tcsi_detector *detector, const tcsi_policy_options *policy,
                                 tcs_error *err) TCS_WARN_UNUSED;
/* What comes after the last row, if the detector says, and which limits it passes. */
tcs_status tcsi_detection_ask_forecasts(tcsi_detection *detection, const tcsi_detector *detector, tcs_error *err) TCS_WARN_UNUSED;

/* The run is over: the detector and its pool stay with the detection, or are destroyed. */
void tcsi_detection_part(tcsi_detection *detection, tcsi_detector *detector, tcsi_pool *pool, bool keep);

tcs_status tcsi_detect(const tcsi_frame *frame, const tcsi_detect_options *options, tcsi_detection **ret_detection,
                       tcs_error *err) TCS_WARN_UNUSED;
void tcsi_detection_destroy(tcsi_detection *detection); /* accepts NULL */

#endif
