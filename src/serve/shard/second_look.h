/* serve/shard/second_look.h -- which rows a cell has looked at again, and what the answers do.
 *
 *     row ── out of the ordinary, or in the sample ──> question ──> deep workers ──> VERDICTS in the journal ──> answer ──> episode
 *                                                         └── older than the deadline at a TICK of the journal: unconfirmed
 *
 * A question goes out for a row that the cohort calls unusual, unless its series waits for an answer already or its episode is confirmed
 * (the first row of an episode is asked about in any case), and for a sample of all other rows: so many a second by the rows' stamps,
 * chosen by a hash of series, record and stamp.  A cell waits for QUESTION_MAX answers at most; what does not fit, and what the breaker
 * (breaker.h) holds back, stays unconfirmed at once.
 * Answers depend on time, on how busy the machine is and on what was learned so far; so they are input, like rows: the journal has them,
 * and whoever reads it again applies those and asks nobody.  That nobody answered follows from the ticks: nobody need write it down.
 *
 * What an answer is: the chance that a row of its sort (unusual, or ordinary) looks at least as strange to the deep layer.  Rows of one
 * series look strange time after time, of another never: a chance is taken to the power of 1 / mean, the mean of -log chance over the last
 * answers on rows of this series that were out of the ordinary (1 where nothing is known of it).
 *
 * What an answer does to an open episode, by the lowest chance so far:
 *     at most `agree`      *confirmed*: now, early
 *     above                *ordinary*: neither height nor length confirms it, unless chance raises its height a hundred times more rarely
 *                          than the budget allows
 *     no answer in time    *unconfirmed*: the fast layer decides, as without a deep one; while it waits, as if *ordinary*
 * Where none is open it may open one.  Of rows that are out of the ordinary, a share `fast` is as high, and a share `deep` as strange; were
 * the two independent, their product would be as low by chance in  product (1 - log product)  of such rows (R. A. Fisher, "Statistical
 * Methods for Research Workers", 4th edition, 1932, section 21.1).  That times the share of such rows is how often a row chance raises
 * this much, and it must be within the deep layer's part of the alarm budget; bar^4 times that much for a series that alarmed not long ago
 * (decide/cohort.h).  A row in the sample is judged by the deep layer alone.
 * docs/internals/serve-deep.md has what this gains.
 * Memory: QUESTION_MAX questions a cell.  Cost: O(1) a row.  Threads: the cell's user. */
#ifndef TCS_SERVE_SHARD_SECOND_LOOK_H
#define TCS_SERVE_SHARD_SECOND_LOOK_H

#include "serve/shard/breaker.h"
#include "serve/shard/grounds.h"
#include "serve/shard/last_rows.h"

struct tcsi_cell;
struct tcsi_live_series;
struct tcsi_live_row;
struct tcsi_live_outcome;
struct tcsi_live_episode;

typedef enum tcsi_verdict {
    TCSI_VERDICT_NONE,        /* nobody was asked, or nothing has been learned yet */
    TCSI_VERDICT_PENDING,     /* asked, not answered so far */
    TCSI_VERDICT_CONFIRMED,
    TCSI_VERDICT_ORDINARY,
    TCSI_VERDICT_UNCONFIRMED, /* no answer in time, or too much to ask */
    TCSI_VERDICT_COUNT
} tcsi_verdict;
extern const char *const tcsi_verdict_names[TCSI_VERDICT_COUNT];

typedef enum tcsi_question_sort { TCSI_QUESTION_ESCALATED, TCSI_QUESTION_SAMPLED, TCSI_QUESTION_SORT_COUNT } tcsi_question_sort;

typedef struct tcsi_deep_question {
    uint64_t serial;          /* in its cell */
    uint32_t number;          /* of the series */
    uint8_t sort;             /* tcsi_question_sort */
    int64_t received_ns;      /* of the row */
    float height;             /* by the fast layer */
    int16_t rows[TCSI_LAST_ROWS]; /* as last_rows.h has them, the row in question last */
} tcsi_deep_question;

typedef struct tcsi_deep_answer {
    uint64_t serial;
    uint32_t number;
    bool is_untrained;        /* in time, and nobody knows */
    float p_value;            /* in (0, 1] */
    unsigned char model[TCSI_HASH_SIZE]; /* that said so; zeros: none, or nobody asked */
} tcsi_deep_answer;

typedef struct tcsi_second_look_rule {
    double agree;             /* chances above are ordinary */
    double part;              /* of the alarm budget, for episodes that the deep layer opens */
} tcsi_second_look_rule;
extern const tcsi_second_look_rule tcsi_second_look_usual;

