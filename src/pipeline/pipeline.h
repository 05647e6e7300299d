/* pipeline/pipeline.h -- a pipeline that was fitted: kept in one file, it judges rows that come later.
 *
 * Online it is a stream (stream.h) behind its last training row.  Whatever it says of later rows is, bit for bit, what a detection of all
 * rows in one frame would have said: fit on Monday's rows and asked about Tuesday's, it agrees with one that saw both.
 *
 * Offline it is a detector that learned from its first rows, and the scores that it gave to the others, from which it did not learn: what
 * normal rows score when nobody has seen them before (split conformal prediction: H. Papadopoulos, K. Proedrou, V. Vovk, A. Gammerman,
 * "Inductive confidence machines for regression", ECML 2002).  p-values and thresholds of later rows are taken from them.  Detectors that
 * compare a frame with itself (TCSI_TRAIT_RELATIVE) have no such scores: they judge each frame as tcsi_detect would.
 *
 * Of a fleet, many series of one kind, a pipeline knows what they have in common, and cannot judge any yet: it is where a pipeline of
 * one series, old or new, begins (tcsi_detect_options.fleet), with a few hundred rows and within a second.
 *
 * Both learn from the first four fifths of their rows unless told otherwise; of a table, which may be sorted, from four rows in
 * five.  A bundle is the pipeline in a file (bundle.c): a safetensors file
 * whose one tensor, U8, is the state, and whose header says in words what it is; it is taken whole or refused with one sentence.
 * Threads: one user at a time; pipelines are independent. */
#ifndef TCS_PIPELINE_PIPELINE_H
#define TCS_PIPELINE_PIPELINE_H

#include "pipeline/stream.h"

enum { TCSI_PIPELINE_ENGINE_SIZE = 32, TCSI_PIPELINE_NAME_MAX = 1 << 16 };

typedef struct tcsi_pipeline {
    tcs_mode mode;
    bool is_tabular;              /* offline */
    bool is_fleet;                /* knows a fleet, and is fitted to no series; state is a saved detector */
    bool is_spread;               /* while fitting a table: every fifth row is not learned from, instead of the last fifth */
    bool is_told;                 /* labels of the training rows were learned from */
    const tcsi_detector_info *info;
    size_t channel_count;
    char **channel_names;         /* (C) */
    uint64_t seed;
    double *parameter_values;     /* (info->parameter_count): as the detector runs */
    tcsi_budget budget;
    size_t train_row_count;       /* rows it learned from */
    uint64_t row_count;           /* rows it has seen, those among them */
    uint64_t data_seal;           /* tcsi_seal of the frame it was fitted on: channel by channel, then times */
    char engine[TCSI_PIPELINE_ENGINE_SIZE]; /* the version that fitted it */
    tcsi_buffer state;            /* online a saved stream, offline a saved detector */
    double *reference;            /* offline: (reference_count); none with TCSI_TRAIT_RELATIVE */
    size_t reference_count;
    tcsi_calibrator calibrator;   /* p-value -> probability: from labels of rows that were not learned from, or assumed */
    tcsi_training training;       /* of a fit: how it went; not saved */
    const tcsi_knowledge *knowledge; /* an owner of it; NULL: none.  Channels above are those of the input, without what it adds */
    bool has_times;               /* with knowledge: rows have times, which it may need */
} tcsi_pipeline;

/* options as for tcsi_detect, but train_row_count 0 is four fifths, and thread_count never changes the outcome.
 * E_INVALID, E_FORMAT (the rows are at fault), E_LIMIT (a channel name of more than TCSI_PIPELINE_NAME_MAX bytes), E_MEMORY,
 * E_CANCELLED, and of a checkpoint E_IO. */
tcs_status tcsi_pipeline_fit(const tcsi_frame *frame, const tcsi_detect_options *options, tcsi_pipeline **ret_pipeline,
                             tcs_error *err) TCS_WARN_UNUSED;
/* The channels have the same names in all series.  train_row_count is not looked at: all rows are learned from.  fleet's facts are as the
 * detector's parameter `facts` says.  E_INVALID: a detector without TCSI_TRAIT_FLEET, among others. */
tcs_status tcsi_pipeline_fit_fleet(const tcsi_fleet *fleet, const tcsi_detect_options *options, tcsi_pipeline **ret_pipeline,
                                   tcs_error *err) TCS_WARN_UNUSED;
void tcsi_pipeline_destroy(tcsi_pipeline *pipeline); /* accepts NULL */

typedef struct tcsi_pipeline_run {
    size_t thread_count;
    tcsi_progress progress;
    bool advance;                 /* afterwards the pipeline stands behind these rows; online only */
    bool keep;                    /* as in tcsi_detect_options */
} tcsi_pipeline_run;

/* Judges frame, whose channels must be the pipeline's in their order.  E_INVALID: they are not, or a table was expected. */
tcs_status tcsi_pipeline_score(tcsi_pipeline *pipeline, const tcsi_frame *frame, const tcsi_pipeline_run *run,
                               tcsi_detection **ret_detection, tcs_error *err) TCS_WARN_UNUSED;

/* A stream that goes on from here.  E_INVALID: the pipeline is offline. */
tcs_status tcsi_pipeline_stream(const tcsi_pipeline *pipeline, size_t thread_count, tcsi_detect_stream **ret_stream,
                                tcs_error *err) TCS_WARN_UNUSED;
/* The pipeline from now on stands where a stream of its own does. */
tcs_status tcsi_pipeline_advance(tcsi_pipeline *pipeline, tcsi_detect_stream *stream, tcs_error *err) TCS_WARN_UNUSED;

/* Appends the bundle to out. */
tcs_status tcsi_pipeline_save(tcsi_pipeline *pipeline, tcsi_buffer *out, tcs_error *err) TCS_WARN_UNUSED;
/* name, of a file say, appears in messages.  E_FORMAT: no bundle, or damaged; E_UNSUPPORTED: of a later version. */
tcs_status tcsi_pipeline_load(const void *bytes, size_t size, const char *name, tcsi_pipeline **ret_pipeline,
                              tcs_error *err) TCS_WARN_UNUSED;

#endif
