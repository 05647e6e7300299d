/* io/report.h -- what a report or a picture of a detection shows, as plain data; and the writer of the HTML report.
 *
 * This room cannot see detections: whoever has one fills a tcsi_report with pointers into it (api/report.c does).
 * Everything is borrowed for the duration of the call.  Texts may hold anything: they are escaped, and bytes that are not
 * UTF-8 become U+FFFD.  Values that are not finite or exceed TCS_VALUE_MAX are drawn as gaps.
 * Threads: reentrant. */
#ifndef TCS_IO_REPORT_H
#define TCS_IO_REPORT_H

#include "series/frame.h"

enum {
    TCSI_REPORT_SHARE_COUNT_MAX = 8,
    TCSI_REPORT_CHANNEL_COUNT_MAX = 64,   /* channels that are plotted: those that carry the episodes, then the first ones */
    TCSI_REPORT_EPISODE_COUNT_MAX = 1000, /* episodes that are listed; the page says so when there are more */
    TCSI_REPORT_PAGE_COUNT_MAX = 64,      /* of them, those whose own page has plots, at most */
    TCSI_REPORT_STORY_COUNT_MAX = 8,
    TCSI_REPORT_LIKENESS_COUNT_MAX = 4,
};

typedef struct tcsi_report_share {
    size_t channel; /* of the frame */
    double share;   /* in [0, 1] */
} tcsi_report_share;

/* A channel's part in an episode. */
typedef struct tcsi_report_story {
    size_t channel;                      /* of the frame */
    double share;
    const char *kind;                    /* "level shift" */
    double kind_probability;             /* 0: unknown */
    bool is_persistent;                  /* rows behind the episode are still where it led to */
    double value, expected, low, high;   /* where it was farthest from what was expected */
    const double *expecteds, *lows, *highs; /* (view_end - view_begin) of the reason, each; or all NULL */
    const double *instead;               /* (change_end - change_begin): with these it would have been quiet; NULL: as they were */
} tcsi_report_story;

/* Rows that took a similar course: an earlier episode, or normal ones. */
typedef struct tcsi_report_likeness {
    size_t row_begin, row_end;
    size_t rank;                         /* of the episode; SIZE_MAX: normal rows */
    const char *label, *labelled_by;     /* what people call it: "valve stuck"; NULL: nobody says */
    double raw, shape;                   /* distances: of values in deviations, and of the course alone (0 the same, 1.4 unrelated) */
} tcsi_report_likeness;

/* What rows of an episode were compared with: a cell for each of those rows and each stretch of others. */
typedef struct tcsi_report_map {
    const char *kind;                    /* "attention" or "likeness" */
    const size_t *rows;                  /* (row_count) of the episode */
    const size_t *begins, *ends;         /* (column_count) stretches of rows, in order of time */
    size_t row_count, column_count;
    const double *cells;                 /* (row_count, column_count), >= 0 */
} tcsi_report_map;

/* Why an episode alarmed. */
typedef struct tcsi_report_reason {
    const char *advice;                  /* what would have kept it quiet, in words; "": nobody asked */
    const char *source;                  /* where shares come from: "parts", "gradients", ...; "none" */
    size_t view_begin, view_end;         /* rows that are drawn; the episode's among them */
    tcsi_report_story stories[TCSI_REPORT_STORY_COUNT_MAX]; /* largest share first */
    size_t story_count;
    const double *shares;                /* (rows of the episode, channels of the frame), >= 0; NULL: unknown */
    tcsi_report_map map;                 /* row_count 0: nobody can say */
    bool has_change;                     /* a change was found, and scored: it would have been quiet */
    size_t change_begin, change_end, changed_channel_count, trial_count;
    double score_before, score_after, threshold; /* of that; after: NaN unless found */
    tcsi_report_likeness likenesses[TCSI_REPORT_LIKENESS_COUNT_MAX];
    size_t likeness_count;
} tcsi_report_reason;