typedef struct tcsi_second_look_options {
    bool is_on;
    double sampled_per_s;     /* of all series together, >= 0 */
    int64_t deadline_ns;      /* from a row's receipt */
    const tcsi_second_look_rule *rule; /* outlives the cell; NULL: the usual one */
} tcsi_second_look_options;

/* A question on its way. */
typedef struct tcsi_waiting {
    uint32_t place, is_waiting;
    uint32_t sort;
    float height;
    uint64_t sequence;
    int64_t time_ns, received_ns;
    double value, expected, deviation;
    int16_t rows[TCSI_LAST_ROWS]; /* what is asked about, for whoever wants to know afterwards */
    float p_value, mean;      /* once it is answered: grounds.h */
} tcsi_waiting;

typedef struct tcsi_second_look_counts {
    uint64_t asked[TCSI_QUESTION_SORT_COUNT];
    uint64_t answered, untrained, expired, overflowed, held_back; /* what became of them; overflowed, held_back: never asked */
    uint64_t opened;          /* episodes that the deep layer opened */
    uint64_t open_cells;      /* in sums: cells whose breaker is not closed */
    double missed;            /* rows like those in the sample that were strange enough to alarm: what the fast layer misses, about */
} tcsi_second_look_counts;

/* Of a series.  Zeros are one that nobody asked about. */
typedef struct tcsi_second_look_member {
    float strange, count;     /* sums over answers of -log chance and of 1, fading */
    uint8_t is_asked;         /* an answer on a row out of the ordinary is awaited */
} tcsi_second_look_member;

/* Of a cell. */
typedef struct tcsi_second_look {
    tcsi_second_look_options options;
    tcsi_waiting *waiting;    /* (QUESTION_MAX) serial i at i % QUESTION_MAX */
    uint64_t first, next;     /* serials that may still wait: [first, next) */
    tcsi_breaker breaker;
    double sample_share;      /* of rows */
    tcsi_second_look_counts counts;
} tcsi_second_look;

tcs_status tcsi_second_look_init(tcsi_second_look *look, const tcsi_second_look_options *options, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_second_look_deinit(tcsi_second_look *look); /* accepts a zeroed one */
size_t tcsi_second_look_size(void); /* bytes beside the struct */
/* Other options, from now on: what waits goes on waiting.  Its rule stays. */
void tcsi_second_look_set(tcsi_second_look *look, const tcsi_second_look_options *options);
/* Of the sample, `part` is this cell's, which has so many rows a second by their stamps. */
void tcsi_second_look_set_share(tcsi_second_look *look, double part, double rows_per_s);
/* Of the alarm budget, what the fast layer may spend. */
double tcsi_second_look_fast_part(const tcsi_second_look *look);

/* Adds what is counted here, or there, to a sum. */
void tcsi_second_look_add(const tcsi_second_look *look, tcsi_second_look_counts *sum);
void tcsi_second_look_sum(const tcsi_second_look_counts *counts, tcsi_second_look_counts *sum);

/* A row that was judged by the fast layer, its episode up to date. */
void tcsi_second_look_row(struct tcsi_cell *cell, struct tcsi_live_series *series, const struct tcsi_live_row *row, uint64_t sequence,
                          const struct tcsi_live_outcome *outcome);
/* An answer out of record `sequence`; one that nobody waits for any more changes nothing. */
void tcsi_second_look_hear(struct tcsi_cell *cell, const tcsi_deep_answer *answer, uint64_t sequence);
/* It is time_ns: who has waited for too long? */
void tcsi_second_look_tick(struct tcsi_cell *cell, uint64_t sequence, int64_t time_ns);
/* By what is the episode to be confirmed; NONE: by nothing.  rate: alarms of its height that chance raises per row, by the fast layer
 * alone. */
tcsi_grounds_by tcsi_second_look_confirms(const struct tcsi_cell *cell, const struct tcsi_live_series *series, double rate,
                                          bool has_lasted);

/* The heights from which an episode of the series is confirmed by its height alone: without the deep layer, and against its word.
 * Infinite before the cohort knows its tail. */
void tcsi_second_look_heights(const struct tcsi_cell *cell, const struct tcsi_live_series *series, double *ret_sure, double *ret_hold);

/* A chance as it counts on a series that has looked so strange on the whole (1: as all others): the chance, had it been like them. */
double tcsi_second_look_counted(float p_value, double mean);

void tcsi_second_look_member_persist(tcsi_second_look_member *member, tcsi_codec *codec);
void tcsi_second_look_persist(tcsi_second_look *look, tcsi_codec *codec);
/* Loaded: are its questions about the first series_count places? */
bool tcsi_second_look_fits(const tcsi_second_look *look, uint32_t series_count);

#endif
