/* serve/shard/cell.h -- live series that are judged together: their state, and what one row does to it.
 *
 * All series are spread over a fixed number of cells by the hash of their key, and cells over threads; a cell is one thread's, and what
 * happens in it depends on nothing but the rows and ticks it is given, in their order.  So any number of threads gives the same bits, and
 * so does a replay of the journal.
 *
 *     row:  arrival -> presence -> rate -> limits -> chart -> cohort -> episode                          -> second look
 *           ingest/    here        ingest/ passed.h  detect/  decide/   here: opened, confirmed, closed    second_look.h
 *
 * What can happen to a series stands in kind.h: each is an episode of its own, with an onset and an end.  What has to do with whether rows
 * come is known by presence.h, some of it by a tick: at onset, not when data come back.
 *
 * An ANOMALY is *suspected* when it opens, *confirmed* when it is ten times rarer than allowed or has lasted longer than neighbouring
 * scores belong together (as in decide/episode.h), and then *resolved*; what is over before that is *dismissed*.
 * A cell is saved while it goes on: what is one for all series is written at once, and a series before anything happens to it, or when
 * there is time (save, save_some); so nobody waits for a state of many series.
 * Memory: sizeof(tcsi_live_series) a series, in pieces that never move.  Cost of a row: constant.  Threads: one user per cell. */
#ifndef TCS_SERVE_SHARD_CELL_H
#define TCS_SERVE_SHARD_CELL_H

#include "decide/cohort.h"
#include "detect/fast/residual_chart.h"
#include "serve/action.h"
#include "serve/history/reel.h"
#include "serve/ingest/arrival.h"
#include "serve/ingest/rate.h"
#include "serve/shard/answered.h"
#include "serve/shard/backfill.h"
#include "serve/shard/grounds.h"
#include "serve/shard/passed.h"
#include "serve/shard/policy.h"
#include "serve/shard/presence.h"
#include "serve/shard/taught.h"
#include "serve/shard/pulse.h"
#include "serve/shard/second_look.h"

/* Neighbouring scores belong together: so many without a new highest end an episode, and one that is longer is no blip. */
enum { TCSI_CELL_RUN_LENGTH = 4 };

/* How far a series is: what its judgement rests on. */
typedef enum tcsi_live_readiness {
    TCSI_LIVE_NEW,      /* too few rows for a score */
    TCSI_LIVE_LEARNING, /* scored, on the scale of the cohort's other series for the most part */
    TCSI_LIVE_READY,    /* scored on its own scale */
    TCSI_LIVE_ENDED,    /* its sender said that it is over */
    TCSI_LIVE_READINESS_COUNT
} tcsi_live_readiness;
extern const char *const tcsi_live_readiness_names[TCSI_LIVE_READINESS_COUNT];

/* An open episode of a series, or none. */
typedef struct tcsi_live_episode {
    uint64_t begin_sequence; /* of the journal's record that opened it; 0: none is open, or it is no anomaly */
    int64_t begin_ns, peak_ns; /* begin: with series and kind its name for ever */
    double peak_value, expected, deviation; /* at the peak: what came, what was expected, give or take; LIMIT: the farthest value, the
                                               limit; others: presence.h */
    float height;                           /* at the peak, as decide/cohort.h has it */
    uint16_t lasted;                        /* rows out of the ordinary so far, saturating */
    uint8_t is_confirmed;
    uint8_t verdict;                        /* tcsi_verdict: what the deep layer makes of it */
    float deep_p_value;                     /* the lowest it gave so far; 1 before the first */
} tcsi_live_episode;

typedef struct tcsi_live_series {
    uint32_t number;         /* among all live series: shard/directory.h */
    tcsi_arrival arrival;
    tcsi_rate rate;
    tcsi_residual_chart chart;
    tcsi_cohort_member member;
    tcsi_presence presence;
    tcsi_backfill backfill;
    uint8_t kind;            /* tcsi_series_kind: what its values are */
    uint8_t policy;          /* as tcsi_policies_find has it */
    uint16_t grounds;        /* of its open anomaly: place in the cell's and 1; 0: nothing is known */
    uint8_t saved;           /* as of this save of its cell */
    tcsi_passed passed;
    tcsi_live_episode anomaly;
    tcsi_second_look_member look;
    tcsi_last_rows last_rows;
    tcsi_answered answered;
} tcsi_live_series;

