/* api/handles.h -- what stands behind the opaque types of tocsin/tocsin.h.  Only src/api includes this. */
#ifndef TCS_API_HANDLES_H
#define TCS_API_HANDLES_H

#include "io/read.h"
#include "pipeline/pipeline.h"
#include "tocsin/tocsin.h"

struct tcs_frame {
    tcsi_frame *frame;
    bool is_tabular;
    bool has_real_times; /* false: no times, or only row numbers */
    size_t *places;      /* (T) where row r of the input stands in the frame; NULL: in the same place */
    char **notes;
    size_t note_count;
};

/* Keeps a copy of text as a note; beyond TCSI_NOTE_COUNT_MAX notes, and for an empty text, nothing.  E_MEMORY. */
enum { TCSI_NOTE_COUNT_MAX = 64 };
tcs_status tcsi_api_note(tcs_frame *frame, const char *text, tcs_error *err) TCS_WARN_UNUSED;

/* Options of the public header as the rooms below want them. */
typedef struct tcsi_api_read {
    tcsi_read_options options;
    char *text;         /* what names point into */
    const char **names;
} tcsi_api_read;

tcs_status tcsi_api_read_options(const tcs_read_options *options, tcsi_api_read *ret_read, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_api_read_deinit(tcsi_api_read *read); /* accepts a zeroed one */

enum { TCSI_API_PARAMETER_COUNT_MAX = 32, TCSI_API_PARAMETER_NAME_SIZE = 64 };

typedef struct tcsi_api_detect {
    tcsi_detect_options options; /* points into values */
    tcsi_parameter_value values[TCSI_API_PARAMETER_COUNT_MAX];
    char names[TCSI_API_PARAMETER_COUNT_MAX][TCSI_API_PARAMETER_NAME_SIZE];
} tcsi_api_detect;

tcs_status tcsi_api_detect_options(const tcs_detect_options *options, bool is_tabular, tcsi_api_detect *out,
                                   tcs_error *err) TCS_WARN_UNUSED;

struct tcs_knowledge {
    const tcsi_knowledge *inner; /* an owner of it */
    tcsi_buffer words;
};

enum { TCSI_API_LIMIT_SIZE = 192 };

struct tcs_result {
    const tcs_frame *frame;    /* as the detector saw it: borrowed, or seen */
    tcs_frame seen;            /* with knowledge; owns nothing */
    char (*limits)[TCSI_API_LIMIT_SIZE]; /* by episode: the limit passed in it, or "" */
    tcsi_detection *detection;
    size_t *order;             /* episode indices, most severe first */
    int64_t step_ns;           /* from row to row, where limits are foretold; 0: no times */
    char assumed[TCS_ASSUMED_SIZE];
};

/* A result of a detection of frame, which it takes over, even in failure. */
tcs_status tcsi_api_result(const tcs_frame *frame, tcsi_detection *detection, tcs_result **ret_result, tcs_error *err) TCS_WARN_UNUSED;

/* What knowledge adds to a result of the given frame; and to one of its episodes, by index in time. */
tcs_status tcsi_api_know(tcs_result *result, const tcs_frame *given, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_api_add_knowledge(const tcs_result *result, size_t index, tcs_episode *episode);
/* Without channels and knowledge. */
tcs_episode tcsi_api_episode(const tcs_result *result, const tcsi_episode *from);
tcs_rule tcsi_api_rule(const tcsi_knowledge *knowledge, const tcsi_votes *votes, size_t index);

struct tcs_pipeline {
    tcsi_pipeline *inner;
};

/* The pipeline's columns by name, in its order.  The names stay the pipeline's. */
tcs_status tcsi_api_pipeline_read_options(const tcs_pipeline *pipeline, const tcs_read_options *options, tcsi_api_read *ret_read,
                                          tcs_error *err) TCS_WARN_UNUSED;
tcs_status tcsi_api_fail_times(tcs_error *err); /* knowledge of rows with times, and rows without */
/* tcs_frame_read with options of the room below. */
tcs_status tcsi_api_frame_read(const char *input, const tcsi_read_options *options, bool keep_order, tcs_frame **ret_frame,
                               tcs_error *err) TCS_WARN_UNUSED;

typedef struct tcsi_api_premises {
    const tcsi_detector_info *info;
    size_t channel_count, train_row_count;
    size_t fitted_row_count; /* instead: rows of another frame */
    uint64_t row_count;
    double budget;
    bool own_threshold, is_told;
    const tcsi_budget *stated;
} tcsi_api_premises;

/* The sentence of tcs_result_assumed: the terminal, --json and the report all say it in these words. */
void tcsi_api_assume(const tcsi_api_premises *premises, char ret_text[TCS_ASSUMED_SIZE]);

#endif
