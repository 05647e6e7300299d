/* serve/shard/live_inside.h -- what live.c, worker.c, teller.c and live_saved.c share; nobody else includes it.
 *
 * One message a record goes to every worker, also to those for whom it holds nothing: so that "done up to here" is one number a worker, and
 * the smallest of them is how far everything is.  Messages are used again; once the largest record was seen nothing is allocated. */
#ifndef TCS_SERVE_SHARD_LIVE_INSIDE_H
#define TCS_SERVE_SHARD_LIVE_INSIDE_H

#include "serve/shard/live.h"

#include <pthread.h>
#include <stdatomic.h>

enum { LIVE_TICK_STRIDE = 8 }; /* a tick looks at every eighth series of a cell, for absence */

typedef struct live_new_series {
    uint32_t number, place, family;
    uint8_t cell, kind;
} live_new_series;

typedef struct live_queued_row {
    uint32_t place, cell;
    int64_t time_ns;
    double value;
} live_queued_row;

/* An action on its way: held by each worker's message, and by the teller's list. */
typedef struct live_held_action {
    struct live_held_action *next; /* of the teller's */
    tcsi_arena arena;              /* its texts */
    tcsi_action action;
    bool has_second_look;          /* it was a setting: */
    tcsi_second_look_options second_look;
    _Atomic size_t holder_count;
} live_held_action;

typedef struct live_queued_answer {
    uint32_t cell;
    tcsi_deep_answer answer;
} live_queued_answer;

typedef enum live_message_kind { LIVE_ROWS, LIVE_TICK, LIVE_ACT, LIVE_HEAR, LIVE_SAVE, LIVE_ASK, LIVE_STOP } live_message_kind;

typedef struct live_message {
    struct live_message *next;
    live_message_kind kind;
    uint64_t sequence;
    int64_t time_ns;         /* ROWS: received; TICK: now */
    live_new_series *added;
    live_queued_row *rows;
    size_t added_count, added_capacity, row_count, row_capacity;
    bool is_backfill;        /* ROWS: of the past */
    uint32_t series_count;   /* TICK: of all cells */
    double weight_sum;       /* TICK: of all cells, where policies have weights */
    double alarms_per_s;     /* TICK */
    uint32_t begin;          /* TICK */
    live_held_action *act;   /* ACT */
    live_queued_answer *answers; /* HEAR */
    size_t answer_count, answer_capacity;
    uint32_t cell, place;    /* ASK */
    tcsi_live_look look;     /* ASK */
    void *context;           /* ASK */
    bool *done;              /* ASK: set under the worker's mutex */
} live_message;

typedef struct live_worker {
    tcsi_live *live;
    size_t index;
    pthread_t thread;
    bool is_running;
    pthread_mutex_t mutex;
    pthread_cond_t filled, emptied; /* there is a message; one was done */
    live_message *first, *last, *free;
    uint64_t begun;                 /* the last record that it took up */
    uint64_t done;                  /* every record up to this one, */
    int64_t done_ns;                /* and its time */
    tcsi_live_event *events;        /* of records done, not told yet */
    size_t event_count, event_capacity;
    uint32_t event_serial;          /* of the next one; 0 when none waits */
    tcsi_live_stats stats;          /* as of the last message */
    uint64_t latencies[TCSI_LIVE_LATENCY_COUNT];
    bool is_saved;                  /* its cells are in the parts */
    size_t saving;                  /* the cell that is being saved, if it is below TCSI_CELL_COUNT; of its thread, as is */
    tcs_error save_failure;
    tcsi_live_judged *judged;       /* of the record in work, when somebody asks */
    size_t judged_count, judged_capacity;
} live_worker;

/* What the one that applies knew at a record. */
typedef struct live_head {
    uint64_t sequence, tick_count;
    double alarms_per_s;
    uint32_t series_count;
} live_head;

typedef struct live_waiting_tick {
    uint64_t sequence;
    int64_t time_ns;
} live_waiting_tick;

struct tcsi_live {
    tcsi_live_options options;
    tcsi_directory directory;
    tcsi_cell cells[TCSI_CELL_COUNT];
    live_worker *workers;
    size_t worker_count;
    int64_t created_ns;             /* wall clock */
    live_message **staged;          /* (worker_count) being filled by apply */
    _Atomic size_t waiting_row_count, untold_count;
    _Atomic bool is_stopped;