/* What happened: an episode opened, was confirmed, or ended. */
typedef struct tcsi_live_event {
    uint64_t sequence;   /* of the record that made it so */
    uint64_t rows_sequence; /* of the record whose rows it tells of: another where the deep layer's word on them made it so */
    uint32_t number;     /* of the series */
    uint32_t order;      /* among events that are told together */
    uint8_t kind, state; /* tcsi_live_kind, tcsi_live_state */
    uint8_t is_answered; /* it is because of an answer to this very episode */
    uint8_t is_update;   /* nothing new but the deep layer's verdict */
    float cadence_s;     /* the series' usual step; 0: not known */
    tcsi_live_episode episode; /* as far as its kind has it */
    int64_t time_ns;     /* of the row or tick, as stamped */
    int64_t received_ns; /* of the record */
    double severity;     /* 0 .. 100: 50 just reaches the budget, each 10 more is ten times rarer; 100: a limit is passed */
    double p_value;      /* of the peak; 1 where the kind has none */
    tcsi_pattern pattern; /* what it looks like so far */
    tcsi_fingerprint suppressed_by; /* the answer that keeps it quiet; zeros: none */
    tcsi_grounds grounds; /* of an anomaly, as far as they are known */
    uint8_t has_window;
    int16_t window[TCSI_LAST_ROWS]; /* has_window: an anomaly's last rows when it opened, for whoever learns from answers to it */
} tcsi_live_event;

/* What makes an event: a record, and the row that it says something of. */
typedef struct tcsi_cause {
    uint64_t sequence, rows_sequence; /* of the record; of the one that the row came with */
    int64_t time_ns;                  /* the row's */
} tcsi_cause;

typedef struct tcsi_cell_options {
    double rate;                    /* alarms of chance allowed per row */
    tcsi_arrival_limits arrival;
    tcsi_reel_options reel;         /* zeros: no history is kept */
    size_t series_count_max;
    /* Told of every event, from within push and tick; NULL: nobody listens. */
    void (*tell)(void *self, const tcsi_live_event *event);
    /* Told of each question to the deep layer, from within push; NULL: nobody answers. */
    void (*ask)(void *self, const tcsi_deep_question *question);
    void *self;
    tcsi_second_look_options second_look;
} tcsi_cell_options;

/* A save: the last one, or one that goes on. */
typedef struct tcsi_cell_saving {
    tcsi_codec codec;        /* out NULL: none goes on */
    uint32_t next, count;    /* places [next, count) of when it began are still to be looked at */
    uint8_t number;          /* 1, 2, ... 255, 0, ... */
} tcsi_cell_saving;

typedef struct tcsi_cell {
    tcsi_cell_options options;
    tcsi_cohort cohort;
    tcsi_second_look second_look;
    tcsi_live_series **pieces;      /* of so many series each */
    size_t piece_count;
    uint32_t series_count;
    tcsi_presence_watch watch;
    tcsi_pasts pasts;
    tcsi_policies policies;
    int64_t now_ns;                 /* of the record that is being judged */
    tcsi_cell_answers answers;
    tcsi_taught taught;
    tcsi_cell_grounds grounds;
    double rows_per_s;              /* that its series give by their stamps, those that have ended aside */
    double weight_sum;              /* of its series' policies; where these have weights */
    tcsi_pulse pulse;
    uint64_t row_count, unusual_count; /* scored, and of them out of the ordinary: the deep layer's work */
    uint64_t outcomes[TCSI_OUTCOME_COUNT];
    tcsi_reel reel;                 /* rows on their way into history */
    tcsi_cell_saving saving;
} tcsi_cell;