typedef struct tcsi_report_episode {
    size_t row_begin, row_end, row_peak; /* [row_begin, row_end), never empty */
    size_t row_confirmed;                /* SIZE_MAX: it never was, or nobody says */
    double severity;                     /* 0..100 */
    double score, p_value;               /* of the peak row */
    double probability;                  /* that the peak row is anomalous; NaN: unknown */
    double expected_count;               /* episodes this high expected by chance in the rows looked at */
    const char *state;                   /* "confirmed"; NULL, as what follows: nobody says */
    const char *kind, *sentence;         /* what happened to the channel that carries most of it; the whole in words */
    const char *limit, *signature;       /* the hard limit that was passed; the known failure that it looks like */
    const tcsi_report_reason *reason;    /* of the first TCSI_REPORT_PAGE_COUNT_MAX; NULL: unknown */
    tcsi_report_share shares[TCSI_REPORT_SHARE_COUNT_MAX];
    size_t share_count;
} tcsi_report_episode;

/* What would have been an episode, but is part of a known event. */
typedef struct tcsi_report_expected {
    size_t row_begin, row_end;
    const char *event;
} tcsi_report_expected;

enum { TCSI_REPORT_BIN_COUNT_MAX = 32 };

/* Stated probabilities beside what came: rows by their probability. */
typedef struct tcsi_report_reliability {
    struct { size_t row_count; double probability, share; } bins[TCSI_REPORT_BIN_COUNT_MAX];
    size_t bin_count;                    /* 0: there are no labels to compare with */
    double ece, brier;
} tcsi_report_reliability;

/* A line of a definition list: "Detector" -- "ensemble ...". */
typedef struct tcsi_report_fact {
    const char *name, *text;
} tcsi_report_fact;

/* The loss after so many steps of a training; losses that are not finite are left out. */
typedef struct tcsi_report_loss {
    uint64_t member, step;
    double train_loss, held_loss;
} tcsi_report_loss;

/* What channel c would normally have been: (T) each, NaN where unknown.  Called once per plotted channel. */
typedef tcs_status (*tcsi_report_band)(void *context, size_t channel, double *ret_expected, double *ret_low, double *ret_high,
                                       tcs_error *err);

typedef struct tcsi_report {
    const char *title;                    /* the input's name */
    const char *version;                  /* of this software */
    const tcsi_frame *frame;              /* rows and channels, at least one of each; labels are shown for comparison */
    bool has_times;                       /* frame->times_ns are real times; they must not decrease, else rows are numbered */
    const tcs_score *scores;              /* (T) */
    const double *thresholds;             /* (T), NaN where a row does not alarm by the score */
    const tcsi_report_episode *episodes;  /* most severe first */
    size_t episode_count;
    const tcsi_report_expected *expected; /* by time; NULL: nothing is known of events */
    size_t expected_count;
    const tcsi_report_fact *facts;        /* shown in the header beside rows, channels and time span */
    size_t fact_count;
    const tcsi_report_fact *method;       /* "how this was computed" */
    size_t method_count;
    const tcsi_report_fact *assumption;   /* what was taken for granted */
    size_t assumption_count;
    const tcsi_report_fact *promise;      /* alarms promised and raised, side by side */
    size_t promise_count;
    tcsi_report_reliability reliability;
    const char *const *notes;             /* on the input, one sentence each */
    size_t note_count;
    const tcsi_report_loss *losses;       /* of all members, one after another */
    size_t loss_count;
    tcsi_report_band band;                /* NULL: no expected band */
    void *context;                        /* of band */
} tcsi_report;

/* One self-contained HTML file; "-" writes to standard output.  Complete or absent.  E_IO, E_MEMORY, or what band returned. */
tcs_status tcsi_report_write(const tcsi_report *report, const char *path, tcs_error *err) TCS_WARN_UNUSED;

#endif
