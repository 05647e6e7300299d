/* serve/shard/live.h -- all live series: from records of the journal, in their order, to what happened, in that order again.
 *
 *     apply, tick, act, hear (one thread, in the journal's order) ──> a queue a worker ──> cells ──> events
 *                                                                                       ──> tell (one thread, in that order)
 *
 * Series are spread over TCSI_CELL_COUNT cells, and cells over worker threads; a worker does what its queue says, without a lock a row.
 * Events are held until every worker has done the record that they belong to, and then told sorted by record and series: what is told, and
 * in which order, depends on the journal alone, not on the number of threads or on who was faster.
 *
 * A record may be applied before it is durable (secure): its rows are judged, and nobody is told, until it is.
 *
 * Bounded: rows that wait are counted before they are accepted (admit), and so are events that were not told yet; beyond waiting_row_max
 * and untold_max the sender is asked to come again.
 * The alarm budget is one for all series: so many alarms of chance a second, an equal part for each, taken up at every tick.
 * Out of memory in a worker stops everything: from then on admit fails, with the reason; what was acknowledged is in the journal.
 * Threads: admit, release, ask, wait, secure, stat from any; apply, tick, act, hear, save from one at a time, in the journal's order. */
#ifndef TCS_SERVE_SHARD_LIVE_H
#define TCS_SERVE_SHARD_LIVE_H

#include "serve/action.h"
#include "serve/shard/cell.h"
#include "serve/shard/directory.h"

typedef struct tcsi_live tcsi_live;

/* Object of the action that sets the budget, so that a replay has it at the same place: {"value": alarms a second}. */
#define TCSI_SETTING_BUDGET "alarms_per_s"
/* And of the one that says what the deep layer is asked: {"is_on": true, "sampled_per_s": 50, "deadline_s": 1}. */
#define TCSI_SETTING_DEEP "deep"

typedef struct tcsi_live_snapshot {
    uint64_t sequence;         /* records up to this one are in it */
    const tcsi_buffer *parts;  /* (part_count) */
    size_t part_count;
} tcsi_live_snapshot;

/* Everything up to record `sequence`, of time_ns, is done, and this is what happened and what was told to do since the last time, each
 * by sequence; also when there is neither.  Of one record, actions come before events. */
typedef struct tcsi_live_news {
    const tcsi_live_event *events;
    const tcsi_action *actions;
    size_t event_count, action_count;
    uint64_t sequence;
    int64_t time_ns;
    bool is_more;   /* more is told at once, and what this points to lives until that was: what waits for a disk may wait for all of it */
    bool is_tick;   /* record `sequence` is a tick.  Each tick, and each record that something happened in, is told by itself: who goes */
                    /* by time and by what came together sees the same in the same places, however much was done at once */
} tcsi_live_news;

/* A row, and what became of it. */
typedef struct tcsi_live_judged {
    uint64_t sequence;         /* of the record that holds it */
    uint32_t number;           /* of the series */
    uint32_t order;            /* among the rows of the record that are handed out together: a series' rows are in order */
    int64_t time_ns;           /* as stamped */
    tcsi_live_outcome outcome;
} tcsi_live_judged;

typedef struct tcsi_live_options {
    size_t thread_count;       /* 0: one a processor, at most TCSI_CELL_COUNT */
    size_t series_count_max;
    size_t waiting_row_max;    /* 0: a million */
    size_t untold_max;         /* events; 0: 65,536.  What one record brings is let through */
    double alarms_per_s;       /* of chance, of all series together; > 0; until the journal says another (TCSI_SETTING_BUDGET) */
    bool is_budget_fixed;      /* whatever the journal says */
    tcsi_arrival_limits arrival;
    tcsi_second_look_options second_look; /* likewise (TCSI_SETTING_DEEP) */
    /* Told of each question to the deep layer, from any worker's thread; NULL: nobody answers. */
    void (*ask)(void *asked, const tcsi_deep_question *question);
    void *asked;
    tcsi_reel_options reel;    /* of each cell (history/chronicle.h); zeros: no history is kept */
    void (*tell)(void *self, const tcsi_live_news *news); /* from one thread; NULL: nobody listens */
    /* What save asked for, after everything up to it was told; NULL: save is never called. */
    void (*keep)(void *self, const tcsi_live_snapshot *snapshot);
    void *self;
    /* What became of the rows of one record, as far as worker `worker` of TCSI_CELL_COUNT at most has them: from its thread, before tell of
     * that record.  NULL: nobody asks. */
    void (*judge)(void *judge_self, size_t worker, const tcsi_live_judged *rows, size_t count);
    void *judge_self;
} tcsi_live_options;

/* E_MEMORY; E_IO: no thread. */
tcs_status tcsi_live_create(const tcsi_live_options *options, tcsi_live **ret_live, tcs_error *err) TCS_WARN_UNUSED;
/* Nobody may be in a call.  What was applied is done first, and told as far as it is durable.  Accepts NULL. */
void tcsi_live_destroy(tcsi_live *live);