tcs_status tcsi_cell_init(tcsi_cell *cell, const tcsi_cell_options *options, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_cell_deinit(tcsi_cell *cell); /* accepts a zeroed one */

/* A series without a past, in the next place from 0 on.  E_LIMIT: there are series_count_max; E_MEMORY. */
tcs_status tcsi_cell_add(tcsi_cell *cell, uint32_t number, tcsi_series_kind kind, uint32_t *ret_place, tcs_error *err) TCS_WARN_UNUSED;
const tcsi_live_series *tcsi_cell_series(const tcsi_cell *cell, uint32_t place);
/* To be changed: within one record, and after it was saved if it is to be. */
tcsi_live_series *tcsi_cell_touch(tcsi_cell *cell, uint32_t place);
tcsi_live_readiness tcsi_live_series_readiness(const tcsi_live_series *series);

typedef struct tcsi_live_row {
    uint32_t place;      /* of the series in its cell */
    int64_t time_ns;     /* as stamped */
    double value;        /* finite, or the stale mark */
    bool is_backfill;    /* of the past: backfill.h */
} tcsi_live_row;

typedef struct tcsi_live_outcome {
    tcsi_outcome outcome; /* of the row */
    bool is_scored;
    double value; /* that was judged: of a counter in values per second; NaN: none was */
    double score, expected, deviation; /* scored: in deviations; what was expected, give or take */
    tcsi_cohort_verdict verdict;
} tcsi_live_outcome;

/* sequence, receive_ns: of the journal's record that holds the row.  E_MEMORY leaves a cell that can only be released. */
tcs_status tcsi_cell_push(tcsi_cell *cell, const tcsi_live_row *row, uint64_t sequence, int64_t receive_ns, tcsi_live_outcome *ret_outcome,
                          tcs_error *err) TCS_WARN_UNUSED;
/* It is time_ns: who in the places begin, begin + stride, ... has been silent for too long?  stride >= 1. */
void tcsi_cell_tick(tcsi_cell *cell, uint64_t sequence, int64_t time_ns, uint32_t begin, uint32_t stride);
void tcsi_cell_set_rate(tcsi_cell *cell, double rate);
void tcsi_cell_set_second_look(tcsi_cell *cell, const tcsi_second_look_options *options);
/* Rules (policy.h) from now on; each series is to be given its own then, and each new one; when all have theirs the cell is to be weighed.
 * E_FORMAT and E_MEMORY change nothing. */
tcs_status tcsi_cell_set_rules(tcsi_cell *cell, const char *text, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_cell_choose_policy(tcsi_cell *cell, uint32_t place, const tcsi_key *key);
void tcsi_cell_weigh(tcsi_cell *cell); /* each series has its own */
/* Between two rows: every cell is told of every action, whomever it is about. */
void tcsi_cell_act(tcsi_cell *cell, const tcsi_action *action);
/* For the parts of a cell: an event of this series. */
void tcsi_cell_tell(tcsi_cell *cell, tcsi_live_series *series, tcsi_live_event event);

/* For second_look.c: tells of the series' open anomaly; confirms it if it is to be, and says whether it has. */
void tcsi_cell_tell_anomaly(tcsi_cell *cell, tcsi_live_series *series, tcsi_live_state state, tcsi_cause cause, bool is_update);
bool tcsi_cell_confirm(tcsi_cell *cell, tcsi_live_series *series, tcsi_cause cause);

/* Between two rows.  The cell as it is now, to the end of out, which like err is used until save_some is done; no save may go on. */
void tcsi_cell_save(tcsi_cell *cell, tcsi_buffer *out, tcs_error *err);
/* Of as many series, or as many rows of history; *ret_is_more false: it is done.  A failure ends it. */
tcs_status tcsi_cell_save_some(tcsi_cell *cell, uint32_t count, bool *ret_is_more) TCS_WARN_UNUSED;
/* Saving, all at once; loading, the cell was initialized and has no series. */
void tcsi_cell_persist(tcsi_cell *cell, tcsi_codec *codec);
/* Bytes that a cell of so many series holds beside the struct, at most. */
size_t tcsi_cell_size_max(size_t series_count);

#endif
