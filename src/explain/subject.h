/* explain/subject.h -- what explanations are about: a frame that a detector scored, and what was decided of it.
 * Everything is borrowed and must outlive what is made from it.
 *
 * Nothing here changes the subject: wherever rows are scored again a copy of the detector does it (replay.h). */
#ifndef TCS_EXPLAIN_SUBJECT_H
#define TCS_EXPLAIN_SUBJECT_H

#include "base/buffer.h"
#include "decide/policy.h"
#include "detect/detector.h"

/* Episodes of more cells (rows times channels) than this are not judged again, and so many episodes are explained together at most that
 * theirs, and the saved states of a stream, stay below these: some 300 MB in all. */
#define TCSI_EXPLAIN_CELLS_MAX ((size_t)1 << 21)
#define TCSI_EXPLAIN_STATES_MAX ((size_t)1 << 27)

typedef struct tcsi_extent {
    size_t begin, end; /* rows [begin, end) */
} tcsi_extent;

/* What an episode is called by those who know. */
typedef enum tcsi_label_source {
    TCSI_LABEL_NONE,
    TCSI_LABEL_COLUMN,    /* the frame's labels: "anomaly", where one of its rows is labelled so, else "normal" */
    TCSI_LABEL_SIGNATURE, /* a known failure that it looks like */
    TCSI_LABEL_NAME,      /* somebody named its rows */
} tcsi_label_source;

typedef struct tcsi_label {
    tcsi_label_source source;
    const char *text;     /* NULL: NONE */
} tcsi_label;

typedef struct tcsi_subject {
    const tcsi_frame *frame;
    tcsi_detector *detector;             /* that scored the frame last, as it was fitted; NULL: gone, then only what is cheap can be told */
    const tcsi_buffer *origin;           /* its saved state before the first row; NULL: a reset brings it there */
    const tcs_score *scores;             /* (T) */
    const float *said;                   /* (T,member_count) how rare each member of the detector finds each row; NULL: it has none */
    size_t member_count;
    const tcsi_policy_result *decision;
    const tcsi_label *labels;            /* (episode_count); NULL: nobody knows */
    bool is_online, is_tabular;
    size_t row_base;                     /* rows that there were before the frame's first: added where rows are told */
    bool has_times;                      /* the frame's times say when rows were */
} tcsi_subject;

static inline tcsi_label tcsi_subject_label(const tcsi_subject *subject, size_t episode)
{
    return subject->labels ? subject->labels[episode] : (tcsi_label){ .text = NULL };
}

/* What thresholds are compared with. */
static inline double tcsi_subject_level(const tcsi_subject *subject, const tcs_score *score)
{
    return subject->decision->by_evidence ? score->evidence : score->value;
}

static inline size_t tcsi_extent_count(tcsi_extent span) { return span.end - span.begin; }

/* The span and `margin` rows on both sides, as far as there are rows. */
static inline tcsi_extent tcsi_extent_widen(tcsi_extent span, size_t margin, size_t row_count)
{
    span.begin = span.begin > margin ? span.begin - margin : 0;
    span.end = row_count - span.end > margin ? span.end + margin : row_count;
    return span;
}

#endif
