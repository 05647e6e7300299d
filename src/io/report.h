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
};

typedef struct tcsi_report_share {
    size_t channel; /* of the frame */
    double share;   /* in [0, 1] */
} tcsi_report_share;

typedef struct tcsi_report_episode {
    size_t row_begin, row_end, row_peak; /* [row_begin, row_end), never empty */
    double severity;                     /* 0..100 */
    double score, p_value;               /* of the peak row */
    double expected_count;               /* episodes this high expected by chance in the rows looked at */
    tcsi_report_share shares[TCSI_REPORT_SHARE_COUNT_MAX];
    size_t share_count;
} tcsi_report_episode;

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
    const tcsi_report_fact *facts;        /* shown in the header beside rows, channels and time span */
    size_t fact_count;
    const tcsi_report_fact *method;       /* "how this was computed" */
    size_t method_count;
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