    /* of the one that applies */
    uint64_t sequence;
    uint64_t tick_count;
    double alarms_per_s;            /* as the journal has it */
    tcsi_second_look_options second_look; /* likewise */
    tcsi_policies policies;         /* likewise; kept for their weights */
    double weight_sum;              /* of all series, in the order of their numbers; where policies have weights */

    /* of the teller */
    pthread_t teller;
    bool is_telling;
    pthread_mutex_t mutex;          /* of what follows */
    pthread_cond_t advanced;        /* a worker has done something, or something was told */
    uint64_t advance_count;
    uint64_t told;
    uint64_t durable;               /* records up to this one, of durable_ns; UINT64_MAX: nobody says */
    int64_t durable_ns;
    bool is_ending;
    live_waiting_tick *ticks;       /* (tick_begin .. tick_end) applied and not told yet */
    size_t tick_begin, tick_end, tick_capacity;
    tcs_error failure;
    bool is_saving;
    live_head saved;                /* as of what is being saved */
    tcsi_buffer parts[1 + TCSI_CELL_COUNT];
    tcsi_live_event *telling;       /* room for events while they are sorted */
    size_t telling_capacity;
    tcsi_action *acting;            /* room for actions that are told */
    size_t acting_capacity;
    live_held_action *acts, *acts_last; /* applied and not told yet; under the mutex */
};

/* ---- live.c ---- */

/* Room for one more. */
tcs_status tcsi_live_grow(void **items, size_t *capacity, size_t count, size_t item_size, tcs_error *err);
/* Nothing is done any more; the first reason is kept. */
void tcsi_live_stop(tcsi_live *live, const tcs_error *failure);
tcs_status tcsi_live_stopped(tcsi_live *live, tcs_error *err);
/* Wakes the teller and who waits. */
void tcsi_live_advance(tcsi_live *live);
/* Of the one that applies: the rules are these now.  E_MEMORY; what are no rules changes nothing. */
tcs_status tcsi_live_take_rules(tcsi_live *live, const char *text, tcs_error *err);
/* One message for each worker into `staged`; none when there is no memory. */
tcs_status tcsi_live_stage(tcsi_live *live, live_message_kind kind, uint64_t sequence, int64_t time_ns, tcs_error *err);
void tcsi_live_send_staged(tcsi_live *live);

/* ---- worker.c: a queue, a thread, and the cells of one worker ---- */

void *tcsi_live_worker_run(void *worker);
/* A message for it, to be filled and sent; NULL: no memory. */
live_message *tcsi_live_worker_take(live_worker *w, live_message_kind kind, uint64_t sequence, int64_t time_ns, tcs_error *err);
void tcsi_live_worker_send(live_worker *w, live_message *m);
/* It ends behind everything that it was sent. */
void tcsi_live_worker_end(live_worker *w);
void tcsi_live_message_destroy(live_message *m); /* accepts NULL */
/* What its cells count. */
tcsi_live_stats tcsi_live_worker_count(const live_worker *w);
/* What its cells tell and ask, from its thread; self is the worker. */
void tcsi_live_worker_event(void *self, const tcsi_live_event *event);
void tcsi_live_worker_question(void *self, const tcsi_deep_question *question);

/* ---- teller.c: what was done, told in the journal's order ---- */

void *tcsi_live_teller_run(void *live);
/* Up to which record everything is done, and its time. */
uint64_t tcsi_live_done(tcsi_live *live, int64_t *ret_time_ns);
tcs_status tcsi_live_note_tick(tcsi_live *live, uint64_t sequence, int64_t time_ns, tcs_error *err);
/* What tcsi_action_write wrote, held by each worker and the teller. */
tcs_status tcsi_live_hold(tcsi_live *live, uint64_t sequence, int64_t time_ns, const void *bytes, size_t size, live_held_action **ret_held,
                          tcs_error *err);
void tcsi_live_note_action(tcsi_live *live, live_held_action *held);
void tcsi_live_unhold(live_held_action *held);
/* Those of records up to `sequence`. */
void tcsi_live_forget_actions(tcsi_live *live, uint64_t sequence);

/* ---- live_saved.c ---- */

/* Part 0 of a snapshot, once its workers have written theirs. */
tcs_status tcsi_live_save_head(tcsi_live *live, tcs_error *err);

#endif