/* Room for so many rows: to be followed by apply of a batch with as many samples, or by release.  E_LIMIT: too many wait; otherwise why it
 * has stopped. */
tcs_status tcsi_live_admit(tcsi_live *live, size_t row_count, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_live_release(tcsi_live *live, size_t row_count);

/* The samples of a batch, which was admitted; series that are not accepted are refused in it (tcsi_batch_refuse).  E_MEMORY: it has
 * stopped. */
tcs_status tcsi_live_apply(tcsi_live *live, uint64_t sequence, int64_t receive_ns, tcsi_batch *batch, tcs_error *err) TCS_WARN_UNUSED;
/* It is time_ns. */
tcs_status tcsi_live_tick(tcsi_live *live, uint64_t sequence, int64_t time_ns, tcs_error *err) TCS_WARN_UNUSED;
/* What tcsi_action_write wrote: told to every cell, and then to tell.  E_FORMAT: it
 * is none, and everything has stopped; E_MEMORY likewise. */
tcs_status tcsi_live_act(tcsi_live *live, uint64_t sequence, int64_t time_ns, const void *bytes, size_t size,
                         tcs_error *err) TCS_WARN_UNUSED;
/* What tcsi_verdicts_write wrote.  E_FORMAT: it is none, and everything has stopped; E_MEMORY likewise. */
tcs_status tcsi_live_hear(tcsi_live *live, uint64_t sequence, int64_t time_ns, const void *bytes, size_t size,
                          tcs_error *err) TCS_WARN_UNUSED;
/* Everything as of the last record, to be handed to keep. */
tcs_status tcsi_live_save(tcsi_live *live, tcs_error *err) TCS_WARN_UNUSED;
/* The last one has not been handed to keep yet; another one would not be begun. */
bool tcsi_live_is_saving(tcsi_live *live);
/* Before anything was applied.  E_FORMAT: damaged or of another version, and then it can only be destroyed; E_MEMORY. */
tcs_status tcsi_live_load(tcsi_live *live, const tcsi_buffer *parts, size_t part_count, tcs_error *err) TCS_WARN_UNUSED;
/* Records up to `sequence`, of time_ns, are durable.  Once this was called nothing is told of, and no snapshot kept, that is not: it may
 * be applied before.  Until then everything is.  From any thread, in order. */
void tcsi_live_secure(tcsi_live *live, uint64_t sequence, int64_t time_ns);
/* Returns when every record that a worker has begun with is durable, or false after wait_ns. */
bool tcsi_live_wait_secure(tcsi_live *live, int64_t wait_ns);
/* Returns when everything applied so far is done, and told as far as it is durable.  Nobody may be applying anything: while somebody is,
 * wait. */
void tcsi_live_settle(tcsi_live *live);
/* Returns when record `sequence` is done and told, or false after wait_ns. */
bool tcsi_live_wait(tcsi_live *live, uint64_t sequence, int64_t wait_ns);

/* Runs look on a series, in its worker, behind everything applied so far, and returns when it has; false: there is no such series. */
typedef void (*tcsi_live_look)(void *context, const tcsi_cell *cell, const tcsi_live_series *series);
bool tcsi_live_ask(tcsi_live *live, uint32_t number, tcsi_live_look look, void *context);
const tcsi_directory *tcsi_live_directory(const tcsi_live *live);
/* The budget in force; of the one who applies. */
double tcsi_live_budget(const tcsi_live *live);
tcsi_second_look_options tcsi_live_second_look(const tcsi_live *live); /* likewise */

/* Rows by the time from receipt to score: the i-th of these is of rows within 2^(i/4) us, the last one of all others. */
enum { TCSI_LIVE_LATENCY_COUNT = 88 };
size_t tcsi_live_latency_place(int64_t elapsed_ns);

typedef struct tcsi_live_stats {
    uint64_t row_count, unusual_count;
    tcsi_pulse pulse;
    uint64_t suppressed_count, guarded_count; /* episodes kept quiet by answers; times that a guard was against it */
    uint64_t reeled_count, merged_count, unreeled_count; /* rows for history: that came, of them merged into others, not kept */
    int64_t step_ns;           /* the longest of a cell's reel: rows within it are merged */
    uint64_t latencies[TCSI_LIVE_LATENCY_COUNT]; /* since this process began */
    uint64_t outcomes[TCSI_OUTCOME_COUNT];
    size_t series_count, waiting_row_count;
    tcsi_second_look_counts second_look;
} tcsi_live_stats;
/* Counts of the rows done so far, each worker's as of some moment. */
tcsi_live_stats tcsi_live_stat(tcsi_live *live);
/* Within which that share of rows was scored, in seconds: a bucket's upper end; 0: there were none. */
double tcsi_live_latency(const tcsi_live_stats *stats, double share);

#endif
