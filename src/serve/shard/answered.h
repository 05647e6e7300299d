/* serve/shard/answered.h -- what people's answers do in a cell: episodes like those that were answered are quiet, or heard at once.
 *
 *     onset ──> pattern ──ask──> memory (adapt/memory.h)        every cell has all answers: one may speak of series in any of them
 *                 │
 *                 ├── SUPPRESS: suspected, told with the answer's id, and to no receiver; asked again with every row, so that it is
 *                 │             confirmed as soon as it passes a guard, or the answer is undone or ends
 *                 ├── RAISE:    confirmed at once
 *                 └── NONE:     as without answers
 *
 * An answer to an episode that is still open acts on it at once: one that was confirmed is dismissed by *expected* and *not mine*, and one
 * that was suspected is confirmed by *true*.
 * What an action needs is in its document: {"verdict", "scope", "weight" (confidence times reliability of who said it), "until_ns" (a text;
 * "": no end), "place" (of the series in its cell), "pattern"}.  Who takes the request checks it; what cannot be read changes nothing, in
 * every cell alike.
 * Memory: sizeof(tcsi_answered) a series, the answers once a cell.  Cost of a row: one shift of 16 bytes; of an opening, one look at every
 * answer.  Threads: the cell's. */
#ifndef TCS_SERVE_SHARD_ANSWERED_H
#define TCS_SERVE_SHARD_ANSWERED_H

#include "adapt/memory.h"
#include "serve/action.h"

struct tcsi_cell;
struct tcsi_live_series;
struct tcsi_live_event;

/* Of one series. */
typedef struct tcsi_answered {
    int8_t recent[TCSI_PATTERN_SHAPE]; /* its last steps, the newest last; while an anomaly is open: those up to its onset */
    float onset_height, height_max;    /* of the open anomaly, without the cohort's bar */
    uint32_t family;                   /* of its metric's name: what `similar` means */
    uint8_t quiet;                     /* bit k: its open episode of kind k is kept quiet */
    int8_t share;                      /* of the budget: 0 is one, each step up or down half an octave (shard/taught.h) */
    uint8_t is_shared : 1;             /* it was reckoned already */
    uint8_t has_true : 1;              /* an answer says that something on it was true, and not this episode alone */
    uint8_t is_incident : 1;           /* its open anomaly is no training data */
} tcsi_answered;

/* Of one cell. */
typedef struct tcsi_cell_answers {
    tcsi_memory memory;
    double height;                     /* of the row that is being judged */
    tcsi_advice advice;                /* the last one given on its series' open anomaly */
    uint64_t suppressed_count;         /* episodes told as suspected because of an answer */
    uint64_t guarded_count;            /* questions where the votes were for quiet and a guard against */
} tcsi_cell_answers;

/* Answers' ids are 32 hexadecimal digits. */
enum { TCSI_ANSWER_ID_SIZE = 33 };
bool tcsi_answer_id_read(const char *text, tcsi_fingerprint *ret_id);
void tcsi_answer_id_write(tcsi_fingerprint id, char ret_text[TCSI_ANSWER_ID_SIZE]);

/* The members that an answer's document needs, into an object that is open; of the answer all but its id. */
void tcsi_answered_write(const tcsi_episode_answer *answer, tcsi_json_writer *writer);

/* ---- from within a row, in this order ---- */

/* Before chart and cohort have taken the row's value. */
void tcsi_answered_row(struct tcsi_live_series *series, double value);
/* The chart's score of it, before the cohort has taken that. */
void tcsi_answered_score(struct tcsi_cell *cell, const struct tcsi_live_series *series, double score);
/* A row of the open anomaly, is_opening its first, once its peak is known. */
tcsi_advice_kind tcsi_answered_follow(struct tcsi_cell *cell, struct tcsi_live_series *series, bool is_opening);
/* Every event, before it is told: fills its pattern, and holds back what is to be quiet. */
void tcsi_answered_tell(struct tcsi_cell *cell, struct tcsi_live_series *series, struct tcsi_live_event *event);

/* ---- others ---- */

/* What an anomaly of the series would look like whose onset is the row that is being judged, which was below what was expected or not. */
tcsi_pattern tcsi_answered_candidate(const struct tcsi_cell *cell, const struct tcsi_live_series *series, int64_t time_ns, bool is_below);
bool tcsi_answered_is_quiet(const struct tcsi_live_series *series);
/* It is now_ns: quiet episodes of kinds that rows do not follow are asked for again. */
void tcsi_answered_tick(struct tcsi_cell *cell, struct tcsi_live_series *series, uint64_t sequence, int64_t now_ns);
/* At every tick, before its series: answers end. */
void tcsi_answered_turn(struct tcsi_cell *cell);
/* An answer, or one that is taken back; other actions are none of this. */
void tcsi_answered_act(struct tcsi_cell *cell, const tcsi_action *action);

tcs_status tcsi_cell_answers_init(tcsi_cell_answers *answers, tcs_error *err) TCS_WARN_UNUSED; /* E_MEMORY */
void tcsi_cell_answers_deinit(tcsi_cell_answers *answers); /* accepts a zeroed one */
void tcsi_cell_answers_persist(tcsi_cell_answers *answers, tcsi_codec *codec);
void tcsi_answered_persist(tcsi_answered *answered, tcsi_codec *codec);

#endif
