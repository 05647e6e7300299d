/* serve/shard/grounds.h -- what an open anomaly was judged by: the figures that were in force then, so that it can be explained afterwards.
 *
 *     row ──> chart and scale as they were before it ──> opens: ONSET ── higher: PEAK ── confirmed: by what, and by which heights
 *                                                                   └── an answer of the deep layer, stranger than those before: its window
 *
 * Chart, scale, thresholds and models go on changing; an explanation that used today's would explain another decision.  Nothing here
 * decides: it is written down in the episode's document (serve/why/) and is part of the saved state, because an episode may outlast it.
 * So many anomalies of a cell as TCSI_GROUNDS_MAX may have theirs at once; of one that opens beyond that nothing is written down.
 * Memory: TCSI_GROUNDS_MAX of them a cell, 2 bytes a series.  Cost of a row: a copy of its chart's 48 bytes.  Threads: the cell's. */
#ifndef TCS_SERVE_SHARD_GROUNDS_H
#define TCS_SERVE_SHARD_GROUNDS_H

#include "base/hash.h"
#include "decide/cohort.h"
#include "detect/fast/residual_chart.h"
#include "serve/shard/last_rows.h"

struct tcsi_cell;
struct tcsi_live_series;
struct tcsi_live_row;
struct tcsi_waiting;
struct tcsi_deep_answer;

enum { TCSI_GROUNDS_MAX = 1024 };

/* What made it so; documents hold the names. */
typedef enum tcsi_grounds_by {
    TCSI_GROUNDS_NONE,   /* nothing did, or it is not known */
    TCSI_GROUNDS_HEIGHT, /* a height that chance passes too rarely */
    TCSI_GROUNDS_LENGTH, /* out of the ordinary for longer than scores remember each other */
    TCSI_GROUNDS_DEEP,   /* what the deep layer said */
    TCSI_GROUNDS_ANSWER, /* what people said of episodes like it, or of it */
    TCSI_GROUNDS_BY_COUNT
} tcsi_grounds_by;
extern const char *const tcsi_grounds_by_names[TCSI_GROUNDS_BY_COUNT]; /* "height" */

/* A row, and all that it was judged by, as it was before it. */
typedef struct tcsi_grounds_row {
    bool is_known;                    /* false: nothing but time and value */
    int64_t time_ns, received_ns;
    double value;
    tcsi_residual_chart chart;
    tcsi_cohort_member member;
    double threshold, threshold_low;  /* heights; infinite: there was none yet */
} tcsi_grounds_row;

/* What the deep layer said, and of what. */
typedef struct tcsi_grounds_answer {
    int64_t time_ns;                  /* of the row in question; 0: it said nothing */
    unsigned char model[TCSI_HASH_SIZE]; /* that answered */
    uint32_t sort;                    /* tcsi_question_sort: what its score was compared with */
    float p_value, mean;              /* its chance; it counts as p_value^(1 / mean), as the series was known until then */
    float limit;                      /* chances up to it decide, once so counted */
    int16_t rows[TCSI_LAST_ROWS];     /* last_rows.h */
} tcsi_grounds_answer;

/* Zeros: nothing is known. */
typedef struct tcsi_grounds {
    uint64_t sequence;                /* of the record that opened it; 0: nothing is known */
    uint32_t opened_by, confirmed_by; /* tcsi_grounds_by */
    tcsi_grounds_row onset, peak;
    int64_t confirmed_ns;             /* the row's time */
    uint32_t lasted;                  /* when it was confirmed: rows out of the ordinary */
    double sure, hold;                /* heights that confirm: by themselves; against the deep layer's word.  As of onset or confirmation */
    double allowed;                   /* alarms of chance a row, then */
    tcsi_grounds_answer answer;
} tcsi_grounds;

/* Of one cell. */
typedef struct tcsi_cell_grounds {
    tcsi_residual_chart chart;        /* of the series whose row is being judged, before it */
    tcsi_grounds_row now;             /* the last row that was kept */
    uint64_t now_of;                  /* its series' number and 1 */
    tcsi_grounds *items;              /* (TCSI_GROUNDS_MAX) sequence 0: free */
    uint64_t unknown_count;           /* anomalies that opened when none was free */
} tcsi_cell_grounds;

tcs_status tcsi_cell_grounds_init(tcsi_cell_grounds *grounds, tcs_error *err) TCS_WARN_UNUSED; /* E_MEMORY */
void tcsi_cell_grounds_deinit(tcsi_cell_grounds *grounds); /* accepts a zeroed one */
size_t tcsi_cell_grounds_size(void); /* bytes beside the struct */

/* ---- from within a row, in this order; cell.c keeps the chart before it takes the row ---- */

/* Before the cohort has taken the row, of one that may open an anomaly or belongs to one, which it will take so. */
void tcsi_grounds_keep(struct tcsi_cell *cell, const struct tcsi_live_series *series, const struct tcsi_live_row *row,
                       tcsi_cohort_regard regard);
/* Its anomaly has just opened with the row that is being judged, or by what was said of an earlier one (its time and value are the
 * anomaly's peak). */
void tcsi_grounds_open(struct tcsi_cell *cell, struct tcsi_live_series *series, tcsi_grounds_by by);
/* The row that is being judged is the highest so far. */
void tcsi_grounds_peak(struct tcsi_cell *cell, const struct tcsi_live_series *series);

/* ---- others ---- */

void tcsi_grounds_confirm(struct tcsi_cell *cell, const struct tcsi_live_series *series, tcsi_grounds_by by, int64_t time_ns);
/* The deep layer's answer on that question, the strangest so far; limit: chances up to it decide. */
void tcsi_grounds_hear(struct tcsi_cell *cell, const struct tcsi_live_series *series, const struct tcsi_waiting *waiting,
                       const struct tcsi_deep_answer *answer, double limit);
void tcsi_grounds_close(struct tcsi_cell *cell, struct tcsi_live_series *series);
/* Of the open anomaly; never NULL: one of zeros where nothing is known. */
const tcsi_grounds *tcsi_grounds_of(const struct tcsi_cell *cell, const struct tcsi_live_series *series);

void tcsi_cell_grounds_persist(tcsi_cell_grounds *grounds, tcsi_codec *codec);

#endif
